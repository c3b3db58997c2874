//! The city's page in a real Chromium: it goes on by itself, comes back after the office was away, and fits a phone.
//!
//! Needs `chromium` (Debian's package), or the path of another build in `MEGURI_CHROMIUM`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod provider;
mod sample;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jiff::civil::{Date, date};
use meguri_gateway::changes::Changes;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{PickupId, Reason};
use provider::RealProvider;
use sample::{Request, Sample, day_start};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

const TODAY: Date = date(2026, 4, 1);
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// No condition takes longer; passing it fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser, spoken to over its debugging pipe.
struct Browser {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    _profile: TempDir,
}

impl Browser {
    fn start() -> Self {
        let program = std::env::var("MEGURI_CHROMIUM").unwrap_or_else(|_| "chromium".into());
        let profile = tempfile::tempdir().unwrap();
        // The tablet's face, so that pages are as wide on a machine without Japanese fonts.
        let faces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/fonts");
        let fonts = profile.path().join("fonts.conf");
        let include = "<include ignore_missing=\"yes\">/etc/fonts/fonts.conf</include>";
        let text = format!("<fontconfig><dir>{}</dir>{include}</fontconfig>", faces.display());
        std::fs::write(&fonts, text).unwrap();
        // Chromium reads file 3 and writes file 4; a shell puts our pipes there.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", &program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
            ])
            .args(["--remote-debugging-pipe", "--accept-lang=ja"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("FONTCONFIG_FILE", fonts)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, session: None, number: 0, _profile: profile };
        let target =
            browser.call("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session =
            browser.call("Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().to_owned();
        browser.session = Some(session);
        browser
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut line = message.to_string().into_bytes();
        line.push(0);
        self.to
            .as_mut()
            .unwrap()
            .write_all(&line)
            .expect("can't reach Chromium; install it or set MEGURI_CHROMIUM");
        loop {
            let mut answer = Vec::new();
            let read = self.from.read_until(0, &mut answer).unwrap();
            assert!(read > 0, "Chromium ended; install it (Debian: chromium) or set MEGURI_CHROMIUM");
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", &params)["result"]["value"].clone()
    }

    fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait(&format!("location.href.startsWith({url:?}) && document.readyState === 'complete'"));
    }

    /// Waits until an expression is true.
    fn wait(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.evaluate(expression) != json!(true) {
            if begun.elapsed() > PATIENCE {
                let page = self.evaluate("document.body.innerText");
                panic!("never true: {expression}\n{}", page.as_str().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn resize(&mut self, width: u64, height: u64) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({ "type": kind, "key": key, "code": key }));
        }
    }

    fn wait_for_text(&mut self, id: &str, text: &str) {
        self.wait(&format!(
            "document.getElementById({id:?}).innerText.replace(/\\s+/g, ' ').includes({text:?})"
        ));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing the pipe ends it; the kill is for one that hangs.
        self.to = None;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pages on a port of their own.
struct Served {
    at: SocketAddr,
    changes: Changes,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(sample: &mut Sample, dir: &TempDir, at: SocketAddr) -> Self {
        sample.changes = Changes::new();
        let changes = sample.changes.clone();
        let router = meguri_gateway::web::router_as(
            sample.office(sample::clock_at(dir.path(), noon(), 0.001)),
            sample::administrator(),
        );
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let stopping = changes.clone();
        let task = tokio::spawn(async move {
            let server = axum::serve(listener, router);
            server.with_graceful_shutdown(async move { stopping.stopping().await }).await.unwrap();
        });
        Self { at, changes, task }
    }

    async fn stop(self) -> SocketAddr {
        self.changes.stop();
        self.task.await.unwrap();
        self.at
    }
}

/// The pages, and a browser that shows the front page.
async fn open(sample: &mut Sample, dir: &TempDir, at: SocketAddr) -> (Served, Browser) {
    let served = Served::start(sample, dir, at).await;
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", served.at));
    (served, browser)
}

fn noon() -> jiff::Timestamp {
    day_start(TODAY) + SignedDuration::from_hours(4)
}

fn pickup(sample: &mut Sample, reception: &str) -> PickupId {
    let request = Request {
        date: TODAY,
        vehicle: "v01",
        ward: "中区",
        town: "大手町四丁目",
        reception,
        items: sample::ITEMS[0],
    };
    sample.pickup(&request, day_start(TODAY))
}

fn collect(sample: &mut Sample, pickup: PickupId) {
    sample.say(pickup, "t-01", noon(), SignedDuration::from_secs(1), Outcome::Collected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_goes_on_by_itself_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::open(dir.path());
    sample.terminal("t-01", "v01", true, Some(noon()));
    let pickups: Vec<PickupId> = (0..4).map(|n| pickup(&mut sample, &format!("000{n}"))).collect();
    // Bound beside the pages, so that nobody takes their port while they are away.
    let port = TcpSocket::new_v4().unwrap();
    port.set_reuseaddr(true).unwrap();
    port.bind(ANY_PORT).unwrap();
    let (served, mut browser) = open(&mut sample, &dir, port.local_addr().unwrap()).await;
    browser.wait_for_text("live", "自動更新中");
    browser.wait_for_text("figures", "収集済 0");
    // The page is never loaded again: this stays. A link in the table has the focus.
    browser.evaluate("window.same = true; document.querySelector('#progress a[href*=vehicle]').focus()");

    collect(&mut sample, pickups[0]);
    browser.wait_for_text("figures", "収集済 1");
    browser.wait_for_text("latest", "0000");
    assert_eq!(browser.evaluate("document.activeElement.getAttribute('href')"), "/?by=vehicle");

    // The office goes away and comes back; what happened meanwhile is there.
    let at = served.stop().await;
    browser.wait_for_text("live", "再接続中");
    collect(&mut sample, pickups[1]);
    let served = Served::start(&mut sample, &dir, at).await;
    browser.wait_for_text("live", "自動更新中");
    browser.wait_for_text("figures", "収集済 2");
    collect(&mut sample, pickups[2]);
    browser.wait_for_text("figures", "収集済 3");
    assert_eq!(browser.evaluate("window.same"), true);

    let elsewhere =
        "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length";
    assert_eq!(browser.evaluate(elsewhere), 0);
    drop(browser);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_aloud_ends_with_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::open(dir.path());
    sample.terminal("t-01", "v01", true, Some(noon()));
    let pickups: Vec<PickupId> = (0..2).map(|n| pickup(&mut sample, &format!("000{n}"))).collect();
    let (served, mut browser) = open(&mut sample, &dir, ANY_PORT).await;
    browser.wait_for_text("live", "自動更新中");
    // Longer than two updates take, shorter than anybody's patience.
    browser.evaluate("document.getElementById('status').dataset.pause = 3000");
    let said = |text| format!("document.getElementById('status').textContent.includes({text:?})");
    collect(&mut sample, pickups[0]);
    browser.wait(&said("収集済1件"));
    collect(&mut sample, pickups[1]);
    browser.wait_for_text("figures", "収集済 2");
    browser.wait(&said("収集済2件"));
    drop(browser);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exceptions_stand_at_the_right_or_above_the_progress() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::open(dir.path());
    sample.day(TODAY, 12);
    let (served, mut browser) = open(&mut sample, &dir, ANY_PORT).await;
    let lies = "(['figures', 'attention', 'progress', 'latest'].map(id => document.getElementById(id)\
        .getBoundingClientRect()).map(at => [at.left, at.right, at.top, at.bottom].map(Math.round)))";
    for width in [1440, 1181, 1180, 390] {
        browser.resize(width, 900);
        let lies: Vec<Vec<i64>> = serde_json::from_value(browser.evaluate(lies)).unwrap();
        let [figures, attention, progress, latest] = &lies[..] else { panic!("{lies:?}") };
        if width > 1180 {
            assert!(attention[0] > figures[1] && attention[2] == figures[2], "{width}: {lies:?}");
            assert_eq!((progress[2], latest[2]), (figures[3] + 20, progress[3] + 20), "{width}: {lies:?}");
        } else {
            assert!(figures[3] < attention[2] && attention[3] < progress[2], "{width}: {lies:?}");
            assert_eq!(attention[0], progress[0], "{width}: {lies:?}");
        }
    }
    drop(browser);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_is_chosen_by_keyboard_in_peace() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::open(dir.path());
    pickup(&mut sample, "0000");
    let (served, mut browser) = open(&mut sample, &dir, ANY_PORT).await;
    browser.evaluate("window.same = true; document.getElementById('choose').focus()");
    // Which field of the date has the focus is the browser's affair: each press makes another date of it.
    for _ in 0..2 {
        let before = browser.evaluate("document.getElementById('choose').value");
        browser.press("ArrowUp");
        browser.wait(&format!("document.getElementById('choose').value !== {before}"));
    }
    assert_eq!(browser.evaluate("window.same && document.activeElement.id"), "choose");
    let chosen = browser.evaluate("document.getElementById('choose').value");
    browser.evaluate("document.querySelector('.days button').click()");
    browser.wait(&format!("location.search === '?day=' + {chosen} && document.readyState === 'complete'"));
    assert_eq!(browser.evaluate("document.getElementById('choose').value"), chosen);
    drop(browser);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_every_window() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = Sample::open(dir.path());
    Arc::make_mut(&mut sample.city).division = "環境局業務部 大型ごみ収集担当課".to_owned();
    sample.day(TODAY, 12);
    let one = pickup(&mut sample, "4417");
    let note = Some(sample.note("工事で道路が通れません"));
    let refused = Outcome::NotCollected { reason: Reason::NoRecyclingTicket, note };
    for result in [sample::partly(), refused] {
        sample.say(one, "t-01", noon(), SignedDuration::from_mins(40), result);
    }
    sample.held_import(noon(), "moushikomi-hiroshima-bulky-waste-2026-04-02-final.csv", TODAY);
    for kind in
        ["fork", "hole", "two_devices", "list_too_large", "restored", "contract_moved", "watch_trouble"]
    {
        sample.notice(noon(), kind, Some("t-01"), &json!({ "first": 1, "last": 20_000 }));
    }
    // A round that no terminal gets.
    sample.store.conn.execute("UPDATE terminal SET blocked_at = 0 WHERE id = 't-12'", []).unwrap();
    let problem = "fact body has version 2, this program speaks 1";
    sample.aside(
        noon(),
        Some("t-01"),
        "meguri/1/hiroshima/t-01/up/fact",
        problem,
        "x".repeat(9000).as_bytes(),
    );
    let long = "x".repeat(100);
    sample.catalogue(&format!("{long},{long},1000000,1,1,1,{long} {long}y,{long}\n"), noon());
    let served = Served::start(&mut sample, &dir, ANY_PORT).await;
    let mut browser = Browser::start();
    let paths = [
        "/items",
        "/items?q=xx",
        "/items?q=nothing",
        "/",
        "/?by=contractor",
        "/?by=vehicle",
        "/?day=2026-04-05",
        "/attention",
        "/search?q=4417",
        &format!("/pickup/{one}"),
        "/aside",
        "/aside/1",
        "/nothing",
    ];
    for path in paths {
        for lang in ["ja", "en"] {
            let joint = if path.contains('?') { '&' } else { '?' };
            browser.open(&format!("http://{}{path}{joint}lang={lang}", served.at));
            for width in [320, 360, 390, 412, 431, 640, 641, 768, 1024, 1181, 1281, 1440] {
                browser.resize(width, 900);
                let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
                assert!(wide <= width, "{path} in {lang} is {wide} wide in a window of {width}");
            }
        }
    }
    drop(browser);
    served.stop().await;
}

/// A gateway as its operators run it; killed when the test ends, however it ends.
struct Gateway {
    child: Child,
    page: String,
}

impl Gateway {
    fn command(dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command
            .arg("--data")
            .arg(dir)
            .env("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0")
            .env("MEGURI_GATEWAY__MQTT__LISTEN", "127.0.0.1:0")
            .env("MEGURI_GATEWAY__PEOPLE__SECOND_FACTOR", "optional")
            .stdin(Stdio::null());
        command
    }

    fn start(dir: &Path) -> Self {
        Self::start_with(dir, None)
    }

    fn start_with(dir: &Path, settings: Option<&Path>) -> Self {
        let mut command = Self::command(dir);
        if let Some(settings) = settings {
            command.arg("--config").arg(settings);
        }
        let mut child = command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self { child, page: ready["web"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Forms as a real browser sends them, under the pages' own policy; and a page whose person is kept out leaves by itself.
#[test]
fn somebody_signs_in_adds_a_person_and_is_led_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("city.toml"), include_str!("city.toml")).unwrap();
    let gateway = Gateway::start(dir.path());
    let mut browser = Browser::start();
    let url = |path: &str| format!("{}{path}", gateway.page);
    let fill = |browser: &mut Browser, form: &str, fields: &[(&str, &str)]| {
        for (name, value) in fields {
            browser.evaluate(&format!(
                "document.querySelector({:?}).value = {value:?}",
                format!("{form} [name={name}]")
            ));
        }
        browser.evaluate(&format!("document.querySelector({:?}).click()", format!("{form} .button")));
    };
    browser.open(&url("/setup"));
    let code = std::fs::read_to_string(dir.path().join("setup-code")).unwrap();
    let new = "kumo to yama to kawa";
    let fields =
        [("code", code.trim()), ("login", "kanri"), ("name", "管理 太郎"), ("new", new), ("again", new)];
    fill(&mut browser, "form[action='/setup']", &fields);
    browser.wait("location.pathname === '/' && document.readyState === 'complete'");
    browser.wait_for_text("live", "自動更新中");
    browser.open(&url("/people"));
    fill(&mut browser, ".person-add", &[("login", "hoka"), ("name", "ほか"), ("role", "administrator")]);
    browser.wait("location.pathname === '/people/add' && document.querySelector('.drawn code') !== null");
    let drawn = browser.evaluate("document.querySelector('.drawn code').textContent");
    // The other one, in the same browser: signed out, in again, to the page that was asked for.
    browser.open(&url("/account"));
    browser.evaluate("document.querySelector(\"form[action='/signout'] button\").click()");
    browser.wait("location.pathname === '/signin' && document.readyState === 'complete'");
    browser.evaluate("location.href = '/items?q=x'");
    browser.wait("location.search.startsWith('?to=') && document.readyState === 'complete'");
    fill(&mut browser, "form[action='/signin']", &[("login", "kanri"), ("password", new)]);
    browser.wait("location.pathname === '/items' && location.search === '?q=x'");
    // What is drawn is the other's, and is changed at once.
    browser.open(&url("/account"));
    browser.evaluate("document.querySelector(\"form[action='/signout'] button\").click()");
    browser.wait("location.pathname === '/signin' && document.readyState === 'complete'");
    let drawn = drawn.as_str().unwrap();
    fill(&mut browser, "form[action='/signin']", &[("login", "hoka"), ("password", drawn)]);
    browser.wait("location.pathname === '/account/password' && document.readyState === 'complete'");
    let other = "umi to sora to hoshi";
    fill(
        &mut browser,
        "form[action='/account/password']",
        &[("now", drawn), ("new", other), ("again", other)],
    );
    browser.wait("location.pathname === '/account' && document.readyState === 'complete'");
    browser.open(&url("/"));
    browser.wait_for_text("live", "自動更新中");
    let blocked = Gateway::command(dir.path()).args(["person", "block", "hoka"]).output().unwrap();
    assert!(blocked.status.success(), "{}", String::from_utf8_lossy(&blocked.stderr));
    browser.wait("location.pathname === '/signin'");
    for path in ["/signin", "/nothing"] {
        browser.open(&url(path));
        for width in [320, 390, 768, 1280] {
            browser.resize(width, 900);
            let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= width, "{path} is {wide} wide in a window of {width}");
        }
    }
}

/// To the city's identity provider and back, under the pages' own policy, as a real browser follows it.
#[test]
fn somebody_signs_in_with_the_citys_account() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("city.toml"), include_str!("city.toml")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let provider = RealProvider::start("http://127.0.0.1:1/");
    let issuer = &provider.issuer;
    std::fs::write(dir.path().join("secret"), provider::SECRET).unwrap();
    let settings = dir.path().join("gateway.toml");
    let text = format!(
        "[people.openid]\nissuer = \"{issuer}\"\nclient_id = \"meguri-rs256\"\nclient_secret_file = \"secret\"\n\
        mapping = [{{ value = \"kanri\", role = \"administrator\" }}]\n"
    );
    std::fs::write(&settings, text).unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "kumo to yama to kawa\n").unwrap();
    let added = Gateway::command(dir.path())
        .args(["person", "add", "first", "--role", "administrator", "--password-file"])
        .arg(&password)
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let gateway = Gateway::start_with(dir.path(), Some(&settings));
    runtime.block_on(provider.tell(json!({ "back": format!("{}/signin/openid/back", gateway.page) })));
    runtime.block_on(provider.sits_there("1001", &["kanri"], &[]));
    let mut browser = Browser::start();
    browser.open(&format!("{}/signin?to=%2Fitems%3Fq%3Dx", gateway.page));
    browser.evaluate("document.querySelector('a.button').click()");
    browser.wait("location.pathname === '/items' && location.search === '?q=x'");
    browser.open(&format!("{}/people", gateway.page));
    browser.wait("document.body.innerText.includes('連携 花子')");
    // Somebody without a group is told so, and may go on by password.
    browser.evaluate("location.href = '/account'");
    browser.wait("document.querySelector(\"form[action='/signout'] button\") !== null");
    browser.evaluate("document.querySelector(\"form[action='/signout'] button\").click()");
    browser.wait("location.pathname === '/signin' && document.readyState === 'complete'");
    runtime.block_on(provider.sits_there("1002", &[], &[]));
    browser.evaluate("document.querySelector('a.button').click()");
    browser.wait("document.body.innerText.includes('このアカウントでは使えません')");
    for width in [320, 390, 768, 1280] {
        browser.resize(width, 900);
        let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= width, "the sign-in is {wide} wide in a window of {width}");
    }
}
