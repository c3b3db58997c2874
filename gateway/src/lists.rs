//! Day lists: made from the store, issued anew where what they are made for has changed, and
//! compared with what a terminal says it holds.
//!
//! A list's *basis* is everything in it but what its own terminal said: own facts alone make no new
//! version, since the tablet lays them over by itself.

use std::collections::BTreeSet;

use jiff::civil::Date;
use meguri_proto::pickup::Statement;
use meguri_proto::{
    DayList, Digest, Document, DocumentHeld, DocumentName, Epoch, Hello, Listed, LogKind, Message as _,
    OwnSeen, PickupId, Place, TerminalId, limits,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::value::RawValue;

use crate::pickups;
use crate::store::sql;
use crate::touched::Round;

/// A document on its way to a terminal.
#[derive(Debug, Clone)]
pub struct Issued {
    /// To whom.
    pub terminal: TerminalId,
    /// Which.
    pub name: DocumentName,
    /// Itself.
    pub document: Document,
}

/// The days whose lists are kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first one.
    pub from: Date,
    /// The last one.
    pub to: Date,
}

impl Window {
    /// From `before` days before `today` to `after` days after it.
    #[must_use]
    pub fn around(today: Date, before: u8, after: u8) -> Self {
        let span = |days: i64| jiff::Span::new().days(days);
        // At the ends of the calendar there is only today.
        let from = today.checked_sub(span(before.into())).unwrap_or(today);
        let to = today.checked_add(span(after.into())).unwrap_or(today);
        Self { from, to }
    }

    /// Whether a day lies in it.
    #[must_use]
    pub fn holds(&self, day: Date) -> bool {
        (self.from..=self.to).contains(&day)
    }

    /// Its days.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        let to = self.to;
        self.from.series(jiff::Span::new().days(1)).take_while(move |day| *day <= to)
    }
}

/// Empties lists of days before `before`: residents' data need not lie here for longer. That they
/// were issued stays known.
///
/// # Errors
/// When the store can't be written.
pub fn forget(conn: &Connection, before: Date) -> rusqlite::Result<usize> {
    // A list's name ends with its date.
    conn.execute(
        "UPDATE document SET body = 'null' WHERE body <> 'null' AND substr(name, -10) < ?1",
        [before.to_string()],
    )
}

/// Who a terminal works for.
#[derive(Debug, Clone)]
struct Binding {
    round: Round,
    blocked: bool,
}

fn binding(conn: &Connection, terminal: &TerminalId, date: Date) -> rusqlite::Result<Option<Binding>> {
    conn.prepare_cached("SELECT contract, vehicle, blocked_at IS NOT NULL FROM terminal WHERE id = ?1")?
        .query_row([terminal.as_str()], |row| {
            let round = Round { date, contract: sql::parsed(row, 0)?, vehicle: sql::parsed(row, 1)? };
            Ok(Binding { round, blocked: row.get(2)? })
        })
        .optional()
}

/// The terminals that carry a round and are not blocked.
///
/// # Errors
/// When the store can't be read.
pub fn carriers(conn: &Connection, round: &Round) -> rusqlite::Result<Vec<TerminalId>> {
    let select = "SELECT id FROM terminal WHERE contract = ?1 AND vehicle = ?2 AND blocked_at IS NULL";
    let mut statement = conn.prepare_cached(select)?;
    let rows =
        statement.query_map([round.contract.as_str(), round.vehicle.as_str()], |row| sql::parsed(row, 0))?;
    rows.collect()
}

/// A document as last issued.
struct Kept {
    version: u64,
    digest: Digest,
    basis: Digest,
    body: String,
}

fn kept(conn: &Connection, terminal: &TerminalId, name: &DocumentName) -> rusqlite::Result<Option<Kept>> {
    conn.prepare_cached(
        "SELECT version, digest, basis, body FROM document WHERE terminal = ?1 AND name = ?2",
    )?
    .query_row([terminal.as_str(), &name.to_string()], |row| {
        Ok(Kept {
            version: sql::seq(row, 0)?,
            digest: sql::digest(row, 1)?,
            basis: sql::digest(row, 2)?,
            body: row.get(3)?,
        })
    })
    .optional()
}

/// A document as it should be now.
struct Wanted {
    basis: Digest,
    body: String,
}

const LAPSED: &str = "null";

impl Wanted {
    fn lapsed() -> Self {
        Self { basis: Digest::of(LAPSED.as_bytes()), body: LAPSED.to_owned() }
    }
}

/// Why a list could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The store can't be read or written.
    #[error("the store can't make a list: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The list passes a limit of the wire.
    #[error("the list {name} of {terminal} can't be sent: {source}")]
    Wire {
        /// Whose.
        terminal: TerminalId,
        /// Which.
        name: DocumentName,
        /// Which limit.
        source: meguri_proto::WireError,
    },
}

/// Issues a terminal's list of a day anew if what it is made for has changed.
///
/// # Errors
/// When the store can't be read or written, or the list passes a limit.
pub fn refresh(conn: &Connection, terminal: &TerminalId, date: Date) -> Result<Option<Issued>, ListError> {
    let Some(binding) = binding(conn, terminal, date)? else { return Ok(None) };
    if binding.blocked {
        return Ok(None);
    }
    let name = DocumentName::List { contract: binding.round.contract.clone(), date };
    let kept = kept(conn, terminal, &name)?;
    let wanted = make(conn, terminal, &binding.round, kept.is_some())?;
    match (kept, wanted) {
        (None, None) => Ok(None),
        (Some(kept), Some(wanted)) if kept.basis == wanted.basis => Ok(None),
        (kept, wanted) => {
            let version = kept.map_or(0, |kept| kept.version) + 1;
            issue(conn, terminal, &name, version, &wanted.unwrap_or_else(Wanted::lapsed)).map(Some)
        }
    }
}

/// Lets lapse whatever a terminal was given of a contract that is not its any more, or all of it where it is blocked.
///
/// # Errors
/// When the store can't be read or written.
pub fn lapse(conn: &Connection, terminal: &TerminalId, window: Window) -> Result<Vec<Issued>, ListError> {
    let Some(binding) = binding(conn, terminal, window.from)? else { return Ok(Vec::new()) };
    let mut issued = Vec::new();
    for name in live_names(conn, terminal, window)? {
        let DocumentName::List { contract, .. } = &name;
        if !binding.blocked && *contract == binding.round.contract {
            continue;
        }
        if let Some(kept) = kept(conn, terminal, &name)? {
            issued.push(issue(conn, terminal, &name, kept.version + 1, &Wanted::lapsed())?);
        }
    }
    Ok(issued)
}

/// Compares what a terminal says it holds with what it should, and issues what differs.
///
/// # Errors
/// When the store can't be read or written, or a list passes a limit.
pub fn answer(
    conn: &Connection,
    terminal: &TerminalId,
    hello: &Hello,
    window: Window,
) -> Result<Vec<Issued>, ListError> {
    let Some(binding) = binding(conn, terminal, window.from)? else { return Ok(Vec::new()) };
    if binding.blocked {
        return Ok(Vec::new());
    }
    let mut names: BTreeSet<DocumentName> = hello.documents.iter().map(|held| held.name.clone()).collect();
    names.extend(live_names(conn, terminal, window)?);
    names.extend(
        window.days().map(|date| DocumentName::List { contract: binding.round.contract.clone(), date }),
    );
    let mut issued = Vec::new();
    for name in names {
        let theirs = hello.documents.iter().find(|held| held.name == name);
        let DocumentName::List { contract, date } = &name;
        let kept = kept(conn, terminal, &name)?;
        let round = Round { date: *date, ..binding.round.clone() };
        let wanted = if *contract != round.contract {
            Some(Wanted::lapsed())
        } else if window.holds(*date) {
            make(conn, terminal, &round, kept.is_some() || theirs.is_some())?
        } else {
            // Past days and far ones are left as they were issued.
            None
        };
        issued.extend(compare(conn, terminal, hello, &name, theirs, kept, wanted)?);
    }
    Ok(issued)
}

fn compare(
    conn: &Connection,
    terminal: &TerminalId,
    hello: &Hello,
    name: &DocumentName,
    theirs: Option<&DocumentHeld>,
    kept: Option<Kept>,
    wanted: Option<Wanted>,
) -> Result<Option<Issued>, ListError> {
    let holds = |kept: &Kept| theirs.is_some_and(|t| t.version == kept.version && t.digest == kept.digest);
    match (kept, wanted) {
        // What the terminal never had and the office does not want needs no word.
        (_, Some(wanted)) if wanted.body == LAPSED && theirs.is_none() => Ok(None),
        (Some(kept), Some(wanted)) => {
            let fresh = kept.basis == wanted.basis;
            if fresh && holds(&kept) && knows_itself(conn, terminal, hello, &kept)? {
                return Ok(None);
            }
            // Lost on the way and still as it was: sent again as it is.
            if kept.body == wanted.body && theirs.is_none_or(|t| t.version < kept.version) {
                return envelope(terminal, name, kept.version, &kept.body).map(Some);
            }
            let version = kept.version.max(theirs.map_or(0, |t| t.version)) + 1;
            issue(conn, terminal, name, version, &wanted).map(Some)
        }
        (None, Some(wanted)) => {
            let version = theirs.map_or(0, |t| t.version) + 1;
            // What the office never issued leaves no trace: a row would say that the contract was the terminal's.
            if wanted.body == LAPSED {
                return envelope(terminal, name, version, LAPSED).map(Some);
            }
            issue(conn, terminal, name, version, &wanted).map(Some)
        }
        (_, None) => Ok(None),
    }
}

/// Whether the terminal still has, or finds in the list, everything it once said. After its store was
/// put back from a copy it does not, and needs a list that tells it.
fn knows_itself(
    conn: &Connection,
    terminal: &TerminalId,
    hello: &Hello,
    kept: &Kept,
) -> Result<bool, ListError> {
    if kept.body == LAPSED {
        return Ok(true);
    }
    // The office wrote it, so it reads; were it not so, a new list is the remedy.
    let Ok(list) = serde_json::from_str::<DayList>(&kept.body) else { return Ok(false) };
    Ok(seen(conn, terminal)?.iter().all(|office| {
        let told = list.seen.iter().find(|seen| seen.epoch == office.epoch).map_or(0, |seen| seen.seq);
        let keeps = hello
            .logs
            .fact
            .iter()
            .any(|held| held.epoch == office.epoch && held.first <= told + 1 && held.head >= office.seq);
        told >= office.seq || keeps
    }))
}

/// Up to where the office holds each epoch of a terminal's facts; the newest epochs, as many as a list may name.
fn seen(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<Vec<OwnSeen>> {
    let select = "SELECT epoch, held FROM log WHERE terminal = ?1 AND kind = ?2 AND held > 0 ORDER BY id DESC LIMIT ?3";
    let most = i64::try_from(limits::HELLO_EPOCHS).unwrap_or(i64::MAX);
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map(params![terminal.as_str(), LogKind::Fact.as_str(), most], |row| {
        Ok(OwnSeen { epoch: Epoch(sql::uuid(row, 0)?), seq: sql::seq(row, 1)? })
    })?;
    rows.collect()
}

/// The lists a terminal was given and that have not lapsed, of days in the window.
fn live_names(
    conn: &Connection,
    terminal: &TerminalId,
    window: Window,
) -> rusqlite::Result<Vec<DocumentName>> {
    let mut statement =
        conn.prepare_cached("SELECT name FROM document WHERE terminal = ?1 AND body <> 'null'")?;
    let rows = statement.query_map([terminal.as_str()], |row| sql::parsed::<DocumentName>(row, 0))?;
    let names: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let inside = |name: &DocumentName| {
        let DocumentName::List { date, .. } = name;
        window.holds(*date)
    };
    Ok(names.into_iter().filter(inside).collect())
}

/// Makes a list; none where the round is empty and was never issued.
fn make(
    conn: &Connection,
    terminal: &TerminalId,
    round: &Round,
    issued: bool,
) -> Result<Option<Wanted>, ListError> {
    let (pickups, own) = stops(conn, terminal, round)?;
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
    Ok(Some(Wanted { basis, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// A round's stops without what the terminal itself said, and that beside it, by index.
#[allow(clippy::type_complexity, reason = "the pair is taken apart where it is called")]
fn stops(
    conn: &Connection,
    terminal: &TerminalId,
    round: &Round,
) -> rusqlite::Result<(Vec<Listed>, Vec<(usize, Statement)>)> {
    let select = "SELECT pickup.id, uid, reception, ward, items, payment, office, changed_on,
            town, lot, building, spot, notice, lat, lng,
            EXISTS (SELECT 1 FROM fact WHERE fact.pickup = pickup.id)
        FROM pickup LEFT JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev
        WHERE date = ?1 AND contract = ?2 AND vehicle = ?3 ORDER BY stop, pickup.id";
    let mut statement = conn.prepare_cached(select)?;
    let date = round.date.to_string();
    let mut rows = statement.query([&date, round.contract.as_str(), round.vehicle.as_str()])?;
    let (mut pickups, mut own) = (Vec::new(), Vec::new());
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
        let mut others: Vec<Statement> =
            others.into_iter().filter(|s| Some(s.fact) != mine.as_ref().map(|mine| mine.fact)).collect();
        others.truncate(limits::LIST_STATEMENTS);
        own.extend(mine.map(|mine| (pickups.len(), mine)));
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
            others,
            own: None,
        });
    }
    Ok((pickups, own))
}

/// Writes a new version down and wraps it.
fn issue(
    conn: &Connection,
    terminal: &TerminalId,
    name: &DocumentName,
    version: u64,
    wanted: &Wanted,
) -> Result<Issued, ListError> {
    let issued = envelope(terminal, name, version, &wanted.body)?;
    let upsert =
        "INSERT INTO document (terminal, name, version, digest, basis, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (terminal, name) DO UPDATE SET version = ?3, digest = ?4, basis = ?5, body = ?6";
    conn.prepare_cached(upsert)?.execute(params![
        terminal.as_str(),
        name.to_string(),
        sql::number(version),
        issued.document.digest.0.as_slice(),
        wanted.basis.0.as_slice(),
        wanted.body,
    ])?;
    Ok(issued)
}

fn envelope(
    terminal: &TerminalId,
    name: &DocumentName,
    version: u64,
    body: &str,
) -> Result<Issued, ListError> {
    let wire = |source| ListError::Wire { terminal: terminal.clone(), name: name.clone(), source };
    let malformed = |source| wire(meguri_proto::WireError::Malformed { what: DayList::NAME, source });
    let raw = RawValue::from_string(body.to_owned()).map_err(malformed)?;
    let document = Document { v: 1, version, digest: Digest::of(body.as_bytes()), body: raw };
    // The envelope counts as well: whether it fits is known only now.
    document.encode().map_err(wire)?;
    Ok(Issued { terminal: terminal.clone(), name: name.clone(), document })
}
