//! Room on a disk, and the room that a store takes.

use std::io;
use std::path::Path;

use rusqlite::Connection;

/// Free and total inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inodes {
    pub(crate) free: u64,
    /// 0 where the file system does not count them.
    pub(crate) total: u64,
}

/// Bytes that this user may still write where `path` is.
///
/// # Errors
/// What the system said.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Files that may still be made where `path` is.
///
/// # Errors
/// What the system said.
pub(crate) fn inodes(path: &Path) -> io::Result<Inodes> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Inodes { free: stat.f_favail, total: stat.f_files })
}

/// Bytes of a store at the moment that `conn` sees.
///
/// # Errors
/// When it can't be read.
pub(crate) fn store_bytes(conn: &Connection) -> rusqlite::Result<u64> {
    let pragma = |text: &str| conn.query_row(text, [], |row| row.get::<_, u32>(0)).map(u64::from);
    Ok(pragma("PRAGMA page_count")? * pragma("PRAGMA page_size")?)
}

/// Bytes for people.
pub(crate) fn mib(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    format!("{} MiB", bytes.div_ceil(MIB))
}
