//! The core against a small office of its own, over a line that loses, repeats and reorders, with
//! restarts, crashes, full disks, and stores restored from older copies on both sides.
//!
//! Whatever happened: once the line is good again, every fact confirmed on the terminal and not lost
//! with a store is in the office once, none is invented, and both sides show the same states.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "model/config.rs"]
mod config;
#[path = "model/office.rs"]
mod office;
mod signed;
#[path = "model/terminal.rs"]
mod terminal;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use meguri_core::view::{Intent, Link};
use meguri_proto::{Digest, FactId, LogKind, PickupId, Reason};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use uuid::Uuid;

use office::Office;
use terminal::{Terminal, World};

const PICKUPS: u128 = 3;

#[derive(Debug, Clone)]
enum Action {
    Say(u8, u8),
    /// Delivers, repeats or loses one of the messages under way.
    Up(u8, Fate),
    Down(u8, Fate),
    Wait(u32),
    WaitDays(u8),
    LoseLine,
    RegainLine,
    /// What is under way arrives in order.
    Calm,
    Restart,
    /// The process is killed before or after its next commit is on the disk.
    KillAtCommit(bool),
    DiskFull(bool),
    /// The next commit fails, and no other.
    FailCommit,
    CopyTerminal,
    RestoreTerminal(u8),
    CopyOffice,
    /// From a copy, with a new incarnation or without.
    RestoreOffice(u8, bool),
    DeviceClock(i32),
    /// So many minutes ahead.
    OfficeClock(i32),
    ConfirmDate(bool),
    /// The crew says that it is so many days after the first one that can be today.
    SetDate(u8),
    /// The office pushes a newer schedule, of this kind.
    Push(u8),
    /// So many minutes before or after the instant of the switchover.
    WaitForInstant(i8),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    ArrivesTwice,
    Lost,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Arrives), 1 => Just(Fate::ArrivesTwice), 2 => Just(Fate::Lost)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (any::<u8>(), any::<u8>()).prop_map(|(pickup, what)| Action::Say(pickup, what)),
        8 => (any::<u8>(), fate()).prop_map(|(index, fate)| Action::Up(index, fate)),
        8 => (any::<u8>(), fate()).prop_map(|(index, fate)| Action::Down(index, fate)),
        4 => (1_u32..600).prop_map(Action::Wait),
        1 => (1_u8..20).prop_map(Action::WaitDays),
        1 => Just(Action::LoseLine),
        2 => Just(Action::RegainLine),
        5 => Just(Action::Calm),
        1 => Just(Action::Restart),
        1 => any::<bool>().prop_map(Action::KillAtCommit),
        1 => any::<bool>().prop_map(Action::DiskFull),
        1 => Just(Action::FailCommit),
        2 => Just(Action::CopyTerminal),
        1 => any::<u8>().prop_map(Action::RestoreTerminal),
        2 => Just(Action::CopyOffice),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(index, new)| Action::RestoreOffice(index, new)),
        1 => (-400_i32..400).prop_map(Action::DeviceClock),
        1 => prop_oneof![-2_000_i32..2_000, Just(0), Just(400 * 24 * 60)].prop_map(Action::OfficeClock),
        1 => any::<bool>().prop_map(Action::ConfirmDate),
        1 => (0_u8..4).prop_map(Action::SetDate),
        2 => any::<u8>().prop_map(Action::Push),
        1 => (-20_i8..20).prop_map(Action::WaitForInstant),
    ]
}

/// One terminal, one office, and all that is remembered of them.
struct Play {
    world: World,
    terminal: Terminal,
    office: Office,
    terminal_copies: Vec<terminal::Disk>,
    office_copies: Vec<Office>,
    /// Facts that a restore has left nowhere.
    gone: BTreeSet<FactId>,
}

impl Play {
    fn new() -> Self {
        let start: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        let mut world = World::new(start);
        let terminal = Terminal::start(&mut world, terminal::Disk::default());
        let office = Office::new();
        Self {
            world,
            terminal,
            office,
            terminal_copies: Vec::new(),
            office_copies: Vec::new(),
            gone: BTreeSet::new(),
        }
    }

    fn act(&mut self, action: Action) {
        let pick = |index: u8, len: usize| (len > 0).then(|| usize::from(index) % len.max(1));
        match action {
            Action::Say(pickup, what) => self.say(pickup, what),
            Action::Up(index, fate) => {
                if let Some(index) = pick(index, self.world.up.len()) {
                    let message = self.world.up[index].clone();
                    if !matches!(fate, Fate::ArrivesTwice) {
                        self.world.up.remove(index);
                    }
                    if !matches!(fate, Fate::Lost) {
                        self.office.receive(&mut self.world, &message.0, &message.1);
                    }
                }
            }
            Action::Down(index, fate) => {
                if let Some(index) = pick(index, self.world.down.len()) {
                    let message = self.world.down[index].clone();
                    if !matches!(fate, Fate::ArrivesTwice) {
                        self.world.down.remove(index);
                    }
                    if !matches!(fate, Fate::Lost) {
                        self.terminal.receive(&mut self.world, message.0, message.1);
                    }
                }
            }
            Action::Wait(seconds) => self.wait(Duration::from_secs(seconds.into())),
            Action::WaitDays(days) => {
                // Nothing that needs waking happens in between that matters here.
                self.wait(Duration::from_secs(86_400 * u64::from(days)));
            }
            Action::LoseLine => self.terminal.lose_line(&mut self.world),
            Action::RegainLine => self.world.line = true,
            Action::Calm => self.deliver_all(),
            Action::Restart => self.terminal.restart(&mut self.world),
            Action::KillAtCommit(after) => self.world.kill_at_commit = Some(after),
            Action::DiskFull(full) => self.world.disk_full = full,
            Action::FailCommit => self.world.fail_commit = true,
            Action::CopyTerminal => self.terminal_copies.push(self.terminal.disk.clone()),
            Action::RestoreTerminal(index) => {
                if let Some(index) = pick(index, self.terminal_copies.len()) {
                    let copy = self.terminal_copies[index].clone();
                    self.terminal = Terminal::start(&mut self.world, copy);
                    self.note_gone();
                }
            }
            Action::CopyOffice => self.office_copies.push(self.office.clone()),
            Action::RestoreOffice(index, recognised) => {
                if let Some(index) = pick(index, self.office_copies.len()) {
                    self.office = self.office_copies[index].clone();
                    if recognised {
                        self.office.new_incarnation(&mut self.world);
                    }
                    self.note_gone();
                }
            }
            Action::ConfirmDate(shown) => self.terminal.confirm_date(&mut self.world, shown),
            Action::SetDate(days) => self.terminal.set_date(&mut self.world, days),
            Action::Push(what) => self.office.push(&mut self.world, what),
            Action::WaitForInstant(minutes) => {
                let then = config::instant() + jiff::SignedDuration::from_mins(minutes.into());
                let left = then.duration_since(self.world.right_time());
                if let Ok(left) = Duration::try_from(left) {
                    self.wait(left);
                }
            }
            Action::DeviceClock(days) => self.world.device_days = i64::from(days),
            Action::OfficeClock(minutes) => self.world.office_minutes = i64::from(minutes),
        }
    }

    fn note_gone(&mut self) {
        let somewhere =
            |fact: &FactId| self.terminal.disk.holds(*fact) || self.office.facts.contains_key(fact);
        self.gone.extend(self.world.confirmed.iter().filter(|fact| !somewhere(fact)));
    }

    fn say(&mut self, pickup: u8, what: u8) {
        let pickup = PickupId(Uuid::from_u128(u128::from(pickup) % PICKUPS + 1));
        let intent = match what % 5 {
            0 | 1 => Intent::Collect { pickup },
            2 => Intent::Refuse { pickup, reason: Reason::NotOut, note: None },
            3 => Intent::Refuse { pickup, reason: Reason::Other, note: Some(format!("札 {what}")) },
            _ => Intent::Undo { pickup },
        };
        self.terminal.intent(&mut self.world, intent);
    }

    fn wait(&mut self, time: Duration) {
        self.world.boot += time;
        self.terminal.tick(&mut self.world);
    }

    fn deliver_all(&mut self) {
        for _ in 0..10_000 {
            if !self.world.up.is_empty() {
                let (topic, payload) = self.world.up.remove(0);
                self.office.receive(&mut self.world, &topic, &payload);
            } else if !self.world.down.is_empty() {
                let (topic, payload) = self.world.down.remove(0);
                self.terminal.receive(&mut self.world, topic, payload);
            } else {
                return;
            }
        }
        panic!("messages beget messages without end");
    }

    /// The line is good and the office's clock right from now on; returns when nothing is left to do.
    fn settle(&mut self) {
        (self.world.line, self.world.disk_full, self.world.kill_at_commit) = (true, false, None);
        (self.world.office_minutes, self.world.fail_commit) = (0, false);
        let mut quiet = 0;
        for _ in 0..200 {
            self.deliver_all();
            let status = self.terminal.core.status();
            let waits = status.logs.iter().any(|log| log.waiting > 0);
            let up = self.terminal.core.view().link == Link::Up;
            // One whole hello round after the last change, so that nothing is left for a later one.
            quiet = if up && !waits { quiet + 1 } else { 0 };
            if quiet > 24 {
                return;
            }
            self.wait(Duration::from_secs(31));
        }
        panic!("no end in sight: {:?}", self.terminal.core.status());
    }

    fn check(&mut self) {
        let written = &self.world.written;
        for fact in self.office.facts.keys() {
            assert!(written.contains_key(fact), "{fact} is invented");
        }
        for (fact, body) in &self.office.facts {
            assert_eq!(&written[fact], body, "{fact} is not as it was written");
        }
        let arrived = |fact: &FactId| self.office.facts.contains_key(fact);
        for fact in self.world.confirmed.difference(&self.gone) {
            assert!(arrived(fact) || self.world.holed.contains(fact), "{fact} was confirmed and is lost");
        }
        for fact in self.terminal.disk.facts() {
            assert!(arrived(&fact), "{fact} is kept and was never sent");
        }
        let status = self.terminal.core.status();
        for log in &status.logs {
            // An empty epoch is made known with the next hello.
            let held = self.office.held(log.log, log.epoch).unwrap_or((0, Digest::ZERO));
            assert_eq!(held, (log.head, log.digest), "{:?}", log.log);
        }
        let office = self.world.time().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
        assert_eq!((status.today, status.clock_in_doubt), (office.date(), false), "the working day");
        config::check_end(&self.terminal.disk.kept, self.office.pushed.as_ref(), self.world.time());
        // A list made of all that, and what the screen makes of it.
        let states = self.office.states();
        // An office that was put back to before it knew of a switchover makes lists of the contract before.
        let alike = status.config.contract == self.office.contract(&self.world);
        if let Some(list) = self.terminal.core.view().list.filter(|_| alike) {
            for stop in &list.stops {
                assert_eq!(stop.state, states[&stop.id()], "{}", stop.id());
                assert!(!stop.waiting);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_confirmed_fact_is_in_the_office_once(
        actions in proptest::collection::vec(action(), 1..120)
    ) {
        let mut play = Play::new();
        play.settle();
        for action in actions {
            play.act(action);
        }
        play.settle();
        play.check();
    }
}

/// The plain road, so that a failure of the model itself is told from one of the property.
#[test]
fn a_quiet_day() {
    let mut play = Play::new();
    play.settle();
    for pickup in 0..3 {
        play.say(pickup, 0);
    }
    play.settle();
    play.check();
    assert_eq!(play.office.facts.len(), 3);
    assert_eq!(play.world.confirmed.len(), 3);
    let list = play.terminal.core.view().list.unwrap();
    assert_eq!(list.counts.done, 3);
    let log = &play.terminal.core.status().logs[0];
    assert_eq!((log.log, log.head, log.acked), (LogKind::Fact, 3, 3));
}

/// The plain road of a switchover, with an address that is bad: every kill at every commit of it ends the same.
#[test]
fn a_switchover_over_a_kill_at_every_commit() {
    for what in [0, 1, 3] {
        for kill in 0..12 {
            for after in [false, true] {
                let mut play = Play::new();
                play.settle();
                play.office.push(&mut play.world, what);
                play.settle();
                play.say(0, 0);
                play.act(Action::WaitForInstant(-1));
                play.world.kills = Some((kill, after));
                play.act(Action::WaitForInstant(1));
                play.settle();
                play.check();
                let force = play.terminal.disk.kept.config.force.clone().unwrap();
                assert_eq!(force.configuration.contract, config::next_contract());
            }
        }
    }
}

/// The office goes back to before facts that the terminal has forgotten since, and records a hole; then the terminal goes
/// back to when it kept them.
#[test]
fn what_a_hole_lacks_comes_with_a_copy() {
    let mut play = Play::new();
    play.settle();
    play.say(0, 0);
    play.settle();
    play.act(Action::CopyOffice);
    play.act(Action::LoseLine);
    play.say(1, 0);
    play.say(2, 0);
    play.act(Action::CopyTerminal);
    play.act(Action::RegainLine);
    play.settle();
    play.act(Action::WaitDays(20));
    play.settle();
    assert_eq!(play.terminal.disk.facts(), [], "all was acknowledged long ago");
    play.act(Action::RestoreOffice(0, true));
    play.settle();
    assert_eq!((play.office.facts.len(), play.world.holed.len()), (1, 2));
    play.act(Action::RestoreTerminal(0));
    play.settle();
    play.check();
    assert_eq!(play.office.facts.len(), 3);
}
