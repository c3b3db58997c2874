//! `meguri-gateway export` as a person runs it, beside a store that is being written: what stands on each line, cursors that
//! lose nothing, characters that are never replaced silently, files that are there whole or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod sample;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use meguri_gateway::encoding::{self, Encoding};
use meguri_gateway::store::Store;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{Incarnation, PickupId, Reason};
use sample::{Request, Sample, day_start, partly};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const DAY: Date = date(2026, 4, 1);

struct Office {
    sample: Sample,
    dir: TempDir,
}

impl Office {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        Self { sample: Sample::open(&dir.path().join("data")), dir }
    }

    /// One of every state, of which three are in a round.
    fn day(&mut self) -> Vec<PickupId> {
        let all: Vec<PickupId> = [
            ("v01", "中区", "0017", 0),
            ("v01", "中区", "0386", 1),
            ("v01", "中区", "4417", 2),
            ("v02", "中区", "0099", 0),
            ("v02", "中区", "0100", 3),
            ("v02", "中区", "0101", 3),
        ]
        .map(|(vehicle, ward, reception, items)| self.pickup(vehicle, ward, reception, sample::ITEMS[items]))
        .to_vec();
        for (terminal, vehicle) in [("t-01", "v01"), ("t-02", "v02")] {
            self.sample.terminal(terminal, vehicle, true, None);
        }
        self.say(all[0], "t-01", 10, Outcome::Collected);
        self.say(all[1], "t-01", 20, partly());
        let note = self.sample.note("貼り紙をした。\n=cmd|'/C calc'!A0");
        self.say(all[2], "t-01", 30, Outcome::NotCollected { reason: Reason::TicketShort, note: Some(note) });
        self.sample.decide(all[3], &json!("cancelled"), "cancelled", at(40));
        self.sample.decide(all[4], &json!({"revisit": {"date": "2026-04-08"}}), "changed", at(50));
        all
    }

    fn pickup(&mut self, vehicle: &str, ward: &str, reception: &str, items: &str) -> PickupId {
        let request = Request { date: DAY, vehicle, ward, town: "大手町四丁目", reception, items };
        self.sample.pickup(&request, at(-600))
    }

    fn say(&mut self, pickup: PickupId, terminal: &str, minutes: i64, result: Outcome) {
        self.sample.say(pickup, terminal, at(minutes), SignedDuration::from_secs(65), result);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a profile, and gives the arguments that name it.
    fn profile(&self, text: &str) -> String {
        fs::write(self.path("profile.toml"), text).unwrap();
        self.path("profile.toml").display().to_string()
    }

    fn export(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_meguri-gateway"))
            .arg("--data")
            .arg(self.path("data"))
            .args(["export", "--day", "2026-04-01"])
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    /// The lines that an export prints, and its report.
    fn lines(&self, args: &[&str]) -> (Vec<String>, Value) {
        let output = self.export(&[args, &["--json"]].concat());
        ended(&output, 0, "");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.trim_start_matches('\u{feff}').split_terminator("\r\n").map(str::to_owned).collect();
        (lines, serde_json::from_slice(&output.stderr).unwrap())
    }

    fn sql(&self, statement: &str) {
        self.sample.store.conn.execute_batch(statement).unwrap();
    }
}

fn at(minutes: i64) -> Timestamp {
    day_start(DAY) + SignedDuration::from_mins(minutes)
}

#[track_caller]
fn ended(output: &Output, status: i32, says: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{out}\n{err}");
    assert!(format!("{out}{err}").contains(says), "expected {says}\n{out}\n{err}");
}

fn column(name: &str, more: &str) -> String {
    format!("[[columns]]\nname = \"{name}\"\n{more}\n")
}

#[test]
fn every_state_has_its_line() {
    let mut office = Office::open();
    office.day();
    let (lines, report) = office.lines(&[]);
    assert_eq!(
        lines,
        [
            "収集日,地区,受付番号,区,業者,号車,支払い,状態,理由,再収集日,品目,点数,収集点数,確認時刻,端末,メモ,食い違い,更新番号",
            "2026-04-01,中区A,0017,中区,第一収集,1号車,納付券,収集済,,,ソファ（2人用）×1,1,1,2026-04-01 08:10:00,t-01,,,7",
            "2026-04-01,中区A,0386,中区,第一収集,1号車,納付券,一部収集,数量相違,,自転車×2、衣装ケース×3,5,4,2026-04-01 08:20:00,t-01,,,8",
            "2026-04-01,中区A,4417,中区,第一収集,1号車,納付券,収集不可,納付券不足・未貼付,,たんす（高さ120cm以下）×1、布団×2,3,0,2026-04-01 08:30:00,t-01,あり,,9",
            "2026-04-01,中区B,0099,中区,第一収集,2号車,納付券,取消,,,ソファ（2人用）×1,1,,,,,,10",
            "2026-04-01,中区B,0100,中区,第一収集,2号車,納付券,再収集,,2026-04-08,冷蔵庫×1,1,,,,,,11",
            "2026-04-01,中区B,0101,中区,第一収集,2号車,納付券,予定,,,冷蔵庫×1,1,,,,,,6",
        ]
    );
    assert_eq!((&report["pickups"], &report["neutralised"]), (&json!(6), &json!(0)));
}

#[test]
fn a_line_an_item_with_codes_clocks_and_the_note() {
    let mut office = Office::open();
    let all = office.day();
    // Two terminals differ; and what was collected of which item stays as it was said when the request changes later.
    office.say(all[0], "t-02", 12, Outcome::NotCollected { reason: Reason::NotOut, note: None });
    office.sample.change_items(all[1], sample::ITEMS[3], at(60));
    let codes = "map = { collected = \"01\", partly = \"02\", not_collected = \"03\" }\ndefault = \"00\"";
    let profile = [
        "name = \"codes\"\nrows = \"item\"\n".to_owned(),
        column("日", "source = \"date\"\nformat = \"wareki\""),
        column("番号", "source = \"reception\"\npad = 6"),
        column("状態", &format!("source = \"state\"\n{codes}")),
        column("順", "source = \"item_number\""),
        column("品目", "source = \"item_name\""),
        column("数", "source = \"item_count\""),
        column("済", "source = \"item_collected\""),
        column("理由", "source = \"item_reason\""),
        column("端末", "source = \"at\"\nclock = \"terminal\"\nformat = \"%H:%M\""),
        column("市", "source = \"at\"\nclock = \"office\"\nformat = \"%H:%M:%S\""),
        column("注", "source = \"note_text\""),
        column("違い", "source = \"contradictions\""),
        column("市名", "constant = \"34100\""),
    ]
    .concat();
    let (lines, report) = office.lines(&["--profile", &office.profile(&profile)]);
    let text = lines.join("\r\n");
    let rows = [
        "令和8年4月1日,000017,01,1,ソファ（2人用）,1,1,,08:10,08:11:05,,terminals_differ,34100",
        "令和8年4月1日,000386,02,1,自転車,2,1,other_count,08:20,08:21:05,,,34100",
        "令和8年4月1日,000386,02,2,衣装ケース,3,3,,08:20,08:21:05,,,34100",
        "令和8年4月1日,004417,03,1,たんす（高さ120cm以下）,1,0,ticket_short,08:30,08:31:05,\"貼り紙をした。\n=cmd|'/C calc'!A0\",,34100",
        "令和8年4月1日,000099,00,1,ソファ（2人用）,1,,,,,,,34100",
    ];
    for row in rows {
        assert!(text.contains(row), "{row}\n{text}");
    }
    assert_eq!(report["lines"], 8);
    // A note that begins like a formula.
    let note = office.sample.note("=cmd|'/C calc'!A0");
    office.say(all[5], "t-02", 45, Outcome::NotCollected { reason: Reason::NotOut, note: Some(note) });
    let (lines, report) = office.lines(&["--profile", "profile.toml"]);
    assert!(lines.join("\n").contains(",'=cmd|'/C calc'!A0,"), "{lines:?}");
    assert_eq!(report["neutralised"], 1);
}

#[test]
fn cp932_reads_back_as_the_same_table() {
    let mut office = Office::open();
    office.day();
    let built_in = include_str!("../profiles/results.toml");
    let utf8 = built_in.replace("\"utf-8-bom\"", "\"utf-8\"");
    let (lines, _) = office.lines(&["--profile", &office.profile(&utf8)]);
    let windows = built_in.replace("\"utf-8-bom\"", "\"cp932\"");
    let args = ["--profile", &office.profile(&windows), "--out", "results.csv"];
    ended(&office.export(&args), 0, "the whole of 2026-04-01, written with results: 6 pickups on 6 lines");
    let bytes = fs::read(office.path("results.csv")).unwrap();
    assert!(std::str::from_utf8(&bytes).is_err());
    let text = encoding::decode(bytes, Encoding::Cp932).unwrap();
    let read = |text: &str| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    assert_eq!(read(&text), read(&lines.join("\r\n")));
}

#[test]
fn what_cp932_can_not_hold_keeps_the_file_from_being_written() {
    let mut office = Office::open();
    office.pickup("v01", "中区", "0001", r#"[{"name":"𠮷野机〜椅子","count":1},{"name":"槗","count":1}]"#);
    let profile = |more: &str| {
        let columns = column("番号", "source = \"reception\"") + &column("品目", "source = \"items\"");
        format!("name = \"w\"\nencoding = \"cp932\"\n{more}{columns}")
    };
    let name = office.profile(&profile(""));
    let refused = office.export(&["--profile", &name, "--out", "r.csv"]);
    ended(&refused, 2, "line 2, column 2 (品目): the encoding can't hold 𠮷 (U+20BB7)");
    ended(&refused, 2, "line 2, column 2 (品目): the encoding can't hold 槗 (U+69D7)");
    assert!(!office.path("r.csv").exists());
    ended(&office.export(&["--profile", &name]), 2, "nothing is written");
    assert!(office.export(&["--profile", &name]).stdout.is_empty());

    let name = office.profile(&(profile("") + "[substitutes]\n\"𠮷\" = \"吉\"\n[gaiji]\nF040 = \"槗\"\n"));
    let written = office.export(&["--profile", &name, "--out", "r.csv"]);
    ended(&written, 0, "𠮷 written as 吉, 1 time: line 2, column 2 (品目)");
    assert!(!String::from_utf8_lossy(&written.stdout).contains('〜'), "one code, whichever name it has");
    let bytes = fs::read(office.path("r.csv")).unwrap();
    let expected = encoding::encode("番号,品目\r\n0001,吉野机～椅子×1、\u{e000}×1\r\n").unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn a_cursor_gives_what_changed_after_it_and_loses_nothing() {
    let mut office = Office::open();
    let all = office.day();
    let cursor = |report: &Value| report["cursor"].as_str().unwrap().to_owned();
    let (lines, report) = office.lines(&[]);
    assert_eq!(lines.len(), 7);
    let first = cursor(&report);
    let (lines, report) = office.lines(&["--since", &first]);
    assert_eq!((lines.len(), cursor(&report)), (1, first.clone()), "nothing has changed");
    office.say(all[5], "t-02", 55, Outcome::Collected);
    office.sample.change(all[0], at(56));
    let (lines, report) = office.lines(&["--since", &first]);
    let numbers: Vec<&str> = lines[1..].iter().map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(numbers, ["0017", "0101"]);
    assert_ne!(cursor(&report), first);

    let other = first.replacen("2026-04-01", "2026-04-02", 1);
    ended(&office.export(&["--since", &other]), 1, "the cursor is of 2026-04-02");
    let beyond = first.rsplit_once(':').unwrap().0.to_owned() + ":999";
    ended(&office.export(&["--since", &beyond]), 1, "beyond what this store holds");
    Store::draw_incarnation(&office.sample.store.conn, Incarnation(Uuid::from_u128(2))).unwrap();
    ended(&office.export(&["--since", &first]), 1, "export the whole day anew");
}

#[test]
fn a_cursor_file_goes_on_only_behind_a_file_that_is_written() {
    let mut office = Office::open();
    let all = office.day();
    let run = |out: &str| office.export(&["--cursor-file", "cursor", "--out", out]);
    let lines = |out: &str| fs::read_to_string(office.path(out)).unwrap().lines().count() - 1;
    ended(&run("1.csv"), 0, "6 pickups");
    ended(&run("2.csv"), 0, "changes of 2026-04-01");
    assert_eq!((lines("1.csv"), lines("2.csv")), (6, 0));
    let before = fs::read_to_string(office.path("cursor")).unwrap();

    office.sample.change(all[0], at(56));
    let run = |out: &str| office.export(&["--cursor-file", "cursor", "--out", out]);
    let lines = |out: &str| fs::read_to_string(office.path(out)).unwrap().lines().count() - 1;
    // Whatever keeps the file from being written: the change is told by the next one.
    ended(&run("2.csv"), 1, "2.csv is there already");
    ended(&run("nowhere/3.csv"), 1, "can't use the folder nowhere");
    assert_eq!(fs::read_to_string(office.path("cursor")).unwrap(), before);
    ended(&run("3.csv"), 0, "1 pickup on 1 line");
    assert_eq!(lines("3.csv"), 1);
    // Killed between file and cursor: told once more.
    fs::write(office.path("cursor"), &before).unwrap();
    ended(&run("4.csv"), 0, "1 pickup on 1 line");
    fs::write(office.path("cursor"), "").unwrap();
    ended(&run("5.csv"), 1, "cursor can't be used");
    ended(&office.export(&["--cursor-file", "cursor"]), 64, "--out");
}

#[test]
fn files_are_whole_and_not_written_over() {
    let mut office = Office::open();
    office.day();
    fs::write(office.path("r.csv"), "theirs").unwrap();
    ended(&office.export(&["--out", "r.csv"]), 1, "is not written over");
    assert_eq!(fs::read_to_string(office.path("r.csv")).unwrap(), "theirs");
    ended(&office.export(&["--out", "r.csv", "--force"]), 0, "cursor 2026-04-01:");
    assert!(fs::read_to_string(office.path("r.csv")).unwrap().contains("4417"));
    ended(&office.export(&["--out", "data/lock/r.csv"]), 1, "can't use the folder data/lock");
    ended(&office.export(&["--out", "data", "--force"]), 1, "can't write data");
    let left: Vec<_> = fs::read_dir(office.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".part"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn only_a_store_of_this_version_that_knows_itself_is_read() {
    let mut office = Office::open();
    office.day();
    let generation = office.path("data/generation");
    let counted = fs::read_to_string(&generation).unwrap();
    let (incarnation, _) = counted.split_once(' ').unwrap();
    // A copy that was put back has counted less than the file beside it.
    fs::write(&generation, format!("{incarnation} 9\n")).unwrap();
    ended(&office.export(&[]), 1, "a copy that was put back; start the gateway once");
    fs::write(&generation, &counted).unwrap();
    ended(&office.export(&[]), 0, "cursor");
    office.sql("PRAGMA user_version = 3");
    ended(&office.export(&[]), 1, "is of another version");
    fs::create_dir(office.path("empty")).unwrap();
    let none = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"))
        .arg("--data")
        .arg(office.path("empty"))
        .args(["export", "--day", "2026-04-01"])
        .output()
        .unwrap();
    ended(&none, 1, "there is no store in");
}

#[test]
fn an_exemption_is_a_number_tag_and_no_more() {
    let mut office = Office::open();
    office.pickup("v01", "中区", "0001", sample::ITEMS[0]);
    office.sql("UPDATE pickup SET payment = 'number_tag'");
    let (lines, _) = office.lines(&[]);
    assert!(lines[1].contains("シール不要（番号札）") && !lines.concat().contains("免除"), "{lines:?}");
    let reveals = include_str!("../profiles/results.toml").replace("シール不要（番号札）", "免除");
    let refused = office.export(&["--profile", &office.profile(&reveals)]);
    ended(&refused, 1, "reveals welfare status");
}

#[test]
fn the_built_in_profile_prints_itself() {
    let printed = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"))
        .args(["export", "--print-profile"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), include_str!("../profiles/results.toml"));
}

/// What stands in the book's worked example is what comes out.
#[test]
fn the_books_example_is_true() {
    let book = include_str!("../../docs/export.md");
    let block = |kind: &str| {
        let from = book.split_once(&format!("```{kind}\n")).expect("the example").1;
        from.split_once("```").expect("its end").0.to_owned()
    };
    let mut office = Office::open();
    let all = office.day();
    office.say(all[5], "t-02", 55, Outcome::Collected);
    office.sql("UPDATE pickup SET payment = 'number_tag' WHERE reception = '0100'");
    office.sql(r#"UPDATE pickup SET items = '[{"name":"𠮷野机〜椅子","count":1}]' WHERE reception = '0101'"#);
    let args = ["--profile", &office.profile(&block("toml")), "--out", "kekka-20260401.csv"];
    let written = office.export(&args);
    ended(&written, 0, "");
    let text =
        encoding::decode(fs::read(office.path("kekka-20260401.csv")).unwrap(), Encoding::Cp932).unwrap();
    assert_eq!(text.replace("\r\n", "\n"), block("csv"));
    let report = String::from_utf8(written.stdout).unwrap();
    for line in block("text").lines() {
        assert!(report.contains(line), "{line}\n{report}");
    }
}
