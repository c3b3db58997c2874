//! Each thing broken on purpose, and what is found then.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use meguri_proto::Incarnation;
use uuid::Uuid;

use super::*;
use crate::backup::{self, Source, dated};
use crate::config::External;
use crate::store::Store;

const PLAN: &str = include_str!("../../tests/city.toml");

/// A good installation without a running gateway, in which nothing but that is to be told.
struct Good {
    dir: tempfile::TempDir,
    settings: Settings,
}

impl Good {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings { data: dir.path().join("data"), ..Settings::default() };
        settings.web.listen.set_port(0);
        settings.mqtt.listen.set_port(0);
        settings.backup.folder = Some(dir.path().join("backups"));
        fs::create_dir(&settings.data).unwrap();
        fs::write(settings.city_file(), PLAN).unwrap();
        let good = Self { dir, settings };
        good.open().close().unwrap();
        good.back_up(Timestamp::now());
        good
    }

    fn open(&self) -> Store {
        let city = meguri_config::City::parse(Path::new("city.toml"), PLAN).unwrap();
        let drawn = Incarnation(Uuid::from_u128(1));
        let store = Store::open(&self.settings.data, &city.id, Timestamp::UNIX_EPOCH, drawn).unwrap();
        crate::plan::take_over(&store.conn, Timestamp::UNIX_EPOCH, &city).unwrap();
        store
    }

    fn back_up(&self, at: Timestamp) {
        let source =
            Source { data: self.settings.data.clone(), city: self.settings.city_file(), settings: None };
        let folder = self.settings.backup.folder.as_ref().unwrap();
        backup::make(&source, &folder.join(dated("hiroshima", at)), at, &mut |_| {}).unwrap();
    }

    fn sql(&self, statement: &str) {
        let store = self.open();
        store.conn.execute_batch(statement).unwrap();
        store.close().unwrap();
    }

    fn findings(&self) -> Vec<Finding> {
        Scope::new(Ok(self.settings.clone()), None, true, Timestamp::now()).findings()
    }

    /// What is not as it should be, of one check.
    fn wrong(&self, check: &str) -> Vec<Finding> {
        let found = self.findings();
        found
            .into_iter()
            .filter(|finding| finding.check == check && finding.severity != Severity::Ok)
            .collect()
    }

    /// The one finding of a check, which must say in both languages what to do.
    fn one(&self, check: &str, severity: Severity, words: &str) {
        let found = self.wrong(check);
        let [finding] = found.as_slice() else { panic!("{check}: {found:?}") };
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(finding.en.contains(words), "{words}: {finding:?}");
        assert!(!finding.ja.is_empty() && !finding.todo_ja.is_empty() && !finding.todo_en.is_empty());
    }
}

#[test]
fn an_audit_log_that_was_changed() {
    use crate::audit::{Event, Log, What, Who};
    let good = Good::new();
    let now = Timestamp::now();
    let event = |n: u64| Event::new(Who::Gateway, What::Started, serde_json::json!({ "n": n }));
    let mut log = Log::open(&good.settings.data, now).unwrap();
    log.append(&[(now, &event(1)), (now, &event(2)), (now, &event(3))]).unwrap();
    drop(log);
    let of_audit =
        |good: &Good| good.findings().into_iter().find(|finding| finding.check == "audit").unwrap();
    assert_eq!(of_audit(&good).severity, Severity::Ok);
    let folder = good.settings.data.join(crate::audit::FOLDER);
    let file = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.lines().filter(|line| !line.contains("\"n\":2")).map(|l| format!("{l}\n")).collect::<String>(),
    )
    .unwrap();
    assert_eq!(of_audit(&good).severity, Severity::Error);
}

#[test]
fn an_audit_log_that_is_gone() {
    let good = Good::new();
    let of_audit =
        |good: &Good| good.findings().into_iter().find(|finding| finding.check == "audit").unwrap();
    assert_eq!(of_audit(&good).severity, Severity::Ok, "nobody has an account yet");
    let store = good.open();
    let new = crate::people::accounts::New {
        login: "kanri".to_owned(),
        name: String::new(),
        role: crate::people::Role::Administrator,
        contractor: None,
        password: crate::people::password::hash("kumo to yama to kawa", [1; 16]).unwrap(),
        must_change: false,
    };
    crate::people::accounts::add(&store.conn, Timestamp::now(), &new).unwrap();
    store.close().unwrap();
    assert_eq!(of_audit(&good).severity, Severity::Error);
    fs::create_dir(good.settings.data.join(crate::audit::FOLDER)).unwrap();
    assert_eq!(of_audit(&good).severity, Severity::Error, "an empty folder is no log either");
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let good = Good::new();
    let wrong: Vec<_> =
        good.findings().into_iter().filter(|finding| finding.severity != Severity::Ok).collect();
    // Whether this machine's clock is kept right, and how much room it has, is its own business.
    let wrong: Vec<_> = wrong.iter().filter(|f| f.check != "clock" && f.check != "space").collect();
    assert_eq!(wrong.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["gateway"], "{wrong:?}");
    assert!(wrong[0].todo_en.contains("serve"));
}

#[test]
fn settings_that_can_not_be_read_stop_no_other_check() {
    let good = Good::new();
    let told = "gateway.toml: line 2".to_owned();
    let found = Scope::new(Err(told), Some(&good.settings.data), false, Timestamp::now()).findings();
    let of = |check: &str| found.iter().find(|finding| finding.check == check);
    assert_eq!(of("settings").unwrap().severity, Severity::Error);
    assert_eq!(of("store").unwrap().severity, Severity::Ok);
    assert!(of("plan").is_none(), "where it is, only the settings say");
    let nowhere = good.dir.path().join("nowhere");
    let found = Scope::new(Err(String::new()), Some(&nowhere), false, Timestamp::now()).findings();
    assert!(found.iter().any(|finding| finding.check == "folder" && finding.severity == Severity::Error));
    assert!(!nowhere.exists(), "looking makes nothing");
}

#[test]
fn rights_of_the_folder() {
    let good = Good::new();
    let file = good.settings.data.join(STORE_FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    good.one("folder", Severity::Error, "open to other users (644)");
}

#[test]
fn the_store() {
    let good = Good::new();
    let file = good.settings.data.join(STORE_FILE);
    let whole = fs::read(&file).unwrap();
    let put = |bytes: &[u8]| fs::write(&file, bytes).unwrap();

    put(&whole[..whole.len() / 2]);
    good.one("store", Severity::Error, "damaged");
    put(&[b'x'; 8192]);
    good.one("store", Severity::Error, "damaged");
    let page = 4096 * (root_page(&whole, good.dir.path()) - 1);
    let mut bytes = whole.clone();
    bytes[page..page + 4096].fill(0x5a);
    put(&bytes);
    good.one("store", Severity::Error, "damaged");
    fs::remove_file(&file).unwrap();
    good.one("store", Severity::Error, "is gone");
    put(&whole);

    let log = good.settings.data.join("meguri.db-wal");
    fs::write(&log, [0x5a; 8192]).unwrap();
    good.one("store", Severity::Error, "no write-ahead log");
    assert_eq!(fs::read(&log).unwrap(), [0x5a; 8192], "looking changes nothing");
    fs::remove_file(&log).unwrap();
    assert!(good.wrong("store").is_empty());

    good.sql("PRAGMA user_version = 99");
    good.one("store", Severity::Error, "schema 99");
    put(&whole);
    fs::create_dir(good.settings.data.join("restore-ready")).unwrap();
    good.one("store", Severity::Warning, "restore was cut");
}

/// The root page of a table that nothing needs for opening the store.
fn root_page(whole: &[u8], dir: &Path) -> usize {
    let copy = dir.join("copy.db");
    fs::write(&copy, whole).unwrap();
    let conn = Connection::open(&copy).unwrap();
    conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'note'", [], |row| row.get::<_, u32>(0))
        .unwrap() as usize
}

#[test]
fn the_plan() {
    let good = Good::new();
    let put = |plan: &str| fs::write(good.settings.city_file(), plan).unwrap();
    put("id = 3");
    good.one("plan", Severity::Error, "can't be read");
    put(&PLAN.replace("id = \"hiroshima\"", "id = \"kure\""));
    good.one("plan", Severity::Error, "the store is of hiroshima, the plan of kure");
    put(PLAN);
    good.sql(
        "INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at, last_heard_at)
        VALUES ('t-1', 'c-2', 'v2', x'00', 0, 9e15)",
    );
    let without = PLAN
        .replace("[[vehicle]]\nid = \"v2\"\ncontract = \"c-2\"\nname = \"2号車\"\nround = \"中区B\"\n", "");
    assert_ne!(without, PLAN);
    put(&without);
    good.one("plan", Severity::Warning, "v2");
}

#[test]
fn a_port_that_somebody_else_has() {
    let mut good = Good::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    good.settings.web.listen = other.local_addr().unwrap();
    good.one("ports", Severity::Error, "web.listen");
    drop(other);
    assert!(good.wrong("ports").is_empty());
}

#[test]
fn a_broker_that_is_not_there_or_never_answers() {
    let mut good = Good::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = deaf.local_addr().unwrap().port();
    let (host, user) = ("127.0.0.1".to_owned(), "office".to_owned());
    good.settings.mqtt.external = Some(External {
        host,
        port,
        user,
        password_file: "password".into(),
        authority: None,
        terminals: None,
        dynamic_security: false,
    });
    good.one("broker", Severity::Error, "password");
    fs::write(good.settings.data.join("password"), "x").unwrap();
    good.one("broker", Severity::Error, "does not answer");
    drop(deaf);
    good.one("broker", Severity::Error, "can't be reached");
}

#[test]
fn a_clock_that_is_behind() {
    let good = Good::new();
    good.sql("INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES ('t-1', 'c-1', 'v1', x'00', 0);
        INSERT INTO log (id, terminal, kind, epoch, held, digest, opened_at) VALUES (1, 't-1', 'fact', x'00', 1, x'00', 0);
        INSERT INTO entry VALUES (1, 1, x'00', x'00', '{}', 7258118400000)");
    let found = good.wrong("clock");
    assert!(found.iter().any(|finding| finding.en.contains("2200-01-01")), "{found:?}");
}

#[test]
fn backups() {
    let mut good = Good::new();
    let folder = good.settings.backup.folder.clone().unwrap();
    for backup in fs::read_dir(&folder).unwrap() {
        fs::remove_dir_all(backup.unwrap().path()).unwrap();
    }
    good.one("backup", Severity::Error, "no backup");
    good.back_up(Timestamp::from_second(1_000_000_000).unwrap());
    good.one("backup", Severity::Error, "older than 26 hours");
    good.settings.backup.folder = None;
    good.one("backup", Severity::Warning, "no folder for backups");
}

#[test]
fn what_waits_for_a_person() {
    let good = Good::new();
    good.sql("INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES ('t-1', 'c-1', 'v1', x'00', 0);
        INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at, last_heard_at) VALUES ('t-2', 'c-1', 'v1', x'00', 0, 1);
        INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at, blocked_at) VALUES ('t-3', 'c-1', 'v1', x'00', 0, 1);
        INSERT INTO aside (at, topic, problem, raw, bytes) VALUES (0, 't', 'p', x'', 0);
        INSERT INTO notice (at, kind, detail) VALUES (0, 'fork', '{}');
        INSERT INTO import (at, file, sha256, profile, state, counts) VALUES (0, 'f', x'', 'p', 'held', '{}')");
    let told = |check: &str| good.wrong(check).into_iter().map(|finding| finding.en).collect::<Vec<_>>();
    assert_eq!(
        told("terminals"),
        ["1 terminals were never heard: t-1", "1 terminals were not heard for 7 days: t-2"]
    );
    let waits = [
        "1 messages that were set aside wait for a person",
        "1 notices wait for a person",
        "1 held imports wait for a person",
    ];
    assert_eq!(told("to-look-at"), waits);
}

#[test]
fn copies_that_nobody_removed() {
    let good = Good::new();
    let old = good.settings.data.join("before-upgrade-0004-to-0005.db");
    fs::write(&old, "").unwrap();
    assert!(good.wrong("copies").is_empty(), "it is of today");
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(31 * 24 * 3_600);
    fs::File::open(&old).unwrap().set_modified(then).unwrap();
    good.one("copies", Severity::Warning, "before-upgrade-0004-to-0005.db");
}

#[test]
fn watched_folders_and_what_lies_in_them() {
    let mut good = Good::new();
    let drop = good.settings.data.join("drop");
    good.settings.watch = vec![crate::config::Watch {
        folder: "drop".into(),
        profile: "p.toml".into(),
        files: "*".into(),
        trigger: String::new(),
        accept_good: false,
        day_in_name: false,
        poll_seconds: 10.0,
    }];
    good.one("watched", Severity::Error, "can't be written to");
    fs::create_dir_all(drop.join("done")).unwrap();
    let old = drop.join("done/20250401T090000-day.csv");
    fs::write(&old, "").unwrap();
    assert!(good.wrong("watched").is_empty(), "it is of today");
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(14 * 31 * 24 * 3_600);
    fs::File::open(&old).unwrap().set_modified(then).unwrap();
    good.one("watched", Severity::Warning, "1 files in the watched folder");
}

#[test]
fn a_certificate_that_ends_is_told_of_in_time() {
    use jiff::SignedDuration;
    let mut good = Good::new();
    good.settings.tls.names = vec!["office.example".to_owned()];
    assert!(good.wrong("certificates").is_empty(), "it is made at the next start");
    let now = Timestamp::now();
    let city = meguri_config::City::parse(Path::new("city.toml"), PLAN).unwrap();
    let authority = crate::ca::Authority::open(&good.settings.data, &city.id, now, false).unwrap();
    authority.office(&good.settings.tls.names, now).unwrap();
    let at = |days: i64| {
        let then = now + SignedDuration::from_hours(24 * days);
        let found = Scope::new(Ok(good.settings.clone()), None, false, then).findings();
        let of = |finding: &Finding| (finding.check == "certificates").then_some(finding.severity);
        found.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(at(30), [Severity::Ok]);
    assert_eq!(at(350), [Severity::Warning]);
    assert_eq!(at(398), [Severity::Error]);
    let until = now + SignedDuration::from_hours(24 * 50);
    good.sql(&format!(
        "INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at)
            SELECT 't-1', contract, id, x'', 0 FROM vehicle LIMIT 1;
        INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after)
            VALUES ('40', 't-1', x'', x'', '', 0, {})",
        until.as_millisecond()
    ));
    let wrong = good.wrong("certificates");
    assert!(matches!(wrong.as_slice(), [one] if one.en.contains("1 terminals")), "{wrong:?}");
}
