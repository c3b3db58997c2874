//! A core with a disk in memory, for tests of one rule at a time.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_core::kept::{Kept, Op, Rechained, rechain};
use meguri_core::sign_in::NotSignedIn;
use meguri_core::view::{Intent, NotRecorded, Shown, StickRead, Stop};
use meguri_core::{Core, Effect, Event, Moment, Recorded, Settings, Telling, Trouble, TroubleKind};
use meguri_proto::pickup::OfficeWord;
use meguri_proto::{
    Ack, CrewId, DayList, Digest, Document, FactBody, Hello, Incarnation, LogKind, Message, PickupId, Reason,
    SeqHeld, UpTopic,
};
use serde_json::value::RawValue;
use uuid::Uuid;

pub(crate) const SETTINGS: &str = r#"
version = 3
city = "hiroshima"
terminal = "t-0001"
contractor = "first"
contract = "naka-2026"
vehicle = "v-1"
[[reason]]
code = "not_out"
[[reason]]
code = "access_blocked"
note = true
[[reason]]
code = "other"
[broker]
host = "localhost"
port = 1883
secret_file = "secret"
[timers]
health = 0
"#;
pub(crate) const LIST: &str = include_str!("../../../../proto/tests/golden/day-list.json");
pub(crate) const FIRST: &str = "01960000-0000-7000-8000-000000000001";
pub(crate) const DOWN: &str = "meguri/1/hiroshima/t-0001/down";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn first() -> PickupId {
    FIRST.parse().unwrap()
}

/// The golden list without what the office had heard of this terminal.
pub(crate) fn list() -> DayList {
    let mut list = DayList::decode(LIST.trim().as_bytes()).unwrap();
    list.seen.clear();
    for listed in &mut list.pickups {
        (listed.own, listed.office) = (None, OfficeWord::Planned);
        listed.others.clear();
    }
    list
}

pub(crate) fn document(version: u64, body: &str) -> Vec<u8> {
    let digest = Digest::of(body.as_bytes());
    Document { v: 1, version, digest, body: RawValue::from_string(body.to_owned()).unwrap() }
        .encode()
        .unwrap()
}

pub(crate) fn list_document(version: u64, list: &DayList) -> Vec<u8> {
    document(version, &String::from_utf8(list.encode().unwrap()).unwrap())
}

/// A core with a disk in memory; what it wants from outside piles up here.
pub(crate) struct Bench {
    pub(crate) core: Core,
    pub(crate) kept: Kept,
    pub(crate) bodies: Vec<String>,
    pub(crate) boot: Duration,
    pub(crate) device: Timestamp,
    pub(crate) full: bool,
    /// So many commits fail, and then none.
    pub(crate) failing: u32,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) sends: Vec<(LogKind, u64, u64)>,
    pub(crate) connects: usize,
    /// Where it connected to last.
    pub(crate) broker: String,
    /// What the office's clock showed when the boot clock showed zero.
    pub(crate) office: Timestamp,
    /// What it finds not plugged in.
    pub(crate) missing: Vec<String>,
    /// Whether it is to look, which takes until time has passed.
    pub(crate) looking: bool,
    /// What became of sticks' files.
    pub(crate) imported: Vec<StickRead>,
    pub(crate) disconnects: usize,
    pub(crate) answers: Vec<Result<Recorded, NotRecorded>>,
    /// PINs that are to be checked.
    pub(crate) pins: Vec<(u64, CrewId)>,
    pub(crate) signed_in: Vec<Result<(), NotSignedIn>>,
    pub(crate) told: Vec<Telling>,
    pub(crate) wake: Duration,
}

impl Bench {
    pub(crate) fn start(kept: Kept, bodies: Vec<String>, boot: Duration, device: Timestamp) -> Self {
        let terminal = meguri_config::Terminal::parse("terminal.toml".as_ref(), SETTINGS).unwrap();
        let settings = Settings { terminal, app: "0.1.0".to_owned(), device_start: Some(Uuid::from_u128(5)) };
        let moment = Moment { device, boot, random: [9; 32] };
        let (core, effects) = Core::new(settings, kept.clone(), moment);
        let mut bench = Self {
            core,
            kept,
            bodies,
            boot,
            device,
            full: false,
            failing: 0,
            hellos: Vec::new(),
            sends: Vec::new(),
            connects: 0,
            broker: String::new(),
            office: at("2026-04-01T00:00:00Z"),
            missing: Vec::new(),
            looking: false,
            imported: Vec::new(),
            disconnects: 0,
            answers: Vec::new(),
            pins: Vec::new(),
            signed_in: Vec::new(),
            told: Vec::new(),
            wake: boot,
        };
        bench.perform(effects);
        bench
    }

    /// Connected and answered, with the list of 1 April.
    pub(crate) fn joined() -> Self {
        let mut bench = Self::start(Kept::default(), Vec::new(), Duration::ZERO, at("2026-04-01T00:00:00Z"));
        bench.join();
        bench.down("list/naka-2026/2026-04-01", list_document(1, &list()));
        bench
    }

    pub(crate) fn join(&mut self) {
        self.step(Event::Connected);
        self.answer_hello(|_| {});
    }

    pub(crate) fn restart(self) -> Self {
        Self::start(self.kept, self.bodies, Duration::ZERO, self.device)
    }

    pub(crate) fn confirm(&mut self, day: i8) {
        self.step(Event::ConfirmDate(jiff::civil::date(2026, 4, day)));
    }

    pub(crate) fn in_doubt(&self) -> bool {
        let (view, status) = (self.core.view(), self.core.status());
        assert_eq!(view.clock_in_doubt, status.clock_in_doubt);
        view.clock_in_doubt
    }

    pub(crate) fn moment(&mut self) -> Moment {
        let mut random = [0; 32];
        random[..16].copy_from_slice(&(self.boot.as_nanos() + self.told.len() as u128).to_le_bytes());
        random[16] = u8::try_from(self.hellos.len() % 251).unwrap();
        random[17] = u8::try_from(self.bodies.len() % 251).unwrap();
        Moment { device: self.device, boot: self.boot, random }
    }

    pub(crate) fn wait(&mut self, seconds: f64) {
        let time = Duration::from_secs_f64(seconds);
        self.boot += time;
        self.device += SignedDuration::try_from(time).unwrap();
        self.step(Event::Tick);
        if std::mem::take(&mut self.looking) {
            self.step(Event::Looked(self.missing.clone()));
        }
    }

    pub(crate) fn step(&mut self, event: Event) {
        let moment = self.moment();
        let effects = self.core.step(event, moment);
        self.perform(effects);
    }

    pub(crate) fn down(&mut self, topic: &str, payload: Vec<u8>) {
        self.step(Event::Received { topic: format!("{DOWN}/{topic}"), payload });
    }

    pub(crate) fn say(&mut self, intent: Intent) -> Result<Recorded, NotRecorded> {
        self.say_of(intent, None)
    }

    pub(crate) fn say_of(&mut self, intent: Intent, shown: Option<Shown>) -> Result<Recorded, NotRecorded> {
        self.boot += Duration::from_millis(1);
        self.step(Event::Intent(7, intent, shown));
        self.answers.pop().expect("an intent is answered at once")
    }

    pub(crate) fn collect(&mut self) -> Recorded {
        self.say(Intent::Collect { pickup: first() }).unwrap()
    }

    pub(crate) fn refuse(&mut self) -> Recorded {
        self.say(Intent::Refuse { pickup: first(), reason: Reason::NotOut, note: None }).unwrap()
    }

    pub(crate) fn commit(&mut self, ops: &[Op]) -> Rechained {
        let mut rechained = Vec::new();
        for op in ops {
            match op {
                Op::Append { log: LogKind::Fact, entry } => self.bodies.push(entry.body.clone()),
                Op::Fork { log: LogKind::Fact, .. } => {
                    let first = usize::try_from(self.kept.fact.as_ref().unwrap().first).unwrap();
                    self.bodies.drain(..first - 1);
                    let digests = rechain(self.bodies.iter().map(String::as_bytes));
                    rechained.push((LogKind::Fact, digests));
                }
                _ => {}
            }
            self.kept.apply(op.clone(), &mut rechained.clone());
        }
        rechained
    }

    pub(crate) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit(ops) => {
                    let event = if self.full || self.failing > 0 {
                        self.failing = self.failing.saturating_sub(1);
                        Event::CommitFailed(Trouble::new(TroubleKind::DiskFull, "the disk is full"))
                    } else {
                        Event::Committed(self.commit(&ops))
                    };
                    self.step(event);
                }
                Effect::Publish(UpTopic::Hello, bytes) => self.hellos.push(Hello::decode(&bytes).unwrap()),
                Effect::Publish(..) => {}
                Effect::Send { log, first, last, .. } => self.sends.push((log, first, last)),
                Effect::Connect(broker) => {
                    (self.connects, self.broker) = (self.connects + 1, broker.host);
                }
                Effect::Reconfigure(_) => {}
                Effect::Look(_) => self.looking = true,
                Effect::Imported(_, read) => self.imported.push(read),
                Effect::Disconnect => self.disconnects += 1,
                Effect::Answer(_, result) => self.answers.push(result),
                Effect::Tell(telling) => self.told.push(telling),
                Effect::Wake(at) => self.wake = at,
                Effect::Sample => self.step(Event::Sampled(Some(1))),
                Effect::CheckPin(number, member) => self.pins.push((number, member)),
                Effect::SignedIn(_, result) => self.signed_in.push(result),
            }
        }
    }

    /// An ack of the fact log up to `seq`, as this terminal wrote it.
    pub(crate) fn ack(&self, seq: u64) -> Ack {
        let log = self.kept.fact.as_ref().unwrap();
        let digest = log.digest(seq).unwrap_or(Digest::of(b"unknown here"));
        let held = vec![SeqHeld { log: LogKind::Fact, epoch: log.epoch, seq, digest }];
        let time = self.office + SignedDuration::try_from(self.boot).unwrap();
        let time = Some(time);
        Ack { v: 1, incarnation: Incarnation(Uuid::from_u128(1)), time, nonce: None, say_hello: false, held }
    }

    pub(crate) fn plain(&mut self, ack: &Ack) {
        self.down("ack", ack.encode().unwrap());
    }

    /// Answers the last hello: the office holds all that was acknowledged, or what `change` says.
    pub(crate) fn answer_hello(&mut self, change: impl FnOnce(&mut Ack)) {
        let mut ack = self.ack(self.kept.fact.as_ref().unwrap().acked);
        ack.nonce = Some(self.hellos.last().expect("a hello was said").nonce);
        change(&mut ack);
        self.plain(&ack);
    }

    pub(crate) fn stop(&self) -> Stop {
        self.core.view().list.unwrap().stops.into_iter().find(|stop| stop.id() == first()).unwrap()
    }

    pub(crate) fn body(&self, seq: usize) -> FactBody {
        FactBody::decode(self.bodies[seq - 1].as_bytes()).unwrap()
    }

    pub(crate) fn acked(&self) -> u64 {
        self.kept.fact.as_ref().unwrap().acked
    }
}
