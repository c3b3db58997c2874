//! A steady load: terminals that confirm one thing after the other at a given pace, and how soon each was acknowledged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use meguri_proto::{Ack, LogKind, Message as _};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::line::{Came, Line};
use super::stage::{Book, Seat};

/// Terminals at work until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<anyhow::Result<Vec<Duration>>>>,
    runtime: Runtime,
    started: Instant,
}

/// What they saw.
pub struct Seen {
    /// Facts a second that were acknowledged.
    pub rate: f64,
    /// How long each acknowledgement took, shortest first.
    pub waits: Vec<Duration>,
}

impl Load {
    /// Starts them: together `rate` facts a second, one a publish.
    ///
    /// # Errors
    /// When one can't connect.
    pub fn start(broker: SocketAddr, seats: &[Seat], pickups: usize, rate: f64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        let pace = Duration::from_secs_f64(seats.len() as f64 / rate);
        for (index, seat) in seats.iter().enumerate() {
            let filter = seat.filter();
            let line = Line::connect(broker, &seat.name, &seat.name, &seat.secret, &filter, 100);
            let line = runtime.block_on(line)?;
            // Not all at the same instant.
            let first = pace.mul_f64(index as f64 / seats.len() as f64);
            let book = Book::new(seat, pickups)?;
            tasks.push(runtime.spawn(work(line, book, seat.fact_topic(), first, pace, stop.clone())));
        }
        Ok(Self { stop, tasks, runtime, started: Instant::now() })
    }

    /// Ends them once everything is acknowledged.
    ///
    /// # Errors
    /// When one lost its line, or got no acknowledgement.
    pub fn stop(self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let ran = self.started.elapsed();
        let mut waits = Vec::new();
        for task in self.tasks {
            waits.extend(self.runtime.block_on(task).context("a terminal panicked")??);
        }
        waits.sort();
        Ok(Seen { rate: waits.len() as f64 / ran.as_secs_f64(), waits })
    }
}

async fn work(
    mut line: Line,
    mut book: Book,
    topic: String,
    first: Duration,
    pace: Duration,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Duration>> {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + first, pace);
    let (mut waiting, mut waits) = (VecDeque::new(), Vec::new());
    let mut silent = Instant::now();
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if stop.load(Ordering::Relaxed) {
                    if waiting.is_empty() {
                        return Ok(waits);
                    }
                    anyhow::ensure!(silent.elapsed() < Duration::from_secs(30), "an acknowledgement is missing");
                    continue;
                }
                let payload = book.publish(1)?;
                waiting.push_back((book.seq, Instant::now()));
                line.publish(&topic, &payload);
                line.flush().await?;
            }
            came = line.read() => {
                for came in came? {
                    let Came::Message { topic, payload } = came else { continue };
                    if !topic.ends_with("/down/ack") {
                        continue;
                    }
                    silent = Instant::now();
                    for held in Ack::decode(&payload)?.held.iter().filter(|held| held.log == LogKind::Fact) {
                        while let Some((_, since)) = waiting.pop_front_if(|(seq, _)| *seq <= held.seq) {
                            waits.push(since.elapsed());
                        }
                    }
                }
                line.flush().await?;
            }
        }
    }
}

/// The duration that a share of all is within, of sorted ones, in milliseconds.
#[must_use]
pub fn quantile(sorted: &[Duration], share: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).map_or(f64::NAN, |found| found.as_secs_f64() * 1e3)
}
