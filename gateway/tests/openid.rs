//! Signing in at the city's identity provider: against a real one (oidc-provider, run by node), and against one that does what no
//! right one ever does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod provider;
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, State};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use meguri_config::Clock;
use meguri_gateway::audit::{self, Audit, Entry, What, Who};
use meguri_gateway::ca;
use meguri_gateway::changes::Changes;
use meguri_gateway::config::{AtProvider, Mapped, OpenId, Passwords, People, SecondFactor, Settings};
use meguri_gateway::doctor;
use meguri_gateway::office::Office;
use meguri_gateway::ops;
use meguri_gateway::outbox::{Outbox, Waiting};
use meguri_gateway::people::accounts::{self, AccountError, New};
use meguri_gateway::people::openid::Provider;
use meguri_gateway::people::{Person, Role, password};
use meguri_gateway::tls::{self, Life, TlsListener};
use meguri_gateway::vitals::Health;
use meguri_gateway::web::{self, Inside, OverTls};
use meguri_gateway::writer::{Parts, Running, Writer};
use meguri_proto::ContractorId;
use provider::{RealProvider, SECRET, plain};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use sample::Sample;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

const HOST: &str = "localhost:8650";
const BACK: &str = "http://localhost:8650/signin/openid/back";
const PASSWORD: &str = "kumo to yama to kawa";

/// A gateway's pages without a broker and a socket.
struct House {
    pages: Router,
    writer: Writer,
    running: Running,
    auditing: audit::Running,
    audit: Audit,
    changes: Changes,
    _waiting: Waiting,
    dir: TempDir,
}

fn contractor() -> ContractorId {
    let plan = include_str!("../../tests/demo/city.toml");
    meguri_config::City::parse(Path::new("city.toml"), plan).unwrap().contractor[0].id.clone()
}

fn openid(issuer: &str, client: &str) -> OpenId {
    let mapped = |value: &str, role, contractor| Mapped { value: value.to_owned(), role, contractor };
    OpenId {
        issuer: issuer.to_owned(),
        client_id: client.to_owned(),
        client_secret_file: Some("openid-secret".into()),
        authority: None,
        scope: "openid profile".to_owned(),
        claim: "groups".to_owned(),
        mapping: vec![
            mapped("kanri", Role::Administrator, None),
            mapped("haisha", Role::Dispatcher, Some(contractor())),
            mapped("miru", Role::Viewer, None),
            mapped("gone", Role::Dispatcher, Some("who-left".parse().unwrap())),
        ],
        second_factor: AtProvider::Claimed,
        acr: vec!["phr".to_owned()],
        passwords: Passwords::Allowed,
    }
}

impl House {
    async fn open(openid: OpenId, change: impl FnOnce(&mut People)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("openid-secret"), format!("{SECRET}\n")).unwrap();
        let sample = Sample::open(dir.path());
        let clock = Clock::system();
        let Office { readers, city, silence_minutes, .. } = sample.office(clock.clone());
        let Sample { store, .. } = sample;
        let mut people = People {
            second_factor: SecondFactor::Optional,
            attempts_a_minute: 1_000,
            openid: Some(openid),
            ..People::default()
        };
        change(&mut people);
        let settings =
            Settings { people: people.clone(), data: dir.path().to_owned(), ..Settings::default() };
        let provider = Provider::of(&settings).unwrap().map(Arc::new);
        let changes = Changes::new();
        let (outbox, waiting) = Outbox::new(city.id.clone());
        let (audit, auditing) = Audit::start(dir.path(), Timestamp::now()).unwrap();
        let parts = Parts {
            store,
            city: city.id.clone(),
            clock: clock.clone(),
            changes: changes.clone(),
            outbox,
            settings,
        };
        let (writer, running) = Writer::start(parts).unwrap();
        let health = Health {
            vitals: writer.vitals().clone(),
            clock: clock.clone(),
            least_free: 0,
            data: dir.path().to_owned(),
        };
        let inside = Inside {
            desk: sample::desk(&writer, &readers, &city, &health, &audit),
            code_minutes: 60,
            health,
            writer: writer.clone(),
            names: Arc::from([]),
            people,
            audit: audit.clone(),
            wall: clock.clone(),
            set_up: None,
            openid: provider,
        };
        let data = dir.path().into();
        let office = Office { readers, changes: changes.clone(), clock, city, data, silence_minutes };
        let pages = web::router_of(office, inside);
        let house = Self { pages, writer, running, auditing, audit, changes, _waiting: waiting, dir };
        // Whoever set the office up has a password.
        let password = password::hash(PASSWORD, [1; 16]).unwrap();
        let new = New {
            login: "first".to_owned(),
            name: String::new(),
            role: Role::Administrator,
            contractor: None,
            password,
            must_change: false,
        };
        house.change(move |tx| accounts::add(tx, Timestamp::now(), &new)).await.unwrap();
        house
    }

    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&rusqlite::Connection) -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        self.writer.run_job(move |tx, _| change(tx)).await.unwrap()
    }

    async fn people(&self) -> Vec<Person> {
        self.change(|tx| Ok(accounts::list(tx)?)).await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = Request::get(path).header(header::HOST, HOST).header(header::COOKIE, cookie);
        self.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// Signs in by password.
    async fn by_password(&self, login: &str) -> Response {
        let page = self.get("/signin", "").await;
        let cookie = cookies(&page).remove("meguri-form").unwrap();
        let text = text(page).await;
        let form = text.split_once("name=\"form\" value=\"").unwrap().1.split('"').next().unwrap();
        let request = Request::post("/signin")
            .header(header::HOST, HOST)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, format!("meguri-form={cookie}"));
        let body = format!("form={form}&login={login}&password={}", PASSWORD.replace(' ', "+"));
        self.pages.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }

    /// Begins a sign-in at the provider: the cookie that shows it, and where the browser is led.
    async fn begin(&self, to: &str) -> (String, String) {
        let response = self.get(&format!("/signin/openid{to}"), "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", text(response).await);
        (format!("meguri-openid={}", cookies(&response)["meguri-openid"]), location(&response))
    }

    /// Comes back from the provider.
    async fn back(&self, cookie: &str, query: &str) -> Response {
        self.get(&format!("/signin/openid/back?{query}"), cookie).await
    }

    fn entries(&self) -> Vec<Entry> {
        let mut all = Vec::new();
        audit::entries(self.dir.path(), |entry, _| all.push(entry)).unwrap();
        all
    }

    /// Why the last sign-in failed, as it is written down.
    fn last_refusal(&self) -> Value {
        let last = self.entries().pop().unwrap();
        assert_eq!((last.what, &last.who), (What::SignInFailed, &Who::Nobody));
        last.about
    }

    async fn close(self) -> TempDir {
        self.changes.stop();
        drop(self.pages);
        self.writer.stop().await;
        self.running.ended().await.unwrap();
        drop((self.audit, self.writer));
        let auditing = self.auditing;
        tokio::task::spawn_blocking(|| auditing.ended()).await.unwrap();
        assert_eq!(audit::verify(self.dir.path(), &[]).unwrap().faults, []);
        self.dir
    }
}

async fn text(response: Response) -> String {
    String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).into_owned()
}

fn cookies(response: &Response) -> HashMap<String, String> {
    let set = response.headers().get_all(header::SET_COOKIE).iter();
    set.filter_map(|cookie| {
        let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    })
    .collect()
}

/// The session that an answer gives.
fn session(response: &Response) -> Option<String> {
    cookies(response).get("meguri").filter(|value| !value.is_empty()).map(|value| format!("meguri={value}"))
}

fn location(response: &Response) -> String {
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// The parameters of an address.
fn parameters(address: &str) -> BTreeMap<String, String> {
    let query = address.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Goes where a browser is led, until it is led back to the gateway: the query it brings.
async fn visit(provider: &RealProvider, address: &str) -> String {
    let (mut at, mut jar) = (address.to_owned(), BTreeMap::new());
    for _ in 0..10 {
        if let Some((BACK, query)) = at.split_once('?') {
            return query.to_owned();
        }
        let path = at.strip_prefix(&provider.issuer).unwrap_or(&at).to_owned();
        let answer = plain(provider.address(), "GET", &path, &jar, "").await;
        let mut to = None;
        for line in answer.split("\r\n\r\n").next().unwrap().lines() {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                jar.insert(name.to_owned(), value.to_owned());
            } else if name.eq_ignore_ascii_case("location") {
                to = Some(value.to_owned());
            }
        }
        at = to.unwrap_or_else(|| panic!("led nowhere: {answer}"));
    }
    panic!("led in circles");
}

/// A whole sign-in.
async fn sign_in(provider: &RealProvider, house: &House) -> Response {
    let (cookie, address) = house.begin("").await;
    let query = visit(provider, &address).await;
    house.back(&cookie, &query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_at_a_real_provider() {
    let provider = RealProvider::start(BACK);
    for client in ["meguri-rs256", "meguri-es256", "meguri-public"] {
        let mut settings = openid(&provider.issuer, client);
        if client == "meguri-public" {
            settings.client_secret_file = None;
        }
        let house = House::open(settings, |_| {}).await;
        provider.sits_there("1001", &["others", "haisha"], &[]).await;
        let page = text(house.get("/signin?to=%2Fitems", "").await).await;
        assert!(
            page.contains("市の認証でサインイン") && page.contains("href=\"/signin/openid?to=%2Fitems\""),
            "{page}"
        );
        // Whatever session the browser had is ended.
        let before = session(&house.by_password("first").await).unwrap();
        let (cookie, address) = house.begin("?to=%2Fitems").await;
        let asked = parameters(&address);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["acr_values"], "phr");
        assert_eq!((asked["response_type"].as_str(), asked["redirect_uri"].as_str()), ("code", BACK));
        let answered = visit(&provider, &address).await;
        let response = house.back(&format!("{cookie}; {before}"), &answered).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{client}: {:?}", house.entries().last());
        assert_eq!(location(&response), "/items");
        assert_eq!(cookies(&response)["meguri-openid"], "", "of no use any more");
        let now = session(&response).unwrap();
        assert_eq!(house.get("/items", &now).await.status(), StatusCode::OK);
        assert_eq!(house.get("/items", &before).await.status(), StatusCode::SEE_OTHER);
        let person = house.people().await.into_iter().find(|person| person.vouched).unwrap();
        assert_eq!((person.role, person.contractor.clone()), (Role::Dispatcher, Some(contractor())));
        assert_eq!(person.name, "連携 花子");
        // The same person again is the same account.
        assert!(session(&sign_in(&provider, &house).await).is_some());
        assert_eq!(house.people().await.len(), 2);
        let told: Vec<(What, Value)> = house
            .entries()
            .into_iter()
            .filter(|entry| entry.about.get("openid").is_some())
            .map(|entry| (entry.what, entry.about))
            .collect();
        let signed = json!({ "openid": true, "second_factor": false });
        let added =
            json!({ "openid": true, "person": person.id, "role": "dispatcher", "contractor": contractor() });
        assert_eq!(
            told,
            [(What::PersonAdded, added), (What::SignedIn, signed.clone()), (What::SignedIn, signed)]
        );
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_providers_groups_say_who_may_what() {
    let provider = RealProvider::start(BACK);
    let house = House::open(openid(&provider.issuer, "meguri-es256"), |_| {}).await;
    // Nobody without a group that is mapped, or with one of a contractor that the plan does not have.
    for groups in [&["others"][..], &[], &["gone"], &["KANRI"]] {
        provider.sits_there("1001", groups, &[]).await;
        let response = sign_in(&provider, &house).await;
        assert_eq!((response.status(), session(&response)), (StatusCode::FORBIDDEN, None), "{groups:?}");
        assert!(text(response).await.contains("このアカウントでは使えません"));
        assert_eq!(house.last_refusal(), json!({ "openid": "unmapped" }));
    }
    assert_eq!(house.people().await.len(), 1);
    // Another group is another role, and what was open ends.
    provider.sits_there("1001", &["kanri"], &[]).await;
    let admin = session(&sign_in(&provider, &house).await).unwrap();
    assert_eq!(house.get("/people", &admin).await.status(), StatusCode::OK);
    provider.sits_there("1001", &["miru"], &[]).await;
    let viewer = session(&sign_in(&provider, &house).await).unwrap();
    assert_eq!(house.get("/people", &admin).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(house.get("/people", &viewer).await.status(), StatusCode::FORBIDDEN);
    // A group that was taken away ends all, at the next sign-in.
    provider.sits_there("1001", &[], &[]).await;
    assert_eq!(sign_in(&provider, &house).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(house.get("/items", &viewer).await.status(), StatusCode::SEE_OTHER);
    let person = house.people().await.into_iter().find(|person| person.vouched).unwrap();
    assert_eq!(house.last_refusal(), json!({ "openid": "unmapped", "person": person.id }));
    // Whoever is kept out here stays out, whatever the provider says; and is let in again.
    provider.sits_there("1001", &["kanri"], &[]).await;
    let login = person.login.clone();
    let block = |blocked| {
        let login = login.clone();
        house.change(move |tx| accounts::block(tx, Timestamp::now(), &login, blocked))
    };
    block(true).await.unwrap();
    let response = sign_in(&provider, &house).await;
    assert_eq!((response.status(), session(&response)), (StatusCode::FORBIDDEN, None));
    assert_eq!(house.last_refusal(), json!({ "openid": "blocked", "person": person.id }));
    block(false).await.unwrap();
    let admin = session(&sign_in(&provider, &house).await).unwrap();
    // Role and password are the provider's: neither is given here.
    let login = person.login.clone();
    let role = house.change(move |tx| accounts::set_role(tx, &login, Role::Auditor, None)).await;
    assert!(matches!(role, Err(AccountError::Vouched(_))));
    let (login, hashed) = (person.login.clone(), password::hash(PASSWORD, [2; 16]).unwrap());
    house.change(move |tx| accounts::reset(tx, &login, &hashed)).await.unwrap();
    assert_eq!(house.by_password(&person.login).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(house.get("/people", &admin).await.status(), StatusCode::SEE_OTHER, "a reset signs out");
    let admin = session(&sign_in(&provider, &house).await).unwrap();
    let page = text(house.get("/people", &admin).await).await;
    assert!(page.contains("市の認証") && page.contains("連携 花子"), "{page}");
    assert!(!text(house.get("/account", &admin).await).await.contains("/account/password"));
    // Two people who are called the same are two.
    provider.sits_there("1002", &["miru"], &[]).await;
    assert!(session(&sign_in(&provider, &house).await).is_some());
    assert_eq!(house.people().await.iter().filter(|person| person.name == "連携 花子").count(), 2);
    // Breaking off is told.
    provider.tell(json!({ "user": null })).await;
    let response = sign_in(&provider, &house).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(house.last_refusal(), json!({ "openid": "denied" }));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_counts_where_the_provider_says_so() {
    let provider = RealProvider::start(BACK);
    let needed = |people: &mut People| people.second_factor = SecondFactor::Required;
    let house = House::open(openid(&provider.issuer, "meguri-es256"), needed).await;
    let led = async |house: &House| {
        let session = session(&sign_in(&provider, house).await).unwrap();
        let response = house.get("/people", &session).await;
        (response.status(), response.headers().get(header::LOCATION).is_some().then(|| location(&response)))
    };
    provider.sits_there("1001", &["kanri"], &["pwd"]).await;
    let here = (StatusCode::SEE_OTHER, Some("/account/second".to_owned()));
    assert_eq!(led(&house).await, here, "the provider says nothing of one: it is set up here");
    provider.sits_there("1001", &["kanri"], &["pwd", "otp", "mfa"]).await;
    assert_eq!(led(&house).await, (StatusCode::OK, None));
    house.close().await;
    let mut always = openid(&provider.issuer, "meguri-es256");
    always.second_factor = AtProvider::Always;
    let house = House::open(always, needed).await;
    provider.sits_there("1001", &["kanri"], &[]).await;
    assert_eq!(led(&house).await, (StatusCode::OK, None));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_taken_once_from_the_browser_that_asked() {
    let provider = RealProvider::start(BACK);
    let house = House::open(openid(&provider.issuer, "meguri-rs256"), |_| {}).await;
    provider.sits_there("1001", &["miru"], &[]).await;
    let (mine, address) = house.begin("").await;
    let (others, _) = house.begin("").await;
    let answered = visit(&provider, &address).await;
    let refused = async |cookie: &str, query: &str| {
        let response = house.back(cookie, query).await;
        assert_eq!((response.status(), session(&response)), (StatusCode::UNAUTHORIZED, None));
        assert!(response.headers()[header::CACHE_CONTROL] == "no-store");
        let page = text(response).await;
        assert!(page.contains("はじめからサインイン"), "{page}");
        for secret in ["code=", "state="] {
            assert!(!page.contains(secret), "{secret} in {page}");
        }
        house.last_refusal()
    };
    let state = json!({ "openid": "state" });
    // In another browser: nobody is made to sign in as somebody else. One that has not begun is led to begin, and whatever other
    // sites' pages make a browser send costs nobody's sign-in anything and is not written down.
    let written = house.entries().len();
    for _ in 0..People::default().attempts_a_minute {
        let response = house.back("", &answered).await;
        assert_eq!((location(&response).as_str(), cookies(&response).len()), ("/signin", 0));
        for dest in ["image", "iframe", "empty"] {
            let request = Request::get(format!("/signin/openid/back?{answered}"))
                .header(header::HOST, HOST)
                .header(header::COOKIE, &mine)
                .header("sec-fetch-dest", dest);
            let response = house.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!((location(&response).as_str(), cookies(&response).len()), ("/signin", 0), "{dest}");
        }
    }
    assert_eq!(house.entries().len(), written);
    assert_eq!(refused(&others, &answered).await, state);
    // With another state, or none.
    let pairs = parameters(&format!("?{answered}"));
    assert_eq!(refused(&mine, &query(&[("code", &pairs["code"]), ("state", &"0".repeat(64))])).await, state);
    assert_eq!(refused(&mine, &query(&[("code", &pairs["code"])])).await, state);
    // Twice the same name is nobody's answer.
    let twice = format!("{answered}&state={}", pairs["state"]);
    assert_eq!(house.back(&mine, &twice).await.status(), StatusCode::BAD_REQUEST);
    // None of these has used it up.
    assert!(session(&house.back(&mine, &answered).await).is_some());
    // The same answer again is over here, and its code at the provider, too.
    assert_eq!(refused(&mine, &answered).await, state);
    let (again, address) = house.begin("").await;
    let pairs_again = parameters(&address);
    let replayed =
        query(&[("code", &pairs["code"]), ("state", &pairs_again["state"]), ("iss", &provider.issuer)]);
    assert_eq!(refused(&again, &replayed).await, json!({ "openid": "code" }));
    // The provider names itself in its answers (RFC 9207): another one, or none, is not it.
    for issuer in [Some("http://127.0.0.1:1"), None] {
        let (cookie, address) = house.begin("").await;
        let mut pairs = parameters(&format!("?{}", visit(&provider, &address).await));
        pairs.remove("iss");
        pairs.extend(issuer.map(|issuer| ("iss".to_owned(), issuer.to_owned())));
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(refused(&cookie, &query(&pairs)).await, json!({ "openid": "answer of another issuer" }));
    }
    // A code that was got by another verifier: PKCE.
    let (cookie, address) = house.begin("").await;
    let (other, other_address) = house.begin("").await;
    let stolen = parameters(&format!("?{}", visit(&provider, &other_address).await));
    let injected = query(&[
        ("code", &stolen["code"]),
        ("state", &parameters(&address)["state"]),
        ("iss", &provider.issuer),
    ]);
    assert_eq!(refused(&cookie, &injected).await, json!({ "openid": "code" }));
    drop(other);
    // It leads nowhere else, neither to another site nor from one.
    for elsewhere in
        ["https%3A%2F%2Fexample.com%2F", "%2F%2Fexample.com", "%2F%5Cexample.com", "javascript%3A1"]
    {
        let (cookie, address) = house.begin(&format!("?to={elsewhere}")).await;
        let answered = visit(&provider, &address).await;
        assert_eq!(location(&house.back(&cookie, &answered).await), "/", "{elsewhere}");
    }
    let request = Request::get("/signin/openid")
        .header(header::HOST, HOST)
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty());
    let response = house.pages.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!((location(&response).as_str(), cookies(&response).len()), ("/signin", 0));
    // Over TLS its cookie is such as no plain page can set.
    let request = Request::get("/signin/openid").header(header::HOST, HOST).extension(OverTls);
    let response = house.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(
        set.starts_with("__Host-meguri-openid=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{set}"
    );
    assert_eq!(parameters(&location(&response))["redirect_uri"], BACK.replace("http:", "https:"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_changes_its_keys_and_goes_away() {
    let mut provider = RealProvider::start(BACK);
    let house = House::open(openid(&provider.issuer, "meguri-rs256"), |_| {}).await;
    provider.sits_there("1001", &["miru"], &[]).await;
    assert!(session(&sign_in(&provider, &house).await).is_some());
    provider.tell(json!({ "rotate": true })).await;
    assert!(session(&sign_in(&provider, &house).await).is_some(), "{:?}", house.entries().last());
    // On the way it goes away: this one is told, and so is the next, when the provider's addresses are known still.
    let (cookie, address) = house.begin("").await;
    let answered = visit(&provider, &address).await;
    provider.child.kill().unwrap();
    provider.child.wait().unwrap();
    let response = house.back(&cookie, &answered).await;
    assert_eq!((response.status(), session(&response)), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(text(response).await.contains("市の認証につながりません"));
    assert_eq!(house.last_refusal(), json!({ "openid": "away" }));
    // Whoever has a password signs in by it.
    assert!(session(&house.by_password("first").await).is_some());
    let issuer = provider.issuer.clone();
    house.close().await;

    // One that was never there, with passwords for emergencies alone.
    let mut settings = openid(&issuer, "meguri-rs256");
    settings.passwords = Passwords::Emergency;
    let house = House::open(settings, |_| {}).await;
    let response = house.get("/signin/openid?to=%2Fitems", "").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = text(response).await;
    assert!(page.contains("市の認証につながりません") && page.contains("非常時のサインイン"), "{page}");
    assert!(page.contains("value=\"/items\""), "it still leads where somebody wanted to go: {page}");
    assert_eq!(house.by_password("first").await.status(), StatusCode::UNAUTHORIZED);
    let until = |hours| {
        let until = Timestamp::now() + SignedDuration::from_hours(hours);
        house.change(move |tx| accounts::emergency(tx, "first", until))
    };
    until(-1).await.unwrap();
    assert_eq!(house.by_password("first").await.status(), StatusCode::UNAUTHORIZED, "it is over");
    until(8).await.unwrap();
    assert!(session(&house.by_password("first").await).is_some());
    let told = ops::Request::PersonEmergency { login: "first".to_owned(), until: Timestamp::UNIX_EPOCH };
    assert_eq!(told.audited().unwrap().0, What::PersonEmergency);
    house.close().await;
}

/// `doctor` tells before anybody stands before the sign-in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_asks_the_provider() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut provider = RealProvider::start(BACK);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("city.toml"), include_str!("../../tests/demo/city.toml")).unwrap();
    let secret = dir.path().join("openid-secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    let people = People { openid: Some(openid(&provider.issuer, "meguri-rs256")), ..People::default() };
    let settings = Settings { people, data: dir.path().to_owned(), ..Settings::default() };
    let look = async || {
        let settings = settings.clone();
        let looked = tokio::task::spawn_blocking(move || {
            doctor::Scope::new(Ok(settings), None, false, Timestamp::now()).findings()
        });
        let found = serde_json::to_value(looked.await.unwrap()).unwrap();
        let mine: Vec<Value> = found
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["check"] == "identity-provider")
            .cloned()
            .collect();
        mine
    };
    let words = |found: &[Value]| -> Vec<String> {
        found
            .iter()
            .map(|one| format!("{} {}", one["severity"].as_str().unwrap(), one["en"].as_str().unwrap()))
            .collect()
    };
    let found = words(&look().await);
    assert!(found[0].starts_with("error") && found[0].contains("is open to other users (640)"), "{found:?}");
    assert!(found[1].starts_with("warning") && found[1].contains("who-left"), "{found:?}");
    assert!(found[2].starts_with("ok") && found.len() == 3, "{found:?}");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    provider.child.kill().unwrap();
    provider.child.wait().unwrap();
    let found = look().await;
    assert_eq!(found.len(), 2);
    assert!(words(&found)[1].starts_with("error"), "{found:?}");
    let told = found[1].to_string();
    assert!(told.contains("person emergency") && !told.contains(SECRET), "{told}");
}

/// What a provider does that no right one ever does.
#[derive(Clone)]
struct Evil {
    signer: Arc<EcdsaKeyPair>,
    issuer: String,
    said: Arc<Mutex<Said>>,
}

/// Makes a token of a sign-in's nonce.
type Making = Box<dyn Fn(&Evil, &str) -> String + Send>;

/// What it answers next.
struct Said {
    /// What it gives for a code, made of the sign-in's nonce.
    token: Making,
    nonce: String,
    metadata: Value,
    keys: Value,
    /// How often its keys were read.
    looked: usize,
    /// What it was asked for last.
    asked: Option<HashMap<String, String>>,
}

fn fresh_key() -> EcdsaKeyPair {
    let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap()
}

fn jwk(pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|half| URL_SAFE_NO_PAD.encode(half));
    json!({ "kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y })
}

impl Evil {
    /// Over TLS where an authority is given.
    async fn start(authority: Option<&ca::Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if authority.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://localhost:{port}");
        let signer = Arc::new(fresh_key());
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        let said = Said {
            token: Box::new(|evil, nonce| evil.token(&evil.claims(nonce))),
            nonce: String::new(),
            metadata,
            keys: json!({ "keys": [jwk(&signer)] }),
            looked: 0,
            asked: None,
        };
        let evil = Self { signer, issuer, said: Arc::new(Mutex::new(said)) };
        let pages = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(evil): State<Self>| evil.said.lock().unwrap().metadata.to_string()),
            )
            .route("/keys", get(Self::keys))
            .route("/token", post(Self::give))
            .with_state(evil.clone());
        match authority {
            None => drop(tokio::spawn(axum::serve(listener, pages).into_future())),
            Some(authority) => {
                let names = ["localhost".to_owned()];
                let files = authority.office(&names, Timestamp::now()).unwrap();
                let listener = TlsListener::over(
                    listener,
                    tls::server(&files).unwrap(),
                    Life::Answered(std::time::Duration::from_secs(60)),
                )
                .unwrap();
                drop(tokio::spawn(axum::serve(listener, pages).into_future()));
            }
        }
        evil
    }

    async fn keys(State(evil): State<Self>) -> String {
        let mut said = evil.said.lock().unwrap();
        said.looked += 1;
        said.keys.to_string()
    }

    async fn give(State(evil): State<Self>, Form(form): Form<HashMap<String, String>>) -> Response {
        let mut said = evil.said.lock().unwrap();
        let token = (said.token)(&evil, &said.nonce);
        said.asked = Some(form);
        json!({ "access_token": "x", "token_type": "Bearer", "id_token": token }).to_string().into_response()
    }

    fn claims(&self, nonce: &str) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": self.issuer, "aud": "meguri", "sub": "evil", "nonce": nonce, "iat": now, "exp": now + 300,
            "groups": ["kanri"],
        })
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&self.signer, &json!({ "alg": "ES256", "kid": "1" }), claims)
    }

    fn sign(&self, signer: &EcdsaKeyPair, head: &Value, claims: &Value) -> String {
        let message = unsigned(head, claims);
        let seal = signer.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
    }

    /// A sign-in at the end of which it gives this token.
    async fn lets(&self, house: &House, token: impl Fn(&Self, &str) -> String + Send + 'static) -> Response {
        let (cookie, address) = house.begin("").await;
        let asked = parameters(&address);
        {
            let mut said = self.said.lock().unwrap();
            said.token = Box::new(token);
            said.nonce = asked["nonce"].clone();
        }
        house.back(&cookie, &query(&[("code", "any"), ("state", &asked["state"])])).await
    }
}

fn unsigned(head: &Value, claims: &Value) -> String {
    let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{head}.{claims}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_no_right_provider_gives_open_nothing() {
    let evil = Evil::start(None).await;
    let house = House::open(openid(&evil.issuer, "meguri"), |_| {}).await;
    assert!(session(&evil.lets(&house, |evil, nonce| evil.token(&evil.claims(nonce))).await).is_some());
    // The secret goes in the way that the provider says, with the verifier of what was asked for.
    let form = evil.said.lock().unwrap().asked.take().unwrap();
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("meguri", SECRET));
    assert_eq!(form["redirect_uri"], BACK);
    assert_eq!(URL_SAFE_NO_PAD.decode(&form["code_verifier"]).unwrap().len(), 32);

    let known = house.people().await.len();
    let refused = async |why: &str, token: fn(&Evil, &str) -> String| {
        let response = evil.lets(&house, token).await;
        assert_eq!((response.status(), session(&response)), (StatusCode::UNAUTHORIZED, None), "{why}");
        assert_eq!(house.last_refusal(), json!({ "openid": format!("token: {why}") }));
    };
    fn with(evil: &Evil, nonce: &str, name: &str, value: Value) -> String {
        let mut claims = evil.claims(nonce);
        claims[name] = value;
        evil.token(&claims)
    }
    refused("nonce", |evil, _| evil.token(&evil.claims("another"))).await;
    refused("audience", |evil, nonce| with(evil, nonce, "aud", json!("another"))).await;
    refused("audience", |evil, nonce| with(evil, nonce, "aud", json!(["meguri", "another"]))).await;
    refused("issuer", |evil, nonce| with(evil, nonce, "iss", json!("https://id.example"))).await;
    refused("expired", |evil, nonce| with(evil, nonce, "exp", json!(Timestamp::now().as_second() - 120)))
        .await;
    refused("algorithm", |evil, nonce| {
        unsigned(&json!({ "alg": "none", "kid": "1" }), &evil.claims(nonce)) + "."
    })
    .await;
    refused("algorithm", |evil, nonce| {
        // The public key as a shared secret.
        let message = unsigned(&json!({ "alg": "HS256", "kid": "1" }), &evil.claims(nonce));
        let mut mac = Hmac::<Sha256>::new_from_slice(evil.signer.public_key().as_ref()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    })
    .await;
    refused("algorithm", |evil, nonce| {
        // The client's secret, which OpenID Connect would allow.
        let message = unsigned(&json!({ "alg": "HS256" }), &evil.claims(nonce));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    })
    .await;
    refused("signature", |evil, nonce| {
        let other = fresh_key();
        let head = json!({ "alg": "ES256", "kid": "1", "jwk": jwk(&other) });
        evil.sign(&other, &head, &evil.claims(nonce))
    })
    .await;
    refused("malformed", |_, _| "not.a.token".to_owned()).await;
    assert_eq!(house.people().await.len(), known, "nobody has come of it");

    // Keys that nobody published are looked for, but not with every token.
    let unknown = |evil: &Evil, nonce: &str| {
        evil.sign(&evil.signer, &json!({ "alg": "ES256", "kid": "made up" }), &evil.claims(nonce))
    };
    for _ in 0..8 {
        refused("key", unknown).await;
    }
    assert_eq!(evil.said.lock().unwrap().looked, 1 + 6);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_says_of_itself_is_its_own_and_safe() {
    let evil = Evil::start(None).await;
    let whole = evil.said.lock().unwrap().metadata.clone();
    for (name, value) in [
        ("issuer", json!("https://id.example")),
        ("issuer", json!(format!("{}/", evil.issuer))),
        ("authorization_endpoint", json!("http://id.example/auth")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("jwks_uri", json!("http://192.0.2.1/keys")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("jwks_uri", json!(format!("{}/nothing", evil.issuer))),
        ("jwks_uri", Value::Null),
    ] {
        let mut metadata = whole.clone();
        metadata[name] = value.clone();
        evil.said.lock().unwrap().metadata = metadata;
        let house = House::open(openid(&evil.issuer, "meguri"), |_| {}).await;
        let response = house.get("/signin/openid", "").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{name} {value}");
        assert!(!response.headers().contains_key(header::LOCATION));
        house.close().await;
    }
    // An answer without end is cut off.
    let mut metadata = whole.clone();
    metadata["more"] = json!("x".repeat(1024 * 1024));
    evil.said.lock().unwrap().metadata = metadata;
    let house = House::open(openid(&evil.issuer, "meguri"), |_| {}).await;
    assert_eq!(house.get("/signin/openid", "").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    house.close().await;
    evil.said.lock().unwrap().metadata = whole;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_believed_by_its_authority_alone() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = |dir: &TempDir| {
        ca::Authority::open(dir.path(), &"hiroshima".parse().unwrap(), Timestamp::now(), false).unwrap()
    };
    let files = [&own, &other].map(|dir| ca::authority_file(dir.path()));
    let (own_file, other_file) = (files[0].clone(), files[1].clone());
    let own = authority(&own);
    drop(authority(&other));
    let evil = Evil::start(Some(&own)).await;
    let with =
        |file: Option<std::path::PathBuf>| OpenId { authority: file, ..openid(&evil.issuer, "meguri") };
    let house = House::open(with(Some(own_file)), |_| {}).await;
    assert!(session(&evil.lets(&house, |evil, nonce| evil.token(&evil.claims(nonce))).await).is_some());
    house.close().await;
    for file in [Some(other_file), None] {
        let house = House::open(with(file), |_| {}).await;
        assert_eq!(house.get("/signin/openid", "").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        house.close().await;
    }
    // What can't be read is told at the start.
    for (change, told) in
        [(Settings::default().people, "client_secret_file"), (Settings::default().people, "authority")]
    {
        let dir = tempfile::tempdir().unwrap();
        let mut openid = with(None);
        if told == "authority" {
            openid.client_secret_file = None;
            openid.authority = Some("nothing.pem".into());
        }
        let people = People { openid: Some(openid), ..change };
        let settings = Settings { people, data: dir.path().to_owned(), ..Settings::default() };
        let error = Provider::of(&settings).unwrap_err().to_string();
        assert!(error.contains(&format!("people.openid.{told}")), "{error}");
    }
}

/// The program itself, with all that it can log: nothing that opens anything is told, and none but what has to be stands in the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_sign_in_is_in_any_log() {
    let provider = RealProvider::start(BACK);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("city.toml"), include_str!("city.toml")).unwrap();
    fs::write(dir.path().join("openid-secret"), SECRET).unwrap();
    fs::write(dir.path().join("password"), PASSWORD).unwrap();
    let settings = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"trace\"\n[audit]\nsyslog = \"\"\n\
        [people.openid]\nissuer = \"{}\"\nclient_id = \"meguri-es256\"\nclient_secret_file = \"openid-secret\"\n\
        mapping = [{{ value = \"miru\", role = \"viewer\" }}]\n",
        provider.issuer
    );
    fs::write(dir.path().join("gateway.toml"), settings).unwrap();
    let program = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command.arg("--config").arg(dir.path().join("gateway.toml")).arg("--data").arg(dir.path());
        command.stdin(std::process::Stdio::null());
        command
    };
    let add = ["person", "add", "first", "--role", "administrator", "--password-file"];
    assert!(program().args(add).arg(dir.path().join("password")).output().unwrap().status.success());
    let log = dir.path().join("gateway.log");
    let mut child = program()
        .arg("serve")
        .stdout(std::process::Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let at = ready["web"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    provider.tell(json!({ "back": format!("http://{at}/signin/openid/back") })).await;
    provider.sits_there("1001", &["miru"], &[]).await;
    // What an answer's head says, by its name.
    let said = |answer: &str, name: &str| -> Vec<String> {
        let head = answer.split("\r\n\r\n").next().unwrap();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    };
    let cookie = |answer: &str, name: &str| {
        let set = said(answer, "set-cookie");
        let found = set.iter().find_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
        found.unwrap().split(';').next().unwrap().to_owned()
    };
    let begun = plain(&at, "GET", "/signin/openid", &BTreeMap::new(), "").await;
    let token = cookie(&begun, "meguri-openid");
    let address = said(&begun, "location").remove(0);
    let mut led = address.clone();
    let mut jar = BTreeMap::new();
    while !led.starts_with(&format!("http://{at}/")) {
        let path = led.strip_prefix(&provider.issuer).unwrap_or(&led).to_owned();
        let answer = plain(provider.address(), "GET", &path, &jar, "").await;
        for set in said(&answer, "set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            jar.insert(name.to_owned(), value.to_owned());
        }
        led = said(&answer, "location").remove(0);
    }
    let answered = parameters(&led);
    let path = led.strip_prefix(&format!("http://{at}")).unwrap();
    let cookies = BTreeMap::from([("meguri-openid".to_owned(), token.clone())]);
    let signed = plain(&at, "GET", path, &cookies, "").await;
    assert!(signed.starts_with("HTTP/1.1 303"), "{signed}");
    let session = cookie(&signed, "meguri");
    let items = BTreeMap::from([("meguri".to_owned(), session.clone())]);
    assert!(plain(&at, "GET", "/items", &items, "").await.starts_with("HTTP/1.1 200"));
    // Once more, to be refused.
    assert!(plain(&at, "GET", path, &cookies, "").await.starts_with("HTTP/1.1 401"));
    child.kill().unwrap();
    child.wait().unwrap();

    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("INFO"), "the test sees the log: {log}");
    let mut audit = String::new();
    for file in fs::read_dir(dir.path().join("audit")).unwrap() {
        audit += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let asked = parameters(&address);
    let basic = base64::engine::general_purpose::STANDARD
        .encode(query(&[("meguri-es256", SECRET)]).replace('=', ":"));
    // Every JSON web token begins so.
    let secrets =
        [SECRET, &basic, &token, &session, &answered["code"], &answered["state"], &asked["nonce"], "eyJ"];
    for secret in secrets.into_iter().chain([PASSWORD, &asked["code_challenge"], "1001"]) {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!audit.contains(secret), "{secret} is in the audit log");
    }
    for file in ["meguri.db", "meguri.db-wal"] {
        let store = fs::read(dir.path().join(file)).unwrap_or_default();
        for secret in secrets {
            let found = store.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}
