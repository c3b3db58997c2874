//! A terminal of real core and real store is taken through a switchover and cut at every place of it: the power before and after
//! every commit and every change of a key's file, the disk full at each of them, the line at every message.
//!
//! Whenever it starts again it is of one contract and of nothing of the other one, and in the end it is where it would have been
//! without the cut, with every fact in the office once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_config::{Bundle, Terminal};
use meguri_core::sign_in::NotSignedIn;
use meguri_core::view::{Intent, Link};
use meguri_core::{Core, Effect, Event, Moment, Settings, Why};
use meguri_proto::crew::{PinKey, PinLock};
use meguri_proto::{
    Ack, ConfigState, ConfigWhy, CrewList, DayList, Digest, Document, Epoch, Fact, FactBody, FactId, Hello,
    Incarnation, LogKind, LogPublish, Message, PickupId, Reason, SeqHeld, Topic, UpTopic, Way,
};
use serde_json::value::RawValue;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::cut::{self, Cut};

use super::signed::{at, bundle, chain, configuration, envelope, first_set, midnight, scale};

const LIST: &str = include_str!("../../../proto/tests/golden/day-list.json");
/// A resident's words, and a crew's.
const RESIDENT: &str = "江波東一丁目";
const NOTE: &str = "門の中は立入禁止との札";
const OLD: &str = "naka-2026";
const NEW: &str = "naka-2027";
const PORT: &str = "/dev/serial/by-id/scale";

fn own() -> Terminal {
    let text = "version = 3\ncity = \"hiroshima\"\nterminal = \"t-0001\"\ncontractor = \"first\"\n\
        contract = \"naka-2026\"\nvehicle = \"v-1\"\n[broker]\nhost = \"old\"\nport = 1883\nsecret_file = \"secret\"\n\
        [timers]\nhealth = 0\ntrial = 60\n";
    Terminal::parse(Path::new("terminal.toml"), text).unwrap()
}

/// A member of each contract's crew, and what their PIN opens. Deriving takes long, so once.
fn crews() -> &'static [(Member, PinKey); 2] {
    static CREWS: OnceLock<[(Member, PinKey); 2]> = OnceLock::new();
    CREWS.get_or_init(|| {
        [("c-1", "273941"), ("d-1", "604182")].map(|(id, pin)| {
            let lock = PinLock::new(pin, [7; 32]).unwrap();
            let key = lock.open(pin).unwrap();
            (Member { id: id.parse().unwrap(), name: "甲".to_owned(), lock }, key)
        })
    })
}

/// What becomes of the new contract's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Same,
    Refused,
    Unreachable,
    Moved,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    line: Line,
    crewed: bool,
    scale_missing: bool,
}

impl Plan {
    fn bundle(self) -> Bundle {
        let mut next = configuration(&own(), Some(midnight()), NEW);
        let host = match self.line {
            Line::Same => "old",
            Line::Refused => "refuses",
            Line::Unreachable => "nobody",
            Line::Moved => "new",
        };
        host.clone_into(&mut next.broker.host);
        if self.scale_missing {
            next.peripheral = vec![scale(PORT)];
        }
        bundle(&own(), 5, vec![configuration(&own(), None, OLD), next])
    }

    fn end(self) -> ConfigState {
        match self.line {
            Line::Refused | Line::Unreachable => ConfigState::Reverted,
            _ if self.scale_missing => ConfigState::Degraded,
            Line::Same | Line::Moved => ConfigState::Healthy,
        }
    }
}

/// The office: what it holds of the log, and the documents that it sends.
struct Office {
    documents: BTreeMap<DocumentName, (u64, String)>,
    epochs: BTreeMap<(LogKind, Epoch), (u64, Digest)>,
    facts: Vec<(FactId, FactBody)>,
    notes: Vec<String>,
}

impl Office {
    fn new(plan: Plan) -> Self {
        let list = |contract: &str, date: &str| {
            let mut list = DayList::decode(LIST.trim().as_bytes()).unwrap();
            (list.contract, list.date) = (contract.parse().unwrap(), date.parse().unwrap());
            list.seen.clear();
            for (number, listed) in (1..).zip(&mut list.pickups) {
                listed.own = None;
                if contract == NEW {
                    listed.id = PickupId(Uuid::from_u128(number));
                }
            }
            String::from_utf8(list.encode().unwrap()).unwrap()
        };
        let mut documents = vec![
            ("keys", chain(&[first_set()])),
            ("config", envelope(&plan.bundle(), &[3, 4])),
            ("list/naka-2026/2026-03-31", list(OLD, "2026-03-31")),
            ("list/naka-2027/2026-04-01", list(NEW, "2026-04-01")),
        ];
        if plan.crewed {
            let crew = |of: usize| {
                let list = CrewList { v: 1, members: vec![crews()[of].0.clone()] };
                String::from_utf8(list.encode().unwrap()).unwrap()
            };
            documents.push(("crew", crew(0)));
            documents.push(("crew/naka-2027", crew(1)));
        }
        let documents = documents.into_iter().map(|(name, body)| (name.parse().unwrap(), (1, body)));
        Self { documents: documents.collect(), epochs: BTreeMap::new(), facts: Vec::new(), notes: Vec::new() }
    }

    /// From midnight on the list of crews is the new contract's, and nothing of the old one is sent.
    fn switch_over(&mut self) {
        let over = |name: &DocumentName| name.contract().is_some_and(|contract| contract.as_str() == OLD);
        self.documents.retain(|name, _| !over(name));
        if let Some((version, body)) = self.documents.remove(&"crew/naka-2027".parse().unwrap()) {
            self.documents.insert(DocumentName::Crew, (version, body));
        }
    }

    fn take(&mut self, log: LogKind, publish: &LogPublish) -> SeqHeld {
        let (held, digest) = self.epochs.entry((log, publish.epoch)).or_insert((0, Digest::ZERO));
        for entry in &publish.entries {
            if entry.seq == *held + 1 && digest.then(entry.body_bytes()) == entry.digest {
                (*held, *digest) = (entry.seq, entry.digest);
                if log == LogKind::Fact {
                    self.facts.push((entry.id, FactBody::decode(entry.body_bytes()).unwrap()));
                }
            }
        }
        self.notes.extend(publish.notes.values().cloned());
        SeqHeld { log, epoch: publish.epoch, seq: *held, digest: *digest }
    }
}

/// One terminal and one office, and the time that is right.
struct Play {
    plan: Plan,
    folder: TempDir,
    boot: Duration,
    began: Timestamp,
    /// The boot clock when the device started last.
    started: Duration,
    draws: u64,
    running: Option<(Store, Core)>,
    wake: Duration,
    line: bool,
    /// What has come down and was not looked at yet.
    inbox: VecDeque<(String, Vec<u8>)>,
    /// Messages until the line is cut, and how often it is to be.
    line_cut: Option<u32>,
    messages: u32,
    office: Office,
    signed_in: Vec<Result<(), NotSignedIn>>,
    answers: Vec<bool>,
    /// Key files of the old contract's lists, as they ever lay there.
    old_keys: BTreeMap<PathBuf, String>,
}

impl Play {
    fn new(plan: Plan) -> Self {
        // Where there is one: thousands of flushes need not wear out a disk.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self {
            plan,
            folder: folder.unwrap(),
            boot: Duration::ZERO,
            began: at("2026-03-31T14:00:00Z"),
            started: Duration::ZERO,
            draws: 0,
            running: None,
            wake: Duration::ZERO,
            line: true,
            inbox: VecDeque::new(),
            line_cut: None,
            messages: 0,
            office: Office::new(plan),
            signed_in: Vec::new(),
            answers: Vec::new(),
            old_keys: BTreeMap::new(),
        }
    }

    fn time(&self) -> Timestamp {
        self.began + SignedDuration::try_from(self.boot).unwrap()
    }

    fn moment(&mut self) -> Moment {
        self.draws += 1;
        let random = Digest::of(&self.draws.to_le_bytes()).0;
        Moment { device: self.time(), boot: self.boot.saturating_sub(self.started), random }
    }

    /// Starts the program, again and again where the power is cut in it.
    fn start(&mut self) {
        for _ in 0..3 {
            self.running = None;
            let opened = Store::open(self.folder.path(), &own().city, &own().terminal, None);
            let (store, kept) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    // The power is cut, or the disk is full: it starts anew.
                    assert!(cut::passed().1, "{error}");
                    self.power_is_back();
                    continue;
                }
            };
            self.check_start(&kept);
            self.started = self.boot;
            self.inbox.clear();
            let settings = Settings { terminal: own(), app: "test".to_owned(), device_start: None };
            let moment = self.moment();
            let (core, effects) = Core::new(settings, kept, moment);
            self.running = Some((store, core));
            return self.perform(effects);
        }
        panic!("it does not start");
    }

    fn power_is_back(&mut self) {
        if cut::passed().1 {
            cut::arm(None);
        }
    }

    fn step(&mut self, event: Event) {
        self.step_once(event);
        while let Some((topic, payload)) = self.inbox.pop_front() {
            self.step_once(Event::Received { topic, payload });
        }
    }

    fn step_once(&mut self, event: Event) {
        let moment = self.moment();
        let Some((_, core)) = &mut self.running else { return };
        let effects = core.step(event, moment);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let Some((store, _)) = &mut self.running else { return };
            let event = match effect {
                Effect::Commit(ops) => {
                    let committed = store.commit(&ops);
                    self.note_keys();
                    if cut::passed().1 && cut::is_power() {
                        // The device is dark; somebody switches it on again.
                        self.power_is_back();
                        return self.start();
                    }
                    let (store, _) = self.running.as_ref().unwrap();
                    match committed {
                        Ok(rechained) => Event::Committed(rechained),
                        Err(error) => Event::CommitFailed(store.trouble(&error)),
                    }
                }
                Effect::Send { log, epoch, first, last } => {
                    if let Some(payload) = store.pack(log, epoch, first, last).unwrap() {
                        self.up(log.into(), &payload);
                    }
                    continue;
                }
                Effect::Publish(topic, payload) => {
                    self.up(topic, &payload);
                    continue;
                }
                Effect::Connect(broker) if self.line && broker.host == "refuses" => {
                    Event::Disconnected(Why::Refused("NotAuthorized".to_owned()))
                }
                Effect::Connect(broker) if self.line && broker.host != "nobody" => Event::Connected,
                Effect::Connect(_) => Event::Disconnected(Why::Lost("no line".to_owned())),
                Effect::Look(_) => Event::Looked(vec![format!("scale at {PORT}: not found")]),
                Effect::CheckPin(number, member) => {
                    let key = crews().iter().find(|(known, _)| known.id == member).unwrap().1.clone();
                    let opened = store.unseal(&member, &key).unwrap();
                    Event::PinChecked(number, member, Some(opened))
                }
                Effect::SignedIn(_, result) => {
                    self.signed_in.push(result);
                    continue;
                }
                Effect::Answer(_, result) => {
                    self.answers.push(result.is_ok());
                    continue;
                }
                Effect::Wake(at) => {
                    self.wake = at;
                    continue;
                }
                Effect::Sample => Event::Sampled(None),
                Effect::Disconnect | Effect::Reconfigure(_) | Effect::Imported(..) | Effect::Tell(_) => {
                    continue;
                }
            };
            let moment = self.moment();
            let Some((_, core)) = &mut self.running else { return };
            queue.extend(core.step(event, moment));
        }
    }

    /// Whether a message passes; the line may be cut at it.
    fn passes(&mut self) -> bool {
        self.messages += 1;
        if self.line_cut.is_some_and(|at| self.messages > at) {
            self.line_cut = None;
            self.line = false;
        }
        self.line
    }

    fn up(&mut self, topic: UpTopic, payload: &[u8]) {
        if !self.passes() {
            return;
        }
        match topic {
            UpTopic::Hello => {
                let hello = Hello::decode(payload).unwrap();
                let of = |log| hello.logs.of(log).iter().map(move |kept| (log, kept.epoch));
                let logs: Vec<_> = LogKind::ALL.into_iter().flat_map(of).collect();
                let held = logs.into_iter().map(|(log, epoch)| {
                    let (seq, digest) = *self.office.epochs.entry((log, epoch)).or_insert((0, Digest::ZERO));
                    SeqHeld { log, epoch, seq, digest }
                });
                let held = held.collect();
                self.ack(Some(hello.nonce), held);
                self.documents(&hello);
            }
            UpTopic::Fact | UpTopic::Track => {
                let log = if topic == UpTopic::Fact { LogKind::Fact } else { LogKind::Track };
                let held = self.office.take(log, &LogPublish::decode(payload).unwrap());
                self.ack(None, vec![held]);
            }
            UpTopic::Position | UpTopic::Presence => {}
        }
    }

    fn ack(&mut self, nonce: Option<meguri_proto::Nonce>, held: Vec<SeqHeld>) {
        let (incarnation, time) = (Incarnation(Uuid::from_u128(1)), Some(self.time()));
        let ack = Ack { v: 1, incarnation, time, nonce, say_hello: false, held };
        self.down(meguri_proto::DownTopic::Ack, ack.encode().unwrap());
    }

    fn documents(&mut self, hello: &Hello) {
        let mut sent = Vec::new();
        for (name, (version, body)) in &mut self.office.documents {
            let digest = Digest::of(body.as_bytes());
            let theirs = hello.documents.iter().find(|held| held.name == *name);
            if theirs.is_some_and(|theirs| (theirs.version, theirs.digest) == (*version, digest)) {
                continue;
            }
            *version = theirs.map_or(*version, |theirs| theirs.version.max(*version) + 1);
            let body = RawValue::from_string(body.clone()).unwrap();
            sent.push((name.clone(), Document { v: 1, version: *version, digest, body }));
        }
        for (name, document) in sent {
            self.down(meguri_proto::DownTopic::Document(name), document.encode().unwrap());
        }
    }

    fn down(&mut self, topic: meguri_proto::DownTopic, payload: Vec<u8>) {
        if self.passes() {
            let way = Way::Down(topic);
            let topic = Topic { city: own().city, terminal: own().terminal, way }.to_string();
            self.inbox.push_back((topic, payload));
        }
    }

    /// Time passes until then, with every wake in between.
    fn until(&mut self, time: Timestamp) {
        while self.time() < time {
            let left = Duration::try_from(time.duration_since(self.time())).unwrap();
            let wake = (self.started + self.wake).saturating_sub(self.boot);
            self.boot += wake.max(Duration::from_millis(1)).min(left);
            self.step(Event::Tick);
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.until(self.time() + SignedDuration::from_secs(seconds));
    }

    fn core(&self) -> &Core {
        &self.running.as_ref().unwrap().1
    }

    fn contract(&self) -> String {
        self.core().status().config.contract.to_string()
    }

    fn outcomes(&self) -> usize {
        let (store, _) = self.running.as_ref().unwrap();
        let of = "SELECT count(*) FROM entry WHERE body LIKE '%\"outcome\"%'";
        store.connection.query_row(of, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
    }

    /// Somebody of the crew signs in, where that is needed; again after a start.
    fn sign_in(&mut self, who: usize) {
        let crew = self.core().view().crew;
        if crew.locked || !crew.members.is_empty() && crew.signed_in.is_none() {
            self.step(Event::SignIn(1, crews()[who].0.id.clone()));
        }
    }

    /// Says of the pickup that it was not collected, until it is written.
    fn say(&mut self, pickup: usize, who: usize, expected: usize) {
        for _ in 0..8 {
            if self.outcomes() >= expected {
                return;
            }
            self.sign_in(who);
            let Some(list) = self.core().view().list else {
                self.wait(40);
                continue;
            };
            let pickup: PickupId = list.stops[pickup].id();
            self.step(Event::Intent(
                1,
                Intent::Refuse { pickup, reason: Reason::Other, note: Some(format!("{NOTE} {expected}")) },
                None,
            ));
            self.wait(2);
        }
        panic!("it can't be said: {:?}", self.core().status());
    }

    /// The whole road, from the first start to a day after the switchover.
    fn run(&mut self) {
        self.start();
        for _ in 0..6 {
            self.wait(60);
            self.line = true;
            self.sign_in(0);
        }
        self.say(0, 0, 1);
        self.wait(120);
        // From here on there is no coverage until the morning.
        self.line = false;
        self.step(Event::Disconnected(Why::Lost("no coverage".to_owned())));
        self.say(1, 0, 2);
        assert_eq!(self.contract(), OLD);
        self.until(midnight() + SignedDuration::from_mins(10));
        self.office.switch_over();
        self.line = true;
        for _ in 0..10 {
            self.wait(60);
            self.line = true;
        }
        self.sign_in(1);
        self.wait(300);
        self.say(0, 1, 3);
        for _ in 0..30 {
            self.line = true;
            self.wait(60);
        }
    }

    /// What lies there of the old contract's lists.
    fn note_keys(&mut self) {
        for (path, text) in keys_of(self.folder.path(), OLD, "lists") {
            self.old_keys.insert(path, text);
        }
    }

    /// What must hold whenever the program starts.
    fn check_start(&self, kept: &Kept) {
        let contract = kept.config.onto(&own()).contract;
        let old = contract.as_str() == OLD;
        assert!(old || contract.as_str() == NEW);
        assert!(old || self.time() >= midnight(), "early");
        for (name, held) in &kept.documents {
            let Some(of) = name.contract() else { continue };
            assert!(old || *of == contract, "{name} is left");
            let open = matches!(held.contents, Contents::List(_));
            // As long as no crew of it is known the device's secret opens it; the screen shows nothing of it even so.
            let crewed = !kept.crew_of(of).is_empty();
            assert!(*of == contract || !open || !crewed, "{name} is open ahead of its time");
        }
        // A fact says what is in force, and nothing else is.
        let entries = kept.fact.iter().flat_map(|log| &log.entries).filter_map(|entry| entry.own.as_ref());
        let mut changes = entries.filter_map(|own| match &own.fact {
            Fact::Config(change) => Some(change),
            _ => None,
        });
        let force = kept.config.force.as_ref();
        let last = changes.rfind(|change| change.contract.is_some() && change.state != ConfigState::Staged);
        assert_eq!(
            last.map(|last| (last.state, last.contract.clone())),
            force.map(|force| (force.state, Some(force.configuration.contract.clone())))
        );
        if !old {
            assert!(
                keys_of(self.folder.path(), OLD, "lists").is_empty(),
                "a key of the old contract's lists"
            );
        }
        for text in [RESIDENT, NOTE] {
            assert!(!anywhere(self.folder.path(), text), "{text} in plain");
        }
    }

    /// What must hold in the end, whatever was cut.
    fn check_end(&mut self) {
        let status = self.core().status();
        assert_eq!(self.contract(), NEW);
        assert_eq!(status.config.state, Some(self.plan.end()), "{status:?}");
        assert_eq!(self.core().view().link, Link::Up);
        assert_eq!(status.waiting, 0);
        let ids: std::collections::BTreeSet<FactId> = self.office.facts.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), self.office.facts.len(), "each once");
        let outcomes: Vec<_> = self
            .office
            .facts
            .iter()
            .filter(|(_, body)| matches!(body.fact, Fact::Outcome(_)))
            .map(|(_, body)| (body.contract.as_str(), body.config))
            .collect();
        assert_eq!(outcomes, [(OLD, 5), (OLD, 5), (NEW, 5)]);
        let notes: std::collections::BTreeSet<_> = self.office.notes.iter().collect();
        assert_eq!(notes.len(), 3, "notes arrive: {notes:?}");
        let states = self.office.facts.iter().filter_map(|(_, body)| match &body.fact {
            Fact::Config(change) => Some((change.state, change.why)),
            _ => None,
        });
        let states: Vec<_> = states.collect();
        let count = |state| states.iter().filter(|(told, _)| *told == state).count();
        assert_eq!((count(ConfigState::Verified), count(ConfigState::Staged)), (1, 1), "{states:?}");
        assert_eq!(count(ConfigState::Refused), 0, "{states:?}");
        let activated: Vec<_> = self
            .office
            .facts
            .iter()
            .filter_map(|(_, body)| match &body.fact {
                Fact::Config(change) if change.state == ConfigState::Activated => change.effective_at,
                _ => None,
            })
            .collect();
        assert_eq!(activated, [midnight()], "{states:?}");
        let why = match self.plan.line {
            Line::Refused => Some(ConfigWhy::BrokerRefused),
            Line::Unreachable => Some(ConfigWhy::BrokerUnreachable),
            _ => None,
        };
        if let Some(why) = why {
            assert_eq!(states.iter().filter(|state| state.1 == Some(why)).count(), 1, "{states:?}");
        }
        self.running = None;
        // Nothing of the old contract opens with anything that is left, and no file holds what did.
        let left = keys_of(self.folder.path(), OLD, "");
        assert!(left.is_empty(), "{:?}: every note is in the office, and yet there is {left:?}", self.plan);
        for (path, text) in &self.old_keys {
            assert!(!path.exists() && !anywhere(self.folder.path(), text), "{}", path.display());
        }
        for text in [RESIDENT, NOTE] {
            assert!(!anywhere(self.folder.path(), text), "{text} in plain");
        }
    }
}

/// The key files of a contract, of one use or of any.
fn keys_of(data: &Path, contract: &str, r#use: &str) -> Vec<(PathBuf, String)> {
    let files =
        std::fs::read_dir(data.join("keys")).into_iter().flatten().flatten().map(|entry| entry.path());
    let read = files.filter_map(|path| Some((std::fs::read_to_string(&path).ok()?, path)));
    let of = |text: &str| {
        let key: Option<serde_json::Value> = serde_json::from_str(text).ok();
        key.is_some_and(|key| key["contract"] == contract && (r#use.is_empty() || key["use"] == r#use))
    };
    read.filter(|(text, _)| of(text)).map(|(text, path)| (path, text)).collect()
}

/// Whether this text stands in any file of the data folder.
fn anywhere(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return anywhere(&path, text);
        }
        String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).contains(text)
    })
}

/// Runs the plan once for each place, or each so many, with a cut there; says how many were made.
fn cut_everywhere(plan: Plan, each: usize) -> u32 {
    cut::arm(None);
    let mut play = Play::new(plan);
    play.run();
    let (places, messages) = (cut::passed().0, play.messages);
    play.check_end();
    let mut made = 0;
    let powers = (0..places).step_by(each).map(|at| (at, Cut::Power));
    let full = (0..places).step_by(2 * each).map(|at| (at, Cut::Full(1 + at % 4)));
    for cut in powers.chain(full) {
        cut::arm(Some(cut));
        let mut play = Play::new(plan);
        play.run();
        cut::arm(None);
        play.check_end();
        made += 1;
    }
    for at in (0..messages).step_by(each) {
        let mut play = Play::new(plan);
        play.line_cut = Some(at);
        play.run();
        play.check_end();
        made += 1;
    }
    made
}

#[test]
fn a_cut_at_any_place_of_a_switchover_changes_nothing_of_its_end() {
    let plan = |line, crewed, scale_missing| Plan { line, crewed, scale_missing };
    let plans = [
        (plan(Line::Same, true, false), 1),
        (plan(Line::Moved, true, true), 2),
        (plan(Line::Refused, false, false), 2),
        (plan(Line::Unreachable, true, false), 2),
    ];
    let made: u32 = std::thread::scope(|scope| {
        let running = plans.map(|(plan, each)| scope.spawn(move || cut_everywhere(plan, each)));
        running.into_iter().map(|running| running.join().unwrap()).sum()
    });
    assert!(made >= 500, "{made} cuts");
}
