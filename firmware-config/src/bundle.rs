//! A terminal's bundle: all its configurations, the one in force and those to come, signed as one.
//!
//! So a correction on 20 March does not displace the switchover of 1 April, and withdrawing it is simply a newer bundle.

use jiff::Timestamp;
use meguri_proto::{CityId, ConfigWhy, ContractId, ContractorId, Digest, TerminalId, VehicleId, limits};
use serde::{Deserialize, Serialize};

use crate::city::short;
use crate::dsse::{Envelope, place};
use crate::keys::KeySet;
use crate::read::Wrong;
use crate::refused::Refused;
use crate::terminal::{ReasonSetting, Retention, Screen, Terminal, Timers};

/// What envelopes of bundles hold.
pub const BUNDLE_TYPE: &str = "application/vnd.meguri.bundle.v1+json";
/// Longest envelope of a bundle, in bytes; one of a year's two configurations has some 4 KB.
pub const BUNDLE_BYTES: usize = 64 * 1024;
/// Most configurations of a schedule.
pub(crate) const SCHEDULE_MOST: usize = 16;
/// Longest certificates (PEM) of another authority, in bytes.
pub(crate) const AUTHORITY_BYTES: usize = 8 * 1024;
/// Most peripherals of a terminal.
const PERIPHERALS_MOST: usize = 16;

/// A terminal's complete schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version of the body, 1.
    pub v: u64,
    /// The city.
    pub city: CityId,
    /// The terminal it is for.
    pub terminal: TerminalId,
    /// A terminal takes only higher ones than it ever took.
    pub version: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it can be accepted. Once it is, it holds until another one is.
    pub expires: Timestamp,
    /// The configurations by their instants. The first holds from when the bundle is accepted, unless it has an instant, too.
    pub schedule: Vec<Configuration>,
}

/// What a terminal is from an instant on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// From when it holds; absent for what holds at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The contract it works under.
    pub contract: ContractId,
    /// Whose contract that is.
    pub contractor: ContractorId,
    /// The contractor's name on screens.
    pub contractor_name: String,
    /// The vehicle it rides in.
    pub vehicle: VehicleId,
    /// The vehicle's name on screens.
    pub vehicle_name: String,
    /// The round's name (コース).
    pub round: String,
    /// Where the office is.
    pub broker: Connection,
    /// What is plugged in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peripheral: Vec<Peripheral>,
    /// The screen.
    pub screen: Screen,
    /// The reasons offered, in order.
    pub reason: Vec<ReasonSetting>,
    /// How long things are kept.
    pub retention: Retention,
    /// How often and how long.
    pub timers: Timers,
}

/// Where the office is. By what the terminal comes in is its own, and in no bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Host name or address of the broker.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Where the terminal renews its certificate, as `https://host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Certificates (PEM) of another authority that vouches for this broker, beside the one that the terminal enrolled at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// Something that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peripheral {
    /// What it is.
    pub kind: PeripheralKind,
    /// Its device, like `/dev/serial/by-id/…`.
    pub port: String,
    /// Baud rate.
    #[serde(default = "nine_thousand_six_hundred")]
    pub baud: u32,
}

/// What is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeripheralKind {
    /// A GNSS receiver (位置).
    Gnss,
    /// A scale (計量器).
    Scale,
    /// A barcode reader (バーコードリーダー).
    Barcode,
}

fn nine_thousand_six_hundred() -> u32 {
    9_600
}

/// What a terminal is, for whom bundles are judged.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// Its city.
    pub city: &'a CityId,
    /// The terminal.
    pub terminal: &'a TerminalId,
    /// The highest version that it ever accepted, 0 for none.
    pub version: u64,
}

impl Bundle {
    /// Reads a bundle that a terminal is to take over, rule by rule; raw bytes first. The sections are those of TUF 1.0.34.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn accept(
        bytes: &[u8],
        keys: Option<&KeySet>,
        whose: Whose<'_>,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let refuse = |why, detail: String| Err(Refused::new(why, detail));
        let Some(keys) = keys else {
            return refuse(ConfigWhy::NoKeys, "this terminal holds no key set yet".to_owned());
        };
        let bundle = Self::signed(bytes, keys, now)?;
        // 5.6.2, in its sense: what is signed is meant for this one, and can't be mixed with what is meant for others.
        if bundle.city != *whose.city {
            return refuse(ConfigWhy::OtherCity, format!("is of {}, expected {}", bundle.city, whose.city));
        }
        if bundle.terminal != *whose.terminal {
            let detail = format!("is for {}, expected {}", bundle.terminal, whose.terminal);
            return refuse(ConfigWhy::OtherTerminal, detail);
        }
        // 5.4.4 and 5.5.5: never back.
        if bundle.version <= whose.version {
            let detail = format!("has version {}, {} was accepted before", bundle.version, whose.version);
            return refuse(ConfigWhy::OldVersion, detail);
        }
        // 5.4.5 and 5.5.6: not frozen at what was. Judged now, and never when it comes into force.
        if bundle.expires <= now {
            return refuse(
                ConfigWhy::Expired,
                format!("could be accepted until {}, which is over", bundle.expires),
            );
        }
        Ok(bundle)
    }

    /// Reads a bundle that a threshold of the key set's configuration keys signed, whoever it is for.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn signed(bytes: &[u8], keys: &KeySet, now: Timestamp) -> Result<Self, Refused> {
        // 5.6.1: no more bytes than are allowed, in a known envelope.
        let envelope = Envelope::read(bytes, BUNDLE_BYTES)?;
        // 5.6.3: a threshold of the role's keys has signed these very bytes. Nothing in them was parsed before.
        let payload = envelope.verified(BUNDLE_TYPE, &keys.of(&keys.config), keys.config.threshold)?;
        // 5.3.10: the key set is not over.
        if keys.expires <= now {
            let detail = format!("key set {} is over since {}", keys.version, keys.expires);
            return Err(Refused::new(ConfigWhy::KeysExpired, detail));
        }
        Self::parse(&payload)
    }

    /// What a bundle says that nobody has judged yet: for whoever shows or sorts it, never to act upon.
    ///
    /// # Errors
    /// When it is no bundle.
    pub fn unverified(bytes: &[u8]) -> Result<Self, Refused> {
        Self::parse(&Envelope::read(bytes, BUNDLE_BYTES)?.unverified(BUNDLE_TYPE)?)
    }

    /// Reads a payload, whoever signed it.
    ///
    /// # Errors
    /// When it is no bundle, or holds values that can't be.
    pub fn parse(payload: &[u8]) -> Result<Self, Refused> {
        let bundle: Self = serde_json::from_slice(payload).map_err(|error| {
            Refused::new(ConfigWhy::Malformed, format!("the bundle can't be read: {}", place(&error)))
        })?;
        let wrong =
            |Wrong { field, problem, .. }| Refused::new(ConfigWhy::OutOfBounds, format!("{field} {problem}"));
        bundle.check().map_err(wrong)?;
        Ok(bundle)
    }

    /// In an envelope, to be signed.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        // Texts, numbers and lists of them always become JSON.
        Envelope::new(BUNDLE_TYPE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// SHA-256 of an envelope as it came, by which facts name it.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> Digest {
        Digest::of(bytes)
    }

    /// Where in the schedule the configuration stands that holds at an instant; the first before any.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> usize {
        let begun = |configuration: &Configuration| configuration.from.is_none_or(|from| from <= now);
        self.schedule.iter().rposition(begun).unwrap_or(0)
    }

    /// Whether the values can be.
    ///
    /// # Errors
    /// Names the first that can't.
    pub fn check(&self) -> Result<(), Wrong> {
        if self.v != 1 {
            return Err(Wrong::new("v", format!("is {}, this program reads 1", self.v)));
        }
        if self.version == 0 || self.version >= limits::DOCUMENT_VERSION {
            return Err(Wrong::new("version", format!("is {}", self.version)));
        }
        let count = self.schedule.len();
        if !(1..=SCHEDULE_MOST).contains(&count) {
            return Err(Wrong::new("schedule", format!("holds {count}, expected 1 to {SCHEDULE_MOST}")));
        }
        for (index, pair) in self.schedule.windows(2).enumerate() {
            // None stands before all instants, so that only the first one can have none.
            if pair[0].from >= pair[1].from {
                let field = format!("schedule[{}].from", index + 1);
                return Err(Wrong::new(field, "is not after the one before"));
            }
        }
        for (index, configuration) in self.schedule.iter().enumerate() {
            let within =
                |wrong: Wrong| Wrong::new(format!("schedule[{index}].{}", wrong.field), wrong.problem);
            configuration.check().map_err(within)?;
        }
        Ok(())
    }
}

impl Configuration {
    /// The settings of a terminal that this holds for: its own file says who it is, by what it comes in and where its keys lie.
    #[must_use]
    pub fn onto(&self, own: &Terminal, version: u64) -> Terminal {
        let mut settings = own.clone();
        settings.version = version;
        settings.contractor = self.contractor.clone();
        settings.contract = self.contract.clone();
        settings.vehicle = self.vehicle.clone();
        settings.broker.host.clone_from(&self.broker.host);
        settings.broker.port = self.broker.port;
        if settings.broker.identity.is_some() {
            settings.broker.office.clone_from(&self.broker.office);
        }
        settings.screen = self.screen.clone();
        settings.reason.clone_from(&self.reason);
        settings.retention = self.retention.clone();
        settings.timers = self.timers.clone();
        settings
    }

    /// Whether the values can be.
    ///
    /// # Errors
    /// Names the first that can't.
    pub fn check(&self) -> Result<(), Wrong> {
        short("contractor_name", &self.contractor_name)?;
        short("vehicle_name", &self.vehicle_name)?;
        short("round", &self.round)?;
        self.broker.check()?;
        check_peripherals(&self.peripheral)?;
        self.screen.check()?;
        crate::terminal::check_reasons(&self.reason)?;
        self.retention.check()?;
        self.timers.check()
    }
}

/// Whether what is plugged in can be: each device is one thing.
pub(crate) fn check_peripherals(peripherals: &[Peripheral]) -> Result<(), Wrong> {
    if peripherals.len() > PERIPHERALS_MOST {
        let problem = format!("holds {}, expected at most {PERIPHERALS_MOST}", peripherals.len());
        return Err(Wrong::new("peripheral", problem));
    }
    for (index, peripheral) in peripherals.iter().enumerate() {
        short("peripheral.port", &peripheral.port)?;
        if peripherals[..index].iter().any(|other| other.port == peripheral.port) {
            return Err(Wrong::new("peripheral.port", format!("{} is there twice", peripheral.port)));
        }
        if !(300..=4_000_000).contains(&peripheral.baud) {
            let problem = format!("is {}, expected 300 to 4000000", peripheral.baud);
            return Err(Wrong::new("peripheral.baud", problem));
        }
    }
    Ok(())
}

impl Connection {
    /// Whether the values can be.
    ///
    /// # Errors
    /// Names the first that can't.
    pub fn check(&self) -> Result<(), Wrong> {
        crate::terminal::check_address(&self.host, self.port, self.office.as_deref())?;
        let long = self.authority.as_ref().is_some_and(|pem| pem.len() > AUTHORITY_BYTES);
        if long { Err(Wrong::new("broker.authority", "has more than 8 KiB")) } else { Ok(()) }
    }
}
