//! The pages of switchovers: all of them, one with its steps and what is to be done, what is asked before a step, and how far
//! each terminal is.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::json;

use super::board::aside_open;
use super::gate::{Posted, Signed};
use super::names::Names;
use super::page::Tab;
use super::page::problem::Problem;
use super::page::readiness as readiness_page;
use super::page::switchovers as page;
use super::page::switchovers::Asks;
use super::page::terminals::Said;
use super::request::Asked;
use super::terminals::or_frame;
use super::text::Text;
use super::{Shown, Web, unprocessable_if};
use crate::audit::What;
use crate::ops::{OpError, Reply, Request};
use crate::people::{Action, Scope};
use crate::switchover::steps::New;
use crate::switchover::{
    self, Finding, Keys, Listed, One, Readiness, Release, Rollout, Severity, State as Stands,
    SwitchoverError, findings, readiness,
};

/// How many terminals stand on a page.
pub(super) const PAGE: u32 = 200;

/// One switchover as its page needs it.
pub(super) struct Told {
    pub(super) one: One,
    pub(super) readiness: Readiness,
    /// What stands in its way; none where nothing is to be decided any more, or it is not for whoever asks.
    pub(super) found: Option<Vec<Finding>>,
    pub(super) names: Names,
    aside_open: u32,
}

/// All of them.
struct All {
    list: Vec<Listed>,
    releases: Vec<Release>,
    keys: Vec<Keys>,
    aside_open: u32,
}

impl Web {
    /// Whether somebody takes steps.
    fn leads(&self, signed: &Signed) -> bool {
        signed.may(Action::ManageSwitchovers).is_ok() && self.inside.is_some()
    }

    async fn switchover(&self, signed: &Signed, id: i64) -> Result<Told, Problem> {
        signed.may(Action::ReadSwitchovers)?;
        let (scope, now) = (signed.scope(), self.office.clock.now());
        let read = move |conn: &rusqlite::Connection| {
            let Some(one) = switchover::one(conn, id, &scope, now)? else { return Ok(None) };
            let Some(readiness) = readiness::read(conn, id, &scope, now)? else { return Ok(None) };
            let found = found(conn, &one, &scope, now)?;
            let aside_open = aside_open(conn, &scope)?.map_or(0, |(count, _)| count);
            Ok(Some(Told { one, readiness, found, names: Names::read(conn)?, aside_open }))
        };
        let told = self.office.readers.with(read).await?.ok_or(Problem::NotFound)?;
        self.note(signed, What::ReadSwitchover, json!({ "switchover": id })).await?;
        Ok(told)
    }
}

/// What stands in the way of one that is still to be decided about, for the city.
fn found(
    conn: &rusqlite::Connection,
    one: &One,
    scope: &Scope,
    now: jiff::Timestamp,
) -> rusqlite::Result<Option<Vec<Finding>>> {
    if !scope.is_city() || one.listed.state > Stands::Approved {
        return Ok(None);
    }
    match findings::look(conn, one.listed.id, now) {
        Ok(found) => Ok(Some(found)),
        Err(SwitchoverError::Sql(error)) => Err(error),
        // Looking fails for nothing else.
        Err(_) => Ok(None),
    }
}

/// What was done before a page was shown; the words are the page's own.
fn done(asked: &Asked) -> Result<Option<Said>, Problem> {
    let Some(word) = asked.get("done") else { return Ok(None) };
    Ok(Some(match word {
        "drafted" => Said::Done(Text::SwitchoverDraftedDone),
        "checked" => Said::Done(Text::SwitchoverCheckedDone),
        "found" => Said::wrong(Text::SwitchoverFoundDone),
        "approved" => Said::Done(Text::SwitchoverApprovedDone),
        "pushed" => Said::Done(Text::SwitchoverPushedDone),
        "went_on" => Said::Done(Text::SwitchoverWentOnDone),
        "stopped" => Said::Waits(Text::SwitchoverStoppedDone),
        "withdrawn" => Said::Done(Text::SwitchoverWithdrawnDone),
        "closed" => Said::Done(Text::SwitchoverClosedDone),
        _ => return Err(Problem::bad("done", word, Text::ErrorUnknown)),
    }))
}

/// Why a step was not taken, in the pages' words; a problem where it is nobody's to mend on a page.
fn wrong(error: OpError) -> Result<Said, Problem> {
    let OpError::Switchover(error) = error else { return Err(error.into()) };
    Ok(match &error {
        SwitchoverError::Unknown(_) => return Err(Problem::NotFound),
        SwitchoverError::NoPerson(_) | SwitchoverError::MayNot(_) => return Err(Problem::Forbidden),
        SwitchoverError::Sql(_) => return Err(OpError::Switchover(error).into()),
        SwitchoverError::SamePerson(_) => Said::wrong(Text::SwitchoverSamePerson),
        SwitchoverError::State { .. } => Said::wrong(Text::SwitchoverStateWrong),
        SwitchoverError::Findings(_) => Said::wrong(Text::SwitchoverFoundDone),
        SwitchoverError::NeedsNewer(_) => Said::wrong(Text::SwitchoverNeedsNewer),
        SwitchoverError::NoReplacement { .. } => Said::wrong(Text::SwitchoverNoReplacement),
        SwitchoverError::NoRelease(_) | SwitchoverError::NotDrafted(_) => {
            Said::wrong(Text::SwitchoverNoRelease)
        }
        SwitchoverError::Drafted { id, .. } => {
            Said::Wrong(Text::SwitchoverDraftedAlready, vec![("id", id.to_string().into())])
        }
        SwitchoverError::NoInstant(_) => Said::wrong(Text::SwitchoverNoInstant),
        SwitchoverError::Name => Said::wrong(Text::SwitchoverNameWrong),
        SwitchoverError::NeverOffered { left, .. } => {
            Said::Wrong(Text::SwitchoverNeverOffered, vec![("left", left.to_string().into())])
        }
        SwitchoverError::Rollout(_) => Said::wrong(Text::SwitchoverRolloutWrong),
    })
}

fn named_in(path: &str) -> Result<i64, Problem> {
    path.parse().ok().filter(|id| *id > 0).ok_or(Problem::NotFound)
}

fn to(id: i64, done: &str) -> Response {
    Redirect::to(&format!("/switchovers/{id}?done={done}")).into_response()
}

fn framed(
    web: &Web,
    asked: &Asked,
    signed: &Signed,
    (title, aside_open): (String, u32),
    main: maud::Markup,
) -> Response {
    let shown = Shown { title, tab: Tab::Switchovers, aside_open, events: None, main };
    web.answer(asked, Some(signed), Ok(shown))
}

pub(super) async fn list(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only(&[])?;
        list_again(&web, &signed, &asked, None).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn list_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    said: Option<Said>,
) -> Result<Response, Problem> {
    signed.may(Action::ReadSwitchovers)?;
    let (scope, now) = (signed.scope(), web.office.clock.now());
    let read = move |conn: &rusqlite::Connection| {
        let city = scope.is_city();
        Ok(All {
            list: switchover::list(conn, &scope, now)?,
            releases: if city { switchover::releases(conn)? } else { Vec::new() },
            keys: if city { switchover::keys(conn)? } else { Vec::new() },
            aside_open: aside_open(conn, &scope)?.map_or(0, |(count, _)| count),
        })
    };
    let all = web.office.readers.with(read).await?;
    web.note(signed, What::ReadSwitchover, json!({})).await?;
    let view = page::List {
        lang: asked.lang,
        list: &all.list,
        releases: &all.releases,
        keys: &all.keys,
        today: web.today(),
        whole: signed.scope().is_city(),
        manages: web.leads(signed),
        form: &signed.form(),
        said: said.as_ref(),
    };
    let title = asked.lang.say(Text::Switchovers).to_owned();
    let response = framed(web, asked, signed, (title, all.aside_open), view.page());
    Ok(unprocessable_if(matches!(said, Some(Said::Wrong(..))), response))
}

pub(super) async fn draft(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/switchovers");
    let done = async {
        web.manager(&signed, &form, Action::ManageSwitchovers, "manage_switchovers").await?;
        let Ok(version) = form.get("version").parse() else {
            let said = Some(Said::wrong(Text::SwitchoverNoRelease));
            return list_again(&web, &signed, &asked, said).await;
        };
        let name = Some(form.get("name").trim().to_owned()).filter(|name| !name.is_empty());
        let by = signed.person.login.clone();
        let request = Request::SwitchoverDraft { by, new: New { version, name, kind: None } };
        match web.ordered(&signed, request).await? {
            Ok(Reply::Switchover { one, .. }) => Ok(to(one.listed.id, "drafted")),
            Ok(_) => Err(Problem::Store),
            Err(error) => list_again(&web, &signed, &asked, Some(wrong(error)?)).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
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
        one_again(&web, &signed, &asked, named_in(&id)?, said).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn one_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    id: i64,
    said: Option<Said>,
) -> Result<Response, Problem> {
    let told = web.switchover(signed, id).await?;
    // Whoever comes back to the page of a step that was refused is told of what stands in the way below; it is no mistake of theirs.
    let refused = matches!(said, Some(Said::Wrong(..))) && asked.get("done").is_none();
    let view = page::OneView {
        lang: asked.lang,
        told: &told,
        today: web.today(),
        manages: web.leads(signed),
        login: &signed.person.login,
        form: &signed.form(),
        said: said.as_ref(),
    };
    let title = told.one.listed.name.clone();
    let response = framed(web, asked, signed, (title, told.aside_open), view.page());
    Ok(unprocessable_if(refused, response))
}

/// A step that is asked about before it is taken.
fn asks(step: &str) -> Result<Asks, Problem> {
    Ok(match step {
        "approve" => Asks::Approve,
        "push" => Asks::Push,
        "withdraw" => Asks::Withdraw,
        "close" => Asks::Close,
        _ => return Err(Problem::NotFound),
    })
}

/// Says what a step does, and asks.
pub(super) async fn ask(
    State(web): State<Web>,
    Path((id, step)): Path<(String, String)>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&[])?;
        let (id, step) = (named_in(&id)?, asks(&step)?);
        web.inside()?;
        signed.may(step.action())?;
        let told = web.switchover(&signed, id).await?;
        if !step.fits(&told, &signed.person.login) {
            return Ok(Redirect::to(&format!("/switchovers/{id}")).into_response());
        }
        let main = page::ask(asked.lang, &told, &signed.form(), step, web.today());
        Ok(framed(&web, &asked, &signed, (asked.lang.say(step.title()).to_owned(), told.aside_open), main))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

/// What a form says of groups; none where it says nothing, so that it is the usual.
fn rollout(form: &Posted) -> Result<Option<Rollout>, Said> {
    if form.get("groups").is_empty() {
        return Ok(None);
    }
    let wrong = || Said::wrong(Text::SwitchoverRolloutWrong);
    let groups = form.get("groups").split([',', '、', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let rollout = Rollout {
        groups: groups.map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?,
        ready_percent: form.get("ready").parse().map_err(|_| wrong())?,
        patience_hours: form.get("patience").parse().map_err(|_| wrong())?,
        refused_percent: form.get("refused").parse().map_err(|_| wrong())?,
    };
    Ok(Some(rollout))
}

/// Takes a step.
pub(super) async fn take(
    State(web): State<Web>,
    Path((id, step)): Path<(String, String)>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at(&format!("/switchovers/{id}"));
    let done = async {
        let (action, word) = match step.as_str() {
            "approve" => (Action::ApproveSwitchovers, "approve_switchovers"),
            "check" | "push" | "stop" | "withdraw" | "close" => {
                (Action::ManageSwitchovers, "manage_switchovers")
            }
            _ => return Err(Problem::NotFound),
        };
        web.manager(&signed, &form, action, word).await?;
        let (id, by) = (named_in(&id)?, signed.person.login.clone());
        let (request, done) = match step.as_str() {
            "approve" => (Request::SwitchoverApprove { by, id }, "approved"),
            "check" => (Request::SwitchoverCheck { by, id }, "checked"),
            "push" => match rollout(&form) {
                Ok(rollout) => {
                    let done = if rollout.is_some() { "pushed" } else { "went_on" };
                    (Request::SwitchoverPush { by, id, rollout }, done)
                }
                Err(said) => return one_again(&web, &signed, &asked, id, Some(said)).await,
            },
            "stop" => (Request::SwitchoverStop { by, id }, "stopped"),
            "withdraw" => {
                let release = match form.get("release").trim() {
                    "" => None,
                    text => match text.parse() {
                        Ok(version) => Some(version),
                        Err(_) => {
                            let said = Some(Said::wrong(Text::SwitchoverNoRelease));
                            return one_again(&web, &signed, &asked, id, said).await;
                        }
                    },
                };
                (Request::SwitchoverWithdraw { by, id, release }, "withdrawn")
            }
            _ => (Request::SwitchoverClose { by, id }, "closed"),
        };
        match web.ordered(&signed, request).await? {
            Ok(Reply::Findings { found, .. })
                if found.iter().any(|finding| finding.severity == Severity::Error) =>
            {
                Ok(to(id, "found"))
            }
            Ok(_) => Ok(to(id, done)),
            Err(error) => one_again(&web, &signed, &asked, id, Some(wrong(error)?)).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn readiness(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&["state", "contract", "page"])?;
        let (id, number) = (named_in(&id)?, asked.page()?);
        let told = web.switchover(&signed, id).await?;
        let view = readiness_page::View {
            lang: asked.lang,
            told: &told,
            state: asked.get("state"),
            contract: asked.get("contract"),
            page: number,
            address: &asked.address,
            today: web.today(),
            now: web.office.clock.now(),
            // A coming terminal has no page of its own yet for a contractor.
            links: signed.may(Action::ReadTerminals).is_ok() && signed.scope().is_city(),
        };
        let title = asked.lang.fill(Text::ReadinessTitle, &[("name", &told.one.listed.name)]);
        Ok(framed(&web, &asked, &signed, (title, told.aside_open), view.page()?))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn csv(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&[])?;
        let id = named_in(&id)?;
        let bytes = readiness_page::csv(asked.lang, &web.switchover(&signed, id).await?.readiness)
            .map_err(|_| Problem::Store)?;
        // A number and a day are spelt in ASCII.
        let name = format!("attachment; filename=\"readiness-{id}-{}.csv\"", web.today());
        let name = HeaderValue::try_from(name).map_err(|_| Problem::Store)?;
        let kind = HeaderValue::from_static("text/csv; charset=utf-8");
        Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
