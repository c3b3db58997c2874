//! Rehearses a contractor switchover in minutes.

use std::process::ExitCode;

fn main() -> ExitCode {
    meguri_tests::rehearsal::program::main()
}
