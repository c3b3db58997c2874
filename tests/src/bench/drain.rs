//! A terminal comes back after 60 days without a line, with 30,000 entries: how long they take, and what a fresh
//! confirmation waits meanwhile, its own and another crew's.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meguri_core::kept::{NewEntry, Op};
use meguri_proto::{Entry, LogKind};

use super::load::{Load, quantile};
use super::stage::{Book, Size, Stage};
use super::tap::Tablet;
use super::{Row, Setting};

const GROUP: &str = "offline";
const ENTRIES: usize = 30_000;
/// As many stops as a list may hold, so that no pickup is spoken of more often than need be.
const SIZE: Size = Size { terminals: 11, stops: 1_000, days: 1 };

/// Measures it.
///
/// # Errors
/// When a program can't be run or the office never holds all of it.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::set(&setting.dir.join("offline"), SIZE)?;
    stage.start()?;
    let broker = stage.office.mqtt();
    let tablet = Tablet::start(&stage, "away", broker)?;
    let load = Load::start(broker, &stage.seats[1..], SIZE.stops, 20.0)?;
    let mut seat = stage.seats[0].clone();
    seat.pickups = tablet.stops().iter().map(|stop| stop.0).collect();
    // Sixty days of taps by the terminal's own store; what each costs is a figure of its own.
    let tablet = tablet.changed(|store, kept| {
        let mut book = Book::new(&seat, SIZE.stops)?;
        book.epoch = kept.fact.as_ref().context("the terminal has no log")?.epoch;
        for _ in 0..ENTRIES / 1_000 {
            let ops = (0..1_000)
                .map(|_| {
                    let Entry { seq, id, digest, body } = book.entry()?;
                    let entry = NewEntry { seq, id, digest, body: body.get().to_owned(), note: None };
                    Ok(Op::Append { log: LogKind::Fact, entry })
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            store.commit(&ops)?;
        }
        Ok(())
    })?;
    let store = stage.office.store()?;
    let first = wait(|| held(&store).map(|held| (held > 0).then_some(())))?;
    // The line was found; what follows is the draining.
    let (fresh, durable) = {
        let at = Instant::now();
        let (_, done) = tablet.tap(ENTRIES)?;
        (at, done - at)
    };
    let all = i64::try_from(ENTRIES)? + 1;
    let drained = wait(|| held(&store).map(|held| (held >= all).then_some(())))?;
    let others = load.stop()?;
    let took = drained - first;
    let beside = format!("{:.0} facts/s", ENTRIES as f64 / took.as_secs_f64());
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    stage.office.stop()?;
    Ok(vec![
        Row::shown(GROUP, "30,000 entries drained", took.as_secs_f64(), "s").beside(beside),
        Row::shown(GROUP, "  a fresh tap meanwhile, to durable", ms(durable), "ms"),
        Row::shown(GROUP, "  the same, to the office", ms(drained - fresh), "ms")
            .beside("behind all before it: entries keep their order"),
        Row::shown(
            GROUP,
            "  another crew's confirmation meanwhile, p99",
            quantile(&others.waits, 0.99),
            "ms",
        )
        .beside(format!("longest {:.0} ms", quantile(&others.waits, 1.0))),
    ])
}

fn held(store: &rusqlite::Connection) -> rusqlite::Result<i64> {
    let select = "SELECT coalesce(max(held), 0) FROM log WHERE terminal = 'away' AND kind = 'fact'";
    store.query_row(select, [], |row| row.get(0))
}

fn wait(mut look: impl FnMut() -> rusqlite::Result<Option<()>>) -> anyhow::Result<Instant> {
    let started = Instant::now();
    while look().context("the store can't be read")?.is_none() {
        if started.elapsed() > Duration::from_secs(180) {
            bail!("the office does not hold all of it after three minutes");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(Instant::now())
}
