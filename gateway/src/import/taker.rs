//! Has one import at a time taken, turn by turn: in a running gateway through its writer, else in a store of one's own.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use meguri_config::{City, Clock};
use meguri_proto::CityId;
use tokio::sync::{Mutex, Notify};

use super::progress::Progress;
use super::taking::{self, SoFar, TURN, Taking, Turn};
use super::{Command, ImportError, Outcome, Prepared, Report, store};
use crate::audit::{Audit, Event, What, Who};
use crate::ingest::{Context, Effects, Memory};
use crate::store::{Readers, Store, StoreError};
use crate::writer::Writer;

/// How often a file is compared anew where the store moves on meanwhile. Only a person's decision does so.
const TRIES: u32 = 8;
/// How long the gateway waits before it goes on with a decided import that the store did not let it end.
const AGAIN: Duration = Duration::from_secs(10);

/// Takes imports in a running gateway, one at a time. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct Taker {
    inner: Arc<Inner>,
    audit: Audit,
    who: Who,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    city: Arc<City>,
    /// Who holds it imports.
    one: Mutex<SoFar>,
    interrupted: Notify,
}

impl Taker {
    /// Takes imports through the writer of a gateway.
    #[must_use]
    pub fn new(writer: Writer, readers: Readers, city: Arc<City>) -> Self {
        let one = Mutex::new(SoFar::default());
        let inner = Arc::new(Inner { writer, readers, city, one, interrupted: Notify::new() });
        Self { inner, audit: Audit::none(), who: Who::Gateway }
    }

    /// The same, and what is asked of it is written down as asked by `who`.
    #[must_use]
    pub fn audited(&self, audit: Audit, who: Who) -> Self {
        Self { inner: self.inner.clone(), audit, who }
    }

    /// Does what is asked. Once it is begun it is best not dropped: what is not decided then is erased by the next
    /// import, and what is, goes on with it.
    ///
    /// # Errors
    /// The outer ones when the office is stopping or the store failed before anything was decided; the inner ones when
    /// the import can't be done.
    pub async fn take(
        &self,
        command: Command,
        progress: &Progress,
    ) -> Result<Result<Report, ImportError>, StoreError> {
        // It takes many transactions: what is begun is written down before, what came of it after.
        let about = match &command {
            Command::File(_) => serde_json::json!({ "asked": "take" }),
            Command::Release { id, .. } => serde_json::json!({ "asked": "release", "import": id }),
            Command::Drop { id } => serde_json::json!({ "asked": "drop", "import": id }),
        };
        let asked = Event::new(self.who.clone(), What::Import, about);
        self.audit.note(asked).await.map_err(|source| StoreError::Audit { source })?;
        let taken = self.one(command, progress).await;
        if let Ok(Ok(report)) = &taken {
            let about = serde_json::json!({ "import": report.import, "outcome": report.outcome });
            // Its failure is told by the log's own thread; the import is done.
            drop(self.audit.note(Event::new(self.who.clone(), What::Import, about)).await);
        }
        let writer = &self.inner.writer;
        match &taken {
            Ok(Ok(report)) => {
                let counts = writer.vitals().counts();
                let count = match report.outcome {
                    Outcome::Applied => &counts.imports_applied,
                    Outcome::Held => &counts.imports_held,
                    Outcome::Rejected => &counts.imports_rejected,
                    Outcome::Dropped => &counts.imports_dropped,
                };
                count.add(1);
            }
            Ok(Err(error)) => self.look_for_damage(error).await,
            Err(_) => {}
        }
        taken
    }

    /// Nothing is written any more to a store that is damaged.
    async fn look_for_damage(&self, error: &ImportError) {
        if let Some(damage) = error.damage() {
            self.inner.writer.damaged(damage).await;
        }
    }

    async fn one(
        &self,
        command: Command,
        progress: &Progress,
    ) -> Result<Result<Report, ImportError>, StoreError> {
        let so_far = self.inner.one.lock().await;
        if let Err(error) = self.turns(Taking::left_over(so_far.clone(), Progress::default())).await {
            return self.explained(error).await.map(Err);
        }
        let mut command = Arc::new(command);
        for _ in 0..TRIES {
            let (city, at, asked) = (self.inner.city.clone(), progress.clone(), command.clone());
            // Reading and comparing a file takes a reader's time, not the writer's.
            let prepared =
                self.inner.readers.with(move |conn| Ok(Prepared::new(conn, &city, asked, &at))).await?;
            let prepared = match prepared {
                Ok(prepared) if prepared.rejected() => return Ok(Ok(prepared.report().clone())),
                Ok(prepared) => prepared,
                Err(error) => return Ok(Err(error)),
            };
            command = prepared.command();
            match self.turns(Taking::new(prepared, so_far.clone(), progress.clone())).await {
                Ok(Some(Turn::Done(Some(report)))) => return Ok(Ok(*report)),
                Ok(_) => {}
                Err(error) => return self.explained(error).await.map(Err),
            }
        }
        // What was prepared is residents' data.
        let _ = self.turns(Taking::left_over(so_far.clone(), Progress::default())).await;
        Ok(Err(ImportError::Unsettled))
    }

    /// Goes on with what an earlier run decided, and erases what it had not; then again whenever an import was interrupted.
    pub async fn go_on(&self) {
        let mut told = String::new();
        loop {
            let so_far = self.inner.one.lock().await;
            let done = self.turns(Taking::left_over(so_far.clone(), Progress::default())).await;
            drop(so_far);
            match done {
                Ok(_) => {
                    told.clear();
                    self.inner.interrupted.notified().await;
                }
                Err(Failed::Store(StoreError::Stopping)) => return,
                Err(error) => {
                    if let Failed::Import(error) = &error {
                        self.look_for_damage(error).await;
                    }
                    let error = error.to_string();
                    if told != error {
                        tracing::error!(%error, "an import that is decided can't go on; it is tried again and again");
                        told = error;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Turn by turn to the end. Between two of them the writer does whatever else there is.
    async fn turns(&self, mut taking: Taking) -> Result<Option<Turn>, Failed> {
        loop {
            let turn = self.inner.writer.run(move |tx, ctx, fx| {
                let turn = taking.turn(tx, ctx, fx, TURN)?;
                Ok::<_, ImportError>((taking, turn))
            });
            let (goes_on, turn) = turn.await.map_err(Failed::Store)?.map_err(Failed::Import)?;
            match turn {
                Turn::Again => taking = goes_on,
                Turn::Moved => return Ok(None),
                done @ Turn::Done(_) => {
                    goes_on.is_through();
                    return Ok(Some(done));
                }
            }
        }
    }

    /// Says what a failure means: before the decision nothing is taken, after it everything will be.
    async fn explained(&self, failed: Failed) -> Result<ImportError, StoreError> {
        let decided = self.inner.readers.with(taking::decided).await;
        if let Ok(Some((id, _))) = decided {
            self.inner.interrupted.notify_one();
            return Ok(interrupted(id, failed));
        }
        // What was prepared is residents' data; where it can't be erased now, the next import or start does it.
        let _ = self.turns(Taking::left_over(SoFar::default(), Progress::default())).await;
        match failed {
            Failed::Import(error) => Ok(error),
            Failed::Store(error) => Err(error),
        }
    }
}

/// Takes an import in a store that this process holds, and first what an earlier run has left.
///
/// # Errors
/// When it can't be done.
pub fn take_here(
    held: &mut Store,
    city: &City,
    clock: &Clock,
    command: Command,
    progress: &Progress,
) -> Result<Report, ImportError> {
    let mut here = Here { city: &city.id, clock, held };
    let mut command = Arc::new(command);
    let taken = (|| {
        here.turns(Taking::left_over(SoFar::default(), Progress::default()))?;
        for _ in 0..TRIES {
            let prepared = Prepared::new(&here.held.conn, city, command.clone(), progress)?;
            if prepared.rejected() {
                return Ok(prepared.report().clone());
            }
            command = prepared.command();
            if let Some(Turn::Done(Some(report))) =
                here.turns(Taking::new(prepared, SoFar::default(), progress.clone()))?
            {
                return Ok(*report);
            }
        }
        Err(ImportError::Unsettled)
    })();
    taken.map_err(|error| match taking::decided(&here.held.conn) {
        Ok(Some((id, _))) => interrupted(id, Failed::Import(error)),
        _ => {
            let _ = here.turns(Taking::left_over(SoFar::default(), Progress::default()));
            error
        }
    })
}

struct Here<'a> {
    held: &'a mut Store,
    city: &'a CityId,
    clock: &'a Clock,
}

impl Here<'_> {
    fn turns(&mut self, mut taking: Taking) -> Result<Option<Turn>, ImportError> {
        loop {
            let incarnation = self.held.incarnation;
            let tx = self.held.conn.transaction().map_err(store("begin"))?;
            let mut memory = Memory::default();
            let mut ctx = Context::new(self.clock.now(), self.city, incarnation, &mut memory);
            // Lists and listeners catch up when a gateway starts.
            let turn = taking.turn(&tx, &mut ctx, &mut Effects::default(), TURN)?;
            tx.commit().map_err(store("commit"))?;
            match turn {
                Turn::Again => {}
                Turn::Moved => return Ok(None),
                done @ Turn::Done(_) => return Ok(Some(done)),
            }
        }
    }
}

/// Why a turn was not done.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Import(ImportError),
    #[error(transparent)]
    Store(StoreError),
}

fn interrupted(id: i64, failed: Failed) -> ImportError {
    let source = match failed {
        Failed::Import(error @ ImportError::Interrupted { .. }) => return error,
        Failed::Import(error) => error,
        Failed::Store(StoreError::Sql { doing, source }) => ImportError::Store { doing, source },
        Failed::Store(_) => ImportError::Stopping,
    };
    ImportError::Interrupted { id, source: Box::new(source) }
}

impl Prepared {
    fn command(&self) -> Arc<Command> {
        self.command.clone()
    }
}

impl Taking {
    /// Its commit is done: what it touched is told.
    fn is_through(&self) {
        *self.so_far().lock().unwrap_or_else(PoisonError::into_inner) = crate::touched::Touched::default();
    }
}
