//! Reads at start what the store keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use meguri_core::kept::{Confirmed, Contents, Held, Kept, KeptConfig, KeptTime, Log, Meta};
use meguri_core::read_document;
use meguri_core::sign_in::Opened;
use meguri_proto::{CrewId, Digest, DocumentName, Epoch, FactId, Incarnation, LogKind, LogPublish};
use rusqlite::OptionalExtension;

use super::sql::{Id, digest, id, number};
use super::write::{document_aad, note_aad, read_config};
use super::{Store, StoreError, failed};
use crate::vault::Unreadable;

impl Store {
    pub(super) fn load(&self) -> Result<Kept, StoreError> {
        let (office, time) = self.load_terminal()?;
        Ok(Kept {
            fact: self.load_log(LogKind::Fact)?,
            track: self.load_log(LogKind::Track)?,
            documents: self.load_documents()?,
            office,
            time,
            config: self.config.clone(),
            pins_wrong: self.load_pins_wrong()?,
            sealed: self.vault.is_sealed(),
        })
    }

    fn damaged(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), problem: problem.into() }
    }

    fn load_terminal(&self) -> Result<(Option<Incarnation>, Option<KeptTime>), StoreError> {
        let (office, sure, time, device, date, said_in) = self
            .connection
            .query_row(
                "SELECT office, time_sure, time, device, confirmed_date, confirmed_in FROM terminal WHERE id = 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)),
            )
            .map_err(failed("read what is known of the office"))?;
        let at = |millis: i64| {
            Timestamp::from_millisecond(millis).map_err(|_| self.damaged("a time is out of range"))
        };
        let confirmed = match (date, said_in) {
            (Some(date), Some(said_in)) => {
                let (date, said_in): (String, Id) = (date, said_in);
                let date = date.parse().map_err(|_| self.damaged(format!("{date:?} is no date")))?;
                Some(Confirmed { date, device_start: said_in.0 })
            }
            _ => None,
        };
        let time = match (time, device) {
            (Some(time), Some(device)) => {
                let sure: Option<i64> = sure;
                let sure = sure.map(at).transpose()?;
                Some(KeptTime { sure, time: at(time)?, device: at(device)?, confirmed })
            }
            _ => None,
        };
        let office: Option<Id> = office;
        Ok((office.map(|office| Incarnation(office.0)), time))
    }

    pub(super) fn load_config(&self) -> Result<KeptConfig, StoreError> {
        read_config(&self.connection).map(Option::unwrap_or_default)
    }

    fn load_pins_wrong(&self) -> Result<BTreeMap<CrewId, u32>, StoreError> {
        let reading = failed("read how many PINs were wrong");
        let select = "SELECT member, count FROM pin_wrong WHERE count > 0";
        let mut statement = self.connection.prepare(select).map_err(&reading)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let mut wrong = BTreeMap::new();
        for row in rows.map_err(&reading)? {
            let (member, count) = row.map_err(&reading)?;
            let member = member.parse().map_err(|_| self.damaged(format!("{member:?} is no member")))?;
            wrong.insert(member, count);
        }
        Ok(wrong)
    }

    fn load_log(&self, kind: LogKind) -> Result<Option<Log>, StoreError> {
        let reading = failed("read the log");
        let found = self
            .connection
            .query_row(
                "SELECT epoch, first, before, acked, moved FROM log WHERE kind = ?1",
                [kind.as_str()],
                |row| {
                    Ok((
                        Epoch(id(row, 0)?),
                        number(row, 1)?,
                        digest(row, 2)?,
                        number(row, 3)?,
                        number(row, 4)?,
                    ))
                },
            )
            .optional()
            .map_err(&reading)?;
        let Some((epoch, first, before, acked, moved)) = found else { return Ok(None) };
        if first == 0 {
            return Err(self.damaged(format!("the {kind} log starts at 0")));
        }
        let mut log = Log { first, before, acked, moved, ..Log::new(epoch) };
        let mut statement = self
            .connection
            .prepare(
                "SELECT entry.seq, id, entry.digest, body, acked_at, note.digest, sealed FROM entry
                 LEFT JOIN note ON note.log = entry.log AND note.seq = entry.seq
                 WHERE entry.log = ?1 ORDER BY entry.seq",
            )
            .map_err(&reading)?;
        let mut rows = statement.query([kind.as_str()]).map_err(&reading)?;
        while let Some(row) = rows.next().map_err(&reading)? {
            let seq = number(row, 0).map_err(&reading)?;
            if seq != log.head() + 1 {
                return Err(self.damaged(format!("entry {} of the {kind} log is missing", log.head() + 1)));
            }
            // A body that can't be read stays in its place; it is found out when it is to be sent.
            let body: String = row.get(3).unwrap_or_default();
            // As well a note, without which the entry is sent.
            let note = self.note(row, 5);
            let id = FactId(id(row, 1).map_err(&reading)?);
            let digest = digest(row, 2).map_err(&reading)?;
            let acked_at: Option<i64> = row.get(4).map_err(&reading)?;
            let acked_at = acked_at.and_then(|millis| Timestamp::from_millisecond(millis).ok());
            log.push(Meta { acked_at, ..Meta::new(kind, id, digest, &body, note.as_deref()) });
        }
        if log.acked > log.head() {
            return Err(self.damaged(format!("the {kind} log ends before what the office holds")));
        }
        Ok(Some(log))
    }

    /// A note's text, where it is there and as it was written: its digest stands in this column, its sealed bytes in the next.
    pub(super) fn note(&self, row: &rusqlite::Row, column: usize) -> Option<String> {
        let digest = digest(row, column).ok()?;
        let sealed: Vec<u8> = row.get(column + 1).ok()?;
        let text = String::from_utf8(self.vault.read(&note_aad(&digest), &sealed).ok()?).ok()?;
        LogPublish::check_note(&digest, &text).is_ok().then_some(text)
    }

    /// What can be read of the documents by now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn opened(&self) -> Result<Opened, StoreError> {
        let documents = self.load_documents()?.into_iter();
        let read = documents.filter(|(_, held)| !matches!(held.contents, Contents::Sealed));
        Ok(read.map(|(name, held)| (name, held.contents)).collect())
    }

    pub(super) fn load_documents(&self) -> Result<BTreeMap<DocumentName, Held>, StoreError> {
        let reading = failed("read the documents");
        let mut statement = self
            .connection
            .prepare("SELECT name, version, digest, body, sealed FROM document")
            .map_err(&reading)?;
        let mut rows = statement.query([]).map_err(&reading)?;
        let mut documents = BTreeMap::new();
        while let Some(row) = rows.next().map_err(&reading)? {
            let name: String = row.get(0).map_err(&reading)?;
            let body: Option<String> = row.get(3).map_err(&reading)?;
            let damaged = |why: String| self.damaged(format!("document {name}: {why}"));
            let parsed: DocumentName =
                name.parse().map_err(|error: meguri_proto::TopicError| damaged(error.to_string()))?;
            let digest = digest(row, 2).map_err(&reading)?;
            let sealed: Option<Vec<u8>> = row.get(4).map_err(&reading)?;
            // Whoever joined the crew of a contract to come could not open it: the office sends it anew.
            let coming = parsed.contract().is_some_and(|contract| self.config.is_coming(contract));
            let told = match &sealed {
                Some(sealed) if coming && !self.vault.opens_for_all(sealed) => Digest::ZERO,
                _ => digest,
            };
            let body = match sealed.map(|sealed| self.vault.read(&document_aad(&parsed, &digest), &sealed)) {
                None => Ok(body),
                Some(Ok(body)) => String::from_utf8(body).map(Some).map_err(|_| Unreadable::Lost),
                Some(Err(unreadable)) => Err(unreadable),
            };
            let contents = match body {
                Ok(None) => Contents::Lapsed,
                Err(Unreadable::Sealed) => Contents::Sealed,
                // Who may sign in must not be forgotten by a damage: until the list comes anew, everything stays shut.
                Ok(Some(body))
                    if parsed == DocumentName::Crew
                        && (Digest::of(body.as_bytes()) != digest
                            || read_document(&parsed, &body).is_err()) =>
                {
                    let version = number(row, 1).map_err(&reading)?;
                    documents
                        .insert(parsed, Held { version, digest: Digest::ZERO, contents: Contents::Sealed });
                    continue;
                }
                // One that was damaged on the disk is as good as none: the office sends it again when
                // a hello does not name it.
                Err(Unreadable::Lost) => continue,
                Ok(Some(body)) if Digest::of(body.as_bytes()) != digest => continue,
                Ok(Some(body)) => match read_document(&parsed, &body) {
                    Ok(contents) => contents,
                    Err(_) => continue,
                },
            };
            let version = number(row, 1).map_err(&reading)?;
            documents.insert(parsed, Held { version, digest: told, contents });
        }
        Ok(documents)
    }
}
