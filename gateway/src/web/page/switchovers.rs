//! What the pages of switchovers look like: all of them, one with its steps and what is to be done next, and what is asked before
//! a step that can't be taken back.

use jiff::SignedDuration;
use jiff::civil::Date;
use maud::{Markup, html};
use serde_json::Value;

use super::super::format;
use super::super::names::Names;
use super::super::switchovers::Told;
use super::super::text::{Lang, Text};
use super::people::key;
use super::readiness::{asks_for_somebody, parts};
use super::terminals::Said;
use crate::people::Action;
use crate::switchover::{Finding, Found, Keys, Kind, Listed, Release, Rollout, Severity, State, Step, Taken};

/// How it stands, as a mark and a word.
fn state(lang: Lang, one: &Listed) -> Markup {
    let (class, text) = match one.state {
        State::Draft => ("done", Text::SwitchoverDraft),
        State::Checked => ("done", Text::SwitchoverChecked),
        State::Approved => ("go", Text::SwitchoverApproved),
        State::Pushed => ("go", Text::SwitchoverPushed),
        State::CutOver => ("go", Text::SwitchoverCutOver),
        State::Closed => ("done", Text::SwitchoverClosed),
        State::Withdrawn => ("stop", Text::SwitchoverWithdrawn),
    };
    html! {
        b .line .(class) { (lang.say(text)) }
        @if one.stopped.is_some() { " " b .line .warn { (lang.say(Text::SwitchoverStopped)) } }
    }
}

fn kind(kind: Kind) -> Text {
    match kind {
        Kind::Switchover => Text::SwitchoverKind,
        Kind::Correction => Text::SwitchoverCorrection,
    }
}

/// Its number, by which commands and steps name it.
fn number(lang: Lang, one: &Listed) -> String {
    lang.fill(Text::SwitchoverNumber, &[("id", &one.id)])
}

/// Its release's version, which is not broken.
fn version(lang: Lang, one: &Listed) -> Markup {
    html! { span .place { (lang.fill(Text::ReleaseVersion, &[("version", &one.version)])) } }
}

/// Its instant in words.
pub(super) fn instant(lang: Lang, one: &Listed, today: Date) -> String {
    match one.at {
        None => lang.say(Text::SwitchoverAtOnce).to_owned(),
        Some(at) => {
            let at = format::in_japan(at);
            format!("{} {}", format::day(lang, at.date(), today.year()), format::clock(&at))
        }
    }
}

/// All of them.
pub(in super::super) struct List<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) list: &'a [Listed],
    pub(in super::super) releases: &'a [Release],
    pub(in super::super) keys: &'a [Keys],
    pub(in super::super) today: Date,
    /// Whether all of the city is seen.
    pub(in super::super) whole: bool,
    pub(in super::super) manages: bool,
    pub(in super::super) form: &'a str,
    pub(in super::super) said: Option<&'a Said>,
}

impl List<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! {
            div .dayline { h1 { (say(Text::Switchovers)) } }
            @if let Some(said) = self.said { (said.shown(lang)) }
            section .card {
                @if self.list.is_empty() {
                    p .empty { (say(Text::SwitchoversNone)) }
                } @else {
                    (self.table())
                }
            }
            @if self.whole {
                section .card { (self.releases()) }
                section .card { (self.keys()) }
            }
        }
    }

    fn table(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! { table .terminals {
            thead { tr { @for text in [Text::SwitchoverName, Text::State, Text::SwitchoverInstant, Text::Terminals, Text::SwitchoverVersion] {
                th { (say(text)) }
            } } }
            tbody { @for one in self.list { tr {
                th scope="row" {
                    a .number href={ "/switchovers/" (one.id) } { (one.name) }
                    span .sub .line { (say(kind(one.kind))) (super::dot(lang)) (number(lang, one)) }
                }
                td { (state(lang, one)) }
                td data-label=(say(Text::SwitchoverInstant)) { (instant(lang, one, self.today)) }
                td data-label=(say(Text::Terminals)) {
                    (format::number(one.terminals))
                    @if one.part > 0 { span .sub .line { (lang.fill(Text::SwitchoverGroups, &[("part", &one.part), ("parts", &one.parts)])) } }
                }
                td data-label=(say(Text::SwitchoverVersion)) { (one.version) }
            } } }
        } }
    }

    /// Releases that nothing is made of yet, and how one comes here.
    fn releases(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let waiting: Vec<&Release> =
            self.releases.iter().filter(|release| release.switchover.is_none()).collect();
        html! {
            h2 { (say(Text::Releases)) }
            @if waiting.is_empty() { p .empty { (say(Text::ReleasesNone)) } }
            @else { ul .persons { @for one in waiting { li {
                div {
                    b { (one.name) } " " span .sub { (lang.fill(Text::ReleaseVersion, &[("version", &one.version)])) }
                    p .sub {
                        (lang.fill(Text::ReleaseTerminals, &[("count", &format::number(one.terminals))])) (super::dot(lang))
                        @match one.switchover_at {
                            Some(at) => (format::clock_on(lang, &format::in_japan(at), self.today)),
                            None => (say(Text::SwitchoverAtOnce)),
                        }
                        (super::dot(lang))
                        (lang.fill(Text::ReleaseExpires, &[("time", &format::clock_on(lang, &format::in_japan(one.expires), self.today))]))
                    }
                }
                @if self.manages { form .ways method="post" action="/switchovers/draft" {
                    (key(self.form))
                    input type="hidden" name="version" value=(one.version);
                    button .button { (say(Text::SwitchoverDraftDo)) }
                } }
            } } } }
            p .sub .command { (say(Text::ReleaseHow)) " " code { "meguri-config push" } }
        }
    }

    fn keys(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! {
            h2 { (say(Text::KeySets)) }
            @if self.keys.is_empty() { p .empty { (say(Text::KeySetsNone)) } }
            @else {
                p .sub { (say(Text::KeySetsLead)) }
                dl .facts .keys { @for one in self.keys {
                    dt { (lang.fill(Text::KeySet, &[("version", &one.version)])) }
                    dd { code { (one.fingerprint) } span .sub .line { (self.last_day(one)) } }
                } }
            }
        }
    }
}

impl List<'_> {
    /// Until when a key set holds: people write its last day, the set says the midnight after it.
    fn last_day(&self, one: &Keys) -> String {
        let last = one.expires.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(one.expires);
        let day = format::day(self.lang, format::in_japan(last).date(), self.today.year());
        self.lang.fill(Text::KeySetExpires, &[("day", &day)])
    }
}

/// What is asked about before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Asks {
    /// A second person says yes.
    Approve,
    /// It is offered to terminals.
    Push,
    /// It is withdrawn.
    Withdraw,
    /// It is closed.
    Close,
}

impl Asks {
    /// What whoever does it has to be allowed.
    pub(in super::super) fn action(self) -> Action {
        if self == Self::Approve { Action::ApproveSwitchovers } else { Action::ManageSwitchovers }
    }

    /// Whether it can be asked for now by somebody.
    pub(in super::super) fn fits(self, told: &Told, login: &str) -> bool {
        let one = &told.one.listed;
        match self {
            Self::Approve => one.state == State::Checked && !drafted_by(told, login),
            Self::Push => one.state == State::Approved,
            Self::Withdraw => {
                matches!(one.state, State::Draft | State::Checked | State::Approved | State::Pushed)
            }
            Self::Close => {
                one.state == State::CutOver || (one.state, one.kind) == (State::Pushed, Kind::Correction)
            }
        }
    }

    /// The page's name.
    pub(in super::super) fn title(self) -> Text {
        match self {
            Self::Approve => Text::SwitchoverApprove,
            Self::Push => Text::SwitchoverPush,
            Self::Withdraw => Text::SwitchoverWithdraw,
            Self::Close => Text::SwitchoverClose,
        }
    }

    /// What is asked, and what it does.
    fn texts(self, pushed: bool) -> (Text, &'static [Text]) {
        match self {
            Self::Approve => {
                (Text::ApproveAsk, &[Text::ApproveSays, Text::ApproveOffersNothing, Text::ApproveSecond])
            }
            Self::Push => (Text::PushAsk, &[Text::PushGroups, Text::PushStops, Text::PushUndone]),
            Self::Withdraw if pushed => (
                Text::WithdrawAsk,
                &[Text::WithdrawNewer, Text::WithdrawAll, Text::WithdrawHolds, Text::WithdrawUndone],
            ),
            Self::Withdraw => (Text::WithdrawAsk, &[Text::WithdrawBefore, Text::WithdrawUndone]),
            Self::Close => (Text::CloseAsk, &[Text::CloseTells, Text::CloseLate, Text::CloseUndone]),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Push => "push",
            Self::Withdraw => "withdraw",
            Self::Close => "close",
        }
    }
}

fn drafted_by(told: &Told, login: &str) -> bool {
    let drafted = told.one.steps.iter().find(|step| step.step == Step::Drafted);
    drafted.and_then(|step| step.person.as_ref()).is_some_and(|(by, _)| by == login)
}

/// What a step does, and whether it is meant.
pub(in super::super) fn ask(lang: Lang, told: &Told, form: &str, step: Asks, today: Date) -> Markup {
    let one = &told.one.listed;
    let say = |text| lang.say(text);
    let pushed = one.state == State::Pushed;
    let (title, does) = step.texts(pushed);
    let usual = Rollout::default();
    let groups: Vec<String> = usual.groups.iter().map(u8::to_string).collect();
    html! { section .card .lone {
        h1 { (lang.fill(title, &[("name", &one.name)])) }
        p .sub {
            (instant(lang, one, today)) (super::dot(lang))
            (lang.fill(Text::ReleaseTerminals, &[("count", &format::number(one.terminals))])) (super::dot(lang))
            (version(lang, one))
        }
        @if step == Asks::Approve && let Some(found) = &told.found { (findings(lang, &told.names, found)) }
        ul .does { @for text in does { li { (say(*text)) } } }
        form .fields method="post" action={ "/switchovers/" (one.id) "/" (step.word()) } {
            (key(form))
            @if step == Asks::Push {
                label { span { (say(Text::RolloutGroups)) }
                    input name="groups" value=(groups.join(",")) inputmode="numeric" pattern="[0-9]+(,[0-9]+)*" maxlength="80" required; }
                @for (text, name, value, most) in [
                    (Text::RolloutReady, "ready", u32::from(usual.ready_percent), 100),
                    (Text::RolloutPatience, "patience", u32::from(usual.patience_hours), 2_000),
                    (Text::RolloutRefused, "refused", u32::from(usual.refused_percent), 100),
                ] {
                    label { span { (say(text)) }
                        input type="number" name=(name) value=(value) min="0" max=(most) required; }
                }
            }
            @if step == Asks::Withdraw && pushed {
                label { span { (say(Text::WithdrawRelease)) }
                    input name="release" inputmode="numeric" pattern="[0-9]+" maxlength="20" required; }
            }
            div .ways {
                button .button .danger[step == Asks::Withdraw] { (say(step.title())) }
                a .quiet href={ "/switchovers/" (one.id) } { (say(Text::DoNot)) }
            }
        }
    } }
}

/// What stands in the way, or should be known.
fn findings(lang: Lang, names: &Names, found: &[Finding]) -> Markup {
    let named = |finding: &Finding| {
        let one = |id: &String| match finding.found {
            Found::NoCrews | Found::NoDispatchers => names.company(id).to_owned(),
            Found::VehiclesWithout => names.vehicle(id).to_owned(),
            Found::SameInstant => lang.fill(Text::SwitchoverNumber, &[("id", id)]),
            Found::MoreInstants => {
                id.parse().map_or_else(|_| id.clone(), |day: Date| format::day(lang, day, 0))
            }
            _ => id.clone(),
        };
        finding.named.iter().map(one).collect::<Vec<_>>().join(super::comma(lang))
    };
    html! {
        @if found.is_empty() { p .told { (lang.say(Text::FindingsNone)) } }
        @else { ul .asides { @for finding in found { li {
            @let (class, text) = match finding.severity {
                Severity::Error => ("stop", Text::FindingError),
                Severity::Warning => ("warn", Text::FindingWarning),
            };
            b .line .(class) { (lang.say(text)) } " "
            (lang.say(words(finding.found)))
            @if !finding.named.is_empty() {
                span .sub .line {
                    (named(finding))
                    @if finding.count > finding.named.len() as u64 {
                        " " (lang.fill(Text::FindingAll, &[("count", &format::number(finding.count))]))
                    }
                }
            }
        } } } }
    }
}

fn words(found: Found) -> Text {
    match found {
        Found::InstantPast => Text::FoundInstantPast,
        Found::Expired => Text::FoundExpired,
        Found::ExpiresBeforeInstant => Text::FoundExpiresBefore,
        Found::KeysExpire => Text::FoundKeysExpire,
        Found::SignersGone => Text::FoundSignersGone,
        Found::NotMidnight => Text::FoundNotMidnight,
        Found::PlanDiffers => Text::FoundPlanDiffers,
        Found::Outdated => Text::FoundOutdated,
        Found::SameInstant => Text::FoundSameInstant,
        Found::WithoutSwitchover => Text::FoundWithoutSwitchover,
        Found::MoreInstants => Text::FoundMoreInstants,
        Found::TerminalsMissing => Text::FoundTerminalsMissing,
        Found::VehiclesWithout => Text::FoundVehiclesWithout,
        Found::Silent => Text::FoundSilent,
        Found::NoCrews => Text::FoundNoCrews,
        Found::NoDispatchers => Text::FoundNoDispatchers,
    }
}

fn taken(step: Step) -> Text {
    match step {
        Step::Drafted => Text::StepDrafted,
        Step::Checked => Text::StepChecked,
        Step::Approved => Text::StepApproved,
        Step::Pushed => Text::StepPushed,
        Step::Group => Text::StepGroup,
        Step::Stopped => Text::StepStopped,
        Step::WentOn => Text::StepWentOn,
        Step::CutOver => Text::StepCutOver,
        Step::PickupsClosed => Text::StepPickupsClosed,
        Step::Closed => Text::StepClosed,
        Step::Withdrawn => Text::StepWithdrawn,
    }
}

/// What is known of a step beside who took it when.
fn detail(lang: Lang, step: &Taken) -> Option<String> {
    let detail = step.detail.as_ref()?;
    let plain = |name: &str| detail.get(name).and_then(Value::as_i64);
    let number = |name: &str| plain(name).map(format::number);
    match step.step {
        // A version is a number that people compare, not an amount; and so is a switchover's.
        Step::Drafted => {
            plain("version").map(|version| lang.fill(Text::ReleaseVersion, &[("version", &version)]))
        }
        Step::Checked => Some(lang.fill(
            Text::StepCheckedDetail,
            &[("errors", &number("errors")?), ("warnings", &number("warnings")?)],
        )),
        Step::Group => Some(lang.fill(
            Text::StepGroupDetail,
            &[("group", &number("group")?), ("terminals", &number("terminals")?)],
        )),
        Step::Stopped => Some(
            lang.fill(Text::StepStoppedDetail, &[("refused", &number("refused")?), ("of", &number("of")?)]),
        ),
        Step::PickupsClosed => {
            number("pickups").map(|count| lang.fill(Text::StepPickupsDetail, &[("count", &count)]))
        }
        Step::Withdrawn => plain("by").map(|by| lang.fill(Text::StepWithdrawnDetail, &[("by", &by)])),
        _ => None,
    }
}

/// One switchover.
pub(in super::super) struct OneView<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) told: &'a Told,
    pub(in super::super) today: Date,
    pub(in super::super) manages: bool,
    pub(in super::super) login: &'a str,
    pub(in super::super) form: &'a str,
    pub(in super::super) said: Option<&'a Said>,
}

impl OneView<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let (lang, told) = (self.lang, self.told);
        let one = &told.one.listed;
        let say = |text| lang.say(text);
        html! {
            div .dayline {
                h1 { (one.name) }
                (state(lang, one))
                span .asof {
                    (say(kind(one.kind))) (super::dot(lang)) (instant(lang, one, self.today)) (super::dot(lang))
                    (number(lang, one)) (super::dot(lang)) (version(lang, one))
                }
                nav .days { a .quiet href="/switchovers" { (say(Text::AsideBack)) } }
            }
            @if let Some(said) = self.said { (said.shown(lang)) }
            @if let Some((since, why)) = &one.stopped { p .look role="alert" {
                (lang.fill(
                    if why == "refusals" { Text::SwitchoverStoppedRefusals } else { Text::SwitchoverStoppedPerson },
                    &[("time", &format::clock_on(lang, &format::in_japan(*since), self.today))],
                ))
            } }
            div .columns .switchover {
                div {
                    (self.figures())
                    section .card {
                        div .head {
                            h2 { (say(Text::Readiness)) }
                            a .quiet href={ "/switchovers/" (one.id) "/readiness" } { (say(Text::ReadinessEach)) }
                        }
                        (parts(lang, told))
                    }
                    @if let Some(found) = &told.found { section .card {
                        h2 { (say(Text::Findings)) }
                        (findings(lang, &told.names, found))
                    } }
                }
                div {
                    @if self.manages && !matches!(one.state, State::Closed | State::Withdrawn) {
                        section .card { (self.next()) }
                    }
                    section .card { (self.steps()) }
                }
            }
        }
    }

    fn figures(&self) -> Markup {
        let (lang, told) = (self.lang, self.told);
        let one = &told.one.listed;
        let say = |text| lang.say(text);
        let counts = &told.readiness.counts;
        let asks = told.readiness.terminals.iter().filter(|line| asks_for_somebody(line)).count();
        let days = one.at.and_then(|at| self.today.until(format::in_japan(at).date()).ok());
        html! { div .figures {
            section .card .figure {
                h2 { (say(Text::SwitchoverDays)) }
                p .big {
                    @match days.map(|days| days.get_days()) {
                        _ if one.state == State::Withdrawn => "－",
                        // On its day it has come: it is a midnight.
                        Some(days @ 1..) => { (days) small { " " (say(Text::SwitchoverDaysUnit)) } }
                        Some(_) => { small { (say(Text::SwitchoverOver)) } }
                        None => { small { (say(Text::SwitchoverAtOnce)) } }
                    }
                }
            }
            section .card .figure {
                h2 { (say(Text::ReadinessReady)) }
                p .big .go { (format::number(counts.ready)) small { " / " (format::number(counts.of)) } }
            }
            section .card .figure {
                h2 { (say(Text::ReadinessAsks)) }
                p .big .warn[asks > 0] { (format::number(asks as u64)) }
            }
            section .card .figure {
                h2 { (say(Text::SwitchoverGroup)) }
                p .big { (one.part) small { " / " (one.parts) } }
            }
        } }
    }

    /// What can be done next, and by whom.
    fn next(&self) -> Markup {
        let (lang, told) = (self.lang, self.told);
        let one = &told.one.listed;
        let say = |text| lang.say(text);
        let post = |step: &str, text: Text, main: bool| {
            html! { form method="post" action={ "/switchovers/" (one.id) "/" (step) } {
                (key(self.form))
                button .button[main] { (say(text)) }
            } }
        };
        let asks = |step: Asks, class: &str| {
            html! { @if step.fits(told, self.login) {
                a class=(class) href={ "/switchovers/" (one.id) "/" (step.word()) } { (say(step.title())) }
            } }
        };
        let offered = matches!(one.state, State::Pushed | State::CutOver);
        html! {
            h2 { (say(Text::SwitchoverNext)) }
            p .sub { (say(match one.state {
                State::Draft => Text::NextDraft,
                State::Checked if drafted_by(told, self.login) => Text::NextCheckedOwn,
                State::Checked => Text::NextChecked,
                State::Approved => Text::NextApproved,
                State::Pushed if one.stopped.is_some() => Text::NextStopped,
                State::Pushed => Text::NextPushed,
                _ => Text::NextCutOver,
            })) }
            div .ways {
                @if one.state == State::Draft { (post("check", Text::SwitchoverCheck, true)) }
                (asks(Asks::Approve, "button"))
                (asks(Asks::Push, "button"))
                @if offered && one.stopped.is_some() { (post("push", Text::SwitchoverGoOn, true)) }
                (asks(Asks::Close, if one.state == State::CutOver { "button" } else { "quiet" }))
                @if one.state == State::Checked { (post("check", Text::SwitchoverCheckAgain, false)) }
                @if offered && one.stopped.is_none() && one.part < one.parts { (post("push", Text::SwitchoverNextGroup, false)) }
                @if offered && one.stopped.is_none() && one.part < one.parts { (post("stop", Text::SwitchoverStop, false)) }
                (asks(Asks::Withdraw, "quiet danger"))
            }
        }
    }

    fn steps(&self) -> Markup {
        let lang = self.lang;
        html! {
            h2 { (lang.say(Text::SwitchoverSteps)) }
            ol .timeline { @for step in self.told.one.steps.iter().rev() { li {
                span .time { (format::clock_on(lang, &format::in_japan(step.at), self.today)) }
                b { (lang.say(taken(step.step))) }
                @match &step.person {
                    Some((_, name)) => { " " span .who { (name) } }
                    None => {}
                }
                @if let Some(detail) = detail(lang, step) { span .sub .line { (detail) } }
            } } }
        }
    }
}
