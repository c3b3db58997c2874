//! Judges a document that came down: the newest version wins, and nothing unread replaces what is held.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::civil::Date;
use meguri_proto::{CrewList, DayList, Document, DocumentName, Erasure, Message, WireError, limits};

use crate::kept::{Contents, Held, Kept, KeptList, Op};

/// The changes that a document makes; none where it is not newer, or where it comes at a time at which none is taken.
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
    // A lost terminal takes nothing but the word that it is found. The next hello brings what it missed.
    if kept.erased() && *name != DocumentName::Erasure {
        return Ok(Vec::new());
    }
    let (version, digest) = (document.version, document.digest);
    let mut ops = Vec::new();
    if held.is_none() && kept.documents.len() >= limits::HELLO_DOCUMENTS {
        let least = kept.documents.keys().min_by_key(|name| worth(name, today));
        let Some(least) = least.filter(|least| worth(least, today) < worth(name, today)) else {
            let most = limits::HELLO_DOCUMENTS;
            return Err(format!("{most} documents are held already, all of them of days nearer to {today}"));
        };
        ops.push(Op::DropDocument(least.clone()));
    }
    if document.lapsed() {
        // The version stays on record, so that a belated older one does not come back to life.
        let held = Held { version, digest, contents: Contents::Lapsed };
        ops.push(Op::Document { name: name.clone(), held, body: None });
        return Ok(ops);
    }
    let contents = read(name, document.body.get())?;
    let body = document.body.get().to_owned();
    match contents {
        // Nothing can be sealed while nobody has signed in. The hello that follows on that brings it again.
        Contents::List(_) if kept.sealed => return Ok(Vec::new()),
        Contents::Erasure => return Ok(vec![Op::Erase { held: Held { version, digest, contents }, body }]),
        _ => {}
    }
    let held = Held { version, digest, contents };
    ops.push(Op::Document { name: name.clone(), held, body: Some(body) });
    Ok(ops)
}

/// How much a document is worth beside others where there is no room for all: what is no list the most, then of today and
/// later days the nearest, after them the latest of the days past.
fn worth(name: &DocumentName, today: Date) -> (bool, bool, Reverse<i64>) {
    let DocumentName::List { date, .. } = name else { return (true, true, Reverse(0)) };
    let days = today.until(*date).map_or(i64::MAX, |span| i64::from(span.get_days()));
    (false, days >= 0, Reverse(days.saturating_abs()))
}

/// Reads a document's body and checks that it is the one its name says.
///
/// # Errors
/// Why not, in words without residents' data.
pub fn read(name: &DocumentName, body: &str) -> Result<Contents, String> {
    let body = body.as_bytes();
    match name {
        DocumentName::List { contract, date } => {
            let list = DayList::decode(body).map_err(|error| safe(&error))?;
            if list.contract != *contract || list.date != *date {
                return Err("its body is for another contract or date".to_owned());
            }
            Ok(Contents::List(Arc::new(KeptList::from(list))))
        }
        DocumentName::Crew => {
            let crew = CrewList::decode(body).map_err(|error| safe(&error))?;
            Ok(Contents::Crew(Arc::new(crew)))
        }
        DocumentName::Erasure => {
            Erasure::decode(body).map_err(|error| safe(&error))?;
            Ok(Contents::Erasure)
        }
    }
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
