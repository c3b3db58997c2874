//! What the pages need of the office: to read, to hear of changes, to know the time and the plan.

use std::path::PathBuf;
use std::sync::Arc;

use meguri_config::{City, Clock};

use crate::changes::Changes;
use crate::store::Readers;

/// The office as pages see it.
#[derive(Debug, Clone)]
pub struct Office {
    /// Reads the store.
    pub readers: Readers,
    /// Tells what was committed.
    pub changes: Changes,
    /// The office's time.
    pub clock: Clock,
    /// The city's plan.
    pub city: Arc<City>,
    /// The data folder, as it is named in commands that pages show.
    pub data: PathBuf,
    /// How long a terminal may be silent before somebody should ask, in minutes.
    pub silence_minutes: u16,
}
