//! The city's pages: a day against its plan, search, one pickup's history, and what was set aside.
//!
//! Rendered here and complete without a script; the script only swaps the sections that changed.
//! Nothing is loaded from elsewhere. Every page but the sign-in is for whoever is signed in, and shows what their role
//! may see of their part of the city; accounts, terminals, crews and tokens are what can be changed through pages.

mod accounts;
mod api;
mod aside;
mod board;
mod crews;
mod exposure;
mod fleet;
mod format;
mod gate;
mod guard;
mod handing;
mod items;
mod live;
mod metrics;
mod names;
mod openid;
mod page;
mod part;
mod people;
mod pickup;
mod releases;
mod request;
mod search;
mod state;
mod switchovers;
mod terminals;
mod text;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use maud::Markup;
use meguri_proto::PickupId;
use tokio::sync::Semaphore;

pub use self::gate::OverTls;
pub use self::metrics::Inside;
pub(crate) use self::page::readiness_csv;

use self::accounts::Accounts;
use self::board::Board;
use self::gate::{Gate, Signed};
use self::items::Items;
use self::live::Boards;
use self::page::problem::Problem;
use self::page::{Frame, Tab};
use self::pickup::Pickup;
use self::request::{Address, Asked, By};
use self::text::Lang;
use crate::audit::What;
use crate::direction;
use crate::office::{Office, Place};
use crate::people::sessions::Stage;
use crate::people::{Action, Person};

/// How often at least a browser is answered something, or its connection ends: several of a stream's signs of life.
pub const ANSWERED: std::time::Duration = std::time::Duration::from_secs(60);
/// How many pages may update by themselves at a time.
pub(crate) const STREAMS: usize = 256;
/// How many exceptions stand on a page of their own.
const EXCEPTIONS_PAGE: u32 = 50;

/// What the pages share.
#[derive(Debug, Clone)]
struct Web {
    office: Office,
    /// What the process knows of itself; none where the pages are shown without a gateway.
    inside: Option<Inside>,
    gate: Gate,
    boards: Arc<Boards>,
    streams: Arc<Semaphore>,
    /// How many PINs are drawn at a time.
    drawing: Arc<Semaphore>,
    /// One release comes at a time.
    uploads: Arc<Semaphore>,
}

/// The city's pages by themselves, as this person sees them: there is nobody to sign in, and nothing is written down.
pub fn router_as(office: Office, person: Person) -> Router {
    routes(office, None, Gate::As(Arc::new(person)))
}

/// The city's pages as a running gateway serves them: for people who sign in, with its troubles, health and metrics.
/// Serve it with the peer's address (`into_make_service_with_connect_info`), by which health and metrics know this machine.
pub fn router_of(office: Office, inside: Inside) -> Router {
    let accounts = Accounts::new(&inside, office.readers.clone(), office.data.data.clone());
    routes(office, Some(inside), Gate::Accounts(Arc::new(accounts)))
}

fn routes(office: Office, inside: Option<Inside>, gate: Gate) -> Router {
    let names: Arc<[String]> = inside.as_ref().map_or_else(|| Arc::from([]), |inside| inside.names.clone());
    let (streams, drawing) = (Arc::new(Semaphore::new(STREAMS)), Arc::new(Semaphore::new(crews::DRAWING)));
    let uploads = Arc::new(Semaphore::new(1));
    let web = Web { office, inside, gate, boards: Arc::default(), streams, drawing, uploads };
    let monitored = Router::new()
        .route("/health/live", get(metrics::live))
        .route("/health/ready", get(metrics::ready))
        .route("/metrics", get(metrics::metrics))
        .route_layer(axum::middleware::from_fn_with_state(web.clone(), gate::monitoring));
    let accounts = Router::new()
        .route("/signin", get(people::sign_in_page).post(people::sign_in))
        .route("/signin/openid", get(openid::begin))
        .route("/signin/openid/back", get(openid::back))
        .route("/signin/code", get(people::code_page).post(people::give_code))
        .route("/signout", post(people::sign_out))
        .route("/setup", get(people::set_up_page).post(people::set_up))
        .route("/account", get(people::account))
        .route("/account/password", get(people::password_page).post(people::change_password))
        .route("/account/second", get(people::second_page).post(people::set_second))
        .route("/account/others", post(people::end_others))
        .route("/people", get(people::list))
        .route("/people/add", post(people::add))
        .route("/people/block", post(people::block))
        .route("/people/unblock", post(people::unblock))
        .route("/people/reset", post(people::reset))
        .route("/people/role", post(people::role))
        .route("/audit", get(people::audit));
    let terminals = Router::new()
        .route("/terminals", get(terminals::list))
        .route("/terminals/add", post(terminals::add))
        .route("/terminals/{id}", get(terminals::one))
        .route("/terminals/{id}/record", post(terminals::record))
        .route("/terminals/{id}/code", post(terminals::code))
        .route("/terminals/{id}/void", post(terminals::void))
        .route("/terminals/{id}/block", get(terminals::ask_block).post(terminals::block))
        .route("/terminals/{id}/unblock", get(terminals::ask_unblock).post(terminals::unblock))
        .route("/terminals/{id}/lost", get(terminals::ask_lost).post(terminals::lost))
        .route("/terminals/{id}/exposure", get(exposure::page))
        .route("/terminals/{id}/exposure.csv", get(exposure::csv))
        .route("/handover", get(handing::form))
        .route("/handover/sheet", post(handing::sheet))
        .route("/handover/record", post(handing::record))
        .route("/crews", get(crews::list))
        .route("/crews/add", post(crews::add))
        .route("/crews/{id}/pin", post(crews::pin))
        .route("/crews/{id}/remove", get(crews::ask_remove).post(crews::remove))
        .route("/tokens", get(tokens::list))
        .route("/tokens/add", post(tokens::add))
        .route("/tokens/revoke", post(tokens::revoke));
    // Streamed to the disk, which counts what comes.
    let releases =
        Router::new().route("/api/releases", post(releases::push)).route_layer(DefaultBodyLimit::disable());
    let switchovers = Router::new()
        .route("/switchovers", get(switchovers::list))
        .route("/switchovers/draft", post(switchovers::draft))
        .route("/switchovers/{id}", get(switchovers::one))
        .route("/switchovers/{id}/readiness", get(switchovers::readiness))
        .route("/switchovers/{id}/readiness.csv", get(switchovers::csv))
        .route("/switchovers/{id}/{step}", get(switchovers::ask).post(switchovers::take));
    Router::new()
        .route("/", get(day))
        .route("/attention", get(attention))
        .route("/search", get(find))
        .route("/items", get(look_up))
        .route("/pickup/{uid}", get(one_pickup))
        .route("/aside", get(set_aside))
        .route("/aside/{id}", get(one_aside))
        .route("/events", get(events))
        .route("/api/export", get(api::export))
        .route("/api/configurations", get(releases::status))
        .merge(releases)
        .route("/assets/page.css", get(async || asset("text/css; charset=utf-8", page::CSS)))
        .route("/assets/page.js", get(async || asset("text/javascript; charset=utf-8", page::JS)))
        .route("/assets/icon.svg", get(async || asset("image/svg+xml", page::ICON)))
        .merge(accounts)
        .merge(terminals)
        .merge(switchovers)
        .merge(monitored)
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(gate::FORM_BYTES))
        .layer(axum::middleware::from_fn_with_state(names, guard::guard))
        .with_state(web)
}

/// There is no such page.
async fn nothing(web: State<Web>, extensions: Extensions, headers: HeaderMap, asked: Asked) -> Response {
    turned_away(&web, &extensions, &headers, &asked, Problem::NotFound).await
}

/// The page does not take this.
async fn not_so(web: State<Web>, extensions: Extensions, headers: HeaderMap, asked: Asked) -> Response {
    turned_away(&web, &extensions, &headers, &asked, Problem::Method).await
}

/// A problem of no page; whoever is signed in keeps the menu.
async fn turned_away(
    web: &Web,
    extensions: &Extensions,
    headers: &HeaderMap,
    asked: &Asked,
    problem: Problem,
) -> Response {
    let signed = web.asking(headers, extensions).await.ok().filter(|signed| signed.stage == Stage::In);
    web.answer(asked, signed.as_ref(), Err(problem))
}

/// A page before its frame.
struct Shown {
    title: String,
    tab: Tab,
    aside_open: u32,
    events: Option<String>,
    main: Markup,
}

impl Web {
    /// Where the gateway works, as commands on pages name it; for those alone who run it.
    fn shell(&self, signed: &Signed) -> Option<&Place> {
        signed.may(Action::ManagePeople).is_ok().then_some(&self.office.data)
    }

    /// What keeps the office from its work, for whoever looks at a page.
    fn troubles(&self, lang: Lang) -> Markup {
        page::troubles(lang, self.inside.as_ref().map(|inside| inside.health.report().checks))
    }

    /// A page for somebody; none is nobody, who gets a page without a menu.
    fn answer(&self, asked: &Asked, signed: Option<&Signed>, shown: Result<Shown, Problem>) -> Response {
        let lang = asked.lang;
        let (status, shown) = match shown {
            Ok(shown) => (axum::http::StatusCode::OK, shown),
            Err(problem) => {
                if matches!(problem, Problem::Forbidden | Problem::Form) {
                    // By number and the page's name, without what stands behind it.
                    let (person, page) = (signed.map(|signed| signed.person.id), asked.page_name());
                    tracing::warn!(
                        person,
                        page,
                        refused = problem.title(Lang::En),
                        "something is refused to somebody"
                    );
                }
                let (title, main) = (problem.title(lang).to_owned(), problem.page(lang));
                (problem.status(), Shown { title, tab: Tab::Other, aside_open: 0, events: None, main })
            }
        };
        let frame = Frame {
            lang,
            city: &self.office.city,
            address: &asked.address,
            title: shown.title,
            tab: shown.tab,
            aside_open: Some(shown.aside_open),
            events: shown.events,
            // How the gateway fares is nothing for whoever is not signed in.
            troubles: signed.map(|_| self.troubles(lang)).unwrap_or_default(),
            person: signed.map(|signed| &*signed.person),
            left: signed.is_some_and(|signed| signed.left),
        };
        let html = frame.around(&shown.main).into_string();
        let html = maud::PreEscaped(direction::without(&html).into_owned());
        let mut response = (status, html).into_response();
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        if asked.remember {
            let (name, secure) =
                if asked.secure { (text::SECURE_COOKIE, "; Secure") } else { (text::COOKIE, "") };
            let tag = lang.tag();
            let cookie = format!("{name}={tag}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly{secure}");
            headers.extend(HeaderValue::try_from(cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
        }
        response
    }
}

/// A page whose form could not be taken as it was, or one that could.
fn unprocessable_if(wrong: bool, mut response: Response) -> Response {
    if wrong {
        *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// An answer without a menu, for those who may see none of it.
fn refuse(problem: &Problem, lang: Lang) -> Response {
    if matches!(problem, Problem::Forbidden | Problem::Form) {
        tracing::warn!(refused = problem.title(Lang::En), "something is refused to somebody");
    }
    (problem.status(), page::bare(lang, problem.title(lang), &problem.page(lang))).into_response()
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    // Pages name assets by their content, so a copy never grows stale.
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, content).into_response()
}

async fn day(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    if signed.may(Action::ReadPickups).is_err() && signed.may(Action::ReadAudit).is_ok() {
        // Whoever reads who did what has no day to look at.
        return Redirect::to("/audit").into_response();
    }
    let shown = async {
        signed.may(Action::ReadPickups)?;
        asked.only(&["day", "by"])?;
        let (day, by) = (asked.day()?, asked.by()?);
        let board = web.board(day.unwrap_or_else(|| web.today()), signed.scope()).await?;
        web.note(&signed, What::ReadDay, serde_json::json!({ "day": board.date })).await?;
        let view = page::board::View {
            board: &board,
            city: &web.office.city,
            data: web.shell(&signed),
            lang: asked.lang,
            by,
            follows: day.is_none(),
        };
        let id = live::id(board.history, &web.all(asked.lang, view.sections()));
        let day = day.map(|day| day.to_string());
        let mut pairs = vec![("since", id.as_str()), ("by", by.word())];
        pairs.extend(day.as_deref().map(|day| ("day", day)));
        Ok(Shown {
            title: view.title(),
            tab: if board.is_today() { Tab::Today } else { Tab::Other },
            aside_open: board.aside_open,
            events: Some(stream_address(asked.lang, &pairs)),
            main: view.page(),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

/// The address of a page's stream, which speaks the page's language.
fn stream_address(lang: Lang, pairs: &[(&str, &str)]) -> String {
    Address::new("/events", pairs).with("lang", lang.tag())
}

async fn attention(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let shown = async {
        signed.may(Action::ReadPickups)?;
        asked.only(&["day", "page"])?;
        let (day, number) = (asked.day()?.unwrap_or_else(|| web.today()), asked.page()?);
        let (now, silence) = (web.office.clock.now(), web.office.silence_minutes);
        let scope = signed.scope();
        let read = move |conn: &rusqlite::Connection| {
            let skip = (number - 1).saturating_mul(EXCEPTIONS_PAGE);
            let lines = board::exceptions(conn, day, EXCEPTIONS_PAGE, skip, &scope)?;
            let more = board::count_exceptions(conn, day, &scope)? > number.saturating_mul(EXCEPTIONS_PAGE);
            Ok((Board::read(conn, day, now, silence, &scope)?, lines, more))
        };
        let (board, lines, more) = web.office.readers.with(read).await?;
        web.note(&signed, What::ReadDay, serde_json::json!({ "day": day, "attention": number })).await?;
        let view = page::board::View {
            board: &board,
            city: &web.office.city,
            data: web.shell(&signed),
            lang: asked.lang,
            by: By::Ward,
            follows: false,
        };
        let page = page::attention::AttentionPage {
            board: &board,
            lines: &lines,
            page: number,
            more,
            address: &asked.address,
        };
        Ok(Shown {
            title: asked.lang.say(text::Text::Attention).to_owned(),
            tab: Tab::Other,
            aside_open: board.aside_open,
            events: None,
            main: page.page(&view),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

async fn find(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let shown = async {
        signed.may(Action::ReadPickups)?;
        asked.only(&["q", "day"])?;
        let (number, day) = (asked.reception()?, asked.day()?);
        let wanted = number.clone();
        let scope = signed.scope();
        let read = move |conn: &rusqlite::Connection| search::read(conn, wanted.as_deref(), day, &scope);
        let found = web.office.readers.with(read).await?;
        if number.is_some() {
            // Which were seen is told by their ids; what was typed may be anything.
            let seen: Vec<_> = found.hits.iter().map(|hit| hit.uid).collect();
            web.note(&signed, What::ReadSearch, serde_json::json!({ "day": day, "pickups": seen })).await?;
        }
        Ok(Shown {
            title: asked.lang.say(text::Text::SearchTitle).to_owned(),
            tab: Tab::Search,
            aside_open: found.aside_open,
            events: None,
            main: page::search::page(asked.lang, &found, number.as_deref(), day, web.today()),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

async fn look_up(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let shown = async {
        signed.may(Action::ReadCatalogue)?;
        asked.only(&["q", "page"])?;
        let (text, number) = (asked.get("q").unwrap_or_default().trim().to_owned(), asked.page()?);
        if text.chars().count() > items::WORDS {
            return Err(Problem::bad("q", &text, text::Text::ErrorWords));
        }
        let (wanted, scope) = (text.clone(), signed.scope());
        let items = web.office.readers.with(move |conn| Items::read(conn, &wanted, number, &scope)).await?;
        let view = page::items::View {
            items: &items,
            text: &text,
            page: number,
            address: &asked.address,
            data: web.shell(&signed),
            lang: asked.lang,
        };
        Ok(Shown {
            title: asked.lang.say(text::Text::ItemsTitle).to_owned(),
            tab: Tab::Items,
            aside_open: items.aside_open,
            events: None,
            main: view.page(),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

async fn one_pickup(
    State(web): State<Web>,
    Path(uid): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let shown = async {
        signed.may(Action::ReadPickups)?;
        asked.only(&[])?;
        let uid: PickupId = uid.parse().map_err(|_| Problem::NotFound)?;
        let scope = signed.scope();
        let read = web.office.readers.with(move |conn| Pickup::read(conn, uid, &scope)).await?;
        let pickup = read.ok_or(Problem::NotFound)?;
        web.note(&signed, What::ReadPickup, serde_json::json!({ "pickup": uid })).await?;
        let view = page::pickup::View { pickup: &pickup, lang: asked.lang, today: web.today() };
        let id = live::id(pickup.history, &web.all(asked.lang, view.sections()));
        let pairs = [("since", id.as_str()), ("pickup", &uid.to_string())];
        Ok(Shown {
            title: view.title(),
            tab: Tab::Other,
            aside_open: pickup.aside_open,
            events: Some(stream_address(asked.lang, &pairs)),
            main: view.page(),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

async fn set_aside(State(web): State<Web>, signed: Signed, asked: Asked) -> Response {
    let shown = async {
        signed.may(Action::ReadAside)?;
        asked.only(&["page"])?;
        let number = asked.page()?;
        let scope = signed.scope();
        let read = move |conn: &rusqlite::Connection| {
            Ok((aside::read(conn, number, &scope)?, board::last_history(conn)?))
        };
        let (listed, history) = web.office.readers.with(read).await?;
        let seen: Vec<i64> = listed.rows.iter().map(|row| row.id).collect();
        web.note(&signed, What::ReadAside, serde_json::json!({ "asides": seen })).await?;
        let view = page::aside::View {
            listed: &listed,
            data: web.shell(&signed),
            lang: asked.lang,
            page: number,
            today: web.today(),
        };
        let id = live::id(history, &web.all(asked.lang, view.sections()));
        let pairs = [("since", id.as_str()), ("aside", &number.to_string())];
        Ok(Shown {
            title: asked.lang.say(text::Text::AsideTitle).to_owned(),
            tab: Tab::Aside,
            aside_open: listed.open,
            events: Some(stream_address(asked.lang, &pairs)),
            main: view.page(),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

async fn one_aside(State(web): State<Web>, Path(id): Path<String>, signed: Signed, asked: Asked) -> Response {
    let shown = async {
        signed.may(Action::ReadAside)?;
        asked.only(&[])?;
        let id: i64 = id.parse().map_err(|_| Problem::NotFound)?;
        let scope = signed.scope();
        let read = move |conn: &rusqlite::Connection| {
            Ok((aside::read_one(conn, id, &scope)?, board::aside_open(conn, &scope)?))
        };
        let (row, open) = web.office.readers.with(read).await?;
        let row = row.ok_or(Problem::NotFound)?;
        web.note(&signed, What::ReadAside, serde_json::json!({ "asides": [id] })).await?;
        Ok(Shown {
            title: asked.lang.fill(text::Text::AsideNumber, &[("id", &id)]),
            tab: Tab::Aside,
            aside_open: open.map_or(0, |(count, _)| count),
            events: None,
            main: page::aside::one(asked.lang, &row, web.today(), web.shell(&signed)),
        })
    };
    let shown = shown.await;
    web.answer(&asked, Some(&signed), shown)
}

/// The live stream of a page: `?pickup=` of a pickup, `?aside=` of what was set aside, else of a day.
/// `Last-Event-ID`, or `since=` where a browser can't send it, says what the client has seen.
async fn events(State(web): State<Web>, headers: HeaderMap, signed: Signed, asked: Asked) -> Response {
    let stream = async {
        asked.only(&["day", "by", "pickup", "aside", "since"])?;
        let page = if let Some(uid) = asked.get("pickup") {
            live::Page::Pickup(uid.parse().map_err(|_| Problem::bad("pickup", uid, text::Text::ErrorId))?)
        } else if let Some(page) = asked.get("aside") {
            match page.parse() {
                Ok(page @ 1..=1_000_000) => live::Page::Aside(page),
                _ => return Err(Problem::bad("aside", page, text::Text::ErrorPage)),
            }
        } else {
            live::Page::Board { day: asked.day()?, by: asked.by()? }
        };
        signed.may(if matches!(page, live::Page::Aside(_)) {
            Action::ReadAside
        } else {
            Action::ReadPickups
        })?;
        let about = match &page {
            live::Page::Board { day, .. } => serde_json::json!({ "day": day.unwrap_or_else(|| web.today()) }),
            live::Page::Pickup(uid) => serde_json::json!({ "pickup": uid }),
            live::Page::Aside(page) => serde_json::json!({ "aside_page": page }),
        };
        let own = match &web.gate {
            Gate::Accounts(accounts) => Some(accounts.stream_of(signed.person.id)?),
            Gate::As(_) => None,
        };
        let permit = (web.streams.clone().try_acquire_owned().map_err(|_| Problem::Busy)?, own);
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let since = last.or_else(|| asked.get("since")).map(ToOwned::to_owned);
        let stream = live::stream(web.clone(), signed.clone(), page, asked.lang, since, permit).await?;
        web.note(&signed, What::ReadStream, about).await?;
        Ok(stream)
    };
    match stream.await {
        Ok(stream) => stream.into_response(),
        Err(problem) => web.answer(&asked, Some(&signed), Err(problem)),
    }
}
