//! The program `fleet` as a city uses it: an office is staged, the smallest scenario is run, and the books are checked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use meguri_tests::fleet::Scenario;
use meguri_tests::harness::port::Port;
use meguri_tests::harness::process::{Process, program};
use rusqlite::Connection;
use serde_json::Value;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

#[test]
fn every_scenario_in_the_book_reads() {
    let mut read = 0;
    for entry in fs::read_dir(SCENARIOS).unwrap() {
        let path = entry.unwrap().path();
        let scenario = Scenario::read(&path).unwrap();
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), scenario.name);
        let book = include_str!("../../docs/fleet.md");
        assert!(book.contains(&format!("`{}.toml`", scenario.name)), "docs/fleet.md lacks {}", scenario.name);
        read += 1;
    }
    assert!(read > 1);
}

fn fleet(arguments: &[&str]) -> Output {
    Command::new(program("fleet").unwrap()).args(arguments).output().unwrap()
}

fn serve(dir: &Path) -> Process {
    let mut command = Command::new(program("meguri-gateway").unwrap());
    command.arg("--config").arg(dir.join("gateway.toml")).arg("serve");
    let mut gateway = Process::start("meguri-gateway", &mut command, &dir.join("gateway.log")).unwrap();
    gateway.line(Duration::from_secs(60)).unwrap();
    gateway
}

/// Runs the smallest scenario; the exit status and the summary.
fn small(dir: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let path = |name: &str| dir.join(name).display().to_string();
    let scenario = format!("{SCENARIOS}/small.toml");
    let (terminals, stores) = (path("terminals"), path("stores"));
    let mut arguments =
        vec!["run", &scenario, "--terminals", &terminals, "--stores", &stores, "--json", "--minutes", "1"];
    arguments.extend(more);
    let output = fleet(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no summary: {said}"));
    (output.status.code(), summary)
}

#[test]
fn a_rehearsal_from_the_stage_to_the_books() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("stage");
    let stage = dir.display().to_string();
    let (mqtt, web) = (Port::take().unwrap(), Port::take().unwrap());
    let (mqtt, web) = (mqtt.address().to_string(), web.address().to_string());
    let made = fleet(&[
        "stage",
        "--out",
        &stage,
        "--terminals",
        "6",
        "--pickups",
        "60",
        "--mqtt",
        &mqtt,
        "--web",
        &web,
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let mut gateway = serve(&dir);
    let office = dir.join("office").display().to_string();
    let (status, first) = small(&dir, &["--office-data", &office]);
    assert_eq!(
        (status, &first["good"], &first["checked"]),
        (Some(0), &true.into(), &"office".into()),
        "{first}"
    );
    let facts = first["facts"].as_u64().unwrap();
    assert!(facts >= 120 && first["office"]["facts"] == facts, "{first}");
    // The next goes on with the stores, and knows what they hold. Without the office's store it says so.
    let (status, second) = small(&dir, &[]);
    assert_eq!(
        (status, &second["good"], &second["checked"]),
        (Some(0), &true.into(), &"acks".into()),
        "{second}"
    );

    // More terminals while the gateway runs, under names of their own.
    let config = dir.join("gateway.toml").display().to_string();
    let more = folder.path().join("more").display().to_string();
    let enrolled = fleet(&["enrol", "--config", &config, "--count", "2", "--out", &more]);
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    assert!(folder.path().join("more/fleet-00008/terminal.toml").is_file());

    // An office that has lost a fact is found out.
    gateway.stop(Duration::from_secs(60)).unwrap();
    let store = Connection::open(dir.join("office/meguri.db")).unwrap();
    store.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM fact WHERE seq = 2").unwrap();
    drop(store);
    let _gateway = serve(&dir);
    let (status, third) = small(&dir, &["--office-data", &office]);
    let differs = third["differs"].as_str().unwrap_or_default();
    assert!(status == Some(2) && differs.contains("confirmed and not held"), "{third}");
}

#[test]
fn real_names_are_not_used_by_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = folder.path().join("terminals/t-0001");
    fs::create_dir_all(&terminal).unwrap();
    let settings = "version = 1\ncity = \"hiroshima\"\nterminal = \"t-0001\"\ncontractor = \"a\"\ncontract = \"b\"\n\
                    vehicle = \"c\"\n[broker]\nhost = \"127.0.0.1\"\nport = 1\nsecret_file = \"secret\"\n";
    fs::write(terminal.join("terminal.toml"), settings).unwrap();
    let terminals = folder.path().join("terminals").display().to_string();
    let output = fleet(&["run", &format!("{SCENARIOS}/small.toml"), "--terminals", &terminals]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("t-0001 is not marked"), "{said}");
}
