//! What the crew has open and has chosen so far: pure, without a window.
//!
//! Each tap is a method; those that end in a record give back the [`Intent`]. What was chosen stays
//! until the terminal has said that it is on the disk, so a failure costs no second tapping.

use std::sync::Arc;

use jiff::civil::Date;
use meguri_config::terminal::ReasonSetting;
use meguri_core::view::{Coming, Intent, ListView, NotRecorded, Shown, Stop, View};
use meguri_proto::limits::LONG_TEXT;
use meguri_proto::pickup::State as PickupState;
use meguri_proto::{Item, ItemResult, ListRef, PickupId, Reason};

use super::config::News;
use super::date::Choosing;

/// Which stops the list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Left,
    Done,
    Refused,
}

impl Tab {
    /// Every state is under one tab, so that the tabs' counts add up to all stops.
    pub(crate) fn of(state: &PickupState) -> Self {
        match state {
            PickupState::Open => Self::Left,
            PickupState::Collected | PickupState::PartlyCollected => Self::Done,
            PickupState::NotCollected(_)
            | PickupState::Revisit(_)
            | PickupState::Cancelled
            | PickupState::NotReported => Self::Refused,
        }
    }
}

/// What the page beside or over the list asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Pickup,
    Causes,
    Note,
    About,
    Config,
    Date,
}

impl Page {
    /// Whether it is of no pickup, so that it stays open when pickups come and go.
    fn of_the_terminal(self) -> bool {
        matches!(self, Self::About | Self::Config | Self::Date)
    }
}

/// Why the last tap did not become a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The terminal did not take it.
    NotRecorded(NotRecorded),
    /// The office changed the pickup while it was being worked on.
    Gone,
}

/// What is chosen for the open pickup and not yet recorded.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// The items as they were when the page was opened.
    items: Vec<Item>,
    /// How many of each are collected.
    pub(crate) taken: Vec<u32>,
    /// Why the rest of each is not.
    pub(crate) reasons: Vec<Option<Reason>>,
    /// The reason under the finger.
    pub(crate) chosen: Option<Reason>,
    /// Whether the reason is asked item by item; otherwise nothing at all was collected.
    pub(crate) partly: bool,
    /// The item the reason is asked for.
    pub(crate) at: usize,
    /// Whether the items that follow share its reason.
    pub(crate) same: bool,
    /// What the crew wrote.
    pub(crate) note: String,
}

impl Choice {
    fn new(items: &[Item]) -> Self {
        Self {
            items: items.to_vec(),
            taken: items.iter().map(|item| item.count).collect(),
            reasons: vec![None; items.len()],
            chosen: None,
            partly: false,
            at: 0,
            same: false,
            note: String::new(),
        }
    }

    pub(crate) fn pieces(&self) -> u64 {
        self.items.iter().map(|item| u64::from(item.count)).sum()
    }

    pub(crate) fn taken_pieces(&self) -> u64 {
        self.taken.iter().map(|&taken| u64::from(taken)).sum()
    }

    /// The items of which something is left, in order.
    pub(crate) fn short(&self) -> Vec<usize> {
        (0..self.items.len()).filter(|&item| self.taken[item] < self.items[item].count).collect()
    }

    /// Whether something was written that is more than blanks.
    pub(crate) fn noted(&self) -> bool {
        !self.note.trim().is_empty()
    }

    /// The items still to be asked for after the present one.
    fn after(&self) -> Vec<usize> {
        self.short().into_iter().filter(|&item| item > self.at).collect()
    }

    /// Whether the reason asked for now is the last one.
    pub(crate) fn last(&self) -> bool {
        !self.partly || self.same || self.after().is_empty()
    }
}

/// What is being written to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Writing {
    pub(crate) pickup: PickupId,
    undo: bool,
}

/// The screens' state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) view: Option<Arc<View>>,
    pub(crate) tab: Tab,
    pub(crate) page: Page,
    /// The pickup on the page.
    pub(crate) open: Option<PickupId>,
    /// Whether the page lies over the list, where both do not fit.
    pub(crate) over: bool,
    pub(crate) choice: Option<Choice>,
    pub(crate) writing: Option<Writing>,
    pub(crate) failure: Option<Failure>,
    /// The pickup that was recorded last, while its page is still open.
    pub(crate) recorded: Option<PickupId>,
    /// Whether a pickup that is not open any more is to be recorded all the same.
    anyway: bool,
    /// The date that the crew is about to choose, where it is in doubt.
    pub(crate) choosing: Option<Choosing>,
    news: News,
    reasons: Vec<ReasonSetting>,
    day: Option<Date>,
}

impl State {
    pub(crate) fn new(reasons: Vec<ReasonSetting>) -> Self {
        Self {
            view: None,
            tab: Tab::Left,
            page: Page::Pickup,
            open: None,
            over: false,
            choice: None,
            writing: None,
            failure: None,
            recorded: None,
            anyway: false,
            choosing: None,
            news: News::default(),
            reasons,
            day: None,
        }
    }

    pub(crate) fn list(&self) -> Option<&ListView> {
        self.view.as_ref()?.list.as_ref()
    }

    pub(crate) fn stop(&self) -> Option<&Stop> {
        let id = self.open?;
        self.list()?.stops.iter().find(|stop| stop.id() == id)
    }

    /// What is before the crew's eyes.
    pub(crate) fn shown(&self) -> Option<Shown> {
        let (list, stop) = (self.list()?, self.stop()?);
        let list = ListRef { date: list.date, version: list.version };
        Some(Shown { list, listed: Arc::clone(&stop.listed) })
    }

    /// The settings offer other reasons. One that is under the finger is asked for anew.
    pub(crate) fn offer(&mut self, reasons: Vec<ReasonSetting>) {
        self.reasons = reasons;
        let offered = |reason: Reason| self.reasons.iter().any(|setting| setting.code == reason);
        if let Some(choice) = &mut self.choice
            && self.writing.is_none()
        {
            choice.chosen = choice.chosen.filter(|&reason| offered(reason));
            if choice.chosen.is_none() && self.page == Page::Note {
                self.page = Page::Causes;
            }
        }
    }

    pub(crate) fn reasons(&self) -> &[ReasonSetting] {
        &self.reasons
    }

    /// Whether a reason demands a note.
    pub(crate) fn demands_note(&self, reason: Reason) -> bool {
        reason == Reason::Other || self.reasons.iter().any(|setting| setting.code == reason && setting.note)
    }

    /// Whether the open pickup can be recorded on its page now.
    pub(crate) fn form(&self) -> bool {
        self.recorded != self.open
            && self.stop().is_some_and(|stop| stop.state == PickupState::Open || self.anyway)
    }

    /// The next stop to go to after the page that is open.
    pub(crate) fn next(&self) -> Option<&Stop> {
        let stops = &self.list()?.stops;
        let here = stops.iter().position(|stop| Some(stop.id()) == self.open);
        let after = here.map_or(0, |here| here + 1);
        let is_next = |stop: &&Stop| {
            stop.state == PickupState::Open
                && Some(stop.id()) != self.open
                && Some(stop.id()) != self.recorded
        };
        stops[after..].iter().find(is_next).or_else(|| stops.iter().find(is_next))
    }

    /// The row to be marked: what is open, or after a record the next stop.
    pub(crate) fn selected(&self) -> Option<PickupId> {
        if self.recorded.is_some() && self.recorded == self.open {
            return self.next().map(Stop::id).or(self.open);
        }
        self.open
    }

    /// Takes a new view.
    pub(crate) fn show(&mut self, view: Arc<View>) {
        self.news.note(self.view.as_deref(), &view);
        if self.page == Page::Date && (!view.clock_in_doubt || view.crew.locked) {
            // The office has said which day it is, or it is no longer the crew that says it.
            self.leave_page();
        }
        self.view = Some(view);
        let day = self.list().map(|list| list.date);
        if day != self.day {
            self.day = day;
            self.tab = Tab::Left;
            self.close();
        }
        let Some(id) = self.open else { return self.open_first() };
        let listed = self.stop().map(|stop| Arc::clone(&stop.listed));
        let Some(listed) = listed else {
            // The office took it off the list. What is being written is answered all the same.
            self.close();
            return self.open_first();
        };
        if self.choice.as_ref().is_some_and(|choice| choice.items != listed.items) {
            // What was chosen speaks of other items: ask again rather than record something else.
            self.begin(id, &listed.items);
            self.failure = Some(Failure::Gone);
        }
        if self.writing.is_none() && self.asks_in_vain() {
            self.page = Page::Pickup;
            self.failure = Some(Failure::Gone);
        }
    }

    /// Whether the page asks for what can't be recorded any more: its button would do nothing.
    fn asks_in_vain(&self) -> bool {
        matches!(self.page, Page::Causes | Page::Note) && !self.form()
    }

    fn open_first(&mut self) {
        let first = self.next().map(|stop| (stop.id(), stop.listed.items.clone()));
        if let Some((id, items)) = first {
            self.begin(id, &items);
        }
    }

    fn begin(&mut self, id: PickupId, items: &[Item]) {
        self.open = Some(id);
        if !self.page.of_the_terminal() {
            self.page = Page::Pickup;
        }
        self.choice = Some(Choice::new(items));
        self.failure = None;
        self.recorded = None;
        self.anyway = false;
    }

    fn close(&mut self) {
        self.open = None;
        self.choice = None;
        self.failure = None;
        self.recorded = None;
        self.anyway = false;
        if !self.page.of_the_terminal() {
            self.page = Page::Pickup;
            self.over = false;
        }
    }

    pub(crate) fn choose_tab(&mut self, tab: Tab) {
        self.tab = tab;
    }

    pub(crate) fn open(&mut self, id: PickupId) {
        if self.writing.is_some() {
            return;
        }
        let items = self.list().and_then(|list| list.stops.iter().find(|stop| stop.id() == id));
        if let Some(items) = items.map(|stop| stop.listed.items.clone()) {
            self.page = Page::Pickup;
            self.begin(id, &items);
            self.over = true;
        }
    }

    pub(crate) fn about(&mut self) {
        self.turn_to(Page::About);
    }

    pub(crate) fn config(&mut self) {
        self.turn_to(Page::Config);
    }

    fn turn_to(&mut self, page: Page) {
        if self.writing.is_none() {
            self.page = page;
            self.over = true;
        }
    }

    fn leave_page(&mut self) {
        self.page = Page::Pickup;
        self.over = false;
        self.choosing = None;
    }

    /// What changed lately, and nobody has read yet.
    pub(crate) fn news(&self) -> Option<&Coming> {
        self.news.of(self.view.as_ref()?)
    }

    pub(crate) fn read_news(&mut self) {
        if let Some(view) = &self.view {
            self.news.read(view);
        }
    }

    /// The crew wants to choose the date. Whoever holds the tablet is no crew before they have signed in.
    pub(crate) fn choose_date(&mut self) {
        if let Some(view) = self.view.as_ref().filter(|view| view.clock_in_doubt && !view.crew.locked)
            && self.writing.is_none()
        {
            self.choosing = Some(Choosing::new(view));
            self.turn_to(Page::Date);
        }
    }

    pub(crate) fn turn_days(&mut self, days: i32) {
        if let (Some(choosing), Some(view)) = (&mut self.choosing, &self.view) {
            choosing.turn(days, view.earliest);
        }
    }

    pub(crate) fn choose_day(&mut self, index: usize) {
        if let (Some(choosing), Some(view)) = (&mut self.choosing, &self.view) {
            choosing.choose(index, view.earliest);
        }
    }

    fn unsure(&mut self) {
        if let Some(choosing) = &mut self.choosing {
            choosing.sure = false;
        }
    }

    /// The main button of the page of dates: the date that the crew has said.
    pub(crate) fn take_date(&mut self) -> Option<Date> {
        let (choosing, view) = (self.choosing.as_mut()?, self.view.as_ref()?);
        let said = choosing.take(view);
        if said.is_some() {
            self.leave_page();
        }
        said
    }

    pub(crate) fn back(&mut self) {
        if self.writing.is_some() {
            return;
        }
        self.failure = None;
        match self.page {
            Page::Pickup => self.leave(),
            Page::Date if self.choosing.is_some_and(|choosing| choosing.sure) => self.unsure(),
            Page::About | Page::Config | Page::Date => self.leave_page(),
            Page::Note => self.page = Page::Causes,
            Page::Causes => self.previous_cause(),
        }
    }

    /// Back to the list: the next stop is the one to open then.
    fn leave(&mut self) {
        self.over = false;
        if self.recorded.is_some() && self.recorded == self.open {
            self.go_next();
            self.over = false;
        }
    }

    fn previous_cause(&mut self) {
        let Some(choice) = &mut self.choice else { return };
        let before = choice.short().into_iter().rev().find(|&item| choice.partly && item < choice.at);
        match before {
            Some(item) => {
                choice.at = item;
                choice.same = false;
                choice.chosen = choice.reasons[item];
            }
            None => {
                choice.chosen = None;
                self.page = Page::Pickup;
            }
        }
    }

    pub(crate) fn go_next(&mut self) {
        if self.writing.is_some() {
            return;
        }
        match self.next().map(Stop::id) {
            Some(id) => self.open(id),
            None => self.over = false,
        }
    }

    pub(crate) fn anyway(&mut self) {
        if self.writing.is_none() && self.stop().is_some_and(|stop| stop.own.is_none()) {
            self.anyway = true;
            self.recorded = None;
        }
    }

    /// The choice, where one of these pages is open to change it. What was tapped on a page that has gone
    /// meanwhile changes nothing: a count may not change under the reasons that were asked for it.
    fn editing(&mut self, pages: &[Page]) -> Option<&mut Choice> {
        if self.writing.is_some() || !self.form() || !pages.contains(&self.page) {
            return None;
        }
        self.failure = None;
        self.choice.as_mut()
    }

    /// All of an item, or none of it.
    pub(crate) fn toggle(&mut self, item: usize) {
        if let Some(choice) = self.editing(&[Page::Pickup])
            && let Some(all) = choice.items.get(item).map(|item| item.count)
        {
            choice.taken[item] = if choice.taken[item] == all { 0 } else { all };
        }
    }

    /// One more, or one fewer, of an item.
    pub(crate) fn change(&mut self, item: usize, more: bool) {
        if let Some(choice) = self.editing(&[Page::Pickup])
            && let Some(all) = choice.items.get(item).map(|item| item.count)
        {
            let taken = choice.taken[item];
            choice.taken[item] = if more { (taken + 1).min(all) } else { taken.saturating_sub(1) };
        }
    }

    /// The main button: collected, or on to the reasons for what was not.
    pub(crate) fn collect(&mut self) -> Option<Intent> {
        let id = self.open?;
        let choice = self.editing(&[Page::Pickup])?;
        let taken = choice.taken_pieces();
        if taken == choice.pieces() {
            return self.write(Intent::Collect { pickup: id }, id, false);
        }
        self.ask(taken > 0);
        None
    }

    /// Nothing was collected: on to the reasons.
    pub(crate) fn refuse(&mut self) {
        if self.editing(&[Page::Pickup]).is_some() {
            self.ask(false);
        }
    }

    fn ask(&mut self, partly: bool) {
        let Some(choice) = &mut self.choice else { return };
        choice.partly = partly;
        choice.chosen = None;
        choice.same = false;
        choice.reasons.fill(None);
        choice.note.clear();
        choice.at = choice.short().first().copied().unwrap_or(0);
        self.page = Page::Causes;
    }

    pub(crate) fn choose(&mut self, reason: Reason) {
        if let Some(choice) = self.editing(&[Page::Causes]) {
            choice.chosen = Some(reason);
        }
    }

    pub(crate) fn toggle_same(&mut self) {
        if let Some(choice) = self.editing(&[Page::Causes]) {
            choice.same = !choice.same;
        }
    }

    pub(crate) fn edit_note(&mut self, note: &str) {
        if let Some(choice) = self.editing(&[Page::Note]) {
            // Counted in characters, as the wire counts them. A control character is no word of a note.
            choice.note =
                note.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONG_TEXT).collect();
        }
    }

    /// The main button of the reasons' and the note's page.
    pub(crate) fn confirm(&mut self) -> Option<Intent> {
        let id = self.open?;
        let on_note = self.page == Page::Note;
        let choice = self.editing(&[Page::Causes, Page::Note])?;
        let reason = choice.chosen?;
        if choice.partly {
            let at = choice.at;
            choice.reasons[at] = Some(reason);
            let after = choice.after();
            if choice.same {
                for item in after {
                    choice.reasons[item] = Some(reason);
                }
            } else if let Some(&next) = after.first() {
                choice.at = next;
                choice.chosen = choice.reasons[next];
                return None;
            }
        }
        let choice = self.choice.as_ref()?;
        let demanded = if choice.partly {
            choice.reasons.iter().flatten().any(|&reason| self.demands_note(reason))
        } else {
            self.demands_note(reason)
        };
        if demanded && !(on_note && choice.noted()) {
            self.page = Page::Note;
            return None;
        }
        let note = demanded.then(|| choice.note.trim().to_owned());
        let intent = if choice.partly {
            let items = (0..choice.items.len())
                .map(|item| ItemResult {
                    // A pickup has at most 50 items.
                    item: u32::try_from(item).unwrap_or(u32::MAX),
                    collected: choice.taken[item],
                    reason: choice.reasons[item].filter(|_| choice.taken[item] < choice.items[item].count),
                })
                .collect();
            Intent::Partly { pickup: id, items, note }
        } else {
            Intent::Refuse { pickup: id, reason, note }
        };
        self.write(intent, id, false)
    }

    /// Takes back what this terminal said.
    pub(crate) fn undo(&mut self) -> Option<Intent> {
        let id = self.open?;
        if self.writing.is_some() || !self.undoable() {
            return None;
        }
        self.failure = None;
        self.write(Intent::Undo { pickup: id }, id, true)
    }

    /// Whether there is something of this terminal to take back.
    pub(crate) fn undoable(&self) -> bool {
        // Just recorded counts too: the answer may come a moment before the view that shows it.
        !self.form()
            && (self.recorded.is_some() && self.recorded == self.open
                || self.stop().is_some_and(|stop| stop.own.is_some()))
    }

    #[allow(clippy::unnecessary_wraps)] // Reads well at the end of every tap that records.
    fn write(&mut self, intent: Intent, pickup: PickupId, undo: bool) -> Option<Intent> {
        self.writing = Some(Writing { pickup, undo });
        Some(intent)
    }

    /// The terminal's answer to the intent that was given out last. Says whether it is on the disk.
    pub(crate) fn answered(&mut self, result: Result<(), NotRecorded>) -> bool {
        let Some(writing) = self.writing.take() else { return false };
        if self.open != Some(writing.pickup) {
            return result.is_ok();
        }
        match result {
            Ok(()) => {
                let items = self.stop().map(|stop| stop.listed.items.clone()).unwrap_or_default();
                self.begin(writing.pickup, &items);
                self.recorded = (!writing.undo).then_some(writing.pickup);
                true
            }
            Err(why) => {
                self.failure = Some(Failure::NotRecorded(why));
                if self.asks_in_vain() {
                    self.page = Page::Pickup;
                }
                false
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
