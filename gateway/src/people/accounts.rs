//! Accounts in the store: made, listed, changed, blocked.

use jiff::Timestamp;
use meguri_proto::ContractorId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::password::Hashed;
use super::{NAME_CHARS, Person, Role};
use crate::store::sql;

/// Why an account can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is one of this login.
    #[error("there is a person {0} already; choose another login")]
    Exists(String),
    /// There is none of this login.
    #[error("there is no person {0}; `meguri-gateway person list` shows them")]
    Unknown(String),
    /// A login or name can't be.
    #[error("{0}")]
    Wrong(String),
    /// A dispatcher without a contractor, or somebody else with one.
    #[error("a dispatcher needs the contractor they dispatch for, and nobody else has one")]
    Contractor,
    /// The plan has no such contractor.
    #[error("there is no contractor {0} in the city's plan")]
    UnknownContractor(ContractorId),
    /// Nobody would be left to let anybody in.
    #[error("{0} is the only administrator who can sign in: make another one first")]
    LastAdministrator(String),
    /// The identity provider says who they are.
    #[error(
        "{0} signs in at the city's identity provider, which gives their role; change it there, or block them here"
    )]
    Vouched(String),
    /// Somebody has set the office up already.
    #[error("there are accounts already")]
    SetUp,
    /// The store can't be read or written.
    #[error("the store can't change accounts: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// What they will sign in with.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Whose dispatcher they are.
    pub contractor: Option<ContractorId>,
    /// Their password.
    pub password: Hashed,
    /// Whether it must be changed at the first sign-in: somebody else knows it.
    pub must_change: bool,
}

const SELECT: &str = "SELECT id, login, name, role, contractor, must_change, totp IS NOT NULL, added_at, signed_in_at, blocked_at,
    EXISTS (SELECT 1 FROM identity WHERE identity.person = person.id), password_until FROM person";

/// A row of `SELECT`.
fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    let contractor: Option<String> = row.get(4)?;
    Ok(Person {
        id: row.get(0)?,
        login: row.get(1)?,
        name: row.get(2)?,
        role: sql::parsed(row, 3)?,
        contractor: contractor.map(|_| sql::parsed(row, 4)).transpose()?,
        must_change: row.get(5)?,
        second_factor: row.get(6)?,
        added_at: sql::instant(row.get(7)?),
        signed_in_at: row.get::<_, Option<i64>>(8)?.map(sql::instant),
        blocked_at: row.get::<_, Option<i64>>(9)?.map(sql::instant),
        vouched: row.get(10)?,
        password_until: row.get::<_, Option<i64>>(11)?.map(sql::instant),
    })
}

/// Everybody, by login.
///
/// # Errors
/// When the store can't be read.
pub fn list(conn: &Connection) -> rusqlite::Result<Vec<Person>> {
    conn.prepare(&format!("{SELECT} ORDER BY login"))?.query_map([], person)?.collect()
}

/// Whether nobody has an account yet.
///
/// # Errors
/// When the store can't be read.
pub fn nobody(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM person)", [], |row| row.get(0))
}

/// The person of this number.
///
/// # Errors
/// When the store can't be read.
pub fn by_id(conn: &Connection, id: i64) -> rusqlite::Result<Option<Person>> {
    conn.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], person).optional()
}

/// The person of this login, and what is kept of their password.
///
/// # Errors
/// When the store can't be read.
pub fn by_login(conn: &Connection, login: &str) -> rusqlite::Result<Option<(Person, Hashed)>> {
    let found =
        conn.prepare_cached(&format!("{SELECT} WHERE login = ?1"))?.query_row([login], person).optional()?;
    let Some(person) = found else { return Ok(None) };
    let password = conn
        .prepare_cached("SELECT password FROM person WHERE id = ?1")?
        .query_row([person.id], |row| row.get(0))?;
    Ok(Some((person, Hashed::kept(password))))
}

fn known(conn: &Connection, login: &str) -> Result<Person, AccountError> {
    Ok(by_login(conn, login)?.ok_or_else(|| AccountError::Unknown(login.to_owned()))?.0)
}

pub(super) fn check(
    conn: &Connection,
    role: Role,
    contractor: Option<&ContractorId>,
) -> Result<(), AccountError> {
    if (role == Role::Dispatcher) != contractor.is_some() {
        return Err(AccountError::Contractor);
    }
    let Some(contractor) = contractor else { return Ok(()) };
    let mut known = conn.prepare_cached("SELECT 1 FROM contractor WHERE id = ?1")?;
    if known.exists([contractor.as_str()])? {
        Ok(())
    } else {
        Err(AccountError::UnknownContractor(contractor.clone()))
    }
}

/// Makes an account.
///
/// # Errors
/// When there is one of this login, or something of it can't be.
pub fn add(tx: &Connection, now: Timestamp, new: &New) -> Result<Person, AccountError> {
    let login = super::login(&new.login).map_err(AccountError::Wrong)?;
    let name = new.name.trim();
    if name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(AccountError::Wrong(format!("a name has at most {NAME_CHARS} characters, on one line")));
    }
    check(tx, new.role, new.contractor.as_ref())?;
    let insert =
        "INSERT OR IGNORE INTO person (login, name, role, contractor, password, must_change, added_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let rows = tx.execute(
        insert,
        params![
            login,
            if name.is_empty() { &*login } else { name },
            new.role.word(),
            new.contractor.as_ref().map(ContractorId::as_str),
            new.password.as_str(),
            new.must_change,
            sql::ms(now)
        ],
    )?;
    if rows == 0 {
        return Err(AccountError::Exists(login));
    }
    known(tx, &login)
}

/// Makes the first account, where there is none.
///
/// # Errors
/// When there is one, or something of it can't be.
pub fn add_first(tx: &Connection, now: Timestamp, new: &New) -> Result<Person, AccountError> {
    if nobody(tx)? { add(tx, now, new) } else { Err(AccountError::SetUp) }
}

/// Ends whatever the person is signed in with.
pub(super) fn sign_out(tx: &Connection, person: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM session WHERE person = ?1")?.execute([person])?;
    Ok(())
}

/// Refuses where nobody else could sign in as administrator.
fn not_the_last(conn: &Connection, person: &Person) -> Result<(), AccountError> {
    let others = "SELECT 1 FROM person WHERE role = 'administrator' AND blocked_at IS NULL AND id <> ?1";
    if person.role == Role::Administrator
        && person.blocked_at.is_none()
        && !conn.prepare_cached(others)?.exists([person.id])?
    {
        return Err(AccountError::LastAdministrator(person.login.clone()));
    }
    Ok(())
}

/// Keeps a person out, at once, or lets them in again. Says whether that changed anything.
///
/// # Errors
/// When there is no such person, they are the last administrator, or the store can't be written.
pub fn block(
    tx: &Connection,
    now: Timestamp,
    login: &str,
    blocked: bool,
) -> Result<(Person, bool), AccountError> {
    let person = known(tx, login)?;
    if person.blocked_at.is_some() == blocked {
        return Ok((person, false));
    }
    if blocked {
        not_the_last(tx, &person)?;
    }
    tx.execute(
        "UPDATE person SET blocked_at = ?2 WHERE id = ?1",
        params![person.id, blocked.then(|| sql::ms(now))],
    )?;
    sign_out(tx, person.id)?;
    Ok((known(tx, login)?, true))
}

/// Gives a person another password, which they must change, and takes their second factor away: they may have lost it. Whoever signs in
/// at the identity provider has no password, and gets none.
///
/// # Errors
/// When there is no such person, or the store can't be written.
pub fn reset(tx: &Connection, login: &str, password: &Hashed) -> Result<Person, AccountError> {
    let person = known(tx, login)?;
    let update =
        "UPDATE person SET password = CASE ?3 WHEN 0 THEN ?2 ELSE password END, must_change = NOT ?3,
        totp = NULL, totp_pending = NULL WHERE id = ?1";
    tx.execute(update, params![person.id, password.as_str(), person.vouched])?;
    tx.execute("DELETE FROM recovery WHERE person = ?1", [person.id])?;
    super::attempts::forget(tx, login)?;
    sign_out(tx, person.id)?;
    known(tx, login)
}

/// Gives a person another role.
///
/// # Errors
/// When there is no such person, the contractor does not fit, or they are the last administrator.
pub fn set_role(
    tx: &Connection,
    login: &str,
    role: Role,
    contractor: Option<&ContractorId>,
) -> Result<Person, AccountError> {
    let person = known(tx, login)?;
    if person.vouched {
        return Err(AccountError::Vouched(person.login));
    }
    check(tx, role, contractor)?;
    if role != Role::Administrator {
        not_the_last(tx, &person)?;
    }
    let update = "UPDATE person SET role = ?2, contractor = ?3 WHERE id = ?1";
    tx.execute(update, params![person.id, role.word(), contractor.map(ContractorId::as_str)])?;
    // What is open shows what they might not see any more.
    sign_out(tx, person.id)?;
    known(tx, login)
}

/// Lets a person sign in with their password until then, although passwords are for emergencies alone.
///
/// # Errors
/// When there is no such person, they have no password, or the store can't be written.
pub fn emergency(tx: &Connection, login: &str, until: Timestamp) -> Result<Person, AccountError> {
    let person = known(tx, login)?;
    if person.vouched {
        return Err(AccountError::Vouched(person.login));
    }
    tx.execute("UPDATE person SET password_until = ?2 WHERE id = ?1", params![person.id, sql::ms(until)])?;
    known(tx, login)
}

/// A person has chosen another password: whatever was signed in ends.
///
/// # Errors
/// When the store can't be written.
pub fn choose(tx: &Connection, person: i64, password: &Hashed) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE person SET password = ?2, must_change = 0 WHERE id = ?1",
        params![person, password.as_str()],
    )?;
    sign_out(tx, person)
}

/// The second factor of a person, and the last step that was taken.
#[derive(Clone)]
pub struct Second {
    /// What counts.
    pub secret: Option<Vec<u8>>,
    /// The last time step taken.
    pub last: i64,
}

impl std::fmt::Debug for Second {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Second(…)")
    }
}

/// Reads a person's second factor.
///
/// # Errors
/// When the store can't be read.
pub fn second(conn: &Connection, person: i64) -> rusqlite::Result<Second> {
    conn.prepare_cached("SELECT totp, totp_step FROM person WHERE id = ?1")?
        .query_row([person], |row| Ok(Second { secret: row.get(0)?, last: row.get(1)? }))
}

/// The telephone has shown the right code: this secret counts from now on, beside these recovery codes' SHA-256. Others are signed out.
///
/// # Errors
/// When the store can't be written.
pub fn take_second(
    tx: &Connection,
    person: i64,
    secret: &[u8],
    step: i64,
    recovery: &[[u8; 32]],
) -> rusqlite::Result<()> {
    // Earlier versions kept one that was being set up in `totp_pending`.
    let update = "UPDATE person SET totp = ?2, totp_pending = NULL, totp_step = ?3 WHERE id = ?1";
    tx.execute(update, params![person, secret, step])?;
    tx.execute("DELETE FROM recovery WHERE person = ?1", [person])?;
    for code in recovery {
        tx.execute(
            "INSERT INTO recovery (person, sha256) VALUES (?1, ?2)",
            params![person, code.as_slice()],
        )?;
    }
    sign_out(tx, person)
}

/// How many recovery codes are left.
///
/// # Errors
/// When the store can't be read.
pub fn recovery_left(conn: &Connection, person: i64) -> rusqlite::Result<u32> {
    conn.query_row("SELECT count(*) FROM recovery WHERE person = ?1", [person], |row| row.get(0))
}

/// Takes a code of the telephone or a recovery code. Says whether it was good; a good one is good no more.
///
/// # Errors
/// When the store can't be read or written.
pub fn check_second(tx: &Connection, person: i64, typed: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let Second { secret, last, .. } = second(tx, person)?;
    let Some(secret) = secret else { return Ok(false) };
    if let Some(step) = super::totp::step(&secret, typed, now, last) {
        tx.execute("UPDATE person SET totp_step = ?2 WHERE id = ?1", params![person, step])?;
        return Ok(true);
    }
    let code = meguri_proto::Digest::of(super::password::as_drawn(typed).as_bytes());
    let delete = "DELETE FROM recovery WHERE person = ?1 AND sha256 = ?2";
    Ok(tx.execute(delete, params![person, code.0.as_slice()])? > 0)
}
