//! What the writer has committed, told to whoever shows it live.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

/// How many changes a slow listener may lie behind before it must look afresh.
const KEPT: usize = 256;

/// Something that was committed. Small on purpose: who listens reads the store for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// History rows up to this id are committed.
    History(i64),
    /// Something was set aside, or a person settled it.
    Aside,
    /// A notice was made or settled.
    Notice,
    /// A terminal came, went, moved or was bound anew.
    Terminal,
    /// Which terminals may come in, or by which certificates, may be different now.
    Access,
}

/// The stream of changes. Cheap to clone; clones are the same stream.
#[derive(Debug, Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    stop: Arc<watch::Sender<bool>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self::new()
    }
}

impl Changes {
    /// A stream that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(KEPT), stop: Arc::new(watch::Sender::new(false)) }
    }

    /// Listens from now on. A listener that lies too far behind gets `Lagged` and must look afresh.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }

    /// Tells every listener.
    pub fn tell(&self, change: Change) {
        // Without a listener there is nobody to tell.
        let _ = self.sender.send(change);
    }

    /// Says that the office is stopping, so that streams end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the office is stopping; at once where it already is.
    pub async fn stopping(&self) {
        // The sender lives as long as `self`, so waiting can only end with the value.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn tells_listeners_and_ends_late_ones_too() {
        let changes = Changes::new();
        changes.tell(Change::Aside);
        let mut listener = changes.subscribe();
        changes.clone().tell(Change::History(3));
        assert_eq!(listener.recv().await.unwrap(), Change::History(3));
        changes.stop();
        changes.stopping().await;
        changes.clone().stopping().await;
    }
}
