//! Backups: a folder with a copy of the store as of one moment, the plan, the settings, the audit log and the authority of
//! terminals, and what is needed to check it.
//!
//! Made beside a running gateway or without one. The copy is read in one read transaction, which holds up no
//! writer: what is written meanwhile stays in the write-ahead log until the copy is done. A backup
//! has its name only once everything in it is durable and was read again and compared.

pub mod cli;
mod put_back;
mod verify;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::room::{free_bytes, mib, store_bytes};
use crate::store::{self, STORE_FILE, StoreError, replace, sql, write_durably};

pub use put_back::{PutBack, put_back};
pub(crate) use verify::damage;
pub use verify::verify;

/// What a backup says of itself, in its folder.
pub const MANIFEST: &str = "manifest.toml";
/// The plan and the settings in a backup.
pub const CITY: &str = "city.toml";
/// The settings in a backup.
pub const SETTINGS: &str = "gateway.toml";
/// Folders of the data folder that a backup has, too, where they are there: the audit log, and by whose word terminals are
/// believed. Keys are among them, so a backup is to be kept as the data folder is.
pub const FOLDERS: [&str; 2] = [crate::audit::FOLDER, crate::ca::FOLDER];
/// The shape of manifests that this program writes and reads.
const VERSION: u32 = 1;
/// What the folders of unfinished backups end with.
const UNFINISHED: &str = ".unfinished";
/// Room that is left free beside a backup: a disk that it fills may be the store's own.
pub(crate) const RESERVE: u64 = 64 * 1024 * 1024;
/// Pages copied at a time, between two looks at the progress.
const PAGES: i32 = 256;
/// Steps after which what was copied is written out, so that no flood of it holds up the store's own commits.
const STEPS_A_SYNC: u32 = 16;

/// Why there is no backup, or why one can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
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
    /// SQLite refused.
    #[error("can't {doing} {}: {source}", path.display())]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// The store or its copy.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Something is there already.
    #[error("{} is there already and is not overwritten; name another", path.display())]
    There {
        /// What.
        path: PathBuf,
    },
    /// There is no store to copy.
    #[error("there is no store {}; is --data the folder that the gateway works on?", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A restore was cut.
    #[error(
        "a backup is being put back in {}: start the gateway, which finishes that, and make the backup then", dir.display()
    )]
    Pending {
        /// The data folder.
        dir: PathBuf,
    },
    /// Another backup into the same folder is under way.
    #[error("another backup to {} is under way", path.display())]
    UnderWay {
        /// Its folder.
        path: PathBuf,
    },
    /// The disk has no room.
    #[error(
        "{} has {} free, {} are needed; make room or name a folder on another disk", path.display(), mib(*free), mib(*needed)
    )]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// It is no backup, or not as it was made.
    #[error("the backup {} can't be used: {problem}", path.display())]
    Wrong {
        /// The backup's folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A store is where one is to be put back.
    #[error(
        "{} has a store; with --replace it is moved into a folder beside it, nothing is deleted", dir.display()
    )]
    StoreThere {
        /// The data folder.
        dir: PathBuf,
    },
    /// The plan here is another city's.
    #[error("the backup is of {backup}, the plan {} is of {here}", path.display())]
    OtherCity {
        /// The city of the backup.
        backup: String,
        /// The city of the plan.
        here: String,
        /// The plan.
        path: PathBuf,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }

    fn sql(doing: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sql { doing, path: path.to_owned(), source }
    }

    /// What is damaged in a fresh copy was so in the store, whichever page the copy's check came upon.
    fn of_copy(self, store: &Path) -> Self {
        match self {
            Self::Sql { source, .. } if store::is_damage(&source) => {
                Self::Store(StoreError::Damaged { path: store.to_owned(), source })
            }
            other => other,
        }
    }

    fn wrong(path: &Path, problem: impl Into<String>) -> Self {
        Self::Wrong { path: path.to_owned(), problem: problem.into() }
    }
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The manifest's shape.
    pub version: u32,
    /// When it was made, by the clock of the machine.
    pub made_at: Timestamp,
    /// The version of the program that made it.
    pub program: String,
    /// Whose store it is.
    pub city: String,
    /// Which life of the store.
    pub incarnation: Uuid,
    /// The store's schema.
    pub schema: i64,
    /// Each file's size in bytes and SHA-256.
    pub files: BTreeMap<String, Listed>,
    /// How many rows each table has.
    pub rows: BTreeMap<String, i64>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Bytes.
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The store is being copied: bytes done, bytes altogether.
    Copying(u64, u64),
    /// The copy is being read again and compared.
    Checking,
}

/// What is backed up.
#[derive(Debug, Clone)]
pub struct Source {
    /// The data folder.
    pub data: PathBuf,
    /// The plan.
    pub city: PathBuf,
    /// The settings file, where there is one.
    pub settings: Option<PathBuf>,
}

/// Makes the backup `out`, which must not be there yet.
///
/// # Errors
/// When there is no store, something is in the way, the disk has no room, or the copy is not what the store is. Nothing is
/// left under the name `out` then.
pub fn make(
    source: &Source,
    out: &Path,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Manifest, BackupError> {
    // Also where a link leads nowhere.
    if out.symlink_metadata().is_ok() {
        return Err(BackupError::There { path: out.to_owned() });
    }
    let (Some(name), Some(parent)) = (out.file_name(), out.parent()) else {
        return Err(BackupError::There { path: out.to_owned() });
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let made = |source| BackupError::File { doing: "make the folder", path: parent.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(made)?;
    let unfinished = parent.join(format!(".{}{UNFINISHED}", name.to_string_lossy()));
    let _under_way = begin(&unfinished)?;
    let done = fill(source, &unfinished, now, progress).and_then(|manifest| {
        fs::rename(&unfinished, out)
            .and_then(|()| replace::sync(parent))
            .map_err(BackupError::file("give its name to", out))?;
        Ok(manifest)
    });
    if done.is_err() {
        // Half a copy is of no use and full of residents' data. What can't be removed goes with the next [`sweep`].
        let _ = fs::remove_dir_all(&unfinished);
    }
    done
}

/// Makes the folder anew in which a backup grows, and holds it.
fn begin(unfinished: &Path) -> Result<File, BackupError> {
    if let Ok(held) = File::open(unfinished) {
        if held.try_lock().is_err() {
            return Err(BackupError::UnderWay { path: unfinished.to_owned() });
        }
        // Of a run that was killed.
        fs::remove_dir_all(unfinished).map_err(BackupError::file("remove", unfinished))?;
    }
    let make = DirBuilder::new().mode(0o700).create(unfinished);
    make.map_err(BackupError::file("make the folder", unfinished))?;
    let held = File::open(unfinished).map_err(BackupError::file("open", unfinished))?;
    held.try_lock().map_err(|_| BackupError::UnderWay { path: unfinished.to_owned() })?;
    Ok(held)
}

fn fill(
    source: &Source,
    to: &Path,
    now: Timestamp,
    progress: &mut dyn FnMut(Progress),
) -> Result<Manifest, BackupError> {
    let path = source.data.join(STORE_FILE);
    if replace::is_pending(&source.data) {
        return Err(BackupError::Pending { dir: source.data.clone() });
    }
    // SQLite would say of a missing file only that it can't be opened.
    if !path.try_exists().map_err(BackupError::file("look for", &path))? {
        return Err(BackupError::NoStore { path });
    }
    store::check_log(&store::wal(&path))?;
    let conn = store::read_only(&path)?;
    let reading = || BackupError::sql("read", &path);
    // One moment for all that is read.
    let moment = conn.unchecked_transaction().map_err(reading())?;
    let whose = moment.query_row("SELECT city, incarnation FROM office", [], |row| {
        Ok((row.get::<_, String>(0)?, sql::uuid(row, 1)?))
    });
    let (city, incarnation) = whose.map_err(|source| store::damaged_or(&path, "say whose it is", source))?;
    let schema = store::schema(&moment).map_err(reading())?;
    let needed = store_bytes(&moment).map_err(reading())? + RESERVE;
    let free = free_bytes(to).map_err(BackupError::file("ask for the free space of", to))?;
    if free < needed {
        return Err(BackupError::NoRoom { path: to.to_owned(), free, needed });
    }
    let copy = to.join(STORE_FILE);
    copy_store(&moment, &path, &copy, progress).map_err(|error| error.of_copy(&path))?;
    let rows = verify::rows(&moment).map_err(|source| store::damaged_or(&path, "be counted", source))?;
    // Done with: what was written meanwhile can leave the log.
    drop(moment);
    drop(conn);

    progress(Progress::Checking);
    copy_file(&source.city, &to.join(CITY))?;
    let mut names = vec![STORE_FILE.to_owned(), CITY.to_owned()];
    if let Some(settings) = &source.settings {
        copy_file(settings, &to.join(SETTINGS))?;
        names.push(SETTINGS.to_owned());
    }
    for folder in FOLDERS {
        names.extend(copy_folder(&source.data, to, folder)?);
    }
    let mut files = BTreeMap::new();
    for name in names {
        let file = listed(&to.join(&name))?;
        files.insert(name, file);
    }
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let manifest =
        Manifest { version: VERSION, made_at: now, program, city, incarnation, schema, files, rows };
    verify::contents(to, &manifest).map_err(|error| error.of_copy(&path))?;
    let text = toml::to_string(&manifest)
        .map_err(|error| BackupError::wrong(to, format!("its manifest can't be written: {error}")))?;
    let path = to.join(MANIFEST);
    write_durably(&path, text.as_bytes(), 0o600).map_err(BackupError::file("write", &path))?;
    Ok(manifest)
}

/// Copies the store page by page, and makes it one file that needs none beside it.
fn copy_store(
    conn: &Connection,
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), BackupError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = file.map_err(BackupError::file("make", to))?;
    let page = conn
        .query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))
        .map_err(BackupError::sql("read", from))?;
    let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * u64::from(page);
    {
        let mut copy = Connection::open(to).map_err(BackupError::sql("write", to))?;
        // Nobody sees it before it is done; then it is made durable.
        copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            .map_err(BackupError::sql("write", to))?;
        let backup = Backup::new(conn, &mut copy).map_err(BackupError::sql("copy", from))?;
        let mut steps = 0_u32;
        loop {
            match backup.step(PAGES).map_err(|source| store::damaged_or(from, "be copied", source))? {
                StepResult::Done => break,
                StepResult::More => {}
                // Somebody works on the store without a write-ahead log; that passes.
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
            let at = backup.progress();
            progress(Progress::Copying(bytes(at.pagecount - at.remaining), bytes(at.pagecount)));
            steps += 1;
            if steps.is_multiple_of(STEPS_A_SYNC) {
                file.sync_data().map_err(BackupError::file("write", to))?;
            }
        }
    }
    let alone = || -> rusqlite::Result<()> {
        let copy = Connection::open(to)?;
        copy.pragma_update(None, "synchronous", "FULL")?;
        copy.pragma_update(None, "journal_mode", "DELETE")
    };
    alone().map_err(BackupError::sql("finish", to))?;
    file.sync_all().map_err(BackupError::file("write", to))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = File::open(from).map_err(BackupError::file("read", from))?;
    let mut copying = || {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut source, &mut to)?;
        to.flush()?;
        to.sync_all()
    };
    copying().map_err(BackupError::file("copy to", to))
}

/// Copies the plain files of a folder of the data folder, where it is there; their names in the backup.
fn copy_folder(data: &Path, to: &Path, folder: &str) -> Result<Vec<String>, BackupError> {
    let from = data.join(folder);
    let entries = match fs::read_dir(&from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let mut paths: Vec<PathBuf> = entries
        .map_err(BackupError::file("read the folder", &from))?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    // The audit log's head before its files, which grow meanwhile: it must not tell of entries that the copy lacks.
    paths.sort_by_key(|path| (path.extension().is_some(), path.clone()));
    let into = to.join(folder);
    DirBuilder::new().mode(0o700).create(&into).map_err(BackupError::file("make the folder", &into))?;
    let mut names = Vec::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        copy_file(path, &into.join(name))?;
        names.push(format!("{folder}/{name}"));
    }
    replace::sync(&into).map_err(BackupError::file("write", &into))?;
    Ok(names)
}

/// A file's size and digest.
fn listed(path: &Path) -> Result<Listed, BackupError> {
    let reading = || -> io::Result<Listed> {
        let mut file = File::open(path)?;
        let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
            bytes += read as u64;
        }
        let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Listed { bytes, sha256 })
    };
    reading().map_err(BackupError::file("read", path))
}

/// What the names of a city's dated backups begin with.
fn prefix(city: &str) -> String {
    format!("meguri-{city}-")
}

/// The name of a dated backup of `city`. Later ones sort behind earlier ones.
#[must_use]
pub fn dated(city: &str, now: Timestamp) -> String {
    format!("{}{}", prefix(city), now.strftime("%Y%m%dT%H%M%SZ"))
}

/// The dated backups of `city` in a folder with what they say of themselves, oldest first. Folders without a readable manifest
/// are none.
///
/// # Errors
/// When the folder can't be read.
pub fn dated_in(folder: &Path, city: &str) -> Result<Vec<(PathBuf, Manifest)>, BackupError> {
    let mut found = Vec::new();
    let reading = BackupError::file("read the folder", folder);
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(reading)?;
    for entry in entries {
        if !entry.file_name().to_string_lossy().starts_with(&prefix(city)) {
            continue;
        }
        if let Ok(manifest) = verify::manifest(&entry.path())
            && manifest.city == city
        {
            found.push((entry.path(), manifest));
        }
    }
    found.sort_by(|a, b| a.0.file_name().cmp(&b.0.file_name()));
    Ok(found)
}

/// Removes all but the newest `keep` dated backups of `city` in a folder. Says which.
///
/// # Errors
/// When one can't be removed.
pub fn prune(folder: &Path, city: &str, keep: usize) -> Result<Vec<PathBuf>, BackupError> {
    let found = dated_in(folder, city)?;
    let old = found.len().saturating_sub(keep.max(1));
    let mut gone = Vec::new();
    for (path, _) in found.into_iter().take(old) {
        // Under a name that is no backup's first, so that a cut leaves no half of one.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let leaving = folder.join(format!(".{name}{UNFINISHED}"));
        fs::rename(&path, &leaving)
            .and_then(|()| fs::remove_dir_all(&leaving))
            .map_err(BackupError::file("remove", &path))?;
        gone.push(path);
    }
    Ok(gone)
}

/// Removes what dated backups of `city` that were killed have left in a folder: half copies, full of residents' data, that
/// fill the disk. What another run works on stays. Says which.
///
/// # Errors
/// When the folder can't be read, or one can't be removed.
pub fn sweep(folder: &Path, city: &str) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match fs::read_dir(folder) {
        // The first backup makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
    };
    let mut gone = Vec::new();
    for entry in entries.map_err(BackupError::file("read the folder", folder))? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(name.starts_with(&format!(".{}", prefix(city))) && name.ends_with(UNFINISHED)) {
            continue;
        }
        let path = entry.path();
        let removing = || match File::open(&path)? {
            held if held.try_lock().is_err() => Ok(false),
            _ => fs::remove_dir_all(&path).map(|()| true),
        };
        if removing().map_err(BackupError::file("remove", &path))? {
            gone.push(path);
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests;
