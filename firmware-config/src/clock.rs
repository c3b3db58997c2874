//! The clock a program runs by: the system's, or a rehearsal's that all programs of it share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use meguri_proto::clock::Rehearsal;

use crate::read::{ConfigError, Wrong, read};

/// How often a rehearsal's file is looked at for another speed.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Decides how far the system's clock is to be believed.
pub trait Judge: std::fmt::Debug + Send + Sync {
    /// The time to go by where the system's clock shows `clock`.
    fn now(&self, clock: Timestamp) -> Timestamp;
    /// Whether the clock is in doubt.
    fn in_doubt(&self, clock: Timestamp) -> bool;
    /// Somebody else's clock shows `fresh` at this moment.
    fn witness(&self, fresh: Timestamp, clock: Timestamp);
    /// A person says that the clock is right.
    fn believe(&self, clock: Timestamp);
}

/// Tells the time. Cheap to clone; clones agree.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    rehearsal: Option<Arc<Mutex<File>>>,
    judge: Option<Arc<dyn Judge>>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    looked: Instant,
    modified: Option<SystemTime>,
    mapping: Rehearsal,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The clock of a rehearsal: a TOML file with `real`, `from` and `speed`, which may be replaced while programs run.
    ///
    /// # Errors
    /// When the file can't be read or has no speed above 0.
    pub fn rehearsal(path: &Path) -> Result<Self, ConfigError> {
        let file = File {
            path: path.to_owned(),
            looked: Instant::now(),
            modified: modified(path),
            mapping: read_mapping(path)?,
        };
        Ok(Self { rehearsal: Some(Arc::new(Mutex::new(file))), judge: None })
    }

    /// The system's clock as far as `judge` believes it. A rehearsal's clock stays as it is: it is meant to jump.
    #[must_use]
    pub fn judged(self, judge: Arc<dyn Judge>) -> Self {
        let judge = self.rehearsal.is_none().then_some(judge);
        Self { judge, ..self }
    }

    /// Who judges it, where anybody does.
    #[must_use]
    pub fn judge(&self) -> Option<&dyn Judge> {
        self.judge.as_deref()
    }

    /// Whether its time is in doubt.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        self.judge.as_ref().is_some_and(|judge| judge.in_doubt(Timestamp::now()))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let real = Timestamp::now();
        if let Some(judge) = &self.judge {
            return judge.now(real);
        }
        self.mapping().map_or(real, |mapping| mapping.at(real))
    }

    /// How many of this clock's seconds pass in a real one.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.mapping().map_or(1.0, |mapping| mapping.speed)
    }

    /// Whether this is a rehearsal's clock.
    #[must_use]
    pub fn rehearsed(&self) -> bool {
        self.rehearsal.is_some()
    }

    fn mapping(&self) -> Option<Rehearsal> {
        let mut file = self.rehearsal.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        if file.looked.elapsed() >= LOOK_AGAIN {
            file.looked = Instant::now();
            let modified = modified(&file.path);
            // A file that is being replaced or is gone leaves the last mapping in force.
            if modified != file.modified
                && let Ok(mapping) = read_mapping(&file.path)
            {
                (file.modified, file.mapping) = (modified, mapping);
            }
        }
        Some(file.mapping)
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn read_mapping(path: &Path) -> Result<Rehearsal, ConfigError> {
    read(path, |mapping: &Rehearsal| {
        if mapping.speed.is_finite() && mapping.speed > 0.0 {
            return Ok(());
        }
        Err(Wrong::new("speed", format!("is {}, expected a number above 0", mapping.speed)))
    })
}
