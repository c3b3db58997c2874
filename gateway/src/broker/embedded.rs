//! The embedded broker: rmqtt as a library, with this house's access rules.
//!
//! With TLS a terminal comes in by a certificate that names it, and only the office itself comes in another way, by a
//! listener of its own on this machine; without, with its own name as user name and its secret as password. Its client
//! id is its name. It may publish below its own `up/` and subscribe below its own `down/`, and keep nothing retained but its
//! presence. Everything else is refused. Nothing is kept for who is not there.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use meguri_proto::{CityId, Digest, TerminalId, Topic, UpTopic, limits};
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::net::{Builder, Listener};
use rmqtt::retain::{DefaultRetainStorage, RetainStorage};
use rmqtt::server::MqttServer;
use rmqtt::types::{
    AuthResult, ClientId, ConnectInfo, FromType, Id, LastWill, PublishAclResult, Retain, SubscribeAclResult,
    TopicFilter, TopicName,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Credential, Guarding, Login, Seen, Turns};

/// Publishes that may stand unacknowledged to one client; the office's own window asks for fewer or as many.
const INFLIGHT: NonZeroU16 = NonZeroU16::MIN.saturating_add(4_095);
/// Messages that may wait for one client. What is more is dropped; hello repairs it.
const QUEUE: usize = 8_192;
/// Longer ones are no terminal's.
const CLIENT_ID_BYTES: usize = 64;
/// A topic of the wire has at most eight levels.
const TOPIC_LEVELS: usize = 16;

/// Why the embedded broker can't run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The address can't be listened on.
    #[error(
        "the broker can't listen on {address}: {problem}; is another gateway running? mqtt.listen sets another port"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        problem: String,
    },
}

/// The running broker.
pub struct Embedded {
    address: SocketAddr,
    login: Login,
    access: Arc<Access>,
    context: ServerContext,
    task: JoinHandle<()>,
    turns: Turns,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Listens on `address` and lets in the office, with the `secret` drawn for this run, and nobody else yet. With
    /// `guarding` it speaks TLS there, and only with who shows a certificate.
    ///
    /// # Errors
    /// When the address can't be listened on, or the certificates can't be used.
    pub async fn start(
        city: CityId,
        address: SocketAddr,
        secret: String,
        guarding: Option<Guarding>,
    ) -> Result<Self, EmbeddedError> {
        // No terminal can be named so: ids have no colon.
        let user = "office:embedded".to_owned();
        let Guarding { files, authority, seen } = match &guarding {
            Some(guarding) => guarding.clone(),
            None => Guarding::default(),
        };
        let access = Arc::new(Access {
            city,
            office: user.clone(),
            office_sha256: Digest::of(secret.as_bytes()).0,
            certified: guarding.is_some(),
            terminals: RwLock::default(),
            live: Mutex::default(),
            seen,
        });
        let context = ServerContext::new().build().await;
        *context.extends.retain_mut().await = Box::new(Retained(DefaultRetainStorage::new()));
        let register = context.extends.hook_mgr().register();
        for hook in [Type::ClientAuthenticate, Type::ClientSubscribeCheckAcl, Type::MessagePublishCheckAcl] {
            register.add(hook, Box::new(Guard(access.clone()))).await;
        }
        register.start().await;
        let failed = |address: SocketAddr, error: &dyn std::fmt::Display| EmbeddedError::Listen {
            address,
            problem: error.to_string(),
        };
        let terminals = match &guarding {
            None => listener("terminals", address).bind().and_then(Listener::tcp),
            Some(_) => listener("terminals", address)
                .tls_cross_certificate(true)
                .tls_cert(Some(files.certificate.display().to_string()))
                .tls_key(Some(files.key.display().to_string()))
                .tls_client_ca_certs(Some(authority.display().to_string()))
                .cert_cn_as_username(true)
                .collect_cert_info(true)
                .bind()
                .and_then(Listener::tls),
        };
        let terminals = terminals.map_err(|error| failed(address, &error))?;
        let address = terminals.local_addr().map_err(|error| failed(address, &error))?;
        let mut server = MqttServer::new(context.clone()).listener_by_id(terminals, address.port());
        let mut office = address;
        if guarding.is_some() {
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let door = listener("office", here).bind().and_then(Listener::tcp);
            let door = door.map_err(|error| failed(here, &error))?;
            office = door.local_addr().map_err(|error| failed(here, &error))?;
            server = server.listener_by_id(door, office.port());
        }
        let server = server.build();
        let task = tokio::spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "the broker has ended");
            }
        });
        let login =
            Login { host: office.ip().to_string(), port: office.port(), user, password: secret, tls: None };
        Ok(Self { address, login, access, context, task, turns: Turns::default() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the office comes in.
    #[must_use]
    pub fn login(&self) -> Login {
        self.login.clone()
    }

    /// Reads anew who may come in, by `read`.
    ///
    /// # Errors
    /// As `read`.
    pub async fn admit_by<E>(&self, read: impl Future<Output = Result<Vec<Credential>, E>>) -> Result<(), E> {
        let Some(turn) = self.turns.turn().await else { return Ok(()) };
        self.admit(read.await?).await;
        turn.done();
        Ok(())
    }

    /// Says anew who may come in; whoever may not any more, or has another secret, is cut off.
    pub async fn admit(&self, credentials: Vec<Credential>) {
        let new: HashMap<String, Credential> =
            credentials.into_iter().map(|c| (c.terminal.as_str().to_owned(), c)).collect();
        let old = {
            let mut terminals = self.access.terminals.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *terminals, new.clone())
        };
        let live = self.access.live.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for gone in old.values().filter(|c| !c.blocked && !self.access.stays(c, &new, &live)) {
            self.cut_off(&gone.terminal).await;
        }
    }

    async fn cut_off(&self, terminal: &TerminalId) {
        let client = ClientId::from(terminal.as_str().to_owned());
        let id =
            Id::new(self.context.node.id(), self.address.port(), None, None, client.clone(), Some(client));
        let entry = self.context.extends.shared().await.entry(id);
        if !entry.exist() {
            return;
        }
        match entry.try_lock().await {
            Ok(mut entry) => {
                if let Err(error) = entry.kick(true, true, true).await {
                    tracing::warn!(%terminal, %error, "the terminal's connection could not be ended");
                }
            }
            // It is connecting at this moment: what it does next is refused.
            Err(error) => tracing::warn!(%terminal, %error, "the terminal's connection is busy"),
        }
    }

    /// Takes no more connections.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A listener by the house's limits.
fn listener(name: &str, address: SocketAddr) -> Builder {
    Builder::new()
        .name(name)
        .laddr(address)
        // Without it a restart waits for the kernel to forget the last run's connections.
        .reuseaddr(Some(true))
        .nodelay(true)
        .allow_anonymous(false)
        .max_packet_size(u32::try_from(limits::PACKET_BYTES).unwrap_or(u32::MAX))
        .max_inflight(INFLIGHT)
        .max_mqueue_len(QUEUE)
        .max_clientid_len(CLIENT_ID_BYTES)
        .max_topic_levels(TOPIC_LEVELS)
        .handshake_timeout(Duration::from_secs(10))
        // Sessions end with their connection: hello repairs, and no list lies here.
        .session_expiry_interval(Duration::ZERO)
        // Whatever a client asks for. No time at all would mean any time.
        .max_session_expiry_interval(Duration::from_nanos(1))
        // Repeats are the terminals' and the office's business, not the broker's.
        .message_retry_interval(Duration::ZERO)
}

/// Who may do what.
struct Access {
    city: CityId,
    office: String,
    office_sha256: [u8; 32],
    /// Whether terminals come in by certificate, and by nothing else.
    certified: bool,
    terminals: RwLock<HashMap<String, Credential>>,
    /// The serial number of the certificate by which each terminal came in last.
    live: Mutex<HashMap<String, String>>,
    /// Told of certificates that come in for the first time.
    seen: Option<mpsc::UnboundedSender<Seen>>,
}

/// Compares without telling by the time it takes how much agrees.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

impl Access {
    /// Whether somebody may come in under this user name, with a password or by a certificate of this serial number,
    /// which names the user.
    fn may_enter(&self, user: &str, client: &str, password: Option<&[u8]>, serial: Option<&str>) -> bool {
        let given = |sha256: &[u8; 32]| password.is_some_and(|word| same(&Digest::of(word).0, sha256));
        if user == self.office {
            return serial.is_none() && given(&self.office_sha256);
        }
        let terminals = self.terminals.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = terminals.get(user) else { return false };
        if known.blocked || client != known.terminal.as_str() {
            return false;
        }
        if !self.certified {
            return given(&known.secret_sha256);
        }
        let Some(certificate) =
            serial.and_then(|serial| known.certificates.iter().find(|c| c.serial == serial))
        else {
            return false;
        };
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.insert(user.to_owned(), certificate.serial.clone());
        if let (false, Some(seen)) = (certificate.connected, &self.seen) {
            let (terminal, serial) = (known.terminal.clone(), certificate.serial.clone());
            // Nobody listens any more where the office stops.
            let _ = seen.send(Seen { terminal, serial });
        }
        true
    }

    /// Whether a terminal that may be connected may go on as it came in.
    fn stays(
        &self,
        old: &Credential,
        new: &HashMap<String, Credential>,
        live: &HashMap<String, String>,
    ) -> bool {
        let Some(new) = new.get(old.terminal.as_str()).filter(|new| !new.blocked) else { return false };
        if !self.certified {
            return new.secret_sha256 == old.secret_sha256;
        }
        // One that has not come in yet is not connected.
        live.get(old.terminal.as_str())
            .is_none_or(|serial| new.certificates.iter().any(|c| c.serial == *serial))
    }

    /// The terminal behind a user name, where it is still welcome.
    fn terminal(&self, user: &str) -> Option<TerminalId> {
        let terminals = self.terminals.read().unwrap_or_else(PoisonError::into_inner);
        terminals.get(user).filter(|known| !known.blocked).map(|known| known.terminal.clone())
    }

    fn may_publish(&self, user: &str, topic: &str, retain: bool) -> bool {
        if user == self.office {
            return !retain;
        }
        let Some(terminal) = self.terminal(user) else { return false };
        let presence = || Topic::up(self.city.clone(), terminal.clone(), UpTopic::Presence).to_string();
        topic.starts_with(&Topic::publish_prefix(&self.city, &terminal)) && (!retain || topic == presence())
    }

    fn may_subscribe(&self, user: &str, filter: &str) -> bool {
        if user == self.office {
            return filter == Topic::office_filter(&self.city);
        }
        // The prefix holds no wildcard, so wildcards stand below it only.
        self.terminal(user)
            .is_some_and(|terminal| filter.starts_with(&Topic::subscribe_prefix(&self.city, &terminal)))
    }
}

/// Asked by the broker before it lets anything happen.
struct Guard(Arc<Access>);

impl Guard {
    fn authenticate(&self, info: &ConnectInfo) -> AuthResult {
        let refused = AuthResult::BadUsernameOrPassword;
        let Some(user) = info.username() else { return refused };
        let serial = info.cert().and_then(|certificate| certificate.serial.as_deref());
        if !self.0.may_enter(user, info.client_id(), info.password().map(AsRef::as_ref), serial) {
            // Nobody has vouched for the name: as a quoted text it can forge no line.
            tracing::info!(user = ?user.chars().take(CLIENT_ID_BYTES).collect::<String>(), "refused a connection");
            return refused;
        }
        // The broker publishes a last will without asking again.
        let allowed = match info.last_will() {
            None => true,
            Some(LastWill::V3(will)) => self.0.may_publish(user, &will.topic, will.retain),
            Some(LastWill::V5(will)) => self.0.may_publish(user, &will.topic, will.retain),
        };
        if allowed { AuthResult::Allow(false, None) } else { AuthResult::NotAuthorized }
    }
}

#[async_trait]
impl Handler for Guard {
    async fn hook(&self, parameter: &Parameter, acc: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::ClientAuthenticate(info) => {
                (false, Some(HookResult::AuthResult(self.authenticate(info))))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let user = session.username().map(ToString::to_string).unwrap_or_default();
                if self.0.may_subscribe(&user, &subscribe.topic_filter) {
                    return (true, acc);
                }
                let refused = SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized);
                (false, Some(HookResult::SubscribeAclResult(refused)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let user = session.username().map(ToString::to_string).unwrap_or_default();
                if self.0.may_publish(&user, &publish.topic, publish.retain) {
                    return (true, acc);
                }
                // Who is not welcome any more is cut off; who only tries too much stays.
                let cut_off = user != self.0.office && self.0.terminal(&user).is_none();
                (false, Some(HookResult::PublishAclResult(PublishAclResult::rejected(cut_off, None))))
            }
            _ => (true, acc),
        }
    }
}

/// rmqtt's own retain store only warns. This one keeps presences, and as long as the broker runs.
struct Retained(DefaultRetainStorage);

/// A message of its own memory. As it came, it and its sender's name are slices of the connection's read buffer, and a
/// hundred bytes of presence would hold all of that: 8 KiB, or hundreds after a large batch, for as long as the broker runs.
fn apart(retain: Retain) -> Retain {
    let Retain { msg_id, from, mut publish } = retain;
    let inner = &mut publish.inner;
    inner.payload = inner.payload.to_vec().into();
    inner.topic = inner.topic.to_string().into();
    // Nobody on this wire reads any of a presence.
    inner.properties = None;
    let id = &from.id;
    let copy = |text: &ClientId| ClientId::from(text.to_string());
    let id = Id::new(
        id.node_id,
        id.lid,
        id.local_addr,
        id.remote_addr,
        copy(&id.client_id),
        id.username.as_ref().map(copy),
    );
    let from = match from.typ() {
        FromType::LastWill => rmqtt::types::From::from_lastwill(id),
        _ => rmqtt::types::From::from_custom(id),
    };
    Retain { msg_id, from, publish }
}

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }
    async fn set(&self, topic: &TopicName, retain: Retain, _: Option<Duration>) -> rmqtt::Result<()> {
        self.0.set_with_timeout(topic, apart(retain), None).await
    }
    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        self.0.get_message(filter).await
    }
    async fn count(&self) -> isize {
        self.0.count().await
    }
    async fn max(&self) -> isize {
        self.0.max().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rmqtt::codec::types::Publish as Packet;
    use rmqtt::types::{Publish, QoS};

    use super::*;

    #[test]
    fn what_is_retained_holds_no_read_buffer() {
        // As the codec makes them: slices of one buffer.
        let read = String::from("t-1meguri/1/hiroshima/t-1/up/presence{}") + &" ".repeat(1 << 20);
        let read = ClientId::from(read);
        let part =
            |from: usize, until: usize| ClientId::try_from(read.as_bytes().slice(from..until)).unwrap();
        let inside = |of: &[u8]| read.as_bytes().as_ptr_range().contains(&of.as_ptr());
        let id = Id::new(1, 1, None, None, part(0, 3), Some(part(0, 3)));
        let packet = Packet {
            dup: false,
            retain: true,
            qos: QoS::AtLeastOnce,
            topic: part(3, 37),
            packet_id: None,
            payload: read.as_bytes().slice(37..39),
            properties: None,
        };
        let publish = Publish {
            inner: Box::new(packet),
            target_clientid: None,
            delay_interval: None,
            create_time: None,
        };
        assert!(inside(&publish.inner.payload) && inside(publish.inner.topic.as_bytes()));
        let from = rmqtt::types::From::from_lastwill(id);
        let Retain { from, publish, .. } = apart(Retain { msg_id: None, from, publish });
        assert_eq!((&publish.inner.topic[..], &publish.inner.payload[..]), (&part(3, 37)[..], &b"{}"[..]));
        assert!(matches!(from.typ(), FromType::LastWill) && from.id.client_id == "t-1");
        assert!(!inside(&publish.inner.payload) && !inside(publish.inner.topic.as_bytes()));
        assert!(
            !inside(from.id.client_id.as_bytes()) && !inside(from.id.username.as_ref().unwrap().as_bytes())
        );
    }
}
