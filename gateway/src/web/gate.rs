//! Who asks for a page: the person that is signed in, or the way to the sign-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::Web;
use super::accounts::{Accounts, Reader};
use super::page::problem::Problem;
use super::request::Address;
use super::text::Lang;
use crate::audit::{Event, What, Who};
use crate::people::sessions::{self, Session, Stage, Token};
use crate::people::tokens::{self, Opens};
use crate::people::{Action, Person, Scope, accounts};
use crate::tls::Peer;

/// Most bytes of a form.
pub(super) const FORM_BYTES: usize = 16 * 1024;

/// Marks a request that came over TLS. The guard adds it to each request's extensions where the pages are served so; cookies
/// are then such as no plain page can set or read.
#[derive(Debug, Clone, Copy)]
pub struct OverTls;

/// How it is decided who asks.
#[derive(Debug, Clone)]
pub(super) enum Gate {
    /// Everybody is this person: pages by themselves.
    As(Arc<Person>),
    /// By accounts.
    Accounts(Arc<Accounts>),
}

/// The names of our cookies. A browser takes one that begins with `__Host-` over TLS alone, and from this very host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    pub(super) session: &'static str,
    pub(super) form: &'static str,
    /// That this browser began a sign-in at the identity provider.
    pub(super) openid: &'static str,
    pub(super) secure: bool,
}

impl Cookies {
    pub(super) fn of(extensions: &Extensions) -> Self {
        if extensions.get::<OverTls>().is_some() {
            Self {
                session: "__Host-meguri",
                form: "__Host-meguri-form",
                openid: "__Host-meguri-openid",
                secure: true,
            }
        } else {
            Self { session: "meguri", form: "meguri-form", openid: "meguri-openid", secure: false }
        }
    }

    /// What sets one, or with an empty value takes it away.
    pub(super) fn set(self, name: &str, value: &str) -> (HeaderName, HeaderValue) {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = if value.is_empty() { "; Max-Age=0" } else { "" };
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        // Names and values are ASCII of our own.
        (header::SET_COOKIE, HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static("")))
    }
}

/// The token in a cookie. Where there are two of one name, somebody else may have set one: none counts.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<Token> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut found = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let (first, second) = (found.next()?, found.next());
    if second.is_none() { Token::parse(first) } else { None }
}

/// Whoever is signed in.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// The person.
    pub(super) person: Arc<Person>,
    /// What their browser has; none where pages are shown by themselves.
    pub(super) token: Option<Token>,
    /// What stands between them and the pages.
    pub(super) stage: Stage,
    /// Whether the contracts of their contractor are over.
    pub(super) left: bool,
    /// Whether it is to be written down that they are still there.
    stale: bool,
    /// Whether this request counts among what they read already.
    counted: Arc<AtomicBool>,
}

impl Signed {
    /// Refuses what the person may not do.
    pub(super) fn may(&self, action: Action) -> Result<(), Problem> {
        if self.person.may(action, self.left) { Ok(()) } else { Err(Problem::Forbidden) }
    }

    /// What is read for them.
    pub(super) fn scope(&self) -> Scope {
        self.person.scope()
    }

    pub(super) fn who(&self) -> Who {
        Who::Person(self.person.id)
    }

    /// What their forms carry.
    pub(super) fn form(&self) -> String {
        self.token.as_ref().map(Token::form).unwrap_or_default()
    }
}

/// Why nobody is let in.
#[derive(Debug)]
pub(super) enum Outside {
    /// Nobody is signed in.
    Nobody,
    /// Nobody has an account yet.
    SetUp,
    /// It can't be told.
    Problem(Problem),
}

impl Web {
    /// Whoever asks.
    pub(super) async fn asking(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Signed, Outside> {
        let accounts = match &self.gate {
            Gate::As(person) => {
                let (scope, today) = (person.scope(), self.today());
                let left = self.office.readers.with(move |conn| has_left(conn, &scope, today)).await;
                let left = left.map_err(|error| Outside::Problem(error.into()))?;
                let (person, counted) = (person.clone(), Arc::default());
                return Ok(Signed { person, token: None, stage: Stage::In, left, stale: false, counted });
            }
            Gate::Accounts(accounts) => accounts,
        };
        let token = cookie(headers, Cookies::of(extensions).session);
        let (now, settings, today) = (accounts.now(), accounts.settings.clone(), self.today());
        let read = self.office.readers.with(move |conn| match token {
            None => Ok((None, accounts::nobody(conn)?)),
            Some(token) => match sessions::find(conn, now, &token, &settings)? {
                Some(found) => {
                    let left = has_left(conn, &found.person.scope(), today)?;
                    Ok((Some((found, token, left)), false))
                }
                None => Ok((None, accounts::nobody(conn)?)),
            },
        });
        match read.await.map_err(|error| Outside::Problem(error.into()))? {
            (Some((Session { person, stage, stale }, token, left)), _) => {
                let (person, counted) = (Arc::new(person), Arc::default());
                Ok(Signed { person, token: Some(token), stage, left, stale, counted })
            }
            (None, true) => Err(Outside::SetUp),
            (None, false) => Err(Outside::Nobody),
        }
    }

    /// Writes down that a person is still there, where this is something that a person does: a stream that goes on, and
    /// what a page's script asks, come from a page that nobody may be looking at.
    fn sees(&self, signed: &Signed, parts: &Parts) {
        let asked = parts.headers.get("sec-fetch-dest").is_none_or(|dest| dest == "document");
        if let (Gate::Accounts(accounts), Some(token), true) = (&self.gate, &signed.token, signed.stale)
            && asked
            && parts.uri.path() != "/events"
        {
            accounts.seen(token);
        }
    }

    /// Counts a request among what its person reads, once, and refuses it where that is too much. Whatever shows a page
    /// after a change asks this before it: a page that shows something this once must not be refused then.
    pub(super) fn reads(&self, signed: &Signed) -> Result<(), Problem> {
        match &self.gate {
            Gate::Accounts(accounts) if !signed.counted.swap(true, Ordering::Relaxed) => {
                accounts.reads(Reader::Person(signed.person.id))
            }
            _ => Ok(()),
        }
    }

    /// Whether a session that opened a stream still holds. A stream is no sign of its person.
    pub(super) async fn holds(&self, signed: &Signed) -> bool {
        let (Gate::Accounts(accounts), Some(token)) = (&self.gate, signed.token.clone()) else { return true };
        let (now, settings, was) = (accounts.now(), accounts.settings.clone(), signed.person.clone());
        let read = self.office.readers.with(move |conn| sessions::find(conn, now, &token, &settings));
        matches!(read.await, Ok(Some(Session { person, stage: Stage::In, .. }))
            if (person.role, &person.contractor) == (was.role, &was.contractor))
    }

    /// Writes down what a person reads before it is sent.
    pub(super) async fn note(
        &self,
        signed: &Signed,
        what: What,
        about: serde_json::Value,
    ) -> Result<(), Problem> {
        let Gate::Accounts(accounts) = &self.gate else { return Ok(()) };
        if what != What::Refused {
            self.reads(signed)?;
        }
        accounts.note(Event::new(signed.who(), what, about)).await
    }
}

/// Whether the last of somebody's contracts is over.
fn has_left(conn: &rusqlite::Connection, scope: &Scope, today: jiff::civil::Date) -> rusqlite::Result<bool> {
    Ok(scope.last_day(conn)?.is_some_and(|last| last < today))
}

/// Where a person must go before anything else.
pub(super) fn way(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Code => Some("/signin/code"),
        Stage::Password => Some("/account/password"),
        Stage::SetUp => Some("/account/second"),
        Stage::In => None,
    }
}

/// An address of ours to go to after the sign-in; the front page for anything else.
pub(super) fn ours(to: &str) -> &str {
    let good = to.len() <= 500
        && to.starts_with('/')
        && !to.starts_with("//")
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !to.starts_with("/signin");
    if good { to } else { "/" }
}

impl FromRequestParts<Web> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let lang = Lang::of_headers(&parts.headers);
        let refuse = |problem: Problem| super::refuse(&problem, lang);
        // A page is led to where it can go on; a stream or a system is told so.
        let page = parts.uri.path() != "/events";
        match web.asking(&parts.headers, &parts.extensions).await {
            Ok(signed) => {
                web.sees(&signed, parts);
                match way(signed.stage).filter(|way| parts.uri.path() != *way) {
                    None => Ok(signed),
                    Some(way) if page => Err(Redirect::to(way).into_response()),
                    Some(_) => Err(refuse(Problem::Unauthorized)),
                }
            }
            Err(Outside::Problem(problem)) => Err(refuse(problem)),
            Err(_) if !page => Err(refuse(Problem::Unauthorized)),
            Err(Outside::SetUp) => Err(Redirect::to("/setup").into_response()),
            Err(Outside::Nobody) => {
                let to = if parts.method == Method::GET {
                    parts.uri.path_and_query().map_or("/", |to| to.as_str())
                } else {
                    "/"
                };
                let signin = match ours(to) {
                    "/" => "/signin".to_owned(),
                    to => Address::new("/signin", &[]).with("to", to),
                };
                Err(Redirect::to(&signin).into_response())
            }
        }
    }
}

/// A form as it came: from a page of ours, not too long.
#[derive(Debug)]
pub(super) struct Posted {
    pairs: Vec<(String, String)>,
}

impl Posted {
    /// A field; empty where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    /// All of a field that may be there any number of times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Refuses a form that is not of the session with this token.
    pub(super) fn is_of(&self, token: Option<&Token>) -> Result<(), Problem> {
        match token {
            Some(token) if self.get("form") == token.form() => Ok(()),
            _ => Err(Problem::Form),
        }
    }
}

impl FromRequest<Web> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let lang = Lang::of_headers(request.headers());
        let secure = request.extensions().get::<OverTls>().is_some();
        if !is_own(request.headers(), secure) {
            return Err(super::refuse(&Problem::Form, lang));
        }
        match axum::Form::<Vec<(String, String)>>::from_request(request, web).await {
            Ok(axum::Form(pairs)) => Ok(Self { pairs }),
            Err(rejection) => {
                let large = rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
                Err(super::refuse(if large { &Problem::TooLarge } else { &Problem::Form }, lang))
            }
        }
    }
}

/// Whether a browser says that a page of ours sent this. One that says nothing is none of today.
fn is_own(headers: &HeaderMap, secure: bool) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(drop),
            _ => Err(()),
        }
    };
    let (Ok(site), Ok(origin), Ok(Some(host))) = (one("sec-fetch-site"), one("origin"), one("host")) else {
        return false;
    };
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match origin {
        None => site.is_some(),
        Some(origin) => {
            let ours = origin.strip_prefix(if secure { "https://" } else { "http://" });
            ours.is_some_and(|ours| ours.parse::<Authority>().is_ok() && ours.eq_ignore_ascii_case(host))
        }
    }
}

/// Another system, by its token.
pub(super) async fn system(web: &Web, headers: &HeaderMap, opens: Opens) -> Result<tokens::Listed, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Problem::Unauthorized) };
    let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).and_then(tokens::sha256);
    let token = token.ok_or(Problem::Unauthorized)?;
    let found = web.office.readers.with(move |conn| tokens::find(conn, token, opens)).await?;
    let token = found.ok_or(Problem::Unauthorized)?;
    if let Gate::Accounts(accounts) = &web.gate {
        accounts.used(&token);
    }
    Ok(token)
}

/// Health and metrics are for this machine, and for systems that have a token for them. What a proxy passed on is not
/// of this machine.
pub(super) async fn monitoring(State(web): State<Web>, request: Request, next: Next) -> Response {
    let here = request
        .extensions()
        .get::<ConnectInfo<Peer>>()
        .is_some_and(|ConnectInfo(Peer(peer))| peer.ip().to_canonical().is_loopback());
    let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if (here && !passed_on) || matches!(web.gate, Gate::As(_)) {
        return next.run(request).await;
    }
    match system(&web, request.headers(), Opens::Metrics).await {
        Ok(_) => next.run(request).await,
        Err(problem) => refuse(&problem),
    }
}

/// An answer for a program.
pub(super) fn refuse(problem: &Problem) -> Response {
    let error = problem.title(Lang::En);
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::WWW_AUTHENTICATE, "Bearer")];
    (problem.status(), headers, format!("{}\n", serde_json::json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_pages_of_ours_send_forms() {
        let own = |pairs: &[(&'static str, &str)]| is_own(&headers(pairs), false);
        let host = ("host", "localhost:8650");
        assert!(own(&[host, ("origin", "http://localhost:8650")]));
        assert!(own(&[host, ("origin", "http://localhost:8650"), ("sec-fetch-site", "same-origin")]));
        assert!(own(&[host, ("sec-fetch-site", "same-origin")]));
        for bad in [
            &[host][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://example.com")],
            &[host, ("origin", "http://localhost:8651")],
            &[host, ("origin", "https://localhost:8650")],
            &[host, ("origin", "http://localhost:8650"), ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "http://localhost:8650"), ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("origin", "http://localhost:8650"), ("origin", "http://example.com")],
            &[("origin", "http://localhost:8650")],
        ] {
            assert!(!own(bad), "{bad:?}");
        }
        assert!(is_own(&headers(&[host, ("origin", "https://localhost:8650")]), true));
        assert!(!is_own(&headers(&[host, ("origin", "http://localhost:8650")]), true));
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_nobodys() {
        let token = Token::new([7; 32]);
        let one = format!("lang=ja; meguri={}; meguri-form=x", token.text());
        assert_eq!(cookie(&headers(&[("cookie", &one)]), "meguri"), Some(token));
        let twice = format!("{one}; meguri={}", Token::new([8; 32]).text());
        assert_eq!(cookie(&headers(&[("cookie", &twice)]), "meguri"), None);
        assert_eq!(cookie(&headers(&[("cookie", "meguri=../../x")]), "meguri"), None);
    }

    #[test]
    fn cookies_over_tls_are_of_this_host_alone() {
        let mut extensions = Extensions::new();
        let plain = Cookies::of(&extensions);
        assert_eq!(plain.set(plain.session, "x").1, "meguri=x; Path=/; HttpOnly; SameSite=Lax");
        extensions.insert(OverTls);
        let secure = Cookies::of(&extensions);
        assert_eq!(
            secure.set(secure.session, "x").1,
            "__Host-meguri=x; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            secure.set(secure.form, "").1,
            "__Host-meguri-form=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
        );
    }

    #[test]
    fn a_sign_in_leads_nowhere_else() {
        for good in ["/", "/search?q=1&day=2026-04-01", "/pickup/x"] {
            assert_eq!(ours(good), good);
        }
        for bad in [
            "",
            "//example.com",
            "/\\example.com",
            "https://example.com",
            "/a\r\nset-cookie: x",
            "/signin?to=/",
            "javascript:1",
            "/日",
        ] {
            assert_eq!(ours(bad), "/", "{bad:?}");
        }
    }
}
