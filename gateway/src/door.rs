//! Terminals' door: where they enrol and renew their certificates, over HTTPS. Nothing of the pages is served here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use jiff::Timestamp;
use meguri_config::Clock;
use meguri_proto::enrol::{EnrolReply, EnrolRequest, RenewReply, RenewRequest};
use meguri_proto::{CityId, Digest, Message, TerminalId};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::audit::{Audit, Event, What, Who};
use crate::broker::Broker;
use crate::ca::Authority;
use crate::enrol::{self, Certified, EnrolError, Making, Refused};
use crate::schedules;
use crate::store::{Readers, StoreError};
use crate::terminals::{self, Line};
use crate::writer::Writer;

/// Requests of a kind that are looked at at a time.
const AT_A_TIME: usize = 16;
/// How long a renewal waits for its turn: many terminals start in the same minute of a morning.
const TURN: Duration = Duration::from_secs(10);
/// How long a refusal is held back, in its turn.
const HELD_BACK: Duration = Duration::from_millis(500);
/// How long a terminal's connection may take for its one request, over a bad line.
pub const LIFE: Duration = Duration::from_secs(60);
/// Largest request: a message of an enrolment.
const BODY_BYTES: usize = 64 * 1024;

/// What stands behind the door.
#[derive(Debug, Clone)]
pub struct Door {
    /// The one writer.
    pub writer: Writer,
    /// Reads beside it.
    pub readers: Readers,
    /// Who may come in is told to it.
    pub broker: Arc<Broker>,
    /// Where what is done is written down.
    pub audit: Audit,
    /// Makes certificates.
    pub authority: Arc<Authority>,
    /// Whom terminals are to believe as the office, as PEM.
    pub believed: Arc<str>,
    /// The SHA-256 of the certificate that this door shows.
    pub channel: Digest,
    /// The city.
    pub city: CityId,
    /// How terminals reach the office.
    pub reached: Reached,
    /// For how many days a certificate holds.
    pub days: u16,
    /// The office's time; certificates go by the machine's.
    pub clock: Clock,
}

/// How terminals reach the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Host name or address.
    pub host: String,
    /// The broker's host name or address.
    pub broker_host: String,
    /// The broker's port.
    pub broker: u16,
    /// This door's port.
    pub door: u16,
}

impl Reached {
    /// This door's address.
    #[must_use]
    pub fn office(&self) -> String {
        let host = &self.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("https://{host}:{}", self.door)
    }
}

#[derive(Debug, Clone)]
struct Desk {
    door: Door,
    enrolments: Arc<Semaphore>,
    renewals: Arc<Semaphore>,
}

/// The door's two addresses.
pub fn router(door: Door) -> Router {
    Router::new()
        .route("/enrol", post(take_code))
        .route("/renew", post(take_renewal))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(Desk {
            door,
            enrolments: Arc::new(Semaphore::new(AT_A_TIME)),
            renewals: Arc::new(Semaphore::new(AT_A_TIME)),
        })
}

/// Why a terminal gets no answer of the wire.
enum Problem {
    Refused(Refused),
    Malformed(String),
    Busy,
    Office,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a terminal's certificate could not be kept");
        Self::Office
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        tracing::error!(%error, "a terminal's certificate could not be made");
        Self::Office
    }
}

fn answer(given: Result<Vec<u8>, Problem>) -> Response {
    let (status, text) = match given {
        Ok(bytes) => {
            return (
                [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")],
                bytes,
            )
                .into_response();
        }
        Err(Problem::Refused(refused @ Refused::OtherTerminal(_))) => {
            (StatusCode::CONFLICT, refused.to_string())
        }
        Err(Problem::Refused(refused)) => (StatusCode::FORBIDDEN, refused.to_string()),
        Err(Problem::Malformed(problem)) => (StatusCode::BAD_REQUEST, problem),
        Err(Problem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "too many at once; try again".to_owned()),
        Err(Problem::Office) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the office can't do this now; try again later".to_owned())
        }
    };
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{text}\n")).into_response()
}

fn read<M: Message>(body: &[u8]) -> Result<M, Problem> {
    // What a parser says may quote what it found.
    M::decode(body).map_err(|_| Problem::Malformed(format!("no {} that this office can read", M::NAME)))
}

fn written<M: Message>(message: &M) -> Result<Vec<u8>, Problem> {
    message.encode().map_err(|error| {
        tracing::error!(%error, "an answer to a terminal could not be made");
        Problem::Office
    })
}

async fn take_code(State(desk): State<Desk>, body: Bytes) -> Response {
    // Nobody who only tries may have others wait.
    let Ok(_permit) = desk.enrolments.try_acquire() else { return answer(Err(Problem::Busy)) };
    answer(held_back(desk.enrol(&body)).await)
}

async fn take_renewal(State(desk): State<Desk>, body: Bytes) -> Response {
    let Ok(Ok(_permit)) = tokio::time::timeout(TURN, desk.renewals.acquire()).await else {
        return answer(Err(Problem::Busy));
    };
    answer(held_back(desk.renew(&body)).await)
}

/// A refusal is held back, in its turn: who tries codes tries few.
async fn held_back(work: impl Future<Output = Result<Vec<u8>, Problem>>) -> Result<Vec<u8>, Problem> {
    let done = work.await;
    if let Err(Problem::Refused(_)) = done {
        tokio::time::sleep(HELD_BACK).await;
    }
    done
}

impl Desk {
    async fn enrol(&self, body: &[u8]) -> Result<Vec<u8>, Problem> {
        let request: EnrolRequest = read(body)?;
        let (nonce, name) = (request.nonce, request.code.clone());
        let certified = self.certify(move |tx, making, channel| enrol::enrol(tx, making, &request, channel));
        let certified = certified.await.inspect_err(|problem| {
            if let Problem::Refused(refused) = problem {
                tracing::warn!(code = ?name, %refused, "a terminal's enrolment is refused");
            }
        })?;
        let Certified { terminal, pem, key } = certified;
        let Some(key) = key else { return Err(Problem::Office) };
        self.note(What::TerminalEnrolled, &terminal).await?;
        tracing::info!(%terminal, "the terminal enrolled");
        let asked = terminal.clone();
        let bound = self.door.readers.with(move |conn| terminals::bound(conn, &asked)).await?;
        let settings = terminals::settings(&self.door.city, &bound, &Line::Tls(self.door.reached.clone()));
        written(&EnrolReply::new(&key, nonce, pem, self.door.believed.to_string(), settings))
    }

    async fn renew(&self, body: &[u8]) -> Result<Vec<u8>, Problem> {
        let request: RenewRequest = read(body)?;
        let terminal = request.terminal.clone();
        let certified = self.certify(move |tx, making, channel| enrol::renew(tx, making, &request, channel));
        let certified = certified.await.inspect_err(|problem| {
            if let Problem::Refused(refused) = problem {
                tracing::warn!(%terminal, %refused, "a terminal's renewal is refused");
            }
        })?;
        self.note(What::TerminalRenewed, &certified.terminal).await?;
        tracing::info!(terminal = %certified.terminal, "the terminal's certificate is renewed");
        let authority = self.door.believed.to_string();
        written(&RenewReply { v: 1, certificate: certified.pem, authority })
    }

    /// Writes down what was done. Where that fails the terminal is told nothing, and asks again.
    async fn note(&self, what: What, terminal: &TerminalId) -> Result<(), Problem> {
        let about = serde_json::json!({ "terminal": terminal });
        self.door.audit.note(Event::new(Who::Gateway, what, about)).await.map_err(|error| {
            tracing::error!(%error, "what a terminal did could not be written down");
            Problem::Office
        })
    }

    /// Has a certificate made and kept, and the broker told of it before the terminal is.
    async fn certify<F>(&self, ask: F) -> Result<Certified, Problem>
    where
        F: FnOnce(
                &rusqlite::Connection,
                Making<'_>,
                &Digest,
            ) -> Result<Result<Certified, Refused>, EnrolError>
            + Send
            + 'static,
    {
        let Door { writer, readers, broker, authority, channel, days, clock, .. } = self.door.clone();
        // TLS goes by the machine's clock everywhere, in a rehearsal, too.
        let (now, random) = (Timestamp::now(), rand::random());
        let done = writer
            .run_job(move |tx, touched| {
                let certified = ask(tx, Making { authority: &authority, now, random, days }, &channel)?;
                if let Ok(Certified { terminal, key, .. }) = &certified {
                    touched.presence = true;
                    // Whoever drew a code for a blocked terminal wants it in again.
                    if key.is_some() {
                        let now = clock.now();
                        terminals::block(tx, touched, now, terminal, false)?;
                        schedules::enrolled(tx, touched, terminal, now)?;
                    }
                }
                Ok::<_, EnrolError>(certified)
            })
            .await??;
        let certified = done.map_err(Problem::Refused)?;
        broker.admit_by(readers.with(terminals::credentials)).await?;
        Ok(certified)
    }
}
