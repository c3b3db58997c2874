//! What those who look after terminals, and tests, ask of one. Holds no residents' data.

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::{
    BootId, ConfigState, ConfigWhy, ContractId, Digest, DocumentHeld, Epoch, Incarnation, LogKind, VehicleId,
};
use serde::Serialize;

use crate::kept::Log;
use crate::trouble::TroubleKind;
use crate::view::Link;

/// How a terminal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// This start of the program.
    pub boot: BootId,
    /// The line.
    pub link: LinkStatus,
    /// The office that last answered.
    pub office: Option<Incarnation>,
    /// The working day.
    pub today: Date,
    /// Whether the clock can't be trusted yet.
    pub clock_in_doubt: bool,
    /// Facts the office does not hold yet.
    pub waiting: u64,
    /// Both logs.
    pub logs: Vec<LogStatus>,
    /// The documents held.
    pub documents: Vec<DocumentHeld>,
    /// How the configuration stands.
    pub config: ConfigStatus,
    /// What keeps the terminal from working.
    pub trouble: Option<String>,
    /// Which kind of trouble that is.
    pub trouble_kind: Option<TroubleKind>,
}

/// How a terminal's configuration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigStatus {
    /// Version of the bundle in force; 0 without one.
    pub version: u64,
    /// The contract in force.
    pub contract: ContractId,
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Where the configuration in force has come to; none without a bundle.
    pub state: Option<ConfigState>,
    /// Why it is degraded or reverted, or why the last bundle was refused.
    pub why: Option<ConfigWhy>,
    /// More of why.
    pub detail: Option<String>,
    /// The version of the bundle that was accepted last; 0 for none.
    pub held: u64,
    /// The version of the key set that counts; 0 for none.
    pub keys: u64,
    /// The broker that is used now, as `host:port`.
    pub broker: String,
    /// The configurations to come.
    pub coming: Vec<ComingStatus>,
    /// Whether the crew is to say which day it is.
    pub date_needed: bool,
}

/// A configuration to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComingStatus {
    /// From when it holds.
    pub from: Option<Timestamp>,
    /// The contract then.
    pub contract: ContractId,
    /// The vehicle then.
    pub vehicle: VehicleId,
}

/// The line in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// Connected and answered.
    Up,
    /// Waiting for the office.
    Joining,
    /// No line.
    Down,
    /// The broker refuses.
    Refused,
}

/// How a log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// Which log.
    pub log: LogKind,
    /// Its epoch.
    pub epoch: Epoch,
    /// The first entry kept.
    pub first: u64,
    /// The last entry.
    pub head: u64,
    /// The last entry's digest.
    pub digest: Digest,
    /// Up to where the office holds it.
    pub acked: u64,
    /// How many the office does not hold yet.
    pub waiting: u64,
}

impl LogStatus {
    pub(crate) fn new(kind: LogKind, log: &Log) -> Self {
        Self {
            log: kind,
            epoch: log.epoch,
            first: log.first,
            head: log.head(),
            digest: log.head_digest(),
            acked: log.acked,
            waiting: log.waiting(),
        }
    }
}

impl From<Link> for LinkStatus {
    fn from(link: Link) -> Self {
        match link {
            Link::Up => Self::Up,
            Link::Joining => Self::Joining,
            Link::Down => Self::Down,
            Link::Refused(_) => Self::Refused,
        }
    }
}
