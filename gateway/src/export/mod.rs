//! Results back to the reception system: a day's pickups and what became of them, as CSV by a profile.
//!
//! What is read is one moment of the store, beside a running gateway or without one; nothing is written into it.
//! A file is made whole before anything of it is written: what its encoding can't hold keeps it from being written.
//! A [`Cursor`] tells where the next export of the day begins.

mod characters;
pub mod cli;
pub mod profile;
mod rows;
mod write;

use std::fmt;

use jiff::civil::Date;
use rusqlite::Connection;
use serde::Serialize;

use self::profile::Profile;
pub use self::rows::{Cursor, CursorError};
pub(crate) use self::write::is_formula;
pub use self::write::{Cannot, MakeError, Place, Substituted, WriteError};
use crate::direction::printable;
use crate::people::Scope;

/// How many places the report for people names of each substitute.
const PLACES_TOLD: usize = 20;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The cursor can't be gone by.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// No file could be made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The store failed.
    #[error("the store can't be read: {0}")]
    Store(#[from] rusqlite::Error),
}

/// A file ready to be written, and the report about it.
#[derive(Debug)]
pub struct Export {
    /// The file's bytes, where the report names nothing that the encoding can't hold; else nothing.
    pub file: Option<Vec<u8>>,
    /// What is to be said.
    pub report: Report,
}

/// What came of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The day.
    pub day: Date,
    /// The profile's name.
    pub profile: String,
    /// Where it began; none for the whole day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Where the next one begins, once this one's file is written.
    pub cursor: String,
    /// How many pickups.
    pub pickups: usize,
    /// How many lines below the header.
    pub lines: u64,
    /// How many cells were kept from being formulas.
    pub neutralised: u64,
    /// What was written instead of what, and where.
    pub substituted: Vec<Substituted>,
    /// What the encoding can't hold, and where. With any of it nothing is written.
    pub cannot: Vec<Cannot>,
    /// Why this export does not stand in the audit log, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaudited: Option<String>,
}

/// Makes a day's export: the whole day, or what changed after the cursor, of what is in scope.
///
/// # Errors
/// When the cursor or the profile can't be used, or the store can't be read.
pub fn export(
    conn: &Connection,
    profile: &Profile,
    day: Date,
    since: Option<Cursor>,
    scope: &Scope,
) -> Result<Export, ExportError> {
    // One transaction, so that rows and cursor are of one moment.
    let snapshot = conn.unchecked_transaction()?;
    export_in(&snapshot, profile, day, since, scope)
}

/// As [`export`], in the caller's transaction.
///
/// # Errors
/// As [`export`].
pub fn export_in(
    conn: &Connection,
    profile: &Profile,
    day: Date,
    since: Option<Cursor>,
    scope: &Scope,
) -> Result<Export, ExportError> {
    let results = rows::read(conn, day, since, scope)??;
    let made = write::make(profile, &results)?;
    let report = Report {
        day,
        profile: profile.name.clone(),
        since: since.map(|since| since.to_string()),
        cursor: results.cursor.to_string(),
        pickups: results.pickups.len(),
        lines: made.lines,
        neutralised: made.neutralised,
        substituted: made.substituted,
        cannot: made.cannot,
        unaudited: None,
    };
    Ok(Export { file: report.cannot.is_empty().then_some(made.bytes), report })
}

/// A count with its word: 1 line, 2 lines.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {} ({})", self.line, self.column, printable(&self.name))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, profile, pickups, lines, .. } = self;
        let what = if self.since.is_some() { "changes of" } else { "the whole of" };
        let [pickups, lines] = [counted(*pickups as u64, "pickup"), counted(*lines, "line")];
        writeln!(f, "{what} {day}, written with {}: {pickups} on {lines}", printable(profile))?;
        for Substituted { of, to, at } in &self.substituted {
            let times = counted(at.len() as u64, "time");
            write!(f, "  {} written as {}, {times}:", printable(of), printable(to))?;
            let mut last = None;
            for place in at.iter().take(PLACES_TOLD).filter(|place| last.replace(*place) != Some(*place)) {
                write!(f, " {place};")?;
            }
            writeln!(f, "{}", if at.len() > PLACES_TOLD { " …" } else { "" })?;
        }
        if self.neutralised > 0 {
            let cells = counted(self.neutralised, "cell");
            writeln!(f, "  an apostrophe stands before {cells} that a spreadsheet would take for a formula")?;
        }
        for cannot in &self.cannot {
            writeln!(f, "  {}: the encoding can't hold {}", cannot.place, cannot.named())?;
        }
        if let Some(why) = &self.unaudited {
            writeln!(f, "  not written down in the audit log: {why}")?;
        }
        if self.cannot.is_empty() {
            return write!(f, "  cursor {}", self.cursor);
        }
        let characters = counted(self.cannot.len() as u64, "character");
        write!(
            f,
            "nothing is written: {characters} can't be held; name them in the profile's [substitutes] or [gaiji], or \
             write UTF-8"
        )
    }
}
