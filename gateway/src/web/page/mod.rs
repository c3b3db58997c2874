//! What the pages look like: one frame, and the pieces that several pages share.

pub(super) mod aside;
pub(super) mod attention;
pub(super) mod board;
pub(super) mod crews;
pub(super) mod exposure;
pub(super) mod handing;
pub(super) mod items;
pub(super) mod people;
pub(super) mod pickup;
pub(super) mod problem;
pub(super) mod readiness;
pub(super) mod search;
pub(super) mod switchovers;
pub(super) mod terminal;
pub(super) mod terminals;
pub(super) mod tokens;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};
use meguri_config::City;
use meguri_proto::{Digest, Item, Payment, Ticket};

use super::state::{self, State};
use super::text::{Lang, Text};
use crate::people::{Action, Person};
use crate::vitals::Checks;

use super::{format, request::Address};
use crate::office::Place;

/// As [`readiness::csv`], in the language that comes first.
///
/// # Errors
/// When a row can't be written, which memory always can.
pub(crate) fn readiness_csv(readiness: &crate::switchover::Readiness) -> Result<Vec<u8>, csv::Error> {
    readiness::csv(Lang::default(), readiness)
}

/// The style sheet.
pub(super) const CSS: &str = include_str!("../../../assets/page.css");
/// The script.
pub(super) const JS: &str = include_str!("../../../assets/page.js");
/// The mark beside the page's name.
pub(super) const ICON: &str = include_str!("../../../assets/icon.svg");

/// Names an asset by its content, so that a browser may keep it for ever.
fn version(content: &str) -> String {
    Digest::of(content.as_bytes()).to_string().chars().take(12).collect()
}

static CSS_VERSION: LazyLock<String> = LazyLock::new(|| version(CSS));
static JS_VERSION: LazyLock<String> = LazyLock::new(|| version(JS));
static ICON_VERSION: LazyLock<String> = LazyLock::new(|| version(ICON));

/// The part of a page that changes while it is looked at, by the id of the element that holds it.
pub(super) type Sections = BTreeMap<&'static str, String>;

/// Where the page stands in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    /// The front page.
    Today,
    /// Search.
    Search,
    /// The catalogue.
    Items,
    /// What was set aside.
    Aside,
    /// Switchovers.
    Switchovers,
    /// Terminals.
    Terminals,
    /// Crews.
    Crews,
    /// Accounts.
    People,
    /// Other systems' tokens.
    Tokens,
    /// The audit log.
    Audit,
    /// One's own account.
    Account,
    /// None of them.
    Other,
}

/// What the frame shows around a page.
pub(super) struct Frame<'a> {
    /// The language.
    pub(super) lang: Lang,
    /// The city.
    pub(super) city: &'a City,
    /// The page's address, for the switch of language.
    pub(super) address: &'a Address,
    /// The page's name.
    pub(super) title: String,
    /// Where it stands in the menu.
    pub(super) tab: Tab,
    /// How much is set aside and open; none where it was not asked.
    pub(super) aside_open: Option<u32>,
    /// The address of the page's live stream.
    pub(super) events: Option<String>,
    /// What keeps the office from its work.
    pub(super) troubles: Markup,
    /// Who is signed in; none for pages before it.
    pub(super) person: Option<&'a Person>,
    /// Whether the contracts of their contractor are over.
    pub(super) left: bool,
}

impl Frame<'_> {
    /// The page with its frame.
    pub(super) fn around(&self, main: &Markup) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let may = |action| self.person.is_some_and(|person| person.may(action, self.left));
        html! {
            (DOCTYPE)
            html lang=(lang.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " - " (say(Text::Product)) " " (self.city.name) }
                    link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?v=" (*ICON_VERSION) };
                    link rel="stylesheet" href={ "/assets/page.css?v=" (*CSS_VERSION) };
                    script src={ "/assets/page.js?v=" (*JS_VERSION) } defer {}
                }
                body data-events=[self.events.as_deref()]
                    data-on=(say(Text::LiveOn)) data-connecting=(say(Text::LiveConnecting))
                    data-lost=(say(Text::LiveLost)) {
                    a .skip href="#main" { (say(Text::SkipToMain)) }
                    header .bar {
                        a .brand href="/" { (say(Text::Product)) }
                        @if let Some(person) = self.person {
                            nav aria-label=(say(Text::MainMenu)) {
                                @if may(Action::ReadPickups) {
                                    (self.tab(Tab::Today, "/", &html! { (say(Text::Today)) }))
                                    (self.tab(Tab::Search, "/search", &html! { (say(Text::Search)) }))
                                }
                                (self.tab(Tab::Items, "/items", &html! { (say(Text::Items)) }))
                                @if may(Action::ReadAside) {
                                    (self.tab(Tab::Aside, "/aside", &html! {
                                        (say(Text::SetAside))
                                        span #aside-count { (aside_count(self.aside_open)) }
                                    }))
                                }
                                @if may(Action::ReadSwitchovers) { (self.tab(Tab::Switchovers, "/switchovers", &html! { (say(Text::Switchovers)) })) }
                                @if may(Action::ReadTerminals) { (self.tab(Tab::Terminals, "/terminals", &html! { (say(Text::Terminals)) })) }
                                @if may(Action::ManageCrews) { (self.tab(Tab::Crews, "/crews", &html! { (say(Text::Crews)) })) }
                                @if may(Action::ReadPeople) { (self.tab(Tab::People, "/people", &html! { (say(Text::People)) })) }
                                @if may(Action::ManageTokens) { (self.tab(Tab::Tokens, "/tokens", &html! { (say(Text::Tokens)) })) }
                                @if may(Action::ReadAudit) { (self.tab(Tab::Audit, "/audit", &html! { (say(Text::Audit)) })) }
                            }
                            @if may(Action::ReadPickups) {
                                form .find role="search" aria-label=(say(Text::SearchHint)) action="/search" {
                                    input type="search" name="q" inputmode="numeric" maxlength="40" autocomplete="off"
                                        aria-label=(say(Text::SearchHint)) placeholder=(say(Text::SearchHint));
                                    button { (say(Text::SearchDo)) }
                                }
                            }
                            span .division { (self.whose(person)) }
                            a .account href="/account" aria-current=[(self.tab == Tab::Account).then_some("page")] { (person.name) }
                        } @else {
                            span .division { (self.city.name) " " (self.city.division) }
                        }
                        a .language href=(self.address.with("lang", lang.other().tag()))
                            lang=(lang.other().tag()) hreflang=(lang.other().tag()) { (say(Text::OtherLanguage)) }
                    }
                    div #troubles role="alert" { (self.troubles) }
                    main #main { (main) }
                }
            }
        }
    }

    /// Whose pages these are: the city's, or those of a contractor's dispatcher.
    fn whose(&self, person: &Person) -> String {
        let contractors = &self.city.contractor;
        match &person.contractor {
            None => format!("{} {}", self.city.name, self.city.division),
            Some(id) => contractors
                .iter()
                .find(|known| known.id == *id)
                .map_or_else(|| id.to_string(), |known| known.name.clone()),
        }
    }

    fn tab(&self, tab: Tab, href: &str, label: &Markup) -> Markup {
        html! { a href=(href) aria-current=[(self.tab == tab).then_some("page")] { (label) } }
    }
}

/// A page without menu and script, for those who may see nothing.
pub(super) fn bare(lang: Lang, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - " (lang.say(Text::Product)) }
                link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?v=" (*ICON_VERSION) };
                link rel="stylesheet" href={ "/assets/page.css?v=" (*CSS_VERSION) };
            }
            body {
                header .bar { a .brand href="/" { (lang.say(Text::Product)) } }
                main #main { (main) }
            }
        }
    }
}

/// What keeps the office from its work, in plain words above every page.
pub(super) fn troubles(lang: Lang, checks: Option<Checks>) -> Markup {
    let Some(checks) = checks else { return Markup::default() };
    let Checks { store, writer, disk_speed, disk_room, broker, access, clock, running: _ } = checks;
    let all = [
        (store, Text::TroubleStore),
        (writer, Text::TroubleWriter),
        (disk_speed || !writer, Text::TroubleDiskSpeed),
        (disk_room, Text::TroubleDiskRoom),
        (broker, Text::TroubleBroker),
        (access || !broker, Text::TroubleAccess),
        (clock, Text::TroubleClock),
    ];
    html! { @for (well, trouble) in all { @if !well { p { (lang.say(trouble)) } } } }
}

/// The number in the menu.
pub(super) fn aside_count(open: Option<u32>) -> Markup {
    html! { @if let Some(open) = open && open > 0 { " " b { (format::number(open)) } } }
}

/// Whether the page updates by itself, in plain words; the script rewrites them.
pub(super) fn live_state(lang: Lang) -> Markup {
    html! { span #live .live data-state="off" { (lang.say(Text::LiveOff)) } }
}

/// A state as a symbol and a word: circle open, disc with a tick, half disc, triangle, arrow, struck through.
pub(super) fn state(lang: Lang, state: State, reason: Option<&str>) -> Markup {
    html! {
        span .state .(state.class()) {
            (symbol(state))
            span .word { (lang.say(state.word())) }
            @if let Some(reason) = reason {
                span .why { (state::reason(lang, reason)) }
            }
        }
    }
}

/// The symbol of a state, drawn in the colour of the text around it.
fn symbol(state: State) -> Markup {
    html! {
        svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true" {
            @match state {
                State::Open => { circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2" {} }
                State::Collected => {
                    circle cx="10" cy="10" r="9" fill="currentColor" {}
                    path d="M5.5 10.5l3 3 6-7" fill="none" class="on" stroke-width="2.4" {}
                }
                State::Partly => {
                    circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2" {}
                    path d="M10 2a8 8 0 0 1 0 16z" fill="currentColor" {}
                }
                State::NotCollected => { path d="M10 2l9 16H1z" fill="currentColor" {} }
                State::NotReported => { path d="M10 3.5l7.5 13.5h-15z" fill="none" stroke="currentColor" stroke-width="2" {} }
                State::Revisit => {
                    path d="M16 10a6 6 0 1 1-2-4.5M14.5 1.5v4.5H10" fill="none" stroke="currentColor" stroke-width="2" {}
                }
                State::Cancelled => {
                    circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2" {}
                    path d="M4.5 15.5l11-11" stroke="currentColor" stroke-width="2" {}
                }
            }
        }
    }
}

/// How it is paid. Who need not pay is nobody's business here, either.
pub(super) fn payment(lang: Lang, payment: Payment) -> &'static str {
    lang.say(match payment {
        Payment::Tickets => Text::PaymentTickets,
        Payment::Cashless => Text::PaymentCashless,
        Payment::NumberTag => Text::PaymentNumberTag,
    })
}

/// Items on one line: たんす 2、ソファ 1.
pub(super) fn items_line(lang: Lang, items: &[Item]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("{} {}", item.name, item.count)).collect();
    items.join(comma(lang))
}

/// Tickets, and whether a recycling ticket belongs to them: 1,000円×1、250円×2.
pub(super) fn tickets(lang: Lang, tickets: &[Ticket], recycling: bool) -> String {
    let mut parts: Vec<String> = tickets
        .iter()
        .map(|ticket| match lang {
            Lang::Ja => format!("{}円×{}", format::number(ticket.yen), ticket.count),
            Lang::En => format!("{} × {} yen", ticket.count, format::number(ticket.yen)),
        })
        .collect();
    if recycling {
        parts.push(lang.say(Text::RecyclingTicket).to_owned());
    }
    parts.join(comma(lang))
}

/// What stands between the parts of a list.
pub(super) fn comma(lang: Lang) -> &'static str {
    match lang {
        Lang::Ja => "、",
        Lang::En => ", ",
    }
}

/// What stands between the parts of a line.
pub(super) const DOT: &str = "・";

/// What stands between the parts of a line.
pub(super) fn dot(lang: Lang) -> &'static str {
    match lang {
        Lang::Ja => DOT,
        Lang::En => ", ",
    }
}

/// What a person does with a command of this gateway, and the command, to be copied from the page. `data` is none for
/// those who have no way to the gateway's machine.
pub(super) fn command(lang: Lang, what: Text, data: Option<&Place>, arguments: &str) -> Markup {
    html! { @if let Some(data) = data {
        p .sub .command { (lang.say(what)) " " code { (data.command(arguments)) } }
    } }
}

/// Links to the pages before and after.
pub(super) fn pager(lang: Lang, address: &Address, page: u32, more: bool) -> Markup {
    let href = |page: u32| address.with("page", &page.to_string());
    html! {
        @if page > 1 || more {
            nav .pager {
                @if page > 1 { a .quiet rel="prev" href=(href(page - 1)) { (lang.say(Text::PagePrevious)) } }
                span { (lang.fill(Text::Page, &[("page", &page)])) }
                @if more { a .quiet rel="next" href=(href(page + 1)) { (lang.say(Text::PageNext)) } }
            }
        }
    }
}
