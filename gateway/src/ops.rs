//! What people ask of the office on the command line, done the same whether a gateway runs or not.

use meguri_proto::enrol::Code;
use meguri_proto::{Digest, TerminalId, VehicleId};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::enrol;
use crate::import;
use crate::ingest::aside::{self, Settled};
use crate::ingest::{Context, Effects};
use crate::notices;
use crate::retention;
use crate::store::is_damage;
use crate::terminals::{self, Bound, Line, TerminalError};
use crate::{trust, vitals};

/// Something asked of the office.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Makes a terminal.
    TerminalAdd {
        /// Its name for life.
        terminal: TerminalId,
        /// Its vehicle.
        vehicle: VehicleId,
        /// SHA-256 of its secret, which whoever asks has drawn and written down.
        secret_sha256: Digest,
    },
    /// Gives a terminal another secret; the one before is not taken any more.
    TerminalSecret {
        /// Which.
        terminal: TerminalId,
        /// SHA-256 of its new secret.
        secret_sha256: Digest,
    },
    /// Opens a terminal's enrolment by a code, which whoever asks has drawn and shows.
    TerminalEnrol {
        /// Which.
        terminal: TerminalId,
        /// The code.
        code: Code,
        /// For how many minutes it holds.
        minutes: u16,
        /// When it was drawn, by the machine's clock.
        drawn: jiff::Timestamp,
    },
    /// Binds a terminal to another vehicle.
    TerminalBind {
        /// Which.
        terminal: TerminalId,
        /// Its vehicle from now on.
        vehicle: VehicleId,
        /// Whether who asks writes it new settings.
        new_settings: bool,
    },
    /// Lists terminals.
    TerminalList,
    /// Keeps a terminal out, or lets it in again.
    TerminalBlock {
        /// Which.
        terminal: TerminalId,
        /// Whether it is kept out.
        blocked: bool,
    },
    /// Lists what was set aside and is not settled.
    AsideList,
    /// Tries to take something again that was set aside.
    AsideRetry {
        /// Its number.
        id: i64,
    },
    /// Puts something away that was set aside.
    AsideSettle {
        /// Its number.
        id: i64,
    },
    /// Lists notices that nobody has settled.
    NoticeList,
    /// Settles a notice: a person has looked.
    NoticeSettle {
        /// Its number.
        id: i64,
    },
    /// Asks how the gateway is.
    Health,
    /// Asks what is kept for how long, and what is due.
    Retention,
    /// A person says that the clock is right.
    ClockRight {
        /// What it shows.
        shown: jiff::Timestamp,
    },
    /// Takes a request file, or what is held of one.
    Import {
        /// What is to be done.
        command: import::Command,
    },
    /// Takes a catalogue.
    Catalogue {
        /// What was read of the city's file.
        new: catalogue::New,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A terminal is made, has another secret, or is bound to another vehicle.
    TerminalBound {
        /// What it is bound to.
        bound: Bound,
        /// How it reaches the office, where this process knows.
        line: Option<Line>,
    },
    /// A terminal may enrol.
    TerminalEnrolling {
        /// Until when.
        until: jiff::Timestamp,
        /// Where, if terminals can reach this office.
        office: Option<String>,
    },
    /// Terminals.
    Terminals(Vec<terminals::Listed>),
    /// Whether blocking or letting in changed anything.
    TerminalBlocked {
        /// Whether it was otherwise before.
        changed: bool,
    },
    /// What is set aside.
    Asides(Vec<aside::Row>),
    /// Notices.
    Notices(Vec<notices::Row>),
    /// It is done.
    Done,
    /// How the gateway is.
    Health(vitals::Report),
    /// What is due.
    Retention(retention::Outlook),
    /// What came of an import.
    Imported(Box<import::Report>),
    /// What came of a catalogue.
    Catalogue(Box<catalogue::Report>),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// Of terminals.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// Of an import.
    #[error(transparent)]
    Import(#[from] import::ImportError),
    /// An import was asked for where only one transaction is.
    #[error("an import takes more than one transaction; this is a fault of the program")]
    NotInOne,
    /// Of what was set aside.
    #[error("{0}")]
    NotSettled(String),
    /// Only a running gateway knows.
    #[error("no gateway runs on this folder")]
    NotRunning,
    /// The store can't be read or written.
    #[error("the store can't do this: {0}")]
    Sql(#[from] rusqlite::Error),
}

impl OpError {
    /// What SQLite said, where it found the store damaged.
    #[must_use]
    pub fn damage(&self) -> Option<rusqlite::ffi::Error> {
        let error = match self {
            Self::Sql(error) | Self::Terminal(TerminalError::Sql(error)) => error,
            _ => return None,
        };
        if is_damage(error) { error.sqlite_error().copied() } else { None }
    }
}

impl Request {
    /// Does it, in the caller's transaction, which is to be undone where this fails. Imports take more than one: a
    /// [`import::Taker`] does them.
    ///
    /// # Errors
    /// When it can't be done.
    pub fn execute(self, tx: &Connection, ctx: &mut Context<'_>, fx: &mut Effects) -> Result<Reply, OpError> {
        let now = ctx.now;
        match self {
            Self::TerminalAdd { terminal, vehicle, secret_sha256 } => {
                let bound = terminals::add(tx, &mut fx.touched, now, &terminal, &vehicle, secret_sha256)?;
                Ok(Reply::TerminalBound { bound, line: None })
            }
            Self::TerminalSecret { terminal, secret_sha256 } => {
                let bound = terminals::renew(tx, &terminal, secret_sha256)?;
                Ok(Reply::TerminalBound { bound, line: None })
            }
            Self::TerminalEnrol { terminal, code, minutes, drawn } => {
                let until = enrol::open(tx, drawn, &terminal, &code, minutes)?;
                Ok(Reply::TerminalEnrolling { until, office: None })
            }
            Self::TerminalBind { terminal, vehicle, new_settings } => {
                let bound = terminals::bind(tx, &mut fx.touched, now, &terminal, &vehicle, new_settings)?;
                Ok(Reply::TerminalBound { bound, line: None })
            }
            Self::TerminalList => Ok(Reply::Terminals(terminals::list(tx)?)),
            Self::TerminalBlock { terminal, blocked } => {
                let changed = terminals::block(tx, &mut fx.touched, now, &terminal, blocked)?;
                Ok(Reply::TerminalBlocked { changed })
            }
            Self::AsideList => Ok(Reply::Asides(aside::open_rows(tx)?)),
            Self::AsideRetry { id } => settled(id, aside::retry(tx, ctx, fx, id)?),
            Self::AsideSettle { id } => settled(id, aside::settle(tx, ctx, fx, id, "put away")?),
            Self::NoticeList => Ok(Reply::Notices(notices::open_rows(tx)?)),
            Self::NoticeSettle { id } => {
                if notices::settle(tx, &mut fx.touched, now, id)? {
                    return Ok(Reply::Done);
                }
                Err(OpError::NotSettled(format!("there is no open notice {id}; `notice list` shows them")))
            }
            // Answered by the desk of a running gateway; looked at before a store is opened.
            Self::Health | Self::Retention => Err(OpError::NotRunning),
            Self::ClockRight { shown } => {
                trust::keep(tx, shown)?;
                fx.clock_right = true;
                Ok(Reply::Done)
            }
            Self::Catalogue { new } => Ok(Reply::Catalogue(Box::new(catalogue::apply(tx, now, &new)?))),
            Self::Import { .. } => Err(OpError::NotInOne),
        }
    }
}

fn settled(id: i64, settled: Settled) -> Result<Reply, OpError> {
    match settled {
        Settled::Done => Ok(Reply::Done),
        Settled::NotOpen => {
            Err(OpError::NotSettled(format!("nothing open has the number {id}; `aside list` shows what is")))
        }
        Settled::Still(problem) => Err(OpError::NotSettled(format!("{id} still can't be taken: {problem}"))),
    }
}
