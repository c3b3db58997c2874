//! The built program in good and bad days: health, metrics, the supervisor, and a disk or a clock that fails it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod visitor;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use meguri_proto::{
    Ack, BootId, Digest, Entry, Epoch, FactId, Hello, LogPublish, LogsHeld, Message, Nonce, Topic, UpTopic,
};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
const CITY: &str = include_str!("city.toml");
const PROGRAM: &str = env!("CARGO_BIN_EXE_meguri-gateway");

/// A folder, and in it a gateway's data and log; the terminal t-1 is made.
struct Place {
    dir: tempfile::TempDir,
    secret: String,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("data/city.toml"), CITY).unwrap();
        let mut place = Self { dir, secret: String::new() };
        let told = place.good(&["terminal", "add", "t-1", "--vehicle", "v1"]);
        let secret = told.lines().find_map(|line| line.strip_prefix("secret (told this once): "));
        place.secret = secret.unwrap_or_else(|| panic!("{told}")).to_owned();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str]) -> Output {
        let data = self.text("data");
        settings(&mut Command::new(PROGRAM)).args(["--data", &data]).args(args).output().unwrap()
    }

    fn good(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["--data", &self.text("data"), "serve"]);
        command
    }

    fn start(&self, command: &mut Command) -> Gateway {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let command = settings(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}: {}", self.log()));
        Gateway { child, ready }
    }

    /// Makes somebody who looks, and signs them in; the session's cookie.
    fn sign_in(&self, gateway: &Gateway) -> String {
        let data = self.text("data");
        visitor::add(settings(&mut Command::new(PROGRAM)).args(["--data", &data]), self.dir.path(), "viewer");
        visitor::sign_in(gateway.ready["web"].as_str().unwrap(), "viewer")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// Small room counts as enough, and looks are frequent.
fn settings(command: &mut Command) -> &mut Command {
    command
        .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0")
        .env("MEGURI_GATEWAY__HEALTH__FREE_MIB", "1")
        .env("MEGURI_GATEWAY__TIMERS__DAY", "0.1")
}

/// A gateway that is killed when the test ends, however it ends.
struct Gateway {
    child: Child,
    ready: Value,
}

impl Gateway {
    /// Status and body of a page.
    fn get(&self, path: &str) -> (u16, String) {
        self.get_as(path, "")
    }

    /// As [`Gateway::get`], for whoever has the cookie.
    fn get_as(&self, path: &str, cookie: &str) -> (u16, String) {
        let (status, _, body) = visitor::ask(self.ready["web"].as_str().unwrap(), "GET", path, cookie, "");
        (status, body)
    }

    fn ready(&self) -> (u16, Value) {
        let (status, body) = self.get("/health/ready");
        // A long answer comes in chunks; this one does not.
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
    }

    fn metric(&self, name: &str) -> f64 {
        let [value] = self.metrics([name]);
        value
    }

    /// Numbers of one and the same moment.
    fn metrics<const N: usize>(&self, names: [&str; N]) -> [f64; N] {
        let (_, text) = self.get("/metrics");
        names.map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        })
    }

    fn await_ready(&self, wanted: bool, check: &str) {
        eventually(&format!("{check} is {wanted}"), || {
            let (status, report) = self.ready();
            (report["checks"][check] == wanted && (status == 200) == (report["ready"] == true)).then_some(())
        });
    }

    /// SIGTERM, and the exit status.
    fn stop(mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
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

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap().success());
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {WAIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `strace` on a running process, to make its calls fail or slow; ends with this.
struct Strace(Child);

impl Strace {
    /// Injects into calls of the writer's thread.
    fn inject(gateway: &Gateway, calls: &str, what: &str) -> Self {
        let process = gateway.child.id().to_string();
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{what}"));
        let mut child = Command::new("strace")
            .args(["-f", "-p", &process, "-e", &trace, "-e", &inject, "-o", "/dev/null"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is installed");
        // It says so once it holds every thread.
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        // Whatever else it says must not stop it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self(child)
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // SIGINT has it let go of the process; killed, it would take a held call with it.
        let _ = Command::new("kill").args(["-s", "INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

struct Client {
    client: AsyncClient,
    events: EventLoop,
    log: Epoch,
    last: Digest,
    seq: u64,
}

impl Client {
    async fn connect(place: &Place, gateway: &Gateway) -> Self {
        let port = gateway.ready["mqtt"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
        let mut options = MqttOptions::new("t-1", "127.0.0.1", port);
        options.set_credentials("t-1", place.secret.clone());
        let (client, mut events) = AsyncClient::new(options, 16);
        events.poll().await.unwrap();
        let filter = Topic::terminal_filter(&"hiroshima".parse().unwrap(), &"t-1".parse().unwrap());
        client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        Self { client, events, log: Epoch(Uuid::new_v4()), last: Digest::ZERO, seq: 0 }
    }

    async fn say(&self, up: UpTopic, payload: Vec<u8>) {
        let topic = Topic::up("hiroshima".parse().unwrap(), "t-1".parse().unwrap(), up).to_string();
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }

    /// The next entry: one that no version reads, so it is set aside and acknowledged.
    fn entry(&mut self) -> LogPublish {
        let body = RawValue::from_string("{\"v\":9}".into()).unwrap();
        (self.last, self.seq) = (self.last.then(body.get().as_bytes()), self.seq + 1);
        let entry = Entry { seq: self.seq, id: FactId(Uuid::now_v7()), digest: self.last, body };
        LogPublish { v: 1, epoch: self.log, entries: vec![entry], notes: Default::default() }
    }

    async fn ack(&mut self, wanted: impl Fn(&Ack) -> bool) -> Ack {
        let search = async {
            loop {
                if let Event::Incoming(Packet::Publish(publish)) = self.events.poll().await.unwrap()
                    && publish.topic.ends_with(b"/down/ack")
                {
                    let ack = Ack::decode(&publish.payload).unwrap();
                    if wanted(&ack) {
                        return ack;
                    }
                }
            }
        };
        tokio::time::timeout(WAIT, search).await.expect("an ack in time")
    }

    async fn acked(&mut self, seq: u64) -> Ack {
        self.ack(|ack| ack.held.iter().any(|held| held.seq == seq)).await
    }

    async fn hello(&mut self) -> Ack {
        let nonce = Nonce(Uuid::new_v4());
        let hello = Hello {
            v: 1,
            nonce,
            boot: BootId(Uuid::new_v4()),
            app: "test".into(),
            config: 1,
            incarnation: None,
            certificate: None,
            logs: LogsHeld::default(),
            documents: Vec::new(),
        };
        self.say(UpTopic::Hello, hello.encode().unwrap()).await;
        self.ack(|ack| ack.nonce == Some(nonce)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_tell_what_is() {
    let place = Place::new();
    let down = place.run(&["health"]);
    assert_eq!(down.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&down.stderr).contains("no gateway runs"));
    let gateway = place.start(&mut place.serve());
    eventually("the gateway is ready", || (gateway.ready().0 == 200).then_some(()));
    assert_eq!(gateway.get("/health/live").0, 200);
    let said: Value = serde_json::from_str(&place.good(&["health", "--json"])).unwrap();
    assert_eq!(said, gateway.ready().1, "one truth by both ways");

    let (_, before) = gateway.get("/metrics");
    well_formed(&before);
    let count = |name: &str| gateway.metric(name);
    let (asides, acks, transactions) =
        (count("meguri_asides_total"), count("meguri_acks_total"), count("meguri_commit_seconds_count"));
    let mut terminal = Client::connect(&place, &gateway).await;
    terminal.hello().await;
    let entry = terminal.entry().encode().unwrap();
    terminal.say(UpTopic::Fact, entry).await;
    terminal.acked(1).await;
    assert!(count("meguri_asides_total") == asides + 1.0 && count("meguri_acks_total") >= acks + 2.0);
    assert!(count("meguri_commit_seconds_count") >= transactions + 2.0);
    assert_eq!(count("meguri_asides_open"), 1.0);
    assert_eq!(count("meguri_terminals{state=\"online\"}"), 1.0);
    for (name, least) in [
        ("process_resident_memory_bytes", 1e6),
        ("meguri_store_bytes", 4096.0),
        ("meguri_disk_free_bytes", 1.0),
    ] {
        assert!(count(name) >= least, "{name}");
    }
    assert!(!gateway.get("/metrics").1.contains("t-1"), "no terminal's name is a label");
    assert_eq!(gateway.stop(), Some(0));
}

/// Every family has its help and type before its samples, names are of the format, and none comes twice.
fn well_formed(text: &str) {
    let (mut family, mut seen) = (String::new(), std::collections::BTreeSet::new());
    let named = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(named(name) && !words.is_empty() && seen.insert(name.to_owned()), "{line}");
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            family = name.to_owned();
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let of_histogram = name.strip_prefix(family.as_str());
            assert!(matches!(of_histogram, Some("" | "_bucket" | "_sum" | "_count")), "{line} in {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(seen.len() > 20 && text.ends_with('\n'));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_supervisor_hears_of_the_start_the_life_and_the_end() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    let hear = || {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).expect("a word in time");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = place.serve();
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "2000000");
    let gateway = place.start(&mut command);
    assert_eq!(hear(), "READY=1", "nothing before it");
    let heard: Vec<String> = (0..4).map(|_| hear()).collect();
    assert!(heard.iter().filter(|word| *word == "WATCHDOG=1").count() >= 2, "{heard:?}");

    // A commit that hangs: no sign of life, nothing for the watchdog.
    let mut terminal = Client::connect(&place, &gateway).await;
    terminal.hello().await;
    let strace = Strace::inject(&gateway, "fsync,fdatasync", "delay_enter=120000000");
    let entry = terminal.entry().encode().unwrap();
    terminal.say(UpTopic::Fact, entry).await;
    // The message leaves as the line is polled.
    let polled = tokio::spawn(async move {
        terminal.acked(1).await;
        terminal
    });
    let silent = |least: f64| {
        eventually("the writer is silent", || {
            (gateway.metric("meguri_writer_silent_seconds") >= least).then_some(())
        });
    };
    silent(2.0);
    socket.set_nonblocking(true).unwrap();
    let drain = || {
        let (mut heard, mut bytes) = (Vec::new(), [0; 1024]);
        while let Ok(length) = socket.recv(&mut bytes) {
            heard.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
        }
        heard
    };
    drain();
    silent(6.0);
    let heard = drain();
    assert!(!heard.contains(&"WATCHDOG=1".to_owned()), "{heard:?}");
    drop(strace);
    polled.await.unwrap();
    eventually("the watchdog is fed again", || drain().contains(&"WATCHDOG=1".to_owned()).then_some(()));
    assert_eq!(gateway.stop(), Some(0));
    assert!(drain().iter().any(|word| word.starts_with("STOPPING=1")));
}

/// A shell command that mounts a small disk over the data folder, seen by what follows alone.
fn on_a_small_disk(place: &Place, size: &str, then: &str) -> Command {
    let mount = format!(
        "cp -a \"$1\" \"$1.copy\" && mount -t tmpfs -o size={size} none \"$1\" && cp -a \"$1.copy\"/. \"$1\" && \
         {then}exec \"$0\" --data \"$1\" serve"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount, PROGRAM, &place.text("data")]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_confirms_nothing_and_heals() {
    let place = Place::new();
    let data = place.text("data");
    visitor::add(settings(&mut Command::new(PROGRAM)).args(["--data", &data]), place.dir.path(), "viewer");
    let gateway = place.start(&mut on_a_small_disk(&place, "16m", ""));
    gateway.await_ready(true, "store");
    let session = visitor::sign_in(gateway.ready["web"].as_str().unwrap(), "viewer");
    assert_eq!(gateway.get_as("/", &session).0, 200);
    let mut terminal = Client::connect(&place, &gateway).await;
    terminal.hello().await;
    let first = terminal.entry().encode().unwrap();
    terminal.say(UpTopic::Fact, first).await;
    terminal.acked(1).await;

    // What the gateway sees of its disk.
    let inside = PathBuf::from(format!("/proc/{}/root{}", gateway.child.id(), place.text("data")));
    let filler = inside.join("filler");
    {
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    }
    // A few pages more than the log has room for.
    let mut second = terminal.entry();
    second.entries[0].body =
        RawValue::from_string(format!("{{\"v\":9,\"x\":\"{}\"}}", "x".repeat(200_000))).unwrap();
    let before = second.entries[0].body.get().as_bytes();
    second.entries[0].digest = Digest::ZERO.then(b"{\"v\":9}").then(before);
    let payload = second.encode().unwrap();
    let mut acked = false;
    eventually("the store fails", || {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                terminal.say(UpTopic::Fact, payload.clone()).await;
                while let Ok(event) =
                    tokio::time::timeout(Duration::from_millis(50), terminal.events.poll()).await
                {
                    if let Event::Incoming(Packet::Publish(publish)) = event.unwrap()
                        && publish.topic.ends_with(b"/down/ack")
                    {
                        acked |= Ack::decode(&publish.payload).unwrap().held.iter().any(|held| held.seq == 2);
                    }
                }
            });
        });
        (gateway.metric("meguri_transactions_failed_total") >= 5.0).then_some(())
    });
    assert!(!acked, "confirmed without a commit");
    gateway.await_ready(false, "store");
    gateway.await_ready(false, "disk_room");
    assert_eq!(gateway.ready().0, 503);
    assert_eq!(gateway.get("/health/live").0, 200, "it works on");
    assert!(gateway.get_as("/account", &session).1.contains("記録を保存できません"));
    // What can't be written down is not shown. A few entries may still fit into what the last page of the file has left.
    let shown = eventually("nothing of residents is shown", || {
        let (status, page) = gateway.get_as("/", &session);
        (status == 503).then_some(page)
    });
    assert!(shown.contains("操作の記録を書けません") && !shown.contains("中区"), "{shown}");
    let output = Command::new(PROGRAM).arg("--data").arg(&inside).args(["health"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("make room on the disk"));
    let said = place.log().matches("nothing of it was confirmed").count();
    assert_eq!(said, 1, "{}", place.log());

    std::fs::remove_file(&filler).unwrap();
    gateway.await_ready(true, "store");
    gateway.await_ready(true, "disk_room");
    terminal.say(UpTopic::Fact, payload).await;
    terminal.acked(2).await;
    assert!(!gateway.get_as("/account", &session).1.contains("記録を保存できません"));
    assert_eq!(gateway.get_as("/", &session).0, 200);
    let output = Command::new(PROGRAM).arg("--data").arg(&inside).args(["audit", "verify"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(gateway.stop(), Some(0));
    assert!(place.log().contains("the store can be written again"));
}

#[test]
fn a_disk_that_is_read_only_at_the_start_is_said() {
    let place = Place::new();
    let mut command = on_a_small_disk(&place, "16m", "mount -o remount,ro none \"$1\" && ");
    let output = settings(&mut command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Read-only file system") && said.contains("data"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_turns_read_only_confirms_nothing_and_heals() {
    let place = Place::new();
    let gateway = place.start(&mut place.serve());
    let session = place.sign_in(&gateway);
    let mut terminal = Client::connect(&place, &gateway).await;
    terminal.hello().await;
    let strace = Strace::inject(&gateway, "pwrite64", "error=EROFS");
    let entry = terminal.entry().encode().unwrap();
    terminal.say(UpTopic::Fact, entry.clone()).await;
    let polled = tokio::spawn(async move {
        terminal.acked(1).await;
        terminal
    });
    gateway.await_ready(false, "store");
    assert!(!polled.is_finished(), "confirmed without a commit");
    assert!(gateway.get_as("/account", &session).1.contains("記録を保存できません"));
    drop(strace);
    gateway.await_ready(true, "store");
    // The terminal sends again what nobody confirmed.
    let again = Client::connect(&place, &gateway).await;
    polled.abort();
    let mut again = Client { events: again.events, ..again };
    again.say(UpTopic::Fact, entry).await;
    again.acked(1).await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_confirms_late_and_says_so() {
    let place = Place::new();
    let gateway = place.start(&mut place.serve());
    let session = place.sign_in(&gateway);
    let mut terminal = Client::connect(&place, &gateway).await;
    terminal.hello().await;
    let strace = Strace::inject(&gateway, "fsync,fdatasync", "delay_enter=2500000");
    let entry = terminal.entry().encode().unwrap();
    terminal.say(UpTopic::Fact, entry).await;
    terminal.acked(1).await;
    drop(strace);
    let (status, report) = gateway.ready();
    assert_eq!((status, &report["checks"]["disk_speed"]), (200, &Value::Bool(false)), "late, and at work");
    assert!(gateway.get_as("/account", &session).1.contains("ディスクの書き込みが遅く"));
    let [all, fast] =
        gateway.metrics(["meguri_commit_seconds_count", "meguri_commit_seconds_bucket{le=\"1\"}"]);
    assert!(all - fast >= 1.0, "{all}, {fast}");
    assert!(place.log().contains("the disk is slow"));
    assert_eq!(gateway.stop(), Some(0));
}

/// Runs the gateway by a clock that `says` moves: an offset as libfaketime reads it. The monotonic clock stays.
fn with_a_clock(place: &Place, says: &str) -> Command {
    const FAKETIME: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    let folder =
        FAKETIME.iter().map(Path::new).find(|folder| folder.is_dir()).expect("libfaketime is installed");
    std::fs::write(place.path("clock"), says).unwrap();
    let mut command = place.serve();
    command
        .env("LD_PRELOAD", folder.join("libfaketimeMT.so.1"))
        .env("FAKETIME_TIMESTAMP_FILE", place.path("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_is_doubted() {
    for jump in ["+2d", "-2d", "+3650d"] {
        let place = Place::new();
        let gateway = place.start(&mut with_a_clock(&place, "+0d"));
        let mut terminal = Client::connect(&place, &gateway).await;
        let before = terminal.hello().await.time.expect("a time that is believed");
        std::fs::write(place.path("clock"), jump).unwrap();
        gateway.await_ready(false, "clock");
        assert_eq!(gateway.metric("meguri_clock_in_doubt"), 1.0);
        // Work goes on by the time before; terminals are told none.
        assert_eq!(terminal.hello().await.time, None, "{jump}");
        let entry = terminal.entry().encode().unwrap();
        terminal.say(UpTopic::Fact, entry).await;
        assert_eq!(terminal.acked(1).await.time, None, "{jump}");
        let notices = || -> Vec<Value> {
            let all: Value = serde_json::from_str(&place.good(&["notice", "list", "--json"])).unwrap();
            let all = all.as_array().unwrap().clone();
            all.into_iter().filter(|notice| notice["kind"] == "clock_doubted").collect()
        };
        eventually("a notice of the clock", || (notices().len() == 1).then_some(()));
        let at: jiff::Timestamp = notices()[0]["at"].as_str().unwrap().parse().unwrap();
        assert!(at.duration_since(before).abs() < jiff::SignedDuration::from_hours(1), "{jump}: {at}");
        // A jump ends what was signed in before it.
        let session = place.sign_in(&gateway);
        assert!(gateway.get_as("/account", &session).1.contains("時計が大きく動いた"), "{jump}");

        // Set right, it is believed by itself; else a person says so.
        if jump == "-2d" {
            std::fs::write(place.path("clock"), "+1s").unwrap();
        } else {
            place.good(&["clock", "right"]);
        }
        gateway.await_ready(true, "clock");
        let after = terminal.hello().await.time.expect("believed again");
        let moved = after.duration_since(before).as_hours();
        let expected = if jump == "+2d" {
            47..50
        } else if jump == "-2d" {
            0..1
        } else {
            87_000..88_000
        };
        assert!(expected.contains(&moved), "{jump}: {moved}");
        eventually("the notice is settled", || notices().is_empty().then_some(()));
        assert_eq!(gateway.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumped_while_nothing_ran_is_doubted() {
    let place = Place::new();
    let gateway = place.start(&mut with_a_clock(&place, "+0d"));
    gateway.await_ready(true, "clock");
    let kept = || {
        let store = rusqlite::Connection::open(place.path("data/meguri.db")).unwrap();
        store.query_row("SELECT clock_seen_at FROM office", [], |row| row.get::<_, Option<i64>>(0)).unwrap()
    };
    eventually("the time is kept", kept);
    assert_eq!(gateway.stop(), Some(0));
    let gateway = place.start(&mut with_a_clock(&place, "+3650d"));
    gateway.await_ready(false, "clock");
    let mut terminal = Client::connect(&place, &gateway).await;
    assert_eq!(terminal.hello().await.time, None);
    assert_eq!(gateway.stop(), Some(0));
    // The clock is set right while nothing runs: nobody need say anything.
    let gateway = place.start(&mut with_a_clock(&place, "+1s"));
    gateway.await_ready(true, "clock");
    assert_eq!(gateway.stop(), Some(0));
}
