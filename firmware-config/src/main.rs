//! `meguri-config`: checks configurations that people write, before a program reads them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use meguri_config::{City, ConfigError, Terminal};

/// Checks a city's plans and terminals' settings.
#[derive(Parser)]
#[command(name = "meguri-config", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks files; exit status 0 all are good, 1 one is not, 2 misuse.
    #[command(subcommand)]
    Check(Kind),
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

fn main() -> ExitCode {
    let Command::Check(kind) = Args::parse().command;
    let good = match kind {
        Kind::City { file } => report(&file, City::read(&file).map(|city| summary(&city))),
        Kind::Terminal { files, city } => check_terminals(&files, city.as_deref()),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
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

fn check_terminals(files: &[PathBuf], city: Option<&Path>) -> bool {
    let city = match city.map(|path| City::read(path).map_err(|error| (path, error))).transpose() {
        Ok(city) => city,
        Err((path, error)) => return report(path, Err(error)),
    };
    let check = |file: &PathBuf| {
        let checked = Terminal::read(file).and_then(|terminal| {
            if let Some(city) = &city {
                terminal.fits(city).map_err(|problem| problem.at(file))?;
            }
            let told =
                format!("{} in vehicle {} under {}", terminal.terminal, terminal.vehicle, terminal.contract);
            Ok(told)
        });
        report(file, checked)
    };
    // Every file is looked at, so that one run names every fault.
    files.iter().filter(|file| !check(file)).count() == 0
}

fn report(file: &Path, checked: Result<String, ConfigError>) -> bool {
    match checked {
        Ok(told) => {
            // What was found is the exit status, whether or not anybody reads on.
            let _ = writeln!(io::stdout(), "{}: good: {told}", file.display());
            true
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            false
        }
    }
}
