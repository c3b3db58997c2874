//! Crews (乗務員): who may sign in on a contractor's terminals, each by a PIN of which the office keeps only what it opens.

use jiff::Timestamp;
use meguri_proto::crew::{PinError, PinLock};
use meguri_proto::limits::{CREW_MEMBERS, SHORT_TEXT};
use meguri_proto::{ContractId, ContractorId, CrewId, CrewList, Member, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::store::sql;
use crate::touched::Touched;

pub mod cli;

/// Why a crew can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// There is one of this id.
    #[error("{0} is there already, or was: facts name whoever had it; choose another id")]
    Exists(CrewId),
    /// There is none of this id.
    #[error("there is no member {0}; `meguri-gateway crew list` shows them")]
    Unknown(CrewId),
    /// The plan has no such contractor.
    #[error("there is no contractor {0} in the city's plan")]
    UnknownContractor(ContractorId),
    /// No list has room for more.
    #[error("a contractor has {CREW_MEMBERS} members at most; remove those that have left")]
    Full,
    /// The name is empty or too long.
    #[error("expected a name of 1 to {SHORT_TEXT} characters")]
    Name,
    /// The store can't be read or written.
    #[error("the store can't change crews: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// A member to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// Whom facts name.
    pub id: CrewId,
    /// Whose crew.
    pub contractor: ContractorId,
    /// The name on the screen.
    pub name: String,
    /// What the PIN opens.
    pub lock: PinLock,
}

/// A member as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Whom facts name.
    pub id: CrewId,
    /// Whose crew.
    pub contractor: ContractorId,
    /// The name on the screen.
    pub name: String,
    /// When the PIN was set.
    pub set_at: Timestamp,
}

/// Draws a PIN: takes a third of a second and 64 MiB, so it is not for a thread that may not wait.
///
/// # Errors
/// When the machine has not the memory to derive its lock.
pub fn draw() -> Result<(PinLock, String), PinError> {
    loop {
        let pin = format!("{:06}", rand::random_range(0..1_000_000));
        match PinLock::new(&pin, rand::random()) {
            Err(PinError::Easy) => {}
            Err(error) => return Err(error),
            Ok(lock) => return Ok((lock, pin)),
        }
    }
}

/// Makes a member of a contractor's crews.
///
/// # Errors
/// When there is or was one of this id, the contractor is unknown or has too many, or the store can't be written.
pub fn add(tx: &Connection, touched: &mut Touched, now: Timestamp, new: &New) -> Result<Listed, CrewError> {
    if new.name.trim().is_empty()
        || new.name.chars().count() > SHORT_TEXT
        || new.name.contains(char::is_control)
    {
        return Err(CrewError::Name);
    }
    let known =
        tx.prepare_cached("SELECT 1 FROM contractor WHERE id = ?1")?.exists([new.contractor.as_str()])?;
    if !known {
        return Err(CrewError::UnknownContractor(new.contractor.clone()));
    }
    if list(tx, Some(&new.contractor))?.len() >= CREW_MEMBERS {
        return Err(CrewError::Full);
    }
    let insert =
        "INSERT OR IGNORE INTO crew (id, contractor, name, lock, set_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let rows = tx.execute(
        insert,
        params![new.id.as_str(), new.contractor.as_str(), new.name.trim(), json(&new.lock)?, sql::ms(now)],
    )?;
    if rows == 0 {
        return Err(CrewError::Exists(new.id.clone()));
    }
    touch(tx, touched, &new.contractor)?;
    one(tx, &new.id)
}

/// Gives a member another PIN: terminals take the one before until they have heard of it.
///
/// # Errors
/// When there is no such member, or the store can't be written.
pub fn set_pin(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: &CrewId,
    lock: &PinLock,
) -> Result<Listed, CrewError> {
    let member = one(tx, id)?;
    tx.execute(
        "UPDATE crew SET lock = ?2, set_at = ?3 WHERE id = ?1",
        params![id.as_str(), json(lock)?, sql::ms(now)],
    )?;
    touch(tx, touched, &member.contractor)?;
    one(tx, id)
}

/// Takes a member out of the list: they have left. Of them the id alone is kept, so that it is never anybody else's.
///
/// # Errors
/// When there is no such member, or the store can't be written.
pub fn remove(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: &CrewId,
) -> Result<Listed, CrewError> {
    let member = one(tx, id)?;
    tx.execute(
        "UPDATE crew SET removed_at = ?2, lock = '', name = '' WHERE id = ?1",
        params![id.as_str(), sql::ms(now)],
    )?;
    touch(tx, touched, &member.contractor)?;
    Ok(member)
}

/// The members of all crews, or of one contractor's.
///
/// # Errors
/// When the store can't be read.
pub fn list(conn: &Connection, contractor: Option<&ContractorId>) -> rusqlite::Result<Vec<Listed>> {
    let select = "SELECT id, contractor, name, set_at FROM crew
        WHERE removed_at IS NULL AND contractor = coalesce(?1, contractor) ORDER BY contractor, id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([contractor.map(ContractorId::as_str)], listed)?;
    rows.collect()
}

/// Who may sign in on a contractor's terminals; none where nobody needs to.
///
/// # Errors
/// When the store can't be read.
pub fn of(conn: &Connection, contractor: &ContractorId) -> rusqlite::Result<Option<CrewList>> {
    let select = "SELECT id, name, lock FROM crew WHERE contractor = ?1 AND removed_at IS NULL ORDER BY id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([contractor.as_str()], |row| {
        Ok(Member { id: sql::parsed(row, 0)?, name: row.get(1)?, lock: sql::json(row, 2)? })
    })?;
    let members: Vec<Member> = rows.collect::<rusqlite::Result<_>>()?;
    Ok((!members.is_empty()).then_some(CrewList { v: 1, members }))
}

/// Who may sign in on terminals that work under a contract.
///
/// # Errors
/// When the store can't be read.
pub fn of_contract(conn: &Connection, contract: &ContractId) -> rusqlite::Result<Option<CrewList>> {
    let select = "SELECT contractor FROM contract WHERE id = ?1";
    let contractor: Option<ContractorId> =
        conn.prepare_cached(select)?.query_row([contract.as_str()], |row| sql::parsed(row, 0)).optional()?;
    contractor.map_or(Ok(None), |contractor| of(conn, &contractor))
}

fn one(conn: &Connection, id: &CrewId) -> Result<Listed, CrewError> {
    let select = "SELECT id, contractor, name, set_at FROM crew WHERE id = ?1 AND removed_at IS NULL";
    let found = conn.prepare_cached(select)?.query_row([id.as_str()], listed).optional()?;
    found.ok_or_else(|| CrewError::Unknown(id.clone()))
}

fn listed(row: &rusqlite::Row) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: sql::parsed(row, 0)?,
        contractor: sql::parsed(row, 1)?,
        name: row.get(2)?,
        set_at: sql::instant(row.get(3)?),
    })
}

fn json(lock: &PinLock) -> rusqlite::Result<String> {
    serde_json::to_string(lock).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Every terminal of the contractor gets the new list, and every one that will be theirs.
fn touch(tx: &Connection, touched: &mut Touched, contractor: &ContractorId) -> rusqlite::Result<()> {
    let select = "SELECT terminal.id FROM terminal JOIN contract ON contract.id = terminal.contract
        WHERE contract.contractor = ?1 AND blocked_at IS NULL
        UNION SELECT terminal.id FROM terminal JOIN schedule ON schedule.bundle = terminal.schedule
        JOIN contract ON contract.id = schedule.contract
        WHERE contract.contractor = ?1 AND blocked_at IS NULL";
    let mut statement = tx.prepare_cached(select)?;
    let rows = statement.query_map([contractor.as_str()], |row| sql::parsed::<TerminalId>(row, 0))?;
    for terminal in rows {
        touched.terminals.insert(terminal?);
    }
    Ok(())
}
