//! Ids. Those that people choose are short lower-case words that are safe in a topic, a file name
//! and a URL; those that machines draw are UUIDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::ID_BYTES;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {text:?} is not an id: expected 1 to {ID_BYTES} of a-z, 0-9 and inner hyphens")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = (1..=ID_BYTES).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        return Ok(());
    }
    // What came over the wire may be of any length; the error stays readable.
    let text = text.chars().take(ID_BYTES).collect();
    Err(IdError { kind, text })
}

macro_rules! chosen {
    ($($(#[$doc:meta])* $name:ident $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                check($kind, text)?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                check($kind, &text)?;
                Ok(Self(text))
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self { id.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    )*};
}

chosen! {
    /// A city (市), the first word of every topic.
    CityId "city";
    /// A terminal (端末), named once for life.
    TerminalId "terminal";
    /// A collection contractor (収集業者).
    ContractorId "contractor";
    /// A contract (委託契約): who collects which districts in which period.
    ContractId "contract";
    /// A vehicle (号車) of a contract.
    VehicleId "vehicle";
    /// A member of a contractor's crews (乗務員).
    CrewId "crew";
}

macro_rules! drawn {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Uuid::parse_str(text).map(Self) }
        }
    )*};
}

drawn! {
    /// One life of a log, drawn when the log is made and when it forks (UUIDv4).
    Epoch;
    /// A fact, drawn at the tap (UUIDv7, RFC 9562 section 5.7). The office applies an id once.
    FactId;
    /// A pickup (収集), drawn by the office at import.
    PickupId;
    /// One life of the office's store; a restored store has a new one.
    Incarnation;
    /// One start of a terminal's program, by which two devices under one name are noticed.
    BootId;
    /// Ties the answer to a hello.
    Nonce;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_only_words_that_are_safe_everywhere() {
        for good in ["a", "3", "hiroshima", "t-0001", &"x".repeat(ID_BYTES)] {
            assert_eq!(good.parse::<TerminalId>().unwrap().as_str(), good);
        }
        for bad in
            ["", "-a", "a-", "A", "a/b", "a+", "#", "a b", "端末", "a\0", "..", &"x".repeat(ID_BYTES + 1)]
        {
            assert!(bad.parse::<TerminalId>().is_err(), "{bad:?}");
            assert!(serde_json::from_value::<TerminalId>(bad.into()).is_err(), "{bad:?}");
        }
    }
}
