//! Tests of the repair against real files, damaged in every way that was thought of.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use meguri_core::kept::{Held, Kept, KeptConfig, Log, Op};
use proptest::prelude::*;
use tempfile::TempDir;

use meguri_proto::{DocumentName, FactId, Incarnation, LogPublish, Message};
use rusqlite::Connection;

use super::*;

const FACT: &str = include_str!("../../../../proto/tests/golden/fact-collected.json");
const LIST: &str = include_str!("../../../../proto/tests/golden/day-list.json");

const OFFICE: Incarnation = Incarnation(Uuid::from_u128(9));

fn city() -> CityId {
    "hiroshima".parse().unwrap()
}

fn terminal() -> TerminalId {
    "t-0001".parse().unwrap()
}

fn open(folder: &TempDir) -> Result<(Store, Kept), StoreError> {
    Store::open(folder.path(), &city(), &terminal(), None)
}

fn mend(folder: &TempDir) -> Result<Option<Repaired>, StoreError> {
    repair(folder.path(), &city(), &terminal(), None)
}

/// Bodies that differ in length, as real ones do.
fn body(seq: u64) -> String {
    FACT.trim().replacen("{", &format!("{{{}", " ".repeat(usize::try_from(seq % 7).unwrap())), 1)
}

/// A store with entries 1 to `count` of the fact log, of which the office holds `acked`; the second has a note. And a list.
fn filled(folder: &TempDir, count: u64, acked: u64) {
    let (mut store, _) = open(folder).unwrap();
    let log = LogKind::Fact;
    let mut ops = vec![Op::Office(OFFICE), Op::Open { log, epoch: Epoch(Uuid::from_u128(1)) }];
    ops.push(Op::Open { log: LogKind::Track, epoch: Epoch(Uuid::from_u128(2)) });
    let mut digest = Digest::ZERO;
    for seq in 1..=count {
        digest = digest.then(body(seq).as_bytes());
        let note = (seq == 2).then(|| (Digest::of("立入禁止".as_bytes()), "立入禁止".to_owned()));
        let id = FactId(Uuid::from_u128(seq.into()));
        ops.push(Op::Append { log, entry: NewEntry { seq, id, digest, body: body(seq), note } });
    }
    ops.push(Op::Acked { log, seq: acked, at: jiff::Timestamp::from_millisecond(1_000).unwrap() });
    let name: DocumentName = "list/naka-2026/2026-04-01".parse().unwrap();
    let text = LIST.trim().to_owned();
    let list = meguri_core::read_document(&name, &text).unwrap();
    let held = Held { version: 3, digest: Digest::of(text.as_bytes()), contents: list };
    ops.push(Op::Document { name, held, body: Some(text) });
    let contract = Some("naka-2026".parse().unwrap());
    ops.push(Op::Config(Box::new(KeptConfig { version: 4, contract, ..KeptConfig::default() })));
    for name in [DocumentName::Keys, DocumentName::Config] {
        let contents = meguri_core::read_document(&name, "{}").unwrap();
        let held = Held { version: 1, digest: Digest::of(b"{}"), contents };
        ops.push(Op::Document { name, held, body: Some("{}".to_owned()) });
    }
    store.commit(&ops).unwrap();
}

/// Changes the file behind the store's back.
fn damage(folder: &TempDir, sql: &str) {
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

fn ids(log: &Log) -> Vec<u128> {
    log.entries.iter().map(|entry| entry.id.0.as_u128()).collect()
}

/// The repaired store is whole: it opens, every entry is sent in its chain, and nothing is left to repair.
fn fact_log(folder: &TempDir) -> Log {
    let (store, kept) = open(folder).unwrap();
    let log = kept.fact.unwrap();
    if log.head() >= log.first {
        let packed = store.pack(LogKind::Fact, log.epoch, log.first, log.head()).unwrap().unwrap();
        let packed = LogPublish::decode(&packed).unwrap();
        assert_eq!(packed.entries.last().unwrap().digest, log.head_digest());
    }
    drop(store);
    assert_eq!(mend(folder).unwrap(), None, "nothing is left to repair");
    log
}

#[test]
fn the_configuration_goes_on_and_one_that_is_damaged_comes_anew() {
    let signed = |kept: &Kept| {
        let names = kept.documents.keys();
        names.filter(|name| matches!(name, DocumentName::Keys | DocumentName::Config)).count()
    };
    let folder = tempfile::tempdir().unwrap();
    filled(&folder, 5, 2);
    damage(&folder, "UPDATE entry SET body = 'x' WHERE seq = 3");
    assert_eq!(mend(&folder).unwrap().unwrap().configuration, Some(4));
    let (store, kept) = open(&folder).unwrap();
    assert_eq!((kept.config.version, signed(&kept)), (4, 2));
    drop(store);
    for damaged in ["state = replace(state, '4', '5')", "state = 'x'", "digest = x'00'"] {
        let folder = tempfile::tempdir().unwrap();
        filled(&folder, 5, 2);
        damage(&folder, &format!("UPDATE config SET {damaged}"));
        let error = open(&folder).unwrap_err();
        assert!(error.is_damage(), "{error}");
        assert_eq!(mend(&folder).unwrap().unwrap().configuration, None);
        let (_, kept) = open(&folder).unwrap();
        assert_eq!((signed(&kept), &kept.config), (0, &KeptConfig::default()), "the office sends it anew");
        assert_eq!(kept.fact.unwrap().head(), 5, "and no entry is lost by it");
    }
}

#[test]
fn a_sound_store_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(mend(&folder).unwrap(), None, "none is there");
    filled(&folder, 5, 2);
    let before = fs::read(folder.path().join(FILE)).unwrap();
    assert_eq!(mend(&folder).unwrap(), None);
    assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), before);
    assert!(!folder.path().join(SET_ASIDE).exists());
}

#[test]
fn a_damaged_entry_is_set_aside_and_the_rest_goes_on() {
    let damages = [
        "UPDATE entry SET body = replace(body, '\"v\":1', '\"v\":2') WHERE seq = 4",
        "UPDATE entry SET body = CAST(x'FF' AS TEXT) WHERE seq = 4",
        "UPDATE entry SET id = x'00' WHERE seq = 4",
        "DELETE FROM entry WHERE seq = 4",
    ];
    for sql in damages {
        let folder = tempfile::tempdir().unwrap();
        filled(&folder, 6, 2);
        damage(&folder, sql);
        let repaired = mend(&folder).unwrap().expect(sql);
        let fact = &repaired.logs[0];
        assert_eq!((fact.carried, fact.held, fact.lost, fact.unknown), (5, 0, 1, false), "{sql}");
        assert!(!repaired.logs[1].new_epoch, "{sql}: the other log is left alone");
        assert_eq!((repaired.documents, repaired.notes_lost), (3, 0), "{sql}");
        let log = fact_log(&folder);
        assert_eq!(ids(&log), [1, 2, 3, 5, 6], "{sql}");
        assert_ne!(log.epoch, Epoch(Uuid::from_u128(1)), "{sql}");
        // The office finds that number 1 is held by nobody, and tells a person.
        assert_eq!((log.first, log.head(), log.acked, log.moved, log.waiting()), (2, 6, 1, 6, 5), "{sql}");
        assert_eq!(open(&folder).unwrap().1.office, None, "{sql}: no office has acknowledged number 1");
        let kept = Connection::open(repaired.set_aside.join(FILE)).unwrap();
        let rows: i64 = kept.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
        assert!(rows >= 5, "{sql}: the old file is kept");
    }
}

#[test]
fn what_the_office_holds_leaves_no_hole() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder, 6, 4);
    damage(&folder, "UPDATE entry SET body = 'x' WHERE seq IN (1, 3)");
    let repaired = mend(&folder).unwrap().unwrap();
    assert_eq!((repaired.logs[0].carried, repaired.logs[0].held, repaired.logs[0].lost), (4, 2, 0));
    let log = fact_log(&folder);
    assert_eq!((ids(&log), log.first, log.acked, log.before), (vec![2, 4, 5, 6], 1, 0, Digest::ZERO));
    assert_eq!(open(&folder).unwrap().1.office, Some(OFFICE));
}

#[test]
fn a_damaged_digest_costs_no_entry_and_no_epoch() {
    for seq in [1, 3, 5] {
        let folder = tempfile::tempdir().unwrap();
        filled(&folder, 6, 2);
        damage(&folder, &format!("UPDATE entry SET digest = zeroblob(32) WHERE seq = {seq}"));
        let repaired = mend(&folder).unwrap().unwrap();
        assert_eq!((repaired.logs[0].carried, repaired.logs[0].new_epoch), (6, false), "{seq}");
        let log = fact_log(&folder);
        assert_eq!((log.epoch, log.acked), (Epoch(Uuid::from_u128(1)), 2), "{seq}");
        assert!(log.entries[0].acked_at.is_some() && log.entries[2].acked_at.is_none(), "{seq}");
    }
}

#[test]
fn a_damaged_note_is_counted_and_its_entry_kept() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder, 3, 0);
    damage(
        &folder,
        "UPDATE note SET sealed = CAST(substr(sealed, 1, 40) || x'00' || substr(sealed, 42) AS BLOB)",
    );
    let repaired = mend(&folder).unwrap().unwrap();
    assert_eq!((repaired.notes_lost, repaired.logs[0].carried, repaired.logs[0].new_epoch), (1, 3, false));
    assert_eq!(ids(&fact_log(&folder)), [1, 2, 3]);
}

#[test]
fn a_file_that_is_no_store_any_more_is_kept_and_work_begins_anew() {
    let garbage: [&[u8]; 3] = [b"no database at all", &[0x5A; 20_000], b"SQLite format 3\0 and then nothing"];
    for bytes in garbage {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(open(&folder), Err(StoreError::Damaged { .. })));
        let repaired = mend(&folder).unwrap().unwrap();
        assert!(repaired.logs.iter().all(|log| log.unknown && log.new_epoch && log.carried == 0));
        assert_eq!(fs::read(repaired.set_aside.join(FILE)).unwrap(), bytes);
        let log = fact_log(&folder);
        assert_eq!(
            (log.first, log.head(), log.acked),
            (2, 1, 1),
            "somebody is told that there was something"
        );
    }
}

#[test]
fn a_store_cut_short_gives_up_what_it_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder, 400, 100);
    let path = folder.path().join(FILE);
    let bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    fs::write(&path, &bytes[..half]).unwrap();
    assert!(open(&folder).is_err());
    let repaired = mend(&folder).unwrap().unwrap();
    let fact = &repaired.logs[0];
    assert!(fact.unknown && fact.new_epoch && fact.carried > 50, "{fact:?}");
    let log = fact_log(&folder);
    assert_eq!(log.entries.len() as u64, fact.carried);
    assert_eq!(fs::read(repaired.set_aside.join(FILE)).unwrap().len(), half);
}

#[test]
fn what_is_not_this_terminals_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    filled(&folder, 3, 0);
    let other = repair(folder.path(), &city(), &"t-0002".parse().unwrap(), None);
    assert!(matches!(other, Err(StoreError::OtherTerminal { .. })), "{other:?}");
    let (store, _) = open(&folder).unwrap();
    assert!(matches!(mend(&folder), Err(StoreError::Open { .. })));
    drop(store);
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(mend(&folder), Err(StoreError::Newer { .. })));
    let foreign = tempfile::tempdir().unwrap();
    let accounts = Connection::open(foreign.path().join(FILE)).unwrap();
    accounts.execute_batch("CREATE TABLE accounts (id INTEGER)").unwrap();
    drop(accounts);
    assert!(matches!(mend(&foreign), Err(StoreError::Foreign { .. })));
    assert!(!folder.path().join(SET_ASIDE).exists() && !foreign.path().join(SET_ASIDE).exists());
}

/// Killed at any of its steps, the next start has the old store whole or the repaired one, and the other is kept.
#[test]
fn a_repair_that_is_cut_off_is_finished_at_the_next_start() {
    let prepared = tempfile::tempdir().unwrap();
    filled(&prepared, 6, 2);
    damage(&prepared, "UPDATE entry SET body = 'x' WHERE seq = 4");
    let old = fs::read(prepared.path().join(FILE)).unwrap();
    let aside = mend(&prepared).unwrap().unwrap().set_aside;
    let new = fs::read(prepared.path().join(FILE)).unwrap();
    let stamp = aside.file_name().unwrap().to_str().unwrap().to_owned();
    for moved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join(SET_ASIDE).join(&stamp);
        fs::create_dir_all(&kept).unwrap();
        let keys = fs::read_dir(prepared.path().join("keys")).unwrap().map(|file| file.unwrap().path());
        fs::create_dir(folder.path().join("keys")).unwrap();
        for key in keys {
            fs::copy(&key, folder.path().join("keys").join(key.file_name().unwrap())).unwrap();
        }
        fs::write(folder.path().join(format!("{REPAIRED}{stamp}.db")), &new).unwrap();
        // Cut off before, or after, the old file was moved away.
        fs::write(if moved { kept.join(FILE) } else { folder.path().join(FILE) }, &old).unwrap();
        // A half-written copy of an attempt before is of no account.
        fs::write(folder.path().join(PART), "half").unwrap();
        assert_eq!(ids(&fact_log(&folder)), [1, 2, 3, 5, 6]);
        assert_eq!(fs::read(kept.join(FILE)).unwrap(), old);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever bytes are overwritten: the repair ends in a store that opens, what it carries is what was written, and
    /// the damaged file is kept.
    #[test]
    fn any_damage_ends_in_a_store_that_opens(at in 0.0..1.0f64, len in 1usize..9_000, with in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        filled(&folder, 60, 20);
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let start = (at * bytes.len() as f64) as usize;
        let end = (start + len).min(bytes.len());
        bytes[start..end].fill(with);
        fs::write(&path, &bytes).unwrap();
        match mend(&folder) {
            // The damage lies where nothing is kept, or makes it look like another's: then nothing is touched.
            Ok(None) | Err(StoreError::Foreign { .. } | StoreError::Newer { .. } | StoreError::OtherTerminal { .. }) => {
                prop_assert_eq!(fs::read(&path).unwrap(), bytes);
            }
            Ok(Some(repaired)) => {
                prop_assert_eq!(fs::read(repaired.set_aside.join(FILE)).unwrap(), bytes);
                let (store, kept) = open(&folder).unwrap();
                if let Some(log) = kept.fact.filter(|log| log.head() >= log.first) {
                    let packed = store.pack(LogKind::Fact, log.epoch, log.first, log.head()).unwrap().unwrap();
                    for entry in LogPublish::decode(&packed).unwrap().entries {
                        let seq = u64::try_from(entry.id.0.as_u128()).unwrap();
                        prop_assert_eq!(entry.body.get(), body(seq));
                    }
                }
            }
            Err(error) => return Err(TestCaseError::fail(format!("{error}"))),
        }
    }
}
