//! What terminals and the office say to each other: topics, messages, ids and limits.
//!
//! Pure data: no I/O, no clock, no randomness. Two rules carry the wire. *Up go facts*: numbered,
//! chained by digest, sent until the office holds them. *Down go documents*: whole and versioned,
//! the newest wins. [`Hello`] is the one repair path between the two; [`Ack`] answers it.
//!
//! Every message is UTF-8 JSON, is checked against [`limits`] when it is written and when it is
//! read, refuses fields it does not know, and has a golden file under `proto/tests/golden`.

pub mod clock;
mod config;
pub mod crew;
pub mod enrol;
mod erasure;
mod fact;
mod hello;
mod id;
pub mod limits;
mod list;
mod log;
pub mod pickup;
mod presence;
mod reason;
mod topic;
mod wire;

pub use config::{ConfigChange, ConfigState, ConfigWhy};
pub use crew::{CrewList, Member};
pub use erasure::Erasure;
pub use fact::{Fact, FactBody, Health, ItemResult, ListRef, Outcome, Stamps, TrackBody, TrackFact, Undo};
pub use hello::{Ack, DocumentHeld, EpochHeld, Hello, LogsHeld, SeqHeld};
pub use id::{
    BootId, CityId, ContractId, ContractorId, CrewId, Epoch, FactId, IdError, Incarnation, Nonce, PickupId,
    TerminalId, VehicleId,
};
pub use list::{DayList, Document, Item, Listed, OwnSeen, Payment, Place, Ticket};
pub use log::{Digest, Entry, LogKind, LogPublish};
pub use presence::{Position, Presence};
pub use reason::Reason;
pub use topic::{DocumentName, DownTopic, Topic, TopicError, UpTopic, Way};
pub use wire::{Message, WireError};
