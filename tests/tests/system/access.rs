//! A plain MQTT client with one terminal's credentials can do what that terminal may, and nothing more.

use meguri_config::Terminal;
use meguri_proto::LogsHeld;
use meguri_tests::harness::eventually;
use meguri_tests::harness::plain::Plain;
use meguri_tests::harness::scene::{Broker, Scene};

#[test]
fn on_the_embedded_broker() {
    nothing_more(Broker::Embedded);
}

#[test]
fn on_mosquitto() {
    nothing_more(Broker::Mosquitto);
}

#[test]
fn on_a_cluster() {
    nothing_more(Broker::Cluster);
}

fn secret(scene: &Scene, name: &str) -> String {
    Terminal::read(&scene.dir().join(name).join("terminal.toml")).unwrap().secret().unwrap()
}

/// A client of that terminal, subscribed to what it may.
fn connect(scene: &Scene, name: &str) -> Plain {
    let secret = secret(scene, name);
    // While it ends the connection before, the broker may be unavailable to the same name for a moment.
    let mut plain =
        eventually("the terminal may come in", || Plain::connect(scene.broker(), name, name, &secret).ok());
    assert!(plain.subscribe(&format!("meguri/1/hiroshima/{name}/down/#")).unwrap());
    plain
}

fn nothing_more(broker: Broker) {
    let scene = Scene::set_plain(broker, &["v01", "v02"], 5).unwrap();
    let own = secret(&scene, "t-1");

    // Who may come in at all.
    let refused =
        |id: &str, user: &str, secret: &str| Plain::connect(scene.broker(), id, user, secret).is_err();
    assert!(refused("t-1", "t-1", "wrong"));
    assert!(refused("t-1", "t-1", ""));
    assert!(refused("t-1", "", ""));
    assert!(refused("t-2", "t-2", &own), "one terminal's secret opens no other");
    assert!(refused("t-9", "t-9", &own), "a terminal that does not exist");
    if broker != Broker::Mosquitto {
        assert!(refused("t-2", "t-1", &own), "a terminal's session is no other's to take over");
    }

    // What it may not hear: the broker refuses, or grants and never delivers. Either way nothing comes.
    let forbidden = [
        "#",
        "+/#",
        "meguri/#",
        "$SYS/#",
        "meguri/1/hiroshima/t-2/down/#",
        "meguri/1/hiroshima/+/down/#",
        "meguri/1/hiroshima/+/up/#",
        "meguri/1/hiroshima/t-1/up/#",
        "$share/all/meguri/1/hiroshima/t-2/down/#",
        "$share/all/meguri/1/hiroshima/#",
    ];
    let mut listening = Vec::new();
    for filter in forbidden {
        // Each on a connection of its own would take over the one before: one after the other.
        let mut plain = connect(&scene, "t-1");
        // A broker may also end the connection.
        let granted = plain.subscribe(filter).unwrap_or(false);
        assert!(!granted || broker == Broker::Mosquitto, "{filter} was granted");
        if granted {
            listening.push(filter);
        }
    }
    let mut listener = connect(&scene, "t-1");
    for filter in listening {
        listener.subscribe(filter).unwrap();
    }
    let mut other = connect(&scene, "t-2");
    other.hello("t-2", LogsHeld::default()).unwrap();
    listener.hello("t-1", LogsHeld::default()).unwrap();
    for came in listener.came() {
        assert!(came.topic.starts_with("meguri/1/hiroshima/t-1/down/"), "heard {}", came.topic);
    }
    drop(listener);

    // What it may not say: nobody hears it.
    let before = other.came().len();
    for topic in [
        "meguri/1/hiroshima/t-2/up/fact",
        "meguri/1/hiroshima/t-2/up/hello",
        "meguri/1/hiroshima/t-2/up/presence",
        "meguri/1/hiroshima/t-2/down/ack",
        "meguri/1/hiroshima/t-2/down/list/itaku-1/2026-04-01",
        "meguri/1/hiroshima/t-1/down/ack",
        "meguri/1/other/t-1/up/fact",
        "meguri/2/hiroshima/t-1/up/fact",
        "elsewhere",
        "$SYS/broker",
    ] {
        let mut plain = connect(&scene, "t-1");
        // The broker may refuse, end the connection, or acknowledge and drop.
        drop(plain.publish(topic, b"forged", false));
        drop(plain);
        let mut plain = connect(&scene, "t-1");
        // Whatever came through would be in the office before this answer.
        plain.hello("t-1", LogsHeld::default()).unwrap();
        assert!(plain.came().iter().all(|came| came.payload != b"forged"), "{topic} came back");
    }
    other.hello("t-2", LogsHeld::default()).unwrap();
    assert!(other.came()[before..].iter().all(|came| came.payload != b"forged"));
    assert_eq!(
        scene.office.number("SELECT count(*) FROM aside").unwrap(),
        0,
        "the office heard a forged message"
    );

    // What it may say is heard: an unknown word below its own up/ is the office's to judge.
    let mut plain = connect(&scene, "t-1");
    plain.publish("meguri/1/hiroshima/t-1/up/photo", b"x", false).unwrap();
    plain.hello("t-1", LogsHeld::default()).unwrap();
    assert_eq!(scene.office.number("SELECT count(*) FROM aside").unwrap(), 1);
    drop(plain);

    // A blocked terminal is out: at the embedded broker at once, and for the office on any broker.
    let mut plain = connect(&scene, "t-1");
    scene.office.must(&["terminal", "block", "t-1"]).unwrap();
    if broker == Broker::Embedded {
        assert!(plain.hello("t-1", LogsHeld::default()).is_err());
        assert!(refused("t-1", "t-1", &own));
    } else {
        plain.publish("meguri/1/hiroshima/t-1/up/fact", b"{}", false).unwrap();
        other.hello("t-2", LogsHeld::default()).unwrap();
        let aside = "SELECT count(*) FROM aside WHERE terminal = 't-1' OR topic LIKE '%/t-1/up/fact'";
        assert!(scene.office.number(aside).unwrap() > 0);
    }
}
