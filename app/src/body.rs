//! One running terminal: core, store, link and clock together, on a thread of their own, or many on one runtime.
//!
//! Everything that happens passes through one loop, one event at a time, in one order. The loop does
//! what the core says: it writes to the store and waits until that is on the disk, hands messages to
//! the link, and answers those who asked.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::civil::Date;
use meguri_config::stick::Stick;
use meguri_config::{Clock, Terminal};
use meguri_core::sign_in::{NotSignedIn, Opened};
use meguri_core::status::Status;
use meguri_core::view::{Intent, NotRecorded, Shown, StickRead, View};
use meguri_core::{Core, Effect, Event, Settings, Trouble, TroubleKind};
use meguri_proto::{CrewId, FactId, UpTopic};
use tokio::sync::{Notify, mpsc, oneshot, watch};

pub use meguri_core::Recorded;

use crate::around::Around;
use crate::clock::{BootClock, device_start};
use crate::identity::Identity;
use crate::link::{Credentials, Link, LinkEvent};
use crate::store::{Store, StoreError};

/// Version of this program, as the office sees it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// More requests than this at once are not a person's.
const REQUESTS: usize = 1_024;
/// A disk that takes longer for one write is told of, while it is waited for.
const SLOW: Duration = Duration::from_secs(3);
/// Messages that may wait for the core; beyond, the broker waits.
const MESSAGES: usize = 64;

/// Why a terminal can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secret can't be read.
    #[error("can't read this terminal's secret: {0}")]
    Secret(#[source] meguri_config::ConfigError),
    /// Key or certificate can't be read.
    #[error("can't read this terminal's certificate: {0}")]
    Identity(#[from] crate::identity::IdentityError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("can't start the terminal's thread: {0}")]
    Thread(#[source] std::io::Error),
}

type Answer = Box<dyn FnOnce(Result<Recorded, NotRecorded>) + Send>;

type Imported = Box<dyn FnOnce(Option<StickRead>) + Send>;

type SignedIn = Box<dyn FnOnce(Result<(), NotSignedIn>) + Send>;

enum Request {
    Record(Intent, Option<Shown>, Answer),
    ConfirmDate(Date),
    SetDate(Date),
    Import(Box<Stick>, Imported),
    SignIn(CrewId, String, SignedIn),
    Lock,
    Status(Box<dyn FnOnce(Option<Status>) + Send>),
}

/// A running terminal. Clones speak to the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<View>>,
    settings: watch::Receiver<Arc<Terminal>>,
    stop: Arc<Notify>,
    /// None where it runs as a task of somebody else's.
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Starts a terminal over the store in `data`, which is made where there is none.
///
/// # Errors
/// When the secret can't be read, or the store can't be opened, is open elsewhere, another program's or
/// terminal's, or is damaged.
pub fn start(settings: Terminal, data: &Path, clock: Clock) -> Result<Handle, StartError> {
    let (parts, fronts) = assemble(settings, data, clock)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    let thread = std::thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || runtime.block_on(parts.run()))
        .map_err(StartError::Thread)?;
    Ok(fronts.handle(Some(thread)))
}

/// As [`start`], as a task of `runtime`, which may carry thousands of terminals. Opens the store at once, so this is
/// not for a thread that may not wait.
///
/// The task ends soon after [`Handle::stop`]. Aborted, it drops the terminal wherever it is, as when its power fails:
/// nobody is told, and who waits for an answer learns nothing; only a commit that the disk already works on comes to
/// its end, and the store is let go with it.
///
/// # Errors
/// As [`start`].
pub fn start_on(
    runtime: &tokio::runtime::Handle,
    settings: Terminal,
    data: &Path,
    clock: Clock,
) -> Result<(Handle, tokio::task::JoinHandle<()>), StartError> {
    let (parts, fronts) = assemble(settings, data, clock)?;
    Ok((fronts.handle(None), runtime.spawn(parts.run())))
}

/// A terminal that is ready to run.
struct Parts {
    body: Body,
    first: Vec<Effect>,
    inputs: Inputs,
    stop: Arc<Notify>,
}

/// What a running terminal listens to.
struct Inputs {
    requests: mpsc::Receiver<Request>,
    link: mpsc::Receiver<LinkEvent>,
    /// What is plugged in, and sticks.
    around: mpsc::Receiver<Event>,
}

/// Its other side.
struct Fronts {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<Arc<View>>,
    settings: watch::Receiver<Arc<Terminal>>,
    stop: Arc<Notify>,
}

impl Parts {
    async fn run(self) {
        self.body.run(self.first, self.inputs, self.stop).await;
    }
}

impl Fronts {
    fn handle(self, thread: Option<JoinHandle<()>>) -> Handle {
        let Self { requests, view, settings, stop } = self;
        Handle { requests, view, settings, stop, thread: Arc::new(Mutex::new(thread)) }
    }
}

fn assemble(settings: Terminal, data: &Path, clock: Clock) -> Result<(Parts, Fronts), StartError> {
    let credentials = match &settings.broker.identity {
        Some(folder) => Credentials::Identity(Arc::new(Mutex::new(Identity::open(folder)?))),
        None => Credentials::Secret(settings.secret().map_err(StartError::Secret)?),
    };
    let (store, kept) =
        Store::open(data, &settings.city, &settings.terminal, settings.store.device_secret_file.as_deref())?;
    let mut clock = BootClock::start(clock);
    let core_settings =
        Settings { terminal: settings.clone(), app: VERSION.to_owned(), device_start: device_start() };
    let (core, first) = Core::new(core_settings, kept, clock.moment());
    let (requests, requested) = mpsc::channel(REQUESTS);
    let (link_events, from_link) = mpsc::channel(MESSAGES);
    let (show, view) = watch::channel(Arc::new(core.view()));
    let stop = Arc::new(Notify::new());
    let (around, from_around) = Around::new(&settings);
    let (in_force, settings_in_force) = watch::channel(Arc::new(settings.clone()));
    let link = Link::new(settings, credentials, core.presence(false), link_events);
    let body = Body {
        core,
        store: Arc::new(Mutex::new(store)),
        link,
        clock,
        show,
        answers: HashMap::new(),
        sign_ins: HashMap::new(),
        imports: HashMap::new(),
        settings: in_force,
        around,
        next_answer: 0,
        wake: Duration::ZERO,
        sample: false,
    };
    let inputs = Inputs { requests: requested, link: from_link, around: from_around };
    let parts = Parts { body, first, inputs, stop: Arc::clone(&stop) };
    Ok((parts, Fronts { requests, view, settings: settings_in_force, stop }))
}

impl Handle {
    /// What a front shows; changes after every step that changed something.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Records an intent. `Ok` means that it is on the disk.
    ///
    /// # Errors
    /// [`NotRecorded`] says why; nothing of it was written.
    pub async fn record(&self, intent: Intent) -> Result<FactId, NotRecorded> {
        let (to, from) = oneshot::channel();
        self.record_placed(intent, None, move |result| drop(to.send(result.map(|recorded| recorded.fact))));
        from.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// As [`record`](Self::record), of what was shown, for a thread that may not wait: `then` runs on the
    /// terminal's thread.
    pub fn record_then(
        &self,
        intent: Intent,
        shown: Shown,
        then: impl FnOnce(Result<FactId, NotRecorded>) + Send + 'static,
    ) {
        self.record_placed(intent, Some(shown), move |result| then(result.map(|recorded| recorded.fact)));
    }

    /// As [`record_then`](Self::record_then), and says where in the log the fact stands. Where nobody was shown
    /// anything it is of what there is now.
    pub fn record_placed(
        &self,
        intent: Intent,
        shown: Option<Shown>,
        then: impl FnOnce(Result<Recorded, NotRecorded>) + Send + 'static,
    ) {
        use mpsc::error::TrySendError::{Closed, Full};
        let (request, why) = match self.requests.try_send(Request::Record(intent, shown, Box::new(then))) {
            Ok(()) => return,
            Err(Full(request)) => (request, NotRecorded::Store("too much at once; try again".to_owned())),
            Err(Closed(request)) => (request, stopped()),
        };
        if let Request::Record(.., answer) = request {
            answer(Err(why));
        }
    }

    /// The crew says that the date it is shown is right: where it was in doubt, the view says soon that it
    /// is not. Where another date is shown by now, or the terminal has stopped, nothing comes of it.
    pub fn confirm_date(&self, date: Date) {
        // A lost tap is repeated: the screen goes on asking.
        drop(self.requests.try_send(Request::ConfirmDate(date)));
    }

    /// The crew says that it is this date, another one than it is shown. Nothing comes of it where the office has said what time
    /// it is, on days before [`View::earliest`] and more than 400 days after that.
    pub fn set_date(&self, date: Date) {
        drop(self.requests.try_send(Request::SetDate(date)));
    }

    /// Takes over what the file of a USB stick brings; `then` runs on the terminal's thread. None once it has stopped.
    pub fn import_then(&self, stick: Stick, then: impl FnOnce(Option<StickRead>) + Send + 'static) {
        if let Err(refused) = self.requests.try_send(Request::Import(Box::new(stick), Box::new(then)))
            && let Request::Import(_, then) = refused.into_inner()
        {
            then(None);
        }
    }

    /// The settings in force; they change with the configuration.
    #[must_use]
    pub fn settings(&self) -> watch::Receiver<Arc<Terminal>> {
        self.settings.clone()
    }

    /// A member of the crew signs in with a PIN.
    ///
    /// # Errors
    /// [`NotSignedIn`] says why not.
    pub async fn sign_in(&self, member: CrewId, pin: String) -> Result<(), NotSignedIn> {
        let (to, from) = oneshot::channel();
        self.sign_in_then(member, pin, move |result| drop(to.send(result)));
        from.await.unwrap_or(Err(NotSignedIn::Busy))
    }

    /// As [`sign_in`](Self::sign_in), for a thread that may not wait: `then` runs on the terminal's thread.
    pub fn sign_in_then(
        &self,
        member: CrewId,
        pin: String,
        then: impl FnOnce(Result<(), NotSignedIn>) + Send + 'static,
    ) {
        if let Err(refused) = self.requests.try_send(Request::SignIn(member, pin, Box::new(then)))
            && let Request::SignIn(.., then) = refused.into_inner()
        {
            then(Err(NotSignedIn::Busy));
        }
    }

    /// Locks the screen, where somebody can sign in.
    pub fn lock(&self) {
        // A lost tap is repeated: the screen stays as it was.
        drop(self.requests.try_send(Request::Lock));
    }

    /// How the terminal stands; none once it has stopped.
    pub async fn status(&self) -> Option<Status> {
        let (to, from) = oneshot::channel();
        self.status_then(move |status| drop(to.send(status)));
        from.await.ok().flatten()
    }

    /// As [`status`](Self::status), for a thread that may not wait.
    pub fn status_then(&self, then: impl FnOnce(Option<Status>) + Send + 'static) {
        if let Err(refused) = self.requests.try_send(Request::Status(Box::new(then)))
            && let Request::Status(then) = refused.into_inner()
        {
            then(None);
        }
    }

    /// Stops: a commit in progress is finished and the office is told that the terminal leaves. Blocks until
    /// done, a few seconds at most; where it runs as a task, that is to be waited for instead.
    pub fn stop(self) {
        self.stop.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the terminal's thread ended in a panic");
        }
    }
}

fn stopped() -> NotRecorded {
    NotRecorded::Store("the terminal has stopped; start it again".to_owned())
}

struct Body {
    core: Core,
    store: Arc<Mutex<Store>>,
    link: Link,
    clock: BootClock,
    show: watch::Sender<Arc<View>>,
    answers: HashMap<u64, Answer>,
    /// PINs that were typed, and who waits for what becomes of them.
    sign_ins: HashMap<u64, (String, SignedIn)>,
    /// Sticks' files that were given, and who waits for what becomes of them.
    imports: HashMap<u64, Imported>,
    settings: watch::Sender<Arc<Terminal>>,
    around: Around,
    next_answer: u64,
    wake: Duration,
    /// A health sample is asked for. It waits its turn in the loop: done at once, samples that are always due
    /// would leave no turn to anything else.
    sample: bool,
}

impl Body {
    async fn run(mut self, first: Vec<Effect>, inputs: Inputs, stop: Arc<Notify>) {
        let Inputs { mut requests, mut link, mut around } = inputs;
        self.perform(first).await;
        self.around.start();
        loop {
            let wake = self.clock.until(self.wake);
            let event = tokio::select! {
                () = stop.notified() => break,
                request = requests.recv() => match request {
                    Some(Request::Record(intent, shown, answer)) => {
                        self.next_answer += 1;
                        self.answers.insert(self.next_answer, answer);
                        Event::Intent(self.next_answer, intent, shown)
                    }
                    Some(Request::ConfirmDate(date)) => Event::ConfirmDate(date),
                    Some(Request::SetDate(date)) => Event::SetDate(date),
                    Some(Request::Import(stick, then)) => {
                        self.next_answer += 1;
                        self.imports.insert(self.next_answer, then);
                        Event::Import(self.next_answer, stick)
                    }
                    Some(Request::SignIn(member, pin, then)) => {
                        self.next_answer += 1;
                        self.sign_ins.insert(self.next_answer, (pin, then));
                        Event::SignIn(self.next_answer, member)
                    }
                    Some(Request::Lock) => Event::Lock,
                    Some(Request::Status(to)) => {
                        to(Some(self.core.status()));
                        continue;
                    }
                    None => break,
                },
                Some((number, event)) = link.recv() => {
                    if !self.link.is_current(number) {
                        continue;
                    }
                    self.link.note(&event);
                    if let Event::Disconnected(why) = &event {
                        tracing::info!(?why, "line lost");
                        self.link.disconnect();
                    }
                    event
                }
                Some(event) = around.recv() => event,
                () = std::future::ready(()), if self.sample => {
                    self.sample = false;
                    let free = with_store(&self.store, &self.show, |store| Ok(store.free_bytes())).await;
                    Event::Sampled(free.ok().flatten())
                }
                () = tokio::time::sleep(wake) => Event::Tick,
            };
            let effects = self.step(event);
            self.perform(effects).await;
            if let Some(now) = self.core.sure_time() {
                self.link.look(now);
            }
        }
        let offline = self.core.presence(false);
        self.link.leave(offline).await;
    }

    /// One step of the core. What it changed is shown before anybody is answered.
    fn step(&mut self, event: Event) -> Vec<Effect> {
        let moment = self.clock.moment();
        let effects = self.core.step(event, moment);
        if self.core.take_changed() {
            self.show.send_replace(Arc::new(self.core.view()));
        }
        effects
    }

    async fn perform(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let event = match effect {
                Effect::Commit(ops) => {
                    let committed =
                        with_store(&self.store, &self.show, move |store| store.commit(&ops)).await;
                    committed.map_or_else(Event::CommitFailed, Event::Committed)
                }
                Effect::Send { log, epoch, first, last } => {
                    let packed = with_store(&self.store, &self.show, move |store| {
                        let payload = store.pack(log, epoch, first, last)?;
                        Ok((payload, store.take_lost_notes()))
                    });
                    match packed.await {
                        Ok((Some(payload), lost)) => {
                            self.link.publish(UpTopic::from(log), payload);
                            if lost.is_empty() {
                                continue;
                            }
                            let lost: Vec<u64> = lost.into_iter().map(|(_, seq)| seq).collect();
                            tracing::error!(%log, ?lost, "notes are damaged on the disk; entries go without them");
                            Event::NotesLost(log, lost)
                        }
                        Ok((None, _)) => continue,
                        Err(trouble) => Event::SendFailed(log, trouble.detail),
                    }
                }
                Effect::CheckPin(number, member) => {
                    let opened = self.check_pin(number, &member).await;
                    Event::PinChecked(number, member, opened)
                }
                Effect::SignedIn(number, result) => {
                    if let Some((_, then)) = self.sign_ins.remove(&number) {
                        then(result);
                    }
                    continue;
                }
                Effect::Sample => {
                    self.sample = true;
                    continue;
                }
                Effect::Connect(broker) => {
                    self.link.connect(*broker);
                    continue;
                }
                Effect::Reconfigure(settings) => {
                    self.link.reconfigure(Terminal::clone(&settings));
                    self.settings.send_replace(Arc::from(settings));
                    continue;
                }
                Effect::Look(ports) => {
                    self.around.look(ports);
                    continue;
                }
                Effect::Imported(number, read) => {
                    if let Some(then) = self.imports.remove(&number) {
                        then(Some(read));
                    }
                    continue;
                }
                Effect::Disconnect => {
                    self.link.disconnect();
                    continue;
                }
                Effect::Publish(topic, payload) => {
                    self.link.publish(topic, payload);
                    continue;
                }
                Effect::Answer(number, result) => {
                    if let Some(answer) = self.answers.remove(&number) {
                        answer(result);
                    }
                    continue;
                }
                Effect::Tell(telling) => {
                    tracing::warn!("{telling}");
                    continue;
                }
                Effect::Wake(at) => {
                    self.wake = at;
                    continue;
                }
            };
            queue.extend(self.step(event));
        }
    }
}

impl Body {
    /// What the PIN that was typed opens; none where it is wrong. Where the store can't be read it is as if nothing were
    /// sealed to this member: lists come anew.
    async fn check_pin(&mut self, number: u64, member: &CrewId) -> Option<Opened> {
        let (pin, _) = self.sign_ins.get_mut(&number)?;
        let (pin, lock) = (std::mem::take(pin), self.core.pin_lock(member)?);
        let key = tokio::task::spawn_blocking(move || lock.open(&pin)).await.ok().flatten()?;
        let member = member.clone();
        let opened = with_store(&self.store, &self.show, move |store| store.unseal(&member, &key)).await;
        if let Err(trouble) = &opened {
            tracing::error!(%trouble, "what is sealed to the crew can't be read");
        }
        Some(opened.unwrap_or_default())
    }
}

/// Works on the store beside this thread, so that the line stays alive while a disk is slow.
async fn with_store<T: Send + 'static>(
    store: &Arc<Mutex<Store>>,
    show: &watch::Sender<Arc<View>>,
    work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Trouble> {
    let store = Arc::clone(store);
    let mut done = tokio::task::spawn_blocking(move || {
        let store = &mut store.lock().unwrap_or_else(PoisonError::into_inner);
        work(store).map_err(|error| store.trouble(&error))
    });
    let done = match tokio::time::timeout(SLOW, &mut done).await {
        Ok(done) => done,
        Err(_) => {
            let before = Arc::clone(&show.borrow());
            tracing::warn!("the disk has been busy with one write for {SLOW:?}; still waiting");
            let slow = Trouble::new(TroubleKind::Slow, format!("one write has taken more than {SLOW:?}"));
            show.send_replace(Arc::new(View { trouble: Some(slow), ..View::clone(&before) }));
            let done = done.await;
            // Whoever waits sees that it is over before what came of it.
            show.send_replace(before);
            done
        }
    };
    done.unwrap_or_else(|_| {
        Err(Trouble::new(TroubleKind::Write, "the store's thread ended unexpectedly".to_owned()))
    })
}
