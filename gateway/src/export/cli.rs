//! `meguri-gateway export`: exit status 0 written, 1 could not, 2 characters that the encoding can't hold (nothing written).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::civil::Date;

use super::profile::{BUILT_IN, Profile};
use super::{Cursor, Export, export, write};
use crate::people::Scope;
use crate::store::{self, write_durably};

/// Exit status where the encoding can't hold what is to be written.
const CANNOT: u8 = 2;

/// Writes a day's pickups with their results as CSV, for the reception system.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The day.
    #[arg(long, required_unless_present = "print_profile")]
    day: Option<Date>,
    /// Only what changed after this cursor, which an earlier export of the day told.
    #[arg(long, value_name = "CURSOR")]
    since: Option<Cursor>,
    /// The export profile (TOML); without it, the built-in one.
    #[arg(long)]
    profile: Option<PathBuf>,
    /// The file, which must not be there yet; without it, the standard output.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Goes by the cursor in this file, and once the export is written puts the new one there; without the file, the whole day.
    #[arg(long, value_name = "FILE", requires = "out", conflicts_with_all = ["since", "force"])]
    cursor_file: Option<PathBuf>,
    /// Writes over a file that is there.
    #[arg(long, requires = "out")]
    force: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    /// Prints the built-in profile, to be changed.
    #[arg(long, exclusive = true)]
    print_profile: bool,
}

/// Does what the arguments say with the store in `data`, and gives the exit status. `noting` writes down which day is read, or
/// says why that stands nowhere.
///
/// # Errors
/// When there is nothing that could be exported, or it can't be written.
pub fn run(
    args: &Args,
    data: &Path,
    noting: impl FnOnce(Date) -> anyhow::Result<Option<String>>,
) -> anyhow::Result<ExitCode> {
    if args.print_profile {
        io::stdout().write_all(BUILT_IN.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(day) = args.day else { bail!("expected --day") };
    let profile = match &args.profile {
        None => Profile::parse(BUILT_IN)?,
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("can't read the profile {}", path.display()))?;
            Profile::parse(&text).with_context(|| format!("can't use the profile {}", path.display()))?
        }
    };
    let since = match &args.cursor_file {
        None => args.since,
        Some(path) => read_cursor(path)?,
    };
    let conn = store::look(data)?;
    let unaudited = noting(day)?;
    let told = |path: &PathBuf| format!("going by the cursor in {}", path.display());
    let Export { file, mut report } =
        match (export(&conn, &profile, day, since, &Scope::City), &args.cursor_file) {
            (Err(error @ super::ExportError::Cursor(_)), Some(path)) => {
                return Err(error).context(told(path));
            }
            (done, _) => done?,
        };
    drop(conn);
    report.unaudited = unaudited;
    if let Some(bytes) = &file {
        match &args.out {
            Some(path) => write::write(path, bytes, args.force)?,
            None => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).context("can't print the export")?;
            }
        }
    }
    if let (Some(path), Some(_)) = (&args.cursor_file, &file) {
        let text = format!("{}\n", report.cursor);
        let written = std::path::absolute(path).and_then(|path| write_durably(&path, text.as_bytes(), 0o644));
        written.with_context(|| {
            format!(
                "the export is written, but its cursor can't be put into {}: the next one has the same changes once more",
                path.display()
            )
        })?;
    }
    let report = if args.json { serde_json::json!(report).to_string() } else { report.to_string() };
    // The file is what was asked for: where nobody reads the report, it stands all the same.
    let _ = match (&args.out, &file) {
        (Some(_), _) => writeln!(io::stdout(), "{report}"),
        (None, _) => writeln!(io::stderr(), "{report}"),
    };
    Ok(if file.is_some() { ExitCode::SUCCESS } else { ExitCode::from(CANNOT) })
}

fn read_cursor(path: &Path) -> anyhow::Result<Option<Cursor>> {
    match fs::read_to_string(path) {
        // One that can't be read is not a missing one: changes would be told as if nothing had been told before.
        Ok(text) => Ok(Some(text.parse().map_err(|problem| {
            anyhow::anyhow!(
                "{} can't be used: {problem}; take it away to export the whole day",
                path.display()
            )
        })?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("can't read the cursor file {}", path.display())),
    }
}
