//! Who is signed in: a random token that the browser has, of which the store knows the SHA-256.

use std::fmt;

use jiff::Timestamp;
use meguri_proto::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Person, accounts};
use crate::config::{People, SecondFactor};
use crate::store::sql;

/// How often it is written down that somebody is still there.
const SEEN: i64 = 60_000;

/// What a browser has.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A token of these random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The token of a cookie; none where it is no token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A digest is spelt as a token is.
        text.parse::<Digest>().ok().map(|digest| Self(digest.0))
    }

    /// As the cookie has it.
    #[must_use]
    pub fn text(&self) -> String {
        Digest(self.0).to_string()
    }

    /// What the store knows of it.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// What forms carry, so that only pages of this session can send them. It tells nothing of the token.
    #[must_use]
    pub fn form(&self) -> String {
        Digest::of(b"meguri form ").then(&self.0).to_string()
    }
}

/// What stands between a signed-in person and the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The second factor must be given.
    Code,
    /// The password must be changed.
    Password,
    /// A second factor must be set up.
    SetUp,
    /// Nothing.
    In,
}

/// A session that holds.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// What stands between them and the pages.
    pub stage: Stage,
    /// Whether it is to be written down that they are still there.
    pub stale: bool,
}

/// Begins a session. Others of the person go on.
///
/// # Errors
/// When the store can't be written.
pub fn begin(
    tx: &Connection,
    now: Timestamp,
    person: i64,
    token: &Token,
    second: bool,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO session (sha256, person, made_at, seen_at, second) VALUES (?1, ?2, ?3, ?3, ?4)";
    tx.prepare_cached(insert)?.execute(params![token.sha256().0.as_slice(), person, sql::ms(now), second])?;
    tx.prepare_cached("UPDATE person SET signed_in_at = ?2 WHERE id = ?1")?
        .execute(params![person, sql::ms(now)])?;
    Ok(())
}

/// The session of a token, if it holds. A clock that was set back ends none.
///
/// # Errors
/// When the store can't be read.
pub fn find(
    conn: &Connection,
    now: Timestamp,
    token: &Token,
    settings: &People,
) -> rusqlite::Result<Option<Session>> {
    let found: Option<(i64, i64, i64, bool)> = conn
        .prepare_cached("SELECT person, made_at, seen_at, second FROM session WHERE sha256 = ?1")?
        .query_row([token.sha256().0.as_slice()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((person, made_at, seen_at, second)) = found else { return Ok(None) };
    let now = sql::ms(now);
    let (idle, whole) = lives(settings);
    if now - seen_at >= idle || now - made_at >= whole {
        return Ok(None);
    }
    let person = accounts::by_id(conn, person)?.filter(|person| person.blocked_at.is_none());
    Ok(person.map(|person| {
        let needs = match settings.second_factor {
            SecondFactor::Required => person.role.needs_second_factor(),
            SecondFactor::Everybody => true,
            SecondFactor::Optional => false,
        };
        let stage = if person.second_factor && !second {
            Stage::Code
        } else if person.must_change {
            Stage::Password
        } else if needs && !person.second_factor && !second {
            Stage::SetUp
        } else {
            Stage::In
        };
        Session { person, stage, stale: now - seen_at >= SEEN }
    }))
}

/// How long a session lives without a sign of its person, and at all; in milliseconds.
fn lives(settings: &People) -> (i64, i64) {
    (i64::from(settings.idle_minutes) * 60_000, i64::from(settings.hours) * 3_600_000)
}

/// Writes down that somebody is still there.
///
/// # Errors
/// When the store can't be written.
pub fn seen(tx: &Connection, now: Timestamp, token: &Token) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE session SET seen_at = ?2 WHERE sha256 = ?1 AND seen_at < ?2")?
        .execute(params![token.sha256().0.as_slice(), sql::ms(now)])?;
    Ok(())
}

/// Whether a session of this person has not been ended, as a change of theirs asks where it is written.
///
/// # Errors
/// When the store can't be read.
pub fn goes_on(tx: &Connection, person: i64, token: &Token) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM session WHERE sha256 = ?1 AND person = ?2")?
        .exists(params![token.sha256().0.as_slice(), person])
}

/// Ends a session.
///
/// # Errors
/// When the store can't be written.
pub fn end(tx: &Connection, token: &Token) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM session WHERE sha256 = ?1")?.execute([token.sha256().0.as_slice()])?;
    Ok(())
}

/// Ends the sessions of a person but for this one.
///
/// # Errors
/// When the store can't be written.
pub fn end_others(tx: &Connection, person: i64, token: &Token) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM session WHERE person = ?1 AND sha256 <> ?2")?
        .execute(params![person, token.sha256().0.as_slice()])?;
    Ok(())
}

/// A session as its person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Since when.
    pub since: Timestamp,
    /// When its person was last there.
    pub seen: Timestamp,
    /// Whether it is the one that asks.
    pub this: bool,
}

/// The sessions of a person that hold, the newest first.
///
/// # Errors
/// When the store can't be read.
pub fn open(
    conn: &Connection,
    now: Timestamp,
    person: i64,
    token: &Token,
    settings: &People,
) -> rusqlite::Result<Vec<Open>> {
    let (idle, whole) = lives(settings);
    let select = "SELECT made_at, seen_at, sha256 = ?2 FROM session
        WHERE person = ?1 AND seen_at > ?3 AND made_at > ?4 ORDER BY made_at DESC";
    let now = sql::ms(now);
    conn.prepare_cached(select)?
        .query_map(params![person, token.sha256().0.as_slice(), now - idle, now - whole], |row| {
            Ok(Open { since: sql::instant(row.get(0)?), seen: sql::instant(row.get(1)?), this: row.get(2)? })
        })?
        .collect()
}

/// Clears what does not hold any more away.
///
/// # Errors
/// When the store can't be written.
pub fn clear(tx: &Connection, now: Timestamp, settings: &People) -> rusqlite::Result<()> {
    let (idle, whole) = lives(settings);
    tx.prepare_cached("DELETE FROM session WHERE seen_at <= ?1 OR made_at <= ?2")?
        .execute([sql::ms(now) - idle, sql::ms(now) - whole])?;
    Ok(())
}
