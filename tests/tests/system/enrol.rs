//! Terminals that enrol by a code, come in by certificate, and renew it: with real programs over TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use meguri_config::Terminal;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::console::Console;
use meguri_tests::harness::eventually;
use meguri_tests::harness::office::Office;
use meguri_tests::harness::plain::Plain;
use meguri_tests::harness::process::program;
use meguri_tests::harness::proxy::Proxy;
use meguri_tests::harness::scene::{Broker, Scene, await_list, write_clock};
use serde_json::Value;

use super::{await_sent, collect};

/// An office with TLS and terminals that are made and have not enrolled.
pub(super) fn office(vehicles: &[&str]) -> Scene {
    Scene::set_certified(Broker::Embedded, vehicles, 12).unwrap()
}

/// A code for a terminal, as the office shows it.
pub(super) fn code(office: &Office, terminal: &str) -> Value {
    let said = office.must(&["terminal", "enrol", terminal, "--json"]).unwrap();
    serde_json::from_str(&said).unwrap()
}

/// Has a device enrol by what is scanned; its folder is made where there is none.
pub(super) fn enrol(folder: &Path, scanned: &str, more: &[&str]) -> Output {
    fs::create_dir_all(folder).unwrap();
    let mut command = Command::new(program("terminal").unwrap());
    command.arg("--settings").arg(folder.join("terminal.toml")).args(["enrol", scanned]).args(more);
    command.env_remove("RUST_BACKTRACE").output().unwrap()
}

pub(super) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A device that has enrolled, behind a line of its own.
pub(super) fn enrolled(scene: &Scene, terminal: &str) -> Console {
    let folder = scene.dir().join(format!("device-{terminal}"));
    let shown = code(&scene.office, terminal);
    let done = enrol(&folder, shown["scan"].as_str().unwrap(), &[]);
    assert!(done.status.success(), "{}", said(&done));
    device(scene, &folder)
}

pub(super) fn device(scene: &Scene, folder: &Path) -> Console {
    let clock = scene.dir().join("clock.toml");
    Console::set_up(folder, scene.broker(), Some(&clock), |_| {}).unwrap()
}

pub(super) fn identity(scene: &Scene, terminal: &str) -> PathBuf {
    scene.dir().join(format!("device-{terminal}/identity"))
}

/// When a certificate of today is due to be renewed, and not over: after two thirds of its 500 days, and its own while.
pub(super) fn due_by_now() -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 357)
}

/// Waits until the line stands as `link` says.
pub(super) fn await_link(terminal: &mut Console, link: &str) {
    eventually(&format!("the line is {link}"), || (terminal.status().unwrap()["link"] == link).then_some(()));
}

/// Waits until the terminal has tried and was not let in.
fn await_refused(scene: &Scene, folder: &Path, terminal: &mut Console) {
    eventually("it has tried", || {
        let log = fs::read_to_string(folder.join("terminal.log")).unwrap_or_default();
        (log.matches("line lost").count() >= 3).then_some(())
    });
    assert_ne!(terminal.status().unwrap()["link"], "up");
    let name = terminal.name();
    let heard = format!("SELECT count(*) FROM terminal WHERE id = '{name}' AND last_heard_at IS NOT NULL");
    assert_eq!(scene.office.number(&heard).unwrap(), 0, "the office has heard it");
}

#[test]
fn a_terminal_enrols_and_works() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..6], &mut books);
    await_sent(&mut scene, 0, &books);
    // The office restarts; the terminal comes back by the same certificate.
    scene.office.kill();
    scene.office.start().unwrap();
    collect(&mut scene, 0, &list[6..12], &mut books);
    await_sent(&mut scene, 0, &books);
    books.check(&scene.office.store().unwrap()).unwrap();
    assert!(identity(&scene, "t-1").join("current.pem").is_file());
    assert!(!identity(&scene, "t-1").join("next.pem").exists());
}

#[test]
fn a_code_is_good_once_and_for_its_office_alone() {
    let scene = office(&["v01", "v02"]);
    let (shown, folder) = (code(&scene.office, "t-1"), scene.dir().join("one"));
    let scanned = shown["scan"].as_str().unwrap();
    let typed = shown["code"].as_str().unwrap();
    let wrong: String = format!("{}{}", &typed[..typed.len() - 4], "0000");
    let door = scene.office.door().unwrap();

    let refused = enrol(&folder, &wrong, &["--office", door]);
    assert!(
        !refused.status.success() && said(&refused).contains("ask the office for a new one"),
        "{}",
        said(&refused)
    );
    assert!(!folder.join("terminal.toml").exists());
    let unknown = enrol(&folder, "0000-0000-0000-0000", &["--office", door]);
    let (one, other) = (said(&refused), said(&unknown));
    assert_eq!(one.lines().last(), other.lines().last(), "which codes there are is nobody's business");

    // In lower case, without hyphens, as a person types it.
    let done = enrol(&folder, &typed.to_lowercase().replace('-', ""), &["--office", door]);
    assert!(done.status.success(), "{}", said(&done));
    let second = enrol(&scene.dir().join("two"), scanned, &[]);
    assert!(!second.status.success(), "a code that was seen on the screen, by another device");
    let again = enrol(&folder, scanned, &[]);
    assert!(said(&again).contains("--again"), "{}", said(&again));

    // A new code voids the one before.
    let (first, newer) = (code(&scene.office, "t-2"), code(&scene.office, "t-2"));
    assert!(!enrol(&scene.dir().join("three"), first["scan"].as_str().unwrap(), &[]).status.success());
    assert!(enrol(&scene.dir().join("three"), newer["scan"].as_str().unwrap(), &[]).status.success());
    // Blocking voids an open code; one that is drawn after it lets the terminal in again.
    let open = code(&scene.office, "t-2");
    let blocked = scene.office.must(&["terminal", "block", "t-2"]).unwrap();
    assert!(blocked.contains("blocked"));
    let four = scene.dir().join("four");
    assert!(!enrol(&four, open["scan"].as_str().unwrap(), &[]).status.success());
    let again = code(&scene.office, "t-2");
    assert!(enrol(&four, again["scan"].as_str().unwrap(), &[]).status.success());
    let blocked = "SELECT count(*) FROM terminal WHERE blocked_at IS NOT NULL";
    assert_eq!(scene.office.number(blocked).unwrap(), 0);
    let taken = "SELECT count(*) FROM certificate WHERE terminal = 't-2' AND ended_at IS NULL";
    assert_eq!(scene.office.number(taken).unwrap(), 1, "the key of the lost one is over");

    // Secrets stay where they belong.
    let log = fs::read_to_string(scene.dir().join("gateway.log")).unwrap();
    for secret in [typed, newer["code"].as_str().unwrap()] {
        assert!(!log.contains(secret) && !log.contains(&secret.replace('-', "")), "a code in the log");
    }
}

#[test]
fn a_code_tried_too_often_is_void() {
    let scene = office(&["v01"]);
    let shown = code(&scene.office, "t-1");
    let (typed, door) = (shown["code"].as_str().unwrap(), scene.office.door().unwrap());
    for last in ["0000", "1111", "2222", "3333", "4444"] {
        let wrong = format!("{}{last}", &typed[..typed.len() - 4]);
        if wrong != typed {
            assert!(!enrol(&scene.dir().join("one"), &wrong, &["--office", door]).status.success());
        }
    }
    assert!(!enrol(&scene.dir().join("one"), typed, &["--office", door]).status.success());
}

#[test]
fn an_answer_that_was_lost_is_given_again_to_the_same_device_alone() {
    let scene = office(&["v01"]);
    let shown = code(&scene.office, "t-1");
    let door = scene.office.door().unwrap();
    let line = Proxy::start(door.trim_start_matches("https://").parse().unwrap()).unwrap();
    let through = format!("https://{}", line.address());
    let folder = scene.dir().join("device-t-1");
    // The request arrives; of the answer nothing does. TLS 1.3 has three records up before the request and none of it is lost.
    let store = scene.office.store().unwrap();
    let issued =
        move || -> i64 { store.query_row("SELECT count(*) FROM certificate", [], |row| row.get(0)).unwrap() };
    line.rule(move |way, _| {
        use meguri_tests::harness::proxy::{Verdict, Way};
        if way == Way::Down && issued() > 0 { Verdict::LoseAndCut } else { Verdict::Pass }
    });
    let typed = shown["code"].as_str().unwrap();
    let lost = enrol(&folder, typed, &["--office", &through]);
    assert!(!lost.status.success(), "{}", said(&lost));
    assert_eq!(scene.office.number("SELECT count(*) FROM certificate").unwrap(), 1);
    assert!(!enrol(&scene.dir().join("other"), typed, &["--office", door]).status.success());
    let done = enrol(&folder, typed, &["--office", door]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(scene.office.number("SELECT count(*) FROM certificate").unwrap(), 1, "the same certificate");
    let mut terminal = device(&scene, &folder);
    terminal.start().unwrap();
    await_list(&mut terminal).unwrap();
}

#[test]
fn nobody_comes_in_without_a_certificate() {
    let scene = office(&["v01"]);
    let secret = Terminal::read(&scene.dir().join("t-1/terminal.toml")).unwrap().secret().unwrap();
    assert!(Plain::connect(scene.broker(), "t-1", "t-1", &secret).is_err(), "no line without TLS");
    // The office's own line is on this machine, and for the office alone.
    let log = fs::read_to_string(scene.dir().join("gateway.log")).unwrap();
    let at = log.lines().rfind(|line| line.contains("connected to the broker")).unwrap();
    let port = at.rsplit_once("port=").unwrap().1.trim().parse().unwrap();
    let own = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert!(Plain::connect(own, "t-1", "t-1", &secret).is_err(), "a terminal by the office's door");
    assert!(Plain::connect(own, "office:embedded", "office:embedded", "guess").is_err());
}

#[test]
fn an_enrolment_that_was_cut_goes_on_with_its_code() {
    let scene = office(&["v01"]);
    let shown = code(&scene.office, "t-1");
    let folder = scene.dir().join("device-t-1");
    // The settings can't be written: where they belong stands a folder.
    fs::create_dir_all(folder.join("terminal.new/full")).unwrap();
    let cut = enrol(&folder, shown["scan"].as_str().unwrap(), &[]);
    assert!(!cut.status.success() && !folder.join("terminal.toml").exists(), "{}", said(&cut));
    fs::remove_dir_all(folder.join("terminal.new")).unwrap();
    let done = enrol(&folder, shown["scan"].as_str().unwrap(), &[]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(scene.office.number("SELECT count(*) FROM certificate").unwrap(), 1, "the same certificate");
    // Enrolled anew without an office to be reached: what there is stays.
    let nowhere = enrol(&folder, "0000-0000-0000-0000", &["--office", "https://127.0.0.1:1", "--again"]);
    assert!(!nowhere.status.success());
    let mut terminal = device(&scene, &folder);
    terminal.start().unwrap();
    await_list(&mut terminal).unwrap();
}

#[test]
fn a_relative_path_enrols() {
    let scene = office(&["v01"]);
    let folder = scene.dir().join("here");
    fs::create_dir(&folder).unwrap();
    let shown = code(&scene.office, "t-1");
    let done = Command::new(program("terminal").unwrap())
        .current_dir(&folder)
        .args(["--settings", "terminal.toml", "enrol", shown["scan"].as_str().unwrap()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert!(folder.join("identity/next.pem").is_file() && folder.join("terminal.toml").is_file());
}

#[test]
fn another_authority_is_not_made_while_terminals_go_by_the_first() {
    let mut scene = office(&["v01"]);
    drop(enrolled(&scene, "t-1"));
    scene.office.stop().unwrap();
    fs::rename(scene.office.data().join("ca"), scene.dir().join("ca")).unwrap();
    let refused = scene.office.run(&["serve"]).unwrap();
    assert!(!refused.status.success() && said(&refused).contains("put it back"), "{}", said(&refused));
    fs::rename(scene.dir().join("ca"), scene.office.data().join("ca")).unwrap();
    scene.office.start().unwrap();
}

#[test]
fn new_settings_of_a_terminal_keep_its_certificate() {
    let scene = office(&["v01"]);
    let out = scene.dir().join("new");
    scene
        .office
        .must(&["terminal", "bind", "t-1", "--vehicle", "v05", "--out", out.to_str().unwrap()])
        .unwrap();
    let settings = Terminal::read(&out.join("terminal.toml")).unwrap();
    assert_eq!(settings.broker.identity, Some(out.join("identity")));
    assert_eq!(settings.broker.office.as_deref(), Some(scene.office.door().unwrap()));
    assert_eq!(settings.broker.port, scene.broker().port());
    // With TLS nobody is handed a secret.
    let refused =
        scene.office.run(&["terminal", "add", "t-9", "--vehicle", "v05", "--out", "elsewhere"]).unwrap();
    assert!(!refused.status.success());
    let made = scene.office.must(&["terminal", "add", "t-9", "--vehicle", "v05"]).unwrap();
    assert!(made.contains("terminal enrol t-9") && !made.contains("secret"), "{made}");
}

#[test]
fn who_only_opens_connections_keeps_nobody_out() {
    let scene = office(&["v01"]);
    let door: std::net::SocketAddr =
        scene.office.door().unwrap().trim_start_matches("https://").parse().unwrap();
    let open = |address: std::net::SocketAddr, count: usize| -> Vec<std::net::TcpStream> {
        (0..count).map(|_| std::net::TcpStream::connect(address).unwrap()).collect()
    };
    let half = open(door, 500);
    let mut terminal = enrolled(&scene, "t-1");
    drop(half);
    let half = open(scene.broker(), 500);
    terminal.start().unwrap();
    await_list(&mut terminal).unwrap();
    drop(half);
}

#[test]
fn a_blocked_terminal_is_out_within_a_second() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    await_link(&mut scene.terminals[0], "up");
    let before = Instant::now();
    scene.office.must(&["terminal", "block", "t-1"]).unwrap();
    eventually("it is out", || (scene.terminals[0].status().unwrap()["link"] != "up").then_some(()));
    // Generous beside the second that is promised: the command's own start counts here.
    assert!(before.elapsed() < Duration::from_secs(20));
    await_link(&mut scene.terminals[0], "refused");
    let renew = scene.office.number("SELECT count(*) FROM certificate WHERE ended_at IS NULL").unwrap();
    assert_eq!(renew, 1, "let in again, it need not enrol anew");
    scene.office.must(&["terminal", "unblock", "t-1"]).unwrap();
    await_link(&mut scene.terminals[0], "up");
}

#[test]
fn one_terminals_certificate_opens_no_other() {
    let scene = office(&["v01", "v02"]);
    drop(enrolled(&scene, "t-1"));
    drop(enrolled(&scene, "t-2"));
    // The settings of t-2 with the key and certificate of t-1, as of a stolen tablet.
    let folder = scene.dir().join("device-t-2");
    fs::copy(identity(&scene, "t-1").join("next.pem"), identity(&scene, "t-2").join("next.pem")).unwrap();
    let mut terminal = device(&scene, &folder);
    terminal.start().unwrap();
    await_refused(&scene, &folder, &mut terminal);
}

#[test]
fn another_authoritys_certificate_is_none() {
    let (mut scene, other) = (office(&["v01"]), office(&["v01"]));
    // A terminal of another office of the same city's name: it believes another authority, and the other way round.
    drop(enrolled(&other, "t-1"));
    let folder = other.dir().join("device-t-1");
    let mut terminal = Console::set_up(&folder, scene.broker(), None, |_| {}).unwrap();
    terminal.start().unwrap();
    await_refused(&scene, &folder, &mut terminal);
    drop(terminal);
    // Also where it is made to believe this one.
    let authority = scene.office.data().join("ca/authority.pem");
    fs::copy(authority, folder.join("identity/authority.pem")).unwrap();
    fs::remove_file(folder.join("terminal.log")).unwrap();
    let mut terminal = Console::set_up(&folder, scene.broker(), None, |_| {}).unwrap();
    terminal.start().unwrap();
    await_link(&mut terminal, "refused");
    await_refused(&scene, &folder, &mut terminal);
    scene.office.stop().unwrap();
}

#[test]
fn a_certificate_is_renewed_and_the_one_before_is_not_taken_any_more() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    await_link(&mut scene.terminals[0], "up");
    let current = identity(&scene, "t-1").join("current.pem");
    let before = eventually("it has come in", || fs::read(&current).ok());
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..3], &mut books);
    // Both clocks, the office's and the terminal's, go on to a year later; days go by for nobody else.
    write_clock(&scene.dir().join("clock.toml"), due_by_now(), 1.0).unwrap();
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    eventually("it is renewed", || {
        let new = fs::read(&current).ok()?;
        (new != before && !identity(&scene, "t-1").join("next.pem").exists()).then_some(())
    });
    await_link(&mut scene.terminals[0], "up");
    await_sent(&mut scene, 0, &books);
    eventually("the one before is over", || {
        let over = "SELECT count(*) FROM certificate WHERE ended_at IS NOT NULL";
        (scene.office.number(over).unwrap() == 1).then_some(())
    });
    assert_eq!(scene.office.number("SELECT count(*) FROM certificate").unwrap(), 2);
    // A copy of the old key, as of a backup of the tablet.
    scene.terminals[0].quit().unwrap();
    fs::write(&current, before).unwrap();
    scene.terminals[0].start().unwrap();
    await_link(&mut scene.terminals[0], "refused");
}

#[test]
fn a_device_whose_clock_says_2015_comes_in() {
    a_device_whose_clock_says("@2015-01-01 00:00:00");
}

#[test]
fn a_device_whose_clock_says_2040_comes_in() {
    a_device_whose_clock_says("@2040-01-01 00:00:00");
}

fn a_device_whose_clock_says(time: &str) {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    // Nobody tells it the time at first.
    scene.terminals[0].line().refuse(true);
    let mut command = scene.terminals[0].command_line().unwrap();
    let library = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"]
        .iter()
        .map(|folder| Path::new(folder).join("libfaketimeMT.so.1"))
        .find(|library| library.is_file())
        .expect("libfaketime is installed");
    command.env("LD_PRELOAD", library).env("FAKETIME", time).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    scene.terminals[0].start_as(&mut command).unwrap();
    let log = scene.dir().join("device-t-1/terminal.log");
    eventually("it has tried", || {
        fs::read_to_string(&log).unwrap_or_default().contains("line lost").then_some(())
    });
    // Meanwhile the office shows a certificate that begins only now, as one that was made anew.
    scene.office.stop().unwrap();
    for name in ["office.pem", "office.key"] {
        fs::remove_file(scene.office.data().join("ca").join(name)).unwrap();
    }
    scene.office.start().unwrap();
    scene.terminals[0].line().refuse(false);
    await_list(&mut scene.terminals[0]).unwrap();
    await_link(&mut scene.terminals[0], "up");
}

#[test]
fn a_terminal_enrols_anew_and_stays_the_same_one() {
    let mut scene = office(&["v01", "v02"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..3], &mut books);
    scene.terminals[0].quit().unwrap();
    let folder = scene.dir().join("device-t-1");
    let other = code(&scene.office, "t-2");
    let refused = enrol(&folder, other["scan"].as_str().unwrap(), &["--again"]);
    assert!(!refused.status.success() && said(&refused).contains("t-2"), "{}", said(&refused));
    let own = code(&scene.office, "t-1");
    let done = enrol(&folder, own["scan"].as_str().unwrap(), &["--again"]);
    assert!(done.status.success(), "{}", said(&done));
    scene.terminals[0] = device(&scene, &folder);
    scene.terminals[0].start().unwrap();
    await_sent(&mut scene, 0, &books);
    books.check(&scene.office.store().unwrap()).unwrap();
}
