//! How a message becomes bytes and bytes become a message: version first, then shape, then limits.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Why bytes are not a message, or a message may not become bytes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Longer than the contract allows.
    #[error("{what} has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// The message.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A version this program does not speak.
    #[error("{what} has version {version}, this program speaks {speaks}")]
    UnknownVersion {
        /// The message.
        what: &'static str,
        /// The version found.
        version: u64,
        /// The version spoken here.
        speaks: u64,
    },
    /// Not JSON, or not of the message's shape.
    #[error("{what} can't be read: {source}")]
    Malformed {
        /// The message.
        what: &'static str,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// A field outside its limits.
    #[error("{what}: {field} {problem}")]
    OutOfBounds {
        /// The message.
        what: &'static str,
        /// The field, as a path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A message of the wire. `encode` and `decode` are the only ways in and out, so that the limits
/// hold on both sides.
pub trait Message: Serialize + DeserializeOwned {
    /// Its name in errors.
    const NAME: &'static str;
    /// The version written and read.
    const VERSION: u64 = 1;
    /// Most bytes.
    const MAX_BYTES: usize = limits::MESSAGE_BYTES;

    /// The version this value carries.
    fn v(&self) -> u64;

    /// Checks every count and text length.
    ///
    /// # Errors
    /// [`WireError::OutOfBounds`] names the first field beyond its limit.
    fn check(&self) -> Result<(), WireError>;

    /// What a sender keeps beyond [`check`](Self::check): a receiver looks at these parts one by one, so
    /// that one bad part never refuses the whole.
    ///
    /// # Errors
    /// [`WireError::OutOfBounds`] names the first part that must not be sent.
    fn check_parts(&self) -> Result<(), WireError> {
        Ok(())
    }

    /// The message as JSON.
    ///
    /// # Errors
    /// When a limit is passed.
    fn encode(&self) -> Result<Vec<u8>, WireError> {
        self.check()?;
        self.check_parts()?;
        let bytes =
            serde_json::to_vec(self).map_err(|source| WireError::Malformed { what: Self::NAME, source })?;
        within(Self::NAME, bytes.len(), Self::MAX_BYTES)?;
        Ok(bytes)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// Too large, unknown version, malformed or out of bounds, in this order.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        within(Self::NAME, bytes.len(), Self::MAX_BYTES)?;
        let malformed = |source| WireError::Malformed { what: Self::NAME, source };
        let message = match serde_json::from_slice::<Self>(bytes) {
            Ok(message) => message,
            Err(source) => {
                // A newer version may have another shape: say so rather than "malformed".
                let probe: Probe = serde_json::from_slice(bytes).map_err(malformed)?;
                known_version::<Self>(probe.v)?;
                return Err(malformed(source));
            }
        };
        known_version::<Self>(message.v())?;
        message.check()?;
        Ok(message)
    }
}

#[derive(Deserialize)]
struct Probe {
    v: u64,
}

fn known_version<M: Message>(version: u64) -> Result<(), WireError> {
    if version == M::VERSION {
        return Ok(());
    }
    Err(WireError::UnknownVersion { what: M::NAME, version, speaks: M::VERSION })
}

fn within(what: &'static str, bytes: usize, limit: usize) -> Result<(), WireError> {
    if bytes > limit {
        return Err(WireError::TooLarge { what, bytes, limit });
    }
    Ok(())
}

/// Collects the checks of one message under its name.
pub(crate) struct Check(pub(crate) &'static str);

impl Check {
    pub(crate) fn fail<T>(
        &self,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) -> Result<T, WireError> {
        Err(WireError::OutOfBounds { what: self.0, field: field.into(), problem: problem.into() })
    }

    pub(crate) fn count(&self, field: &str, found: usize, most: usize) -> Result<(), WireError> {
        if found > most {
            return self.fail(field, format!("holds {found}, at most {most} are allowed"));
        }
        Ok(())
    }

    /// A text of at most `most` characters without control characters.
    pub(crate) fn text(&self, field: &str, text: &str, most: usize) -> Result<(), WireError> {
        let found = text.chars().count();
        if found > most {
            return self.fail(field, format!("has {found} characters, at most {most} are allowed"));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return self.fail(field, "holds a control character");
        }
        Ok(())
    }

    /// A version of a document: there is always a higher one.
    pub(crate) fn version(&self, field: &str, version: u64) -> Result<(), WireError> {
        if version >= limits::DOCUMENT_VERSION {
            return self.fail(field, format!("is {version}, expected below {}", limits::DOCUMENT_VERSION));
        }
        Ok(())
    }

    pub(crate) fn degrees(&self, field: &str, value: f64, bound: f64) -> Result<(), WireError> {
        if !(-bound..=bound).contains(&value) {
            return self.fail(field, format!("is {value}, expected -{bound} to {bound}"));
        }
        Ok(())
    }
}
