//! `meguri-config`: what a city's terminals are set to, from the plan that people write to the release that terminals take over.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
