//! Terminals by certificate at a Mosquitto whose clients the gateway keeps by dynamic security.

use std::time::{Duration, Instant};

use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Broker, OFFICE_PASSWORD, Scene, await_list, write_clock};

use super::enrol::{await_link, due_by_now, enrolled, identity};
use super::{await_sent, collect};

fn office(vehicles: &[&str]) -> Scene {
    Scene::set_certified(Broker::Mosquitto, vehicles, 12).unwrap()
}

/// What an operator sees of the broker's clients.
fn clients(scene: &Scene) -> Vec<String> {
    let (mosquitto, ca) = (scene.mosquitto.as_ref().unwrap(), scene.office.data().join("ca/authority.pem"));
    let said = mosquitto.control(&ca, OFFICE_PASSWORD, &["listClients"]).unwrap();
    said.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

/// How many certificates the broker lets in.
fn await_certificates(scene: &Scene, count: usize) {
    eventually(&format!("the broker lets {count} certificates in"), || {
        (clients(scene).iter().filter(|name| name.contains("CN=")).count() == count).then_some(())
    });
}

#[test]
fn a_terminal_enrols_works_is_blocked_and_let_in_again() {
    let mut scene = office(&["v01", "v02"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.terminals.push(enrolled(&scene, "t-2"));
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..6], &mut books);
    await_sent(&mut scene, 0, &books);
    eventually("the certificate is known to work", || {
        let connected = "SELECT count(*) FROM certificate WHERE connected_at IS NOT NULL";
        (scene.office.number(connected).unwrap() == 2).then_some(())
    });

    let log = scene.dir().join("broker/mosquitto.log");
    let before = Instant::now();
    scene.office.must(&["terminal", "block", "t-1"]).unwrap();
    eventually("its connection is ended", || {
        std::fs::read_to_string(&log).unwrap().contains("disconnected by administrative action").then_some(())
    });
    // The command's own start among it.
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    await_link(&mut scene.terminals[0], "refused");
    await_certificates(&scene, 1);
    assert_eq!(scene.terminals[1].status().unwrap()["link"], "up", "nobody else's connection ends");
    scene.office.must(&["terminal", "unblock", "t-1"]).unwrap();
    await_link(&mut scene.terminals[0], "up");
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[6..9], &mut books);
    await_sent(&mut scene, 0, &books);
    books.check(&scene.office.store().unwrap()).unwrap();
}

#[test]
fn a_renewed_certificate_takes_the_place_of_the_one_before() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    let current = identity(&scene, "t-1").join("current.pem");
    let before = eventually("it has come in", || std::fs::read(&current).ok());
    write_clock(&scene.dir().join("clock.toml"), due_by_now(), 1.0).unwrap();
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    eventually("it is renewed", || (std::fs::read(&current).ok()? != before).then_some(()));
    await_link(&mut scene.terminals[0], "up");
    eventually("the one before is over", || {
        let over = "SELECT count(*) FROM certificate WHERE ended_at IS NOT NULL";
        (scene.office.number(over).unwrap() == 1).then_some(())
    });
    await_certificates(&scene, 1);
    // A copy of the old key, as of a backup of the tablet.
    scene.terminals[0].quit().unwrap();
    std::fs::write(&current, before).unwrap();
    scene.terminals[0].start().unwrap();
    await_link(&mut scene.terminals[0], "refused");
}

#[test]
fn what_was_missed_or_changed_there_is_put_right() {
    let mut scene = office(&["v01", "v02"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.terminals.push(enrolled(&scene, "t-2"));
    scene.start_terminals().unwrap();
    // Blocked while the broker is away: the command says that it is not there yet, and operators see it.
    let said = scene.office.must(&["terminal", "unblock", "t-1"]).unwrap();
    assert!(!said.contains("NOT YET"), "{said}");
    scene.mosquitto.as_mut().unwrap().kill();
    let said = scene.office.must(&["terminal", "block", "t-1"]).unwrap();
    assert!(said.contains("NOT YET at the broker"), "{said}");
    eventually("it shows", || {
        let said = scene.office.run(&["health", "--json"]).unwrap().stdout;
        let report: serde_json::Value = serde_json::from_slice(&said).unwrap();
        (report["checks"]["access"] == false).then_some(())
    });
    scene.mosquitto.as_mut().unwrap().start().unwrap();
    await_certificates(&scene, 1);
    await_link(&mut scene.terminals[0], "refused");
    await_link(&mut scene.terminals[1], "up");
    // Its file is lost: it is filled anew, and another's client is left alone.
    let mosquitto = scene.mosquitto.as_mut().unwrap();
    mosquitto.kill();
    mosquitto.forget(OFFICE_PASSWORD).unwrap();
    mosquitto.start().unwrap();
    await_certificates(&scene, 1);
    await_link(&mut scene.terminals[1], "up");
    let ca = scene.office.data().join("ca/authority.pem");
    let control = |scene: &Scene, arguments: &[&str]| {
        scene.mosquitto.as_ref().unwrap().control(&ca, OFFICE_PASSWORD, arguments).unwrap()
    };
    control(&scene, &["createClient", "pumps", "-p", "of-the-pumps"]);
    let mine = clients(&scene).into_iter().find(|name| name.contains("CN=")).unwrap();
    control(&scene, &["deleteClient", &mine]);
    // As after a change that nobody told the gateway: it looks when it starts, and every minute.
    scene.office.stop().unwrap();
    scene.office.start().unwrap();
    await_certificates(&scene, 1);
    assert!(clients(&scene).contains(&"pumps".to_owned()));
    await_link(&mut scene.terminals[1], "up");
}

#[test]
fn what_the_broker_refuses_is_told_and_stops_nothing_else() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    await_certificates(&scene, 1);
    let ca = scene.office.data().join("ca/authority.pem");
    let mosquitto = scene.mosquitto.as_ref().unwrap();
    mosquitto.control(&ca, OFFICE_PASSWORD, &["removeClientRole", "office", "admin"]).unwrap();
    scene.office.stop().unwrap();
    scene.office.start().unwrap();
    eventually("operators are told", || {
        let said = scene.office.run(&["doctor", "--json"]).unwrap().stdout;
        String::from_utf8_lossy(&said).contains("could not be told which terminals may come in").then_some(())
    });
    let log = std::fs::read_to_string(scene.dir().join("gateway.log")).unwrap();
    assert!(log.contains("give the office's client the role admin"), "{log}");
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..3], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.office.must(&["terminal", "block", "t-1"]).unwrap();
}
