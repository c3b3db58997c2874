//! One day as the store has it: what the front page shows, read in one snapshot so that its numbers agree.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use meguri_proto::clock::{business_date, midnight};
use meguri_proto::pickup::{Contradiction, Result as Outcome};
use meguri_proto::{Fact, FactBody};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::names::Names;
use super::part::{self, Part};
use super::state::{Counts, State};
use crate::import::Missing;
use crate::people::Scope;
use crate::pickups::Saying;
use crate::store::sql;

/// How many exceptions the front page shows; the rest is a page away.
pub(super) const ATTENTION_SHOWN: u32 = 12;
/// How many confirmations are shown.
const LATEST_SHOWN: u32 = 15;
/// How many notices are read; more than a few mean one cause.
const NOTICES_READ: u32 = 100;
/// The pace of a vehicle is that of its last hour.
const PACE_MINUTES: i64 = 60;
/// No pace is told from less than this …
const PACE_LEAST_MINUTES: i64 = 20;
/// … or from fewer confirmations.
const PACE_LEAST_COUNT: u32 = 3;

/// A day.
#[derive(Debug, Clone)]
pub(super) struct Board {
    /// Which day.
    pub(super) date: Date,
    /// When it was read.
    pub(super) now: Timestamp,
    /// Up to which history row.
    pub(super) history: i64,
    /// The smallest slices of the plan.
    pub(super) slices: Vec<Slice>,
    /// Why pickups were not collected, the most frequent first.
    pub(super) reasons: Vec<(Why, u32)>,
    /// What needs looking at, the gravest first.
    pub(super) attention: Vec<Attention>,
    /// How many need looking at, those not in `attention` included.
    pub(super) attention_count: u32,
    /// The latest confirmations.
    pub(super) latest: Vec<Line>,
    /// Terminals in use.
    pub(super) terminals: Vec<Terminal>,
    /// How long a terminal may be silent before somebody should ask, in minutes.
    pub(super) silence_minutes: u16,
    /// What was set aside and is open.
    pub(super) aside_open: u32,
    /// When each vehicle is likely to be done.
    pub(super) finish: HashMap<String, Timestamp>,
    /// The nearest days with pickups.
    pub(super) before: Option<Date>,
    /// The nearest days with pickups.
    pub(super) after: Option<Date>,
    /// When the last contract of whoever looks was over.
    pub(super) ended: Option<Date>,
    /// Names.
    pub(super) names: Names,
}

/// The pickups of one ward on one vehicle.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// The ward.
    pub(super) ward: String,
    /// The contract.
    pub(super) contract: String,
    /// The vehicle.
    pub(super) vehicle: String,
    /// Their states.
    pub(super) counts: Counts,
    /// When the last one was confirmed.
    pub(super) last: Option<i64>,
}

/// Why a pickup counts as not collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The crew's reason, by its code.
    Reason(String),
    /// The state itself says it.
    State(State),
}

/// A terminal in use.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    /// Its id.
    pub(super) id: String,
    /// Its vehicle.
    pub(super) vehicle: String,
    /// The contract it works under.
    pub(super) contract: String,
    /// Whether it is connected.
    pub(super) online: bool,
    /// When it was last heard.
    pub(super) heard: Option<i64>,
    /// What it had not sent when it was last heard.
    pub(super) waiting: Option<u32>,
    /// Whether it should have been heard since.
    pub(super) silent: bool,
}

/// One pickup on a line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its id.
    pub(super) uid: Uuid,
    /// Reception number.
    pub(super) reception: String,
    /// Town; none where it was erased.
    pub(super) town: Option<String>,
    /// Contract.
    pub(super) contract: String,
    /// Vehicle.
    pub(super) vehicle: String,
    /// State.
    pub(super) state: State,
    /// Reason's code.
    pub(super) reason: Option<String>,
    /// What contradicts.
    pub(super) contradictions: Vec<Contradiction>,
    /// When it happened, or when the office learnt of it.
    pub(super) at: Option<i64>,
    /// What the crew wrote.
    pub(super) note: Option<String>,
    /// What was collected of which item.
    pub(super) part: Vec<Part>,
}

/// Why an import is held.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The file's name.
    pub(super) file: String,
    /// Days of which too much is missing in it.
    pub(super) missing: Vec<Missing>,
}

/// What needs looking at.
#[derive(Debug, Clone)]
pub(super) enum Attention {
    /// A pickup.
    Pickup(Line),
    /// A round with pickups left that no terminal gets.
    Uncarried {
        /// Its contract.
        contract: String,
        /// Its vehicle.
        vehicle: String,
        /// How many pickups are left.
        left: u32,
    },
    /// A terminal that should have been heard.
    Silent {
        /// The terminal.
        terminal: Terminal,
        /// How many pickups its vehicle has left.
        left: u32,
    },
    /// A notice.
    Notice {
        /// Its number, by which a person settles it.
        id: i64,
        /// Its kind.
        kind: String,
        /// Which terminal.
        terminal: Option<String>,
        /// When.
        at: i64,
        /// More, in ids and numbers.
        detail: serde_json::Value,
        /// Of a held import: which, and why.
        held: Option<Held>,
    },
    /// Something was set aside.
    Aside {
        /// How much of it is open.
        count: u32,
        /// When the last came.
        at: i64,
    },
}

impl Board {
    /// Reads what is in scope of a day. Terminals may be silent for `silence_minutes`.
    pub(super) fn read(
        conn: &Connection,
        date: Date,
        now: Timestamp,
        silence_minutes: u16,
        scope: &Scope,
    ) -> rusqlite::Result<Self> {
        let today = business_date(now) == date;
        let names = Names::read(conn)?;
        let slices = slices(conn, date, scope)?;
        let mut left: HashMap<String, u32> = HashMap::new();
        for slice in &slices {
            *left.entry(slice.vehicle.clone()).or_default() += slice.counts.left;
        }
        let paces = paces(conn, date, now, scope)?;
        let begun = paces.values().map(|pace| pace.heard).min();
        let heard_since = now.checked_sub(i64::from(silence_minutes).minutes()).unwrap_or(Timestamp::MIN);
        let terminals = terminals(conn, date, business_date(now), sql::ms(heard_since), begun, &left, scope)?;
        let aside = aside_open(conn, scope)?;
        let finish = if today { finish(&left, &paces, now) } else { HashMap::new() };

        let mut attention = Vec::new();
        attention.extend(notices(conn, (!today).then_some(date), scope)?);
        if today {
            attention.extend(uncarried(&slices, &terminals));
            attention.extend(terminals.iter().filter(|terminal| terminal.silent).map(|terminal| {
                let left = left.get(&terminal.vehicle).copied().unwrap_or(0);
                Attention::Silent { terminal: terminal.clone(), left }
            }));
            if let Some((count, at)) = aside {
                attention.push(Attention::Aside { count, at });
            }
        }
        let exceptions = count_exceptions(conn, date, scope)?;
        let attention_count = u32::try_from(attention.len()).unwrap_or(u32::MAX).saturating_add(exceptions);
        let exceptions = self::exceptions(conn, date, ATTENTION_SHOWN, 0, scope)?;
        // Where terminals contradict each other only a person can decide, so that stands first.
        let (decide, rest): (Vec<_>, Vec<_>) =
            exceptions.into_iter().partition(|line| !line.contradictions.is_empty());
        attention.splice(0..0, decide.into_iter().map(Attention::Pickup));
        attention.extend(rest.into_iter().map(Attention::Pickup));

        // Whoever's contracts are over is led to their last days at once, however long ago these were.
        let last_day = scope.last_day(conn)?;
        let nearest = |select: &str, day: Option<Date>| -> rusqlite::Result<Option<Date>> {
            let Some(day) = day else { return Ok(None) };
            let select = format!("{select} AND {}", Scope::sees_pickup("", 2));
            let found: Option<String> = conn
                .prepare_cached(&select)?
                .query_row(params![day.to_string(), scope.contractor()], |row| row.get(0))?;
            Ok(found.and_then(|date| date.parse().ok()))
        };
        let before = date.yesterday().ok().map(|day| last_day.map_or(day, |last| day.min(last)));
        let after = date.tomorrow().ok().filter(|day| last_day.is_none_or(|last| *day <= last));
        Ok(Self {
            date,
            now,
            history: last_history(conn)?,
            reasons: reasons(conn, date, scope)?,
            slices,
            attention,
            attention_count,
            latest: latest(conn, date, scope)?,
            terminals,
            silence_minutes,
            aside_open: aside.map_or(0, |(count, _)| count),
            finish,
            before: nearest("SELECT max(date) FROM pickup WHERE date <= ?1", before)?,
            after: nearest("SELECT min(date) FROM pickup WHERE date >= ?1", after)?,
            ended: last_day.filter(|last| *last < business_date(now)),
            names,
        })
    }

    /// All of the day.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for slice in &self.slices {
            counts.add_all(slice.counts);
        }
        counts
    }

    /// Whether it is the day on which it was read.
    pub(super) fn is_today(&self) -> bool {
        self.today() == self.date
    }

    /// The day on which it was read.
    pub(super) fn today(&self) -> Date {
        business_date(self.now)
    }
}

/// Up to which row history is committed; the number of the live stream.
pub(super) fn last_history(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(id), 0) FROM history")?.query_row([], |row| row.get(0))
}

/// How much is set aside and open, and when the last came; none for nothing.
pub(super) fn aside_open(conn: &Connection, scope: &Scope) -> rusqlite::Result<Option<(u32, i64)>> {
    let sees = Scope::sees_came("contract", "at", 1);
    let select = format!(
        "SELECT count(*), (SELECT at FROM aside WHERE settled_at IS NULL AND {sees} ORDER BY id DESC LIMIT 1)
        FROM aside WHERE settled_at IS NULL AND {sees}"
    );
    let (count, at): (u32, Option<i64>) = conn
        .prepare_cached(&select)?
        .query_row([scope.contractor()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(at.map(|at| (count, at)))
}

/// When a pickup of the store was confirmed, for a person; NULL where it was not. The same as [`super::format::happened`].
pub(super) const HAPPENED: &str = "CASE WHEN said_at BETWEEN
        min((unixepoch(date) - 32400) * 1000, received_at - (received_at + 32400000) % 86400000) AND received_at
    THEN said_at ELSE received_at END";

fn slices(conn: &Connection, date: Date, scope: &Scope) -> rusqlite::Result<Vec<Slice>> {
    let sees = Scope::sees_pickup("", 2);
    let select = format!(
        "SELECT contract, vehicle, ward, state, count(*), max({HAPPENED})
        FROM pickup WHERE date = ?1 AND {sees} GROUP BY contract, vehicle, ward, state ORDER BY contract, vehicle, ward"
    );
    let mut statement = conn.prepare_cached(&select)?;
    let mut rows = statement.query(params![date.to_string(), scope.contractor()])?;
    let mut slices: Vec<Slice> = Vec::new();
    while let Some(row) = rows.next()? {
        let (contract, vehicle, ward): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (state, count, last): (State, u32, Option<i64>) =
            (State::of_row(row, 3)?, row.get(4)?, row.get(5)?);
        match slices.last_mut() {
            Some(slice) if (&slice.contract, &slice.vehicle, &slice.ward) == (&contract, &vehicle, &ward) => {
                slice.counts.add(state, count);
                slice.last = slice.last.max(last);
            }
            _ => {
                let mut counts = Counts::default();
                counts.add(state, count);
                slices.push(Slice { ward, contract, vehicle, counts, last });
            }
        }
    }
    Ok(slices)
}

fn reasons(conn: &Connection, date: Date, scope: &Scope) -> rusqlite::Result<Vec<(Why, u32)>> {
    let sees = Scope::sees_pickup("", 2);
    let select = format!(
        "SELECT state, reason, count(*) FROM pickup
        WHERE date = ?1 AND {sees} AND state IN ('not_collected', 'revisit', 'not_reported')
        GROUP BY state, reason ORDER BY 3 DESC, 2"
    );
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map(params![date.to_string(), scope.contractor()], |row| {
        let state = State::of_row(row, 0)?;
        let why = match row.get(1)? {
            Some(reason) if state == State::NotCollected => Why::Reason(reason),
            _ => Why::State(state),
        };
        Ok((why, row.get(2)?))
    })?;
    rows.collect()
}

struct Pace {
    /// When the office first heard that one of the vehicle's pickups of the day was confirmed.
    heard: i64,
    /// When the first one was confirmed.
    first: i64,
    /// How many were in the last hour.
    count: u32,
}

fn paces(
    conn: &Connection,
    date: Date,
    now: Timestamp,
    scope: &Scope,
) -> rusqlite::Result<HashMap<String, Pace>> {
    let sees = Scope::sees_pickup("", 3);
    let select = format!(
        "SELECT vehicle, min(received_at), min(at), count(*) FILTER (WHERE at > ?2) FROM
        (SELECT vehicle, received_at, {HAPPENED} AS at FROM pickup
            WHERE date = ?1 AND received_at IS NOT NULL AND {sees})
        GROUP BY vehicle"
    );
    let hour_ago = now.checked_sub(PACE_MINUTES.minutes()).unwrap_or(Timestamp::MIN);
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement
        .query_map(params![date.to_string(), sql::ms(hour_ago), scope.contractor()], |row| {
            Ok((row.get(0)?, Pace { heard: row.get(1)?, first: row.get(2)?, count: row.get(3)? }))
        })?;
    rows.collect()
}

/// When each vehicle with pickups left is done if it keeps the pace of its last hour. Vehicles of which too
/// little is known are not in it.
fn finish(
    left: &HashMap<String, u32>,
    paces: &HashMap<String, Pace>,
    now: Timestamp,
) -> HashMap<String, Timestamp> {
    let mut finish = HashMap::new();
    for (vehicle, &left) in left.iter().filter(|(_, left)| **left > 0) {
        let Some(pace) = paces.get(vehicle) else { continue };
        let since_first = now.duration_since(sql::instant(pace.first)).as_secs();
        if pace.count < PACE_LEAST_COUNT || since_first < PACE_LEAST_MINUTES * 60 {
            continue;
        }
        let seconds = since_first.min(PACE_MINUTES * 60) * i64::from(left) / i64::from(pace.count);
        if let Ok(at) = now.checked_add(seconds.seconds()) {
            finish.insert(vehicle.clone(), at);
        }
    }
    finish
}

/// Terminals in use `today`; silent on a date are those not heard after `limit`.
fn terminals(
    conn: &Connection,
    date: Date,
    today: Date,
    limit: i64,
    begun: Option<i64>,
    left: &HashMap<String, u32>,
    scope: &Scope,
) -> rusqlite::Result<Vec<Terminal>> {
    // In the morning nobody has been heard for hours; that means something only once the day has begun,
    // by the office's own clock.
    let day_begun = begun.is_some_and(|first| first <= limit);
    let select = format!(
        "SELECT id, vehicle, online, last_heard_at, waiting, contract FROM terminal
        WHERE blocked_at IS NULL AND lost_at IS NULL AND {} ORDER BY vehicle, id",
        Scope::sees_working("contract", 1, 2)
    );
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map(params![scope.contractor(), today.to_string()], |row| {
        let (id, vehicle, heard): (String, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let heard_on_day = heard.is_some_and(|heard| business_date(sql::instant(heard)) == date);
        let silent = left.get(&vehicle).is_some_and(|left| *left > 0)
            && heard.is_none_or(|heard| heard <= limit)
            && (heard_on_day || day_begun);
        let contract = row.get(5)?;
        Ok(Terminal { id, vehicle, contract, online: row.get(2)?, heard, waiting: row.get(4)?, silent })
    })?;
    rows.collect()
}

/// The terminals that should have been heard today and were not, by name.
pub(super) fn silent(
    conn: &Connection,
    now: Timestamp,
    silence_minutes: u16,
    scope: &Scope,
) -> rusqlite::Result<HashSet<String>> {
    let date = business_date(now);
    let mut left: HashMap<String, u32> = HashMap::new();
    for slice in slices(conn, date, scope)? {
        *left.entry(slice.vehicle).or_default() += slice.counts.left;
    }
    let begun = paces(conn, date, now, scope)?.values().map(|pace| pace.heard).min();
    let limit = sql::ms(now.checked_sub(i64::from(silence_minutes).minutes()).unwrap_or(Timestamp::MIN));
    let terminals = terminals(conn, date, date, limit, begun, &left, scope)?;
    Ok(terminals.into_iter().filter(|terminal| terminal.silent).map(|terminal| terminal.id).collect())
}

/// Rounds with pickups left that no terminal carries: it must have both their vehicle and their contract, as the lists
/// have it.
fn uncarried(slices: &[Slice], terminals: &[Terminal]) -> Vec<Attention> {
    let mut left: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for slice in slices.iter().filter(|slice| slice.counts.left > 0) {
        *left.entry((&slice.vehicle, &slice.contract)).or_default() += slice.counts.left;
    }
    left.retain(|round, _| {
        !terminals.iter().any(|terminal| (&*terminal.vehicle, &*terminal.contract) == *round)
    });
    let uncarried = left.into_iter().map(|((vehicle, contract), left)| Attention::Uncarried {
        contract: contract.to_owned(),
        vehicle: vehicle.to_owned(),
        left,
    });
    uncarried.collect()
}

/// Notices that nobody has settled: of one day, or all. The newest first.
fn notices(conn: &Connection, date: Option<Date>, scope: &Scope) -> rusqlite::Result<Vec<Attention>> {
    let (from, until) = match date.map(|date| (date, date.tomorrow())) {
        Some((date, Ok(next))) => (sql::ms(midnight(date)), sql::ms(midnight(next))),
        _ => (i64::MIN, i64::MAX),
    };
    // A dispatcher is told of their contractor's terminals; what is the whole office's is the city's to settle.
    let select = format!(
        "SELECT n.id, n.kind, n.terminal, n.at, n.detail, i.file, i.held_why FROM notice n
        LEFT JOIN import i ON i.state = 'held' AND i.id = json_extract(n.detail, '$.import')
        WHERE n.settled_at IS NULL AND n.at >= ?1 AND n.at < ?2 AND {} ORDER BY n.id DESC LIMIT ?3",
        Scope::sees_came("n.contract", "n.at", 4)
    );
    let mut statement = conn.prepare_cached(&select)?;
    let rows = statement.query_map(params![from, until, NOTICES_READ, scope.contractor()], |row| {
        Ok(Attention::Notice {
            id: row.get(0)?,
            kind: row.get(1)?,
            terminal: row.get(2)?,
            at: row.get(3)?,
            detail: sql::json(row, 4).unwrap_or_default(),
            held: match row.get(5)? {
                Some(file) => Some(Held { file, missing: sql::json(row, 6)? }),
                None => None,
            },
        })
    })?;
    rows.collect()
}

const EXCEPTION: &str =
    "(p.state IN ('not_collected', 'partly', 'not_reported') OR p.contradictions IS NOT NULL)";

/// How many pickups of a day need looking at.
pub(super) fn count_exceptions(conn: &Connection, date: Date, scope: &Scope) -> rusqlite::Result<u32> {
    let sees = Scope::sees_pickup("p.", 2);
    let select = format!("SELECT count(*) FROM pickup p WHERE p.date = ?1 AND {sees} AND {EXCEPTION}");
    conn.prepare_cached(&select)?.query_row(params![date.to_string(), scope.contractor()], |row| row.get(0))
}

/// Pickups of a day that need looking at: contradictions first, then the newest.
pub(super) fn exceptions(
    conn: &Connection,
    date: Date,
    most: u32,
    skip: u32,
    scope: &Scope,
) -> rusqlite::Result<Vec<Line>> {
    let sees = Scope::sees_pickup("p.", 4);
    // Chosen by what the day's index holds; only those shown are read whole.
    let order = "ORDER BY p.contradictions IS NULL, p.received_at DESC, p.said_at DESC, p.id";
    let select = format!(
        "SELECT {HAPPENED}, {LINE} WHERE p.id IN
            (SELECT p.id FROM pickup p WHERE p.date = ?1 AND {sees} AND {EXCEPTION} {order} LIMIT ?2 OFFSET ?3) {order}"
    );
    let mut lines: Vec<Line> = conn
        .prepare_cached(&select)?
        .query_map(params![date.to_string(), most, skip, scope.contractor()], line)?
        .collect::<Result<_, _>>()?;
    for line in &mut lines {
        say_more(conn, line)?;
    }
    Ok(lines)
}

fn latest(conn: &Connection, date: Date, scope: &Scope) -> rusqlite::Result<Vec<Line>> {
    let sees = Scope::sees_pickup("p.", 3);
    let order = "ORDER BY p.received_at DESC, p.said_at DESC, p.id";
    let select = format!(
        "SELECT {HAPPENED}, {LINE} WHERE p.id IN
            (SELECT p.id FROM pickup p WHERE p.date = ?1 AND p.received_at IS NOT NULL AND {sees} {order} LIMIT ?2)
        {order}"
    );
    conn.prepare_cached(&select)?
        .query_map(params![date.to_string(), LATEST_SHOWN, scope.contractor()], line)?
        .collect()
}

const LINE: &str = "p.uid, p.reception, r.town, p.contract, p.vehicle, p.state, p.reason, p.contradictions
    FROM pickup p LEFT JOIN resident r ON r.pickup = p.id AND r.rev = p.rev";

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        at: row.get(0)?,
        uid: sql::uuid(row, 1)?,
        reception: row.get(2)?,
        town: row.get(3)?,
        contract: row.get(4)?,
        vehicle: row.get(5)?,
        state: State::of_row(row, 6)?,
        reason: row.get(7)?,
        contradictions: contradictions(row, 8)?,
        note: None,
        part: Vec::new(),
    })
}

/// A column with contradictions; NULL for none.
pub(super) fn contradictions(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Contradiction>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(Vec::new()),
        _ => sql::json(row, column),
    }
}

/// Adds what the crew wrote, and what of it was collected.
fn say_more(conn: &Connection, line: &mut Line) -> rusqlite::Result<()> {
    let select = format!(
        "SELECT f.body, {HAPPENED}, p.id, h.id FROM (SELECT id, by_fact, said_at, received_at, date FROM pickup WHERE uid = ?1) p
        JOIN (SELECT id, body FROM fact) f ON f.id = p.by_fact
        JOIN (SELECT id, pickup, fact FROM history) h ON h.pickup = p.id AND h.fact = f.id"
    );
    let found: Option<(FactBody, Saying)> = conn
        .prepare_cached(&select)?
        .query_row([line.uid.as_bytes().as_slice()], |row| {
            Ok((sql::json(row, 0)?, Saying { at: row.get(1)?, pickup: row.get(2)?, history: row.get(3)? }))
        })
        .optional()?;
    let Some((FactBody { fact: Fact::Outcome(outcome), .. }, saying)) = found else { return Ok(()) };
    let note = match outcome.result {
        Outcome::Collected => None,
        Outcome::NotCollected { note, .. } => note,
        Outcome::Partly { items, note } => {
            line.part = part::read(conn, saying, &items)?;
            note
        }
    };
    if let Some(digest) = note {
        line.note = note_text(conn, digest)?;
    }
    Ok(())
}

/// The text of a note; none where it has not arrived or was erased.
pub(super) fn note_text(conn: &Connection, digest: meguri_proto::Digest) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT text FROM note WHERE sha256 = ?1")?
        .query_row([digest.0.as_slice()], |row| row.get(0))
        .optional()
}
