//! Notices: what a person should know, until one has settled it.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::store::sql;
use crate::touched::Touched;

/// One notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What: `fork`, `hole`, `two_devices`, `list_too_large`, `restored`, `import_held`,
    /// `contract_moved`, `clock_doubted`, `stays_erased`, `watch_trouble`, `lost`, `erased`,
    /// `lost_before_restore`, `found_before_restore`, `keys_first`, `keys_rotated`, `switchover_ahead`, `switchover_behind`, `switchover_missed`,
    /// `withdrawn_held`,
    /// `switchover_stopped`, `switchover_waits`, `accounts_left`, `config_unknown`, `signers_gone`, `contract_over`,
    /// `config_expired`.
    pub kind: String,
    /// Of which terminal.
    pub terminal: Option<String>,
    /// More, in ids and numbers.
    pub detail: serde_json::Value,
}

/// All that nobody has settled yet, newest first.
///
/// # Errors
/// When the store can't be read.
pub fn open_rows(conn: &Connection) -> rusqlite::Result<Vec<Row>> {
    let select =
        "SELECT id, at, kind, terminal, detail FROM notice WHERE settled_at IS NULL ORDER BY id DESC";
    let mut statement = conn.prepare(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            id: row.get(0)?,
            at: sql::instant(row.get(1)?),
            kind: row.get(2)?,
            terminal: row.get(3)?,
            detail: sql::json(row, 4)?,
        })
    })?;
    rows.collect()
}

/// Settles one. Says whether there was such an open one.
///
/// # Errors
/// When the store can't be written.
pub fn settle(tx: &Connection, touched: &mut Touched, now: Timestamp, id: i64) -> rusqlite::Result<bool> {
    let update = "UPDATE notice SET settled_at = ?2 WHERE id = ?1 AND settled_at IS NULL";
    let settled = tx.execute(update, params![id, sql::ms(now)])? > 0;
    touched.notice |= settled;
    Ok(settled)
}
