//! Turns what a person wants recorded into the body of a fact, or says why not.

use meguri_config::terminal::{ReasonSetting, Terminal};
use meguri_proto::pickup::Result as Outcomes;
use meguri_proto::{
    CrewId, Digest, Fact, FactBody, ItemResult, ListRef, Listed, Message, Outcome, PickupId, Reason, Stamps,
    Undo, limits,
};

use crate::view::{Intent, NotRecorded, Stop};

/// A fact's body as it will be sent, and the text of its note.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) body: String,
    pub(crate) note: Option<(Digest, String)>,
}

/// The pickup that an intent is about.
pub(crate) fn pickup_of(intent: &Intent) -> PickupId {
    match intent {
        Intent::Collect { pickup }
        | Intent::Partly { pickup, .. }
        | Intent::Refuse { pickup, .. }
        | Intent::Undo { pickup } => *pickup,
    }
}

/// Writes the body for an intent about `stop`, which stands on list `list`.
pub(crate) fn draft(
    settings: &Terminal,
    intent: &Intent,
    crew: Option<CrewId>,
    stop: &Stop,
    list: ListRef,
    at: Stamps,
) -> Result<Draft, NotRecorded> {
    let (result, note) = match intent {
        Intent::Collect { .. } => (Some(Outcomes::Collected), None),
        Intent::Partly { items, note, .. } => {
            let items = fitting(settings, &stop.listed, items)?;
            let reasons: Vec<Reason> = items.iter().filter_map(|item| item.reason).collect();
            let note = note_for(settings, &reasons, note.as_deref())?;
            (Some(Outcomes::Partly { items, note: note.as_ref().map(|note| note.0) }), note)
        }
        Intent::Refuse { reason, note, .. } => {
            let note = note_for(settings, &[*reason], note.as_deref())?;
            let digest = note.as_ref().map(|note| note.0);
            (Some(Outcomes::NotCollected { reason: *reason, note: digest }), note)
        }
        Intent::Undo { .. } => (None, None),
    };
    let pickup = stop.listed.id;
    let own = stop.own.as_ref();
    let fact = match result {
        Some(result) if own.is_some_and(|own| own.result == result) => return Err(NotRecorded::Already),
        Some(result) => Fact::Outcome(Outcome { pickup, list, replaces: own.map(|own| own.fact), result }),
        None => Fact::Undo(Undo { pickup, of: own.ok_or(NotRecorded::NothingToUndo)?.fact }),
    };
    let (contract, config) = (settings.contract.clone(), settings.version);
    let body = FactBody { v: FactBody::VERSION, contract, config, crew, at, fact }.encode();
    let body = body.map_err(|error| NotRecorded::Misfit(error.to_string()))?;
    let body = String::from_utf8(body).map_err(|error| NotRecorded::Misfit(error.to_string()))?;
    Ok(Draft { body, note })
}

/// The setting of a reason, which must be among those offered.
fn offered(settings: &Terminal, reason: Reason) -> Result<&ReasonSetting, NotRecorded> {
    let misfit = || NotRecorded::Misfit(format!("the reason {reason} is not offered on this terminal"));
    settings.reason.iter().find(|setting| setting.code == reason).ok_or_else(misfit)
}

/// The note with its digest; demanded where one of the reasons demands it.
fn note_for(
    settings: &Terminal,
    reasons: &[Reason],
    note: Option<&str>,
) -> Result<Option<(Digest, String)>, NotRecorded> {
    let mut demanded = false;
    for &reason in reasons {
        demanded |= offered(settings, reason)?.note || reason == Reason::Other;
    }
    let text = note.unwrap_or_default().replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        return if demanded { Err(NotRecorded::NoteMissing) } else { Ok(None) };
    }
    let length = text.chars().count();
    if length > limits::LONG_TEXT {
        let most = limits::LONG_TEXT;
        return Err(NotRecorded::Misfit(format!("the note has {length} characters, at most {most} fit")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(NotRecorded::Misfit("the note holds a control character".to_owned()));
    }
    Ok(Some((Digest::of(text.as_bytes()), text)))
}

/// The item results in the pickup's order: each item once, a reason where and only where it is short,
/// something collected and something not.
fn fitting(
    settings: &Terminal,
    listed: &Listed,
    results: &[ItemResult],
) -> Result<Vec<ItemResult>, NotRecorded> {
    let misfit = |what: String| Err(NotRecorded::Misfit(what));
    let mut results = results.to_vec();
    results.sort_by_key(|result| result.item);
    let named = results.iter().map(|result| result.item);
    if !named.eq(0..u32::try_from(listed.items.len()).unwrap_or(u32::MAX)) {
        let (found, expected) = (results.len(), listed.items.len());
        return misfit(format!("{found} items are told of, expected each of the {expected} once"));
    }
    for (result, item) in results.iter().zip(&listed.items) {
        let number = result.item + 1;
        if result.collected > item.count {
            return misfit(format!("item {number}: {} of {} collected", result.collected, item.count));
        }
        match result.reason {
            None if result.collected < item.count => return misfit(format!("item {number} needs a reason")),
            Some(_) if result.collected == item.count => {
                return misfit(format!("item {number} has a reason, but all of it is collected"));
            }
            Some(reason) => {
                offered(settings, reason)?;
            }
            None => {}
        }
    }
    if results.iter().all(|result| result.collected == 0) {
        return misfit("nothing is collected".to_owned());
    }
    if results.iter().all(|result| result.reason.is_none()) {
        return misfit("everything is collected".to_owned());
    }
    Ok(results)
}
