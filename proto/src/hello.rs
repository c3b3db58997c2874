//! Hello and its answer: the one path by which whatever was lost in between is repaired.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::wire::{Check, Message, WireError};
use crate::{BootId, Digest, DocumentName, Epoch, Incarnation, LogKind, Nonce};

/// What a terminal holds, on `up/hello`. Sent after subscribing, every few minutes, when
/// unacknowledged entries meet silence, and when asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Version of the message, 1.
    pub v: u64,
    /// Drawn for this hello; its answer carries it.
    pub nonce: Nonce,
    /// Drawn at each start of the program: two that alternate are two devices under one name.
    pub boot: BootId,
    /// Version of the terminal's program.
    pub app: String,
    /// Version of the terminal's configuration.
    pub config: u64,
    /// The office that the `acked` numbers are from, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// Serial number, in hexadecimal digits, of the certificate by which the terminal has come in, where it was by one: so the
    /// office knows which one works, whoever runs the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Every kept epoch of both logs.
    pub logs: LogsHeld,
    /// Every document held.
    pub documents: Vec<DocumentHeld>,
}

/// The kept epochs of both logs, oldest first; the last one is the one written to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsHeld {
    /// Of the fact log.
    pub fact: Vec<EpochHeld>,
    /// Of the track log.
    pub track: Vec<EpochHeld>,
}

impl LogsHeld {
    /// The epochs of one log.
    #[must_use]
    pub fn of(&self, log: LogKind) -> &[EpochHeld] {
        match log {
            LogKind::Fact => &self.fact,
            LogKind::Track => &self.track,
        }
    }
}

/// What a terminal keeps of one epoch: the entries `first..=head`, none where `head` is `first - 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochHeld {
    /// The epoch.
    pub epoch: Epoch,
    /// Sequence number of the first entry still kept, at least 1.
    pub first: u64,
    /// Digest of the entry before it.
    pub before: Digest,
    /// Sequence number of the last entry.
    pub head: u64,
    /// Digest of the last entry.
    pub digest: Digest,
    /// Up to where the office `incarnation` was last heard to hold it. An office that holds less is a restored copy.
    pub acked: u64,
}

/// Names a held document, its version and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentHeld {
    /// Which document.
    pub name: DocumentName,
    /// Its version.
    pub version: u64,
    /// Its body's digest.
    pub digest: Digest,
}

impl Message for Hello {
    const NAME: &'static str = "hello";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.text("app", &self.app, limits::SHORT_TEXT)?;
        if let Some(certificate) = &self.certificate {
            check.text("certificate", certificate, limits::SHORT_TEXT)?;
        }
        check.count("documents", self.documents.len(), limits::HELLO_DOCUMENTS)?;
        for (index, held) in self.documents.iter().enumerate() {
            check.version(&format!("documents[{index}].version"), held.version)?;
        }
        for log in LogKind::ALL {
            let epochs = self.logs.of(log);
            check.count(log.as_str(), epochs.len(), limits::HELLO_EPOCHS)?;
            for (index, held) in epochs.iter().enumerate() {
                let field = || format!("logs.{log}[{index}]");
                // `head` may be one below `first`, so neither may stand at the end of the numbers.
                if held.first == 0 || held.head >= i64::MAX as u64 || held.first > held.head + 1 {
                    return check.fail(field(), format!("keeps {} to {}", held.first, held.head));
                }
                if held.acked > held.head {
                    return check
                        .fail(field(), format!("acked {} lies beyond head {}", held.acked, held.head));
                }
                if held.first == 1 && held.before != Digest::ZERO {
                    return check.fail(field(), "has a digest before its first entry");
                }
                if held.first > held.head && held.digest != held.before {
                    return check.fail(field(), "keeps no entry, but its digests differ");
                }
                if epochs[..index].iter().any(|other| other.epoch == held.epoch) {
                    return check.fail(field(), "names an epoch twice");
                }
            }
        }
        Ok(())
    }
}

/// What the office holds, on `down/ack`, sent after its own commit.
///
/// Without a nonce it moves a terminal forward only. With the nonce of the terminal's last hello it
/// is the answer: it names every epoch of the hello and may move the terminal back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Version of the message, 1.
    pub v: u64,
    /// The office's life that speaks.
    pub incarnation: Incarnation,
    /// The office's time; absent while it doubts its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Of the hello that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// Asks for a hello.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub say_hello: bool,
    /// What the office holds, durably, one element an epoch.
    pub held: Vec<SeqHeld>,
}

/// "Of this epoch I hold all up to `seq`, whose digest is this."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeqHeld {
    /// Which log.
    pub log: LogKind,
    /// Which epoch.
    pub epoch: Epoch,
    /// All up to this number are held; 0 for none.
    pub seq: u64,
    /// The digest of entry `seq`; [`Digest::ZERO`] for none.
    pub digest: Digest,
}

impl Message for Ack {
    const NAME: &'static str = "ack";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        Check(Self::NAME).count("held", self.held.len(), 2 * limits::HELLO_EPOCHS)
    }
}
