//! Business dates, which are Japan's, and a rehearsal's clock: business time run at another speed, the same for every program that reads it.
//!
//! A city rehearses a day, or a switchover, in minutes. The mapping is pure; programs read the
//! clock's file and their own real clock. Timers of the wire run by the same clock as the stamps.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The zone of business dates and of every time that people read. Japan has had no summer time since 1951, so an
/// offset says all, and no zone data can be missing.
#[must_use]
pub fn japan() -> TimeZone {
    TimeZone::fixed(Offset::constant(9))
}

/// The business date at an instant.
#[must_use]
pub fn business_date(at: Timestamp) -> Date {
    at.to_zoned(japan()).date()
}

/// The instant at which a business day begins: 0:00 in Japan.
#[must_use]
pub fn midnight(day: Date) -> Timestamp {
    // The calendar's first and last day may begin beyond what an instant can be.
    let end = if day.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    day.to_zoned(japan()).map_or(end, |at| at.timestamp())
}

/// Maps real time to rehearsed time: `from` at real time `real`, then `speed` times as fast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// The real instant at which this mapping starts.
    pub real: Timestamp,
    /// The rehearsed instant at that moment.
    pub from: Timestamp,
    /// How many rehearsed seconds pass in a real one, above 0.
    pub speed: f64,
}

impl Rehearsal {
    /// The rehearsed time at a real time.
    #[must_use]
    pub fn at(&self, real: Timestamp) -> Timestamp {
        let passed = real.duration_since(self.real).as_secs_f64() * self.speed;
        SignedDuration::try_from_secs_f64(passed)
            .ok()
            .and_then(|passed| self.from.checked_add(passed).ok())
            .unwrap_or(self.from)
    }

    /// The mapping that goes on from `real` at another speed without a jump.
    #[must_use]
    pub fn with_speed(&self, real: Timestamp, speed: f64) -> Self {
        Self { real, from: self.at(real), speed }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn runs_faster_and_changes_speed_without_a_jump() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let fast =
            Rehearsal { real: at("2026-11-01T00:00:00Z"), from: at("2026-04-01T00:00:00Z"), speed: 60.0 };
        assert_eq!(fast.at(at("2026-11-01T00:01:00Z")), at("2026-04-01T01:00:00Z"));
        let slow = fast.with_speed(at("2026-11-01T00:01:00Z"), 1.0);
        assert_eq!(slow.at(at("2026-11-01T00:02:00Z")), at("2026-04-01T01:01:00Z"));
    }
}
