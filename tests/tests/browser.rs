//! The office's pages as people use them, in Debian's Chromium by Playwright, with axe-core on each: `tests/browser/*.mjs`, over TLS,
//! against the program itself.
//!
//! Needs Node.js, and what `npm ci --prefix tests/browser` installs; `make test` sees to both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use meguri_config::City;
use meguri_tests::harness::console::Console;
use meguri_tests::harness::office::Office;
use meguri_tests::harness::port::Port;
use meguri_tests::harness::process::program;
use meguri_tests::harness::scene::{Broker, Scene, write_clock};
use serde_json::{Value, json};

/// Where the scripts lie.
fn scripts() -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(
        scripts.join("node_modules/playwright-core").is_dir(),
        "Playwright is not there: run `npm ci --prefix tests/browser`, as `make test` does"
    );
    scripts
}

/// Runs a script, which is told some things; `dir` is for what it needs beside them.
fn visit(script: &str, dir: &Path, mut told: Value) {
    // The tablet's face, so that pages are as wide on a machine without Japanese fonts.
    let faces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/fonts");
    let fonts = dir.join("fonts.conf");
    let include = "<include ignore_missing=\"yes\">/etc/fonts/fonts.conf</include>";
    fs::write(&fonts, format!("<fontconfig><dir>{}</dir>{include}</fontconfig>", faces.display())).unwrap();
    // For the book: `make screenshots`.
    told["pictures"] = json!(std::env::var("MEGURI_PICTURES").ok());
    told["every"] = json!(std::env::var("MEGURI_PICTURES_ALL").is_ok());
    let status = Command::new("node")
        .arg(scripts().join(script))
        .env("MEGURI_BROWSER", told.to_string())
        .env("FONTCONFIG_FILE", fonts)
        .status()
        .expect("can't run node (Debian: nodejs)");
    assert!(status.success(), "see what it said above");
}

/// Whether a text holds a number by itself, and not as a part of a time or a digest.
fn says(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + number.len()..].chars().next();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
            && !after.is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

#[test]
fn people_find_their_way_and_no_page_shuts_anybody_out() {
    let mut scene = Scene::set_certified(Broker::Embedded, &["v01", "v05"], 12).unwrap();
    scene.office.stop().unwrap();
    // As a city has it: whoever administers needs a second factor.
    scene
        .office
        .change_settings(|settings| {
            settings["people"].as_table_mut().unwrap().remove("second_factor");
            settings["log"].as_table_mut().unwrap().insert("level".to_owned(), "trace".into());
        })
        .unwrap();
    scene.office.start().unwrap();

    let drawn = scene.dir().join("code");
    let told = json!({
        "page": scene.office.page().unwrap(),
        "door": scene.office.door().unwrap(),
        "setup": scene.office.data().join("setup-code"),
        "terminal": program("terminal").unwrap(),
        "folder": scene.dir().join("device"),
        "rehearsal": scene.dir().join("clock.toml"),
        "code": drawn,
        "reception": scene.receptions("v01")[0],
    });
    visit("office.mjs", &scene.dir(), told);

    // No code and no PIN is in a log, however much is told.
    let code = fs::read_to_string(&drawn).unwrap();
    let pins = fs::read_to_string(drawn.with_extension("pins")).unwrap();
    scene.office.stop().unwrap();
    let log = fs::read_to_string(scene.dir().join("gateway.log")).unwrap();
    assert!(log.contains("DEBUG"), "as talkative as it gets");
    let mut audit = String::new();
    for file in fs::read_dir(scene.office.data().join("audit")).unwrap() {
        audit.push_str(&fs::read_to_string(file.unwrap().path()).unwrap());
    }
    for code in [code.clone(), code.replace('-', "")] {
        assert!(!log.contains(&code) && !audit.contains(&code), "a code is in a log");
    }
    assert_eq!(pins.lines().count(), 5);
    for pin in pins.lines() {
        assert!(!says(&log, pin) && !says(&audit, pin), "a PIN is in a log");
    }
    assert!(says("pin=273941 given", "273941") && !says("10:00:00.273941Z", "273941"));
    assert!(scene.office.must(&["audit", "verify"]).unwrap().contains("whole"));
}

#[test]
fn a_city_leads_a_switchover_on_its_pages() {
    let plan = scripts().join("plan");
    let folder = tempfile::Builder::new().prefix("meguri-").tempdir().unwrap();
    let dir = folder.path();
    let clock = dir.join("clock.toml");
    write_clock(&clock, "2027-03-08T01:00:00Z".parse().unwrap(), 1.0).unwrap();
    let city =
        City::parse("city.toml".as_ref(), &fs::read_to_string(plan.join("city.toml")).unwrap()).unwrap();
    let broker = Port::take().unwrap();
    let mut office = Office::set_up(dir, &city, Some(&clock), broker.address(), None).unwrap();
    office.set_up_tls().unwrap();
    let names: Vec<String> = (1..=7).map(|n| format!("t-000{n}")).collect();
    for (n, name) in (1..).zip(&names) {
        office.must(&["terminal", "add", name, "--vehicle", &format!("v0{n}")]).unwrap();
    }
    let password = dir.join("password");
    fs::write(&password, "kumo to yama to kawa\n").unwrap();
    let file = password.display().to_string();
    for (login, name, role) in [
        ("kian", "起案 一郎", &["administrator"] as &[&str]),
        ("kacho", "承認 二郎", &["administrator"]),
        ("haisha1", "配車 一美", &["dispatcher", "--contractor", "k1"]),
        ("haisha3", "配車 三美", &["dispatcher", "--contractor", "k3"]),
        ("haisha4", "配車 四美", &["dispatcher", "--contractor", "k4"]),
    ] {
        let mut add = vec!["person", "add", login, "--name", name, "--password-file", &file, "--role"];
        add.extend(role);
        office.must(&add).unwrap();
    }
    office.start().unwrap();
    let terminal = program("terminal").unwrap();
    // All but one, which nobody has taken into use; their lines are cut when these are dropped.
    let enrolled: Vec<Console> = names[..6]
        .iter()
        .map(|name| {
            let shown = office.must(&["terminal", "enrol", name, "--json"]).unwrap();
            let shown: Value = serde_json::from_str(&shown).unwrap();
            fs::create_dir(dir.join(name)).unwrap();
            let mut enrol = Command::new(&terminal);
            enrol.arg("--settings").arg(dir.join(name).join("terminal.toml"));
            let done = enrol.args(["enrol", shown["scan"].as_str().unwrap()]).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Console::set_up(&dir.join(name), broker.address(), Some(&clock), |_| {}).unwrap()
        })
        .collect();
    let told = json!({
        "page": office.page().unwrap(),
        "door": office.door().unwrap(),
        "broker": broker.address().port(),
        "terminal": terminal,
        "config": program("meguri-config").unwrap(),
        "folder": dir,
        "plan": plan,
        "rehearsal": clock,
        "password": "kumo to yama to kawa",
    });
    visit("switchover.mjs", dir, told);
    drop(enrolled);
    office.stop().unwrap();
    assert!(office.must(&["audit", "verify"]).unwrap().contains("whole"));
}
