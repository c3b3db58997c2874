//! Stores of earlier versions, kept as SQL, opened by this program. How to keep the next one: `kept/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod signed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use jiff::Timestamp;
use meguri_config::{City, Clock};
use meguri_gateway::changes::Changes;
use meguri_gateway::config::Settings;
use meguri_gateway::ingest::Incoming;
use meguri_gateway::office::Office;
use meguri_gateway::outbox::{Outbox, Waiting};
use meguri_gateway::people::accounts::{self, New as NewPerson};
use meguri_gateway::people::password::hash;
use meguri_gateway::people::{Person, Role};
use meguri_gateway::store::{Store, sql};
use meguri_gateway::switchover::releases::Releases;
use meguri_gateway::switchover::steps::{self, New};
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_proto::pickup::Result as Outcome_;
use meguri_proto::{
    Ack, BootId, ConfigChange, ConfigState, ConfigWhy, Digest, Entry, Epoch, EpochHeld, Fact, FactBody,
    FactId, Health, Hello, Incarnation, ItemResult, ListRef, LogKind, LogPublish, LogsHeld, Message, Nonce,
    Outcome, PickupId, Reason, Stamps, Topic, TrackBody, TrackFact, Undo, UpTopic,
};
use rusqlite::Connection;
use serde_json::value::RawValue;
use tower::ServiceExt as _;
use uuid::Uuid;

const CITY: &str = include_str!("city.toml");
const PROFILE: &str = r#"
name = "whole days"
source = "kept"
covers = "whole_day"
key = ["no"]
[fields]
date = "date"
district = "district"
reception = "no"
town = "town"
[items.text]
text = "items"
between = ["、"]
times = ["×"]
"#;
/// How many requests the kept day has.
const REQUESTS: u32 = 12;

fn administrator() -> Person {
    Person {
        vouched: false,
        password_until: None,
        id: 1,
        login: "kanri".to_owned(),
        name: "市の管理者".to_owned(),
        role: Role::Administrator,
        contractor: None,
        must_change: false,
        second_factor: true,
        added_at: Timestamp::UNIX_EPOCH,
        signed_in_at: None,
        blocked_at: None,
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept")
}

/// The kept stores: schema and SQL.
fn kept() -> Vec<(i64, String)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .map(|path| {
            let schema = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            (schema, fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// Makes the kept store's file, as that version left it.
fn lay(dir: &Path, sql: &str) {
    fs::write(dir.join("city.toml"), CITY).unwrap();
    let conn = Connection::open(dir.join("meguri.db")).unwrap();
    conn.execute_batch(sql).unwrap();
}

fn rows(conn: &Connection) -> BTreeMap<String, i64> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut statement = conn.prepare(tables).unwrap();
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    names
        .into_iter()
        .map(|name| (name.clone(), number(conn, &format!("SELECT count(*) FROM {name}"))))
        .collect()
}

fn number(conn: &Connection, query: &str) -> i64 {
    conn.query_row(query, [], |row| row.get(0)).unwrap()
}

fn open(dir: &Path) -> Store {
    let city = "hiroshima".parse().unwrap();
    Store::open(dir, &city, Timestamp::now(), Incarnation(Uuid::new_v4())).unwrap()
}

/// The writer over a store, without a broker.
struct Bench {
    writer: Writer,
    running: Running,
    waiting: Waiting,
}

impl Bench {
    fn start(store: Store) -> Self {
        let city: meguri_proto::CityId = "hiroshima".parse().unwrap();
        let (outbox, waiting) = Outbox::new(city.clone());
        let (changes, settings) = (Changes::new(), Settings::default());
        let parts = Parts { store, city, clock: Clock::system(), changes, outbox, settings };
        let (writer, running) = Writer::start(parts).unwrap();
        Self { writer, running, waiting }
    }

    fn say(&self, terminal: &str, up: UpTopic, payload: Vec<u8>) {
        let topic = Topic::up("hiroshima".parse().unwrap(), terminal.parse().unwrap(), up).to_string();
        self.writer.take(Incoming { topic, payload }, None).unwrap();
    }

    /// The next ack that says how much is held.
    async fn held(&mut self) -> Ack {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(20), self.waiting.messages.recv());
            let message = message.await.expect("an ack in time").expect("the office runs");
            if message.topic.ends_with("/down/ack") {
                let ack = Ack::decode(&message.payload).unwrap();
                if !ack.held.is_empty() {
                    return ack;
                }
            }
        }
    }

    async fn stop(self) {
        self.writer.stop().await;
        self.running.ended().await.unwrap();
    }
}

/// A terminal's log, by hand.
#[derive(Clone)]
struct Log {
    epoch: Epoch,
    seq: u64,
    head: Digest,
    entries: Vec<Entry>,
}

impl Log {
    fn new() -> Self {
        Self { epoch: Epoch(Uuid::new_v4()), seq: 0, head: Digest::ZERO, entries: Vec::new() }
    }

    fn write(&mut self, body: &str) -> FactId {
        let id = FactId(Uuid::now_v7());
        let body = RawValue::from_string(body.to_owned()).unwrap();
        self.head = self.head.then(body.get().as_bytes());
        self.seq += 1;
        self.entries.push(Entry { seq: self.seq, id, digest: self.head, body });
        id
    }

    fn publish(&self, notes: &[&str]) -> Vec<u8> {
        let notes = notes.iter().map(|note| (Digest::of(note.as_bytes()), (*note).to_owned())).collect();
        LogPublish { v: 1, epoch: self.epoch, entries: self.entries.clone(), notes }.encode().unwrap()
    }
}

fn fact(fact: Fact) -> String {
    let at = Stamps { terminal: Timestamp::now(), gnss: None, trusted: None };
    let body = FactBody { v: 1, contract: "c-1".parse().unwrap(), config: 1, crew: None, at, fact };
    serde_json::to_string(&body).unwrap()
}

fn outcome(pickup: Uuid, result: Outcome_) -> String {
    let list = ListRef { date: meguri_proto::clock::business_date(Timestamp::now()), version: 1 };
    fact(Fact::Outcome(Outcome { pickup: PickupId(pickup), list, replaces: None, result }))
}

fn hello(fact: Vec<EpochHeld>) -> Vec<u8> {
    let logs = LogsHeld { fact, track: Vec::new() };
    let (nonce, boot) = (Nonce(Uuid::new_v4()), BootId(Uuid::new_v4()));
    let hello = Hello {
        v: 1,
        nonce,
        boot,
        app: "kept".into(),
        config: 1,
        incarnation: None,
        certificate: None,
        logs,
        documents: Vec::new(),
    };
    hello.encode().unwrap()
}

fn gateway(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
    command.arg("--data").arg(dir);
    command
}

/// A small day with one of everything: facts, corrections, a note, what was set aside, notices of a fork and a hole, a held import.
async fn live_a_day(dir: &Path) {
    fs::write(dir.join("city.toml"), CITY).unwrap();
    fs::write(dir.join("profile.toml"), PROFILE).unwrap();
    let today = meguri_proto::clock::business_date(Timestamp::now());
    let import = |count: u32, status: i32| {
        let line = |n| format!("{n:04},{today},中区A,本川町,タンス×1、椅子×2\n");
        let lines: String = (1..=count).map(line).collect();
        fs::write(dir.join("day.csv"), format!("no,date,district,town,items\n{lines}")).unwrap();
        let mut command = gateway(dir);
        command.args(["import", "--profile"]).arg(dir.join("profile.toml")).arg(dir.join("day.csv"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    };
    import(REQUESTS, 0);
    import(1, 3);
    for (terminal, vehicle) in [("t-1", "v1"), ("t-2", "v1"), ("t-3", "v2")] {
        let added = gateway(dir).args(["terminal", "add", terminal, "--vehicle", vehicle]).output().unwrap();
        assert!(added.status.success());
    }
    let mut bench = Bench::start(open(dir));
    let conn = Connection::open(dir.join("meguri.db")).unwrap();
    let mut statement = conn.prepare("SELECT uid FROM pickup ORDER BY id").unwrap();
    let pickups: Vec<Uuid> =
        statement.query_map([], |row| sql::uuid(row, 0)).unwrap().collect::<Result<_, _>>().unwrap();

    bench.say("t-1", UpTopic::Hello, hello(Vec::new()));
    let mut log = Log::new();
    log.write(&outcome(pickups[0], Outcome_::Collected));
    let slip = log.write(&outcome(pickups[1], Outcome_::NotCollected { reason: Reason::NotOut, note: None }));
    log.write(&fact(Fact::Undo(Undo { pickup: PickupId(pickups[1]), of: slip })));
    let note = "門が閉まっています";
    let digest = Some(Digest::of(note.as_bytes()));
    log.write(&outcome(pickups[2], Outcome_::NotCollected { reason: Reason::Other, note: digest }));
    let part = |item, collected, reason| ItemResult { item, collected, reason };
    let items = vec![part(0, 1, None), part(1, 1, Some(Reason::TicketShort))];
    log.write(&outcome(pickups[3], Outcome_::Partly { items, note: None }));
    log.write(r#"{"v":9,"news":true}"#);
    log.write(&outcome(Uuid::from_u128(99), Outcome_::Collected));
    bench.say("t-1", UpTopic::Fact, log.publish(&[note]));
    assert_eq!(bench.held().await.held[0].seq, 7);
    // Another terminal contradicts it.
    let mut second = Log::new();
    second.write(&outcome(pickups[0], Outcome_::NotCollected { reason: Reason::NotOut, note: None }));
    bench.say("t-2", UpTopic::Fact, second.publish(&[]));
    bench.held().await;
    // A fork of the second, and a hole of the third.
    let mut fork = Log { seq: 0, head: Digest::ZERO, entries: Vec::new(), ..second.clone() };
    fork.write(&outcome(pickups[4], Outcome_::Collected));
    bench.say("t-2", UpTopic::Fact, fork.publish(&[]));
    let mut late = Log::new();
    for _ in 0..3 {
        late.write(&outcome(pickups[5], Outcome_::Collected));
    }
    let before = late.entries[1].digest;
    let held = EpochHeld { epoch: late.epoch, first: 3, before, head: late.seq, digest: late.head, acked: 0 };
    bench.say("t-3", UpTopic::Hello, hello(vec![held]));
    let mut track = Log::new();
    let at = Stamps { terminal: Timestamp::now(), gnss: None, trusted: None };
    let health = Health { app: "kept".into(), waiting: 0, free_bytes: Some(1 << 30) };
    let sample = TrackBody { v: 1, at, track: TrackFact::Health(health) };
    track.write(&serde_json::to_string(&sample).unwrap());
    bench.say("t-1", UpTopic::Track, track.publish(&[]));
    bench.held().await;
    // A correction of the terminals' configurations: one has taken it, one refuses it, and the third has not been heard of.
    let plan = push_a_correction(&bench.writer, dir).await;
    let change = |terminal: &str, state, why| {
        let (version, bundle) = (plan.version, plan.digest(terminal));
        fact(Fact::Config(ConfigChange {
            version,
            bundle,
            state,
            contract: None,
            effective_at: None,
            why,
            detail: String::new(),
        }))
    };
    log.write(&change("t-1", ConfigState::Verified, None));
    bench.say("t-1", UpTopic::Fact, log.publish(&[note]));
    bench.held().await;
    second.write(&change("t-2", ConfigState::Refused, Some(ConfigWhy::Expired)));
    bench.say("t-2", UpTopic::Fact, second.publish(&[]));
    bench.held().await;
    bench.stop().await;
}

async fn push_a_correction(writer: &Writer, dir: &Path) -> signed::Plan {
    let of = |contract: &str, vehicle: &str| {
        let mut value = signed::configuration(None, contract, vehicle);
        value["contractor"] = "k1".into();
        vec![value]
    };
    let mut plan = signed::Plan::new(2026);
    (plan.made_at, plan.expires) = ("2026-11-01T00:00:00Z", "2029-12-31T00:00:00Z");
    let plan = plan.with("t-1", of("c-1", "v1")).with("t-2", of("c-1", "v1")).with("t-3", of("c-2", "v2"));
    let releases = Releases::new(writer.clone(), "hiroshima".parse().unwrap(), Clock::system());
    releases.take(plan.write(dir)).await.unwrap().unwrap();
    let password = hash("correct horse battery staple", [7; 16]).unwrap();
    let pushed = writer.run_job(move |tx, touched| {
        let now = Timestamp::now();
        for login in ["kanri", "kacho"] {
            let (name, password) = (login.to_owned(), password.clone());
            let (role, contractor, must_change) = (Role::Administrator, None, false);
            let new = NewPerson { login: login.to_owned(), name, role, contractor, password, must_change };
            accounts::add(tx, now, &new).unwrap();
        }
        let new = New { version: 2026, name: None, kind: None };
        let one = steps::draft(tx, touched, now, "kanri", &new)?;
        steps::check(tx, touched, now, "kanri", one)?;
        steps::approve(tx, touched, now, "kacho", one)?;
        steps::push(tx, touched, now, "kanri", one, None)
    });
    pushed.await.unwrap().unwrap();
    plan
}

/// Keeps the store that this version makes. See `kept/README.md`.
#[tokio::test]
#[ignore = "run by hand where a schema is released"]
async fn keep_this_schema() {
    let dir = tempfile::tempdir().unwrap();
    live_a_day(dir.path()).await;
    let conn = Connection::open(dir.path().join("meguri.db")).unwrap();
    let schema = number(&conn, "PRAGMA user_version");
    let path = folder().join(format!("{schema:04}.sql"));
    assert!(!path.exists(), "{} is kept already, and is never made anew", path.display());
    fs::write(path, dump(&conn)).unwrap();
}

/// A store as SQL that makes it again.
fn dump(conn: &Connection) -> String {
    let mut text = format!(
        "-- A small day in a store of schema {0}. Kept for tests; never changed.\nPRAGMA foreign_keys = OFF;\nBEGIN;\n",
        number(conn, "PRAGMA user_version")
    );
    let select = |query: &str| -> Vec<String> {
        let mut statement = conn.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    // Tables in the order they were made, then what hangs on them.
    for sql in select(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid",
    ) {
        writeln!(text, "{sql};").unwrap();
    }
    for table in select(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid",
    ) {
        let columns =
            select(&format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')"));
        for row in select(&format!("SELECT {} FROM {table}", columns.join(" || ',' || "))) {
            writeln!(text, "INSERT INTO {table} VALUES ({row});").unwrap();
        }
    }
    for row in select("SELECT quote(name) || ',' || seq FROM sqlite_sequence") {
        writeln!(text, "INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ({row});").unwrap();
    }
    for sql in
        select("SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid")
    {
        writeln!(text, "{sql};").unwrap();
    }
    writeln!(text, "PRAGMA user_version = {};\nCOMMIT;", number(conn, "PRAGMA user_version")).unwrap();
    text
}

#[tokio::test]
async fn every_kept_store_is_taken_over() {
    let all = kept();
    assert!(!all.is_empty(), "at least one store is kept");
    for (schema, sql_text) in all {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), &sql_text);
        let before = Connection::open(dir.path().join("meguri.db")).unwrap();
        let (old_rows, pickup) = (rows(&before), number(&before, "SELECT min(id) FROM pickup"));
        assert_eq!(number(&before, "PRAGMA user_version"), schema);
        // It holds one of everything that an upgrade could break.
        for table in ["fact", "history", "aside", "notice", "hole", "note", "document", "health", "resident"]
        {
            assert!(old_rows[table] > 0, "{schema:04}.sql has no {table}");
        }
        assert_eq!(number(&before, "SELECT count(*) FROM import WHERE state = 'held'"), 1);
        assert_eq!(number(&before, "SELECT count(*) FROM notice WHERE kind = 'fork'"), 1);
        drop(before);

        let mut store = open(dir.path());
        let newest = number(&store.conn, "PRAGMA user_version");
        let damage: String = store.conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(
            (damage.as_str(), number(&store.conn, "SELECT count(*) FROM pragma_foreign_key_check")),
            ("ok", 0)
        );
        let new_rows = rows(&store.conn);
        for (table, count) in &old_rows {
            assert!(new_rows.get(table).is_none_or(|now| now >= count), "{schema}: rows of {table} are gone");
        }
        let copy = dir.path().join(format!("before-upgrade-{schema:04}-to-{newest:04}.db"));
        assert_eq!(copy.exists(), schema < newest, "what is upgraded is kept beside");
        if schema < newest {
            assert_eq!(rows(&Connection::open(&copy).unwrap()), old_rows);
        }
        let city = City::parse(Path::new("city.toml"), CITY).unwrap();
        let tx = store.conn.transaction().unwrap();
        meguri_gateway::plan::take_over(&tx, Timestamp::now(), &city).unwrap();
        tx.commit().unwrap();

        // The terminals' numbers go on.
        let (epoch, seq, head) = store
            .conn
            .query_row(
                "SELECT epoch, held, digest FROM log WHERE terminal = 't-1' AND kind = 'fact'",
                [],
                |row| Ok((sql::uuid(row, 0)?, sql::seq(row, 1)?, sql::digest(row, 2)?)),
            )
            .unwrap();
        let uid = store
            .conn
            .query_row("SELECT uid FROM pickup WHERE id = ?1", [pickup + 8], |row| sql::uuid(row, 0))
            .unwrap();
        let incarnation = store.incarnation;
        let readers = store.readers(2);
        let mut bench = Bench::start(store);
        let mut log = Log { epoch: Epoch(epoch), seq, head, entries: Vec::new() };
        log.write(&outcome(uid, Outcome_::Collected));
        bench.say("t-1", UpTopic::Fact, log.publish(&[]));
        let ack = bench.held().await;
        assert_eq!(
            (ack.held[0].log, ack.held[0].seq, ack.held[0].digest),
            (LogKind::Fact, seq + 1, log.head)
        );
        assert_eq!(ack.incarnation, incarnation, "it is the same office");

        // The pages show the day of then and of now.
        let day: String = readers
            .with(|conn| conn.query_row("SELECT date FROM pickup", [], |row| row.get(0)))
            .await
            .unwrap();
        let office = Office {
            readers,
            changes: Changes::new(),
            clock: Clock::system(),
            city: Arc::new(city),
            data: dir.path().into(),
            silence_minutes: 30,
        };
        let pages = meguri_gateway::web::router_as(office, administrator());
        for (path, says) in [
            (format!("/?day={day}"), "中区"),
            ("/attention".to_owned(), "t-2"),
            ("/aside".to_owned(), "t-1"),
            (format!("/pickup/{uid}"), "本川町"),
        ] {
            let request = Request::get(&path).header(header::HOST, "localhost:8650");
            let response = pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{schema}: {path}");
            let page = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert!(String::from_utf8_lossy(&page).contains(says), "{schema}: {path} says no {says}");
        }
        bench.stop().await;
    }
}
