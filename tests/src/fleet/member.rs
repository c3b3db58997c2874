//! One terminal of a fleet and its crew: started, tapped, cut off, dropped and started again, and its books kept.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use meguri_app::body::{self, Handle, Recorded, StartError};
use meguri_app::store::StoreError;
use meguri_config::Terminal;
use meguri_core::view::{Intent, Link, ListView, NotRecorded, View};
use meguri_proto::pickup::State;
use meguri_proto::{LogKind, Reason};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::line::{Carries, Line};
use super::scenario::{Kills, Outages, seconds};
use super::{Orders, Phase, Shared, lock};
use crate::harness::books::Confirmed;

/// Between two tries of what did not work.
const AGAIN: Duration = Duration::from_secs(1);
/// A store that its last commit still holds is let go soon.
const HELD: Duration = Duration::from_millis(20);
/// A kill in the middle of a write comes within that many microseconds of the tap.
const IN_WRITE: u64 = 4_000;

/// A terminal of the fleet, wherever it is between two turns.
pub(super) struct Member {
    settings: Terminal,
    data: PathBuf,
    random: StdRng,
    /// When its line is lost with that of others.
    windows: Vec<[Duration; 2]>,
    head: u64,
    waiting: u64,
    started: bool,
    done: bool,
}

/// One life of the terminal's body.
struct Life {
    handle: Handle,
    task: JoinHandle<()>,
    view: watch::Receiver<Arc<View>>,
    line: Option<Line>,
    /// Taps whose acknowledgement is awaited.
    tapped: VecDeque<(u64, Instant)>,
    connected: bool,
    with_list: bool,
    next_tap: Instant,
    outage: Option<(Instant, Carries)>,
    next_outage: Option<Instant>,
    kill_at: Option<Instant>,
    /// The next tap is this terminal's last.
    kill_in_write: bool,
}

/// How a life ended.
enum End {
    Done,
    Killed,
    /// It ended by itself.
    Broken,
}

impl Member {
    pub(super) fn new(settings: Terminal, shared: &Shared, number: u64) -> Self {
        let scenario = &shared.scenario;
        let seed = scenario.seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = StdRng::seed_from_u64(seed);
        let windows = scenario
            .window
            .iter()
            .filter(|window| random.random_bool(window.share))
            .map(|window| [seconds(window.from), seconds(window.until)])
            .collect();
        let data = scenario.stores.join(settings.terminal.as_str());
        Self { settings, data, random, windows, head: 0, waiting: 0, started: false, done: false }
    }

    pub(super) fn name(&self) -> &str {
        self.settings.terminal.as_str()
    }

    /// Facts that the office has not acknowledged, as far as is known.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether it has to run once more until all it wrote has arrived.
    pub(super) fn has_unsent(&self) -> bool {
        // A store of an earlier run may hold what nobody has looked at.
        self.waiting > 0 || !self.started && self.data.join("terminal.db").is_file()
    }

    /// Runs the terminal until its turn is over, through as many lives as that takes.
    pub(super) async fn turn(&mut self, shared: &Arc<Shared>) {
        let mut orders = shared.orders.subscribe();
        let until = shared.scenario.turns.map(|turns| turns.facts);
        let leave_unsent = shared.scenario.turns.is_some_and(|t| self.random.random_bool(t.leave_unsent));
        let mut left = until;
        loop {
            if orders.borrow().phase == Phase::Ending {
                return;
            }
            let mut life = match self.wake(shared).await {
                Ok(life) => life,
                Err(error) => {
                    shared.figures.trouble(format!("{}: {error:#}", self.name()));
                    wait(&mut orders, AGAIN).await;
                    continue;
                }
            };
            shared.figures.live.fetch_add(1, Relaxed);
            let end = self.live(shared, &mut life, &mut orders, &mut left, leave_unsent).await;
            shared.figures.live.fetch_sub(1, Relaxed);
            self.seen(shared, &mut life, false, false);
            match end {
                End::Done => {
                    life.handle.clone().stop();
                    // It may have ended in a panic, which is told as it happens.
                    let _ended = life.task.await;
                    shared.figures.turns.fetch_add(u64::from(until.is_some()), Relaxed);
                    return;
                }
                End::Killed => {
                    life.task.abort();
                    let _aborted = life.task.await;
                    shared.figures.kills.fetch_add(1, Relaxed);
                    let [least, most] = shared.scenario.kills.map_or([0.0; 2], |kills| kills.down_seconds);
                    let down = seconds(self.random.random_range(least..=most));
                    wait(&mut orders, down).await;
                }
                End::Broken => {
                    shared.figures.trouble(format!("{}: the terminal has ended by itself", self.name()));
                    wait(&mut orders, AGAIN).await;
                }
            }
        }
    }

    /// Starts the terminal on its store.
    async fn wake(&mut self, shared: &Arc<Shared>) -> anyhow::Result<Life> {
        let mut settings = self.settings.clone();
        let broker = &shared.broker;
        let target = broker.clone().unwrap_or((settings.broker.host.clone(), settings.broker.port));
        let delay = shared.scenario.delay_ms.map(|ms| Duration::from_millis(ms.into()));
        let line = if shared.with_lines {
            Some(Line::lay(target.clone(), delay).await.context("can't lay a line")?)
        } else {
            None
        };
        (settings.broker.host, settings.broker.port) =
            line.as_ref().map_or(target, |line| (line.address().ip().to_string(), line.address().port()));
        if let Some(timers) = &shared.scenario.timers {
            settings.timers = timers.clone();
        }
        let (runtime, clock) = (tokio::runtime::Handle::current(), shared.clock.clone());
        let (handle, task) = loop {
            let (runtime, settings, data, clock) =
                (runtime.clone(), settings.clone(), self.data.clone(), clock.clone());
            let (first, name) = (!self.started, self.name().to_owned());
            let opened = tokio::task::spawn_blocking(move || {
                let kept = if first { kept(&data, &name)? } else { Kept::default() };
                anyhow::Ok((kept, body::start_on(&runtime, settings, &data, clock)?))
            });
            match opened.await? {
                Ok((kept, running)) => {
                    let mut books = lock(&shared.books);
                    books.confirmed.extend(kept.confirmed);
                    if kept.pruned > 0 {
                        *books.unanswered.entry(self.name().to_owned()).or_default() += kept.pruned;
                    }
                    break running;
                }
                Err(error) if held(&error) => sleep(HELD).await,
                Err(error) => return Err(error),
            }
        };
        let status = handle.status().await.context("it ended at once")?;
        let log = status.logs.iter().find(|log| log.log == LogKind::Fact);
        let head = log.map_or(0, |log| log.head);
        if self.started {
            shared.figures.facts.fetch_add(head.saturating_sub(self.head), Relaxed);
        } else {
            shared.figures.waiting_before.fetch_add(status.waiting, Relaxed);
        }
        (self.started, self.head) = (true, head);
        let now = Instant::now();
        let kill_at = shared.scenario.kills.map(|Kills { each_hour, .. }| now + self.within(each_hour));
        let next_outage =
            shared.scenario.outages.map(|Outages { each_hour, .. }| now + self.within(each_hour));
        Ok(Life {
            view: handle.view(),
            handle,
            task,
            line,
            tapped: VecDeque::new(),
            connected: false,
            with_list: false,
            next_tap: now + self.gap(shared, &shared.orders.borrow()),
            outage: None,
            next_outage,
            kill_at,
            kill_in_write: false,
        })
    }

    /// Works until there is nothing more to do, or the terminal is no more.
    async fn live(
        &mut self,
        shared: &Arc<Shared>,
        life: &mut Life,
        orders: &mut watch::Receiver<Orders>,
        left: &mut Option<u64>,
        leave_unsent: bool,
    ) -> End {
        loop {
            let view = life.view.borrow_and_update().clone();
            let now_orders = *orders.borrow_and_update();
            self.look(shared, life, &view);
            let settling = now_orders.phase != Phase::Working;
            let line_changes = self.set_line(shared, life, &now_orders);
            let quota_done = *left == Some(0);
            if now_orders.phase == Phase::Ending
                || (settling || quota_done) && self.waiting == 0
                || quota_done && leave_unsent && !settling
            {
                return End::Done;
            }
            let taps = !settling && !quota_done && now_orders.taps && view.list.is_some();
            let far = Instant::now() + Duration::from_secs(3_600);
            let kill_at = life.kill_at.filter(|_| !settling).unwrap_or(far);
            tokio::select! {
                changed = life.view.changed() => if changed.is_err() { return End::Broken },
                _ = orders.changed() => {
                    // At another pace the next tap comes sooner or later.
                    life.next_tap = Instant::now() + self.gap(shared, &orders.borrow());
                }
                () = sleep_until(life.next_tap), if taps => {
                    match self.tap(shared, life, &view, left).await {
                        ControlFlow::Break(end) => return end,
                        ControlFlow::Continue(()) => {
                            let gap = self.gap(shared, &orders.borrow());
                            life.next_tap = (life.next_tap + gap).max(Instant::now());
                        }
                    }
                }
                () = sleep_until(line_changes.unwrap_or(far)), if line_changes.is_some() => {}
                () = sleep_until(kill_at) => {
                    life.kill_at = None;
                    // Every other one in the middle of a write.
                    if self.random.random() || !taps {
                        return End::Killed;
                    }
                    life.kill_in_write = true;
                }
            }
        }
    }

    /// Sees what the terminal shows: what has been acknowledged, and how it stands.
    fn look(&mut self, shared: &Shared, life: &mut Life, view: &View) {
        self.seen(shared, life, matches!(view.link, Link::Up), view.list.is_some());
        let figures = &shared.figures;
        let change = i64::try_from(view.waiting).unwrap_or(0) - i64::try_from(self.waiting).unwrap_or(0);
        figures.waiting.fetch_add(change, Relaxed);
        self.waiting = view.waiting;
        let acked = self.head.saturating_sub(self.waiting);
        while let Some((_, at)) = life.tapped.front().filter(|(seq, _)| *seq <= acked).copied() {
            figures.to_ack.add(at.elapsed());
            life.tapped.pop_front();
        }
        let done = view.list.as_ref().is_some_and(|list| list.counts.left == 0);
        if done != self.done {
            self.done = done;
            figures.lists_open.fetch_add(if done { -1 } else { 1 }, Relaxed);
        }
    }

    fn seen(&self, shared: &Shared, life: &mut Life, connected: bool, with_list: bool) {
        let change = |from: bool, to: bool| i64::from(to) - i64::from(from);
        shared.figures.connected.fetch_add(change(life.connected, connected), Relaxed);
        shared.figures.with_list.fetch_add(change(life.with_list, with_list), Relaxed);
        (life.connected, life.with_list) = (connected, with_list);
    }

    /// Brings the line into the state it should be in; says when that changes next by itself.
    fn set_line(&mut self, shared: &Shared, life: &mut Life, orders: &Orders) -> Option<Instant> {
        let line = life.line.as_ref()?;
        if orders.phase != Phase::Working {
            line.set(Carries::All);
            return None;
        }
        let now = Instant::now();
        let passed = now.duration_since(shared.started);
        if life.outage.is_some_and(|(until, _)| until <= now) {
            life.outage = None;
        }
        if let (Some(outages), Some(at)) = (shared.scenario.outages, life.next_outage)
            && at <= now
        {
            let [least, most] = outages.seconds;
            let until = now + seconds(self.random.random_range(least..=most));
            let silent = self.random.random_bool(outages.silent);
            life.outage = Some((until, if silent { Carries::Nothing } else { Carries::NoConnection }));
            life.next_outage = Some(until + within(&mut self.random, outages.each_hour));
            shared.figures.outages.fetch_add(1, Relaxed);
        }
        let in_window = self.windows.iter().any(|[from, until]| (*from..*until).contains(&passed));
        line.set(match life.outage {
            _ if orders.offline || in_window => Carries::NoConnection,
            Some((_, carries)) => carries,
            None => Carries::All,
        });
        let ahead = self.windows.iter().flatten().filter(|at| **at > passed).min();
        let of_windows = ahead.map(|at| shared.started + *at);
        [life.outage.map(|(until, _)| until), life.next_outage, of_windows]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Records one thing and books the answer.
    async fn tap(
        &mut self,
        shared: &Shared,
        life: &mut Life,
        view: &View,
        left: &mut Option<u64>,
    ) -> ControlFlow<End> {
        let Some(intent) = view.list.as_ref().and_then(|list| self.choose(shared, list)) else {
            return ControlFlow::Continue(());
        };
        let (to, answer) = oneshot::channel();
        let tapped = Instant::now();
        life.handle.record_placed(intent, None, move |result| drop(to.send(result)));
        let answer = if life.kill_in_write {
            let strike = Duration::from_micros(self.random.random_range(0..IN_WRITE));
            tokio::select! {
                answer = answer => Some(answer),
                () = sleep(strike) => None,
            }
        } else {
            Some(answer.await)
        };
        match answer {
            Some(Ok(Ok(recorded))) => {
                shared.figures.to_durable.add(tapped.elapsed());
                self.book(shared, life, recorded, tapped);
                if let Some(left) = left {
                    *left = left.saturating_sub(1);
                }
                if std::mem::take(&mut life.kill_in_write) {
                    return ControlFlow::Break(End::Killed);
                }
            }
            Some(Ok(Err(NotRecorded::Store(why)))) => {
                shared.figures.trouble(format!("{}: {why}", self.name()));
                life.next_tap += AGAIN;
            }
            Some(Ok(Err(_))) => {
                shared.figures.refused.fetch_add(1, Relaxed);
            }
            // Whether it was written nobody has said.
            killed @ (None | Some(Err(_))) => {
                *lock(&shared.books).unanswered.entry(self.name().to_owned()).or_default() += 1;
                shared.figures.unanswered.fetch_add(1, Relaxed);
                return ControlFlow::Break(if killed.is_none() { End::Killed } else { End::Broken });
            }
        }
        ControlFlow::Continue(())
    }

    fn book(&mut self, shared: &Shared, life: &mut Life, recorded: Recorded, tapped: Instant) {
        shared.figures.facts.fetch_add(recorded.seq.saturating_sub(self.head), Relaxed);
        self.head = recorded.seq;
        life.tapped.push_back((recorded.seq, tapped));
        lock(&shared.books).confirmed.push(Confirmed {
            terminal: self.name().to_owned(),
            fact: recorded.fact.0,
            epoch: recorded.epoch.0,
            seq: i64::try_from(recorded.seq).unwrap_or(i64::MAX),
        });
    }

    /// What the crew does next; none where nothing is left for it.
    fn choose(&mut self, shared: &Shared, list: &ListView) -> Option<Intent> {
        let (crew, random) = (shared.scenario.crew, &mut self.random);
        let own = || list.stops.iter().filter(|stop| stop.own.is_some());
        let open = list.stops.iter().find(|stop| stop.state == State::Open);
        let undo = if open.is_some() { random.random_bool(crew.undo) } else { crew.again };
        if undo && let Some(stop) = own().choose(random) {
            return Some(Intent::Undo { pickup: stop.id() });
        }
        let stop = open?;
        let pickup = stop.id();
        if random.random_bool(crew.not_collected) {
            let note = random.random_bool(crew.note);
            let reasons = [Reason::NotOut, Reason::TicketShort, Reason::OtherItem, Reason::AccessBlocked];
            let reason = reasons.into_iter().choose(random).filter(|_| !note).unwrap_or(Reason::Other);
            let note = note.then(|| "工事で道路が通れません".to_owned());
            return Some(Intent::Refuse { pickup, reason, note });
        }
        if random.random_bool(crew.partly)
            && let Some(intent) = crate::crew::partly(stop)
        {
            return Some(intent);
        }
        Some(Intent::Collect { pickup })
    }

    /// Until the next tap: drawn so that taps come as independently as those of people.
    fn gap(&mut self, shared: &Shared, orders: &Orders) -> Duration {
        let pace = &shared.scenario.pace;
        let mean = match (orders.facts_per_second, pace.facts_per_second_each, pace.minutes_per_fact) {
            (Some(all), ..) => shared.places as f64 / all.max(1e-9),
            (None, Some(each), _) => 1.0 / each,
            (None, None, Some(minutes)) => minutes * 60.0 / shared.clock.speed().max(1e-9),
            (None, None, None) => 3_600.0,
        };
        drawn(&mut self.random, mean)
    }

    fn within(&mut self, each_hour: f64) -> Duration {
        within(&mut self.random, each_hour)
    }
}

/// Until the next of what happens so often an hour.
fn within(random: &mut StdRng, each_hour: f64) -> Duration {
    drawn(random, 3_600.0 / each_hour)
}

/// A wait with this mean, in seconds, as between events that know nothing of each other; cut at ten times the mean.
fn drawn(random: &mut StdRng, mean: f64) -> Duration {
    let uniform: f64 = random.random_range(f64::EPSILON..1.0);
    seconds((-uniform.ln()).min(10.0) * mean)
}

/// Waits, but no longer than until the orders change.
async fn wait(orders: &mut watch::Receiver<Orders>, time: Duration) {
    tokio::select! {
        () = sleep(time) => {}
        _ = orders.changed() => {}
    }
}

fn held(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StartError::Store(StoreError::Open { .. })))
}

/// What a store of an earlier run holds.
#[derive(Default)]
struct Kept {
    confirmed: Vec<Confirmed>,
    /// Entries it has deleted since the office held them.
    pruned: usize,
}

fn kept(data: &Path, name: &str) -> anyhow::Result<Kept> {
    let path = data.join("terminal.db");
    if !path.is_file() {
        return Ok(Kept::default());
    }
    let read = || -> rusqlite::Result<Kept> {
        let store = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('log', 'entry')";
        if store.query_row(tables, [], |row| row.get::<_, i64>(0))? < 2 {
            // Killed before its first commit.
            return Ok(Kept::default());
        }
        let mut kept = Kept::default();
        let logs = "SELECT first - 1 FROM log WHERE kind = 'fact'";
        for pruned in store.prepare(logs)?.query_map([], |row| row.get::<_, i64>(0))? {
            kept.pruned += usize::try_from(pruned?).unwrap_or(0);
        }
        let entries = "SELECT entry.id, log.epoch, entry.seq FROM entry JOIN log ON log.kind = entry.log \
                       WHERE log.kind = 'fact' ORDER BY entry.seq";
        let mut statement = store.prepare(entries)?;
        let rows = statement.query_map([], |row| {
            Ok(Confirmed {
                terminal: name.to_owned(),
                fact: row.get(0).map(Uuid::from_bytes)?,
                epoch: row.get(1).map(Uuid::from_bytes)?,
                seq: row.get(2)?,
            })
        })?;
        kept.confirmed = rows.collect::<Result<_, _>>()?;
        Ok(kept)
    };
    read().with_context(|| format!("can't read what the store {} holds from before", path.display()))
}
