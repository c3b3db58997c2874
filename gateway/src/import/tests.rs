//! Files against a real store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use meguri_proto::{FactId, Incarnation};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::ingest::{Context, Effects, Memory};
use crate::pickups;
use crate::store::Store;
use crate::touched::Touched;

/// The demo's profile for files without 状態.
static PROFILE: LazyLock<String> = LazyLock::new(|| {
    let demo = include_str!("../../../tests/demo/day.profile.toml");
    demo.lines().filter(|line| !line.starts_with("status = ")).map(|line| format!("{line}\n")).collect()
});
const CHANGES: &str = include_str!("../../../tests/demo/changes.profile.toml");
const HEADER: &str = "受付番号,収集日,地区,区,町丁目,番地,建物,排出場所,連絡事項,緯度,経度,支払,\
    品目1,個数1,券1,リサイクル1,品目2,個数2,券2,リサイクル2";

const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区", "東区"]
[[contractor]]
id = "daiichi"
name = "第一収集"
[[contract]]
id = "daiichi-2026"
contractor = "daiichi"
from = 2026-04-01
until = 2027-03-31
[[vehicle]]
id = "v-1"
contract = "daiichi-2026"
name = "1号車"
round = "中区A"
[[vehicle]]
id = "v-2"
contract = "daiichi-2026"
name = "2号車"
round = "東区A"
[[district]]
name = "中区A"
ward = "中区"
vehicle = "v-1"
[[district]]
name = "東区A"
ward = "東区"
vehicle = "v-2"
"#;

fn city() -> City {
    // TOML knows dates; the plan wants text.
    let text = CITY
        .replace("from = 2026-04-01", "from = \"2026-04-01\"")
        .replace("until = 2027-03-31", "until = \"2027-03-31\"");
    City::parse(Path::new("city.toml"), &text).unwrap()
}

struct Office {
    _dir: TempDir,
    store: Store,
    city: City,
    now: Timestamp,
}

impl Office {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let city = city();
        // A day before the pickups.
        let now = "2026-06-09T03:00:00Z".parse().unwrap();
        let store = Store::open(dir.path(), &city.id, now, Incarnation(Uuid::from_u128(1))).unwrap();
        crate::plan::take_over(&store.conn, now, &city).unwrap();
        // Nobody cuts the power here, and turns are many.
        store.conn.pragma_update(None, "synchronous", "OFF").unwrap();
        Self { _dir: dir, store, city, now }
    }

    fn prepare(&self, command: Command) -> Result<Prepared, ImportError> {
        Prepared::new(&self.store.conn, &self.city, Arc::new(command), &Progress::default())
    }

    fn run(&mut self, command: Command) -> Result<Report, ImportError> {
        let prepared = self.prepare(command)?;
        self.take(prepared, &mut Touched::default())
    }

    /// Takes what is prepared, every turn in a transaction of its own that does as little as it can.
    fn take(&mut self, prepared: Prepared, touched: &mut Touched) -> Result<Report, ImportError> {
        if prepared.rejected() {
            return Ok(prepared.report().clone());
        }
        let command = prepared.command.clone();
        let mut taking = Taking::new(prepared, Default::default(), Progress::default());
        loop {
            match self.turn(&mut taking, touched)? {
                Turn::Again => {}
                Turn::Done(report) => return Ok(*report.unwrap()),
                Turn::Moved => {
                    let progress = Progress::default();
                    let again = Prepared::new(&self.store.conn, &self.city, command.clone(), &progress)?;
                    taking = Taking::new(again, Default::default(), progress);
                }
            }
        }
    }

    fn turn(&mut self, taking: &mut Taking, touched: &mut Touched) -> Result<Turn, ImportError> {
        let tx = self.store.conn.transaction().unwrap();
        let incarnation = Incarnation(Uuid::from_u128(1));
        let mut memory = Memory::default();
        let mut ctx = Context::new(self.now, &self.city.id, incarnation, &mut memory);
        let mut fx = Effects::default();
        let turn = taking.turn(&tx, &mut ctx, &mut fx, Duration::ZERO)?;
        tx.commit().map_err(store("commit"))?;
        touched.merge(fx.touched);
        Ok(turn)
    }

    /// Goes on with what was left over.
    fn go_on(&mut self) {
        let mut taking = Taking::left_over(Default::default(), Progress::default());
        while matches!(self.turn(&mut taking, &mut Touched::default()).unwrap(), Turn::Again) {}
    }

    fn room(&self, more: i64) {
        let pages: i64 = self.store.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let most = format!("PRAGMA max_page_count = {}", pages + more);
        self.store.conn.query_row(&most, [], |_| Ok(())).unwrap();
    }

    fn import(&mut self, profile: &str, content: &str) -> Report {
        self.run(file(profile, content)).unwrap()
    }

    fn day(&mut self, lines: &[String]) -> Report {
        self.import(&PROFILE, &day(lines))
    }

    fn texts(&self, select: &str) -> Vec<String> {
        let mut statement = self.store.conn.prepare(select).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values = (0..columns).map(|column| {
                use rusqlite::types::Value::{Blob, Integer, Null, Real, Text};
                Ok(match row.get::<_, rusqlite::types::Value>(column)? {
                    Null => "-".to_owned(),
                    Integer(number) => number.to_string(),
                    Real(number) => number.to_string(),
                    Text(text) => text,
                    Blob(_) => "(bytes)".to_owned(),
                })
            });
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    /// All that requests became, without the numbers of rows.
    fn all(&self) -> Vec<String> {
        let mut all = self.texts(
            "SELECT source_key, date, district, ward, contract, vehicle, stop, reception, items, payment, office,
                pickup.rev, changed_on, state, town, lot, building, spot, notice, lat, lng
            FROM pickup JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev ORDER BY source_key",
        );
        all.extend(self.texts(
            "SELECT source_key, kind, detail FROM history JOIN pickup ON pickup.id = pickup ORDER BY source_key, history.id",
        ));
        all
    }

    fn history(&self, reception: &str) -> Vec<String> {
        self.texts(&format!(
            "SELECT kind, detail FROM history JOIN pickup ON pickup.id = history.pickup
            WHERE reception = '{reception}' ORDER BY history.id"
        ))
    }
}

fn file(profile: &str, content: &str) -> Command {
    let (content, profile) = (content.to_owned(), profile.to_owned());
    let (name, days) = ("day.csv".to_owned(), Vec::new());
    Command::File(File { name, content, profile, days, accept_good: false, changes: false })
}

fn day(lines: &[String]) -> String {
    format!("{HEADER}\n{}\n", lines.join("\n"))
}

fn line(reception: u32) -> String {
    format!(
        "{reception:04},2026-06-10,中区A,中区,紙屋町一丁目,1-{reception},,門の前,,34.39,132.45,納付券,椅子,2,250x1,,机,,1000x1+250x1,"
    )
}

fn lines(count: u32) -> Vec<String> {
    (1..=count).map(line).collect()
}

fn problems(content: &str) -> Vec<String> {
    let mut office = Office::new();
    let before = office.texts("SELECT count(*) FROM import");
    let report = office.import(&PROFILE, content);
    assert_eq!(report.outcome, Outcome::Rejected, "{report}");
    assert_eq!(report.exit_status(), 2);
    assert_eq!(office.texts("SELECT count(*) FROM pickup"), ["0"]);
    assert_eq!(office.texts("SELECT count(*) FROM import"), before);
    report.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn takes_a_day() {
    let mut office = Office::new();
    let mut all = lines(3);
    all.push(line(4).replace("中区A,中区", "東区A,東区").replace("納付券", "免除"));
    let report = office.day(&all);
    assert_eq!((report.outcome, report.exit_status(), report.import), (Outcome::Applied, 0, Some(1)));
    let counts = Counts { lines: 4, requests: 4, added: 4, ..Counts::default() };
    assert_eq!((report.counts, report.days.len()), (counts, 1));
    assert_eq!(
        office.texts(
            "SELECT source_key, vehicle, contract, stop, reception, payment, office, state FROM pickup"
        ),
        [
            "2026-06-10/中区A/0001 v-1 daiichi-2026 1 0001 tickets \"planned\" open",
            "2026-06-10/中区A/0002 v-1 daiichi-2026 2 0002 tickets \"planned\" open",
            "2026-06-10/中区A/0003 v-1 daiichi-2026 3 0003 tickets \"planned\" open",
            "2026-06-10/東区A/0004 v-2 daiichi-2026 1 0004 number_tag \"planned\" open",
        ]
    );
    assert_eq!(
        office.texts("SELECT items FROM pickup LIMIT 1"),
        [
            r#"[{"count":2,"name":"椅子","tickets":[{"count":1,"yen":250}]},{"count":1,"name":"机","tickets":[{"count":1,"yen":1000},{"count":1,"yen":250}]}]"#
        ]
    );
    assert_eq!(
        office.texts("SELECT rev, town, lot, building, spot, notice, lat, lng FROM resident LIMIT 1"),
        ["1 紙屋町一丁目 1-1  門の前  34.39 132.45"]
    );
    assert_eq!(office.history("0001"), ["added {\"rev\":1}"]);
}

#[test]
fn the_same_file_again_changes_nothing() {
    let mut office = Office::new();
    office.day(&lines(20));
    let before = office.all();
    let report = office.day(&lines(20));
    let counts = Counts { lines: 20, requests: 20, unchanged: 20, ..Counts::default() };
    assert_eq!((report.outcome, report.counts), (Outcome::Applied, counts));
    assert_eq!(office.all(), before);
}

#[test]
fn a_changed_line_is_an_update_with_history() {
    let mut office = Office::new();
    office.day(&lines(20));
    let mut all = lines(20);
    all[1] = all[1].replace("門の前", "車庫の横").replace("椅子,2", "椅子,3");
    let report = office.day(&all);
    let counts = Counts { lines: 20, requests: 20, changed: 1, unchanged: 19, ..Counts::default() };
    assert_eq!(report.counts, counts);
    let history = office.history("0002");
    assert_eq!(history.len(), 2);
    assert!(history[1].starts_with("changed {\"fields\":{\"items\":[[{"), "{}", history[1]);
    assert!(history[1].ends_with("\"spot\":null},\"rev\":2}"), "{}", history[1]);
    assert!(!history[1].contains("車庫"), "residents' data in history");
    // Both revisions of residents' data are there; the day before is no change of the day.
    assert_eq!(
        office.texts("SELECT resident.rev, spot, pickup.rev, changed_on FROM resident JOIN pickup ON id = pickup WHERE reception = '0002'"),
        ["1 門の前 2 -", "2 車庫の横 2 -"]
    );
    // On the day itself, in Japan: 00:30 there is the day before in UTC.
    office.now = "2026-06-09T15:30:00Z".parse().unwrap();
    all[2] = all[2].replace("門の前", "車庫の横");
    office.day(&all);
    assert_eq!(office.texts("SELECT reception FROM pickup WHERE changed_on = date"), ["0003"]);
}

#[test]
fn a_new_order_is_no_change_of_pickups() {
    let mut office = Office::new();
    office.day(&lines(20));
    let history = office.texts("SELECT count(*) FROM history");
    office.now = "2026-06-10T01:00:00Z".parse().unwrap();
    let mut all = lines(20);
    all.swap(0, 1);
    let report = office.day(&all);
    assert_eq!((report.counts.reordered, report.counts.changed, report.counts.unchanged), (2, 0, 18));
    assert_eq!(office.texts("SELECT reception FROM pickup ORDER BY stop LIMIT 2"), ["0002", "0001"]);
    assert_eq!(office.texts("SELECT count(*) FROM history"), history);
    assert_eq!(office.texts("SELECT count(*) FROM pickup WHERE changed_on IS NOT NULL"), ["0"]);
}

#[test]
fn a_number_written_otherwise_is_the_same_request() {
    let mut office = Office::new();
    office.day(&lines(2));
    let before = office.all();
    for (written, date) in
        [("1", "2026-06-10"), ("０００１", "2026-06-10"), ("１", "２０２６-０６-１０"), ("01", "2026-6-10")]
    {
        let first = line(1).replacen("0001,2026-06-10", &format!("{written},{date}"), 1);
        let report = office.day(&[first.clone(), line(2)]);
        assert_eq!((report.outcome, report.counts.unchanged), (Outcome::Applied, 2), "{written}: {report}");
        assert_eq!(office.all(), before, "{written}");
        // Twice in one file it is one request, too.
        let told = problems(&day(&[first, line(1)]));
        assert_eq!(told, ["line 3: expected each request once, found the key of line 2 again"], "{written}");
    }
}

/// What a field takes of a cell, or makes of it, may be the same for different requests.
#[test]
fn keys_do_not_lose_what_a_field_leaves_out() {
    let mut office = Office::new();
    let profile = PROFILE
        .replace(
            "reception = { column = \"受付番号\", pad = 4 }",
            "reception = { column = \"受付番号\", after = \"-\" }",
        )
        .replace(
            "district = \"地区\"",
            "district = { column = \"地区\", map = { \"01\" = \"中区A\", \"02\" = \"中区A\" } }",
        );
    let numbers = ["A-0001,2026-06-10,01,", "B-0001,2026-06-10,01,", "A-0001,2026-06-10,02,"];
    let all: Vec<String> =
        numbers.iter().map(|number| line(1).replacen("0001,2026-06-10,中区A,", number, 1)).collect();
    let report = office.import(&profile, &day(&all));
    assert_eq!((report.outcome, report.counts.added), (Outcome::Applied, 3), "{report}");
}

#[test]
fn marks_that_turn_the_writing_are_left_out() {
    let mut office = Office::new();
    office.day(&[line(1).replace("門の前", "門の\u{202e}前\u{2069}").replacen("0001", "\u{2066}0001", 1)]);
    assert_eq!(office.texts("SELECT spot, reception FROM resident, pickup"), ["門の前 0001"]);
}

/// On a full disk before the decision nothing is taken; after it, everything once there is room.
#[test]
fn a_full_disk_is_told_as_such() {
    let mut office = Office::new();
    office.room(4);
    let error = office.run(file(&PROFILE, &day(&lines(500)))).unwrap_err().to_string();
    assert!(
        error.contains("the store can't prepare what the file says: database or disk is full"),
        "{error}"
    );
    assert_eq!(office.texts("SELECT count(*) FROM pickup, import"), ["0"]);
    office.room(1_000);
    office.go_on();
    assert_eq!(office.texts("SELECT count(*) FROM pickup"), ["0"]);
    assert_eq!(office.texts("SELECT count(*) FROM taking_step"), ["0"]);

    let prepared = office.prepare(file(&PROFILE, &day(&lines(500)))).unwrap();
    let mut taking = Taking::new(prepared, Default::default(), Progress::default());
    while office.texts("SELECT import FROM taking").is_empty() {
        office.turn(&mut taking, &mut Touched::default()).unwrap();
    }
    office.room(4);
    let error = loop {
        match office.turn(&mut taking, &mut Touched::default()) {
            Ok(turn) => assert!(matches!(turn, Turn::Again)),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("the store can't take what the file says: database or disk is full"), "{error}");
    assert_ne!(office.texts("SELECT count(*) FROM pickup"), ["500"]);
    office.room(1_000);
    office.go_on();
    assert_eq!(office.texts("SELECT count(*) FROM pickup"), ["500"]);
    assert_eq!(office.texts("SELECT count(*) FROM history"), ["500"]);
    assert_eq!(office.day(&lines(500)).counts.unchanged, 500);
}

/// An error that SQLite answers by undoing the whole transaction, as it does on a full disk.
#[test]
fn why_a_file_was_not_taken_is_not_hidden_by_undoing_it() {
    let mut office = Office::new();
    let trigger =
        "CREATE TRIGGER refuse BEFORE INSERT ON pickup BEGIN SELECT RAISE(ROLLBACK, 'the cause'); END";
    office.store.conn.execute_batch(trigger).unwrap();
    let error = office.run(file(&PROFILE, &day(&lines(2)))).unwrap_err().to_string();
    assert_eq!(error, "the store can't take what the file says: the cause");
}

/// Wherever an import is interrupted, all of it is taken or nothing.
#[test]
fn interrupted_anywhere_it_is_taken_whole_or_not_at_all() {
    let mut changed = lines(20);
    changed.remove(7);
    changed[3] = changed[3].replace("門の前", "車庫の横").replace("06-10,中区A,中区", "06-10,東区A,東区");
    changed.push(line(41));
    let profile = PROFILE.replace("missing_percent = 5", "missing_percent = 50");
    let mut whole = Office::new();
    whole.day(&lines(20));
    let before = whole.all();
    whole.import(&profile, &day(&changed));
    let after = whole.all();
    assert!(before != after);
    let mut decided = None;
    for turns in 0.. {
        let mut office = Office::new();
        office.day(&lines(20));
        let prepared = office.prepare(file(&profile, &day(&changed))).unwrap();
        let mut taking = Taking::new(prepared, Default::default(), Progress::default());
        let mut through = false;
        for _ in 0..turns {
            through = matches!(office.turn(&mut taking, &mut Touched::default()).unwrap(), Turn::Done(_));
        }
        let is_decided = office.texts("SELECT count(*) FROM import") == ["2"];
        drop(taking);
        office.go_on();
        assert!(office.all() == if is_decided { after.clone() } else { before.clone() }, "{turns} turns");
        assert_eq!(office.texts("SELECT count(*) FROM taking_step"), ["0"]);
        assert_eq!(office.texts("SELECT count(*) FROM taking"), ["0"]);
        if is_decided && decided.is_none() {
            decided = Some(turns);
        }
        if through {
            assert!(decided.is_some_and(|first| first > 2 && first + 2 < turns), "{decided:?} of {turns}");
            break;
        }
    }
}

/// A held file of many parts comes back as it was, and goes when it is settled.
#[test]
fn a_large_file_is_held_in_parts() {
    let mut office = Office::new();
    let wide = |line: String| line.replace("門の前", &"門".repeat(490));
    let all: Vec<_> = (0..4)
        .flat_map(|n| (1..=300).map(move |m| wide(line(m)).replace("06-10", &format!("06-1{n}"))))
        .collect();
    office.day(&all);
    let short: Vec<_> = all.iter().skip(300).step_by(2).cloned().collect();
    let mut named = file(&PROFILE, &day(&short));
    if let Command::File(file) = &mut named {
        file.days = (0..4).map(|n| format!("2026-06-1{n}").parse().unwrap()).collect();
        file.accept_good = true;
    }
    let held = office.run(named.clone()).unwrap();
    assert_eq!(held.outcome, Outcome::Held);
    assert!(office.texts("SELECT count(*) FROM kept_part")[0].parse::<u32>().unwrap() > 1);
    let id = held.import.unwrap();
    let Command::File(file) = named else { unreachable!() };
    let found = held::find(&office.store.conn, id).unwrap();
    assert_eq!(
        (found.file.content == file.content, found.file.days, found.file.accept_good),
        (true, file.days, true)
    );
    assert_eq!(found.file.profile, file.profile);
    assert_eq!(office.run(Command::Release { id, anyway: false }).unwrap().counts.cancelled, 750);
    assert_eq!(office.texts("SELECT count(*) FROM kept_part"), ["0"]);
}

#[test]
fn a_held_file_that_is_not_whole_any_more_is_not_released() {
    let mut office = Office::new();
    office.day(&lines(20));
    let id = office.day(&lines(2)).import.unwrap();
    // As in the midst of an erasure: the rest of the file would name fewer requests.
    office.store.conn.execute("UPDATE kept_part SET content = substr(content, 1, 400)", []).unwrap();
    let refused = office.run(Command::Release { id, anyway: false }).unwrap_err();
    assert!(refused.to_string().contains("no more kept whole"), "{refused}");
    assert_eq!(office.texts("SELECT count(*) FROM pickup WHERE state = 'cancelled'"), ["0"]);
}

#[test]
fn what_is_erased_does_not_differ_and_a_later_day_has_its_address() {
    let profile = PROFILE.replace("key = [\"収集日\", \"地区\", \"受付番号\"]", "key = [\"受付番号\"]");
    let mut office = Office::new();
    office.import(&profile, &day(&lines(20)));
    office.store.conn.execute_batch("DELETE FROM resident; UPDATE pickup SET erased_at = 1").unwrap();
    let before = office.texts("SELECT count(*) FROM history");
    for _ in 0..2 {
        let again = office.import(&profile, &day(&lines(20)));
        assert_eq!((again.counts.unchanged, again.counts.changed), (20, 0));
    }
    assert_eq!(office.texts("SELECT count(*) FROM history"), before);
    let told = office.texts("SELECT detail FROM notice WHERE kind = 'stays_erased'");
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("\"pickups\":20"), "{told:?}");
    // The number is used again, for a day that is still ahead.
    let mut all = lines(20);
    all[0] = all[0].replace("06-10", "06-12").replace("紙屋町", "本通");
    assert_eq!(office.import(&profile, &day(&all)).counts.changed, 1);
    let there =
        "SELECT reception, town, erased_at IS NULL FROM pickup JOIN resident ON resident.pickup = pickup.id
        AND resident.rev = pickup.rev";
    assert_eq!(office.texts(there).len(), 1);
    assert!(office.texts(there)[0].contains("本通"), "{:?}", office.texts(there));
}

#[test]
fn what_is_missing_is_cancelled_and_what_comes_back_is_reinstated() {
    let mut office = Office::new();
    office.day(&lines(20));
    let report = office.day(&lines(19));
    assert_eq!((report.outcome, report.counts.cancelled, report.counts.unchanged), (Outcome::Applied, 1, 19));
    assert_eq!(
        office.texts("SELECT office, state FROM pickup WHERE reception = '0020'"),
        ["\"cancelled\" cancelled"]
    );
    assert_eq!(office.history("0020"), ["added {\"rev\":1}", "cancelled {\"missing\":true}"]);
    // Again: it is cancelled already.
    assert_eq!(office.day(&lines(19)).counts.cancelled, 0);
    let report = office.day(&lines(20));
    assert_eq!((report.counts.reinstated, report.counts.unchanged), (1, 19));
    assert_eq!(
        office.texts("SELECT office, state FROM pickup WHERE reception = '0020'"),
        ["\"planned\" open"]
    );
    assert_eq!(office.history("0020").last().unwrap(), "reinstated -");
    // Another day is another file's business.
    let other: Vec<_> = lines(1).iter().map(|line| line.replace("06-10", "06-11")).collect();
    assert_eq!(office.day(&other).counts.cancelled, 0);
}

#[test]
fn too_much_missing_is_held_until_a_person_releases_or_drops_it() {
    let mut office = Office::new();
    office.day(&lines(20));
    let before = office.all();
    let mut short = lines(18);
    short[0] = short[0].replace("門の前", "車庫の横");
    let report = office.day(&short);
    assert_eq!((report.outcome, report.exit_status(), report.import), (Outcome::Held, 3, Some(2)));
    let missing = Missing { date: "2026-06-10".parse().unwrap(), planned: 20, missing: 2 };
    assert_eq!(report.missing, [missing]);
    assert_eq!(office.all(), before);
    assert_eq!(office.texts("SELECT kind, detail, settled_at FROM notice"), ["import_held {\"import\":2} -"]);
    // The same file again is the same held import.
    assert_eq!(office.day(&short).import, Some(2));
    assert_eq!(office.texts("SELECT count(*) FROM notice"), ["1"]);

    // Of other days and another source much may be taken.
    let tomorrow = day(&lines(1)).replace("06-10", "06-11");
    let others = PROFILE.replacen("source = \"", "source = \"other-", 1);
    assert_eq!(office.import(&PROFILE, &tomorrow).outcome, Outcome::Applied);
    assert_eq!(office.import(&others, &day(&[line(99)])).outcome, Outcome::Applied);
    assert_eq!(held::all(&office.store.conn).unwrap()[0].newer, []);
    // Meanwhile a newer file was taken: that is said everywhere, and only a person who knows of it releases this one.
    let mut other = lines(20);
    other[1] = other[1].replace("門の前", "店の前");
    let id = office.day(&other).import.unwrap();
    let newer = format!("2026-06-10: a newer file was taken as import {id} on 2026-06-09T03:00:00Z");
    let waiting = held::all(&office.store.conn).unwrap();
    assert_eq!(waiting[0].newer[0].to_string(), newer);
    let (release, before) = (|anyway| Command::Release { id: 2, anyway }, office.all());
    let dry = office.prepare(release(false)).unwrap().report().clone();
    let told = Report { dry_run: true, ..dry }.to_string();
    assert!(told.contains(&newer) && told.contains("--anyway"), "{told}");
    let refused = office.run(release(false)).unwrap_err().to_string();
    assert!(refused.contains(&newer) && refused.contains("import release 2 --anyway"), "{refused}");
    assert_eq!(office.all(), before);
    // The release compares anew.
    let report = office.run(release(true)).unwrap();
    assert_eq!((report.outcome, report.import), (Outcome::Applied, Some(2)));
    assert_eq!((report.counts.changed, report.counts.cancelled), (2, 2));
    assert!(report.to_string().contains(&newer), "{report}");
    let import = "SELECT state, content, profile_text FROM import WHERE id = 2";
    assert_eq!(office.texts(import), ["applied - -"]);
    assert_eq!(office.texts("SELECT settled_at IS NOT NULL FROM notice"), ["1"]);
    let again = office.run(release(true)).unwrap_err().to_string();
    assert_eq!(again, "import 2 is applied; only held imports are released or dropped");

    // And one that is dropped.
    let report = office.day(&lines(10));
    let id = report.import.unwrap();
    let before = office.all();
    assert_eq!(office.run(Command::Drop { id }).unwrap().outcome, Outcome::Dropped);
    assert_eq!(office.all(), before);
    assert_eq!(office.texts(&format!("SELECT state, content FROM import WHERE id = {id}")), ["dropped -"]);
    assert!(office.run(Command::Drop { id: 99 }).unwrap_err().to_string().contains("does not exist"));
}

#[test]
fn a_file_of_changes_cancels_only_what_it_says_and_leaves_stops() {
    let mut office = Office::new();
    office.day(&lines(20));
    let mut changes = [
        format!("{},取消", line(5)),
        format!("{},予定", line(7).replace("門の前", "車庫の横")),
        format!("{},", line(21)),
        format!("{},取消", line(22)),
    ];
    let content = format!("{HEADER},状態\n{}\n", changes.join("\n"));
    let report = office.import(CHANGES, &content);
    let counts = Counts { lines: 4, requests: 4, added: 2, changed: 1, cancelled: 2, ..Counts::default() };
    assert_eq!((report.outcome, report.counts), (Outcome::Applied, counts));
    assert_eq!(office.history("0005"), ["added {\"rev\":1}", "cancelled -"]);
    assert_eq!(office.history("0022"), ["added {\"rev\":1}", "cancelled -"]);
    assert_eq!(
        office.texts("SELECT reception, stop FROM pickup WHERE reception IN ('0007', '0021', '0022')"),
        ["0007 7", "0021 21", "0022 22"]
    );
    let before = office.all();
    assert_eq!(office.import(CHANGES, &content).counts.unchanged, 4);
    assert_eq!(office.all(), before);
    changes[0] = format!("{},予定", line(5));
    let report = office.import(CHANGES, &format!("{HEADER},状態\n{}\n", changes.join("\n")));
    assert_eq!(report.counts.reinstated, 1);
}

#[test]
fn a_request_that_moves_keeps_its_history() {
    let profile = PROFILE.replace("key = [\"収集日\", \"地区\", \"受付番号\"]", "key = [\"受付番号\"]");
    let mut office = Office::new();
    let content = |lines: &[String]| day(lines);
    office.import(&profile, &content(&lines(20)));
    let mut all = lines(20);
    all[0] = all[0].replace("06-10", "06-12").replace("中区A,中区", "東区A,東区");
    let mut touched = Touched::default();
    let prepared = office.prepare(file(&profile, &content(&all))).unwrap();
    let report = office.take(prepared, &mut touched).unwrap();
    assert_eq!((report.counts.changed, report.counts.cancelled, report.counts.added), (1, 0, 0));
    // Both lists are made anew.
    let rounds: Vec<_> =
        touched.rounds.iter().map(|round| format!("{} {}", round.date, round.vehicle)).collect();
    assert_eq!(rounds, ["2026-06-10 v-1", "2026-06-12 v-2"]);
    let history = office.history("0001");
    assert!(history[1].contains("\"date\":[\"2026-06-10\",\"2026-06-12\"]"), "{}", history[1]);
    assert!(history[1].contains("\"vehicle\":[\"v-1\",\"v-2\"]"), "{}", history[1]);
}

#[test]
fn what_the_field_said_stays_and_is_contradicted() {
    let mut office = Office::new();
    office.day(&lines(20));
    let conn = &office.store.conn;
    let uid: Vec<u8> =
        conn.query_row("SELECT uid FROM pickup WHERE reception = '0020'", [], |row| row.get(0)).unwrap();
    let uid = Uuid::from_slice(&uid).unwrap();
    let fact = FactId(Uuid::from_u128(9));
    let body = json!({ "v": 1, "contract": "daiichi-2026", "config": 1, "at": { "terminal": "2026-06-10T01:00:00Z" },
        "fact": { "outcome": { "pickup": uid, "list": { "date": "2026-06-10", "version": 1 }, "result": "collected" } } });
    conn.execute_batch(
        "INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES ('t-1', 'daiichi-2026', 'v-1', x'00', 0);
        INSERT INTO log (id, terminal, kind, epoch, digest, opened_at) VALUES (1, 't-1', 'fact', randomblob(16), x'00', 0);",
    )
    .unwrap();
    let insert = "INSERT INTO fact (id, log, seq, terminal, pickup, contract, body, terminal_at, received_at)
        VALUES (?1, 1, 1, 't-1', 20, 'daiichi-2026', ?2, 0, 0)";
    conn.execute(insert, params![fact.0.as_bytes().as_slice(), body.to_string()]).unwrap();
    let insert = "INSERT INTO history (pickup, at, kind, fact) VALUES (20, 0, 'outcome', ?1)";
    conn.execute(insert, [fact.0.as_bytes().as_slice()]).unwrap();
    pickups::refresh(conn, 20).unwrap();
    office.day(&lines(19));
    assert_eq!(
        office.texts("SELECT office, state, contradictions FROM pickup WHERE id = 20"),
        ["\"cancelled\" collected [\"collected_though_cancelled\"]"]
    );
}

#[test]
fn a_plan_for_a_store_that_moved_on_is_made_anew() {
    let mut office = Office::new();
    office.day(&lines(20));
    let mut changed = lines(20);
    changed[0] = changed[0].replace("門の前", "車庫の横");
    // Prepared before, applied after another import and another decision.
    let prepared = office.prepare(file(&PROFILE, &day(&changed))).unwrap();
    office.day(&lines(21));
    let report = office.take(prepared, &mut Touched::default()).unwrap();
    assert_eq!((report.counts.changed, report.counts.cancelled), (1, 1));

    let prepared = office.prepare(file(&PROFILE, &day(&lines(20)))).unwrap();
    let imports = office.texts("SELECT count(*) FROM import");
    let decision = "UPDATE pickup SET office = '\"cancelled\"' WHERE reception = '0001';
        INSERT INTO history (pickup, at, kind) VALUES (1, 0, 'cancelled')";
    office.store.conn.execute_batch(decision).unwrap();
    let report = office.take(prepared, &mut Touched::default()).unwrap();
    assert_eq!((report.counts.changed, report.counts.reinstated), (1, 1));
    // The first try was given up.
    assert_eq!(imports, ["3"]);
    assert_eq!(office.texts("SELECT count(*) FROM import"), ["4"]);
}

#[test]
fn a_held_file_that_comes_again_is_the_newest() {
    let mut office = Office::new();
    office.day(&lines(20));
    let short = lines(10);
    assert_eq!(office.day(&short).import, Some(2));
    office.day(&lines(21));
    assert_eq!(office.day(&short).import, Some(4));
    let waiting = held::all(&office.store.conn).unwrap();
    assert_eq!((waiting.len(), waiting[0].import, waiting[0].newer.len()), (1, 4, 0));
    assert_eq!(office.texts("SELECT state FROM import WHERE id = 2"), ["dropped"]);
    assert_eq!(office.texts("SELECT count(*) FROM notice WHERE settled_at IS NULL"), ["1"]);
    assert_eq!(office.run(Command::Release { id: 4, anyway: false }).unwrap().counts.cancelled, 11);
}

#[test]
fn of_two_held_files_the_older_is_not_released_unseen() {
    let mut office = Office::new();
    office.day(&lines(20));
    office.day(&lines(10));
    office.day(&lines(9));
    // Prepared before the other's release, which makes no import anew, and written after it.
    let release = |id| Command::Release { id, anyway: false };
    let prepared = office.prepare(release(2)).unwrap();
    office.run(release(3)).unwrap();
    let refused = office.take(prepared, &mut Touched::default()).unwrap_err();
    assert!(refused.to_string().contains("a newer file was taken as import 3"), "{refused}");
}

#[test]
fn names_line_column_and_what_was_expected() {
    for (from, to, expected) in [
        (
            "2026-06-10",
            "2026-06-31",
            "line 3, column 2 (収集日): expected a date like %Y-%m-%d, found \"2026-06-31\"",
        ),
        (
            "2026-06-10",
            "2026-03-31",
            "line 3, column 2 (収集日): expected a day of contract daiichi-2026 of v-1, 2026-04-01 to 2027-03-31, found 2026-03-31",
        ),
        ("2026-06-10", "", "line 3, column 2 (収集日): expected a date like %Y-%m-%d, found nothing"),
        (
            "中区A",
            "南区A",
            "line 3, column 3 (地区): expected a district of city.toml, found \"南区A\"; a running gateway knows city.toml as it was at its start",
        ),
        (",中区,", ",南区,", "line 3, column 4 (区): expected a ward of city.toml, found \"南区\""),
        (
            "0002",
            "00 02",
            "line 3, column 1 (受付番号): expected a reception number, at most 40 letters, digits and hyphens, found \"00 02\"",
        ),
        ("紙屋町一丁目", "", "line 3, column 5 (町丁目): expected a town, found nothing"),
        ("34.39", "", "line 3, column 10 (緯度): expected both latitude and longitude, found one"),
        (
            "34.39",
            "134.39",
            "line 3, column 10 (緯度): expected degrees from -90 to 90, found something else",
        ),
        (
            "納付券",
            "現金",
            "line 3, column 12 (支払): expected one of キャッシュレス, シール不要, 免除, 番号札, 納付券, found \"現金\"",
        ),
        ("椅子,2", "椅子,0", "line 3, column 14 (個数1): expected a number from 1 to 999, found \"0\""),
        ("椅子,2", ",2", "line 3, column 13 (品目1): expected an item's name, found nothing"),
        (
            "250x1,,",
            "250,x,",
            "line 3, column 16 (リサイクル1): expected yes or no (1, yes, true, 有, あり, ○, 要; 0, no, false, 無, なし, ×, 不要), found \"x\"",
        ),
        (
            "1000x1+250x1",
            "1000x1+1000x2",
            "line 3, column 19 (券2): expected each value of tickets once, found \"1000x1+1000x2\"",
        ),
        (
            "紙屋町一丁目",
            "\"紙屋町\n一丁目\"",
            "line 3, column 5 (町丁目): expected one line, found a line break: is a quote missing?",
        ),
        (
            "門の前",
            "門\u{0}前",
            "line 3, column 8 (排出場所): expected printable characters, found the control character U+0000",
        ),
        (
            "椅子,2,250x1,,机,,1000x1+250x1,",
            ",,,,,,,",
            "line 3: expected at least one item of the request, found none",
        ),
    ] {
        let changed = line(2);
        assert!(changed.contains(from), "{from}");
        let found = problems(&day(&[line(1), changed.replacen(from, to, 1), line(3)]));
        assert_eq!(found, [expected]);
    }
    let by_building = PROFILE.replace("\"受付番号\"]", "\"建物\"]");
    let report = Office::new().import(&by_building, &day(&lines(1)));
    assert_eq!(
        report.problems[0].to_string(),
        "line 2, column 7 (建物): expected a part of the request's key, found nothing"
    );
    let long = problems(&day(&[line(1).replace("1-1,", &format!("{},", "あ".repeat(101)))]));
    assert_eq!(long, ["line 2, column 6 (番地): expected at most 100 characters, found 101"]);
    let huge = problems(&day(&[line(1).replace("門の前", &"あ".repeat(5_000_000))]));
    assert_eq!(huge, ["line 2, column 8 (排出場所): expected at most 500 characters, found 5000000"]);
    let ragged = problems(&day(&[line(1), line(2) + ",x", "a".to_owned()]));
    assert_eq!(ragged.len(), 2, "{ragged:?}");
    let twice = problems(&day(&[line(1), line(2), line(1)]));
    assert_eq!(twice, ["line 4: expected each request once, found the key of line 2 again"]);
}

#[test]
fn tells_all_problems_up_to_a_hundred() {
    let bad: Vec<_> = (1..=150).map(|n| line(n).replace("中区A", "?").replace("納付券", "?")).collect();
    let mut office = Office::new();
    let report = office.day(&bad);
    assert_eq!((report.problems.len(), report.more_problems), (100, 200));
    assert!(report.to_string().contains("and 200 more problems"));
}

#[test]
fn a_round_too_large_for_a_list_is_refused() {
    let found = problems(&day(&lines(1_001)));
    assert_eq!(
        found,
        [
            "expected at most 1000 pickups in the round of v-1 (daiichi-2026) on 2026-06-10 that line 2 is on, found 1001"
        ]
    );
    let mut office = Office::new();
    assert_eq!(office.day(&lines(1_000)).outcome, Outcome::Applied);
    // One more from a file of changes counts what is there.
    let content = format!("{HEADER},状態\n{},\n", line(1_001));
    assert_eq!(office.import(CHANGES, &content).outcome, Outcome::Rejected);
    let wordy: Vec<_> = lines(600).iter().map(|line| line.replace("門の前", &"門".repeat(500))).collect();
    assert!(problems(&day(&wordy))[0].contains("bytes of text"));
}

#[test]
fn files_that_can_not_be_read() {
    let mut office = Office::new();
    let mut tell = |content: &str| office.run(file(&PROFILE, content)).unwrap_err().to_string();
    for (content, expected) in [
        ("", "can't read day.csv: expected a header"),
        (HEADER, "can't read day.csv: expected the requests of a whole day, found none"),
        (&HEADER.replace("収集日", "日付"), "expected a column 収集日, found only 受付番号, 日付"),
        (
            &HEADER.replace(",連絡事項", ",連絡事項,地区"),
            "column 10 (地区): expected each column once, found it twice, as columns 3 and 10",
        ),
        (&format!("{}\n\"{}", HEADER, line(1)), "line 2: expected a closing quote"),
    ] {
        let told = tell(content);
        assert!(told.contains(expected), "{told}");
    }
    let told = tell(&format!("{HEADER},品目6\n"));
    assert!(told.contains("line 1, column 21 (品目6): expected items up to number 5"), "{told}");
    let told = tell(&HEADER.replace("リサイクル2", "品目2"));
    assert!(told.contains("column 20 (品目2): expected each column once"), "{told}");
    let bytes = [day(&lines(1)).into_bytes(), b"0002,2026-06-10,\x92\x86\x8b\xe6".to_vec()].concat();
    let told = text("day.csv", &PROFILE, bytes).unwrap_err().to_string();
    assert!(
        told.contains("line 3: byte 17: expected UTF-8, found the byte 0x92; what stands before is UTF-8"),
        "{told}"
    );
}

#[test]
fn a_day_may_be_named() {
    let mut office = Office::new();
    office.day(&lines(20));
    let named = |content: &str, days: &[&str]| {
        let days = days.iter().map(|day| day.parse().unwrap()).collect();
        let (content, profile) = (content.to_owned(), PROFILE.to_owned());
        let name = "day.csv".to_owned();
        Command::File(File { name, content, profile, days, accept_good: false, changes: false })
    };
    // Of a day that has none left: all is missing, so it is held, and the release knows the day again.
    let report = office.run(named(HEADER, &["2026-06-10"])).unwrap();
    assert_eq!((report.outcome, report.missing[0].missing), (Outcome::Held, 20));
    let id = report.import.unwrap();
    assert_eq!(office.run(Command::Release { id, anyway: false }).unwrap().counts.cancelled, 20);
    let report = office.run(named(&day(&lines(1)), &["2026-06-11"])).unwrap();
    assert_eq!(report.problems[0].problem, "expected only the days named for this file, found 2026-06-10");
}

/// Items on lines of their own, in any place of the file.
#[test]
fn several_lines_make_one_request() {
    let start = PROFILE.find("[items.columns]").unwrap();
    let lines_of = "[items.lines]\nname = \"品目1\"\ncount = { column = \"個数1\", default = \"1\" }\n";
    let profile = format!("{}{lines_of}", &PROFILE[..start]);
    let mut office = Office::new();
    let shelf = line(1).replace("椅子,2", "棚,");
    let report = office.import(&profile, &day(&[line(1), line(2), shelf.clone()]));
    assert_eq!((report.counts.lines, report.counts.requests, report.counts.added), (3, 2, 2));
    assert_eq!(
        office.texts("SELECT items FROM pickup WHERE reception = '0001'"),
        [r#"[{"count":2,"name":"椅子"},{"count":1,"name":"棚"}]"#]
    );
    let report =
        office.import(&profile, &day(&[line(1), shelf.replace("門の前", "裏").replace("納付券", "免除")]));
    assert_eq!(
        report.problems[0].to_string(),
        "line 3: expected the same as on line 2 of this request, found another payment, spot"
    );
    let ordered = profile.replacen("[fields]", "[fields]\norder = \"順\"", 1);
    let with_order = |order, line: String| format!("{line},{order}");
    let lines = [with_order(5, line(1)), with_order(9, shelf)];
    let report = office.import(&ordered, &day(&lines).replacen(HEADER, &format!("{HEADER},順"), 1));
    assert_eq!(
        report.problems[0].to_string(),
        "line 3: expected the same as on line 2 of this request, found another order"
    );
    let many: Vec<_> = (0..51).map(|_| line(1)).collect();
    let report = office.import(&profile, &day(&many));
    assert_eq!(
        report.problems[0].to_string(),
        "line 52: expected at most 50 items of the request that begins on line 2"
    );
}

fn good_of(profile: &str, content: &str) -> Command {
    let Command::File(mut file) = file(profile, content) else { unreachable!() };
    file.accept_good = true;
    Command::File(file)
}

/// A whole day's file with lines that can't be taken cancels nothing that one of them may be of.
#[test]
fn what_a_rejected_line_may_be_of_is_not_missing() {
    let by_number = PROFILE.replace("key = [\"収集日\", \"地区\", \"受付番号\"]", "key = [\"受付番号\"]");
    let loose = |profile: &str| profile.replace("missing_percent = 5", "missing_percent = 50");
    let tomorrow = |line: String| line.replace("06-10", "06-11");
    // The key with its day, then the number alone.
    for (profile, from, to, cancelled_today, cancelled_tomorrow) in [
        // The key is there: only what is really missing is cancelled.
        (&*PROFILE, "納付券", "現金", 1, 1),
        (&by_number, "納付券", "現金", 1, 1),
        // Its day is there: that day is left as it is.
        (&*PROFILE, "0002,", "00 02,", 0, 1),
        (&*PROFILE, "0002,", ",", 0, 1),
        (&*PROFILE, "中区A,", "西区A,", 0, 1),
        // Not even its day; or of a key without it, which may have been on any day.
        (&*PROFILE, "2026-06-10", "2026-06-31", 0, 0),
        (&*PROFILE, "2026-06-10", "2027-06-10", 0, 0),
        (&by_number, "2026-06-10", "2026-06-31", 1, 1),
        (&by_number, "0002,", ",", 0, 0),
        (&*PROFILE, "0002,2026", "0002,x,2026", 0, 0),
    ] {
        let mut office = Office::new();
        let mut all = lines(20);
        all.extend((21..=40).map(|n| tomorrow(line(n))));
        assert_eq!(office.import(&loose(profile), &day(&all)).outcome, Outcome::Applied);
        // One really goes on each day.
        all.remove(39);
        all.remove(19);
        assert!(all[1].contains(from), "{from}");
        all[1] = all[1].replacen(from, to, 1);
        let report = office.run(good_of(&loose(profile), &day(&all))).unwrap();
        assert_eq!((report.outcome, report.exit_status()), (Outcome::Applied, 4), "{to}: {report}");
        assert_eq!(report.rejected.as_ref().map(|rejected| rejected.lines), Some(1), "{to}: {report}");
        let cancelled = |date: &str| {
            office
                .texts(&format!("SELECT count(*) FROM pickup WHERE state = 'cancelled' AND date = '{date}'"))
        };
        let expected = (vec![cancelled_today.to_string()], vec![cancelled_tomorrow.to_string()]);
        assert_eq!((cancelled("2026-06-10"), cancelled("2026-06-11")), expected, "{to}: {report}");
        assert_eq!(office.texts("SELECT state FROM pickup WHERE reception = '0002'"), ["open"], "{to}");
        let kept = report.rejected.unwrap().kept.len();
        assert_eq!(kept, usize::from(cancelled_today == 0) + usize::from(cancelled_tomorrow == 0), "{to}");
    }
}

/// A request of several lines is rejected whole; what is left of a file is never none.
#[test]
fn a_request_with_one_bad_line_is_left_out_whole() {
    let start = PROFILE.find("[items.columns]").unwrap();
    let lines_of = "[items.lines]\nname = \"品目1\"\ncount = { column = \"個数1\", default = \"1\" }\n";
    let profile = format!("{}{lines_of}", &PROFILE[..start]);
    let mut office = Office::new();
    let all = [
        line(1),
        line(2),
        line(1).replace("椅子,2", "棚,x"),
        "".into(),
        line(3),
        line(2).replace("椅子", "机"),
    ];
    let report = office.run(good_of(&profile, &day(&all))).unwrap();
    let rejected = report.rejected.unwrap();
    assert_eq!((rejected.lines, rejected.places), (2, vec![(2, 2), (4, 5)]));
    assert_eq!(
        office.texts("SELECT reception, items FROM pickup"),
        [
            r#"0002 [{"count":2,"name":"椅子"},{"count":2,"name":"机"}]"#,
            r#"0003 [{"count":2,"name":"椅子"}]"#,
        ]
    );
    // The same key twice, where that is no further item: nobody can tell which counts.
    let report = office.run(good_of(&PROFILE, &day(&[line(7), line(8), line(7)]))).unwrap();
    assert_eq!(report.rejected.unwrap().places, [(2, 2), (4, 4)]);
    assert_eq!(office.texts("SELECT count(*) FROM pickup WHERE reception = '0007'"), ["0"]);
    // Where no line is good nothing is taken, nor where a round is too large.
    let none = office.run(good_of(&PROFILE, &day(&[line(9).replace("納付券", "?")]))).unwrap();
    assert_eq!((none.outcome, none.exit_status(), none.rejected), (Outcome::Rejected, 2, None));
    let mut many = lines(1_001);
    many.push(line(1_002).replace("納付券", "?"));
    assert_eq!(office.run(good_of(&PROFILE, &day(&many))).unwrap().outcome, Outcome::Rejected);
}

/// One profile with all that the demo's has not.
#[test]
fn every_other_setting_of_a_profile() {
    let profile = r##"
        name = "all"
        source = "all"
        covers = "whole_day"
        missing_percent = 50
        delimiter = ";"
        quote = "'"
        date_format = "wareki"
        key = ["day", "no"]
        [fields]
        date = "day"
        district = { column = "area", map = { "C" = "中区A", "E" = "東区A" }, default = "東区A" }
        vehicle = { column = "car", before = "号", map = { "1" = "v-1" } }
        reception = { column = "no", after = "-", pad = 6 }
        town = { constant = "町" }
        payment = { constant = "cashless" }
        order = "stop"
        [items.columns]
        most = 3
        name = "i{n}"
        ticket = [{ yen = 1000, count = "thousands{n}" }, { yen = 250, count = "quarters{n}" }]
        recycling = { column = "kind", map = { "家電" = "yes", "他" = "no" } }
        [[skip]]
        name = "notes"
        column = "no"
        matches = "#*"
        [[skip]]
        name = "tests"
        column = "area"
        equals = ["T"]
    "##;
    let content = "day;no;area;car;stop;kind;i1;thousands1;quarters1;i3;thousands3;quarters3\n\
        R8.6.10;A-12;C;;20;他;机;1;2;;;\n\
        R8.6.10;A-13;;1号車;10;家電;'テレビ;大';０;;棚;;3\n\
        #;#x;;;;;;;;;;\n\
        x;x;T;;;;;;;;;\n\
        令和8年6月10日;14;C;;9;;椅子;;;;;\n";
    let mut office = Office::new();
    let report = office.import(profile, content);
    assert_eq!(report.outcome, Outcome::Applied, "{report}");
    let skipped: Vec<_> = report.skipped.iter().map(|rule| (rule.rule.as_str(), rule.lines)).collect();
    assert_eq!(skipped, [("notes", 1), ("tests", 1)]);
    assert_eq!((report.counts.lines, report.counts.skipped, report.counts.requests), (5, 2, 3));
    assert_eq!(
        office.texts("SELECT source_key, reception, district, ward, vehicle, stop, payment, town, items FROM pickup JOIN resident ON pickup = id ORDER BY stop"),
        [
            r#"2026-06-10/14 000014 中区A 中区 v-1 9 cashless 町 [{"count":1,"name":"椅子"}]"#,
            r#"2026-06-10/A-13 000013 東区A 東区 v-1 10 cashless 町 [{"count":1,"name":"テレビ;大","recycling":true},{"count":1,"name":"棚","recycling":true,"tickets":[{"count":3,"yen":250}]}]"#,
            r#"2026-06-10/A-12 000012 中区A 中区 v-1 20 cashless 町 [{"count":1,"name":"机","tickets":[{"count":1,"yen":1000},{"count":2,"yen":250}]}]"#,
        ]
    );
    // A threshold of its own: one of three may be missing, two may not.
    let without = |gone: &[&str]| -> String {
        content
            .lines()
            .filter(|line| !gone.iter().any(|gone| line.contains(gone)))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    assert_eq!(office.import(profile, &without(&["A-12", "A-13"])).outcome, Outcome::Held);
    assert_eq!(office.import(profile, &without(&["A-12"])).counts.cancelled, 1);
    // Another source has keys, and requests missing, of its own.
    let report =
        office.import(&profile.replace("source = \"all\"", "source = \"other\""), &without(&["A-13"]));
    assert_eq!((report.counts.added, report.counts.cancelled), (2, 0));
}

/// As many requests as one file may have. How long it takes, and the longest transaction, for `--nocapture`; asserts no
/// time.
#[test]
#[ignore = "takes long; run by hand to see figures"]
fn as_many_requests_as_a_file_may_have() {
    let mut office = Office::new();
    let all: Vec<_> = (0..100)
        .flat_map(|n| {
            let date: Date = "2026-06-10".parse().unwrap();
            let date = date.saturating_add(jiff::Span::new().days(n)).to_string();
            lines(1_000).into_iter().map(move |line| line.replace("2026-06-10", &date))
        })
        .collect();
    let content = day(&all);
    let began = std::time::Instant::now();
    let prepared = office.prepare(file(&PROFILE, &content)).unwrap();
    println!("{} requests, {} bytes: read and compared in {:?}", all.len(), content.len(), began.elapsed());
    let mut taking = Taking::new(prepared, Default::default(), Progress::default());
    office.store.conn.pragma_update(None, "synchronous", "FULL").unwrap();
    let (mut all, mut commits) = (Vec::new(), Duration::ZERO);
    loop {
        let turn_began = std::time::Instant::now();
        let tx = office.store.conn.transaction().unwrap();
        let mut memory = Memory::default();
        let incarnation = Incarnation(Uuid::from_u128(1));
        let mut ctx = Context::new(office.now, &office.city.id, incarnation, &mut memory);
        let turn = taking.turn(&tx, &mut ctx, &mut Effects::default(), taking::TURN).unwrap();
        let worked = turn_began.elapsed();
        tx.commit().unwrap();
        commits = commits.max(turn_began.elapsed() - worked);
        all.push(turn_began.elapsed());
        if matches!(turn, Turn::Done(_)) {
            break;
        }
    }
    all.sort();
    println!(
        "through after {:?}; {} transactions, half of them within {:?}, 99 of 100 within {:?}, the longest {:?}, the longest commit {commits:?}",
        began.elapsed(),
        all.len(),
        all[all.len() / 2],
        all[all.len() * 99 / 100],
        all[all.len() - 1],
    );
    assert_eq!(office.texts("SELECT count(*) FROM pickup"), ["100000"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In whatever order the lines come, the same pickups result; taken again, in this order or another, nothing but stops changes.
    #[test]
    fn the_order_of_lines_decides_nothing_but_stops(
        picked in proptest::sample::subsequence((1..40).collect::<Vec<u32>>(), 1..40).prop_shuffle(),
        rotate in 0_usize..40,
    ) {
        let without_stops = "SELECT source_key, district, vehicle, items, payment, office, rev, state FROM pickup ORDER BY source_key";
        let other = |n: u32| if n.is_multiple_of(3) { line(n).replace("中区A,中区", "東区A,東区") } else { line(n) };
        let shuffled: Vec<String> = picked.iter().map(|n| other(*n)).collect();
        let mut sorted = shuffled.clone();
        sorted.sort();
        let (mut one, mut two) = (Office::new(), Office::new());
        one.day(&shuffled);
        two.day(&sorted);
        prop_assert_eq!(one.texts(without_stops), two.texts(without_stops));
        let before = one.all();
        let again = one.day(&shuffled);
        prop_assert_eq!(again.counts.unchanged, shuffled.len() as u64);
        prop_assert_eq!(one.all(), before);
        let mut rotated = shuffled.clone();
        rotated.rotate_left(rotate % shuffled.len());
        let turned = one.day(&rotated);
        prop_assert_eq!(turned.counts.unchanged + turned.counts.reordered, shuffled.len() as u64);
        prop_assert_eq!(one.texts(without_stops), two.texts(without_stops));
        prop_assert_eq!(one.texts("SELECT count(*) FROM history"), two.texts("SELECT count(*) FROM history"));
    }

    /// Bytes of any kind never panic and never leave anything behind unless they are taken.
    #[test]
    fn anything_is_read_or_refused(
        pieces in proptest::collection::vec(prop_oneof![
            Just("\"".to_owned()), Just(",".to_owned()), Just("\n".to_owned()), Just("\r".to_owned()),
            Just("\0".to_owned()), Just(line(1)), Just(line(2)), "\\PC{0,6}",
        ], 0..30)
    ) {
        let mut office = Office::new();
        let content = format!("{HEADER}\n{}", pieces.concat());
        let taken = office.run(file(&PROFILE, &content)).is_ok_and(|report| report.outcome == Outcome::Applied);
        let pickups = office.texts("SELECT count(*) > 0 FROM pickup");
        prop_assert_eq!(pickups, [if taken { "1" } else { "0" }]);
    }
}

#[path = "tests_reading.rs"]
mod reading;
