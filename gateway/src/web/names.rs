//! The names of contractors, contracts and vehicles, those that are gone from the plan included.

use std::collections::HashMap;

use rusqlite::Connection;

/// A vehicle's names.
#[derive(Debug, Clone)]
pub(super) struct Vehicle {
    /// Its name, like 3号車.
    pub(super) name: String,
    /// Its round, like 中区A.
    pub(super) round: String,
}

/// All names. A few dozen rows, so they are read whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Contract to the contractor's name.
    contractors: HashMap<String, String>,
    vehicles: HashMap<String, Vehicle>,
    /// Contractor to its name.
    companies: HashMap<String, String>,
}

impl Names {
    /// Reads them.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut contracts = conn.prepare_cached(
            "SELECT contract.id, contractor.name FROM contract JOIN contractor ON contractor.id = contract.contractor",
        )?;
        let mut vehicles = conn.prepare_cached("SELECT id, name, round FROM vehicle")?;
        let mut companies = conn.prepare_cached("SELECT id, name FROM contractor")?;
        Ok(Self {
            companies: companies
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?,
            contractors: contracts
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?,
            vehicles: vehicles
                .query_map([], |row| Ok((row.get(0)?, Vehicle { name: row.get(1)?, round: row.get(2)? })))?
                .collect::<Result<_, _>>()?,
        })
    }

    /// The contractor's name of a contract; the contract's id where it is unknown.
    pub(super) fn contractor<'a>(&'a self, contract: &'a str) -> &'a str {
        self.contractors.get(contract).map_or(contract, String::as_str)
    }

    /// A contractor's name; its id where it is unknown.
    pub(super) fn company<'a>(&'a self, contractor: &'a str) -> &'a str {
        self.companies.get(contractor).map_or(contractor, String::as_str)
    }

    /// A vehicle's name; its id where it is unknown.
    pub(super) fn vehicle<'a>(&'a self, vehicle: &'a str) -> &'a str {
        self.vehicles.get(vehicle).map_or(vehicle, |vehicle| vehicle.name.as_str())
    }

    /// A vehicle's round; empty where it is unknown.
    pub(super) fn round(&self, vehicle: &str) -> &str {
        self.vehicles.get(vehicle).map_or("", |vehicle| vehicle.round.as_str())
    }
}
