//! Writes what was decided: entries as they came, facts once, pickups anew.
//!
//! Everything here runs in the writer's transaction. What must follow the commit is collected in [`Effects`].

use std::collections::BTreeSet;

use meguri_proto::pickup::OfficeWord;
use meguri_proto::{
    ConfigChange, ContractId, Digest, Entry, Epoch, Fact, FactBody, FactId, Hello, LogKind, LogPublish,
    Message, Position, Presence, SeqHeld, TerminalId, Topic, TrackBody, TrackFact, UpTopic, Way, WireError,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;
use uuid::Uuid;

use super::aside::{Place, problem, set_aside};
use super::decide::{self, Held, Verdict};
use super::{Answer, Context, Effects, Incoming};
use crate::enrol;
use crate::lost;
use crate::pickups;
use crate::schedules;
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

/// Why a message of a terminal that was never made can't be taken.
pub(super) const UNKNOWN_TERMINAL: &str = "unknown terminal";
/// Why a message of a terminal that is kept out can't be taken.
pub(super) const BLOCKED: &str = "the terminal is blocked";
/// Why a fact about a pickup that no file has named yet can't be taken.
pub(super) const PICKUP_UNKNOWN: &str = "the pickup is unknown";
/// Why a fact under a contract that no schedule of the terminal names can't be taken.
pub(super) const NOT_OF_TERMINAL: &str = "the contract is not the terminal's";
/// Why a fact under a contract that the pickup is not known to have been under can't be taken.
pub(super) const OTHER_CONTRACT: &str = "the pickup is not of the contract";

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
    let aside = |ctx: &Context<'_>, fx: &mut Effects, problem: &str| {
        let place = Place { terminal: whose.as_ref(), entry: None };
        set_aside(conn, ctx, fx, topic, payload, place, problem)
    };
    let up = match topic.parse::<Topic>() {
        Ok(Topic { city, way: Way::Up(up), .. }) if city == *ctx.city => up,
        _ => return aside(ctx, fx, "unknown topic"),
    };
    let Some(terminal) = whose.as_ref() else { return aside(ctx, fx, "unknown topic") };
    if !ctx.memory.lets_speak(terminal) {
        let known: Option<(bool, bool)> = conn
            .prepare_cached("SELECT blocked_at IS NOT NULL, lost_at IS NOT NULL FROM terminal WHERE id = ?1")?
            .query_row([terminal.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let lost = match known {
            None => return aside(ctx, fx, UNKNOWN_TERMINAL),
            // What a broker retained of a blocked terminal says nothing.
            Some((true, _)) if up == UpTopic::Presence => return Ok(()),
            Some((true, _)) => return aside(ctx, fx, BLOCKED),
            Some((false, lost)) => lost,
        };
        if lost && up != UpTopic::Hello {
            // Whoever has it may say anything. What its crew had recorded before stays on it, since nothing is acknowledged.
            return Ok(());
        }
        if lost {
            return match Hello::decode(payload) {
                Ok(says) => lost::hello(conn, ctx, fx, terminal, says),
                Err(error) => aside(ctx, fx, &problem(&error)),
            };
        }
        ctx.memory.let_speak(terminal);
    }
    let read: Result<(), WireError> = match up {
        UpTopic::Hello => match Hello::decode(payload) {
            Ok(says) if names_too_many(conn, terminal, &says)? => {
                return aside(ctx, fx, "the terminal names too many epochs of which no entry is held");
            }
            Ok(says) if lost::is_forgotten(conn, terminal, &says)? => {
                lost::forgotten(conn, ctx, fx, terminal)?;
                return lost::hello(conn, ctx, fx, terminal, says);
            }
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

/// Most epochs of one log of a terminal of which the office holds no entry. A terminal has a few at most.
const EMPTY_EPOCHS: i64 = 64;

/// An epoch's row, where the office has met it.
fn known_log(
    conn: &Connection,
    terminal: &TerminalId,
    log: LogKind,
    epoch: Epoch,
) -> rusqlite::Result<Option<(i64, Held)>> {
    conn.prepare_cached("SELECT id, held, digest FROM log WHERE terminal = ?1 AND kind = ?2 AND epoch = ?3")?
        .query_row(params![terminal.as_str(), log.as_str(), epoch.0.as_bytes().as_slice()], |row| {
            Ok((row.get(0)?, Held { seq: sql::seq(row, 1)?, digest: sql::digest(row, 2)? }))
        })
        .optional()
}

/// Whether a hello would have one more hole recorded as an epoch's beginning than any terminal has reason for.
fn names_too_many(conn: &Connection, terminal: &TerminalId, says: &Hello) -> rusqlite::Result<bool> {
    let count = "SELECT count(*) FROM log WHERE terminal = ?1 AND kind = ?2 AND held > 0
        AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.log = log.id)";
    for kind in LogKind::ALL {
        let mut begins = false;
        for epoch in says.logs.of(kind).iter().filter(|epoch| epoch.first > 1) {
            begins |= known_log(conn, terminal, kind, epoch.epoch)?.is_none_or(|(_, held)| held.seq == 0);
        }
        if begins {
            let found: i64 = conn
                .prepare_cached(count)?
                .query_row([terminal.as_str(), kind.as_str()], |row| row.get(0))?;
            if found >= EMPTY_EPOCHS {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// One epoch's row; made at first contact.
fn log_row(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    log: LogKind,
    epoch: Epoch,
) -> rusqlite::Result<(i64, Held)> {
    if let Some(found) = known_log(conn, terminal, log, epoch)? {
        return Ok(found);
    }
    let (whose, kind, epoch) = (terminal.as_str(), log.as_str(), epoch.0.as_bytes().as_slice());
    // A terminal that begins anew has left an epoch behind. Where it did so without a word, as it saw for itself that the
    // office holds other entries, this is the only sign.
    let left: Option<(i64, Uuid)> = conn
        .prepare_cached(
            "SELECT id, epoch FROM log WHERE terminal = ?1 AND kind = ?2 AND held > 0 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![whose, kind], |row| Ok((row.get(0)?, sql::uuid(row, 1)?)))
        .optional()?;
    if let Some((row, left)) = left {
        fork(conn, ctx, fx, terminal, row, (log, Epoch(left)))?;
    }
    conn.prepare_cached(
        "INSERT INTO log (terminal, kind, epoch, held, digest, opened_at) VALUES (?1, ?2, ?3, 0, ?4, ?5)",
    )?
    .execute(params![whose, kind, epoch, Held::NOTHING.digest.0.as_slice(), sql::ms(ctx.now)])?;
    let row = conn.last_insert_rowid();
    // Of an epoch of which nothing is held nothing is lost: where it comes again, it begins again.
    conn.prepare_cached(
        "DELETE FROM log WHERE terminal = ?1 AND kind = ?2 AND held = 0 AND id NOT IN (SELECT id FROM log
            WHERE terminal = ?1 AND kind = ?2 AND held = 0 ORDER BY id DESC LIMIT ?3)",
    )?
    .execute(params![whose, kind, EMPTY_EPOCHS])?;
    ctx.memory.forget_logs(terminal);
    Ok((row, Held::NOTHING))
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
    let (log, mut held) = match ctx.memory.log(terminal, (kind, publish.epoch)) {
        Some(known) => known,
        None => log_row(conn, ctx, fx, terminal, kind, publish.epoch)?,
    };
    let (mut took, mut known, mut whole) = (false, false, true);
    fx.heard.insert(terminal.clone());
    for entry in &publish.entries {
        let at_seq = if entry.seq <= held.seq { digest_at(conn, log, entry.seq)? } else { None };
        match decide::entry(held, at_seq, entry.seq, entry.digest, entry.body_bytes()) {
            Verdict::Take(next) => {
                keep(conn, ctx, fx, terminal, kind, topic, log, entry)?;
                (held, took) = (next, true);
            }
            Verdict::Repeat => known = true,
            Verdict::Gap => {
                fx.ask.insert(terminal.clone());
                whole = false;
                break;
            }
            Verdict::Fork => {
                fx.ask.insert(terminal.clone());
                fork(conn, ctx, fx, terminal, log, (kind, publish.epoch))?;
                whole = false;
                break;
            }
        }
    }
    if took {
        hold(conn, log, held)?;
        ctx.memory.holds(terminal, (kind, publish.epoch), log, held);
    }
    if took || known {
        notes(conn, ctx, fx, terminal, topic, log, publish, whole)?;
        fx.acks.entry(terminal.clone()).or_default().insert((kind, publish.epoch), held);
    }
    Ok(())
}

/// Keeps the notes that the held entries among the publish's name, also where they come with a repeat. What is no
/// good note is set aside alone. Unless the publish was `whole`, the other notes' entries are still to come.
#[allow(
    clippy::too_many_arguments,
    reason = "they name the publish's place; a struct for one caller hides it"
)]
fn notes(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    topic: &str,
    log: i64,
    publish: &LogPublish,
    whole: bool,
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (publish.entries.first(), publish.entries.last()) else { return Ok(()) };
    if publish.notes.is_empty() {
        return Ok(());
    }
    // As kept, not as sent again: a repeat's body is not looked at. Digests stand between quotes whatever
    // the body's version.
    let mut named = BTreeSet::new();
    let mut bodies =
        conn.prepare_cached("SELECT body FROM entry WHERE log = ?1 AND seq BETWEEN ?2 AND ?3")?;
    let mut rows = bodies.query(params![log, sql::number(first.seq), sql::number(last.seq)])?;
    while let Some(row) = rows.next()? {
        named.extend(row.get_ref(0)?.as_str()?.split('"').filter_map(|word| word.parse::<Digest>().ok()));
    }
    let at = Place { terminal: Some(terminal), entry: None };
    for (digest, text) in &publish.notes {
        if !named.contains(digest) {
            if whole {
                set_aside(conn, ctx, fx, topic, text.as_bytes(), at, "a note that no entry names")?;
            }
        } else if Digest::of(text.as_bytes()) != *digest {
            set_aside(conn, ctx, fx, topic, text.as_bytes(), at, "a note that its SHA-256 does not name")?;
        } else if let Err(error) = LogPublish::check_note(digest, text) {
            set_aside(conn, ctx, fx, topic, text.as_bytes(), at, &problem(&error))?;
        } else {
            // The same words may be another pickup's: they are kept as long as the last one's.
            let insert = "INSERT INTO note (sha256, text, received_at) VALUES (?1, ?2, ?3)
                ON CONFLICT (sha256) DO UPDATE SET received_at = max(received_at, excluded.received_at)";
            conn.prepare_cached(insert)?.execute(params![digest.0.as_slice(), text, sql::ms(ctx.now)])?;
        }
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
    // A fork carries entries over as they were. Whatever was made of one when it came first stands; `body` sees to what
    // was taken.
    if was_set_aside(conn, terminal, kind, entry)? {
        return Ok(());
    }
    let place = EntryPlace { log, seq: entry.seq, id: entry.id };
    match body(conn, ctx, fx, terminal, kind, place, entry.body_bytes())? {
        Taken::Yes => Ok(()),
        Taken::No(problem) => {
            let at = Place { terminal: Some(terminal), entry: Some(place) };
            set_aside(conn, ctx, fx, topic, entry.body_bytes(), at, &problem)
        }
    }
}

/// Whether the same entry of the same terminal was set aside before, whatever became of it there.
fn was_set_aside(
    conn: &Connection,
    terminal: &TerminalId,
    kind: LogKind,
    entry: &Entry,
) -> rusqlite::Result<bool> {
    // As the entry was kept: what was set aside is emptied once it is settled.
    let select = "SELECT 1 FROM aside JOIN entry USING (log, seq) JOIN log ON log.id = aside.log
        WHERE entry_id = ?1 AND log.terminal = ?2 AND kind = ?3 AND body = ?4";
    conn.prepare_cached(select)?.exists(params![
        entry.id.0.as_bytes().as_slice(),
        terminal.as_str(),
        kind.as_str(),
        entry.body.get()
    ])
}

/// Whether the same entry of the same terminal was taken before.
fn was_taken(
    conn: &Connection,
    terminal: &TerminalId,
    kind: LogKind,
    id: FactId,
    bytes: &[u8],
) -> rusqlite::Result<bool> {
    let select = match kind {
        LogKind::Fact => {
            "SELECT 1 FROM fact WHERE id = ?1 AND terminal = ?2 AND body = ?3
            UNION ALL SELECT 1 FROM config_event WHERE id = ?1 AND terminal = ?2 AND body = ?3"
        }
        LogKind::Track => {
            "SELECT 1 FROM health JOIN entry USING (log, seq) JOIN log ON log.id = health.log
            WHERE entry_id = ?1 AND terminal = ?2 AND body = ?3"
        }
    };
    let text = String::from_utf8_lossy(bytes);
    conn.prepare_cached(select)?.exists(params![id.0.as_bytes().as_slice(), terminal.as_str(), text])
}

/// Decides the state of every pickup anew of which facts were kept.
///
/// # Errors
/// When the store can't be read or written.
pub fn refresh(conn: &Connection, fx: &mut Effects) -> rusqlite::Result<()> {
    std::mem::take(&mut fx.stale)
        .into_iter()
        .try_for_each(|(pickup, office)| pickups::refresh_under(conn, pickup, office))
}

/// Takes an entry's body. What it says of a pickup counts after the next [`refresh`].
///
/// # Errors
/// When the store can't be read or written.
pub fn body(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    kind: LogKind,
    place: EntryPlace,
    bytes: &[u8],
) -> rusqlite::Result<Taken> {
    let taken = match kind {
        LogKind::Fact => match FactBody::decode(bytes) {
            Ok(body) => fact(conn, ctx, fx, terminal, place, &body, bytes)?,
            Err(error) => Taken::No(problem(&error)),
        },
        LogKind::Track => match TrackBody::decode(bytes) {
            Ok(body) => track(conn, fx, terminal, place, &body)?,
            Err(error) => Taken::No(problem(&error)),
        },
    };
    match taken {
        // It was taken when it came first, maybe under other rules: that stands.
        Taken::No(_) if was_taken(conn, terminal, kind, place.id, bytes)? => Ok(Taken::Yes),
        taken => Ok(taken),
    }
}

fn fact(
    conn: &Connection,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    place: EntryPlace,
    body: &FactBody,
    bytes: &[u8],
) -> rusqlite::Result<Taken> {
    let id = place.id.0.as_bytes().as_slice();
    // It was decoded from these bytes, so they are UTF-8.
    let text = String::from_utf8_lossy(bytes);
    // Of a configuration whatever is said is kept, also of one that came from elsewhere, under whatever contract.
    if let Fact::Config(change) = &body.fact {
        return config(conn, ctx, fx, terminal, place, body, change, &text);
    }
    if !works_under(conn, ctx, terminal, &body.contract)? {
        return Ok(Taken::No(NOT_OF_TERMINAL.to_owned()));
    }
    let Some(pickup) = body.fact.pickup() else {
        return Ok(Taken::No("the fact speaks of no pickup".to_owned()));
    };
    let pickup: Option<(i64, Round, OfficeWord)> = conn
        .prepare_cached("SELECT id, date, contract, vehicle, office FROM pickup WHERE uid = ?1")?
        .query_row([pickup.0.as_bytes().as_slice()], |row| {
            let round = Round {
                date: sql::parsed(row, 1)?,
                contract: sql::parsed(row, 2)?,
                vehicle: sql::parsed(row, 3)?,
            };
            Ok((row.get(0)?, round, sql::json(row, 4)?))
        })
        .optional()?;
    let Some((pickup, round, office)) = pickup else { return Ok(Taken::No(PICKUP_UNKNOWN.to_owned())) };
    if !was_under(conn, pickup, &round.contract, &body.contract)? {
        return Ok(Taken::No(OTHER_CONTRACT.to_owned()));
    }
    let insert = "INSERT INTO fact
        (id, log, seq, terminal, pickup, contract, body, terminal_at, gnss_at, trusted_at, received_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING";
    let kept = conn.prepare_cached(insert)?.execute(params![
        id,
        place.log,
        sql::number(place.seq),
        terminal.as_str(),
        pickup,
        body.contract.as_str(),
        text,
        sql::ms(body.at.terminal),
        body.at.gnss.map(sql::ms),
        body.at.trusted.map(sql::ms),
        sql::ms(ctx.now),
    ])?;
    if kept == 0 {
        return Ok(Taken::No("the id is another fact's".to_owned()));
    }
    conn.prepare_cached("INSERT INTO history (pickup, at, kind, fact) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![pickup, sql::ms(ctx.now), pickups::history_kind(&body.fact), id])?;
    fx.stale.insert(pickup, office);
    fx.facts += 1;
    fx.touched.history = true;
    fx.touched.spoken.insert((round, terminal.clone()));
    Ok(Taken::Yes)
}

/// Keeps what a terminal says of its configuration, once.
#[allow(clippy::too_many_arguments, reason = "as `fact`, and what it says")]
fn config(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    place: EntryPlace,
    body: &FactBody,
    change: &ConfigChange,
    text: &str,
) -> rusqlite::Result<Taken> {
    let insert = "INSERT INTO config_event
        (id, log, seq, terminal, version, digest, state, contract, effective_at, why, detail, body,
            terminal_at, gnss_at, trusted_at, received_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT (id) DO NOTHING";
    let kept = conn.prepare_cached(insert)?.execute(params![
        place.id.0.as_bytes().as_slice(),
        place.log,
        sql::number(place.seq),
        terminal.as_str(),
        sql::number(change.version),
        change.bundle.0.as_slice(),
        schedules::word(&change.state),
        change.contract.as_ref().map(ContractId::as_str),
        change.effective_at.map(sql::ms),
        change.why.as_ref().map(schedules::word),
        change.detail,
        text,
        sql::ms(body.at.terminal),
        body.at.gnss.map(sql::ms),
        body.at.trusted.map(sql::ms),
        sql::ms(ctx.now),
    ])?;
    if kept == 0 {
        return Ok(Taken::No("the id is another fact's".to_owned()));
    }
    fx.facts += 1;
    schedules::take(conn, &mut fx.touched, terminal, change, ctx.now)?;
    Ok(Taken::Yes)
}

/// Whether a terminal works under a contract now or by any schedule that it was given, or once had a list of it: late facts of March
/// stay March's.
fn works_under(
    conn: &Connection,
    ctx: &mut Context<'_>,
    terminal: &TerminalId,
    contract: &ContractId,
) -> rusqlite::Result<bool> {
    if ctx.works_under.get(terminal) == Some(contract) {
        return Ok(true);
    }
    let select = "SELECT 1 FROM terminal WHERE id = ?1 AND contract = ?2
        UNION ALL SELECT 1 FROM document WHERE terminal = ?1 AND name BETWEEN ?3 AND ?4
            AND EXISTS (SELECT 1 FROM contract WHERE id = ?2)";
    // Names of lists are list/{contract}/{date}; '0' follows '/' in ASCII.
    let (from, to) = (format!("list/{contract}/"), format!("list/{contract}0"));
    let works =
        conn.prepare_cached(select)?.exists(params![terminal.as_str(), contract.as_str(), from, to])?
            || schedules::ever_named(conn, terminal, contract)?;
    if works {
        ctx.works_under.insert(terminal.clone(), contract.clone());
    }
    Ok(works)
}

/// Whether a pickup, under `now` by now, is or once was under a contract: of one that moved, late facts still count.
fn was_under(
    conn: &Connection,
    pickup: i64,
    now: &ContractId,
    contract: &ContractId,
) -> rusqlite::Result<bool> {
    let select = "SELECT 1 FROM history WHERE pickup = ?1 AND kind = 'changed'
        AND json_extract(detail, '$.fields.contract[0]') = ?2";
    Ok(now == contract || conn.prepare_cached(select)?.exists(params![pickup, contract.as_str()])?)
}

fn track(
    conn: &Connection,
    fx: &mut Effects,
    terminal: &TerminalId,
    place: EntryPlace,
    body: &TrackBody,
) -> rusqlite::Result<Taken> {
    let TrackFact::Health(health) = &body.track;
    let insert = "INSERT INTO health (log, seq, at, app, waiting, free_bytes, entry_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    let kept = conn.prepare_cached(insert)?.execute(params![
        place.log,
        sql::number(place.seq),
        sql::ms(body.at.best()),
        health.app,
        sql::number(health.waiting),
        health.free_bytes.map(sql::number),
        place.id.0.as_bytes().as_slice(),
    ])?;
    if kept == 0 {
        return Ok(Taken::No("the id is another sample's".to_owned()));
    }
    conn.prepare_cached("UPDATE terminal SET app = ?2, waiting = ?3 WHERE id = ?1")?.execute(params![
        terminal.as_str(),
        health.app,
        sql::number(health.waiting)
    ])?;
    fx.touched.presence = true;
    Ok(Taken::Yes)
}

/// Tells a person of a fork, once an epoch: one open notice a terminal, which counts them and names the latest.
fn fork(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    log: i64,
    (kind, epoch): (LogKind, Epoch),
) -> rusqlite::Result<()> {
    let update = "UPDATE log SET forked_at = ?2 WHERE id = ?1 AND forked_at IS NULL";
    if conn.prepare_cached(update)?.execute(params![log, sql::ms(ctx.now)])? == 0 {
        // Told before, and maybe settled: the epoch stays closed.
        return Ok(());
    }
    fx.touched.notice = true;
    let update = "UPDATE notice SET detail =
            json_set(detail, '$.log', ?2, '$.epoch', ?3, '$.count', coalesce(detail ->> 'count', 1) + 1)
        WHERE id = (SELECT max(id) FROM notice
            WHERE kind = 'fork' AND terminal = ?1 AND settled_at IS NULL)";
    let counted =
        conn.prepare_cached(update)?.execute(params![terminal.as_str(), kind.as_str(), epoch.to_string()])?;
    if counted == 0 {
        tracing::warn!(%terminal, log = %kind, %epoch, "the terminal's log is not the one held: its store was put back or cloned");
        let detail = json!({ "log": kind, "epoch": epoch, "count": 1 });
        sql::notice(conn, ctx.now, "fork", Some(terminal), &detail)?;
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
    // A hello may make rows, drop others and move what is held past a hole.
    ctx.memory.forget_logs(terminal);
    let same_office = says.incarnation == Some(ctx.incarnation);
    let mut answer = Answer { terminal: terminal.clone(), nonce: says.nonce, held: Vec::new() };
    for kind in LogKind::ALL {
        for epoch in says.logs.of(kind) {
            let (log, held) = log_row(conn, ctx, fx, terminal, kind, epoch.epoch)?;
            let hole_end: i64 = conn
                .prepare_cached("SELECT coalesce(max(last_seq), 0) FROM hole WHERE log = ?1")?
                .query_row([log], |row| row.get(0))?;
            let hole_end = u64::try_from(hole_end).unwrap_or(0);
            let decided = decide::hello(held, hole_end, epoch, same_office);
            if let Some((first, last)) = decided.hole {
                hold(conn, log, decided.held)?;
                tracing::warn!(%terminal, log = %kind, epoch = %epoch.epoch, first, last, "entries that nobody has any more");
                hole(conn, ctx, fx, terminal, (kind, epoch.epoch), log, first, last)?;
            }
            if decided.fork {
                fork(conn, ctx, fx, terminal, log, (kind, epoch.epoch))?;
            }
            fx.lost |= decided.lost;
            let Held { seq, digest } = decided.says;
            answer.held.push(SeqHeld { log: kind, epoch: epoch.epoch, seq, digest });
        }
    }
    if ctx.memory.alternates(terminal, says.boot) {
        tracing::warn!(%terminal, "two devices under one name");
        fx.touched.notice |= sql::notice(conn, ctx.now, "two_devices", Some(terminal), &json!({}))?;
    }
    // Its broker may be one that does not tell.
    if let Some(serial) = &says.certificate
        && enrol::came_in(conn, ctx.now, terminal, serial)?
    {
        tracing::info!(%terminal, "the terminal came in by its new certificate");
        fx.touched.access = true;
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

/// Records that nobody has these numbers any more. A hole that goes on stays one hole and one notice, however
/// often its end is moved.
#[allow(clippy::too_many_arguments, reason = "they name the hole; a struct for one caller hides it")]
fn hole(
    conn: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    (kind, epoch): (LogKind, Epoch),
    log: i64,
    first: u64,
    last: u64,
) -> rusqlite::Result<()> {
    let detail = |first: u64, last: u64| json!({ "log": kind, "epoch": epoch, "first": first, "last": last });
    let begun: Option<u64> = conn
        .prepare_cached("SELECT first_seq FROM hole WHERE log = ?1 AND last_seq = ?2")?
        .query_row(params![log, sql::number(first) - 1], |row| sql::seq(row, 0))
        .optional()?;
    let Some(begun) = begun else {
        let insert =
            "INSERT OR IGNORE INTO hole (log, first_seq, last_seq, noticed_at) VALUES (?1, ?2, ?3, ?4)";
        conn.prepare_cached(insert)?.execute(params![
            log,
            sql::number(first),
            sql::number(last),
            sql::ms(ctx.now)
        ])?;
        fx.touched.notice |= sql::notice(conn, ctx.now, "hole", Some(terminal), &detail(first, last))?;
        return Ok(());
    };
    conn.prepare_cached("UPDATE hole SET last_seq = ?3 WHERE log = ?1 AND first_seq = ?2")?
        .execute(params![log, sql::number(begun), sql::number(last)])?;
    let update = "UPDATE notice SET detail = ?3
        WHERE kind = 'hole' AND terminal = ?1 AND detail = ?2 AND settled_at IS NULL";
    let (was, is) = (detail(begun, first - 1), detail(begun, last));
    let moved =
        conn.prepare_cached(update)?.execute(params![terminal.as_str(), was.to_string(), is.to_string()])?;
    fx.touched.notice |= moved > 0 || sql::notice(conn, ctx.now, "hole", Some(terminal), &is)?;
    Ok(())
}

fn position(
    conn: &Connection,
    fx: &mut Effects,
    terminal: &TerminalId,
    at: &Position,
) -> rusqlite::Result<()> {
    fx.heard.insert(terminal.clone());
    fx.fixes.push(at.at);
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
