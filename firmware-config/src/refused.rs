//! Why something signed is not taken.

use meguri_proto::{ConfigWhy, limits};

use crate::plain::is_plain;

/// Why something signed is not taken: a word for programs and pages, and more for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// The rule that does not hold.
    pub why: ConfigWhy,
    /// What was found and what was expected.
    pub detail: String,
}

impl Refused {
    /// With its detail cut to what a fact may carry.
    #[must_use]
    pub fn new(why: ConfigWhy, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        let detail =
            detail.chars().map(|c| if is_plain(c) { c } else { ' ' }).take(limits::LONG_TEXT).collect();
        Self { why, detail }
    }
}
