//! What must be true at the end of a rehearsal, looked for in the terminals' folders, in what they wrote, and in the office's store.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use meguri_config::Configuration;
use meguri_proto::{ConfigChange, ConfigState, Fact};
use serde::Serialize;

use super::Rehearsal;
use super::plan::{Fault, Seat};
use super::terminal::Written;

/// A terminal that is on and sure of its time changes over within this.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(2);
/// One whose power fails meanwhile takes until it was switched on again for the last time.
const AFTER_KILLS: SignedDuration = SignedDuration::from_mins(40);

/// One thing that must be true, in Japanese and in English, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whether it is.
    pub good: bool,
    /// In Japanese, with its numbers.
    pub ja: String,
    /// In English.
    pub en: String,
    /// What was found instead, one line each; for whoever has to find out why.
    pub found: Vec<String>,
}

impl Check {
    pub(super) fn new(ja: impl Into<String>, en: impl Into<String>, found: Vec<String>) -> Self {
        Self { good: found.is_empty(), ja: ja.into(), en: en.into(), found }
    }

    /// What must have happened at least once, or the check says nothing.
    pub(super) fn some(mut self, count: usize) -> Self {
        if count == 0 {
            self.good = false;
            self.found.push("nothing of the kind happened, so nothing was shown".to_owned());
        }
        self
    }
}

/// A transition that a terminal wrote down.
pub(super) struct Turn<'a> {
    pub(super) at: Timestamp,
    pub(super) change: &'a ConfigChange,
}

/// All transitions among what a terminal wrote.
pub(super) fn turns(written: &[Written]) -> impl Iterator<Item = Turn<'_>> {
    written.iter().filter_map(|written| match &written.body.fact {
        Fact::Config(change) => Some(Turn { at: written.at, change }),
        _ => None,
    })
}

impl Rehearsal {
    /// Looks at everything.
    pub(super) fn check(&mut self) -> anyhow::Result<Vec<Check>> {
        let store = self.world.office.look()?;
        let mut checks = vec![self.contracts_of_facts(), self.changed_over(), self.books(&store)?];
        // A small city has not enough terminals for every fault.
        let some = |is: fn(Fault) -> bool| !self.with(is).is_empty();
        if some(|fault| fault == Fault::Offline) {
            checks.extend([self.without_a_line(), self.late_facts(&store)?]);
        }
        if some(Fault::has_a_wrong_clock) {
            checks.push(self.clocks());
        }
        if some(|fault| matches!(fault, Fault::Unreachable | Fault::Refused)) {
            checks.push(self.bad_addresses());
        }
        if some(|fault| fault == Fault::Peripheral) {
            checks.push(self.peripherals());
        }
        if some(|fault| matches!(fault, Fault::Killed(_))) {
            checks.push(self.killed());
        }
        checks.extend(self.closed(&store, some(|fault| fault == Fault::Offline))?);
        checks.push(self.former_crews());
        checks.extend(self.releases(&store)?);
        checks.push(self.nothing_readable()?);
        Ok(checks)
    }

    pub(super) fn changing(&self) -> impl Iterator<Item = (usize, &Seat)> {
        self.plan.seats.iter().enumerate().filter(|(_, seat)| seat.changes(self.plan.instant))
    }

    pub(super) fn with(&self, is: impl Fn(Fault) -> bool) -> Vec<(usize, &Seat)> {
        self.plan.seats.iter().enumerate().filter(|(_, seat)| is(seat.fault)).collect()
    }

    pub(super) fn written(&self, terminal: usize) -> &[Written] {
        &self.world.terminals[terminal].written
    }

    /// The terminal's switch to what its plan says from the instant on: each time it said that it is in force.
    pub(super) fn switches(&self, terminal: usize, next: &Configuration) -> Vec<Turn<'_>> {
        turns(self.written(terminal))
            .filter(|turn| {
                turn.change.state == ConfigState::Activated
                    && turn.change.contract.as_ref() == Some(&next.contract)
                    && turn.change.effective_at == Some(self.plan.instant)
            })
            .collect()
    }

    /// Every terminal changes over at its midnight: never before, and at once where it is on and sure of its time.
    pub(super) fn changed_over(&self) -> Check {
        let (mut found, mut count, mut at_once) = (Vec::new(), 0_usize, 0_usize);
        for (index, seat) in self.changing() {
            count += 1;
            let next = seat.at(self.plan.instant);
            let switches = self.switches(index, next);
            // A newer schedule that came later put the same in force once more.
            let versions: BTreeSet<u64> = switches.iter().map(|turn| turn.change.version).collect();
            let Some(switch) = switches.first().filter(|_| versions.len() == switches.len()) else {
                found.push(format!(
                    "{}: changed over {} times, expected once",
                    seat.terminal,
                    switches.len()
                ));
                continue;
            };
            let sure = self.world.sure_since(index);
            let patience = if matches!(seat.fault, Fault::Killed(_)) { AFTER_KILLS } else { AT_ONCE };
            if switch.at < self.plan.instant {
                found.push(format!("{}: changed over at {}, too early", seat.terminal, switch.at));
            } else if sure.is_none_or(|sure| switch.at.duration_since(sure) > patience) {
                found.push(format!(
                    "{}: changed over at {}, sure of its time since {sure:?}",
                    seat.terminal, switch.at
                ));
            }
            at_once += usize::from(switch.at.duration_since(self.plan.instant) <= AT_ONCE);
            let now = self.written(index).last().map(|written| &written.body.contract);
            if now != Some(&next.contract) {
                found.push(format!(
                    "{}: works under {now:?} at the end, expected {}",
                    seat.terminal, next.contract
                ));
            }
        }
        Check::new(
            format!(
                "契約の替わる {count} 台すべてが、切替の時刻から新しい契約になった。早すぎた端末はない（{at_once} 台は2分以内、ほかは電源が入って時刻が確かになってすぐ）"
            ),
            format!(
                "All {count} terminals whose contract changes came under the new one, none too early: {at_once} within two minutes, the \
                 others as soon as they were on and sure of the time"
            ),
            found,
        )
        .some(count)
    }
}
