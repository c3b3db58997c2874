//! Looks at the office again and again: asks the writer for a sign of life, looks at the disk, and tells the supervisor.

use std::sync::Arc;
use std::time::Duration;

use crate::systemd::Supervisor;
use crate::vitals::{Checks, HUNG, Health, Report};
use crate::writer::Writer;

/// How often, at most.
const EVERY: Duration = Duration::from_secs(5);

/// Watches until it is aborted. The supervisor's watchdog is fed only while the writer gives signs of life and this task
/// has its turns: a hung office is started anew.
pub async fn watch(writer: Writer, health: Health, supervisor: Arc<Supervisor>) {
    // Twice as often as is asked for, as systemd advises.
    let every = supervisor.watchdog().map_or(EVERY, |limit| (limit / 2).min(EVERY));
    let patience = supervisor.watchdog().map_or(HUNG, |limit| (limit / 2).min(HUNG));
    let mut told = String::new();
    let mut pinging = tokio::spawn({
        let writer = writer.clone();
        async move { writer.ping().await }
    });
    let mut looking = look(&health);
    loop {
        if pinging.is_finished() {
            let writer = writer.clone();
            pinging = tokio::spawn(async move { writer.ping().await });
        }
        if looking.is_finished() {
            looking = look(&health);
        }
        // A disk that hangs must not hang this, nor have look upon look wait for it.
        let _ = tokio::time::timeout(every, &mut looking).await;
        let report = health.report();
        if health.vitals.writer_silent() < patience && report.live {
            supervisor.tell("WATCHDOG=1");
        }
        let status = status(&report);
        if status != told {
            supervisor.tell(&format!("STATUS={status}"));
            if !report.checks.disk_room {
                tracing::error!(
                    free_bytes = health.vitals.free_bytes(),
                    "the disk is nearly full: make room, or the store can't be written soon"
                );
            }
            told = status;
        }
        tokio::time::sleep(every).await;
    }
}

/// Looks how much of the disk is free, off the async threads.
fn look(health: &Health) -> tokio::task::JoinHandle<()> {
    let disk = health.clone();
    tokio::task::spawn_blocking(move || disk.look_at_the_disk())
}

/// One line on how the office is.
#[must_use]
pub fn status(report: &Report) -> String {
    let troubles = troubles(&report.checks);
    if troubles.is_empty() { "ready".to_owned() } else { troubles.join("; ") }
}

/// What is wrong, and what to do about it.
#[must_use]
pub fn troubles(checks: &Checks) -> Vec<&'static str> {
    let Checks { store, writer, disk_speed, disk_room, broker, access, clock, running } = *checks;
    [
        (store, "the store can't be written: see the log, make room on the disk or mend it"),
        (writer, "the writer does not answer"),
        (disk_speed, "the disk is slow: confirmations come late"),
        (disk_room, "the disk is nearly full: make room"),
        (broker, "no line to the broker"),
        (access, "the broker does not know who may come in: see the log"),
        (clock, "the clock of this machine is in doubt: set it right, or say `clock right`"),
        (running, "stopping"),
    ]
    .into_iter()
    .filter_map(|(well, trouble)| (!well).then_some(trouble))
    .collect()
}
