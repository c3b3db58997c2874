//! Terminals: made with their credentials, bound to vehicles, kept out.

use std::collections::HashMap;

use jiff::Timestamp;
use meguri_proto::enrol::hex;
use meguri_proto::{CityId, ContractId, ContractorId, Digest, TerminalId, VehicleId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::broker::{Certificate, Credential};
use crate::door::Reached;
use crate::enrol;
use crate::lost;
use crate::plan;
use crate::store::sql;
use crate::touched::Touched;

/// Why a terminal can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// There is one of this name.
    #[error(
        "terminal {0} is there already; a terminal is named once for life: bind it to another vehicle, or choose another name"
    )]
    Exists(TerminalId),
    /// There is none of this name.
    #[error("there is no terminal {0}; `meguri-gateway terminal list` shows them")]
    Unknown(TerminalId),
    /// Another terminal's open code begins alike.
    #[error("the code that was drawn begins like another terminal's; ask for one again")]
    CodeTaken,
    /// The plan has no such vehicle.
    #[error("there is no vehicle {0} in the city's plan; add it to city.toml and start the gateway anew")]
    UnknownVehicle(VehicleId),
    /// The vehicle works under another contract, and whoever binds the terminal has no new settings for it.
    #[error(
        "vehicle {vehicle} works under contract {to}, terminal {terminal} under {from}: bind it with --out DIR, which \
         writes the terminal.toml that it then needs; with the one it has it would find no list"
    )]
    OtherContract {
        /// The terminal.
        terminal: TerminalId,
        /// The vehicle.
        vehicle: VehicleId,
        /// The terminal's contract.
        from: ContractId,
        /// The vehicle's.
        to: ContractId,
    },
    /// The vehicle works under another contract, and the terminal has a signed schedule, which alone can say so.
    #[error(
        "terminal {terminal} has a signed configuration, under contract {from}; vehicle {vehicle} works under {to}. Another \
         contract comes by a signed configuration alone: change the terminal in the configuration's source, then `meguri-config \
         build`, `sign` and `push`. To another vehicle of its own contract it can be bound here"
    )]
    Signed {
        /// The terminal.
        terminal: TerminalId,
        /// The vehicle.
        vehicle: VehicleId,
        /// The terminal's contract.
        from: ContractId,
        /// The vehicle's.
        to: ContractId,
    },
    /// A certificate that can't be this terminal's.
    #[error("the certificate can't be registered: {0}")]
    Certificate(String),
    /// The store can't be read or written.
    #[error("the store can't change terminals: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// What a terminal is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its vehicle.
    pub vehicle: VehicleId,
    /// The vehicle's contract.
    pub contract: ContractId,
    /// The contract's contractor.
    pub contractor: ContractorId,
    /// Whether it comes in by a certificate of the city's own authority, which the gateway does not renew.
    #[serde(default)]
    pub of_city: bool,
}

/// A terminal as listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its vehicle.
    pub vehicle: VehicleId,
    /// The contract it works under.
    pub contract: ContractId,
    /// When it was kept out.
    pub blocked_at: Option<Timestamp>,
    /// Whether it is connected, as last heard.
    pub online: bool,
    /// When it was last heard.
    pub last_heard_at: Option<Timestamp>,
    /// What it runs.
    pub app: Option<String>,
    /// Until when its certificate holds; none where it has not enrolled.
    pub certificate_until: Option<Timestamp>,
    /// Since when it is lost.
    pub lost_at: Option<Timestamp>,
    /// When it said that it is erased.
    pub erased_at: Option<Timestamp>,
}

fn contract_of(conn: &Connection, vehicle: &VehicleId) -> Result<(ContractId, ContractorId), TerminalError> {
    let select = "SELECT contract.id, contract.contractor FROM vehicle
        JOIN contract ON contract.id = vehicle.contract WHERE vehicle.id = ?1";
    conn.query_row(select, [vehicle.as_str()], |row| Ok((sql::parsed(row, 0)?, sql::parsed(row, 1)?)))
        .optional()?
        .ok_or_else(|| TerminalError::UnknownVehicle(vehicle.clone()))
}

/// Makes a terminal that comes in with the secret of this SHA-256 and carries the vehicle's rounds.
///
/// # Errors
/// When there is one of this name, the vehicle is unknown, or the store can't be written.
pub fn add(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
    vehicle: &VehicleId,
    secret_sha256: Digest,
) -> Result<Bound, TerminalError> {
    let (contract, contractor) = contract_of(tx, vehicle)?;
    let insert = "INSERT OR IGNORE INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let rows = tx.execute(
        insert,
        params![
            terminal.as_str(),
            contract.as_str(),
            vehicle.as_str(),
            secret_sha256.0.as_slice(),
            sql::ms(now)
        ],
    )?;
    if rows == 0 {
        return Err(TerminalError::Exists(terminal.clone()));
    }
    touched.terminals.insert(terminal.clone());
    let (terminal, vehicle) = (terminal.clone(), vehicle.clone());
    Ok(Bound { terminal, vehicle, contract, contractor, of_city: false })
}

/// Gives a terminal another secret. A blocked one stays blocked.
///
/// # Errors
/// When the terminal is unknown or the store can't be written.
pub fn renew(tx: &Connection, terminal: &TerminalId, secret_sha256: Digest) -> Result<Bound, TerminalError> {
    let update = "UPDATE terminal SET secret_sha256 = ?2 WHERE id = ?1";
    if tx.execute(update, params![terminal.as_str(), secret_sha256.0.as_slice()])? == 0 {
        return Err(TerminalError::Unknown(terminal.clone()));
    }
    Ok(bound(tx, terminal)?)
}

/// What a terminal is bound to.
///
/// # Errors
/// When there is no such terminal, or the store can't be read.
pub fn bound(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<Bound> {
    // The contract that its lists are of, which the vehicle may have left in the plan meanwhile.
    let select = "SELECT terminal.vehicle, contract.id, contract.contractor,
            EXISTS (SELECT 1 FROM certificate WHERE terminal = ?1 AND ended_at IS NULL AND request = x'')
        FROM terminal
        JOIN contract ON contract.id = terminal.contract WHERE terminal.id = ?1";
    conn.query_row(select, [terminal.as_str()], |row| {
        Ok(Bound {
            terminal: terminal.clone(),
            vehicle: sql::parsed(row, 0)?,
            contract: sql::parsed(row, 1)?,
            contractor: sql::parsed(row, 2)?,
            of_city: row.get(3)?,
        })
    })
}

/// How a terminal reaches the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// By a broker's host and port, with a secret, on a line that is not encrypted.
    Plain(String, u16),
    /// By certificate, over TLS.
    Tls(Reached),
}

/// The name of a terminal's secret, beside its settings.
pub const SECRET: &str = "secret";

/// A terminal's settings (`terminal.toml`).
#[must_use]
pub fn settings(city: &CityId, bound: &Bound, line: &Line) -> String {
    let Bound { terminal, vehicle, contract, contractor, of_city } = bound;
    let broker = match line {
        Line::Plain(host, port) => format!(
            "host = \"{host}\"\nport = {port}\n# Beside this file; for the terminal alone to read.\nsecret_file = \"{SECRET}\"\n"
        ),
        Line::Tls(reached) => format!(
            "host = \"{}\"\nport = {}\n# Its key and certificates, beside this file; for the terminal alone to read.\n\
             identity = \"identity\"\n{}",
            reached.broker_host,
            reached.broker,
            if *of_city {
                "# The city's authority issues them: nobody renews them by itself.\n".to_owned()
            } else {
                format!("# Where it renews them.\noffice = \"{}\"\n", reached.office())
            }
        ),
    };
    format!(
        "# Settings of terminal {terminal}.\nversion = 1\ncity = \"{city}\"\nterminal = \"{terminal}\"\n\
         contractor = \"{contractor}\"\ncontract = \"{contract}\"\nvehicle = \"{vehicle}\"\n\n[broker]\n{broker}"
    )
}

/// Binds a terminal to another vehicle. Its lists of the old one lapse or are replaced. Under another contract it finds
/// its lists only with `new_settings`.
///
/// # Errors
/// When terminal or vehicle are unknown, the vehicle works under another contract and there are no new settings, or the
/// store can't be written.
pub fn bind(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
    vehicle: &VehicleId,
    new_settings: bool,
) -> Result<Bound, TerminalError> {
    let (contract, _) = contract_of(tx, vehicle)?;
    let select = "SELECT contract, schedule IS NOT NULL FROM terminal WHERE id = ?1";
    let from: Option<(ContractId, bool)> = tx
        .query_row(select, [terminal.as_str()], |row| Ok((sql::parsed(row, 0)?, row.get(1)?)))
        .optional()?;
    let (from, signed) = from.ok_or_else(|| TerminalError::Unknown(terminal.clone()))?;
    if from != contract && signed {
        let (terminal, vehicle) = (terminal.clone(), vehicle.clone());
        return Err(TerminalError::Signed { terminal, vehicle, from, to: contract });
    }
    if from != contract && !new_settings {
        let (terminal, vehicle) = (terminal.clone(), vehicle.clone());
        return Err(TerminalError::OtherContract { terminal, vehicle, from, to: contract });
    }
    let update = "UPDATE terminal SET contract = ?2, vehicle = ?3 WHERE id = ?1";
    tx.execute(update, [terminal.as_str(), contract.as_str(), vehicle.as_str()])?;
    touched.notice |= plan::tell(tx, now)?;
    touched.terminals.insert(terminal.clone());
    Ok(bound(tx, terminal)?)
}

/// Keeps a terminal out, or lets it in again: then it is not lost any more, either. Says whether that changed anything.
///
/// # Errors
/// When the terminal is unknown or the store can't be written.
pub fn block(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    terminal: &TerminalId,
    blocked: bool,
) -> Result<bool, TerminalError> {
    let was: Option<bool> = tx
        .query_row(
            "SELECT blocked_at IS NOT NULL OR (lost_at IS NOT NULL AND NOT ?2) FROM terminal WHERE id = ?1",
            params![terminal.as_str(), blocked],
            |row| row.get(0),
        )
        .optional()?;
    if was.ok_or_else(|| TerminalError::Unknown(terminal.clone()))? == blocked {
        return Ok(false);
    }
    let update = "UPDATE terminal SET blocked_at = ?2, online = CASE WHEN ?2 IS NULL THEN online ELSE 0 END,
            lost_at = CASE WHEN ?2 IS NULL THEN NULL ELSE lost_at END,
            erased_at = CASE WHEN ?2 IS NULL THEN NULL ELSE erased_at END
        WHERE id = ?1";
    tx.execute(update, params![terminal.as_str(), blocked.then(|| sql::ms(now))])?;
    if blocked {
        enrol::void_code(tx, terminal)?;
    } else {
        lost::settle(tx, touched, now, terminal)?;
    }
    touched.notice |= plan::tell(tx, now)?;
    touched.terminals.insert(terminal.clone());
    Ok(true)
}

/// Every terminal, by name.
///
/// # Errors
/// When the store can't be read.
pub fn list(conn: &Connection) -> rusqlite::Result<Vec<Listed>> {
    let select = "SELECT id, vehicle, contract, blocked_at, online, last_heard_at, app,
            (SELECT max(not_after) FROM certificate WHERE terminal = terminal.id AND ended_at IS NULL),
            lost_at, erased_at
        FROM terminal ORDER BY id";
    let mut statement = conn.prepare(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Listed {
            terminal: sql::parsed(row, 0)?,
            vehicle: sql::parsed(row, 1)?,
            contract: sql::parsed(row, 2)?,
            blocked_at: row.get::<_, Option<i64>>(3)?.map(sql::instant),
            online: row.get(4)?,
            last_heard_at: row.get::<_, Option<i64>>(5)?.map(sql::instant),
            app: row.get(6)?,
            certificate_until: row.get::<_, Option<i64>>(7)?.map(sql::instant),
            lost_at: row.get::<_, Option<i64>>(8)?.map(sql::instant),
            erased_at: row.get::<_, Option<i64>>(9)?.map(sql::instant),
        })
    })?;
    rows.collect()
}

/// Who may come in, for the embedded broker.
///
/// # Errors
/// When the store can't be read.
pub fn credentials(conn: &Connection) -> rusqlite::Result<Vec<Credential>> {
    let mut certificates: HashMap<TerminalId, Vec<Certificate>> = HashMap::new();
    for (terminal, certificate) in enrol::certificates(conn)? {
        certificates.entry(terminal).or_default().push(certificate);
    }
    let mut statement = conn.prepare("SELECT id, secret_sha256, blocked_at IS NOT NULL FROM terminal")?;
    let rows = statement.query_map([], |row| {
        let terminal: TerminalId = sql::parsed(row, 0)?;
        Ok(Credential {
            secret_sha256: sql::digest(row, 1)?.0,
            certificates: certificates.remove(&terminal).unwrap_or_default(),
            blocked: row.get(2)?,
            terminal,
        })
    })?;
    rows.collect()
}

/// A new secret: 256 bits from the system, as hexadecimal digits.
#[must_use]
pub fn draw_secret() -> String {
    hex(&rand::random::<[u8; 32]>())
}
