//! The built program's accounts: worked from the command line with a gateway and without one, and no secret in any log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gateway;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gateway::Gateway;
use jiff::Timestamp;
use meguri_gateway::people::totp;
use serde_json::Value;

const CITY: &str = include_str!("city.toml");
const PASSWORD: &str = "kumo to yama to kawa";

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
    command
        .arg("--data")
        .arg(dir)
        .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__AUDIT__SYSLOG", "")
        .env("MEGURI_GATEWAY__LOG__LEVEL", "trace")
        .stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir).args(args).output().unwrap()
}

fn good(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(dir: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&good(dir, args)).unwrap()
}

impl Gateway {
    /// Asks as a browser would: the whole answer.
    fn ask(&self, method: &str, path: &str, headers: &str, fields: &[(&str, &str)]) -> String {
        let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect::<Vec<_>>()
            .join("&");
        let host = &self.host;
        let mut stream = TcpStream::connect(host).unwrap();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\n{kind}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> String {
        self.ask("POST", path, &format!("Cookie: {cookie}\r\n"), fields)
    }

    fn get(&self, path: &str, cookie: &str) -> String {
        self.ask("GET", path, &format!("Cookie: {cookie}\r\n"), &[])
    }

    /// Signs in: the session's cookie; none where that fails.
    fn sign_in(&self, login: &str, password: &str) -> Option<String> {
        let page = self.get("/signin", "");
        let (cookie, form) = (cookie_of(&page, "meguri-form=")?, form_of(&page));
        let answer =
            self.post("/signin", &cookie, &[("form", &form), ("login", login), ("password", password)]);
        cookie_of(&answer, "meguri=")
    }
}

fn cookie_of(answer: &str, begins: &str) -> Option<String> {
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: ").filter(|cookie| cookie.starts_with(begins)))?;
    Some(line.split(';').next()?.to_owned()).filter(|cookie| cookie.len() > begins.len())
}

fn form_of(page: &str) -> String {
    page.split_once("name=\"form\" value=\"").expect("a form").1.split('"').next().unwrap().to_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn accounts_are_worked_with_a_gateway_and_without_one() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("office");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("city.toml"), CITY).unwrap();
    let log = place.path().join("log");
    let made =
        json(&dir, &["person", "add", "Kanri", "--role", "administrator", "--name", "管理 太郎", "--json"]);
    assert_eq!(
        (&made["login"], &made["role"], &made["must_change"]),
        (&"kanri".into(), &"administrator".into(), &true.into())
    );
    let drawn = made["one_time_password"].as_str().unwrap().to_owned();
    let twice = run(&dir, &["person", "add", "kanri", "--role", "viewer"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("there is a person kanri already"));
    for bad in [
        &["person", "add", "x y", "--role", "viewer"][..],
        &["person", "add", "x", "--role", "dispatcher"],
        &["person", "add", "x", "--role", "viewer", "--contractor", "c"],
        &["person", "block", "kanri"],
        &["person", "role", "kanri", "viewer"],
        &["person", "reset", "nobody"],
    ] {
        assert!(!run(&dir, bad).status.success(), "{bad:?}");
    }
    let gateway = Gateway::start(command(&dir), &log);
    assert!(!dir.join("setup-code").exists(), "somebody has an account");
    let file = place.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    good(&dir, &["person", "add", "miru", "--role", "viewer", "--password-file", file.to_str().unwrap()]);
    fs::write(&file, "short\n").unwrap();
    assert!(
        !run(&dir, &["person", "add", "y", "--role", "viewer", "--password-file", file.to_str().unwrap()])
            .status
            .success()
    );
    let listed = good(&dir, &["person", "list"]);
    assert!(
        listed.contains("kanri\t管理 太郎\tadministrator") && listed.contains("miru\tmiru\tviewer"),
        "{listed}"
    );

    let session = gateway.sign_in("miru", PASSWORD).unwrap();
    assert_eq!(status(&gateway.get("/", &session)), 200);
    assert!(good(&dir, &["person", "block", "miru"]).contains("blocked since"));
    assert_eq!(status(&gateway.get("/", &session)), 303);
    assert_eq!(gateway.sign_in("miru", PASSWORD), None);
    good(&dir, &["person", "unblock", "miru"]);
    good(&dir, &["person", "role", "miru", "reception"]);
    assert!(gateway.sign_in("miru", PASSWORD).is_some());
    let reset = json(&dir, &["person", "reset", "miru", "--json"]);
    assert_eq!(gateway.sign_in("miru", PASSWORD), None);
    let session = gateway.sign_in("miru", reset["one_time_password"].as_str().unwrap()).unwrap();
    assert!(gateway.get("/", &session).contains("location: /account/password"));
    assert!(gateway.sign_in("kanri", &drawn).is_some());

    // This machine reads metrics as ever.
    assert_eq!(status(&gateway.ask("GET", "/metrics", "", &[])), 200);
    assert_eq!(status(&gateway.ask("GET", "/metrics", "Via: 1.1 proxy\r\n", &[])), 401);
    let token = json(&dir, &["token", "add", "reception", "--scope", "export", "--json"]);
    let bearer = format!("Authorization: Bearer {}\r\n", token["token"].as_str().unwrap());
    let export = gateway.ask("GET", "/api/export?day=2026-04-01", &bearer, &[]);
    assert_eq!(status(&export), 200, "{export}");
    let printed = good(&dir, &["export", "--day", "2026-04-01"]);
    assert!(export.ends_with(&printed), "the same as the command: {export}");
    good(&dir, &["token", "revoke", "reception"]);
    assert_eq!(status(&gateway.ask("GET", "/api/export?day=2026-04-01", &bearer, &[])), 401);
    assert!(good(&dir, &["token", "list"]).contains("reception\texport\trevoked"));

    // What was done stands in the log, read beside the running gateway.
    let verified = json(&dir, &["audit", "verify", "--json"]);
    assert_eq!(verified["faults"], serde_json::json!([]));
    // So are backups and readings by command, beside a gateway and without one.
    let place = tempfile::tempdir().unwrap();
    let copy = |name: &str| place.path().join(name).display().to_string();
    good(&dir, &["backup", &copy("one")]);
    gateway.stop();
    good(&dir, &["export", "--day", "2026-04-01"]);
    good(&dir, &["backup", &copy("two")]);
    good(&dir, &["person", "list"]);
    good(&dir, &["crew", "list"]);
    good(&dir, &["restore", "--replace", &copy("two")]);
    let shown = good(&dir, &["audit", "show", "--last", "0"]);
    for (word, times) in [
        ("\tperson_added\t", 2),
        ("\tperson_blocked\t", 1),
        ("\tperson_reset\t", 1),
        ("\tsigned_in\t", 4),
        ("\tsign_in_failed\t", 2),
        ("\ttoken_added\t", 1),
        ("\tread_export\t", 3),
        ("\tstarted\t", 1),
        ("\tbackup\t", 2),
        ("\trestored\t", 1),
        ("\tread_people\t", 2),
        ("\tread_crews\t", 1),
    ] {
        assert_eq!(shown.matches(word).count(), times, "{word} in {shown}");
    }
    let heads = good(&dir, &["audit", "show", "--heads"]);
    let head = heads.lines().last().unwrap().split('\t').nth(1).unwrap();
    assert!(good(&dir, &["audit", "verify", "--head", head]).contains("whole"));
    // Somebody takes an entry out.
    let month = fs::read_dir(dir.join("audit"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some())
        .unwrap();
    let text = fs::read_to_string(&month).unwrap();
    let kept: String = text
        .lines()
        .filter(|line| !line.contains("person_blocked"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&month, kept).unwrap();
    let output = run(&dir, &["audit", "verify"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("NOT WHOLE"));
}

/// With everything told at its most talkative, no password, token, code or second factor is in the log, nor in the audit log; and
/// none but the second factor's secret, which has to, stands in the store.
#[test]
fn no_secret_is_in_any_log() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("office");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("city.toml"), CITY).unwrap();
    let log = place.path().join("log");
    let gateway = Gateway::start(command(&dir), &log);
    let code = fs::read_to_string(dir.join("setup-code")).unwrap().trim().to_owned();
    let page = gateway.get("/setup", "");
    let (cookie, form) = (cookie_of(&page, "meguri-form=").unwrap(), form_of(&page));
    let wrong_code = "zzzz-yyyy-xxxx-wwww";
    for code in [wrong_code, &code] {
        let fields = [
            ("form", &*form),
            ("code", code),
            ("login", "kanri"),
            ("name", ""),
            ("new", PASSWORD),
            ("again", PASSWORD),
        ];
        let answer = gateway.post("/setup", &cookie, &fields);
        assert_eq!(status(&answer), if code == wrong_code { 422 } else { 303 });
    }
    let session = gateway.sign_in("kanri", PASSWORD).unwrap();
    let typed_as_login = "my-password-by-mistake";
    assert_eq!(gateway.sign_in(typed_as_login, "wrong password typed"), None);
    let page = gateway.get("/account/second", &session);
    let typed: String = page.split("<code>").nth(1).unwrap().split('<').next().unwrap().split(' ').collect();
    let secret = unbase32(&typed);
    let totp = totp::shown(&secret, Timestamp::now());
    let answer = gateway.post("/account/second", &session, &[("form", &form_of(&page)), ("code", &totp)]);
    assert_eq!(status(&answer), 200);
    let whole = cookie_of(&answer, "meguri=").unwrap();
    let recovery = answer.split("<li><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let page = gateway.get("/people", &whole);
    let answer = gateway.post(
        "/people/add",
        &whole,
        &[("form", &form_of(&page)), ("login", "uke"), ("role", "reception")],
    );
    let drawn = answer.split("class=\"drawn\"><code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let token = json(&dir, &["token", "add", "prometheus", "--scope", "metrics", "--json"]);
    let token = token["token"].as_str().unwrap().to_owned();
    gateway.ask("GET", "/metrics", &format!("Via: x\r\nAuthorization: Bearer {token}\r\n"), &[]);
    // A log that is full of the program's words at its most talkative, or the test says nothing.
    gateway.stop();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("TRACE") || said.contains("DEBUG") || said.contains("INFO"), "{said}");
    assert!(said.contains("setup-code"), "it says where the code is");
    let mut audit = String::new();
    for file in fs::read_dir(dir.join("audit")).unwrap() {
        audit.push_str(&fs::read_to_string(file.unwrap().path()).unwrap());
    }
    let store = fs::read(dir.join("meguri.db")).unwrap();
    let store = String::from_utf8_lossy(&store);
    let tokens = [&session, &whole, &cookie].map(|cookie| cookie.split_once('=').unwrap().1);
    let secrets = [
        PASSWORD,
        &code,
        wrong_code,
        "wrong password typed",
        typed_as_login,
        &totp,
        &recovery,
        &drawn,
        &token,
        &form,
        tokens[0],
        tokens[1],
        tokens[2],
    ];
    for secret in secrets.into_iter().chain([&*typed, "$argon2id"]) {
        assert!(!said.contains(secret), "{secret} is in the log");
        assert!(!audit.contains(secret), "{secret} is in the audit log");
    }
    for secret in secrets.into_iter().filter(|secret| *secret != totp) {
        assert!(!store.contains(secret), "{secret} is in the store");
    }
    assert!(store.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!dir.join("setup-code").exists());
}

/// Who runs the machine lets somebody in by password while the identity provider is away, for some hours, and it is written down.
#[test]
fn somebody_is_let_in_in_an_emergency() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("city.toml"), CITY).unwrap();
    fs::write(dir.join("password"), PASSWORD).unwrap();
    let file = dir.join("password").display().to_string();
    good(dir, &["person", "add", "kanri", "--role", "administrator", "--password-file", &file]);
    let person = json(dir, &["person", "emergency", "kanri", "--hours", "2", "--json"]);
    let until: Timestamp = person["password_until"].as_str().unwrap().parse().unwrap();
    let hours = until.duration_since(Timestamp::now()).as_secs_f64() / 3600.0;
    assert!((1.9..=2.0).contains(&hours), "{hours}");
    assert!(good(dir, &["person", "list"]).contains("by password until"));
    for (args, why) in [
        (&["person", "emergency", "nobody"][..], "there is no person nobody"),
        (&["person", "emergency", "kanri", "--hours", "73"], "73"),
    ] {
        let refused = run(dir, args);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(why), "{said}");
    }
    let mut told = Vec::new();
    meguri_gateway::audit::entries(dir, |entry, _| told.push(entry)).unwrap();
    // Somebody looked at the list after that.
    let of_emergency =
        |entry: &&meguri_gateway::audit::Entry| entry.what == meguri_gateway::audit::What::PersonEmergency;
    let last = told.iter().rfind(of_emergency).unwrap();
    assert!(matches!(last.who, meguri_gateway::audit::Who::Command(_)));
    assert_eq!(last.about["person"], person["id"]);
}

fn unbase32(text: &str) -> Vec<u8> {
    let (mut kept, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        kept = (kept << 5) | u32::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((kept >> bits) & 255).unwrap());
        }
    }
    bytes
}
