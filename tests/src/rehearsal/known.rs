//! What the office and the terminals know of releases at the end, and whether it is the same.

use std::collections::BTreeMap;

use meguri_gateway::people::Scope;
use meguri_gateway::switchover::{self, State};
use meguri_proto::{ConfigState, Fact};
use rusqlite::Connection;

use super::Rehearsal;
use super::check::Check;
use super::people::Release;

impl Rehearsal {
    /// Looks at all of it.
    pub(super) fn releases(&self, store: &Connection) -> anyhow::Result<Vec<Check>> {
        Ok(vec![self.withdrawn(store)?, self.corrected(), self.same_story(store)?])
    }

    /// What was withdrawn is nowhere, and what was approved anew is in force.
    fn withdrawn(&self, store: &Connection) -> anyhow::Result<Check> {
        let mut found = Vec::new();
        let states: BTreeMap<u64, State> = switchover::list(store, &Scope::City, self.world.now)?
            .into_iter()
            .map(|one| (one.version, one.state))
            .collect();
        // Where nothing is left to be done about any terminal the office closes it by itself.
        let over: [(Release, &[State]); 2] =
            [(Release::Misspelt, &[State::Withdrawn]), (Release::Right, &[State::CutOver, State::Closed])];
        for (release, expected) in over {
            let state = states.get(&(release as u64));
            if state.is_none_or(|state| !expected.contains(state)) {
                found.push(format!("release {} is {state:?}, expected {expected:?}", release as u64));
            }
        }
        let mut had = 0_usize;
        for (index, terminal) in self.world.terminals.iter().enumerate() {
            let took = |version: Release, state| {
                terminal.written.iter().any(|written| {
                    matches!(&written.body.fact, Fact::Config(change)
                        if change.version == version as u64 && change.state == state && change.effective_at == Some(self.plan.instant))
                })
            };
            had += usize::from(took(Release::Misspelt, ConfigState::Staged));
            if took(Release::Misspelt, ConfigState::Activated) {
                found
                    .push(format!("{}: changed over by what was withdrawn", self.plan.seats[index].terminal));
            }
            let held = terminal.status().map(|status| status.config.held);
            if held != Some(Release::Corrected as u64) {
                found.push(format!("{}: holds release {held:?} at the end", self.plan.seats[index].terminal));
            }
        }
        Ok(Check::new(
            format!("取り下げた計画は、先に届いていた {had} 台でも働かなかった。承認し直した計画が全台に届き、切替は済んだ"),
            format!("The plan that was withdrawn did nothing on the {had} terminals that had it; what was approved anew reached all, and is in force"),
            found,
        )
        .some(had))
    }

    /// The correction did not displace the switchover, and the new key counts everywhere.
    fn corrected(&self) -> Check {
        let (mut found, mut by, mut keys) = (Vec::new(), 0_usize, 0_usize);
        for (index, seat) in self.plan.seats.iter().enumerate() {
            let terminal = &self.world.terminals[index];
            let corrected = terminal.written.iter().find_map(|written| match &written.body.fact {
                Fact::Config(change)
                    if change.version == Release::Corrected as u64
                        && change.state == ConfigState::Verified =>
                {
                    Some(written.at)
                }
                _ => None,
            });
            if seat.changes(self.plan.instant) && corrected.is_some_and(|at| at < self.plan.instant) {
                let next = seat.at(self.plan.instant);
                let by_it = terminal.written.iter().any(|written| {
                    matches!(&written.body.fact, Fact::Config(change)
                        if change.version == Release::Corrected as u64 && change.state == ConfigState::Activated
                            && change.contract.as_ref() == Some(&next.contract) && written.at >= self.plan.instant)
                });
                by += usize::from(by_it);
                if !by_it {
                    found.push(format!(
                        "{}: took the correction and did not change over by it",
                        seat.terminal
                    ));
                }
            }
            let held = terminal.status().map(|status| status.config.keys);
            keys += usize::from(held == Some(2));
            if held != Some(2) {
                found.push(format!("{}: holds key set {held:?}, expected 2", seat.terminal));
            }
        }
        Check::new(
            format!("切替前に出した直しを受け取った {by} 台も、予定どおりに切り替わった。取り替えた鍵は {keys} 台すべてに伝わった"),
            format!("{by} terminals that took the correction of before the switchover changed over all the same; all {keys} know the key that was replaced"),
            found,
        )
        .some(by)
    }

    /// The office holds every transition that a terminal wrote down, and shows for each what the terminal shows.
    fn same_story(&self, store: &Connection) -> anyhow::Result<Check> {
        let mut found = Vec::new();
        let mut events = 0_usize;
        let mut held = store.prepare("SELECT 1 FROM config_event WHERE id = ?1")?;
        for terminal in &self.world.terminals {
            for written in terminal.written.iter().filter(|written| !written.of_pickup()) {
                events += 1;
                if !held.exists([written.id.0.as_bytes()])? {
                    found.push(format!(
                        "{}: the office does not hold what it wrote at {}",
                        terminal.id, written.at
                    ));
                }
            }
        }
        let mut said = store.prepare(
            "SELECT s.state FROM terminal AS t JOIN schedule AS s ON s.bundle = t.schedule AND s.position = t.position WHERE t.id = ?1",
        )?;
        for terminal in &self.world.terminals {
            let shown = terminal.view().and_then(|view| view.config.state);
            let shown = shown.and_then(|state| serde_json::to_value(state).ok()?.as_str().map(str::to_owned));
            let known: Option<String> = said.query_row([terminal.id.as_str()], |row| row.get(0))?;
            if known != shown {
                found.push(format!("{}: shows {shown:?}, the office says {known:?}", terminal.id));
            }
        }
        Ok(Check::new(
            format!("設定の経過 {events} 件はすべて役所に届き、役所の見る状態は全台で端末の状態と同じ"),
            format!("All {events} steps of configurations reached the office, which shows of every terminal what that shows itself"),
            found,
        )
        .some(events))
    }
}
