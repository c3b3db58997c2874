//! The terminal's mind: events in, effects out. No I/O, no clock, no randomness of its own.
//!
//! [`Core::step`] takes an [`Event`] at a [`Moment`] and says what is to be done. What it keeps over a
//! restart changes only through [`Effect::Commit`], and only once the body reports it on the disk:
//! so what the [`View`](view::View) shows as recorded is recorded, and nothing is sent that could be lost.
//!
//! What is where: `kept` what outlives a restart; `work` events and timers; `line` the session and its
//! windows; `answer` fork or not; `documents` which version wins; `overlay` the list with own facts;
//! `record` which facts may be written; `config` the life of a configuration, and `switchover` when it goes on; `sign_in` who the crew is; `time` trusted time; `retry` backing off; `trouble` what to tell a person.

mod answer;
pub mod config;
mod core;
mod documents;
mod event;
pub mod kept;
mod line;
mod moment;
mod overlay;
mod record;
mod retry;
pub mod sign_in;
pub mod status;
mod switchover;
mod time;
mod trouble;
pub mod view;
mod work;

pub use crate::core::{Core, Settings};
pub use documents::read as read_document;
pub use event::{Effect, Event, Recorded, StickSeen, Telling, Why};
pub use moment::Moment;
pub use trouble::{Trouble, TroubleKind};
