//! Reads the log through and finds what was removed, changed or put in another order.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use meguri_proto::Digest;
use meguri_proto::clock::business_date;
use serde::Serialize;

use super::file::{self, AuditError, ENTRY_BYTES, FOLDER, HEAD};
use super::{Entry, What};
use crate::people::accounts;
use crate::store::{self, STORE_FILE};

/// How far the log goes at some point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The day whose last entry this is.
    pub day: Date,
    /// The entry's number.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What.
    pub problem: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries were read.
    pub entries: u64,
    /// The number of the first one: above 1, where older files were put elsewhere.
    pub first: Option<u64>,
    /// The number and the digest of the last one.
    pub last: Option<(u64, Digest)>,
    /// How often a cut line was put right.
    pub repaired: u64,
    /// What is wrong, the first hundred of it.
    pub faults: Vec<Fault>,
}

const FAULTS: usize = 100;

/// Reads the log of a data folder. `known` are heads that were noted elsewhere, as in the system's log.
///
/// # Errors
/// When a file can't be read.
pub fn verify(data: &Path, known: &[(u64, Digest)]) -> Result<Report, AuditError> {
    let mut report = Report { entries: 0, first: None, last: None, repaired: 0, faults: Vec::new() };
    let mut known: BTreeMap<u64, Digest> = known.iter().copied().collect();
    let written = head(data);
    if let Ok(Some((seq, digest))) = written {
        known.entry(seq).or_insert(digest);
    }
    let mut before: Option<(u64, Digest)> = None;
    read(data, |name, line, text| {
        report.entries += 1;
        let mut fault = |problem: String| {
            if report.faults.len() < FAULTS {
                report.faults.push(Fault { file: name.to_owned(), line, problem });
            }
        };
        let Some((entry, digest)) = file::parse(text) else {
            fault("was changed: its digest is another, or it is no entry at all".to_owned());
            // What follows is compared with what it says itself.
            before = None;
            return;
        };
        match before {
            None if report.first.is_none() && entry.seq == 1 && entry.previous != Digest::ZERO => {
                fault("is the first entry and names one before it".to_owned());
            }
            None => {}
            Some((seq, _)) if entry.seq != seq + 1 => {
                fault(format!(
                    "has the number {} after {seq}: entries were removed or put in another order",
                    entry.seq
                ));
            }
            Some((seq, digest)) if entry.previous != digest => {
                fault(format!(
                    "does not follow entry {seq} as it stands: that one was changed, or another one removed"
                ));
            }
            Some(_) => {}
        }
        if known.remove(&entry.seq).is_some_and(|known| known != digest) {
            fault(format!("entry {} is not the one that was noted as head", entry.seq));
        }
        if entry.what == What::Missing {
            fault(format!("says that entries were missing when the gateway started: {}", entry.about));
        }
        report.first.get_or_insert(entry.seq);
        report.repaired += u64::from(entry.what == What::Repaired);
        before = Some((entry.seq, digest));
        report.last = before;
    })?;
    let missing = known.keys().copied().filter(|seq| report.first.is_none_or(|first| *seq >= first)).max();
    if let Some(seq) = missing {
        let problem = format!("the log once went to entry {seq}, which is missing: entries were removed");
        report.faults.push(Fault { file: HEAD.to_owned(), line: 1, problem });
    }
    if report.entries == 0 && has_accounts(data) {
        let problem =
            "the log has no entry at all, though the office has accounts, each of which was written down: \
                       the log was removed"
                .to_owned();
        report.faults.push(Fault { file: FOLDER.to_owned(), line: 1, problem });
    }
    if written.is_err() && report.entries > 0 {
        let problem =
            "does not say how far the log goes; entries removed at the end would not be noticed".to_owned();
        report.faults.push(Fault { file: HEAD.to_owned(), line: 1, problem });
    }
    Ok(report)
}

/// Whether the store beside the log has accounts. One that can't be read says nothing here; others tell of that.
pub(super) fn has_accounts(data: &Path) -> bool {
    let path = data.join(STORE_FILE);
    path.exists()
        && store::read_only(&path).is_ok_and(|conn| accounts::nobody(&conn).is_ok_and(|nobody| !nobody))
}

/// What the file beside the log says; an error where it says nothing that can be read.
pub(super) fn head(data: &Path) -> Result<Option<(u64, Digest)>, ()> {
    let path = data.join(FOLDER).join(HEAD);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(()),
        Err(_) => return Err(()),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let parsed =
        text.trim().split_once(' ').and_then(|(seq, digest)| Some((seq.parse().ok()?, digest.parse().ok()?)));
    parsed.map(Some).ok_or(())
}

/// Gives every line with its file's name and its number.
fn read(data: &Path, each: impl FnMut(&str, u64, &str)) -> Result<(), AuditError> {
    read_some(data, |_| 0..usize::MAX, each)
}

/// As [`read`], of those files alone that `some` picks, by their places.
fn read_some(
    data: &Path,
    some: impl FnOnce(&[PathBuf]) -> Range<usize>,
    mut each: impl FnMut(&str, u64, &str),
) -> Result<(), AuditError> {
    let files = file::files(&data.join(FOLDER))?;
    let some = some(&files);
    for (index, path) in files.iter().enumerate().filter(|(index, _)| some.contains(index)) {
        let is_last = index + 1 == files.len();
        let failed = |source| AuditError::File { doing: "read", path: path.clone(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines = BufReader::new(File::open(path).map_err(failed)?);
        let mut number = 0;
        loop {
            let mut bytes = Vec::new();
            let most = ENTRY_BYTES as u64 + 1024;
            if (&mut lines).take(most).read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
                break;
            }
            number += 1;
            // Being written at this moment, or cut by a power cut: the next start puts it right, and says so.
            if bytes.last() != Some(&b'\n') && is_last && bytes.len() as u64 != most {
                break;
            }
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            each(&name, number, &String::from_utf8_lossy(&bytes));
        }
    }
    Ok(())
}

/// Gives every entry that can be read, with its digest.
///
/// # Errors
/// When a file can't be read.
pub fn entries(data: &Path, mut each: impl FnMut(Entry, Digest)) -> Result<(), AuditError> {
    read(data, |_, _, text| {
        if let Some((entry, digest)) = file::parse(text) {
            each(entry, digest);
        }
    })
}

/// Gives every entry of a day that can be read, from the files alone that can hold it: its month's and the one after that,
/// in which the log went on where a clock had run ahead and was set back; on a month's first day the one before, too, since
/// a group of entries stands in one file.
///
/// # Errors
/// When a file can't be read.
pub fn entries_of(data: &Path, day: Date, mut each: impl FnMut(Entry)) -> Result<(), AuditError> {
    let month = day.strftime("%Y-%m").to_string();
    let is_before = |path: &PathBuf| {
        path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| name < month.as_str())
    };
    let some = |files: &[PathBuf]| {
        let from = files.partition_point(is_before);
        let its_own =
            files.get(from).is_some_and(|path| path.file_stem().is_some_and(|name| *name == *month));
        from.saturating_sub(usize::from(day.day() == 1))..from + 1 + usize::from(its_own)
    };
    read_some(data, some, |_, _, text| {
        if let Some((entry, _)) = file::parse(text)
            && business_date(entry.at) == day
        {
            each(entry);
        }
    })
}

/// The last entry of each day.
///
/// # Errors
/// When a file can't be read.
pub fn heads(data: &Path) -> Result<Vec<Head>, AuditError> {
    let mut heads: Vec<Head> = Vec::new();
    entries(data, |entry, digest| {
        let head = Head { day: business_date(entry.at), seq: entry.seq, digest };
        match heads.last_mut() {
            Some(last) if last.day >= head.day => *last = Head { day: last.day, ..head },
            _ => heads.push(head),
        }
    })?;
    Ok(heads)
}
