//! The first administrator: where nobody has an account, a code in a file of the data folder lets whoever can read it make one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meguri_proto::Digest;

use super::password;
use crate::store::write_durably;

/// The file's name in the data folder.
pub const FILE: &str = "setup-code";

/// The code of this start. Only its digest is kept in memory.
#[derive(Clone)]
pub struct SetUp {
    inner: Arc<(Digest, PathBuf)>,
}

impl fmt::Debug for SetUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetUp({})", self.inner.1.display())
    }
}

impl SetUp {
    /// Writes a code of these random bytes into the data folder.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn begin(data: &Path, random: [u8; 16]) -> io::Result<Self> {
        let (code, path) = (password::drawn(random), data.join(FILE));
        write_durably(&path, format!("{code}\n").as_bytes(), 0o600)?;
        Ok(Self { inner: Arc::new((Digest::of(password::as_drawn(&code).as_bytes()), path)) })
    }

    /// Where the code stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.1
    }

    /// Whether this is the code.
    #[must_use]
    pub fn is(&self, typed: &str) -> bool {
        Digest::of(password::as_drawn(typed).as_bytes()) == self.inner.0
    }
}

/// Takes the code away: somebody has an account.
pub fn over(data: &Path) {
    match fs::remove_file(data.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "the set-up code is of no use any more, but its file could not be removed");
        }
        _ => {}
    }
}
