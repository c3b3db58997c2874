//! People and their pages, as a running gateway serves them but for the socket: who sees what, and attacks.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sample;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request as HttpRequest, StatusCode, header};
use axum::response::Response;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use meguri_config::Clock;
use meguri_gateway::audit::{self, Audit, Entry, Event, What, Who};
use meguri_gateway::changes::Changes;
use meguri_gateway::config::{People, SecondFactor, Settings};
use meguri_gateway::crew;
use meguri_gateway::office::Office;
use meguri_gateway::outbox::{Outbox, Waiting};
use meguri_gateway::people::accounts::{self, New};
use meguri_gateway::people::setup::SetUp;
use meguri_gateway::people::{Role, password, tokens, totp};
use meguri_gateway::tls::Peer;
use meguri_gateway::vitals::Health;
use meguri_gateway::web::{self, Inside, OverTls};
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_proto::crew::PinLock;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{Digest, PickupId, Reason};
use sample::{Request, Sample, day_start};
use serde_json::json;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

const TODAY: Date = date(2026, 4, 1);
const PASSWORD: &str = "kumo to yama to kawa";
const OTHER: &str = "umi to sora to hoshi";
const HOST: &str = "localhost:8650";

/// A gateway without a broker and a socket.
struct House {
    pages: Router,
    writer: Writer,
    running: Option<Running>,
    auditing: Option<audit::Running>,
    audit: Option<Audit>,
    changes: Changes,
    wall: Clock,
    /// Its own and two others' pickups: own contractor now, own contractor's past month, foreign.
    own: PickupId,
    past: PickupId,
    foreign: PickupId,
    _waiting: Waiting,
    dir: TempDir,
}

fn noon() -> Timestamp {
    day_start(TODAY) + SignedDuration::from_hours(4)
}

/// The clock of people, which a test moves.
fn wall(dir: &Path, ahead: SignedDuration) {
    let text = format!(
        "real = \"{}\"\nfrom = \"{}\"\nspeed = 1.0\n",
        Timestamp::UNIX_EPOCH,
        Timestamp::UNIX_EPOCH + ahead
    );
    fs::write(dir.join("wall.new"), text).unwrap();
    fs::rename(dir.join("wall.new"), dir.join("wall.toml")).unwrap();
}

/// Releases that have come: one that is being pushed as a switchover, for both terminals; one for `t-10` alone, which is drafted;
/// and one for `t-01` of which nothing is made yet.
fn releases(conn: &rusqlite::Connection) {
    let now = noon().as_millisecond();
    let later = (noon() + SignedDuration::from_hours(24 * 60)).as_millisecond();
    // Midnight of 1 May in Japan.
    let instant = day_start(date(2026, 5, 1)).as_millisecond();
    let bound = |terminal: &str| -> (String, String) {
        let select = "SELECT contract, vehicle FROM terminal WHERE id = ?1";
        conn.query_row(select, [terminal], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let all =
        [(1, 20_260_301, &["t-01", "t-10"][..]), (2, 20_260_302, &["t-10"]), (3, 20_260_303, &["t-01"])];
    for (release, version, terminals) in all {
        let at = (release == 1).then_some(instant);
        let insert = "INSERT INTO release VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, x'00', 'taken', ?4)";
        let values = rusqlite::params![
            release,
            version,
            format!("設定 {release}"),
            now,
            later,
            at,
            i64::try_from(terminals.len()).unwrap()
        ];
        conn.execute(insert, values).unwrap();
        for (place, terminal) in (0_i64..).zip(terminals) {
            let (contract, vehicle) = bound(terminal);
            let offered = (release == 1).then_some(now);
            let said = (release == 1 && *terminal == "t-01").then_some("verified");
            let insert = "INSERT INTO bundle (release, terminal, version, digest, from_contract, from_vehicle, place, offered_at,
                state, said_at) VALUES (?1, ?2, ?3, x'00', ?4, ?5, ?6, ?7, ?8, ?7)";
            let values =
                rusqlite::params![release, terminal, version, contract, vehicle, place, offered, said];
            conn.execute(insert, values).unwrap();
            let bundle = conn.last_insert_rowid();
            let schedule =
                "INSERT INTO schedule (bundle, position, from_at, contract, vehicle, state, said_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            conn.execute(
                schedule,
                rusqlite::params![bundle, 0, None::<i64>, contract, vehicle, None::<&str>, None::<i64>],
            )
            .unwrap();
            if release == 1 {
                let staged = said.map(|_| "staged");
                let values = rusqlite::params![bundle, 1, instant, contract, vehicle, staged, offered];
                conn.execute(schedule, values).unwrap();
            }
        }
    }
    let insert = "INSERT INTO switchover (id, kind, name, release, at, state, rollout, part, part_at, upto)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let rollout = r#"{"groups":[100],"ready_percent":90,"patience_hours":24,"refused_percent":5}"#;
    let pushed =
        rusqlite::params![1, "switchover", "5月の業者切替", 1, instant, "pushed", rollout, 1, now, 2];
    conn.execute(insert, pushed).unwrap();
    let drafted =
        rusqlite::params![2, "correction", "直し", 2, None::<i64>, "draft", rollout, 0, None::<i64>, 0];
    conn.execute(insert, drafted).unwrap();
}

impl House {
    fn open(people: People) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut sample = Sample::open(dir.path());
        // Two contractors, of whom the first has a contract that is over.
        let first = sample.city.contractor[0].id.clone();
        sample
            .store
            .conn
            .execute(
                "INSERT INTO contract VALUES ('c-past', ?1, '2025-04-01', '2026-03-31')",
                [first.as_str()],
            )
            .unwrap();
        let mut pickup = |date, vehicle, ward, reception| {
            let items = sample::ITEMS[1];
            let request = Request { date, vehicle, ward, town: "大手町四丁目", reception, items };
            sample.pickup(&request, day_start(date) - SignedDuration::from_hours(10))
        };
        let own = pickup(TODAY, "v01", "中区", "4417");
        let past = pickup(date(2026, 3, 2), "v01", "中区", "4418");
        let foreign = pickup(TODAY, "v10", "安佐南区", "4419");
        let other = pickup(TODAY, "v10", "安佐南区", "4417");
        sample
            .store
            .conn
            .execute("UPDATE pickup SET contract = 'c-past' WHERE uid = ?1", [past.0.as_bytes().as_slice()])
            .unwrap();
        sample.terminal("t-01", "v01", true, Some(noon()));
        sample.terminal("t-10", "v10", false, Some(noon()));
        for (pickup, terminal) in [(own, "t-01"), (foreign, "t-10"), (other, "t-10")] {
            let refused = Outcome::NotCollected { reason: Reason::AccessBlocked, note: None };
            sample.say(
                pickup,
                terminal,
                noon() - SignedDuration::from_mins(10),
                SignedDuration::from_secs(1),
                refused,
            );
        }
        for terminal in ["t-01", "t-10"] {
            sample.aside(
                noon(),
                Some(terminal),
                "meguri/1/hiroshima/x/up/x",
                "unknown topic",
                format!("raw of {terminal}").as_bytes(),
            );
            sample.notice(noon(), "hole", Some(terminal), &json!({"log": "fact", "first": 12, "last": 15}));
            // As the office writes them.
            for table in ["aside", "notice"] {
                let update = format!(
                    "UPDATE {table} SET contract = (SELECT contract FROM terminal WHERE id = ?1) WHERE terminal = ?1"
                );
                sample.store.conn.execute(&update, [terminal]).unwrap();
            }
        }
        releases(&sample.store.conn);
        wall(dir.path(), SignedDuration::ZERO);
        let wall = Clock::rehearsal(&dir.path().join("wall.toml")).unwrap();
        let clock = sample::clock_at(dir.path(), noon(), 0.001);
        let Office { readers, city, silence_minutes, .. } = sample.office(clock.clone());
        let Sample { store, .. } = sample;
        let (changes, settings) =
            (Changes::new(), Settings { people: people.clone(), ..Settings::default() });
        let (outbox, waiting) = Outbox::new(city.id.clone());
        // As every gateway does.
        let started = Event::new(Who::Gateway, What::Started, json!({}));
        audit::Log::open(dir.path(), Timestamp::now())
            .unwrap()
            .append(&[(Timestamp::now(), &started)])
            .unwrap();
        let (audit, auditing) = Audit::start(dir.path(), Timestamp::now()).unwrap();
        let parts = Parts {
            store,
            city: city.id.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            outbox,
            settings,
        };
        let (writer, running) = Writer::start(parts).unwrap();
        let health = Health {
            vitals: writer.vitals().clone(),
            clock: clock.clone(),
            least_free: 0,
            data: dir.path().to_owned(),
        };
        let set_up = Some(SetUp::begin(dir.path(), [3; 16]).unwrap());
        let desk = sample::desk(&writer, &readers, &city, &health, &audit);
        let inside = Inside {
            desk,
            code_minutes: 60,
            health,
            writer: writer.clone(),
            names: Arc::from([]),
            people,
            audit: audit.clone(),
            wall: wall.clone(),
            set_up,
            openid: None,
        };
        let data = dir.path().into();
        let office = Office { readers, changes: changes.clone(), clock, city, data, silence_minutes };
        let pages = web::router_of(office, inside);
        let (running, auditing, audit) = (Some(running), Some(auditing), Some(audit));
        Self {
            pages,
            writer,
            running,
            auditing,
            audit,
            changes,
            wall,
            own,
            past,
            foreign,
            _waiting: waiting,
            dir,
        }
    }

    /// Accounts without a second factor, one of each role: the dispatcher of the first contractor.
    async fn peopled() -> Self {
        let house = Self::open(People {
            second_factor: SecondFactor::Optional,
            attempts_a_minute: 1_000,
            ..People::default()
        });
        for role in Role::ALL {
            house.person(role, role.word()).await;
        }
        house
    }

    async fn person(&self, role: Role, login: &str) -> i64 {
        let contractor = (role == Role::Dispatcher).then(|| self.contractor());
        let password = password::hash(PASSWORD, [1; 16]).unwrap();
        let new = New {
            login: login.to_owned(),
            name: String::new(),
            role,
            contractor,
            password,
            must_change: false,
        };
        let added = self.writer.run_job(move |tx, _| accounts::add(tx, Timestamp::now(), &new)).await;
        added.unwrap().unwrap().id
    }

    fn contractor(&self) -> meguri_proto::ContractorId {
        self.contractors()[0].parse().unwrap()
    }

    /// The contractors by id: the dispatcher's own first.
    fn contractors(&self) -> Vec<String> {
        let plan = include_str!("../../tests/demo/city.toml");
        let city = meguri_config::City::parse(Path::new("city.toml"), plan).unwrap();
        city.contractor.iter().map(|one| one.id.to_string()).collect()
    }

    /// Makes a member of a crew, whose PIN nobody knows.
    async fn member(&self, id: &str, contractor: &str) {
        let lock = PinLock { salt: Digest([7; 32]), memory_kib: 64, passes: 1, key: Digest([9; 32]) };
        let (id, contractor) = (id.parse().unwrap(), contractor.parse().unwrap());
        let new = crew::New { id, contractor, name: "乗務員 乙".to_owned(), lock };
        let add = move |tx: &mut rusqlite::Transaction<'_>,
                        touched: &mut meguri_gateway::touched::Touched| {
            crew::add(tx, touched, noon(), &new)
        };
        self.writer.run_job(add).await.unwrap().unwrap();
    }

    async fn ask(&self, request: HttpRequest<Body>) -> Response {
        self.pages.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = HttpRequest::get(path).header(header::HOST, HOST).header(header::COOKIE, cookie);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Response {
        let request = HttpRequest::post(path)
            .header(header::HOST, HOST)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookie);
        self.ask(request.body(Body::from(encoded(fields))).unwrap()).await
    }

    /// Opens the sign-in: its cookie and what its form carries.
    async fn begin(&self, path: &str) -> (String, String) {
        let response = self.get(path, "").await;
        let cookie =
            cookies(&response).into_iter().find(|cookie| cookie.starts_with("meguri-form=")).unwrap();
        (cookie, form_of(&text(response).await))
    }

    async fn try_sign_in(&self, login: &str, password: &str) -> Response {
        let (cookie, form) = self.begin("/signin").await;
        self.post(
            "/signin",
            &cookie,
            &[("form", &form), ("login", login), ("password", password), ("to", "/")],
        )
        .await
    }

    /// Signs in; the session's cookie.
    async fn sign_in(&self, login: &str) -> String {
        self.sign_in_with(login, PASSWORD).await
    }

    async fn sign_in_with(&self, login: &str, password: &str) -> String {
        let response = self.try_sign_in(login, password).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{login}");
        session_of(&response)
    }

    /// What a page's forms carry for somebody.
    async fn form(&self, cookie: &str) -> String {
        form_of(&text(self.get("/account", cookie).await).await)
    }

    /// What the audit log has.
    fn entries(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        audit::entries(self.dir.path(), |entry, _| all.push(entry)).unwrap();
        all
    }

    async fn close(mut self) -> TempDir {
        self.changes.stop();
        drop(self.pages);
        self.writer.stop().await;
        self.running.take().unwrap().ended().await.unwrap();
        drop((self.audit, self.writer));
        let auditing = self.auditing.take().unwrap();
        tokio::task::spawn_blocking(|| auditing.ended()).await.unwrap();
        assert_eq!(audit::verify(self.dir.path(), &[]).unwrap().faults, []);
        self.dir
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

async fn text(response: Response) -> String {
    String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).into_owned()
}

fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers().get_all(header::SET_COOKIE).iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

fn session_of(response: &Response) -> String {
    cookies(response)
        .into_iter()
        .find(|cookie| cookie.starts_with("meguri=") && cookie.len() > 20)
        .expect("a session")
}

fn form_of(page: &str) -> String {
    page.split_once("name=\"form\" value=\"").expect("a form").1.split('"').next().unwrap().to_owned()
}

fn location(response: &Response) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

/// Every role, every page and stream, what is theirs and what is another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_sees_its_own_and_no_more() {
    let house = House::peopled().await;
    let [own, past, foreign] = [house.own, house.past, house.foreign].map(|uid| uid.to_string());
    // (path, expected status for administrator, viewer, reception, dispatcher, auditor)
    let pickup = |uid: &str| (format!("/pickup/{uid}"), format!("/events?pickup={uid}"));
    let ((own_page, own_stream), (past_page, past_stream), (foreign_page, foreign_stream)) =
        (pickup(&own), pickup(&past), pickup(&foreign));
    let (ok, no, gone, see) = (200, 403, 404, 303);
    let contractors = house.contractors();
    let (own_contractor, foreign_contractor) = (&contractors[0], &contractors[1]);
    house.member("m-own", own_contractor).await;
    house.member("m-foreign", foreign_contractor).await;
    #[rustfmt::skip]
    let table: [(&str, [u16; 5]); 53] = [
        ("/",                       [ok, ok, ok, ok, see]),
        ("/?day=2026-03-02",        [ok, ok, ok, ok, see]),
        ("/attention",              [ok, ok, ok, ok, no]),
        ("/search?q=4417",          [ok, ok, ok, ok, no]),
        ("/items",                  [ok, ok, ok, ok, ok]),
        (&own_page,                 [ok, ok, ok, ok, no]),
        (&past_page,                [ok, ok, ok, ok, no]),
        (&foreign_page,             [ok, ok, ok, gone, no]),
        ("/aside",                  [ok, ok, ok, ok, no]),
        ("/aside/1",                [ok, ok, ok, ok, no]),
        ("/aside/2",                [ok, ok, ok, gone, no]),
        ("/events",                 [ok, ok, ok, ok, no]),
        (&own_stream,               [ok, ok, ok, ok, no]),
        (&past_stream,              [ok, ok, ok, ok, no]),
        (&foreign_stream,           [ok, ok, ok, gone, no]),
        ("/events?aside=1",         [ok, ok, ok, ok, no]),
        ("/terminals",              [ok, ok, ok, ok, no]),
        ("/terminals?q=k1",         [ok, ok, ok, ok, no]),
        ("/terminals/t-01",         [ok, ok, ok, ok, no]),
        ("/terminals/t-10",         [ok, ok, ok, gone, no]),
        ("/terminals/t-99",         [gone, gone, gone, gone, no]),
        ("/terminals/t-01/block",   [ok, no, no, no, no]),
        ("/terminals/t-10/block",   [ok, no, no, no, no]),
        ("/terminals/t-01/lost",    [ok, no, no, no, no]),
        ("/terminals/t-01/exposure", [ok, no, no, no, no]),
        ("/terminals/t-01/exposure?from=2026-04-01&to=2026-04-01", [ok, no, no, no, no]),
        ("/terminals/t-10/exposure?from=2026-04-01", [ok, no, no, no, no]),
        ("/terminals/t-99/exposure?from=2026-04-01", [gone, no, no, no, no]),
        ("/terminals/t-01/exposure.csv", [ok, no, no, no, no]),
        ("/terminals/t-99/exposure.csv", [gone, no, no, no, no]),
        ("/handover?t=t-01&t=t-10", [ok, no, no, no, no]),
        ("/handover",               [400, no, no, no, no]),
        ("/crews",                  [ok, no, no, ok, no]),
        ("/crews/m-own/remove",     [ok, no, no, ok, no]),
        ("/crews/m-foreign/remove", [ok, no, no, gone, no]),
        ("/tokens",                 [ok, no, no, no, no]),
        ("/switchovers",            [ok, ok, ok, ok, ok]),
        ("/switchovers/1",          [ok, ok, ok, ok, ok]),
        ("/switchovers/1/readiness", [ok, ok, ok, ok, ok]),
        ("/switchovers/1/readiness?state=staged", [ok, ok, ok, ok, ok]),
        ("/switchovers/1/readiness?state=x", [400, 400, 400, 400, 400]),
        ("/switchovers/1/readiness.csv", [ok, ok, ok, ok, ok]),
        ("/switchovers/2",          [ok, ok, ok, gone, ok]),
        ("/switchovers/2/readiness", [ok, ok, ok, gone, ok]),
        ("/switchovers/2/readiness.csv", [ok, ok, ok, gone, ok]),
        ("/switchovers/9",          [gone, gone, gone, gone, gone]),
        ("/switchovers/2/withdraw", [ok, no, no, no, no]),
        ("/switchovers/1/withdraw", [ok, no, no, no, no]),
        ("/switchovers/1/approve",  [see, no, no, no, no]),
        ("/people",                 [ok, no, no, no, ok]),
        ("/audit",                  [ok, no, no, no, ok]),
        ("/account",                [ok, ok, ok, ok, ok]),
        ("/metrics",                [401, 401, 401, 401, 401]),
    ];
    for (index, role) in Role::ALL.into_iter().enumerate() {
        let cookie = house.sign_in(role.word()).await;
        for (path, expected) in &table {
            let response = house.get(path, &cookie).await;
            assert_eq!(response.status().as_u16(), expected[index], "{role:?} {path}");
            if response.status() != StatusCode::OK {
                continue;
            }
            let body =
                if path.starts_with("/events") { first_event(response).await } else { text(response).await };
            // Whatever is on it, no word of another contractor's is a dispatcher's to see; the city's people see all.
            for secret in ["4419", "raw of t-10", "t-10", "m-foreign", &foreign] {
                assert!(role != Role::Dispatcher || !body.contains(secret), "{role:?} {path} shows {secret}");
            }
            if *path == "/crews" && role == Role::Administrator {
                assert!(body.contains("m-foreign"), "{body}");
            }
            if ["/", "/attention"].contains(path) && role != Role::Dispatcher {
                assert!(body.contains("t-10") && body.contains("4419"), "{role:?} {path}");
            }
        }
        // Changing accounts is the administrator's alone.
        let form = house.form(&cookie).await;
        for path in ["/people/add", "/people/block", "/people/unblock", "/people/reset", "/people/role"] {
            let fields = [("form", &*form), ("login", "nobody-here"), ("role", "viewer"), ("name", "x")];
            let status = house.post(path, &cookie, &fields).await.status();
            let expected = match (role, path) {
                (Role::Administrator, "/people/add") => StatusCode::OK,
                (
                    Role::Administrator,
                    "/people/block" | "/people/unblock" | "/people/reset" | "/people/role",
                ) => StatusCode::OK,
                _ => StatusCode::FORBIDDEN,
            };
            assert_eq!(status, expected, "{role:?} {path}");
        }
        // So are terminals and tokens; whatever is refused is written down.
        for (path, done) in [
            ("/terminals/add", 422),
            ("/terminals/t-10/record", 303),
            ("/terminals/t-10/code", 200),
            ("/terminals/t-10/void", 303),
            ("/terminals/t-10/block", 303),
            ("/terminals/t-10/lost", 303),
            ("/terminals/t-10/unblock", 303),
            ("/handover/sheet", 200),
            ("/handover/record", 303),
            ("/switchovers/draft", 422),
            ("/switchovers/1/stop", 303),
            ("/switchovers/1/push", 303),
            ("/switchovers/2/approve", 422),
            ("/switchovers/1/withdraw", 422),
            ("/switchovers/1/close", 422),
            ("/tokens/add", 422),
            ("/tokens/revoke", 422),
        ] {
            let refused =
                |house: &House| house.entries().iter().filter(|entry| entry.what == What::Refused).count();
            let before = refused(&house);
            let contractor = house.contractor();
            let fields = [
                ("form", &*form),
                ("t", "t-10"),
                ("kind", "handover"),
                ("day", "2026-04-01"),
                ("contractor", contractor.as_str()),
                ("person", "受取 花子"),
            ];
            let status = house.post(path, &cookie, &fields).await.status().as_u16();
            let may = role == Role::Administrator;
            assert_eq!(status, if may { done } else { 403 }, "{role:?} {path}");
            assert_eq!(refused(&house) - before, usize::from(!may), "{role:?} {path}");
        }
        // Crews are the administrator's, and those of their own contractor the dispatcher's.
        let member = |whose: &str| format!("m-{whose}-{}", role.word());
        for (whose, contractor) in [("own", own_contractor), ("foreign", foreign_contractor)] {
            house.member(&member(whose), contractor).await;
        }
        #[rustfmt::skip]
        let crews: [(String, &str, [u16; 5]); 7] = [
            ("/crews/add".to_owned(),                         own_contractor,     [ok, no, no, ok, no]),
            ("/crews/add".to_owned(),                         "",                 [422, no, no, ok, no]),
            ("/crews/add".to_owned(),                         foreign_contractor, [ok, no, no, no, no]),
            (format!("/crews/{}/pin", member("own")),         "",                 [ok, no, no, ok, no]),
            (format!("/crews/{}/pin", member("foreign")),     "",                 [ok, no, no, gone, no]),
            (format!("/crews/{}/remove", member("own")),      "",                 [see, no, no, see, no]),
            (format!("/crews/{}/remove", member("foreign")),  "",                 [see, no, no, gone, no]),
        ];
        for (number, (path, contractor, expected)) in crews.iter().enumerate() {
            let count =
                |house: &House, what| house.entries().iter().filter(|entry| entry.what == what).count();
            let before = count(&house, What::Refused);
            let id = format!("m-{}-{number}", role.word());
            let fields = [("form", &*form), ("id", &id), ("name", "乗務員 丙"), ("contractor", contractor)];
            let status = house.post(path, &cookie, &fields).await.status().as_u16();
            assert_eq!(status, expected[index], "{role:?} {path} {contractor}");
            let refused = [no, gone].contains(&status);
            assert_eq!(count(&house, What::Refused) - before, usize::from(refused), "{role:?} {path}");
        }
    }
    // Numbers are those of what is seen.
    let city = text(house.get("/search?q=4417", &house.sign_in("viewer").await).await).await;
    let contractors = text(house.get("/search?q=4417", &house.sign_in("dispatcher").await).await).await;
    assert!(city.contains("2件") && contractors.contains("1件"), "{contractors}");
    let attention =
        |page: &str| page.split("id=\"status\"").nth(1).unwrap().split("</p>").next().unwrap().to_owned();
    let city = text(house.get("/", &house.sign_in("viewer").await).await).await;
    let contractors = text(house.get("/", &house.sign_in("dispatcher").await).await).await;
    assert!(attention(&city).contains("収集不可3件"), "{}", attention(&city));
    assert!(attention(&contractors).contains("収集不可1件"), "{}", attention(&contractors));
    house.close().await;
}

async fn first_event(response: Response) -> String {
    let mut body = response.into_body().into_data_stream();
    let first = tokio::time::timeout(Duration::from_secs(20), body.next()).await.expect("an event in time");
    String::from_utf8_lossy(&first.unwrap().unwrap()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anything_without_signing_in() {
    let house = House::peopled().await;
    let uid = house.own.to_string();
    for path in [
        "/",
        "/attention",
        "/search?q=4417",
        "/items",
        &format!("/pickup/{uid}"),
        "/aside",
        "/aside/1",
        "/terminals",
        "/terminals/t-01",
        "/terminals/t-01/block",
        "/terminals/t-01/lost",
        "/terminals/t-01/exposure?from=2026-04-01",
        "/terminals/t-01/exposure.csv",
        "/handover?t=t-01",
        "/crews",
        "/crews/m-01/remove",
        "/tokens",
        "/people",
        "/audit",
        "/account",
        "/account/password",
        "/account/second",
        "/signin/code",
    ] {
        for cookie in ["", "meguri=x", &format!("meguri={}", "0".repeat(64))] {
            let response = house.get(path, cookie).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
            assert!(location(&response).starts_with("/signin"), "{path}");
        }
    }
    let led = house.get("/search?q=4417&day=2026-04-01", "").await;
    assert_eq!(location(&led), "/signin?to=%2Fsearch%3Fq%3D4417%26day%3D2026-04-01");
    for path in [
        "/events",
        &format!("/events?pickup={uid}"),
        "/metrics",
        "/health/ready",
        "/health/live",
        "/api/export?day=2026-04-01",
    ] {
        let response = house.get(path, "").await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(!text(response).await.contains("4417"));
    }
    for path in ["/assets/page.css", "/assets/page.js", "/assets/icon.svg", "/signin"] {
        assert_eq!(house.get(path, "").await.status(), StatusCode::OK, "{path}");
    }
    house.close().await;
}

/// A session that somebody was made to have before is none after the sign-in, and every step draws another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_can_not_be_fixed() {
    let house = House::peopled().await;
    let planted = format!("meguri={}", "7".repeat(64));
    let (form_cookie, form) = house.begin("/signin").await;
    let both = format!("{planted}; {form_cookie}");
    let response =
        house.post("/signin", &both, &[("form", &form), ("login", "viewer"), ("password", PASSWORD)]).await;
    let session = session_of(&response);
    assert_ne!(session, planted);
    assert_eq!(house.get("/", &planted).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &session).await.status(), StatusCode::OK);
    let set = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect::<Vec<_>>();
    assert!(
        set.iter().any(|cookie| cookie.starts_with("meguri=")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")),
        "{set:?}"
    );
    // Signing in again ends what the browser had.
    let (form_cookie, form) = house.begin("/signin").await;
    let both = format!("{session}; {form_cookie}");
    let again = session_of(
        &house.post("/signin", &both, &[("form", &form), ("login", "viewer"), ("password", PASSWORD)]).await,
    );
    assert_ne!(again, session);
    assert_eq!(house.get("/", &session).await.status(), StatusCode::SEE_OTHER);
    // So does signing out, for whoever has a copy of the cookie.
    let form = house.form(&again).await;
    assert_eq!(location(&house.post("/signout", &again, &[("form", &form)]).await), "/signin");
    assert_eq!(house.get("/", &again).await.status(), StatusCode::SEE_OTHER);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_other_sites_and_sessions_do_nothing() {
    let house = House::peopled().await;
    let (mine, others) = (house.sign_in("administrator").await, house.sign_in("viewer").await);
    let (form, others_form) = (house.form(&mine).await, house.form(&others).await);
    let block = |form: &str| encoded(&[("form", form), ("login", "reception")]);
    let plain = |headers: &[(&str, &str)], body: String| {
        let mut request = HttpRequest::post("/people/block")
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, &mine);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body)).unwrap()
    };
    let own = [("origin", "http://localhost:8650"), ("sec-fetch-site", "same-origin")];
    for (headers, body) in [
        // From elsewhere, with the right token even.
        (&[("origin", "http://example.com"), ("sec-fetch-site", "cross-site")][..], block(&form)),
        (&[("origin", "null")][..], block(&form)),
        (&[][..], block(&form)),
        // From here, without it, or with that of another session.
        (&own[..], block("")),
        (&own[..], block(&others_form)),
        (&own[..], encoded(&[("login", "reception")])),
    ] {
        let status = house.ask(plain(headers, body)).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    // Nothing was changed; with both it is.
    house.sign_in("reception").await;
    assert_eq!(house.ask(plain(&own, block(&form))).await.status(), StatusCode::OK);
    assert_eq!(house.try_sign_in("reception", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    // The sign-in itself is bound to the browser, too: nobody is signed in as somebody else by a foreign page.
    let (_, form) = house.begin("/signin").await;
    let (cookie, _) = house.begin("/signin").await;
    let fields = [("form", &*form), ("login", "viewer"), ("password", PASSWORD)];
    assert_eq!(house.post("/signin", &cookie, &fields).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.post("/signin", "", &fields).await.status(), StatusCode::FORBIDDEN);
    house.close().await;
}

/// Whether a login is anybody's, wrong, locked or blocked: the answer and the work are the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_who_has_an_account() {
    let house = House::peopled().await;
    let form = house.form(&house.sign_in("administrator").await).await;
    let admin = house.sign_in("administrator").await;
    let form_now = house.form(&admin).await;
    assert_ne!(form, form_now);
    house.post("/people/block", &admin, &[("form", &form_now), ("login", "reception")]).await;
    let answers = async |login: &str, password: &str| {
        let (cookie, form) = house.begin("/signin").await;
        let response = house
            .post("/signin", &cookie, &[("form", &form), ("login", login), ("password", password)])
            .await;
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        (status, headers, text(response).await.replace(&form, "FORM"))
    };
    let unknown = answers("nobody-has-this", PASSWORD).await;
    assert_eq!(unknown.0, StatusCode::UNAUTHORIZED);
    for (login, password) in
        [("viewer", OTHER), ("reception", PASSWORD), ("さとう", PASSWORD), ("viewer", "")]
    {
        assert_eq!(answers(login, password).await, unknown, "{login}");
    }
    // Locked logins answer alike, whether anybody has them or not: even the right password.
    for login in ["dispatcher", "nobody-has-that"] {
        for _ in 0..People::default().attempts {
            answers(login, OTHER).await;
        }
        assert_eq!(answers(login, PASSWORD).await, unknown, "{login}");
    }
    // As much is written for one as for the other.
    let failed: Vec<Entry> =
        house.entries().into_iter().filter(|entry| entry.what == What::SignInFailed).collect();
    assert_eq!(failed.len(), 1 + 4 + 2 * (usize::from(People::default().attempts) + 1));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_locks_a_login_and_brakes_everybody() {
    let house = House::peopled().await;
    // All at once is no way around it.
    let guesses = futures(12, |n| {
        let house = &house;
        async move { house.try_sign_in("viewer", &format!("guess number {n:04}")).await.status() }
    });
    assert!(guesses.await.iter().all(|status| *status == StatusCode::UNAUTHORIZED));
    assert_eq!(house.try_sign_in("viewer", PASSWORD).await.status(), StatusCode::UNAUTHORIZED, "locked");
    house.sign_in("reception").await;
    // It opens again by itself.
    wall(house.dir.path(), SignedDuration::from_secs(31));
    eventually(async || house.try_sign_in("viewer", PASSWORD).await.status() == StatusCode::SEE_OTHER).await;
    house.close().await;

    let house = House::open(People {
        second_factor: SecondFactor::Optional,
        attempts_a_minute: 4,
        ..People::default()
    });
    house.person(Role::Viewer, "viewer").await;
    for n in 0..4 {
        assert_eq!(house.try_sign_in(&format!("x{n}"), OTHER).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(house.try_sign_in("viewer", PASSWORD).await.status(), StatusCode::TOO_MANY_REQUESTS);
    house.close().await;
}

/// Runs some at a time.
async fn futures<T, F: Future<Output = T>>(count: usize, make: impl Fn(usize) -> F) -> Vec<T> {
    let mut all: Vec<_> = (0..count).map(|n| Box::pin(make(n))).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        all.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

async fn eventually(mut look: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !look().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "never");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_bodies_of_attackers_open_nothing() {
    let house = House::peopled().await;
    let cookie = house.sign_in("administrator").await;
    for path in [
        "/assets/../meguri.db",
        "/assets/..%2fmeguri.db",
        "/assets/%2e%2e/setup-code",
        "/../setup-code",
        "/pickup/..%2f..%2faudit",
        "/aside/..%2f1",
        "/audit/2026-04.jsonl",
        "//setup-code",
        "/pickup/%00",
    ] {
        let response = house.get(path, &cookie).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let (form_cookie, form) = house.begin("/signin").await;
    let big = "x".repeat(20_000);
    for path in ["/signin", "/account/password", "/people/add", "/setup"] {
        let both = format!("{cookie}; {form_cookie}");
        let response = house.post(path, &both, &[("form", &form), ("password", &big), ("login", &big)]).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    // Without a length, piece by piece.
    let pieces =
        tokio_stream::iter((0..64).map(|_| Ok::<_, std::io::Error>("login=".to_owned() + &"y".repeat(1024))));
    let request = HttpRequest::post("/signin")
        .header(header::HOST, HOST)
        .header(header::ORIGIN, format!("http://{HOST}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let response = house.ask(request.body(Body::from_stream(pieces)).unwrap()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for method in [Method::PUT, Method::DELETE, Method::POST, Method::TRACE, Method::OPTIONS] {
        let request = HttpRequest::builder()
            .method(method)
            .uri("/")
            .header(header::HOST, HOST)
            .header(header::COOKIE, &cookie);
        assert_eq!(
            house.ask(request.body(Body::empty()).unwrap()).await.status(),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_is_made_once_by_the_code_in_the_folder() {
    let house = House::open(People { second_factor: SecondFactor::Optional, ..People::default() });
    assert_eq!(location(&house.get("/", "").await), "/setup");
    let file = house.dir.path().join("setup-code");
    let code = fs::read_to_string(&file).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (cookie, form) = house.begin("/setup").await;
    let fill = |code: &str, login: &str, new: &str, again: &str| {
        [
            ("form", form.clone()),
            ("code", code.to_owned()),
            ("login", login.to_owned()),
            ("name", "管理".to_owned()),
            ("new", new.to_owned()),
            ("again", again.to_owned()),
        ]
    };
    let send = async |fields: [(&str, String); 6]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        house.post("/setup", &cookie, &fields).await
    };
    for (fields, why) in [
        (fill("aaaa-bbbb-cccc-dddd", "kanri", PASSWORD, PASSWORD), "設定コードが違います"),
        (fill(&code, "kanri", PASSWORD, OTHER), "二つの欄で違います"),
        (fill(&code, "kanri", "short", "short"), "12文字以上"),
        (fill(&code, "kan ri", PASSWORD, PASSWORD), "ログイン名は"),
    ] {
        let response = send(fields).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        let page = text(response).await;
        assert!(page.contains(why), "{why}");
        assert!(!page.contains(code.trim()) && !page.contains(PASSWORD));
    }
    let response = send(fill(&code, "Kanri", PASSWORD, PASSWORD)).await;
    let session = session_of(&response);
    assert_eq!(house.get("/people", &session).await.status(), StatusCode::OK);
    assert!(!file.exists());
    // Never again.
    assert_eq!(send(fill(&code, "second", PASSWORD, PASSWORD)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(house.get("/setup", "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(location(&house.get("/", "").await), "/signin");
    house.sign_in("kanri").await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_set_up_asked_for_and_good_once() {
    let house = House::open(People { attempts_a_minute: 1_000, ..People::default() });
    house.person(Role::Administrator, "kanri").await;
    let session = house.sign_in("kanri").await;
    // Nothing is shown before it is set up.
    for path in ["/", "/people", "/account", "/audit"] {
        assert_eq!(location(&house.get(path, &session).await), "/account/second", "{path}");
    }
    assert_eq!(house.get("/events", &session).await.status(), StatusCode::UNAUTHORIZED);
    let page = text(house.get("/account/second", &session).await).await;
    assert!(page.contains("<svg class=\"qr\"") && !page.contains("style="), "{page}");
    let typed: String = page.split("<code>").nth(1).unwrap().split('<').next().unwrap().split(' ').collect();
    let secret = unbase32(&typed);
    let code = |ahead: i64| totp::shown(&secret, Timestamp::now() + SignedDuration::from_secs(ahead));
    let form = form_of(&page);
    let wrong = house.post("/account/second", &session, &[("form", &form), ("code", "000000")]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let response = house.post("/account/second", &session, &[("form", &form), ("code", &code(0))]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let whole = session_of(&response);
    let page = text(response).await;
    let recovery: Vec<String> =
        page.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(recovery.len(), 10);
    assert_eq!(house.get("/", &whole).await.status(), StatusCode::OK);
    assert_eq!(house.get("/", &session).await.status(), StatusCode::SEE_OTHER, "the one before has ended");

    // From now on the password alone opens nothing.
    let half = house.sign_in("kanri").await;
    for path in ["/", "/people", "/account", "/account/password", "/account/second"] {
        assert_eq!(location(&house.get(path, &half).await), "/signin/code", "{path}");
    }
    let form = form_of(&text(house.get("/signin/code", &half).await).await);
    let give = async |half: &str, form: &str, code: &str| {
        house.post("/signin/code", half, &[("form", form), ("code", code)]).await
    };
    assert_eq!(give(&half, &form, "123456").await.status(), StatusCode::UNAUTHORIZED);
    let response = give(&half, &form, &code(30)).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &session_of(&response)).await.status(), StatusCode::OK);
    assert_eq!(
        house.get("/", &half).await.status(),
        StatusCode::SEE_OTHER,
        "half a session never becomes a whole one"
    );
    // The same code again is nobody's; a recovery code is good once.
    let half = house.sign_in("kanri").await;
    let form = form_of(&text(house.get("/signin/code", &half).await).await);
    assert_eq!(give(&half, &form, &code(30)).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(give(&half, &form, &recovery[0]).await.status(), StatusCode::SEE_OTHER);
    let half = house.sign_in("kanri").await;
    let form = form_of(&text(house.get("/signin/code", &half).await).await);
    assert_eq!(give(&half, &form, &recovery[0]).await.status(), StatusCode::UNAUTHORIZED);
    // Guessing codes locks, and knowing the password does not open it anew.
    for _ in 0..8 {
        give(&half, &form, "999999").await;
    }
    assert_eq!(give(&half, &form, &recovery[1]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(house.try_sign_in("kanri", PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    house.close().await;
}

/// What was written down and could not be committed is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_committed_is_named_in_the_log() {
    let house = House::peopled().await;
    let session = house.sign_in("viewer").await;
    let form = house.form(&session).await;
    // Found at the commit alone, after all else was done.
    let refuse = |tx: &mut rusqlite::Transaction<'_>, _: &mut meguri_gateway::touched::Touched| {
        tx.execute_batch(
            "CREATE TABLE late (id INTEGER PRIMARY KEY, of INTEGER REFERENCES late DEFERRABLE INITIALLY DEFERRED);
            CREATE TRIGGER refuse AFTER DELETE ON session BEGIN INSERT INTO late VALUES (1, 2); END;",
        )
    };
    house.writer.run_job(refuse).await.unwrap().unwrap();
    let out = house.post("/signout", &session, &[("form", &form)]).await;
    assert!(out.status().is_server_error(), "{}", out.status());
    let entries = house.entries();
    let [.., told, undone] = &*entries else { panic!("{entries:?}") };
    assert_eq!((told.what, undone.what), (What::SignedOut, What::Undone));
    assert_eq!((&undone.who, &undone.about), (&told.who, &json!({ "what": "signed_out" })));
    house.close().await;
}

/// Whoever finds a browser open does not make its account their own; and its person sees where else they are signed in, and ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_browser_changes_no_way_in() {
    let house = House::peopled().await;
    let (mine, other) = (house.sign_in("viewer").await, house.sign_in("viewer").await);
    let form = house.form(&mine).await;
    let page = text(house.get("/account/second", &mine).await).await;
    let typed: String = page.split("<code>").nth(1).unwrap().split('<').next().unwrap().split(' ').collect();
    let code = totp::shown(&unbase32(&typed), Timestamp::now());
    for now in ["", OTHER] {
        let fields = [("form", &*form), ("code", &*code), ("now", now)];
        let response = house.post("/account/second", &mine, &fields).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text(response).await.contains("本人と確かめられません"));
        let ended = house.post("/account/others", &mine, &[("form", &form), ("now", now)]).await;
        assert_eq!(ended.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let theirs = house.sign_in("auditor").await;
    let fields = [("form", &*house.form(&theirs).await), ("now", OTHER), ("new", OTHER), ("again", OTHER)];
    let unchanged = house.post("/account/password", &theirs, &fields).await;
    assert_eq!(unchanged.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let failed: Vec<_> = house.entries().into_iter().filter(|one| one.what == What::NotConfirmed).collect();
    let fors: Vec<_> = failed.iter().map(|one| one.about["for"].as_str().unwrap()).collect();
    assert_eq!(fors, ["second", "others", "second", "others", "password"]);
    assert!(failed.iter().all(|one| matches!(one.who, Who::Person(_))), "{failed:?}");
    assert_eq!(house.get("/", &other).await.status(), StatusCode::OK);
    let account = text(house.get("/account", &mine).await).await;
    assert_eq!(account.matches("最後の操作").count(), 2);
    assert_eq!(account.matches("この画面").count(), 1);
    assert_eq!(
        house.post("/account/others", &mine, &[("form", "x"), ("now", PASSWORD)]).await.status(),
        StatusCode::FORBIDDEN
    );
    let ended = house.post("/account/others", &mine, &[("form", &form), ("now", PASSWORD)]).await;
    assert_eq!((ended.status(), location(&ended)), (StatusCode::SEE_OTHER, "/account"));
    assert_eq!(house.get("/", &other).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(house.get("/", &mine).await.status(), StatusCode::OK);
    let fields = [("form", &*form), ("code", &*code), ("now", PASSWORD)];
    assert_eq!(house.post("/account/second", &mine, &fields).await.status(), StatusCode::OK);
    // What a second factor is set up with is drawn for whoever sees it, and the last one alone counts: whoever looked at an open
    // page before, here or elsewhere, does not know it.
    let (mine, other) = (house.sign_in("auditor").await, house.sign_in("auditor").await);
    let form = house.form(&mine).await;
    let secret = async |cookie: &str| {
        let page = text(house.get("/account/second", cookie).await).await;
        let typed = page.split("<code>").nth(1).unwrap().split('<').next().unwrap().split(' ');
        unbase32(&typed.collect::<String>())
    };
    let set = async |secret: &[u8]| {
        let code = totp::shown(secret, Timestamp::now());
        let fields = [("form", &*form), ("code", &*code), ("now", PASSWORD)];
        house.post("/account/second", &mine, &fields).await.status()
    };
    let before = [secret(&mine).await, secret(&other).await];
    assert_eq!(set(&before[1]).await, StatusCode::UNPROCESSABLE_ENTITY, "drawn for another session");
    let (first, last) = (secret(&mine).await, secret(&mine).await);
    assert!(first != last && !before.contains(&first) && !before.contains(&last));
    for seen in [&before[0], &first] {
        assert_eq!(set(seen).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // What stands on the telephone already goes on after a wrong code.
    assert_eq!(set(&last).await, StatusCode::OK);
    // Who signs out leaves nothing in the browser.
    let mine = house.sign_in("reception").await;
    let form = house.form(&mine).await;
    let out = house.post("/signout", &mine, &[("form", &form)]).await;
    assert_eq!(out.headers()["clear-site-data"], "\"cache\", \"storage\"");
    house.close().await;

    // Where everybody needs a second factor, a viewer does, too.
    let house = House::open(People { second_factor: SecondFactor::Everybody, ..People::default() });
    house.person(Role::Viewer, "viewer").await;
    let session = house.sign_in("viewer").await;
    assert_eq!(location(&house.get("/", &session).await), "/account/second");
    // Over TLS the language's cookie is one that no plain page can set, and is read back.
    let page = |cookie: &'static str| {
        let request =
            HttpRequest::get("/signin?lang=en").header(header::HOST, HOST).header(header::COOKIE, cookie);
        request.extension(OverTls).body(Body::empty()).unwrap()
    };
    let set: Vec<String> = cookies(&house.ask(page("")).await);
    assert!(set.contains(&"__Host-lang=en".to_owned()), "{set:?}");
    let request =
        HttpRequest::get("/signin").header(header::HOST, HOST).header(header::COOKIE, "__Host-lang=en");
    let response = house.ask(request.body(Body::empty()).unwrap()).await;
    assert!(text(response).await.contains("Sign in"));
    house.close().await;
}

/// An administrator resets a password while its person, or whoever knows it, is changing it: the reset stands, whichever of the two
/// came to the store first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_stands_whatever_is_being_changed_meanwhile() {
    let house = House::peopled().await;
    let session = house.sign_in("viewer").await;
    let form = house.form(&session).await;
    let (mine, reset) = ("tsuki to hoshi to yoru", password::hash(OTHER, [2; 16]).unwrap());
    let fields = [("form", &*form), ("now", PASSWORD), ("new", mine), ("again", mine)];
    let meanwhile = async {
        // The change has begun: its attempt is written down. Now two passwords are computed.
        let store = rusqlite::Connection::open(house.dir.path().join("meguri.db")).unwrap();
        loop {
            let begun = "SELECT EXISTS (SELECT 1 FROM attempt)";
            if store.query_row(begun, [], |row| row.get::<_, bool>(0)).unwrap() {
                break;
            }
            tokio::task::yield_now().await;
        }
        house.writer.run_job(move |tx, _| accounts::reset(tx, "viewer", &reset)).await.unwrap().unwrap();
    };
    tokio::join!(house.post("/account/password", &session, &fields), meanwhile);
    assert_eq!(house.try_sign_in("viewer", mine).await.status(), StatusCode::UNAUTHORIZED);
    let session = house.sign_in_with("viewer", OTHER).await;
    assert_eq!(location(&house.get("/", &session).await), "/account/password", "it must be changed first");
    house.close().await;
}

/// A program that copies page after page is stopped, and so is whoever opens live pages without an end; others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_without_an_end() {
    let people = People {
        second_factor: SecondFactor::Optional,
        attempts_a_minute: 1_000,
        pages_a_minute: 5,
        ..People::default()
    };
    let house = House::open(people.clone());
    for role in [Role::Viewer, Role::Reception] {
        house.person(role, role.word()).await;
    }
    let (one, other) = (house.sign_in("viewer").await, house.sign_in("reception").await);
    for n in 0..7 {
        let expected = if n < 5 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        let response = house.get("/search?q=4417", &one).await;
        assert_eq!(response.status(), expected, "{n}");
        assert_eq!(text(response).await.contains("大手町"), n < 5);
    }
    assert_eq!(house.get("/items", &one).await.status(), StatusCode::OK, "nothing of residents");
    assert_eq!(house.get("/", &other).await.status(), StatusCode::OK);
    let token = tokens::text(rand_bytes("copies"));
    let (name, scopes, sha256) =
        ("copies".to_owned(), vec![tokens::Opens::Export], Digest::of(token.as_bytes()));
    let new = tokens::New { name, scopes, contractor: None, sha256 };
    house.writer.run_job(move |tx, _| tokens::add(tx, Timestamp::now(), &new)).await.unwrap().unwrap();
    for n in 0..6 {
        let request = HttpRequest::get("/api/export?day=2026-04-01")
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let status = house.ask(request.body(Body::empty()).unwrap()).await.status();
        assert_eq!(status, if n < 5 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS }, "{n}");
    }
    house.close().await;

    let house = House::open(People { pages_a_minute: 1_000, ..people });
    house.person(Role::Viewer, "viewer").await;
    let session = house.sign_in("viewer").await;
    let stream = async |cookie: &str| house.get("/events?aside=1", cookie).await;
    // One person, however often they are signed in, holds no more than a few.
    let again = house.sign_in("viewer").await;
    let mut open = Vec::new();
    for n in 0..16 {
        open.push(stream(if n % 2 == 0 { &session } else { &again }).await);
    }
    for cookie in [&session, &again] {
        assert_eq!(stream(cookie).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    for n in 1..16 {
        let login = format!("viewer-{n}");
        house.person(Role::Viewer, &login).await;
        let theirs = house.sign_in(&login).await;
        for _ in 0..16 {
            open.push(stream(&theirs).await);
        }
    }
    assert_eq!(open.len(), 256);
    assert!(open.iter().all(|response| response.status() == StatusCode::OK));
    house.person(Role::Viewer, "last").await;
    let last = house.sign_in("last").await;
    assert_eq!(stream(&last).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.get("/", &last).await.status(), StatusCode::OK, "pages by themselves go on");
    open.pop();
    eventually(async || stream(&last).await.status() == StatusCode::OK).await;
    drop(open);
    house.close().await;
}

fn unbase32(text: &str) -> Vec<u8> {
    let (mut kept, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        kept = (kept << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((kept >> bits) as u8);
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_managed_on_their_page() {
    let house = House::peopled().await;
    let admin = house.sign_in("administrator").await;
    let form = house.form(&admin).await;
    let contractor = house.contractor();
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        let response = house.post(path, &admin, &all).await;
        (response.status(), text(response).await)
    };
    let (status, page) = post(
        "/people/add",
        &[
            ("login", "haisha"),
            ("name", "配車 花子"),
            ("role", "dispatcher"),
            ("contractor", contractor.as_str()),
        ],
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let drawn = page.split("class=\"drawn\"><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(drawn.len(), 19);
    assert!(page.contains("href=\"/people?lang=en\""), "the other language is of a page that can be opened");
    assert!(!text(house.get("/people", &admin).await).await.contains(&drawn), "shown once");
    // It must be changed before anything else.
    let first = house.sign_in_with("haisha", &drawn).await;
    assert_eq!(location(&house.get("/", &first).await), "/account/password");
    let own = form_of(&text(house.get("/account/password", &first).await).await);
    let change = async |cookie: &str, own: &str, now: &str, new: &str| {
        house
            .post("/account/password", cookie, &[("form", own), ("now", now), ("new", new), ("again", new)])
            .await
    };
    for (now, new) in [("wrong", OTHER), (&*drawn, "short"), (&*drawn, "haisha-haisha"), (&*drawn, &*drawn)] {
        assert_eq!(change(&first, &own, now, new).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{new}");
    }
    let second = house.sign_in_with("haisha", &drawn).await;
    let changed = change(&first, &own, &drawn, OTHER).await;
    assert_eq!(changed.status(), StatusCode::SEE_OTHER);
    let session = session_of(&changed);
    assert_eq!(house.get("/", &session).await.status(), StatusCode::OK);
    for ended in [first, second] {
        assert_eq!(
            house.get("/", &ended).await.status(),
            StatusCode::SEE_OTHER,
            "whatever else was signed in has ended"
        );
    }
    // Another role, and out: at once, open streams too.
    let stream = house.get("/events", &session).await;
    let mut stream = stream.into_body().into_data_stream();
    stream.next().await.unwrap().unwrap();
    assert_eq!(post("/people/block", &[("login", "haisha")]).await.0, StatusCode::OK);
    assert_eq!(house.get("/", &session).await.status(), StatusCode::SEE_OTHER);
    house.changes.tell(meguri_gateway::changes::Change::Notice);
    let ended = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the stream ends");
    assert_eq!(house.try_sign_in("haisha", OTHER).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(post("/people/unblock", &[("login", "haisha")]).await.0, StatusCode::OK);
    house.sign_in_with("haisha", OTHER).await;
    let (status, page) =
        post("/people/role", &[("login", "haisha"), ("role", "viewer"), ("contractor", contractor.as_str())])
            .await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let city = house.sign_in_with("haisha", OTHER).await;
    assert_eq!(house.get(&format!("/pickup/{}", house.foreign), &city).await.status(), StatusCode::OK);
    let (_, page) = post("/people/reset", &[("login", "haisha")]).await;
    let reset = page.split("class=\"drawn\"><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(house.try_sign_in("haisha", OTHER).await.status(), StatusCode::UNAUTHORIZED);
    house.sign_in_with("haisha", &reset).await;
    // What can't be is said.
    for (path, fields, why) in [
        ("/people/add", &[("login", "viewer"), ("role", "viewer")][..], "すでに使われています"),
        ("/people/add", &[("login", "x"), ("role", "dispatcher")][..], "収集業者を選んで"),
        (
            "/people/add",
            &[("login", "x"), ("role", "dispatcher"), ("contractor", "nobody")][..],
            "収集業者を選んで",
        ),
        ("/people/block", &[("login", "administrator")][..], "ほかにサインインできる管理者"),
        (
            "/people/role",
            &[("login", "administrator"), ("role", "viewer")][..],
            "ほかにサインインできる管理者",
        ),
        ("/people/reset", &[("login", "<b>")][..], "利用者はいません"),
    ] {
        let (status, page) = post(path, fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(page.contains(why), "{path}: {why}");
    }
    let words: BTreeSet<String> = house.entries().iter().map(|entry| entry.what.word()).collect();
    for word in [
        "person_added",
        "person_blocked",
        "person_unblocked",
        "person_role",
        "person_reset",
        "password_changed",
        "signed_in",
        "sign_in_failed",
        "read_day",
        "read_pickup",
        "read_stream",
        "read_people",
    ] {
        assert!(words.contains(word), "{word} in {words:?}");
    }
    house.close().await;
}

/// A page that nobody looks at updates by itself all day long, and its script looks whether it is still let in: neither keeps a
/// session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_left_open_keeps_no_session() {
    let house = House::peopled().await;
    let session = house.sign_in("viewer").await;
    let store = rusqlite::Connection::open(house.dir.path().join("meguri.db")).unwrap();
    let later = async |minutes: i64| {
        let ahead = SignedDuration::from_mins(minutes);
        wall(house.dir.path(), ahead);
        eventually(async || house.wall.now() >= Timestamp::now() + ahead - SignedDuration::from_secs(5))
            .await;
    };
    let by_script = async |dest: &'static str| {
        let request = HttpRequest::get("/")
            .header(header::HOST, HOST)
            .header(header::COOKIE, &session)
            .header("sec-fetch-dest", dest);
        house.ask(request.body(Body::empty()).unwrap()).await.status()
    };
    let idle = i64::from(People::default().idle_minutes);
    for minutes in [idle / 2, idle - 1] {
        later(minutes).await;
        let stream = house.get("/events", &session).await;
        assert_eq!(stream.status(), StatusCode::OK);
        first_event(stream).await;
        assert_eq!(by_script("empty").await, StatusCode::OK);
    }
    let untouched = "SELECT count(*) FROM session WHERE seen_at = made_at";
    assert_eq!(store.query_row(untouched, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    later(idle).await;
    assert_eq!(by_script("empty").await, StatusCode::SEE_OTHER);
    // Whoever opens a page is there.
    let session_again = house.sign_in("viewer").await;
    later(idle + 5).await;
    let request = HttpRequest::get("/")
        .header(header::HOST, HOST)
        .header(header::COOKIE, &session_again)
        .header("sec-fetch-dest", "document");
    assert_eq!(house.ask(request.body(Body::empty()).unwrap()).await.status(), StatusCode::OK);
    eventually(async || {
        let seen = "SELECT max(seen_at - made_at) > 60000 FROM session";
        store.query_row(seen, [], |row| row.get::<_, bool>(0)).unwrap()
    })
    .await;
    house.close().await;
}

/// How the gateway fares is told to those who are signed in, and to nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn troubles_are_for_whoever_is_signed_in() {
    let house = House::peopled().await;
    let session = house.sign_in("viewer").await;
    // Nothing serves MQTT here.
    let trouble = "MQTT ブローカーにつながっていません";
    for path in ["/", "/nothing", "/account"] {
        assert!(text(house.get(path, &session).await).await.contains(trouble), "{path}");
    }
    for path in ["/signin", "/nothing", "/nothing/at/all"] {
        let page = text(house.get(path, "").await).await;
        assert!(page.contains("大型ごみ収集") && !page.contains(trouble), "{path}: {page}");
    }
    house.close().await;
}

/// A page that shows something this once is counted before it is made: where the reading's brake holds, nothing is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_that_can_not_be_shown() {
    let house = House::open(People {
        second_factor: SecondFactor::Optional,
        attempts_a_minute: 1_000,
        pages_a_minute: 2,
        ..People::default()
    });
    house.person(Role::Administrator, "kanri").await;
    house.person(Role::Viewer, "viewer").await;
    let admin = house.sign_in("kanri").await;
    let form = house.form(&admin).await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        let response = house.post(path, &admin, &all).await;
        (response.status(), text(response).await)
    };
    // One change is one page, not two.
    for (path, fields) in [
        ("/people/add", &[("login", "miru"), ("role", "viewer")][..]),
        ("/tokens/add", &[("name", "first"), ("scope", "export")]),
    ] {
        let (status, page) = post(path, fields).await;
        assert!(status == StatusCode::OK && page.contains("class=\"drawn"), "{path}: {page}");
    }
    let before = house.entries().len();
    for (path, fields) in [
        ("/people/add", &[("login", "osoi"), ("role", "viewer")][..]),
        ("/people/reset", &[("login", "viewer")]),
        ("/tokens/add", &[("name", "second"), ("scope", "export")]),
        ("/terminals/t-01/code", &[]),
        ("/crews/add", &[("id", "m-02"), ("name", "乗務員 丙"), ("contractor", "k1")]),
    ] {
        assert_eq!(post(path, fields).await.0, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    assert_eq!(house.entries().len(), before);
    assert_eq!(house.try_sign_in("viewer", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_when_their_person_is_away_and_in_any_case() {
    let house = House::peopled().await;
    let minutes = async |minutes: i64| {
        let ahead = SignedDuration::from_mins(minutes);
        wall(house.dir.path(), ahead);
        eventually(async || house.wall.now() >= Timestamp::now() + ahead - SignedDuration::from_secs(5))
            .await;
    };
    let seen = || {
        let store = rusqlite::Connection::open(house.dir.path().join("meguri.db")).unwrap();
        let seen = "SELECT max(seen_at - made_at) / 60000 FROM session";
        store.query_row(seen, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let idle = i64::from(People::default().idle_minutes);
    let (away, there) = (house.sign_in("viewer").await, house.sign_in("viewer").await);
    let ended = async |cookie: &str| house.get("/", cookie).await.status() == StatusCode::SEE_OTHER;
    // It is written down that somebody is still there, and not that somebody is away.
    minutes(idle - 1).await;
    assert!(!ended(&there).await);
    eventually(async || seen() >= idle - 2).await;
    minutes(idle + 1).await;
    assert!(ended(&away).await);
    assert!(!ended(&there).await);
    // Whoever goes on and on is asked again, too.
    let whole = i64::from(People::default().hours) * 60;
    let mut now = idle + 1;
    while now + 30 < whole {
        now += 30;
        minutes(now).await;
        assert!(!ended(&there).await, "{now}");
        eventually(async || seen() >= now - 2).await;
    }
    minutes(whole).await;
    assert!(ended(&there).await);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systems_read_what_their_tokens_open() {
    let house = House::peopled().await;
    let contractor = house.contractor();
    let mut texts = Vec::new();
    for (name, scopes, contractor) in [
        ("prometheus", vec![tokens::Opens::Metrics], None),
        ("reception", vec![tokens::Opens::Export], None),
        ("contractor", vec![tokens::Opens::Export], Some(contractor)),
    ] {
        let text = tokens::text(rand_bytes(name));
        let new =
            tokens::New { name: name.to_owned(), scopes, contractor, sha256: Digest::of(text.as_bytes()) };
        house.writer.run_job(move |tx, _| tokens::add(tx, Timestamp::now(), &new)).await.unwrap().unwrap();
        texts.push(text);
    }
    let [metrics, export, of_contractor] = &texts[..] else { unreachable!() };
    let bearer = async |path: &str, token: &str| {
        let request = HttpRequest::get(path)
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        house.ask(request.body(Body::empty()).unwrap()).await
    };
    let table = [
        ("/metrics", [200, 401, 401]),
        ("/health/ready", [200, 401, 401]),
        ("/api/export?day=2026-04-01", [401, 200, 200]),
        ("/", [303, 303, 303]),
        ("/people", [303, 303, 303]),
    ];
    for (path, expected) in table {
        for (token, expected) in texts.iter().zip(expected) {
            let status = bearer(path, token).await.status().as_u16();
            // The test's office is not in all respects ready.
            let status = if path == "/health/ready" && status == 503 { 200 } else { status };
            assert_eq!(status, expected, "{path}");
        }
        for bad in ["", "meguri_", &metrics.to_uppercase(), &format!("{export}0"), "x"] {
            assert_ne!(bearer(path, bad).await.status(), StatusCode::OK, "{path} {bad}");
        }
    }
    let whole = bearer("/api/export?day=2026-04-01", export).await;
    assert!(whole.headers()["meguri-cursor"].to_str().unwrap().starts_with("2026-04-01"));
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    assert_eq!(
        whole.headers()[header::CONTENT_DISPOSITION],
        "attachment; filename=\"results-2026-04-01.csv\""
    );
    let whole = text(whole).await;
    assert!(whole.contains("4417") && whole.contains("4419"), "{whole}");
    let own = text(bearer("/api/export?day=2026-04-01", of_contractor).await).await;
    assert!(own.contains("4417") && !own.contains("4419"), "{own}");
    assert_eq!(bearer("/api/export", export).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(bearer("/api/export?day=2026-04-01&since=x", export).await.status(), StatusCode::BAD_REQUEST);
    // This machine reads metrics as ever, unless somebody passed the request on.
    let local = |forwarded: bool| {
        let mut request = HttpRequest::get("/metrics").header(header::HOST, HOST);
        if forwarded {
            request = request.header("x-forwarded-for", "192.0.2.1");
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(Peer(([127, 0, 0, 1], 1).into())));
        request
    };
    assert_eq!(house.ask(local(false)).await.status(), StatusCode::OK);
    assert_eq!(house.ask(local(true)).await.status(), StatusCode::UNAUTHORIZED);
    house.writer.run_job(|tx, _| tokens::revoke(tx, Timestamp::now(), "reception")).await.unwrap().unwrap();
    assert_eq!(bearer("/api/export?day=2026-04-01", export).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(house.entries().iter().filter(|entry| matches!(entry.who, Who::Token(_))).count(), 3 + 2 - 1);
    house.close().await;
}

fn rand_bytes(name: &str) -> [u8; 32] {
    Digest::of(name.as_bytes()).0
}

/// What a page shows of residents is written down before it is sent, by ids; and where it can't be, it is not sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_are_written_down_by_ids_alone() {
    let house = House::peopled().await;
    let cookie = house.sign_in("reception").await;
    let own = house.own.to_string();
    for path in ["/", "/attention", "/search?q=4417", &format!("/pickup/{own}"), "/aside", "/aside/1"] {
        let before = house.entries().len();
        assert_eq!(house.get(path, &cookie).await.status(), StatusCode::OK);
        assert_eq!(house.entries().len(), before + 1, "{path}");
    }
    let log: String =
        house.entries().iter().map(|entry| serde_json::to_string(entry).unwrap() + "\n").collect();
    assert!(log.contains(&own), "{log}");
    for residents in ["大手町", "4417", "raw of", PASSWORD] {
        assert!(!log.contains(residents), "{residents} in {log}");
    }
    // A form over TLS has cookies of its own.
    let request = HttpRequest::get("/signin").header(header::HOST, HOST).extension(OverTls);
    let response = house.ask(request.body(Body::empty()).unwrap()).await;
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-meguri-form=") && set.contains("; Secure"), "{set}");
    house.close().await;
}

/// Whoever was signed in when a copy was made may have signed out, or been blocked, since.
#[test]
fn a_copy_that_is_put_back_signs_everybody_out() {
    use meguri_gateway::people::sessions::{self, Token};
    let dir = tempfile::tempdir().unwrap();
    let plan = include_str!("../../tests/demo/city.toml");
    let city = meguri_config::City::parse(Path::new("city.toml"), plan).unwrap();
    let settings = Settings { data: dir.path().to_owned(), ..Settings::default() };
    let open = || meguri_gateway::serve::open(&settings, &city, &Clock::system()).unwrap();
    let count = |store: &meguri_gateway::store::Store| {
        store.conn.query_row("SELECT count(*) FROM session", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let store = open();
    let password = password::hash(PASSWORD, [1; 16]).unwrap();
    let role = Role::Viewer;
    let new = New {
        login: "miru".to_owned(),
        name: String::new(),
        role,
        contractor: None,
        password,
        must_change: false,
    };
    let person = accounts::add(&store.conn, Timestamp::now(), &new).unwrap();
    sessions::begin(&store.conn, Timestamp::now(), person.id, &Token::new([5; 32]), false).unwrap();
    store.close().unwrap();
    let store = open();
    assert_eq!((count(&store), store.restored), (1, false), "an ordinary start ends none");
    store.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let (file, copy) = (dir.path().join("meguri.db"), dir.path().join("copy"));
    fs::copy(&file, &copy).unwrap();
    store.close().unwrap();
    open().close().unwrap();
    fs::copy(&copy, &file).unwrap();
    let store = open();
    assert_eq!((count(&store), store.restored), (0, true));
    assert!(accounts::by_id(&store.conn, person.id).unwrap().is_some());
}

/// What stands in a page between two marks.
fn between<'a>(page: &'a str, from: &str, until: &str) -> &'a str {
    page.split_once(from).unwrap_or_else(|| panic!("{from} in {page}")).1.split(until).next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminals_are_made_enrolled_and_blocked_on_their_pages() {
    let house = House::peopled().await;
    let admin = house.sign_in("administrator").await;
    let form = house.form(&admin).await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        house.post(path, &admin, &all).await
    };
    let page = async |path: &str| text(house.get(path, &admin).await).await;
    let made = post("/terminals/add", &[("terminal", "t-02"), ("vehicle", "v02")]).await;
    assert_eq!(location(&made), "/terminals/t-02?done=added");
    let shown = page("/terminals/t-02?done=added").await;
    for words in ["端末を作りました", "2号車", "未登録", "登録コードを出す", "まだ連絡なし"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    for (terminal, vehicle, why) in [
        ("t-02", "v02", "すでに使われています"),
        ("T 3", "v02", "端末名は40文字まで"),
        ("t-03", "", "号車を選んで"),
        ("t-03", "v99", "号車を選んで"),
    ] {
        let response = post("/terminals/add", &[("terminal", terminal), ("vehicle", vehicle)]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{terminal} {vehicle}");
        let page = text(response).await;
        assert!(page.contains(why) && page.contains(&format!("value=\"{terminal}\"")), "{why}");
    }

    // A code: shown in the answer, which nobody keeps, and nowhere else.
    let response = post("/terminals/t-02/code", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let drawn = text(response).await;
    let code = between(&drawn, "class=\"drawn\"><code>", "<").to_owned();
    assert!(code.parse::<meguri_proto::enrol::Code>().is_ok(), "{code}");
    assert!(drawn.contains("<svg class=\"qr\"") && drawn.contains("https://office.example:8651"), "{drawn}");
    assert!(drawn.contains("60分間"), "{drawn}");
    let shown = page("/terminals/t-02").await;
    assert!(shown.contains("登録コードが出ています") && !shown.contains(&code), "{shown}");
    assert_eq!(house.get("/terminals/t-02/code", &admin).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(location(&post("/terminals/t-02/void", &[]).await), "/terminals/t-02?done=voided");
    assert!(!page("/terminals/t-02").await.contains("登録コードが出ています"));

    // Certificates: one that holds and it has not come in by yet, one it came in by, one that is over.
    let certificate = async |until: Timestamp, connected: bool| {
        let (now, until) = (Timestamp::now().as_millisecond(), until.as_millisecond());
        let insert = move |tx: &mut rusqlite::Transaction<'_>, _: &mut _| {
            tx.execute("DELETE FROM certificate", [])?;
            tx.execute(
                "INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after, connected_at)
                VALUES ('01', 't-01', x'', x'', '', ?1, ?2, ?3)",
                rusqlite::params![now - 1_000, until, connected.then_some(now)],
            )
        };
        house.writer.run_job(insert).await.unwrap().unwrap();
        page("/terminals/t-01").await
    };
    let later = Timestamp::now() + SignedDuration::from_hours(24 * 300);
    let shown = certificate(later, false).await;
    assert!(shown.contains("まだ接続していません") && shown.contains("ごろ自動更新"), "{shown}");
    let third = |at: Timestamp| at.to_zoned(meguri_proto::clock::japan()).date().to_string();
    assert!(
        shown.contains(&third(later)) && shown.contains(&third(later - SignedDuration::from_hours(24 * 100)))
    );
    assert!(certificate(later, true).await.contains("に接続を確認"));
    let over = certificate(Timestamp::now() - SignedDuration::from_secs(1), true).await;
    assert!(over.contains("に切れました") && over.contains("登録し直してください"), "{over}");

    // Forms of nobody's session do nothing.
    for path in [
        "/terminals/add",
        "/terminals/t-01/record",
        "/terminals/t-01/code",
        "/terminals/t-01/void",
        "/terminals/t-01/block",
        "/terminals/t-01/unblock",
        "/terminals/t-01/lost",
        "/handover/sheet",
        "/handover/record",
        "/crews/add",
        "/crews/m-01/pin",
        "/crews/m-01/remove",
        "/tokens/add",
        "/tokens/revoke",
    ] {
        for fields in [&[("t", "t-01")][..], &[("t", "t-01"), ("form", "x")]] {
            assert_eq!(house.post(path, &admin, fields).await.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }
    let shown = page("/terminals/t-01").await;
    assert!(!shown.contains("停止中") && !shown.contains("紛失・未消去"), "{shown}");

    // Blocking is asked for first.
    let asked = page("/terminals/t-02/block").await;
    assert!(asked.contains("停止しますか") && asked.contains("その場で切れ"), "{asked}");
    assert!(!page("/terminals/t-02").await.contains("停止中"), "asking does nothing");
    post("/terminals/t-02/code", &[]).await;
    assert_eq!(location(&post("/terminals/t-02/block", &[]).await), "/terminals/t-02?done=blocked");
    let shown = page("/terminals/t-02").await;
    assert!(shown.contains("停止中") && !shown.contains("登録コードが出ています"), "{shown}");
    assert_eq!(location(&house.get("/terminals/t-02/block", &admin).await), "/terminals/t-02");
    assert!(page("/terminals/t-02/unblock").await.contains("停止を解除しますか"));
    post("/terminals/t-02/unblock", &[]).await;
    assert!(!page("/terminals/t-02").await.contains("停止中"));
    for gone in
        ["/terminals/t-99/code", "/terminals/t-99/block", "/terminals/t-99/record", "/terminals/../void"]
    {
        assert_eq!(post(gone, &[]).await.status(), StatusCode::NOT_FOUND, "{gone}");
    }

    let entries = house.entries();
    for (what, times) in [
        (What::TerminalAdded, 1),
        (What::TerminalCode, 2),
        (What::TerminalCodeVoided, 1),
        (What::TerminalBlocked, 1),
        (What::TerminalUnblocked, 1),
    ] {
        let of: Vec<_> = entries.iter().filter(|entry| entry.what == what).collect();
        assert_eq!(of.len(), times, "{what:?}");
        assert!(of.iter().all(|entry| entry.about["terminal"] == "t-02"), "{of:?}");
        assert!(of.iter().all(|entry| matches!(entry.who, Who::Person(_))), "{of:?}");
    }
    let log = serde_json::to_string(&entries).unwrap();
    assert!(!log.contains(&code) && !log.contains(&code.replace('-', "")), "{log}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_register_and_who_has_a_terminal_are_kept() {
    let house = House::peopled().await;
    let (admin, dispatcher) = (house.sign_in("administrator").await, house.sign_in("dispatcher").await);
    let form = house.form(&admin).await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        let response = house.post(path, &admin, &all).await;
        let (status, to) = (response.status(), response.headers().get(header::LOCATION).cloned());
        (status, to.map(|to| to.to_str().unwrap().to_owned()), text(response).await)
    };
    let (asset, iccid) = ("市-0012", "8981 1000 0000 0000 123");
    let record =
        [("asset", asset), ("iccid", iccid), ("line", "020-1234-5678"), ("remarks", "角に傷\r\nあり")];
    assert_eq!(post("/terminals/t-01/record", &record).await.1.unwrap(), "/terminals/t-01?done=recorded");
    let (status, _, page) = post("/terminals/t-10/record", &[("asset", asset), ("model", "新しい型")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("備品番号は端末 t-01 で使われています") && page.contains("新しい型"), "{page}");
    let (_, _, page) = post("/terminals/t-10/record", &[("iccid", "12")]).await;
    assert!(page.contains("89で始まる18〜20桁"), "{page}");

    // Another contractor's, then back; the dispatcher of the first sees only what is theirs.
    let (first, second) = (house.contractor(), "k2");
    let hand = async |kind: &str, contractor: &str, person: &str, terminals: &[&str]| {
        let mut fields =
            vec![("kind", kind), ("day", "2026-04-01"), ("contractor", contractor), ("person", person)];
        fields.extend(terminals.iter().map(|terminal| ("t", *terminal)));
        fields.extend([("things", "タブレット本体\r\n充電器\r\n")]);
        post("/handover/record", &fields).await
    };
    assert_eq!(hand("handover", second, "別の人", &["t-01"]).await.1.unwrap(), "/terminals/t-01?done=handed");
    let seen = async || text(house.get("/terminals/t-01", &dispatcher).await).await;
    assert!(!seen().await.contains("別の人"), "another contractor's people");
    let (status, _, page) = hand("handover", first.as_str(), "受取 花子", &["t-01", "t-10"]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("ほかの業者が持っています") && page.contains("受取 花子"), "{page}");
    assert!(text(house.get("/terminals/t-10", &admin).await).await.contains("受渡しの記録はありません"));
    hand("return", second, "別の人", &["t-01"]).await;
    assert_eq!(
        hand("handover", first.as_str(), "受取 花子", &["t-01", "t-10"]).await.1.unwrap(),
        "/terminals?done=handed"
    );
    let own = seen().await;
    for words in
        ["受取 花子", asset, "8981100000000000123", "02012345678", "角に傷\nあり", "タブレット本体、充電器"]
    {
        assert!(own.contains(words), "{words} in {own}");
    }
    for never in ["別の人", "/code\"", "/block\"", "<textarea", "action=\"/handover"] {
        assert!(!own.contains(never), "{never} in {own}");
    }
    let list = text(house.get("/terminals", &dispatcher).await).await;
    assert!(list.contains("受取 花子") && !list.contains("type=\"checkbox\""), "{list}");
    assert!(text(house.get("/terminals?q=市-0012", &admin).await).await.contains("t-01"));
    assert!(
        text(house.get("/terminals?q=nothing-like-it", &admin).await)
            .await
            .contains("該当する端末はありません")
    );

    // The sheet, before anything is recorded: both languages, both sides, for a day to come, and with no name yet.
    let fields = [
        ("t", "t-01"),
        ("t", "t-10"),
        ("kind", "return"),
        ("day", "2026-04-09"),
        ("contractor", first.as_str()),
        ("person", ""),
        ("things", "予備の電池"),
    ];
    let before = house.entries().len();
    let (status, _, sheet) = post("/handover/sheet", &fields).await;
    assert_eq!(status, StatusCode::OK, "{sheet}");
    for words in [
        asset,
        "8981100000000000123",
        "t-10",
        "予備の電池",
        "2026年4月9日",
        "Return of terminals",
        "印",
        "広島市",
        "第一収集",
    ] {
        assert!(sheet.contains(words), "{words} in {sheet}");
    }
    assert_eq!(house.entries().len(), before + 1, "who saw them is written down, and nothing else is done");
    for (bad, why) in [
        (
            [("t", "t-01"), ("kind", "x"), ("day", "2026-04-01"), ("contractor", "k1"), ("person", "a")],
            "この項目は指定できません",
        ),
        (
            [("t", "t-01"), ("kind", "return"), ("day", "x"), ("contractor", "k1"), ("person", "a")],
            "今日までの日付",
        ),
        (
            [("t", "t-01"), ("kind", "return"), ("day", "2026-04-02"), ("contractor", "k1"), ("person", "a")],
            "今日までの日付",
        ),
        (
            [("t", "t-01"), ("kind", "return"), ("day", "2026-04-01"), ("contractor", ""), ("person", "a")],
            "収集業者を選んで",
        ),
        (
            [("t", "t-01"), ("kind", "return"), ("day", "2026-04-01"), ("contractor", "k1"), ("person", "")],
            "業者側の氏名",
        ),
    ] {
        let (status, _, page) = post("/handover/record", &bad).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        assert!(page.contains(why), "{why} in {page}");
    }
    assert_eq!(post("/handover/record", &[("t", "t-99")]).await.0, StatusCode::NOT_FOUND);

    let entries = house.entries();
    let told = |what: What| entries.iter().filter(|entry| entry.what == what).collect::<Vec<_>>();
    assert_eq!(
        told(What::TerminalRecorded)[0].about,
        json!({"terminal": "t-01", "changed": ["asset", "iccid", "line", "remarks"]})
    );
    assert_eq!(
        told(What::TerminalReturned)[0].about,
        json!({"terminals": ["t-01"], "contractor": "k2", "day": "2026-04-01"})
    );
    assert_eq!(told(What::TerminalHandedOver).len(), 2);
    let log = serde_json::to_string(&entries).unwrap();
    assert!(
        !log.contains("受取 花子") && !log.contains("角に傷") && !log.contains(asset),
        "names and numbers are the store's"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_made_shown_once_and_revoked_on_their_page() {
    let house = House::peopled().await;
    let admin = house.sign_in("administrator").await;
    let form = house.form(&admin).await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        let response = house.post(path, &admin, &all).await;
        (response.status(), text(response).await)
    };
    let (status, page) = post(
        "/tokens/add",
        &[("name", "uketsuke"), ("scope", "export"), ("scope", "metrics"), ("contractor", "k1")],
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let token = between(&page, "class=\"drawn long\"><code>", "<").to_owned();
    let listed = async || text(house.get("/tokens", &admin).await).await;
    let shown = listed().await;
    assert!(
        shown.contains("uketsuke") && shown.contains("使われたことがない") && !shown.contains(&token),
        "{shown}"
    );
    assert!(shown.contains("第一収集"), "{shown}");
    for (fields, why) in [
        (&[("name", "uketsuke"), ("scope", "export")][..], "その名前のトークンがあります"),
        (&[("name", "x y"), ("scope", "export")][..], "名前は40文字まで"),
        (&[("name", "x")][..], "開けるものを一つ以上"),
        (&[("name", "x"), ("scope", "everything")][..], "指定できません"),
        (&[("name", "x"), ("scope", "export"), ("contractor", "nobody")][..], "名前は40文字まで"),
    ] {
        let (status, page) = post("/tokens/add", fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        assert!(page.contains(why), "{why} in {page}");
    }
    let bearer = async |path: &str| {
        let request = HttpRequest::get(path)
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        house.ask(request.body(Body::empty()).unwrap()).await
    };
    let export = text(bearer("/api/export?day=2026-04-01").await).await;
    assert!(export.contains("4417") && !export.contains("4419"), "{export}");
    eventually(async || listed().await.contains("最後に使用")).await;
    let (status, page) = post("/tokens/revoke", &[("name", "uketsuke")]).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("失効させました") && page.contains("失効 "), "{page}");
    assert_eq!(bearer("/api/export?day=2026-04-01").await.status(), StatusCode::UNAUTHORIZED);
    let (status, page) = post("/tokens/revoke", &[("name", "uketsuke")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{page}");
    let entries = house.entries();
    let count = |what: What| entries.iter().filter(|entry| entry.what == what).count();
    assert_eq!((count(What::TokenAdded), count(What::TokenRevoked)), (1, 1));
    assert!(!serde_json::to_string(&entries).unwrap().contains(&token));
    house.close().await;
}

/// A lost terminal is told of as lost until it says that it is erased; found before, it comes in as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_terminals_are_reported_on_their_page() {
    let house = House::peopled().await;
    let admin = house.sign_in("administrator").await;
    let form = house.form(&admin).await;
    let post = async |path: &str| house.post(path, &admin, &[("form", form.as_str())]).await;
    let page = async |path: &str| text(house.get(path, &admin).await).await;
    let marks = async || {
        let select = "SELECT lost_at IS NOT NULL, blocked_at IS NOT NULL, erased_at IS NOT NULL FROM terminal WHERE id = 't-01'";
        let read = house.writer.run_job(move |tx, _| {
            tx.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        });
        let marks: (bool, bool, bool) = read.await.unwrap().unwrap();
        marks
    };

    // What happens is said first; asking does nothing.
    let shown = page("/terminals/t-01").await;
    assert!(shown.contains("href=\"/terminals/t-01/lost\""), "{shown}");
    assert!(shown.contains("href=\"/terminals/t-01/exposure\"") && shown.contains("/t-01/block"), "{shown}");
    let asked = page("/terminals/t-01/lost").await;
    for words in ["自分で消し", "SIMは、消去が終わるまで止めないで", "端末に残ります", "何も受け取れず"]
    {
        assert!(asked.contains(words), "{words} in {asked}");
    }
    assert_eq!(marks().await, (false, false, false));
    post("/terminals/t-01/code").await;
    assert_eq!(location(&post("/terminals/t-01/lost").await), "/terminals/t-01?done=lost");
    assert_eq!(marks().await, (true, false, false));
    let shown = page("/terminals/t-01?done=lost").await;
    for words in
        ["紛失・未消去", "12:00に届出、まだ消去されていません", "見つかった", "消去が届かなくなります"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    // Blocked now it could not be erased any more.
    assert!(!shown.contains("/t-01/block") && !shown.contains("登録コードが出ています"), "{shown}");
    assert!(page("/terminals").await.contains("12:00に届出、まだ消去されていません"));
    for path in ["/terminals/t-01/lost", "/terminals/t-10/unblock"] {
        assert_eq!(house.get(path, &admin).await.status(), StatusCode::SEE_OTHER, "{path}");
    }

    // Found again before it was erased.
    let asked = page("/terminals/t-01/unblock").await;
    assert!(asked.contains("見つかりましたか") && asked.contains("消去はされず"), "{asked}");
    assert_eq!(location(&post("/terminals/t-01/unblock").await), "/terminals/t-01?done=found");
    assert_eq!(marks().await, (false, false, false));
    assert!(!page("/terminals/t-01").await.contains("紛失・未消去"));

    // Blocked by hand it is let in for its erasure.
    post("/terminals/t-01/block").await;
    assert_eq!(location(&post("/terminals/t-01/lost").await), "/terminals/t-01?done=lost");
    assert_eq!(marks().await, (true, false, false));
    let erase = "UPDATE terminal SET erased_at = ?1, blocked_at = ?1 WHERE id = 't-01'";
    let at = (noon() + SignedDuration::from_mins(7)).as_millisecond();
    house.writer.run_job(move |tx, _| tx.execute(erase, [at])).await.unwrap().unwrap();
    for path in ["/terminals/t-01", "/terminals"] {
        let shown = page(path).await;
        assert!(
            shown.contains("紛失・消去済み") && shown.contains("12:07に消去済み（届出 12:00）"),
            "{shown}"
        );
    }
    // It comes in again by enrolling anew, and by nothing else.
    let shown = page("/terminals/t-01").await;
    assert!(shown.contains("新しい登録コード") && !shown.contains("/t-01/unblock"), "{shown}");
    for path in ["/terminals/t-01/lost", "/terminals/t-01/unblock", "/terminals/t-01/block"] {
        assert_eq!(location(&house.get(path, &admin).await), "/terminals/t-01", "{path}");
        assert_eq!(location(&post(path).await), "/terminals/t-01", "{path}");
    }
    assert_eq!(marks().await, (true, true, true));

    let entries = house.entries();
    let count = |what| entries.iter().filter(|entry| entry.what == what).count();
    let all = [What::TerminalLost, What::TerminalUnblocked, What::TerminalBlocked].map(count);
    assert_eq!(all, [2, 1, 1]);
    house.close().await;
}

/// Whose data a terminal held: written down before anything is read, in pages for people and in one file for the report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_looked_up_whose_data_a_terminal_held() {
    let house = House::peopled().await;
    let admin = house.sign_in("administrator").await;
    let page = async |path: &str| text(house.get(path, &admin).await).await;
    // Its own pickup of today and 249 more, one of them erased here by now; and one of a month ago, which it had deleted.
    let (own, past) = (house.own.0, house.past.0);
    let make = move |tx: &mut rusqlite::Transaction<'_>, _: &mut _| {
        let (own, past) = (own.as_bytes().as_slice(), past.as_bytes().as_slice());
        let many = "WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 249)
            INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop, reception, items, payment)
            SELECT randomblob(16), source, 'more-' || n, date, district, ward, contract, vehicle, stop + n,
                printf('9%03d', n), items, payment FROM pickup, n WHERE uid = ?1";
        tx.execute(many, [own])?;
        tx.execute(
            "INSERT INTO resident (pickup, rev, town, lot, building, spot)
                SELECT id, 1, '白島町', '=1+1', '', '=cmd' FROM pickup WHERE reception BETWEEN '9001' AND '9248'",
            [],
        )?;
        let (at, before) =
            (noon().as_millisecond(), (noon() - SignedDuration::from_hours(24 * 31)).as_millisecond());
        let issued = "INSERT INTO issued SELECT id, 't-01', ?2, ?2 FROM pickup WHERE uid = ?1 OR reception LIKE '9___'";
        tx.execute(issued, rusqlite::params![own, at])?;
        tx.execute(
            "INSERT INTO issued SELECT id, 't-01', ?2, ?2 FROM pickup WHERE uid = ?1",
            rusqlite::params![past, before],
        )?;
        tx.execute("UPDATE terminal SET lost_at = ?1 WHERE id = 't-01'", [at - 86_400_000])
    };
    house.writer.run_job(make).await.unwrap().unwrap();
    let exposures = |house: &House| {
        let entries = house.entries().into_iter();
        entries.filter(|entry| entry.what == What::ReadExposure).map(|entry| entry.about).collect::<Vec<_>>()
    };

    // From the day on which it was lost until today; nothing is read before it is asked for.
    let asked = page("/terminals/t-01/exposure").await;
    assert!(
        asked.contains("name=\"from\" value=\"2026-03-31\"")
            && asked.contains("name=\"to\" value=\"2026-04-01\""),
        "{asked}"
    );
    assert!(!asked.contains("大手町") && exposures(&house).is_empty(), "{asked}");
    let first = page("/terminals/t-01/exposure?from=2026-03-31&to=2026-04-01&kept=7").await;
    for words in ["：250件", "4417", "大手町四丁目3番12号", "建物西側", "白島町=1+1", "12:00"]
    {
        assert!(first.contains(words), "{words} in {first}");
    }
    assert!(!first.contains("4418") && !first.contains("4419"), "{first}");
    let rows = |page: &str| page.matches("<th scope=\"row\"").count();
    let last = page("/terminals/t-01/exposure?from=2026-03-31&to=2026-04-01&kept=7&page=3").await;
    assert_eq!((rows(&first), rows(&last)), (100, 50));
    assert!(last.contains("9249") && last.contains("（住所などは消去済み）"), "{last}");
    // A month kept, it had that of March, too.
    let long = page("/terminals/t-01/exposure?from=2026-03-31&to=2026-04-01&kept=60").await;
    assert!(long.contains("：251件") && long.contains("4418"), "{long}");
    let before = page("/terminals/t-01/exposure?from=2026-03-30&to=2026-03-31").await;
    assert!(before.contains("：0件") && before.contains("申込みはありません"), "{before}");

    let link = between(&first, "href=\"/terminals/t-01/exposure.csv", "\"").replace("&amp;", "&");
    let response = house.get(&format!("/terminals/t-01/exposure.csv{link}"), &admin).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let name = "attachment; filename=\"exposure-t-01-2026-03-31-2026-04-01.csv\"";
    assert_eq!(headers[header::CONTENT_DISPOSITION], name);
    let csv = text(response).await;
    assert_eq!(csv.lines().count(), 251);
    assert!(csv.starts_with("\u{feff}収集日,") && csv.contains("大手町四丁目3番12号"), "{csv}");
    assert!(csv.contains(",'=cmd,") && !csv.contains(",=cmd"), "no cell is a formula: {csv}");
    let days = |from: &str, to: &str| json!({"terminal": "t-01", "from": from, "to": to});
    let april = days("2026-03-31", "2026-04-01");
    let all = [april.clone(), april.clone(), april.clone(), days("2026-03-30", "2026-03-31"), april];
    assert_eq!(exposures(&house), all);

    for bad in [
        "from=2026-04-02&to=2026-04-01",
        "from=x",
        "from=2026-04-01&kept=61",
        "from=2026-04-01&kept=-1",
        "x=1",
    ] {
        let status = house.get(&format!("/terminals/t-01/exposure?{bad}"), &admin).await.status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(exposures(&house).len(), 5);
    // Where it can't be written down, nothing is shown; reading alone would still do.
    house.writer.stop().await;
    assert!(page("/terminals/t-01").await.contains("紛失・未消去"));
    for path in ["/terminals/t-01/exposure?from=2026-03-31", "/terminals/t-01/exposure.csv?from=2026-03-31"] {
        let response = house.get(path, &admin).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(!text(response).await.contains("大手町"), "{path}");
    }
    house.close().await;
}

/// A PIN is drawn by the office and shown once; the store keeps what it opens, the audit log who it was drawn for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crews_are_kept_on_their_page_and_pins_shown_once() {
    let house = House::peopled().await;
    let (admin, dispatcher) = (house.sign_in("administrator").await, house.sign_in("dispatcher").await);
    let (form, dispatchers_form) = (house.form(&admin).await, house.form(&dispatcher).await);
    let contractors = house.contractors();
    let (own, foreign) = (contractors[0].as_str(), contractors[1].as_str());
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("form", form.as_str())];
        all.extend(fields);
        house.post(path, &admin, &all).await
    };
    let page = async |path: &str, cookie: &str| text(house.get(path, cookie).await).await;
    let opens = async |id: &'static str, pin: &str| {
        let select = "SELECT lock FROM crew WHERE id = ?1";
        let lock: String = house
            .writer
            .run_job(move |tx, _| tx.query_row(select, [id], |row| row.get(0)))
            .await
            .unwrap()
            .unwrap();
        serde_json::from_str::<PinLock>(&lock).unwrap().open(pin).is_some()
    };
    let pin_of = async |response: Response| {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let slip = text(response).await;
        assert!(slip.contains("もう一度は表示しません") && slip.contains("data-print"), "{slip}");
        let pin = between(&slip, "class=\"drawn\"><code>", "<").to_owned();
        assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{pin}");
        pin
    };

    let fields = [("id", "m-012"), ("name", "乗務員 甲"), ("contractor", own)];
    let first = pin_of(post("/crews/add", &fields).await).await;
    assert!(opens("m-012", &first).await);
    // The dispatcher's own contractor goes without saying.
    let fields = [("form", &*dispatchers_form), ("id", "m-013"), ("name", "乗務員 乙")];
    let theirs = pin_of(house.post("/crews/add", &dispatcher, &fields).await).await;
    let fields = [("id", "m-700"), ("name", "乗務員 丙"), ("contractor", foreign)];
    let far = pin_of(post("/crews/add", &fields).await).await;
    let listed = page("/crews", &admin).await;
    let seen = page("/crews", &dispatcher).await;
    for (id, dispatchers) in [("m-012", true), ("m-013", true), ("m-700", false)] {
        let row = format!("/crews/{id}/remove");
        assert!(listed.contains(&row) && seen.contains(&row) == dispatchers, "{id}: {seen}");
    }
    for pin in [&first, &theirs, &far] {
        assert!(!listed.contains(pin.as_str()), "{pin} in {listed}");
    }
    let found = page("/crews?q=%E7%94%B2", &admin).await;
    assert!(found.contains("/crews/m-012/remove") && !found.contains("m-700"), "{found}");

    for (id, name, contractor, why) in [
        ("m-012", "乗務員 丁", foreign, "以前に使われていました"),
        ("M 12", "乗務員 丁", own, "番号は40文字まで"),
        ("m-014", " ", own, "文字までの1行です"),
        ("m-014", "乗務員 丁", "", "収集業者を選んで"),
        ("m-014", "乗務員 丁", "nobody-here", "収集業者を選んで"),
    ] {
        let response = post("/crews/add", &[("id", id), ("name", name), ("contractor", contractor)]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{id} {name} {contractor}");
        let page = text(response).await;
        assert!(page.contains(why) && page.contains(&format!("value=\"{id}\"")), "{why}: {page}");
    }

    let second = pin_of(post("/crews/m-012/pin", &[]).await).await;
    assert!(opens("m-012", &second).await && (first == second || !opens("m-012", &first).await));
    // Many at once wait for each other, and all get theirs.
    for response in futures(4, |_| post("/crews/m-700/pin", &[])).await {
        pin_of(response).await;
    }

    // Removing is asked for first; whoever is the last of a contractor is told of.
    let asked = page("/crews/m-012/remove", &admin).await;
    assert!(
        asked.contains("乗務員 甲（m-012）を削除しますか") && !asked.contains("サインインなしで"),
        "{asked}"
    );
    assert!(page("/crews/m-700/remove", &admin).await.contains("サインインなしで"));
    assert!(page("/crews", &admin).await.contains("/crews/m-012/remove"), "asking does nothing");
    assert_eq!(location(&post("/crews/m-012/remove", &[]).await), "/crews?done=removed");
    let listed = page("/crews?done=removed", &admin).await;
    assert!(listed.contains("乗務員を削除しました") && !listed.contains("/crews/m-012/"), "{listed}");
    let kept = house.writer.run_job(|tx, _| {
        tx.query_row("SELECT name || lock FROM crew WHERE id = 'm-012'", [], |row| row.get::<_, String>(0))
    });
    assert_eq!(kept.await.unwrap().unwrap(), "", "of who has left the number alone stays");
    for gone in ["/crews/m-012/pin", "/crews/m-012/remove", "/crews/m-99/pin", "/crews/../pin"] {
        assert_eq!(post(gone, &[]).await.status(), StatusCode::NOT_FOUND, "{gone}");
    }
    for path in ["/crews/add", "/crews/m-700/pin"] {
        assert_eq!(house.get(path, &admin).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }

    let entries = house.entries();
    let of = |what| entries.iter().filter(|entry| entry.what == what).collect::<Vec<_>>();
    assert_eq!((of(What::CrewAdded).len(), of(What::CrewPin).len(), of(What::CrewRemoved).len()), (3, 5, 1));
    assert_eq!(of(What::CrewRemoved)[0].about["crew"], "m-012");
    assert!(of(What::ReadCrews).len() >= 6);
    let log: String = entries.iter().map(|entry| entry.about.to_string()).collect();
    for secret in ["乗務員", &format!("\"{first}\""), &format!("\"{second}\""), &format!("\"{theirs}\"")] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    house.close().await;
}

/// A contractor whose contracts are over: its own days until then stay to be looked at, by page, stream and export alike;
/// nothing later, nothing of others, and nothing to change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contractor_that_has_left_keeps_its_own_past_to_look_at() {
    let house = House::peopled().await;
    let dispatcher = house.sign_in("dispatcher").await;
    let contractor = house.contractor();
    let text_of = tokens::text(rand_bytes("left"));
    let new = tokens::New {
        name: "left".to_owned(),
        scopes: vec![tokens::Opens::Export],
        contractor: Some(contractor.clone()),
        sha256: Digest::of(text_of.as_bytes()),
    };
    house.writer.run_job(move |tx, _| tokens::add(tx, Timestamp::now(), &new)).await.unwrap().unwrap();
    let read = async |path: &str| {
        let response = house.get(path, &dispatcher).await;
        let status = response.status();
        let stream = path.starts_with("/events") && status == StatusCode::OK;
        (status, if stream { first_event(response).await } else { text(response).await })
    };
    let export = async |day: &str| {
        let request = HttpRequest::get(format!("/api/export?day={day}"))
            .header(header::HOST, HOST)
            .header(header::AUTHORIZATION, format!("Bearer {text_of}"));
        text(house.ask(request.body(Body::empty()).unwrap()).await).await
    };
    let [own, past, foreign] = [house.own, house.past, house.foreign].map(|uid| uid.to_string());
    // While a contract is in force there is a day to work on.
    let (_, today) = read("/").await;
    assert!(today.contains("4417") && !today.contains("で終わりました"), "{today}");
    assert!(today.contains("href=\"/crews\""), "{today}");
    assert!(export("2026-04-01").await.contains("4417"));
    // Set aside in the last second of the last day, and in the first after it; as many notices.
    let midnight = day_start(TODAY) - SignedDuration::from_hours(8);
    let came = move |tx: &mut rusqlite::Transaction<'_>, _: &mut _| {
        let mut ids = Vec::new();
        for (at, raw, entry) in [
            (midnight - SignedDuration::from_secs(1), "raw of the eve", 771),
            (midnight, "raw of the morrow", 772),
        ] {
            let insert = "INSERT INTO notice (at, kind, terminal, detail, contract)
                SELECT ?1, 'hole', 't-01', ?2, contract FROM terminal WHERE id = 't-01'";
            let detail = json!({ "log": "fact", "first": entry, "last": entry }).to_string();
            tx.execute(insert, rusqlite::params![at.as_millisecond(), detail])?;
            let insert = "INSERT INTO aside (at, topic, terminal, problem, raw, bytes, contract)
                SELECT ?1, 'meguri/1/x', 't-01', 'unknown topic', ?2, 1, contract FROM terminal WHERE id = 't-01'";
            tx.execute(insert, rusqlite::params![at.as_millisecond(), raw.as_bytes()])?;
            ids.push(tx.last_insert_rowid());
        }
        Ok::<_, rusqlite::Error>(ids)
    };
    let ids = house.writer.run_job(came).await.unwrap().unwrap();
    let [eve, morrow] = [0, 1].map(|which| format!("/aside/{}", ids[which]));
    let (_, aside) = read("/aside").await;
    assert!(["t-01", "the eve", "the morrow"].iter().all(|one| aside.contains(&format!("raw of {one}"))));
    assert!(read(&morrow).await.1.contains("raw of the morrow"));
    assert!(read("/terminals").await.1.contains("href=\"/terminals/t-01\""));
    assert_eq!(read("/terminals/t-01").await.0, StatusCode::OK);
    let (_, today) = read("/").await;
    assert!(["771〜771", "772〜772", "<small> / 1</small>"].iter().all(|one| today.contains(one)), "{today}");

    // Yesterday was the last day of all of them. What was planned beyond it is somebody else's from now on.
    let id = contractor.to_string();
    let end = move |tx: &mut rusqlite::Transaction<'_>, _: &mut _| {
        tx.execute(
            "UPDATE contract SET first_day = '2025-04-01', last_day = '2026-03-31' WHERE contractor = ?1",
            [id],
        )
    };
    house.writer.run_job(end).await.unwrap().unwrap();

    let mark = |uid: &str| format!("/pickup/{uid}");
    for (path, words) in [
        ("/?day=2026-03-02", "予定 1件の".to_owned()),
        ("/?day=2026-03-02&by=vehicle", "1号車".to_owned()),
        ("/search?q=4418", mark(&past)),
        ("/search?q=4418&day=2026-03-02", mark(&past)),
    ] {
        let (status, body) = read(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.contains(&words), "{path}: {body}");
    }
    for path in [format!("/pickup/{past}"), format!("/events?pickup={past}")] {
        let (status, body) = read(&path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(body.contains("大手町四丁目"), "{path}: {body}");
    }
    assert!(read(&format!("/pickup/{past}")).await.1.contains("3月31日(火)で終わりました"));
    assert!(read("/events?day=2026-03-02").await.1.contains("予定 1件"));
    assert!(export("2026-03-02").await.contains("4418"));
    // From the empty day of today the way leads back to the last own one.
    let (_, today) = read("/").await;
    assert!(
        today.contains("3月31日(火)で終わりました") && today.contains("前の収集日 3月2日(月)"),
        "{today}"
    );

    for path in [format!("/pickup/{own}"), format!("/pickup/{foreign}"), format!("/events?pickup={own}")] {
        assert_eq!(read(&path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/", "/attention", "/events", "/search?q=4417", "/search?q=4417&day=2026-04-01"] {
        let (status, body) = read(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        for uid in [&own, &foreign] {
            assert!(!body.contains(&mark(uid)), "{path} shows what is not theirs any more: {body}");
        }
        assert!(!body.contains("大手町"), "{path}: {body}");
    }
    let today = export("2026-04-01").await;
    assert!(!today.contains("4417") && !today.contains("4419"), "{today}");
    // Of what came of its terminals it sees what came under the contract, and of the terminals nothing more, although these are
    // bound to it until the city binds them anew.
    for path in ["/aside", "/events?aside=1"] {
        let (_, aside) = read(path).await;
        assert!(aside.contains("raw of the eve"), "{path}: {aside}");
        assert!(!aside.contains("raw of t-01") && !aside.contains("raw of the morrow"), "{path}: {aside}");
    }
    assert!(read("/aside").await.1.contains("未処理 1件"));
    assert_eq!(read(&eve).await.0, StatusCode::OK);
    assert_eq!(read(&morrow).await.0, StatusCode::NOT_FOUND);
    let (_, today) = read("/").await;
    assert!(today.contains("771〜771") && !today.contains("772〜772"), "{today}");
    assert!(today.contains("<small> / 0</small>") && !today.contains("<small> / 1</small>"), "{today}");
    assert!(!read("/terminals").await.1.contains("/terminals/t-01"));
    assert_eq!(read("/terminals/t-01").await.0, StatusCode::NOT_FOUND);
    // Who has left has no crews any more, neither to see nor to change.
    house.member("m-01", contractor.as_str()).await;
    let form = house.form(&dispatcher).await;
    for path in ["/crews", "/crews/m-01/remove"] {
        assert_eq!(read(path).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/crews/add", "/crews/m-01/pin", "/crews/m-01/remove"] {
        let fields = [("form", &*form), ("id", "m-02"), ("name", "乗務員 丙")];
        assert_eq!(house.post(path, &dispatcher, &fields).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert!(!read("/").await.1.contains("href=\"/crews\""));
    // The city sees all of it as before.
    let viewer = house.sign_in("viewer").await;
    let city = text(house.get("/", &viewer).await).await;
    assert!(city.contains(&mark(&own)) && !city.contains("で終わりました"), "{city}");
    house.close().await;
}

/// A switchover is led through its steps on its pages, by two people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switchovers_are_led_on_their_pages() {
    let house = House::peopled().await;
    let drafter = house.sign_in("administrator").await;
    house.person(Role::Administrator, "second").await;
    let second = house.sign_in("second").await;
    let (form, second_form) = (house.form(&drafter).await, house.form(&second).await);
    let page = async |path: &str, cookie: &str| {
        let response = house.get(path, cookie).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        text(response).await
    };
    let done = |response: &Response, id: i64, word: &str| {
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{word}");
        assert_eq!(location(response), format!("/switchovers/{id}?done={word}"));
    };

    // A release that nothing is made of waits to be drafted.
    let list = page("/switchovers", &drafter).await;
    assert!(list.contains("設定 3") && list.contains("5月の業者切替"), "{list}");
    assert!(!list.contains("設定 1"), "made of already: {list}");
    let response =
        house.post("/switchovers/draft", &drafter, &[("form", &form), ("version", "20260303")]).await;
    done(&response, 3, "drafted");
    let again = house.post("/switchovers/draft", &drafter, &[("form", &form), ("version", "20260303")]).await;
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(again).await.contains("もう起案されています（番号 3）"));

    // Not approved before it was checked, and not by who drafted it.
    let fields = [("form", &*form)];
    let response = house.post("/switchovers/3/approve", &second, &[("form", &*second_form)]).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(response).await.contains("いまの状態ではできません"));
    let found = page("/switchovers/3", &drafter).await;
    assert!(found.contains("妨げも、知っておくこともありません"), "{found}");
    done(&house.post("/switchovers/3/check", &drafter, &fields).await, 3, "checked");
    let own = page("/switchovers/3", &drafter).await;
    assert!(own.contains("承認はほかの管理者がします") && !own.contains("/switchovers/3/approve"), "{own}");
    let response = house.post("/switchovers/3/approve", &drafter, &fields).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(response).await.contains("起案した人は承認できません"));
    let others = page("/switchovers/3", &second).await;
    assert!(others.contains("/switchovers/3/approve"), "{others}");
    let asked = page("/switchovers/3/approve", &second).await;
    assert!(asked.contains("を承認しますか") && asked.contains("端末に何も届きません"), "{asked}");
    let response = house.post("/switchovers/3/approve", &second, &[("form", &*second_form)]).await;
    done(&response, 3, "approved");

    // Pushed in groups, stopped, gone on with.
    let asked = page("/switchovers/3/push", &drafter).await;
    assert!(asked.contains("value=\"5,25,100\""), "{asked}");
    let groups = |groups: &'static str| {
        [
            ("form", form.clone()),
            ("groups", groups.into()),
            ("ready", "90".into()),
            ("patience", "24".into()),
            ("refused", "5".into()),
        ]
    };
    for wrong in ["100,50", "x", "5,25", "0,100"] {
        let fields = groups(wrong);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = house.post("/switchovers/3/push", &drafter, &fields).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(text(response).await.contains("5,25,100 のように"), "{wrong}");
    }
    let fields = groups("50、100");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    done(&house.post("/switchovers/3/push", &drafter, &fields).await, 3, "pushed");
    let fields = [("form", &*form)];
    done(&house.post("/switchovers/3/stop", &drafter, &fields).await, 3, "stopped");
    let stopped = page("/switchovers/3", &drafter).await;
    assert!(stopped.contains("に配信が止められました") && stopped.contains("配信を続ける"), "{stopped}");
    done(&house.post("/switchovers/3/push", &drafter, &fields).await, 3, "went_on");

    // What terminals hold is not simply withdrawn; a correction that is pushed can be closed.
    let response = house.post("/switchovers/3/withdraw", &drafter, &fields).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(response).await.contains("これを含まない新しい版"));
    assert!(page("/switchovers/3/withdraw", &drafter).await.contains("name=\"release\""));
    assert!(page("/switchovers/3/close", &drafter).await.contains("を完了にしますか"));
    done(&house.post("/switchovers/3/close", &drafter, &fields).await, 3, "closed");
    let closed = page("/switchovers/3", &drafter).await;
    assert!(!closed.contains("次にすること"), "{closed}");
    for step in ["起案", "点検", "承認", "配信を開始", "配信を停止", "配信を再開", "完了"]
    {
        assert!(closed.contains(step), "{step}: {closed}");
    }
    // A draft is.
    done(&house.post("/switchovers/2/withdraw", &drafter, &fields).await, 2, "withdrawn");

    // Who did what stands in the audit log, and on the page for the city alone.
    let dispatcher = house.sign_in("dispatcher").await;
    let readiness = page("/switchovers/1/readiness", &drafter).await;
    for words in ["準備済み（切替待ち）", "配信済み（応答なし）", "t-01", "t-10"] {
        assert!(readiness.contains(words), "{words}: {readiness}");
    }
    let only = page("/switchovers/1/readiness?state=staged", &drafter).await;
    assert!(only.contains("/terminals/t-01") && !only.contains("/terminals/t-10"), "{only}");
    let seen = page("/switchovers/1", &dispatcher).await;
    assert!(!seen.contains("次にすること") && !seen.contains("点検の結果"), "{seen}");
    let csv = house.get("/switchovers/1/readiness.csv", &dispatcher).await;
    assert!(csv.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().contains("readiness-1-"));
    let csv = text(csv).await;
    assert!(csv.contains("t-01,準備済み（切替待ち）") && !csv.contains("t-10"), "{csv}");
    let terminal = page("/terminals/t-01", &drafter).await;
    assert!(terminal.contains("版 20260301") && terminal.contains("5月1日"), "{terminal}");
    let whats: BTreeSet<String> = house.entries().iter().map(|entry| format!("{:?}", entry.what)).collect();
    for what in [
        "SwitchoverDrafted",
        "SwitchoverChecked",
        "SwitchoverApproved",
        "SwitchoverPushed",
        "SwitchoverStopped",
        "SwitchoverWithdrawn",
        "SwitchoverClosed",
        "ReadSwitchover",
    ] {
        assert!(whats.contains(what), "{what}: {whats:?}");
    }
    house.close().await;
}
