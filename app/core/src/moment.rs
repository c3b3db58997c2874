//! A moment as the core is told it: what the clocks show, and random bits drawn outside.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_proto::{Digest, FactId};
use uuid::Uuid;

/// When an event happened, with fresh randomness for what the core draws in the step.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The device's clock, right or wrong.
    pub device: Timestamp,
    /// Since the program's start, by a clock that never jumps. Every timer goes by it.
    pub boot: Duration,
    /// Drawn for this step and used for no other.
    pub random: [u8; 32],
}

/// A moment, and what is left of its randomness.
pub(crate) struct Now {
    pub(crate) device: Timestamp,
    pub(crate) boot: Duration,
    random: [u8; 32],
    drawn: u8,
}

impl Now {
    pub(crate) fn new(moment: Moment) -> Self {
        Self { device: milliseconds(moment.device), boot: moment.boot, random: moment.random, drawn: 0 }
    }

    /// As many independent draws as a step needs, from one seed.
    fn draw(&mut self) -> [u8; 16] {
        let mut seed = self.random.to_vec();
        seed.push(self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        let digest = Digest::of(&seed).0;
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        half
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.draw()).into_uuid()
    }

    /// A fact's id, a UUIDv7 of the terminal's best time.
    pub(crate) fn fact_id(&mut self, best: Timestamp) -> FactId {
        let millis = u64::try_from(best.as_millisecond()).unwrap_or(0);
        let mut random = [0; 10];
        random.copy_from_slice(&self.draw()[..10]);
        FactId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Evenly from `least` to `most`.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let part = f64::from(u16::from_le_bytes([self.draw()[0], self.draw()[1]])) / 65_535.0;
        least + most.saturating_sub(least).mul_f64(part)
    }
}

/// Cuts a time to whole milliseconds, which is all that any clock here can promise.
pub(crate) fn milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// `time + later`, held at the end of representable time.
pub(crate) fn add(time: Timestamp, later: Duration) -> Timestamp {
    SignedDuration::try_from(later)
        .ok()
        .and_then(|later| time.checked_add(later).ok())
        .unwrap_or(Timestamp::MAX)
}
