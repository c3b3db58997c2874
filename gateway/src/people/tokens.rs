//! Other systems' tokens: each opens what its scopes name, and nothing else.

use std::str::FromStr;

use jiff::Timestamp;
use meguri_proto::{ContractorId, Digest};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::Scope;
use crate::store::sql;

/// What a token begins with, so that one that got loose is recognised.
pub const BEGINS: &str = "meguri_";
/// Longest name of a system.
pub const NAME_BYTES: usize = 40;
/// How often it is written down that a token is used, in seconds.
const USED_SECONDS: i64 = 60;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Opens {
    /// `/metrics` and `/health` from another machine.
    Metrics,
    /// `/api/export`.
    Export,
    /// `/api/releases` and `/api/configurations`: pushes releases, and sees how far they are. What is pushed is offered to no terminal
    /// before people have drafted, checked and approved it.
    Configurations,
}

impl Opens {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Export, Self::Configurations];

    /// The word in forms and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Export => "export",
            Self::Configurations => "configurations",
        }
    }
}

/// Why a token can't be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is one of this name.
    #[error("there is, or was, a token {0}; choose another name")]
    Exists(String),
    /// There is none of this name, or it is revoked.
    #[error("there is no token {0} that could be revoked; `meguri-gateway token list` shows them")]
    Unknown(String),
    /// A name or scopes that can't be.
    #[error("{0}")]
    Wrong(String),
    /// The store can't be read or written.
    #[error("the store can't change tokens: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// A token as listed; it opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its number, by which the audit log names it.
    pub id: i64,
    /// The system's name.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<Opens>,
    /// Whose pickups alone it sees.
    pub contractor: Option<ContractorId>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
}

impl Listed {
    /// What is read for it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.contractor.clone().map_or(Scope::City, Scope::Contractor)
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// The system's name.
    pub name: String,
    /// What it opens.
    pub scopes: Vec<Opens>,
    /// Whose pickups alone it sees.
    pub contractor: Option<ContractorId>,
    /// SHA-256 of its text.
    pub sha256: Digest,
}

/// The text of a token with these random bytes.
#[must_use]
pub fn text(random: [u8; 32]) -> String {
    format!("{BEGINS}{}", Digest(random))
}

/// What the store knows of a token's text; none where it is no token.
#[must_use]
pub fn sha256(text: &str) -> Option<Digest> {
    Digest::from_str(text.strip_prefix(BEGINS)?).ok()?;
    Some(Digest::of(text.as_bytes()))
}

fn listed(row: &rusqlite::Row<'_>) -> rusqlite::Result<Listed> {
    let contractor: Option<String> = row.get(3)?;
    Ok(Listed {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: sql::json(row, 2)?,
        contractor: contractor.map(|_| sql::parsed(row, 3)).transpose()?,
        made_at: sql::instant(row.get(4)?),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(sql::instant),
        used_at: row.get::<_, Option<i64>>(6)?.map(sql::instant),
    })
}

const SELECT: &str = "SELECT id, name, scopes, contractor, made_at, revoked_at, used_at FROM token";

/// Every token, by name.
///
/// # Errors
/// When the store can't be read.
pub fn list(conn: &Connection) -> rusqlite::Result<Vec<Listed>> {
    conn.prepare(&format!("{SELECT} ORDER BY name"))?.query_map([], listed)?.collect()
}

/// The token that opens this, if it holds.
///
/// # Errors
/// When the store can't be read.
pub fn find(conn: &Connection, sha256: Digest, opens: Opens) -> rusqlite::Result<Option<Listed>> {
    let found = conn
        .prepare_cached(&format!("{SELECT} WHERE sha256 = ?1 AND revoked_at IS NULL"))?
        .query_row([sha256.0.as_slice()], listed)
        .optional()?;
    Ok(found.filter(|token| token.scopes.contains(&opens)))
}

/// Whether it is to be written down that a token is used: not more than once a minute.
#[must_use]
pub fn is_stale(token: &Listed, now: Timestamp) -> bool {
    token.used_at.is_none_or(|used| now.duration_since(used).as_secs().abs() >= USED_SECONDS)
}

/// Writes down that a token is used.
///
/// # Errors
/// When the store can't be written.
pub fn used(tx: &Connection, now: Timestamp, id: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE token SET used_at = ?2 WHERE id = ?1")?.execute(params![id, sql::ms(now)])?;
    Ok(())
}

/// Makes a token.
///
/// # Errors
/// When there is one of this name, something of it can't be, or the store can't be written.
pub fn add(tx: &Connection, now: Timestamp, new: &New) -> Result<Listed, TokenError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if new.name.is_empty() || new.name.len() > NAME_BYTES || !new.name.bytes().all(good) {
        return Err(TokenError::Wrong(format!(
            "a token's name is 1 to {NAME_BYTES} of letters, digits, '.', '-' and '_'"
        )));
    }
    let mut scopes = new.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(TokenError::Wrong("a token opens nothing without --scope".to_owned()));
    }
    if let Some(contractor) = &new.contractor
        && !tx.prepare_cached("SELECT 1 FROM contractor WHERE id = ?1")?.exists([contractor.as_str()])?
    {
        return Err(TokenError::Wrong(format!("there is no contractor {contractor} in the city's plan")));
    }
    let insert =
        "INSERT OR IGNORE INTO token (name, sha256, scopes, contractor, made_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![
        new.name,
        new.sha256.0.as_slice(),
        serde_json::json!(scopes).to_string(),
        new.contractor.as_ref().map(ContractorId::as_str),
        sql::ms(now)
    ];
    if tx.execute(insert, row)? == 0 {
        return Err(TokenError::Exists(new.name.clone()));
    }
    Ok(tx.query_row(&format!("{SELECT} WHERE name = ?1"), [&new.name], listed)?)
}

/// Revokes a token, at once.
///
/// # Errors
/// When there is none of this name that holds, or the store can't be written.
pub fn revoke(tx: &Connection, now: Timestamp, name: &str) -> Result<Listed, TokenError> {
    let update = "UPDATE token SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL";
    if tx.execute(update, params![name, sql::ms(now)])? == 0 {
        return Err(TokenError::Unknown(name.to_owned()));
    }
    Ok(tx.query_row(&format!("{SELECT} WHERE name = ?1"), [name], listed)?)
}
