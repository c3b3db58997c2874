//! The audit log: who changed what and who read residents' data, one line an entry, each chained to the one before.
//!
//! It stands in files of its own beside the store, one a month, and is only ever appended to. Entries name people,
//! tokens, pickups and imports by number or id, never by residents' data, so that these can be erased without
//! touching it. What an entry tells is done, or shown, once the entry is on the disk.

pub mod cli;
mod file;
mod syslog;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use meguri_proto::Digest;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

pub use self::file::{AuditError, FOLDER, Log};
pub use self::syslog::tell;
pub use self::verify::{Fault, Head, Report, entries, entries_of, heads, verify};

/// Most entries that one fsync covers.
const GROUP: usize = 256;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A person, by number.
    Person(i64),
    /// Another system, by its token's number.
    Token(i64),
    /// A command on the gateway's machine, by the system's user number.
    Command(u32),
    /// Somebody who is not signed in.
    Nobody,
    /// The gateway itself.
    Gateway,
}

/// What was done. The words are those of the log; they are only ever added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The gateway has started.
    Started,
    /// A line was cut by a power cut and has been put right: what it may have told was neither done nor shown.
    Repaired,
    /// Entries that the log once had were missing at its end when the gateway started.
    Missing,
    /// A change that an entry before tells could not be committed.
    Undone,
    /// Somebody signed in: the password was right.
    SignedIn,
    /// The second factor was right.
    CodeGiven,
    /// A sign-in failed.
    SignInFailed,
    /// Somebody who is signed in could not show, by password or code, that they are still who they were.
    NotConfirmed,
    /// Somebody signed out.
    SignedOut,
    /// The first account was made.
    SetUp,
    /// An account was made.
    PersonAdded,
    /// Somebody is kept out.
    PersonBlocked,
    /// Somebody is let in again.
    PersonUnblocked,
    /// Somebody has another one-time password, and no second factor.
    PersonReset,
    /// Somebody has another role.
    PersonRole,
    /// Somebody may sign in by password for some hours, though passwords are for emergencies alone.
    PersonEmergency,
    /// Somebody has chosen another password.
    PasswordChanged,
    /// Somebody has set up a second factor.
    SecondFactorSet,
    /// A token was made.
    TokenAdded,
    /// A token was revoked.
    TokenRevoked,
    /// A terminal was made.
    TerminalAdded,
    /// A terminal has another secret.
    TerminalSecret,
    /// A certificate of the city's own authority is registered for a terminal.
    TerminalCertificate,
    /// A code was drawn by which a terminal may enrol.
    TerminalCode,
    /// A terminal enrolled by its code.
    TerminalEnrolled,
    /// A terminal has its next certificate.
    TerminalRenewed,
    /// A terminal's open code was voided.
    TerminalCodeVoided,
    /// What is kept of a terminal as a thing was changed.
    TerminalRecorded,
    /// Terminals were handed over to a contractor.
    TerminalHandedOver,
    /// A contractor has given terminals back.
    TerminalReturned,
    /// A terminal was bound to another vehicle.
    TerminalBound,
    /// A terminal is kept out.
    TerminalBlocked,
    /// A terminal is let in again.
    TerminalUnblocked,
    /// A terminal is lost and to be erased.
    TerminalLost,
    /// A member of a crew was made.
    CrewAdded,
    /// A member of a crew has another PIN.
    CrewPin,
    /// A member of a crew was taken out.
    CrewRemoved,
    /// Something that was set aside was processed again.
    AsideRetried,
    /// Something that was set aside was put away.
    AsideSettled,
    /// A notice was settled.
    NoticeSettled,
    /// A person says that the clock is right.
    ClockRight,
    /// A release of terminals' configurations came.
    ReleaseTaken,
    /// A switchover was made of a release.
    SwitchoverDrafted,
    /// A switchover was looked at.
    SwitchoverChecked,
    /// A switchover was approved by a second person.
    SwitchoverApproved,
    /// A switchover is offered to terminals, or goes on after it had stopped.
    SwitchoverPushed,
    /// A switchover is offered to no further terminals for now.
    SwitchoverStopped,
    /// A switchover was withdrawn.
    SwitchoverWithdrawn,
    /// A switchover was closed.
    SwitchoverClosed,
    /// It was looked at how far the terminals of a switchover are: who has them.
    ReadSwitchover,
    /// A request file was taken, held, released or dropped.
    Import,
    /// A catalogue was taken.
    Catalogue,
    /// A backup was begun: a copy of all that the office holds.
    Backup,
    /// A backup was put back in this folder.
    Restored,
    /// Terminals were looked at: who has them.
    ReadTerminals,
    /// Crews were looked at.
    ReadCrews,
    /// Other systems' tokens were looked at.
    ReadTokens,
    /// The accounts were looked at.
    ReadPeople,
    /// A day was looked at: towns and crews' notes.
    ReadDay,
    /// A pickup was looked at.
    ReadPickup,
    /// Pickups were searched.
    ReadSearch,
    /// It was looked up whose data a terminal held.
    ReadExposure,
    /// What was set aside was looked at.
    ReadAside,
    /// A page that updates by itself was opened.
    ReadStream,
    /// A day's results were exported.
    ReadExport,
    /// The audit log was looked at.
    ReadAudit,
    /// Something that is not theirs was asked for, and refused.
    Refused,
}

impl What {
    /// The word of the log.
    #[must_use]
    pub fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Something to be written down. `about` holds ids and numbers only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Who.
    pub who: Who,
    /// What.
    pub what: What,
    /// To what.
    pub about: serde_json::Value,
}

impl Event {
    /// Somebody did something to something.
    #[must_use]
    pub fn new(who: Who, what: What, about: serde_json::Value) -> Self {
        Self { who, what, about }
    }
}

/// An entry as it stands in the log, but for its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1, without a gap.
    pub seq: u64,
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
    /// What.
    pub what: What,
    /// To what.
    pub about: serde_json::Value,
    /// The digest of the entry before; of the first one, zeros.
    pub previous: Digest,
}

struct Asked {
    event: Event,
    at: Timestamp,
    done: oneshot::Sender<Result<(), Arc<AuditError>>>,
}

/// Where entries are handed in while a gateway runs. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    /// None where nothing is written down: pages shown without a gateway.
    asked: Option<mpsc::SyncSender<Asked>>,
    folder: PathBuf,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Running {
    /// Waits until all handles are gone and what was handed in is written.
    pub fn ended(self) {
        // A panic of it has been told by its own words.
        let _ = self.0.join();
    }
}

impl Audit {
    /// Opens the log of a data folder, whose lock the caller holds, and starts the thread that writes it.
    ///
    /// # Errors
    /// When the log can't be opened, or its last entries can't be read.
    pub fn start(data: &Path, now: Timestamp) -> Result<(Self, Running), AuditError> {
        let log = Log::open(data, now)?;
        let (asked, inbox) = mpsc::sync_channel(4 * GROUP);
        let folder = data.join(FOLDER);
        let thread =
            std::thread::Builder::new().name("audit".into()).spawn(move || write(log, &inbox)).map_err(
                |source| AuditError::File { doing: "start the thread for", path: folder.clone(), source },
            )?;
        Ok((Self { asked: Some(asked), folder }, Running(thread)))
    }

    /// Writes nothing down: for pages by themselves, which show a test's store.
    #[must_use]
    pub fn none() -> Self {
        Self { asked: None, folder: PathBuf::new() }
    }

    /// The folder with the log's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes an event down and waits until it is on the disk.
    ///
    /// # Errors
    /// When it can't be written: then what it tells must not be done or shown.
    pub async fn note(&self, event: Event) -> Result<(), Arc<AuditError>> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let (done, answer) = oneshot::channel();
        let mut one = Asked { event, at: Timestamp::now(), done };
        loop {
            match asked.try_send(one) {
                Ok(()) => break,
                Err(mpsc::TrySendError::Full(again)) => {
                    one = again;
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
                Err(mpsc::TrySendError::Disconnected(_)) => return Err(Arc::new(AuditError::Stopped)),
            }
        }
        answer.await.map_err(|_| Arc::new(AuditError::Stopped))?
    }

    /// As [`Audit::note`], for threads that may wait.
    ///
    /// # Errors
    /// As [`Audit::note`].
    pub fn note_here(&self, event: Event) -> Result<(), Arc<AuditError>> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let (done, answer) = oneshot::channel();
        let one = Asked { event, at: Timestamp::now(), done };
        asked.send(one).map_err(|_| Arc::new(AuditError::Stopped))?;
        answer.blocking_recv().map_err(|_| Arc::new(AuditError::Stopped))?
    }
}

/// Writes whatever is there, with one fsync for all of it.
fn write(mut log: Log, inbox: &mpsc::Receiver<Asked>) {
    while let Ok(first) = inbox.recv() {
        let mut group = vec![first];
        group.extend(inbox.try_iter().take(GROUP - 1));
        let events: Vec<(Timestamp, &Event)> = group.iter().map(|asked| (asked.at, &asked.event)).collect();
        let each = log.append_each(&events).unwrap_or_else(|error| {
            tracing::error!(%error, "the audit log can't be written: nothing of residents is shown, and no account is changed");
            let error = Arc::new(error);
            events.iter().map(|_| Err(error.clone())).collect()
        });
        for (Asked { done, .. }, written) in group.into_iter().zip(each) {
            // Whoever asked may have gone.
            let _ = done.send(written);
        }
    }
}

#[cfg(test)]
mod tests;
