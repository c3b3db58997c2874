//! The line to the office: connecting, hellos, and what stands unanswered on each log.

use std::collections::VecDeque;
use std::time::Duration;

use meguri_config::terminal::{Timers, seconds};
use meguri_proto::{LogKind, Nonce, limits};

use crate::kept::Log;
use crate::moment::Now;

/// After so many hellos without an answer the connection itself is not believed any more.
pub(crate) const HELLOS_UNANSWERED: u32 = 4;
/// How much longer than the broker is given to let it in a link may be at it before it is not believed any more.
const LINK_SILENT: Duration = Duration::from_secs(60);
/// Most bytes of entries in one publish, with room for its envelope below the wire's limit.
const PUBLISH_BYTES: usize = 200 * 1024;

/// Where the line stands.
#[derive(Debug)]
pub(crate) enum Line {
    /// Tries again at this time.
    Down { retry_at: Duration },
    /// The link is at it since this time.
    Connecting { since: Duration },
    /// Connected and subscribed.
    Open(Session),
}

/// When a link that has been connecting `since` then should long have reported, one way or the other.
pub(crate) fn link_due(since: Duration, timers: &Timers) -> Duration {
    since + seconds(timers.join) + LINK_SILENT
}

/// One connection, from subscribing until it is lost.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) opened: Duration,
    /// Of the hello that waits for its answer.
    pub(crate) nonce: Option<Nonce>,
    /// Hellos said since the last answer.
    pub(crate) unanswered: u32,
    /// Whether any hello was answered: nothing is sent before.
    pub(crate) answered: bool,
    /// Whether a hello is wanted.
    pub(crate) asked: bool,
    last_hello: Option<Duration>,
    next_hello: Duration,
    /// The silence that asks for a hello now; backs off.
    silence: Duration,
    windows: [Window; 2],
}

/// What was sent of a log in this session.
#[derive(Debug, Default)]
struct Window {
    /// All up to this number were sent or are held.
    sent: u64,
    /// The last number of each publish without an ack.
    unanswered: VecDeque<u64>,
    quiet_since: Duration,
    /// Nothing may be sent until the next answer: the store could not read an entry or write a fork.
    muted: bool,
}

impl Session {
    pub(crate) fn open(timers: &Timers, boot: Duration) -> Self {
        let quiet = || Window { quiet_since: boot, ..Window::default() };
        Self {
            opened: boot,
            nonce: None,
            unanswered: 0,
            answered: false,
            asked: true,
            last_hello: None,
            next_hello: boot,
            silence: seconds(timers.silence),
            windows: [quiet(), quiet()],
        }
    }

    fn window(&mut self, log: LogKind) -> &mut Window {
        &mut self.windows[usize::from(log == LogKind::Track)]
    }

    /// When the next hello is due.
    pub(crate) fn hello_due(&self, timers: &Timers, waiting: [bool; 2]) -> Duration {
        let Some(last) = self.last_hello else { return self.opened };
        let mut due = self.next_hello;
        if self.asked {
            // Asked once more while an answer is on its way, it may well be the answer to both.
            let pace = Duration::from_secs(if self.nonce.is_some() { 5 } else { 1 });
            due = due.min(last + pace.min(seconds(timers.silence)));
        }
        if self.nonce.is_some() {
            due = due.min(last + self.silence);
        }
        for (window, waits) in self.windows.iter().zip(waiting) {
            if (waits || window.muted) && self.answered {
                due = due.min(window.quiet_since.max(last) + self.silence);
            }
        }
        due
    }

    /// A hello is being said.
    pub(crate) fn said_hello(&mut self, nonce: Nonce, timers: &Timers, now: &mut Now) {
        if !self.asked && now.boot < self.next_hello {
            self.silence = (self.silence * 2).min(seconds(timers.silence_most));
        }
        self.unanswered = if self.nonce.is_some() { self.unanswered + 1 } else { 1 };
        self.nonce = Some(nonce);
        self.asked = false;
        self.last_hello = Some(now.boot);
        let hello = seconds(timers.hello);
        self.next_hello = now.boot + now.between(hello.mul_f64(0.9), hello.mul_f64(1.1));
    }

    /// The office has answered: whatever stood unanswered is decided, sending starts after what it holds.
    pub(crate) fn restart(&mut self, log: LogKind, acked: u64, boot: Duration) {
        *self.window(log) = Window { sent: acked, quiet_since: boot, ..Window::default() };
    }

    /// The office was heard to hold all up to `acked`.
    pub(crate) fn acked(&mut self, log: LogKind, acked: u64, timers: &Timers, boot: Duration) {
        self.calm(timers);
        let window = self.window(log);
        window.quiet_since = boot;
        window.sent = window.sent.max(acked);
        while window.unanswered.front().is_some_and(|last| *last <= acked) {
            window.unanswered.pop_front();
        }
    }

    /// All is well: silence counts from its first length again.
    pub(crate) fn calm(&mut self, timers: &Timers) {
        self.silence = seconds(timers.silence);
    }

    /// An entry was written to a log on which nothing waited: silence counts from now.
    pub(crate) fn wrote(&mut self, log: LogKind, boot: Duration) {
        self.window(log).quiet_since = boot;
    }

    pub(crate) fn mute(&mut self, log: LogKind) {
        self.window(log).muted = true;
    }

    /// The next entries to send, first and last; none where enough stands unanswered or all is sent.
    pub(crate) fn next_send(&mut self, kind: LogKind, log: &Log) -> Option<(u64, u64)> {
        let answered = self.answered;
        let window = self.window(kind);
        let first = window.sent.max(log.first - 1) + 1;
        let full = window.unanswered.len() >= limits::UNANSWERED_PUBLISHES;
        if !answered || window.muted || full || first > log.head() {
            return None;
        }
        let mut bytes = 0;
        let mut last = first - 1;
        while let Some(entry) = log.entry(last + 1) {
            bytes += entry.bytes;
            let count = last + 1 - first;
            if count > 0 && (bytes > PUBLISH_BYTES || count >= limits::PUBLISH_ENTRIES as u64) {
                break;
            }
            last += 1;
        }
        window.sent = last;
        window.unanswered.push_back(last);
        Some((first, last))
    }
}
