//! Configurations in the model: what the office pushes, and what must hold of every commit on the terminal's disk.

use jiff::Timestamp;
use meguri_config::Bundle;
use meguri_core::kept::{Kept, KeptConfig, Op};
use meguri_proto::{ConfigState, ContractId, Fact, FactBody, LogKind, Message};

use super::signed::{bundle, configuration, envelope};
use super::terminal::settings;

/// Where nobody answers.
pub(crate) const NOBODY: &str = "nobody.example";
/// Where the broker lets nobody in.
pub(crate) const REFUSES: &str = "refuses.example";

/// The contract that comes.
pub(crate) fn next_contract() -> ContractId {
    "naka-2027".parse().unwrap()
}

/// When it comes: the second midnight after the play's start.
pub(crate) fn instant() -> Timestamp {
    "2026-04-02T15:00:00Z".parse().unwrap()
}

/// What is pushed under a version: a schedule of the switchover, with a good or a bad address, or one without it.
pub(crate) fn schedule(version: u64, what: u8) -> Bundle {
    let own = settings();
    let mut now = configuration(&own, None, own.contract.as_str());
    now.round = format!("{version}コース");
    let mut next = configuration(&own, Some(instant()), next_contract().as_str());
    match what % 5 {
        0 => next.broker.host = NOBODY.to_owned(),
        1 => next.broker.host = REFUSES.to_owned(),
        2 => return dated(bundle(&own, version, vec![now])),
        _ => {}
    }
    dated(bundle(&own, version, vec![now, next]))
}

/// Whenever the play comes to it, it can be accepted.
fn dated(bundle: Bundle) -> Bundle {
    Bundle { expires: "2029-01-01T00:00:00Z".parse().unwrap(), ..bundle }
}

/// As it travels; every seventh with one signature alone.
pub(crate) fn signed(bundle: &Bundle, what: u8) -> String {
    envelope(bundle, if what % 7 == 6 { &[3] } else { &[3, 4] })
}

/// What must hold of a commit: a transition is whole, its fact with it, nothing happens before its time, and nothing is kept that
/// is of another contract.
pub(crate) fn check_commit(before: &Kept, ops: &[Op], after: &Kept) {
    let own = settings();
    let in_force = after.config.onto(&own);
    let mut told: Vec<ConfigState> = Vec::new();
    for op in ops {
        let Op::Append { log: LogKind::Fact, entry } = op else { continue };
        let body = FactBody::decode(entry.body.as_bytes()).unwrap();
        assert_eq!((&body.contract, body.config), (&in_force.contract, in_force.version));
        if let Fact::Config(change) = body.fact {
            told.push(change.state);
        }
    }
    let (old, new) = (&before.config, &after.config);
    let version = |config: &KeptConfig| config.held.as_ref().map(|held| held.bundle.version);
    assert_eq!(told.contains(&ConfigState::Verified), version(old) != version(new), "{told:?}");
    let place =
        |config: &KeptConfig| config.force.as_ref().map(|force| (force.version, force.configuration.from));
    assert_eq!(told.contains(&ConfigState::Activated), place(old) != place(new), "{told:?}");
    let state = |config: &KeptConfig| config.force.as_ref().map(|force| force.state);
    if state(old) != state(new) {
        assert_eq!(told.last().copied(), state(new), "every transition is a fact");
    }
    assert!(version(old) <= version(new) && old.version <= new.version, "never back");
    if let Some(force) = &new.force {
        assert_eq!(new.contract.as_ref(), Some(&force.configuration.contract));
        assert_eq!(in_force.contract, force.configuration.contract);
    }
    if place(old) != place(new)
        && let Some(from) = new.force.as_ref().and_then(|force| force.configuration.from)
    {
        let time = after.time.unwrap();
        let by_crew = time.confirmed.is_some() && time.time >= from;
        let before = old.force.as_ref().and_then(|force| force.configuration.from);
        assert!(time.sure >= Some(from) || by_crew || before >= Some(from), "early: {time:?}");
    }
    if new.contract.is_some() {
        let strange = after.documents.keys().find(|name| name.contract().is_some_and(|of| !new.keeps(of)));
        assert!(strange.is_none(), "{strange:?}");
    }
}

/// What must hold in the end, once the office was heard at `now` and has pushed `pushed` as its newest good schedule.
pub(crate) fn check_end(kept: &Kept, pushed: Option<&Bundle>, now: Timestamp) {
    let Some(pushed) = pushed else { return };
    let held = kept.config.held.as_ref().expect("what was pushed is held");
    if held.bundle.version != pushed.version {
        assert!(held.bundle.version > pushed.version, "an office put back knows of less");
        return;
    }
    let force = kept.config.force.as_ref().expect("something is in force");
    assert_eq!(force.version, pushed.version);
    let due = &pushed.schedule[pushed.at(now)];
    // Where the office's clock, or the crew, was ahead of time, what was erased then does not come back.
    if force.configuration.from.is_none_or(|from| from <= now) {
        assert_eq!(force.configuration, *due);
    }
    let expected = match (force.configuration.broker.host.as_str(), force.state) {
        (NOBODY | REFUSES, state) => (ConfigState::Reverted, state),
        (_, state) => (ConfigState::Healthy, state),
    };
    assert_eq!(expected.0, expected.1);
}
