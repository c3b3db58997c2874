//! Why a command fails, and with which exit status.

use std::io;
use std::path::Path;

use meguri_config::release::ReleaseError;
use meguri_config::{ConfigError, Refused};
use meguri_proto::ConfigWhy;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// What was asked can't be, or is not taken; exit status 1.
    #[error("{text}")]
    Refused {
        /// The word for programs, where it is a rule of signed things that does not hold.
        why: Option<ConfigWhy>,
        /// For people.
        text: String,
    },
    /// It was asked in a way that makes no sense; exit status 2.
    #[error("{0}")]
    Misuse(String),
}

impl Fault {
    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::Refused { why: None, text: text.into() }
    }

    pub(super) fn misuse(text: impl Into<String>) -> Self {
        Self::Misuse(text.into())
    }

    /// The same, told with where it was found.
    pub(super) fn within(self, place: impl std::fmt::Display) -> Self {
        match self {
            Self::Refused { why, text } => Self::Refused { why, text: format!("{place}: {text}") },
            Self::Misuse(text) => Self::Misuse(format!("{place}: {text}")),
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused { why: Some(refused.why), text: refused.detail }
    }
}

impl From<ReleaseError> for Fault {
    fn from(error: ReleaseError) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::refused(meguri_config::told(&error))
    }
}

/// A fault of the system, with what was being done.
pub(super) fn at(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Fault {
    let path = path.display().to_string();
    move |error| Fault::refused(format!("can't {doing} {path}: {error}"))
}
