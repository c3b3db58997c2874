//! Any number of simulated terminals against a gateway: a load generator, and a tool with which a city rehearses.

use std::process::ExitCode;

fn main() -> ExitCode {
    meguri_tests::fleet::program::main()
}
