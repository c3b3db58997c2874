//! Two thousand terminals renew their certificates while others have facts confirmed: how many a second the door takes, and what
//! becomes of the time from a publish to its acknowledgement.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use meguri_gateway::ca::{self, Authority};
use meguri_proto::enrol::{RenewReply, RenewRequest, hex};
use meguri_proto::{Ack, Digest, LogKind, Message as _};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use rusqlite::params;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::line::{Came, Line, secured};
use super::stage::{Book, Seat, Size, Stage};
use super::{Row, Setting};
use crate::harness::plain::tls;

const GROUP: &str = "renewals";
/// Terminals that renew.
const TERMINALS: usize = 2_000;
/// Those among them that work meanwhile, each with so many facts a second: what a city of ten times 1.2 million has at its
/// busiest, many times over.
const WORKING: usize = 40;
const EACH_SECOND: f64 = 10.0;
/// How long is measured without renewals, and with those of an hour ten times as fast.
const CALM: Duration = Duration::from_secs(20);
/// Two thousand within an hour.
const HOURLY: f64 = TERMINALS as f64 / 3_600.0;

/// Measures it.
///
/// # Errors
/// When a program can't be run, a renewal is refused, or a fact is not acknowledged.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let size = Size { terminals: TERMINALS, stops: 8, days: 1 };
    let plan = Plan { working: WORKING, calm: CALM, paced: 10.0 * HOURLY };
    let Figures { calm, paced, crowd, renewals, took } = run(&setting.dir.join(GROUP), size, plan)?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let rate = renewals as f64 / took.as_secs_f64();
    Ok(vec![
        Row::shown(GROUP, "publish to acknowledgement, p99, nobody renews", ms(calm), "ms")
            .beside(format!("{WORKING} terminals over TLS, {:.0} facts/s", WORKING as f64 * EACH_SECOND)),
        Row::shown(GROUP, "  while they renew ten times as fast as 2,000 within an hour", ms(paced), "ms"),
        Row::at_most(
            GROUP,
            "  the one by the other",
            paced.as_secs_f64() / calm.as_secs_f64(),
            "",
            MOST_SLOWER,
        ),
        Row::at_least(GROUP, "renewals, all 2,000 at once", rate, "/s", 10.0 * HOURLY)
            .beside(format!("all within {:.1} s; an hour asks for {HOURLY:.2}/s", took.as_secs_f64())),
        Row::at_most(GROUP, "  publish to acknowledgement meanwhile, p99", ms(crowd), "ms", MOST_IN_CROWD),
    ])
}

/// How much longer an acknowledgement may take while terminals renew, and how long while all do at once, in milliseconds.
const MOST_SLOWER: f64 = 1.5;
const MOST_IN_CROWD: f64 = 1_000.0;

/// How it is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Terminals that work.
    pub working: usize,
    /// How long each phase takes but the last.
    pub calm: Duration,
    /// Renewals a second in the second.
    pub paced: f64,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// From publish to acknowledgement, 99 of 100, while nobody renews,
    pub calm: Duration,
    /// while some do,
    pub paced: Duration,
    /// and while all do at once.
    pub crowd: Duration,
    /// How many renewed at once.
    pub renewals: usize,
    /// How long that took.
    pub took: Duration,
}

/// Runs it on a stage of this size, whose every terminal renews at once at the end.
///
/// # Errors
/// As [`measure`].
pub fn run(dir: &Path, size: Size, plan: Plan) -> anyhow::Result<Figures> {
    let mut stage = Stage::set(dir, size)?;
    stage.office.set_up_tls()?;
    stage.start()?;
    stage.office.stop()?;
    let owners = certify(&stage)?;
    stage.start()?;
    let door = stage.office.door()?.trim_start_matches("https://").parse()?;
    let office = stage.office.data().join("ca");
    let authority = std::fs::read_to_string(office.join("authority.pem"))?;
    let at = Door {
        address: door,
        tls: tls(&authority, None)?,
        channel: ca::channel(&office.join("office.pem"))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(phases(&stage, &authority, at, Arc::new(owners), plan))?;
    stage.office.stop()?;
    let renewed =
        "SELECT count(*) FROM (SELECT terminal FROM certificate GROUP BY terminal HAVING count(*) >= 2)";
    let renewed = usize::try_from(stage.office.number(renewed)?)?;
    ensure!(renewed == size.terminals, "{renewed} of {} terminals have renewed", size.terminals);
    Ok(figures)
}

/// A terminal with its key.
struct Owner {
    seat: Seat,
    key: KeyPair,
    pem: String,
    serial: String,
}

/// Gives every terminal a certificate of the gateway's authority, by which it has come in before.
fn certify(stage: &Stage) -> anyhow::Result<Vec<Owner>> {
    let now = Timestamp::now();
    let authority = Authority::open(&stage.office.data(), &"hiroshima".parse()?, now, true)?;
    let mut store = stage.writable()?;
    let tx = store.transaction()?;
    let mut owners = Vec::new();
    for seat in &stage.seats {
        let (key, csr) = request()?;
        let issued = authority.terminal(&seat.name.parse()?, &csr, rand::random(), now, 500)?;
        tx.prepare_cached(
            "INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after, connected_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6)",
        )?
        .execute(params![
            issued.serial,
            seat.name,
            issued.public_key,
            Digest::of(csr.as_bytes()).0.as_slice(),
            issued.pem,
            now.as_millisecond(),
            issued.not_after.as_millisecond(),
        ])?;
        owners.push(Owner { seat: seat.clone(), key, pem: issued.pem, serial: issued.serial });
    }
    tx.commit()?;
    Ok(owners)
}

/// A key and its certificate request.
fn request() -> anyhow::Result<(KeyPair, String)> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let csr = CertificateParams::default().serialize_request(&key)?.pem()?;
    Ok((key, csr))
}

/// Where terminals renew.
#[derive(Clone)]
struct Door {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    channel: Digest,
}

impl Door {
    /// Renews as a terminal does; an office that is busy is asked again.
    async fn renew(&self, owner: &Owner) -> anyhow::Result<()> {
        let (_, csr) = request()?;
        let terminal = owner.seat.name.parse()?;
        let signed = RenewRequest::signed(&terminal, &owner.serial, &csr, &self.channel);
        let signature = hex(&owner.key.sign(&signed)?);
        let body = RenewRequest { v: 1, terminal, serial: owner.serial.clone(), csr, signature }.encode()?;
        loop {
            // Also where so many knock that the system lets one wait too long.
            match self.post(&body).await {
                Ok((200, answer)) => {
                    RenewReply::decode(&answer)?;
                    return Ok(());
                }
                Ok((status, answer)) if status != 503 => {
                    bail!("the door says {status}: {}", String::from_utf8_lossy(&answer))
                }
                Ok(_) | Err(_) => sleep(Duration::from_secs_f64(0.5 + rand::random::<f64>())).await,
            }
        }
    }

    async fn post(&self, body: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut line = secured(self.tls.clone(), self.address).await?;
        let head = format!(
            "POST /renew HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        line.write_all(head.as_bytes()).await?;
        line.write_all(body).await?;
        line.flush().await?;
        let mut answer = Vec::new();
        // Servers may hang up without the good-bye of TLS.
        let ended = line.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            ended?;
            bail!("no answer");
        };
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP")?;
        Ok((status, answer.split_off(end + 4)))
    }
}

/// What happens while facts are confirmed: nothing, some renew, all renew; and that it is over.
const PHASES: usize = 3;

async fn phases(
    stage: &Stage,
    authority: &str,
    door: Door,
    owners: Arc<Vec<Owner>>,
    plan: Plan,
) -> anyhow::Result<Figures> {
    let phase = Arc::new(AtomicUsize::new(0));
    let mut working = JoinSet::new();
    for owner in owners.iter().take(plan.working) {
        let own = tls(authority, Some(&format!("{}{}", owner.key.serialize_pem(), owner.pem)))?;
        let line = Line::connect_by(own, stage.office.mqtt(), &owner.seat.name, &owner.seat.filter()).await?;
        working.spawn(work(line, Book::new(&owner.seat, usize::MAX)?, phase.clone()));
    }
    sleep(plan.calm).await;
    phase.store(1, Ordering::SeqCst);
    let mut renewing = JoinSet::new();
    let mut next = interval(Duration::from_secs_f64(1.0 / plan.paced));
    let started = Instant::now();
    let mut index = 0;
    while started.elapsed() < plan.calm {
        next.tick().await;
        let (door, owners, at) = (door.clone(), owners.clone(), index % owners.len());
        renewing.spawn(async move { door.renew(&owners[at]).await });
        index += 1;
    }
    while let Some(done) = renewing.join_next().await {
        done??;
    }
    phase.store(2, Ordering::SeqCst);
    let started = Instant::now();
    for at in 0..owners.len() {
        let (door, owners) = (door.clone(), owners.clone());
        renewing.spawn(async move { door.renew(&owners[at]).await });
    }
    while let Some(done) = renewing.join_next().await {
        done??;
    }
    let took = started.elapsed();
    phase.store(PHASES, Ordering::SeqCst);
    let mut times: [Vec<Duration>; PHASES] = Default::default();
    while let Some(done) = working.join_next().await {
        for (times, more) in times.iter_mut().zip(done??) {
            times.extend(more);
        }
    }
    let [calm, paced, crowd] = times.map(p99);
    Ok(Figures { calm, paced, crowd, renewals: owners.len(), took })
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let at = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}

/// Has one fact after another confirmed until all is over. How long each took, by phase.
async fn work(
    mut line: Line,
    mut book: Book,
    phase: Arc<AtomicUsize>,
) -> anyhow::Result<[Vec<Duration>; PHASES]> {
    let mut times: [Vec<Duration>; PHASES] = Default::default();
    let topic = book.topic();
    let mut next = interval(Duration::from_secs_f64(1.0 / EACH_SECOND));
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // In no step with others.
    sleep(Duration::from_secs_f64(rand::random::<f64>() / EACH_SECOND)).await;
    loop {
        next.tick().await;
        let in_phase = phase.load(Ordering::SeqCst);
        if in_phase >= PHASES {
            return Ok(times);
        }
        line.publish(&topic, &book.publish(1)?);
        let sent = Instant::now();
        line.flush().await?;
        let mut acknowledged = false;
        while !acknowledged {
            let came = tokio::time::timeout(Duration::from_secs(30), line.read()).await;
            for came in came.context("nothing was acknowledged for 30 s")?? {
                let Came::Message { topic, payload } = came else { continue };
                if topic.ends_with("/down/ack") {
                    let held = Ack::decode(&payload)?.held;
                    acknowledged |= held.iter().any(|held| held.log == LogKind::Fact && held.seq == book.seq);
                }
            }
            line.flush().await?;
        }
        times[in_phase].push(sent.elapsed());
    }
}
