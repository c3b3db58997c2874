//! `meguri-gateway import`: exit status 0 all taken, 1 could not read, 2 rejected lines (nothing taken), 3 held.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use jiff::civil::Date;
use meguri_config::City;
use rusqlite::{Connection, OpenFlags};

use super::held::{self, Waiting};
use super::{Command, FILE_BYTES, File, Prepared, Report, text};
use crate::direction::printable;
use crate::store::{self, STORE_FILE};

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
    /// The request file (CSV, UTF-8).
    #[arg(required = true)]
    file: Option<PathBuf>,
    /// The day that the file is the whole of, where it may have no request for it; may be repeated.
    #[arg(long)]
    day: Vec<Date>,
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
/// `office` has the command done where the store is written: by the gateway that holds `data`, or right here.
pub fn run(
    args: &Args,
    data: &Path,
    city: &City,
    office: impl FnOnce(Command) -> anyhow::Result<Report>,
) -> ExitCode {
    let (dry_run, json) = match args.action {
        Some(Action::List { json }) => return list(data, json),
        None => (args.dry_run, args.json),
        Some(Action::Release { dry_run, json, .. }) => (dry_run, json),
        Some(Action::Drop { json, .. }) => (false, json),
    };
    let done = command(args)
        .and_then(|command| if dry_run { self::dry_run(data, city, command) } else { office(command) });
    let report = match done {
        Ok(report) => report,
        Err(error) => return fail(&error),
    };
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

/// Reads what the arguments name.
fn command(args: &Args) -> anyhow::Result<Command> {
    match args.action {
        Some(Action::Release { id, anyway, .. }) => return Ok(Command::Release { id, anyway }),
        Some(Action::Drop { id, .. }) => return Ok(Command::Drop { id }),
        Some(Action::List { .. }) | None => {}
    }
    let (Some(profile_path), Some(path)) = (&args.profile, &args.file) else {
        bail!("expected --profile PROFILE and FILE");
    };
    let profile = fs::read_to_string(profile_path)
        .with_context(|| format!("can't read the profile {}", profile_path.display()))?;
    // The name alone: the folders of a user's machine are nobody else's business.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // One byte more than allowed shows that it is too large, without reading all of it.
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut content))
        .with_context(|| format!("can't read {}", path.display()))?;
    let profile_name = profile_path.display();
    let content =
        text(&name, &profile, content).with_context(|| format!("with the profile {profile_name}"))?;
    Ok(Command::File(File { name, content, profile, days: args.day.clone() }))
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

fn dry_run(data: &Path, city: &City, command: Command) -> anyhow::Result<Report> {
    let path = data.join(STORE_FILE);
    let prepared = match command {
        Command::File(file) if !path.exists() => Prepared::without_store(city, file)?,
        command => {
            let conn = look(&path)?;
            Prepared::new(&conn, city, command)?
        }
    };
    Ok(Report { dry_run: true, ..prepared.report() })
}
