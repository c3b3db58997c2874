//! The store looked at from beside, with or without a gateway that runs on it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::{GENERATION_FILE, STORE_FILE, connect, is_current};

/// Why a store can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There is none.
    #[error("there is no store in {}; `--data` names the folder, and the first import or start makes one", dir.display())]
    None {
        /// The folder.
        dir: PathBuf,
    },
    /// It has other tables than this version reads.
    #[error("{} is of another version; start the gateway once, which brings an earlier one up to date", path.display())]
    Version {
        /// The store's file.
        path: PathBuf,
    },
    /// It is a copy that was put back, and no gateway has seen it since: it does not know yet that it is one.
    #[error("{} is a copy that was put back; start the gateway once, which notices it", path.display())]
    PutBack {
        /// The store's file.
        path: PathBuf,
    },
    /// It, or the file beside it, can't be read.
    #[error("can't read {}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Opens the store in `dir` for reading only.
///
/// # Errors
/// When there is none, it is of another version, a copy put back that no gateway has seen yet, or can't be read.
pub fn look(dir: &Path) -> Result<Connection, LookError> {
    let path = dir.join(STORE_FILE);
    if !path.exists() {
        return Err(LookError::None { dir: dir.to_owned() });
    }
    let unreadable = |path: &Path, problem: String| LookError::Unreadable { path: path.to_owned(), problem };
    // Before the store: one that a gateway opens meanwhile has counted on by then, never back.
    let beside = dir.join(GENERATION_FILE);
    let counted = match std::fs::read_to_string(&beside) {
        Ok(text) => text.trim().split_once(' ').and_then(|(_, counted)| counted.parse::<i64>().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&beside, error.to_string())),
    };
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| unreadable(&path, error.to_string()))?;
    if !is_current(&conn).map_err(|error| unreadable(&path, error.to_string()))? {
        return Err(LookError::Version { path });
    }
    let generation: i64 = conn
        .query_row("SELECT generation FROM office", [], |row| row.get(0))
        .map_err(|error| unreadable(&path, error.to_string()))?;
    if counted.is_some_and(|counted| generation < counted) {
        return Err(LookError::PutBack { path });
    }
    Ok(conn)
}

/// The store's incarnation, as the transaction of `conn` sees it.
///
/// # Errors
/// When it can't be read.
pub(crate) fn incarnation(conn: &Connection) -> rusqlite::Result<Uuid> {
    conn.query_row("SELECT incarnation FROM office", [], |row| super::sql::uuid(row, 0))
}
