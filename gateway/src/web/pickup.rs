//! One pickup as the store has it: what was asked for, what stands, and everything that happened to it.

use std::collections::HashMap;

use jiff::civil::Date;
use meguri_proto::pickup::{Contradiction, OfficeWord, Result as Outcome};
use meguri_proto::{Fact, FactBody, Item, Payment, PickupId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use super::board::{aside_open, contradictions, last_history, note_text};
use super::format;
use super::names::Names;
use super::part::{self, Part};
use super::state::State;
use crate::catalogue;
use crate::people::Scope;
use crate::pickups::Saying;
use crate::store::sql;

/// How many rows of a pickup's history are shown; nobody corrects himself oftener.
const HISTORY_SHOWN: u32 = 200;

/// A pickup.
#[derive(Debug, Clone)]
pub(super) struct Pickup {
    /// Its date.
    pub(super) date: Date,
    /// Its district.
    pub(super) district: String,
    /// Its ward.
    pub(super) ward: String,
    /// Its contract.
    pub(super) contract: String,
    /// Its vehicle.
    pub(super) vehicle: String,
    /// Its place in the round.
    pub(super) stop: u32,
    /// Its reception number.
    pub(super) reception: String,
    /// Its items.
    pub(super) items: Vec<Item>,
    /// Which of them the catalogue knows.
    pub(super) known: Vec<bool>,
    /// How it is paid.
    pub(super) payment: Payment,
    /// What the office has decided.
    pub(super) office: OfficeWord,
    /// Its state.
    pub(super) state: State,
    /// Its reason's code.
    pub(super) reason: Option<String>,
    /// What contradicts.
    pub(super) contradictions: Vec<Contradiction>,
    /// Residents' data as it is now; none where it was erased.
    pub(super) resident: Option<Resident>,
    /// What happened, the first first.
    pub(super) events: Vec<Event>,
    /// Names.
    pub(super) names: Names,
    /// Up to which history row it was read.
    pub(super) history: i64,
    /// What is set aside and open.
    pub(super) aside_open: u32,
    /// The last day of its contract, where it is the contract of whoever looks.
    pub(super) until: Option<Date>,
}

/// Residents' data.
#[derive(Debug, Clone, Default)]
pub(super) struct Resident {
    /// Town.
    pub(super) town: String,
    /// Block and lot.
    pub(super) lot: String,
    /// Building.
    pub(super) building: String,
    /// Placing spot.
    pub(super) spot: String,
    /// What the crew should know.
    pub(super) notice: String,
    /// Latitude and longitude.
    pub(super) position: Option<(f64, f64)>,
}

impl Resident {
    /// A field by its name in history; none for a name that is not known.
    fn field(&self, name: &str) -> Option<String> {
        Some(match name {
            "town" => self.town.clone(),
            "lot" => self.lot.clone(),
            "building" => self.building.clone(),
            "spot" => self.spot.clone(),
            "notice" => self.notice.clone(),
            _ => return None,
        })
    }
}

/// Something that happened to a pickup.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// When the office committed it.
    pub(super) at: i64,
    /// What kind.
    pub(super) kind: String,
    /// What exactly.
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// The office decided or changed something.
    Office {
        /// The imported file.
        file: Option<String>,
        /// Field, old and new value; none where they are not known any more.
        fields: Vec<(String, Option<(String, String)>)>,
        /// Whether it was missing from a file that is the whole day.
        missing: bool,
    },
    /// A terminal said something.
    Field(Box<Said>),
    /// A fact whose body this version can't read.
    Unreadable,
}

/// What a terminal said, and when by each clock.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Which terminal.
    pub(super) terminal: String,
    /// Under which contract.
    pub(super) contract: String,
    /// The whole body.
    pub(super) body: FactBody,
    /// What was collected of which item, where it was a part.
    pub(super) part: Vec<Part>,
    /// When the office received it.
    pub(super) received_at: i64,
    /// What the crew wrote.
    pub(super) note: Note,
}

/// What a crew wrote beside a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing.
    Nothing,
    /// This.
    Text(String),
    /// Its text has not arrived, or was erased.
    Missing,
}

impl Pickup {
    /// Reads a pickup; none where there is no such in scope.
    pub(super) fn read(conn: &Connection, uid: PickupId, scope: &Scope) -> rusqlite::Result<Option<Self>> {
        let select = format!(
            "SELECT id, rev, date, district, ward, contract, vehicle, stop, reception, items, payment,
                office, state, reason, contradictions,
                (SELECT last_day FROM contract WHERE id = pickup.contract AND contractor = ?2)
            FROM pickup WHERE uid = ?1 AND {}",
            Scope::sees_pickup("", 2)
        );
        let mut statement = conn.prepare_cached(&select)?;
        let found = statement
            .query_row(params![uid.0.as_bytes().as_slice(), scope.contractor()], |row| {
                let (id, rev): (i64, i64) = (row.get(0)?, row.get(1)?);
                let revisions = residents(conn, id)?;
                let items: Vec<Item> = sql::json(row, 9)?;
                Ok(Self {
                    known: catalogue::known(conn, items.iter().map(|item| item.name.as_str()))?,
                    items,
                    date: sql::parsed(row, 2)?,
                    district: row.get(3)?,
                    ward: row.get(4)?,
                    contract: row.get(5)?,
                    vehicle: row.get(6)?,
                    stop: row.get(7)?,
                    reception: row.get(8)?,
                    payment: payment(row, 10)?,
                    office: sql::json(row, 11)?,
                    state: State::of_row(row, 12)?,
                    reason: row.get(13)?,
                    contradictions: contradictions(row, 14)?,
                    resident: revisions.get(&rev).cloned(),
                    events: events(conn, id, sql::parsed(row, 2)?, &revisions)?,
                    names: Names::read(conn)?,
                    history: last_history(conn)?,
                    aside_open: aside_open(conn, scope)?.map_or(0, |(count, _)| count),
                    until: row.get::<_, Option<String>>(15)?.and_then(|day| day.parse().ok()),
                })
            })
            .optional()?;
        Ok(found)
    }
}

/// Payment stands in the store as the wire's word, with or without JSON's quotes.
fn payment(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Payment> {
    let word = row.get_ref(column)?.as_str()?.trim_matches('"');
    serde_json::from_value(Value::String(word.to_owned())).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn residents(conn: &Connection, pickup: i64) -> rusqlite::Result<HashMap<i64, Resident>> {
    let select = "SELECT rev, town, lot, building, spot, notice, lat, lng FROM resident WHERE pickup = ?1";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([pickup], |row| {
        let (lat, lng): (Option<f64>, Option<f64>) = (row.get(6)?, row.get(7)?);
        let resident = Resident {
            town: row.get(1)?,
            lot: row.get(2)?,
            building: row.get(3)?,
            spot: row.get(4)?,
            notice: row.get(5)?,
            position: lat.zip(lng),
        };
        Ok((row.get(0)?, resident))
    })?;
    rows.collect()
}

fn events(
    conn: &Connection,
    pickup: i64,
    date: Date,
    revisions: &HashMap<i64, Resident>,
) -> rusqlite::Result<Vec<Event>> {
    let select = "SELECT h.at, h.kind, h.detail, i.file, f.terminal, f.contract, f.body, f.received_at, h.id
        FROM history h LEFT JOIN import i ON i.id = h.import LEFT JOIN fact f ON f.id = h.fact
        WHERE h.pickup = ?1 ORDER BY h.id LIMIT ?2";
    let mut statement = conn.prepare_cached(select)?;
    let mut rows = statement.query(rusqlite::params![pickup, HISTORY_SHOWN])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, kind): (i64, String) = (row.get(0)?, row.get(1)?);
        let terminal: Option<String> = row.get(4)?;
        let what = match terminal {
            None => {
                let detail: Option<String> = row.get(2)?;
                let detail: Value =
                    detail.and_then(|detail| serde_json::from_str(&detail).ok()).unwrap_or_default();
                let missing = detail.get("missing").and_then(Value::as_bool).unwrap_or_default();
                What::Office { file: row.get(3)?, fields: fields(&detail, revisions), missing }
            }
            Some(terminal) => match sql::json::<FactBody>(row, 6) {
                // One record of a later version must not hide all others.
                Err(_) => What::Unreadable,
                Ok(body) => {
                    let received_at = row.get(7)?;
                    let part = match &body.fact {
                        Fact::Outcome(outcome) => match &outcome.result {
                            Outcome::Partly { items, .. } => {
                                let best = body.at.best();
                                let at = format::happened(Some(sql::ms(best)), received_at, date);
                                part::read(conn, Saying { pickup, history: row.get(8)?, at }, items)?
                            }
                            Outcome::Collected | Outcome::NotCollected { .. } => Vec::new(),
                        },
                        Fact::Undo(_) | Fact::Config(_) => Vec::new(),
                    };
                    let digest = match &body.fact {
                        Fact::Outcome(outcome) => match &outcome.result {
                            Outcome::Collected => None,
                            Outcome::Partly { note, .. } | Outcome::NotCollected { note, .. } => *note,
                        },
                        Fact::Undo(_) | Fact::Config(_) => None,
                    };
                    let note = match digest {
                        None => Note::Nothing,
                        Some(digest) => note_text(conn, digest)?.map_or(Note::Missing, Note::Text),
                    };
                    let contract = row.get(5)?;
                    What::Field(Box::new(Said { terminal, contract, body, part, received_at, note }))
                }
            },
        };
        events.push(Event { at, kind, what });
    }
    Ok(events)
}

/// What a change changed: `{"rev":2,"fields":{"vehicle":["a","b"],"lot":null}}`. Residents' fields are named only;
/// their values stand in their own rows, as long as these are kept.
fn fields(detail: &Value, revisions: &HashMap<i64, Resident>) -> Vec<(String, Option<(String, String)>)> {
    let Some(fields) = detail.get("fields").and_then(Value::as_object) else { return Vec::new() };
    let rev = detail.get("rev").and_then(Value::as_i64).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    fields
        .iter()
        .map(|(name, values)| {
            let values = match values.as_array().map(Vec::as_slice) {
                Some([from, to]) => Some((text(from), text(to))),
                _ => revisions
                    .get(&(rev - 1))
                    .and_then(|before| before.field(name))
                    .zip(revisions.get(&rev).and_then(|after| after.field(name))),
            };
            (name.clone(), values)
        })
        .collect()
}
