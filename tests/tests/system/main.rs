//! The whole system with real programs: what is lost is repaired, what is restored is made good, what is wrong is set aside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod aside;
mod away;
mod backup;
mod books;
mod bound;
mod certificates;
mod city;
mod clocks;
mod cluster;
mod crew;
mod damaged;
mod disk;
mod doctor;
mod durable;
mod dynamic;
mod enrol;
mod limits;
mod lost;
mod release;
mod renewal;
mod restored;
mod switch;
mod switchover;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::Scene;
use meguri_tests::harness::worker::record;

/// Collects these on the terminal with this index, each confirmed.
fn collect(scene: &mut Scene, terminal: usize, receptions: &[String], books: &mut Books) {
    for reception in receptions {
        let command = format!("collect {reception}");
        let confirmed = record(&mut scene.terminals[terminal], books, &command).unwrap();
        assert!(confirmed.is_some(), "{command} was refused");
    }
}

/// Waits until the terminal has nothing to send and the office lacks nothing.
fn await_sent(scene: &mut Scene, terminal: usize, books: &Books) {
    let name = scene.terminals[terminal].name().to_owned();
    eventually(&format!("all facts of {name} are in the office"), || {
        let waiting = scene.terminals[terminal].status().unwrap()["waiting"] == 0;
        (waiting && books.missing(&scene.office.store().unwrap()).unwrap() == 0).then_some(())
    });
}

/// How many notices of a kind stand in the office.
fn notices(scene: &Scene, kind: &str) -> i64 {
    scene.office.number(&format!("SELECT count(*) FROM notice WHERE kind = '{kind}'")).unwrap()
}
