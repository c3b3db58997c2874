//! The catalogue in the store: compared, written, listed and searched.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::plain::plain;
use super::{Counts, Item, New, Outcome, Report};
use crate::store::sql;

/// Most words of a question that are looked at.
const WORDS: usize = 8;

/// What is to be written.
pub(super) struct Plan {
    steps: Vec<Step>,
    counts: Counts,
    known: u64,
    version: i64,
}

struct Step {
    /// The item's row; none for a new one.
    id: Option<i64>,
    /// Its place in the new catalogue; none where that lacks it.
    item: Option<usize>,
    kind: &'static str,
    /// Before and after, by field.
    fields: BTreeMap<&'static str, [Value; 2]>,
}

impl Plan {
    pub(super) fn report(&self, new: &New) -> Report {
        // Only what was there can be missing; a first catalogue is taken whatever it holds.
        let few = self.counts.gone * 100 > self.known * u64::from(new.missing_percent);
        let outcome = if self.steps.is_empty() {
            Outcome::Unchanged
        } else if few && !new.anyway {
            Outcome::TooFew
        } else {
            Outcome::Applied
        };
        Report {
            outcome,
            dry_run: false,
            version: self.version,
            file: new.file.clone(),
            profile: new.profile.clone(),
            counts: self.counts,
            skipped: Vec::new(),
            problems: Vec::new(),
            more_problems: 0,
        }
    }
}

/// The columns of an item, in the order of [`item`].
const COLUMNS: &str = "key, name, reading, synonyms, size, tickets, fee, accepted, recycling";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        key: row.get("key")?,
        name: row.get("name")?,
        reading: row.get("reading")?,
        synonyms: json_of(row, "synonyms")?,
        size: row.get("size")?,
        tickets: json_of(row, "tickets")?,
        fee: row.get("fee")?,
        accepted: row.get("accepted")?,
        recycling: row.get("recycling")?,
    })
}

fn json_of<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    sql::json(row, row.as_ref().column_index(column)?)
}

fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT coalesce(max(version), 0) FROM catalogue_version", [], |row| row.get(0))
}

/// Compares a catalogue with the store.
pub(super) fn plan(conn: &Connection, new: &New) -> rusqlite::Result<Plan> {
    let select = format!("SELECT id, gone, {COLUMNS} FROM catalogue_item ORDER BY id");
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map([], |row| Ok((row.get("id")?, row.get("gone")?, item(row)?)))?;
    let known: Vec<(i64, bool, Item)> = rows.collect::<Result<_, _>>()?;
    let by_key: HashMap<&str, &(i64, bool, Item)> =
        known.iter().map(|known| (known.2.key.as_str(), known)).collect();
    let mut plan = Plan {
        steps: Vec::new(),
        counts: Counts { items: new.items.len() as u64, ..Counts::default() },
        known: known.iter().filter(|(_, gone, _)| !gone).count() as u64,
        version: version(conn)?,
    };
    let counts = &mut plan.counts;
    for (index, item) in new.items.iter().enumerate() {
        let (id, kind, fields) = match by_key.get(item.key.as_str()) {
            None => (None, "added", BTreeMap::new()),
            Some((id, gone, before)) => {
                let fields = differences(before, item);
                match (gone, fields.is_empty()) {
                    (true, _) => (Some(*id), "back", fields),
                    (false, false) => (Some(*id), "changed", fields),
                    (false, true) => {
                        counts.unchanged += 1;
                        continue;
                    }
                }
            }
        };
        *match kind {
            "added" => &mut counts.added,
            "back" => &mut counts.back,
            _ => &mut counts.changed,
        } += 1;
        plan.steps.push(Step { id, item: Some(index), kind, fields });
    }
    let there: HashSet<&str> = new.items.iter().map(|item| item.key.as_str()).collect();
    for (id, gone, before) in &known {
        if !gone && !there.contains(before.key.as_str()) {
            counts.gone += 1;
            plan.steps.push(Step { id: Some(*id), item: None, kind: "gone", fields: BTreeMap::new() });
        }
    }
    Ok(plan)
}

/// What differs between two states of an item.
fn differences(before: &Item, after: &Item) -> BTreeMap<&'static str, [Value; 2]> {
    [
        ("name", json!(before.name), json!(after.name)),
        ("reading", json!(before.reading), json!(after.reading)),
        ("synonyms", json!(before.synonyms), json!(after.synonyms)),
        ("size", json!(before.size), json!(after.size)),
        ("tickets", json!(before.tickets), json!(after.tickets)),
        ("fee", json!(before.fee), json!(after.fee)),
        ("accepted", json!(before.accepted), json!(after.accepted)),
        ("recycling", json!(before.recycling), json!(after.recycling)),
    ]
    .into_iter()
    .filter(|(_, before, after)| before != after)
    .map(|(field, before, after)| (field, [before, after]))
    .collect()
}

/// Writes a plan as the next version, whose number it gives.
pub(super) fn write(
    tx: &Connection,
    now: Timestamp,
    new: &New,
    plan: &Plan,
    counts: Counts,
) -> rusqlite::Result<i64> {
    tx.execute(
        "INSERT INTO catalogue_version (at, file, sha256, profile, counts) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![sql::ms(now), new.file, new.sha256.0.as_slice(), new.profile, json!(counts).to_string()],
    )?;
    let version = tx.last_insert_rowid();
    let mut put = tx.prepare_cached(
        "INSERT INTO catalogue_item (key, name, reading, synonyms, size, tickets, fee, accepted, recycling, found_by,
            plain, sorted_by, version)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
        ON CONFLICT (key) DO UPDATE SET name = ?2, reading = ?3, synonyms = ?4, size = ?5, tickets = ?6, fee = ?7,
            accepted = ?8, recycling = ?9, found_by = ?10, plain = ?11, sorted_by = ?12, version = ?13, gone = 0
        RETURNING id",
    )?;
    let mut end = tx.prepare_cached("UPDATE catalogue_item SET gone = 1, version = ?2 WHERE id = ?1")?;
    let mut tell = tx.prepare_cached(
        "INSERT INTO catalogue_history (version, item, kind, detail) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for step in &plan.steps {
        let id: i64 = match (step.id, step.item.and_then(|index| new.items.get(index))) {
            (_, Some(item)) => {
                let name = plain(&item.name);
                let reading = plain(&item.reading);
                let synonyms = item.synonyms.iter().map(|word| plain(word));
                let found_by: Vec<String> =
                    [name.clone(), reading.clone()].into_iter().chain(synonyms).collect();
                let sorted_by = if reading.is_empty() { &name } else { &reading };
                put.query_row(
                    params![
                        item.key,
                        item.name,
                        item.reading,
                        json!(item.synonyms).to_string(),
                        item.size,
                        json!(item.tickets).to_string(),
                        item.fee,
                        item.accepted,
                        item.recycling,
                        found_by.join("\n"),
                        name,
                        sorted_by,
                        version,
                    ],
                    |row| row.get(0),
                )?
            }
            (Some(id), None) => {
                end.execute(params![id, version])?;
                id
            }
            // A plan has no step for nothing.
            (None, None) => continue,
        };
        let detail = (!step.fields.is_empty()).then(|| json!({ "fields": step.fields }).to_string());
        tell.execute(params![version, id, step.kind, detail])?;
    }
    Ok(version)
}

/// An item of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The version of its last change.
    pub version: i64,
    /// The item.
    #[serde(flatten)]
    pub item: Item,
}

/// Items that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// A page of them.
    pub items: Vec<Listed>,
    /// How many there are on all pages.
    pub count: u64,
}

/// The whole catalogue, by reading.
///
/// # Errors
/// When the store can't be read.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<Listed>> {
    Ok(find(conn, "", usize::MAX, 0)?.items)
}

/// How many items the catalogue has.
///
/// # Errors
/// When the store can't be read.
pub fn count(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("SELECT count(*) FROM catalogue_item WHERE gone = 0", [], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Items whose name, reading or synonyms hold every word of `text`, the best first: those that are called so, those whose
/// name or reading begins so, those that have it there, those that have it in another word. Without a word, all of them.
///
/// # Errors
/// When the store can't be read.
pub fn find(conn: &Connection, text: &str, most: usize, skip: usize) -> rusqlite::Result<Found> {
    let words: Vec<String> =
        text.split_whitespace().map(plain).filter(|word| !word.is_empty()).take(WORDS).collect();
    let whole = words.concat();
    let select = "SELECT id, found_by FROM catalogue_item WHERE gone = 0 AND instr(found_by, ?1) > 0
        ORDER BY sorted_by, id";
    // SQLite has an empty text in every text.
    let first = words.first().map_or("", String::as_str);
    let mut statement = conn.prepare_cached(select)?;
    let mut rows = statement.query([first])?;
    let mut hits: Vec<(u8, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let found_by = row.get_ref(1)?.as_str()?;
        if words.iter().all(|word| found_by.contains(word.as_str())) {
            hits.push((if whole.is_empty() { 0 } else { rank(found_by, &whole) }, row.get(0)?));
        }
    }
    // Stable: within a rank the reading's order stays.
    hits.sort_by_key(|(rank, _)| *rank);
    let count = hits.len() as u64;
    let select = format!("SELECT version, {COLUMNS} FROM catalogue_item WHERE id = ?1");
    let mut statement = conn.prepare_cached(&select)?;
    let items = hits.into_iter().skip(skip).take(most).map(|(_, id)| {
        statement.query_row([id], |row| Ok(Listed { version: row.get("version")?, item: item(row)? }))
    });
    Ok(Found { items: items.collect::<Result<_, _>>()?, count })
}

/// How well it fits, 0 the best.
fn rank(found_by: &str, whole: &str) -> u8 {
    if found_by.split('\n').any(|word| word == whole) {
        return 0;
    }
    let mut own = found_by.split('\n').take(2);
    if own.clone().any(|word| word.starts_with(whole)) {
        return 1;
    }
    if own.any(|word| word.contains(whole)) { 2 } else { 3 }
}

/// Which of these names are in the catalogue, however wide they are written.
///
/// # Errors
/// When the store can't be read.
pub fn known<'a>(conn: &Connection, names: impl IntoIterator<Item = &'a str>) -> rusqlite::Result<Vec<bool>> {
    let select = "SELECT 1 FROM catalogue_item WHERE plain = ?1 AND gone = 0";
    let mut statement = conn.prepare_cached(select)?;
    names.into_iter().map(|name| statement.exists([plain(name)])).collect()
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The version that it came with.
    pub version: i64,
    /// When that was taken.
    pub at: Timestamp,
    /// The file.
    pub file: String,
    /// What names the item.
    pub key: String,
    /// Its name as it is now.
    pub name: String,
    /// `added`, `changed`, `gone` or `back`.
    pub kind: String,
    /// Before and after, by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
}

/// What became of the catalogue with one version, or with the last.
///
/// # Errors
/// When the store can't be read.
pub fn changes(conn: &Connection, of: Option<i64>) -> rusqlite::Result<Vec<Change>> {
    let of = match of {
        Some(of) => of,
        None => version(conn)?,
    };
    let select = "SELECT h.version, v.at, v.file, i.key, i.name, h.kind, h.detail
        FROM catalogue_history h JOIN catalogue_version v USING (version) JOIN catalogue_item i ON i.id = h.item
        WHERE h.version = ?1 ORDER BY i.sorted_by, i.id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([of], |row| {
        let detail: Option<Value> = match row.get::<_, Option<String>>(6)? {
            None => None,
            Some(_) => Some(sql::json(row, 6)?),
        };
        Ok(Change {
            version: row.get(0)?,
            at: sql::instant(row.get(1)?),
            file: row.get(2)?,
            key: row.get(3)?,
            name: row.get(4)?,
            kind: row.get(5)?,
            fields: detail.and_then(|mut detail| detail.get_mut("fields").map(Value::take)),
        })
    })?;
    rows.collect()
}
