//! Switchovers as the writer leads them: releases in, documents out, steps, instants, what people see, with a real store and no
//! broker, and a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod signed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use meguri_config::{Clock, Judge};
use meguri_gateway::changes::Changes;
use meguri_gateway::config::Settings;
use meguri_gateway::crew;
use meguri_gateway::ingest::Incoming;
use meguri_gateway::office::Office;
use meguri_gateway::outbox::{Outbox, Waiting};
use meguri_gateway::people::accounts::{self, New as NewPerson};
use meguri_gateway::people::password::{Hashed, hash};
use meguri_gateway::people::{Role, Scope};
use meguri_gateway::store::{Readers, Store, sql};
use meguri_gateway::switchover::releases::{ReleaseError, Releases, Taken};
use meguri_gateway::switchover::steps::{self, New};
use meguri_gateway::switchover::{
    self, Finding, Found, Kind, One, Readiness, Ready, Rollout, Severity, State, Step, SwitchoverError, Todo,
};
use meguri_gateway::terminals::{self, TerminalError};
use meguri_gateway::touched::Touched;
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_gateway::{notices, plan, schedules};
use meguri_proto::crew::PinLock;
use meguri_proto::pickup::Result as Outcome_;
use meguri_proto::{
    BootId, ConfigChange, ConfigState, ConfigWhy, ContractId, DayList, Digest, Document, DocumentHeld,
    DocumentName, DownTopic, Entry, Epoch, Fact, FactBody, FactId, Hello, Incarnation, ListRef, LogPublish,
    LogsHeld, Message, Nonce, Outcome, PickupId, Stamps, TerminalId, Topic, UpTopic, Way,
};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;
use signed::{INSTANT, Plan, at, configuration};
use tower::ServiceExt as _;
use uuid::Uuid;

/// When these tests begin.
const BEGIN: &str = "2027-03-10T03:00:00Z";

/// Both take long to derive, and here is nobody to open them.
static LOCK: LazyLock<PinLock> = LazyLock::new(|| PinLock::new("918273", [3; 32]).unwrap());
static PASSWORD: LazyLock<Hashed> = LazyLock::new(|| hash("correct horse battery staple", [7; 16]).unwrap());

/// A clock that stands where the test puts it.
#[derive(Debug)]
struct Put(Mutex<(Timestamp, bool)>);

impl Judge for Put {
    fn now(&self, _: Timestamp) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn in_doubt(&self, _: Timestamp) -> bool {
        self.0.lock().unwrap().1
    }

    fn witness(&self, _: Timestamp, _: Timestamp) {}

    fn believe(&self, _: Timestamp) {
        self.0.lock().unwrap().1 = false;
    }
}

/// What a terminal of these tests says: its one log.
#[derive(Clone)]
struct Log {
    epoch: Epoch,
    entries: Vec<Entry>,
    sent: usize,
}

/// The office without its broker.
struct Bench {
    dir: tempfile::TempDir,
    put: Arc<Put>,
    writer: Writer,
    running: Running,
    waiting: Waiting,
    readers: Readers,
    releases: Releases,
    logs: BTreeMap<String, Log>,
}

fn id(text: &str) -> TerminalId {
    text.parse().unwrap()
}

fn contract(text: &str) -> ContractId {
    text.parse().unwrap()
}

fn fill(store: &mut Store) {
    let now = at(BEGIN);
    let tx = store.conn.transaction().unwrap();
    plan::take_over(&tx, now, &signed::city()).unwrap();
    let mut touched = Touched::default();
    for (terminal, vehicle) in [("t-1", "v1"), ("t-2", "v2"), ("t-3", "v1"), ("t-4", "v1")] {
        let (vehicle, secret) = (vehicle.parse().unwrap(), Digest::of(b"secret"));
        terminals::add(&tx, &mut touched, now, &id(terminal), &vehicle, secret).unwrap();
    }
    // The last day of the old contracts, the first of the new ones, and one long before.
    for (n, (date, contract, vehicle)) in [
        ("2027-03-31", "a-26", "v1"),
        ("2027-03-31", "b-26", "v2"),
        ("2027-04-01", "c-27", "v3"),
        ("2027-04-01", "b-27", "v2"),
        ("2026-05-01", "a-26", "v1"),
    ]
    .into_iter()
    .enumerate()
    {
        let insert = "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop, reception,
                items, payment) VALUES (?1, 's', ?2, ?3, '中区A', '中区', ?4, ?5, ?6, '4417',
                '[{\"name\":\"机\",\"count\":1}]', 'tickets')";
        let n = n as u128 + 1;
        let (uid, stop) = (Uuid::from_u128(n), i64::try_from(n).unwrap());
        tx.execute(insert, params![uid.as_bytes().as_slice(), n.to_string(), date, contract, vehicle, stop])
            .unwrap();
        let pickup = tx.last_insert_rowid();
        tx.execute("INSERT INTO resident (pickup, rev, town) VALUES (?1, 1, '本川町')", [pickup]).unwrap();
    }
    let password = PASSWORD.clone();
    for (login, role, contractor) in [
        ("kanri", Role::Administrator, None),
        ("kacho", Role::Administrator, None),
        ("etsuran", Role::Viewer, None),
        ("haisha1", Role::Dispatcher, Some("k1")),
        ("haisha2", Role::Dispatcher, Some("k2")),
        ("haisha3", Role::Dispatcher, Some("k3")),
    ] {
        let (contractor, password) = (contractor.map(|id| id.parse().unwrap()), password.clone());
        let new = NewPerson {
            login: login.into(),
            name: login.into(),
            role,
            contractor,
            password,
            must_change: false,
        };
        accounts::add(&tx, now, &new).unwrap();
    }
    for (id, contractor) in [("m-1", "k1"), ("m-2", "k2"), ("m-3", "k3")] {
        let (id, contractor, lock) = (id.parse().unwrap(), contractor.parse().unwrap(), LOCK.clone());
        let new = crew::New { name: format!("{id}"), id, contractor, lock };
        crew::add(&tx, &mut touched, now, &new).unwrap();
    }
    tx.commit().unwrap();
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Self::open(&dir);
        fill(&mut store);
        Self::start(dir, store, at(BEGIN), BTreeMap::new())
    }

    fn open(dir: &tempfile::TempDir) -> Store {
        let city = "hiroshima".parse().unwrap();
        Store::open(dir.path(), &city, at(BEGIN), Incarnation(Uuid::new_v4())).unwrap()
    }

    fn start(dir: tempfile::TempDir, store: Store, now: Timestamp, logs: BTreeMap<String, Log>) -> Self {
        let city: meguri_proto::CityId = "hiroshima".parse().unwrap();
        let (outbox, waiting) = Outbox::new(city.clone());
        let (readers, changes) = (store.readers(1), Changes::new());
        let put = Arc::new(Put(Mutex::new((now, false))));
        let clock = Clock::system().judged(put.clone());
        let settings = Settings::default();
        let parts = Parts { store, city: city.clone(), clock: clock.clone(), changes, outbox, settings };
        let (writer, running) = Writer::start(parts).unwrap();
        let releases = Releases::new(writer.clone(), city, clock);
        Self { dir, put, writer, running, waiting, readers, releases, logs }
    }

    /// Ends the office; the store stays.
    async fn stop(self) -> (tempfile::TempDir, BTreeMap<String, Log>) {
        self.writer.stop().await;
        self.running.ended().await.unwrap();
        (self.dir, self.logs)
    }

    /// Puts the clock, and has the office look at it.
    async fn clock(&self, now: Timestamp) {
        self.put.0.lock().unwrap().0 = now;
        self.writer.day().await;
        self.settled().await;
    }

    fn now(&self) -> Timestamp {
        self.put.0.lock().unwrap().0
    }

    /// Everything handed over before, and what followed from it, is done.
    async fn settled(&self) {
        for _ in 0..200 {
            self.writer.run_job(|_, _| Ok::<_, rusqlite::Error>(())).await.unwrap().unwrap();
        }
    }

    /// What was sent since: the newest of each document.
    async fn sent(&mut self) -> BTreeMap<(String, String), Option<String>> {
        self.settled().await;
        let mut all = BTreeMap::new();
        while let Ok(message) = self.waiting.messages.try_recv() {
            let topic: Topic = message.topic.parse().unwrap();
            if let Way::Down(DownTopic::Document(name)) = topic.way {
                let document = Document::decode(&message.payload).unwrap();
                let body = (!document.lapsed()).then(|| document.body.get().to_owned());
                all.insert((topic.terminal.to_string(), name.to_string()), body);
            }
        }
        all
    }

    async fn take(&self, plan: &Plan) -> Result<Taken, ReleaseError> {
        self.releases.take(plan.write(self.dir.path())).await.unwrap()
    }

    async fn job<T, E>(
        &self,
        f: impl FnOnce(&Connection, &mut Touched) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.writer.run_job(move |tx, touched| f(tx, touched)).await.unwrap()
    }

    async fn draft(&self, version: u64, kind: Option<Kind>) -> Result<i64, SwitchoverError> {
        let now = self.now();
        let new = New { version, name: None, kind };
        self.job(move |tx, touched| steps::draft(tx, touched, now, "kanri", &new)).await
    }

    async fn check(&self, of: i64) -> Result<Vec<Finding>, SwitchoverError> {
        let now = self.now();
        self.job(move |tx, touched| steps::check(tx, touched, now, "kanri", of)).await
    }

    async fn approve(&self, of: i64, login: &'static str) -> Result<(), SwitchoverError> {
        let now = self.now();
        self.job(move |tx, touched| steps::approve(tx, touched, now, login, of)).await
    }

    async fn push(&self, of: i64, groups: &[u8]) -> Result<(), SwitchoverError> {
        let now = self.now();
        let rollout = (!groups.is_empty()).then(|| Rollout { groups: groups.to_vec(), ..Rollout::default() });
        self.job(move |tx, touched| steps::push(tx, touched, now, "kanri", of, rollout.as_ref())).await
    }

    async fn withdraw(&self, of: i64, release: Option<u64>) -> Result<(), SwitchoverError> {
        let now = self.now();
        self.job(move |tx, touched| steps::withdraw(tx, touched, now, "kanri", of, release)).await
    }

    async fn close(&self, of: i64) -> Result<(), SwitchoverError> {
        let now = self.now();
        self.job(move |tx, touched| steps::close(tx, touched, now, "kanri", of)).await
    }

    /// Drafts, checks, approves and pushes a release to everybody.
    async fn lead(&self, plan: &Plan, groups: &[u8]) -> i64 {
        self.take(plan).await.unwrap();
        let of = self.draft(plan.version, None).await.unwrap();
        let found = self.check(of).await.unwrap();
        self.approve(of, "kacho").await.unwrap_or_else(|error| panic!("{error}: {found:?}"));
        self.push(of, groups).await.unwrap();
        self.settled().await;
        of
    }

    async fn one(&self, of: i64) -> One {
        let now = self.now();
        let read = move |conn: &Connection| switchover::one(conn, of, &Scope::City, now);
        self.readers.with(read).await.unwrap().unwrap()
    }

    async fn state(&self, of: i64) -> State {
        self.one(of).await.listed.state
    }

    async fn readiness_as(&self, of: i64, scope: Scope) -> Option<Readiness> {
        let now = self.now();
        self.readers.with(move |conn| switchover::readiness::read(conn, of, &scope, now)).await.unwrap()
    }

    async fn readiness(&self, of: i64) -> BTreeMap<String, (Ready, Todo)> {
        let found = self.readiness_as(of, Scope::City).await.unwrap();
        found.terminals.into_iter().map(|line| (line.terminal.to_string(), (line.ready, line.todo))).collect()
    }

    /// A page as an administrator sees it.
    async fn page(&self, path: &str) -> String {
        let now = self.now();
        let person =
            self.readers.with(move |conn| Ok(accounts::by_login(conn, "kanri")?.unwrap().0)).await.unwrap();
        let office = Office {
            readers: self.readers.clone(),
            changes: Changes::new(),
            clock: Clock::system().judged(Arc::new(Put(Mutex::new((now, false))))),
            city: Arc::new(signed::city()),
            data: self.dir.path().into(),
            silence_minutes: 30,
        };
        let request = Request::get(path).header(header::HOST, "localhost:8650").body(Body::empty()).unwrap();
        let response = meguri_gateway::web::router_as(office, person).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    async fn ready(&self, of: i64, terminal: &str) -> Ready {
        self.readiness(of).await[terminal].0
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.readers.with(move |conn| conn.query_row(sql, [], |row| row.get(0))).await.unwrap()
    }

    /// Contract and vehicle of a terminal's row.
    async fn bound(&self, terminal: &str) -> (String, String) {
        let terminal = terminal.to_owned();
        let select = "SELECT contract, vehicle FROM terminal WHERE id = ?1";
        self.readers
            .with(move |conn| conn.query_row(select, [terminal], |row| Ok((row.get(0)?, row.get(1)?))))
            .await
            .unwrap()
    }

    async fn pickup(&self, n: u128) -> (String, String) {
        let select = "SELECT state, office FROM pickup WHERE uid = ?1";
        let uid = Uuid::from_u128(n);
        self.readers
            .with(move |conn| {
                conn.query_row(select, [uid.as_bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .await
            .unwrap()
    }

    async fn notices(&self, kind: &str) -> Vec<serde_json::Value> {
        let all = self.readers.with(notices::open_rows).await.unwrap();
        all.into_iter().filter(|row| row.kind == kind).map(|row| row.detail).collect()
    }

    fn up(&self, terminal: &str, up: UpTopic, payload: Vec<u8>) {
        let topic = Topic::up("hiroshima".parse().unwrap(), id(terminal), up).to_string();
        self.writer.take(Incoming { topic, payload }, None).unwrap();
    }

    /// A terminal writes a fact down; it is sent with the next [`Bench::send`].
    fn write(&mut self, terminal: &str, under: &str, fact: Fact) {
        let stamps = Stamps { terminal: self.now(), gnss: None, trusted: Some(self.now()) };
        let body = FactBody { v: 1, contract: contract(under), config: 1, crew: None, at: stamps, fact };
        let body = RawValue::from_string(serde_json::to_string(&body).unwrap()).unwrap();
        let log = self.logs.entry(terminal.to_owned()).or_insert_with(|| Log {
            epoch: Epoch(Uuid::new_v4()),
            entries: Vec::new(),
            sent: 0,
        });
        let head = log.entries.last().map_or(Digest::ZERO, |entry| entry.digest);
        let digest = head.then(body.get().as_bytes());
        log.entries.push(Entry {
            seq: log.entries.len() as u64 + 1,
            id: FactId(Uuid::now_v7()),
            digest,
            body,
        });
    }

    async fn send(&mut self, terminal: &str) {
        let log = self.logs.get_mut(terminal).unwrap();
        let entries = log.entries[log.sent..].to_vec();
        log.sent = log.entries.len();
        let publish = LogPublish { v: 1, epoch: log.epoch, entries, notes: Default::default() };
        self.up(terminal, UpTopic::Fact, publish.encode().unwrap());
        self.settled().await;
    }

    fn says(&mut self, terminal: &str, plan: &Plan, state: ConfigState, to: Option<(&str, Option<&str>)>) {
        self.says_why(terminal, plan, state, to, None);
    }

    fn says_why(
        &mut self,
        terminal: &str,
        plan: &Plan,
        state: ConfigState,
        to: Option<(&str, Option<&str>)>,
        why: Option<ConfigWhy>,
    ) {
        let change = ConfigChange {
            version: plan.version,
            bundle: plan.digest(terminal),
            state,
            contract: to.map(|(to, _)| contract(to)),
            effective_at: to.and_then(|(_, from)| from).map(at),
            why,
            detail: why.map(|_| "as told".to_owned()).unwrap_or_default(),
        };
        let under = if self.now() < at(INSTANT) { "a-26" } else { "c-27" };
        self.write(terminal, if terminal == "t-2" { "b-26" } else { under }, Fact::Config(change));
    }

    /// A terminal takes what it was offered, and waits.
    async fn stages(&mut self, terminal: &str, plan: &Plan) {
        self.says(terminal, plan, ConfigState::Verified, None);
        let to = if terminal == "t-2" { "b-27" } else { "c-27" };
        self.says(terminal, plan, ConfigState::Staged, Some((to, Some(INSTANT))));
        self.send(terminal).await;
    }

    /// A terminal has changed over.
    async fn changes(&mut self, terminal: &str, plan: &Plan, state: ConfigState, why: Option<ConfigWhy>) {
        let to = Some((if terminal == "t-2" { "b-27" } else { "c-27" }, Some(INSTANT)));
        self.says(terminal, plan, ConfigState::Activated, to);
        self.says_why(terminal, plan, state, to, why);
        self.send(terminal).await;
    }

    /// A terminal says that it holds nothing.
    fn hello(&self, terminal: &str, documents: Vec<DocumentHeld>) {
        let hello = Hello {
            v: 1,
            nonce: Nonce(Uuid::new_v4()),
            boot: BootId(Uuid::from_u128(1)),
            app: "test".into(),
            config: 1,
            incarnation: None,
            certificate: None,
            logs: LogsHeld { fact: Vec::new(), track: Vec::new() },
            documents,
        };
        self.up(terminal, UpTopic::Hello, hello.encode().unwrap());
    }
}

fn collected(n: u128) -> Fact {
    let list = ListRef { date: jiff::civil::date(2027, 3, 31), version: 1 };
    let pickup = PickupId(Uuid::from_u128(n));
    Fact::Outcome(Outcome { pickup, list, replaces: None, result: Outcome_::Collected })
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

const ALL: [&str; 3] = ["t-1", "t-3", "t-4"];

#[tokio::test]
async fn a_switchover_goes_from_draft_to_close() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let taken = bench.take(&plan).await.unwrap();
    assert_eq!((taken.terminals, taken.switchover_at, taken.again), (4, Some(at(INSTANT)), false));
    assert!(taken.first_keys);
    // It came with the city's first keys, which is told; the same file again changes nothing.
    assert_eq!(bench.notices("keys_first").await[0]["fingerprint"], serde_json::json!(taken.keys.1));
    let again = bench.take(&plan).await.unwrap();
    assert!(again.again && !again.first_keys);
    // Nobody is offered anything before people have decided, nor told whom to believe, whoever asks.
    bench.hello("t-4", Vec::new());
    let sent = bench.sent().await;
    assert!(!sent.keys().any(|(_, name)| name == "config" || name == "keys"), "{:?}", sent.keys());

    let of = bench.draft(7, None).await.unwrap();
    let one = bench.one(of).await;
    assert_eq!((one.listed.kind, one.listed.at), (Kind::Switchover, Some(at(INSTANT))));
    assert!(
        matches!(bench.approve(of, "kacho").await, Err(SwitchoverError::State { .. })),
        "not looked at yet"
    );
    let found = bench.check(of).await.unwrap();
    assert_eq!(found.iter().map(|finding| finding.found).collect::<Vec<_>>(), [Found::Silent]);
    assert_eq!(bench.state(of).await, State::Checked);
    assert!(matches!(bench.approve(of, "kanri").await, Err(SwitchoverError::SamePerson(_))));
    assert!(matches!(bench.approve(of, "etsuran").await, Err(SwitchoverError::MayNot(_))));
    assert!(matches!(bench.approve(of, "dareka").await, Err(SwitchoverError::NoPerson(_))));
    assert!(matches!(bench.push(of, &[100]).await, Err(SwitchoverError::State { .. })), "not approved yet");
    bench.approve(of, "kacho").await.unwrap();
    assert!(matches!(bench.push(of, &[50, 20]).await, Err(SwitchoverError::Rollout(_))));
    bench.push(of, &[25, 100]).await.unwrap();

    // Everybody gets the keys, so that a stick may go ahead of its group; the first of four is offered it, byte for byte.
    let sent = bench.sent().await;
    assert_eq!(sent.keys().filter(|(_, name)| name == "keys").count(), 4);
    let offered: Vec<_> = sent.iter().filter(|((_, name), _)| name == "config").collect();
    assert_eq!(offered.len(), 1);
    let ((first, _), body) = offered[0];
    let first: &'static str = ["t-1", "t-2", "t-3", "t-4"].into_iter().find(|id| id == first).unwrap();
    assert_eq!(body.as_deref(), Some(plan.envelope(first).as_str()));
    let others: Vec<&str> = ["t-1", "t-2", "t-3", "t-4"].into_iter().filter(|id| *id != first).collect();
    assert_eq!(bench.ready(of, first).await, Ready::Silent, "it was never heard");
    bench.hello(first, Vec::new());
    assert!(
        bench.sent().await.contains_key(&(first.to_owned(), "config".to_owned())),
        "what it lacks comes again"
    );
    assert_eq!(bench.ready(of, first).await, Ready::Offered);
    assert_eq!(bench.readiness(of).await[others[0]], (Ready::Silent, Todo::Call));
    bench.stages(first, &plan).await;
    assert_eq!(bench.readiness(of).await[first], (Ready::Staged, Todo::Nothing));
    // That was enough: the others have their turn.
    let sent = bench.sent().await;
    assert_eq!(sent.keys().filter(|(_, name)| name == "config").count(), 3);
    for other in &others {
        bench.stages(other, &plan).await;
    }
    let found = bench.readiness_as(of, Scope::City).await.unwrap();
    assert_eq!((found.counts.of, found.counts.ready, found.counts.by[&Ready::Staged]), (4, 4, 4));
    let line = found.terminals.iter().find(|line| line.terminal == id("t-1")).unwrap();
    assert_eq!((line.before.contract.as_str(), line.after.contract.as_str()), ("a-26", "c-27"));
    assert_eq!((line.before.vehicle.as_str(), line.after.vehicle.as_str()), ("v1", "v3"));

    // A minute before nothing has changed; at midnight all of it has.
    bench.clock(at(INSTANT) - SignedDuration::from_mins(1)).await;
    assert_eq!((bench.state(of).await, bench.bound("t-1").await.0.as_str()), (State::Pushed, "a-26"));
    assert_eq!(bench.pickup(1).await.0, "open");
    bench.clock(at(INSTANT)).await;
    assert_eq!(
        (bench.state(of).await, bench.bound("t-1").await),
        (State::CutOver, ("c-27".into(), "v3".into()))
    );
    assert_eq!(bench.bound("t-2").await, ("b-27".into(), "v2".into()));
    assert_eq!(bench.count("SELECT count(*) FROM vehicle WHERE id = 'v2' AND contract = 'b-27'").await, 1);
    // What nobody reported is not reported; what is of the new contracts stays.
    for n in [1, 2, 5] {
        assert_eq!(bench.pickup(n).await, ("not_reported".into(), "\"closed\"".into()), "{n}");
    }
    assert_eq!((bench.pickup(3).await.0.as_str(), bench.pickup(4).await.0.as_str()), ("open", "open"));
    assert_eq!(bench.count("SELECT count(*) FROM history WHERE kind = 'closed'").await, 3);
    // A late fact of March still counts, and is March's.
    bench.write("t-1", "a-26", collected(1));
    bench.send("t-1").await;
    assert_eq!(bench.pickup(1).await.0, "collected");
    assert_eq!(bench.count("SELECT count(*) FROM fact WHERE contract = 'a-26'").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);

    bench.clock(at(INSTANT) + hours(12)).await;
    for terminal in ["t-1", "t-2", "t-3"] {
        bench.changes(terminal, &plan, ConfigState::Healthy, None).await;
    }
    assert_eq!((bench.state(of).await, bench.ready(of, "t-1").await), (State::CutOver, Ready::Healthy));
    assert_eq!(bench.readiness(of).await["t-4"], (Ready::Silent, Todo::Call));
    bench.changes("t-4", &plan, ConfigState::Healthy, None).await;
    assert_eq!(bench.state(of).await, State::Closed, "all of them have reported");
    // Whoever has left is told of, not blocked by the calendar.
    let left = bench.notices("accounts_left").await;
    assert_eq!(left, [serde_json::json!({ "contractor": "k1", "accounts": 1 })]);
    let steps: Vec<Step> = bench.one(of).await.steps.iter().map(|taken| taken.step).collect();
    use Step::{Approved, Checked, Closed, CutOver, Drafted, Group, PickupsClosed, Pushed};
    assert_eq!(steps, [Drafted, Checked, Approved, Pushed, Group, Group, CutOver, PickupsClosed, Closed]);
    assert!(matches!(bench.close(of).await, Err(SwitchoverError::State { .. })));
    assert!(matches!(bench.withdraw(of, None).await, Err(SwitchoverError::State { .. })));
    bench.stop().await;
}

#[tokio::test]
async fn lists_and_crews_of_the_coming_contract_come_ahead_and_the_old_ones_go() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    bench.clock(at("2027-03-30T03:00:00Z")).await;
    bench.hello("t-1", Vec::new());
    let sent = bench.sent().await;
    let name = |text: &str| ("t-1".to_owned(), text.to_owned());
    assert!(sent[&name("list/a-26/2027-03-31")].is_some());
    assert!(!sent.contains_key(&name("list/c-27/2027-04-01")), "nobody knows that it will be theirs");

    let of = bench.lead(&plan, &[100]).await;
    let sent = bench.sent().await;
    let list: DayList =
        serde_json::from_str(sent[&name("list/c-27/2027-04-01")].as_deref().unwrap()).unwrap();
    assert_eq!((list.vehicle.as_str(), list.pickups.len()), ("3号車", 1));
    assert!(sent[&name("crew/c-27")].as_deref().unwrap().contains("m-3"));
    assert!(!sent.contains_key(&name("crew")), "today's crew is as it was");
    assert!(!sent.contains_key(&name("list/a-26/2027-03-31")), "so is today's list");
    // Whoever says nothing of what it holds gets keys before what they signed, and that before lists.
    bench.hello("t-1", Vec::new());
    bench.settled().await;
    let mut names = Vec::new();
    while let Ok(message) = bench.waiting.messages.try_recv() {
        if let Way::Down(DownTopic::Document(name)) = message.topic.parse::<Topic>().unwrap().way {
            names.push(name);
        }
    }
    let place = |wanted: &DocumentName| names.iter().position(|name| name == wanted).unwrap();
    let first_list = names.iter().position(|name| matches!(name, DocumentName::List { .. })).unwrap();
    assert!(place(&DocumentName::Keys) < place(&DocumentName::Config), "{names:?}");
    assert!(
        place(&DocumentName::Config) < place(&DocumentName::Crew) && place(&DocumentName::Crew) < first_list
    );
    let held = names.len();

    bench.stages("t-1", &plan).await;
    // Another pin for the new crew, another address for an old pickup: each reaches whom it concerns.
    bench.sent().await;
    bench
        .job(|tx, touched| {
            let lock = PinLock::new("564738", [4; 32]).unwrap();
            crew::set_pin(tx, touched, at(BEGIN), &"m-3".parse().unwrap(), &lock).map(drop)
        })
        .await
        .unwrap();
    let sent = bench.sent().await;
    assert!(sent[&name("crew/c-27")].is_some() && !sent.contains_key(&name("crew")));

    bench.clock(at(INSTANT)).await;
    let sent = bench.sent().await;
    assert_eq!(sent[&name("list/a-26/2027-03-31")], None, "the old contract's list lapses");
    assert_eq!(sent[&name("crew/c-27")], None, "it is the crew now");
    assert!(sent[&name("crew")].as_deref().unwrap().contains("m-3"));
    assert!(!sent.contains_key(&name("list/c-27/2027-04-01")), "the new one is as it was");
    assert!(held < meguri_proto::limits::HELLO_DOCUMENTS);
    assert_eq!(bench.state(of).await, State::CutOver);
    bench.stop().await;
}

#[tokio::test]
async fn an_office_that_is_down_at_midnight_catches_up() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    for terminal in ["t-1", "t-2", "t-3", "t-4"] {
        bench.stages(terminal, &plan).await;
    }
    let (dir, logs) = bench.stop().await;
    let store = Bench::open(&dir);
    // It starts three days later; a terminal's facts of both contracts wait.
    let mut bench = Bench::start(dir, store, at(INSTANT) + hours(72), logs);
    bench.write("t-1", "a-26", collected(1));
    bench.write("t-1", "c-27", collected(3));
    bench.send("t-1").await;
    bench.writer.day().await;
    bench.settled().await;
    assert_eq!((bench.state(of).await, bench.bound("t-1").await.0.as_str()), (State::CutOver, "c-27"));
    assert_eq!(
        (bench.pickup(1).await.0.as_str(), bench.pickup(3).await.0.as_str()),
        ("collected", "collected")
    );
    assert_eq!(bench.pickup(2).await.0, "not_reported");
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);
    bench.stop().await;
}

#[tokio::test]
async fn by_a_clock_in_doubt_nothing_changes_over() {
    let bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    bench.put.0.lock().unwrap().1 = true;
    bench.clock(at(INSTANT) + hours(48)).await;
    assert_eq!((bench.state(of).await, bench.bound("t-1").await.0.as_str()), (State::Pushed, "a-26"));
    assert_eq!(bench.pickup(1).await.0, "open");
    bench.put.0.lock().unwrap().1 = false;
    bench.clock(at(INSTANT) + hours(48)).await;
    assert_eq!((bench.state(of).await, bench.bound("t-1").await.0.as_str()), (State::CutOver, "c-27"));
    bench.stop().await;
}

#[tokio::test]
async fn it_stops_where_too_many_refuse_and_a_person_goes_on() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[50, 100]).await;
    let sent = bench.sent().await;
    let first: Vec<String> =
        sent.keys().filter(|(_, name)| name == "config").map(|(terminal, _)| terminal.clone()).collect();
    assert_eq!(first.len(), 2);
    let why = Some(ConfigWhy::TooFewSignatures);
    bench.says_why(&first[0], &plan, ConfigState::Refused, None, why);
    bench.send(&first[0]).await;
    let one = bench.one(of).await;
    assert_eq!(one.listed.stopped.unwrap().1, "refusals");
    assert_eq!(bench.notices("switchover_stopped").await.len(), 1);
    assert_eq!(bench.readiness(of).await[&first[0]], (Ready::Refused, Todo::PushAgain));
    let line = bench.readiness_as(of, Scope::City).await.unwrap();
    let line = line.terminals.into_iter().find(|line| line.terminal.as_str() == first[0]).unwrap();
    assert_eq!((line.why, line.detail.as_str()), (why, "as told"));
    // It works on as before: the office does not wait for what it will never do.
    bench.stages(&first[1], &plan).await;
    assert!(!bench.sent().await.keys().any(|(_, name)| name == "config"), "nobody else is offered it");
    bench.clock(bench.now() + hours(48)).await;
    assert_eq!(bench.one(of).await.listed.part, 1);

    // Somebody has looked: nobody waits any more for the one that refuses, and it does not stop again.
    bench.push(of, &[]).await.unwrap();
    bench.settled().await;
    assert!(
        bench.one(of).await.listed.stopped.is_none() && bench.notices("switchover_stopped").await.is_empty()
    );
    assert_eq!(bench.one(of).await.listed.part, 2);
    // It takes it after all, as with other keys.
    bench.stages(&first[0], &plan).await;
    assert_eq!(bench.one(of).await.listed.part, 2);
    assert_eq!(bench.ready(of, &first[0]).await, Ready::Staged);

    // A person stops it as well.
    let now = bench.now();
    bench.job(move |tx, touched| steps::stop(tx, touched, now, "kanri", of)).await.unwrap();
    assert_eq!(bench.one(of).await.listed.stopped.unwrap().1, "person");
    bench.stop().await;
}

#[tokio::test]
async fn who_is_away_holds_nobody_up_for_ever() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[50, 100]).await;
    let sent = bench.sent().await;
    let first = sent.keys().find(|(_, name)| name == "config").unwrap().0.clone();
    bench.stages(&first, &plan).await;
    assert_eq!(bench.one(of).await.listed.part, 1, "the other one of the group has not answered");
    bench.clock(bench.now() + hours(25)).await;
    assert_eq!(bench.one(of).await.listed.part, 2, "it was not heard since");
    bench.stop().await;
}

#[tokio::test]
async fn a_correction_does_not_displace_the_switchover() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    for terminal in ["t-1", "t-2", "t-3"] {
        bench.stages(terminal, &plan).await;
    }
    bench.clock(at("2027-03-20T03:00:00Z")).await;
    let mut fix = Plan::switchover(8, &ALL);
    fix.made_at = "2027-03-20T00:00:00Z";
    let correction = bench.lead(&fix, &[100]).await;
    assert_eq!(bench.one(correction).await.listed.kind, Kind::Correction);
    assert_eq!((bench.one(correction).await.listed.at, bench.state(correction).await), (None, State::Pushed));
    // Offered the newer one, a terminal is ready by the one it has; it takes the newer one, and is ready by that.
    assert_eq!(
        (bench.ready(of, "t-1").await, bench.ready(correction, "t-1").await),
        (Ready::Staged, Ready::Silent)
    );
    for terminal in ["t-1", "t-2", "t-3", "t-4"] {
        bench.stages(terminal, &fix).await;
    }
    assert_eq!(bench.ready(of, "t-4").await, Ready::Staged, "it never took the first one");
    assert_eq!(bench.state(correction).await, State::Closed, "everybody has it");
    bench.clock(at(INSTANT)).await;
    assert_eq!((bench.state(of).await, bench.bound("t-4").await.0.as_str()), (State::CutOver, "c-27"));
    for terminal in ["t-1", "t-2", "t-3", "t-4"] {
        bench.changes(terminal, &fix, ConfigState::Healthy, None).await;
    }
    assert_eq!(bench.state(of).await, State::Closed);
    bench.stop().await;
}

#[tokio::test]
async fn after_the_push_only_a_newer_release_withdraws_it() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    bench.take(&plan).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    assert!(matches!(bench.draft(7, None).await, Err(SwitchoverError::Drafted { .. })));
    bench.withdraw(of, None).await.unwrap();
    assert_eq!(bench.state(of).await, State::Withdrawn, "before the push it simply goes");
    let k3 = Scope::Contractor("k3".parse().unwrap());
    assert!(bench.readiness_as(of, k3).await.is_none(), "what was never pushed was never for contractors");

    let plan = Plan::switchover(8, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    for terminal in ["t-1", "t-2"] {
        bench.stages(terminal, &plan).await;
    }
    assert_eq!(bench.bound("t-1").await.0, "a-26");
    assert!(matches!(bench.withdraw(of, None).await, Err(SwitchoverError::NeedsNewer(_))));
    assert!(matches!(bench.withdraw(of, Some(9)).await, Err(SwitchoverError::NotDrafted(9))));
    // One that still holds the instant, and one that not all are in, take nothing back.
    let same = bench.lead(&Plan::switchover(9, &ALL), &[100]).await;
    assert!(matches!(bench.withdraw(of, Some(9)).await, Err(SwitchoverError::NoReplacement { .. })));
    bench.take(&Plan::unchanged(10, &["t-1"])).await.unwrap();
    bench.draft(10, None).await.unwrap();
    assert!(
        matches!(bench.withdraw(of, Some(10)).await, Err(SwitchoverError::NoReplacement { .. })),
        "not pushed"
    );

    let newer = Plan::unchanged(11, &ALL);
    bench.lead(&newer, &[100]).await;
    bench.withdraw(of, Some(11)).await.unwrap();
    bench.withdraw(same, Some(11)).await.unwrap();
    assert_eq!(bench.one(of).await.listed.withdrawn_by, Some(bench.draft_of(11).await));
    // It is seen who still holds it.
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::HoldsWithdrawn, Todo::Wait));
    assert_eq!(bench.ready(of, "t-3").await, Ready::LetGo, "it never took it");
    // Before they would change over by it people are told.
    assert!(bench.notices("withdrawn_held").await.is_empty());
    bench.clock(at(INSTANT) - hours(7 * 24)).await;
    assert_eq!(bench.notices("withdrawn_held").await[0]["held"], 2);
    bench.clock(at(INSTANT) - hours(24)).await;
    let told = bench.notices("withdrawn_held").await;
    assert_eq!((told.len(), &told[0]["days"]), (1, &1.into()));
    bench.says("t-1", &newer, ConfigState::Verified, None);
    bench.send("t-1").await;
    assert_eq!(bench.ready(of, "t-1").await, Ready::LetGo);
    bench.says("t-2", &newer, ConfigState::Verified, None);
    bench.send("t-2").await;
    bench.clock(at(INSTANT) - hours(23)).await;
    assert!(bench.notices("withdrawn_held").await.is_empty(), "nobody holds it any more");
    bench.clock(at(INSTANT)).await;
    assert_eq!((bench.bound("t-1").await.0.as_str(), bench.state(of).await), ("a-26", State::Withdrawn));
    let closed = "SELECT count(*) FROM switchover_step WHERE step = 'pickups_closed'";
    assert_eq!(bench.count(closed).await, 0, "nothing was switched over");
    // By the plan the contract has come to its end all the same.
    assert_eq!(bench.pickup(1).await.0, "not_reported");

    // The plan is approved anew, with the same instant.
    bench.clock(at("2027-03-25T03:00:00Z")).await;
    let anew = Plan::switchover(12, &ALL);
    let again = bench.lead(&anew, &[100]).await;
    assert_eq!(bench.one(again).await.listed.kind, Kind::Switchover);
    // Whoever takes that holds nothing that is withdrawn, though the instant is the same.
    bench.stages("t-1", &anew).await;
    assert_eq!(
        (bench.ready(again, "t-1").await, bench.ready(of, "t-1").await),
        (Ready::Staged, Ready::LetGo)
    );
    bench.stop().await;
}

/// The terminals that were offered something since.
async fn offered(bench: &mut Bench) -> Vec<String> {
    let sent = bench.sent().await;
    sent.into_keys().filter(|(_, name)| name == "config").map(|(terminal, _)| terminal).collect()
}

fn found(found: &[Finding], what: Found) -> Option<&Finding> {
    found.iter().find(|finding| finding.found == what)
}

#[tokio::test]
async fn whoever_took_a_newer_one_is_ready() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[50, 100]).await;
    let first = offered(&mut bench).await;
    assert_eq!(first.len(), 2);
    bench.stages(&first[0], &plan).await;
    // The other one of its group never speaks of it, but of a newer one.
    let fix = Plan::switchover(8, &ALL);
    bench.lead(&fix, &[100]).await;
    assert_eq!(bench.one(of).await.listed.part, 1);
    bench.stages(&first[1], &fix).await;
    assert_eq!(bench.one(of).await.listed.part, 2);
    bench.stop().await;
}

#[tokio::test]
async fn a_person_is_told_that_it_waits_and_has_the_next_group_offered() {
    let mut bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[25, 100]).await;
    assert_eq!(offered(&mut bench).await.len(), 1);
    // The only one of its group is in repair.
    bench.clock(bench.now() + hours(23)).await;
    assert!(bench.notices("switchover_waits").await.is_empty());
    bench.clock(bench.now() + hours(2)).await;
    bench.clock(bench.now() + hours(24)).await;
    let waits = bench.notices("switchover_waits").await;
    assert_eq!(waits, [serde_json::json!({ "switchover": of, "group": 1, "ready": 0, "of": 1, "heard": 0 })]);
    assert_eq!(bench.one(of).await.listed.part, 1);
    assert!(matches!(bench.push(of, &[50, 100]).await, Err(SwitchoverError::Rollout(_))));
    bench.push(of, &[]).await.unwrap();
    assert_eq!(offered(&mut bench).await.len(), 3);
    assert!(bench.notices("switchover_waits").await.is_empty());
    let one = bench.one(of).await;
    let last = one.steps.last().unwrap();
    assert_eq!((one.listed.part, last.step), (2, Step::Group));
    assert_eq!(last.person.as_ref().unwrap().0, "kanri", "it is seen whose hand it was");
    assert!(matches!(bench.push(of, &[]).await, Err(SwitchoverError::State { .. })), "all are offered it");
    bench.stop().await;
}

#[tokio::test]
async fn a_forgotten_draft_takes_no_instant() {
    let bench = Bench::new();
    bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    let forgotten = bench.draft(7, None).await.unwrap();
    bench.take(&Plan::switchover(8, &ALL)).await.unwrap();
    let of = bench.draft(8, None).await.unwrap();
    assert_eq!(bench.one(of).await.listed.kind, Kind::Switchover);
    let all = bench.check(of).await.unwrap();
    assert_eq!(found(&all, Found::SameInstant).unwrap().named, [forgotten.to_string()]);
    // As a correction nobody would see the instant come.
    bench.take(&Plan::switchover(9, &ALL)).await.unwrap();
    let correction = bench.draft(9, Some(Kind::Correction)).await.unwrap();
    let all = bench.check(correction).await.unwrap();
    assert_eq!(found(&all, Found::WithoutSwitchover).unwrap().count, 4);
    assert_eq!(bench.state(correction).await, State::Draft);
    bench.withdraw(forgotten, None).await.unwrap();
    assert!(found(&bench.check(of).await.unwrap(), Found::SameInstant).is_none());
    bench.approve(of, "kacho").await.unwrap();
    // Approved it may still be withdrawn: a correction would bring its instant to terminals all the same.
    assert!(found(&bench.check(correction).await.unwrap(), Found::WithoutSwitchover).is_some());
    bench.push(of, &[100]).await.unwrap();
    assert!(found(&bench.check(correction).await.unwrap(), Found::WithoutSwitchover).is_none());
    // What was withdrawn before anybody had it is drafted again; by now it is a correction.
    assert_eq!(bench.draft(7, None).await.unwrap(), forgotten);
    let again = bench.one(forgotten).await.listed;
    assert_eq!((again.kind, again.state, again.at), (Kind::Correction, State::Draft, None));
    assert!(matches!(bench.draft(7, None).await, Err(SwitchoverError::Drafted { .. })));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_withdrawn_is_given_to_nobody_who_comes_late() {
    let mut bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    bench.sent().await;
    let newer = Plan::unchanged(8, &ALL);
    let by = bench.lead(&newer, &[25, 100]).await;
    assert_eq!(offered(&mut bench).await.len(), 1);
    let now = bench.now();
    bench.job(move |tx, touched| steps::stop(tx, touched, now, "kanri", by)).await.unwrap();
    assert!(matches!(bench.withdraw(of, Some(8)).await, Err(SwitchoverError::NoReplacement { .. })));
    bench.push(by, &[]).await.unwrap();
    bench.settled().await;
    let expected: Vec<String> = ["t-1", "t-2", "t-3", "t-4"].map(|terminal| newer.envelope(terminal)).into();
    // From the very commit on, before all have been offered it.
    let given = bench
        .job(move |tx, touched| {
            steps::withdraw(tx, touched, now, "kanri", of, Some(8)).unwrap();
            ["t-1", "t-2", "t-3", "t-4"]
                .map(|terminal| schedules::offered(tx, &id(terminal), now))
                .into_iter()
                .collect()
        })
        .await;
    let given: Vec<Option<String>> = given.map_err(|error: rusqlite::Error| error).unwrap();
    assert_eq!(given, expected.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(offered(&mut bench).await.len(), 3, "all have their turn at once");
    assert_eq!((bench.one(by).await.listed.part, bench.bound("t-3").await.0.as_str()), (2, "a-26"));
    bench.clock(at(INSTANT) + hours(240)).await;
    bench.hello("t-3", Vec::new());
    let sent = bench.sent().await;
    assert_eq!(sent[&("t-3".to_owned(), "config".to_owned())], Some(newer.envelope("t-3")));
    bench.stop().await;
}

#[tokio::test]
async fn once_the_instant_has_come_nothing_is_withdrawn() {
    let bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    // By a clock in doubt the office has not changed over; terminals have.
    bench.put.0.lock().unwrap().1 = true;
    bench.clock(at(INSTANT)).await;
    assert_eq!(bench.state(of).await, State::Pushed);
    assert!(matches!(bench.withdraw(of, Some(9)).await, Err(SwitchoverError::NotDrafted(9))));
    assert!(matches!(bench.withdraw(of, None).await, Err(SwitchoverError::State { .. })));
    bench.stop().await;
}

#[tokio::test]
async fn it_is_not_closed_while_groups_were_never_offered_it() {
    let mut bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[25, 100]).await;
    bench.clock(at(INSTANT) + hours(13)).await;
    assert!(matches!(bench.close(of).await, Err(SwitchoverError::NeverOffered { left: 3, .. })));
    bench.push(of, &[]).await.unwrap();
    assert_eq!(offered(&mut bench).await.len(), 4);
    bench.close(of).await.unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn refusals_of_who_is_kept_out_are_not_counted_as_seen() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[50, 100]).await;
    let first = offered(&mut bench).await;
    bench.says_why(&first[0], &plan, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
    bench.send(&first[0]).await;
    let (now, whose) = (bench.now(), id(&first[0]));
    bench.job(move |tx, touched| terminals::block(tx, touched, now, &whose, true)).await.unwrap();
    bench.push(of, &[]).await.unwrap();
    let one = bench.one(of).await;
    let on = one.steps.iter().find(|taken| taken.step == Step::WentOn).unwrap();
    assert_eq!(on.detail, Some(serde_json::json!({ "refused": 0 })));
    bench.stop().await;
}

#[tokio::test]
async fn a_second_instant_is_told_of() {
    let bench = Bench::new();
    let plan = Plan::new(7).with(
        "t-1",
        vec![
            configuration(None, "a-26", "v1"),
            configuration(Some(INSTANT), "c-27", "v3"),
            configuration(Some("2027-04-30T15:00:00Z"), "b-27", "v2"),
        ],
    );
    bench.take(&plan).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    let all = bench.check(of).await.unwrap();
    assert_eq!(found(&all, Found::MoreInstants).unwrap().named, ["2027-04-01", "2027-05-01"]);
    bench.stop().await;
}

/// Looking at the day, and what terminals say, come far more often than a year's open pickups are closed.
#[tokio::test]
async fn what_is_under_way_goes_on_while_more_comes() {
    let bench = Bench::new();
    bench
        .job(|tx, _| {
            tx.execute(
                "WITH RECURSIVE n (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM n WHERE n < 1299)
                INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop, reception, items,
                    payment)
                SELECT randomblob(16), 's', n, date('2026-04-01', (n % 360) || ' days'), '中区A', '中区', 'a-26', 'v1', n, n,
                    '[]', 'tickets' FROM n",
                [],
            )
        })
        .await
        .unwrap();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    bench.put.0.lock().unwrap().0 = at(INSTANT);
    for _ in 0..1_000 {
        bench.writer.day().await;
        bench
            .job(|_, touched| {
                touched.configurations = true;
                Ok::<_, rusqlite::Error>(())
            })
            .await
            .unwrap();
    }
    assert_eq!(
        bench.count("SELECT count(*) FROM pickup WHERE state = 'open' AND contract = 'a-26'").await,
        0
    );
    let one = bench.one(of).await;
    let closed = one.steps.iter().find(|taken| taken.step == Step::PickupsClosed).unwrap();
    assert_eq!(closed.detail, Some(serde_json::json!({ "pickups": 1_203 })));
    bench.stop().await;
}

impl Bench {
    async fn draft_of(&self, version: u64) -> i64 {
        let now = self.now();
        let all = self.readers.with(move |conn| switchover::list(conn, &Scope::City, now)).await.unwrap();
        all.into_iter().find(|one| one.version == version).unwrap().id
    }
}

/// What of a store a release that is refused must leave as it is.
async fn print(bench: &Bench) -> Vec<i64> {
    let mut all = Vec::new();
    for count in [
        "SELECT count(*) FROM release",
        "SELECT count(*) FROM bundle",
        "SELECT count(*) FROM bundle_body",
        "SELECT count(*) FROM schedule",
        "SELECT coalesce(max(version), 0) FROM key_set",
        "SELECT count(*) FROM notice",
        "SELECT count(*) FROM document",
    ] {
        all.push(bench.count(count).await);
    }
    all
}

#[tokio::test]
async fn a_broken_release_changes_nothing() {
    let bench = Bench::new();
    bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    bench.settled().await;
    let before = print(&bench).await;
    let good = || Plan::switchover(8, &ALL);
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good();
        change(&mut plan);
        plan.text()
    };
    let twice = good().with("t-1", vec![configuration(None, "a-26", "v1")]).text();
    let whole = good().text();
    let lines: Vec<&str> = whole.lines().collect();
    let swapped = whole.replacen("\"payload\":\"", "\"payload\":\"AAAA", 2);
    let other_key = with(&|plan| plan.signers = vec![11, 14]);
    let one_key = with(&|plan| plan.signers = vec![11]);
    let same_key = with(&|plan| plan.signers = vec![11, 11]);
    let rotated_by_nobody = with(&|plan| {
        plan.keys = vec![signed::key_set(1, &[1, 2]), signed::key_set(2, &[1])];
    });
    let rotated_out = with(&|plan| {
        plan.keys = vec![signed::key_set(1, &[1, 2]), signed::key_set(2, &[1, 2])];
    });
    for (name, text, says) in [
        ("truncated", lines[..4].join("\n") + "\n", "cut short"),
        ("half a line", whole[..whole.len() - 40].to_owned(), "can't be read"),
        ("no header", lines[1..].join("\n"), "no header"),
        ("junk", "{}\n".repeat(3), "line 1"),
        ("another city", with(&|plan| plan.city = "kure"), "is of kure"),
        ("expired", with(&|plan| plan.expires = "2027-03-01T00:00:00Z"), "could be accepted until"),
        ("an older version", with(&|plan| plan.version = 6), "version 7 before"),
        (
            "another one of the same version",
            with(&|plan| (plan.version, plan.expires) = (7, "2027-06-01T00:00:00Z")),
            "version 7 before",
        ),
        ("one signature", one_key, "1 of the 2 signatures"),
        ("one signature twice", same_key, "1 of the 2 signatures"),
        ("a key of nobody's", other_key, "1 of the 2 signatures"),
        ("a changed payload", swapped, "line 3: 0 of the 2 signatures"),
        ("a key set that does not follow", rotated_by_nobody, "line 3"),
        ("a key that was rotated out", rotated_out, "1 of the 2 signatures"),
        ("one terminal twice", twice, "second bundle for terminal t-1"),
        (
            "an unknown terminal",
            good().with("t-9", vec![configuration(None, "a-26", "v1")]).text(),
            "no terminal t-9",
        ),
        (
            "an unknown contract",
            with(&|plan| plan.terminals[0].1[1]["contract"] = "c-99".into()),
            "contract c-99",
        ),
        ("an unknown vehicle", with(&|plan| plan.terminals[0].1[1]["vehicle"] = "v99".into()), "vehicle v99"),
        (
            "another contractor's contract",
            with(&|plan| plan.terminals[0].1[1]["contractor"] = "k1".into()),
            "k3's by city.toml",
        ),
    ] {
        let path = bench.dir.path().join("broken.release");
        std::fs::write(&path, text).unwrap();
        let error = bench.releases.take(path).await.unwrap().expect_err(name);
        assert!(error.is_of_the_file() && error.to_string().contains(says), "{name}: {error}");
        bench.settled().await;
        assert_eq!(print(&bench).await, before, "{name}");
    }
    // A key set that follows is taken, and what it signs.
    let mut next = good();
    next.keys = vec![signed::key_set(1, &[1, 2]), signed::key_set(2, &[1, 2])];
    next.signers = vec![11, 13];
    let taken = bench.take(&next).await.unwrap();
    assert_eq!((taken.keys.0, taken.first_keys), (2, false));
    assert_eq!(bench.notices("keys_rotated").await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn what_was_staged_when_the_office_died_is_cleared() {
    let bench = Bench::new();
    bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    bench.job(|tx, _| tx.execute("UPDATE release SET state = 'staging'", [])).await.unwrap();
    // Half of a release is none: it can't be drafted, and the next one takes its place, under the same version.
    assert!(matches!(bench.draft(7, None).await, Err(SwitchoverError::NoRelease(7))));
    let taken = bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    assert!(!taken.again);
    assert_eq!(bench.count("SELECT count(*) FROM release").await, 1);
    assert_eq!(bench.count("SELECT count(*) FROM bundle").await, 4);
    bench.stop().await;
}

#[tokio::test]
async fn what_stands_in_the_way_is_found() {
    let bench = Bench::new();
    let kinds = |found: Vec<Finding>| found.into_iter().map(|finding| finding.found).collect::<BTreeSet<_>>();
    let look = async |plan: Plan, kind: Kind| {
        bench.take(&plan).await.unwrap();
        let of = bench.draft(plan.version, Some(kind)).await.unwrap();
        let found = bench.check(of).await.unwrap();
        let state = bench.state(of).await;
        bench.withdraw(of, None).await.unwrap();
        (found, state)
    };
    // As the plan says, but the first contractor's other terminals, the crews and dispatchers are missing.
    bench
        .job(|tx, _| {
            tx.execute("DELETE FROM crew WHERE contractor = 'k3'", [])?;
            tx.execute("UPDATE person SET blocked_at = 0 WHERE login = 'haisha3'", [])
        })
        .await
        .unwrap();
    let (found, state) = look(Plan::switchover(7, &["t-1"]), Kind::Switchover).await;
    assert_eq!(state, State::Checked, "none of it stands in the way");
    let missing = found.iter().find(|finding| finding.found == Found::TerminalsMissing).unwrap();
    assert_eq!(
        (missing.count, missing.named.as_slice()),
        (2, ["t-3".to_owned(), "t-4".to_owned()].as_slice())
    );
    let all = kinds(found);
    assert!(all.is_superset(&[Found::NoCrews, Found::NoDispatchers, Found::Silent].into()), "{all:?}");

    let mut next = 8;
    let mut of = |schedule: Vec<serde_json::Value>| {
        next += 1;
        Plan::new(next).with("t-1", schedule)
    };
    let now = || configuration(None, "a-26", "v1");
    for (plan, expected) in [
        // The vehicle is the old contractor's, or the day is not the contract's.
        (of(vec![now(), configuration(Some(INSTANT), "c-27", "v1")]), Found::PlanDiffers),
        (of(vec![now(), configuration(Some("2027-03-30T15:00:00Z"), "c-27", "v3")]), Found::PlanDiffers),
        (of(vec![now(), configuration(Some("2027-03-31T16:00:00Z"), "c-27", "v3")]), Found::NotMidnight),
    ] {
        let (found, state) = look(plan, Kind::Switchover).await;
        assert_eq!(state, State::Draft, "{expected:?}");
        assert!(kinds(found).contains(&expected), "{expected:?}");
    }
    let mut early = of(vec![now(), configuration(Some(INSTANT), "c-27", "v3")]);
    early.expires = "2027-03-20T00:00:00Z";
    assert!(kinds(look(early, Kind::Switchover).await.0).contains(&Found::ExpiresBeforeInstant));
    let (found, _) = look(Plan::switchover(20, &["t-1"]), Kind::Switchover).await;
    assert!(!kinds(found).contains(&Found::SameInstant), "the ones before are withdrawn");
    let first = bench.lead(&Plan::switchover(21, &ALL), &[100]).await;
    let (found, state) = look(Plan::switchover(22, &ALL), Kind::Switchover).await;
    assert_eq!((kinds(found).contains(&Found::SameInstant), state), (true, State::Draft));
    // What was approved in time can't be pushed once its instant is over.
    bench.take(&Plan::switchover(23, &ALL)).await.unwrap();
    bench.withdraw(first, Some(23)).await.unwrap_err();
    bench.lead(&Plan::unchanged(24, &ALL), &[100]).await;
    bench.withdraw(first, Some(24)).await.unwrap();
    let late = bench.draft(23, Some(Kind::Switchover)).await.unwrap();
    let found = bench.check(late).await.unwrap();
    assert!(kinds(found).contains(&Found::Outdated), "24 is on the terminals already");
    bench.take(&Plan::switchover(25, &ALL)).await.unwrap();
    let late = bench.draft(25, Some(Kind::Switchover)).await.unwrap();
    assert!(kinds(bench.check(late).await.unwrap()).contains(&Found::SameInstant));
    bench.withdraw(bench.draft_of(23).await, None).await.unwrap();
    bench.check(late).await.unwrap();
    bench.approve(late, "kacho").await.unwrap();
    bench.clock(at(INSTANT) + hours(1)).await;
    match bench.push(late, &[100]).await {
        Err(SwitchoverError::Findings(found)) => assert!(kinds(found).contains(&Found::InstantPast)),
        other => panic!("expected it refused, found {other:?}"),
    }
    bench.stop().await;
}

#[tokio::test]
async fn each_contractor_sees_what_is_of_their_time() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    bench.take(&plan).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    let scope = |contractor: &str| Scope::Contractor(contractor.parse().unwrap());
    let names = async |bench: &Bench, contractor: &str| -> Option<Vec<String>> {
        let found = bench.readiness_as(of, scope(contractor)).await?;
        Some(found.terminals.iter().map(|line| line.terminal.to_string()).collect())
    };
    for contractor in ["k1", "k2", "k3"] {
        assert_eq!(names(&bench, contractor).await, None, "what the city has not decided is its own");
    }
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.push(of, &[100]).await.unwrap();
    bench.settled().await;
    let firsts = Some(vec!["t-1".to_owned(), "t-3".to_owned(), "t-4".to_owned()]);
    assert_eq!(names(&bench, "k1").await, firsts, "they have them");
    assert_eq!(names(&bench, "k3").await, firsts, "they will have them");
    assert_eq!(names(&bench, "k2").await, Some(vec!["t-2".to_owned()]));
    // Who decided what is the city's.
    let now = bench.now();
    let one =
        bench.readers.with(move |conn| switchover::one(conn, of, &scope("k3"), now)).await.unwrap().unwrap();
    assert!(one.steps.iter().all(|taken| taken.person.is_none()));
    assert_eq!(one.listed.terminals, 3);
    // Lines of terminals that are not with them are none of theirs.
    bench
        .job(|tx, _| {
            tx.execute(
                "INSERT INTO terminal_record VALUES ('t-1', '', '', '090-0000-0001', '', '', '', 0)",
                [],
            )
        })
        .await
        .unwrap();
    let line = async |bench: &Bench, scope: Scope| {
        let all = bench.readiness_as(of, scope).await.unwrap().terminals;
        all.into_iter().find(|line| line.terminal == id("t-1")).unwrap().line
    };
    assert_eq!(line(&bench, Scope::City).await.as_deref(), Some("090-0000-0001"));
    assert_eq!(line(&bench, scope("k1")).await.as_deref(), Some("090-0000-0001"));
    assert_eq!(line(&bench, scope("k3")).await, None);

    // Whoever comes may prepare, whoever goes works to the last day; then it is the other way round.
    let may = async |bench: &Bench, login: &'static str| {
        let (today, now) = (meguri_proto::clock::business_date(bench.now()), bench.now());
        bench
            .readers
            .with(move |conn| {
                let (person, _) = accounts::by_login(conn, login)?.unwrap();
                let left = person.scope().last_day(conn)?.is_some_and(|last| last < today);
                let action = meguri_gateway::people::Action::ManageCrews;
                let sees = "SELECT count(*) FROM pickup WHERE ";
                let sees = format!("{sees}{}", Scope::sees_pickup("", 1));
                let pickups: i64 = conn.query_row(&sees, [person.scope().contractor()], |row| row.get(0))?;
                let listed = switchover::list(conn, &person.scope(), now)?.len();
                Ok((person.may(action, left), pickups, listed))
            })
            .await
            .unwrap()
    };
    assert_eq!(may(&bench, "haisha1").await, (true, 2, 1));
    assert_eq!(may(&bench, "haisha3").await, (true, 1, 1));
    bench.stages("t-1", &plan).await;
    bench.clock(at(INSTANT)).await;
    assert_eq!(may(&bench, "haisha1").await, (false, 2, 0), "their pickups stay theirs to read");
    assert_eq!(may(&bench, "haisha3").await, (true, 1, 1));
    assert_eq!(names(&bench, "k1").await, None, "what became of the terminals is not theirs any more");
    assert_eq!(names(&bench, "k3").await, firsts);
    bench.stop().await;
}

#[tokio::test]
async fn what_comes_by_a_stick_is_known_and_what_is_unknown_is_kept() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[25, 100]).await;
    let sent = bench.sent().await;
    let first = sent.keys().find(|(_, name)| name == "config").unwrap().0.clone();
    let other = ALL.into_iter().find(|terminal| *terminal != first).unwrap();
    assert_eq!(bench.count("SELECT count(*) FROM bundle WHERE offered_at IS NOT NULL").await, 1);
    // Its group has not had its turn, and it has it all the same.
    bench.stages(other, &plan).await;
    assert_eq!(bench.ready(of, other).await, Ready::Staged);
    let sent = bench.sent().await;
    assert!(sent.contains_key(&(other.to_owned(), "crew/c-27".to_owned())), "it is bound by what it has");

    // Of a bundle that the office never saw what is said is kept and shown; nothing follows from it.
    let unknown = Plan::switchover(99, &ALL);
    bench.says(other, &unknown, ConfigState::Verified, None);
    bench.write(
        other,
        "c-99",
        Fact::Config(ConfigChange {
            version: 99,
            bundle: unknown.digest(other),
            state: ConfigState::Activated,
            contract: Some(contract("c-99")),
            effective_at: None,
            why: None,
            detail: String::new(),
        }),
    );
    bench.send(other).await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);
    let whose = id(other);
    let events = bench.readers.with(move |conn| schedules::events(conn, &whose, 10)).await.unwrap();
    let seen: Vec<_> = events.iter().map(|event| (event.version, event.state, event.known)).collect();
    assert_eq!(
        seen,
        [
            (99, ConfigState::Activated, false),
            (99, ConfigState::Verified, false),
            (7, ConfigState::Staged, true),
            (7, ConfigState::Verified, true),
        ]
    );
    assert_eq!((bench.ready(of, other).await, bench.bound(other).await.0.as_str()), (Ready::Staged, "a-26"));
    // The office knows that it would refuse anything older.
    let error = bench.take(&Plan::switchover(50, &ALL)).await.unwrap_err();
    assert!(error.to_string().contains("version 99 before"), "{error}");
    // A fork carries facts over: each is kept once.
    let log = bench.logs.get_mut(other).unwrap();
    log.epoch = Epoch(Uuid::new_v4());
    log.sent = 0;
    let mut head = Digest::ZERO;
    for entry in &mut log.entries {
        head = head.then(entry.body.get().as_bytes());
        entry.digest = head;
    }
    bench.send(other).await;
    assert_eq!(bench.count("SELECT count(*) FROM config_event").await, 4);
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 0);
    bench.stop().await;
}

#[tokio::test]
async fn what_was_on_terminals_before_the_release_came_is_taken_over() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    // One got it by a stick before anybody had pushed it here, one refused it there, and one has something else of that version.
    bench.stages("t-1", &plan).await;
    bench.write("t-1", "c-27", collected(3));
    bench.send("t-1").await;
    bench.says_why("t-3", &plan, ConfigState::Refused, None, Some(ConfigWhy::NoKeys));
    bench.send("t-3").await;
    let unknown = bench.notices("config_unknown").await;
    assert_eq!((unknown.len(), &unknown[0]["version"]), (1, &serde_json::json!(7)), "{unknown:?}");
    let page = bench.page("/attention").await;
    assert!(page.contains("役所にない設定で動いている端末があります") && page.contains("版7です"), "{page}");
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 1);

    bench.take(&plan).await.unwrap();
    assert!(bench.notices("config_unknown").await.is_empty());
    bench.settled().await;
    // What it did under the coming contract is its own now.
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE settled_at IS NULL").await, 0);
    assert_eq!(bench.pickup(3).await.0, "collected");
    let of = bench.draft(7, None).await.unwrap();
    assert_eq!((bench.ready(of, "t-1").await, bench.ready(of, "t-4").await), (Ready::Staged, Ready::Silent));
    assert!(bench.take(&plan).await.unwrap().again);
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.push(of, &[100]).await.unwrap();
    bench.settled().await;
    let lines = bench.readiness_as(of, Scope::City).await.unwrap().terminals;
    let refused = lines.iter().find(|line| line.terminal == id("t-3")).unwrap();
    assert_eq!((refused.ready, refused.why), (Ready::Refused, Some(ConfigWhy::NoKeys)));
    // It had no keys then; with the push it gets them, and judges it anew.
    bench.stages("t-3", &plan).await;
    assert_eq!(bench.ready(of, "t-3").await, Ready::Staged);

    // Another one of the same version, or an older one, it would refuse.
    bench.says("t-4", &Plan::unchanged(9, &ALL), ConfigState::Verified, None);
    bench.send("t-4").await;
    for version in [8, 9] {
        let error = bench.take(&Plan::switchover(version, &ALL)).await.unwrap_err();
        assert!(error.to_string().contains("t-4 was sent version 9 before"), "{error}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn an_office_that_was_put_back_takes_its_release_again() {
    let mut before = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    before.lead(&plan, &[100]).await;
    before.stages("t-1", &plan).await;
    before.stages("t-2", &plan).await;
    let (_, mut logs) = before.stop().await;
    // The copy is from before the release; what it lacks terminals send again.
    logs.values_mut().for_each(|log| log.sent = 0);
    let dir = tempfile::tempdir().unwrap();
    let mut store = Bench::open(&dir);
    fill(&mut store);
    let mut bench = Bench::start(dir, store, at(BEGIN), logs);
    bench.send("t-1").await;
    bench.send("t-2").await;
    let of = bench.lead(&plan, &[100]).await;
    assert_eq!((bench.ready(of, "t-1").await, bench.ready(of, "t-2").await), (Ready::Staged, Ready::Staged));
    bench.stop().await;
}

#[tokio::test]
async fn another_tablet_is_offered_it_anew() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    bench.stages("t-1", &plan).await;
    // A stick that is plugged in again.
    bench.says_why("t-1", &plan, ConfigState::Refused, None, Some(ConfigWhy::OldVersion));
    bench.send("t-1").await;
    assert_eq!(bench.ready(of, "t-1").await, Ready::Staged);
    bench.enrol("t-1").await;
    assert_eq!(bench.ready(of, "t-1").await, Ready::Offered, "the tablet before is not this one");
    bench.sent().await;
    bench.hello("t-1", Vec::new());
    assert!(bench.sent().await.contains_key(&("t-1".to_owned(), "config".to_owned())));
    // What it refuses it refuses, whatever the one before had taken; also where nobody knew that it is another one.
    bench.says_why("t-1", &plan, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
    bench.send("t-1").await;
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::Refused, Todo::PushAgain));
    bench.stages("t-3", &plan).await;
    bench.says_why("t-3", &plan, ConfigState::Refused, None, Some(ConfigWhy::Expired));
    bench.send("t-3").await;
    assert_eq!(bench.ready(of, "t-3").await, Ready::Refused);
    bench.stop().await;
}

impl Bench {
    /// Another tablet takes a terminal's place.
    async fn enrol(&self, terminal: &'static str) {
        let now = self.now();
        self.job(move |tx, touched| schedules::enrolled(tx, touched, &id(terminal), now)).await.unwrap();
        self.settled().await;
    }

    async fn bind(
        &self,
        vehicle: &'static str,
        new_settings: bool,
    ) -> Result<terminals::Bound, TerminalError> {
        let now = self.now();
        let vehicle = vehicle.parse().unwrap();
        self.job(move |tx, touched| terminals::bind(tx, touched, now, &id("t-1"), &vehicle, new_settings))
            .await
    }

    /// The terminals of which people are told something.
    async fn told_of(&self, kind: &str) -> Vec<String> {
        let all = self.readers.with(notices::open_rows).await.unwrap();
        let mut all: Vec<String> =
            all.into_iter().filter(|row| row.kind == kind).filter_map(|row| row.terminal).collect();
        all.sort();
        all
    }
}

/// A switchover that all terminals have gone through, after a release of before that they had; two months later.
async fn long_over(bench: &mut Bench) -> Plan {
    bench.lead(&Plan::unchanged(6, &ALL), &[100]).await;
    let plan = Plan::switchover(7, &ALL);
    bench.lead(&plan, &[100]).await;
    for terminal in ["t-1", "t-2", "t-3", "t-4"] {
        bench.stages(terminal, &plan).await;
    }
    bench.clock(at(INSTANT)).await;
    for terminal in ["t-1", "t-2", "t-3", "t-4"] {
        bench.changes(terminal, &plan, ConfigState::Healthy, None).await;
    }
    plan
}

fn c27() -> (String, String) {
    ("c-27".into(), "v3".into())
}

#[tokio::test]
async fn a_tablet_replaced_after_its_release_expired_stays_under_the_contract_of_now() {
    let mut bench = Bench::new();
    long_over(&mut bench).await;
    bench.clock(at("2027-06-10T03:00:00Z")).await;
    assert_eq!(bench.bound("t-1").await, c27());
    bench.enrol("t-1").await;
    assert_eq!(bench.bound("t-1").await, c27());
    // It is not offered what it could but refuse; people are told instead.
    bench.sent().await;
    bench.hello("t-1", Vec::new());
    let sent = bench.sent().await;
    assert!(!sent.contains_key(&("t-1".to_owned(), "config".to_owned())), "{:?}", sent.keys());
    assert!(sent[&("t-1".to_owned(), "crew".to_owned())].as_deref().unwrap().contains("m-3"));
    assert_eq!(bench.notices("config_expired").await, [serde_json::json!({ "version": 7 })]);
    assert_eq!(bench.told_of("config_expired").await, ["t-1"]);
    let page = bench.page("/attention").await;
    assert!(page.contains("設定の期限が切れていて、端末に渡せません") && page.contains("版7です"), "{page}");
    bench.clock(bench.now() + hours(24)).await;
    assert_eq!(bench.bound("t-1").await, c27(), "nor does it go back to what the release of before says");
    assert_eq!(bench.told_of("config_expired").await, ["t-1"], "told once");
    // Without a signed configuration it is bound by its settings, like any other.
    assert!(matches!(bench.bind("v2", false).await, Err(TerminalError::OtherContract { .. })));
    bench.bind("v2", true).await.unwrap();
    bench.bind("v3", true).await.unwrap();

    // With a new release everything is as it should be.
    let mut next = Plan::new(8).with("t-1", vec![configuration(None, "c-27", "v3")]);
    (next.made_at, next.expires) = ("2027-06-11T00:00:00Z", "2027-08-31T15:00:00Z");
    bench.lead(&next, &[100]).await;
    assert_eq!(offered(&mut bench).await, ["t-1"]);
    bench.clock(bench.now() + hours(1)).await;
    assert!(bench.notices("config_expired").await.is_empty());
    assert_eq!(bench.bound("t-1").await, c27());
    assert!(matches!(bench.bind("v2", true).await, Err(TerminalError::Signed { .. })));
    bench.stop().await;
}

#[tokio::test]
async fn another_tablet_that_refuses_its_bundle_stays_what_it_was_enrolled_as() {
    let mut bench = Bench::new();
    let plan = long_over(&mut bench).await;
    bench.clock(at(INSTANT) + hours(48)).await;
    bench.enrol("t-1").await;
    bench.hello("t-1", Vec::new());
    assert!(bench.sent().await.contains_key(&("t-1".to_owned(), "config".to_owned())), "it is not over");
    assert!(bench.notices("config_expired").await.is_empty());
    // The keys were rotated meanwhile.
    bench.says_why("t-1", &plan, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
    bench.send("t-1").await;
    bench.clock(bench.now() + hours(1)).await;
    assert_eq!(bench.bound("t-1").await, c27());
    // One enrolled before an instant that it never takes over has not changed over.
    bench.stop().await;
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    bench.lead(&plan, &[100]).await;
    bench.enrol("t-1").await;
    bench.clock(at(INSTANT) + hours(9)).await;
    assert_eq!(bench.bound("t-1").await, c27());
    bench.says_why("t-1", &plan, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
    bench.send("t-1").await;
    assert_eq!(bench.bound("t-1").await, ("a-26".into(), "v1".into()));
    bench.stop().await;
}

#[tokio::test]
async fn whoever_refuses_a_bundle_has_the_one_that_it_took_and_none_that_it_never_got() {
    let mut bench = Bench::new();
    let first = Plan::new(6)
        .with("t-1", vec![configuration(None, "a-26", "v9")])
        .with("t-3", vec![configuration(None, "a-26", "v9")]);
    bench.lead(&first, &[100]).await;
    bench.says("t-3", &first, ConfigState::Verified, None);
    bench.send("t-3").await;
    let second = Plan::new(7)
        .with("t-1", vec![configuration(None, "a-26", "v1")])
        .with("t-3", vec![configuration(None, "a-26", "v1")]);
    bench.lead(&second, &[100]).await;
    let schedule = async |bench: &Bench, terminal: &'static str| -> Option<i64> {
        let select =
            "SELECT b.version FROM terminal AS t LEFT JOIN bundle AS b ON b.id = t.schedule WHERE t.id = ?1";
        bench.readers.with(move |conn| conn.query_row(select, [terminal], |row| row.get(0))).await.unwrap()
    };
    for (terminal, expected) in [("t-1", None), ("t-3", Some(6))] {
        bench.says_why(terminal, &second, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
        bench.send(terminal).await;
        assert_eq!(schedule(&bench, terminal).await, expected, "{terminal}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_terminal_outside_the_release_whose_contract_is_over_is_told_of() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    // One is kept out while others are pushed, one comes after the push, one is not in it at all; another was never heard.
    let now = bench.now();
    bench.job(move |tx, touched| terminals::block(tx, touched, now, &id("t-4"), true)).await.unwrap();
    let of = bench.lead(&Plan::switchover(7, &["t-1", "t-3"]), &[100]).await;
    bench
        .job(move |tx, touched| {
            let (vehicle, secret) = ("v1".parse().unwrap(), Digest::of(b"secret"));
            terminals::add(tx, touched, now, &id("t-5"), &vehicle, secret)
        })
        .await
        .unwrap();
    for terminal in ["t-1", "t-2"] {
        bench.stages(terminal, &plan).await;
    }
    bench.clock(at(INSTANT) - hours(1)).await;
    assert!(bench.told_of("contract_over").await.is_empty());
    bench.clock(at(INSTANT)).await;
    assert_eq!(bench.bound("t-3").await, c27(), "it is silent, and its row has followed");
    assert_eq!(bench.told_of("contract_over").await, ["t-5"]);
    assert_eq!(
        bench.notices("contract_over").await,
        [serde_json::json!({ "contract": "a-26", "until": "2027-03-31" })]
    );
    // Not for a moment of anyone else.
    assert_eq!(bench.count("SELECT count(*) FROM notice WHERE kind = 'contract_over'").await, 1);
    let page = bench.page("/attention").await;
    assert!(page.contains("端末の委託契約が終わっています") && page.contains("terminals.toml"), "{page}");
    // The switchover is through, and it is told still.
    for terminal in ["t-1", "t-2", "t-3"] {
        bench.changes(terminal, &plan, ConfigState::Healthy, None).await;
    }
    assert_eq!(bench.state(of).await, State::Closed);
    bench.clock(at(INSTANT) + hours(30)).await;
    assert_eq!(bench.told_of("contract_over").await, ["t-5"]);
    let now = bench.now();
    bench.job(move |tx, touched| terminals::block(tx, touched, now, &id("t-4"), false)).await.unwrap();
    assert_eq!(bench.told_of("contract_over").await, ["t-4", "t-5"]);

    // Other settings for the one, a release for the other.
    bench
        .job(move |tx, touched| terminals::bind(tx, touched, now, &id("t-4"), &"v3".parse().unwrap(), true))
        .await
        .unwrap();
    assert_eq!(bench.told_of("contract_over").await, ["t-5"]);
    let mut late = Plan::new(8).with("t-5", vec![configuration(None, "c-27", "v3")]);
    late.made_at = "2027-04-01T00:00:00Z";
    bench.lead(&late, &[100]).await;
    bench.clock(bench.now() + hours(1)).await;
    assert!(bench.told_of("contract_over").await.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn terminals_that_a_switchover_is_yet_to_offer_it_to_are_told_of_by_that() {
    let bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[25, 100]).await;
    bench.clock(at(INSTANT)).await;
    assert_eq!(bench.count("SELECT count(*) FROM bundle WHERE offered_at IS NULL").await, 3);
    assert!(bench.told_of("contract_over").await.is_empty());
    bench.push(of, &[]).await.unwrap();
    bench.clock(at(INSTANT) + hours(1)).await;
    assert!(bench.told_of("contract_over").await.is_empty(), "their rows have followed");
    bench.stop().await;
}

#[tokio::test]
async fn nothing_is_cut_over_before_rows_have_followed() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    // Midnight has come, and something is said before the office looks at the day.
    bench.put.0.lock().unwrap().0 = at(INSTANT);
    bench.stages("t-1", &plan).await;
    assert_eq!((bench.state(of).await, bench.bound("t-3").await.0.as_str()), (State::Pushed, "a-26"));
    bench.clock(at(INSTANT)).await;
    assert_eq!((bench.state(of).await, bench.bound("t-3").await.0.as_str()), (State::CutOver, "c-27"));
    bench.stop().await;
}

#[tokio::test]
async fn keys_that_come_later_must_count_what_is_under_way() {
    let bench = Bench::new();
    let pushed = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    bench.take(&Plan::switchover(8, &ALL)).await.unwrap();
    let approved = bench.draft(8, Some(Kind::Correction)).await.unwrap();
    bench.check(approved).await.unwrap();
    bench.approve(approved, "kacho").await.unwrap();
    assert!(bench.notices("signers_gone").await.is_empty());
    // Key 12 is replaced by 13: terminals get this set, and then refuse what 12 signed.
    let mut next = Plan::switchover(9, &ALL);
    next.keys = vec![signed::key_set(1, &[1, 2]), signed::key_set(2, &[1, 2])];
    next.signers = vec![11, 13];
    bench.take(&next).await.unwrap();
    let told: BTreeSet<i64> = bench
        .notices("signers_gone")
        .await
        .iter()
        .map(|detail| detail["switchover"].as_i64().unwrap())
        .collect();
    assert_eq!(told, [pushed, approved].into());
    match bench.push(approved, &[100]).await {
        Err(SwitchoverError::Findings(found)) => {
            let found: Vec<_> = found.into_iter().map(|finding| finding.found).collect();
            assert_eq!(found, [Found::SignersGone]);
        }
        other => panic!("expected it refused, found {other:?}"),
    }
    let draft = bench.draft(9, Some(Kind::Correction)).await.unwrap();
    assert!(bench.check(draft).await.unwrap().iter().all(|finding| finding.found != Found::SignersGone));
    // A key set that is over is an error; one that ends before the instant somebody should know.
    let severity = async |bench: &Bench| {
        let found = bench.check(pushed).await.unwrap();
        found.into_iter().find(|one| one.found == Found::KeysExpire).map(|one| one.severity)
    };
    let ends = |at: &'static str| {
        bench.job(move |tx, _| {
            tx.execute("UPDATE key_set SET expires = ?1 WHERE version = 2", [sql::ms(signed::at(at))])
        })
    };
    assert_eq!(severity(&bench).await, None);
    ends("2027-03-20T00:00:00Z").await.unwrap();
    assert_eq!(severity(&bench).await, Some(Severity::Warning));
    ends("2027-03-09T00:00:00Z").await.unwrap();
    assert_eq!(severity(&bench).await, Some(Severity::Error));
    bench.stop().await;
}

#[tokio::test]
async fn a_bundle_that_moved_a_terminal_and_is_refused_moves_it_back() {
    let mut bench = Bench::new();
    let plan = Plan::new(7).with("t-1", vec![configuration(None, "b-26", "v2")]);
    bench.lead(&plan, &[100]).await;
    assert_eq!(bench.bound("t-1").await, ("b-26".into(), "v2".into()));
    let named = |contract: &'static str| {
        bench.readers.with(move |conn| schedules::ever_named(conn, &id("t-1"), &self::contract(contract)))
    };
    assert!(named("a-26").await.unwrap(), "it does not know of it yet, and writes under the one before");
    assert!(named("b-26").await.unwrap() && !named("c-27").await.unwrap());
    bench.says_why("t-1", &plan, ConfigState::Refused, None, Some(ConfigWhy::TooFewSignatures));
    bench.send("t-1").await;
    assert_eq!(bench.bound("t-1").await, ("a-26".into(), "v1".into()));
    bench.stop().await;
}

#[tokio::test]
async fn whoever_waits_for_a_release_may_go() {
    let bench = Bench::new();
    bench
        .job(|tx, touched| {
            for n in 100..700 {
                let (vehicle, secret) = ("v1".parse().unwrap(), Digest::of(b"secret"));
                terminals::add(tx, touched, at(BEGIN), &id(&format!("t-{n}")), &vehicle, secret).unwrap();
            }
            Ok::<_, rusqlite::Error>(())
        })
        .await
        .unwrap();
    let names: Vec<String> = (100..700).map(|n| format!("t-{n}")).collect();
    let all: Vec<&str> = ALL.into_iter().chain(names.iter().map(String::as_str)).collect();
    let path = Plan::switchover(7, &all).write(bench.dir.path());
    let (releases, first) = (bench.releases.clone(), path.clone());
    let waits = tokio::spawn(async move { releases.take(first).await });
    while bench.count("SELECT count(*) FROM bundle").await == 0 {
        tokio::task::yield_now().await;
    }
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled(), "it was on its way");
    // The next one finds all of it, instead of half of it under its feet.
    let taken = bench.releases.take(path).await.unwrap().unwrap();
    assert_eq!((taken.again, taken.terminals), (true, 604));
    assert_eq!(bench.count("SELECT count(*) FROM bundle").await, 604);
    bench.stop().await;
}

#[tokio::test]
async fn at_midnight_nobody_is_silent_yet() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    bench.clock(at(INSTANT) - hours(6)).await;
    bench.stages("t-1", &plan).await;
    bench.clock(at(INSTANT) + SignedDuration::from_secs(30)).await;
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::Staged, Todo::Nothing));
    assert_eq!(bench.ready(of, "t-3").await, Ready::Silent, "it was not heard for weeks");
    bench.clock(at(INSTANT) + hours(12)).await;
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::Silent, Todo::Call));
    bench.stop().await;
}

#[tokio::test]
async fn facts_count_under_any_contract_that_a_schedule_named_and_no_other() {
    let mut bench = Bench::new();
    bench.write("t-1", "c-27", collected(3));
    bench.send("t-1").await;
    assert_eq!(bench.count("SELECT count(*) FROM aside WHERE problem LIKE '%contract%'").await, 1);
    bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    // A terminal whose clock runs ahead of the office's by a little, or an office that looks at the day later.
    bench.write("t-3", "c-27", collected(3));
    bench.send("t-3").await;
    assert_eq!(bench.pickup(3).await.0, "collected");
    bench.write("t-3", "b-27", collected(4));
    bench.send("t-3").await;
    assert_eq!(bench.count("SELECT count(*) FROM aside").await, 2, "b-27 was never theirs");
    bench.stop().await;
}

#[tokio::test]
async fn binding_by_hand_stays_within_the_contract() {
    let bench = Bench::new();
    bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    let bind = async |vehicle: &'static str| {
        let now = bench.now();
        bench
            .job(move |tx, touched| {
                terminals::bind(tx, touched, now, &id("t-1"), &vehicle.parse().unwrap(), true)
            })
            .await
    };
    let error = bind("v2").await.unwrap_err();
    assert!(
        matches!(error, TerminalError::Signed { .. }) && error.to_string().contains("meguri-config"),
        "{error}"
    );
    // The spare vehicle for a day: until the instant, at which the schedule says the vehicle.
    bind("v9").await.unwrap();
    bench.clock(bench.now() + hours(1)).await;
    assert_eq!(bench.bound("t-1").await, ("a-26".into(), "v9".into()));
    bench.clock(at(INSTANT)).await;
    assert_eq!(bench.bound("t-1").await, ("c-27".into(), "v3".into()));
    assert!(bench.notices("contract_moved").await.is_empty(), "their schedules say so");
    bench.stop().await;
}

#[tokio::test]
async fn a_vehicle_that_changes_contract_leaves_a_terminal_without_schedule_behind() {
    let bench = Bench::new();
    assert!(bench.notices("contract_moved").await.is_empty());
    bench.clock(at(INSTANT)).await;
    let moved = bench.notices("contract_moved").await;
    assert_eq!(moved, [serde_json::json!({ "vehicle": "v2", "from": "b-26", "to": "b-27" })]);
    bench.stop().await;
}

#[tokio::test]
async fn people_are_told_before_and_after() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let of = bench.lead(&plan, &[100]).await;
    bench.stages("t-1", &plan).await;
    let ahead = async |bench: &Bench| -> Vec<(i64, i64, i64)> {
        let number = |detail: &serde_json::Value, name: &str| detail[name].as_i64().unwrap();
        let all = bench.notices("switchover_ahead").await;
        all.iter().map(|one| (number(one, "days"), number(one, "not_ready"), number(one, "of"))).collect()
    };
    let days_before = |days: i64| at(INSTANT) - hours(24 * days) + hours(3);
    bench.clock(days_before(15)).await;
    assert!(ahead(&bench).await.is_empty());
    bench.clock(days_before(14)).await;
    assert_eq!(ahead(&bench).await, [(14, 3, 4)]);
    bench.stages("t-2", &plan).await;
    bench.clock(days_before(12)).await;
    assert_eq!(ahead(&bench).await, [(14, 3, 4)], "told once");
    bench.clock(days_before(7)).await;
    assert_eq!(ahead(&bench).await, [(7, 2, 4)]);
    let page = bench.page("/attention").await;
    assert!(page.contains("あと7日です。4台のうち2台の準備ができていません"), "{page}");
    assert!(page.contains("鍵一覧の指紋は"), "{page}");
    assert_eq!(bench.readiness(of).await["t-3"], (Ready::Silent, Todo::Stick));
    bench.clock(days_before(1)).await;
    assert_eq!(ahead(&bench).await, [(1, 2, 4)]);
    bench.clock(at(INSTANT)).await;
    assert!(ahead(&bench).await.is_empty());
    for (terminal, state, why) in [
        ("t-1", ConfigState::Reverted, Some(ConfigWhy::BrokerUnreachable)),
        ("t-2", ConfigState::Degraded, Some(ConfigWhy::PeripheralMissing)),
    ] {
        bench.changes(terminal, &plan, state, why).await;
    }
    assert!(bench.notices("switchover_behind").await.is_empty(), "vehicles are not out yet");
    bench.clock(at(INSTANT) + hours(13)).await;
    let behind = bench.notices("switchover_behind").await;
    let counts = serde_json::json!({ "switchover": of, "of": 4, "silent": 2, "refused": 0, "reverted": 1, "degraded": 1 });
    assert_eq!(behind, [counts]);
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::Reverted, Todo::PushAgain));
    assert_eq!(bench.readiness(of).await["t-2"], (Ready::Degraded, Todo::LookAtPeripheral));
    // Plugged in again: the notice says what is so now.
    bench.changes("t-2", &plan, ConfigState::Healthy, None).await;
    bench.clock(at(INSTANT) + hours(14)).await;
    assert_eq!(bench.notices("switchover_behind").await[0]["degraded"], 0);
    bench.clock(at(INSTANT) + hours(60)).await;
    assert_eq!(bench.readiness(of).await["t-3"], (Ready::Silent, Todo::AnotherTablet));
    bench.close(of).await.unwrap();
    assert!(bench.notices("switchover_behind").await.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn who_is_kept_out_is_offered_nothing_and_waited_for_by_nobody() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    let now = bench.now();
    for (terminal, lost) in [("t-3", false), ("t-4", true)] {
        bench
            .job(move |tx, touched| match lost {
                true => meguri_gateway::lost::report(tx, touched, now, &id(terminal)),
                false => terminals::block(tx, touched, now, &id(terminal), true),
            })
            .await
            .unwrap();
    }
    let of = bench.lead(&plan, &[50, 100]).await;
    let sent = bench.sent().await;
    assert!(
        !sent.keys().any(|(terminal, name)| ["t-3", "t-4"].contains(&terminal.as_str()) && name == "config")
    );
    for terminal in ["t-1", "t-2"] {
        bench.stages(terminal, &plan).await;
    }
    assert_eq!(bench.one(of).await.listed.part, 2);
    assert_eq!(bench.readiness(of).await["t-3"], (Ready::KeptOut, Todo::AnotherTablet));
    bench.clock(at(INSTANT)).await;
    for terminal in ["t-1", "t-2"] {
        bench.changes(terminal, &plan, ConfigState::Healthy, None).await;
    }
    assert_eq!(bench.state(of).await, State::Closed);
    // Let in again, it gets what all have, and its row has followed.
    assert_eq!(bench.bound("t-3").await.0, "c-27");
    let now = bench.now();
    bench.job(move |tx, touched| terminals::block(tx, touched, now, &id("t-3"), false)).await.unwrap();
    let sent = bench.sent().await;
    assert!(sent.contains_key(&("t-3".to_owned(), "config".to_owned())));
    bench.stop().await;
}

/// No transaction of the office's holds longer than 50 ms, whatever a large city pushes.
#[tokio::test]
async fn two_thousand_terminals_are_led_in_small_steps() {
    let bench = Bench::new();
    bench
        .job(|tx, touched| {
            for n in 100..2_096 {
                let (vehicle, secret) = ("v1".parse().unwrap(), Digest::of(b"secret"));
                terminals::add(tx, touched, at(BEGIN), &id(&format!("t-{n}")), &vehicle, secret).unwrap();
            }
            Ok::<_, rusqlite::Error>(())
        })
        .await
        .unwrap();
    let names: Vec<String> = (100..2_096).map(|n| format!("t-{n}")).collect();
    let all: Vec<&str> = ALL.into_iter().chain(names.iter().map(String::as_str)).collect();
    let plan = Plan::switchover(7, &all);
    let path = plan.write(bench.dir.path());
    let taken = bench.releases.take(path).await.unwrap().unwrap();
    assert_eq!(taken.terminals, 2_000);
    let of = bench.draft(7, None).await.unwrap();
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.push(of, &[100]).await.unwrap();
    let wait = async |count: &'static str, expected: i64| {
        let until = std::time::Instant::now() + Duration::from_secs(120);
        while bench.count(count).await != expected {
            assert!(std::time::Instant::now() < until, "{count}");
            bench.settled().await;
        }
    };
    wait("SELECT count(*) FROM document WHERE name = 'config'", 2_000).await;
    bench.clock(at(INSTANT)).await;
    wait("SELECT count(*) FROM terminal WHERE contract = 'c-27'", 1_999).await;
    wait("SELECT count(*) FROM pickup WHERE state = 'not_reported'", 3).await;
    let (upto, count, _) = bench.writer.vitals().counts().transaction.read();
    // Making 2,000 terminals at once, above, is none of the office's steps.
    assert!(count > 200 && upto[5] * 100 >= count * 95, "{upto:?} of {count} in 1, 2, 5, 10, 20, 50 … ms");
    bench.stop().await;
}

#[test]
fn the_fixtures_are_of_their_own_city() {
    assert_eq!(signed::city().id.as_str(), "hiroshima");
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signed").is_dir());
    assert_eq!(sql::ms(at(INSTANT)) % 86_400_000, 54_000_000, "midnight in Japan");
}

/// Nobody pushed it, and one terminal has it from a stick.
#[tokio::test]
async fn what_a_stick_brought_is_not_withdrawn_without_a_newer_one() {
    let mut bench = Bench::new();
    let plan = Plan::switchover(7, &ALL);
    bench.take(&plan).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.stages("t-1", &plan).await;
    assert!(matches!(bench.withdraw(of, None).await, Err(SwitchoverError::NeedsNewer(_))));
    let newer = Plan::unchanged(8, &["t-1"]);
    bench.lead(&newer, &[100]).await;
    bench.withdraw(of, Some(8)).await.unwrap();
    assert_eq!(bench.readiness(of).await["t-1"], (Ready::HoldsWithdrawn, Todo::Wait));
    bench.stop().await;
}

/// A correction holds the instant, too: what is older than that takes nothing back.
#[tokio::test]
async fn what_a_correction_brought_since_is_withdrawn_with_it() {
    let bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    bench.lead(&Plan::unchanged(8, &ALL), &[100]).await;
    // A terminal that the switchover has not.
    let fix = Plan::switchover(9, &["t-1", "t-3"]);
    assert_eq!(bench.one(bench.lead(&fix, &[100]).await).await.listed.kind, Kind::Correction);
    match bench.withdraw(of, Some(8)).await {
        Err(SwitchoverError::NoReplacement { problem, .. }) => {
            assert!(problem.contains("version 9"), "{problem}")
        }
        other => panic!("{other:?}"),
    }
    bench.lead(&Plan::unchanged(10, &["t-1"]), &[100]).await;
    match bench.withdraw(of, Some(10)).await {
        Err(SwitchoverError::NoReplacement { problem, .. }) => {
            assert!(problem.ends_with("not in the other: 2 (t-3, t-4)"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    bench.lead(&Plan::unchanged(11, &ALL), &[100]).await;
    bench.withdraw(of, Some(11)).await.unwrap();
    bench.stop().await;
}

/// The morning after: whose contract goes on is no silent terminal, and who comes late takes what was built since.
#[tokio::test]
async fn contracts_that_go_on_and_later_corrections_hold_no_switchover_up() {
    let mut bench = Bench::new();
    let mut plan = Plan::switchover(7, &["t-1", "t-3"]);
    plan.terminals.last_mut().unwrap().1.truncate(1);
    let of = bench.lead(&plan, &[100]).await;
    bench.stages("t-1", &plan).await;
    bench.says("t-2", &plan, ConfigState::Verified, None);
    bench.send("t-2").await;
    assert_eq!(bench.readiness(of).await["t-2"], (Ready::Unchanged, Todo::Nothing));
    bench.clock(at(INSTANT) + hours(1)).await;
    bench.changes("t-1", &plan, ConfigState::Healthy, None).await;
    bench.clock(at(INSTANT) + hours(2)).await;
    assert_eq!(bench.state(of).await, State::CutOver, "one is to come");
    // A correction of afterwards begins under the new contract.
    let made_at = "2027-03-31T17:00:00Z";
    let mut fix = Plan { made_at, ..Plan::new(8) };
    for terminal in ["t-1", "t-3"] {
        fix = fix.with(terminal, vec![configuration(None, "c-27", "v3")]);
    }
    bench.lead(&fix, &[100]).await;
    for terminal in ["t-1", "t-3"] {
        bench.says(terminal, &fix, ConfigState::Verified, None);
        bench.says(terminal, &fix, ConfigState::Activated, Some(("c-27", None)));
        bench.says(terminal, &fix, ConfigState::Healthy, Some(("c-27", None)));
        bench.send(terminal).await;
    }
    let ready = bench.readiness(of).await;
    assert_eq!(
        ["t-1", "t-2", "t-3"].map(|one| ready[one].0),
        [Ready::Healthy, Ready::Unchanged, Ready::Healthy]
    );
    bench.clock(at(INSTANT) + hours(13)).await;
    assert!(bench.notices("switchover_behind").await.is_empty());
    assert_eq!(bench.state(of).await, State::Closed);
    bench.stop().await;
}

#[tokio::test]
async fn an_instant_that_comes_before_the_push_is_told_of() {
    let bench = Bench::new();
    bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.clock(at(INSTANT) - hours(24)).await;
    assert_eq!(bench.notices("switchover_ahead").await.len(), 1);
    for _ in 0..2 {
        bench.clock(at(INSTANT)).await;
        assert!(bench.notices("switchover_ahead").await.is_empty());
        assert_eq!(bench.notices("switchover_missed").await, [serde_json::json!({ "switchover": of })]);
    }
    // The contract has come to its end without it: what nobody spoke of is closed, what is said late counts.
    assert_eq!(bench.pickup(1).await.0, "not_reported");
    bench.withdraw(of, None).await.unwrap();
    assert!(bench.notices("switchover_missed").await.is_empty());
    bench.stop().await;
}

/// What a terminal says at the very midnight may come before the look at the day.
#[tokio::test]
async fn a_word_before_the_look_at_the_day_closes_nothing_yet() {
    let bench = Bench::new();
    let of = bench.lead(&Plan::switchover(7, &ALL), &[100]).await;
    bench.put.0.lock().unwrap().0 = at(INSTANT);
    bench
        .job(|_, touched| {
            touched.configurations = true;
            Ok::<_, rusqlite::Error>(())
        })
        .await
        .unwrap();
    bench.settled().await;
    assert_eq!((bench.state(of).await, bench.pickup(1).await.0.as_str()), (State::Pushed, "open"));
    bench.clock(at(INSTANT)).await;
    assert_eq!(bench.pickup(1).await.0, "not_reported");
    assert!(bench.one(of).await.steps.iter().any(|taken| taken.step == Step::PickupsClosed));
    bench.stop().await;
}

#[tokio::test]
async fn it_does_not_close_by_itself_before_everybody_had_a_turn() {
    let mut bench = Bench::new();
    bench.hello("t-1", Vec::new());
    let mut plan = Plan::switchover(7, &["t-1"]);
    plan.terminals.last_mut().unwrap().1.truncate(1);
    bench.take(&plan).await.unwrap();
    let of = bench.draft(7, None).await.unwrap();
    bench.check(of).await.unwrap();
    bench.approve(of, "kacho").await.unwrap();
    bench.push(of, &[50, 100]).await.unwrap();
    let now = bench.now();
    bench.job(move |tx, touched| steps::stop(tx, touched, now, "kanri", of)).await.unwrap();
    bench.stages("t-1", &plan).await;
    bench.clock(at(INSTANT)).await;
    bench.changes("t-1", &plan, ConfigState::Healthy, None).await;
    bench.clock(at(INSTANT) + hours(1)).await;
    assert_eq!((bench.ready(of, "t-1").await, bench.state(of).await), (Ready::Healthy, State::CutOver));
    bench.push(of, &[]).await.unwrap();
    bench.clock(at(INSTANT) + hours(2)).await;
    assert_eq!(bench.state(of).await, State::Closed, "it has gone on to its last group");
    bench.stop().await;
}

#[tokio::test]
async fn a_draft_is_withdrawn_whatever_a_stick_brought_of_another() {
    let mut bench = Bench::new();
    bench.take(&Plan::switchover(7, &ALL)).await.unwrap();
    let forgotten = bench.draft(7, None).await.unwrap();
    let plan = Plan::switchover(8, &ALL);
    bench.take(&plan).await.unwrap();
    let of = bench.draft(8, None).await.unwrap();
    bench.stages("t-1", &plan).await;
    bench.withdraw(forgotten, None).await.unwrap();
    assert!(matches!(bench.withdraw(of, None).await, Err(SwitchoverError::NeedsNewer(_))));
    bench.stop().await;
}
