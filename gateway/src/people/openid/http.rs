//! The few requests to the city's identity provider: over TLS that believes one authority, or plain to this machine itself. Nothing is
//! followed to elsewhere, and an answer has its time and its size.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a request may take, with all that belongs to it: somebody waits for a page.
const TIME: Duration = Duration::from_secs(8);
/// Largest answer.
const ANSWER_BYTES: usize = 512 * 1024;

/// An address of a provider: over TLS, or plain on this machine's loopback.
///
/// # Errors
/// Why it can't be one.
pub fn address(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| format!("{text:?} is no address, expected https://…"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("{text:?} is no whole address, expected https://…"));
    };
    if authority.as_str().contains('@') {
        return Err("holds a user's name, which has no place there".to_owned());
    }
    let host = authority.host().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match scheme {
        "https" => Ok(uri),
        "http" if here => Ok(uri),
        "http" => Err(format!("{text:?} is not encrypted; expected https://…")),
        _ => Err(format!("{text:?} is of no scheme that is spoken here, expected https://…")),
    }
}

/// Asks a provider.
#[derive(Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// One that believes this authority, else those of the system.
    ///
    /// # Errors
    /// When the authority can't be read, or there is none at all.
    pub(super) fn believing(authority: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match authority {
            Some(path) => {
                let unreadable = |error| format!("{}: {error}", path.display());
                for one in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                    let one = one.map_err(unreadable)?;
                    roots.add(one).map_err(|error| format!("{}: {error}", path.display()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() && authority.is_some() {
            return Err("there is no certificate in it".to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Self { tls: Arc::new(builder.with_root_certificates(roots).with_no_client_auth()) })
    }

    /// What stands at an address.
    pub(super) async fn get(&self, uri: &Uri) -> Result<(StatusCode, Bytes), String> {
        let request = Request::get(path(uri)).header(ACCEPT, "application/json").body(Full::default());
        self.ask(uri, request.map_err(|error| error.to_string())?).await
    }

    /// What is answered to a form.
    pub(super) async fn post(
        &self,
        uri: &Uri,
        authorization: Option<&str>,
        form: String,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::post(path(uri))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(form))).map_err(|error| error.to_string())?;
        self.ask(uri, request).await
    }

    async fn ask(&self, uri: &Uri, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let asked = async {
            let authority = uri.authority().ok_or("no address")?;
            let tls = uri.scheme_str() == Some("https");
            let host = authority.host().trim_matches(['[', ']']);
            let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
            let named = authority.as_str().parse().map_err(|_| "no address")?;
            request.headers_mut().insert(HOST, named);
            let stream =
                TcpStream::connect((host, port)).await.map_err(|error| format!("{host}:{port}: {error}"))?;
            if !tls {
                return exchange(stream, request).await;
            }
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
            exchange(stream.map_err(|error| format!("{host}:{port}: {error}"))?, request).await
        };
        tokio::time::timeout(TIME, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}

fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, line) = handshake.map_err(|error| error.to_string())?;
    // It ends when nobody asks over it any more.
    tokio::spawn(line);
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let content = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    Ok((status, content.map_err(|error| error.to_string())?.to_bytes()))
}
