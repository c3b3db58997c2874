//! The page on which it is looked up whose data a terminal held, and the same as a file. That it was looked up is on the disk
//! before anything is read.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use jiff::civil::Date;
use meguri_config::terminal::{LIST_DAYS_MOST, Retention};

use super::Web;
use super::fleet::One;
use super::format;
use super::gate::Signed;
use super::page::exposure as page;
use super::page::problem::Problem;
use super::request::Asked;
use super::terminals::{framed, named_in, or_frame};
use super::text::Text;
use crate::exposure::{self, Days, Exposure};
use crate::ops::Request;
use crate::people::Action;

/// How many stand on a page.
pub(super) const PAGE: u32 = 100;

/// What is asked for: the days, and whether they were given.
fn days(asked: &Asked, one: &One, today: Date) -> Result<(Days, bool), Problem> {
    let day = |at: Option<jiff::Timestamp>| at.map(|at| format::in_japan(at).date());
    let given = (asked.date("from")?, asked.date("to")?);
    let from = given.0.or(day(one.terminal.lost)).unwrap_or(today);
    let to = given.1.or(day(one.terminal.erased)).unwrap_or_else(|| today.max(from));
    if to < from {
        return Err(Problem::bad("to", &to.to_string(), Text::ErrorDays));
    }
    let kept = match asked.get("kept") {
        None => Retention::default().list_days,
        Some(text) => match text.parse() {
            Ok(days) if days <= LIST_DAYS_MOST => days,
            _ => return Err(Problem::bad("kept", text, Text::ErrorKept)),
        },
    };
    Ok((Days { from, to, kept }, given != (None, None)))
}

impl Web {
    /// A terminal, for whoever may know whose data it held.
    async fn exposed(&self, signed: &Signed, id: &str) -> Result<One, Problem> {
        self.inside()?;
        signed.may(Action::ReadExposure)?;
        self.terminal(signed, &named_in(id)?).await
    }

    /// Writes down that it is looked up, and only then looks.
    async fn expose(&self, signed: &Signed, one: &One, days: Days) -> Result<Exposure, Problem> {
        let terminal = one.terminal.id.clone();
        let request = Request::Exposure { terminal: terminal.clone(), from: days.from, to: days.to };
        self.ordered(signed, request).await??;
        let read = self.office.readers.with(move |conn| exposure::look_up(conn, &terminal, days)).await?;
        read.ok_or(Problem::NotFound)
    }
}

pub(super) async fn page(
    State(web): State<Web>,
    Path(id): Path<String>,
    signed: Signed,
    asked: Asked,
) -> Response {
    let done = async {
        asked.only(&["from", "to", "kept", "page"])?;
        let one = web.exposed(&signed, &id).await?;
        let ((days, given), number) = (days(&asked, &one, web.today())?, asked.page()?);
        let found = if given { Some(web.expose(&signed, &one, days).await?) } else { None };
        let view = page::View {
            lang: asked.lang,
            one: &one,
            days,
            found: found.as_ref(),
            page: number,
            address: &asked.address,
            today: web.today(),
        };
        let title = asked.lang.fill(Text::ExposureTitle, &[("terminal", &one.terminal.id)]);
        Ok(framed(&web, &asked, &signed, (title, one.aside_open), view.page()))
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
        asked.only(&["from", "to", "kept"])?;
        let one = web.exposed(&signed, &id).await?;
        let (days, _) = days(&asked, &one, web.today())?;
        let bytes = web.expose(&signed, &one, days).await?.csv().map_err(|_| Problem::Store)?;
        // Ids and days are spelt in ASCII.
        let name =
            format!("attachment; filename=\"exposure-{}-{}-{}.csv\"", one.terminal.id, days.from, days.to);
        let name = HeaderValue::try_from(name).map_err(|_| Problem::Store)?;
        let kind = HeaderValue::from_static("text/csv; charset=utf-8");
        Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
    };
    let done = done.await;
    or_frame(&web, &asked, &signed, done)
}
