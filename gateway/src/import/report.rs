//! What came of an import, for people and as JSON.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::direction::printable;

/// Most problems that a report lists.
pub const LISTED_PROBLEMS: usize = 100;

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether nothing was written because that was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The import's number in the store; none where nothing was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<i64>,
    /// The file's name.
    pub file: String,
    /// The profile's name.
    pub profile: String,
    /// The days that the file is the whole of; empty for a file of changes.
    pub days: Vec<Date>,
    /// How much of what.
    pub counts: Counts,
    /// Lines left out, by rule.
    pub skipped: Vec<Skipped>,
    /// Days on which too much is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Newer files of its days that were taken while this one was held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<Newer>,
    /// What was left out of a file whose good lines are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// What is wrong in the file, the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_problems: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What came of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All was taken.
    Applied,
    /// Too much is missing: nothing was taken until a person releases or drops it.
    Held,
    /// The file has lines that can't be taken: nothing was.
    Rejected,
    /// A held import was dropped.
    Dropped,
}

/// How much of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Lines after the header, the skipped ones among them.
    pub lines: u64,
    /// Lines left out by rules.
    pub skipped: u64,
    /// Requests.
    pub requests: u64,
    /// Pickups that are new.
    pub added: u64,
    /// Pickups with other attributes than before.
    pub changed: u64,
    /// Pickups as before.
    pub unchanged: u64,
    /// Pickups cancelled, because they are missing or the file says so; new ones that are cancelled already are also `added`.
    pub cancelled: u64,
    /// Cancelled pickups that are there again.
    pub reinstated: u64,
    /// Pickups whose place in their round changed; that alone is no change of the pickup.
    pub reordered: u64,
}

/// Lines left out by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The rule's name.
    pub rule: String,
    /// How many lines.
    pub lines: u64,
}

/// A day on which too much is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The day.
    pub date: Date,
    /// How many pickups were planned.
    pub planned: u64,
    /// How many of them the file lacks.
    pub missing: u64,
}

/// A newer file of a held one's days, which was taken while that was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newer {
    /// Its number.
    pub import: i64,
    /// When it was taken.
    pub at: Timestamp,
    /// The days that both files are of, in order.
    pub days: Vec<Date>,
}

/// Lines that were left out of a file whose good lines are taken. A request of several lines is left out whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// How many lines of the table.
    pub lines: u64,
    /// The last line of the file that belongs to its header; 0 where it has none.
    pub header: u64,
    /// The first and the last line in the file of each stretch of them.
    pub places: Vec<(u64, u64)>,
    /// Days on which nothing that is missing was cancelled, since nobody can tell of which requests the rejected lines are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// The file that they were written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Pickups of a day that are missing in a file and stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The day.
    pub date: Date,
    /// How many.
    pub pickups: u64,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The line in the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<Column>,
    /// What was expected and what was found. Of residents' data only as much as is needed to find it.
    pub problem: String,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its number, from 1.
    pub number: usize,
    /// Its name in the header.
    pub name: String,
}

impl Problem {
    pub(super) fn of_file(problem: impl Into<String>) -> Self {
        Self { line: None, column: None, problem: problem.into() }
    }

    pub(super) fn at(line: u64, column: Option<Column>, problem: impl Into<String>) -> Self {
        Self { line: Some(line), column, problem: problem.into() }
    }
}

impl Rejected {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<11} {:>7}", "rejected", self.lines)?;
        if let Some(file) = &self.file {
            let file = printable(file);
            writeln!(
                f,
                "  the rejected lines are in {file}: correct them, and import that file with --changes"
            )?;
        }
        for Kept { date, pickups } in &self.kept {
            writeln!(
                f,
                "  {date}: {pickups} missing pickups are not cancelled, since a rejected line may be of one of them"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, planned, missing } = self;
        write!(f, "{date}: {missing} of {planned} planned pickups are missing in the file")
    }
}

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.days[..] {
            [] => {}
            [day] => write!(f, "{day}: ")?,
            [first, .., last] => write!(f, "{first} to {last}: ")?,
        }
        write!(f, "a newer file was taken as import {} on {:.0}", self.import, self.at)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
        }
        if let Some(Column { number, name }) = &self.column {
            let name: String = name.chars().take(30).collect();
            write!(f, ", column {number} ({})", printable(&name))?;
        }
        if self.line.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(&printable(&self.problem))
    }
}

/// Problems of a file: the first ones kept, the rest counted.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) kept: Vec<Problem>,
    pub(super) more: u64,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if self.kept.len() < LISTED_PROBLEMS {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Report {
    /// The exit status of the command: 0 all taken, 2 rejected lines and nothing taken, 3 held, 4 all taken but for the
    /// rejected lines.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.outcome {
            Outcome::Applied if self.rejected.is_some() => 4,
            Outcome::Applied | Outcome::Dropped => 0,
            Outcome::Rejected => 2,
            Outcome::Held => 3,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever named the file and its columns may not write on the screen.
        let file = printable(&self.file);
        for problem in &self.problems {
            match problem.line {
                Some(_) => writeln!(f, "{file}, {problem}")?,
                None => writeln!(f, "{file}: {problem}")?,
            }
        }
        if self.more_problems > 0 {
            writeln!(f, "and {} more problems", self.more_problems)?;
        }
        let counts = &self.counts;
        write!(f, "{file}, read with {}", self.profile)?;
        if self.outcome == Outcome::Dropped {
            // It was not read again.
            writeln!(f)?;
        } else {
            writeln!(f, ": {} lines", counts.lines)?;
        }
        for Skipped { rule, lines } in &self.skipped {
            writeln!(f, "  skipped     {lines:>7}  {rule}")?;
        }
        if let (Some(first), Some(last)) = (self.days.first(), self.days.last()) {
            match self.days.len() {
                1 => writeln!(f, "  the whole of {first}")?,
                days => writeln!(f, "  the whole of {days} days, {first} to {last}")?,
            }
        }
        if matches!(self.outcome, Outcome::Applied | Outcome::Held) {
            for (what, count) in [
                ("added", counts.added),
                ("changed", counts.changed),
                ("unchanged", counts.unchanged),
                ("cancelled", counts.cancelled),
                ("reinstated", counts.reinstated),
                ("reordered", counts.reordered),
            ] {
                if count > 0 || what == "unchanged" {
                    writeln!(f, "  {what:<11} {count:>7}")?;
                }
            }
        }
        if let Some(rejected) = &self.rejected {
            rejected.tell(f)?;
        }
        for missing in &self.missing {
            writeln!(f, "  {missing}")?;
        }
        for newer in &self.newer {
            writeln!(f, "  {newer}")?;
        }
        match (self.outcome, self.dry_run, self.import) {
            (Outcome::Applied, true, _) if !self.newer.is_empty() => {
                write!(f, "dry run: nothing was written; it would be taken with --anyway only")
            }
            (Outcome::Applied, true, _) if self.rejected.is_some() => {
                write!(f, "dry run: all but the rejected lines would be taken, nothing was written")
            }
            (Outcome::Applied, true, _) => write!(f, "dry run: all would be taken, nothing was written"),
            (Outcome::Held, true, _) => {
                write!(f, "dry run: it would be held for a person, nothing was written")
            }
            (Outcome::Applied, false, Some(id)) if self.rejected.is_some() => {
                write!(f, "taken as import {id}, but for the rejected lines")
            }
            (Outcome::Applied, false, Some(id)) => write!(f, "taken as import {id}"),
            (Outcome::Held, false, Some(id)) => write!(
                f,
                "held as import {id}, nothing is taken: look, then `import release {id}` or `import drop {id}`; `import list` shows what is held"
            ),
            (Outcome::Rejected, ..) => write!(f, "rejected: nothing was taken"),
            (Outcome::Dropped, _, Some(id)) => write!(f, "import {id} is dropped"),
            (outcome, ..) => write!(f, "{outcome:?}"),
        }
    }
}
