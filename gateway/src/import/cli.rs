//! `meguri-gateway import`: exit status 0 all taken, 1 could not read, 2 rejected lines (nothing taken), 3 held, 4 taken
//! but for the rejected lines.

use std::fmt::Display;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use jiff::civil::Date;
use meguri_config::City;
use rusqlite::{Connection, OpenFlags};

use super::held::{self, Waiting};
use super::profile::dated;
use super::{At, Command, FILE_BYTES, File, Prepared, Progress, Report, text};
use crate::direction::printable;
use crate::store::{self, STORE_FILE};

/// How often a person is shown how far an import is, and after what time first.
const LOOK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);
/// How often where it is no screen.
const QUIET: Duration = Duration::from_secs(10);

/// Takes a file of requests, or shows and settles those that are held.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// What to do with a held import.
    #[command(subcommand)]
    action: Option<Action>,
    /// The profile that says how the file is read (TOML).
    #[arg(long, required = true)]
    profile: Option<PathBuf>,
    /// The request file (CSV, in the encoding that the profile names).
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The day that the file is the whole of, where it may have no request for it; may be repeated.
    #[arg(long)]
    day: Vec<Date>,
    /// Takes the good lines although others are rejected, and writes those to a file of their own.
    #[arg(long)]
    accept_good: bool,
    /// Where the rejected lines go, instead of FILE.rejected.csv; never overwrites.
    #[arg(long, value_name = "PATH", requires = "accept_good")]
    rejected: Option<PathBuf>,
    /// The file counts as one of changes, whatever its profile says: nothing is cancelled that is not in it. For the
    /// corrected lines of an earlier file.
    #[arg(long, conflicts_with = "day")]
    changes: bool,
    /// Says what would come of it and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// What to do with a held import.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Action {
    /// Lists held imports: number, file, and for each day why.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes a held import after all, compared with the store as it is now.
    Release {
        /// Its number.
        id: i64,
        /// Takes it although a newer file of its days was taken while it was held.
        #[arg(long)]
        anyway: bool,
        /// Says what would come of it and writes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Prints the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Drops a held import.
    Drop {
        /// Its number.
        id: i64,
        /// Prints the report as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the arguments say with the store in `data`, prints what came of it, and gives the exit status.
///
/// `today` is the day by the office's clock, which dates without a year are near to.
/// `office` has the command done where the store is written: by the gateway that holds `data`, or right here.
pub fn run(
    args: &Args,
    data: &Path,
    city: &City,
    today: Date,
    office: impl FnOnce(Command, &mut Watch) -> anyhow::Result<Report>,
) -> ExitCode {
    let (dry_run, json) = match args.action {
        Some(Action::List { json }) => return list(data, json),
        None => (args.dry_run, args.json),
        Some(Action::Release { dry_run, json, .. }) => (dry_run, json),
        Some(Action::Drop { json, .. }) => (false, json),
    };
    let rejects = match rejects(args, dry_run) {
        Ok(rejects) => rejects,
        Err(error) => return fail(&error),
    };
    let mut watch = Watch::start();
    let done = command(args, today).and_then(|(command, content)| {
        let report = if dry_run {
            self::dry_run(data, city, command, &watch.progress())
        } else {
            office(command, &mut watch)
        };
        Ok((report?, content))
    });
    watch.end();
    let (mut report, content) = match done {
        Ok(done) => done,
        Err(error) => return fail(&error),
    };
    let mut left = Ok(());
    if let (Some(rejected), Some(path), false) = (&mut report.rejected, rejects, dry_run) {
        let written = super::rejects::write_new(&path, &super::rejects::cut(&content, rejected));
        left = written.map(|()| rejected.file = Some(path.display().to_string())).with_context(|| {
            format!(
                "the rejected lines can't be written to {}; the same command again with --rejected and another path \
                 writes them, and changes nothing of what was taken",
                path.display()
            )
        });
    }
    if json {
        say(&serde_json::json!(report))
    } else {
        say(&report)
    }
    if dry_run
        && !report.newer.is_empty()
        && !matches!(args.action, Some(Action::Release { anyway: true, .. }))
    {
        // As the release itself would end.
        return ExitCode::FAILURE;
    }
    if let Err(error) = left {
        return fail(&error);
    }
    ExitCode::from(report.exit_status())
}

/// Prints what came of it. It stands, and so does its exit status, where nobody reads on or the disk that the
/// report goes to is full; that is said where it still can be.
fn say(report: &impl Display) {
    if let Err(error) = writeln!(io::stdout(), "{report}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr(), "can't print the report: {error}");
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Where even that can't be printed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", meguri_config::told(error.as_ref()));
    ExitCode::FAILURE
}

/// Where rejected lines would go, if nothing is there yet: better known before anything is taken.
fn rejects(args: &Args, dry_run: bool) -> anyhow::Result<Option<PathBuf>> {
    let Some(file) = args.file.as_ref().filter(|_| args.accept_good) else { return Ok(None) };
    let path = args.rejected.clone().unwrap_or_else(|| super::rejects::beside(file));
    let is_there = path.try_exists().with_context(|| format!("can't look for {}", path.display()))?;
    ensure!(
        dry_run || !is_there,
        "{} is there already and is not overwritten; nothing is taken: move it away, or name another with --rejected",
        path.display()
    );
    Ok(Some(path))
}

/// Reads what the arguments name, and the file's bytes where there are lines to be cut out of it.
fn command(args: &Args, today: Date) -> anyhow::Result<(Command, Vec<u8>)> {
    match args.action {
        Some(Action::Release { id, anyway, .. }) => return Ok((Command::Release { id, anyway }, Vec::new())),
        Some(Action::Drop { id, .. }) => return Ok((Command::Drop { id }, Vec::new())),
        Some(Action::List { .. }) | None => {}
    }
    let (Some(profile_path), Some(path)) = (&args.profile, &args.file) else {
        bail!("expected --profile PROFILE and FILE");
    };
    let profile = fs::read_to_string(profile_path)
        .with_context(|| format!("can't read the profile {}", profile_path.display()))?;
    let profile = dated(&profile, today)
        .with_context(|| format!("can't use the profile {}", profile_path.display()))?
        .into_owned();
    // The name alone: the folders of a user's machine are nobody else's business.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let content = bytes(path)?;
    let profile_name = profile_path.display();
    let kept = if args.accept_good { content.clone() } else { Vec::new() };
    let content =
        text(&name, &profile, content).with_context(|| format!("with the profile {profile_name}"))?;
    let Args { day: days, accept_good, changes, .. } = args;
    let (days, accept_good, changes) = (days.clone(), *accept_good, *changes);
    Ok((Command::File(File { name, content, profile, days, accept_good, changes }), kept))
}

/// A file's bytes, and of one that is too large one more than is allowed, which shows that without reading all of it.
pub(crate) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut content))
        .with_context(|| format!("can't read {}", path.display()))?;
    Ok(content)
}

/// Shows a person how far an import is, once it takes longer than a moment: on a screen one line that changes, else a
/// line now and then. On standard error, so that reports stay what they are.
#[derive(Debug)]
pub struct Watch {
    progress: Progress,
    showing: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Watch {
    fn start() -> Self {
        let progress = Progress::default();
        let (end, ended) = mpsc::channel();
        let shown = progress.clone();
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || show(&shown, &ended));
        // Without it the import is as good.
        Self { progress, showing: thread.ok().map(|thread| (end, thread)) }
    }

    /// Where the import writes how far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Hears how far it is somewhere else.
    pub fn told(&self, at: At) {
        self.progress.take_over(at);
    }

    fn end(&mut self) {
        if let Some((end, thread)) = self.showing.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

fn show(progress: &Progress, ended: &mpsc::Receiver<()>) {
    let screen = io::stderr().is_terminal();
    let (began, mut last) = (Instant::now(), Instant::now());
    let mut shown = None;
    while ended.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
        let (at, quiet) = (progress.at(), if screen { PATIENCE } else { QUIET });
        if began.elapsed() < quiet || shown == Some(at) || (!screen && last.elapsed() < QUIET) {
            continue;
        }
        (shown, last) = (Some(at), Instant::now());
        // Nobody reads on where this fails, and the import goes on.
        let _ = if screen {
            write!(io::stderr(), "\r\x1b[K{at}").and_then(|()| io::stderr().flush())
        } else {
            writeln!(io::stderr(), "{at}")
        };
    }
    if screen && shown.is_some() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

/// Prints what is held. Reading needs no gateway, and disturbs none.
fn list(data: &Path, json: bool) -> ExitCode {
    let path = data.join(STORE_FILE);
    let held =
        if path.exists() { look(&path).and_then(|conn| Ok(held::all(&conn)?)) } else { Ok(Vec::new()) };
    let held = match held {
        Ok(held) => held,
        Err(error) => return fail(&error),
    };
    if json {
        say(&serde_json::json!(held));
    } else if held.is_empty() {
        say(&"no import is held");
    } else {
        let lines: Vec<String> = held.iter().map(told).collect();
        say(&lines.join("\n"));
    }
    ExitCode::SUCCESS
}

fn told(waiting: &Waiting) -> String {
    let Waiting { import, at, file, profile, missing, newer } = waiting;
    // Whoever named the file may not write on this screen.
    let file = printable(file);
    let first = format!("import {import}: {file}, read with {profile}, held {at:.0}");
    let told = missing.iter().fold(first, |told, missing| format!("{told}\n  {missing}"));
    newer.iter().fold(told, |told, newer| format!("{told}\n  {newer}"))
}

/// Opens the store for reading only.
fn look(path: &Path) -> anyhow::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("can't open {}", path.display()))?;
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    let current = store::is_current(&conn).with_context(|| format!("can't read {}", path.display()))?;
    ensure!(
        current,
        "{} is of another version; start the gateway once, which brings an earlier one up to date",
        path.display()
    );
    Ok(conn)
}

fn dry_run(data: &Path, city: &City, command: Command, progress: &Progress) -> anyhow::Result<Report> {
    let path = data.join(STORE_FILE);
    let prepared = match command {
        Command::File(file) if !path.exists() => Prepared::without_store(city, file, progress)?,
        command => {
            let conn = look(&path)?;
            Prepared::new(&conn, city, command.into(), progress)?
        }
    };
    Ok(Report { dry_run: true, ..prepared.report().clone() })
}
