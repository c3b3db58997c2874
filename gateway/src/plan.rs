//! The city's plan, taken over into the store, where pickups and terminals refer to it.

use meguri_config::City;
use rusqlite::{Connection, params};

/// Takes the plan over. What is gone from the plan stays, since history refers to it.
///
/// # Errors
/// When the store can't be written.
pub fn take_over(tx: &Connection, city: &City) -> rusqlite::Result<()> {
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
        ON CONFLICT (id) DO UPDATE SET contract = ?2, name = ?3, round = ?4";
    for vehicle in &city.vehicle {
        let (id, contract) = (vehicle.id.as_str(), vehicle.contract.as_str());
        tx.execute(upsert, params![id, contract, vehicle.name, vehicle.round])?;
    }
    Ok(())
}
