//! Imports that are held for a person: kept with file and profile until they are released or dropped.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde_json::json;

use super::{Counts, File, Hold, ImportError, Missing, Newer, Record, store};
use crate::store::sql;
use crate::touched::Touched;

const NOTICE: &str = "import_held";
/// Begins the kept profile's first line, a comment in TOML.
const DAYS: &str = "# days: ";
/// Begins its second, where the file is not simply taken whole.
const HOW: &str = "# how: ";
const ACCEPT_GOOD: &str = "accept_good";
const CHANGES: &str = "changes";

fn notice_detail(id: i64) -> serde_json::Value {
    json!({ "import": id })
}

/// Tells people that an import is held.
pub(super) fn tell(
    tx: &Connection,
    now: Timestamp,
    id: i64,
    touched: &mut Touched,
) -> Result<(), ImportError> {
    sql::notice(tx, now, NOTICE, None, &notice_detail(id)).map_err(store("tell of the held import"))?;
    touched.notice = true;
    Ok(())
}

/// Holds an import whose content is kept already. Where the same file was held before, it has come again since, and is
/// the newest now.
pub(super) fn hold(
    tx: &Connection,
    now: Timestamp,
    hold: &Hold,
    kept: i64,
    touched: &mut Touched,
) -> Result<i64, ImportError> {
    let Hold { record, why, profile_text, .. } = hold;
    if let Some(id) = same(tx, record, profile_text).map_err(store("hold the import"))? {
        settle(tx, now, id, "dropped", None, touched)?;
    }
    let why = json!(why).to_string();
    let id = record.write(tx, now, "held", Some((kept, profile_text)), Some(&why))?;
    tell(tx, now, id, touched)?;
    Ok(id)
}

/// The import under which the same file is held, read in the same way.
pub(super) fn same(conn: &Connection, record: &Record, profile_text: &str) -> rusqlite::Result<Option<i64>> {
    let known = "SELECT id FROM import WHERE state = 'held' AND sha256 = ?1 AND profile_text = ?2";
    conn.query_row(known, params![record.sha256.0.as_slice(), profile_text], |row| row.get(0)).optional()
}

/// The profile's text with the days that were named, so that a release reads the file as it was read.
pub(super) fn kept_profile(file: &File) -> String {
    let days: Vec<String> = file.days.iter().map(Date::to_string).collect();
    let mut how = String::new();
    for (flag, word) in [(file.accept_good, ACCEPT_GOOD), (file.changes, CHANGES)] {
        if flag {
            how = format!("{how} {word}");
        }
    }
    if !how.is_empty() {
        how = format!("{HOW}{}\n", how.trim_start());
    }
    format!("{DAYS}{}\n{how}{}", days.join(" "), file.profile)
}

/// A held import, for the person who decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Waiting {
    /// Its number.
    pub(super) import: i64,
    /// When it was held.
    pub(super) at: Timestamp,
    /// The file's name.
    pub(super) file: String,
    /// The profile's name.
    pub(super) profile: String,
    /// Why: days on which too much is missing.
    pub(super) missing: Vec<Missing>,
    /// Newer files of its days that were taken since.
    pub(super) newer: Vec<Newer>,
}

/// All that is held, the oldest first.
pub(super) fn all(conn: &Connection) -> Result<Vec<Waiting>, ImportError> {
    let doing = "list held imports";
    let select =
        "SELECT id, at, file, profile, held_why, coalesce(source, ''), coalesce(days, '[]') FROM import
        WHERE state = 'held' ORDER BY id";
    let mut statement = conn.prepare(select).map_err(store(doing))?;
    let rows = statement.query_map([], |row| {
        let (import, at) = (row.get(0)?, sql::instant(row.get(1)?));
        let (missing, source, days) = (sql::json(row, 4)?, row.get::<_, String>(5)?, sql::json(row, 6)?);
        let newer = newer(conn, import, &source, &days)?;
        Ok(Waiting { import, at, file: row.get(2)?, profile: row.get(3)?, missing, newer })
    });
    rows.and_then(Iterator::collect).map_err(store(doing))
}

/// What was taken of the same source for one of the same days after this import came.
pub(super) fn newer(
    conn: &Connection,
    id: i64,
    source: &str,
    days: &BTreeSet<Date>,
) -> rusqlite::Result<Vec<Newer>> {
    let select = "SELECT id, at, days FROM import
        WHERE id > ?1 AND state = 'applied' AND source = ?2 AND days IS NOT NULL ORDER BY id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map(params![id, source], |row| {
        let of: BTreeSet<Date> = sql::json(row, 2)?;
        let days = of.intersection(days).copied().collect();
        Ok(Newer { import: row.get(0)?, at: sql::instant(row.get(1)?), days })
    })?;
    rows.filter(|row| !matches!(row, Ok(Newer { days, .. }) if days.is_empty())).collect()
}

/// A held import as it was kept.
pub(super) struct Held {
    pub(super) file: File,
    /// The profile's name.
    pub(super) profile: String,
}

/// Finds a held import.
pub(super) fn find(conn: &Connection, id: i64) -> Result<Held, ImportError> {
    let select = "SELECT state, file, content, profile_text, profile, kept, sha256 FROM import WHERE id = ?1";
    let row = conn
        .query_row(select, [id], |row| {
            let content: Option<Vec<u8>> = row.get(2)?;
            Ok((
                row.get::<_, String>(0)?,
                row.get(1)?,
                content,
                row.get::<_, Option<String>>(3)?,
                row.get(4)?,
                row.get::<_, Option<i64>>(5)?,
                row.get::<_, Vec<u8>>(6)?,
            ))
        })
        .optional()
        .map_err(store("look for the held import"))?;
    let Some((state, name, content, text, profile, kept, sha256)) = row else {
        return Err(ImportError::NotHeld { id, found: "does not exist".to_owned() });
    };
    let content = match kept {
        Some(kept) => Some(parts(conn, kept).map_err(store("look for the held import"))?),
        None => content,
    };
    let (Some(content), Some(text)) = (content, text) else {
        return Err(ImportError::NotHeld { id, found: format!("is {state}") });
    };
    let (days, text) = text.strip_prefix(DAYS).and_then(|rest| rest.split_once('\n')).unwrap_or(("", &text));
    let (how, text) = text.strip_prefix(HOW).and_then(|rest| rest.split_once('\n')).unwrap_or(("", text));
    let has = |word| how.split_whitespace().any(|other| other == word);
    let days = days.split_whitespace().filter_map(|day| day.parse().ok()).collect();
    let is_whole = Digest::of(&content).0.as_slice() == sha256;
    // What is held was UTF-8. Where a part is gone, as in the midst of an erasure, all that it named would be missing.
    let Some(content) = String::from_utf8(content).ok().filter(|_| is_whole) else {
        return Err(ImportError::NotHeld {
            id,
            found: "is no more kept whole; import the file again".to_owned(),
        });
    };
    let (accept_good, changes) = (has(ACCEPT_GOOD), has(CHANGES));
    Ok(Held { file: File { name, content, profile: text.to_owned(), days, accept_good, changes }, profile })
}

/// The content that is kept under a number.
fn parts(conn: &Connection, kept: i64) -> rusqlite::Result<Vec<u8>> {
    let mut select = conn.prepare("SELECT content FROM kept_part WHERE kept = ?1 ORDER BY part")?;
    let mut rows = select.query([kept])?;
    let mut content = Vec::new();
    while let Some(row) = rows.next()? {
        content.extend_from_slice(row.get_ref(0)?.as_blob()?);
    }
    Ok(content)
}

/// Ends a held import: its content, residents' data, is let go of; its notice is settled.
pub(super) fn settle(
    tx: &Connection,
    now: Timestamp,
    id: i64,
    state: &str,
    counts: Option<&Counts>,
    touched: &mut Touched,
) -> Result<(), ImportError> {
    let doing = "settle the held import";
    let update =
        "UPDATE import SET state = ?2, counts = coalesce(?3, counts), content = NULL, kept = NULL, profile_text = NULL
        WHERE id = ?1 AND state = 'held'";
    let counts = counts.map(|counts| json!(counts).to_string());
    if tx.execute(update, params![id, state, counts]).map_err(store(doing))? == 0 {
        return Err(ImportError::NotHeld { id, found: "was settled meanwhile".to_owned() });
    }
    let update = "UPDATE notice SET settled_at = ?1 WHERE kind = ?2 AND detail = ?3 AND settled_at IS NULL";
    tx.execute(update, params![sql::ms(now), NOTICE, notice_detail(id).to_string()]).map_err(store(doing))?;
    touched.notice = true;
    Ok(())
}
