//! Terminals as the pages show them: how they stand, their certificates, what is kept of them, and who has them.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::clock::business_date;
use meguri_proto::{ConfigState, ConfigWhy, ContractId, ContractorId, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::board::{self, aside_open};
use super::names::Names;
use crate::enrol::TRIES;
use crate::people::Scope;
use crate::register::{self, Handed, Kind, Record};
use crate::schedules;
use crate::store::sql;

/// How a terminal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Kept out.
    Blocked,
    /// Lost, and let in for nothing but its erasure.
    Lost,
    /// Lost, erased, and kept out since.
    Erased,
    /// Has no certificate yet, where terminals come in by one.
    NotEnrolled,
    /// Connected.
    Online,
    /// Should have been heard.
    Silent,
    /// Not connected.
    Away,
}

/// A terminal's newest certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Certificate {
    /// From when.
    pub(super) issued: Timestamp,
    /// Until when.
    pub(super) until: Timestamp,
    /// When the terminal first came in by it.
    pub(super) connected: Option<Timestamp>,
    /// Whether it is over.
    pub(super) over: bool,
}

impl Certificate {
    /// When the terminal asks for the next one: two thirds of its life are over.
    pub(super) fn renews(&self) -> Timestamp {
        let life = self.until.duration_since(self.issued);
        self.issued.checked_add(life / 3 * 2).unwrap_or(self.until)
    }
}

/// A terminal.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    /// Its name.
    pub(super) id: TerminalId,
    /// Its vehicle.
    pub(super) vehicle: String,
    /// The contract it works under.
    pub(super) contract: ContractId,
    /// The contract's contractor.
    pub(super) contractor: ContractorId,
    /// How it stands.
    pub(super) standing: Standing,
    /// Since when it is kept out.
    pub(super) blocked: Option<Timestamp>,
    /// Since when it is lost.
    pub(super) lost: Option<Timestamp>,
    /// When it said that it is erased.
    pub(super) erased: Option<Timestamp>,
    /// When it was last heard.
    pub(super) heard: Option<Timestamp>,
    /// What it runs.
    pub(super) app: Option<String>,
    /// What it had not sent when it was last heard.
    pub(super) waiting: Option<u32>,
    /// Its certificate.
    pub(super) certificate: Option<Certificate>,
    /// Until when an open code holds.
    pub(super) code: Option<Timestamp>,
    /// What is kept of it as a thing.
    pub(super) record: Record,
    /// Who has it.
    pub(super) holder: Option<Holder>,
}

/// Who has a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    /// Which contractor.
    pub(super) contractor: ContractorId,
    /// Who signed for it.
    pub(super) person: String,
    /// Since when.
    pub(super) since: Date,
}

/// What is asked when terminals are read.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// Whose.
    pub(super) scope: Scope,
    /// The office's time.
    pub(super) now: Timestamp,
    /// This machine's time, by which codes and certificates end.
    pub(super) wall: Timestamp,
    /// How long a terminal may be silent, in minutes.
    pub(super) silence_minutes: u16,
    /// Whether terminals come in by certificate.
    pub(super) tls: bool,
}

/// The terminals that somebody sees.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    /// By name.
    pub(super) terminals: Vec<Terminal>,
    /// Names.
    pub(super) names: Names,
    /// What is set aside and open.
    pub(super) aside_open: u32,
}

/// A terminal's signed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    /// The newest version that it took.
    pub(super) held: Option<u64>,
    /// The newest one that it was offered since, and has said nothing of, or refused.
    pub(super) offered: Option<u64>,
    /// What it last said.
    pub(super) state: Option<ConfigState>,
    /// Why.
    pub(super) why: Option<ConfigWhy>,
    /// What comes next: from when, which contract, which vehicle.
    pub(super) coming: Option<(Timestamp, ContractId, String)>,
}

impl Configuration {
    /// Reads it; none where the terminal was never offered any.
    fn read(conn: &Connection, id: &TerminalId, now: Timestamp) -> rusqlite::Result<Option<Self>> {
        let newest = |which: &str| {
            let select = format!(
                "SELECT id, version FROM bundle WHERE terminal = ?1 AND {which} ORDER BY version DESC LIMIT 1"
            );
            conn.prepare_cached(&select)?
                .query_row([id.as_str()], |row| Ok((row.get::<_, i64>(0)?, sql::seq(row, 1)?)))
                .optional()
        };
        let (held, offered) = (newest("state = 'verified'")?, newest("offered_at IS NOT NULL")?);
        if offered.is_none() {
            return Ok(None);
        }
        let select = "SELECT from_at, contract, vehicle FROM schedule WHERE bundle = ?1 AND from_at > ?2 ORDER BY position LIMIT 1";
        let bundle = held.map(|(bundle, _)| bundle);
        let coming = conn
            .prepare_cached(select)?
            .query_row(params![bundle, sql::ms(now)], |row| {
                Ok((sql::instant(row.get(0)?), sql::parsed(row, 1)?, row.get(2)?))
            })
            .optional()?;
        let select = "SELECT state, why FROM config_event WHERE terminal = ?1 ORDER BY rowid DESC LIMIT 1";
        let said = conn
            .prepare_cached(select)?
            .query_row([id.as_str()], |row| Ok((schedules::said(row, 0)?, schedules::said(row, 1)?)))
            .optional()?;
        let (state, why) = said.unwrap_or_default();
        let held = held.map(|(_, version)| version);
        let offered = offered.map(|(_, version)| version).filter(|version| Some(*version) > held);
        Ok(Some(Self { held, offered, state, why, coming }))
    }
}

/// One terminal, and who has had it.
#[derive(Debug, Clone)]
pub(super) struct One {
    /// It.
    pub(super) terminal: Terminal,
    /// Its signed configuration; none where it was never offered any.
    pub(super) configuration: Option<Configuration>,
    /// Who has had it, the newest first.
    pub(super) history: Vec<Handed>,
    /// Names.
    pub(super) names: Names,
    /// What is set aside and open.
    pub(super) aside_open: u32,
}

// A code that is over, used or was tried too often opens nothing (`enrol`).
const SELECT: &str =
    "SELECT t.id, t.vehicle, t.contract, c.contractor, t.blocked_at, t.online, t.last_heard_at,
        t.app, t.waiting, cert.issued_at, cert.not_after, cert.connected_at,
        (SELECT max(until) FROM enrolment e WHERE e.terminal = t.id AND e.code_key IS NOT NULL
            AND e.used_at IS NULL AND e.failures < ?3 AND e.until > ?2),
        h.kind, h.contractor, h.person, h.day, t.lost_at, t.erased_at
    FROM terminal t JOIN contract c ON c.id = t.contract
    LEFT JOIN certificate cert ON cert.rowid =
        (SELECT max(rowid) FROM certificate WHERE terminal = t.id AND ended_at IS NULL)
    LEFT JOIN handing h ON h.id = (SELECT max(id) FROM handing WHERE terminal = t.id)
        AND (?1 IS NULL OR h.contractor = ?1)";

fn terminal(row: &Row<'_>, asking: &Asking, silent: &HashSet<String>) -> rusqlite::Result<Terminal> {
    let at = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(sql::instant));
    let id: TerminalId = sql::parsed(row, 0)?;
    let (blocked, online): (_, bool) = (at(4)?, row.get(5)?);
    let certificate = match (at(9)?, at(10)?) {
        (Some(issued), Some(until)) => {
            Some(Certificate { issued, until, connected: at(11)?, over: until <= asking.wall })
        }
        _ => None,
    };
    let (lost, erased) = (at(17)?, at(18)?);
    let standing = if blocked.is_some() && erased.is_some() {
        Standing::Erased
    } else if blocked.is_some() {
        Standing::Blocked
    } else if lost.is_some() {
        Standing::Lost
    } else if asking.tls && certificate.is_none() {
        Standing::NotEnrolled
    } else if silent.contains(id.as_str()) {
        Standing::Silent
    } else if online {
        Standing::Online
    } else {
        Standing::Away
    };
    let holder = match row.get::<_, Option<String>>(13)? {
        Some(kind) if kind == Kind::Handover.word() => Some(Holder {
            contractor: sql::parsed(row, 14)?,
            person: row.get(15)?,
            since: sql::parsed(row, 16)?,
        }),
        _ => None,
    };
    Ok(Terminal {
        id,
        vehicle: row.get(1)?,
        contract: sql::parsed(row, 2)?,
        contractor: sql::parsed(row, 3)?,
        standing,
        blocked,
        lost,
        erased,
        heard: at(6)?,
        app: row.get(7)?,
        waiting: row.get(8)?,
        certificate,
        code: at(12)?,
        record: Record::default(),
        holder,
    })
}

impl Fleet {
    /// Reads the terminals in scope.
    pub(super) fn read(conn: &Connection, asking: &Asking) -> rusqlite::Result<Self> {
        let silent = board::silent(conn, asking.now, asking.silence_minutes, &asking.scope)?;
        let select = format!("{SELECT} WHERE {} ORDER BY t.id", Scope::sees_working("t.contract", 1, 4));
        let today = business_date(asking.now).to_string();
        let mut terminals: Vec<Terminal> = conn
            .prepare_cached(&select)?
            .query_map(params![asking.scope.contractor(), sql::ms(asking.wall), TRIES, today], |row| {
                terminal(row, asking, &silent)
            })?
            .collect::<Result<_, _>>()?;
        for one in &mut terminals {
            one.record = register::record(conn, &one.id)?;
        }
        let aside_open = aside_open(conn, &asking.scope)?.map_or(0, |(count, _)| count);
        Ok(Self { terminals, names: Names::read(conn)?, aside_open })
    }

    /// Those that a text is part of: name, vehicle, contractor, numbers, who has it.
    pub(super) fn matching(&self, text: &str) -> Vec<&Terminal> {
        let wanted = text.to_lowercase();
        let fits = |terminal: &&Terminal| {
            let Record { asset, iccid, line, model, serial, .. } = &terminal.record;
            let holder = terminal.holder.as_ref().map_or("", |holder| holder.person.as_str());
            let all = [
                terminal.id.as_str(),
                self.names.vehicle(&terminal.vehicle),
                self.names.contractor(terminal.contract.as_str()),
                asset,
                iccid,
                line,
                model,
                serial,
                holder,
            ];
            all.iter().any(|one| one.to_lowercase().contains(&wanted))
        };
        self.terminals.iter().filter(fits).collect()
    }
}

impl One {
    /// Reads a terminal; none where it is not in scope.
    pub(super) fn read(
        conn: &Connection,
        id: &TerminalId,
        asking: &Asking,
    ) -> rusqlite::Result<Option<Self>> {
        let silent = board::silent(conn, asking.now, asking.silence_minutes, &asking.scope)?;
        let select = format!("{SELECT} WHERE t.id = ?5 AND {}", Scope::sees_working("t.contract", 1, 4));
        let today = business_date(asking.now).to_string();
        let found = conn.prepare_cached(&select)?.query_row(
            params![asking.scope.contractor(), sql::ms(asking.wall), TRIES, today, id.as_str()],
            |row| terminal(row, asking, &silent),
        );
        let Some(mut terminal) = found.optional()? else { return Ok(None) };
        terminal.record = register::record(conn, id)?;
        Ok(Some(Self {
            terminal,
            configuration: Configuration::read(conn, id, asking.now)?,
            history: register::history(conn, id, &asking.scope)?,
            names: Names::read(conn)?,
            aside_open: aside_open(conn, &asking.scope)?.map_or(0, |(count, _)| count),
        }))
    }
}
