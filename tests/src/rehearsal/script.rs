//! The calendar of a rehearsal: what is to happen when, from the first file of requests to the last late fact.

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan};
use meguri_proto::clock::{business_date, japan};
use rand::Rng;

use super::plan::{Fault, Plan};
use super::world::World;

/// Something of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// A working day begins: crews set out, and the day's file of requests comes.
    Morning(Date),
    /// A crew does its next thing.
    Crew(usize),
    /// A terminal is switched on.
    SwitchOn(usize),
    /// A terminal is switched off.
    SwitchOff(usize),
    /// A terminal leaves coverage, or comes back.
    Away(usize, bool),
    /// The office looks at its calendar.
    Day,
    /// The office goes down.
    OfficeDown,
    /// The office is started again.
    OfficeUp,
    /// The people in charge of the switchover do their next thing.
    Switchover(Step),
    /// Power is going to fail while this terminal changes over.
    Arm(usize),
    /// What is on the disks is looked at while the old contracts still hold.
    LookBefore,
}

/// What people do for a switchover, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The first release is handed in as a draft.
    Draft,
    /// A second person approves it.
    Approve,
    /// It is pushed, group by group.
    Push,
    /// A mistake is found: it is stopped, and a release without it is handed in.
    Withdraw,
    /// That one is approved and pushed, and the first one withdrawn by it.
    Withdrawn,
    /// The switchover is handed in anew.
    DraftAgain,
    /// A second person approves that one.
    ApproveAgain,
    /// It is pushed, group by group.
    PushAgain,
    /// A key is replaced, and a correction of the days before the instant is handed in, which holds the switchover as well.
    Fix,
    /// It is approved and pushed.
    FixOut,
}

/// How often the office looks at its calendar, besides midnight.
const LOOKS: SignedDuration = SignedDuration::from_mins(30);
/// Days for which files of requests come ahead.
pub(super) const AHEAD: i64 = 17;

/// The first and the last day of a rehearsal, as days from the first one under the new contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Days before.
    pub before: i32,
    /// Days after, that one counted.
    pub after: i32,
}

/// Fewest days before: the switchover is drafted 20 days before, and crews have worked by then.
pub(super) const BEFORE_LEAST: i64 = 21;
/// Fewest days after: who was without coverage comes back from 12 days after on.
pub(super) const AFTER_LEAST: i64 = 14;

/// An instant of a day in Japan.
pub(super) fn at(day: Date, hour: i8, minute: i8) -> anyhow::Result<Timestamp> {
    Ok(day.at(hour, minute, 0, 0).to_zoned(japan())?.timestamp())
}

/// Whether crews work.
pub(super) fn works(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Writes the whole script.
pub(super) fn write(world: &mut World, plan: &Plan, span: Span) -> anyhow::Result<Timestamp> {
    let first_day = plan.first_day();
    let day = |from_first: i32| first_day.checked_add(i64::from(from_first).days());
    let (first, last) = (day(-span.before)?, day(span.after)?);
    for date in first.series(1.day()).take_while(|date| *date <= last).filter(|date| works(*date)) {
        world.plan(at(date, 4, 0)?, Act::Morning(date));
    }
    let (begin, end) = (at(first, 0, 0)?, at(last, 23, 59)?);
    // Whatever is off at the end is looked at, too.
    for terminal in 0..plan.seats.len() {
        world.plan(at(last, 22, 30)?, Act::SwitchOn(terminal));
    }
    let mut look = begin;
    while look < end {
        // Just after the full hour, so that midnight is over.
        world.plan(look + SignedDuration::from_secs(5), Act::Day);
        look += LOOKS;
    }
    for (index, seat) in plan.seats.iter().enumerate() {
        world.plan(begin + SignedDuration::from_secs(i64::try_from(index)? % 600), Act::SwitchOn(index));
        if let Some((from, until)) = seat.fault.away(index) {
            let hour = i8::try_from(9 + index % 8)?;
            world.plan(at(day(from.max(-span.before))?, hour, 20)?, Act::Away(index, true));
            world.plan(at(day(until.min(span.after - 1))?, hour, 40)?, Act::Away(index, false));
        }
        if seat.fault.has_a_wrong_clock() {
            // Its power comes and goes every evening, so that it has to go by its clock.
            for evening in first.series(1.day()).take_while(|date| *date < last) {
                world.plan(at(evening, 18, 10)?, Act::SwitchOff(index));
                world.plan(at(evening, 18, 12)?, Act::SwitchOn(index));
            }
        }
        if matches!(seat.fault, Fault::Killed(_)) {
            world.plan(plan.instant - SignedDuration::from_millis(1), Act::Arm(index));
        }
    }
    world.plan(plan.instant - SignedDuration::from_hours(5), Act::LookBefore);
    // Somebody works on the machine that night.
    world.plan(at(plan.last_day(), 22, 47)?, Act::OfficeDown);
    world.plan(at(first_day, 6, 12)?, Act::OfficeUp);
    for (from_first, hour, step) in steps(span) {
        world.plan(at(day(from_first)?, hour, 0)?, Act::Switchover(step));
    }
    Ok(end)
}

/// When people do what for the switchover: days from the first one under the new contracts, and hours.
fn steps(span: Span) -> [(i32, i8, Step); 10] {
    let (first, second) =
        if span.before > 31 { ([-31, -30, -29, -27, -27], [-24, -23, -22]) } else { ([-20; 5], [-19; 3]) };
    [
        (first[0], 8, Step::Draft),
        (first[1], 9, Step::Approve),
        (first[2], 10, Step::Push),
        (first[3], 13, Step::Withdraw),
        (first[4], 14, Step::Withdrawn),
        (second[0], 8, Step::DraftAgain),
        (second[1], 9, Step::ApproveAgain),
        (second[2], 10, Step::PushAgain),
        (-12, 10, Step::Fix),
        (-12, 14, Step::FixOut),
    ]
}

/// A crew's working day begins at some time of the morning.
pub(super) fn set_out(world: &mut World, date: Date) -> anyhow::Result<()> {
    for terminal in 0..world.terminals.len() {
        let minute = world.random.random_range(0..60);
        world.plan(at(date, 8, minute)?, Act::Crew(terminal));
    }
    Ok(())
}

/// The working days for which files come in the morning of `date`; at the beginning all of those ahead.
pub(super) fn files_of(date: Date, first: Date) -> anyhow::Result<Vec<Date>> {
    let ahead = date.checked_add(AHEAD.days())?;
    let last = date.yesterday()?.checked_add(AHEAD.days())?;
    // After a weekend those of its days come, too.
    let before = if works(date.yesterday()?) { last } else { last.checked_sub(2.days())? };
    let from = if date == first { date } else { before.tomorrow()? };
    Ok(from.series(1.day()).take_while(|day| *day <= ahead).filter(|day| works(*day)).collect())
}

/// Which day it is.
pub(super) fn today(world: &World) -> Date {
    business_date(world.now)
}
