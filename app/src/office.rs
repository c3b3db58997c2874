//! The office over TLS: whom to believe as the office, and requests to its door.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use meguri_proto::Digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one step of a request may take: over a bad line some seconds.
const STEP: Duration = Duration::from_secs(15);
/// Largest answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// The time by which certificates are judged where they fail by the device's clock: a dead battery shows 2015.
#[derive(Debug, Clone, Default)]
pub struct Dates {
    /// Seconds since 1970 that are surely over, as far as this terminal knows.
    known: Arc<AtomicI64>,
    least: i64,
}

impl Dates {
    /// Notes the time of which the terminal is sure.
    pub fn believe(&self, now: Timestamp) {
        self.known.store(now.as_second(), Ordering::Relaxed);
    }

    /// The same, and never before this.
    #[must_use]
    pub fn at_least(&self, least: Timestamp) -> Self {
        Self { known: Arc::clone(&self.known), least: least.as_second() }
    }

    fn instead(&self) -> Duration {
        let seconds = self.known.load(Ordering::Relaxed).max(self.least);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    }
}

/// From when a certificate is valid; the beginning of time where it can't be read.
fn begins(certificate: &CertificateDer<'_>) -> Duration {
    let read = x509_parser::parse_x509_certificate(certificate);
    let from = read.map_or(0, |(_, read)| read.validity().not_before.timestamp());
    Duration::from_secs(u64::try_from(from).unwrap_or(0))
}

/// TLS that believes whoever one of these authorities vouches for.
///
/// # Errors
/// When none of them can be used, or the own certificate can't.
pub(crate) fn believing(
    authorities: &[CertificateDer<'static>],
    dates: &Dates,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone())?;
    }
    let provider = Arc::new(ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    config(Arc::new(Dated { inner, dates: dates.clone() }), provider, own)
}

/// TLS with whoever answers, as the terminal knows nobody yet: what it says is worth nothing but by the code.
///
/// # Errors
/// When TLS can't be set up.
pub fn with_anybody() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    config(Arc::new(Anybody(Arc::clone(&provider))), provider, None)
}

fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(Arc::new(match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    }))
}

/// Judges as the library does; where a certificate fails on its dates alone, again at the time that is believed.
#[derive(Debug)]
struct Dated {
    inner: Arc<WebPkiServerVerifier>,
    dates: Dates,
}

impl ServerCertVerifier for Dated {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        let verify =
            |now| self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let by_dates = |error: &Error| {
            matches!(
                error,
                Error::InvalidCertificate(
                    Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }
                )
            )
        };
        match verify(now) {
            Err(error) if by_dates(&error) => {
                // Nobody vouches for a certificate before its time: one that is not valid yet shows that it is later than
                // this terminal knows.
                verify(UnixTime::since_unix_epoch(self.dates.instead().max(begins(end_entity))))
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate. That the other side has its key is checked: what is sealed over the certificate is meant for it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Why the office gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The address is none.
    #[error("{0:?} is no address of an office; expected https://host:port")]
    Address(String),
    /// It can't be reached.
    #[error(
        "the office at {address} can't be reached: {problem}; is there coverage, and is the address right?"
    )]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What happened.
        problem: String,
    },
    /// It refused.
    #[error("the office refuses: {0}")]
    Refused(String),
    /// It knows the code as another terminal's, this one.
    #[error("the code is of terminal {0}")]
    Conflict(String),
    /// It can't answer now.
    #[error("the office can't answer now (status {status}): {text}")]
    Failed {
        /// The status of its answer.
        status: u16,
        /// What it said.
        text: String,
    },
}

/// Sends a request to the office's door. `body` is made for the SHA-256 of the certificate that the office shows.
///
/// # Errors
/// When the office can't be reached or refuses.
pub(crate) async fn post(
    office: &str,
    path: &str,
    tls: Arc<ClientConfig>,
    body: impl FnOnce(&Digest) -> Vec<u8>,
) -> Result<Bytes, AskError> {
    let wrong = || AskError::Address(office.to_owned());
    let uri: Uri = office.parse().map_err(|_| wrong())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(wrong)?;
    let host = host.trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(443);
    let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
    let unreachable = |problem: String| AskError::Unreachable { address: format!("{host}:{port}"), problem };
    let late = |_| unreachable("no answer in time".to_owned());
    let failed = |error: std::io::Error| unreachable(error.to_string());

    let stream = timeout(STEP, TcpStream::connect((host, port))).await.map_err(late)?.map_err(failed)?;
    let stream =
        timeout(STEP, TlsConnector::from(tls).connect(name, stream)).await.map_err(late)?.map_err(failed)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|shown| Digest::of(shown));
    let channel = shown.ok_or_else(|| unreachable("it shows no certificate".to_owned()))?;
    let broke = |error: hyper::Error| unreachable(error.to_string());
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, line) = timeout(STEP, handshake).await.map_err(late)?.map_err(broke)?;
    let line = tokio::spawn(line);
    let request = Request::post(path)
        .header(hyper::header::HOST, format!("{}:{port}", uri.host().unwrap_or(host)))
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body(&channel))))
        .map_err(|error| unreachable(error.to_string()))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        let status = response.status();
        let content = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let content = content.map_err(|error| unreachable(error.to_string()))?.to_bytes();
        Ok((status, content))
    };
    let answered = timeout(STEP, answered).await.map_err(late)?;
    line.abort();
    let (status, content) = answered?;
    if status.is_success() {
        return Ok(content);
    }
    let text = String::from_utf8_lossy(&content).chars().filter(|c| !c.is_control()).take(200).collect();
    if status == hyper::StatusCode::CONFLICT {
        return Err(AskError::Conflict(text));
    }
    if status.is_client_error() {
        return Err(AskError::Refused(text));
    }
    Err(AskError::Failed { status: status.as_u16(), text })
}
