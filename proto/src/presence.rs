//! What is ephemeral: who is there, and where. No entry of a log, no personal data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::wire::{Check, Message, WireError};
use crate::{BootId, limits};

/// Whether a terminal is connected, on `up/presence`: retained, and its absence is the last will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Version of the message, 1.
    pub v: u64,
    /// False in the last will.
    pub online: bool,
    /// The start of the program that says so.
    pub boot: BootId,
    /// Version of the program.
    pub app: String,
}

impl Message for Presence {
    const NAME: &'static str = "presence";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        Check(Self::NAME).text("app", &self.app, limits::SHORT_TEXT)
    }
}

/// Where a vehicle is, on `up/position` with QoS 0. The newest is all that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Version of the message, 1.
    pub v: u64,
    /// GNSS time of the fix.
    pub at: Timestamp,
    /// Latitude in degrees, WGS 84.
    pub lat: f64,
    /// Longitude in degrees, WGS 84.
    pub lng: f64,
    /// Speed over ground in km/h, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_kmh: Option<f64>,
}

impl Message for Position {
    const NAME: &'static str = "position";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.degrees("lat", self.lat, 90.0)?;
        check.degrees("lng", self.lng, 180.0)?;
        match self.speed_kmh {
            Some(speed) if !(0.0..=400.0).contains(&speed) => check.fail("speed_kmh", format!("is {speed}")),
            _ => Ok(()),
        }
    }
}
