//! What the list of terminals looks like, and the pieces that it shares with the pages of one.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::City;
use meguri_proto::limits;

use super::super::fleet::{Certificate, Fleet, Holder, Standing, Terminal};
use super::super::format;
use super::super::names::Names;
use super::super::request::Address;
use super::super::terminals::PAGE;
use super::super::text::{Lang, Text};
use super::people::key;
use crate::office::Place;
use crate::register::Kind;

/// What is filled into a text.
#[derive(Debug)]
pub(in super::super) enum Named {
    /// As it is.
    Plain(String),
    /// In the page's language.
    Text(Text),
}

impl From<&str> for Named {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Named {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

/// What came of a change.
#[derive(Debug)]
pub(in super::super) enum Said {
    /// It is done.
    Done(Text),
    /// It is noted, and not true everywhere yet.
    Waits(Text),
    /// It is not, and why, with what is filled into that.
    Wrong(Text, Vec<(&'static str, Named)>),
}

impl Said {
    /// Why it is not done.
    pub(in super::super) fn wrong(text: Text) -> Self {
        Self::Wrong(text, Vec::new())
    }

    /// In words.
    pub(in super::super) fn shown(&self, lang: Lang) -> Markup {
        match self {
            Self::Done(text) => html! { p .told role="status" { (lang.say(*text)) } },
            Self::Waits(text) => html! { p .look role="alert" { (lang.say(*text)) } },
            Self::Wrong(text, values) => {
                let values: Vec<(&str, String)> = values
                    .iter()
                    .map(|(name, value)| {
                        let value = match value {
                            Named::Plain(text) => text.clone(),
                            Named::Text(text) => lang.say(*text).to_owned(),
                        };
                        (*name, value)
                    })
                    .collect();
                let values: Vec<(&str, &dyn std::fmt::Display)> =
                    values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
                html! { p .look role="alert" { (lang.fill(*text, &values)) } }
            }
        }
    }
}

/// How a terminal stands, as a symbol and a word.
pub(super) fn standing(lang: Lang, standing: Standing) -> Markup {
    let (class, text) = match standing {
        Standing::Blocked => ("stop", Text::TerminalBlocked),
        Standing::Lost => ("stop", Text::TerminalLost),
        Standing::Erased => ("done", Text::TerminalErased),
        Standing::NotEnrolled => ("done", Text::TerminalNotEnrolled),
        Standing::Online => ("go", Text::VehicleConnected),
        Standing::Silent => ("warn", Text::Silent),
        Standing::Away => ("done", Text::VehicleAway),
    };
    html! { b .line .(class) { (lang.say(text)) } }
}

/// Since when a lost terminal is lost, and whether it is erased; none for one that is not lost.
pub(super) fn fate(lang: Lang, terminal: &Terminal, today: Date) -> Option<String> {
    let lost = terminal.lost?;
    let time = |at| format::clock_on(lang, &format::in_japan(at), today);
    Some(match terminal.erased {
        Some(erased) => {
            lang.fill(Text::TerminalErasedAt, &[("lost", &time(lost)), ("erased", &time(erased))])
        }
        None => lang.fill(Text::TerminalLostSince, &[("time", &time(lost))]),
    })
}

fn date(at: Timestamp) -> String {
    format::in_japan(at).date().to_string()
}

/// A certificate's end, renewal, and whether the terminal came in by it.
pub(super) fn certificate(lang: Lang, certificate: &Certificate) -> Markup {
    if certificate.over {
        return html! {
            b .line .warn { (lang.fill(Text::CertificateOver, &[("day", &date(certificate.until))])) }
            span .sub .line { (lang.say(Text::CertificateAnew)) }
        };
    }
    html! {
        (lang.fill(Text::CertificateUntil, &[("day", &date(certificate.until))]))
        span .sub .line { (lang.fill(Text::CertificateRenews, &[("day", &date(certificate.renews()))])) }
        @match certificate.connected {
            Some(at) => span .sub .line { (lang.fill(Text::CertificateConnected, &[("day", &date(at))])) },
            None => span .sub .warn .line { (lang.say(Text::CertificateWaiting)) },
        }
    }
}

fn holder(names: &Names, holder: &Holder) -> Markup {
    html! {
        (names.company(holder.contractor.as_str()))
        span .sub .line { (holder.person) }
    }
}

pub(super) fn heard(lang: Lang, terminal: &Terminal, today: Date) -> String {
    match terminal.heard {
        Some(at) => {
            lang.fill(Text::TerminalHeard, &[("time", &format::clock_on(lang, &format::in_japan(at), today))])
        }
        None => lang.say(Text::TerminalNeverHeard).to_owned(),
    }
}

/// All terminals that somebody sees.
pub(in super::super) struct List<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) fleet: &'a Fleet,
    pub(in super::super) text: &'a str,
    pub(in super::super) page: u32,
    pub(in super::super) address: &'a Address,
    pub(in super::super) today: Date,
    pub(in super::super) manages: bool,
    /// Whether all of the city is seen, so that whoever is not told of has none.
    pub(in super::super) whole: bool,
    pub(in super::super) tls: bool,
    pub(in super::super) data: Option<&'a Place>,
    pub(in super::super) form: &'a str,
    /// What was typed for a new one.
    pub(in super::super) typed: (&'a str, &'a str),
    pub(in super::super) said: Option<&'a Said>,
}

impl List<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let found = self.fleet.matching(self.text);
        let per_page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let skip = usize::try_from(self.page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
        let shown: Vec<&Terminal> = found.iter().skip(skip).take(per_page).copied().collect();
        let more = found.len() > skip.saturating_add(per_page);
        html! {
            div .dayline {
                h1 { (say(Text::Terminals)) }
                span .asof { (self.summary()) }
            }
            @if let Some(said) = self.said { (said.shown(lang)) }
            section .card {
                form .search role="search" aria-label=(say(Text::Terminals)) action="/terminals" {
                    label .wide { span { (say(Text::TerminalSearch)) }
                        input type="search" name="q" value=(self.text) maxlength="100" autocomplete="off"; }
                    button { (say(Text::SearchDo)) }
                }
                @if shown.is_empty() {
                    p .empty { (say(if self.text.is_empty() { Text::NoTerminals } else { Text::TerminalsNone })) }
                } @else if self.manages {
                    form action="/handover" {
                        (self.table(&shown))
                        p .more { button .quiet { (say(Text::HandingBegin)) } }
                    }
                } @else {
                    (self.table(&shown))
                }
                (super::pager(lang, self.address, self.page, more))
            }
            @if self.manages { (self.add()) }
        }
    }

    /// How many stand how.
    fn summary(&self) -> String {
        let lang = self.lang;
        let count = |one| self.fleet.terminals.iter().filter(|terminal| terminal.standing == one).count();
        let mut parts = vec![lang.fill(Text::TerminalsAll, &[("count", &self.fleet.terminals.len())])];
        for (standing, text) in [
            (Standing::Online, Text::VehicleConnected),
            (Standing::Silent, Text::Silent),
            (Standing::NotEnrolled, Text::TerminalNotEnrolled),
            (Standing::Blocked, Text::TerminalBlocked),
            (Standing::Lost, Text::TerminalLost),
            (Standing::Erased, Text::TerminalErased),
        ] {
            let count = count(standing);
            if count > 0 {
                parts.push(format!("{} {}", lang.say(text), format::number(count as u64)));
            }
        }
        parts.join(super::comma(lang))
    }

    fn table(&self, shown: &[&Terminal]) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let names = &self.fleet.names;
        html! {
            table .terminals {
                thead { tr {
                    @if self.manages { th { span .hidden { (say(Text::HandingChoose)) } } }
                    th { (say(Text::AsideTerminal)) }
                    th { (say(Text::State)) }
                    th { (say(Text::Vehicle)) }
                    th { (say(Text::TerminalHolder)) }
                    @if self.tls { th { (say(Text::Certificate)) } }
                    th { (say(Text::TerminalVersion)) }
                } }
                tbody { @for terminal in shown { tr {
                    @if self.manages { td .pick {
                        input type="checkbox" name="t" value=(terminal.id)
                            aria-label=(lang.fill(Text::HandingChooseOne, &[("terminal", &terminal.id)]));
                    } }
                    th scope="row" {
                        a .number href={ "/terminals/" (terminal.id) } { (terminal.id) }
                        @if !terminal.record.asset.is_empty() { span .sub .line { (terminal.record.asset) } }
                    }
                    td {
                        (standing(lang, terminal.standing))
                        @if let Some(fate) = fate(lang, terminal, self.today) { span .sub .line { (fate) } }
                        span .sub .line { (heard(lang, terminal, self.today)) }
                    }
                    td {
                        (names.vehicle(&terminal.vehicle))
                        span .sub .line { (names.contractor(terminal.contract.as_str())) }
                    }
                    td data-label=(say(Text::TerminalHolder)) {
                        @match &terminal.holder {
                            Some(one) => (holder(names, one)),
                            None => span .sub { (say(if self.whole { Text::HolderCity } else { Text::None })) },
                        }
                    }
                    @if self.tls { td data-label=(say(Text::Certificate)) {
                        @match &terminal.certificate {
                            Some(one) => (certificate(lang, one)),
                            None => span .sub { (say(Text::None)) },
                        }
                    } }
                    td data-label=(say(Text::TerminalVersion)) { (terminal.app.as_deref().unwrap_or("－")) }
                } } }
            }
        }
    }

    fn add(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! { section .card {
            div .head { h2 { (say(Text::TerminalAdd)) } }
            @if self.tls {
                form .search method="post" action="/terminals/add" autocomplete="off" {
                    (key(self.form))
                    label { span { (say(Text::TerminalName)) }
                        input name="terminal" value=(self.typed.0) autocapitalize="none" spellcheck="false"
                            maxlength=(limits::ID_BYTES) pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?"
                            title=(say(Text::TerminalNameWrong)) required; }
                    label { span { (say(Text::Vehicle)) }
                        select name="vehicle" required {
                            option value="" { "－" }
                            @for vehicle in &self.city.vehicle {
                                option value=(vehicle.id) selected[vehicle.id.as_str() == self.typed.1] {
                                    (lang.fill(Text::VehicleRound, &[("vehicle", &vehicle.name), ("round", &vehicle.round)]))
                                }
                            }
                        } }
                    button .button { (say(Text::TerminalAddDo)) }
                }
                p .sub { (say(Text::TerminalAddLead)) }
            } @else {
                p .sub { (say(Text::TerminalNoTls)) }
                (super::command(lang, Text::UncarriedAdd, self.data, lang.say(Text::TerminalAddHow)))
            }
        } }
    }
}

/// Handing over or giving back, in a word.
pub(super) fn kind(kind: Kind) -> Text {
    match kind {
        Kind::Handover => Text::HandingOver,
        Kind::Return => Text::HandingBack,
    }
}
