//! How values of the wire become columns and back, and the few statements that several parts share.

use jiff::Timestamp;
use meguri_proto::{Digest, TerminalId};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// An instant as the store keeps it.
#[must_use]
pub fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// An instant as the store kept it; beyond the calendar it is cut to its ends.
#[must_use]
pub fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn wrong(column: usize, problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, problem.into())
}

/// A sequence number as the store keeps it; those of the wire fit, as their limits say.
#[must_use]
pub fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A column with a sequence number or a version.
///
/// # Errors
/// When the column holds none.
pub fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|error| wrong(column, error))
}

/// A UUID column.
///
/// # Errors
/// When the column holds none.
pub fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(row.get_ref(column)?.as_blob()?).map_err(|error| wrong(column, error))
}

/// A digest column.
///
/// # Errors
/// When the column holds none.
pub fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let bytes: [u8; 32] =
        row.get_ref(column)?.as_blob()?.try_into().map_err(|error| wrong(column, Box::new(error)))?;
    Ok(Digest(bytes))
}

/// A text column parsed, of an id or a date.
///
/// # Errors
/// When the text can't be parsed.
pub fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error: T::Err| wrong(column, error))
}

/// A JSON column.
///
/// # Errors
/// When the text is not such JSON.
pub fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| wrong(column, error))
}

/// A column that holds a bare word of the wire (`tickets`), or the same as JSON (`"tickets"`).
///
/// # Errors
/// When the word is not one of those.
pub fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let text = text.trim_matches('"');
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| wrong(column, error))
}

/// Tells people something, once: a notice of the same kind, terminal and detail that nobody has settled is not repeated.
/// The detail holds ids and numbers only, never residents' data. Says whether it is new.
///
/// # Errors
/// When the store can't be written.
pub fn notice(
    tx: &Connection,
    now: Timestamp,
    kind: &str,
    terminal: Option<&TerminalId>,
    detail: &serde_json::Value,
) -> rusqlite::Result<bool> {
    let insert = "INSERT INTO notice (at, kind, terminal, detail, contract)
        SELECT ?1, ?2, ?3, ?4, (SELECT contract FROM terminal WHERE id = ?3) WHERE NOT EXISTS (SELECT 1 FROM notice
            WHERE kind = ?2 AND terminal IS ?3 AND detail = ?4 AND settled_at IS NULL)";
    let terminal = terminal.map(TerminalId::as_str);
    let rows = tx.prepare_cached(insert)?.execute(params![ms(now), kind, terminal, detail.to_string()])?;
    Ok(rows > 0)
}
