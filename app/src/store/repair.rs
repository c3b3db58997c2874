//! Repairs a store that is damaged: everything in it that can be read goes into a new file, and the old one is set
//! aside whole, below `set-aside`, and never deleted.
//!
//! A log of which nothing is missing goes on as it was. One that lacks anything goes on in a new epoch, as after a fork,
//! with the ids it had. Numbers of what is gone, and was not known to be held by the office, are left out at the
//! front of the new epoch: the office finds there what nobody has any more, records a hole, and tells a person.
//!
//! The new file is made beside the old one and takes its place in one step; one that is cut off is finished, or begun
//! anew, by whoever opens the store next.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use meguri_core::kept::NewEntry;
use meguri_proto::{
    CityId, Digest, DocumentName, Epoch, FactBody, FactId, LogKind, LogPublish, Message, TerminalId, TrackBody,
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

use super::sql::{Id, Number, digest, id, number};
use super::{APPLICATION, FILE, Store, StoreError, VERSION, connect, failed, lock, migrate, write};

/// Where set-aside stores lie in the data folder, one folder each.
pub const SET_ASIDE: &str = "set-aside";
/// A repaired store that is whole and has not taken its place yet: `repaired-STAMP.db`.
const REPAIRED: &str = "repaired-";
/// Not whole yet.
const PART: &str = "repair.part";
/// Beyond this many rows no terminal's table goes, however wrong its size is.
const ROWS: i64 = 5_000_000;

/// What a repair has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Where the old store is kept.
    pub set_aside: PathBuf,
    /// What became of each log.
    pub logs: Vec<LogRepaired>,
    /// Notes that could not be read any more; their entries are kept.
    pub notes_lost: u64,
    /// How many lists were carried over; the others come anew from the office.
    pub documents: u64,
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
pub fn repair(folder: &Path, city: &CityId, terminal: &TerminalId) -> Result<Option<Repaired>, StoreError> {
    let _lock = lock(folder)?;
    finish(folder)?;
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let found = Found::read(&path, &format!("{city}/{terminal}"))?;
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
    };
    let part = folder.join(PART);
    let wrong = |source| StoreError::Folder { path: part.clone(), source };
    // What an earlier repair that was cut off had written so far: a part of a copy.
    remove(&part).map_err(wrong)?;
    let written = found.write(&part, city, terminal);
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

/// An entry that can be read and has nothing against it.
struct Sound {
    seq: u64,
    id: FactId,
    digest: Digest,
    body: String,
    acked_at: Option<i64>,
    note: Option<(Digest, String)>,
}

/// A row of an entry, as far as it can be read.
struct Raw {
    id: Option<FactId>,
    digest: Option<Digest>,
    body: Option<String>,
    acked_at: Option<i64>,
}

/// What was found of a log.
#[derive(Default)]
struct FoundLog {
    /// Epoch, first number, digest before it, acknowledged number, moved number.
    row: Option<(Epoch, u64, Digest, u64, u64)>,
    entries: Vec<Sound>,
    /// Numbers that are missing or damaged.
    gone: Vec<u64>,
    /// Whether there may be entries behind the last one.
    unknown: bool,
    /// Whether anything about it is not as it was written.
    amiss: bool,
}

/// What can be read of a damaged store.
#[derive(Default)]
struct Found {
    office: Option<Uuid>,
    /// `time_sure`, `time`, `device`, as they stand.
    time: Option<(Option<i64>, Option<i64>, Option<i64>)>,
    logs: [FoundLog; 2],
    documents: Vec<(DocumentName, u64, Digest, Option<String>)>,
    notes_lost: u64,
    /// Whether nothing at all is wrong.
    sound: bool,
}

impl Found {
    fn log(&self, log: LogKind) -> &FoundLog {
        &self.logs[usize::from(log == LogKind::Track)]
    }

    /// Reads what can be read; changes nothing in the file.
    fn read(path: &Path, expected: &str) -> Result<Self, StoreError> {
        let unreadable = || {
            let log = || FoundLog { unknown: true, amiss: true, ..FoundLog::default() };
            Self { logs: [log(), log()], ..Self::default() }
        };
        let mut header = Vec::new();
        let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut header));
        read.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        if header.is_empty() {
            // A process killed at its first start leaves an empty file.
            return Ok(Self { sound: true, ..Self::default() });
        }
        // Read-only, but not `immutable`: what was committed may stand in the file beside it.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let Ok(old) = Connection::open_with_flags(path, flags) else { return Ok(unreadable()) };
        // A file that is shorter than it says is read as far as it goes.
        drop(old.pragma_update(None, "writable_schema", true));
        let pragma = |name| old.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).ok();
        match pragma("application_id") {
            None => return Ok(unreadable()),
            Some(APPLICATION) => {}
            Some(_) if tables(&old) == Some(0) => return Ok(unreadable()),
            Some(_) => return Err(StoreError::Foreign { path: path.to_owned() }),
        }
        if pragma("user_version").is_some_and(|version| version > VERSION) {
            return Err(StoreError::Newer { path: path.to_owned() });
        }
        let owner = old.query_row("SELECT city || '/' || terminal FROM terminal", [], |row| row.get(0));
        let owner: Option<String> = owner.ok();
        if let Some(found) = owner.clone().filter(|found| found != expected) {
            let expected = expected.to_owned();
            return Err(StoreError::OtherTerminal { path: path.to_owned(), found, expected });
        }
        let whole = old.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        let whole = whole.is_ok_and(|said| said == "ok");
        let mut found = Self {
            office: old.query_row("SELECT office FROM terminal", [], |row| id(row, 0)).ok(),
            time: old
                .query_row("SELECT time_sure, time, device FROM terminal", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .ok(),
            ..Self::default()
        };
        let (documents, documents_whole) = read_documents(&old);
        found.documents = documents;
        found.read_logs(&old, whole);
        let amiss = found.logs.iter().any(|log| log.amiss) || found.notes_lost > 0;
        found.sound = whole && !amiss && documents_whole && owner.is_some();
        Ok(found)
    }

    fn read_logs(&mut self, old: &Connection, whole: bool) {
        let mut rows: [BTreeMap<u64, Raw>; 2] = Default::default();
        let columns = "log, seq, id, digest, body, acked_at";
        let all = each_row(old, "entry", columns, |row| {
            let (log, seq) = named(row)?;
            let raw = Raw {
                id: id(row, 2).ok().map(FactId),
                digest: digest(row, 3).ok(),
                body: row.get(4).ok(),
                acked_at: row.get(5).unwrap_or_default(),
            };
            rows[usize::from(log == LogKind::Track)].insert(seq, raw);
            Some(())
        });
        let mut notes: [BTreeMap<u64, (Digest, String)>; 2] = Default::default();
        let notes_lost = each_row(old, "note", "log, seq, digest, text", |row| {
            let (log, seq) = named(row)?;
            let note: (Digest, String) = (digest(row, 2).ok()?, row.get(3).ok()?);
            LogPublish::check_note(&note.0, &note.1).ok()?;
            notes[usize::from(log == LogKind::Track)].insert(seq, note);
            Some(())
        });
        self.notes_lost = notes_lost.unread;
        for ((log, rows), mut notes) in LogKind::ALL.into_iter().zip(rows).zip(notes) {
            let row = old
                .query_row(
                    "SELECT epoch, first, before, acked, moved FROM log WHERE kind = ?1",
                    [log.as_str()],
                    |row| {
                        let (epoch, before) = (Epoch(id(row, 0)?), digest(row, 2)?);
                        Ok((epoch, number(row, 1)?, before, number(row, 3)?, number(row, 4)?))
                    },
                )
                .optional();
            let mut found = judge(log, row.as_ref().ok().copied().flatten(), rows);
            for entry in &mut found.entries {
                entry.note = notes.remove(&entry.seq);
            }
            // A row that can't be read says not which log's it is.
            found.unknown |= !whole && (all.unread > 0 || !all.whole) || row.is_err();
            found.amiss |= found.unknown || all.unread > 0 || !all.whole;
            self.logs[usize::from(log == LogKind::Track)] = found;
        }
    }

    /// Writes the new store, whole and flushed, as `part`.
    fn write(self, part: &Path, city: &CityId, terminal: &TerminalId) -> Result<(), StoreError> {
        let lock = File::options().create(true).append(true).open(part);
        let lock = lock.map_err(|source| StoreError::Folder { path: part.to_owned(), source })?;
        let mut connection = connect(part)?;
        migrate(&mut connection, part)?;
        let mut store = Store::new(connection, part.to_owned(), lock);
        store.own(city, terminal)?;
        let doing = failed("write the repaired store");
        let transaction = store.connection.transaction().map_err(&doing)?;
        if let Some(office) = self.office {
            transaction.execute("UPDATE terminal SET office = ?1", params![Id(office)]).map_err(&doing)?;
        }
        if let Some((sure, time, device)) = self.time {
            transaction
                .execute("UPDATE terminal SET time_sure = ?1, time = ?2, device = ?3", params![sure, time, device])
                .map_err(&doing)?;
        }
        for (name, version, digest, body) in &self.documents {
            transaction
                .execute(
                    "INSERT INTO document (name, version, digest, body) VALUES (?1, ?2, ?3, ?4)",
                    params![name.to_string(), Number(*version), digest.0, body],
                )
                .map_err(&doing)?;
        }
        for (log, found) in LogKind::ALL.into_iter().zip(self.logs) {
            found.write(&transaction, log)?;
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
    fn acked(&self) -> u64 {
        self.row.map_or(0, |(.., acked, _)| acked)
    }

    /// How many numbers the new epoch leaves out at its front.
    fn hole(&self) -> u64 {
        let lost = self.gone.iter().filter(|seq| **seq > self.acked()).count() as u64;
        if self.unknown { lost.max(1) } else { lost }
    }

    /// Whether it must go on under new numbers.
    fn broken(&self) -> bool {
        self.unknown || !self.gone.is_empty() || self.row.is_none() && !self.entries.is_empty()
    }

    fn told(&self, log: LogKind) -> LogRepaired {
        let lost = self.gone.iter().filter(|seq| **seq > self.acked()).count() as u64;
        LogRepaired {
            log,
            carried: self.entries.len() as u64,
            held: self.gone.len() as u64 - lost,
            lost,
            unknown: self.unknown,
            new_epoch: self.broken(),
        }
    }

    fn write(self, transaction: &rusqlite::Transaction, log: LogKind) -> Result<(), StoreError> {
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
            write::append(transaction, log, &new).map_err(&doing)?;
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

/// Which entries of a log are as they were written: their digests chain them to each other. One that was read and has
/// nothing against it counts, too: its neighbour may be what is lost.
fn judge(log: LogKind, row: Option<(Epoch, u64, Digest, u64, u64)>, mut rows: BTreeMap<u64, Raw>) -> FoundLog {
    let mut found = FoundLog { row, ..FoundLog::default() };
    let ends = (rows.keys().next().copied(), rows.keys().next_back().copied());
    let (first, mut prev) = match row {
        Some((_, first, before, ..)) => (first, Some(before)),
        None => (ends.0.unwrap_or(1), None),
    };
    if rows.range(..first).next().is_some() {
        // They lie before the first one kept.
        rows = rows.split_off(&first);
        found.amiss = true;
    }
    let head = ends.1.unwrap_or(0).max(found.acked());
    // A damaged number may lie anywhere; no log has such gaps.
    let head = head.min(first.saturating_add(rows.len() as u64 * 2 + 100_000));
    for seq in first..=head {
        let next = rows.get(&(seq + 1)).and_then(|next| Some((next.digest?, next.body.clone()?)));
        let links = |digest: Digest| {
            next.as_ref().is_some_and(|(of_next, body)| digest.then(body.as_bytes()) == *of_next)
        };
        let raw = rows.remove(&seq);
        let (stored, acked_at) = raw.as_ref().map_or((None, None), |raw| (raw.digest, raw.acked_at));
        let sound = raw.and_then(|raw| {
            let (id, body) = (raw.id?, raw.body?);
            let digest = match prev {
                Some(prev) => {
                    let digest = prev.then(body.as_bytes());
                    // Where the next one follows from it, only the digest beside it is damaged.
                    (raw.digest == Some(digest) || links(digest)).then_some(digest)?
                }
                None => raw.digest.filter(|_| readable(log, &body))?,
            };
            Some(Sound { seq, id, digest, body, acked_at, note: None })
        });
        found.amiss |= sound.as_ref().is_none_or(|sound| stored != Some(sound.digest));
        prev = sound.as_ref().map_or(stored, |sound| Some(sound.digest));
        match sound {
            Some(sound) => found.entries.push(sound),
            None => found.gone.push(seq),
        }
    }
    found.amiss |= found.broken() || ends.1.unwrap_or(0) < found.acked() && !found.gone.is_empty();
    found
}

fn readable(log: LogKind, body: &str) -> bool {
    match log {
        LogKind::Fact => FactBody::decode(body.as_bytes()).is_ok(),
        LogKind::Track => TrackBody::decode(body.as_bytes()).is_ok(),
    }
}

fn tables(old: &Connection) -> Option<i64> {
    old.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).ok()
}

/// Which log's row, and its number.
fn named(row: &Row) -> Option<(LogKind, u64)> {
    let log: String = row.get(0).ok()?;
    let log = LogKind::ALL.into_iter().find(|kind| kind.as_str() == log)?;
    Some((log, number(row, 1).ok()?))
}

/// How reading a table went.
struct Reading {
    /// Rows that are there and can't be read.
    unread: u64,
    /// Whether the table could be read to its end.
    whole: bool,
}

/// Reads a table row by row, so that a damaged one, or a damaged page, takes no other with it. `take` says whether it
/// could read one.
fn each_row(old: &Connection, table: &str, columns: &str, mut take: impl FnMut(&Row) -> Option<()>) -> Reading {
    let last = old.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0));
    let mut read = Reading { unread: 0, whole: last.is_ok() };
    // Without the last one: as many as the file could hold.
    let pages = old.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap_or(0);
    let last = last.map_or(pages.saturating_mul(64), Option::unwrap_or_default).min(ROWS);
    let Ok(mut statement) = old.prepare(&format!("SELECT {columns} FROM {table} WHERE rowid = ?1")) else {
        return Reading { unread: 0, whole: false };
    };
    for rowid in 1..=last {
        match statement.query_row([rowid], |row| Ok(take(row))) {
            Ok(Some(())) | Err(rusqlite::Error::QueryReturnedNoRows) => {}
            Ok(None) => read.unread += 1,
            Err(_) => (read.unread, read.whole) = (read.unread + 1, false),
        }
    }
    read
}

/// The documents that are as they came, and whether that is all of them.
fn read_documents(old: &Connection) -> (Vec<(DocumentName, u64, Digest, Option<String>)>, bool) {
    let mut documents = Vec::new();
    let read = each_row(old, "document", "name, version, digest, body", |row| {
        let name: DocumentName = row.get::<_, String>(0).ok()?.parse().ok()?;
        let (version, digest) = (number(row, 1).ok()?, digest(row, 2).ok()?);
        let body: Option<String> = row.get(3).ok()?;
        body.as_ref().is_none_or(|body| Digest::of(body.as_bytes()) == digest).then_some(())?;
        documents.push((name, version, digest, body));
        Some(())
    });
    (documents, read.whole && read.unread == 0)
}

#[cfg(test)]
mod tests;
