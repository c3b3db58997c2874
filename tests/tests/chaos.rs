//! Gateway, broker and terminals killed at random moments while the line breaks: the books must agree after.
//!
//! `MEGURI_SEED` repeats a run, `MEGURI_CHAOS=15` makes it fifteen times as long.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::console::Console;
use meguri_tests::harness::process::signal;
use meguri_tests::harness::proxy::{Proxy, Way};
use meguri_tests::harness::scene::{Broker, Scene};
use meguri_tests::harness::worker::Worker;
use meguri_tests::harness::{eventually, longer, seed};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const VEHICLES: [&str; 3] = ["v01", "v02", "v03"];
/// How often each is killed.
const KILLS: usize = 20;
/// Facts of each terminal.
const FACTS: usize = 800;

#[derive(Debug, Clone, Copy)]
enum Blow {
    Gateway,
    Broker,
    Terminal,
    Line,
}

/// What the thread that strikes and the threads that tap share.
struct Shared {
    struck: AtomicUsize,
    blows: usize,
    over: AtomicBool,
    ids: Vec<Mutex<Option<u32>>>,
}

#[test]
fn on_the_embedded_broker() {
    play(Broker::Embedded);
}

#[test]
fn on_mosquitto() {
    play(Broker::Mosquitto);
}

fn play(broker: Broker) {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut scene = Scene::set(broker, &VEHICLES, 30).unwrap();
    scene.start_terminals().unwrap();
    let mut blows = [vec![Blow::Gateway; KILLS * longer()], vec![Blow::Terminal; KILLS * longer()]].concat();
    blows.extend(vec![Blow::Line; KILLS * longer()]);
    if broker == Broker::Mosquitto {
        blows.extend(vec![Blow::Broker; KILLS * longer()]);
    }
    blows.shuffle(&mut random);

    let terminals = std::mem::take(&mut scene.terminals);
    let shared = Arc::new(Shared {
        struck: AtomicUsize::new(0),
        blows: blows.len(),
        over: AtomicBool::new(false),
        ids: terminals.iter().map(|terminal| Mutex::new(terminal.process_id().ok())).collect(),
    });
    // Lines are struck from here while their terminals are tapped on elsewhere.
    let lines: Vec<Arc<Proxy>> = terminals.iter().map(Console::shared_line).collect();
    let tapping: Vec<_> = terminals
        .into_iter()
        .enumerate()
        .map(|(index, terminal)| {
            let worker = Worker::new(scene.receptions(VEHICLES[index]), seed ^ index as u64);
            let shared = Arc::clone(&shared);
            thread::spawn(move || tap(index, terminal, worker, &shared))
        })
        .collect();

    for blow in blows {
        // The moment is the point of it; nothing is waited for.
        thread::sleep(Duration::from_millis(random.random_range(5..300)));
        strike(blow, &mut scene, &shared, &lines, &mut random);
        shared.struck.fetch_add(1, Ordering::SeqCst);
    }
    for line in lines.iter().map(AsRef::as_ref).chain(&scene.office_line) {
        line.heal();
    }
    shared.over.store(true, Ordering::SeqCst);

    let mut books = Books::default();
    for tapping in tapping {
        let (terminal, of_terminal) = tapping.join().unwrap();
        scene.terminals.push(terminal);
        books.confirmed.extend(of_terminal.confirmed);
        books.unanswered.extend(of_terminal.unanswered);
    }
    for terminal in &mut scene.terminals {
        eventually(&format!("{} has nothing left to send", terminal.name()), || {
            (terminal.status().unwrap()["waiting"] == 0).then_some(())
        });
    }
    assert_eq!(books.missing(&scene.office.store().unwrap()).unwrap(), 0);
    let sum = books.check(&scene.office.store().unwrap()).unwrap();
    assert!(sum.facts >= VEHICLES.len() * FACTS, "only {} facts", sum.facts);
    assert_eq!(sum.epochs, VEHICLES.len(), "a kill alone never makes a fork");
    assert_eq!(scene.office.number("SELECT count(*) FROM hole").unwrap(), 0);
    assert_eq!(scene.office.number("SELECT count(*) FROM aside").unwrap(), 0);
    scene.office.stop().unwrap();
}

/// Taps until all blows have fallen and the quota is done, spread evenly over the blows.
fn tap(index: usize, mut terminal: Console, mut worker: Worker, shared: &Shared) -> (Console, Books) {
    let mut books = Books::default();
    loop {
        if shared.ids[index].lock().unwrap().is_none() {
            revive(index, &mut terminal, shared);
        }
        let over = shared.over.load(Ordering::SeqCst);
        let share = shared.struck.load(Ordering::SeqCst) + 1;
        let quota = if over { FACTS } else { FACTS * longer() * share / (shared.blows + 1) };
        if books.confirmed.len() < quota {
            if worker.turn(&mut terminal, &mut books).is_err() {
                revive(index, &mut terminal, shared);
            }
        } else if over {
            break;
        } else {
            eventually("another blow falls", || {
                let moved = shared.struck.load(Ordering::SeqCst) + 1 > share;
                let killed = shared.ids[index].lock().unwrap().is_none();
                (moved || killed || shared.over.load(Ordering::SeqCst)).then_some(())
            });
        }
    }
    // A kill may have come after the last answer.
    if terminal.ask("status").is_err() {
        revive(index, &mut terminal, shared);
    }
    (terminal, books)
}

fn revive(index: usize, terminal: &mut Console, shared: &Shared) {
    // Nobody may strike at an id that is about to become another's.
    *shared.ids[index].lock().unwrap() = None;
    terminal.kill();
    terminal.start().unwrap();
    *shared.ids[index].lock().unwrap() = terminal.process_id().ok();
}

fn strike(blow: Blow, scene: &mut Scene, shared: &Shared, lines: &[Arc<Proxy>], random: &mut StdRng) {
    match blow {
        Blow::Gateway => {
            scene.office.kill();
            scene.office.start().unwrap();
        }
        Blow::Broker => {
            let broker = scene.mosquitto.as_mut().unwrap();
            broker.kill();
            broker.start().unwrap();
        }
        Blow::Terminal => {
            // One that lives: a second blow to the same body is no blow.
            let start = random.random_range(0..shared.ids.len());
            eventually("a terminal lives to be killed", || {
                let mut order = (start..shared.ids.len()).chain(0..start);
                order.find_map(|index| {
                    shared.ids[index].lock().unwrap().take().map(|id| signal(id, "KILL").unwrap())
                })
            });
        }
        Blow::Line => {
            let index = random.random_range(0..=lines.len());
            let line =
                lines.get(index).map(AsRef::as_ref).or(scene.office_line.as_ref()).unwrap_or(&lines[0]);
            match random.random_range(0..6) {
                0 => line.cut(),
                1 => line.refuse(true),
                2 => line.half_close(if random.random() { Way::Up } else { Way::Down }),
                3 => line.swallow(if random.random() { Way::Up } else { Way::Down }, true),
                4 => line.delay(Way::Up, Duration::from_millis(20)),
                _ => line.heal(),
            }
            // What refuses or swallows does so until another blow heals the line.
            if random.random_ratio(1, 2) {
                lines.iter().map(AsRef::as_ref).chain(&scene.office_line).for_each(Proxy::heal);
            }
        }
    }
}
