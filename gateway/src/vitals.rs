//! How the office is: what its parts note while they work, for health, readiness, metrics, pages and the supervisor.
//!
//! Everything here is numbers and states of the process, never a terminal's name and never residents' data.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use meguri_config::Clock;
use serde::{Deserialize, Serialize};

/// Between two lines of the log about one lasting trouble of the store.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// A trouble is over with a good commit so long after the last failure: a full disk still takes small writes.
const SETTLED: Duration = Duration::from_secs(10);
/// A commit that takes longer than this is a slow disk's.
const SLOW: Duration = Duration::from_secs(2);
/// For so long a slow commit is told after it was the last one.
const SLOW_TOLD: Duration = Duration::from_secs(60);

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it is now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long something took: how often up to which bound.
#[derive(Debug, Default)]
pub struct Durations {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// Upper bounds of a histogram's buckets, in milliseconds. 50 is how long a transaction may hold the store.
pub const BOUNDS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 250, 1_000, 5_000, 30_000];

impl Durations {
    /// Notes one.
    pub fn note(&self, took: Duration) {
        let bucket = BOUNDS.iter().position(|most| took <= Duration::from_millis(*most));
        if let Some(bucket) = bucket.and_then(|bucket| self.buckets.get(bucket)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many took at most each bound, all of them, and their sum in seconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a sum of seconds for people")]
    pub fn read(&self) -> ([u64; BOUNDS.len()], u64, f64) {
        let mut upto = 0;
        let cumulated = self.buckets.each_ref().map(|bucket| {
            upto += bucket.load(Ordering::Relaxed);
            upto
        });
        // Read last: never less than the buckets say.
        let count = self.count.load(Ordering::Relaxed).max(upto);
        (cumulated, count, self.micros.load(Ordering::Relaxed) as f64 / 1e6)
    }
}

/// What the parts count.
#[derive(Debug, Default)]
#[allow(missing_docs, reason = "crate::web::metrics says what each one means, where it is shown")]
pub struct Counts {
    pub messages: Count,
    pub facts: Count,
    pub asides: Count,
    pub acks: Count,
    pub transactions: Count,
    pub failed: Count,
    pub lists: Count,
    pub dropped: Count,
    pub connections: Count,
    pub imports_applied: Count,
    pub imports_held: Count,
    pub imports_rejected: Count,
    pub imports_dropped: Count,
    pub erased: Count,
    pub transaction: Durations,
    pub commit: Durations,
}

/// A lasting trouble of the store.
#[derive(Debug)]
struct Trouble {
    last: Instant,
    failed: u64,
}

#[derive(Debug)]
struct Inner {
    started: Instant,
    counts: Counts,
    /// Set from the first failed commit to a good one when it has settled.
    trouble: Mutex<Option<Trouble>>,
    /// When a failure was last said.
    said: Mutex<Option<Instant>>,
    /// The last commit that was slow, and since when.
    slow: Mutex<Option<(Duration, Instant)>>,
    /// Since when the writer owes an answer.
    asked: Mutex<Option<Instant>>,
    writer_ended: AtomicBool,
    connected: AtomicBool,
    /// Why a broker with dynamic security does not know who may come in.
    access: Mutex<Option<String>>,
    stopping: AtomicBool,
    free_bytes: AtomicU64,
    /// Milliseconds by which the last fix of a terminal was ahead of the office's clock.
    fix_ahead: AtomicI64,
}

/// The office's vital signs. Cheap to clone; clones are the same office.
#[derive(Debug, Clone)]
pub struct Vitals(Arc<Inner>);

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vitals {
    /// An office that has just begun.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            counts: Counts::default(),
            trouble: Mutex::default(),
            said: Mutex::default(),
            slow: Mutex::default(),
            asked: Mutex::default(),
            writer_ended: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            access: Mutex::default(),
            stopping: AtomicBool::new(false),
            free_bytes: AtomicU64::new(u64::MAX),
            fix_ahead: AtomicI64::new(0),
        }))
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// How long the office runs.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// A transaction was committed: the commit alone took `commit`.
    pub fn committed(&self, whole: Duration, commit: Duration) {
        let counts = self.counts();
        counts.transactions.add(1);
        counts.transaction.note(whole);
        counts.commit.note(commit);
        self.recovered(Instant::now());
        if commit >= SLOW {
            let mut slow = locked(&self.0.slow);
            if slow.is_none_or(|(_, at)| at.elapsed() >= SLOW_TOLD) {
                tracing::warn!(seconds = commit.as_secs_f64(), "the disk is slow: confirmations come late");
            }
            *slow = Some((commit, Instant::now()));
        }
    }

    fn recovered(&self, now: Instant) {
        let over = |trouble: &mut Trouble| now.duration_since(trouble.last) >= SETTLED;
        if let Some(trouble) = locked(&self.0.trouble).take_if(over) {
            tracing::info!(failed = trouble.failed, "the store can be written again");
        }
    }

    /// A transaction could not be written; `error` holds none of its content. Said in the log at once, and then once
    /// a minute, however much fails.
    pub fn failed(&self, doing: &str, error: &str) {
        self.counts().failed.add(1);
        let now = Instant::now();
        let failed = {
            let mut trouble = locked(&self.0.trouble);
            let trouble = trouble.get_or_insert(Trouble { last: now, failed: 0 });
            (trouble.last, trouble.failed) = (now, trouble.failed + 1);
            trouble.failed
        };
        let mut said = locked(&self.0.said);
        if said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            *said = Some(now);
            tracing::error!(
                doing,
                error,
                failed,
                "the store can't be written; nothing of it was confirmed, terminals keep it and send it again"
            );
        }
    }

    /// Whether a write failed a moment ago, and none has succeeded since.
    #[must_use]
    pub fn failing(&self) -> bool {
        locked(&self.0.trouble).is_some()
    }

    /// How long the last slow commit took, for a while after it.
    #[must_use]
    pub fn slow(&self) -> Option<Duration> {
        locked(&self.0.slow).filter(|(_, at)| at.elapsed() < SLOW_TOLD).map(|(took, _)| took)
    }

    /// The writer is asked for a sign of life.
    pub fn writer_asked(&self) {
        locked(&self.0.asked).get_or_insert_with(Instant::now);
    }

    /// It gave one.
    pub fn writer_answered(&self) {
        *locked(&self.0.asked) = None;
    }

    /// Its thread has ended.
    pub fn writer_ended(&self) {
        self.0.writer_ended.store(true, Ordering::Relaxed);
    }

    /// How long the writer has owed a sign of life.
    #[must_use]
    pub fn writer_silent(&self) -> Duration {
        locked(&self.0.asked).map_or(Duration::ZERO, |asked| asked.elapsed())
    }

    /// Whether the broker is connected and subscribed to.
    pub fn line(&self, connected: bool) {
        if connected && !self.0.connected.swap(true, Ordering::Relaxed) {
            self.counts().connections.add(1);
        }
        self.0.connected.store(connected, Ordering::Relaxed);
    }

    /// Whether it is.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.0.connected.load(Ordering::Relaxed)
    }

    /// Whether a broker with dynamic security is in step with who may come in, or why not. Said in the log where that is new.
    pub fn access(&self, in_step: Result<(), &str>) {
        let mut access = locked(&self.0.access);
        match in_step {
            Ok(()) => {
                if access.take().is_some() {
                    tracing::info!("the broker knows again who may come in");
                }
            }
            Err(problem) if access.as_deref() == Some(problem) => {}
            Err(problem) => {
                tracing::error!(
                    problem,
                    "the broker does not know who may come in; whoever is blocked may still be let in there"
                );
                *access = Some(problem.to_owned());
            }
        }
    }

    /// The office is stopping.
    pub fn stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    /// How much of the disk is free, in bytes.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.0.free_bytes.store(bytes, Ordering::Relaxed);
    }

    /// How much was free when it was last looked.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.0.free_bytes.load(Ordering::Relaxed)
    }

    /// A terminal's fix was `ahead` milliseconds ahead of the office's clock.
    pub fn fix(&self, ahead: i64) {
        self.0.fix_ahead.store(ahead, Ordering::Relaxed);
    }

    /// By how many milliseconds the last fix was ahead.
    #[must_use]
    pub fn fix_ahead(&self) -> i64 {
        self.0.fix_ahead.load(Ordering::Relaxed)
    }
}

/// How long the writer may be busy before it counts as hung: the longest transactions take far less.
pub const HUNG: Duration = Duration::from_secs(60);
/// How long a sign of life may take before readiness tells of it.
const LATE: Duration = Duration::from_secs(10);

/// Whether the office can do its work, and what keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the process works at all: a supervisor restarts it where not.
    pub live: bool,
    /// Whether it can do all of its work.
    pub ready: bool,
    /// Each check.
    pub checks: Checks,
}

/// What readiness rests on; each true where it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are a list of checks")]
pub struct Checks {
    /// The last write to the store was committed.
    pub store: bool,
    /// The writer answers.
    pub writer: bool,
    /// The disk takes writes in good time. A slow one is told and does not make the office unready.
    pub disk_speed: bool,
    /// The disk has room.
    pub disk_room: bool,
    /// The broker is connected and subscribed to.
    pub broker: bool,
    /// A broker with dynamic security knows who may come in. Where not, it is told and does not make the office unready.
    pub access: bool,
    /// The clock is not in doubt.
    pub clock: bool,
    /// The office is not stopping.
    pub running: bool,
}

/// Judges the vital signs.
#[derive(Debug, Clone)]
pub struct Health {
    /// The signs.
    pub vitals: Vitals,
    /// The office's clock.
    pub clock: Clock,
    /// The least room that must be free on the store's disk, in bytes.
    pub least_free: u64,
    /// The data folder.
    pub data: PathBuf,
}

impl Health {
    /// How the office is now.
    #[must_use]
    pub fn report(&self) -> Report {
        let vitals = &self.vitals;
        let silent = vitals.writer_silent();
        let ended = vitals.0.writer_ended.load(Ordering::Relaxed);
        let checks = Checks {
            store: !vitals.failing(),
            writer: !ended && silent < LATE,
            disk_speed: vitals.slow().is_none() && silent < LATE,
            disk_room: vitals.free_bytes() >= self.least_free,
            broker: vitals.connected(),
            access: locked(&vitals.0.access).is_none(),
            clock: !self.clock.in_doubt(),
            running: !vitals.0.stopping.load(Ordering::Relaxed),
        };
        let Checks { store, writer, disk_speed: _, disk_room, broker, access: _, clock, running } = checks;
        Report {
            live: !ended && silent < HUNG,
            ready: store && writer && disk_room && broker && clock && running,
            checks,
        }
    }

    /// Looks how much of the disk is free.
    pub fn look_at_the_disk(&self) {
        if let Some(free) = free_bytes(&self.data) {
            self.vitals.set_free_bytes(free);
        }
    }
}

/// How much is free for this user on the disk of a folder, in bytes; none where the system does not say.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_its_bucket_and_all_above() {
        let durations = Durations::default();
        for ms in [1, 3, 50, 40_000] {
            durations.note(Duration::from_millis(ms));
        }
        let (cumulated, count, seconds) = durations.read();
        assert_eq!(cumulated, [1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
        assert_eq!(count, 4);
        assert!((seconds - 40.054).abs() < 1e-9, "{seconds}");
    }

    #[test]
    fn every_trouble_makes_the_office_unready_and_none_stays() {
        let health =
            Health { vitals: Vitals::new(), clock: Clock::system(), least_free: 1_000, data: PathBuf::new() };
        let ready = || health.report().ready;
        assert!(!ready(), "no broker yet");
        health.vitals.line(true);
        assert!(ready());
        health.vitals.failed("commit", "SQLite DiskFull (13)");
        assert!(!ready() && !health.report().checks.store && health.report().live);
        health.vitals.committed(Duration::ZERO, Duration::ZERO);
        assert!(!ready(), "a full disk takes a small write between");
        health.vitals.recovered(Instant::now() + SETTLED);
        assert!(ready());
        health.vitals.set_free_bytes(999);
        assert!(!ready() && !health.report().checks.disk_room);
        health.vitals.set_free_bytes(1_000);
        health.vitals.committed(SLOW, SLOW);
        assert!(ready() && !health.report().checks.disk_speed, "slow is told, and works");
        health.vitals.line(false);
        assert!(!ready() && !health.report().checks.broker);
        health.vitals.line(true);
        health.vitals.line(true);
        assert_eq!(health.vitals.counts().connections.get(), 2);
        health.vitals.writer_ended();
        assert!(!ready() && !health.report().live);
    }
}
