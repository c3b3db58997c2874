//! A terminal's line to the broker, which can be lost, fall silent and be slow.
//!
//! A fleet has thousands of them, so each is a few tasks on the fleet's runtime; tests that have to lose one certain
//! packet use the threads of [`Proxy`](crate::harness::proxy::Proxy) instead.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes read at once.
const READ: usize = 4 * 1024;
/// Reads that may be on their way; beyond, the sender waits.
const ON_THE_WAY: usize = 64;

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Everything.
    All,
    /// Connections stand and nothing goes through; what was lost stays lost, so they are cut when this ends.
    Nothing,
    /// Connections are cut and none is made.
    NoConnection,
}

/// How it is, and how often connections that stood had to end: a look that comes late must not miss it.
#[derive(Debug, Clone, Copy)]
struct State {
    carries: Carries,
    breaks: u64,
}

/// The line. Ends with its connections when dropped.
pub(super) struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Line {
    /// A line to `target` on a free port. Everything is on its way for `delay`, from least to most.
    pub(super) async fn lay(target: (String, u16), delay: [Duration; 2]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, seen) = watch::channel(State { carries: Carries::All, breaks: 0 });
        let task = tokio::spawn(serve(listener, target, seen, delay));
        Ok(Self { address, state, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn set(&self, carries: Carries) {
        self.state.send_if_modified(|state| {
            let before = std::mem::replace(&mut state.carries, carries);
            let breaks =
                before != carries && (before == Carries::Nothing || carries == Carries::NoConnection);
            state.breaks += u64::from(breaks);
            before != carries
        });
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    target: (String, u16),
    state: watch::Receiver<State>,
    delay: [Duration; 2],
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let now = *state.borrow();
                    if now.carries != Carries::NoConnection {
                        open.spawn(join(client, target.clone(), state.clone(), now.breaks, delay));
                    }
                }
                // Out of files, perhaps: the client tries again, and so does this.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// Carries one connection until an end closes it or the line is lost.
async fn join(
    client: TcpStream,
    target: (String, u16),
    mut state: watch::Receiver<State>,
    breaks: u64,
    delay: [Duration; 2],
) {
    let Ok(broker) = TcpStream::connect(target).await else { return };
    if client.set_nodelay(true).is_err() || broker.set_nodelay(true).is_err() {
        return;
    }
    let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
    let (up, down) = (state.clone(), state.clone());
    tokio::select! {
        _ = carry(from_client, to_broker, up, breaks, delay) => {}
        _ = carry(from_broker, to_client, down, breaks, delay) => {}
        _ = state.wait_for(|state| state.breaks != breaks) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: watch::Receiver<State>,
    breaks: u64,
    [least, most]: [Duration; 2],
) -> io::Result<()> {
    let (sent, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let sending = async {
        let mut last = Instant::now();
        let mut buffer = vec![0; READ];
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return io::Result::Ok(());
            }
            let delay = if most.is_zero() { most } else { rand::rng().random_range(least..=most) };
            // Nothing overtakes.
            last = last.max(Instant::now() + delay);
            let now = *state.borrow();
            let gone = now.breaks != breaks;
            if gone
                || now.carries == Carries::All && sent.send((last, buffer[..read].to_vec())).await.is_err()
            {
                return Ok(());
            }
        }
    };
    let arrive = async {
        while let Some((at, bytes)) = arriving.recv().await {
            if !most.is_zero() {
                sleep_until(at).await;
            }
            to.write_all(&bytes).await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        ended = sending => ended,
        ended = arrive => ended,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn pair(line: &Line, broker: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(line.address()).await.unwrap();
        (client, broker.accept().await.unwrap().0)
    }

    async fn read(stream: &mut TcpStream) -> Vec<u8> {
        let mut buffer = [0; 16];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        buffer[..read].to_vec()
    }

    #[tokio::test]
    async fn carries_falls_silent_and_is_lost() {
        let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = ("127.0.0.1".to_owned(), broker.local_addr().unwrap().port());
        let delay = [Duration::from_millis(1), Duration::from_millis(20)];
        let line = Line::lay(target, delay).await.unwrap();
        let (mut client, mut office) = pair(&line, &broker).await;
        for n in 0..50_u8 {
            client.write_all(&[n]).await.unwrap();
        }
        let mut heard = Vec::new();
        while heard.len() < 50 {
            heard.extend(read(&mut office).await);
        }
        assert_eq!(heard, (0..50).collect::<Vec<u8>>(), "nothing overtakes");
        office.write_all(b"back").await.unwrap();
        assert_eq!(read(&mut client).await, b"back");

        line.set(Carries::Nothing);
        client.write_all(b"lost").await.unwrap();
        // A connection made meanwhile stands and carries nothing either.
        let (mut second, mut second_office) = pair(&line, &broker).await;
        second.write_all(b"lost, too").await.unwrap();
        line.set(Carries::All);
        assert!(read(&mut office).await.is_empty(), "what was lost does not come later");
        assert!(read(&mut client).await.is_empty());
        assert!(read(&mut second_office).await.is_empty());

        let (mut client, mut office) = pair(&line, &broker).await;
        line.set(Carries::NoConnection);
        assert!(read(&mut client).await.is_empty() && read(&mut office).await.is_empty());
        let mut refused = TcpStream::connect(line.address()).await.unwrap();
        assert!(read(&mut refused).await.is_empty());
    }
}
