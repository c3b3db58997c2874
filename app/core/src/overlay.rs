//! Lays what this terminal said over what the office listed.
//!
//! The list carries, for each pickup, the office's word, other terminals' standing statements and
//! this terminal's own as far as the office had `seen` its log. Later facts of this terminal correct
//! its own statements just as the office will do when it gets them: those that they cite, and all of
//! their own epoch, where the last word counts. Then both sides ask the same function, [`decide`], for
//! the state.

use std::sync::Arc;

use meguri_proto::pickup::{State, Statement, decide};
use meguri_proto::{Fact, FactId, Listed, TerminalId};

use crate::kept::{KeptList, Log, Own};
use crate::view::{Counts, ListView, Stop};

/// The list as the screen shows it.
pub(crate) fn lay_over(list: &KeptList, version: u64, log: Option<&Log>, terminal: &TerminalId) -> ListView {
    let stops: Vec<Stop> = list.pickups.iter().map(|listed| stop(list, listed, log, terminal)).collect();
    ListView {
        date: list.date,
        version,
        contractor: list.contractor.clone(),
        vehicle: list.vehicle.clone(),
        round: list.round.clone(),
        counts: count(&stops),
        stops,
    }
}

/// One stop as the screen shows it.
pub(crate) fn stop(list: &KeptList, listed: &Arc<Listed>, log: Option<&Log>, terminal: &TerminalId) -> Stop {
    let seen = log.map_or(0, |log| log.seen_by(list));
    let said = || log.into_iter().flat_map(|log| log.said_of(listed.id));
    let later = said().filter(|(seq, ..)| *seq > seen).map(|(_, id, own)| (id, own));
    let (own, statements) = own_word(listed, later, terminal, |fact| of_this_epoch(list, listed, log, fact));
    let verdict = decide(listed.office, &statements);
    let acked = log.map_or(0, |log| log.acked);
    Stop {
        listed: Arc::clone(listed),
        state: verdict.state,
        contradictions: verdict.contradictions,
        own,
        waiting: said().any(|(seq, ..)| seq > acked),
    }
}

/// What this terminal says now, and all that is said.
fn own_word<'a>(
    listed: &Listed,
    later: impl Iterator<Item = (FactId, &'a Own)>,
    terminal: &TerminalId,
    of_this_epoch: impl Fn(FactId) -> bool,
) -> (Option<Statement>, Vec<Statement>) {
    // After a fork the office may name an own statement of a former epoch among the others.
    let (mut own, mut all): (Vec<Statement>, Vec<Statement>) =
        listed.others.iter().cloned().partition(|statement| statement.terminal == *terminal);
    own.extend(listed.own.clone());
    let mut last = None;
    for (id, said) in later {
        let (cites, result) = match &said.fact {
            Fact::Outcome(outcome) => (outcome.replaces, Some(&outcome.result)),
            Fact::Undo(undo) => (Some(undo.of), None),
            // It speaks of no pickup.
            Fact::Config(_) => continue,
        };
        own.retain(|listed| Some(listed.fact) != cites && listed.fact != id && !of_this_epoch(listed.fact));
        last = result.map(|result| Statement {
            fact: id,
            terminal: terminal.clone(),
            at: said.at,
            result: result.clone(),
        });
    }
    own.extend(last);
    all.extend(own.iter().cloned());
    (own.pop(), all)
}

/// Whether the office holds a listed fact of this terminal in the epoch that the log has now, as far as can be told here.
fn of_this_epoch(list: &KeptList, listed: &Listed, log: Option<&Log>, fact: FactId) -> bool {
    let Some(log) = log else { return false };
    match log.said_of(listed.id).find(|(_, id, _)| *id == fact) {
        Some((seq, ..)) => seq > log.elsewhere(list),
        None => list.seen.iter().all(|seen| seen.epoch == log.epoch),
    }
}

fn count(stops: &[Stop]) -> Counts {
    let mut counts = Counts::default();
    for stop in stops {
        counts.total += 1;
        let one = match stop.state {
            State::Collected => &mut counts.done,
            State::PartlyCollected => &mut counts.partly,
            State::NotCollected(_) | State::Revisit(_) | State::NotReported => &mut counts.not_collected,
            State::Open => &mut counts.left,
            State::Cancelled => &mut counts.cancelled,
        };
        *one += 1;
    }
    counts
}
