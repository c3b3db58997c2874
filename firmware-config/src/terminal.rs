//! A terminal's settings (`terminal.toml`). Until configurations arrive signed, a local file.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use meguri_proto::{CityId, ContractId, ContractorId, Reason, TerminalId, VehicleId};
use serde::{Deserialize, Serialize};

use crate::city::City;
use crate::read::{ConfigError, Wrong, parse, read};

/// A terminal's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// Version of these settings; facts name it.
    pub version: u64,
    /// The city.
    pub city: CityId,
    /// The terminal's name for life.
    pub terminal: TerminalId,
    /// Whose terminal it is now.
    pub contractor: ContractorId,
    /// The contract it works under.
    pub contract: ContractId,
    /// The vehicle it rides in.
    pub vehicle: VehicleId,
    /// Folders below which USB sticks appear, with a new configuration in their folder `meguri`.
    #[serde(default = "where_sticks_appear", skip_serializing_if = "are_usual")]
    pub import_from: Vec<PathBuf>,
    /// File with the city's key sets, relative to the settings' folder: whoever puts it there says whose signatures count. Without
    /// it, and where there is no `keys.json` either, that is the office's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// Where the office is.
    pub broker: Broker,
    /// Where its keys are.
    #[serde(default)]
    pub store: Store,
    /// What the screen looks like.
    #[serde(default)]
    pub screen: Screen,
    /// The reasons offered, in order.
    #[serde(default = "all_reasons")]
    pub reason: Vec<ReasonSetting>,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// How often and how long.
    #[serde(default)]
    pub timers: Timers,
}

/// The MQTT 5 broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// File that holds the terminal's secret, relative to the settings' folder. The user name is the terminal's name. Only
    /// for an office on this machine: the line is not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Instead of a secret: the folder with the terminal's key and certificates, relative to the settings' folder. The line
    /// is TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// Where the terminal renews its certificate, as `https://host:port`; beside `identity`. Without it somebody else does: its
    /// certificate is of the city's own authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
}

/// What the terminal keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// File with the device's secret, 64 hexadecimal digits, by which the keys of lists and notes are wrapped, relative to
    /// the settings' folder. Without it the secret is made in the data folder. On a device with a TPM it is better a
    /// credential that the TPM opens (systemd's `LoadCredentialEncrypted`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_secret_file: Option<PathBuf>,
}

/// The screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Screen {
    /// The language.
    pub language: Language,
    /// Light or dark.
    pub theme: Theme,
    /// Whether the window fills the display.
    pub fullscreen: bool,
    /// Minutes without a tap after which the screen locks, where crews sign in; 0 for never, at most 720.
    pub lock_minutes: u16,
}

/// A screen's language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 日本語.
    #[default]
    Ja,
    /// English.
    En,
}

/// A screen's colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// For daylight.
    #[default]
    Day,
    /// For the dark.
    Night,
}

/// A reason offered to the crew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonSetting {
    /// Which.
    pub code: Reason,
    /// Whether a note is demanded with it. `other` always demands one.
    #[serde(default)]
    pub note: bool,
}

/// Most days after its date for which a terminal keeps a list: a hello names at most 64 documents, so there is room for today's
/// and the coming days' lists.
pub const LIST_DAYS_MOST: u32 = 60;
/// No shift is longer.
const LOCK_MINUTES_MOST: u16 = 720;
/// Where a terminal looks for key sets, beside its own file.
const KEYS_FILE: &str = "keys.json";
/// Longer than a year no copy of an office's store is put back.
const ACKED_DAYS_MOST: u32 = 365;

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days that acknowledged entries are kept, so that an office restored from a backup gets them again; 1 to 365.
    pub acked_days: u32,
    /// Days that a day list is kept after its date, at most 60.
    pub list_days: u32,
}

/// Every timer of the terminal, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timers {
    /// Between hellos while connected; up to a tenth of jitter is added or taken.
    pub hello: f64,
    /// Silence on unacknowledged entries after which a hello asks, and the wait for a hello's own answer.
    pub silence: f64,
    /// The longest that backing off may stretch `silence`.
    pub silence_most: f64,
    /// From the first packet of a connection until the broker has confirmed the subscription.
    pub join: f64,
    /// First wait before connecting again.
    pub reconnect: f64,
    /// The longest wait between tries, at most 30.
    pub reconnect_most: f64,
    /// Between health samples, at least 0.1; 0 takes none.
    pub health: f64,
    /// MQTT keep alive, at least 5: the client library takes nothing below.
    pub keep_alive: f64,
    /// Between looks whether all that the configuration names is plugged in.
    pub peripherals: f64,
    /// Between looks for a USB stick.
    pub sticks: f64,
    /// How long a new broker's address must have been silent, while the office answers at the one before, until that is gone back
    /// to; and how long that one must have been silent then, until the new one has its turn again.
    pub trial: f64,
}

impl Eq for Timers {}

impl Default for Screen {
    fn default() -> Self {
        Self { language: Language::Ja, theme: Theme::Day, fullscreen: false, lock_minutes: 15 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { acked_days: 14, list_days: 7 }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            hello: 300.0,
            silence: 30.0,
            silence_most: 300.0,
            join: 15.0,
            reconnect: 1.0,
            reconnect_most: 30.0,
            health: 900.0,
            keep_alive: 30.0,
            peripherals: 60.0,
            sticks: 5.0,
            trial: 900.0,
        }
    }
}

fn where_sticks_appear() -> Vec<PathBuf> {
    ["/media", "/run/media", "/mnt"].map(PathBuf::from).to_vec()
}

fn are_usual(folders: &Vec<PathBuf>) -> bool {
    *folders == where_sticks_appear()
}

pub(crate) fn all_reasons() -> Vec<ReasonSetting> {
    Reason::ALL.iter().map(|&code| ReasonSetting { code, note: code == Reason::Other }).collect()
}

impl Terminal {
    /// Reads and checks settings; a relative `secret_file`, `identity` or `device_secret_file` becomes one beside the settings.
    ///
    /// # Errors
    /// When the file can't be read, has an unknown field or a value outside its bounds.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut terminal: Self = read(path, Self::check)?;
        if let Some(folder) = path.parent() {
            let Broker { secret_file, identity, .. } = &mut terminal.broker;
            let device_secret = &mut terminal.store.device_secret_file;
            let beside = folder.join(KEYS_FILE);
            terminal.keys_file = match terminal.keys_file.take() {
                Some(file) => Some(folder.join(file)),
                None => beside.exists().then_some(beside),
            };
            for path in &mut terminal.import_from {
                *path = folder.join(&path);
            }
            for path in [secret_file, identity, device_secret].into_iter().flatten() {
                *path = folder.join(&path);
            }
        }
        Ok(terminal)
    }

    /// Reads settings from text; `path` is for errors.
    ///
    /// # Errors
    /// As [`Terminal::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        parse(path, text, Self::check)
    }

    /// The text of the settings `new`, with all that the text `old` sets beside who the terminal is and where the office
    /// is: a terminal that enrols again keeps its language and its timers. Without readable old ones, `new` itself.
    #[must_use]
    pub fn keeping(old: &str, new: &str) -> String {
        const THE_OFFICES: [&str; 7] =
            ["version", "city", "terminal", "contractor", "contract", "vehicle", "broker"];
        let (Ok(old), Ok(mut both)) = (old.parse::<toml::Table>(), new.parse::<toml::Table>()) else {
            return new.to_owned();
        };
        let kept = old.into_iter().filter(|(key, _)| !THE_OFFICES.contains(&key.as_str()));
        let before = both.len();
        for (key, value) in kept {
            both.entry(key).or_insert(value);
        }
        if both.len() == before { new.to_owned() } else { both.to_string() }
    }

    /// The secret, read from its file.
    ///
    /// # Errors
    /// When the settings name none, or the file can't be read or is empty.
    pub fn secret(&self) -> Result<String, ConfigError> {
        let Some(path) = &self.broker.secret_file else {
            let problem = "is not set: this terminal has no secret";
            return Err(Wrong::new("broker.secret_file", problem).at(Path::new("terminal.toml")));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(Wrong::new("secret", "the file is empty; make the terminal anew").at(path));
        }
        Ok(secret.to_owned())
    }

    /// Whether the city's plan knows this terminal's contractor, contract and vehicle, and they belong together.
    ///
    /// # Errors
    /// Names the first field that does not fit.
    pub fn fits(&self, city: &City) -> Result<(), Wrong> {
        let wrong = |field: &str, problem: String| Err(Wrong::new(field, problem));
        if self.city != city.id {
            return wrong("city", format!("is {}, the plan is {}'s", self.city, city.id));
        }
        let Some(contract) = city.contract(&self.contract) else {
            return wrong("contract", format!("{} is not in the city's plan", self.contract));
        };
        if contract.contractor != self.contractor {
            let problem = format!("is {}, but {} is {}'s", self.contractor, contract.id, contract.contractor);
            return wrong("contractor", problem);
        }
        match city.vehicle(&self.vehicle) {
            None => wrong("vehicle", format!("{} is not in the city's plan", self.vehicle)),
            Some(vehicle) if !vehicle.contract.contains(&self.contract) => wrong(
                "vehicle",
                format!("{} works under {}, not {}", vehicle.id, vehicle.contract.first(), self.contract),
            ),
            Some(_) => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Wrong> {
        check_address(&self.broker.host, self.broker.port, self.broker.office.as_deref())?;
        let Broker { secret_file, identity, office, .. } = &self.broker;
        match (secret_file, identity) {
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => {
                let problem = "is missing, expected it, or secret_file for an office on this machine";
                return Err(Wrong::new("broker.identity", problem));
            }
            (Some(_), Some(_)) => {
                return Err(Wrong::new("broker.secret_file", "stands beside identity, expected one of both"));
            }
        }
        if office.is_some() && identity.is_none() {
            return Err(Wrong::new(
                "broker.office",
                "belongs to identity: expected that, too, or none of both",
            ));
        }
        self.screen.check()?;
        check_reasons(&self.reason)?;
        self.retention.check()?;
        self.timers.check()
    }
}

/// Whether a broker and the office beside it can be reached by these words: a slip of the pen takes all terminals off the line.
pub(crate) fn check_address(host: &str, port: u16, office: Option<&str>) -> Result<(), Wrong> {
    if !is_host(host) {
        let problem = format!(
            "is {host:?}, expected a host name (a-z, 0-9, -, .) or an IP address, and nothing around it"
        );
        return Err(Wrong::new("broker.host", problem));
    }
    if port == 0 {
        return Err(Wrong::new("broker.port", "is 0, expected 1 to 65535"));
    }
    match office.filter(|office| !is_office(office)) {
        Some(office) => {
            Err(Wrong::new("broker.office", format!("is {office:?}, expected https://host:port")))
        }
        None => Ok(()),
    }
}

/// Whether this is `https://host` or `https://host:port`.
fn is_office(office: &str) -> bool {
    let Some(there) = office.strip_prefix("https://") else { return false };
    let there = there.strip_suffix('/').unwrap_or(there);
    let (is_there, port) = match there.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = there.split_at(there.find(':').unwrap_or(there.len()));
            (is_host(host), port)
        }
    };
    let is_port = |port: &str| {
        port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    is_there && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Whether this is an IP address, or a host name (RFC 1123, section 2.1; names within a house have underscores, too).
fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits alone is an address gone wrong, like 10.0.0.256.
    let number = |label: &str| label.bytes().all(|digit| digit.is_ascii_digit());
    // A last dot says that the name is whole (RFC 1034, section 3.1).
    let host = host.strip_suffix('.').unwrap_or(host);
    let name =
        || host.len() <= 253 && host.split('.').all(label) && !host.rsplit('.').next().is_some_and(number);
    host.parse::<IpAddr>().is_ok() || name()
}

/// Whether each reason is offered once, and one at least.
pub(crate) fn check_reasons(reasons: &[ReasonSetting]) -> Result<(), Wrong> {
    if reasons.is_empty() {
        return Err(Wrong::new("reason", "is empty, expected at least one"));
    }
    for (index, setting) in reasons.iter().enumerate() {
        if reasons[..index].iter().any(|other| other.code == setting.code) {
            return Err(Wrong::new("reason", format!("{} is there twice", setting.code)));
        }
    }
    Ok(())
}

impl Screen {
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        if self.lock_minutes > LOCK_MINUTES_MOST {
            let minutes = self.lock_minutes;
            let problem = format!("is {minutes}, expected at most {LOCK_MINUTES_MOST}, or 0 for never");
            return Err(Wrong::new("screen.lock_minutes", problem));
        }
        Ok(())
    }
}

impl Retention {
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        let Self { acked_days, list_days } = *self;
        for (name, value, least, most) in
            [("acked_days", acked_days, 1, ACKED_DAYS_MOST), ("list_days", list_days, 0, LIST_DAYS_MOST)]
        {
            if !(least..=most).contains(&value) {
                let problem = format!("is {value}, expected {least} to {most} days");
                return Err(Wrong::new(format!("retention.{name}"), problem));
            }
        }
        Ok(())
    }
}

impl Timers {
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        // Tests wait for less than crews do, but none for a terminal that does nothing else.
        for (name, value, least, most) in [
            ("hello", self.hello, 0.1, 86_400.0),
            ("silence", self.silence, 0.1, 86_400.0),
            ("silence_most", self.silence_most, self.silence, 86_400.0),
            ("join", self.join, 0.1, 3_600.0),
            ("reconnect", self.reconnect, 0.01, 30.0),
            ("reconnect_most", self.reconnect_most, self.reconnect, 30.0),
            ("health", self.health, 0.1, 86_400.0),
            ("keep_alive", self.keep_alive, 5.0, 3_600.0),
            ("peripherals", self.peripherals, 0.1, 86_400.0),
            ("sticks", self.sticks, 0.1, 86_400.0),
            ("trial", self.trial, 0.1, 86_400.0),
        ] {
            let off = name == "health" && value == 0.0;
            if !off && !(least..=most).contains(&value) {
                let or_off = if name == "health" { ", or 0 for none" } else { "" };
                let problem = format!("is {value}, expected {least} to {most} seconds{or_off}");
                return Err(Wrong::new(format!("timers.{name}"), problem));
            }
        }
        Ok(())
    }
}

/// Seconds of a timer as a duration; the bounds of [`Terminal::read`] keep it in range.
#[must_use]
pub fn seconds(timer: f64) -> Duration {
    Duration::try_from_secs_f64(timer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = r#"
version = 1
city = "hiroshima"
terminal = "t-0001"
contractor = "daiichi"
contract = "daiichi-2026"
vehicle = "v-3"

[broker]
host = "127.0.0.1"
port = 18650
secret_file = "secret"
"#;

    fn error(text: &str) -> String {
        Terminal::parse(Path::new("terminal.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let terminal = Terminal::parse(Path::new("terminal.toml"), GOOD).unwrap();
        assert_eq!(terminal.reason.len(), Reason::ALL.len());
        assert!(terminal.reason.iter().all(|setting| setting.note == (setting.code == Reason::Other)));
        assert_eq!(terminal.retention.acked_days, 14);
        // What it prints reads back as the same.
        let printed = toml::to_string(&terminal).unwrap();
        assert_eq!(Terminal::parse(Path::new("printed"), &printed).unwrap(), terminal);
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let unknown = error(&format!("colour = 1\n{GOOD}"));
        assert!(
            unknown.contains("terminal.toml") && unknown.contains("line 1") && unknown.contains("colour"),
            "{unknown}"
        );
        let port = error(&GOOD.replace("18650", "0"));
        assert!(port.contains("broker.port") && port.contains("1 to 65535"), "{port}");
        let slow = error(&format!("{GOOD}\n[timers]\nreconnect_most = 31\n"));
        assert!(slow.contains("timers.reconnect_most") && slow.contains("30"), "{slow}");
        let kept = |days| format!("{GOOD}\n[retention]\nlist_days = {days}\n");
        assert!(Terminal::parse(Path::new("terminal.toml"), &kept(60)).is_ok());
        let long = error(&kept(61));
        assert!(long.contains("retention.list_days") && long.contains("0 to 60 days"), "{long}");
        for days in ["0", "366", "4294967295"] {
            let kept = error(&format!("{GOOD}\n[retention]\nacked_days = {days}\n"));
            assert!(kept.contains("retention.acked_days") && kept.contains("1 to 365 days"), "{kept}");
        }
        let timer = |text: &str| format!("{GOOD}\n[timers]\n{text}\n");
        for off in ["health = 0", "health = 0.1"] {
            assert!(Terminal::parse(Path::new("terminal.toml"), &timer(off)).is_ok(), "{off}");
        }
        for (fast, name) in [
            ("health = 0.000001", "timers.health"),
            ("health = -1", "timers.health"),
            ("health = nan", "timers.health"),
            ("hello = 0.01", "timers.hello"),
            ("silence = 0.01", "timers.silence"),
            ("join = 0.01", "timers.join"),
            ("reconnect = 0", "timers.reconnect"),
        ] {
            let fast = error(&timer(fast));
            assert!(fast.starts_with(&format!("terminal.toml: {name}: is ")), "{fast}");
        }
        let known = GOOD.replace(
            "secret_file = \"secret\"",
            "identity = \"identity\"\noffice = \"https://office.example\"",
        );
        let long = format!("{0}.{0}.{0}.{0}.example", "a".repeat(63));
        for host in [
            "",
            "   ",
            "broker .example",
            "meguri.example:8883",
            "https://meguri.example/",
            "10.0.0.256",
            "a..b",
            "-a.example",
            "市.example",
            "[::1]",
            "a\\u0000",
            &long,
        ] {
            let host = error(&GOOD.replace("127.0.0.1", host));
            assert!(
                host.starts_with("terminal.toml: broker.host: ") && host.contains("(line 10, column 8)"),
                "{host}"
            );
        }
        for office in [
            "https://",
            "http://office.example",
            "https://office.example//",
            "https://office.example/a",
            "https://office.example:",
            "https://office.example:0",
            "https://office.example:+1",
            "https://office.example:65536",
            "https://a@office.example",
            "https://[::1",
            "https://::1",
            "https://office .example",
            "https://office.example\\u0000",
        ] {
            let office = error(&known.replace("https://office.example", office));
            assert!(office.starts_with("terminal.toml: broker.office: is "), "{office}");
        }
        for (host, office) in [
            ("localhost", "https://office.example:8651"),
            ("::1", "https://[::1]:8651"),
            ("broker_1", "https://10.0.0.1"),
            ("broker.example.", "https://office.example:8651/"),
        ] {
            let text = known.replace("127.0.0.1", host).replace("https://office.example", office);
            assert!(Terminal::parse(Path::new("terminal.toml"), &text).is_ok(), "{host} {office}");
        }
        let twice = error(&format!("{GOOD}\n[[reason]]\ncode = \"other\"\n[[reason]]\ncode = \"other\"\n"));
        assert!(twice.contains("other is there twice"), "{twice}");
        let name = error(&GOOD.replace("t-0001", "端末"));
        assert!(name.contains("line 4") && name.contains("a-z"), "{name}");
    }

    #[test]
    fn who_enrols_again_keeps_what_was_set_beside() {
        let old = format!("{GOOD}\n[screen]\nlanguage = \"en\"\n[timers]\nhello = 120\n");
        let new = GOOD.replace("18650", "8883").replace("version = 1", "version = 2");
        let both = Terminal::parse(Path::new("terminal.toml"), &Terminal::keeping(&old, &new)).unwrap();
        assert_eq!((both.version, both.broker.port), (2, 8_883), "the office's word");
        assert_eq!((both.screen.language, both.timers.hello), (Language::En, 120.0), "its own");
        assert_eq!(Terminal::keeping("not = [toml", &new), new);
        assert_eq!(Terminal::keeping(GOOD, &new), new, "as the office wrote it");
    }

    #[test]
    fn settings_must_fit_the_citys_plan() {
        let plan = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "daiichi", name = "第一収集" }, { id = "daini", name = "第二収集" }]
contract = [
    { id = "daiichi-2026", contractor = "daiichi", from = "2026-04-01", until = "2027-03-31" },
    { id = "daini-2026", contractor = "daini", from = "2026-04-01", until = "2027-03-31" },
]
vehicle = [
    { id = "v-3", contract = "daiichi-2026", name = "3号車", round = "中区A" },
    { id = "v-4", contract = "daini-2026", name = "4号車", round = "中区B" },
]
district = [{ name = "中区A", ward = "中区", vehicle = "v-3" }]
"#;
        let plan = City::parse(Path::new("city.toml"), plan).unwrap();
        let fits = |text: &str| Terminal::parse(Path::new("terminal.toml"), text).unwrap().fits(&plan);
        assert!(fits(GOOD).is_ok());
        assert_eq!(fits(&GOOD.replace("v-3", "v-4")).unwrap_err().field, "vehicle");
        assert_eq!(fits(&GOOD.replace("v-3", "v-9")).unwrap_err().field, "vehicle");
        assert_eq!(
            fits(&GOOD.replace("contract = \"daiichi", "contract = \"daini")).unwrap_err().field,
            "contractor"
        );
        assert_eq!(fits(&GOOD.replace("\"hiroshima", "\"kure")).unwrap_err().field, "city");
    }
}
