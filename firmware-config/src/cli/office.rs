//! `meguri-config push` and `status`: the office's door, over TLS.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use meguri_config::Release;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::fault::Fault;
use super::files::RELEASE_BYTES;
use super::{files, instant, out, verify};

/// Until somebody answers at all.
const CONNECT: Duration = Duration::from_secs(15);
/// Until the office has taken or given everything: 50 MB over a slow line.
const ANSWER: Duration = Duration::from_secs(600);
/// Largest answer.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Longest text of an answer that is shown where it is not what was asked for.
const SAID_CHARS: usize = 1000;
/// Longest file of a token.
const TOKEN_BYTES: usize = 4 * 1024;

/// The office, and by what one comes in.
#[derive(Args)]
pub(super) struct Office {
    /// Where the office is: https://host[:port].
    #[arg(long, value_name = "URL")]
    to: String,
    /// File whose first line is a token that may do it.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Certificates (PEM) of the authority that vouches for the office. Without it those that the system believes.
    #[arg(long, value_name = "PEM")]
    authority: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Push {
    /// The release, signed.
    release: PathBuf,
    #[command(flatten)]
    office: Office,
}

#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    office: Office,
}

pub(super) fn push(args: &Push, json: bool) -> Result<ExitCode, Fault> {
    // Nothing is sent that no terminal takes; what is looked at is what is sent.
    let body = files::read(&args.release, RELEASE_BYTES)?;
    let mut release = Release::read(&args.release, body.as_slice())?;
    let (keys, now) = (verify::key_set(&release, None)?, Timestamp::now());
    verify::not_over(&release.header, now)?;
    while let Some(envelope) = release.next() {
        let taken = release.header.takes(envelope?.get().as_bytes(), &keys, now);
        let place = format!("{}, line {}", args.release.display(), release.line());
        taken.map_err(|refused| Fault::from(refused).within(place))?;
    }
    let version = release.header.version;
    out::note(format!("sending {} bytes to {}", body.len(), args.office.to));
    let answer = args.office.ask(&Method::POST, "/api/releases", body)?;
    // As gateway/src/switchover/releases.rs, `Taken`, says it.
    if answer["version"].as_u64() != Some(version) {
        let problem = format!(
            "{} does not say that it has taken version {version}; look whether it has: {}",
            args.office.to,
            short(&answer.to_string())
        );
        return Err(Fault::refused(problem));
    }
    say(&answer, json, &format!("{} has taken version {version}", args.office.to));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn status(args: &Status, json: bool) -> Result<ExitCode, Fault> {
    let answer = args.office.ask(&Method::GET, "/api/configurations", Vec::new())?;
    if json {
        out::json(&answer);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rest = answer;
    let terminals = rest.as_object_mut().and_then(|all| all.remove("terminals"));
    lines(&rest, 0);
    for terminal in terminals.as_ref().and_then(Value::as_array).into_iter().flatten() {
        out::say(terminal_line(terminal));
    }
    Ok(ExitCode::SUCCESS)
}

/// A terminal in a line: which, how far it is, and when that was heard.
fn terminal_line(terminal: &Value) -> String {
    let text = |name: &str| match &terminal[name] {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.parse().map_or_else(|_| out::plain(text), instant::shown),
        other => out::plain(&other.to_string()),
    };
    let why = if terminal["why"].is_null() { String::new() } else { format!(" ({})", text("why")) };
    let [name, contract, vehicle] = ["terminal", "contract", "vehicle"].map(text);
    let [held, offered, state, since, heard] = ["held", "offered", "state", "since", "last_heard"].map(text);
    format!(
        "{name}  版 {held} (配布 {offered})  {state}{why} {since}  {contract} {vehicle}  最終通信 {heard}"
    )
}

fn say(answer: &Value, json: bool, line: &str) {
    if json {
        out::json(answer);
    } else {
        out::say(line);
        lines(answer, 1);
    }
}

/// What the office answers, name by name.
fn lines(value: &Value, depth: usize) {
    let pad = "  ".repeat(depth);
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = out::plain(name);
                match value {
                    Value::Object(_) | Value::Array(_) => {
                        out::say(format!("{pad}{name}:"));
                        lines(value, depth + 1);
                    }
                    Value::String(text) => out::say(format!("{pad}{name}: {}", out::plain(text))),
                    other => out::say(format!("{pad}{name}: {other}")),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                let line = value.as_object().map(|object| {
                    let word = |(name, value): (&String, &Value)| match value {
                        Value::String(text) => format!("{name} {text}"),
                        other => format!("{name} {other}"),
                    };
                    object
                        .iter()
                        .filter(|(_, value)| !value.is_null())
                        .map(word)
                        .collect::<Vec<_>>()
                        .join("  ")
                });
                out::say(format!("{pad}- {}", out::plain(&line.unwrap_or_else(|| value.to_string()))));
            }
        }
        Value::Null => {}
        other => out::say(format!("{pad}{other}")),
    }
}

impl Office {
    /// Asks, and waits for the answer.
    fn ask(&self, method: &Method, path: &str, body: Vec<u8>) -> Result<Value, Fault> {
        let token = token(&self.token_file)?;
        let tls = believing(self.authority.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Fault::refused(format!("can't run: {error}")))?;
        let (status, content) = runtime.block_on(self.request(method, path, &token, tls, body))?;
        if status.is_success() {
            // Whatever else stands at that address, like a page to sign in at, may well answer that all is fine.
            let answer = serde_json::from_slice(&content).ok().filter(Value::is_object);
            return answer.ok_or_else(|| {
                let said = short(&String::from_utf8_lossy(&content));
                let problem = format!("{} answers what no office does; is that its address? {said}", self.to);
                Fault::refused(problem)
            });
        }
        let said = short(&reason(&content));
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; may this token do that?",
            StatusCode::NOT_FOUND => "; is that the office's address?",
            _ => "",
        };
        Err(Fault::refused(format!("{} refuses (status {}): {said}{hint}", self.to, status.as_u16())))
    }

    async fn request(
        &self,
        method: &Method,
        path: &str,
        token: &str,
        tls: Arc<ClientConfig>,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let wrong =
            || Fault::misuse(format!("{:?} is no address of an office; expected https://host:port", self.to));
        let uri: Uri = self.to.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https")).ok_or_else(wrong)?;
        if !matches!(uri.path(), "" | "/") {
            return Err(wrong());
        }
        let bare = host.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(443);
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| wrong())?;
        let unreachable =
            |problem: String| Fault::refused(format!("{host}:{port} can't be reached: {problem}"));
        let late = |_| unreachable("no answer in time".to_owned());
        let failed = |error: std::io::Error| unreachable(error.to_string());

        let stream =
            timeout(CONNECT, TcpStream::connect((bare, port))).await.map_err(late)?.map_err(failed)?;
        let stream = timeout(CONNECT, TlsConnector::from(tls).connect(name, stream)).await.map_err(late)?;
        let stream = stream.map_err(failed)?;
        let broke = |error: hyper::Error| unreachable(error.to_string());
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, line) = timeout(CONNECT, handshake).await.map_err(late)?.map_err(broke)?;
        let line = tokio::spawn(line);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/jsonl")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        let answered = async {
            let response = sender.send_request(request).await.map_err(broke)?;
            let status = response.status();
            let content = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            Ok((status, content.map_err(|error| unreachable(error.to_string()))?.to_bytes()))
        };
        let answered = timeout(ANSWER, answered).await.map_err(late)?;
        line.abort();
        answered
    }
}

/// The beginning of a text, in a line.
fn short(text: &str) -> String {
    out::plain(&text.chars().take(SAID_CHARS).collect::<String>())
}

/// What the office says of why it refuses: in JSON under `error`, or plainly.
fn reason(content: &[u8]) -> String {
    let read: Option<Value> = serde_json::from_slice(content).ok();
    let error = read.as_ref().and_then(|value| value["error"].as_str()).map(ToOwned::to_owned);
    error.unwrap_or_else(|| String::from_utf8_lossy(content).into_owned())
}

/// The first line of the token's file.
fn token(path: &Path) -> Result<String, Fault> {
    let bytes = files::read(path, TOKEN_BYTES)?;
    let token = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned();
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Fault::refused(format!("{} holds no token in its first line", path.display())));
    }
    Ok(token)
}

/// TLS that believes whoever these authorities vouch for.
fn believing(authority: Option<&Path>) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let unreadable = |problem: String| {
                Fault::refused(format!("can't read certificates of {}: {problem}", path.display()))
            };
            let read = read.map_err(|error| unreadable(error.to_string()))?;
            if read.is_empty() {
                return Err(unreadable("it holds none".to_owned()));
            }
            for certificate in read {
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let failed = |error: rustls::Error| Fault::refused(format!("can't set up TLS: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(builder.map_err(failed)?.with_root_certificates(roots).with_no_client_auth()))
}
