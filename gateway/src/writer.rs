//! The one writer: a thread of its own with the one connection that writes.
//!
//! It takes whatever messages are there, and come meanwhile, into one transaction, commits (one fsync for all of
//! them), and only then acknowledges, makes lists anew and tells listeners. Lists are made in small steps
//! between batches, so that acknowledgements never wait behind them.

mod engine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as sync;
use std::thread::JoinHandle;
use std::time::Duration;

use meguri_config::Clock;
use meguri_proto::CityId;
use rusqlite::Transaction;
use tokio::sync::{mpsc, oneshot};

use crate::changes::Changes;
use crate::config::Settings;
use crate::ingest::{Context, Effects, Incoming};
use crate::outbox::{Outbox, Receipt};
use crate::store::{Store, StoreError};
use crate::touched::Touched;
use crate::vitals::Vitals;
use engine::Engine;

/// How often the write-ahead log is copied into the store.
const CHECKPOINT: Duration = Duration::from_millis(500);

/// What the writer is made of.
#[derive(Debug)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// Whose it is.
    pub city: CityId,
    /// The office's time.
    pub clock: Clock,
    /// Who listens.
    pub changes: Changes,
    /// Where messages to terminals go.
    pub outbox: Outbox,
    /// Sizes and timers.
    pub settings: Settings,
}

/// Something for the writer to do.
enum Work {
    /// A message, and what to tell the broker once it is done with.
    Message(Incoming, Option<Receipt>),
    /// Something to run.
    Job(Box<dyn FnOnce(&mut Engine) + Send>),
    /// The broker is connected: nobody knows what was lost meanwhile.
    Connected,
    /// Looks at the calendar.
    Day,
    /// Work of somebody else's found the store damaged.
    Damaged(rusqlite::ffi::Error),
    /// Gives a sign of life.
    Ping(oneshot::Sender<()>),
    /// Ends once everything before it is done.
    Stop,
}

/// Where work for the writer goes. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    work: mpsc::Sender<Work>,
    vitals: Vitals,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

/// The writer's thread.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Running {
    /// Waits until the writer has ended and its store is closed.
    ///
    /// # Errors
    /// When the store was found damaged, or could not be closed.
    pub async fn ended(self) -> Result<(), StoreError> {
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await;
        match joined {
            Ok(Ok(closed)) => closed,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Stopping),
        }
    }
}

impl Writer {
    /// Starts the writer's thread.
    ///
    /// # Errors
    /// When the system gives no thread, or the store can't be opened a second time.
    pub fn start(parts: Parts) -> std::io::Result<(Self, Running)> {
        Self::start_with(parts, Vitals::new())
    }

    /// As [`Writer::start`], for an office whose vital signs others note, too.
    ///
    /// # Errors
    /// As [`Writer::start`].
    pub fn start_with(parts: Parts, vitals: Vitals) -> std::io::Result<(Self, Running)> {
        let room = usize::from(parts.settings.ingest.window) + parts.settings.ingest.batch;
        let (work, inbox) = mpsc::channel(room);
        let checkpoints = parts.store.checkpoints().map_err(std::io::Error::other)?;
        let (writing, over) = sync::channel::<()>();
        let due = Arc::new(AtomicBool::new(false));
        let asking = due.clone();
        let copying = std::thread::Builder::new().name("checkpoints".into()).spawn(move || {
            while over.recv_timeout(CHECKPOINT) == Err(sync::RecvTimeoutError::Timeout) {
                if checkpoints.copy() {
                    asking.store(true, Ordering::Relaxed);
                }
            }
        })?;
        let engine = Engine::new(parts, vitals.clone(), due);
        let of_thread = Ended(vitals.clone());
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
            let _ended = of_thread;
            let engine = run(engine, inbox);
            drop(writing);
            // It ends by itself; a panic of it has harmed nothing.
            let _ = copying.join();
            engine?.close()
        })?;
        Ok((Self { work, vitals }, Running { thread }))
    }

    /// How the office is, as the writer and others note it.
    #[must_use]
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// How much waits for the writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.work.max_capacity() - self.work.capacity()
    }

    /// Waits for a sign of life; where the store is in trouble, the writer tries whether that is over.
    pub async fn ping(&self) {
        self.vitals.writer_asked();
        let (reply, answer) = oneshot::channel();
        if self.work.send(Work::Ping(reply)).await.is_ok() && answer.await.is_ok() {
            self.vitals.writer_answered();
        }
    }

    /// Hands a message over; gives it back where there is no room. Never waits, so that a link goes on.
    ///
    /// # Errors
    /// The message, where there is no room.
    pub fn take(&self, message: Incoming, receipt: Option<Receipt>) -> Result<(), Incoming> {
        self.work.try_send(Work::Message(message, receipt)).map_err(|error| match error.into_inner() {
            Work::Message(message, _) => message,
            // It was a message that could not be sent.
            _ => Incoming { topic: String::new(), payload: Vec::new() },
        })
    }

    /// Says that the broker is connected and subscribed to.
    pub async fn connected(&self) {
        // A writer that has ended needs no word.
        let _ = self.work.send(Work::Connected).await;
    }

    /// Has the writer look at the calendar.
    pub async fn day(&self) {
        let _ = self.work.send(Work::Day).await;
    }

    /// Says that the store was found damaged: the writer writes nothing more and ends.
    pub async fn damaged(&self, damage: rusqlite::ffi::Error) {
        let _ = self.work.send(Work::Damaged(damage)).await;
    }

    /// Has the writer end once everything handed over is done.
    pub async fn stop(&self) {
        let _ = self.work.send(Work::Stop).await;
    }

    /// Runs `f` in a transaction of its own: committed where it returns `Ok`, undone where it returns `Err`.
    /// What it notes in [`Touched`] makes lists anew and is told to listeners after the commit.
    ///
    /// # Errors
    /// When the transaction can't begin or be committed, or the office is stopping.
    pub async fn run_job<T, E, F>(&self, f: F) -> Result<Result<T, E>, StoreError>
    where
        F: FnOnce(&mut Transaction<'_>, &mut Touched) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.run(|tx, _, fx| f(tx, &mut fx.touched)).await
    }

    /// As [`Writer::run_job`], with all that messages are applied with.
    ///
    /// # Errors
    /// As [`Writer::run_job`].
    pub async fn run<T, E, F>(&self, f: F) -> Result<Result<T, E>, StoreError>
    where
        F: FnOnce(&mut Transaction<'_>, &mut Context<'_>, &mut Effects) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move |engine: &mut Engine| {
            // Whoever asked may have gone; the work is done all the same.
            let _ = reply.send(engine.transact(f));
        });
        self.work.send(Work::Job(job)).await.map_err(|_| StoreError::Stopping)?;
        answer.await.map_err(|_| StoreError::Stopping)?
    }
}

/// Notes the thread's end, however it ends.
struct Ended(Vitals);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.writer_ended();
    }
}

/// Works until it is told to stop. The store is closed by whoever called.
fn run(mut engine: Engine, mut inbox: mpsc::Receiver<Work>) -> Result<Engine, StoreError> {
    let most = engine.batch();
    let mut next = None;
    loop {
        let work = match next.take() {
            Some(work) => work,
            // With lists to make, only what is there already; else wait.
            None if engine.has_pending() => match inbox.try_recv() {
                Ok(work) => work,
                Err(_) => {
                    engine.step();
                    if let Some(damaged) = engine.damaged() {
                        return Err(damaged);
                    }
                    continue;
                }
            },
            None => match inbox.blocking_recv() {
                Some(work) => work,
                None => break,
            },
        };
        match work {
            Work::Message(message, receipt) => {
                let mut left = most - 1;
                engine.messages((message, receipt), || {
                    left = left.checked_sub(1).filter(|_| next.is_none())?;
                    match inbox.try_recv().ok()? {
                        Work::Message(message, receipt) => Some((message, receipt)),
                        other => {
                            next = Some(other);
                            None
                        }
                    }
                });
            }
            Work::Job(job) => job(&mut engine),
            Work::Connected => engine.say_hello_to_all(),
            Work::Day => engine.look_at_the_day(),
            Work::Damaged(damage) => engine.note(rusqlite::Error::SqliteFailure(damage, None)),
            Work::Ping(reply) => {
                engine.probe();
                // Whoever asked may have gone.
                let _ = reply.send(());
            }
            Work::Stop => break,
        }
        engine.checkpoint();
        // However many messages come, lists get their turn.
        engine.step();
        if let Some(damaged) = engine.damaged() {
            // The start is not counted as ended: nothing at all is written any more.
            return Err(damaged);
        }
    }
    engine.stop_erasing();
    while engine.has_pending() {
        engine.step();
    }
    Ok(engine)
}
