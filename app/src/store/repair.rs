//! Repairs a store that is damaged: everything in it that can be read goes into a new file, and the old one is set
//! aside whole, below `set-aside`, and never deleted.
//!
//! A log of which nothing is missing goes on as it was. One that lacks anything goes on in a new epoch, as after a fork,
//! with the ids it had. Numbers of what is gone, and was not known to be held by the office, are left out at the
//! front of the new epoch: the office finds there what nobody has any more, records a hole, and tells a person.
//!
//! The new file is made beside the old one and takes its place in one step; one that is cut off is finished, or begun
//! anew, by whoever opens the store next.

mod found;

use std::fs::File;
use std::path::{Path, PathBuf};

use meguri_core::kept::NewEntry;
use meguri_proto::{CityId, Digest, Epoch, LogKind, TerminalId};
use rusqlite::params;
use serde::Serialize;
use uuid::Uuid;

use self::found::{Found, FoundLog, Sound};
use super::sql::{Id, Number};
use super::{FILE, Store, StoreError, connect, failed, lock, migrate, write};
use crate::vault::Vault;

/// Where set-aside stores lie in the data folder, one folder each.
pub const SET_ASIDE: &str = "set-aside";
/// A repaired store that is whole and has not taken its place yet: `repaired-STAMP.db`.
const REPAIRED: &str = "repaired-";
/// Not whole yet.
const PART: &str = "repair.part";

/// What a repair has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Where the old store is kept.
    pub set_aside: PathBuf,
    /// What became of each log.
    pub logs: Vec<LogRepaired>,
    /// Notes that could not be read any more; their entries are kept.
    pub notes_lost: u64,
    /// How many documents were carried over; the others come anew from the office.
    pub documents: u64,
    /// The version of the configuration that was carried over; none where there was none, or it could not be read. Then the
    /// terminal is what its own file says until the office's comes anew.
    pub configuration: Option<u64>,
}

/// What became of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRepaired {
    /// Which log.
    pub log: LogKind,
    /// Entries carried over.
    pub carried: u64,
    /// Entries set aside that the office holds.
    pub held: u64,
    /// Entries set aside that the office may not hold. Somebody must ask the crew what they were.
    pub lost: u64,
    /// Whether there may be more than these: the end of the log could not be read.
    pub unknown: bool,
    /// Whether the log goes on in a new epoch.
    pub new_epoch: bool,
}

/// Repairs the store in `folder`. Says what it did; none where nothing was wrong, and then nothing was touched.
///
/// # Errors
/// When another process has it open, when the file is another program's, another terminal's or a newer program's, or
/// when the new file can't be written. The old one is where it was then.
pub fn repair(
    folder: &Path,
    city: &CityId,
    terminal: &TerminalId,
    secret: Option<&Path>,
) -> Result<Option<Repaired>, StoreError> {
    let _lock = lock(folder)?;
    finish(folder)?;
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let vault = Vault::open(folder, secret)?;
    let found = Found::read(&path, &format!("{city}/{terminal}"), &vault)?;
    if found.sound {
        return Ok(None);
    }
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let set_aside = folder.join(SET_ASIDE);
    let mut names = (1..).map(|n| if n == 1 { stamp.clone() } else { format!("{stamp}-{n}") });
    let stamp = names.find(|name| !set_aside.join(name).exists()).unwrap_or(stamp);
    let repaired = Repaired {
        set_aside: set_aside.join(&stamp),
        logs: LogKind::ALL.iter().map(|log| found.log(*log).told(*log)).collect(),
        notes_lost: found.notes_lost,
        documents: found.documents.len() as u64,
        configuration: found.config.as_ref().map(|config| config.version),
    };
    let part = folder.join(PART);
    let wrong = |source| StoreError::Folder { path: part.clone(), source };
    // What an earlier repair that was cut off had written so far: a part of a copy.
    remove(&part).map_err(wrong)?;
    let written = found.write(&part, city, terminal, vault);
    if written.is_err() {
        // The disk may be full; the first error is what counts.
        drop(remove(&part));
    }
    written?;
    let ready = folder.join(format!("{REPAIRED}{stamp}.db"));
    std::fs::rename(&part, &ready).and_then(|()| sync(folder)).map_err(wrong)?;
    finish(folder)?;
    Ok(Some(repaired))
}

/// What a repair did, as one object of JSON.
#[must_use]
pub fn report(repaired: Option<&Repaired>) -> serde_json::Value {
    match repaired {
        None => serde_json::json!({ "ok": "sound" }),
        Some(repaired) => serde_json::json!({ "ok": "repaired", "repaired": repaired }),
    }
}

/// Puts a repaired store that is whole in the place of the old one. Does nothing where there is none.
pub(super) fn finish(folder: &Path) -> Result<(), StoreError> {
    let wrong = |source| StoreError::Folder { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name();
        let stamp = name.to_str().and_then(|name| name.strip_prefix(REPAIRED)?.strip_suffix(".db"));
        if let Some(stamp) = stamp {
            take_place(folder, stamp, &entry.path()).map_err(wrong)?;
        }
    }
    Ok(())
}

fn take_place(folder: &Path, stamp: &str, repaired: &Path) -> std::io::Result<()> {
    let set_aside = folder.join(SET_ASIDE);
    let kept = set_aside.join(stamp);
    super::make_folder(&kept)?;
    for suffix in ["-wal", "-shm", ""] {
        let name = format!("{FILE}{suffix}");
        match std::fs::rename(folder.join(&name), kept.join(&name)) {
            // It was moved before this was cut off, or never was there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    sync(&kept)?;
    sync(&set_aside)?;
    sync(folder)?;
    std::fs::rename(repaired, folder.join(FILE))?;
    sync(folder)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file that this module was writing, with what SQLite keeps beside it.
fn remove(part: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = part.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    Ok(())
}

impl Found {
    /// Writes the new store, whole and flushed, as `part`.
    fn write(
        self,
        part: &Path,
        city: &CityId,
        terminal: &TerminalId,
        vault: Vault,
    ) -> Result<(), StoreError> {
        let lock = File::options().create(true).append(true).open(part);
        let lock = lock.map_err(|source| StoreError::Folder { path: part.to_owned(), source })?;
        let mut connection = connect(part)?;
        migrate(&mut connection, part)?;
        let mut store = Store::new(connection, vault, part.to_owned(), lock);
        store.own(city, terminal)?;
        let doing = failed("write the repaired store");
        let transaction = store.connection.transaction().map_err(&doing)?;
        // Numbers left out at the front of a new epoch stand as acknowledged, and the office never acknowledged them. Told as
        // its own word, they would have it take its store for a restored copy.
        let left_out = self.logs.iter().any(|log| log.hole() > 0);
        if let Some(office) = self.office.filter(|_| !left_out) {
            transaction.execute("UPDATE terminal SET office = ?1", params![Id(office)]).map_err(&doing)?;
        }
        if let Some((sure, time, device)) = self.time {
            transaction
                .execute(
                    "UPDATE terminal SET time_sure = ?1, time = ?2, device = ?3",
                    params![sure, time, device],
                )
                .map_err(&doing)?;
        }
        for wrong in &self.pins_wrong {
            transaction
                .execute("INSERT INTO pin_wrong VALUES (?1, ?2)", params![wrong.0, wrong.1])
                .map_err(&doing)?;
        }
        if let Some(config) = &self.config {
            write::configure(&transaction, config)?;
        }
        for (name, version, digest, body, sealed) in &self.documents {
            transaction
                .execute(
                    "INSERT INTO document (name, version, digest, body, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![name.to_string(), Number(*version), digest.0, body, sealed],
                )
                .map_err(&doing)?;
        }
        for (log, found) in LogKind::ALL.into_iter().zip(self.logs) {
            found.write(&transaction, &mut store.vault, log)?;
        }
        transaction.commit().map_err(&doing)?;
        // One file, with nothing beside it, so that it can take its place in one step.
        store.connection.pragma_update(None, "journal_mode", "DELETE").map_err(&doing)?;
        store.connection.close().map_err(|(_, source)| doing(source))?;
        let synced = File::open(part).and_then(|file| file.sync_all());
        synced.map_err(|source| StoreError::Folder { path: part.to_owned(), source })
    }
}

impl FoundLog {
    fn write(
        self,
        transaction: &rusqlite::Transaction,
        vault: &mut Vault,
        log: LogKind,
    ) -> Result<(), StoreError> {
        let doing = failed("write the repaired log");
        let (hole, broken) = (self.hole(), self.broken());
        let (epoch, first, before, acked, moved) = match self.row {
            Some(row) if !broken => row,
            _ if !broken => return Ok(()),
            row => {
                // Nobody has what stood there; the digest only ties the new epoch to the old one.
                let old = row.map(|(epoch, ..)| epoch.0).unwrap_or_default();
                let before = if hole == 0 { Digest::ZERO } else { Digest::of(old.as_bytes()) };
                let moved = hole + self.entries.len() as u64;
                (Epoch(Uuid::new_v4()), hole + 1, before, hole, moved)
            }
        };
        transaction
            .execute(
                "INSERT INTO log (kind, epoch, first, before, acked, moved) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![log.as_str(), Id(epoch.0), Number(first), before.0, Number(acked), Number(moved)],
            )
            .map_err(&doing)?;
        let mut last = before;
        for (seq, entry) in (first..).zip(self.entries) {
            last = last.then(entry.body.as_bytes());
            let Sound { id, body, note, acked_at, .. } = entry;
            let new = NewEntry { seq, id, digest: last, body, note };
            write::append(transaction, vault, log, &new)?;
            if !broken && acked_at.is_some() {
                transaction
                    .execute(
                        "UPDATE entry SET acked_at = ?3 WHERE log = ?1 AND seq = ?2",
                        params![log.as_str(), Number(seq), acked_at],
                    )
                    .map_err(&doing)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
