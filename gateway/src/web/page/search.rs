//! Search by reception number, and its hits.

use jiff::civil::Date;
use maud::{Markup, html};

use super::super::format;
use super::super::search::{Found, SHOWN};
use super::super::text::{Lang, Text};
use super::state as state_mark;

/// The page.
pub(in super::super) fn page(
    lang: Lang,
    found: &Found,
    number: Option<&str>,
    day: Option<Date>,
    today: Date,
) -> Markup {
    let say = |text| lang.say(text);
    let day_text = |date| format::day(lang, date, today.year());
    html! {
        div .dayline { h1 { (say(Text::SearchTitle)) } }
        section .card {
            form .search action="/search" role="search" aria-label=(lang.say(Text::Search)) {
                label { span { (say(Text::SearchLabel)) }
                    input type="search" name="q" inputmode="numeric" maxlength="40" autocomplete="off" required
                        value=[number] autofocus[number.is_none()]; }
                label { span { (say(Text::SearchDay)) } input type="date" name="day" value=[day]; }
                button .button { (say(Text::SearchDo)) }
            }
            @match number {
                None => { p .empty { (say(Text::SearchPrompt)) } }
                Some(number) if found.hits.is_empty() => { p .empty role="status" {
                    @match day {
                        Some(day) => { (lang.fill(Text::SearchNoneDay, &[("day", &day_text(day)), ("number", &number)])) }
                        None => { (lang.fill(Text::SearchNone, &[("number", &number)])) }
                    }
                } }
                Some(_) => {
                    @if found.hits.len() as u64 >= u64::from(SHOWN) {
                        p .sub { (lang.fill(Text::SearchMany, &[("count", &SHOWN)])) }
                    } @else {
                        p .sub role="status" { (lang.fill(Text::Count, &[("count", &found.hits.len())])) }
                    }
                    table .hits role="table" {
                        thead role="rowgroup" { tr role="row" {
                            @for text in [Text::Reception, Text::Day, Text::District, Text::Town, Text::Vehicle, Text::State] {
                                th scope="col" role="columnheader" { (say(text)) }
                            }
                        } }
                        tbody role="rowgroup" { @for hit in &found.hits { tr role="row" {
                            td role="cell" { a .number href={ "/pickup/" (hit.uid) } { (hit.reception) } }
                            td .day role="cell" { a href={ "/?day=" (hit.date) } { (day_text(hit.date)) } }
                            td role="cell" { (hit.district) }
                            td role="cell" { (hit.town.as_deref().unwrap_or("－")) }
                            td .vehicle role="cell" {
                                (found.names.contractor(&hit.contract)) " " (found.names.vehicle(&hit.vehicle))
                            }
                            td .result role="cell" { (state_mark(lang, hit.state, hit.reason.as_deref())) }
                        } } }
                    }
                }
            }
        }
    }
}
