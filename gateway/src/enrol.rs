//! Terminals' certificates: enrolled by a code, renewed with the key they have, replaced once the next one has come in.
//!
//! All of it runs in the writer's transaction. What is refused is no error: a wrong try is counted, and counting is
//! written, too.

use jiff::{SignedDuration, Timestamp};
use meguri_proto::enrol::{Code, CodeKey, EnrolRequest, RenewRequest};
use meguri_proto::{Digest, TerminalId};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::broker::Certificate;
use crate::ca::{Authority, CaError};
use crate::store::sql;
use crate::terminals::TerminalError;

/// Wrong tries after which a code is void: nobody mistypes it as often.
const TRIES: i64 = 5;
/// How many certificates of a terminal that it has not come in by hold at a time: answers get lost, keys too.
const WAITING: i64 = 3;

/// Why a terminal gets no certificate. It is told no more than this: which codes there are is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The code is unknown, used, too old, tried too often, or not the one that the terminal knows.
    #[error("the code is not taken; ask the office for a new one")]
    Code,
    /// The certificate is unknown, over, replaced or its terminal blocked, or it was not its key that signed.
    #[error("the certificate is not taken; the terminal must enrol by a code")]
    Certificate,
    /// The certificate request can't be taken.
    #[error("{0}")]
    Request(String),
}

/// Why the office can't answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The store can't be read or written.
    #[error("the store can't keep a certificate: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The authority can't make a certificate.
    #[error(transparent)]
    Ca(CaError),
}

/// What a terminal gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// Which terminal.
    pub terminal: TerminalId,
    /// Its certificate, as PEM.
    pub pem: String,
    /// The code's key, where it was by a code.
    pub key: Option<CodeKey>,
}

/// By what certificates are made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The authority.
    pub authority: &'a Authority,
    /// The office's time.
    pub now: Timestamp,
    /// Drawn for the certificate's number.
    pub random: [u8; 16],
    /// For how many days it holds.
    pub days: u16,
}

/// Opens an enrolment: whoever brings the code within `minutes` becomes this terminal. Codes that were open before are void.
///
/// # Errors
/// When the terminal is unknown or blocked, another terminal's open code has the same name (one in a million), or the
/// store can't be written.
pub fn open(
    tx: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    code: &Code,
    minutes: u16,
) -> Result<Timestamp, TerminalError> {
    let blocked: Option<bool> = tx
        .query_row("SELECT blocked_at IS NOT NULL FROM terminal WHERE id = ?1", [terminal.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    match blocked {
        None => return Err(TerminalError::Unknown(terminal.clone())),
        Some(true) => return Err(TerminalError::Blocked(terminal.clone())),
        Some(false) => {}
    }
    tx.execute(
        "UPDATE enrolment SET code_key = NULL WHERE code_key IS NOT NULL AND until <= ?1",
        [sql::ms(now)],
    )?;
    void_code(tx, terminal)?;
    let taken = "SELECT 1 FROM enrolment WHERE name = ?1 AND code_key IS NOT NULL";
    if tx.prepare_cached(taken)?.exists([code.name()])? {
        return Err(TerminalError::CodeTaken);
    }
    let until = now.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX);
    tx.execute(
        "INSERT INTO enrolment (name, terminal, code_key, made_at, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![code.name(), terminal.as_str(), code.key().0.as_slice(), sql::ms(now), sql::ms(until)],
    )?;
    Ok(until)
}

/// Takes a code. The same request again gets the same certificate, as the answer may have been lost.
///
/// # Errors
/// When the store or the authority fails.
pub fn enrol(
    tx: &Connection,
    making: Making<'_>,
    request: &EnrolRequest,
    channel: &Digest,
) -> Result<Result<Certified, Refused>, EnrolError> {
    let select = "SELECT enrolment.id, enrolment.terminal, code_key, serial FROM enrolment
        JOIN terminal ON terminal.id = enrolment.terminal
        WHERE name = ?1 AND code_key IS NOT NULL AND until > ?2 AND failures < ?3 AND blocked_at IS NULL";
    let found: Option<(i64, TerminalId, CodeKey, Option<String>)> = tx
        .prepare_cached(select)?
        .query_row(params![request.code, sql::ms(making.now), TRIES], |row| {
            Ok((row.get(0)?, sql::parsed(row, 1)?, CodeKey(sql::digest(row, 2)?.0), row.get(3)?))
        })
        .optional()?;
    let Some((id, terminal, key, used)) = found else { return Ok(Err(Refused::Code)) };
    if !request.is_of(&key, channel) {
        tx.execute("UPDATE enrolment SET failures = failures + 1 WHERE id = ?1", [id])?;
        return Ok(Err(Refused::Code));
    }
    let certified = |pem| Ok(Ok(Certified { terminal: terminal.clone(), pem, key: Some(key.clone()) }));
    if let Some(serial) = used {
        let select = "SELECT pem FROM certificate WHERE serial = ?1 AND request = ?2 AND ended_at IS NULL";
        let again: Option<String> = tx
            .query_row(select, params![serial, Digest::of(request.csr.as_bytes()).0.as_slice()], |row| row.get(0))
            .optional()?;
        return again.map_or(Ok(Err(Refused::Code)), certified);
    }
    let (serial, pem) = match issue(tx, making, &terminal, &request.csr)? {
        Ok(issued) => issued,
        Err(refused) => return Ok(Err(refused)),
    };
    tx.execute(
        "UPDATE enrolment SET used_at = ?2, serial = ?3 WHERE id = ?1",
        params![id, sql::ms(making.now), serial],
    )?;
    certified(pem)
}

/// Renews a terminal's certificate. The same request again gets the same certificate.
///
/// # Errors
/// When the store or the authority fails.
pub fn renew(
    tx: &Connection,
    making: Making<'_>,
    request: &RenewRequest,
    channel: &Digest,
) -> Result<Result<Certified, Refused>, EnrolError> {
    let select = "SELECT public_key FROM certificate JOIN terminal ON terminal.id = certificate.terminal
        WHERE serial = ?1 AND terminal = ?2 AND ended_at IS NULL AND not_after > ?3 AND blocked_at IS NULL";
    let key: Option<Vec<u8>> = tx
        .prepare_cached(select)?
        .query_row(params![request.serial, request.terminal.as_str(), sql::ms(making.now)], |row| row.get(0))
        .optional()?;
    let signed = RenewRequest::signed(&request.terminal, &request.serial, &request.csr, channel);
    let is_of = |key: &[u8]| {
        let signature = bytes(&request.signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(&signed, &signature).ok()
    };
    if key.as_deref().and_then(is_of).is_none() {
        return Ok(Err(Refused::Certificate));
    }
    let certified = |pem| Certified { terminal: request.terminal.clone(), pem, key: None };
    let select = "SELECT pem FROM certificate WHERE terminal = ?1 AND request = ?2 AND ended_at IS NULL";
    let again: Option<String> = tx
        .query_row(
            select,
            params![request.terminal.as_str(), Digest::of(request.csr.as_bytes()).0.as_slice()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(pem) = again {
        return Ok(Ok(certified(pem)));
    }
    Ok(issue(tx, making, &request.terminal, &request.csr)?.map(|(_, pem)| certified(pem)))
}

/// Notes that a terminal has come in by a certificate: those before it are not taken any more. Says whether it was the
/// first time.
///
/// # Errors
/// When the store can't be written.
pub fn came_in(tx: &Connection, now: Timestamp, terminal: &TerminalId, serial: &str) -> rusqlite::Result<bool> {
    let first = tx.execute(
        "UPDATE certificate SET connected_at = ?3
            WHERE serial = ?1 AND terminal = ?2 AND connected_at IS NULL AND ended_at IS NULL",
        params![serial, terminal.as_str(), sql::ms(now)],
    )?;
    if first == 0 {
        return Ok(false);
    }
    tx.execute(
        "UPDATE certificate SET ended_at = ?3
            WHERE terminal = ?2 AND serial <> ?1 AND ended_at IS NULL
                AND rowid < (SELECT rowid FROM certificate WHERE serial = ?1)",
        params![serial, terminal.as_str(), sql::ms(now)],
    )?;
    Ok(true)
}

/// Voids a terminal's open code.
///
/// # Errors
/// When the store can't be written.
pub fn void_code(tx: &Connection, terminal: &TerminalId) -> rusqlite::Result<()> {
    tx.execute("UPDATE enrolment SET code_key = NULL WHERE terminal = ?1", [terminal.as_str()])?;
    Ok(())
}

/// Every certificate that is taken, by terminal, for the broker.
///
/// # Errors
/// When the store can't be read.
pub fn certificates(conn: &Connection) -> rusqlite::Result<Vec<(TerminalId, Certificate)>> {
    let mut statement = conn
        .prepare("SELECT terminal, serial, connected_at IS NOT NULL FROM certificate WHERE ended_at IS NULL")?;
    let rows = statement.query_map([], |row| {
        Ok((sql::parsed(row, 0)?, Certificate { serial: row.get(1)?, connected: row.get(2)? }))
    })?;
    rows.collect()
}

/// Makes a certificate and keeps it. Says its number and itself.
fn issue(
    tx: &Connection,
    making: Making<'_>,
    terminal: &TerminalId,
    csr: &str,
) -> Result<Result<(String, String), Refused>, EnrolError> {
    let Making { authority, now, random, days } = making;
    let issued = match authority.terminal(terminal, csr, random, now, days) {
        Ok(issued) => issued,
        Err(error @ CaError::Request(_)) => return Ok(Err(Refused::Request(error.to_string()))),
        Err(error) => return Err(EnrolError::Ca(error)),
    };
    tx.execute(
        "INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            issued.serial,
            terminal.as_str(),
            issued.public_key,
            Digest::of(csr.as_bytes()).0.as_slice(),
            issued.pem,
            sql::ms(now),
            sql::ms(issued.not_after),
        ],
    )?;
    // The one that the terminal comes in by stays, and the newest of those that it has not come in by.
    tx.execute(
        "UPDATE certificate SET ended_at = ?2
            WHERE terminal = ?1 AND ended_at IS NULL AND connected_at IS NULL AND rowid NOT IN
                (SELECT rowid FROM certificate WHERE terminal = ?1 AND ended_at IS NULL AND connected_at IS NULL
                    ORDER BY rowid DESC LIMIT ?3)",
        params![terminal.as_str(), sql::ms(now), WAITING],
    )?;
    Ok(Ok((issued.serial, issued.pem)))
}

/// Hexadecimal digits as bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() % 2 != 0 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
