//! Simulated crews: a real terminal each (core, store and link, no screen), worked as a crew would work it.
//!
//! A crew drives its round in order, collects, and now and then does what happens in life: it finds nothing, takes a
//! part, corrects a mistake, drives through places without coverage. All of it follows from its seed and the clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_app::body::Handle;
use meguri_config::Clock;
use meguri_core::view::{Intent, NotRecorded, Stop, View};
use meguri_proto::pickup::State;
use meguri_proto::{ItemResult, Reason};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::day::metres;
use crate::harness::proxy::Proxy;

/// Speed over ground between stops of a round, streets being longer than the crow flies.
const METRES_A_MINUTE: f64 = 180.0;
/// Longest real sleep, after which the clock is looked at again: its speed may have changed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// One crew and its terminal.
pub struct Crew {
    handle: Handle,
    line: Arc<Proxy>,
    clock: Clock,
    random: StdRng,
    position: Option<(f64, f64)>,
    covered_again: Option<Timestamp>,
}

/// What a crew did, for a summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worked {
    /// Facts written: outcomes and corrections.
    pub facts: u32,
    /// Drives without coverage.
    pub out_of_reach: u32,
}

/// Why a crew stopped before its round was done.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// The terminal could not write.
    #[error("a crew could not record: {0}")]
    NotRecorded(#[from] NotRecorded),
    /// The terminal ended.
    #[error("a crew's terminal stopped")]
    Stopped,
}

impl Crew {
    /// A crew on a running terminal whose line to the broker is `line`.
    #[must_use]
    pub fn new(handle: Handle, line: Arc<Proxy>, clock: Clock, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { handle, line, clock, random, position: None, covered_again: None }
    }

    /// Works today's round until nothing is open on it.
    ///
    /// # Errors
    /// When the terminal stops or can't write.
    pub async fn work(&mut self) -> Result<Worked, CrewError> {
        let mut worked = Worked::default();
        let mut view = self.handle.view();
        view.wait_for(|view| view.list.is_some()).await.map_err(|_| CrewError::Stopped)?;
        loop {
            let seen = view.borrow_and_update().clone();
            let Some(next) = next_open(&seen) else { break };
            self.drive_to(&next, &mut worked).await;
            // The office may have changed its word on the way.
            let now = view.borrow_and_update().clone();
            let Some(stop) = stop(&now, &next).filter(|stop| stop.state == State::Open).cloned() else {
                continue;
            };
            worked.facts += self.finish(&stop).await?;
        }
        self.line.heal();
        self.covered_again = None;
        Ok(worked)
    }

    /// Drives there and finds the place; on the way coverage may go and come back.
    async fn drive_to(&mut self, stop: &Stop, worked: &mut Worked) {
        let to = stop.listed.place.position;
        let metres = self.position.zip(to).map_or(500.0, |(from, to)| metres(from, to));
        let minutes = metres * 1.4 / METRES_A_MINUTE + self.random.random_range(3.0..8.0);
        self.position = to.or(self.position);
        if self.covered_again.is_none() && self.random.random_ratio(1, 14) {
            let minutes = self.random.random_range(10.0..30.0);
            self.covered_again = self.in_minutes(minutes);
            self.line.refuse(true);
            worked.out_of_reach += 1;
        }
        let arrival = self.in_minutes(minutes);
        while let Some(left) = arrival.map(|at| at.duration_since(self.clock.now())) {
            if self.covered_again.is_some_and(|at| self.clock.now() >= at) {
                self.covered_again = None;
                self.line.refuse(false);
            }
            if left <= SignedDuration::ZERO {
                break;
            }
            let real = Duration::try_from_secs_f64(left.as_secs_f64() / self.clock.speed());
            tokio::time::sleep(real.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)).await;
        }
    }

    fn in_minutes(&self, minutes: f64) -> Option<Timestamp> {
        let span = SignedDuration::try_from_secs_f64(minutes * 60.0).ok()?;
        self.clock.now().checked_add(span).ok()
    }

    /// Records how it went; the number of facts written.
    async fn finish(&mut self, stop: &Stop) -> Result<u32, CrewError> {
        let pickup = stop.id();
        let intent = match self.random.random_range(0..100) {
            0..6 => self.refuse(stop),
            6..9 => partly(stop).unwrap_or(Intent::Collect { pickup }),
            9..12 => {
                // A slip of the finger: the wrong answer, taken back at once.
                let wrong = Intent::Refuse { pickup, reason: Reason::NotOut, note: None };
                self.handle.record(wrong).await?;
                self.handle.record(Intent::Undo { pickup }).await?;
                self.handle.record(Intent::Collect { pickup }).await?;
                return Ok(3);
            }
            _ => Intent::Collect { pickup },
        };
        self.handle.record(intent).await?;
        Ok(1)
    }

    fn refuse(&mut self, stop: &Stop) -> Intent {
        let reasons = [
            Reason::NotOut,
            Reason::NotOut,
            Reason::NotOut,
            Reason::TicketShort,
            Reason::TicketShort,
            Reason::OtherItem,
            Reason::PlaceNotFound,
            Reason::AccessBlocked,
            Reason::Other,
        ];
        let reason = reasons.choose(&mut self.random).copied().unwrap_or(Reason::NotOut);
        let note = (reason == Reason::Other).then(|| "工事で道路が通れません".to_owned());
        Intent::Refuse { pickup: stop.id(), reason, note }
    }
}

fn next_open(view: &View) -> Option<Stop> {
    view.list.as_ref()?.stops.iter().find(|stop| stop.state == State::Open).cloned()
}

fn stop<'a>(view: &'a View, like: &Stop) -> Option<&'a Stop> {
    view.list.as_ref()?.stops.iter().find(|stop| stop.id() == like.id())
}

/// All but one of the last item; none where the pickup is a single thing.
pub(crate) fn partly(stop: &Stop) -> Option<Intent> {
    let items = &stop.listed.items;
    if items.iter().map(|item| item.count).sum::<u32>() < 2 {
        return None;
    }
    let results = items.iter().enumerate().map(|(index, item)| {
        let short = index + 1 == items.len();
        ItemResult {
            item: u32::try_from(index).unwrap_or(u32::MAX),
            collected: item.count - u32::from(short),
            reason: short.then_some(Reason::TicketShort),
        }
    });
    Some(Intent::Partly { pickup: stop.id(), items: results.collect(), note: None })
}
