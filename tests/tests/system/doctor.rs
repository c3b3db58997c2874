//! What `doctor` says of an office with a broker of somebody else's.

use std::fs;

use meguri_tests::harness::scene::{Broker, Scene};
use serde_json::Value;

/// The broker's finding: how bad, and what is so.
fn of_the_broker(scene: &Scene) -> (String, String) {
    let output = scene.office.run(&["doctor", "--json"]).unwrap();
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let broker = found.iter().find(|finding| finding["check"] == "broker").expect("the broker is looked at");
    let text = |key: &str| broker[key].as_str().unwrap().to_owned();
    (text("severity"), text("en"))
}

#[test]
fn what_a_broker_does_not_let_the_office_do() {
    let mut scene = Scene::set_plain(Broker::Mosquitto, &["v01"], 0).unwrap();
    // Beside a running office a login would throw it out: Mosquitto takes the user's name for the client id.
    let (severity, told) = of_the_broker(&scene);
    assert!(severity == "ok" && told.contains("beside a running gateway"), "{told}");
    scene.office.stop().unwrap();
    let (severity, told) = of_the_broker(&scene);
    assert!(severity == "ok" && told.contains("subscribe and publish"), "{told}");

    let password = scene.office.data().join("broker-password");
    let right = fs::read_to_string(&password).unwrap();
    fs::write(&password, "another").unwrap();
    let (severity, told) = of_the_broker(&scene);
    assert!(severity == "error" && told.contains("refuses the login"), "{told}");
    fs::write(&password, right).unwrap();

    // Rules and sizes of its own files.
    let folder = scene.dir().join("broker");
    for (file, from, to, says) in [
        ("access", "topic write meguri/1/hiroshima/+/down/#", "", "does not let the office publish"),
        ("mosquitto.conf", "max_packet_size 1056768", "max_packet_size 10240", "packets of 10240 bytes"),
    ] {
        let path = folder.join(file);
        let before = fs::read_to_string(&path).unwrap();
        let after = before.replace(from, to);
        assert_ne!(before, after, "{file} says {from}");
        fs::write(&path, after).unwrap();
        let mosquitto = scene.mosquitto.as_mut().unwrap();
        mosquitto.kill();
        mosquitto.start().unwrap();
        let (severity, told) = of_the_broker(&scene);
        assert!(severity == "error" && told.contains(says), "{told}");
        fs::write(&path, before).unwrap();
    }
    scene.mosquitto.as_mut().unwrap().kill();
    let (severity, _) = of_the_broker(&scene);
    assert_eq!(severity, "error");
}
