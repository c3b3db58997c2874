//! The line to the broker: MQTT 5, one connection at a time, made when the core says so.
//!
//! A connection is a task of its own that reports what happens; sending never waits. What the client
//! library could not send is dropped: the log and the hello repair it, so nothing may linger in a
//! queue of another connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use meguri_config::bundle::Connection as Broker;
use meguri_config::terminal::{Terminal, seconds};
use meguri_core::{Event, Why};
use meguri_proto::{Topic, UpTopic, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, LastWill, Packet, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event as MqttEvent, EventLoop, MqttOptions, StateError};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::enrol;
use crate::identity::{Identity, IdentityError};
use crate::office::Dates;

/// How long a leaving terminal waits for its good-bye to be sent.
const LEAVE: Duration = Duration::from_secs(2);
/// More can't stand unsent: both logs' windows, a hello and a few small things.
const QUEUE: usize = 64;

/// An event of the connection with this number; older ones count no more.
pub(crate) type LinkEvent = (u64, Event);

/// How long after a renewal that failed the next one is tried, give or take half of it: many that failed at once, as while the
/// office was away, must not come back at once.
const RENEW_AGAIN: Duration = Duration::from_secs(60 * 60);

fn renew_again() -> Instant {
    Instant::now() + RENEW_AGAIN.mul_f64(0.5 + rand::random::<f64>())
}

/// By what the terminal comes in.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// A secret, on a line that is not encrypted.
    Secret(String),
    /// A certificate, over TLS.
    Identity(Arc<Mutex<Identity>>),
}

/// The line to the broker.
#[derive(Debug)]
pub(crate) struct Link {
    settings: Terminal,
    /// The broker that is connected to.
    broker: Broker,
    credentials: Credentials,
    dates: Dates,
    /// Whether this connection is by the next certificate.
    by_next: bool,
    /// No line came of the next certificate: the one before has its turn.
    next_failed: bool,
    /// It was refused, and not merely lost on the way.
    next_refused: bool,
    /// The line stands by the one before, while the next one waits.
    next_waits: bool,
    /// A renewal under way, or when one may be tried again.
    renewing: Option<JoinHandle<()>>,
    renew_from: Instant,
    will: Vec<u8>,
    events: mpsc::Sender<LinkEvent>,
    number: u64,
    /// Without a client where none could be made.
    connection: Option<(Option<AsyncClient>, JoinHandle<()>)>,
}

impl Link {
    pub(crate) fn new(
        settings: Terminal,
        credentials: Credentials,
        will: Vec<u8>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let broker = Broker { host: String::new(), port: 0, office: None, authority: None };
        Self {
            settings,
            broker,
            credentials,
            dates: Dates::default(),
            by_next: false,
            next_failed: false,
            next_refused: false,
            next_waits: false,
            renewing: None,
            renew_from: Instant::now(),
            will,
            events,
            number: 0,
            connection: None,
        }
    }

    /// Notes what became of the connection: a certificate that was taken stays, one of which no line came makes room for the
    /// one before. Where that is taken, one that was refused goes, so that another can be asked for: an office that was put back
    /// from a copy knows nothing of it.
    pub(crate) fn note(&mut self, event: &Event) {
        let Credentials::Identity(identity) = &self.credentials else { return };
        match event {
            Event::Connected if self.by_next => {
                self.by_next = false;
                let done = identity.lock().unwrap_or_else(PoisonError::into_inner).came_in();
                match done {
                    Ok(()) => tracing::info!("came in by the new certificate"),
                    // Both stay on the disk, and the next connection tries again.
                    Err(error) => {
                        tracing::error!(%error, "the new certificate is taken, but can't be kept as the one in use")
                    }
                }
            }
            Event::Connected if !self.next_refused => {
                self.next_waits = identity.lock().unwrap_or_else(PoisonError::into_inner).has_next();
            }
            Event::Connected => {
                self.next_refused = false;
                let dropped = identity.lock().unwrap_or_else(PoisonError::into_inner).drop_next();
                self.renew_from = renew_again();
                match dropped {
                    Ok(()) => tracing::warn!("the new certificate is refused; another one is asked for"),
                    Err(error) => {
                        tracing::error!(%error, "the new certificate is refused, and can't be dropped")
                    }
                }
            }
            Event::Disconnected(why) => {
                self.next_waits = false;
                self.next_failed = std::mem::take(&mut self.by_next);
                self.next_refused = self.next_failed && matches!(why, Why::Refused(_));
            }
            _ => {}
        }
    }

    /// Looks at the time that is sure: whether the certificate is to be renewed. A renewal works beside the line.
    pub(crate) fn look(&mut self, now: Timestamp) {
        let Credentials::Identity(identity) = &self.credentials else { return };
        self.dates.believe(now);
        if self.renewing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.renewing = None;
        }
        if std::mem::take(&mut self.next_waits) {
            // Nothing says that it is not taken.
            if Instant::now() < self.renew_from {
                self.next_waits = true;
                return;
            }
            self.renew_from = renew_again();
            let (events, number) = (self.events.clone(), self.number);
            tokio::spawn(async move { change(&events, number).await });
            return;
        }
        let due = || identity.lock().unwrap_or_else(PoisonError::into_inner).is_due(now);
        let (Some(office), None, true) = (&self.broker.office, &self.renewing, self.connection.is_some())
        else {
            return;
        };
        if Instant::now() < self.renew_from || !due() {
            return;
        }
        self.renew_from = renew_again();
        let (identity, terminal, office) =
            (Arc::clone(identity), self.settings.terminal.clone(), office.clone());
        let (dates, events, number) = (self.dates.clone(), self.events.clone(), self.number);
        self.renewing = Some(tokio::spawn(async move {
            match enrol::renew(&identity, &terminal, &office, &dates).await {
                Ok(()) => {
                    tracing::info!("the certificate is renewed");
                    change(&events, number).await;
                }
                Err(error) => tracing::warn!(%error, "the certificate is not renewed; it is tried again"),
            }
        }));
    }

    /// Whether an event is of the connection that counts.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.number == number && self.connection.is_some()
    }

    /// The settings in force are these; the next connection goes by them.
    pub(crate) fn reconfigure(&mut self, settings: Terminal) {
        self.settings = settings;
    }

    /// Connects to a broker and subscribes, in place of whatever there was.
    pub(crate) fn connect(&mut self, broker: Broker) {
        self.disconnect();
        self.number += 1;
        if self.broker != broker {
            // What one broker said of a certificate is not another one's word.
            (self.next_failed, self.next_refused, self.by_next) = (false, false, false);
            if let Credentials::Identity(identity) = &self.credentials {
                let mut identity = identity.lock().unwrap_or_else(PoisonError::into_inner);
                identity.believe_beside(broker.authority.as_deref());
            }
            self.broker = broker;
        }
        let (options, certificate) = match self.options() {
            Ok(made) => made,
            Err(error) => {
                let lost = (self.number, Event::Disconnected(Why::Refused(error.to_string())));
                let events = self.events.clone();
                // It counts as a connection, so that what is said of it is heard.
                let told = tokio::spawn(async move { drop(events.send(lost).await) });
                self.connection = Some((None, told));
                return;
            }
        };
        let (client, eventloop) = AsyncClient::new(options, QUEUE);
        let connection = Connection {
            client: client.clone(),
            filter: Topic::terminal_filter(&self.settings.city, &self.settings.terminal),
            // A live connection shows a sign of life, its own pings at least, every `keep_alive`.
            silence: eventloop.options.keep_alive() * 2 + Duration::from_secs(5),
            join: seconds(self.settings.timers.join),
            number: self.number,
            certificate,
            events: self.events.clone(),
        };
        self.connection = Some((Some(client), tokio::spawn(connection.run(eventloop))));
    }

    /// Drops the connection without a word, so that its last will is told.
    pub(crate) fn disconnect(&mut self) {
        if let Some((_, task)) = self.connection.take() {
            task.abort();
        }
    }

    /// Publishes below this terminal's `up/`, or drops it where that can't be at once.
    pub(crate) fn publish(&self, topic: UpTopic, payload: Vec<u8>) {
        let Some((Some(client), _)) = &self.connection else { return };
        let qos = if topic == UpTopic::Position { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let retain = topic == UpTopic::Presence;
        if client.try_publish(self.topic(topic), qos, retain, payload).is_err() {
            tracing::debug!(topic = topic.as_str(), "not sent: too much stands unsent on this connection");
        }
    }

    /// Says good-bye and closes the connection in good order.
    pub(crate) async fn leave(&mut self, offline: Vec<u8>) {
        self.publish(UpTopic::Presence, offline);
        let Some((Some(client), task)) = self.connection.take() else { return };
        let abort = task.abort_handle();
        if client.try_disconnect().is_err() || timeout(LEAVE, task).await.is_err() {
            abort.abort();
        }
    }

    fn topic(&self, topic: UpTopic) -> String {
        Topic::up(self.settings.city.clone(), self.settings.terminal.clone(), topic).to_string()
    }

    /// How to connect, and the serial number of the certificate by which.
    fn options(&mut self) -> Result<(MqttOptions, Option<String>), IdentityError> {
        let (secret, tls, certificate) = match &self.credentials {
            Credentials::Secret(secret) => (secret.clone(), None, None),
            Credentials::Identity(identity) => {
                let identity = identity.lock().unwrap_or_else(PoisonError::into_inner);
                // The next one first; where it was refused, the one before, and then the next again.
                self.by_next = identity.has_next() && !(self.next_failed && identity.has_current());
                let certificate = identity.serial(self.by_next).map(str::to_owned);
                (String::new(), Some(identity.client(self.by_next, &self.dates)?), certificate)
            }
        };
        let (broker, name) = (&self.broker, self.settings.terminal.as_str());
        let mut options = MqttOptions::new(name, &broker.host, broker.port);
        let will =
            LastWill::new(self.topic(UpTopic::Presence), self.will.clone(), QoS::AtLeastOnce, true, None);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_keep_alive(seconds(self.settings.timers.keep_alive))
            .set_credentials(name, secret)
            .set_clean_start(true)
            .set_session_expiry_interval(Some(0))
            .set_max_packet_size(u32::try_from(limits::PACKET_BYTES).ok())
            .set_receive_maximum(u16::try_from(QUEUE).ok())
            .set_outgoing_inflight_upper_limit(QUEUE as u16)
            .set_last_will(will)
            .set_network_options(network);
        if let Some(tls) = tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        }
        options.set_connection_timeout(10);
        Ok((options, certificate))
    }
}

/// Has the line made anew, by the next certificate.
async fn change(events: &mpsc::Sender<LinkEvent>, number: u64) {
    let change = Event::Disconnected(Why::Lost("to come in by the new certificate".to_owned()));
    // Nobody listens any more when the terminal stops.
    let _stopping = events.send((number, change)).await;
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
    certificate: Option<String>,
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
                    if let Some(serial) = &self.certificate {
                        self.report(Event::Certificate(serial.clone())).await;
                    }
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
        other if refuses_certificate(other) => {
            Why::Refused("the broker does not take this terminal's certificate; enrol it anew".to_owned())
        }
        other => Why::Lost(other.to_string()),
    }
}

/// Whether the broker's TLS has ended the connection for the terminal's certificate (RFC 8446, 6.2): over, of another authority,
/// or none.
fn refuses_certificate(error: &ConnectionError) -> bool {
    use rustls::AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, DecryptError, UnknownCA,
    };
    if matches!(error, ConnectionError::Tls(_)) {
        // Before the handshake is done an alert stands in plain: anybody on the way can say it. TLS 1.3 brokers say what they
        // think of a certificate after it (RFC 8446, 4.4.2.4 and 6).
        return false;
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(match error {
        // The library names no source of this one.
        ConnectionError::MqttState(StateError::Deserialization(inner)) => inner,
        other => other,
    });
    while let Some(error) = next {
        let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = io.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls.or(error.downcast_ref()) {
            return matches!(
                alert,
                AccessDenied
                    | BadCertificate
                    | CertificateExpired
                    | CertificateRequired
                    | CertificateRevoked
                    | CertificateUnknown
                    // Signed by another authority of the same name.
                    | DecryptError
                    | UnknownCA
            );
        }
        next = error.source();
    }
    false
}
