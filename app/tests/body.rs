//! A whole terminal without any line: what it has it keeps, and what it says it has done is done.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use meguri_app::body::{self, Handle, StartError, VERSION};
use meguri_app::store::{Store, StoreError};
use meguri_config::{Clock, Terminal};
use meguri_core::TroubleKind;
use meguri_core::kept::{Contents, Held, Op};
use meguri_core::view::{Intent, Link, NotRecorded, View};
use meguri_proto::pickup::State;
use meguri_proto::{DayList, Digest, DocumentName, Message, Reason};
use tempfile::TempDir;
use tokio::sync::watch;

const LIST: &str = include_str!("../../proto/tests/golden/day-list.json");

/// Settings whose broker is a port on which nobody listens.
fn settings(folder: &Path) -> Terminal {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(folder.join("secret"), "of no use here").unwrap();
    let text = format!(
        r#"
        version = 3
        city = "hiroshima"
        terminal = "t-0001"
        contractor = "first"
        contract = "naka-2026"
        vehicle = "v-1"
        [broker]
        host = "127.0.0.1"
        port = {port}
        secret_file = "secret"
        "#
    );
    std::fs::write(folder.join("terminal.toml"), text).unwrap();
    Terminal::read(&folder.join("terminal.toml")).unwrap()
}

/// A clock that shows the morning of the list's day, whenever the test runs.
fn clock(folder: &Path) -> Clock {
    let path = folder.join("clock.toml");
    let real = jiff::Timestamp::now();
    let text = format!("real = \"{real}\"\nfrom = \"2026-04-01T00:00:00Z\"\nspeed = 1.0\n");
    std::fs::write(&path, text).unwrap();
    Clock::rehearsal(&path).unwrap()
}

/// A data folder with a list.
fn with_list(settings: &Terminal, data: &Path) {
    let (mut store, _) = Store::open(data, &settings.city, &settings.terminal, None).unwrap();
    let mut list = DayList::decode(LIST.trim().as_bytes()).unwrap();
    list.pickups[0].own = None;
    let body = String::from_utf8(list.encode().unwrap()).unwrap();
    let name = DocumentName::List { contract: settings.contract.clone(), date: list.date };
    let held = Held {
        version: 1,
        digest: Digest::of(body.as_bytes()),
        contents: Contents::List(Arc::new(list.into())),
    };
    store.commit(&[Op::Document { name, held, body: Some(body) }]).unwrap();
}

struct Running {
    folder: TempDir,
    settings: Terminal,
    clock: Clock,
    handle: Handle,
}

fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    with_list(&settings, &folder.path().join("data"));
    let clock = clock(folder.path());
    let handle = body::start(settings.clone(), &folder.path().join("data"), clock.clone()).unwrap();
    Running { folder, settings, clock, handle }
}

async fn until(view: &mut watch::Receiver<Arc<View>>, what: impl Fn(&View) -> bool) -> Arc<View> {
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), view.wait_for(|view| what(view)));
    Arc::clone(&waited.await.expect("it never came").unwrap())
}

#[tokio::test]
async fn works_without_a_line_and_over_a_restart() {
    let Running { folder, settings, clock, handle } = start();
    let (city, terminal) = (settings.city.clone(), settings.terminal.clone());
    let mut view = handle.view();
    let first = until(&mut view, |view| view.link == Link::Down).await;
    let stop = &first.list.as_ref().expect("the list it last had").stops[0];
    assert_eq!(stop.state, State::Open);
    let pickup = stop.id();

    let fact = handle.record(Intent::Collect { pickup }).await.unwrap();
    let shown = view.borrow_and_update().clone();
    let stop = &shown.list.as_ref().unwrap().stops[0];
    assert_eq!((&stop.state, stop.waiting, shown.waiting), (&State::Collected, true, 1));
    assert_eq!(stop.own.as_ref().unwrap().fact, fact);
    assert_eq!(handle.record(Intent::Collect { pickup }).await, Err(NotRecorded::Already));
    let note = Some("門が閉まっている".to_owned());
    let refuse = Intent::Refuse { pickup, reason: Reason::Other, note };
    handle.record(refuse).await.unwrap();

    let status = handle.status().await.unwrap();
    assert_eq!((status.waiting, status.logs[0].head), (2, 2));
    let data = folder.path().join("data");
    let second = body::start(settings.clone(), &data, clock.clone());
    assert!(matches!(second, Err(StartError::Store(StoreError::Open { .. }))), "one process a store");

    let stopped = handle.clone();
    tokio::task::spawn_blocking(move || handle.stop()).await.unwrap();
    let refused = stopped.record(Intent::Undo { pickup }).await;
    assert!(matches!(refused, Err(NotRecorded::Store(_))));

    let again = body::start(settings, &data, clock).unwrap();
    let shown = again.view().borrow().clone();
    let stop = &shown.list.as_ref().unwrap().stops[0];
    assert_eq!((&stop.state, shown.waiting), (&State::NotCollected(Reason::Other), 2));
    assert!(shown.clock_in_doubt, "nobody has confirmed the clock");

    let today = shown.today;
    let mut view = again.view();
    again.confirm_date(today.yesterday().unwrap());
    again.confirm_date(today);
    until(&mut view, |view| !view.clock_in_doubt).await;
    tokio::task::spawn_blocking(move || again.stop()).await.unwrap();
    let kept = Store::open(&data, &city, &terminal, None).unwrap().1.time.unwrap();
    assert_eq!(kept.confirmed.map(|confirmed| confirmed.date), Some(today));
}

/// A disk that takes its time: the crew is told while it waits, and what it recorded is recorded.
#[tokio::test]
async fn a_slow_disk_is_told_of_and_waited_for() {
    let Running { folder, handle, .. } = start();
    let mut view = handle.view();
    let first = until(&mut view, |view| view.link == Link::Down).await;
    let pickup = first.list.as_ref().unwrap().stops[0].id();
    // Somebody else's transaction keeps the disk busy.
    let busy = rusqlite::Connection::open(folder.path().join("data/terminal.db")).unwrap();
    busy.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    busy.execute_batch("BEGIN IMMEDIATE").unwrap();
    let recorder = handle.clone();
    let recording = tokio::spawn(async move { recorder.record(Intent::Collect { pickup }).await });
    let slow = |view: &View| view.trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::Slow);
    let shown = until(&mut view, slow).await;
    assert_eq!(shown.list.as_ref().unwrap().stops[0].state, State::Open, "not before it is on the disk");
    busy.execute_batch("ROLLBACK").unwrap();
    recording.await.unwrap().unwrap();
    let shown = until(&mut view, |view| view.trouble.is_none()).await;
    assert_eq!(shown.list.as_ref().unwrap().stops[0].state, State::Collected);
    tokio::task::spawn_blocking(move || handle.stop()).await.unwrap();
}

/// Many run on one runtime; one that is dropped there has what it said it had written.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn as_a_task_it_stops_in_order_and_survives_being_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, data) = (settings(folder.path()), folder.path().join("data"));
    with_list(&settings, &data);
    let clock = clock(folder.path());
    let start = || {
        let runtime = tokio::runtime::Handle::current();
        let (settings, data, clock) = (settings.clone(), data.clone(), clock.clone());
        // A store is let go with the last work of a terminal that was dropped.
        tokio::task::spawn_blocking(move || {
            loop {
                match body::start_on(&runtime, settings.clone(), &data, clock.clone()) {
                    Err(StartError::Store(StoreError::Open { .. })) => std::thread::yield_now(),
                    started => return started.unwrap(),
                }
            }
        })
    };
    let (handle, task) = start().await.unwrap();
    let pickup = handle.view().borrow().list.as_ref().unwrap().stops[0].id();
    handle.record(Intent::Collect { pickup }).await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(matches!(handle.record(Intent::Undo { pickup }).await, Err(NotRecorded::Store(_))));

    let (handle, task) = start().await.unwrap();
    assert_eq!(handle.view().borrow().waiting, 1);
    handle.record(Intent::Undo { pickup }).await.unwrap();
    handle.stop();
    task.await.unwrap();
    let (handle, task) = start().await.unwrap();
    assert_eq!(handle.view().borrow().waiting, 2);
    handle.stop();
    task.await.unwrap();
}

/// Whatever the settings let through: what is always due takes its turn and no more.
#[tokio::test]
async fn a_timer_that_is_always_due_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.timers.health = 0.000_001;
    let handle = body::start(settings, &folder.path().join("data"), Clock::system()).unwrap();
    let mut view = handle.view();
    until(&mut view, |view| view.link == Link::Down).await;
    let patience = std::time::Duration::from_secs(30);
    let status = tokio::time::timeout(patience, handle.status()).await.expect("it answers");
    assert!(status.is_some());
    let stopped = tokio::task::spawn_blocking(move || handle.stop());
    tokio::time::timeout(patience, stopped).await.expect("it stops").unwrap();
}

#[test]
fn says_what_is_missing_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    std::fs::remove_file(folder.path().join("secret")).unwrap();
    let error = body::start(settings, &folder.path().join("data"), Clock::system()).unwrap_err();
    assert!(matches!(error, StartError::Secret(_)), "{error}");
    assert!(!VERSION.is_empty());
}
