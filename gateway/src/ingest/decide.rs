//! What the office makes of entries and hellos: pure, so that every interleaving can be tried.
//!
//! The office holds of each epoch all up to one number, whose digest it knows. Whatever comes is
//! compared with that and nothing else.

use meguri_proto::{Digest, EpochHeld};

/// What the office holds of one epoch: all up to `seq`, whose digest is `digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The last number; 0 for none.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
}

impl Held {
    /// Of an epoch that the office has not met.
    pub const NOTHING: Self = Self { seq: 0, digest: Digest::ZERO };
}

/// What becomes of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one: keep it, and hold this from then on.
    Take(Held),
    /// It is held already: acknowledge it again, change nothing.
    Repeat,
    /// Something before it is missing, or it lies in a hole: ask for a hello, change nothing.
    Gap,
    /// It is not of the chain that the office holds: tell a person, ask for a hello, change nothing.
    Fork,
}

/// Decides about one entry. `at_seq` is the digest that the office keeps under the entry's number;
/// none where there is no such entry, or a hole.
#[must_use]
pub fn entry(held: Held, at_seq: Option<Digest>, seq: u64, digest: Digest, body: &[u8]) -> Verdict {
    if seq <= held.seq {
        return match at_seq {
            Some(kept) if kept == digest => Verdict::Repeat,
            Some(_) => Verdict::Fork,
            // It lies in a hole: not held, so never acknowledged. If it is still kept somewhere, the hello moves it.
            None => Verdict::Gap,
        };
    }
    if seq > held.seq + 1 {
        return Verdict::Gap;
    }
    if held.digest.then(body) == digest { Verdict::Take(Held { seq, digest }) } else { Verdict::Fork }
}

/// What becomes of one epoch of a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What the office holds from then on.
    pub held: Held,
    /// What it answers: the same, or under its number a digest that no entry has, so that the terminal forks.
    pub says: Held,
    /// First and last number that nobody has any more.
    pub hole: Option<(u64, u64)>,
    /// The terminal's chain is not the office's: a store put back from a copy, or cloned.
    pub fork: bool,
    /// The office once said that it holds more than it does: its store is a copy put back.
    pub lost: bool,
}

/// Decides about one epoch of a hello. `hole_end` is the last number of the epoch's last hole, 0 where it has none;
/// `same_office` is whether its `acked` was heard from this incarnation.
///
/// A hole is final, since what follows it was taken on top. A store put back may bring its entries back all the same. Such
/// a terminal is answered with [`Digest::ZERO`], which no entry has: what is held ends at or behind the hole, so the answer
/// contradicts an entry that it keeps, or lies beyond its head. Either way it forks, all that it keeps comes in a
/// new epoch, and ids see to it that everything applies once.
#[must_use]
pub fn hello(held: Held, hole_end: u64, says: &EpochHeld, same_office: bool) -> Answer {
    let lost = same_office && says.acked > held.seq;
    if says.first > held.seq + 1 {
        let now = Held { seq: says.first - 1, digest: says.before };
        return Answer {
            held: now,
            says: now,
            hole: Some((held.seq + 1, says.first - 1)),
            fork: false,
            lost,
        };
    }
    if says.first <= hole_end {
        let says = Held { digest: Digest::ZERO, ..held };
        return Answer { held, says, hole: None, fork: true, lost };
    }
    let differs = (says.first == held.seq + 1 && says.before != held.digest)
        || (says.head == held.seq && says.digest != held.digest);
    Answer { held, says: held, hole: None, fork: differs || says.head < held.seq, lost }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use meguri_proto::Epoch;

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn every_case_of_an_entry() {
        let held = Held { seq: 3, digest: digest(3) };
        let next = digest(3).then(b"{}");
        assert_eq!(entry(held, None, 4, next, b"{}"), Verdict::Take(Held { seq: 4, digest: next }));
        assert_eq!(entry(held, None, 4, digest(9), b"{}"), Verdict::Fork);
        assert_eq!(entry(held, None, 5, next, b"{}"), Verdict::Gap);
        assert_eq!(entry(held, Some(digest(3)), 3, digest(3), b"{}"), Verdict::Repeat);
        assert_eq!(entry(held, Some(digest(3)), 3, digest(9), b"{}"), Verdict::Fork);
        assert_eq!(entry(held, None, 3, digest(3), b"{}"), Verdict::Gap, "the end of a hole");
        assert_eq!(entry(held, Some(digest(2)), 2, digest(2), b"{}"), Verdict::Repeat);
        assert_eq!(entry(held, Some(digest(2)), 2, digest(9), b"{}"), Verdict::Fork);
        assert_eq!(entry(held, None, 1, digest(9), b"{}"), Verdict::Gap, "of a hole");
    }

    fn says(first: u64, before: u8, head: u64, last: u8, acked: u64) -> EpochHeld {
        let epoch = Epoch(Uuid::nil());
        EpochHeld { epoch, first, before: digest(before), head, digest: digest(last), acked }
    }

    #[test]
    fn every_case_of_a_hello() {
        let held = Held { seq: 3, digest: digest(3) };
        let quiet = Answer { held, says: held, hole: None, fork: false, lost: false };
        let hello = |held, says: &EpochHeld, same_office| hello(held, 0, says, same_office);
        assert_eq!(hello(held, &says(1, 0, 7, 7, 3), true), quiet, "ahead");
        assert_eq!(hello(held, &says(1, 0, 3, 3, 2), true), quiet, "level");
        assert_eq!(hello(held, &says(4, 3, 9, 9, 3), true), quiet, "keeps only what is new");
        assert!(hello(held, &says(1, 0, 2, 2, 2), true).fork, "behind");
        assert!(hello(held, &says(1, 0, 3, 9, 3), true).fork, "other last entry");
        assert!(hello(held, &says(4, 9, 5, 5, 3), true).fork, "other entry before");
        assert!(hello(held, &says(1, 0, 7, 7, 5), true).lost, "was told more");
        assert!(!hello(held, &says(1, 0, 7, 7, 5), false).lost, "was told more by an earlier life");
        let hole = hello(held, &says(6, 5, 7, 7, 5), false);
        assert_eq!((hole.hole, hole.held), (Some((4, 5)), Held { seq: 5, digest: digest(5) }));
        let fresh = hello(Held::NOTHING, &says(1, 0, 0, 0, 0), false);
        let nothing = Held::NOTHING;
        assert_eq!(fresh, Answer { held: nothing, says: nothing, hole: None, fork: false, lost: false });
    }

    #[test]
    fn whoever_keeps_what_a_hole_lacks_forks() {
        let held = Held { seq: 6, digest: digest(6) };
        for keeps in [says(1, 0, 6, 6, 6), says(4, 3, 9, 9, 6), says(1, 0, 4, 4, 4), says(3, 2, 3, 3, 3)] {
            let answer = hello(held, 4, &keeps, false);
            assert_eq!((answer.held, answer.hole, answer.fork), (held, None, true), "{keeps:?}");
            assert_eq!(answer.says, Held { seq: 6, digest: Digest::ZERO }, "{keeps:?}");
        }
        let after = hello(held, 4, &says(5, 4, 7, 7, 6), false);
        assert_eq!((after.says, after.fork), (held, false), "the terminal that the hole was recorded of");
        let wider = hello(held, 4, &says(9, 8, 9, 9, 6), false);
        assert_eq!(wider.hole, Some((7, 8)), "another hole behind it");
    }

    /// One terminal as far as the office can tell: an epoch of numbered bodies.
    #[derive(Debug, Clone)]
    struct Terminal {
        epoch: u32,
        bodies: Vec<u32>,
        first: usize,
    }

    /// The office as far as decisions go: per epoch what it holds, its entries and its holes.
    #[derive(Debug, Clone, Default)]
    struct Office {
        epochs: BTreeMap<u32, Kept>,
    }

    /// Of one epoch: what is held, the entries by number, the holes.
    type Kept = (Option<Held>, BTreeMap<u64, (Digest, u32)>, Vec<(u64, u64)>);

    fn chain(bodies: &[u32]) -> Vec<Digest> {
        let mut last = Digest::ZERO;
        bodies
            .iter()
            .map(|body| {
                last = last.then(&body.to_le_bytes());
                last
            })
            .collect()
    }

    impl Office {
        fn publish(&mut self, epoch: u32, seq: u64, body: u32, digest: Digest) -> Verdict {
            let (held, entries, _) = self.epochs.entry(epoch).or_default();
            let now = held.unwrap_or(Held::NOTHING);
            let at_seq = entries.get(&seq).map(|kept| kept.0);
            let verdict = entry(now, at_seq, seq, digest, &body.to_le_bytes());
            if let Verdict::Take(next) = verdict {
                *held = Some(next);
                assert!(entries.insert(seq, (digest, body)).is_none(), "an entry is written once");
            }
            verdict
        }

        fn hello(&mut self, says: &EpochHeld, epoch: u32) -> Answer {
            let (held, _, holes) = self.epochs.entry(epoch).or_default();
            let hole_end = holes.iter().map(|hole| hole.1).max().unwrap_or(0);
            let answer = hello(held.unwrap_or(Held::NOTHING), hole_end, says, true);
            *held = Some(answer.held);
            holes.extend(answer.hole);
            answer
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// The terminal writes this many entries.
        Write(usize),
        /// Entries from here arrive, this many, maybe again, maybe out of order.
        Arrive(usize, usize),
        /// The terminal says hello and sends from the answer.
        Repair,
        /// The terminal's store is put back to its first so many entries, also to those that it had forgotten since;
        /// and it works on or not.
        RestoreTerminal { to: usize, whole: bool, works: bool },
        /// The office's store is put back to an earlier state.
        RestoreOffice(usize),
        /// The terminal forgets what the office has acknowledged.
        Trim,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1..6usize).prop_map(Step::Write),
            6 => (0..30usize, 1..6usize).prop_map(|(from, count)| Step::Arrive(from, count)),
            3 => Just(Step::Repair),
            1 => (0..20usize, any::<bool>(), any::<bool>())
                .prop_map(|(to, whole, works)| Step::RestoreTerminal { to, whole, works }),
            1 => (0..10usize).prop_map(Step::RestoreOffice),
            1 => Just(Step::Trim),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        /// Whatever duplicates, gaps, reorder, restarts, forks and restores do: what the office holds
        /// of an epoch is a gapless chain but for recorded holes, and after a repair everything the
        /// terminal still keeps is there, in order.
        #[test]
        fn holds_a_chain_and_is_repaired_by_hello(steps in steps()) {
            let mut terminal = Terminal { epoch: 0, bodies: Vec::new(), first: 0 };
            let mut office = Office::default();
            let mut earlier = vec![office.clone()];
            let mut next_body = 0;
            let mut next_epoch = 1;
            for step in steps.into_iter().chain([Step::Repair]) {
                match step {
                    Step::Write(count) => {
                        terminal.bodies.extend((next_body..).take(count));
                        next_body += u32::try_from(count).unwrap();
                    }
                    Step::Arrive(from, count) => {
                        let digests = chain(&terminal.bodies);
                        for at in (from..from + count).filter(|at| (terminal.first..digests.len()).contains(at)) {
                            office.publish(terminal.epoch, at as u64 + 1, terminal.bodies[at], digests[at]);
                        }
                    }
                    Step::RestoreTerminal { to, whole, works } => {
                        terminal.bodies.truncate(to);
                        let first = if whole { 0 } else { terminal.first };
                        terminal.first = first.min(terminal.bodies.len());
                        if works {
                            terminal.bodies.push(next_body);
                            next_body += 1;
                        }
                    }
                    Step::RestoreOffice(to) => office = earlier[to.min(earlier.len() - 1)].clone(),
                    Step::Trim => {
                        let held = office.epochs.get(&terminal.epoch).and_then(|epoch| epoch.0);
                        let held = held.map_or(0, |held| usize::try_from(held.seq).unwrap());
                        terminal.first = terminal.first.max(held.min(terminal.bodies.len()));
                    }
                    Step::Repair => {
                        // At most one fork: the new epoch is unknown to the office.
                        for _ in 0..2 {
                            let digests = chain(&terminal.bodies);
                            let at = |seq: usize| if seq == 0 { Digest::ZERO } else { digests[seq - 1] };
                            let says = EpochHeld {
                                epoch: Epoch(Uuid::from_u128(terminal.epoch.into())),
                                first: terminal.first as u64 + 1,
                                before: at(terminal.first),
                                head: digests.len() as u64,
                                digest: at(digests.len()),
                                acked: 0,
                            };
                            let answer = office.hello(&says, terminal.epoch);
                            let seq = usize::try_from(answer.says.seq).unwrap();
                            let forked = seq > digests.len()
                                || (seq >= terminal.first && at(seq) != answer.says.digest);
                            if forked {
                                terminal.bodies.drain(..terminal.first);
                                (terminal.epoch, terminal.first) = (next_epoch, 0);
                                next_epoch += 1;
                                continue;
                            }
                            for (at, digest) in digests.iter().enumerate().skip(seq.max(terminal.first)) {
                                let (seq, body) = (at as u64 + 1, terminal.bodies[at]);
                                let verdict = office.publish(terminal.epoch, seq, body, *digest);
                                prop_assert!(matches!(verdict, Verdict::Take(_)), "{verdict:?}");
                            }
                            break;
                        }
                        let (held, entries, holes) = &office.epochs[&terminal.epoch];
                        prop_assert_eq!(held.unwrap().seq, terminal.bodies.len() as u64);
                        for (at, body) in terminal.bodies.iter().enumerate().skip(terminal.first) {
                            prop_assert_eq!(entries.get(&(at as u64 + 1)).map(|kept| kept.1), Some(*body));
                        }
                        for seq in 1..=held.unwrap().seq {
                            let hole = holes.iter().any(|hole| (hole.0..=hole.1).contains(&seq));
                            prop_assert!(hole || entries.contains_key(&seq), "{seq} is neither held nor a hole");
                        }
                    }
                }
                for (held, entries, holes) in office.epochs.values() {
                    let Some(held) = held else { continue };
                    prop_assert!(entries.keys().all(|seq| *seq <= held.seq), "nothing beyond what is held");
                    if let Some((_, (last, _))) = entries.range(..=held.seq).next_back()
                        && entries.contains_key(&held.seq)
                    {
                        prop_assert_eq!(*last, held.digest);
                    }
                    for (seq, (digest, body)) in entries {
                        if let Some((before, _)) = entries.get(&(seq - 1)) {
                            let in_hole = holes.iter().any(|hole| hole.1 == seq - 1);
                            prop_assert!(in_hole || before.then(&body.to_le_bytes()) == *digest, "a chain");
                        }
                    }
                }
                earlier.push(office.clone());
            }
        }
    }
}
