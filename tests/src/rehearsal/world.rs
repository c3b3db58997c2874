//! The rehearsal's time: whatever happens happens at an instant, one thing after the other, and between two of them no time is
//! spent. The broker between terminals and office is made here, too: lines that stand or don't, and messages on their way.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use jiff::{SignedDuration, Timestamp};
use meguri_core::{Event, Why};
use meguri_gateway::ingest::Incoming;
use meguri_gateway::outbox::Outgoing;
use meguri_proto::{TerminalId, Topic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::office::{Office, SetClock};
use super::plan::Fault;
use super::script::Act;
use super::terminal::{Pins, Terminal, Wish};

/// Messages that are sent within this many seconds reach the office together.
const MAIL: i64 = 60;

/// Something that happens.
#[derive(Debug)]
enum What {
    /// A terminal's timer; only its newest one counts.
    Wake(usize, u64),
    /// What becomes of a connection, by its number.
    Line(usize, u64, Outcome),
    /// A message reaches a terminal on this connection.
    Down(usize, u64, String, Vec<u8>),
    /// The office takes what has come.
    Mail,
    /// Something of the script, or a crew at work.
    Act(Act),
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Stands,
    Nobody,
    Refused,
}

#[derive(Debug)]
struct Due {
    at: Timestamp,
    order: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A terminal's line.
#[derive(Debug, Default)]
struct Line {
    /// How many connections there were; messages of an earlier one reach nobody.
    number: u64,
    /// Whether the newest one stands.
    stands: bool,
    /// Whether there is no coverage.
    away: bool,
    /// How many timers were set.
    wakes: u64,
    /// Since when it is sure of a time after the instant.
    sure_since: Option<Timestamp>,
    /// When it was in coverage again for the last time.
    back: Option<Timestamp>,
}

/// Everything of a rehearsal.
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) clock: std::sync::Arc<SetClock>,
    pub(super) office: Office,
    pub(super) terminals: Vec<Terminal>,
    pub(super) pins: Pins,
    pub(super) random: StdRng,
    pub(super) messages: u64,
    instant: Timestamp,
    names: BTreeMap<TerminalId, usize>,
    lines: Vec<Line>,
    bad: BTreeMap<(String, u16), Fault>,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    mail: Vec<Incoming>,
    mail_due: bool,
}

impl World {
    pub(super) fn new(
        now: Timestamp,
        clock: std::sync::Arc<SetClock>,
        office: Office,
        terminals: Vec<Terminal>,
        bad: BTreeMap<(String, u16), Fault>,
        instant: Timestamp,
        seed: u64,
    ) -> Self {
        let names = terminals.iter().enumerate().map(|(index, terminal)| (terminal.id.clone(), index));
        Self {
            now,
            clock,
            office,
            instant,
            names: names.collect(),
            lines: terminals.iter().map(|_| Line::default()).collect(),
            terminals,
            pins: Pins::default(),
            random: StdRng::seed_from_u64(seed),
            messages: 0,
            bad,
            queue: BinaryHeap::new(),
            order: 0,
            mail: Vec::new(),
            mail_due: false,
        }
    }

    fn push(&mut self, at: Timestamp, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Due { at: at.max(self.now), order: self.order, what }));
    }

    fn push_in(&mut self, seconds: f64, what: What) {
        let wait = SignedDuration::from_millis((seconds * 1_000.0) as i64);
        self.push(self.now + wait, what);
    }

    /// Has something of the script happen.
    pub(super) fn plan(&mut self, at: Timestamp, act: Act) {
        self.push(at, What::Act(act));
    }

    /// Goes on to whatever happens next and does it, or says which act of the script it is; none where nothing happens any more
    /// before `end`.
    pub(super) fn next(&mut self, end: Timestamp) -> anyhow::Result<Option<Option<Act>>> {
        let Some(Reverse(due)) = self.queue.pop() else { return Ok(None) };
        if due.at > end {
            self.queue.push(Reverse(due));
            return Ok(None);
        }
        self.now = due.at;
        self.clock.set(due.at);
        match due.what {
            What::Act(act) => return Ok(Some(Some(act))),
            What::Wake(terminal, wake) => {
                if self.lines[terminal].wakes == wake && self.terminals[terminal].is_on() {
                    self.step(terminal, Event::Tick)?;
                }
            }
            What::Line(terminal, number, outcome) => self.line(terminal, number, outcome)?,
            What::Down(terminal, number, topic, payload) => {
                let line = &self.lines[terminal];
                if line.stands && line.number == number {
                    self.step(terminal, Event::Received { topic, payload })?;
                }
            }
            What::Mail => {
                self.mail_due = false;
                let mail = std::mem::take(&mut self.mail);
                // Without an office there is no broker, and terminals send again what nobody has acknowledged.
                if self.office.is_up() {
                    let sent = self.office.take(mail)?;
                    self.deliver(sent);
                }
            }
        }
        Ok(Some(None))
    }

    /// One step of a terminal.
    pub(super) fn step(&mut self, terminal: usize, event: Event) -> anyhow::Result<()> {
        let wishes = self.terminals[terminal].step(self.now, event, &mut self.pins)?;
        self.grant(terminal, wishes);
        Ok(())
    }

    /// Does what a terminal wants.
    pub(super) fn grant(&mut self, terminal: usize, wishes: Vec<Wish>) {
        if self.now >= self.instant && self.terminals[terminal].is_sure() {
            self.lines[terminal].sure_since.get_or_insert(self.now);
        }
        for wish in wishes {
            match wish {
                Wish::Wake(at) => {
                    self.lines[terminal].wakes += 1;
                    let wake = self.lines[terminal].wakes;
                    self.push(at, What::Wake(terminal, wake));
                }
                Wish::Connect(host, port) => self.connect(terminal, host, port),
                Wish::Disconnect => self.cut(terminal),
                Wish::Publish(topic, payload) => {
                    if self.lines[terminal].stands {
                        self.mail.push(Incoming { topic, payload });
                        self.messages += 1;
                        if !self.mail_due {
                            self.mail_due = true;
                            let wait = MAIL - self.now.as_second().rem_euclid(MAIL);
                            self.push(self.now + SignedDuration::from_secs(wait), What::Mail);
                        }
                    }
                }
                Wish::Dead => {
                    self.cut(terminal);
                    // The crew finds it dark and switches it on again.
                    let minutes = self.random.random_range(1..4);
                    self.plan(self.now + SignedDuration::from_mins(minutes), Act::SwitchOn(terminal));
                }
            }
        }
    }

    fn cut(&mut self, terminal: usize) {
        let line = &mut self.lines[terminal];
        (line.number, line.stands) = (line.number + 1, false);
    }

    fn connect(&mut self, terminal: usize, host: String, port: u16) {
        self.cut(terminal);
        let number = self.lines[terminal].number;
        let (seconds, outcome) = if self.lines[terminal].away {
            // No coverage: the modem gives up after a while.
            (self.random.random_range(240.0..480.0), Outcome::Nobody)
        } else {
            match self.bad.get(&(host, port)) {
                Some(Fault::Refused) => (1.0, Outcome::Refused),
                Some(_) => (20.0, Outcome::Nobody),
                None if !self.office.is_up() => (5.0, Outcome::Nobody),
                None => (self.random.random_range(0.2..2.0), Outcome::Stands),
            }
        };
        self.push_in(seconds, What::Line(terminal, number, outcome));
    }

    fn line(&mut self, terminal: usize, number: u64, outcome: Outcome) -> anyhow::Result<()> {
        let line = &mut self.lines[terminal];
        if line.number != number || !self.terminals[terminal].is_on() {
            return Ok(());
        }
        let event = match outcome {
            Outcome::Stands if self.office.is_up() && !line.away => {
                line.stands = true;
                Event::Connected
            }
            Outcome::Refused => Event::Disconnected(Why::Refused("not authorised".to_owned())),
            _ => Event::Disconnected(Why::Lost("nobody answers".to_owned())),
        };
        self.step(terminal, event)
    }

    /// Brings messages of the office on their way.
    pub(super) fn deliver(&mut self, sent: Vec<Outgoing>) {
        for Outgoing { topic, payload } in sent {
            self.messages += 1;
            let to = topic.parse::<Topic>().ok().and_then(|topic| self.names.get(&topic.terminal).copied());
            // A terminal that is not connected finds out with its next hello.
            if let Some(to) = to.filter(|to| self.lines[*to].stands) {
                let number = self.lines[to].number;
                self.push_in(0.3, What::Down(to, number, topic, payload));
            }
        }
    }

    /// Switches a terminal on.
    pub(super) fn switch_on(&mut self, terminal: usize) -> anyhow::Result<()> {
        if !self.terminals[terminal].is_on() {
            self.cut(terminal);
            let wishes = self.terminals[terminal].start(self.now, &mut self.pins)?;
            self.grant(terminal, wishes);
        }
        Ok(())
    }

    /// Switches a terminal off.
    pub(super) fn switch_off(&mut self, terminal: usize) {
        self.terminals[terminal].stop();
        self.cut(terminal);
    }

    /// A terminal leaves coverage or comes back.
    pub(super) fn away(&mut self, terminal: usize, away: bool) -> anyhow::Result<()> {
        self.lines[terminal].away = away;
        if away {
            return self.lose(terminal);
        }
        self.lines[terminal].back = Some(self.now);
        Ok(())
    }

    fn lose(&mut self, terminal: usize) -> anyhow::Result<()> {
        if std::mem::take(&mut self.lines[terminal].stands) {
            self.lines[terminal].number += 1;
            self.step(terminal, Event::Disconnected(Why::Lost("the line is gone".to_owned())))?;
        }
        Ok(())
    }

    /// Since when a terminal is sure of a time after the instant.
    pub(super) fn sure_since(&self, terminal: usize) -> Option<Timestamp> {
        self.lines[terminal].sure_since
    }

    /// When a terminal came back into coverage.
    pub(super) fn back(&self, terminal: usize) -> Option<Timestamp> {
        self.lines[terminal].back
    }

    /// Whether a terminal is out of coverage.
    pub(super) fn is_away(&self, terminal: usize) -> bool {
        self.lines[terminal].away
    }

    /// The office goes down, and its broker with it.
    pub(super) fn office_down(&mut self) -> anyhow::Result<()> {
        self.office.stop()?;
        self.mail.clear();
        for terminal in 0..self.terminals.len() {
            self.lose(terminal)?;
        }
        Ok(())
    }
}
