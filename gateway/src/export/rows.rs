//! A day's pickups with what stands of them, and what each column has of one.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::pickup::{Contradiction, OfficeWord, Result as Outcome};
use meguri_proto::{Digest, Fact, FactBody, Item, Payment, clock};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::Value;
use uuid::Uuid;

use super::profile::{Clock, Column, Source, clock_in, date_in};
use crate::people::Scope;
use crate::pickups::{self, Saying};
use crate::store::{self, sql};

/// Up to where a day's results were written: a number of history in one life of the store.
///
/// It is of one day: what happened to the pickups of another one is not behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The day.
    pub day: Date,
    /// The life of the store that counts so.
    pub incarnation: Uuid,
    /// The last number of history that was seen.
    pub history: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.day, self.incarnation, self.history)
    }
}

impl FromStr for Cursor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.trim().split(':');
            let cursor = Self {
                day: parts.next()?.parse().ok()?,
                incarnation: parts.next()?.parse().ok()?,
                history: parts.next()?.parse().ok().filter(|history| *history >= 0)?,
            };
            parts.next().is_none().then_some(cursor)
        };
        read().ok_or_else(|| "expected a cursor as an export told it: day:incarnation:number".to_owned())
    }
}

/// Why a cursor can't be gone by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It is of another day.
    #[error("the cursor is of {}, not of {day}; each day has a cursor of its own", cursor.day)]
    Day {
        /// The cursor.
        cursor: Cursor,
        /// The day asked for.
        day: Date,
    },
    /// The store counts anew since it was restored.
    #[error(
        "the office was restored from a backup since this cursor was told, and what it counts differs: export the whole day \
         anew, without a cursor, and go on from the one told then"
    )]
    Restored,
    /// The store has not counted that far.
    #[error("the cursor lies beyond what this store holds: is it another store's? Export the whole day anew")]
    Beyond,
}

/// A day's pickups.
#[derive(Debug)]
pub(super) struct Results {
    /// Where the next export begins.
    pub(super) cursor: Cursor,
    pub(super) pickups: Vec<Pickup>,
}

/// One pickup with what stands of it.
#[derive(Debug, Clone)]
pub(super) struct Pickup {
    uid: Uuid,
    source: String,
    source_key: String,
    date: Date,
    district: String,
    ward: String,
    contract: String,
    contractor: String,
    vehicle_id: String,
    vehicle: String,
    round: String,
    stop: i64,
    reception: String,
    payment: Payment,
    rev: i64,
    office: OfficeWord,
    state: String,
    reason: Option<String>,
    terminal: Option<String>,
    said: Option<Said>,
    contradictions: Vec<Contradiction>,
    history: i64,
    changed_at: i64,
    pub(super) items: Vec<ItemLine>,
}

/// When the fact that the state rests on happened, by each clock, and what was written beside it.
#[derive(Debug, Clone)]
struct Said {
    terminal: i64,
    gnss: Option<i64>,
    trusted: Option<i64>,
    best: i64,
    office: i64,
    note: Option<Digest>,
    note_text: Option<String>,
}

/// One item and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemLine {
    number: u32,
    name: String,
    count: u32,
    collected: Option<u32>,
    reason: Option<String>,
}

/// Reads a day's pickups, in the order of rounds and stops: all of them, or those of which the history after `since`
/// tells. `conn` must be in a transaction, so that all is of one moment.
pub(super) fn read(
    conn: &Connection,
    day: Date,
    since: Option<Cursor>,
    scope: &Scope,
) -> rusqlite::Result<Result<Results, CursorError>> {
    let incarnation = store::incarnation(conn)?;
    let history: i64 = conn.query_row("SELECT coalesce(max(id), 0) FROM history", [], |row| row.get(0))?;
    if let Some(cursor) = since {
        let problem = if cursor.day != day {
            Some(CursorError::Day { cursor, day })
        } else if cursor.incarnation != incarnation {
            Some(CursorError::Restored)
        } else {
            (cursor.history > history).then_some(CursorError::Beyond)
        };
        if let Some(problem) = problem {
            return Ok(Err(problem));
        }
    }
    let sees = Scope::sees_pickup("p.", 3);
    let select = format!("SELECT p.uid, p.source, p.source_key, p.date, p.district, p.ward, p.contract,
            coalesce(o.name, p.contract), p.vehicle, coalesce(v.name, p.vehicle), coalesce(v.round, ''), p.stop,
            p.reception, p.payment, p.rev, p.office, p.state, p.reason, p.by_terminal, p.contradictions, p.items,
            h.id, h.at, f.body, f.terminal_at, f.gnss_at, f.trusted_at, f.received_at, p.said_at, p.id,
            (SELECT min(id) FROM history WHERE pickup = p.id AND fact = p.by_fact)
        FROM pickup p
        JOIN history h ON h.id = (SELECT max(id) FROM history WHERE pickup = p.id)
        LEFT JOIN vehicle v ON v.id = p.vehicle
        LEFT JOIN contract c ON c.id = p.contract
        LEFT JOIN contractor o ON o.id = c.contractor
        LEFT JOIN fact f ON f.id = p.by_fact
        WHERE p.date = ?1 AND h.id > ?2 AND {sees}
        ORDER BY p.contract, p.vehicle, p.stop, p.id");
    let mut statement = conn.prepare_cached(&select)?;
    let after = since.map_or(0, |cursor| cursor.history);
    let mut rows = statement.query(params![day.to_string(), after, scope.contractor()])?;
    let mut pickups = Vec::new();
    while let Some(row) = rows.next()? {
        pickups.push(pickup(conn, row)?);
    }
    Ok(Ok(Results { cursor: Cursor { day, incarnation, history }, pickups }))
}

fn pickup(conn: &Connection, row: &Row<'_>) -> rusqlite::Result<Pickup> {
    let date: Date = sql::parsed(row, 3)?;
    let body: Option<String> = row.get(23)?;
    // A body of a later version is told by its state alone.
    let body: Option<FactBody> = body.and_then(|body| serde_json::from_str(&body).ok());
    let result = body.as_ref().and_then(|body| match &body.fact {
        Fact::Outcome(outcome) => Some(&outcome.result),
        Fact::Undo(_) | Fact::Config(_) => None,
    });
    let office: Option<i64> = row.get(27)?;
    let note = result.and_then(|result| match result {
        Outcome::Collected => None,
        Outcome::Partly { note, .. } | Outcome::NotCollected { note, .. } => *note,
    });
    let said = match office {
        None => None,
        Some(office) => Some(Said {
            terminal: row.get(24)?,
            gnss: row.get(25)?,
            trusted: row.get(26)?,
            best: pickups::happened(row.get(28)?, office, date),
            office,
            note,
            note_text: note.map(|note| note_text(conn, note)).transpose()?.flatten(),
        }),
    };
    let (id, heard): (i64, Option<i64>) = (row.get(29)?, row.get(30)?);
    let items: Vec<Item> = match (&said, heard) {
        (Some(said), Some(history)) => {
            pickups::items_then(conn, Saying { pickup: id, history, at: said.best })?
        }
        _ => sql::json(row, 20)?,
    };
    let contradictions: Option<String> = row.get(19)?;
    let state: String = row.get(16)?;
    Ok(Pickup {
        uid: sql::uuid(row, 0)?,
        source: row.get(1)?,
        source_key: row.get(2)?,
        date,
        district: row.get(4)?,
        ward: row.get(5)?,
        contract: row.get(6)?,
        contractor: row.get(7)?,
        vehicle_id: row.get(8)?,
        vehicle: row.get(9)?,
        round: row.get(10)?,
        stop: row.get(11)?,
        reception: row.get(12)?,
        payment: sql::word(row, 13)?,
        rev: row.get(14)?,
        office: sql::json(row, 15)?,
        items: lines(&items, result.filter(|_| said.is_some())),
        state,
        reason: row.get(17)?,
        terminal: row.get(18)?,
        said,
        contradictions: contradictions.map_or(Ok(Vec::new()), |_| sql::json(row, 19))?,
        history: row.get(21)?,
        changed_at: row.get(22)?,
    })
}

fn note_text(conn: &Connection, digest: Digest) -> rusqlite::Result<Option<String>> {
    let select = "SELECT text FROM note WHERE sha256 = ?1";
    conn.prepare_cached(select)?.query_row([digest.0.as_slice()], |row| row.get(0)).optional()
}

/// How each item went, by the result on which the state rests; not known where it rests on none.
fn lines(items: &[Item], result: Option<&Outcome>) -> Vec<ItemLine> {
    let line = |number: u32, name: &str, count: u32| {
        let (collected, reason) = match result {
            None => (None, None),
            Some(Outcome::Collected) => (Some(count), None),
            Some(Outcome::NotCollected { reason, .. }) => (Some(0), Some(*reason)),
            Some(Outcome::Partly { items, .. }) => {
                let said = items.iter().find(|said| said.item.saturating_add(1) == number);
                (said.map(|said| said.collected), said.and_then(|said| said.reason))
            }
        };
        let reason = reason.map(|reason| reason.code().to_owned());
        ItemLine { number, name: name.to_owned(), count, collected, reason }
    };
    let mut lines: Vec<ItemLine> =
        (1..).zip(items).map(|(number, item)| line(number, &item.name, item.count)).collect();
    // Said of an item that the request has not: nothing of it is lost.
    if let Some(Outcome::Partly { items: said, .. }) = result {
        let known = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let beyond = said.iter().filter(|said| said.item >= known);
        lines.extend(beyond.map(|said| line(said.item.saturating_add(1), "", 0)));
    }
    lines
}

impl Pickup {
    /// What a column has of it, before what is done to characters; of `item` on lines of items.
    pub(super) fn value(&self, column: &Column, item: Option<&ItemLine>) -> Result<String, String> {
        let Some(source) = column.source else { return Ok(column.constant.clone().unwrap_or_default()) };
        if source == Source::Contradictions {
            let words = self.contradictions.iter().map(|one| mapped(column, word(one)));
            let words = words.collect::<Result<Vec<_>, _>>()?.join(between(column));
            return Ok(if words.is_empty() { column.default.clone().unwrap_or_default() } else { words });
        }
        let value = mapped(column, self.of(source, column, item)?)?;
        if value.is_empty() {
            return Ok(value);
        }
        Ok("0".repeat(column.pad.saturating_sub(value.chars().count())) + &value)
    }

    fn of(&self, source: Source, column: &Column, item: Option<&ItemLine>) -> Result<String, String> {
        let date = |date| date_in(column.format.as_deref().unwrap_or("%Y-%m-%d"), date);
        let time = |ms: i64| {
            let at: Timestamp = sql::instant(ms);
            clock_in(column.format.as_deref().unwrap_or("%Y-%m-%d %H:%M:%S"), at.to_zoned(clock::japan()))
        };
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        Ok(match source {
            Source::Key => match column.part {
                None => self.source_key.clone(),
                Some(part) => key_parts(&self.source_key).into_iter().nth(part - 1).ok_or_else(|| {
                    format!("part {part} is not there: the keys of {} have fewer", self.source)
                })?,
            },
            Source::System => self.source.clone(),
            Source::Reception => self.reception.clone(),
            Source::Date => date(self.date)?,
            Source::District => self.district.clone(),
            Source::Ward => self.ward.clone(),
            Source::Vehicle => self.vehicle.clone(),
            Source::VehicleId => self.vehicle_id.clone(),
            Source::Round => self.round.clone(),
            Source::Stop => self.stop.to_string(),
            Source::Contractor => self.contractor.clone(),
            Source::Contract => self.contract.clone(),
            Source::Payment => word(&self.payment),
            Source::State => self.state.clone(),
            Source::Reason => text(self.reason.as_deref()),
            Source::RevisitDate => match self.office {
                OfficeWord::Revisit { date: day } if self.state == "revisit" => date(day)?,
                _ => String::new(),
            },
            Source::At => {
                let at = self.said.as_ref().and_then(|said| match column.clock.unwrap_or_default() {
                    Clock::Best => Some(said.best),
                    Clock::Terminal => Some(said.terminal),
                    Clock::Gnss => said.gnss,
                    Clock::Trusted => said.trusted,
                    Clock::Office => Some(said.office),
                });
                at.map(time).transpose()?.unwrap_or_default()
            }
            Source::ChangedAt => time(self.changed_at)?,
            Source::Terminal => text(self.terminal.as_deref()),
            Source::Note => {
                let note = self.said.as_ref().is_some_and(|said| said.note.is_some());
                if note { "yes" } else { "no" }.to_owned()
            }
            Source::NoteText => text(self.said.as_ref().and_then(|said| said.note_text.as_deref())),
            // Value by value, above.
            Source::Contradictions => String::new(),
            Source::Items => {
                let items = self.items.iter().filter(|item| item.count > 0);
                let items = items.map(|item| format!("{}×{}", item.name, item.count));
                items.collect::<Vec<_>>().join(between(column))
            }
            Source::ItemsCollected => {
                let items = self.items.iter().filter_map(|item| item.collected.map(|count| (item, count)));
                let items = items.map(|(item, count)| format!("{}×{count}", item.name));
                items.collect::<Vec<_>>().join(between(column))
            }
            Source::Count => self.items.iter().map(|item| u64::from(item.count)).sum::<u64>().to_string(),
            Source::Collected => {
                let known: Vec<u64> =
                    self.items.iter().filter_map(|item| item.collected).map(u64::from).collect();
                if known.is_empty() { String::new() } else { known.iter().sum::<u64>().to_string() }
            }
            Source::ItemNumber => number(item.map(|item| item.number)),
            Source::ItemName => text(item.map(|item| item.name.as_str())),
            Source::ItemCount => number(item.map(|item| item.count)),
            Source::ItemCollected => number(item.and_then(|item| item.collected)),
            Source::ItemReason => text(item.and_then(|item| item.reason.as_deref())),
            Source::Revision => self.rev.to_string(),
            Source::Cursor => self.history.to_string(),
            Source::Id => self.uid.to_string(),
        })
    }
}

fn between(column: &Column) -> &str {
    column.between.as_deref().unwrap_or("、")
}

/// A value as the column's map has it.
fn mapped(column: &Column, value: String) -> Result<String, String> {
    if let Some(mapped) = column.map.get(&value) {
        return Ok(mapped.clone());
    }
    if value.is_empty() || !column.map.is_empty() {
        return match &column.default {
            Some(default) => Ok(default.clone()),
            None if value.is_empty() => Ok(value),
            None => Err(format!("map lacks {value:?}; name it, or a default")),
        };
    }
    Ok(value)
}

/// The wire's word for it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The parts of a key: joined by `/`; one within a part, and a backslash, stand behind a backslash.
fn key_parts(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        let put = match c {
            '/' => {
                parts.push(String::new());
                continue;
            }
            '\\' => chars.next(),
            c => Some(c),
        };
        if let Some(last) = parts.last_mut() {
            last.extend(put);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use meguri_proto::{ItemResult, Reason};

    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_told() {
        let text = "2026-04-01:00000000-0000-0000-0000-000000000001:412";
        let cursor: Cursor = format!("{text}\n").parse().unwrap();
        assert_eq!((cursor.history, cursor.to_string().as_str()), (412, text));
        for bad in
            ["", "412", "2026-04-01:x:1", &text[..20], &format!("{text}:1"), &text.replace("412", "-1")]
        {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_come_apart_as_they_were_joined() {
        assert_eq!(key_parts("2026-04-01/中区A/0417"), ["2026-04-01", "中区A", "0417"]);
        assert_eq!(key_parts(r"a\/b/c\\/"), ["a/b", r"c\", ""]);
    }

    #[test]
    fn every_item_says_how_it_went() {
        let item =
            |name: &str, count| Item { name: name.to_owned(), count, tickets: Vec::new(), recycling: false };
        let items = [item("自転車", 2), item("布団", 3)];
        let told = |result: Option<Outcome>| -> Vec<(u32, u32, Option<u32>, Option<String>)> {
            let lines = lines(&items, result.as_ref());
            lines.into_iter().map(|line| (line.number, line.count, line.collected, line.reason)).collect()
        };
        assert_eq!(told(None), [(1, 2, None, None), (2, 3, None, None)]);
        assert_eq!(told(Some(Outcome::Collected)), [(1, 2, Some(2), None), (2, 3, Some(3), None)]);
        let not = Outcome::NotCollected { reason: Reason::NotOut, note: None };
        assert_eq!(told(Some(not))[1], (2, 3, Some(0), Some("not_out".to_owned())));
        let said = |item, collected, reason| ItemResult { item, collected, reason };
        let partly = Outcome::Partly {
            items: vec![said(1, 1, Some(Reason::OtherCount)), said(2, 4, None)],
            note: None,
        };
        let expected =
            [(1, 2, None, None), (2, 3, Some(1), Some("other_count".to_owned())), (3, 0, Some(4), None)];
        assert_eq!(told(Some(partly)), expected);
    }
}
