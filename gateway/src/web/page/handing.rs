//! What the pages of handing terminals over look like, and the sheet that both sides sign.

use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::City;

use super::super::fleet::Fleet;
use super::super::format;
use super::super::handing::Typed;
use super::super::text::{Lang, Text};
use super::people::key;
use super::terminals::{Said, kind};
use crate::register::{Handing, Kind, WORD_CHARS};

/// What is asked before terminals change hands.
pub(in super::super) struct Form<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) fleet: &'a Fleet,
    pub(in super::super) typed: Option<&'a Typed>,
    pub(in super::super) today: Date,
    pub(in super::super) form: &'a str,
    pub(in super::super) said: Option<&'a Said>,
}

impl Form<'_> {
    /// What it is most likely to be: what somebody has is given back.
    fn likely(&self) -> Typed {
        let first = self.fleet.terminals.first();
        let held = first.and_then(|terminal| terminal.holder.as_ref());
        Typed {
            kind: Some(if held.is_some() { Kind::Return } else { Kind::Handover }),
            day: self.today.to_string(),
            contractor: match (held, first) {
                (Some(holder), _) => holder.contractor.to_string(),
                (None, Some(terminal)) => terminal.contractor.to_string(),
                (None, None) => String::new(),
            },
            person: held.map(|holder| holder.person.clone()).unwrap_or_default(),
            things: self.lang.say(Text::HandingThingsLikely).split('|').map(str::to_owned).collect(),
        }
    }

    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let likely = self.likely();
        let typed = self.typed.unwrap_or(&likely);
        let lacking = self
            .fleet
            .terminals
            .iter()
            .any(|terminal| terminal.record.asset.is_empty() || terminal.record.iccid.is_empty());
        html! {
            div .dayline {
                h1 { (say(Text::Handing)) }
                nav .days { a .quiet href="/terminals" { (say(Text::AsideBack)) } }
            }
            @if let Some(said) = self.said { (said.shown(lang)) }
            section .card {
                h2 { (lang.fill(Text::HandingOf, &[("count", &self.fleet.terminals.len())])) }
                table .terminals {
                    thead { tr {
                        th { (say(Text::AsideTerminal)) } th { (say(Text::Vehicle)) } th { (say(Text::Asset)) }
                        th { (say(Text::Iccid)) } th { (say(Text::TerminalHolder)) }
                    } }
                    tbody { @for terminal in &self.fleet.terminals { tr {
                    th scope="row" { a .number href={ "/terminals/" (terminal.id) } { (terminal.id) } }
                    td { (self.fleet.names.vehicle(&terminal.vehicle))
                        span .sub .line { (self.fleet.names.contractor(terminal.contract.as_str())) } }
                    td data-label=(say(Text::Asset)) { @if terminal.record.asset.is_empty() { "－" } @else { (terminal.record.asset) } }
                    td data-label=(say(Text::Iccid)) { @if terminal.record.iccid.is_empty() { "－" } @else { (terminal.record.iccid) } }
                    td data-label=(say(Text::TerminalHolder)) { @match &terminal.holder {
                        Some(holder) => (self.fleet.names.company(holder.contractor.as_str())),
                        None => (say(Text::HolderCity)),
                    } }
                } } } }
                @if lacking { p .look { (say(Text::HandingLacking)) } }
                form .fields method="post" autocomplete="off" {
                    (key(self.form))
                    @for terminal in &self.fleet.terminals { input type="hidden" name="t" value=(terminal.id); }
                    fieldset { legend { (say(Text::HandingKind)) }
                        @for one in [Kind::Handover, Kind::Return] {
                            label .choice { input type="radio" name="kind" value=(one.word()) checked[typed.kind == Some(one)] required; (say(kind(one))) }
                        }
                    }
                    label { span { (say(Text::HandingDay)) }
                        input type="date" name="day" value=(typed.day) required; }
                    label { span { (say(Text::Contractor)) }
                        select name="contractor" required {
                            option value="" { "－" }
                            @for one in &self.city.contractor {
                                option value=(one.id) selected[one.id.as_str() == typed.contractor] { (one.name) }
                            }
                        } }
                    label { span { (say(Text::HandingPerson)) }
                        input name="person" value=(typed.person) maxlength=(WORD_CHARS); }
                    label { span { (say(Text::HandingThings)) }
                        textarea name="things" rows="5" { (typed.things.join("\n")) } }
                    div .ways {
                        button .button formaction="/handover/sheet" { (say(Text::HandingSheetShow)) }
                        button formaction="/handover/record" { (say(Text::HandingDo)) }
                    }
                    p .sub { (say(Text::HandingLead)) }
                }
            }
        }
    }
}

/// The sheet that both sides sign: Japanese, with English small, whatever language the page is read in.
pub(in super::super) struct Sheet<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) fleet: &'a Fleet,
    pub(in super::super) handing: &'a Handing,
}

/// A text in both languages.
fn both(text: Text) -> Markup {
    html! { (Lang::Ja.say(text)) " " small lang="en" { (Lang::En.say(text)) } }
}

impl Sheet<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let Handing { kind, day, contractor, person, things, .. } = self.handing;
        let company = self.fleet.names.company(contractor.as_str());
        let (title, says) = match kind {
            Kind::Handover => (Text::SheetHandover, Text::SheetHandoverSays),
            Kind::Return => (Text::SheetReturn, Text::SheetReturnSays),
        };
        let city = html! { (self.city.name) " " (self.city.division) };
        let contractor = html! { (company) };
        let (from, to) = match kind {
            Kind::Handover => ((&city, ""), (&contractor, person.as_str())),
            Kind::Return => ((&contractor, person.as_str()), (&city, "")),
        };
        let count = self.fleet.terminals.len();
        html! {
            div .ways .noprint {
                button .button type="button" data-print { (self.lang.say(Text::Print)) }
                a .quiet href=(self.back()) { (self.lang.say(Text::Back)) }
            }
            p .sub .noprint { (self.lang.say(Text::HandingSheetLead)) }
            article .sheet lang="ja" {
                p .sheet-day { (both(Text::SheetDate)) " " b { (Self::day(*day)) } }
                h1 { (both(title)) }
                p { (both(says)) }
                div .parties {
                    (party(Text::SheetFrom, from.0, from.1))
                    (party(Text::SheetTo, to.0, to.1))
                }
                h2 { (both(Text::SheetTerminals)) " " span .sheet-count { (Lang::Ja.fill(Text::TerminalsAll, &[("count", &count)])) } }
                table {
                    thead { tr {
                        th { "No." }
                        th { (both(Text::SheetName)) }
                        th { (both(Text::Asset)) }
                        th { (both(Text::Iccid)) br; (both(Text::LineNumber)) }
                        th { (both(Text::Model)) br; (both(Text::SerialNumber)) }
                        th { (both(Text::Vehicle)) }
                    } }
                    tbody { @for (index, terminal) in self.fleet.terminals.iter().enumerate() { tr {
                        td { (index + 1) }
                        td { b { (terminal.id) } }
                        td { (terminal.record.asset) }
                        td { (terminal.record.iccid) br; (terminal.record.line) }
                        td { (terminal.record.model) br; (terminal.record.serial) }
                        td { (self.fleet.names.vehicle(&terminal.vehicle)) }
                    } } }
                }
                h2 { (both(Text::SheetThings)) }
                table .things {
                    thead { tr { th { (both(Text::SheetThing)) } th { (both(Text::SheetCount)) } th { (both(Text::SheetChecked)) } } }
                    tbody { @for thing in things { tr { td { (thing) } td { (count) } td {} } } }
                }
                h2 { (both(Text::Remarks)) }
                div .sheet-remarks {}
                @if *kind == Kind::Handover { p .sheet-note { (both(Text::SheetNote)) } }
            }
        }
    }

    fn day(day: Date) -> String {
        format::day(Lang::Ja, day, 0)
    }

    /// Where the sheet was asked for.
    fn back(&self) -> String {
        let names: Vec<String> =
            self.fleet.terminals.iter().map(|terminal| format!("t={}", terminal.id)).collect();
        format!("/handover?{}", names.join("&"))
    }
}

/// One side: who, by whom, and a box for the seal.
fn party(side: Text, who: &Markup, person: &str) -> Markup {
    html! {
        section {
            h2 { (both(side)) }
            p .sheet-who { (who) }
            div .sheet-sign {
                p { (both(Text::SheetSigned)) span .sheet-line { (person) } }
                span .seal { "印" }
            }
        }
    }
}
