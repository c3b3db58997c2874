//! Request files as reception systems write them, and as nobody should.

use super::*;
use crate::encoding::encode;

/// Without a header, in CP932, one item a line, dates of the era.
const OLD: &str = r##"
name = "old"
source = "old"
covers = "whole_day"
encoding = "cp932"
header = false
columns = ["収集日", "地区", "受付番号", "氏名", "町丁目", "番地", "排出場所", "品目", "個数", "支払"]
date_format = ["wareki", "%Y%m%d"]
key = ["収集日", "地区", "受付番号"]
[gaiji]
F040 = "𠮷"
"U+E001" = "葛󠄀"
[fields]
date = "収集日"
district = "地区"
reception = { column = "受付番号", pad = 4 }
town = "町丁目"
lot = "番地"
spot = { column = "排出場所", before = "〜" }
payment = { column = "支払", map = { "納付券" = "tickets", "免　除" = "number_tag" }, default = "tickets" }
[items.lines]
name = "品目"
count = { column = "個数", default = "1" }
[[skip]]
name = "tests"
column = "受付番号"
equals = ["テスト"]
"##;

/// A line of [`OLD`] with this number and item.
fn old(reception: &str, item: &str) -> String {
    format!("令和8年6月10日,中区Ａ,{reception},山田,ｶﾐﾔ町１丁目,１－２,門の前,{item},1,納付券")
}

fn bytes(profile: &str, content: Vec<u8>) -> Result<Command, ImportError> {
    let content = text("old.csv", profile, content)?;
    Ok(file(profile, &content))
}

fn windows(lines: &[String]) -> Vec<u8> {
    encode(&(lines.join("\r\n") + "\r\n")).unwrap()
}

fn taken(office: &mut Office, profile: &str, content: Vec<u8>) -> Report {
    office.run(bytes(profile, content).unwrap()).unwrap()
}

#[test]
fn an_old_systems_file() {
    let mut office = Office::new();
    let lines = [
        old("1", "ﾀﾝｽ"),
        old("1", "①㈱棚～大"),
        old("2", "椅子")
            .replace("令和8年6月10日", "20260610")
            .replace("納付券", "免 除")
            .replace("門の前", "裏～表"),
        old("ﾃｽﾄ", "椅子"),
        old("3", "机").replace("門の前", "\"門の\r\n前, \u{E000}田さん\""),
    ];
    let report = taken(&mut office, OLD, windows(&lines));
    assert_eq!(report.outcome, Outcome::Applied, "{report}");
    assert_eq!((report.counts.lines, report.counts.skipped, report.counts.requests), (5, 1, 3));
    assert_eq!(
        office.texts("SELECT source_key, district, reception, payment, town, lot, spot, items FROM pickup JOIN resident ON pickup = id ORDER BY stop"),
        [
            r#"2026-06-10/中区A/0001 中区A 0001 tickets カミヤ町1丁目 1-2 門の前 [{"count":1,"name":"タンス"},{"count":1,"name":"①㈱棚〜大"}]"#,
            r#"2026-06-10/中区A/0002 中区A 0002 number_tag カミヤ町1丁目 1-2 裏 [{"count":1,"name":"椅子"}]"#,
            "2026-06-10/中区A/0003 中区A 0003 tickets カミヤ町1丁目 1-2 門の\n前, 𠮷田さん [{\"count\":1,\"name\":\"机\"}]",
        ]
    );
    // The same requests out of another system, in UTF-8, are the same.
    let before = office.all();
    let other: String =
        OLD.replace("\"cp932\"", "\"utf-8\"").replace("\"wareki\", ", "\"%Y-%m-%d\", \"wareki\", ");
    let plain = lines
        .join("\n")
        .replace('～', "〜")
        .replace("１－２", "1−2")
        .replace("令和8年6月10日", "２０２６-６-10");
    let report = taken(&mut office, &other, plain.into_bytes());
    assert_eq!((report.counts.requests, report.counts.unchanged), (3, 3), "{report}");
    assert_eq!(office.all(), before);
}

#[test]
fn what_stands_at_an_old_files_end() {
    for end in ["\u{1A}", "\r\n\u{1A}", "\r\n\r\n,,,,,,,,,\r\n  \r\n\u{1A}\u{1A}\u{1A}\r\n"] {
        let content = encode(&(old("1", "机") + end)).unwrap();
        let report = taken(&mut Office::new(), OLD, content);
        assert_eq!((report.outcome, report.counts.lines), (Outcome::Applied, 1), "{end:?}: {report}");
    }
    // Anywhere else it is no end.
    let report = taken(&mut Office::new(), OLD, windows(&[old("1", "机\u{1A}"), old("2", "机")]));
    assert!(
        report.problems[0].to_string().starts_with("line 1, column 8 (品目): expected printable"),
        "{report}"
    );
    // A delimiter behind the last cell; and one that stands for a cell too many.
    let report = taken(&mut Office::new(), OLD, windows(&[old("1", "机") + ",", old("2", "机")]));
    assert_eq!(report.counts.requests, 2, "{report}");
    let report = taken(&mut Office::new(), OLD, windows(&[old("1", "机") + ",x", old("2", "机") + ",,"]));
    let told = "line 1: expected 10 cells as in the profile's columns, found 11; quote cells that hold the delimiter";
    assert_eq!((report.problems.len(), report.problems[0].to_string().as_str()), (1, told));
}

#[test]
fn an_external_character_that_nobody_knows_is_an_error_of_its_line() {
    let lines = [
        // Nothing is read of the name, or only a rule looks at it.
        old("1", "机").replace("山田", "\u{E002}田"),
        old("2", "机").replace("門の前", "\u{E001}西\u{E003}"),
        old("\u{E004}", "机"),
    ];
    let by_name = format!("{OLD}[[skip]]\nname = \"names\"\ncolumn = \"氏名\"\nmatches = \"テスト*\"\n");
    assert_eq!(taken(&mut Office::new(), &by_name, windows(&lines[..1])).counts.added, 1);
    let report = taken(&mut Office::new(), OLD, windows(&lines));
    let told: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    assert_eq!(report.outcome, Outcome::Rejected);
    assert_eq!(
        told[0],
        "line 2, column 7 (排出場所): expected characters that the profile's [gaiji] knows, found the external character F043 (U+E003)"
    );
    assert!(
        told[1].starts_with("line 3, column 3 (受付番号): expected characters")
            && told[1].ends_with("F044 (U+E004)")
    );
    assert!(told.iter().all(|problem| !problem.contains('西')), "{told:?}");
    // In UTF-8 files alike, and wherever else private characters are.
    let profile = OLD.replace("\"cp932\"", "\"utf-8\"");
    for c in ['\u{E003}', '\u{F8FF}', '\u{F0001}'] {
        let report = taken(&mut Office::new(), &profile, old("1", &format!("机{c}")).into_bytes());
        let code = format!("U+{:04X}", u32::from(c));
        assert!(report.problems[0].problem.contains(&code), "{report}");
    }
}

#[test]
fn dates_that_can_not_be() {
    for date in ["令和8年2月30日", "令和100年4月1日", "昭和63年6月10日", "20260631", "2026/06/10", "R8.6"]
    {
        let line = old("1", "机").replace("令和8年6月10日", date);
        let report = taken(&mut Office::new(), OLD, windows(&[line]));
        let told = report.problems[0].to_string();
        assert!(
            told.starts_with(
                "line 1, column 1 (収集日): expected a date like 令和8年4月1日 or R8.4.1 or %Y%m%d"
            ),
            "{told}"
        );
        assert!(told.contains(&format!("found {date:?}")), "{told}");
    }
}

/// A file that is held at the turn of the year is of the same year when it is released in another.
#[test]
fn a_date_without_a_year_stays_of_the_day_that_the_file_came_on() {
    let profile = OLD.replace("[\"wareki\", \"%Y%m%d\"]", "\"%m月%d日\"\nyear = \"near\"");
    let lines = [old("1", "机"), old("2", "机")].map(|line| line.replace("令和8年", ""));
    let mut office = Office::new();
    let error =
        bytes(&profile, windows(&lines)).and_then(|command| office.run(command)).unwrap_err().to_string();
    assert!(error.contains("expected reference_day"), "{error}");
    let profile = profile::dated(&profile, "2026-06-01".parse().unwrap()).unwrap().into_owned();
    assert_eq!(taken(&mut office, &profile, windows(&lines)).counts.added, 2);
    let held = taken(&mut office, &profile, windows(&lines[..1]));
    assert_eq!(held.outcome, Outcome::Held);
    office.now = "2027-01-09T03:00:00Z".parse().unwrap();
    let released = office.run(Command::Release { id: held.import.unwrap(), anyway: false }).unwrap();
    assert_eq!((released.counts.unchanged, released.counts.cancelled), (1, 1));
}

#[test]
fn names_that_are_written_otherwise_are_found() {
    let profile = PROFILE.replace("納付券", "斎券").replace("\"町丁目\"", "\"町高目\"");
    // Old forms, widths and spaces in the header, the district, the ward and what is translated.
    let header = HEADER.replace("町丁目", "町 髙目").replace("品目1", "品目１").replace("緯度", "緯　度");
    let lines = line(1).replace("中区A,中区", "中區　Ａ,中區").replace("納付券", "齋券");
    let mut office = Office::new();
    let report = office.import(&profile, &format!("{header}\n{lines}\n"));
    assert_eq!(report.outcome, Outcome::Applied, "{report}");
    // The plan's names are kept; the key tells 中區 from 中区, as two people's names must be told apart.
    assert_eq!(
        office.texts("SELECT source_key, district, ward, payment FROM pickup"),
        ["2026-06-10/中區 A/0001 中区A 中区 tickets"]
    );
    let strict = format!("variants = {{ enabled = false }}\n{profile}");
    let error = Office::new().run(file(&strict, &format!("{header}\n{lines}\n"))).unwrap_err().to_string();
    assert!(error.contains("expected a column 町高目"), "{error}");
}

#[test]
fn lines_of_one_request_that_disagree_are_refused() {
    let lines = [old("1", "机"), old("2", "机"), old("1", "棚").replace("門の前", "裏")];
    let report = taken(&mut Office::new(), OLD, windows(&lines));
    assert_eq!(
        report.problems[0].to_string(),
        "line 3: expected the same as on line 1 of this request, found another spot"
    );
}

/// Files that can't be read as a whole, with what is said of them.
#[test]
fn hostile_files() {
    let good = windows(&[old("1", "机"), old("2", "机")]);
    let cut = |at: &str| {
        let lines = encode(&old("1", "机").replace("門の前", "\"門の前\"")).unwrap();
        let at = encode(at).unwrap();
        let place = lines.windows(at.len()).position(|window| window == at).unwrap();
        lines[..=place].to_vec()
    };
    let wide = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for (content, expected) in [
        (
            cut("の前\""),
            "line 1: byte 52: expected CP932, found the end of the file in the middle of a character",
        ),
        (cut("\"門"), "line 1: expected a closing quote, found the end of the file"),
        (Vec::new(), "expected lines, found an empty file"),
        (b"\r\n\x1a".to_vec(), "expected lines, found an empty file"),
        ([&good[..], "あ\r\n".as_bytes()].concat(), "line 3: byte 3: expected CP932, found the bytes 0x820D"),
        (old("1", "机").into_bytes(), "this looks like UTF-8, the profile says cp932"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0".to_vec(), "expected a CSV file, found a zip or Excel file (xlsx)"),
        (b"%PDF-1.4\n".to_vec(), "found a PDF file"),
        (vec![0; 100], "found nothing but NUL bytes"),
        (vec![b'a'; FILE_BYTES + 1], "expected at most 134217728 bytes, found more"),
    ] {
        let error =
            bytes(OLD, content).and_then(|command| Office::new().run(command)).unwrap_err().to_string();
        assert!(error.starts_with("can't read ") && error.contains(expected), "{error}");
    }
    // Lines that can't be taken, each told by itself.
    for (content, expected) in [
        (windows(&[wide(10_000)]), "line 1: expected 10 cells as in the profile's columns, found 10000"),
        (windows(&[old("1", "机\0")]), "line 1, column 8 (品目): expected printable characters"),
        (
            windows(&[old("1", &"机".repeat(2_000_000))]),
            "line 1, column 8 (品目): expected at most 100 characters, found 2000000",
        ),
    ] {
        let report = taken(&mut Office::new(), OLD, content);
        assert!(report.problems[0].to_string().starts_with(expected), "{report}");
    }
    // Ten thousand columns, of which the profile's are some.
    let (header, first) = (format!("{},{HEADER}", wide(10_000)), format!("{},{}", wide(10_000), line(1)));
    assert_eq!(Office::new().import(&PROFILE, &format!("{header}\n{first}\n")).counts.added, 1);
    let error = Office::new().run(file(&PROFILE, &format!("{}\n", wide(10_000)))).unwrap_err().to_string();
    assert!(error.contains("expected columns 収集日") && error.chars().count() < 500, "{error}");
}

const EXAMPLE: &str = include_str!("../../profiles/reception-cp932.toml");
const EXAMPLE_FILE: &[u8] = include_bytes!("../../profiles/reception-cp932.csv");

fn example_city() -> City {
    City::parse(Path::new("city.toml"), include_str!("../../profiles/reception-cp932-city.toml")).unwrap()
}

fn checked(profile: &str, city: Option<&City>, content: &[u8], language: Language) -> Checked {
    let today = "2026-03-25".parse().unwrap();
    let file = Some(("reception-cp932.csv".to_owned(), content.to_vec()));
    check(profile, city, today, file, 3, language).unwrap()
}

/// The integrator's guide shows the example, and what a check says of it.
#[test]
fn the_guides_example_is_as_it_says() {
    let guide = include_str!("../../../docs/profiles.md");
    let city = example_city();
    for language in [Language::Ja, Language::En] {
        let told = checked(EXAMPLE, Some(&city), EXAMPLE_FILE, language).to_string();
        let start = told.find("reception-cp932.csv").unwrap();
        assert!(
            guide.contains(told[start..].trim_end()),
            "docs/profiles.md should show:\n{}",
            &told[start..]
        );
    }
    let content = text("reception-cp932.csv", EXAMPLE, EXAMPLE_FILE.to_vec()).unwrap();
    for line in content
        .lines()
        .filter(|line| !line.contains('\u{E000}') && !line.contains('\u{E001}') && line.len() > 60)
    {
        assert!(guide.contains(line.trim_end()), "docs/profiles.md should show: {line}");
    }
    let Command::File(file) = file(EXAMPLE, &content) else { panic!("it is a file") };
    let report = Prepared::without_store(&city, file, &Progress::default()).unwrap().report().clone();
    let counts = Counts { lines: 6, skipped: 1, requests: 4, added: 4, cancelled: 1, ..Counts::default() };
    assert_eq!((report.outcome, report.counts), (Outcome::Applied, counts));
}

/// Every setting that a profile has is in the guide.
#[test]
fn the_guide_names_every_setting() {
    let guide = include_str!("../../../docs/profiles.md");
    let source = include_str!("profile.rs");
    let settings = source.lines().filter_map(|line| line.strip_prefix("    pub ")?.split_once(": "));
    let mut count = 0;
    for (setting, _) in settings.filter(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    {
        assert!(guide.contains(&format!("`{setting}`")), "docs/profiles.md lacks `{setting}`");
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[test]
fn a_check_shows_what_is_wrong_and_where() {
    let city = example_city();
    // Without a plan what is written is shown; with it, it is looked up.
    let without = checked(EXAMPLE, None, EXAMPLE_FILE, Language::En);
    assert!(
        without.good() && without.to_string().contains("districts, wards and vehicles were not looked up")
    );
    let other = EXAMPLE.replace("\"01\" = \"中区A\"", "\"01\" = \"中区B\"");
    assert!(checked(&other, None, EXAMPLE_FILE, Language::En).good());
    let found = checked(&other, Some(&city), EXAMPLE_FILE, Language::Ja);
    let told = found.to_string();
    assert!(
        !found.good()
            && told.contains("誤り: line 1, column 2 (地区コード): expected a district of city.toml"),
        "{told}"
    );
    // What only the whole line tells: a day that is none of the contract's, and an external character of a used column.
    let content = encode("令和9年4月1日,01,1,,,町,1,,\u{E002},机,1,,,\r\n").unwrap();
    let told = checked(EXAMPLE, Some(&city), &content, Language::En).to_string();
    assert!(told.contains("expected a day of contract") && told.contains("F042 (U+E002)"), "{told}");
    // Each problem once, and cells as they stand.
    assert_eq!(told.matches("wrong: ").count(), 2, "{told}");
    let json = serde_json::to_value(checked(EXAMPLE, Some(&city), EXAMPLE_FILE, Language::En)).unwrap();
    assert_eq!(json["file"]["unused"][0]["name"], "電話");
    assert_eq!(json["file"]["lines"][0]["values"][0]["cell"], "令和8年4月1日");
    assert_eq!(json["file"]["lines"][2]["key"], "2026-04-01/01/0002");
    // Files that can't be read.
    for (profile, content, expected) in [
        (EXAMPLE, &b"PK\x03\x04"[..], "can't be read: expected a CSV file, found a zip"),
        (EXAMPLE, b"a,b\r\n", "wrong: line 1: expected 14 cells as in the profile's columns, found 2"),
        (EXAMPLE, b"", "can't be read: expected lines, found an empty file"),
        (&PROFILE, b"a,b\r\n1,2\r\n", "columns that the file lacks: 収集日, 地区"),
        (&PROFILE, EXAMPLE_FILE, "this looks like CP932, the profile says utf-8"),
    ] {
        let found = checked(profile, None, content, Language::En);
        assert!(!found.good() && found.to_string().contains(expected), "{found}");
    }
}

/// What a spreadsheet would run is plain text here.
#[test]
fn formulas_are_texts() {
    let mut office = Office::new();
    let formula = "=CMD|'/C calc'!A0";
    let lines = [old("1", formula).replace("門の前", "+1+1").replace("ｶﾐﾔ町", "@SUM(A1)")];
    assert_eq!(taken(&mut office, OLD, windows(&lines)).counts.added, 1);
    let texts = office.texts("SELECT town, spot, items FROM pickup JOIN resident ON pickup = id");
    assert_eq!(texts, [format!("@SUM(A1)1丁目 +1+1 [{{\"count\":1,\"name\":\"{formula}\"}}]")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is cut off, put in or turned over in a file's bytes: it is taken whole, or nothing of it.
    #[test]
    fn damaged_bytes_are_read_or_refused(
        cut in 0_usize..400, put in proptest::collection::vec(any::<u8>(), 0..12), truncate in any::<bool>(),
    ) {
        let mut content = windows(&[old("1", "机"), old("2", "\"棚\r\n大\""), old("2", "椅子")]);
        let at = cut.min(content.len());
        if truncate {
            content.truncate(at);
        }
        content.splice(at..at, put);
        let mut office = Office::new();
        let taken = bytes(OLD, content).and_then(|command| office.run(command))
            .is_ok_and(|report| report.outcome == Outcome::Applied);
        prop_assert_eq!(office.texts("SELECT count(*) > 0 FROM pickup"), [if taken { "1" } else { "0" }]);
        // Nothing of a file that was taken is another character.
        prop_assert_eq!(office.texts("SELECT count(*) FROM resident WHERE instr(town || spot, '\u{FFFD}')"), ["0"]);
    }
}
