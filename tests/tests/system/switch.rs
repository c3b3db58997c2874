//! The broker is changed under way: from the gateway's own to Mosquitto and back. What was unsent goes to the new one.

use std::net::SocketAddr;

use meguri_config::Terminal;
use meguri_tests::day;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::broker::{Mosquitto, OFFICE};
use meguri_tests::harness::console::Console;
use meguri_tests::harness::office::{External, Office};
use meguri_tests::harness::scene::{Broker, DAY, Scene, await_list};

use super::{await_sent, collect, notices};

const PASSWORD: &str = "of-the-office";

/// A Mosquitto that knows the office and every terminal by the secrets they have.
fn mosquitto(scene: &Scene) -> Mosquitto {
    let mut users = vec![(OFFICE.to_owned(), PASSWORD.to_owned())];
    for terminal in &scene.terminals {
        let settings = Terminal::read(&scene.dir().join(terminal.name()).join("terminal.toml")).unwrap();
        users.push((terminal.name().to_owned(), settings.secret().unwrap()));
    }
    let users: Vec<(&str, &str)> = users.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let mut mosquitto = Mosquitto::set_up(&scene.dir().join("mosquitto"), &users).unwrap();
    mosquitto.start().unwrap();
    mosquitto
}

/// Writes the office, which does not run, settings with this broker, and starts it.
fn move_office(scene: &mut Scene, mosquitto: Option<SocketAddr>) {
    let (dir, own) = (scene.dir(), scene.office.mqtt());
    let external =
        mosquitto.map(|address| External { address, user: OFFICE.to_owned(), password: PASSWORD.to_owned() });
    let city = day::city(DAY).unwrap();
    let clock = dir.join("clock.toml");
    scene.office = Office::set_up(&dir, &city, Some(&clock), own, external.as_ref()).unwrap();
    scene.office.start().unwrap();
}

/// Gives a terminal settings with this broker and starts it anew on its store, wherever it was.
fn move_terminal(scene: &mut Scene, terminal: usize, broker: SocketAddr) {
    let (dir, name) = (scene.dir(), scene.terminals[terminal].name().to_owned());
    scene.terminals[terminal].kill();
    let clock = dir.join("clock.toml");
    scene.terminals[terminal] = Console::set_up(&dir.join(name), broker, Some(&clock), |_| {}).unwrap();
    scene.terminals[terminal].start().unwrap();
    await_list(&mut scene.terminals[terminal]).unwrap();
}

fn waiting(scene: &mut Scene, terminal: usize) -> i64 {
    scene.terminals[terminal].status().unwrap()["waiting"].as_i64().unwrap()
}

#[test]
fn to_mosquitto_and_back_loses_nothing() {
    let vehicles = ["v01", "v02", "v03"];
    let mut scene = Scene::set_plain(Broker::Embedded, &vehicles, 30).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let lists = vehicles.map(|vehicle| scene.receptions(vehicle));
    for (terminal, list) in lists.iter().enumerate() {
        collect(&mut scene, terminal, &list[..5], &mut books);
        await_sent(&mut scene, terminal, &books);
    }

    // One goes on with its work, one is out of reach, one is out of reach and then switched off.
    for terminal in [1, 2] {
        scene.terminals[terminal].line().refuse(true);
        collect(&mut scene, terminal, &lists[terminal][5..9], &mut books);
    }
    scene.terminals[2].kill();
    let mosquitto = mosquitto(&scene);
    scene.office.stop().unwrap();
    collect(&mut scene, 0, &lists[0][5..8], &mut books);
    assert_eq!((waiting(&mut scene, 0), waiting(&mut scene, 1)), (3, 4));
    move_office(&mut scene, Some(mosquitto.address()));
    for terminal in [0, 1] {
        move_terminal(&mut scene, terminal, mosquitto.address());
        collect(&mut scene, terminal, &lists[terminal][9..12], &mut books);
        let own = Books { confirmed: of(&books, &scene, terminal), ..Books::default() };
        await_sent(&mut scene, terminal, &own);
    }
    // The third comes back days later with its old settings: it finds no broker, and its crew works on.
    scene.terminals[2].start().unwrap();
    await_list(&mut scene.terminals[2]).unwrap();
    scene.terminals[2].line().heal();
    collect(&mut scene, 2, &lists[2][9..12], &mut books);
    assert_eq!(waiting(&mut scene, 2), 7);
    move_terminal(&mut scene, 2, mosquitto.address());
    await_sent(&mut scene, 2, &books);
    assert_eq!(books.check(&scene.office.store().unwrap()).unwrap().facts, 11 + 12 + 12);

    // And back, without any order: the gateway is killed, and Mosquitto goes on taking what it is given.
    let own = scene.office.mqtt();
    scene.office.kill();
    for (terminal, list) in lists.iter().enumerate() {
        collect(&mut scene, terminal, &list[12..16], &mut books);
        assert_eq!(waiting(&mut scene, terminal), 4, "a broker's receipt is no acknowledgement");
    }
    move_office(&mut scene, None);
    for terminal in [2, 0, 1] {
        move_terminal(&mut scene, terminal, own);
        collect(&mut scene, terminal, &lists[terminal][16..18], &mut books);
    }
    for terminal in 0..vehicles.len() {
        await_sent(&mut scene, terminal, &books);
    }
    let sum = books.check(&scene.office.store().unwrap()).unwrap();
    assert_eq!((sum.facts, sum.epochs), (11 + 12 + 12 + 3 * 6, vehicles.len()));
    assert_eq!(notices(&scene, "fork"), 0);
    assert_eq!(scene.office.number("SELECT count(*) FROM hole").unwrap(), 0);
    assert_eq!(scene.office.number("SELECT count(*) FROM aside").unwrap(), 0);
}

/// What one terminal confirmed.
fn of(books: &Books, scene: &Scene, terminal: usize) -> Vec<meguri_tests::harness::books::Confirmed> {
    let name = scene.terminals[terminal].name();
    books.confirmed.iter().filter(|confirmed| confirmed.terminal == name).cloned().collect()
}
