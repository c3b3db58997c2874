//! The clocks of one running terminal: the device's, and one that never jumps.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use meguri_config::Clock;
use meguri_core::Moment;
use uuid::Uuid;

/// Sleeps are cut to this, so that a suspended device or another rehearsal's speed is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
const LONGEST_SLEEP_REHEARSED: Duration = Duration::from_millis(250);

/// Tells the core when it is.
#[derive(Debug)]
pub(crate) struct BootClock {
    clock: Clock,
    started: Instant,
    started_at: Timestamp,
    uptime: Option<Duration>,
    last: Duration,
}

impl BootClock {
    pub(crate) fn start(clock: Clock) -> Self {
        let started_at = clock.now();
        Self { clock, started: Instant::now(), started_at, uptime: uptime(), last: Duration::ZERO }
    }

    /// The moment now, with fresh randomness.
    pub(crate) fn moment(&mut self) -> Moment {
        Moment { device: self.clock.now(), boot: self.boot(), random: rand::random() }
    }

    /// Since the start: in a rehearsal by its clock, else by a clock that counts suspended time, too.
    fn boot(&mut self) -> Duration {
        let passed = if self.clock.rehearsed() {
            Duration::try_from(self.clock.now().duration_since(self.started_at)).unwrap_or_default()
        } else {
            let running = self.started.elapsed();
            let counted = uptime().zip(self.uptime).map_or(running, |(now, then)| now.saturating_sub(then));
            // The system counts uptime in hundredths only; a suspended device was away for longer.
            if counted.saturating_sub(running) > Duration::from_secs(1) { counted } else { running }
        };
        self.last = self.last.max(passed);
        self.last
    }

    /// How long to sleep until the boot clock shows `due`.
    pub(crate) fn until(&mut self, due: Duration) -> Duration {
        let left = due.saturating_sub(self.boot());
        if self.clock.rehearsed() {
            left.div_f64(self.clock.speed().max(0.001)).min(LONGEST_SLEEP_REHEARSED)
        } else {
            left.min(LONGEST_SLEEP)
        }
    }
}

/// Names this start of the device, where the system does.
pub(crate) fn device_start() -> Option<Uuid> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().parse().ok()
}

/// Since the device started, suspended time included, where the system says.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_runs_backwards_and_sleeps_are_bounded() {
        let mut clock = BootClock::start(Clock::system());
        let first = clock.moment();
        let second = clock.moment();
        assert!(second.boot >= first.boot);
        assert_ne!(first.random, second.random);
        assert_eq!(clock.until(Duration::ZERO), Duration::ZERO);
        assert_eq!(clock.until(Duration::from_secs(3_600)), LONGEST_SLEEP);
    }
}
