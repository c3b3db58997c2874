//! The page of other systems' tokens.

use axum::extract::State;
use axum::response::Response;
use meguri_proto::Digest;
use serde_json::json;

use super::gate::{Posted, Signed};
use super::page::problem::Problem;
use super::page::tokens as page;
use super::page::{Tab, terminals::Said};
use super::request::Asked;
use super::terminals::or_frame;
use super::text::Text;
use super::{Shown, Web, unprocessable_if};
use crate::audit::What;
use crate::ops::{OpError, Reply, Request};
use crate::people::Action;
use crate::people::tokens::{self as store, New, Opens, TokenError};

/// A token that was made: its name, and its text, which is shown this once.
pub(super) type Made = (String, String);

pub(super) async fn list(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only(&[])?;
        list_again(&web, &signed, &asked, None, None).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

async fn list_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    said: Option<Said>,
    made: Option<Made>,
) -> Result<Response, Problem> {
    web.inside()?;
    signed.may(Action::ManageTokens)?;
    let tokens = web.office.readers.with(store::list).await?;
    web.note(signed, What::ReadTokens, json!({})).await?;
    let view = page::List {
        lang: asked.lang,
        city: &web.office.city,
        tokens: &tokens,
        today: web.today(),
        form: &signed.form(),
        said: said.as_ref(),
        made: made.as_ref(),
    };
    let title = asked.lang.say(Text::Tokens).to_owned();
    let shown = Shown { title, tab: Tab::Tokens, aside_open: 0, events: None, main: view.page() };
    let response = web.answer(asked, Some(signed), Ok(shown));
    Ok(unprocessable_if(matches!(said, Some(Said::Wrong(..))), response))
}

fn wrong(error: OpError) -> Result<Said, Problem> {
    Ok(Said::wrong(match error {
        OpError::Token(TokenError::Exists(_)) => Text::TokenTaken,
        OpError::Token(TokenError::Unknown(_)) => Text::TokenUnknown,
        OpError::Token(TokenError::Wrong(_)) => Text::TokenWrong,
        error => return Err(error.into()),
    }))
}

/// What a form asks for.
fn new(form: &Posted, text: &str) -> Result<New, Text> {
    let scopes: Result<Vec<Opens>, Text> = form
        .all("scope")
        .map(|word| Opens::ALL.into_iter().find(|opens| opens.word() == word).ok_or(Text::ErrorUnknown))
        .collect();
    let contractor = match form.get("contractor") {
        "" => None,
        text => Some(text.parse().map_err(|_| Text::TokenWrong)?),
    };
    let name = form.get("name").trim().to_owned();
    Ok(New { name, scopes: scopes?, contractor, sha256: Digest::of(text.as_bytes()) })
}

pub(super) async fn add(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/tokens");
    let done = async {
        web.manager(&signed, &form, Action::ManageTokens, "manage_tokens").await?;
        let text = store::text(rand::random());
        let (said, made) = match new(&form, &text) {
            Err(text) => (Said::wrong(text), None),
            Ok(new) => match web.ordered(&signed, Request::TokenAdd { new }).await? {
                Ok(Reply::Token(token)) => (Said::Done(Text::TokenMade), Some((token.name, text))),
                Ok(_) => return Err(Problem::Store),
                Err(error) => (wrong(error)?, None),
            },
        };
        list_again(&web, &signed, &asked, Some(said), made).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}

pub(super) async fn revoke(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let asked = asked.at("/tokens");
    let done = async {
        web.manager(&signed, &form, Action::ManageTokens, "manage_tokens").await?;
        let request = Request::TokenRevoke { name: form.get("name").to_owned() };
        let said = match web.ordered(&signed, request).await? {
            Ok(_) => Said::Done(Text::TokenRevokedDone),
            Err(error) => wrong(error)?,
        };
        list_again(&web, &signed, &asked, Some(said), None).await
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
