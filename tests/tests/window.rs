//! A tablet from its box to its first collection, in a real window: it is enrolled by a scanned code, its crew signs in on
//! the screen's keys, and collects. Needs `Xvfb` and `xdotool`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../app/tests/display/mod.rs"]
mod display;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use display::{Display, wait};
use meguri_tests::harness::eventually;
use meguri_tests::harness::process::program;
use meguri_tests::harness::scene::{Broker, Scene};
use serde_json::Value;

/// Colours of the screens (app/ui/theme.slint): the page and the surface on it, what is chosen, and what goes on.
const PAGE: u32 = 0x00EE_F0EC;
const CHOSEN: u32 = 0x00DD_EFE4;
const GO: u32 = 0x000A_6B3C;

/// The tablet's program, killed with the test.
struct Tablet(Child);

impl Tablet {
    fn start(display: &Display, scene: &Scene, folder: &Path) -> Self {
        let log = fs::File::options().create(true).append(true).open(folder.join("tablet.log")).unwrap();
        let child = Command::new(program("tablet").unwrap())
            .arg("--settings")
            .arg(folder.join("terminal.toml"))
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--rehearsal")
            .arg(scene.dir().join("clock.toml"))
            .env("DISPLAY", &display.name)
            .env("SLINT_BACKEND", "winit-software")
            .env("SLINT_SCALE_FACTOR", "1")
            .env_remove("FONTCONFIG_FILE")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Tablet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the keys of the sign-in stand in a window of 1280x800.
fn key(digit: char) -> (usize, usize) {
    let (columns, rows) = ([886, 1_030, 1_174], [256, 344, 432]);
    match digit.to_digit(10).unwrap() as usize {
        0 => (columns[1], 520),
        digit => (columns[(digit - 1) % 3], rows[(digit - 1) / 3]),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn from_its_box_to_its_first_collection() {
    let scene = Scene::set_certified(Broker::Embedded, &["v01"], 12).unwrap();
    let display = Display::start();
    let folder = scene.dir().join("tablet");
    fs::create_dir_all(&folder).unwrap();
    let shows = |what: &str, x, y, colour| {
        wait(what, || (display.colour(x, y) == colour).then_some(()));
    };

    // Nothing is on it: it asks for a code. What is scanned comes as keys, with Enter behind.
    let tablet = Tablet::start(&display, &scene, &folder);
    let window = display.window();
    display.xdotool(&["windowfocus", "--sync", &window]);
    shows("the screen that asks for a code", 10, 10, PAGE);
    let code = json(&scene.office.must(&["terminal", "enrol", "t-1", "--json"]).unwrap());
    display.xdotool(&["type", "--delay", "4", code["scan"].as_str().unwrap()]);
    display.xdotool(&["key", "Return"]);
    let online =
        || (scene.office.number("SELECT online FROM terminal WHERE id = 't-1'").unwrap() == 1).then_some(());
    eventually("it has come in", online);
    assert!(folder.join("terminal.toml").is_file() && folder.join("identity/current.pem").is_file());
    // The program has started itself anew as that terminal: the first stop is open.
    shows("the day's list", 400, 235, CHOSEN);

    // Its crew gets a PIN, and the device starts anew.
    let contractor: String = scene
        .office
        .store()
        .unwrap()
        .query_row(
            "SELECT contractor FROM contract JOIN terminal ON contract.id = terminal.contract",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let told = scene.office.must(&[
        "crew",
        "add",
        "m-1",
        "--contractor",
        &contractor,
        "--name",
        "乗務員 甲",
        "--json",
    ]);
    let pin = json(&told.unwrap())["pin"].as_str().unwrap().to_owned();
    let store = folder.join("data/terminal.db");
    eventually("the crew is known", || {
        let store = rusqlite::Connection::open(&store).ok()?;
        let known = "SELECT count(*) FROM document WHERE name = 'crew' AND body LIKE '%m-1%'";
        store.query_row(known, [], |row| row.get::<_, i64>(0)).ok().filter(|count| *count == 1)
    });
    drop(tablet);
    let _tablet = Tablet::start(&display, &scene, &folder);
    display.window();
    shows("the sign-in", 640, 700, PAGE);
    let mut x = 300;
    wait("the member is chosen", || {
        // A pointer that is there already would be waited for.
        x ^= 1;
        display.click(x, 160);
        (display.colour(600, 160) == CHOSEN).then_some(())
    });
    for digit in pin.chars() {
        let (x, y) = key(digit);
        display.click(x, y);
        // The same key twice: the pointer has to move in between.
        display.xdotool(&["mousemove", "--sync", "640", "740"]);
    }
    shows("all digits are typed", 850, 640, GO);
    display.click(1_030, 610);
    shows("the day's list again", 400, 235, CHOSEN);
    // Collected.
    display.click(1_035, 735);
    eventually("the office has it, and who it was", || {
        let by = "SELECT count(*) FROM fact WHERE body ->> 'crew' = 'm-1'";
        (scene.office.number(by).unwrap() == 1).then_some(())
    });
}
