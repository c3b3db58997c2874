//! What whole-system tests are made of: real programs, a line that breaks on purpose, and the books that are checked after.
//!
//! Nothing here sleeps for a fixed time to let something happen: tests wait for conditions, and a
//! condition that does not come fails with what was awaited.

pub mod books;
pub mod broker;
pub mod cluster;
pub mod console;
pub mod http;
pub mod mqtt;
pub mod office;
pub mod pki;
pub mod plain;
pub mod port;
pub mod process;
pub mod proxy;
pub mod scene;
pub mod worker;

use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything; generous, as machines that run tests are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
///
/// # Panics
/// When nothing is found within [`PATIENCE`].
pub fn eventually<T>(awaited: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, awaited, look)
}

/// Waits until `look` finds something, at most for `patience`.
///
/// # Panics
/// When nothing is found in time.
pub fn within<T>(patience: Duration, awaited: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < patience, "waited {patience:?} in vain: {awaited}");
        thread::sleep(Duration::from_millis(15));
    }
}

/// The seed of a test: from `MEGURI_SEED` where set, else drawn; printed, so that a failure can be repeated.
#[must_use]
#[allow(clippy::print_stderr, reason = "the seed belongs to a failed test's output")]
pub fn seed() -> u64 {
    let seed = std::env::var("MEGURI_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| rand::random::<u32>().into());
    eprintln!("seed {seed}: MEGURI_SEED={seed} repeats it");
    seed
}

/// How much longer than usual a test should go on: `MEGURI_CHAOS`, 1 where not set.
#[must_use]
pub fn longer() -> usize {
    std::env::var("MEGURI_CHAOS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}
