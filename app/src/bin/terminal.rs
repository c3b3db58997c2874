//! A terminal without a screen: runs by itself, or with `--console` takes one command a line and
//! answers each with one line of JSON.
#![allow(clippy::print_stdout)] // The console's answers are this program's output.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::mpsc;

use anyhow::Context;
use clap::{Parser, Subcommand};
use meguri_app::body;
use meguri_app::console::Console;
use meguri_app::enrol;
use meguri_app::store;
use meguri_config::{Clock, Terminal};
use tracing_subscriber::EnvFilter;

/// A Meguri terminal without a screen (巡り 車載端末).
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The terminal's settings.
    #[arg(long, env = "MEGURI_TERMINAL_SETTINGS", default_value = "terminal.toml")]
    settings: PathBuf,
    /// The folder of its store; made where there is none.
    #[arg(long, env = "MEGURI_TERMINAL_DATA", default_value = "data")]
    data: PathBuf,
    /// A rehearsal's clock file.
    #[arg(long)]
    rehearsal: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    /// Read commands from standard input, one a line; `help` lists them.
    #[arg(long, global = true)]
    console: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run until told to stop (the default).
    Run,
    /// Become the terminal for which the office drew a code: makes the key, gets its certificate, writes the settings.
    Enrol {
        /// The code, or what its picture says (https://host:port/#CODE).
        code: String,
        /// The office's address, as shown beside the code.
        #[arg(long)]
        office: Option<String>,
        /// Enrol a terminal anew that is enrolled, as where its certificate is over. It stays the same one.
        #[arg(long)]
        again: bool,
    },
    /// Repair a damaged store: what can be read goes on in a new file, the old one is set aside whole.
    ///
    /// Stop the terminal first. Prints one line of JSON that says what was carried over and what was not.
    Repair,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("MEGURI_LOG").unwrap_or_else(|_| EnvFilter::new("info,rumqttc=off"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(Command::Enrol { code, office, again }) = &arguments.command {
        let (office, code) = enrol::typed(code, office.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let terminal = runtime.block_on(enrol::enrol(&arguments.settings, &office, &code, *again))?;
        println!("{}", serde_json::json!({ "enrolled": terminal.terminal, "vehicle": terminal.vehicle }));
        return Ok(());
    }
    let settings = Terminal::read(&arguments.settings)?;
    if let Some(Command::Repair) = arguments.command {
        let repaired = store::repair(
            &arguments.data,
            &settings.city,
            &settings.terminal,
            settings.store.device_secret_file.as_deref(),
        );
        let repaired =
            repaired.with_context(|| format!("terminal {} can't be repaired", settings.terminal))?;
        println!("{}", store::report(repaired.as_ref()));
        return Ok(());
    }
    let clock = match &arguments.rehearsal {
        Some(file) => Clock::rehearsal(file)?,
        None => Clock::system(),
    };
    let terminal = settings.terminal.clone();
    let handle = body::start(settings, &arguments.data, clock)
        .with_context(|| format!("terminal {terminal} can't start"))?;
    tracing::info!(%terminal, version = body::VERSION, "terminal started");
    // Signals and the console's end meet in one place.
    let (stop, stopped) = mpsc::channel();
    let on_signal = stop.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || wait_for_signal(&on_signal))
        .context("can't start the thread that waits for signals")?;
    if arguments.console {
        let handle = handle.clone();
        std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                converse(&Console::new(handle));
                // The program may have been told to stop already.
                let _stopping = stop.send(());
            })
            .context("can't start the console's thread")?;
    }
    stopped.recv().context("nobody is left to stop this terminal")?;
    handle.stop();
    tracing::info!(%terminal, "terminal stopped");
    Ok(())
}

/// Answers until `quit` or the end of the input.
fn converse(console: &Console) {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let reply = match line.trim() {
            "" => continue,
            line => console.reply(line),
        };
        // Flushed at once: whoever reads it relies on what it says.
        if writeln!(out, "{}", reply.json).and_then(|()| out.flush()).is_err() || reply.quit {
            return;
        }
    }
}

fn wait_for_signal(stop: &mpsc::Sender<()>) {
    match meguri_app::signals::wait_for_stop() {
        // The console may have ended the program already.
        Ok(()) => drop(stop.send(())),
        Err(error) => tracing::error!(%error, "can't wait for signals"),
    }
}
