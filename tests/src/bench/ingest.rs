//! Durable acknowledged facts a second in the gateway, beside the same broker only relaying the same messages and
//! SQLite only writing the same rows in the same batches with the same durability.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meguri_gateway::store::set_up_writing;
use meguri_proto::{Ack, Entry, LogKind, Message as _, Topic};
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::line::{Came, Line};
use super::stage::{Book, Seat, Size, Stage};
use super::{Row, Setting, machine, process};
use crate::harness::office::copy_folder;
use crate::harness::process::{Process, program};

const GROUP: &str = "ingest";
/// Publishes of one terminal that stand unanswered at most.
const UNANSWERED: usize = meguri_proto::limits::UNANSWERED_PUBLISHES;
/// The office's own window.
const WINDOW: u16 = 4_096;

/// How facts come.
struct Way {
    name: &'static str,
    terminals: usize,
    publishes: usize,
    entries: usize,
}

/// As crews work, every tap by itself; and as terminals drain what waited, as many entries a publish as it takes.
const WAYS: [Way; 2] = [
    Way { name: "1 entry a publish", terminals: 800, publishes: 100, entries: 1 },
    Way { name: "256 entries a publish (a drain)", terminals: 40, publishes: 24, entries: 256 },
];

/// What one terminal is to send: publishes, and the number of each one's last entry.
pub struct Load {
    /// The terminal.
    pub seat: Seat,
    /// Its publishes.
    pub publishes: Vec<(u64, Vec<u8>)>,
}

/// Measures both ways.
///
/// # Errors
/// When a program can't be run or what was acknowledged is not in the store.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let disk = machine::fsync(&setting.dir)?;
    rows.push(Row::shown(GROUP, "the disk's fsync of 4 KiB (median)", disk.as_secs_f64() * 1e3, "ms"));
    for way in &WAYS {
        let mut best: Option<Figures> = None;
        for run in 1..=RUNS {
            let dir = setting.dir.join(format!("{}-{run}", way.entries));
            let figures = one_way(&dir, way)?;
            best = Some(best.map_or_else(|| figures.clone(), |best| best.or(&figures)));
            std::fs::remove_dir_all(&dir)?;
        }
        rows.extend(best.map_or_else(Vec::new, |best| best.rows(way)));
    }
    Ok(rows)
}

/// How often each way is measured. The best of each figure counts, ours and the peers': whatever else the machine does can
/// only slow one down.
const RUNS: usize = 3;

/// What one run came to, in facts a second.
#[derive(Debug, Clone)]
struct Figures {
    rate: f64,
    relayed: f64,
    written: f64,
    /// About the run with this rate.
    about: String,
}

impl Figures {
    fn or(&self, other: &Self) -> Self {
        let better = if other.rate > self.rate { other } else { self };
        Self {
            rate: better.rate,
            relayed: self.relayed.max(other.relayed),
            written: self.written.max(other.written),
            about: better.about.clone(),
        }
    }

    fn rows(self, way: &Way) -> Vec<Row> {
        let name = way.name;
        let slower = self.relayed.min(self.written);
        vec![
            Row::at_least(GROUP, &format!("durable acknowledged, {name}"), self.rate, "facts/s", 20_000.0)
                .beside(self.about),
            Row::shown(GROUP, &format!("  its broker relaying the same, {name}"), self.relayed, "facts/s"),
            Row::shown(GROUP, &format!("  SQLite writing the same rows, {name}"), self.written, "facts/s"),
            Row::at_least(GROUP, "  share of the slower of both", self.rate / slower, "", 0.5),
        ]
    }
}

fn one_way(dir: &Path, way: &Way) -> anyhow::Result<Figures> {
    // As many pickups as a third of the facts: a fact, its correction, another fact.
    let each = way.publishes * way.entries;
    let stops = 100.min(each / 3 + 1);
    let mut stage = Stage::set(dir, Size { terminals: way.terminals, stops, days: each / 3 / stops + 1 })?;
    let before = dir.join("before");
    copy_folder(&stage.office.data(), &before)?;
    // In turn, as crews tap beside each other: an entry's id tells when it was drawn.
    let mut books: Vec<Book> =
        stage.seats.iter().map(|seat| Book::new(seat, each / 3 + 1)).collect::<anyhow::Result<_>>()?;
    let mut loads: Vec<Load> =
        stage.seats.iter().map(|seat| Load { seat: seat.clone(), publishes: Vec::new() }).collect();
    for _ in 0..way.publishes {
        let mut parts: Vec<Vec<Entry>> = vec![Vec::new(); books.len()];
        for _ in 0..way.entries {
            for (book, part) in books.iter_mut().zip(&mut parts) {
                part.push(book.entry()?);
            }
        }
        for ((book, part), load) in books.iter().zip(parts).zip(&mut loads) {
            load.publishes.push((book.seq, book.publish_of(part)?));
        }
    }
    let facts = way.terminals * each;
    let loads = Arc::new(loads);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    stage.start()?;
    let id = stage.office.process_id()?;
    let cpu = process::cpu(id)?;
    let (took, commits) = runtime.block_on(gateway(stage.office.mqtt(), &loads))?;
    let cpu = (process::cpu(id)? - cpu).as_secs_f64();
    let rate = facts as f64 / took.as_secs_f64();
    let memory = process::memory(id)?;
    stage.office.stop()?;
    let held = stage.office.number("SELECT count(*) FROM fact")?;
    if held != i64::try_from(facts)? {
        bail!("{facts} facts were acknowledged, the store holds {held}");
    }

    let relayed = runtime.block_on(relay(dir, &loads))?;
    let relayed = facts as f64 / relayed.as_secs_f64();
    let written = facts as f64 / write(&before, &stage.office.data())?.as_secs_f64();
    let about = format!(
        "{} terminals, {facts} facts in {:.1} s; {:.0} facts a commit; {:.0} us CPU a fact; {memory:.0} MB",
        way.terminals,
        took.as_secs_f64(),
        facts as f64 / commits as f64,
        cpu * 1e6 / facts as f64,
    );
    Ok(Figures { rate, relayed, written, about })
}

/// Sends all of it to a running gateway as terminals do. How long it took until everything was acknowledged, and in
/// how many commits, as all acknowledgements of a commit name the same instant.
async fn gateway(broker: SocketAddr, loads: &Arc<Vec<Load>>) -> anyhow::Result<(Duration, usize)> {
    let mut lines = Vec::new();
    for load in loads.iter() {
        let seat = &load.seat;
        lines.push(Line::connect(broker, &seat.name, &seat.name, &seat.secret, &seat.filter(), 100).await?);
    }
    let started = Instant::now();
    let mut sending = JoinSet::new();
    for (index, line) in lines.into_iter().enumerate() {
        let loads = loads.clone();
        sending.spawn(async move { send(line, &loads[index]).await });
    }
    let mut commits = BTreeSet::new();
    while let Some(done) = sending.join_next().await {
        commits.extend(done.context("a terminal panicked")??);
    }
    Ok((started.elapsed(), commits.len()))
}

async fn send(mut line: Line, load: &Load) -> anyhow::Result<BTreeSet<jiff::Timestamp>> {
    let topic = load.seat.fact_topic();
    let mut unanswered = VecDeque::new();
    let mut commits = BTreeSet::new();
    let mut next = load.publishes.iter();
    let mut left = true;
    while left || !unanswered.is_empty() {
        while left && unanswered.len() < UNANSWERED {
            match next.next() {
                Some((last, payload)) => {
                    line.publish(&topic, payload);
                    unanswered.push_back(*last);
                }
                None => left = false,
            }
        }
        line.flush().await?;
        if unanswered.is_empty() {
            break;
        }
        let came = tokio::time::timeout(Duration::from_secs(30), line.read()).await;
        for came in came.context("nothing was acknowledged for 30 s")?? {
            let Came::Message { topic, payload } = came else { continue };
            if !topic.ends_with("/down/ack") {
                continue;
            }
            let ack = Ack::decode(&payload)?;
            for held in ack.held.iter().filter(|held| held.log == LogKind::Fact) {
                commits.extend(ack.time);
                while unanswered.front().is_some_and(|last| *last <= held.seq) {
                    unanswered.pop_front();
                }
            }
        }
    }
    Ok(commits)
}

/// The gateway's broker alone: the same publishes, as many standing, to one subscriber.
async fn relay(dir: &Path, loads: &Arc<Vec<Load>>) -> anyhow::Result<Duration> {
    let path: PathBuf = program("examples/broker")?;
    let mut broker = Process::start("broker", &mut Command::new(path), &dir.join("broker.log"))?;
    for load in loads.iter() {
        broker.say(&format!("{} {}", load.seat.name, load.seat.secret))?;
    }
    broker.say("")?;
    let said: serde_json::Value = serde_json::from_str(&broker.line(Duration::from_secs(30))?)?;
    let address: SocketAddr = said["mqtt"].as_str().context("the broker said no address")?.parse()?;
    let (user, password) =
        (said["user"].as_str().unwrap_or_default(), said["password"].as_str().unwrap_or_default());
    let filter = Topic::office_filter(&"hiroshima".parse()?);
    let mut office = Line::connect(address, "office", user, password, &filter, WINDOW).await?;
    let mut lines = Vec::new();
    for load in loads.iter() {
        let seat = &load.seat;
        lines.push(Line::connect(address, &seat.name, &seat.name, &seat.secret, &seat.filter(), 100).await?);
    }
    let room: Arc<Vec<Semaphore>> = Arc::new(loads.iter().map(|_| Semaphore::new(UNANSWERED)).collect());
    let started = Instant::now();
    let mut sending = JoinSet::new();
    for (index, mut line) in lines.into_iter().enumerate() {
        let (loads, room) = (loads.clone(), room.clone());
        sending.spawn(async move {
            let topic = loads[index].seat.fact_topic();
            let mut next = loads[index].publishes.iter();
            loop {
                tokio::select! {
                    came = line.read() => { came?; }
                    permit = room[index].acquire() => {
                        let mut permit = Ok(permit?);
                        while let Ok(taken) = permit {
                            taken.forget();
                            let Some((_, payload)) = next.next() else {
                                line.flush().await?;
                                return anyhow::Ok(line);
                            };
                            line.publish(&topic, payload);
                            permit = room[index].try_acquire();
                        }
                        line.flush().await?;
                    }
                }
            }
        });
    }
    let mut left: usize = loads.iter().map(|load| load.publishes.len()).sum();
    // Held, as a connection that ends would be work for the broker.
    let mut done = Vec::new();
    while left > 0 {
        let came = tokio::select! {
            came = office.read() => came?,
            Some(sent) = sending.join_next() => {
                done.push(sent.context("a terminal panicked")??);
                continue;
            }
            () = tokio::time::sleep(Duration::from_secs(30)) => bail!("the broker relayed nothing for 30 s, {left} messages are left"),
        };
        for came in came {
            let Came::Message { topic, .. } = came else { continue };
            let index: usize = topic
                .split('/')
                .nth(3)
                .and_then(|name| name.strip_prefix("t-")?.parse().ok())
                .context("a topic of nobody")?;
            room[index].add_permits(1);
            left -= 1;
        }
        office.flush().await?;
    }
    let took = started.elapsed();
    sending.shutdown().await;
    Ok(took)
}

/// One fact's rows.
struct Rows {
    /// Which commit it is of.
    commit: i64,
    /// Those that it adds.
    added: [Vec<Value>; 3],
    /// Those that it changes, once a commit: its pickup, by the columns of its verdict, and its log.
    pickup: (i64, Vec<Value>),
    log: (i64, Vec<Value>),
}

const TABLES: [&str; 3] = ["entry", "fact", "history"];

/// Writes the rows of `after` that `before` lacks into `before`, in the batches in which the gateway committed them, and
/// beside them the rows that each batch changed.
fn write(before: &Path, after: &Path) -> anyhow::Result<Duration> {
    let mut store = Connection::open(before.join("meguri.db"))?;
    // As the gateway's own connection.
    set_up_writing(&store)?;
    store.pragma_update(None, "foreign_keys", true)?;
    let (columns, rows) = {
        let from = Connection::open(after.join("meguri.db"))?;
        let mut columns = [0_usize; 3];
        for (count, table) in columns.iter_mut().zip(TABLES) {
            let select = format!("SELECT count(*) FROM pragma_table_info('{table}')");
            *count = usize::try_from(from.query_row(&select, [], |row| row.get::<_, i64>(0))?)?;
        }
        // Logs are rows that entries refer to.
        store.execute("ATTACH ?1 AS after", [after.join("meguri.db").display().to_string()])?;
        store.execute("INSERT INTO log SELECT * FROM after.log", [])?;
        store.execute("DETACH after", [])?;
        let mut select = from.prepare(
            "SELECT fact.received_at, fact.pickup, fact.log, iif(history.kind = 'undo', 'open', 'collected'), fact.id,
                fact.terminal, fact.trusted_at, fact.received_at, entry.seq, entry.digest, entry.*, fact.*, history.*
            FROM history JOIN fact ON fact.id = history.fact
            JOIN entry ON entry.log = fact.log AND entry.seq = fact.seq ORDER BY history.id",
        )?;
        let read = select.query_map([], |row| {
            let values = |from: usize, count: usize| -> rusqlite::Result<Vec<Value>> {
                (from..from + count).map(|column| row.get(column)).collect()
            };
            let mut at = 10;
            let mut added = [const { Vec::new() }; 3];
            for (added, count) in added.iter_mut().zip(columns) {
                *added = values(at, count)?;
                at += count;
            }
            Ok(Rows {
                commit: row.get(0)?,
                added,
                pickup: (row.get(1)?, values(3, 5)?),
                log: (row.get(2)?, values(8, 2)?),
            })
        })?;
        (columns, read.collect::<Result<Vec<_>, _>>()?)
    };
    let inserts: Vec<String> = TABLES
        .iter()
        .zip(columns)
        .map(|(table, columns)| format!("INSERT INTO {table} VALUES ({})", vec!["?"; columns].join(",")))
        .collect();
    let started = Instant::now();
    let mut left = rows.as_slice();
    while let Some(first) = left.first() {
        let commit = left.iter().take_while(|row| row.commit == first.commit).count();
        let (batch, rest) = left.split_at(commit);
        let tx = store.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let (mut pickups, mut logs) = (BTreeMap::new(), BTreeMap::new());
        for row in batch {
            for (insert, values) in inserts.iter().zip(&row.added) {
                tx.prepare_cached(insert)?.execute(rusqlite::params_from_iter(values))?;
            }
            pickups.insert(row.pickup.0, &row.pickup.1);
            logs.insert(row.log.0, &row.log.1);
        }
        let pickup = "UPDATE pickup SET state = ?, by_fact = ?, by_terminal = ?, said_at = ?, received_at = ? WHERE id = ?";
        let log = "UPDATE log SET held = ?, digest = ? WHERE id = ?";
        for (update, changed) in [(pickup, pickups), (log, logs)] {
            for (id, values) in changed {
                let id = Value::from(id);
                tx.prepare_cached(update)?.execute(rusqlite::params_from_iter(values.iter().chain([&id])))?;
            }
        }
        tx.commit()?;
        left = rest;
    }
    Ok(started.elapsed())
}
