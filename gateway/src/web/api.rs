//! What other systems read, by a token of theirs.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Web;
use super::accounts::Reader;
use super::gate::{self, Gate};
use super::page::problem::Problem;
use super::request::Asked;
use super::text::Text;
use crate::audit::{Event, What, Who};
use crate::export::profile::{BUILT_IN, Profile};
use crate::export::{Cursor, Export, ExportError, export_in};
use crate::people::tokens::Opens;

/// Where the next export of the day begins.
const CURSOR: HeaderName = HeaderName::from_static("meguri-cursor");

/// `GET /api/export?day=2026-04-01[&since=CURSOR]`: what `meguri-gateway export` writes with its built-in profile. 422, with the
/// report as JSON, where the encoding can't hold a character; 409 where the cursor can't be gone by.
pub(super) async fn export(State(web): State<Web>, headers: HeaderMap, asked: Asked) -> Response {
    answer(&web, &headers, &asked).await.unwrap_or_else(|problem| gate::refuse(&problem))
}

async fn answer(web: &Web, headers: &HeaderMap, asked: &Asked) -> Result<Response, Problem> {
    let Gate::Accounts(accounts) = &web.gate else { return Err(Problem::Unauthorized) };
    let token = gate::system(web, headers, Opens::Export).await?;
    asked.only(&["day", "since"])?;
    let day = asked.day()?.ok_or_else(|| Problem::bad("day", "", Text::ErrorDate))?;
    let since = asked
        .get("since")
        .map(|text| text.parse::<Cursor>().map_err(|_| Problem::bad("since", text, Text::ErrorId)));
    let since = since.transpose()?;
    // Built in, and held by a test to read.
    let profile = Profile::parse(BUILT_IN).map_err(|_| Problem::Store)?;
    accounts.reads(Reader::Token(token.id))?;
    let scope = token.scope();
    let read = web.office.readers.with(move |conn| match export_in(conn, &profile, day, since, &scope) {
        Err(ExportError::Store(error)) => Err(error),
        done => Ok(done),
    });
    let exported = read.await?;
    accounts
        .note(Event::new(Who::Token(token.id), What::ReadExport, serde_json::json!({ "day": day })))
        .await?;
    Ok(match exported {
        Ok(Export { file: Some(bytes), report }) => {
            let kind = HeaderValue::from_static("text/csv; charset=utf-8");
            let name = HeaderValue::try_from(format!("attachment; filename=\"results-{day}.csv\""));
            let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
            response.headers_mut().extend(name.ok().map(|name| (header::CONTENT_DISPOSITION, name)));
            // A cursor is spelt in ASCII.
            response
                .headers_mut()
                .extend(HeaderValue::try_from(report.cursor).ok().map(|cursor| (CURSOR, cursor)));
            response
        }
        Ok(Export { file: None, report }) => {
            let headers = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::UNPROCESSABLE_ENTITY, headers, serde_json::json!(report).to_string()).into_response()
        }
        Err(error) => {
            let headers = [(header::CONTENT_TYPE, "application/json")];
            let text = serde_json::json!({ "error": error.to_string() }).to_string();
            (StatusCode::CONFLICT, headers, text).into_response()
        }
    })
}
