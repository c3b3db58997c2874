//! A plain MQTT 5 client, as anybody could write one who got hold of one terminal's credentials.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use meguri_proto::{Ack, Hello, LogsHeld, Message, Nonce, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{Client, ConnectionError, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use uuid::Uuid;

use super::PATIENCE;

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A connected client.
pub struct Plain {
    client: Client,
    events: Receiver<Seen>,
    came: Vec<Came>,
}

enum Seen {
    Connected,
    Subscribed(bool),
    Published(bool),
    Came(Came),
    Ended(Turned),
}

/// How a client comes to a broker.
#[derive(Debug, Clone, Default)]
pub struct Coming {
    /// Its client id.
    pub id: String,
    /// User name and password, if it says any.
    pub user: Option<(String, String)>,
    /// TLS, with or without a certificate of its own; without it the line is plain.
    pub tls: Option<Arc<ClientConfig>>,
    /// Topic, payload and retain of its last will.
    pub will: Option<(String, Vec<u8>, bool)>,
}

/// How a broker turns a client away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// By an answer of MQTT.
    #[error("the broker refuses the connection: {0}")]
    Refused(String),
    /// The connection ended, or never stood.
    #[error("the broker ended the connection: {0}")]
    Shut(String),
}

/// TLS that believes the authorities of a PEM, and shows the certificate of another PEM, which holds its key, too.
///
/// # Errors
/// When a PEM holds nothing that can be used.
pub fn tls(authorities: &str, own: Option<&str>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(authority?)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(pem.as_bytes())?)?
        }
    }))
}

impl Plain {
    /// Connects on a plain line.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn connect(broker: SocketAddr, client_id: &str, user: &str, secret: &str) -> anyhow::Result<Self> {
        let user = Some((user.to_owned(), secret.to_owned()));
        Ok(Self::come(broker, &Coming { id: client_id.to_owned(), user, ..Coming::default() })?)
    }

    /// Connects.
    ///
    /// # Errors
    /// When the broker turns it away.
    pub fn come(broker: SocketAddr, coming: &Coming) -> Result<Self, Turned> {
        let mut options = MqttOptions::new(&coming.id, broker.ip().to_string(), broker.port());
        if let Some((user, secret)) = &coming.user {
            options.set_credentials(user, secret);
        }
        if let Some(tls) = &coming.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())));
        }
        if let Some((topic, payload, retain)) = &coming.will {
            options.set_last_will(LastWill::new(
                topic.as_str(),
                payload.clone(),
                QoS::AtLeastOnce,
                *retain,
                None,
            ));
        }
        options.set_keep_alive(Duration::from_secs(30));
        // It may try to send more than is allowed.
        let largest = u32::try_from(2 * limits::PACKET_BYTES).unwrap_or(u32::MAX);
        options.set_max_packet_size(Some(largest));
        let (client, mut connection) = Client::new(options, 32);
        let (to, events) = mpsc::channel();
        thread::spawn(move || {
            // The first error ends it: a plain client shows what the broker does, it does not come back.
            for event in connection.iter() {
                let seen = match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => Seen::Connected,
                    Ok(Event::Incoming(Packet::SubAck(ack))) => Seen::Subscribed(
                        ack.return_codes.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))),
                    ),
                    Ok(Event::Incoming(Packet::PubAck(ack))) => Seen::Published(matches!(
                        ack.reason,
                        PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                    )),
                    Ok(Event::Incoming(Packet::Publish(publish))) => Seen::Came(Came {
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: publish.payload.to_vec(),
                    }),
                    Ok(_) => continue,
                    Err(ConnectionError::ConnectionRefused(code)) => {
                        Seen::Ended(Turned::Refused(format!("{code:?}")))
                    }
                    Err(error) => Seen::Ended(Turned::Shut(error.to_string())),
                };
                let ended = matches!(seen, Seen::Ended(_));
                if to.send(seen).is_err() || ended {
                    return;
                }
            }
        });
        let mut plain = Self { client, events, came: Vec::new() };
        let connected = plain.until("it is connected", |seen| matches!(seen, Seen::Connected).then_some(()));
        match connected {
            Ok(()) => Ok(plain),
            Err(error) => Err(match error.downcast::<Turned>() {
                Ok(turned) => turned,
                Err(error) => Turned::Shut(error.to_string()),
            }),
        }
    }

    fn until<T>(&mut self, awaited: &str, mut look: impl FnMut(&Seen) -> Option<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            let seen = self.events.recv_timeout(PATIENCE.saturating_sub(started.elapsed()));
            let seen = seen.with_context(|| format!("a plain client waited in vain: {awaited}"))?;
            let found = look(&seen);
            match seen {
                Seen::Came(came) => self.came.push(came),
                Seen::Ended(turned) => return Err(turned.into()),
                _ => {}
            }
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// Subscribes; whether the broker granted it.
    ///
    /// # Errors
    /// When the broker ends the connection instead.
    pub fn subscribe(&mut self, filter: &str) -> anyhow::Result<bool> {
        self.client.subscribe(filter, QoS::AtLeastOnce)?;
        self.until("a subscription is answered", |seen| match seen {
            Seen::Subscribed(granted) => Some(*granted),
            _ => None,
        })
    }

    /// Publishes and waits for the broker's receipt, which proves only that it heard.
    ///
    /// # Errors
    /// When the broker ends the connection instead.
    pub fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) -> anyhow::Result<()> {
        self.publish_allowed(topic, payload, retain).map(drop)
    }

    /// As [`Plain::publish`]; whether the broker says that it took it.
    ///
    /// # Errors
    /// When the broker ends the connection instead.
    pub fn publish_allowed(&mut self, topic: &str, payload: &[u8], retain: bool) -> anyhow::Result<bool> {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload.to_vec())?;
        self.until("a publish is received", |seen| match seen {
            Seen::Published(taken) => Some(*taken),
            _ => None,
        })
    }

    /// Says hello as the terminal `name`, which must be subscribed, and waits for the office's answer. All that the broker
    /// took from this client before has reached the office then.
    ///
    /// # Errors
    /// When the broker ends the connection, or no answer comes.
    pub fn hello(&mut self, name: &str, logs: LogsHeld) -> anyhow::Result<Ack> {
        let nonce = Nonce(Uuid::new_v4());
        let hello = Hello {
            v: 1,
            nonce,
            boot: meguri_proto::BootId(Uuid::new_v4()),
            app: "plain".to_owned(),
            config: 1,
            incarnation: None,
            certificate: None,
            logs,
            documents: Vec::new(),
        };
        let topic = format!("meguri/1/hiroshima/{name}/up/hello");
        self.client.publish(topic, QoS::AtLeastOnce, false, hello.encode()?)?;
        self.ack(name, |ack| ack.nonce == Some(nonce))
    }

    /// Waits for an acknowledgement to the terminal `name`.
    ///
    /// # Errors
    /// When the broker ends the connection, or none comes.
    pub fn ack(&mut self, name: &str, right: impl Fn(&Ack) -> bool) -> anyhow::Result<Ack> {
        let topic = format!("meguri/1/hiroshima/{name}/down/ack");
        self.until("an acknowledgement", |seen| match seen {
            Seen::Came(came) if came.topic == topic => {
                Ack::decode(&came.payload).ok().filter(|ack| right(ack))
            }
            _ => None,
        })
    }

    /// All messages so far.
    #[must_use]
    pub fn came(&self) -> &[Came] {
        &self.came
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // The broker may have ended the connection already.
        drop(self.client.disconnect());
    }
}
