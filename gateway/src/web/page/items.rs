//! The catalogue (品目): search by name, reading or another word, and what is found.

use crate::office::Place;

use maud::{Markup, html};

use super::super::format;
use super::super::items::{Items, PAGE};
use super::super::request::Address;
use super::super::text::{Lang, Text};
use crate::catalogue::plain::plain;
use crate::catalogue::{Item, Listed};

/// How many other words of an item are shown.
const ALSO: usize = 6;

/// What was asked, and what was found.
pub(in super::super) struct View<'a> {
    /// What was found.
    pub(in super::super) items: &'a Items,
    /// What was asked; nothing shows all.
    pub(in super::super) text: &'a str,
    /// Which page, from 1.
    pub(in super::super) page: u32,
    /// The page's address.
    pub(in super::super) address: &'a Address,
    /// The gateway's data folder.
    pub(in super::super) data: Option<&'a Place>,
    /// The language.
    pub(in super::super) lang: Lang,
}

impl View<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let (lang, found) = (self.lang, &self.items.found);
        let say = |text| lang.say(text);
        let count = || lang.fill(Text::ItemsCount, &[("count", &format::number(found.count))]);
        let more = found.count > u64::from(self.page) * u64::from(PAGE);
        html! {
            div .dayline { h1 { (say(Text::ItemsTitle)) } }
            section .card {
                @if self.items.all == 0 {
                    div .empty { p { (say(Text::ItemsEmpty)) } }
                    (super::command(lang, Text::ItemsImport, self.data, say(Text::ItemsImportHow)))
                } @else {
                    form .search .words action="/items" role="search" aria-label=(say(Text::ItemsTitle)) {
                        label { span { (say(Text::ItemsLabel)) }
                            input type="search" name="q" maxlength="100" autocomplete="off" value=(self.text)
                                autofocus[self.text.is_empty()]; }
                        button .button { (say(Text::SearchDo)) }
                    }
                    @if found.count == 0 {
                        p .empty role="status" { (lang.fill(Text::ItemsNone, &[("text", &self.text)])) }
                    } @else {
                        p .sub role="status" { (count())
                            @if !self.text.is_empty() {
                                " " a href="/items" { (say(Text::ItemsAll)) }
                            }
                        }
                        (self.table(&found.items))
                    }
                    (super::pager(lang, self.address, self.page, more))
                }
            }
        }
    }

    fn table(&self, items: &[Listed]) -> Markup {
        let (lang, say) = (self.lang, |text| self.lang.say(text));
        html! {
            table .catalogue role="table" {
                thead role="rowgroup" { tr role="row" {
                    @for text in [Text::ItemName, Text::ItemSize, Text::ItemPaid] {
                        th scope="col" role="columnheader" { (say(text)) }
                    }
                } }
                tbody role="rowgroup" { @for Listed { item, .. } in items { tr role="row" {
                    th .what scope="row" role="rowheader" {
                        b { (item.name) }
                        @if !item.reading.is_empty() { " " span .sub .reading { (item.reading) } }
                        @let also = self.also(item);
                        @if !also.is_empty() { p .sub { (also) } }
                    }
                    td .size role="cell" { (item.size) }
                    td .paid role="cell" {
                        @if !item.accepted { b .stop { (say(Text::ItemNotAccepted)) } }
                        @else { (paid(lang, item)) }
                    }
                } } }
            }
        }
    }

    /// Some of an item's other words, those that were asked for first.
    fn also(&self, item: &Item) -> String {
        let lang = self.lang;
        let asked: Vec<String> =
            self.text.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect();
        let fits = |word: &&String| asked.iter().any(|asked| plain(word).contains(asked.as_str()));
        let (fitting, others): (Vec<&String>, Vec<&String>) = item.synonyms.iter().partition(fits);
        let words: Vec<&str> = fitting.into_iter().chain(others).map(String::as_str).collect();
        if words.is_empty() {
            return String::new();
        }
        let shown = words.iter().take(ALSO).copied().collect::<Vec<_>>().join(super::comma(lang));
        let also = lang.fill(Text::ItemAlso, &[("words", &shown)]);
        match words.len().saturating_sub(ALSO) {
            0 => also,
            more => also + &lang.fill(Text::ItemAlsoMore, &[("count", &more)]),
        }
    }
}

fn paid(lang: Lang, item: &Item) -> String {
    let fee = item.fee.map(|fee| lang.fill(Text::Yen, &[("yen", &format::number(fee))]));
    let tickets = super::tickets(lang, &item.tickets, item.recycling);
    fee.into_iter()
        .chain(Some(tickets).filter(|text| !text.is_empty()))
        .collect::<Vec<_>>()
        .join(super::comma(lang))
}
