//! The catalogue from file to store: whole or nothing, versions, search.
#![allow(clippy::unwrap_used)]

use meguri_proto::{Digest, Ticket};
use rusqlite::Connection;

use super::profile::Profile;
use super::read::{Reading, read};
use super::{Item, New, Outcome, Report, all, apply, changes, compare, find, known};
use crate::store;

const PROFILE: &str = r#"
name = "items"
[fields]
key = "no"
name = "name"
reading = "yomi"
synonyms = { column = "also" }
size = "size"
tickets = "tickets"
fee = "fee"
accepted = { column = "ok", map = { "○" = "yes", "×" = "no" } }
recycling = "recycling"
[[skip]]
name = "no number"
column = "no"
empty = true
"#;

const HEADER: &str = "no,name,yomi,also,size,tickets,fee,ok,recycling\n";

fn reading(content: impl AsRef<[u8]>) -> Reading {
    read(&Profile::parse(PROFILE).unwrap(), content.as_ref()).unwrap()
}

fn items(lines: &str) -> Vec<Item> {
    let reading = reading(format!("{HEADER}{lines}"));
    assert_eq!(reading.problems, []);
    reading.items
}

fn store() -> Connection {
    let mut conn = Connection::open_in_memory().unwrap();
    store::bring_up(&mut conn).unwrap();
    conn
}

fn new(lines: &str, anyway: bool) -> New {
    New {
        file: "items.csv".to_owned(),
        sha256: Digest::of(lines.as_bytes()),
        profile: "items".to_owned(),
        items: items(lines),
        missing_percent: 20,
        anyway,
    }
}

fn take(conn: &Connection, lines: &str) -> Report {
    apply(conn, jiff::Timestamp::UNIX_EPOCH, &new(lines, false)).unwrap()
}

fn names(conn: &Connection, text: &str) -> Vec<String> {
    find(conn, text, 100, 0).unwrap().items.into_iter().map(|listed| listed.item.name).collect()
}

#[test]
fn an_item_is_read_as_the_profile_says() {
    let found = items(
        "7,ソファ（2人用）,そふぁ,長椅子、カウチ　ソファー,最長辺30cm以上,1000x1+250x2,\"1,500円\",○,\n8,冷蔵庫,,,,,,×,有\n",
    );
    let sofa = Item {
        key: "7".to_owned(),
        name: "ソファ（2人用）".to_owned(),
        reading: "そふぁ".to_owned(),
        synonyms: ["長椅子", "カウチ", "ソファー"].map(str::to_owned).to_vec(),
        size: "最長辺30cm以上".to_owned(),
        tickets: vec![Ticket { yen: 1000, count: 1 }, Ticket { yen: 250, count: 2 }],
        fee: Some(1500),
        accepted: true,
        recycling: false,
    };
    assert_eq!(found[0], sofa);
    assert_eq!((found[1].accepted, found[1].recycling, found[1].fee), (false, true, None));
}

#[test]
fn encodings_are_the_profiles() {
    let text = format!("{HEADER}1,\u{e000}髙机,,,,,,,\n");
    let utf8 = format!("\u{feff}{}", text.replace('\u{e000}', "槗"));
    assert_eq!(reading(utf8).items[0].name, "槗髙机");
    let bytes = crate::encoding::encode(&text).unwrap();
    let windows = format!("encoding = \"cp932\"\n{PROFILE}");
    let with = windows.replace("[fields]", "[gaiji]\nF040 = \"槗\"\n[fields]");
    assert_eq!(read(&Profile::parse(&with).unwrap(), &bytes).unwrap().items[0].name, "槗髙机");
    let lacking = read(&Profile::parse(&windows).unwrap(), &bytes).unwrap().problems[0].to_string();
    assert!(lacking.starts_with("line 2, column 2 (name): the external character F040"), "{lacking}");
    let wrong = read(&Profile::parse(PROFILE).unwrap(), &bytes).unwrap_err().to_string();
    assert!(wrong.starts_with("line 2") && wrong.contains("CP932"), "{wrong}");
}

#[test]
fn what_is_wrong_is_told_by_line_and_column() {
    let lines = "1,,,,,,,,\n2,b,,,,9x,,,\n\n3,c,,,,,,maybe,\n4,d\n2,e,,,,,,,\n,left out,,,,,,,\n2,f,,,,,,,\n5,\"a\nb\",,,,,,,\n6,g,,,,,abc,,\n";
    let reading = reading(format!("{HEADER}{lines}"));
    let told: Vec<String> = reading.problems.iter().map(ToString::to_string).collect();
    for (told, begins) in told.iter().zip([
        "line 2, column 2 (name): expected a text, found nothing",
        "line 3, column 6 (tickets): expected tickets like",
        "line 5, column 8 (ok): expected one of",
        "line 6: expected 9 cells as in the header, found 2",
        "line 9: expected each item once, found the key of line 7 again",
        "line 10, column 2 (name): expected one line, found a line break",
        "line 12, column 7 (fee): expected a number",
    ]) {
        assert!(told.starts_with(begins), "{told}\n{begins}");
    }
    assert_eq!((told.len(), reading.lines, reading.skipped[0].lines), (7, 9, 1), "{told:?}");
    let profile = Profile::parse(PROFILE).unwrap();
    let open = read(&profile, format!("{HEADER}1,\"a,,,,,,,\n2,b,,,,,,,\n").as_bytes()).unwrap_err();
    assert!(open.to_string().starts_with("line 2: expected a closing quote"), "{open}");
    for (content, says) in
        [("", "header"), ("no,name\n", "line 1: expected a column yomi"), ("PK\u{3}\u{4}", "zip")]
    {
        let refused = read(&profile, content.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn versions_tell_what_was_added_changed_and_gone() {
    let conn = store();
    let five = "1,a,,,,,,,\n2,b,,,,,,,\n3,c,,,,,,,\n4,d,,,,,,,\n5,e,,,,,,,\n";
    let first = take(&conn, five);
    assert_eq!((first.outcome, first.version, first.counts.added), (Outcome::Applied, 1, 5));
    let again = take(&conn, five);
    assert_eq!((again.outcome, again.version, again.counts.unchanged), (Outcome::Unchanged, 1, 5));

    let next = five.replace("1,a,,,,", "1,a,,,30cm以上,").replace("5,e,,,,,,,\n", "6,f,,,,,,,\n");
    let second = take(&conn, &next);
    let counts = second.counts;
    assert_eq!((second.version, counts.added, counts.changed, counts.gone), (2, 1, 1, 1));
    let told: Vec<String> = changes(&conn, None)
        .unwrap()
        .into_iter()
        .map(|change| format!("{} {} {}", change.kind, change.name, change.fields.unwrap_or_default()))
        .collect();
    assert_eq!(told, [r#"changed a {"size":["","30cm以上"]}"#, "gone e null", "added f null"]);
    assert_eq!(all(&conn).unwrap().len(), 5, "what is gone is not shown");
    let third = take(&conn, &format!("{next}5,e,,,,,,,\n"));
    assert_eq!((third.counts.back, third.counts.unchanged, third.version), (1, 5, 3));
    assert_eq!(changes(&conn, Some(1)).unwrap().len(), 5);
}

#[test]
fn a_file_that_lacks_too_much_needs_a_person() {
    let conn = store();
    take(&conn, "1,a,,,,,,,\n2,b,,,,,,,\n3,c,,,,,,,\n");
    let few = "1,a,,,,,,,\n2,b,,,,,,,\n";
    let held = take(&conn, few);
    assert_eq!((held.outcome, held.exit_status(), held.counts.gone), (Outcome::TooFew, 3, 1));
    assert_eq!(all(&conn).unwrap().len(), 3, "nothing was taken");
    assert_eq!(compare(&conn, &new(few, true)).unwrap().outcome, Outcome::Applied);
    apply(&conn, jiff::Timestamp::UNIX_EPOCH, &new(few, true)).unwrap();
    assert_eq!(all(&conn).unwrap().len(), 2);
}

#[test]
fn search_finds_names_readings_and_other_words_however_written() {
    let conn = store();
    take(
        &conn,
        "1,アイロン台,あいろんだい,プレス台,,,,,\n2,アイロン,あいろん,,,,,,\n3,ズボンプレッサー,ずぼんぷれっさー,アイロン,,,,,\n4,机（木製）,つくえ,デスク,,,,,\n5,IH調理器,あいえいちちょうりき,電磁調理器,,,,,\n",
    );
    // Called so, by the own name or another word, in the order of readings; then what begins so.
    assert_eq!(names(&conn, "アイロン"), ["アイロン", "ズボンプレッサー", "アイロン台"]);
    for text in ["あいろんだい", "ｱｲﾛﾝ台", "プレス　台", " アイロン 台 "] {
        assert_eq!(names(&conn, text), ["アイロン台"], "{text}");
    }
    assert_eq!(names(&conn, "ｉｈ"), ["IH調理器"]);
    assert_eq!(names(&conn, "机(木製)"), ["机（木製）"]);
    assert_eq!(names(&conn, "ですく"), ["机（木製）"]);
    assert_eq!(names(&conn, "%"), Vec::<String>::new());
    assert_eq!(names(&conn, "アイロン 机"), Vec::<String>::new(), "every word");
    assert_eq!(names(&conn, " 　").len(), 5, "all of them where nothing is asked");
    let page = find(&conn, "", 2, 4).unwrap();
    assert_eq!((page.count, page.items.len()), (5, 1));
    assert_eq!(known(&conn, ["机(木製)", "デスク", "ｱｲﾛﾝ"]).unwrap(), [true, false, true]);
}
