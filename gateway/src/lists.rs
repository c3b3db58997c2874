//! Documents: day lists, made from the store, issued anew where what they are made for has changed, and
//! compared with what a terminal says it holds; and beside them who its crew is, and whether it is to be erased.
//!
//! A list's *basis* is everything in it but what its own terminal said: own facts alone make no new
//! version, since the tablet lays them over by itself.

mod make;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::{
    ContractorId, DayList, Digest, Document, DocumentHeld, DocumentName, Hello, Message as _, TerminalId,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::value::RawValue;

use crate::store::sql;
use crate::touched::Round;
use crate::{crew, lost};
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

/// Who a terminal works for.
#[derive(Debug, Clone)]
struct Binding {
    round: Round,
    contractor: ContractorId,
    blocked: bool,
    /// It gets nothing but its erasure.
    lost: bool,
}

fn binding(conn: &Connection, terminal: &TerminalId, date: Date) -> rusqlite::Result<Option<Binding>> {
    let select = "SELECT terminal.contract, vehicle, contractor, blocked_at IS NOT NULL, lost_at IS NOT NULL
        FROM terminal JOIN contract ON contract.id = terminal.contract WHERE terminal.id = ?1";
    conn.prepare_cached(select)?
        .query_row([terminal.as_str()], |row| {
            let round = Round { date, contract: sql::parsed(row, 0)?, vehicle: sql::parsed(row, 1)? };
            Ok(Binding { round, contractor: sql::parsed(row, 2)?, blocked: row.get(3)?, lost: row.get(4)? })
        })
        .optional()
}

/// The terminals that carry a round and are neither blocked nor lost.
///
/// # Errors
/// When the store can't be read.
pub fn carriers(conn: &Connection, round: &Round) -> rusqlite::Result<Vec<TerminalId>> {
    let select = "SELECT id FROM terminal WHERE contract = ?1 AND vehicle = ?2 AND blocked_at IS NULL
        AND lost_at IS NULL";
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
    let Some(binding) = binding(conn, terminal, date)? else { return Ok(None) };
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

/// The documents of no day.
const STANDING: [DocumentName; 2] = [DocumentName::Erasure, DocumentName::Crew];

/// A document of no day as it should be now; none where the terminal never had one and needs none.
fn standing(
    conn: &Connection,
    binding: &Binding,
    name: &DocumentName,
    issued: bool,
) -> Result<Option<Wanted>, ListError> {
    let body = match name {
        DocumentName::Erasure if binding.lost => Some(lost::ERASURE.to_owned()),
        DocumentName::Crew if !binding.lost => crew::of(conn, &binding.contractor)?
            .map(|list| serde_json::to_string(&list))
            .transpose()
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?,
        // What a lost terminal was given stays known as it is.
        DocumentName::Crew | DocumentName::List { .. } if binding.lost => return Ok(None),
        _ => None,
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
    let Some(binding) = binding(conn, terminal, window.from)? else { return Ok(Vec::new()) };
    let mut issued = Vec::new();
    if !binding.blocked {
        for name in STANDING {
            let kept = kept(conn, terminal, &name)?;
            let wanted = standing(conn, &binding, &name, kept.is_some())?;
            if wanted.is_some() {
                issued.extend(renew(conn, now, terminal, &name, kept, wanted)?);
            }
        }
    }
    for name in live_names(conn, terminal, window)? {
        let DocumentName::List { contract, .. } = &name else { continue };
        if binding.lost || !binding.blocked && *contract == binding.round.contract {
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
    let Some(binding) = binding(conn, terminal, window.from)? else { return Ok(Vec::new()) };
    if binding.blocked {
        return Ok(Vec::new());
    }
    let mut names: BTreeSet<DocumentName> = STANDING.into();
    names.extend(hello.documents.iter().map(|held| held.name.clone()));
    names.extend(live_names(conn, terminal, window)?);
    names.extend(
        window.days().map(|date| DocumentName::List { contract: binding.round.contract.clone(), date }),
    );
    let mut issued = Vec::new();
    for name in names {
        let theirs = hello.documents.iter().find(|held| held.name == name);
        let kept = kept(conn, terminal, &name)?;
        let known = kept.is_some() || theirs.is_some();
        let wanted = match &name {
            DocumentName::Erasure | DocumentName::Crew => standing(conn, &binding, &name, known),
            DocumentName::List { .. } if binding.lost => Ok(None),
            DocumentName::List { contract, .. } if *contract != binding.round.contract => {
                Ok(Some(Wanted::lapsed()))
            }
            DocumentName::List { date, .. } if window.holds(*date) => {
                let round = Round { date: *date, ..binding.round.clone() };
                make(conn, terminal, &round, known)
            }
            // Past days and far ones are left as they were issued.
            DocumentName::List { .. } => Ok(None),
            DocumentName::CrewOf { .. } | DocumentName::Keys | DocumentName::Config => Ok(None),
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
    let inside = |name: &DocumentName| match name {
        DocumentName::List { date, .. } => window.holds(*date),
        DocumentName::Crew
        | DocumentName::CrewOf { .. }
        | DocumentName::Erasure
        | DocumentName::Keys
        | DocumentName::Config => false,
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
