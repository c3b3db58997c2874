//! The command line of `meguri-rehearsal`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;
use clap::builder::RangedU64ValueParser;
use jiff::Timestamp;
use meguri_proto::clock::business_date;

use super::made_up::TERMINALS;
use super::script::{AFTER_LEAST, BEFORE_LEAST};
use super::{Options, Span, run};

/// This program.
pub(super) const PROGRAM: &str = "meguri-rehearsal";
/// The days and pickups where nothing is said.
pub(super) const BEFORE: i32 = 59;
pub(super) const AFTER: i32 = 29;
pub(super) const PICKUPS: usize = 3;
/// Longer than a year no contracts are told apart.
const DAYS_MOST: i64 = 365;

/// 業者切替を、本物の端末と役所の中身で、時間だけを早送りして予行します。Rehearses a contractor switchover with the real minds and
/// stores of terminals and office, in a time that is made to run. See docs/rehearsal.md. Exit status: 0 all came out as planned, 1 not.
#[derive(Debug, Parser)]
#[command(name = "meguri-rehearsal", version)]
struct Cli {
    /// 市の計画のフォルダー（city.toml と terminals.toml）。なければ架空の市。The city's folder of plans; a made-up city where none is given.
    folder: Option<PathBuf>,
    /// 架空の市の端末の台数。How many terminals the made-up city has.
    #[arg(long, default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(TERMINALS), conflicts_with = "folder")]
    terminals: usize,
    /// 同じ数からは同じ予行になる。The same seed plays the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 切替までの日数。Days before the instant, at least 21.
    #[arg(long, default_value_t = BEFORE, value_parser = clap::value_parser!(i32).range(BEFORE_LEAST..=DAYS_MOST))]
    before: i32,
    /// 切替からの日数。Days after the instant, at least 14.
    #[arg(long, default_value_t = AFTER, value_parser = clap::value_parser!(i32).range(AFTER_LEAST..=DAYS_MOST))]
    after: i32,
    /// 一台が一日に回る件数。Pickups of a terminal and working day, 1 to 50.
    #[arg(long, default_value_t = PICKUPS, value_parser = RangedU64ValueParser::<usize>::new().range(1..=50))]
    pickups: usize,
    /// 端末と役所のファイルを残すフォルダー（空であること）。Where the files of terminals and office stay; to be empty.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// 報告書を書くファイル。Where the report is written.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The command by which somebody else's program ran this one: the report names it.
    #[arg(long, hide = true, default_value = PROGRAM)]
    by: String,
    /// 結果を一行の JSON で標準出力に。The findings as one line of JSON instead of the page.
    #[arg(long)]
    json: bool,
}

impl Cli {
    fn options(&self) -> Options {
        Options {
            plans: self.folder.clone(),
            today: business_date(Timestamp::now()),
            terminals: self.terminals,
            seed: self.seed,
            span: Span { before: self.before, after: self.after },
            pickups: self.pickups,
        }
    }
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
    let options = cli.options();
    let mut report = run(folder, &options, &mut |line| {
        let _ = writeln!(std::io::stderr(), "{line}");
    })?;
    report.again = options.command(&cli.by);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&[PROGRAM], words].concat())
    }

    #[test]
    fn what_the_script_has_no_room_for_is_misuse() {
        for words in [
            &["--before", "0"][..],
            &["--before", "20"],
            &["--before", "-1"],
            &["--before", "366"],
            &["--after", "1"],
            &["--after", "13"],
            &["--pickups", "0"],
            &["--terminals", "5"],
            &["plans", "--terminals", "20"],
        ] {
            assert_eq!(options(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
        assert!(options(&["plans", "--before", "21", "--after", "14", "--pickups", "1"]).is_ok());
    }

    #[test]
    fn the_report_names_a_command_that_plays_the_same() {
        for command in [
            "meguri-rehearsal --terminals 200 --seed 1",
            "meguri-rehearsal --terminals 24 --seed 7 --before 21 --after 14 --pickups 2",
            "meguri-rehearsal plans --seed 1 --after 30",
            "meguri-config rehearse plans --seed 2",
        ] {
            let words: Vec<_> = command.split(' ').collect();
            let (by, words) = words.split_at(if words[0] == PROGRAM { 1 } else { 2 });
            let cli = options(words).unwrap();
            assert_eq!(cli.options().command(&by.join(" ")), command);
        }
    }
}
