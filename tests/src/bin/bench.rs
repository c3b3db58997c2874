//! Measures every figure of `docs/bench.md` on this machine: prints one table and writes it as JSON.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is this program's output")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use meguri_tests::bench::row::table;
use meguri_tests::bench::{GROUPS, Row, Setting, machine, tap};
use serde_json::json;

/// Speed, known (巡り 計測).
#[derive(Debug, Parser)]
struct Options {
    /// Groups to run, by name; all where none is named.
    groups: Vec<String>,
    /// Where the table is written as JSON.
    #[arg(long, default_value = "target/bench/bench.json")]
    json: PathBuf,
    /// What takes long to make is kept here from run to run.
    #[arg(long, default_value = "target/bench")]
    cache: PathBuf,
    /// Lists the groups.
    #[arg(long)]
    list: bool,
    /// How this program runs itself inside a network namespace.
    #[arg(long, hide = true)]
    inside_lte: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("計測できません / The bench can't go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether every figure keeps its limit.
fn run(options: &Options) -> anyhow::Result<bool> {
    if let Some(dir) = &options.inside_lte {
        println!("{}", tap::inside_lte(dir)?);
        return Ok(true);
    }
    if options.list {
        for (name, about, _) in GROUPS {
            println!("{name:10} {about}");
        }
        return Ok(true);
    }
    if let Some(unknown) = options.groups.iter().find(|name| GROUPS.iter().all(|(known, ..)| known != name)) {
        let known: Vec<&str> = GROUPS.iter().map(|(name, ..)| *name).collect();
        bail!("no group is named {unknown}; there are: {}", known.join(", "));
    }
    std::fs::create_dir_all(&options.cache)
        .with_context(|| format!("can't make {}", options.cache.display()))?;
    let cache = options.cache.canonicalize().context("can't find the cache")?;
    // On the same disk as the cache: the system's temporary folder may be memory, which makes every commit look fast.
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&cache).context("can't make a folder")?;
    let mut rows: Vec<Row> = Vec::new();
    for (name, about, measure) in GROUPS {
        if !options.groups.is_empty() && !options.groups.iter().any(|asked| asked == name) {
            continue;
        }
        eprintln!("{name}: {about} …");
        let started = Instant::now();
        let dir = folder.path().join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("can't make {}", dir.display()))?;
        let setting = Setting { dir: dir.clone(), cache: cache.clone() };
        match measure(&setting) {
            Ok(measured) => rows.extend(measured),
            // One group that can't be measured does not take the others with it, but it is no success.
            Err(error) => {
                let mut row = Row::skipped(name, about, format!("{error:#}"));
                row.ok = Some(false);
                rows.push(row);
            }
        }
        eprintln!("{name}: {:.0} s", started.elapsed().as_secs_f64());
        // What one group wrote must not be flushed while the next is measured.
        drop(std::fs::remove_dir_all(&dir));
        std::thread::sleep(Duration::from_millis(200));
    }
    let good = rows.iter().all(|row| row.ok != Some(false));
    println!("{}", table(&rows));
    let machine = machine::describe();
    println!("{}", machine.join("\n"));
    let text = serde_json::to_string_pretty(&json!({ "machine": machine, "figures": rows }))?;
    if let Some(folder) = options.json.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    std::fs::write(&options.json, text).with_context(|| format!("can't write {}", options.json.display()))?;
    println!("{}", options.json.display());
    Ok(good)
}
