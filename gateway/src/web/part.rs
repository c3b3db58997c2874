//! What a crew collected of which item, told by the items as they stood when it was said: an import may have changed
//! them since.

use meguri_proto::{Item, ItemResult, Reason};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::format;
use super::text::{Lang, Text};
use crate::store::sql;

/// When something was said of a pickup.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saying {
    /// The pickup's row.
    pub(super) pickup: i64,
    /// The history row of what was said.
    pub(super) history: i64,
    /// When it happened.
    pub(super) at: i64,
}

/// What was collected of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Which of the pickup's items, from 1.
    number: u32,
    /// Its name and how many were asked for; none where the pickup had no such item.
    item: Option<(String, u32)>,
    /// How many were collected.
    collected: u32,
    /// Why not all.
    pub(super) reason: Option<Reason>,
}

impl Part {
    /// In words, the reason aside. The plan's count is told only where what was said fits it.
    pub(super) fn words(&self, lang: Lang) -> String {
        let collected = format::number(self.collected);
        match &self.item {
            Some((name, count)) if self.collected <= *count => lang.fill(
                Text::ItemLine,
                &[("name", name), ("collected", &collected), ("count", &format::number(*count))],
            ),
            Some((name, _)) => lang.fill(Text::ItemSaid, &[("name", name), ("collected", &collected)]),
            None => {
                let name = lang.fill(Text::ItemUnknown, &[("number", &self.number)]);
                lang.fill(Text::ItemSaid, &[("name", &name), ("collected", &collected)])
            }
        }
    }
}

/// What `results`, said then, mean.
pub(super) fn read(conn: &Connection, said: Saying, results: &[ItemResult]) -> rusqlite::Result<Vec<Part>> {
    let items = items(conn, said)?;
    let part = |result: &ItemResult| {
        let item = usize::try_from(result.item).ok().and_then(|index| items.get(index));
        Part {
            number: result.item.saturating_add(1),
            item: item.map(|item| (item.name.clone(), item.count)),
            collected: result.collected,
            reason: result.reason,
        }
    };
    Ok(results.iter().map(part).collect())
}

/// A pickup's items then: those before the first change that was committed later, or that stands earlier in history
/// but was made after it happened, since a crew without a line can't have known of it.
fn items(conn: &Connection, said: Saying) -> rusqlite::Result<Vec<Item>> {
    let select = "SELECT json_extract(detail, '$.fields.items[0]') FROM history
        WHERE pickup = ?1 AND kind = 'changed' AND (id > ?2 OR at > ?3)
            AND json_type(detail, '$.fields.items[0]') = 'array'
        ORDER BY id LIMIT 1";
    let before: Option<Vec<Item>> = conn
        .prepare_cached(select)?
        .query_row(params![said.pickup, said.history, said.at], |row| sql::json(row, 0))
        .optional()?;
    match before {
        Some(items) => Ok(items),
        None => conn
            .prepare_cached("SELECT items FROM pickup WHERE id = ?1")?
            .query_row([said.pickup], |row| sql::json(row, 0)),
    }
}
