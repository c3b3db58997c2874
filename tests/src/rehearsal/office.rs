//! The office of a rehearsal: the real store and the real writer in this process, on files of its own, by a clock that is set.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use meguri_config::clock::Judge;
use meguri_config::{City, Clock};
use meguri_gateway::changes::Changes;
use meguri_gateway::config::Settings;
use meguri_gateway::import::{Command, File, Outcome, Progress, Taker};
use meguri_gateway::ingest::Incoming;
use meguri_gateway::outbox::{Outbox, Outgoing, Waiting};
use meguri_gateway::plan;
use meguri_gateway::store::{Readers, Store, StoreError};
use meguri_gateway::switchover::releases::Releases;
use meguri_gateway::touched::Touched;
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_proto::Incarnation;
use rusqlite::{Connection, Transaction};
use uuid::Uuid;

use crate::harness::scene::DAY_PROFILE;

/// A clock that shows what it is set to.
#[derive(Debug)]
pub(super) struct SetClock(AtomicI64);

impl SetClock {
    pub(super) fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.as_millisecond())))
    }

    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::SeqCst);
    }
}

impl Judge for SetClock {
    fn now(&self, _: Timestamp) -> Timestamp {
        // It was an instant when it was set.
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn in_doubt(&self, _: Timestamp) -> bool {
        false
    }

    fn witness(&self, _: Timestamp, _: Timestamp) {}

    fn believe(&self, _: Timestamp) {}
}

/// An office; it runs or not.
pub(super) struct Office {
    settings: Settings,
    city: Arc<City>,
    clock: Arc<SetClock>,
    runtime: tokio::runtime::Runtime,
    up: Option<Up>,
}

struct Up {
    writer: Writer,
    running: Running,
    waiting: Waiting,
    readers: Readers,
    taker: Taker,
}

impl Office {
    /// Sets one up in `folder`; it does not run yet.
    pub(super) fn set_up(
        folder: &Path,
        city: City,
        clock: Arc<SetClock>,
        days_after: u8,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        let mut settings = Settings { data: folder.to_owned(), ..Settings::default() };
        settings.lists.days_after = days_after;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { settings, city: Arc::new(city), clock, runtime, up: None })
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    /// The store's file.
    pub(super) fn file(&self) -> PathBuf {
        self.settings.data.join("meguri.db")
    }

    /// Starts it, as after an upgrade or a power cut.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.up.is_none(), "the office runs already");
        let clock = Clock::system().judged(self.clock.clone());
        let now = clock.now();
        let mut store = Store::open(&self.settings.data, &self.city.id, now, Incarnation(Uuid::new_v4()))?;
        let tx = store.conn.transaction()?;
        plan::take_over(&tx, now, &self.city)?;
        tx.commit()?;
        let (outbox, waiting) = Outbox::new(self.city.id.clone());
        let readers = store.readers(1);
        let (city, settings) = (self.city.id.clone(), self.settings.clone());
        let parts = Parts { store, city, clock, changes: Changes::new(), outbox, settings };
        let (writer, running) = Writer::start(parts).context("can't start the office's writer")?;
        let taker = Taker::new(writer.clone(), readers.clone(), self.city.clone());
        self.up = Some(Up { writer, running, waiting, readers, taker });
        self.day()?;
        Ok(())
    }

    /// Stops it; what was handed over is done.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(up) = self.up.take() else { return Ok(()) };
        self.runtime.block_on(async {
            up.writer.stop().await;
            drop((up.taker, up.readers));
            up.running.ended().await
        })?;
        Ok(())
    }

    fn up(&mut self) -> anyhow::Result<&mut Up> {
        self.up.as_mut().context("the office does not run")
    }

    /// Hands messages over, and says what the office sends.
    pub(super) fn take(&mut self, mail: Vec<Incoming>) -> anyhow::Result<Vec<Outgoing>> {
        let mut sent = Vec::new();
        let mut mail = mail.into_iter().peekable();
        while mail.peek().is_some() {
            // Fewer than the writer has room for.
            for message in mail.by_ref().take(1_000) {
                if self.up()?.writer.take(message, None).is_err() {
                    bail!("the office's writer takes nothing more");
                }
            }
            sent.extend(self.settled()?);
        }
        Ok(sent)
    }

    /// Has the office look at the calendar, and says what it sends.
    pub(super) fn day(&mut self) -> anyhow::Result<Vec<Outgoing>> {
        let Some(up) = &self.up else { return Ok(Vec::new()) };
        self.runtime.block_on(up.writer.day());
        self.settled()
    }

    /// Waits until all that was handed over is done, and says what the office sends.
    pub(super) fn settled(&mut self) -> anyhow::Result<Vec<Outgoing>> {
        let Self { runtime, up, .. } = self;
        let Some(up) = up else { return Ok(Vec::new()) };
        let mut sent = Vec::new();
        // Lists are made between works, some at a time: once a work ends without a word, nothing is left to say but what
        // can wait for the next one.
        loop {
            runtime.block_on(up.writer.run_job(|_, _| Ok::<_, StoreError>(())))??;
            let before = sent.len();
            while let Ok(message) = up.waiting.messages.try_recv() {
                sent.push(message);
            }
            while up.waiting.receipts.try_recv().is_ok() {}
            if sent.len() == before {
                return Ok(sent);
            }
        }
    }

    /// Has the office import a file of whole days.
    pub(super) fn import(&mut self, name: &str, csv: String) -> anyhow::Result<()> {
        let Self { runtime, up, .. } = self;
        let up = up.as_mut().context("the office does not run")?;
        let file = File {
            name: name.to_owned(),
            content: csv,
            profile: DAY_PROFILE.to_owned(),
            days: Vec::new(),
            accept_good: false,
            changes: false,
        };
        let report = runtime.block_on(up.taker.take(Command::File(file), &Progress::default()))??;
        ensure!(
            matches!(report.outcome, Outcome::Applied),
            "the office does not take the file {name}: {:?}, {:?}",
            report.outcome,
            report.rejected
        );
        Ok(())
    }

    /// Has the office take a release file into its store.
    pub(super) fn take_release(&mut self, path: PathBuf) -> anyhow::Result<()> {
        let clock = Clock::system().judged(self.clock.clone());
        let Self { runtime, up, city, .. } = self;
        let up = up.as_mut().context("the office does not run")?;
        let releases = Releases::new(up.writer.clone(), city.id.clone(), clock);
        let shown = path.display().to_string();
        runtime
            .block_on(releases.take(path))?
            .with_context(|| format!("the office does not take {shown}"))?;
        Ok(())
    }

    /// Works in the store as the office's own commands do.
    pub(super) fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, &mut Touched) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let Self { runtime, up, .. } = self;
        let up = up.as_mut().context("the office does not run")?;
        runtime.block_on(up.writer.run_job(work))?
    }

    /// The store, for reading, whether the office runs or not.
    pub(super) fn look(&self) -> anyhow::Result<Connection> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.file(), flags).context("can't read the office's store")
    }
}
