//! A city's terminals (`terminals.toml`, beside `city.toml`): which vehicles each rides in, and what it is set to.
//!
//! What many have in common stands once, in templates. What is said nearer to the terminal outweighs: its template's base, its
//! template, the vehicle it rides in, the terminal itself. Lists are replaced whole, all else field by field.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use meguri_proto::{TerminalId, VehicleId};
use pem::{EncodeConfig, LineEnding, Pem};
use serde::Deserialize;

use crate::bundle::{AUTHORITY_BYTES, Connection, Peripheral, check_peripherals};
use crate::city::City;
use crate::many::Many;
use crate::read::{ConfigError, Wrong, parse, text};
use crate::terminal::{
    Language, ReasonSetting, Retention, Screen, Theme, Timers, all_reasons, check_reasons,
};

/// The plan's file in a folder of plans.
pub const CITY_FILE: &str = "city.toml";
/// The terminals' file in a folder of plans.
pub const FLEET_FILE: &str = "terminals.toml";
/// The port of MQTT over TLS, as IANA has it.
const MQTT_TLS: u16 = 8883;

/// A struct with the settings that templates, vehicles and terminals have alike.
macro_rules! with_parts {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Where the office is.
            #[serde(default)]
            pub broker: BrokerPart,
            /// What is plugged in; in place of all that was said farther away.
            pub peripheral: Option<Vec<Peripheral>>,
            /// The screen.
            #[serde(default)]
            pub screen: ScreenPart,
            /// The reasons offered, in order; in place of all that was said farther away.
            pub reason: Option<Vec<ReasonSetting>>,
            /// How long things are kept.
            #[serde(default)]
            pub retention: RetentionPart,
            /// How often and how long, in seconds.
            #[serde(default)]
            pub timers: TimersPart,
        }

        impl $name {
            fn onto(&self, parts: &mut Parts) {
                self.broker.onto(&mut parts.broker);
                self.screen.onto(&mut parts.screen);
                self.retention.onto(&mut parts.retention);
                self.timers.onto(&mut parts.timers);
                over(&mut parts.peripheral, self.peripheral.as_ref());
                over(&mut parts.reason, self.reason.as_ref());
            }

            /// Whether what is said here can be, whatever is said elsewhere.
            fn check(&self) -> Result<(), Wrong> {
                let mut parts = Parts::new();
                self.onto(&mut parts);
                self.timers.with_room(&mut parts.timers);
                parts.broker.host.get_or_insert_with(|| "localhost".to_owned());
                parts.check()
            }
        }
    };
}

with_parts! {
    /// What many terminals have in common.
    Template {
        /// The template that it says the difference to.
        extends: Option<String>,
    }
}

with_parts! {
    /// What holds for every terminal while it rides in a vehicle.
    VehicleSettings {}
}

with_parts! {
    /// A terminal.
    FleetTerminal {
        /// Its name for life.
        id: TerminalId,
        /// The vehicles it rides in: each day in the one that has a contract then.
        vehicle: Many<VehicleId>,
        /// Its template.
        template: String,
    }
}

/// A struct of which each field says something or nothing, and what it does to the whole one.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident of $whole:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
        }

        impl $name {
            fn onto(&self, whole: &mut $whole) {
                $(over(&mut whole.$field, self.$field.as_ref());)*
            }
        }
    };
}

part! {
    /// What is said of [`Screen`].
    ScreenPart of Screen {
        /// The language.
        language: Language,
        /// Light or dark.
        theme: Theme,
        /// Whether the window fills the display.
        fullscreen: bool,
        /// Minutes without a tap after which the screen locks, 0 for never, at most 720.
        lock_minutes: u16,
    }
}

part! {
    /// What is said of [`Retention`].
    RetentionPart of Retention {
        /// Days that acknowledged entries are kept, 1 to 365.
        acked_days: u32,
        /// Days that a day list is kept after its date, at most 60.
        list_days: u32,
    }
}

part! {
    /// What is said of [`Timers`], in seconds.
    TimersPart of Timers {
        /// Between hellos while connected.
        hello: f64,
        /// Silence on unacknowledged entries after which a hello asks.
        silence: f64,
        /// The longest that backing off may stretch `silence`.
        silence_most: f64,
        /// From the first packet of a connection until the broker has confirmed the subscription.
        join: f64,
        /// First wait before connecting again.
        reconnect: f64,
        /// The longest wait between tries, at most 30.
        reconnect_most: f64,
        /// Between health samples; 0 takes none.
        health: f64,
        /// MQTT keep alive, at least 5.
        keep_alive: f64,
        /// Between looks whether all that the configuration names is plugged in.
        peripherals: f64,
        /// Between looks for a USB stick.
        sticks: f64,
        /// How long a new broker's address must have been silent until the one before is gone back to.
        trial: f64,
    }
}

impl TimersPart {
    /// Of two timers that bound each other, leaves room for the one that is said here where the other is said elsewhere.
    fn with_room(&self, timers: &mut Timers) {
        let Timers { silence, silence_most, reconnect, reconnect_most, .. } = timers;
        for (least, most, is_said) in [
            ((silence, 0.1), (silence_most, 86_400.0), (self.silence.is_some(), self.silence_most.is_some())),
            (
                (reconnect, 0.01),
                (reconnect_most, 30.0),
                (self.reconnect.is_some(), self.reconnect_most.is_some()),
            ),
        ] {
            match is_said {
                (true, false) => *most.0 = most.1,
                (false, true) => *least.0 = least.1,
                _ => {}
            }
        }
    }
}

/// What is said of the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerPart {
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port; 8883 where nothing says another.
    pub port: Option<u16>,
    /// Where terminals renew their certificates, as `https://host:port`.
    pub office: Option<String>,
    /// File of certificates (PEM, at most 8 KiB), relative to `terminals.toml`: another authority that vouches for the broker.
    pub authority_file: Option<PathBuf>,
    /// What the file holds.
    #[serde(skip)]
    authority: Option<String>,
}

impl BrokerPart {
    fn onto(&self, whole: &mut Self) {
        fn over<T: Clone>(whole: &mut Option<T>, said: &Option<T>) {
            if said.is_some() {
                whole.clone_from(said);
            }
        }
        over(&mut whole.host, &self.host);
        over(&mut whole.port, &self.port);
        over(&mut whole.office, &self.office);
        over(&mut whole.authority_file, &self.authority_file);
        over(&mut whole.authority, &self.authority);
    }

    /// Reads the file of certificates, where one is named.
    fn read_authority(&mut self, folder: &Path) -> Result<(), ConfigError> {
        let Some(file) = &self.authority_file else { return Ok(()) };
        let path = folder.join(file);
        let mut text = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(AUTHORITY_BYTES as u64 + 1).read_to_end(&mut text));
        read.map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        let wrong = |problem| Wrong::new("authority_file", problem).at(&path);
        if text.len() > AUTHORITY_BYTES {
            return Err(wrong("has more than 8 KiB".to_owned()));
        }
        self.authority = Some(certificates(&text).map_err(wrong)?);
        Ok(())
    }
}

/// The certificates (PEM) of a text and nothing else of it: what stands here goes to every terminal, and into git.
fn certificates(text: &[u8]) -> Result<String, String> {
    let found = pem::parse_many(text).map_err(|error| format!("is no PEM of certificates: {error}"))?;
    if let Some(other) = found.iter().find(|pem| pem.tag() != "CERTIFICATE") {
        return Err(format!("holds a {}, expected certificates alone", other.tag()));
    }
    if found.is_empty() {
        return Err("holds no certificate (PEM)".to_owned());
    }
    if !found.iter().all(|pem| is_sequence(pem.contents())) {
        return Err("holds a certificate that can't be read".to_owned());
    }
    let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let alone = |pem: &Pem| pem::encode_config(&Pem::new(pem.tag(), pem.contents()), lines);
    Ok(found.iter().map(alone).collect())
}

/// Whether bytes are one sequence of DER, as certificates are, from the first to the last.
fn is_sequence(der: &[u8]) -> bool {
    // Neither of fewer than 128 bytes, nor of more than 64 KiB.
    match der {
        [0x30, 0x81, length, rest @ ..] => rest.len() == usize::from(*length),
        [0x30, 0x82, high, low, rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    }
}

fn over<T: Clone>(whole: &mut T, said: Option<&T>) {
    if let Some(said) = said {
        whole.clone_from(said);
    }
}

/// Everything that is said of a terminal in a vehicle, laid one over the other.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    broker: BrokerPart,
    pub(crate) peripheral: Vec<Peripheral>,
    pub(crate) screen: Screen,
    pub(crate) reason: Vec<ReasonSetting>,
    pub(crate) retention: Retention,
    pub(crate) timers: Timers,
}

impl Parts {
    /// What holds where nothing is said.
    fn new() -> Self {
        Self {
            broker: BrokerPart::default(),
            peripheral: Vec::new(),
            screen: Screen::default(),
            reason: all_reasons(),
            retention: Retention::default(),
            timers: Timers::default(),
        }
    }

    pub(crate) fn connection(&self) -> Result<Connection, Wrong> {
        let BrokerPart { host, port, office, authority, .. } = self.broker.clone();
        let missing = || Wrong::new("broker.host", "is said neither here nor in the template or the vehicle");
        Ok(Connection { host: host.ok_or_else(missing)?, port: port.unwrap_or(MQTT_TLS), office, authority })
    }

    fn check(&self) -> Result<(), Wrong> {
        self.connection()?.check()?;
        check_peripherals(&self.peripheral)?;
        self.screen.check()?;
        check_reasons(&self.reason)?;
        self.retention.check()?;
        self.timers.check()
    }
}

/// A city's terminals.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Templates by their names.
    pub template: BTreeMap<String, Template>,
    /// What holds while a terminal rides in a vehicle, by the vehicle.
    #[serde(default)]
    pub vehicle: BTreeMap<VehicleId, VehicleSettings>,
    /// The terminals.
    pub terminal: Vec<FleetTerminal>,
}

impl Fleet {
    /// Reads and checks a folder's plan and terminals.
    ///
    /// # Errors
    /// When a file can't be read, has an unknown field, names something that does not exist, or a value that can't be.
    pub fn read_folder(folder: &Path) -> Result<(City, Self), ConfigError> {
        let city = City::read(&folder.join(CITY_FILE))?;
        let fleet = Self::read(&folder.join(FLEET_FILE), &city)?;
        Ok((city, fleet))
    }

    /// Reads and checks terminals; files that they name lie beside `path`.
    ///
    /// # Errors
    /// As [`Fleet::read_folder`].
    pub fn read(path: &Path, city: &City) -> Result<Self, ConfigError> {
        let text = text(path)?;
        let mut fleet: Self = parse(path, &text, |_| Ok(()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let templates = fleet.template.values_mut().map(|template| &mut template.broker);
        let vehicles = fleet.vehicle.values_mut().map(|vehicle| &mut vehicle.broker);
        let terminals = fleet.terminal.iter_mut().map(|terminal| &mut terminal.broker);
        templates.chain(vehicles).chain(terminals).try_for_each(|broker| broker.read_authority(folder))?;
        fleet.check(city).map_err(|wrong| wrong.in_text(path, &text))?;
        Ok(fleet)
    }

    /// What a terminal is set to while it rides in a vehicle.
    pub(crate) fn parts(&self, terminal: &FleetTerminal, vehicle: &VehicleId) -> Result<Parts, Wrong> {
        let mut parts = Parts::new();
        for template in self.lineage(&terminal.template)?.iter().rev() {
            template.onto(&mut parts);
        }
        if let Some(vehicle) = self.vehicle.get(vehicle) {
            vehicle.onto(&mut parts);
        }
        terminal.onto(&mut parts);
        Ok(parts)
    }

    /// A template, the one it extends, and so on to the last.
    fn lineage(&self, name: &str) -> Result<Vec<&Template>, Wrong> {
        let mut names = vec![name];
        let mut templates = Vec::new();
        loop {
            let name = names[names.len() - 1];
            let unknown = || Wrong::new("template", format!("{name} is not in the file"));
            let template = self.template.get(name).ok_or_else(unknown)?;
            templates.push(template);
            match template.extends.as_deref() {
                None => return Ok(templates),
                Some(base) if names.contains(&base) => {
                    let problem = format!("{name} extends {base}, which extends {name} in the end");
                    return Err(Wrong::new("template", problem));
                }
                Some(base) => names.push(base),
            }
        }
    }

    fn check(&self, city: &City) -> Result<(), Wrong> {
        for (name, template) in &self.template {
            self.lineage(name).map_err(|wrong| wrong.under(&[&"template", name, &"extends"]))?;
            // Nobody may ride by it yet.
            let within = |wrong: Wrong| wrong.within(format!("template {name}"), &[&"template", name]);
            template.check().map_err(within)?;
        }
        let vehicles: HashSet<_> = city.vehicle.iter().map(|vehicle| &vehicle.id).collect();
        for (id, settings) in &self.vehicle {
            let (here, keys): (_, [&dyn Display; 2]) = (format!("vehicle {id}"), [&"vehicle", id]);
            if !vehicles.contains(id) {
                return Err(Wrong::new(here, format!("is not in {CITY_FILE}")).under(&keys));
            }
            settings.check().map_err(|wrong| wrong.within(&here, &keys))?;
        }
        let mut seen = HashSet::new();
        for (index, terminal) in self.terminal.iter().enumerate() {
            let here = format!("terminal {}", terminal.id);
            if !seen.insert(&terminal.id) {
                return Err(Wrong::new(here, "is there twice").under(&[&"terminal", &index, &"id"]));
            }
            terminal.check().map_err(|wrong| wrong.within(&here, &[&"terminal", &index]))?;
            for vehicle in terminal.vehicle.iter() {
                if !vehicles.contains(vehicle) {
                    let problem = format!("names the vehicle {vehicle}, which is not in {CITY_FILE}");
                    return Err(Wrong::new(here, problem).under(&[&"terminal", &index, &"vehicle"]));
                }
                let within =
                    |wrong: Wrong| wrong.within(format!("{here} in {vehicle}"), &[&"terminal", &index]);
                let checked = self.parts(terminal, vehicle).and_then(|parts| parts.check());
                checked.map_err(within)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What stands in a file is taken over, or refused.
    fn read(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), text).unwrap();
        let mut broker = BrokerPart { authority_file: Some("authority.pem".into()), ..BrokerPart::default() };
        broker.read_authority(folder.path()).map_err(|error| error.to_string())?;
        Ok(broker.authority.unwrap())
    }

    #[test]
    fn certificates_alone_go_to_terminals() {
        let made = rcgen::generate_simple_self_signed(["broker.example".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem().replace('\r', ""), made.signing_key.serialize_pem());
        assert_eq!(read(&certificate).unwrap(), certificate);
        let two = format!("{certificate}{certificate}");
        let told = format!("the city's\r\n{}and another\n{certificate}", certificate.replace('\n', "\r\n"));
        assert_eq!(read(&told).unwrap(), two, "what stands around is left out");
        let rest = certificate.trim_start_matches("-----BEGIN CERTIFICATE-----\n");
        for (text, named) in [
            (format!("{key}{certificate}"), "holds a PRIVATE KEY, expected certificates alone"),
            (format!("{certificate}{key}"), "holds a PRIVATE KEY"),
            (certificate.replace("CERTIFICATE", "CERTIFICATE REQUEST"), "holds a CERTIFICATE REQUEST"),
            ("-----BEGIN CERTIFICATE-----\nrubbish".to_owned(), "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\n.\n-----END CERTIFICATE-----\n".to_owned(),
                "is no PEM of certificates",
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "can't be read"),
            (format!("-----BEGIN CERTIFICATE-----\nAAAA{rest}"), "can't be read"),
            (format!("{certificate}{}", "\n".repeat(8 * 1024)), "has more than 8 KiB"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains("authority.pem: authority_file: ") && error.contains(named), "{error}");
        }
    }
}
