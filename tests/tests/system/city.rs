//! Terminals whose certificates the city's own authority issues.

use std::fs;
use std::path::Path;

use meguri_config::Terminal;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::pki::{Authority, Pair};
use meguri_tests::harness::scene::{Broker, Scene, await_list};

use super::enrol::{await_link, code, device, enrol, said};
use super::{await_sent, collect};

#[test]
fn on_the_embedded_broker() {
    by_a_certificate_of_the_city(Broker::Embedded);
}

#[test]
fn on_mosquitto() {
    by_a_certificate_of_the_city(Broker::Mosquitto);
}

/// Puts key and certificate where the terminal looks for them.
fn give(folder: &Path, pair: &Pair) {
    fs::write(folder.join("identity/current.pem"), pair.both()).unwrap();
}

fn by_a_certificate_of_the_city(broker: Broker) {
    let mut scene = Scene::set_certified(broker, &["v01", "v02"], 12).unwrap();
    let (city, dir) = (Authority::make("the city").unwrap(), scene.dir());
    let file = |name: &str, pem: &str| {
        let path = dir.join(name);
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let first = city.issue("t-1", (-1, 400), &[0x0a, 0x01]).unwrap();
    let given = file("t-1.pem", &first.certificate);
    let refused = scene.office.run(&["terminal", "certificate", "t-1", &given]).unwrap();
    assert!(said(&refused).contains("tls.terminals_authority"), "{}", said(&refused));

    scene.office.stop().unwrap();
    fs::write(scene.office.data().join("city.pem"), city.pem()).unwrap();
    scene
        .office
        .change_settings(|settings| {
            let tls = settings["tls"].as_table_mut().unwrap();
            tls.insert("terminals_authority".into(), "city.pem".into());
        })
        .unwrap();
    if let Some(mosquitto) = &mut scene.mosquitto {
        mosquitto.kill();
        mosquitto.believe(city.pem()).unwrap();
        mosquitto.start().unwrap();
    }
    scene.office.start().unwrap();

    // What is not of that authority, or not of that terminal, is not registered.
    let foreign = Authority::make("the city").unwrap().issue("t-1", (-1, 400), &[1]).unwrap();
    for (pem, terminal) in [(&foreign.certificate, "t-1"), (&first.certificate, "t-2")] {
        let refused = scene.office.run(&["terminal", "certificate", terminal, &file("no.pem", pem)]).unwrap();
        assert!(!refused.status.success(), "{}", said(&refused));
    }
    let folder = dir.join("device-t-1");
    let out = folder.display().to_string();
    scene.office.must(&["terminal", "certificate", "t-1", &given, "--out", &out]).unwrap();
    let settings = Terminal::read(&folder.join("terminal.toml")).unwrap();
    assert_eq!((settings.broker.office, settings.broker.port), (None, scene.broker().port()));
    give(&folder, &first);
    scene.terminals.push(device(&scene, &folder));
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..4], &mut books);
    await_sent(&mut scene, 0, &books);

    // One of the same authority that nobody has registered opens nothing.
    let other = dir.join("device-t-2");
    let shown = code(&scene.office, "t-2");
    assert!(enrol(&other, shown["scan"].as_str().unwrap(), &[]).status.success());
    fs::remove_file(other.join("identity/next.pem")).unwrap();
    give(&other, &city.issue("t-2", (-1, 400), &[0x0b, 0x01]).unwrap());
    let mut unknown = device(&scene, &other);
    unknown.start().unwrap();
    await_link(&mut unknown, "refused");

    // The next one: both are taken until it has come in, then the one before is not any more.
    let second = city.issue("t-1", (-1, 400), &[0x0a, 0x02]).unwrap();
    let given = file("t-1-next.pem", &second.both());
    scene.office.must(&["terminal", "certificate", "t-1", &given]).unwrap();
    let taken = "SELECT count(*) FROM certificate WHERE terminal = 't-1' AND ended_at IS NULL";
    assert_eq!(scene.office.number(taken).unwrap(), 2);
    scene.terminals[0].quit().unwrap();
    give(&folder, &second);
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[4..8], &mut books);
    await_sent(&mut scene, 0, &books);
    eventually("the one before is over", || (scene.office.number(taken).unwrap() == 1).then_some(()));
    scene.terminals[0].quit().unwrap();
    give(&folder, &first);
    scene.terminals[0].start().unwrap();
    await_link(&mut scene.terminals[0], "refused");
    books.check(&scene.office.store().unwrap()).unwrap();
}
