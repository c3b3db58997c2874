//! A fleet: any number of simulated terminals with the real core, store and link, worked by a scenario against any
//! gateway. A load generator, and a tool with which a city rehearses.
//!
//! All terminals run as tasks on one runtime; a few threads write their stores. What every terminal confirmed is kept,
//! so that the office's books can be compared with it at the end.
//!
//! ```no_run
//! use meguri_tests::fleet::{Credentials, Fleet, Scenario};
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut scenario = Scenario::parse("terminals = 20\n[pace]\nfacts_per_second = 50\n")?;
//! scenario.stores = "/tmp/stores".into();
//! let terminals = Credentials::read("terminals".as_ref())?;
//! let mut fleet = Fleet::start(scenario, None, terminals)?;
//! while fleet.stats().facts < 1_000 {
//!     std::thread::sleep(std::time::Duration::from_millis(100));
//! }
//! let stats = fleet.stop(); // All that was written has arrived, or `stats.waiting` says how much has not.
//! assert_eq!(stats.waiting, 0);
//! let store = meguri_tests::fleet::office("office".as_ref())?;
//! fleet.books().check(&store)?;
//! # Ok(())
//! # }
//! ```

mod figures;
mod line;
mod member;
pub mod program;
mod scenario;
pub mod stage;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use meguri_config::{Clock, Terminal};
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

pub use self::figures::{Stats, Took};
pub use self::scenario::{Crew, Kills, Outages, Pace, Scenario, Stop, Turns, Window};

use self::figures::Figures;
use self::member::Member;
use self::scenario::seconds;
use crate::harness::books::Books;

/// How often it is looked whether the crews are to stop.
const LOOK: Duration = Duration::from_millis(50);
/// How long terminals may take to switch themselves off.
const SWITCH_OFF: Duration = Duration::from_secs(30);

/// The terminals of a fleet, each with its name, its vehicle and its secret.
#[derive(Debug, Clone)]
pub struct Credentials(Vec<Terminal>);

impl Credentials {
    /// Reads every `DIR/*/terminal.toml`, in the order of their folders' names.
    ///
    /// # Errors
    /// When there is none, or one can't be read.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let entries = std::fs::read_dir(dir).with_context(|| format!("can't read {}", dir.display()))?;
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("can't read {}", dir.display()))?.path();
            if path.join("terminal.toml").is_file() {
                folders.push(path);
            }
        }
        folders.sort();
        ensure!(
            !folders.is_empty(),
            "no terminal in {}: expected folders with a terminal.toml each, as `fleet enrol --out` and \
             `meguri-gateway terminal add --out` write them",
            dir.display()
        );
        let terminals: Result<_, _> =
            folders.iter().map(|folder| Terminal::read(&folder.join("terminal.toml"))).collect();
        Ok(Self(terminals?))
    }

    /// These terminals.
    #[must_use]
    pub fn of(terminals: Vec<Terminal>) -> Self {
        Self(terminals)
    }

    /// Their settings.
    #[must_use]
    pub fn terminals(&self) -> &[Terminal] {
        &self.0
    }
}

/// A running fleet. Dropped, its terminals end where they are.
pub struct Fleet {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    seats: JoinSet<()>,
}

/// What all crews share.
struct Shared {
    scenario: Scenario,
    broker: Option<(String, u16)>,
    names: BTreeSet<String>,
    clock: Clock,
    with_lines: bool,
    /// How many terminals run at the same time.
    places: usize,
    started: Instant,
    figures: Figures,
    books: Mutex<Books>,
    orders: watch::Sender<Orders>,
    /// Terminals that do not run at the moment.
    resting: Mutex<VecDeque<Member>>,
    /// Terminals that have nothing more to do.
    settled: Mutex<Vec<Member>>,
}

/// What the crews are told.
#[derive(Debug, Clone, Copy)]
struct Orders {
    phase: Phase,
    taps: bool,
    offline: bool,
    facts_per_second: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    /// Nobody taps; what was written arrives.
    Settling,
    /// All switch off.
    Ending,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// Starts the terminals, against `broker` where given instead of the one in each terminal's settings.
    ///
    /// # Errors
    /// When the scenario can't be, or needs more terminals or open files than there are.
    pub fn start(
        scenario: Scenario,
        broker: Option<(String, u16)>,
        credentials: Credentials,
    ) -> anyhow::Result<Self> {
        scenario.check()?;
        let terminals = credentials.0;
        let count = scenario.terminals.unwrap_or(terminals.len());
        ensure!(
            count <= terminals.len(),
            "the scenario is for {count} terminals, there are {}: enrol more, or ask for fewer",
            terminals.len()
        );
        let places = scenario.turns.map_or(count, |turns| turns.live.min(count));
        let with_lines = scenario.breaks_lines();
        // A store's three files and its lock, a connection; with a line a listener and two more.
        allow_files(places as u64 * if with_lines { 8 } else { 5 } + 256)?;
        let clock = match &scenario.clock {
            Some(path) => Clock::rehearsal(path)?,
            None => Clock::system(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(scenario.writers)
            .thread_name("fleet")
            .enable_all()
            .build()
            .context("can't start threads")?;
        let orders = Orders {
            phase: Phase::Working,
            taps: true,
            offline: false,
            facts_per_second: scenario.pace.facts_per_second,
        };
        let spread = seconds(scenario.pace.start_seconds);
        let shared = Arc::new(Shared {
            broker,
            names: terminals.iter().take(count).map(|t| t.terminal.to_string()).collect(),
            clock,
            with_lines,
            places,
            started: Instant::now(),
            figures: Figures::new(),
            books: Mutex::default(),
            orders: watch::channel(orders).0,
            resting: Mutex::default(),
            settled: Mutex::default(),
            scenario,
        });
        for (number, terminal) in (0_u64..).zip(terminals.into_iter().take(count)) {
            lock(&shared.resting).push_back(Member::new(terminal, &shared, number));
        }
        shared.figures.terminals.store(count as u64, Relaxed);
        shared.figures.lists_open.store(i64::try_from(count).unwrap_or(i64::MAX), Relaxed);
        let mut seats = JoinSet::new();
        for place in 0..places {
            let wait = spread.mul_f64(place as f64 / places as f64);
            seats.spawn_on(seat(Arc::clone(&shared), wait), runtime.handle());
        }
        runtime.spawn(watch_over(Arc::clone(&shared)));
        Ok(Self { shared, runtime: Some(runtime), seats })
    }

    /// How it stands.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.figures.stats()
    }

    /// Forgets the times measured so far, so that the next figures are of what comes.
    pub fn clear_times(&self) {
        self.shared.figures.clear_times();
    }

    /// Whether the crews still work: no stop condition has been met.
    #[must_use]
    pub fn works(&self) -> bool {
        self.shared.orders.borrow().phase == Phase::Working
    }

    /// Sets another pace for all together, in facts per second.
    pub fn set_pace(&self, facts_per_second: f64) {
        self.shared.orders.send_modify(|orders| orders.facts_per_second = Some(facts_per_second));
    }

    /// Has the crews tap, or rest.
    pub fn set_taps(&self, taps: bool) {
        self.shared.orders.send_modify(|orders| orders.taps = taps);
    }

    /// Takes every line away, or gives it back. Only in a scenario that breaks lines, like by a `window`.
    pub fn set_offline(&self, offline: bool) {
        self.shared.orders.send_modify(|orders| orders.offline = offline);
    }

    /// Has the crews stop, waits until what they wrote has arrived, at most `settle_seconds`, and switches the
    /// terminals off. Blocks, so it is not for a task.
    pub fn stop(&mut self) -> Stats {
        let Some(runtime) = &self.runtime else { return self.stats() };
        let (shared, seats) = (&self.shared, &mut self.seats);
        runtime.block_on(async {
            shared.order(Phase::Settling);
            let patience = seconds(shared.scenario.stop.settle_seconds);
            let all = async { while seats.join_next().await.is_some() {} };
            if timeout(patience, all).await.is_err() {
                shared.order(Phase::Ending);
                let all = async { while seats.join_next().await.is_some() {} };
                // One that does not even end is dropped with the runtime.
                let _late = timeout(SWITCH_OFF, all).await;
            }
        });
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(SWITCH_OFF);
        }
        self.stats()
    }

    /// What the terminals confirmed, and what they left open, to be compared with an office's store.
    #[must_use]
    pub fn books(&self) -> Books {
        lock(&self.shared.books).clone()
    }

    /// The names of its terminals.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.shared.names.clone()
    }

    /// After [`Fleet::stop`]: the terminals of which not everything has arrived, and how much has not.
    #[must_use]
    pub fn unsent(&self) -> Vec<(String, u64)> {
        let settled = lock(&self.shared.settled);
        let left = settled.iter().filter(|member| member.waiting() > 0);
        left.map(|member| (member.name().to_owned(), member.waiting())).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.seats.abort_all();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn order(&self, phase: Phase) {
        self.orders.send_modify(|orders| {
            if orders.phase != Phase::Ending {
                orders.phase = phase;
            }
        });
    }

    fn next(&self) -> Option<Member> {
        let mut resting = lock(&self.resting);
        loop {
            let member = resting.pop_front()?;
            let phase = self.orders.borrow().phase;
            if phase == Phase::Working || phase == Phase::Settling && member.has_unsent() {
                return Some(member);
            }
            lock(&self.settled).push(member);
        }
    }
}

/// A place on which one terminal after the other runs.
async fn seat(shared: Arc<Shared>, wait: Duration) {
    let mut orders = shared.orders.subscribe();
    tokio::select! {
        () = sleep(wait) => {}
        _ = orders.wait_for(|orders| orders.phase != Phase::Working) => {}
    }
    while let Some(mut member) = shared.next() {
        member.turn(&shared).await;
        lock(&shared.resting).push_back(member);
    }
}

/// Has the crews stop when the scenario says so.
async fn watch_over(shared: Arc<Shared>) {
    let stop = shared.scenario.stop;
    loop {
        let (facts, open) = (shared.figures.facts.load(Relaxed), shared.figures.lists_open.load(Relaxed));
        let over = stop.facts.is_some_and(|most| facts >= most)
            || stop.minutes.is_some_and(|most| shared.started.elapsed() >= seconds(most * 60.0))
            || stop.lists_done && open <= 0;
        if over {
            return shared.order(Phase::Settling);
        }
        sleep(LOOK).await;
    }
}

/// Opens an office's store to be read, as the books ask for.
///
/// # Errors
/// When there is none in the folder.
pub fn office(data: &Path) -> anyhow::Result<Connection> {
    let path = data.join("meguri.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let store = Connection::open_with_flags(&path, flags)
        .with_context(|| format!("can't read the office's store {}", path.display()))?;
    store.busy_timeout(Duration::from_secs(10))?;
    Ok(store)
}

/// Raises this process's limit of open files where it is too low.
fn allow_files(needed: u64) -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let (now, most) = (current.unwrap_or(u64::MAX), maximum.unwrap_or(u64::MAX));
    if now >= needed {
        return Ok(());
    }
    ensure!(
        most >= needed,
        "this fleet opens about {needed} files, this system allows {most}: raise the limit (`ulimit -Hn`), have fewer \
         terminals run at the same time (turns), or break no lines"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed.max(now)), maximum })
        .context("can't raise the limit of open files")
}
