//! What was set aside: the list, and one of them.

use jiff::civil::Date;
use maud::{Markup, html};

use super::super::aside::{Aside, Listed};
use super::super::format;
use super::super::request::Address;
use super::super::text::{Lang, Text};
use super::{Sections, aside_count};
use crate::office::Place;

/// The list.
pub(in super::super) struct View<'a> {
    /// What is on this page.
    pub(in super::super) listed: &'a Listed,
    /// Where the gateway works, for those who work it.
    pub(in super::super) data: Option<&'a Place>,
    /// The language.
    pub(in super::super) lang: Lang,
    /// Which page, from 1.
    pub(in super::super) page: u32,
    /// The day on which it is looked at.
    pub(in super::super) today: Date,
}

impl View<'_> {
    /// The parts that change while the page is looked at.
    pub(in super::super) fn sections(&self) -> Sections {
        Sections::from([
            ("aside", self.list().into_string()),
            ("aside-count", aside_count(Some(self.listed.open)).into_string()),
        ])
    }

    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        html! {
            div .dayline { h1 { (self.lang.say(Text::AsideTitle)) } (super::live_state(self.lang)) }
            div #aside { (self.list()) }
        }
    }

    fn list(&self) -> Markup {
        let (lang, listed) = (self.lang, self.listed);
        let open = listed.rows.iter().filter(|row| row.settled.is_none());
        let mut settled = listed.rows.iter().filter(|row| row.settled.is_some()).peekable();
        let count = |text, count: u32| lang.fill(text, &[("count", &format::number(count))]);
        html! {
            section .card {
                div .head { h2 { (count(Text::AsideOpen, listed.open)) } }
                @if listed.open == 0 { p .empty { (lang.say(Text::AsideNone)) } }
                @else {
                    p .sub { (lang.say(Text::AsideLead)) }
                    (commands(lang, self.data, lang.say(Text::AsideId)))
                }
                ul .asides { @for row in open { li { (self.row(row)) } } }
            }
            @if settled.peek().is_some() {
                section .card .over {
                    div .head { h2 { (count(Text::AsideSettled, listed.settled)) } }
                    ul .asides { @for row in settled { li { (self.row(row)) } } }
                }
            }
            (super::pager(lang, &Address::new("/aside", &[]), self.page, listed.more))
        }
    }

    fn row(&self, row: &Aside) -> Markup {
        let lang = self.lang;
        html! {
            p .what {
                span .time { (format::clock_on(lang, &format::stored(row.at), self.today)) } " "
                (problem(lang, row))
            }
            p .sub { (facts(lang, row, self.today)) }
            (content(lang, row, ""))
            @if row.cut { p .sub { a .quiet href={ "/aside/" (row.id) } { (lang.say(Text::AsideWhole)) } } }
        }
    }
}

/// What is wrong: in the page's words where the problem is one that the office knows, and as it was noted.
fn problem(lang: Lang, row: &Aside) -> Markup {
    let noted = row.problem.as_str();
    let known = match noted {
        "unknown topic" => Some(Text::ProblemTopic),
        "unknown terminal" => Some(Text::ProblemTerminal),
        "the terminal is blocked" => Some(Text::ProblemBlocked),
        "the contract is not the terminal's" => Some(Text::ProblemContract),
        "the pickup is unknown" => Some(Text::ProblemPickup),
        "the pickup is not of the contract" => Some(Text::ProblemPickupContract),
        "the id is another fact's" => Some(Text::ProblemId),
        "a note that no entry names" | "a note that its SHA-256 does not name" => Some(Text::ProblemNote),
        "the store refused it" => Some(Text::ProblemStore),
        "the terminal names too many epochs of which no entry is held" => Some(Text::ProblemEpochs),
        _ if noted.starts_with("too many are set aside") => Some(Text::ProblemMany),
        _ if noted.contains(" has version ") => Some(Text::ProblemVersion),
        _ if noted.contains("can't be read") => Some(Text::ProblemMalformed),
        _ if noted.contains("outside its limits") => Some(Text::ProblemBounds),
        _ if noted.contains("bytes, more than") => Some(Text::ProblemLarge),
        _ => None,
    };
    let open = row.settled.is_none();
    html! {
        @match known {
            // English pages say it as it was noted.
            Some(known) if lang == Lang::Ja => { b .warn[open] { (lang.say(known)) } " " span .sub { (noted) } }
            _ => { b .warn[open] { (noted) } }
        }
    }
}

fn facts(lang: Lang, row: &Aside, today: Date) -> Markup {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(row.terminal.iter().map(|terminal| format!("{} {terminal}", lang.say(Text::AsideTerminal))));
    facts.extend(row.seq.map(|seq| lang.fill(Text::AsideEntry, &[("seq", &seq)])));
    facts.push(lang.fill(Text::AsideBytes, &[("bytes", &format::number(row.bytes))]));
    if let Some((at, how)) = &row.settled {
        let time = format::clock_on(lang, &format::stored(*at), today);
        let how = match how.as_str() {
            "put away" => lang.say(Text::SettledPutAway),
            "processed" => lang.say(Text::SettledProcessed),
            other => other,
        };
        facts.push(lang.fill(Text::AsideSettledAt, &[("time", &time), ("how", &how)]));
    }
    let name = lang.fill(Text::AsideNumber, &[("id", &row.id)]);
    html! {
        code { (row.topic) } br;
        a href={ "/aside/" (row.id) } { (name) } (super::dot(lang)) (facts.join(super::dot(lang)))
    }
}

/// What came, as far as it is shown.
fn content(lang: Lang, row: &Aside, class: &str) -> Markup {
    html! {
        @if row.emptied { p .sub { (lang.say(Text::AsideEmptied)) } }
        @else if !row.raw.is_empty() { pre class=(class) { (row.raw) @if row.cut { "…" } } }
    }
}

/// How one is settled.
fn commands(lang: Lang, data: Option<&Place>, id: &str) -> Markup {
    html! {
        (super::command(lang, Text::AsideRetry, data, &format!("aside retry {id}")))
        (super::command(lang, Text::AsideSettle, data, &format!("aside settle {id}")))
    }
}

/// The page of one.
pub(in super::super) fn one(lang: Lang, row: &Aside, today: Date, data: Option<&Place>) -> Markup {
    html! {
        div .dayline {
            h1 { (lang.fill(Text::AsideNumber, &[("id", &row.id)])) }
            nav .days { a .quiet href="/aside" { (lang.say(Text::AsideBack)) } }
        }
        section .card {
            dl .facts {
                dt { (lang.say(Text::AsideProblem)) } dd { (problem(lang, row)) }
                dt { (lang.say(Text::AsideArrived)) } dd { (format::exact(&format::stored(row.at))) }
                dt { (lang.say(Text::AsideTopic)) } dd { (facts(lang, row, today)) }
            }
            @if row.settled.is_none() { (commands(lang, data, &row.id.to_string())) }
            (content(lang, row, "whole"))
            @if row.cut { p .sub { (lang.fill(Text::AsideCut, &[("bytes", &format::number(row.bytes))])) } }
        }
    }
}
