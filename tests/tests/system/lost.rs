//! One message lost in every place one can be lost: the next hello repairs it. On plain lines, whose packets can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use meguri_tests::day;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::mqtt::{Packet, kind};
use meguri_tests::harness::proxy::{Proxy, Verdict, Way};
use meguri_tests::harness::scene::{Broker, CHANGES_PROFILE, Scene, await_list};

use super::{await_sent, collect};

/// What makes the message be sent.
#[derive(Debug, Clone, Copy)]
enum Cause {
    Start,
    Collect,
    Change,
}

type Looks = fn(&Packet) -> bool;

/// The wire's messages, which way they go on the terminal's line, and what sends them.
const MESSAGES: [(&str, Way, Looks, Cause); 9] = [
    ("hello", Way::Up, |p| p.topic().ends_with("/up/hello"), Cause::Start),
    ("answer", Way::Down, |p| is_ack(p, true), Cause::Start),
    ("presence", Way::Up, |p| p.topic().ends_with("/up/presence"), Cause::Start),
    ("fact", Way::Up, |p| p.topic().ends_with("/up/fact"), Cause::Collect),
    ("ack", Way::Down, |p| is_ack(p, false), Cause::Collect),
    ("track", Way::Up, |p| p.topic().ends_with("/up/track"), Cause::Collect),
    ("receipt of the broker", Way::Down, |p| p.kind() == kind::PUBACK, Cause::Collect),
    ("receipt of the client", Way::Up, |p| p.kind() == kind::PUBACK, Cause::Collect),
    ("list", Way::Down, |p| p.topic().contains("/down/list/"), Cause::Change),
];

/// What only ever gets lost together with its connection, as there is nothing yet that could notice.
const HANDSHAKE: [(&str, Way, u8); 4] = [
    ("connect", Way::Up, kind::CONNECT),
    ("its answer", Way::Down, kind::CONNACK),
    ("subscribe", Way::Up, kind::SUBSCRIBE),
    ("its answer", Way::Down, kind::SUBACK),
];

fn is_ack(packet: &Packet, answers: bool) -> bool {
    let text = String::from_utf8_lossy(packet.payload());
    packet.topic().ends_with("/down/ack")
        && text.contains("\"nonce\"") == answers
        && text.contains("\"epoch\"")
}

#[test]
fn on_the_embedded_broker() {
    let mut play = Play::set(Broker::Embedded);
    play.every_message(false);
    play.handshake();
}

#[test]
fn on_mosquitto() {
    let mut play = Play::set(Broker::Mosquitto);
    play.every_message(false);
    play.handshake();
}

#[test]
fn between_mosquitto_and_the_office() {
    Play::set(Broker::Mosquitto).every_message(true);
}

struct Play {
    scene: Scene,
    books: Books,
    left: Vec<String>,
    changes: usize,
}

impl Play {
    fn set(broker: Broker) -> Self {
        let mut scene = Scene::set_plain(broker, &["v01"], 60).unwrap();
        scene.start_terminals().unwrap();
        let left = scene.receptions("v01");
        Self { scene, books: Books::default(), left, changes: 0 }
    }

    fn every_message(&mut self, office: bool) {
        for (name, way, looks, cause) in MESSAGES {
            // Seen from the office's line, ups come down.
            let receipt = name.starts_with("receipt");
            let way = match way {
                Way::Up if office && !receipt => Way::Down,
                Way::Down if office && !receipt => Way::Up,
                way => way,
            };
            for verdict in [Verdict::Lose, Verdict::LoseAndCut] {
                self.lose(&format!("{name}, {verdict:?}"), office, way, looks, verdict, cause);
            }
        }
        self.balance();
    }

    fn handshake(&mut self) {
        for (name, way, of_kind) in HANDSHAKE {
            let looks = move |packet: &Packet| packet.kind() == of_kind;
            self.lose(name, false, way, looks, Verdict::LoseAndCut, Cause::Start);
        }
        self.balance();
    }

    /// Loses the next message that looks so, and waits until all is as if it had not been.
    fn lose(
        &mut self,
        name: &str,
        office: bool,
        way: Way,
        looks: impl Fn(&Packet) -> bool + Send + 'static,
        verdict: Verdict,
        cause: Cause,
    ) {
        // A message of before must not be taken for the one that is meant.
        await_sent(&mut self.scene, 0, &self.books);
        let lost = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&lost);
        self.line(office).rule(move |at, packet| {
            if at == way && looks(packet) && !seen.swap(true, Ordering::SeqCst) {
                verdict
            } else {
                Verdict::Pass
            }
        });
        match cause {
            Cause::Start => {
                self.scene.terminals[0].kill();
                self.scene.terminals[0].start().unwrap();
                await_list(&mut self.scene.terminals[0]).unwrap();
                self.collect();
            }
            Cause::Collect => self.collect(),
            Cause::Change => self.change(),
        }
        eventually(&format!("{name} is sent, to be lost"), || lost.load(Ordering::SeqCst).then_some(()));
        await_sent(&mut self.scene, 0, &self.books);
        let query = "SELECT version FROM document WHERE terminal = 't-1' AND name LIKE 'list/%/2026-04-01'";
        eventually(&format!("the newest list is there after the loss of {name}"), || {
            let newest = self.scene.office.number(query).unwrap();
            (self.scene.terminals[0].ask("list").unwrap()["list"]["version"] == newest).then_some(())
        });
        self.line(office).heal();
    }

    fn line(&self, office: bool) -> &Proxy {
        if office { self.scene.office_line.as_ref().unwrap() } else { self.scene.terminals[0].line() }
    }

    fn collect(&mut self) {
        let next = self.left.pop().unwrap();
        collect(&mut self.scene, 0, &[next], &mut self.books);
    }

    /// The office changes one request, so that a new list goes out.
    fn change(&mut self) {
        self.changes += 1;
        let mut request = self.scene.requests[0].clone();
        request.spot = format!("裏口 {}", self.changes);
        let output = self.scene.office.import(CHANGES_PROFILE, &day::csv(&[request])).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn balance(&self) {
        let sum = self.books.check(&self.scene.office.store().unwrap()).unwrap();
        assert_eq!(sum.epochs, 1, "losing messages makes no fork");
        assert_eq!(self.scene.office.number("SELECT count(*) FROM aside").unwrap(), 0);
    }
}
