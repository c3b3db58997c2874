//! How far something is that takes long, on stderr.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

/// Nothing is said of what is done before.
const QUIET: Duration = Duration::from_secs(2);

/// How far something is.
pub(super) struct Progress {
    doing: &'static str,
    all: u64,
    done: u64,
    said: Instant,
}

impl Progress {
    pub(super) fn new(doing: &'static str, all: u64) -> Self {
        Self { doing, all, done: 0, said: Instant::now() }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.said.elapsed() >= QUIET {
            self.said = Instant::now();
            // Whether or not anybody looks on.
            let _ = writeln!(io::stderr(), "{}: {} / {}", self.doing, self.done, self.all);
        }
    }
}
