//! Switchovers (業者切替) and corrections, as objects with a life of their own: a release of signed schedules that is drafted, checked,
//! approved by a second person, pushed in groups, in force from its instant on, and closed, or withdrawn.
//!
//! What terminals take over they verify themselves; here is decided when each of them is offered what, and seen how far each is.
//! Everything that an instant or a group asks of the office is derived from the store, so that it is done in small steps, goes on
//! after a restart, and is caught up with where no gateway ran at midnight.

pub mod cli;
pub mod findings;
pub mod instant;
pub mod readiness;
pub mod releases;
pub mod rollout;
pub mod status;
pub mod steps;

use jiff::Timestamp;
use meguri_proto::clock::business_date;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use crate::people::Scope;
use crate::schedules;
use crate::store::sql;

pub use self::findings::{Finding, Found, Severity};
pub use self::readiness::{Counts, Readiness, Ready, Todo};
pub use self::rollout::Rollout;

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Contracts change at its instant.
    Switchover,
    /// Something is put right, at once.
    Correction,
}

/// Where it has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody has made it of a release.
    Draft,
    /// Looked at: nothing stands in its way.
    Checked,
    /// A second person has said yes.
    Approved,
    /// It is offered to terminals, group by group.
    Pushed,
    /// Its instant has come.
    CutOver,
    /// Nothing more is to be done about it.
    Closed,
    /// It does not come.
    Withdrawn,
}

/// Something that was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It was made.
    Drafted,
    /// It was looked at.
    Checked,
    /// A second person said yes.
    Approved,
    /// Its push began.
    Pushed,
    /// The next group is offered it.
    Group,
    /// No further group is offered it for now.
    Stopped,
    /// The groups go on.
    WentOn,
    /// Its instant came.
    CutOver,
    /// Open pickups of the contracts that ended are closed as not reported.
    PickupsClosed,
    /// Closed.
    Closed,
    /// Withdrawn.
    Withdrawn,
}

/// Why something can't be done to a switchover.
#[derive(Debug, thiserror::Error)]
pub enum SwitchoverError {
    /// There is none of this number.
    #[error("there is no switchover {0}; `meguri-gateway switchover list` shows them")]
    Unknown(i64),
    /// There is no release of this version.
    #[error("there is no release of version {0} here; push it with `meguri-config push`, or name its file")]
    NoRelease(u64),
    /// Nobody has made one of the release.
    #[error(
        "release {0} is here as no switchover; `meguri-gateway switchover draft --version {0}` makes one"
    )]
    NotDrafted(u64),
    /// The release has one.
    #[error("release {version} is switchover {id} already")]
    Drafted {
        /// The release's version.
        version: u64,
        /// Its switchover.
        id: i64,
    },
    /// No contract changes in the release.
    #[error("in release {0} no contract changes at an instant that is still to come: it is a correction")]
    NoInstant(u64),
    /// A name that can't be.
    #[error("expected a name of 1 to 100 printable characters")]
    Name,
    /// Not in this state.
    #[error("switchover {id} is {}: it can't be {doing} now", state.plain())]
    State {
        /// Which.
        id: i64,
        /// Where it has come to.
        state: State,
        /// What was asked.
        doing: &'static str,
    },
    /// Who drafted it can't approve it.
    #[error("{0} drafted it: somebody else has to approve it")]
    SamePerson(String),
    /// Nobody who could.
    #[error("there is no account {0} that is not blocked; `meguri-gateway person list` shows them")]
    NoPerson(String),
    /// Somebody who may not.
    #[error("{0} may not do this: their role does not allow it")]
    MayNot(String),
    /// Something stands in its way.
    #[error("{} finding(s) stand in the way: {}", .0.len(), findings::plain(.0))]
    Findings(Vec<Finding>),
    /// Terminals hold it, so only a newer schedule takes it back.
    #[error(
        "switchover {0} is on terminals already, so only a newer schedule takes it back: build a release without it, push that \
         as a switchover of its own, and name it with --release. `switchover stop` keeps it from further terminals meanwhile"
    )]
    NeedsNewer(i64),
    /// What is to take its place can't.
    #[error("switchover {by} can't take the place of {id}: {problem}")]
    NoReplacement {
        /// Which is to be withdrawn.
        id: i64,
        /// By which.
        by: i64,
        /// Why not.
        problem: String,
    },
    /// Groups have not had their turn: closed, it would reach them never.
    #[error(
        "{left} terminals of switchover {id} were never offered it, nor a newer one: closed, it would never reach them; \
         `switchover push` has the next group offered it"
    )]
    NeverOffered {
        /// Which.
        id: i64,
        /// How many.
        left: u64,
    },
    /// Groups that can't be.
    #[error("{0}")]
    Rollout(String),
    /// The store can't be read or written.
    #[error("the store can't change switchovers: {0}")]
    Sql(#[from] rusqlite::Error),
}

impl State {
    /// The word in messages of the command line.
    #[must_use]
    pub fn plain(self) -> &'static str {
        match self {
            Self::Draft => "a draft",
            Self::Checked => "checked",
            Self::Approved => "approved",
            Self::Pushed => "pushed",
            Self::CutOver => "cut over",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A switchover as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// Where it has come to.
    pub state: State,
    /// Its instant; none for a correction.
    pub at: Option<Timestamp>,
    /// Version of its release.
    pub version: u64,
    /// Until when terminals accept it.
    pub expires: Timestamp,
    /// How many terminals are in it, as far as whoever reads sees them.
    pub terminals: u64,
    /// Of how many groups the first how many were offered it.
    pub part: u32,
    /// How many groups there are.
    pub parts: u32,
    /// Since when no further group is offered it, and why: `refusals` or `person`.
    pub stopped: Option<(Timestamp, String)>,
    /// The newer one that it was withdrawn by.
    pub withdrawn_by: Option<i64>,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// What.
    pub step: Step,
    /// By whom: login and name; none where the gateway did it by itself.
    pub person: Option<(String, String)>,
    /// More, in ids and numbers.
    pub detail: Option<serde_json::Value>,
}

/// A switchover with its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct One {
    /// It.
    #[serde(flatten)]
    pub listed: Listed,
    /// How it is rolled out.
    pub rollout: Rollout,
    /// The steps, the first one first.
    pub steps: Vec<Taken>,
}

// `?1` is the contractor for whom is read, `?2` today: whoever works, or will work, with one of its terminals sees it.
fn select() -> String {
    format!(
        "SELECT s.id, s.kind, s.name, s.state, s.at, r.version, r.expires,
            (SELECT count(*) FROM bundle AS b WHERE b.release = s.release AND {}),
            s.part, s.rollout, s.stopped_at, s.stopped_why, s.withdrawn_by
        FROM switchover AS s JOIN release AS r ON r.id = s.release",
        sees("b", 1, 2)
    )
}

/// A condition that holds for a bundle `b` that the contractor bound to `?{number}` sees on the day bound to `?{today}`: it is, or will
/// be, of theirs.
fn sees(b: &str, number: u8, today: u8) -> String {
    format!(
        "(?{number} IS NULL OR EXISTS (SELECT 1 FROM contract AS own WHERE own.id = {b}.from_contract
            AND own.contractor = ?{number} AND ?{today} <= own.last_day)
        OR EXISTS (SELECT 1 FROM schedule AS o JOIN contract AS own ON own.id = o.contract WHERE o.bundle = {b}.id
            AND own.contractor = ?{number} AND ?{today} <= own.last_day))"
    )
}

fn listed(row: &Row<'_>) -> rusqlite::Result<(Listed, Rollout)> {
    let rollout: Rollout = sql::json(row, 9)?;
    let stopped: Option<i64> = row.get(10)?;
    let why: Option<String> = row.get(11)?;
    let listed = Listed {
        id: row.get(0)?,
        kind: sql::word(row, 1)?,
        name: row.get(2)?,
        state: sql::word(row, 3)?,
        at: row.get::<_, Option<i64>>(4)?.map(sql::instant),
        version: sql::seq(row, 5)?,
        expires: sql::instant(row.get(6)?),
        terminals: sql::seq(row, 7)?,
        part: row.get(8)?,
        parts: u32::try_from(rollout.groups.len()).unwrap_or(u32::MAX),
        stopped: stopped.map(|at| (sql::instant(at), why.unwrap_or_default())),
        withdrawn_by: row.get(12)?,
    };
    Ok((listed, rollout))
}

/// The switchovers that somebody sees, the newest first.
///
/// # Errors
/// When the store can't be read.
pub fn list(conn: &Connection, scope: &Scope, now: Timestamp) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = conn.prepare_cached(&format!("{} ORDER BY s.id DESC", select()))?;
    let today = business_date(now).to_string();
    let rows = statement.query_map(params![scope.contractor(), today], |row| Ok(listed(row)?.0))?;
    let all: Vec<Listed> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(all.into_iter().filter(|one| scope.is_city() || shown(one)).collect())
}

/// Whether contractors see it: what the city has not decided yet is its own.
fn shown(one: &Listed) -> bool {
    // Also once it is withdrawn: what was never pushed was never decided.
    one.terminals > 0 && one.part > 0
}

/// One with its steps; none where there is no such, or it is not for whoever asks. Who did what is told to the city alone.
///
/// # Errors
/// When the store can't be read.
pub fn one(conn: &Connection, id: i64, scope: &Scope, now: Timestamp) -> rusqlite::Result<Option<One>> {
    let today = business_date(now).to_string();
    let found = conn
        .prepare_cached(&format!("{} WHERE s.id = ?3", select()))?
        .query_row(params![scope.contractor(), today, id], listed)
        .optional()?;
    let Some((listed, rollout)) = found.filter(|(one, _)| scope.is_city() || shown(one)) else {
        return Ok(None);
    };
    let select =
        "SELECT at, step, login, name, detail FROM switchover_step LEFT JOIN person ON person.id = person
        WHERE switchover = ?1 ORDER BY switchover_step.id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([id], |row| {
        let login: Option<String> = row.get(2)?;
        Ok(Taken {
            at: sql::instant(row.get(0)?),
            step: sql::word(row, 1)?,
            person: login.zip(row.get(3)?).filter(|_| scope.is_city()),
            detail: row.get::<_, Option<String>>(4)?.map(|_| sql::json(row, 4)).transpose()?,
        })
    })?;
    let steps = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Some(One { listed, rollout, steps }))
}

/// A release that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version.
    pub version: u64,
    /// What it is called.
    pub name: String,
    /// When it was built.
    pub made_at: Timestamp,
    /// Until when terminals accept it.
    pub expires: Timestamp,
    /// The first instant at which a contract changes.
    pub switchover_at: Option<Timestamp>,
    /// How many terminals it is for.
    pub terminals: u64,
    /// When it came.
    pub taken_at: Timestamp,
    /// The switchover that was made of it.
    pub switchover: Option<i64>,
}

/// The releases that are here, the newest first.
///
/// # Errors
/// When the store can't be read.
pub fn releases(conn: &Connection) -> rusqlite::Result<Vec<Release>> {
    let select = "SELECT version, r.name, made_at, expires, switchover_at, terminals, taken_at, s.id
        FROM release AS r LEFT JOIN switchover AS s ON s.release = r.id WHERE r.state = 'taken' ORDER BY r.id DESC";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Release {
            version: sql::seq(row, 0)?,
            name: row.get(1)?,
            made_at: sql::instant(row.get(2)?),
            expires: sql::instant(row.get(3)?),
            switchover_at: row.get::<_, Option<i64>>(4)?.map(sql::instant),
            terminals: sql::seq(row, 5)?,
            taken_at: sql::instant(row.get(6)?),
            switchover: row.get(7)?,
        })
    })?;
    rows.collect()
}

/// A key set that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Its version.
    pub version: u64,
    /// SHA-256 of what is signed in its envelope.
    pub fingerprint: meguri_proto::Digest,
    /// After this instant nothing is accepted that is signed by it.
    pub expires: Timestamp,
    /// When it came.
    pub taken_at: Timestamp,
}

/// The key sets that are held, the first one first.
///
/// # Errors
/// When the store can't be read.
pub fn keys(conn: &Connection) -> rusqlite::Result<Vec<Keys>> {
    let select = "SELECT version, envelope, expires, taken_at FROM key_set ORDER BY version";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Keys {
            version: sql::seq(row, 0)?,
            fingerprint: schedules::fingerprint(row, 1)?,
            expires: sql::instant(row.get(2)?),
            taken_at: sql::instant(row.get(3)?),
        })
    })?;
    rows.collect()
}

/// Writes a step down.
fn note(
    tx: &Connection,
    now: Timestamp,
    id: i64,
    step: Step,
    person: Option<i64>,
    detail: Option<serde_json::Value>,
) -> rusqlite::Result<()> {
    let insert =
        "INSERT INTO switchover_step (switchover, at, step, person, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
    let detail = detail.map(|detail| detail.to_string());
    tx.prepare_cached(insert)?.execute(params![id, sql::ms(now), schedules::word(&step), person, detail])?;
    Ok(())
}

fn set_state(tx: &Connection, id: i64, state: State) -> rusqlite::Result<()> {
    let update = "UPDATE switchover SET state = ?2 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![id, schedules::word(&state)])?;
    Ok(())
}
