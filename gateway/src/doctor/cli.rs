//! `meguri-gateway doctor`: exit status 0 nothing is wrong, 1 something is.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use super::{Scope, Severity};
use crate::config::{Settings, SettingsError};

/// Says what is wrong with this installation and what to do about it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Prints the findings as JSON.
    #[arg(long)]
    json: bool,
    /// Reads the whole store, which may take minutes.
    #[arg(long)]
    full: bool,
}

/// Looks, and prints what was found.
///
/// # Errors
/// When it can't be printed.
pub fn run(
    args: &Args,
    settings: Result<Settings, SettingsError>,
    data: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<ExitCode> {
    let settings = settings.map_err(|error| meguri_config::told(&error));
    let findings = Scope::new(settings, data, args.full, Timestamp::now()).findings();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&findings).map_err(io::Error::other)?)?;
    } else {
        for finding in &findings {
            let (ja, en) = match finding.severity {
                Severity::Ok => ("正常", "ok"),
                Severity::Warning => ("注意", "warning"),
                Severity::Error => ("異常", "error"),
            };
            let with = |what: &str, todo: &str| {
                if todo.is_empty() { what.to_owned() } else { format!("{what} → {todo}") }
            };
            writeln!(out, "[{ja}] {}: {}", finding.check, with(&finding.ja, &finding.todo_ja))?;
            writeln!(out, "[{en}] {}: {}", finding.check, with(&finding.en, &finding.todo_en))?;
        }
    }
    let is_fine = findings.iter().all(|finding| finding.severity == Severity::Ok);
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
