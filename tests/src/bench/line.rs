//! A light MQTT 5 client (OASIS MQTT 5.0), so that what sends the load costs as little as can be: packets are written
//! by hand, many a write, and read without copies.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::mqtt::{Packet, kind};

/// What a connection is made of: TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Stream for S {}

/// A connection.
#[derive(Debug)]
pub struct Line {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    out: Vec<u8>,
    packet: u16,
}

/// What came.
#[derive(Debug)]
pub enum Came {
    /// A message; its receipt goes out with the next flush.
    Message {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// The broker's receipt of a publish.
    Receipt,
}

impl Line {
    /// Connects with a clean session and subscribes. The broker may send `window` messages without receipts.
    ///
    /// # Errors
    /// When the broker can't be reached or refuses.
    pub async fn connect(
        broker: SocketAddr,
        client_id: &str,
        user: &str,
        secret: &str,
        filter: &str,
        window: u16,
    ) -> anyhow::Result<Self> {
        Self::over(Box::new(reach(broker).await?), client_id, user, secret, filter, window).await
    }

    /// As [`Line::connect`], over TLS by a certificate.
    ///
    /// # Errors
    /// As [`Line::connect`].
    pub async fn connect_by(
        tls: Arc<ClientConfig>,
        broker: SocketAddr,
        terminal: &str,
        filter: &str,
    ) -> anyhow::Result<Self> {
        let stream = secured(tls, broker).await?;
        Self::over(Box::new(stream), terminal, terminal, "", filter, 100).await
    }

    async fn over(
        stream: Box<dyn Stream>,
        client_id: &str,
        user: &str,
        secret: &str,
        filter: &str,
        window: u16,
    ) -> anyhow::Result<Self> {
        let mut line = Self { stream, read: Vec::new(), out: Vec::new(), packet: 0 };
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        // Version 5; user name, password, clean start; keep-alive of 300 s.
        body.extend([5, 0xc2, 1, 44]);
        let [high, low] = window.to_be_bytes();
        let [a, b, c, d] = u32::try_from(meguri_proto::limits::PACKET_BYTES)?.to_be_bytes();
        // Properties: receive maximum, maximum packet size.
        body.extend([8, 0x21, high, low, 0x27, a, b, c, d]);
        for part in [client_id, user, secret] {
            text(&mut body, part);
        }
        packet(&mut line.out, 0x10, &body);
        line.flush().await?;
        let connack = line.await_kind(kind::CONNACK).await?;
        if connack.get(1) != Some(&0) {
            bail!("the broker refuses {user}: {connack:?}");
        }
        let mut body = vec![0, 1, 0];
        text(&mut body, filter);
        body.push(1);
        packet(&mut line.out, 0x82, &body);
        line.flush().await?;
        let suback = line.await_kind(kind::SUBACK).await?;
        if suback.last().is_none_or(|code| *code > 2) {
            bail!("the broker refuses the subscription of {user}: {suback:?}");
        }
        Ok(line)
    }

    /// Waits for a packet of this kind, before anything else is expected; its body.
    async fn await_kind(&mut self, wanted: u8) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(first) = Packet::first(&self.read) {
                let bytes = first.bytes().to_vec();
                let found = first.kind();
                self.read.drain(..bytes.len());
                if found == wanted {
                    // A short packet's length is one byte.
                    return Ok(bytes[2..].to_vec());
                }
                if found != kind::PUBLISH {
                    bail!("the broker sent a packet of kind {found}");
                }
                continue;
            }
            self.fill().await?;
        }
    }

    /// Puts a message with quality of service 1 in the next flush.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.packet = if self.packet == u16::MAX { 1 } else { self.packet + 1 };
        let length = 2 + topic.len() + 2 + 1 + payload.len();
        self.out.push(0x32);
        varint(&mut self.out, length);
        text(&mut self.out, topic);
        self.out.extend(self.packet.to_be_bytes());
        self.out.push(0);
        self.out.extend_from_slice(payload);
    }

    /// Sends what was put.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await.context("the broker ended the connection")?;
            self.out.clear();
        }
        Ok(())
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        self.read.reserve(16 * 1024);
        if self.stream.read_buf(&mut self.read).await.context("the broker ended the connection")? == 0 {
            bail!("the broker ended the connection");
        }
        Ok(())
    }

    /// Waits for something and takes all that is there.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn read(&mut self) -> anyhow::Result<Vec<Came>> {
        self.fill().await?;
        let (mut came, mut at) = (Vec::new(), 0);
        while let Some(next) = Packet::first(&self.read[at..]) {
            match next.kind() {
                kind::PUBLISH => {
                    if next.bytes()[0] & 0b110 != 0 {
                        let id = packet_id(next).context("the broker sent no MQTT")?;
                        packet(&mut self.out, 0x40, &id);
                    }
                    let (topic, payload) = (next.topic().to_owned(), next.payload().to_vec());
                    came.push(Came::Message { topic, payload });
                }
                kind::PUBACK => came.push(Came::Receipt),
                kind::DISCONNECT => bail!("the broker disconnects: {:?}", next.bytes()),
                _ => {}
            }
            at += next.bytes().len();
        }
        self.read.drain(..at);
        Ok(came)
    }
}

async fn reach(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("can't reach the broker")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection over TLS.
///
/// # Errors
/// When nobody answers there, or not as one who is believed.
pub async fn secured(
    tls: Arc<ClientConfig>,
    address: SocketAddr,
) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = reach(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    TlsConnector::from(tls).connect(name, stream).await.context("no TLS with the office")
}

/// The packet identifier of a publish.
fn packet_id(publish: Packet<'_>) -> Option<[u8; 2]> {
    let topic = publish.topic().len();
    let header = 1 + publish.bytes()[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    publish.bytes().get(header + 2 + topic..header + 4 + topic)?.try_into().ok()
}

fn packet(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    varint(out, body.len());
    out.extend_from_slice(body);
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let digit = u8::try_from(value % 128).unwrap_or(0);
        value /= 128;
        out.push(if value > 0 { digit | 0x80 } else { digit });
        if value == 0 {
            return;
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
