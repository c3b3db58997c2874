//! The office's line to the broker: one MQTT 5 client, the same for the embedded broker and an external one.
//!
//! Every connection is a fresh client: nothing of an earlier one is sent again, since hello repairs
//! what was lost. Messages are receipted to the broker only when the writer is done with them; the
//! broker sends no more than a window without receipts. So a busy writer holds messages back without
//! ever stopping the line's keep-alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meguri_config::terminal::seconds;
use meguri_proto::{CityId, Topic, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broker::Login;
use crate::config::Settings;
use crate::ingest::Incoming;
use crate::outbox::{Receipt, Waiting};
use crate::writer::Writer;

/// Requests that may wait inside the client.
const REQUESTS: usize = 256;
/// Longest wait for a connection to be made.
const CONNECT: u64 = 10;
/// Longest wait at the end for what is still to be sent.
const FAREWELL: Duration = Duration::from_secs(3);

/// The running link.
#[derive(Debug)]
pub struct Link {
    stop: watch::Sender<Stop>,
    connection: watch::Receiver<Option<Connection>>,
    line: JoinHandle<()>,
    sender: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Go on.
    No,
    /// Take no more messages; go on sending.
    Taking,
}

/// The connection that stands, if one does.
#[derive(Debug, Clone)]
struct Connection {
    number: u64,
    client: AsyncClient,
}

impl Link {
    /// Starts the link; it connects, and connects again, by itself.
    #[must_use]
    pub fn start(login: Login, city: &CityId, settings: &Settings, writer: Writer, waiting: Waiting) -> Self {
        let (stop, stopping) = watch::channel(Stop::No);
        let (current, connection) = watch::channel(None);
        let line = Line {
            login,
            filter: Topic::office_filter(city),
            keep_alive: seconds(settings.timers.keep_alive),
            window: settings.ingest.window,
            reconnects: settings.timers.reconnects(),
            writer,
            current,
            stopping,
            // Tells this gateway's client ids apart from another one's by mistake at the same broker.
            client_id: format!("office-{}", uuid::Uuid::new_v4().simple()),
            numbers: Arc::default(),
        };
        let line = tokio::spawn(line.run());
        let sender = tokio::spawn(send(waiting, connection.clone()));
        Self { stop, connection, line, sender }
    }

    /// Waits until the broker is connected and subscribed to.
    pub async fn connected(&mut self) {
        // An error says that the line has ended: then nothing will come of waiting.
        let _ = self.connection.wait_for(Option::is_some).await;
    }

    /// Waits for the link to end by itself, which it never should: without it the office is deaf.
    pub async fn broke(&mut self) {
        tokio::select! {
            _ = &mut self.line => {}
            _ = &mut self.sender => {}
        }
    }

    /// Takes no more messages from now on; what waits to be sent still is.
    pub fn take_no_more(&self) {
        self.stop.send_replace(Stop::Taking);
    }

    /// Waits until everything handed over is sent, as far as the broker lets it, and ends the line.
    /// The outbox must be dropped before.
    pub async fn end(self) {
        // Whatever does not end by then is repaired by hello.
        let _ = tokio::time::timeout(FAREWELL, self.sender).await;
        let mut line = self.line;
        if tokio::time::timeout(FAREWELL, &mut line).await.is_err() {
            line.abort();
        }
    }
}

struct Line {
    login: Login,
    filter: String,
    keep_alive: Duration,
    window: u16,
    reconnects: (Duration, Duration),
    writer: Writer,
    current: watch::Sender<Option<Connection>>,
    stopping: watch::Receiver<Stop>,
    client_id: String,
    numbers: Arc<AtomicU64>,
}

impl Line {
    async fn run(self) {
        let (first, most) = self.reconnects;
        let mut wait = first;
        loop {
            if *self.stopping.borrow() != Stop::No {
                return;
            }
            let connected = self.connection().await;
            self.current.send_replace(None);
            self.writer.vitals().line(false);
            if connected {
                wait = first;
            }
            // Half to one and a half of the wait, so that many gateways do not knock together.
            let jittered = wait.mul_f64(0.5 + rand::random::<f64>()).min(most);
            let mut stopping = self.stopping.clone();
            let told_to_stop = stopping.wait_for(|stop| *stop != Stop::No);
            // Either way the loop's head decides; an error means that nobody holds the link any more.
            let _ = tokio::time::timeout(jittered, told_to_stop).await;
            wait = (wait * 2).min(most);
        }
    }

    /// One connection from its start to its end; says whether it stood.
    async fn connection(&self) -> bool {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let (client, mut events) = AsyncClient::new(self.options(), REQUESTS);
        let mut stood = false;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    if client.try_subscribe(&self.filter, QoS::AtLeastOnce).is_err() {
                        return stood;
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    if !matches!(ack.return_codes.first(), Some(SubscribeReasonCode::Success(_))) {
                        tracing::error!(reasons = ?ack.return_codes, "the broker refuses the office's subscription; its access rules must allow it");
                        return stood;
                    }
                    stood = true;
                    tracing::info!(host = %self.login.host, port = self.login.port, "connected to the broker");
                    self.writer.vitals().line(true);
                    self.current.send_replace(Some(Connection { number, client: client.clone() }));
                    // In a task of its own: the writer may be busy, the line must go on.
                    let writer = self.writer.clone();
                    tokio::spawn(async move { writer.connected().await });
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(number, &client, publish),
                // Everything before it is sent. Brokers differ in whether they hang up then.
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return stood,
                Ok(_) => {}
                Err(error) => {
                    // What the client says of its requests may hold payloads, so only its kind is told.
                    tracing::warn!(
                        problem = crate::broker::problem(&error),
                        stood,
                        "no line to the broker; it is tried again"
                    );
                    return stood;
                }
            }
        }
    }

    fn take(&self, connection: u64, client: &AsyncClient, publish: Publish) {
        if *self.stopping.borrow() != Stop::No {
            return;
        }
        let receipt =
            (publish.qos != QoS::AtMostOnce).then_some(Receipt { connection, packet: publish.pkid });
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let message = Incoming { topic, payload: publish.payload.to_vec() };
        if self.writer.take(message, receipt).is_err() {
            self.writer.vitals().counts().dropped.add(1);
            tracing::warn!("the writer is behind; a message is dropped, and hello repairs it");
            if let Some(receipt) = receipt {
                let _ = client.try_ack(&receipted(receipt.packet));
            }
        }
    }

    fn options(&self) -> MqttOptions {
        let packet = u32::try_from(limits::PACKET_BYTES).unwrap_or(u32::MAX);
        // The embedded broker knows the office by its user name alone; an external one may want a client id, too.
        let mut options = self.login.options(&self.client_id);
        let properties = ConnectProperties {
            session_expiry_interval: Some(0),
            receive_maximum: Some(self.window),
            max_packet_size: Some(packet),
            ..ConnectProperties::new()
        };
        // An acknowledgement goes out at once; else the system holds small packets back until earlier ones are confirmed.
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_network_options(network)
            .set_keep_alive(self.keep_alive)
            .set_connection_timeout(CONNECT)
            .set_manual_acks(true)
            .set_connect_properties(properties);
        options
    }
}

/// What the client needs to receipt a message: its number, and that it wants a receipt.
fn receipted(packet: u16) -> Publish {
    let mut publish = Publish::new("", QoS::AtLeastOnce, Vec::new(), None);
    publish.pkid = packet;
    publish
}

/// Sends what the writer hands over, on whatever connection stands; without one it is dropped.
async fn send(waiting: Waiting, connection: watch::Receiver<Option<Connection>>) {
    let Waiting { mut messages, mut receipts } = waiting;
    let current = || connection.borrow().clone();
    loop {
        // In no order: neither may wait until the other's queue is empty.
        tokio::select! {
            Some(receipt) = receipts.recv() => if let Some(now) = current().filter(|now| now.number == receipt.connection) {
                // An error says that the connection has ended; so have its receipts.
                let _ = now.client.ack(&receipted(receipt.packet)).await;
            },
            Some(message) = messages.recv() => if let Some(now) = current() {
                let _ = now.client.publish(message.topic, QoS::AtLeastOnce, false, message.payload).await;
            },
            else => break,
        }
    }
    if let Some(now) = current() {
        let _ = now.client.disconnect().await;
    }
}
