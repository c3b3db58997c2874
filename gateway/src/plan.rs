//! The city's plan, taken over into the store, where pickups and terminals refer to it.

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::City;
use meguri_proto::clock::business_date;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::schedules;
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
/// are left behind. Says whether notices changed.
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
    tell(tx, now)
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

/// Has one notice open for each terminal that is left behind, and none for others or those kept out. Says whether notices changed.
///
/// # Errors
/// When the store can't be written.
pub fn tell(tx: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    // Its vehicle works for another contract today. Where it has a signed schedule, that says what it works for.
    let moved = "SELECT t.id AS terminal, t.contract AS contract,
            json_object('vehicle', v.id, 'from', t.contract, 'to', v.contract) AS detail
        FROM terminal AS t JOIN vehicle AS v ON v.id = t.vehicle
        WHERE t.contract <> v.contract AND t.blocked_at IS NULL AND t.schedule IS NULL";
    // Its contract is over and no schedule leads it on, so that it gets no list. Not those of above, nor one whose row is yet to
    // follow its schedule, nor one that a switchover under way is yet to offer it to, which counts it.
    let over = format!(
        "SELECT t.id AS terminal, c.id AS contract, json_object('contract', c.id, 'until', c.last_day) AS detail
        FROM terminal AS t JOIN contract AS c ON c.id = t.contract JOIN vehicle AS v ON v.id = t.vehicle
        WHERE c.last_day < {TODAY} AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND (t.contract = v.contract OR t.schedule IS NOT NULL) AND t.position IS {}
            AND NOT EXISTS (SELECT 1 FROM bundle AS b JOIN switchover AS s ON s.release = b.release
                WHERE b.terminal = t.id AND b.offered_at IS NULL AND s.state IN ('pushed', 'cut_over')
                    AND b.version > coalesce((SELECT version FROM bundle WHERE id = t.schedule), 0))",
        schedules::position_at(1)
    );
    // It came, or another tablet came in its place, when its newest configuration was over. Where its contract is over as well, that is
    // told above.
    let expired = format!(
        "SELECT t.id AS terminal, c.id AS contract, json_object('version', b.version) AS detail
        FROM terminal AS t JOIN contract AS c ON c.id = t.contract JOIN bundle AS b ON b.id = {}
        WHERE {} AND c.last_day >= {TODAY} AND t.blocked_at IS NULL AND t.lost_at IS NULL",
        schedules::newest("t.id"),
        schedules::is_over("b", 1)
    );
    let mut changed = keep_told(tx, now, "contract_moved", moved)?;
    changed |= keep_told(tx, now, "contract_over", &over)?;
    changed |= keep_told(tx, now, "config_expired", &expired)?;
    Ok(changed)
}

/// The day in Japan of the instant bound to `?1`.
const TODAY: &str = "date((?1 + 32400000) / 1000, 'unixepoch')";

/// Has one notice of a kind open for each terminal that a query finds, with contract and detail, and none for others. Says whether
/// notices changed.
fn keep_told(tx: &Connection, now: Timestamp, kind: &str, found: &str) -> rusqlite::Result<bool> {
    let settle = format!(
        "UPDATE notice SET settled_at = ?1 WHERE kind = ?2 AND settled_at IS NULL
            AND (terminal, detail) NOT IN (SELECT terminal, detail FROM ({found}))"
    );
    let insert = format!(
        "INSERT INTO notice (at, kind, terminal, detail, contract)
        SELECT ?1, ?2, terminal, detail, contract FROM ({found}) AS found
        WHERE NOT EXISTS (SELECT 1 FROM notice
            WHERE kind = ?2 AND notice.terminal = found.terminal AND settled_at IS NULL)"
    );
    let settled = tx.prepare_cached(&settle)?.execute(params![sql::ms(now), kind])?;
    let told = tx.prepare_cached(&insert)?.execute(params![sql::ms(now), kind])?;
    Ok(settled + told > 0)
}
