//! Judges a document that came down: the newest version wins, and nothing unread replaces what is held.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use meguri_proto::{
    ContractId, CrewList, DayList, Digest, Document, DocumentHeld, DocumentName, Erasure, Message, WireError,
    limits,
};

use crate::kept::{Contents, Held, Kept, KeptList, Op};

/// The changes that a document makes; none where it is not newer, or where it comes at a time at which none is taken.
///
/// # Errors
/// Why it can't be taken, in words without residents' data.
pub(crate) fn judge(
    kept: &Kept,
    own: &ContractId,
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
    let coming = name.contract().is_some_and(|contract| kept.config.is_coming(contract));
    if !coming && name.contract().is_some_and(|contract| contract != own) {
        return Err("it is of a contract that is neither in force nor to come here".to_owned());
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
    let mut contents = read(name, document.body.get())?;
    let body = document.body.get().to_owned();
    match contents {
        // Nothing can be sealed while nobody has signed in. The hello that follows on that brings it again.
        Contents::List(_) if kept.sealed && !coming => return Ok(Vec::new()),
        // Nobody sees it before its contract's crew can, and they sign in first.
        Contents::List(_) if coming && name.contract().is_some_and(|of| !kept.crew_of(of).is_empty()) => {
            contents = Contents::Sealed;
        }
        Contents::Erasure => return Ok(vec![Op::Erase { held: Held { version, digest, contents }, body }]),
        _ => {}
    }
    if let (DocumentName::Crew, Contents::Crew(new)) = (name, &contents) {
        // Another PIN, or a member who has left, ends the waits after wrong ones.
        let changed =
            kept.crew().iter().filter(|old| !new.members.iter().any(|member| member.lock == old.lock));
        ops.extend(changed.map(|old| Op::PinsWrong(old.id.clone(), 0)));
    }
    let held = Held { version, digest, contents };
    ops.push(Op::Document { name: name.clone(), held, body: Some(body) });
    Ok(ops)
}

/// Version and digest of a newer list that could not be taken, since nobody has signed in.
pub(crate) fn passed_over(kept: &Kept, name: &DocumentName, payload: &[u8]) -> Option<(u64, Digest)> {
    let document = Document::decode(payload).ok().filter(|document| !document.lapsed())?;
    let newer = kept.documents.get(name).is_none_or(|held| held.version < document.version);
    let list = kept.sealed
        && !kept.erased()
        && matches!(name, DocumentName::List { contract, .. } if !kept.config.is_coming(contract));
    (list && newer).then_some((document.version, document.digest))
}

/// The documents as a hello names them: those passed over as if they were held, so that they don't come with every hello.
pub(crate) fn told(kept: &Kept, passed_over: &BTreeMap<DocumentName, (u64, Digest)>) -> Vec<DocumentHeld> {
    let mut told = kept.documents_told();
    for (name, (version, digest)) in passed_over {
        let (version, digest) = (*version, *digest);
        let room = told.len() < limits::HELLO_DOCUMENTS;
        match told.iter_mut().find(|held| held.name == *name) {
            Some(held) if held.version < version => (held.version, held.digest) = (version, digest),
            Some(_) => {}
            None if room => {
                told.push(DocumentHeld { name: name.clone(), version, digest });
            }
            None => {}
        }
    }
    told
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
        DocumentName::Crew | DocumentName::CrewOf { .. } => {
            let crew = CrewList::decode(body).map_err(|error| safe(&error))?;
            Ok(Contents::Crew(Arc::new(crew)))
        }
        DocumentName::Erasure => {
            Erasure::decode(body).map_err(|error| safe(&error))?;
            Ok(Contents::Erasure)
        }
        // What it says is judged by its signatures, with what else is held.
        DocumentName::Keys | DocumentName::Config => {
            let text = std::str::from_utf8(body).map_err(|_| "its body is no text".to_owned())?;
            Ok(Contents::Signed(text.into()))
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
