//! A city's keys and the bundles that they sign, for tests.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test program uses its own part of it")]

use jiff::Timestamp;
use meguri_config::bundle::{BUNDLE_TYPE, Connection, Peripheral, PeripheralKind};
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PrivateKey;
use meguri_config::keys::{KEYS_TYPE, Key, KeySet, Role};
use meguri_config::stick::Stick;
use meguri_config::{Bundle, Configuration, Terminal};
use serde_json::value::RawValue;

/// A time as it is written.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Midnight of 1 April 2026 in Japan.
pub(crate) fn midnight() -> Timestamp {
    at("2026-03-31T15:00:00Z")
}

/// One of the city's keys.
pub(crate) fn key(number: u8) -> PrivateKey {
    PrivateKey::of_seed(&[number; 32])
}

/// A key set of these root and config keys, two signatures each.
pub(crate) fn set(version: u64, root: &[u8], config: &[u8]) -> KeySet {
    let mut all: Vec<u8> = [root, config].concat();
    all.sort_unstable();
    all.dedup();
    let role =
        |keys: &[u8]| Role { keys: keys.iter().map(|n| key(*n).public().id()).collect(), threshold: 2 };
    let named = |n: &u8| Key { public: key(*n).public(), name: format!("key {n}") };
    let (root, config) = (role(root), role(config));
    let keys = all.iter().map(named).collect();
    let expires = at("2030-01-01T00:00:00Z");
    KeySet { v: 1, city: "hiroshima".parse().unwrap(), version, expires, keys, root, config }
}

/// An envelope signed by these keys.
pub(crate) fn sign(payload_type: &str, payload: &[u8], by: &[u8]) -> String {
    let mut envelope = Envelope::new(payload_type, payload);
    for number in by {
        envelope.sign(payload_type, &key(*number)).unwrap();
    }
    envelope.to_json()
}

/// The city's first key set: root keys 1 and 2, config keys 3 and 4.
pub(crate) fn first_set() -> String {
    sign(KEYS_TYPE, &serde_json::to_vec(&set(1, &[1, 2], &[3, 4])).unwrap(), &[1, 2])
}

/// The second one: config keys 5 and 6.
pub(crate) fn second_set() -> String {
    sign(KEYS_TYPE, &serde_json::to_vec(&set(2, &[1, 2], &[5, 6])).unwrap(), &[1, 2])
}

/// The document `keys` of these sets.
pub(crate) fn chain(sets: &[String]) -> String {
    format!("{{\"v\":1,\"sets\":[{}]}}", sets.join(","))
}

/// A configuration of the terminal's own settings, from an instant on, under a contract.
pub(crate) fn configuration(own: &Terminal, from: Option<Timestamp>, contract: &str) -> Configuration {
    Configuration {
        from,
        contract: contract.parse().unwrap(),
        contractor: "second".parse().unwrap(),
        contractor_name: format!("{contract}の業者"),
        vehicle: own.vehicle.clone(),
        vehicle_name: "12号車".to_owned(),
        round: "中区1コース".to_owned(),
        broker: Connection {
            host: own.broker.host.clone(),
            port: own.broker.port,
            office: own.broker.office.clone(),
            authority: None,
        },
        peripheral: Vec::new(),
        screen: own.screen.clone(),
        reason: own.reason.clone(),
        retention: own.retention.clone(),
        timers: own.timers.clone(),
    }
}

/// A scale that is to be plugged in.
pub(crate) fn scale(port: &str) -> Peripheral {
    Peripheral { kind: PeripheralKind::Scale, port: port.to_owned(), baud: 9_600 }
}

/// A bundle of a schedule.
pub(crate) fn bundle(own: &Terminal, version: u64, schedule: Vec<Configuration>) -> Bundle {
    Bundle {
        v: 1,
        city: own.city.clone(),
        terminal: own.terminal.clone(),
        version,
        made_at: at("2026-02-01T00:00:00Z"),
        expires: at("2026-06-01T00:00:00Z"),
        schedule,
    }
}

/// A bundle as it travels, signed by these keys.
pub(crate) fn envelope(bundle: &Bundle, by: &[u8]) -> String {
    sign(BUNDLE_TYPE, &serde_json::to_vec(bundle).unwrap(), by)
}

/// The file of a USB stick.
pub(crate) fn stick(sets: &[String], bundle: &str) -> Stick {
    let raw = |text: &String| RawValue::from_string(text.clone()).unwrap();
    Stick { v: 1, keys: sets.iter().map(raw).collect(), bundle: raw(&bundle.to_owned()) }
}
