//! What is erased after its time, what stays, and that the erased bytes are gone from the files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::date;
use meguri_config::Clock;
use meguri_gateway::changes::Changes;
use meguri_gateway::config::{Retention, Settings};
use meguri_gateway::ingest::Effects;
use meguri_gateway::outbox::Outbox;
use meguri_gateway::retention::{Counts, Erasing, outlook};
use meguri_gateway::store::{Store, sql};
use meguri_gateway::writer::{Parts, Writer};
use meguri_proto::{CityId, Incarnation};
use rusqlite::{Connection, params};
use uuid::Uuid;

const OLD: &str = "MUKASHI-TOWN-4711";
const NEW: &str = "IMA-TOWN-0815";
const NOTE: &str = "ushiro-no-mon-wo-akete";
const RAW: &str = "raw-of-somebody";
const UNREADABLE: &str = "unreadable-of-somebody";
const HELD: &str = "held-file-of-somebody";
const HELD_PART: &str = "part-of-a-held-file-of-somebody";
const LISTED: &str = "listed-of-somebody";

fn now() -> Timestamp {
    "2027-05-10T03:00:00Z".parse().unwrap()
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &"hiroshima".parse().unwrap(), now(), Incarnation(Uuid::from_u128(1))).unwrap()
}

fn fill(conn: &Connection) {
    conn.execute_batch("BEGIN").unwrap();
    fill_in(conn);
    conn.execute_batch("COMMIT").unwrap();
}

fn fill_in(conn: &Connection) {
    let old = sql::ms("2026-04-01T03:00:00Z".parse().unwrap());
    let script = format!(
        "INSERT INTO contractor VALUES ('k', '業者');
        INSERT INTO contract VALUES ('c', 'k', '2026-04-01', '2029-03-31');
        INSERT INTO vehicle VALUES ('v', 'c', '1号車', '東');
        INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES ('t-1', 'c', 'v', x'00', 0);
        INSERT INTO log (id, terminal, kind, epoch, held, digest, opened_at) VALUES
            (1, 't-1', 'fact', x'01', 2, x'00', 0), (2, 't-1', 'track', x'02', 900, x'00', 0);
        INSERT INTO entry VALUES (1, 1, x'11', x'00', '{{\"fact\":1}}', {old}), (1, 2, x'12', x'00', '{UNREADABLE}', {old});
        INSERT INTO note VALUES (x'01', '{NOTE}', {old}), (x'02', 'kept words', {});
        INSERT INTO aside (at, topic, terminal, log, seq, problem, raw, bytes)
            VALUES ({old}, 'x', 't-1', 1, 2, 'p', '{RAW}', 3);
        UPDATE aside SET raw = CAST('{RAW}' AS BLOB);
        INSERT INTO import (id, at, file, sha256, profile, state, counts, content)
            VALUES (1, {old}, 'f.csv', x'00', 'p', 'held', '{{}}', CAST('{HELD}' AS BLOB));
        INSERT INTO import (id, at, file, sha256, profile, state, counts, kept, profile_text)
            VALUES (2, {old}, 'g.csv', x'00', 'p', 'held', '{{}}', 7, 'p');
        INSERT INTO kept_part VALUES (7, 0, CAST('{HELD_PART}' AS BLOB)), (7, 1, x'00'), (7, 2, x'00'), (7, 3, x'00'),
            (7, 4, x'00'), (8, 0, CAST('of an import under way' AS BLOB));
        INSERT INTO notice (at, kind, detail) VALUES ({old}, 'import_held', '{{\"import\":1}}');
        INSERT INTO document VALUES ('t-1', 'list/c/2026-04-01', 1, x'00', x'00', '{LISTED}');",
        sql::ms(now())
    );
    conn.execute_batch(&script.replace(&format!("'{RAW}', 3)"), "x'', 3)")).unwrap();
    // Three days: long ago, the last that goes, and the first that stays.
    for (n, day, town) in [(1_u8, "2026-04-01", OLD), (2, "2026-04-09", OLD), (3, "2026-04-10", NEW)] {
        let insert =
            "INSERT INTO pickup (id, uid, source, source_key, date, district, ward, contract, vehicle, stop,
                reception, items, payment, state)
            VALUES (?1, ?2, 's', ?3, ?4, '中区A', '中区', 'c', 'v', 1, '4417', '[]', 'tickets', 'collected')";
        conn.execute(insert, params![n, vec![n], n.to_string(), day]).unwrap();
        let insert = "INSERT INTO resident (pickup, rev, town) VALUES (?1, 1, ?2)";
        conn.execute(insert, params![n, town]).unwrap();
        let insert =
            "INSERT INTO fact (id, log, seq, terminal, pickup, contract, body, terminal_at, received_at)
            VALUES (?1, 1, ?2, 't-1', ?2, 'c', '{}', 0, 0)";
        conn.execute(insert, params![vec![n], i64::from(n)]).unwrap();
        conn.execute(
            "INSERT INTO history (pickup, at, kind, fact) VALUES (?1, 0, 'outcome', ?2)",
            params![n, vec![n]],
        )
        .unwrap();
    }
    // One health sample an hour, up to now.
    for seq in 1..=900_i64 {
        let at = sql::ms(now()) - (900 - seq) * 12 * 3_600_000;
        conn.execute("INSERT INTO entry VALUES (2, ?1, x'21', x'00', '{}', ?2)", [seq, at]).unwrap();
        conn.execute("INSERT INTO health VALUES (2, ?1, ?2, 'app', 0, NULL, NULL)", [seq, at]).unwrap();
    }
}

fn count(conn: &Connection, select: &str) -> i64 {
    conn.query_row(select, [], |row| row.get(0)).unwrap()
}

/// Runs an erasure in the shortest steps, each in a transaction of its own; how many there were.
fn erase(store: &mut Store, retention: &Retention) -> (Counts, u32) {
    let mut erasing = Erasing::new(retention, now());
    let mut steps = 0;
    loop {
        steps += 1;
        let tx = store.conn.transaction().unwrap();
        let over = erasing.step(&tx, &mut Effects::default(), Duration::ZERO).unwrap();
        tx.commit().unwrap();
        if over {
            return (erasing.counts(), steps);
        }
    }
}

fn bytes_of(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn what_is_due_goes_to_the_last_byte_and_statistics_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&store.conn);
    let gone = [OLD, NOTE, RAW, UNREADABLE, HELD, HELD_PART, LISTED];
    let before = bytes_of(dir.path());
    assert!(gone.iter().all(|word| holds(&before, word)));

    let retention = Retention::default();
    let due = outlook(&store.conn, &retention, now()).unwrap();
    assert_eq!(due.residents_before, Some(date(2026, 4, 10)));
    let (counts, steps) = erase(&mut store, &retention);
    assert_eq!(due.due, counts, "what was foretold");
    // 90 days of two samples a day are kept, and those of today.
    let samples = u64::try_from(900 - count(&store.conn, "SELECT count(*) FROM health")).unwrap();
    assert_eq!(
        counts,
        Counts { pickups: 2, notes: 1, lists: 1, asides: 1, held_files: 2, entries: 1, samples }
    );
    assert!((715..=725).contains(&samples) && steps > 5, "{samples} {steps}");
    assert_eq!(
        count(&store.conn, "SELECT count(*) FROM entry WHERE log = 2"),
        900 - i64::try_from(samples).unwrap()
    );

    // Every statistic is as before.
    for (what, left) in
        [("pickup", 3), ("fact", 3), ("history", 3), ("resident", 1), ("note", 1), ("aside", 1)]
    {
        assert_eq!(count(&store.conn, &format!("SELECT count(*) FROM {what}")), left, "{what}");
    }
    assert_eq!(count(&store.conn, "SELECT count(*) FROM pickup WHERE erased_at IS NOT NULL"), 2);
    assert_eq!(count(&store.conn, "SELECT count(*) FROM notice WHERE settled_at IS NULL"), 0);
    let past = outlook(&store.conn, &retention, now()).unwrap();
    assert_eq!(
        (past.due, past.past.len(), past.past[0].counts),
        (Counts::default(), 1, counts),
        "said in counts"
    );

    assert_eq!(count(&store.conn, "SELECT count(*) FROM kept_part"), 1, "what is being taken is not held");
    assert_eq!(count(&store.conn, "SELECT count(*) FROM import WHERE state = 'dropped' AND kept IS NULL"), 2);
    // A second look finds nothing, and says nothing.
    assert_eq!(erase(&mut store, &retention).0, Counts::default());
    assert_eq!(count(&store.conn, "SELECT count(*) FROM erasure"), 1);
    store.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let after = bytes_of(dir.path());
    for word in gone {
        assert!(!holds(&after, word), "{word} is still in a file");
    }
    assert!(holds(&after, NEW), "what is not due stays");
}

#[test]
fn what_is_erased_never_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&store.conn);
    erase(&mut store, &Retention::default());
    // As a file of the old day would write it.
    for (pickup, comes) in [(1, 0), (3, 1)] {
        let insert = "INSERT INTO resident (pickup, rev, town) VALUES (?1, 2, 'again')";
        store.conn.execute(insert, [pickup]).unwrap();
        let select = format!("SELECT count(*) FROM resident WHERE pickup = {pickup} AND rev = 2");
        assert_eq!(count(&store.conn, &select), comes, "{pickup}");
    }
    assert_eq!(count(&store.conn, "SELECT count(*) FROM pickup WHERE id = 1 AND erased_at IS NOT NULL"), 1);
}

#[test]
fn zero_months_keep_residents_data() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    fill(&store.conn);
    let (counts, _) = erase(&mut store, &Retention { residents_months: 0, ..Retention::default() });
    assert_eq!(
        (counts.pickups, counts.notes, counts.entries, counts.held_files, counts.asides),
        (0, 0, 0, 0, 0)
    );
    assert!(counts.samples > 0 && counts.lists == 1);
    assert_eq!(count(&store.conn, "SELECT count(*) FROM resident"), 3);
}

/// Whoever reads when the erasure ends, as a backup, keeps it in the write-ahead log; once nobody does it goes from there.
#[tokio::test]
async fn what_a_reader_holds_in_the_log_goes_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store.conn);
    let reader = Connection::open(dir.path().join("meguri.db")).unwrap();
    let snapshot = reader.unchecked_transaction().unwrap();
    assert_eq!(count(&snapshot, "SELECT count(*) FROM resident"), 3);

    let city: CityId = "hiroshima".parse().unwrap();
    let (outbox, _waiting) = Outbox::new(city.clone());
    let mut settings = Settings::default();
    settings.retention.residents_months = 1;
    let parts = Parts { store, city, clock: Clock::system(), changes: Changes::new(), outbox, settings };
    let (writer, running) = Writer::start(parts).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let look = async |what: &str, is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert!(Instant::now() < until, "not in time: {what}");
            writer.day().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    look("it is erased", &|| writer.vitals().counts().erased.get() >= 3).await;
    assert!(holds(&bytes_of(dir.path()), OLD), "somebody still reads it");
    drop(snapshot);
    look("the log is empty", &|| !holds(&bytes_of(dir.path()), OLD)).await;
    writer.stop().await;
    running.ended().await.unwrap();
}
