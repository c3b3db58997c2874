//! Backups made, checked, damaged, put back, and put back while the power goes.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::store::Store;
use meguri_proto::Incarnation;
use rusqlite::OpenFlags;

const PLAN: &str = include_str!("../../tests/city.toml");

/// A data folder with a store, and a place for backups.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(place.data()).unwrap();
        fs::write(place.data().join(CITY), PLAN).unwrap();
        let store = place.open(1);
        contractors(&store.conn, 0..10);
        store.close().unwrap();
        place
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join("backups").join(name)
    }

    fn open(&self, drawn: u128) -> Store {
        let city = "hiroshima".parse().unwrap();
        Store::open(&self.data(), &city, Timestamp::UNIX_EPOCH, Incarnation(Uuid::from_u128(drawn))).unwrap()
    }

    fn source(&self) -> Source {
        Source { data: self.data(), city: self.data().join(CITY), settings: None }
    }

    fn back_up(&self, name: &str) -> Result<Manifest, BackupError> {
        make(&self.source(), &self.out(name), Timestamp::UNIX_EPOCH, &mut |_| {})
    }

    fn put_back(&self, name: &str, replace: bool) -> Result<PutBack, BackupError> {
        let (data, drawn) = (self.data(), Incarnation(Uuid::from_u128(9)));
        put_back(&self.out(name), &data, &data.join(CITY), replace, drawn, Timestamp::UNIX_EPOCH)
    }

    fn contractors(&self) -> i64 {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let conn = Connection::open_with_flags(self.data().join(STORE_FILE), flags).unwrap();
        count(&conn)
    }
}

fn contractors(conn: &Connection, ids: std::ops::Range<u32>) {
    for id in ids {
        conn.execute("INSERT INTO contractor VALUES (?1, 'x')", [id.to_string()]).unwrap();
    }
}

fn count(conn: &Connection) -> i64 {
    conn.query_row("SELECT count(*) FROM contractor", [], |row| row.get(0)).unwrap()
}

#[test]
fn is_of_one_moment_while_the_writer_goes_on() {
    let place = Place::new();
    let store = place.open(2);
    store
        .conn
        .execute_batch("CREATE TABLE bulk (x BLOB); INSERT INTO bulk VALUES (zeroblob(8000000))")
        .unwrap();
    let mut written = 0;
    let manifest = make(&place.source(), &place.out("a"), Timestamp::UNIX_EPOCH, &mut |progress| {
        if let Progress::Copying(done, all) = progress {
            assert!(done <= all);
            // The writer is not held up, and what it writes is not in the copy.
            contractors(&store.conn, 100 + written..101 + written);
            written += 1;
        }
    })
    .unwrap();
    assert!(written > 3, "in steps: {written}");
    assert_eq!(count(&store.conn), 10 + i64::from(written));
    assert_eq!(manifest.rows["contractor"], 10);
    assert_eq!((manifest.city.as_str(), manifest.schema), ("hiroshima", store::SCHEMA));
    assert_eq!(verify(&place.out("a")).unwrap(), manifest);
    // One file that needs none beside it, and nobody else's to read.
    let mut names: Vec<_> = fs::read_dir(place.out("a")).unwrap().map(|file| file.unwrap()).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = names
        .iter()
        .map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().mode() & 0o777))
        .collect();
    let expected = [CITY, MANIFEST, STORE_FILE].map(|name| (name.to_owned(), 0o600));
    assert_eq!(names, expected);
    assert_eq!(fs::metadata(place.out("a")).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn the_audit_log_and_the_authority_come_along_and_back_where_they_are_missing() {
    let place = Place::new();
    let (audit, ca) = (place.data().join("audit"), place.data().join("ca"));
    for (folder, name, text) in
        [(&audit, "head", "3"), (&audit, "2026-04.jsonl", "three"), (&ca, "authority.key", "secret")]
    {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    let manifest = place.back_up("a").unwrap();
    assert!(
        manifest.files.contains_key("audit/2026-04.jsonl") && manifest.files.contains_key("ca/authority.key")
    );
    assert_eq!(verify(&place.out("a")).unwrap(), manifest);
    // What is there stays: the log has gone on, and terminals believe this authority.
    fs::write(audit.join("2026-04.jsonl"), "three four").unwrap();
    assert_eq!(place.put_back("a", true).unwrap().folders, [""; 0]);
    assert_eq!(fs::read_to_string(audit.join("2026-04.jsonl")).unwrap(), "three four");
    // Lost: both are the backup's.
    for folder in [&audit, &ca] {
        fs::remove_dir_all(folder).unwrap();
    }
    assert_eq!(place.put_back("a", true).unwrap().folders, FOLDERS);
    assert_eq!(fs::read_to_string(audit.join("2026-04.jsonl")).unwrap(), "three");
    assert_eq!(fs::metadata(ca.join("authority.key")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&ca).unwrap().mode() & 0o777, 0o700);
    // A byte of them is noticed; a manifest leads nowhere else.
    fs::write(place.out("a").join("ca/authority.key"), "other!").unwrap();
    assert!(matches!(verify(&place.out("a")), Err(BackupError::Wrong { .. })));
    place.back_up("b").unwrap();
    let path = place.out("b").join(MANIFEST);
    let text =
        fs::read_to_string(&path).unwrap().replace("ca/authority.key", "ca/../../data/ca/authority.key");
    fs::write(&path, text).unwrap();
    assert!(matches!(verify(&place.out("b")), Err(BackupError::Wrong { .. })));
}

#[test]
fn nothing_is_overwritten_and_what_was_killed_is_begun_anew() {
    let place = Place::new();
    place.back_up("a").unwrap();
    let before = fs::read(place.out("a").join(MANIFEST)).unwrap();
    assert!(matches!(place.back_up("a"), Err(BackupError::There { .. })));
    assert_eq!(fs::read(place.out("a").join(MANIFEST)).unwrap(), before);
    let killed = place.out(&format!(".b{UNFINISHED}"));
    fs::create_dir(&killed).unwrap();
    fs::write(killed.join(STORE_FILE), "half").unwrap();
    let held = File::open(&killed).unwrap();
    held.try_lock().unwrap();
    assert!(matches!(place.back_up("b"), Err(BackupError::UnderWay { .. })));
    drop(held);
    place.back_up("b").unwrap();
    assert!(!killed.exists());
    let empty = tempfile::tempdir().unwrap();
    let source = Source { data: empty.path().to_owned(), ..place.source() };
    let none = make(&source, &place.out("c"), Timestamp::UNIX_EPOCH, &mut |_| {});
    assert!(matches!(none, Err(BackupError::NoStore { .. })));
    assert!(fs::read_dir(empty.path()).unwrap().next().is_none(), "looking makes nothing");
}

#[test]
fn every_damage_of_a_backup_is_found() {
    let place = Place::new();
    place.back_up("a").unwrap();
    let whole = |name: &str| fs::read(place.out("a").join(name)).unwrap();
    let (store, manifest) = (whole(STORE_FILE), String::from_utf8(whole(MANIFEST)).unwrap());
    let told = || verify(&place.out("a")).unwrap_err().to_string();
    let put = |name: &str, bytes: &[u8]| fs::write(place.out("a").join(name), bytes).unwrap();

    let mut bytes = store.clone();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    put(STORE_FILE, &bytes);
    assert!(told().contains("SHA-256"));
    assert!(place.put_back("a", true).is_err(), "a backup is checked before it is put back");
    put(STORE_FILE, &store[..store.len() - 4096]);
    assert!(told().contains("SHA-256"));
    fs::remove_file(place.out("a").join(STORE_FILE)).unwrap();
    assert!(told().contains("can't read"));
    put(STORE_FILE, &store);
    put(MANIFEST, manifest.replace("contractor = 10", "contractor = 11").as_bytes());
    assert!(told().contains("contractor has 10"), "{}", told());
    put(MANIFEST, manifest.replace("version = 1", "version = 2").as_bytes());
    assert!(told().contains("this program reads 1"));
    put(MANIFEST, manifest.replace("schema = ", "schema = 9").as_bytes());
    assert!(told().contains("newer program"));
    put(MANIFEST, manifest.replace("\"meguri.db\"", "\"../x\"").as_bytes());
    assert!(told().contains("meguri.db"));
    put(MANIFEST, b"version = 1");
    assert!(told().contains("missing field"));
    put(MANIFEST, manifest.as_bytes());
    verify(&place.out("a")).unwrap();
}

#[test]
fn a_damaged_store_gives_no_backup() {
    let place = Place::new();
    let path = place.data().join(STORE_FILE);
    let mut bytes = fs::read(&path).unwrap();
    // An inner page of a table that nobody needs for opening the store.
    let page = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'note'", [], |row| row.get::<_, u32>(0))
        .unwrap() as usize;
    bytes[(page - 1) * 4096..page * 4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let error = place.back_up("a").unwrap_err().to_string();
    assert!(error.contains("damaged") && error.contains("doctor"), "{error}");
    assert!(fs::read_dir(place.out("")).unwrap().next().is_none(), "no half of it is left");
}

#[test]
fn what_is_put_back_is_a_new_life() {
    let place = Place::new();
    place.open(5).conn.execute("UPDATE office SET clock_seen_at = 1", []).unwrap();
    place.back_up("a").unwrap();
    let store = place.open(2);
    contractors(&store.conn, 50..60);
    assert!(matches!(place.put_back("a", true), Err(BackupError::Store(StoreError::Held { .. }))));
    store.close().unwrap();
    assert!(matches!(place.put_back("a", false), Err(BackupError::StoreThere { .. })));
    assert_eq!(place.contractors(), 20);

    let done = place.put_back("a", true).unwrap();
    assert_eq!(done.plan, put_back::Plan::Same);
    let aside = done.aside.unwrap();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    assert_eq!(
        count(&Connection::open_with_flags(aside.join(STORE_FILE), flags).unwrap()),
        20,
        "nothing is deleted"
    );
    assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(place.data().join(STORE_FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.contractors(), 10);
    let store = place.open(3);
    assert_eq!(store.incarnation.0.as_u128(), 9, "the one drawn for it");
    let seen = "SELECT clock_seen_at FROM office";
    let seen: Option<i64> = store.conn.query_row(seen, [], |row| row.get(0)).unwrap();
    assert_eq!(seen, None, "it knows nothing of now");
    let told = "SELECT count(*) FROM notice WHERE kind = 'restored'";
    assert_eq!(store.conn.query_row(told, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    store.close().unwrap();
    assert_eq!(place.open(4).incarnation.0.as_u128(), 9, "and it stays");
}

#[test]
fn a_lost_folder_comes_back_with_its_plan() {
    let place = Place::new();
    place.back_up("a").unwrap();
    fs::remove_dir_all(place.data()).unwrap();
    let done = place.put_back("a", false).unwrap();
    assert_eq!((done.plan, done.aside), (put_back::Plan::PutBack, None));
    assert_eq!(fs::read_to_string(place.data().join(CITY)).unwrap(), PLAN);
    assert_eq!(place.contractors(), 10);
    // Another city's plan is not mixed with it.
    fs::write(place.data().join(CITY), PLAN.replace("id = \"hiroshima\"", "id = \"kure\"")).unwrap();
    assert!(matches!(place.put_back("a", true), Err(BackupError::OtherCity { .. })));
    // A plan that was changed since stays.
    fs::write(place.data().join(CITY), PLAN.replace("広島市", "広島")).unwrap();
    assert_eq!(place.put_back("a", true).unwrap().plan, put_back::Plan::Kept);
}

/// Cut between any two steps, the next start finishes it.
#[test]
fn a_restore_that_is_cut_is_the_old_store_or_the_new() {
    let ready = "restore-ready";
    type Cut = fn(&Path);
    let cuts: [(&str, Cut); 4] = [
        ("nothing is moved", |_| {}),
        ("the log is moved", |data| move_to_ready(data, "meguri.db-wal")),
        ("the old store is moved", |data| {
            move_to_ready(data, "meguri.db");
            move_to_ready(data, "generation");
        }),
        ("the new store is in place", |data| {
            move_to_ready(data, "meguri.db");
            fs::rename(data.join("restore-ready/new.db"), data.join("meguri.db")).unwrap();
        }),
    ];
    fn move_to_ready(data: &Path, name: &str) {
        let _ = fs::rename(data.join(name), data.join("restore-ready").join(name));
    }
    for (what, cut) in cuts {
        let place = Place::new();
        place.back_up("a").unwrap();
        contractors(&place.open(2).conn, 50..60);
        let staging = |tx: &Connection| Store::draw_incarnation(tx, Incarnation(Uuid::from_u128(9)));
        replace::stage(&place.data(), &place.out("a").join(STORE_FILE), |_| Ok(()), staging).unwrap();
        cut(&place.data());
        assert!(matches!(place.back_up("b"), Err(BackupError::Pending { .. })), "{what}");
        let store = place.open(3);
        assert_eq!(count(&store.conn), 10, "{what}");
        assert!(!place.data().join(ready).exists(), "{what}");
        drop(store);
    }
    // Before it is ready, the old store is the store.
    let place = Place::new();
    fs::create_dir(place.data().join("restore-staged")).unwrap();
    fs::write(place.data().join("restore-staged/new.db"), "half").unwrap();
    assert_eq!(count(&place.open(2).conn), 10);
    place.back_up("a").unwrap();
    place.put_back("a", true).unwrap();
}

#[test]
fn the_newest_are_kept() {
    let place = Place::new();
    let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
    for hour in 1..=4 {
        let out = place.out(&dated("hiroshima", at(hour)));
        make(&place.source(), &out, at(hour), &mut |_| {}).unwrap();
    }
    // Not dated ones of this city, and stay.
    fs::create_dir(place.out("meguri-hiroshima-of-somebody")).unwrap();
    place.back_up("mine").unwrap();
    let gone = prune(&place.out(""), "hiroshima", 2).unwrap();
    assert_eq!(gone, [1, 2].map(|hour| place.out(&dated("hiroshima", at(hour)))));
    let kept = dated_in(&place.out(""), "hiroshima").unwrap();
    assert_eq!(kept.into_iter().map(|(_, manifest)| manifest.made_at).collect::<Vec<_>>(), [3, 4].map(at));
    assert!(place.out("mine").exists() && place.out("meguri-hiroshima-of-somebody").exists());
    assert!(prune(&place.out(""), "kure", 1).unwrap().is_empty());
}

#[test]
fn what_killed_runs_left_is_swept() {
    let place = Place::new();
    let [killed, running, other] =
        ["hiroshima-20260401T000000Z", "hiroshima-20260402T000000Z", "kure-20260401T000000Z"]
            .map(|name| place.out(&format!(".meguri-{name}{UNFINISHED}")));
    for path in [&killed, &running, &other] {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join(STORE_FILE), "half").unwrap();
    }
    let held = File::open(&running).unwrap();
    held.try_lock().unwrap();
    let folder = killed.parent().unwrap();
    assert_eq!(sweep(folder, "hiroshima").unwrap(), std::slice::from_ref(&killed));
    assert!(!killed.exists() && running.exists() && other.exists());
    assert!(sweep(&folder.join("none"), "hiroshima").unwrap().is_empty());
}
