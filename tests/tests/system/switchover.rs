//! A real terminal, a real broker and an office made by hand take a switchover: at midnight by a rehearsal's clock, back from a
//! broker that does not do, and from a USB stick.

#[path = "../../../app/core/tests/signed/mod.rs"]
mod signed;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use meguri_config::{Bundle, Clock, Terminal};
use meguri_proto::{
    Ack, ConfigChange, ConfigState, Digest, Document, DocumentName, DownTopic, Epoch, Fact, FactBody, Hello,
    Incarnation, LogKind, LogPublish, Message, SeqHeld, Topic, UpTopic, Way, limits,
};
use meguri_tests::harness::broker::{Mosquitto, OFFICE};
use meguri_tests::harness::console::Console;
use meguri_tests::harness::eventually;
use meguri_tests::harness::port::Port;
use meguri_tests::harness::scene::write_clock;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Event, MqttOptions};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use signed::{bundle, chain, configuration, envelope, first_set, midnight, stick};

const NAME: &str = "t-0001";
const OLD: &str = "naka-2026";
const NEW: &str = "naka-2027";
const PASSWORD: &str = "of the office";
const SECRET: &str = "of the terminal";

/// What an office holds, and sends.
#[derive(Default)]
struct Held {
    documents: BTreeMap<DocumentName, (u64, String)>,
    logs: BTreeMap<(LogKind, Epoch), (u64, Digest)>,
    facts: Vec<FactBody>,
}

impl Held {
    fn take(&mut self, log: LogKind, publish: &LogPublish) -> SeqHeld {
        let (held, digest) = self.logs.entry((log, publish.epoch)).or_insert((0, Digest::ZERO));
        for entry in &publish.entries {
            if entry.seq == *held + 1 && digest.then(entry.body_bytes()) == entry.digest {
                (*held, *digest) = (entry.seq, entry.digest);
                if log == LogKind::Fact {
                    self.facts.push(FactBody::decode(entry.body_bytes()).unwrap());
                }
            }
        }
        SeqHeld { log, epoch: publish.epoch, seq: *held, digest: *digest }
    }

    /// What answers a message: an ack, and after a hello the documents that the terminal does not hold.
    fn answer(&mut self, topic: UpTopic, payload: &[u8], clock: &Clock) -> Vec<(DownTopic, Vec<u8>)> {
        let mut documents = Vec::new();
        let (nonce, held) = match topic {
            UpTopic::Hello => {
                let hello = Hello::decode(payload).unwrap();
                let mut held = Vec::new();
                for log in LogKind::ALL {
                    for kept in hello.logs.of(log) {
                        let (seq, digest) = *self.logs.entry((log, kept.epoch)).or_insert((0, Digest::ZERO));
                        held.push(SeqHeld { log, epoch: kept.epoch, seq, digest });
                    }
                }
                for (name, (version, body)) in &mut self.documents {
                    let digest = Digest::of(body.as_bytes());
                    let theirs = hello.documents.iter().find(|held| held.name == *name);
                    if theirs.is_some_and(|theirs| theirs.digest == digest) {
                        continue;
                    }
                    *version = theirs.map_or(*version, |theirs| theirs.version.max(*version) + 1);
                    let body = RawValue::from_string(body.clone()).unwrap();
                    let document = Document { v: 1, version: *version, digest, body };
                    documents.push((DownTopic::Document(name.clone()), document.encode().unwrap()));
                }
                (Some(hello.nonce), held)
            }
            UpTopic::Fact => (None, vec![self.take(LogKind::Fact, &LogPublish::decode(payload).unwrap())]),
            UpTopic::Track => (None, vec![self.take(LogKind::Track, &LogPublish::decode(payload).unwrap())]),
            UpTopic::Position | UpTopic::Presence => return Vec::new(),
        };
        let (incarnation, time) = (Incarnation(Uuid::from_u128(1)), Some(clock.now()));
        let ack = Ack { v: 1, incarnation, time, nonce, say_hello: false, held };
        documents.insert(0, (DownTopic::Ack, ack.encode().unwrap()));
        documents
    }
}

/// An office at a broker: answers whatever comes, until it is dropped.
struct Office {
    held: Arc<Mutex<Held>>,
    client: Client,
}

impl Office {
    fn open(broker: SocketAddr, clock: &Path) -> Self {
        let clock = Clock::rehearsal(clock).unwrap();
        let mut options = MqttOptions::new(OFFICE, broker.ip().to_string(), broker.port());
        options.set_credentials(OFFICE, PASSWORD);
        options.set_max_packet_size(u32::try_from(limits::PACKET_BYTES).ok());
        let (client, mut connection) = Client::new(options, 64);
        let held: Arc<Mutex<Held>> = Arc::default();
        let (answering, shared) = (client.clone(), Arc::clone(&held));
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let filter = Topic::office_filter(&own().city);
                        answering.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic: Topic = std::str::from_utf8(&publish.topic).unwrap().parse().unwrap();
                        let Way::Up(up) = topic.way else { continue };
                        for (down, payload) in shared.lock().unwrap().answer(up, &publish.payload, &clock) {
                            let topic = Topic::down(topic.city.clone(), topic.terminal.clone(), down);
                            answering
                                .try_publish(topic.to_string(), QoS::AtLeastOnce, false, payload)
                                .unwrap();
                        }
                    }
                    Ok(_) => {}
                    // The broker is gone, or the test is.
                    Err(_) => return,
                }
            }
        });
        Self { held, client }
    }

    fn offer(&self, name: DocumentName, body: String) {
        let mut held = self.held.lock().unwrap();
        let version = held.documents.get(&name).map_or(1, |(version, _)| version + 1);
        held.documents.insert(name, (version, body));
    }

    fn changes(&self) -> Vec<ConfigChange> {
        let held = self.held.lock().unwrap();
        let changes = held.facts.iter().filter_map(|body| match &body.fact {
            Fact::Config(change) => Some(change.clone()),
            _ => None,
        });
        changes.collect()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        // It may have ended with its broker.
        let _ended = self.client.try_disconnect();
    }
}

/// What is written as the terminal's own file.
fn own() -> Terminal {
    let text = format!(
        "version = 1\ncity = \"hiroshima\"\nterminal = \"{NAME}\"\ncontractor = \"first\"\ncontract = \"{OLD}\"\n\
         vehicle = \"v-1\"\n[broker]\nhost = \"127.0.0.1\"\nport = 1\nsecret_file = \"secret\"\n"
    );
    Terminal::parse("terminal.toml".as_ref(), &text).unwrap()
}

/// A terminal, its broker with the office, and the clock of both.
struct Stage {
    dir: TempDir,
    broker: Mosquitto,
    office: Office,
    terminal: Console,
}

impl Stage {
    /// An hour before midnight of 1 April.
    fn set() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = dir.path().join("clock.toml");
        write_clock(&clock, midnight() - SignedDuration::from_hours(1), 1.0).unwrap();
        let broker = broker(dir.path(), "broker", SECRET);
        let office = Office::open(broker.address(), &clock);
        let folder = dir.path().join(NAME);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("secret"), SECRET).unwrap();
        fs::write(folder.join("terminal.toml"), toml::to_string(&own()).unwrap()).unwrap();
        let terminal = Console::set_up(&folder, broker.address(), Some(&clock), |_| {}).unwrap();
        Self { dir, broker, office, terminal }
    }

    /// As the terminal's own file is by now.
    fn own(&self) -> Terminal {
        Terminal::read(&self.dir.path().join(NAME).join("terminal.toml")).unwrap()
    }

    /// The schedule of 1 April, with the new contract's broker somewhere.
    fn april(&self, version: u64, broker: Option<SocketAddr>) -> Bundle {
        let own = self.own();
        let now = configuration(&own, None, OLD);
        let mut next = configuration(&own, Some(midnight()), NEW);
        if let Some(broker) = broker {
            (next.broker.host, next.broker.port) = (broker.ip().to_string(), broker.port());
        }
        bundle(&own, version, vec![now, next])
    }

    fn offer(&self, bundle: &Bundle) {
        self.office.offer(DocumentName::Keys, chain(&[first_set()]));
        self.office.offer(DocumentName::Config, envelope(bundle, &[3, 4]));
    }

    fn config(&mut self) -> Value {
        self.terminal.ask("config").unwrap()["config"].take()
    }

    fn await_config(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || Some(self.config()).filter(&is))
    }

    /// Midnight comes at once.
    fn midnight(&self) {
        let clock = self.dir.path().join("clock.toml");
        write_clock(&clock, midnight() - SignedDuration::from_secs(1), 1.0).unwrap();
    }

    fn await_told(&self, state: ConfigState) -> ConfigChange {
        eventually(&format!("the office is told that it is {state:?}"), || {
            self.office.changes().into_iter().rev().find(|change| change.state == state)
        })
    }
}

fn broker(dir: &Path, name: &str, secret: &str) -> Mosquitto {
    let mut broker = Mosquitto::set_up(&dir.join(name), &[(OFFICE, PASSWORD), (NAME, secret)]).unwrap();
    broker.start().unwrap();
    broker
}

#[test]
fn a_terminal_becomes_another_contractors_at_midnight_without_a_line() {
    let mut stage = Stage::set();
    stage.offer(&stage.april(5, None));
    stage.terminal.start().unwrap();
    stage.await_config("it is staged", |config| config["state"] == "healthy" && config["held"] == 5);
    stage.await_told(ConfigState::Staged);
    assert_eq!(stage.config()["contract"], OLD);
    stage.broker.kill();
    stage.midnight();
    let config = stage.await_config("midnight", |config| config["contract"] == NEW);
    assert_eq!(
        (&config["version"], &config["state"], &config["coming"]),
        (&json!(5), &json!("activated"), &json!([]))
    );
    // Also when its power fails then.
    stage.terminal.kill();
    stage.terminal.start().unwrap();
    assert_eq!(stage.config()["contract"], NEW);
}

#[test]
fn a_broker_that_refuses_and_an_address_where_nobody_is_are_reverted_and_told() {
    let refusing = tempfile::tempdir().unwrap();
    let refusing = broker(refusing.path(), "other", "another secret");
    let nobody = Port::take().unwrap();
    for (address, why) in [(refusing.address(), "broker_refused"), (nobody.address(), "broker_unreachable")] {
        let mut stage = Stage::set();
        stage.offer(&stage.april(5, Some(address)));
        stage.terminal.start().unwrap();
        stage.await_config("it is staged", |config| config["state"] == "healthy");
        stage.midnight();
        let config = stage.await_config("it is reverted", |config| config["state"] == "reverted");
        assert_eq!((&config["why"], &config["contract"]), (&json!(why), &json!(NEW)));
        let told = stage.await_told(ConfigState::Reverted);
        assert_eq!(serde_json::to_value(told.why).unwrap(), why, "{}", told.detail);
        eventually("the line is up", || (stage.terminal.status().unwrap()["link"] == "up").then_some(()));
    }
}

#[test]
fn a_terminal_moves_to_another_broker_and_keeps_to_it() {
    let mut stage = Stage::set();
    let next = broker(stage.dir.path(), "next", SECRET);
    let office = Office::open(next.address(), &stage.dir.path().join("clock.toml"));
    stage.offer(&stage.april(5, Some(next.address())));
    stage.terminal.start().unwrap();
    stage.await_config("it is staged", |config| config["state"] == "healthy");
    stage.midnight();
    let config = stage
        .await_config("it has moved", |config| config["contract"] == NEW && config["state"] == "healthy");
    assert_eq!(config["broker"], next.address().to_string());
    eventually("the new office has all of it", || {
        office.changes().iter().any(|change| change.state == ConfigState::Healthy).then_some(())
    });
}

#[test]
fn a_stick_brings_a_schedule_where_there_is_no_line_at_all() {
    let mut stage = Stage::set();
    stage.office.offer(DocumentName::Keys, chain(&[first_set()]));
    stage.terminal.start().unwrap();
    stage.await_config("it has the keys", |config| config["keys"] == 1);
    stage.broker.kill();
    let plug = |stage: &Stage, name: &str, bundle: &str| -> PathBuf {
        let folder = stage.dir.path().join(NAME).join("sticks/usb").join(name);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{NAME}.json"));
        fs::write(&file, stick(&[first_set()], bundle).to_json()).unwrap();
        file
    };
    let said = |stage: &mut Stage, what: &str| {
        eventually(&format!("the stick is {what}"), || {
            (stage.terminal.ask("config").unwrap()["stick"] == what).then_some(())
        });
    };
    // One that a single person signed.
    plug(&stage, "meguri", &envelope(&stage.april(5, None), &[3]));
    said(&mut stage, "refused");
    assert_eq!(stage.config()["why"], "too_few_signatures");
    plug(&stage, "meguri", &envelope(&stage.april(5, None), &[3, 4]));
    said(&mut stage, "taken");
    assert_eq!(stage.config()["held"], 5);
    fs::remove_dir_all(stage.dir.path().join(NAME).join("sticks")).unwrap();
    eventually("the stick is gone", || {
        stage.terminal.ask("config").unwrap()["stick"].is_null().then_some(())
    });
    // By hand, as somebody who looks after terminals does it.
    let file = plug(&stage, "by-hand", &envelope(&stage.april(6, None), &[3, 4]));
    let import = format!("import {}", file.display());
    assert_eq!(stage.terminal.ask(&import).unwrap(), json!({ "ok": "taken" }));
    assert_eq!(stage.terminal.ask(&import).unwrap(), json!({ "ok": "held" }));
    let older = plug(&stage, "by-hand", &envelope(&stage.april(4, None), &[3, 4]));
    let refused = stage.terminal.ask(&format!("import {}", older.display())).unwrap();
    assert_eq!(refused, json!({ "error": "refused", "why": "old_version" }));
    // Its clock is no longer sure after a new start, and the crew says which day it is.
    stage.terminal.kill();
    stage.terminal.start().unwrap();
    assert_eq!(stage.config()["contract"], OLD);
    assert_eq!(stage.terminal.ask("set_date 2026-04-01").unwrap(), json!({ "ok": "set" }));
    stage.await_config("the crew has said it", |config| config["contract"] == NEW);
    let refused = stage.terminal.ask("set_date 2026-03-30").unwrap();
    assert_eq!(refused["error"], "refused");
}
