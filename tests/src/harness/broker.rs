//! Debian's Mosquitto as the external broker, with the users and access rules that the documents ask for.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::eventually;
use super::port::Port;
use super::process::Process;

/// The gateway's user name at the broker.
pub const OFFICE: &str = "office";

/// The files that operators are given, so that what the documents say is what is tried.
const SETTINGS: &str = include_str!("../../../docs/brokers/mosquitto/mosquitto.conf");
const ACCESS: &str = include_str!("../../../docs/brokers/mosquitto/access");

/// `text` with `new` in the one place where `old` stands.
pub(super) fn replaced(text: &str, old: &str, new: &str) -> anyhow::Result<String> {
    anyhow::ensure!(text.matches(old).count() == 1, "the documents' file should have {old:?} once");
    Ok(text.replace(old, new))
}

/// A Mosquitto in a folder of its own.
pub struct Mosquitto {
    dir: PathBuf,
    port: Port,
    process: Option<Process>,
}

impl Mosquitto {
    /// Sets one up in `dir` for users with these names and passwords; it is not started yet.
    ///
    /// # Errors
    /// When a file can't be written or `mosquitto_passwd` fails.
    pub fn set_up(dir: &Path, users: &[(&str, &str)]) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        let port = Port::take()?;
        let address = port.address();
        let (passwords, access) = (dir.join("passwords"), dir.join("access"));
        let mut plain = String::new();
        for (user, password) in users {
            writeln!(plain, "{user}:{password}")?;
        }
        fs::write(&passwords, plain)?;
        let made = Command::new("mosquitto_passwd")
            .arg("-U")
            .arg(&passwords)
            .stdin(Stdio::null())
            .status()
            .context("can't run mosquitto_passwd: install the package mosquitto")?;
        if !made.success() {
            bail!("mosquitto_passwd could not hash {}", passwords.display());
        }
        fs::write(&access, ACCESS)?;
        let mut settings =
            replaced(SETTINGS, "18650 127.0.0.1", &format!("{} {}", address.port(), address.ip()))?;
        settings = replaced(&settings, "/etc/mosquitto/passwords", &passwords.display().to_string())?;
        settings = replaced(&settings, "/etc/mosquitto/access", &access.display().to_string())?;
        settings.push_str("user root\nlog_dest stderr\nlog_type error\nlog_type warning\n");
        fs::write(dir.join("mosquitto.conf"), settings)?;
        Ok(Self { dir: dir.to_owned(), port, process: None })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When there is no Mosquitto.
    pub fn start(&mut self) -> anyhow::Result<()> {
        // Debian keeps it where only root looks by default.
        let binary = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).is_file());
        let mut command = Command::new(binary.unwrap_or("mosquitto"));
        command.arg("-c").arg(self.dir.join("mosquitto.conf"));
        let mut process = Process::start("mosquitto", &mut command, &self.dir.join("mosquitto.log"))?;
        eventually("mosquitto listens", || {
            if let Some(status) = process.ended() {
                panic!("mosquitto ended with {status}:\n{}", process.tail());
            }
            TcpStream::connect(self.port.address()).ok()
        });
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }
}
