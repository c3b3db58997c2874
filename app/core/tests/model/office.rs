//! A small office: what it must do by the rules of the wire, and nothing else.

use std::collections::BTreeMap;

use meguri_config::Bundle;
use meguri_proto::pickup::{OfficeWord, Said, State, decide, standing, telling};
use meguri_proto::{
    Ack, ContractId, DayList, Digest, Document, DocumentName, DownTopic, Epoch, FactBody, FactId, Hello,
    Incarnation, Item, Listed, LogKind, LogPublish, Message, OwnSeen, Payment, PickupId, Place, SeqHeld,
    Topic, UpTopic, Way,
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::signed::{chain, first_set};
use super::terminal::{World, settings};
use super::{PICKUPS, config};

/// A list as it was last sent.
#[derive(Debug, Clone)]
struct Issued {
    version: u64,
    digest: Digest,
    /// Of everything in it but what the terminal itself said: that alone makes no new version.
    basis: Digest,
    seen: Vec<OwnSeen>,
}

#[derive(Debug, Clone)]
pub(crate) struct Office {
    incarnation: Incarnation,
    epochs: BTreeMap<(LogKind, Epoch), (u64, Digest)>,
    /// The last number of each epoch's last hole.
    hole_ends: BTreeMap<(LogKind, Epoch), u64>,
    /// Facts applied, each once.
    pub(crate) facts: BTreeMap<FactId, String>,
    said: Vec<Said>,
    /// Epochs of the fact log in the order in which they came.
    opened: Vec<Epoch>,
    /// Day lists as they were last sent.
    lists: BTreeMap<DocumentName, Issued>,
    /// The city's keys and the newest schedule: version and body of each document.
    signed: BTreeMap<DocumentName, (u64, String)>,
    /// The newest schedule that is signed as it should be.
    pub(crate) pushed: Option<Bundle>,
}

impl Office {
    pub(crate) fn new() -> Self {
        Self {
            incarnation: Incarnation(Uuid::from_u128(1)),
            epochs: BTreeMap::new(),
            hole_ends: BTreeMap::new(),
            facts: BTreeMap::new(),
            said: Vec::new(),
            opened: Vec::new(),
            lists: BTreeMap::new(),
            signed: BTreeMap::from([(DocumentName::Keys, (1, chain(&[first_set()])))]),
            pushed: None,
        }
    }

    pub(crate) fn new_incarnation(&mut self, world: &mut World) {
        self.incarnation = Incarnation(uuid::Builder::from_slice(&world.draw()[..16]).unwrap().into_uuid());
    }

    /// Pushes a schedule of this kind. One that lacks a signature is no newest one; the next is pushed all the same.
    pub(crate) fn push(&mut self, world: &mut World, what: u8) {
        // The city counts its releases, whatever becomes of an office.
        world.releases += 1;
        let bundle = config::schedule(world.releases, what);
        let body = config::signed(&bundle, what);
        if what % 7 != 6 {
            self.pushed = Some(bundle);
        }
        let document = self.signed.get(&DocumentName::Config).map_or(0, |(version, _)| *version);
        // A bad one is put in place of nothing: the terminal would hold the one before, as it must.
        if what % 7 != 6 || self.pushed.is_none() {
            self.signed.insert(DocumentName::Config, (document + 1, body));
        }
    }

    /// Keys and schedule, where the terminal holds others.
    fn signed(&mut self, world: &mut World, hello: &Hello) {
        let mut documents = Vec::new();
        for (name, (version, body)) in &mut self.signed {
            let digest = Digest::of(body.as_bytes());
            let theirs = hello.documents.iter().find(|held| held.name == *name);
            if theirs.is_some_and(|theirs| (theirs.version, theirs.digest) == (*version, digest)) {
                continue;
            }
            *version = theirs.map_or(*version, |theirs| theirs.version.max(*version) + 1);
            let body = RawValue::from_string(body.clone()).unwrap();
            documents.push((name.clone(), Document { v: 1, version: *version, digest, body }));
        }
        for (name, document) in documents {
            self.send(world, DownTopic::Document(name), document.encode().unwrap());
        }
    }

    pub(crate) fn held(&self, log: LogKind, epoch: Epoch) -> Option<(u64, Digest)> {
        self.epochs.get(&(log, epoch)).copied()
    }

    pub(crate) fn receive(&mut self, world: &mut World, topic: &str, payload: &[u8]) {
        match topic.parse::<Topic>().unwrap().way {
            Way::Up(UpTopic::Hello) => self.hello(world, &Hello::decode(payload).unwrap()),
            Way::Up(UpTopic::Fact) => {
                self.publish(world, LogKind::Fact, &LogPublish::decode(payload).unwrap())
            }
            Way::Up(UpTopic::Track) => {
                self.publish(world, LogKind::Track, &LogPublish::decode(payload).unwrap())
            }
            _ => {}
        }
    }

    fn publish(&mut self, world: &mut World, log: LogKind, publish: &LogPublish) {
        let (held, digest) = self.epochs.entry((log, publish.epoch)).or_insert((0, Digest::ZERO));
        let mut say_hello = false;
        for entry in &publish.entries {
            if entry.seq <= *held {
                // What an older entry's digest was, this office does not remember.
                say_hello |= entry.seq == *held && entry.digest != *digest;
            } else if entry.seq == *held + 1 && digest.then(entry.body_bytes()) == entry.digest {
                (*held, *digest) = (entry.seq, entry.digest);
                if log == LogKind::Fact && !self.facts.contains_key(&entry.id) {
                    self.facts.insert(entry.id, entry.body.get().to_owned());
                    let body = FactBody::decode(entry.body_bytes()).unwrap();
                    self.said.push(Said {
                        id: entry.id,
                        terminal: settings().terminal,
                        epoch: publish.epoch,
                        seq: entry.seq,
                        at: body.at.trusted.unwrap_or(body.at.terminal),
                        fact: body.fact,
                    });
                }
            } else {
                say_hello = true;
                break;
            }
        }
        let held = SeqHeld { log, epoch: publish.epoch, seq: *held, digest: *digest };
        self.ack(world, None, say_hello, vec![held]);
    }

    fn hello(&mut self, world: &mut World, hello: &Hello) {
        let mut answer = Vec::new();
        let mut lost = false;
        for log in LogKind::ALL {
            for kept in hello.logs.of(log) {
                let held = self.epochs.entry((log, kept.epoch)).or_insert((0, Digest::ZERO));
                lost |= hello.incarnation == Some(self.incarnation) && held.0 < kept.acked;
                if kept.first > held.0 + 1 {
                    world.hole(kept.epoch, held.0 + 1, kept.first - 1);
                    *held = (kept.first - 1, kept.before);
                    self.hole_ends.insert((log, kept.epoch), kept.first - 1);
                }
                let hole_end = self.hole_ends.get(&(log, kept.epoch)).copied().unwrap_or(0);
                // No entry has this digest: whoever keeps what a hole lacks brings it in a new epoch.
                let digest = if kept.first <= hole_end { Digest::ZERO } else { held.1 };
                answer.push(SeqHeld { log, epoch: kept.epoch, seq: held.0, digest });
            }
        }
        if lost {
            self.new_incarnation(world);
        }
        self.ack(world, Some(hello), false, answer);
        self.signed(world, hello);
        self.list(world, hello);
    }

    fn ack(&self, world: &mut World, to: Option<&Hello>, say_hello: bool, held: Vec<SeqHeld>) {
        let (incarnation, time, nonce) = (self.incarnation, world.time(), to.map(|hello| hello.nonce));
        let ack = Ack { v: 1, incarnation, time: Some(time), nonce, say_hello, held };
        self.send(world, DownTopic::Ack, ack.encode().unwrap());
    }

    fn send(&self, world: &mut World, topic: DownTopic, payload: Vec<u8>) {
        if world.line {
            let settings = settings();
            world.down.push((Topic::down(settings.city, settings.terminal, topic).to_string(), payload));
        }
    }

    fn statements(&self, pickup: PickupId) -> Vec<meguri_proto::pickup::Statement> {
        let said: Vec<Said> =
            self.said.iter().filter(|said| said.fact.pickup() == Some(pickup)).cloned().collect();
        standing(&said)
    }

    /// The contract that the terminal works under now, as far as this office knows.
    pub(crate) fn contract(&self, world: &World) -> ContractId {
        let scheduled = self.pushed.as_ref().map(|pushed| &pushed.schedule[pushed.at(world.time())]);
        scheduled.map_or_else(|| settings().contract, |now| now.contract.clone())
    }

    /// What the city's page shows.
    pub(crate) fn states(&self) -> BTreeMap<PickupId, State> {
        let pickups = (1..=PICKUPS).map(|n| PickupId(Uuid::from_u128(n)));
        pickups.map(|id| (id, decide(OfficeWord::Planned, &self.statements(id)).state)).collect()
    }

    /// Today's list, where the terminal holds another, or where the one it holds and its log together
    /// don't tell all that it once said.
    fn list(&mut self, world: &mut World, hello: &Hello) {
        let date = world.time().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).date();
        let contract = self.contract(world);
        let name = DocumentName::List { contract: contract.clone(), date };
        for kept in &hello.logs.fact {
            if !self.opened.contains(&kept.epoch) {
                self.opened.push(kept.epoch);
            }
        }
        let newest = self.opened.iter().rev().take(meguri_proto::limits::HELLO_EPOCHS);
        let seen =
            newest.map(|epoch| OwnSeen { epoch: *epoch, seq: self.epochs[&(LogKind::Fact, *epoch)].0 });
        let seen: Vec<OwnSeen> = seen.collect();
        let theirs = hello.documents.iter().find(|held| held.name == name);
        let pickups = (1..=PICKUPS).map(|n| {
            let id = PickupId(Uuid::from_u128(n));
            let mut others = self.statements(id);
            let own = others.pop();
            Listed {
                id,
                order: u32::try_from(n).unwrap(),
                reception: format!("{n:04}"),
                place: Place {
                    ward: "中区".into(),
                    town: "江波東一丁目".into(),
                    lot: String::new(),
                    building: String::new(),
                    spot: String::new(),
                    notice: String::new(),
                    position: None,
                },
                items: vec![Item { name: "机".into(), count: 1, tickets: vec![], recycling: false }],
                payment: Payment::Tickets,
                changed: false,
                office: OfficeWord::Planned,
                others: telling(&others),
                own,
            }
        });
        let list = DayList {
            v: 1,
            contract,
            date,
            contractor: "第一収集".into(),
            vehicle: "1号車".into(),
            round: "中区A".into(),
            seen,
            pickups: pickups.collect(),
        };
        let mut bare = list.clone();
        bare.seen.clear();
        bare.pickups.iter_mut().for_each(|listed| listed.own = None);
        let basis = Digest::of(&bare.encode().unwrap());
        let issued = self.lists.get(&name);
        if let (Some(issued), Some(theirs)) = (issued, theirs)
            && issued.basis == basis
            && (issued.version, issued.digest) == (theirs.version, theirs.digest)
            && list.seen.iter().all(|office| {
                let told = issued.seen.iter().find(|told| told.epoch == office.epoch);
                let told = told.map_or(0, |told| told.seq);
                let kept = hello.logs.fact.iter().find(|kept| kept.epoch == office.epoch);
                told >= office.seq
                    || kept.is_some_and(|kept| kept.first <= told + 1 && kept.head >= office.seq)
            })
        {
            return;
        }
        let theirs = theirs.map_or(0, |theirs| theirs.version);
        let version = issued.map_or(0, |issued| issued.version).max(theirs) + 1;
        let body = String::from_utf8(list.encode().unwrap()).unwrap();
        let digest = Digest::of(body.as_bytes());
        self.lists.insert(name.clone(), Issued { version, digest, basis, seen: list.seen });
        let document = Document { v: 1, version, digest, body: RawValue::from_string(body).unwrap() };
        self.send(world, DownTopic::Document(name), document.encode().unwrap());
    }
}
