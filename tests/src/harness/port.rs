//! A port that a program under test gets, keeps over its restarts, and nobody else is given meanwhile.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A free loopback port.
///
/// It stays bound here without listening. Programs that set `SO_REUSEADDR`, as servers do, can bind it beside this and
/// listen; whoever asks for any free port is never given it, in tests that run at the same time neither.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl Port {
    /// Takes one of the operating system's choice.
    ///
    /// # Errors
    /// When there is none.
    pub fn take() -> io::Result<Self> {
        Self::at(0)
    }

    /// Takes this one, or one of the operating system's choice where it is 0.
    ///
    /// # Errors
    /// When somebody listens there.
    pub fn at(port: u16) -> io::Result<Self> {
        let bound = TcpSocket::new_v4()?;
        bound.set_reuseaddr(true)?;
        bound.bind((Ipv4Addr::LOCALHOST, port).into())?;
        Ok(Self { address: bound.local_addr()?, _bound: bound })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_program_can_listen_there_again_and_again_and_nobody_else_is_given_it() {
        let port = Port::take().unwrap();
        for _ in 0..3 {
            let listening = TcpListener::bind(port.address()).unwrap();
            assert_eq!(Port::at(port.address().port()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            drop(listening);
        }
        // Who does not ask to share is refused; a search for any free port asks just so.
        let taken = TcpSocket::new_v4().unwrap().bind(port.address());
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
