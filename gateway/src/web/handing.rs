//! The pages of handing terminals over: what is asked, the sheet to print and sign (受渡書), and the record of it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::civil::Date;
use meguri_proto::TerminalId;
use serde_json::json;

use super::fleet::Fleet;
use super::gate::{Posted, Signed};
use super::page::handing as page;
use super::page::problem::Problem;
use super::page::terminals::Said;
use super::request::Asked;
use super::terminals::{framed, or_frame, to, wrong};
use super::text::Text;
use super::{Web, unprocessable_if};
use crate::audit::What;
use crate::ops::{OpError, Request};
use crate::people::Action;
use crate::register::{AT_A_TIME, Handing, Kind};

/// What was typed, as it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Typed {
    pub(super) kind: Option<Kind>,
    pub(super) day: String,
    pub(super) contractor: String,
    pub(super) person: String,
    pub(super) things: Vec<String>,
}

impl Typed {
    fn of(form: &Posted) -> Self {
        // A thing a line; or a field each, of what is written down already.
        let things = form.all("things").flat_map(str::lines).map(|line| line.trim().to_owned());
        Self {
            kind: form.get("kind").parse().ok(),
            day: form.get("day").to_owned(),
            contractor: form.get("contractor").to_owned(),
            person: form.get("person").to_owned(),
            things: things.filter(|thing| !thing.is_empty()).collect(),
        }
    }

    /// What is to be written down.
    fn handing(&self, terminals: Vec<TerminalId>) -> Result<Handing, Text> {
        Ok(Handing {
            kind: self.kind.ok_or(Text::ErrorUnknown)?,
            terminals,
            day: self.day.parse::<Date>().map_err(|_| Text::HandingDayWrong)?,
            contractor: self.contractor.parse().map_err(|_| Text::HandingContractorWrong)?,
            person: self.person.clone(),
            things: self.things.clone(),
        })
    }
}

/// The terminals of this name, once each; a name that is none, or too many, is refused.
fn chosen<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<TerminalId>, Problem> {
    let mut chosen: Vec<TerminalId> =
        names.map(|name| name.parse().map_err(|_| Problem::NotFound)).collect::<Result<_, _>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    if chosen.is_empty() || chosen.len() > AT_A_TIME {
        return Err(Problem::bad("t", &chosen.len().to_string(), Text::HandingTerminalsWrong));
    }
    Ok(chosen)
}

impl Web {
    /// Terminals that somebody chose.
    async fn those(&self, signed: &Signed, chosen: &[TerminalId]) -> Result<Fleet, Problem> {
        let (asking, wanted) = (self.asking_of(signed.scope()), chosen.to_vec());
        let mut fleet = self.office.readers.with(move |conn| Fleet::read(conn, &asking)).await?;
        fleet.terminals.retain(|terminal| wanted.contains(&terminal.id));
        if fleet.terminals.len() < chosen.len() {
            return Err(Problem::NotFound);
        }
        self.note(signed, What::ReadTerminals, json!({ "terminals": chosen })).await?;
        Ok(fleet)
    }
}

pub(super) async fn form(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only_with(&[], "t")?;
        web.inside()?;
        signed.may(Action::ManageTerminals)?;
        let chosen = chosen(asked.all("t"))?;
        form_again(&web, &signed, &asked, &chosen, None, None).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn form_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    chosen: &[TerminalId],
    typed: Option<Typed>,
    said: Option<Said>,
) -> Result<Response, Problem> {
    let fleet = web.those(signed, chosen).await?;
    let view = page::Form {
        lang: asked.lang,
        city: &web.office.city,
        fleet: &fleet,
        typed: typed.as_ref(),
        today: web.today(),
        form: &signed.form(),
        said: said.as_ref(),
    };
    let title = asked.lang.say(Text::Handing).to_owned();
    let response = framed(web, asked, signed, (title, fleet.aside_open), view.page());
    Ok(unprocessable_if(said.is_some(), response))
}

/// The sheet. It is the answer to a form, so that names stand in no address.
pub(super) async fn sheet(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/terminals");
    let done = async {
        web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let (chosen, typed) = (chosen(form.all("t"))?, Typed::of(&form));
        // Who receives it may be written by hand.
        let blank = Typed { person: "－".to_owned(), ..typed.clone() };
        let as_if = if typed.person.trim().is_empty() { &blank } else { &typed };
        let handing = match as_if.handing(chosen.clone()) {
            Ok(handing) => handing,
            Err(text) => {
                let said = Some(Said::wrong(text));
                return form_again(&web, &signed, &asked, &chosen, Some(typed), said).await;
            }
        };
        // A sheet may be made for a day to come.
        let mut handing = match handing.checked(handing.day.max(web.today())) {
            Ok(handing) => handing,
            Err(error) => {
                let said = Some(wrong(OpError::Register(error))?);
                return form_again(&web, &signed, &asked, &chosen, Some(typed), said).await;
            }
        };
        if typed.person.trim().is_empty() {
            handing.person.clear();
        }
        let fleet = web.those(&signed, &chosen).await?;
        let view = page::Sheet { lang: asked.lang, city: &web.office.city, fleet: &fleet, handing: &handing };
        let title = asked.lang.say(Text::HandingSheet).to_owned();
        Ok(framed(&web, &asked, &signed, (title, fleet.aside_open), view.page()))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn record(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/terminals");
    let done = async {
        web.manager(&signed, &form, Action::ManageTerminals, "manage_terminals").await?;
        let (chosen, typed) = (chosen(form.all("t"))?, Typed::of(&form));
        let said = match typed.handing(chosen.clone()) {
            Err(text) => Said::wrong(text),
            Ok(handing) => match web.ordered(&signed, Request::TerminalHanding { handing }).await? {
                Ok(_) => {
                    return Ok(match &chosen[..] {
                        [one] => to(one, "handed"),
                        _ => Redirect::to("/terminals?done=handed").into_response(),
                    });
                }
                Err(error) => wrong(error)?,
            },
        };
        form_again(&web, &signed, &asked, &chosen, Some(typed), Some(said)).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
