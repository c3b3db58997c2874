//! Long work under faults: terminals by the thousand take turns while gateway, broker and terminals are killed and lines
//! are lost. After it the books balance to the last fact, and no memory or file has grown beyond what the work explains.
//!
//! Short in `make test`. `make soak` runs it for an hour; `MEGURI_SOAK=90` for 90 minutes, `MEGURI_SOAK=2000000facts` until
//! so many are written. `MEGURI_SEED` repeats the crews' decisions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use meguri_config::Terminal;
use meguri_config::terminal::Timers;
use meguri_gateway::config::Settings;
use meguri_proto::clock::business_date;
use meguri_tests::day;
use meguri_tests::fleet::{Credentials, Fleet, Kills, Outages, Scenario, Stats, Turns, stage};
use meguri_tests::harness::broker::{Mosquitto, OFFICE};
use meguri_tests::harness::console::short_timers;
use meguri_tests::harness::office::{External, Office};
use meguri_tests::harness::port::Port;
use meguri_tests::harness::proxy::Proxy;
use meguri_tests::harness::scene::{Broker, DAY_PROFILE};
use meguri_tests::harness::seed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Share of the time in which the gateway is killed. In the rest it lives on, so that growth shows.
const ROUGH: f64 = 0.6;
/// Most bytes of the office's files for a fact: its entry, what is applied of it, its history, their indexes, and the
/// health samples that come with it.
const OFFICE_BYTES_A_FACT: u64 = 1_200;
/// Most bytes of the office's files for a terminal: its logs, and the lists of the day and those around it.
const OFFICE_BYTES_A_TERMINAL: u64 = 16 * 1024;
/// Most bytes of a terminal's files before its first fact: an empty store, and its list.
const STORE_BYTES: u64 = 80 * 1024;
/// Most bytes of a terminal's files for a fact, in pages that are not quite full.
const STORE_BYTES_A_FACT: u64 = 1_000;
/// Most memory that the gateway may keep for a terminal that it hears for the first time: its logs, its retained
/// presence, the broker's account of it.
const BYTES_A_TERMINAL: u64 = 4 * 1024;
/// What the gateway takes by itself once the 48 MB of pages are there that its writer keeps: one that was killed not
/// long ago is still filling them.
const FULL: u64 = 88 << 20;
/// How much its memory may come and go by itself.
const NOISE: u64 = 12 << 20;

/// How large a run is.
struct Size {
    terminals: usize,
    live: usize,
    /// Facts per second.
    pace: f64,
    minutes: Option<f64>,
    facts: u64,
    /// Real seconds between two blows at gateway or broker.
    blows: [f64; 2],
    timers: Timers,
}

impl Size {
    fn asked() -> Self {
        let Ok(asked) = std::env::var("MEGURI_SOAK") else {
            let timers = short_timers();
            let (blows, minutes) = ([2.0, 5.0], Some(0.6));
            return Self { terminals: 20, live: 12, pace: 60.0, minutes, facts: 0, blows, timers };
        };
        let timers = Timers {
            hello: 60.0,
            silence: 5.0,
            silence_most: 30.0,
            reconnect: 0.5,
            reconnect_most: 5.0,
            health: 60.0,
            keep_alive: 15.0,
            join: 15.0,
            ..Timers::default()
        };
        // What the crews are kept from by kills and cuts is missing in an hour.
        let (pace, an_hour) = (500.0, 1_200_000.0);
        let (minutes, facts) = match asked.strip_suffix("facts") {
            Some(facts) => (None, facts.trim().parse().expect("MEGURI_SOAK=2000000facts")),
            None => {
                let minutes: f64 = asked.parse().expect("MEGURI_SOAK is minutes, or like 2000000facts");
                (Some(minutes), (minutes / 60.0 * an_hour) as u64)
            }
        };
        Self { terminals: 10_000, live: 1_000, pace, minutes, facts, blows: [20.0, 60.0], timers }
    }

    /// How long it takes, about.
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.minutes.map_or(self.facts as f64 / self.pace, |minutes| minutes * 60.0))
    }
}

struct World {
    office: Office,
    mosquitto: Option<Mosquitto>,
    /// The office's own line to an external broker.
    line: Option<Proxy>,
    broker: (String, u16),
    /// Since when the gateway lives.
    alive_since: jiff::Timestamp,
    dir: tempfile::TempDir,
    _port: Port,
}

#[test]
fn on_the_embedded_broker() {
    soak(Broker::Embedded);
}

#[test]
fn on_mosquitto() {
    soak(Broker::Mosquitto);
}

fn soak(broker: Broker) {
    let size = Size::asked();
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::make(broker, &size, seed);
    let before = Files::of(&world);
    let turn = (size.pace * size.time().as_secs_f64() / size.terminals as f64 / 4.0).clamp(5.0, 25.0);
    let mut scenario = Scenario {
        name: "soak".to_owned(),
        seed,
        stores: world.stores(),
        turns: Some(Turns { live: size.live, facts: turn as u64, leave_unsent: 0.1 }),
        outages: Some(Outages { each_hour: 20.0, seconds: [1.0, 20.0], silent: 0.3 }),
        kills: Some(Kills { each_hour: 10.0, down_seconds: [0.0, 5.0] }),
        timers: Some(size.timers.clone()),
        ..Scenario::default()
    };
    if size.minutes == Some(0.6) {
        // So much happens to so few in so short a time that none is spared.
        scenario.outages = Some(Outages { each_hour: 600.0, seconds: [0.2, 2.0], silent: 0.3 });
        scenario.kills = Some(Kills { each_hour: 600.0, down_seconds: [0.0, 0.5] });
    }
    scenario.pace.facts_per_second = Some(size.pace);
    scenario.pace.start_seconds = (size.live as f64 / 50.0).min(30.0);
    let credentials = Credentials::read(&world.dir.path().join("terminals")).unwrap();
    let mut fleet = Fleet::start(scenario, Some(world.broker.clone()), credentials).unwrap();

    let started = Instant::now();
    let (mut blows, mut cuts, mut samples) = (0, 0, Vec::new());
    let mut next_blow = started + wait(&mut random, size.blows);
    let mut next_cut = started + wait(&mut random, size.blows);
    let mut shown = started;
    loop {
        let stats = fleet.stats();
        let share = match size.minutes {
            Some(_) => started.elapsed().as_secs_f64() / size.time().as_secs_f64(),
            None => stats.facts as f64 / size.facts as f64,
        };
        if share >= 1.0 && stats.facts >= size.facts {
            break;
        }
        let now = Instant::now();
        if share < ROUGH && now >= next_blow {
            world.strike(&mut random);
            blows += 1;
            next_blow = Instant::now() + wait(&mut random, size.blows);
        }
        if now >= next_cut
            && let Some(line) = &world.line
        {
            line.cut();
            cuts += 1;
            next_cut = now + wait(&mut random, size.blows);
        }
        if share >= ROUGH {
            let (memory, heard) = (world.memory(), world.heard());
            samples.push(Sample { share, memory, heard, facts: stats.facts });
        }
        if shown.elapsed() > Duration::from_secs(10) {
            shown = now;
            eprintln!("{}", progress(&stats, world.memory()));
        }
        thread::sleep(Duration::from_millis(500));
    }
    let stats = fleet.stop();
    eprintln!("{}", progress(&stats, world.memory()));
    assert_eq!(fleet.unsent(), Vec::new(), "not all has arrived: {stats:?}");

    let sum = fleet.books().check(&world.office.store().unwrap()).unwrap();
    let wrote = world.number("SELECT count(DISTINCT terminal) FROM fact");
    assert_eq!(i64::try_from(sum.facts).unwrap(), i64::try_from(stats.facts).unwrap(), "{stats:?}");
    assert!(sum.facts as u64 >= size.facts.max(size.terminals as u64), "only {} facts", sum.facts);
    for (what, query) in [
        ("a kill alone never makes a fork", "SELECT count(*) FROM notice WHERE kind = 'fork'"),
        ("nothing is lost on a terminal", "SELECT count(*) FROM hole"),
        ("nothing is set aside", "SELECT count(*) FROM aside"),
    ] {
        assert_eq!(world.number(query), 0, "{what}");
    }
    assert!(blows > 0 && stats.kills > 0 && stats.outages > 0, "nothing was broken: {stats:?}");
    let growth = growth(&samples);
    world.office.stop().unwrap();
    let sound: String =
        world.office.store().unwrap().query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let after = Files::of(&world);
    eprintln!(
        "soak on {broker:?}: {:.1} min, {} facts of {wrote} terminals in {} turns; gateway or broker killed {blows} times, \
         terminals dropped {} times ({} answers lost), {} lines lost, the office's line cut {cuts} times; {}, to the ack {}; \
         books balanced. {growth}; office {} bytes a fact, terminals' stores {} bytes a fact",
        stats.seconds / 60.0,
        sum.facts,
        stats.turns,
        stats.kills,
        stats.unanswered,
        stats.outages,
        stats.to_durable,
        stats.to_ack,
        (after.office - before.office) / stats.facts,
        after.stores / stats.facts,
    );
    assert!(growth.is_explained(), "the gateway's memory grows: {growth}");
    after.check(&before, &stats, size.terminals as u64);
}

fn progress(stats: &Stats, memory: u64) -> String {
    format!(
        "{:>5.0} s  {} facts ({:.0}/s), {} waiting, {} of {} connected, {} turns, {} kills, {} outages, gateway {} MB{}",
        stats.seconds,
        stats.facts,
        stats.facts_per_second,
        stats.waiting,
        stats.connected,
        stats.live,
        stats.turns,
        stats.kills,
        stats.outages,
        memory >> 20,
        stats
            .last_trouble
            .as_ref()
            .map_or(String::new(), |why| format!(", {} troubles: {why}", stats.troubles)),
    )
}

fn wait(random: &mut StdRng, [least, most]: [f64; 2]) -> Duration {
    Duration::from_secs_f64(random.random_range(least..=most))
}

impl World {
    /// An office with its broker, terminals on a vehicle each, and days enough of pickups.
    fn make(broker: Broker, size: &Size, seed: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("meguri-soak-").tempdir().unwrap();
        let today = business_date(jiff::Timestamp::now());
        let mut city = stage::made_up_city(size.terminals, today).unwrap();
        // The broker's access rules are this city's.
        city.id = "hiroshima".parse().unwrap();
        let port = Port::take().unwrap();
        let own = port.address();
        let mut office = Office::set_up(dir.path(), &city, None, own, None).unwrap();
        let terminals = dir.path().join("terminals");
        let settings = dir.path().join("gateway.toml");
        let read = Settings::read(Some(&settings), std::iter::empty(), None).unwrap();
        stage::enrol(&read, size.terminals, &terminals, false).unwrap();
        let (mosquitto, line, address) = match broker {
            Broker::Embedded => (None, None, own),
            Broker::Mosquitto => {
                let mut users = vec![(OFFICE.to_owned(), "of-the-office".to_owned())];
                for terminal in Credentials::read(&terminals).unwrap().terminals() {
                    users.push((terminal.terminal.to_string(), Terminal::secret(terminal).unwrap()));
                }
                let users: Vec<(&str, &str)> = users.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                let mut mosquitto = Mosquitto::set_up(&dir.path().join("mosquitto"), &users).unwrap();
                mosquitto.start().unwrap();
                let line = Proxy::start(mosquitto.address()).unwrap();
                let (user, password) = (OFFICE.to_owned(), "of-the-office".to_owned());
                let external = External { address: line.address(), user, password };
                office = Office::set_up(dir.path(), &city, None, own, Some(&external)).unwrap();
                let address = mosquitto.address();
                (Some(mosquitto), Some(line), address)
            }
            Broker::Cluster => panic!("the soak has no cluster"),
        };
        // Every line of a million facts would be a large log.
        let text = fs::read_to_string(&settings).unwrap().replace("\"debug\"", "\"info\"");
        fs::write(&settings, text).unwrap();
        let days = 2 + i64::try_from(size.time().as_secs() / 86_400).unwrap();
        for ahead in 0..days {
            let date = today.checked_add(jiff::Span::new().days(ahead)).unwrap();
            let requests = stage::day(&city, date, size.terminals * 5, seed ^ ahead.unsigned_abs());
            let imported = office.import(DAY_PROFILE, &day::csv(&requests)).unwrap();
            assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        }
        let alive_since = jiff::Timestamp::now();
        office.start().unwrap();
        let broker = (address.ip().to_string(), address.port());
        Self { office, mosquitto, line, broker, alive_since, dir, _port: port }
    }

    fn stores(&self) -> PathBuf {
        self.dir.path().join("stores")
    }

    fn strike(&mut self, random: &mut StdRng) {
        match &mut self.mosquitto {
            Some(broker) if random.random() => {
                broker.kill();
                broker.start().unwrap();
            }
            _ => {
                self.office.kill();
                self.alive_since = jiff::Timestamp::now();
                self.office.start().unwrap();
            }
        }
    }

    /// How many terminals the gateway has heard in this life.
    fn heard(&self) -> u64 {
        let since = self.alive_since.as_millisecond();
        self.number(&format!("SELECT count(*) FROM terminal WHERE last_heard_at >= {since}")).unsigned_abs()
    }

    fn number(&self, query: &str) -> i64 {
        self.office.number(query).unwrap()
    }

    /// What of the gateway's memory is in use, in bytes.
    fn memory(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.office.process_id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

struct Sample {
    share: f64,
    memory: u64,
    heard: u64,
    facts: u64,
}

/// The gateway's memory, early and late in its last life.
struct Growth {
    early: u64,
    late: u64,
    /// Terminals that it has heard meanwhile for the first time in this life.
    terminals: u64,
    facts: u64,
}

fn growth(samples: &[Sample]) -> Growth {
    let calm = 1.0 - ROUGH;
    let between = |from: f64, until: f64| -> Vec<&Sample> {
        let inside = |s: &&Sample| (from..until).contains(&((s.share - ROUGH) / calm));
        samples.iter().filter(inside).collect()
    };
    // The first third is for terminals to come back.
    let (early, late) = (between(0.33, 0.5), between(0.83, 9.0));
    let mean = |samples: &[&Sample]| samples.iter().map(|s| s.memory).sum::<u64>() / samples.len() as u64;
    let (from, to) = (early[0], late[late.len() - 1]);
    Growth {
        early: mean(&early),
        late: mean(&late),
        terminals: to.heard - from.heard,
        facts: to.facts - from.facts,
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { early, late, facts, terminals } = self;
        let (early, late) = (mb(*early), mb(*late));
        write!(f, "gateway {early:.1} MB, after {facts} facts and {terminals} terminals more {late:.1} MB")
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Growth {
    fn is_explained(&self) -> bool {
        self.late <= self.early.max(FULL) + NOISE + self.terminals * BYTES_A_TERMINAL
    }
}

/// Bytes of files.
struct Files {
    office: u64,
    stores: u64,
}

impl Files {
    fn of(world: &World) -> Self {
        Self { office: bytes(&world.office.data()), stores: bytes(&world.stores()) }
    }

    fn check(&self, before: &Self, stats: &Stats, terminals: u64) {
        // What an import leaves free is used first, what a checkpoint has yet to bring home stands twice.
        let work = terminals * OFFICE_BYTES_A_TERMINAL + stats.facts * OFFICE_BYTES_A_FACT;
        let most = before.office + (4 << 20) + work;
        assert!(self.office <= most, "the office's files grow: {} bytes, at most {most}", self.office);
        let most = terminals * STORE_BYTES + stats.facts * STORE_BYTES_A_FACT;
        assert!(self.stores <= most, "the terminals' files grow: {} bytes, at most {most}", self.stores);
    }
}

/// Bytes of all files below a folder; none where it is not there.
fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() { bytes(&path) } else { entry.metadata().map_or(0, |data| data.len()) }
    };
    entries.flatten().map(size).sum()
}

#[test]
fn growth_that_nothing_explains_is_noticed() {
    let grown = |late: u64, terminals| Growth { early: 100 << 20, late: late << 20, terminals, facts: 1 };
    assert!(grown(111, 0).is_explained() && grown(150, 10_000).is_explained());
    assert!(
        !grown(113, 0).is_explained() && !grown(113, 10).is_explained() && !grown(200, 10_000).is_explained()
    );
    let young = |late: u64| Growth { early: 38 << 20, late: late << 20, terminals: 0, facts: 1 };
    assert!(young(80).is_explained() && !young(101).is_explained());
}
