//! What the pages need of the office: to read, to hear of changes, to know the time and the plan.

use std::path::PathBuf;
use std::sync::Arc;

use meguri_config::{City, Clock, shell_word};

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
    /// Where this gateway works, as it is named in commands that pages show.
    pub data: Place,
    /// How long a terminal may be silent before somebody should ask, in minutes.
    pub silence_minutes: u16,
}

/// Where a gateway works: what a command must name to reach the same office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// The settings file, where there is one.
    pub config: Option<PathBuf>,
}

impl Place {
    /// A command line of this gateway, to be copied into a shell.
    #[must_use]
    pub fn command(&self, arguments: &str) -> String {
        let mut line = "meguri-gateway".to_owned();
        for (option, path) in [("--config", self.config.as_ref()), ("--data", Some(&self.data))] {
            if let Some(path) = path {
                line.push_str(&format!(" {option} {}", shell_word(&path.to_string_lossy())));
            }
        }
        line.push(' ');
        line.push_str(arguments);
        line
    }
}

impl<P: Into<PathBuf>> From<P> for Place {
    fn from(data: P) -> Self {
        Self { data: data.into(), config: None }
    }
}
