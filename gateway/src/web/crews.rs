//! The page of crews: who may sign in on terminals, and the PINs that are drawn for them.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use meguri_proto::crew::PinLock;
use meguri_proto::limits::{CREW_MEMBERS, SHORT_TEXT};
use meguri_proto::{ContractorId, CrewId};
use serde_json::json;

use super::gate::{Posted, Signed};
use super::page::crews as page;
use super::page::problem::Problem;
use super::page::{Tab, terminals::Said};
use super::request::Asked;
use super::terminals::or_frame;
use super::text::Text;
use super::{Shown, Web, unprocessable_if};
use crate::audit::What;
use crate::crew::{self, CrewError, Listed, New};
use crate::ops::{OpError, Reply, Request};
use crate::people::{Action, Scope};
use crate::store::StoreError;

/// How many stand on a page.
pub(super) const PAGE: u32 = 60;
/// How many PINs are drawn at a time: each takes 64 MiB and a core for a third of a second.
pub(super) const DRAWING: usize = 2;
/// Most characters that are looked for.
const WORDS: usize = 100;

/// What was typed for a new member.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Typed<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) contractor: &'a str,
}

/// Why something was not done, in the page's words; a problem where it is nobody's to mend on a page.
fn wrong(error: OpError) -> Result<Said, Problem> {
    let OpError::Crew(why) = &error else { return Err(error.into()) };
    Ok(match why {
        CrewError::Exists(_) => Said::wrong(Text::CrewTaken),
        CrewError::Unknown(_) => return Err(Problem::NotFound),
        CrewError::UnknownContractor(_) => Said::wrong(Text::CrewContractorWrong),
        CrewError::Full => Said::Wrong(Text::CrewFull, vec![("count", CREW_MEMBERS.to_string().into())]),
        CrewError::Name => Said::Wrong(Text::CrewNameWrong, vec![("count", SHORT_TEXT.to_string().into())]),
        CrewError::Sql(_) => return Err(error.into()),
    })
}

impl Web {
    /// The members whose crews somebody manages.
    async fn members(&self, scope: Scope) -> Result<Vec<Listed>, Problem> {
        let read = move |conn: &rusqlite::Connection| match &scope {
            Scope::City => crew::list(conn, None),
            Scope::Contractor(contractor) => crew::list(conn, Some(contractor)),
        };
        Ok(self.office.readers.with(read).await?)
    }

    /// A member whose crew somebody manages, and whether nobody else of that contractor is left. Another contractor's is
    /// as if there was none.
    async fn member(&self, signed: &Signed, id: &str) -> Result<(Listed, bool), Problem> {
        let id: CrewId = id.parse().map_err(|_| Problem::NotFound)?;
        let mut members = self.members(signed.scope()).await?;
        let Some(at) = members.iter().position(|member| member.id == id) else {
            if self.members(Scope::City).await?.iter().any(|member| member.id == id) {
                self.note(signed, What::Refused, json!({ "action": "manage_crews" })).await?;
            }
            return Err(Problem::NotFound);
        };
        let member = members.swap_remove(at);
        let last = members.iter().all(|other| other.contractor != member.contractor);
        Ok((member, last))
    }

    /// Draws a PIN off the serving threads.
    async fn draw_pin(&self) -> Result<(PinLock, String), Problem> {
        let permit = self.drawing.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let drawn = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            crew::draw()
        });
        drawn.await.ok().and_then(Result::ok).ok_or(Problem::Store)
    }

    /// Has a PIN drawn and kept, and shows it, this once: in the answer to a form, which no browser keeps.
    async fn drawn(
        &self,
        signed: &Signed,
        asked: &Asked,
        request: impl FnOnce(PinLock) -> Request,
    ) -> Result<Result<Response, Said>, Problem> {
        let (lock, pin) = self.draw_pin().await?;
        let member = match self.ordered(signed, request(lock)).await? {
            Ok(Reply::Crew(member)) => member,
            Ok(_) => return Err(Problem::Store),
            Err(error) => return Ok(Err(wrong(error)?)),
        };
        let main = page::slip(asked.lang, &self.office.city, &member, &pin);
        Ok(Ok(framed(self, asked, signed, Text::PinTitle, main)))
    }
}

fn framed(web: &Web, asked: &Asked, signed: &Signed, title: Text, main: maud::Markup) -> Response {
    let title = asked.lang.say(title).to_owned();
    web.answer(asked, Some(signed), Ok(Shown { title, tab: Tab::Crews, aside_open: 0, events: None, main }))
}

pub(super) async fn list(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only(&["q", "page", "done"])?;
        let said = match asked.get("done") {
            None => None,
            Some("removed") => Some(Said::Done(Text::CrewRemovedDone)),
            Some(word) => return Err(Problem::bad("done", word, Text::ErrorUnknown)),
        };
        list_again(&web, &signed, &asked, said, Typed::default()).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn list_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    said: Option<Said>,
    typed: Typed<'_>,
) -> Result<Response, Problem> {
    web.inside()?;
    signed.may(Action::ManageCrews)?;
    let (text, number) = (asked.get("q").unwrap_or_default().trim().to_owned(), asked.page()?);
    if text.chars().count() > WORDS {
        return Err(Problem::bad("q", &text, Text::ErrorWords));
    }
    let members = web.members(signed.scope()).await?;
    web.note(signed, What::ReadCrews, json!({})).await?;
    let view = page::List {
        lang: asked.lang,
        city: &web.office.city,
        members: &members,
        own: signed.person.contractor.as_ref(),
        text: &text,
        page: number,
        address: &asked.address,
        today: web.today(),
        form: &signed.form(),
        typed,
        said: said.as_ref(),
    };
    let response = framed(web, asked, signed, Text::Crews, view.page());
    Ok(unprocessable_if(matches!(said, Some(Said::Wrong(..))), response))
}

pub(super) async fn add(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/crews");
    let done = async {
        web.manager(&signed, &form, Action::ManageCrews, "manage_crews").await?;
        let typed = Typed { id: form.get("id"), name: form.get("name"), contractor: form.get("contractor") };
        let contractor: Result<ContractorId, _> = match (&signed.person.contractor, typed.contractor) {
            (Some(own), "") => Ok(own.clone()),
            (_, named) => named.parse(),
        };
        let said = match (typed.id.trim().parse::<CrewId>(), contractor) {
            (Err(_), _) => Said::wrong(Text::CrewIdWrong),
            (_, Err(_)) => Said::wrong(Text::CrewContractorWrong),
            (_, Ok(contractor))
                if signed.person.contractor.as_ref().is_some_and(|own| *own != contractor) =>
            {
                web.note(&signed, What::Refused, json!({ "action": "manage_crews" })).await?;
                return Err(Problem::Forbidden);
            }
            (Ok(id), Ok(contractor)) => {
                let name = typed.name.to_owned();
                let request = |lock| Request::CrewAdd { new: New { id, contractor, name, lock } };
                match web.drawn(&signed, &asked, request).await? {
                    Ok(slip) => return Ok(slip),
                    Err(said) => said,
                }
            }
        };
        list_again(&web, &signed, &asked, Some(said), typed).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn pin(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at("/crews");
    let done = async {
        web.manager(&signed, &form, Action::ManageCrews, "manage_crews").await?;
        let (member, _) = web.member(&signed, &id).await?;
        let drawn = web.drawn(&signed, &asked, |lock| Request::CrewPin { id: member.id, lock }).await?;
        match drawn {
            Ok(slip) => Ok(slip),
            Err(said) => list_again(&web, &signed, &asked, Some(said), Typed::default()).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

/// Says what removing does, and asks.
pub(super) async fn ask_remove(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&[])?;
        web.inside()?;
        signed.may(Action::ManageCrews)?;
        let (member, last) = web.member(&signed, &id).await?;
        web.note(&signed, What::ReadCrews, json!({ "crew": member.id })).await?;
        let main = page::ask_remove(asked.lang, &web.office.city, &member, last, &signed.form());
        Ok(framed(&web, &asked, &signed, Text::CrewRemove, main))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn remove(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let asked = asked.at("/crews");
    let done = async {
        web.manager(&signed, &form, Action::ManageCrews, "manage_crews").await?;
        let (member, _) = web.member(&signed, &id).await?;
        match web.ordered(&signed, Request::CrewRemove { id: member.id }).await? {
            Ok(_) => Ok(Redirect::to("/crews?done=removed").into_response()),
            Err(error) => list_again(&web, &signed, &asked, Some(wrong(error)?), Typed::default()).await,
        }
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
