//! Keeps the clients and roles of a Mosquitto with dynamic security in step with who may come in: on a connection of its own
//! to the plugin's topic, at once when that changes, and by reading back what stands there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use meguri_proto::{TerminalId, limits};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::roster::{Keeping, Roster, Step};
use super::{Credential, InStep, Login, Turns};
use crate::subject;
use crate::vitals::Vitals;

/// Where the plugin takes commands, and answers.
const CONTROL: &str = "$CONTROL/dynamic-security/v1";
const ANSWERS: &str = "$CONTROL/dynamic-security/v1/response";
/// How often all that stands there is read again: somebody may have changed it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Longest wait for an answer. A broker with many clients writes its file anew at each command.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(2);
/// How long whoever changed something waits for the broker to have it.
const IN_STEP: Duration = Duration::from_secs(5);
/// Clients or roles of one answer.
const PAGE: usize = 100;
/// Commands of one message.
const BATCH: usize = 25;

/// Who is to be let in, by certificate's subject; counted, so that it can be told which one stands there.
#[derive(Debug, Clone, Default)]
struct Wanted {
    number: u64,
    /// None until it was said for the first time: a broker is not emptied meanwhile.
    roster: Option<Roster>,
}

/// How far the broker is, by the numbers of what was wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// Whoever is kept out by this one, is out.
    out: u64,
    /// All of this one stands there.
    all: u64,
}

/// Keeps a broker in step.
#[derive(Debug)]
pub struct Dynamic {
    keeping: Keeping,
    wanted: watch::Sender<Wanted>,
    kept: watch::Receiver<Kept>,
    /// Subjects by serial numbers: certificates don't change.
    subjects: Mutex<HashMap<String, Option<String>>>,
    turns: Turns,
    task: JoinHandle<()>,
}

impl Dynamic {
    /// Starts to keep the broker of this login in step.
    #[must_use]
    pub fn start(keeping: Keeping, login: Login, vitals: Vitals) -> Self {
        let (wanted, asked) = watch::channel(Wanted::default());
        let (keep, kept) = watch::channel(Kept::default());
        let keeper = Keeper { keeping: keeping.clone(), login, asked, keep, vitals };
        Self {
            keeping,
            wanted,
            kept,
            subjects: Mutex::default(),
            turns: Turns::default(),
            task: tokio::spawn(keeper.run()),
        }
    }

    /// Reads anew, by `read`, who may come in, and waits a little for the broker to have it. Says whether it has: it may be away,
    /// or so many clients may be on their way to it that the rest takes longer.
    ///
    /// # Errors
    /// As `read`.
    pub async fn admit_by<E>(
        &self,
        read: impl Future<Output = Result<Vec<Credential>, E>>,
    ) -> Result<InStep, E> {
        if let Some(turn) = self.turns.turn().await {
            let who = read.await?;
            let roster = {
                let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
                self.keeping.wanted(named(&who, &mut subjects))
            };
            self.wanted.send_modify(|wanted| {
                wanted.number += 1;
                wanted.roster = Some(roster);
            });
            turn.done();
        }
        let number = self.wanted.borrow().number;
        let mut kept = self.kept.clone();
        // What is not there after that is said by the answer.
        let _ = timeout(IN_STEP, kept.wait_for(|kept| kept.all >= number)).await;
        let Kept { out, all } = *kept.borrow();
        Ok(InStep { out: out >= number, all: all >= number })
    }
}

impl Drop for Dynamic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Certificates of terminals that are not kept out, by subject.
fn named<'a>(
    who: &'a [Credential],
    subjects: &mut HashMap<String, Option<String>>,
) -> Vec<(&'a TerminalId, String)> {
    let mut named = Vec::new();
    for credential in who.iter().filter(|credential| !credential.blocked) {
        for certificate in &credential.certificates {
            let subject = subjects.entry(certificate.serial.clone()).or_insert_with(|| {
                let subject = subject::of_pem(&certificate.pem);
                if subject.is_none() {
                    tracing::error!(terminal = %credential.terminal, serial = %certificate.serial, "the broker can't be told of a certificate with such a subject");
                }
                subject
            });
            named.extend(subject.clone().map(|subject| (&credential.terminal, subject)));
        }
    }
    named
}

/// Why the broker is not in step.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no line to it: {0}")]
    Line(String),
    #[error("it does not answer")]
    Silent,
    #[error(
        "it lets the office not ask for dynamic security; give the office's client the role admin, and load the plugin"
    )]
    NotAllowed,
    #[error("it refuses {command}: {problem}")]
    Refused { command: String, problem: String },
    #[error("its answer to {0} can't be read")]
    Unreadable(&'static str),
    #[error(
        "it lets everybody {0} by default; run `mosquitto_ctrl dynsec setDefaultACLAccess {0} deny`: until then terminals can reach more than what is theirs"
    )]
    Open(&'static str),
}

struct Keeper {
    keeping: Keeping,
    login: Login,
    asked: watch::Receiver<Wanted>,
    keep: watch::Sender<Kept>,
    vitals: Vitals,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let Err(trouble) = self.connection().await else { return };
            self.vitals.access(Err(&trouble.to_string()));
            // A line that was lost may be back soon. What is refused stays so until somebody does something about it.
            let wait = if matches!(trouble, Trouble::Line(_) | Trouble::Silent) { AGAIN } else { LOOK_AGAIN };
            // An error says that nobody asks any more; then the next connection ends at once.
            let _ = timeout(wait, self.asked.changed()).await;
        }
    }

    /// Keeps step on one connection, until that ends; without trouble, only when nobody asks any more.
    async fn connection(&mut self) -> Result<(), Trouble> {
        let mut talk = Talk::begin(&self.login).await?;
        let mut held = None::<Roster>;
        loop {
            let is_said = self.asked.borrow().roster.is_some();
            let fresh = held.is_none();
            let standing = match held.take() {
                None if is_said => Some(talk.read().await?),
                standing => standing,
            };
            // After the reading, which can take long: what was said meanwhile counts.
            let Wanted { number, roster } = self.asked.borrow_and_update().clone();
            if let (Some(wanted), Some(mut standing)) = (roster, standing) {
                let steps = self.keeping.steps(&standing, &wanted);
                let changed = steps.len();
                let is_newer = || self.asked.has_changed().unwrap_or(false);
                let out = || self.keep.send_modify(|kept| kept.out = number);
                match take(&mut talk, &steps, &mut standing, is_newer, out).await {
                    Ok(true) => {}
                    Ok(false) => {
                        held = Some(standing);
                        continue;
                    }
                    // What was thought to stand there does not: read, and try once more.
                    Err(Trouble::Refused { .. }) if !fresh => continue,
                    Err(trouble) => return Err(trouble),
                }
                if changed > 0 {
                    tracing::info!(changed, "the broker knows who may come in");
                }
                held = Some(standing);
                self.keep.send_replace(Kept { out: number, all: number });
                match talk.defaults().await {
                    Ok(()) => self.vitals.access(Ok(())),
                    Err(open @ Trouble::Open(_)) => self.vitals.access(Err(&open.to_string())),
                    Err(trouble) => return Err(trouble),
                }
            }
            tokio::select! {
                changed = self.asked.changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep(LOOK_AGAIN) => held = None,
                ended = &mut talk.ended => {
                    return Err(Trouble::Line(ended.unwrap_or_else(|_| "it broke".to_owned())));
                }
            }
        }
    }
}

/// A conversation with the plugin.
struct Talk {
    client: AsyncClient,
    answers: mpsc::Receiver<Value>,
    ended: JoinHandle<String>,
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

impl Talk {
    async fn begin(login: &Login) -> Result<Self, Trouble> {
        let mut options = login.options(&format!("office-access-{}", uuid::Uuid::new_v4().simple()));
        options.set_max_packet_size(u32::try_from(limits::PACKET_BYTES).ok());
        let (client, mut events) = AsyncClient::new(options, 16);
        client.try_subscribe(ANSWERS, QoS::AtLeastOnce).map_err(|_| Trouble::Silent)?;
        let subscribed = timeout(ANSWER, async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::SubAck(ack))) => {
                        let granted =
                            matches!(ack.return_codes.first(), Some(SubscribeReasonCode::Success(_)));
                        return if granted { Ok(()) } else { Err(Trouble::NotAllowed) };
                    }
                    Ok(_) => {}
                    Err(error) => return Err(Trouble::Line(super::problem(&error))),
                }
            }
        });
        subscribed.await.map_err(|_| Trouble::Silent)??;
        let (to, answers) = mpsc::channel(16);
        Ok(Self { client, answers, ended: tokio::spawn(listen(events, to)) })
    }
}

/// Whoever has commands done.
trait Plugin {
    /// Asks, and waits for all answers, one a command, in their order.
    fn ask(&mut self, commands: Vec<Value>) -> impl Future<Output = Result<Vec<Value>, Trouble>> + Send;
}

impl Plugin for Talk {
    async fn ask(&mut self, mut commands: Vec<Value>) -> Result<Vec<Value>, Trouble> {
        let count = commands.len();
        // Mosquitto 2.0 tells everybody who listens all answers, an operator's among them.
        let ours = uuid::Uuid::new_v4().simple().to_string();
        for command in &mut commands {
            command["correlationData"] = ours.clone().into();
        }
        let payload = json!({ "commands": commands }).to_string();
        let sent = self.client.publish(CONTROL, QoS::AtLeastOnce, false, payload).await;
        sent.map_err(|_| Trouble::Silent)?;
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            let answer = timeout(ANSWER, self.answers.recv()).await.map_err(|_| Trouble::Silent)?;
            let Some(answer) = answer else {
                let why = (&mut self.ended).await.unwrap_or_else(|_| "it broke".to_owned());
                return Err(Trouble::Line(why));
            };
            let list = answer.get("responses").and_then(Value::as_array).into_iter().flatten();
            let of_ours = |answer: &&Value| {
                answer.get("correlationData").and_then(Value::as_str) == Some(ours.as_str())
            };
            answers.extend(list.filter(of_ours).cloned());
        }
        Ok(answers)
    }
}

impl Talk {
    /// All that stands there.
    async fn read(&mut self) -> Result<Roster, Trouble> {
        let mut held = Roster::default();
        for command in ["listRoles", "listClients"] {
            let mut offset = 0;
            loop {
                let ask = json!({ "command": command, "verbose": true, "count": PAGE, "offset": offset });
                let answers = self.ask(vec![ask]).await?;
                if let Some(refused) = answers.first().and_then(refused) {
                    return Err(refused);
                }
                let all = answers.first().and_then(|answer| held.take(answer));
                offset += PAGE;
                if offset >= all.ok_or(Trouble::Unreadable(command))? {
                    break;
                }
            }
        }
        Ok(held)
    }

    /// What everybody may do there by default must be nothing.
    async fn defaults(&mut self) -> Result<(), Trouble> {
        let answers = self.ask(vec![json!({ "command": "getDefaultACLAccess" })]).await?;
        let acls = answers.first().and_then(|answer| answer.get("data")?.get("acls")?.as_array().cloned());
        let acls = acls.ok_or(Trouble::Unreadable("getDefaultACLAccess"))?;
        for kind in ["publishClientSend", "subscribe"] {
            let open = |acl: &Value| {
                acl.get("acltype").and_then(Value::as_str) == Some(kind)
                    && acl.get("allow").and_then(Value::as_bool) == Some(true)
            };
            if acls.iter().any(open) {
                return Err(Trouble::Open(kind));
            }
        }
        Ok(())
    }
}

/// Takes steps, a few at a time: the broker serves others between them. One that is refused stops no other. Tells when
/// whoever is kept out is `out`. Gives up, with false, where something newer is wanted: who is kept out by that must not
/// wait for all who are let in by this.
async fn take(
    plugin: &mut impl Plugin,
    steps: &[Step],
    held: &mut Roster,
    is_newer: impl Fn() -> bool,
    out: impl Fn(),
) -> Result<bool, Trouble> {
    let mut trouble = None;
    let removals = steps.iter().take_while(|step| matches!(step, Step::Remove(_))).count();
    let (first, then) = steps.split_at(removals);
    for part in [first, then] {
        for batch in part.chunks(BATCH) {
            let answers = plugin.ask(batch.iter().map(Step::command).collect()).await?;
            // The plugin answers in the order in which it was asked. What was refused is found again by whoever goes on.
            for (step, answer) in batch.iter().zip(&answers) {
                match refused(answer) {
                    None => step.apply(held),
                    Some(refused) => trouble = trouble.or(Some(refused)),
                }
            }
            if is_newer() {
                return Ok(false);
            }
        }
        if trouble.is_none() {
            out();
        }
    }
    trouble.map_or(Ok(true), Err)
}

/// What an answer says against its command.
fn refused(answer: &Value) -> Option<Trouble> {
    let text = |key| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    let problem = text("error")?;
    Some(Trouble::Refused { command: text("command").unwrap_or_default(), problem })
}

/// Hears until the line ends; says why it did.
async fn listen(mut events: EventLoop, answers: mpsc::Sender<Value>) -> String {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                // What can't be read is missed, and its question stays unanswered.
                if let Ok(answer) = serde_json::from_slice(&publish.payload)
                    && answers.send(answer).await.is_err()
                {
                    return "nobody listens".to_owned();
                }
            }
            Ok(_) => {}
            Err(error) => return super::problem(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn keeping() -> Keeping {
        Keeping { city: "hiroshima".parse().unwrap(), office: "office".to_owned() }
    }

    /// Terminals of these numbers.
    fn wanted(numbers: impl Iterator<Item = usize>) -> Roster {
        let terminals: Vec<TerminalId> = numbers.map(|n| format!("t-{n}").parse().unwrap()).collect();
        keeping().wanted(terminals.iter().map(|terminal| (terminal, format!("CN={terminal}"))))
    }

    /// A plugin that counts what it is asked, refuses one name, and is told what is out.
    #[derive(Default)]
    struct Fake {
        asked: std::sync::Arc<AtomicUsize>,
        out: std::sync::Arc<AtomicUsize>,
        /// How often it had been told at each asking.
        told: Vec<usize>,
        refuses: Option<&'static str>,
    }

    impl Plugin for Fake {
        async fn ask(&mut self, mut commands: Vec<Value>) -> Result<Vec<Value>, Trouble> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.told.push(self.out.load(Ordering::SeqCst));
            for command in &mut commands {
                if self.refuses.is_some_and(|name| command["username"] == name) {
                    command["error"] = "no".into();
                }
            }
            Ok(commands)
        }
    }

    #[tokio::test]
    async fn who_is_blocked_meanwhile_waits_for_one_batch_alone() {
        let (keeping, all, mut held) = (keeping(), wanted(0..500), wanted(0..1));
        let mut plugin = Fake::default();
        let asked = plugin.asked.clone();
        let is_newer = || asked.load(Ordering::SeqCst) == 2;
        let steps = keeping.steps(&held, &all);
        assert!(!take(&mut plugin, &steps, &mut held, is_newer, || ()).await.unwrap());
        assert_eq!(asked.load(Ordering::SeqCst), 2, "batches of what is old by now");
        assert_eq!(held.roles.len(), 2 + 2 * BATCH, "what was taken is known");
        // The first one is blocked.
        let now = wanted(1..500);
        let steps = keeping.steps(&held, &now);
        assert_eq!(steps[0], Step::Remove("CN=t-0".to_owned()));
        let mut plugin = Fake::default();
        let out = plugin.out.clone();
        let told = || {
            out.fetch_add(1, Ordering::SeqCst);
        };
        assert!(take(&mut plugin, &steps, &mut held, || false, told).await.unwrap());
        assert_eq!(plugin.told[..2], [0, 1], "told once it is out, before others are let in");
        assert_eq!(keeping.steps(&held, &now), []);
    }

    #[tokio::test]
    async fn what_is_refused_stops_nothing_else_and_is_known_not_to_stand_there() {
        let (keeping, mut held) = (keeping(), wanted(0..1));
        let then = wanted(1..40);
        let steps = keeping.steps(&held, &then);
        let mut plugin = Fake { refuses: Some("CN=t-0"), ..Fake::default() };
        let told = || panic!("nobody is out");
        let trouble = take(&mut plugin, &steps, &mut held, || false, told).await.unwrap_err();
        assert!(matches!(trouble, Trouble::Refused { .. }), "{trouble}");
        assert!(held.clients.contains_key("CN=t-0") && held.clients.contains_key("CN=t-39"));
    }
}
