//! A terminal of a rehearsal: the real core over the real store on the disk. Its clocks, its line and its power are the
//! rehearsal's; its body is as small as the core allows, with nothing that decides.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use meguri_app::store::Store;
use meguri_core::kept::{NewEntry, Op};
use meguri_core::view::{Intent, NotRecorded, View};
use meguri_core::{Core, Effect, Event, Moment, Recorded, Settings};
use meguri_proto::crew::{PinKey, PinLock};
use meguri_proto::{CrewId, Digest, Fact, FactBody, FactId, LogKind, TerminalId, Topic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// What the device's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceClock {
    /// The time, give or take what a clock loses.
    Right,
    /// It jumps by so much at every start of the device.
    Jumps(SignedDuration),
    /// Its battery is dead: 2015-01-01 at every start of the device.
    Dead,
}

/// What the name of a device ends in that is not plugged in.
pub(super) const NOT_THERE: &str = "rehearsal-that-is-not-there";

/// 2015-01-01, where clocks without a battery begin.
const DEAD: Timestamp = Timestamp::constant(1_420_070_400, 0);

/// Where and when the power fails: at the commit that makes it so many, on the disk or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kill {
    /// Commits that still come to their end.
    pub(super) left: u32,
    /// Whether the one at which it fails is on the disk.
    pub(super) after: bool,
}

/// What a terminal wants of the world.
#[derive(Debug)]
pub(super) enum Wish {
    /// A connection to this broker.
    Connect(String, u16),
    /// No connection any more.
    Disconnect,
    /// A message sent.
    Publish(String, Vec<u8>),
    /// To be woken.
    Wake(Timestamp),
    /// Nothing: its power has failed.
    Dead,
}

/// A fact as it was written on the disk.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Which.
    pub(super) id: FactId,
    /// When, by the right time.
    pub(super) at: Timestamp,
    /// What.
    pub(super) body: FactBody,
}

/// What all terminals share: PINs, and the keys that they lead to, each derived once.
#[derive(Default)]
pub(super) struct Pins {
    pub(super) known: BTreeMap<CrewId, String>,
    derived: BTreeMap<Digest, PinKey>,
}

/// What became of an intent.
pub(super) type Answer = Result<Recorded, NotRecorded>;

/// A terminal, on or off.
pub(super) struct Terminal {
    pub(super) id: TerminalId,
    pub(super) folder: PathBuf,
    pub(super) clock: DeviceClock,
    pub(super) kill: Option<Kill>,
    /// Everything of its fact log that was ever on its disk.
    pub(super) written: Vec<Written>,
    /// Intents that were answered with "recorded".
    pub(super) recorded: Vec<Recorded>,
    /// Intents that a power cut left without an answer.
    pub(super) unanswered: usize,
    /// How often its power failed.
    pub(super) cuts: usize,
    /// How often it was switched on.
    starts: i32,
    settings: meguri_config::Terminal,
    random: StdRng,
    on: Option<On>,
}

struct On {
    core: Core,
    store: Store,
    since: Timestamp,
    boot: Duration,
    asked: Option<Answer>,
    signed_in: Option<bool>,
}

impl Terminal {
    pub(super) fn new(settings: meguri_config::Terminal, folder: PathBuf, seed: u64) -> Self {
        Self {
            id: settings.terminal.clone(),
            folder,
            clock: DeviceClock::Right,
            kill: None,
            written: Vec::new(),
            recorded: Vec::new(),
            unanswered: 0,
            cuts: 0,
            starts: 0,
            settings,
            random: StdRng::seed_from_u64(seed),
            on: None,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// What its screen shows; none while it is off.
    pub(super) fn view(&self) -> Option<View> {
        self.on.as_ref().map(|on| on.core.view())
    }

    /// How it stands.
    pub(super) fn status(&self) -> Option<meguri_core::status::Status> {
        self.on.as_ref().map(|on| on.core.status())
    }

    /// Whether it is on and sure of its time.
    pub(super) fn is_sure(&self) -> bool {
        self.on.as_ref().is_some_and(|on| on.core.sure_time().is_some())
    }

    /// Switches the device on.
    pub(super) fn start(&mut self, now: Timestamp, pins: &mut Pins) -> anyhow::Result<Vec<Wish>> {
        let (city, id) = (&self.settings.city, &self.settings.terminal);
        let (store, kept) = Store::open(&self.folder, city, id, None)
            .with_context(|| format!("terminal {id} does not start"))?;
        let settings = Settings {
            terminal: self.settings.clone(),
            app: "rehearsal".to_owned(),
            device_start: Some(Uuid::from_u128(self.random.random())),
        };
        self.starts += 1;
        let moment = self.moment(now, now, Duration::ZERO);
        let (core, effects) = Core::new(settings, kept, moment);
        self.on = Some(On { core, store, since: now, boot: Duration::ZERO, asked: None, signed_in: None });
        self.perform(now, effects, pins)
    }

    /// Switches it off, without a word to anybody.
    pub(super) fn stop(&mut self) {
        self.on = None;
    }

    fn moment(&mut self, now: Timestamp, since: Timestamp, boot: Duration) -> Moment {
        let device = match self.clock {
            DeviceClock::Right => now,
            DeviceClock::Jumps(by) => now + by * self.starts,
            DeviceClock::Dead => DEAD + now.duration_since(since),
        };
        Moment { device, boot, random: self.random.random() }
    }

    /// One step of a terminal that is on.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        event: Event,
        pins: &mut Pins,
    ) -> anyhow::Result<Vec<Wish>> {
        let effects = self.think(now, event);
        self.perform(now, effects, pins)
    }

    fn think(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        let Some(on) = &mut self.on else { return Vec::new() };
        let passed = Duration::try_from(now.duration_since(on.since)).unwrap_or_default();
        // Time passes: two steps are never of the same instant.
        on.boot = passed.max(on.boot + Duration::from_micros(1));
        let (since, boot) = (on.since, on.boot);
        let moment = self.moment(now, since, boot);
        self.on.as_mut().map_or_else(Vec::new, |on| on.core.step(event, moment))
    }

    /// Has something recorded; says what became of it, none where the power failed meanwhile.
    pub(super) fn record(
        &mut self,
        now: Timestamp,
        intent: Intent,
        pins: &mut Pins,
    ) -> anyhow::Result<(Vec<Wish>, Option<Answer>)> {
        let wishes = self.step(now, Event::Intent(1, intent, None), pins)?;
        let answer = self.on.as_mut().and_then(|on| on.asked.take());
        match &answer {
            Some(Ok(recorded)) => self.recorded.push(*recorded),
            Some(Err(_)) => {}
            None => self.unanswered += 1,
        }
        Ok((wishes, answer))
    }

    /// Has a member sign in by their PIN; says whether they could.
    pub(super) fn sign_in(
        &mut self,
        now: Timestamp,
        member: &CrewId,
        pins: &mut Pins,
    ) -> anyhow::Result<(Vec<Wish>, bool)> {
        let wishes = self.step(now, Event::SignIn(1, member.clone()), pins)?;
        let done = self.on.as_mut().and_then(|on| on.signed_in.take());
        Ok((wishes, done == Some(true)))
    }

    fn perform(
        &mut self,
        now: Timestamp,
        effects: Vec<Effect>,
        pins: &mut Pins,
    ) -> anyhow::Result<Vec<Wish>> {
        let mut wishes = Vec::new();
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let Some(on) = &mut self.on else { break };
            let event = match effect {
                Effect::Commit(ops) => {
                    let fails = self.kill.as_mut().is_some_and(|kill| {
                        let now = kill.left == 0;
                        kill.left = kill.left.saturating_sub(1);
                        now
                    });
                    if fails && self.kill.is_none_or(|kill| !kill.after) {
                        self.power_fails();
                        return Ok(vec![Wish::Dead]);
                    }
                    match on.store.commit(&ops) {
                        Ok(rechained) => {
                            self.note(now, &ops)?;
                            if fails {
                                self.power_fails();
                                return Ok(vec![Wish::Dead]);
                            }
                            Event::Committed(rechained)
                        }
                        Err(error) => Event::CommitFailed(on.store.trouble(&error)),
                    }
                }
                Effect::Send { log, epoch, first, last } => {
                    let packed = on.store.pack(log, epoch, first, last);
                    let Some(payload) = packed.with_context(|| format!("terminal {} can't send", self.id))?
                    else {
                        continue;
                    };
                    wishes.push(self.publish(log.into(), payload));
                    continue;
                }
                Effect::Publish(topic, payload) => {
                    wishes.push(self.publish(topic, payload));
                    continue;
                }
                Effect::CheckPin(number, member) => {
                    let opened = match pins.key(&on.core, &member) {
                        Some(key) => Some(on.store.unseal(&member, &key)?),
                        None => None,
                    };
                    Event::PinChecked(number, member, opened)
                }
                Effect::SignedIn(_, result) => {
                    on.signed_in = Some(result.is_ok());
                    continue;
                }
                Effect::Answer(_, result) => {
                    on.asked = Some(result);
                    continue;
                }
                Effect::Sample => Event::Sampled(None),
                Effect::Connect(broker) => {
                    wishes.push(Wish::Connect(broker.host, broker.port));
                    continue;
                }
                // Everything is plugged in but what is named so that it is not.
                Effect::Look(peripherals) => {
                    let missing = peripherals.into_iter().map(|peripheral| peripheral.port);
                    Event::Looked(missing.filter(|port| port.ends_with(NOT_THERE)).collect())
                }
                // The core goes by them itself; nobody brings a stick.
                Effect::Reconfigure(_) | Effect::Imported(..) => continue,
                Effect::Disconnect => {
                    wishes.push(Wish::Disconnect);
                    continue;
                }
                Effect::Wake(at) => {
                    let wait =
                        SignedDuration::try_from(at.saturating_sub(on.boot)).unwrap_or(SignedDuration::MAX);
                    wishes.push(Wish::Wake(now.saturating_add(wait).unwrap_or(Timestamp::MAX)));
                    continue;
                }
                // What tells people who look after terminals; none reads it here.
                Effect::Tell(_) => continue,
            };
            queue.extend(self.think(now, event));
        }
        Ok(wishes)
    }

    fn power_fails(&mut self) {
        (self.kill, self.cuts) = (None, self.cuts + 1);
        self.on = None;
    }

    fn publish(&self, topic: meguri_proto::UpTopic, payload: Vec<u8>) -> Wish {
        let topic = Topic::up(self.settings.city.clone(), self.settings.terminal.clone(), topic);
        Wish::Publish(topic.to_string(), payload)
    }

    /// Keeps what is on the disk by now.
    fn note(&mut self, now: Timestamp, ops: &[Op]) -> anyhow::Result<()> {
        for op in ops {
            if let Op::Append { log: LogKind::Fact, entry: NewEntry { id, body, .. } } = op {
                let body =
                    serde_json::from_str(body).context("a terminal wrote a fact that can't be read")?;
                self.written.push(Written { id: *id, at: now, body });
            }
        }
        Ok(())
    }
}

impl Pins {
    /// What the PIN of a member leads to, where they are of the crew and it is right.
    fn key(&mut self, core: &Core, member: &CrewId) -> Option<PinKey> {
        self.open(&core.pin_lock(member)?, member)
    }

    /// The same of a lock.
    pub(super) fn open(&mut self, lock: &PinLock, member: &CrewId) -> Option<PinKey> {
        if let Some(key) = self.derived.get(&lock.key) {
            return Some(key.clone());
        }
        let key = lock.open(self.known.get(member)?)?;
        self.derived.insert(lock.key, key.clone());
        Some(key)
    }
}

impl Written {
    /// Whether it speaks of a pickup.
    pub(super) fn of_pickup(&self) -> bool {
        !matches!(self.body.fact, Fact::Config(_))
    }
}
