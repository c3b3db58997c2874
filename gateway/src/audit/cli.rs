//! `meguri-gateway audit`: reads the log, and finds whether it was tampered with. Works beside a running gateway.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use jiff::civil::Date;
use meguri_proto::Digest;
use meguri_proto::clock::{business_date, japan};

use super::verify::entries;
use super::{Entry, Who, heads, verify};

/// A head as it was noted.
#[derive(Debug, Clone)]
pub struct Noted(u64, Digest);

impl FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed =
            text.split_once(':').and_then(|(seq, digest)| Some((seq.parse().ok()?, digest.parse().ok()?)));
        parsed
            .map(|(seq, digest)| Self(seq, digest))
            .ok_or_else(|| "expected a number and a digest, as 4417:93af…".to_owned())
    }
}

/// The audit log.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reads the whole log. Exit status: 0 nothing is missing or changed, 1 it can't be read, 2 something is.
    Verify {
        /// A head that was noted elsewhere, as the system's log has it (seq and digest): it must be in the log.
        #[arg(long, value_name = "SEQ:DIGEST")]
        head: Vec<Noted>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows entries, the newest last.
    Show {
        /// Those of one day.
        #[arg(long)]
        day: Option<Date>,
        /// Those of one person, by number (`person list --json` shows it).
        #[arg(long)]
        person: Option<i64>,
        /// How many at the most; 0 for all.
        #[arg(long, default_value_t = 100)]
        last: usize,
        /// The last entry of each day, to be noted elsewhere, instead of entries.
        #[arg(long)]
        heads: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command says with the log of the data folder, and gives the exit status.
///
/// # Errors
/// When the log can't be read, or nothing can be printed.
pub fn run(command: &Command, data: &Path, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify { head, json } => {
            let known: Vec<(u64, Digest)> = head.iter().map(|Noted(seq, digest)| (*seq, *digest)).collect();
            let report = verify(data, &known)?;
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            } else {
                match (report.first, report.last) {
                    (Some(first), Some((last, digest))) => {
                        writeln!(out, "{} entries, {first} to {last}; head {last}:{digest}", report.entries)?;
                    }
                    _ => writeln!(out, "{} entries", report.entries)?,
                }
                if report.repaired > 0 {
                    writeln!(out, "{} times a cut last line was put right, as entries say", report.repaired)?;
                }
                for fault in &report.faults {
                    writeln!(out, "{} line {}: {}", fault.file, fault.line, fault.problem)?;
                }
                writeln!(out, "{}", if report.faults.is_empty() { "whole" } else { "NOT WHOLE" })?;
            }
            Ok(ExitCode::from(if report.faults.is_empty() { 0 } else { 2 }))
        }
        Command::Show { heads: true, json, .. } => {
            let heads = heads(data)?;
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&heads)?)?;
            } else {
                for head in heads {
                    writeln!(out, "{}\t{}:{}", head.day, head.seq, head.digest)?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { day, person, last, json, .. } => {
            let mut shown: VecDeque<Entry> = VecDeque::new();
            entries(data, |entry, _| {
                let of_day = day.is_none_or(|day| business_date(entry.at) == day);
                let of_person = person.is_none_or(|person| {
                    entry.who == Who::Person(person)
                        || entry.about.get("person").and_then(serde_json::Value::as_i64) == Some(person)
                });
                if of_day && of_person {
                    shown.push_back(entry);
                    if *last > 0 && shown.len() > *last {
                        shown.pop_front();
                    }
                }
            })?;
            for entry in shown {
                if *json {
                    writeln!(out, "{}", serde_json::to_string(&entry)?)?;
                    continue;
                }
                let at = entry.at.to_zoned(japan()).strftime("%Y-%m-%d %H:%M:%S").to_string();
                writeln!(
                    out,
                    "{}\t{at}\t{}\t{}\t{}",
                    entry.seq,
                    who(&entry.who),
                    entry.what.word(),
                    entry.about
                )?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn who(who: &Who) -> String {
    match who {
        Who::Person(id) => format!("person {id}"),
        Who::Token(id) => format!("token {id}"),
        Who::Command(uid) => format!("command of user {uid}"),
        Who::Nobody => "nobody".to_owned(),
        Who::Gateway => "gateway".to_owned(),
    }
}
