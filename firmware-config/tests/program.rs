//! The program as a city's officers use it, from an empty folder to the USB stick, with the exit status of every step.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::ToSpan as _;
use meguri_config::ed25519::PrivateKey;
use meguri_config::keys::KeyChain;
use meguri_config::{Bundle, City, KeySet, Stick};
use meguri_proto::clock::business_date;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a plan and a passphrase, and the program run in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path("passphrase"), "correct horse battery staple\n").unwrap();
        fs::create_dir(desk.path("private")).unwrap();
        desk.run(0, &["init", "plan"]);
        desk
    }

    /// With a key set, of which two officers sign configurations.
    fn with_keys() -> Self {
        let desk = Self::new();
        let two = ["--root", "部長", "--root", "課長", "--config", "係長", "--config", "主任"];
        let made = [&["keys", "init", "plan"], &two[..], &["--out", "private"], &PASS].concat();
        let said = desk.json(0, &made);
        assert_eq!((&said["complete"], &said["version"]), (&true.into(), &1.into()));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program and looks at its exit status.
    fn run(&self, status: i32, args: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_meguri-config"));
        let said = program
            .current_dir(self.0.path())
            .args(args)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let told = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(said.status.code(), Some(status), "{args:?}: {told:?}");
        said
    }

    fn json(&self, status: i32, args: &[&str]) -> Value {
        let said = self.run(status, &[args, &["--json"]].concat());
        serde_json::from_slice(&said.stdout).unwrap()
    }

    /// What it says on stdout and stderr.
    fn told(&self, status: i32, args: &[&str]) -> String {
        let said = self.run(status, args);
        String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap()
    }

    fn build(&self, version: &str, file: &str) {
        self.run(0, &["build", "plan", "--version", version, "--expires", &in_half_a_year(), "-o", file]);
    }

    fn sign(&self, file: &str, who: &str) -> Value {
        self.json(0, &[&["sign", file, "--key", &format!("private/{who}.key")], &PASS[..]].concat())
    }

    /// Replaces a text in a file, which must be there.
    fn edit(&self, file: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(old), "{old}");
        fs::write(self.path(file), text.replace(old, new)).unwrap();
    }
}

const PASS: [&str; 2] = ["--passphrase-file", "passphrase"];

fn in_half_a_year() -> String {
    business_date(jiff::Timestamp::now()).saturating_add(6.months()).to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn from_an_empty_folder_to_the_stick() {
    let desk = Desk::new();
    desk.run(1, &["init", "plan"]);
    desk.run(0, &["check", "plan"]);
    desk.run(0, &["check", "city", "plan/city.toml"]);
    desk.run(1, &["check", "nowhere"]);
    desk.run(2, &["check"]);
    desk.run(0, &["plan", "plan"]);
    let build = ["build", "plan", "--version", "1", "--expires", &in_half_a_year(), "-o", "one.release"];
    assert!(desk.told(1, &build).contains("keys init"), "there are no keys yet");
    assert!(!desk.path("one.release").exists());

    let desk = Desk::with_keys();
    let private = desk.path("private/係長.key");
    assert_eq!((mode(&private), mode(&desk.path("plan/keys/0001.json"))), (0o600, 0o644));
    desk.build("1", "one.release");
    let unsigned = desk.json(1, &["verify", "one.release"]);
    assert_eq!(unsigned["refused"][0]["why"], "too_few_signatures");
    desk.run(1, &["export", "one.release", "--out", "."]);

    assert_eq!(desk.sign("one.release", "係長")["signatures"], 1);
    assert_eq!(desk.sign("one.release", "係長")["signatures"], 1, "one person is one");
    desk.run(1, &["verify", "one.release"]);
    assert_eq!(desk.sign("one.release", "主任")["signatures"], 2);
    desk.run(0, &["verify", "one.release"]);
    let good = desk.json(0, &["verify", "one.release", "--keys", "plan"]);
    assert_eq!((&good["good"], &good["key_set_from"]), (&2.into(), &"folder".into()));
    desk.run(0, &["verify", "one.release", "--terminal", "t-0001"]);
    desk.run(1, &["verify", "one.release", "--terminal", "t-0009"]);
    let old = desk.json(1, &["verify", "one.release", "--terminal", "t-0001", "--held", "1"]);
    assert_eq!(old["refused"][0]["why"], "old_version");
    let text = fs::read_to_string(desk.path("one.release")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(desk.path("twice.release"), [lines[0], lines[1], lines[2], lines[2]].join("\n")).unwrap();
    let twice = desk.json(1, &["verify", "twice.release"]);
    assert_eq!((&twice["good"], &twice["refused"][0]["line"]), (&1.into(), &4.into()));
    let late = desk.json(1, &["verify", "one.release", "--now", "2099-01-01"]);
    assert_eq!(late["refused"][0]["why"], "keys_expired");

    assert!(desk.told(0, &["show", "one.release"]).contains("署名 2/2"));
    assert!(desk.told(0, &["show", "one.release", "--terminal", "t-0002"]).contains("/dev/ttyUSB1"));
    let told = desk.told(0, &["show", "plan/keys/0001.json"]);
    let fingerprint = KeySet::fingerprint(&fs::read(desk.path("plan/keys/0001.json")).unwrap()).unwrap();
    assert!(told.contains("部長  root") && told.contains(&format!("fingerprint {fingerprint}")), "{told}");
    desk.run(1, &["show", "passphrase"]);

    // The second release says one thing otherwise, for one terminal.
    desk.edit("plan/terminals.toml", "theme = \"night\"", "theme = \"day\", lock_minutes = 0");
    desk.build("2", "two.release");
    let differs = desk.json(0, &["diff", "one.release", "two.release"]);
    assert_eq!(differs.as_array().unwrap().len(), 1, "{differs}");
    let change = &differs[0]["changes"][0];
    let fields: Vec<_> =
        change["fields"].as_array().unwrap().iter().map(|f| f["field"].as_str().unwrap()).collect();
    assert_eq!(
        (&change["terminal"], fields),
        (&"t-0002".into(), vec!["screen.lock_minutes", "screen.theme"])
    );
    assert_eq!(desk.json(0, &["diff", "two.release", "plan"]), Value::Array(Vec::new()));
    desk.run(1, &["diff", "one.release", "nowhere"]);
    desk.run(0, &["init", "other"]);
    desk.edit("other/city.toml", "id = \"reimachi\"", "id = \"kure\"");
    assert!(
        desk.told(1, &["diff", "one.release", "other"]).contains("one.release is of reimachi, expected kure")
    );
    assert!(desk.told(1, &["plan", "other", "--against", "one.release"]).contains("expected kure"));
    desk.run(0, &["plan", "plan", "--against", "one.release"]);

    let written = desk.json(0, &["export", "one.release", "--terminal", "t-0001", "--out", "."]);
    assert_eq!(written["files"].as_array().unwrap().len(), 1);
    fs::create_dir(desk.path("stick")).unwrap();
    desk.run(1, &["export", "one.release", "--terminal", "t-0009", "--out", "stick"]);
    assert!(!desk.path("stick/meguri").exists(), "nothing was made");
    let stick = Stick::read(&fs::read(desk.path("meguri/t-0001.json")).unwrap()).unwrap();
    assert_eq!(Bundle::unverified(stick.bundle.get().as_bytes()).unwrap().version, 1);
    assert!(desk.told(0, &["show", "meguri/t-0001.json"]).contains("terminal = \"t-0001\""));

    desk.run(2, &["verify"]);
    desk.run(2, &["unheard-of"]);
    desk.run(2, &["sign", "one.release"]);
    let long = ["build", "plan", "--version", "3", "--expires", "2999-01-01", "-o", "long.release"];
    assert!(desk.told(0, &long).contains("key set 1 is over on"));
    for number in ["9223372036854775806", "9223372035854775808"] {
        desk.run(2, &["build", "plan", "--version", number, "--expires", "2099-01-01", "-o", "x"]);
    }
    desk.run(2, &["build", "plan", "--version", "0", "--expires", "2099-01-01", "-o", "x"]);
    desk.run(2, &["build", "plan", "--version", "3", "--expires", "tomorrow", "-o", "x"]);
    desk.run(1, &["build", "plan", "--version", "3", "--expires", "2020-01-01", "-o", "x"]);
}

#[test]
fn findings_are_told_and_what_is_wrong_is_not_built() {
    let desk = Desk::with_keys();
    let kinds = |said: &Value| -> Vec<String> {
        let findings = said["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
    };
    // Nobody collects any more in the north once the year is over.
    desk.edit("plan/city.toml", "[\"v-3\", \"v-12\"]", "\"v-3\"");
    assert_eq!(kinds(&desk.json(1, &["plan", "plan"])), ["district_uncovered"]);
    assert_eq!(kinds(&desk.json(1, &["check", "plan"])), ["district_uncovered"]);
    let expires = in_half_a_year();
    let build = ["build", "plan", "--version", "1", "--expires", &expires, "-o", "one.release"];
    assert_eq!(kinds(&desk.json(0, &build)), ["district_uncovered"], "it may be meant");
    // A terminal in two vehicles at once can't be.
    fs::remove_file(desk.path("one.release")).unwrap();
    desk.edit(
        "plan/terminals.toml",
        "vehicle = [\"v-3\", \"v-12\"]",
        "vehicle = [\"v-3\", \"v-11\", \"v-12\"]",
    );
    assert!(kinds(&desk.json(1, &["plan", "plan"])).contains(&"terminal_in_two_places".to_owned()));
    assert!(desk.told(1, &build).contains("v-3, v-11"));
    assert!(!desk.path("one.release").exists());
    desk.edit("plan/terminals.toml", "theme = \"day\"", "colour = \"day\"");
    let said = desk.told(1, &["plan", "plan"]);
    assert!(said.contains("terminals.toml") && said.contains("line 8") && said.contains("colour"), "{said}");
}

#[test]
fn what_would_change_at_once_is_not_built_against_what_is_held() {
    let desk = Desk::with_keys();
    let next = City::read(&desk.path("plan/city.toml")).unwrap().contract[2].from;
    let before = |days: i64| next.saturating_sub(days.days()).to_string();
    let (now, expires) = (before(60), next.to_string());
    let build = ["build", "plan", "--now", &now, "--expires", &expires];
    desk.run(0, &[&build[..], &["--version", "1", "-o", "held.release"]].concat());
    let build = [&build[..], &["--version", "2", "-o", "two.release"]].concat();
    // The new contracts begin a month too early.
    desk.edit(
        "plan/city.toml",
        &format!("until = \"{}\"", before(1)),
        &format!("until = \"{}\"", before(91)),
    );
    desk.edit("plan/city.toml", &format!("from = \"{next}\""), &format!("from = \"{}\"", before(90)));
    let said = desk.told(1, &[&build[..], &["--against", "held.release"]].concat());
    assert!(
        said.contains("t-0001") && said.contains("at once") && !desk.path("two.release").exists(),
        "{said}"
    );
    // Whoever means it says nothing of what is held.
    desk.run(0, &build);
}

#[test]
fn keys_are_rotated_by_both_roots() {
    let desk = Desk::with_keys();
    // A hardware key is known by its public half alone.
    let theirs =
        desk.json(0, &["keys", "new", "補佐", "--out", "private", "--passphrase-file", "passphrase"]);
    let named = format!("補佐={}", theirs["public"].as_str().unwrap());
    let two = [
        "keys",
        "init",
        "plan2",
        "--root",
        &named,
        "--config",
        &format!("補佐={}", PrivateKey::of_seed(&[7; 32]).public()),
    ];
    desk.run(0, &["init", "plan2"]);
    assert!(desk.told(2, &two).contains("two public keys"));
    let waiting = desk.json(0, &["keys", "add", "plan", &named, "--role", "root", "--role", "config"]);
    assert_eq!(waiting["complete"], false);
    let told = desk.told(0, &["show", "plan/keys/0002.json"]);
    assert!(told.contains("補佐  root, config") && told.contains("0 of 2"), "{told}");
    // What is written into the record of the ceremony: signatures don't change it, and a release tells the same.
    let fingerprint = waiting["fingerprint"].as_str().unwrap();
    assert!(fingerprint.len() == 64 && told.contains(&format!("指紋 fingerprint {fingerprint}")), "{told}");
    let first = desk.json(0, &["show", "plan/keys/0001.json"])["fingerprint"].clone();
    assert_ne!(first, waiting["fingerprint"]);
    // Until it is signed the one before holds, and no third one is made.
    desk.build("1", "one.release");
    assert!(desk.told(1, &["keys", "rotate", "plan"]).contains("0002.json still waits for signatures"));
    // What is signed is told before it is.
    let told =
        desk.told(0, &[&["sign", "plan/keys/0002.json", "--key", "private/部長.key"], &PASS[..]].concat());
    let (change, wrote) = (told.find("  補佐  root, config"), told.find("wrote"));
    assert!(told.contains("from key set 1") && change.is_some() && wrote.is_some(), "{told}");
    let stranger = [&["sign", "plan/keys/0002.json", "--key", "private/主任.key"], &PASS[..]].concat();
    assert!(desk.told(1, &stranger).contains("no root key"));
    assert_eq!(
        desk.sign("plan/keys/0002.json", "補佐")["complete"],
        false,
        "who is new counts for the new root alone"
    );
    let complete = desk.sign("plan/keys/0002.json", "課長");
    assert_eq!((&complete["complete"], &complete["fingerprint"]), (&true.into(), &waiting["fingerprint"]));
    assert_eq!(desk.json(0, &["show", "one.release"])["fingerprint"], first);
    assert!(desk.told(0, &["show", "one.release"]).contains(first.as_str().unwrap()));
    // One who signs once more shows that the key can be opened, and changes nothing; of the set before nothing is signed any more.
    let again = desk.sign("plan/keys/0002.json", "部長");
    assert_eq!((&again["signatures"], &again["complete"]), (&complete["signatures"], &true.into()));
    let former = [&["sign", "plan/keys/0001.json", "--key", "private/部長.key"], &PASS[..]].concat();
    assert!(desk.told(1, &former).contains("is signed no more"));

    // A key that is taken out signs nothing any more; what its set accepted before stays a release of that set.
    desk.sign("one.release", "係長");
    let roots = ["--key", "private/部長.key", "--key", "private/補佐.key"];
    let revoked = [&["keys", "revoke", "plan", "係長", "課長"], &roots[..], &PASS].concat();
    assert_eq!(desk.json(0, &revoked)["complete"], true);
    desk.build("2", "two.release");
    let said = desk.told(1, &[&["sign", "two.release", "--key", "private/係長.key"], &PASS[..]].concat());
    assert!(said.contains("signs no configurations by key set 3"), "{said}");
    desk.sign("two.release", "主任");
    desk.sign("two.release", "補佐");
    desk.run(0, &["verify", "two.release", "--keys", "plan/keys"]);
    // The release before has not the third key set, by which alone the folder judges.
    desk.sign("one.release", "主任");
    desk.run(0, &["verify", "one.release"]);
    let before = desk.json(1, &["verify", "one.release", "--keys", "plan"]);
    assert_eq!(before["refused"][0]["why"], "too_few_signatures");
    // Fewer keys than signatures are no key set.
    let said = desk.told(1, &["keys", "revoke", "plan", "主任"]);
    assert!(said.contains("role config takes 2 signatures of 1 keys"), "{said}");

    let rotated = ["keys", "rotate", "plan", "--replace", "主任", "--out", "private"];
    desk.run(1, &[&rotated[..], &roots[..], &PASS].concat());
    fs::rename(desk.path("private/主任.key"), desk.path("private/old.key")).unwrap();
    assert_eq!(desk.json(0, &[&rotated[..], &roots[..], &PASS].concat())["version"], 4);
    let city = City::read(&desk.path("plan/city.toml")).unwrap().id;
    let sets: Vec<_> =
        (1..=4).map(|n| fs::read(desk.path(&format!("plan/keys/000{n}.json"))).unwrap()).collect();
    let last = KeySet::follow(None, sets.iter().map(Vec::as_slice), &city).unwrap().unwrap();
    assert_eq!((last.version, last.keys.len()), (4, 3));
    desk.run(0, &["keys", "export", "plan", "-o", "keys.json"]);
    let chain: KeyChain = serde_json::from_slice(&fs::read(desk.path("keys.json")).unwrap()).unwrap();
    assert_eq!(chain.last(None, &city).unwrap(), last);
    // A set that is missing in between is not passed over.
    fs::remove_file(desk.path("plan/keys/0002.json")).unwrap();
    assert!(desk.told(1, &["keys", "rotate", "plan"]).contains("key set 3 is there, but not 2"));
}

/// As the key ceremony has it: taking both out first would leave fewer keys than signatures.
#[test]
fn two_lost_keys_are_replaced_by_one_key_set() {
    let desk = Desk::with_keys();
    let roots = ["--key", "private/部長.key", "--key", "private/課長.key"];
    fs::create_dir(desk.path("new")).unwrap();
    let new = |name: &str| {
        let made = desk.json(0, &[&["keys", "new", name, "--out", "new"], &PASS[..]].concat());
        format!("{name}={}", made["public"].as_str().unwrap())
    };
    let (one, two) = (new("係長"), new("主任"));
    desk.run(1, &[&["keys", "revoke", "plan", "係長", "主任"], &roots[..], &PASS].concat());
    let replaced = ["keys", "rotate", "plan", "--replace", &one, "--replace", &two];
    let said = desk.json(0, &[&replaced[..], &roots, &PASS].concat());
    assert_eq!((&said["complete"], &said["version"]), (&true.into(), &2.into()));
    desk.build("1", "one.release");
    desk.run(1, &[&["sign", "one.release", "--key", "private/係長.key"], &PASS[..]].concat());
    for who in ["係長", "主任"] {
        desk.run(0, &[&["sign", "one.release", "--key", &format!("new/{who}.key")], &PASS[..]].concat());
    }
    desk.run(0, &["verify", "one.release", "--keys", "plan"]);
}

#[test]
fn private_keys_are_their_owners_alone() {
    let desk = Desk::with_keys();
    desk.build("1", "one.release");
    fs::write(desk.path("wrong"), "correct horse battery stable\n").unwrap();
    let with = |file| ["sign", "one.release", "--key", "private/係長.key", "--passphrase-file", file];
    assert!(desk.told(1, &with("wrong")).contains("not the passphrase of key 係長"));
    fs::write(desk.path("short"), "short\n").unwrap();
    desk.run(1, &["keys", "new", "誰か", "--out", "private", "--passphrase-file", "short"]);
    assert!(!desk.path("private/誰か.key").exists());
    desk.run(1, &["keys", "new", "係長", "--out", "private", PASS[0], PASS[1]]);
    desk.run(2, &["keys", "new", "../係長", "--out", "private", PASS[0], PASS[1]]);
    let key = desk.path("private/係長.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(desk.told(1, &with("passphrase")).contains("Now it can't be any more"));
    assert_eq!(mode(&key), 0o600);
    // The seal covers the public half, too, so that nobody signs in another one's name.
    let theirs: Value = serde_json::from_slice(&fs::read(desk.path("private/主任.key")).unwrap()).unwrap();
    let mut file: Value = serde_json::from_slice(&fs::read(&key).unwrap()).unwrap();
    file["public"] = theirs["public"].clone();
    fs::write(&key, file.to_string()).unwrap();
    assert!(desk.told(1, &with("passphrase")).contains("not the passphrase"));
    file["argon2id"]["memory_kib"] = 100_000_000.into();
    fs::write(&key, file.to_string()).unwrap();
    assert!(desk.told(1, &with("passphrase")).contains("more memory or time"));
    // Nothing of all that changed the release.
    assert_eq!(desk.json(1, &["verify", "one.release"])["good"], 0);
}

/// A passphrase takes minutes, and others work in the same folder.
#[test]
fn what_changed_while_somebody_signs_is_not_written_over() {
    let desk = Desk::with_keys();
    desk.build("1", "one.release");
    desk.run(0, &["keys", "rotate", "plan"]);
    let asked = desk.path("asked");
    assert!(Command::new("mkfifo").arg(&asked).status().unwrap().success());
    for (file, who, others) in [("one.release", "係長", "主任"), ("plan/keys/0002.json", "部長", "課長")]
    {
        let key = format!("private/{who}.key");
        let slow = ["sign", file, "--key", &key, "--passphrase-file", "asked"];
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| desk.told(1, &slow));
            // Opened once the other end is: then it has read what it is to sign.
            let mut passphrase = fs::OpenOptions::new().write(true).open(&asked).unwrap();
            desk.sign(file, others);
            passphrase.write_all(b"correct horse battery staple\n").unwrap();
            drop(passphrase);
            let said = slow.join().unwrap();
            assert!(said.contains("was changed meanwhile"), "{said}");
        });
        assert!(desk.told(0, &["show", file]).contains(if who == "係長" {
            "署名 1/2"
        } else {
            "not yet: 部長"
        }));
    }
    let left = fs::read_dir(desk.path(".")).unwrap().chain(fs::read_dir(desk.path("plan/keys")).unwrap());
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.ends_with(".new")), "{left:?}");
}

#[test]
fn any_program_can_sign() {
    let desk = Desk::with_keys();
    desk.build("1", "one.release");
    let script = |name: &str, text: &str| {
        let path = desk.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let set: Value = desk.json(0, &["show", "plan/keys/0001.json"]);
    let public = |name: &str| {
        let keys = set["key_set"]["keys"].as_array().unwrap();
        keys.iter().find(|key| key["name"] == name).unwrap()["public"].as_str().unwrap().to_owned()
    };
    let key = public("係長");
    let zeros = "0".repeat(128);
    // What it answers is not believed for being an answer.
    let liar = script("liar", &format!("while read line; do echo {zeros}; done"));
    let said = desk.told(1, &["sign", "one.release", "--signer", &liar, "--signer-key", &key]);
    assert!(said.contains("no signature of key"), "{said}");
    let silent = script("silent", "exit 3");
    desk.run(1, &["sign", "one.release", "--signer", &silent, "--signer-key", &key]);
    desk.run(1, &["sign", "one.release", "--signer", "./nowhere", "--signer-key", &key]);
    desk.run(2, &["sign", "one.release", "--signer", &silent, "--signer-key", "abc"]);
    let root = public("部長");
    desk.run(1, &["sign", "one.release", "--signer", &liar, "--signer-key", &root]);

    // A right one, which is asked for its public key, and of which one runs for all bundles. Behind it stands this test, over pipes.
    let hardware = PrivateKey::of_seed(&[7; 32]);
    let public = hardware.public().to_string();
    let (ask, answer) = (desk.path("ask"), desk.path("answer"));
    assert!(Command::new("mkfifo").args([&ask, &answer]).status().unwrap().success());
    let (asks, answers) = (ask.display(), answer.display());
    let signer = script(
        "signer",
        &format!("echo started >> starts\nwhile read line; do echo \"$line\" > {asks}; cat {answers}; done"),
    );
    std::thread::spawn(move || {
        loop {
            let line = fs::read_to_string(&ask).unwrap();
            let told = match line.trim() {
                "public" => hardware.public().to_string(),
                message => hex(&hardware.sign(&bytes(message))),
            };
            fs::write(&answer, told + "\n").unwrap();
        }
    });
    let roots = ["--key", "private/部長.key", "--key", "private/課長.key"];
    let named = format!("機器={public}");
    let add = [&["keys", "add", "plan", &named, "--role", "config"], &roots[..], &PASS].concat();
    assert_eq!(desk.json(0, &add)["complete"], true);
    desk.build("2", "two.release");
    assert_eq!(desk.json(0, &["sign", "two.release", "--signer", &signer])["signatures"], 1);
    assert_eq!(fs::read_to_string(desk.path("starts")).unwrap(), "started\n");
    desk.sign("two.release", "係長");
    assert_eq!(desk.json(0, &["verify", "two.release", "--keys", "plan"])["good"], 2);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn nothing_is_written_that_nobody_could_read() {
    let desk = Desk::with_keys();
    let build = ["build", "plan", "--version", "1", "-o", "one.release"];
    let half = in_half_a_year();
    for (more, named) in [
        ([&*half, ""], "name"),
        ([&half, "\u{1b}[2J"], "name"),
        (["2099-05-31T10:00:00", "年度"], "expected a day like"),
    ] {
        let status = if named == "name" { 1 } else { 2 };
        let more = ["--expires", more[0], "--name", more[1]];
        assert!(desk.told(status, &[&build[..], &more].concat()).contains(named), "{more:?}");
        assert!(!desk.path("one.release").exists());
    }
    // What is no file is not replaced by one, and behind a link is the file.
    std::os::unix::fs::symlink("one.release", desk.path("link")).unwrap();
    desk.build("1", "one.release");
    desk.sign("link", "係長");
    assert!(fs::symlink_metadata(desk.path("link")).unwrap().is_symlink());
    assert!(desk.told(0, &["show", "one.release"]).contains("署名 1/2"));
    assert!(Command::new("mkfifo").arg(desk.path("pipe")).status().unwrap().success());
    desk.run(1, &["keys", "export", "plan", "-o", "pipe"]);
    // A time of day beside a day of the plan would be dropped.
    desk.edit("plan/city.toml", "from = \"", "from = \"2020-01-01T10:00:00 ");
    assert!(desk.told(1, &["check", "plan"]).contains("expected a day like"));
}

#[test]
fn a_release_that_is_over_is_not_signed() {
    let desk = Desk::with_keys();
    let over = ["--now", "2026-01-01", "--expires", "2026-01-31", "-o", "one.release"];
    desk.run(0, &[&["build", "plan", "--version", "1"], &over[..]].concat());
    let sign = [&["sign", "one.release", "--key", "private/係長.key"], &PASS[..]].concat();
    assert!(desk.told(1, &sign).contains("take this release no more since 2026-02-01"));
}

#[test]
fn a_release_that_says_otherwise_than_its_header_is_not_signed() {
    let desk = Desk::with_keys();
    desk.build("1", "one.release");
    let text = fs::read_to_string(desk.path("one.release")).unwrap();
    let sign = [&["sign", "bad.release", "--key", "private/係長.key"], &PASS[..]].concat();
    for (bad, named) in [
        (
            text.replacen("\"version\":1,\"name\"", "\"version\":9,\"name\"", 1),
            "line 3: the bundle of t-0001 is of another release",
        ),
        (
            text.replacen("\"switchover_at\":\"2027-03-31", "\"switchover_at\":\"2027-04-30", 1),
            "line 1: the header says that contracts change",
        ),
        (text.replacen("\"terminals\":2", "\"terminals\":3", 1), "line 4: ends after 2 of 3"),
        (text.lines().take(3).collect::<Vec<_>>().join("\n"), "line 3: ends after 1 of 2"),
        (
            text.lines().chain(text.lines().last()).collect::<Vec<_>>().join("\n"),
            "line 5: is one bundle more",
        ),
        (
            {
                let lines: Vec<_> = text.lines().collect();
                [lines[0], lines[1], lines[2], lines[2]].join("\n")
            },
            "line 4: terminal t-0001 is there twice",
        ),
        (text[1..].to_owned(), "line 1"),
    ] {
        fs::write(desk.path("bad.release"), &bad).unwrap();
        let said = desk.told(1, &sign);
        assert!(said.contains(named), "{named}: {said}");
        assert_eq!(fs::read_to_string(desk.path("bad.release")).unwrap(), bad, "left as it was");
    }
}
