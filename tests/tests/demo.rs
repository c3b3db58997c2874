//! The demo: plays a day to its end, leaves nothing running when interrupted, and starts again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use meguri_tests::harness::process::{Process, program, signal};
use meguri_tests::harness::{eventually, http};
use rusqlite::{Connection, OpenFlags};

const PATIENCE: Duration = Duration::from_secs(120);

fn demo(data: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(program("demo").unwrap());
    command.arg("--data").arg(data).args(["--headless", "--port", "0"]).args(options);
    command
}

fn number(data: &Path, query: &str) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(data.join("office/meguri.db"), flags).unwrap();
    store.query_row(query, [], |row| row.get(0)).unwrap()
}

/// The request files that were taken.
fn files(data: &Path) -> Vec<String> {
    let store =
        Connection::open_with_flags(data.join("office/meguri.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut files = store.prepare("SELECT file FROM import").unwrap();
    files.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Plays the day to its end, in a bounded time, and hands back what the demo said.
fn play(data: &Path) -> String {
    let options = ["--until-done", "--speed", "600", "--day", "2026-04-01"];
    let log = data.with_extension("log");
    let mut demo_process = Process::start("demo", &mut demo(data, &options), &log).unwrap();
    let until = Instant::now() + PATIENCE;
    let mut said = String::new();
    while let Ok(line) = demo_process.line(until.saturating_duration_since(Instant::now())) {
        said.push_str(&line);
        said.push('\n');
    }
    let in_time = Instant::now() < until;
    // One that has not ended yet is asked to, so that its gateway ends with it.
    let status = demo_process.stop(PATIENCE).unwrap();
    assert!(in_time && status.success(), "{status}, in time: {in_time}\n{said}{}", demo_process.tail());
    said
}

#[test]
fn plays_the_day_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    // Decomposed, as some systems spell names of folders, and with a space.
    let data = dir.path().join("demo か\u{3099} data");
    let said = play(&data);
    assert!(said.contains("The city's page:   https://localhost:"), "{said}");
    assert!(said.contains("件を取り込みます"), "{said}");
    for login in ["kanri ", "haisha-k1 ", "haisha-k2 ", "haisha-k3 "] {
        assert!(said.contains(login), "{said}");
    }
    let settings = data.canonicalize().unwrap().join("terminals/v01/terminal.toml");
    assert!(said.contains(&format!("-- --settings '{}' --data '", settings.display())), "{said}");
    // Everything but the round that is left to whoever watches.
    assert_eq!(number(&data, "SELECT count(*) FROM pickup WHERE state = 'open' AND vehicle <> 'v01'"), 0);
    assert!(number(&data, "SELECT count(*) FROM pickup WHERE state = 'open' AND vehicle = 'v01'") > 10);
    assert!(number(&data, "SELECT count(*) FROM pickup WHERE state = 'collected'") > 150);
    assert!(number(&data, "SELECT count(*) FROM pickup WHERE state = 'cancelled'") > 0);
    assert!(number(&data, "SELECT count(*) FROM pickup WHERE changed_on IS NOT NULL") > 0);
    assert_eq!(number(&data, "SELECT count(*) FROM aside"), 0);
    assert_eq!(number(&data, "SELECT count(*) FROM notice"), 0);
    assert_eq!(number(&data, "SELECT count(*) FROM terminal"), 12);
    for file in files(&data) {
        assert!(data.join(&file).is_file(), "the history names {file}");
    }
    let facts = number(&data, "SELECT count(*) FROM fact");
    let last = number(&data, "SELECT max(received_at) FROM fact");

    let said = play(&data);
    assert!(!said.contains("件を取り込みます"), "nothing is imported, so nothing says so: {said}");
    assert_eq!(number(&data, "SELECT count(*) FROM fact"), facts, "what is done is done");
    assert_eq!(number(&data, "SELECT count(DISTINCT date) FROM pickup"), 1, "the same day goes on");
    assert!(number(&data, "SELECT max(last_heard_at) FROM terminal") >= last, "time never runs backwards");
}

/// Whoever the demo says can sign in, signed in.
fn logins(said: &[String], page: &str) -> Vec<http::Visitor> {
    let lines = said
        .iter()
        .skip_while(|line| !line.contains("Sign in as"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty());
    let logins: Vec<_> = lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            http::Visitor::sign_in(page, words[0], words[1]).unwrap()
        })
        .collect();
    assert_eq!(logins.len(), 4, "{said:?}");
    logins
}

/// Starts it and waits until it is ready; with the address of its page, and what it said.
fn start(data: &Path, log: &Path) -> (Process, String, Vec<String>) {
    let mut demo_process = Process::start("demo", &mut demo(data, &[]), log).unwrap();
    let (mut page, mut said) = (String::new(), Vec::new());
    loop {
        let line = demo_process.line(PATIENCE).unwrap();
        said.push(line.clone());
        if let Some((_, address)) = line.split_once("The city's page:") {
            page = address.trim().to_owned();
        }
        if line.contains("Ctrl-C ends it") {
            return (demo_process, page, said);
        }
    }
}

#[test]
fn takes_its_gateway_along_when_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (data, log) = (dir.path().join("demo-data"), dir.path().join("log"));
    let (mut killed, page, _) = start(&data, &log);
    killed.kill();
    // The socket for commands goes last.
    let socket = data.join("office/control.sock");
    eventually("the gateway has ended", || {
        (http::get(&page, "/").is_err() && !socket.exists()).then_some(())
    });
    let (mut again, _, _) = start(&data, &log);
    assert!(again.stop(PATIENCE).unwrap().success(), "{}", again.tail());
}

#[test]
fn leaves_nothing_behind_when_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo-data");
    let log = dir.path().join("log");
    for round in 0..2 {
        let (mut demo_process, page, said) = start(&data, &log);
        assert_eq!(http::get(&page, "/").unwrap().status, 303);
        // What it prints is all that is to be typed; starting again, it is the same.
        for login in logins(&said, &page) {
            assert_eq!(login.get("/").unwrap().status, 200);
        }
        if round == 0 {
            let second = demo(&data, &[]).output().unwrap();
            assert!(!second.status.success());
            let error = String::from_utf8_lossy(&second.stderr).into_owned();
            assert!(error.contains("another demo runs"), "{error}");
        }
        signal(demo_process.id(), "INT").unwrap();
        let mut said = Vec::new();
        while let Ok(line) = demo_process.line(PATIENCE) {
            said.push(line);
        }
        let status = demo_process.stop(PATIENCE).unwrap();
        assert!(status.success(), "{status}: {said:?}\n{}", demo_process.tail());
        assert!(http::get(&page, "/").is_err(), "the gateway has ended");
        // Whoever still ran would hold the folder.
        let held = Command::new(program("meguri-gateway").unwrap())
            .arg("--config")
            .arg(data.join("gateway.toml"))
            .args(["terminal", "list"])
            .output()
            .unwrap();
        assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    }
}
