//! A line that breaks on purpose: a TCP proxy on loopback that cuts, delays, half-closes and swallows.
//!
//! It passes whole MQTT packets, so that a test can lose exactly the one it means; of a line with TLS, whole records.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::mqtt::Packet;

/// The kind of record that TLS begins with (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the broker.
    Up,
    /// From the broker to the client.
    Down,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is lost and nobody notices.
    Lose,
    /// It is lost and the connection with it.
    LoseAndCut,
    /// It goes on, and then the connection is cut.
    PassAndCut,
}

/// Looks at every packet.
pub type Rule = Box<dyn FnMut(Way, &Packet) -> Verdict + Send>;

/// The proxy. Ends with all its connections when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    faults: Mutex<Faults>,
    // Both ends of every connection, so that they can be shut from outside.
    open: Mutex<Vec<[TcpStream; 2]>>,
    ended: AtomicBool,
}

#[derive(Default)]
struct Faults {
    refuse: bool,
    swallow: [bool; 2],
    delay: [Duration; 2],
    rule: Option<Rule>,
}

impl Way {
    fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked holding it fails its test anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy towards `target` on a free port.
    ///
    /// # Errors
    /// When no port is to be had.
    pub fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            faults: Mutex::default(),
            open: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    // A connection that can't be made on is one that the client sees closed.
                    drop(accepting.join(client));
                }
            }
        })?;
        Ok(Self { address, shared })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections lead from now on.
    pub fn set_target(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
    }

    /// Cuts every connection; new ones are taken.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Whether new connections are closed at once; those that are there are cut.
    pub fn refuse(&self, refuse: bool) {
        lock(&self.shared.faults).refuse = refuse;
        if refuse {
            self.cut();
        }
    }

    /// Whether all that goes one way is swallowed: the connection stands and nothing arrives.
    pub fn swallow(&self, way: Way, swallow: bool) {
        lock(&self.shared.faults).swallow[way.index()] = swallow;
    }

    /// How long every packet of one way is held back.
    pub fn delay(&self, way: Way, delay: Duration) {
        lock(&self.shared.faults).delay[way.index()] = delay;
    }

    /// Tells the receiving end of one way that no more comes; the other way stays open.
    pub fn half_close(&self, way: Way) {
        for ends in lock(&self.shared.open).iter() {
            // An end that is gone already is as closed as it should be.
            drop(ends[1 - way.index()].shutdown(Shutdown::Write));
        }
    }

    /// Lets `rule` judge every packet.
    pub fn rule(&self, rule: impl FnMut(Way, &Packet) -> Verdict + Send + 'static) {
        lock(&self.shared.faults).rule = Some(Box::new(rule));
    }

    /// Ends every fault. What was lost stays lost, so connections that stood in one are cut.
    pub fn heal(&self) {
        let swallowed = {
            let mut faults = lock(&self.shared.faults);
            let swallowed = faults.swallow != [false, false];
            *faults = Faults::default();
            swallowed
        };
        if swallowed {
            self.cut();
        }
    }

    /// How many connections stand.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.shared.open).len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn cut(&self) {
        for ends in lock(&self.open).drain(..) {
            for end in ends {
                drop(end.shutdown(Shutdown::Both));
            }
        }
    }

    fn join(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        if lock(&self.faults).refuse {
            return Ok(());
        }
        let target = *lock(&self.target);
        let broker = TcpStream::connect_timeout(&target, Duration::from_secs(5))?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        lock(&self.open).push([client.try_clone()?, broker.try_clone()?]);
        // A fault that came between the look above and this line must not miss the connection.
        if lock(&self.faults).refuse || self.ended.load(Ordering::SeqCst) {
            self.cut();
            return Ok(());
        }
        self.pump(Way::Up, client.try_clone()?, broker.try_clone()?)?;
        self.pump(Way::Down, broker, client)
    }

    fn pump(self: &Arc<Self>, way: Way, mut from: TcpStream, mut to: TcpStream) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        thread::Builder::new().name(format!("proxy {way:?}")).spawn(move || {
            if shared.carry(way, &mut from, &mut to).is_err() {
                drop(from.shutdown(Shutdown::Both));
                drop(to.shutdown(Shutdown::Both));
            } else {
                drop(to.shutdown(Shutdown::Write));
            }
            // Forget connections of which an end is gone.
            lock(&shared.open).retain(|ends| ends.iter().all(|end| end.peer_addr().is_ok()));
        })?;
        Ok(())
    }

    /// Carries packets until the sender closes.
    fn carry(&self, way: Way, from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
        let mut waiting: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut tls = None;
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            waiting.extend_from_slice(&buffer[..read]);
            // Both ends of TLS begin with a record of its handshake, which is no packet that begins a line of MQTT.
            let tls = *tls.get_or_insert(buffer[0] == TLS_HANDSHAKE);
            let next = |at: usize| {
                let waiting = &waiting[at..];
                if tls { Packet::first_record(waiting) } else { Packet::first(waiting) }
            };
            let mut done = 0;
            while let Some(packet) = next(done) {
                done += packet.bytes().len();
                let (verdict, delay) = self.judge(way, &packet);
                if !delay.is_zero() {
                    thread::sleep(delay);
                }
                if matches!(verdict, Verdict::Pass | Verdict::PassAndCut) {
                    to.write_all(packet.bytes())?;
                }
                if matches!(verdict, Verdict::PassAndCut | Verdict::LoseAndCut) {
                    return Err(std::io::ErrorKind::ConnectionAborted.into());
                }
            }
            waiting.drain(..done);
        }
    }

    fn judge(&self, way: Way, packet: &Packet) -> (Verdict, Duration) {
        let mut faults = lock(&self.faults);
        let mut verdict = faults.rule.as_mut().map_or(Verdict::Pass, |rule| rule(way, packet));
        if faults.swallow[way.index()] {
            verdict = Verdict::Lose;
        }
        (verdict, faults.delay[way.index()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::harness::eventually;

    const PING: [u8; 2] = [0xc0, 0];
    const PONG: [u8; 2] = [0xd0, 0];

    /// A client and the broker's end of its connection.
    fn pair(proxy: &Proxy, broker: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(proxy.address()).unwrap();
        (client, broker.accept().unwrap().0)
    }

    fn read(stream: &mut TcpStream) -> Vec<u8> {
        let mut buffer = [0; 16];
        let read = stream.read(&mut buffer).unwrap_or(0);
        buffer[..read].to_vec()
    }

    #[test]
    fn passes_loses_and_cuts() {
        let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(broker.local_addr().unwrap()).unwrap();
        let (mut client, mut office) = pair(&proxy, &broker);
        client.write_all(&PING).unwrap();
        assert_eq!(read(&mut office), PING);
        let mut seen = 0;
        proxy.rule(move |way, _| {
            seen += usize::from(way == Way::Up);
            if seen == 1 { Verdict::Lose } else { Verdict::Pass }
        });
        client.write_all(&PING).unwrap();
        client.write_all(&PONG).unwrap();
        assert_eq!(read(&mut office), PONG, "the first is lost, the second arrives");
        proxy.cut();
        assert!(read(&mut client).is_empty() && read(&mut office).is_empty());
        eventually("the connection is forgotten", || (proxy.connections() == 0).then_some(()));
    }

    #[test]
    fn half_closes_one_way_only() {
        let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(broker.local_addr().unwrap()).unwrap();
        let (mut client, mut office) = pair(&proxy, &broker);
        client.write_all(&PING).unwrap();
        assert_eq!(read(&mut office), PING);
        proxy.half_close(Way::Up);
        assert!(read(&mut office).is_empty(), "the broker sees the end");
        office.write_all(&PONG).unwrap();
        assert_eq!(read(&mut client), PONG, "the client still hears");
    }
}
