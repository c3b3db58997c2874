//! The log: numbered entries, each chained to the one before by its digest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::wire::{Check, Message, WireError};
use crate::{Epoch, FactId};

/// The two logs of a terminal. Both work alike; two, so that bulk never delays confirmations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// What people did and the office relies on.
    Fact,
    /// Positions kept through gaps, and health samples.
    Track,
}

impl LogKind {
    /// Both logs.
    pub const ALL: [Self; 2] = [Self::Fact, Self::Track];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fact => "fact",
            Self::Track => "track",
        }
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SHA-256 digest (FIPS 180-4), 64 hexadecimal digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// What stands before the first entry of an epoch.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of `bytes` alone: of a document's body or a note.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of the entry with `body` that follows the entry with this digest.
    #[must_use]
    pub fn then(&self, body: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(body).finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected 64 lower-case hexadecimal digits".to_owned();
        let digits = text.as_bytes();
        if digits.len() != 64 || digits.iter().any(|d| !matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// One entry of a log. This envelope never changes shape; the body is versioned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// 1, 2, 3 … within the epoch.
    pub seq: u64,
    /// Drawn at the tap; survives a fork.
    pub id: FactId,
    /// SHA-256 over the previous entry's digest and the body's bytes as sent.
    pub digest: Digest,
    /// A [`FactBody`](crate::FactBody) or [`TrackBody`](crate::TrackBody), byte for byte as the terminal wrote it.
    pub body: Box<RawValue>,
}

impl Entry {
    /// The body's bytes as sent.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        self.body.get().as_bytes()
    }
}

/// Consecutive entries of one epoch, on `up/fact` or `up/track`.
///
/// A body that is too large or of an unknown version is not this message's fault: it is looked at
/// entry by entry, and a note by itself, so that one bad entry or note never blocks a terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPublish {
    /// Version of the publish, 1.
    pub v: u64,
    /// The epoch all entries belong to.
    pub epoch: Epoch,
    /// At least one, consecutive.
    pub entries: Vec<Entry>,
    /// The texts of notes whose SHA-256 the bodies name; they may hold residents' data and are kept apart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<Digest, String>,
}

impl Message for LogPublish {
    const NAME: &'static str = "log publish";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.count("entries", self.entries.len(), limits::PUBLISH_ENTRIES)?;
        check.count("notes", self.notes.len(), limits::PUBLISH_ENTRIES)?;
        let Some(first) = self.entries.first() else {
            return check.fail("entries", "is empty");
        };
        if first.seq == 0 {
            return check.fail("entries[0].seq", "is 0, numbers start at 1");
        }
        for (index, pair) in self.entries.windows(2).enumerate() {
            if pair[0].seq.checked_add(1) != Some(pair[1].seq) {
                let found = format!("is {} after {}", pair[1].seq, pair[0].seq);
                return check.fail(format!("entries[{}].seq", index + 1), found);
            }
        }
        Ok(())
    }

    fn check_parts(&self) -> Result<(), WireError> {
        self.notes.iter().try_for_each(|(digest, text)| Self::check_note(digest, text))
    }
}

impl LogPublish {
    /// Checks the text of one note.
    ///
    /// # Errors
    /// [`WireError::OutOfBounds`] where it is too long, holds a control character, or is not the text
    /// that `digest` names.
    pub fn check_note(digest: &Digest, text: &str) -> Result<(), WireError> {
        let check = Check("note");
        check.text("text", text, limits::LONG_TEXT)?;
        if Digest::of(text.as_bytes()) != *digest {
            return check.fail("SHA-256", format!("is another one than {digest}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::Uuid;

    use super::*;

    #[test]
    fn chains_as_documented() {
        // printf '%064d' 0 | xxd -r -p | cat - <(printf '{}') | sha256sum
        let first = Digest::ZERO.then(b"{}");
        assert_eq!(
            first.to_string(),
            first.to_string().parse::<Digest>().map(String::from).unwrap_or_default()
        );
        assert_ne!(first, Digest::of(b"{}"));
        assert_ne!(first.then(b"{}"), first);
    }

    #[test]
    fn a_bad_note_is_not_sent_but_does_not_refuse_what_came() {
        let body = RawValue::from_string("{}".to_owned()).unwrap();
        let entry = Entry { seq: 1, id: FactId(Uuid::nil()), digest: Digest::ZERO.then(b"{}"), body };
        for (of, text) in [("a\tb", "a\tb"), ("門", "塀"), (&*"x".repeat(501), &*"x".repeat(501))] {
            let notes = BTreeMap::from([(Digest::of(of.as_bytes()), text.to_owned())]);
            let publish = LogPublish { v: 1, epoch: Epoch(Uuid::nil()), entries: vec![entry.clone()], notes };
            assert!(matches!(publish.encode(), Err(WireError::OutOfBounds { .. })), "{text}");
            let read = LogPublish::decode(&serde_json::to_vec(&publish).unwrap()).unwrap();
            assert_eq!(read.notes, publish.notes);
        }
    }

    #[test]
    fn reads_only_whole_lower_case_hex() {
        let good = Digest::of(b"x").to_string();
        assert!(good.parse::<Digest>().is_ok());
        for bad in [&good[1..], &good.to_uppercase(), &format!("{good}0"), &"é".repeat(32)] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
