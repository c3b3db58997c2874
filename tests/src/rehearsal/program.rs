//! The command line of `meguri-rehearsal`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;
use jiff::Timestamp;
use meguri_proto::clock::business_date;

use super::{Options, Span, run};

/// 業者切替を、本物の端末と役所の中身で、時間だけを早送りして予行します。Rehearses a contractor switchover with the real minds and
/// stores of terminals and office, in a time that is made to run. See docs/rehearsal.md. Exit status: 0 all came out as planned, 1 not.
#[derive(Debug, Parser)]
#[command(name = "meguri-rehearsal", version)]
struct Cli {
    /// 市の計画のフォルダー（city.toml と terminals.toml）。なければ架空の市。The city's folder of plans; a made-up city where none is given.
    folder: Option<PathBuf>,
    /// 架空の市の端末の台数。How many terminals the made-up city has.
    #[arg(long, default_value_t = 200, conflicts_with = "folder")]
    terminals: usize,
    /// 同じ数からは同じ予行になる。The same seed plays the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 切替までの日数。Days before the instant.
    #[arg(long, default_value_t = 59)]
    before: i32,
    /// 切替からの日数。Days after the instant.
    #[arg(long, default_value_t = 29)]
    after: i32,
    /// 一台が一日に回る件数。Pickups of a terminal and working day.
    #[arg(long, default_value_t = 3)]
    pickups: usize,
    /// 端末と役所のファイルを残すフォルダー（空であること）。Where the files of terminals and office stay; to be empty.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// 報告書を書くファイル。Where the report is written.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// 結果を一行の JSON で標準出力に。The findings as one line of JSON instead of the page.
    #[arg(long)]
    json: bool,
}

/// Runs it.
#[must_use]
pub fn main() -> ExitCode {
    match rehearse(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "予行できません / The rehearsal can't go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn rehearse(cli: &Cli) -> anyhow::Result<bool> {
    let temporary;
    let folder: &Path = match &cli.keep {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
            let empty = std::fs::read_dir(folder)?.next().is_none();
            ensure!(empty, "{} is not empty; name another folder, or empty it", folder.display());
            folder
        }
        None => {
            temporary = tempfile::Builder::new()
                .prefix("meguri-rehearsal-")
                .tempdir()
                .context("can't make a folder")?;
            temporary.path()
        }
    };
    let options = Options {
        plans: cli.folder.clone(),
        today: business_date(Timestamp::now()),
        terminals: cli.terminals,
        seed: cli.seed,
        span: Span { before: cli.before, after: cli.after },
        pickups: cli.pickups,
    };
    let report = run(folder, &options, &mut |line| {
        let _ = writeln!(std::io::stderr(), "{line}");
    })?;
    let page = report.page();
    let mut out = std::io::stdout();
    // Whoever reads it may have gone; the exit status tells.
    if cli.json {
        let _ = writeln!(out, "{}", serde_json::json!({ "good": report.good(), "checks": report.checks }));
    } else {
        let _ = writeln!(out, "{page}");
        for check in report.checks.iter().filter(|check| !check.good) {
            let _ = writeln!(out, "✘ {} / {}", check.ja, check.en);
            for found in check.found.iter().take(20) {
                let _ = writeln!(out, "    {found}");
            }
        }
    }
    if let Some(path) = &cli.report {
        std::fs::write(path, &page).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(report.good())
}
