//! What the supervisor is told: systemd's notify protocol, a datagram to the socket named by `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The supervisor's socket; without one nothing is told.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that started this process, by its environment. A watchdog of another process is not ours.
    #[must_use]
    pub fn of_environment() -> Self {
        let text = |name| std::env::var(name).ok();
        let ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = text("WATCHDOG_USEC")
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| ours && *micros > 0)
            .map(Duration::from_micros);
        let socket = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = socket.and_then(|name| match open(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "the supervisor's socket can't be used; it is told nothing");
                None
            }
        });
        Self { socket, watchdog }
    }

    /// How long the supervisor waits for a sign of life; none where it does not.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog)
    }

    /// Tells the supervisor: `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=…`, several on lines of their own.
    pub fn tell(&self, state: &str) {
        if let Some((socket, to)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), to)
        {
            tracing::debug!(%error, "the supervisor could not be told");
        }
    }
}

fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name.as_bytes().split_first() {
        // A name of the abstract namespace.
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not read must not stop the office.
    socket.set_nonblocking(true)?;
    Ok((socket, to))
}
