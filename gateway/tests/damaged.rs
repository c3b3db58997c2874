//! Stores that are damaged, of the wrong kind or of a newer version: said plainly, left as they are, and nothing is acknowledged
//! that was not written. And backups, restores and `doctor` as a person runs them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use meguri_config::{City, Clock};
use meguri_gateway::changes::Changes;
use meguri_gateway::config::Settings;
use meguri_gateway::ingest::Incoming;
use meguri_gateway::outbox::Outbox;
use meguri_gateway::store::{Store, StoreError};
use meguri_gateway::writer::{Parts, Writer};
use meguri_proto::{Ack, Digest, Entry, Epoch, FactId, Incarnation, LogPublish, Message};
use rusqlite::Connection;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

const CITY: &str = include_str!("city.toml");
/// Of a store that no supervisor should start again.
const DAMAGED: i32 = 65;

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(folder.data()).unwrap();
        fs::write(folder.data().join("city.toml"), CITY).unwrap();
        folder.good(&["terminal", "add", "t-1", "--vehicle", "v1"]);
        folder
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn store(&self) -> PathBuf {
        self.data().join("meguri.db")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command
            .arg("--data")
            .arg(self.data())
            .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
            .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0")
            .env("MEGURI_GATEWAY__BACKUP__FOLDER", self.dir.path().join("backups"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    fn good(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn serve(&self) -> Gateway {
        let mut child =
            self.command().arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("ready"), "{line}");
        Gateway(child)
    }

    /// What `doctor` says of a check.
    fn findings(&self) -> (i32, Vec<Value>) {
        let output = self.run(&["doctor", "--json"]);
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), found)
    }
}

struct Gateway(Child);

impl Gateway {
    fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Spoils the root page of a table that nothing needs for opening the store.
fn spoil(store: &Path, table: &str) {
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = Connection::open(store).unwrap().query_row(root, [table], |row| row.get(0)).unwrap();
    let mut bytes = fs::read(store).unwrap();
    bytes[(page as usize - 1) * 4096..page as usize * 4096].fill(0x5a);
    fs::write(store, bytes).unwrap();
}

#[test]
fn serve_says_what_is_wrong_and_changes_nothing() {
    let folder = Folder::new();
    let whole = fs::read(folder.store()).unwrap();
    let newer = {
        let path = folder.dir.path().join("newer.db");
        fs::write(&path, &whole).unwrap();
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        fs::read(path).unwrap()
    };
    for (what, bytes, says) in [
        ("another file", vec![b'x'; 20_000], "damaged or no store at all"),
        ("half of it", whole[..whole.len() / 2].to_vec(), "damaged or no store at all"),
        ("a newer one", newer, "newer meguri-gateway (schema 99"),
    ] {
        fs::write(folder.store(), &bytes).unwrap();
        for command in [&["serve"][..], &["terminal", "list"]] {
            let output = folder.run(command);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(DAMAGED), "{what}: {told}");
            assert!(told.contains(says) && told.contains("restore"), "{what}: {told}");
            assert_eq!(fs::read(folder.store()).unwrap(), bytes, "{what} is left as it is");
        }
    }
    fs::write(folder.store(), &whole).unwrap();
    let log = folder.data().join("meguri.db-wal");
    fs::write(&log, [0x5a; 40_000]).unwrap();
    let output = folder.run(&["serve"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(DAMAGED), "{told}");
    assert!(told.contains("no write-ahead log") && told.contains("send again"), "{told}");
    assert_eq!(fs::read(&log).unwrap(), [0x5a; 40_000]);
    // What a power cut leaves of a log in which nothing was durable yet is no damage.
    fs::write(&log, [0; 40_000]).unwrap();
    folder.good(&["terminal", "list"]);
}

/// A page found damaged while the office works: it acknowledges nothing of what could not be written, and ends.
#[tokio::test]
async fn what_can_not_be_written_is_not_acknowledged() {
    let folder = Folder::new();
    // The table of entries: whatever a terminal sends needs it.
    spoil(&folder.store(), "entry");
    let before = fs::read(folder.store()).unwrap();
    let city = City::parse(Path::new("city.toml"), CITY).unwrap().id;
    let store = Store::open(&folder.data(), &city, Timestamp::now(), Incarnation(Uuid::new_v4()))
        .expect("opens all the same");
    let (outbox, mut waiting) = Outbox::new(city.clone());
    let (changes, settings) = (Changes::new(), Settings::default());
    let parts = Parts { store, city, clock: Clock::system(), changes, outbox, settings };
    let (writer, running) = Writer::start(parts).unwrap();
    let body = RawValue::from_string("{\"v\":9}".into()).unwrap();
    let digest = Digest::ZERO.then(body.get().as_bytes());
    let entry = Entry { seq: 1, id: FactId(Uuid::now_v7()), digest, body };
    let publish =
        LogPublish { v: 1, epoch: Epoch(Uuid::new_v4()), entries: vec![entry], notes: Default::default() };
    let topic = "meguri/1/hiroshima/t-1/up/fact".to_owned();
    writer.take(Incoming { topic, payload: publish.encode().unwrap() }, None).unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(30), running.ended()).await.expect("it ends by itself");
    let error = ended.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    while let Ok(message) = waiting.messages.try_recv() {
        let ack = Ack::decode(&message.payload);
        assert!(ack.is_err() || ack.is_ok_and(|ack| ack.held.is_empty()), "nothing is acknowledged");
    }
    drop(writer);
    let told = error.to_string();
    assert!(told.contains("restore") && told.contains("doctor"), "{told}");
    let page = |bytes: &[u8]| bytes.windows(4096).any(|page| page.iter().all(|byte| *byte == 0x5a));
    assert!(page(&before) && page(&fs::read(folder.store()).unwrap()), "the damaged page is left as it is");
}

#[test]
fn a_command_that_comes_upon_it_ends_the_gateway_as_well() {
    let folder = Folder::new();
    let profile = folder.dir.path().join("profile.toml");
    fs::write(
        &profile,
        "name = \"p\"\nsource = \"s\"\ncovers = \"whole_day\"\nkey = [\"no\"]\n[fields]\ndate = \"date\"\n\
         district = \"district\"\nreception = \"no\"\ntown = \"town\"\n[items.text]\ntext = \"items\"\nbetween = [\"、\"]\ntimes = [\"×\"]\n",
    )
    .unwrap();
    let file = folder.dir.path().join("day.csv");
    fs::write(&file, "no,date,district,town,items\n0001,2026-06-10,中区A,本川町,机\n").unwrap();
    spoil(&folder.store(), "resident");
    let mut gateway = folder.serve();
    let output = folder.run(&["import", "--profile", profile.to_str().unwrap(), file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("malformed"), "{told}");
    assert_eq!(gateway.0.wait().unwrap().code(), Some(DAMAGED));
}

#[test]
fn the_whole_program_ends_where_its_store_is_damaged() {
    let folder = Folder::new();
    spoil(&folder.store(), "terminal");
    let output = folder.run(&["serve"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(DAMAGED), "{told}");
    assert!(told.contains("damaged") && told.contains("restore"), "{told}");
}

#[test]
fn backed_up_put_back_and_looked_at() {
    let folder = Folder::new();
    let (code, found) = folder.findings();
    let of = |found: &[Value], check: &str, key: &str| {
        let of_check = found.iter().find(|finding| finding["check"] == check);
        of_check.map_or(String::new(), |finding| finding[key].as_str().unwrap().to_owned())
    };
    assert_eq!((code, of(&found, "gateway", "severity").as_str()), (1, "warning"));
    assert_eq!(of(&found, "backup", "severity"), "error");
    let gateway = folder.serve();
    for _ in 0..2 {
        // Names have seconds in them.
        let made: Value = loop {
            let output = folder.run(&["backup", "--keep", "1", "--json"]);
            if output.status.success() {
                break serde_json::from_slice(&output.stdout).unwrap();
            }
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(told.contains("there already"), "{told}");
        };
        assert_eq!(made["rows"]["terminal"], 1);
    }
    let backups: Vec<_> =
        fs::read_dir(folder.dir.path().join("backups")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [backup] = backups.as_slice() else { panic!("one is kept: {backups:?}") };
    let backup = backup.to_str().unwrap();
    assert!(folder.good(&["backup", "verify", backup]).contains("is as it was made"));
    let (_, found) = folder.findings();
    assert_eq!(of(&found, "gateway", "severity"), "ok", "{found:?}");
    assert_eq!(of(&found, "backup", "severity"), "ok", "{found:?}");
    assert_eq!(of(&found, "store", "severity"), "ok", "{found:?}");

    folder.good(&["terminal", "add", "t-2", "--vehicle", "v1"]);
    let held = folder.run(&["restore", backup, "--replace"]);
    let told = String::from_utf8_lossy(&held.stderr).into_owned();
    assert!(!held.status.success() && told.contains("held by another"), "{told}");
    gateway.stop();
    let there = folder.run(&["restore", backup]);
    let told = String::from_utf8_lossy(&there.stderr).into_owned();
    assert!(!there.status.success() && told.contains("--replace"), "{told}");
    let told = folder.good(&["restore", backup, "--replace"]);
    assert!(told.contains("next:") && told.contains("serve") && told.contains("replaced-"), "{told}");
    let listed: Value = serde_json::from_str(&folder.good(&["terminal", "list", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "as of the backup");
    folder.serve().stop();

    // A page that is gone is put right by the backup.
    spoil(&folder.store(), "note");
    let (code, found) = folder.findings();
    assert_eq!((code, of(&found, "store", "severity").as_str()), (1, "error"), "{found:?}");
    assert!(
        of(&found, "store", "todo_ja").contains("restore") && of(&found, "store", "ja").contains("壊れて")
    );
    assert!(!folder.run(&["backup"]).status.success(), "no backup is made of it");
    folder.good(&["restore", backup, "--replace"]);
    assert_eq!(of(&folder.findings().1, "store", "severity"), "ok");
    let text = String::from_utf8(folder.run(&["doctor"]).stdout).unwrap();
    assert!(text.contains("[正常] store") && text.contains("[ok] store"), "{text}");
    let bad = folder.command().env("MEGURI_GATEWAY__WEB__LISTEN", "here").arg("doctor").output().unwrap();
    let text = String::from_utf8(bad.stdout).unwrap();
    assert!(text.contains("[error] settings") && text.contains("[ok] store"), "{text}");
}

/// What only the writer's own work meets, and what only a page meets, ends the gateway as well.
#[test]
fn damage_that_no_message_meets_ends_the_gateway() {
    let folder = Folder::new();
    let whole = fs::read(folder.store()).unwrap();
    spoil(&folder.store(), "notice");
    let output = folder.run(&["serve"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(DAMAGED), "{told}");

    fs::write(folder.store(), &whole).unwrap();
    spoil(&folder.store(), "erasure");
    let mut command = folder.command();
    let mut child = command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut gateway = Gateway(child);
    let ready: Value = serde_json::from_str(&line).unwrap();
    let host = ready["web"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(gateway.0.wait().unwrap().code(), Some(DAMAGED));
}
