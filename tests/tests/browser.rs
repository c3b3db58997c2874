//! The office's pages as people use them, in Debian's Chromium by Playwright, with axe-core on each: `tests/browser/office.mjs`, over TLS,
//! against the program itself.
//!
//! Needs Node.js, and what `npm ci --prefix tests/browser` installs; `make test` sees to both.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use meguri_tests::harness::process::program;
use meguri_tests::harness::scene::{Broker, Scene};
use serde_json::json;

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
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    assert!(
        scripts.join("node_modules/playwright-core").is_dir(),
        "Playwright is not there: run `npm ci --prefix tests/browser`, as `make test` does"
    );
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

    // The tablet's face, so that pages are as wide on a machine without Japanese fonts.
    let faces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/fonts");
    let fonts = scene.dir().join("fonts.conf");
    let include = "<include ignore_missing=\"yes\">/etc/fonts/fonts.conf</include>";
    fs::write(&fonts, format!("<fontconfig><dir>{}</dir>{include}</fontconfig>", faces.display())).unwrap();
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
        // For the book: `make screenshots`.
        "pictures": std::env::var("MEGURI_PICTURES").ok(),
        "every": std::env::var("MEGURI_PICTURES_ALL").is_ok(),
    });
    let status = Command::new("node")
        .arg(scripts.join("office.mjs"))
        .env("MEGURI_BROWSER", told.to_string())
        .env("FONTCONFIG_FILE", fonts)
        .status()
        .expect("can't run node (Debian: nodejs)");
    assert!(status.success(), "see what it said above");

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
