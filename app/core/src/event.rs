//! What comes into the core and what goes out of it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::Terminal;
use meguri_config::bundle::{Connection, Peripheral};
use meguri_config::stick::Stick;
use meguri_proto::{CrewId, Epoch, FactId, LogKind, UpTopic};

use crate::kept::{Op, Rechained};
use crate::sign_in::{NotSignedIn, Opened};
use crate::trouble::Trouble;
use crate::view::{Intent, NotRecorded, Shown, StickRead};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The link comes in by the certificate of this serial number; said before [`Event::Connected`].
    Certificate(String),
    /// The link is connected and subscribed.
    Connected,
    /// The link is lost, or could not be made.
    Disconnected(Why),
    /// A message came down.
    Received {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// A person wants something recorded, of what they were shown; without that, of what there is now.
    /// Its [`Effect::Answer`] carries the same number.
    Intent(u64, Intent, Option<Shown>),
    /// The crew says that this date, which it was shown, is right. No fact: nobody is told of it.
    ConfirmDate(Date),
    /// The crew says that this date, another one than it was shown, is today's. No fact either.
    SetDate(Date),
    /// The document `keys` as it lay beside the terminal's own file: who put it there may say the first key set.
    KeysFile(String),
    /// What is to be seen of a USB stick; said when it changes.
    Stick(StickSeen),
    /// A person gives the file of a stick. Its [`Effect::Imported`] carries the same number.
    Import(u64, Box<Stick>),
    /// Answers [`Effect::Look`]: what is not plugged in, in words; empty where all is.
    Looked(Vec<String>),
    /// The last [`Effect::Commit`] is on the disk. Forks come with their new digests.
    Committed(Rechained),
    /// Nothing of the last [`Effect::Commit`] was written.
    CommitFailed(Trouble),
    /// An [`Effect::Send`] found entries that can't be read as they were written.
    SendFailed(LogKind, String),
    /// An [`Effect::Send`] went out without the notes beside these entries, which are damaged on the disk.
    NotesLost(LogKind, Vec<u64>),
    /// A person wants to sign in. Its [`Effect::SignedIn`] carries the same number.
    SignIn(u64, CrewId),
    /// Answers [`Effect::CheckPin`]: whether the PIN is right, and where it is, what can be read by now.
    PinChecked(u64, CrewId, Option<Opened>),
    /// A person, or time, locks the screen.
    Lock,
    /// Answers [`Effect::Sample`]: bytes free where the store lies, where the system says.
    Sampled(Option<u64>),
    /// The time of the last [`Effect::Wake`] has come.
    Tick,
}

/// What is to be seen of a USB stick.
#[derive(Debug, Clone)]
pub enum StickSeen {
    /// There is none.
    Gone,
    /// It holds no file for this terminal, though files for others.
    NotForThis,
    /// It can't be read: why.
    Unreadable(String),
    /// Its file for this terminal.
    Found(Box<Stick>),
}

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No coverage, no broker, a broken connection.
    Lost(String),
    /// Another device has connected under this terminal's name.
    Taken,
    /// The broker does not let this terminal in.
    Refused(String),
}

/// What is to be done. Effects are done in their order.
#[derive(Debug)]
pub enum Effect {
    /// Write all of this in one transaction, durably, and report [`Event::Committed`] or [`Event::CommitFailed`].
    /// There is never more than one under way.
    Commit(Vec<Op>),
    /// Connect to this broker and subscribe; report [`Event::Connected`] or [`Event::Disconnected`].
    Connect(Box<Connection>),
    /// The settings in force are these from now on.
    Reconfigure(Box<Terminal>),
    /// Look whether these are plugged in, and report [`Event::Looked`].
    Look(Vec<Peripheral>),
    /// What became of the file that a person gave.
    Imported(u64, StickRead),
    /// Drop the connection; it is not reported.
    Disconnect,
    /// Publish a message. Whatever becomes of it, nothing is reported.
    Publish(UpTopic, Vec<u8>),
    /// Read these entries, check that they are as they were written, and publish them.
    Send {
        /// Of which log.
        log: LogKind,
        /// Its epoch.
        epoch: Epoch,
        /// First number.
        first: u64,
        /// Last number.
        last: u64,
    },
    /// What became of an intent.
    Answer(u64, Result<Recorded, NotRecorded>),
    /// Check the PIN that was typed for this member, open with it what is sealed, and report [`Event::PinChecked`].
    CheckPin(u64, CrewId),
    /// What became of a sign-in.
    SignedIn(u64, Result<(), NotSignedIn>),
    /// Take a health sample: report [`Event::Sampled`].
    Sample,
    /// Something for the log.
    Tell(Telling),
    /// Report [`Event::Tick`] when the boot clock shows this. The newest one counts.
    Wake(Duration),
}

/// A fact that is on the disk, and where in the log it stood when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The fact.
    pub fact: FactId,
    /// The epoch it was written to.
    pub epoch: Epoch,
    /// Its number there.
    pub seq: u64,
}

/// What somebody who looks after terminals should find in the log. Holds no residents' data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Telling {
    /// The log went on in a new epoch.
    #[error(
        "the office holds something else under epoch {from} of the {log} log; {entries} entries move to epoch {to}"
    )]
    Forked {
        /// Which log.
        log: LogKind,
        /// The epoch left.
        from: Epoch,
        /// The new epoch.
        to: Epoch,
        /// How many entries moved.
        entries: u64,
    },
    /// The office holds less than it did: it was restored from a copy.
    #[error("the office holds the {log} log up to {to}, no longer up to {from}; the rest is sent again")]
    WentBack {
        /// Which log.
        log: LogKind,
        /// Up to where it held the log.
        from: u64,
        /// Up to where it holds it now.
        to: u64,
    },
    /// A message could not be taken.
    #[error("a message on {topic:?} is set aside: {why}")]
    Aside {
        /// Its topic.
        topic: String,
        /// Why.
        why: String,
    },
    /// The office's time lies minutes or more back, or more than a day ahead; another answer is asked for.
    #[error("the office's time {0} lies behind what it was before, or more than a day ahead; asking again")]
    TimeDoubted(Timestamp),
    /// The store could not write.
    #[error("the store can't write: {0}")]
    Store(Trouble),
    /// A USB stick was read.
    #[error("a USB stick was read: {0:?}")]
    Stick(StickRead),
    /// Entries can't be read as they were written.
    #[error("the {0} log can't be sent: {1}")]
    Unreadable(LogKind, String),
}
