//! Signed configurations: how long a city's take to be built, signed by two and taken by the office; how soon 2,000 connected
//! terminals have staged theirs; what verifying one costs beside its bare signatures; and how large one is on the wire.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::office::Office;
use crate::harness::port::Port;
use crate::harness::scene::write_clock;
use anyhow::{Context, ensure};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use meguri_app::body::{self, Handle};
use meguri_config::bundle::{Bundle, Connection, Peripheral, PeripheralKind, Whose};
use meguri_config::fleet::Fleet;
use meguri_config::schedule::Plans;
use meguri_config::terminal::{ReasonSetting, Retention, Screen, Timers};
use meguri_config::{City, Clock, Configuration, Terminal};
use meguri_core::view::{Link, View};
use meguri_gateway::people::{Role, accounts, password};
use meguri_gateway::store::Store;
use meguri_gateway::switchover::{releases, steps};
use meguri_gateway::touched::Touched;
use meguri_gateway::{plan, terminals};
use meguri_proto::{Digest, Document, Incarnation, Message as _, Reason};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Row, Setting};
use crate::rehearsal::made_up;
use crate::rehearsal::signing::Keys;

const GROUP: &str = "configurations";
/// When releases are made: a month before contracts change in the made-up city.
const MADE_AT: &str = "2027-03-01T00:00:00Z";
/// The release's file.
const RELEASE: &str = "city.release";
/// Every terminal's secret.
const SECRET: &str = "of-the-bench";
/// Ten times the terminals of the largest city.
const MANY: usize = 10_000;
/// Terminals that are connected.
const CONNECTED: usize = 2_000;
/// Seconds until all of them have staged what was pushed. They share this machine's disk with the office, each with several commits of
/// its own; a person who pushes still sees it happen.
const MOST_STAGED: f64 = 30.0;
/// Longer nobody waits.
const PATIENCE: Duration = Duration::from_secs(300);
/// Who drafts and who approves.
const PEOPLE: [&str; 2] = ["drafts", "approves"];
/// Bundles that are verified, each by both ways in turn.
const VERIFIED: usize = 2_000;
/// Bytes of a bundle on the wire, document and envelope around it. A terminal gets it over a mobile line that loses packets: eight
/// kilobytes are six of them.
const MOST_BYTES: f64 = 8_000.0;
/// Seconds for a whole city's release.
const MOST_SECONDS: f64 = 10.0;
/// What reading a bundle may cost by its bare signatures: two checks of some 5 KB are nearly all of it, and the rest (base64, JSON,
/// the digests by which keys are named, every bound) may be half as much again. More would mean that something is read twice.
const MOST_BY_BARE: f64 = 1.5;

/// Measures it.
///
/// # Errors
/// When a file can't be written, or what is signed does not verify.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let dir = &setting.dir;
    let mut rows = many(&dir.join("many"))?;
    rows.extend(staged(&dir.join("staged"))?);
    rows.extend(verify()?);
    rows.push(size()?);
    Ok(rows)
}

/// A whole city's release: read, built, signed, and taken by the office, which verifies every bundle of it.
fn many(dir: &Path) -> anyhow::Result<Vec<Row>> {
    std::fs::create_dir_all(dir)?;
    let (plans, data) = (dir.join("plans"), dir.join("office"));
    made_up::write(&plans, MANY)?;
    let made_at: Timestamp = MADE_AT.parse()?;
    let started = Instant::now();
    let (release, city) = build(&plans, made_at)?;
    let built = started.elapsed();
    let started = Instant::now();
    let keys = Keys::draw(&city.id, 1, made_at)?;
    keys.release(&dir.join(RELEASE), "bench", None, &release)?;
    let signed = started.elapsed();
    std::fs::create_dir_all(&data)?;
    let mut store = Store::open(&data, &city.id, made_at, Incarnation(Uuid::new_v4()))?;
    enrol(&mut store, &city, &release, made_at)?;
    let started = Instant::now();
    let taken = releases::take_here(&mut store, &city.id, made_at, &dir.join(RELEASE))?;
    let took = started.elapsed();
    ensure!(taken.terminals == MANY as u64, "the office took {} bundles of {MANY}", taken.terminals);
    let all = (built + signed + took).as_secs_f64();
    Ok(vec![
        Row::at_most(
            GROUP,
            "10,000 bundles built, signed by two and taken by the office",
            all,
            "s",
            MOST_SECONDS,
        )
        .beside(format!(
            "built {:.2} s, signed and written {:.2} s, verified and taken {:.2} s",
            built.as_secs_f64(),
            signed.as_secs_f64(),
            took.as_secs_f64()
        )),
    ])
}

/// Every terminal's bundle of a folder of plans.
fn build(plans: &Path, made_at: Timestamp) -> anyhow::Result<(Vec<Bundle>, City)> {
    let (city, fleet) = Fleet::read_folder(plans)?;
    let both = Plans::new(&city, &fleet);
    let expires = made_at + SignedDuration::from_hours(24 * 90);
    let bundles = fleet.terminal.iter().map(|terminal| both.bundle(terminal, 1, made_at, expires));
    Ok((bundles.collect::<Result<_, _>>()?, city))
}

/// Has an office know the plan and its terminals.
fn enrol(store: &mut Store, city: &City, bundles: &[Bundle], now: Timestamp) -> anyhow::Result<()> {
    let tx = store.conn.transaction()?;
    plan::take_over(&tx, now, city)?;
    let mut touched = Touched::default();
    for bundle in bundles {
        let (terminal, vehicle) = (&bundle.terminal, &bundle.schedule[0].vehicle);
        terminals::add(&tx, &mut touched, now, terminal, vehicle, Digest::of(SECRET.as_bytes()))?;
    }
    tx.commit()?;
    Ok(())
}

/// Two thousand terminals, each with its body and its store, connected to a gateway that pushes to all of them at once.
fn staged(dir: &Path) -> anyhow::Result<Vec<Row>> {
    std::fs::create_dir_all(dir)?;
    let made_at: Timestamp = MADE_AT.parse()?;
    let (clock, plans) = (dir.join("clock.toml"), dir.join("plans"));
    made_up::write(&plans, CONNECTED * 3 / 2)?;
    write_clock(&clock, made_at, 1.0)?;
    let port = Port::take()?;
    let (mut bundles, city) = build(&plans, made_at)?;
    // In two thirds of the made-up city's districts contracts change.
    bundles.retain(|bundle| bundle.schedule.len() > 1);
    ensure!(bundles.len() == CONNECTED, "{} terminals change over, expected {CONNECTED}", bundles.len());
    for configuration in bundles.iter_mut().flat_map(|bundle| &mut bundle.schedule) {
        let (host, port) = (port.address().ip().to_string(), port.address().port());
        configuration.broker = Connection { host, port, office: None, authority: None };
    }
    let at = bundles[0].schedule[1].from;
    Keys::draw(&city.id, 1, made_at)?.release(&dir.join(RELEASE), "bench", at, &bundles)?;
    let mut office = Office::set_up(dir, &city, Some(&clock), port.address(), None)?;
    let switchover = approved(&office, &city, &bundles, &dir.join(RELEASE), made_at)?;
    office.start_as(office.command()?.env("MEGURI_GATEWAY__LOG__LEVEL", "warn").arg("serve"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(16)
        .enable_all()
        .build()?;
    let clock = Clock::rehearsal(&clock)?;
    let mut bodies = Vec::new();
    for bundle in &bundles {
        let folder = dir.join("terminals").join(bundle.terminal.as_str());
        let settings = own_file(&folder, bundle)?;
        bodies.push(body::start_on(runtime.handle(), settings, &folder.join("data"), clock.clone())?);
    }
    let staged = runtime.block_on(async {
        wait_for(&bodies, |view| view.link == Link::Up).await?;
        let started = Instant::now();
        office.must(&[
            "switchover",
            "push",
            &switchover.to_string(),
            "--groups",
            "100",
            "--as",
            PEOPLE[0],
        ])?;
        wait_for(&bodies, |view| view.config.coming.is_some()).await?;
        Ok::<_, anyhow::Error>(started.elapsed())
    })?;
    let known = Instant::now();
    let expected = i64::try_from(CONNECTED)?;
    while office.number("SELECT count(DISTINCT terminal) FROM config_event WHERE state = 'staged'")?
        < expected
    {
        ensure!(known.elapsed() < PATIENCE, "the office does not hear of all that is staged");
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = staged + known.elapsed();
    runtime.shutdown_background();
    office.stop()?;
    Ok(vec![
        Row::at_most(
            GROUP,
            "2,000 connected terminals: all staged after the push",
            staged.as_secs_f64(),
            "s",
            MOST_STAGED,
        )
        .beside(format!("the office knows it of all after {:.1} s", told.as_secs_f64())),
    ])
}

/// A switchover of a release, drafted by one and approved by another, in a store that no gateway holds. Says its number.
fn approved(
    office: &Office,
    city: &City,
    bundles: &[Bundle],
    release: &Path,
    now: Timestamp,
) -> anyhow::Result<i64> {
    let mut store = Store::open(&office.data(), &city.id, now, Incarnation(Uuid::new_v4()))?;
    enrol(&mut store, city, bundles, now)?;
    releases::take_here(&mut store, &city.id, now, release)?;
    let tx = store.conn.transaction()?;
    let password = password::none()?;
    for login in PEOPLE {
        let (login, name, password) = (login.to_owned(), login.to_owned(), password.clone());
        let (role, contractor, must_change) = (Role::Administrator, None, false);
        accounts::add(&tx, now, &accounts::New { login, name, role, contractor, password, must_change })?;
    }
    let mut touched = Touched::default();
    let new = steps::New { version: 1, name: None, kind: None };
    let switchover = steps::draft(&tx, &mut touched, now, PEOPLE[0], &new)?;
    steps::check(&tx, &mut touched, now, PEOPLE[0], switchover)?;
    steps::approve(&tx, &mut touched, now, PEOPLE[1], switchover)?;
    tx.commit()?;
    store.close()?;
    Ok(switchover)
}

/// The file that a terminal was enrolled with.
fn own_file(folder: &Path, bundle: &Bundle) -> anyhow::Result<Terminal> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    std::fs::write(folder.join("secret"), SECRET)?;
    let now = &bundle.schedule[0];
    let file = folder.join("terminal.toml");
    let text = format!(
        "version = 1\ncity = \"{}\"\nterminal = \"{}\"\ncontractor = \"{}\"\ncontract = \"{}\"\nvehicle = \"{}\"\n\
         [broker]\nhost = \"{}\"\nport = {}\nsecret_file = \"secret\"\n",
        bundle.city,
        bundle.terminal,
        now.contractor,
        now.contract,
        now.vehicle,
        now.broker.host,
        now.broker.port
    );
    std::fs::write(&file, text)?;
    Ok(Terminal::read(&file)?)
}

/// Waits until every terminal shows it.
async fn wait_for(bodies: &[(Handle, JoinHandle<()>)], shows: impl Fn(&View) -> bool) -> anyhow::Result<()> {
    for (handle, _) in bodies {
        let mut view = handle.view();
        let waited = tokio::time::timeout(PATIENCE, view.wait_for(|view| shows(view))).await;
        waited.context("a terminal does not come to it")?.context("a terminal has stopped")?;
    }
    Ok(())
}

/// The largest bundle that is usual: what holds and what comes, all reasons, everything plugged in, another authority for the broker
/// in neither.
fn usual(version: u64, made_at: Timestamp) -> anyhow::Result<Bundle> {
    let configuration = |from, contract: &str, contractor: &str, name: &str| {
        let peripheral = [PeripheralKind::Gnss, PeripheralKind::Scale, PeripheralKind::Barcode]
            .map(|kind| {
                let port = format!("/dev/serial/by-id/usb-{kind:?}-receiver-0001-if00-port0").to_lowercase();
                Peripheral { kind, port, baud: 9_600 }
            })
            .to_vec();
        Ok::<_, anyhow::Error>(Configuration {
            from,
            contract: contract.parse()?,
            contractor: contractor.parse()?,
            contractor_name: name.to_owned(),
            vehicle: "naka-vehicle-012".parse()?,
            vehicle_name: "中区12号車（2トン パッカー車）".to_owned(),
            round: "中区A・基町・白島方面".to_owned(),
            broker: Connection {
                host: "meguri-gateway.city.hiroshima.example".to_owned(),
                port: 8883,
                office: Some("https://meguri-gateway.city.hiroshima.example:8443".to_owned()),
                authority: None,
            },
            peripheral,
            screen: Screen::default(),
            reason: Reason::ALL
                .iter()
                .map(|&code| ReasonSetting { code, note: code == Reason::Other })
                .collect(),
            retention: Retention::default(),
            timers: Timers::default(),
        })
    };
    let from = Some(made_at + SignedDuration::from_hours(24 * 30));
    Ok(Bundle {
        v: 1,
        city: "hiroshima".parse()?,
        terminal: "terminal-0001".parse()?,
        version,
        made_at,
        expires: made_at + SignedDuration::from_hours(24 * 90),
        schedule: vec![
            configuration(None, "daiichi-shushu-naka-2026", "daiichi-shushu", "第一収集株式会社")?,
            configuration(from, "daini-shushu-naka-2027", "daini-shushu", "第二収集株式会社")?,
        ],
    })
}

/// How large it is as a terminal gets it.
fn size() -> anyhow::Result<Row> {
    let now = Timestamp::now();
    let bundle = usual(20_270_301, now)?;
    let keys = Keys::draw(&bundle.city, 1, now)?;
    let envelope = keys.sign(&bundle)?;
    let document = Document {
        v: Document::VERSION,
        version: 3,
        digest: Digest::of(envelope.get().as_bytes()),
        body: envelope,
    };
    let (bytes, payload) = (document.encode()?.len() as f64, serde_json::to_vec(&bundle)?.len());
    Ok(Row::at_most(
        GROUP,
        "a bundle on the wire: two configurations, all reasons and peripherals",
        bytes,
        "B",
        MOST_BYTES,
    )
    .beside(format!("{payload} B of JSON in it, two signatures around it")))
}

/// What a terminal does with a bundle, beside nothing but the two signatures over the same bytes.
fn verify() -> anyhow::Result<Vec<Row>> {
    let now = Timestamp::now();
    let bundle = usual(20_270_301, now)?;
    let keys = Keys::draw(&bundle.city, 1, now)?;
    let (envelope, set) = (keys.sign(&bundle)?, keys.set()?);
    let whose = Whose { city: &bundle.city, terminal: &bundle.terminal, version: 0 };
    // As many bytes as the signatures of the envelope are over.
    let message = vec![b'x'; serde_json::to_vec(&bundle)?.len() + 60];
    let bare = [7, 8].map(|seed| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        (key.verifying_key().to_bytes(), key.sign(&message))
    });
    // A key is 32 bytes to all. Strict is what a terminal has to be: no point of small order; the usual check is told beside it.
    let strictly = |(key, signature): &([u8; 32], Signature)| {
        VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify_strict(black_box(&message), signature).is_ok())
    };
    let usually = |(key, signature): &([u8; 32], Signature)| {
        VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify(black_box(&message), signature).is_ok())
    };
    let (mut ours, mut strict, mut usual) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..VERIFIED {
        let started = Instant::now();
        let accepted = Bundle::accept(black_box(envelope.get().as_bytes()), Some(&set), whose, now);
        ours.push(started.elapsed());
        ensure!(accepted.is_ok(), "a bundle that both have signed is not accepted");
        for (check, took) in [(&strictly as &dyn Fn(_) -> bool, &mut strict), (&usually, &mut usual)] {
            let started = Instant::now();
            let good = bare.iter().all(check);
            took.push(started.elapsed());
            ensure!(good, "a bare signature does not verify");
        }
    }
    let (ours, strict, usual) = (median(ours), median(strict), median(usual));
    Ok(vec![
        Row::at_most(
            GROUP,
            "verifying a bundle, by two bare strict Ed25519 checks",
            ours / strict,
            "",
            MOST_BY_BARE,
        )
        .beside(format!(
            "{:.0} us, the bare ones {:.0} us at the median; {:.2} of the usual, less strict check ({:.0} us)",
            ours * 1e6,
            strict * 1e6,
            ours / usual,
            usual * 1e6
        )),
    ])
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took.get(took.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}
