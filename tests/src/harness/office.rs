//! The office as its operators run it: the program `meguri-gateway` over a data folder.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, bail};
use meguri_config::City;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::http::Visitor;
use super::process::{Process, program};

/// The store's file in the data folder.
const STORE: &str = "meguri.db";
/// How long a debug build may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an external broker is reached.
#[derive(Debug, Clone)]
pub struct External {
    /// Where it listens.
    pub address: SocketAddr,
    /// The office's user name.
    pub user: String,
    /// The office's password.
    pub password: String,
}

/// An office: data folder, settings and, while it runs, the process.
pub struct Office {
    dir: PathBuf,
    mqtt: SocketAddr,
    process: Option<Process>,
    page: Option<String>,
    door: Option<String>,
}

impl Office {
    /// Sets one up below `dir`, not started yet. `mqtt` is where its own broker listens where there is no `external` one.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn set_up(
        dir: &Path,
        city: &City,
        rehearsal: Option<&Path>,
        mqtt: SocketAddr,
        external: Option<&External>,
    ) -> anyhow::Result<Self> {
        let data = dir.join("data");
        fs::create_dir_all(&data).with_context(|| format!("can't make {}", data.display()))?;
        fs::write(data.join("city.toml"), toml::to_string(city)?)?;
        let mut settings = toml::Table::new();
        let mut put = |section: &str, key: &str, value: toml::Value| {
            let section = settings.entry(section).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(section) = section {
                section.insert(key.to_owned(), value);
            }
        };
        put("web", "listen", "127.0.0.1:0".into());
        put("timers", "say_hello", 0.2.into());
        put("timers", "reconnect", 0.05.into());
        put("timers", "reconnect_most", 0.3.into());
        put("timers", "keep_alive", 5.0.into());
        put("timers", "day", 1.0.into());
        put("log", "level", "debug".into());
        // Nobody here has a telephone, and many sign in at once.
        put("people", "second_factor", "optional".into());
        put("people", "attempts_a_minute", 1_000.into());
        put("people", "pages_a_minute", 60_000.into());
        put("mqtt", "listen", mqtt.to_string().into());
        if let Some(external) = external {
            let password = data.join("broker-password");
            fs::write(&password, &external.password)?;
            let mut table = toml::Table::new();
            table.insert("host".into(), external.address.ip().to_string().into());
            table.insert("port".into(), i64::from(external.address.port()).into());
            table.insert("user".into(), external.user.clone().into());
            table.insert("password_file".into(), password.display().to_string().into());
            put("mqtt", "external", table.into());
        }
        settings.insert("data".into(), data.display().to_string().into());
        if let Some(rehearsal) = rehearsal {
            settings.insert("rehearsal".into(), rehearsal.display().to_string().into());
        }
        fs::write(dir.join("gateway.toml"), toml::to_string(&settings)?)?;
        Ok(Self { dir: dir.to_owned(), mqtt, process: None, page: None, door: None })
    }

    /// Has it speak TLS from its next start on, as 127.0.0.1.
    ///
    /// # Errors
    /// When its settings can't be read or written.
    pub fn set_up_tls(&self) -> anyhow::Result<()> {
        self.change_settings(|settings| {
            let mut tls = toml::Table::new();
            tls.insert("names".into(), vec!["127.0.0.1"].into());
            tls.insert("listen".into(), "127.0.0.1:0".into());
            settings.insert("tls".into(), tls.into());
        })
    }

    /// Has it start with other settings from its next start on.
    ///
    /// # Errors
    /// When its settings can't be read or written.
    pub fn change_settings(&self, change: impl FnOnce(&mut toml::Table)) -> anyhow::Result<()> {
        let path = self.dir.join("gateway.toml");
        let mut settings: toml::Table = fs::read_to_string(&path)?.parse()?;
        change(&mut settings);
        fs::write(&path, toml::to_string(&settings)?)?;
        Ok(())
    }

    /// Has it use a Mosquitto with certificates from its next start on: the office at one address, terminals at another.
    ///
    /// # Errors
    /// When its settings can't be read or written.
    pub fn set_up_dynamic(&self, external: &External, terminals: SocketAddr) -> anyhow::Result<()> {
        let password = self.data().join("broker-password");
        fs::write(&password, &external.password)?;
        let (address, user) = (external.address, external.user.clone());
        self.change_settings(|settings| {
            let Some(mqtt) = settings.get_mut("mqtt").and_then(toml::Value::as_table_mut) else { return };
            let mut table = toml::Table::new();
            table.insert("host".into(), address.ip().to_string().into());
            table.insert("port".into(), i64::from(address.port()).into());
            table.insert("user".into(), user.into());
            table.insert("password_file".into(), password.display().to_string().into());
            table.insert("authority".into(), "ca/authority.pem".into());
            table.insert("terminals".into(), terminals.to_string().into());
            table.insert("dynamic_security".into(), true.into());
            mqtt.insert("external".into(), table.into());
        })
    }

    /// Where terminals enrol, while it runs with TLS.
    ///
    /// # Errors
    /// When it does not.
    pub fn door(&self) -> anyhow::Result<&str> {
        self.door.as_deref().context("the office does not run with TLS")
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where its own broker listens.
    #[must_use]
    pub fn mqtt(&self) -> SocketAddr {
        self.mqtt
    }

    /// The address of its page, while it runs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn page(&self) -> anyhow::Result<&str> {
        self.page.as_deref().context("the office does not run")
    }

    /// A city's administrator who is signed in, while it runs. The first time their account is made.
    ///
    /// # Errors
    /// When it does not run, or refuses.
    pub fn visitor(&self) -> anyhow::Result<Visitor> {
        const LOGIN: &str = "visitor";
        let file = self.dir.join("visitor-password");
        if !file.is_file() {
            fs::write(&file, format!("{}\n", uuid::Uuid::new_v4()))?;
            let file = file.display().to_string();
            self.must(&["person", "add", LOGIN, "--role", "administrator", "--password-file", &file])?;
        }
        Visitor::sign_in(self.page()?, LOGIN, fs::read_to_string(&file)?.trim())
    }

    /// A command line of the gateway on this office.
    ///
    /// # Errors
    /// When the program has not been built.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(program("meguri-gateway")?);
        command.arg("--config").arg(self.dir.join("gateway.toml"));
        Ok(command)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_as(self.command()?.arg("serve"))
    }

    /// Starts it by a command line of the caller's, which ends in `serve`, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Office::start`].
    pub fn start_as(&mut self, command: &mut Command) -> anyhow::Result<()> {
        let mut process = Process::start("meguri-gateway", command, &self.dir.join("gateway.log"))?;
        let line = process.line(PATIENCE)?;
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("the gateway said {line:?}"))?;
        if ready["ready"] != true {
            bail!("the gateway said {line:?} instead of being ready");
        }
        self.page = ready["web"].as_str().map(str::to_owned);
        self.door = ready["enrol"].as_str().map(str::to_owned);
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
        self.page = None;
    }

    /// SIGTERM; it must end by itself with status 0.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        self.page = None;
        let status = process.stop(PATIENCE)?;
        if !status.success() {
            bail!("the gateway stopped with {status}:\n{}", process.tail());
        }
        Ok(())
    }

    /// Its process id, while it runs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process_id(&self) -> anyhow::Result<u32> {
        Ok(self.process.as_ref().context("the office does not run")?.id())
    }

    /// Runs a command of the gateway to its end.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.command()?.args(arguments).output().context("can't run meguri-gateway")
    }

    /// Runs a command of the gateway, which must succeed.
    ///
    /// # Errors
    /// When it can't be run or fails; the error carries what it said.
    pub fn must(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.run(arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("meguri-gateway {} ended with {}: {said}{error}", arguments.join(" "), output.status);
        }
        Ok(said)
    }

    /// Imports the text of a request file by the text of a profile; the exit status.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn import(&self, profile: &str, csv: &str) -> anyhow::Result<Output> {
        let (profile_path, file) = (self.dir.join("profile.toml"), self.dir.join("requests.csv"));
        fs::write(&profile_path, profile)?;
        fs::write(&file, csv)?;
        let (data, profile, file) = (
            self.data().display().to_string(),
            profile_path.display().to_string(),
            file.display().to_string(),
        );
        self.run(&["import", "--profile", &profile, "--data", &data, &file])
    }

    /// Makes a terminal; its settings and secret lie in `out` then.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn add_terminal(&self, id: &str, vehicle: &str, out: &Path) -> anyhow::Result<()> {
        self.must(&["terminal", "add", id, "--vehicle", vehicle, "--out", &out.display().to_string()])?;
        Ok(())
    }

    /// The store, to be read.
    ///
    /// # Errors
    /// When there is none.
    pub fn store(&self) -> anyhow::Result<Connection> {
        let path = self.data().join(STORE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Connection::open_with_flags(&path, flags)
            .with_context(|| format!("can't read {}", path.display()))?;
        store.busy_timeout(Duration::from_secs(10))?;
        Ok(store)
    }

    /// One number from the store, like a count.
    ///
    /// # Errors
    /// When the query fails.
    pub fn number(&self, query: &str) -> anyhow::Result<i64> {
        self.store()?.query_row(query, [], |row| row.get(0)).with_context(|| format!("can't ask {query}"))
    }

    /// Copies the store of a stopped or killed office to `backup`.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn back_up(&self, backup: &Path) -> anyhow::Result<()> {
        copy_folder(&self.data(), backup)
    }

    /// Puts a copy in place of the store of a stopped or killed office. `whole` puts back everything in the
    /// folder; otherwise the store's file alone comes back, as when somebody restores just the database.
    ///
    /// # Errors
    /// When a file can't be copied.
    pub fn restore(&self, backup: &Path, whole: bool) -> anyhow::Result<()> {
        restore_store(&self.data(), backup, STORE, whole)
    }
}

/// Copies a folder's plain files.
///
/// # Errors
/// When one can't be copied.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // Sockets and the like stay.
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("can't copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Puts back the store's files, or with `whole` all files, of a copied folder.
///
/// # Errors
/// When one can't be copied.
pub fn restore_store(data: &Path, backup: &Path, store: &str, whole: bool) -> anyhow::Result<()> {
    // A write-ahead log of the newer life must not meet the older file.
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let of_store = entry.file_name().to_string_lossy().starts_with(store);
        if entry.file_type()?.is_file() && (whole || of_store) {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(backup)? {
        let entry = entry?;
        if whole || entry.file_name().to_string_lossy().starts_with(store) {
            fs::copy(entry.path(), data.join(entry.file_name()))?;
        }
    }
    Ok(())
}
