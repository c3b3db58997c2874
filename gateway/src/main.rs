//! The office's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    meguri_gateway::cli::main()
}
