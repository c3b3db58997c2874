//! The office's store: one SQLite file in a folder that one process holds.
//!
//! Durable means fsynced: WAL with `synchronous=FULL`. Every start is counted in the store and in a
//! file beside it, so that a store copied back from a backup is recognised; it then draws a new
//! incarnation, by which terminals learn to send again what it has lost.

mod look;
mod read;
pub(crate) mod replace;
pub mod sql;
pub(crate) mod upgrade;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use meguri_proto::{CityId, Incarnation};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use uuid::Uuid;

pub(crate) use look::incarnation;
pub use look::{LookError, look};
pub use read::Readers;

/// The store's file in the data folder.
pub const STORE_FILE: &str = "meguri.db";
/// The file that counts starts beside the store.
pub(crate) const GENERATION_FILE: &str = "generation";
/// The file whose lock says that a process holds the folder.
const LOCK_FILE: &str = "lock";

/// How long a connection waits for another.
pub(crate) const BUSY: Duration = Duration::from_secs(10);
/// Memory that the writing connection keeps pages in, in KiB. With SQLite's own 2 MB every fact would read the pages
/// of its indices from the file again.
const CACHE_KIB: i64 = 48 * 1024;
/// Pages in the write-ahead log (4 KiB each) from which it is to be written from its beginning again. Once the last of
/// them are copied into the store, that is; where [`Checkpoints`] is at work it has the writer do that between commits,
/// else a commit does it itself.
const CHECKPOINT_PAGES: i64 = 16_000;
/// From so many pages a commit of the writer does it all the same, should [`Checkpoints`] have failed.
const TOO_MANY_PAGES: i64 = 4 * CHECKPOINT_PAGES;

/// Only ever added to.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001.sql")),
    M::up(include_str!("migrations/0002.sql")),
    M::up(include_str!("migrations/0003.sql")),
    M::up(include_str!("migrations/0004.sql")),
    M::up(include_str!("migrations/0005.sql")),
    M::up(include_str!("migrations/0006.sql")),
    M::up(include_str!("migrations/0007.sql")),
    M::up(include_str!("migrations/0008.sql")),
    M::up(include_str!("migrations/0009.sql")),
    M::up(include_str!("migrations/0010.sql")),
    M::up(include_str!("migrations/0011.sql")),
    M::up(include_str!("migrations/0012.sql")),
    M::up(include_str!("migrations/0013.sql")),
    M::up(include_str!("migrations/0014.sql")),
    M::up(include_str!("migrations/0015.sql")),
    M::up(include_str!("migrations/0016.sql")),
    M::up(include_str!("migrations/0017.sql")),
];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The schema that this program works with, as the store's `user_version` counts it.
pub(crate) const SCHEMA: i64 = STEPS.len() as i64;

/// The schema of a store.
///
/// # Errors
/// When it can't be read.
pub(crate) fn schema(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whether a store that is only looked at has the tables that this version reads.
///
/// # Errors
/// When it can't be read.
pub(crate) fn is_current(conn: &Connection) -> Result<bool, rusqlite_migration::Error> {
    Ok(MIGRATIONS.pending_migrations(conn)? == 0)
}

/// Brings an empty connection to the tables of this version, for trying something on no store.
///
/// # Errors
/// When the tables can't be made.
pub(crate) fn bring_up(conn: &mut Connection) -> Result<(), rusqlite_migration::Error> {
    MIGRATIONS.to_latest(conn)
}

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder can't be used.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the folder.
    #[error("{} is held by another meguri-gateway; stop that one, or work through it", dir.display())]
    Held {
        /// The folder.
        dir: PathBuf,
    },
    /// The store was written by a newer program.
    #[error(
        "{} was written by a newer meguri-gateway (schema {found}, this one works with {SCHEMA}) and is left as it is; start \
         that version again, or put back a copy from before with `meguri-gateway restore`", path.display()
    )]
    TooNew {
        /// The store's file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// The file is no store, or damaged.
    #[error(
        "{} is damaged or no store at all: {source}; nothing more is written to it. `meguri-gateway doctor --full` says more; \
         `meguri-gateway restore BACKUP --replace` puts the last backup in its place and keeps the damaged one aside. \
         Terminals then send again what the backup lacks, of the last 14 days", path.display()
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file beside the store is no write-ahead log of SQLite.
    #[error(
        "{} is no write-ahead log of SQLite: it may have held what was written last, and SQLite would write over it. The store \
         is left as it is. Move that file out of the folder and start again: terminals send again what the store lacks, of \
         the last 14 days. Or put back a backup with `meguri-gateway restore BACKUP --replace`", path.display()
    )]
    WrongLog {
        /// The log's file.
        path: PathBuf,
    },
    /// There is no room to bring the schema up to date.
    #[error(
        "to bring {} up to date {} must be free beside it, there are {}; nothing was changed. Make room and start again",
        path.display(), crate::room::mib(*needed), crate::room::mib(*free)
    )]
    NoRoom {
        /// The store's file.
        path: PathBuf,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The store belongs to another city.
    #[error("{} is the store of {found}, the plan says {expected}; use another data folder", path.display())]
    OtherCity {
        /// The store's file.
        path: PathBuf,
        /// The city in the store.
        found: String,
        /// The city in the plan.
        expected: CityId,
    },
    /// The schema can't be brought up to date.
    #[error("can't bring {} up to date: {source}", path.display())]
    Migrate {
        /// The store's file.
        path: PathBuf,
        /// What the migration said.
        source: rusqlite_migration::Error,
    },
    /// A statement failed.
    #[error("the store can't {doing}: {source}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The audit log could not be written, so it was not done.
    #[error("not done, since it could not be written down: {source}")]
    Audit {
        /// Why not.
        source: std::sync::Arc<crate::audit::AuditError>,
    },
    /// The office is stopping.
    #[error("the office is stopping")]
    Stopping,
}

/// Copies the write-ahead log into the store while the writer goes on: the writer's own commits would have to wait for
/// the copies' fsync.
#[derive(Debug)]
pub struct Checkpoints {
    conn: Connection,
}

impl Checkpoints {
    /// Copies what is there, without making anybody wait. Says whether the log is long: the writer, between two commits,
    /// is to copy the last of it, which were written meanwhile.
    #[must_use]
    pub fn copy(&self) -> bool {
        let passive =
            || self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
        // A long one a second time, so that few are left.
        let pages = passive().and_then(|pages| if pages < CHECKPOINT_PAGES { Ok(pages) } else { passive() });
        match pages {
            Ok(pages) => pages >= CHECKPOINT_PAGES,
            Err(error) => {
                tracing::debug!(code = ?error.sqlite_error_code(), "the write-ahead log was not copied");
                false
            }
        }
    }
}

impl StoreError {
    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sql { doing, source }
    }

    fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}

/// The open store: the one connection that writes, and the folder's lock.
#[derive(Debug)]
pub struct Store {
    /// The connection that writes.
    pub conn: Connection,
    /// This life of the store.
    pub incarnation: Incarnation,
    /// Whether this start found a copy put back.
    pub restored: bool,
    dir: PathBuf,
    generation: i64,
    // Held until the store is dropped.
    _lock: File,
}

impl Store {
    /// Opens the store of `city` in `dir`, making both where there are none.
    ///
    /// `drawn` is the incarnation taken where the store is new or was copied back.
    ///
    /// # Errors
    /// When the folder can't be used, another process holds it, or the store is damaged, too new or another city's.
    pub fn open(dir: &Path, city: &CityId, now: Timestamp, drawn: Incarnation) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::file("make the folder", dir))?;
        let lock = lock(dir)?;
        if let Some(old) = replace::finish(dir)? {
            tracing::info!(old = %old.display(), "a backup was put back; the store before it is kept aside");
        }
        let path = dir.join(STORE_FILE);
        check_log(&wal(&path))?;
        private(&path).map_err(StoreError::file("make", &path))?;
        let conn = connect(&path, OpenFlags::default())?;
        let mut store = Self {
            conn,
            incarnation: drawn,
            restored: false,
            dir: dir.to_owned(),
            generation: 0,
            _lock: lock,
        };
        store.migrate(&path)?;
        store.begin_life(&path, city, now, drawn)?;
        Ok(store)
    }

    /// What copies the write-ahead log into the store beside this connection.
    ///
    /// # Errors
    /// When the store can't be opened a second time.
    pub fn checkpoints(&self) -> Result<Checkpoints, StoreError> {
        self.conn
            .pragma_update(None, "wal_autocheckpoint", TOO_MANY_PAGES)
            .map_err(StoreError::sql("be set up"))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Checkpoints { conn: connect(&self.dir.join(STORE_FILE), flags)? })
    }

    /// Connections that read beside this one.
    #[must_use]
    pub fn readers(&self, most: usize) -> Readers {
        Readers::new(self.dir.join(STORE_FILE), most)
    }

    /// That this store is damaged, as SQLite said.
    #[must_use]
    pub fn damaged(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Damaged { path: self.dir.join(STORE_FILE), source }
    }

    /// Counts the end of a run, so that a copy made while it ran is recognised when it is put back.
    ///
    /// # Errors
    /// When the store or the file beside it can't be written.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.count()?;
        // Best effort: an unfinished checkpoint is taken up at the next start.
        let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        Ok(())
    }

    /// Draws a new incarnation: a terminal showed that this store is a copy put back.
    ///
    /// Only the caller's commit makes it true; [`Store::renamed`] follows it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn draw_incarnation(tx: &Connection, drawn: Incarnation) -> rusqlite::Result<()> {
        tx.execute("UPDATE office SET incarnation = ?1", [drawn.0.as_bytes().as_slice()])?;
        Ok(())
    }

    /// After the commit of [`Store::draw_incarnation`]: takes the new incarnation over to the file beside the store.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn renamed(&mut self, drawn: Incarnation) -> Result<(), StoreError> {
        self.incarnation = drawn;
        self.write_generation()
    }

    fn migrate(&mut self, path: &Path) -> Result<(), StoreError> {
        use rusqlite_migration::{Error, MigrationDefinitionError::DatabaseTooFarAhead};
        let found = schema(&self.conn).map_err(|source| damaged_or(path, "be read", source))?;
        if (1..SCHEMA).contains(&found) {
            upgrade::keep_copy(&self.conn, &self.dir, found)?;
        }
        if (1..SCHEMA).contains(&found) {
            tracing::info!(
                from = found,
                to = SCHEMA,
                "bringing the store up to date; of a large one it takes minutes"
            );
        }
        // A migration may copy whole tables: what it sorts, and what it would undo, has no room in memory.
        self.conn.pragma_update(None, "temp_store", "FILE").map_err(StoreError::sql("be set up"))?;
        let migrated = MIGRATIONS.to_latest(&mut self.conn);
        self.conn.pragma_update(None, "temp_store", "MEMORY").map_err(StoreError::sql("be set up"))?;
        migrated.map_err(|error| match error {
            Error::MigrationDefinition(DatabaseTooFarAhead) => {
                StoreError::TooNew { path: path.to_owned(), found }
            }
            Error::RusqliteError { err, .. } if is_damage(&err) => {
                StoreError::Damaged { path: path.to_owned(), source: err }
            }
            source => StoreError::Migrate { path: path.to_owned(), source },
        })
    }

    fn begin_life(
        &mut self,
        path: &Path,
        city: &CityId,
        now: Timestamp,
        drawn: Incarnation,
    ) -> Result<(), StoreError> {
        let reading = |source| damaged_or(path, "say whose it is", source);
        let row: Option<(String, Uuid, i64)> = self
            .conn
            .query_row("SELECT city, incarnation, generation FROM office", [], |row| {
                Ok((row.get(0)?, sql::uuid(row, 1)?, row.get(2)?))
            })
            .optional()
            .map_err(reading)?;
        let beside = self.read_generation()?;
        match row {
            Some((found, ..)) if found != city.as_str() => {
                return Err(StoreError::OtherCity { path: path.to_owned(), found, expected: city.clone() });
            }
            Some((_, incarnation, generation)) => {
                self.generation = generation;
                // The store is counted before the file, so a kill between the two leaves it one ahead.
                let same = beside.is_none_or(|(named, counted)| {
                    // Also where a kill came between drawing an incarnation and writing it down.
                    counted == generation || (named == incarnation && counted + 1 == generation)
                });
                self.restored = !same;
                self.incarnation = if same { Incarnation(incarnation) } else { drawn };
            }
            None => {
                // A folder that had a store and lost it is a restored one, too.
                self.restored = beside.is_some();
                let insert = "INSERT INTO office (id, city, incarnation, generation) VALUES (1, ?1, ?2, 0)";
                self.conn
                    .execute(insert, params![city.as_str(), drawn.0.as_bytes().as_slice()])
                    .map_err(StoreError::sql("be made"))?;
            }
        }
        if self.restored {
            // Above whatever the lost life had counted.
            self.generation = self.generation.max(beside.map_or(0, |(_, counted)| counted));
            let tx = self
                .conn
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(StoreError::sql("begin"))?;
            Self::draw_incarnation(&tx, drawn)
                .and_then(|()| {
                    let detail = serde_json::json!({ "by": "generation", "incarnation": drawn });
                    sql::notice(&tx, now, "restored", None, &detail)
                })
                .and_then(|_| tx.commit())
                .map_err(StoreError::sql("draw a new incarnation"))?;
        }
        self.count()
    }

    /// Counts one up, first in the store, then beside it.
    fn count(&mut self) -> Result<(), StoreError> {
        self.generation += 1;
        self.conn
            .execute("UPDATE office SET generation = ?1", [self.generation])
            .map_err(StoreError::sql("count its starts"))?;
        self.write_generation()
    }

    fn read_generation(&self) -> Result<Option<(Uuid, i64)>, StoreError> {
        let path = self.dir.join(GENERATION_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::File { doing: "read", path, source }),
        };
        let read = || {
            let (incarnation, counted) = text.trim().split_once(' ')?;
            Some((incarnation.parse().ok()?, counted.parse().ok()?))
        };
        // Unreadable is not missing: it says that the folder was tampered with.
        read().map(Some).ok_or_else(|| StoreError::File {
            doing: "read",
            path,
            source: io::Error::new(io::ErrorKind::InvalidData, "expected an incarnation and a number"),
        })
    }

    fn write_generation(&self) -> Result<(), StoreError> {
        let path = self.dir.join(GENERATION_FILE);
        let text = format!("{} {}\n", self.incarnation, self.generation);
        write_durably(&path, text.as_bytes(), 0o644).map_err(StoreError::file("write", &path))
    }
}

/// Writes a file so that after a crash it is there whole, or as before: temporary file, fsync, rename, fsync of the folder.
///
/// # Errors
/// What the system said.
pub fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension("new");
    // A left-over of a killed run may have other rights.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Makes the file, for its owner alone, where there is none: it will hold residents' data. SQLite gives
/// its companions the same rights.
fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(drop)
}

/// Holds a data folder for this process, as long as the file is kept.
///
/// # Errors
/// When another process holds it, or the lock can't be opened.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(StoreError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::File { doing: "lock", path, source }),
    }
}

/// The write-ahead log beside a store.
pub(crate) fn wal(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Refuses a write-ahead log that is none. An empty one, and one of zeros, as a power cut leaves it before anything in it
/// was durable, are SQLite's to begin anew.
pub(crate) fn check_log(path: &Path) -> Result<(), StoreError> {
    /// What SQLite's logs begin with, but for the last bit.
    const MAGIC: u32 = 0x377f_0682;
    let mut head = [0; 32];
    match File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            Ok(())
        }
        Err(source) => Err(StoreError::File { doing: "read", path: path.to_owned(), source }),
        Ok(()) => {
            let magic = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            if head == [0; 32] || magic & !1 == MAGIC {
                return Ok(());
            }
            Err(StoreError::WrongLog { path: path.to_owned() })
        }
    }
}

/// Opens a store to look at it, beside whoever writes it.
///
/// # Errors
/// When it can't be opened.
pub(crate) fn read_only(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

pub(crate) fn damaged_or(path: &Path, doing: &'static str, source: rusqlite::Error) -> StoreError {
    if is_damage(&source) {
        return StoreError::Damaged { path: path.to_owned(), source };
    }
    StoreError::Sql { doing, source }
}

/// Sets a connection up as the one that writes: what it commits is flushed to the disk.
///
/// # Errors
/// When SQLite refuses.
pub fn set_up_writing(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // What is erased, or an old body of a list, leaves no bytes behind.
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What a savepoint would undo is kept in memory, too, and not in a temporary file.
    conn.pragma_update(None, "temp_store", "MEMORY")
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let damaged = |source: rusqlite::Error| damaged_or(path, "be opened", source);
    let conn = Connection::open_with_flags(path, flags).map_err(damaged)?;
    let set = || -> rusqlite::Result<()> {
        conn.busy_timeout(BUSY)?;
        conn.set_prepared_statement_cache_capacity(128);
        if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            set_up_writing(&conn)?;
        }
        conn.pragma_update(None, "foreign_keys", true)?;
        // Fails here, not later, where the file is no store.
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    set().map_err(damaged)?;
    Ok(conn)
}

pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn open(dir: &Path, drawn: u128) -> Result<Store, StoreError> {
        let city = "hiroshima".parse().unwrap();
        Store::open(dir, &city, Timestamp::UNIX_EPOCH, Incarnation(Uuid::from_u128(drawn)))
    }

    fn notices(store: &Store) -> i64 {
        let count = "SELECT count(*) FROM notice WHERE kind = 'restored'";
        store.conn.query_row(count, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn keeps_its_incarnation_over_starts_and_kills() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 1).unwrap().close().unwrap();
        // Killed: never closed.
        drop(open(dir.path(), 2).unwrap());
        let store = open(dir.path(), 3).unwrap();
        assert_eq!((store.incarnation.0.as_u128(), store.restored, notices(&store)), (1, false, 0));
        let mode: String = store.conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let synchronous: i64 = store.conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn a_kill_between_store_and_file_is_no_restore() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 1).unwrap();
        store.conn.execute("UPDATE office SET generation = generation + 1", []).unwrap();
        drop(store);
        assert!(!open(dir.path(), 2).unwrap().restored);
    }

    #[test]
    fn recognises_a_copy_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(STORE_FILE);
        let copy = dir.path().join("copy");
        // A copy made while it runs, and put back after it was stopped.
        let store = open(dir.path(), 1).unwrap();
        store.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        fs::copy(&file, &copy).unwrap();
        store.close().unwrap();
        fs::copy(&copy, &file).unwrap();
        let store = open(dir.path(), 2).unwrap();
        assert_eq!((store.incarnation.0.as_u128(), store.restored, notices(&store)), (2, true, 1));
        store.close().unwrap();
        // From then on it is the store.
        assert!(!open(dir.path(), 3).unwrap().restored);
    }

    #[test]
    fn a_lost_store_is_a_restored_one() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 1).unwrap().close().unwrap();
        fs::remove_file(dir.path().join(STORE_FILE)).unwrap();
        let store = open(dir.path(), 2).unwrap();
        assert_eq!((store.incarnation.0.as_u128(), store.restored), (2, true));
    }

    #[test]
    fn one_process_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _held = open(dir.path(), 1).unwrap();
        assert!(matches!(open(dir.path(), 2), Err(StoreError::Held { .. })));
    }

    #[test]
    fn refuses_what_is_not_its_store() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(STORE_FILE), [b'x'; 4096]).unwrap();
        assert!(matches!(open(dir.path(), 1), Err(StoreError::Damaged { .. })));

        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 1).unwrap();
        store.conn.pragma_update(None, "user_version", 99).unwrap();
        drop(store);
        assert!(matches!(open(dir.path(), 1), Err(StoreError::TooNew { .. })));

        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), 1).unwrap());
        let other = Store::open(
            dir.path(),
            &"kure".parse().unwrap(),
            Timestamp::UNIX_EPOCH,
            Incarnation(Uuid::from_u128(1)),
        );
        assert!(matches!(other, Err(StoreError::OtherCity { .. })));
    }

    /// What an older program left is kept beside before it is changed, and can be put back for that program.
    #[test]
    fn what_is_upgraded_is_kept_beside() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(STORE_FILE);
        let older = SCHEMA - 1;
        let mut conn = Connection::open(&file).unwrap();
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        MIGRATIONS.to_version(&mut conn, older as usize).unwrap();
        conn.execute("INSERT INTO contractor VALUES ('c', 'C')", []).unwrap();
        // Killed: what it wrote last is in the log only.
        let log = fs::read(wal(&file)).unwrap();
        let main = fs::read(&file).unwrap();
        drop(conn);
        fs::write(&file, main).unwrap();
        fs::write(wal(&file), log).unwrap();

        let store = open(dir.path(), 1).unwrap();
        assert_eq!(schema(&store.conn).unwrap(), SCHEMA);
        let copy = dir.path().join(format!("before-upgrade-{older:04}-to-{SCHEMA:04}.db"));
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        assert_eq!(schema(&kept).unwrap(), older);
        let count = "SELECT count(*) FROM contractor";
        assert_eq!(kept.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
        let mode: String = kept.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "delete", "one file, whole by itself");
        store.close().unwrap();
        // Going on makes no more of them, and going back is recognised.
        open(dir.path(), 2).unwrap().close().unwrap();
        let copies = fs::read_dir(dir.path())
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with(upgrade::BEFORE));
        assert_eq!(copies.count(), 1);
        fs::copy(&copy, &file).unwrap();
        assert!(open(dir.path(), 3).unwrap().restored);
    }

    #[tokio::test]
    async fn readers_see_commits_and_can_not_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), 1).unwrap();
        let readers = store.readers(2);
        let count = |conn: &Connection| -> rusqlite::Result<i64> {
            conn.query_row("SELECT count(*) FROM contractor", [], |row| row.get(0))
        };
        assert_eq!(readers.with(count).await.unwrap(), 0);
        store.conn.execute("INSERT INTO contractor VALUES ('c', 'C')", []).unwrap();
        assert_eq!(readers.with(count).await.unwrap(), 1);
        let write = readers.with(|conn| conn.execute("DELETE FROM contractor", [])).await;
        assert!(write.is_err());
        assert_eq!(readers.with(count).await.unwrap(), 1);
    }
}
