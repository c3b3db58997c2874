//! Terminals that are lost or stolen (紛失・盗難): let in for nothing but their erasure, and kept out once they say that it is
//! done. What a terminal may have shown of whom is [`exposure`](crate::exposure)'s.

use jiff::Timestamp;
use meguri_proto::{Digest, DocumentName, Hello, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use crate::enrol;
use crate::ingest::{Context, Effects};
use crate::store::sql;
use crate::terminals::TerminalError;
use crate::touched::Touched;

/// The body of the document that has a terminal erase itself.
pub const ERASURE: &str = r#"{"v":1}"#;

/// Notes that a terminal is lost: from now on it gets its erasure and nothing else. One that was kept out is let in for that.
/// Says whether that changed anything.
///
/// # Errors
/// When the terminal is unknown or the store can't be written.
pub fn report(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
) -> Result<bool, TerminalError> {
    let select = "SELECT lost_at IS NOT NULL AND (blocked_at IS NULL OR erased_at IS NOT NULL) FROM terminal WHERE id = ?1";
    let was: Option<bool> = tx.query_row(select, [terminal.as_str()], |row| row.get(0)).optional()?;
    if was.ok_or_else(|| TerminalError::Unknown(terminal.clone()))? {
        return Ok(false);
    }
    let update =
        "UPDATE terminal SET lost_at = coalesce(lost_at, ?2), erased_at = NULL, blocked_at = NULL, online = 0
        WHERE id = ?1";
    tx.execute(update, params![terminal.as_str(), sql::ms(now)])?;
    enrol::void_code(tx, terminal)?;
    touched.terminals.insert(terminal.clone());
    touched.access = true;
    Ok(true)
}

/// A lost terminal says what it holds: where that is its erasure it is kept out, where it is not it gets it.
pub(crate) fn hello(
    tx: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
    says: Hello,
) -> rusqlite::Result<()> {
    fx.heard.insert(terminal.clone());
    let select = "SELECT version, body FROM document WHERE terminal = ?1 AND name = ?2";
    let issued: Option<(u64, String)> = tx
        .prepare_cached(select)?
        .query_row([terminal.as_str(), &DocumentName::Erasure.to_string()], |row| {
            Ok((sql::seq(row, 0)?, row.get(1)?))
        })
        .optional()?;
    let held = says.documents.iter().find(|held| held.name == DocumentName::Erasure);
    let done = issued.zip(held).is_some_and(|((version, body), held)| {
        body == ERASURE && held.version == version && held.digest == Digest::of(ERASURE.as_bytes())
    });
    if !done {
        fx.hellos.push((terminal.clone(), says));
        return Ok(());
    }
    let update = "UPDATE terminal SET erased_at = ?2, blocked_at = ?2, online = 0 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![terminal.as_str(), sql::ms(ctx.now)])?;
    fx.touched.notice |= sql::notice(tx, ctx.now, "erased", Some(terminal), &json!({}))?;
    fx.touched.presence = true;
    fx.touched.access = true;
    Ok(())
}
