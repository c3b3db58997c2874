//! A mobile line: `netem` in a network namespace where the kernel has it, else the same figures on a forwarder in
//! user space.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use rand::Rng as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// One way, in milliseconds: so long, so much more or less.
const DELAY: (u64, u64) = (60, 20);
/// Of a hundred segments so many are lost.
const LOSS: u32 = 1;
/// What a lost segment costs those behind it: the sender's least wait before it sends again, and one more way.
const RESEND: Duration = Duration::from_millis(200 + 2 * DELAY.0);
/// Bytes a second: 5 Mbit/s.
const BYTES: f64 = 5e6 / 8.0;
const SEGMENT: usize = 1_400;

/// A network namespace whose loopback is such a line. It ends when it is dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// When the system or its kernel does not allow it; the text says what it said.
    pub fn make() -> anyhow::Result<Self> {
        let namespace = Self { name: format!("meguri-bench-{}", std::process::id()) };
        ip(&["netns", "add", &namespace.name])?;
        ip(&["-n", &namespace.name, "link", "set", "lo", "up"])?;
        let (delay, spread) = (format!("{}ms", DELAY.0), format!("{}ms", DELAY.1));
        let loss = format!("{LOSS}%");
        let netem = ["root", "netem", "delay", &delay, &spread, "loss", &loss, "rate", "5mbit"];
        let mut tc = Command::new("tc");
        tc.args(["-n", &namespace.name, "qdisc", "add", "dev", "lo"]).args(netem);
        run(&mut tc)?;
        Ok(namespace)
    }

    /// A command line that runs a program in it.
    #[must_use]
    pub fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may never have been made.
        drop(ip(&["netns", "delete", &self.name]));
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let said = command.output().with_context(|| format!("can't run {command:?}: install iproute2"))?;
    if !said.status.success() {
        bail!("{}", String::from_utf8_lossy(&said.stderr).trim());
    }
    Ok(())
}

/// A forwarder that delays, stalls and paces what passes as such a line does to a TCP connection on it.
pub struct Forwarder {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Forwarder {
    /// Forwards to `target`.
    ///
    /// # Errors
    /// When the system gives no port or thread.
    pub fn start(target: SocketAddr) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                let Ok(there) = TcpStream::connect(target).await else { continue };
                // Fails only on a connection that has ended.
                let _ = (here.set_nodelay(true), there.set_nodelay(true));
                let ((from, to), (back_from, back_to)) = (here.into_split(), there.into_split());
                tokio::spawn(one_way(from, back_to));
                tokio::spawn(one_way(back_from, to));
            }
        });
        Ok(Self { address, _runtime: runtime })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // What is under way, and when each piece arrives; the pieces keep their order, as TCP's bytes do.
    let mut way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let (mut sent, mut arrives) = (Instant::now(), Instant::now());
    let (mut buffer, mut open) = (vec![0; 64 * 1024], true);
    while open || !way.is_empty() {
        let due = way.front().map_or_else(Instant::now, |(due, _)| *due);
        tokio::select! {
            read = from.read(&mut buffer), if open => match read {
                Ok(0) | Err(_) => open = false,
                Ok(length) => {
                    for segment in buffer[..length].chunks(SEGMENT) {
                        sent = sent.max(Instant::now()) + Duration::from_secs_f64(segment.len() as f64 / BYTES);
                        let (delay, lost) = {
                            let mut random = rand::rng();
                            let delay = random.random_range(DELAY.0 - DELAY.1..=DELAY.0 + DELAY.1);
                            (Duration::from_millis(delay), random.random_ratio(LOSS, 100))
                        };
                        let resend = if lost { RESEND } else { Duration::ZERO };
                        arrives = arrives.max(sent + delay + resend);
                        way.push_back((arrives, segment.to_vec()));
                    }
                }
            },
            () = tokio::time::sleep_until(due), if !way.is_empty() => {
                let Some((_, segment)) = way.pop_front() else { continue };
                if to.write_all(&segment).await.is_err() {
                    return;
                }
            }
        }
    }
}
