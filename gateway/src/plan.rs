//! The city's plan, taken over into the store, where pickups and terminals refer to it.

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::clock::business_date;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::sql;

/// Takes the plan over. What is gone from the plan stays, since history refers to it. Terminals stay under their
/// contract, as their own settings do, but for those with a signed schedule, which says it; people are told where the vehicle has
/// left it.
///
/// # Errors
/// When the store can't be written.
pub fn take_over(tx: &Connection, now: Timestamp, city: &City) -> rusqlite::Result<()> {
    let upsert = "INSERT INTO contractor (id, name) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2";
    for contractor in &city.contractor {
        tx.execute(upsert, params![contractor.id.as_str(), contractor.name])?;
    }
    let upsert = "INSERT INTO contract (id, contractor, first_day, last_day) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET contractor = ?2, first_day = ?3, last_day = ?4";
    for contract in &city.contract {
        let (from, until) = (contract.from.to_string(), contract.until.to_string());
        tx.execute(upsert, params![contract.id.as_str(), contract.contractor.as_str(), from, until])?;
    }
    let upsert = "INSERT INTO vehicle (id, contract, name, round) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET name = ?3, round = ?4";
    for vehicle in &city.vehicle {
        let (id, contract) = (vehicle.id.as_str(), vehicle.contract.first().as_str());
        tx.execute(upsert, params![id, contract, vehicle.name, vehicle.round])?;
        tx.execute("DELETE FROM vehicle_contract WHERE vehicle = ?1", [id])?;
        for contract in vehicle.contract.iter() {
            tx.execute(
                "INSERT INTO vehicle_contract (vehicle, contract) VALUES (?1, ?2)",
                [id, contract.as_str()],
            )?;
        }
    }
    turn(tx, now)?;
    Ok(())
}

/// Has every vehicle work for its contract of today: where it has none, for the next one, else the last. Tells of terminals that
/// their vehicle leaves behind. Says whether notices changed.
///
/// # Errors
/// When the store can't be written.
pub fn turn(tx: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let update = "UPDATE vehicle SET contract = today.contract FROM (
            SELECT vehicle, contract FROM (
                SELECT vc.vehicle, vc.contract, row_number() OVER (PARTITION BY vc.vehicle ORDER BY
                    ?1 BETWEEN first_day AND last_day DESC, first_day > ?1 DESC,
                    CASE WHEN first_day > ?1 THEN first_day END, last_day DESC) AS place
                FROM vehicle_contract AS vc JOIN contract ON contract.id = vc.contract)
            WHERE place = 1) AS today
        WHERE vehicle.id = today.vehicle AND vehicle.contract <> today.contract";
    tx.execute(update, [business_date(now).to_string()])?;
    tell_of_moved(tx, now)
}

/// The contract that a vehicle works for on a day, by the plan as taken over; none where it has none then.
///
/// # Errors
/// When the store can't be read.
pub fn contract_on(conn: &Connection, vehicle: &str, day: Date) -> rusqlite::Result<Option<String>> {
    let select = "SELECT vc.contract FROM vehicle_contract AS vc JOIN contract ON contract.id = vc.contract
        WHERE vc.vehicle = ?1 AND ?2 BETWEEN first_day AND last_day";
    conn.prepare_cached(select)?.query_row([vehicle, &day.to_string()], |row| row.get(0)).optional()
}

/// Has one notice open for each terminal whose vehicle works for another contract today, and none for others, those kept out, or
/// those whose signed schedule says what they work for. Says whether notices changed.
///
/// # Errors
/// When the store can't be written.
pub fn tell_of_moved(tx: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    const KIND: &str = "contract_moved";
    const MOVED: &str = "SELECT terminal.id AS terminal,
            json_object('vehicle', vehicle.id, 'from', terminal.contract, 'to', vehicle.contract) AS detail
        FROM terminal JOIN vehicle ON vehicle.id = terminal.vehicle
        WHERE terminal.contract <> vehicle.contract AND blocked_at IS NULL AND terminal.schedule IS NULL";
    let settle = format!(
        "UPDATE notice SET settled_at = ?1
        WHERE kind = ?2 AND settled_at IS NULL AND (terminal, detail) NOT IN ({MOVED})"
    );
    let insert = format!(
        "INSERT INTO notice (at, kind, terminal, detail, contract)
        SELECT ?1, ?2, terminal, detail, detail ->> 'from' FROM ({MOVED}) AS moved
        WHERE NOT EXISTS (SELECT 1 FROM notice
            WHERE kind = ?2 AND notice.terminal = moved.terminal AND settled_at IS NULL)"
    );
    let settled = tx.execute(&settle, params![sql::ms(now), KIND])?;
    let told = tx.execute(&insert, params![sql::ms(now), KIND])?;
    Ok(settled + told > 0)
}
