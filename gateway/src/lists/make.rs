//! Makes a day list from the store as it is now.

use meguri_proto::pickup::{Statement, telling};
use meguri_proto::{
    DayList, Digest, DocumentName, Epoch, Listed, LogKind, Message as _, OwnSeen, PickupId, Place,
    TerminalId, limits,
};
use rusqlite::{Connection, params};

use super::ListError;
use crate::pickups;
use crate::store::sql;
use crate::touched::Round;

/// A document as it should be now.
pub(super) struct Wanted {
    pub(super) basis: Digest,
    pub(super) body: String,
    /// Whose data it holds: rows of pickups.
    pub(super) pickups: Vec<i64>,
}

pub(crate) const LAPSED: &str = "null";

impl Wanted {
    pub(super) fn lapsed() -> Self {
        Self { basis: Digest::of(LAPSED.as_bytes()), body: LAPSED.to_owned(), pickups: Vec::new() }
    }
}

/// Makes a list; none where the round is empty and was never issued.
pub(super) fn make(
    conn: &Connection,
    terminal: &TerminalId,
    round: &Round,
    issued: bool,
) -> Result<Option<Wanted>, ListError> {
    let (pickups, own, rows) = stops(conn, terminal, round)?;
    if pickups.is_empty() && !issued {
        return Ok(None);
    }
    let names = "SELECT contractor.name, vehicle.name, vehicle.round FROM contract
        JOIN contractor ON contractor.id = contract.contractor
        JOIN vehicle ON vehicle.id = ?2 WHERE contract.id = ?1";
    let (contractor, vehicle, course) =
        conn.prepare_cached(names)?.query_row([round.contract.as_str(), round.vehicle.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let mut list = DayList {
        v: 1,
        contract: round.contract.clone(),
        date: round.date,
        contractor,
        vehicle,
        round: course,
        seen: Vec::new(),
        pickups,
    };
    let name = || DocumentName::List { contract: round.contract.clone(), date: round.date };
    let wire = |source| ListError::Wire { terminal: terminal.clone(), name: name(), source };
    let basis = Digest::of(&list.encode().map_err(wire)?);
    list.seen = seen(conn, terminal)?;
    for (at, own) in own {
        list.pickups[at].own = Some(own);
    }
    let body = list.encode().map_err(wire)?;
    // JSON is UTF-8.
    Ok(Some(Wanted { basis, body: String::from_utf8_lossy(&body).into_owned(), pickups: rows }))
}

/// A round's stops without what the terminal itself said, and that beside it, by index; and the pickups' rows.
#[allow(clippy::type_complexity, reason = "it is taken apart where it is called")]
fn stops(
    conn: &Connection,
    terminal: &TerminalId,
    round: &Round,
) -> rusqlite::Result<(Vec<Listed>, Vec<(usize, Statement)>, Vec<i64>)> {
    let select = "SELECT pickup.id, uid, reception, ward, items, payment, office, changed_on,
            town, lot, building, spot, notice, lat, lng,
            EXISTS (SELECT 1 FROM history WHERE history.pickup = pickup.id AND fact IS NOT NULL)
        FROM pickup LEFT JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev
        WHERE date = ?1 AND contract = ?2 AND vehicle = ?3 ORDER BY stop, pickup.id";
    let mut statement = conn.prepare_cached(select)?;
    let date = round.date.to_string();
    let mut rows = statement.query([&date, round.contract.as_str(), round.vehicle.as_str()])?;
    let (mut pickups, mut own, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
        let (mine, others) = if row.get(15)? {
            let said = pickups::statements(conn, row.get(0)?)?;
            // Of two epochs after a fork the later word is the terminal's own, the other stands beside it.
            let mine = said.iter().filter(|s| s.terminal == *terminal).max_by_key(|s| s.fact).cloned();
            (mine, said)
        } else {
            (None, Vec::new())
        };
        let others: Vec<Statement> =
            others.into_iter().filter(|s| Some(s.fact) != mine.as_ref().map(|mine| mine.fact)).collect();
        own.extend(mine.map(|mine| (pickups.len(), mine)));
        ids.push(row.get(0)?);
        pickups.push(Listed {
            id: PickupId(sql::uuid(row, 1)?),
            order: u32::try_from(pickups.len() + 1).unwrap_or(u32::MAX),
            reception: row.get(2)?,
            place: Place {
                ward: row.get(3)?,
                town: text(8)?,
                lot: text(9)?,
                building: text(10)?,
                spot: text(11)?,
                notice: text(12)?,
                position: row.get::<_, Option<f64>>(13)?.zip(row.get(14)?),
            },
            items: sql::json(row, 4)?,
            payment: sql::word(row, 5)?,
            changed: row.get::<_, Option<String>>(7)?.as_deref() == Some(date.as_str()),
            office: sql::json(row, 6)?,
            others: telling(&others),
            own: None,
        });
    }
    Ok((pickups, own, ids))
}

/// Up to where the office holds each epoch of a terminal's facts; the newest epochs, as many as a list may name.
pub(super) fn seen(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<Vec<OwnSeen>> {
    let select = "SELECT epoch, held FROM log WHERE terminal = ?1 AND kind = ?2 AND held > 0 ORDER BY id DESC LIMIT ?3";
    let most = i64::try_from(limits::HELLO_EPOCHS).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map(params![terminal.as_str(), LogKind::Fact.as_str(), most], |row| {
        Ok(OwnSeen { epoch: Epoch(sql::uuid(row, 0)?), seq: sql::seq(row, 1)? })
    })?;
    rows.collect()
}
