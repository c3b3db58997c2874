//! Which day it is, where that is in doubt: the crew confirms the date shown or chooses another.

use std::rc::Rc;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use meguri_core::view::{LATEST_DAYS, View};
use meguri_proto::clock::business_date;
use slint::{ComponentHandle, Model, ModelRc, VecModel};

use super::state::{Page, State};
use super::{number, words};
use meguri_screens as ui;

/// How many days are before the crew's eyes at most.
const DAYS: usize = 28;

/// What the crew is about to choose. Pure; the days are those of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choosing {
    /// The first day that is offered, a Monday.
    pub(crate) from: Date,
    pub(crate) chosen: Option<Date>,
    /// Whether the choice is to be confirmed once more.
    pub(crate) sure: bool,
}

impl Choosing {
    /// Begins with the week before the date shown, or with the first that can be said.
    pub(crate) fn new(view: &View) -> Self {
        let shown = view.today.checked_sub(1.week()).unwrap_or(view.today);
        Self { from: monday(shown.max(view.earliest)), chosen: None, sure: false }
    }

    /// Turns to other days.
    pub(crate) fn turn(&mut self, days: i32, earliest: Date) {
        let turned = self.from.checked_add(Span::new().days(days)).unwrap_or(self.from);
        self.from = turned.clamp(monday(earliest), monday(latest(earliest)));
    }

    pub(crate) fn choose(&mut self, index: usize, earliest: Date) {
        self.chosen = self.days().nth(index).filter(|day| can_be(*day, earliest)).or(self.chosen);
    }

    /// The main button: the date, where it is said as clearly as it needs to be.
    pub(crate) fn take(&mut self, view: &View) -> Option<Date> {
        let chosen = self.chosen?;
        if self.sure || !needs_to_be_sure(view, chosen) {
            return Some(chosen);
        }
        self.sure = true;
        None
    }

    fn days(self) -> impl Iterator<Item = Date> {
        (0..DAYS)
            .filter_map(move |day| self.from.checked_add(Span::new().days(i64::try_from(day).ok()?)).ok())
    }
}

fn latest(earliest: Date) -> Date {
    earliest.checked_add(Span::new().days(LATEST_DAYS)).unwrap_or(earliest)
}

fn can_be(day: Date, earliest: Date) -> bool {
    (earliest..=latest(earliest)).contains(&day)
}

/// A date more than a day away from the one shown, or one that brings the next contract at once, is asked for twice.
fn needs_to_be_sure(view: &View, chosen: Date) -> bool {
    away(view.today, chosen).abs() > 1 || brings(view, chosen)
}

/// Whether a contract ends by it.
fn brings(view: &View, chosen: Date) -> bool {
    let coming = view.config.coming.as_ref();
    coming.is_some_and(|coming| coming.switchover && business_date(coming.at) <= chosen)
}

fn away(shown: Date, chosen: Date) -> i32 {
    shown.until(chosen).map_or(0, |span| span.get_days())
}

fn monday(day: Date) -> Date {
    let passed = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(Span::new().days(passed)).unwrap_or(day)
}

/// Fills the global `DateChoice`.
pub(crate) struct DateAdapter {
    days: Rc<VecModel<ui::DayCell>>,
}

impl DateAdapter {
    pub(crate) fn new(window: &ui::Tablet) -> Self {
        let days = Rc::new(VecModel::default());
        window.global::<ui::DateChoice>().set_days(ModelRc::from(Rc::clone(&days)));
        Self { days }
    }

    pub(crate) fn render(&self, window: &ui::Tablet, state: &State) {
        let Some(view) = &state.view else { return };
        let global = window.global::<ui::DateChoice>();
        global.set_in_doubt(view.clock_in_doubt);
        global.set_may_choose(!view.crew.locked);
        global.set_needed(view.config.date_needed);
        global.set_shown(words::calendar_day(view.today));
        let Some(choosing) = state.choosing.filter(|_| state.page == Page::Date) else { return };
        global.set_has_chosen(choosing.chosen.is_some());
        if let Some(chosen) = choosing.chosen {
            global.set_chosen(words::calendar_day(chosen));
            global.set_away(number(away(view.today, chosen)));
            let coming = view.config.coming.as_ref().filter(|_| brings(view, chosen));
            let name = coming.map(|coming| format!("{} {}", coming.contractor, coming.vehicle));
            global.set_becomes(name.unwrap_or_default().into());
        }
        global.set_sure(choosing.sure);
        global.set_has_before(choosing.from > monday(view.earliest));
        global.set_has_after(choosing.from < monday(latest(view.earliest)));
        let cell = |day: Date| ui::DayCell {
            date: words::calendar_day(day),
            live: can_be(day, view.earliest),
            shown: day == view.today,
            chosen: choosing.chosen == Some(day),
        };
        for (index, cell) in choosing.days().map(cell).enumerate() {
            if index < self.days.row_count() {
                self.days.set_row_data(index, cell);
            } else {
                self.days.push(cell);
            }
        }
    }
}

#[cfg(test)]
mod tests;
