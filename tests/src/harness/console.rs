//! A terminal as a vehicle without a screen runs it: the program `terminal --console`, spoken to line by line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use meguri_config::Terminal;
use meguri_config::terminal::Timers;
use serde_json::Value;

use super::office::{copy_folder, restore_store};
use super::process::{Process, program};
use super::proxy::Proxy;

/// The store's file in the data folder.
const STORE: &str = "terminal.db";
/// How long one answer may take; a disk's flush can take long while others flush too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Timers short enough that no test waits long.
#[must_use]
pub fn short_timers() -> Timers {
    Timers {
        hello: 3.0,
        silence: 0.4,
        silence_most: 1.0,
        reconnect: 0.05,
        reconnect_most: 0.3,
        health: 2.0,
        keep_alive: 5.0,
        join: 5.0,
        peripherals: 0.3,
        sticks: 0.2,
        trial: 1.0,
    }
}

/// A terminal: its folder, its line and, while it runs, the process.
pub struct Console {
    name: String,
    dir: PathBuf,
    rehearsal: Option<PathBuf>,
    line: Arc<Proxy>,
    process: Option<Process>,
}

impl Console {
    /// Takes over the folder that `terminal add --out` wrote; the terminal reaches its broker through a proxy of its own.
    ///
    /// # Errors
    /// When the settings can't be read or written.
    pub fn set_up(
        dir: &Path,
        broker: std::net::SocketAddr,
        rehearsal: Option<&Path>,
        change: impl FnOnce(&mut Terminal),
    ) -> anyhow::Result<Self> {
        let path = dir.join("terminal.toml");
        let mut settings = Terminal::read(&path)?;
        let line = Arc::new(Proxy::start(broker)?);
        settings.broker.host = line.address().ip().to_string();
        settings.broker.port = line.address().port();
        settings.timers = short_timers();
        // No stick of the machine that the tests run on.
        settings.import_from = vec![dir.join("sticks")];
        change(&mut settings);
        fs::write(&path, toml::to_string(&settings)?)?;
        Ok(Self {
            name: settings.terminal.to_string(),
            dir: dir.to_owned(),
            rehearsal: rehearsal.map(Path::to_owned),
            line,
            process: None,
        })
    }

    /// Another device under the same name: a copy of this one's folder, store and all, with a line of its own.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn clone_to(&self, dir: &Path, broker: std::net::SocketAddr) -> anyhow::Result<Self> {
        copy_folder(&self.dir, dir)?;
        copy_folder(&self.data(), &dir.join("data"))?;
        copy_folder(&self.data().join("keys"), &dir.join("data/keys"))?;
        let (secret, identity) = (dir.join("secret"), dir.join("identity"));
        if self.dir.join("identity").is_dir() {
            copy_folder(&self.dir.join("identity"), &identity)?;
        } else if !secret.is_file() {
            bail!("{} holds no secret", self.dir.display());
        }
        Self::set_up(dir, broker, self.rehearsal.as_deref(), |settings| {
            let at = |there: &Option<PathBuf>, here| there.is_some().then_some(here);
            settings.broker.identity = at(&settings.broker.identity, identity);
            settings.broker.secret_file = at(&settings.broker.secret_file, secret);
        })
    }

    /// The terminal's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its line to the broker.
    #[must_use]
    pub fn line(&self) -> &Proxy {
        &self.line
    }

    /// Its line to the broker, for a thread that breaks it meanwhile.
    #[must_use]
    pub fn shared_line(&self) -> Arc<Proxy> {
        Arc::clone(&self.line)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Runs it by another clock from its next start on.
    pub fn set_rehearsal(&mut self, rehearsal: &Path) {
        self.rehearsal = Some(rehearsal.to_owned());
    }

    /// The command line that runs it with a console.
    ///
    /// # Errors
    /// When the program has not been built.
    pub fn command_line(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(program("terminal")?);
        command.arg("--settings").arg(self.dir.join("terminal.toml"));
        command.arg("--data").arg(self.data());
        if let Some(rehearsal) = &self.rehearsal {
            command.arg("--rehearsal").arg(rehearsal);
        }
        command.args(["run", "--console"]);
        Ok(command)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_as(&mut self.command_line()?)
    }

    /// Starts it by a command line of the caller's.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_as(&mut self, command: &mut Command) -> anyhow::Result<()> {
        self.process = None;
        self.process = Some(Process::start(&self.name, command, &self.dir.join("terminal.log"))?);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends it by its own command, and waits until it has ended by itself: its store is closed then.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn quit(&mut self) -> anyhow::Result<()> {
        self.ask("quit")?;
        let process = self.process.as_mut().context("the terminal does not run")?;
        let ended = process.await_end(PATIENCE)?;
        self.process = None;
        if !ended.success() {
            bail!("{} ended with {ended}", self.name);
        }
        Ok(())
    }

    /// Its process id, while it runs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process_id(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("the terminal does not run")?.id())
    }

    /// Says a command and reads its answer.
    ///
    /// # Errors
    /// When the terminal is gone or answers with something else than JSON.
    pub fn ask(&mut self, command: &str) -> anyhow::Result<Value> {
        self.say(command)?;
        self.answer()
    }

    /// How it stands: line, logs, documents.
    ///
    /// # Errors
    /// As [`Console::ask`].
    pub fn status(&mut self) -> anyhow::Result<Value> {
        Ok(self.ask("status")?["status"].take())
    }

    /// Today's stops.
    ///
    /// # Errors
    /// As [`Console::ask`].
    pub fn stops(&mut self) -> anyhow::Result<Vec<Value>> {
        let stops = self.ask("list")?["list"]["stops"].take();
        Ok(serde_json::from_value(stops).unwrap_or_default())
    }

    /// Says a command without waiting for the answer.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn say(&mut self, command: &str) -> anyhow::Result<()> {
        self.process.as_mut().context("the terminal does not run")?.say(command)
    }

    /// Reads the next answer.
    ///
    /// # Errors
    /// As [`Console::ask`].
    pub fn answer(&mut self) -> anyhow::Result<Value> {
        let line = self.process.as_mut().context("the terminal does not run")?.line(PATIENCE)?;
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name))
    }

    /// Copies the store of a killed terminal to `backup`.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn back_up(&self, backup: &Path) -> anyhow::Result<()> {
        copy_folder(&self.data(), backup)
    }

    /// Puts a copy in place of the store of a killed terminal.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn restore(&self, backup: &Path) -> anyhow::Result<()> {
        restore_store(&self.data(), backup, STORE, false)
    }
}
