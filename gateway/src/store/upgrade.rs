//! Before a store is brought up to date, a copy of it is kept beside, so that the program before can be started again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{SCHEMA, STORE_FILE, StoreError, replace};

/// What the names of such copies begin with.
pub(crate) const BEFORE: &str = "before-upgrade-";
/// Room that is left free beside a copy.
const RESERVE: u64 = 64 * 1024 * 1024;
/// The last migration that writes the large tables anew: into the write-ahead log, then into the store beside the old ones.
const REWRITES: i64 = 10;

/// What there is room for.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    /// The upgrade, and a copy beside it.
    Both,
    /// The upgrade alone.
    Upgrade,
    /// Not even that; how much it takes.
    Neither { needed: u64 },
}

fn room(found: i64, size: u64, free: u64) -> Room {
    let upgrade = if found < REWRITES { 2 * size } else { 0 } + RESERVE;
    if free >= upgrade + size {
        Room::Both
    } else if free >= upgrade || found >= REWRITES {
        Room::Upgrade
    } else {
        Room::Neither { needed: upgrade }
    }
}

/// Keeps a durable copy of the store with schema `found` in `dir`. Where there is no room for it, it says so in the log
/// and keeps none: the upgrade is one transaction, so the copy is for going back, not for safety.
///
/// # Errors
/// When the store can't be read, the copy can't be written, or there is no room for the upgrade itself.
pub(super) fn keep_copy(conn: &Connection, dir: &Path, found: i64) -> Result<(), StoreError> {
    let path = dir.join(format!("{BEFORE}{found:04}-to-{SCHEMA:04}.db"));
    if path.try_exists().map_err(StoreError::file("look for", &path))? {
        // Of an upgrade that was cut, or gone back on: what is there is older, and a person's to remove.
        tracing::info!(copy = %path.display(), "a copy from before this upgrade is there already");
        return Ok(());
    }
    let new = path.with_extension("new");
    // Of a start that was killed while it copied: it takes the room that the copy needs.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::File { doing: "remove", path: new, source: error });
        }
        _ => {}
    }
    let size = crate::room::store_bytes(conn).map_err(StoreError::sql("tell its size"))?;
    let free = crate::room::free_bytes(dir).map_err(StoreError::file("ask for the free space of", dir))?;
    match room(found, size, free) {
        Room::Both => {}
        Room::Upgrade => {
            tracing::warn!(
                size,
                free,
                "no room for a copy of the store before it is upgraded; a backup made before is the way back"
            );
            return Ok(());
        }
        Room::Neither { needed } => {
            return Err(StoreError::NoRoom { path: dir.join(STORE_FILE), needed, free });
        }
    }
    tracing::info!(size, "copying the store before it is upgraded");
    copy(conn, &new)?;
    fs::rename(&new, &path).and_then(|()| replace::sync(dir)).map_err(StoreError::file("keep", &path))?;
    tracing::info!(copy = %path.display(), schema = found, "kept a copy of the store before it is upgraded");
    Ok(())
}

fn copy(conn: &Connection, to: &PathBuf) -> Result<(), StoreError> {
    let make = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    make.map_err(StoreError::file("make", to))?;
    let copying = || -> rusqlite::Result<StepResult> {
        let mut copy = Connection::open(to)?;
        let done = Backup::new(conn, &mut copy)?.step(-1)?;
        Ok(done)
    };
    match copying().map_err(StoreError::sql("be copied before its upgrade"))? {
        StepResult::Done => {}
        // With the lock held, nobody else writes.
        _ => return Err(StoreError::Held { dir: to.clone() }),
    }
    // One file, for somebody to put in the place of the store.
    let alone =
        || -> rusqlite::Result<()> { Connection::open(to)?.pragma_update(None, "journal_mode", "DELETE") };
    alone().map_err(StoreError::sql("be copied before its upgrade"))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(StoreError::file("write", to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upgrade_comes_before_its_copy() {
        const MIB: u64 = 1 << 20;
        let of = |found, free| room(found, 100 * MIB, free * MIB);
        assert_eq!(of(9, 364), Room::Both);
        assert_eq!(of(9, 363), Room::Upgrade);
        assert_eq!(of(9, 264), Room::Upgrade);
        assert_eq!(of(9, 263), Room::Neither { needed: 264 * MIB });
        assert_eq!(of(10, 164), Room::Both);
        assert_eq!(of(10, 0), Room::Upgrade, "a small change: SQLite says where it has no room");
    }
}
