//! What a screen, or any other front, shows of the terminal: made anew after every step, never edited.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::pickup::{Contradiction, State, Statement};
use meguri_proto::{ConfigState, ConfigWhy, CrewId, ItemResult, ListRef, Listed, PickupId, Reason};

use crate::trouble::Trouble;

/// How many days after [`View::earliest`] the last day is that the crew can say is today.
pub const LATEST_DAYS: i32 = crate::time::LATEST;

/// All that a front needs.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The working day by trusted time, in Japan.
    pub today: Date,
    /// The list of `today`; none where none has arrived yet.
    pub list: Option<ListView>,
    /// The line to the office.
    pub link: Link,
    /// Facts written on this terminal that the office does not hold yet.
    pub waiting: u64,
    /// When the office was last heard, by trusted time.
    pub heard_at: Option<Timestamp>,
    /// Whether `today` is in doubt: neither the office nor the crew has confirmed it.
    pub clock_in_doubt: bool,
    /// No day before this one can be said to be today: time was once sure of it.
    pub earliest: Date,
    /// What keeps the terminal from working as it should.
    pub trouble: Option<Trouble>,
    /// Who the crew is.
    pub crew: Crew,
    /// Whether the terminal is lost: all that it held is destroyed, and it shows nothing.
    pub erased: bool,
    /// How the terminal's configuration stands, and what is to come.
    pub config: ConfigView,
}

/// How the terminal's configuration stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// Version of the bundle in force; 0 where there is none and the terminal's own file says who it is.
    pub version: u64,
    /// Where the configuration in force has come to; none without a bundle.
    pub state: Option<ConfigState>,
    /// Why it is degraded or reverted, or why the last bundle was refused.
    pub why: Option<(ConfigWhy, String)>,
    /// The next configuration of the schedule.
    pub coming: Option<Coming>,
    /// Whether the next configuration may be due, and only the clock's doubt holds it: the crew is to say which day it is.
    pub date_needed: bool,
    /// The configuration in force, where it took the place of another one at an instant.
    pub changed: Option<Coming>,
    /// What came of the USB stick that is plugged in; none once it is pulled out.
    pub stick: Option<StickRead>,
}

/// What came of a USB stick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StickRead {
    /// Its schedule was taken over.
    Taken,
    /// The terminal holds that schedule already.
    Held,
    /// Its schedule is refused.
    Refused(ConfigWhy),
    /// There is a folder `meguri` on it, without a file for this terminal.
    NotForThis,
    /// It can't be read.
    Unreadable(String),
}

/// A configuration that comes, or came, into force at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// From when it holds.
    pub at: Timestamp,
    /// The contractor's name.
    pub contractor: String,
    /// The vehicle's name.
    pub vehicle: String,
    /// The round's name.
    pub round: String,
    /// Whether the contract becomes another one (業者切替): then lists and notes of the one before are erased.
    pub switchover: bool,
}

/// Who the crew is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crew {
    /// Who may sign in, in the order in which they are offered; empty where nobody needs to.
    pub members: Vec<(CrewId, String)>,
    /// Whether somebody must sign in before anything is shown or recorded.
    pub locked: bool,
    /// Who has signed in last.
    pub signed_in: Option<CrewId>,
}

/// A day list with the terminal's own later facts laid over it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListView {
    /// The day.
    pub date: Date,
    /// The list's version.
    pub version: u64,
    /// The contractor's name.
    pub contractor: String,
    /// The vehicle's name.
    pub vehicle: String,
    /// The round's name.
    pub round: String,
    /// The stops in their order.
    pub stops: Vec<Stop>,
    /// How many are in which state.
    pub counts: Counts,
}

/// One stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// As the office listed it.
    pub listed: Arc<Listed>,
    /// Its state, the terminal's own later facts included.
    pub state: State,
    /// What contradicts.
    pub contradictions: Vec<Contradiction>,
    /// What this terminal says of it; present means that it can be undone here.
    pub own: Option<Statement>,
    /// Whether this terminal's word about it has yet to reach the office.
    pub waiting: bool,
}

impl Stop {
    /// The pickup's id.
    #[must_use]
    pub fn id(&self) -> PickupId {
        self.listed.id
    }
}

/// How many stops are in which state: `done + partly + not_collected + left + cancelled == total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Collected.
    pub done: u32,
    /// Partly collected.
    pub partly: u32,
    /// Not collected, to be visited again, or not reported.
    pub not_collected: u32,
    /// Open.
    pub left: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// All of them.
    pub total: u32,
}

/// The line to the office, in the words a crew needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Connected and answered.
    Up,
    /// Connecting, or connected and waiting for the office's answer.
    Joining,
    /// No line; it tries again by itself.
    Down,
    /// The broker refuses this terminal: somebody must look.
    Refused(String),
}

/// What a person wants recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// All of it was collected.
    Collect {
        /// Which pickup.
        pickup: PickupId,
    },
    /// A part was collected.
    Partly {
        /// Which pickup.
        pickup: PickupId,
        /// One element for every item of the pickup.
        items: Vec<ItemResult>,
        /// What the crew wrote, where a reason demands it.
        note: Option<String>,
    },
    /// Nothing was collected.
    Refuse {
        /// Which pickup.
        pickup: PickupId,
        /// Why.
        reason: Reason,
        /// What the crew wrote, where the reason demands it.
        note: Option<String>,
    },
    /// Takes back what this terminal said of a pickup.
    Undo {
        /// Which pickup.
        pickup: PickupId,
    },
}

/// What a person had before their eyes when they wanted something recorded. A newer list may have come since.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The list.
    pub list: ListRef,
    /// The pickup as it was listed there.
    pub listed: Arc<Listed>,
}

/// Why an intent was not recorded. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The pickup is not on today's list.
    #[error("the pickup is not on today's list")]
    NotListed,
    /// Nobody has signed in.
    #[error("nobody has signed in")]
    Locked,
    /// The pickup's items are others by now than those that were shown.
    #[error("the items of the pickup have changed")]
    Changed,
    /// There is nothing of this terminal to take back.
    #[error("there is nothing to take back")]
    NothingToUndo,
    /// The same was recorded already.
    #[error("this is recorded already")]
    Already,
    /// The reason demands a note.
    #[error("this reason needs a note")]
    NoteMissing,
    /// The note is too long, or the items do not fit the pickup.
    #[error("this can't be recorded: {0}")]
    Misfit(String),
    /// The store could not write.
    #[error("this terminal can't write: {0}")]
    Store(String),
}
