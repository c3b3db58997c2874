//! The clock: whether it can be right, by what else tells the time.

use std::process::Command;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::{Finding, Scope};
use crate::store::sql;

/// A clock may be that much behind the newest entry, as where it was put right a little.
const SLACK: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn clock(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    // A rehearsal has its own time, and that it runs is told already.
    if scope.settings.as_ref().is_ok_and(|settings| settings.rehearsal.is_some()) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let wrong = |finding: Finding| {
        finding.todo(
            "時計を合わせ、NTP（systemd-timesyncd や chrony）を動かしてください",
            "put the clock right, and have it kept right by NTP (systemd-timesyncd or chrony)",
        )
    };
    let mut ahead = |what: (&str, &str), at: Timestamp| {
        if scope.now.saturating_add(SLACK).is_ok_and(|now| now < at) {
            found.push(wrong(Finding::error(
                format!("時計（{:.0}）が{}（{at:.0}）より遅れています", scope.now, what.0),
                format!("the clock says {:.0}, which is before {} ({at:.0})", scope.now, what.1),
            )));
        }
    };
    if let Some(store) = scope.store() {
        // The newest by commit order of each log, which its primary key finds.
        let newest =
            "SELECT max(received_at) FROM log JOIN entry ON entry.log = log.id AND entry.seq = log.held";
        let newest = store.query_row(newest, [], |row| row.get::<_, Option<i64>>(0));
        if let Some(ms) = newest.context("the store can't be read")? {
            ahead(("最後に受け取った記録", "the last entry was received"), sql::instant(ms));
        }
    }
    let program = std::env::current_exe().and_then(std::fs::metadata).and_then(|file| file.modified());
    if let Ok(at) = program.map_err(|_| ()).and_then(|at| Timestamp::try_from(at).map_err(|_| ())) {
        ahead(("このプログラム", "this program was installed"), at);
    }
    if is_synchronised() == Some(false) {
        found.push(wrong(Finding::warning(
            "時計は NTP で合わせられていません",
            "the clock is not kept right by NTP, as systemd says",
        )));
    }
    if found.is_empty() {
        found.push(Finding::ok(
            format!("時計は {:.0} です", scope.now),
            format!("the clock says {:.0}, which can be", scope.now),
        ));
    }
    Ok(found)
}

/// Whether systemd says that the clock is synchronised; none where it says nothing.
fn is_synchronised() -> Option<bool> {
    let output =
        Command::new("timedatectl").args(["show", "-p", "NTPSynchronized", "--value"]).output().ok()?;
    match output.stdout.as_slice() {
        b"yes\n" => Some(true),
        b"no\n" => Some(false),
        _ => None,
    }
}
