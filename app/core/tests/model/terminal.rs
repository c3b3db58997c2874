//! The core with a disk and a line made of memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_core::kept::{Kept, Op, Rechained, rechain};
use meguri_core::view::Intent;
use meguri_core::{Core, Effect, Event, Moment, Settings, Trouble, TroubleKind, Why};
use meguri_proto::{Digest, Entry, Epoch, FactId, LogKind, LogPublish, Message, Topic, UpTopic};
use serde_json::value::RawValue;

use super::config::{NOBODY, REFUSES, check_commit};

const SETTINGS: &str = r#"
version = 1
city = "hiroshima"
terminal = "t-1"
contractor = "first"
contract = "naka-2026"
vehicle = "v-1"
[broker]
host = "localhost"
port = 1883
secret_file = "secret"
"#;

/// The settings of the terminal.
pub(crate) fn settings() -> meguri_config::Terminal {
    meguri_config::Terminal::parse("terminal.toml".as_ref(), SETTINGS).unwrap()
}

/// All that is neither terminal nor office: time, chance, the line, and what is remembered.
pub(crate) struct World {
    pub(crate) start: Timestamp,
    pub(crate) boot: Duration,
    pub(crate) device_days: i64,
    /// How far the office's clock is ahead.
    pub(crate) office_minutes: i64,
    pub(crate) line: bool,
    pub(crate) up: Vec<(String, Vec<u8>)>,
    pub(crate) down: Vec<(String, Vec<u8>)>,
    pub(crate) disk_full: bool,
    /// The next commit fails, and no other.
    pub(crate) fail_commit: bool,
    /// Killed at the next commit: after it, or before.
    pub(crate) kill_at_commit: Option<bool>,
    /// How many schedules the city has ever made.
    pub(crate) releases: u64,
    /// Killed after so many more commits: after that one is on the disk, or before.
    pub(crate) kills: Option<(u32, bool)>,
    /// Facts whose intent was answered with Ok.
    pub(crate) confirmed: BTreeSet<FactId>,
    /// Facts that were ever on the disk, with their bodies.
    pub(crate) written: BTreeMap<FactId, String>,
    /// Where facts stood in which epoch.
    places: BTreeMap<(Epoch, u64), FactId>,
    /// Facts that nobody had any more when the terminal said hello.
    pub(crate) holed: BTreeSet<FactId>,
    draws: u64,
}

impl World {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            start,
            boot: Duration::ZERO,
            device_days: 0,
            office_minutes: 0,
            line: true,
            up: Vec::new(),
            down: Vec::new(),
            disk_full: false,
            fail_commit: false,
            kill_at_commit: None,
            releases: 0,
            kills: None,
            confirmed: BTreeSet::new(),
            written: BTreeMap::new(),
            places: BTreeMap::new(),
            holed: BTreeSet::new(),
            draws: 0,
        }
    }

    /// What the office's clock shows.
    pub(crate) fn time(&self) -> Timestamp {
        self.right_time() + SignedDuration::from_mins(self.office_minutes)
    }

    pub(crate) fn right_time(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.boot).unwrap()
    }

    /// The office records a hole.
    pub(crate) fn hole(&mut self, epoch: Epoch, first: u64, last: u64) {
        self.holed.extend(self.places.range((epoch, first)..=(epoch, last)).map(|(_, fact)| *fact));
    }

    fn place(&mut self, disk: &Disk) {
        let Some(log) = &disk.kept.fact else { return };
        let seqs = log.first..;
        self.places.extend(seqs.zip(&log.entries).map(|(seq, entry)| ((log.epoch, seq), entry.id)));
    }

    pub(crate) fn draw(&mut self) -> [u8; 32] {
        self.draws += 1;
        Digest::of(&self.draws.to_le_bytes()).0
    }

    fn moment(&mut self) -> Moment {
        // Time passes: two facts of one terminal are never of the same instant.
        self.boot += Duration::from_millis(1);
        let device = self.right_time() + SignedDuration::from_hours(24 * self.device_days);
        Moment { device, boot: self.boot, random: self.draw() }
    }
}

/// A body, and the note it names.
type Written = (String, Option<(Digest, String)>);

/// A disk: what is kept, and the bodies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) kept: Kept,
    bodies: BTreeMap<(LogKind, u64), Written>,
}

impl Disk {
    fn commit(&mut self, ops: &[Op]) -> Rechained {
        let mut rechained = Vec::new();
        for op in ops {
            match op {
                Op::Append { log, entry } => {
                    self.bodies.insert((*log, entry.seq), (entry.body.clone(), entry.note.clone()));
                }
                Op::Prune { log, upto } => self.bodies.retain(|(of, seq), _| of != log || seq > upto),
                Op::Fork { log, .. } => {
                    let moved: Vec<_> = self.bodies.extract_if(.., |(of, _), _| of == log).collect();
                    let digests = rechain(moved.iter().map(|(_, (body, _))| body.as_bytes()));
                    self.bodies.extend((1..).zip(moved).map(|(seq, (_, entry))| ((*log, seq), entry)));
                    rechained.push((*log, digests));
                }
                _ => {}
            }
            self.kept.apply(op.clone(), &mut rechained.clone());
        }
        rechained
    }

    pub(crate) fn facts(&self) -> Vec<FactId> {
        self.kept.fact.iter().flat_map(|log| &log.entries).map(|entry| entry.id).collect()
    }

    pub(crate) fn holds(&self, fact: FactId) -> bool {
        self.facts().contains(&fact)
    }

    fn pack(&self, kind: LogKind, first: u64, last: u64) -> Vec<u8> {
        let log = self.kept.log(kind).unwrap();
        let mut notes = BTreeMap::new();
        let entries = (first..=last).map(|seq| {
            let (body, note) = self.bodies[&(kind, seq)].clone();
            notes.extend(note);
            let meta = log.entry(seq).unwrap();
            let body = RawValue::from_string(body).unwrap();
            Entry { seq, id: meta.id, digest: meta.digest, body }
        });
        let entries = entries.collect();
        LogPublish { v: 1, epoch: log.epoch, entries, notes }.encode().unwrap()
    }
}

/// A running terminal.
pub(crate) struct Terminal {
    pub(crate) disk: Disk,
    pub(crate) core: Core,
    wake: Duration,
}

impl Terminal {
    pub(crate) fn start(world: &mut World, disk: Disk) -> Self {
        let settings = Settings {
            terminal: settings(),
            app: "test".to_owned(),
            device_start: Some(uuid::Uuid::from_u128(1)),
        };
        let (core, effects) = Core::new(settings, disk.kept.clone(), world.moment());
        let mut terminal = Self { disk, core, wake: Duration::ZERO };
        terminal.perform(world, effects);
        terminal
    }

    pub(crate) fn restart(&mut self, world: &mut World) {
        *self = Self::start(world, self.disk.clone());
    }

    pub(crate) fn receive(&mut self, world: &mut World, topic: String, payload: Vec<u8>) {
        self.step(world, Event::Received { topic, payload });
    }

    pub(crate) fn intent(&mut self, world: &mut World, intent: Intent) {
        self.step(world, Event::Intent(1, intent, None));
    }

    /// The crew says that the date is right, or that one is which is not shown any more.
    pub(crate) fn confirm_date(&mut self, world: &mut World, shown: bool) {
        let today = self.core.view().today;
        let date = if shown { today } else { today.yesterday().unwrap() };
        self.step(world, Event::ConfirmDate(date));
    }

    /// The crew says that it is so many days after the first one that can be today.
    pub(crate) fn set_date(&mut self, world: &mut World, days: u8) {
        let least = self.core.view().earliest;
        let date = least.checked_add(jiff::Span::new().days(days)).unwrap();
        self.step(world, Event::SetDate(date));
    }

    pub(crate) fn lose_line(&mut self, world: &mut World) {
        world.line = false;
        self.step(world, Event::Disconnected(Why::Lost("tunnel".to_owned())));
    }

    pub(crate) fn tick(&mut self, world: &mut World) {
        if world.boot >= self.wake {
            self.step(world, Event::Tick);
        }
    }

    fn step(&mut self, world: &mut World, event: Event) {
        let effects = self.core.step(event, world.moment());
        self.perform(world, effects);
    }

    fn perform(&mut self, world: &mut World, effects: Vec<Effect>) {
        let mut queue = std::collections::VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let event = match effect {
                Effect::Commit(ops) => {
                    let mut kill = world.kill_at_commit.take();
                    match world.kills.take() {
                        Some((0, after)) => kill = Some(after),
                        Some((more, after)) => world.kills = Some((more - 1, after)),
                        None => {}
                    }
                    if kill == Some(false) {
                        return self.restart(world);
                    }
                    if std::mem::take(&mut world.fail_commit) || world.disk_full {
                        Event::CommitFailed(Trouble::new(TroubleKind::DiskFull, "disk full"))
                    } else {
                        let before = self.disk.kept.clone();
                        let rechained = self.disk.commit(&ops);
                        check_commit(&before, &ops, &self.disk.kept);
                        world.place(&self.disk);
                        for op in ops {
                            if let Op::Append { log: LogKind::Fact, entry } = op {
                                world.written.insert(entry.id, entry.body);
                            }
                        }
                        if kill == Some(true) {
                            return self.restart(world);
                        }
                        Event::Committed(rechained)
                    }
                }
                Effect::Connect(broker) if world.line && broker.host == REFUSES => {
                    Event::Disconnected(Why::Refused("NotAuthorized".to_owned()))
                }
                Effect::Connect(broker) if world.line && broker.host != NOBODY => Event::Connected,
                Effect::Connect(_) => Event::Disconnected(Why::Lost("no line".to_owned())),
                Effect::Publish(topic, payload) => {
                    send(world, topic, payload);
                    continue;
                }
                Effect::Send { log, epoch, first, last } => {
                    // After a commit that came in between, the body finds the log in another epoch.
                    if self.disk.kept.log(log).unwrap().epoch == epoch {
                        let payload = self.disk.pack(log, first, last);
                        send(world, log.into(), payload);
                    }
                    continue;
                }
                Effect::Sample => Event::Sampled(None),
                Effect::Answer(_, result) => {
                    world.confirmed.extend(result.map(|recorded| recorded.fact));
                    continue;
                }
                Effect::Wake(at) => {
                    self.wake = at;
                    continue;
                }
                Effect::Look(_) => Event::Looked(Vec::new()),
                Effect::Disconnect
                | Effect::Reconfigure(_)
                | Effect::Imported(..)
                | Effect::Tell(_)
                | Effect::CheckPin(..)
                | Effect::SignedIn(..) => {
                    continue;
                }
            };
            queue.extend(self.core.step(event, world.moment()));
        }
    }
}

fn send(world: &mut World, topic: UpTopic, payload: Vec<u8>) {
    if world.line {
        let settings = settings();
        world.up.push((Topic::up(settings.city, settings.terminal, topic).to_string(), payload));
    }
}
