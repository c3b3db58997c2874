//! The life of a terminal's configuration (設定), as the terminal tells the office: every transition is a fact.
//!
//! `offered -> verified -> staged -> activated -> healthy | degraded | reverted`, or `refused`. What the office offers it knows
//! itself; all else happens on the terminal, with or without a line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{DOCUMENT_VERSION, LONG_TEXT};
use crate::wire::{Check, WireError};
use crate::{ContractId, Digest};

/// Where a configuration has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigState {
    /// Its signatures and all its rules hold: the terminal keeps it in place of the one before.
    Verified,
    /// It waits for its instant.
    Staged,
    /// It is in force: contract, lists and keys are those of now.
    Activated,
    /// The office answers on its line, and every peripheral it names is there.
    Healthy,
    /// It is in force, and something it names is missing.
    Degraded,
    /// It is in force, but for the line: that is the one before again.
    Reverted,
    /// It is not taken, and never will be.
    Refused,
}

/// Why a configuration is refused, reverted or degraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigWhy {
    /// Refused: more bytes than are read.
    TooLarge,
    /// Refused: no envelope, or no contents of the expected shape.
    Malformed,
    /// Refused: the envelope holds something else.
    OtherType,
    /// Refused: the terminal holds no key set yet by which it could verify anything.
    NoKeys,
    /// Refused: too few different keys of the role have signed these very bytes.
    TooFewSignatures,
    /// Refused: it is of another city.
    OtherCity,
    /// Refused: it is of another terminal.
    OtherTerminal,
    /// Refused: a newer one, or another one of the same version, was accepted before.
    OldVersion,
    /// Refused: it came after the day until which it could be accepted.
    Expired,
    /// Refused: the key set that it is signed by is over.
    KeysExpired,
    /// Refused: a key set that does not follow the one that is held.
    KeysNotNext,
    /// Refused: values that can't be, or a schedule that is none.
    OutOfBounds,
    /// Reverted: the broker does not let the terminal in.
    BrokerRefused,
    /// Reverted: nobody answers at the new address, while the office answers at the one before.
    BrokerUnreachable,
    /// Degraded: a peripheral is not there.
    PeripheralMissing,
}

/// A transition of a terminal's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    /// Version of the bundle; 0 where it could not be read.
    pub version: u64,
    /// SHA-256 of the bundle as it came.
    pub bundle: Digest,
    /// Where it has come to.
    pub state: ConfigState,
    /// The contract of the configuration that is spoken of; absent where all of the bundle is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractId>,
    /// The instant from which that configuration holds; absent where it held when the bundle came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Timestamp>,
    /// Why it is refused, reverted or degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ConfigWhy>,
    /// More of why, for whoever looks after terminals; no residents' data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl ConfigChange {
    pub(crate) fn check(&self, check: &Check) -> Result<(), WireError> {
        if self.version >= DOCUMENT_VERSION {
            return check.fail("version", format!("is {}, expected below {DOCUMENT_VERSION}", self.version));
        }
        let needs_why =
            matches!(self.state, ConfigState::Degraded | ConfigState::Reverted | ConfigState::Refused);
        if needs_why != self.why.is_some() {
            return check
                .fail("why", "belongs to what is refused, reverted or degraded, and to nothing else");
        }
        check.text("detail", &self.detail, LONG_TEXT)
    }
}
