//! `meguri-gateway catalogue` as a person runs it: exit statuses, dry runs, and through a running gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CITY: &str = include_str!("../../tests/demo/city.toml");
const PROFILE: &str = include_str!("../../tests/demo/items.profile.toml");
const ITEMS: &str = include_str!("../../tests/demo/items.csv");

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/city.toml"), CITY).unwrap();
        fs::write(dir.path().join("items.toml"), PROFILE).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gateway(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command.arg("--data").arg(self.path("data")).current_dir(self.0.path());
        command.env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0");
        command.env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0");
        command
    }

    fn catalogue(&self, args: &[&str]) -> Output {
        self.gateway().arg("catalogue").args(args).output().unwrap()
    }

    fn import(&self, content: &str, more: &[&str]) -> Output {
        fs::write(self.path("items.csv"), content).unwrap();
        self.catalogue(&[&["import", "--profile", "items.toml", "items.csv"], more].concat())
    }

    fn count(&self) -> usize {
        let listed = self.catalogue(&["list", "--json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed.as_array().unwrap().len()
    }
}

/// A gateway that runs until it is dropped.
struct Running(Child);

impl Running {
    fn start(folder: &Folder) -> Self {
        let mut child =
            folder.gateway().arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.contains("\"ready\":true"), "{ready}");
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn ended(output: &Output, status: i32, says: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{out}\n{err}");
    assert!(format!("{out}{err}").contains(says), "expected {says}\n{out}\n{err}");
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let folder = Folder::new();
    ended(&folder.import(ITEMS, &["--dry-run"]), 0, "130 added");
    assert!(!folder.path("data/meguri.db").exists());
    ended(&folder.import(ITEMS, &[]), 0, "taken as version 1");
    ended(&folder.import(ITEMS, &[]), 0, "nothing differs; it stays version 1");
    let wrong = format!("{ITEMS}新しい品,あたらしい,たかい,,1,1,,\n");
    ended(&folder.import(&wrong, &[]), 2, "line 132, column 3 (yen): expected a number from 0 to 1000000");
    ended(&folder.import(&wrong, &["--dry-run"]), 2, "rejected");
    assert_eq!(folder.count(), 130);
    let half: String = ITEMS.lines().take(60).map(|line| format!("{line}\n")).collect();
    ended(&folder.import(&half, &[]), 3, "71 items would be gone");
    assert_eq!(folder.count(), 130);
    ended(&folder.import(&half, &["--dry-run", "--anyway"]), 0, "71 gone");
    ended(&folder.import(&half, &["--anyway"]), 0, "taken as version 2");
    assert_eq!(folder.count(), 59);
    ended(&folder.catalogue(&["changes"]), 0, "gone 冷蔵庫");
    ended(&folder.catalogue(&["find", "ｱｲﾛﾝ"]), 0, "アイロン台 | あいろんだい | 250 yen");
    ended(&folder.catalogue(&["find", "宇宙船"]), 0, "no item is found");
}

#[test]
fn a_running_gateway_takes_it() {
    let folder = Folder::new();
    let _running = Running::start(&folder);
    ended(&folder.import(ITEMS, &[]), 0, "taken as version 1");
    assert_eq!(folder.count(), 130);
    let changed = ITEMS.replace("アイロン台,あいろんだい,250", "アイロン台,あいろんだい,500");
    ended(&folder.import(&changed, &[]), 0, "1 changed, 129 unchanged");
    let changes = folder.catalogue(&["changes", "--json"]);
    let changes: Value = serde_json::from_slice(&changes.stdout).unwrap();
    assert_eq!(changes[0]["fields"], serde_json::json!({ "fee": [250, 500] }));
}
