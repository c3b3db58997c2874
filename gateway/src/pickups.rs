//! A pickup's state, kept in its row: decided anew from the office's word and every fact about it.

use meguri_proto::pickup::{OfficeWord, Said, State, Statement, Verdict, decide, standing};
use meguri_proto::{Epoch, Fact, FactBody, FactId, Reason};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::sql;

/// Every fact about a pickup, as applied.
///
/// # Errors
/// When the store can't be read.
pub fn facts(conn: &Connection, pickup: i64) -> rusqlite::Result<Vec<Said>> {
    let select = "SELECT fact.id, fact.terminal, log.epoch, fact.seq, fact.body
        FROM fact JOIN log ON log.id = fact.log WHERE fact.pickup = ?1";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([pickup], |row| {
        let body: FactBody = sql::json(row, 4)?;
        Ok(Said {
            id: FactId(sql::uuid(row, 0)?),
            terminal: sql::parsed(row, 1)?,
            epoch: Epoch(sql::uuid(row, 2)?),
            seq: sql::seq(row, 3)?,
            at: body.at.best(),
            fact: body.fact,
        })
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
    let statements = statements(tx, pickup)?;
    let Verdict { state, by, contradictions } = decide(office, &statements);
    let by = by.and_then(|id| statements.iter().find(|statement| statement.fact == id));
    let received: Option<i64> = match by {
        Some(by) => tx
            .prepare_cached("SELECT received_at FROM fact WHERE id = ?1")?
            .query_row([by.fact.0.as_bytes().as_slice()], |row| row.get(0))
            .optional()?,
        None => None,
    };
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
        received,
        contradictions,
    ])?;
    Ok(())
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
    }
}
