//! `meguri-config rehearse`: lets a city try its plan before anybody signs it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;

use super::fault::Fault;
use super::out;

/// The program that does it.
const PROGRAM: &str = "meguri-rehearsal";

#[derive(Args)]
pub(super) struct Rehearse {
    /// The folder of the city's plan.
    dir: PathBuf,
    /// What meguri-rehearsal is told beside the folder.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(super) fn run(args: &Rehearse, json: bool) -> Result<ExitCode, Fault> {
    // Beside this program first: that one is of the same version.
    let beside =
        std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM)).filter(|path| path.is_file());
    let program = beside.unwrap_or_else(|| PathBuf::from(PROGRAM));
    let mut command = Command::new(&program);
    command.arg(&args.dir).args(["--by", "meguri-config rehearse"]).args(&args.rest);
    if json {
        command.arg("--json");
    }
    let status = command.status().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::refused(format!(
            "{PROGRAM} is neither beside this program nor in PATH: build it with `cargo build --release -p meguri-tests --bin {PROGRAM}`"
        )),
        _ => Fault::refused(format!("can't run {}: {error}", program.display())),
    })?;
    if let Some(code) = status.code().and_then(|code| u8::try_from(code).ok()) {
        return Ok(ExitCode::from(code));
    }
    out::note(format!("{PROGRAM}: {status}"));
    Ok(ExitCode::from(1))
}
