//! The program for a tablet: the terminal with its screens.
#![allow(clippy::print_stderr)] // What keeps it from starting is told to whoever started it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use meguri_app::body;
use meguri_app::screen::{Look, Screen, fonts};
use meguri_config::{Clock, Terminal};
use slint::ComponentHandle;

/// The crew's tablet: today's pickups, recorded with or without coverage.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The terminal's settings (terminal.toml).
    #[arg(long)]
    settings: PathBuf,
    /// Where this terminal keeps what it recorded and its lists.
    #[arg(long)]
    data: PathBuf,
    /// Run by a rehearsal's clock, from its file.
    #[arg(long)]
    rehearsal: Option<PathBuf>,
    /// The window's first size.
    #[arg(long, default_value = "1280x800", value_parser = size)]
    size: (u32, u32),
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parts
        .filter(|&(w, h)| (480..=10_000).contains(&w) && (400..=10_000).contains(&h))
        .ok_or_else(|| "expected WIDTHxHEIGHT, at least 480x400, such as 1280x800".to_owned())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tablet: {}", meguri_config::told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Before anything else: the program starts itself again here.
    if let Some(code) = fonts::restart_with(&arguments.data.join("fonts"))? {
        return Ok(code);
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,tablet=info,meguri_app=info,meguri_core=info".into()),
        )
        .init();
    let settings = Terminal::read(&arguments.settings)?;
    let clock = arguments.rehearsal.as_deref().map_or_else(|| Ok(Clock::system()), Clock::rehearsal)?;
    let look = Look { size: arguments.size, ..Look::of(&settings) };
    let terminal = body::start(settings, &arguments.data, clock).context("can't start the terminal")?;
    let (recorder, confirmer) = (terminal.clone(), terminal.clone());
    let screen = Screen::new(
        &look,
        move |intent, shown, reply| recorder.record_then(intent, shown, reply),
        move |date| confirmer.confirm_date(date),
    )?;
    screen.window().show()?;
    screen.follow(terminal.view())?;
    quit_on_signal();
    slint::run_event_loop()?;
    screen.window().hide()?;
    drop(screen);
    terminal.stop();
    Ok(ExitCode::SUCCESS)
}

/// Whoever ends the program by a signal lets it say goodbye to the office. Where no signal can be waited
/// for it ends at once, and the store needs no goodbye.
fn quit_on_signal() {
    #[cfg(unix)]
    std::thread::spawn(|| {
        match meguri_app::signals::wait_for_stop() {
            // The window may have been closed at the same time.
            Ok(()) => drop(slint::quit_event_loop()),
            Err(error) => tracing::warn!(%error, "can't wait for signals"),
        }
    });
}
