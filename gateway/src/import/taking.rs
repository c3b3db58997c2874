//! Takes a prepared import, staged, then switched, in transactions that are short whatever the file's size.
//!
//! [`Taking::turn`] does as much as fits into one transaction; the caller commits, lets others have their turn, and
//! calls again. What is to be done is written down first ([`Phase::Write`]). One small commit decides that all of it will
//! be ([`Phase::Decide`]); before it nothing is taken, whatever happens. After it the store itself knows what is left,
//! and [`Taking::left_over`] goes on wherever an earlier run was interrupted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::apply::{Said, Writing};
use super::held;
use super::plan::Step;
use super::progress::{Progress, Stage};
use super::read::Request;
use super::visit::Visit;
use super::{ImportError, Prepared, Report, Switch, Task, store};
use crate::ingest::{Context, Effects, aside};
use crate::retention;
use crate::touched::Touched;

/// How long a transaction goes on before it is committed and others get their turn. The commit comes on top, and now and
/// then SQLite's checkpoint.
pub(crate) const TURN: Duration = Duration::from_millis(12);
/// Steps that are read at a time.
const SOME: u32 = 64;
/// Bytes of one part of a held file.
const PART: usize = 256 * 1024;

/// A step as it is written down.
#[derive(Debug)]
pub(super) struct Row {
    what: What,
}

#[derive(Debug)]
enum What {
    Request { key: String, step: String, position: Option<(f64, f64)> },
    Gone(i64),
}

/// A step's JSON. The position stands beside it, as numbers: JSON may round them.
#[derive(Serialize)]
struct Written<'a> {
    visit: &'a Visit,
    cancelled: bool,
    stop: Option<i64>,
}

#[derive(Deserialize)]
struct Read {
    visit: Visit,
    cancelled: bool,
    stop: Option<i64>,
}

/// A plan's steps as rows, round by round, so that a round is half applied for as short as can be.
pub(super) fn rows(steps: Vec<Step>, requests: &mut [Request]) -> Vec<Row> {
    let mut steps: Vec<_> = steps
        .into_iter()
        .filter_map(|step| {
            let round = match &step {
                Step::Request { index, .. } => requests.get(*index)?.visit.round(),
                Step::Gone { round, .. } => round.clone(),
            };
            Some((round, step))
        })
        .collect();
    steps.sort_by(|(one, _), (other, _)| one.cmp(other));
    let row = |(_, step)| {
        let what = match step {
            Step::Gone { pickup, .. } => What::Gone(pickup),
            Step::Request { index, stop } => {
                let request = requests.get_mut(index)?;
                let position = request.visit.place.position.take();
                let written = Written { visit: &request.visit, cancelled: request.cancelled, stop };
                // Plain data with texts as keys always becomes JSON.
                let step = serde_json::to_string(&written).ok()?;
                What::Request { key: std::mem::take(&mut request.key), step, position }
            }
        };
        Some(Row { what })
    };
    steps.into_iter().filter_map(row).collect()
}

/// What a decided import has touched so far; kept beside it, so that it outlives a transaction that fails.
pub(crate) type SoFar = Arc<Mutex<Touched>>;

/// An import that is being taken, or what an earlier run has left of one.
#[derive(Debug)]
pub struct Taking {
    /// None of what an earlier run has left.
    prepared: Option<Prepared>,
    phase: Phase,
    so_far: SoFar,
    /// The last thing set aside that was tried again.
    tried: i64,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Erases what was written down and never decided.
    Clear,
    /// Writes down what is to be done; so much of it is.
    Write { done: usize, kept: i64 },
    /// Decides.
    Decide { kept: i64 },
    /// Applies what is decided.
    Apply,
    /// Erases what is settled.
    Tidy,
}

/// What came of one turn, once its transaction is committed.
#[derive(Debug)]
pub enum Turn {
    /// There is more to do.
    Again,
    /// The store has moved on since the file was compared with it: it is to be prepared anew.
    Moved,
    /// It is through; of what an earlier run has left there is no report.
    Done(Option<Box<Report>>),
}

impl Taking {
    /// Begins to take an import. Nothing decided may be left over by an earlier one.
    #[must_use]
    pub(crate) fn new(prepared: Prepared, so_far: SoFar, progress: Progress) -> Self {
        Self { prepared: Some(prepared), phase: Phase::Clear, so_far, tried: 0, progress }
    }

    /// Goes on with what was decided and not ended, and erases what was never decided.
    #[must_use]
    pub(crate) fn left_over(so_far: SoFar, progress: Progress) -> Self {
        Self { prepared: None, phase: Phase::Apply, so_far, tried: 0, progress }
    }

    pub(super) fn so_far(&self) -> &SoFar {
        &self.so_far
    }

    /// Does as much as `budget` lets it, at least something, in the caller's transaction, which is to be undone where
    /// this fails. After a failure this is not to be used any more: the store knows what is decided.
    ///
    /// # Errors
    /// When the store can't be read or written, or somebody else has settled the held import.
    pub fn turn(
        &mut self,
        tx: &Connection,
        ctx: &mut Context<'_>,
        fx: &mut Effects,
        budget: Duration,
    ) -> Result<Turn, ImportError> {
        let clock = Turning { began: Instant::now(), budget };
        loop {
            let over = match self.phase {
                Phase::Clear => self.clear(tx, clock)?,
                Phase::Write { done, kept } => match self.write(tx, done, kept, clock)? {
                    Some(known) => return Ok(self.through(Some(known))),
                    None => matches!(self.phase, Phase::Decide { .. }),
                },
                Phase::Decide { kept } => match self.decide(tx, ctx, fx, kept)? {
                    Decision::Moved => return Ok(Turn::Moved),
                    Decision::Taken => true,
                    Decision::Settled(id) => {
                        self.named(id);
                        true
                    }
                },
                Phase::Apply => self.apply(tx, ctx, fx, clock)?,
                Phase::Tidy => {
                    if self.clear(tx, clock)? {
                        return Ok(self.through(None));
                    }
                    false
                }
            };
            if !over || clock.is_up() {
                return Ok(Turn::Again);
            }
        }
    }

    fn named(&mut self, id: i64) {
        if let Some(prepared) = &mut self.prepared {
            prepared.report.import = Some(id);
        }
    }

    fn through(&mut self, id: Option<i64>) -> Turn {
        if let Some(id) = id {
            self.named(id);
        }
        Turn::Done(self.prepared.take().map(|prepared| Box::new(prepared.report)))
    }

    /// Erases what nobody has decided or needs any more. Says whether that is all.
    fn clear(&mut self, tx: &Connection, clock: Turning) -> Result<bool, ImportError> {
        for delete in [
            "DELETE FROM taking_step WHERE NOT EXISTS (SELECT 1 FROM taking)
                AND id IN (SELECT id FROM taking_step ORDER BY id LIMIT 200)",
            "DELETE FROM kept_part WHERE rowid IN (SELECT rowid FROM kept_part
                WHERE kept NOT IN (SELECT kept FROM import WHERE kept IS NOT NULL) LIMIT 4)",
        ] {
            let mut delete = tx.prepare_cached(delete).map_err(store("erase what was prepared"))?;
            while delete.execute([]).map_err(store("erase what was prepared"))? > 0 {
                if clock.is_up() {
                    return Ok(false);
                }
            }
        }
        if self.phase == Phase::Clear {
            self.phase = Phase::Write { done: 0, kept: 0 };
        }
        Ok(true)
    }

    /// Writes down what is to be done. Says which import this is, where it is held already.
    fn write(
        &mut self,
        tx: &Connection,
        done: usize,
        kept: i64,
        clock: Turning,
    ) -> Result<Option<i64>, ImportError> {
        let Some(prepared) = &self.prepared else { return Ok(None) };
        match &prepared.task {
            Task::Nothing => return Ok(None),
            Task::Drop { .. } => self.phase = Phase::Decide { kept },
            Task::Hold(hold) => {
                let mut kept = kept;
                if done == 0 {
                    if let Some(known) = hold.known(tx)? {
                        return Ok(Some(known));
                    }
                    kept = next_kept(tx).map_err(store("hold the import"))?;
                }
                let content = prepared.content();
                let insert = "INSERT INTO kept_part (kept, part, content) VALUES (?1, ?2, ?3)";
                let mut insert = tx.prepare_cached(insert).map_err(store("hold the import"))?;
                let mut done = done;
                for part in content.chunks(PART).skip(done) {
                    let number = i64::try_from(done).unwrap_or(i64::MAX);
                    insert.execute(params![kept, number, part]).map_err(store("hold the import"))?;
                    done += 1;
                    if clock.is_up() {
                        break;
                    }
                }
                let all = done * PART >= content.len();
                self.phase = if all { Phase::Decide { kept } } else { Phase::Write { done, kept } };
            }
            Task::Take(switch) => {
                if done == 0 {
                    switch.may_be_taken()?;
                    self.progress.begin(Stage::Staging, switch.rows.len() as u64);
                }
                let mut done = done;
                for row in &switch.rows[done.min(switch.rows.len())..] {
                    row.write(tx).map_err(store("prepare what the file says"))?;
                    done += 1;
                    if clock.is_up() {
                        break;
                    }
                }
                self.progress.reach(done as u64);
                let all = done >= switch.rows.len();
                self.phase = if all { Phase::Decide { kept } } else { Phase::Write { done, kept } };
            }
        }
        Ok(None)
    }

    fn decide(
        &mut self,
        tx: &Connection,
        ctx: &Context<'_>,
        fx: &mut Effects,
        kept: i64,
    ) -> Result<Decision, ImportError> {
        let Some(prepared) = &self.prepared else { return Ok(Decision::Moved) };
        let now = ctx.now;
        match &prepared.task {
            Task::Nothing => Ok(Decision::Moved),
            Task::Drop { id } => {
                let id = *id;
                held::settle(tx, now, id, "dropped", None, &mut fx.touched)?;
                self.phase = Phase::Tidy;
                Ok(Decision::Settled(id))
            }
            Task::Hold(hold) => {
                if hold.base.has_moved(tx)? {
                    return Ok(Decision::Moved);
                }
                let id = held::hold(tx, now, hold, kept, &mut fx.touched)?;
                self.phase = Phase::Tidy;
                Ok(Decision::Settled(id))
            }
            Task::Take(switch) => {
                if switch.base.has_moved(tx)? {
                    return Ok(Decision::Moved);
                }
                let Switch { record, released, .. } = &**switch;
                let id = match released {
                    Some(released) => {
                        held::settle(tx, now, released.id, "applied", Some(&record.counts), &mut fx.touched)?;
                        released.id
                    }
                    None => record.write(tx, now, "applied", None, None)?,
                };
                let insert = "INSERT INTO taking (id, import, source) VALUES (1, ?1, ?2)";
                tx.prepare_cached(insert)
                    .and_then(|mut insert| insert.execute(params![id, record.source]))
                    .map_err(store("decide to take the file"))?;
                self.progress.begin(Stage::Applying, switch.rows.len() as u64);
                retention::tell_of_import(tx, fx, ctx.now, id, switch.erased)
                    .map_err(store("tell of what stays erased"))?;
                self.phase = Phase::Apply;
                self.named(id);
                Ok(Decision::Taken)
            }
        }
    }

    /// Applies what is decided. Says whether that is all.
    fn apply(
        &mut self,
        tx: &Connection,
        ctx: &mut Context<'_>,
        fx: &mut Effects,
        clock: Turning,
    ) -> Result<bool, ImportError> {
        let doing = "take what the file says";
        let Some((import, source)) = decided(tx).map_err(store("look for what is decided"))? else {
            self.phase = Phase::Tidy;
            return Ok(true);
        };
        let mut touched = self.so_far.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut writing = Writing {
            tx,
            now: ctx.now,
            import,
            source: &source,
            city: ctx.city.as_str(),
            touched: &mut touched,
        };
        let all = steps(&mut writing, clock).map_err(store(doing))?;
        let left: i64 = if all { 0 } else { left(tx).map_err(store(doing))? };
        let of = self.progress.at().of.max(left.unsigned_abs());
        if self.progress.at().stage != Stage::Applying {
            self.progress.begin(Stage::Applying, of);
        }
        self.progress.reach(of.saturating_sub(left.unsigned_abs()));
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = touched.clone();
        if !all {
            return Ok(false);
        }
        // Facts that came before the pickups they speak of, as where the office is a copy put back.
        let until = clock.began + clock.budget;
        if let Some(tried) = aside::retry_known(tx, ctx, fx, self.tried, until)
            .map_err(store("try again what was set aside"))?
        {
            self.tried = tried;
            return Ok(false);
        }
        tx.execute("DELETE FROM taking", []).map_err(store("end the import"))?;
        fx.touched.merge(touched);
        self.phase = Phase::Tidy;
        Ok(true)
    }
}

/// Applies steps while there is time, and erases them. Says whether they were all.
fn steps(writing: &mut Writing<'_>, clock: Turning) -> rusqlite::Result<bool> {
    let tx = writing.tx;
    let select = "SELECT id, key, step, lat, lng, gone FROM taking_step ORDER BY id LIMIT ?1";
    let mut select = tx.prepare_cached(select)?;
    let mut erase = tx.prepare_cached("DELETE FROM taking_step WHERE id <= ?1")?;
    loop {
        let mut rows = select.query([SOME])?;
        let (mut last, mut count, mut up) = (None, 0, false);
        while let Some(row) = rows.next()? {
            match row.get::<_, Option<i64>>(5)? {
                Some(gone) => writing.gone(gone)?,
                None => {
                    let Read { mut visit, cancelled, stop } = crate::store::sql::json(row, 2)?;
                    visit.place.position = row.get::<_, Option<f64>>(3)?.zip(row.get(4)?);
                    let key: String = row.get(1)?;
                    writing.request(&key, &Said { visit, cancelled, stop })?;
                }
            }
            last = Some(row.get::<_, i64>(0)?);
            count += 1;
            up = clock.is_up();
            if up {
                break;
            }
        }
        drop(rows);
        if let Some(last) = last {
            erase.execute([last])?;
        }
        if count < SOME && !up {
            return Ok(true);
        }
        if up {
            return Ok(false);
        }
    }
}

fn left(tx: &Connection) -> rusqlite::Result<i64> {
    // They are erased from the front, so the numbers count them.
    tx.prepare_cached("SELECT coalesce(max(id) - min(id) + 1, 0) FROM taking_step")?
        .query_row([], |row| row.get(0))
}

/// The import that is decided and not ended, and the source that it is of.
pub(super) fn decided(conn: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    conn.prepare_cached("SELECT import, source FROM taking")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn next_kept(tx: &Connection) -> rusqlite::Result<i64> {
    let select = "SELECT max(coalesce((SELECT max(kept) FROM kept_part), 0), coalesce((SELECT max(kept) FROM import), 0)) + 1";
    tx.query_row(select, [], |row| row.get(0))
}

enum Decision {
    Moved,
    Taken,
    Settled(i64),
}

/// How long this turn has lasted.
#[derive(Debug, Clone, Copy)]
struct Turning {
    began: Instant,
    budget: Duration,
}

impl Turning {
    fn is_up(self) -> bool {
        self.began.elapsed() >= self.budget
    }
}

impl Row {
    fn write(&self, tx: &Connection) -> rusqlite::Result<()> {
        match &self.what {
            What::Request { key, step, position } => {
                let (lat, lng) = position.unzip();
                let insert = "INSERT INTO taking_step (key, step, lat, lng) VALUES (?1, ?2, ?3, ?4)";
                tx.prepare_cached(insert)?.execute(params![key, step, lat, lng])?;
            }
            What::Gone(pickup) => {
                tx.prepare_cached("INSERT INTO taking_step (gone) VALUES (?1)")?.execute([pickup])?;
            }
        }
        Ok(())
    }
}
