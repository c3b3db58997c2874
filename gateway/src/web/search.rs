//! Pickups by reception number. Numbers repeat across days and districts, so there may be many.

use jiff::civil::Date;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::board::aside_open;
use super::names::Names;
use super::state::State;
use crate::people::Scope;
use crate::store::sql;

/// How many hits are listed.
pub(super) const SHOWN: u32 = 100;

/// What was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The hits, the newest day first.
    pub(super) hits: Vec<Hit>,
    /// Names.
    pub(super) names: Names,
    /// What is set aside and open.
    pub(super) aside_open: u32,
}

/// One hit.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    /// The pickup.
    pub(super) uid: Uuid,
    /// Its reception number.
    pub(super) reception: String,
    /// Its date.
    pub(super) date: Date,
    /// Its district.
    pub(super) district: String,
    /// Its town; none where it was erased.
    pub(super) town: Option<String>,
    /// Its contract.
    pub(super) contract: String,
    /// Its vehicle.
    pub(super) vehicle: String,
    /// Its state.
    pub(super) state: State,
    /// Its reason's code.
    pub(super) reason: Option<String>,
}

/// Looks for a number; `417` finds `0417`, too.
pub(super) fn read(
    conn: &Connection,
    number: Option<&str>,
    day: Option<Date>,
    scope: &Scope,
) -> rusqlite::Result<Found> {
    let hits = number.map(|number| hits(conn, number, day, scope)).transpose()?.unwrap_or_default();
    let aside_open = aside_open(conn, scope)?.map_or(0, |(count, _)| count);
    Ok(Found { hits, names: Names::read(conn)?, aside_open })
}

fn hits(conn: &Connection, number: &str, day: Option<Date>, scope: &Scope) -> rusqlite::Result<Vec<Hit>> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let padded = if digits { format!("{number:0>4}") } else { number.to_owned() };
    let (from, until) = match day {
        Some(day) => (day.to_string(), day.to_string()),
        None => (String::new(), "9999".to_owned()),
    };
    let select = format!(
        "SELECT p.uid, p.reception, p.date, p.district, r.town, p.contract, p.vehicle, p.state, p.reason
        FROM pickup p LEFT JOIN resident r ON r.pickup = p.id AND r.rev = p.rev
        WHERE p.reception IN (?1, ?2) AND p.date BETWEEN ?3 AND ?4 AND {}
        ORDER BY p.date DESC, p.district, p.id LIMIT ?5",
        Scope::sees_pickup("p.", 6)
    );
    let mut statement = conn.prepare_cached(&select)?;
    let rows =
        statement.query_map(params![number, padded, from, until, SHOWN, scope.contractor()], |row| {
            Ok(Hit {
                uid: sql::uuid(row, 0)?,
                reception: row.get(1)?,
                date: sql::parsed(row, 2)?,
                district: row.get(3)?,
                town: row.get(4)?,
                contract: row.get(5)?,
                vehicle: row.get(6)?,
                state: State::of_row(row, 7)?,
                reason: row.get(8)?,
            })
        })?;
    rows.collect()
}
