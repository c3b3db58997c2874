//! Puts another store in the place of a folder's own, so that a cut at any moment leaves the one or the other.
//!
//! The new one is made ready in a folder of its own. Renaming that folder decides: before it the old store
//! is the store, after it whoever opens the store next finishes what is left to do. Nothing is deleted:
//! the old store's files end up in a folder `replaced-…`, under their own names.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{GENERATION_FILE, STORE_FILE, StoreError};

/// The folder in which a store is made ready.
pub(crate) const STAGED: &str = "restore-staged";
/// The folder of a store that is ready.
const READY: &str = "restore-ready";
/// The store that is ready.
const NEW: &str = "new.db";
/// What the folders of stores replaced begin with.
pub(crate) const REPLACED: &str = "replaced-";

/// Whether a store stands ready that nobody has taken over yet.
pub(crate) fn is_pending(dir: &Path) -> bool {
    dir.join(READY).exists()
}

/// The files of a folder's store, as far as they are there. Of what could not be looked at it is said that it is there.
pub(crate) fn of_store(dir: &Path) -> Vec<PathBuf> {
    let names = [STORE_FILE.to_owned(), format!("{STORE_FILE}-wal"), format!("{STORE_FILE}-shm")];
    let names = names.into_iter().chain([GENERATION_FILE.to_owned()]);
    names.map(|name| dir.join(name)).filter(|path| path.try_exists().unwrap_or(true)).collect()
}

/// Makes a copy of `from` ready to become the store of `dir`, whose lock the caller holds, changed by `edit` in one transaction.
/// When this returns it is durable, and [`finish`] puts it in place.
///
/// # Errors
/// When a file can't be written or the copy can't be changed: then the old store is the store.
pub(crate) fn stage(
    dir: &Path,
    from: &Path,
    check: impl FnOnce(&Path) -> Result<(), StoreError>,
    edit: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let staged = dir.join(STAGED);
    // Of a run that was cut.
    match fs::remove_dir_all(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::File { doing: "remove", path: staged, source: error });
        }
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&staged).map_err(StoreError::file("make the folder", &staged))?;
    let new = staged.join(NEW);
    let copying = || {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        io::copy(&mut File::open(from)?, &mut to)?;
        to.sync_all()
    };
    copying().map_err(StoreError::file("write", &new))?;
    check(&new)?;
    let editing = || -> rusqlite::Result<()> {
        let mut conn = Connection::open(&new)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        let tx = conn.transaction()?;
        edit(&tx)?;
        tx.commit()
    };
    editing().map_err(StoreError::sql("be made ready"))?;
    let deciding = || {
        File::open(&new)?.sync_all()?;
        sync(&staged)?;
        fs::rename(&staged, dir.join(READY))?;
        sync(dir)
    };
    deciding().map_err(StoreError::file("finish", &staged))
}

/// Puts the store that stands ready, where there is one, in its place. The caller holds the folder's lock. Gives the folder
/// of the old store, where there was one.
///
/// # Errors
/// When a file can't be moved; then the next call goes on from there.
pub(crate) fn finish(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    let ready = dir.join(READY);
    if !is_pending(dir) {
        return Ok(None);
    }
    move_all(dir, &ready).map_err(StoreError::file("finish the restoring in", &ready))
}

fn move_all(dir: &Path, ready: &Path) -> io::Result<Option<PathBuf>> {
    let new = ready.join(NEW);
    if new.try_exists()? {
        // The write-ahead log must not meet the new store, nor the file that counts starts.
        for old in of_store(dir) {
            if let Some(name) = old.file_name() {
                fs::rename(&old, ready.join(name))?;
            }
        }
        sync(ready)?;
        sync(dir)?;
        fs::rename(&new, dir.join(STORE_FILE))?;
        sync(dir)?;
        sync(ready)?;
    }
    let aside = if fs::read_dir(ready)?.next().is_none() {
        fs::remove_dir(ready)?;
        None
    } else {
        let aside = free(dir, &format!("{REPLACED}{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")))?;
        fs::rename(ready, &aside)?;
        Some(aside)
    };
    sync(dir)?;
    Ok(aside)
}

/// A name in the folder that nothing has yet.
fn free(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let mut path = dir.join(name);
    let mut n = 1;
    while path.try_exists()? {
        n += 1;
        path = dir.join(format!("{name}-{n}"));
    }
    Ok(path)
}

/// Makes what was named in a folder durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
