//! The demo day: the real gateway and importer as processes, real terminals worked by simulated crews, on one shared clock.

#![allow(clippy::print_stdout, reason = "the demo talks to the person who started it")]

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use jiff::Timestamp;
use jiff::civil::{Date, time};
use meguri_config::{Clock, Terminal, shell_word};
use meguri_gateway::people::password;
use meguri_gateway::store::write_durably;
use meguri_proto::clock::{business_date, japan};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::crew::{Crew, Worked};
use crate::day::{self, Request};
use crate::harness::port::Port;
use crate::harness::process::{Process, program};
use crate::harness::proxy::Proxy;
use crate::harness::scene::{CHANGES_PROFILE, DAY_PROFILE, ITEMS, write_clock};

/// The round that is left to whoever watches.
const YOURS: &str = "v01";
/// Requests of a round, about.
const EACH: usize = 20;
/// How many requests the office changes in the middle of the day.
const CHANGES: usize = 9;
/// The file that keeps what time it is in the demo.
const NOW: &str = "now";
/// The file that keeps who can sign in.
const LOGINS: &str = "logins.json";
/// How long the gateway may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// 大型ごみ収集の一日を60倍速で見せます。A city's day of bulky-waste collection at 60 times speed.
#[derive(Debug, Parser)]
#[command(name = "demo")]
pub struct Options {
    /// Folder for everything the demo writes.
    #[arg(long, default_value = "demo-data")]
    data: PathBuf,
    /// Port of the city's page; a free one is taken where it is in use.
    #[arg(long, default_value_t = 8650)]
    port: u16,
    /// How fast the clock runs while the crews work.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Opens no tablet window.
    #[arg(long)]
    headless: bool,
    /// Ends once the crews are done and the office holds all they did.
    #[arg(long)]
    until_done: bool,
    /// Ends after that many real minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Which day is played, instead of today. Where the last demo ended on a later one, that is played.
    #[arg(long)]
    day: Option<Date>,
}

/// Plays the day until it is interrupted.
///
/// # Errors
/// When something the demo needs is missing or fails; what ran is ended.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::new()?;
    fs::create_dir_all(&options.data).with_context(|| format!("can't make {}", options.data.display()))?;
    let stage = Stage::new(&options)?;
    let mut gateway = stage.open(&options)?;
    stage.enrol(&gateway).await?;
    let clock = Clock::rehearsal(&stage.path("clock.toml"))?;
    println!("\n市の画面 / The city's page:   {}\n", gateway.page);
    println!(
        "  この機械からだけ開けます。証明書は体験用の認証局のものなので、ブラウザーが注意を出したら先へ進んでください。\n  \
         Reachable from this machine only. The certificate is of the demo's own authority: go on where the browser warns.\n  \
         {}\n",
        stage.path("office/ca/authority.pem").display()
    );
    println!("  サインイン： / Sign in as:");
    for (login, whose) in stage.logins()? {
        println!("    {:<12} {}   {whose}", login.name, login.password);
    }
    println!();
    let mut tablet = stage.tablet(&options, &gateway)?;
    println!("  終わるには Ctrl-C。/ Ctrl-C ends it.\n");

    let mut crews = stage.crews(&clock, &gateway)?;
    let ended = tokio::select! {
        ended = stage.play(&options, &clock, &mut crews, &mut gateway, &mut tablet) => ended,
        () = interrupts.next() => Ok(()),
        () = minutes(options.minutes) => Ok(()),
    };
    println!("\n終了します… / Ending…");
    crews.working.shutdown().await;
    if let Some(tablet) = &mut tablet {
        // It may have been closed already.
        drop(tablet.stop(PATIENCE));
    }
    let handles = std::mem::take(&mut crews.handles);
    tokio::task::spawn_blocking(move || handles.into_iter().for_each(meguri_app::body::Handle::stop)).await?;
    let stopped = gateway.process.stop(PATIENCE);
    stage.remember(&clock)?;
    ended?;
    let status = stopped?;
    if !status.success() {
        bail!("the gateway stopped with {status}; its log is {}", stage.path("gateway.log").display());
    }
    println!(
        "記録は {} にあります。 / What was written is in {}.",
        stage.data.display(),
        stage.data.display()
    );
    Ok(())
}

async fn minutes(minutes: Option<f64>) {
    match minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok()) {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

struct Interrupts([tokio::signal::unix::Signal; 3]);

impl Interrupts {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("can't listen for Ctrl-C");
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The data folder and the day played in it.
struct Stage {
    data: PathBuf,
    date: Date,
    /// When the clock starts.
    begins: Timestamp,
    requests: Vec<Request>,
    // Held while the demo runs: two demos in one folder would disturb each other.
    _lock: File,
}

/// Who can sign in, with a password of this demo alone.
#[derive(serde::Serialize, serde::Deserialize)]
struct Login {
    name: String,
    password: String,
    contractor: Option<String>,
}

/// Writes a file that its owner alone may read.
fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    write_durably(path, text.as_bytes(), 0o600).with_context(|| format!("can't write {}", path.display()))
}

struct Gateway {
    process: Process,
    page: String,
    mqtt: SocketAddr,
    /// Where terminals enrol.
    door: String,
    /// Nobody else takes them while the demo is there.
    _ports: [Port; 3],
}

struct Crews {
    working: JoinSet<anyhow::Result<Worked>>,
    handles: Vec<meguri_app::body::Handle>,
    // A line ends with its last owner, and terminals stay connected when their crews are done.
    lines: Vec<Arc<Proxy>>,
}

impl Stage {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let data = fs::canonicalize(&options.data)?;
        let lock = File::create(data.join("demo.lock"))?;
        if lock.try_lock().is_err() {
            bail!("another demo runs in {}; end it, or choose another folder with --data", data.display());
        }
        let asked = options.day.unwrap_or_else(|| business_date(Timestamp::now()));
        let last = fs::read_to_string(data.join(NOW)).ok().and_then(|text| text.trim().parse().ok());
        let (date, begins) = begin(asked, last)?;
        // A day is drawn from its date, so that starting again finds the same one.
        let requests = day::requests(date, EACH, 1);
        Ok(Self { data, date, begins, requests, _lock: lock })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    fn vehicles(&self) -> anyhow::Result<Vec<String>> {
        Ok(day::city(self.date)?.vehicle.iter().map(|vehicle| vehicle.id.to_string()).collect())
    }

    /// Writes settings and the clock, makes terminals, imports the day and starts the gateway.
    fn open(&self, options: &Options) -> anyhow::Result<Gateway> {
        fs::create_dir_all(self.path("office"))?;
        fs::write(self.path("office/city.toml"), toml::to_string(&day::city(self.date)?)?)?;
        // Who asks for any port at all means all of them.
        let usual = |port| if options.port == 0 { 0 } else { port };
        let ports = [free(options.port)?, free(usual(18_650))?, free(usual(8_651))?];
        let [page, mqtt, door] = [ports[0].address(), ports[1].address(), ports[2].address()];
        if page.port() != options.port && options.port != 0 {
            println!(
                "{} 番は使用中なので {} 番を使います。/ Port {} is in use, taking {}.",
                options.port,
                page.port(),
                options.port,
                page.port()
            );
        }
        let settings = serde_json::json!({
            "data": self.path("office").display().to_string(),
            "rehearsal": self.path("clock.toml").display().to_string(),
            "web": { "listen": page },
            "mqtt": { "listen": mqtt },
            // The first name is the terminals'; the crews' lines lead through this demo, by its address.
            "tls": { "names": ["localhost", "127.0.0.1"], "listen": door },
            // Whoever watches has no telephone set up for it.
            "people": { "second_factor": "optional" },
        });
        fs::write(self.path("gateway.toml"), toml::to_string(&settings)?)?;
        write_clock(&self.path("clock.toml"), self.begins, options.speed)?;

        let known = self.gateway(&["terminal", "list", "--json"])?;
        for vehicle in self.vehicles()? {
            let terminal = name_of(&vehicle);
            if !known.contains(&format!("\"{terminal}\"")) {
                self.gateway(&["terminal", "add", &terminal, "--vehicle", &vehicle])?;
            }
        }
        // What the office changed in the middle of the day stays changed when the demo is started again.
        if !self.changes_taken().is_file() {
            println!(
                "{} の申込 {} 件を取り込みます… / Importing {} requests of {}…",
                self.date,
                self.requests.len(),
                self.requests.len(),
                self.date
            );
            self.import("day", DAY_PROFILE, &self.requests)?;
        }
        self.catalogue()?;
        self.people()?;
        println!("ゲートウェイを起動します… / Starting the gateway…");
        let mut command = ending_with_us(&program("meguri-gateway")?);
        // In a group of its own, so that Ctrl-C reaches the demo alone, which then ends everything in order.
        command.arg("--config").arg(self.path("gateway.toml")).arg("serve").process_group(0);
        let mut process = Process::start("meguri-gateway", &mut command, &self.path("gateway.log"))?;
        let line = process.line(PATIENCE)?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("the gateway said {line:?}"))?;
        let address = |name: &str| {
            ready[name].as_str().map(str::to_owned).with_context(|| format!("the gateway said {line:?}"))
        };
        let (page, door) = (address("web")?, address("enrol")?);
        Ok(Gateway { process, page, mqtt, door, _ports: ports })
    }

    /// Has every terminal that has no certificate enrol by a code, as tablets do.
    async fn enrol(&self, gateway: &Gateway) -> anyhow::Result<()> {
        for vehicle in self.vehicles()? {
            let settings = self.terminal(&vehicle).join("terminal.toml");
            let before = settings.is_file().then(|| Terminal::read(&settings));
            if matches!(&before, Some(Ok(terminal)) if terminal.broker.identity.is_some()) {
                continue;
            }
            fs::create_dir_all(self.terminal(&vehicle))?;
            let shown = self.gateway(&["terminal", "enrol", &name_of(&vehicle), "--json"])?;
            let shown: serde_json::Value = serde_json::from_str(&shown)?;
            let code = shown["code"].as_str().context("the gateway showed no code")?.parse()?;
            meguri_app::enrol::enrol(&settings, &gateway.door, &code, before.is_some()).await?;
        }
        Ok(())
    }

    /// A terminal's settings, with the ports that this demo has found free.
    fn settings(&self, vehicle: &str, gateway: &Gateway) -> anyhow::Result<Terminal> {
        let mut settings = Terminal::read(&self.terminal(vehicle).join("terminal.toml"))?;
        settings.broker.port = gateway.mqtt.port();
        settings.broker.office = Some(gateway.door.clone());
        Ok(settings)
    }

    fn remember(&self, clock: &Clock) -> anyhow::Result<()> {
        let path = self.path(NOW);
        fs::write(&path, clock.now().to_string()).with_context(|| format!("can't write {}", path.display()))
    }

    fn terminal(&self, vehicle: &str) -> PathBuf {
        self.path("terminals").join(vehicle)
    }

    /// Is there once the changes in the middle of the day are taken.
    fn changes_taken(&self) -> PathBuf {
        self.path(&format!("changes-{}.taken", self.date))
    }

    fn gateway(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(program("meguri-gateway")?)
            .arg("--config")
            .arg(self.path("gateway.toml"))
            .args(arguments)
            .process_group(0)
            .output()
            .context("can't run meguri-gateway")?;
        if !output.status.success() {
            bail!(
                "meguri-gateway {} ended with {}: {}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn import(&self, name: &str, profile: &str, requests: &[Request]) -> anyhow::Result<()> {
        let profile_path = self.path(&format!("{name}.profile.toml"));
        let file = self.path(&format!("{name}-{}.csv", self.date));
        fs::write(&profile_path, profile)?;
        fs::write(&file, day::csv(requests))?;
        self.gateway(&[
            "import",
            "--profile",
            &profile_path.display().to_string(),
            "--data",
            &self.path("office").display().to_string(),
            &file.display().to_string(),
        ])?;
        Ok(())
    }

    /// Takes the catalogue; the same again changes nothing.
    fn catalogue(&self) -> anyhow::Result<()> {
        let (file, profile) = (self.path("items.csv"), self.path("items.profile.toml"));
        fs::write(&file, ITEMS[0])?;
        fs::write(&profile, ITEMS[1])?;
        self.gateway(&[
            "catalogue",
            "import",
            "--profile",
            &profile.display().to_string(),
            "--data",
            &self.path("office").display().to_string(),
            &file.display().to_string(),
        ])?;
        Ok(())
    }

    /// Makes an account for a city's administrator and one for a dispatcher of each contractor, with passwords drawn for
    /// this folder. Starting again finds the same.
    fn people(&self) -> anyhow::Result<()> {
        let kept = self.path(LOGINS);
        let mut logins: Vec<Login> = match fs::read_to_string(&kept) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("can't use {}", kept.display()))?
            }
            Err(_) => Vec::new(),
        };
        let mut wanted = vec![("kanri".to_owned(), None)];
        for contractor in &day::city(self.date)?.contractor {
            wanted.push((format!("haisha-{}", contractor.id), Some(contractor.id.to_string())));
        }
        for (name, contractor) in wanted {
            if logins.iter().any(|login| login.name == name) {
                continue;
            }
            let password = password::drawn(rand::random());
            let file = self.path("password");
            private(&file, &password)?;
            let file_name = file.display().to_string();
            let role = if contractor.is_some() { "dispatcher" } else { "administrator" };
            let mut arguments = vec!["person", "add", &name, "--role", role, "--password-file", &file_name];
            let shown = if contractor.is_some() { "配車担当" } else { "市の管理者" };
            arguments.extend(["--name", shown]);
            arguments.extend(contractor.iter().flat_map(|contractor| ["--contractor", contractor]));
            let made = self.gateway(&arguments);
            fs::remove_file(&file)?;
            made?;
            logins.push(Login { name, password, contractor });
            private(&kept, &serde_json::to_string_pretty(&logins)?)?;
        }
        Ok(())
    }

    /// Who can sign in, and whose pages they see.
    fn logins(&self) -> anyhow::Result<Vec<(Login, String)>> {
        let logins: Vec<Login> = serde_json::from_str(&fs::read_to_string(self.path(LOGINS))?)?;
        let city = day::city(self.date)?;
        let whose = |login: &Login| match &login.contractor {
            None => "市の管理者 / city administrator".to_owned(),
            Some(id) => {
                let known = city.contractor.iter().find(|known| known.id.as_str() == id);
                let name = known.map_or(id.as_str(), |known| known.name.as_str());
                format!("{name}の配車担当 / dispatcher of {id}")
            }
        };
        Ok(logins
            .into_iter()
            .map(|login| {
                let whose = whose(&login);
                (login, whose)
            })
            .collect())
    }

    /// What opens the tablet, for a person to copy.
    fn tablet_command(&self) -> String {
        let arguments = self.tablet_arguments();
        let words: Vec<_> = arguments.iter().map(|word| shell_word(word)).collect();
        format!("cargo run -p meguri-app --bin tablet -- {}", words.join(" "))
    }

    fn tablet_arguments(&self) -> Vec<String> {
        let folder = self.terminal(YOURS);
        [
            "--settings",
            &folder.join("terminal.toml").display().to_string(),
            "--data",
            &folder.join("data").display().to_string(),
            "--rehearsal",
            &self.path("clock.toml").display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The tablet window of the round that is left, where there is a display.
    fn tablet(&self, options: &Options, gateway: &Gateway) -> anyhow::Result<Option<Process>> {
        let folder = self.terminal(YOURS);
        let settings = self.settings(YOURS, gateway)?;
        fs::write(folder.join("terminal.toml"), toml::to_string(&settings)?)?;
        let city = day::city(self.date)?;
        let round = city.vehicle.iter().find(|vehicle| vehicle.id.as_str() == YOURS);
        let name = round.map_or_else(String::new, |vehicle| format!("{} {}", vehicle.name, vehicle.round));
        let display = std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty());
        if options.headless || !display {
            println!("  {name} はあなたの担当です。画面のある環境では次のコマンドでタブレットが開きます:");
            println!("  {name} is yours. Where there is a display, this opens its tablet:");
            println!("    {}", self.tablet_command());
            return Ok(None);
        }
        let Ok(tablet) = program("tablet") else {
            println!(
                "  タブレットがまだビルドされていません。/ The tablet has not been built: cargo build -p meguri-app --bin tablet"
            );
            return Ok(None);
        };
        println!("  {name} はあなたの担当です。タブレットを開きます。/ {name} is yours; the tablet opens.");
        let mut command = ending_with_us(&tablet);
        command.args(self.tablet_arguments()).process_group(0);
        Ok(Some(Process::start("tablet", &mut command, &self.path("tablet.log"))?))
    }

    /// Starts every other round's terminal and crew.
    fn crews(&self, clock: &Clock, gateway: &Gateway) -> anyhow::Result<Crews> {
        let mut crews = Crews { working: JoinSet::new(), handles: Vec::new(), lines: Vec::new() };
        for (index, vehicle) in self.vehicles()?.iter().enumerate().filter(|(_, vehicle)| *vehicle != YOURS) {
            let folder = self.terminal(vehicle);
            let mut settings = self.settings(vehicle, gateway)?;
            let line = Arc::new(Proxy::start(gateway.mqtt)?);
            (settings.broker.host, settings.broker.port) =
                (line.address().ip().to_string(), line.address().port());
            let handle = meguri_app::body::start(settings, &folder.join("data"), clock.clone())?;
            crews.handles.push(handle.clone());
            crews.lines.push(Arc::clone(&line));
            let mut crew = Crew::new(handle, line, clock.clone(), index as u64);
            crews.working.spawn(async move { Ok(crew.work().await?) });
        }
        Ok(crews)
    }

    /// Shows progress, brings the office's changes in the middle of the day, and slows the clock once the crews are done.
    async fn play(
        &self,
        options: &Options,
        clock: &Clock,
        crews: &mut Crews,
        gateway: &mut Gateway,
        tablet: &mut Option<Process>,
    ) -> anyhow::Result<()> {
        let noon = self.date.to_datetime(time(9, 40, 0, 0)).to_zoned(japan())?.timestamp();
        let mut worked = Worked::default();
        let mut shown = Progress::default();
        loop {
            self.watch(gateway, tablet)?;
            if clock.now() >= noon && !self.changes_taken().is_file() {
                self.change()?;
            }
            self.remember(clock)?;
            shown.show(clock, crews);
            tokio::select! {
                done = crews.working.join_next() => match done {
                    Some(done) => {
                        let done = done??;
                        worked.facts += done.facts;
                        worked.out_of_reach += done.out_of_reach;
                    }
                    None => break,
                },
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
        self.settle(clock, crews, &mut shown).await?;
        println!(
            "\n11台の作業が終わり、{} 件の記録がすべて届きました（圏外 {} 回）。\n\
             Eleven crews are done; all {} facts have arrived ({} drives without coverage).",
            worked.facts, worked.out_of_reach, worked.facts, worked.out_of_reach
        );
        if options.until_done {
            return Ok(());
        }
        println!("ここからは実時間です。/ From here on at real speed.");
        write_clock(&self.path("clock.toml"), clock.now(), 1.0)?;
        loop {
            self.watch(gateway, tablet)?;
            self.remember(clock)?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Fails where the gateway has ended by itself, and tells of a tablet that was closed.
    fn watch(&self, gateway: &mut Gateway, tablet: &mut Option<Process>) -> anyhow::Result<()> {
        if let Some(status) = gateway.process.ended() {
            bail!("the gateway ended with {status}: {}", gateway.process.tail());
        }
        if tablet.as_mut().is_some_and(|tablet| tablet.ended().is_some()) {
            *tablet = None;
            println!(
                "\nタブレットが閉じられました。もう一度開くには: / The tablet was closed; this opens it again:"
            );
            println!("  {}", self.tablet_command());
        }
        Ok(())
    }

    /// What the reception heard meanwhile: a few requests that come late in their rounds change or are cancelled.
    fn change(&self) -> anyhow::Result<()> {
        let mut late: Vec<Request> = Vec::new();
        for vehicle in day::city(self.date)?.district {
            let round: Vec<&Request> =
                self.requests.iter().filter(|request| request.town.district == vehicle.name).collect();
            late.extend(round[round.len() / 2..].iter().copied().cloned());
        }
        let changes = day::changes(&late, CHANGES, 1);
        self.import("changes", CHANGES_PROFILE, &changes)?;
        fs::write(self.changes_taken(), "")?;
        println!(
            "\n受付からの変更・取消 {} 件を取り込みました。/ {} changes and cancellations came in.",
            changes.len(),
            changes.len()
        );
        Ok(())
    }

    /// Waits until nothing of the crews waits to be sent.
    async fn settle(&self, clock: &Clock, crews: &Crews, shown: &mut Progress) -> anyhow::Result<()> {
        let started = Instant::now();
        while crews.handles.iter().any(|handle| handle.view().borrow().waiting > 0) {
            if started.elapsed() > PATIENCE {
                bail!("not all that the crews recorded has reached the office after {PATIENCE:?}");
            }
            shown.show(clock, crews);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// A program that ends even where the demo is killed, so that a demo started after it finds the folder free. Only Linux
/// can do that, by util-linux; elsewhere the program has to be ended by hand.
fn ending_with_us(program: &Path) -> Command {
    let script = r#"setpriv --pdeathsig TERM true 2>/dev/null && exec setpriv --pdeathsig TERM "$0" "$@"; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program);
    command
}

/// Which day is played, and when its clock starts: at 08:30 in Japan, or where the last demo ended. Time never runs
/// backwards, so a demo that went on past midnight is followed by the day after.
fn begin(asked: Date, last: Option<Timestamp>) -> anyhow::Result<(Date, Timestamp)> {
    let morning = |date: Date| date.to_datetime(time(8, 30, 0, 0)).to_zoned(japan()).map(|at| at.timestamp());
    let date = last.map_or(asked, |last| asked.max(business_date(last)));
    let morning = morning(date)?;
    Ok((date, last.map_or(morning, |last| last.max(morning))))
}

/// The terminal of a vehicle.
fn name_of(vehicle: &str) -> String {
    format!("t-{vehicle}")
}

/// One line that is kept up to date; where the output is no terminal, a line every ten seconds.
#[derive(Default)]
struct Progress(Option<Instant>);

impl Progress {
    fn show(&mut self, clock: &Clock, crews: &Crews) {
        let live = std::io::stdout().is_terminal();
        let pause = if live { Duration::from_millis(400) } else { Duration::from_secs(10) };
        if self.0.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.0 = Some(Instant::now());
        let (mut over, mut total, mut waiting) = (0, 0, 0);
        for handle in &crews.handles {
            let view = handle.view().borrow().clone();
            waiting += view.waiting;
            if let Some(list) = &view.list {
                over += list.counts.total - list.counts.left;
                total += list.counts.total;
            }
        }
        let now = clock.now().to_zoned(japan()).strftime("%H:%M").to_string();
        let line = format!("{now}  {over}/{total} 件 done  送信待ち waiting {waiting}");
        if live {
            print!("\r{line}   ");
        } else {
            println!("{line}");
        }
        // A closed output is no reason to end.
        drop(std::io::stdout().flush());
    }
}

/// This port, or a free one where it is in use.
fn free(port: u16) -> anyhow::Result<Port> {
    Port::at(port).or_else(|_| Port::take()).context("no free port on this machine")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn plays_the_day_that_its_clock_shows() {
        let played = |asked, last: Option<&str>| {
            let (date, begins) = begin(asked, last.map(|last| last.parse().unwrap())).unwrap();
            assert_eq!(business_date(begins), date);
            (date, begins.to_string())
        };
        let (today, tomorrow) = (date(2026, 11, 25), date(2026, 11, 26));
        let first = (today, "2026-11-24T23:30:00Z".to_owned());
        assert_eq!(played(today, None), first);
        assert_eq!(played(today, Some("2026-11-24T03:00:00Z")), first);
        assert_eq!(played(today, Some("2026-11-25T06:00:00Z")), (today, "2026-11-25T06:00:00Z".to_owned()));
        // The last demo's clock ran past midnight.
        assert_eq!(
            played(today, Some("2026-11-25T15:40:00Z")),
            (tomorrow, "2026-11-25T23:30:00Z".to_owned())
        );
    }
}
