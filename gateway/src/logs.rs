//! The log: to standard error, for people or as JSON, of this program's own words only.

use std::io::{self, Write};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Starts the log. Libraries are heard from warnings up, those that see messages not at all: their
/// words may hold residents' data.
pub fn start(log: &Log) {
    let level = log.level.parse().unwrap_or(LevelFilter::INFO);
    let targets = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("meguri_gateway", level)
        .with_target("meguri_config", level)
        .with_target("rmqtt", LevelFilter::OFF)
        .with_target("rmqtt_net", LevelFilter::OFF)
        .with_target("rmqtt_codec", LevelFilter::OFF)
        .with_target("rumqttc", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer().with_writer(|| OneLine(io::stderr()));
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A second start, in a test, keeps the first one's log.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}

/// Keeps each entry on a line of its own: what comes from outside could hold line ends, to look like entries, or marks that a terminal obeys.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// Takes one entry, as the layer hands them over.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let (text, end) = entry.strip_suffix(b"\n").map_or((entry, false), |text| (text, true));
        // Of UTF-8, the bytes below 0x20 and 0x7f are those characters and no part of another one.
        if !text.iter().any(u8::is_ascii_control) {
            self.0.write_all(entry)?;
            return Ok(entry.len());
        }
        let mut line = Vec::with_capacity(entry.len() + 16);
        for byte in text {
            if byte.is_ascii_control() { write!(line, "\\x{byte:02x}")? } else { line.push(*byte) }
        }
        if end {
            line.push(b'\n');
        }
        self.0.write_all(&line)?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// However something is logged, it makes no entry of its own.
    #[test]
    fn an_entry_is_a_line() {
        let evil = "a\n2026-04-01T00:00:00Z ERROR meguri_gateway: made up\r\u{1b}[2J\u{7f}終";
        for json in [false, true] {
            let kept = Kept::default();
            let to = kept.clone();
            let lines = tracing_subscriber::fmt::layer().with_writer(move || OneLine(to.clone()));
            let lines = if json { lines.json().boxed() } else { lines.with_ansi(false).boxed() };
            tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
                tracing::info!(shown = %evil, told = ?evil, text = evil, "{evil}");
                tracing::info!("next");
            });
            let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert_eq!(log.lines().count(), 2, "{log}");
            assert!(!log.trim_end().chars().any(|c| c.is_control() && c != '\n'), "{log:?}");
            assert!(log.contains("made up") && log.contains('終'), "{log}");
        }
    }
}
