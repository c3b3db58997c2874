//! The running gateway: its parts, joined in the order they need each other, and ended in the reverse.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use meguri_config::terminal::seconds;
use meguri_config::{City, Clock};
use meguri_proto::{Digest, Incarnation};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use crate::audit::{self, Audit, Event, What, Who};
use crate::broker::{Broker, Dynamic, Embedded, Guarding, Keeping, Login, Seen};
use crate::ca::{self, Authority, Files};
use crate::changes::{Change, Changes};
use crate::config::{External, Settings};
use crate::control::{self, Desk};
use crate::door::{self, Door, Reached};
use crate::import::Taker;
use crate::import::watch::Watcher;
use crate::link::Link;
use crate::office::{Office, Place};
use crate::outbox::Outbox;
use crate::people::accounts;
use crate::people::openid::Provider;
use crate::people::setup::{self, SetUp};
use crate::store::{Readers, Store, is_damage};
use crate::switchover::releases::Releases;
use crate::systemd::Supervisor;
use crate::tls::{self, Life, Peer, TlsListener};
use crate::trust::Doubt;
use crate::vitals::{Health, Vitals};
use crate::writer::{Parts, Writer};
use crate::{enrol, plan, terminals, watch, web};

/// How often it is looked whether a day of the audit log is over.
const HEADS: Duration = Duration::from_secs(600);
/// Longest wait at the end for pages that are still being sent.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs until SIGTERM or SIGINT; says on standard output, in one line of JSON, where it listens.
///
/// # Errors
/// When a part can't start, or ends by itself.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // Before anything is open, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).context("can't listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't listen for SIGINT")?;

    let supervisor = Arc::new(Supervisor::of_environment());
    let clock = clock(&settings)?;
    let city = Arc::new(City::read(&settings.city_file())?);
    let store = open(&settings, &city, &clock)?;
    let clock = judged(clock, &store)?;
    let readers = store.readers(settings.ingest.readers);
    let changes = Changes::new();

    let (audit, auditing) = Audit::start(&settings.data, Timestamp::now())?;
    let started =
        Event::new(Who::Gateway, What::Started, serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }));
    audit.note(started).await?;
    let set_up = set_up(&settings, &readers).await?;
    let openid = Provider::of(&settings)?.map(Arc::new);
    for contractor in openid.iter().flat_map(|openid| openid.contractors()) {
        if !city.contractor.iter().any(|known| known.id == *contractor) {
            tracing::warn!(%contractor, "people.openid.mapping names a contractor that the plan does not have: nobody is let in for them");
        }
    }

    let (seen, seen_by) = mpsc::unbounded_channel();
    let vouched = |conn: &rusqlite::Connection| {
        conn.query_row("SELECT EXISTS (SELECT 1 FROM certificate WHERE ended_at IS NULL)", [], |row| {
            row.get(0)
        })
    };
    let trust = Trust::of(&settings, &city, readers.with(vouched).await?)?;
    let https = trust.as_ref().map(|trust| tls::server(&trust.files)).transpose()?;
    let guarding = trust.as_ref().map(|trust| trust.guarding(seen));
    let vitals = Vitals::new();
    let broker = Arc::new(broker(&settings, &city, guarding, &vitals).await?);
    let access = changes.subscribe();
    broker.admit_by(readers.with(terminals::credentials)).await?;
    let listener = TcpListener::bind(settings.web.listen).await.with_context(|| {
        format!("the pages can't be served on {}; web.listen sets another port", settings.web.listen)
    })?;
    let web_address = listener.local_addr().context("the pages' address is unknown")?;
    let door = match &trust {
        Some(trust) => Some(trust.listen(&settings, &broker).await?),
        None => None,
    };
    let control = control::listen(&settings.data).context("can't make the socket for commands")?;

    let (outbox, waiting) = Outbox::new(city.id.clone());
    let parts = Parts {
        store,
        city: city.id.clone(),
        clock: clock.clone(),
        changes: changes.clone(),
        outbox,
        settings: settings.clone(),
    };
    let (writer, writing) = Writer::start_with(parts, vitals).context("can't start the writer's thread")?;
    let mut link = Link::start(broker.login(), &city.id, &settings, writer.clone(), waiting);
    let health = Health {
        vitals: writer.vitals().clone(),
        clock: clock.clone(),
        least_free: u64::from(settings.health.free_mib) * 1024 * 1024,
        data: settings.data.clone(),
    };
    health.look_at_the_disk();
    let taker =
        Taker::new(writer.clone(), readers.clone(), city.clone()).audited(audit.clone(), Who::Gateway);
    // What an earlier run decided and did not end comes first.
    let going_on = tokio::spawn({
        let taker = taker.clone();
        async move { taker.go_on().await }
    });
    let mut watching = tokio::task::JoinSet::new();
    for watcher in Watcher::all(&settings, &taker, &writer, &changes, &clock) {
        let here = tokio::runtime::Handle::current();
        watching.spawn_blocking(move || here.block_on(watcher.run()));
    }
    let desk = Desk {
        writer: writer.clone(),
        readers: readers.clone(),
        taker: taker.clone(),
        releases: Releases::new(writer.clone(), city.id.clone(), clock.clone()),
        broker: broker.clone(),
        health: health.clone(),
        retention: settings.retention.clone(),
        reached: door.as_ref().map(|(_, reached)| reached.clone()),
        audit: audit.clone(),
    };
    let stopping = changes.clone();
    let control =
        tokio::spawn(control::serve(control, desk.clone(), async move { stopping.stopping().await }));
    let door_address = door.as_ref().map(|(_, reached)| reached.office());
    let mut door = tokio::spawn(doors(
        trust.zip(door).map(|(trust, (listener, reached))| {
            let office = (writer.clone(), readers.clone(), broker.clone(), audit.clone());
            let door = trust.door(&settings, &city, office, reached, clock.clone());
            (listener, door)
        }),
        changes.clone(),
    ));
    let noting = tokio::spawn(note_certificates(seen_by, writer.clone(), readers.clone(), broker.clone()));
    let admitting = tokio::spawn(admit(access, readers.clone(), broker.clone()));
    let days = tokio::spawn(days(writer.clone(), seconds(settings.timers.day)));
    let silence_minutes = settings.web.silence_minutes;
    // Whoever copies a command may stand in another folder.
    let data = std::fs::canonicalize(&settings.data)
        .with_context(|| format!("can't find {}", settings.data.display()))?;
    let config = settings.file.as_ref().map(std::fs::canonicalize).transpose();
    let data = Place { data, config: config.context("can't find the settings file any more")? };
    let inside = web::Inside {
        health: health.clone(),
        writer: writer.clone(),
        people: settings.people.clone(),
        audit: audit.clone(),
        names: settings.tls.names.clone().into(),
        wall: Clock::system(),
        set_up,
        desk,
        code_minutes: settings.tls.code_minutes,
        openid,
    };
    let heads = tokio::spawn(heads(settings.clone(), city.clone()));
    let readers_of_pages = readers.clone();
    let office = Office { readers, changes: changes.clone(), clock, city, data, silence_minutes };
    let stopping = changes.clone();
    let service = web::router_of(office, inside).into_make_service_with_connect_info::<Peer>();
    let stop = async move { stopping.stopping().await };
    let mut pages = match https {
        None => tokio::spawn(axum::serve(listener, service).with_graceful_shutdown(stop).into_future()),
        Some(config) => {
            let listener = TlsListener::over(listener, config, Life::Answered(web::ANSWERED))
                .context("the pages' address is unknown")?;
            tokio::spawn(axum::serve(listener, service).with_graceful_shutdown(stop).into_future())
        }
    };
    let mut writing = tokio::spawn(writing.ended());

    if broker.listens().is_some() {
        // Our own broker is there at once. Another one may be away for any time.
        let _ = tokio::time::timeout(FAREWELL, link.connected()).await;
    }
    let mqtt = broker.listens().map_or_else(|| broker.login().address(), |address| address.to_string());
    let web = match settings.tls.name() {
        None => format!("http://{web_address}"),
        Some(name) if name.contains(':') => format!("https://[{name}]:{}", web_address.port()),
        Some(name) => format!("https://{name}:{}", web_address.port()),
    };
    ready(&web, &mqtt, door_address.as_deref())?;
    supervisor.tell("READY=1");
    let looking = tokio::spawn(watch::watch(writer.clone(), health.clone(), supervisor.clone()));
    // Nothing is written any more to a store that a page found damaged.
    let reading = tokio::spawn({
        let (writer, readers) = (writer.clone(), readers_of_pages);
        async move { writer.damaged(readers.damaged().await).await }
    });
    // A part that ends by itself ends the gateway: whoever supervises it starts it whole again.
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut writing => {
            ended.context("the writer broke")??;
            bail!("the writer ended by itself");
        }
        () = link.broke() => {
            // A writer that ends takes the link with it, and knows better why.
            if let Ok(ended) = tokio::time::timeout(FAREWELL, &mut writing).await {
                ended.context("the writer broke")??;
            }
            bail!("the link to the broker broke; this is a fault of the program");
        }
        Some(ended) = watching.join_next() => {
            ended.context("the watch over a folder broke")?;
            bail!("the watch over a folder ended by itself");
        }
        ended = &mut door => {
            ended.context("the terminals' door broke")?.context("the terminals' door can't be served any more")?;
            bail!("the terminals' door ended by itself");
        }
        ended = &mut pages => {
            ended.context("the pages broke")?.context("the pages can't be served any more")?;
            bail!("the pages ended by themselves");
        }
    }

    tracing::info!("stopping");
    health.vitals.stopping();
    supervisor.tell("STOPPING=1\nSTATUS=stopping");
    days.abort();
    heads.abort();
    reading.abort();
    noting.abort();
    admitting.abort();
    changes.stop();
    // Commands that had come are done and answered while the writer still works.
    let answered = control.await;
    while watching.join_next().await.is_some() {}
    going_on.abort();
    link.take_no_more();
    // What was handed over is written and acknowledged; only then the line ends.
    writer.stop().await;
    let closed = writing.await.context("the writer broke")?;
    // Up to here the supervisor heard that the writer lives.
    looking.abort();
    link.end().await;
    broker.stop();
    for server in [&mut pages, &mut door] {
        if tokio::time::timeout(FAREWELL, &mut *server).await.is_err() {
            server.abort();
        }
    }
    // Best effort: the next start removes one that is left.
    let _ = std::fs::remove_file(settings.data.join(control::SOCKET));
    drop((audit, taker));
    // Pages that are still being sent hold it a little longer.
    let _ = tokio::time::timeout(FAREWELL, tokio::task::spawn_blocking(|| auditing.ended())).await;
    closed?;
    answered.context("the socket for commands broke")?;
    tracing::info!("stopped");
    Ok(())
}

/// Where nobody has an account, writes the code for the first administrator, and says where. Never the code itself.
async fn set_up(settings: &Settings, readers: &Readers) -> anyhow::Result<Option<SetUp>> {
    if !readers.with(accounts::nobody).await? {
        setup::over(&settings.data);
        return Ok(None);
    }
    let set_up = SetUp::begin(&settings.data, rand::random())
        .with_context(|| format!("can't write the set-up code into {}", settings.data.display()))?;
    tracing::warn!(
        file = %set_up.path().display(),
        "nobody has an account yet: the page /setup makes the first administrator with the code in this file"
    );
    Ok(Some(set_up))
}

/// Tells the system's log the head of the audit log, at the start and whenever a day is over.
async fn heads(settings: Settings, city: Arc<City>) {
    if settings.audit.syslog.is_empty() {
        return;
    }
    let (mut told, mut looked) = (None::<u64>, None);
    loop {
        let today = meguri_proto::clock::business_date(Timestamp::now());
        // The log is read through for it, so once a day.
        if looked.replace(today) == Some(today) {
            tokio::time::sleep(HEADS).await;
            continue;
        }
        let (data, socket, city) =
            (settings.data.clone(), PathBuf::from(&settings.audit.syslog), city.clone());
        let last = told;
        let telling = tokio::task::spawn_blocking(move || {
            let heads = audit::heads(&data).ok()?;
            let over = heads
                .into_iter()
                .rfind(|head| head.day < today)
                .filter(|head| last.is_none_or(|last| head.seq > last))?;
            match audit::tell(&socket, city.id.as_str(), &over) {
                Ok(()) => Some(over.seq),
                Err(error) => {
                    // Not every machine has one.
                    tracing::debug!(%error, "the system's log could not be told the audit log's head");
                    None
                }
            }
        });
        told = telling.await.ok().flatten().or(told);
    }
}

/// Opens the store and takes the plan over.
///
/// # Errors
/// When the store can't be used.
pub fn open(settings: &Settings, city: &City, clock: &Clock) -> anyhow::Result<Store> {
    let now = clock.now();
    let mut store = Store::open(&settings.data, &city.id, now, Incarnation(Uuid::new_v4()))?;
    if store.restored {
        tracing::warn!(incarnation = %store.incarnation, "this store is a copy put back; terminals send again what it lacks");
    }
    let restored = store.restored;
    let mut taking_over = || -> rusqlite::Result<()> {
        let tx = store.conn.transaction()?;
        plan::take_over(&tx, now, city)?;
        if restored {
            // Whoever was signed in when the copy was made may have signed out, or been blocked, since.
            tx.execute("DELETE FROM session", [])?;
        }
        // Who is there is said anew by presence and hello.
        tx.execute("UPDATE terminal SET online = 0", [])?;
        tx.commit()
    };
    match taking_over() {
        Ok(()) => Ok(store),
        Err(error) if is_damage(&error) => Err(store.damaged(error).into()),
        Err(error) => Err(error).context("the city's plan can't be taken over into the store"),
    }
}

/// The clock, as far as it is to be believed by what the store knows.
///
/// # Errors
/// When the store can't be read.
pub fn judged(clock: Clock, store: &Store) -> anyhow::Result<Clock> {
    let doubt = Doubt::of_store(&store.conn, store.restored)
        .context("the store can't say when it was last written")?;
    Ok(clock.judged(Arc::new(doubt)))
}

/// The clock of the settings.
///
/// # Errors
/// When a rehearsal's file can't be used.
pub fn clock(settings: &Settings) -> anyhow::Result<Clock> {
    match &settings.rehearsal {
        None => Ok(Clock::system()),
        Some(path) => Ok(Clock::rehearsal(path)?),
    }
}

async fn broker(
    settings: &Settings,
    city: &City,
    guarding: Option<Guarding>,
    vitals: &Vitals,
) -> anyhow::Result<Broker> {
    match &settings.mqtt.external {
        None => {
            let (secret, address) = (terminals::draw_secret(), settings.mqtt.listen);
            Ok(Broker::Embedded(Embedded::start(city.id.clone(), address, secret, guarding).await?))
        }
        Some(External { host, port, user, password_file, authority, dynamic_security, .. }) => {
            let path = settings.data.join(password_file);
            let password = std::fs::read_to_string(&path)
                .with_context(|| format!("can't read the broker's password from {}", path.display()))?;
            let password = password.trim().to_owned();
            let tls = authority.as_ref().map(|path| tls::client(&settings.in_data(path))).transpose()?;
            let login = Login { host: host.clone(), port: *port, user: user.clone(), password, tls };
            let dynamic = dynamic_security.then(|| {
                let keeping = Keeping { city: city.id.clone(), office: user.clone() };
                Dynamic::start(keeping, login.clone(), vitals.clone())
            });
            Ok(Broker::External(login, dynamic))
        }
    }
}

/// Has the writer look at the calendar, at once and then again and again.
async fn days(writer: Writer, every: Duration) {
    loop {
        writer.day().await;
        tokio::time::sleep(every).await;
    }
}

/// The authority's certificates in a file, as they stand there.
fn authority_of(path: &Path) -> anyhow::Result<String> {
    ca::leaf(path)?;
    std::fs::read_to_string(path).with_context(|| format!("can't read the authority from {}", path.display()))
}

/// Whom terminals are to believe as the office, and as its broker: as PEM.
///
/// # Errors
/// When an authority can't be read, or the gateway's own is not made yet.
pub fn believed(settings: &Settings) -> anyhow::Result<String> {
    let own = settings.tls.authority.as_ref().map(|path| settings.in_data(path));
    let mut believed = authority_of(&own.unwrap_or_else(|| ca::authority_file(&settings.data)))?;
    let external = settings.mqtt.external.as_ref();
    if let Some(path) = external.and_then(|external| external.authority.as_ref()) {
        let other = authority_of(&settings.in_data(path))?;
        if other != believed {
            believed.push_str(&other);
        }
    }
    Ok(believed)
}

/// The city's authority that issues terminals' certificates, as PEM.
///
/// # Errors
/// When it can't be read.
pub fn terminals_authority(settings: &Settings) -> anyhow::Result<Option<String>> {
    let path = settings.tls.terminals_authority.as_ref();
    path.map(|path| authority_of(&settings.in_data(path))).transpose()
}

/// By what the office is believed, and believes terminals.
struct Trust {
    authority: Arc<Authority>,
    /// Who vouches for terminals, as a file.
    vouching: PathBuf,
    files: Files,
    believed: Arc<str>,
    channel: Digest,
    host: String,
}

impl Trust {
    /// None without TLS.
    fn of(settings: &Settings, city: &City, vouched: bool) -> anyhow::Result<Option<Self>> {
        let tls = &settings.tls;
        let Some(host) = tls.name() else { return Ok(None) };
        // Browsers and terminals judge certificates by their own clocks, so a rehearsal's time is nothing to them.
        let now = Timestamp::now();
        let authority = Authority::open(&settings.data, &city.id, now, vouched)?;
        let files = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                Files { certificate: settings.in_data(certificate), key: settings.in_data(key) }
            }
            _ => authority.office(&tls.names, now)?,
        };
        let vouching = authority.vouching(terminals_authority(settings)?.as_deref())?;
        let believed = believed(settings)?;
        if let Some(path) = &tls.certificate {
            let path = settings.in_data(path);
            let chain = std::fs::read_to_string(&path)
                .with_context(|| format!("can't read the office's certificate from {}", path.display()))?;
            ensure!(
                ca::leads_to(&believed, &chain),
                "tls.authority does not vouch for tls.certificate ({}): terminals would not believe this office. Put the \
                 certificates between both behind the office's own one in that file, or name the right authority",
                path.display()
            );
        }
        Ok(Some(Self {
            channel: ca::channel(&files.certificate)?,
            authority: Arc::new(authority),
            vouching,
            files,
            believed: believed.into(),
            host: host.to_owned(),
        }))
    }

    fn guarding(&self, seen: mpsc::UnboundedSender<Seen>) -> Guarding {
        Guarding { files: self.files.clone(), authority: self.vouching.clone(), seen: Some(seen) }
    }

    /// Listens for terminals that enrol. Says how they reach the office.
    async fn listen(&self, settings: &Settings, broker: &Broker) -> anyhow::Result<(TlsListener, Reached)> {
        let at = settings.tls.listen;
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("terminals can't enrol on {at}; tls.listen sets another port"))?;
        let door = listener.local_addr().context("the terminals' door's address is unknown")?.port();
        let listener = TlsListener::over(listener, tls::server(&self.files)?, Life::Whole(door::LIFE))?;
        let external = settings.mqtt.external.as_ref().and_then(External::terminals);
        let (broker_host, broker) = match (external, broker.listens()) {
            (Some(external), _) => external,
            (None, Some(address)) => (self.host.clone(), address.port()),
            (None, None) => (self.host.clone(), broker.login().port),
        };
        Ok((listener, Reached { host: self.host.clone(), broker_host, broker, door }))
    }

    fn door(
        self,
        settings: &Settings,
        city: &City,
        (writer, readers, broker, audit): (Writer, Readers, Arc<Broker>, Audit),
        reached: Reached,
        clock: Clock,
    ) -> Door {
        let Self { authority, believed, channel, .. } = self;
        let (city, days) = (city.id.clone(), settings.tls.terminal_days);
        Door { writer, readers, broker, audit, authority, believed, channel, city, reached, days, clock }
    }
}

/// Serves the terminals' door until the office stops; without one, only waits for that.
async fn doors(door: Option<(TlsListener, Door)>, changes: Changes) -> std::io::Result<()> {
    let Some((listener, door)) = door else {
        changes.stopping().await;
        return Ok(());
    };
    axum::serve(listener, door::router(door))
        .with_graceful_shutdown(async move { changes.stopping().await })
        .await
}

/// Tells the broker anew who may come in whenever that was changed.
async fn admit(mut changes: broadcast::Receiver<Change>, readers: Readers, broker: Arc<Broker>) {
    loop {
        match changes.recv().await {
            // Which of those that were missed it was, does not matter.
            Ok(Change::Access) | Err(broadcast::error::RecvError::Lagged(_)) => {
                if let Err(error) = broker.admit_by(readers.with(terminals::credentials)).await {
                    tracing::error!(%error, "who may come in could not be read");
                }
            }
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Notes which certificates came in for the first time, so that those before them are taken no more.
async fn note_certificates(
    mut seen: mpsc::UnboundedReceiver<Seen>,
    writer: Writer,
    readers: Readers,
    broker: Arc<Broker>,
) {
    while let Some(Seen { terminal, serial }) = seen.recv().await {
        let name = terminal.clone();
        let now = Timestamp::now();
        let noted = writer.run_job(move |tx, touched| {
            touched.presence = true;
            enrol::came_in(tx, now, &terminal, &serial)
        });
        match noted.await {
            Ok(Ok(true)) => {
                tracing::info!(terminal = %name, "the terminal came in by its new certificate");
                if let Err(error) = broker.admit_by(readers.with(terminals::credentials)).await {
                    tracing::error!(%error, "who may come in could not be read");
                }
            }
            Ok(Ok(false)) => {}
            // It is told again when the terminal comes in the next time.
            Ok(Err(error)) => {
                tracing::error!(%error, terminal = %name, "a certificate's coming in could not be noted")
            }
            Err(error) => {
                tracing::error!(%error, terminal = %name, "a certificate's coming in could not be noted")
            }
        }
    }
}

fn ready(web: &str, mqtt: &str, door: Option<&str>) -> anyhow::Result<()> {
    let mut line = serde_json::json!({ "ready": true, "web": web, "mqtt": mqtt });
    if let Some(door) = door {
        line["enrol"] = door.into();
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("can't say where it listens")
}
