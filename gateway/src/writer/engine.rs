//! What the writer's thread does: transactions, what follows their commit, and lists in small steps.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use meguri_proto::{Ack, DownTopic, Hello, Incarnation, Message as _, SeqHeld, TerminalId};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use uuid::Uuid;

use super::Parts;
use crate::changes::Change;
use crate::ingest::aside::{Place, retry_scheduled, set_aside};
use crate::ingest::{Answer, Context, Effects, Incoming, Memory, apply};
use crate::lists::{self, Issued, ListError, Window};
use crate::outbox::Receipt;
use crate::retention::Erasing;
use crate::store::{Store, StoreError, is_damage, sql};
use crate::switchover::instant::Work;
use crate::touched::Touched;
use crate::trust;
use crate::vitals::Vitals;

/// How long messages are taken into a transaction before it is committed: with its commit it stays below 50 ms. The more
/// facts share a commit the fewer pages are written for each.
const TAKE: Duration = Duration::from_millis(20);
/// How many pickups may wait to be decided anew: a crew speaks of one several times.
const STALE: usize = 64;
/// How long lists are made before messages get their turn.
const STEP: Duration = Duration::from_millis(20);
/// How often the time that is believed is kept.
const KEEP_CLOCK: Duration = Duration::from_secs(60);
/// How long readers of the write-ahead log are waited for when it is to be emptied: acknowledgements wait as long.
const EMPTYING: Duration = Duration::from_millis(50);

/// A message, and what to tell the broker once it is done with.
type Message = (Incoming, Option<Receipt>);

pub(super) struct Engine {
    parts: Parts,
    vitals: Vitals,
    /// Set by the thread of checkpoints, for [`Engine::checkpoint`].
    checkpoint_due: Arc<AtomicBool>,
    memory: Memory,
    /// Whether this run has found its store to be a copy. A store is put back while no office runs, so a
    /// second finding is a terminal's error, and must not set all others talking.
    found_a_copy: bool,
    /// When each terminal was last asked for a hello.
    asked: HashMap<TerminalId, Timestamp>,
    /// The days whose lists were last looked after.
    window: Option<Window>,
    /// The day whose housekeeping is done, and what is under way.
    day_done: Option<Date>,
    erasing: Option<Erasing>,
    /// Whether the write-ahead log may still hold what is erased: also where an earlier run was cut.
    log_to_empty: bool,
    /// When the time that is believed was last kept.
    clock_kept: Option<Instant>,
    /// The newest hello of each terminal whose documents are still to be compared, and the order in which they came.
    hellos: HashMap<TerminalId, Hello>,
    hello_order: VecDeque<TerminalId>,
    /// Terminals whose lists of other contracts are still to lapse.
    lapses: BTreeSet<TerminalId>,
    /// Lists that may have to be made anew.
    lists: BTreeSet<(TerminalId, Date)>,
    /// What switchovers ask for.
    switching: Work,
    /// What SQLite said when it found the store damaged.
    damage: Option<rusqlite::Error>,
}

impl Engine {
    pub(super) fn new(parts: Parts, vitals: Vitals, checkpoint_due: Arc<AtomicBool>) -> Self {
        Self {
            parts,
            vitals,
            checkpoint_due,
            memory: Memory::default(),
            found_a_copy: false,
            asked: HashMap::new(),
            window: None,
            day_done: None,
            erasing: None,
            log_to_empty: true,
            clock_kept: None,
            hellos: HashMap::new(),
            hello_order: VecDeque::new(),
            lapses: BTreeSet::new(),
            lists: BTreeSet::new(),
            switching: Work::default(),
            damage: None,
        }
    }

    /// That the store is damaged, once SQLite has found it so. Whoever learns it writes nothing more: nothing that was not
    /// written is acknowledged, and writing on could spoil what is whole.
    pub(super) fn damaged(&mut self) -> Option<StoreError> {
        self.damage.take().map(|source| self.parts.store.damaged(source))
    }

    /// Keeps in mind where SQLite has found the store damaged.
    pub(super) fn note(&mut self, error: rusqlite::Error) {
        if is_damage(&error) {
            self.damage = Some(error);
        }
    }

    /// A statement of the writer's own work failed: that is told, and where it is damage the writer ends.
    fn failed(&mut self, doing: &str, error: rusqlite::Error) {
        self.vitals.failed(doing, &code(&error));
        self.note(error);
    }

    pub(super) fn batch(&self) -> usize {
        self.parts.settings.ingest.batch
    }

    pub(super) fn close(self) -> Result<(), StoreError> {
        self.parts.store.close()
    }

    /// Applies a message, and in the same transaction those that `more` gives meanwhile; each fails alone.
    pub(super) fn messages(&mut self, first: Message, mut more: impl FnMut() -> Option<Message>) {
        let mut batch = vec![first];
        let mut done = self.some(&mut batch, &mut more);
        loop {
            self.vitals.counts().messages.add(done as u64);
            for receipt in batch.drain(..done).filter_map(|(_, receipt)| receipt) {
                self.parts.outbox.receipt(receipt);
            }
            if batch.is_empty() {
                break;
            }
            // Taken one by one, fewer found room in the transaction.
            done = self.some(&mut batch, || None);
        }
    }

    /// Applies the first messages in a transaction that is soon committed. Says how many are over.
    fn some(&mut self, batch: &mut Vec<Message>, more: impl FnMut() -> Option<Message>) -> usize {
        let mut done =
            self.try_some(batch, more, |tx, ctx, fx, message| apply::message(tx, ctx, fx, message));
        if let Ok(Err(error)) = &done
            && !is_systemic(error)
        {
            // The store refused one of them, which is rare: all are undone, and taken again one by one.
            done = self.try_some(batch, || None, one);
        }
        match done {
            Ok(Ok(taken)) => return taken,
            Ok(Err(error)) => self.failed("take messages", error),
            // Told already.
            Err(_) => {}
        }
        // Nothing was acknowledged, so terminals keep what they sent and send it again, in their own time: nothing is
        // tried again here.
        batch.len()
    }

    fn try_some(
        &mut self,
        batch: &mut Vec<Message>,
        mut more: impl FnMut() -> Option<Message>,
        take: impl Fn(&mut Transaction<'_>, &mut Context<'_>, &mut Effects, &Incoming) -> rusqlite::Result<()>,
    ) -> Result<rusqlite::Result<usize>, StoreError> {
        self.take(|tx, ctx, fx| {
            let started = Instant::now();
            let mut taken = 0;
            while let Some((message, _)) = batch.get(taken) {
                take(tx, ctx, fx, message)?;
                taken += 1;
                // Within the time, as a pickup of which much was said takes long.
                if fx.stale.len() >= STALE {
                    apply::refresh(tx, fx)?;
                }
                if started.elapsed() >= TAKE {
                    break;
                }
                // While some are taken others come: the more share a commit, the fewer pages are written for each.
                if taken == batch.len() {
                    batch.extend(more());
                }
            }
            apply::refresh(tx, fx)?;
            Ok::<_, rusqlite::Error>(taken)
        })
    }

    /// Runs `f` in a transaction, and after its commit whatever it asks for. That it could not begin or be committed is
    /// told here, whoever asked for it; an error of `f` is the caller's to tell.
    pub(super) fn transact<T, E>(
        &mut self,
        f: impl FnOnce(&mut Transaction<'_>, &mut Context<'_>, &mut Effects) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        // It may change what messages go by.
        self.memory.forget();
        let done = self.take(f);
        self.memory.forget();
        done
    }

    /// As [`Engine::transact`], for messages.
    fn take<T, E>(
        &mut self,
        f: impl FnOnce(&mut Transaction<'_>, &mut Context<'_>, &mut Effects) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let done = self.attempt(f);
        if !matches!(done, Ok(Ok(_))) {
            self.memory.back_to(0);
        }
        if let Err(error) = &done {
            self.vitals.failed("write", &plain(error));
            if let StoreError::Sql { source, .. } = error
                && is_damage(source)
                && let Some(damage) = source.sqlite_error()
            {
                self.note(rusqlite::Error::SqliteFailure(*damage, None));
            }
        }
        done
    }

    fn attempt<T, E>(
        &mut self,
        f: impl FnOnce(&mut Transaction<'_>, &mut Context<'_>, &mut Effects) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let started = Instant::now();
        let now = self.parts.clock.now();
        let Parts { store, city, .. } = &mut self.parts;
        let mut tx = store
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::sql("begin"))?;
        let mut fx = Effects::default();
        let mut ctx = Context::new(now, city, store.incarnation, &mut self.memory);
        let value = match f(&mut tx, &mut ctx, &mut fx) {
            Ok(value) => value,
            Err(error) => return Ok(Err(error)),
        };
        retry_scheduled(&tx, &mut ctx, &mut fx, Instant::now() + STEP)
            .map_err(StoreError::sql("try again what was set aside"))?;
        fx.lost &= !self.found_a_copy;
        let (drawn, history) = finish(&tx, now, &mut fx).map_err(StoreError::sql("finish"))?;
        let committing = Instant::now();
        tx.commit().map_err(StoreError::sql("commit"))?;
        self.vitals.committed(started.elapsed(), committing.elapsed());
        self.memory.keep();
        if let Some(drawn) = drawn {
            self.found_a_copy = true;
            tracing::warn!(incarnation = %drawn, "a terminal was told more than this store holds: it is a copy put back");
            if let Err(error) = self.parts.store.renamed(drawn) {
                tracing::error!(%error, "the store's new incarnation could not be written beside it");
            }
        }
        self.follow(fx, history, drawn.is_some());
        Ok(Ok(value))
    }

    /// What a commit makes true.
    fn follow(&mut self, fx: Effects, history: Option<i64>, restored: bool) {
        let now = self.parts.clock.now();
        self.vitals.counts().facts.add(fx.facts);
        self.vitals.counts().asides.add(fx.asides);
        for fix in fx.fixes {
            let clock = Timestamp::now();
            self.vitals.fix(sql::ms(fix).saturating_sub(sql::ms(now)));
            if let Some(judge) = self.parts.clock.judge() {
                judge.witness(fix, clock);
            }
        }
        if fx.clock_right
            && let Some(judge) = self.parts.clock.judge()
        {
            judge.believe(Timestamp::now());
            // The notice goes, and what waited for the clock is done.
            self.day_done = None;
            self.look_at_the_day();
        }
        for Answer { terminal, nonce, held } in fx.answers {
            self.ack(&terminal, Ack { nonce: Some(nonce), ..self.empty_ack(now) }, held);
        }
        let mut acks = fx.acks;
        if restored {
            // Everybody else holds numbers of a life that is over.
            self.say_hello_to_all();
        }
        for terminal in fx.ask {
            if self.may_ask(&terminal, now) {
                let held = seq_held(acks.remove(&terminal).unwrap_or_default());
                self.ack(&terminal, Ack { say_hello: true, ..self.empty_ack(now) }, held);
            }
        }
        for (terminal, held) in acks {
            self.ack(&terminal, self.empty_ack(now), seq_held(held));
        }
        for (terminal, hello) in fx.hellos {
            if self.hellos.insert(terminal.clone(), hello).is_none() {
                self.hello_order.push_back(terminal);
            }
        }
        self.touched(fx.touched, history);
    }

    fn touched(&mut self, touched: Touched, history: Option<i64>) {
        let Touched {
            rounds,
            spoken,
            terminals,
            standing,
            presence,
            access,
            history: in_history,
            aside,
            notice,
            configurations,
            // Looked after in the transaction.
            scheduled: _,
        } = touched;
        if configurations {
            self.switching.by_word(!self.parts.clock.in_doubt());
        }
        let (window, now) = (self.window_now(), self.parts.clock.now());
        let mut damage = None;
        let rounds = rounds.iter().map(|round| (round, None));
        let spoken = spoken.iter().map(|(round, by)| (round, Some(by)));
        for (round, by) in rounds.chain(spoken).filter(|(round, _)| window.holds(round.date)) {
            match lists::carriers(&self.parts.store.conn, round, now) {
                Ok(carriers) => self.lists.extend(
                    carriers
                        .into_iter()
                        .filter(|carrier| Some(carrier) != by)
                        .map(|carrier| (carrier, round.date)),
                ),
                Err(error) => {
                    tracing::error!(error = %code(&error), "who carries a round could not be read");
                    damage = damage.or(Some(error));
                }
            }
        }
        damage.into_iter().for_each(|error| self.note(error));
        self.lapses.extend(standing);
        for terminal in &terminals {
            self.lapses.insert(terminal.clone());
            self.lists.extend(window.days().map(|day| (terminal.clone(), day)));
        }
        let changes = &self.parts.changes;
        if let (true, Some(upto)) = (in_history, history) {
            changes.tell(Change::History(upto));
        }
        if aside {
            changes.tell(Change::Aside);
        }
        if notice {
            changes.tell(Change::Notice);
        }
        if presence || !terminals.is_empty() {
            changes.tell(Change::Terminal);
        }
        if access || !terminals.is_empty() {
            changes.tell(Change::Access);
        }
    }

    fn empty_ack(&self, now: Timestamp) -> Ack {
        let incarnation = self.parts.store.incarnation;
        let time = (!self.parts.clock.in_doubt()).then_some(now);
        Ack { v: 1, incarnation, time, nonce: None, say_hello: false, held: Vec::new() }
    }

    fn ack(&self, terminal: &TerminalId, ack: Ack, held: Vec<SeqHeld>) {
        match (Ack { held, ..ack }).encode() {
            Ok(payload) => {
                self.vitals.counts().acks.add(1);
                self.parts.outbox.send(terminal, DownTopic::Ack, payload);
            }
            Err(error) => tracing::error!(%terminal, %error, "an ack could not be made"),
        }
    }

    /// At most one request for a hello in a while, and notes that this is one.
    fn may_ask(&mut self, terminal: &TerminalId, now: Timestamp) -> bool {
        let wait =
            SignedDuration::try_from_secs_f64(self.parts.settings.timers.say_hello).unwrap_or_default();
        let recent = |at: &Timestamp| {
            let passed = now.duration_since(*at);
            // A clock that was set back must not silence the office.
            !passed.is_negative() && passed < wait
        };
        if self.asked.get(terminal).is_some_and(recent) {
            return false;
        }
        self.asked.insert(terminal.clone(), now);
        true
    }

    /// Asks every terminal for a hello.
    pub(super) fn say_hello_to_all(&mut self) {
        let now = self.parts.clock.now();
        match terminals(&self.parts.store.conn) {
            Ok(all) => {
                for terminal in all {
                    self.asked.insert(terminal.clone(), now);
                    self.ack(&terminal, Ack { say_hello: true, ..self.empty_ack(now) }, Vec::new());
                }
            }
            Err(error) => {
                tracing::error!(error = %code(&error), "the terminals could not be read");
                self.note(error);
            }
        }
    }

    fn window_now(&self) -> Window {
        let lists = &self.parts.settings.lists;
        Window::around(
            meguri_proto::clock::business_date(self.parts.clock.now()),
            lists.days_before,
            lists.days_after,
        )
    }

    /// Where the day has turned, every list of the new window is looked after.
    pub(super) fn look_at_the_day(&mut self) {
        let certain = self.look_at_the_clock();
        if self.log_to_empty {
            self.empty_log();
        }
        let today = meguri_proto::clock::business_date(self.parts.clock.now());
        // Erasing goes by a time that is not in doubt. What failed is tried again at the next look.
        if certain && self.day_done != Some(today) && self.erasing.is_none() {
            self.erasing = Some(Erasing::new(&self.parts.settings.retention, self.parts.clock.now()));
        }
        self.switching.by_time(certain);
        let window = self.window_now();
        if self.window == Some(window) {
            return;
        }
        match terminals(&self.parts.store.conn) {
            Ok(all) => {
                self.window = Some(window);
                tracing::info!(from = %window.from, to = %window.to, terminals = all.len(), "lists are kept for these days");
                for terminal in all {
                    self.lists.extend(window.days().map(|day| (terminal.clone(), day)));
                    // It may have been bound anew while no gateway ran.
                    self.lapses.insert(terminal);
                }
            }
            Err(error) => {
                tracing::error!(error = %code(&error), "the day's lists could not be looked after");
                self.note(error);
            }
        }
    }

    /// Keeps the time that is believed, or tells people that the clock is in doubt. Says whether it is not.
    fn look_at_the_clock(&mut self) -> bool {
        let now = self.parts.clock.now();
        let doubt = self.parts.clock.in_doubt();
        if !doubt && self.clock_kept.is_some_and(|kept| kept.elapsed() < KEEP_CLOCK) {
            return true;
        }
        let shown = Timestamp::now();
        let noted = self.transact(|tx, _, fx| {
            if doubt {
                fx.touched.notice |= trust::tell(tx, now, shown)?;
            } else {
                trust::keep(tx, now)?;
                fx.touched.notice |= trust::settle(tx, now)?;
            }
            Ok::<_, rusqlite::Error>(())
        });
        match noted {
            Ok(Ok(())) => self.clock_kept = (!doubt).then(Instant::now),
            Ok(Err(error)) => self.failed("keep the time", error),
            Err(_) => {}
        }
        !doubt
    }

    /// Writes something, so that a trouble of the store that is over is seen to be.
    pub(super) fn probe(&mut self) {
        if !self.vitals.failing() {
            return;
        }
        let probed = self.transact(|tx, _, _| tx.execute("UPDATE office SET generation = generation", []));
        if let Ok(Err(error)) = probed {
            self.failed("be written", error);
        }
    }

    /// Erases and prunes for a short while, in a transaction of its own.
    fn erase(&mut self) {
        let Some(mut erasing) = self.erasing.take() else { return };
        let done = self.transact(|tx, _, fx| erasing.step(tx, fx, STEP));
        match done {
            Ok(Ok(false)) => self.erasing = Some(erasing),
            Ok(Ok(true)) => {
                self.day_done = Some(erasing.today());
                self.vitals.counts().erased.add(erasing.residents());
                if erasing.any() {
                    tracing::info!(erased = ?erasing.counts(), "what was kept long enough is erased");
                    self.log_to_empty = true;
                    self.empty_log();
                }
            }
            Ok(Err(error)) => self.failed("erase", error),
            Err(_) => {}
        }
    }

    /// Does some of what switchovers ask for, in a transaction of its own.
    fn switch(&mut self) {
        // What it touches may have something due again, and says so to what stands here meanwhile.
        let mut work = std::mem::take(&mut self.switching);
        let done = self.transact(|tx, ctx, fx| work.step(tx, &mut fx.touched, ctx.now, STEP));
        match done {
            Ok(Ok(_)) => {
                work.merge(&self.switching);
                self.switching = work;
            }
            // The next look at the day begins it anew.
            Ok(Err(error)) => self.failed("switch over", error),
            Err(_) => {}
        }
    }

    /// Empties the write-ahead log, so that what is erased is gone from it, too. Where a reader, a backup or the thread of
    /// checkpoints stands in the way the next look at the day tries again.
    fn empty_log(&mut self) {
        let conn = &self.parts.store.conn;
        let truncate = || -> rusqlite::Result<bool> {
            conn.busy_timeout(EMPTYING)?;
            let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            conn.busy_timeout(crate::store::BUSY)?;
            busy
        };
        match truncate() {
            Ok(false) => self.log_to_empty = false,
            Ok(true) => tracing::debug!("the write-ahead log is being read; it is emptied later"),
            Err(error) => self.failed("empty its write-ahead log", error),
        }
    }

    /// Copies the last pages of the write-ahead log, where the thread of checkpoints asks for it: whatever follows is
    /// written from the log's beginning again. What was committed is acknowledged by then.
    pub(super) fn checkpoint(&mut self) {
        if !self.checkpoint_due.swap(false, Ordering::Relaxed) {
            return;
        }
        let copied = self.parts.store.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = copied {
            self.failed("copy its write-ahead log", error);
        }
    }

    /// Leaves erasing, and what switchovers ask for, to the next run.
    pub(super) fn stop_erasing(&mut self) {
        (self.erasing, self.switching) = (None, Work::default());
    }

    pub(super) fn has_pending(&self) -> bool {
        self.has_lists() || self.switching.pending() || self.erasing.is_some()
    }

    fn has_lists(&self) -> bool {
        !(self.hellos.is_empty() && self.lapses.is_empty() && self.lists.is_empty())
    }

    /// Makes lists for a short while: first those that a hello asks for.
    pub(super) fn step(&mut self) {
        if self.damage.is_some() {
            return;
        }
        if !self.has_lists() {
            // Each has its turn: what terminals say may keep switchovers busy, and erasing must not wait for that.
            if self.switching.pending() {
                self.switch();
            }
            self.erase();
            return;
        }
        let started = Instant::now();
        let window = self.window_now();
        let now = self.parts.clock.now();
        let (mut issued, mut told) = (Vec::new(), false);
        let done = (|| {
            let tx = self.parts.store.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            while started.elapsed() < STEP {
                let made = if let Some(terminal) = self.hello_order.pop_front() {
                    match self.hellos.remove(&terminal) {
                        Some(hello) => lists::answer(&tx, now, &terminal, &hello, window)?,
                        None => continue,
                    }
                } else if let Some(terminal) = self.lapses.pop_first() {
                    collected(lists::lapse(&tx, now, &terminal, window))?
                } else if let Some((terminal, date)) = self.lists.pop_first() {
                    collected(lists::refresh(&tx, now, &terminal, date))?
                } else {
                    break;
                };
                for made in made {
                    match made {
                        Ok(made) => issued.push(made),
                        Err(ListError::Sql(error)) => return Err(error),
                        Err(ListError::Wire { terminal, name, source }) => {
                            tracing::error!(%terminal, %name, error = %source, "a list can't be sent");
                            let detail = serde_json::json!({ "list": name });
                            told |= sql::notice(&tx, now, "list_too_large", Some(&terminal), &detail)?;
                        }
                    }
                }
            }
            tx.commit()
        })();
        match done {
            Ok(()) => {
                self.vitals.counts().lists.add(issued.len() as u64);
                issued.into_iter().for_each(|issued| self.send(issued));
                if told {
                    self.parts.changes.tell(Change::Notice);
                }
            }
            // The next hello of each terminal has its lists compared again.
            Err(error) => self.failed("make lists", error),
        }
    }

    fn send(&self, issued: Issued) {
        let Issued { terminal, name, document } = issued;
        match document.encode() {
            Ok(payload) => {
                tracing::debug!(%terminal, %name, version = document.version, "issued");
                self.parts.outbox.send(&terminal, DownTopic::Document(name), payload);
            }
            Err(error) => tracing::error!(%terminal, %name, %error, "a document could not be made"),
        }
    }
}

/// What was issued, each by itself; an error of the store ends it.
fn collected<I>(made: Result<I, ListError>) -> rusqlite::Result<Vec<Result<Issued, ListError>>>
where
    I: IntoIterator<Item = Issued>,
{
    match made {
        Ok(made) => Ok(made.into_iter().map(Ok).collect()),
        Err(ListError::Sql(error)) => Err(error),
        Err(error) => Ok(vec![Err(error)]),
    }
}

fn seq_held(
    held: BTreeMap<(meguri_proto::LogKind, meguri_proto::Epoch), crate::ingest::decide::Held>,
) -> Vec<SeqHeld> {
    held.into_iter()
        .map(|((log, epoch), held)| SeqHeld { log, epoch, seq: held.seq, digest: held.digest })
        .collect()
}

fn terminals(conn: &Connection) -> rusqlite::Result<Vec<TerminalId>> {
    let mut statement = conn.prepare_cached("SELECT id FROM terminal WHERE blocked_at IS NULL")?;
    let rows = statement.query_map([], |row| sql::parsed(row, 0))?;
    rows.collect()
}

/// Applies one message under a savepoint. Where the store refuses it, it alone is set aside.
fn one(
    tx: &mut Transaction<'_>,
    ctx: &mut Context<'_>,
    fx: &mut Effects,
    message: &Incoming,
) -> rusqlite::Result<()> {
    let mut own = Effects::default();
    let mark = ctx.memory.mark();
    let savepoint = tx.savepoint()?;
    let applied = apply::message(&savepoint, ctx, &mut own, message)
        .and_then(|()| apply::refresh(&savepoint, &mut own));
    match applied {
        Ok(()) => {
            savepoint.commit()?;
            fx.merge(own);
            Ok(())
        }
        // A full disk is nobody's message's fault.
        Err(error) if is_systemic(&error) => Err(error),
        Err(error) => {
            drop(savepoint);
            ctx.memory.back_to(mark);
            tracing::error!(topic = ?message.topic, error = %code(&error), "the store refused a message; it is set aside");
            let Incoming { topic, payload } = message;
            set_aside(tx, ctx, fx, topic, payload, Place::default(), "the store refused it")
        }
    }
}

fn is_systemic(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, OutOfMemory,
        ReadOnly, SystemIoFailure,
    };
    matches!(
        error.sqlite_error_code(),
        Some(
            CannotOpen
                | DatabaseBusy
                | DatabaseCorrupt
                | DatabaseLocked
                | DiskFull
                | NotADatabase
                | OutOfMemory
                | ReadOnly
                | SystemIoFailure
        )
    )
}

/// An error for the log: a text of SQLite or of a parser may quote what it found.
fn code(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(error) => format!("SQLite {:?} ({})", error.code, error.extended_code),
        None => "a value in the store can't be read".to_owned(),
    }
}

fn plain(error: &StoreError) -> String {
    match error {
        StoreError::Sql { doing, source } => format!("the store can't {doing}: {}", code(source)),
        other => other.to_string(),
    }
}

/// The last writes of a transaction: who was heard, and whether this store turned out to be a copy.
/// Says which incarnation was drawn, and the last history row.
fn finish(
    tx: &Transaction<'_>,
    now: Timestamp,
    fx: &mut Effects,
) -> rusqlite::Result<(Option<Incarnation>, Option<i64>)> {
    for terminal in &fx.heard {
        // People are told minutes: within a second it is not written again.
        let update = "UPDATE terminal SET last_heard_at = ?2
            WHERE id = ?1 AND (last_heard_at IS NULL OR abs(?2 - last_heard_at) >= 1000)";
        tx.prepare_cached(update)?.execute(rusqlite::params![terminal.as_str(), sql::ms(now)])?;
    }
    let drawn = if fx.lost {
        let drawn = Incarnation(Uuid::new_v4());
        Store::draw_incarnation(tx, drawn)?;
        let detail = serde_json::json!({ "by": "acked", "incarnation": drawn });
        fx.touched.notice |= sql::notice(tx, now, "restored", None, &detail)?;
        Some(drawn)
    } else {
        None
    };
    let history = if fx.touched.history {
        Some(tx.query_row("SELECT coalesce(max(id), 0) FROM history", [], |row| row.get(0))?)
    } else {
        None
    };
    Ok((drawn, history))
}
