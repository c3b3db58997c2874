//! Topics: built and parsed by one type, so that no other code knows their spelling.
//!
//! ```
//! use meguri_proto::{Topic, UpTopic};
//! let topic: Topic = "meguri/1/hiroshima/t-0001/up/fact".parse()?;
//! assert_eq!(topic, Topic::up("hiroshima".parse()?, "t-0001".parse()?, UpTopic::Fact));
//! assert_eq!(topic.to_string(), "meguri/1/hiroshima/t-0001/up/fact");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{CityId, ContractId, LogKind, TerminalId};

const ROOT: &str = "meguri";
const VERSION: &str = "1";

/// A topic of the wire: `meguri/1/{city}/{terminal}/up|down/…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The city.
    pub city: CityId,
    /// The terminal that speaks or is spoken to.
    pub terminal: TerminalId,
    /// Which way, and what.
    pub way: Way,
}

/// Which way a topic goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the terminal.
    Up(UpTopic),
    /// To the terminal.
    Down(DownTopic),
}

/// What a terminal may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpTopic {
    /// [`Hello`](crate::Hello).
    Hello,
    /// [`LogPublish`](crate::LogPublish) of the fact log.
    Fact,
    /// [`LogPublish`](crate::LogPublish) of the track log.
    Track,
    /// [`Position`](crate::Position).
    Position,
    /// [`Presence`](crate::Presence).
    Presence,
}

/// What the office publishes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DownTopic {
    /// [`Ack`](crate::Ack).
    Ack,
    /// A [`Document`](crate::Document).
    Document(DocumentName),
}

/// Which document; its text is the tail of its topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DocumentName {
    /// The day list of a contract and date.
    List {
        /// The contract.
        contract: ContractId,
        /// The day of collection in Japan.
        date: Date,
    },
    /// Who may sign in on the terminal: a [`CrewList`](crate::CrewList).
    Crew,
    /// Who may sign in from a coming contract's first day on: a [`CrewList`](crate::CrewList), held ahead so that its lists can be
    /// sealed to them.
    CrewOf {
        /// The contract.
        contract: ContractId,
    },
    /// Every key set so far, in their order: what configurations are verified by.
    Keys,
    /// The terminal's configurations, those to come among them: a signed bundle.
    Config,
    /// That the terminal is lost and to be erased: an [`Erasure`](crate::Erasure). A terminal that names it has done so.
    Erasure,
}

/// Why a text is not a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a topic of this wire: {problem}")]
pub struct TopicError {
    problem: String,
}

fn wrong(problem: impl Into<String>) -> TopicError {
    TopicError { problem: problem.into() }
}

impl Topic {
    /// A topic from a terminal.
    #[must_use]
    pub fn up(city: CityId, terminal: TerminalId, up: UpTopic) -> Self {
        Self { city, terminal, way: Way::Up(up) }
    }

    /// A topic to a terminal.
    #[must_use]
    pub fn down(city: CityId, terminal: TerminalId, down: DownTopic) -> Self {
        Self { city, terminal, way: Way::Down(down) }
    }

    /// What a terminal subscribes to: all that is meant for it.
    #[must_use]
    pub fn terminal_filter(city: &CityId, terminal: &TerminalId) -> String {
        format!("{ROOT}/{VERSION}/{city}/{terminal}/down/#")
    }

    /// What the office subscribes to: all that the city's terminals say.
    #[must_use]
    pub fn office_filter(city: &CityId) -> String {
        format!("{ROOT}/{VERSION}/{city}/+/up/#")
    }

    /// Below what a terminal may publish.
    #[must_use]
    pub fn publish_prefix(city: &CityId, terminal: &TerminalId) -> String {
        format!("{ROOT}/{VERSION}/{city}/{terminal}/up/")
    }

    /// Below what a terminal may subscribe.
    #[must_use]
    pub fn subscribe_prefix(city: &CityId, terminal: &TerminalId) -> String {
        format!("{ROOT}/{VERSION}/{city}/{terminal}/down/")
    }
}

impl From<LogKind> for UpTopic {
    fn from(log: LogKind) -> Self {
        match log {
            LogKind::Fact => Self::Fact,
            LogKind::Track => Self::Track,
        }
    }
}

impl UpTopic {
    const ALL: [Self; 5] = [Self::Hello, Self::Fact, Self::Track, Self::Position, Self::Presence];

    /// The topic's last word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Fact => "fact",
            Self::Track => "track",
            Self::Position => "position",
            Self::Presence => "presence",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}/{VERSION}/{}/{}/", self.city, self.terminal)?;
        match &self.way {
            Way::Up(up) => write!(f, "up/{}", up.as_str()),
            Way::Down(DownTopic::Ack) => f.write_str("down/ack"),
            Way::Down(DownTopic::Document(name)) => write!(f, "down/{name}"),
        }
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let mut words = text.splitn(6, '/');
        let mut next = || words.next().ok_or_else(|| wrong("too few levels"));
        if next()? != ROOT || next()? != VERSION {
            return Err(wrong(format!("expected {ROOT}/{VERSION}/ at the start")));
        }
        let city = next()?.parse().map_err(|e| wrong(format!("{e}")))?;
        let terminal = next()?.parse().map_err(|e| wrong(format!("{e}")))?;
        let (way, tail) = (next()?, next()?);
        let way = match way {
            "up" => UpTopic::ALL
                .into_iter()
                .find(|up| up.as_str() == tail)
                .map(Way::Up)
                .ok_or_else(|| wrong("unknown word after up/"))?,
            "down" if tail == "ack" => Way::Down(DownTopic::Ack),
            "down" => Way::Down(DownTopic::Document(tail.parse()?)),
            _ => return Err(wrong("expected up or down")),
        };
        Ok(Self { city, terminal, way })
    }
}

impl DocumentName {
    /// The contract that it is of, where it is of one by its name.
    #[must_use]
    pub fn contract(&self) -> Option<&ContractId> {
        match self {
            Self::List { contract, .. } | Self::CrewOf { contract } => Some(contract),
            Self::Crew | Self::Keys | Self::Config | Self::Erasure => None,
        }
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { contract, date } => write!(f, "list/{contract}/{date}"),
            Self::Crew => f.write_str("crew"),
            Self::CrewOf { contract } => write!(f, "crew/{contract}"),
            Self::Keys => f.write_str("keys"),
            Self::Config => f.write_str("config"),
            Self::Erasure => f.write_str("erasure"),
        }
    }
}

impl FromStr for DocumentName {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let words: Vec<&str> = text.split('/').collect();
        let (contract, date) = match words[..] {
            ["list", contract, date] => (contract, date),
            ["crew"] => return Ok(Self::Crew),
            ["crew", contract] => {
                let contract = contract.parse().map_err(|e| wrong(format!("{e}")))?;
                return Ok(Self::CrewOf { contract });
            }
            ["keys"] => return Ok(Self::Keys),
            ["config"] => return Ok(Self::Config),
            ["erasure"] => return Ok(Self::Erasure),
            _ => {
                return Err(wrong(
                    "expected list/{contract}/{date}, crew, crew/{contract}, keys, config or erasure",
                ));
            }
        };
        let contract = contract.parse().map_err(|e| wrong(format!("{e}")))?;
        let parsed: Date = date.parse().map_err(|_| wrong("expected a date like 2026-04-01"))?;
        // One spelling for one document: jiff also reads 20260401.
        if parsed.to_string() != date {
            return Err(wrong("expected a date like 2026-04-01"));
        }
        Ok(Self::List { contract, date: parsed })
    }
}

impl TryFrom<String> for DocumentName {
    type Error = TopicError;
    fn try_from(text: String) -> Result<Self, TopicError> {
        text.parse()
    }
}

impl From<DocumentName> for String {
    fn from(name: DocumentName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_topic_reads_back() {
        for text in [
            "meguri/1/hiroshima/t-1/up/hello",
            "meguri/1/hiroshima/t-1/up/fact",
            "meguri/1/hiroshima/t-1/up/track",
            "meguri/1/hiroshima/t-1/up/position",
            "meguri/1/hiroshima/t-1/up/presence",
            "meguri/1/hiroshima/t-1/down/ack",
            "meguri/1/hiroshima/t-1/down/list/c-1/2026-04-01",
            "meguri/1/hiroshima/t-1/down/crew",
            "meguri/1/hiroshima/t-1/down/crew/c-2",
            "meguri/1/hiroshima/t-1/down/keys",
            "meguri/1/hiroshima/t-1/down/config",
            "meguri/1/hiroshima/t-1/down/erasure",
        ] {
            assert_eq!(text.parse::<Topic>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_every_other_text() {
        for text in [
            "",
            "meguri",
            "meguri/2/hiroshima/t-1/up/fact",
            "meguri/1/hiroshima/t-1/up",
            "meguri/1/hiroshima/t-1/up/",
            "meguri/1/hiroshima/t-1/up/fact/more",
            "meguri/1/hiroshima/t-1/side/fact",
            "meguri/1/hiroshima/+/up/fact",
            "meguri/1/Hiroshima/t-1/up/fact",
            "meguri/1//t-1/up/fact",
            "meguri/1/hiroshima/t-1/down/list/c-1/20260401",
            "meguri/1/hiroshima/t-1/down/list/c-1/2026-02-30",
            "meguri/1/hiroshima/t-1/down/list/c-1",
            "/meguri/1/hiroshima/t-1/up/fact",
            "meguri/1/hiroshima/t-1/down/crew/c-2/more",
            "meguri/1/hiroshima/t-1/down/crew/",
            "meguri/1/hiroshima/t-1/down/config/1",
            "meguri/1/hiroshima/t-1/down/erasures",
        ] {
            assert!(text.parse::<Topic>().is_err(), "{text}");
        }
    }
}
