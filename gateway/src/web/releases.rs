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
use uuid::Uuid;

use super::Web;
use super::accounts::Reader;
use super::gate::{self, Gate};
use super::page::problem::Problem;
use super::request::Asked;
use crate::audit::Who;
use crate::ops::OpError;
use crate::people::tokens::Opens;
use crate::room::free_bytes;
use crate::switchover;

/// Longest release: 10,000 terminals have some 50 MB.
pub(super) const RELEASE_BYTES: u64 = 128 * 1024 * 1024;
/// How long the next piece of one is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all of one is waited for: its line ends then without an answer.
const ALL: Duration = super::ANSWERED;
/// What the names of those begin and end with that come, in the data folder, until they are taken.
const INCOMING: (&str, &str) = ("incoming-", ".release");
/// Room that is left on the disk beside one that comes: it is written to the store as well, by way of its log.
const TIMES: u64 = 3;
const RESERVE: u64 = 64 * 1024 * 1024;

/// `POST /api/releases`: a release file as the body. 200 with what came of it; 422 with the reason, file and line where it is not
/// taken, and then nothing of it counts.
pub(super) async fn push(State(web): State<Web>, headers: HeaderMap, body: Body) -> Response {
    pushed(&web, &headers, body).await.unwrap_or_else(|problem| gate::refuse(&problem))
}

async fn pushed(web: &Web, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let (Gate::Accounts(accounts), Some(inside)) = (&web.gate, web.inside.clone()) else {
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
    let one = web.uploads.clone().try_acquire_owned().map_err(|_| Problem::Busy)?;
    let folder = web.office.data.data.clone();
    // By itself: where whoever sent it goes away, the next one waits until this one is done with.
    let work = tokio::spawn(async move {
        let _one = one;
        clear(&folder).await;
        room(&folder, said.unwrap_or(RELEASE_BYTES))?;
        let path = folder.join(format!("{}{}{}", INCOMING.0, Uuid::new_v4().simple(), INCOMING.1));
        let taken = match timeout(ALL, keep(body, &path)).await {
            Ok(Ok(())) => Ok(inside.desk.take_release(path.clone(), Who::Token(token.id)).await),
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err(Problem::Form),
        };
        remove(&path).await;
        Ok::<_, Problem>((path, taken?))
    });
    let (path, taken) = work.await.map_err(|_| Problem::Store)??;
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
    options.write(true).create_new(true).mode(0o600);
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

/// Removes what a gateway that was killed left: only one comes at a time.
async fn clear(folder: &Path) {
    let Ok(mut all) = tokio::fs::read_dir(folder).await else { return };
    while let Ok(Some(one)) = all.next_entry().await {
        let name = one.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(INCOMING.0) && name.ends_with(INCOMING.1)) {
            remove(&one.path()).await;
        }
    }
}

/// Whether there is room for so many bytes.
fn room(folder: &Path, bytes: u64) -> Result<(), Problem> {
    let needed = bytes.saturating_mul(TIMES).saturating_add(RESERVE);
    match free_bytes(folder) {
        Ok(free) if free < needed => {
            tracing::error!(needed, free, "there is no room for a release that comes; make some");
            Err(Problem::Store)
        }
        // Where the system does not say it, writing will.
        _ => Ok(()),
    }
}

async fn remove(path: &Path) {
    // Where it stays it is removed before the next one.
    if let Err(error) = tokio::fs::remove_file(path).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
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
