//! What one terminal's pages look like: how it stands, its code, and what is asked before it is blocked or reported lost.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use meguri_proto::ConfigState;
use meguri_proto::enrol::Code;

use super::super::fleet::{Holder, One, Standing};
use super::super::format;
use super::super::text::{Lang, Text};
use super::people::{key, qr};
use super::problem::Problem;
use super::terminals::{Said, certificate, fate, heard, kind, standing};
use crate::office::Place;
use crate::register::{Handed, REMARKS_CHARS, Record, WORD_CHARS};

/// One terminal.
pub(in super::super) struct OneView<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) one: &'a One,
    /// What was typed and not taken.
    pub(in super::super) typed: Option<&'a Record>,
    pub(in super::super) today: Date,
    pub(in super::super) manages: bool,
    /// Whether it may be looked up whose data it held.
    pub(in super::super) exposes: bool,
    /// Whether all of the city is seen, so that whoever is not told of has none.
    pub(in super::super) whole: bool,
    pub(in super::super) tls: bool,
    pub(in super::super) data: Option<&'a Place>,
    pub(in super::super) form: &'a str,
    pub(in super::super) said: Option<&'a Said>,
}

impl OneView<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let (lang, terminal) = (self.lang, &self.one.terminal);
        let say = |text| lang.say(text);
        html! {
            div .dayline {
                h1 { (lang.fill(Text::TerminalTitle, &[("terminal", &terminal.id)])) }
                (standing(lang, terminal.standing))
                nav .days { a .quiet href="/terminals" { (say(Text::AsideBack)) } }
            }
            @if let Some(said) = self.said { (said.shown(lang)) }
            div .columns .even {
                div {
                    section .card { (self.facts()) }
                    @if self.manages { section .card { (self.actions()) } }
                }
                div {
                    section .card { (self.register()) }
                    section .card { (self.holders()) }
                }
            }
        }
    }

    fn facts(&self) -> Markup {
        let (lang, terminal, names) = (self.lang, &self.one.terminal, &self.one.names);
        let say = |text| lang.say(text);
        let round = names.round(&terminal.vehicle);
        html! {
            h2 { (say(Text::TerminalNow)) }
            dl .facts {
                dt { (say(Text::Vehicle)) } dd {
                    @if round.is_empty() { (names.vehicle(&terminal.vehicle)) } @else {
                        (lang.fill(Text::VehicleRound, &[("vehicle", &names.vehicle(&terminal.vehicle)), ("round", &round)]))
                    }
                }
                dt { (say(Text::Contract)) } dd {
                    (names.contractor(terminal.contract.as_str())) " " span .sub { (terminal.contract) }
                }
                dt { (say(Text::TerminalHolder)) } dd {
                    @match &terminal.holder {
                        Some(Holder { contractor, person, since }) => {
                            (names.company(contractor.as_str())) " " (person)
                            span .sub .line { (lang.fill(Text::HolderSince, &[("day", &format::day(lang, *since, self.today.year()))])) }
                        }
                        None => (say(if self.whole { Text::HolderCity } else { Text::None })),
                    }
                }
                dt { (say(Text::TerminalLast)) } dd { (heard(lang, terminal, self.today)) }
                @if let Some(fate) = fate(lang, terminal, self.today) {
                    dt { (say(Text::TerminalLostTitle)) } dd { (fate) }
                }
                @if let Some(blocked) = terminal.blocked.filter(|_| terminal.standing == Standing::Blocked) {
                    dt { (say(Text::TerminalBlocked)) }
                    dd { (lang.fill(Text::TerminalBlockedSince, &[("time", &format::clock_on(lang, &format::in_japan(blocked), self.today))])) }
                }
                @if let Some(waiting) = terminal.waiting.filter(|waiting| *waiting > 0) {
                    dt { (say(Text::TerminalUnsent)) } dd { (lang.fill(Text::Count, &[("count", &waiting)])) }
                }
                dt { (say(Text::TerminalConfig)) } dd { (self.configuration()) }
                dt { (say(Text::TerminalVersion)) } dd { (terminal.app.as_deref().unwrap_or("－")) }
                @if self.tls {
                    dt { (say(Text::Certificate)) } dd {
                        @match &terminal.certificate {
                            Some(one) => (certificate(lang, one)),
                            None => (say(Text::CertificateNone)),
                        }
                    }
                }
            }
        }
    }

    /// Its signed configuration: version, how that stands, and what comes.
    fn configuration(&self) -> Markup {
        let (lang, names) = (self.lang, &self.one.names);
        let Some(one) = &self.one.configuration else {
            return html! { (lang.say(Text::TerminalConfigOwn)) };
        };
        let state = one.state.map(|state| match state {
            ConfigState::Verified => Text::StateVerified,
            ConfigState::Staged => Text::StateStaged,
            ConfigState::Activated => Text::StateActivated,
            ConfigState::Healthy => Text::StateHealthy,
            ConfigState::Degraded => Text::StateDegraded,
            ConfigState::Reverted => Text::StateReverted,
            ConfigState::Refused => Text::StateRefused,
        });
        html! {
            @match one.held {
                Some(version) => (lang.fill(Text::TerminalConfigHeld, &[("version", &version)])),
                None => (lang.say(Text::TerminalConfigOwn)),
            }
            @if let Some(state) = state { " " b { (lang.say(state)) } }
            @if let Some(why) = one.why { span .sub .line { (lang.say(super::readiness::why(why))) } }
            @if let Some(version) = one.offered {
                @let refused = one.state == Some(ConfigState::Refused);
                @let text = if refused { Text::TerminalConfigRefused } else { Text::TerminalConfigOffered };
                span .sub .line { (lang.fill(text, &[("version", &version)])) }
            }
            @if let Some((at, contract, vehicle)) = &one.coming { span .sub .line { (lang.fill(Text::TerminalConfigComing, &[
                ("time", &format::clock_on(lang, &format::in_japan(*at), self.today)),
                ("contractor", &names.contractor(contract.as_str())), ("vehicle", &names.vehicle(vehicle)),
            ])) } }
        }
    }

    fn actions(&self) -> Markup {
        let (lang, terminal) = (self.lang, &self.one.terminal);
        let say = |text| lang.say(text);
        html! {
            h2 { (say(Text::TerminalEnrolment)) }
            @if terminal.standing == Standing::Lost { p .look { (say(Text::LostEnrolling)) } }
            @if self.tls {
                @if let Some(until) = terminal.code {
                    p .told { (lang.fill(Text::TerminalCodeOpen, &[("time", &format::clock_on(lang, &format::in_japan(until), self.today))])) }
                }
                p .sub { (say(Text::TerminalCodeLead)) }
                div .ways {
                    form method="post" action={ "/terminals/" (terminal.id) "/code" } {
                        (key(self.form))
                        button .button { (say(if terminal.code.is_some() { Text::TerminalCodeAnew } else { Text::TerminalCodeDraw })) }
                    }
                    @if terminal.code.is_some() {
                        form method="post" action={ "/terminals/" (terminal.id) "/void" } {
                            (key(self.form))
                            button { (say(Text::TerminalVoid)) }
                        }
                    }
                }
            } @else {
                p .sub { (say(Text::TerminalNoTls)) }
                (super::command(lang, Text::TerminalSecretDraw, self.data, &format!("terminal secret {}", terminal.id)))
            }
            h2 { (say(Text::TerminalLostTitle)) }
            p .sub { (say(match terminal.standing {
                Standing::Lost => Text::TerminalLostWaits,
                Standing::Erased => Text::TerminalErasedHint,
                _ => Text::TerminalLostHint,
            })) }
            div .ways {
                @match terminal.standing {
                    Standing::Lost => a .quiet href={ "/terminals/" (terminal.id) "/unblock" } { (say(Text::TerminalFound)) },
                    Standing::Erased => {}
                    _ => a .quiet .danger href={ "/terminals/" (terminal.id) "/lost" } { (say(Text::TerminalLostDo)) },
                }
                @if self.exposes { a .quiet href={ "/terminals/" (terminal.id) "/exposure" } { (say(Text::Exposure)) } }
            }
            // A lost one is kept out by itself; blocked before, it could not be erased.
            @if !matches!(terminal.standing, Standing::Lost | Standing::Erased) {
                h2 { (say(Text::TerminalStopTitle)) }
                @if terminal.blocked.is_some() {
                    p .sub { (say(Text::TerminalUnblockHint)) }
                    p { a .quiet href={ "/terminals/" (terminal.id) "/unblock" } { (say(Text::TerminalUnblock)) } }
                } @else {
                    p .sub { (say(Text::TerminalBlockHint)) }
                    p { a .quiet .danger href={ "/terminals/" (terminal.id) "/block" } { (say(Text::TerminalBlock)) } }
                }
            }
        }
    }

    fn register(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        let record = self.typed.unwrap_or(&self.one.terminal.record);
        let fields = [
            (Text::Asset, "asset", &record.asset, false),
            (Text::Iccid, "iccid", &record.iccid, true),
            (Text::LineNumber, "line", &record.line, true),
            (Text::Model, "model", &record.model, false),
            (Text::SerialNumber, "serial", &record.serial, false),
        ];
        html! {
            h2 { (say(Text::Register)) }
            @if self.manages {
                form .fields .close method="post" action={ "/terminals/" (self.one.terminal.id) "/record" } autocomplete="off" {
                    (key(self.form))
                    @for (label, name, value, digits) in fields {
                        label { span { (say(label)) }
                            input name=(name) value=(value) maxlength=(WORD_CHARS) spellcheck="false"
                                inputmode=[digits.then_some("numeric")]; }
                    }
                    label { span { (say(Text::Remarks)) }
                        textarea name="remarks" rows="3" maxlength=(REMARKS_CHARS) { (record.remarks) } }
                    button { (say(Text::RegisterDo)) }
                }
            } @else {
                dl .facts {
                    @for (label, _, value, _) in fields {
                        dt { (say(label)) } dd { @if value.is_empty() { "－" } @else { (value) } }
                    }
                    @if !record.remarks.is_empty() { dt { (say(Text::Remarks)) } dd .remarks { (record.remarks) } }
                }
            }
        }
    }

    fn holders(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! {
            div .head {
                h2 { (say(Text::HandingHistory)) }
                @if self.manages {
                    a .quiet href={ "/handover?t=" (self.one.terminal.id) } { (say(Text::HandingBegin)) }
                }
            }
            @if self.one.history.is_empty() { p .empty { (say(Text::HandingNone)) } }
            ol .timeline { @for handed in &self.one.history { li { (self.handed(handed)) } } }
        }
    }

    fn handed(&self, handed: &Handed) -> Markup {
        let lang = self.lang;
        html! {
            p .what {
                span .time { (format::day(lang, handed.day, self.today.year())) }
                b { (lang.say(kind(handed.kind))) } " "
                (self.one.names.company(handed.contractor.as_str())) " " (handed.person)
            }
            @if !handed.things.is_empty() { p .sub { (handed.things.join(super::comma(lang))) } }
            @if self.manages {
                form method="post" action="/handover/sheet" {
                    (key(self.form))
                    input type="hidden" name="t" value=(self.one.terminal.id);
                    input type="hidden" name="kind" value=(handed.kind.word());
                    input type="hidden" name="day" value=(handed.day);
                    input type="hidden" name="contractor" value=(handed.contractor);
                    input type="hidden" name="person" value=(handed.person);
                    @for thing in &handed.things { input type="hidden" name="things" value=(thing); }
                    button .small { (lang.say(Text::HandingSheetAgain)) }
                }
            }
        }
    }
}

/// A code that was drawn, to be shown to a tablet's scanner or printed.
pub(in super::super) struct CodeView<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) one: &'a One,
    pub(in super::super) office: &'a str,
    pub(in super::super) code: &'a Code,
    pub(in super::super) until: Timestamp,
    pub(in super::super) minutes: u16,
}

impl CodeView<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Result<Markup, Problem> {
        let (lang, terminal, names) = (self.lang, &self.one.terminal, &self.one.names);
        let until = format::in_japan(self.until);
        let time = format!("{} {}", format::day(lang, until.date(), 0), format::clock(&until));
        // What a scanner types into the tablet.
        let scanned = format!("{}/#{}", self.office, self.code);
        Ok(html! { section .card .lone .enrolment {
            h1 { (lang.fill(Text::TerminalTitle, &[("terminal", &terminal.id)])) }
            p .sub { (names.vehicle(&terminal.vehicle)) (super::dot(lang)) (names.contractor(terminal.contract.as_str())) }
            p { (lang.say(Text::TerminalCodeScan)) }
            (qr(&scanned)?)
            dl .facts {
                dt { (lang.say(Text::TerminalCode)) } dd .drawn { code { (self.code) } }
                dt { (lang.say(Text::TerminalOffice)) } dd { code { (self.office) } }
                dt { (lang.say(Text::TerminalCodeUntil)) } dd { b { (lang.fill(Text::TerminalCodeUntilTime, &[("time", &time), ("minutes", &self.minutes)])) } }
            }
            p .sub { (lang.say(Text::TerminalCodeOnce)) }
            div .ways .noprint {
                button type="button" data-print { (lang.say(Text::Print)) }
                a .quiet href={ "/terminals/" (terminal.id) } { (lang.say(Text::Back)) }
            }
        } })
    }
}

/// What may be done about a terminal once it is asked whether it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// It is kept out.
    Block,
    /// It is let in again.
    Unblock,
    /// It is lost or stolen.
    Lose,
    /// It was lost, is not erased yet, and is found again.
    Find,
}

impl Step {
    /// What is asked, what the step does, and the button that does it.
    fn texts(self) -> (Text, &'static [Text], Text) {
        match self {
            Self::Block => (
                Text::TerminalBlockAsk,
                &[
                    Text::BlockEndsLine,
                    Text::BlockVoidsCode,
                    Text::BlockKeepsRecords,
                    Text::BlockKeepsLists,
                    Text::BlockUndone,
                ],
                Text::TerminalBlock,
            ),
            Self::Unblock => (
                Text::TerminalUnblockAsk,
                &[Text::UnblockLetsIn, Text::UnblockSends, Text::UnblockRather],
                Text::TerminalUnblock,
            ),
            Self::Lose => (
                Text::TerminalLostAsk,
                &[
                    Text::LostErases,
                    Text::LostTakesNothing,
                    Text::LostSim,
                    Text::LostKeepsRecords,
                    Text::BlockVoidsCode,
                    Text::LostUndone,
                ],
                Text::TerminalLostDo,
            ),
            Self::Find => (
                Text::TerminalFoundAsk,
                &[Text::FoundLetsIn, Text::UnblockSends, Text::FoundRather],
                Text::TerminalFound,
            ),
        }
    }

    /// The last part of its address.
    fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unblock | Self::Find => "unblock",
            Self::Lose => "lost",
        }
    }

    /// The page's name.
    pub(in super::super) fn title(self) -> Text {
        match self {
            Self::Block => Text::TerminalBlock,
            Self::Unblock => Text::TerminalUnblock,
            Self::Lose => Text::TerminalLostTitle,
            Self::Find => Text::TerminalFound,
        }
    }
}

/// What a step does, and whether it is meant.
pub(in super::super) fn ask(lang: Lang, one: &One, form: &str, step: Step) -> Markup {
    let id = &one.terminal.id;
    let (title, does, button) = step.texts();
    html! { section .card .lone {
        h1 { (lang.fill(title, &[("terminal", id)])) }
        p .sub {
            (one.names.vehicle(&one.terminal.vehicle)) (super::dot(lang))
            (one.names.contractor(one.terminal.contract.as_str()))
        }
        ul .does { @for text in does { li { (lang.say(*text)) } } }
        div .ways {
            form method="post" action={ "/terminals/" (id) "/" (step.word()) } {
                (key(form))
                button .button .danger[matches!(step, Step::Block | Step::Lose)] { (lang.say(button)) }
            }
            a .quiet href={ "/terminals/" (id) } { (lang.say(Text::DoNot)) }
        }
    } }
}
