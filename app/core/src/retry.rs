//! How long to wait before connecting again.

use std::time::Duration;

use crate::moment::Now;

/// Doubles from `first` to `most`, with jitter, so that a city's terminals don't come back as one.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Retry {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// The wait now: half of the step up to the whole of it. The next step is twice as long.
    pub(crate) fn wait(&mut self, now: &mut Now) -> Duration {
        let step = self.next.min(self.most);
        self.next = (step * 2).min(self.most);
        now.between(step / 2, step)
    }

    /// The longest wait at once: after a refusal, or when another device has taken the session, so
    /// that both get some way.
    pub(crate) fn wait_long(&mut self, now: &mut Now) -> Duration {
        self.next = self.most;
        self.wait(now)
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long a session must have lasted to count as a good one.
    pub(crate) fn good_session(&self) -> Duration {
        (self.first * 10).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    fn now(seed: u8) -> Now {
        Now::new(Moment { device: jiff::Timestamp::UNIX_EPOCH, boot: Duration::ZERO, random: [seed; 32] })
    }

    #[test]
    fn doubles_with_jitter_and_never_passes_the_most() {
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut retry = Retry::new(first, most);
        for (round, step) in [1, 2, 4, 8, 16, 30, 30, 30].into_iter().enumerate() {
            let step = Duration::from_secs(step);
            let wait = retry.wait(&mut now(u8::try_from(round).unwrap_or(0)));
            assert!(wait >= step / 2 && wait <= step, "{round}: {wait:?}");
        }
        retry.reset();
        assert!(retry.wait(&mut now(1)) <= first);
        assert!(retry.wait_long(&mut now(1)) >= most / 2);
        assert_ne!(Retry::new(first, most).wait(&mut now(1)), Retry::new(first, most).wait(&mut now(2)));
    }
}
