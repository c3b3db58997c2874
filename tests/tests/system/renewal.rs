//! A renewal that is interrupted at every step ends with a certificate that works.
//!
//! Its steps: (1) the next key and its request are written, `asked.pem`; (2) the door is connected to, TLS is spoken, the request is sent;
//! (3) the office makes the certificate, commits it, writes it down, tells the broker, and answers; (4) key and certificate are
//! written, `next.pem`; (5) the request is removed; (6) the line is made anew by the next certificate; (7) the broker lets it
//! in, and `next.pem` takes the place of `current.pem`; (8) the office takes the one before no more.
//! Here every record of TLS on the way to the door and of the new line to the broker is a place to cut the network, to kill
//! the terminal or to kill the office; and every call by which the terminal changes a file is one to kill it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use meguri_config::Terminal;
use meguri_tests::bench::renewals::{self, Plan};
use meguri_tests::bench::stage::Size;
use meguri_tests::harness::eventually;
use meguri_tests::harness::proxy::{Proxy, Rule, Verdict, Way};
use meguri_tests::harness::scene::{Broker, Scene, write_clock};

use super::enrol::{await_link, due_by_now, enrolled, identity};

/// What happens at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Cut,
    KillTerminal,
    KillOffice,
}

/// On which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Door,
    Broker,
}

#[test]
fn whose_network_is_cut_at_any_record() {
    at_every_record(Fault::Cut);
}

#[test]
fn whose_terminal_loses_power_at_any_record() {
    at_every_record(Fault::KillTerminal);
}

#[test]
fn whose_office_is_killed_at_any_record() {
    at_every_record(Fault::KillOffice);
}

/// A terminal that is due to renew whenever it starts: its time is always two thirds into the certificate's life. It reaches the
/// door through a line of its own.
fn due() -> (Scene, Proxy) {
    let mut scene = Scene::set_certified(Broker::Embedded, &["v01"], 12).unwrap();
    scene.terminals.push(enrolled(&scene, "t-1"));
    let door = Proxy::start(address(scene.office.door().unwrap())).unwrap();
    let path = scene.dir().join("device-t-1/terminal.toml");
    let mut settings = Terminal::read(&path).unwrap();
    settings.broker.office = Some(format!("https://{}", door.address()));
    fs::write(&path, toml::to_string(&settings).unwrap()).unwrap();
    // Once as it is enrolled, so that it has a certificate in use.
    scene.start_terminals().unwrap();
    let current = identity(&scene, "t-1").join("current.pem");
    eventually("it has come in", || current.is_file().then_some(()));
    scene.terminals[0].kill();
    write_clock(&scene.dir().join("clock.toml"), due_by_now(), 1.0).unwrap();
    (scene, door)
}

fn address(door: &str) -> std::net::SocketAddr {
    door.trim_start_matches("https://").parse().unwrap()
}

/// Counts records from the first that counts on; at the `nth` it tells, and waits for leave to lose it.
fn at_record(
    nth: u32,
    seen: Arc<AtomicU32>,
    reached: mpsc::Sender<()>,
    leave: mpsc::Receiver<()>,
    from: impl Fn() -> bool + Send + 'static,
) -> Rule {
    let mut counting = false;
    Box::new(move |way, record| {
        // A line begins with a record of the handshake.
        counting |= way == Way::Up && record.bytes()[0] == 22 && from();
        if !counting {
            return Verdict::Pass;
        }
        if seen.fetch_add(1, Ordering::SeqCst) != nth {
            return Verdict::Pass;
        }
        // The test may have ended.
        let _ = reached.send(());
        let _ = leave.recv();
        Verdict::LoseAndCut
    })
}

/// What the terminal has said since its last start.
fn since(scene: &Scene, start: usize) -> String {
    let log = fs::read(scene.dir().join("device-t-1/terminal.log")).unwrap_or_default();
    String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
}

/// Starts the terminal. Says from where on its log is of this life.
fn start(scene: &mut Scene) -> usize {
    let said = since(scene, 0).len();
    scene.terminals[0].start().unwrap();
    said
}

/// Has the terminal renew undisturbed, from whatever is left of the renewal before, and ends it.
fn settle(scene: &mut Scene) {
    scene.terminals[0].kill();
    let (started, folder) = (start(scene), identity(scene, "t-1"));
    eventually("undisturbed, it renews and comes in", || {
        let renewed = since(scene, started).contains("the certificate is renewed");
        let settled = ["asked.pem", "next.pem"].iter().all(|file| !folder.join(file).exists());
        (renewed && settled && scene.terminals[0].status().unwrap()["link"] == "up").then_some(())
    });
    scene.terminals[0].kill();
}

fn at_every_record(fault: Fault) {
    let (mut scene, door) = due();
    let next = identity(&scene, "t-1").join("next.pem");
    let mut tried = [0, 0];
    for (line, tried) in [Line::Door, Line::Broker].into_iter().zip(&mut tried) {
        for nth in 0.. {
            let seen = Arc::new(AtomicU32::new(0));
            let ((reached, at), (let_go, leave)) = (mpsc::channel(), mpsc::channel());
            let waiting = next.clone();
            let begun = move || line == Line::Door || waiting.exists();
            let rule = at_record(nth, seen, reached, leave, begun);
            match line {
                Line::Door => door.rule(rule),
                Line::Broker => scene.terminals[0].line().rule(rule),
            }
            let started = start(&mut scene);
            let hit = eventually("the renewal comes to that record, or to its end", || {
                let hit = at.try_recv().is_ok();
                let done = || since(&scene, started).contains("came in by the new certificate");
                (hit || done()).then_some(hit)
            });
            match fault {
                Fault::KillTerminal if hit => scene.terminals[0].kill(),
                Fault::KillOffice if hit => scene.office.kill(),
                _ => {}
            }
            // It does not wait where it was not reached.
            let _ = let_go.send(());
            drop(let_go);
            door.heal();
            scene.terminals[0].line().heal();
            match fault {
                Fault::KillTerminal if hit => scene.terminals[0].start().unwrap(),
                Fault::KillOffice if hit => {
                    scene.office.start().unwrap();
                    door.set_target(address(scene.office.door().unwrap()));
                }
                _ => {}
            }
            // By whichever certificate: one works.
            await_link(&mut scene.terminals[0], "up");
            settle(&mut scene);
            if !hit {
                break;
            }
            *tried += 1;
        }
    }
    // Both sides' flights of TLS 1.3, request and answer; and of MQTT, connecting and subscribing with their answers.
    assert!(tried[0] >= 6 && tried[1] >= 8, "only {tried:?} records were tried");
    ends_well(&mut scene);
}

/// It works, and no other certificate is taken any more.
fn ends_well(scene: &mut Scene) {
    settle(scene);
    let taken = "SELECT count(*) FROM certificate WHERE ended_at IS NULL";
    eventually("no other is taken", || (scene.office.number(taken).unwrap() == 1).then_some(()));
}

#[test]
fn whose_office_is_put_back_from_a_copy_before_it() {
    let (mut scene, door) = due();
    settle(&mut scene);
    let (backup, next) = (scene.dir().join("backup"), identity(&scene, "t-1").join("next.pem"));
    scene.office.stop().unwrap();
    scene.office.back_up(&backup).unwrap();
    scene.office.start().unwrap();
    door.set_target(address(scene.office.door().unwrap()));
    // It has the next certificate, and no time to come in by it.
    let has_next = next.clone();
    scene.terminals[0]
        .line()
        .rule(move |_, _| if has_next.exists() { Verdict::LoseAndCut } else { Verdict::Pass });
    scene.terminals[0].start().unwrap();
    eventually("it has the next certificate", || next.exists().then_some(()));
    scene.terminals[0].kill();
    scene.terminals[0].line().heal();
    scene.office.stop().unwrap();
    scene.office.restore(&backup, false).unwrap();
    scene.office.start().unwrap();
    door.set_target(address(scene.office.door().unwrap()));
    let started = start(&mut scene);
    eventually("it goes on by the one before, and gives up the one that nobody knows", || {
        let refused = since(&scene, started).contains("the new certificate is refused");
        (refused && !next.exists() && scene.terminals[0].status().unwrap()["link"] == "up").then_some(())
    });
    ends_well(&mut scene);
}

/// What changes the files of an identity, each with the calls that do: strace counts each kind of call by itself. A flush of the
/// folder (without a name) makes what was moved and removed last.
const CHANGES: [(&str, &str); 10] = [
    ("asked.new", REMOVE),
    ("asked.new", "write"),
    ("asked.new", "fsync"),
    ("asked.new", MOVE),
    ("next.new", "write"),
    ("next.new", "fsync"),
    ("next.new", MOVE),
    ("asked.pem", REMOVE),
    ("next.pem", MOVE),
    ("", "fsync"),
];
const REMOVE: &str = "?unlink,?unlinkat";
const MOVE: &str = "?rename,?renameat,?renameat2";

#[test]
fn whose_terminal_loses_power_at_any_change_of_a_file() {
    let (mut scene, _door) = due();
    let folder = identity(&scene, "t-1");
    let mut tried = 0;
    for (file, calls) in CHANGES {
        let path = if file.is_empty() { folder.clone() } else { folder.join(file) };
        for nth in 1.. {
            let mut command = killed_at(&scene.terminals[0].command_line().unwrap(), &path, calls, nth);
            let started = since(&scene, 0).len();
            scene.terminals[0].start_as(&mut command).unwrap();
            let killed = eventually("it is killed, or has renewed", || {
                let killed = scene.terminals[0].status().is_err();
                let done = || {
                    since(&scene, started).contains("came in by the new certificate")
                        && !folder.join("asked.pem").exists()
                };
                (killed || done()).then_some(killed)
            });
            scene.terminals[0].kill();
            scene.terminals[0].start().unwrap();
            // By whichever certificate: one works.
            await_link(&mut scene.terminals[0], "up");
            settle(&mut scene);
            if !killed {
                break;
            }
            tried += 1;
        }
    }
    // asked and next are each written, flushed and moved, and the folder flushed; the request is removed, next moved.
    assert!(tried >= 13, "only {tried} changes were tried");
    ends_well(&mut scene);
}

/// A command line that is killed when it comes to its `nth` of these calls on this file or folder.
fn killed_at(command: &Command, path: &Path, calls: &str, nth: u32) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-P"]).arg(path);
    traced.args(["-e", &format!("inject={calls}:signal=SIGKILL:when={nth}")]);
    traced.arg(command.get_program()).args(command.get_args());
    traced
}

/// A small one of `make bench BENCH=renewals`; how fast is for that to say.
#[test]
fn of_many_at_once_keeps_nobody_from_working() {
    let dir = tempfile::tempdir().unwrap();
    let size = Size { terminals: 80, stops: 8, days: 1 };
    let plan = Plan { working: 4, calm: Duration::from_secs(1), paced: 20.0 };
    let figures = renewals::run(dir.path(), size, plan).unwrap();
    assert_eq!(figures.renewals, 80);
    assert!(figures.crowd > Duration::ZERO, "facts were confirmed while they renewed");
}
