//! What a running program uses, as the kernel counts it.

use std::time::Duration;

use anyhow::Context;

/// Processor time since its start, of all its threads.
///
/// # Errors
/// When it does not run.
pub fn cpu(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("the program does not run")?;
    // The name may hold anything, so fields count from its closing parenthesis (proc(5)).
    let (_, fields) = stat.rsplit_once(')').context("/proc is not as expected")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().context("/proc is not as expected"))
        .sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Memory that it holds, in MB (10^6 bytes).
///
/// # Errors
/// When it does not run.
pub fn memory(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("the program does not run")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("/proc is not as expected")?;
    let kib: f64 = line.split_whitespace().next().context("/proc is not as expected")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
