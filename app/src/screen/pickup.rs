//! Shows the open pickup, and the pages that ask why it was not collected.

use std::rc::Rc;

use jiff::tz::TimeZone;
use meguri_core::view::Stop;
use meguri_proto::limits::LONG_TEXT;
use meguri_proto::pickup::{Contradiction, Result as Outcome, Statement};
use meguri_proto::{Item, ItemResult, Payment};
use slint::{ComponentHandle, ModelRc, SharedString, VecModel};

use super::day::address;
use super::state::{Choice, State};
use super::{number, rows, words};
use meguri_screens::{Cause, Causes, ItemRow, Pickup, Said, Tablet, Tile, Words};

/// Fills the globals `Pickup` and `Causes`.
pub(crate) struct PickupAdapter {
    items: Rc<VecModel<ItemRow>>,
    said: Rc<VecModel<Said>>,
    tiles: Rc<VecModel<Tile>>,
    zone: TimeZone,
}

impl PickupAdapter {
    pub(crate) fn new(window: &Tablet, zone: TimeZone) -> Self {
        let adapter = Self { items: Rc::default(), said: Rc::default(), tiles: Rc::default(), zone };
        window.global::<Pickup>().set_items(ModelRc::from(Rc::clone(&adapter.items)));
        window.global::<Pickup>().set_said(ModelRc::from(Rc::clone(&adapter.said)));
        window.global::<Causes>().set_tiles(ModelRc::from(Rc::clone(&adapter.tiles)));
        adapter
    }

    pub(crate) fn render(&self, window: &Tablet, state: &State) {
        let page = window.global::<Pickup>();
        let (failure, detail) = words::failure(state.failure.as_ref());
        page.set_failure(failure);
        page.set_failure_detail(detail.into());
        let stop = state.stop();
        page.set_shown(stop.is_some());
        let Some(stop) = stop else { return };
        let (listed, place) = (&stop.listed, &stop.listed.place);
        page.set_order(listed.order.to_string().into());
        page.set_reception(listed.reception.as_str().into());
        page.set_ward(place.ward.as_str().into());
        page.set_address(address(listed));
        page.set_building(place.building.as_str().into());
        page.set_spot(place.spot.as_str().into());
        page.set_notice(place.notice.as_str().into());
        page.set_payment(words::payment(listed.payment));
        page.set_changed(listed.changed);
        page.set_waiting(stop.waiting);
        page.set_mark(words::mark(&stop.state));
        page.set_form(state.form());
        page.set_recorded(state.recorded.is_some() && state.recorded == state.open);
        page.set_undoable(state.undoable());
        let contradicts = |what| stop.contradictions.contains(&what);
        page.set_terminals_differ(contradicts(Contradiction::TerminalsDiffer));
        page.set_though_cancelled(contradicts(Contradiction::CollectedThoughCancelled));
        page.set_though_revisit(contradicts(Contradiction::CollectedThoughRevisit));
        let next = state.next();
        page.set_has_next(next.is_some());
        let next = next.map(|next| format!("{}  {}", next.listed.order, address(&next.listed)));
        page.set_next(next.unwrap_or_default().into());
        let said = stop.own.iter().map(|own| self.said(own, true));
        let others = listed.others.iter().map(|other| self.said(other, false));
        rows::update(&self.said, said.chain(others).collect(), |said| (said.own, said.terminal.clone()));
        if let Some(choice) = &state.choice {
            page.set_pieces(number(choice.pieces()));
            page.set_taken(number(choice.taken_pieces()));
            self.render_items(window, state, stop, choice);
            self.render_causes(window, state, stop, choice);
        }
    }

    fn render_items(&self, window: &Tablet, state: &State, stop: &Stop, choice: &Choice) {
        let words = window.global::<Words>();
        let results = (!state.form()).then(|| standing(stop)).flatten();
        let row = |(index, item): (usize, &Item)| {
            let (taken, cause) = match results {
                Some(Outcome::Partly { items, .. }) => result_of(items, index),
                Some(Outcome::NotCollected { .. }) => (Some(0), Cause::None),
                Some(Outcome::Collected) | None => (None, Cause::None),
            };
            let chosen = choice.taken.get(index).copied().unwrap_or(item.count);
            ItemRow {
                name: item.name.as_str().into(),
                count: number(item.count),
                taken: number(taken.unwrap_or(chosen)),
                tickets: tickets(item, stop.listed.payment, &words),
                recycling: item.recycling,
                cause,
            }
        };
        let numbered: Vec<ItemRow> = stop.listed.items.iter().enumerate().map(row).collect();
        let tickets = numbered.iter().any(|row| !row.tickets.is_empty() || row.cause != Cause::None);
        window.global::<Pickup>().set_has_tickets(tickets);
        // Their place is their name here: a fact speaks of items by their index, too.
        if slint::Model::row_count(&*self.items) == numbered.len() {
            for (index, row) in numbered.into_iter().enumerate() {
                if slint::Model::row_data(&*self.items, index).as_ref() != Some(&row) {
                    slint::Model::set_row_data(&*self.items, index, row);
                }
            }
        } else {
            self.items.set_vec(numbered);
        }
    }

    fn render_causes(&self, window: &Tablet, state: &State, stop: &Stop, choice: &Choice) {
        let page = window.global::<Causes>();
        let tile = |setting: &meguri_config::terminal::ReasonSetting| Tile {
            cause: words::cause(setting.code),
            note: state.demands_note(setting.code),
        };
        rows::update(&self.tiles, state.reasons().iter().map(tile).collect(), |tile| tile.cause as i32);
        page.set_chosen(choice.chosen.map_or(Cause::None, words::cause));
        let noted = |reason: &meguri_proto::Reason| state.demands_note(*reason);
        let earlier = choice.partly && choice.reasons.iter().flatten().any(noted);
        page.set_chosen_note(earlier || choice.chosen.as_ref().is_some_and(noted));
        page.set_partly(choice.partly);
        let short = choice.short();
        let item = stop.listed.items.get(choice.at);
        page.set_item(item.map(|item| item.name.as_str()).unwrap_or_default().into());
        let rest = item.map_or(0, |item| item.count.saturating_sub(choice.taken[choice.at]));
        page.set_item_short(number(rest));
        let step = short.iter().position(|&item| item == choice.at).unwrap_or(0) + 1;
        page.set_step(i32::try_from(step).unwrap_or(i32::MAX));
        page.set_steps(i32::try_from(short.len()).unwrap_or(i32::MAX));
        page.set_same(choice.same);
        page.set_last(choice.last());
        page.set_taken(number(choice.taken_pieces()));
        page.set_short(number(choice.pieces().saturating_sub(choice.taken_pieces())));
        page.set_noted(choice.noted());
        page.set_note_most(number(LONG_TEXT));
        page.set_note_left(number(LONG_TEXT.saturating_sub(choice.note.chars().count())));
        if page.get_note() != choice.note {
            page.set_note(choice.note.as_str().into());
        }
    }

    fn said(&self, statement: &Statement, own: bool) -> Said {
        let time = statement.at.to_zoned(self.zone.clone());
        let (cause, note) = match &statement.result {
            Outcome::NotCollected { reason, note } => (words::cause(*reason), note.is_some()),
            Outcome::Partly { note, .. } => (Cause::None, note.is_some()),
            Outcome::Collected => (Cause::None, false),
        };
        Said {
            own,
            terminal: statement.terminal.to_string().into(),
            time: format!("{}:{:02}", time.hour(), time.minute()).into(),
            mark: words::outcome(&statement.result),
            cause,
            note,
        }
    }
}

/// What was said of it: by this terminal, or else by another.
fn standing(stop: &Stop) -> Option<&Outcome> {
    stop.own.as_ref().or_else(|| stop.listed.others.first()).map(|statement| &statement.result)
}

fn result_of(items: &[ItemResult], index: usize) -> (Option<u32>, Cause) {
    let result = items.iter().find(|result| usize::try_from(result.item).is_ok_and(|item| item == index));
    let cause = result.and_then(|result| result.reason).map_or(Cause::None, words::cause);
    (result.map(|result| result.collected), cause)
}

fn tickets(item: &Item, payment: Payment, words: &Words<'_>) -> SharedString {
    let tickets = item.tickets.iter();
    let tickets =
        tickets.map(|ticket| words.invoke_ticket(thousands(ticket.yen).into(), number(ticket.count)));
    let recycling = item.recycling.then(|| words.invoke_recycling_ticket());
    let all = tickets.filter(|_| payment == Payment::Tickets).chain(recycling);
    // A line each: the column is narrow, and a ticket's count must not stand apart from its value.
    all.reduce(|lines, ticket| format!("{lines}\n{ticket}").into()).unwrap_or_default()
}

/// Digits in groups of three.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_digits() {
        for (number, text) in [(0, "0"), (250, "250"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(super::thousands(number), text);
        }
    }
}
