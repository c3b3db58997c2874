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

/// Fetches `path` from a server like `http://127.0.0.1:8650`.
///
/// # Errors
/// When the server can't be reached or its answer is no HTTP.
pub fn get(server: &str, path: &str) -> anyhow::Result<Page> {
    let Some(host) = server.trim_end_matches('/').strip_prefix("http://") else {
        bail!("{server} is no http:// address");
    };
    let mut stream = TcpStream::connect(host).with_context(|| format!("can't reach {host}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    // HTTP/1.0, so that the end of the connection is the end of the body.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| format!("{host} broke off its answer"))?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status =
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the answer has no status")?;
    Ok(Page { status, body: body.to_owned() })
}
