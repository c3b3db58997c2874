//! What the page looks like on which it is looked up whose data a terminal held.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::terminal::LIST_DAYS_MOST;

use super::super::exposure::PAGE;
use super::super::fleet::One;
use super::super::format;
use super::super::request::Address;
use super::super::text::{Lang, Text};
use super::terminals::{fate, standing};
use crate::exposure::{Days, Exposure, Row};

/// What is asked, and what was found.
pub(in super::super) struct View<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) one: &'a One,
    pub(in super::super) days: Days,
    /// None where nothing was asked yet.
    pub(in super::super) found: Option<&'a Exposure>,
    pub(in super::super) page: u32,
    pub(in super::super) address: &'a Address,
    pub(in super::super) today: Date,
}

impl View<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let (lang, terminal) = (self.lang, &self.one.terminal);
        let say = |text| lang.say(text);
        let Days { from, to, kept } = self.days;
        html! {
            div .dayline {
                h1 { (lang.fill(Text::ExposureTitle, &[("terminal", &terminal.id)])) }
                (standing(lang, terminal.standing))
                nav .days { a .quiet href={ "/terminals/" (terminal.id) } { (say(Text::Back)) } }
            }
            section .card {
                @if let Some(fate) = fate(lang, terminal, self.today) { p { b { (fate) } } }
                p .sub { (say(Text::ExposureLead)) }
                form .search .exposure {
                    label { span { (say(Text::ExposureFrom)) }
                        input type="date" name="from" value=(from) required; }
                    label { span { (say(Text::ExposureTo)) }
                        input type="date" name="to" value=(to) required; }
                    label { span { (say(Text::ExposureKept)) }
                        input type="number" name="kept" value=(kept) min="0" max=(LIST_DAYS_MOST) required; }
                    button .button { (say(Text::ExposureDo)) }
                }
                p .sub { (say(Text::ExposureNoted)) }
            }
            @if let Some(found) = self.found { section .card { (self.found(found)) } }
            p .sub { (say(Text::ExposureLaw)) }
        }
    }

    fn found(&self, found: &Exposure) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let day = |day| format::day(lang, day, 0);
        let Days { from, to, kept } = self.days;
        let count = format::number(found.requests.len() as u64);
        let per_page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let skip = usize::try_from(self.page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
        let (from_text, to_text, kept_text) = (from.to_string(), to.to_string(), kept.to_string());
        let pairs = [("from", from_text.as_str()), ("to", &to_text)];
        let csv = format!("/terminals/{}/exposure.csv", self.one.terminal.id);
        html! {
            div .head {
                h2 { (lang.fill(Text::ExposureCount, &[("from", &day(from)), ("to", &day(to)), ("count", &count)])) }
                @if !found.requests.is_empty() {
                    a .button href=(Address::new(&csv, &pairs).with("kept", &kept_text)) download { (say(Text::ExposureCsv)) }
                }
            }
            @if found.requests.is_empty() { p .empty { (say(Text::ExposureNone)) } } @else {
                table .terminals .exposed {
                    thead { tr {
                        th { (say(Text::ExposureDay)) } th { (say(Text::Reception)) } th { (say(Text::District)) }
                        th { (say(Text::Address)) } th { (say(Text::Spot)) }
                        th { (say(Text::ExposureFirst)) } th { (say(Text::ExposureLast)) }
                    } }
                    tbody { @for row in found.requests.iter().skip(skip).take(per_page) { tr { (self.row(row)) } } }
                }
            }
            (super::pager(lang, self.address, self.page, found.requests.len() > skip.saturating_add(per_page)))
        }
    }

    fn row(&self, row: &Row) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let at = |at: Option<Timestamp>| match at {
            Some(at) => format::clock_on(lang, &format::in_japan(at), self.today),
            None => say(Text::ExposureBefore).to_owned(),
        };
        html! {
            td { (format::day(lang, row.date, self.today.year())) }
            th scope="row" { b { (row.reception) } }
            td data-label=(say(Text::District)) { (row.district) }
            td { @match &row.address {
                Some(address) => (address),
                None => span .sub { (say(Text::Erased)) },
            } }
            td data-label=(say(Text::Spot)) { (row.spot.as_deref().unwrap_or("－")) }
            td data-label=(say(Text::ExposureFirst)) { (at(row.first_at)) }
            td data-label=(say(Text::ExposureLast)) { (at(row.last_at)) }
        }
    }
}
