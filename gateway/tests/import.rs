//! `meguri-gateway import` as a person runs it: exit statuses, dry runs, held imports, and beside a running gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

mod visitor;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use meguri_config::City;
use meguri_gateway::import::profile::Profile;
use meguri_gateway::import::{Outcome, Report};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
[[contractor]]
id = "daiichi"
name = "第一収集"
[[contract]]
id = "daiichi-2026"
contractor = "daiichi"
from = "2026-04-01"
until = "2027-03-31"
[[vehicle]]
id = "v-1"
contract = "daiichi-2026"
name = "1号車"
round = "中区A"
[[district]]
name = "中区A"
ward = "中区"
vehicle = "v-1"
"#;

const PROFILE: &str = r#"
name = "whole days"
source = "test"
covers = "whole_day"
key = ["no"]
[fields]
date = "date"
district = "district"
reception = "no"
town = "town"
[items.text]
text = "items"
between = ["、"]
times = ["×"]
"#;

struct Folder {
    dir: TempDir,
    /// The data folder's name.
    data: &'static str,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/city.toml"), CITY).unwrap();
        fs::write(dir.path().join("profile.toml"), PROFILE).unwrap();
        Self { dir, data: "data" }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn gateway(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command.arg("--data").arg(self.path(self.data));
        command.env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0");
        command.env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0");
        command
    }

    /// Imports these bytes with more arguments.
    fn import(&self, content: impl AsRef<[u8]>, more: &[&str]) -> Output {
        fs::write(self.path("day.csv"), content).unwrap();
        let mut command = self.gateway();
        command.arg("import").arg("--profile").arg(self.path("profile.toml")).args(more);
        command.arg(self.path("day.csv")).output().unwrap()
    }

    fn settle(&self, args: &[&str]) -> Output {
        self.gateway().arg("import").args(args).output().unwrap()
    }

    fn count(&self, select: &str) -> i64 {
        let store = self.path(self.data).join("meguri.db");
        let conn = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        conn.query_row(select, [], |row| row.get(0)).unwrap()
    }
}

fn day(count: u32) -> String {
    let line = |n| format!("{n:04},2026-06-10,中区A,紙屋町一丁目,タンス×1、椅子×2\n");
    format!("no,date,district,town,items\n{}", (1..=count).map(line).collect::<String>())
}

#[track_caller]
fn ended(output: &Output, status: i32, says: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{out}\n{err}");
    assert!(out.contains(says) || err.contains(says), "expected {says:?} in:\n{out}\n{err}");
}

fn report(output: &Output) -> Report {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_error_is_told_once() {
    let folder = Folder::new();
    let told = |output: &Output, what: &str| {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(err.matches(what).count(), 1, "{err}");
    };
    ended(&folder.settle(&["list"]), 0, "no import is held");
    told(&folder.import("no,date\n", &[]), "expected columns district");
    fs::write(folder.path("profile.toml"), PROFILE.replace("town =", "twon =")).unwrap();
    told(&folder.import(day(1), &[]), "unknown field");
    fs::remove_file(folder.path("data/city.toml")).unwrap();
    told(&folder.import(day(1), &[]), "No such file");
    fs::write(folder.path("data/city.toml"), CITY.replace("division", "dvision")).unwrap();
    told(&folder.import(day(1), &[]), "unknown field");
    let mut command = folder.gateway();
    let output =
        command.args(["config", "print", "--config"]).arg(folder.path("nothing.toml")).output().unwrap();
    told(&output, "No such file");
}

#[test]
fn status_0_all_taken_and_again_unchanged() {
    let folder = Folder::new();
    ended(&folder.import(day(20), &[]), 0, "taken as import 1");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20);
    let output = folder.import(day(20), &["--json"]);
    ended(&output, 0, "");
    let counts = report(&output).counts;
    assert_eq!((counts.unchanged, counts.added, counts.changed), (20, 0, 0));
    assert_eq!(folder.count("SELECT count(*) FROM history"), 20);
}

#[test]
fn status_1_could_not_read() {
    let folder = Folder::new();
    ended(&folder.import("", &[]), 1, "can't read day.csv: expected a header");
    ended(&folder.import("no,date\n", &[]), 1, "expected columns district, town, items, found only no, date");
    ended(&folder.import("no,\"date\n", &[]), 1, "line 1: expected a closing quote");
    let shift_jis = [day(1).as_bytes(), b"0002,2026-06-10,\x92\x86\x8b\xe6A,x,y\n"].concat();
    ended(&folder.import(shift_jis, &[]), 1, "line 3: byte 17: expected UTF-8, found the byte 0x92");
    fs::write(folder.path("profile.toml"), PROFILE.replace("town =", "twon =")).unwrap();
    ended(&folder.import(day(1), &[]), 1, "twon");
    fs::remove_file(folder.path("profile.toml")).unwrap();
    ended(&folder.import(day(1), &[]), 1, "can't read the profile");
    fs::write(folder.path("profile.toml"), PROFILE).unwrap();
    fs::write(folder.path("data/meguri.db"), [b'x'; 4096]).unwrap();
    ended(&folder.import(day(1), &[]), 1, "damaged or no store");
    ended(&folder.import(day(1), &["--dry-run"]), 1, "not a database");
}

#[test]
fn status_2_rejected_lines_and_nothing_taken() {
    let folder = Folder::new();
    let bad = day(20).replace("0007,2026-06-10", "0007,2026-06-99");
    ended(&folder.import(&bad, &[]), 2, "day.csv, line 8, column 2 (date): expected a date like %Y-%m-%d");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 0);
    let output = folder.import(&bad, &["--json"]);
    assert_eq!((report(&output).outcome, report(&output).problems.len()), (Outcome::Rejected, 1));
}

#[test]
fn quotes_that_are_missing_cancel_nobody() {
    let folder = Folder::new();
    ended(&folder.import(day(40), &[]), 0, "taken");
    let stray = day(40)
        .replace("0010,2026-06-10,中区A,紙", "0010,2026-06-10,中区A,\"紙")
        .replace("0011,2026-06-10,中区A,紙屋町一丁目", "0011,2026-06-10,中区A,紙屋町一丁目\"");
    ended(
        &folder.import(&stray, &[]),
        2,
        "line 11, column 4 (town): expected one cell, found what reads like another line",
    );
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 40);
}

#[test]
fn the_status_tells_what_was_taken_where_the_report_can_not_be_printed() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        folder.gateway().arg("import").args(args).stdout(full).output().unwrap()
    };
    let (profile, file) = (folder.path("profile.toml"), folder.path("day.csv"));
    let import = ["--profile", profile.to_str().unwrap(), file.to_str().unwrap()];
    fs::write(&file, day(20)).unwrap();
    ended(&run(&import), 0, "can't print the report");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20);
    fs::write(&file, day(10)).unwrap();
    ended(&run(&import), 3, "can't print the report");
    ended(&run(&["list"]), 0, "can't print the report");
    fs::write(&file, "no,date,district,town,items\n1,,,,\n").unwrap();
    ended(&run(&import), 2, "can't print the report");
}

#[test]
fn no_name_writes_on_the_screen() {
    let folder = Folder::new();
    let output = folder.import("no,date,\u{1b}[2J\n", &[]);
    ended(&output, 1, "found only no, date, \\u{1b}[2J");
}

#[test]
fn status_3_held_until_released_or_dropped() {
    let folder = Folder::new();
    ended(&folder.import(day(20), &[]), 0, "taken");
    ended(&folder.import(day(10), &[]), 3, "2026-06-10: 10 of 20 planned pickups are missing in the file");
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 20);
    let output = folder.settle(&["list"]);
    ended(&output, 0, "import 2: day.csv, read with whole days, held ");
    ended(&output, 0, "  2026-06-10: 10 of 20 planned pickups are missing in the file");
    let listed: serde_json::Value =
        serde_json::from_slice(&folder.settle(&["list", "--json"]).stdout).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["import"]), (1, &2.into()));
    assert_eq!(listed[0]["missing"][0]["date"], "2026-06-10");
    let output = folder.settle(&["drop", "2"]);
    ended(&output, 0, "import 2 is dropped");
    ended(&output, 0, "day.csv, read with whole days\n");
    ended(&folder.settle(&["list"]), 0, "no import is held");
    ended(&folder.settle(&["release", "2"]), 1, "import 2 is dropped; only held imports");
    ended(&folder.import(day(10), &[]), 3, "held as import 3");
    ended(&folder.settle(&["release", "3", "--dry-run"]), 0, "dry run");
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 20);
    ended(&folder.settle(&["release", "3"]), 0, "taken as import 3");
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 10);
    assert_eq!(folder.count("SELECT count(*) FROM notice WHERE settled_at IS NULL"), 0);
    assert_eq!(folder.count("SELECT count(*) FROM import WHERE content IS NOT NULL"), 0);
}

#[test]
fn an_older_file_is_released_anyway_only() {
    let folder = Folder::new();
    ended(&folder.import(day(20), &[]), 0, "taken");
    ended(&folder.import(day(10), &[]), 3, "held as import 2");
    ended(&folder.import(day(21), &[]), 0, "taken");
    ended(&folder.settle(&["release", "2", "--dry-run"]), 1, "it would be taken with --anyway only");
    ended(&folder.settle(&["release", "2"]), 1, "import release 2 --anyway");
    ended(
        &folder.settle(&["release", "2", "--dry-run", "--anyway"]),
        0,
        "a newer file was taken as import 3",
    );
    ended(&folder.settle(&["release", "2", "--anyway"]), 0, "taken as import 2");
}

#[test]
fn a_store_of_another_version_is_not_guessed_at() {
    let folder = Folder::new();
    let store = Connection::open(folder.path("data/meguri.db")).unwrap();
    store.pragma_update(None, "user_version", 3).unwrap();
    ended(&folder.settle(&["list"]), 1, "is of another version; start the gateway once");
    ended(&folder.import(day(1), &["--dry-run"]), 1, "is of another version");
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let folder = Folder::new();
    let dry = folder.import(day(20), &["--dry-run", "--json"]);
    ended(&dry, 0, "");
    assert!(!folder.path("data/meguri.db").exists());
    let done = folder.import(day(20), &["--json"]);
    assert_eq!(Report { dry_run: false, import: Some(1), ..report(&dry) }, report(&done));
    ended(&folder.import(day(10), &["--dry-run"]), 3, "it would be held");
    ended(&folder.import(day(21), &["--dry-run"]), 0, "dry run: all would be taken, nothing was written");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20);
    assert_eq!(folder.count("SELECT count(*) FROM import"), 1);
}

/// Ended with the test, however it ends.
struct Serving {
    child: Child,
    /// What it says when it is ready.
    ready: serde_json::Value,
}

impl Serving {
    /// The front page, as an administrator sees it.
    fn page(&self, folder: &Folder) -> String {
        visitor::add(&mut folder.gateway(), &folder.path(""), "administrator");
        let at = self.ready["web"].as_str().unwrap();
        visitor::ask(at, "GET", "/", &visitor::sign_in(at, "administrator"), "").2
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Folder) -> Serving {
    let mut child = folder
        .gateway()
        .env("MEGURI_GATEWAY__PEOPLE__SECOND_FACTOR", "optional")
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut serving = Serving { child, ready: serde_json::Value::Null };
    // Ends with the process, too, should it fail to start.
    let ready = lines.next().expect("the gateway ended before it was ready").unwrap();
    serving.ready = serde_json::from_str(&ready).unwrap();
    assert_eq!(serving.ready["ready"], true, "{ready}");
    serving
}

#[test]
fn beside_a_running_gateway_the_file_goes_through_it() {
    let folder = Folder::new();
    let _serving = serve(&folder);
    ended(&folder.import(day(20), &["--dry-run"]), 0, "dry run");
    ended(&folder.import(day(20), &[]), 0, "taken as import 1");
    ended(&folder.import(day(20), &[]), 0, "unchanged        20");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20);
    ended(&folder.import(day(10), &[]), 3, "held as import 3");
    ended(&folder.settle(&["release", "3"]), 0, "taken as import 3");
    ended(&folder.settle(&["drop", "3"]), 1, "import 3 is applied");
    ended(
        &folder.import(day(20).replace("中区A", "?"), &[]),
        2,
        "expected a district of city.toml, found \"?\"",
    );
    ended(&folder.import("no\n", &[]), 1, "expected columns");
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 10);
}

/// More than fits into a few transactions.
fn big() -> String {
    let mut content = "no,date,district,town,items\n".to_owned();
    for n in 0..20_000 {
        let date = format!("2026-05-{:02}", n / 1_000 + 1);
        content.push_str(&format!("{n:05},{date},中区A,紙屋町一丁目,タンス×1、椅子×2\n"));
    }
    content
}

/// Kills a gateway with SIGKILL as soon as the store says that its import is there. Says what the command said.
fn killed_when(folder: &Folder, there: &str) -> Output {
    let mut serving = serve(folder);
    fs::write(folder.path("big.csv"), big()).unwrap();
    let mut import = folder.gateway();
    import.arg("import").arg("--profile").arg(folder.path("profile.toml")).arg(folder.path("big.csv"));
    let mut import = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while folder.count(there) == 0 {
        assert!(import.try_wait().unwrap().is_none(), "it was through before it could be killed");
        thread::sleep(Duration::from_millis(1));
    }
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    import.wait_with_output().unwrap()
}

const STAGING: &str = "SELECT count(*) > 100 AND NOT EXISTS (SELECT 1 FROM taking) FROM taking_step";
const APPLYING: &str =
    "SELECT count(*) > 100 AND EXISTS (SELECT 1 FROM taking) AND (SELECT count(*) FROM pickup) > 100
    FROM taking_step";

#[track_caller]
fn comes_to(folder: &Folder, select: &str, wanted: i64) {
    for _ in 0..3_000 {
        if folder.count(select) == wanted {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{select} stays {}", folder.count(select));
}

#[test]
fn killed_before_it_is_decided_nothing_is_taken() {
    let folder = Folder::new();
    ended(&killed_when(&folder, STAGING), 1, "went away without an answer");
    assert!(folder.count("SELECT count(*) FROM taking_step") > 0);
    let _serving = serve(&folder);
    comes_to(&folder, "SELECT count(*) FROM taking_step", 0);
    assert_eq!(folder.count("SELECT (SELECT count(*) FROM pickup) + (SELECT count(*) FROM import)"), 0);
    ended(&folder.import(big(), &[]), 0, "added         20000");
}

#[test]
fn killed_after_it_is_decided_all_is_taken() {
    let folder = Folder::new();
    ended(&killed_when(&folder, APPLYING), 1, "went away without an answer");
    assert!(folder.count("SELECT count(*) FROM pickup") < 20_000);
    let _serving = serve(&folder);
    comes_to(&folder, "SELECT count(*) FROM taking", 0);
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20_000);
    assert_eq!(folder.count("SELECT count(*) FROM history"), 20_000);
    ended(&folder.import(big(), &[]), 0, "unchanged     20000");
}

#[test]
fn what_a_killed_gateway_left_is_ended_by_the_next_command() {
    let folder = Folder::new();
    ended(&killed_when(&folder, APPLYING), 1, "went away without an answer");
    ended(&folder.import(day(3), &[]), 0, "added             3");
    assert_eq!(folder.count("SELECT count(*) FROM pickup"), 20_003);
}

const MIXED: &[u8] = b"\xEF\xBB\xBFno,date,district,town,items\r\n\
    0001,2026-06-10,\xE4\xB8\xAD\xE5\x8C\xBAA,x,\xE6\xA4\x85\xE5\xAD\x90\r\n\
    0002,2026-06-10,?,x,y\r\n\
    0003,2026-06-10,\xE4\xB8\xAD\xE5\x8C\xBAA,x,z\r\n\
    0004,2026-06-10,?,\"x\"\"\",y";

#[test]
fn status_4_the_good_lines_are_taken_and_the_rest_can_be_corrected() {
    let folder = Folder::new();
    ended(&folder.import(day(4), &[]), 0, "taken");
    ended(&folder.import(MIXED, &[]), 2, "nothing was taken");
    ended(
        &folder.import(MIXED, &["--accept-good", "--dry-run"]),
        4,
        "all but the rejected lines would be taken",
    );
    assert!(!folder.path("day.csv.rejected.csv").exists());
    let output = folder.import(MIXED, &["--accept-good"]);
    ended(&output, 4, "line 3, column 3 (district): expected a district");
    ended(&output, 4, "taken as import 2, but for the rejected lines");
    ended(&output, 4, "import that file with --changes");
    let rejected = fs::read(folder.path("day.csv.rejected.csv")).unwrap();
    let stood =
        b"\xEF\xBB\xBFno,date,district,town,items\r\n0002,2026-06-10,?,x,y\r\n0004,2026-06-10,?,\"x\"\"\",y";
    assert_eq!(rejected, stood);
    // What was rejected is not missing.
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 4);
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE rev = 2"), 2);
    // Never overwritten, and then nothing is taken.
    ended(&folder.import(MIXED, &["--accept-good"]), 1, "is there already and is not overwritten");
    let other = folder.path("other.csv");
    let output = folder.import(MIXED, &["--json", "--accept-good", "--rejected", other.to_str().unwrap()]);
    let told = report(&output).rejected.unwrap();
    assert_eq!((output.status.code(), told.lines, told.header), (Some(4), 2, 1));
    assert_eq!((told.places, told.file), (vec![(3, 3), (5, 5)], Some(other.display().to_string())));
    assert_eq!(fs::read(other).unwrap(), stood);
    // Corrected, it changes those and cancels nothing.
    let corrected = String::from_utf8(rejected).unwrap().replace('?', "中区A");
    ended(&folder.import(&corrected, &[]), 3, "held");
    ended(&folder.import(&corrected, &["--changes"]), 0, "changed           2");
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open' AND rev = 2"), 4);
    // Beside a gateway it is the same; a line that is no line of the table keeps its day from being cut.
    let _serving = serve(&folder);
    fs::remove_file(folder.path("day.csv.rejected.csv")).unwrap();
    let broken = format!("{}0005,2026-06-10\n", day(2));
    let output = folder.import(&broken, &["--accept-good"]);
    ended(&output, 4, "2026-06-10: 2 missing pickups are not cancelled");
    assert_eq!(
        fs::read_to_string(folder.path("day.csv.rejected.csv")).unwrap(),
        "no,date,district,town,items\n0005,2026-06-10\n"
    );
    assert_eq!(folder.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 4);
    assert_eq!(
        folder.import("no,date,district,town,items\n1,x,,,\n", &["--accept-good"]).status.code(),
        Some(1)
    );
}

#[test]
fn a_held_import_is_released_by_the_command_on_the_page() {
    let folder = Folder { data: "our office", ..Folder::new() };
    fs::rename(folder.path("data"), folder.path("our office")).unwrap();
    let serving = serve(&folder);
    ended(&folder.import(day(20), &[]), 0, "taken as import 1");
    ended(&folder.import(day(10), &[]), 3, "held as import 2");
    let page = serving.page(&folder);
    let commands = page.split("<code>").skip(1).filter_map(|part| part.split("</code>").next());
    let release = commands.into_iter().find(|command| command.contains("release")).expect("no command");
    let programs = Path::new(env!("CARGO_BIN_EXE_meguri-gateway")).parent().unwrap();
    // Copied into a shell that stands somewhere else.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", release]).current_dir("/").env("PATH", programs);
    ended(&shell.output().unwrap(), 0, "taken as import 2");
}

/// The profiles that come with the gateway, each with its plan.
#[test]
fn shipped_profiles_and_plans_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [
        "profiles/myla311-bulky.toml",
        "../tests/demo/day.profile.toml",
        "../tests/demo/changes.profile.toml",
    ] {
        Profile::parse(&fs::read_to_string(folder.join(path)).unwrap()).unwrap();
    }
    City::read(&folder.join("profiles/myla311-city.toml")).unwrap();
}

#[test]
fn takes_requests_of_myla311() {
    let folder = Folder::new();
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    fs::copy(profiles.join("myla311-city.toml"), folder.path("data/city.toml")).unwrap();
    fs::copy(profiles.join("myla311-bulky.toml"), folder.path("profile.toml")).unwrap();
    let content = "sr,created,service_date,closed,updated,type,action,status,source,owner_yard,zip,lat,lon,council_district\n\
        1-1,,2018-01-06T00:00:00,,,Bulky Items,SR Created,Closed,Call,NC,90020,34.06,-118.29,10\n\
        1-2,,2018-01-04T13:04:00,,,Electronic Waste,SR Created,Cancelled,Call,F-SEV,,,,\n\
        1-3,,,,,Bulky Items,SR Created,Closed,Driver Self Report,,,,,\n";
    let output = folder.import(content, &["--json"]);
    ended(&output, 0, "");
    let report = report(&output);
    assert_eq!((report.counts.added, report.counts.cancelled, report.counts.skipped), (2, 1, 1));
    assert_eq!((report.skipped[0].rule.as_str(), report.skipped[0].lines), ("no service date", 1));
    let cancelled = "SELECT count(*) FROM pickup JOIN resident ON pickup = id
        WHERE reception = '2' AND date = '2018-01-04' AND vehicle = 'ev' AND town = 'ZIP unknown' AND state = 'cancelled'";
    assert_eq!(folder.count(cancelled), 1);
}

/// A file of one line of 1 GB, most of which nobody ever wrote: it is refused before it is read, in little memory.
#[test]
fn a_huge_line_is_refused_in_bounded_memory() {
    let folder = Folder::new();
    let huge = folder.path("huge.csv");
    fs::write(&huge, "no,date,district,town,items\n").unwrap();
    fs::OpenOptions::new().write(true).open(&huge).unwrap().set_len(1 << 30).unwrap();
    let gateway = folder.gateway();
    // With 1 GB of it in memory there would be no room left.
    let limited = |args: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -v 900000 && exec \"$0\" \"$@\""]).arg(gateway.get_program());
        shell.args(gateway.get_args()).args(args).arg(&huge).output().unwrap()
    };
    let profile = folder.path("profile.toml");
    let profile = profile.to_str().unwrap();
    ended(&limited(&["import", "--profile", profile]), 1, "expected at most 134217728 bytes, found more");
    let checked = limited(&["profile", "check", profile]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stdout).contains("expected at most 134217728 bytes"));
}

#[test]
fn a_profile_is_explained_and_checked() {
    let folder = Folder::new();
    fs::write(folder.path("good.csv"), day(20)).unwrap();
    fs::write(folder.path("bad.csv"), day(2).replace("2026-06-10", "2026-06-31")).unwrap();
    let check = |file: &str, more: &[&str]| {
        let mut command = folder.gateway();
        command.args(["profile", "check"]).arg(folder.path("profile.toml"));
        if !file.is_empty() {
            command.arg(folder.path(file));
        }
        let output = command.args(more).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (status, told) = check("", &[]);
    assert!(status == Some(0) && told.contains("文字コードは UTF-8 です"), "{told}");
    let (status, told) = check("good.csv", &["--lines", "2", "--lang", "en"]);
    assert!(status == Some(0) && told.contains("line 3: key") && !told.contains("line 4"), "{told}");
    let (status, told) = check("bad.csv", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, json["file"]["lines"][0]["problems"][0]["line"].as_u64()), (Some(2), Some(2)));
    // Nothing is written, not even a store.
    assert!(!folder.path("data/meguri.db").exists());
    // Without an installation it works as well; and a profile that can't be is told as an import tells it.
    fs::remove_file(folder.path("data/city.toml")).unwrap();
    assert_eq!(check("good.csv", &[]).0, Some(0));
    fs::write(folder.path("profile.toml"), PROFILE.replace("key =", "encoding = \"sjis\"\nkey =")).unwrap();
    assert_eq!(check("good.csv", &[]).0, Some(1));
}
