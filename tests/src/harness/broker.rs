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

/// The same with certificates.
const CERTIFICATES: &str = include_str!("../../../docs/brokers/mosquitto/certificates.conf");
/// Where Debian puts it.
const PLUGIN: &str = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so";
/// Of the broker's own clients.
const ROSTER: &str = "dynamic-security.json";

/// `text` with `new` in the one place where `old` stands.
pub(super) fn replaced(text: &str, old: &str, new: &str) -> anyhow::Result<String> {
    anyhow::ensure!(text.matches(old).count() == 1, "the documents' file should have {old:?} once");
    Ok(text.replace(old, new))
}

/// A Mosquitto in a folder of its own.
pub struct Mosquitto {
    dir: PathBuf,
    port: Port,
    /// Where the office comes in, if elsewhere.
    office: Option<Port>,
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
        Ok(Self { dir: dir.to_owned(), port, office: None, process: None })
    }

    /// Sets one up in `dir` that lets terminals in by certificates of the authority in the folder `ca` of a gateway, shows
    /// itself by that gateway's own certificate, and lets the office in over TLS with this password.
    ///
    /// # Errors
    /// When a file can't be read or written, or `mosquitto_ctrl` fails.
    pub fn set_up_with_certificates(dir: &Path, ca: &Path, password: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
        let (port, office) = (Port::take()?, Port::take()?);
        let path = |folder: &Path, name: &str| folder.join(name).display().to_string();
        let roster = path(dir, ROSTER);
        let made = Command::new("mosquitto_ctrl")
            .args(["dynsec", "init", &roster, OFFICE, password])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context("can't run mosquitto_ctrl: install the package mosquitto")?;
        if !made.success() {
            bail!("mosquitto_ctrl could not make {roster}");
        }
        let plugin = [PLUGIN, &PLUGIN.replace("x86_64", "aarch64")]
            .into_iter()
            .find(|plugin| Path::new(plugin).is_file())
            .context("there is no mosquitto_dynamic_security.so: install the package mosquitto")?
            .to_owned();
        let listens = |port: &Port| format!("{} {}", port.address().port(), port.address().ip());
        let mut settings = CERTIFICATES.replace("/etc/mosquitto/broker.pem", &path(ca, "office.pem"));
        settings = settings.replace("/etc/mosquitto/broker.key", &path(ca, "office.key"));
        for (old, new) in [
            (PLUGIN, plugin.as_str()),
            ("file /var/lib/mosquitto/dynamic-security.json", &format!("file {roster}")),
            ("listener 18650 127.0.0.1", &format!("listener {}", listens(&office))),
            ("listener 8883", &format!("listener {}", listens(&port))),
            ("/etc/mosquitto/terminals.pem", &path(dir, "terminals.pem")),
            ("# certfile", "certfile"),
            ("# keyfile", "keyfile"),
        ] {
            settings = replaced(&settings, old, new)?;
        }
        fs::copy(ca.join("authority.pem"), dir.join("terminals.pem")).context("can't copy the authority")?;
        settings.push_str("user root\nlog_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n");
        fs::write(dir.join("mosquitto.conf"), settings)?;
        Ok(Self { dir: dir.to_owned(), port, office: Some(office), process: None })
    }

    /// Has it let in terminals by certificates of these authorities, too, from its next start on.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn believe(&self, pem: &str) -> anyhow::Result<()> {
        let path = self.dir.join("terminals.pem");
        let both = fs::read_to_string(&path)? + pem;
        fs::write(&path, both).with_context(|| format!("can't write {}", path.display()))
    }

    /// Where the office comes in.
    #[must_use]
    pub fn office(&self) -> SocketAddr {
        self.office.as_ref().unwrap_or(&self.port).address()
    }

    /// Does something with its clients and roles, as an operator would.
    ///
    /// # Errors
    /// When `mosquitto_ctrl` fails.
    pub fn control(&self, ca: &Path, password: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let address = self.office();
        let output = Command::new("mosquitto_ctrl")
            .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .args(["-u", OFFICE, "-P", password, "--cafile", &ca.display().to_string(), "dynsec"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("mosquitto_ctrl: {said}{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(said)
    }

    /// Has it forget all clients and roles but the office, as where its file was lost. It must not run.
    ///
    /// # Errors
    /// When the file can't be made anew.
    pub fn forget(&self, password: &str) -> anyhow::Result<()> {
        let roster = self.dir.join(ROSTER);
        fs::remove_file(&roster)?;
        let roster = roster.display().to_string();
        let made = Command::new("mosquitto_ctrl")
            .args(["dynsec", "init", &roster, OFFICE, password])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        anyhow::ensure!(made.success(), "mosquitto_ctrl could not make {roster}");
        Ok(())
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
