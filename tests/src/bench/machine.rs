//! The machine that figures were measured on: a figure without it says nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Processors, memory and system, one line each.
#[must_use]
pub fn describe() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kilobytes: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    vec![
        format!("processor: {cores} x {}", model.trim_start_matches(['\t', ' ', ':'])),
        format!("memory: {} GB", kilobytes / 1_000_000),
        format!("kernel: {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("load before the end: {}", read("/proc/loadavg").trim()),
    ]
}

/// How long the disk under `dir` takes for a write of 4 KiB and its fsync: the median of many. Every durable
/// figure stands on it.
///
/// # Errors
/// When it can't be written.
pub fn fsync(dir: &Path) -> std::io::Result<Duration> {
    let path = dir.join("fsync");
    let mut file = fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort();
    fs::remove_file(&path)?;
    Ok(took[took.len() / 2])
}
