//! `meguri-gateway backup` and `meguri-gateway restore`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use meguri_proto::Incarnation;
use uuid::Uuid;

use super::put_back::Plan;
use super::{Manifest, Progress, Source, dated, make, prune, put_back, sweep, verify};
use crate::config::Settings;
use crate::office::Place;
use crate::ops::Request;
use crate::room::mib;
use crate::store::{self, STORE_FILE};

/// What takes longer says how far it is, this often.
const SAY: Duration = Duration::from_secs(2);

/// Makes a backup, beside a running gateway or without one, or checks one.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    /// Checks a backup.
    #[command(subcommand)]
    action: Option<Action>,
    /// The folder to be made; nothing may be there. Without it a dated one is made in the folder of the settings (backup.folder).
    #[arg(conflicts_with = "into")]
    out: Option<PathBuf>,
    /// Makes a dated backup in this folder.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// With a dated one: keeps so many and removes older ones, once the new one is checked.
    #[arg(long, value_name = "N", conflicts_with = "out", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
    /// Prints what was made as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// Reads a backup again and compares it with what it was made as.
    Verify {
        /// The backup's folder.
        backup: PathBuf,
        /// Prints what it says of itself as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Puts a backup back. Terminals send again what it lacks.
#[derive(Debug, Clone, clap::Args)]
pub struct RestoreArgs {
    /// The backup's folder.
    backup: PathBuf,
    /// Moves the store that is there into a folder beside it; without this nothing is done where one is there.
    #[arg(long)]
    replace: bool,
}

/// Does what `backup` is asked. `note` writes down that one is begun.
///
/// # Errors
/// When it can't be done.
pub fn backup(
    args: BackupArgs,
    settings: &Settings,
    note: impl FnOnce(Request),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if let Some(Action::Verify { backup, json }) = args.action {
        let manifest = verify(&backup)?;
        return say(out, &backup, &manifest, json, "is as it was made");
    }
    let now = Timestamp::now();
    let source =
        Source { data: settings.data.clone(), city: settings.city_file(), settings: settings.file.clone() };
    let (path, folder) = match (args.out, args.into.or_else(|| settings.backup.folder.clone())) {
        (Some(path), _) => (path, None),
        (None, Some(folder)) => {
            let city = city(settings)?;
            // Before the room for the next one is counted.
            for gone in sweep(&folder, &city)? {
                let _ = writeln!(io::stderr(), "removed {}, which was never finished", gone.display());
            }
            let path = folder.join(dated(&city, now));
            (path, Some(folder))
        }
        (None, None) => anyhow::bail!(
            "say where to: `backup OUT`, `backup --into DIR`, or set backup.folder in the settings"
        ),
    };
    ensure!(
        folder.is_some() || args.keep.is_none(),
        "--keep counts dated backups: name their folder with --into"
    );
    // Where there is no store, there is no log to write to either, and it is told below.
    if settings.data.join(STORE_FILE).exists() {
        let backup = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        note(Request::BackingUp { backup });
    }
    let manifest = make(&source, &path, now, &mut said_now_and_then())?;
    say(out, &path, &manifest, args.json, "is made and was read again")?;
    let keep = args.keep.or_else(|| folder.as_ref().and(Some(settings.backup.keep)));
    if let (Some(folder), Some(keep)) = (folder, keep) {
        for gone in prune(&folder, &manifest.city, keep.into())? {
            let _ = writeln!(io::stderr(), "removed {}", gone.display());
        }
    }
    Ok(())
}

/// The store's own word, since the plan may be unreadable.
fn city(settings: &Settings) -> anyhow::Result<String> {
    let path = settings.data.join(STORE_FILE);
    if !path.exists() {
        return Err(super::BackupError::NoStore { path }.into());
    }
    let conn = store::read_only(&path)?;
    let city = conn.query_row("SELECT city FROM office", [], |row| row.get(0));
    Ok(city.map_err(|source| store::damaged_or(&path, "say whose it is", source))?)
}

fn say(out: &mut impl Write, path: &Path, manifest: &Manifest, json: bool, what: &str) -> anyhow::Result<()> {
    if json {
        let mut value = serde_json::to_value(manifest).context("can't print it as JSON")?;
        if let Some(object) = value.as_object_mut() {
            object.insert("backup".into(), path.display().to_string().into());
        }
        writeln!(out, "{value}")?;
        return Ok(());
    }
    let bytes = manifest.files.values().map(|file| file.bytes).sum();
    let rows = |table: &str| manifest.rows.get(table).copied().unwrap_or_default();
    writeln!(
        out,
        "{} {what}: {} of {:.0}, {}, {} pickups, {} facts",
        path.display(),
        manifest.city,
        manifest.made_at,
        mib(bytes),
        rows("pickup"),
        rows("fact")
    )?;
    Ok(())
}

/// Tells on standard error how far it is, where it takes long.
fn said_now_and_then() -> impl FnMut(Progress) {
    let mut last = Instant::now();
    let mut told = false;
    move |progress| {
        let is_due = last.elapsed() >= SAY;
        let line = match progress {
            Progress::Copying(done, all) if is_due => format!("copied {} of {}", mib(done), mib(all)),
            // Whoever was told of the copying waits for the rest, too.
            Progress::Checking if is_due || told => "copied; reading it again".to_owned(),
            _ => return,
        };
        told = true;
        last = Instant::now();
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Does what `restore` is asked. `note` writes down, in the folder's own log, that it is done.
///
/// # Errors
/// When it can't be done; the store that was there is the store then.
pub fn restore(
    args: &RestoreArgs,
    settings: &Settings,
    note: impl FnOnce(Request),
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let data = &settings.data;
    let drawn = Incarnation(Uuid::new_v4());
    let city = settings.city_file();
    let done = put_back(&args.backup, data, &city, args.replace, drawn, Timestamp::now())?;
    let made_at = done.manifest.made_at;
    note(Request::PutBack { made_at });
    writeln!(
        out,
        "{} is the store of {made_at:.0} now, under a new incarnation",
        data.join(STORE_FILE).display()
    )?;
    if let Some(aside) = &done.aside {
        writeln!(
            out,
            "the store from before is in {}: it holds residents' data, remove it once all is well",
            aside.display()
        )?;
    }
    for folder in &done.folders {
        writeln!(out, "{} is the backup's", data.join(folder).display())?;
    }
    match done.plan {
        Plan::PutBack => writeln!(out, "{} is the backup's", city.display())?,
        Plan::Same => {}
        Plan::Kept => writeln!(
            out,
            "{} stays as it is; the backup has another, {}",
            city.display(),
            args.backup.join(super::CITY).display()
        )?,
    }
    let place = Place { data: data.clone(), config: settings.file.clone() };
    writeln!(
        out,
        "next:\n\
         1. start the gateway: {}\n\
         2. take the request files again that came after {made_at:.0}: their pickups get the ids they had\n\
         3. terminals that were made, bound anew, blocked or given another secret since then are as before: look at \
         {}, and do that again\n\
         4. terminals send again what the store lacks, of the last 14 days; the page shows it under 対応が必要 (To look at)",
        place.command("serve"),
        place.command("terminal list")
    )?;
    Ok(())
}
