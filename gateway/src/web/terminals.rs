//! The pages of terminals: how they stand, and what an administrator does with them.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::Timestamp;
use meguri_proto::enrol::Code;
use meguri_proto::{Digest, TerminalId};
use serde_json::json;

use super::fleet::{Asking, Fleet, One, Standing};
use super::gate::{Gate, Posted, Signed};
use super::page::Tab;
use super::page::problem::Problem;
use super::page::terminal as one_page;
use super::page::terminal::Step;
use super::page::terminals as page;
use super::page::terminals::{Named, Said};
use super::request::Asked;
use super::text::Text;
use super::{Inside, Shown, Web, unprocessable_if};
use crate::audit::{What, Who};
use crate::import::Progress;
use crate::ops::{OpError, Reply, Request};
use crate::people::{Action, Scope};
use crate::register::{Field, Record, RegisterError};
use crate::terminals::{self, TerminalError};

/// How many stand on a page.
pub(super) const PAGE: u32 = 60;
/// Most characters that are looked for.
const WORDS: usize = 100;

impl Web {
    /// What the gateway does for whoever manages it; nothing where pages are shown by themselves.
    pub(super) fn inside(&self) -> Result<&Inside, Problem> {
        self.inside.as_ref().ok_or(Problem::NotFound)
    }

    /// What is asked of terminals for somebody.
    pub(super) fn asking_of(&self, scope: Scope) -> Asking {
        let wall = match &self.gate {
            Gate::Accounts(accounts) => accounts.now(),
            Gate::As(_) => self.office.clock.now(),
        };
        Asking {
            scope,
            now: self.office.clock.now(),
            wall,
            silence_minutes: self.office.silence_minutes,
            tls: self.inside.as_ref().is_some_and(|inside| inside.desk.reached.is_some()),
        }
    }

    /// Lets through whoever may do this, with a form of their own. Whoever may not is written down.
    /// The page that follows is counted among what they read before anything is changed.
    pub(super) async fn manager(
        &self,
        signed: &Signed,
        form: &Posted,
        action: Action,
        word: &str,
    ) -> Result<&Inside, Problem> {
        form.is_of(signed.token.as_ref())?;
        let inside = self.inside()?;
        if signed.may(action).is_err() {
            self.note(signed, What::Refused, json!({ "action": word })).await?;
            return Err(Problem::Forbidden);
        }
        self.reads(signed)?;
        Ok(inside)
    }

    /// Has something done that a command could have asked for, too.
    pub(super) async fn ordered(
        &self,
        signed: &Signed,
        request: Request,
    ) -> Result<Result<Reply, OpError>, Problem> {
        let desk = &self.inside()?.desk;
        Ok(desk.reply(request, Who::Person(signed.person.id), &Progress::default()).await?)
    }
}

/// Why something was not done, in the pages' words; a problem where it is nobody's to mend on a page.
pub(super) fn wrong(error: OpError) -> Result<Said, Problem> {
    let said = match &error {
        OpError::Terminal(TerminalError::Exists(_)) => Said::wrong(Text::TerminalTaken),
        OpError::Terminal(TerminalError::UnknownVehicle(_)) => Said::wrong(Text::TerminalVehicleUnknown),
        OpError::Terminal(TerminalError::CodeTaken) => Said::wrong(Text::TerminalCodeTaken),
        OpError::Terminal(TerminalError::Unknown(_)) | OpError::Register(RegisterError::Unknown(_)) => {
            return Err(Problem::NotFound);
        }
        OpError::Register(RegisterError::Wrong(field)) => Said::wrong(expected(*field)),
        OpError::Register(RegisterError::Taken(field, by)) => Said::Wrong(
            Text::RegisterTaken,
            vec![("field", Named::Text(named(*field))), ("terminal", by.as_str().into())],
        ),
        OpError::Register(RegisterError::UnknownContractor(_)) => Said::wrong(Text::HandingContractorWrong),
        OpError::Register(RegisterError::NotHeld(terminal)) => {
            Said::Wrong(Text::HandingNotHeld, vec![("terminal", terminal.as_str().into())])
        }
        OpError::Register(RegisterError::Held { terminal, .. }) => {
            Said::Wrong(Text::HandingHeld, vec![("terminal", terminal.as_str().into())])
        }
        OpError::Register(RegisterError::Later { terminal, day }) => Said::Wrong(
            Text::HandingLater,
            vec![("terminal", terminal.as_str().into()), ("day", day.to_string().into())],
        ),
        _ => return Err(error.into()),
    };
    Ok(said)
}

/// A field's label.
fn named(field: Field) -> Text {
    match field {
        Field::Asset => Text::Asset,
        Field::Iccid => Text::Iccid,
        Field::Line => Text::LineNumber,
        Field::Model => Text::Model,
        Field::Serial => Text::SerialNumber,
        Field::Remarks => Text::Remarks,
        Field::Terminals => Text::Terminals,
        Field::Day => Text::Day,
        Field::Person => Text::HandingPerson,
        Field::Things => Text::HandingThings,
    }
}

/// What a field takes.
fn expected(field: Field) -> Text {
    match field {
        Field::Asset | Field::Model | Field::Serial => Text::RegisterWordWrong,
        Field::Iccid => Text::IccidWrong,
        Field::Line => Text::LineNumberWrong,
        Field::Remarks => Text::RemarksWrong,
        Field::Terminals => Text::HandingTerminalsWrong,
        Field::Day => Text::HandingDayWrong,
        Field::Person => Text::HandingPersonWrong,
        Field::Things => Text::HandingThingsWrong,
    }
}

/// What was done before a page was shown; the words are the page's own.
fn done(asked: &Asked) -> Result<Option<Said>, Problem> {
    let Some(word) = asked.get("done") else { return Ok(None) };
    let text = match word {
        "added" => Text::TerminalAddedDone,
        "recorded" => Text::RegisterDone,
        "voided" => Text::TerminalVoidDone,
        "blocked" => Text::TerminalBlockDone,
        "unblocked" => Text::TerminalUnblockDone,
        "lost" => Text::TerminalLostDone,
        "found" => Text::TerminalFoundDone,
        "behind" => return Ok(Some(Said::Waits(Text::TerminalBehind))),
        "handed" => Text::HandingDone,
        _ => return Err(Problem::bad("done", word, Text::ErrorUnknown)),
    };
    Ok(Some(Said::Done(text)))
}

pub(super) fn framed(
    web: &Web,
    asked: &Asked,
    signed: &Signed,
    (title, aside_open): (String, u32),
    main: maud::Markup,
) -> Response {
    let shown = Shown { title, tab: Tab::Terminals, aside_open, events: None, main };
    web.answer(asked, Some(signed), Ok(shown))
}

/// Turns a refusal into a page in the frame.
pub(super) fn or_frame(
    web: &Web,
    asked: &Asked,
    signed: &Signed,
    done: Result<Response, Problem>,
) -> Response {
    done.unwrap_or_else(|problem| web.answer(asked, Some(signed), Err(problem)))
}

pub(super) async fn list(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only(&["q", "page", "done"])?;
        let said = done(&asked)?;
        list_again(&web, &signed, &asked, said, ("", "")).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn list_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    said: Option<Said>,
    typed: (&str, &str),
) -> Result<Response, Problem> {
    signed.may(Action::ReadTerminals)?;
    let (text, number) = (asked.get("q").unwrap_or_default().trim().to_owned(), asked.page()?);
    if text.chars().count() > WORDS {
        return Err(Problem::bad("q", &text, Text::ErrorWords));
    }
    let asking = web.asking_of(signed.scope());
    let (tls, wanted) = (asking.tls, asking.clone());
    let fleet = web.office.readers.with(move |conn| Fleet::read(conn, &wanted)).await?;
    web.note(signed, What::ReadTerminals, json!({})).await?;
    let manages = signed.may(Action::ManageTerminals).is_ok() && web.inside.is_some();
    let view = page::List {
        lang: asked.lang,
        city: &web.office.city,
        fleet: &fleet,
        text: &text,
        page: number,
        address: &asked.address,
        today: web.today(),
        manages,
        whole: signed.scope().is_city(),
        tls,
        data: web.shell(signed),
        form: &signed.form(),
        typed,
        said: said.as_ref(),
    };
    let title = asked.lang.say(Text::Terminals).to_owned();
    let response = framed(web, asked, signed, (title, fleet.aside_open), view.page());
    Ok(unprocessable_if(matches!(said, Some(Said::Wrong(..))), response))
}

pub(super) async fn add(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/terminals");
    let done = async {
        let inside = web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let typed = (form.get("terminal"), form.get("vehicle"));
        let said = if inside.desk.reached.is_none() {
            Said::wrong(Text::TerminalNoTls)
        } else {
            match (typed.0.trim().parse::<TerminalId>(), typed.1.parse()) {
                (Err(_), _) => Said::wrong(Text::TerminalNameWrong),
                (_, Err(_)) => Said::wrong(Text::TerminalVehicleUnknown),
                (Ok(terminal), Ok(vehicle)) => {
                    // It comes in by certificate: of its secret nobody knows anything.
                    let secret_sha256 = Digest::of(terminals::draw_secret().as_bytes());
                    let request = Request::TerminalAdd { terminal: terminal.clone(), vehicle, secret_sha256 };
                    match web.ordered(&signed, request).await? {
                        Ok(_) => return Ok(to(&terminal, "added")),
                        Err(error) => wrong(error)?,
                    }
                }
            }
        };
        list_again(&web, &signed, &asked, Some(said), typed).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

/// To a terminal's page, which says what was done.
pub(super) fn to(terminal: &TerminalId, done: &str) -> Response {
    Redirect::to(&format!("/terminals/{terminal}?done={done}")).into_response()
}

pub(super) fn named_in(path: &str) -> Result<TerminalId, Problem> {
    path.parse().map_err(|_| Problem::NotFound)
}

impl Web {
    /// A terminal that somebody may see.
    pub(super) async fn terminal(&self, signed: &Signed, id: &TerminalId) -> Result<One, Problem> {
        signed.may(Action::ReadTerminals)?;
        let (asking, id) = (self.asking_of(signed.scope()), id.clone());
        let read = self.office.readers.with(move |conn| One::read(conn, &id, &asking)).await?;
        read.ok_or(Problem::NotFound)
    }
}

pub(super) async fn one(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&["done"])?;
        let said = done(&asked)?;
        one_again(&web, &signed, &asked, &named_in(&id)?, said, None).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn one_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    id: &TerminalId,
    said: Option<Said>,
    typed: Option<Record>,
) -> Result<Response, Problem> {
    let one = web.terminal(signed, id).await?;
    web.note(signed, What::ReadTerminals, json!({ "terminals": [id] })).await?;
    let view = one_page::OneView {
        lang: asked.lang,
        one: &one,
        typed: typed.as_ref(),
        today: web.today(),
        manages: signed.may(Action::ManageTerminals).is_ok() && web.inside.is_some(),
        exposes: signed.may(Action::ReadExposure).is_ok() && web.inside.is_some(),
        whole: signed.scope().is_city(),
        tls: web.asking_of(signed.scope()).tls,
        data: web.shell(signed),
        form: &signed.form(),
        said: said.as_ref(),
    };
    let title = asked.lang.fill(Text::TerminalTitle, &[("terminal", id)]);
    let response = framed(web, asked, signed, (title, one.aside_open), view.page());
    Ok(unprocessable_if(matches!(said, Some(Said::Wrong(..))), response))
}

pub(super) async fn record(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at(&format!("/terminals/{id}"));
    let done = async {
        web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let (id, field) = (named_in(&id)?, |name: &str| form.get(name).to_owned());
        let typed = Record {
            asset: field("asset"),
            iccid: field("iccid"),
            line: field("line"),
            model: field("model"),
            serial: field("serial"),
            remarks: field("remarks"),
        };
        let request = Request::TerminalRecord { terminal: id.clone(), record: typed.clone() };
        match web.ordered(&signed, request).await? {
            Ok(_) => Ok(to(&id, "recorded")),
            Err(error) => one_again(&web, &signed, &asked, &id, Some(wrong(error)?), Some(typed)).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

/// Draws a code and shows it, this once: in the answer to a form, which no browser keeps.
pub(super) async fn code(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at(&format!("/terminals/{id}"));
    let done = async {
        let inside = web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let id = named_in(&id)?;
        let Some(reached) = &inside.desk.reached else {
            let said = Some(Said::wrong(Text::TerminalNoTls));
            return one_again(&web, &signed, &asked, &id, said, None).await;
        };
        let (code, minutes) = (Code::of(rand::random()), inside.code_minutes);
        let drawn = Timestamp::now();
        let request = Request::TerminalEnrol { terminal: id.clone(), code: code.clone(), minutes, drawn };
        let until = match web.ordered(&signed, request).await? {
            Ok(Reply::TerminalEnrolling { until, .. }) => until,
            Ok(_) => return Err(Problem::Store),
            Err(error) => {
                return one_again(&web, &signed, &asked, &id, Some(wrong(error)?), None).await;
            }
        };
        let one = web.terminal(&signed, &id).await?;
        let view = one_page::CodeView {
            lang: asked.lang,
            one: &one,
            office: &reached.office(),
            code: &code,
            until,
            minutes,
        };
        let title = asked.lang.say(Text::TerminalCode).to_owned();
        Ok(framed(&web, &asked, &signed, (title, one.aside_open), view.page()?))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn void(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at(&format!("/terminals/{id}"));
    let done = async {
        web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let id = named_in(&id)?;
        match web.ordered(&signed, Request::TerminalVoid { terminal: id.clone() }).await? {
            Ok(_) => Ok(to(&id, "voided")),
            Err(error) => one_again(&web, &signed, &asked, &id, Some(wrong(error)?), None).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

/// What letting in again, blocking or losing is for a terminal that stands so; none where there is nothing to do.
fn step(wanted: Step, standing: Standing) -> Option<Step> {
    match (wanted, standing) {
        // What is erased comes in again by enrolling anew.
        (_, Standing::Erased) | (Step::Block, Standing::Blocked) | (Step::Lose, Standing::Lost) => None,
        (Step::Unblock | Step::Find, Standing::Lost) => Some(Step::Find),
        (Step::Unblock | Step::Find, Standing::Blocked) => Some(Step::Unblock),
        (Step::Unblock | Step::Find, _) => None,
        (step, _) => Some(step),
    }
}

/// Says what a step does, and asks.
async fn ask(web: Web, id: String, signed: Signed, asked: Asked, wanted: Step) -> Response {
    let done = async {
        asked.only(&[])?;
        web.inside()?;
        signed.may(Action::ManageTerminals)?;
        let one = web.terminal(&signed, &named_in(&id)?).await?;
        let Some(step) = step(wanted, one.terminal.standing) else {
            return Ok(Redirect::to(&format!("/terminals/{}", one.terminal.id)).into_response());
        };
        let main = one_page::ask(asked.lang, &one, &signed.form(), step);
        Ok(framed(&web, &asked, &signed, (asked.lang.say(step.title()).to_owned(), one.aside_open), main))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn decide(web: Web, id: String, signed: Signed, asked: Asked, form: Posted, wanted: Step) -> Response {
    let done = async {
        web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let terminal = named_in(&id)?;
        let standing = web.terminal(&signed, &terminal).await?.terminal.standing;
        let Some(step) = step(wanted, standing) else {
            return Ok(Redirect::to(&format!("/terminals/{terminal}")).into_response());
        };
        let (request, done) = match step {
            Step::Block => (Request::TerminalBlock { terminal, blocked: true }, "blocked"),
            Step::Unblock => (Request::TerminalBlock { terminal, blocked: false }, "unblocked"),
            Step::Find => (Request::TerminalBlock { terminal, blocked: false }, "found"),
            Step::Lose => (Request::TerminalLost { terminal }, "lost"),
        };
        match web.ordered(&signed, request).await? {
            Ok(Reply::TerminalBlocked { behind: true, .. }) => Ok(to(&named_in(&id)?, "behind")),
            Ok(_) => Ok(to(&named_in(&id)?, done)),
            Err(error) => {
                wrong(error)?;
                Err(Problem::NotFound)
            }
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn ask_block(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    ask(web, id, signed, asked, Step::Block).await
}

pub(super) async fn block(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    decide(web, id, signed, asked, form, Step::Block).await
}

pub(super) async fn ask_unblock(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    ask(web, id, signed, asked, Step::Unblock).await
}

pub(super) async fn unblock(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    decide(web, id, signed, asked, form, Step::Unblock).await
}

pub(super) async fn ask_lost(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    ask(web, id, signed, asked, Step::Lose).await
}

pub(super) async fn lost(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    decide(web, id, signed, asked, form, Step::Lose).await
}
