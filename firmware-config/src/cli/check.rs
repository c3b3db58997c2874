//! `meguri-config check`: files that people write, before a program reads them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use meguri_config::{City, ConfigError, Terminal};

use super::fault::Fault;
use super::{out, planned};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Check {
    #[command(subcommand)]
    kind: Option<Kind>,
    /// The folder with a city's plan and terminals (city.toml, terminals.toml).
    #[arg(required = true)]
    dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Kind {
    /// A city's plan (city.toml).
    City {
        /// The file.
        file: PathBuf,
    },
    /// Terminals' settings (terminal.toml).
    Terminal {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The city's plan that they must fit.
        #[arg(long)]
        city: Option<PathBuf>,
    },
}

pub(super) fn run(args: &Check, json: bool) -> Result<ExitCode, Fault> {
    match (&args.kind, &args.dir) {
        (Some(Kind::City { file }), _) => {
            Ok(report(vec![(file, City::read(file).map(|city| summary(&city)))], json))
        }
        (Some(Kind::Terminal { files, city }), _) => Ok(terminals(files, city.as_deref(), json)),
        (None, Some(dir)) => planned::check(dir, Timestamp::now(), json),
        // clap demands one of both.
        (None, None) => Err(Fault::misuse("give a folder, or `city` or `terminal` with files")),
    }
}

fn summary(city: &City) -> String {
    let counts = [
        (city.contractor.len(), "contractors"),
        (city.contract.len(), "contracts"),
        (city.vehicle.len(), "vehicles"),
        (city.district.len(), "districts"),
    ];
    let counts: Vec<String> = counts.iter().map(|(count, what)| format!("{count} {what}")).collect();
    format!("{} with {}", city.name, counts.join(", "))
}

fn terminals(files: &[PathBuf], city: Option<&Path>, json: bool) -> ExitCode {
    let city = match city.map(|path| City::read(path).map_err(|error| (path, error))).transpose() {
        Ok(city) => city,
        Err((path, error)) => return report(vec![(path, Err(error))], json),
    };
    let check = |file: &PathBuf| {
        let terminal = Terminal::read(file)?;
        if let Some(city) = &city {
            terminal.fits(city).map_err(|problem| problem.at(file))?;
        }
        Ok(format!("{} in vehicle {} under {}", terminal.terminal, terminal.vehicle, terminal.contract))
    };
    // Every file is looked at, so that one run names every fault.
    report(files.iter().map(|file| (file.as_path(), check(file))).collect(), json)
}

fn report<P: AsRef<Path>>(checked: Vec<(P, Result<String, ConfigError>)>, json: bool) -> ExitCode {
    let good = checked.iter().all(|(_, checked)| checked.is_ok());
    if json {
        let line = |(file, checked): &(P, Result<String, ConfigError>)| match checked {
            Ok(told) => serde_json::json!({ "file": file.as_ref(), "good": true, "told": told }),
            Err(error) => {
                serde_json::json!({ "file": file.as_ref(), "good": false, "error": error.to_string() })
            }
        };
        out::json(&checked.iter().map(line).collect::<Vec<_>>());
    }
    for (file, checked) in &checked {
        match checked {
            Ok(_) if json => {}
            Ok(told) => out::say(format!("{}: good: {told}", file.as_ref().display())),
            Err(error) => out::note(error),
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
