//! Signed configurations: how long a city's take to be built, signed by two and taken by the office; how soon 2,000 connected
//! terminals have staged theirs; what verifying one costs beside its bare signatures; and how large one is on the wire.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use meguri_config::bundle::{Bundle, Connection, Peripheral, PeripheralKind, Whose};
use meguri_config::fleet::Fleet;
use meguri_config::schedule::Plans;
use meguri_config::terminal::{ReasonSetting, Retention, Screen, Timers};
use meguri_config::{City, Configuration};
use meguri_gateway::store::Store;
use meguri_gateway::switchover::releases;
use meguri_gateway::touched::Touched;
use meguri_gateway::{plan, terminals};
use meguri_proto::{Digest, Document, Incarnation, Message as _, Reason};
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
    let dir = setting.dir.join(GROUP);
    std::fs::create_dir_all(&dir).with_context(|| format!("can't make {}", dir.display()))?;
    let mut rows = many(&dir)?;
    rows.extend(verify()?);
    rows.push(size()?);
    Ok(rows)
}

/// A whole city's release: read, built, signed, and taken by the office, which verifies every bundle of it.
fn many(dir: &Path) -> anyhow::Result<Vec<Row>> {
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
    let bare: Vec<(VerifyingKey, Signature)> = [7, 8]
        .map(|seed| {
            let key = SigningKey::from_bytes(&[seed; 32]);
            (key.verifying_key(), key.sign(&message))
        })
        .to_vec();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..VERIFIED {
        let started = Instant::now();
        let accepted = Bundle::accept(black_box(envelope.get().as_bytes()), Some(&set), whose, now);
        ours.push(started.elapsed());
        ensure!(accepted.is_ok(), "a bundle that both have signed is not accepted");
        let started = Instant::now();
        let good = bare.iter().all(|(key, signature)| key.verify(black_box(&message), signature).is_ok());
        theirs.push(started.elapsed());
        ensure!(good, "a bare signature does not verify");
    }
    let (ours, theirs) = (median(ours), median(theirs));
    Ok(vec![
        Row::at_most(
            GROUP,
            "verifying a bundle, by two bare Ed25519 signatures",
            ours / theirs,
            "",
            MOST_BY_BARE,
        )
        .beside(format!("{:.0} us, the bare ones {:.0} us at the median", ours * 1e6, theirs * 1e6)),
    ])
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took.get(took.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
}
