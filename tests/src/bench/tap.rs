//! From the tap to the disk, and from the tap to the server-sent event in the city's browser: alone, while others
//! confirm a thousand things a second, and over a mobile line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meguri_app::body::{self, Handle};
use meguri_app::store::Store;
use meguri_config::{Clock, Terminal};
use meguri_core::kept::Kept;
use meguri_core::view::{Intent, Link};
use meguri_proto::PickupId;
use serde_json::Value;

use super::load::{Load, quantile};
use super::lte::{Forwarder, Namespace};
use super::stage::{Size, Stage};
use super::{Row, Setting};

const GROUP: &str = "tap";
/// Ten times the day of a city of 1.2 million.
const SIZE: Size = Size { terminals: 161, stops: 100, days: 1 };
/// What others confirm in a second.
const OTHERS: f64 = 1_000.0;
/// Taps of one figure, and the time between two.
const TAPS: usize = 150;
const PACE: Duration = Duration::from_millis(130);
/// On the mobile line: fewer, since each stalls those behind it.
const LTE_TAPS: usize = 100;
const LTE_PACE: Duration = Duration::from_millis(300);

/// Measures all of it.
///
/// # Errors
/// When a program can't be run or an event never comes.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::set(&setting.dir.join("tap"), SIZE)?;
    stage.start()?;
    let mut rows = Vec::new();
    let direct = stage.office.mqtt();
    {
        let tablet = Tablet::start(&stage, "tablet", direct)?;
        let (durable, seen) = tablet.taps(&stage, TAPS, PACE)?;
        let p50 = quantile(&durable, 0.5);
        rows.push(Row::shown(GROUP, "tap to durable on the terminal, p50", p50, "ms"));
        rows.push(Row::shown(GROUP, "tap to durable on the terminal, p99", quantile(&durable, 0.99), "ms"));
        let name = "tap to the browser's event, p99";
        rows.push(
            Row::at_most(GROUP, name, quantile(&seen, 0.99), "ms", 100.0)
                .beside(format!("p50 {:.0} ms; a day of 16,100 pickups", quantile(&seen, 0.5))),
        );
        let load = Load::start(direct, &stage.seats[1..], SIZE.stops, OTHERS)?;
        let (_, seen) = tablet.taps(&stage, TAPS, PACE)?;
        let others = load.stop()?;
        let beside = format!(
            "p50 {:.0} ms; others {:.0} facts/s, acknowledged in p99 {:.0} ms",
            quantile(&seen, 0.5),
            others.rate,
            quantile(&others.waits, 0.99)
        );
        let name = "  the same while others confirm 1,000 facts/s, p99";
        rows.push(Row::at_most(GROUP, name, quantile(&seen, 0.99), "ms", 100.0).beside(beside));
    }
    let name = "  the same over LTE (60 ms ± 20, 1 % lost, 5 Mbit/s), p99";
    let forwarder = Forwarder::start(direct)?;
    let tablet = Tablet::start(&stage, "mobile", forwarder.address())?;
    let (_, seen) = tablet.taps(&stage, LTE_TAPS, LTE_PACE)?;
    rows.push(
        Row::at_most(GROUP, name, quantile(&seen, 0.99), "ms", 1_500.0)
            .beside(format!("p50 {:.0} ms; emulated in user space", quantile(&seen, 0.5))),
    );
    drop(tablet);
    stage.office.stop()?;
    rows.push(netem(setting, name)?);
    Ok(rows)
}

/// The same in a network namespace, by this program run in it.
fn netem(setting: &Setting, name: &str) -> anyhow::Result<Row> {
    let namespace = match Namespace::make() {
        Ok(namespace) => namespace,
        Err(error) => {
            return Ok(Row::skipped(GROUP, &format!("{name}, netem"), format!("no netem here: {error:#}")));
        }
    };
    let mut command: Command = namespace.command(&std::env::current_exe()?);
    let said =
        command.arg("--inside-lte").arg(&setting.dir).output().context("can't run in the namespace")?;
    if !said.status.success() {
        bail!("in the namespace: {}", String::from_utf8_lossy(&said.stderr));
    }
    let p99: f64 = String::from_utf8_lossy(&said.stdout).trim().parse().context("no figure came")?;
    Ok(Row::at_most(GROUP, &format!("{name}, netem"), p99, "ms", 1_500.0)
        .beside("everything on that line, the browser, too"))
}

/// Inside the namespace: an office and a terminal on its loopback. The p99 in milliseconds.
///
/// # Errors
/// When a program can't be run or an event never comes.
pub fn inside_lte(dir: &Path) -> anyhow::Result<f64> {
    let mut stage = Stage::set(&dir.join("lte"), Size { terminals: 10, stops: 100, days: 1 })?;
    stage.start()?;
    let tablet = Tablet::start(&stage, "mobile", stage.office.mqtt())?;
    let (_, seen) = tablet.taps(&stage, LTE_TAPS, LTE_PACE)?;
    Ok(quantile(&seen, 0.99))
}

/// A real terminal's body on the first vehicle, with its store on the disk and its line.
pub struct Tablet {
    handle: Handle,
    stops: Vec<PickupId>,
    settings: Terminal,
    data: PathBuf,
    clock: Clock,
}

impl Tablet {
    /// Makes it, starts it and waits for its list.
    ///
    /// # Errors
    /// When the gateway refuses it or no list comes.
    pub fn start(stage: &Stage, name: &str, broker: SocketAddr) -> anyhow::Result<Self> {
        let out = stage.office.data().with_file_name(name);
        stage.office.add_terminal(name, &stage.seats[0].vehicle, &out)?;
        let mut settings = Terminal::read(&out.join("terminal.toml"))?;
        settings.broker.host = broker.ip().to_string();
        settings.broker.port = broker.port();
        let clock = Clock::rehearsal(&stage.office.data().with_file_name("clock.toml"))?;
        let data = out.join("data");
        let handle = body::start(settings.clone(), &data, clock.clone())?;
        let view = handle.view();
        let started = Instant::now();
        let stops = loop {
            let seen = view.borrow().clone();
            if let (Some(list), Link::Up) = (&seen.list, &seen.link)
                && !list.stops.is_empty()
            {
                break list.stops.iter().map(|stop| stop.id()).collect();
            }
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the terminal {name} got no list in 60 s; its line is {:?}", seen.link);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Self { handle, stops, settings, data, clock })
    }

    /// Stops it, has its store changed, and starts it again.
    ///
    /// # Errors
    /// When the store can't be used.
    pub fn changed(
        self,
        change: impl FnOnce(&mut Store, &Kept) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let Self { handle, stops, settings, data, clock } = self;
        handle.stop();
        let (mut store, kept) = Store::open(&data, &settings.city, &settings.terminal, None)?;
        change(&mut store, &kept)?;
        drop(store);
        let handle = body::start(settings.clone(), &data, clock.clone())?;
        Ok(Self { handle, stops, settings, data, clock })
    }

    /// The pickups on its list.
    #[must_use]
    pub fn stops(&self) -> &[PickupId] {
        &self.stops
    }

    /// Taps once: collects the stop of this number, or takes back what was said of it; the fact's id and when it was on the disk.
    ///
    /// # Errors
    /// When it was not recorded.
    pub fn tap(&self, number: usize) -> anyhow::Result<(uuid::Uuid, Instant)> {
        let pickup = self.stops[number % self.stops.len()];
        let view = self.handle.view().borrow().clone();
        let stops = view.list.iter().flat_map(|list| &list.stops);
        let said = stops.filter(|stop| stop.id() == pickup).any(|stop| stop.own.is_some());
        let intent = if said { Intent::Undo { pickup } } else { Intent::Collect { pickup } };
        let (to, from) = mpsc::channel();
        self.handle.record_placed(intent, None, move |done| drop(to.send((done, Instant::now()))));
        let (done, at) = from.recv().context("the terminal has stopped")?;
        let done = done.map_err(|why| anyhow::anyhow!("not recorded: {why}"))?;
        Ok((done.fact.0, at))
    }

    /// Taps `count` times; how long each took to the disk, and to the browser, shortest first.
    fn taps(
        &self,
        stage: &Stage,
        count: usize,
        pace: Duration,
    ) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let events = listen(stage.office.page()?, stage.office.visitor()?.cookie())?;
        let (mut durable, mut tapped) = (Vec::new(), Vec::new());
        for number in 0..count {
            let at = Instant::now();
            let (fact, done) = self.tap(number)?;
            durable.push(done - at);
            tapped.push((fact, at));
            // In no step with the page's own.
            std::thread::sleep(pace.mul_f64(0.5 + rand::random::<f64>()));
        }
        let store = stage.office.store()?;
        let mut seen = Vec::new();
        let mut came: Vec<(Instant, i64)> = Vec::new();
        for (fact, at) in tapped {
            let find = "SELECT history.id FROM fact JOIN history ON history.pickup = fact.pickup AND history.fact = fact.id WHERE fact.id = ?1";
            let history: i64 = crate::harness::eventually("a fact reaches the office", || {
                store.query_row(find, [fact.as_bytes()], |row| row.get(0)).ok()
            });
            let when = loop {
                if let Some((when, _)) = came.iter().find(|(_, upto)| *upto >= history) {
                    break *when;
                }
                came.push(events.recv_timeout(Duration::from_secs(30)).context("the event never came")?);
            };
            seen.push(when.saturating_duration_since(at));
        }
        durable.sort();
        seen.sort();
        Ok((durable, seen))
    }
}

/// The front page's stream as a browser reads it: when each event came, and up to which history row it goes.
fn listen(page: &str, cookie: &str) -> anyhow::Result<Receiver<(Instant, i64)>> {
    let host =
        page.strip_prefix("http://").context("the page has no address")?.trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&host)?;
    write!(stream, "GET /events HTTP/1.0\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n")?;
    let (to, events) = mpsc::channel();
    let (begun, first) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let came = Instant::now();
            let Some(data) = line.strip_prefix("data: ").or_else(|| line.strip_prefix("data:")) else {
                continue;
            };
            let Some(history) =
                serde_json::from_str::<Value>(data).ok().and_then(|data| data["history"].as_i64())
            else {
                continue;
            };
            // Nobody waits for it after the first.
            let _ = begun.send(());
            if to.send((came, history)).is_err() {
                return;
            }
        }
    });
    first.recv_timeout(Duration::from_secs(30)).context("the stream does not begin")?;
    Ok(events)
}
