//! Reads what can be read of a damaged store, and judges which entries are as they were written. Changes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use meguri_core::kept::KeptConfig;
use meguri_proto::{Digest, DocumentName, Epoch, FactBody, FactId, LogKind, LogPublish, Message, TrackBody};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use uuid::Uuid;

use super::super::sql::{digest, id, number};
use super::super::write::{note_aad, read_config};
use super::super::{APPLICATION, StoreError, VERSION};
use super::LogRepaired;
use crate::vault::Vault;

/// Beyond this many rows no terminal's table goes, however wrong its size is.
const ROWS: i64 = 5_000_000;

/// Epoch, first number, digest before it, acknowledged number, moved number.
pub(super) type LogRow = (Epoch, u64, Digest, u64, u64);
/// Name, version, digest, and the body, in plain or sealed.
pub(super) type DocumentRow = (DocumentName, u64, Digest, Option<String>, Option<Vec<u8>>);

/// An entry that can be read and has nothing against it.
pub(super) struct Sound {
    pub(super) seq: u64,
    pub(super) id: FactId,
    pub(super) digest: Digest,
    pub(super) body: String,
    pub(super) acked_at: Option<i64>,
    pub(super) note: Option<(Digest, String)>,
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
pub(super) struct FoundLog {
    pub(super) row: Option<LogRow>,
    pub(super) entries: Vec<Sound>,
    /// Numbers that are missing or damaged.
    pub(super) gone: Vec<u64>,
    /// Whether there may be entries behind the last one.
    pub(super) unknown: bool,
    /// Whether anything about it is not as it was written.
    pub(super) amiss: bool,
}

/// What can be read of a damaged store.
#[derive(Default)]
pub(super) struct Found {
    pub(super) office: Option<Uuid>,
    /// `time_sure`, `time`, `device`, as they stand.
    pub(super) time: Option<(Option<i64>, Option<i64>, Option<i64>)>,
    pub(super) logs: [FoundLog; 2],
    pub(super) documents: Vec<DocumentRow>,
    pub(super) notes_lost: u64,
    /// Members and how many of their PINs were wrong, as they stand.
    pub(super) pins_wrong: Vec<(String, u32)>,
    /// Where the configurations have come to, where it can be read.
    pub(super) config: Option<KeptConfig>,
    /// Whether nothing at all is wrong.
    pub(super) sound: bool,
}

impl Found {
    pub(super) fn log(&self, log: LogKind) -> &FoundLog {
        &self.logs[usize::from(log == LogKind::Track)]
    }

    /// Reads what can be read, sealed notes by the keys of `vault`; changes nothing in the file.
    pub(super) fn read(path: &Path, expected: &str, vault: &Vault) -> Result<Self, StoreError> {
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
        each_row(&old, "pin_wrong", "member, count", |row| {
            found.pins_wrong.push((row.get(0).ok()?, row.get(1).ok()?));
            Some(())
        });
        let configured = pragma("user_version").is_none_or(|version| version >= 4);
        let config = if configured { read_config(&old) } else { Ok(None) };
        let config_whole = config.is_ok();
        found.config = config.ok().flatten();
        // Before, nothing was sealed.
        let seals = pragma("user_version").is_none_or(|version| version >= 3);
        let sealed = if seals { "sealed" } else { "NULL" };
        let (documents, documents_whole) = read_documents(&old, sealed);
        found.documents = documents;
        if !config_whole {
            // What the office signed comes again, and is judged anew.
            found.documents.retain(|(name, ..)| !matches!(name, DocumentName::Keys | DocumentName::Config));
        }
        found.read_logs(&old, whole, sealed, vault);
        let amiss = found.logs.iter().any(|log| log.amiss) || found.notes_lost > 0;
        found.sound = whole && !amiss && documents_whole && config_whole && owner.is_some();
        Ok(found)
    }

    fn read_logs(&mut self, old: &Connection, whole: bool, sealed: &str, vault: &Vault) {
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
        let notes_lost = each_row(old, "note", &format!("log, seq, digest, text, {sealed}"), |row| {
            let (log, seq) = named(row)?;
            let digest = digest(row, 2).ok()?;
            let text = match row.get::<_, Option<Vec<u8>>>(4).ok()? {
                Some(sealed) => String::from_utf8(vault.read(&note_aad(&digest), &sealed).ok()?).ok()?,
                None => row.get(3).ok()?,
            };
            let note: (Digest, String) = (digest, text);
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
}

impl FoundLog {
    fn acked(&self) -> u64 {
        self.row.map_or(0, |(.., acked, _)| acked)
    }

    /// How many numbers the new epoch leaves out at its front.
    pub(super) fn hole(&self) -> u64 {
        let lost = self.gone.iter().filter(|seq| **seq > self.acked()).count() as u64;
        if self.unknown { lost.max(1) } else { lost }
    }

    /// Whether it must go on under new numbers.
    pub(super) fn broken(&self) -> bool {
        self.unknown || !self.gone.is_empty() || self.row.is_none() && !self.entries.is_empty()
    }

    pub(super) fn told(&self, log: LogKind) -> LogRepaired {
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
}

/// Which entries of a log are as they were written: their digests chain them to each other. One that was read and has
/// nothing against it counts, too: its neighbour may be what is lost.
fn judge(log: LogKind, row: Option<LogRow>, mut rows: BTreeMap<u64, Raw>) -> FoundLog {
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
fn each_row(
    old: &Connection,
    table: &str,
    columns: &str,
    mut take: impl FnMut(&Row) -> Option<()>,
) -> Reading {
    let last =
        old.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0));
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
fn read_documents(old: &Connection, sealed: &str) -> (Vec<DocumentRow>, bool) {
    let mut documents = Vec::new();
    let read = each_row(old, "document", &format!("name, version, digest, body, {sealed}"), |row| {
        let name: DocumentName = row.get::<_, String>(0).ok()?.parse().ok()?;
        let (version, digest) = (number(row, 1).ok()?, digest(row, 2).ok()?);
        let body: Option<String> = row.get(3).ok()?;
        body.as_ref().is_none_or(|body| Digest::of(body.as_bytes()) == digest).then_some(())?;
        // Whether what is sealed is as it was shows when it is opened.
        documents.push((name, version, digest, body, row.get(4).ok()?));
        Some(())
    });
    (documents, read.whole && read.unread == 0)
}
