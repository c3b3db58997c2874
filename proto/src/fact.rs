//! The bodies of log entries: what happened in the field.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::wire::{Check, Message, WireError};
use crate::{ConfigChange, ContractId, CrewId, Digest, FactId, PickupId, Reason};

/// The body of an entry on the `fact` log. Names pickups by id and carries no resident's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactBody {
    /// Version of the body, 1.
    pub v: u64,
    /// The contract under which it happened, so that late facts of March stay March's.
    pub contract: ContractId,
    /// Version of the terminal's configuration.
    pub config: u64,
    /// Who had signed in; absent where nobody needs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crew: Option<CrewId>,
    /// When, by the terminal's clocks.
    pub at: Stamps,
    /// What happened.
    pub fact: Fact,
}

/// When something happened, by each clock the terminal has. The office adds its own; none overwrites another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamps {
    /// The device's clock, right or wrong.
    pub terminal: Timestamp,
    /// GNSS time, where there was a fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gnss: Option<Timestamp>,
    /// The terminal's trusted time: the office's time at the last hello, carried on by the boot clock. Where
    /// the office has not answered since the terminal's start, the time carried on by the device's clock, once
    /// the crew has confirmed its date: then the date is sure and the time of day as good as that clock.
    /// Absent while in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<Timestamp>,
}

impl Stamps {
    /// The one to show and to keep where there is room for one: terminal and office take the same. Trusted
    /// time comes first, since the office's own stamps are of it; a receiver's may be off by the 1,024 weeks
    /// after which GNSS counts anew; the device's comes last, since it may be years off.
    #[must_use]
    pub fn best(&self) -> Timestamp {
        self.trusted.or(self.gnss).unwrap_or(self.terminal)
    }
}

/// What happened in the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A crew said how a pickup went.
    Outcome(Outcome),
    /// A crew took back what it had said.
    Undo(Undo),
    /// The terminal's configuration came to another point of its life. No crew's word.
    Config(ConfigChange),
}

impl Fact {
    /// The pickup it speaks of; none where it is of the terminal itself.
    #[must_use]
    pub fn pickup(&self) -> Option<PickupId> {
        match self {
            Self::Outcome(outcome) => Some(outcome.pickup),
            Self::Undo(undo) => Some(undo.pickup),
            Self::Config(_) => None,
        }
    }
}

/// How a pickup went (収集結果).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The pickup.
    pub pickup: PickupId,
    /// The list that was on the screen.
    pub list: ListRef,
    /// The terminal's own earlier outcome that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<FactId>,
    /// The result.
    pub result: crate::pickup::Result,
}

/// Takes back an earlier outcome of the same terminal: the pickup is open again as far as this terminal is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The pickup.
    pub pickup: PickupId,
    /// The outcome taken back.
    pub of: FactId,
}

/// Names a version of a day list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRef {
    /// The list's date.
    pub date: Date,
    /// Its version.
    pub version: u64,
}

/// How one line of items went, where only a part was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemResult {
    /// Index of the item on the pickup, from 0.
    pub item: u32,
    /// How many were collected.
    pub collected: u32,
    /// Why the rest was not; absent where all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Message for FactBody {
    const NAME: &'static str = "fact body";
    const MAX_BYTES: usize = limits::BODY_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        use crate::pickup::Result::{Collected, NotCollected, Partly};
        let check = Check(Self::NAME);
        let outcome = match &self.fact {
            Fact::Outcome(outcome) => outcome,
            Fact::Undo(_) => return Ok(()),
            Fact::Config(change) => return change.check(&check),
        };
        match &outcome.result {
            Collected => Ok(()),
            NotCollected { reason, note } => needs_note(&check, "result", Some(*reason), *note),
            Partly { items, note } => {
                check.count("result.items", items.len(), limits::PICKUP_ITEMS)?;
                if items.is_empty() {
                    return check.fail("result.items", "is empty");
                }
                for (index, item) in items.iter().enumerate() {
                    let field = format!("result.items[{index}]");
                    // No pickup has as many items, whatever became of it since its list was made.
                    if u64::from(item.item) >= limits::PICKUP_ITEMS as u64 {
                        return check.fail(field, format!("names item {}", item.item));
                    }
                    if item.collected > limits::ITEM_COUNT {
                        return check.fail(field, format!("collected is {}", item.collected));
                    }
                    needs_note(&check, &field, item.reason, *note)?;
                }
                Ok(())
            }
        }
    }
}

fn needs_note(
    check: &Check,
    field: &str,
    reason: Option<Reason>,
    note: Option<Digest>,
) -> Result<(), WireError> {
    if reason == Some(Reason::Other) && note.is_none() {
        return check.fail(field, "has the reason \"other\" without a note");
    }
    Ok(())
}

/// The body of an entry on the `track` log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackBody {
    /// Version of the body, 1.
    pub v: u64,
    /// When, by the terminal's clocks.
    pub at: Stamps,
    /// What was sampled.
    pub track: TrackFact,
}

/// What the track log holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackFact {
    /// How the terminal is.
    Health(Health),
}

/// How a terminal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Version of the program.
    pub app: String,
    /// Facts not yet acknowledged.
    pub waiting: u64,
    /// Bytes free where the store lies; absent where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

impl Message for TrackBody {
    const NAME: &'static str = "track body";
    const MAX_BYTES: usize = limits::BODY_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let TrackFact::Health(health) = &self.track;
        Check(Self::NAME).text("health.app", &health.app, limits::SHORT_TEXT)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::Uuid;

    use super::*;

    fn partly(item: u32, collected: u32) -> Vec<u8> {
        let items = vec![ItemResult { item, collected, reason: Some(Reason::NotOut) }];
        let fact = Fact::Outcome(Outcome {
            pickup: PickupId(Uuid::nil()),
            list: ListRef { date: jiff::civil::date(2026, 4, 1), version: 1 },
            replaces: None,
            result: crate::pickup::Result::Partly { items, note: None },
        });
        let at = Stamps { terminal: Timestamp::UNIX_EPOCH, gnss: None, trusted: None };
        let body = FactBody { v: 1, contract: "c-1".parse().unwrap(), config: 1, crew: None, at, fact };
        serde_json::to_vec(&body).unwrap()
    }

    #[test]
    fn refuses_items_that_no_pickup_can_have() {
        // The office may have changed the items since the list was made, so only the limits bind.
        assert!(FactBody::decode(&partly(49, 999)).is_ok());
        for (item, collected) in [(50, 1), (4_000_000_000, 1), (0, 1_000)] {
            assert!(FactBody::decode(&partly(item, collected)).is_err(), "{collected} of item {item}");
        }
    }

    #[test]
    fn the_best_clock_is_the_offices_then_gnss_then_the_devices_own() {
        let at =
            |year: i16| jiff::civil::date(year, 4, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let all = Stamps { terminal: at(2015), gnss: Some(at(2006)), trusted: Some(at(2026)) };
        assert_eq!(all.best(), at(2026));
        assert_eq!(Stamps { trusted: None, ..all }.best(), at(2006));
        assert_eq!(Stamps { trusted: None, gnss: None, ..all }.best(), at(2015));
    }
}
