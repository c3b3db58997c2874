//! The way to the city's identity provider and back.
//!
//! Nothing of the provider's answer is shown: what is wrong with it is told in words of ours, and written down by one word.

use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};

use super::accounts::Came;
use super::gate::{Cookies, cookie, ours};
use super::page::problem::Problem;
use super::people::{or_refuse, sign_in_again, signed_in};
use super::request::Asked;
use super::text::Text;
use super::{Accounts, Web};
use crate::people::openid::{Answer, Failed, Provider};

/// Where the provider leads browsers back to.
const BACK: &str = "/signin/openid/back";

fn provider(accounts: &Accounts) -> Result<&Provider, Problem> {
    accounts.openid.as_deref().ok_or(Problem::NotFound)
}

/// Leads a browser to the provider.
pub(super) async fn begin(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&["to"])?;
        let accounts = web.accounts()?;
        let provider = provider(accounts)?;
        let to = ours(asked.get("to").unwrap_or("/"));
        // Another site's page may lead here, but begins nothing.
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        if accounts.waits().await? || site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Ok(Redirect::to("/signin").into_response());
        }
        accounts.brake()?;
        let cookies = Cookies::of(&extensions);
        // The guard has let no other name through than ours.
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or(Problem::Host)?;
        let back = format!("{}://{host}{BACK}", if cookies.secure { "https" } else { "http" });
        match provider.begin(back, to).await {
            Ok(begun) => {
                let set = [cookies.set(cookies.openid, &begun.token.text())];
                Ok((AppendHeaders(set), Redirect::to(&begun.address)).into_response())
            }
            Err(failed) => out(&web, &extensions, &headers, &asked, to, &failed).await,
        }
    };
    let done = done.await;
    or_refuse(&asked, done)
}

/// Takes a browser that comes back from the provider.
pub(super) async fn back(
    State(web): State<Web>,
    extensions: Extensions,
    headers: HeaderMap,
    asked: Asked,
) -> Response {
    let cookies = Cookies::of(&extensions);
    // A browser that comes back has our cookie, and comes to a page. Whatever else is sent here, as other sites' pages make
    // browsers send it, costs nobody's sign-in anything and is not written down.
    let elsewhere = headers.get("sec-fetch-dest").is_some_and(|dest| dest != "document");
    let Some(token) = cookie(&headers, cookies.openid).filter(|_| !elsewhere) else {
        return Redirect::to("/signin").into_response();
    };
    let signin = asked.instead_of("/signin");
    let done = async {
        let accounts = web.accounts()?;
        let provider = provider(accounts)?;
        let answer = Answer {
            code: asked.one("code")?,
            state: asked.one("state")?,
            issuer: asked.one("iss")?,
            error: asked.one("error")?.is_some(),
        };
        let vouched = match provider.end(&token, answer, accounts.now()).await {
            Ok(vouched) => vouched,
            Err(failed) => return out(&web, &extensions, &headers, &signin, "/", &failed).await,
        };
        let to = vouched.to.clone();
        match accounts.vouched(vouched, cookie(&headers, cookies.session)).await? {
            Came::In(session) => Ok(signed_in(cookies, &session, &to)),
            Came::Out => {
                let (status, wrong) = (StatusCode::FORBIDDEN, Some(Text::OpenIdRefused));
                sign_in_again(&web, &extensions, &headers, &signin, "/", status, wrong)
            }
        }
    };
    let done = done.await;
    (AppendHeaders([cookies.set(cookies.openid, "")]), or_refuse(&asked, done)).into_response()
}

/// The sign-in with what went wrong, which is written down.
async fn out(
    web: &Web,
    extensions: &Extensions,
    headers: &HeaderMap,
    asked: &Asked,
    to: &str,
    failed: &Failed,
) -> Result<Response, Problem> {
    let (status, wrong, word) = match failed {
        Failed::Away(problem) => {
            tracing::warn!(problem, "the identity provider can't be used; who has a password signs in by it");
            (StatusCode::SERVICE_UNAVAILABLE, Text::OpenIdAway, "away".to_owned())
        }
        Failed::Refused(refused) => {
            tracing::warn!(%refused, "a sign-in at the identity provider is refused");
            (StatusCode::UNAUTHORIZED, Text::OpenIdAgain, refused.to_string())
        }
    };
    let accounts = web.accounts()?;
    if matches!(failed, Failed::Refused(_)) {
        // What is made up costs no more than a password that is.
        accounts.brake()?;
    }
    accounts.not_vouched(&word).await?;
    sign_in_again(web, extensions, headers, asked, to, status, Some(wrong))
}
