//! How far each terminal of a switchover is, since when, and what to do about it.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use meguri_proto::clock::business_date;
use meguri_proto::{ConfigState, ConfigWhy, ContractId, TerminalId, VehicleId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{Kind, Rollout, State, sees};
use crate::people::Scope;
use crate::schedules::said;
use crate::store::sql;

/// A terminal that has not come as far as it should, and was not heard for so long, is silent.
pub const SILENT: SignedDuration = SignedDuration::from_hours(3 * 24);
/// So long after its instant a terminal that has not said that it changed over is silent: at night tablets are switched off, by noon
/// each has been out.
const BY_DAY: SignedDuration = SignedDuration::from_hours(12);
/// So long before its instant nobody waits any more for a terminal that is silent.
const STICK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So long after it a silent one is replaced.
const REPLACE: SignedDuration = SignedDuration::from_hours(2 * 24);

/// How far a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// Its group has not had its turn.
    Waiting,
    /// It is offered it, and has said nothing.
    Offered,
    /// It has verified it.
    Verified,
    /// It waits for the instant by itself, with or without a line.
    Staged,
    /// It is under it.
    Activated,
    /// It is under it, and reaches the office.
    Healthy,
    /// It is under it, and something that is plugged in is missing.
    Degraded,
    /// It is under it, but reaches the office by the address before.
    Reverted,
    /// It refuses it.
    Refused,
    /// It should have come further, and is not heard.
    Silent,
    /// Its contract goes on, and it has taken what else the release says.
    Unchanged,
    /// It holds what was withdrawn.
    HoldsWithdrawn,
    /// It does not hold it any more, or never did: a newer schedule has taken its place.
    LetGo,
    /// It is kept out, or lost.
    KeptOut,
}

/// What to do about a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Todo {
    /// Nothing.
    Nothing,
    /// Wait: it goes on by itself.
    Wait,
    /// Call whoever has it: it should be switched on where it has a line.
    Call,
    /// Take it there on a USB stick.
    Stick,
    /// Give the crew another tablet.
    AnotherTablet,
    /// Correct it, and push again.
    PushAgain,
    /// Look at what is plugged in.
    LookAtPeripheral,
}

/// A contract and a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The contract.
    pub contract: ContractId,
    /// The vehicle.
    pub vehicle: VehicleId,
}

/// One terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which.
    pub terminal: TerminalId,
    /// How far it is.
    pub ready: Ready,
    /// Since when, as the office heard it.
    pub since: Option<Timestamp>,
    /// Why, where it is refused, reverted or degraded.
    pub why: Option<ConfigWhy>,
    /// More of why, as the terminal said it.
    pub detail: String,
    /// Its group, from 1; 0 while nobody has pushed it.
    pub part: u32,
    /// The highest version that it said it took.
    pub held: Option<u64>,
    /// When it was last heard.
    pub last_heard: Option<Timestamp>,
    /// Whether it is connected, as last heard.
    pub online: bool,
    /// What it is before the instant.
    pub before: Bound,
    /// What it is from the instant on.
    pub after: Bound,
    /// Who has it, by the register.
    pub holder: Option<String>,
    /// Its line's number, by the register; for a contractor only while it is with them.
    pub line: Option<String>,
    /// How many facts it has not sent yet, as last heard.
    pub unsent: Option<u64>,
    /// What to do.
    pub todo: Todo,
}

/// How many terminals are how far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub of: u64,
    /// Those that will change over by themselves, or have.
    pub ready: u64,
    /// By how far they are.
    pub by: BTreeMap<Ready, u64>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The switchover.
    pub id: i64,
    /// Where it has come to.
    pub state: State,
    /// Its instant.
    pub at: Option<Timestamp>,
    /// Counts.
    pub counts: Counts,
    /// The terminals, by name.
    pub terminals: Vec<Line>,
}

impl Ready {
    /// Whether the terminal needs nobody any more.
    #[must_use]
    pub fn is_ready(self) -> bool {
        matches!(
            self,
            Self::Staged
                | Self::Activated
                | Self::Healthy
                | Self::Degraded
                | Self::Reverted
                | Self::Unchanged
        )
    }
}

/// What a terminal was given of this or a newer version, and said of it.
struct Given {
    version: u64,
    offered: Option<i64>,
    whole: Option<String>,
    said_at: Option<i64>,
    why: Option<ConfigWhy>,
    detail: Option<String>,
    /// The configuration that holds at the instant by it.
    part: Part,
}

struct Part {
    bound: Bound,
    /// Whether it begins at the very instant.
    begins: bool,
    state: Option<ConfigState>,
    said_at: Option<i64>,
    why: Option<ConfigWhy>,
    detail: Option<String>,
}

struct Of {
    pushed: bool,
    rollout: Rollout,
    terminals: u64,
    kind: Kind,
    state: State,
    at: Option<Timestamp>,
    release: i64,
    version: u64,
    /// Version of the newer one that it was withdrawn by.
    replaced: Option<u64>,
}

/// Reads it; none where there is no such switchover, or it is not for whoever asks.
///
/// # Errors
/// When the store can't be read.
pub fn read(
    conn: &Connection,
    id: i64,
    scope: &Scope,
    now: Timestamp,
) -> rusqlite::Result<Option<Readiness>> {
    if super::one(conn, id, scope, now)?.is_none() {
        return Ok(None);
    }
    let select = "SELECT s.kind, s.state, s.at, s.release, r.version, s.rollout, s.part > 0, r.terminals,
            (SELECT n.version FROM switchover AS w JOIN release AS n ON n.id = w.release WHERE w.id = s.withdrawn_by)
        FROM switchover AS s JOIN release AS r ON r.id = s.release WHERE s.id = ?1";
    let of = conn
        .prepare_cached(select)?
        .query_row([id], |row| {
            Ok(Of {
                kind: sql::word(row, 0)?,
                state: sql::word(row, 1)?,
                at: row.get::<_, Option<i64>>(2)?.map(sql::instant),
                release: row.get(3)?,
                version: sql::seq(row, 4)?,
                rollout: sql::json(row, 5)?,
                pushed: row.get(6)?,
                terminals: sql::seq(row, 7)?,
                replaced: row.get::<_, Option<i64>>(8)?.map(i64::unsigned_abs),
            })
        })
        .optional()?;
    let Some(of) = of else { return Ok(None) };
    let given = given(conn, &of, now)?;
    let terminals = lines(conn, &of, &given, scope, now)?;
    let mut counts = Counts::default();
    for line in &terminals {
        counts.of += 1;
        counts.ready += u64::from(line.ready.is_ready());
        *counts.by.entry(line.ready).or_default() += 1;
    }
    Ok(Some(Readiness { id, state: of.state, at: of.at, counts, terminals }))
}

/// The position of the configuration that holds at the instant bound to `?{number}` in a bundle, whatever it is called in the query.
pub(super) fn held_at(bundle: &str, number: u8) -> String {
    format!(
        "(SELECT max(y.position) FROM schedule AS y
            WHERE y.bundle = {bundle}.id AND (y.position = 0 OR y.from_at <= ?{number}))"
    )
}

fn given(conn: &Connection, of: &Of, now: Timestamp) -> rusqlite::Result<HashMap<String, Vec<Given>>> {
    // Of a switchover the configuration counts that holds at its instant, whichever bundle has it: one that was built afterwards has
    // it from its beginning. Of a correction that of now.
    let select = format!(
        "SELECT b.terminal, b.version, b.offered_at, b.state, b.said_at, b.why, b.detail,
            s.contract, s.vehicle, s.state, s.said_at, s.why, s.detail, s.from_at IS ?3
        FROM bundle AS m JOIN bundle AS b ON b.terminal = m.terminal AND b.version >= ?2
        JOIN schedule AS s ON s.bundle = b.id AND s.position = {}
        WHERE m.release = ?1 AND (b.release = ?1 OR b.offered_at IS NOT NULL) ORDER BY b.terminal, b.version",
        held_at("b", 3)
    );
    let at = sql::ms(of.at.unwrap_or(now));
    let mut statement = conn.prepare_cached(&select)?;
    let mut rows = statement.query(params![of.release, sql::number(of.version), at])?;
    let mut all: HashMap<String, Vec<Given>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let part = Part {
            bound: Bound { contract: sql::parsed(row, 7)?, vehicle: sql::parsed(row, 8)? },
            begins: row.get(13)?,
            state: said(row, 9)?,
            said_at: row.get(10)?,
            why: said(row, 11)?,
            detail: row.get(12)?,
        };
        all.entry(row.get(0)?).or_default().push(Given {
            version: sql::seq(row, 1)?,
            offered: row.get(2)?,
            whole: row.get(3)?,
            said_at: row.get(4)?,
            why: said(row, 5)?,
            detail: row.get(6)?,
            part,
        });
    }
    Ok(all)
}

fn lines(
    conn: &Connection,
    of: &Of,
    given: &HashMap<String, Vec<Given>>,
    scope: &Scope,
    now: Timestamp,
) -> rusqlite::Result<Vec<Line>> {
    let select = format!(
        "SELECT b.terminal, b.place, coalesce(p.contract, b.from_contract), coalesce(p.vehicle, b.from_vehicle),
            t.last_heard_at, t.online, t.waiting, t.blocked_at IS NOT NULL OR t.lost_at IS NOT NULL,
            h.person, CASE WHEN ?1 IS NULL OR EXISTS (SELECT 1 FROM contract AS now WHERE now.id = t.contract
                AND now.contractor = ?1) THEN nullif(r.line, '') END
        FROM bundle AS b JOIN terminal AS t ON t.id = b.terminal
        LEFT JOIN schedule AS s ON s.bundle = b.id AND s.from_at = ?3
        LEFT JOIN schedule AS p ON p.bundle = s.bundle AND p.position = s.position - 1
        LEFT JOIN terminal_record AS r ON r.terminal = t.id
        LEFT JOIN handing AS h ON h.id = (SELECT max(id) FROM handing WHERE terminal = t.id)
            AND h.kind = 'handover' AND (?1 IS NULL OR h.contractor = ?1)
        WHERE b.release = ?4 AND {} ORDER BY b.terminal",
        sees("b", 1, 2)
    );
    let today = business_date(now).to_string();
    let at = of.at.map(sql::ms);
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map(params![scope.contractor(), today, at, of.release], |row| {
        let terminal: TerminalId = sql::parsed(row, 0)?;
        let before = Bound { contract: sql::parsed(row, 2)?, vehicle: sql::parsed(row, 3)? };
        let mine: &[Given] = given.get(terminal.as_str()).map_or(&[], Vec::as_slice);
        let heard = row.get::<_, Option<i64>>(4)?.map(sql::instant);
        let kept_out: bool = row.get(7)?;
        let Reached { mut ready, mut since, why, detail } = reached(of, mine);
        if kept_out {
            (ready, since) = (Ready::KeptOut, None);
        } else if is_silent(of, ready, heard, now) {
            (ready, since) = (Ready::Silent, heard);
        }
        let after = mine.last().map(|one| one.part.bound.clone());
        let held =
            mine.iter().rev().find(|one| one.whole.as_deref() == Some("verified")).map(|one| one.version);
        Ok(Line {
            terminal,
            ready,
            since,
            why,
            detail,
            part: if of.pushed { of.rollout.group(sql::seq(row, 1)?, of.terminals) } else { 0 },
            held,
            last_heard: heard,
            online: row.get(5)?,
            after: after.unwrap_or_else(|| before.clone()),
            before,
            holder: row.get(8)?,
            line: row.get(9)?,
            unsent: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
            todo: todo(of, ready, heard, now),
        })
    })?;
    rows.collect()
}

struct Reached {
    ready: Ready,
    since: Option<Timestamp>,
    why: Option<ConfigWhy>,
    detail: String,
}

/// How far a terminal is by what it said, the newest that it took first.
fn reached(of: &Of, given: &[Given]) -> Reached {
    let plain = |ready, since: Option<i64>| Reached {
        ready,
        since: since.map(sql::instant),
        why: None,
        detail: String::new(),
    };
    let held = given.iter().rev().find(|one| one.whole.as_deref() == Some("verified"));
    if of.state == State::Withdrawn {
        // What is newer than what it was withdrawn by was decided anew, with the same instant or without.
        let withdrawn = |version: u64| of.replaced.map_or(version == of.version, |by| version < by);
        return match held {
            Some(Given { part, said_at, version, .. })
                if (part.begins || of.kind == Kind::Correction) && withdrawn(*version) =>
            {
                plain(Ready::HoldsWithdrawn, *said_at)
            }
            _ => plain(Ready::LetGo, held.and_then(|held| held.said_at)),
        };
    }
    let own = given.iter().find(|one| one.version == of.version).map(|one| &one.part);
    let meant = |part: &Part| own.is_none_or(|own| own.bound.contract == part.bound.contract);
    match held {
        Some(held) if !meant(&held.part) => plain(Ready::LetGo, held.said_at),
        Some(held) if of.kind == Kind::Switchover && own.is_some_and(|own| !own.begins) => {
            plain(Ready::Unchanged, held.said_at)
        }
        Some(Given { part, said_at, .. }) => {
            let ready = match part.state {
                None | Some(ConfigState::Verified | ConfigState::Refused) => {
                    return plain(Ready::Verified, *said_at);
                }
                Some(ConfigState::Staged) => Ready::Staged,
                Some(ConfigState::Activated) => Ready::Activated,
                Some(ConfigState::Healthy) => Ready::Healthy,
                Some(ConfigState::Degraded) => Ready::Degraded,
                Some(ConfigState::Reverted) => Ready::Reverted,
            };
            let detail = part.detail.clone().unwrap_or_default();
            Reached { ready, since: part.said_at.map(sql::instant), why: part.why, detail }
        }
        None => match given.iter().rev().find(|one| one.offered.is_some()) {
            None => plain(Ready::Waiting, None),
            Some(one) if one.whole.as_deref() == Some("refused") => Reached {
                ready: Ready::Refused,
                since: one.said_at.map(sql::instant),
                why: one.why,
                detail: one.detail.clone().unwrap_or_default(),
            },
            Some(one) => plain(Ready::Offered, one.offered),
        },
    }
}

/// Whether a terminal should have come further, and is not heard.
fn is_silent(of: &Of, ready: Ready, heard: Option<Timestamp>, now: Timestamp) -> bool {
    let over = of.at.filter(|at| now.duration_since(*at) >= BY_DAY);
    let waits = match ready {
        Ready::Waiting | Ready::Offered | Ready::Verified => true,
        // It changes over by itself; after the instant it has to say so.
        Ready::Staged => over.is_some(),
        _ => false,
    };
    // Some hours after the instant since it, before that for some days.
    let since = over.unwrap_or_else(|| now.checked_sub(SILENT).unwrap_or(Timestamp::MIN));
    waits && heard.is_none_or(|heard| heard < since)
}

fn todo(of: &Of, ready: Ready, heard: Option<Timestamp>, now: Timestamp) -> Todo {
    let left = of.at.map(|at| at.duration_since(now));
    let gone = heard.is_none_or(|heard| now.duration_since(heard) >= SILENT);
    match ready {
        Ready::Staged | Ready::Healthy | Ready::Unchanged | Ready::LetGo => Todo::Nothing,
        Ready::Waiting | Ready::Offered | Ready::Verified | Ready::Activated => Todo::Wait,
        Ready::Degraded => Todo::LookAtPeripheral,
        Ready::Reverted | Ready::Refused => Todo::PushAgain,
        Ready::KeptOut => Todo::AnotherTablet,
        // Came to it by a stick after all: nothing newer is under way.
        Ready::HoldsWithdrawn if of.replaced.is_none() => Todo::PushAgain,
        Ready::HoldsWithdrawn if !gone => Todo::Wait,
        Ready::Silent | Ready::HoldsWithdrawn => match left {
            Some(left) if left > STICK => Todo::Call,
            Some(left) if !left.is_negative() => Todo::Stick,
            Some(left) if left.abs() >= REPLACE => Todo::AnotherTablet,
            _ => Todo::Call,
        },
    }
}
