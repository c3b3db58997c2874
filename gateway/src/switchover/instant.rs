//! What an instant asks of the office, and the days before and after it: rows follow schedules, what is pushed is offered, open pickups
//! of contracts that ended are closed, and people are told.
//!
//! All of it is derived from the store and done in short steps between acknowledgements; where no gateway ran at the instant it is
//! caught up with at the start.

use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use meguri_proto::TerminalId;
use meguri_proto::clock::business_date;
use meguri_proto::pickup::OfficeWord;
use rusqlite::{Connection, params};
use serde_json::json;

use super::readiness::held_at;
use super::rollout::Pushing;
use super::steps::{set_closed, settle};
use super::{State, Step, note, rollout, set_state};
use crate::pickups;
use crate::plan;
use crate::schedules;
use crate::store::sql;
use crate::touched::{Round, Touched};

/// Of more terminals it is not counted with everything that one of them says how far they are, but with each look at the day: every
/// 30 s, and each switchover in a transaction of its own.
const MANY: u64 = 500;
/// How many terminals or pickups are looked at between two looks at the time.
const SOME: usize = 50;
/// So many days before an instant people are told how many terminals are not ready.
const AHEAD: [i64; 3] = [14, 7, 1];
/// The kind of the notice that an instant came before what was approved for it was pushed.
pub(super) const MISSED: &str = "switchover_missed";
/// The kind of the notice that terminals still hold what was withdrawn, shortly before it would take effect.
pub(super) const HELD: &str = "withdrawn_held";
/// So long after an instant people are told which terminals are not there yet: vehicles are out by then.
const BEHIND: SignedDuration = SignedDuration::from_hours(12);

/// What is due, and what of it is under way. Something that comes due meanwhile is looked at once more afterwards: what runs goes on.
#[derive(Debug, Default)]
pub struct Work {
    /// Whether the clock is believed: nothing changes over by one that is not.
    certain: bool,
    due: Due,
    pass: Option<Pass>,
    closing: Option<Closing>,
}

/// What may have something due.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    #[default]
    Nothing,
    /// A terminal or a person has said something.
    Said,
    /// The time itself.
    Time,
}

/// A walk over everything that may be due.
#[derive(Debug)]
struct Pass {
    of: Due,
    stands_at: Stage,
}

#[derive(Debug)]
enum Stage {
    Turn,
    Offer,
    Follow(Option<Vec<TerminalId>>),
    CutOver,
    Close,
    /// Switchovers that are near or over, and of how many terminals each is.
    Tell(Vec<Live>),
    /// Switchovers whose groups have their turn one after the other.
    Groups(Vec<Pushing>),
}

/// The closing of open pickups of contracts that ended.
#[derive(Debug)]
struct Closing {
    /// By which they ended; none where a contract just came to its end, or nobody pushed the switchover in time.
    switchover: Option<i64>,
    contracts: Vec<(String, Date, Date)>,
    closed: u64,
}

/// A switchover that is not over.
#[derive(Debug)]
struct Live {
    id: i64,
    state: State,
    release: i64,
    at: Timestamp,
    terminals: u64,
}

impl Work {
    /// The time may have something due: so has everything else.
    pub fn by_time(&mut self, certain: bool) {
        (self.certain, self.due) = (certain, Due::Time);
    }

    /// Something was said, or done by a person.
    pub fn by_word(&mut self, certain: bool) {
        (self.certain, self.due) = (certain, self.due.max(Due::Said));
    }

    /// Whether anything is under way or due.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.pass.is_some() || self.due > Due::Nothing
    }

    /// What has come due while this was worked on.
    pub fn merge(&mut self, other: &Self) {
        if other.due > Due::Nothing {
            (self.certain, self.due) = (other.certain, self.due.max(other.due));
        }
    }

    /// Goes on for about as long as `most`. Says whether nothing is left.
    ///
    /// # Errors
    /// When the store can't be written: then it is to be begun anew.
    pub fn step(
        &mut self,
        tx: &Connection,
        touched: &mut Touched,
        now: Timestamp,
        most: Duration,
    ) -> rusqlite::Result<bool> {
        let started = Instant::now();
        while self.pending() {
            self.some(tx, touched, now)?;
            if started.elapsed() >= most || self.comes_long() {
                break;
            }
        }
        Ok(!self.pending())
    }

    /// Whether what comes next is a count over many terminals, which has a transaction of its own.
    fn comes_long(&self) -> bool {
        match self.pass.as_ref().map(|pass| &pass.stands_at) {
            Some(Stage::Tell(live)) => live.last().is_some_and(|one| one.terminals > MANY),
            Some(Stage::Groups(left)) => left.last().is_some_and(|one| one.upto > MANY),
            _ => false,
        }
    }

    /// Some of it.
    fn some(&mut self, tx: &Connection, touched: &mut Touched, now: Timestamp) -> rusqlite::Result<()> {
        let Some(Pass { of, stands_at }) = self.pass.take() else {
            let of = std::mem::take(&mut self.due);
            self.pass = Some(Pass { of, stands_at: Stage::Turn });
            return Ok(());
        };
        let by_time = of == Due::Time;
        // Of many terminals it is counted with the time alone.
        let counts = |terminals: u64| by_time || terminals <= MANY;
        let next = match stands_at {
            Stage::Turn => {
                if self.certain && by_time {
                    touched.notice |= plan::turn(tx, now)?;
                }
                Some(Stage::Offer)
            }
            Stage::Offer if !rollout::offer_some(tx, touched, now, SOME)? => Some(Stage::Offer),
            // By a clock in doubt nothing changes over; groups go on.
            Stage::Offer if !self.certain => Some(Stage::Groups(rollout::pushing(tx)?)),
            // What is offered is bound with it: only time has more to follow. Nothing is cut over before all rows have followed.
            Stage::Offer if by_time => Some(Stage::Follow(None)),
            Stage::Offer => Some(Stage::Close),
            Stage::Follow(None) => Some(Stage::Follow(Some(schedules::to_follow(tx, now, usize::MAX)?))),
            Stage::Follow(Some(mut due)) => {
                let some = due.split_off(due.len().saturating_sub(SOME));
                for terminal in &some {
                    schedules::follow(tx, touched, terminal, now)?;
                }
                Some(if due.is_empty() { Stage::CutOver } else { Stage::Follow(Some(due)) })
            }
            Stage::CutOver => {
                cut_over(tx, touched, now)?;
                Some(Stage::Close)
            }
            Stage::Close => {
                if self.close_some(tx, touched, now, by_time)? {
                    Some(Stage::Tell(live(tx, now)?))
                } else if self.due > Due::Nothing {
                    // There may be very many: whoever is offered something meanwhile does not wait for all of them.
                    let of = std::mem::take(&mut self.due).max(of);
                    self.pass = Some(Pass { of, stands_at: Stage::Turn });
                    return Ok(());
                } else {
                    Some(Stage::Close)
                }
            }
            Stage::Tell(mut left) => match left.pop() {
                None => Some(Stage::Groups(rollout::pushing(tx)?)),
                Some(one) => {
                    if counts(one.terminals) {
                        tell(tx, touched, now, &one)?;
                    }
                    Some(Stage::Tell(left))
                }
            },
            Stage::Groups(mut left) => match left.pop() {
                None => None,
                Some(one) => {
                    if counts(one.upto) && rollout::look_at(tx, touched, now, &one)? {
                        // A group that has its turn is offered it next.
                        self.due = self.due.max(Due::Said);
                    }
                    Some(Stage::Groups(left))
                }
            },
        };
        self.pass = next.map(|stands_at| Pass { of, stands_at });
        Ok(())
    }

    /// Closes some open pickups of contracts that ended; says whether none is left.
    fn close_some(
        &mut self,
        tx: &Connection,
        touched: &mut Touched,
        now: Timestamp,
        by_time: bool,
    ) -> rusqlite::Result<bool> {
        let Some(closing) = &mut self.closing else {
            // Before the time was looked at a switchover that is due would find nothing left to close.
            self.closing = match Closing::next(tx)? {
                None if by_time => Closing::ended(tx, now)?,
                next => next,
            };
            return Ok(self.closing.is_none());
        };
        let Some((contract, first, last)) = closing.contracts.last() else {
            if let Some(switchover) = closing.switchover {
                let update = "UPDATE switchover SET settled_at = ?2 WHERE id = ?1";
                tx.execute(update, params![switchover, sql::ms(now)])?;
                if closing.closed > 0 {
                    let detail = json!({ "pickups": closing.closed });
                    note(tx, now, switchover, Step::PickupsClosed, None, Some(detail))?;
                }
            }
            self.closing = None;
            return Ok(false);
        };
        // By the index of open pickups, whichever days they are of.
        let select = "SELECT id, date, vehicle FROM pickup WHERE contract = ?1 AND state = 'open'
            AND date BETWEEN ?2 AND ?3 AND office = '\"planned\"' LIMIT ?4";
        let most = i64::try_from(SOME).unwrap_or(i64::MAX);
        let open: Vec<(i64, Round)> = tx
            .prepare_cached(select)?
            .query_map(params![contract, first.to_string(), last.to_string(), most], |row| {
                let contract = contract.parse().map_err(|_| rusqlite::Error::InvalidQuery)?;
                Ok((
                    row.get(0)?,
                    Round { date: sql::parsed(row, 1)?, contract, vehicle: sql::parsed(row, 2)? },
                ))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (pickup, round) in open.iter().cloned() {
            close_pickup(tx, now, closing.switchover, pickup)?;
            touched.pickup(round);
        }
        closing.closed += open.len() as u64;
        if open.len() < SOME {
            closing.contracts.pop();
        }
        Ok(false)
    }
}

impl Closing {
    /// The next switchover whose instant has come and whose open pickups are not closed yet.
    fn next(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        let select = "SELECT id, release, at FROM switchover
            WHERE kind = 'switchover' AND state IN ('cut_over', 'closed') AND settled_at IS NULL ORDER BY id LIMIT 1";
        let found: Vec<(i64, i64, i64)> = conn
            .prepare_cached(select)?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let Some((switchover, release, at)) = found.into_iter().next() else { return Ok(None) };
        // Of contracts that go on nothing is over.
        let select = "SELECT c.id, c.first_day, c.last_day FROM contract AS c WHERE c.last_day < ?2
            AND c.id IN (SELECT from_contract FROM bundle WHERE release = ?1
                UNION SELECT s.contract FROM bundle AS b JOIN schedule AS s ON s.bundle = b.id WHERE b.release = ?1)
            ORDER BY c.id";
        let day = business_date(sql::instant(at)).to_string();
        let contracts = conn
            .prepare_cached(select)?
            .query_map(params![release, day], |row| {
                Ok((row.get(0)?, sql::parsed(row, 1)?, sql::parsed(row, 2)?))
            })?
            .collect::<rusqlite::Result<Vec<(String, Date, Date)>>>()?;
        Ok(Some(Self { switchover: Some(switchover), contracts, closed: 0 }))
    }

    /// Contracts that are over and have pickups of which nobody said anything.
    fn ended(conn: &Connection, now: Timestamp) -> rusqlite::Result<Option<Self>> {
        let select = "SELECT c.id, c.first_day, c.last_day FROM contract AS c WHERE c.last_day < ?1
            AND EXISTS (SELECT 1 FROM pickup AS p WHERE p.contract = c.id AND p.state = 'open'
                AND p.date BETWEEN c.first_day AND c.last_day AND p.office = '\"planned\"') ORDER BY c.id";
        let contracts = conn
            .prepare_cached(select)?
            .query_map([business_date(now).to_string()], |row| {
                Ok((row.get(0)?, sql::parsed(row, 1)?, sql::parsed(row, 2)?))
            })?
            .collect::<rusqlite::Result<Vec<(String, Date, Date)>>>()?;
        Ok((!contracts.is_empty()).then_some(Self { switchover: None, contracts, closed: 0 }))
    }
}

/// Nobody said anything of it, and its contract is over (未報告). What is said late still counts.
fn close_pickup(
    tx: &Connection,
    now: Timestamp,
    switchover: Option<i64>,
    pickup: i64,
) -> rusqlite::Result<()> {
    let update = "UPDATE pickup SET office = ?2 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![pickup, json!(OfficeWord::Closed).to_string()])?;
    let insert = "INSERT INTO history (pickup, at, kind, detail) VALUES (?1, ?2, 'closed', ?3)";
    let detail = switchover.map(|switchover| json!({ "switchover": switchover }).to_string());
    tx.prepare_cached(insert)?.execute(params![pickup, sql::ms(now), detail])?;
    pickups::refresh(tx, pickup)
}

/// Notes that instants have come.
fn cut_over(tx: &Connection, touched: &mut Touched, now: Timestamp) -> rusqlite::Result<()> {
    let select =
        "SELECT id FROM switchover WHERE kind = 'switchover' AND state = 'pushed' AND at <= ?1 ORDER BY id";
    let due: Vec<i64> = tx
        .prepare_cached(select)?
        .query_map([sql::ms(now)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in due {
        set_state(tx, id, State::CutOver)?;
        note(tx, now, id, Step::CutOver, None, None)?;
        settle(tx, touched, now, id, &["switchover_ahead"])?;
        touched.presence = true;
    }
    Ok(())
}

/// Switchovers with an instant that are not over, and those that are withdrawn while terminals may still hold them.
fn live(tx: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Live>> {
    let select = "SELECT s.id, s.state, s.release, s.at, r.terminals FROM switchover AS s JOIN release AS r ON r.id = s.release
        WHERE s.at IS NOT NULL AND s.state <> 'closed'
            AND (s.state <> 'withdrawn' OR s.withdrawn_by IS NOT NULL AND s.at > ?1) ORDER BY s.id DESC";
    let mut statement = tx.prepare_cached(select)?;
    let rows = statement.query_map([sql::ms(now)], |row| {
        Ok(Live {
            id: row.get(0)?,
            state: sql::word(row, 1)?,
            release: row.get(2)?,
            at: sql::instant(row.get(3)?),
            terminals: sql::seq(row, 4)?,
        })
    })?;
    rows.collect()
}

/// Tells people of a switchover that is near, or of terminals that are behind afterwards; closes one that is through.
fn tell(tx: &Connection, touched: &mut Touched, now: Timestamp, one: &Live) -> rusqlite::Result<()> {
    match one.state {
        State::CutOver => behind(tx, touched, now, one.id, (one.release, one.at)),
        State::Withdrawn => held(tx, touched, now, one),
        _ if now < one.at => ahead(tx, touched, now, one.id, (one.release, one.at)),
        // It is cut over next.
        State::Pushed => Ok(()),
        state => missed(tx, touched, now, one.id, state),
    }
}

/// Its instant came, and nobody had pushed it: of one that was approved people are told.
fn missed(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    state: State,
) -> rusqlite::Result<()> {
    settle(tx, touched, now, id, &["switchover_ahead"])?;
    if state == State::Approved && !is_told(tx, MISSED, id, None)? {
        touched.notice |= sql::notice(tx, now, MISSED, None, &json!({ "switchover": id }))?;
    }
    Ok(())
}

/// How near an instant is, as people are told of it.
fn near(now: Timestamp, at: Timestamp) -> Option<i64> {
    // By days of the calendar: on the day before the instant it is one.
    let left =
        business_date(now).until(business_date(at)).map_or(i64::MAX, |span| i64::from(span.get_days()));
    AHEAD.into_iter().filter(|days| left <= *days).min()
}

/// Whether people were told of a switchover, so near to its instant, since it was drafted.
fn is_told(tx: &Connection, kind: &str, id: i64, days: Option<i64>) -> rusqlite::Result<bool> {
    let told =
        "SELECT 1 FROM notice WHERE kind = ?1 AND detail ->> 'switchover' = ?2 AND detail ->> 'days' IS ?3
        AND at >= (SELECT max(at) FROM switchover_step WHERE switchover = ?2 AND step = 'drafted')";
    tx.prepare_cached(told)?.exists(params![kind, id, days])
}

/// Tells people of terminals that hold what was withdrawn and would change over by it.
fn held(tx: &Connection, touched: &mut Touched, now: Timestamp, one: &Live) -> rusqlite::Result<()> {
    let Some(days) = near(now, one.at) else { return Ok(()) };
    let select = "SELECT count(*) FROM switchover AS w JOIN switchover AS n ON n.id = w.withdrawn_by
        JOIN release AS r ON r.id = n.release JOIN bundle AS b ON b.release = w.release
        JOIN terminal AS t ON t.id = b.terminal
        WHERE w.id = ?1 AND b.state = 'verified' AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM bundle AS x
                WHERE x.terminal = b.terminal AND x.version >= r.version AND x.state = 'verified')";
    let held: i64 = tx.prepare_cached(select)?.query_row([one.id], |row| row.get(0))?;
    if held == 0 {
        return settle(tx, touched, now, one.id, &[HELD]);
    }
    if !is_told(tx, HELD, one.id, Some(days))? {
        settle(tx, touched, now, one.id, &[HELD])?;
        let detail = json!({ "switchover": one.id, "days": days, "held": held });
        touched.notice |= sql::notice(tx, now, HELD, None, &detail)?;
    }
    Ok(())
}

fn ahead(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    (release, at): (i64, Timestamp),
) -> rusqlite::Result<()> {
    let Some(days) = near(now, at) else { return Ok(()) };
    if is_told(tx, "switchover_ahead", id, Some(days))? {
        return Ok(());
    }
    let select = "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM bundle AS x
            WHERE x.terminal = b.terminal AND x.version >= b.version AND x.state = 'verified'))
        FROM bundle AS b JOIN terminal AS t ON t.id = b.terminal
        WHERE b.release = ?1 AND t.blocked_at IS NULL AND t.lost_at IS NULL";
    let (of, not_ready): (i64, i64) =
        tx.prepare_cached(select)?.query_row([release], |row| Ok((row.get(0)?, row.get(1)?)))?;
    settle(tx, touched, now, id, &["switchover_ahead"])?;
    let detail = json!({ "switchover": id, "days": days, "at": at, "not_ready": not_ready, "of": of });
    touched.notice |= sql::notice(tx, now, "switchover_ahead", None, &detail)?;
    Ok(())
}

fn behind(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    (release, at): (i64, Timestamp),
) -> rusqlite::Result<()> {
    const KIND: &str = "switchover_behind";
    // Of each terminal whose contract changes: what the newest bundle that it took says of the configuration that holds at this
    // instant. Where that is another contract's by now the switchover has let the terminal go.
    let select = format!(
        "SELECT count(*),
            count(*) FILTER (WHERE said = 'healthy'),
            count(*) FILTER (WHERE said = 'degraded'),
            count(*) FILTER (WHERE said = 'reverted'),
            count(*) FILTER (WHERE said IS NULL AND refused)
        FROM (SELECT n.state AS said, b.state IS 'refused' AS refused
            FROM bundle AS b JOIN terminal AS t ON t.id = b.terminal
            JOIN schedule AS m ON m.bundle = b.id AND m.from_at = ?2
            LEFT JOIN bundle AS x ON x.id = (SELECT id FROM bundle AS z
                WHERE z.terminal = b.terminal AND z.version >= b.version AND z.state = 'verified'
                ORDER BY z.version DESC LIMIT 1)
            LEFT JOIN schedule AS n ON n.bundle = x.id AND n.position = {}
            WHERE b.release = ?1 AND t.blocked_at IS NULL AND t.lost_at IS NULL
                AND (n.contract IS NULL OR n.contract = m.contract))",
        held_at("x", 2)
    );
    let counts: [i64; 5] = tx.prepare_cached(&select)?.query_row(params![release, sql::ms(at)], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
    })?;
    let [of, healthy, degraded, reverted, refused] = counts;
    if healthy == of {
        // Closed, it would never reach whoever has not had a turn yet.
        return if rollout::never_offered(tx, id)? == 0 {
            set_closed(tx, touched, now, id, None)
        } else {
            Ok(())
        };
    }
    if now.duration_since(at) < BEHIND {
        return Ok(());
    }
    let silent = of - healthy - degraded - reverted - refused;
    let detail = json!({
        "switchover": id, "of": of, "silent": silent, "refused": refused, "reverted": reverted, "degraded": degraded,
    });
    let update = "UPDATE notice SET detail = ?3 WHERE kind = ?1 AND detail ->> 'switchover' = ?2
        AND settled_at IS NULL AND detail <> ?3";
    touched.notice |= tx.prepare_cached(update)?.execute(params![KIND, id, detail.to_string()])? > 0;
    // One that somebody has put away comes again only where it says something else.
    let told = "SELECT 1 FROM notice WHERE kind = ?1 AND detail ->> 'switchover' = ?2
        AND (settled_at IS NULL OR detail = ?3)";
    if !tx.prepare_cached(told)?.exists(params![KIND, id, detail.to_string()])? {
        touched.notice |= sql::notice(tx, now, KIND, None, &detail)?;
    }
    Ok(())
}

/// Tells the administrator of accounts of contractors whose last contract is over: they still read what was theirs, and are blocked by a
/// person, never by the calendar.
pub(super) fn tell_of_accounts(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let select = "SELECT p.contractor, count(*) FROM person AS p WHERE p.blocked_at IS NULL AND p.contractor IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM contract AS c WHERE c.contractor = p.contractor AND c.last_day >= ?1)
        GROUP BY p.contractor ORDER BY 1";
    let left: Vec<(String, i64)> = tx
        .prepare_cached(select)?
        .query_map([business_date(now).to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (contractor, accounts) in left {
        let detail = json!({ "contractor": contractor, "accounts": accounts });
        touched.notice |= sql::notice(tx, now, "accounts_left", None, &detail)?;
    }
    Ok(())
}
