//! The command line of `meguri-config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use fault::Fault;

mod build;
mod check;
mod export;
mod fault;
mod files;
mod folder;
mod hex;
mod init;
mod instant;
mod keys;
mod office;
mod out;
mod passphrase;
mod planned;
mod private;
mod progress;
mod rehearse;
mod show;
mod sign;
mod signer;
mod verify;

/// Plans, checks, signs and hands out what a city's terminals are set to.
///
/// Exit status: 0 fine, 1 findings or a refusal, 2 misuse.
#[derive(Parser)]
#[command(name = "meguri-config", version)]
struct Arguments {
    /// Writes what is found as JSON on stdout.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a small commented plan into a folder: city.toml and terminals.toml.
    Init {
        /// The folder.
        dir: PathBuf,
    },
    /// Checks the files of a folder, or single files.
    Check(check::Check),
    /// Tells what changes for whom at which instant, and what looks wrong.
    Plan(planned::PlanArgs),
    /// Builds a release: every terminal's schedule, to be signed.
    Build(build::Build),
    /// Adds signatures to a release or a key set, in place.
    Sign(sign::Sign),
    /// Verifies a release as terminals do, or one signature.
    Verify(verify::Verify),
    /// Shows what a file says, whoever signed it.
    Show(show::Show),
    /// Tells how two releases or plans differ.
    Diff(planned::DiffArgs),
    /// Sends a signed release to the office.
    Push(office::Push),
    /// Asks the office how far its terminals are.
    Status(office::Status),
    /// Writes terminals' files onto a USB stick.
    Export(export::Export),
    /// Makes and changes key sets: whose signatures count.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Rehearses a plan with the real program of terminals.
    Rehearse(rehearse::Rehearse),
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let done = match command {
        Command::Init { dir } => init::run(&dir, json),
        Command::Check(args) => check::run(&args, json),
        Command::Plan(args) => planned::run(&args, json),
        Command::Build(args) => build::run(&args, json),
        Command::Sign(args) => sign::run(&args, json),
        Command::Verify(args) => verify::run(&args, json),
        Command::Show(args) => show::run(&args, json),
        Command::Diff(args) => planned::diff(&args, json),
        Command::Push(args) => office::push(&args, json),
        Command::Status(args) => office::status(&args, json),
        Command::Export(args) => export::run(&args, json),
        Command::Keys(command) => keys::run(command, json),
        Command::Rehearse(args) => rehearse::run(&args, json),
    };
    done.unwrap_or_else(|fault| {
        let (status, why) = match &fault {
            Fault::Refused { why, .. } => (1, *why),
            Fault::Misuse(_) => (2, None),
        };
        if json {
            out::json(&serde_json::json!({ "error": fault.to_string(), "why": why }));
        }
        out::note(format!("meguri-config: {fault}"));
        ExitCode::from(status)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_whole() {
        Arguments::command().debug_assert();
    }
}
