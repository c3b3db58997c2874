//! What was set aside, as the store has it: open ones first, the newest first.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::board::aside_open;
use super::format;
use crate::people::Scope;
use crate::store::sql;

/// How many stand on a page.
const PAGE: u32 = 20;
/// How many bytes of each are read for the list.
const PREVIEW_BYTES: u32 = 800;
/// How many characters of each the list shows.
const PREVIEW_CHARS: usize = 240;
/// How many characters the page of one shows.
const WHOLE_CHARS: usize = 12_000;
/// How many bytes the page of one reads; a character has at most four.
const WHOLE_BYTES: u32 = 48_000;

/// A page of the list.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// Those on this page.
    pub(super) rows: Vec<Aside>,
    /// How many are open.
    pub(super) open: u32,
    /// How many are settled.
    pub(super) settled: u32,
    /// Whether there are more pages.
    pub(super) more: bool,
}

/// One message or entry that was set aside.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    /// Its number.
    pub(super) id: i64,
    /// When it came.
    pub(super) at: i64,
    /// On which topic, made harmless.
    pub(super) topic: String,
    /// From which terminal.
    pub(super) terminal: Option<String>,
    /// Where it is an entry of a log: its number.
    pub(super) seq: Option<i64>,
    /// What is wrong.
    pub(super) problem: String,
    /// Its whole length.
    pub(super) bytes: u64,
    /// The beginning, made harmless.
    pub(super) raw: String,
    /// Whether `raw` is not all of it.
    pub(super) cut: bool,
    /// Whether its content was erased.
    pub(super) emptied: bool,
    /// When and how it was settled.
    pub(super) settled: Option<(i64, String)>,
}

/// Reads a page of the list, from 1.
pub(super) fn read(conn: &Connection, page: u32, scope: &Scope) -> rusqlite::Result<Listed> {
    let sees = Scope::sees_came("contract", "at", 4);
    let open = aside_open(conn, scope)?.map_or(0, |(count, _)| count);
    let count = format!("SELECT count(*) FROM aside WHERE {}", Scope::sees_came("contract", "at", 1));
    let all: u32 = conn.prepare_cached(&count)?.query_row([scope.contractor()], |row| row.get(0))?;
    let skip = (page - 1).saturating_mul(PAGE);
    let mut rows = Vec::new();
    if skip < open {
        let select =
            format!("{SELECT} WHERE settled_at IS NULL AND {sees} ORDER BY id DESC LIMIT ?2 OFFSET ?3");
        let open_rows = conn
            .prepare_cached(&select)?
            .query_map(params![PREVIEW_BYTES, PAGE, skip, scope.contractor()], |row| {
                aside(row, PREVIEW_CHARS)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        rows.extend(open_rows);
    }
    let room = PAGE - u32::try_from(rows.len()).unwrap_or(PAGE).min(PAGE);
    if room > 0 {
        let select =
            format!("{SELECT} WHERE settled_at IS NOT NULL AND {sees} ORDER BY id DESC LIMIT ?2 OFFSET ?3");
        let settled_rows = conn
            .prepare_cached(&select)?
            .query_map(params![PREVIEW_BYTES, room, skip.saturating_sub(open), scope.contractor()], |row| {
                aside(row, PREVIEW_CHARS)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        rows.extend(settled_rows);
    }
    Ok(Listed { rows, open, settled: all.saturating_sub(open), more: all > skip.saturating_add(PAGE) })
}

/// Reads one; none where there is no such in scope.
pub(super) fn read_one(conn: &Connection, id: i64, scope: &Scope) -> rusqlite::Result<Option<Aside>> {
    let select = format!("{SELECT} WHERE id = ?2 AND {}", Scope::sees_came("contract", "at", 3));
    conn.prepare_cached(&select)?
        .query_row(params![WHOLE_BYTES, id, scope.contractor()], |row| aside(row, WHOLE_CHARS))
        .optional()
}

/// Of an empty blob `substr` makes NULL.
const SELECT: &str =
    "SELECT id, at, topic, terminal, seq, problem, bytes, coalesce(substr(raw, 1, ?1), x''), settled_at, settled_how
    FROM aside";

fn aside(row: &Row<'_>, chars: usize) -> rusqlite::Result<Aside> {
    let raw_bytes = row.get_ref(7)?.as_bytes()?;
    let bytes = sql::seq(row, 6)?;
    let emptied = raw_bytes.is_empty() && bytes > 0;
    let (raw, cut) = format::raw(raw_bytes, chars);
    let topic: String = row.get(2)?;
    let settled_at: Option<i64> = row.get(8)?;
    let how: Option<String> = row.get(9)?;
    Ok(Aside {
        id: row.get(0)?,
        at: row.get(1)?,
        // Whoever may publish chooses the topic, as it chooses the content.
        topic: format::raw(topic.as_bytes(), 200).0,
        terminal: row.get(3)?,
        seq: row.get(4)?,
        problem: row.get(5)?,
        bytes,
        raw,
        cut: !emptied && (cut || bytes > raw_bytes.len() as u64),
        emptied,
        settled: settled_at.map(|at| (at, how.unwrap_or_default())),
    })
}
