//! Trusted time: the office's time in answers to hellos, carried on by the boot clock.
//!
//! The device's clock may say 2015 or be a year ahead, so it is never believed by itself:
//!
//! - Once the office has answered, time is *sure*: its time plus what the boot clock counted since.
//!   The device's clock has no say, whatever it shows.
//! - Where the office has not answered yet, the crew may say that the date shown is right. That is
//!   good for this date and no longer: a crew knows the day, not the minute, so another date, by
//!   midnight or by a wrong clock, is in doubt again. It outlives a restart of the program, not of
//!   the device, whose clock may have stood still meanwhile. The office outweighs it at once: it never
//!   counts as time that must not run backwards.
//! - In doubt the crew may also say that it is another date than the one shown, at the time of day that the device's clock
//!   shows. It is a word like the other one, good for that date. It is never before what was once sure.
//! - Over a restart the device's clock carries time forward, *in doubt*, by at most a day. A longer
//!   jump needs a second source: a day list held for that very day will do, since only the office
//!   makes those. The same goes for a clock that was wrong and is right again. Otherwise time stands where it was last known.
//! - It never runs backwards below what was once sure, over restarts too. Where the office is behind by
//!   five minutes at most, time stands until the office has caught up. The one exception keeps an office
//!   clock that was ahead from blocking a fleet until time has caught up with it: two answers in a row
//!   that lie further back and agree with each other are believed.
//! - Forward it does not jump by more than a day on one answer either, where time was known before: what a wrong hour brings about, such
//!   as a contract's end, is not undone when it is right again. Two answers in a row that agree are believed. A terminal that
//!   knows of no time yet, at its first start, believes the first one.
//! - Deletion and the stamps called trusted go by time that is not in doubt.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use meguri_proto::clock::{business_date, japan};
use uuid::Uuid;

use crate::moment::{add, milliseconds};

/// Days after the first that can be today that the crew may say it is: more than a year nothing stands unused that still works.
pub(crate) const LATEST: i32 = 400;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Two clocks agree when they differ by no more. Unless the timers are set otherwise, no answer counts that
/// comes later after its hello, so a slow one does not look like a clock set back.
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
    /// The date that the crew has said is right.
    pub confirmed: Option<Confirmed>,
}

/// The crew's word that a date is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The date.
    pub date: Date,
    /// The start of the device it was said in; it is of no worth after another.
    pub device_start: Uuid,
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
    /// An answer from further back than [`AGREE`] or further ahead than [`DAY`], which waits for a second.
    unbelieved: Option<(Timestamp, Duration)>,
    /// The date that the crew has said is right.
    confirmed: Option<Date>,
    device_start: Option<Uuid>,
}

/// What became of an answer's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Believed,
    /// It lies further back than a slow answer explains, or a day ahead: another one is needed.
    AskAgain,
}

impl TrustedTime {
    /// At the program's start. `device_start` names the device's start, where the system does; `listed`
    /// says whether a day list is held for a date.
    pub(crate) fn start(
        kept: Option<KeptTime>,
        device: Timestamp,
        boot: Duration,
        device_start: Option<Uuid>,
        listed: impl Fn(Date) -> bool,
    ) -> Self {
        let (base, floor, confirmed) = match kept {
            None => (device, None, None),
            Some(kept) => {
                let passed = device.duration_since(kept.device).max(SignedDuration::ZERO);
                let forward = kept.time.checked_add(passed).unwrap_or(kept.time);
                let mut believed = Some(forward).filter(|_| passed <= DAY || listed(business_date(forward)));
                if believed.is_none() && device > kept.time && listed(business_date(device)) {
                    // A clock that was wrong is right again, as after a new battery: what passed by it says nothing.
                    believed = Some(device);
                }
                let went_on = believed == Some(forward) && device >= kept.device;
                let confirmed = kept.confirmed.filter(|confirmed| {
                    // The word stands only while the device's clock ran on from where it was said.
                    went_on && device_start == Some(confirmed.device_start)
                });
                let base = believed.unwrap_or(kept.time);
                (base, kept.sure, confirmed.map(|confirmed| confirmed.date))
            }
        };
        let base = milliseconds(base);
        Self { base, at: boot, sure: false, floor, unbelieved: None, confirmed, device_start }
    }

    pub(crate) fn now(&self, boot: Duration) -> Timestamp {
        let counted = add(self.base, boot.saturating_sub(self.at));
        milliseconds(self.floor.map_or(counted, |floor| floor.max(counted)))
    }

    /// The time, where it is not in doubt.
    pub(crate) fn sure(&self, boot: Duration) -> Option<Timestamp> {
        (self.sure || self.confirmed == Some(self.today(boot))).then(|| self.now(boot))
    }

    /// The crew says that today is `date`, which is not the one that is shown, at the time of day that the device's clock shows.
    /// Says whether that counts: it does not where the office has said what time it is, on days before [`earliest`](Self::earliest)
    /// and more than [`LATEST`] after that.
    pub(crate) fn set(&mut self, date: Date, device: Timestamp, boot: Duration) -> bool {
        let least = self.earliest(boot);
        let most = least.checked_add(LATEST.days()).unwrap_or(Date::MAX);
        let time_of_day = device.to_zoned(japan()).time();
        let set = date.to_datetime(time_of_day).to_zoned(japan());
        let Some(set) = set.ok().filter(|_| !self.sure && (least..=most).contains(&date)) else {
            return false;
        };
        (self.base, self.at, self.confirmed) = (milliseconds(set.timestamp()), boot, Some(date));
        true
    }

    /// What was once sure: nothing is before it.
    pub(crate) fn floor(&self) -> Option<Timestamp> {
        self.floor
    }

    /// The crew says that `date` is right. Says whether that ends a doubt: it does not where another
    /// date is shown, or none is in doubt.
    pub(crate) fn confirm(&mut self, date: Date, boot: Duration) -> bool {
        let ends = self.sure(boot).is_none() && self.today(boot) == date;
        if ends {
            self.confirmed = Some(date);
        }
        ends
    }

    pub(crate) fn today(&self, boot: Duration) -> Date {
        business_date(self.now(boot))
    }

    /// The first day that can be today: time never runs back before what was once sure.
    pub(crate) fn earliest(&self, boot: Duration) -> Date {
        self.floor.map_or_else(|| self.today(boot), business_date)
    }

    /// How long until the next day begins in Japan.
    pub(crate) fn until_midnight(&self, boot: Duration) -> Duration {
        let now = self.now(boot);
        let tomorrow = business_date(now).tomorrow().ok();
        tomorrow
            .and_then(|day| day.to_zoned(japan()).ok())
            .and_then(|midnight| Duration::try_from(midnight.timestamp().duration_since(now)).ok())
            .unwrap_or(Duration::from_secs(3_600))
    }

    /// The office's time in the answer to a hello.
    pub(crate) fn heard(&mut self, office: Timestamp, boot: Duration) -> Heard {
        // From here on it is the office's word, or a doubt that the crew can't have known of.
        self.confirmed = None;
        let floor = if self.sure { Some(self.now(boot)) } else { self.floor };
        let behind = floor.is_some_and(|floor| floor.duration_since(office) > AGREE);
        // In doubt the device's clock, where it was on its way to the same time, bears the office out.
        let known = floor.map(|floor| floor.max(self.now(boot)));
        let ahead = known.is_some_and(|known| office.duration_since(known) > DAY);
        if behind || ahead {
            let agrees = self.unbelieved.is_some_and(|(before, at)| {
                add(before, boot.saturating_sub(at)).duration_since(office).abs() <= AGREE
            });
            if !agrees {
                self.unbelieved = Some((office, boot));
                return Heard::AskAgain;
            }
        }
        self.floor = if behind { Some(office) } else { floor.max(Some(office)) };
        (self.base, self.at, self.sure, self.unbelieved) = (office, boot, true, None);
        Heard::Believed
    }

    pub(crate) fn keep(&self, device: Timestamp, boot: Duration) -> KeptTime {
        let time = self.now(boot);
        let sure = if self.sure { Some(time) } else { self.floor };
        let said = self.confirmed.zip(self.device_start);
        let confirmed = said.map(|(date, device_start)| Confirmed { date, device_start });
        KeptTime { sure, time, device, confirmed }
    }
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
        Some(KeptTime { sure: Some(at(time)), time: at(time), device: at(time), confirmed: None })
    }

    fn never(_: Date) -> bool {
        false
    }

    #[test]
    fn the_first_start_believes_the_device_in_doubt() {
        let time = TrustedTime::start(None, at("2026-04-01T00:00:00Z"), hours(0), None, never);
        assert_eq!(time.now(hours(1)), at("2026-04-01T01:00:00Z"));
        assert_eq!(time.sure(hours(1)), None);
    }

    #[test]
    fn the_office_outweighs_a_device_a_year_ahead() {
        let mut time = TrustedTime::start(None, at("2027-04-01T00:00:00Z"), hours(0), None, never);
        assert_eq!(time.heard(at("2026-04-01T00:00:00Z"), hours(1)), Heard::Believed);
        assert_eq!(time.sure(hours(3)), Some(at("2026-04-01T02:00:00Z")));
        assert_eq!(time.keep(at("2027-04-01T03:00:00Z"), hours(3)).sure, Some(at("2026-04-01T02:00:00Z")));
    }

    #[test]
    fn a_restart_carries_on_by_the_device_for_a_day_at_most() {
        let start = |device: &str, listed: fn(Date) -> bool| {
            TrustedTime::start(kept("2026-04-03T08:00:00Z"), at(device), hours(0), None, listed).now(hours(0))
        };
        assert_eq!(start("2026-04-04T07:00:00Z", never), at("2026-04-04T07:00:00Z"));
        assert_eq!(start("2026-04-06T00:00:00Z", never), at("2026-04-03T08:00:00Z"), "no second source");
        let monday = |date: Date| date == jiff::civil::date(2026, 4, 6);
        assert_eq!(start("2026-04-06T00:00:00Z", monday), at("2026-04-06T00:00:00Z"), "a list is one");
        assert_eq!(start("2015-01-01T00:00:00Z", never), at("2026-04-03T08:00:00Z"), "a dead battery");
    }

    /// A clock that came back from a dead battery has jumped, too: nothing is taken from it without a second source.
    #[test]
    fn a_battery_that_was_dead_and_is_changed_moves_nothing_by_itself() {
        let start = |kept, device: &str, listed: fn(Date) -> bool| {
            TrustedTime::start(kept, at(device), hours(0), None, listed)
        };
        let dead = start(kept("2026-04-03T08:00:00Z"), "2015-01-01T00:00:00Z", never);
        assert_eq!((dead.now(hours(1)), dead.sure(hours(1))), (at("2026-04-03T09:00:00Z"), None));
        let kept = Some(dead.keep(at("2015-01-01T01:00:00Z"), hours(1)));
        // While it is dead each start goes on from where the one before ended, never from 2015.
        let still = start(kept, "2015-01-01T00:00:00Z", never);
        assert_eq!(still.now(hours(0)), at("2026-04-03T09:00:00Z"));
        let changed = start(kept, "2026-04-04T00:00:00Z", never);
        assert_eq!(changed.now(hours(0)), at("2026-04-03T09:00:00Z"));
        let listed = |date: Date| date == jiff::civil::date(2026, 4, 3);
        let believed = start(kept, "2026-04-03T10:00:00Z", listed);
        assert_eq!(
            believed.now(hours(0)),
            at("2026-04-03T10:00:00Z"),
            "a list of that day is a second source"
        );
    }

    /// However far a clock jumps, and however often: a program that runs on the office's time goes on by the boot clock,
    /// and what a start takes from the device stays in doubt and above what was sure.
    #[test]
    fn jumps_of_hours_a_day_and_ten_years_make_nothing_sure() {
        let then = at("2026-04-03T08:00:00Z");
        for jump in [-87_600, -25, -24, -3, 3, 23, 24, 25, 87_600].map(SignedDuration::from_hours) {
            let mut time = TrustedTime::start(None, then, hours(0), None, never);
            assert_eq!(time.heard(then, hours(0)), Heard::Believed);
            let kept = time.keep(then + jump, hours(2));
            assert_eq!(
                (kept.sure, kept.time),
                (Some(then + SignedDuration::from_hours(2)), then + SignedDuration::from_hours(2))
            );
            let before = time.keep(then, hours(0));
            let mut again = TrustedTime::start(Some(before), then + jump, hours(0), None, never);
            let expected = if jump.is_positive() && jump <= DAY { then + jump } else { then };
            assert_eq!((again.now(hours(0)), again.sure(hours(0))), (expected, None), "{jump}");
            for _ in 0..4 {
                let kept = again.keep(then, hours(0));
                assert_eq!(kept.sure, Some(then), "{jump}: what is in doubt is no floor");
                again = TrustedTime::start(Some(kept), then + jump, hours(0), None, never);
                assert!(again.now(hours(0)) >= then && again.sure(hours(0)).is_none(), "{jump}");
            }
            assert_eq!(
                again.heard(then, hours(1)),
                Heard::Believed,
                "{jump}: the office is believed at once"
            );
            assert_eq!(again.sure(hours(1)), Some(then), "{jump}");
        }
    }

    #[test]
    fn a_jump_forward_of_more_than_a_day_needs_a_second_answer() {
        let sure = || {
            let mut time = TrustedTime::start(None, at("2026-03-20T00:00:00Z"), hours(0), None, never);
            assert_eq!(time.heard(at("2026-03-20T00:00:00Z"), hours(0)), Heard::Believed, "the first one");
            time
        };
        let mut time = sure();
        assert_eq!(time.heard(at("2026-04-02T00:00:00Z"), hours(1)), Heard::AskAgain);
        assert_eq!(time.sure(hours(1)), Some(at("2026-03-20T01:00:00Z")));
        assert_eq!(time.heard(at("2026-03-20T01:00:00Z"), hours(1)), Heard::Believed);
        assert_eq!(time.heard(at("2026-04-02T00:00:00Z"), hours(1)), Heard::AskAgain, "not two in a row");
        assert_eq!(time.heard(at("2026-04-02T00:01:00Z"), hours(1)), Heard::Believed, "two that agree");
        assert_eq!(sure().heard(at("2026-03-20T23:00:00Z"), hours(0)), Heard::Believed, "less than a day");
        // After a weekend without power the same; a device's clock that went on for a night bears the office out.
        let again = |device: &str| {
            TrustedTime::start(kept("2026-04-03T08:00:00Z"), at(device), hours(0), None, never)
        };
        assert_eq!(
            again("2026-04-06T00:00:00Z").heard(at("2026-04-06T00:00:00Z"), hours(0)),
            Heard::AskAgain
        );
        assert_eq!(
            again("2026-04-04T07:00:00Z").heard(at("2026-04-05T06:00:00Z"), hours(0)),
            Heard::Believed
        );
    }

    #[test]
    fn a_clock_at_the_end_of_time_stops_nothing() {
        for device in [Timestamp::MAX, Timestamp::MIN] {
            for kept in [None, kept("2026-04-03T08:00:00Z")] {
                let mut time = TrustedTime::start(kept, device, hours(0), None, never);
                let (_, _, _) =
                    (time.today(hours(1)), time.until_midnight(hours(1)), time.keep(device, hours(1)));
                assert_eq!(time.heard(at("2026-04-03T09:00:00Z"), hours(1)), Heard::Believed);
                assert_eq!(time.sure(hours(1)), Some(at("2026-04-03T09:00:00Z")));
            }
        }
    }

    #[test]
    fn never_runs_backwards_below_what_was_sure() {
        let mut time = TrustedTime::start(
            kept("2026-04-03T08:00:00Z"),
            at("2026-04-03T08:00:00Z"),
            hours(0),
            None,
            never,
        );
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(time.heard(at("2026-04-03T07:55:00Z"), hours(0)), Heard::Believed);
        assert_eq!(time.now(minutes(4)), at("2026-04-03T08:00:00Z"), "stands until the office has caught up");
        assert_eq!(time.now(minutes(6)), at("2026-04-03T08:01:00Z"));
        assert_eq!(time.heard(at("2026-04-03T08:00:00Z"), minutes(6)), Heard::Believed);
        assert_eq!(time.now(minutes(6)), at("2026-04-03T08:01:00Z"));
        assert_eq!(time.now(minutes(8)), at("2026-04-03T08:02:00Z"));
    }

    /// However far ahead the office was: once it is right, two answers say so, over a restart too.
    #[test]
    fn a_wrong_office_clock_blocks_nobody_once_it_is_right() {
        let right = at("2026-04-01T00:00:00Z");
        let by = |minutes: i64| SignedDuration::from_mins(minutes);
        let second = Duration::from_secs(1);
        for minutes in [6, 59, 23 * 60, 24 * 60, 25 * 60, 400 * 24 * 60] {
            for restarted in [false, true] {
                let mut time = TrustedTime::start(None, right, hours(0), None, never);
                assert_eq!(time.heard(right + by(minutes), hours(0)), Heard::Believed);
                if restarted {
                    let kept = time.keep(right, hours(0));
                    time = TrustedTime::start(Some(kept), right, hours(0), None, never);
                }
                assert_eq!(time.heard(right, hours(0)), Heard::AskAgain, "{minutes} {restarted}");
                assert_eq!(time.now(hours(0)), right + by(minutes), "one answer moves nothing back");
                let later = right + SignedDuration::from_secs(1);
                assert_eq!(time.heard(later, second), Heard::Believed, "{minutes} {restarted}");
                assert_eq!(time.sure(second), Some(later), "{minutes} {restarted}");
                // Nor does what was once sure come back with the next start.
                let kept = time.keep(later, second);
                let again = TrustedTime::start(Some(kept), later, hours(0), None, never);
                assert_eq!(again.now(hours(0)), later, "{minutes} {restarted}");
            }
        }
    }

    #[test]
    fn one_answer_from_the_past_between_right_ones_changes_nothing() {
        let mut time = TrustedTime::start(None, at("2026-04-01T00:00:00Z"), hours(0), None, never);
        assert_eq!(time.heard(at("2026-04-01T00:00:00Z"), hours(0)), Heard::Believed);
        assert_eq!(time.heard(at("2026-03-31T23:00:00Z"), hours(0)), Heard::AskAgain);
        assert_eq!(time.heard(at("2026-04-01T01:00:00Z"), hours(1)), Heard::Believed);
        assert_eq!(time.heard(at("2026-04-01T00:00:00Z"), hours(1)), Heard::AskAgain, "not two in a row");
        assert_eq!(time.sure(hours(1)), Some(at("2026-04-01T01:00:00Z")));
    }

    #[test]
    fn answers_that_lie_back_must_agree_with_each_other() {
        let mut time = TrustedTime::start(None, at("2026-04-01T00:00:00Z"), hours(0), None, never);
        time.heard(at("2027-04-01T00:00:00Z"), hours(0));
        assert_eq!(time.heard(at("2026-04-01T01:00:00Z"), hours(1)), Heard::AskAgain);
        assert_eq!(time.heard(at("2026-09-01T01:00:00Z"), hours(1)), Heard::AskAgain, "they don't agree");
        assert_eq!(time.heard(at("2026-09-01T02:00:00Z"), hours(2)), Heard::Believed);
        assert_eq!(time.now(hours(3)), at("2026-09-01T03:00:00Z"));
    }

    #[test]
    fn the_day_turns_at_midnight_in_japan() {
        let time = TrustedTime::start(None, at("2026-04-01T14:30:00Z"), hours(0), None, never);
        assert_eq!(time.today(hours(0)), jiff::civil::date(2026, 4, 1));
        assert_eq!(time.until_midnight(hours(0)), Duration::from_secs(1_800));
        assert_eq!(time.today(hours(1)), jiff::civil::date(2026, 4, 2));
    }

    const THIS_START: Option<Uuid> = Some(Uuid::from_u128(1));

    /// Started at nine in the evening of 1 April in Japan by the device, and confirmed.
    fn confirmed() -> TrustedTime {
        let mut time = TrustedTime::start(None, at("2026-04-01T12:00:00Z"), hours(0), THIS_START, never);
        assert!(!time.confirm(jiff::civil::date(2026, 4, 2), hours(0)), "not the date shown");
        assert_eq!(time.sure(hours(0)), None);
        assert!(time.confirm(jiff::civil::date(2026, 4, 1), hours(0)));
        time
    }

    #[test]
    fn the_crew_ends_the_doubt_for_one_date() {
        let mut time = confirmed();
        assert_eq!(time.sure(hours(1)), Some(at("2026-04-01T13:00:00Z")));
        assert_eq!(time.sure(hours(3)), None, "at midnight it is another date");
        assert!(time.confirm(jiff::civil::date(2026, 4, 2), hours(3)));
        assert_eq!(time.sure(hours(3)), Some(at("2026-04-01T15:00:00Z")));
        assert!(!time.confirm(jiff::civil::date(2026, 4, 2), hours(3)), "nothing is left to confirm");
    }

    #[test]
    fn the_office_outweighs_the_crew_at_once() {
        for office in ["2026-03-31T00:00:00Z", "2026-04-01T09:00:00Z", "2027-04-01T00:00:00Z"] {
            let mut time = confirmed();
            assert_eq!(time.heard(at(office), hours(1)), Heard::Believed);
            assert_eq!(time.sure(hours(1)), Some(at(office)), "no floor was laid by the crew");
        }
        // Nor does the crew's word make time sure that the office's word puts in doubt.
        let kept = kept("2026-04-01T12:00:00Z");
        let mut time = TrustedTime::start(kept, at("2026-04-01T12:00:00Z"), hours(0), THIS_START, never);
        assert!(time.confirm(jiff::civil::date(2026, 4, 1), hours(0)));
        assert_eq!(time.heard(at("2026-03-01T12:00:00Z"), hours(0)), Heard::AskAgain);
        assert_eq!(time.sure(hours(0)), None);
    }

    #[test]
    fn the_crew_says_another_date_at_the_time_of_day_that_the_device_shows() {
        use jiff::civil::date;
        // Sure until 3 April in the evening; the battery is dead since, and its clock shows nine in the morning of 2015.
        let dead = at("2015-01-01T00:00:00Z");
        let start = || TrustedTime::start(kept("2026-04-03T08:00:00Z"), dead, hours(0), THIS_START, never);
        let mut time = start();
        for out in [date(2026, 4, 2), date(2027, 5, 9)] {
            assert!(!time.set(out, dead, hours(0)), "{out}");
            assert_eq!(time.sure(hours(0)), None, "{out}");
        }
        assert!(time.set(date(2026, 5, 1), dead, hours(0)));
        assert_eq!(time.sure(hours(1)), Some(at("2026-05-01T01:00:00Z")));
        assert_eq!(time.sure(hours(16)), None, "at midnight it is another date");
        assert_eq!(time.floor(), Some(at("2026-04-03T08:00:00Z")), "a crew's word is no floor");
        // Whoever was wrong says it again; a time of day before what was sure is none.
        assert!(time.set(date(2026, 4, 3), dead, hours(1)));
        assert_eq!(time.sure(hours(1)), Some(at("2026-04-03T08:00:00Z")));
        // Like the other word it outlives the program, and not the device.
        let word = Some(time.keep(dead, hours(1)));
        let again =
            |device_start| TrustedTime::start(word, dead, hours(0), device_start, never).sure(hours(0));
        assert_eq!(again(THIS_START), Some(at("2026-04-03T08:00:00Z")));
        assert_eq!(again(Some(Uuid::from_u128(2))), None);
        // Where the office has said what time it is, nobody else does.
        let mut time = start();
        assert_eq!(time.heard(at("2026-04-20T00:00:00Z"), hours(1)), Heard::AskAgain);
        assert_eq!(time.heard(at("2026-04-20T00:00:00Z"), hours(1)), Heard::Believed);
        assert!(!time.set(date(2026, 5, 1), dead, hours(1)));
        assert_eq!(time.sure(hours(1)), Some(at("2026-04-20T00:00:00Z")));
    }

    #[test]
    fn the_crews_word_outlives_the_program_and_not_the_device() {
        let kept = Some(confirmed().keep(at("2026-04-01T12:00:00Z"), hours(0)));
        let sure =
            |device: &str, start| TrustedTime::start(kept, at(device), hours(0), start, never).sure(hours(0));
        assert_eq!(sure("2026-04-01T12:30:00Z", THIS_START), Some(at("2026-04-01T12:30:00Z")));
        assert_eq!(sure("2026-04-01T12:30:00Z", Some(Uuid::from_u128(2))), None, "its clock may have stood");
        assert_eq!(sure("2026-04-01T12:30:00Z", None), None, "nobody knows");
        assert_eq!(sure("2026-04-01T15:00:00Z", THIS_START), None, "another date");
        assert_eq!(sure("2026-04-01T11:59:00Z", THIS_START), None, "set back");
        assert_eq!(sure("2026-05-01T12:00:00Z", THIS_START), None, "a jump");
    }
}
