//! A confirmation with a note on the terminal's disk, beside the same rows in a store that seals nothing: what the sealing
//! costs the crew.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use meguri_app::store::Store;
use meguri_core::kept::{KeptTime, NewEntry, Op};
use meguri_proto::{Digest, Epoch, FactId, LogKind};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{Row, Setting};

const GROUP: &str = "confirm";
/// Confirmations of each kind; they take turns, so that both meet the same disk.
const EACH: u64 = 2_000;
const NOTE: &str = "道路工事中で進入できず。午後にもう一度うかがいます";

/// Measures both.
///
/// # Errors
/// When a store can't be written.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut sealed = Sealed::new(&setting.dir.join("sealed"))?;
    let mut plain = Plain::new(&setting.dir.join("plain"))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let mut digest = Digest::ZERO;
    for seq in 1..=EACH {
        let note = Digest::of(NOTE.as_bytes());
        let body = format!(
            r#"{{"v":1,"contract":"naka-2026","config":3,"at":{{"terminal":"2026-04-01T00:12:30.25Z","trusted":"2026-04-01T00:12:29.98Z"}},"fact":{{"outcome":{{"pickup":"{}","list":{{"date":"2026-04-01","version":2}},"result":{{"not_collected":{{"reason":"other","note":"{note}"}}}}}}}}}}"#,
            Uuid::from_u128(u128::from(seq))
        );
        digest = digest.then(body.as_bytes());
        let entry =
            NewEntry { seq, id: FactId(Uuid::now_v7()), digest, body, note: Some((note, NOTE.to_owned())) };
        // Who comes first changes: neither always meets the disk that the other has just left.
        if seq.is_multiple_of(2) {
            with.push(timed(|| sealed.confirm(&entry))?);
            without.push(timed(|| plain.confirm(&entry))?);
        } else {
            without.push(timed(|| plain.confirm(&entry))?);
            with.push(timed(|| sealed.confirm(&entry))?);
        }
    }
    let (with, without) = (Figures::of(with), Figures::of(without));
    let beside = format!("sealed {:.2} ms, in plain {:.2} ms at the median", with.median, without.median);
    Ok(vec![
        Row::at_most(
            GROUP,
            "a confirmation with a sealed note, by one in plain",
            with.median / without.median,
            "",
            1.1,
        )
        .beside(beside),
        Row::shown(GROUP, "  p99 sealed", with.p99, "ms").beside(format!("in plain {:.2} ms", without.p99)),
    ])
}

fn timed(confirm: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let started = Instant::now();
    confirm()?;
    Ok(started.elapsed())
}

struct Figures {
    median: f64,
    p99: f64,
}

impl Figures {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |index: usize| took.get(index).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
        Self { median: at(took.len() / 2), p99: at(took.len() * 99 / 100) }
    }
}

/// The terminal's store as it is.
struct Sealed(Store);

impl Sealed {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        let (mut store, _) = Store::open(dir, &"hiroshima".parse()?, &"t-0001".parse()?, None)?;
        store.commit(&[Op::Open { log: LogKind::Fact, epoch: Epoch(Uuid::nil()) }])?;
        Ok(Self(store))
    }

    fn confirm(&mut self, entry: &NewEntry) -> anyhow::Result<()> {
        let now = jiff::Timestamp::now();
        let time = KeptTime { sure: Some(now), time: now, device: now, confirmed: None };
        self.0.commit(&[Op::Append { log: LogKind::Fact, entry: entry.clone() }, Op::Time(time)])?;
        Ok(())
    }
}

/// The same rows as a terminal wrote them before anything was sealed.
struct Plain(Connection);

impl Plain {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let connection = Connection::open(dir.join("terminal.db"))?;
        for (pragma, value) in [("journal_mode", "WAL"), ("synchronous", "FULL"), ("secure_delete", "ON")] {
            connection.pragma_update(None, pragma, value)?;
        }
        connection.execute_batch(include_str!("../../../app/src/store/migrations/0001.sql"))?;
        connection.execute_batch(include_str!("../../../app/src/store/migrations/0002.sql"))?;
        connection
            .execute("INSERT INTO terminal (id, city, terminal) VALUES (1, 'hiroshima', 't-0001')", [])?;
        connection.execute(
            "INSERT INTO log (kind, epoch, first, before, acked) VALUES ('fact', ?1, 1, ?2, 0)",
            params![Uuid::nil().as_bytes(), Digest::ZERO.0],
        )?;
        Ok(Self(connection))
    }

    fn confirm(&mut self, entry: &NewEntry) -> anyhow::Result<()> {
        let tx = self.0.transaction()?;
        let seq = i64::try_from(entry.seq)?;
        tx.prepare_cached("INSERT INTO entry (log, seq, id, digest, body) VALUES ('fact', ?1, ?2, ?3, ?4)")?
            .execute(params![seq, entry.id.0.as_bytes(), entry.digest.0, entry.body])?;
        let (digest, text) = entry.note.as_ref().context("every one has a note")?;
        tx.prepare_cached("INSERT INTO note (log, seq, digest, text) VALUES ('fact', ?1, ?2, ?3)")?
            .execute(params![seq, digest.0, text])?;
        let now = jiff::Timestamp::now().as_millisecond();
        tx.prepare_cached("UPDATE terminal SET time_sure = ?1, time = ?1, device = ?1, confirmed_date = NULL, confirmed_in = NULL")?
            .execute([now])?;
        tx.commit()?;
        Ok(())
    }
}
