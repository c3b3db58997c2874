//! The catalogue's items as somebody looks for them.

use rusqlite::Connection;

use super::board::aside_open;
use crate::catalogue::{self, Found};
use crate::people::Scope;

/// How many stand on a page.
pub(super) const PAGE: u32 = 50;
/// Most characters of a question.
pub(super) const WORDS: usize = 100;

/// A page of the catalogue.
#[derive(Debug, Clone)]
pub(super) struct Items {
    /// What was found.
    pub(super) found: Found,
    /// How many items the catalogue has.
    pub(super) all: u64,
    /// What is set aside and open.
    pub(super) aside_open: u32,
}

impl Items {
    /// Looks for items; without a question, all of them.
    pub(super) fn read(conn: &Connection, text: &str, page: u32, scope: &Scope) -> rusqlite::Result<Self> {
        let skip = (page - 1).saturating_mul(PAGE);
        let [most, skip] = [PAGE, skip].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        Ok(Self {
            found: catalogue::find(conn, text, most, skip)?,
            all: catalogue::count(conn)?,
            aside_open: aside_open(conn, scope)?.map_or(0, |(count, _)| count),
        })
    }
}
