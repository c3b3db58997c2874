//! Shows the day: header, tabs and the list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use meguri_core::view::{Counts, Stop};
use meguri_proto::pickup::{Contradiction, State as PickupState};
use meguri_proto::{Listed, Payment, PickupId};
use slint::{ComponentHandle, ModelRc, SharedString, VecModel};

use super::state::{State, Tab};
use super::{number, rows, words};
use meguri_screens::{Day, StopRow, Tablet, Words};

/// Fills the global `Day`.
pub(crate) struct DayAdapter {
    rows: Rc<VecModel<StopRow>>,
    // Rows whose stop has not changed are not written anew: a list may have a thousand.
    made: RefCell<HashMap<PickupId, Made>>,
    shown: RefCell<Option<(PickupId, Tab)>>,
}

struct Made {
    listed: Arc<Listed>,
    state: PickupState,
    contradictions: Vec<Contradiction>,
    waiting: bool,
    row: StopRow,
}

impl DayAdapter {
    pub(crate) fn new(window: &Tablet) -> Self {
        let rows = Rc::new(VecModel::default());
        window.global::<Day>().set_rows(ModelRc::from(Rc::clone(&rows)));
        Self { rows, made: RefCell::default(), shown: RefCell::default() }
    }

    /// Rows are written anew: their words may be another language's.
    pub(crate) fn forget(&self) {
        self.made.borrow_mut().clear();
    }

    pub(crate) fn render(&self, window: &Tablet, state: &State) {
        let day = window.global::<Day>();
        day.set_tab(words::tab(state.tab));
        let Some(view) = &state.view else { return };
        let date = view.list.as_ref().map_or(view.today, |list| list.date);
        day.set_month(date.month().into());
        day.set_day(date.day().into());
        day.set_weekday(date.weekday().to_monday_one_offset().into());
        let (link, detail) = words::link(&view.link);
        day.set_link(link);
        day.set_link_detail(detail.into());
        day.set_waiting(number(view.waiting));
        let (trouble, detail) = words::trouble(view.trouble.as_ref());
        day.set_trouble(trouble);
        day.set_trouble_detail(detail.into());
        day.set_has_list(view.list.is_some());
        let counts = view.list.as_ref().map(|list| list.counts).unwrap_or_default();
        let (left, done, refused) = tabs(counts);
        day.set_left(number(left));
        day.set_done(number(done));
        day.set_refused(number(refused));
        day.set_cancelled(number(counts.cancelled));
        day.set_total(number(counts.total));
        let stops = view.list.as_ref().map(|list| {
            day.set_round(format!("{}  {}  {}", list.contractor, list.vehicle, list.round).into());
            list.stops.as_slice()
        });
        self.render_rows(window, state, stops.unwrap_or_default());
    }

    fn render_rows(&self, window: &Tablet, state: &State, stops: &[Stop]) {
        let words = window.global::<Words>();
        let mut made = self.made.borrow_mut();
        let mut kept = HashMap::with_capacity(stops.len());
        let mut shown = Vec::new();
        for stop in stops {
            let row = match made.remove(&stop.id()) {
                Some(old) if old.is_of(stop) => old,
                _ => Made::new(stop, &words),
            };
            if Tab::of(&stop.state) == state.tab {
                shown.push(row.row.clone());
            }
            kept.insert(stop.id(), row);
        }
        *made = kept;
        let selected = state.selected();
        let id = selected.map(|id| SharedString::from(id.to_string())).unwrap_or_default();
        let index = shown.iter().position(|row| row.id == id);
        rows::update(&self.rows, shown, |row| row.id.clone());
        window.global::<Day>().set_selected(id);
        // Only a new selection moves the list: a finger may be scrolling it.
        let now = selected.map(|id| (id, state.tab));
        if *self.shown.borrow() != now {
            *self.shown.borrow_mut() = now;
            if let Some(index) = index {
                window.invoke_reveal(i32::try_from(index).unwrap_or(i32::MAX));
            }
        }
    }
}

/// The tabs' counts: left, done and not; they add up to the total.
fn tabs(counts: Counts) -> (u32, u32, u32) {
    (counts.left, counts.done + counts.partly, counts.not_collected + counts.cancelled)
}

impl Made {
    fn new(stop: &Stop, words: &Words<'_>) -> Self {
        let listed = &stop.listed;
        let row = StopRow {
            id: stop.id().to_string().into(),
            order: listed.order.to_string().into(),
            address: address(listed),
            items: items_line(listed, words),
            mark: words::mark(&stop.state),
            tag: listed.payment == Payment::NumberTag,
            changed: listed.changed,
            differs: !stop.contradictions.is_empty(),
            waiting: stop.waiting,
        };
        Self {
            listed: Arc::clone(listed),
            state: stop.state.clone(),
            contradictions: stop.contradictions.clone(),
            waiting: stop.waiting,
            row,
        }
    }

    fn is_of(&self, stop: &Stop) -> bool {
        (Arc::ptr_eq(&self.listed, &stop.listed) || self.listed == stop.listed)
            && self.state == stop.state
            && self.contradictions == stop.contradictions
            && self.waiting == stop.waiting
    }
}

/// Town and lot, as a crew reads them.
pub(crate) fn address(listed: &Listed) -> SharedString {
    let place = &listed.place;
    if place.lot.is_empty() {
        place.town.as_str().into()
    } else {
        format!("{} {}", place.town, place.lot).into()
    }
}

fn items_line(listed: &Listed, words: &Words<'_>) -> SharedString {
    // A row has room for a few; the page shows them all.
    let items = listed.items.iter().take(8);
    let items = items.map(|item| words.invoke_item(item.name.as_str().into(), number(item.count)));
    items.reduce(|line, item| words.invoke_join(line, item)).unwrap_or_default()
}
