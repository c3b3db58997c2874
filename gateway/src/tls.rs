//! HTTPS: connections whose handshake is done, for the server of pages and for terminals' door.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::ca::Files;

/// How long a handshake may take: over a bad line some seconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections of one listener at a time, those in their handshake among them: each holds a file of the process, and the
/// broker needs some, too.
const CONNECTIONS: usize = 1_024;
/// Between two tries where the system gives no connection, as of open files there are too many.
const AGAIN: Duration = Duration::from_millis(200);

/// Why TLS can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {what} from {}: {problem}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Certificate and key can't be used together.
    #[error("{} and its key can't be used: {source}", path.display())]
    Pair {
        /// The certificate's file.
        path: std::path::PathBuf,
        /// What the library said.
        source: rustls::Error,
    },
}

/// How this server shows itself: TLS 1.2 and 1.3 with the certificate, nobody asked for one of theirs.
///
/// # Errors
/// When the files can't be read, or are no pair.
pub fn server(files: &Files) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| TlsError::File { what, path, problem: error.to_string() }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed("certificates", &files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(failed("a private key", &files.key))?;
    let unusable = |source| TlsError::Pair { path: files.certificate.clone(), source };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(unusable)?;
    Ok(Arc::new(config))
}

/// How long a connection may hold its place.
#[derive(Debug, Clone, Copy)]
pub enum Life {
    /// So long, whatever it does.
    Whole(Duration),
    /// As long as it is answered something at least so often: who sends a request bit by bit, or reads an answer bit by bit, is
    /// not. A page that updates by itself is.
    Answered(Duration),
}

/// TLS to a broker that one of these authorities (a file of PEM) vouches for.
///
/// # Errors
/// When the file can't be read, or holds no authority that can be used.
pub fn client(authority: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let what = "an authority";
    let failed = |problem: String| TlsError::File { what, path: authority.to_owned(), problem };
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(authority).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for root in read.map_err(|error| failed(error.to_string()))? {
        roots.add(root).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("it holds none".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A connection whose handshake is done. It holds its place among the listener's, and ends after its time.
#[derive(Debug)]
pub struct Held {
    stream: TlsStream<TcpStream>,
    until: Pin<Box<Sleep>>,
    life: Life,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Whether its time is over.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.until.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let (Life::Answered(often), Poll::Ready(Ok(1..))) = (self.life, &written) {
            self.until.as_mut().reset(Instant::now() + often);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A listener whose connections come with their handshake done: a slow or silent one keeps nobody waiting.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Held, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    /// Takes connections of a TCP listener from now on, each for its `life`.
    ///
    /// # Errors
    /// When the listener does not know its address.
    pub fn over(listener: TcpListener, config: Arc<ServerConfig>, life: Life) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (ready_to, ready) = mpsc::channel(64);
        let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(config), life, ready_to));
        Ok(Self { address, ready, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Who is at the other end of a connection, with TLS or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    life: Life,
    ready: mpsc::Sender<(Held, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Never closed.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let shaken = timeout(HANDSHAKE, acceptor.accept(stream)).await;
            match shaken {
                // Where nobody serves any more there is nobody to tell.
                Ok(Ok(stream)) => {
                    let (Life::Whole(time) | Life::Answered(time)) = life;
                    let until = Box::pin(tokio::time::sleep(time));
                    drop(ready.send((Held { stream, until, life, _place: permit }, from)).await);
                }
                Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS with this connection"),
                Err(_) => tracing::debug!(%from, "a connection did not finish its handshake"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task of accepting ends with this listener alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
