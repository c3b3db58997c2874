//! What keeps a terminal from working as it should, in kinds that a screen has words for.

use std::fmt;

use serde::Serialize;

/// Something that a person should know, or do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Which kind of thing it is.
    pub kind: TroubleKind,
    /// What the system said, for whoever repairs it. Holds no residents' data.
    pub detail: String,
}

/// The kinds of trouble. Nothing recorded is lost by any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// There is no room on the disk: nothing can be recorded until there is.
    DiskFull,
    /// The disk takes no writing at all.
    ReadOnly,
    /// Writing failed for another reason.
    Write,
    /// A write takes long. It is not over yet, and may still succeed.
    Slow,
    /// An entry is damaged on the disk: recording goes on, but nothing after it can be sent before a repair.
    Unsendable,
    /// A note was damaged on the disk: its entry was sent without it.
    NoteLost,
}

impl Trouble {
    /// Of this kind, with what the system said.
    #[must_use]
    pub fn new(kind: TroubleKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
