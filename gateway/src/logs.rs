//! The log: to standard error, for people or as JSON, of this program's own words only.

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
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // A second start, in a test, keeps the first one's log.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}
