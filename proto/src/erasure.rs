//! A lost terminal's erasure.

use serde::{Deserialize, Serialize};

use crate::wire::{Message, WireError};

/// The terminal is lost: it destroys the keys of all it holds of residents, shows nothing more, and takes nothing else
/// until this lapses. It names this document in its hello once that is done, and not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Version of the body, 1.
    pub v: u64,
}

impl Message for Erasure {
    const NAME: &'static str = "erasure";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        Ok(())
    }
}
