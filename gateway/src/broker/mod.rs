//! The broker between terminals and office: the embedded one, or one that somebody else runs.
//!
//! The office talks to both through the same link ([`crate::link`]); this seam says where the broker
//! is, with which login, and tells the embedded one who may come in.

mod dynamic;
mod embedded;
mod roster;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use meguri_proto::TerminalId;
use rumqttc::v5::{ConnectionError, MqttOptions, StateError};
use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;
use tokio::sync::mpsc;

pub use dynamic::Dynamic;
pub use embedded::{Embedded, EmbeddedError};
pub use roster::Keeping;

use crate::ca::Files;

/// Where a broker is and how the office logs in.
#[derive(Clone)]
pub struct Login {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name; also the start of the client id.
    pub user: String,
    /// Password.
    pub password: String,
    /// TLS by which the broker is believed; none on this machine.
    pub tls: Option<Arc<ClientConfig>>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, user, .. } = self;
        f.debug_struct("Login")
            .field("host", host)
            .field("port", port)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Host and port, as addresses are written.
    #[must_use]
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// How a client of this name logs in.
    #[must_use]
    pub fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, self.host.clone(), self.port);
        options.set_credentials(self.user.clone(), self.password.clone()).set_clean_start(true);
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
        }
        options
    }
}

/// Why there is no line, in words without anything that was said on it: what the client says of its requests may hold payloads.
#[must_use]
pub fn problem(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Io(error) | ConnectionError::MqttState(StateError::Io(error)) => error.to_string(),
        ConnectionError::Tls(error) => error.to_string(),
        ConnectionError::Timeout(_) => "no answer in time".to_owned(),
        ConnectionError::ConnectionRefused(reason) => format!("refused: {reason:?}"),
        ConnectionError::MqttState(StateError::AwaitPingResp) => "no answer to a ping".to_owned(),
        ConnectionError::MqttState(StateError::ConnectionAborted) => "closed by the broker".to_owned(),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            format!("disconnected by the broker: {reason_code:?}")
        }
        ConnectionError::MqttState(_) => "the broker broke the protocol".to_owned(),
        _ => "the connection ended".to_owned(),
    }
}

/// Who may come in as a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The terminal: its user name and client id.
    pub terminal: TerminalId,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
    /// Its certificates that hold.
    pub certificates: Vec<Certificate>,
    /// Whether it is kept out.
    pub blocked: bool,
}

/// A terminal's certificate, as the broker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Itself, as PEM.
    pub pem: Arc<str>,
    /// Whether the terminal has come in by it.
    pub connected: bool,
}

/// A certificate came in that had not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The terminal.
    pub terminal: TerminalId,
    /// The certificate's serial number.
    pub serial: String,
}

/// By what the embedded broker shows itself and knows terminals.
#[derive(Debug, Clone, Default)]
pub struct Guarding {
    /// The office's certificate and key.
    pub files: Files,
    /// The authority that vouches for terminals, as a file of PEM.
    pub authority: PathBuf,
    /// Told of certificates that come in for the first time.
    pub seen: Option<mpsc::UnboundedSender<Seen>>,
}

/// Readings of who may come in, one after the other: what was read first must not be said last. Many may ask at once, as when
/// terminals renew: whoever waits while a reading begins that began after they asked, needs none of their own.
#[derive(Debug, Default)]
struct Turns {
    asked: AtomicU64,
    /// Up to which asking was read.
    read: tokio::sync::Mutex<u64>,
}

/// The turn to read.
struct Turn<'a> {
    read: tokio::sync::MutexGuard<'a, u64>,
    asked: u64,
}

impl Turns {
    /// Waits for the turn to read; none where another reading has done it.
    async fn turn(&self) -> Option<Turn<'_>> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let read = self.read.lock().await;
        (*read < mine).then(|| Turn { read, asked: self.asked.load(Ordering::SeqCst) })
    }
}

impl Turn<'_> {
    /// What was read is said.
    fn done(mut self) {
        *self.read = self.asked;
    }
}

/// How far a broker has what was said last of who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InStep {
    /// Whoever may not any more is out.
    pub out: bool,
    /// So it is, and whoever may come in is let in.
    pub all: bool,
}

impl InStep {
    /// It has all of it, or there is nothing that it would be told.
    pub const DONE: Self = Self { out: true, all: true };
}

/// The broker in use.
#[derive(Debug)]
pub enum Broker {
    /// One inside this process.
    Embedded(Embedded),
    /// One that somebody else runs; its access rules are theirs to keep, but where it has dynamic security.
    External(Login, Option<Dynamic>),
}

impl Broker {
    /// Where the office connects.
    #[must_use]
    pub fn login(&self) -> Login {
        match self {
            Self::Embedded(embedded) => embedded.login(),
            Self::External(login, _) => login.clone(),
        }
    }

    /// Where terminals connect, as far as this process listens for them.
    #[must_use]
    pub fn listens(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(embedded) => Some(embedded.address()),
            Self::External(..) => None,
        }
    }

    /// Reads anew, by `read`, who may come in; whoever may not any more is cut off at once, or where another broker with
    /// dynamic security can be reached, within seconds. Says how far the broker has it then.
    ///
    /// # Errors
    /// As `read`.
    pub async fn admit_by<E>(
        &self,
        read: impl Future<Output = Result<Vec<Credential>, E>>,
    ) -> Result<InStep, E> {
        match self {
            Self::Embedded(embedded) => embedded.admit_by(read).await.map(|()| InStep::DONE),
            Self::External(_, Some(dynamic)) => dynamic.admit_by(read).await,
            Self::External(_, None) => Ok(InStep::DONE),
        }
    }

    /// Takes no more connections.
    pub fn stop(&self) {
        match self {
            Self::Embedded(embedded) => embedded.stop(),
            Self::External(..) => {}
        }
    }
}
