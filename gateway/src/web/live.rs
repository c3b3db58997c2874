//! Pages that update by themselves: a stream of the sections that changed (server-sent events).
//!
//! What a stream sends is the state, not the steps to it, so a client that was away, or is slow, misses
//! nothing: it gets the newest. An event's id is the last history row it includes and a mark of all
//! sections; a client that comes back with it gets what differs, and nothing where nothing does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use jiff::civil::Date;
use meguri_proto::{Digest, PickupId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::board::Board;
use super::gate::Signed;
use super::page::problem::Problem;
use super::page::{self, Sections};
use super::pickup::Pickup;
use super::request::By;
use super::text::Lang;
use super::{Web, aside};
use crate::direction;
use crate::people::Scope;

/// The least time between two events of one stream: what a person sees as at once.
const LEAST_GAP: Duration = Duration::from_millis(20);
/// The most; then a page lags behind, but the office still takes facts.
const MOST_GAP: Duration = Duration::from_millis(1_000);
/// How often a page is looked at without any change: its time, and who has fallen silent.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// How often a silent stream says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// How many days are kept read for streams.
const BOARDS_KEPT: usize = 16;

/// Which page a stream is of.
#[derive(Debug, Clone)]
pub(super) enum Page {
    /// A day; none follows today.
    Board {
        /// The day.
        day: Option<Date>,
        /// How it is sorted.
        by: By,
    },
    /// A pickup.
    Pickup(PickupId),
    /// What was set aside.
    Aside(u32),
}

/// A page's sections at one moment.
struct Moment {
    history: i64,
    sections: Sections,
}

impl Moment {
    /// What an event is known by.
    fn id(&self) -> String {
        id(self.history, &self.sections)
    }
}

/// The id of an event after which a page shows these sections.
pub(super) fn id(history: i64, sections: &Sections) -> String {
    let mut all = String::new();
    for (name, html) in sections {
        all.push_str(name);
        all.push('\0');
        all.push_str(html);
        all.push('\0');
    }
    let mark: String = Digest::of(all.as_bytes()).to_string().chars().take(16).collect();
    format!("{history}-{mark}")
}

/// Days that several streams look at, read once for all of them.
#[derive(Debug, Default)]
pub(super) struct Boards {
    days: Mutex<HashMap<(Date, Scope), Arc<Slot>>>,
}

type Slot = Mutex<Option<(Instant, Arc<Board>)>>;

impl Boards {
    /// The day, read at `not_before` or later.
    async fn get(
        &self,
        web: &Web,
        date: Date,
        scope: Scope,
        not_before: Instant,
    ) -> Result<Arc<Board>, Problem> {
        let slot = {
            let mut days = self.days.lock().await;
            let key = (date, scope.clone());
            if days.len() >= BOARDS_KEPT && !days.contains_key(&key) {
                // Those in use are held elsewhere, too.
                days.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            days.entry(key).or_default().clone()
        };
        let mut slot = slot.lock().await;
        if let Some((read_at, board)) = &*slot
            && *read_at >= not_before
        {
            return Ok(board.clone());
        }
        let read_at = Instant::now();
        let board = Arc::new(web.board(date, scope).await?);
        *slot = Some((read_at, board.clone()));
        Ok(board)
    }
}

/// Starts a stream of a page for a client that has seen everything up to the event `since`.
///
/// # Errors
/// When the page can't be shown.
pub(super) async fn stream(
    web: Web,
    signed: Signed,
    page: Page,
    lang: Lang,
    since: Option<String>,
    permit: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // Subscribed before the first look, so that nothing falls between.
    let changes = web.office.changes.subscribe();
    let first = look(&web, &page, &signed, lang, Instant::now()).await?;
    // One event waits for a slow client; newer states wait in the store.
    let (sender, receiver) = mpsc::channel(1);
    let follower = Follower { web, signed, page, lang, changes, sender };
    tokio::spawn(async move {
        let _permit = permit;
        follower.follow(first, since).await;
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Follower {
    web: Web,
    signed: Signed,
    page: Page,
    lang: Lang,
    changes: tokio::sync::broadcast::Receiver<crate::changes::Change>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
}

impl Follower {
    async fn follow(mut self, first: Moment, since: Option<String>) {
        let changes = self.web.office.changes.clone();
        let stopping = changes.stopping();
        tokio::pin!(stopping);
        let mut seen = if since.is_some_and(|since| since == first.id()) {
            first.sections.clone()
        } else {
            Sections::new()
        };
        let (mut next, mut took) = (Some(first), Duration::ZERO);
        loop {
            if let Some(moment) = next.take()
                && let Some(event) = difference(&seen, &moment)
            {
                tokio::select! {
                    sent = self.sender.send(Ok(event)) => if sent.is_err() { return },
                    () = &mut stopping => return,
                }
                seen = moment.sections;
            }
            let gap = tokio::time::sleep(self.gap(took));
            let told = tokio::select! {
                told = self.changes.recv() => told,
                () = tokio::time::sleep(LOOK_AGAIN) => Ok(crate::changes::Change::Terminal),
                () = self.sender.closed() => return,
                () = &mut stopping => return,
            };
            if matches!(told, Err(RecvError::Closed)) {
                return;
            }
            tokio::select! {
                () = gap => {}
                () = &mut stopping => return,
            }
            // Whatever came meanwhile is in the store, which is looked at after this.
            self.changes = self.changes.resubscribe();
            let looked = Instant::now();
            // Whoever signed out, was blocked or was away for too long is shown nothing more; the page asks anew and is told.
            if !self.web.holds(&self.signed).await {
                return;
            }
            next = match look(&self.web, &self.page, &self.signed, self.lang, Instant::now()).await {
                Ok(moment) => Some(moment),
                // The page is gone; the browser comes back and is told so.
                Err(Problem::NotFound) => return,
                // Told in the log; the next change tries again.
                Err(_) => None,
            };
            took = looked.elapsed();
        }
    }
}

impl Follower {
    /// How long to wait after a look that took so long: all streams together look for about half of the time, so that
    /// many watchers of a large day slow each other and not the office.
    fn gap(&self, took: Duration) -> Duration {
        let streams = super::STREAMS.saturating_sub(self.web.streams.available_permits());
        let streams = u32::try_from(streams).unwrap_or(u32::MAX).max(1);
        took.saturating_mul(streams).clamp(LEAST_GAP, MOST_GAP)
    }
}

/// What a client must change to see `moment`; none for nothing.
fn difference(seen: &Sections, moment: &Moment) -> Option<Event> {
    let changed: Sections = moment
        .sections
        .iter()
        .filter(|(name, html)| seen.get(*name) != Some(html))
        .map(|(name, html)| (*name, direction::without(html).into_owned()))
        .collect();
    if changed.is_empty() {
        return None;
    }
    // JSON holds no line break, so the data is one line.
    let data = serde_json::json!({ "history": moment.history, "sections": changed }).to_string();
    Some(Event::default().event("sections").id(moment.id()).retry(RETRY).data(data))
}

async fn look(
    web: &Web,
    page: &Page,
    signed: &Signed,
    lang: Lang,
    not_before: Instant,
) -> Result<Moment, Problem> {
    let Moment { history, sections } = look_at(web, page, signed, lang, not_before).await?;
    Ok(Moment { history, sections: web.all(lang, sections) })
}

async fn look_at(
    web: &Web,
    page: &Page,
    signed: &Signed,
    lang: Lang,
    not_before: Instant,
) -> Result<Moment, Problem> {
    let (today, scope) = (web.today(), signed.scope());
    match page {
        Page::Board { day, by } => {
            let board = web.boards.get(web, day.unwrap_or(today), scope, not_before).await?;
            let (city, data) = (&web.office.city, web.shell(signed));
            let view = page::board::View { board: &board, city, data, lang, by: *by, follows: day.is_none() };
            Ok(Moment { history: board.history, sections: view.sections() })
        }
        Page::Pickup(uid) => {
            let uid = *uid;
            let read = web.office.readers.with(move |conn| Pickup::read(conn, uid, &scope)).await?;
            let pickup = read.ok_or(Problem::NotFound)?;
            let view = page::pickup::View { pickup: &pickup, lang, today };
            Ok(Moment { history: pickup.history, sections: view.sections() })
        }
        Page::Aside(page) => {
            let page = *page;
            let read = move |conn: &rusqlite::Connection| {
                Ok((aside::read(conn, page, &scope)?, super::board::last_history(conn)?))
            };
            let (listed, history) = web.office.readers.with(read).await?;
            let view = page::aside::View { listed: &listed, data: web.shell(signed), lang, page, today };
            Ok(Moment { history, sections: view.sections() })
        }
    }
}

impl Web {
    /// A page's sections, and the troubles that every page shows.
    pub(super) fn all(&self, lang: Lang, mut sections: Sections) -> Sections {
        if self.inside.is_some() {
            sections.insert("troubles", self.troubles(lang).into_string());
        }
        sections
    }

    /// Reads a day.
    pub(super) async fn board(&self, date: Date, scope: Scope) -> Result<Board, Problem> {
        let (now, silence) = (self.office.clock.now(), self.office.silence_minutes);
        Ok(self.office.readers.with(move |conn| Board::read(conn, date, now, silence, &scope)).await?)
    }

    /// The business date.
    pub(super) fn today(&self) -> Date {
        meguri_proto::clock::business_date(self.office.clock.now())
    }
}
