//! Packets and payloads that nobody should send, against the running gateway for a while: it does not panic, does not
//! grow, lets no word of theirs in, and serves a terminal that behaves all the time.
//!
//! `MEGURI_FUZZ` sets the seconds (10 where it is not set), `MEGURI_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use meguri_config::Terminal;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::scene::{Broker, Scene};
use meguri_tests::harness::worker::Worker;
use meguri_tests::harness::{eventually, seed};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Attackers at a time.
const ATTACKERS: u64 = 4;
/// What the process may grow by between the end of warming up and the end, in KiB: allocators and caches breathe.
const BREATH_KIB: u64 = 48 * 1024;
/// The wire's own messages, as seeds for mutations.
const PAYLOADS: [&str; 6] = [
    include_str!("../../proto/tests/golden/up-fact.json"),
    include_str!("../../proto/tests/golden/up-hello.json"),
    include_str!("../../proto/tests/golden/up-presence.json"),
    include_str!("../../proto/tests/golden/up-position.json"),
    include_str!("../../proto/tests/golden/track-health.json"),
    include_str!("../../proto/tests/golden/down-ack.json"),
];
const WORDS: [&str; 7] = ["fact", "hello", "track", "presence", "position", "photo", "fact/deeper"];

#[test]
fn on_the_embedded_broker() {
    attacked(Broker::Embedded);
}

/// What reaches the office past somebody else's broker.
#[test]
fn behind_mosquitto() {
    attacked(Broker::Mosquitto);
}

fn attacked(broker: Broker) {
    let seed = seed();
    let seconds: u64 = std::env::var("MEGURI_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let mut scene = Scene::set_plain(broker, &["v01", "v02"], 20).unwrap();
    let secret = Terminal::read(&scene.dir().join("t-2/terminal.toml")).unwrap().secret().unwrap();
    let mut good = scene.terminals.remove(0);
    good.start().unwrap();
    meguri_tests::harness::scene::await_list(&mut good).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let attackers: Vec<_> = (0..ATTACKERS)
        .map(|n| {
            let mut attacker = Attacker {
                broker: scene.broker(),
                secret: secret.clone(),
                random: StdRng::seed_from_u64(seed ^ n),
            };
            let (over, sent) = (over.clone(), sent.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    sent.fetch_add(attacker.attack(), Ordering::Relaxed);
                }
            })
        })
        .collect();

    let mut worker = Worker::new(scene.receptions("v01"), seed);
    let mut books = Books::default();
    let gateway = scene.office.process_id().unwrap();
    let (begun, mut warm) = (Instant::now(), None);
    while begun.elapsed() < Duration::from_secs(seconds) {
        worker.turn(&mut good, &mut books).unwrap();
        if warm.is_none() && begun.elapsed() >= Duration::from_secs(seconds) / 2 {
            warm = Some(memory_kib(gateway));
        }
    }
    over.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.join().unwrap();
    }
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 100 * seconds, "{sent} hostile packets are no attack");

    // Whoever behaved is served, and nothing of the attackers' stands as true.
    eventually("all that was confirmed is in the office", || {
        (books.missing(&scene.office.store().unwrap()).unwrap() == 0).then_some(())
    });
    books.check(&scene.office.store().unwrap()).unwrap();
    let number = |query: &str| scene.office.number(query).unwrap();
    assert_eq!(number("SELECT count(*) FROM fact WHERE terminal <> 't-1'"), 0);
    assert!(number("SELECT count(*) FROM aside") > 0, "no hostile payload reached the office");
    // A thousand are kept for a person to see, and that there were more.
    assert!(number("SELECT count(*) FROM aside WHERE same IS NOT NULL AND settled_at IS NULL") <= 1_001);

    // The gateway is the process it was, as large as it was, and lets connections go.
    assert_eq!(scene.office.process_id().unwrap(), gateway);
    let (before, after) = (warm.unwrap_or(0), memory_kib(gateway));
    assert!(after <= before + BREATH_KIB, "the gateway grew from {before} to {after} KiB ({sent} packets)");
    eventually("the attackers' connections are gone", || (descriptors(gateway) < 100).then_some(()));
    let log = fs::read_to_string(scene.dir().join("gateway.log")).unwrap();
    assert!(!log.contains("panicked"), "{}", log.lines().find(|line| line.contains("panicked")).unwrap());
    scene.office.stop().unwrap();
}

fn memory_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// Somebody with one terminal's secret and no manners.
struct Attacker {
    broker: SocketAddr,
    secret: String,
    random: StdRng,
}

impl Attacker {
    /// One connection's worth; the number of packets sent.
    fn attack(&mut self) -> u64 {
        let Ok(mut line) = TcpStream::connect(self.broker) else { return 0 };
        line.set_nodelay(true).unwrap();
        line.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        line.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let connect = connect("t-2", &self.secret);
        let mut sent = 1;
        match self.random.random_range(0..10) {
            // Not even a handshake.
            0 => drop(line.write_all(&self.noise())),
            // A broken one.
            1 | 2 => drop(line.write_all(&self.mutated(&connect))),
            _ => {
                if line.write_all(&connect).is_err() {
                    return sent;
                }
                // The answer, whatever it is.
                let _ = line.read(&mut [0; 256]);
                for _ in 0..self.random.random_range(1..20) {
                    let packet = self.packet();
                    // The broker may have hung up.
                    if line.write_all(&packet).is_err() {
                        break;
                    }
                    sent += 1;
                }
            }
        }
        // Some wait for what the broker says, some go at once and leave a packet half sent.
        if self.random.random() {
            let _ = line.read(&mut [0; 4096]);
        }
        sent
    }

    fn packet(&mut self) -> Vec<u8> {
        let topic = if self.random.random_ratio(1, 10) {
            ["", "#", "meguri/1/hiroshima/t-1/up/fact", "$SYS/x", "meguri/1/hiroshima/t-2/up/\0"]
                .choose(&mut self.random)
                .map(ToString::to_string)
        } else {
            WORDS.choose(&mut self.random).map(|word| format!("meguri/1/hiroshima/t-2/up/{word}"))
        };
        let topic = topic.unwrap_or_default();
        let payload = self.payload();
        let whole = match self.random.random_range(0..12) {
            0 => subscribe("meguri/1/hiroshima/t-2/down/#"),
            1 => subscribe("meguri/1/+/+/down/#"),
            // PUBACK and PUBREC of nothing, PINGREQ, AUTH, DISCONNECT, UNSUBSCRIBE.
            2 => vec![0x40, 2, 0x7f, 0x7f],
            3 => vec![0x50, 2, 0, 1],
            4 => vec![0xc0, 0],
            5 => vec![0xf0, 2, 0x18, 0],
            6 => packet(0xa2, &[&[0, 1, 0][..], &text("x")].concat()),
            _ => publish(&topic, &payload),
        };
        match self.random.random_range(0..4) {
            0 => self.mutated(&whole),
            _ => whole,
        }
    }

    fn payload(&mut self) -> Vec<u8> {
        let whole = PAYLOADS.choose(&mut self.random).unwrap().as_bytes();
        match self.random.random_range(0..8) {
            0 => vec![b'['; self.random.random_range(1..200_000)],
            1 => b"{\"v\":1,\"entries\":[".repeat(self.random.random_range(1..5_000)),
            2 => vec![0; self.random.random_range(0..10_000)],
            3 => self.noise(),
            4 => String::from_utf8_lossy(whole)
                .replace(
                    ':',
                    [":-", ":1e999,\"x\":", ":null,\"x\":", ":\"\u{202e}\",\"y\":"]
                        .choose(&mut self.random)
                        .unwrap(),
                )
                .into_bytes(),
            _ => self.mutated(whole),
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        (0..self.random.random_range(0..300)).map(|_| self.random.random()).collect()
    }

    /// Flipped, cut, doubled or lengthened in some places.
    fn mutated(&mut self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        for _ in 0..self.random.random_range(1..6) {
            let at = self.random.random_range(0..bytes.len().max(1));
            match self.random.random_range(0..5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.random.random_range(0..8),
                1 if at < bytes.len() => bytes[at] = self.random.random(),
                2 => bytes.truncate(at),
                3 => bytes.extend_from_within(at.min(bytes.len())..),
                _ => bytes.insert(at.min(bytes.len()), self.random.random()),
            }
        }
        bytes
    }
}

/// A packet with its length (OASIS MQTT 5.0, section 2.1.4).
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![first];
    let mut left = body.len();
    loop {
        let digit = u8::try_from(left % 128).unwrap();
        left /= 128;
        whole.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    whole.extend(body);
    whole
}

fn text(text: &str) -> Vec<u8> {
    let mut whole = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    whole.extend(text.as_bytes());
    whole
}

fn connect(user: &str, password: &str) -> Vec<u8> {
    // Version 5, user name and password, clean start, keep alive of 30 s, no properties.
    let head = [&text("MQTT")[..], &[5, 0xc2, 0, 30, 0]].concat();
    packet(0x10, &[head, text(user), text(user), text(password)].concat())
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&text(topic)[..], &[0, 7, 0], payload].concat())
}

fn subscribe(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 9, 0][..], &text(filter), &[1]].concat())
}
