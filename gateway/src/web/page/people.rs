//! What the pages of accounts look like.

use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::City;
use qrcode::{Color, QrCode};

use super::super::format;
use super::super::request::Address;
use super::super::text::{Lang, Text};
use super::problem::Problem;
use crate::audit::{Entry, What, Who};
use crate::config::Passwords;
use crate::people::password::{LEAST_CHARS, Refused};
use crate::people::sessions::Open;
use crate::people::{LOGIN_BYTES, NAME_CHARS, Person, Role};

/// Why a password can't be taken, in the pages' words.
pub(in super::super) fn refused(why: Refused) -> Text {
    match why {
        Refused::Short => Text::PasswordShort,
        Refused::Long => Text::PasswordLong,
        Refused::Easy => Text::PasswordEasy,
        Refused::NoMemory => Text::ErrorStore,
    }
}

/// What stands first in every form.
pub(super) fn key(form: &str) -> Markup {
    html! { input type="hidden" name="form" value=(form); }
}

fn wrong(lang: Lang, wrong: Option<Text>) -> Markup {
    html! { @if let Some(wrong) = wrong {
        p .look role="alert" { (lang.fill(wrong, &[("least", &LEAST_CHARS)])) }
    } }
}

/// A password's field with its label.
fn secret(lang: Lang, label: Text, name: &str, complete: &str, first: bool) -> Markup {
    html! { label { span { (lang.say(label)) }
        input type="password" name=(name) autocomplete=(complete) maxlength="256" required autofocus[first];
    } }
}

/// The sign-in; `openid` says who has a password where there is an identity provider.
pub(in super::super) fn sign_in(
    lang: Lang,
    form: &str,
    to: &str,
    openid: Option<Passwords>,
    failed: Option<Text>,
) -> Markup {
    let first = openid.is_none();
    let by_password = html! {
        form .fields method="post" action="/signin" {
            (key(form))
            input type="hidden" name="to" value=(to);
            label { span { (lang.say(Text::Login)) }
                input name="login" autocomplete="username" autocapitalize="none" spellcheck="false"
                    maxlength=(LOGIN_BYTES) required autofocus[first]; }
            (secret(lang, Text::Password, "password", "current-password", false))
            button class=(if first { "button" } else { "quiet" }) { (lang.say(Text::SignIn)) }
        }
    };
    // A link and no form: where the provider leads on to another one, a form's policy would stop the browser there.
    let provider = match to {
        "/" => "/signin/openid".to_owned(),
        to => Address::new("/signin/openid", &[]).with("to", to),
    };
    html! { section .card .lone {
        h1 { (lang.say(Text::SignIn)) }
        (wrong(lang, failed))
        @if openid.is_some() { p { a .button href=(provider) { (lang.say(Text::OpenIdDo)) } } }
        @match openid {
            None => { (by_password) p .sub { (lang.say(Text::SignInForgot)) } }
            Some(Passwords::Allowed) => {
                h2 { (lang.say(Text::OpenIdOr)) }
                (by_password)
                p .sub { (lang.say(Text::SignInForgot)) }
            }
            Some(Passwords::Emergency) => {
                details open[failed.is_some()] {
                    summary .quiet { (lang.say(Text::OpenIdEmergency)) }
                    p .sub { (lang.say(Text::OpenIdEmergencyLead)) }
                    (by_password)
                }
            }
        }
    } }
}

/// The second factor's code.
pub(in super::super) fn code(lang: Lang, form: &str, failed: bool) -> Markup {
    html! { section .card .lone {
        h1 { (lang.say(Text::SecondFactor)) }
        (wrong(lang, failed.then_some(Text::CodeWrong)))
        p { (lang.say(Text::CodeAsked)) }
        form .fields method="post" action="/signin/code" {
            (key(form))
            label { span { (lang.say(Text::Code)) }
                input name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="40" required autofocus; }
            button .button { (lang.say(Text::GoOn)) }
        }
        p .sub { (lang.say(Text::CodeLost)) }
        (leave(lang, form))
    } }
}

fn leave(lang: Lang, form: &str) -> Markup {
    html! { form method="post" action="/signout" { (key(form)) button .quiet { (lang.say(Text::SignOut)) } } }
}

/// The first administrator.
pub(in super::super) fn set_up(
    lang: Lang,
    form: &str,
    file: &str,
    login: &str,
    name: &str,
    failed: Option<Text>,
) -> Markup {
    html! { section .card .lone {
        h1 { (lang.say(Text::SetUpTitle)) }
        (wrong(lang, failed))
        p { (lang.say(Text::SetUpLead)) }
        pre { (file) }
        form .fields method="post" action="/setup" autocomplete="off" {
            (key(form))
            label { span { (lang.say(Text::SetUpCode)) }
                input name="code" autocapitalize="none" spellcheck="false" maxlength="40" required autofocus; }
            (who(lang, login, name))
            (secret(lang, Text::PasswordNew, "new", "new-password", false))
            (secret(lang, Text::PasswordAgain, "again", "new-password", false))
            p .sub { (lang.fill(Text::PasswordRule, &[("least", &LEAST_CHARS)])) }
            button .button { (lang.say(Text::SetUpDo)) }
        }
    } }
}

fn who(lang: Lang, login: &str, name: &str) -> Markup {
    html! {
        label { span { (lang.say(Text::Login)) }
            input name="login" value=(login) autocomplete="off" autocapitalize="none" spellcheck="false"
                maxlength=(LOGIN_BYTES) pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" title=(lang.say(Text::LoginWrong)) required; }
        label { span { (lang.say(Text::PersonName)) }
            input name="name" value=(name) autocomplete="off" maxlength=(NAME_CHARS); }
    }
}

/// Another password.
pub(in super::super) fn password(
    lang: Lang,
    person: &Person,
    form: &str,
    first: bool,
    failed: Option<Text>,
) -> Markup {
    html! { section .card .lone {
        h1 { (lang.say(Text::PasswordChange)) }
        (wrong(lang, failed))
        @if first { p { (lang.say(Text::PasswordFirst)) } }
        form .fields method="post" action="/account/password" {
            (key(form))
            // So that the browser's password store knows whose it is.
            input type="text" name="login" value=(person.login) autocomplete="username" readonly class="hidden" tabindex="-1" aria-hidden="true";
            (secret(lang, if first { Text::PasswordOneTime } else { Text::PasswordNow }, "now", "current-password", true))
            (secret(lang, Text::PasswordNew, "new", "new-password", false))
            (secret(lang, Text::PasswordAgain, "again", "new-password", false))
            p .sub { (lang.fill(Text::PasswordRule, &[("least", &LEAST_CHARS)])) }
            button .button { (lang.say(Text::PasswordChange)) }
        }
        @if first { (leave(lang, form)) } @else { p { a .quiet href="/account" { (lang.say(Text::Back)) } } }
    } }
}

/// A QR code, drawn with attributes alone: the pages' policy allows no style of its own.
pub(super) fn qr(text: &str) -> Result<Markup, Problem> {
    let code = QrCode::new(text.as_bytes()).map_err(|_| Problem::Store)?;
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", index % width + 4, index / width + 4));
        }
    }
    let side = width + 8;
    Ok(html! {
        svg .qr viewBox={ "0 0 " (side) " " (side) } width="240" height="240" role="img" aria-label="QR" shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

/// The field by which somebody shows that they are still there.
fn confirmed(lang: Lang, confirm: Option<Text>) -> Markup {
    html! { @match confirm {
        None => {}
        Some(Text::PasswordNow) => { (secret(lang, Text::PasswordNow, "now", "current-password", false)) }
        Some(text) => { label { span { (lang.say(text)) }
            input name="now" inputmode="numeric" autocomplete="one-time-code" maxlength="40" required; } }
    } }
}

/// Setting up a second factor.
pub(in super::super) fn second(
    lang: Lang,
    form: &str,
    address: &str,
    typed: &str,
    first: bool,
    confirm: Option<Text>,
    failed: Option<Text>,
) -> Result<Markup, Problem> {
    let groups: Vec<String> =
        typed.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
    Ok(html! { section .card .lone {
        h1 { (lang.say(Text::SecondFactor)) }
        (wrong(lang, failed))
        @if first { p { (lang.say(Text::SecondNeeded)) } }
        ol .steps {
            li { (lang.say(Text::SecondApp)) }
            li {
                (lang.say(Text::SecondScan))
                (qr(address)?)
                p .sub { (lang.say(Text::SecondType)) br; code { (groups.join(" ")) } }
            }
            li {
                (lang.say(Text::SecondCode))
                form .fields method="post" action="/account/second" {
                    (key(form))
                    label { span { (lang.say(Text::Code)) }
                        input name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="12" required; }
                    (confirmed(lang, confirm))
                    button .button { (lang.say(Text::SecondDo)) }
                }
            }
        }
        @if first { (leave(lang, form)) } @else { p { a .quiet href="/account" { (lang.say(Text::Back)) } } }
    } })
}

/// The recovery codes, shown once.
pub(in super::super) fn recovery(lang: Lang, codes: &[String]) -> Markup {
    html! { section .card .lone {
        h1 { (lang.say(Text::RecoveryCodes)) }
        p { (lang.say(Text::RecoveryLead)) }
        ul .codes { @for code in codes { li { code { (code) } } } }
        p { a .button href="/" { (lang.say(Text::RecoveryKept)) } }
    } }
}

fn role(lang: Lang, role: Role) -> &'static str {
    lang.say(match role {
        Role::Administrator => Text::RoleAdministrator,
        Role::Viewer => Text::RoleViewer,
        Role::Reception => Text::RoleReception,
        Role::Dispatcher => Text::RoleDispatcher,
        Role::Auditor => Text::RoleAuditor,
    })
}

fn contractor(city: &City, person: &Person) -> Option<String> {
    let id = person.contractor.as_ref()?;
    let known = city.contractor.iter().find(|known| known.id == *id);
    Some(known.map_or_else(|| id.to_string(), |known| known.name.clone()))
}

/// One's own account.
pub(in super::super) struct Account<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) person: &'a Person,
    pub(in super::super) city: &'a City,
    pub(in super::super) form: &'a str,
    /// How many recovery codes are left.
    pub(in super::super) left: u32,
    pub(in super::super) open: &'a [Open],
    pub(in super::super) today: Date,
    pub(in super::super) confirm: Option<Text>,
    pub(in super::super) wrong: Option<Text>,
}

impl Account<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let Self { lang, person, city, form, left, .. } = *self;
        html! { section .card .lone {
            h1 { (person.name) }
            (wrong(lang, self.wrong))
            dl .facts {
                dt { (lang.say(Text::Login)) } dd { (person.login) }
                dt { (lang.say(Text::RoleTitle)) } dd { (role(lang, person.role))
                    @if let Some(contractor) = contractor(city, person) { (super::dot(lang)) (contractor) } }
                dt { (lang.say(Text::SecondFactor)) } dd {
                    @if person.second_factor { (lang.fill(Text::SecondThere, &[("left", &left)])) }
                    @else { (lang.say(Text::None)) }
                }
            }
            ul .ways {
                @if !person.vouched { li { a .quiet href="/account/password" { (lang.say(Text::PasswordChange)) } } }
                li { a .quiet href="/account/second" {
                    (lang.say(if person.second_factor { Text::SecondAnew } else { Text::SecondBegin })) } }
            }
            form method="post" action="/signout" { (key(form)) button .button { (lang.say(Text::SignOut)) } }
            h2 { (lang.say(Text::SessionsOpen)) }
            ul .facts { @for open in self.open { li { (self.open(open)) } } }
            @if self.open.len() > 1 { form .fields method="post" action="/account/others" {
                (key(form))
                (confirmed(lang, self.confirm))
                button .quiet { (lang.say(Text::SessionsEnd)) }
            } }
        } }
    }

    fn open(&self, open: &Open) -> String {
        let time = |at| format::clock_on(self.lang, &format::in_japan(at), self.today);
        let text =
            self.lang.fill(Text::SessionSince, &[("since", &time(open.since)), ("seen", &time(open.seen))]);
        if open.this {
            format!("{text}{}{}", super::dot(self.lang), self.lang.say(Text::SessionThis))
        } else {
            text
        }
    }
}

/// What came of a change.
#[derive(Debug)]
pub(in super::super) enum Said {
    /// It is done.
    Done {
        /// To whom.
        login: String,
        /// Their one-time password.
        drawn: Option<String>,
    },
    /// It is not.
    Wrong(Text),
}

/// Who has an account.
pub(in super::super) struct List<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) people: &'a [Person],
    pub(in super::super) me: i64,
    pub(in super::super) manages: bool,
    pub(in super::super) form: &'a str,
    pub(in super::super) today: Date,
    pub(in super::super) said: Option<&'a Said>,
}

impl List<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! {
            div .dayline { h1 { (say(Text::People)) } }
            (self.said())
            section .card {
                ul .persons { @for person in self.people { li { (self.person(person)) } } }
            }
            @if self.manages {
                section .card {
                    div .head { h2 { (say(Text::PersonAdd)) } }
                    form .search .person-add method="post" action="/people/add" autocomplete="off" {
                        (key(self.form))
                        (who(lang, "", ""))
                        (self.roles(None))
                        button .button { (say(Text::PersonAddDo)) }
                    }
                    p .sub { (say(Text::PersonAddLead)) }
                }
            }
        }
    }

    fn said(&self) -> Markup {
        let lang = self.lang;
        html! { @match self.said {
            None => {}
            Some(Said::Wrong(text)) => { p .look role="alert" { (lang.say(*text)) } }
            Some(Said::Done { login, drawn: None }) => { p .told role="status" { (lang.fill(Text::PersonDone, &[("login", login)])) } }
            Some(Said::Done { login, drawn: Some(drawn) }) => {
                div .told role="status" {
                    p { (lang.fill(Text::PersonDrawn, &[("login", login)])) }
                    p .drawn { code { (drawn) } }
                }
            }
        } }
    }

    fn person(&self, person: &Person) -> Markup {
        let lang = self.lang;
        let time = |at| format::clock_on(lang, &format::in_japan(at), self.today);
        let mut facts = Vec::new();
        facts.push(match person.signed_in_at {
            Some(at) => lang.fill(Text::PersonLast, &[("time", &time(at))]),
            None => lang.say(Text::PersonNever).to_owned(),
        });
        facts.push(lang.say(if person.second_factor { Text::SecondOn } else { Text::SecondOff }).to_owned());
        if person.vouched {
            facts.push(lang.say(Text::PersonOfProvider).to_owned());
        }
        if person.must_change {
            facts.push(lang.say(Text::PersonMustChange).to_owned());
        }
        html! {
            div {
                p .what {
                    b { (person.name) } " " span .login { (person.login) }
                    @if person.blocked_at.is_some() { " " b .stop { (lang.say(Text::PersonBlocked)) } }
                }
                p .sub {
                    (role(lang, person.role))
                    @if let Some(contractor) = contractor(self.city, person) { (super::dot(lang)) (contractor) }
                    (super::dot(lang)) (facts.join(super::dot(lang)))
                }
            }
            @if self.manages && person.id != self.me { div .actions {
                details {
                    summary .quiet { (lang.say(Text::PersonChange)) }
                    div .choices {
                        @if person.vouched { p .sub { (lang.say(Text::PersonVouched)) } }
                        @else { form .search method="post" action="/people/role" {
                            (key(self.form)) input type="hidden" name="login" value=(person.login);
                            (self.roles(Some(person)))
                            button { (lang.say(Text::PersonRoleDo)) }
                        } }
                        form method="post" action="/people/reset" {
                            (key(self.form)) input type="hidden" name="login" value=(person.login);
                            button { (lang.say(if person.vouched { Text::PersonResetSecond } else { Text::PersonReset })) }
                            @if !person.vouched { p .sub { (lang.say(Text::PersonResetHint)) } }
                        }
                        form method="post" action=(if person.blocked_at.is_some() { "/people/unblock" } else { "/people/block" }) {
                            (key(self.form)) input type="hidden" name="login" value=(person.login);
                            button { (lang.say(if person.blocked_at.is_some() { Text::PersonUnblock } else { Text::PersonBlock })) }
                        }
                    }
                }
            } }
        }
    }

    fn roles(&self, person: Option<&Person>) -> Markup {
        let lang = self.lang;
        let chosen = person.map_or(Role::Viewer, |person| person.role);
        let of = person.and_then(|person| person.contractor.as_ref());
        html! {
            label { span { (lang.say(Text::RoleTitle)) }
                select name="role" { @for one in Role::ALL {
                    option value=(one.word()) selected[one == chosen] { (role(lang, one)) }
                } } }
            label { span { (lang.say(Text::ContractorOfDispatcher)) }
                select name="contractor" {
                    option value="" { "－" }
                    @for one in &self.city.contractor {
                        option value=(one.id) selected[of == Some(&one.id)] { (one.name) }
                    }
                } }
        }
    }
}

fn what(lang: Lang, what: What) -> &'static str {
    lang.say(match what {
        What::Started => Text::DidStarted,
        What::Repaired => Text::DidRepaired,
        What::Missing => Text::DidMissing,
        What::Undone => Text::DidUndone,
        What::SignedIn => Text::DidSignIn,
        What::CodeGiven => Text::DidCode,
        What::SignInFailed => Text::DidFail,
        What::NotConfirmed => Text::DidNotConfirm,
        What::SignedOut => Text::DidSignOut,
        What::SetUp => Text::DidSetUp,
        What::PersonAdded => Text::DidPersonAdded,
        What::PersonBlocked => Text::DidPersonBlocked,
        What::PersonUnblocked => Text::DidPersonUnblocked,
        What::PersonReset => Text::DidPersonReset,
        What::PersonRole => Text::DidPersonRole,
        What::PasswordChanged => Text::DidPassword,
        What::PersonEmergency => Text::DidPersonEmergency,
        What::SecondFactorSet => Text::DidSecond,
        What::TokenAdded => Text::DidTokenAdded,
        What::TokenRevoked => Text::DidTokenRevoked,
        What::TerminalAdded => Text::DidTerminalAdded,
        What::TerminalSecret => Text::DidTerminalSecret,
        What::TerminalCertificate => Text::DidTerminalCertificate,
        What::TerminalBound => Text::DidTerminalBound,
        What::TerminalBlocked => Text::DidTerminalBlocked,
        What::TerminalCode => Text::DidTerminalCode,
        What::TerminalEnrolled => Text::DidTerminalEnrolled,
        What::TerminalRenewed => Text::DidTerminalRenewed,
        What::TerminalUnblocked => Text::DidTerminalUnblocked,
        What::TerminalLost => Text::DidTerminalLost,
        What::CrewAdded => Text::DidCrewAdded,
        What::CrewPin => Text::DidCrewPin,
        What::CrewRemoved => Text::DidCrewRemoved,
        What::TerminalCodeVoided => Text::DidTerminalCodeVoided,
        What::TerminalRecorded => Text::DidTerminalRecorded,
        What::TerminalHandedOver => Text::DidTerminalHandedOver,
        What::TerminalReturned => Text::DidTerminalReturned,
        What::AsideRetried => Text::DidAsideRetried,
        What::AsideSettled => Text::DidAsideSettled,
        What::NoticeSettled => Text::DidNoticeSettled,
        What::ClockRight => Text::DidClock,
        What::ReleaseTaken => Text::DidReleaseTaken,
        What::SwitchoverDrafted => Text::DidSwitchoverDrafted,
        What::SwitchoverChecked => Text::DidSwitchoverChecked,
        What::SwitchoverApproved => Text::DidSwitchoverApproved,
        What::SwitchoverPushed => Text::DidSwitchoverPushed,
        What::SwitchoverStopped => Text::DidSwitchoverStopped,
        What::SwitchoverWithdrawn => Text::DidSwitchoverWithdrawn,
        What::SwitchoverClosed => Text::DidSwitchoverClosed,
        What::ReadSwitchover => Text::DidReadSwitchover,
        What::Import => Text::DidImport,
        What::Catalogue => Text::DidCatalogue,
        What::Backup => Text::DidBackup,
        What::Restored => Text::DidRestore,
        What::ReadTerminals => Text::DidReadTerminals,
        What::ReadCrews => Text::DidReadCrews,
        What::ReadTokens => Text::DidReadTokens,
        What::ReadPeople => Text::DidReadPeople,
        What::ReadDay => Text::DidReadDay,
        What::ReadPickup => Text::DidReadPickup,
        What::ReadSearch => Text::DidReadSearch,
        What::ReadExposure => Text::DidReadExposure,
        What::ReadAside => Text::DidReadAside,
        What::ReadStream => Text::DidReadStream,
        What::ReadExport => Text::DidReadExport,
        What::ReadAudit => Text::DidReadAudit,
        What::Refused => Text::DidRefused,
    })
}

/// A day of the audit log, the newest first.
pub(in super::super) fn audit(
    lang: Lang,
    day: Date,
    today: Date,
    entries: &[Entry],
    all: usize,
    people: &[Person],
) -> Markup {
    let by = |who: &Who| match who {
        Who::Person(id) => people
            .iter()
            .find(|person| person.id == *id)
            .map_or_else(|| format!("#{id}"), |person| person.name.clone()),
        Who::Token(id) => lang.fill(Text::ByToken, &[("id", id)]),
        Who::Command(user) => lang.fill(Text::ByCommand, &[("user", user)]),
        Who::Nobody => lang.say(Text::ByNobody).to_owned(),
        Who::Gateway => lang.say(Text::ByGateway).to_owned(),
    };
    html! {
        div .dayline {
            h1 { (lang.say(Text::Audit)) }
            span .asof { (format::day(lang, day, today.year())) (super::dot(lang)) (lang.fill(Text::Count, &[("count", &format::number(all as u64))])) }
            nav .days { form action="/audit" {
                input type="date" name="day" value=(day) required aria-label=(lang.say(Text::ChooseDay));
                button .quiet { (lang.say(Text::Show)) }
            } }
        }
        section .card {
            @if all > entries.len() { p .sub { (lang.fill(Text::AuditMany, &[("count", &entries.len())])) } }
            @if entries.is_empty() { p .empty { (lang.say(Text::AuditNone)) } }
            ul .items .log { @for entry in entries { li {
                span .time { (format::clock(&format::in_japan(entry.at))) }
                div {
                    p .what { b { (what(lang, entry.what)) } " " span { (by(&entry.who)) } }
                    @if entry.about.as_object().is_some_and(|about| !about.is_empty()) { p .sub { code { (about(&entry.about)) } } }
                }
            } } }
        }
    }
}

/// Ids and numbers, without JSON's marks.
fn about(value: &serde_json::Value) -> String {
    let Some(fields) = value.as_object() else { return value.to_string() };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts: Vec<String> = fields.iter().map(|(name, value)| format!("{name} {}", text(value))).collect();
    let all = parts.join(", ");
    if all.chars().count() > 300 { format!("{}…", all.chars().take(300).collect::<String>()) } else { all }
}
