//! What a fleet is to do: a TOML file that people write. A field that is not known is refused with its line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use meguri_config::terminal::Timers;
use serde::{Deserialize, Serialize};

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// What the report calls it.
    pub name: String,
    /// The same seed has every crew decide the same things in the same order; how the terminals' work interleaves is
    /// the machine's.
    pub seed: u64,
    /// How many of the terminals given are used; all where not said.
    pub terminals: Option<usize>,
    /// Folder of the terminals' stores, one below it for each. Every store is written as on a tablet: what is
    /// confirmed is flushed to the disk. Kept after the run; a later run goes on with it.
    pub stores: PathBuf,
    /// A rehearsal's clock (TOML with real, from, speed), the same as the gateway's; the system's where not said.
    pub clock: Option<PathBuf>,
    /// Threads that write stores; how many flush to the disk at the same time.
    pub writers: usize,
    /// How fast.
    pub pace: Pace,
    /// What crews do.
    pub crew: Crew,
    /// More terminals than run at the same time take turns.
    pub turns: Option<Turns>,
    /// Every terminal loses its line now and then.
    pub outages: Option<Outages>,
    /// Some lose it at the same time.
    pub window: Vec<Window>,
    /// Terminals are dropped in the middle of what they do, and started again on their stores.
    pub kills: Option<Kills>,
    /// Milliseconds that everything is on its way, from least to most, each way.
    pub delay_ms: [u32; 2],
    /// When it is over.
    pub stop: Stop,
    /// Timers of every terminal instead of those in its settings.
    pub timers: Option<Timers>,
}

/// How fast facts are written. Exactly one of the three is said; the gaps between are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Facts per second of all terminals together.
    pub facts_per_second: Option<f64>,
    /// Facts per second of each terminal that runs.
    pub facts_per_second_each: Option<f64>,
    /// Minutes between two facts of a crew, by the clock: in a rehearsal at 60 times speed they are seconds.
    pub minutes_per_fact: Option<f64>,
    /// The terminals start spread over that many real seconds.
    pub start_seconds: f64,
}

/// What crews do. Shares are between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crew {
    /// Share of pickups that are not collected, with a reason.
    pub not_collected: f64,
    /// Share of pickups of several items that are collected in part.
    pub partly: f64,
    /// Share of refusals that carry a note.
    pub note: f64,
    /// Share of taps that take something back.
    pub undo: f64,
    /// Whether a crew with nothing open goes on by taking back and recording anew.
    pub again: bool,
}

/// Turns of terminals on fewer places.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// How many run at the same time.
    pub live: usize,
    /// Facts of one turn, after which the terminal is switched off.
    pub facts: u64,
    /// Share of turns that end with entries unsent; they go with a later turn.
    #[serde(default)]
    pub leave_unsent: f64,
}

/// Every terminal loses its line now and then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outages {
    /// How often an hour, each.
    pub each_hour: f64,
    /// For how long, from least to most.
    pub seconds: [f64; 2],
    /// Share of outages in which the connection stands and carries nothing, instead of being cut.
    #[serde(default)]
    pub silent: f64,
}

/// Some terminals lose their lines at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Seconds from the start of the fleet.
    pub from: f64,
    /// Seconds from the start of the fleet.
    pub until: f64,
    /// Which share of the terminals.
    pub share: f64,
}

/// Terminals are dropped without warning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kills {
    /// How often an hour, each.
    pub each_hour: f64,
    /// How long it stays off, from least to most.
    pub down_seconds: [f64; 2],
}

/// When the crews stop. Whichever comes first; where nothing is said, when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// Facts of all together.
    pub facts: Option<u64>,
    /// Minutes, real ones.
    pub minutes: Option<f64>,
    /// When no terminal has an open pickup left on the list it holds.
    pub lists_done: bool,
    /// How many seconds what is written then may take to arrive.
    pub settle_seconds: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "fleet".to_owned(),
            seed: 1,
            terminals: None,
            stores: PathBuf::from("fleet-stores"),
            clock: None,
            writers: 16,
            pace: Pace::default(),
            crew: Crew::default(),
            turns: None,
            outages: None,
            window: Vec::new(),
            kills: None,
            delay_ms: [0, 0],
            stop: Stop::default(),
            timers: None,
        }
    }
}

impl Default for Crew {
    fn default() -> Self {
        Self { not_collected: 0.08, partly: 0.05, note: 0.1, undo: 0.03, again: true }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self { facts: None, minutes: None, lists_done: false, settle_seconds: 300.0 }
    }
}

impl Scenario {
    /// Reads and checks a scenario. Relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// When the file can't be read, has an unknown field or a value outside its bounds.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("can't read the scenario {}", path.display()))?;
        let mut scenario = Self::parse(&text).with_context(|| format!("the scenario {}", path.display()))?;
        if let Some(folder) = path.parent() {
            scenario.stores = folder.join(&scenario.stores);
            scenario.clock = scenario.clock.map(|clock| folder.join(clock));
        }
        Ok(scenario)
    }

    /// Reads a scenario from text.
    ///
    /// # Errors
    /// As [`Scenario::read`].
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Checks what the shape alone does not.
    ///
    /// # Errors
    /// Names the field that can't be so.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.terminals != Some(0), "terminals: is 0, expected at least 1");
        ensure!((1..=512).contains(&self.writers), "writers: is {}, expected 1 to 512", self.writers);
        let Pace { facts_per_second, facts_per_second_each, minutes_per_fact, start_seconds } = self.pace;
        let said = [facts_per_second, facts_per_second_each, minutes_per_fact];
        match said.into_iter().flatten().collect::<Vec<_>>()[..] {
            [pace] => within("pace", pace, 1e-6, 1e6)?,
            _ => {
                bail!("pace: say exactly one of facts_per_second, facts_per_second_each and minutes_per_fact")
            }
        }
        within("pace.start_seconds", start_seconds, 0.0, 86_400.0)?;
        let Crew { not_collected, partly, note, undo, .. } = self.crew;
        for (name, share) in
            [("not_collected", not_collected), ("partly", partly), ("note", note), ("undo", undo)]
        {
            within(&format!("crew.{name}"), share, 0.0, 1.0)?;
        }
        if let Some(turns) = self.turns {
            ensure!(turns.live > 0, "turns.live: is 0, expected at least 1");
            ensure!(turns.facts > 0, "turns.facts: is 0, expected at least 1");
            within("turns.leave_unsent", turns.leave_unsent, 0.0, 1.0)?;
            ensure!(
                !self.stop.lists_done,
                "stop.lists_done: goes with terminals that all run, not with turns"
            );
        }
        if let Some(outages) = self.outages {
            within("outages.each_hour", outages.each_hour, 1e-3, 36_000.0)?;
            span("outages.seconds", outages.seconds)?;
            within("outages.silent", outages.silent, 0.0, 1.0)?;
        }
        for window in &self.window {
            span("window.from, window.until", [window.from, window.until])?;
            within("window.share", window.share, 0.0, 1.0)?;
        }
        if let Some(kills) = self.kills {
            within("kills.each_hour", kills.each_hour, 1e-3, 36_000.0)?;
            span("kills.down_seconds", kills.down_seconds)?;
        }
        span("delay_ms", self.delay_ms.map(f64::from))?;
        if let Some(minutes) = self.stop.minutes {
            within("stop.minutes", minutes, 1e-3, 100_000.0)?;
        }
        within("stop.settle_seconds", self.stop.settle_seconds, 1.0, 86_400.0)
    }

    /// Whether terminals reach the broker over lines of the fleet's own, which can be broken.
    #[must_use]
    pub fn breaks_lines(&self) -> bool {
        self.outages.is_some() || !self.window.is_empty() || self.delay_ms[1] > 0
    }
}

fn within(field: &str, value: f64, least: f64, most: f64) -> anyhow::Result<()> {
    ensure!((least..=most).contains(&value), "{field}: is {value}, expected {least} to {most}");
    Ok(())
}

fn span(field: &str, [least, most]: [f64; 2]) -> anyhow::Result<()> {
    within(field, least, 0.0, 1e7)?;
    within(field, most, 0.0, 1e7)?;
    ensure!(least <= most, "{field}: from {least} to {most} is no span, expected the smaller number first");
    Ok(())
}

/// Seconds as a duration; a scenario's bounds keep them in range.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn error(text: &str) -> String {
        format!("{:#}", Scenario::parse(text).unwrap_err())
    }

    #[test]
    fn what_it_prints_reads_back() {
        let mut scenario = Scenario::default();
        scenario.pace.facts_per_second = Some(5.0);
        scenario.window.push(Window { from: 1.0, until: 2.0, share: 0.5 });
        scenario.kills = Some(Kills { each_hour: 1.0, down_seconds: [0.0, 3.0] });
        assert_eq!(Scenario::parse(&toml::to_string(&scenario).unwrap()).unwrap(), scenario);
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let unknown = error("seed = 1\ncolour = 2\n[pace]\nfacts_per_second = 1\n");
        assert!(unknown.contains("line 2") && unknown.contains("colour"), "{unknown}");
        let unknown = error("[pace]\nfacts_per_second = 1\n[kills]\neach_hour = 1\nsoftly = true\n");
        assert!(unknown.contains("line 5") && unknown.contains("softly"), "{unknown}");
        let pace = error("seed = 1\n");
        assert!(pace.starts_with("pace: say exactly one of"), "{pace}");
        let pace = error("[pace]\nfacts_per_second = 1\nminutes_per_fact = 1\n");
        assert!(pace.starts_with("pace: say exactly one of"), "{pace}");
        let with = |text: &str| error(&format!("{text}\n[pace]\nfacts_per_second = 1\n"));
        for (text, field) in [
            ("terminals = 0", "terminals: is 0"),
            ("crew = { undo = 1.5 }", "crew.undo: is 1.5, expected 0 to 1"),
            ("outages = { each_hour = 1, seconds = [9, 3] }", "outages.seconds: from 9 to 3 is no span"),
            ("delay_ms = [9, 3]", "delay_ms: from 9 to 3 is no span"),
            ("turns = { live = 0, facts = 1 }", "turns.live: is 0"),
            ("stop = { lists_done = true }\nturns = { live = 1, facts = 1 }", "stop.lists_done: goes with"),
        ] {
            let said = with(text);
            assert!(said.starts_with(field), "{text}: {said}");
        }
    }
}
