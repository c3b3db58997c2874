//! A pickup's state as the pages count, name and draw it.

use meguri_proto::Reason;
use meguri_proto::pickup::Contradiction;

use super::format;
use super::text::{Lang, Text};

/// The state as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// 予定.
    Open,
    /// 収集済.
    Collected,
    /// 一部収集.
    Partly,
    /// 収集不可.
    NotCollected,
    /// 再収集.
    Revisit,
    /// 取消.
    Cancelled,
    /// 未報告.
    NotReported,
}

impl State {
    /// The state with this code in the store.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "open" => Self::Open,
            "collected" => Self::Collected,
            "partly" => Self::Partly,
            "not_collected" => Self::NotCollected,
            "revisit" => Self::Revisit,
            "cancelled" => Self::Cancelled,
            "not_reported" => Self::NotReported,
            _ => return None,
        })
    }

    /// A column with a state.
    pub(super) fn of_row(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Self> {
        let code = row.get_ref(column)?.as_str()?;
        Self::of_code(code).ok_or_else(|| {
            let problem = format!("{code:?} is not a state");
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, problem.into())
        })
    }

    /// Its word.
    pub(super) fn word(self) -> Text {
        match self {
            Self::Open => Text::Open,
            Self::Collected => Text::Collected,
            Self::Partly => Text::Partly,
            Self::NotCollected => Text::NotCollected,
            Self::Revisit => Text::Revisit,
            Self::Cancelled => Text::Cancelled,
            Self::NotReported => Text::NotReported,
        }
    }

    /// Its colour's class; the symbol beside the word says the same without colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Collected => "go",
            Self::Partly => "warn",
            Self::NotCollected | Self::NotReported => "stop",
            Self::Revisit => "info",
            Self::Cancelled => "done",
        }
    }
}

/// How many pickups are in which state. Every pickup counts once: the five add up to all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Collected.
    pub(super) done: u32,
    /// Partly collected.
    pub(super) partly: u32,
    /// Not collected, to be visited again, or not reported.
    pub(super) not: u32,
    /// Open.
    pub(super) left: u32,
    /// Cancelled.
    pub(super) cancelled: u32,
}

impl Counts {
    /// Adds `count` pickups in this state.
    pub(super) fn add(&mut self, state: State, count: u32) {
        *match state {
            State::Collected => &mut self.done,
            State::Partly => &mut self.partly,
            State::NotCollected | State::Revisit | State::NotReported => &mut self.not,
            State::Open => &mut self.left,
            State::Cancelled => &mut self.cancelled,
        } += count;
    }

    /// Adds what others count.
    pub(super) fn add_all(&mut self, other: Self) {
        self.done += other.done;
        self.partly += other.partly;
        self.not += other.not;
        self.left += other.left;
        self.cancelled += other.cancelled;
    }

    /// The plan: everything that was not cancelled.
    pub(super) fn planned(self) -> u32 {
        self.done + self.partly + self.not + self.left
    }

    /// Everything.
    pub(super) fn total(self) -> u32 {
        self.planned() + self.cancelled
    }
}

/// A contradiction's word.
pub(super) fn contradiction(contradiction: Contradiction) -> Text {
    match contradiction {
        Contradiction::TerminalsDiffer => Text::TerminalsDiffer,
        Contradiction::CollectedThoughCancelled => Text::CollectedThoughCancelled,
        Contradiction::CollectedThoughRevisit => Text::CollectedThoughRevisit,
    }
}

/// A reason's name by its code; a code of a later version stands as it is.
pub(super) fn reason(lang: Lang, code: &str) -> String {
    code.parse::<Reason>().map_or_else(|_| code.to_owned(), |reason| format::reason(lang, reason).to_owned())
}
