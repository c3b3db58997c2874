//! What the office could not take: kept raw until a person has looked.

use std::cmp::Ordering;
use std::time::Instant;

use meguri_proto::{Digest, LogKind, Message as _, TerminalId, Topic, UpTopic, Way, WireError, limits};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::apply::{self, EntryPlace, Taken};
use super::{Context, Effects, Incoming};
use crate::store::sql;

/// Most messages and notes of one terminal that lie open at a time. What comes beyond them is dropped: messages
/// were never acknowledged, and nobody reads a thousand. Entries don't count, since each comes once.
pub const MOST_OPEN: i64 = 1_000;
/// Says on the last one kept that others were dropped.
const TOO_MANY: &str =
    "too many are set aside for this terminal: what comes until some are settled is dropped";

/// Where something set aside belongs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Whose it is, where that is known.
    pub terminal: Option<&'a TerminalId>,
    /// The entry, where it is one.
    pub entry: Option<EntryPlace>,
}

/// Sets a message or an entry aside. `problem` holds none of the content.
///
/// # Errors
/// When the store can't be written.
pub fn set_aside(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    topic: &str,
    raw: &[u8],
    place: Place<'_>,
    problem: &str,
) -> rusqlite::Result<()> {
    let mut problem = problem;
    let mut same = None;
    // An entry comes here once, since it counts as taken; a message may be sent for ever.
    if place.entry.is_none() {
        // A message of the moment says something else each time and nothing a moment later, and who is not let in is known
        // by one: an open row stands for all of its topic.
        let of_the_moment = topic.parse().is_ok_and(|topic| {
            matches!(
                topic,
                Topic { way: Way::Up(UpTopic::Hello | UpTopic::Position | UpTopic::Presence), .. }
            )
        });
        let kept_out = [apply::UNKNOWN_TERMINAL, apply::BLOCKED].contains(&problem);
        let what = if of_the_moment || kept_out { &[] } else { raw };
        let digest = Digest::of(topic.as_bytes()).then(what);
        let mut known = conn.prepare_cached("SELECT 1 FROM aside WHERE same = ?1 AND settled_at IS NULL")?;
        if known.exists([digest.0.as_slice()])? {
            return Ok(());
        }
        let count =
            "SELECT count(*) FROM aside WHERE terminal IS ?1 AND same IS NOT NULL AND settled_at IS NULL";
        let open: i64 = conn
            .prepare_cached(count)?
            .query_row([place.terminal.map(TerminalId::as_str)], |row| row.get(0))?;
        match open.cmp(&MOST_OPEN) {
            Ordering::Less => {}
            Ordering::Equal => problem = TOO_MANY,
            Ordering::Greater => return Ok(()),
        }
        same = Some(digest.0.to_vec());
    }
    let insert =
        "INSERT INTO aside (at, topic, terminal, log, seq, entry_id, problem, raw, bytes, same, contract)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, (SELECT contract FROM terminal WHERE id = ?3))";
    let cut = &raw[..raw.len().min(limits::MESSAGE_BYTES)];
    conn.prepare_cached(insert)?.execute(params![
        sql::ms(ctx.now),
        topic,
        place.terminal.map(TerminalId::as_str),
        place.entry.map(|entry| entry.log),
        place.entry.map(|entry| sql::number(entry.seq)),
        place.entry.map(|entry| entry.id.0.as_bytes().to_vec()),
        problem,
        cut,
        i64::try_from(raw.len()).unwrap_or(i64::MAX),
        same,
    ])?;
    fx.touched.aside = true;
    fx.asides += 1;
    Ok(())
}

/// Why bytes are not a message, in words that hold none of them.
#[must_use]
pub fn problem(error: &WireError) -> String {
    match error {
        // The parser's own text may quote what it found.
        WireError::Malformed { what, source } => {
            format!("{what} can't be read: wrong at line {} column {}", source.line(), source.column())
        }
        WireError::OutOfBounds { what, field, .. } => format!("{what}: {field} is outside its limits"),
        WireError::TooLarge { .. } | WireError::UnknownVersion { .. } => error.to_string(),
    }
}

/// One thing set aside, for lists on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: jiff::Timestamp,
    /// On which topic.
    pub topic: String,
    /// What is wrong.
    pub problem: String,
    /// How long it is.
    pub bytes: i64,
}

/// What nobody has settled yet, oldest first.
///
/// # Errors
/// When the store can't be read.
pub fn open_rows(conn: &Connection) -> rusqlite::Result<Vec<Row>> {
    let select =
        "SELECT id, at, topic, problem, bytes FROM aside WHERE settled_at IS NULL ORDER BY id LIMIT 1000";
    let mut statement = conn.prepare(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            id: row.get(0)?,
            at: sql::instant(row.get(1)?),
            topic: row.get(2)?,
            problem: row.get(3)?,
            bytes: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// What came of trying again, or of putting away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is settled now.
    Done,
    /// There is no such row, or it is settled already.
    NotOpen,
    /// It still can't be taken.
    Still(String),
}

/// Puts one away: a person has looked.
///
/// # Errors
/// When the store can't be written.
pub fn settle(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    id: i64,
    how: &str,
) -> rusqlite::Result<Settled> {
    let update = "UPDATE aside SET settled_at = ?2, settled_how = ?3 WHERE id = ?1 AND settled_at IS NULL";
    if conn.execute(update, params![id, sql::ms(ctx.now), how])? == 0 {
        return Ok(Settled::NotOpen);
    }
    fx.touched.aside = true;
    Ok(Settled::Done)
}

/// Tries to take one again, for instance after an upgrade.
///
/// # Errors
/// When the store can't be read or written.
pub fn retry(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    id: i64,
) -> rusqlite::Result<Settled> {
    let select =
        "SELECT aside.topic, aside.raw, aside.bytes, aside.seq, entry.id, log.id, log.terminal, log.kind
        FROM aside LEFT JOIN log ON log.id = aside.log
        LEFT JOIN entry ON entry.log = aside.log AND entry.seq = aside.seq
        WHERE aside.id = ?1 AND aside.settled_at IS NULL";
    let found = conn
        .query_row(select, [id], |row| {
            let entry = match row.get::<_, Option<i64>>(5)? {
                Some(log) => {
                    let place = EntryPlace {
                        log,
                        seq: sql::seq(row, 3)?,
                        id: meguri_proto::FactId(sql::uuid(row, 4)?),
                    };
                    let terminal: TerminalId = sql::parsed(row, 6)?;
                    Some((place, terminal, row.get_ref(7)?.as_str()? == LogKind::Fact.as_str()))
                }
                None => None,
            };
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, entry))
        })
        .optional()?;
    let Some((topic, raw, bytes, entry)) = found else { return Ok(Settled::NotOpen) };
    let problem = match entry {
        Some((place, terminal, is_fact)) => {
            let kind = if is_fact { LogKind::Fact } else { LogKind::Track };
            let taken = apply::body(conn, ctx, fx, &terminal, kind, place, &raw)?;
            apply::refresh(conn, fx)?;
            match taken {
                Taken::Yes => None,
                Taken::No(problem) => Some(problem),
            }
        }
        None if i64::try_from(raw.len()) != Ok(bytes) => Some("only its beginning is kept".to_owned()),
        None => message_again(conn, ctx, fx, Incoming { topic, payload: raw })?,
    };
    match problem {
        Some(problem) => Ok(Settled::Still(problem)),
        None => settle(conn, ctx, fx, id, "processed"),
    }
}

/// Tries those entries again that named what the office did not know, now that it knows more: those after the number
/// `after`, at least one, and more until `until`. What still can't be taken stays as it is. Says after which to go on;
/// nothing where none is left.
///
/// # Errors
/// When the store can't be read or written.
pub fn retry_known(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    after: i64,
    until: Instant,
) -> rusqlite::Result<Option<i64>> {
    let select =
        "SELECT id FROM aside WHERE settled_at IS NULL AND log IS NOT NULL AND problem IN (?1, ?2, ?3)
            AND id > ?4 ORDER BY id LIMIT 1000";
    let open: Vec<i64> = conn
        .prepare_cached(select)?
        .query_map(
            params![apply::PICKUP_UNKNOWN, apply::OTHER_CONTRACT, apply::NOT_OF_TERMINAL, after],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    retry_some(conn, ctx, fx, open, until)
}

/// Tries those entries again that were under a contract which was not their terminal's, of terminals that got another schedule, for as
/// long as `until`: what is left then is tried with the next import.
///
/// # Errors
/// When the store can't be read or written.
pub(crate) fn retry_scheduled(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    until: Instant,
) -> rusqlite::Result<()> {
    let select =
        "SELECT id FROM aside WHERE terminal = ?1 AND problem = ?2 AND settled_at IS NULL AND log IS NOT NULL
        ORDER BY id LIMIT 1000";
    for terminal in std::mem::take(&mut fx.touched.scheduled) {
        let open: Vec<i64> = conn
            .prepare_cached(select)?
            .query_map(params![terminal.as_str(), apply::NOT_OF_TERMINAL], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        retry_some(conn, ctx, fx, open, until)?;
    }
    Ok(())
}

/// Tries these again, at least one, and more until `until`. Says the last one that was.
fn retry_some(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    open: Vec<i64>,
    until: Instant,
) -> rusqlite::Result<Option<i64>> {
    let mut last = None;
    for id in open {
        let mut own = Effects::default();
        conn.execute_batch("SAVEPOINT again")?;
        let done = retry(conn, ctx, &mut own, id);
        // One that the store refuses must not keep the rest back, whatever it is.
        let end = if done.is_ok() { "RELEASE again" } else { "ROLLBACK TO again; RELEASE again" };
        conn.execute_batch(end)?;
        match done {
            Ok(Settled::Done) => fx.merge(own),
            Ok(Settled::Still(_) | Settled::NotOpen) => {}
            Err(_) => tracing::error!(id, "the store refused what was set aside; it stays there"),
        }
        last = Some(id);
        if Instant::now() >= until {
            break;
        }
    }
    Ok(last)
}

/// Applies a whole message again where it can be read by now; else says why not.
fn message_again(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    message: Incoming,
) -> rusqlite::Result<Option<String>> {
    let Ok(Topic { way: Way::Up(up), .. }) = message.topic.parse() else {
        return Ok(Some("unknown topic".to_owned()));
    };
    // Only a log holds what would be lost; the rest was of the moment.
    let (UpTopic::Fact | UpTopic::Track) = up else {
        return Ok(Some("it was of the moment and says nothing any more; settle it".to_owned()));
    };
    if let Err(error) = meguri_proto::LogPublish::decode(&message.payload) {
        return Ok(Some(problem(&error)));
    }
    let mut own = Effects::default();
    apply::message(conn, ctx, &mut own, &message)?;
    apply::refresh(conn, &mut own)?;
    // Taken or held already, it is acknowledged; set aside anew, or with a gap before it, it is not.
    let taken = !own.acks.is_empty();
    fx.merge(own);
    Ok((!taken).then(|| "its terminal is unknown or blocked, or entries before it are missing".to_owned()))
}
