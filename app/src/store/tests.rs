//! Tests of the store against real files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use meguri_core::config::HeldBundle;
use meguri_core::kept::{Confirmed, Held, KeptTime, NewEntry};
use meguri_proto::{DocumentName, Incarnation};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const FACT: &str = include_str!("../../../proto/tests/golden/fact-collected.json");
const LIST: &str = include_str!("../../../proto/tests/golden/day-list.json");

fn epoch(n: u128) -> Epoch {
    Epoch(Uuid::from_u128(n))
}

fn open(folder: &TempDir) -> Result<(Store, Kept), StoreError> {
    Store::open(folder.path(), &"hiroshima".parse().unwrap(), &"t-0001".parse().unwrap(), None)
}

/// A store with an open fact log and the entries 1 to `count`; the second has a note.
fn filled(folder: &TempDir, count: u64) -> (Store, Kept) {
    let (mut store, mut kept) = open(folder).unwrap();
    let mut ops = vec![Op::Open { log: LogKind::Fact, epoch: epoch(1) }];
    let mut digest = Digest::ZERO;
    for seq in 1..=count {
        digest = digest.then(FACT.trim().as_bytes());
        let note = (seq == 2).then(|| (Digest::of("立入禁止".as_bytes()), "立入禁止".to_owned()));
        let id = FactId(Uuid::from_u128(seq.into()));
        let entry = NewEntry { seq, id, digest, body: FACT.trim().to_owned(), note };
        ops.push(Op::Append { log: LogKind::Fact, entry });
    }
    commit(&mut store, &mut kept, ops);
    (store, kept)
}

fn commit(store: &mut Store, kept: &mut Kept, ops: Vec<Op>) {
    let mut rechained = store.commit(&ops).unwrap();
    for op in ops {
        kept.apply(op, &mut rechained);
    }
}

fn pack(store: &Store, epoch: Epoch, first: u64, last: u64) -> Option<LogPublish> {
    let bytes = store.pack(LogKind::Fact, epoch, first, last).unwrap()?;
    Some(LogPublish::decode(&bytes).unwrap())
}

/// What memory holds after `ops` is what is read back after a restart.
fn assert_same(kept: &Kept, read: &Kept) {
    assert_eq!(format!("{:?}", sorted(kept)), format!("{:?}", sorted(read)));
}

/// A `Kept` whose maps print in one order.
fn sorted(kept: &Kept) -> impl std::fmt::Debug + use<> {
    let log = |log: &Option<meguri_core::kept::Log>| {
        log.as_ref().map(|log| {
            let about: BTreeMap<_, _> = log.about.clone().into_iter().collect();
            (log.held(), log.moved, log.entries.clone(), about)
        })
    };
    let rest = (kept.office, kept.time, kept.config.clone(), kept.pins_wrong.clone(), kept.sealed);
    (log(&kept.fact), log(&kept.track), kept.documents.clone(), rest)
}

#[test]
fn every_change_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut kept) = filled(&folder, 5);
    let at = |millis| jiff::Timestamp::from_millisecond(millis).unwrap();
    let name: DocumentName = "list/naka-2026/2026-04-01".parse().unwrap();
    let lapsed: DocumentName = "list/naka-2026/2026-04-02".parse().unwrap();
    let body = LIST.trim().to_owned();
    let list = meguri_core::read_document(&name, &body).unwrap();
    let held =
        |version, body: &str, contents| Held { version, digest: Digest::of(body.as_bytes()), contents };
    let (date, device_start) = (jiff::civil::date(2026, 4, 1), Uuid::from_u128(8));
    let confirmed = Some(Confirmed { date, device_start });
    let steps = [
        vec![Op::Open { log: LogKind::Track, epoch: epoch(2) }],
        vec![Op::Acked { log: LogKind::Fact, seq: 4, at: at(1_000) }],
        vec![Op::Acked { log: LogKind::Fact, seq: 3, at: at(2_000) }],
        vec![Op::Prune { log: LogKind::Fact, upto: 2 }],
        vec![
            Op::Office(Incarnation(Uuid::from_u128(7))),
            Op::Time(KeptTime { sure: Some(at(5)), time: at(6), device: at(7), confirmed }),
        ],
        vec![Op::Time(KeptTime { sure: None, time: at(8), device: at(9), confirmed: None })],
        vec![Op::Time(KeptTime { sure: None, time: at(8), device: at(9), confirmed })],
        vec![Op::Document { name: name.clone(), held: held(3, &body, list), body: Some(body) }],
        vec![Op::Document { name: lapsed.clone(), held: held(2, "null", Contents::Lapsed), body: None }],
        vec![Op::DropDocument(lapsed)],
        vec![Op::PinsWrong("c-1".parse().unwrap(), 3)],
        vec![Op::Fork { log: LogKind::Fact, epoch: epoch(3) }],
        vec![Op::Acked { log: LogKind::Fact, seq: 1, at: at(9_000) }],
    ];
    for ops in steps {
        commit(&mut store, &mut kept, ops);
        drop(store);
        let (again, read) = open(&folder).unwrap();
        assert_same(&kept, &read);
        store = again;
    }
    let log = kept.fact.unwrap();
    assert_eq!((log.epoch, log.first, log.head(), log.acked), (epoch(3), 1, 3, 1));
    let ids: Vec<u128> = log.entries.iter().map(|entry| entry.id.0.as_u128()).collect();
    assert_eq!(ids, [3, 4, 5], "ids outlive a fork");
    assert_eq!(pack(&store, epoch(3), 1, 3).unwrap().entries.len(), 3, "the new chain holds");
}

#[test]
fn packs_entries_with_their_notes_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (store, kept) = filled(&folder, 4);
    let publish = pack(&store, epoch(1), 2, 4).unwrap();
    assert_eq!(publish.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(publish.entries[2].digest, kept.fact.unwrap().head_digest());
    assert_eq!(publish.notes.values().collect::<Vec<_>>(), ["立入禁止"]);
    assert!(pack(&store, epoch(1), 3, 4).unwrap().notes.is_empty());
    assert!(pack(&store, epoch(9), 1, 1).is_none(), "an epoch that is left is not sent");
}

#[test]
fn a_damaged_entry_is_neither_sent_nor_forked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = filled(&folder, 4);
    store
        .connection
        .execute("UPDATE entry SET body = replace(body, '\"v\":1', '\"v\":2') WHERE seq = 3", [])
        .unwrap();
    assert_eq!(pack(&store, epoch(1), 1, 2).unwrap().entries.len(), 2);
    for error in [
        store.pack(LogKind::Fact, epoch(1), 2, 4).unwrap_err(),
        store.commit(&[Op::Fork { log: LogKind::Fact, epoch: epoch(2) }]).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::DamagedEntry { seq: 3, .. }), "{error}");
    }
    assert!(pack(&store, epoch(1), 4, 4).is_some(), "the fork left nothing half done");
}

#[test]
fn a_damaged_note_holds_no_entry_back() {
    let changed = "sealed = CAST(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) AS BLOB)";
    for damage in [changed, "sealed = NULL", "sealed = x'00'", "digest = x'00'"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = filled(&folder, 4);
        store.connection.execute(&format!("UPDATE note SET {damage}"), []).unwrap();
        drop(store);
        let (store, kept) = open(&folder).unwrap();
        assert_eq!(kept.fact.unwrap().waiting(), 4, "{damage}");
        let publish = pack(&store, epoch(1), 1, 4).unwrap();
        assert_eq!((publish.entries.len(), publish.notes.len()), (4, 0), "{damage}");
        let mut store = store;
        assert_eq!(store.take_lost_notes(), [(LogKind::Fact, 2)], "{damage}");
        assert!(store.take_lost_notes().is_empty(), "{damage}: told once");
    }
}

/// The contract of now, and another one from 1 April on where it is not in force yet.
fn config(version: u64, in_force: usize) -> KeptConfig {
    let text = "version = 3\ncity = \"hiroshima\"\nterminal = \"t-0001\"\ncontractor = \"first\"\n\
        contract = \"naka-2026\"\nvehicle = \"v-1\"\n[broker]\nhost = \"h\"\nport = 1\nsecret_file = \"secret\"\n";
    let own = meguri_config::Terminal::parse("terminal.toml".as_ref(), text).unwrap();
    let schedule = vec![
        signed::configuration(&own, None, "naka-2026"),
        signed::configuration(&own, Some(signed::midnight()), "naka-2027"),
    ];
    let contract = Some(schedule[in_force].contract.clone());
    let bundle = signed::bundle(&own, version, schedule);
    let held = Some(HeldBundle { digest: Digest::of(b"bundle"), bundle, at: Some(in_force) });
    KeptConfig { version, contract, held, ..KeptConfig::default() }
}

/// Where another contract comes into force, memory and disk do the same: what is of neither goes, and its crew is the crew.
#[test]
fn a_change_of_contract_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut kept) = filled(&folder, 5);
    let document = |name: &str, body: &str| {
        let name: DocumentName = name.parse().unwrap();
        let contents = meguri_core::read_document(&name, body).unwrap();
        let held = Held { version: 1, digest: Digest::of(body.as_bytes()), contents };
        Op::Document { name, held, body: Some(body.to_owned()) }
    };
    let list = |contract: &str| LIST.trim().replace("naka-2026", contract);
    let nobody = r#"{"v":1,"members":[]}"#;
    let steps = [
        vec![document("list/naka-2026/2026-04-01", &list("naka-2026")), document("crew", nobody)],
        vec![Op::PinsWrong("c-1".parse().unwrap(), 3), Op::Config(Box::new(config(4, 0)))],
        vec![document("crew/naka-2027", nobody), document("list/naka-2027/2026-04-01", &list("naka-2027"))],
        vec![Op::Config(Box::new(config(5, 0)))],
        vec![Op::Config(Box::new(config(5, 1)))],
        vec![Op::Config(Box::new(KeptConfig { held: None, ..config(6, 1) }))],
    ];
    for (step, ops) in steps.into_iter().enumerate() {
        commit(&mut store, &mut kept, ops);
        drop(store);
        let (again, read) = open(&folder).unwrap();
        assert_same(&kept, &read);
        let names: Vec<String> = read.documents.keys().map(ToString::to_string).collect();
        let expected: &[&str] = match step {
            0 | 1 => &["list/naka-2026/2026-04-01", "crew"],
            2 | 3 => &["list/naka-2026/2026-04-01", "list/naka-2027/2026-04-01", "crew", "crew/naka-2027"],
            _ => &["list/naka-2027/2026-04-01", "crew"],
        };
        assert_eq!(names, expected, "{step}");
        store = again;
    }
    assert!(kept.pins_wrong.is_empty(), "those of the crew before");
    // The note of the contract before is not in the office yet, and still goes there; then its key is destroyed.
    assert_eq!(pack(&store, epoch(1), 1, 5).unwrap().notes.len(), 1);
    let at = jiff::Timestamp::from_millisecond(1_000).unwrap();
    let keys = || std::fs::read_dir(folder.path().join("keys")).unwrap().count();
    let before = keys();
    commit(&mut store, &mut kept, vec![Op::Acked { log: LogKind::Fact, seq: 1, at }]);
    assert_eq!(keys(), before, "one is still to go");
    commit(&mut store, &mut kept, vec![Op::Acked { log: LogKind::Fact, seq: 2, at }]);
    assert_eq!(keys(), before - 1);
    assert!(pack(&store, epoch(1), 1, 5).unwrap().notes.is_empty());
    assert!(store.take_lost_notes().is_empty(), "that is no damage");
}

#[test]
fn a_full_disk_writes_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, kept) = filled(&folder, 1);
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let document = |n: u64| Op::Document {
        name: format!("list/naka-2026/2026-04-{n:02}").parse().unwrap(),
        held: Held { version: 1, digest: Digest::of(b"x"), contents: Contents::Lapsed },
        body: Some("x".repeat(20_000)),
    };
    let error = store.commit(&[document(1), document(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Sql { .. }), "{error}");
    drop(store);
    let (mut store, read) = open(&folder).unwrap();
    assert_same(&kept, &read);
    store.commit(&[document(1)]).unwrap();
}

#[test]
fn what_keeps_it_from_writing_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = filled(&folder, 1);
    let big = || {
        let held = Held { version: 1, digest: Digest::of(b"x"), contents: Contents::Lapsed };
        let name = "list/naka-2026/2026-04-01".parse().unwrap();
        [Op::Document { name, held, body: Some("x".repeat(20_000)) }]
    };
    let mut kind = |pragma: &str, value: i64| {
        store.connection.pragma_update(None, pragma, value).unwrap();
        let error = store.commit(&big()).unwrap_err();
        store.trouble(&error).kind
    };
    assert_eq!(kind("query_only", 1), TroubleKind::ReadOnly);
    let error = |source| StoreError::Folder { path: folder.path().to_owned(), source };
    let of = |errno| error(std::io::Error::from_raw_os_error(errno)).kind(folder.path());
    let (enospc, erofs, eacces) = (28, 30, 13);
    assert_eq!(of(enospc), TroubleKind::DiskFull);
    assert_eq!(of(erofs), TroubleKind::ReadOnly);
    assert_eq!(of(eacces), TroubleKind::Write);
    store.connection.pragma_update(None, "query_only", 0).unwrap();
    store.connection.pragma_update(None, "max_page_count", 5).unwrap();
    let error = store.commit(&big()).unwrap_err();
    assert_eq!(store.trouble(&error).kind, TroubleKind::DiskFull);
}

#[test]
fn two_processes_can_not_open_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder).unwrap();
    assert!(matches!(open(&folder), Err(StoreError::Open { .. })));
    drop(store);
    open(&folder).unwrap();
}

#[test]
fn refuses_what_is_not_its_own_and_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);

    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE accounts (id INTEGER)").unwrap();
    drop(foreign);
    assert!(matches!(open(&folder), Err(StoreError::Foreign { .. })));

    std::fs::write(&path, "no database at all, but somebody's file").unwrap();
    assert!(matches!(open(&folder), Err(StoreError::Damaged { .. })));
    assert!(std::fs::read(&path).unwrap().starts_with(b"no database"));

    std::fs::write(&path, "").unwrap();
    drop(open(&folder).expect("a process killed at its first start leaves an empty file"));

    let other = Store::open(folder.path(), &"hiroshima".parse().unwrap(), &"t-0002".parse().unwrap(), None);
    assert!(matches!(other, Err(StoreError::OtherTerminal { .. })));

    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open(&folder), Err(StoreError::Newer { .. })));
}

#[test]
fn a_damaged_file_is_never_treated_as_absent() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(&folder, 200));
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let size = bytes.len();
    bytes[4_096..size].fill(0x5A);
    std::fs::write(&path, &bytes).unwrap();
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_sixty_days_backlog_opens_and_packs() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(&folder, 30_000));
    let (mut store, mut kept) = open(&folder).unwrap();
    assert_eq!(kept.fact.as_ref().unwrap().waiting(), 30_000);
    assert_eq!(pack(&store, epoch(1), 29_745, 30_000).unwrap().entries.len(), 256);
    commit(&mut store, &mut kept, vec![Op::Fork { log: LogKind::Fact, epoch: epoch(2) }]);
    assert_eq!(pack(&store, epoch(2), 29_745, 30_000).unwrap().entries.len(), 256);
}

/// Every byte of the store's files.
fn on_disk(folder: &TempDir) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in [FILE, "terminal.db-wal"] {
        bytes.extend(std::fs::read(folder.path().join(name)).unwrap_or_default());
    }
    bytes
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn list_op(version: u64) -> (DocumentName, Op) {
    let name: DocumentName = "list/naka-2026/2026-04-01".parse().unwrap();
    let body = LIST.trim().to_owned();
    let contents = meguri_core::read_document(&name, &body).unwrap();
    let held = Held { version, digest: Digest::of(body.as_bytes()), contents };
    (name.clone(), Op::Document { name, held, body: Some(body) })
}

#[test]
fn residents_data_stands_in_no_file_in_plain() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut kept) = filled(&folder, 3);
    commit(&mut store, &mut kept, vec![list_op(3).1]);
    for text in ["江波東一丁目", "立入禁止"] {
        assert!(!holds(&on_disk(&folder), text), "{text}");
    }
    drop(store);
    assert!(!holds(&on_disk(&folder), "江波東一丁目"));
    let (store, read) = open(&folder).unwrap();
    assert!(read.documents.values().any(|held| held.list().is_some()));
    assert_eq!(pack(&store, epoch(1), 1, 3).unwrap().notes.len(), 1);
}

#[test]
fn what_an_erasure_says_is_destroyed_before_it_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut kept) = filled(&folder, 3);
    let (list, op) = list_op(3);
    commit(&mut store, &mut kept, vec![op]);
    let keys = folder.path().join("keys");
    let before: Vec<_> =
        std::fs::read_dir(&keys).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    let erase = |version| {
        let body = r#"{"v":1}"#.to_owned();
        let held = Held { version, digest: Digest::of(body.as_bytes()), contents: Contents::Erasure };
        Op::Erase { held, body }
    };
    let set_aside = folder.path().join(SET_ASIDE);
    std::fs::create_dir_all(set_aside.join("20260331T000000Z")).unwrap();
    commit(&mut store, &mut kept, vec![erase(1)]);
    assert!(!set_aside.exists());
    assert!(kept.erased() && !kept.documents.contains_key(&list));
    drop(store);
    let (store, read) = open(&folder).unwrap();
    assert_eq!(read.documents.keys().collect::<Vec<_>>(), [&DocumentName::Erasure]);
    assert!(read.erased());
    assert_eq!(read.fact.unwrap().head(), 3, "what was recorded names nobody and stays");
    assert!(pack(&store, epoch(1), 1, 3).unwrap().notes.is_empty());
    for file in std::fs::read_dir(&keys).unwrap() {
        assert!(!before.contains(&std::fs::read(file.unwrap().path()).unwrap()));
    }
}

#[test]
fn a_store_of_before_is_sealed_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("migrations/0001.sql")).unwrap();
    old.execute_batch(include_str!("migrations/0002.sql")).unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    old.execute("INSERT INTO terminal (id, city, terminal) VALUES (1, 'hiroshima', 't-0001')", []).unwrap();
    let zero = Digest::ZERO.0;
    old.execute("INSERT INTO log VALUES ('fact', ?1, 1, ?2, 0, 0)", params![Uuid::nil().as_bytes(), zero])
        .unwrap();
    let (body, note) = (FACT.trim(), "立入禁止");
    let digest = Digest::ZERO.then(body.as_bytes()).0;
    old.execute(
        "INSERT INTO entry VALUES ('fact', 1, ?1, ?2, ?3, NULL)",
        params![Uuid::nil().as_bytes(), digest, body],
    )
    .unwrap();
    old.execute("INSERT INTO note VALUES ('fact', 1, ?1, ?2)", params![Digest::of(note.as_bytes()).0, note])
        .unwrap();
    let list = LIST.trim();
    old.execute(
        "INSERT INTO document VALUES ('list/naka-2026/2026-04-01', 4, ?1, ?2)",
        params![Digest::of(list.as_bytes()).0, list],
    )
    .unwrap();
    drop(old);
    let (store, kept) = open(&folder).unwrap();
    assert_eq!(kept.documents.values().filter_map(Held::list).count(), 1);
    assert_eq!(pack(&store, Epoch(Uuid::nil()), 1, 1).unwrap().notes.len(), 1);
    for text in ["江波東一丁目", note] {
        assert!(!holds(&on_disk(&folder), text), "{text}");
    }
}

#[test]
fn a_damaged_list_of_crews_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut kept) = filled(&folder, 1);
    let lock = meguri_proto::crew::PinLock::new("273941", [7; 32]).unwrap();
    let member = Member { id: "c-1".parse().unwrap(), name: "甲".to_owned(), lock };
    let body = serde_json::to_string(&meguri_proto::crew::CrewList { v: 1, members: vec![member] }).unwrap();
    let contents = meguri_core::read_document(&DocumentName::Crew, &body).unwrap();
    let held = Held { version: 1, digest: Digest::of(body.as_bytes()), contents };
    commit(&mut store, &mut kept, vec![Op::Document { name: DocumentName::Crew, held, body: Some(body) }]);
    let damage = "UPDATE document SET body = replace(body, 'c-1', 'c-\"') WHERE name = 'crew'";
    assert_eq!(store.connection.execute(damage, []).unwrap(), 1);
    drop(store);
    let (_, kept) = open(&folder).unwrap();
    assert!(matches!(kept.documents[&DocumentName::Crew].contents, Contents::Sealed));
}
