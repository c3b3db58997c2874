//! What the page of crews looks like, and the slip with a PIN that its owner is handed.

use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::City;
use meguri_proto::ContractorId;
use meguri_proto::limits::{ID_BYTES, SHORT_TEXT};

use super::super::crews::{PAGE, Typed};
use super::super::format;
use super::super::request::Address;
use super::super::text::{Lang, Text};
use super::people::key;
use super::terminals::Said;
use crate::crew::Listed;

/// The members that somebody manages.
pub(in super::super) struct List<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) members: &'a [Listed],
    /// Whose crews alone are managed.
    pub(in super::super) own: Option<&'a ContractorId>,
    pub(in super::super) text: &'a str,
    pub(in super::super) page: u32,
    pub(in super::super) address: &'a Address,
    pub(in super::super) today: Date,
    pub(in super::super) form: &'a str,
    pub(in super::super) typed: Typed<'a>,
    pub(in super::super) said: Option<&'a Said>,
}

fn company<'a>(city: &'a City, id: &'a ContractorId) -> &'a str {
    let known = city.contractor.iter().find(|known| known.id == *id);
    known.map_or(id.as_str(), |known| known.name.as_str())
}

impl List<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let wanted = self.text.to_lowercase();
        let fits = |member: &&Listed| {
            [member.id.as_str(), &member.name, company(self.city, &member.contractor)]
                .iter()
                .any(|one| one.to_lowercase().contains(&wanted))
        };
        let found: Vec<&Listed> = self.members.iter().filter(fits).collect();
        let per_page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let skip = usize::try_from(self.page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
        let shown = found.iter().skip(skip).take(per_page);
        let more = found.len() > skip.saturating_add(per_page);
        html! {
            div .dayline {
                h1 { (say(Text::Crews)) }
                span .asof { (lang.fill(Text::CrewsAll, &[("count", &self.members.len())])) }
            }
            @if let Some(said) = self.said { (said.shown(lang)) }
            section .card {
                p .sub { (say(Text::CrewsLead)) }
                form .search role="search" aria-label=(say(Text::Crews)) action="/crews" {
                    label .wide { span { (say(Text::CrewSearch)) }
                        input type="search" name="q" value=(self.text) maxlength="100" autocomplete="off"; }
                    button { (say(Text::SearchDo)) }
                }
                @if found.is_empty() {
                    p .empty { (say(if self.text.is_empty() { Text::CrewsNone } else { Text::CrewsNoMatch })) }
                }
                ul .persons { @for member in shown { li { (self.member(member)) } } }
                (super::pager(lang, self.address, self.page, more))
            }
            (self.add())
        }
    }

    fn member(&self, member: &Listed) -> Markup {
        let lang = self.lang;
        let set_at = format::clock_on(lang, &format::in_japan(member.set_at), self.today);
        html! {
            div {
                p .what { b { (member.name) } " " span .login { (member.id) } }
                p .sub {
                    (company(self.city, &member.contractor)) (super::dot(lang))
                    (lang.fill(Text::CrewPinSet, &[("time", &set_at)]))
                }
            }
            div .actions { details {
                summary .quiet { (lang.say(Text::PersonChange)) }
                div .choices {
                    form method="post" action={ "/crews/" (member.id) "/pin" } {
                        (key(self.form))
                        button { (lang.say(Text::CrewPinDraw)) }
                        p .sub { (lang.say(Text::CrewPinHint)) }
                    }
                    p { a .quiet .danger href={ "/crews/" (member.id) "/remove" } { (lang.say(Text::CrewRemove)) } }
                }
            } }
        }
    }

    fn add(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! { section .card {
            div .head { h2 { (say(Text::CrewAdd)) } }
            form .search .person-add method="post" action="/crews/add" autocomplete="off" {
                (key(self.form))
                label { span { (say(Text::CrewId)) }
                    input name="id" value=(self.typed.id) autocapitalize="none" spellcheck="false" maxlength=(ID_BYTES)
                        pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" title=(say(Text::CrewIdWrong)) required; }
                label { span { (say(Text::CrewName)) }
                    input name="name" value=(self.typed.name) maxlength=(SHORT_TEXT) required; }
                @if self.own.is_none() {
                    label { span { (say(Text::CrewContractor)) }
                        select name="contractor" required {
                            option value="" { "－" }
                            @for one in &self.city.contractor {
                                option value=(one.id) selected[one.id.as_str() == self.typed.contractor] { (one.name) }
                            }
                        } }
                }
                button .button { (say(Text::CrewAddDo)) }
            }
            p .sub { (say(Text::CrewAddLead)) }
        } }
    }
}

/// A text in the page's language, and the other one small: the slip goes to a person, not to whoever printed it.
fn both(lang: Lang, text: Text) -> Markup {
    let other = lang.other();
    html! { (lang.say(text)) span .sub .line lang=(other.tag()) { (other.say(text)) } }
}

/// A member's PIN, shown this once, as a slip to hand over.
pub(in super::super) fn slip(lang: Lang, city: &City, member: &Listed, pin: &str) -> Markup {
    html! { section .card .lone .enrolment .slip {
        p .look .noprint { (lang.say(Text::PinOnce)) }
        h1 { (member.name) }
        p .sub { (company(city, &member.contractor)) (super::dot(lang)) (member.id) }
        dl .facts { dt { (lang.say(Text::PinTitle)) } dd .drawn { code { (pin) } } }
        p { (both(lang, Text::PinUse)) }
        p { (both(lang, Text::PinKeep)) }
        div .ways .noprint {
            button .button type="button" data-print { (lang.say(Text::Print)) }
            a .quiet href="/crews" { (lang.say(Text::Back)) }
        }
    } }
}

/// What removing a member does, and whether it is meant.
pub(in super::super) fn ask_remove(
    lang: Lang,
    city: &City,
    member: &Listed,
    last: bool,
    form: &str,
) -> Markup {
    let company = company(city, &member.contractor);
    html! { section .card .lone {
        h1 { (lang.fill(Text::CrewRemoveAsk, &[("name", &member.name), ("id", &member.id)])) }
        p .sub { (company) }
        @if last { p .look { (lang.fill(Text::RemoveLast, &[("contractor", &company)])) } }
        ul .does {
            li { (lang.say(Text::RemoveSignsOut)) }
            li { (lang.say(Text::RemoveKeepsRecords)) }
            li { (lang.fill(Text::RemoveForLife, &[("id", &member.id)])) }
        }
        div .ways {
            form method="post" action={ "/crews/" (member.id) "/remove" } {
                (key(form))
                button .button .danger { (lang.say(Text::CrewRemove)) }
            }
            a .quiet href="/crews" { (lang.say(Text::DoNot)) }
        }
    } }
}
