//! Programs under test: started, read, ended by SIGKILL or SIGTERM, and never left behind.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

/// A running program. Killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

/// The program of this workspace with that name, beside the one that runs.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("can't tell where this program is")?;
    // Tests lie in deps/, programs one above.
    for folder in here.ancestors().skip(1).take(2) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("no program {name} beside {}: build it first with `cargo build --workspace`", here.display())
}

impl Process {
    /// Starts `command`; its standard error goes to the file `log`, added to what is there.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let to = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("can't write the log {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(to)
            .spawn()
            .with_context(|| format!("can't start {name}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().with_context(|| format!("{name} has no output"))?;
        let (to, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, stdin, lines, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line it printed.
    ///
    /// # Errors
    /// When it ends or stays silent for `patience`.
    pub fn line(&mut self, patience: Duration) -> anyhow::Result<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} said nothing for {patience:?}; its log ends:\n{}", self.name, self.tail())
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} ended; its log ends:\n{}", self.name, self.tail())
            }
        }
    }

    /// Writes a line to it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().with_context(|| format!("{} takes no input", self.name))?;
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .with_context(|| format!("{} is gone", self.name))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM, and waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        if self.child.try_wait().context("can't wait for a program")?.is_none() {
            signal(self.child.id(), "TERM")?;
        }
        self.await_end(patience)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn await_end(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let started = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("can't wait for a program")? {
                return Ok(status);
            }
            if started.elapsed() > patience {
                bail!("{} did not end within {patience:?}; its log ends:\n{}", self.name, self.tail());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its exit status, where it has ended.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The end of its log.
    #[must_use]
    pub fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal, like `TERM`, by the shell's own kill: the standard library only knows SIGKILL.
///
/// # Errors
/// When there is no shell, or no such process.
pub fn signal(id: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()])
        .stderr(Stdio::null())
        .status()
        .context("can't run sh")?;
    if !status.success() {
        bail!("can't send {name} to process {id}");
    }
    Ok(())
}
