//! What is rehearsed: a city, its terminals' schedules, the instant at which contracts change, and what goes wrong with which terminal.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use meguri_config::bundle::{Peripheral, PeripheralKind};
use meguri_config::fleet::Fleet;
use meguri_config::schedule::Plans;
use meguri_config::terminal::Timers;
use meguri_config::{City, Configuration};
use meguri_proto::TerminalId;
use meguri_proto::clock::{business_date, midnight};

use super::terminal::{DeviceClock, NOT_THERE};

/// A rehearsal's plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) city: City,
    fleet: Fleet,
    pub(super) instant: Timestamp,
    pub(super) seats: Vec<Seat>,
    timers: Timers,
}

/// A terminal and what is planned for it.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) terminal: TerminalId,
    /// As it is at the rehearsal's beginning.
    pub(super) schedule: Vec<Configuration>,
    pub(super) fault: Fault,
}

/// What goes wrong with a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fault {
    /// Nothing but what every terminal meets.
    None,
    /// No line from the middle of the month before to the middle of the month after.
    Offline,
    /// Its clock jumps by hours whenever it is switched on, and it has no line around the instant.
    ClockJumps(i8),
    /// Its clock's battery is dead, and it has no line around the instant.
    ClockDead,
    /// At its new broker's address nobody answers.
    Unreachable,
    /// Its new broker does not let it in.
    Refused,
    /// Something that its new configuration names is not plugged in.
    Peripheral,
    /// Its power fails while it changes over, at this commit and the ones after it.
    Killed(u8),
}

/// How many terminals of 200 meet which fault.
const FAULTS: [(Kind, usize); 6] = [
    (Kind::Offline, 20),
    (Kind::Clock, 10),
    (Kind::Unreachable, 3),
    (Kind::Refused, 2),
    (Kind::Peripheral, 5),
    (Kind::Killed, 5),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Offline,
    Clock,
    Unreachable,
    Refused,
    Peripheral,
    Killed,
}

impl Plan {
    /// Reads a folder of plans as `meguri-config` does, and rehearses the instant after `today` at which the most terminals come under
    /// another contract. The timers are the rehearsal's, not the plan's.
    pub(super) fn read(folder: &Path, today: Date, before: i32, timers: &Timers) -> anyhow::Result<Self> {
        let (city, fleet) = Fleet::read_folder(folder)?;
        let instant = instant(&Plans::new(&city, &fleet), today)?;
        let mut plan = Self { city, fleet, instant, seats: Vec::new(), timers: timers.clone() };
        let begin = midnight(plan.first_day().checked_sub(i64::from(before).days())?);
        let terminals = plan.fleet.terminal.iter().map(|terminal| terminal.id.clone());
        plan.seats =
            terminals.map(|terminal| Seat { terminal, schedule: Vec::new(), fault: Fault::None }).collect();
        plan.look_ahead(begin)?;
        plan.spread_faults();
        // Some of the faults are in the schedules.
        plan.look_ahead(begin)?;
        Ok(plan)
    }

    fn look_ahead(&mut self, begin: Timestamp) -> anyhow::Result<()> {
        for index in 0..self.seats.len() {
            self.seats[index].schedule = self.schedule(index, begin)?;
        }
        Ok(())
    }

    /// A terminal's schedule as it is built at an instant, with its fault in it where that is one of the plan.
    pub(super) fn schedule(&self, index: usize, now: Timestamp) -> anyhow::Result<Vec<Configuration>> {
        let plans = Plans::new(&self.city, &self.fleet);
        let mut schedule = plans.schedule(&self.fleet.terminal[index], now)?;
        for configuration in &mut schedule {
            configuration.timers = self.timers.clone();
        }
        if let Some(next) = schedule.iter_mut().find(|next| next.from == Some(self.instant)) {
            self.seats[index].fault.into_plan(next);
        }
        Ok(schedule)
    }

    /// Gives terminals whose contract changes their faults, spread over all of them.
    fn spread_faults(&mut self) {
        let changing: Vec<usize> =
            (0..self.seats.len()).filter(|index| self.seats[*index].changes(self.instant)).collect();
        let of = self.seats.len();
        let numbered = FAULTS.into_iter().flat_map(|(kind, of_200)| {
            let count = (of_200 * of).div_ceil(200);
            (0..count).map(move |number| (number, kind.of(number)))
        });
        let mut wanted: Vec<(usize, Fault)> = numbered.collect();
        // A small city has one of each, as far as its terminals go.
        wanted.sort_by_key(|(number, _)| *number);
        // In steps that share nothing with how vehicles and contractors repeat.
        let step = (7..).step_by(2).find(|step| gcd(*step, changing.len()) == 1).unwrap_or(1);
        for (place, (_, fault)) in wanted.into_iter().take(changing.len()).enumerate() {
            self.seats[changing[place * step % changing.len()]].fault = fault;
        }
    }

    /// The last day before contracts change.
    pub(super) fn last_day(&self) -> Date {
        business_date(self.instant - SignedDuration::from_secs(1))
    }

    /// The first day under the new contracts.
    pub(super) fn first_day(&self) -> Date {
        business_date(self.instant)
    }

    /// What becomes of a connection to each address that is not good.
    pub(super) fn bad_brokers(&self) -> BTreeMap<(String, u16), Fault> {
        let bad = |seat: &Seat| matches!(seat.fault, Fault::Unreachable | Fault::Refused);
        let seats = self.seats.iter().filter(|seat| bad(seat));
        seats
            .filter_map(|seat| {
                let broker = &seat.schedule.last()?.broker;
                Some(((broker.host.clone(), broker.port), seat.fault))
            })
            .collect()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Kind {
    fn of(self, number: usize) -> Fault {
        match self {
            Self::Offline => Fault::Offline,
            // Hours ahead, hours behind, and no battery, in turn.
            Self::Clock => match number % 4 {
                0 => Fault::ClockJumps(9),
                1 | 3 => Fault::ClockDead,
                _ => Fault::ClockJumps(-7),
            },
            Self::Unreachable => Fault::Unreachable,
            Self::Refused => Fault::Refused,
            Self::Peripheral => Fault::Peripheral,
            Self::Killed => Fault::Killed(u8::try_from(number % 8).unwrap_or(0)),
        }
    }
}

impl Fault {
    /// Makes it part of what a terminal's plan says, where it is a fault of the plan.
    fn into_plan(self, next: &mut Configuration) {
        match self {
            Self::Unreachable => next.broker.host = "nobody.rehearsal.example".to_owned(),
            Self::Refused => next.broker.host = "somebody-else.rehearsal.example".to_owned(),
            Self::Peripheral => {
                let port = format!("/dev/serial/by-id/{NOT_THERE}");
                next.peripheral = vec![Peripheral { kind: PeripheralKind::Scale, port, baud: 9_600 }];
            }
            _ => {}
        }
    }

    /// Whether its clock is wrong.
    pub(super) fn has_a_wrong_clock(self) -> bool {
        matches!(self, Self::ClockJumps(_) | Self::ClockDead)
    }

    /// What its clock shows.
    pub(super) fn clock(self) -> DeviceClock {
        match self {
            Self::ClockJumps(hours) => DeviceClock::Jumps(SignedDuration::from_hours(hours.into())),
            Self::ClockDead => DeviceClock::Dead,
            _ => DeviceClock::Right,
        }
    }

    /// The first and the last day without coverage, as days from the first one under the new contracts.
    pub(super) fn away(self, number: usize) -> Option<(i32, i32)> {
        let spread = i32::try_from(number % 4).unwrap_or(0);
        match self {
            Self::Offline => Some((-17 + spread, 12 + spread)),
            Self::ClockJumps(_) | Self::ClockDead => Some((-2, 4 + spread)),
            _ => None,
        }
    }
}

/// What goes wrong on purpose: in Japanese, in English, and with how many terminals.
pub(super) fn told(seats: &[Seat]) -> Vec<(String, String, usize)> {
    type Is = fn(Fault) -> bool;
    let kinds: [(&str, &str, Is); 6] = [
        (
            "切替の半月前から半月後まで圏外",
            "no coverage from two weeks before the instant to two weeks after",
            |f| f == Fault::Offline,
        ),
        (
            "時計が狂っている（入れるたびに数時間ずれる、電池切れで2015年）うえに切替の前後は圏外",
            "a wrong clock (hours off at every start, or 2015) and no coverage around the instant",
            |f| matches!(f, Fault::ClockJumps(_) | Fault::ClockDead),
        ),
        ("新しい接続先で誰も答えない", "nobody answers at the new address of the office", |f| {
            f == Fault::Unreachable
        }),
        (
            "新しい接続先が端末を断る",
            "the broker at the new address does not let the terminal in",
            |f| f == Fault::Refused,
        ),
        (
            "設定にある機器がつながっていない",
            "something that the configuration names is not plugged in",
            |f| f == Fault::Peripheral,
        ),
        ("切替の最中に電源が切れる", "power fails while it changes over", |f| {
            matches!(f, Fault::Killed(_))
        }),
    ];
    let count = |is: Is| seats.iter().filter(|seat| is(seat.fault)).count();
    kinds.into_iter().map(|(ja, en, is)| (ja.to_owned(), en.to_owned(), count(is))).collect()
}

impl Seat {
    /// Whether it comes under another contract at the instant.
    pub(super) fn changes(&self, instant: Timestamp) -> bool {
        let at = self.schedule.iter().rposition(|next| next.from == Some(instant));
        at.is_some_and(|at| at > 0 && self.schedule[at - 1].contract != self.schedule[at].contract)
    }

    /// The configuration planned for an instant.
    pub(super) fn at(&self, now: Timestamp) -> &Configuration {
        let begun = |next: &&Configuration| next.from.is_none_or(|from| from <= now);
        self.schedule.iter().rfind(begun).unwrap_or(&self.schedule[0])
    }
}

/// The instant after `today` at which the most terminals come under another contract.
fn instant(plans: &Plans<'_>, today: Date) -> anyhow::Result<Timestamp> {
    let mut changes: BTreeMap<Date, usize> = BTreeMap::new();
    for terminal in &plans.fleet.terminal {
        for pair in plans.rides(terminal).windows(2) {
            if pair[0].contract.id != pair[1].contract.id && pair[1].from > today {
                *changes.entry(pair[1].from).or_default() += 1;
            }
        }
    }
    let (day, _) = changes.into_iter().rev().max_by_key(|(_, terminals)| *terminals).with_context(|| {
        format!("no terminal comes under another contract after {today}: there is no switchover to rehearse")
    })?;
    Ok(midnight(day))
}
