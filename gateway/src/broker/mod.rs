//! The broker between terminals and office: the embedded one, or one that somebody else runs.
//!
//! The office talks to both through the same link ([`crate::link`]); this seam says where the broker
//! is, with which login, and tells the embedded one who may come in.

mod embedded;

use std::net::SocketAddr;

use meguri_proto::TerminalId;

pub use embedded::{Embedded, EmbeddedError};

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

/// Who may come in as a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The terminal: its user name and client id.
    pub terminal: TerminalId,
    /// SHA-256 of its secret.
    pub secret_sha256: [u8; 32],
    /// Whether it is kept out.
    pub blocked: bool,
}

/// The broker in use.
#[derive(Debug)]
pub enum Broker {
    /// One inside this process.
    Embedded(Embedded),
    /// One that somebody else runs; its access rules are theirs to keep.
    External(Login),
}

impl Broker {
    /// Where the office connects.
    #[must_use]
    pub fn login(&self) -> Login {
        match self {
            Self::Embedded(embedded) => embedded.login(),
            Self::External(login) => login.clone(),
        }
    }

    /// Where terminals connect, as far as this process listens for them.
    #[must_use]
    pub fn listens(&self) -> Option<SocketAddr> {
        match self {
            Self::Embedded(embedded) => Some(embedded.address()),
            Self::External(_) => None,
        }
    }

    /// Says anew who may come in; whoever may not any more is cut off at once.
    pub async fn admit(&self, credentials: Vec<Credential>) {
        match self {
            Self::Embedded(embedded) => embedded.admit(credentials).await,
            Self::External(_) => {}
        }
    }

    /// Takes no more connections.
    pub fn stop(&self) {
        match self {
            Self::Embedded(embedded) => embedded.stop(),
            Self::External(_) => {}
        }
    }
}
