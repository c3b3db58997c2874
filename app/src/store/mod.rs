//! The terminal's store: one SQLite file, written in whole transactions that are on the disk when they
//! are reported.
//!
//! A process killed at any instant leaves a store that opens as it was after some commit. A file that is
//! damaged, another program's or another terminal's is refused and never treated as absent: what it holds may be
//! the only copy of a day's work. Only a [`repair`] that somebody asks for goes on without what can't be read.

mod load;
mod repair;
mod sql;
mod write;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use meguri_core::kept::{Contents, Kept, KeptConfig, Op, Rechained};
use meguri_core::sign_in::Opened;
use meguri_core::{Trouble, TroubleKind};
use meguri_proto::crew::PinKey;
use meguri_proto::{
    CityId, CrewId, Digest, DocumentName, Entry, Epoch, FactId, LogKind, LogPublish, Member, Message,
    TerminalId,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};
use serde_json::value::RawValue;
use uuid::Uuid;

use self::sql::{Number, digest, id, number};
use crate::cut;
use crate::vault::{Vault, VaultError};

pub use self::repair::{LogRepaired, Repaired, SET_ASIDE, repair, report};

const FILE: &str = "terminal.db";
const LOCK: &str = "terminal.lock";
const APPLICATION: i64 = 0x4D47_5254;
/// How many migrations there are.
const VERSION: i64 = 4;

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be made or written.
    #[error("can't use the data folder {}: {source}", path.display())]
    Folder {
        /// The folder or a file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in {} is open in another program; stop that one first", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not a terminal's store.
    #[error("{} is not a terminal's store; give another data folder or move that file away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The store belongs to another terminal.
    #[error("the store {} belongs to terminal {found}; give terminal {expected} a data folder of its own", path.display())]
    OtherTerminal {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it was expected to be.
        expected: String,
    },
    /// A newer program has written it.
    #[error("the store {} was written by a newer version of this program; install that one again", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("the store {} is damaged ({problem}); keep the file, it may hold work not yet sent. `repair` goes on with what can be read of it, and keeps the rest", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// An entry is not as it was written.
    #[error("entry {seq} of the {log} log is damaged on the disk")]
    DamagedEntry {
        /// Of which log.
        log: LogKind,
        /// Its number.
        seq: u64,
    },
    /// Entries are too large for a publish.
    #[error("entries {first} to {last} of the {log} log can't be packed: {source}")]
    Pack {
        /// Of which log.
        log: LogKind,
        /// First number.
        first: u64,
        /// Last number.
        last: u64,
        /// Which limit is passed.
        source: meguri_proto::WireError,
    },
    /// A key can't be used or made.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// SQLite could not do something.
    #[error("can't {doing}: {source}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// An open store. Dropping it closes and unlocks it.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    vault: Vault,
    path: PathBuf,
    /// The configurations, by which it goes what may be kept.
    config: KeptConfig,
    /// Something that is to be destroyed may still be there.
    untidy: bool,
    /// Held for as long as the store is open.
    _lock: File,
    /// Entries that were packed without their notes, which are damaged.
    lost_notes: RefCell<Vec<(LogKind, u64)>>,
}

fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sql { doing, source }
}

impl Store {
    /// Opens the store in `folder`, which is made where there is none, and reads what it keeps. `secret` is where the
    /// device's secret lies, if not in the folder.
    ///
    /// # Errors
    /// When the folder can't be used, another process has the store open, the file is damaged, of a newer
    /// program, another program's or another terminal's, or the device's secret can't be read.
    pub fn open(
        folder: &Path,
        city: &CityId,
        terminal: &TerminalId,
        secret: Option<&Path>,
    ) -> Result<(Self, Kept), StoreError> {
        let lock = lock(folder)?;
        repair::finish(folder)?;
        let path = folder.join(FILE);
        let mut connection = connect(&path)?;
        migrate(&mut connection, &path)?;
        let vault = Vault::open(folder, secret)?;
        // The names of file and keys must outlive a power cut as their contents do.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        let mut store = Self::new(connection, vault, path, lock);
        store.own(city, terminal)?;
        store.seal_what_is_plain()?;
        store.config = store.load_config()?;
        store.arrange()?;
        // Also what a start that was cut off here, or a cut after a switchover, has left.
        store.tidy()?;
        let kept = store.load()?;
        Ok((store, kept))
    }

    fn new(connection: Connection, vault: Vault, path: PathBuf, lock: File) -> Self {
        let (config, untidy, lost_notes) = (KeptConfig::default(), false, RefCell::default());
        Self { connection, vault, path, config, untidy, _lock: lock, lost_notes }
    }

    /// Does all of `ops` in one transaction. When this returns it is on the disk.
    ///
    /// # Errors
    /// When it could not be written; then nothing of it was.
    pub fn commit(&mut self, ops: &[Op]) -> Result<Rechained, StoreError> {
        // First the keys, then the word that it is done.
        if ops.iter().any(|op| matches!(op, Op::Erase { .. })) {
            self.destroy()?;
        }
        let transaction = self.connection.transaction().map_err(failed("begin to write"))?;
        let mut rechained = Vec::new();
        for op in ops {
            write::apply(&transaction, &mut self.vault, op, &mut rechained)?;
        }
        if ops.iter().any(|op| matches!(op, Op::Acked { .. } | Op::Config(_))) {
            let config = ops.iter().rev().find_map(|op| match op {
                Op::Config(config) => Some(&**config),
                _ => None,
            });
            let config = config.unwrap_or(&self.config);
            self.untidy |= write::drop_former(&transaction, &self.vault, config)?;
        }
        cut::here().map_err(cut_at(&self.path))?;
        transaction.commit().map_err(failed("write to the disk"))?;
        cut::after().map_err(cut_at(&self.path))?;
        for op in ops {
            match op {
                // Where this is cut off, the next start does it.
                Op::Document { name: DocumentName::Crew, .. } => {
                    let members = self.crew();
                    if let Err(error) = members.and_then(|members| Ok(self.vault.set_members(&members)?)) {
                        tracing::error!(%error, "the keys of the lists are not sealed to the new crew yet");
                    }
                }
                Op::Document { name: DocumentName::CrewOf { .. }, .. } => {
                    let coming = self.coming();
                    if let Err(error) = coming.and_then(|coming| Ok(self.vault.set_coming(coming)?)) {
                        tracing::error!(%error, "the keys of coming lists are not sealed to their crew yet");
                    }
                }
                Op::Config(config) => {
                    let before = std::mem::replace(&mut self.config, KeptConfig::clone(config));
                    self.untidy = true;
                    let another = before.contract.is_some() && before.contract != self.config.contract;
                    let arranged = if another {
                        self.arrange()
                    } else {
                        self.coming().and_then(|coming| Ok(self.vault.set_coming(coming)?))
                    };
                    if let Err(error) = arranged {
                        tracing::error!(%error, "the keys of the lists are not sealed to the new crew yet");
                    }
                }
                // What was written before it should not stay in the log beside the file; its keys are gone in any case.
                Op::Erase { .. } => {
                    if let Err(error) = self.empty_log() {
                        tracing::error!(%error, "what is erased may stay in the file's log for a while");
                    }
                    // The contracts to come are what they were, once the terminal is found.
                    if let Err(error) = self.arrange() {
                        tracing::error!(%error, "the keys can't be set up anew; the next start does");
                    }
                }
                _ => {}
            }
        }
        if self.untidy
            && let Err(error) = self.tidy()
        {
            tracing::error!(%error, "what a contract has left is not destroyed yet; it is tried again");
        }
        Ok(rechained)
    }

    /// Has the keys sealed to whoever may sign in now, and to those who may once another contract comes.
    fn arrange(&mut self) -> Result<(), StoreError> {
        let (members, coming) = (self.known_crew()?, self.coming()?);
        let config = self.config.clone();
        let over = |contract: &str| contract.parse().is_ok_and(|contract| !config.keeps(&contract));
        Ok(self.vault.begin(members.as_deref(), coming, over)?)
    }

    /// The contracts to come, with their crews as far as they are known.
    fn coming(&self) -> Result<BTreeMap<String, Vec<Member>>, StoreError> {
        let documents = self.load_documents()?;
        let coming = self.config.coming().iter().map(|next| &next.contract);
        let coming = coming.filter(|contract| self.config.is_coming(contract)).map(|contract| {
            let name = DocumentName::CrewOf { contract: contract.clone() };
            let members = match documents.get(&name).map(|held| &held.contents) {
                Some(Contents::Crew(list)) => list.members.clone(),
                _ => Vec::new(),
            };
            (contract.to_string(), members)
        });
        Ok(coming.collect())
    }

    /// Destroys the keys that nothing is sealed with any more, and empties the log beside the file.
    fn tidy(&mut self) -> Result<(), StoreError> {
        self.untidy = true;
        let transaction = self.connection.transaction().map_err(failed("delete what a contract has left"))?;
        write::drop_former(&transaction, &self.vault, &self.config)?;
        cut::here().map_err(cut_at(&self.path))?;
        transaction.commit().map_err(failed("delete what a contract has left"))?;
        let mut used = self.keys_in_use()?;
        if self.path.with_file_name(SET_ASIDE).exists() {
            // They may open a store that was set aside. Nobody has any business with that of a contract that is over.
            let config = &self.config;
            let keeps = |contract: &str| contract.parse().map_or(true, |contract| config.keeps(&contract));
            used.extend(self.vault.keys_of(keeps));
        }
        self.vault.keep_only(&used)?;
        self.empty_log()?;
        self.untidy = false;
        Ok(())
    }

    /// Opens with what a right PIN led to all that is sealed to this member, and reads it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn unseal(&mut self, member: &CrewId, pin: &PinKey) -> Result<Opened, StoreError> {
        if let Err(error) = self.vault.unseal(member, pin) {
            // What is open is read all the same: a full disk keeps nobody from looking at the list.
            tracing::error!(%error, "the keys of the lists are not sealed to the whole crew yet");
        }
        self.opened()
    }

    /// The keys that anything in the store is sealed with.
    fn keys_in_use(&self) -> Result<BTreeSet<Uuid>, StoreError> {
        let doing = failed("read which keys are in use");
        let select = "SELECT substr(sealed, 1, 28) FROM document WHERE sealed IS NOT NULL
            UNION SELECT substr(sealed, 1, 28) FROM note WHERE sealed IS NOT NULL";
        let mut statement = self.connection.prepare(select).map_err(&doing)?;
        let heads = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).map_err(&doing)?;
        let mut keys = BTreeSet::new();
        for head in heads {
            keys.extend(Vault::key_of(&head.map_err(&doing)?));
        }
        Ok(keys)
    }

    /// Who may sign in.
    fn crew(&self) -> Result<Vec<Member>, StoreError> {
        Ok(self.known_crew()?.unwrap_or_default())
    }

    /// The same; none where no list of crews is held, or a damaged one.
    fn known_crew(&self) -> Result<Option<Vec<Member>>, StoreError> {
        let documents = self.load_documents()?;
        Ok(match documents.get(&DocumentName::Crew).map(|held| &held.contents) {
            Some(Contents::Crew(list)) => Some(list.members.clone()),
            Some(Contents::Lapsed) => Some(Vec::new()),
            _ => None,
        })
    }

    /// Destroys the keys of all that the store ever sealed, and stores that were set aside.
    fn destroy(&mut self) -> Result<(), StoreError> {
        self.vault.destroy_all()?;
        let set_aside = self.path.with_file_name(SET_ASIDE);
        match std::fs::remove_dir_all(&set_aside) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| StoreError::Folder { path: set_aside, source }),
        }
    }

    /// Seals what a store of an earlier version holds in plain.
    fn seal_what_is_plain(&mut self) -> Result<(), StoreError> {
        let doing = failed("seal what stands in plain");
        let transaction = self.connection.transaction().map_err(&doing)?;
        let sealed = write::seal_plain(&transaction, &mut self.vault)?;
        transaction.commit().map_err(&doing)?;
        if sealed {
            tracing::info!("lists and notes that stood in plain are sealed");
        }
        // Also where an earlier start was cut off here.
        self.empty_log()
    }

    /// Empties the write-ahead log, where what is deleted may stand.
    fn empty_log(&self) -> Result<(), StoreError> {
        cut::here().map_err(cut_at(&self.path))?;
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(truncate, [], |_| Ok(())).map_err(failed("empty the write-ahead log"))
    }

    /// The entries `first..=last` packed for sending; none where the log has moved to another epoch since.
    ///
    /// # Errors
    /// When they can't be read, or are not as they were written.
    pub fn pack(
        &self,
        log: LogKind,
        epoch: Epoch,
        first: u64,
        last: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let reading = failed("read entries");
        let kept = self
            .connection
            .query_row("SELECT epoch, first, before FROM log WHERE kind = ?1", [log.as_str()], |row| {
                Ok((Epoch(id(row, 0)?), number(row, 1)?, digest(row, 2)?))
            })
            .optional()
            .map_err(&reading)?;
        let Some((_, kept_first, before)) = kept.filter(|(kept, ..)| *kept == epoch) else {
            return Ok(None);
        };
        let mut chain = match first.checked_sub(1) {
            Some(previous) if previous >= kept_first => self
                .connection
                .query_row(
                    "SELECT digest FROM entry WHERE log = ?1 AND seq = ?2",
                    params![log.as_str(), Number(previous)],
                    |row| digest(row, 0),
                )
                .map_err(&reading)?,
            _ => before,
        };
        let mut entries = Vec::new();
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT seq, id, digest, body FROM entry WHERE log = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
            )
            .map_err(&reading)?;
        let mut rows =
            statement.query(params![log.as_str(), Number(first), Number(last)]).map_err(&reading)?;
        for seq in first..=last {
            let damaged = || StoreError::DamagedEntry { log, seq };
            let row = rows.next().map_err(&reading)?.ok_or_else(damaged)?;
            let body: String = row.get(3).map_err(|_| damaged())?;
            chain = chain.then(body.as_bytes());
            let found = (number(row, 0).map_err(&reading)?, digest(row, 2).map_err(&reading)?);
            if found != (seq, chain) {
                return Err(damaged());
            }
            let id = FactId(id(row, 1).map_err(&reading)?);
            let body = RawValue::from_string(body).map_err(|_| damaged())?;
            entries.push(Entry { seq, id, digest: chain, body });
        }
        let notes = self.notes(log, first, last)?;
        let publish = LogPublish { v: LogPublish::VERSION, epoch, entries, notes };
        publish.encode().map(Some).map_err(|source| StoreError::Pack { log, first, last, source })
    }

    /// The texts of the notes. One that is not as it was written is left out: the entry that names it goes without
    /// it, rather than none ever again.
    fn notes(&self, log: LogKind, first: u64, last: u64) -> Result<BTreeMap<Digest, String>, StoreError> {
        let reading = failed("read notes");
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, digest, sealed FROM note WHERE log = ?1 AND seq BETWEEN ?2 AND ?3")
            .map_err(&reading)?;
        let mut rows =
            statement.query(params![log.as_str(), Number(first), Number(last)]).map_err(&reading)?;
        let mut notes = BTreeMap::new();
        while let Some(row) = rows.next().map_err(&reading)? {
            let seq = number(row, 0).map_err(&reading)?;
            match (digest(row, 1), self.note(row, 1)) {
                (Ok(digest), Some(text)) => {
                    notes.insert(digest, text);
                }
                _ => self.lost_notes.borrow_mut().push((log, seq)),
            }
        }
        Ok(notes)
    }

    /// Which entries were packed without their notes since this was last asked: the notes are damaged.
    pub fn take_lost_notes(&mut self) -> Vec<(LogKind, u64)> {
        std::mem::take(self.lost_notes.get_mut())
    }

    /// What an error of this store means for the crew.
    #[must_use]
    pub fn trouble(&self, error: &StoreError) -> Trouble {
        Trouble::new(error.kind(&self.path), error.to_string())
    }

    /// Bytes free where the store lies, where the system says.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        let space = rustix::fs::statvfs(&self.path).ok()?;
        space.f_bavail.checked_mul(space.f_frsize)
    }

    /// Checks whose store it is; a new one becomes this terminal's.
    fn own(&self, city: &CityId, terminal: &TerminalId) -> Result<(), StoreError> {
        let expected = format!("{city}/{terminal}");
        let found: Option<String> = self
            .connection
            .query_row("SELECT city || '/' || terminal FROM terminal WHERE id = 1", [], |row| row.get(0))
            .optional()
            .map_err(failed("read whose store this is"))?;
        match found {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(StoreError::OtherTerminal { path: self.path.clone(), found, expected }),
            None => self
                .connection
                .execute(
                    "INSERT INTO terminal (id, city, terminal) VALUES (1, ?1, ?2)",
                    [city.as_str(), terminal.as_str()],
                )
                .map(drop)
                .map_err(failed("write whose store this is")),
        }
    }
}

impl StoreError {
    /// Whether the file itself is damaged, so that a [`repair`] may help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Damaged { .. } | Self::DamagedEntry { .. } => true,
            Self::Sql { source, .. } => match source {
                rusqlite::Error::SqliteFailure(error, _) => {
                    matches!(error.code, DatabaseCorrupt | NotADatabase)
                }
                // A value that is not what was written there, or a row that is gone.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::QueryReturnedNoRows => true,
                _ => false,
            },
            _ => false,
        }
    }

    /// Which kind of trouble it is for a store at `path`.
    #[must_use]
    pub fn kind(&self, path: &Path) -> TroubleKind {
        use rusqlite::ErrorCode::{DiskFull, ReadOnly};
        let read_only = || {
            let mounted = rustix::fs::statvfs(path);
            mounted.is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
        };
        match self {
            Self::Sql { source, .. } => match source.sqlite_error_code() {
                Some(DiskFull) => TroubleKind::DiskFull,
                Some(ReadOnly) => TroubleKind::ReadOnly,
                _ if read_only() => TroubleKind::ReadOnly,
                _ => TroubleKind::Write,
            },
            Self::Folder { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull => TroubleKind::DiskFull,
                std::io::ErrorKind::ReadOnlyFilesystem => TroubleKind::ReadOnly,
                _ => TroubleKind::Write,
            },
            Self::Vault(VaultError::File { source, .. }) => match source.kind() {
                std::io::ErrorKind::StorageFull => TroubleKind::DiskFull,
                std::io::ErrorKind::ReadOnlyFilesystem => TroubleKind::ReadOnly,
                _ => TroubleKind::Write,
            },
            Self::DamagedEntry { .. } | Self::Pack { .. } => TroubleKind::Unsendable,
            _ => TroubleKind::Write,
        }
    }
}

/// Where a test cuts.
fn cut_at(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Folder { path, source }
}

/// Locks the store in `folder`, which is made where there is none, for this process.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let folder_error = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Folder { path, source }
    };
    make_folder(folder).map_err(folder_error(folder))?;
    let path = folder.join(LOCK);
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(folder_error(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Open { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(folder_error(&path)(source)),
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    // Residents' data lies in it: for this user alone.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed("open the store"))?;
    let check = || -> rusqlite::Result<(i64, i64, i64, String)> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let sound = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables, sound))
    };
    let path = path.to_owned();
    let (application, version, tables, sound) = match check() {
        Ok(found) => found,
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::NotADatabase => {
            return Err(StoreError::Damaged { path, problem: "it is no database".to_owned() });
        }
        Err(source) => return Err(StoreError::Damaged { path, problem: source.to_string() }),
    };
    if sound != "ok" {
        return Err(StoreError::Damaged { path, problem: sound });
    }
    // A process killed before its first commit leaves a file with nothing in it.
    let new = (application, version, tables) == (0, 0, 0);
    if application != APPLICATION && !new {
        return Err(StoreError::Foreign { path });
    }
    let setting = failed("set the store up");
    // A copy that is being made of the file must not cost a record.
    connection.busy_timeout(Duration::from_secs(20)).map_err(&setting)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(&setting)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(&setting)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(&setting)?;
    // What is deleted was residents' data.
    connection.pragma_update(None, "secure_delete", true).map_err(&setting)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    use rusqlite_migration::{Error, MigrationDefinitionError};
    let migrations = Migrations::from_iter([
        M::up(include_str!("migrations/0001.sql")),
        M::up(include_str!("migrations/0002.sql")),
        M::up(include_str!("migrations/0003.sql")),
        M::up(include_str!("migrations/0004.sql")),
    ]);
    match migrations.to_latest(connection) {
        Ok(()) => Ok(()),
        Err(Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead)) => {
            Err(StoreError::Newer { path: path.to_owned() })
        }
        Err(Error::RusqliteError { err: source, .. }) => {
            Err(StoreError::Sql { doing: "bring the store up to date", source })
        }
        Err(other) => Err(StoreError::Damaged { path: path.to_owned(), problem: other.to_string() }),
    }
}

#[cfg(test)]
mod cuts;
#[cfg(test)]
#[path = "../../core/tests/signed/mod.rs"]
mod signed;
#[cfg(test)]
mod tests;
