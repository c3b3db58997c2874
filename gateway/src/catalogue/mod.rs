//! The catalogue (品目): what the city collects, with reading, synonyms, size rule and tickets; read from the city's own file.
//!
//! A file is the whole catalogue: what it lacks is gone. The whole file is taken, or nothing; the same file twice changes
//! nothing; every change is a version with its history.

pub mod cli;
pub mod plain;
pub mod profile;
pub mod read;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use meguri_proto::{Digest, Ticket};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

pub use self::stored::{Change, Found, Listed, all, changes, count, find, known};
use crate::direction::printable;
use crate::import::{Problem, Skipped};

/// One item as the city's file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What names it for ever.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its reading (よみ); empty where there is none.
    pub reading: String,
    /// Other words for it (類似語).
    pub synonyms: Vec<String>,
    /// Rule about its size; empty where there is none.
    pub size: String,
    /// Its tickets.
    pub tickets: Vec<Ticket>,
    /// Its fee in yen, where the file says one.
    pub fee: Option<u32>,
    /// Whether it is collected.
    pub accepted: bool,
    /// Whether it needs a recycling ticket.
    pub recycling: bool,
}

/// A catalogue to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// The file's name.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// The profile's name.
    pub profile: String,
    /// All items.
    pub items: Vec<Item>,
    /// How many of a hundred known items may be missing.
    pub missing_percent: u8,
    /// Whether it is taken although more are missing.
    pub anyway: bool,
}

/// What came of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether nothing was written because that was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The catalogue's version from now on, 0 where there is none.
    pub version: i64,
    /// The file's name.
    pub file: String,
    /// The profile's name.
    pub profile: String,
    /// How much of what.
    pub counts: Counts,
    /// Lines left out, by rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// What is wrong in the file, the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    #[serde(default)]
    pub more_problems: u64,
}

/// What came of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is the catalogue now.
    Applied,
    /// It is what the catalogue was already.
    Unchanged,
    /// The file has lines that can't be taken: nothing was.
    Rejected,
    /// Too many items are missing: nothing was taken; `--anyway` takes it.
    TooFew,
}

/// How much of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Items of the file.
    pub items: u64,
    /// New ones.
    pub added: u64,
    /// Those that differ from before.
    pub changed: u64,
    /// Those as before.
    pub unchanged: u64,
    /// Those that the file lacks.
    pub gone: u64,
    /// Those that were gone and are there again.
    pub back: u64,
}

/// Nothing of a file can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub Problem);

/// Compares a catalogue with the store, and says what would come of it.
///
/// # Errors
/// When the store can't be read.
pub fn compare(conn: &Connection, new: &New) -> rusqlite::Result<Report> {
    Ok(stored::plan(conn, new)?.report(new))
}

/// Takes a catalogue, in the caller's transaction, which is to be undone where this fails.
///
/// # Errors
/// When the store can't be read or written.
pub fn apply(tx: &Connection, now: Timestamp, new: &New) -> rusqlite::Result<Report> {
    let plan = stored::plan(tx, new)?;
    let mut report = plan.report(new);
    if report.outcome == Outcome::Applied {
        report.version = stored::write(tx, now, new, &plan, report.counts)?;
    }
    Ok(report)
}

impl Report {
    /// The exit status: 0 taken or unchanged, 2 rejected, 3 too few.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.outcome {
            Outcome::Applied | Outcome::Unchanged => 0,
            Outcome::Rejected => 2,
            Outcome::TooFew => 3,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, profile, counts, version, .. } = self;
        writeln!(f, "{}, read with {}: {} items", printable(file), printable(profile), counts.items)?;
        for Skipped { rule, lines } in self.skipped.iter().filter(|skipped| skipped.lines > 0) {
            writeln!(f, "  {lines} lines left out: {}", printable(rule))?;
        }
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        if self.more_problems > 0 {
            writeln!(f, "  … and {} more", self.more_problems)?;
        }
        let Counts { added, changed, unchanged, gone, back, .. } = counts;
        if self.outcome != Outcome::Rejected {
            writeln!(
                f,
                "  {added} added, {changed} changed, {unchanged} unchanged, {gone} gone, {back} back"
            )?;
        }
        match (self.outcome, self.dry_run) {
            (Outcome::Applied, true) => write!(f, "dry run: it would be taken, nothing was written"),
            (Outcome::Applied, false) => write!(f, "taken as version {version} of the catalogue"),
            (Outcome::Unchanged, _) => write!(f, "nothing differs; it stays version {version}"),
            (Outcome::Rejected, _) => write!(f, "rejected: nothing was taken"),
            (Outcome::TooFew, _) => write!(
                f,
                "nothing was taken: {gone} items would be gone, more than the profile lets go; is the file whole? If so, \
                 --anyway takes it"
            ),
        }
    }
}
