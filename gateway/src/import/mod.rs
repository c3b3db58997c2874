//! Request files (申込) from a reception system become pickups.
//!
//! A [`Profile`](profile::Profile) says how a file is read; [`plan`] says what it means. The whole file is taken or
//! nothing, the same file twice changes nothing, and where a file of the whole day lacks too much, it is
//! held for a person. Reading and comparing happen beside the writer ([`Prepared::new`]); the writer only
//! writes what differs ([`Prepared::apply`]), after it has looked whether the store is still as it was compared with.

mod apply;
pub mod cli;
mod columns;
mod dates;
mod held;
mod letters;
mod line;
mod plan;
pub mod profile;
mod read;
mod report;
mod stored;
mod table;
mod value;
mod visit;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::direction::printable;
use crate::encoding::{self, Undecodable};
use crate::store::sql;
use crate::touched::Touched;
use apply::{NotApplied, Writing};
use plan::Plan;
use profile::{Profile, ProfileError};
pub use read::FILE_REQUESTS;
use read::Reading;
pub use report::{Column, Counts, LISTED_PROBLEMS, Missing, Newer, Outcome, Problem, Report, Skipped};
use stored::Snapshot;
pub use table::FILE_BYTES;

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
    /// The store failed.
    #[error("the store can't {doing}: {source}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

fn store(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> ImportError {
    move |source| ImportError::Store { doing, source }
}

/// An import that was read and compared with the store, ready to be written.
#[derive(Debug)]
pub struct Prepared {
    task: Task,
}

#[derive(Debug)]
enum Task {
    Take(Box<Take>),
    Drop { id: i64, file: String, profile: String },
}

/// A file to be taken.
#[derive(Debug)]
struct Take {
    file: File,
    profile: Profile,
    reading: Reading,
    plan: Plan,
    /// The imports that there were when the plan was made.
    imports: Imports,
    /// The held import that a person has released.
    released: Option<Released>,
    /// What was taken of its days since it was held.
    newer: Vec<Newer>,
}

/// A held import that a person has released.
#[derive(Debug, Clone, Copy)]
struct Released {
    id: i64,
    /// Whether the person knows of newer files of its days.
    anyway: bool,
}

impl Prepared {
    /// Reads and compares, for which any connection to the store will do.
    ///
    /// # Errors
    /// When the file, its profile or the store can't be read, or there is no such held import.
    pub fn new(conn: &Connection, city: &City, command: Command) -> Result<Self, ImportError> {
        let (file, released) = match command {
            Command::File(file) => (file, None),
            Command::Release { id, anyway } => (held::find(conn, id)?.file, Some(Released { id, anyway })),
            Command::Drop { id } => {
                let held::Held { file, profile } = held::find(conn, id)?;
                return Ok(Self { task: Task::Drop { id, file: file.name, profile } });
            }
        };
        let mut take = Take::read(city, file)?;
        take.released = released;
        take.compare(conn)?;
        Ok(Self { task: Task::Take(Box::new(take)) })
    }

    /// Reads a file and compares it with an empty store, where there is none yet.
    ///
    /// # Errors
    /// When the file or its profile can't be read.
    pub fn without_store(city: &City, file: File) -> Result<Self, ImportError> {
        let mut take = Take::read(city, file)?;
        take.plan = plan::plan(&take.profile, &take.reading, &Snapshot::default());
        Ok(Self { task: Task::Take(Box::new(take)) })
    }

    /// What came of it, or would: of a rejected file and of a dry run this is the end.
    #[must_use]
    pub fn report(&self) -> Report {
        match &self.task {
            Task::Take(take) => take.report(take.outcome(), None),
            Task::Drop { id, file, profile } => dropped(*id, file, profile),
        }
    }

    /// Whether nothing is to be written, whatever the store holds.
    #[must_use]
    pub fn rejected(&self) -> bool {
        self.report().outcome == Outcome::Rejected
    }

    /// Writes it, in the caller's transaction, which is to be undone where this fails.
    ///
    /// # Errors
    /// When the store can't be written, or somebody else has released or dropped the held import.
    pub fn apply(
        self,
        tx: &Connection,
        now: Timestamp,
        touched: &mut Touched,
    ) -> Result<Report, ImportError> {
        match self.task {
            Task::Drop { id, file, profile } => {
                held::settle(tx, now, id, "dropped", None, touched)?;
                Ok(dropped(id, &file, &profile))
            }
            Task::Take(mut take) => {
                if Imports::of(tx)? != take.imports {
                    take.compare(tx)?;
                }
                // Something else than an import may have decided meanwhile; within the transaction nothing else can.
                match take.write_or_undo(tx, now, touched) {
                    Err(Moved::On) => {
                        take.compare(tx)?;
                        take.write_or_undo(tx, now, touched).map_err(Moved::into_error)
                    }
                    done => done.map_err(Moved::into_error),
                }
            }
        }
    }
}

/// Why a plan was not written.
enum Moved {
    /// The store has moved on since the plan was made.
    On,
    Failed(ImportError),
}

impl Moved {
    fn into_error(self) -> ImportError {
        match self {
            Self::Failed(error) => error,
            Self::On => store("take the file, which was compared with it just now")(
                rusqlite::Error::QueryReturnedNoRows,
            ),
        }
    }
}

impl From<ImportError> for Moved {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}

impl Take {
    fn read(city: &City, file: File) -> Result<Self, ImportError> {
        let profile = Profile::parse(&file.profile)?;
        let reading = read::read(&profile, city, file.content.as_bytes(), &file.days)
            .map_err(|problem| ImportError::Unreadable { file: file.name.clone(), problem })?;
        Ok(Self {
            file,
            profile,
            reading,
            plan: Plan::default(),
            imports: Imports::default(),
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
        self.imports = Imports::of(conn)?;
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
        if !self.reading.problems.is_empty() || !self.plan.problems.is_empty() {
            Outcome::Rejected
        } else if !self.plan.missing.is_empty() && self.released.is_none() {
            Outcome::Held
        } else {
            Outcome::Applied
        }
    }

    fn report(&self, outcome: Outcome, import: Option<i64>) -> Report {
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
            import,
            file: self.file.name.clone(),
            profile: self.profile.name.clone(),
            days: self.reading.days.iter().copied().collect(),
            counts: self.plan.counts,
            skipped: self.reading.skipped.clone(),
            missing: self.plan.missing.clone(),
            newer: self.newer.clone(),
            problems,
            more_problems,
        }
    }

    /// Writes the plan, or leaves the transaction as it was.
    fn write_or_undo(&self, tx: &Connection, now: Timestamp, touched: &mut Touched) -> Result<Report, Moved> {
        let doing = "begin to take the file";
        tx.execute_batch("SAVEPOINT import").map_err(store(doing))?;
        let mut noted = Touched::default();
        let done = self.write(tx, now, &mut noted);
        match &done {
            Ok(_) => {
                tx.execute_batch("RELEASE import").map_err(store("end taking the file"))?;
                touched.merge(noted);
            }
            Err(Moved::On) => undo(tx).map_err(store("undo what was taken of the file"))?,
            // The caller undoes the transaction. Where SQLite has done so itself, as on a full disk, undoing fails
            // here, and would hide why.
            Err(Moved::Failed(_)) => drop(undo(tx)),
        }
        done
    }

    fn write(&self, tx: &Connection, now: Timestamp, touched: &mut Touched) -> Result<Report, Moved> {
        match self.outcome() {
            Outcome::Rejected => Ok(self.report(Outcome::Rejected, None)),
            Outcome::Held => {
                let id = self.hold(tx, now, touched)?;
                Ok(self.report(Outcome::Held, Some(id)))
            }
            Outcome::Applied | Outcome::Dropped => {
                let id = match self.released {
                    Some(Released { id, anyway }) => {
                        if let (Some(newer), false) = (self.newer.last(), anyway) {
                            return Err(ImportError::Outdated { id, newer: newer.clone() }.into());
                        }
                        held::settle(tx, now, id, "applied", Some(&self.plan.counts), touched)?;
                        id
                    }
                    None => self.record(tx, now, "applied", None)?,
                };
                let source = self.profile.source.as_str();
                let mut writing = Writing { tx, now, import: id, source, touched };
                writing.apply(&self.plan, &self.reading).map_err(|error| match error {
                    NotApplied::MovedOn => Moved::On,
                    NotApplied::Sql(source) => Moved::Failed(store("take the file")(source)),
                })?;
                Ok(self.report(Outcome::Applied, Some(id)))
            }
        }
    }

    /// Keeps it for a person; once, however often it comes in a row.
    fn hold(&self, tx: &Connection, now: Timestamp, touched: &mut Touched) -> Result<i64, ImportError> {
        let doing = "hold the import";
        let known = "SELECT id FROM import WHERE state = 'held' AND sha256 = ?1 AND profile_text = ?2";
        let known: Option<i64> = tx
            .query_row(known, params![self.sha256(), held::kept_profile(&self.file)], |row| row.get(0))
            .optional()
            .map_err(store(doing))?;
        if let Some(id) = known {
            let newer = held::newer(tx, id, &self.profile.source, &self.days()).map_err(store(doing))?;
            if newer.is_empty() {
                return Ok(id);
            }
            // It has come again since, so it is the newest now.
            held::settle(tx, now, id, "dropped", None, touched)?;
        }
        let why = json!(self.plan.missing).to_string();
        let id = self.record(tx, now, "held", Some(&why))?;
        held::tell(tx, now, id, touched)?;
        Ok(id)
    }

    fn record(
        &self,
        tx: &Connection,
        now: Timestamp,
        state: &str,
        why: Option<&str>,
    ) -> Result<i64, ImportError> {
        let insert =
            "INSERT INTO import (at, file, sha256, profile, state, counts, held_why, content, profile_text, source, days)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let held = why.is_some();
        tx.prepare_cached(insert)
            .and_then(|mut insert| {
                insert.execute(params![
                    sql::ms(now),
                    self.file.name,
                    self.sha256(),
                    self.profile.name,
                    state,
                    json!(self.plan.counts).to_string(),
                    why,
                    held.then_some(self.file.content.as_bytes()),
                    held.then(|| held::kept_profile(&self.file)),
                    self.profile.source,
                    json!(self.days()).to_string(),
                ])
            })
            .map_err(store("record the import"))?;
        Ok(tx.last_insert_rowid())
    }

    fn sha256(&self) -> Vec<u8> {
        Digest::of(self.file.content.as_bytes()).0.to_vec()
    }
}

fn undo(tx: &Connection) -> rusqlite::Result<()> {
    tx.execute_batch("ROLLBACK TO import; RELEASE import")
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
        problems: Vec::new(),
        more_problems: 0,
    }
}

/// What tells that another import was taken meanwhile: a release makes no new one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Imports {
    last: i64,
    applied: i64,
}

impl Imports {
    fn of(conn: &Connection) -> Result<Self, ImportError> {
        let select = "SELECT coalesce(max(id), 0), count(*) FILTER (WHERE state = 'applied') FROM import";
        conn.query_row(select, [], |row| Ok(Self { last: row.get(0)?, applied: row.get(1)? }))
            .map_err(store("look for earlier imports"))
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
