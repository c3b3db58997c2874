//! Debian's Mosquitto as the external broker, with the users and access rules that the documents ask for.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use meguri_proto::limits;

use super::eventually;
use super::port::Port;
use super::process::Process;

/// The gateway's user name at the broker.
pub const OFFICE: &str = "office";

/// What every user may do: a terminal writes below its own `up/` and reads below its own `down/`.
const ACCESS: &str = "\
user office
topic read meguri/1/hiroshima/+/up/#
topic write meguri/1/hiroshima/+/down/#

pattern write meguri/1/hiroshima/%u/up/#
pattern read meguri/1/hiroshima/%u/down/#
";

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
        let settings = format!(
            "listener {} {}\nuser root\nallow_anonymous false\npassword_file {}\nacl_file {}\n\
             use_username_as_clientid true\nmax_packet_size {}\npersistence false\nlog_dest stderr\nlog_type error\nlog_type warning\n",
            address.port(),
            address.ip(),
            passwords.display(),
            access.display(),
            limits::PACKET_BYTES,
        );
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
