//! What a crew collected of which item, told by the items as they stood when it was said: an import may have changed
//! them since.

use meguri_proto::{ItemResult, Reason};
use rusqlite::Connection;

use super::format;
use super::text::{Lang, Text};
use crate::pickups::{self, Saying};

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
    let items = pickups::items_then(conn, said)?;
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
