//! What a file means for the store: a pure comparison of what it says with what is there.
//!
//! | in the file | in the store | becomes |
//! |---|---|---|
//! | planned | – | added |
//! | cancelled | – | added and cancelled |
//! | planned | planned, to be revisited, or not reported | changed or unchanged |
//! | planned | cancelled | reinstated, and changed where it differs |
//! | cancelled | planned or to be revisited | cancelled, and changed where it differs |
//! | cancelled | cancelled or not reported | changed or unchanged |
//! | missing, in a file of its whole day | planned | cancelled |
//! | missing | anything else | unchanged |
//!
//! What the field has said plays no part: the decision is recorded, and
//! [`decide`](meguri_proto::pickup::decide) names the contradiction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use meguri_proto::limits;
use meguri_proto::pickup::OfficeWord;
use serde_json::{Map, Value};

use super::profile::{Covers, Profile};
use super::read::{Reading, Request};
use super::report::{Counts, Missing, Problem};
use super::stored::{Snapshot, Stored};
use super::visit::Visit;
use crate::touched::Round;

/// Most bytes that a round's texts may take: the rest of a list is room for what the field says.
pub(super) const ROUND_BYTES: usize = limits::LIST_BYTES / 10 * 6;

/// One pickup to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// The request at this index in the reading is new or differs.
    Request {
        index: usize,
        /// Its place in the round; of a pickup whose place stays, none.
        stop: Option<i64>,
    },
    /// A pickup that is missing in the file and was planned on this round.
    Gone { pickup: i64, round: Round },
}

/// In what a pickup differs from what a file says of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Attributes that change, as history tells them; empty where none do.
    pub(super) fields: Map<String, Value>,
    /// The office's new word; none where it stays.
    pub(super) word: Option<OfficeWord>,
    /// The place in the round; none where it stays.
    pub(super) stop: Option<i64>,
}

/// All that a file means for the store.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) counts: Counts,
    /// Days on which more is missing than the profile lets pass.
    pub(super) missing: Vec<Missing>,
    /// How many pickups are missing on days of which that can't be said for certain, and stay as they are.
    pub(super) kept: BTreeMap<Date, u64>,
    /// Pickups that the file names and whose residents' data stays erased.
    pub(super) erased: u64,
    /// Rounds that would become too large.
    pub(super) problems: Vec<Problem>,
}

/// Compares.
pub(super) fn plan(profile: &Profile, reading: &Reading, snapshot: &Snapshot) -> Plan {
    let skipped = reading.skipped.iter().map(|rule| rule.lines).sum();
    let requests = reading.requests.len() as u64;
    let mut plan = Plan {
        counts: Counts { lines: reading.lines, skipped, requests, ..Counts::default() },
        ..Plan::default()
    };
    let mut stops = Stops::new(profile, snapshot);
    let mut sizes = Sizes::new(snapshot);
    for (index, request) in reading.requests.iter().enumerate() {
        let stored = snapshot.pickups.get(&request.key);
        let stop = stops.of(request, stored);
        sizes.count(request, stored);
        let change = match stored {
            None => Change { word: new_word(request.cancelled), stop: Some(stop), ..Change::default() },
            Some(stored) => change(&request.visit, request.cancelled, Some(stop), stored),
        };
        plan.count(&change, stored);
        plan.erased += u64::from(stored.is_some_and(|stored| stays_erased(&request.visit, stored)));
        if stored.is_none() || !change.is_nothing() {
            plan.steps.push(Step::Request { index, stop: change.stop });
        }
    }
    plan.look_for_missing(profile, reading, snapshot);
    plan.problems = sizes.problems();
    plan
}

/// The office's word on a pickup that is new, where it is not simply planned.
pub(super) fn new_word(cancelled: bool) -> Option<OfficeWord> {
    cancelled.then_some(OfficeWord::Cancelled)
}

/// Compares one request with its pickup.
pub(super) fn change(visit: &Visit, cancelled: bool, stop: Option<i64>, stored: &Stored) -> Change {
    let word = match (cancelled, stored.office) {
        (false, OfficeWord::Cancelled) => Some(OfficeWord::Planned),
        (true, OfficeWord::Planned | OfficeWord::Revisit { .. }) => Some(OfficeWord::Cancelled),
        _ => None,
    };
    let mut fields = stored.visit.differences(visit);
    if stays_erased(visit, stored) {
        // Residents' data alone has no values in history; what is erased does not differ.
        fields.retain(|_, values| !values.is_null());
    }
    Change { fields, word, stop: stop.filter(|stop| *stop != stored.stop) }
}

/// Whether a pickup's residents' data is erased, and a file brings none back. On a later day than it was on it is another
/// visit.
pub(super) fn stays_erased(visit: &Visit, stored: &Stored) -> bool {
    stored.erased && visit.date <= stored.visit.date
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.fields.is_empty() && self.word.is_none() && self.stop.is_none()
    }
}

impl Plan {
    fn count(&mut self, change: &Change, stored: Option<&Stored>) {
        let counts = &mut self.counts;
        counts.cancelled += u64::from(change.word == Some(OfficeWord::Cancelled));
        counts.reinstated += u64::from(change.word == Some(OfficeWord::Planned));
        match stored {
            None => counts.added += 1,
            Some(_) if !change.fields.is_empty() => counts.changed += 1,
            Some(_) if change.word.is_some() => {}
            Some(_) if change.stop.is_some() => counts.reordered += 1,
            Some(_) => counts.unchanged += 1,
        }
    }

    /// Cancels what is missing on the days that the file is the whole of. What a rejected line is about is not missing;
    /// where nobody can tell what that is, nothing of the day is.
    fn look_for_missing(&mut self, profile: &Profile, reading: &Reading, snapshot: &Snapshot) {
        let rejected = &reading.rejected;
        let named: BTreeSet<&str> = reading
            .requests
            .iter()
            .map(|request| request.key.as_str())
            .chain(rejected.keys.iter().map(String::as_str))
            .collect();
        let mut days: BTreeMap<Date, Missing> = BTreeMap::new();
        let mut gone = Vec::new();
        for (key, stored) in &snapshot.pickups {
            let date = stored.visit.date;
            if stored.office != OfficeWord::Planned || !reading.days.contains(&date) {
                continue;
            }
            let missing = !named.contains(key.as_str());
            if rejected.may_be_of(date) {
                if missing {
                    *self.kept.entry(date).or_default() += 1;
                }
                continue;
            }
            let day = days.entry(date).or_insert(Missing { date, planned: 0, missing: 0 });
            day.planned += 1;
            if missing {
                day.missing += 1;
                gone.push(stored);
            }
        }
        // The snapshot has no order; history should.
        gone.sort_by_key(|stored| stored.id);
        self.counts.cancelled += gone.len() as u64;
        self.steps.extend(
            gone.into_iter().map(|stored| Step::Gone { pickup: stored.id, round: stored.visit.round() }),
        );
        let most = u64::from(profile.missing_percent);
        self.missing = days.into_values().filter(|day| day.missing * 100 > day.planned * most).collect();
    }
}

/// Gives each request its place in its round.
struct Stops<'a> {
    keep: bool,
    snapshot: &'a Snapshot,
    last: BTreeMap<Round, i64>,
}

impl<'a> Stops<'a> {
    fn new(profile: &Profile, snapshot: &'a Snapshot) -> Self {
        Self { keep: profile.covers == Covers::Changes, snapshot, last: BTreeMap::new() }
    }

    fn of(&mut self, request: &Request, stored: Option<&Stored>) -> i64 {
        if let Some(order) = request.order {
            return order.into();
        }
        let round = request.visit.round();
        if self.keep
            && let Some(stored) = stored.filter(|stored| stored.visit.round() == round)
        {
            return stored.stop;
        }
        // A file of the whole day counts its lines; a file of changes goes on where the round ends.
        let start =
            if self.keep { self.snapshot.rounds.get(&round).map_or(0, |size| size.last_stop) } else { 0 };
        let last = self.last.entry(round).or_insert(start);
        *last += 1;
        *last
    }
}

/// How large the rounds become.
struct Sizes<'a> {
    snapshot: &'a Snapshot,
    rounds: BTreeMap<Round, Size>,
}

struct Size {
    /// Signed, since pickups leave rounds, too.
    pickups: i64,
    bytes: i64,
    line: u64,
}

impl<'a> Sizes<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, rounds: BTreeMap::new() }
    }

    fn count(&mut self, request: &Request, stored: Option<&Stored>) {
        let size = self.of(request.visit.round(), request.line);
        size.pickups += 1;
        size.bytes += signed(request.visit.bytes());
        if let Some(stored) = stored {
            let size = self.of(stored.visit.round(), request.line);
            size.pickups -= 1;
            size.bytes -= signed(stored.visit.bytes());
        }
    }

    fn of(&mut self, round: Round, line: u64) -> &mut Size {
        // A round that pickups only leave is not in the snapshot and becomes no larger.
        let now = self.snapshot.rounds.get(&round).copied().unwrap_or_default();
        self.rounds.entry(round).or_insert(Size { pickups: now.pickups, bytes: now.bytes, line })
    }

    fn problems(self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (Round { date, contract, vehicle }, size) in self.rounds {
            let round =
                format!("the round of {vehicle} ({contract}) on {date} that line {} is on", size.line);
            if size.pickups > signed(limits::LIST_PICKUPS) {
                let (most, found) = (limits::LIST_PICKUPS, size.pickups);
                problems.push(Problem::of_file(format!(
                    "expected at most {most} pickups in {round}, found {found}"
                )));
            } else if size.bytes > signed(ROUND_BYTES) {
                let found = size.bytes;
                problems.push(Problem::of_file(format!(
                    "expected at most {ROUND_BYTES} bytes of text in {round}, found about {found}"
                )));
            }
        }
        problems
    }
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
