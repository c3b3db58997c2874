//! Watched folders as another system meets them: files dropped, taken, moved and acknowledged by the real program.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;

const CITY: &str = include_str!("city.toml");

const PROFILE: &str = r#"
name = "whole days"
source = "test"
covers = "whole_day"
key = ["date", "no"]
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

/// An office with a watched folder, killed when the test ends.
struct Office {
    dir: TempDir,
    serving: Option<Child>,
}

impl Office {
    /// With these settings of the folder besides its path and profile.
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let office = Self { dir, serving: None };
        fs::create_dir_all(office.path("drop")).unwrap();
        fs::write(office.path("city.toml"), CITY).unwrap();
        fs::write(office.path("profile.toml"), PROFILE).unwrap();
        let watch = "[[watch]]\nfolder = \"drop\"\nprofile = \"profile.toml\"\npoll_seconds = 0.05\n";
        fs::write(office.path("gateway.toml"), format!("{watch}{settings}\n")).unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn dropped(&self, name: &str) -> PathBuf {
        self.path("drop").join(name)
    }

    fn serve(&mut self) {
        let mut gateway = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        gateway
            .arg("--data")
            .arg(self.dir.path())
            .arg("--config")
            .arg(self.path("gateway.toml"))
            .arg("serve");
        gateway
            .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
            .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0");
        let mut child = gateway.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.serving = Some(child);
        lines.next().expect("the gateway ended before it was ready").unwrap();
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.serving.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Drops a file as a careful system does.
    fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.dropped(name), content).unwrap();
    }

    /// The acknowledgement of a file, once it is there and the file is moved; taken away, as the other system does.
    #[track_caller]
    fn ack(&self, name: &str) -> Value {
        let path = self.dropped(&format!("{name}.ack.json"));
        wait(|| path.exists() && !self.dropped(name).exists());
        let ack = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        fs::remove_file(path).unwrap();
        ack
    }

    fn count(&self, select: &str) -> i64 {
        let store = self.path("meguri.db");
        let conn = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        conn.query_row(select, [], |row| row.get(0)).unwrap()
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let Ok(read) = fs::read_dir(self.dropped(folder)) else { return Vec::new() };
        let mut names: Vec<_> = read.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.kill();
    }
}

#[track_caller]
fn wait(until: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if until() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}

fn day(count: u32) -> String {
    let line = |n| format!("{n:04},2026-06-10,中区A,紙屋町一丁目,タンス×1、椅子×2\n");
    format!("no,date,district,town,items\n{}", (1..=count).map(line).collect::<String>())
}

#[test]
fn a_dropped_file_is_taken_moved_and_acknowledged() {
    let mut office = Office::new("");
    office.drop_file("day.csv", day(20));
    office.serve();
    let ack = office.ack("day.csv");
    assert_eq!(
        (&ack["status"], &ack["import"], &ack["counts"]["added"]),
        (&json!("taken"), &json!(1), &json!(20))
    );
    let moved = office.dropped(ack["moved_to"].as_str().unwrap());
    assert!(moved.starts_with(office.dropped("done")));
    assert_eq!(fs::read_to_string(moved).unwrap(), day(20));
    let text = fs::read_to_string(office.dropped("day.csv.ack.txt")).unwrap();
    assert!(text.starts_with("\u{FEFF}ファイル: day.csv\r\n結果: 取り込みました\r\n"), "{text}");
    // The same name again is no clash; what is missing too much is held.
    office.drop_file("day.csv", day(20));
    assert_eq!(office.ack("day.csv")["counts"]["unchanged"], 20);
    assert_eq!(office.files("done").len(), 2);
    office.drop_file("day.csv", day(10));
    let ack = office.ack("day.csv");
    assert_eq!((&ack["status"], &ack["missing"][0]["missing"]), (&json!("held"), &json!(10)));
    assert_eq!(office.files("held").len(), 1);
    // Faults of a file are told by line and column.
    office.drop_file("bad.csv", day(20).replace("0007,2026-06-10", "0007,2026-06-99"));
    let ack = office.ack("bad.csv");
    assert_eq!(ack["status"], "rejected");
    assert_eq!(
        (&ack["problems"][0]["line"], &ack["problems"][0]["column"]["name"]),
        (&json!(8), &json!("date"))
    );
    for content in [&b"\xFF\xFE\x00"[..], b"", b"no,date\n"] {
        office.drop_file("not.csv", content);
        let ack = office.ack("not.csv");
        assert_eq!(
            (&ack["status"], ack["problems"].as_array().unwrap().len()),
            (&json!("unreadable"), 1),
            "{ack}"
        );
    }
    assert_eq!(office.files("rejected").len(), 4);
    assert_eq!(office.count("SELECT count(*) FROM pickup WHERE state = 'open'"), 20);
}

#[test]
fn only_complete_files_that_are_meant_are_taken() {
    let mut office = Office::new("files = \"*.csv\"\ntrigger = \".end\"");
    office.serve();
    office.drop_file("other.txt", day(1));
    fs::create_dir(office.dropped("folder.csv")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", office.dropped("link.csv")).unwrap();
    for (file, trigger) in [("one.csv", "one.csv.end"), ("two.csv", "two.end")] {
        office.drop_file(file, day(3));
        // Another one that is complete is taken meanwhile, and this one is not.
        office.drop_file("known.csv", day(3));
        office.drop_file("known.csv.end", "");
        office.ack("known.csv");
        assert!(office.dropped(file).exists());
        office.drop_file(trigger, "");
        assert_eq!(office.ack(file)["status"], "taken");
        wait(|| !office.dropped(trigger).exists());
    }
    // A trigger that was left alone tells of no later file.
    office.drop_file("late.csv.end", "");
    office.drop_file("week.end", "");
    wait(|| !office.dropped("late.csv.end").exists() && !office.dropped("week.end").exists());
    for untouched in ["other.txt", "folder.csv", "link.csv"] {
        assert!(fs::symlink_metadata(office.dropped(untouched)).is_ok(), "{untouched}");
    }
}

#[test]
fn good_lines_are_taken_and_a_name_says_its_day() {
    let mut office = Office::new("accept_good = true\nday_in_name = true");
    office.serve();
    let mixed = day(20).replace("0007,2026-06-10,中区A", "0007,2026-06-10,?");
    office.drop_file("uketsuke-20260610.csv", &mixed);
    let ack = office.ack("uketsuke-20260610.csv");
    assert_eq!((&ack["status"], &ack["rejected_lines"]), (&json!("taken_partly"), &json!(1)));
    let rejected = fs::read_to_string(office.dropped(ack["rejected_file"].as_str().unwrap())).unwrap();
    assert_eq!(rejected, "no,date,district,town,items\n0007,2026-06-10,?,紙屋町一丁目,タンス×1、椅子×2\n");
    // A day without a request, which only the name can tell: all of it is missing, so it is held.
    office.drop_file("uketsuke-20260610.csv", day(0));
    assert_eq!(office.ack("uketsuke-20260610.csv")["status"], "held");
    office.drop_file("uketsuke.csv", day(20));
    let ack = office.ack("uketsuke.csv");
    assert!(
        ack["problems"][0]["problem"].as_str().unwrap().contains("expected a day in the file's name"),
        "{ack}"
    );
}

/// Killed when the import is through and the file not yet moved: it is taken again, and changes nothing.
#[test]
fn a_file_that_was_taken_and_not_moved_changes_nothing() {
    let mut office = Office::new("files = \"*.csv\"");
    // A file stands where the folder for files that are done must be.
    office.drop_file("day.csv", day(20));
    fs::write(office.dropped("done"), "").unwrap();
    office.serve();
    wait(|| {
        office.count("SELECT count(*) FROM notice WHERE settled_at IS NULL AND kind = 'watch_trouble'") == 1
    });
    assert_eq!(office.count("SELECT count(*) FROM pickup"), 20);
    office.kill();
    fs::remove_file(office.dropped("done")).unwrap();
    office.serve();
    assert_eq!(office.ack("day.csv")["counts"]["unchanged"], 20);
    assert_eq!(office.count("SELECT count(*) FROM history"), 20);
    wait(|| office.count("SELECT count(*) FROM notice WHERE settled_at IS NULL") == 0);
}

#[test]
fn what_is_wrong_with_a_folder_is_told_until_it_is_mended() {
    let mut office = Office::new("");
    fs::remove_dir(office.path("drop")).unwrap();
    office.serve();
    let told = |what: &str| {
        let select = format!(
            "SELECT count(*) FROM notice WHERE settled_at IS NULL AND kind = 'watch_trouble' AND detail ->> 'what' = '{what}'"
        );
        wait(|| office.count(&select) == 1);
        assert_eq!(office.count("SELECT count(*) FROM notice WHERE settled_at IS NULL"), 1);
    };
    told("folder");
    fs::create_dir(office.path("drop")).unwrap();
    fs::write(office.path("profile.toml"), PROFILE.replace("town =", "twon =")).unwrap();
    office.drop_file("day.csv", day(3));
    told("profile");
    assert!(office.dropped("day.csv").exists());
    fs::write(office.path("profile.toml"), PROFILE).unwrap();
    assert_eq!(office.ack("day.csv")["status"], "taken");
    wait(|| office.count("SELECT count(*) FROM notice WHERE settled_at IS NULL") == 0);
}

/// A gateway that is stopped ends what it is taking; what lies there then is the next run's.
#[test]
fn a_stop_leaves_no_file_half_dealt_with() {
    let mut office = Office::new("");
    office.serve();
    for n in 0..5 {
        office.drop_file(&format!("{n}.csv"), day(200));
    }
    wait(|| !office.files("done").is_empty());
    let mut child = office.serving.take().unwrap();
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(child.wait().unwrap().success());
    let rest: Vec<_> = (0..5).filter(|n| office.dropped(&format!("{n}.csv")).exists()).collect();
    assert_eq!(rest.len() + office.files("done").len(), 5);
    office.serve();
    for n in rest {
        office.ack(&format!("{n}.csv"));
    }
    assert_eq!(office.files("done").len(), 5);
    assert!(Path::new(&office.dropped("done")).is_dir());
}

#[test]
fn what_is_dropped_while_another_is_taken_is_taken_too() {
    let mut office = Office::new("trigger = \".end\"\n");
    // Large enough that it is still being taken when the others come.
    let days = |town: &str| {
        let line = |n: u32| format!("{n:04},2026-06-{:02},中区A,{town},タンス×1\n", 1 + n / 600);
        format!("no,date,district,town,items\n{}", (1..12_000).map(line).collect::<String>())
    };
    office.drop_file("a.csv", days("紙屋町"));
    office.drop_file("b.csv", day(20).replace("06-10", "07-10"));
    office.drop_file("a.end", "");
    office.drop_file("b.end", "");
    office.serve();
    wait(|| office.count("SELECT count(*) FROM taking_step") > 0);
    // Both once more under the same names, with the triggers that are still there.
    office.drop_file("b.csv", day(21).replace("06-10", "07-10"));
    office.drop_file("a.csv", days("本通"));
    assert!(!office.dropped("a.csv.ack.json").exists(), "the first is taken too fast for this test");

    wait(|| !office.dropped("a.csv").exists() && !office.dropped("b.csv").exists());
    assert_eq!(office.count("SELECT count(*) FROM pickup WHERE date = '2026-07-10'"), 21);
    assert_eq!(office.count("SELECT count(*) FROM resident WHERE rev = 2 AND town = '本通'"), 11_999);
    let done = office.files("done");
    let of = |name: &str| done.iter().filter(|one| one.ends_with(name)).collect::<Vec<_>>();
    assert_eq!((of("a.csv").len(), of("b.csv").len()), (2, 1), "{done:?}");
    let kept: Vec<_> = of("a.csv")
        .iter()
        .map(|name| fs::read_to_string(office.dropped("done").join(name)).unwrap())
        .collect();
    assert!(kept.contains(&days("紙屋町")) && kept.contains(&days("本通")));
}

#[test]
fn a_file_that_can_not_be_moved_is_not_taken_behind_a_newer_one() {
    let mut office = Office::new("");
    // A file where the folder should be.
    office.drop_file("done", "");
    fs::write(
        office.path("gateway.toml"),
        fs::read_to_string(office.path("gateway.toml")).unwrap() + "files = \"*.csv\"\n",
    )
    .unwrap();
    office.serve();
    let import = |name: &str| office.count(&format!("SELECT count(*) FROM import WHERE file = '{name}'"));
    office.drop_file("a.csv", day(20));
    wait(|| import("a.csv") == 1);
    office.drop_file("b.csv", day(21));
    wait(|| import("b.csv") == 1);
    // All that is older was looked at before.
    office.drop_file("c.csv", day(22));
    wait(|| import("c.csv") == 1);
    assert_eq!((import("a.csv"), import("b.csv")), (1, 1));
    assert_eq!(office.count("SELECT count(*) FROM history WHERE kind <> 'added'"), 0);
    fs::remove_file(office.dropped("done")).unwrap();
    for name in ["a.csv", "b.csv", "c.csv"] {
        assert_eq!(office.ack(name)["status"], "taken");
    }
    assert_eq!(office.count("SELECT count(*) FROM import"), 3);
}
