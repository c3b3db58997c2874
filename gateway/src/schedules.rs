//! Terminals' signed schedules: what is offered to each, what it said of it, and whom it works for on a day.
//!
//! A terminal's schedule is the newest bundle that it was offered; where it refused that, the newest one that it took. What it is bound
//! to in its own row follows the schedule at each instant; in between a person may bind it to another vehicle of the same contract.

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::{KeySet, Refused};
use meguri_proto::clock::{business_date, midnight};
use meguri_proto::{
    CityId, ConfigChange, ConfigState, ConfigWhy, ContractId, Digest, Fact, FactBody, TerminalId, VehicleId,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::plan;
use crate::store::sql;
use crate::touched::Touched;

/// The position of the configuration that holds at the instant bound to `?{number}` in the schedule of a terminal `t`; NULL before
/// the first, where the terminal stays what it is.
#[must_use]
pub(crate) fn position_at(number: u8) -> String {
    format!(
        "(SELECT max(x.position) FROM schedule AS x
            WHERE x.bundle = t.schedule AND (x.from_at IS NULL OR x.from_at <= ?{number}))"
    )
}

/// The id of the newest bundle that `terminal` was offered, a column or parameter; NULL where it was offered none.
#[must_use]
pub(crate) fn newest(terminal: &str) -> String {
    format!(
        "(SELECT n.id FROM bundle AS n WHERE n.terminal = {terminal} AND n.offered_at IS NOT NULL
            ORDER BY n.version DESC LIMIT 1)"
    )
}

/// A condition that holds for a bundle `b` that its terminal refuses as expired, and that is over at the instant bound to `?{number}`:
/// it never takes that one.
#[must_use]
pub(crate) fn is_over(b: &str, number: u8) -> String {
    format!(
        "({b}.state IS 'refused' AND {b}.why IS 'expired'
            AND EXISTS (SELECT 1 FROM release AS r WHERE r.id = {b}.release AND r.expires <= ?{number}))"
    )
}

/// The instant that says what holds on a day: its beginning, or now where that is later.
pub(crate) fn instant_of(day: Date, now: Timestamp) -> Timestamp {
    midnight(day).max(now)
}

/// A word of the wire as the store keeps it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A word of the store that may be none.
pub(crate) fn said<T: DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    row.get::<_, Option<String>>(column)?.map(|_| sql::word(row, column)).transpose()
}

/// What a terminal works under on a day: contract and vehicle. None where there is no such terminal.
///
/// # Errors
/// When the store can't be read.
pub fn works(
    conn: &Connection,
    terminal: &TerminalId,
    day: Date,
    now: Timestamp,
) -> rusqlite::Result<Option<(ContractId, VehicleId)>> {
    // Up to its next instant the terminal's own row says it.
    let select = format!(
        "SELECT coalesce(s.contract, t.contract), coalesce(s.vehicle, t.vehicle) FROM terminal AS t
        LEFT JOIN schedule AS s ON s.bundle = t.schedule AND s.position = {} AND s.position IS NOT t.position
        WHERE t.id = ?1",
        position_at(2)
    );
    let instant = sql::ms(instant_of(day, now));
    conn.prepare_cached(&select)?
        .query_row(params![terminal.as_str(), instant], |row| {
            Ok((sql::parsed(row, 0)?, sql::parsed(row, 1)?))
        })
        .optional()
}

/// The terminals that carry a vehicle's round of a contract on a day and are neither blocked nor lost.
///
/// # Errors
/// When the store can't be read.
pub fn carriers(
    conn: &Connection,
    (contract, vehicle): (&ContractId, &VehicleId),
    day: Date,
    now: Timestamp,
) -> rusqlite::Result<Vec<TerminalId>> {
    let at = position_at(3);
    let select = format!(
        "SELECT t.id FROM terminal AS t WHERE t.contract = ?1 AND t.vehicle = ?2
            AND (t.schedule IS NULL OR t.position IS {at}) AND t.blocked_at IS NULL AND t.lost_at IS NULL
        UNION SELECT t.id FROM schedule AS s JOIN terminal AS t ON t.schedule = s.bundle
            WHERE s.contract = ?1 AND s.vehicle = ?2 AND s.position IS NOT t.position AND s.position = {at}
                AND t.blocked_at IS NULL AND t.lost_at IS NULL"
    );
    let instant = sql::ms(instant_of(day, now));
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement
        .query_map(params![contract.as_str(), vehicle.as_str(), instant], |row| sql::parsed(row, 0))?;
    rows.collect()
}

/// The contracts that a terminal's schedule names for later than now, and that are not the one of now.
///
/// # Errors
/// When the store can't be read.
pub fn coming(conn: &Connection, terminal: &TerminalId, now: Timestamp) -> rusqlite::Result<Vec<ContractId>> {
    let Some((contract, _)) = works(conn, terminal, business_date(now), now)? else {
        return Ok(Vec::new());
    };
    let select = "SELECT DISTINCT s.contract FROM terminal AS t JOIN schedule AS s ON s.bundle = t.schedule
        WHERE t.id = ?1 AND s.from_at > ?2 AND s.contract <> ?3 ORDER BY 1";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement
        .query_map(params![terminal.as_str(), sql::ms(now), contract.as_str()], |row| sql::parsed(row, 0))?;
    rows.collect()
}

/// Whether a bundle that a terminal was offered, or said to have, ever named a contract for it.
///
/// # Errors
/// When the store can't be read.
pub fn ever_named(conn: &Connection, terminal: &TerminalId, contract: &ContractId) -> rusqlite::Result<bool> {
    // Also what it was under when a bundle came: where that moved it and it refused it, what it wrote meanwhile is of both.
    let select = "SELECT 1 FROM bundle WHERE terminal = ?1 AND offered_at IS NOT NULL AND (from_contract = ?2
        OR EXISTS (SELECT 1 FROM schedule WHERE schedule.bundle = bundle.id AND schedule.contract = ?2))";
    conn.prepare_cached(select)?.exists([terminal.as_str(), contract.as_str()])
}

/// The envelope of the newest bundle that a terminal was offered: the body of its document `config`. What was withdrawn meanwhile is
/// given to nobody who comes late: the newer one that it was withdrawn by takes its place, also where it is about to be offered. What
/// the terminal would refuse because it is over is not given, nor anything older.
///
/// # Errors
/// When the store can't be read.
pub fn offered(conn: &Connection, terminal: &TerminalId, now: Timestamp) -> rusqlite::Result<Option<String>> {
    let select = format!(
        "SELECT CASE WHEN NOT {} THEN envelope END FROM bundle AS b JOIN bundle_body ON bundle_body.bundle = b.id
        LEFT JOIN switchover AS s ON s.release = b.release
        WHERE terminal = ?1 AND s.state IS NOT 'withdrawn' AND (offered_at IS NOT NULL
            OR EXISTS (SELECT 1 FROM switchover AS w WHERE w.state = 'withdrawn' AND w.withdrawn_by = s.id))
        ORDER BY version DESC LIMIT 1",
        is_over("b", 2)
    );
    let envelope = conn
        .prepare_cached(&select)?
        .query_row(params![terminal.as_str(), sql::ms(now)], |row| row.get(0))
        .optional()?;
    Ok(envelope.flatten())
}

/// The body of the document `keys`: every key set so far. None where there is none yet, and none before people have pushed something: a
/// terminal believes the first set that it is sent, so it is sent none before two people have seen its fingerprint.
///
/// # Errors
/// When the store can't be read.
pub fn keys(conn: &Connection) -> rusqlite::Result<Option<String>> {
    if !conn.prepare_cached("SELECT 1 FROM switchover WHERE part > 0")?.exists([])? {
        return Ok(None);
    }
    let sets = envelopes(conn)?;
    // Each is an envelope that was read: JSON.
    Ok((!sets.is_empty()).then(|| format!(r#"{{"v":1,"sets":[{}]}}"#, sets.join(","))))
}

/// The fingerprint of a key set in a column with its envelope.
///
/// # Errors
/// When there is none.
pub fn fingerprint(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let envelope = row.get_ref(column)?.as_bytes()?;
    KeySet::fingerprint(envelope).map_err(|refused| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, refused.into())
    })
}

/// Has the document `keys` of every terminal looked after.
///
/// # Errors
/// When the store can't be read.
pub fn keys_to_all(conn: &Connection, touched: &mut Touched) -> rusqlite::Result<()> {
    let mut all = conn.prepare("SELECT id FROM terminal WHERE blocked_at IS NULL AND lost_at IS NULL")?;
    for terminal in all.query_map([], |row| sql::parsed(row, 0))? {
        touched.standing.insert(terminal?);
    }
    Ok(())
}

fn envelopes(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT envelope FROM key_set ORDER BY version")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The key set that is held, followed anew from the first one; none where there is none yet.
///
/// # Errors
/// When the store can't be read; within, where what it holds does not follow.
pub fn held_keys(conn: &Connection, city: &CityId) -> rusqlite::Result<Result<Option<KeySet>, Refused>> {
    let sets = envelopes(conn)?;
    Ok(KeySet::follow(None, sets.iter().map(String::as_bytes), city))
}

/// Has a terminal's row follow its schedule as it is at `now`. Says whether anything of it changed.
///
/// # Errors
/// When the store can't be written.
pub fn follow(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let select = format!(
        "SELECT s.position, s.contract, s.vehicle FROM terminal AS t
        JOIN schedule AS s ON s.bundle = t.schedule AND s.position = {}
        WHERE t.id = ?1 AND s.position IS NOT t.position",
        position_at(2)
    );
    let due: Option<(i64, String, String)> = tx
        .prepare_cached(&select)?
        .query_row(params![terminal.as_str(), sql::ms(now)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((position, contract, vehicle)) = due else { return Ok(false) };
    let update = "UPDATE terminal SET position = ?2, contract = ?3, vehicle = ?4 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![terminal.as_str(), position, contract, vehicle])?;
    touched.terminals.insert(terminal.clone());
    Ok(true)
}

/// Terminals whose row has not followed their schedule yet, as it is at `now`.
///
/// # Errors
/// When the store can't be read.
pub fn to_follow(conn: &Connection, now: Timestamp, most: usize) -> rusqlite::Result<Vec<TerminalId>> {
    let select = format!(
        "SELECT t.id FROM terminal AS t WHERE t.schedule IS NOT NULL AND t.position IS NOT {} LIMIT ?2",
        position_at(1)
    );
    let mut statement = conn.prepare_cached(&select)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    statement.query_map(params![sql::ms(now), most], |row| sql::parsed(row, 0))?.collect()
}

/// Binds a terminal to the newest schedule that it was offered, or took where it refused that, and has its row follow it.
fn bind(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if rebind(tx, touched, terminal)? {
        follow(tx, touched, terminal, now)?;
    }
    Ok(())
}

/// As [`bind`], but for its row, which follows with the next look at what is due. Says whether it is another schedule.
fn rebind(tx: &Connection, touched: &mut Touched, terminal: &TerminalId) -> rusqlite::Result<bool> {
    // Whoever refuses one is given no older one any more: of those it has what it took, and no other.
    let select =
        "SELECT id FROM bundle AS b WHERE terminal = ?1 AND offered_at IS NOT NULL AND state IS NOT 'refused'
            AND (state IS 'verified' OR NOT EXISTS (SELECT 1 FROM bundle AS n WHERE n.terminal = b.terminal
                AND n.version > b.version AND n.offered_at IS NOT NULL AND n.state IS 'refused'))
        ORDER BY version DESC LIMIT 1";
    let newest: Option<i64> =
        tx.prepare_cached(select)?.query_row([terminal.as_str()], |row| row.get(0)).optional()?;
    // What the schedule that it leaves made of its row, and what it was before; nothing where that did not move it: within a contract a
    // person may have bound it anew.
    let moved = "SELECT b.from_contract, b.from_vehicle FROM terminal AS t JOIN bundle AS b ON b.id = t.schedule
        JOIN schedule AS s ON s.bundle = b.id AND s.position = t.position
        WHERE t.id = ?1 AND b.state IS 'refused' AND (s.contract <> b.from_contract OR s.vehicle <> b.from_vehicle)";
    let before: Option<(String, String)> = tx
        .prepare_cached(moved)?
        .query_row([terminal.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let update = "UPDATE terminal SET schedule = ?2, position = NULL WHERE id = ?1 AND schedule IS NOT ?2";
    if tx.prepare_cached(update)?.execute(params![terminal.as_str(), newest])? == 0 {
        return Ok(false);
    }
    if let Some((contract, vehicle)) = before {
        let back = "UPDATE terminal SET contract = ?2, vehicle = ?3 WHERE id = ?1";
        tx.prepare_cached(back)?.execute(params![terminal.as_str(), contract, vehicle])?;
    }
    touched.terminals.insert(terminal.clone());
    touched.scheduled.insert(terminal.clone());
    Ok(true)
}

/// A tablet takes a terminal's place: what the one before said of its bundles does not hold of this one, which is offered anew whatever
/// that one was. What is over by now it would refuse: that is not offered, and people are told.
///
/// # Errors
/// When the store can't be written.
pub fn enrolled(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let unsaid = "UPDATE schedule SET state = NULL, why = NULL, detail = NULL, said_at = NULL
        WHERE bundle IN (SELECT id FROM bundle WHERE terminal = ?1)";
    tx.prepare_cached(unsaid)?.execute([terminal.as_str()])?;
    let unsaid =
        "UPDATE bundle SET state = NULL, why = NULL, detail = NULL, said_at = NULL WHERE terminal = ?1";
    tx.prepare_cached(unsaid)?.execute([terminal.as_str()])?;
    // It is enrolled as what the row says now. Where it refuses the bundle it stays that, and not what the one before was.
    let newest = newest("?1");
    let from = format!(
        "UPDATE bundle SET from_contract = t.contract, from_vehicle = t.vehicle FROM terminal AS t
        WHERE bundle.id = {newest} AND t.id = ?1"
    );
    tx.prepare_cached(&from)?.execute([terminal.as_str()])?;
    let over = format!(
        "UPDATE bundle SET state = 'refused', why = 'expired'
        WHERE id = {newest} AND release IN (SELECT id FROM release WHERE expires <= ?2)"
    );
    tx.prepare_cached(&over)?.execute(params![terminal.as_str(), sql::ms(now)])?;
    touched.standing.insert(terminal.clone());
    (touched.presence, touched.configurations) = (true, true);
    rebind(tx, touched, terminal)?;
    touched.notice |= plan::tell(tx, now)?;
    Ok(())
}

/// Offers a bundle to its terminal.
///
/// # Errors
/// When the store can't be written.
pub fn offer(tx: &Connection, touched: &mut Touched, bundle: i64, now: Timestamp) -> rusqlite::Result<()> {
    let update = "UPDATE bundle SET offered_at = ?2 WHERE id = ?1 AND offered_at IS NULL RETURNING terminal";
    let terminal: Option<TerminalId> = tx
        .prepare_cached(update)?
        .query_row(params![bundle, sql::ms(now)], |row| sql::parsed(row, 0))
        .optional()?;
    if let Some(terminal) = terminal {
        // Also where it is bound to a newer one already: it was given this one, too.
        touched.standing.insert(terminal.clone());
        bind(tx, touched, &terminal, now)?;
    }
    Ok(())
}

/// Takes what a terminal says of a configuration. Of a bundle that the office does not know nothing follows, but people are told where the
/// terminal works by it.
///
/// # Errors
/// When the store can't be written.
pub fn take(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    change: &ConfigChange,
    now: Timestamp,
) -> rusqlite::Result<()> {
    take_said(tx, touched, terminal, change, now, now)
}

/// Takes over what a terminal said of a bundle before it came here: by a USB stick, or to an office whose store is put back from before.
///
/// # Errors
/// When the store can't be read or written.
pub fn take_over(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    bundle: Digest,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let select =
        "SELECT body, received_at FROM config_event WHERE terminal = ?1 AND digest = ?2 ORDER BY rowid";
    let said: Vec<(FactBody, i64)> = tx
        .prepare_cached(select)?
        .query_map(params![terminal.as_str(), bundle.0.as_slice()], |row| {
            Ok((sql::json(row, 0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (body, at) in &said {
        if let Fact::Config(change) = &body.fact {
            take_said(tx, touched, terminal, change, sql::instant(*at), now)?;
        }
    }
    Ok(())
}

fn take_said(
    tx: &Connection,
    touched: &mut Touched,
    terminal: &TerminalId,
    change: &ConfigChange,
    said_at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    touched.configurations = true;
    touched.presence = true;
    let select = "SELECT bundle.id, offered_at IS NULL, bundle.state FROM bundle JOIN release ON release.id = bundle.release
        WHERE terminal = ?1 AND digest = ?2 AND release.state = 'taken'";
    let found: Option<(i64, bool, Option<String>)> = tx
        .prepare_cached(select)?
        .query_row(params![terminal.as_str(), change.bundle.0.as_slice()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((bundle, unoffered, state)) = found else {
        if change.state != ConfigState::Refused {
            let detail = json!({ "version": change.version, "bundle": change.bundle });
            touched.notice |= sql::notice(tx, now, "config_unknown", Some(terminal), &detail)?;
        }
        return Ok(());
    };
    let why = change.why.as_ref().map(word);
    let detail = (!change.detail.is_empty()).then_some(change.detail.as_str());
    let whole = match change.state {
        ConfigState::Refused => "refused",
        _ => "verified",
    };
    let of_whole = change.contract.is_none() || change.state == ConfigState::Refused;
    if whole == "verified" {
        let settle = "UPDATE notice SET settled_at = ?3
            WHERE kind = 'config_unknown' AND terminal = ?1 AND detail ->> 'version' <= ?2 AND settled_at IS NULL";
        let version = sql::number(change.version);
        let settled =
            tx.prepare_cached(settle)?.execute(params![terminal.as_str(), version, sql::ms(now)])?;
        touched.notice |= settled > 0;
    }
    // A stick that is plugged in again has it refused as one that is held already: it stays taken. Whatever else it is refused for is of a
    // tablet that does not hold it.
    let stays = state.as_deref() == Some("verified")
        && (whole == "verified" || change.why == Some(ConfigWhy::OldVersion));
    if !stays && (of_whole || state.is_none() || whole == "verified") {
        let update = "UPDATE bundle SET state = ?2, why = ?3, detail = ?4, said_at = ?5 WHERE id = ?1";
        let (why, detail) = if whole == "refused" { (why.as_deref(), detail) } else { (None, None) };
        tx.prepare_cached(update)?.execute(params![bundle, whole, why, detail, sql::ms(said_at)])?;
    }
    if let (false, Some(contract)) = (change.state == ConfigState::Refused, &change.contract) {
        let update = "UPDATE schedule SET state = ?4, why = ?5, detail = ?6, said_at = ?7
            WHERE bundle = ?1 AND contract = ?2 AND from_at IS ?3";
        tx.prepare_cached(update)?.execute(params![
            bundle,
            contract.as_str(),
            change.effective_at.map(sql::ms),
            word(&change.state),
            why,
            detail,
            sql::ms(said_at)
        ])?;
    }
    if unoffered && whole == "verified" {
        // It came another way, from a USB stick: it is known to be there.
        offer(tx, touched, bundle, now)?;
    }
    bind(tx, touched, terminal, now)
}

/// Whether a terminal said that it took this very bundle.
///
/// # Errors
/// When the store can't be read.
pub fn said_to_have(
    conn: &Connection,
    terminal: &TerminalId,
    version: u64,
    bundle: Digest,
) -> rusqlite::Result<bool> {
    let select = "SELECT 1 FROM config_event
        WHERE terminal = ?1 AND digest = ?2 AND version = ?3 AND state <> 'refused'";
    let said = params![terminal.as_str(), bundle.0.as_slice(), sql::number(version)];
    conn.prepare_cached(select)?.exists(said)
}

/// The highest version that a terminal was sent, or said that it took.
///
/// # Errors
/// When the store can't be read.
pub fn highest(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<u64> {
    let select = "SELECT max(
            coalesce((SELECT max(bundle.version) FROM bundle JOIN release ON release.id = bundle.release
                WHERE terminal = ?1 AND release.state = 'taken'), 0),
            coalesce((SELECT max(version) FROM config_event WHERE terminal = ?1 AND state <> 'refused'), 0))";
    conn.prepare_cached(select)?.query_row([terminal.as_str()], |row| sql::seq(row, 0))
}

/// Something that a terminal said of a configuration, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Event {
    /// When it was received.
    pub received_at: Timestamp,
    /// When it happened, by the terminal's best clock.
    pub at: Timestamp,
    /// Version of the bundle; 0 where the terminal could not read it.
    pub version: u64,
    /// Whether the office knows the bundle.
    pub known: bool,
    /// SHA-256 of the bundle as it came.
    pub bundle: Digest,
    /// Where it has come to.
    pub state: ConfigState,
    /// The contract that is spoken of.
    pub contract: Option<ContractId>,
    /// Its instant.
    pub effective_at: Option<Timestamp>,
    /// Why.
    pub why: Option<ConfigWhy>,
    /// More of why.
    pub detail: String,
}

/// What a terminal said of its configurations, the newest first.
///
/// # Errors
/// When the store can't be read.
pub fn events(conn: &Connection, terminal: &TerminalId, most: u32) -> rusqlite::Result<Vec<Event>> {
    let select = "SELECT received_at, coalesce(trusted_at, gnss_at, terminal_at), e.version, e.digest, e.state, contract,
            effective_at, e.why, e.detail,
            EXISTS (SELECT 1 FROM bundle AS b WHERE b.terminal = e.terminal AND b.digest = e.digest)
        FROM config_event AS e WHERE e.terminal = ?1 ORDER BY e.rowid DESC LIMIT ?2";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map(params![terminal.as_str(), most], |row| {
        Ok(Event {
            received_at: sql::instant(row.get(0)?),
            at: sql::instant(row.get(1)?),
            version: sql::seq(row, 2)?,
            bundle: sql::digest(row, 3)?,
            state: sql::word(row, 4)?,
            contract: row.get::<_, Option<String>>(5)?.map(|_| sql::parsed(row, 5)).transpose()?,
            effective_at: row.get::<_, Option<i64>>(6)?.map(sql::instant),
            why: said(row, 7)?,
            detail: row.get(8)?,
            known: row.get(9)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        assert_eq!(word(&ConfigState::Activated), "activated");
        assert_eq!(word(&ConfigWhy::BrokerUnreachable), "broker_unreachable");
    }
}
