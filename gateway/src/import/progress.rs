//! How far an import is, for whoever waits for it: written where the work is done, looked at from elsewhere.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What an import is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits for another import.
    #[default]
    Waiting,
    /// It reads the file; counted in lines.
    Reading,
    /// It compares the file with the store; not counted.
    Comparing,
    /// It writes down what is to be done; counted in pickups. Nothing is taken yet.
    Staging,
    /// It is decided and being applied; counted in pickups.
    Applying,
}

const STAGES: [Stage; 5] =
    [Stage::Waiting, Stage::Reading, Stage::Comparing, Stage::Staging, Stage::Applying];

/// Where an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// What it is doing.
    pub stage: Stage,
    /// How much of that is done.
    pub done: u64,
    /// Of how much; 0 where that is not known.
    pub of: u64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, done, of } = self;
        match stage {
            Stage::Waiting => f.write_str("waiting for another import"),
            Stage::Reading => write!(f, "reading: line {done} of {of}"),
            Stage::Comparing => f.write_str("comparing with what is there"),
            Stage::Staging => write!(f, "preparing: {done} of {of} pickups, nothing is taken yet"),
            Stage::Applying => write!(f, "taking: {done} of {of} pickups"),
        }
    }
}

/// A place where an import writes how far it is. Cheap to clone; clones are the same place.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    cells: Arc<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    stage: AtomicU8,
    done: AtomicU64,
    of: AtomicU64,
}

impl Progress {
    /// Where it is now. What it says is for people: the three numbers may be of neighbouring moments.
    #[must_use]
    pub fn at(&self) -> At {
        let stage = usize::from(self.cells.stage.load(Ordering::Relaxed));
        At {
            stage: STAGES.get(stage).copied().unwrap_or_default(),
            done: self.cells.done.load(Ordering::Relaxed),
            of: self.cells.of.load(Ordering::Relaxed),
        }
    }

    /// Says that another stage begins.
    pub fn begin(&self, stage: Stage, of: u64) {
        let number = STAGES.iter().position(|known| *known == stage).unwrap_or_default();
        self.cells.done.store(0, Ordering::Relaxed);
        self.cells.of.store(of, Ordering::Relaxed);
        self.cells.stage.store(u8::try_from(number).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Takes over where it is somewhere else.
    pub fn take_over(&self, at: At) {
        self.begin(at.stage, at.of);
        self.reach(at.done);
    }

    /// Says how much is done.
    pub fn reach(&self, done: u64) {
        self.cells.done.store(done, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_the_same_place() {
        let progress = Progress::default();
        assert_eq!(progress.at(), At::default());
        for stage in STAGES {
            progress.clone().begin(stage, 9);
            progress.reach(4);
            assert_eq!(progress.at(), At { stage, done: 4, of: 9 });
        }
        assert_eq!(progress.at().to_string(), "taking: 4 of 9 pickups");
    }
}
