//! Writes what was decided: entries as they came, facts once, pickups anew.
//!
//! Everything here runs in the writer's transaction, one savepoint a message. What must follow the
//! commit is collected in [`Effects`].

use meguri_proto::{
    ContractId, Entry, Epoch, FactBody, FactId, Hello, LogKind, LogPublish, Message, Position, Presence,
    SeqHeld, TerminalId, Topic, TrackBody, TrackFact, UpTopic, Way, WireError,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use uuid::Uuid;

use super::aside::{Place, problem, set_aside};
use super::decide::{self, Held, Verdict};
use super::{Answer, Context, Effects, Incoming};
use crate::pickups;
use crate::store::sql;
use crate::touched::Round;

/// Names a kept entry.
#[derive(Debug, Clone, Copy)]
pub struct EntryPlace {
    /// The log's row.
    pub log: i64,
    /// Its number there.
    pub seq: u64,
    /// Its id.
    pub id: FactId,
}

/// Whether a body could be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was, now or before.
    Yes,
    /// It was not; why, in words that hold none of it.
    No(String),
}

/// Applies one message. What can't be taken is set aside and never an error.
///
/// # Errors
/// When the store can't be read or written.
pub fn message(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    message: &Incoming,
) -> rusqlite::Result<()> {
    let Incoming { topic, payload } = message;
    // A topic that is not of the wire may still show whose it is.
    let whose: Option<TerminalId> = topic.split('/').nth(3).and_then(|word| word.parse().ok());
    let aside = |ctx: &mut Context<'_>, fx: &mut Effects, problem: &str| {
        let place = Place { terminal: whose.as_ref(), entry: None };
        set_aside(conn, ctx, fx, topic, payload, place, problem)
    };
    let up = match topic.parse::<Topic>() {
        Ok(Topic { city, way: Way::Up(up), .. }) if city == *ctx.city => up,
        _ => return aside(ctx, fx, "unknown topic"),
    };
    let Some(terminal) = whose.as_ref() else { return aside(ctx, fx, "unknown topic") };
    let known: Option<Option<i64>> = conn
        .prepare_cached("SELECT blocked_at FROM terminal WHERE id = ?1")?
        .query_row([terminal.as_str()], |row| row.get(0))
        .optional()?;
    match known {
        None => return aside(ctx, fx, "unknown terminal"),
        // What a broker retained of a blocked terminal says nothing.
        Some(Some(_)) if up == UpTopic::Presence => return Ok(()),
        Some(Some(_)) => return aside(ctx, fx, "the terminal is blocked"),
        Some(None) => {}
    }
    let read: Result<(), WireError> = match up {
        UpTopic::Hello => match Hello::decode(payload) {
            Ok(says) => return hello(conn, ctx, fx, terminal, says),
            Err(error) => Err(error),
        },
        UpTopic::Fact | UpTopic::Track => match LogPublish::decode(payload) {
            Ok(log) => {
                let kind = if up == UpTopic::Fact { LogKind::Fact } else { LogKind::Track };
                return publish(conn, ctx, fx, terminal, kind, topic, &log);
            }
            Err(error) => Err(error),
        },
        UpTopic::Position => match Position::decode(payload) {
            Ok(at) => return position(conn, fx, terminal, &at),
            Err(error) => Err(error),
        },
        UpTopic::Presence => match Presence::decode(payload) {
            Ok(presence) => return present(conn, fx, terminal, &presence),
            Err(error) => Err(error),
        },
    };
    match read {
        Ok(()) => Ok(()),
        Err(error) => aside(ctx, fx, &problem(&error)),
    }
}

/// One epoch's row; made at first contact.
fn log_row(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    log: LogKind,
    epoch: Epoch,
) -> rusqlite::Result<(i64, Held)> {
    let (whose, kind, epoch) = (terminal.as_str(), log.as_str(), epoch.0.as_bytes().as_slice());
    let found = conn
        .prepare_cached("SELECT id, held, digest FROM log WHERE terminal = ?1 AND kind = ?2 AND epoch = ?3")?
        .query_row(params![whose, kind, epoch], |row| {
            Ok((row.get(0)?, Held { seq: sql::seq(row, 1)?, digest: sql::digest(row, 2)? }))
        })
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    // A terminal that begins anew has left an epoch behind. Where it did so without a word, as it saw for itself that the
    // office holds other entries, this is the only sign.
    let left: Option<[u8; 16]> = conn
        .prepare_cached(
            "SELECT epoch FROM log WHERE terminal = ?1 AND kind = ?2 AND held > 0 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![whose, kind], |row| row.get(0))
        .optional()?;
    if let Some(left) = left {
        fork(conn, ctx, fx, terminal, log, Epoch(Uuid::from_bytes(left)))?;
    }
    conn.prepare_cached(
        "INSERT INTO log (terminal, kind, epoch, held, digest, opened_at) VALUES (?1, ?2, ?3, 0, ?4, ?5)",
    )?
    .execute(params![whose, kind, epoch, Held::NOTHING.digest.0.as_slice(), sql::ms(ctx.now)])?;
    Ok((conn.last_insert_rowid(), Held::NOTHING))
}

fn hold(conn: &Connection, log: i64, held: Held) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE log SET held = ?2, digest = ?3 WHERE id = ?1")?.execute(params![
        log,
        sql::number(held.seq),
        held.digest.0.as_slice()
    ])?;
    Ok(())
}

fn publish(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    kind: LogKind,
    topic: &str,
    publish: &LogPublish,
) -> rusqlite::Result<()> {
    let (log, mut held) = log_row(conn, ctx, fx, terminal, kind, publish.epoch)?;
    let (mut took, mut known) = (false, false);
    fx.heard.insert(terminal.clone());
    for entry in &publish.entries {
        let at_seq = if entry.seq < held.seq { digest_at(conn, log, entry.seq)? } else { None };
        match decide::entry(held, at_seq, entry.seq, entry.digest, entry.body_bytes()) {
            Verdict::Take(next) => {
                keep(conn, ctx, fx, terminal, kind, topic, log, entry)?;
                (held, took) = (next, true);
            }
            Verdict::Repeat => known = true,
            Verdict::Gap => {
                fx.ask.insert(terminal.clone());
                break;
            }
            Verdict::Fork => {
                fx.ask.insert(terminal.clone());
                fork(conn, ctx, fx, terminal, kind, publish.epoch)?;
                break;
            }
        }
    }
    if took {
        hold(conn, log, held)?;
        let insert = "INSERT OR IGNORE INTO note (sha256, text, received_at) VALUES (?1, ?2, ?3)";
        for (digest, text) in &publish.notes {
            conn.prepare_cached(insert)?.execute(params![digest.0.as_slice(), text, sql::ms(ctx.now)])?;
        }
    }
    if took || known {
        fx.acks.entry(terminal.clone()).or_default().insert((kind, publish.epoch), held);
    }
    Ok(())
}

fn digest_at(conn: &Connection, log: i64, seq: u64) -> rusqlite::Result<Option<meguri_proto::Digest>> {
    conn.prepare_cached("SELECT digest FROM entry WHERE log = ?1 AND seq = ?2")?
        .query_row(params![log, sql::number(seq)], |row| sql::digest(row, 0))
        .optional()
}

/// Keeps an entry as it came, and takes its body or sets it aside.
#[allow(clippy::too_many_arguments, reason = "they name the entry's place; a struct for one caller hides it")]
fn keep(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    kind: LogKind,
    topic: &str,
    log: i64,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO entry (log, seq, id, digest, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.prepare_cached(insert)?.execute(params![
        log,
        sql::number(entry.seq),
        entry.id.0.as_bytes().as_slice(),
        entry.digest.0.as_slice(),
        entry.body.get(),
        sql::ms(ctx.now),
    ])?;
    let place = EntryPlace { log, seq: entry.seq, id: entry.id };
    match body(conn, ctx, fx, terminal, kind, place, entry.body_bytes())? {
        Taken::Yes => Ok(()),
        Taken::No(problem) => {
            let at = Place { terminal: Some(terminal), entry: Some(place) };
            set_aside(conn, ctx, fx, topic, entry.body_bytes(), at, &problem)
        }
    }
}

/// Takes an entry's body.
///
/// # Errors
/// When the store can't be read or written.
pub fn body(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    kind: LogKind,
    place: EntryPlace,
    bytes: &[u8],
) -> rusqlite::Result<Taken> {
    match kind {
        LogKind::Fact => match FactBody::decode(bytes) {
            Ok(body) => fact(conn, ctx, fx, terminal, place, &body, bytes),
            Err(error) => Ok(Taken::No(problem(&error))),
        },
        LogKind::Track => match TrackBody::decode(bytes) {
            Ok(body) => track(conn, ctx, fx, terminal, place, &body),
            Err(error) => Ok(Taken::No(problem(&error))),
        },
    }
}

fn fact(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    place: EntryPlace,
    body: &FactBody,
    bytes: &[u8],
) -> rusqlite::Result<Taken> {
    let id = place.id.0.as_bytes().as_slice();
    let mut known = conn.prepare_cached("SELECT 1 FROM fact WHERE id = ?1")?;
    if known.exists([id])? {
        // It came in another epoch before: a fork carried it over.
        return Ok(Taken::Yes);
    }
    if !works_under(conn, terminal, &body.contract)? {
        return Ok(Taken::No("the contract is not the terminal's".to_owned()));
    }
    let pickup: Option<(i64, Round)> = conn
        .prepare_cached("SELECT id, date, contract, vehicle FROM pickup WHERE uid = ?1")?
        .query_row([body.fact.pickup().0.as_bytes().as_slice()], |row| {
            let round = Round {
                date: sql::parsed(row, 1)?,
                contract: sql::parsed(row, 2)?,
                vehicle: sql::parsed(row, 3)?,
            };
            Ok((row.get(0)?, round))
        })
        .optional()?;
    let Some((pickup, round)) = pickup else { return Ok(Taken::No("the pickup is unknown".to_owned())) };
    let insert = "INSERT INTO fact
        (id, log, seq, terminal, pickup, contract, body, terminal_at, gnss_at, trusted_at, received_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    conn.prepare_cached(insert)?.execute(params![
        id,
        place.log,
        sql::number(place.seq),
        terminal.as_str(),
        pickup,
        body.contract.as_str(),
        // It was decoded from these bytes, so they are UTF-8.
        String::from_utf8_lossy(bytes),
        sql::ms(body.at.terminal),
        body.at.gnss.map(sql::ms),
        body.at.trusted.map(sql::ms),
        sql::ms(ctx.now),
    ])?;
    conn.prepare_cached("INSERT INTO history (pickup, at, kind, fact) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![pickup, sql::ms(ctx.now), pickups::history_kind(&body.fact), id])?;
    pickups::refresh(conn, pickup)?;
    fx.touched.history = true;
    fx.touched.spoken.insert((round, terminal.clone()));
    Ok(Taken::Yes)
}

/// Whether a terminal works under a contract now, or once had a list of it: late facts of March stay March's.
fn works_under(conn: &Connection, terminal: &TerminalId, contract: &ContractId) -> rusqlite::Result<bool> {
    let select = "SELECT 1 FROM terminal WHERE id = ?1 AND contract = ?2
        UNION ALL SELECT 1 FROM document WHERE terminal = ?1 AND name BETWEEN ?3 AND ?4
            AND EXISTS (SELECT 1 FROM contract WHERE id = ?2)";
    // Names of lists are list/{contract}/{date}; '0' follows '/' in ASCII.
    let (from, to) = (format!("list/{contract}/"), format!("list/{contract}0"));
    conn.prepare_cached(select)?.exists(params![terminal.as_str(), contract.as_str(), from, to])
}

fn track(
    conn: &Connection,
    _ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    place: EntryPlace,
    body: &TrackBody,
) -> rusqlite::Result<Taken> {
    let TrackFact::Health(health) = &body.track;
    let insert = "INSERT OR IGNORE INTO health (log, seq, at, app, waiting, free_bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    conn.prepare_cached(insert)?.execute(params![
        place.log,
        sql::number(place.seq),
        sql::ms(body.at.best()),
        health.app,
        sql::number(health.waiting),
        health.free_bytes.map(sql::number),
    ])?;
    conn.prepare_cached("UPDATE terminal SET app = ?2, waiting = ?3 WHERE id = ?1")?.execute(params![
        terminal.as_str(),
        health.app,
        sql::number(health.waiting)
    ])?;
    fx.touched.presence = true;
    Ok(Taken::Yes)
}

/// Tells a person of a fork, once an epoch.
fn fork(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    kind: LogKind,
    epoch: Epoch,
) -> rusqlite::Result<()> {
    let detail = json!({ "log": kind, "epoch": epoch });
    // Also where somebody has settled it: the epoch stays closed.
    let select = "SELECT 1 FROM notice WHERE kind = 'fork' AND terminal = ?1 AND detail = ?2";
    if !conn.prepare_cached(select)?.exists(params![terminal.as_str(), detail.to_string()])? {
        tracing::warn!(%terminal, log = %kind, %epoch, "the terminal's log is not the one held: its store was put back or cloned");
        fx.touched.notice |= sql::notice(conn, ctx.now, "fork", Some(terminal), &detail)?;
    }
    Ok(())
}

fn hello(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    says: Hello,
) -> rusqlite::Result<()> {
    fx.heard.insert(terminal.clone());
    let same_office = says.incarnation == Some(ctx.incarnation);
    let mut answer = Answer { terminal: terminal.clone(), nonce: says.nonce, held: Vec::new() };
    for kind in LogKind::ALL {
        for epoch in says.logs.of(kind) {
            let (log, held) = log_row(conn, ctx, fx, terminal, kind, epoch.epoch)?;
            let decided = decide::hello(held, epoch, same_office);
            if let Some((first, last)) = decided.hole {
                hold(conn, log, decided.held)?;
                conn.prepare_cached(
                    "INSERT OR IGNORE INTO hole (log, first_seq, last_seq, noticed_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![log, sql::number(first), sql::number(last), sql::ms(ctx.now)])?;
                tracing::warn!(%terminal, log = %kind, epoch = %epoch.epoch, first, last, "entries that nobody has any more");
                let detail = json!({ "log": kind, "epoch": epoch.epoch, "first": first, "last": last });
                fx.touched.notice |= sql::notice(conn, ctx.now, "hole", Some(terminal), &detail)?;
            }
            if decided.fork {
                fork(conn, ctx, fx, terminal, kind, epoch.epoch)?;
            }
            fx.lost |= decided.lost;
            let Held { seq, digest } = decided.held;
            answer.held.push(SeqHeld { log: kind, epoch: epoch.epoch, seq, digest });
        }
    }
    if ctx.memory.alternates(terminal, says.boot) {
        tracing::warn!(%terminal, "two devices under one name");
        fx.touched.notice |= sql::notice(conn, ctx.now, "two_devices", Some(terminal), &json!({}))?;
    }
    let update = "UPDATE terminal SET online = 1, boot = ?2, app = ?3 WHERE id = ?1";
    conn.prepare_cached(update)?.execute(params![
        terminal.as_str(),
        says.boot.0.as_bytes().as_slice(),
        says.app
    ])?;
    fx.touched.presence = true;
    fx.answers.push(answer);
    fx.hellos.push((terminal.clone(), says));
    Ok(())
}

fn position(
    conn: &Connection,
    fx: &mut Effects,
    terminal: &TerminalId,
    at: &Position,
) -> rusqlite::Result<()> {
    fx.heard.insert(terminal.clone());
    fx.touched.presence = true;
    let update = "UPDATE terminal SET lat = ?2, lng = ?3, position_at = ?4 WHERE id = ?1";
    conn.prepare_cached(update)?.execute(params![terminal.as_str(), at.lat, at.lng, sql::ms(at.at)])?;
    Ok(())
}

fn present(
    conn: &Connection,
    fx: &mut Effects,
    terminal: &TerminalId,
    says: &Presence,
) -> rusqlite::Result<()> {
    fx.touched.presence = true;
    let boot = says.boot.0.as_bytes().as_slice();
    if says.online {
        let update = "UPDATE terminal SET online = 1, boot = ?2, app = ?3 WHERE id = ?1";
        conn.prepare_cached(update)?.execute(params![terminal.as_str(), boot, says.app])?;
    } else {
        // The last will of an earlier start says nothing of the present one.
        let update = "UPDATE terminal SET online = 0 WHERE id = ?1 AND (boot IS NULL OR boot = ?2)";
        conn.prepare_cached(update)?.execute(params![terminal.as_str(), boot])?;
    }
    Ok(())
}
