//! The writer as terminals meet it: messages in, acks and lists out, with a real store and no broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::{City, Clock};
use meguri_gateway::changes::{Change, Changes};
use meguri_gateway::config::Settings;
use meguri_gateway::import::{Command, File, Progress, Stage, Taker};
use meguri_gateway::ingest::Incoming;
use meguri_gateway::outbox::{Outbox, Waiting};
use meguri_gateway::store::{Readers, Store, sql};
use meguri_gateway::touched::Round;
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_gateway::{notices, pickups, plan, terminals};
use meguri_proto::pickup::Result as Outcome_;
use meguri_proto::{
    Ack, BootId, DayList, Digest, Document, DocumentHeld, DocumentName, DownTopic, Entry, Epoch, EpochHeld,
    Fact, FactBody, FactId, Health, Hello, Incarnation, ListRef, LogKind, LogPublish, LogsHeld, Message,
    Nonce, Outcome, PickupId, Stamps, TerminalId, Topic, TrackBody, TrackFact, Undo, UpTopic, Way,
};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;
use uuid::Uuid;

const CITY: &str = include_str!("city.toml");

/// The office without its broker.
struct Bench {
    dir: tempfile::TempDir,
    writer: Writer,
    running: Running,
    waiting: Waiting,
    readers: Readers,
    changes: Changes,
    today: Date,
    incarnation: Incarnation,
}

fn id(text: &str) -> TerminalId {
    text.parse().unwrap()
}

fn fill(store: &mut Store, today: Date) {
    let city = City::parse(std::path::Path::new("city.toml"), CITY).unwrap();
    let tx = store.conn.transaction().unwrap();
    plan::take_over(&tx, Timestamp::UNIX_EPOCH, &city).unwrap();
    let mut touched = meguri_gateway::touched::Touched::default();
    for (terminal, vehicle) in [("t-1", "v1"), ("t-2", "v1"), ("t-3", "v2")] {
        let vehicle = vehicle.parse().unwrap();
        let secret = Digest::of(b"secret");
        terminals::add(&tx, &mut touched, Timestamp::UNIX_EPOCH, &id(terminal), &vehicle, secret).unwrap();
    }
    for n in 1..=3_u128 {
        let insert = "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
                reception, items, payment)
            VALUES (?1, 's', ?2, ?3, '中区A', '中区', 'c-1', 'v1', ?4, '4417', '[{\"name\":\"机\",\"count\":2}]', 'tickets')";
        let uid = Uuid::from_u128(n);
        let stop = i64::try_from(n).unwrap();
        tx.execute(insert, params![uid.as_bytes().as_slice(), n.to_string(), today.to_string(), stop])
            .unwrap();
        let pickup = tx.last_insert_rowid();
        tx.execute("INSERT INTO resident (pickup, rev, town) VALUES (?1, 1, '本川町')", [pickup]).unwrap();
    }
    tx.commit().unwrap();
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let today = meguri_proto::clock::business_date(Timestamp::now());
        let mut store = Self::open(&dir);
        fill(&mut store, today);
        Self::start(dir, store, today).await
    }

    fn open(dir: &tempfile::TempDir) -> Store {
        let city = "hiroshima".parse().unwrap();
        Store::open(dir.path(), &city, Timestamp::now(), Incarnation(Uuid::new_v4())).unwrap()
    }

    async fn start(dir: tempfile::TempDir, store: Store, today: Date) -> Self {
        let city: meguri_proto::CityId = "hiroshima".parse().unwrap();
        let (outbox, waiting) = Outbox::new(city.clone());
        let (readers, changes, incarnation) = (store.readers(1), Changes::new(), store.incarnation);
        let settings = Settings::default();
        let parts = Parts { store, city, clock: Clock::system(), changes: changes.clone(), outbox, settings };
        let (writer, running) = Writer::start(parts).unwrap();
        Self { dir, writer, running, waiting, readers, changes, today, incarnation }
    }

    fn send(&self, topic: &str, payload: Vec<u8>) {
        self.writer.take(Incoming { topic: topic.to_owned(), payload }, None).unwrap();
    }

    fn up(&self, terminal: &str, up: UpTopic, payload: Vec<u8>) {
        self.send(&Topic::up("hiroshima".parse().unwrap(), id(terminal), up).to_string(), payload);
    }

    /// The next message to a terminal.
    async fn next(&mut self) -> (TerminalId, Sent) {
        let wait = tokio::time::timeout(Duration::from_secs(20), self.waiting.messages.recv());
        let message = wait.await.expect("a message in time").expect("the office runs");
        let topic: Topic = message.topic.parse().unwrap();
        let sent = match topic.way {
            Way::Down(DownTopic::Ack) => Sent::Ack(Ack::decode(&message.payload).unwrap()),
            Way::Down(DownTopic::Document(name)) => {
                Sent::Document(name, Document::decode(&message.payload).unwrap())
            }
            Way::Up(_) => panic!("the office speaks down"),
        };
        (topic.terminal, sent)
    }

    async fn ack(&mut self, terminal: &str) -> Ack {
        match self.next().await {
            (to, Sent::Ack(ack)) => {
                assert_eq!(to.as_str(), terminal);
                ack
            }
            (to, Sent::Document(name, _)) => panic!("expected an ack, found {name} to {to}"),
        }
    }

    async fn list(&mut self, terminal: &str) -> (u64, Digest, Option<DayList>) {
        match self.next().await {
            (to, Sent::Document(_, document)) => {
                assert_eq!(to.as_str(), terminal);
                let list = serde_json::from_str(document.body.get()).unwrap();
                (document.version, document.digest, list)
            }
            (to, Sent::Ack(ack)) => panic!("expected a list, found {ack:?} to {to}"),
        }
    }

    /// Everything handed over before is done, and nothing more was sent.
    async fn quiet(&mut self) {
        // A job behind it, twice: lists are made between works.
        for _ in 0..2 {
            self.writer.run_job(|_, _| Ok::<_, rusqlite::Error>(())).await.unwrap().unwrap();
        }
        assert!(self.waiting.messages.try_recv().is_err(), "nothing more is said");
    }

    /// Everything handed over before is done; what was sent is not looked at.
    async fn settled(&mut self) {
        for _ in 0..2 {
            self.writer.run_job(|_, _| Ok::<_, rusqlite::Error>(())).await.unwrap().unwrap();
        }
        while self.waiting.messages.try_recv().is_ok() {}
    }

    /// The answer to a hello.
    async fn ack_with(&mut self, nonce: Nonce) -> Ack {
        loop {
            if let (_, Sent::Ack(ack)) = self.next().await
                && ack.nonce == Some(nonce)
            {
                return ack;
            }
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.readers.with(move |conn| conn.query_row(sql, [], |row| row.get(0))).await.unwrap()
    }

    async fn state(&self, pickup: i64) -> String {
        let select = "SELECT state FROM pickup WHERE id = ?1";
        self.readers.with(move |conn| conn.query_row(select, [pickup], |row| row.get(0))).await.unwrap()
    }

    async fn stop(self) -> tempfile::TempDir {
        self.writer.stop().await;
        self.running.ended().await.unwrap();
        self.dir
    }
}

enum Sent {
    Ack(Ack),
    Document(DocumentName, Document),
}

/// A terminal's log, by hand.
#[derive(Clone)]
struct Log {
    epoch: Epoch,
    entries: Vec<Entry>,
}

impl Log {
    fn new() -> Self {
        Self { epoch: Epoch(Uuid::new_v4()), entries: Vec::new() }
    }

    fn head(&self) -> Digest {
        self.entries.last().map_or(Digest::ZERO, |entry| entry.digest)
    }

    fn write(&mut self, body: &str) -> FactId {
        self.write_as(FactId(Uuid::now_v7()), body)
    }

    fn write_as(&mut self, id: FactId, body: &str) -> FactId {
        let body = RawValue::from_string(body.to_owned()).unwrap();
        let digest = self.head().then(body.get().as_bytes());
        self.entries.push(Entry { seq: self.entries.len() as u64 + 1, id, digest, body });
        id
    }

    fn publish(&self, from: u64, to: u64) -> Vec<u8> {
        let entries = self.entries.iter().filter(|e| (from..=to).contains(&e.seq)).cloned().collect();
        LogPublish { v: 1, epoch: self.epoch, entries, notes: Default::default() }.encode().unwrap()
    }

    fn held(&self) -> EpochHeld {
        EpochHeld {
            epoch: self.epoch,
            first: 1,
            before: Digest::ZERO,
            head: self.entries.len() as u64,
            digest: self.head(),
            acked: 0,
        }
    }
}

fn hello(
    logs: &[EpochHeld],
    documents: Vec<DocumentHeld>,
    incarnation: Option<Incarnation>,
    boot: u128,
) -> Hello {
    Hello {
        v: 1,
        nonce: Nonce(Uuid::new_v4()),
        boot: BootId(Uuid::from_u128(boot)),
        app: "test".into(),
        config: 1,
        incarnation,
        certificate: None,
        logs: LogsHeld { fact: logs.to_vec(), track: Vec::new() },
        documents,
    }
}

fn body(pickup: u128, fact: impl FnOnce(PickupId) -> Fact) -> FactBody {
    let at = Stamps { terminal: Timestamp::now(), gnss: None, trusted: None };
    FactBody {
        v: 1,
        contract: "c-1".parse().unwrap(),
        config: 1,
        crew: None,
        at,
        fact: fact(PickupId(Uuid::from_u128(pickup))),
    }
}

fn collected(pickup: u128) -> String {
    let list = ListRef { date: jiff::civil::date(2026, 4, 1), version: 1 };
    let fact = |pickup| Fact::Outcome(Outcome { pickup, list, replaces: None, result: Outcome_::Collected });
    serde_json::to_string(&body(pickup, fact)).unwrap()
}

fn undo(pickup: u128, of: FactId) -> String {
    serde_json::to_string(&body(pickup, |pickup| Fact::Undo(Undo { pickup, of }))).unwrap()
}

#[tokio::test]
async fn a_fact_is_acknowledged_applied_and_applied_once() {
    let mut bench = Bench::new().await;
    let mut changes = bench.changes.subscribe();
    let mut log = Log::new();
    let first = log.write(&collected(1));
    log.write(&collected(2));
    log.write(&undo(1, first));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 2));
    let ack = bench.ack("t-1").await;
    assert_eq!((ack.nonce, ack.say_hello, ack.incarnation), (None, false, bench.incarnation));
    assert_eq!((ack.held[0].seq, ack.held[0].digest), (2, log.entries[1].digest));
    assert_eq!(changes.recv().await.unwrap(), Change::History(2));
    // The other terminal of the same vehicle is told, the speaker is not.
    let (version, _, list) = bench.list("t-2").await;
    assert_eq!((version, list.unwrap().pickups[0].others.len()), (1, 1));
    bench.quiet().await;
    assert_eq!(bench.state(1).await, "collected");

    // The same again: acknowledged again, nothing changes.
    bench.up("t-1", UpTopic::Fact, log.publish(1, 2));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 2);
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM history").await, 2);

    bench.up("t-1", UpTopic::Fact, log.publish(2, 3));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 3);
    bench.list("t-2").await;
    bench.quiet().await;
    assert_eq!((bench.state(1).await.as_str(), bench.state(2).await.as_str()), ("open", "collected"));

    // A fork carries facts over into another epoch, ids unchanged.
    let mut fork = Log::new();
    for entry in &log.entries {
        fork.write_as(entry.id, entry.body.get());
    }
    bench.up("t-1", UpTopic::Fact, fork.publish(1, 3));
    assert_eq!(bench.ack("t-1").await.held[0].epoch, fork.epoch);
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 3);
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 6);
    // A stop and a start change nothing of it.
    let dir = bench.stop().await;
    let store = Bench::open(&dir);
    assert!(!store.restored);
}

#[tokio::test]
async fn a_backlog_that_speaks_of_one_pickup_is_decided_once() {
    let dir = tempfile::tempdir().unwrap();
    let today = meguri_proto::clock::business_date(Timestamp::now());
    let mut store = Bench::open(&dir);
    fill(&mut store, today);
    let count = "CREATE TABLE decided (pickup INTEGER);
        CREATE TRIGGER decided AFTER UPDATE OF state ON pickup BEGIN INSERT INTO decided VALUES (new.id); END";
    store.conn.execute_batch(count).unwrap();
    let mut bench = Bench::start(dir, store, today).await;
    let mut log = Log::new();
    for _ in 0..50 {
        let said = log.write(&collected(1));
        log.write(&undo(1, said));
    }
    log.write(&collected(1));
    log.write(&collected(2));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 102));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 102);
    assert_eq!((bench.state(1).await.as_str(), bench.state(2).await.as_str()), ("collected", "collected"));
    assert_eq!(bench.count("SELECT count(*) FROM history").await, 102);
    assert_eq!(bench.count("SELECT count(*) FROM decided").await, 2);
    bench.stop().await;
}

#[tokio::test]
async fn a_gap_asks_for_a_hello_once_in_a_while() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    for pickup in [1, 2, 3] {
        log.write(&collected(pickup));
    }
    for _ in 0..3 {
        bench.up("t-1", UpTopic::Fact, log.publish(2, 3));
    }
    let ack = bench.ack("t-1").await;
    assert!(ack.say_hello && ack.held.is_empty() && ack.nonce.is_none());
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 0);
}

#[tokio::test]
async fn a_fork_is_told_once_and_nothing_of_it_is_applied() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    log.write(&collected(1));
    let mut other = log.clone();
    log.write(&collected(2));
    other.write(&collected(3));
    other.write(&collected(3));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 2));
    bench.ack("t-1").await;
    bench.list("t-2").await;
    // Another entry under a held number, and one that follows another chain.
    bench.up("t-1", UpTopic::Fact, other.publish(2, 2));
    assert!(bench.ack("t-1").await.say_hello);
    bench.up("t-1", UpTopic::Fact, other.publish(3, 3));
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'fork'").await, 1);
    assert_eq!((bench.state(2).await.as_str(), bench.state(3).await.as_str()), ("collected", "open"));
    // The answer to the hello lets the terminal see it.
    bench.up("t-1", UpTopic::Hello, hello(&[other.held()], Vec::new(), None, 1).encode().unwrap());
    let answer = bench.ack("t-1").await;
    assert_eq!((answer.held[0].seq, answer.held[0].digest), (2, log.head()));
    assert_eq!(bench.count("SELECT count(*) FROM notice").await, 1);
}

#[tokio::test]
async fn bad_bodies_are_set_aside_and_the_rest_goes_on() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    log.write(r#"{"v":9,"news":true}"#);
    log.write(r#"{"v":1,"秘密":"本川町"}"#);
    log.write("17");
    log.write(&format!(r#"{{"v":1,"pad":"{}"}}"#, "x".repeat(20_000)));
    log.write(&collected(99));
    log.write(&collected(1).replace("c-1", "c-2"));
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 7));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 7);
    bench.list("t-2").await;
    bench.quiet().await;
    assert_eq!(bench.state(1).await, "collected");
    assert_eq!(
        bench.count("SELECT count(*) FROM aside WHERE seq BETWEEN 1 AND 6 AND terminal = 't-1'").await,
        6
    );
    let problems = "SELECT group_concat(problem, '|') FROM aside";
    let problems: String =
        bench.readers.with(move |conn| conn.query_row(problems, [], |row| row.get(0))).await.unwrap();
    for word in ["version 9", "line 1 column", "16384", "pickup is unknown", "contract"] {
        assert!(problems.contains(word), "{word}: {problems}");
    }
    assert!(!problems.contains("秘密") && !problems.contains("本川町"), "{problems}");
    // The same again is acknowledged again and not set aside again.
    bench.up("t-1", UpTopic::Fact, log.publish(1, 7));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 7);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 6);
}

#[tokio::test]
async fn whatever_else_comes_is_set_aside_once() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    log.write(&collected(1));
    for (topic, payload) in [
        ("meguri/1/hiroshima/t-1/up/fact", b"not json".to_vec()),
        ("meguri/1/hiroshima/t-1/up/hello", b"{\"v\":2}".to_vec()),
        ("meguri/1/hiroshima/t-1/up/position", vec![0xff; 300 * 1024]),
        ("meguri/1/hiroshima/t-1/up/unheard/of", b"{}".to_vec()),
        ("meguri/1/hiroshima/t-9/up/fact", log.publish(1, 1)),
        ("meguri/1/kure/t-1/up/fact", log.publish(1, 1)),
        ("something/else", Vec::new()),
    ] {
        bench.send(topic, payload.clone());
        bench.send(topic, payload);
    }
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 7);
    assert_eq!(
        bench.count("SELECT count(*) FROM aside WHERE length(raw) = 262144 AND bytes = 307200").await,
        1
    );
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 0);
}

#[tokio::test]
async fn hello_is_answered_and_holes_are_recorded() {
    let mut bench = Bench::new().await;
    let log = Log::new();
    let mut trimmed = Log::new();
    for _ in 0..5 {
        trimmed.write(&collected(1));
    }
    let mut held = trimmed.held();
    (held.first, held.before) = (4, trimmed.entries[2].digest);
    let says = hello(&[held, log.held()], Vec::new(), None, 1);
    bench.up("t-3", UpTopic::Hello, says.encode().unwrap());
    let answer = bench.ack("t-3").await;
    assert_eq!(answer.nonce, Some(says.nonce));
    let told: Vec<_> = answer.held.iter().map(|held| (held.log, held.epoch, held.seq, held.digest)).collect();
    let hole = (LogKind::Fact, trimmed.epoch, 3, trimmed.entries[2].digest);
    assert_eq!(told, [hole, (LogKind::Fact, log.epoch, 0, Digest::ZERO)]);
    bench.up("t-3", UpTopic::Fact, trimmed.publish(4, 5));
    assert_eq!(bench.ack("t-3").await.held[0].seq, 5);
    bench.quiet().await;
    let holes = "SELECT count(*) FROM hole WHERE first_seq = 1 AND last_seq = 3";
    assert_eq!(bench.count(holes).await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'hole'").await, 1);
}

#[tokio::test]
async fn an_office_that_was_told_to_hold_more_is_a_copy_put_back() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    log.write(&collected(1));
    let mut held = log.held();
    held.acked = 1;
    let says = hello(&[held], Vec::new(), Some(bench.incarnation), 1);
    bench.up("t-3", UpTopic::Hello, says.encode().unwrap());
    let answer = bench.ack("t-3").await;
    assert_eq!((answer.nonce, answer.held[0].seq), (Some(says.nonce), 0));
    assert_ne!(answer.incarnation, bench.incarnation);
    for _ in 0..3 {
        let (_, sent) = bench.next().await;
        assert!(matches!(sent, Sent::Ack(ack) if ack.say_hello && ack.incarnation == answer.incarnation));
    }
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'restored'").await, 1);
    // Who goes on claiming sets nobody talking a second time.
    let again = Hello { incarnation: Some(answer.incarnation), ..says };
    bench.up("t-3", UpTopic::Hello, again.encode().unwrap());
    assert_eq!(bench.ack("t-3").await.incarnation, answer.incarnation);
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'restored'").await, 1);
    // The new life is the store's from then on.
    let dir = bench.stop().await;
    let store = Bench::open(&dir);
    assert_eq!((store.incarnation, store.restored), (answer.incarnation, false));
}

#[tokio::test]
async fn two_devices_under_one_name_are_noticed() {
    let mut bench = Bench::new().await;
    for boot in [1, 2, 1, 2] {
        bench.up("t-3", UpTopic::Hello, hello(&[], Vec::new(), None, boot).encode().unwrap());
        bench.ack("t-3").await;
    }
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'two_devices'").await, 1);
}

/// A terminal's list and what it would say of it.
fn holds(date: Date, version: u64, digest: Digest) -> Vec<DocumentHeld> {
    let name = DocumentName::List { contract: "c-1".parse().unwrap(), date };
    vec![DocumentHeld { name, version, digest }]
}

impl Bench {
    /// The next document to a terminal, which is no list: its version, its digest and its body.
    async fn document(&mut self, terminal: &str, name: &DocumentName) -> (u64, Digest, String) {
        match self.next().await {
            (to, Sent::Document(found, document)) => {
                assert_eq!((to.as_str(), &found), (terminal, name));
                (document.version, document.digest, document.body.get().to_owned())
            }
            (to, Sent::Ack(ack)) => panic!("expected {name}, found {ack:?} to {to}"),
        }
    }

    /// Its store is one that was put back from a copy a moment ago.
    async fn restored(&self) {
        let job = |tx: &mut rusqlite::Transaction<'_>, _: &mut _| {
            let detail = serde_json::json!({});
            meguri_gateway::store::sql::notice(tx, Timestamp::now(), "restored", None, &detail)
        };
        self.writer.run_job(job).await.unwrap().unwrap();
    }

    async fn report_lost(&self, terminal: &str) -> bool {
        let terminal = id(terminal);
        let job = move |tx: &mut rusqlite::Transaction<'_>, touched: &mut _| {
            meguri_gateway::lost::report(tx, touched, Timestamp::now(), &terminal)
        };
        self.writer.run_job(job).await.unwrap().unwrap()
    }
}

fn names(name: DocumentName, version: u64, digest: Digest) -> DocumentHeld {
    DocumentHeld { name, version, digest }
}

#[tokio::test]
async fn a_lost_terminal_gets_its_erasure_alone_and_is_kept_out_once_it_says_it_is_done() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    bench.list("t-1").await;
    bench.list("t-2").await;
    let mut log = Log::new();
    log.write(&collected(1));
    assert!(bench.report_lost("t-1").await);
    assert!(!bench.report_lost("t-1").await, "known already");
    let (version, digest, body) = bench.document("t-1", &DocumentName::Erasure).await;
    assert_eq!((version, body.as_str()), (1, meguri_gateway::lost::ERASURE));
    // What it says meanwhile is neither taken nor acknowledged: it may come once it is found.
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);
    // A hello brings it again, and never a list.
    for held in
        [Vec::new(), holds(bench.today, 1, Digest::ZERO), vec![names(DocumentName::Erasure, 7, digest)]]
    {
        bench.up("t-1", UpTopic::Hello, hello(&[log.held()], held, None, 1).encode().unwrap());
        bench.document("t-1", &DocumentName::Erasure).await;
        bench.quiet().await;
    }
    let (version, ..) = (8, digest);
    // A change of its round is nothing to it.
    let round = Round { date: bench.today, contract: "c-1".parse().unwrap(), vehicle: "v1".parse().unwrap() };
    let cancelled = bench.writer.run_job(move |tx, touched| {
        touched.pickup(round);
        cancel(tx, 2)
    });
    cancelled.await.unwrap().unwrap();
    bench.list("t-2").await;
    bench.quiet().await;

    let mut changes = bench.changes.subscribe();
    let done = hello(&[log.held()], vec![names(DocumentName::Erasure, version, digest)], None, 1);
    bench.up("t-1", UpTopic::Hello, done.encode().unwrap());
    bench.quiet().await;
    let told: Vec<Change> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    assert!(told.contains(&Change::Access), "the broker is told: {told:?}");
    let kept_out =
        "SELECT count(*) FROM terminal WHERE id = 't-1' AND erased_at IS NOT NULL AND blocked_at IS NOT NULL";
    assert_eq!(bench.count(kept_out).await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'erased'").await, 1);

    // Found: it gets its lists, and what it had recorded is taken.
    let found = bench
        .writer
        .run_job(|tx, touched| terminals::block(tx, touched, Timestamp::now(), &id("t-1"), false));
    assert!(found.await.unwrap().unwrap());
    let (lapsed, _, body) = bench.document("t-1", &DocumentName::Erasure).await;
    assert_eq!((lapsed, body.as_str()), (version + 1, "null"));
    bench.settled().await;
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 1);
}

#[tokio::test]
async fn a_loss_that_a_restored_store_has_forgotten_is_reported_again() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    bench.list("t-1").await;
    bench.list("t-2").await;
    let erasure =
        |version| names(DocumentName::Erasure, version, Digest::of(meguri_gateway::lost::ERASURE.as_bytes()));
    let say = |held: Vec<DocumentHeld>| hello(&[], held, None, 1).encode().unwrap();
    bench.restored().await;
    bench.up("t-1", UpTopic::Hello, say(vec![erasure(3)]));
    let (version, digest, body) = bench.document("t-1", &DocumentName::Erasure).await;
    assert_eq!(
        (version, body.as_str()),
        (4, meguri_gateway::lost::ERASURE),
        "no list, and its erasure again"
    );
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'lost_before_restore'").await, 1);
    bench.up("t-1", UpTopic::Hello, say(vec![names(DocumentName::Erasure, version, digest)]));
    bench.quiet().await;
    let kept_out =
        "SELECT count(*) FROM terminal WHERE id = 't-1' AND erased_at IS NOT NULL AND blocked_at IS NOT NULL";
    assert_eq!(bench.count(kept_out).await, 1);
    let waiting = "SELECT count(*) FROM notice WHERE kind = 'lost_before_restore' AND settled_at IS NULL";
    assert_eq!(bench.count(waiting).await, 0);
    // Found and let in, it is not lost once more.
    let found = bench
        .writer
        .run_job(|tx, touched| terminals::block(tx, touched, Timestamp::now(), &id("t-1"), false));
    assert!(found.await.unwrap().unwrap());
    assert_eq!(bench.document("t-1", &DocumentName::Erasure).await.0, version + 1);
    bench.up("t-1", UpTopic::Hello, say(vec![erasure(version)]));
    bench.ack("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM terminal WHERE lost_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_terminal_that_was_found_is_not_erased_by_a_restored_store_before_a_person_says_so() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    bench.list("t-1").await;
    bench.list("t-2").await;
    assert!(bench.report_lost("t-1").await);
    bench.document("t-1", &DocumentName::Erasure).await;
    bench.settled().await;
    bench.restored().await;
    let say = || {
        let held = vec![names(DocumentName::Erasure, 2, Digest::of(b"null"))];
        hello(&[], held, None, 1).encode().unwrap()
    };
    for _ in 0..2 {
        bench.up("t-1", UpTopic::Hello, say());
        bench.quiet().await;
    }
    let told = "SELECT count(*) FROM notice WHERE kind = 'found_before_restore' AND settled_at IS NULL";
    assert_eq!(bench.count(told).await, 1);
    // It is lost indeed: reported anew, it is erased.
    let found = bench
        .writer
        .run_job(|tx, touched| terminals::block(tx, touched, Timestamp::now(), &id("t-1"), false));
    assert!(found.await.unwrap().unwrap());
    bench.document("t-1", &DocumentName::Erasure).await;
    bench.settled().await;
    assert_eq!(bench.count(told).await, 0);
    assert!(bench.report_lost("t-1").await);
    bench.document("t-1", &DocumentName::Erasure).await;
    bench.settled().await;
    bench.up("t-1", UpTopic::Hello, say());
    let (version, _, body) = bench.document("t-1", &DocumentName::Erasure).await;
    assert_eq!((version, body.as_str()), (3, meguri_gateway::lost::ERASURE));
    // Another device takes its name: since when it was lost can still be looked up.
    bench
        .writer
        .run_job(|tx, touched| terminals::block(tx, touched, Timestamp::now(), &id("t-1"), false))
        .await
        .unwrap()
        .unwrap();
    let days = meguri_gateway::exposure::Days { from: bench.today, to: bench.today, kept: 7 };
    let look = move |conn: &rusqlite::Connection| meguri_gateway::exposure::look_up(conn, &id("t-1"), days);
    let found = bench.readers.with(look).await.unwrap().unwrap();
    assert!(found.lost_at.is_some() && found.erased_at.is_none());
}

#[tokio::test]
async fn a_contractors_crew_goes_to_its_terminals() {
    use meguri_gateway::crew;
    use meguri_proto::crew::PinLock;
    let mut bench = Bench::new().await;
    let add = |member: &str, contractor: &str| {
        let new = crew::New {
            id: member.parse().unwrap(),
            contractor: contractor.parse().unwrap(),
            name: "乗務員甲".into(),
            lock: PinLock::new("273941", [1; 32]).unwrap(),
        };
        bench.writer.run_job(move |tx, touched| crew::add(tx, touched, Timestamp::now(), &new))
    };
    let contractor: String = bench
        .readers
        .with(|conn| conn.query_row("SELECT contractor FROM contract WHERE id = 'c-1'", [], |row| row.get(0)))
        .await
        .unwrap();
    assert!(matches!(add("m-1", "nobody").await.unwrap(), Err(crew::CrewError::UnknownContractor(_))));
    add("m-1", &contractor).await.unwrap().unwrap();
    assert!(matches!(add("m-1", &contractor).await.unwrap(), Err(crew::CrewError::Exists(_))));
    let mut told = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let (to, Sent::Document(name, document)) = bench.next().await else { panic!("an ack") };
        if name == DocumentName::Crew {
            told.insert(to.to_string(), (document.version, document.digest, document.body.get().to_owned()));
        }
    }
    bench.settled().await;
    let (version, digest, body) = told["t-1"].clone();
    assert!(told.contains_key("t-2") && body.contains("m-1") && !body.contains("273941"), "{told:?}");
    // Who holds it gets nothing more; who does not gets it by a hello.
    let say = |held: Vec<DocumentHeld>| hello(&[], held, None, 1).encode().unwrap();
    let mut all = holds(bench.today, 1, Digest::ZERO);
    all.push(names(DocumentName::Crew, version, digest));
    bench.up("t-1", UpTopic::Hello, say(all));
    bench.ack("t-1").await;
    bench.list("t-1").await;
    bench.quiet().await;
    let removed = bench
        .writer
        .run_job(|tx, touched| crew::remove(tx, touched, Timestamp::now(), &"m-1".parse().unwrap()));
    removed.await.unwrap().unwrap();
    let (lapsed, _, body) = bench.document("t-1", &DocumentName::Crew).await;
    assert_eq!((lapsed, body.as_str()), (version + 1, "null"), "nobody needs to sign in");
    let again = bench.writer.run_job(|tx, touched| {
        crew::set_pin(
            tx,
            touched,
            Timestamp::now(),
            &"m-1".parse().unwrap(),
            &PinLock::new("604182", [2; 32]).unwrap(),
        )
    });
    assert!(matches!(again.await.unwrap(), Err(crew::CrewError::Unknown(_))));
}

#[tokio::test]
async fn whose_data_a_terminal_held_is_known_also_of_lists_that_were_replaced() {
    use meguri_gateway::exposure::{Days, look_up};
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    bench.list("t-1").await;
    bench.list("t-2").await;
    // One pickup goes to another vehicle: it was on the terminal all the same.
    let round = Round { date: bench.today, contract: "c-1".parse().unwrap(), vehicle: "v1".parse().unwrap() };
    let moved = bench.writer.run_job(move |tx, touched| {
        touched.pickup(round);
        tx.execute("UPDATE pickup SET vehicle = 'v2' WHERE id = 2", [])
    });
    moved.await.unwrap().unwrap();
    assert_eq!(bench.list("t-1").await.2.unwrap().pickups.len(), 2);
    bench.settled().await;
    let today = bench.today;
    let held = |terminal: &'static str, from: Date, to: Date| {
        let days = Days { from, to, kept: 7 };
        bench.readers.with(move |conn| look_up(conn, &id(terminal), days))
    };
    let after = |days: i64| today.checked_add(jiff::Span::new().days(days)).unwrap();
    let found = held("t-1", today, today).await.unwrap().unwrap();
    assert_eq!(found.requests.len(), 3);
    assert_eq!(found.requests[0].address.as_deref(), Some("中区本川町"));
    assert!(String::from_utf8(found.csv().unwrap()).unwrap().contains("中区本川町"));
    assert_eq!(held("t-1", after(7), after(8)).await.unwrap().unwrap().requests.len(), 3, "kept for a week");
    assert_eq!(held("t-1", after(8), after(9)).await.unwrap().unwrap().requests.len(), 0);
    // Not heard for ten days before it was lost: it may have been off, and has deleted nothing.
    let heard = |ms: Option<i64>| {
        bench
            .writer
            .run_job(move |tx, _| tx.execute("UPDATE terminal SET last_heard_at = ?1 WHERE id = 't-1'", [ms]))
    };
    heard(Some(Timestamp::now().as_millisecond())).await.unwrap().unwrap();
    assert_eq!(held("t-1", after(10), after(11)).await.unwrap().unwrap().requests.len(), 3);
    heard(None).await.unwrap().unwrap();
    assert_eq!(held("t-1", after(-9), after(-1)).await.unwrap().unwrap().requests.len(), 0, "not issued yet");
    assert_eq!(held("t-3", today, today).await.unwrap().unwrap().requests.len(), 0, "another vehicle's");
    assert!(held("t-9", today, today).await.unwrap().is_none());
}

fn cancel(tx: &Connection, pickup: i64) -> rusqlite::Result<()> {
    tx.execute("UPDATE pickup SET office = '\"cancelled\"', changed_on = date WHERE id = ?1", [pickup])?;
    pickups::refresh(tx, pickup)
}

#[tokio::test]
async fn lists_go_out_when_what_they_are_made_for_changes() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    let (version, _, list) = bench.list("t-1").await;
    let list = list.unwrap();
    assert_eq!((version, list.pickups.len(), list.vehicle.as_str()), (1, 3, "1号車"));
    assert_eq!(list.pickups[0].place.town, "本川町");
    bench.list("t-2").await;
    bench.writer.day().await;
    bench.quiet().await;

    // Own facts make no new version for who said them.
    let mut log = Log::new();
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    assert_eq!(bench.list("t-2").await.0, 2);
    bench.quiet().await;

    // The office's word makes one for all, and tells each what it said itself.
    let round = Round { date: bench.today, contract: "c-1".parse().unwrap(), vehicle: "v1".parse().unwrap() };
    let cancelled = bench.writer.run_job(move |tx, touched| {
        touched.pickup(round);
        cancel(tx, 2)
    });
    cancelled.await.unwrap().unwrap();
    let (version, _, list) = bench.list("t-1").await;
    let list = list.unwrap();
    assert_eq!((version, list.seen[0].seq), (2, 1));
    assert!(list.pickups[0].own.is_some() && list.pickups[0].others.is_empty());
    assert!(list.pickups[1].changed && list.pickups[1].office == meguri_proto::pickup::OfficeWord::Cancelled);
    assert_eq!(bench.list("t-2").await.0, 3);
    bench.quiet().await;
}

#[tokio::test]
async fn hello_brings_the_lists_that_differ() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    let (version, digest, _) = bench.list("t-1").await;
    bench.list("t-2").await;
    let mut log = Log::new();
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    assert_eq!(bench.list("t-2").await.0, 2);
    let today = bench.today;
    let say = |bench: &Bench, logs: &[EpochHeld], documents: Vec<DocumentHeld>| {
        bench.up("t-1", UpTopic::Hello, hello(logs, documents, None, 1).encode().unwrap());
    };

    // Nothing differs, the terminal's own fact aside, which it still keeps.
    say(&bench, &[log.held()], holds(today, version, digest));
    bench.ack("t-1").await;
    bench.quiet().await;

    // It never came: a list that tells what the terminal said itself.
    say(&bench, &[log.held()], Vec::new());
    bench.ack("t-1").await;
    let (second, digest, list) = bench.list("t-1").await;
    assert_eq!(second, 2);
    assert!(list.unwrap().pickups[0].own.is_some());
    say(&bench, &[log.held()], Vec::new());
    bench.ack("t-1").await;
    assert_eq!(bench.list("t-1").await.0, 2, "sent again as it is");
    bench.quiet().await;

    // A terminal that holds a higher version of another office gets one above both.
    say(&bench, &[log.held()], holds(today, 40, digest));
    bench.ack("t-1").await;
    let (third, digest, _) = bench.list("t-1").await;
    assert_eq!(third, 41);

    // A terminal whose store was put back to before its fact is told what it said.
    let mut more = log.clone();
    more.write(&collected(2));
    bench.up("t-1", UpTopic::Fact, more.publish(2, 2));
    bench.ack("t-1").await;
    bench.list("t-2").await;
    say(&bench, &[log.held()], holds(today, 41, digest));
    bench.ack("t-1").await;
    let (fourth, _, list) = bench.list("t-1").await;
    let list = list.unwrap();
    assert_eq!((fourth, list.seen[0].seq), (42, 2));
    assert!(list.pickups[1].own.is_some());

    // A list of a contract that is not its: dropped, with a version above.
    let name = DocumentName::List { contract: "c-2".parse().unwrap(), date: today };
    let mut documents = holds(today, 42, Digest::ZERO);
    documents[0].name = name;
    say(&bench, &[more.held()], documents);
    bench.ack("t-1").await;
    let (mut lapsed, mut own) = (None, None);
    for _ in 0..2 {
        match bench.list("t-1").await {
            (version, _, None) => lapsed = Some(version),
            (version, _, Some(_)) => own = Some(version),
        }
    }
    assert_eq!((lapsed, own), (Some(43), Some(42)));
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM document WHERE name LIKE 'list/c-2/%'").await, 0);
}

#[tokio::test]
async fn lists_of_a_terminal_that_is_bound_anew_lapse() {
    let mut bench = Bench::new().await;
    bench.writer.day().await;
    bench.list("t-1").await;
    bench.list("t-2").await;
    let bound = bench.writer.run_job(|tx, touched| {
        let vehicle = "v2".parse().unwrap();
        terminals::bind(tx, touched, Timestamp::UNIX_EPOCH, &id("t-1"), &vehicle, true).map(|_| ())
    });
    bound.await.unwrap().unwrap();
    let (version, _, list) = bench.list("t-1").await;
    assert_eq!((version, list), (2, None));
    bench.quiet().await;
    // Late facts of the old contract stay the old contract's.
    let mut log = Log::new();
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    bench.list("t-2").await;
    assert_eq!(bench.state(1).await, "collected");
}

#[tokio::test]
async fn a_blocked_terminal_is_not_listened_to() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    // It speaks before, and is known.
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    let blocked = bench
        .writer
        .run_job(|tx, touched| terminals::block(tx, touched, Timestamp::UNIX_EPOCH, &id("t-1"), true));
    assert!(blocked.await.unwrap().unwrap());
    log.write(&collected(2));
    bench.up("t-1", UpTopic::Fact, log.publish(2, 2));
    bench.up("t-1", UpTopic::Hello, hello(&[log.held()], Vec::new(), None, 1).encode().unwrap());
    bench.settled().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE problem LIKE '%blocked%'").await, 2);
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 1);
}

#[tokio::test]
async fn after_a_connection_everybody_is_asked_for_a_hello() {
    let mut bench = Bench::new().await;
    bench.writer.connected().await;
    for terminal in ["t-1", "t-2", "t-3"] {
        assert!(bench.ack(terminal).await.say_hello);
    }
    bench.quiet().await;
}

#[tokio::test]
async fn what_a_copy_brings_back_into_a_hole_is_asked_for_in_a_new_epoch() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    for pickup in 1..=3 {
        log.write(&collected(pickup));
    }
    // The first two are gone; the third is taken behind them.
    let trimmed = EpochHeld { first: 3, before: log.entries[1].digest, ..log.held() };
    let says = hello(&[trimmed], Vec::new(), Some(bench.incarnation), 1);
    bench.up("t-3", UpTopic::Hello, says.encode().unwrap());
    assert_eq!(bench.ack("t-3").await.held[0].seq, 2);
    bench.up("t-3", UpTopic::Fact, log.publish(3, 3));
    assert_eq!(bench.ack("t-3").await.held[0].digest, log.head());
    // They are not held, so they are not acknowledged.
    bench.up("t-3", UpTopic::Fact, log.publish(1, 2));
    let asked = bench.ack("t-3").await;
    assert!(asked.say_hello && asked.held.is_empty());
    let says = hello(&[log.held()], Vec::new(), Some(bench.incarnation), 1);
    bench.up("t-3", UpTopic::Hello, says.encode().unwrap());
    let told = bench.ack("t-3").await.held[0];
    assert_eq!((told.seq, told.digest), (3, Digest::ZERO), "no entry has this digest");
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'fork'").await, 1);
    assert_eq!(bench.count("SELECT held FROM log WHERE kind = 'fact'").await, 3, "what is held stays");
}

#[tokio::test]
async fn what_a_fork_carries_over_says_nothing_twice() {
    let mut bench = Bench::new().await;
    let health = |waiting| {
        let at = Stamps { terminal: Timestamp::now(), gnss: None, trusted: None };
        let health = Health { app: "test".into(), waiting, free_bytes: None };
        serde_json::to_string(&TrackBody { v: 1, at, track: TrackFact::Health(health) }).unwrap()
    };
    let (mut facts, mut track) = (Log::new(), Log::new());
    for body in [collected(1), collected(4), "{}".to_owned()] {
        facts.write(&body);
    }
    for waiting in [5, 0] {
        track.write(&health(waiting));
    }
    let (mut forked_facts, mut forked_track) = (Log::new(), Log::new());
    for entry in &facts.entries {
        forked_facts.write_as(entry.id, entry.body.get());
    }
    forked_track.write_as(track.entries[0].id, track.entries[0].body.get());
    for (facts, track) in [(&facts, &track), (&forked_facts, &forked_track)] {
        bench.up("t-1", UpTopic::Fact, facts.publish(1, 3));
        assert_eq!(bench.ack("t-1").await.held[0].digest, facts.head());
        if bench.count("SELECT count(*) FROM log").await == 1 {
            bench.list("t-2").await;
        }
        bench.up("t-1", UpTopic::Track, track.publish(1, 2));
        assert_eq!(bench.ack("t-1").await.held[0].digest, track.head());
    }
    assert_eq!(bench.count("SELECT count(*) FROM entry").await, 9, "all are kept as they came");
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 2);
    assert_eq!(bench.count("SELECT count(*) FROM health").await, 2);
    assert_eq!(bench.count("SELECT waiting FROM terminal WHERE id = 't-1'").await, 0);
}

#[tokio::test]
async fn of_messages_of_the_moment_and_of_those_kept_out_one_stands_for_all() {
    let mut bench = Bench::new().await;
    bench
        .writer
        .run_job(|tx, _| tx.execute("UPDATE terminal SET blocked_at = 1 WHERE id = 't-2'", []))
        .await
        .unwrap()
        .unwrap();
    for n in 0..20_u8 {
        bench.up("t-1", UpTopic::Hello, format!("{{\"v\":1,\"nonce\":{}}}", 10 + n).into_bytes());
        bench.up("t-1", UpTopic::Position, format!("[{}]", 10 + n).into_bytes());
        bench.up("t-2", UpTopic::Fact, format!("[{}]", 10 + n).into_bytes());
        bench.up("t-9", UpTopic::Hello, format!("[{}]", 10 + n).into_bytes());
        // Of what a log sends every word counts.
        bench.up("t-1", UpTopic::Fact, format!("[{}]", 10 + n).into_bytes());
    }
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE topic NOT LIKE '%t-1/up/fact'").await, 4);
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE topic LIKE '%t-1/up/fact'").await, 20);
    // Once a person has looked, the next one is shown again.
    let settle = |tx: &mut rusqlite::Transaction<'_>, _: &mut meguri_gateway::touched::Touched| {
        tx.execute("UPDATE aside SET settled_at = 1", [])
    };
    bench.writer.run_job(settle).await.unwrap().unwrap();
    bench.up("t-1", UpTopic::Position, b"[99]".to_vec());
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 1);
}

#[tokio::test]
async fn what_becomes_known_is_taken_without_a_person() {
    use meguri_gateway::ingest::aside;
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    for body in [collected(4), "{}".to_owned(), collected(5)] {
        log.write(&body);
    }
    bench.up("t-1", UpTopic::Fact, log.publish(1, 3));
    bench.ack("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 3);
    let insert = "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
            reception, items, payment)
        SELECT ?1, source, '4', date, district, ward, contract, vehicle, 4, reception, items, payment
        FROM pickup WHERE id = 1";
    let uid = Uuid::from_u128(4);
    let added = bench.writer.run(move |tx, ctx, fx| {
        tx.execute(insert, [uid.as_bytes().as_slice()])?;
        // One at a time, as between the turns of an import.
        let mut tried = Some(0);
        while let Some(after) = tried {
            tried = aside::retry_known(tx, ctx, fx, after, std::time::Instant::now())?;
        }
        Ok::<_, rusqlite::Error>(())
    });
    added.await.unwrap().unwrap();
    assert_eq!(bench.state(4).await, "collected");
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 2);
    assert_eq!(
        bench.count("SELECT count(*) FROM aside WHERE settled_how = 'processed' AND seq = 1").await,
        1
    );
}

const PROFILE: &str = r#"
name = "whole days"
source = "files"
covers = "whole_day"
key = ["date", "no"]
[fields]
date = "date"
district = { constant = "中区A" }
reception = "no"
town = "town"
[items.text]
text = "items"
between = ["、"]
times = ["×"]
"#;

#[tokio::test]
async fn what_terminals_say_is_acknowledged_while_a_large_file_is_taken() {
    let mut bench = Bench::new().await;
    let city = City::parse(std::path::Path::new("city.toml"), CITY).unwrap();
    let taker = Taker::new(bench.writer.clone(), bench.readers.clone(), city.into());
    let mut content = "no,date,town,items\n".to_owned();
    for n in 0..40_000 {
        // Far from the days of lists.
        let (month, day) = (n / 20_000 + 1, n / 1_000 % 20 + 1);
        content.push_str(&format!("{:04},2090-{month:02}-{day:02},本川町,机\n", n % 1_000));
    }
    let profile = PROFILE.to_owned();
    let file = File {
        name: "day.csv".into(),
        content,
        profile,
        days: Vec::new(),
        accept_good: false,
        changes: false,
    };
    let progress = Progress::default();
    let watched = progress.clone();
    let taking = tokio::spawn(async move { taker.take(Command::File(file), &progress).await });
    let mut log = Log::new();
    for stage in [Stage::Staging, Stage::Applying] {
        while watched.at().stage != stage || watched.at().done == 0 {
            assert!(!taking.is_finished(), "too small to be looked at");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        log.write(&collected(1));
        let seq = log.entries.len() as u64;
        bench.up("t-1", UpTopic::Fact, log.publish(seq, seq));
        loop {
            if let (to, Sent::Ack(ack)) = bench.next().await {
                assert_eq!((to.as_str(), ack.held[0].seq), ("t-1", seq));
                break;
            }
        }
        let at = watched.at();
        assert!(at.stage == stage && at.done < at.of, "only after all of it: {at:?}");
    }
    let report = taking.await.unwrap().unwrap().unwrap();
    assert_eq!((report.exit_status(), report.counts.added), (0, 40_000));
    assert_eq!(bench.count("SELECT count(*) FROM pickup WHERE source = 'files'").await, 40_000);
}

/// The lists of a round are made when all of the file is there, and once.
#[tokio::test]
async fn an_import_makes_each_list_anew_once() {
    let mut bench = Bench::new().await;
    let city = City::parse(std::path::Path::new("city.toml"), CITY).unwrap();
    let taker = Taker::new(bench.writer.clone(), bench.readers.clone(), city.into());
    let mut content = "no,date,town,items\n".to_owned();
    for n in 0..900 {
        content.push_str(&format!("{n:04},{},本川町,机\n", bench.today));
    }
    let profile = PROFILE.to_owned();
    let file = File {
        name: "day.csv".into(),
        content,
        profile,
        days: Vec::new(),
        accept_good: false,
        changes: false,
    };
    taker.take(Command::File(file), &Progress::default()).await.unwrap().unwrap();
    for terminal in ["t-1", "t-2"] {
        let (_, _, list) = bench.list(terminal).await;
        assert_eq!(list.unwrap().pickups.len(), 903);
    }
    bench.quiet().await;
}

#[tokio::test]
async fn a_job_that_fails_leaves_nothing() {
    let mut bench = Bench::new().await;
    let failed = bench.writer.run_job(|tx, touched| {
        touched.history = true;
        cancel(tx, 1)?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(failed.await.unwrap().is_err());
    bench.quiet().await;
    assert_eq!(bench.state(1).await, "open");
}

#[tokio::test]
async fn what_was_set_aside_can_be_taken_later() {
    use meguri_gateway::ingest::aside::{self, Settled};
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    log.write(&collected(4));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    let retry = |bench: &Bench| bench.writer.clone();
    let still = retry(&bench).run(|tx, ctx, fx| aside::retry(tx, ctx, fx, 1)).await.unwrap().unwrap();
    assert_eq!(still, Settled::Still("the pickup is unknown".into()));
    // By now it is known.
    let insert = "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
            reception, items, payment)
        SELECT ?1, source, '4', date, district, ward, contract, vehicle, 4, reception, items, payment
        FROM pickup WHERE id = 1";
    let uid = Uuid::from_u128(4);
    let added = bench.writer.run_job(move |tx, _| tx.execute(insert, [uid.as_bytes().as_slice()]));
    added.await.unwrap().unwrap();
    let done = retry(&bench).run(|tx, ctx, fx| aside::retry(tx, ctx, fx, 1)).await.unwrap().unwrap();
    assert_eq!(done, Settled::Done);
    bench.list("t-2").await;
    assert_eq!(bench.state(4).await, "collected");
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 0);
    let again = retry(&bench).run(|tx, ctx, fx| aside::retry(tx, ctx, fx, 1)).await.unwrap().unwrap();
    assert_eq!(again, Settled::NotOpen);
}

#[tokio::test]
async fn a_whole_message_set_aside_is_taken_once_its_terminal_may_speak() {
    use meguri_gateway::ingest::aside::{self, Settled};
    let mut bench = Bench::new().await;
    let block = |bench: &Bench, blocked: bool| {
        let writer = bench.writer.clone();
        async move {
            let done = writer.run_job(move |tx, touched| {
                terminals::block(tx, touched, Timestamp::UNIX_EPOCH, &id("t-1"), blocked)
            });
            assert!(done.await.unwrap().unwrap());
        }
    };
    block(&bench, true).await;
    let mut log = Log::new();
    log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    let still = bench.writer.run(|tx, ctx, fx| aside::retry(tx, ctx, fx, 1)).await.unwrap().unwrap();
    assert!(matches!(still, Settled::Still(_)), "{still:?}");
    block(&bench, false).await;
    while bench.waiting.messages.try_recv().is_ok() {}
    let done = bench.writer.run(|tx, ctx, fx| aside::retry(tx, ctx, fx, 1)).await.unwrap().unwrap();
    assert_eq!(done, Settled::Done);
    assert_eq!(bench.state(1).await, "collected");
}

#[tokio::test]
async fn notes_are_kept_with_their_entries() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    let text = "門の内側";
    let note = Digest::of(text.as_bytes());
    let list = ListRef { date: bench.today, version: 1 };
    let result = Outcome_::NotCollected { reason: meguri_proto::Reason::Other, note: Some(note) };
    let fact = |pickup| Fact::Outcome(Outcome { pickup, list, replaces: None, result });
    log.write(&serde_json::to_string(&body(1, fact)).unwrap());
    let notes = [(note, text.to_owned())].into();
    let publish = LogPublish { v: 1, epoch: log.epoch, entries: log.entries.clone(), notes };
    bench.up("t-1", UpTopic::Fact, publish.encode().unwrap());
    bench.ack("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM note WHERE text = '門の内側'").await, 1);
    assert_eq!(bench.state(1).await, "not_collected");
    assert_eq!(
        bench.count("SELECT count(*) FROM pickup WHERE reason = 'other' AND by_terminal = 't-1'").await,
        1
    );
}

#[tokio::test]
async fn a_hello_from_beyond_the_numbers_is_set_aside() {
    let mut bench = Bench::new().await;
    let mut says = hello(&[], holds(bench.today, 1, Digest::ZERO), None, 1);
    let good = says.encode().unwrap();
    says.documents[0].version = u64::MAX;
    bench.up("t-3", UpTopic::Hello, serde_json::to_vec(&says).unwrap());
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 1);
    // The office goes on.
    bench.up("t-3", UpTopic::Hello, good);
    assert_eq!(bench.ack("t-3").await.nonce, Some(says.nonce));
}

#[tokio::test]
async fn a_list_known_to_have_lapsed_is_not_sent_again() {
    let mut bench = Bench::new().await;
    let name = DocumentName::List { contract: "another".parse().unwrap(), date: bench.today };
    for (body, sent_again) in [("{}", true), ("null", false)] {
        let held = DocumentHeld { name: name.clone(), version: 4, digest: Digest::of(body.as_bytes()) };
        bench.up("t-3", UpTopic::Hello, hello(&[], vec![held], None, 1).encode().unwrap());
        bench.ack("t-3").await;
        if sent_again {
            let (version, _, list) = bench.list("t-3").await;
            assert_eq!((version, list), (5, None));
        }
        bench.quiet().await;
    }
}

#[tokio::test]
async fn a_list_that_is_too_large_keeps_no_other_back() {
    let mut bench = Bench::new().await;
    let tomorrow = bench.today.tomorrow().unwrap();
    let job = move |tx: &mut rusqlite::Transaction<'_>, _: &mut meguri_gateway::touched::Touched| {
        tx.execute("UPDATE pickup SET date = ?1 WHERE id = 3", [tomorrow.to_string()])?;
        // Longer than the wire allows, as no import lets it be.
        tx.execute("UPDATE resident SET spot = ?1 WHERE pickup = 1", ["坂".repeat(501)])
    };
    bench.writer.run_job(job).await.unwrap().unwrap();
    bench.up("t-1", UpTopic::Hello, hello(&[], Vec::new(), None, 1).encode().unwrap());
    bench.ack("t-1").await;
    let (_, _, list) = bench.list("t-1").await;
    assert_eq!(list.unwrap().date, tomorrow);
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'list_too_large'").await, 1);
}

#[tokio::test]
async fn what_was_settled_long_ago_is_emptied() {
    let mut bench = Bench::new().await;
    bench.send("meguri/1/hiroshima/t-1/up/unheard-of", b"x".to_vec());
    bench.quiet().await;
    for (ago, left) in [("29 days", 1), ("31 days", 0)] {
        let settle = format!("UPDATE aside SET settled_at = 1000 * unixepoch('now', '-{ago}')");
        bench.writer.run_job(move |tx, _| tx.execute(&settle, [])).await.unwrap().unwrap();
        // A gateway looks when its calendar turns, and when it starts.
        let dir = bench.stop().await;
        let (store, today) = (Bench::open(&dir), meguri_proto::clock::business_date(Timestamp::now()));
        bench = Bench::start(dir, store, today).await;
        bench.writer.day().await;
        while !bench.waiting.messages.is_empty() {
            bench.waiting.messages.recv().await;
        }
        // Erased is in steps between works.
        bench.settled().await;
        assert_eq!(bench.count("SELECT count(*) FROM aside WHERE length(raw) > 0").await, left, "{ago}");
    }
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 1);
}

/// A body that says "not collected" with a note, and the publish with that note's text under its name.
fn noted(log: &mut Log, pickup: u128, note: Digest) -> FactId {
    let list = ListRef { date: jiff::civil::date(2026, 4, 1), version: 1 };
    let result = Outcome_::NotCollected { reason: meguri_proto::Reason::Other, note: Some(note) };
    let fact = |pickup| Fact::Outcome(Outcome { pickup, list, replaces: None, result });
    log.write(&serde_json::to_string(&body(pickup, fact)).unwrap())
}

/// A publish as somebody sends it who keeps no limits.
fn unchecked(log: &Log, notes: &[(Digest, &str)]) -> Vec<u8> {
    let notes = notes.iter().map(|(digest, text)| (*digest, (*text).to_owned())).collect();
    let publish = LogPublish { v: 1, epoch: log.epoch, entries: log.entries.clone(), notes };
    serde_json::to_vec(&publish).unwrap()
}

#[tokio::test]
async fn a_bad_note_is_set_aside_alone() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    let of = |text: &str| Digest::of(text.as_bytes());
    let long = "長".repeat(501);
    for (pickup, note) in [(1, of("門\t内")), (2, of(&long)), (3, of("塀"))] {
        noted(&mut log, pickup, note);
    }
    noted(&mut log, 1, of("良い"));
    let notes = [
        (of("門\t内"), "門\t内"),
        (of(&long), long.as_str()),
        (of("塀"), "別の文"),
        (of("良い"), "良い"),
        (of("誰の"), "誰の"),
    ];
    bench.up("t-1", UpTopic::Fact, unchecked(&log, &notes));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 4, "the entries are taken");
    bench.list("t-2").await;
    assert_eq!(bench.state(3).await, "not_collected");
    assert_eq!(bench.count("SELECT count(*) FROM note WHERE text = '良い'").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM note").await, 1);
    for raw in ["門\t内", &long, "別の文", "誰の"] {
        let select = "SELECT problem FROM aside WHERE raw = ?1 AND terminal = 't-1' AND seq IS NULL";
        let bytes = raw.as_bytes().to_vec();
        let problem: String =
            bench.readers.with(move |conn| conn.query_row(select, [bytes], |row| row.get(0))).await.unwrap();
        assert!(problem.contains("note") && !problem.contains(raw), "{problem}");
    }
    // Sent again they lie there once.
    bench.up("t-1", UpTopic::Fact, unchecked(&log, &notes));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 4);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 4);
}

#[tokio::test]
async fn a_note_that_comes_with_a_repeat_is_kept() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    let note = Digest::of("門の内側".as_bytes());
    noted(&mut log, 1, note);
    bench.up("t-1", UpTopic::Fact, unchecked(&log, &[]));
    bench.ack("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM note").await, 0);
    bench.list("t-2").await;
    bench.up("t-1", UpTopic::Fact, unchecked(&log, &[(note, "門の内側")]));
    bench.ack("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM note WHERE text = '門の内側'").await, 1);
}

#[tokio::test]
async fn the_id_of_another_fact_hides_no_fact() {
    let mut bench = Bench::new().await;
    let (mut log, mut other) = (Log::new(), Log::new());
    let id = log.write(&collected(1));
    log.write_as(id, &collected(2));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 2));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 2);
    bench.list("t-2").await;
    other.write_as(id, log.entries[0].body.get());
    bench.up("t-2", UpTopic::Fact, other.publish(1, 1));
    assert_eq!(bench.ack("t-2").await.held[0].seq, 1);
    bench.quiet().await;
    let same =
        "SELECT count(*) FROM aside WHERE problem = 'the id is another fact''s' AND entry_id IS NOT NULL";
    assert_eq!(bench.count(same).await, 2, "another body, and another terminal");
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 1);
}

/// What a person has put away stays away when a fork carries it over, though it could be taken by now; another body under its
/// id does not hide behind it.
#[tokio::test]
async fn what_was_put_away_is_not_taken_when_a_fork_carries_it_over() {
    use meguri_gateway::ingest::aside::{self, Settled};
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    // t-1 does not work under c-2 yet.
    let id = log.write(&collected(1).replace("c-1", "c-2"));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    let done = bench.writer.run(|tx, ctx, fx| {
        let id: i64 = tx.query_row("SELECT id FROM aside", [], |row| row.get(0))?;
        let settled = aside::settle(tx, ctx, fx, id, "seen")?;
        tx.execute("UPDATE aside SET raw = x''", [])?;
        tx.execute("UPDATE pickup SET contract = 'c-2', vehicle = 'v2' WHERE id = 1", [])?;
        tx.execute("UPDATE terminal SET contract = 'c-2', vehicle = 'v2' WHERE id = 't-1'", [])?;
        Ok::<_, rusqlite::Error>(settled)
    });
    assert_eq!(done.await.unwrap().unwrap(), Settled::Done);

    let mut forked = Log::new();
    forked.write_as(id, log.entries[0].body.get());
    // As long as the first, and refused as well.
    forked.write_as(id, &log.entries[0].body.get().replace("c-2", "c-9"));
    bench.up("t-1", UpTopic::Fact, forked.publish(1, 2));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 2);
    assert_eq!(bench.state(1).await, "open");
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 2, "the other body is seen");
}

/// What was taken stands when a fork carries it over, under whatever contract the terminal works by now.
#[tokio::test]
async fn what_was_taken_stands_when_a_fork_carries_it_over() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    let id = log.write(&collected(1));
    bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    bench.ack("t-1").await;
    bench.list("t-2").await;
    let bound = bench.writer.run_job(|tx, _| {
        tx.execute("DELETE FROM document", [])?;
        tx.execute("UPDATE terminal SET contract = 'c-2', vehicle = 'v2' WHERE id = 't-1'", [])
    });
    bound.await.unwrap().unwrap();
    let mut forked = Log::new();
    forked.write_as(id, log.entries[0].body.get());
    bench.up("t-1", UpTopic::Fact, forked.publish(1, 1));
    assert_eq!(bench.ack("t-1").await.held[0].seq, 1);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 1);
    assert_eq!(bench.state(1).await, "collected");
}

#[tokio::test]
async fn the_id_of_another_sample_hides_no_sample() {
    let mut bench = Bench::new().await;
    let health = |waiting| {
        let at = Stamps { terminal: Timestamp::now(), gnss: None, trusted: None };
        let health = Health { app: "test".into(), waiting, free_bytes: None };
        serde_json::to_string(&TrackBody { v: 1, at, track: TrackFact::Health(health) }).unwrap()
    };
    let (mut log, mut other) = (Log::new(), Log::new());
    let id = log.write(&health(5));
    log.write_as(id, &health(7));
    bench.up("t-1", UpTopic::Track, log.publish(1, 2));
    bench.ack("t-1").await;
    other.write_as(id, log.entries[0].body.get());
    bench.up("t-2", UpTopic::Track, other.publish(1, 1));
    bench.ack("t-2").await;
    let set_aside = "SELECT count(*) FROM aside WHERE problem = 'the id is another sample''s'";
    assert_eq!(bench.count(set_aside).await, 2, "another sample, and another terminal");
    assert_eq!(bench.count("SELECT count(*) FROM health").await, 1);
    assert_eq!(bench.count("SELECT waiting FROM terminal WHERE id = 't-1'").await, 5);
}

#[tokio::test]
async fn only_pickups_of_the_contract_are_decided() {
    let mut bench = Bench::new().await;
    let mut log = Log::new();
    // t-3 works under c-2 and knows the name of a pickup of c-1.
    log.write(&collected(1).replace("c-1", "c-2"));
    bench.up("t-3", UpTopic::Fact, log.publish(1, 1));
    assert_eq!(bench.ack("t-3").await.held[0].seq, 1);
    bench.quiet().await;
    assert_eq!(bench.state(1).await, "open");
    let problem = "SELECT count(*) FROM aside WHERE problem = 'the pickup is not of the contract'";
    assert_eq!(bench.count(problem).await, 1);

    // One that moved to another contract: both may speak of it.
    let moved = bench.writer.run_job(|tx, _| {
        tx.execute("UPDATE pickup SET contract = 'c-2', vehicle = 'v2' WHERE id = 2", [])?;
        let detail = r#"{"rev":2,"fields":{"contract":["c-1","c-2"],"vehicle":["v1","v2"]}}"#;
        tx.execute("INSERT INTO history (pickup, at, kind, detail) VALUES (2, 0, 'changed', ?1)", [detail])
    });
    moved.await.unwrap().unwrap();
    let mut late = Log::new();
    late.write(&collected(2));
    bench.up("t-1", UpTopic::Fact, late.publish(1, 1));
    bench.ack("t-1").await;
    assert_eq!(bench.state(2).await, "collected");
    log.write(&collected(2).replace("c-1", "c-2"));
    while bench.waiting.messages.try_recv().is_ok() {}
    bench.up("t-3", UpTopic::Fact, log.publish(2, 2));
    bench.settled().await;
    assert_eq!(bench.count("SELECT count(*) FROM fact").await, 2);
    assert_eq!(bench.count(problem).await, 1);
}

#[tokio::test]
async fn what_was_settled_is_set_aside_again_where_it_comes_again() {
    use meguri_gateway::ingest::aside::{self, Settled};
    let mut bench = Bench::new().await;
    let say = |bench: &Bench| bench.up("t-1", UpTopic::Fact, b"not json".to_vec());
    say(&bench);
    say(&bench);
    bench.quiet().await;
    let settle = bench.writer.run(|tx, ctx, fx| aside::settle(tx, ctx, fx, 1, "put away"));
    assert_eq!(settle.await.unwrap().unwrap(), Settled::Done);
    say(&bench);
    bench.quiet().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 2);
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 1);
}

#[tokio::test]
async fn what_was_not_committed_is_set_aside_and_noticed_when_it_comes_again() {
    use meguri_gateway::ingest::apply;
    let mut bench = Bench::new().await;
    let say = |bench: &Bench, boot| {
        bench.up("t-1", UpTopic::Hello, hello(&[], vec![], None, boot).encode().unwrap())
    };
    say(&bench, 1);
    say(&bench, 2);
    let third = hello(&[], vec![], None, 1).encode().unwrap();
    let bad = b"not json".to_vec();
    let (hello_again, bad_again) = (third.clone(), bad.clone());
    let fails = bench.writer.run(move |tx, ctx, fx| {
        for (topic, payload) in
            [("meguri/1/hiroshima/t-1/up/hello", third), ("meguri/1/hiroshima/t-1/up/fact", bad)]
        {
            apply::message(tx, ctx, fx, &Incoming { topic: topic.to_owned(), payload })?;
        }
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    assert!(fails.await.unwrap().is_err());
    bench.up("t-1", UpTopic::Hello, hello_again);
    bench.up("t-1", UpTopic::Fact, bad_again);
    bench.settled().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'two_devices'").await, 1);
}

#[tokio::test]
async fn a_terminal_can_not_fill_the_store_without_entries() {
    use meguri_gateway::ingest::aside::{self, MOST_OPEN, Place};
    let mut bench = Bench::new().await;
    let most = 64;
    // Epochs of which nothing is held.
    for n in 0..100 {
        let says = hello(&[Log::new().held()], vec![], bench.incarnation.into(), n);
        bench.up("t-1", UpTopic::Hello, says.encode().unwrap());
        assert_eq!(bench.ack_with(says.nonce).await.held.len(), 1, "each is answered");
    }
    assert_eq!(bench.count("SELECT count(*) FROM log").await, most);
    // Epochs that begin with a hole.
    let beyond = |epoch, first| EpochHeld {
        epoch,
        first,
        before: Digest::of(b"x"),
        head: first - 1,
        digest: Digest::of(b"x"),
        acked: 0,
    };
    for n in 0..100 {
        let says = hello(&[beyond(Epoch(Uuid::new_v4()), 5)], vec![], None, n);
        bench.up("t-2", UpTopic::Hello, says.encode().unwrap());
        bench.settled().await;
    }
    assert_eq!(bench.count("SELECT count(*) FROM hole").await, most);
    assert_eq!(bench.count("SELECT count(*) > 0 FROM aside WHERE terminal = 't-2'").await, 1, "and it shows");
    // One hole whose end moves on.
    let epoch = Epoch(Uuid::new_v4());
    for first in 2..20 {
        let says = hello(&[beyond(epoch, first)], vec![], None, 1);
        bench.up("t-3", UpTopic::Hello, says.encode().unwrap());
        bench.settled().await;
    }
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'hole' AND terminal = 't-3'").await, 1);
    let grown = "SELECT count(*) FROM hole WHERE first_seq = 1 AND last_seq = 18";
    assert_eq!(bench.count(grown).await, 1);

    // Epochs that are left one after the other, each with its entry. What is told after them shows all the same.
    for _ in 0..100 {
        let mut log = Log::new();
        log.write(&collected(1));
        bench.up("t-1", UpTopic::Fact, log.publish(1, 1));
    }
    bench.settled().await;
    let fork = "SELECT detail ->> 'count' FROM notice WHERE kind = 'fork' AND terminal = 't-1'";
    assert_eq!(bench.count(fork).await, 99);
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'fork' AND terminal = 't-1'").await, 1);
    let told = bench.writer.run(|tx, ctx, _| {
        // As many as a flood of another kind may leave.
        (0..1_500).try_for_each(|n| {
            sql::notice(tx, ctx.now, "hole", None, &serde_json::json!({ "first": n })).map(|_| ())
        })?;
        sql::notice(tx, ctx.now, "import_held", None, &serde_json::json!({ "import": 1 }))?;
        notices::open_rows(tx)
    });
    let told = told.await.unwrap().unwrap();
    assert!(told.len() > 1_500 && told[0].kind == "import_held", "{:?}", told[0]);

    // Messages that can't be taken.
    let filled = bench.writer.run(|tx, ctx, fx| {
        let terminal = id("t-1");
        (0..MOST_OPEN + 50).try_for_each(|n| {
            let place = Place { terminal: Some(&terminal), entry: None };
            aside::set_aside(tx, ctx, fx, "topic", &n.to_be_bytes(), place, "bad")
        })
    });
    filled.await.unwrap().unwrap();
    let of_t1 = "SELECT count(*) FROM aside WHERE terminal = 't-1'";
    assert_eq!(bench.count(of_t1).await, MOST_OPEN + 1);
    let told = "SELECT problem LIKE '%dropped%' FROM aside WHERE terminal = 't-1' ORDER BY id DESC LIMIT 1";
    assert_eq!(bench.count(told).await, 1, "and the last one says so");
    // Others still have room.
    bench.up("t-3", UpTopic::Fact, b"not json".to_vec());
    bench.settled().await;
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE terminal = 't-3'").await, 1);
}
