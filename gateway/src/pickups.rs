//! A pickup's state, kept in its row: decided anew from the office's word and every fact about it.

use jiff::civil::Date;
use meguri_proto::pickup::{OfficeWord, Said, State, Statement, Verdict, decide, standing};
use meguri_proto::{Epoch, Fact, FactBody, FactId, Item, Reason, clock};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::sql;

/// Every fact about a pickup, as applied.
///
/// # Errors
/// When the store can't be read.
pub fn facts(conn: &Connection, pickup: i64) -> rusqlite::Result<Vec<Said>> {
    Ok(received(conn, pickup)?.into_iter().map(|(said, _)| said).collect())
}

/// Every fact about a pickup, and when it was received.
fn received(conn: &Connection, pickup: i64) -> rusqlite::Result<Vec<(Said, i64)>> {
    let select = "SELECT fact.id, fact.terminal, log.epoch, fact.seq, fact.body, fact.received_at
        FROM history JOIN fact ON fact.id = history.fact JOIN log ON log.id = fact.log WHERE history.pickup = ?1";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([pickup], |row| {
        let body: FactBody = sql::json(row, 4)?;
        let said = Said {
            id: FactId(sql::uuid(row, 0)?),
            terminal: sql::parsed(row, 1)?,
            epoch: Epoch(sql::uuid(row, 2)?),
            seq: sql::seq(row, 3)?,
            at: body.at.best(),
            fact: body.fact,
        };
        Ok((said, row.get(5)?))
    })?;
    rows.collect()
}

/// What every terminal still says of a pickup.
///
/// # Errors
/// When the store can't be read.
pub fn statements(conn: &Connection, pickup: i64) -> rusqlite::Result<Vec<Statement>> {
    Ok(standing(&facts(conn, pickup)?))
}

/// Decides the pickup's state anew and writes it into its row. To be called after every fact about it
/// and every word of the office, in the same transaction.
///
/// # Errors
/// When the store can't be read or written.
pub fn refresh(tx: &Connection, pickup: i64) -> rusqlite::Result<()> {
    let office: OfficeWord = tx
        .prepare_cached("SELECT office FROM pickup WHERE id = ?1")?
        .query_row([pickup], |row| sql::json(row, 0))?;
    refresh_under(tx, pickup, office)
}

/// As [`refresh`], where the office's word is known.
///
/// # Errors
/// As [`refresh`].
pub(crate) fn refresh_under(tx: &Connection, pickup: i64, office: OfficeWord) -> rusqlite::Result<()> {
    let (said, received): (Vec<Said>, Vec<i64>) = received(tx, pickup)?.into_iter().unzip();
    let statements = standing(&said);
    let Verdict { state, by, contradictions } = decide(office, &statements);
    let by = by.and_then(|id| statements.iter().find(|statement| statement.fact == id));
    let received = by.and_then(|by| said.iter().zip(received).find(|(said, _)| said.id == by.fact));
    let contradictions = (!contradictions.is_empty()).then(|| serde_json::json!(contradictions).to_string());
    let update = "UPDATE pickup SET state = ?2, reason = ?3, by_fact = ?4, by_terminal = ?5, said_at = ?6,
        received_at = ?7, contradictions = ?8 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![
        pickup,
        state_code(&state),
        reason(&state, by).map(Reason::code),
        by.map(|by| by.fact.0.as_bytes().to_vec()),
        by.map(|by| by.terminal.as_str()),
        by.map(|by| sql::ms(by.at)),
        received.map(|(_, at)| at),
        contradictions,
    ])?;
    Ok(())
}

/// When something happened, for a person: by the terminal's clock, unless that must be wrong, because it lies after
/// the office's own, or before the day of the pickup. `HAPPENED` of the front page is the same as SQL.
pub(crate) fn happened(said_at: Option<i64>, received_at: i64, date: Date) -> i64 {
    let midnight = |date| sql::ms(clock::midnight(date));
    // What comes before the day of the pickup is held to the day on which it came.
    let first = midnight(date).min(midnight(clock::business_date(sql::instant(received_at))));
    said_at.filter(|said_at| (first..=received_at).contains(said_at)).unwrap_or(received_at)
}

/// When something was said of a pickup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying {
    /// The pickup's row.
    pub(crate) pickup: i64,
    /// The history row of what was said.
    pub(crate) history: i64,
    /// When it happened.
    pub(crate) at: i64,
}

/// A pickup's items then: those before the first change that was committed later, or that stands earlier in history
/// but was made after it happened, since a crew without a line can't have known of it.
pub(crate) fn items_then(conn: &Connection, said: Saying) -> rusqlite::Result<Vec<Item>> {
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

/// The state as the store writes it.
#[must_use]
pub fn state_code(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Collected => "collected",
        State::PartlyCollected => "partly",
        State::NotCollected(_) => "not_collected",
        State::Revisit(_) => "revisit",
        State::Cancelled => "cancelled",
        State::NotReported => "not_reported",
    }
}

/// Why it was not, or only partly, collected: of a part, the first item's reason.
fn reason(state: &State, by: Option<&Statement>) -> Option<Reason> {
    match (state, by.map(|by| &by.result)) {
        (State::NotCollected(reason), _) => Some(*reason),
        (State::PartlyCollected, Some(meguri_proto::pickup::Result::Partly { items, .. })) => {
            items.iter().find_map(|item| item.reason)
        }
        _ => None,
    }
}

/// The kind of history row that a fact makes.
#[must_use]
pub fn history_kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Outcome(_) => "outcome",
        Fact::Undo(_) => "undo",
        // No row of a pickup's history is of one.
        Fact::Config(_) => "config",
    }
}
