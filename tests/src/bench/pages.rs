//! Pages and search on the store of a large city's year, asked by 50 users while 1,000 facts a second come in.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use jiff::ToSpan as _;
use meguri_proto::{Fact, FactBody, LogPublish, Message as _};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::load::{Load, quantile};
use super::stage::{self, Book, Size, Stage};
use super::{Row, Setting, process};
use crate::harness::http::Visitor;
use crate::harness::office::copy_folder;
use crate::harness::scene::DAY;

const GROUP: &str = "pages";
/// 400,000 pickups: 1,600 a day on 250 working days.
const SIZE: Size = Size { terminals: 16, stops: 100, days: 250 };
/// A fact, its correction, and what is so in the end.
const FACTS_EACH: usize = 3;
const USERS: usize = 50;
const EVERY: Duration = Duration::from_secs(2);
const LASTS: Duration = Duration::from_secs(30);

/// Measures it.
///
/// # Errors
/// When a program can't be run or a page is not shown.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let kept = year(&setting.cache)?;
    let dir = setting.dir.join("pages");
    std::fs::create_dir_all(&dir)?;
    let mut stage = Stage::over(&dir, SIZE)?;
    copy_folder(&kept.join("data"), &stage.office.data())?;
    let store = stage.office.store()?;
    let bytes = std::fs::metadata(stage.office.data().join("meguri.db"))?.len();
    for (index, seat) in stage.seats.iter_mut().enumerate() {
        // Of the stage's day, in the order in which they were made.
        seat.pickups = (0..SIZE.stops).map(|stop| stage::uid(number(0, index, stop))).collect();
    }
    drop(store);
    let started = Instant::now();
    stage.start()?;
    let ready = started.elapsed().as_secs_f64();
    // Each with a session of their own.
    let visitors = (0..USERS).map(|_| stage.office.visitor()).collect::<anyhow::Result<Vec<_>>>()?;
    let load = Load::start(stage.office.mqtt(), &stage.seats, SIZE.stops, 1_000.0)?;
    let (mut all, pages, search) = ask(&visitors)?;
    let others = load.stop()?;
    let memory = process::memory(stage.office.process_id()?)?;
    stage.office.stop()?;
    all.sort();
    let beside = format!(
        "p50 {:.0} ms, {} asked in {:.0} s; others {:.0} facts/s, acknowledged in p99 {:.0} ms",
        quantile(&all, 0.5),
        all.len(),
        LASTS.as_secs_f64(),
        others.rate,
        quantile(&others.waits, 0.99),
    );
    Ok(vec![
        Row::at_most(GROUP, "page or search on a year of a large city, p99", quantile(&all, 0.99), "ms", 100.0)
            .beside(beside),
        Row::shown(GROUP, "  pages alone, p99", quantile(&pages, 0.99), "ms"),
        Row::shown(GROUP, "  search alone, p99", quantile(&search, 0.99), "ms"),
        Row::shown(GROUP, "  the store", bytes as f64 / 1e6, "MB").beside(format!(
            "400,000 pickups, 1,200,000 facts; ready {ready:.1} s after its start, then {memory:.0} MB of memory"
        )),
    ])
}

type Waits = Vec<Duration>;

/// What users do: the day, another day, a number, a pickup. How long each took: all, pages, searches.
fn ask(visitors: &[Visitor]) -> anyhow::Result<(Waits, Waits, Waits)> {
    let over = AtomicBool::new(false);
    let user = |user: usize| -> anyhow::Result<Vec<(bool, Duration)>> {
        let mut waits = Vec::new();
        std::thread::sleep(EVERY.mul_f64(user as f64 / USERS as f64));
        for turn in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let draw = user * 7_919 + turn * 104_729;
            let (search, path) = match turn % 4 {
                0 => (false, "/".to_owned()),
                1 => (true, format!("/search?q={:04}", draw % 10_000)),
                2 => (
                    false,
                    format!("/?day={}&by=vehicle", DAY.checked_sub(i64::try_from(draw % 240)?.days())?),
                ),
                _ => {
                    let (back, vehicle, stop) = (draw % SIZE.days, draw % SIZE.terminals, draw % SIZE.stops);
                    (false, format!("/pickup/{}", stage::uid(number(back, vehicle, stop))))
                }
            };
            let asked = Instant::now();
            let answer = visitors[user].get(&path)?;
            let took = asked.elapsed();
            ensure!(answer.status == 200, "{path} was answered with {}", answer.status);
            waits.push((search, took));
            std::thread::sleep(EVERY.saturating_sub(took));
        }
        Ok(waits)
    };
    let waits = std::thread::scope(|scope| {
        let users: Vec<_> = (0..USERS).map(|index| scope.spawn(move || user(index))).collect();
        std::thread::sleep(LASTS);
        over.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for user in users {
            waits.extend(user.join().map_err(|_| anyhow::anyhow!("a user panicked"))??);
        }
        anyhow::Ok(waits)
    })?;
    let sorted = |which: fn(bool) -> bool| {
        let mut waits: Waits =
            waits.iter().filter(|(search, _)| which(*search)).map(|(_, took)| *took).collect();
        waits.sort();
        waits
    };
    Ok((sorted(|_| true), sorted(|search| !search), sorted(|search| search)))
}

/// The number that a pickup's id is drawn from: as the stage counts them.
fn number(back: usize, vehicle: usize, stop: usize) -> u64 {
    (1 + (back * SIZE.terminals + vehicle) * SIZE.stops + stop) as u64
}

/// The year's store, made where it is not kept from an earlier run: pickups by the stage, facts as the gateway keeps
/// them. A gateway with other tables brings it up to date, as it does any store.
fn year(cache: &Path) -> anyhow::Result<PathBuf> {
    let kept = cache.join("year");
    if kept.join("whole").is_file() {
        return Ok(kept);
    }
    drop(std::fs::remove_dir_all(&kept));
    let stage = Stage::set(&kept, SIZE)?;
    let mut store = stage.writable()?;
    let tx = store.transaction()?;
    for (index, seat) in stage.seats.iter().enumerate() {
        facts(&tx, index, seat).with_context(|| format!("can't write the facts of {}", seat.name))?;
    }
    tx.commit()?;
    store.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;").ok();
    drop(store);
    let found = stage.office.number("SELECT count(*) FROM fact")?;
    if found != i64::try_from(SIZE.terminals * SIZE.stops * SIZE.days * FACTS_EACH)? {
        bail!("the year's store holds {found} facts");
    }
    std::fs::write(kept.join("whole"), "")?;
    Ok(kept)
}

fn facts(tx: &Connection, index: usize, seat: &stage::Seat) -> anyhow::Result<()> {
    for back in (1..SIZE.days).rev().chain([0]) {
        // One log a day keeps the facts of a day together, as they came; the terminal was made anew now and then.
        let mut seat = seat.clone();
        seat.pickups = (0..SIZE.stops).map(|stop| stage::uid(number(back, index, stop))).collect();
        let mut book = Book::new(&seat, SIZE.stops)?;
        let noon = DAY.checked_sub(i64::try_from(back)?.days())?.at(10, 0, 0, 0);
        let at = noon.to_zoned(jiff::tz::TimeZone::get("Asia/Tokyo")?)?.timestamp().as_millisecond();
        tx.prepare_cached("INSERT INTO log (terminal, kind, epoch, digest, opened_at) VALUES (?1, 'fact', ?2, zeroblob(32), ?3)")?
            .execute(params![seat.name, book.epoch.0.as_bytes(), at])?;
        let log = tx.last_insert_rowid();
        let publishes =
            (0..FACTS_EACH).map(|_| book.publish(SIZE.stops)).collect::<anyhow::Result<Vec<_>>>()?;
        for publish in publishes {
            for entry in LogPublish::decode(&publish)?.entries {
                one(tx, &seat, log, &entry, at)?;
            }
        }
        tx.prepare_cached("UPDATE log SET held = ?2, digest = (SELECT digest FROM entry WHERE log = ?1 AND seq = ?2) WHERE id = ?1")?
            .execute(params![log, i64::try_from(book.seq)?])?;
    }
    Ok(())
}

fn one(
    tx: &Connection,
    seat: &stage::Seat,
    log: i64,
    entry: &meguri_proto::Entry,
    at: i64,
) -> anyhow::Result<()> {
    let (seq, id) = (i64::try_from(entry.seq)?, entry.id.0);
    tx.prepare_cached(
        "INSERT INTO entry (log, seq, id, digest, body, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![log, seq, id.as_bytes(), entry.digest.0, entry.body.get(), at])?;
    let body = FactBody::decode(entry.body_bytes())?;
    let uid: Uuid = body.fact.pickup().context("a fact of no pickup")?.0;
    let pickup: i64 = tx
        .prepare_cached("SELECT id FROM pickup WHERE uid = ?1")?
        .query_row([uid.as_bytes()], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO fact (id, log, seq, terminal, pickup, contract, body, terminal_at, trusted_at, received_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8)",
    )?
    .execute(params![id.as_bytes(), log, seq, seat.name, pickup, seat.contract, entry.body.get(), at])?;
    let (kind, state, by) = match &body.fact {
        Fact::Outcome(outcome) => match &outcome.result {
            meguri_proto::pickup::Result::Collected => ("outcome", ("collected", None), Some(id)),
            _ => ("outcome", ("not_collected", Some("not_out")), Some(id)),
        },
        Fact::Undo(_) | Fact::Config(_) => ("undo", ("open", None), None),
    };
    tx.prepare_cached("INSERT INTO history (pickup, at, kind, fact) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![pickup, at, kind, id.as_bytes()])?;
    tx.prepare_cached(
        "UPDATE pickup SET state = ?2, reason = ?3, by_fact = ?4, by_terminal = ?5, said_at = ?6, received_at = ?6
        WHERE id = ?1",
    )?
    .execute(params![
        pickup,
        state.0,
        state.1,
        by.map(|id| id.as_bytes().to_vec()),
        by.map(|_| &seat.name),
        by.map(|_| at)
    ])?;
    Ok(())
}
