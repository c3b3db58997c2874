//! What a terminal keeps over a restart, and the only ways in which it changes.
//!
//! The store on disk and the [`Kept`] in memory go through the same [`Op`]s: first the store, in one
//! transaction, then memory. So memory never shows what the disk does not hold.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::crew::PinLock;
use meguri_proto::limits::HELLO_EPOCHS;
use meguri_proto::{
    ContractId, CrewId, CrewList, DayList, Digest, DocumentHeld, DocumentName, Epoch, EpochHeld, Fact,
    FactBody, FactId, Incarnation, Listed, LogKind, Member, Message, OwnSeen, PickupId,
};

pub use crate::config::KeptConfig;
pub use crate::time::{Confirmed, KeptTime};

/// All that a terminal keeps, without the entries' bodies.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The fact log.
    pub fact: Option<Log>,
    /// The track log.
    pub track: Option<Log>,
    /// Every document held, lapsed ones too, which are held without a body.
    pub documents: BTreeMap<DocumentName, Held>,
    /// The office that last answered.
    pub office: Option<Incarnation>,
    /// Trusted time.
    pub time: Option<KeptTime>,
    /// The configurations.
    pub config: KeptConfig,
    /// How many PINs of each member in a row were wrong.
    pub pins_wrong: BTreeMap<CrewId, u32>,
    /// Whether the keys of the lists are not at hand: only a crew's PIN opens them, and none was typed since the program
    /// started.
    pub sealed: bool,
}

/// A document held.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its version.
    pub version: u64,
    /// Its body's digest.
    pub digest: Digest,
    /// What it says.
    pub contents: Contents,
}

/// What a document says.
#[derive(Debug, Clone)]
pub enum Contents {
    /// Nothing: the office withdrew it.
    Lapsed,
    /// Something that can't be read before somebody has signed in.
    Sealed,
    /// A day's pickups.
    List(Arc<KeptList>),
    /// Who may sign in.
    Crew(Arc<CrewList>),
    /// Key sets or a bundle, signed, as they came: what became of them stands in [`KeptConfig`].
    Signed(Arc<str>),
    /// That the terminal is lost; all that it held is destroyed.
    Erasure,
}

impl Held {
    /// The list that can be read.
    #[must_use]
    pub fn list(&self) -> Option<&Arc<KeptList>> {
        match &self.contents {
            Contents::List(list) => Some(list),
            _ => None,
        }
    }
}

/// A day list as it is kept: each pickup by itself, so that every view of it shares them.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptList {
    /// The day.
    pub date: Date,
    /// The contractor's name.
    pub contractor: String,
    /// The vehicle's name.
    pub vehicle: String,
    /// The round's name.
    pub round: String,
    /// Up to where the office had seen this terminal's log when it made the list.
    pub seen: Vec<OwnSeen>,
    /// The pickups in their order.
    pub pickups: Vec<Arc<Listed>>,
}

impl From<DayList> for KeptList {
    fn from(list: DayList) -> Self {
        let DayList { v: _, contract: _, date, contractor, vehicle, round, seen, pickups } = list;
        let pickups = pickups.into_iter().map(Arc::new).collect();
        Self { date, contractor, vehicle, round, seen, pickups }
    }
}

/// The kept end of one log: the entries `first..=head` of its epoch.
///
/// A log has one epoch at a time: a fork moves everything kept into a new one.
#[derive(Debug, Clone)]
pub struct Log {
    /// The epoch.
    pub epoch: Epoch,
    /// Number of the first kept entry.
    pub first: u64,
    /// Digest of the entry before it.
    pub before: Digest,
    /// The kept entries.
    pub entries: VecDeque<Meta>,
    /// Up to where the office holds it.
    pub acked: u64,
    /// All up to this number were moved here by a fork; a list made before the office held them in this
    /// epoch does not tell which of them came before what.
    pub moved: u64,
    /// All up to this number were there when the program started. A store put back from a copy may have
    /// moved them once already: the office may hold them in an epoch that is forgotten here.
    pub found: u64,
    /// The numbers of the entries that speak of a pickup.
    pub about: HashMap<PickupId, VecDeque<u64>>,
}

/// An entry without its body.
#[derive(Debug, Clone)]
pub struct Meta {
    /// The fact's id.
    pub id: FactId,
    /// Its digest in the chain.
    pub digest: Digest,
    /// About how many bytes it takes in a publish, its note included.
    pub bytes: usize,
    /// When the office was heard to hold it, by trusted time.
    pub acked_at: Option<Timestamp>,
    /// What it says of a pickup; none on the track log, or where the body can't be read.
    pub own: Option<Own>,
}

/// What an entry says of a pickup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// When, by the terminal's best clock.
    pub at: Timestamp,
    /// What was said.
    pub fact: Fact,
}

/// One change of what is kept.
#[derive(Debug, Clone)]
pub enum Op {
    /// Makes a log.
    Open {
        /// Which log.
        log: LogKind,
        /// Drawn for it.
        epoch: Epoch,
    },
    /// Appends an entry.
    Append {
        /// To which log.
        log: LogKind,
        /// The entry.
        entry: NewEntry,
    },
    /// The office holds all up to `seq`, which may be less than it did.
    Acked {
        /// Of which log.
        log: LogKind,
        /// The number.
        seq: u64,
        /// By trusted time.
        at: Timestamp,
    },
    /// Deletes the entries up to `upto`.
    Prune {
        /// Of which log.
        log: LogKind,
        /// The last one to go.
        upto: u64,
    },
    /// Moves every kept entry into a new epoch, numbered from 1 and chained anew, ids unchanged.
    Fork {
        /// Of which log.
        log: LogKind,
        /// The new epoch.
        epoch: Epoch,
    },
    /// The office that answers now.
    Office(Incarnation),
    /// Trusted time so far.
    Time(KeptTime),
    /// Keeps a document in place of an older version.
    Document {
        /// Which.
        name: DocumentName,
        /// Its version and contents.
        held: Held,
        /// The body's bytes; none where it lapsed.
        body: Option<String>,
    },
    /// Forgets a document.
    DropDocument(DocumentName),
    /// Destroys the keys of all lists and notes, and what they sealed, and keeps nothing but the document that said so.
    Erase {
        /// Its version and contents.
        held: Held,
        /// The body's bytes.
        body: String,
    },
    /// Where the configurations have come to. What is of no contract in force or to come goes with it; where another contract
    /// comes into force, whoever is to sign in under that takes the place of the crew.
    Config(Box<KeptConfig>),
    /// So many PINs of this member in a row were wrong.
    PinsWrong(CrewId, u32),
}

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: FactId,
    /// Its digest in the chain.
    pub digest: Digest,
    /// Its body as it will be sent.
    pub body: String,
    /// The text of the note it names, with its SHA-256.
    pub note: Option<(Digest, String)>,
}

/// Digests of a log's entries after a fork, as the store computed them with [`rechain`].
pub type Rechained = Vec<(LogKind, Vec<Digest>)>;

/// The digests of an epoch with these bodies.
pub fn rechain<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<Digest> {
    bodies
        .into_iter()
        .scan(Digest::ZERO, |last, body| {
            *last = last.then(body);
            Some(*last)
        })
        .collect()
}

impl Meta {
    /// Of an entry with this body and note.
    #[must_use]
    pub fn new(log: LogKind, id: FactId, digest: Digest, body: &str, note: Option<&str>) -> Self {
        // The envelope around a body, and a note with each character escaped.
        let bytes = body.len() + 220 + note.map_or(0, |note| 2 * note.len() + 80);
        let own = match log {
            LogKind::Fact => {
                FactBody::decode(body.as_bytes()).ok().map(|body| Own { at: body.at.best(), fact: body.fact })
            }
            LogKind::Track => None,
        };
        Self { id, digest, bytes, acked_at: None, own }
    }
}

impl Log {
    /// A new, empty log.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        let (entries, about) = (VecDeque::new(), HashMap::new());
        Self { epoch, first: 1, before: Digest::ZERO, entries, acked: 0, moved: 0, found: 0, about }
    }

    /// Number of the last entry.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.first - 1 + self.entries.len() as u64
    }

    /// Digest of the last entry.
    #[must_use]
    pub fn head_digest(&self) -> Digest {
        self.entries.back().map_or(self.before, |entry| entry.digest)
    }

    /// How many entries the office does not hold yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.head().saturating_sub(self.acked)
    }

    /// A kept entry.
    #[must_use]
    pub fn entry(&self, seq: u64) -> Option<&Meta> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.entries.get(index)
    }

    /// Up to where a list tells of this epoch.
    #[must_use]
    pub fn seen_by(&self, list: &KeptList) -> u64 {
        list.seen.iter().find(|seen| seen.epoch == self.epoch).map_or(0, |seen| seen.seq)
    }

    /// Up to where entries may stand in another epoch in the office that made a list.
    #[must_use]
    pub fn elsewhere(&self, list: &KeptList) -> u64 {
        let alone = list.seen.iter().all(|seen| seen.epoch == self.epoch);
        if alone { self.moved } else { self.moved.max(self.found) }
    }

    /// The digest at `seq`, as far back as the one before the first kept entry.
    #[must_use]
    pub fn digest(&self, seq: u64) -> Option<Digest> {
        if seq + 1 == self.first { Some(self.before) } else { self.entry(seq).map(|entry| entry.digest) }
    }

    /// What a hello says of it.
    #[must_use]
    pub fn held(&self) -> EpochHeld {
        let (epoch, first, before) = (self.epoch, self.first, self.before);
        EpochHeld { epoch, first, before, head: self.head(), digest: self.head_digest(), acked: self.acked }
    }

    /// Appends an entry, when it is made and when it is read from the store.
    pub fn push(&mut self, entry: Meta) {
        if let Some(pickup) = entry.own.as_ref().and_then(|own| own.fact.pickup()) {
            let seq = self.head() + 1;
            self.about.entry(pickup).or_default().push_back(seq);
        }
        self.entries.push_back(entry);
    }

    /// What this terminal said of a pickup, oldest first, with each entry's number.
    pub fn said_of(&self, pickup: PickupId) -> impl Iterator<Item = (u64, FactId, &Own)> {
        let numbers = self.about.get(&pickup).into_iter().flatten();
        numbers.filter_map(|&seq| {
            let entry = self.entry(seq)?;
            Some((seq, entry.id, entry.own.as_ref()?))
        })
    }

    fn ack(&mut self, seq: u64, at: Timestamp) {
        let seq = seq.min(self.head());
        let (low, high) = (self.acked.min(seq), self.acked.max(seq));
        let acked_at = (seq > self.acked).then_some(at);
        for number in low.max(self.first - 1) + 1..=high {
            if let Some(entry) =
                usize::try_from(number - self.first).ok().and_then(|i| self.entries.get_mut(i))
            {
                entry.acked_at = acked_at;
            }
        }
        self.acked = seq;
    }

    fn prune(&mut self, upto: u64) {
        while self.first <= upto {
            let Some(gone) = self.entries.pop_front() else { return };
            if let Some(pickup) = gone.own.as_ref().and_then(|own| own.fact.pickup())
                && let Some(numbers) = self.about.get_mut(&pickup)
            {
                numbers.pop_front();
                if numbers.is_empty() {
                    self.about.remove(&pickup);
                }
            }
            self.before = gone.digest;
            self.first += 1;
        }
    }

    fn fork(&mut self, epoch: Epoch, digests: Vec<Digest>) {
        let old = std::mem::replace(self, Self::new(epoch));
        for (entry, digest) in old.entries.into_iter().zip(digests) {
            self.push(Meta { digest, acked_at: None, ..entry });
        }
        self.moved = self.head();
    }
}

impl Kept {
    /// One of the logs.
    #[must_use]
    pub fn log(&self, log: LogKind) -> Option<&Log> {
        match log {
            LogKind::Fact => self.fact.as_ref(),
            LogKind::Track => self.track.as_ref(),
        }
    }

    fn slot(&mut self, log: LogKind) -> &mut Option<Log> {
        match log {
            LogKind::Fact => &mut self.fact,
            LogKind::Track => &mut self.track,
        }
    }

    /// The documents held.
    #[must_use]
    pub fn documents_held(&self) -> Vec<DocumentHeld> {
        let named = |(name, held): (&DocumentName, &Held)| DocumentHeld {
            name: name.clone(),
            version: held.version,
            digest: held.digest,
        };
        self.documents.iter().map(named).collect()
    }

    /// The documents as a hello names them. Where facts that the office now holds may stand in another epoch
    /// there, a list that does not tell of them yet is named with no digest of its own, so that a new one comes.
    #[must_use]
    pub fn documents_told(&self) -> Vec<DocumentHeld> {
        let mut told = self.documents_held();
        let Some(log) = &self.fact else { return told };
        for document in &mut told {
            let held = self.documents.get(&document.name);
            let coming = document.name.contract().is_some_and(|contract| self.config.is_coming(contract));
            if !self.sealed && !coming && held.is_some_and(|held| matches!(held.contents, Contents::Sealed)) {
                // No key that is left opens it.
                document.digest = Digest::ZERO;
            }
            let list = held.and_then(Held::list);
            if list.is_some_and(|list| {
                // A list names the newest epochs only: where this one is left out, it is in every other, too.
                if log.seen_by(list) == 0 && list.seen.len() >= HELLO_EPOCHS {
                    return false;
                }
                let wanted = log.elsewhere(list);
                log.acked >= wanted && log.seen_by(list) < wanted
            }) {
                document.digest = Digest::ZERO;
            }
        }
        told
    }

    /// Does to memory what the store has done on disk.
    pub fn apply(&mut self, op: Op, rechained: &mut Rechained) {
        match op {
            Op::Open { log, epoch } => *self.slot(log) = Some(Log::new(epoch)),
            Op::Append { log, entry } => {
                let note = entry.note.as_ref().map(|(_, text)| text.as_str());
                let meta = Meta::new(log, entry.id, entry.digest, &entry.body, note);
                if let Some(log) = self.slot(log) {
                    log.push(meta);
                }
            }
            Op::Acked { log, seq, at } => {
                if let Some(log) = self.slot(log) {
                    log.ack(seq, at);
                }
            }
            Op::Prune { log, upto } => {
                if let Some(log) = self.slot(log) {
                    log.prune(upto);
                }
            }
            Op::Fork { log: kind, epoch } => {
                let of = rechained.iter().position(|(log, _)| *log == kind);
                let digests = of.map(|index| rechained.swap_remove(index).1).unwrap_or_default();
                if let Some(log) = self.slot(kind) {
                    log.fork(epoch, digests);
                }
            }
            Op::Office(incarnation) => self.office = Some(incarnation),
            Op::Time(time) => self.time = Some(time),
            Op::Document { name, held, body: _ } => {
                let crew = name == DocumentName::Crew;
                if let (DocumentName::CrewOf { contract }, Contents::Crew(list)) = (&name, &held.contents) {
                    let locks = |members: &[Member]| -> BTreeMap<CrewId, PinLock> {
                        members.iter().map(|member| (member.id.clone(), member.lock.clone())).collect()
                    };
                    if locks(self.crew_of(contract)) != locks(&list.members) {
                        self.want_anew(contract);
                    }
                    if !list.members.is_empty() {
                        self.shut(contract);
                    }
                }
                self.documents.insert(name, held);
                if crew && self.crew().is_empty() {
                    // Nobody can sign in any more, so nobody needs to: what no key opens comes anew.
                    self.sealed = false;
                }
            }
            Op::DropDocument(name) => drop(self.documents.remove(&name)),
            Op::Erase { held, body: _ } => {
                self.documents.clear();
                self.documents.insert(DocumentName::Erasure, held);
                self.pins_wrong.clear();
                self.sealed = false;
            }
            Op::Config(next) => self.configure(*next),
            Op::PinsWrong(member, 0) => drop(self.pins_wrong.remove(&member)),
            Op::PinsWrong(member, count) => drop(self.pins_wrong.insert(member, count)),
        }
    }

    fn configure(&mut self, next: KeptConfig) {
        let before = std::mem::replace(&mut self.config, next);
        let Some(contract) = self.config.contract.clone() else { return };
        if let Some(former) = before.contract.filter(|before| *before != contract) {
            // Also where it comes again later: what is of its end now is over.
            self.documents.retain(|name, _| name.contract() != Some(&former));
            self.documents.remove(&DocumentName::Crew);
            if let Some(crew) = self.documents.remove(&DocumentName::CrewOf { contract: contract.clone() }) {
                self.documents.insert(DocumentName::Crew, crew);
            }
            self.pins_wrong.clear();
            self.sealed = !self.crew().is_empty();
            if self.sealed {
                self.shut(&contract);
            }
        }
        let config = &self.config;
        self.documents.retain(|name, _| name.contract().is_none_or(|contract| config.keeps(contract)));
    }

    /// A contract's lists can't be read before somebody has signed in.
    fn shut(&mut self, contract: &ContractId) {
        for (name, held) in &mut self.documents {
            if matches!(held.contents, Contents::List(_)) && name.contract() == Some(contract) {
                held.contents = Contents::Sealed;
            }
        }
    }

    /// What came ahead is sealed to a crew that is another one since, and can't be sealed anew before anybody has signed in: the
    /// office sends it again when a hello names no digest of its own. Until then the copy here stays for those it is sealed to.
    fn want_anew(&mut self, contract: &ContractId) {
        for (name, held) in &mut self.documents {
            if matches!(held.contents, Contents::Sealed) && name.contract() == Some(contract) {
                held.digest = Digest::ZERO;
            }
        }
    }

    /// Who may sign in once a contract comes into force, as far as that is known.
    #[must_use]
    pub fn crew_of(&self, contract: &ContractId) -> &[Member] {
        let name = DocumentName::CrewOf { contract: contract.clone() };
        match self.documents.get(&name).map(|held| &held.contents) {
            Some(Contents::Crew(list)) => &list.members,
            _ => &[],
        }
    }

    /// Who may sign in, and so must; nobody where that is empty.
    #[must_use]
    pub fn crew(&self) -> &[Member] {
        match self.documents.get(&DocumentName::Crew).map(|held| &held.contents) {
            Some(Contents::Crew(list)) => &list.members,
            _ => &[],
        }
    }

    /// Whether the terminal is lost and erased.
    #[must_use]
    pub fn erased(&self) -> bool {
        let held = self.documents.get(&DocumentName::Erasure);
        held.is_some_and(|held| matches!(held.contents, Contents::Erasure))
    }
}
