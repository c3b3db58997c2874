//! Documents: day lists, made from the store, issued anew where what they are made for has changed, and
//! compared with what a terminal says it holds; and beside them who its crew is, and whether it is to be erased.
//!
//! A list's *basis* is everything in it but what its own terminal said: own facts alone make no new
//! version, since the tablet lays them over by itself.

mod make;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::clock::business_date;
use meguri_proto::{
    ContractId, ContractorId, CrewList, DayList, Digest, Document, DocumentHeld, DocumentName, Hello,
    Message as _, TerminalId,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::value::RawValue;

use crate::store::sql;
use crate::touched::Round;
use crate::{crew, lost, schedules};
pub(crate) use make::LAPSED;
use make::{Wanted, make, seen};

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

/// Whom a terminal works for on a day.
#[derive(Debug, Clone)]
struct Binding {
    round: Round,
    contractor: ContractorId,
    blocked: bool,
    /// It gets nothing but its erasure.
    lost: bool,
}

/// What a terminal is bound to on a day: by its signed schedule, where it has one, else by its row.
fn binding(
    conn: &Connection,
    terminal: &TerminalId,
    date: Date,
    now: Timestamp,
) -> rusqlite::Result<Option<Binding>> {
    let Some((contract, vehicle)) = schedules::works(conn, terminal, date, now)? else { return Ok(None) };
    let select = "SELECT contractor, blocked_at IS NOT NULL, lost_at IS NOT NULL
        FROM terminal JOIN contract ON contract.id = ?2 WHERE terminal.id = ?1";
    let found = conn
        .prepare_cached(select)?
        .query_row([terminal.as_str(), contract.as_str()], |row| {
            Ok((sql::parsed(row, 0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let round = Round { date, contract, vehicle };
    Ok(found.map(|(contractor, blocked, lost)| Binding { round, contractor, blocked, lost }))
}

/// The terminals that carry a round and are neither blocked nor lost.
///
/// # Errors
/// When the store can't be read.
pub fn carriers(conn: &Connection, round: &Round, now: Timestamp) -> rusqlite::Result<Vec<TerminalId>> {
    schedules::carriers(conn, (&round.contract, &round.vehicle), round.date, now)
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
pub fn refresh(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    date: Date,
) -> Result<Option<Issued>, ListError> {
    let Some(binding) = binding(conn, terminal, date, now)? else { return Ok(None) };
    if binding.blocked || binding.lost {
        return Ok(None);
    }
    let name = DocumentName::List { contract: binding.round.contract.clone(), date };
    let kept = kept(conn, terminal, &name)?;
    let wanted = make(conn, terminal, &binding.round, kept.is_some())?;
    renew(conn, now, terminal, &name, kept, wanted)
}

/// Issues a document where what is wanted is another one than what was issued last.
fn renew(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    name: &DocumentName,
    kept: Option<Kept>,
    wanted: Option<Wanted>,
) -> Result<Option<Issued>, ListError> {
    match (kept, wanted) {
        (None, None) => Ok(None),
        (Some(kept), Some(wanted)) if kept.basis == wanted.basis => Ok(None),
        (kept, wanted) => {
            let version = kept.map_or(0, |kept| kept.version) + 1;
            issue(conn, now, terminal, name, version, &wanted.unwrap_or_else(Wanted::lapsed)).map(Some)
        }
    }
}

/// The documents of no day that a terminal may have, in the order in which it gets them: whom to believe comes before what they signed,
/// and that before what it is made for.
fn standing_names(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    given: impl IntoIterator<Item = DocumentName>,
) -> rusqlite::Result<Vec<DocumentName>> {
    let mut names = vec![DocumentName::Erasure, DocumentName::Keys, DocumentName::Config, DocumentName::Crew];
    let coming = schedules::coming(conn, terminal, now)?;
    let coming = coming.into_iter().map(|contract| DocumentName::CrewOf { contract });
    let given = given.into_iter().filter(|name| matches!(name, DocumentName::CrewOf { .. }));
    let crews: BTreeSet<DocumentName> = coming.chain(given).collect();
    names.extend(crews);
    Ok(names)
}

/// A document of no day as it should be now; none where the terminal never had one and needs none.
fn standing(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    binding: &Binding,
    name: &DocumentName,
    issued: bool,
) -> Result<Option<Wanted>, ListError> {
    let json = |list: CrewList| {
        serde_json::to_string(&list).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    };
    let body = match name {
        DocumentName::Erasure => binding.lost.then(|| lost::ERASURE.to_owned()),
        // What a lost terminal was given stays known as it is.
        _ if binding.lost => return Ok(None),
        DocumentName::Crew => crew::of(conn, &binding.contractor)?.map(json).transpose()?,
        DocumentName::CrewOf { contract } => {
            let comes = schedules::coming(conn, terminal, now)?.contains(contract);
            let crew = if comes { crew::of_contract(conn, contract)? } else { None };
            crew.map(json).transpose()?
        }
        // Neither is ever taken back: where the office, put back from a copy, has none, the terminal keeps its own.
        DocumentName::Keys | DocumentName::Config => {
            let body = match name {
                DocumentName::Keys => schedules::keys(conn)?,
                _ => schedules::offered(conn, terminal, now)?,
            };
            let Some(body) = body else { return Ok(None) };
            Some(body)
        }
        DocumentName::List { .. } => None,
    };
    Ok(match body {
        Some(body) => Some(Wanted { basis: Digest::of(body.as_bytes()), body, pickups: Vec::new() }),
        None => issued.then(Wanted::lapsed),
    })
}

/// Lets lapse whatever a terminal was given of a contract that is not its any more, or all of it where it is blocked; and
/// issues anew who its crew is, and whether it is to be erased.
///
/// # Errors
/// When the store can't be read or written.
pub fn lapse(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    window: Window,
) -> Result<Vec<Issued>, ListError> {
    let Some(binding) = binding(conn, terminal, business_date(now), now)? else { return Ok(Vec::new()) };
    let mut issued = Vec::new();
    let given = live_names(conn, terminal, window)?;
    if !binding.blocked {
        for name in standing_names(conn, now, terminal, given.iter().cloned())? {
            let kept = kept(conn, terminal, &name)?;
            let wanted = standing(conn, now, terminal, &binding, &name, kept.is_some())?;
            if wanted.is_some() {
                issued.extend(renew(conn, now, terminal, &name, kept, wanted)?);
            }
        }
    }
    for name in given {
        let DocumentName::List { contract, date } = &name else { continue };
        if binding.lost || !binding.blocked && *contract == contract_of(conn, now, terminal, *date)? {
            continue;
        }
        if let Some(kept) = kept(conn, terminal, &name)? {
            issued.push(issue(conn, now, terminal, &name, kept.version + 1, &Wanted::lapsed())?);
        }
    }
    Ok(issued)
}

/// Compares what a terminal says it holds with what it should, and issues what differs.
///
/// What passes a limit is told beside what could be issued: one list too large must not keep the others back.
///
/// # Errors
/// When the store can't be read or written.
pub fn answer(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    hello: &Hello,
    window: Window,
) -> rusqlite::Result<Vec<Result<Issued, ListError>>> {
    let Some(binding) = binding(conn, terminal, business_date(now), now)? else { return Ok(Vec::new()) };
    if binding.blocked {
        return Ok(Vec::new());
    }
    let mut days: BTreeSet<DocumentName> = BTreeSet::new();
    days.extend(hello.documents.iter().map(|held| held.name.clone()));
    days.extend(live_names(conn, terminal, window)?);
    let mut rounds = BTreeMap::new();
    for date in window.days() {
        if let Some(on) = self::binding(conn, terminal, date, now)? {
            days.insert(DocumentName::List { contract: on.round.contract.clone(), date });
            rounds.insert(date, on.round);
        }
    }
    let mut names = standing_names(conn, now, terminal, days.iter().cloned())?;
    names.extend(days.into_iter().filter(|name| matches!(name, DocumentName::List { .. })));
    let mut issued = Vec::new();
    for name in names {
        let theirs = hello.documents.iter().find(|held| held.name == name);
        let kept = kept(conn, terminal, &name)?;
        let known = kept.is_some() || theirs.is_some();
        let wanted = match &name {
            DocumentName::List { .. } if binding.lost => Ok(None),
            DocumentName::List { contract, date } => match rounds.get(date) {
                Some(round) if *contract == round.contract => make(conn, terminal, round, known),
                // Past days and far ones of a contract that is still theirs are left as they were issued.
                None if *contract == contract_of(conn, now, terminal, *date)? => Ok(None),
                _ => Ok(Some(Wanted::lapsed())),
            },
            _ => standing(conn, now, terminal, &binding, &name, known),
        };
        match wanted.and_then(|wanted| compare(conn, now, terminal, hello, &name, theirs, kept, wanted)) {
            Err(ListError::Sql(error)) => return Err(error),
            Err(error) => issued.push(Err(error)),
            Ok(made) => issued.extend(made.map(Ok)),
        }
    }
    Ok(issued)
}

#[allow(clippy::too_many_arguments, reason = "what is there, what the terminal has and what is wanted")]
fn compare(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    hello: &Hello,
    name: &DocumentName,
    theirs: Option<&DocumentHeld>,
    kept: Option<Kept>,
    wanted: Option<Wanted>,
) -> Result<Option<Issued>, ListError> {
    let holds = |kept: &Kept| theirs.is_some_and(|t| t.version == kept.version && t.digest == kept.digest);
    match (kept, wanted) {
        // What the terminal never had, or knows to have lapsed, and the office does not want needs no word.
        (None, Some(wanted)) if wanted.body == LAPSED && theirs.is_none_or(|t| t.digest == wanted.basis) => {
            Ok(None)
        }
        (_, Some(wanted)) if wanted.body == LAPSED && theirs.is_none() => Ok(None),
        (Some(kept), Some(wanted)) => {
            let fresh = kept.basis == wanted.basis;
            if fresh && holds(&kept) && knows_itself(conn, terminal, hello, name, &kept)? {
                return Ok(None);
            }
            // Lost on the way and still as it was: sent again as it is.
            if kept.body == wanted.body && theirs.is_none_or(|t| t.version < kept.version) {
                return envelope(terminal, name, kept.version, &kept.body).map(Some);
            }
            let version = kept.version.max(theirs.map_or(0, |t| t.version)) + 1;
            issue(conn, now, terminal, name, version, &wanted).map(Some)
        }
        (None, Some(wanted)) => {
            let version = theirs.map_or(0, |t| t.version) + 1;
            // What the office never issued leaves no trace: a row would say that the contract was the terminal's.
            if wanted.body == LAPSED {
                return envelope(terminal, name, version, LAPSED).map(Some);
            }
            issue(conn, now, terminal, name, version, &wanted).map(Some)
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
    name: &DocumentName,
    kept: &Kept,
) -> Result<bool, ListError> {
    if kept.body == LAPSED || !matches!(name, DocumentName::List { .. }) {
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

/// The contract whose list a terminal may hold of a day.
fn contract_of(
    conn: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    date: Date,
) -> rusqlite::Result<ContractId> {
    let works = schedules::works(conn, terminal, date, now)?;
    works.map(|(contract, _)| contract).ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// The lists of days in the window, and the crews of coming contracts, that a terminal was given and that have not lapsed.
fn live_names(
    conn: &Connection,
    terminal: &TerminalId,
    window: Window,
) -> rusqlite::Result<Vec<DocumentName>> {
    let mut statement =
        conn.prepare_cached("SELECT name FROM document WHERE terminal = ?1 AND body <> 'null'")?;
    let rows = statement.query_map([terminal.as_str()], |row| sql::parsed::<DocumentName>(row, 0))?;
    let names: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let inside = |name: &DocumentName| match name {
        DocumentName::List { date, .. } => window.holds(*date),
        DocumentName::CrewOf { .. } => true,
        DocumentName::Crew | DocumentName::Erasure | DocumentName::Keys | DocumentName::Config => false,
    };
    Ok(names.into_iter().filter(inside).collect())
}

/// Writes a new version down and wraps it.
fn issue(
    conn: &Connection,
    now: Timestamp,
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
    // Whose data was where must be known when a terminal is lost.
    let note = "INSERT INTO issued (pickup, terminal, first_at, last_at) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT (pickup, terminal) DO UPDATE SET last_at = ?3";
    let mut note = conn.prepare_cached(note)?;
    for pickup in &wanted.pickups {
        note.execute(params![pickup, terminal.as_str(), sql::ms(now)])?;
    }
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
