//! That a confirmation waits for the disk is shown by the system calls: a killed process proves no flush.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Broker, Scene, await_list};

use super::{await_sent, collect};

/// `strace` before a command line: all threads, with the paths behind numbers. It stays in the background (`-D`), so
/// that the program itself gets the signals.
fn traced(command: &Command, trace: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced.args([
        "-D",
        "-f",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync",
        "-o",
    ]);
    traced.arg(trace).arg(command.get_program()).args(command.get_args());
    traced
}

/// Reads a trace: how many different things were said, as `says` finds them in a written text; each one for the first
/// time only after a flush of `store` since the one before, with none of its writes left unflushed.
fn flushed_before(trace: &Path, store: &str, says: impl Fn(&str) -> Option<String>) -> usize {
    let text = eventually("the trace is whole", || {
        let text = fs::read_to_string(trace).unwrap();
        // One line at the very end is about the program as a whole.
        text.lines().last().is_some_and(|line| line.contains("+++ ")).then_some(text)
    });
    let (mut dirty, mut flushes) = (0, 0);
    let mut said = HashSet::new();
    let mut flushing = HashSet::new();
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        let of_store = call.contains(store);
        if call.starts_with("pwrite64(") && of_store {
            dirty += 1;
        } else if (call.starts_with("fdatasync(") || call.starts_with("fsync(")) && of_store {
            if call.ends_with("= 0") {
                (dirty, flushes) = (0, flushes + 1);
            } else {
                // Its end stands on a later line of the same thread.
                flushing.insert(thread.to_owned());
            }
        } else if call.contains("sync resumed>") && flushing.remove(thread) {
            assert!(call.ends_with("= 0"), "a flush failed: {call}");
            (dirty, flushes) = (0, flushes + 1);
        } else if !call.starts_with("pwrite64(")
            && let Some(what) = says(call)
            && said.insert(what)
        {
            assert!(flushes > 0, "said without a flush before it: {call}");
            assert_eq!(dirty, 0, "said with unflushed writes: {call}");
            flushes = 0;
        }
    }
    said.len()
}

/// The word that follows `key` in a traced text.
fn after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(key)?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect())
}

#[test]
fn a_terminal_confirms_after_the_disk() {
    let mut scene =
        Scene::set_with(Broker::Embedded, &["v01"], 12, |settings| settings.timers.health = 0.0).unwrap();
    let trace = scene.dir().join("trace");
    // Without a line, nothing but the taps writes to the store.
    scene.start_terminals().unwrap();
    scene.terminals[0].kill();
    scene.terminals[0].line().refuse(true);
    let mut command = traced(&scene.terminals[0].command_line().unwrap(), &trace);
    scene.terminals[0].start_as(&mut command).unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..10], &mut books);
    scene.terminals[0].quit().unwrap();
    let confirmed = |text: &str| after(text, r#"\"fact\":\""#).filter(|_| text.contains("confirmed"));
    assert_eq!(flushed_before(&trace, "terminal.db-wal", confirmed), 10);
}

#[test]
fn the_office_acknowledges_after_the_disk() {
    for broker in [Broker::Embedded, Broker::Mosquitto] {
        // What is said must be readable.
        let mut scene = Scene::set_plain_with(broker, &["v01"], 12, |settings| {
            (settings.timers.health, settings.timers.hello) = (0.0, 3_600.0);
        })
        .unwrap();
        let trace = scene.dir().join("trace");
        scene.office.stop().unwrap();
        let mut command = scene.office.command().unwrap();
        let mut command = traced(command.arg("serve"), &trace);
        scene.office.start_as(&mut command).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let list = scene.receptions("v01");
        // One at a time, so that each acknowledgement belongs to one flush.
        for reception in &list[..10] {
            collect(&mut scene, 0, std::slice::from_ref(reception), &mut books);
            await_sent(&mut scene, 0, &books);
        }
        scene.terminals[0].kill();
        scene.office.stop().unwrap();
        // The embedded broker passes on what the office said: the first time is the office's.
        let acked = |text: &str| {
            let held = text.contains("/down/ack").then(|| text.split_once(r#"{\"log\":\"fact\""#))??.1;
            after(held, r#"\"seq\":"#).filter(|seq| seq != "0")
        };
        assert_eq!(flushed_before(&trace, "meguri.db-wal", acked), 10, "on {broker:?}");
    }
}
