//! The socket in the data folder through which commands reach a running gateway, so that there is one writer.
//!
//! A request and its reply are each one JSON text behind its length (four bytes, big-endian). Only the
//! folder's owner can connect.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meguri_config::City;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::broker::{Broker, Login};
use crate::import;
use crate::ops::{self, OpError, Reply, Request};
use crate::store::{Readers, StoreError};
use crate::terminals;
use crate::writer::Writer;

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";
/// Longest path that every system takes for a socket.
const SOCKET_PATH_BYTES: usize = 100;
/// Longest request: a request file, every character of it escaped, and its profile.
const REQUEST_BYTES: usize = 2 * import::FILE_BYTES + 16 * 1024 * 1024;
/// Requests that are worked on at a time; more wait.
const AT_A_TIME: usize = 8;

/// The reply as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Reply),
    Error(String),
}

/// Why a running gateway could not be asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No gateway runs on this folder.
    #[error("no gateway runs on this folder")]
    NotRunning,
    /// The line to it broke.
    #[error("can't talk to the running gateway through {}: {source}", path.display())]
    Line {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

/// What requests are answered with.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The one writer.
    pub writer: Writer,
    /// Reads beside it.
    pub readers: Readers,
    /// The plan.
    pub city: Arc<City>,
    /// The broker, for who may come in.
    pub broker: Arc<Broker>,
}

impl Desk {
    /// Does what is asked.
    async fn answer(&self, request: Request) -> Answer {
        match self.reply(request).await {
            Ok(Ok(reply)) => Answer::Ok(reply),
            Ok(Err(error)) => Answer::Error(error.to_string()),
            Err(error) => Answer::Error(error.to_string()),
        }
    }

    async fn reply(&self, request: Request) -> Result<Result<Reply, OpError>, StoreError> {
        let city = self.city.clone();
        // Reading and comparing a file takes a reader's time, not the writer's.
        let prepared = match self.readers.with(move |conn| Ok(ops::prepare(conn, &city, request))).await? {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(reply) = prepared.reply_without_writing() {
            return Ok(Ok(reply));
        }
        let done = self.writer.run(move |tx, ctx, fx| prepared.execute(tx, ctx, fx)).await?;
        Ok(match done {
            Ok(reply) => Ok(self.follow(reply).await?),
            Err(error) => Err(error),
        })
    }

    /// What must be true before the reply says that it is: a blocked terminal is out.
    async fn follow(&self, reply: Reply) -> Result<Reply, StoreError> {
        if let Reply::TerminalAdded { .. } | Reply::TerminalBlocked { .. } = reply {
            self.broker.admit(self.readers.with(terminals::credentials).await?).await;
        }
        Ok(match reply {
            Reply::TerminalAdded { bound, secret, .. } => {
                let Login { host, port, .. } = self.broker.login();
                Reply::TerminalAdded { bound, secret, broker: Some((host, port)) }
            }
            other => other,
        })
    }
}

/// The socket's path, and what must stay open while it is used: the system takes only about 100 bytes
/// of a socket's path, so that of a deep folder goes through the folder's descriptor.
fn reachable(dir: &Path) -> io::Result<(PathBuf, Option<std::fs::File>)> {
    use std::os::fd::AsRawFd as _;
    let path = dir.join(SOCKET);
    if path.as_os_str().len() < SOCKET_PATH_BYTES {
        return Ok((path, None));
    }
    let folder = std::fs::File::open(dir)?;
    let short = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    Ok((short.into(), Some(folder)))
}

/// Listens in the data folder, whose lock the caller holds.
///
/// # Errors
/// When the socket can't be made.
pub fn listen(dir: &Path) -> io::Result<UnixListener> {
    let (path, _folder) = reachable(dir)?;
    // With the lock held, a socket that is there is a killed gateway's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until it is dropped.
pub async fn serve(listener: UnixListener, desk: Desk) {
    let mut tasks = JoinSet::new();
    loop {
        if tasks.len() >= AT_A_TIME {
            tasks.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &desk).await {
                        tracing::warn!(%error, "a command's line broke");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a command could not be let in");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: tokio::net::UnixStream, desk: &Desk) -> io::Result<()> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    let answer = if length > REQUEST_BYTES {
        Answer::Error(format!("the request has {length} bytes, at most {REQUEST_BYTES} are taken"))
    } else {
        // Grows with what comes, not with what is announced.
        let mut bytes = Vec::new();
        (&mut stream).take(length as u64).read_to_end(&mut bytes).await?;
        match serde_json::from_slice(&bytes) {
            Ok(request) => desk.answer(request).await,
            // The parser's words may quote the request.
            Err(_) => {
                Answer::Error("the gateway can't read the request; are both of one version?".to_owned())
            }
        }
    };
    let bytes = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    stream.write_u32(u32::try_from(bytes.len()).map_err(io::Error::other)?).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Asks the gateway that runs on `dir`.
///
/// # Errors
/// When none runs, the line breaks, or it refuses.
pub fn ask(dir: &Path, request: &Request) -> Result<Reply, ControlError> {
    let path = dir.join(SOCKET);
    let line = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning,
        _ => ControlError::Line { path: path.clone(), source },
    };
    let stream = reachable(dir).and_then(|(short, _folder)| UnixStream::connect(short)).map_err(line)?;
    match exchange(stream, request).map_err(|source| ControlError::Line { path, source })? {
        Answer::Ok(reply) => Ok(reply),
        Answer::Error(problem) => Err(ControlError::Refused(problem)),
    }
}

fn exchange(mut stream: UnixStream, request: &Request) -> io::Result<Answer> {
    let bytes = serde_json::to_vec(request).map_err(io::Error::other)?;
    stream.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes())?;
    stream.write_all(&bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = Vec::new();
    stream.take(u32::from_be_bytes(length).into()).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}
