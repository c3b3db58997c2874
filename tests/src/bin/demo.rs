//! A city's day at 60 times speed: the gateway and its broker, eleven simulated crews, and one round for whoever watches.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person who started it"
)]

use std::process::ExitCode;

use clap::Parser;
use meguri_tests::demo::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("デモを続けられません / The demo can't go on: {}", meguri_config::told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
