//! What the store holds of a file's requests, days and rounds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use meguri_proto::Place;
use meguri_proto::pickup::OfficeWord;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::visit::{STOP_BYTES, Visit};
use crate::store::sql;
use crate::touched::Round;

/// A pickup as the store has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) rev: i64,
    pub(super) stop: i64,
    pub(super) office: OfficeWord,
    /// Whether its residents' data was erased.
    pub(super) erased: bool,
    pub(super) visit: Visit,
}

/// A round as the store has it, pickups of every source in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RoundSize {
    pub(super) pickups: i64,
    pub(super) last_stop: i64,
    /// About how many bytes its list takes, the field's statements aside.
    pub(super) bytes: i64,
}

/// All of the store that a plan needs.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Pickups of the source that the file names, or that are on a day which it is the whole of; by key.
    pub(super) pickups: HashMap<String, Stored>,
    /// The rounds of the file's requests.
    pub(super) rounds: BTreeMap<Round, RoundSize>,
}

const SELECT: &str =
    "SELECT source_key, id, pickup.rev, stop, office, date, district, contract, vehicle, reception,
        ward, town, lot, building, spot, notice, lat, lng, items, payment, erased_at IS NOT NULL
    FROM pickup LEFT JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev ";

/// Reads it.
pub(super) fn load<'a>(
    conn: &Connection,
    source: &str,
    keys: impl Iterator<Item = &'a str>,
    days: &BTreeSet<Date>,
    rounds: BTreeSet<Round>,
) -> rusqlite::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut by_day = conn.prepare_cached(&format!("{SELECT} WHERE date = ?1 AND source = ?2"))?;
    for day in days {
        for row in by_day.query_map(params![day.to_string(), source], stored)? {
            let (key, stored) = row?;
            snapshot.pickups.insert(key, stored);
        }
    }
    let mut by_key = conn.prepare_cached(&format!("{SELECT} WHERE source = ?1 AND source_key = ?2"))?;
    for key in keys {
        if snapshot.pickups.contains_key(key) {
            continue;
        }
        if let Some((key, stored)) = by_key.query_row(params![source, key], stored).optional()? {
            snapshot.pickups.insert(key, stored);
        }
    }
    for round in rounds {
        let size = size(conn, &round)?;
        snapshot.rounds.insert(round, size);
    }
    Ok(snapshot)
}

/// A request's pickup as the store has it now.
pub(super) fn one(conn: &Connection, source: &str, key: &str) -> rusqlite::Result<Option<Stored>> {
    conn.prepare_cached(&format!("{SELECT} WHERE source = ?1 AND source_key = ?2"))?
        .query_row(params![source, key], |row| Ok(stored(row)?.1))
        .optional()
}

/// A pickup by its number.
pub(super) fn by_id(conn: &Connection, id: i64) -> rusqlite::Result<Option<Stored>> {
    conn.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?
        .query_row([id], |row| Ok(stored(row)?.1))
        .optional()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<(String, Stored)> {
    let text = |column: usize| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
    let visit = Visit {
        date: sql::parsed(row, 5)?,
        district: row.get(6)?,
        contract: sql::parsed(row, 7)?,
        vehicle: sql::parsed(row, 8)?,
        reception: row.get(9)?,
        place: Place {
            ward: row.get(10)?,
            town: text(11)?,
            lot: text(12)?,
            building: text(13)?,
            spot: text(14)?,
            notice: text(15)?,
            position: row.get::<_, Option<f64>>(16)?.zip(row.get(17)?),
        },
        items: sql::json(row, 18)?,
        payment: sql::word(row, 19)?,
    };
    let stored = Stored {
        id: row.get(1)?,
        rev: row.get(2)?,
        stop: row.get(3)?,
        office: sql::json(row, 4)?,
        erased: row.get(20)?,
        visit,
    };
    Ok((row.get(0)?, stored))
}

fn size(conn: &Connection, round: &Round) -> rusqlite::Result<RoundSize> {
    // Bytes as JSON, as [`Visit::bytes`] counts them; an erased resident takes none.
    let select = "SELECT count(*), coalesce(max(stop), 0), coalesce(sum(octet_length(items)
            + octet_length(json_quote(reception)) + octet_length(json_quote(ward)) + coalesce(
                octet_length(json_quote(town)) + octet_length(json_quote(lot)) + octet_length(json_quote(building))
                + octet_length(json_quote(spot)) + octet_length(json_quote(notice)), 0)), 0)
        FROM pickup LEFT JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev
        WHERE date = ?1 AND contract = ?2 AND vehicle = ?3";
    // A small constant.
    let stop_bytes = STOP_BYTES as i64;
    let of = params![round.date.to_string(), round.contract.as_str(), round.vehicle.as_str()];
    conn.prepare_cached(select)?.query_row(of, |row| {
        let pickups: i64 = row.get(0)?;
        let texts: i64 = row.get(2)?;
        Ok(RoundSize { pickups, last_stop: row.get(1)?, bytes: texts + pickups * stop_bytes })
    })
}
