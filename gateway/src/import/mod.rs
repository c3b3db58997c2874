//! Request files (申込) from a reception system become pickups.
//!
//! A [`Profile`](profile::Profile) says how a file is read; [`plan`] says what it means. The whole file is taken or
//! nothing, the same file twice changes nothing, and where a file of the whole day lacks too much, it is
//! held for a person. Reading and comparing happen beside the writer ([`Prepared::new`]); what differs is written
//! in transactions that are short whatever the file's size ([`Taking`]), by a [`Taker`] that has one import at a time.

mod ack;
mod apply;
mod check;
pub mod cli;
mod columns;
mod dates;
mod explain;
mod held;
mod letters;
mod line;
mod plan;
pub mod profile;
mod progress;
mod read;
mod rejects;
mod report;
mod stored;
mod table;
mod taker;
mod taking;
pub(crate) mod value;
mod visit;
pub mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::Digest;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::direction::printable;
use crate::encoding::{self, Undecodable};
use crate::store::{is_damage, sql};
pub use check::{Checked, FileChecked, LineChecked, ValueRead, check};
pub use explain::{Language, Part};
use plan::Plan;
use profile::{Covers, Profile, ProfileError};
pub use progress::{At, Progress, Stage};
pub use read::FILE_REQUESTS;
use read::Reading;
pub use report::{
    Column, Counts, Kept, LISTED_PROBLEMS, Missing, Newer, Outcome, Problem, Rejected, Report, Skipped,
};
use stored::Snapshot;
pub use table::FILE_BYTES;
pub use taker::{Taker, take_here};
pub use taking::{Taking, Turn};

/// What the import is asked to do. Holds residents' data: never to be logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Takes a file.
    File(File),
    /// Takes a held import after all.
    Release {
        /// Its number.
        id: i64,
        /// Also where a newer file of its days was taken.
        #[serde(default)]
        anyway: bool,
    },
    /// Drops a held import and its content.
    Drop {
        /// Its number.
        id: i64,
    },
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "File({} bytes)", file.content.len()),
            Self::Release { id, .. } => write!(f, "Release({id})"),
            Self::Drop { id } => write!(f, "Drop({id})"),
        }
    }
}

/// A request file with its profile.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The file's name, for reports.
    pub name: String,
    /// All of it.
    pub content: String,
    /// The profile's text.
    pub profile: String,
    /// The days that it is the whole of; empty where those that occur in it are.
    #[serde(default)]
    pub days: Vec<Date>,
    /// Takes the good lines although others are rejected.
    #[serde(default)]
    pub accept_good: bool,
    /// It counts as a file of changes, whatever its profile says: nothing is missing that is not in it.
    #[serde(default)]
    pub changes: bool,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({} bytes)", self.content.len())
    }
}

/// Why an import could not be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The profile can't be used.
    #[error("can't use the profile: {0}")]
    Profile(#[from] ProfileError),
    /// The file can't be read.
    #[error("can't read {}: {problem}", printable(file))]
    Unreadable {
        /// The file's name.
        file: String,
        /// What is wrong and where.
        problem: Problem,
    },
    /// No such import is held.
    #[error("import {id} {found}; only held imports are released or dropped")]
    NotHeld {
        /// The number asked for.
        id: i64,
        /// What is known of it.
        found: String,
    },
    /// A newer file was taken meanwhile.
    #[error(
        "import {id} is not released: {newer}; what only the newer file says would be undone. \
         `import release {id} --dry-run` shows what would change; then `import drop {id}`, or \
         `import release {id} --anyway`"
    )]
    Outdated {
        /// The held import.
        id: i64,
        /// The newest of them.
        newer: Newer,
    },
    /// It is decided, and the store failed.
    #[error(
        "import {id} is decided and not through: {source}. It goes on by itself when the gateway can write its store, \
         or with the next import; until then only a part of the file is there"
    )]
    Interrupted {
        /// Its number.
        id: i64,
        /// Why it does not go on.
        source: Box<ImportError>,
    },
    /// The office is stopping.
    #[error("the office is stopping")]
    Stopping,
    /// The store moved on again and again.
    #[error("nothing is taken of the file: what it was compared with changed again and again; try again")]
    Unsettled,
    /// The store failed.
    #[error("the store can't {doing}: {source}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl ImportError {
    /// What SQLite said, where it found the store damaged.
    #[must_use]
    pub fn damage(&self) -> Option<rusqlite::ffi::Error> {
        match self {
            Self::Store { source, .. } if is_damage(source) => source.sqlite_error().copied(),
            Self::Interrupted { source, .. } => source.damage(),
            _ => None,
        }
    }
}

fn store(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> ImportError {
    move |source| ImportError::Store { doing, source }
}

/// An import that was read and compared with the store, ready to be written.
#[derive(Debug)]
pub struct Prepared {
    /// As it was asked for, so that it can be prepared anew.
    command: Arc<Command>,
    report: Report,
    task: Task,
}

#[derive(Debug)]
enum Task {
    /// Nothing is to be written: the file is rejected.
    Nothing,
    Take(Box<Switch>),
    Hold(Box<Hold>),
    Drop {
        id: i64,
    },
}

/// A file to be taken.
#[derive(Debug)]
struct Switch {
    base: Base,
    record: Record,
    rows: Vec<taking::Row>,
    /// The held import that a person has released.
    released: Option<Released>,
    /// What was taken of its days since it was held.
    newer: Vec<Newer>,
    /// Pickups that it names and whose residents' data stays erased.
    erased: u64,
}

/// A file to be held.
#[derive(Debug)]
struct Hold {
    base: Base,
    record: Record,
    /// The days on which too much is missing.
    why: Vec<Missing>,
    profile_text: String,
}

/// What the store keeps of an import.
#[derive(Debug)]
struct Record {
    file: String,
    sha256: Digest,
    profile: String,
    source: String,
    days: BTreeSet<Date>,
    counts: Counts,
}

/// A held import that a person has released.
#[derive(Debug, Clone, Copy)]
struct Released {
    id: i64,
    /// Whether the person knows of newer files of its days.
    anyway: bool,
}

/// A file that was read, and what it means.
struct Take<'a> {
    file: &'a File,
    profile: Profile,
    reading: Reading,
    plan: Plan,
    base: Base,
    released: Option<Released>,
    newer: Vec<Newer>,
}

impl Prepared {
    /// Reads and compares, for which any connection to the store will do, in a transaction of its own or where nobody
    /// else writes.
    ///
    /// # Errors
    /// When the file, its profile or the store can't be read, or there is no such held import.
    pub fn new(
        conn: &Connection,
        city: &City,
        command: Arc<Command>,
        progress: &Progress,
    ) -> Result<Self, ImportError> {
        let held;
        let (file, released) = match &*command {
            Command::File(file) => (file, None),
            Command::Release { id, anyway } => {
                held = held::find(conn, *id)?.file;
                (&held, Some(Released { id: *id, anyway: *anyway }))
            }
            Command::Drop { id } => {
                let held::Held { file, profile } = held::find(conn, *id)?;
                let report = dropped(*id, &file.name, &profile);
                return Ok(Self { task: Task::Drop { id: *id }, report, command });
            }
        };
        let mut take = Take::read(city, file, progress)?;
        take.released = released;
        progress.begin(Stage::Comparing, 0);
        take.compare(conn)?;
        let (report, task) = take.task();
        Ok(Self { task, report, command })
    }

    /// Reads a file and compares it with an empty store, where there is none yet.
    ///
    /// # Errors
    /// When the file or its profile can't be read.
    pub fn without_store(city: &City, file: File, progress: &Progress) -> Result<Self, ImportError> {
        let command = Arc::new(Command::File(file));
        let Command::File(file) = &*command else { return Err(ImportError::Unsettled) };
        let mut take = Take::read(city, file, progress)?;
        take.plan = plan::plan(&take.profile, &take.reading, &Snapshot::default());
        let (report, task) = take.task();
        Ok(Self { task, report, command })
    }

    /// What came of it, or would: of a rejected file and of a dry run this is the end.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether nothing is to be written, whatever the store holds.
    #[must_use]
    pub fn rejected(&self) -> bool {
        matches!(self.task, Task::Nothing)
    }

    /// The file's bytes, where it came with the command.
    fn content(&self) -> &[u8] {
        match &*self.command {
            Command::File(file) => file.content.as_bytes(),
            Command::Release { .. } | Command::Drop { .. } => &[],
        }
    }
}

impl Switch {
    /// Whether a person who releases it knows of what was taken since.
    fn may_be_taken(&self) -> Result<(), ImportError> {
        match (self.released, self.newer.last()) {
            (Some(Released { id, anyway: false }), Some(newer)) => {
                Err(ImportError::Outdated { id, newer: newer.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Hold {
    /// The import under which the same file is held already, where nothing newer came since.
    fn known(&self, conn: &Connection) -> Result<Option<i64>, ImportError> {
        let doing = "look for the held import";
        let Some(id) = held::same(conn, &self.record, &self.profile_text).map_err(store(doing))? else {
            return Ok(None);
        };
        let newer = held::newer(conn, id, &self.record.source, &self.record.days).map_err(store(doing))?;
        Ok(newer.is_empty().then_some(id))
    }
}

impl<'a> Take<'a> {
    fn read(city: &City, file: &'a File, progress: &Progress) -> Result<Self, ImportError> {
        let mut profile = Profile::parse(&file.profile)?;
        if file.changes {
            profile.covers = Covers::Changes;
        }
        let reading = read::read(&profile, city, file.content.as_bytes(), &file.days, progress)
            .map_err(|problem| ImportError::Unreadable { file: file.name.clone(), problem })?;
        Ok(Self {
            file,
            profile,
            reading,
            plan: Plan::default(),
            base: Base::default(),
            released: None,
            newer: Vec::new(),
        })
    }

    /// The days that it is the whole of or has requests for.
    fn days(&self) -> BTreeSet<Date> {
        let named = self.reading.requests.iter().map(|request| request.visit.date);
        named.chain(self.reading.days.iter().copied()).collect()
    }

    fn compare(&mut self, conn: &Connection) -> Result<(), ImportError> {
        self.base = Base::of(conn)?;
        let keys = self.reading.requests.iter().map(|request| request.key.as_str());
        let rounds: BTreeSet<_> = self.reading.requests.iter().map(|request| request.visit.round()).collect();
        let snapshot = stored::load(conn, &self.profile.source, keys, &self.reading.days, rounds)
            .map_err(store("look for the file's requests"))?;
        self.plan = plan::plan(&self.profile, &self.reading, &snapshot);
        if let Some(Released { id, .. }) = self.released {
            self.newer = held::newer(conn, id, &self.profile.source, &self.days())
                .map_err(store("look for newer files"))?;
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let good =
            self.reading.problems.is_empty() || (self.file.accept_good && !self.reading.requests.is_empty());
        if !good || !self.plan.problems.is_empty() {
            Outcome::Rejected
        } else if !self.plan.missing.is_empty() && self.released.is_none() {
            Outcome::Held
        } else {
            Outcome::Applied
        }
    }

    fn task(mut self) -> (Report, Task) {
        let outcome = self.outcome();
        let report = self.report(outcome);
        let task = match outcome {
            Outcome::Rejected | Outcome::Dropped => Task::Nothing,
            Outcome::Held => {
                let why = self.plan.missing.clone();
                let profile_text = held::kept_profile(self.file);
                Task::Hold(Box::new(Hold { base: self.base, record: self.record(), why, profile_text }))
            }
            Outcome::Applied => {
                let record = self.record();
                let rows = taking::rows(std::mem::take(&mut self.plan.steps), &mut self.reading.requests);
                let (base, released) = (self.base, self.released);
                let (newer, erased) = (self.newer, self.plan.erased);
                Task::Take(Box::new(Switch { base, record, rows, released, newer, erased }))
            }
        };
        (report, task)
    }

    fn record(&self) -> Record {
        Record {
            file: self.file.name.clone(),
            sha256: Digest::of(self.file.content.as_bytes()),
            profile: self.profile.name.clone(),
            source: self.profile.source.clone(),
            days: self.days(),
            counts: self.plan.counts,
        }
    }

    /// What is left out of a file whose good lines are taken.
    fn rejected(&self, outcome: Outcome) -> Option<Rejected> {
        let rejected = &self.reading.rejected;
        if !self.file.accept_good || outcome == Outcome::Rejected || rejected.lines == 0 {
            return None;
        }
        Some(Rejected {
            lines: rejected.lines,
            header: rejected.header,
            places: rejected.places.clone(),
            kept: self.plan.kept.iter().map(|(&date, &pickups)| Kept { date, pickups }).collect(),
            file: None,
        })
    }

    fn report(&self, outcome: Outcome) -> Report {
        let mut problems = self.reading.problems.kept.clone();
        let mut more_problems = self.reading.problems.more;
        for problem in &self.plan.problems {
            if problems.len() < LISTED_PROBLEMS {
                problems.push(problem.clone());
            } else {
                more_problems += 1;
            }
        }
        Report {
            outcome,
            dry_run: false,
            import: None,
            file: self.file.name.clone(),
            profile: self.profile.name.clone(),
            days: self.reading.days.iter().copied().collect(),
            counts: self.plan.counts,
            skipped: self.reading.skipped.clone(),
            missing: self.plan.missing.clone(),
            newer: self.newer.clone(),
            rejected: self.rejected(outcome),
            problems,
            more_problems,
        }
    }
}

impl Record {
    /// Writes the import down and says its number. What is held is kept under a number, and why.
    fn write(
        &self,
        tx: &Connection,
        now: Timestamp,
        state: &str,
        kept: Option<(i64, &str)>,
        why: Option<&str>,
    ) -> Result<i64, ImportError> {
        let insert =
            "INSERT INTO import (at, file, sha256, profile, state, counts, held_why, kept, profile_text, source, days)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let (kept, profile_text) = kept.unzip();
        tx.prepare_cached(insert)
            .and_then(|mut insert| {
                insert.execute(params![
                    sql::ms(now),
                    self.file,
                    self.sha256.0.as_slice(),
                    self.profile,
                    state,
                    json!(self.counts).to_string(),
                    why,
                    kept,
                    profile_text,
                    self.source,
                    json!(self.days).to_string(),
                ])
            })
            .map_err(store("record the import"))?;
        Ok(tx.last_insert_rowid())
    }
}

fn dropped(id: i64, file: &str, profile: &str) -> Report {
    Report {
        outcome: Outcome::Dropped,
        dry_run: false,
        import: Some(id),
        file: file.to_owned(),
        profile: profile.to_owned(),
        days: Vec::new(),
        counts: Counts::default(),
        skipped: Vec::new(),
        missing: Vec::new(),
        newer: Vec::new(),
        rejected: None,
        problems: Vec::new(),
        more_problems: 0,
    }
}

/// What tells whether the store is still as a file was compared with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Base {
    /// The last import, and how many are taken: a release makes no new one.
    last: i64,
    applied: i64,
    /// The last row of history. What the field says since does not matter; what the office decides does.
    history: i64,
}

impl Base {
    fn of(conn: &Connection) -> Result<Self, ImportError> {
        let select = "SELECT coalesce(max(id), 0), count(*) FILTER (WHERE state = 'applied'),
            (SELECT coalesce(max(id), 0) FROM history) FROM import";
        conn.query_row(select, [], |row| {
            Ok(Self { last: row.get(0)?, applied: row.get(1)?, history: row.get(2)? })
        })
        .map_err(store("look for earlier imports"))
    }

    fn has_moved(self, conn: &Connection) -> Result<bool, ImportError> {
        let now = Self::of(conn)?;
        if (now.last, now.applied) != (self.last, self.applied) {
            return Ok(true);
        }
        let decided = "SELECT EXISTS (SELECT 1 FROM history WHERE id > ?1 AND fact IS NULL)";
        conn.query_row(decided, [self.history], |row| row.get(0)).map_err(store("look for decisions"))
    }
}

/// A file's bytes as the text that all else works on, in the encoding that the profile names.
///
/// # Errors
/// When the profile can't be used, or the file is too large, of another kind or encoding, or damaged.
pub fn text(file: &str, profile: &str, content: Vec<u8>) -> Result<String, ImportError> {
    let profile = Profile::parse(profile)?;
    let unreadable = |problem| ImportError::Unreadable { file: file.to_owned(), problem };
    if content.len() > FILE_BYTES {
        return Err(unreadable(table::too_large()));
    }
    encoding::decode(content, profile.encoding).map_err(|Undecodable { at, problem }| {
        unreadable(match at {
            Some((line, byte)) => Problem::at(line, None, format!("byte {byte}: {problem}")),
            None => Problem::of_file(problem),
        })
    })
}

#[cfg(test)]
mod tests;
