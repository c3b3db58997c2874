//! The program among files, programs and terminals that mean no good, or are not there any more.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use meguri_config::bundle::BUNDLE_TYPE;
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::{PrivateKey, PublicKey};
use meguri_config::keys::{Key, Role};
use meguri_config::release::Header;
use meguri_config::{Bundle, City, KeySet, Release, ReleaseWriter, is_plain};
use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::TempDir;

/// A private key's file as the program writes it, but of the least cost, so that nobody waits for these tests.
const KEY_FILE: &str = include_str!("hostile/officer.json");
const PASSPHRASE: &str = "correct horse battery staple\n";

/// A folder with a plan and a release of it, which two sign: a key's file, and a key of this test.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.run(0, &["init", "plan"]);
        desk.write("officer.key", KEY_FILE, 0o600);
        desk.write("pass", PASSPHRASE, 0o600);
        let file: Value = serde_json::from_str(KEY_FILE).unwrap();
        let officer: PublicKey = file["public"].as_str().unwrap().parse().unwrap();
        let mut envelope = desk.key_set([("係長", officer), ("機器", ours().public())]).envelope();
        envelope.sign(meguri_config::keys::KEYS_TYPE, &ours()).unwrap();
        fs::create_dir(desk.path("plan/keys")).unwrap();
        fs::write(desk.path("plan/keys/0001.json"), envelope.to_json()).unwrap();
        desk.run(0, &["build", "plan", "--version", "1", "--expires", "2999-01-01", "-o", "one.release"]);
        desk
    }

    /// A key set of which one signature is enough.
    fn key_set(&self, keys: [(&str, PublicKey); 2]) -> KeySet {
        let all: BTreeSet<_> = keys.iter().map(|(_, public)| public.id()).collect();
        let role = Role { keys: all, threshold: 1 };
        KeySet {
            v: 1,
            city: City::read(&self.path("plan/city.toml")).unwrap().id,
            version: 1,
            expires: "2999-01-01T00:00:00Z".parse().unwrap(),
            keys: keys.map(|(name, public)| Key { public, name: name.to_owned() }).into(),
            root: role.clone(),
            config: role,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        self.path(name)
    }

    fn script(&self, name: &str, text: &str) -> String {
        self.write(name, &format!("#!/bin/sh\n{text}\n"), 0o755).to_str().unwrap().to_owned()
    }

    fn program(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_meguri-config"));
        program.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        program
    }

    /// What it says on stdout and stderr, after this exit status.
    fn run(&self, status: i32, args: &[&str]) -> String {
        let said = self.program(args).output().unwrap();
        let text = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert_eq!(said.status.code(), Some(status), "{args:?}: {text}");
        assert!(text.chars().all(|c| c == '\n' || is_plain(c)), "{args:?}: {text:?}");
        text
    }

    /// Writes the release anew, with every bundle and the header changed and then signed.
    fn resigned(&self, change: impl Fn(&mut Header, &mut Bundle), signatures: impl Fn(&mut Envelope)) {
        let path = self.path("one.release");
        let mut release = Release::open(&path).unwrap();
        let mut header = release.header.clone();
        let mut bundles = Vec::new();
        for envelope in &mut release {
            let mut bundle = Bundle::unverified(envelope.unwrap().get().as_bytes()).unwrap();
            change(&mut header, &mut bundle);
            let mut envelope = bundle.envelope();
            signatures(&mut envelope);
            bundles.push(RawValue::from_string(envelope.to_json()).unwrap());
        }
        let mut writer = ReleaseWriter::new(&path, Vec::new(), &header, &release.keys).unwrap();
        bundles.into_iter().for_each(|bundle| writer.bundle(bundle).unwrap());
        fs::write(&path, writer.finish().unwrap()).unwrap();
    }
}

/// The key that this test signs with.
fn ours() -> PrivateKey {
    PrivateKey::of_seed(&[7; 32])
}

fn sign(envelope: &mut Envelope) {
    envelope.sign(BUNDLE_TYPE, &ours()).unwrap();
}

const SIGN: [&str; 6] = ["sign", "one.release", "--key", "officer.key", "--passphrase-file", "pass"];

#[test]
fn nothing_that_is_shown_drives_a_screen() {
    let desk = Desk::new();
    for name in ["\u{1b}]0;x\u{7}", "a\nb", "\u{9b}2J", "\u{202e}長部", "\u{2066}部長"] {
        let keys = [(name, ours().public()), ("課長", PrivateKey::of_seed(&[8; 32]).public())];
        fs::write(desk.path("evil.json"), desk.key_set(keys).envelope().to_json()).unwrap();
        for json in [&[][..], &["--json"]] {
            let said = desk.run(1, &[&["show", "evil.json"], json].concat());
            assert!(said.contains("no short text"), "{name:?}: {said}");
        }
    }
    // Names of files are other people's, too.
    let said = desk.run(0, &["init", "p\u{1b}[2J\u{202e}"]);
    assert!(said.contains(r"wrote p\u{1b}[2J\u{202e}/city.toml"), "{said}");
    let said: Value = serde_json::from_str(&desk.run(0, &["init", "q\u{9b}2J", "--json"])).unwrap();
    assert_eq!(said["files"][0], "q\u{9b}2J/city.toml");
    desk.run(1, &["verify", "\u{1b}[2J"]);
}

#[test]
fn what_is_over_is_handed_to_nobody() {
    let desk = Desk::new();
    let over: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let before = |header: &mut Header, bundle: &mut Bundle| {
        (header.made_at, header.expires) = ("2025-01-01T00:00:00Z".parse().unwrap(), over);
        (bundle.made_at, bundle.expires) = (header.made_at, header.expires);
    };
    desk.resigned(|_, _| (), sign);
    desk.write("token", "meguri_abc\n", 0o600);
    let push = ["push", "one.release", "--to", "https://localhost:1", "--token-file", "token"];
    assert!(desk.run(1, &push).contains("can't be reached"), "it is sent");
    desk.resigned(before, sign);
    assert!(desk.run(1, &push).contains("took version 1 until 2026-01-01 09:00"));
    assert!(desk.run(1, &["export", "one.release", "--out", "."]).contains("took version 1 until"));
    assert!(!desk.path("meguri").exists());
}

#[test]
fn what_was_shown_is_what_is_signed() {
    let desk = Desk::new();
    let shown = desk.run(0, &SIGN);
    for line in [
        "受取後すぐ at once: 2 台",
        "契約 contract",
        "接続先 broker meguri.example:8883  https://meguri.example:8651",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // While the passphrase is waited for, another release comes in its place.
    desk.resigned(|_, bundle| bundle.schedule[0].round = "別のコース".to_owned(), |_| ());
    let other = fs::read(desk.path("one.release")).unwrap();
    desk.resigned(|_, bundle| bundle.schedule[0].round = "中区".to_owned(), |_| ());
    assert!(Command::new("mkfifo").arg(desk.path("ask")).status().unwrap().success());
    let asks = ["sign", "one.release", "--key", "officer.key", "--passphrase-file", "ask"];
    let signing = desk.program(&asks).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens once the program reads it, after it has told what it signs.
    let mut ask = fs::File::options().write(true).open(desk.path("ask")).unwrap();
    fs::write(desk.path("one.release"), &other).unwrap();
    ask.write_all(PASSPHRASE.as_bytes()).unwrap();
    drop(ask);
    let said = signing.wait_with_output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("was changed meanwhile"), "{text}");
    assert_eq!(fs::read(desk.path("one.release")).unwrap(), other, "left as it was");
    assert!(!desk.path("one.release.new").exists());
}

#[test]
fn more_signatures_than_are_read_are_not_written() {
    let desk = Desk::new();
    let full = |envelope: &mut Envelope| {
        (100..116).for_each(|seed| envelope.sign(BUNDLE_TYPE, &PrivateKey::of_seed(&[seed; 32])).unwrap());
    };
    desk.resigned(|_, _| (), full);
    let before = fs::read(desk.path("one.release")).unwrap();
    let said = desk.run(1, &SIGN);
    assert!(said.contains("has 17 signatures, at most 16"), "{said}");
    assert_eq!(fs::read(desk.path("one.release")).unwrap(), before, "left as it was");
}

#[test]
fn a_header_says_what_the_bundles_say() {
    let desk = Desk::new();
    desk.resigned(|_, _| (), sign);
    desk.run(0, &["verify", "one.release"]);
    let at = Release::open(&desk.path("one.release")).unwrap().header.switchover_at;
    assert!(at.is_some(), "contracts change in the plan");
    for wrong in [None, Some("2030-01-01T00:00:00Z".parse().unwrap())] {
        desk.resigned(|header, _| header.switchover_at = wrong, sign);
        let said = desk.run(1, &["verify", "one.release"]);
        assert!(said.contains("line 1: the header says that contracts change"), "{said}");
    }
}

#[test]
fn a_program_that_hangs_is_not_waited_for() {
    let desk = Desk::new();
    let public = ours().public().to_string();
    let by = |program: &str| -> String {
        let with = ["--signer", program, "--signer-key", &public, "--signer-patience", "1"];
        desk.run(1, &[&["sign", "one.release"], &with[..]].concat())
    };
    // `exec`, so that it is the program itself that hangs.
    let said = by(&desk.script("silent", "exec sleep 600"));
    assert!(said.contains("gave no answer within 1 seconds"), "{said}");
    let said = by(&desk.script("stays", "read line; echo nonsense; exec sleep 600"));
    assert!(said.contains("no signature of key"), "{said}");
}

#[test]
fn a_key_file_can_not_ask_for_any_cost() {
    let desk = Desk::new();
    for (field, value) in [("memory_kib", 512 * 1024), ("passes", 9), ("lanes", 9)] {
        let mut file: Value = serde_json::from_str(KEY_FILE).unwrap();
        file["argon2id"][field] = value.into();
        desk.write("officer.key", &file.to_string(), 0o600);
        // Before anybody is asked for the passphrase.
        let asked = ["sign", "one.release", "--key", "officer.key", "--passphrase-file", "nowhere"];
        let said = desk.run(1, &asked);
        assert!(said.contains("more memory or time"), "{field}: {said}");
    }
}

/// What is typed at the question for a passphrase, and what the terminal then tells: the exit status, and its own modes.
fn typed(desk: &Desk, keys: &str) -> String {
    // `script` is a terminal for whoever has none.
    let sign = SIGN[..4].join(" ");
    let line = format!("\"$MEGURI\" {sign}; echo \"status $?\"; stty -a");
    let mut script = Command::new("script");
    script.current_dir(desk.0.path()).env("MEGURI", env!("CARGO_BIN_EXE_meguri-config"));
    script.args(["-q", "-f", "-e", "-c", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = script.spawn().unwrap();
    let (mut input, mut output) = (running.stdin.take().unwrap(), running.stdout.take().unwrap());
    let (mut said, mut piece) = (Vec::new(), [0; 256]);
    while !String::from_utf8_lossy(&said).contains("passphrase of key") {
        let count = output.read(&mut piece).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..count]);
    }
    input.write_all(keys.as_bytes()).unwrap();
    output.read_to_end(&mut said).unwrap();
    running.wait().unwrap();
    String::from_utf8(said).unwrap()
}

#[test]
fn whoever_gives_up_at_the_passphrase_sees_again_what_is_typed() {
    let desk = Desk::new();
    for (keys, status) in [("correct\u{3}", 1), ("wrong\n", 1), ("x\u{7f}correct horse battery staple\n", 0)]
    {
        let told = typed(&desk, keys);
        assert!(told.contains(&format!("status {status}")), "{keys:?}: {told}");
        for mode in [" echo ", " icanon ", "\nisig "] {
            assert!(told.contains(mode), "{keys:?}: {told}");
        }
        assert!(!told.contains("correct") && !told.contains("wrong"), "{keys:?} is not shown: {told}");
    }
}
