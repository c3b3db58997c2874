//! The program for a tablet: the terminal with its screens.
#![allow(clippy::print_stderr)] // What keeps it from starting is told to whoever started it.

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context;
use clap::Parser;
use meguri_app::body::{self, StartError};
use meguri_app::enrol;
use meguri_app::office::AskError;
use meguri_app::screen::enrol::EnrolScreen;
use meguri_app::screen::fault::{FaultScreen, Left};
use meguri_app::screen::{Look, Screen, fonts};
use meguri_app::store::{self, Store, StoreError};
use meguri_config::terminal::Language;
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
    /// Repair a damaged store and end: what can be read goes on in a new file, the old one is set aside whole.
    #[arg(long)]
    repair: bool,
    /// Enrol anew, as where the terminal's certificate is over. It stays the same terminal. Without settings it is asked anyway.
    #[arg(long)]
    enrol: bool,
    /// The language of the enrolment's screen: ja or en.
    #[arg(long, default_value = "ja", value_parser = language)]
    language: Language,
    /// Write down how long each frame takes.
    #[cfg(feature = "frames")]
    #[arg(long)]
    trace_frames: Option<PathBuf>,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parts
        .filter(|&(w, h)| (480..=10_000).contains(&w) && (400..=10_000).contains(&h))
        .ok_or_else(|| "expected WIDTHxHEIGHT, at least 480x400, such as 1280x800".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    match text {
        "ja" => Ok(Language::Ja),
        "en" => Ok(Language::En),
        _ => Err("expected ja or en".to_owned()),
    }
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
    if arguments.repair {
        let settings = Terminal::read(&arguments.settings)?;
        let repaired = store::repair(
            &arguments.data,
            &settings.city,
            &settings.terminal,
            settings.store.device_secret_file.as_deref(),
        );
        let repaired =
            repaired.with_context(|| format!("terminal {} can't be repaired", settings.terminal))?;
        writeln!(std::io::stdout(), "{}", store::report(repaired.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before anything else: the program starts itself again here.
    if let Some(code) = with_fonts(&arguments.data)? {
        return Ok(code);
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,tablet=info,meguri_app=info,meguri_core=info".into()),
        )
        .init();
    if arguments.enrol || !arguments.settings.exists() {
        return enrol(arguments, arguments.enrol);
    }
    let settings = Terminal::read(&arguments.settings)?;
    let clock = arguments.rehearsal.as_deref().map_or_else(|| Ok(Clock::system()), Clock::rehearsal)?;
    let look = Look { size: arguments.size, ..Look::of(&settings) };
    let terminal = match body::start(settings.clone(), &arguments.data, clock) {
        Ok(terminal) => terminal,
        // Without a certificate it is no terminal any more: the crew enrols it anew.
        Err(StartError::Identity(error)) => {
            tracing::error!(error = %meguri_config::told(&error), "can't start the terminal");
            return enrol(arguments, true);
        }
        Err(StartError::Store(error)) => return tell(&error, &look, &settings, &arguments.data),
        Err(error) => return Err(error).context("can't start the terminal"),
    };
    let (recorder, confirmer) = (terminal.clone(), terminal.clone());
    let screen = Screen::new(
        &look,
        move |intent, shown, reply| recorder.record_then(intent, shown, reply),
        move |date| confirmer.confirm_date(date),
    )?;
    let setter = terminal.clone();
    screen.on_set_date(move |date| setter.set_date(date));
    let repair = Rc::new(Cell::new(false));
    let asked = Rc::clone(&repair);
    screen.on_repair(move || {
        asked.set(true);
        // A loop that has ended already is what was wanted.
        drop(slint::quit_event_loop());
    });
    let (signer, locker) = (terminal.clone(), terminal.clone());
    screen.on_sign_in(move |member, pin, reply| signer.sign_in_then(member, pin, reply));
    screen.on_lock(move || locker.lock());
    let enrol_anew = Rc::new(Cell::new(false));
    let asked = Rc::clone(&enrol_anew);
    screen.on_enrol(move || {
        asked.set(true);
        drop(slint::quit_event_loop());
    });
    #[cfg(feature = "frames")]
    let _trace = match &arguments.trace_frames {
        Some(file) => Some(meguri_app::screen::frames::trace(screen.window(), file)?),
        None => None,
    };
    screen.window().show()?;
    screen.follow(terminal.view())?;
    screen.follow_settings(terminal.settings())?;
    quit_on_signal();
    slint::run_event_loop()?;
    screen.window().hide()?;
    drop(screen);
    terminal.stop();
    if enrol_anew.get() {
        return Ok(fonts::restart_with_argument("--enrol")?);
    }
    if repair.get() {
        // Where nothing came of it, as on a full disk, the store is as it was: the crew goes on as before, and is still told.
        if let Err(error) = mend(&arguments.data, &settings) {
            tracing::error!(error = %meguri_config::told(&error), "the store could not be repaired");
        }
        return Ok(fonts::restart()?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The fonts lie with the data. Where there is no room for them, or no writing, they lie for a while somewhere else: the
/// crew must be told what is wrong.
fn with_fonts(data: &Path) -> Result<Option<ExitCode>, fonts::FontError> {
    let mut last = match fonts::restart_with(&data.join("fonts")) {
        Err(error @ fonts::FontError::Write { .. }) => Err(error),
        done => return done,
    };
    // The process stays the same when the program starts again, and so does the name.
    let name = format!("meguri-fonts-{}", std::process::id());
    for folder in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        match fonts::restart_with(&folder.join(&name)) {
            Err(fonts::FontError::Write { .. }) => {}
            done => last = done,
        }
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Has the crew enrol the tablet; it starts anew as that terminal.
fn enrol(arguments: &Arguments, again: bool) -> anyhow::Result<ExitCode> {
    let look = Look { size: arguments.size, language: arguments.language, ..Look::plain() };
    let settings = arguments.settings.clone();
    let screen = EnrolScreen::new(&look, move |code, office| {
        let (office, code) = enrol::typed(code, Some(office))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| AskError::Unreachable { address: office.clone(), problem: error.to_string() })?;
        runtime.block_on(enrol::enrol(&settings, &office, &code, again)).map(drop)
    })?;
    quit_on_signal();
    if screen.run()? { Ok(fonts::restart_without("--enrol")?) } else { Ok(ExitCode::FAILURE) }
}

/// Shows what keeps the terminal from starting, until that is over or the crew gives up.
fn tell(error: &StoreError, look: &Look, settings: &Terminal, data: &Path) -> anyhow::Result<ExitCode> {
    tracing::error!(error = %meguri_config::told(error), "can't start the terminal");
    let screen = FaultScreen::new(look, error, data)?;
    let (folder, ours) = (data.to_owned(), settings.clone());
    screen.on_repair(move || mend(&folder, &ours));
    quit_on_signal();
    let (folder, city, terminal) = (data.to_owned(), settings.city.clone(), settings.terminal.clone());
    let secret = settings.store.device_secret_file.clone();
    match screen.run(move || Store::open(&folder, &city, &terminal, secret.as_deref()).is_ok())? {
        Left::Closed => Ok(ExitCode::FAILURE),
        Left::Again => Ok(fonts::restart()?),
    }
}

/// Repairs the store, and says in the log what that did.
fn mend(data: &Path, settings: &Terminal) -> Result<(), StoreError> {
    let repaired = store::repair(
        data,
        &settings.city,
        &settings.terminal,
        settings.store.device_secret_file.as_deref(),
    )?;
    tracing::warn!(report = %store::report(repaired.as_ref()), "the store was repaired");
    Ok(())
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
