//! A plain MQTT 5 client, as anybody could write one who got hold of one terminal's credentials.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meguri_proto::{Ack, Hello, LogsHeld, Message, Nonce, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::v5::{Client, Event, MqttOptions};
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
    Published,
    Came(Came),
    Ended(String),
}

impl Plain {
    /// Connects.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn connect(broker: SocketAddr, client_id: &str, user: &str, secret: &str) -> anyhow::Result<Self> {
        let mut options = MqttOptions::new(client_id, broker.ip().to_string(), broker.port());
        options.set_credentials(user, secret);
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
                    Ok(Event::Incoming(Packet::PubAck(_))) => Seen::Published,
                    Ok(Event::Incoming(Packet::Publish(publish))) => Seen::Came(Came {
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: publish.payload.to_vec(),
                    }),
                    Ok(_) => continue,
                    Err(error) => Seen::Ended(error.to_string()),
                };
                let ended = matches!(seen, Seen::Ended(_));
                if to.send(seen).is_err() || ended {
                    return;
                }
            }
        });
        let mut plain = Self { client, events, came: Vec::new() };
        plain.until("it is connected", |seen| matches!(seen, Seen::Connected).then_some(()))?;
        Ok(plain)
    }

    fn until<T>(&mut self, awaited: &str, mut look: impl FnMut(&Seen) -> Option<T>) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            let seen = self.events.recv_timeout(PATIENCE.saturating_sub(started.elapsed()));
            let seen = seen.with_context(|| format!("a plain client waited in vain: {awaited}"))?;
            let found = look(&seen);
            match seen {
                Seen::Came(came) => self.came.push(came),
                Seen::Ended(why) => bail!("the broker ended the connection: {why}"),
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
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload.to_vec())?;
        self.until("a publish is received", |seen| matches!(seen, Seen::Published).then_some(()))
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
