//! Trusted time: the office's time in answers to hellos, carried on by the boot clock.
//!
//! The device's clock may say 2015 or be a year ahead, so it is never believed by itself:
//!
//! - Once the office has answered, time is *sure*: its time plus what the boot clock counted since.
//!   The device's clock has no say, whatever it shows.
//! - Over a restart the device's clock carries time forward, *in doubt*, by at most a day. A longer
//!   jump needs a second source: a day list held for that very day will do, since only the office
//!   makes those. Otherwise time stands where it was last known.
//! - It never runs backwards below what was once sure, over restarts too. Where the office is behind,
//!   time stands until the office has caught up. The one exception keeps a wrong office clock from
//!   blocking a fleet: two answers in a row that lie more than a day back and agree with each other
//!   are believed.
//! - Deletion and the stamps called trusted go by sure time only.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::moment::{add, milliseconds};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Two answers agree when their clocks differ by no more.
const AGREE: SignedDuration = SignedDuration::from_mins(5);

/// What of trusted time outlives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptTime {
    /// The last time that was sure.
    pub sure: Option<Timestamp>,
    /// The last time, sure or not.
    pub time: Timestamp,
    /// What the device's clock showed at `time`.
    pub device: Timestamp,
}

/// Trusted time in one run of the program.
#[derive(Debug, Clone)]
pub(crate) struct TrustedTime {
    /// The time at boot clock `at`.
    base: Timestamp,
    at: Duration,
    sure: bool,
    /// Never below this.
    floor: Option<Timestamp>,
    /// An answer from more than a day ago, which waits for a second.
    unbelieved: Option<(Timestamp, Duration)>,
}

/// What became of an answer's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Believed,
    /// It lies more than a day back: another answer is needed.
    AskAgain,
}

impl TrustedTime {
    /// At the program's start. `listed` says whether a day list is held for a date.
    pub(crate) fn start(
        kept: Option<KeptTime>,
        device: Timestamp,
        boot: Duration,
        listed: impl Fn(Date) -> bool,
    ) -> Self {
        let (base, floor) = match kept {
            None => (device, None),
            Some(kept) => {
                let passed = device.duration_since(kept.device).max(SignedDuration::ZERO);
                let forward = kept.time.checked_add(passed).unwrap_or(kept.time);
                let believed = passed <= DAY || listed(date_in_japan(forward));
                (if believed { forward } else { kept.time }, kept.sure)
            }
        };
        Self { base: milliseconds(base), at: boot, sure: false, floor, unbelieved: None }
    }

    pub(crate) fn now(&self, boot: Duration) -> Timestamp {
        let counted = add(self.base, boot.saturating_sub(self.at));
        milliseconds(self.floor.map_or(counted, |floor| floor.max(counted)))
    }

    /// The time, where it is not in doubt.
    pub(crate) fn sure(&self, boot: Duration) -> Option<Timestamp> {
        self.sure.then(|| self.now(boot))
    }

    pub(crate) fn today(&self, boot: Duration) -> Date {
        date_in_japan(self.now(boot))
    }

    /// How long until the next day begins in Japan.
    pub(crate) fn until_midnight(&self, boot: Duration) -> Duration {
        let now = self.now(boot);
        let tomorrow = date_in_japan(now).tomorrow().ok();
        tomorrow
            .and_then(|day| day.to_zoned(japan()).ok())
            .and_then(|midnight| Duration::try_from(midnight.timestamp().duration_since(now)).ok())
            .unwrap_or(Duration::from_secs(3_600))
    }

    /// The office's time in the answer to a hello.
    pub(crate) fn heard(&mut self, office: Timestamp, boot: Duration) -> Heard {
        let floor = if self.sure { Some(self.now(boot)) } else { self.floor };
        let far_behind = floor.is_some_and(|floor| floor.duration_since(office) > DAY);
        if far_behind {
            let agrees = self.unbelieved.is_some_and(|(before, at)| {
                add(before, boot.saturating_sub(at)).duration_since(office).abs() <= AGREE
            });
            if !agrees {
                self.unbelieved = Some((office, boot));
                return Heard::AskAgain;
            }
        }
        self.floor = if far_behind { Some(office) } else { floor.max(Some(office)) };
        (self.base, self.at, self.sure, self.unbelieved) = (office, boot, true, None);
        Heard::Believed
    }

    pub(crate) fn keep(&self, device: Timestamp, boot: Duration) -> KeptTime {
        let time = self.now(boot);
        KeptTime { sure: if self.sure { Some(time) } else { self.floor }, time, device }
    }
}

fn japan() -> TimeZone {
    // Japan has had no summer time since 1951, so an offset says all and needs no database.
    TimeZone::fixed(jiff::tz::offset(9))
}

/// The date in Japan at an instant.
pub(crate) fn date_in_japan(time: Timestamp) -> Date {
    time.to_zoned(japan()).date()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const fn hours(n: u64) -> Duration {
        Duration::from_secs(3_600 * n)
    }

    fn kept(time: &str) -> Option<KeptTime> {
        Some(KeptTime { sure: Some(at(time)), time: at(time), device: at(time) })
    }

    fn never(_: Date) -> bool {
        false
    }

    #[test]
    fn the_first_start_believes_the_device_in_doubt() {
        let time = TrustedTime::start(None, at("2026-04-01T00:00:00Z"), hours(0), never);
        assert_eq!(time.now(hours(1)), at("2026-04-01T01:00:00Z"));
        assert_eq!(time.sure(hours(1)), None);
    }

    #[test]
    fn the_office_outweighs_a_device_a_year_ahead() {
        let mut time = TrustedTime::start(None, at("2027-04-01T00:00:00Z"), hours(0), never);
        assert_eq!(time.heard(at("2026-04-01T00:00:00Z"), hours(1)), Heard::Believed);
        assert_eq!(time.sure(hours(3)), Some(at("2026-04-01T02:00:00Z")));
        assert_eq!(time.keep(at("2027-04-01T03:00:00Z"), hours(3)).sure, Some(at("2026-04-01T02:00:00Z")));
    }

    #[test]
    fn a_restart_carries_on_by_the_device_for_a_day_at_most() {
        let start = |device: &str, listed: fn(Date) -> bool| {
            TrustedTime::start(kept("2026-04-03T08:00:00Z"), at(device), hours(0), listed).now(hours(0))
        };
        assert_eq!(start("2026-04-04T07:00:00Z", never), at("2026-04-04T07:00:00Z"));
        assert_eq!(start("2026-04-06T00:00:00Z", never), at("2026-04-03T08:00:00Z"), "no second source");
        let monday = |date: Date| date == jiff::civil::date(2026, 4, 6);
        assert_eq!(start("2026-04-06T00:00:00Z", monday), at("2026-04-06T00:00:00Z"), "a list is one");
        assert_eq!(start("2015-01-01T00:00:00Z", never), at("2026-04-03T08:00:00Z"), "a dead battery");
    }

    #[test]
    fn never_runs_backwards_below_what_was_sure() {
        let mut time =
            TrustedTime::start(kept("2026-04-03T08:00:00Z"), at("2026-04-03T08:00:00Z"), hours(0), never);
        assert_eq!(time.heard(at("2026-04-03T06:00:00Z"), hours(0)), Heard::Believed);
        assert_eq!(time.now(hours(1)), at("2026-04-03T08:00:00Z"), "stands until the office has caught up");
        assert_eq!(time.now(hours(3)), at("2026-04-03T09:00:00Z"));
        assert_eq!(time.heard(at("2026-04-03T08:59:00Z"), hours(3)), Heard::Believed);
        assert_eq!(time.now(hours(3)), at("2026-04-03T09:00:00Z"));
    }

    #[test]
    fn a_wrong_office_clock_blocks_nobody_for_a_year() {
        let mut time = TrustedTime::start(None, at("2026-04-01T00:00:00Z"), hours(0), never);
        time.heard(at("2027-04-01T00:00:00Z"), hours(0));
        assert_eq!(time.heard(at("2026-04-01T01:00:00Z"), hours(1)), Heard::AskAgain);
        assert_eq!(time.heard(at("2026-09-01T01:00:00Z"), hours(1)), Heard::AskAgain, "they don't agree");
        assert_eq!(time.heard(at("2026-09-01T02:00:00Z"), hours(2)), Heard::Believed);
        assert_eq!(time.now(hours(3)), at("2026-09-01T03:00:00Z"));
    }

    #[test]
    fn the_day_turns_at_midnight_in_japan() {
        let time = TrustedTime::start(None, at("2026-04-01T14:30:00Z"), hours(0), never);
        assert_eq!(time.today(hours(0)), jiff::civil::date(2026, 4, 1));
        assert_eq!(time.until_midnight(hours(0)), Duration::from_secs(1_800));
        assert_eq!(time.today(hours(1)), jiff::civil::date(2026, 4, 2));
    }
}
