//! `meguri-gateway catalogue`: exit status of an import 0 taken or unchanged, 1 could not read, 2 rejected lines, 3 too few items.

use std::fmt::Display;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use meguri_proto::{Digest, Ticket};
use rusqlite::Connection;

use super::profile::Profile;
use super::read::{FILE_BYTES, read};
use super::{Change, Counts, Item, Listed, New, Outcome, Report};
use crate::direction::printable;
use crate::store::{self, LookError};

/// The catalogue (品目).
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Takes the city's list of items. Exit status: 0 taken or unchanged, 1 could not read, 2 rejected lines, 3 too few items
    /// (nothing taken).
    Import(Import),
    /// Lists all items, by reading.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Looks for items by name, reading or other words.
    Find {
        /// What to look for; all words must be there.
        text: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows what became of items with a version; without one, with the last.
    Changes {
        /// The version.
        version: Option<i64>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A file to be taken.
#[derive(Debug, Clone, clap::Args)]
pub struct Import {
    /// The profile that says how the file is read (TOML).
    #[arg(long)]
    profile: PathBuf,
    /// The file (CSV), the whole catalogue.
    file: PathBuf,
    /// Takes it although more items are missing than the profile lets go.
    #[arg(long)]
    anyway: bool,
    /// Says what would come of it and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Does what is asked with the store in `data`. `office` has a catalogue taken where the store is written.
///
/// # Errors
/// When a file or the store can't be read.
pub fn run(
    command: &Command,
    data: &Path,
    office: impl FnOnce(New) -> anyhow::Result<Report>,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import(args) => return import(args, data, office),
        Command::List { json } => list(&super::all(&store::look(data)?)?, *json),
        Command::Find { text, json } => {
            list(&super::find(&store::look(data)?, text, usize::MAX, 0)?.items, *json);
        }
        Command::Changes { version, json } => {
            let changes = super::changes(&store::look(data)?, *version)?;
            if *json {
                say(&serde_json::json!(changes));
            } else if changes.is_empty() {
                say(&"no such version: nothing has changed");
            } else {
                say(&changes.iter().map(told).collect::<Vec<_>>().join("\n"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn import(
    args: &Import,
    data: &Path,
    office: impl FnOnce(New) -> anyhow::Result<Report>,
) -> anyhow::Result<ExitCode> {
    let profile_name = args.profile.display();
    let profile = fs::read_to_string(&args.profile)
        .with_context(|| format!("can't read the profile {profile_name}"))?;
    let profile =
        Profile::parse(&profile).with_context(|| format!("can't use the profile {profile_name}"))?;
    // One byte more than allowed shows that it is too large, without reading all of it.
    let mut content = Vec::new();
    fs::File::open(&args.file)
        .and_then(|file| file.take(FILE_BYTES as u64 + 1).read_to_end(&mut content))
        .with_context(|| format!("can't read {}", args.file.display()))?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let reading = read(&profile, &content)
        .with_context(|| format!("can't read {} with {profile_name}", args.file.display()))?;
    let new = New {
        file: name,
        sha256: Digest::of(&content),
        profile: profile.name.clone(),
        items: reading.items,
        missing_percent: profile.missing_percent,
        anyway: args.anyway,
    };
    let mut report = if !reading.problems.is_empty() {
        Report {
            outcome: Outcome::Rejected,
            dry_run: args.dry_run,
            version: 0,
            file: new.file.clone(),
            profile: new.profile.clone(),
            counts: Counts { items: new.items.len() as u64, ..Counts::default() },
            skipped: Vec::new(),
            problems: Vec::new(),
            more_problems: 0,
        }
    } else if args.dry_run {
        let conn = match store::look(data) {
            Ok(conn) => conn,
            // The first import makes it.
            Err(LookError::None { .. }) => empty()?,
            Err(error) => return Err(error.into()),
        };
        Report { dry_run: true, ..super::compare(&conn, &new)? }
    } else {
        office(new)?
    };
    report.skipped = reading.skipped;
    report.problems = reading.problems;
    report.more_problems = reading.more_problems;
    if args.json {
        say(&serde_json::json!(report));
    } else {
        say(&report);
    }
    Ok(ExitCode::from(report.exit_status()))
}

/// A store that holds nothing yet, for trying.
fn empty() -> anyhow::Result<Connection> {
    let mut conn = Connection::open_in_memory()?;
    store::bring_up(&mut conn)?;
    Ok(conn)
}

fn list(items: &[Listed], json: bool) {
    if json {
        say(&serde_json::json!(items));
        return;
    }
    if items.is_empty() {
        say(&"no item is found");
        return;
    }
    let line = |Listed { item, .. }: &Listed| {
        let Item { name, reading, size, tickets, fee, accepted, recycling, .. } = item;
        let mut cells = vec![name.clone(), reading.clone(), size.clone()];
        let ticket = |ticket: &Ticket| format!("{}x{}", ticket.yen, ticket.count);
        cells.push(tickets.iter().map(ticket).collect::<Vec<_>>().join("+"));
        cells.push(fee.map(|fee| format!("{fee} yen")).unwrap_or_default());
        cells.push(if *accepted { "" } else { "not accepted" }.to_owned());
        cells.push(if *recycling { "recycling ticket" } else { "" }.to_owned());
        printable(&cells.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" | "))
    };
    say(&items.iter().map(line).collect::<Vec<_>>().join("\n"));
}

fn told(change: &Change) -> String {
    let Change { version, at, key, name, kind, fields, .. } = change;
    let fields = fields.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
    printable(&format!("version {version}, {at:.0}: {kind} {name} ({key}){fields}"))
}

/// Prints what came of it. It stands where nobody reads on.
fn say(report: &impl Display) {
    if let Err(error) = writeln!(io::stdout(), "{report}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(io::stderr(), "can't print the report: {error}");
    }
}
