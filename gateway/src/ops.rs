//! What people ask of the office on the command line, done the same whether a gateway runs or not.

use std::path::PathBuf;

use meguri_proto::crew::PinLock;
use meguri_proto::enrol::Code;
use meguri_proto::{ContractorId, CrewId, Digest, TerminalId, VehicleId};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::audit::{Audit, Event, What, Who};
use crate::catalogue;
use crate::crew::{self, CrewError};
use crate::enrol;
use crate::import;
use crate::ingest::aside::{self, Settled};
use crate::ingest::{Context, Effects};
use crate::lost;
use crate::notices;
use crate::people::accounts::{self, AccountError};
use crate::people::password::Hashed;
use crate::people::tokens::{self, TokenError};
use crate::people::{Person, Role, Scope};
use crate::register::{self, Handing, Kind, Record, RegisterError};
use crate::retention;
use crate::store::is_damage;
use crate::switchover::steps::{self, New};
use crate::switchover::{self, Rollout, SwitchoverError, releases};
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
    /// Registers a certificate that the city's own authority has issued for a terminal.
    TerminalCertificate {
        /// Which.
        terminal: TerminalId,
        /// The certificate, as PEM.
        pem: String,
        /// When it was looked at, by the machine's clock.
        looked: jiff::Timestamp,
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
    /// Notes that a terminal is lost: it is to be erased.
    TerminalLost {
        /// Which.
        terminal: TerminalId,
    },
    /// Writes down that it is looked up whose data a terminal held.
    Exposure {
        /// Which.
        terminal: TerminalId,
        /// The first day.
        from: jiff::civil::Date,
        /// The last one.
        to: jiff::civil::Date,
    },
    /// Makes a member of a crew.
    CrewAdd {
        /// Whom.
        new: crew::New,
    },
    /// Gives a member of a crew another PIN.
    CrewPin {
        /// Whom.
        id: CrewId,
        /// What the PIN opens.
        lock: PinLock,
    },
    /// Takes a member out of a crew.
    CrewRemove {
        /// Whom.
        id: CrewId,
    },
    /// Lists members of crews.
    CrewList {
        /// Of this contractor alone.
        contractor: Option<ContractorId>,
    },
    /// Voids a terminal's open code.
    TerminalVoid {
        /// Which.
        terminal: TerminalId,
    },
    /// Keeps what is known of a terminal as a thing.
    TerminalRecord {
        /// Which.
        terminal: TerminalId,
        /// What is known.
        record: Record,
    },
    /// Writes down that terminals change hands.
    TerminalHanding {
        /// Which, and to or from whom.
        handing: Handing,
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
    /// Makes an account.
    PersonAdd {
        /// Whose.
        new: accounts::New,
    },
    /// Lists accounts.
    PersonList,
    /// Keeps a person out, or lets them in again.
    PersonBlock {
        /// Whom.
        login: String,
        /// Whether they are kept out.
        blocked: bool,
    },
    /// Gives a person another one-time password.
    PersonReset {
        /// Whom.
        login: String,
        /// The password, as it is kept.
        password: Hashed,
    },
    /// Gives a person another role.
    PersonRole {
        /// Whom.
        login: String,
        /// Which.
        role: Role,
        /// Whose dispatcher they are.
        contractor: Option<ContractorId>,
    },
    /// Lets a person in by password for some time, where passwords are for emergencies alone.
    PersonEmergency {
        /// Whom.
        login: String,
        /// Until when, by the machine's clock.
        until: jiff::Timestamp,
    },
    /// Makes a token.
    TokenAdd {
        /// Whose.
        new: tokens::New,
    },
    /// Lists tokens.
    TokenList,
    /// Writes down that a day is exported on the command line.
    Exporting {
        /// The day.
        day: jiff::civil::Date,
    },
    /// Writes down that a backup is begun.
    BackingUp {
        /// Its folder's name.
        backup: String,
    },
    /// Writes down that a backup was put back.
    PutBack {
        /// When it was made.
        made_at: jiff::Timestamp,
    },
    /// Takes a release file.
    ReleaseTake {
        /// Where it stands on this machine.
        path: PathBuf,
    },
    /// Lists releases.
    ReleaseList,
    /// Shows the key sets that are held.
    KeysShow,
    /// Makes a switchover of a release. In this and those that follow `by` is the login of whoever does it.
    SwitchoverDraft {
        /// Who.
        by: String,
        /// Of what.
        new: New,
    },
    /// Lists switchovers.
    SwitchoverList,
    /// Shows one.
    SwitchoverShow {
        /// Its number.
        id: i64,
    },
    /// Looks at one.
    SwitchoverCheck {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
    },
    /// A second person says yes.
    SwitchoverApprove {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
    },
    /// Offers it to terminals, or goes on.
    SwitchoverPush {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
        /// How, where it begins; else the usual way.
        rollout: Option<Rollout>,
    },
    /// Keeps it from further terminals.
    SwitchoverStop {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
    },
    /// Withdraws it.
    SwitchoverWithdraw {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
        /// The version of the newer release that takes its place, where terminals hold it already.
        release: Option<u64>,
    },
    /// Closes it.
    SwitchoverClose {
        /// Who.
        by: String,
        /// Its number.
        id: i64,
    },
    /// Asks how far its terminals are.
    SwitchoverReadiness {
        /// Its number.
        id: i64,
    },
    /// Revokes a token.
    TokenRevoke {
        /// Whose.
        name: String,
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
        /// Whether a broker that somebody else runs has not been told yet: until then the terminal comes in as before.
        #[serde(default)]
        behind: bool,
    },
    /// A member of a crew, as they are now.
    Crew(crew::Listed),
    /// Members of crews.
    Crews(Vec<crew::Listed>),
    /// What is known of a terminal as a thing is kept.
    TerminalRecord {
        /// Which fields that changed.
        changed: Vec<String>,
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
    /// A person, as they are now.
    Person(Person),
    /// People.
    People(Vec<Person>),
    /// What came of a release.
    Release(releases::Taken),
    /// Releases.
    Releases(Vec<switchover::Release>),
    /// Key sets.
    Keys(Vec<switchover::Keys>),
    /// A switchover, as it is now.
    Switchover {
        /// It.
        one: Box<switchover::One>,
        /// The number of whoever did something to it.
        by: Option<i64>,
    },
    /// Switchovers.
    Switchovers(Vec<switchover::Listed>),
    /// What was found of one.
    Findings {
        /// Its number.
        id: i64,
        /// What.
        found: Vec<switchover::Finding>,
        /// The number of whoever looked.
        by: Option<i64>,
    },
    /// How far its terminals are.
    Readiness(Box<switchover::Readiness>),
    /// A token, as it is now.
    Token(tokens::Listed),
    /// Tokens.
    Tokens(Vec<tokens::Listed>),
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// Of terminals.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// Of crews.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// Of the register of terminals.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Of an import.
    #[error(transparent)]
    Import(#[from] import::ImportError),
    /// Of accounts.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Of tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Of switchovers.
    #[error(transparent)]
    Switchover(#[from] SwitchoverError),
    /// Of a release.
    #[error(transparent)]
    Release(#[from] releases::ReleaseError),
    /// The audit log could not be written, so it was not done.
    #[error("not done, since it could not be written down: {0}")]
    Audit(std::sync::Arc<crate::audit::AuditError>),
    /// An import was asked for where only one transaction is.
    #[error("this takes more than one transaction, and was asked for in one; this is a fault of the program")]
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
            Self::Sql(error)
            | Self::Terminal(TerminalError::Sql(error))
            | Self::Crew(CrewError::Sql(error))
            | Self::Register(RegisterError::Sql(error))
            | Self::Account(AccountError::Sql(error))
            | Self::Token(TokenError::Sql(error))
            | Self::Switchover(SwitchoverError::Sql(error))
            | Self::Release(releases::ReleaseError::Sql(error)) => error,
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
            Self::TerminalCertificate { terminal, pem, looked } => {
                enrol::register(tx, looked, &terminal, &pem)?;
                fx.touched.access = true;
                fx.touched.presence = true;
                Ok(Reply::TerminalBound { bound: terminals::bound(tx, &terminal)?, line: None })
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
                Ok(Reply::TerminalBlocked { changed, behind: false })
            }
            Self::TerminalLost { terminal } => {
                let changed = lost::report(tx, &mut fx.touched, now, &terminal)?;
                Ok(Reply::TerminalBlocked { changed, behind: false })
            }
            Self::CrewAdd { new } => Ok(Reply::Crew(crew::add(tx, &mut fx.touched, now, &new)?)),
            Self::CrewPin { id, lock } => {
                Ok(Reply::Crew(crew::set_pin(tx, &mut fx.touched, now, &id, &lock)?))
            }
            Self::CrewRemove { id } => Ok(Reply::Crew(crew::remove(tx, &mut fx.touched, now, &id)?)),
            Self::CrewList { contractor } => Ok(Reply::Crews(crew::list(tx, contractor.as_ref())?)),
            Self::TerminalVoid { terminal } => {
                terminals::bound(tx, &terminal).map_err(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => TerminalError::Unknown(terminal.clone()),
                    error => error.into(),
                })?;
                enrol::void_code(tx, &terminal)?;
                Ok(Reply::Done)
            }
            Self::TerminalRecord { terminal, record } => {
                let changed = register::keep(tx, now, &terminal, &record)?;
                Ok(Reply::TerminalRecord {
                    changed: changed.into_iter().map(|field| field.word().to_owned()).collect(),
                })
            }
            Self::TerminalHanding { handing } => {
                register::hand(tx, now, &handing)?;
                Ok(Reply::Done)
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
            Self::Import { .. } | Self::ReleaseTake { .. } => Err(OpError::NotInOne),
            Self::SwitchoverDraft { by, new } => {
                let id = steps::draft(tx, &mut fx.touched, now, &by, &new)?;
                shown(tx, id, Some(&by), now)
            }
            Self::SwitchoverCheck { by, id } => {
                let found = steps::check(tx, &mut fx.touched, now, &by, id)?;
                Ok(Reply::Findings { id, found, by: number(tx, &by)? })
            }
            Self::SwitchoverApprove { by, id } => {
                steps::approve(tx, &mut fx.touched, now, &by, id)?;
                shown(tx, id, Some(&by), now)
            }
            Self::SwitchoverPush { by, id, rollout } => {
                steps::push(tx, &mut fx.touched, now, &by, id, rollout.as_ref())?;
                shown(tx, id, Some(&by), now)
            }
            Self::SwitchoverStop { by, id } => {
                steps::stop(tx, &mut fx.touched, now, &by, id)?;
                shown(tx, id, Some(&by), now)
            }
            Self::SwitchoverWithdraw { by, id, release } => {
                steps::withdraw(tx, &mut fx.touched, now, &by, id, release)?;
                shown(tx, id, Some(&by), now)
            }
            Self::SwitchoverClose { by, id } => {
                steps::close(tx, &mut fx.touched, now, &by, id)?;
                shown(tx, id, Some(&by), now)
            }
            Self::ReleaseList
            | Self::KeysShow
            | Self::SwitchoverList
            | Self::SwitchoverShow { .. }
            | Self::SwitchoverReadiness { .. } => self.look(tx, now).unwrap_or(Err(OpError::NotInOne)),
            Self::PersonAdd { new } => Ok(Reply::Person(accounts::add(tx, now, &new)?)),
            Self::PersonList => Ok(Reply::People(accounts::list(tx)?)),
            Self::PersonBlock { login, blocked } => {
                Ok(Reply::Person(accounts::block(tx, now, &login, blocked)?.0))
            }
            Self::PersonReset { login, password } => {
                Ok(Reply::Person(accounts::reset(tx, &login, &password)?))
            }
            Self::PersonRole { login, role, contractor } => {
                Ok(Reply::Person(accounts::set_role(tx, &login, role, contractor.as_ref())?))
            }
            Self::PersonEmergency { login, until } => {
                Ok(Reply::Person(accounts::emergency(tx, &login, until)?))
            }
            Self::TokenAdd { new } => Ok(Reply::Token(tokens::add(tx, now, &new)?)),
            Self::TokenList => Ok(Reply::Tokens(tokens::list(tx)?)),
            Self::Exporting { .. }
            | Self::Exposure { .. }
            | Self::BackingUp { .. }
            | Self::PutBack { .. } => Ok(Reply::Done),
            Self::TokenRevoke { name } => Ok(Reply::Token(tokens::revoke(tx, now, &name)?)),
        }
    }
}

impl Request {
    /// What only reads of switchovers, for all of the city: beside the writer where a gateway runs. None for all else.
    pub fn look(&self, conn: &Connection, now: jiff::Timestamp) -> Option<Result<Reply, OpError>> {
        let all = Scope::City;
        let unknown = |id: i64| OpError::Switchover(SwitchoverError::Unknown(id));
        let read = || -> Result<Option<Reply>, OpError> {
            Ok(Some(match self {
                Self::ReleaseList => Reply::Releases(switchover::releases(conn)?),
                Self::KeysShow => Reply::Keys(switchover::keys(conn)?),
                Self::SwitchoverList => Reply::Switchovers(switchover::list(conn, &all, now)?),
                Self::SwitchoverShow { id } => shown(conn, *id, None, now)?,
                Self::SwitchoverReadiness { id } => {
                    let found = switchover::readiness::read(conn, *id, &all, now)?;
                    Reply::Readiness(Box::new(found.ok_or_else(|| unknown(*id))?))
                }
                _ => return Ok(None),
            }))
        };
        read().transpose()
    }

    /// Does it as [`Request::execute`], and writes it down before the caller commits.
    ///
    /// # Errors
    /// When it can't be done, or not written down.
    pub fn execute_audited(
        self,
        tx: &Connection,
        ctx: &mut Context<'_>,
        fx: &mut Effects,
        audit: &Audit,
        who: Who,
    ) -> Result<Reply, OpError> {
        let audited = self.audited();
        let reply = self.execute(tx, ctx, fx)?;
        if let Some((what, mut about)) = audited {
            reply.audited(&mut about);
            audit.note_here(Event::new(who, what, about)).map_err(OpError::Audit)?;
        }
        Ok(reply)
    }

    /// What the audit log tells of it once it is done; none for what changes nothing and shows nobody.
    #[must_use]
    pub fn audited(&self) -> Option<(What, serde_json::Value)> {
        use serde_json::json;
        Some(match self {
            Self::TerminalAdd { terminal, vehicle, .. } => {
                (What::TerminalAdded, json!({ "terminal": terminal, "vehicle": vehicle }))
            }
            Self::TerminalSecret { terminal, .. } => (What::TerminalSecret, json!({ "terminal": terminal })),
            Self::TerminalCertificate { terminal, .. } => {
                (What::TerminalCertificate, json!({ "terminal": terminal }))
            }
            Self::TerminalEnrol { terminal, .. } => (What::TerminalCode, json!({ "terminal": terminal })),
            Self::TerminalBind { terminal, vehicle, .. } => {
                (What::TerminalBound, json!({ "terminal": terminal, "vehicle": vehicle }))
            }
            Self::TerminalBlock { terminal, blocked: true } => {
                (What::TerminalBlocked, json!({ "terminal": terminal }))
            }
            Self::TerminalBlock { terminal, .. } => {
                (What::TerminalUnblocked, json!({ "terminal": terminal }))
            }
            Self::TerminalLost { terminal } => (What::TerminalLost, json!({ "terminal": terminal })),
            Self::Exposure { terminal, from, to } => {
                (What::ReadExposure, json!({ "terminal": terminal, "from": from, "to": to }))
            }
            Self::CrewAdd { new } => {
                (What::CrewAdded, json!({ "crew": new.id, "contractor": new.contractor }))
            }
            Self::CrewPin { id, .. } => (What::CrewPin, json!({ "crew": id })),
            Self::CrewRemove { id } => (What::CrewRemoved, json!({ "crew": id })),
            Self::TerminalVoid { terminal } => (What::TerminalCodeVoided, json!({ "terminal": terminal })),
            Self::TerminalRecord { terminal, .. } => {
                (What::TerminalRecorded, json!({ "terminal": terminal }))
            }
            // Who signed for it stands in the store; the log names nobody.
            Self::TerminalHanding { handing } => {
                let Handing { kind, terminals, day, contractor, .. } = handing;
                let what = match kind {
                    Kind::Handover => What::TerminalHandedOver,
                    Kind::Return => What::TerminalReturned,
                };
                (what, json!({ "terminals": terminals, "contractor": contractor, "day": day }))
            }
            Self::AsideRetry { id } => (What::AsideRetried, json!({ "aside": id })),
            Self::AsideSettle { id } => (What::AsideSettled, json!({ "aside": id })),
            Self::NoticeSettle { id } => (What::NoticeSettled, json!({ "notice": id })),
            Self::ClockRight { shown } => (What::ClockRight, json!({ "shown": shown })),
            Self::Catalogue { .. } => (What::Catalogue, json!({})),
            Self::PersonAdd { .. } => (What::PersonAdded, json!({})),
            Self::PersonBlock { blocked: true, .. } => (What::PersonBlocked, json!({})),
            Self::PersonBlock { .. } => (What::PersonUnblocked, json!({})),
            Self::PersonReset { .. } => (What::PersonReset, json!({})),
            Self::PersonRole { .. } => (What::PersonRole, json!({})),
            Self::PersonEmergency { until, .. } => (What::PersonEmergency, json!({ "until": until })),
            Self::TokenAdd { .. } => (What::TokenAdded, json!({})),
            Self::TokenRevoke { .. } => (What::TokenRevoked, json!({})),
            Self::Exporting { day } => (What::ReadExport, json!({ "day": day })),
            Self::BackingUp { backup } => (What::Backup, json!({ "backup": backup })),
            Self::PutBack { made_at } => (What::Restored, json!({ "made_at": made_at })),
            // Told by what came of it.
            Self::ReleaseTake { .. } => (What::ReleaseTaken, json!({})),
            Self::SwitchoverDraft { new, .. } => (What::SwitchoverDrafted, json!({ "version": new.version })),
            Self::SwitchoverCheck { id, .. } => (What::SwitchoverChecked, json!({ "switchover": id })),
            Self::SwitchoverApprove { id, .. } => (What::SwitchoverApproved, json!({ "switchover": id })),
            Self::SwitchoverPush { id, .. } => (What::SwitchoverPushed, json!({ "switchover": id })),
            Self::SwitchoverStop { id, .. } => (What::SwitchoverStopped, json!({ "switchover": id })),
            Self::SwitchoverWithdraw { id, release, .. } => {
                (What::SwitchoverWithdrawn, json!({ "switchover": id, "release": release }))
            }
            Self::SwitchoverClose { id, .. } => (What::SwitchoverClosed, json!({ "switchover": id })),
            // It names who has each terminal.
            Self::SwitchoverReadiness { id } => (What::ReadSwitchover, json!({ "switchover": id })),
            Self::CrewList { contractor } => (What::ReadCrews, json!({ "contractor": contractor })),
            Self::PersonList => (What::ReadPeople, json!({})),
            // Told by what came of it.
            Self::Import { .. } => (What::Import, json!({})),
            Self::TerminalList
            | Self::AsideList
            | Self::NoticeList
            | Self::Health
            | Self::Retention
            | Self::ReleaseList
            | Self::KeysShow
            | Self::SwitchoverList
            | Self::SwitchoverShow { .. }
            | Self::TokenList => return None,
        })
    }
}

impl Reply {
    /// Adds what came of it to what the audit log tells, by ids and numbers.
    pub fn audited(&self, about: &mut serde_json::Value) {
        match self {
            Self::Person(person) => {
                about["person"] = person.id.into();
                about["role"] = person.role.word().into();
                if let Some(contractor) = &person.contractor {
                    about["contractor"] = contractor.as_str().into();
                }
            }
            Self::Token(token) => {
                about["token"] = token.id.into();
                about["scopes"] = serde_json::json!(token.scopes);
            }
            Self::Switchover { one, by } => {
                about["switchover"] = one.listed.id.into();
                about["as"] = (*by).into();
            }
            Self::Findings { id, found, by } => {
                about["switchover"] = (*id).into();
                about["findings"] = found.len().into();
                about["as"] = (*by).into();
            }
            Self::Release(taken) => {
                about["version"] = taken.version.into();
                about["again"] = taken.again.into();
                about["keys"] = taken.keys.0.into();
            }
            Self::TerminalRecord { changed } => about["changed"] = serde_json::json!(changed),
            Self::Catalogue(report) => about["version"] = report.version.into(),
            Self::Imported(report) => {
                about["import"] = report.import.into();
                about["outcome"] = serde_json::json!(report.outcome);
            }
            _ => {}
        }
    }
}

/// A switchover as it is now, and the number of whoever did something to it.
fn shown(conn: &Connection, id: i64, by: Option<&str>, now: jiff::Timestamp) -> Result<Reply, OpError> {
    let one = switchover::one(conn, id, &Scope::City, now)?.ok_or(SwitchoverError::Unknown(id))?;
    Ok(Reply::Switchover { one: Box::new(one), by: by.map_or(Ok(None), |by| number(conn, by))? })
}

fn number(conn: &Connection, login: &str) -> rusqlite::Result<Option<i64>> {
    Ok(accounts::by_login(conn, login)?.map(|(person, _)| person.id))
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
