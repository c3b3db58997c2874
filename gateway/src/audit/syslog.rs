//! A line for the system's log, which stands on another disk or another machine: RFC 3164 as `/dev/log` takes it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::Head;

/// Facility `authpriv` (10), severity `notice` (5).
const PRIORITY: u8 = 10 * 8 + 5;

/// Tells the socket the head of a day.
///
/// # Errors
/// When there is no such socket, or it takes nothing.
pub fn tell(socket: &Path, city: &str, head: &Head) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    // A log that is stuck must not hold the gateway.
    datagram.set_nonblocking(true)?;
    let Head { day, seq, digest } = head;
    let line =
        format!("<{PRIORITY}>meguri-gateway: audit head city={city} day={day} seq={seq} digest={digest}");
    datagram.send_to(line.as_bytes(), socket).map(drop)
}
