//! What a fleet counts and measures while it runs.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Steps in one doubling of a duration: a figure is off by at most a twentieth.
const STEPS: u64 = 16;
/// From 1 µs in 40 doublings.
const CELLS: usize = 40 * STEPS as usize;

/// Durations, counted by their size.
pub(super) struct Histogram {
    cells: Vec<AtomicU64>,
    most: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(), most: AtomicU64::new(0) }
    }
}

/// What a histogram says, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Took {
    /// How many.
    pub count: u64,
    /// Half took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// None took longer.
    pub most_ms: f64,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.1} ms, p99 {:.1} ms", self.p50_ms, self.p99_ms)
    }
}

fn cell(micros: u64) -> usize {
    if micros < STEPS {
        return usize::try_from(micros).unwrap_or(0);
    }
    let doublings = u64::from(micros.ilog2()) - u64::from(STEPS.ilog2());
    let cell = (doublings + 1) * STEPS + (micros >> doublings) - STEPS;
    usize::try_from(cell).unwrap_or(CELLS).min(CELLS - 1)
}

/// The largest number of microseconds that a cell stands for.
fn upper(cell: usize) -> u64 {
    let cell = cell as u64;
    if cell < STEPS {
        return cell;
    }
    let doublings = cell / STEPS - 1;
    ((cell % STEPS + STEPS + 1) << doublings) - 1
}

impl Histogram {
    pub(super) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.cells[cell(micros)].fetch_add(1, Relaxed);
        self.most.fetch_max(micros, Relaxed);
    }

    pub(super) fn took(&self) -> Took {
        let cells: Vec<u64> = self.cells.iter().map(|cell| cell.load(Relaxed)).collect();
        let (count, most) = (cells.iter().sum::<u64>(), self.most.load(Relaxed));
        let at = |share: f64| {
            let rank = (count as f64 * share).ceil() as u64;
            let mut below = 0;
            let found = cells.iter().position(|cell| {
                below += cell;
                below >= rank.max(1)
            });
            found.map_or(0.0, |cell| upper(cell).min(most) as f64 / 1_000.0)
        };
        Took { count, p50_ms: at(0.5), p99_ms: at(0.99), most_ms: most as f64 / 1_000.0 }
    }

    fn clear(&self) {
        self.cells.iter().for_each(|cell| cell.store(0, Relaxed));
        self.most.store(0, Relaxed);
    }
}

/// Counters that all crews share.
pub(super) struct Figures {
    started: Instant,
    pub(super) terminals: AtomicU64,
    pub(super) live: AtomicI64,
    pub(super) connected: AtomicI64,
    pub(super) with_list: AtomicI64,
    pub(super) lists_open: AtomicI64,
    pub(super) facts: AtomicU64,
    /// Entries found in the stores at the start that the office did not hold.
    pub(super) waiting_before: AtomicU64,
    pub(super) waiting: AtomicI64,
    pub(super) refused: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) troubles: AtomicU64,
    pub(super) kills: AtomicU64,
    pub(super) outages: AtomicU64,
    pub(super) turns: AtomicU64,
    pub(super) to_durable: Histogram,
    pub(super) to_ack: Histogram,
    last_trouble: Mutex<Option<String>>,
}

/// How a fleet stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// Seconds since the start.
    pub seconds: f64,
    /// Terminals of the fleet.
    pub terminals: u64,
    /// Those that run now.
    pub live: i64,
    /// Those whose hello the office has answered on a connection that stands.
    pub connected: i64,
    /// Those that hold a list of the day.
    pub with_list: i64,
    /// Facts written by this run.
    pub facts: u64,
    /// Facts of this run, and of earlier ones found unsent, that the office has acknowledged.
    pub acked: u64,
    /// Facts that the office has not acknowledged.
    pub waiting: i64,
    /// Facts a second since the start.
    pub facts_per_second: f64,
    /// From the tap until it is on the terminal's disk.
    pub to_durable: Took,
    /// From the tap until the office's acknowledgement is known to the terminal; where a terminal was dropped meanwhile, not counted.
    pub to_ack: Took,
    /// Taps that the terminal turned down, as when a list changed under the finger.
    pub refused: u64,
    /// Taps that a dropped terminal left without an answer.
    pub unanswered: u64,
    /// Times a terminal could not write or start.
    pub troubles: u64,
    /// Terminals dropped.
    pub kills: u64,
    /// Lines lost on purpose.
    pub outages: u64,
    /// Turns taken, where terminals take turns.
    pub turns: u64,
    /// What the last trouble was.
    pub last_trouble: Option<String>,
}

impl Figures {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            terminals: AtomicU64::new(0),
            live: AtomicI64::new(0),
            connected: AtomicI64::new(0),
            with_list: AtomicI64::new(0),
            lists_open: AtomicI64::new(0),
            facts: AtomicU64::new(0),
            waiting_before: AtomicU64::new(0),
            waiting: AtomicI64::new(0),
            refused: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            outages: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            to_durable: Histogram::default(),
            to_ack: Histogram::default(),
            last_trouble: Mutex::default(),
        }
    }

    pub(super) fn trouble(&self, why: String) {
        self.troubles.fetch_add(1, Relaxed);
        *self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    pub(super) fn clear_times(&self) {
        self.to_durable.clear();
        self.to_ack.clear();
    }

    pub(super) fn stats(&self) -> Stats {
        let seconds = self.started.elapsed().as_secs_f64();
        let (facts, waiting) = (self.facts.load(Relaxed), self.waiting.load(Relaxed));
        let all = facts + self.waiting_before.load(Relaxed);
        Stats {
            seconds,
            terminals: self.terminals.load(Relaxed),
            live: self.live.load(Relaxed),
            connected: self.connected.load(Relaxed),
            with_list: self.with_list.load(Relaxed),
            facts,
            acked: all.saturating_sub(waiting.unsigned_abs()),
            waiting,
            facts_per_second: facts as f64 / seconds.max(1e-9),
            to_durable: self.to_durable.took(),
            to_ack: self.to_ack.took(),
            refused: self.refused.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            troubles: self.troubles.load(Relaxed),
            kills: self.kills.load(Relaxed),
            outages: self.outages.load(Relaxed),
            turns: self.turns.load(Relaxed),
            last_trouble: self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_close_to_what_was_measured() {
        let histogram = Histogram::default();
        assert_eq!(histogram.took(), Took::default());
        (1..=1_000).for_each(|ms| histogram.add(Duration::from_millis(ms)));
        let took = histogram.took();
        let close = |is: f64, should: f64| (is / should - 1.0).abs() < 0.07;
        assert!(close(took.p50_ms, 500.0) && close(took.p99_ms, 990.0), "{took:?}");
        assert_eq!((took.count, took.most_ms), (1_000, 1_000.0));
        for micros in [0, 1, 15, 16, 17, 31, 32, 1_000, 999_999, u64::MAX >> 24] {
            let cell = cell(micros);
            assert!(micros <= upper(cell) && (cell == 0 || micros > upper(cell - 1)), "{micros}");
        }
        // Longer than any cell is counted in the last.
        histogram.add(Duration::MAX);
        assert_eq!(histogram.took().count, 1_001);
    }
}
