//! People whom the city's identity provider vouches for: an account each, made at the first sign-in and kept as the provider says.
//!
//! Issuer and subject name somebody for life. An account with a password here is never taken over by one of them, whatever names and
//! addresses are alike.

use jiff::Timestamp;
use meguri_proto::{ContractorId, Digest};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::accounts::{self, AccountError, New};
use super::openid::Vouched;
use super::{Person, password};
use crate::store::sql;

/// What an account's login begins with; nobody types it to sign in.
const LOGIN: &str = "openid-";

/// What a sign-in at the provider makes of somebody's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// There is one as it should be.
    As(Person),
    /// It is made now.
    New(Person),
    /// It has another role now; whatever was signed in has ended.
    Changed(Person),
    /// They are kept out here.
    Blocked(Person),
    /// No value of the claim gives them a role that there is. Whatever was signed in has ended.
    Unmapped(Option<Person>),
}

/// The person whom the provider names so.
///
/// # Errors
/// When the store can't be read.
pub fn find(conn: &Connection, issuer: &str, subject: &str) -> rusqlite::Result<Option<Person>> {
    let found: Option<i64> = conn
        .prepare_cached("SELECT person FROM identity WHERE issuer = ?1 AND subject = ?2")?
        .query_row([issuer, subject], |row| row.get(0))
        .optional()?;
    found.map_or(Ok(None), |id| accounts::by_id(conn, id))
}

/// Takes what the provider says of somebody over into their account.
///
/// # Errors
/// When the store can't be read or written.
pub fn take(tx: &Connection, now: Timestamp, vouched: &Vouched) -> Result<Taken, AccountError> {
    let found = find(tx, &vouched.issuer, &vouched.subject)?;
    if let Some(person) = found.as_ref().filter(|person| person.blocked_at.is_some()) {
        return Ok(Taken::Blocked(person.clone()));
    }
    // A contractor who has left the plan has no people any more.
    let role = match &vouched.role {
        Some((role, contractor)) => match accounts::check(tx, *role, contractor.as_ref()) {
            Ok(()) => Some((*role, contractor.clone())),
            Err(AccountError::Sql(error)) => return Err(error.into()),
            Err(_) => None,
        },
        None => None,
    };
    let Some((role, contractor)) = role else {
        if let Some(person) = &found {
            accounts::sign_out(tx, person.id)?;
        }
        return Ok(Taken::Unmapped(found));
    };
    let Some(person) = found else {
        let unique = Digest::of(vouched.issuer.as_bytes()).then(vouched.subject.as_bytes()).to_string();
        let password = password::none().map_err(|error| AccountError::Wrong(error.to_string()))?;
        let login = format!("{LOGIN}{}", unique.get(..16).unwrap_or(&unique));
        let new = New { login, name: vouched.name.clone(), role, contractor, password, must_change: false };
        let person = accounts::add(tx, now, &new)?;
        tx.execute(
            "INSERT INTO identity (issuer, subject, person, made_at) VALUES (?1, ?2, ?3, ?4)",
            params![vouched.issuer, vouched.subject, person.id, sql::ms(now)],
        )?;
        return Ok(Taken::New(again(tx, person)?));
    };
    if !vouched.name.is_empty() && vouched.name != person.name {
        tx.execute("UPDATE person SET name = ?2 WHERE id = ?1", params![person.id, vouched.name])?;
    }
    if (person.role, &person.contractor) == (role, &contractor) {
        return Ok(Taken::As(again(tx, person)?));
    }
    tx.execute(
        "UPDATE person SET role = ?2, contractor = ?3 WHERE id = ?1",
        params![person.id, role.word(), contractor.as_ref().map(ContractorId::as_str)],
    )?;
    // What is open shows what they might not see any more.
    accounts::sign_out(tx, person.id)?;
    Ok(Taken::Changed(again(tx, person)?))
}

fn again(tx: &Connection, person: Person) -> rusqlite::Result<Person> {
    Ok(accounts::by_id(tx, person.id)?.unwrap_or(person))
}
