//! The gateway's settings: from defaults, a file (`gateway.toml`) and the environment, in this order.
//!
//! `MEGURI_GATEWAY__SECTION__KEY` in the environment sets `key` in `[section]`. A setting that is not
//! known is refused wherever it comes from; so is every other variable that begins like the program's
//! name. [`FIELDS`] says what each one means, and is what
//! `config print` prints.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use meguri_config::terminal::seconds;
use meguri_proto::ContractorId;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::people::Role;

/// What the settings' variables of the environment begin with.
pub const ENVIRONMENT: &str = "MEGURI_GATEWAY__";
/// No other variable may begin so: it is a setting's with a slip.
const OURS: &str = "MEGURI_GATEWAY";

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("can't read the settings {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or not of the settings' shape.
    #[error("{place}: {source}")]
    Shape {
        /// The file, or what else the settings came from.
        place: String,
        /// What the parser said, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A variable names no setting.
    #[error("{name} in the environment names no setting; `meguri-gateway config print` shows them all")]
    UnknownVariable {
        /// The variable.
        name: String,
    },
    /// A variable's value can't be.
    #[error("{name} in the environment: {source}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong with the value.
        source: Box<SettingsError>,
    },
    /// A value that can't be.
    #[error("{field}: {problem}")]
    Value {
        /// The setting.
        field: &'static str,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// The gateway's settings. [`FIELDS`] explains each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one, and a test holds it to that")]
pub struct Settings {
    pub data: PathBuf,
    pub city: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<PathBuf>,
    pub web: Web,
    pub mqtt: Mqtt,
    pub tls: Tls,
    pub ingest: Ingest,
    pub lists: Lists,
    pub retention: Retention,
    pub health: Health,
    pub timers: Timers,
    pub backup: Backup,
    pub people: People,
    pub audit: Audit,
    pub log: Log,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<Watch>,
    /// The file they were read from, for commands that must name it. No setting itself.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// The pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Web {
    pub listen: SocketAddr,
    pub silence_minutes: u16,
}

/// The broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Mqtt {
    pub listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// A broker that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct External {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password_file: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminals: Option<String>,
    #[serde(default)]
    pub dynamic_security: bool,
}

impl External {
    /// Where terminals reach it: host and port; none where that can't be read, or is not set.
    #[must_use]
    pub fn terminals(&self) -> Option<(String, u16)> {
        let (host, port) = self.terminals.as_ref()?.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| (host.to_owned(), port))
    }
}

/// TLS, and the certificates of terminals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Tls {
    pub names: Vec<String>,
    pub listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminals_authority: Option<PathBuf>,
    pub terminal_days: u16,
    pub code_minutes: u16,
}

impl Tls {
    /// The name by which terminals reach the office; none without TLS.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }
}

/// The writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Ingest {
    pub batch: usize,
    pub window: u16,
    pub readers: usize,
}

/// The day lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Lists {
    pub days_before: u8,
    pub days_after: u8,
}

/// How long what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Retention {
    pub residents_months: u16,
    pub list_days: u16,
    pub aside_days: u16,
    pub health_days: u16,
}

/// What counts as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Health {
    pub free_mib: u32,
}

/// Every timer, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Timers {
    pub say_hello: f64,
    pub reconnect: f64,
    pub reconnect_most: f64,
    pub keep_alive: f64,
    pub day: f64,
}

/// Backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Backup {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    pub keep: u16,
    pub hours: u16,
}

/// People who sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct People {
    pub second_factor: SecondFactor,
    pub idle_minutes: u16,
    pub hours: u16,
    pub attempts: u16,
    pub lock_seconds: u16,
    pub lock_minutes_most: u16,
    pub attempts_a_minute: u16,
    pub pages_a_minute: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<OpenId>,
}

/// Who needs a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// They see nothing without one.
    #[default]
    Required,
    /// Nobody sees anything without one.
    Everybody,
    /// Whoever wants has one.
    Optional,
}

/// The city's identity provider, by OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct OpenId {
    pub issuer: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    #[serde(default = "scope")]
    pub scope: String,
    #[serde(default = "claim")]
    pub claim: String,
    pub mapping: Vec<Mapped>,
    #[serde(default)]
    pub second_factor: AtProvider,
    #[serde(default)]
    pub acr: Vec<String>,
    #[serde(default)]
    pub passwords: Passwords,
}

/// What a value of the claim makes of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapped {
    /// The value, as the provider spells it.
    pub value: String,
    /// The role of whoever has it.
    pub role: Role,
    /// Whose dispatcher they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contractor: Option<ContractorId>,
}

/// When the second factor counts as given at the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtProvider {
    /// Where its token says so.
    #[default]
    Claimed,
    /// With every sign-in there.
    Always,
}

/// Who may sign in with a password where there is a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Passwords {
    /// Whoever has one.
    #[default]
    Allowed,
    /// Whom a command on the gateway's machine has let in for some hours.
    Emergency,
}

fn scope() -> String {
    "openid profile".to_owned()
}

fn claim() -> String {
    "groups".to_owned()
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Audit {
    pub syslog: String,
}

/// A folder into which another system drops request files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Watch {
    pub folder: PathBuf,
    pub profile: PathBuf,
    #[serde(default = "any_file")]
    pub files: String,
    #[serde(default)]
    pub trigger: String,
    #[serde(default)]
    pub accept_good: bool,
    #[serde(default)]
    pub day_in_name: bool,
    #[serde(default = "poll_seconds")]
    pub poll_seconds: f64,
}

fn any_file() -> String {
    "*".to_owned()
}

fn poll_seconds() -> f64 {
    10.0
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "FIELDS documents every one")]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Every setting with what it means, in the order of `config print`.
pub const FIELDS: &[(&str, &str)] = &[
    ("data", "Folder of the store. One process holds it."),
    ("city", "The city's plan; a relative path is one in the data folder."),
    ("rehearsal", "A rehearsal's clock (TOML with real, from, speed). Without it the system's clock counts."),
    (
        "web.listen",
        "Where the pages are served, over HTTPS with TLS. Loopback only without. Port 0 takes a free one.",
    ),
    (
        "web.silence_minutes",
        "Minutes without a word after which a terminal counts as silent while its vehicle has pickups left. It says hello every five.",
    ),
    (
        "mqtt.listen",
        "Where the embedded broker listens for terminals. Loopback only without TLS. Port 0 takes a free one.",
    ),
    (
        "mqtt.external.host",
        "An external MQTT 5 broker instead of the embedded one. Loopback only without mqtt.external.authority.",
    ),
    ("mqtt.external.port", "Its port."),
    (
        "mqtt.external.user",
        "The gateway's user name there; may subscribe and publish below meguri/1/{city}/.",
    ),
    ("mqtt.external.password_file", "File with the password; a relative path is one in the data folder."),
    (
        "mqtt.external.authority",
        "The authority behind the broker's certificate (PEM); with it the line is TLS. A relative path is one in the data folder.",
    ),
    (
        "mqtt.external.terminals",
        "Where terminals reach that broker over TLS, as host:port; they are told at their enrolment. Needed with tls.names.",
    ),
    (
        "mqtt.external.dynamic_security",
        "Whether it is a Mosquitto with the plugin dynamic security, whose clients and roles the gateway keeps for terminals: mqtt.external.user must have the role admin there. Needs tls.names.",
    ),
    (
        "tls.names",
        "Host names and addresses by which the office is reached, the first one by terminals. With any, pages are served over HTTPS, and terminals speak TLS and come in by certificate; without, nobody but this machine reaches the gateway.",
    ),
    (
        "tls.listen",
        "Where terminals enrol and renew their certificates, over HTTPS. Port 0 takes a free one.",
    ),
    (
        "tls.certificate",
        "A certificate of the city for these names, with all between it and its authority (PEM), instead of one of the gateway's own authority; a relative path is one in the data folder.",
    ),
    ("tls.key", "Its key (PEM)."),
    ("tls.authority", "The authority behind it (PEM), which terminals believe from their enrolment on."),
    (
        "tls.terminals_authority",
        "An authority of the city (PEM) that issues terminals' certificates beside the gateway's own; only those count that `terminal certificate` has registered.",
    ),
    (
        "tls.terminal_days",
        "Days for which a terminal's certificate holds, 400 to 1825; it is renewed after two thirds of them.",
    ),
    ("tls.code_minutes", "Minutes for which an enrolment code holds, 1 to 1440."),
    ("ingest.batch", "Most messages in one transaction. One fsync acknowledges them all."),
    ("ingest.window", "Most messages that may wait for their commit; the broker holds back what is more."),
    ("ingest.readers", "Most queries that read the store at the same time."),
    ("lists.days_before", "Day lists are kept up to date from this many days before today …"),
    ("lists.days_after", "… to this many days after it."),
    (
        "retention.residents_months",
        "Months after a pickup's day for which residents' data (address, placing spot, notes) is kept; 0 keeps it. Statistics stay.",
    ),
    ("retention.list_days", "Days after its day for which an issued list is kept."),
    ("retention.aside_days", "Days for which what was set aside is kept after it was settled."),
    ("retention.health_days", "Days for which health samples of terminals are kept, at least 30."),
    (
        "health.free_mib",
        "MiB that must be free on the store's disk; with less the gateway is not ready, and says so.",
    ),
    ("timers.say_hello", "Seconds between two requests for a hello to one terminal."),
    ("timers.reconnect", "First wait before connecting to the broker again, in seconds."),
    ("timers.reconnect_most", "Longest wait between tries, in seconds, at most 30."),
    ("timers.keep_alive", "MQTT keep alive to the broker, in whole seconds."),
    ("timers.day", "Seconds between looks at the calendar, so that the new day's lists go out."),
    (
        "backup.folder",
        "Folder for dated backups: where `backup` puts them, and where `doctor` looks for the last one.",
    ),
    ("backup.keep", "How many dated backups `backup` keeps there."),
    ("backup.hours", "Hours after which `doctor` misses a newer backup."),
    (
        "people.second_factor",
        "\"required\": administrators and auditors see nothing without a second factor; \"everybody\": nobody does; \"optional\": whoever wants has one.",
    ),
    (
        "people.idle_minutes",
        "Minutes without a sign of its person after which a session ends. A page that updates by itself is none.",
    ),
    ("people.hours", "Hours after which a session ends in any case."),
    ("people.attempts", "Sign-ins that may fail before a login is locked …"),
    ("people.lock_seconds", "… for this many seconds, and twice as long with each further failure …"),
    ("people.lock_minutes_most", "… but at most for this many minutes."),
    ("people.attempts_a_minute", "Most sign-ins a minute, of all people together."),
    (
        "people.pages_a_minute",
        "Most pages and exports with residents' data a minute, of each person and token: more than anybody reads is a program that copies.",
    ),
    (
        "people.openid.issuer",
        "The city's identity provider (OpenID Connect), exactly as its tokens name it: https://…, or http:// on this machine's loopback. People are sent there to sign in, and back to /signin/openid/back under the name by which they opened the page, which must be registered there.",
    ),
    ("people.openid.client_id", "As what this gateway is registered there."),
    (
        "people.openid.client_secret_file",
        "File with the secret that the provider gave it; a relative path is one in the data folder. Without one it shows none.",
    ),
    (
        "people.openid.authority",
        "The authority behind the provider's certificate (PEM), where it is the city's own; a relative path is one in the data folder. Without one the system's authorities count.",
    ),
    ("people.openid.scope", "What is asked for; openid must be among it."),
    (
        "people.openid.claim",
        "The claim of the ID token, a text or a list of texts, whose values give a role.",
    ),
    (
        "people.openid.mapping",
        "Which value gives which role: a list of { value, role, contractor }, contractor for a dispatcher alone. The first that somebody has counts; whoever has none is not let in, and loses their sessions.",
    ),
    (
        "people.openid.second_factor",
        "\"claimed\": the second factor counts as given where the token's amr has \"mfa\", or its acr is one of the list below; \"always\": whoever signs in there has given it.",
    ),
    ("people.openid.acr", "Values of acr that stand for a second factor; they are asked for."),
    (
        "people.openid.passwords",
        "\"allowed\": passwords of accounts here go on being taken; \"emergency\": only for whom `meguri-gateway person emergency` let in for some hours.",
    ),
    (
        "audit.syslog",
        "Socket of the system's log, which is told the head of the audit log once a day; empty for none. One that is not there is passed over.",
    ),
    ("log.format", "\"text\" or \"json\"; the log goes to standard error and holds no residents' data."),
    ("log.level", "error, warn, info, debug or trace."),
    (
        "watch.folder",
        "A folder into which another system drops request files; repeat [[watch]] for another one. A relative path is one in the data folder. Files are taken as `meguri-gateway import` takes them, moved to done, held or rejected in it, and acknowledged beside where they were by NAME.ack.json and NAME.ack.txt.",
    ),
    ("watch.profile", "The profile by which its files are read; a relative path is one in the data folder."),
    ("watch.files", "Which files are taken, by name; * stands for anything. All others are left alone."),
    (
        "watch.trigger",
        "With \".end\" a file is taken once NAME.end, or NAME with that instead of its last suffix, stands beside it. Always, it must not have changed between two looks.",
    ),
    (
        "watch.accept_good",
        "Whether good lines are taken although others are rejected; those are put into rejected.",
    ),
    (
        "watch.day_in_name",
        "Whether the file's name says the day that it is the whole of, as 20260401 or 2026-04-01: then a day without any request can be told, too.",
    ),
    ("watch.poll_seconds", "Seconds between two looks."),
];

/// Where settings that may be repeated stand.
const WATCH: &str = "watch";

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            city: PathBuf::from("city.toml"),
            rehearsal: None,
            web: Web::default(),
            mqtt: Mqtt::default(),
            tls: Tls::default(),
            ingest: Ingest::default(),
            lists: Lists::default(),
            retention: Retention::default(),
            health: Health::default(),
            timers: Timers::default(),
            backup: Backup::default(),
            people: People::default(),
            audit: Audit::default(),
            log: Log::default(),
            watch: Vec::new(),
            file: None,
        }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8650)), silence_minutes: 30 }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 18650)), external: None }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8651)),
            certificate: None,
            key: None,
            authority: None,
            terminals_authority: None,
            terminal_days: 500,
            code_minutes: 60,
        }
    }
}

impl Default for Ingest {
    fn default() -> Self {
        Self { batch: 1_024, window: 4_096, readers: 4 }
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self { days_before: 1, days_after: 3 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { residents_months: 13, list_days: 30, aside_days: 30, health_days: 90 }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { free_mib: 512 }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self { say_hello: 5.0, reconnect: 0.5, reconnect_most: 30.0, keep_alive: 30.0, day: 30.0 }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self { folder: None, keep: 14, hours: 26 }
    }
}

impl Default for People {
    fn default() -> Self {
        Self {
            second_factor: SecondFactor::Required,
            idle_minutes: 60,
            hours: 12,
            attempts: 5,
            lock_seconds: 30,
            lock_minutes_most: 15,
            attempts_a_minute: 60,
            pages_a_minute: 300,
            openid: None,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { syslog: "/dev/log".to_owned() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

impl Settings {
    /// Reads the settings: `file` over the defaults, `variables` over the file, `data` over all.
    ///
    /// # Errors
    /// When the file can't be read, something is not known, or a value can't be.
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (OsString, OsString)>,
        data: Option<&Path>,
    ) -> Result<Self, SettingsError> {
        let mut table = Table::new();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
            // Read on its own first, so that errors name line and column.
            let shape = |source| shape(path.display().to_string(), source);
            toml::from_str::<Self>(&text).map_err(shape)?;
            table = text.parse().map_err(shape)?;
        }
        let mut named = BTreeMap::new();
        for (name, value) in variables {
            // What is not UTF-8 becomes a name that no setting has.
            let name = name.to_string_lossy().into_owned();
            if name.starts_with(OURS) {
                named.insert(set(&mut table, &name, value)?, name);
            }
        }
        let mut settings: Self =
            Value::Table(table).try_into().map_err(|source| shape("the settings".to_owned(), source))?;
        if let Some(data) = data {
            data.clone_into(&mut settings.data);
        }
        settings.check().map_err(|error| match &error {
            SettingsError::Value { field, .. } if named.contains_key(field) => {
                SettingsError::Variable { name: named[field].clone(), source: Box::new(error) }
            }
            _ => error,
        })?;
        Ok(settings)
    }

    /// The settings in force as TOML, every one explained.
    #[must_use]
    pub fn print(&self) -> String {
        // Plain data of strings and numbers always becomes TOML.
        let table = Table::try_from(self).unwrap_or_default();
        let mut text = String::from("# Settings of meguri-gateway in force.\n");
        let mut section = "";
        let (watch, other): (Vec<_>, Vec<_>) = FIELDS
            .iter()
            .copied()
            .partition(|(path, _)| path.split_once('.').is_some_and(|(section, _)| section == WATCH));
        for (path, meaning) in &other {
            let (in_section, key) = path.rsplit_once('.').unwrap_or(("", path));
            let value = lookup(&table, path);
            // A heading of a section that is not set would set it.
            let set = in_section.is_empty() || lookup(&table, in_section).is_some();
            if in_section != section {
                section = in_section;
                let _ = writeln!(text, "\n{}[{section}]", if set { "" } else { "# " });
            }
            let _ = writeln!(text, "# {meaning}");
            let _ = match value {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} ="),
            };
        }
        print_watch(&mut text, &watch, table.get(WATCH).and_then(Value::as_array));
        text
    }

    /// A path of the settings: a relative one is one in the data folder.
    #[must_use]
    pub fn in_data(&self, path: &Path) -> PathBuf {
        self.data.join(path)
    }

    /// The plan's file.
    #[must_use]
    pub fn city_file(&self) -> PathBuf {
        self.data.join(&self.city)
    }

    fn check(&self) -> Result<(), SettingsError> {
        if self.tls.names.is_empty() {
            loopback("web.listen", self.web.listen.ip())?;
        }
        if let Some(external) = &self.mqtt.external {
            external.check(!self.tls.names.is_empty())?;
        } else if self.tls.names.is_empty() {
            loopback("mqtt.listen", self.mqtt.listen.ip())?;
        }
        self.tls.check()?;
        let timers = &self.timers;
        for (field, value, least, most) in [
            ("timers.say_hello", timers.say_hello, 0.0, 3_600.0),
            ("timers.reconnect", timers.reconnect, 0.01, 30.0),
            ("timers.reconnect_most", timers.reconnect_most, timers.reconnect, 30.0),
            // The client library takes nothing below 5.
            ("timers.keep_alive", timers.keep_alive, 5.0, 3_600.0),
            ("timers.day", timers.day, 0.05, 3_600.0),
        ] {
            if !(least..=most).contains(&value) {
                let problem = format!("is {value}, expected {least} to {most} seconds");
                return Err(SettingsError::Value { field, problem });
            }
        }
        if !(1..=24 * 60).contains(&self.web.silence_minutes) {
            let problem = format!("is {}, expected 1 to 1440 minutes", self.web.silence_minutes);
            return Err(SettingsError::Value { field: "web.silence_minutes", problem });
        }
        for (field, value, most) in [
            ("ingest.batch", self.ingest.batch, 10_000),
            ("ingest.window", self.ingest.window.into(), 10_000),
            ("ingest.readers", self.ingest.readers, 64),
        ] {
            if !(1..=most).contains(&value) {
                let problem = format!("is {value}, expected 1 to {most}");
                return Err(SettingsError::Value { field, problem });
            }
        }
        let (backup, retention) = (&self.backup, &self.retention);
        let people = &self.people;
        for (field, value, least, most) in [
            ("people.idle_minutes", people.idle_minutes, 1, 24 * 60),
            ("people.hours", people.hours, 1, 24 * 30),
            ("people.attempts", people.attempts, 1, 100),
            ("people.lock_seconds", people.lock_seconds, 1, 3_600),
            ("people.lock_minutes_most", people.lock_minutes_most, 1, 24 * 60),
            ("people.attempts_a_minute", people.attempts_a_minute, 1, 10_000),
            ("people.pages_a_minute", people.pages_a_minute, 1, 60_000),
            ("backup.keep", backup.keep, 1, 3_650),
            ("backup.hours", backup.hours, 1, 24 * 365),
            ("retention.residents_months", retention.residents_months, 0, 240),
            ("retention.list_days", retention.list_days, LEAST_KEPT, 3_650),
            ("retention.aside_days", retention.aside_days, 1, 3_650),
            ("retention.health_days", retention.health_days, 30, 3_650),
        ] {
            if !(least..=most).contains(&value) {
                let problem = format!("is {value}, expected {least} to {most}");
                return Err(SettingsError::Value { field, problem });
            }
        }
        if let Some(openid) = &people.openid {
            openid.check()?;
        }
        if !["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()) {
            let problem = format!("is {:?}, expected error, warn, info, debug or trace", self.log.level);
            return Err(SettingsError::Value { field: "log.level", problem });
        }
        for (index, watch) in self.watch.iter().enumerate() {
            watch.check()?;
            if self.watch.iter().take(index).any(|other| other.folder == watch.folder) {
                let problem = format!("{} is watched twice", watch.folder.display());
                return Err(SettingsError::Value { field: "watch.folder", problem });
            }
        }
        let days = u32::from(self.lists.days_before) + u32::from(self.lists.days_after);
        if days > LIST_DAYS {
            let problem =
                format!("{days} days with lists.days_before, expected at most {LIST_DAYS} together");
            return Err(SettingsError::Value { field: "lists.days_after", problem });
        }
        Ok(())
    }
}

impl External {
    fn check(&self, tls: bool) -> Result<(), SettingsError> {
        let wrong = |field, problem: &str| Err(SettingsError::Value { field, problem: problem.to_owned() });
        if self.authority.is_none() {
            let ip = match self.host.as_str() {
                "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
                host => host.parse(),
            };
            let ip = ip.map_err(|_| SettingsError::Value {
                field: "mqtt.external.host",
                problem: format!("{:?} is no loopback address; {WHY_NO_LOOPBACK_BROKER}", self.host),
            })?;
            if !ip.is_loopback() {
                let problem = format!("{ip} is no loopback address; {WHY_NO_LOOPBACK_BROKER}");
                return Err(SettingsError::Value { field: "mqtt.external.host", problem });
            }
        }
        match (tls, &self.terminals, self.dynamic_security) {
            (true, None, _) => wrong(
                "mqtt.external.terminals",
                "is missing: with tls.names terminals come in by certificate; say where they reach this broker, as host:port",
            ),
            (false, Some(_), _) => wrong(
                "mqtt.external.terminals",
                "needs tls.names: terminals get their certificates at the gateway's door",
            ),
            (false, None, true) => wrong(
                "mqtt.external.dynamic_security",
                "needs tls.names: the gateway keeps names of certificates there, and no secrets",
            ),
            (true, Some(_), _) if self.terminals().is_none() => {
                wrong("mqtt.external.terminals", "expected host:port, such as broker.example.jp:8883")
            }
            _ => Ok(()),
        }
    }
}

impl Tls {
    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |field, problem: String| Err(SettingsError::Value { field, problem });
        let Self { names, certificate, key, authority, .. } = self;
        if names.iter().any(|name| name.trim().is_empty()) {
            return wrong("tls.names", "has an empty name".to_owned());
        }
        for (field, path) in
            [("tls.certificate", certificate), ("tls.key", key), ("tls.authority", authority)]
        {
            let all = [certificate, key, authority].iter().all(|path| path.is_some());
            if path.is_some() && !all {
                let problem =
                    "stands without the others; tls.certificate, tls.key and tls.authority belong together";
                return wrong(field, problem.to_owned());
            }
            if path.is_some() && names.is_empty() {
                return wrong(field, "needs tls.names, by which the office is reached".to_owned());
            }
        }
        if self.terminals_authority.is_some() && names.is_empty() {
            return wrong(
                "tls.terminals_authority",
                "needs tls.names, by which the office is reached".to_owned(),
            );
        }
        for (field, value, least, most) in [
            ("tls.terminal_days", self.terminal_days, 400, 1_825),
            ("tls.code_minutes", self.code_minutes, 1, 1_440),
        ] {
            if !(least..=most).contains(&value) {
                return wrong(field, format!("is {value}, expected {least} to {most}"));
            }
        }
        Ok(())
    }
}

impl OpenId {
    /// One without a word: what kind each setting is.
    fn of_nobody() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: Some(PathBuf::new()),
            authority: Some(PathBuf::new()),
            scope: scope(),
            claim: claim(),
            mapping: Vec::new(),
            second_factor: AtProvider::default(),
            acr: Vec::new(),
            passwords: Passwords::default(),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |field, problem: String| Err(SettingsError::Value { field, problem });
        if let Err(problem) = crate::people::openid::address(&self.issuer) {
            return wrong("people.openid.issuer", problem);
        }
        if self.issuer.contains(['?', '#']) {
            return wrong("people.openid.issuer", "has a query, expected https://name/path".to_owned());
        }
        for (field, text) in
            [("people.openid.client_id", &self.client_id), ("people.openid.claim", &self.claim)]
        {
            if text.trim().is_empty() {
                return wrong(field, "is empty".to_owned());
            }
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return wrong("people.openid.scope", format!("is {:?}, expected openid among it", self.scope));
        }
        if self.mapping.is_empty() {
            return wrong("people.openid.mapping", "is empty: nobody could sign in there".to_owned());
        }
        for Mapped { value, role, contractor } in &self.mapping {
            if value.is_empty() || (*role == Role::Dispatcher) != contractor.is_some() {
                let problem = format!(
                    "of {value:?}: expected a value, a role, and a contractor for a dispatcher alone"
                );
                return wrong("people.openid.mapping", problem);
            }
        }
        Ok(())
    }
}

impl Watch {
    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |field, problem| Err(SettingsError::Value { field, problem });
        for (field, path) in [("watch.folder", &self.folder), ("watch.profile", &self.profile)] {
            if path.as_os_str().is_empty() {
                return wrong(field, "is empty, expected a path".to_owned());
            }
        }
        for (field, text) in [("watch.files", &self.files), ("watch.trigger", &self.trigger)] {
            if text.contains('/') {
                return wrong(field, format!("is {text:?}, expected a part of a name, without a folder"));
            }
        }
        if self.files.is_empty() {
            return wrong("watch.files", "is empty, expected a name, or * for any".to_owned());
        }
        if !(0.05..=3_600.0).contains(&self.poll_seconds) {
            let problem = format!("is {}, expected 0.05 to 3600 seconds", self.poll_seconds);
            return wrong("watch.poll_seconds", problem);
        }
        Ok(())
    }
}

/// Prints the watched folders, the first with what its settings mean; without any, how one would look.
fn print_watch(text: &mut String, fields: &[(&str, &str)], folders: Option<&Vec<Value>>) {
    let none = [Value::Table(Table::new())];
    let (folders, off) = folders.map_or((&none[..], "# "), |folders| (folders, ""));
    for (index, folder) in folders.iter().enumerate() {
        let _ = writeln!(text, "\n{off}[[{WATCH}]]");
        for (path, meaning) in fields {
            let key = path.rsplit_once('.').map_or(*path, |(_, key)| key);
            if index == 0 {
                let _ = writeln!(text, "# {meaning}");
            }
            let _ = match folder.get(key) {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} ="),
            };
        }
    }
}

impl Timers {
    /// [`Timers::reconnect`] and [`Timers::reconnect_most`] as durations.
    #[must_use]
    pub fn reconnects(&self) -> (Duration, Duration) {
        (seconds(self.reconnect), seconds(self.reconnect_most))
    }
}

/// Least days for which an issued list is kept: lists of days that the window holds are never emptied.
const LEAST_KEPT: u16 = 30;

/// Most days around today whose lists are kept up to date: a terminal names them all, those of an earlier contract, and five documents
/// of no day in its hello ([`meguri_proto::limits::HELLO_DOCUMENTS`]).
const LIST_DAYS: u32 = 28;

const WHY_LOOPBACK: &str = "nobody but this machine may reach what has no TLS: \
    use 127.0.0.1 or ::1, or name the office in tls.names";

const WHY_NO_LOOPBACK_BROKER: &str = "nobody but this machine may reach what has no TLS: \
    use 127.0.0.1 or ::1, or name in mqtt.external.authority who vouches for the broker's certificate";

fn loopback(field: &'static str, ip: IpAddr) -> Result<(), SettingsError> {
    if ip.is_loopback() {
        return Ok(());
    }
    Err(SettingsError::Value { field, problem: format!("{ip} is no loopback address; {WHY_LOOPBACK}") })
}

fn shape(place: String, source: toml::de::Error) -> SettingsError {
    SettingsError::Shape { place, source: Box::new(source) }
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (table.get(first)?, rest) {
        (value, None) => Some(value),
        (Value::Table(table), Some(rest)) => lookup(table, rest),
        _ => None,
    }
}

/// Sets what a variable names, and says which setting that is. Whether the text is a number is told by the setting,
/// not by the text.
fn set(table: &mut Table, name: &str, value: OsString) -> Result<&'static str, SettingsError> {
    let path = name.strip_prefix(ENVIRONMENT).map(|path| path.to_lowercase().replace("__", "."));
    let Some((path, _)) = FIELDS.iter().find(|(field, _)| path.as_deref() == Some(field)) else {
        return Err(SettingsError::UnknownVariable { name: name.to_owned() });
    };
    let wrong = |source| SettingsError::Variable { name: name.to_owned(), source: Box::new(source) };
    let bad = |problem: String| wrong(SettingsError::Value { field: path, problem });
    if path.split_once('.').is_some_and(|(section, _)| section == WATCH) {
        return Err(bad("can be set in the settings' file only".to_owned()));
    }
    let text = value.into_string().map_err(|value| bad(format!("is {value:?}, expected UTF-8")))?;
    let external = External {
        host: String::new(),
        port: 0,
        user: String::new(),
        password_file: PathBuf::new(),
        authority: Some(PathBuf::new()),
        terminals: Some(String::new()),
        dynamic_security: false,
    };
    let whole = Settings {
        rehearsal: Some(PathBuf::new()),
        mqtt: Mqtt { external: Some(external), ..Mqtt::default() },
        backup: Backup { folder: Some(PathBuf::new()), ..Backup::default() },
        people: People { openid: Some(OpenId::of_nobody()), ..People::default() },
        ..Settings::default()
    };
    let mut kinds = Table::try_from(&whole).unwrap_or_default();
    let expected = |what: &str| bad(format!("is {text:?}, expected {what}"));
    let value = match lookup(&kinds, path) {
        Some(Value::Integer(_)) => Value::Integer(text.parse().map_err(|_| expected("a whole number"))?),
        Some(Value::Boolean(_)) => Value::Boolean(text.parse().map_err(|_| expected("true or false"))?),
        Some(Value::Float(_)) => Value::Float(text.parse().map_err(|_| expected("a number"))?),
        _ => Value::String(text),
    };
    // Among settings that are good the value stands alone to be blamed.
    put(&mut kinds, path, value.clone());
    Value::Table(kinds).try_into::<Settings>().map_err(|source| bad(source.message().to_owned()))?;
    put(table, path, value);
    Ok(path)
}

/// Puts a value at its path.
fn put(table: &mut Table, path: &str, value: Value) {
    let mut at = table;
    let mut words = path.split('.').peekable();
    while let Some(word) = words.next() {
        if words.peek().is_none() {
            at.insert(word.to_owned(), value);
            break;
        }
        let inner = at.entry(word).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = inner else { break };
        at = inner;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.toml");
        std::fs::write(&path, text).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Settings::read(Some(&path), variables, None)
    }

    const ALL: &str = r#"
        data = "/var/lib/meguri"
        rehearsal = "clock.toml"
        [backup]
        folder = "/srv/backups"
        [mqtt.external]
        host = "127.0.0.1"
        port = 1883
        user = "office"
        password_file = "broker-password"
        authority = "broker.pem"
        terminals = "broker.example:8883"
        dynamic_security = true
        [tls]
        names = ["office.example"]
        certificate = "office.pem"
        key = "office.key"
        authority = "city.pem"
        terminals_authority = "city-terminals.pem"
        [people.openid]
        issuer = "https://id.example/city"
        client_id = "meguri"
        client_secret_file = "openid-secret"
        authority = "id.pem"
        mapping = [
            { value = "meguri-administrators", role = "administrator" },
            { value = "haisha", role = "dispatcher", contractor = "c-1" },
        ]
        acr = ["phr"]
        passwords = "emergency"
        [[watch]]
        folder = "drop"
        profile = "reception.toml"
        [[watch]]
        folder = "/srv/other"
        profile = "other.toml"
        files = "*.csv"
        trigger = ".end"
        accept_good = true
        day_in_name = true
        poll_seconds = 2.5
    "#;

    /// The printed defaults are what operators read: a change here is a change for them.
    #[test]
    fn prints_as_the_snapshot() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config-print.toml");
        let printed = Settings::default().print();
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        assert_eq!(printed, std::fs::read_to_string(&path).unwrap(), "UPDATE_SNAPSHOTS=1 writes it anew");
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in ["", ALL] {
            let settings = read(text, &[]).unwrap();
            assert_eq!(read(&settings.print(), &[]).unwrap(), settings);
        }
    }

    #[test]
    fn every_setting_is_explained_once() {
        fn paths(prefix: &str, table: &Table, all: &mut Vec<String>) {
            for (key, value) in table {
                match value {
                    Value::Table(table) => paths(&format!("{prefix}{key}."), table, all),
                    // One setting, whose value is a list of small tables.
                    Value::Array(_) if key == "mapping" => all.push(format!("{prefix}{key}")),
                    Value::Array(tables) if tables.iter().any(Value::is_table) => {
                        let first = tables.first().and_then(Value::as_table).unwrap();
                        paths(&format!("{prefix}{key}."), first, all);
                    }
                    _ => all.push(format!("{prefix}{key}")),
                }
            }
        }
        let mut all = Vec::new();
        paths("", &Table::try_from(read(ALL, &[]).unwrap()).unwrap(), &mut all);
        let mut explained: Vec<_> = FIELDS.iter().map(|(path, _)| (*path).to_owned()).collect();
        all.sort();
        explained.sort();
        assert_eq!(all, explained);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let variables = [
            ("MEGURI_GATEWAY__WEB__LISTEN", "127.0.0.1:0"),
            ("MEGURI_GATEWAY__TIMERS__SAY_HELLO", "0.5"),
            ("MEGURI_GATEWAY__MQTT__EXTERNAL__USER", "123"),
            ("MEGURI_OTHER", "x"),
        ];
        let settings = read(ALL, &variables).unwrap();
        assert_eq!(settings.web.listen.port(), 0);
        assert_eq!(settings.timers.say_hello.to_string(), "0.5");
        assert_eq!(settings.mqtt.external.unwrap().user, "123");
    }

    #[test]
    fn refuses_with_the_place() {
        let message = |result: Result<Settings, SettingsError>| result.unwrap_err().to_string();
        let error = message(read("[web]\nlistn = 1", &[]));
        assert!(
            error.contains("gateway.toml") && error.contains("line 2") && error.contains("listn"),
            "{error}"
        );
        let error = message(read("", &[("MEGURI_GATEWAY__WEB__LISTN", "1")]));
        assert!(error.contains("MEGURI_GATEWAY__WEB__LISTN"), "{error}");
        let error = message(read("", &[("MEGURI_GATEWAY__INGEST__BATCH", "many")]));
        assert_eq!(
            error,
            "MEGURI_GATEWAY__INGEST__BATCH in the environment: ingest.batch: is \"many\", expected a whole number"
        );
        for (name, value) in [
            ("MEGURI_GATEWAY__WEB__LISTEN", "here"),
            ("MEGURI_GATEWAY__WEB__LISTEN", "0.0.0.0:1"),
            ("MEGURI_GATEWAY__LOG__FORMAT", "xml"),
            ("MEGURI_GATEWAY__LISTS__DAYS_BEFORE", "300"),
            ("MEGURI_GATEWAY__TIMERS__DAY", "nan"),
        ] {
            let error = message(read("", &[(name, value)]));
            let field = name[ENVIRONMENT.len()..].to_lowercase().replace("__", ".");
            assert!(error.starts_with(&format!("{name} in the environment: {field}: ")), "{error}");
        }
        // One underscore, and none.
        for name in ["MEGURI_GATEWAY_DATA", "MEGURI_GATEWAYDATA", "MEGURI_GATEWAY", "MEGURI_GATEWAY__"] {
            let error = message(read("", &[(name, "x")]));
            assert!(error.starts_with(&format!("{name} in the environment names no setting")), "{error}");
        }
        let error = message(read("[web]\nsilence_minutes = 0", &[]));
        assert!(error.contains("web.silence_minutes: is 0"), "{error}");
        let watch = "[[watch]]\nfolder = \"a\"\nprofile = \"p\"\n";
        for (text, expected) in [
            ("[[watch]]\nfolder = \"a\"".to_owned(), "profile"),
            (format!("{watch}fodler = 1"), "fodler"),
            (format!("{watch}{watch}"), "watch.folder: a is watched twice"),
            (format!("{watch}poll_seconds = 0"), "watch.poll_seconds: is 0"),
            (format!("{watch}files = \"\""), "watch.files: is empty"),
            (format!("{watch}trigger = \"/x\""), "watch.trigger: is"),
        ] {
            let error = message(read(&text, &[]));
            assert!(error.contains(expected), "{error}");
        }
        let error = message(read("", &[("MEGURI_GATEWAY__WATCH__FOLDER", "x")]));
        assert!(error.contains("in the settings' file only"), "{error}");
        let error = message(read("[timers]\nreconnect_most = 31", &[]));
        assert!(error.contains("timers.reconnect_most"), "{error}");
    }

    #[test]
    fn refuses_what_is_no_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
        let message = |name: &[u8], value: &[u8]| {
            let variables = std::iter::once((bytes(name), bytes(value)));
            Settings::read(None, variables, None).unwrap_err().to_string()
        };
        let error = message(b"MEGURI_GATEWAY__DATA", b"/srv/\xff");
        assert!(error.starts_with("MEGURI_GATEWAY__DATA in the environment: data: "), "{error}");
        assert!(error.contains("UTF-8"), "{error}");
        let error = message(b"MEGURI_GATEWAY__DAT\xff", b"x");
        assert!(error.contains("names no setting"), "{error}");
        // Others' variables are others' business.
        let others = std::iter::once((bytes(b"\xff"), bytes(b"\xff")));
        assert_eq!(Settings::read(None, others, None).unwrap(), Settings::default());
    }

    #[test]
    fn refuses_all_but_loopback() {
        for text in [
            "[web]\nlisten = \"0.0.0.0:8650\"",
            "[mqtt]\nlisten = \"192.168.0.3:18650\"",
            "[mqtt.external]\nhost = \"broker.example\"\nport = 1883\nuser = \"u\"\npassword_file = \"p\"",
            "[mqtt.external]\nhost = \"10.0.0.1\"\nport = 1883\nuser = \"u\"\npassword_file = \"p\"",
        ] {
            let error = read(text, &[]).unwrap_err().to_string();
            assert!(error.contains("may reach what has no TLS"), "{error}");
        }
        let broker = |more: &str| {
            let names = "[tls]\nnames = [\"office.example\"]\n";
            read(
                &format!(
                    "{names}[mqtt.external]\nhost = \"broker.example\"\nport = 8883\nuser = \"u\"\npassword_file = \"p\"\n{more}"
                ),
                &[],
            )
        };
        let good =
            broker("authority = \"a.pem\"\nterminals = \"[::1]:8883\"").unwrap().mqtt.external.unwrap();
        assert_eq!(good.terminals(), Some(("::1".to_owned(), 8883)));
        for (more, wrong) in [
            ("authority = \"a.pem\"", "mqtt.external.terminals: is missing"),
            ("authority = \"a.pem\"\nterminals = \"broker.example\"", "expected host:port"),
            ("authority = \"a.pem\"\nterminals = \"broker.example:0\"", "expected host:port"),
            ("terminals = \"broker.example:8883\"", "may reach what has no TLS"),
        ] {
            let error = broker(more).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert!(read("[web]\nlisten = \"0.0.0.0:443\"\n[mqtt]\nlisten = \"0.0.0.0:8883\"\n[tls]\nnames = [\"office.example\"]", &[]).is_ok());
        assert!(read("[web]\nlisten = \"[::1]:8650\"", &[]).is_ok());
    }

    #[test]
    fn a_provider_is_reached_safely_and_lets_somebody_in() {
        let openid = |issuer: &str, more: &str| {
            read(&format!("[people.openid]\nclient_id = \"meguri\"\nissuer = \"{issuer}\"\n{more}"), &[])
        };
        let mapping = "mapping = [{ value = \"a\", role = \"viewer\" }]";
        for good in
            ["https://id.example", "https://id.example/a/b", "http://127.0.0.1:9000", "http://localhost:1/x"]
        {
            assert!(openid(good, mapping).is_ok(), "{good}");
        }
        for bad in [
            "",
            "id.example",
            "ftp://id.example",
            "http://id.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "https://user@id.example",
            "https://id.example/?a=b",
        ] {
            let error = openid(bad, mapping).unwrap_err().to_string();
            assert!(error.starts_with("people.openid.issuer: "), "{bad}: {error}");
        }
        for (more, wrong) in [
            ("mapping = []", "people.openid.mapping: is empty"),
            ("mapping = [{ value = \"a\", role = \"dispatcher\" }]", "people.openid.mapping: of \"a\""),
            (
                "mapping = [{ value = \"a\", role = \"viewer\", contractor = \"c\" }]",
                "people.openid.mapping: of",
            ),
            (&format!("scope = \"profile\"\n{mapping}"), "people.openid.scope: is \"profile\""),
            (&format!("claim = \"\"\n{mapping}"), "people.openid.claim: is empty"),
        ] {
            let error = openid("https://id.example", more).unwrap_err().to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
    }

    #[test]
    fn tls_has_a_name_and_whole_files() {
        let tls = |text: &str| read(&format!("[tls]\n{text}"), &[]);
        let files = "certificate = \"c\"\nkey = \"k\"\nauthority = \"a\"";
        assert!(tls(&format!("names = [\"office.example\"]\n{files}")).is_ok());
        for (text, wrong) in [
            (files, "needs tls.names"),
            ("names = [\"a\"]\nkey = \"k\"", "tls.key: stands without the others"),
            ("names = [\" \"]", "tls.names: has an empty name"),
            ("terminal_days = 399", "tls.terminal_days: is 399, expected 400 to 1825"),
            ("code_minutes = 0", "tls.code_minutes: is 0, expected 1 to 1440"),
        ] {
            let error = tls(text).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
