//! What other systems do about terminals' configurations, by a token of theirs: bring releases, and see how far they are. What is brought
//! is offered to no terminal before people have drafted, checked and approved it.

use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::Web;
use super::accounts::Reader;
use super::gate::{self, Gate};
use super::page::problem::Problem;
use super::request::Asked;
use crate::audit::Who;
use crate::ops::OpError;
use crate::people::tokens::Opens;
use crate::switchover;

/// Longest release: 10,000 terminals have some 50 MB.
pub(super) const RELEASE_BYTES: u64 = 128 * 1024 * 1024;
/// How long the next piece of one is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where one that comes is written to, in the data folder, until it is taken.
const INCOMING: &str = "incoming.release";

/// `POST /api/releases`: a release file as the body. 200 with what came of it; 422 with the reason, file and line where it is not
/// taken, and then nothing of it counts.
pub(super) async fn push(State(web): State<Web>, headers: HeaderMap, body: Body) -> Response {
    pushed(&web, &headers, body).await.unwrap_or_else(|problem| gate::refuse(&problem))
}

async fn pushed(web: &Web, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let (Gate::Accounts(accounts), Some(inside)) = (&web.gate, &web.inside) else {
        return Err(Problem::Unauthorized);
    };
    // Before anything of the body is read.
    let token = gate::system(web, headers, Opens::Configurations).await?;
    if token.contractor.is_some() {
        return Err(Problem::Forbidden);
    }
    accounts.reads(Reader::Token(token.id))?;
    let said = headers.get(header::CONTENT_LENGTH).and_then(|said| said.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > RELEASE_BYTES) {
        return Err(Problem::TooLarge);
    }
    let _one = web.uploads.try_acquire().map_err(|_| Problem::Busy)?;
    let path = web.office.data.data.join(INCOMING);
    let written = keep(body, &path).await;
    let taken = match written {
        Ok(()) => inside.desk.take_release(path.clone(), Who::Token(token.id)).await,
        Err(problem) => {
            remove(&path).await;
            return Err(problem);
        }
    };
    remove(&path).await;
    let json = |status, value: serde_json::Value| {
        (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
    };
    Ok(match taken? {
        Ok(taken) => json(StatusCode::OK, serde_json::json!(taken)),
        Err(OpError::Release(error)) if error.is_of_the_file() => {
            // The file's name here is nobody's business: it is the line that counts.
            let error = meguri_config::told(&error).replace(&format!("{}, ", path.display()), "");
            json(StatusCode::UNPROCESSABLE_ENTITY, serde_json::json!({ "error": error }))
        }
        Err(error) => {
            tracing::error!(%error, "a release could not be taken");
            return Err(Problem::Store);
        }
    })
}

/// Writes what comes to the disk, at most so much of it.
async fn keep(mut body: Body, path: &Path) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        tracing::error!(%error, "a release that comes can't be written");
        Problem::Store
    };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).await.map_err(failed)?;
    let mut bytes = 0;
    // Whoever sent it may have gone, or hold the line: nobody else can bring one meanwhile.
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| Problem::Form)? {
        let Ok(data) = frame.map_err(|_| Problem::Form)?.into_data() else { continue };
        bytes += data.len() as u64;
        if bytes > RELEASE_BYTES {
            return Err(Problem::TooLarge);
        }
        file.write_all(&data).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

async fn remove(path: &Path) {
    // Where it stays it is written over by the next one.
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(%error, "a release that came could not be removed");
    }
}

/// `GET /api/configurations`: key sets, releases, switchovers, and how far each terminal is.
pub(super) async fn status(State(web): State<Web>, headers: HeaderMap, asked: Asked) -> Response {
    said(&web, &headers, &asked).await.unwrap_or_else(|problem| gate::refuse(&problem))
}

async fn said(web: &Web, headers: &HeaderMap, asked: &Asked) -> Result<Response, Problem> {
    let Gate::Accounts(accounts) = &web.gate else { return Err(Problem::Unauthorized) };
    let token = gate::system(web, headers, Opens::Configurations).await?;
    asked.only(&[])?;
    accounts.reads(Reader::Token(token.id))?;
    let (scope, now) = (token.scope(), web.office.clock.now());
    let read = move |conn: &rusqlite::Connection| switchover::status::read(conn, &scope, now);
    let status = web.office.readers.with(read).await?;
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, format!("{}\n", serde_json::json!(status))).into_response())
}
