//! Whether the office's own clock is to be believed (docs/decisions/0007-the-office-doubts-its-clock.md).
//!
//! The system's clock is believed as long as it agrees, to a day, with the last time that was believed, carried on by
//! the monotonic clock, or over a restart by the store. Where it jumps further, it is in doubt: the office goes on by the
//! time carried on, tells terminals none, and erases nothing, until the clock agrees again, a fresh fix of a terminal
//! agrees with it, or a person says that it is right.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use meguri_config::Judge;
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::sql;

/// What a clock may jump by itself: less harms nobody, since terminals keep for 14 days what was acknowledged.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// No office of this program ran before, 2026-01-01: a battery that is dead says 1970 or 2015.
const NOT_BEFORE: i64 = 1_767_225_600_000;

/// What is known of the clock. Pure: both clocks come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trust {
    /// The time that was last believed …
    base: Timestamp,
    /// … when the monotonic clock showed this.
    at: Duration,
    doubt: bool,
}

impl Trust {
    /// At the start: `seen` is the last time that the store knows to have been believed; `expected` says that the store
    /// holds pickups for the clock's date or later, which only a clock that is about right can see as coming.
    fn start(seen: Option<Timestamp>, clock: Timestamp, at: Duration, expected: bool) -> Self {
        let least = sql::instant(NOT_BEFORE);
        let seen = seen.unwrap_or_else(|| clock.max(least));
        let ahead = clock.duration_since(seen);
        let believed = ahead.abs() <= DAY || (ahead > DAY && expected);
        Self { base: if believed { clock } else { seen }, at, doubt: !believed }
    }

    fn now(&mut self, clock: Timestamp, at: Duration) -> Timestamp {
        let passed = SignedDuration::try_from(at.saturating_sub(self.at)).unwrap_or(SignedDuration::MAX);
        let carried = self.base.saturating_add(passed).unwrap_or(self.base);
        if clock.duration_since(carried).abs() <= DAY {
            *self = Self { base: clock, at, doubt: false };
            return clock;
        }
        self.doubt = true;
        carried
    }

    /// The clock is right: somebody who knows says so.
    fn believe(&mut self, clock: Timestamp, at: Duration) {
        *self = Self { base: clock, at, doubt: false };
    }
}

/// The judge of the running office.
#[derive(Debug)]
pub struct Doubt {
    trust: Mutex<Trust>,
    started: Instant,
}

impl Doubt {
    /// Judges the system's clock by what the store knows. One that was just put back knows nothing of now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn of_store(conn: &Connection, restored: bool) -> rusqlite::Result<Self> {
        let clock = Timestamp::now();
        let seen: Option<Option<i64>> =
            conn.query_row("SELECT clock_seen_at FROM office", [], |row| row.get(0)).optional()?;
        let today = meguri_proto::clock::business_date(clock).to_string();
        let expected = conn.prepare("SELECT 1 FROM pickup WHERE date >= ?1 LIMIT 1")?.exists([today])?;
        let trust = Trust::start(
            seen.flatten().filter(|_| !restored).map(sql::instant),
            clock,
            Duration::ZERO,
            expected,
        );
        Ok(Self { trust: Mutex::new(trust), started: Instant::now() })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Trust, Duration) -> T) -> T {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut trust, self.started.elapsed())
    }
}

impl Judge for Doubt {
    fn now(&self, clock: Timestamp) -> Timestamp {
        self.with(|trust, at| trust.now(clock, at))
    }

    fn in_doubt(&self, clock: Timestamp) -> bool {
        self.with(|trust, at| {
            trust.now(clock, at);
            trust.doubt
        })
    }

    fn witness(&self, fresh: Timestamp, clock: Timestamp) {
        self.with(|trust, at| {
            trust.now(clock, at);
            if trust.doubt && fresh.duration_since(clock).abs() <= DAY {
                tracing::info!("a terminal's fix agrees with the clock: it is believed again");
                trust.believe(clock, at);
            }
        });
    }

    fn believe(&self, clock: Timestamp) {
        self.with(|trust, at| trust.believe(clock, at));
    }
}

/// Keeps the time that was believed, for the next start.
///
/// # Errors
/// When the store can't be written.
pub fn keep(conn: &Connection, believed: Timestamp) -> rusqlite::Result<()> {
    conn.execute("UPDATE office SET clock_seen_at = ?1", [sql::ms(believed)]).map(drop)
}

/// The notice of a doubted clock.
const NOTICE: &str = "clock_doubted";

/// Tells people that the clock is in doubt, once. Says whether that is new.
///
/// # Errors
/// When the store can't be written.
pub fn tell(conn: &Connection, now: Timestamp, shown: Timestamp) -> rusqlite::Result<bool> {
    let open = "SELECT 1 FROM notice WHERE kind = ?1 AND settled_at IS NULL";
    if conn.prepare_cached(open)?.exists([NOTICE])? {
        return Ok(false);
    }
    tracing::error!(clock = %shown, believed = %now, "the clock of this machine has jumped: it is in doubt, and nothing is erased by it");
    sql::notice(conn, now, NOTICE, None, &serde_json::json!({ "clock": shown, "believed": now }))
}

/// The doubt is over. Says whether there was one.
///
/// # Errors
/// When the store can't be written.
pub fn settle(conn: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let update = "UPDATE notice SET settled_at = ?2 WHERE kind = ?1 AND settled_at IS NULL";
    let settled = conn.prepare_cached(update)?.execute(rusqlite::params![NOTICE, sql::ms(now)])? > 0;
    if settled {
        tracing::info!("the clock of this machine is believed again");
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const fn hours(n: u64) -> Duration {
        Duration::from_secs(3_600 * n)
    }

    fn running() -> Trust {
        Trust::start(None, at("2026-04-01T00:00:00Z"), hours(0), false)
    }

    #[test]
    fn believes_what_agrees_and_small_corrections() {
        let mut trust = running();
        for (clock, passed) in
            [("2026-04-01T01:00:00Z", 1), ("2026-04-01T23:00:00Z", 2), ("2026-04-01T01:00:00Z", 3)]
        {
            assert_eq!(trust.now(at(clock), hours(passed)), at(clock));
            assert!(!trust.doubt);
        }
    }

    #[test]
    fn goes_on_by_the_time_before_a_jump_until_the_clock_is_back() {
        for jump in
            ["2026-04-03T00:00:00Z", "2036-04-01T00:00:00Z", "2026-03-30T00:00:00Z", "1970-01-01T00:00:00Z"]
        {
            let mut trust = running();
            assert_eq!(trust.now(at(jump), hours(1)), at("2026-04-01T01:00:00Z"), "{jump}");
            assert!(trust.doubt, "{jump}");
            assert_eq!(trust.now(at(jump), hours(2)), at("2026-04-01T02:00:00Z"), "time goes on");
            assert_eq!(trust.now(at("2026-04-01T03:00:05Z"), hours(3)), at("2026-04-01T03:00:05Z"));
            assert!(!trust.doubt, "it was set right");
        }
    }

    #[test]
    fn believes_a_jump_that_somebody_vouches_for() {
        let mut trust = running();
        let clock = at("2026-05-01T00:00:00Z");
        trust.now(clock, hours(1));
        trust.believe(clock, hours(1));
        assert_eq!(trust.now(clock, hours(1)), clock);
        assert!(!trust.doubt);
    }

    #[test]
    fn a_restart_needs_the_store_to_agree() {
        let start = |seen: &str, clock: &str, expected| {
            let mut trust = Trust::start(Some(at(seen)), at(clock), hours(0), expected);
            (trust.now(at(clock), hours(0)), trust.doubt)
        };
        let seen = "2026-04-01T00:00:00Z";
        let same = |text: &str| (at(text), false);
        assert_eq!(start(seen, "2026-04-01T20:00:00Z", false), same("2026-04-01T20:00:00Z"));
        assert_eq!(
            start(seen, "2026-04-06T00:00:00Z", true),
            same("2026-04-06T00:00:00Z"),
            "after the holidays"
        );
        assert_eq!(
            start(seen, "2036-04-01T00:00:00Z", false),
            (at(seen), true),
            "nobody planned so far ahead"
        );
        assert_eq!(start(seen, "2015-01-01T00:00:00Z", true), (at(seen), true), "a dead battery");
        let mut fresh = Trust::start(None, at("2015-01-01T00:00:00Z"), hours(0), false);
        assert_eq!(fresh.now(at("2015-01-01T00:00:00Z"), hours(0)), sql::instant(NOT_BEFORE));
        assert!(fresh.doubt, "before this program was");
    }
}
