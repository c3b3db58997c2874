//! The built program's switchovers: led on the command line with a gateway and without one, and releases that other systems push.
#![allow(clippy::unwrap_used)]

mod gateway;
mod signed;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gateway::Gateway;
use serde_json::{Value, json};
use signed::Plan;

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
    command
        .arg("--data")
        .arg(dir)
        .env("MEGURI_GATEWAY__REHEARSAL", dir.join("clock.toml"))
        .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__AUDIT__SYSLOG", "")
        .stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir).args(args).output().unwrap()
}

fn good(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn bad(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn parsed(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&good(dir, args)).unwrap()
}

/// An office in March with four terminals, two who decide, and a dispatcher.
fn office(dir: &Path) {
    fs::write(dir.join("city.toml"), signed::CITY).unwrap();
    let real = jiff::Timestamp::now();
    let clock = format!("real = \"{real}\"\nfrom = \"2027-03-10T03:00:00Z\"\nspeed = 1.0\n");
    fs::write(dir.join("clock.toml"), clock).unwrap();
    for (terminal, vehicle) in [("t-1", "v1"), ("t-2", "v2"), ("t-3", "v1"), ("t-4", "v1")] {
        good(dir, &["terminal", "add", terminal, "--vehicle", vehicle]);
    }
    for login in ["kian", "kacho"] {
        good(dir, &["person", "add", login, "--role", "administrator"]);
    }
    good(dir, &["person", "add", "haisha", "--role", "dispatcher", "--contractor", "k1"]);
}

impl Gateway {
    /// Status and body of an answer. The body that is sent may be cut by an answer that comes first.
    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &[u8], said: usize) -> (u16, Value) {
        let host = &self.host;
        let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {said}\r\n{bearer}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        drop(stream.write_all(body));
        let mut answer = String::new();
        // An answer that came before all was sent may be followed by a reset.
        drop(stream.read_to_string(&mut answer));
        let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn push(&self, token: Option<&str>, text: &str) -> (u16, Value) {
        self.ask("POST", "/api/releases", token, text.as_bytes(), text.len())
    }
}

const ALL: [&str; 3] = ["t-1", "t-3", "t-4"];

/// Leads a release through by commands, with whatever runs or does not.
fn leads(dir: &Path, draft: &[&str], id: &str) {
    let drafted = parsed(dir, draft);
    assert_eq!((drafted["id"].to_string().as_str(), &drafted["state"]), (id, &json!("draft")));
    let found = parsed(dir, &["switchover", "check", id, "--as", "kian", "--json"]);
    assert!(found.as_array().unwrap().iter().any(|one| one["found"] == "silent"), "{found}");
    let refused = bad(dir, &["switchover", "approve", id, "--as", "kian"]);
    assert!(refused.contains("somebody else has to approve it"), "{refused}");
    assert!(bad(dir, &["switchover", "approve", id, "--as", "haisha"]).contains("may not"));
    assert!(
        bad(dir, &["switchover", "push", id, "--as", "kian"]).contains("is checked: it can't be pushed now")
    );
    good(dir, &["switchover", "approve", id, "--as", "kacho"]);
    assert!(
        bad(dir, &["switchover", "push", id, "--as", "kian", "--groups", "50,40"]).contains("rise to 100")
    );
    let pushed = parsed(dir, &["switchover", "push", id, "--as", "kian", "--groups", "50,100", "--json"]);
    assert_eq!(
        (&pushed["state"], &pushed["part"], &pushed["parts"]),
        (&json!("pushed"), &json!(1), &json!(2))
    );
}

#[test]
fn switchovers_are_led_without_a_gateway_and_with_one() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("office");
    fs::create_dir(&dir).unwrap();
    office(&dir);
    assert!(good(&dir, &["keys", "show"]).contains("no key set yet"));
    let file = Plan::switchover(7, &ALL).write(place.path());
    let file = file.to_str().unwrap();
    let taken = good(&dir, &["switchover", "draft", file, "--name", "2027年度業者切替", "--as", "kian"]);
    assert!(taken.contains("release 7 (版7) taken: 4 terminals"), "{taken}");
    let keys = parsed(&dir, &["keys", "show", "--json"]);
    assert!(taken.contains(keys[0]["fingerprint"].as_str().unwrap()), "{taken}");
    good(&dir, &["switchover", "withdraw", "1", "--as", "kian"]);
    let file = Plan::switchover(8, &ALL).write(place.path());
    leads(&dir, &["switchover", "draft", file.to_str().unwrap(), "--as", "kian", "--json"], "2");

    let gateway = Gateway::start(command(&dir), &place.path().join("log"));
    let listed = good(&dir, &["switchover", "list"]);
    assert!(
        listed.lines().any(|line| line.starts_with("2\tswitchover\tpushed\t2027-04-01T00:00:00\t")),
        "{listed}"
    );
    assert!(good(&dir, &["switchover", "releases"]).contains("8\t版8\t4 terminals"));
    let shown = good(&dir, &["switchover", "show", "2"]);
    assert!(shown.contains("approved\tkacho") && shown.contains("drafted\tkian"), "{shown}");
    assert!(bad(&dir, &["switchover", "show", "9"]).contains("there is no switchover 9"));
    let stopped = parsed(&dir, &["switchover", "stop", "2", "--as", "kian", "--json"]);
    assert_eq!(stopped["stopped"][1], "person");
    good(&dir, &["switchover", "push", "2", "--as", "kacho"]);
    let ready = parsed(&dir, &["switchover", "readiness", "2", "--json"]);
    assert_eq!((&ready["counts"]["of"], &ready["counts"]["ready"]), (&json!(4), &json!(0)));
    let csv = place.path().join("ready.csv");
    let told = good(&dir, &["switchover", "readiness", "2", "--csv", csv.to_str().unwrap()]);
    assert!(told.contains("switchover 2: 0 of 4 ready"), "{told}");
    let csv = fs::read_to_string(csv).unwrap();
    assert!(csv.starts_with("\u{feff}端末,状態") && csv.lines().count() == 5, "{csv}");
    let refused = bad(&dir, &["switchover", "withdraw", "2", "--as", "kian"]);
    assert!(refused.contains("only a newer schedule takes it back"), "{refused}");

    // A newer one without it, through the running gateway, takes it back.
    let file = Plan::unchanged(9, &ALL).write(place.path());
    leads(&dir, &["switchover", "draft", file.to_str().unwrap(), "--as", "kian", "--json"], "3");
    let gone = parsed(&dir, &["switchover", "withdraw", "2", "--release", "9", "--as", "kian", "--json"]);
    assert_eq!((&gone["state"], &gone["withdrawn_by"]), (&json!("withdrawn"), &json!(3)));
    assert!(bad(&dir, &["switchover", "close", "2", "--as", "kian"]).contains("is withdrawn"));
    assert_eq!(parsed(&dir, &["switchover", "close", "3", "--as", "kian", "--json"])["state"], "closed");
    let signed = bad(&dir, &["terminal", "bind", "t-1", "--vehicle", "v2"]);
    gateway.stop();
    // It was offered a signed schedule, where its group had its turn.
    assert!(signed.contains("signed configuration") || signed.contains("works under contract"), "{signed}");

    // All of it is written down, with who did it.
    let log = good(&dir, &["audit", "show", "--json"]);
    for what in [
        "release_taken",
        "switchover_drafted",
        "switchover_checked",
        "switchover_approved",
        "switchover_pushed",
        "switchover_stopped",
        "switchover_withdrawn",
        "switchover_closed",
        "read_switchover",
    ] {
        assert!(log.contains(what), "{what}: {log}");
    }
    assert!(
        log.lines().any(|line| line.contains("switchover_approved") && line.contains("\"as\":2")),
        "{log}"
    );
}

#[test]
fn releases_come_by_token_and_broken_ones_leave_nothing() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("office");
    fs::create_dir(&dir).unwrap();
    office(&dir);
    let log = place.path().join("log");
    let gateway = Gateway::start(command(&dir), &log);
    let token = |name: &str, scope: &str, more: &[&str]| {
        let args = [&["token", "add", name, "--scope", scope, "--json"], more].concat();
        parsed(&dir, &args)["token"].as_str().unwrap().to_owned()
    };
    let own = token("config", "configurations", &[]);
    let other = token("reception", "export", &[]);
    let of_contractor = token("daiichi", "configurations", &["--contractor", "k1"]);
    let release = Plan::switchover(7, &ALL);
    let text = release.text();
    for (name, token, expected) in [
        ("nobody", None, 401),
        (
            "a made-up token",
            Some("meguri_0000000000000000000000000000000000000000000000000000000000000000"),
            401,
        ),
        ("a token for something else", Some(other.as_str()), 401),
        ("a contractor's", Some(of_contractor.as_str()), 403),
    ] {
        assert_eq!(gateway.push(token, &text).0, expected, "{name}");
    }
    assert_eq!(gateway.ask("GET", "/api/configurations", Some(&other), b"", 0).0, 401);
    assert_eq!(gateway.ask("GET", "/api/releases", Some(&own), b"", 0).0, 405);
    let empty = gateway.ask("GET", "/api/configurations", Some(&own), b"", 0);
    assert_eq!((empty.0, &empty.1["keys"], &empty.1["releases"]), (200, &json!([]), &json!([])));

    // What is broken is refused with its line, and leaves nothing.
    let mut signed_once = release.clone();
    signed_once.signers = vec![11];
    let deep = format!("{{\"release\":{}1{}}}\n", "[".repeat(3_000), "]".repeat(3_000));
    for (name, text, says) in [
        ("nothing", String::new(), "line 1"),
        ("junk", "\0\u{1}\n".repeat(1000), "line 1"),
        ("deep nesting", deep, "line 1"),
        ("an endless line", format!("{{\"release\":\"{}", "x".repeat(3_000_000)), "line 1"),
        ("truncated", text[..text.len() / 2].to_owned(), "line "),
        ("one signature", signed_once.text(), "line 3: 1 of the 2 signatures"),
    ] {
        let (status, answer) = gateway.push(Some(&own), &text);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            status == 422 && error.starts_with("line ") && error.contains(says),
            "{name}: {status} {answer}"
        );
    }
    // More than any release has is refused before it is read.
    assert_eq!(gateway.ask("POST", "/api/releases", Some(&own), b"{", 1 << 40).0, 413);
    let none = gateway.ask("GET", "/api/configurations", Some(&own), b"", 0).1;
    assert_eq!((&none["keys"], &none["releases"]), (&json!([]), &json!([])));
    // Whoever goes away in the middle, or was killed, leaves nothing either, and nobody waits for it.
    fs::write(dir.join("incoming-0.release"), "half").unwrap();
    let mut half = TcpStream::connect(&gateway.host).unwrap();
    let head = format!(
        "POST /api/releases HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nAuthorization: Bearer {own}\r\n\r\n",
        gateway.host,
        text.len()
    );
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&text.as_bytes()[..text.len() / 2]).unwrap();
    drop(half);
    let broken = loop {
        let (status, answer) = gateway.push(Some(&own), "{}");
        if status != 503 {
            break (status, answer);
        }
    };
    assert_eq!(broken.0, 422, "{broken:?}");
    let left = |dir: &Path| {
        let names = fs::read_dir(dir).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("incoming")).collect::<Vec<_>>()
    };
    assert_eq!(left(&dir), Vec::<String>::new(), "nothing of it stays");

    let (status, answer) = gateway.push(Some(&own), &text);
    assert_eq!(
        (status, &answer["version"], &answer["first_keys"]),
        (200, &json!(7), &json!(true)),
        "{answer}"
    );
    let (status, answer) = gateway.push(Some(&own), &text);
    assert_eq!((status, &answer["again"]), (200, &json!(true)));
    let all = gateway.ask("GET", "/api/configurations", Some(&own), b"", 0).1;
    assert_eq!((&all["releases"][0]["version"], &all["keys"][0]["version"]), (&json!(7), &json!(1)));
    assert_eq!(all["terminals"][0]["terminal"], "t-1");
    assert_eq!(all["terminals"][0]["offered"], Value::Null, "nobody has decided yet");
    // Of a contractor's token only what is theirs, and nothing that the city has not decided.
    let part = gateway.ask("GET", "/api/configurations", Some(&of_contractor), b"", 0).1;
    assert_eq!((part["terminals"].as_array().unwrap().len(), &part["releases"]), (3, &json!([])));
    // A token brings releases; people draft.
    assert_eq!(parsed(&dir, &["switchover", "draft", "--version", "7", "--as", "kian", "--json"])["id"], 1);
    gateway.stop();
    let log = fs::read_to_string(log).unwrap();
    assert!(!log.contains(&own) && !log.contains("panicked"), "{log}");
}
