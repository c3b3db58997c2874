//! What terminals say: read, decided about ([`decide`]), written ([`apply`]).

pub mod apply;
pub mod aside;
pub mod decide;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;
use meguri_proto::pickup::OfficeWord;
use meguri_proto::{
    BootId, CityId, ContractId, Epoch, Hello, Incarnation, LogKind, Nonce, SeqHeld, TerminalId,
};

use crate::touched::Touched;
use decide::Held;

/// A message as it came from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its topic, as text.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What is known while messages are applied.
#[derive(Debug)]
pub struct Context<'a> {
    /// The office's time.
    pub now: Timestamp,
    /// The city.
    pub city: &'a CityId,
    /// This life of the store.
    pub incarnation: Incarnation,
    /// What a running office remembers between messages.
    pub memory: &'a mut Memory,
    /// A contract that each terminal was found to work under in this transaction: a crew's facts name the same one.
    works_under: HashMap<TerminalId, ContractId>,
}

impl<'a> Context<'a> {
    /// The context of one transaction.
    #[must_use]
    pub fn new(now: Timestamp, city: &'a CityId, incarnation: Incarnation, memory: &'a mut Memory) -> Self {
        Self { now, city, incarnation, memory, works_under: HashMap::new() }
    }
}

/// What a running office remembers between messages without keeping it. As the store's, what is noted in a
/// transaction is undone with it: a message that is sent again must find the memory as it was.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last boots that each terminal's hellos named, newest last, no two neighbours alike.
    boots: HashMap<TerminalId, VecDeque<BootId>>,
    /// What stood there before each change that is not committed yet.
    before: Vec<(TerminalId, Option<VecDeque<BootId>>)>,
    /// The terminals that are let speak, and what of their logs the store is known to hold, by its rows. It holds as long
    /// as only messages change the store: whatever else does, and whatever is undone, has it forgotten.
    logs: HashMap<TerminalId, Logs>,
}

/// A terminal's logs: the row of each, and what is held of it.
type Logs = HashMap<(LogKind, Epoch), (i64, Held)>;

/// Of how many logs of one terminal the state is remembered: it speaks in two.
const REMEMBERED_LOGS: usize = 8;

impl Memory {
    /// Where the memory stands in its transaction, for [`Memory::back_to`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.before.len()
    }

    /// Undoes what was noted since the mark; since the transaction's beginning with 0.
    pub fn back_to(&mut self, mark: usize) {
        self.forget();
        for (terminal, boots) in self.before.drain(mark.min(self.before.len())..).rev() {
            match boots {
                Some(boots) => self.boots.insert(terminal, boots),
                None => self.boots.remove(&terminal),
            };
        }
    }

    /// Keeps what was noted: it is committed.
    pub fn keep(&mut self) {
        self.before.clear();
    }

    /// Forgets what the store is known to say of terminals and logs: somebody else may have changed it.
    pub fn forget(&mut self) {
        self.logs.clear();
    }

    /// Whether a terminal is known to be let speak.
    fn lets_speak(&self, terminal: &TerminalId) -> bool {
        self.logs.contains_key(terminal)
    }

    /// Notes that a terminal is let speak.
    fn let_speak(&mut self, terminal: &TerminalId) {
        self.logs.entry(terminal.clone()).or_default();
    }

    /// The row of a log, and what is held of it.
    fn log(&self, terminal: &TerminalId, log: (LogKind, Epoch)) -> Option<(i64, Held)> {
        self.logs.get(terminal)?.get(&log).copied()
    }

    /// Notes what is held of a log by now.
    fn holds(&mut self, terminal: &TerminalId, log: (LogKind, Epoch), row: i64, held: Held) {
        let logs = self.logs.entry(terminal.clone()).or_default();
        if logs.len() >= REMEMBERED_LOGS && !logs.contains_key(&log) {
            logs.clear();
        }
        logs.insert(log, (row, held));
    }

    /// Forgets what is held of a terminal's logs.
    fn forget_logs(&mut self, terminal: &TerminalId) {
        if let Some(logs) = self.logs.get_mut(terminal) {
            logs.clear();
        }
    }

    /// Notes a boot; says whether two devices alternate (A, B, A).
    fn alternates(&mut self, terminal: &TerminalId, boot: BootId) -> bool {
        let known = self.boots.get(terminal);
        if known.and_then(VecDeque::back) == Some(&boot) {
            return false;
        }
        self.before.push((terminal.clone(), known.cloned()));
        let boots = self.boots.entry(terminal.clone()).or_default();
        boots.push_back(boot);
        if boots.len() > 3 {
            boots.pop_front();
        }
        boots.len() == 3 && boots.front() == Some(&boot)
    }
}

/// What must follow once a transaction is committed. Nothing of it is true before.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is to be acknowledged.
    pub acks: BTreeMap<TerminalId, BTreeMap<(LogKind, Epoch), Held>>,
    /// Hellos to be answered, in order.
    pub answers: Vec<Answer>,
    /// Terminals to be asked for a hello.
    pub ask: BTreeSet<TerminalId>,
    /// Hellos whose documents are to be compared.
    pub hellos: Vec<(TerminalId, Hello)>,
    /// Terminals that were heard.
    pub heard: BTreeSet<TerminalId>,
    /// A terminal was told more than the store holds: it is a copy put back.
    pub lost: bool,
    /// What lists and listeners must know.
    pub touched: Touched,
    /// Pickups of which facts were kept and whose state is still to be decided anew, each with the office's word about it:
    /// once a transaction, as facts speak of one again and again.
    pub stale: BTreeMap<i64, OfficeWord>,
    /// How many facts were taken, and how much was set aside.
    pub facts: u64,
    /// See `facts`.
    pub asides: u64,
    /// When terminals' fixes were, that came as they were taken.
    pub fixes: Vec<jiff::Timestamp>,
    /// A person says that the office's clock is right.
    pub clock_right: bool,
}

/// The answer to one hello.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Who said it.
    pub terminal: TerminalId,
    /// Its nonce.
    pub nonce: Nonce,
    /// Every epoch it named.
    pub held: Vec<SeqHeld>,
}

impl Effects {
    /// Adds what another message asks for.
    pub fn merge(&mut self, other: Self) {
        for (terminal, held) in other.acks {
            self.acks.entry(terminal).or_default().extend(held);
        }
        self.answers.extend(other.answers);
        self.ask.extend(other.ask);
        self.hellos.extend(other.hellos);
        self.heard.extend(other.heard);
        self.lost |= other.lost;
        self.touched.merge(other.touched);
        self.stale.extend(other.stale);
        self.facts += other.facts;
        self.asides += other.asides;
        self.fixes.extend(other.fixes);
        self.clock_right |= other.clock_right;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_boots_that_alternate_are_two_devices() {
        let terminal: TerminalId = "t-1".parse().unwrap();
        let boot = |n| BootId(Uuid::from_u128(n));
        let run = |boots: &[u128]| {
            let mut memory = Memory::default();
            boots.iter().any(|n| memory.alternates(&terminal, boot(*n)))
        };
        assert!(!run(&[1, 1, 2, 2, 3, 4]), "restarts");
        assert!(run(&[1, 2, 1]), "two devices");
        assert!(run(&[9, 1, 1, 2, 2, 1]), "two devices after a restart");
    }

    #[test]
    fn what_is_not_committed_is_forgotten() {
        let terminal: TerminalId = "t-1".parse().unwrap();
        let boot = |n| BootId(Uuid::from_u128(n));
        let mut memory = Memory::default();
        assert!(!memory.alternates(&terminal, boot(1)));
        memory.keep();
        assert!(!memory.alternates(&terminal, boot(2)));
        let mark = memory.mark();
        assert!(memory.alternates(&terminal, boot(1)));
        memory.back_to(mark);
        assert!(memory.alternates(&terminal, boot(1)), "said again, noticed again");
        memory.back_to(0);
        assert!(!memory.alternates(&terminal, boot(1)), "the second device was never committed");
    }
}
