//! How all configurations stand, for other systems: no person's name, no telephone number.

use jiff::Timestamp;
use meguri_proto::clock::business_date;
use meguri_proto::{ConfigState, ConfigWhy, ContractId, TerminalId, VehicleId};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Keys, Listed, Release, keys, list, releases};
use crate::people::Scope;
use crate::schedules::said;
use crate::store::sql;

/// All of it, as far as whoever asks sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When, by the office's clock.
    pub at: Timestamp,
    /// The key sets.
    pub keys: Vec<Keys>,
    /// The releases, the newest first; of contractors' tokens none.
    pub releases: Vec<Release>,
    /// The switchovers, the newest first.
    pub switchovers: Vec<Listed>,
    /// The terminals, by name.
    pub terminals: Vec<Terminal>,
}

/// A terminal's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Which.
    pub terminal: TerminalId,
    /// The contract it works under now.
    pub contract: ContractId,
    /// Its vehicle now.
    pub vehicle: VehicleId,
    /// The newest version that it was offered.
    pub offered: Option<u64>,
    /// The newest version that it took.
    pub held: Option<u64>,
    /// What it last said of a configuration.
    pub state: Option<ConfigState>,
    /// Why, where it was refused, reverted or degraded.
    pub why: Option<ConfigWhy>,
    /// When that was received.
    pub since: Option<Timestamp>,
    /// When it was last heard.
    pub last_heard: Option<Timestamp>,
}

/// Reads it.
///
/// # Errors
/// When the store can't be read.
pub fn read(conn: &Connection, scope: &Scope, now: Timestamp) -> rusqlite::Result<Status> {
    let select = format!(
        "SELECT t.id, t.contract, t.vehicle,
            (SELECT max(version) FROM bundle AS b WHERE b.terminal = t.id AND offered_at IS NOT NULL),
            (SELECT max(version) FROM bundle AS b WHERE b.terminal = t.id AND state = 'verified'),
            e.state, e.why, e.received_at, t.last_heard_at
        FROM terminal AS t LEFT JOIN config_event AS e
            ON e.rowid = (SELECT max(rowid) FROM config_event AS n WHERE n.terminal = t.id)
        WHERE t.blocked_at IS NULL AND t.lost_at IS NULL AND {} ORDER BY t.id",
        Scope::sees_working("t.contract", 1, 2)
    );
    let today = business_date(now).to_string();
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map(params![scope.contractor(), today], |row| {
        let version =
            |column: usize| row.get::<_, Option<i64>>(column).map(|version| version.map(i64::unsigned_abs));
        let at = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(sql::instant));
        Ok(Terminal {
            terminal: sql::parsed(row, 0)?,
            contract: sql::parsed(row, 1)?,
            vehicle: sql::parsed(row, 2)?,
            offered: version(3)?,
            held: version(4)?,
            state: said(row, 5)?,
            why: said(row, 6)?,
            since: at(7)?,
            last_heard: at(8)?,
        })
    })?;
    let terminals = rows.collect::<rusqlite::Result<_>>()?;
    let all = scope.is_city();
    Ok(Status {
        at: now,
        keys: keys(conn)?,
        releases: if all { releases(conn)? } else { Vec::new() },
        switchovers: list(conn, scope, now)?,
        terminals,
    })
}
