//! A terminal's disk that is full for a while, and a store that is damaged: it is told, nothing confirmed is lost, and
//! work goes on.

use std::fs;
use std::process::Command;

use meguri_tests::harness::books::{Books, Confirmed};
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Broker, Scene, await_list};
use rusqlite::Connection;
use serde_json::Value;

use super::{await_sent, collect, notices};

/// `strace` before a command line, which answers writes to files for the program. It stays in the background (`-D`), so
/// that the program itself gets the signals.
fn answered(command: &Command, inject: &str) -> Command {
    let mut answered = Command::new("strace");
    answered.args(["-D", "-f", "-o", "/dev/null", "-e", "trace=pwrite64,fdatasync", "-e", inject]);
    answered.arg(command.get_program()).args(command.get_args());
    answered
}

/// Repairs the store of a terminal that does not run, by its own command.
fn repair(scene: &Scene, terminal: usize) -> Value {
    let run = scene.terminals[terminal].command_line().unwrap();
    let mut command = Command::new(run.get_program());
    command.args(run.get_args().take_while(|argument| *argument != "run")).arg("repair");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    fails_for_a_while("ENOSPC", "disk_full");
}

#[test]
fn a_disk_that_fails_for_a_while() {
    fails_for_a_while("EIO", "write");
}

/// Every write of some dozens fails with `error`, and later ones succeed.
fn fails_for_a_while(error: &str, kind: &str) {
    let mut scene =
        Scene::set_with(Broker::Embedded, &["v01"], 12, |settings| settings.timers.health = 0.0).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..2], &mut books);
    scene.terminals[0].kill();
    let inject = format!("inject=pwrite64:error={error}:when=25..60");
    let mut command = answered(&scene.terminals[0].command_line().unwrap(), &inject);
    scene.terminals[0].start_as(&mut command).unwrap();
    await_list(&mut scene.terminals[0]).unwrap();

    let (mut refused, mut told) = (0, false);
    for reception in &list[2..] {
        eventually("a record is taken", || {
            let answer = scene.terminals[0].ask(&format!("collect {reception}")).unwrap();
            if let Some(confirmed) = Confirmed::read("t-1", &answer) {
                books.confirmed.push(confirmed);
                return Some(());
            }
            // Nothing of it was written: it can be tapped again.
            assert_eq!(answer["error"], "store", "{answer}");
            refused += 1;
            told |= scene.terminals[0].status().unwrap()["trouble_kind"] == kind;
            None
        });
    }
    assert!(refused > 0, "no write failed");
    assert!(told, "it was not told");
    await_sent(&mut scene, 0, &books);
    // The disk fails each thread of the terminal for a while of its own, so an acknowledgement may have met it after the last record.
    eventually("it is over", || {
        (scene.terminals[0].status().unwrap()["trouble"] == Value::Null).then_some(())
    });
    scene.terminals[0].kill();
    let sum = books.check(&scene.office.store().unwrap()).unwrap();
    assert_eq!((sum.facts, sum.epochs), (12, 1));
}

#[test]
fn a_damaged_entry_is_told_set_aside_and_the_rest_arrives() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 12).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..2], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.terminals[0].line().refuse(true);
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[2..8], &mut books);
    scene.terminals[0].quit().unwrap();
    let damaged = books.confirmed[4].clone();
    let store = Connection::open(scene.terminals[0].data().join("terminal.db")).unwrap();
    let sql = "UPDATE entry SET body = replace(body, '\"v\":1', '\"v\":2') WHERE log = 'fact' AND seq = ?1";
    assert_eq!(store.execute(sql, [damaged.seq]).unwrap(), 1);
    drop(store);

    scene.terminals[0].line().refuse(false);
    scene.terminals[0].start().unwrap();
    eventually("it is told", || {
        (scene.terminals[0].status().unwrap()["trouble_kind"] == "unsendable").then_some(())
    });
    // The crew goes on meanwhile.
    collect(&mut scene, 0, &list[8..9], &mut books);
    scene.terminals[0].quit().unwrap();

    let report = repair(&scene, 0);
    let fact = &report["repaired"]["logs"][0];
    assert_eq!((&fact["carried"], &fact["lost"], &fact["unknown"]), (&8.into(), &1.into(), &false.into()));
    assert_eq!(repair(&scene, 0)["ok"], "sound", "nothing is left to repair");
    books.may_be_gone.insert(damaged.fact);
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    await_sent(&mut scene, 0, &books);
    assert_eq!(scene.terminals[0].status().unwrap()["trouble"], Value::Null);
    assert_eq!(notices(&scene, "hole"), 1, "the office is told that one is missing");
    assert_eq!(notices(&scene, "restored"), 0, "the office does not take itself for a restored copy");
    // The stop whose record was lost is open again, and can be recorded anew.
    collect(&mut scene, 0, &list[4..5], &mut books);
    collect(&mut scene, 0, &list[9..], &mut books);
    await_sent(&mut scene, 0, &books);
    let held = scene.office.number("SELECT count(*) FROM fact WHERE terminal = 't-1'").unwrap();
    assert_eq!(held, 12, "all but the damaged one, and that stop's second one");
}

#[test]
fn a_store_that_is_garbage_is_kept_and_work_begins_anew() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 12).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..4], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.terminals[0].quit().unwrap();
    let garbage = vec![0x5A; 50_000];
    fs::write(scene.terminals[0].data().join("terminal.db"), &garbage).unwrap();

    let mut command = scene.terminals[0].command_line().unwrap();
    let refused = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("is damaged") && said.contains("repair"), "{said}");

    let report = repair(&scene, 0);
    let kept = report["repaired"]["set_aside"].as_str().unwrap();
    assert_eq!(fs::read(std::path::Path::new(kept).join("terminal.db")).unwrap(), garbage);
    // The list comes by itself, and what the office holds stays as it is.
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[4..8], &mut books);
    await_sent(&mut scene, 0, &books);
    assert_eq!(notices(&scene, "hole"), 2, "the office is told of both logs that something may be missing");
    assert_eq!(notices(&scene, "restored"), 0, "the office does not take itself for a restored copy");
    let held = scene.office.number("SELECT count(*) FROM fact WHERE terminal = 't-1'").unwrap();
    assert_eq!(held, 8);
}
