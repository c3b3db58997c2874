//! The push of a switchover: terminals are offered it group by group. The next group has its turn once enough of those before are
//! ready; where too many refuse, no further one has, and a person is told.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, State, Step, SwitchoverError, note, set_state};
use crate::schedules;
use crate::store::sql;
use crate::touched::Touched;

/// Most groups.
const GROUPS_MOST: usize = 20;
/// The kind of the notice that the next group has no turn though patience is over.
pub(super) const WAITS: &str = "switchover_waits";

/// How a switchover is rolled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// After each group so many of a hundred terminals are offered it.
    pub groups: Vec<u8>,
    /// So many of a hundred that were offered it must be ready before the next group has its turn …
    pub ready_percent: u8,
    /// … or of those that were heard since, once these hours are over: who is away holds nobody up.
    pub patience_hours: u16,
    /// Where more of a hundred that were offered it refuse it, it stops.
    pub refused_percent: u8,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { groups: vec![5, 25, 100], ready_percent: 90, patience_hours: 24, refused_percent: 5 }
    }
}

impl Rollout {
    /// The place before which terminals have had their turn once the first `part` groups had theirs. Rounded up, so that a group of few
    /// terminals has one at least.
    #[must_use]
    pub fn upto(&self, part: u32, terminals: u64) -> u64 {
        let group = usize::try_from(part).ok().and_then(|part| self.groups.get(part.checked_sub(1)?));
        group.map_or(0, |percent| (terminals * u64::from(*percent)).div_ceil(100))
    }

    /// The group of the terminal at a place, from 1.
    #[must_use]
    pub fn group(&self, place: u64, terminals: u64) -> u32 {
        let groups = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        (1..=groups).find(|part| place < self.upto(*part, terminals)).unwrap_or(groups)
    }

    /// Whether the numbers can be.
    ///
    /// # Errors
    /// Says which can't.
    pub fn check(&self) -> Result<(), SwitchoverError> {
        let wrong = |problem: &str| Err(SwitchoverError::Rollout(problem.to_owned()));
        let rises = self.groups.windows(2).all(|pair| pair[0] < pair[1]);
        if self.groups.len() > GROUPS_MOST
            || !rises
            || self.groups.first() == Some(&0)
            || self.groups.last() != Some(&100)
        {
            return wrong("groups are percentages that rise to 100, like 5,25,100");
        }
        if !(1..=100).contains(&self.ready_percent) || self.refused_percent > 100 {
            return wrong("expected 1 to 100 percent that are ready, and 0 to 100 that refuse");
        }
        Ok(())
    }
}

/// A switchover that is being pushed.
#[derive(Debug)]
pub(super) struct Pushing {
    id: i64,
    release: i64,
    kind: Kind,
    rollout: Rollout,
    part: u32,
    part_at: Timestamp,
    /// How many terminals have had their turn.
    pub(super) upto: u64,
    accepted: u64,
}

/// All that are being pushed.
///
/// # Errors
/// When the store can't be read.
pub(super) fn pushing(conn: &Connection) -> rusqlite::Result<Vec<Pushing>> {
    let select = "SELECT id, release, kind, rollout, part, part_at, accepted, upto FROM switchover
        WHERE state IN ('pushed', 'cut_over') AND stopped_at IS NULL ORDER BY id";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([], |row| {
        Ok(Pushing {
            id: row.get(0)?,
            release: row.get(1)?,
            kind: sql::word(row, 2)?,
            rollout: sql::json(row, 3)?,
            part: row.get(4)?,
            part_at: sql::instant(row.get::<_, Option<i64>>(5)?.unwrap_or_default()),
            accepted: sql::seq(row, 6)?,
            upto: sql::seq(row, 7)?,
        })
    })?;
    rows.collect()
}

/// What terminals that were offered it said so far. Those that are kept out are not waited for.
#[derive(Debug, Default)]
struct Said {
    of: u64,
    /// Those that took it, or a newer one.
    ready: u64,
    refused: u64,
    heard: u64,
    unoffered: u64,
}

/// That a terminal of bundle `b` took it or a newer one: a newer one goes to terminals that never spoke of this one.
const TOOK: &str = "EXISTS (SELECT 1 FROM bundle AS x
    WHERE x.terminal = b.terminal AND x.version >= b.version AND x.state = 'verified')";

fn what_they_said(conn: &Connection, one: &Pushing) -> rusqlite::Result<Said> {
    // One that verified it has staged it as well, or is under it: the terminal does both in one step.
    let select = format!(
        "SELECT count(*), sum(took), sum(refused AND NOT took), sum(took OR refused OR heard), sum(unoffered)
        FROM (SELECT b.state IS 'verified' OR {TOOK} AS took, b.state IS 'refused' AS refused,
                coalesce(t.last_heard_at, 0) > b.offered_at AS heard, b.offered_at IS NULL AS unoffered
            FROM bundle AS b JOIN terminal AS t ON t.id = b.terminal
            WHERE b.release = ?1 AND b.place < ?2 AND t.blocked_at IS NULL AND t.lost_at IS NULL)"
    );
    conn.prepare_cached(&select)?.query_row(params![one.release, sql::number(one.upto)], |row| {
        let number = |column: usize| {
            Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.unwrap_or(0).unsigned_abs())
        };
        Ok(Said {
            of: number(0)?,
            ready: number(1)?,
            refused: number(2)?,
            heard: number(3)?,
            unoffered: number(4)?,
        })
    })
}

/// Lets the next group have its turn where it is, or stops. Says whether anything changed.
///
/// # Errors
/// When the store can't be written.
pub(super) fn look_at(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    one: &Pushing,
) -> rusqlite::Result<bool> {
    let said = what_they_said(tx, one)?;
    if said.unoffered > 0 {
        return Ok(false);
    }
    let newly = said.refused.saturating_sub(one.accepted);
    if newly * 100 > u64::from(one.rollout.refused_percent) * said.of {
        stop(tx, touched, now, one.id, "refusals", None, &json!({ "refused": said.refused, "of": said.of }))?;
        let detail = json!({ "switchover": one.id, "refused": said.refused, "of": said.of });
        touched.notice |= sql::notice(tx, now, "switchover_stopped", None, &detail)?;
        return Ok(true);
    }
    let last = one.part as usize >= one.rollout.groups.len();
    if last {
        // A correction is over once everybody has taken it.
        let over = one.kind == Kind::Correction && said.ready == said.of && said.of > 0;
        if over {
            set_state(tx, one.id, State::Closed)?;
            note(tx, now, one.id, Step::Closed, None, None)?;
            touched.presence = true;
        }
        return Ok(over);
    }
    // Nobody waits for refusals that a person has seen and pushed on for all that.
    let seen = one.accepted.min(said.refused);
    let (of, heard) = (said.of - seen, said.heard - seen);
    let enough = |of: u64| said.ready * 100 >= u64::from(one.rollout.ready_percent) * of;
    let patience = SignedDuration::from_hours(one.rollout.patience_hours.into());
    let waited = now.duration_since(one.part_at) >= patience;
    if enough(of) || (waited && said.ready > 0 && enough(heard)) {
        next(tx, touched, now, one.id, None)?;
        return Ok(true);
    }
    if waited {
        tell_that_it_waits(tx, touched, now, one, &said)?;
    }
    Ok(false)
}

/// Tells, once for each group, that its patience is over and the next one has no turn: a person waits on, or has it offered by hand.
fn tell_that_it_waits(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    one: &Pushing,
    said: &Said,
) -> rusqlite::Result<()> {
    let told =
        "SELECT 1 FROM notice WHERE kind = ?1 AND detail ->> 'switchover' = ?2 AND detail ->> 'group' = ?3";
    if !tx.prepare_cached(told)?.exists(params![WAITS, one.id, one.part])? {
        let detail = json!({ "switchover": one.id, "group": one.part, "ready": said.ready, "of": said.of, "heard": said.heard });
        touched.notice |= sql::notice(tx, now, WAITS, None, &detail)?;
    }
    Ok(())
}

/// Lets the next group have its turn: by itself, or by a person's hand.
pub(super) fn next(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    person: Option<i64>,
) -> rusqlite::Result<()> {
    let select =
        "SELECT s.part, s.rollout, r.terminals FROM switchover AS s JOIN release AS r ON r.id = s.release
        WHERE s.id = ?1";
    let (part, rollout, of): (u32, Rollout, u64) = tx
        .prepare_cached(select)?
        .query_row([id], |row| Ok((row.get(0)?, sql::json(row, 1)?, sql::seq(row, 2)?)))?;
    turn(tx, touched, now, id, person, (part + 1, rollout.upto(part + 1, of), rollout.upto(part, of)))
}

/// Lets all groups have their turn at once.
pub(super) fn all(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    person: Option<i64>,
) -> rusqlite::Result<()> {
    let select =
        "SELECT s.rollout, r.terminals, s.upto FROM switchover AS s JOIN release AS r ON r.id = s.release
        WHERE s.id = ?1";
    let (rollout, of, before): (Rollout, u64, u64) = tx
        .prepare_cached(select)?
        .query_row([id], |row| Ok((sql::json(row, 0)?, sql::seq(row, 1)?, sql::seq(row, 2)?)))?;
    let last = u32::try_from(rollout.groups.len()).unwrap_or(u32::MAX);
    turn(tx, touched, now, id, person, (last, of, before))
}

fn turn(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    person: Option<i64>,
    (part, upto, before): (u32, u64, u64),
) -> rusqlite::Result<()> {
    let update = "UPDATE switchover SET part = ?2, part_at = ?3, upto = ?4 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![id, part, sql::ms(now), sql::number(upto)])?;
    let detail = json!({ "group": part, "terminals": upto.saturating_sub(before) });
    note(tx, now, id, Step::Group, person, Some(detail))?;
    super::steps::settle(tx, touched, now, id, &[WAITS])?;
    (touched.presence, touched.configurations) = (true, true);
    Ok(())
}

/// Lets no further group have its turn.
pub(super) fn stop(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    why: &str,
    person: Option<i64>,
    detail: &serde_json::Value,
) -> rusqlite::Result<()> {
    let update = "UPDATE switchover SET stopped_at = ?2, stopped_why = ?3 WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![id, sql::ms(now), why])?;
    touched.presence = true;
    note(tx, now, id, Step::Stopped, person, Some(detail.clone()))
}

/// Offers some of what groups that have their turn were not offered yet. Says whether that was all.
///
/// # Errors
/// When the store can't be written.
pub(super) fn offer_some(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    most: usize,
) -> rusqlite::Result<bool> {
    let select = "SELECT b.id FROM switchover AS s JOIN bundle AS b ON b.release = s.release
        WHERE s.state IN ('pushed', 'cut_over') AND s.stopped_at IS NULL
            AND b.place < s.upto AND b.offered_at IS NULL LIMIT ?1";
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let due: Vec<i64> =
        tx.prepare_cached(select)?.query_map([limit], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for bundle in &due {
        schedules::offer(tx, touched, *bundle, now)?;
    }
    Ok(due.len() < most)
}

/// How many refuse it so far, as [`look_at`] counts them: neither those that are kept out nor those that took a newer one.
pub(super) fn refusals(conn: &Connection, id: i64) -> rusqlite::Result<u64> {
    let select = format!(
        "SELECT count(*) FROM switchover AS s JOIN bundle AS b ON b.release = s.release
        JOIN terminal AS t ON t.id = b.terminal
        WHERE s.id = ?1 AND b.place < s.upto AND b.state = 'refused' AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND NOT {TOOK}"
    );
    conn.prepare_cached(&select)?.query_row([id], |row| sql::seq(row, 0))
}

/// How many terminals that are not kept out were offered neither it nor a newer one that counts.
pub(super) fn never_offered(conn: &Connection, id: i64) -> rusqlite::Result<u64> {
    let select = "SELECT count(*) FROM switchover AS s JOIN bundle AS b ON b.release = s.release
        JOIN terminal AS t ON t.id = b.terminal
        WHERE s.id = ?1 AND b.offered_at IS NULL AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM bundle AS x WHERE x.terminal = b.terminal AND x.version > b.version
                AND x.offered_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM switchover AS w WHERE w.release = x.release AND w.state = 'withdrawn'))";
    conn.prepare_cached(select)?.query_row([id], |row| sql::seq(row, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_in_one_group() {
        let rollout = Rollout::default();
        for of in [1, 3, 7, 200, 10_000] {
            let groups: Vec<u32> = (0..of).map(|place| rollout.group(place, of)).collect();
            assert!(groups.is_sorted() && groups[0] == 1, "{of}: {groups:?}");
            assert_eq!(rollout.upto(3, of), of);
        }
        assert_eq!([1, 2, 3].map(|part| rollout.upto(part, 200)), [10, 50, 200]);
    }

    #[test]
    fn groups_rise_to_all() {
        let rollout =
            |groups: &[u8]| Rollout { groups: groups.to_vec(), ..Rollout::default() }.check().is_ok();
        assert!(rollout(&[100]) && rollout(&[1, 50, 100]) && Rollout::default().check().is_ok());
        for bad in [&[][..], &[50], &[50, 50, 100], &[0, 100], &[60, 50, 100], &[50, 101]] {
            assert!(!rollout(bad), "{bad:?}");
        }
    }
}
