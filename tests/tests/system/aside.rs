//! What the office can't take is set aside and shown; everything else goes on.

use meguri_config::Terminal;
use meguri_proto::{
    ContractId, Digest, Entry, Epoch, EpochHeld, Fact, FactBody, FactId, ListRef, LogPublish, LogsHeld,
    Message, Outcome, PickupId, Stamps, limits, pickup,
};
use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::plain::Plain;
use meguri_tests::harness::scene::{Broker, DAY, STRANGER, Scene, await_list};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{await_sent, collect};

fn body(pickup: PickupId, contract: &str) -> String {
    let fact = Fact::Outcome(Outcome {
        pickup,
        list: ListRef { date: DAY, version: 1 },
        replaces: None,
        result: pickup::Result::Collected,
    });
    let at = Stamps { terminal: "2026-04-01T00:10:00Z".parse().unwrap(), gnss: None, trusted: None };
    let contract: ContractId = contract.parse().unwrap();
    serde_json::to_string(&FactBody { v: 1, contract, config: 1, crew: None, at, fact }).unwrap()
}

fn publish(epoch: Epoch, bodies: &[String]) -> LogPublish {
    let mut before = Digest::ZERO;
    let entries = bodies.iter().enumerate().map(|(index, body)| {
        before = before.then(body.as_bytes());
        Entry {
            seq: index as u64 + 1,
            id: FactId(Uuid::now_v7()),
            digest: before,
            body: RawValue::from_string(body.clone()).unwrap(),
        }
    });
    LogPublish { v: 1, epoch, entries: entries.collect(), notes: Default::default() }
}

#[test]
fn on_the_embedded_broker() {
    set_aside(Broker::Embedded);
}

#[test]
fn on_mosquitto() {
    set_aside(Broker::Mosquitto);
}

fn set_aside(broker: Broker) {
    let mut scene = Scene::set_plain(broker, &["v01", "v02"], 10).unwrap();
    // The first terminal is a plain client here; the second one works beside it. Once that one has its list the office
    // listens: what a broker is told before is lost, and only terminals say it again.
    scene.terminals[1].start().unwrap();
    await_list(&mut scene.terminals[1]).unwrap();
    let settings = Terminal::read(&scene.dir().join("t-1/terminal.toml")).unwrap();
    let mut plain = Plain::connect(scene.broker(), "t-1", "t-1", &settings.secret().unwrap()).unwrap();
    assert!(plain.subscribe("meguri/1/hiroshima/t-1/down/#").unwrap());
    let up = |what: &str| format!("meguri/1/hiroshima/t-1/up/{what}");
    let big = format!("{{\"v\":1,\"x\":\"{}\"}}", "x".repeat(limits::MESSAGE_BYTES));
    let bad: [(&str, &[u8]); 9] = [
        ("fact", b"this is no JSON"),
        ("fact", b"{\"v\":99,\"of\":\"the future\"}"),
        ("fact", &[0xff, 0xfe, 0x00]),
        ("fact", big.as_bytes()),
        ("track", b"[]"),
        ("hello", b"{\"v\":1}"),
        ("presence", b"null"),
        ("photo", b"nobody expects this topic"),
        ("fact/more", b"nor this one"),
    ];
    for (what, payload) in bad {
        plain.publish(&up(what), payload, false).unwrap();
    }

    // One log in which only the first and the last entry can be taken.
    let store = scene.office.store().unwrap();
    let known = |stop: i64| -> PickupId {
        let query = "SELECT uid FROM pickup WHERE vehicle = 'v01' ORDER BY stop LIMIT 1 OFFSET ?1";
        PickupId(Uuid::from_bytes(store.query_row(query, [stop], |row| row.get(0)).unwrap()))
    };
    let unknown = PickupId(Uuid::new_v4());
    let bodies = [
        body(known(0), "itaku-1"),
        "{\"v\":2,\"of\":\"the future\"}".to_owned(),
        "{}".to_owned(),
        "17".to_owned(),
        format!("{{\"v\":1,\"x\":\"{}\"}}", "x".repeat(limits::BODY_BYTES)),
        body(unknown, "itaku-1"),
        body(known(1), "itaku-1"),
    ];
    let log = publish(Epoch(Uuid::new_v4()), &bodies);
    plain.publish(&up("fact"), &log.encode().unwrap(), false).unwrap();
    let last = log.entries.last().unwrap();
    let ack =
        plain.ack("t-1", |ack| ack.held.iter().any(|held| held.epoch == log.epoch && held.seq == 7)).unwrap();
    assert_eq!(ack.held[0].digest, last.digest, "one bad entry never blocks a terminal");
    // The same once more changes nothing.
    plain.publish(&up("fact"), &log.encode().unwrap(), false).unwrap();
    let held = EpochHeld {
        epoch: log.epoch,
        first: 1,
        before: Digest::ZERO,
        head: 7,
        digest: last.digest,
        acked: 0,
    };
    plain.hello("t-1", LogsHeld { fact: vec![held], track: Vec::new() }).unwrap();

    let count = |query: &str| scene.office.number(query).unwrap();
    assert_eq!(count("SELECT count(*) FROM fact WHERE terminal = 't-1'"), 2);
    assert_eq!(count("SELECT count(*) FROM pickup WHERE state = 'collected'"), 2);
    assert_eq!(count("SELECT count(*) FROM aside WHERE seq IS NOT NULL"), 5, "each bad entry once");
    for (what, payload) in bad {
        let query = format!(
            "SELECT count(*) FROM aside WHERE topic = '{}' AND bytes = {} AND seq IS NULL",
            up(what),
            payload.len()
        );
        assert_eq!(count(&query), 1, "{what}");
    }
    let page = scene.office.visitor().unwrap().get("/aside").unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("t-1"), "what was set aside is shown");
    assert!(!page.body.contains("<script>alert"), "raw content is no page");
    let listed = scene.office.must(&["aside", "list", "--json"]).unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(bad.len() + 5));

    // Everybody else works as before.
    let mut books = Books::default();
    let list = scene.receptions("v02");
    collect(&mut scene, 1, &list[..5], &mut books);
    await_sent(&mut scene, 1, &books);
}

/// What reaches the office from nobody it knows is set aside, too.
#[test]
fn from_somebody_unknown() {
    let mut scene = Scene::set_plain(Broker::Mosquitto, &["v01"], 1).unwrap();
    // What a broker is told before the office listens is lost, and only terminals say it again.
    scene.start_terminals().unwrap();
    // The broker knows it, the office does not.
    let mut stranger = Plain::connect(scene.broker(), STRANGER.0, STRANGER.0, STRANGER.1).unwrap();
    stranger.publish("meguri/1/hiroshima/stranger/up/fact", b"{}", false).unwrap();
    stranger.publish("meguri/1/hiroshima/stranger/up/hello", b"{}", false).unwrap();
    eventually("both are set aside", || {
        (scene.office.number("SELECT count(*) FROM aside").unwrap() == 2).then_some(())
    });
}
