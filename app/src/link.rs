//! The line to the broker: MQTT 5, one connection at a time, made when the core says so.
//!
//! A connection is a task of its own that reports what happens; sending never waits. What the client
//! library could not send is dropped: the log and the hello repair it, so nothing may linger in a
//! queue of another connection.

use std::time::Duration;

use meguri_config::terminal::{Terminal, seconds};
use meguri_core::{Event, Why};
use meguri_proto::{Topic, UpTopic, limits};
use rumqttc::NetworkOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, LastWill, Packet, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event as MqttEvent, EventLoop, MqttOptions, StateError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a leaving terminal waits for its good-bye to be sent.
const LEAVE: Duration = Duration::from_secs(2);
/// More can't stand unsent: both logs' windows, a hello and a few small things.
const QUEUE: usize = 64;

/// An event of the connection with this number; older ones count no more.
pub(crate) type LinkEvent = (u64, Event);

/// The line to the broker.
#[derive(Debug)]
pub(crate) struct Link {
    settings: Terminal,
    secret: String,
    will: Vec<u8>,
    events: mpsc::Sender<LinkEvent>,
    number: u64,
    connection: Option<(AsyncClient, JoinHandle<()>)>,
}

impl Link {
    pub(crate) fn new(
        settings: Terminal,
        secret: String,
        will: Vec<u8>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        Self { settings, secret, will, events, number: 0, connection: None }
    }

    /// Whether an event is of the connection that counts.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.number == number && self.connection.is_some()
    }

    /// Connects and subscribes, in place of whatever there was.
    pub(crate) fn connect(&mut self) {
        self.disconnect();
        self.number += 1;
        let (client, eventloop) = AsyncClient::new(self.options(), QUEUE);
        let connection = Connection {
            client: client.clone(),
            filter: Topic::terminal_filter(&self.settings.city, &self.settings.terminal),
            // A live connection shows a sign of life, its own pings at least, every `keep_alive`.
            silence: eventloop.options.keep_alive() * 2 + Duration::from_secs(5),
            join: seconds(self.settings.timers.join),
            number: self.number,
            events: self.events.clone(),
        };
        self.connection = Some((client, tokio::spawn(connection.run(eventloop))));
    }

    /// Drops the connection without a word, so that its last will is told.
    pub(crate) fn disconnect(&mut self) {
        if let Some((_, task)) = self.connection.take() {
            task.abort();
        }
    }

    /// Publishes below this terminal's `up/`, or drops it where that can't be at once.
    pub(crate) fn publish(&self, topic: UpTopic, payload: Vec<u8>) {
        let Some((client, _)) = &self.connection else { return };
        let qos = if topic == UpTopic::Position { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let retain = topic == UpTopic::Presence;
        if client.try_publish(self.topic(topic), qos, retain, payload).is_err() {
            tracing::debug!(topic = topic.as_str(), "not sent: too much stands unsent on this connection");
        }
    }

    /// Says good-bye and closes the connection in good order.
    pub(crate) async fn leave(&mut self, offline: Vec<u8>) {
        self.publish(UpTopic::Presence, offline);
        let Some((client, task)) = self.connection.take() else { return };
        let abort = task.abort_handle();
        if client.try_disconnect().is_err() || timeout(LEAVE, task).await.is_err() {
            abort.abort();
        }
    }

    fn topic(&self, topic: UpTopic) -> String {
        Topic::up(self.settings.city.clone(), self.settings.terminal.clone(), topic).to_string()
    }

    fn options(&self) -> MqttOptions {
        let (broker, name) = (&self.settings.broker, self.settings.terminal.as_str());
        let mut options = MqttOptions::new(name, &broker.host, broker.port);
        let will =
            LastWill::new(self.topic(UpTopic::Presence), self.will.clone(), QoS::AtLeastOnce, true, None);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_keep_alive(seconds(self.settings.timers.keep_alive))
            .set_credentials(name, &self.secret)
            .set_clean_start(true)
            .set_session_expiry_interval(Some(0))
            .set_max_packet_size(u32::try_from(limits::PACKET_BYTES).ok())
            .set_receive_maximum(u16::try_from(QUEUE).ok())
            .set_outgoing_inflight_upper_limit(QUEUE as u16)
            .set_last_will(will)
            .set_network_options(network);
        options.set_connection_timeout(10);
        options
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.disconnect();
    }
}

struct Connection {
    client: AsyncClient,
    filter: String,
    silence: Duration,
    join: Duration,
    number: u64,
    events: mpsc::Sender<LinkEvent>,
}

impl Connection {
    async fn run(self, mut eventloop: EventLoop) {
        let why = self.until_lost(&mut eventloop).await;
        if let Some(why) = why {
            self.report(Event::Disconnected(why)).await;
        }
    }

    /// Works the connection until it is lost, or closed from here.
    async fn until_lost(&self, eventloop: &mut EventLoop) -> Option<Why> {
        let lost = |what: &str| Some(Why::Lost(what.to_owned()));
        let join_by = Instant::now() + self.join;
        let mut joined = false;
        loop {
            // A peer that stops reading blocks the client library in the middle of a write, where it
            // sends no pings: hence a limit around everything.
            let deadline = if joined { Instant::now() + self.silence } else { join_by };
            let event = match timeout_at(deadline, eventloop.poll()).await {
                Ok(Ok(MqttEvent::Incoming(packet))) => packet,
                Ok(Ok(MqttEvent::Outgoing(rumqttc::Outgoing::Disconnect))) => return None,
                Ok(Ok(MqttEvent::Outgoing(_))) => continue,
                Ok(Err(error)) => return Some(why(&error)),
                Err(_) => return lost("no sign of life"),
            };
            match event {
                Packet::ConnAck(_) if self.client.try_subscribe(&self.filter, QoS::AtLeastOnce).is_err() => {
                    return lost("could not subscribe");
                }
                Packet::SubAck(ack) => {
                    if !ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))) {
                        return Some(Why::Refused("the broker refuses this terminal's topics".to_owned()));
                    }
                    joined = true;
                    self.report(Event::Connected).await;
                }
                Packet::Publish(publish) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    self.report(Event::Received { topic, payload: publish.payload.to_vec() }).await;
                }
                _ => {}
            }
        }
    }

    async fn report(&self, event: Event) {
        // Nobody listens any more when the terminal stops.
        let _stopping = self.events.send((self.number, event)).await;
    }
}

fn why(error: &ConnectionError) -> Why {
    use ConnectReturnCode::{
        BadAuthenticationMethod, BadClientId, BadUserNamePassword, Banned, ClientIdentifierNotValid,
        NotAuthorized,
    };
    match error {
        ConnectionError::ConnectionRefused(
            code @ (BadAuthenticationMethod
            | BadClientId
            | BadUserNamePassword
            | Banned
            | ClientIdentifierNotValid
            | NotAuthorized),
        ) => Why::Refused(format!("the broker refuses this terminal: {code:?}")),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => match reason_code {
            DisconnectReasonCode::SessionTakenOver => Why::Taken,
            DisconnectReasonCode::NotAuthorized => {
                Why::Refused("the broker no longer lets this terminal in".to_owned())
            }
            other => Why::Lost(format!("the broker closed the connection: {other:?}")),
        },
        other => Why::Lost(other.to_string()),
    }
}
