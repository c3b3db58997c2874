//! Judges a document that came down: the newest version wins, and nothing unread replaces what is held.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::civil::Date;
use meguri_proto::{DayList, Document, DocumentName, Message, WireError, limits};

use crate::kept::{Held, Kept, KeptList, Op};

/// The changes that a document makes; none where it is not newer.
///
/// # Errors
/// Why it can't be taken, in words without residents' data.
pub(crate) fn judge(
    kept: &Kept,
    name: &DocumentName,
    payload: &[u8],
    today: Date,
) -> Result<Vec<Op>, String> {
    let document = Document::decode(payload).map_err(|error| safe(&error))?;
    let held = kept.documents.get(name);
    if held.is_some_and(|held| held.version >= document.version) {
        return Ok(Vec::new());
    }
    let mut ops = Vec::new();
    if held.is_none() && kept.documents.len() >= limits::HELLO_DOCUMENTS {
        let least = kept.documents.keys().min_by_key(|name| worth(name, today));
        let Some(least) = least.filter(|least| worth(least, today) < worth(name, today)) else {
            let most = limits::HELLO_DOCUMENTS;
            return Err(format!("{most} documents are held already, all of them of days nearer to {today}"));
        };
        ops.push(Op::DropDocument(least.clone()));
    }
    let (version, digest) = (document.version, document.digest);
    if document.lapsed() {
        // The version stays on record, so that a belated older one does not come back to life.
        let held = Held { version, digest, list: None };
        ops.push(Op::Document { name: name.clone(), held, body: None });
        return Ok(ops);
    }
    let list = read(name, document.body.get())?;
    let held = Held { version, digest, list: Some(Arc::new(list)) };
    ops.push(Op::Document { name: name.clone(), held, body: Some(document.body.get().to_owned()) });
    Ok(ops)
}

/// How much a document is worth beside others where there is no room for all: of today and later days the
/// nearest the most, after them the latest of the days past.
fn worth(name: &DocumentName, today: Date) -> (bool, Reverse<i64>) {
    let DocumentName::List { date, .. } = name;
    let days = today.until(*date).map_or(i64::MAX, |span| i64::from(span.get_days()));
    (days >= 0, Reverse(days.saturating_abs()))
}

/// Reads a list's body and checks that it is the one its name says.
///
/// # Errors
/// Why not, in words without residents' data.
pub fn read(name: &DocumentName, body: &str) -> Result<KeptList, String> {
    let DocumentName::List { contract, date } = name;
    let list = DayList::decode(body.as_bytes()).map_err(|error| safe(&error))?;
    if list.contract != *contract || list.date != *date {
        return Err("its body is for another contract or date".to_owned());
    }
    Ok(list.into())
}

/// An error without the values that a parser quotes: they may be residents' data.
pub(crate) fn safe(error: &WireError) -> String {
    match error {
        WireError::Malformed { what, source } => {
            let (line, column) = (source.line(), source.column());
            format!("{what} can't be read: {:?} at line {line} column {column}", source.classify())
        }
        other => other.to_string(),
    }
}
