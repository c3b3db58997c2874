//! Readers beside the writer: each sees the store as of the moment it began.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, Semaphore};

use super::{StoreError, connect, damaged_or, is_damage};

/// Connections that only read. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
    /// What SQLite said when a reader found the store damaged, and whoever waits for that.
    damage: Mutex<Option<rusqlite::ffi::Error>>,
    found: Notify,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.pool.path).finish_non_exhaustive()
    }
}

impl Readers {
    /// Readers of the store at `path`, at most `most` at a time; more wait.
    #[must_use]
    pub fn new(path: PathBuf, most: usize) -> Self {
        let room = Arc::new(Semaphore::new(most.max(1)));
        let (damage, found) = (Mutex::default(), Notify::new());
        Self { pool: Arc::new(Pool { path, free: Mutex::default(), room, damage, found }) }
    }

    /// Waits until a reader finds the store damaged; for one at a time to wait.
    pub async fn damaged(&self) -> rusqlite::ffi::Error {
        loop {
            let found = *self.pool.damage.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(damage) = found {
                return damage;
            }
            // A word that came before is kept.
            self.pool.found.notified().await;
        }
    }

    /// Runs `f` on one snapshot of the store, off the async threads.
    ///
    /// # Errors
    /// When the store can't be opened, or what `f` returns.
    pub async fn with<T, F>(&self, f: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.pool.room.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let pool = self.pool.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let free = pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match free {
                Some(conn) => conn,
                None => {
                    connect(&pool.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?
                }
            };
            // One transaction, so that all of `f`'s queries see the same moment.
            let done = conn.unchecked_transaction().and_then(|snapshot| f(&snapshot));
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            done.map_err(|source| {
                if is_damage(&source) {
                    *pool.damage.lock().unwrap_or_else(PoisonError::into_inner) =
                        source.sqlite_error().copied();
                    pool.found.notify_one();
                }
                damaged_or(&pool.path, "be read", source)
            })
        });
        match task.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::Stopping),
        }
    }
}
