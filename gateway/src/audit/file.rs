//! The log's files: opened, put right after a power cut, appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use meguri_proto::Digest;
use meguri_proto::clock::business_date;

use super::{Entry, Event, What, Who};

/// The folder of the log in the data folder.
pub const FOLDER: &str = "audit";
/// The file that says how far the log goes, so that entries missing at its end are noticed.
pub(super) const HEAD: &str = "head";
/// What stands between an entry and its digest.
const DIGEST: &str = ",\"digest\":\"";
/// Longest entry.
pub(super) const ENTRY_BYTES: usize = 64 * 1024;

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or folder can't be used.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The last entry is not one that this program wrote.
    #[error(
        "the audit log's last entry in {} can't be read; nothing is appended to what was changed. \
         `meguri-gateway audit verify` says more; move the folder away to begin another log", path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// An entry is too long.
    #[error("an entry of the audit log would be longer than {ENTRY_BYTES} bytes")]
    TooLong,
    /// The thread that writes has ended.
    #[error("the audit log is not written any more: the gateway is stopping")]
    Stopped,
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AuditError {
    move |source| AuditError::File { doing, path: path.to_owned(), source }
}

/// The entry's line without its end, and its digest.
pub(super) fn line(entry: &Entry) -> Result<(String, Digest), AuditError> {
    let text = serde_json::to_string(entry).map_err(|_| AuditError::TooLong)?;
    let body = text.strip_suffix('}').unwrap_or(&text);
    if body.len() > ENTRY_BYTES {
        return Err(AuditError::TooLong);
    }
    let digest = Digest::of(body.as_bytes());
    Ok((format!("{body}{DIGEST}{digest}\"}}"), digest))
}

/// An entry read back, and the digest that its bytes have; none where it is not such a line.
pub(super) fn parse(line: &str) -> Option<(Entry, Digest)> {
    let (body, digest) = line.rsplit_once(DIGEST)?;
    let digest: Digest = digest.strip_suffix("\"}")?.parse().ok()?;
    let entry: Entry = serde_json::from_str(&format!("{body}}}")).ok()?;
    // What reads the same but is spelt otherwise was not written by this program.
    (Digest::of(body.as_bytes()) == digest).then_some((entry, digest))
}

/// The log's files in order.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let mut found = Vec::new();
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        listed => listed.map_err(failed("list", folder))?,
    };
    for file in listed {
        let path = file.map_err(failed("list", folder))?.path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The log, open at its end. Whoever has it holds the data folder's lock.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    file: File,
    path: PathBuf,
    month: String,
    head: File,
    seq: u64,
    last: Digest,
    /// How long the file is without what could not be written whole.
    length: u64,
    /// Whether a part of what could not be written may stand behind that.
    torn: bool,
}

fn month(at: Timestamp) -> String {
    business_date(at).strftime("%Y-%m").to_string()
}

impl Log {
    /// Opens the log of a data folder. A last line that a power cut has cut is taken away, and an entry says so.
    ///
    /// # Errors
    /// When a file can't be used, or the last entry can't be read.
    pub fn open(data: &Path, now: Timestamp) -> Result<Self, AuditError> {
        let folder = data.join(FOLDER);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(failed("make the folder", &folder))?;
        let there = files(&folder)?;
        let this = month(now);
        let newest = there.last().and_then(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        // A clock that was set back goes on in the newest file: order is the chain's.
        let month = newest.filter(|newest| *newest > this).unwrap_or(this);
        let (mut seq, mut last, mut cut) = (0, Digest::ZERO, None);
        for path in there.iter().rev() {
            let End { entry, torn } = end(path)?;
            cut = cut.or(torn);
            if let Some((entry, digest)) = entry {
                (seq, last) = (entry.seq, digest);
                break;
            }
        }
        let path = folder.join(format!("{month}.jsonl"));
        let (file, length) = open_end(&folder, &path)?;
        let head_path = folder.join(HEAD);
        let head = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&head_path)
            .map_err(failed("open", &head_path))?;
        // Written after the entries are on the disk, so it never tells more than there was.
        let once = super::verify::head(data).ok().flatten().map_or(0, |(seq, _)| seq);
        let ended = seq;
        let mut log = Self { folder, file, path, month, head, seq, last, length, torn: false };
        if seq == 0 && once == 0 && super::verify::has_accounts(data) {
            let about = serde_json::json!({ "all": true });
            log.append(&[(now, &Event::new(Who::Gateway, What::Missing, about))])?;
            tracing::error!("the audit log is gone, though the office has accounts; an entry says so");
        }
        if once > ended {
            let about = serde_json::json!({ "from": ended + 1, "to": once });
            log.append(&[(now, &Event::new(Who::Gateway, What::Missing, about))])?;
            tracing::error!(
                from = ended + 1,
                to = once,
                "entries of the audit log are missing at its end; an entry says so"
            );
        }
        if let Some(bytes) = cut {
            let about = serde_json::json!({ "cut_bytes": bytes });
            log.append(&[(now, &Event::new(Who::Gateway, What::Repaired, about))])?;
            tracing::warn!(
                bytes,
                "the audit log's last line was cut by a power cut; it is put right, and an entry says so"
            );
        }
        Ok(log)
    }

    /// Appends events and waits until they are on the disk.
    ///
    /// # Errors
    /// When they can't be written: then none of them is there. When one is too long: then the others are.
    pub fn append(&mut self, events: &[(Timestamp, &Event)]) -> Result<(), AuditError> {
        let refused = self.append_each(events)?.into_iter().any(|written| written.is_err());
        if refused { Err(AuditError::TooLong) } else { Ok(()) }
    }

    /// As [`Log::append`]; says of each one whether it is there, or too long.
    ///
    /// # Errors
    /// When they can't be written: then none of them is there.
    pub fn append_each(
        &mut self,
        events: &[(Timestamp, &Event)],
    ) -> Result<Vec<Result<(), Arc<AuditError>>>, AuditError> {
        let Some((at, _)) = events.first() else { return Ok(Vec::new()) };
        if self.torn {
            // Nothing may follow half a line: it could not be read any more.
            self.cut().map_err(failed("put right", &self.path))?;
            self.torn = false;
        }
        let now = month(*at);
        if now > self.month {
            let path = self.folder.join(format!("{now}.jsonl"));
            (self.file, self.length) = open_end(&self.folder, &path)?;
            (self.month, self.path) = (now, path);
        }
        let (mut seq, mut last, mut text) = (self.seq, self.last, String::new());
        let mut each = Vec::with_capacity(events.len());
        for (at, event) in events {
            let Event { who, what, about } = (*event).clone();
            let entry = Entry { seq: seq + 1, at: *at, who, what, about, previous: last };
            each.push(match line(&entry) {
                Ok((line, digest)) => {
                    (seq, last) = (entry.seq, digest);
                    text.push_str(&line);
                    text.push('\n');
                    Ok(())
                }
                // Others who happen to be written with it have nothing to do with that.
                Err(error) => {
                    tracing::error!(%error, what = %entry.what.word(), "an entry is not written down, and what it tells is not done");
                    Err(Arc::new(error))
                }
            });
        }
        if text.is_empty() {
            return Ok(each);
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half of a group must not stand before the next one.
            if let Err(error) = self.cut() {
                self.torn = true;
                tracing::error!(%error, "the audit log keeps a part of what could not be written; nothing is appended until that is taken away");
            }
            return Err(AuditError::File { doing: "write", path: self.path.clone(), source });
        }
        self.length += text.len() as u64;
        (self.seq, self.last) = (seq, last);
        // It may lie behind after a power cut, and says so by its number.
        let head = format!("{seq:020} {last}\n");
        let told = self.head.seek(SeekFrom::Start(0)).and_then(|_| self.head.write_all(head.as_bytes()));
        if let Err(error) = told {
            tracing::warn!(%error, "how far the audit log goes could not be written beside it");
        }
        Ok(each)
    }

    /// Takes away what could not be written whole.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }
}

/// Opens a file to append to it; where it is new, so that it is there after a power cut.
fn open_end(folder: &Path, path: &Path) -> Result<(File, u64), AuditError> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("open", path))?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed("read", path))?;
    if length == 0 {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("keep the folder", folder))?;
    }
    Ok((file, length))
}

struct End {
    entry: Option<(Entry, Digest)>,
    /// How many bytes of a cut line were taken away.
    torn: Option<u64>,
}

/// A file's last entry, after what a power cut has left behind it is taken away.
fn end(path: &Path) -> Result<End, AuditError> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
    let mut all = Vec::new();
    let whole = file.metadata().map_err(failed("read", path))?.len();
    // The last lines are enough, and a group is written at once.
    let from = whole.saturating_sub(2 * super::GROUP as u64 * 1024 + 2 * ENTRY_BYTES as u64);
    file.seek(SeekFrom::Start(from))
        .and_then(|_| file.read_to_end(&mut all))
        .map_err(failed("read", path))?;
    let kept = all.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = &all[kept..];
    // A cut line has no end. Blocks that were never written are zeros.
    let torn = (!rest.is_empty()).then_some(rest.len() as u64);
    if torn.is_some() {
        if kept == 0 && from > 0 {
            return Err(AuditError::Broken { path: path.to_owned() });
        }
        file.set_len(from + kept as u64).and_then(|()| file.sync_all()).map_err(failed("put right", path))?;
    }
    let lines = all.get(..kept.saturating_sub(1)).unwrap_or_default();
    if kept == 0 {
        return Ok(End { entry: None, torn });
    }
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let entry = std::str::from_utf8(last).ok().and_then(parse);
    entry
        .map(|entry| End { entry: Some(entry), torn })
        .ok_or_else(|| AuditError::Broken { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_follows_a_part_of_a_line_that_could_not_be_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2026-05-01T01:00:00Z".parse().unwrap();
        let event = Event::new(Who::Gateway, What::Started, serde_json::json!({}));
        let mut log = Log::open(dir.path(), now).unwrap();
        log.append(&[(now, &event)]).unwrap();
        // It takes no byte, and can't be cut.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut file = std::mem::replace(&mut log.file, full);
        let doing = |done: Result<(), AuditError>| match done {
            Err(AuditError::File { doing, .. }) => doing,
            other => panic!("{other:?}"),
        };
        assert_eq!(doing(log.append(&[(now, &event)])), "write");
        assert_eq!(doing(log.append(&[(now, &event)])), "put right");
        // The disk works again; half of what was to be written stands there.
        file.write_all(b"{\"seq\":2,\"at\"").unwrap();
        log.file = file;
        log.append(&[(now, &event)]).unwrap();
        let report = super::super::verify(dir.path(), &[]).unwrap();
        assert_eq!((report.entries, &*report.faults), (2, &[][..]));
    }
}
