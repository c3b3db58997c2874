//! Two thousand terminals connected: memory of the gateway with its broker, and the time until all are served after
//! a restart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meguri_proto::{Ack, BootId, Hello, LogsHeld, Message as _, Nonce};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::line::{Came, Line};
use super::stage::{Seat, Size, Stage};
use super::{Row, Setting, process};

const GROUP: &str = "terminals";
/// Ten times the day of a city of 1.2 million: 16,000 pickups.
const SIZE: Size = Size { terminals: 2_000, stops: 8, days: 2 };
/// As terminals' default timers: the first wait before they connect again, and the longest.
const RECONNECT: (f64, f64) = (1.0, 30.0);

/// Measures it.
///
/// # Errors
/// When a program can't be run or a terminal is never answered.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let mut stage = Stage::set(&setting.dir.join("terminals"), SIZE)?;
    stage.start()?;
    let empty = process::memory(stage.office.process_id()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let started = Instant::now();
    let mut answers = connect_all(&runtime, stage.office.mqtt(), &stage.seats);
    served(&runtime, &mut answers, &stage.seats)?;
    let first = started.elapsed();
    let memory = process::memory(stage.office.process_id()?)?;
    // As a crash is: nobody is told.
    stage.office.kill();
    while answers.try_recv().is_ok() {}
    let killed = Instant::now();
    stage.start()?;
    let ready = killed.elapsed();
    served(&runtime, &mut answers, &stage.seats)?;
    let all = killed.elapsed();
    let after = process::memory(stage.office.process_id()?)?;
    runtime.shutdown_background();
    stage.office.stop()?;
    let ready = ready.as_secs_f64();
    Ok(vec![
        Row::at_most(GROUP, "memory with 2,000 connected and served", memory.max(after), "MB", 250.0)
            .beside(format!("{empty:.0} MB with none; {after:.0} MB after the restart")),
        Row::shown(GROUP, "all served after the gateway was killed and started", all.as_secs_f64(), "s")
            .beside(format!(
                "ready after {ready:.1} s; all at once at the beginning: {:.1} s",
                first.as_secs_f64()
            )),
    ])
}

/// Terminals that connect, say hello, and do so again whenever their line breaks. Each answer's terminal is told.
fn connect_all(runtime: &Runtime, broker: SocketAddr, seats: &[Seat]) -> mpsc::UnboundedReceiver<usize> {
    let (to, answers) = mpsc::unbounded_channel();
    for (index, seat) in seats.iter().enumerate() {
        let (seat, to) = (Arc::new(seat.clone()), to.clone());
        runtime.spawn(async move {
            let mut wait = RECONNECT.0;
            loop {
                if let Ok(line) = line(broker, &seat).await {
                    wait = RECONNECT.0;
                    // Ends with its line.
                    let _ = serve(line, &seat, index, &to).await;
                }
                tokio::time::sleep(Duration::from_secs_f64(wait * (0.5 + rand::random::<f64>()))).await;
                wait = (wait * 2.0).min(RECONNECT.1);
            }
        });
    }
    answers
}

async fn line(broker: SocketAddr, seat: &Seat) -> anyhow::Result<Line> {
    let filter = seat.filter();
    let connected = Line::connect(broker, &seat.name, &seat.name, &seat.secret, &filter, 100);
    tokio::time::timeout(Duration::from_secs(15), connected).await.context("no answer")?
}

async fn serve(
    mut line: Line,
    seat: &Seat,
    index: usize,
    answered: &mpsc::UnboundedSender<usize>,
) -> anyhow::Result<()> {
    let topic = format!("meguri/1/hiroshima/{}/up/hello", seat.name);
    let nonce = Nonce(Uuid::new_v4());
    let hello = Hello {
        v: 1,
        nonce,
        boot: BootId(Uuid::new_v4()),
        app: "bench".to_owned(),
        config: 1,
        incarnation: None,
        certificate: None,
        logs: LogsHeld::default(),
        documents: Vec::new(),
    };
    line.publish(&topic, &hello.encode()?);
    line.flush().await?;
    let (mut is_answered, mut has_list, mut told) = (false, false, false);
    let mut again = tokio::time::interval(Duration::from_secs(30));
    again.tick().await;
    loop {
        tokio::select! {
            came = line.read() => for came in came? {
                let Came::Message { topic, payload } = came else { continue };
                has_list |= topic.contains("/down/list/");
                if topic.ends_with("/down/ack") {
                    is_answered |= Ack::decode(&payload)?.nonce == Some(nonce);
                }
            },
            // An unanswered hello is said again after 30 s of silence.
            _ = again.tick(), if !is_answered => line.publish(&topic, &hello.encode()?),
        }
        line.flush().await?;
        if is_answered && has_list && !told {
            told = true;
            answered.send(index)?;
        }
    }
}

/// Waits until every terminal had its answer and a list.
fn served(
    runtime: &Runtime,
    answers: &mut mpsc::UnboundedReceiver<usize>,
    seats: &[Seat],
) -> anyhow::Result<()> {
    let mut left: std::collections::BTreeSet<usize> = (0..seats.len()).collect();
    let all = async {
        while !left.is_empty() {
            let answered = answers.recv().await.context("nobody is there any more")?;
            left.remove(&answered);
        }
        anyhow::Ok(())
    };
    match runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), all).await }) {
        Ok(done) => done,
        Err(_) => bail!("{} terminals were not served within two minutes", left.len()),
    }
}
