//! Kinds of things as the screens know them. No text: `app/ui/words.slint` has the words.

use jiff::civil::Date;
use meguri_core::view::{Link, NotRecorded};
use meguri_core::{Trouble, TroubleKind};
use meguri_proto::pickup::{Result as Outcome, State};
use meguri_proto::{Payment, Reason};

use super::state::{Failure, Page, Tab};
use meguri_screens as ui;

pub(crate) fn mark(state: &State) -> ui::Mark {
    match state {
        State::Open => ui::Mark::Open,
        State::Collected => ui::Mark::Collected,
        State::PartlyCollected => ui::Mark::Partly,
        State::NotCollected(_) => ui::Mark::NotCollected,
        State::Revisit(_) => ui::Mark::Revisit,
        State::Cancelled => ui::Mark::Cancelled,
        State::NotReported => ui::Mark::NotReported,
    }
}

pub(crate) fn outcome(outcome: &Outcome) -> ui::Mark {
    match outcome {
        Outcome::Collected => ui::Mark::Collected,
        Outcome::Partly { .. } => ui::Mark::Partly,
        Outcome::NotCollected { .. } => ui::Mark::NotCollected,
    }
}

macro_rules! causes {
    ($($reason:ident => $cause:ident),* $(,)?) => {
        pub(crate) fn cause(reason: Reason) -> ui::Cause {
            match reason { $(Reason::$reason => ui::Cause::$cause),* }
        }

        pub(crate) fn reason(cause: ui::Cause) -> Option<Reason> {
            match cause {
                ui::Cause::None => None,
                $(ui::Cause::$cause => Some(Reason::$reason),)*
            }
        }
    };
}

causes! {
    NotOut => NotOut,
    TicketShort => TicketShort,
    OtherItem => OtherItem,
    OtherCount => OtherCount,
    NotApplied => NotApplied,
    PlaceNotFound => PlaceNotFound,
    AccessBlocked => AccessBlocked,
    Unsafe => Unsafe,
    NotAccepted => NotAccepted,
    NoRecyclingTicket => NoRecyclingTicket,
    Business => Business,
    Other => Other,
}

pub(crate) fn link(link: &Link) -> (ui::LinkState, &str) {
    match link {
        Link::Up => (ui::LinkState::Up, ""),
        Link::Joining => (ui::LinkState::Joining, ""),
        Link::Down => (ui::LinkState::Down, ""),
        Link::Refused(why) => (ui::LinkState::Refused, why),
    }
}

pub(crate) fn payment(payment: Payment) -> ui::Payment {
    match payment {
        Payment::Tickets => ui::Payment::Tickets,
        Payment::Cashless => ui::Payment::Cashless,
        Payment::NumberTag => ui::Payment::NumberTag,
    }
}

pub(crate) fn tab(tab: Tab) -> ui::Tab {
    match tab {
        Tab::Left => ui::Tab::Left,
        Tab::Done => ui::Tab::Done,
        Tab::Refused => ui::Tab::Refused,
    }
}

pub(crate) fn tab_back(tab: ui::Tab) -> Tab {
    match tab {
        ui::Tab::Left => Tab::Left,
        ui::Tab::Done => Tab::Done,
        ui::Tab::Refused => Tab::Refused,
    }
}

pub(crate) fn page(page: Page) -> ui::Page {
    match page {
        Page::Pickup => ui::Page::Pickup,
        Page::Causes => ui::Page::Causes,
        Page::Note => ui::Page::Note,
        Page::About => ui::Page::About,
        Page::Config => ui::Page::Config,
        Page::Date => ui::Page::Date,
    }
}

pub(crate) fn calendar_day(day: Date) -> ui::CalendarDay {
    ui::CalendarDay {
        year: day.year().into(),
        month: day.month().into(),
        day: day.day().into(),
        weekday: day.weekday().to_monday_one_offset().into(),
    }
}

/// The trouble, and what only somebody who repairs the terminal reads.
pub(crate) fn trouble(trouble: Option<&Trouble>) -> (ui::Trouble, &str) {
    let Some(Trouble { kind, detail }) = trouble else { return (ui::Trouble::None, "") };
    let kind = match kind {
        TroubleKind::DiskFull => ui::Trouble::DiskFull,
        TroubleKind::ReadOnly => ui::Trouble::ReadOnly,
        TroubleKind::Write => ui::Trouble::Write,
        TroubleKind::Slow => ui::Trouble::Slow,
        TroubleKind::Unsendable => ui::Trouble::Unsendable,
        TroubleKind::NoteLost => ui::Trouble::NoteLost,
    };
    (kind, detail)
}

/// The failure, and what only somebody who repairs the terminal reads.
pub(crate) fn failure(failure: Option<&Failure>) -> (ui::Failure, String) {
    let kind = match failure {
        None => ui::Failure::None,
        Some(Failure::Gone) => ui::Failure::Gone,
        Some(Failure::NotRecorded(why)) => match why {
            NotRecorded::Changed => ui::Failure::Gone,
            NotRecorded::NotListed | NotRecorded::Locked => ui::Failure::NotListed,
            NotRecorded::NothingToUndo => ui::Failure::NothingToUndo,
            NotRecorded::Already => ui::Failure::Already,
            NotRecorded::NoteMissing => ui::Failure::NoteMissing,
            NotRecorded::Misfit(detail) => return (ui::Failure::Misfit, detail.clone()),
            NotRecorded::Store(detail) => return (ui::Failure::Store, detail.clone()),
        },
    };
    (kind, String::new())
}
