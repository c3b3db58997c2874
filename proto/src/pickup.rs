//! A pickup's life: what the office decided and what the field said become one state, by one pure
//! function that the office and the tablet both call.
//!
//! Three rules: no fact is lost; across terminals "collected" outranks; only a terminal corrects
//! itself. Whatever contradicts is named, for a dispatcher. Neither the order in which facts arrive
//! nor a clock has a say, so the verdict is the same wherever it is computed.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{Digest, Epoch, Fact, FactId, ItemResult, Reason, TerminalId};

/// How a pickup went, as a crew says it (収集結果).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Result {
    /// All of it was collected (収集済).
    Collected,
    /// A part was collected (一部収集).
    Partly {
        /// One element for every item of the pickup.
        items: Vec<ItemResult>,
        /// SHA-256 of a note's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Digest>,
    },
    /// Nothing was collected (収集不可).
    NotCollected {
        /// Why.
        reason: Reason,
        /// SHA-256 of a note's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Digest>,
    },
}

impl Result {
    /// "Collected" outranks a part, a part outranks nothing.
    fn rank(&self) -> u32 {
        match self {
            Self::NotCollected { .. } => 0,
            Self::Partly { .. } => 1,
            Self::Collected => 2,
        }
    }

    /// How many single items were collected, where only a part was.
    fn collected_items(&self) -> u64 {
        match self {
            Self::Partly { items, .. } => items.iter().map(|item| u64::from(item.collected)).sum(),
            Self::Collected | Self::NotCollected { .. } => 0,
        }
    }

    fn without_note(&self) -> Self {
        match self.clone() {
            Self::Collected => Self::Collected,
            Self::Partly { items, .. } => Self::Partly { items, note: None },
            Self::NotCollected { reason, .. } => Self::NotCollected { reason, note: None },
        }
    }

    /// Whether both say the same; the notes beside them may differ.
    fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Collected, Self::Collected) => true,
            (Self::Partly { items: a, .. }, Self::Partly { items: b, .. }) => a == b,
            (Self::NotCollected { reason: a, .. }, Self::NotCollected { reason: b, .. }) => a == b,
            _ => false,
        }
    }
}

/// What the office has decided about a pickup. The last decision stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OfficeWord {
    /// To be collected (予定).
    #[default]
    Planned,
    /// Not to be collected any more (取消).
    Cancelled,
    /// To be collected on another day (再収集).
    Revisit {
        /// The other day.
        date: Date,
    },
    /// The contract or the day ended without a report (未報告).
    Closed,
}

/// What one terminal says of a pickup after its own corrections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The fact that says so.
    pub fact: FactId,
    /// Who says so.
    pub terminal: TerminalId,
    /// When, by that terminal's best clock.
    pub at: Timestamp,
    /// The result.
    pub result: Result,
}

/// The state of a pickup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// 予定.
    Open,
    /// 収集済.
    Collected,
    /// 一部収集.
    PartlyCollected,
    /// 収集不可.
    NotCollected(Reason),
    /// 再収集.
    Revisit(Date),
    /// 取消.
    Cancelled,
    /// 未報告.
    NotReported,
}

/// What a dispatcher must look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// Terminals say different things.
    TerminalsDiffer,
    /// Cancelled by the office, collected in the field.
    CollectedThoughCancelled,
    /// The office planned another visit, but it was collected.
    CollectedThoughRevisit,
}

/// What stands, by whose word, and what contradicts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// The fact it rests on; none where it rests on the office's word alone.
    pub by: Option<FactId>,
    /// What contradicts, in a fixed order.
    pub contradictions: Vec<Contradiction>,
}

/// Decides the state of a pickup from the office's word and the standing statements of terminals.
///
/// | office | nobody | not collected | partly | collected |
/// |---|---|---|---|---|
/// | planned | open | not collected | partly | collected |
/// | cancelled | cancelled | cancelled | partly, contradiction | collected, contradiction |
/// | revisit | revisit | revisit | revisit | collected, contradiction |
/// | closed | not reported | not collected | partly | collected |
///
/// The order of `statements` does not matter.
#[must_use]
pub fn decide(office: OfficeWord, statements: &[Statement]) -> Verdict {
    let best = best(statements);
    let said = best.map(|best| match &best.result {
        Result::Collected => State::Collected,
        Result::Partly { .. } => State::PartlyCollected,
        Result::NotCollected { reason, .. } => State::NotCollected(*reason),
    });
    let mut contradictions = Vec::new();
    if let Some(best) = best
        && statements.iter().any(|other| !other.result.agrees(&best.result))
    {
        contradictions.push(Contradiction::TerminalsDiffer);
    }
    let (state, by_field) = match (office, said) {
        (OfficeWord::Planned, None) => (State::Open, false),
        (OfficeWord::Closed, None) => (State::NotReported, false),
        (OfficeWord::Planned | OfficeWord::Closed, Some(said)) => (said, true),
        (OfficeWord::Cancelled, Some(said @ (State::Collected | State::PartlyCollected))) => {
            contradictions.push(Contradiction::CollectedThoughCancelled);
            (said, true)
        }
        (OfficeWord::Cancelled, _) => (State::Cancelled, false),
        (OfficeWord::Revisit { .. }, Some(State::Collected)) => {
            contradictions.push(Contradiction::CollectedThoughRevisit);
            (State::Collected, true)
        }
        (OfficeWord::Revisit { date }, _) => (State::Revisit(date), false),
    };
    let by = best.filter(|_| by_field).map(|best| best.fact);
    Verdict { state, by, contradictions }
}

/// The fewest statements that tell the same: with any statements beside them, [`decide`] says of them what it says
/// of all. They are the one that stands and, where there is one, one that differs from it; their notes are left out.
/// So what other terminals say takes bounded room on a list, however many they are.
#[must_use]
pub fn telling(statements: &[Statement]) -> Vec<Statement> {
    let Some(best) = best(statements) else { return Vec::new() };
    let differs = statements.iter().find(|other| !other.result.agrees(&best.result));
    let bare =
        |statement: &Statement| Statement { result: statement.result.without_note(), ..statement.clone() };
    std::iter::once(best).chain(differs).map(bare).collect()
}

/// Between equals the one with the smaller id stands: it was tapped first (UUIDv7).
fn best(statements: &[Statement]) -> Option<&Statement> {
    statements.iter().max_by_key(|s| (s.result.rank(), s.result.collected_items(), std::cmp::Reverse(s.fact)))
}

/// A fact about one pickup, with what is needed to tell whether a later one corrects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The fact's id.
    pub id: FactId,
    /// Who said it.
    pub terminal: TerminalId,
    /// In which epoch: epochs of one terminal count as different terminals where facts contradict.
    pub epoch: Epoch,
    /// Its number in that epoch.
    pub seq: u64,
    /// When, by the terminal's best clock.
    pub at: Timestamp,
    /// What was said.
    pub fact: Fact,
}

/// What each terminal still says of one pickup after its own corrections, in the order of the facts' ids.
///
/// Within an epoch the last word counts. Across epochs of one terminal a fact corrects another only by
/// citing it. No terminal corrects another.
#[must_use]
pub fn standing(facts: &[Said]) -> Vec<Statement> {
    let mut last: BTreeMap<(&TerminalId, Epoch), &Said> = BTreeMap::new();
    let mut cited: HashSet<(&TerminalId, FactId)> = HashSet::new();
    for said in facts {
        let newest = last.entry((&said.terminal, said.epoch)).or_insert(said);
        if said.seq > newest.seq {
            *newest = said;
        }
        let cites = match &said.fact {
            Fact::Outcome(outcome) => outcome.replaces,
            Fact::Undo(undo) => Some(undo.of),
            Fact::Config(_) => None,
        };
        cited.extend(cites.map(|id| (&said.terminal, id)));
    }
    let mut statements: Vec<Statement> = last
        .into_values()
        .filter(|said| !cited.contains(&(&said.terminal, said.id)))
        .filter_map(|said| match &said.fact {
            Fact::Outcome(outcome) => Some(Statement {
                fact: said.id,
                terminal: said.terminal.clone(),
                at: said.at,
                result: outcome.result.clone(),
            }),
            Fact::Undo(_) | Fact::Config(_) => None,
        })
        .collect();
    statements.sort_by_key(|statement| statement.fact);
    statements
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{ListRef, Outcome, PickupId, Undo};

    fn terminal(n: u8) -> TerminalId {
        format!("t-{n}").parse().unwrap()
    }

    fn id(n: u128) -> FactId {
        FactId(Uuid::from_u128(n))
    }

    fn collected() -> Result {
        Result::Collected
    }

    fn partly(collected: u32) -> Result {
        let reason = Some(Reason::OtherCount);
        Result::Partly { items: vec![ItemResult { item: 0, collected, reason }], note: None }
    }

    fn not(reason: Reason) -> Result {
        Result::NotCollected { reason, note: None }
    }

    fn statement(n: u8, result: Result) -> Statement {
        Statement { fact: id(n.into()), terminal: terminal(n), at: Timestamp::UNIX_EPOCH, result }
    }

    fn said(n: u128, by: u8, epoch: u128, seq: u64, fact: Fact) -> Said {
        let epoch = Epoch(Uuid::from_u128(epoch));
        Said { id: id(n), terminal: terminal(by), epoch, seq, at: Timestamp::UNIX_EPOCH, fact }
    }

    fn outcome(result: Result, replaces: Option<u128>) -> Fact {
        let list = ListRef { date: date(2026, 4, 1), version: 1 };
        let pickup = PickupId(Uuid::nil());
        Fact::Outcome(Outcome { pickup, list, replaces: replaces.map(id), result })
    }

    fn undo(of: u128) -> Fact {
        Fact::Undo(Undo { pickup: PickupId(Uuid::nil()), of: id(of) })
    }

    /// Every pair of office word and one terminal's statement.
    #[test]
    fn office_and_field_cross() {
        use Contradiction::{CollectedThoughCancelled, CollectedThoughRevisit};
        let day = date(2026, 4, 8);
        let revisit = OfficeWord::Revisit { date: day };
        let none: Option<Result> = None;
        let refused = || Some(not(Reason::NotOut));
        let part = || Some(partly(1));
        let all = || Some(collected());
        let table = [
            (OfficeWord::Planned, none.clone(), State::Open, None),
            (OfficeWord::Planned, refused(), State::NotCollected(Reason::NotOut), None),
            (OfficeWord::Planned, part(), State::PartlyCollected, None),
            (OfficeWord::Planned, all(), State::Collected, None),
            (OfficeWord::Cancelled, none.clone(), State::Cancelled, None),
            (OfficeWord::Cancelled, refused(), State::Cancelled, None),
            (OfficeWord::Cancelled, part(), State::PartlyCollected, Some(CollectedThoughCancelled)),
            (OfficeWord::Cancelled, all(), State::Collected, Some(CollectedThoughCancelled)),
            (revisit, none.clone(), State::Revisit(day), None),
            (revisit, refused(), State::Revisit(day), None),
            (revisit, part(), State::Revisit(day), None),
            (revisit, all(), State::Collected, Some(CollectedThoughRevisit)),
            (OfficeWord::Closed, none, State::NotReported, None),
            (OfficeWord::Closed, refused(), State::NotCollected(Reason::NotOut), None),
            (OfficeWord::Closed, part(), State::PartlyCollected, None),
            (OfficeWord::Closed, all(), State::Collected, None),
        ];
        for (office, result, state, contradiction) in table {
            let statements: Vec<_> = result.into_iter().map(|result| statement(1, result)).collect();
            let verdict = decide(office, &statements);
            assert_eq!(verdict.state, state, "{office:?} {statements:?}");
            assert_eq!(verdict.contradictions, Vec::from_iter(contradiction), "{office:?} {statements:?}");
            let rests_on_office =
                matches!(state, State::Open | State::Cancelled | State::Revisit(_) | State::NotReported);
            assert_eq!(verdict.by.is_none(), rests_on_office, "{office:?} {statements:?}");
        }
    }

    /// Every pair of two terminals' statements, both ways round.
    #[test]
    fn two_terminals_cross() {
        let (not_out, blocked) = (|| not(Reason::NotOut), || not(Reason::AccessBlocked));
        // First, second, which one stands, whether a dispatcher must look.
        let table = [
            (collected(), collected(), 1, false),
            (collected(), partly(1), 1, true),
            (collected(), not_out(), 1, true),
            (partly(1), partly(1), 1, false),
            (partly(1), partly(2), 2, true),
            (partly(2), partly(1), 1, true),
            (partly(1), not_out(), 1, true),
            (not_out(), not_out(), 1, false),
            (not_out(), blocked(), 1, true),
        ];
        for (first, second, stands, differ) in table {
            let mut both = vec![statement(1, first), statement(2, second)];
            for _ in 0..2 {
                let verdict = decide(OfficeWord::Planned, &both);
                assert_eq!(verdict.by, Some(id(stands)), "{both:?}");
                let named = verdict.contradictions.contains(&Contradiction::TerminalsDiffer);
                assert_eq!(named, differ, "{both:?}");
                both.reverse();
            }
        }
    }

    #[test]
    fn a_terminal_corrects_itself() {
        let first = said(1, 1, 1, 1, outcome(not(Reason::NotOut), None));
        let later = said(2, 1, 1, 2, outcome(collected(), Some(1)));
        let facts = standing(&[first.clone(), later.clone()]);
        assert_eq!(facts.iter().map(|s| s.fact).collect::<Vec<_>>(), [id(2)]);

        // Taken back: open again, the first word does not come back to life.
        let back = said(3, 1, 1, 3, undo(2));
        assert!(standing(&[first, later, back]).is_empty());
    }

    #[test]
    fn a_correction_reaches_over_a_fork_only_by_citing() {
        let before = said(1, 1, 1, 5, outcome(not(Reason::NotOut), None));
        let citing = said(2, 1, 2, 1, outcome(collected(), Some(1)));
        assert_eq!(standing(&[before.clone(), citing]).len(), 1);

        let silent = said(2, 1, 2, 1, outcome(collected(), None));
        let both = standing(&[before.clone(), silent]);
        assert_eq!(both.len(), 2);
        assert_eq!(decide(OfficeWord::Planned, &both).contradictions, [Contradiction::TerminalsDiffer]);

        assert!(standing(&[before, said(2, 1, 2, 1, undo(1))]).is_empty());
    }

    #[test]
    fn no_terminal_corrects_another() {
        let first = said(1, 1, 1, 1, outcome(collected(), None));
        for meddling in [undo(1), outcome(not(Reason::NotOut), Some(1))] {
            let facts = standing(&[first.clone(), said(2, 2, 2, 1, meddling)]);
            assert!(facts.iter().any(|s| s.fact == id(1)));
            assert_eq!(decide(OfficeWord::Planned, &facts).state, State::Collected);
        }
    }

    fn any_result() -> impl Strategy<Value = Result> {
        prop_oneof![
            Just(collected()),
            (1..4u32).prop_map(partly),
            prop::sample::select(Reason::ALL).prop_map(not),
        ]
    }

    fn any_facts() -> impl Strategy<Value = Vec<Said>> {
        let fact = (1..4u8, 1..3u128, any_result(), prop::option::of(0..12u128), any::<bool>());
        prop::collection::vec(fact, 0..12).prop_map(|rows| {
            let number = |(n, (by, epoch, result, cites, is_undo)): (
                usize,
                (u8, u128, Result, Option<u128>, bool),
            )| {
                let fact = match cites {
                    Some(of) if is_undo => undo(of),
                    cites => outcome(result, cites),
                };
                said(n as u128, by, u128::from(by) * 10 + epoch, n as u64 + 1, fact)
            };
            rows.into_iter().enumerate().map(number).collect()
        })
    }

    proptest! {
        #[test]
        fn order_of_arrival_has_no_say(facts in any_facts(), shuffle in any::<u64>(), cancelled: bool) {
            let office = if cancelled { OfficeWord::Cancelled } else { OfficeWord::Planned };
            let mut other = facts.clone();
            other.sort_by_key(|s| (s.seq ^ shuffle).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            prop_assert_eq!(standing(&facts), standing(&other));
            let (mut a, b) = (standing(&facts), standing(&other));
            let verdict = decide(office, &b);
            a.reverse();
            prop_assert_eq!(decide(office, &a), verdict);
        }

        #[test]
        fn collected_is_never_hidden(facts in any_facts()) {
            let statements = standing(&facts);
            if statements.iter().any(|s| s.result == Result::Collected) {
                for office in [OfficeWord::Planned, OfficeWord::Cancelled, OfficeWord::Closed] {
                    prop_assert_eq!(decide(office, &statements).state, State::Collected);
                }
            }
        }

        #[test]
        fn a_few_statements_tell_the_same(facts in any_facts(), own in any_facts(), cancelled: bool) {
            let office = if cancelled { OfficeWord::Cancelled } else { OfficeWord::Planned };
            let (all, few, own) = (standing(&facts), telling(&standing(&facts)), standing(&own));
            prop_assert!(few.len() <= 2);
            let beside = |statements: &[Statement]| decide(office, &[statements, &own].concat());
            prop_assert_eq!(beside(&few), beside(&all));
        }

        #[test]
        fn a_fact_applied_twice_counts_once(facts in any_facts()) {
            let twice: Vec<_> = facts.iter().chain(&facts).cloned().collect();
            prop_assert_eq!(standing(&facts), standing(&twice));
        }
    }
}
