//! Sign-ins that failed: after a few a login is locked, each time for longer; and all sign-ins together are braked.
//!
//! What counts is what was typed, whether anybody has that login or not, so that nobody learns who has an account.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use meguri_proto::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::config::People;
use crate::store::sql;

/// After that long without a failure a login begins anew.
const FORGOTTEN: i64 = 24 * 60 * 60 * 1000;
/// How many logins are remembered; whoever tries more of them meets the brake.
const REMEMBERED: i64 = 10_000;

fn key(login: &str) -> Digest {
    Digest::of(login.as_bytes())
}

/// Counts a sign-in as failed before it is looked at, so that many at a time are no way around the lock. Says whether
/// the login is open: whoever finds it so and has the right password calls [`forget`].
///
/// # Errors
/// When the store can't be written.
pub fn begin(tx: &Connection, now: Timestamp, login: &str, settings: &People) -> rusqlite::Result<bool> {
    let (key, now) = (key(login), sql::ms(now));
    tx.prepare_cached("DELETE FROM attempt WHERE last_at < ?1")?.execute([now - FORGOTTEN])?;
    tx.prepare_cached(
        "DELETE FROM attempt WHERE login_sha256 IN (SELECT login_sha256 FROM attempt ORDER BY last_at DESC LIMIT -1 OFFSET ?1)",
    )?
    .execute([REMEMBERED])?;
    let found: Option<(i64, i64)> = tx
        .prepare_cached("SELECT failures, locked_until FROM attempt WHERE login_sha256 = ?1")?
        .query_row([key.0.as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (failures, locked_until) = found.unwrap_or_default();
    if now < locked_until {
        return Ok(false);
    }
    let failures = failures + 1;
    let over = failures - i64::from(settings.attempts);
    let lock = if over < 0 { 0 } else { lock_seconds(over, settings) * 1_000 };
    tx.prepare_cached(
        "INSERT INTO attempt (login_sha256, failures, last_at, locked_until) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (login_sha256) DO UPDATE SET failures = ?2, last_at = ?3, locked_until = ?4",
    )?
    .execute(params![key.0.as_slice(), failures, now, now + lock])?;
    Ok(true)
}

/// How long a login is locked after so many failures beyond those that are free: twice as long each time.
fn lock_seconds(over: i64, settings: &People) -> i64 {
    let most = i64::from(settings.lock_minutes_most) * 60;
    let doubled = 2_i64.checked_pow(u32::try_from(over).unwrap_or(u32::MAX).min(30)).unwrap_or(i64::MAX);
    i64::from(settings.lock_seconds).saturating_mul(doubled).min(most)
}

/// The password was right: nothing is held against the login.
///
/// # Errors
/// When the store can't be written.
pub fn forget(tx: &Connection, login: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM attempt WHERE login_sha256 = ?1")?.execute([key(login).0.as_slice()])?;
    Ok(())
}

/// Lets so many through a minute, whoever they are.
#[derive(Debug)]
pub struct Brake {
    most: usize,
    recent: Mutex<VecDeque<Instant>>,
}

impl Brake {
    /// Lets `most` through a minute.
    #[must_use]
    pub fn new(most: u16) -> Self {
        Self { most: usize::from(most), recent: Mutex::default() }
    }

    /// Whether one more may go through at this moment.
    pub fn lets(&self, now: Instant) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(60)) {
            recent.pop_front();
        }
        if recent.len() >= self.most {
            return false;
        }
        recent.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn store() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        crate::store::bring_up(&mut conn).unwrap();
        conn
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn each_failure_locks_for_longer_and_success_forgets() {
        let (conn, settings) = (store(), People::default());
        let open = |second| begin(&conn, at(second), "sato", &settings).unwrap();
        for _ in 0..settings.attempts {
            assert!(open(0));
        }
        // The fifth failure has locked it for 30 seconds; what is tried meanwhile makes it no longer.
        for second in [0, 10, 29] {
            assert!(!open(second));
        }
        assert!(open(30));
        assert!(!open(89));
        assert!(open(90));
        assert!(!open(90 + 119));
        assert!(begin(&conn, at(91), "suzuki", &settings).unwrap(), "others are none of it");
        forget(&conn, "sato").unwrap();
        assert!(open(92) && open(92));
        // A day later nothing is known.
        for _ in 0..5 {
            open(92);
        }
        assert!(!open(93));
        assert!(open(93 + 25 * 3600));
    }

    #[test]
    fn no_lock_is_for_ever() {
        let settings = People::default();
        assert_eq!(
            [0, 1, 2, 3, 40, i64::MAX].map(|over| lock_seconds(over, &settings)),
            [30, 60, 120, 240, 900, 900]
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (conn, settings) = (store(), People::default());
        conn.execute_batch("BEGIN").unwrap();
        for n in 0..REMEMBERED + 50 {
            conn.execute(
                "INSERT INTO attempt VALUES (?1, 1, ?2, 0)",
                params![n.to_be_bytes(), sql::ms(at(0)) + n],
            )
            .unwrap();
        }
        begin(&conn, at(20), "sato", &settings).unwrap();
        let kept: i64 = conn.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, REMEMBERED + 1);
    }

    #[test]
    fn the_brake_lets_so_many_through_a_minute() {
        let (brake, begun) = (Brake::new(3), Instant::now());
        let lets = |second| brake.lets(begun + Duration::from_secs(second));
        assert_eq!([0, 10, 20, 30, 59].map(lets), [true, true, true, false, false]);
        assert_eq!([60, 61, 70].map(lets), [true, false, true]);
    }
}
