//! One page fetched as a browser would ask for it, without one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// Body, which is taken for UTF-8.
    pub body: String,
}

/// Fetches `path` from a server like `http://127.0.0.1:8650` or `https://localhost:8650`.
///
/// # Errors
/// When the server can't be reached or its answer is no HTTP.
pub fn get(server: &str, path: &str) -> anyhow::Result<Page> {
    Ok(ask(server, "GET", path, "", None)?.page)
}

/// A line to a server, and both ways on it.
trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// Connects, by TLS where the address says so: on this machine the authority behind a certificate is of no account.
fn connect(scheme: &str, host: &str) -> anyhow::Result<Box<dyn Line>> {
    let stream = TcpStream::connect(host).with_context(|| format!("can't reach {host}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    match scheme {
        "http" => Ok(Box::new(stream)),
        "https" => {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
            let tls = meguri_app::office::with_anybody()?;
            let session = rustls::ClientConnection::new(tls, name.try_into()?)?;
            Ok(Box::new(rustls::StreamOwned::new(session, stream)))
        }
        _ => bail!("{scheme} is spoken by no server of ours"),
    }
}

struct Answer {
    page: Page,
    /// What it sets, as they are sent back.
    cookies: Vec<String>,
}

fn ask(server: &str, method: &str, path: &str, cookie: &str, form: Option<&str>) -> anyhow::Result<Answer> {
    let Some((scheme, host)) = server.trim_end_matches('/').split_once("://") else {
        bail!("{server} is no address of a server");
    };
    let mut stream = connect(scheme, host)?;
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n");
    if !cookie.is_empty() {
        head.push_str(&format!("Cookie: {cookie}\r\n"));
    }
    if let Some(form) = form {
        head.push_str(&format!(
            "Origin: {scheme}://{host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        ));
    }
    // HTTP/1.0, so that the end of the connection is the end of the body.
    write!(stream, "{head}\r\n{}", form.unwrap_or_default())?;
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // A server of TLS may end without saying so; HTTP/1.0 has no length to miss.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {}
        read => drop(read.with_context(|| format!("{host} broke off its answer"))?),
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the answer has no status")?;
    let set = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let cookies = set.filter_map(|(_, value)| Some(value.split(';').next()?.to_owned())).collect();
    Ok(Answer { page: Page { status, body: body.to_owned() }, cookies })
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    server: String,
    cookie: String,
}

impl Visitor {
    /// Signs in as a browser would.
    ///
    /// # Errors
    /// When the server can't be reached, or login and password open nothing.
    pub fn sign_in(server: &str, login: &str, password: &str) -> anyhow::Result<Self> {
        let begun = ask(server, "GET", "/signin", "", None)?;
        let cookie = begun.cookies.join("; ");
        let form =
            begun.page.body.split_once("name=\"form\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (form, _) = form.with_context(|| format!("{server} has no sign-in"))?;
        let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let fields = format!("form={form}&to=%2F&login={}&password={}", escape(login), escape(password));
        let answer = ask(server, "POST", "/signin", &cookie, Some(&fields))?;
        if answer.page.status != 303 {
            bail!("{login} can't sign in: {}", answer.page.status);
        }
        let named = |cookie: &String| cookie.starts_with("meguri=") || cookie.starts_with("__Host-meguri=");
        let session = answer.cookies.into_iter().find(named);
        Ok(Self { server: server.to_owned(), cookie: session.context("the sign-in gave no session")? })
    }

    /// The cookie by which the server knows them.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Fetches `path` as this person.
    ///
    /// # Errors
    /// As [`get`].
    pub fn get(&self, path: &str) -> anyhow::Result<Page> {
        Ok(ask(&self.server, "GET", path, &self.cookie, None)?.page)
    }
}
