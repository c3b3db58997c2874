//! What stands in a switchover's way, or should be known before somebody approves it. Each finding is one query.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use meguri_config::bundle::{BUNDLE_BYTES, BUNDLE_TYPE};
use meguri_config::dsse::Envelope;
use meguri_config::{Bundle, KeySet};
use meguri_proto::clock::business_date;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};
use serde::{Deserialize, Serialize};

use super::{Kind, SwitchoverError};
use crate::schedules;
use crate::store::sql;
use crate::touched::Touched;

/// How many terminals or other ids a finding names.
pub(super) const NAMED: usize = 50;
/// A terminal that was not heard for so long is told of.
const SILENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should know.
    Warning,
    /// It can't be approved or pushed like this.
    Error,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Its instant is over.
    InstantPast,
    /// Terminals don't accept it any more.
    Expired,
    /// Terminals that come late can't accept it any more at its instant.
    ExpiresBeforeInstant,
    /// The key set is over, which is an error, or will be at the instant.
    KeysExpire,
    /// By the newest key set too few of those who signed it count: terminals get that set first, and refuse it.
    SignersGone,
    /// A contract changes at an instant that is no midnight in Japan: pickups are of days.
    NotMidnight,
    /// A vehicle does not work for that contract on that day by the city's plan; `named` are terminals.
    PlanDiffers,
    /// Terminals were offered a newer version, and would refuse this one; `named` are terminals.
    Outdated,
    /// Another switchover has the same instant; `named` is its number.
    SameInstant,
    /// A correction changes contracts at an instant that no switchover has, which nobody would see come; `named` are terminals.
    WithoutSwitchover,
    /// Contracts change at more than one instant, of which the switchover has the first alone; `named` are days in Japan.
    MoreInstants,
    /// Terminals of contracts that end are not in the release; `named` are terminals.
    TerminalsMissing,
    /// Vehicles of contracts that begin get no terminal; `named` are vehicles.
    VehiclesWithout,
    /// Terminals were not heard for a week; `named` are terminals.
    Silent,
    /// A contractor who comes has no crews yet; `named` are contractors.
    NoCrews,
    /// A contractor who comes has no dispatcher yet; `named` are contractors.
    NoDispatchers,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub found: Found,
    /// How bad.
    pub severity: Severity,
    /// Of how many.
    pub count: u64,
    /// Which: the first ones, by id.
    pub named: Vec<String>,
}

impl Found {
    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::InstantPast
            | Self::Expired
            | Self::ExpiresBeforeInstant
            | Self::NotMidnight
            | Self::PlanDiffers
            | Self::Outdated
            | Self::SignersGone
            | Self::SameInstant
            | Self::WithoutSwitchover => Severity::Error,
            Self::KeysExpire
            | Self::MoreInstants
            | Self::TerminalsMissing
            | Self::VehiclesWithout
            | Self::Silent
            | Self::NoCrews
            | Self::NoDispatchers => Severity::Warning,
        }
    }

    /// In a few words of the command line.
    #[must_use]
    pub fn plain(self) -> &'static str {
        match self {
            Self::InstantPast => "its instant is over; build a release with one that is to come",
            Self::Expired => "terminals don't accept it any more; build it anew",
            Self::ExpiresBeforeInstant => {
                "it expires before its instant, and terminals that come late could not accept it; build it with a later expiry"
            }
            Self::KeysExpire => {
                "the key set ends before its instant; rotate it first (meguri-config keys rotate)"
            }
            Self::SignersGone => {
                "the newest key set does not count its signatures, and terminals would refuse it; sign it anew by keys of that set \
                 (meguri-config build, sign)"
            }
            Self::NotMidnight => "a contract changes at an instant that is no midnight in Japan",
            Self::PlanDiffers => "vehicle and contract are not those of city.toml on that day",
            Self::Outdated => "these terminals were offered a newer version already; build it anew",
            Self::SameInstant => {
                "another switchover has the same instant; withdraw that one, or push it, withdraw this one, and draft this \
                 again, as a correction"
            }
            Self::WithoutSwitchover => {
                "these terminals' contracts change at an instant that no switchover on terminals has; push that one first, or \
                 draft this as a switchover"
            }
            Self::MoreInstants => {
                "contracts change at more than one instant, and the switchover has the first alone: at the others no pickups are \
                 closed and nobody is told; build a release for each"
            }
            Self::TerminalsMissing => "these terminals' contracts end and they are not in the release",
            Self::VehiclesWithout => "these vehicles get no terminal",
            Self::Silent => "these terminals were not heard for a week",
            Self::NoCrews => "these contractors have no crews yet",
            Self::NoDispatchers => "these contractors have no dispatcher yet",
        }
    }
}

impl Finding {
    fn new(found: Found, count: u64, named: Vec<String>) -> Self {
        Self { found, severity: found.severity(), count, named }
    }
}

/// Findings in a line.
#[must_use]
pub fn plain(found: &[Finding]) -> String {
    let one = |finding: &Finding| match finding.named.as_slice() {
        [] => finding.found.plain().to_owned(),
        named => format!("{} ({})", finding.found.plain(), named.join(", ")),
    };
    found.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The ids that a query finds, as a finding; none where it finds nothing.
fn ids(
    conn: &Connection,
    found: Found,
    query: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Option<Finding>> {
    let mut statement = conn.prepare_cached(query)?;
    let all: Vec<String> = statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let count = all.len() as u64;
    Ok((count > 0).then(|| Finding::new(found, count, all.into_iter().take(NAMED).collect())))
}

/// Looks at a switchover.
///
/// # Errors
/// When there is none, or the store can't be read.
pub fn look(conn: &Connection, id: i64, now: Timestamp) -> Result<Vec<Finding>, SwitchoverError> {
    let select = "SELECT s.kind, s.release, s.at, r.expires, r.switchover_at FROM switchover AS s
        JOIN release AS r ON r.id = s.release WHERE s.id = ?1";
    type Row = (Kind, i64, Option<i64>, i64, Option<i64>);
    let row: Option<Row> = conn
        .prepare_cached(select)?
        .query_row([id], |row| Ok((sql::word(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .optional()?;
    let (kind, release, at, expires, changes) = row.ok_or(SwitchoverError::Unknown(id))?;
    let (at, expires) = (at.map(sql::instant), sql::instant(expires));
    let mut found = Vec::new();
    let one = |what| Finding::new(what, 1, Vec::new());
    if at.is_some_and(|at| at <= now) {
        found.push(one(Found::InstantPast));
    }
    if expires <= now {
        found.push(one(Found::Expired));
    } else if at.is_some_and(|at| expires <= at) {
        found.push(one(Found::ExpiresBeforeInstant));
    }
    let keys: Option<i64> = conn
        .query_row("SELECT expires FROM key_set ORDER BY version DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    if let Some(until) = keys.map(sql::instant) {
        if until <= now {
            found.push(Finding { severity: Severity::Error, ..one(Found::KeysExpire) });
        } else if at.is_some_and(|at| until <= at) {
            found.push(one(Found::KeysExpire));
        }
    }
    if !is_signed(conn, release, None)? {
        found.push(one(Found::SignersGone));
    }
    found.extend(of_plan(conn, release, now)?);
    let outdated = "SELECT b.terminal FROM bundle AS b WHERE b.release = ?1 AND b.offered_at IS NULL
        AND EXISTS (SELECT 1 FROM bundle AS n WHERE n.terminal = b.terminal AND n.version > b.version
            AND n.offered_at IS NOT NULL) ORDER BY 1";
    found.extend(ids(conn, Found::Outdated, outdated, &[&release])?);
    if kind == Kind::Switchover {
        let same = "SELECT CAST(id AS TEXT) FROM switchover
            WHERE at = ?1 AND kind = 'switchover' AND state <> 'withdrawn' AND id <> ?2 ORDER BY id";
        found.extend(ids(conn, Found::SameInstant, same, &[&at.map(sql::ms), &id])?);
    }
    found.extend(of_instants(conn, kind, release, now)?);
    if let Some(day) = changes.map(sql::instant).map(business_date).filter(|_| kind == Kind::Switchover) {
        found.extend(of_people(conn, release, day)?);
    }
    let ago = sql::ms(now.checked_sub(SILENT).unwrap_or(Timestamp::MIN));
    let silent = "SELECT t.id FROM bundle AS b JOIN terminal AS t ON t.id = b.terminal
        WHERE b.release = ?1 AND t.blocked_at IS NULL AND t.lost_at IS NULL AND coalesce(t.last_heard_at, 0) < ?2
        ORDER BY 1";
    found.extend(ids(conn, Found::Silent, silent, &[&release, &ago])?);
    Ok(found)
}

/// Whether each instant at which contracts change has its switchover.
fn of_instants(
    conn: &Connection,
    kind: Kind,
    release: i64,
    now: Timestamp,
) -> rusqlite::Result<Option<Finding>> {
    // As the release's own instant is found: what was over when it was built is no change.
    let changes =
        "FROM release AS r JOIN bundle AS b ON b.release = r.id JOIN schedule AS s ON s.bundle = b.id
        LEFT JOIN schedule AS p ON p.bundle = s.bundle AND p.position = s.position - 1
        WHERE r.id = ?1 AND s.from_at > r.made_at AND s.contract <> coalesce(p.contract, b.from_contract)";
    if kind == Kind::Correction {
        // One that is approved is not on any terminal yet, and may still be withdrawn: a correction must not bring its instant there.
        let without = format!(
            "SELECT DISTINCT b.terminal {changes} AND s.from_at NOT IN (SELECT at FROM switchover
                WHERE at IS NOT NULL AND state IN ('pushed', 'cut_over', 'closed')) ORDER BY 1"
        );
        return ids(conn, Found::WithoutSwitchover, &without, &[&release]);
    }
    let days = format!(
        "SELECT DISTINCT date((s.from_at + 32400000) / 1000, 'unixepoch') {changes} AND s.from_at > ?2 ORDER BY 1"
    );
    let found = ids(conn, Found::MoreInstants, &days, &[&release, &sql::ms(now)])?;
    Ok(found.filter(|found| found.count > 1))
}

/// Whether enough of those who signed a release count by a key set; by the newest one where none is given. One bundle says it: whoever
/// signs a release signs all of it.
fn is_signed(conn: &Connection, release: i64, keys: Option<&KeySet>) -> rusqlite::Result<bool> {
    let select = "SELECT envelope FROM bundle AS b JOIN bundle_body ON bundle = b.id WHERE b.release = ?1
        ORDER BY b.id LIMIT 1";
    let envelope: Option<String> =
        conn.prepare_cached(select)?.query_row([release], |row| row.get(0)).optional()?;
    // Without a terminal nobody refuses it.
    let Some(bytes) = envelope.as_deref().map(str::as_bytes) else { return Ok(true) };
    let held = match keys {
        Some(keys) => keys.clone(),
        None => {
            // It was judged when it came, so that what it says of its city is so.
            let Ok(bundle) = Bundle::unverified(bytes) else { return Ok(false) };
            let Ok(Some(held)) = schedules::held_keys(conn, &bundle.city)? else { return Ok(false) };
            held
        }
    };
    let signed = Envelope::read(bytes, BUNDLE_BYTES)
        .and_then(|envelope| envelope.verified(BUNDLE_TYPE, &held.of(&held.config), held.config.threshold));
    Ok(signed.is_ok())
}

/// Tells people of switchovers under way whose signatures a key set that has come does not count.
///
/// # Errors
/// When the store can't be read or written.
pub(super) fn tell_of_signers(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    keys: &KeySet,
) -> rusqlite::Result<()> {
    // Whoever has verified one has it.
    let select = "SELECT s.id, s.release FROM switchover AS s WHERE s.state IN ('checked', 'approved', 'pushed', 'cut_over')
        AND EXISTS (SELECT 1 FROM bundle AS b WHERE b.release = s.release AND b.state IS NOT 'verified') ORDER BY s.id";
    let live: Vec<(i64, i64)> = tx
        .prepare(select)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, release) in live {
        if !is_signed(tx, release, Some(keys))? {
            let detail = serde_json::json!({ "switchover": id, "version": keys.version });
            touched.notice |= sql::notice(tx, now, "signers_gone", None, &detail)?;
        }
    }
    Ok(())
}

/// Whether the schedules say what the city's plan says.
fn of_plan(conn: &Connection, release: i64, now: Timestamp) -> rusqlite::Result<Vec<Finding>> {
    // Midnight in Japan is 15:00 UTC.
    let midnight = "SELECT DISTINCT b.terminal FROM bundle AS b JOIN schedule AS s ON s.bundle = b.id
        LEFT JOIN schedule AS p ON p.bundle = s.bundle AND p.position = s.position - 1
        WHERE b.release = ?1 AND s.from_at IS NOT NULL AND s.contract <> coalesce(p.contract, b.from_contract)
            AND (s.from_at + 32400000) % 86400000 <> 0 ORDER BY 1";
    // What holds at once is judged by today, what is over not at all.
    let plan = "SELECT DISTINCT b.terminal FROM bundle AS b JOIN schedule AS s ON s.bundle = b.id
        WHERE b.release = ?1
            AND NOT EXISTS (SELECT 1 FROM schedule AS n WHERE n.bundle = s.bundle AND n.position = s.position + 1
                AND n.from_at <= ?2)
            AND NOT EXISTS (SELECT 1 FROM vehicle_contract AS v JOIN contract AS c ON c.id = v.contract
                WHERE v.vehicle = s.vehicle AND v.contract = s.contract
                    AND date((max(coalesce(s.from_at, ?2), ?2) + 32400000) / 1000, 'unixepoch')
                        BETWEEN c.first_day AND c.last_day) ORDER BY 1";
    let mut found = Vec::new();
    found.extend(ids(conn, Found::NotMidnight, midnight, &[&release])?);
    found.extend(ids(conn, Found::PlanDiffers, plan, &[&release, &sql::ms(now)])?);
    Ok(found)
}

/// Whether everybody is there who works from `day` on.
fn of_people(conn: &Connection, release: i64, day: Date) -> rusqlite::Result<Vec<Finding>> {
    let missing = "SELECT t.id FROM terminal AS t JOIN contract AS c ON c.id = t.contract
        WHERE c.last_day < ?2 AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM bundle AS b WHERE b.release = ?1 AND b.terminal = t.id) ORDER BY 1";
    let vehicles =
        "SELECT DISTINCT v.vehicle FROM vehicle_contract AS v JOIN contract AS c ON c.id = v.contract
        WHERE c.first_day = ?2 AND NOT EXISTS (SELECT 1 FROM bundle AS b JOIN schedule AS s ON s.bundle = b.id
            WHERE b.release = ?1 AND s.vehicle = v.vehicle AND s.contract = v.contract) ORDER BY 1";
    // Who begins on that day and did not work the day before.
    let comes = "SELECT DISTINCT n.contractor FROM contract AS n WHERE n.first_day = ?1
        AND NOT EXISTS (SELECT 1 FROM contract AS o WHERE o.contractor = n.contractor
            AND date(?1, '-1 day') BETWEEN o.first_day AND o.last_day)";
    let crews = format!(
        "SELECT contractor FROM ({comes}) AS c WHERE NOT EXISTS
            (SELECT 1 FROM crew WHERE crew.contractor = c.contractor AND removed_at IS NULL) ORDER BY 1"
    );
    let dispatchers = format!(
        "SELECT contractor FROM ({comes}) AS c WHERE NOT EXISTS
            (SELECT 1 FROM person WHERE person.contractor = c.contractor AND blocked_at IS NULL) ORDER BY 1"
    );
    let day = day.to_string();
    let mut found = Vec::new();
    found.extend(ids(conn, Found::TerminalsMissing, missing, params![release, day])?);
    found.extend(ids(conn, Found::VehiclesWithout, vehicles, params![release, day])?);
    found.extend(ids(conn, Found::NoCrews, &crews, params![day])?);
    found.extend(ids(conn, Found::NoDispatchers, &dispatchers, params![day])?);
    Ok(found)
}
