//! One pickup: what stands, what was asked for, and everything that happened to it.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use meguri_proto::pickup::{OfficeWord, Result as Outcome};
use meguri_proto::{Fact, Item};

use super::super::format;
use super::super::pickup::{Event, Note, Pickup, Resident, Said, What};
use super::super::request::Address;
use super::super::state::{self, State};
use super::super::text::{Lang, Text};
use super::{Sections, aside_count, items_line, payment, state as state_mark};

/// A pickup, and how somebody sees it.
pub(in super::super) struct View<'a> {
    /// The pickup.
    pub(in super::super) pickup: &'a Pickup,
    /// The language.
    pub(in super::super) lang: Lang,
    /// The day on which it is looked at.
    pub(in super::super) today: Date,
}

impl View<'_> {
    /// The page's name.
    pub(in super::super) fn title(&self) -> String {
        self.lang.fill(Text::PickupTitle, &[("number", &self.pickup.reception)])
    }

    /// The parts that change while the page is looked at.
    pub(in super::super) fn sections(&self) -> Sections {
        Sections::from([
            ("stands", self.stands().into_string()),
            ("asked", self.asked().into_string()),
            ("history", self.history().into_string()),
            ("aside-count", aside_count(Some(self.pickup.aside_open)).into_string()),
        ])
    }

    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let pickup = self.pickup;
        let date = format::day(self.lang, pickup.date, self.today.year());
        html! {
            div .dayline {
                h1 { (self.title()) }
                span .asof { a href={ "/?day=" (pickup.date) } { (date) } }
                (super::live_state(self.lang))
            }
            @if let Some(until) = pickup.until.filter(|until| *until < self.today) {
                p .told { (self.lang.fill(Text::ContractOver, &[("day", &format::day(self.lang, until, self.today.year()))])) }
            }
            div .columns .even {
                div {
                    section #stands .card { (self.stands()) }
                    section #asked .card { (self.asked()) }
                }
                section #history .card { (self.history()) }
            }
        }
    }

    fn stands(&self) -> Markup {
        let (lang, pickup) = (self.lang, self.pickup);
        html! {
            h2 { (lang.say(Text::StandsNow)) }
            p .verdict { (state_mark(lang, pickup.state, pickup.reason.as_deref())) }
            @if let OfficeWord::Revisit { date } = pickup.office {
                p .sub { (lang.say(Text::Revisit)) " " (format::day(lang, date, self.today.year())) }
            }
            @for contradiction in &pickup.contradictions {
                p .look { b { (lang.say(state::contradiction(*contradiction))) } }
            }
        }
    }

    fn asked(&self) -> Markup {
        let (lang, pickup) = (self.lang, self.pickup);
        let say = |text| lang.say(text);
        let names = &pickup.names;
        let more = |label, text: &str| {
            html! { @if !text.is_empty() { dt { (say(label)) } dd { (text) } } }
        };
        html! {
            dl .facts {
                dt { (say(Text::Address)) }
                @match &pickup.resident {
                    Some(resident) => {
                        dd .address { (pickup.ward) (resident.town) (resident.lot)
                            @if !resident.building.is_empty() { br; (resident.building) } }
                        (more(Text::Spot, &resident.spot))
                        (more(Text::Notice, &resident.notice))
                        @if let Resident { position: Some((lat, lng)), .. } = resident {
                            dt { (say(Text::Position)) } dd { (format!("{lat:.5}, {lng:.5}")) }
                        }
                    }
                    None => { dd { (pickup.ward) " " (say(Text::Erased)) } }
                }
                dt { (say(Text::District)) } dd { (pickup.district) }
                dt { (say(Text::Contractor)) } dd { (names.contractor(&pickup.contract)) }
                dt { (say(Text::Round)) }
                dd { (names.vehicle(&pickup.vehicle)) " " (names.round(&pickup.vehicle)) " "
                    (lang.fill(Text::StopNumber, &[("order", &pickup.stop)])) }
                dt { (say(Text::Payment)) } dd { (payment(lang, pickup.payment)) }
            }
            table .itemlist {
                thead { tr {
                    th scope="col" { (say(Text::ItemName)) }
                    th scope="col" .num { (say(Text::ItemCount)) }
                    th scope="col" { (say(Text::ItemTickets)) }
                } }
                tbody { @for (item, known) in pickup.items.iter().zip(&pickup.known) { tr {
                    td {
                        @if *known {
                            a .number href=(Address::new("/items", &[]).with("q", &item.name)) { (item.name) }
                        } @else { (item.name) }
                    }
                    td .num { (item.count) }
                    td { (super::tickets(lang, &item.tickets, item.recycling)) }
                } } }
            }
        }
    }

    fn history(&self) -> Markup {
        html! {
            h2 { (self.lang.say(Text::History)) }
            ol .timeline { @for event in &self.pickup.events { li { (self.event(event)) } } }
        }
    }

    fn event(&self, event: &Event) -> Markup {
        let lang = self.lang;
        match &event.what {
            What::Office { file, fields, missing } => {
                let title = match event.kind.as_str() {
                    "added" => Text::HistoryAdded,
                    "changed" => Text::HistoryChanged,
                    "cancelled" => Text::HistoryCancelled,
                    "reinstated" => Text::HistoryReinstated,
                    "closed" => Text::HistoryClosed,
                    _ => Text::HistoryOffice,
                };
                html! {
                    p .what { span .time { (self.clock(event.at)) } " " b { (lang.say(title)) } " "
                        span .who { (lang.say(Text::HistoryOffice)) } }
                    @if let Some(file) = file { p .sub { (lang.fill(Text::HistoryFile, &[("file", file)])) } }
                    @if *missing { p .sub { (lang.say(Text::HistoryMissing)) } }
                    @if !fields.is_empty() { ul .changes { @for (name, values) in fields {
                        li { (self.change(name, values.as_ref())) }
                    } } }
                }
            }
            What::Field(said) => self.said(said),
            What::Unreadable => html! {
                p .what { span .time { (self.clock(event.at)) } " " b { (lang.say(Text::Unreadable)) } }
            },
        }
    }

    fn clock(&self, ms: i64) -> String {
        format::clock_on(self.lang, &format::stored(ms), self.pickup.date)
    }

    fn said(&self, said: &Said) -> Markup {
        let lang = self.lang;
        let at = &said.body.at;
        let best = at.best().as_millisecond();
        let moment = |label, at: Option<Timestamp>| {
            html! { @if let Some(at) = at { dt { (lang.say(label)) } dd { (format::exact(&format::in_japan(at))) } } }
        };
        html! {
            p .what {
                span .time { (self.clock(format::happened(Some(best), said.received_at, self.pickup.date))) } " "
                @match &said.body.fact {
                    Fact::Undo(_) => { b { (lang.say(Text::HistoryUndo)) } }
                    Fact::Config(_) => {}
                    Fact::Outcome(outcome) => { (self.outcome(&outcome.result)) }
                }
                " " span .who { (said.terminal) " " (self.pickup.names.contractor(&said.contract)) }
            }
            @if let Fact::Outcome(outcome) = &said.body.fact {
                @if !said.part.is_empty() { ul .changes { @for part in &said.part { li {
                    (part.words(lang))
                    @if let Some(reason) = part.reason { " " (format::reason(lang, reason)) }
                } } } }
                @let note = match &said.note {
                    Note::Nothing => None,
                    Note::Text(text) => Some(text.as_str()),
                    Note::Missing => Some(lang.say(Text::NoteMissing)),
                };
                @if let Some(note) = note { p .note { b { (lang.say(Text::NoteText)) } " " (note) } }
                p .sub {
                    (lang.fill(Text::ListShown, &[("version", &outcome.list.version)]))
                    @if outcome.replaces.is_some() { (super::dot(lang)) (lang.say(Text::ReplacesEarlier)) }
                }
            }
            dl .clocks {
                (moment(Text::ClockTerminal, Some(at.terminal)))
                (moment(Text::ClockGnss, at.gnss))
                (moment(Text::ClockTrusted, at.trusted))
                (moment(Text::ClockOffice, Some(crate::store::sql::instant(said.received_at))))
            }
        }
    }

    fn outcome(&self, outcome: &Outcome) -> Markup {
        match outcome {
            Outcome::Collected => state_mark(self.lang, State::Collected, None),
            Outcome::Partly { .. } => state_mark(self.lang, State::Partly, None),
            Outcome::NotCollected { reason, .. } => {
                state_mark(self.lang, State::NotCollected, Some(reason.code()))
            }
        }
    }

    /// One changed field, in the words of the page where the field is known.
    fn change(&self, name: &str, values: Option<&(String, String)>) -> String {
        let lang = self.lang;
        let field = match name {
            "date" => lang.say(Text::ChooseDay),
            "district" => lang.say(Text::District),
            "ward" => lang.say(Text::Ward),
            "contract" => lang.say(Text::Contract),
            "vehicle" => lang.say(Text::Vehicle),
            "stop" | "order" => lang.say(Text::Round),
            "reception" => lang.say(Text::Reception),
            "items" => lang.say(Text::Items),
            "payment" => lang.say(Text::Payment),
            "town" => lang.say(Text::Town),
            "address" | "lot" | "building" => lang.say(Text::Address),
            "spot" => lang.say(Text::Spot),
            "notice" => lang.say(Text::Notice),
            "position" | "lat" | "lng" => lang.say(Text::Position),
            other => other,
        };
        let Some((from, to)) = values else { return lang.fill(Text::FieldChanged, &[("field", &field)]) };
        let show = |value: &str| self.value(name, value);
        lang.fill(Text::FieldChange, &[("field", &field), ("from", &show(from)), ("to", &show(to))])
    }

    fn value(&self, name: &str, value: &str) -> String {
        let (lang, names) = (self.lang, &self.pickup.names);
        match name {
            "vehicle" => names.vehicle(value).to_owned(),
            "contract" => names.contractor(value).to_owned(),
            "items" => serde_json::from_str::<Vec<Item>>(value)
                .map_or_else(|_| value.to_owned(), |items| items_line(lang, &items)),
            "payment" => serde_json::from_value(value.trim_matches('"').into())
                .map_or_else(|_| value.to_owned(), |kind| payment(lang, kind).to_owned()),
            _ if value.is_empty() => lang.say(Text::None).to_owned(),
            _ => value.to_owned(),
        }
    }
}
