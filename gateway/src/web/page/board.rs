//! The front page: a day against its plan.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};
use meguri_config::City;

use super::super::board::{Board, Slice, Terminal, Why};
use super::super::format;
use super::super::request::{Address, By};
use super::super::state::{self, Counts};
use super::super::text::{Lang, Text};
use super::{Sections, aside_count, comma, state as state_mark};
use crate::office::Place;

/// How many reasons stand on their own in the figures.
const REASONS_SHOWN: usize = 2;
/// A day, and how somebody wants to see it.
pub(in super::super) struct View<'a> {
    /// The day.
    pub(in super::super) board: &'a Board,
    /// The city.
    pub(in super::super) city: &'a City,
    /// Where the gateway works, for those who work it.
    pub(in super::super) data: Option<&'a Place>,
    /// The language.
    pub(in super::super) lang: Lang,
    /// How it is sorted.
    pub(in super::super) by: By,
    /// Whether the page follows today, or stays with one day.
    pub(in super::super) follows: bool,
}

impl View<'_> {
    /// The parts that change while the page is looked at.
    pub(in super::super) fn sections(&self) -> Sections {
        Sections::from([
            ("day", self.day().into_string()),
            ("status", self.status()),
            ("figures", self.figures().into_string()),
            ("progress", self.progress().into_string()),
            ("attention", self.attention().into_string()),
            ("latest", self.latest().into_string()),
            ("aside-count", aside_count(Some(self.board.aside_open)).into_string()),
        ])
    }

    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        html! {
            div .dayline { div #day { (self.day()) } (super::live_state(self.lang)) }
            @if let Some(ended) = self.board.ended {
                p .told { (self.lang.fill(Text::ContractsOver, &[("day", &self.day_text(ended))])) }
            }
            p #status .hidden role="status" data-pause="15000" { (self.status()) }
            // Exceptions come first in reading, too; wide windows place them at the right.
            div .columns .board {
                div #figures .figures { (self.figures()) }
                section #attention .card { (self.attention()) }
                section #progress .card { (self.progress()) }
                section #latest .card { (self.latest()) }
            }
        }
    }

    /// The day in words.
    pub(in super::super) fn title(&self) -> String {
        self.day_text(self.board.date)
    }

    /// The page's address, as it is followed.
    pub(super) fn address(&self) -> Address {
        let day = self.board.date.to_string();
        let mut pairs = Vec::new();
        if !self.follows {
            pairs.push(("day", day.as_str()));
        }
        if self.by != By::Ward {
            pairs.push(("by", self.by.word()));
        }
        Address::new("/", &pairs)
    }

    pub(super) fn day_text(&self, date: Date) -> String {
        format::day(self.lang, date, self.board.today().year())
    }

    pub(super) fn at(&self, ms: i64) -> String {
        format::clock_on(self.lang, &format::stored(ms), self.board.date)
    }

    fn day(&self) -> Markup {
        let (lang, date) = (self.lang, self.board.date);
        let step = |days: i64| {
            date.checked_add(days.days()).ok().map(|day| self.address().with("day", &day.to_string()))
        };
        let now = format::in_japan(self.board.now);
        html! {
            h1 { (self.title()) }
            span .asof { (lang.fill(Text::AsOf, &[("time", &format::time_in_words(lang, &now))])) }
            nav .days aria-label=(lang.say(Text::ChooseDay)) {
                @if let Some(href) = step(-1) { a .quiet rel="prev" href=(href) { (lang.say(Text::PreviousDay)) } }
                @if !self.board.is_today() { a .quiet href="/" { (lang.say(Text::Today)) } }
                @if let Some(href) = step(1) { a .quiet rel="next" href=(href) { (lang.say(Text::NextDay)) } }
                form action="/" {
                    @if self.by != By::Ward { input type="hidden" name="by" value=(self.by.word()); }
                    input #choose type="date" name="day" value=(date) required aria-label=(lang.say(Text::ChooseDay));
                    button .quiet { (lang.say(Text::Show)) }
                }
            }
        }
    }

    fn status(&self) -> String {
        let counts = self.board.counts();
        // What is read aloud adds up.
        let partly = match counts.partly {
            0 => String::new(),
            count => self.lang.fill(Text::StatusPartly, &[("count", &count)]),
        };
        self.lang.fill(
            Text::StatusLine,
            &[
                ("done", &counts.done),
                ("partly", &partly),
                ("not", &counts.not),
                ("left", &counts.left),
                ("attention", &self.board.attention_count),
            ],
        )
    }

    fn figures(&self) -> Markup {
        let (lang, counts) = (self.lang, self.board.counts());
        let planned = counts.planned();
        html! {
            section .card .figure {
                h2 { (lang.say(Text::Collected)) }
                p .big .go { (format::number(counts.done)) }
                p .sub { (lang.fill(Text::OfPlanned, &[
                    ("total", &format::number(planned)),
                    ("percent", &format::percent(counts.done, planned)),
                ])) }
                @if counts.partly > 0 {
                    p .sub .warn { (lang.fill(Text::AndPartly, &[("count", &format::number(counts.partly))])) }
                }
            }
            section .card .figure {
                h2 { (lang.say(Text::NotCollected)) }
                p .big .stop[counts.not > 0] { (format::number(counts.not)) }
                p .sub { (self.reasons(counts.not)) }
            }
            section .card .figure {
                h2 { (lang.say(Text::Left)) }
                p .big { (format::number(counts.left)) }
                p .sub { (self.finish(counts)) }
                @if counts.cancelled > 0 {
                    p .sub { (lang.fill(Text::AndCancelled, &[("count", &format::number(counts.cancelled))])) }
                }
            }
            @if self.board.is_today() { (self.terminals()) } @else { (self.vehicles()) }
        }
    }

    fn reasons(&self, not: u32) -> String {
        if not == 0 {
            return self.lang.say(Text::NoneNotCollected).to_owned();
        }
        let reasons = &self.board.reasons;
        // One reason more is shown rather than "others 1" for it.
        let shown = if reasons.len() == REASONS_SHOWN + 1 { reasons.len() } else { REASONS_SHOWN };
        let mut parts: Vec<String> = reasons
            .iter()
            .take(shown)
            .map(|(why, count)| {
                let word = match why {
                    Why::Reason(code) => state::reason(self.lang, code),
                    Why::State(state) => self.lang.say(state.word()).to_owned(),
                };
                format!("{word} {}", format::number(*count))
            })
            .collect();
        let rest: u32 = reasons.iter().skip(shown).map(|(_, count)| count).sum();
        if rest > 0 {
            parts.push(self.lang.fill(Text::OtherReasons, &[("count", &format::number(rest))]));
        }
        parts.join(comma(self.lang))
    }

    /// When the day is likely to be done, told only where there is something to tell it from.
    fn finish(&self, counts: Counts) -> String {
        let lang = self.lang;
        if counts.total() == 0 {
            return String::new();
        }
        if counts.left == 0 {
            return lang.say(Text::AllDone).to_owned();
        }
        if !self.board.is_today() {
            let over = self.board.date < self.board.today();
            return lang.say(if over { Text::DayOver } else { Text::DayToCome }).to_owned();
        }
        let mut vehicles: BTreeMap<&str, u32> = BTreeMap::new();
        for slice in &self.board.slices {
            *vehicles.entry(&slice.vehicle).or_default() += slice.counts.left;
        }
        vehicles.retain(|_, left| *left > 0);
        let known: Vec<Timestamp> =
            vehicles.keys().filter_map(|vehicle| self.board.finish.get(*vehicle).copied()).collect();
        // The day is done when its last vehicle is.
        let Some(last) = known.iter().max().filter(|_| known.len() * 2 >= vehicles.len()) else {
            return lang.say(Text::NoPaceYet).to_owned();
        };
        let last = format::in_japan(*last);
        if last.date() != self.board.date {
            return lang.say(Text::FinishLater).to_owned();
        }
        let time = format::time_in_words(lang, &last);
        match vehicles.len() - known.len() {
            0 => lang.fill(Text::FinishAt, &[("time", &time)]),
            unknown => lang.fill(Text::FinishAtExcept, &[("time", &time), ("count", &unknown)]),
        }
    }

    fn terminals(&self) -> Markup {
        let (lang, all) = (self.lang, &self.board.terminals);
        let online = all.iter().filter(|terminal| terminal.online).count();
        let silent = all.iter().filter(|terminal| terminal.silent).count();
        html! {
            section .card .figure {
                h2 { (lang.say(Text::TerminalsConnected)) }
                p .big { (format::number(online as u64)) small { " / " (format::number(all.len() as u64)) } }
                @if all.is_empty() {
                    p .sub { (lang.say(Text::NoTerminals)) }
                } @else if silent > 0 {
                    p .sub .warn { b { (lang.fill(Text::SilentTerminals, &[("count", &silent), ("minutes", &self.board.silence_minutes)])) } }
                } @else {
                    p .sub { (lang.say(Text::AllHeard)) }
                }
            }
        }
    }

    fn vehicles(&self) -> Markup {
        let slices = &self.board.slices;
        let distinct = |mut all: Vec<&str>| {
            all.sort_unstable();
            all.dedup();
            all.len()
        };
        let vehicles = distinct(slices.iter().map(|slice| slice.vehicle.as_str()).collect());
        let contractors =
            distinct(slices.iter().map(|slice| self.board.names.contractor(&slice.contract)).collect());
        html! {
            section .card .figure {
                h2 { (self.lang.say(Text::Vehicles)) }
                p .big { (format::number(vehicles as u64)) }
                p .sub { (self.lang.fill(Text::VehiclesOf, &[("count", &contractors)])) }
            }
        }
    }

    fn progress(&self) -> Markup {
        let lang = self.lang;
        let heading = match self.by {
            By::Ward => Text::ProgressByWard,
            By::Contractor => Text::ProgressByContractor,
            By::Vehicle => Text::ProgressByVehicle,
        };
        let label = |by| match by {
            By::Ward => lang.say(Text::ByWard),
            By::Contractor => lang.say(Text::ByContractor),
            By::Vehicle => lang.say(Text::ByVehicle),
        };
        let rows = self.rows();
        let mut total = Counts::default();
        for row in &rows {
            total.add_all(row.counts);
        }
        html! {
            div .head {
                h2 { (lang.say(heading)) }
                nav .switch aria-label=(lang.say(Text::Progress)) {
                    @for by in By::ALL {
                        a href=(self.address().with("by", by.word())) aria-current=[(by == self.by).then_some("true")] {
                            (label(by))
                        }
                    }
                }
            }
            @if rows.is_empty() {
                (self.nothing_planned())
            } @else {
                (self.table(&rows, total, label(self.by)))
            }
        }
    }

    fn nothing_planned(&self) -> Markup {
        let lang = self.lang;
        let link = |date: Option<Date>, text| {
            html! { @if let Some(date) = date {
                a .quiet href=(self.address().with("day", &date.to_string())) {
                    (lang.fill(text, &[("day", &self.day_text(date))]))
                }
            } }
        };
        html! {
            div .empty {
                p { b { (lang.say(Text::NothingPlanned)) } }
                @if self.board.before.is_none() && self.board.after.is_none() {
                    p { (lang.say(Text::NothingPlannedHint)) }
                }
                p { (link(self.board.before, Text::NearestBefore)) " " (link(self.board.after, Text::NearestAfter)) }
            }
        }
    }

    fn table(&self, rows: &[Row], total: Counts, label: &str) -> Markup {
        let lang = self.lang;
        let partly = total.partly > 0;
        let finish = self.board.is_today() && total.left > 0;
        let (detail, by_vehicle) = match self.by {
            By::Ward => (Text::Contractor, false),
            By::Contractor => (Text::Vehicles, false),
            By::Vehicle => (Text::RoundName, true),
        };
        let head = |text| html! { th scope="col" .num role="columnheader" { (lang.say(text)) } };
        let number = |class: &str, text, value: u32| {
            html! { td .num .(if value == 0 { "zero" } else { class }) role="cell" data-label=(lang.say(text)) {
                (format::number(value))
            } }
        };
        // Roles are spelled out: on a phone the rows are no longer laid out as a table.
        html! {
            table .progress role="table" {
                thead role="rowgroup" { tr role="row" {
                    th scope="col" role="columnheader" { (label) }
                    th scope="col" role="columnheader" .detail { (lang.say(detail)) }
                    th scope="col" role="columnheader" .barcell { (lang.say(Text::Progress)) }
                    (head(Text::ShortDone))
                    @if partly { (head(Text::ShortPartly)) }
                    (head(Text::ShortNot))
                    (head(Text::Left))
                    (head(Text::ShortPlan))
                    @if finish { (head(Text::ShortFinish)) }
                    @else { (head(Text::LastConfirmed)) }
                } }
                tbody role="rowgroup" {
                    @for row in rows {
                        tr role="row" {
                            th scope="row" role="rowheader" {
                                (row.name)
                                @if by_vehicle && self.board.is_today() { (self.line(row)) }
                            }
                            td role="cell" .detail { (row.detail) }
                            td role="cell" .barcell { (bar(lang, row.counts)) }
                            (number("go", Text::ShortDone, row.counts.done))
                            @if partly { (number("warn", Text::ShortPartly, row.counts.partly)) }
                            (number("stop", Text::ShortNot, row.counts.not))
                            (number("plain", Text::Left, row.counts.left))
                            (number("plain", Text::ShortPlan, row.counts.planned()))
                            @if finish {
                                td .num .eta role="cell" data-label=(lang.say(Text::ShortFinish)) { (self.row_finish(row)) }
                            } @else {
                                td .num .eta role="cell" data-label=(lang.say(Text::LastConfirmed)) {
                                    (row.last.map_or("－".to_owned(), |last| self.at(last)))
                                }
                            }
                        }
                    }
                }
                tfoot role="rowgroup" { tr role="row" {
                    th scope="row" role="rowheader" { (lang.say(Text::Total)) }
                    td role="cell" .detail {}
                    td role="cell" .barcell { (bar(lang, total)) }
                    (number("go", Text::ShortDone, total.done))
                    @if partly { (number("warn", Text::ShortPartly, total.partly)) }
                    (number("stop", Text::ShortNot, total.not))
                    (number("plain", Text::Left, total.left))
                    (number("plain", Text::ShortPlan, total.planned()))
                    td .num .eta role="cell" {}
                } }
            }
        }
    }

    /// How the line to a vehicle's terminals is.
    fn line(&self, row: &Row) -> Markup {
        let lang = self.lang;
        let terminals: Vec<&Terminal> =
            self.board.terminals.iter().filter(|terminal| terminal.vehicle == row.key).collect();
        let heard = terminals.iter().filter_map(|terminal| terminal.heard).max();
        html! {
            @if terminals.is_empty() {
                span .line .done { (lang.say(Text::VehicleNoTerminal)) }
            } @else if terminals.iter().any(|terminal| terminal.online && !terminal.silent) {
                span .line .go { (lang.say(Text::VehicleConnected)) }
            } @else if terminals.iter().any(|terminal| terminal.silent) {
                span .line .warn { (lang.say(Text::Silent)) @if let Some(heard) = heard { " " (self.at(heard)) } }
            } @else {
                span .line .done { (lang.say(Text::VehicleAway)) @if let Some(heard) = heard { " " (self.at(heard)) } }
            }
        }
    }

    fn row_finish(&self, row: &Row) -> Markup {
        let times: Option<Vec<Timestamp>> =
            row.vehicles.iter().map(|vehicle| self.board.finish.get(vehicle).copied()).collect();
        html! {
            @match times.as_ref().and_then(|times| times.iter().max()) {
                _ if row.counts.left == 0 => { (self.lang.say(Text::AllDoneShort)) }
                Some(time) if format::in_japan(*time).date() == self.board.date => { (format::clock(&format::in_japan(*time))) }
                Some(_) => { (self.lang.say(Text::LaterShort)) }
                None => { "－" }
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let board = self.board;
        // The key sorts, and says what belongs together.
        let mut groups: BTreeMap<(usize, String), Vec<&Slice>> = BTreeMap::new();
        for slice in &board.slices {
            let key = match self.by {
                By::Ward => {
                    let place = self.city.wards.iter().position(|ward| *ward == slice.ward);
                    (place.unwrap_or(usize::MAX), slice.ward.clone())
                }
                By::Contractor => {
                    let name = board.names.contractor(&slice.contract);
                    let place = self.city.contractor.iter().position(|contractor| contractor.name == name);
                    (place.unwrap_or(usize::MAX), name.to_owned())
                }
                By::Vehicle => {
                    let place =
                        self.city.vehicle.iter().position(|vehicle| vehicle.id.as_str() == slice.vehicle);
                    (place.unwrap_or(usize::MAX), slice.vehicle.clone())
                }
            };
            groups.entry(key).or_default().push(slice);
        }
        groups.into_iter().map(|((_, key), slices)| self.row(key, &slices)).collect()
    }

    fn row(&self, key: String, slices: &[&Slice]) -> Row {
        let names = &self.board.names;
        let mut counts = Counts::default();
        for slice in slices {
            counts.add_all(slice.counts);
        }
        let mut contractors: Vec<&str> =
            slices.iter().map(|slice| names.contractor(&slice.contract)).collect();
        contractors.sort_unstable();
        contractors.dedup();
        let mut all: Vec<&str> = slices.iter().map(|slice| slice.vehicle.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        let mut vehicles: Vec<String> =
            slices.iter().filter(|slice| slice.counts.left > 0).map(|slice| slice.vehicle.clone()).collect();
        vehicles.sort_unstable();
        vehicles.dedup();
        let (name, detail) = match self.by {
            By::Ward => (key.clone(), contractors.join(comma(self.lang))),
            By::Contractor => (key.clone(), format::number(all.len() as u64)),
            By::Vehicle => (
                names.vehicle(&key).to_owned(),
                format!("{} {}", names.round(&key), contractors.join(comma(self.lang))),
            ),
        };
        let last = slices.iter().filter_map(|slice| slice.last).max();
        Row { key, name, detail, counts, last, vehicles }
    }

    fn latest(&self) -> Markup {
        let (lang, board) = (self.lang, self.board);
        html! {
            div .head { h2 { (lang.say(Text::Latest)) } }
            @if board.latest.is_empty() {
                p .empty { (lang.say(Text::LatestNone)) }
            } @else {
                table .latest role="table" {
                    thead role="rowgroup" { tr role="row" {
                        @for text in [Text::Time, Text::Reception, Text::Town, Text::Vehicle, Text::ResultWord] {
                            th scope="col" role="columnheader" { (lang.say(text)) }
                        }
                    } }
                    tbody role="rowgroup" { @for line in &board.latest {
                        tr role="row" {
                            td .time role="cell" { (line.at.map(|at| self.at(at)).unwrap_or_default()) }
                            td role="cell" { a .number href={ "/pickup/" (line.uid) } { (line.reception) } }
                            td role="cell" { (line.town.as_deref().unwrap_or("－")) }
                            td .vehicle role="cell" {
                                (board.names.contractor(&line.contract)) " " (board.names.vehicle(&line.vehicle))
                            }
                            td .result role="cell" { (state_mark(lang, line.state, line.reason.as_deref())) }
                        }
                    } }
                }
            }
        }
    }
}

/// One row of the table.
struct Row {
    key: String,
    name: String,
    detail: String,
    counts: Counts,
    last: Option<i64>,
    /// Vehicles with pickups left.
    vehicles: Vec<String>,
}

/// A bar of what is done, partly done and not done against the plan.
fn bar(lang: Lang, counts: Counts) -> Markup {
    let planned = counts.planned();
    let label = lang.fill(
        Text::BarLabel,
        &[
            ("total", &format::number(planned)),
            ("done", &format::number(counts.done)),
            ("partly", &format::number(counts.partly)),
            ("not", &format::number(counts.not)),
        ],
    );
    // In thousandths of the plan.
    let thousandths = |count: u32| u64::from(count) * 1000 / u64::from(planned.max(1));
    let (done, partly) = (thousandths(counts.done), thousandths(counts.done + counts.partly));
    let not = thousandths(counts.done + counts.partly + counts.not);
    html! {
        svg .progressbar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect .ground width="1000" height="10" {}
            rect .stop width=(not) height="10" {}
            rect .warn width=(partly) height="10" {}
            rect .go width=(done) height="10" {}
        }
    }
}
