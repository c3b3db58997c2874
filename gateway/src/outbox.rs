//! What the writer hands to the link: messages to terminals, and receipts to the broker.

use meguri_proto::{CityId, DownTopic, TerminalId, Topic};
use tokio::sync::mpsc;

/// How many messages may wait for the broker. What is more is dropped: the next hello repairs it.
const WAITING: usize = 8_192;

/// A message on its way to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its topic.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Says that a message is done with, so that the broker may send another one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Which connection it came on; receipts of earlier ones are void.
    pub connection: u64,
    /// The packet's number there.
    pub packet: u16,
}

/// The writer's end.
#[derive(Debug, Clone)]
pub struct Outbox {
    city: CityId,
    messages: mpsc::Sender<Outgoing>,
    // Never more than the link's window, so it needs no bound of its own.
    receipts: mpsc::UnboundedSender<Receipt>,
}

/// The link's end.
#[derive(Debug)]
pub struct Waiting {
    /// Messages to publish.
    pub messages: mpsc::Receiver<Outgoing>,
    /// Receipts to give.
    pub receipts: mpsc::UnboundedReceiver<Receipt>,
}

impl Outbox {
    /// Both ends.
    #[must_use]
    pub fn new(city: CityId) -> (Self, Waiting) {
        let (messages, waiting_messages) = mpsc::channel(WAITING);
        let (receipts, waiting_receipts) = mpsc::unbounded_channel();
        let waiting = Waiting { messages: waiting_messages, receipts: waiting_receipts };
        (Self { city, messages, receipts }, waiting)
    }

    /// Sends a message to a terminal, once the broker takes it.
    pub fn send(&self, terminal: &TerminalId, what: DownTopic, payload: Vec<u8>) {
        let topic = Topic::down(self.city.clone(), terminal.clone(), what).to_string();
        if self.messages.try_send(Outgoing { topic, payload }).is_err() {
            tracing::debug!(%terminal, "dropped a message, since the broker takes none; the next hello repairs it");
        }
    }

    /// Gives a receipt.
    pub fn receipt(&self, receipt: Receipt) {
        // Without a link there is no broker that waits.
        let _ = self.receipts.send(receipt);
    }
}
