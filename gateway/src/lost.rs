//! Terminals that are lost or stolen (紛失・盗難): let in for nothing but their erasure, and kept out once they say that it is
//! done. What a terminal may have shown of whom is [`exposure`](crate::exposure)'s.

use jiff::Timestamp;
use meguri_proto::{Digest, DocumentName, Hello, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use crate::enrol;
use crate::ingest::{Context, Effects};
use crate::lists::LAPSED;
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
    mark(tx, touched, now, terminal)?;
    touched.notice |= sql::notice(tx, now, "lost", Some(terminal), &json!({}))?;
    Ok(true)
}

fn mark(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
) -> rusqlite::Result<()> {
    let update =
        "UPDATE terminal SET lost_at = coalesce(lost_at, ?2), erased_at = NULL, blocked_at = NULL, online = 0
        WHERE id = ?1";
    tx.execute(update, params![terminal.as_str(), sql::ms(now)])?;
    enrol::void_code(tx, terminal)?;
    touched.terminals.insert(terminal.clone());
    touched.access = true;
    Ok(())
}

/// Whether a terminal is erased that is not lost as far as the store knows: then the store was put back from a copy of before
/// the loss, which has to be reported again. One that was enrolled since comes in by its new certificate and is not lost.
///
/// # Errors
/// When the store can't be read.
pub(crate) fn is_forgotten(tx: &Connection, terminal: &TerminalId, says: &Hello) -> rusqlite::Result<bool> {
    let held = says.documents.iter().find(|held| held.name == DocumentName::Erasure);
    let Some(held) = held.filter(|held| held.digest == Digest::of(ERASURE.as_bytes())) else {
        return Ok(false);
    };
    let select = "SELECT (SELECT version FROM document WHERE terminal = ?1 AND name = ?2),
        (SELECT max(issued_at) FROM certificate WHERE terminal = ?1)";
    let (issued, enrolled): (Option<i64>, Option<i64>) =
        tx.query_row(select, [terminal.as_str(), &DocumentName::Erasure.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let restored = restored_at(tx)?;
    Ok(issued.is_none_or(|version| version < sql::number(held.version))
        && restored.is_some_and(|restored| enrolled.is_none_or(|enrolled| enrolled <= restored)))
}

/// Reports again a loss that the store has forgotten.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn forgotten(
    tx: &Connection,
    ctx: &Context<'_>,
    fx: &mut Effects,
    terminal: &TerminalId,
) -> rusqlite::Result<()> {
    mark(tx, &mut fx.touched, ctx.now, terminal)?;
    fx.touched.notice |= sql::notice(tx, ctx.now, "lost_before_restore", Some(terminal), &json!({}))?;
    Ok(())
}

/// The loss of a terminal need not be looked at any more.
///
/// # Errors
/// When the store can't be written.
pub(crate) fn settle(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
) -> rusqlite::Result<()> {
    let update = "UPDATE notice SET settled_at = ?2 WHERE terminal = ?1 AND settled_at IS NULL
        AND kind IN ('lost', 'lost_before_restore', 'found_before_restore')";
    touched.notice |= tx.execute(update, params![terminal.as_str(), sql::ms(now)])? > 0;
    Ok(())
}

/// When the store was last put back from a copy, in milliseconds.
fn restored_at(tx: &Connection) -> rusqlite::Result<Option<i64>> {
    tx.query_row("SELECT max(at) FROM notice WHERE kind = 'restored'", [], |row| row.get(0))
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
    let known = issued.as_ref().map_or(0, |(version, _)| *version);
    let done = issued.zip(held).is_some_and(|((version, body), held)| {
        body == ERASURE && held.version == version && held.digest == Digest::of(ERASURE.as_bytes())
    });
    let restored = restored_at(tx)?;
    let lost: i64 =
        tx.query_row("SELECT lost_at FROM terminal WHERE id = ?1", [terminal.as_str()], |row| row.get(0))?;
    if restored.is_some_and(|restored| lost <= restored)
        && held.is_some_and(|held| held.version > known && held.digest == Digest::of(LAPSED.as_bytes()))
    {
        // It was found after the copy was made that this store came from. Erasing is for a person to decide.
        fx.touched.notice |= sql::notice(tx, ctx.now, "found_before_restore", Some(terminal), &json!({}))?;
        return Ok(());
    }
    if !done {
        fx.hellos.push((terminal.clone(), says));
        return Ok(());
    }
    let update = "UPDATE terminal SET erased_at = ?2, blocked_at = ?2, online = 0 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![terminal.as_str(), sql::ms(ctx.now)])?;
    settle(tx, &mut fx.touched, ctx.now, terminal)?;
    fx.touched.notice |= sql::notice(tx, ctx.now, "erased", Some(terminal), &json!({}))?;
    fx.touched.presence = true;
    fx.touched.access = true;
    Ok(())
}
