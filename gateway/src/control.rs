//! The socket in the data folder through which commands reach a running gateway, so that there is one writer.
//!
//! A request is one JSON text behind its length (four bytes, big-endian), and a request file's content, which may be
//! nothing, behind its own. The reply is such a JSON text, too; while an import runs, others before it say how far it is.
//! Only the folder's owner can connect.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::audit::{Audit, Event, What, Who};
use crate::broker::{Broker, InStep, Login};
use crate::config::Retention;
use crate::door::Reached;
use crate::import::{self, At, Progress, Taker};
use crate::ingest::{Context, Effects};
use crate::ops::{OpError, Reply, Request};
use crate::retention;
use crate::store::{Readers, StoreError};
use crate::switchover::releases::{self, Releases};
use crate::terminals::{self, Line};
use crate::vitals::Health;
use crate::writer::Writer;

/// The socket's name in the data folder.
pub const SOCKET: &str = "control.sock";
/// Longest path that every system takes for a socket.
const SOCKET_PATH_BYTES: usize = 100;
/// Longest request without its file's content: a profile, every character of it escaped.
const REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// How often whoever waits is told how far an import is.
const TELLING: Duration = Duration::from_millis(500);
/// Requests that are worked on at a time; more wait.
const AT_A_TIME: usize = 8;
/// How long a command may take to send its request, and to take the answer: a command does so at once, and one
/// that is held must not keep the gateway from stopping.
const LINE: Duration = Duration::from_secs(10);

/// The reply as it travels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// Where an import is; more follows.
    Progress(At),
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
    /// It took the request and went away.
    #[error(
        "the running gateway went away without an answer ({source}): what was asked may be done or not; running \
         the same import again is safe"
    )]
    NoAnswer {
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
    /// Takes imports.
    pub taker: Taker,
    /// Takes releases of configurations.
    pub releases: Releases,
    /// The broker, for who may come in.
    pub broker: Arc<Broker>,
    /// How the office is.
    pub health: Health,
    /// How long what is kept.
    pub retention: Retention,
    /// How terminals reach the office; none without TLS.
    pub reached: Option<Reached>,
    /// Where what is done is written down.
    pub audit: Audit,
}

impl Desk {
    /// Does what is asked.
    async fn answer(&self, request: Request, who: Who, progress: &Progress) -> Answer {
        match self.reply(request, who, progress).await {
            Ok(Ok(reply)) => Answer::Ok(reply),
            Ok(Err(error)) => Answer::Error(meguri_config::told(&error)),
            Err(error) => Answer::Error(meguri_config::told(&error)),
        }
    }

    /// As commands have it done, and pages: written down, and true before it is told.
    ///
    /// # Errors
    /// When the store can't be read or written; within, when it can't be done.
    pub async fn reply(
        &self,
        request: Request,
        who: Who,
        progress: &Progress,
    ) -> Result<Result<Reply, OpError>, StoreError> {
        let request = match request {
            // Needs neither the store nor the writer: whoever asks wants to know how these are.
            Request::Health => return Ok(Ok(Reply::Health(self.health.report()))),
            Request::Retention => {
                let (retention, now) = (self.retention.clone(), self.health.clock.now());
                let look = move |conn: &rusqlite::Connection| retention::outlook(conn, &retention, now);
                return Ok(Ok(Reply::Retention(self.readers.with(look).await?)));
            }
            Request::Import { command } => {
                let taken = self.taker.audited(self.audit.clone(), who).take(command, progress).await?;
                return Ok(taken.map(|report| Reply::Imported(Box::new(report))).map_err(OpError::Import));
            }
            Request::ReleaseTake { path } => {
                return Ok(self.take_release(path, who).await?.map(Reply::Release));
            }
            look @ (Request::ReleaseList
            | Request::KeysShow
            | Request::SwitchoverList
            | Request::SwitchoverShow { .. }
            | Request::SwitchoverReadiness { .. }) => return self.look(look, who).await,
            other => other,
        };
        let (audit, audited, whose) = (self.audit.clone(), request.audited(), who.clone());
        let keeps_out = matches!(request, Request::TerminalBlock { blocked: true, .. });
        let work = move |tx: &mut rusqlite::Transaction<'_>, ctx: &mut Context<'_>, fx: &mut Effects| {
            request.execute_audited(tx, ctx, fx, &audit, whose)
        };
        let done = match self.writer.run(work).await {
            Ok(done) => done,
            Err(error) => {
                // It may have been written down before it could not be committed.
                if let Some((what, _)) = audited {
                    let undone = Event::new(who, What::Undone, serde_json::json!({ "what": what }));
                    drop(self.audit.note(undone).await);
                }
                return Err(error);
            }
        };
        Ok(match done {
            Ok(reply) => Ok(self.follow(reply, keeps_out).await?),
            Err(error) => {
                if let Some(damage) = error.damage() {
                    self.writer.damaged(damage).await;
                }
                Err(error)
            }
        })
    }

    /// Takes a release file. That it came is written down before and after: it takes more than one transaction.
    ///
    /// # Errors
    /// As [`Desk::reply`].
    pub async fn take_release(
        &self,
        path: PathBuf,
        who: Who,
    ) -> Result<Result<releases::Taken, OpError>, StoreError> {
        let note = |about| self.audit.note(Event::new(who.clone(), What::ReleaseTaken, about));
        let asked = serde_json::json!({ "asked": "take" });
        note(asked).await.map_err(|source| StoreError::Audit { source })?;
        let taken = self.releases.take(path).await?;
        if let Ok(taken) = &taken {
            let mut about = serde_json::json!({});
            Reply::Release(taken.clone()).audited(&mut about);
            // Its failure is told by the log's own thread; the release is taken.
            drop(note(about).await);
        }
        Ok(taken.map_err(OpError::Release))
    }

    /// Reads beside the writer.
    async fn look(&self, request: Request, who: Who) -> Result<Result<Reply, OpError>, StoreError> {
        if let Some((what, about)) = request.audited() {
            let event = Event::new(who, what, about);
            self.audit.note(event).await.map_err(|source| StoreError::Audit { source })?;
        }
        let now = self.health.clock.now();
        let read = move |conn: &rusqlite::Connection| Ok(request.look(conn, now));
        Ok(self.readers.with(read).await?.unwrap_or(Err(OpError::NotInOne)))
    }

    /// What must be true before the reply says that it is: a terminal that is blocked, or has another secret, is out.
    /// Where that can't be reached in time, as with a broker of somebody else's that is away, the reply says so.
    /// Where the broker is, only the running gateway knows for certain.
    async fn follow(&self, reply: Reply, keeps_out: bool) -> Result<Reply, StoreError> {
        let step = match reply {
            Reply::TerminalBound { .. } | Reply::TerminalBlocked { .. } => {
                self.broker.admit_by(self.readers.with(terminals::credentials)).await?
            }
            _ => InStep::DONE,
        };
        Ok(match reply {
            Reply::TerminalBlocked { changed, .. } => {
                Reply::TerminalBlocked { changed, behind: if keeps_out { !step.out } else { !step.all } }
            }
            Reply::TerminalBound { bound, .. } => {
                let line = self.reached.clone().map_or_else(
                    || {
                        let Login { host, port, .. } = self.broker.login();
                        Line::Plain(host, port)
                    },
                    Line::Tls,
                );
                Reply::TerminalBound { bound, line: Some(line) }
            }
            Reply::TerminalEnrolling { until, .. } => {
                Reply::TerminalEnrolling { until, office: self.reached.as_ref().map(Reached::office) }
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

/// Answers until `stopping`; then lets nobody in any more and ends once whoever had connected is answered. The
/// writer must work until then.
pub async fn serve(listener: UnixListener, desk: Desk, stopping: impl Future<Output = ()>) {
    let mut stopping = std::pin::pin!(stopping);
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = &mut stopping => break,
            _ = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = listener.accept(), if tasks.len() < AT_A_TIME => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(attend(stream, desk.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a command could not be let in");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    match connected(listener) {
        Ok(streams) => streams.into_iter().for_each(|stream| {
            tasks.spawn(attend(stream, desk.clone()));
        }),
        Err(error) => tracing::warn!(%error, "commands that had come could not be let in"),
    }
    while tasks.join_next().await.is_some() {}
}

/// Whoever has connected and was not let in yet. Who comes later finds that no gateway runs.
fn connected(listener: UnixListener) -> io::Result<Vec<tokio::net::UnixStream>> {
    let listener = listener.into_std()?;
    let mut streams = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                streams.push(tokio::net::UnixStream::from_std(stream)?);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(streams),
            Err(error) => return Err(error),
        }
    }
}

async fn attend(stream: tokio::net::UnixStream, desk: Desk) {
    if let Err(error) = converse(stream, &desk).await {
        tracing::warn!(%error, "a command's line broke");
    }
}

async fn converse(mut stream: tokio::net::UnixStream, desk: &Desk) -> io::Result<()> {
    let answer = match tokio::time::timeout(LINE, request(&mut stream)).await?? {
        Ok(request) => {
            let progress = Progress::default();
            let who = Who::Command(stream.peer_cred()?.uid());
            let mut answer = std::pin::pin!(desk.answer(request, who, &progress));
            let mut told = At::default();
            loop {
                match tokio::time::timeout(TELLING, &mut answer).await {
                    Ok(answer) => break answer,
                    Err(_) if progress.at() == told => {}
                    Err(_) => {
                        told = progress.at();
                        // Whoever asked may have gone; what was begun is done all the same.
                        let _ = say(&mut stream, &Answer::Progress(told)).await;
                    }
                }
            }
        }
        Err(problem) => Answer::Error(problem),
    };
    say(&mut stream, &answer).await
}

async fn say(stream: &mut tokio::net::UnixStream, answer: &Answer) -> io::Result<()> {
    let bytes = serde_json::to_vec(answer).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let say = async {
        stream.write_u32(length).await?;
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    tokio::time::timeout(LINE, say).await?
}

/// What is asked, or why it can't be read.
async fn request(stream: &mut tokio::net::UnixStream) -> io::Result<Result<Request, String>> {
    let bytes = match frame(stream, REQUEST_BYTES).await? {
        Ok(bytes) => bytes,
        Err(problem) => return Ok(Err(problem)),
    };
    let content = match frame(stream, import::FILE_BYTES).await? {
        Ok(content) => content,
        Err(problem) => return Ok(Err(problem)),
    };
    // The parser's words may quote the request.
    let unreadable = || "the gateway can't read the request; are both of one version?".to_owned();
    let mut request: Request = match serde_json::from_slice(&bytes) {
        Ok(request) => request,
        Err(_) => return Ok(Err(unreadable())),
    };
    if let Request::Import { command: import::Command::File(file) } = &mut request {
        match String::from_utf8(content) {
            Ok(content) => file.content = content,
            Err(_) => return Ok(Err(unreadable())),
        }
    }
    Ok(Ok(request))
}

/// A text behind its length.
async fn frame(stream: &mut tokio::net::UnixStream, most: usize) -> io::Result<Result<Vec<u8>, String>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > most {
        return Ok(Err(format!("the request has {length} bytes, at most {most} are taken")));
    }
    // Grows with what comes, not with what is announced.
    let mut bytes = Vec::new();
    (&mut *stream).take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Ok(bytes))
}

/// Asks the gateway that runs on `dir`. While an import runs, `told` hears how far it is. Gives the request back where
/// no gateway runs.
///
/// # Errors
/// When none runs, the line breaks, or it refuses.
pub fn ask(dir: &Path, request: &mut Request, told: &mut dyn FnMut(At)) -> Result<Reply, ControlError> {
    let path = dir.join(SOCKET);
    let line = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning,
        _ => ControlError::Line { path: path.clone(), source },
    };
    let stream = reachable(dir).and_then(|(short, _folder)| UnixStream::connect(short)).map_err(line)?;
    match exchange(stream, request, told, |source| ControlError::Line { path, source })? {
        Answer::Ok(reply) => Ok(reply),
        Answer::Error(problem) => Err(ControlError::Refused(problem)),
        Answer::Progress(_) => Err(ControlError::NoAnswer { source: io::ErrorKind::InvalidData.into() }),
    }
}

fn exchange(
    mut stream: UnixStream,
    request: &mut Request,
    told: &mut dyn FnMut(At),
    line: impl FnOnce(io::Error) -> ControlError,
) -> Result<Answer, ControlError> {
    let say = |stream: &mut UnixStream, bytes: &[u8]| -> io::Result<()> {
        stream.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes())?;
        stream.write_all(bytes)
    };
    // A file's content travels as it is.
    let content = match request {
        Request::Import { command: import::Command::File(file) } => std::mem::take(&mut file.content),
        _ => String::new(),
    };
    let said = serde_json::to_vec(request)
        .map_err(io::Error::other)
        .and_then(|bytes| say(&mut stream, &bytes))
        .and_then(|()| say(&mut stream, content.as_bytes()));
    if let Request::Import { command: import::Command::File(file) } = request {
        file.content = content;
    }
    said.map_err(line)?;
    // From here on the gateway may have done it.
    let hear = |stream: &mut UnixStream| -> io::Result<Answer> {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut bytes = Vec::new();
        stream.take(u32::from_be_bytes(length).into()).read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    };
    loop {
        match hear(&mut stream).map_err(|source| ControlError::NoAnswer { source })? {
            Answer::Progress(at) => told(at),
            answer => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;
    use meguri_config::{City, Clock};
    use meguri_proto::Incarnation;
    use uuid::Uuid;

    use super::*;
    use crate::changes::Changes;
    use crate::config::Settings;
    use crate::outbox::Outbox;
    use crate::store::Store;
    use crate::writer::Parts;

    #[tokio::test]
    async fn whoever_connected_before_the_stop_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let plan = include_str!("../tests/city.toml");
        let city = Arc::new(City::parse(Path::new("city.toml"), plan).unwrap());
        let id = city.id.clone();
        let store = Store::open(dir.path(), &city.id, Timestamp::now(), Incarnation(Uuid::new_v4())).unwrap();
        let (readers, changes) = (store.readers(1), Changes::new());
        let (outbox, _waiting) = Outbox::new(city.id.clone());
        let (writer, running) = Writer::start(Parts {
            store,
            city: city.id.clone(),
            clock: Clock::system(),
            changes: changes.clone(),
            outbox,
            settings: Settings::default(),
        })
        .unwrap();
        let login =
            Login { host: String::new(), port: 0, user: String::new(), password: String::new(), tls: None };
        let broker = Arc::new(Broker::External(login, None));
        let taker = Taker::new(writer.clone(), readers.clone(), city);
        let health = Health {
            vitals: writer.vitals().clone(),
            clock: Clock::system(),
            least_free: 0,
            data: dir.path().to_owned(),
        };
        let retention = Retention::default();
        let desk = Desk {
            writer: writer.clone(),
            readers,
            taker,
            releases: Releases::new(writer.clone(), id, Clock::system()),
            broker,
            health,
            retention,
            audit: Audit::none(),
            reached: None,
        };

        // The writer is busy, as with a large import.
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (busy, is_busy) = tokio::sync::oneshot::channel();
        let (working, stopping) = (writer.clone(), changes.clone());
        let work = tokio::spawn(async move {
            let job = working.run_job(move |_, _| {
                busy.send(()).unwrap();
                released.recv().unwrap();
                Ok::<_, StoreError>(())
            });
            job.await.unwrap().unwrap();
        });
        is_busy.await.unwrap();
        let listener = listen(dir.path()).unwrap();
        let serving = tokio::spawn(serve(listener, desk, async move { stopping.stopping().await }));
        let asked: Vec<_> = (0..2 * AT_A_TIME)
            .map(|_| {
                let mut stream = UnixStream::connect(dir.path().join(SOCKET)).unwrap();
                let bytes = serde_json::to_vec(&Request::TerminalList).unwrap();
                stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(&bytes).unwrap();
                stream.write_all(&[0; 4]).unwrap();
                stream
            })
            .collect();
        changes.stop();
        release.send(()).unwrap();
        work.await.unwrap();
        serving.await.unwrap();
        for mut stream in asked {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            let answer: Answer = serde_json::from_slice(answer.get(4..).unwrap()).unwrap();
            assert!(matches!(answer, Answer::Ok(Reply::Terminals(_))), "{answer:?}");
        }
        assert!(matches!(
            ask(dir.path(), &mut Request::TerminalList, &mut |_| ()),
            Err(ControlError::NotRunning)
        ));
        writer.stop().await;
        running.ended().await.unwrap();
    }

    #[test]
    fn how_far_an_import_is_comes_before_the_reply() {
        let dir = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let at = At { stage: import::Stage::Staging, done: 1, of: 2 };
        let office = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..2 {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut text = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut text).unwrap();
            }
            for answer in [Answer::Progress(at), Answer::Ok(Reply::Done)] {
                let bytes = serde_json::to_vec(&answer).unwrap();
                stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(&bytes).unwrap();
            }
        });
        let mut told = Vec::new();
        let reply = ask(dir.path(), &mut Request::TerminalList, &mut |at| told.push(at)).unwrap();
        office.join().unwrap();
        assert_eq!((reply, told), (Reply::Done, vec![at]));
    }

    #[test]
    fn a_gateway_that_goes_away_leaves_it_open_what_was_done() {
        let dir = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let gone = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut some = [0; 8];
            stream.read_exact(&mut some).unwrap();
        });
        let error = ask(dir.path(), &mut Request::TerminalList, &mut |_| ()).unwrap_err();
        gone.join().unwrap();
        assert!(matches!(error, ControlError::NoAnswer { .. }), "{error}");
        assert!(error.to_string().contains("the same import again is safe"), "{error}");
    }
}
