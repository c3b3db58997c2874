//! The command line of `fleet`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::City;
use meguri_gateway::config::Settings;
use meguri_proto::clock::business_date;
use serde::Serialize;

use super::stage::{self, MARK, Stage};
use super::{Credentials, Fleet, Scenario, Stats, office};
use crate::harness::books::Books;

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(5);
/// The exit status where the books do not balance.
const DIFFER: u8 = 2;

/// 模擬端末の一団で、ゲートウェイを負荷試験し、市の訓練をします。Any number of simulated terminals against a gateway:
/// a load generator, and a tool for rehearsals. See docs/fleet.md.
#[derive(Debug, Parser)]
#[command(name = "fleet", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 訓練用の役所を作る。Makes an office for a rehearsal: plan, settings, terminals and a day.
    Stage(StageArgs),
    /// 既存の役所に模擬端末を登録する。Makes terminals with marked names in an office that is there.
    Enrol(EnrolArgs),
    /// 架空の一日の申込ファイルを作る。Draws a day's request file, and writes the profile that reads it.
    Day(DayArgs),
    /// 走らせて、最後に帳簿を照合する。Runs a scenario and checks the books at the end. Exit status: 0 all is well, 1 could not run, 2 the books differ or
    /// not everything arrived.
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct StageArgs {
    /// Folder to make.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many terminals.
    #[arg(long, default_value_t = 20)]
    terminals: usize,
    /// How many pickups of the day, all together.
    #[arg(long, default_value_t = 400)]
    pickups: usize,
    /// The city's own plan, whose id is marked; without it a city is made up with a vehicle for each terminal.
    #[arg(long, value_name = "FILE")]
    city: Option<PathBuf>,
    /// Which day; today in Japan where not said.
    #[arg(long)]
    day: Option<Date>,
    /// Where the rehearsal's broker listens.
    #[arg(long, default_value = "127.0.0.1:18750")]
    mqtt: SocketAddr,
    /// Where the rehearsal's page is.
    #[arg(long, default_value = "127.0.0.1:8750")]
    web: SocketAddr,
    /// From which the day is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct EnrolArgs {
    /// The gateway's settings.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How many.
    #[arg(long)]
    count: usize,
    /// Folder below which each gets a folder of its own.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the office has other terminals, too. Never where people work with them.
    #[arg(long)]
    beside_others: bool,
}

#[derive(Debug, Args)]
struct DayArgs {
    /// The city's plan.
    #[arg(long, value_name = "FILE")]
    city: PathBuf,
    /// How many pickups.
    #[arg(long, default_value_t = 1_600)]
    pickups: usize,
    /// Which day; today in Japan where not said.
    #[arg(long)]
    day: Option<Date>,
    /// The file; the profile is written beside it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// From which it is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The scenario (TOML).
    scenario: PathBuf,
    /// Folder with a folder for each terminal, as `stage` and `enrol` write them.
    #[arg(long, value_name = "DIR")]
    terminals: PathBuf,
    /// The broker, instead of the one in the terminals' settings.
    #[arg(long, value_name = "HOST:PORT")]
    broker: Option<String>,
    /// The office's data folder, where it can be read: then every single fact is looked for.
    #[arg(long, value_name = "DIR")]
    office_data: Option<PathBuf>,
    /// Where the terminals' stores are, instead of what the scenario says.
    #[arg(long, value_name = "DIR")]
    stores: Option<PathBuf>,
    /// Stops after that many minutes, whatever the scenario says.
    #[arg(long)]
    minutes: Option<f64>,
    /// Stops after that many facts, whatever the scenario says.
    #[arg(long)]
    facts: Option<u64>,
    /// Prints the summary as one line of JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Takes terminals whose names are not marked as simulated. A real terminal's name must not be used twice.
    #[arg(long)]
    any_name: bool,
}

/// What came of a run.
#[derive(Debug, Serialize)]
struct Summary {
    scenario: String,
    seed: u64,
    /// Everything written has arrived, and nothing in the books differs.
    good: bool,
    /// `office`: every fact was looked for in the office's store; `acks`: its acknowledgements alone were counted.
    checked: &'static str,
    /// Facts and epochs that the office holds in all, where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    office: Option<Held>,
    /// What differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<String>,
    /// What the stores lie on; on `tmpfs` a flush costs nothing and no power cut is survived.
    stores_on: &'static str,
    #[serde(flatten)]
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct Held {
    facts: usize,
    epochs: usize,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Stage(args) => set_stage(args),
        Command::Enrol(args) => enrol(&args),
        Command::Day(args) => draw_day(&args),
        Command::Run(args) => run(&args),
    };
    done.unwrap_or_else(|error| {
        say(&format!("fleet: {}", meguri_config::told(error.as_ref())));
        ExitCode::FAILURE
    })
}

/// Progress and faults go to standard error: standard output is the summary's.
fn say(line: &str) {
    // Nobody reading is no reason to stop.
    let _unheard = writeln!(io::stderr(), "{line}");
}

fn today(day: Option<Date>) -> Date {
    day.unwrap_or_else(|| business_date(Timestamp::now()))
}

fn set_stage(args: StageArgs) -> anyhow::Result<ExitCode> {
    let date = today(args.day);
    let StageArgs { out, terminals, pickups, city, mqtt, web, seed, .. } = args;
    ensure!(terminals > 0, "--terminals is 0, expected at least 1");
    Stage { out: out.clone(), terminals, pickups, city, date, mqtt, web, seed }.set()?;
    let out = out.display();
    say(&format!(
        "{date} の訓練用の役所を作りました。/ The office for a rehearsal on {date} is ready.\n\
         ゲートウェイ / its gateway:  meguri-gateway --config {out}/gateway.toml serve\n\
         画面 / its page:             http://{web}/\n\
         端末 / the terminals:        fleet run SCENARIO --terminals {out}/terminals --office-data {out}/office"
    ));
    Ok(ExitCode::SUCCESS)
}

fn enrol(args: &EnrolArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(Some(&args.config), std::env::vars_os(), None)?;
    stage::enrol(&settings, args.count, &args.out, args.beside_others)?;
    say(&format!("{} 台を登録しました。/ {} terminals in {}", args.count, args.count, args.out.display()));
    Ok(ExitCode::SUCCESS)
}

fn draw_day(args: &DayArgs) -> anyhow::Result<ExitCode> {
    let city = City::read(&args.city)?;
    let requests = stage::day(&city, today(args.day), args.pickups, args.seed);
    stage::write_day(&args.out, &requests)?;
    let (file, profile) = (args.out.display(), args.out.with_extension("profile.toml"));
    say(&format!("{} 件 / requests: {file}, {}", requests.len(), profile.display()));
    Ok(ExitCode::SUCCESS)
}

fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let mut scenario = Scenario::read(&args.scenario)?;
    if let Some(stores) = &args.stores {
        scenario.stores.clone_from(stores);
    }
    scenario.stop.minutes = args.minutes.or(scenario.stop.minutes);
    scenario.stop.facts = args.facts.or(scenario.stop.facts);
    let credentials = Credentials::read(&args.terminals)?;
    let real = credentials.terminals().iter().map(|t| t.terminal.as_str()).find(|n| !n.starts_with(MARK));
    if let Some(name) = real.filter(|_| !args.any_name) {
        bail!(
            "{name} is not marked as a simulated terminal (their names begin with {MARK}): two devices under one name \
             spoil a real one's log. Make some with `fleet enrol`, or say --any-name where nobody else bears the name"
        );
    }
    let broker = args.broker.as_deref().map(host_and_port).transpose()?;
    // What the office holds from before was confirmed to somebody else.
    let earlier = match &args.office_data {
        Some(data) => Books::held(&office(data)?)?,
        None => Books::default().earlier,
    };
    std::fs::create_dir_all(&scenario.stores)
        .with_context(|| format!("can't make {}", scenario.stores.display()))?;
    let stores_on = lies_on(&scenario.stores);
    if stores_on == "tmpfs" {
        say(
            "端末の記録はメモリ上にあり、ディスクへの書き込みを試していません。/ The stores lie in memory: flushing to a disk is not tried.",
        );
    }
    let (name, seed) = (scenario.name.clone(), scenario.seed);
    let mut fleet = Fleet::start(scenario, broker, credentials)?;
    let interrupts = interrupts()?;
    let mut shown = Instant::now();
    while fleet.works() && interrupts.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(50));
        if shown.elapsed() >= PROGRESS {
            shown = Instant::now();
            say(&progress(&fleet.stats()));
        }
    }
    say("送信を待っています… / Waiting until all has arrived…");
    let stats = fleet.stop();
    say(&progress(&stats));
    for (terminal, waiting) in fleet.unsent().iter().take(20) {
        say(&format!("{terminal}: {waiting} 件が未送信 / not arrived"));
    }
    let names = fleet.names();
    let (checked, office, differs) = match &args.office_data {
        None => ("acks", None, None),
        Some(data) => {
            let books = Books { earlier, only: names, ..fleet.books() };
            match books.check(&office(data)?) {
                Ok(sum) => ("office", Some(Held { facts: sum.facts, epochs: sum.epochs }), None),
                Err(error) => ("office", None, Some(format!("{error:#}"))),
            }
        }
    };
    let good = stats.waiting == 0 && differs.is_none();
    let summary = Summary { scenario: name, seed, good, checked, office, differs, stores_on, stats };
    tell(args, &summary)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(DIFFER) })
}

fn tell(args: &RunArgs, summary: &Summary) -> anyhow::Result<()> {
    let word = match (summary.good, summary.checked) {
        (true, "office") => {
            "帳簿は一致しました。すべての記録が役所に一度だけあります。/ The books balance: every fact is in the office exactly once."
        }
        (true, _) => {
            "すべての受領が届きました。役所の帳簿は見ていません（--office-data）。/ Every fact was acknowledged. The office's own books \
             were not looked at (--office-data)."
        }
        (false, _) => "帳簿が一致しません。/ The books do not balance.",
    };
    say(word);
    if let Some(differs) = &summary.differs {
        say(differs);
    }
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string(summary)?)?;
    }
    Ok(())
}

fn progress(stats: &Stats) -> String {
    let Stats { seconds, terminals, live, connected, facts, acked, waiting, facts_per_second, .. } = stats;
    let mut line = format!(
        "{seconds:>6.0} s  端末 terminals {live}/{terminals}  接続 connected {connected}  記録 facts {facts} ({facts_per_second:.1}/s)  \
         受領 acked {acked}  送信待ち waiting {waiting}  書込 to disk {}  受領まで to ack {}",
        stats.to_durable, stats.to_ack
    );
    if stats.kills + stats.outages > 0 {
        line += &format!("  停止 kills {}  圏外 outages {}", stats.kills, stats.outages);
    }
    if let Some(trouble) = &stats.last_trouble {
        line += &format!("  障害 troubles {}: {trouble}", stats.troubles);
    }
    line
}

fn host_and_port(text: &str) -> anyhow::Result<(String, u16)> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parts.filter(|(host, _)| !host.is_empty()).with_context(|| format!("--broker {text}: expected HOST:PORT"))
}

fn lies_on(folder: &Path) -> &'static str {
    /// `TMPFS_MAGIC` of Linux. The number's type is another one on other machines.
    const TMPFS: i128 = 0x0102_1994;
    match rustix::fs::statfs(folder) {
        Ok(found) if i128::from(found.f_type) == TMPFS => "tmpfs",
        _ => "disk",
    }
}

/// How often somebody pressed Ctrl-C. The first ends the work in good order, the second at once.
fn interrupts() -> anyhow::Result<Arc<AtomicU32>> {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                    std::process::exit(130);
                }
            }
        });
    });
    Ok(count)
}
