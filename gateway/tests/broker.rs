//! The embedded broker as a plain MQTT client meets it: what one terminal's credentials allow, and nothing more.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use meguri_gateway::broker::{Credential, Embedded, Login};
use meguri_proto::Digest;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, LastWill, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

const WAIT: Duration = Duration::from_secs(20);

async fn broker() -> Embedded {
    let city = "hiroshima".parse().unwrap();
    let address = ([127, 0, 0, 1], 0).into();
    let broker = Embedded::start(city, address, "office-secret".into(), None).await.unwrap();
    broker.admit(vec![credential("t-1", false), credential("t-2", false), credential("t-3", true)]).await;
    broker
}

fn credential(terminal: &str, blocked: bool) -> Credential {
    let secret_sha256 = Digest::of(format!("secret of {terminal}").as_bytes()).0;
    Credential { terminal: terminal.parse().unwrap(), secret_sha256, certificates: Vec::new(), blocked }
}

fn options(broker: &Embedded, client: &str, login: Option<(&str, &str)>) -> MqttOptions {
    let mut options = MqttOptions::new(client, broker.address().ip().to_string(), broker.address().port());
    if let Some((user, password)) = login {
        options.set_credentials(user, password);
    }
    let properties = ConnectProperties { max_packet_size: Some(2 * 1024 * 1024), ..ConnectProperties::new() };
    options.set_connect_properties(properties).set_clean_start(true);
    options
}

/// A client that was let in; none where it was refused.
struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    async fn connect(options: MqttOptions) -> Option<Self> {
        let (client, mut events) = AsyncClient::new(options, 64);
        match tokio::time::timeout(WAIT, events.poll()).await.expect("an answer in time") {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Some(Self { client, events }),
            Ok(other) => panic!("expected a CONNACK, found {other:?}"),
            Err(_) => None,
        }
    }

    async fn terminal(broker: &Embedded, terminal: &str) -> Self {
        let password = format!("secret of {terminal}");
        Self::connect(options(broker, terminal, Some((terminal, &password)))).await.expect("let in")
    }

    async fn office(broker: &Embedded) -> Self {
        let Login { user, password, .. } = broker.login();
        let mut office =
            Self::connect(options(broker, "office-1", Some((&user, &password)))).await.expect("let in");
        assert!(office.subscribe("meguri/1/hiroshima/+/up/#").await);
        office
    }

    /// The next packet; none where the connection ended.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            match tokio::time::timeout(WAIT, self.events.poll()).await.expect("a packet in time") {
                Ok(Event::Incoming(packet)) => return Some(packet),
                Ok(Event::Outgoing(_)) => {}
                Err(_) => return None,
            }
        }
    }

    async fn subscribe(&mut self, filter: &str) -> bool {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        loop {
            match self.packet().await {
                Some(Packet::SubAck(ack)) => {
                    return matches!(ack.return_codes[..], [SubscribeReasonCode::Success(_)]);
                }
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Whether a publish was taken.
    async fn publish(&mut self, topic: &str, retain: bool, payload: Vec<u8>) -> bool {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
        loop {
            match self.packet().await {
                Some(Packet::PubAck(ack)) => {
                    return matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
                }
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// The next message.
    async fn message(&mut self) -> (String, Vec<u8>) {
        loop {
            if let Packet::Publish(publish) = self.packet().await.expect("the connection stands") {
                let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                return (topic, publish.payload.to_vec());
            }
        }
    }
}

#[tokio::test]
async fn only_known_terminals_with_their_secret_and_name_come_in() {
    let broker = broker().await;
    let office = broker.login();
    for (client, login, comes_in) in [
        ("t-1", Some(("t-1", "secret of t-1")), true),
        ("t-1", Some(("t-1", "secret of t-2")), false),
        ("t-1", Some(("t-1", "")), false),
        ("t-2", Some(("t-1", "secret of t-1")), false),
        ("anything", Some(("t-1", "secret of t-1")), false),
        ("t-3", Some(("t-3", "secret of t-3")), false),
        ("t-9", Some(("t-9", "secret of t-9")), false),
        ("t-1", None, false),
        ("", None, false),
        ("o", Some((office.user.as_str(), "secret of t-1")), false),
        ("o", Some((office.user.as_str(), office.password.as_str())), true),
    ] {
        let connected = Client::connect(options(&broker, client, login)).await;
        assert_eq!(connected.is_some(), comes_in, "{client:?} as {:?}", login.map(|login| login.0));
    }
}

#[tokio::test]
async fn a_terminal_publishes_below_its_own_up_and_nothing_else() {
    let broker = broker().await;
    let mut office = Client::office(&broker).await;
    for (topic, retain, allowed) in [
        ("meguri/1/hiroshima/t-1/up/fact", false, true),
        ("meguri/1/hiroshima/t-1/up/unheard/of", false, true),
        ("meguri/1/hiroshima/t-1/up/presence", true, true),
        ("meguri/1/hiroshima/t-1/up/fact", true, false),
        ("meguri/1/hiroshima/t-1/up/presence/x", true, false),
        ("meguri/1/hiroshima/t-2/up/fact", false, false),
        ("meguri/1/hiroshima/t-1/down/ack", false, false),
        ("meguri/1/hiroshima/t-11/up/fact", false, false),
        ("meguri/1/kure/t-1/up/fact", false, false),
        ("meguri/1/hiroshima/t-1/up", false, false),
        ("$SYS/x", false, false),
        ("x", false, false),
    ] {
        // A refusal may cost the connection, so each has one of its own.
        let mut terminal = Client::terminal(&broker, "t-1").await;
        let taken = terminal.publish(topic, retain, topic.as_bytes().to_vec()).await;
        assert_eq!(taken, allowed, "{topic} retain={retain}");
        if allowed {
            assert_eq!(office.message().await.0, topic);
        }
    }
    // What was refused did not arrive: the next thing the office hears is this.
    let mut terminal = Client::terminal(&broker, "t-2").await;
    assert!(terminal.publish("meguri/1/hiroshima/t-2/up/hello", false, b"{}".to_vec()).await);
    assert_eq!(office.message().await.0, "meguri/1/hiroshima/t-2/up/hello");
}

#[tokio::test]
async fn a_terminal_subscribes_below_its_own_down_and_nothing_else() {
    let broker = broker().await;
    for (filter, allowed) in [
        ("meguri/1/hiroshima/t-1/down/#", true),
        ("meguri/1/hiroshima/t-1/down/ack", true),
        ("meguri/1/hiroshima/t-1/down/list/+/+", true),
        ("meguri/1/hiroshima/t-2/down/#", false),
        ("meguri/1/hiroshima/+/down/#", false),
        ("meguri/1/hiroshima/+/down/ack", false),
        ("meguri/1/hiroshima/t-1/up/#", false),
        ("meguri/1/hiroshima/t-1/#", false),
        ("meguri/1/+/t-1/down/#", false),
        ("+/1/hiroshima/t-1/down/#", false),
        ("#", false),
        ("$SYS/#", false),
        ("$share/g/meguri/1/hiroshima/t-1/down/#", false),
        ("$share/g/#", false),
        ("$exclusive/meguri/1/hiroshima/t-2/down/#", false),
        ("$limit/3/meguri/1/hiroshima/t-2/down/#", false),
    ] {
        let mut terminal = Client::terminal(&broker, "t-1").await;
        assert_eq!(terminal.subscribe(filter).await, allowed, "{filter}");
    }
}

#[tokio::test]
async fn a_last_will_is_held_to_the_same_rules() {
    let broker = broker().await;
    for (topic, retain, allowed) in [
        ("meguri/1/hiroshima/t-1/up/presence", true, true),
        ("meguri/1/hiroshima/t-1/up/fact", true, false),
        ("meguri/1/hiroshima/t-2/up/presence", true, false),
        ("meguri/1/hiroshima/t-2/down/ack", false, false),
    ] {
        let mut with_will = options(&broker, "t-1", Some(("t-1", "secret of t-1")));
        with_will.set_last_will(LastWill::new(topic, "bye", QoS::AtLeastOnce, retain, None));
        assert_eq!(Client::connect(with_will).await.is_some(), allowed, "{topic} retain={retain}");
    }
}

#[tokio::test]
async fn presence_is_retained_and_a_last_will_replaces_it() {
    let broker = broker().await;
    let topic = "meguri/1/hiroshima/t-1/up/presence";
    let mut with_will = options(&broker, "t-1", Some(("t-1", "secret of t-1")));
    with_will.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, true, None));
    let mut terminal = Client::connect(with_will).await.unwrap();
    assert!(terminal.publish(topic, true, b"here".to_vec()).await);
    // An office that comes later is told.
    let mut office = Client::office(&broker).await;
    assert_eq!(office.message().await, (topic.to_owned(), b"here".to_vec()));
    drop(terminal);
    assert_eq!(office.message().await, (topic.to_owned(), b"gone".to_vec()));
    let mut later = Client::office(&broker).await;
    assert_eq!(later.message().await, (topic.to_owned(), b"gone".to_vec()));
}

#[tokio::test]
async fn what_is_said_while_a_terminal_is_away_is_not_kept() {
    let broker = broker().await;
    let mut office = Client::office(&broker).await;
    let filter = "meguri/1/hiroshima/t-1/down/#";
    let mut terminal = Client::terminal(&broker, "t-1").await;
    assert!(terminal.subscribe(filter).await);
    drop(terminal);
    assert!(office.publish("meguri/1/hiroshima/t-1/down/list/c-1/2026-04-01", false, b"list".to_vec()).await);
    let mut terminal = Client::terminal(&broker, "t-1").await;
    assert!(terminal.subscribe(filter).await);
    assert!(office.publish("meguri/1/hiroshima/t-1/down/ack", false, b"ack".to_vec()).await);
    assert_eq!(terminal.message().await.1, b"ack");
}

#[tokio::test]
async fn a_session_ends_with_its_connection_whatever_the_client_asks_for() {
    let broker = broker().await;
    let mut office = Client::office(&broker).await;
    let down = |last: &str| format!("meguri/1/hiroshima/t-1/down/{last}");
    let lasting = || {
        let mut options = options(&broker, "t-1", Some(("t-1", "secret of t-1")));
        let properties =
            ConnectProperties { session_expiry_interval: Some(3_600), ..ConnectProperties::new() };
        let will = LastWill::new("meguri/1/hiroshima/t-1/up/presence", "gone", QoS::AtLeastOnce, false, None);
        options.set_connect_properties(properties).set_clean_start(false).set_last_will(will);
        options
    };
    let mut terminal = Client::connect(lasting()).await.unwrap();
    assert!(terminal.subscribe(&down("#")).await);
    drop(terminal);
    assert_eq!(office.message().await.1, b"gone");
    // While as much is said the broker lets go; a session of a second would hold all of it.
    for _ in 0..50 {
        assert!(office.publish(&down("list"), false, b"list".to_vec()).await);
    }
    let (_client, mut events) = AsyncClient::new(lasting(), 64);
    let Ok(Event::Incoming(Packet::ConnAck(ack))) = events.poll().await else { panic!("let in") };
    assert!(!ack.session_present);
}

#[tokio::test]
async fn the_office_retains_nothing_and_hears_only_its_city() {
    let broker = broker().await;
    let mut office = Client::office(&broker).await;
    assert!(!office.publish("meguri/1/hiroshima/t-1/down/ack", true, b"x".to_vec()).await);
    let mut office = Client::office(&broker).await;
    assert!(!office.subscribe("#").await);
}

#[tokio::test]
async fn a_blocked_terminal_is_cut_off_at_once() {
    let broker = broker().await;
    let mut terminal = Client::terminal(&broker, "t-1").await;
    let mut other = Client::terminal(&broker, "t-2").await;
    broker.admit(vec![credential("t-1", true), credential("t-2", false)]).await;
    while let Some(packet) = terminal.packet().await {
        assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?}");
    }
    let again = options(&broker, "t-1", Some(("t-1", "secret of t-1")));
    assert!(Client::connect(again).await.is_none());
    assert!(other.publish("meguri/1/hiroshima/t-2/up/hello", false, b"{}".to_vec()).await);
    // Let in again.
    broker.admit(vec![credential("t-1", false), credential("t-2", false)]).await;
    Client::terminal(&broker, "t-1").await;
}

#[tokio::test]
async fn messages_pass_up_to_the_limit_of_the_wire() {
    let broker = broker().await;
    let mut office = Client::office(&broker).await;
    let mut terminal = Client::terminal(&broker, "t-1").await;
    let topic = "meguri/1/hiroshima/t-1/down/list/c-1/2026-04-01";
    assert!(terminal.subscribe("meguri/1/hiroshima/t-1/down/#").await);
    let largest = vec![b'x'; meguri_proto::limits::LIST_BYTES];
    assert!(office.publish(topic, false, largest.clone()).await);
    assert_eq!(terminal.message().await.1.len(), largest.len());
    let up = vec![b'x'; meguri_proto::limits::MESSAGE_BYTES];
    assert!(terminal.publish("meguri/1/hiroshima/t-1/up/fact", false, up.clone()).await);
    assert_eq!(office.message().await.1.len(), up.len());
    // Beyond the packet's limit the broker hangs up, and goes on for everybody else.
    let beyond = vec![b'x'; meguri_proto::limits::PACKET_BYTES + 1];
    let topic = "meguri/1/hiroshima/t-1/up/fact";
    assert!(terminal.client.publish(topic, QoS::AtLeastOnce, false, beyond).await.is_ok());
    while terminal.packet().await.is_some() {}
    let mut terminal = Client::terminal(&broker, "t-1").await;
    assert!(terminal.publish(topic, false, b"{}".to_vec()).await);
    assert_eq!(office.message().await.1, b"{}");
}
