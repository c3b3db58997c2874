//! How far each terminal of a switchover is, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use meguri_proto::ConfigWhy;

use super::super::format;
use super::super::names::Names;
use super::super::request::Address;
use super::super::switchovers::{PAGE, Told};
use super::super::text::{Lang, Text};
use super::problem::Problem;
use super::switchovers::instant;
use crate::export::is_formula;
use crate::schedules::word;
use crate::switchover::readiness::{Bound, Line};
use crate::switchover::{Readiness, Ready, Todo};

/// How it is told apart at a glance: its colour's class, which a mark goes with.
pub(super) fn class(ready: Ready) -> &'static str {
    match ready {
        Ready::Staged | Ready::Activated | Ready::Healthy | Ready::Unchanged => "go",
        Ready::Waiting | Ready::Offered | Ready::Verified | Ready::LetGo => "done",
        Ready::Degraded | Ready::Reverted | Ready::Silent => "warn",
        Ready::Refused | Ready::HoldsWithdrawn | Ready::KeptOut => "stop",
    }
}

/// Its word.
pub(super) fn ready(ready: Ready) -> Text {
    match ready {
        Ready::Waiting => Text::ReadyWaiting,
        Ready::Offered => Text::ReadyOffered,
        Ready::Verified => Text::ReadyVerified,
        Ready::Staged => Text::ReadyStaged,
        Ready::Activated => Text::ReadyActivated,
        Ready::Healthy => Text::ReadyHealthy,
        Ready::Degraded => Text::ReadyDegraded,
        Ready::Reverted => Text::ReadyReverted,
        Ready::Refused => Text::ReadyRefused,
        Ready::Silent => Text::ReadySilent,
        Ready::Unchanged => Text::ReadyUnchanged,
        Ready::HoldsWithdrawn => Text::ReadyHoldsWithdrawn,
        Ready::LetGo => Text::ReadyLetGo,
        Ready::KeptOut => Text::ReadyKeptOut,
    }
}

fn todo(todo: Todo) -> Text {
    match todo {
        Todo::Nothing => Text::TodoNothing,
        Todo::Wait => Text::TodoWait,
        Todo::Call => Text::TodoCall,
        Todo::Stick => Text::TodoStick,
        Todo::AnotherTablet => Text::TodoAnotherTablet,
        Todo::PushAgain => Text::TodoPushAgain,
        Todo::LookAtPeripheral => Text::TodoLookAtPeripheral,
    }
}

/// Why a terminal refused, went back or misses something.
pub(super) fn why(why: ConfigWhy) -> Text {
    match why {
        ConfigWhy::TooLarge => Text::WhyTooLarge,
        ConfigWhy::Malformed => Text::WhyMalformed,
        ConfigWhy::OtherType => Text::WhyOtherType,
        ConfigWhy::NoKeys => Text::WhyNoKeys,
        ConfigWhy::TooFewSignatures => Text::WhyTooFewSignatures,
        ConfigWhy::OtherCity => Text::WhyOtherCity,
        ConfigWhy::OtherTerminal => Text::WhyOtherTerminal,
        ConfigWhy::OldVersion => Text::WhyOldVersion,
        ConfigWhy::Expired => Text::WhyExpired,
        ConfigWhy::KeysExpired => Text::WhyKeysExpired,
        ConfigWhy::KeysNotNext => Text::WhyKeysNotNext,
        ConfigWhy::OutOfBounds => Text::WhyOutOfBounds,
        ConfigWhy::BrokerRefused => Text::WhyBrokerRefused,
        ConfigWhy::BrokerUnreachable => Text::WhyBrokerUnreachable,
        ConfigWhy::PeripheralMissing => Text::WhyPeripheralMissing,
    }
}

/// All of it as CSV with a heading, for a spreadsheet as [`crate::exposure::Exposure::csv`] writes one, in the page's words.
///
/// # Errors
/// When a row can't be written, which memory always can.
pub(in super::super) fn csv(lang: Lang, readiness: &Readiness) -> Result<Vec<u8>, csv::Error> {
    let mut csv = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    let say = |text: Text| lang.say(text).to_owned();
    csv.write_record(
        [
            Text::AsideTerminal,
            Text::State,
            Text::CsvSince,
            Text::CsvWhy,
            Text::CsvGroup,
            Text::SwitchoverVersion,
            Text::TerminalLast,
            Text::CsvContractBefore,
            Text::CsvVehicleBefore,
            Text::CsvContractAfter,
            Text::CsvVehicleAfter,
            Text::TerminalHolder,
            Text::CsvLine,
            Text::CsvUnsent,
            Text::ReadinessTodo,
        ]
        .map(say),
    )?;
    let at = |at: Option<Timestamp>| {
        at.map(|at| format::in_japan(at).strftime("%Y/%m/%d %H:%M").to_string()).unwrap_or_default()
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    // What people or terminals wrote, or name.
    let text = |text: &str| if is_formula(text) { format!("'{text}") } else { text.to_owned() };
    for line in &readiness.terminals {
        csv.write_record([
            text(line.terminal.as_str()),
            say(ready(line.ready)),
            at(line.since),
            line.why.map(|one| say(why(one))).unwrap_or_default(),
            number((line.part > 0).then_some(line.part.into())),
            number(line.held),
            at(line.last_heard),
            text(line.before.contract.as_str()),
            text(line.before.vehicle.as_str()),
            text(line.after.contract.as_str()),
            text(line.after.vehicle.as_str()),
            text(line.holder.as_deref().unwrap_or_default()),
            text(line.line.as_deref().unwrap_or_default()),
            number(line.unsent),
            say(todo(line.todo)),
        ])?;
    }
    csv.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
}

/// Whether somebody has to do something about it.
pub(super) fn asks_for_somebody(line: &Line) -> bool {
    !matches!(line.todo, Todo::Nothing | Todo::Wait)
}

/// How many of a contractor's terminals are how far.
#[derive(Debug, Default, Clone, Copy)]
struct Part {
    go: u64,
    done: u64,
    warn: u64,
    stop: u64,
}

impl Part {
    fn add(&mut self, ready: Ready) {
        *match class(ready) {
            // Nobody waits for it.
            _ if ready == Ready::LetGo => &mut self.go,
            "go" => &mut self.go,
            "warn" => &mut self.warn,
            "stop" => &mut self.stop,
            _ => &mut self.done,
        } += 1;
    }

    fn all(self) -> u64 {
        self.go + self.done + self.warn + self.stop
    }
}

/// How far they are, by whose they are then: a bar each.
pub(super) fn parts(lang: Lang, told: &Told) -> Markup {
    let mut parts: BTreeMap<(&str, &str), Part> = BTreeMap::new();
    for line in &told.readiness.terminals {
        let contract = line.after.contract.as_str();
        parts.entry((told.names.contractor(contract), contract)).or_default().add(line.ready);
    }
    let say = |text| lang.say(text);
    html! {
        table .progress role="table" {
            thead role="rowgroup" { tr role="row" {
                th scope="col" role="columnheader" { (say(Text::Contractor)) }
                th scope="col" role="columnheader" .barcell { (say(Text::ReadinessProgress)) }
                @for text in [Text::ReadinessWell, Text::ReadinessOnWay, Text::ReadinessLook, Text::ReadinessStopped] {
                    th .num scope="col" role="columnheader" { (say(text)) }
                }
            } }
            tbody role="rowgroup" { @for ((name, contract), part) in &parts { tr role="row" {
                th scope="row" role="rowheader" {
                    a .number href=(Address::new(&format!("/switchovers/{}/readiness", told.one.listed.id), &[]).with("contract", contract)) { (name) }
                }
                td .barcell role="cell" { (bar(lang, name, *part)) }
                @for (text, count) in [
                    (Text::ReadinessWell, part.go), (Text::ReadinessOnWay, part.done),
                    (Text::ReadinessLook, part.warn), (Text::ReadinessStopped, part.stop),
                ] {
                    td .num role="cell" data-label=(say(text)) { (format::number(count)) }
                }
            } } }
        }
    }
}

fn bar(lang: Lang, name: &str, part: Part) -> Markup {
    let label = lang.fill(
        Text::ReadinessBar,
        &[
            ("name", &name),
            ("all", &part.all()),
            ("well", &part.go),
            ("look", &part.warn),
            ("stopped", &part.stop),
        ],
    );
    let thousandths = |count: u64| count * 1000 / part.all().max(1);
    html! {
        svg .progressbar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect .ground width="1000" height="10" {}
            rect .stop width=(thousandths(part.go + part.warn + part.stop)) height="10" {}
            rect .warn width=(thousandths(part.go + part.warn)) height="10" {}
            rect .go width=(thousandths(part.go)) height="10" {}
        }
    }
}

/// The page.
pub(in super::super) struct View<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) told: &'a Told,
    /// Those alone that are so far.
    pub(in super::super) state: Option<&'a str>,
    /// Those alone that are, or will be, under this contract.
    pub(in super::super) contract: Option<&'a str>,
    pub(in super::super) page: u32,
    pub(in super::super) address: &'a Address,
    pub(in super::super) today: Date,
    pub(in super::super) now: Timestamp,
    /// Whether terminals have pages of their own for whoever looks.
    pub(in super::super) links: bool,
}

impl View<'_> {
    /// In words.
    pub(in super::super) fn page(&self) -> Result<Markup, Problem> {
        let (lang, told) = (self.lang, self.told);
        let all = &told.readiness.terminals;
        let states: BTreeSet<Ready> = all.iter().map(|line| line.ready).collect();
        let contracts: BTreeSet<&str> = all
            .iter()
            .flat_map(|line| [line.before.contract.as_str(), line.after.contract.as_str()])
            .collect();
        let state = match self.state {
            None => None,
            Some(text) => Some(
                ALL.into_iter()
                    .find(|ready| word(ready) == text)
                    .ok_or_else(|| Problem::bad("state", text, Text::ErrorUnknown))?,
            ),
        };
        let mut lines: Vec<&Line> = all
            .iter()
            .filter(|line| state.is_none_or(|state| line.ready == state))
            .filter(|line| {
                self.contract.is_none_or(|contract| {
                    [&line.before, &line.after].iter().any(|bound| bound.contract.as_str() == contract)
                })
            })
            .collect();
        // Those about whom somebody has to do something come first.
        lines.sort_by_key(|line| !asks_for_somebody(line));
        let per_page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let skip = usize::try_from(self.page - 1).unwrap_or(usize::MAX).saturating_mul(per_page);
        let more = lines.len() > skip.saturating_add(per_page);
        let shown: Vec<&Line> = lines.iter().skip(skip).take(per_page).copied().collect();
        let say = |text| lang.say(text);
        let id = told.one.listed.id;
        let as_of = format::time_in_words(lang, &format::in_japan(self.now));
        Ok(html! {
            div .dayline {
                h1 { (lang.fill(Text::ReadinessTitle, &[("name", &told.one.listed.name)])) }
                span .asof {
                    (instant(lang, &told.one.listed, self.today)) (super::dot(lang))
                    (lang.fill(Text::ReadinessAsOf, &[("time", &as_of)]))
                }
                nav .days .noprint {
                    a .quiet href={ "/switchovers/" (id) } { (say(Text::Back)) }
                    a .quiet href={ "/switchovers/" (id) "/readiness.csv" } { (say(Text::ReadinessCsv)) }
                    button type="button" data-print { (say(Text::Print)) }
                }
            }
            section .card { (parts(lang, told)) }
            section .card {
                form .search .noprint action={ "/switchovers/" (id) "/readiness" } {
                    label { span { (say(Text::State)) }
                        select name="state" {
                            option value="" { (say(Text::ReadinessAll)) }
                            @for one in states { option value=(word(&one)) selected[state == Some(one)] {
                                (say(ready(one))) " " (format::number(all.iter().filter(|line| line.ready == one).count() as u64))
                            } }
                        } }
                    label { span { (say(Text::Contractor)) }
                        select name="contract" {
                            option value="" { (say(Text::ReadinessAll)) }
                            @for one in contracts { option value=(one) selected[self.contract == Some(one)] {
                                (told.names.contractor(one)) " " (one)
                            } }
                        } }
                    button { (say(Text::ReadinessShow)) }
                }
                @if shown.is_empty() {
                    p .empty { (say(Text::TerminalsNone)) }
                } @else {
                    (self.table(&shown))
                }
                (super::pager(lang, self.address, self.page, more))
            }
        })
    }

    fn table(&self, shown: &[&Line]) -> Markup {
        let (lang, names) = (self.lang, &self.told.names);
        let say = |text| lang.say(text);
        let time = |at| format::clock_on(lang, &format::in_japan(at), self.today);
        html! {
            table .terminals .readiness {
                thead { tr {
                    @for text in [Text::AsideTerminal, Text::State, Text::ReadinessBecomes, Text::TerminalLast, Text::TerminalHolder, Text::ReadinessTodo] {
                        th { (say(text)) }
                    }
                } }
                tbody { @for line in shown { tr {
                    th scope="row" {
                        @if self.links { a .number href={ "/terminals/" (line.terminal) } { (line.terminal) } }
                        @else { b { (line.terminal) } }
                        @if line.part > 0 { span .sub .line { (lang.fill(Text::ReadinessGroup, &[("group", &line.part)])) } }
                    }
                    td {
                        b .line .(class(line.ready)) { (say(ready(line.ready))) }
                        @if let Some(since) = line.since { span .sub .line { (lang.fill(Text::ReadinessSince, &[("time", &time(since))])) } }
                        @if let Some(one) = line.why { span .sub .line { (say(why(one))) } }
                        @if !line.detail.is_empty() { span .sub .line { (lang.fill(Text::ReadinessDetail, &[("detail", &line.detail)])) } }
                    }
                    td data-label=(say(Text::ReadinessBecomes)) {
                        @if line.before != line.after { span .sub .line { (bound(names, &line.before)) " →" } }
                        (bound(names, &line.after))
                    }
                    td data-label=(say(Text::TerminalLast)) {
                        @match line.last_heard {
                            Some(at) => (time(at)),
                            None => (say(Text::TerminalNeverHeard)),
                        }
                        @if let Some(unsent) = line.unsent.filter(|unsent| *unsent > 0) {
                            span .sub .line { (lang.fill(Text::ReadinessUnsent, &[("count", &format::number(unsent))])) }
                        }
                    }
                    td data-label=(say(Text::TerminalHolder)) {
                        (line.holder.as_deref().unwrap_or("－"))
                        @if let Some(number) = &line.line { span .sub .line { (number) } }
                    }
                    td data-label=(say(Text::ReadinessTodo)) {
                        @if asks_for_somebody(line) { b { (say(todo(line.todo))) } } @else { span .sub { (say(todo(line.todo))) } }
                    }
                } } }
            }
        }
    }
}

/// A contractor and a vehicle, neither of which is broken where there is room.
fn bound(names: &Names, bound: &Bound) -> Markup {
    html! {
        span .place { (names.contractor(bound.contract.as_str())) } " "
        span .place { (names.vehicle(bound.vehicle.as_str())) }
    }
}

/// All that there are, in the order of the list to choose from.
const ALL: [Ready; 14] = [
    Ready::Waiting,
    Ready::Offered,
    Ready::Verified,
    Ready::Staged,
    Ready::Activated,
    Ready::Healthy,
    Ready::Degraded,
    Ready::Reverted,
    Ready::Refused,
    Ready::Silent,
    Ready::Unchanged,
    Ready::HoldsWithdrawn,
    Ready::LetGo,
    Ready::KeptOut,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::switchover::readiness::Counts;
    use crate::switchover::{Readiness, State};

    #[test]
    fn a_spreadsheet_reads_the_page_s_words_and_no_formulas() {
        let bound =
            |contract: &str| Bound { contract: contract.parse().unwrap(), vehicle: "v1".parse().unwrap() };
        let line = Line {
            terminal: "t-1".parse().unwrap(),
            ready: Ready::Refused,
            since: Some("2027-03-10T03:00:00Z".parse().unwrap()),
            why: Some(ConfigWhy::Expired),
            detail: String::new(),
            part: 0,
            held: None,
            last_heard: None,
            online: false,
            before: bound("a-26"),
            after: bound("c-27"),
            holder: Some("=HYPERLINK(\"x\")".into()),
            line: Some("+81-90-0000-0001".into()),
            unsent: Some(3),
            todo: Todo::PushAgain,
        };
        let (state, counts) = (State::Pushed, Counts::default());
        let readiness = Readiness { id: 1, state, at: None, counts, terminals: vec![line] };
        let told = |lang| String::from_utf8(csv(lang, &readiness).unwrap()).unwrap();
        let ja = told(Lang::Ja);
        assert!(ja.starts_with("\u{feff}端末,状態,いつから,理由,"), "{ja}");
        for cell in ["t-1,拒否,2027/03/10 12:00,", "\"'=HYPERLINK", ",'+81-90-0000-0001,3,理由のとおり直し"]
        {
            assert!(ja.contains(cell), "{cell}: {ja}");
        }
        let en = told(Lang::En);
        assert!(en.contains("t-1,Refused,") && !en.contains("拒否"), "{en}");
    }
}
