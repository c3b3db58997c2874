//! Crews at work: they switch on, say which day it is where they are asked, sign in, and collect, and leave some pickups for good.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use meguri_core::Event;
use meguri_core::view::{Intent, Stop, View};
use meguri_proto::pickup::State;
use meguri_proto::{ContractorId, CrewId, PickupId, Reason};
use rand::Rng;

use super::plan::Seat;
use super::script::{Act, at, today};
use super::world::World;

/// What a crew writes where a reason demands a note.
pub(super) const NOTE: &str = "工事で道路が通れません";

/// What crews remember, and what happened to them.
#[derive(Debug, Default)]
pub(super) struct Crews {
    /// Pickups that they will never speak of.
    left: BTreeSet<PickupId>,
    /// How often which terminal asked for the date, and a crew said it.
    pub(super) dates_said: Vec<usize>,
    /// Crews that stood before a terminal they could not sign in at.
    pub(super) locked_out: Vec<(usize, CrewId)>,
    /// How often a former crew tried to sign in after the instant, and could not.
    pub(super) turned_away: usize,
    /// Former crews that could.
    pub(super) let_in: Vec<usize>,
    /// Intents that were refused, and why.
    pub(super) refused: Vec<(usize, String)>,
    pub(super) notes: usize,
}

/// A member of a contractor's crews.
pub(super) fn member(contractor: &ContractorId) -> anyhow::Result<CrewId> {
    Ok(format!("{contractor}-crew").parse()?)
}

impl Crews {
    pub(super) fn new(terminals: usize) -> Self {
        Self { dates_said: vec![0; terminals], ..Self::default() }
    }

    /// A crew does its next thing.
    pub(super) fn work(&mut self, world: &mut World, terminal: usize, seat: &Seat) -> anyhow::Result<()> {
        let evening = at(today(world), 17, 0)?;
        if world.now >= evening {
            world.step(terminal, Event::Lock)?;
            // Some terminals are switched off over night.
            if terminal.is_multiple_of(3) && !seat.fault.has_a_wrong_clock() {
                world.switch_off(terminal);
            }
            return Ok(());
        }
        world.switch_on(terminal)?;
        let minutes = self.next(world, terminal, seat)?;
        // Each at a second of its own.
        let wait = SignedDuration::from_secs(minutes * 60 + world.random.random_range(0..60));
        world.plan(
            (world.now + wait).min(evening + SignedDuration::from_secs(terminal as i64 % 600)),
            Act::Crew(terminal),
        );
        Ok(())
    }

    /// Does one thing; says in how many minutes comes the next one.
    fn next(&mut self, world: &mut World, terminal: usize, seat: &Seat) -> anyhow::Result<i64> {
        const SOON: i64 = 2;
        let Some(view) = world.terminals[terminal].view() else { return Ok(SOON) };
        let date = today(world);
        if view.clock_in_doubt {
            // On a line the office says it within seconds.
            if !world.is_away(terminal) {
                return Ok(SOON);
            }
            if view.today != date && view.crew.locked {
                // Another date is for whoever can sign in to say.
                let Some((member, _)) = view.crew.members.first() else { return Ok(SOON) };
                let (wishes, _) = world.terminals[terminal].sign_in(world.now, member, &mut world.pins)?;
                world.grant(terminal, wishes);
                return Ok(SOON);
            }
            let said = if view.today == date { Event::ConfirmDate(date) } else { Event::SetDate(date) };
            world.step(terminal, said)?;
            self.dates_said[terminal] += 1;
            return Ok(SOON);
        }
        if view.crew.locked {
            let member = member(&seat.at(world.now).contractor)?;
            self.try_the_former(world, terminal, seat)?;
            let (wishes, signed_in) =
                world.terminals[terminal].sign_in(world.now, &member, &mut world.pins)?;
            world.grant(terminal, wishes);
            if !world.terminals[terminal].is_on() {
                // Its power failed meanwhile.
                return Ok(SOON);
            }
            if !signed_in {
                self.locked_out.push((terminal, member));
                return Ok(30);
            }
            return Ok(SOON);
        }
        let Some(stop) = self.next_stop(world, &view) else { return Ok(60) };
        self.record(world, terminal, &stop)?;
        Ok(world.random.random_range(20..70))
    }

    /// The first open stop, but for those that nobody will ever report.
    fn next_stop(&mut self, world: &mut World, view: &View) -> Option<Stop> {
        for stop in &view.list.as_ref()?.stops {
            if stop.state != State::Open || self.left.contains(&stop.id()) {
                continue;
            }
            if world.random.random_ratio(1, 16) {
                self.left.insert(stop.id());
                continue;
            }
            return Some(stop.clone());
        }
        None
    }

    fn record(&mut self, world: &mut World, terminal: usize, stop: &Stop) -> anyhow::Result<()> {
        let pickup = stop.id();
        let intents = match world.random.random_range(0..100) {
            0..8 => vec![Intent::Refuse { pickup, reason: Reason::NotOut, note: None }],
            8..13 => {
                self.notes += 1;
                vec![Intent::Refuse { pickup, reason: Reason::Other, note: Some(NOTE.to_owned()) }]
            }
            13..16 => {
                // A slip of the finger, taken back at once.
                let wrong = Intent::Refuse { pickup, reason: Reason::NotOut, note: None };
                vec![wrong, Intent::Undo { pickup }, Intent::Collect { pickup }]
            }
            _ => vec![Intent::Collect { pickup }],
        };
        for intent in intents {
            let (wishes, answer) = world.terminals[terminal].record(world.now, intent, &mut world.pins)?;
            world.grant(terminal, wishes);
            match answer {
                Some(Ok(_)) => {}
                Some(Err(why)) => {
                    self.refused.push((terminal, why.to_string()));
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// After the instant somebody of the former crew tries, as they know the PIN.
    fn try_the_former(&mut self, world: &mut World, terminal: usize, seat: &Seat) -> anyhow::Result<()> {
        let now = seat.at(world.now);
        let former = &seat.schedule[0].contractor;
        if *former == now.contractor || now.from.is_none() {
            return Ok(());
        }
        let (wishes, signed_in) =
            world.terminals[terminal].sign_in(world.now, &member(former)?, &mut world.pins)?;
        world.grant(terminal, wishes);
        if signed_in {
            self.let_in.push(terminal);
        } else {
            self.turned_away += 1;
        }
        Ok(())
    }
}
