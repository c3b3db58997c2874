//! The built program: served, worked from the command line, stopped and started again, with a plain MQTT client as terminal.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use meguri_config::Terminal;
use meguri_proto::{
    Ack, BootId, Digest, Entry, Epoch, FactId, Hello, LogKind, LogPublish, LogsHeld, Message, Nonce, Topic,
    UpTopic,
};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);
const CITY: &str = include_str!("city.toml");

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
    command
        .arg("--data")
        .arg(dir)
        .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0");
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

fn good(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A gateway that is killed when the test ends, however it ends.
struct Gateway {
    child: Child,
    ready: Value,
}

impl Gateway {
    fn start(dir: &Path) -> Self {
        let mut child = command(dir)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).expect("a line of JSON");
        Self { child, ready }
    }

    /// SIGTERM, and the exit status.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    async fn connect(folder: &Path) -> Option<Self> {
        let settings = Terminal::read(&folder.join("terminal.toml")).unwrap();
        let name = settings.terminal.as_str();
        let mut options = MqttOptions::new(name, settings.broker.host.clone(), settings.broker.port);
        options.set_credentials(name, settings.secret().unwrap());
        let (client, mut events) = AsyncClient::new(options, 16);
        events.poll().await.ok()?;
        let filter = Topic::terminal_filter(&settings.city, &settings.terminal);
        client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        Some(Self { client, events })
    }

    async fn say(&self, up: UpTopic, payload: Vec<u8>) {
        let topic = Topic::up("hiroshima".parse().unwrap(), "t-1".parse().unwrap(), up).to_string();
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }

    /// The next ack that is wanted; none where the connection ended.
    async fn ack(&mut self, wanted: impl Fn(&Ack) -> bool) -> Option<Ack> {
        let search = async {
            loop {
                match self.events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish)))
                        if publish.topic.ends_with(b"/down/ack") =>
                    {
                        let ack = Ack::decode(&publish.payload).unwrap();
                        if wanted(&ack) {
                            return Some(ack);
                        }
                    }
                    Ok(_) => {}
                    Err(_) => return None,
                }
            }
        };
        tokio::time::timeout(WAIT, search).await.expect("an ack in time")
    }
}

fn publish() -> LogPublish {
    let body = RawValue::from_string("{\"v\":9}".into()).unwrap();
    let digest = Digest::ZERO.then(body.get().as_bytes());
    let entry = Entry { seq: 1, id: FactId(Uuid::now_v7()), digest, body };
    LogPublish { v: 1, epoch: Epoch(Uuid::new_v4()), entries: vec![entry], notes: Default::default() }
}

fn hello() -> Hello {
    Hello {
        v: 1,
        nonce: Nonce(Uuid::new_v4()),
        boot: BootId(Uuid::new_v4()),
        app: "test".into(),
        config: 1,
        incarnation: None,
        certificate: None,
        logs: LogsHeld::default(),
        documents: Vec::new(),
    }
}

#[tokio::test]
async fn serves_is_worked_and_stops() {
    let data = tempfile::tempdir().unwrap();
    // Deeper than a socket's path may be long.
    let dir = &data.path().join("x".repeat(120));
    std::fs::create_dir(dir).unwrap();
    std::fs::write(dir.join("city.toml"), CITY).unwrap();
    // Without a gateway commands open the store themselves.
    let told = good(dir, &["terminal", "add", "t-0", "--vehicle", "v1"]);
    assert!(told.contains("secret (told this once): "), "{told}");

    let gateway = Gateway::start(dir);
    assert_eq!(gateway.ready["ready"], true);
    assert!(gateway.ready["web"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let folder = dir.join("t-1");
    good(dir, &["terminal", "add", "t-1", "--vehicle", "v1", "--out", folder.to_str().unwrap()]);
    let settings = Terminal::read(&folder.join("terminal.toml")).unwrap();
    let address = format!("{}:{}", settings.broker.host, settings.broker.port);
    assert_eq!(gateway.ready["mqtt"], address);
    {
        use std::os::unix::fs::PermissionsExt as _;
        for secret in [folder.join("secret"), dir.join("meguri.db"), dir.join("control.sock")] {
            let mode = std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", secret.display());
        }
    }
    assert!(
        !run(dir, &["terminal", "add", "t-1", "--vehicle", "v1"]).status.success(),
        "named once for life"
    );

    // A second gateway on the folder is refused.
    let second = run(dir, &["serve"]);
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(1) && told.contains("held by another"), "{told}");

    let mut terminal = Client::connect(&folder).await.expect("let in");
    let says = hello();
    terminal.say(UpTopic::Hello, says.encode().unwrap()).await;
    let answer = terminal.ack(|ack| ack.nonce == Some(says.nonce)).await.unwrap();
    let sent = publish();
    terminal.say(UpTopic::Fact, sent.encode().unwrap()).await;
    let ack = terminal.ack(|ack| !ack.held.is_empty()).await.unwrap();
    assert_eq!((ack.held[0].log, ack.held[0].seq), (LogKind::Fact, 1));
    assert_eq!(ack.incarnation, answer.incarnation);
    let asides: Value = serde_json::from_str(&good(dir, &["aside", "list", "--json"])).unwrap();
    assert_eq!(asides[0]["problem"], "fact body has version 9, this program speaks 1");

    // Many more than the link's window: the broker is told of each that it is done with.
    let (client, payload, last) = (terminal.client.clone(), sent.encode().unwrap(), hello());
    let (says, nonce) = (last.encode().unwrap(), last.nonce);
    let flood = tokio::spawn(async move {
        let topic = |up| Topic::up("hiroshima".parse().unwrap(), "t-1".parse().unwrap(), up).to_string();
        for _ in 0..2_000 {
            client.publish(topic(UpTopic::Fact), QoS::AtLeastOnce, false, payload.clone()).await.unwrap();
        }
        client.publish(topic(UpTopic::Hello), QoS::AtLeastOnce, false, says).await.unwrap();
    });
    assert!(terminal.ack(|ack| ack.nonce == Some(nonce)).await.is_some());
    flood.await.unwrap();

    // Blocked: out at once, and let in again.
    good(dir, &["terminal", "block", "t-1"]);
    assert!(terminal.ack(|_| false).await.is_none());
    assert!(Client::connect(&folder).await.is_none());
    good(dir, &["terminal", "unblock", "t-1"]);
    let listed: Value = serde_json::from_str(&good(dir, &["terminal", "list", "--json"])).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|t| t["terminal"].as_str().unwrap()).collect();
    assert_eq!(names, ["t-0", "t-1"]);
    assert!(Client::connect(&folder).await.is_some());

    // No terminal's files are overwritten, and what fails leaves neither a terminal nor a secret.
    let secret = |folder: &Path| std::fs::read_to_string(folder.join("secret"));
    let kept = secret(&folder).unwrap();
    let add = |name: &str, to: &Path| {
        let output = run(dir, &["terminal", "add", name, "--vehicle", "v1", "--out", to.to_str().unwrap()]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(add("t-2", &folder).contains("not overwritten"));
    assert_eq!(secret(&folder).unwrap(), kept);
    let file = folder.join("terminal.toml");
    assert!(add("t-2", &file.join("below")).contains("can't make the folder"));
    let spare = dir.join("spare");
    assert!(add("t-1", &spare).contains("there already"));
    assert!(secret(&spare).is_err(), "a secret that opens nothing");
    let listed: Value = serde_json::from_str(&good(dir, &["terminal", "list", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");

    // Another secret: who came in with the one before is out at once.
    let (first, second) = (dir.join("t-0"), dir.join("t-0-again"));
    good(dir, &["terminal", "secret", "t-0", "--out", first.to_str().unwrap()]);
    let mut terminal = Client::connect(&first).await.expect("let in with the new secret");
    good(dir, &["terminal", "secret", "t-0", "--out", second.to_str().unwrap()]);
    assert!(terminal.ack(|_| false).await.is_none(), "cut off");
    assert!(Client::connect(&first).await.is_none(), "the secret before is not taken");
    assert!(Client::connect(&second).await.is_some());
    assert!(!run(dir, &["terminal", "secret", "t-9"]).status.success());

    assert_eq!(gateway.stop(), Some(0));
    // Started again it is the same office and holds what it acknowledged; killed, too.
    for _ in 0..2 {
        let gateway = Gateway::start(dir);
        let folder = dir.join("again");
        // The broker took another free port; the credentials are the same.
        std::fs::create_dir_all(&folder).unwrap();
        let port = gateway.ready["mqtt"].as_str().unwrap().rsplit_once(':').unwrap().1;
        let text = std::fs::read_to_string(dir.join("t-1/terminal.toml")).unwrap();
        let text = text.replace(&format!("port = {}", settings.broker.port), &format!("port = {port}"));
        std::fs::write(folder.join("terminal.toml"), text).unwrap();
        std::fs::copy(dir.join("t-1/secret"), folder.join("secret")).unwrap();
        let mut terminal = Client::connect(&folder).await.expect("let in");
        terminal.say(UpTopic::Fact, sent.encode().unwrap()).await;
        let again = terminal.ack(|ack| !ack.held.is_empty()).await.unwrap();
        assert_eq!((again.incarnation, again.held), (ack.incarnation, ack.held.clone()));
        drop(gateway);
    }
}

#[test]
fn a_terminal_that_changes_its_contract_gets_new_settings() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    std::fs::write(dir.join("city.toml"), CITY).unwrap();
    let gateway = Gateway::start(dir);
    let (first, second) = (dir.join("t-1"), dir.join("t-1-new"));
    good(dir, &["terminal", "add", "t-1", "--vehicle", "v1", "--out", first.to_str().unwrap()]);
    let vehicle = || {
        let listed: Value = serde_json::from_str(&good(dir, &["terminal", "list", "--json"])).unwrap();
        listed[0]["vehicle"].as_str().unwrap().to_owned()
    };

    let refused = run(dir, &["terminal", "bind", "t-1", "--vehicle", "v2"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("--out") && told.contains("c-2"), "{told}");
    let bind =
        |to: &Path| run(dir, &["terminal", "bind", "t-1", "--vehicle", "v2", "--out", to.to_str().unwrap()]);
    assert!(!bind(&first).status.success(), "settings are never overwritten");
    assert_eq!(vehicle(), "v1", "nothing is bound where there is no new file");

    let bound = bind(&second);
    let told = String::from_utf8(bound.stdout).unwrap();
    assert!(
        bound.status.success() && told.contains("contract c-2") && told.contains("start the terminal anew"),
        "{told}"
    );
    assert_eq!(vehicle(), "v2");
    let old = Terminal::read(&first.join("terminal.toml")).unwrap();
    let new = Terminal::read(&second.join("terminal.toml")).unwrap();
    assert!(!second.join("secret").exists(), "the secret is the one before");
    assert_eq!((new.vehicle.as_str(), new.contract.as_str()), ("v2", "c-2"));
    assert_eq!(
        (new.terminal, new.broker.host, new.broker.port),
        (old.terminal, old.broker.host, old.broker.port)
    );
    drop(gateway);

    // The plan moves its vehicle to another contract: people are told once, until the terminal follows.
    let open = || {
        let notices: Value = serde_json::from_str(&good(dir, &["notice", "list", "--json"])).unwrap();
        let notices: Vec<Value> = notices.as_array().unwrap().clone();
        notices.into_iter().filter(|notice| notice["kind"] == "contract_moved").collect::<Vec<_>>()
    };
    assert!(open().is_empty());
    let moved = CITY.replace("id = \"v2\"\ncontract = \"c-2\"", "id = \"v2\"\ncontract = \"c-1\"");
    assert_ne!(moved, CITY);
    std::fs::write(dir.join("city.toml"), moved).unwrap();
    for _ in 0..2 {
        let told = open();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["terminal"], "t-1");
        assert_eq!(told[0]["detail"], serde_json::json!({ "vehicle": "v2", "from": "c-2", "to": "c-1" }));
    }
    good(dir, &["terminal", "block", "t-1"]);
    assert!(open().is_empty());
    good(dir, &["terminal", "unblock", "t-1"]);
    assert_eq!(open().len(), 1);
    let _gateway = Gateway::start(dir);
    // Another secret does not move it.
    let again = dir.join("t-1-again");
    good(dir, &["terminal", "secret", "t-1", "--out", again.to_str().unwrap()]);
    assert_eq!(Terminal::read(&again.join("terminal.toml")).unwrap().contract.as_str(), "c-2");
    assert_eq!(open().len(), 1);
    assert!(!run(dir, &["terminal", "bind", "t-1", "--vehicle", "v2"]).status.success());
    let third = dir.join("t-1-moved");
    assert!(bind(&third).status.success());
    assert_eq!(Terminal::read(&third.join("terminal.toml")).unwrap().contract.as_str(), "c-1");
    assert!(open().is_empty());
}

#[test]
fn says_what_is_wrong() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path();
    let told = |args: &[&str]| String::from_utf8(run(dir, args).stderr).unwrap();
    assert!(told(&["serve"]).contains("city.toml"));
    std::fs::write(dir.join("city.toml"), CITY).unwrap();
    assert!(told(&["terminal", "block", "t-9"]).contains("there is no terminal t-9"));
    assert!(told(&["terminal", "add", "t-9", "--vehicle", "v9"]).contains("there is no vehicle v9"));
    assert_eq!(run(dir, &["bogus"]).status.code(), Some(64));
    let open = command(dir).env("MEGURI_GATEWAY__WEB__LISTEN", "0.0.0.0:0").arg("serve").output().unwrap();
    let told = String::from_utf8(open.stderr).unwrap();
    assert!(!open.status.success() && told.contains("may reach what has no TLS"), "{told}");
    assert!(good(dir, &["config", "print"]).contains("listen = \"127.0.0.1:0\""));
}
