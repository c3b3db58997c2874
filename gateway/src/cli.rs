//! The command line.
//!
//! Where a gateway runs on the data folder, commands go through it; else they open the store themselves.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use meguri_config::{City, Terminal};
use meguri_proto::enrol::Code;
use meguri_proto::{CityId, Digest, TerminalId, VehicleId};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::audit::{self, Audit, Event, What, Who};
use crate::ca;
use crate::catalogue;
use crate::config::Settings;
use crate::control::{self, ControlError};
use crate::crew;
use crate::direction::printable;
use crate::door::Reached;
use crate::export;
use crate::exposure;
use crate::import;
use crate::ingest::{Context, Effects, Memory};
use crate::ops::{Reply, Request};
use crate::people;
use crate::store::{StoreError, write_durably};
use crate::terminals::{self, Bound, Line, SECRET};
use crate::{backup, doctor, logs, retention, serve, subject, switchover, watch};

/// How long a command waits for a gateway that is starting or stopping.
const BETWEEN: Duration = Duration::from_secs(10);
/// A terminal's settings, in the folder that is made for it.
const SETTINGS: &str = "terminal.toml";
/// The folder of a terminal's key and certificates beside them, and whom it believes in it.
const IDENTITY: &str = "identity";
const AUTHORITY: &str = "authority.pem";
/// `EX_USAGE` of BSD's sysexits: 1, 2 and 3 say what came of an import.
const USAGE: u8 = 64;
/// `EX_DATAERR`: the store can't be used as it is, and starting again does not help.
const DAMAGED: u8 = 65;

/// Meguri's office: broker, ingest, store, import and the city's page.
#[derive(Debug, Parser)]
#[command(name = "meguri-gateway", version)]
struct Cli {
    /// Settings file (TOML); without it the defaults and the environment count.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder; wins over the settings.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or Ctrl-C.
    Serve,
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Terminals and their credentials.
    #[command(subcommand)]
    Terminal(TerminalCommand),
    /// Crews who sign in on terminals.
    #[command(subcommand)]
    Crew(crew::cli::Command),
    /// What could not be taken and was set aside.
    #[command(subcommand)]
    Aside(AsideCommand),
    /// What a person should know.
    #[command(subcommand)]
    Notice(NoticeCommand),
    /// Says how the running gateway is. Exit status: 0 ready, 1 not running, 2 runs and is not ready.
    Health {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Says what is erased when, what is due, and what went before. Changes nothing: the calendar does.
    Retention {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// The clock of this machine.
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Takes a request file. Exit status: 0 all taken, 1 could not read, 2 rejected lines (nothing taken), 3 held for a person, 4 taken but for
    /// the rejected lines (with --accept-good).
    Import(import::cli::Args),
    /// Profiles, which say how request files are read.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Writes a day's results as CSV. Exit status: 0 written, 1 could not, 2 characters the encoding can't hold (nothing written).
    Export(export::cli::Args),
    /// The catalogue of items (品目).
    #[command(subcommand)]
    Catalogue(catalogue::cli::Command),
    /// Makes a backup, beside a running gateway or without one, or checks one.
    Backup(backup::cli::BackupArgs),
    /// Puts a backup back, while no gateway runs on the folder.
    Restore(backup::cli::RestoreArgs),
    /// People who sign in.
    #[command(subcommand)]
    Person(people::cli::PersonCommand),
    /// Tokens of other systems.
    #[command(subcommand)]
    Token(people::cli::TokenCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(audit::cli::Command),
    /// Switchovers (業者切替) and corrections: signed configurations, from release to close.
    #[command(subcommand)]
    Switchover(switchover::cli::Command),
    /// The key sets by which configurations are verified.
    #[command(subcommand)]
    Keys(switchover::cli::KeysCommand),
    /// Says what is wrong with this installation and what to do about it. Exit status: 0 nothing, 1 something.
    Doctor(doctor::cli::Args),
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Says that this machine's clock is right, after it has jumped.
    Right,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// Explains a profile in plain words, and shows how it reads a file's first lines. Writes nothing. Exit status: 0 all that
    /// was looked at can be read, 1 the profile or the file can't be read, 2 lines with problems.
    Check {
        /// The profile (TOML).
        profile: PathBuf,
        /// A request file to read by it.
        file: Option<PathBuf>,
        /// How many lines to show.
        #[arg(long, default_value_t = 5)]
        lines: usize,
        /// Prints what was found as JSON.
        #[arg(long)]
        json: bool,
        /// The language of the explanation.
        #[arg(long, value_enum, default_value_t)]
        lang: import::Language,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints the settings in force, each explained.
    Print,
}

#[derive(Debug, Subcommand)]
enum TerminalCommand {
    /// Makes a terminal; its secret is told this once.
    Add(Add),
    /// Draws a terminal another secret: the one before is not taken any more, and whoever came in with it is out at once.
    Secret(Renew),
    /// Draws a code by which a tablet becomes this terminal: the crew types or scans it once. Needs TLS (tls.names).
    Enrol(Enrol),
    /// Registers a certificate that the city's own authority (tls.terminals_authority) has issued for this terminal: it is taken
    /// from now on, and the one before until the terminal has come in by it.
    Certificate {
        /// The terminal; the certificate's common name.
        terminal: TerminalId,
        /// The certificate (PEM). A key in it is left alone.
        file: PathBuf,
        /// Writes terminal.toml and identity/authority.pem into this folder, which must hold neither; key and certificate
        /// belong beside it as identity/current.pem.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Binds a terminal to another vehicle; to one of another contract, with new settings.
    Bind {
        /// The terminal.
        terminal: TerminalId,
        /// Its vehicle from now on.
        #[arg(long)]
        vehicle: VehicleId,
        /// Writes the new terminal.toml into this folder, which must hold none. The secret stays.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Lists terminals.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keeps a terminal out, at once.
    Block {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Lets a blocked terminal in again, also one that was lost and is found.
    Unblock {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Notes that a terminal is lost or stolen: it is let in for nothing but its erasure, and kept out once it has said that it
    /// is erased.
    Lost {
        /// The terminal.
        terminal: TerminalId,
    },
    /// Lists whose data a terminal held on these days, for the report of a leak.
    Exposure(Exposure),
}

#[derive(Debug, Args)]
struct Exposure {
    /// The terminal.
    terminal: TerminalId,
    /// The first day on which it was out of hand.
    from: jiff::civil::Date,
    /// The last one.
    to: jiff::civil::Date,
    /// For how many days after its date the terminal keeps a list (retention.list_days of its settings).
    #[arg(long, default_value_t = meguri_config::terminal::Retention::default().list_days)]
    kept_days: u32,
    /// Writes them as CSV into this file, which must not be there yet.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    csv: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Enrol {
    /// The terminal.
    terminal: TerminalId,
    /// Minutes for which the code holds; else tls.code_minutes.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_440))]
    minutes: Option<u16>,
    /// As JSON, without a picture.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Renew {
    /// The terminal.
    terminal: TerminalId,
    /// Writes terminal.toml and secret into this folder, which must hold neither, instead of printing the secret.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Add {
    /// Its name for life: a-z, 0-9 and inner hyphens.
    terminal: TerminalId,
    /// The vehicle whose rounds it carries.
    #[arg(long)]
    vehicle: VehicleId,
    /// Writes terminal.toml and secret into this folder, which must hold neither, ready for the terminal, instead of
    /// printing the secret.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum AsideCommand {
    /// Lists what is not settled.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tries to take one again.
    Retry {
        /// Its number.
        id: i64,
    },
    /// Puts one away: a person has looked.
    Settle {
        /// Its number.
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
enum NoticeCommand {
    /// Lists what is not settled.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Settles one: a person has looked.
    Settle {
        /// Its number.
        id: i64,
    },
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Where even that can't be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli) {
        Ok(status) => status,
        Err(error) => {
            let _ = writeln!(io::stderr(), "meguri-gateway: {}", meguri_config::told(error.as_ref()));
            ExitCode::from(status(&error))
        }
    }
}

/// A store that a person must see to has a status of its own, so that whatever supervises the gateway lets it be.
fn status(error: &anyhow::Error) -> u8 {
    use StoreError::{Damaged, OtherCity, TooNew, WrongLog};
    match error.downcast_ref::<StoreError>() {
        Some(Damaged { .. } | OtherCity { .. } | TooNew { .. } | WrongLog { .. }) => DAMAGED,
        _ => 1,
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(cli.config.as_deref(), std::env::vars_os(), cli.data.as_deref())
        .map(|settings| Settings { file: cli.config.clone(), ..settings });
    let mut out = io::stdout().lock();
    if let Command::Doctor(args) = &cli.command {
        return Ok(doctor::cli::run(args, settings, cli.data.as_deref(), &mut out)?);
    }
    let settings = settings?;
    match cli.command {
        Command::Serve => {
            drop(out);
            logs::start(&settings.log);
            let runtime = tokio::runtime::Runtime::new().context("can't start threads")?;
            runtime.block_on(serve::run(settings))?;
            // Connections of the embedded broker may still linger; nothing of theirs is worth waiting for.
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        Command::Config(ConfigCommand::Print) => write!(out, "{}", settings.print())?,
        Command::Terminal(command) => terminal(&settings, command, &mut out)?,
        Command::Crew(command) => {
            crew::cli::run(command, |request| request_done(&settings, request), &mut out)?
        }
        Command::Aside(command) => aside(&settings, command, &mut out)?,
        Command::Notice(command) => notice(&settings, command, &mut out)?,
        Command::Backup(args) => {
            backup::cli::backup(args, &settings, |request| noting(&settings, request), &mut out)?;
        }
        Command::Restore(args) => {
            backup::cli::restore(&args, &settings, |request| noting(&settings, request), &mut out)?;
        }
        // Above: it works where the settings don't, too.
        Command::Doctor(_) => {}
        Command::Health { json } => return health(&settings, json, &mut out),
        Command::Retention { json } => retention(&settings, json, &mut out)?,
        Command::Clock(ClockCommand::Right) => {
            let shown = jiff::Timestamp::now();
            let reply = request_done(&settings, &Request::ClockRight { shown })?;
            let Reply::Done = reply else { return Err(unexpected(&reply)) };
            let here = shown.to_zoned(meguri_proto::clock::japan());
            writeln!(out, "the gateway goes by this machine's clock: {:.0}", here.datetime())?;
        }
        Command::Profile(ProfileCommand::Check { profile, file, lines, json, lang }) => {
            return check_profile(&settings, &profile, file.as_deref(), lines, json, lang, &mut out);
        }
        Command::Import(args) => {
            let city = City::read(&settings.city_file())?;
            let today = today(&settings)?;
            return Ok(import::cli::run(&args, &settings.data, &city, today, |command, progress| {
                match import_done(&settings, Request::Import { command }, progress)? {
                    Reply::Imported(report) => Ok(*report),
                    other => Err(unexpected(&other)),
                }
            }));
        }
        Command::Export(args) => {
            drop(out);
            return export::cli::run(&args, &settings.data, |day| exporting(&settings, day));
        }
        Command::Person(command) => {
            people::cli::person(command, |request| request_done(&settings, request), &mut out)?
        }
        Command::Token(command) => {
            people::cli::token(command, |request| request_done(&settings, request), &mut out)?
        }
        Command::Switchover(command) => {
            let good = switchover::cli::run(command, |request| release_or(&settings, request), &mut out)?;
            return Ok(ExitCode::from(u8::from(!good)));
        }
        Command::Keys(command) => {
            switchover::cli::keys(command, |request| request_done(&settings, request), &mut out)?
        }
        Command::Audit(command) => return audit::cli::run(&command, &settings.data, &mut out),
        Command::Catalogue(command) => {
            drop(out);
            return catalogue::cli::run(&command, &settings.data, |new| {
                match request_done(&settings, &Request::Catalogue { new })? {
                    Reply::Catalogue(report) => Ok(*report),
                    other => Err(unexpected(&other)),
                }
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn health(settings: &Settings, json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let reply = control::ask(&settings.data, &mut Request::Health, &mut |_| ())?;
    let Reply::Health(report) = reply else { return Err(unexpected(&reply)) };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "{}", if report.ready { "ready" } else { "not ready" })?;
        for trouble in watch::troubles(&report.checks) {
            writeln!(out, "- {trouble}")?;
        }
    }
    Ok(ExitCode::from(if report.ready { 0 } else { 2 }))
}

fn retention(settings: &Settings, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let outlook = match control::ask(&settings.data, &mut Request::Retention, &mut |_| ()) {
        Err(ControlError::NotRunning) => {
            let clock = serve::clock(settings)?;
            let city = City::read(&settings.city_file())?;
            let store = serve::open(settings, &city, &clock)?;
            let now = serve::judged(clock, &store)?.now();
            let outlook = retention::outlook(&store.conn, &settings.retention, now);
            store.close()?;
            outlook.context("the store can't be read")?
        }
        reply => match reply? {
            Reply::Retention(outlook) => outlook,
            other => return Err(unexpected(&other)),
        },
    };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&outlook)?)?;
        return Ok(());
    }
    match outlook.residents_before {
        Some(day) => writeln!(out, "residents' data of pickups before {day} is erased")?,
        None => writeln!(out, "residents' data is kept (retention.residents_months = 0)")?,
    }
    writeln!(out, "due: {}", counted(&outlook.due))?;
    for row in outlook.past {
        writeln!(out, "erased {:.0}: {}", row.at, counted(&row.counts))?;
    }
    Ok(())
}

fn counted(counts: &retention::Counts) -> String {
    let retention::Counts { pickups, notes, lists, asides, held_files, entries, samples } = *counts;
    let parts = [
        (pickups, "pickups"),
        (notes, "notes"),
        (lists, "lists"),
        (asides, "set aside"),
        (held_files, "held files"),
        (entries, "unreadable entries"),
        (samples, "health samples"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|part| part.0 > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// Explains a profile, and how it reads a file.
fn check_profile(
    settings: &Settings,
    profile: &Path,
    file: Option<&Path>,
    lines: usize,
    json: bool,
    language: import::Language,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(profile)
        .with_context(|| format!("can't read the profile {}", profile.display()))?;
    let plan = settings.city_file();
    // A profile is often written before there is an installation.
    let city = if plan.exists() { Some(City::read(&plan)?) } else { None };
    let content = file.map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        import::cli::bytes(path).map(|content| (name, content))
    });
    let content = content.transpose()?;
    let checked = import::check(&text, city.as_ref(), today(settings)?, content, lines, language)
        .with_context(|| profile.display().to_string())?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&checked)?)?;
    } else {
        write!(out, "{checked}")?;
    }
    let stopped = checked.file.as_ref().is_some_and(|file| file.stopped.is_some());
    Ok(match (stopped, checked.good()) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(2),
    })
}

/// The day by the office's clock.
fn today(settings: &Settings) -> anyhow::Result<jiff::civil::Date> {
    Ok(meguri_proto::clock::business_date(serve::clock(settings)?.now()))
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    anyhow::anyhow!("the gateway answered something else ({reply:?}); are both of one version?")
}

/// Has a request done: by the gateway that runs on the folder, or here.
fn request_done(settings: &Settings, request: &Request) -> anyhow::Result<Reply> {
    done(settings, request.clone(), &mut |_| (), |request| done_here(settings, request))
}

/// As [`request_done`], with a look at how far it is.
fn import_done(
    settings: &Settings,
    request: Request,
    watch: &mut import::cli::Watch,
) -> anyhow::Result<Reply> {
    let progress = watch.progress();
    done(settings, request, &mut |at| watch.told(at), |request| import_here(settings, request, &progress))
}

fn done(
    settings: &Settings,
    mut request: Request,
    told: &mut dyn FnMut(import::At),
    here: impl Fn(Request) -> anyhow::Result<Reply>,
) -> anyhow::Result<Reply> {
    let until = Instant::now() + BETWEEN;
    loop {
        match control::ask(&settings.data, &mut request, told) {
            Err(ControlError::NotRunning) => {}
            done => return Ok(done?),
        }
        match here(request.clone()) {
            // One is starting or stopping: it will answer, or let go.
            Err(error) if is_held(&error) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            done => return done,
        }
    }
}

fn is_held(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<StoreError>(), Some(StoreError::Held { .. }))
}

fn done_here(settings: &Settings, request: Request) -> anyhow::Result<Reply> {
    let clock = serve::clock(settings)?;
    let city = Arc::new(City::read(&settings.city_file())?);
    let mut store = serve::open(settings, &city, &clock)?;
    let incarnation = store.incarnation;
    let tx = store.conn.transaction().context("the store can't begin")?;
    let mut memory = Memory::default();
    let mut ctx = Context::new(clock.now(), &city.id, incarnation, &mut memory);
    // Lists and listeners catch up when a gateway starts.
    let audited = request.audited();
    let log = audited.as_ref().map(|_| Audit::start(&settings.data, jiff::Timestamp::now())).transpose()?;
    let (audit, writing) = log.map_or((Audit::none(), None), |(audit, writing)| (audit, Some(writing)));
    let who = Who::Command(rustix::process::getuid().as_raw());
    let reply = request.execute_audited(&tx, &mut ctx, &mut Effects::default(), &audit, who.clone())?;
    if let Err(error) = tx.commit() {
        if let Some((what, _)) = audited {
            drop(audit.note_here(Event::new(who, What::Undone, serde_json::json!({ "what": what }))));
        }
        return Err(error).context("the store can't commit");
    }
    drop(audit);
    if let Some(writing) = writing {
        writing.ended();
    }
    store.close()?;
    Ok(with_line(settings, reply))
}

/// As [`request_done`], where a release may be taken, which needs more than one transaction.
fn release_or(settings: &Settings, request: &Request) -> anyhow::Result<Reply> {
    done(settings, request.clone(), &mut |_| (), |request| match request {
        Request::ReleaseTake { path } => release_here(settings, &path),
        other => done_here(settings, other),
    })
}

fn release_here(settings: &Settings, path: &Path) -> anyhow::Result<Reply> {
    let clock = serve::clock(settings)?;
    let city = City::read(&settings.city_file())?;
    let mut store = serve::open(settings, &city, &clock)?;
    let (audit, writing) = Audit::start(&settings.data, jiff::Timestamp::now())?;
    let who = Who::Command(rustix::process::getuid().as_raw());
    let note = |about| audit.note_here(Event::new(who.clone(), What::ReleaseTaken, about));
    note(serde_json::json!({ "asked": "take" }))?;
    let taken = switchover::releases::take_here(&mut store, &city.id, clock.now(), path);
    let closed = store.close();
    if let Ok(taken) = &taken {
        let mut about = serde_json::json!({});
        Reply::Release(taken.clone()).audited(&mut about);
        note(about)?;
    }
    drop(audit);
    writing.ended();
    let taken = taken?;
    closed?;
    Ok(Reply::Release(taken))
}

fn import_here(settings: &Settings, request: Request, progress: &import::Progress) -> anyhow::Result<Reply> {
    let Request::Import { command } = request else { return done_here(settings, request) };
    let clock = serve::clock(settings)?;
    let city = City::read(&settings.city_file())?;
    let mut store = serve::open(settings, &city, &clock)?;
    let (audit, writing) = Audit::start(&settings.data, jiff::Timestamp::now())?;
    let who = Who::Command(rustix::process::getuid().as_raw());
    audit.note_here(Event::new(who.clone(), What::Import, serde_json::json!({ "asked": "take" })))?;
    let taken = import::take_here(&mut store, &city, &clock, command, progress);
    // Where the import failed, that is what is told.
    let closed = store.close();
    if let Ok(report) = &taken {
        let about = serde_json::json!({ "import": report.import, "outcome": report.outcome });
        audit.note_here(Event::new(who, What::Import, about))?;
    }
    drop(audit);
    writing.ended();
    let report = taken?;
    closed?;
    Ok(Reply::Imported(Box::new(report)))
}

/// Writes down that a day is exported: through the gateway that runs on the folder, or here. Of a folder that
/// can't be written, as of a copy, it says why that stands nowhere.
fn exporting(settings: &Settings, day: jiff::civil::Date) -> anyhow::Result<Option<String>> {
    match control::ask(&settings.data, &mut Request::Exporting { day }, &mut |_| ()) {
        Err(ControlError::NotRunning) => {}
        done => return Ok(done.map(|_| None)?),
    }
    Ok(noted_here(settings, &Request::Exporting { day }))
}

/// Writes something down without a gateway; why it can't.
fn noted_here(settings: &Settings, request: &Request) -> Option<String> {
    let (what, about) = request.audited()?;
    let noted = crate::store::lock(&settings.data).map_err(anyhow::Error::from).and_then(|_lock| {
        let now = jiff::Timestamp::now();
        let who = Who::Command(rustix::process::getuid().as_raw());
        Ok(audit::Log::open(&settings.data, now)?.append(&[(now, &Event::new(who, what, about))])?)
    });
    noted.err().map(|error| meguri_config::told(error.as_ref()))
}

/// Writes down what saves or brings back the office, through the gateway that runs on the folder, or here. Where that can't be,
/// it is said, and done all the same: a full disk or a damaged log is what a backup is for.
fn noting(settings: &Settings, mut request: Request) {
    let noted = match control::ask(&settings.data, &mut request, &mut |_| ()) {
        Err(ControlError::NotRunning) => noted_here(settings, &request),
        done => done.err().map(|error| meguri_config::told(&error)),
    };
    if let Some(problem) = noted {
        let _ = writeln!(io::stderr(), "this stands in no audit log: {problem}");
    }
}

/// Tells a terminal how it will reach the office, and that no gateway tells the broker what was noted here.
fn with_line(settings: &Settings, reply: Reply) -> Reply {
    if let Reply::TerminalBlocked { changed, .. } = reply {
        let behind = settings.mqtt.external.as_ref().is_some_and(|external| external.dynamic_security);
        return Reply::TerminalBlocked { changed, behind };
    }
    let Reply::TerminalBound { bound, line: None } = reply else { return reply };
    // A free port is known only once it is taken.
    let fixed = |port: u16| (port != 0).then_some(port);
    let external = settings.mqtt.external.as_ref();
    let listens = fixed(settings.mqtt.listen.port());
    let line = match (settings.tls.name(), external) {
        (None, Some(external)) => Some(Line::Plain(external.host.clone(), external.port)),
        (None, None) => listens.map(|port| Line::Plain(settings.mqtt.listen.ip().to_string(), port)),
        (Some(name), external) => {
            let broker = match external {
                Some(external) => external.terminals(),
                None => listens.map(|port| (name.to_owned(), port)),
            };
            broker.zip(fixed(settings.tls.listen.port())).map(|((broker_host, broker), door)| {
                Line::Tls(Reached { host: name.to_owned(), broker_host, broker, door })
            })
        }
    };
    Reply::TerminalBound { bound, line }
}

fn terminal(settings: &Settings, command: TerminalCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        TerminalCommand::Add(Add { terminal, vehicle, out: folder }) => {
            admit(settings, folder.as_deref(), out, |secret_sha256| Request::TerminalAdd {
                terminal,
                vehicle,
                secret_sha256,
            })?;
        }
        TerminalCommand::Secret(Renew { terminal, out: folder }) => {
            admit(settings, folder.as_deref(), out, |secret_sha256| Request::TerminalSecret {
                terminal,
                secret_sha256,
            })?;
        }
        TerminalCommand::Enrol(asked) => enrol(settings, asked, out)?,
        TerminalCommand::Certificate { terminal, file, out: folder } => {
            certificate(settings, folder.as_deref(), out, terminal, &file)?;
        }
        TerminalCommand::Bind { terminal, vehicle, out: folder } => {
            bind(settings, folder.as_deref(), out, terminal, vehicle)?;
        }
        TerminalCommand::List { json } => {
            let reply = request_done(settings, &Request::TerminalList)?;
            let Reply::Terminals(terminals) = reply else { return Err(unexpected(&reply)) };
            if json {
                writeln!(out, "{}", serde_json::to_string_pretty(&terminals)?)?;
                return Ok(());
            }
            for t in terminals {
                let state = match (t.erased_at, t.lost_at, t.blocked_at, t.online) {
                    (Some(at), ..) => format!("lost, erased {at:.0}"),
                    (None, Some(at), None, _) => format!("lost since {at:.0}, not erased yet"),
                    (None, _, Some(at), _) => format!("blocked since {at:.0}"),
                    (None, None, None, true) => "online".to_owned(),
                    (None, None, None, false) => "offline".to_owned(),
                };
                let heard =
                    t.last_heard_at.map_or("never heard".to_owned(), |at| format!("last heard {at:.0}"));
                let certificate = match (t.certificate_until, settings.tls.name()) {
                    (Some(until), _) => format!("\tcertificate until {until:.0}"),
                    (None, Some(_)) => "\tnot enrolled".to_owned(),
                    (None, None) => String::new(),
                };
                writeln!(
                    out,
                    "{}\tvehicle {}\tcontract {}\t{state}\t{heard}{certificate}",
                    t.terminal, t.vehicle, t.contract
                )?;
            }
        }
        TerminalCommand::Block { terminal } => block(settings, out, terminal, true)?,
        TerminalCommand::Unblock { terminal } => block(settings, out, terminal, false)?,
        TerminalCommand::Lost { terminal } => {
            let reply = request_done(settings, &Request::TerminalLost { terminal: terminal.clone() })?;
            let Reply::TerminalBlocked { changed, behind } = reply else { return Err(unexpected(&reply)) };
            let already = if changed { "" } else { " already" };
            writeln!(
                out,
                "terminal {terminal} is{already} lost: it gets its erasure when it comes in, and nothing else"
            )?;
            told_behind(behind, out)?;
        }
        TerminalCommand::Exposure(asked) => exposure(settings, &asked, out)?,
    }
    Ok(())
}

/// Lists whose data a terminal held. That it is looked up is written down first.
fn exposure(settings: &Settings, asked: &Exposure, out: &mut impl Write) -> anyhow::Result<()> {
    let Exposure { terminal, from, to, kept_days, csv, json } = asked;
    ensure!(from <= to, "the first day {from} lies after the last one {to}");
    let conn = crate::store::look(&settings.data)?;
    let (terminal, from, to) = (terminal.clone(), *from, *to);
    request_done(settings, &Request::Exposure { terminal: terminal.clone(), from, to })?;
    let days = exposure::Days { from, to, kept: *kept_days };
    let found = exposure::look_up(&conn, &terminal, days)?.with_context(|| {
        format!("there is no terminal {terminal}; `meguri-gateway terminal list` shows them")
    })?;
    if *json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(());
    }
    if let Some(path) = csv {
        ensure!(!path.exists(), "{} is there already", path.display());
        let path = std::path::absolute(path)?;
        write_durably(&path, &found.csv()?, 0o600)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    let at = |at: Option<jiff::Timestamp>| at.map_or("-".to_owned(), |at| format!("{at:.0}"));
    writeln!(
        out,
        "terminal {terminal}: {from} to {to}, lost {}, erased {}",
        at(found.lost_at),
        at(found.erased_at)
    )?;
    writeln!(out, "requests whose data it held: {}", found.requests.len())?;
    if csv.is_none() {
        for row in &found.requests {
            let address = row.address.as_deref().unwrap_or("(erased here)");
            writeln!(out, "{}\t{}\t{}\t{address}", row.date, row.reception, row.district)?;
        }
    }
    Ok(())
}

fn block(
    settings: &Settings,
    out: &mut impl Write,
    terminal: TerminalId,
    blocked: bool,
) -> anyhow::Result<()> {
    let request = Request::TerminalBlock { terminal: terminal.clone(), blocked };
    let reply = request_done(settings, &request)?;
    let Reply::TerminalBlocked { changed, behind } = reply else { return Err(unexpected(&reply)) };
    let state = if blocked { "blocked" } else { "let in" };
    let already = if changed { "" } else { " already" };
    let here = if behind { " in the office" } else { "" };
    writeln!(out, "terminal {terminal} is{already} {state}{here}")?;
    told_behind(behind, out)
}

/// Says that what was noted is not true yet at a broker that somebody else runs.
fn told_behind(behind: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if behind {
        writeln!(
            out,
            "NOT YET at the broker: until that is told, the terminal comes in as before. A running gateway goes on \
             trying by itself; `meguri-gateway health` and `doctor` say what is in the way"
        )?;
    }
    Ok(())
}

/// Draws a secret, writes it down, and only then has a terminal come in with it: whatever fails, no terminal is left
/// whose secret nobody has.
fn admit(
    settings: &Settings,
    folder: Option<&Path>,
    out: &mut impl Write,
    request: impl FnOnce(Digest) -> Request,
) -> anyhow::Result<()> {
    let city = City::read(&settings.city_file())?.id;
    let tls = settings.tls.name().is_some();
    ensure!(
        !(tls && folder.is_some()),
        "with TLS a terminal has no secret and writes its settings itself: leave --out away, then `terminal enrol`"
    );
    let secret = terminals::draw_secret();
    if let Some(folder) = folder {
        write_secret(folder, &secret)?;
    }
    let reply = match request_done(settings, &request(Digest::of(secret.as_bytes()))) {
        Err(error) if matches!(error.downcast_ref(), Some(ControlError::NoAnswer { .. })) => {
            return Err(error.context(
                "`meguri-gateway terminal list` shows whether there is the terminal; `terminal secret` draws it another secret",
            ));
        }
        Err(error) => {
            if let Some(folder) = folder {
                // It opens nothing. Where it can't be removed, the next try says that it is there.
                let _ = std::fs::remove_file(folder.join(SECRET));
            }
            return Err(error);
        }
        Ok(reply) => reply,
    };
    let (bound, line) = told_bound(reply, out)?;
    match folder {
        Some(folder) => {
            writeln!(out, "wrote {}", folder.join(SECRET).display())?;
            let path = write_terminal(folder, &city, &bound, line).context(
                "the secret is written, terminal.toml is not: fill it in, or draw another with `terminal secret`",
            )?;
            writeln!(out, "wrote {}", path.display())?;
        }
        None if tls => writeln!(out, "`meguri-gateway terminal enrol {}` draws its code", bound.terminal)?,
        None => writeln!(out, "secret (told this once): {secret}")?,
    }
    Ok(())
}

/// Opens a terminal's enrolment and shows the code.
fn enrol(
    settings: &Settings,
    Enrol { terminal, minutes, json }: Enrol,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    ensure!(
        settings.tls.name().is_some(),
        "terminals enrol over TLS alone: name the office in tls.names and start the gateway anew"
    );
    let code = Code::of(rand::random());
    let request = Request::TerminalEnrol {
        terminal: terminal.clone(),
        code: code.clone(),
        minutes: minutes.unwrap_or(settings.tls.code_minutes),
        drawn: jiff::Timestamp::now(),
    };
    let reply = request_done(settings, &request)?;
    let Reply::TerminalEnrolling { until, office } = reply else { return Err(unexpected(&reply)) };
    let office = office.context(
        "the code is drawn, but no gateway with TLS runs on this folder: start it, then draw another one",
    )?;
    let scanned = format!("{office}/#{code}");
    if json {
        let line = serde_json::json!({
            "terminal": terminal, "office": office, "code": code, "scan": scanned, "until": until,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let picture = QrCode::new(scanned.as_bytes())
        .context("can't draw the code's picture")?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    let here = until.to_zoned(meguri_proto::clock::japan());
    writeln!(
        out,
        "terminal {terminal} can enrol once, until {:.0}\n\n{picture}\n\n  office  {office}\n  code    {code}",
        here.datetime()
    )?;
    Ok(())
}

/// Registers a certificate of the city's own authority, and writes what the terminal needs beside it.
fn certificate(
    settings: &Settings,
    folder: Option<&Path>,
    out: &mut impl Write,
    terminal: TerminalId,
    file: &Path,
) -> anyhow::Result<()> {
    let authority = serve::terminals_authority(settings)?.context(
        "no authority of the city is set: tls.terminals_authority says which one issues terminals' certificates",
    )?;
    let pem = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    // Never a key that may stand in it.
    let pem = ca::first(&pem).with_context(|| format!("{} holds no certificate (PEM)", file.display()))?;
    ensure!(
        ca::vouches(&authority, &pem),
        "{} holds no certificate that the authority of tls.terminals_authority has issued itself",
        file.display()
    );
    let dynamic = settings.mqtt.external.as_ref().is_some_and(|external| external.dynamic_security);
    ensure!(
        !dynamic || subject::of_pem(&pem).is_some(),
        "the subject of {} has attributes that can't be told to Mosquitto; CN, O, OU, C, ST, L and serialNumber can, one each",
        file.display()
    );
    let city = City::read(&settings.city_file())?.id;
    let identity = folder.map(|folder| folder.join(IDENTITY));
    if let (Some(folder), Some(identity)) = (folder, &identity) {
        make_room(folder, &[SETTINGS])?;
        make_room(identity, &[AUTHORITY])?;
    }
    let request = Request::TerminalCertificate { terminal, pem, looked: jiff::Timestamp::now() };
    let (bound, line) = told_bound(request_done(settings, &request)?, out)?;
    writeln!(out, "its certificate is registered")?;
    if let (Some(folder), Some(identity)) = (folder, &identity) {
        let path = write_terminal(folder, &city, &bound, line).context(
            "the certificate is registered, terminal.toml is not written: the same command again writes it",
        )?;
        let authority = identity.join(AUTHORITY);
        write_durably(&authority, serve::believed(settings)?.as_bytes(), 0o644)
            .with_context(|| format!("can't write {}", authority.display()))?;
        writeln!(
            out,
            "wrote {} and {}; put the key (PKCS #8) and the certificate, one after the other, into {}",
            path.display(),
            authority.display(),
            identity.join("current.pem").display()
        )?;
    }
    Ok(())
}

/// Binds a terminal to another vehicle, and writes its new settings into the folder.
fn bind(
    settings: &Settings,
    folder: Option<&Path>,
    out: &mut impl Write,
    terminal: TerminalId,
    vehicle: VehicleId,
) -> anyhow::Result<()> {
    let city = City::read(&settings.city_file())?.id;
    if let Some(folder) = folder {
        make_room(folder, &[SETTINGS])?;
    }
    let new_settings = folder.is_some();
    let reply = request_done(settings, &Request::TerminalBind { terminal, vehicle, new_settings })?;
    let (bound, line) = told_bound(reply, out)?;
    if let Some(folder) = folder {
        let path = write_terminal(folder, &city, &bound, line).context(
            "the terminal is bound, terminal.toml is not written: the same command again writes it",
        )?;
        writeln!(
            out,
            "wrote {}: put it in the place of the terminal's own, whose secret or identity stays beside it, and start the \
             terminal anew; until then it goes by the old one and finds no list of another contract",
            path.display()
        )?;
    }
    Ok(())
}

fn told_bound(reply: Reply, out: &mut impl Write) -> anyhow::Result<(Bound, Option<Line>)> {
    let Reply::TerminalBound { bound, line } = reply else { return Err(unexpected(&reply)) };
    let Bound { terminal, vehicle, contract, .. } = &bound;
    writeln!(out, "terminal {terminal} carries vehicle {vehicle} under contract {contract}")?;
    Ok((bound, line))
}

/// Makes a folder where none of these files stands: another terminal's must not be lost.
fn make_room(folder: &Path, names: &[&str]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
    for name in names {
        let path = folder.join(name);
        let is_there = path.try_exists().with_context(|| format!("can't look for {}", path.display()))?;
        ensure!(
            !is_there,
            "{} is there already and is not overwritten; name another folder, or move it away",
            path.display()
        );
    }
    Ok(())
}

/// Writes a secret where neither file of a terminal stands yet.
fn write_secret(folder: &Path, secret: &str) -> anyhow::Result<()> {
    make_room(folder, &[SETTINGS, SECRET])?;
    let path = folder.join(SECRET);
    write_durably(&path, format!("{secret}\n").as_bytes(), 0o600)
        .with_context(|| format!("can't write {}", path.display()))
}

/// Writes a terminal's settings, which look for its secret beside them. Says where.
fn write_terminal(
    folder: &Path,
    city: &CityId,
    bound: &Bound,
    line: Option<Line>,
) -> anyhow::Result<PathBuf> {
    let line = line.context("the gateway takes a free port, which only a running one knows")?;
    let text = terminals::settings(city, bound, &line);
    let path = folder.join(SETTINGS);
    // What is written must read.
    Terminal::parse(&path, &text)?;
    write_durably(&path, text.as_bytes(), 0o644)
        .with_context(|| format!("can't write {}", path.display()))?;
    Ok(path)
}

fn aside(settings: &Settings, command: AsideCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let (request, json) = match command {
        AsideCommand::List { json } => (Request::AsideList, json),
        AsideCommand::Retry { id } => (Request::AsideRetry { id }, false),
        AsideCommand::Settle { id } => (Request::AsideSettle { id }, false),
    };
    match request_done(settings, &request)? {
        Reply::Asides(rows) if json => writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?,
        Reply::Asides(rows) => {
            for row in rows {
                writeln!(
                    out,
                    "{}\t{:.0}\t{}\t{} bytes\t{}",
                    row.id,
                    row.at,
                    printable(&row.topic),
                    row.bytes,
                    printable(&row.problem)
                )?;
            }
        }
        Reply::Done => writeln!(out, "done")?,
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

fn notice(settings: &Settings, command: NoticeCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let (request, json) = match command {
        NoticeCommand::List { json } => (Request::NoticeList, json),
        NoticeCommand::Settle { id } => (Request::NoticeSettle { id }, false),
    };
    match request_done(settings, &request)? {
        Reply::Notices(rows) if json => writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?,
        Reply::Notices(rows) => {
            for row in rows {
                let terminal = row.terminal.as_deref().unwrap_or("-");
                writeln!(out, "{}\t{:.0}\t{}\t{terminal}\t{}", row.id, row.at, row.kind, row.detail)?;
            }
        }
        Reply::Done => writeln!(out, "done")?,
        other => return Err(unexpected(&other)),
    }
    Ok(())
}
