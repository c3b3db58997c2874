//! The pages of accounts: sign-in, one's own account, and who else has one.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use meguri_proto::clock::business_date;

use super::accounts::{Accounts, Came, NotChanged, SetUpError};
use super::gate::{self, Cookies, Gate, Posted, Signed, cookie, ours};
use super::page::people as page;
use super::page::problem::Problem;
use super::page::{Tab, people::Said};
use super::request::Asked;
use super::text::Text;
use super::{Shown, Web, unprocessable_if};
use crate::audit::{Entry, What};
use crate::ops::{OpError, Reply, Request};
use crate::people::accounts::{self as store, AccountError, New};
use crate::people::sessions::{self, Stage, Token};
use crate::people::{Action, Role, password, totp};

/// How many entries of the audit log stand on a page.
const ENTRIES: usize = 200;

/// A page without a menu.
pub(super) fn lone(
    web: &Web,
    asked: &Asked,
    status: StatusCode,
    title: Text,
    main: maud::Markup,
) -> Response {
    let shown =
        Shown { title: asked.lang.say(title).to_owned(), tab: Tab::Other, aside_open: 0, events: None, main };
    let mut response = web.answer(asked, None, Ok(shown));
    *response.status_mut() = status;
    response
}

impl Web {
    pub(super) fn accounts(&self) -> Result<&Accounts, Problem> {
        match &self.gate {
            Gate::Accounts(accounts) => Ok(accounts),
            // Pages by themselves know nobody.
            Gate::As(_) => Err(Problem::NotFound),
        }
    }
}

/// Turns a refusal into a page.
pub(super) fn or_refuse(asked: &Asked, done: Result<Response, Problem>) -> Response {
    done.unwrap_or_else(|problem| super::refuse(&problem, asked.lang))
}

/// The token that forms before the sign-in are bound to: the browser's, or a new one that it is given.
fn form_token(headers: &HeaderMap, cookies: Cookies) -> (Token, bool) {
    match cookie(headers, cookies.form) {
        Some(token) => (token, false),
        None => (Token::new(rand::random()), true),
    }
}

/// Adds a cookie for forms where the browser has none.
fn with_form(response: Response, cookies: Cookies, token: &Token, new: bool) -> Response {
    if !new {
        return response;
    }
    (AppendHeaders([cookies.set(cookies.form, &token.text())]), response).into_response()
}

/// In: the browser is given its session, and whatever it had before is of no use.
pub(super) fn signed_in(cookies: Cookies, token: &Token, to: &str) -> Response {
    let set = [cookies.set(cookies.session, &token.text()), cookies.set(cookies.form, "")];
    (AppendHeaders(set), Redirect::to(to)).into_response()
}

pub(super) async fn sign_in_page(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&["to"])?;
        if web.accounts()?.waits().await? {
            return Ok(Redirect::to("/setup").into_response());
        }
        let to = ours(asked.get("to").unwrap_or("/"));
        if let Ok(signed) = web.asking(&headers, &extensions).await {
            return Ok(Redirect::to(gate::way(signed.stage).unwrap_or(to)).into_response());
        }
        sign_in_again(&web, &extensions, &headers, &asked, to, StatusCode::OK, None)
    };
    let done = done.await;
    or_refuse(&asked, done)
}

/// The sign-in, with what is wrong.
pub(super) fn sign_in_again(
    web: &Web,
    extensions: &Extensions,
    headers: &HeaderMap,
    asked: &Asked,
    to: &str,
    status: StatusCode,
    wrong: Option<Text>,
) -> Result<Response, Problem> {
    let (accounts, cookies) = (web.accounts()?, Cookies::of(extensions));
    let (token, new) = form_token(headers, cookies);
    let passwords = accounts.openid.as_ref().map(|openid| openid.passwords());
    let main = page::sign_in(asked.lang, &token.form(), to, passwords, wrong);
    Ok(with_form(lone(web, asked, status, Text::SignIn, main), cookies, &token, new))
}

pub(super) async fn sign_in(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let (accounts, cookies) = (web.accounts()?, Cookies::of(&extensions));
        let token = cookie(&headers, cookies.form);
        form.is_of(token.as_ref())?;
        accounts.brake()?;
        let (to, login) = (ours(form.get("to")), form.get("login"));
        match accounts.sign_in(login, form.get("password"), cookie(&headers, cookies.session)).await? {
            Came::In(session) => Ok(signed_in(cookies, &session, to)),
            // The login is not given back either: somebody may have typed a password there.
            Came::Out => {
                let (status, wrong) = (StatusCode::UNAUTHORIZED, Some(Text::SignInFailed));
                sign_in_again(&web, &extensions, &headers, &asked, to, status, wrong)
            }
        }
    };
    let done = done.await;
    or_refuse(&asked, done)
}

pub(super) async fn code_page(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    if signed.stage != Stage::Code {
        return Redirect::to("/").into_response();
    }
    let main = page::code(asked.lang, &signed.form(), false);
    lone(&web, &asked, StatusCode::OK, Text::SecondFactor, main)
}

pub(super) async fn give_code(
    State(web): State<Web>,
    extensions: Extensions,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let (accounts, token) = (web.accounts()?, signed.token.clone());
        form.is_of(token.as_ref())?;
        let (Some(token), Stage::Code) = (token, signed.stage) else {
            return Ok(Redirect::to("/").into_response());
        };
        accounts.brake()?;
        Ok(match accounts.give_code(&signed.person, form.get("code"), token).await? {
            Came::In(session) => signed_in(Cookies::of(&extensions), &session, "/"),
            Came::Out => {
                let main = page::code(asked.lang, &signed.form(), true);
                lone(&web, &asked, StatusCode::UNAUTHORIZED, Text::SecondFactor, main)
            }
        })
    };
    let done = done.await;
    or_refuse(&asked, done)
}

/// Whoever is on the way in may sign out, too.
pub(super) async fn sign_out(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let cookies = Cookies::of(&extensions);
        let gone = (AppendHeaders([cookies.set(cookies.session, "")]), Redirect::to("/signin"));
        let Ok(signed) = web.asking(&headers, &extensions).await else { return Ok(gone.into_response()) };
        form.is_of(signed.token.as_ref())?;
        if let Some(token) = signed.token {
            web.accounts()?.sign_out(signed.person.id, token).await?;
        }
        Ok(gone.into_response())
    };
    let mut done = or_refuse(&asked, done.await);
    // Pages of somebody who has gone are no one else's on this machine.
    let clear =
        (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\", \"storage\""));
    done.headers_mut().extend([clear]);
    done
}

pub(super) async fn set_up_page(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
) -> Response {
    let done = async {
        let accounts = web.accounts()?;
        if !accounts.waits().await? {
            return Err(Problem::NotFound);
        }
        let cookies = Cookies::of(&extensions);
        let (token, new) = form_token(&headers, cookies);
        let main = page::set_up(asked.lang, &token.form(), &accounts.code_file(), "", "", None);
        Ok(with_form(lone(&web, &asked, StatusCode::OK, Text::SetUpTitle, main), cookies, &token, new))
    };
    let done = done.await;
    or_refuse(&asked, done)
}

pub(super) async fn set_up(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let (accounts, cookies) = (web.accounts()?, Cookies::of(&extensions));
        if !accounts.waits().await? {
            return Err(Problem::NotFound);
        }
        let token = cookie(&headers, cookies.form);
        form.is_of(token.as_ref())?;
        accounts.brake()?;
        let (login, name, new) = (form.get("login"), form.get("name"), form.get("new"));
        let wrong = if new == form.get("again") {
            match accounts.set_up(form.get("code"), login, name, new).await {
                Ok(session) => return Ok(signed_in(cookies, &session, "/")),
                Err(SetUpError::Code) => Text::SetUpCodeWrong,
                Err(SetUpError::Login) => Text::LoginWrong,
                Err(SetUpError::Password(why)) => page::refused(why),
                Err(SetUpError::Problem(problem)) => return Err(problem),
            }
        } else {
            Text::PasswordsDiffer
        };
        let form = token.as_ref().map(Token::form).unwrap_or_default();
        let main = page::set_up(asked.lang, &form, &accounts.code_file(), login, name, Some(wrong));
        Ok(lone(&web, &asked, StatusCode::UNPROCESSABLE_ENTITY, Text::SetUpTitle, main))
    };
    let done = done.await;
    or_refuse(&asked, done)
}

/// A page in the frame.
fn framed(web: &Web, asked: &Asked, signed: &Signed, tab: Tab, title: Text, main: maud::Markup) -> Response {
    let shown = Shown { title: asked.lang.say(title).to_owned(), tab, aside_open: 0, events: None, main };
    web.answer(asked, Some(signed), Ok(shown))
}

pub(super) async fn account(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        asked.only(&[])?;
        account_again(&web, &signed, &asked, None).await
    };
    let done = done.await;
    or_refuse(&asked, done)
}

async fn account_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    wrong: Option<Text>,
) -> Result<Response, Problem> {
    let accounts = web.accounts()?;
    signed.may(Action::OwnAccount)?;
    let (id, now, settings) = (signed.person.id, accounts.now(), accounts.settings.clone());
    let token = signed.token.clone().ok_or(Problem::Unauthorized)?;
    let read = move |conn: &rusqlite::Connection| {
        Ok((store::recovery_left(conn, id)?, sessions::open(conn, now, id, &token, &settings)?))
    };
    let (left, open) = web.office.readers.with(read).await?;
    let view = page::Account {
        lang: asked.lang,
        person: &signed.person,
        city: &web.office.city,
        form: &signed.form(),
        left,
        open: &open,
        today: business_date(now),
        confirm: confirm(signed),
        wrong,
    };
    let response = framed(web, asked, signed, Tab::Account, Text::Account, view.page());
    Ok(unprocessable_if(wrong.is_some(), response))
}

/// By what somebody who has been signed in for a while shows that they are still there.
fn confirm(signed: &Signed) -> Option<Text> {
    match (signed.stage, &signed.person) {
        (Stage::In, person) if !person.vouched => Some(Text::PasswordNow),
        (Stage::In, person) if person.second_factor => Some(Text::CodeNow),
        _ => None,
    }
}

/// Ends whatever else the person is signed in with.
pub(super) async fn end_others(
    State(web): State<Web>,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let accounts = web.accounts()?;
        form.is_of(signed.token.as_ref())?;
        accounts.brake()?;
        if confirm(&signed).is_some() && !accounts.confirms(&signed.person, form.get("now"), "others").await?
        {
            return account_again(&web, &signed, &asked, Some(Text::NotConfirmed)).await;
        }
        let token = signed.token.clone().ok_or(Problem::Unauthorized)?;
        accounts.end_others(signed.person.id, token).await?;
        Ok(Redirect::to("/account").into_response())
    };
    let done = done.await;
    or_refuse(&asked, done)
}

pub(super) async fn password_page(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    password_again(&web, &signed, &asked, None, StatusCode::OK)
}

fn password_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    wrong: Option<Text>,
    status: StatusCode,
) -> Response {
    let first = signed.stage == Stage::Password;
    let main = page::password(asked.lang, &signed.person, &signed.form(), first, wrong);
    if first {
        return lone(web, asked, status, Text::PasswordChange, main);
    }
    let mut response = framed(web, asked, signed, Tab::Account, Text::PasswordChange, main);
    *response.status_mut() = status;
    response
}

pub(super) async fn change_password(
    State(web): State<Web>,
    extensions: Extensions,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let accounts = web.accounts()?;
        form.is_of(signed.token.as_ref())?;
        accounts.brake()?;
        let wrong = if form.get("new") == form.get("again") {
            let token = signed.token.clone().ok_or(Problem::Unauthorized)?;
            match accounts.change_password(&signed.person, token, form.get("now"), form.get("new")).await {
                Ok(session) => return Ok(signed_in(Cookies::of(&extensions), &session, "/account")),
                Err(NotChanged::Wrong) => Text::PasswordWrong,
                Err(NotChanged::Same) => Text::PasswordSame,
                Err(NotChanged::Refused(why)) => page::refused(why),
                Err(NotChanged::Problem(problem)) => return Err(problem),
            }
        } else {
            Text::PasswordsDiffer
        };
        Ok(password_again(&web, &signed, &asked, Some(wrong), StatusCode::UNPROCESSABLE_ENTITY))
    };
    let done = done.await;
    or_refuse(&asked, done)
}

pub(super) async fn second_page(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = second_again(&web, &signed, &asked, None);
    or_refuse(&asked, done)
}

fn second_again(web: &Web, signed: &Signed, asked: &Asked, wrong: Option<Text>) -> Result<Response, Problem> {
    let (accounts, person) = (web.accounts()?, signed.person.id);
    let token = signed.token.as_ref().ok_or(Problem::Unauthorized)?;
    // After a code that was wrong, the one that stands on the telephone already goes on.
    let shown = wrong.and_then(|_| accounts.pending(person, token));
    let secret = shown.unwrap_or_else(|| accounts.draw_second(person, token));
    let issuer = format!("Meguri {}", web.office.city.name);
    let address = totp::address(&issuer, &signed.person.login, &secret);
    let first = signed.stage == Stage::SetUp;
    let typed = totp::base32(&secret);
    let confirm = confirm(signed);
    let main = page::second(asked.lang, &signed.form(), &address, &typed, first, confirm, wrong)?;
    let response = if first {
        lone(web, asked, StatusCode::OK, Text::SecondFactor, main)
    } else {
        framed(web, asked, signed, Tab::Account, Text::SecondFactor, main)
    };
    Ok(unprocessable_if(wrong.is_some(), response))
}

pub(super) async fn set_second(
    State(web): State<Web>,
    extensions: Extensions,
    signed: Signed,
    asked: Asked,
    form: Posted,
) -> Response {
    let done = async {
        let accounts = web.accounts()?;
        form.is_of(signed.token.as_ref())?;
        accounts.brake()?;
        // Whoever finds a browser open must not make its account their own.
        if confirm(&signed).is_some() && !accounts.confirms(&signed.person, form.get("now"), "second").await?
        {
            return second_again(&web, &signed, &asked, Some(Text::NotConfirmed));
        }
        let token = signed.token.clone().ok_or(Problem::Unauthorized)?;
        let Some((session, codes)) = accounts.set_second(&signed.person, token, form.get("code")).await?
        else {
            return second_again(&web, &signed, &asked, Some(Text::CodeWrong));
        };
        let main = page::recovery(asked.lang, &codes);
        let response = framed(&web, &asked, &signed, Tab::Account, Text::RecoveryCodes, main);
        let cookies = Cookies::of(&extensions);
        Ok((AppendHeaders([cookies.set(cookies.session, &session.text())]), response).into_response())
    };
    let done = done.await;
    or_refuse(&asked, done)
}

pub(super) async fn list(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = list_again(&web, &signed, &asked, None).await;
    or_frame(&web, &asked, &signed, done)
}

/// Turns a refusal into a page in the frame.
fn or_frame(web: &Web, asked: &Asked, signed: &Signed, done: Result<Response, Problem>) -> Response {
    done.unwrap_or_else(|problem| web.answer(asked, Some(signed), Err(problem)))
}

async fn list_again(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    said: Option<Said>,
) -> Result<Response, Problem> {
    web.accounts()?;
    signed.may(Action::ReadPeople)?;
    asked.only(&[])?;
    let people = web.office.readers.with(store::list).await?;
    web.note(signed, What::ReadPeople, serde_json::json!({})).await?;
    let view = page::List {
        lang: asked.lang,
        city: &web.office.city,
        people: &people,
        me: signed.person.id,
        manages: signed.may(Action::ManagePeople).is_ok(),
        form: &signed.form(),
        today: business_date(web.accounts()?.now()),
        said: said.as_ref(),
    };
    let wrong = matches!(said, Some(Said::Wrong(_)));
    let response = framed(web, asked, signed, Tab::People, Text::People, view.page());
    Ok(unprocessable_if(wrong, response))
}

/// Has an administrator's request done, and shows the list with what came of it.
async fn manage(
    web: &Web,
    signed: &Signed,
    asked: &Asked,
    form: &Posted,
    request: Result<Request, Text>,
    drawn: Option<String>,
) -> Response {
    let asked = &asked.clone().at("/people");
    let done = async {
        let accounts = web.accounts()?;
        form.is_of(signed.token.as_ref())?;
        if signed.may(Action::ManagePeople).is_err() {
            let event = serde_json::json!({ "action": "manage_people" });
            web.note(signed, What::Refused, event).await?;
            return Err(Problem::Forbidden);
        }
        web.reads(signed)?;
        let said = match request {
            Err(wrong) => Said::Wrong(wrong),
            Ok(request) => match accounts.request(request, signed.person.id).await? {
                // Nobody who signs in at the identity provider has a password here.
                Ok(Reply::Person(person)) => {
                    Said::Done { drawn: drawn.filter(|_| !person.vouched), login: person.login }
                }
                Ok(_) => return Err(Problem::Store),
                Err(OpError::Account(error)) => Said::Wrong(match error {
                    AccountError::Exists(_) => Text::LoginTaken,
                    AccountError::Unknown(_) => Text::LoginUnknown,
                    AccountError::Contractor | AccountError::UnknownContractor(_) => Text::ContractorNeeded,
                    AccountError::LastAdministrator(_) => Text::LastAdministrator,
                    AccountError::Vouched(_) => Text::PersonVouched,
                    AccountError::Wrong(_) => Text::LoginWrong,
                    error @ (AccountError::SetUp | AccountError::Sql(_)) => {
                        return Err(OpError::Account(error).into());
                    }
                }),
                Err(error) => return Err(error.into()),
            },
        };
        list_again(web, signed, asked, Some(said)).await
    };
    let done = done.await;
    or_frame(web, asked, signed, done)
}

/// Role and contractor of a form.
fn role_of(form: &Posted) -> Result<(Role, Option<meguri_proto::ContractorId>), Text> {
    let role: Role = form.get("role").parse().map_err(|_| Text::ErrorUnknown)?;
    let contractor = match form.get("contractor") {
        // What a form offers beside another role is not meant.
        _ if role != Role::Dispatcher => None,
        "" => return Err(Text::ContractorNeeded),
        text => Some(text.parse().map_err(|_| Text::ContractorNeeded)?),
    };
    Ok((role, contractor))
}

/// Draws a one-time password; only whoever may manage is worth its computation.
async fn draw(web: &Web, signed: &Signed, form: &Posted) -> Result<(String, password::Hashed), Problem> {
    form.is_of(signed.token.as_ref())?;
    signed.may(Action::ManagePeople)?;
    let drawn = password::drawn(rand::random());
    let hashed = web.accounts()?.hash(&drawn).await?;
    Ok((drawn, hashed))
}

pub(super) async fn add(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let (drawn, password) = match draw(&web, &signed, &form).await {
        Ok(drawn) => drawn,
        Err(Problem::Forbidden) => {
            return manage(&web, &signed, &asked, &form, Err(Text::ErrorForbidden), None).await;
        }
        Err(problem) => return web.answer(&asked, Some(&signed), Err(problem)),
    };
    let request = role_of(&form).map(|(role, contractor)| {
        let (login, name) = (form.get("login").to_owned(), form.get("name").to_owned());
        Request::PersonAdd { new: New { login, name, role, contractor, password, must_change: true } }
    });
    manage(&web, &signed, &asked, &form, request, Some(drawn)).await
}

pub(super) async fn block(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let request = Request::PersonBlock { login: form.get("login").to_owned(), blocked: true };
    manage(&web, &signed, &asked, &form, Ok(request), None).await
}

pub(super) async fn unblock(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let request = Request::PersonBlock { login: form.get("login").to_owned(), blocked: false };
    manage(&web, &signed, &asked, &form, Ok(request), None).await
}

pub(super) async fn reset(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let (drawn, password) = match draw(&web, &signed, &form).await {
        Ok(drawn) => drawn,
        Err(Problem::Forbidden) => {
            return manage(&web, &signed, &asked, &form, Err(Text::ErrorForbidden), None).await;
        }
        Err(problem) => return web.answer(&asked, Some(&signed), Err(problem)),
    };
    let request = Request::PersonReset { login: form.get("login").to_owned(), password };
    manage(&web, &signed, &asked, &form, Ok(request), Some(drawn)).await
}

pub(super) async fn role(State(web): State<Web>, signed: Signed, asked: Asked, form: Posted) -> Response {
    let request = role_of(&form).map(|(role, contractor)| Request::PersonRole {
        login: form.get("login").to_owned(),
        role,
        contractor,
    });
    manage(&web, &signed, &asked, &form, request, None).await
}

pub(super) async fn audit(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let done = async {
        let accounts = web.accounts()?;
        signed.may(Action::ReadAudit)?;
        asked.only(&["day"])?;
        let day = asked.day()?.unwrap_or_else(|| business_date(accounts.now()));
        web.note(&signed, What::ReadAudit, serde_json::json!({ "day": day })).await?;
        let (entries, all) = accounts.audited(day, ENTRIES).await?;
        let people = web.office.readers.with(store::list).await?;
        let entries: Vec<Entry> = entries.into_iter().rev().collect();
        let main = page::audit(asked.lang, day, business_date(accounts.now()), &entries, all, &people);
        Ok(framed(&web, &asked, &signed, Tab::Audit, Text::Audit, main))
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
