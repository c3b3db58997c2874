//! What a monitoring system reads: health and readiness as JSON, and metrics in Prometheus' text format 0.0.4.
//!
//! No name of a terminal, a vehicle or a pickup is ever a label: what is told apart is a handful of fixed words.

use std::sync::Arc;

use std::fmt::{Display, Write as _};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use meguri_config::Clock;
use rusqlite::Connection;

use super::{STREAMS, Web};
use crate::audit::Audit;
use crate::config::People;
use crate::control::Desk;
use crate::people::openid::Provider;
use crate::people::setup::SetUp;
use crate::store::{STORE_FILE, sql};
use crate::vitals::{BOUNDS, Durations, Health};
use crate::writer::Writer;

/// What the process knows of itself, where the pages belong to a running gateway.
#[derive(Debug, Clone)]
pub struct Inside {
    /// How it is.
    pub health: Health,
    /// Its writer.
    pub writer: Writer,
    /// Host names and addresses of the certificate with which the pages are served; none without TLS.
    pub names: Arc<[String]>,
    /// Settings for people.
    pub people: People,
    /// Where what is done and read is written down.
    pub audit: Audit,
    /// The city's identity provider, where there is one.
    pub openid: Option<Arc<Provider>>,
    /// The time that people and their sessions live by, whatever is rehearsed.
    pub wall: Clock,
    /// The code for the first administrator, where nobody had an account at the start.
    pub set_up: Option<SetUp>,
    /// Has done what pages ask for of terminals and tokens, as it does for commands.
    pub desk: Desk,
    /// For how many minutes an enrolment code holds.
    pub code_minutes: u16,
}

/// `GET /health/live`: 200 where the process works, 503 where a supervisor should start it anew.
pub(super) async fn live(State(web): State<Web>) -> Response {
    let Some(inside) = &web.inside else { return StatusCode::NOT_FOUND.into_response() };
    let live = inside.health.report().live;
    json(live, &serde_json::json!({ "live": live }))
}

/// `GET /health/ready`: 200 where all work can be done, 503 with what keeps it.
pub(super) async fn ready(State(web): State<Web>) -> Response {
    let Some(inside) = &web.inside else { return StatusCode::NOT_FOUND.into_response() };
    let report = inside.health.report();
    json(report.ready, &serde_json::json!(report))
}

fn json(well: bool, value: &serde_json::Value) -> Response {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

/// `GET /metrics`.
pub(super) async fn metrics(State(web): State<Web>) -> Response {
    let Some(inside) = web.inside.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let now = web.office.clock.now();
    let silence = i64::from(web.office.silence_minutes) * 60_000;
    let of_store = web.office.readers.with(move |conn| OfStore::read(conn, now, silence)).await.ok();
    let listeners = STREAMS - web.streams.available_permits();
    let text = write(&inside, of_store.as_ref(), listeners);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// What is counted in the store when it is asked for.
struct OfStore {
    terminals: i64,
    online: i64,
    blocked: i64,
    silent: i64,
    notices: i64,
    asides: i64,
    held: i64,
    last_erasure: Option<i64>,
}

impl OfStore {
    fn read(conn: &Connection, now: Timestamp, silence: i64) -> rusqlite::Result<Self> {
        let number = |select: &str| conn.prepare_cached(select)?.query_row([], |row| row.get::<_, i64>(0));
        let terminals = "SELECT count(*), count(*) FILTER (WHERE online AND blocked_at IS NULL),
                count(*) FILTER (WHERE blocked_at IS NOT NULL),
                count(*) FILTER (WHERE blocked_at IS NULL AND coalesce(last_heard_at, 0) < ?1)
            FROM terminal";
        let (terminals, online, blocked, silent) =
            conn.prepare_cached(terminals)?.query_row([sql::ms(now) - silence], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        Ok(Self {
            terminals,
            online,
            blocked,
            silent,
            notices: number("SELECT count(*) FROM notice WHERE settled_at IS NULL")?,
            asides: number("SELECT count(*) FROM aside WHERE settled_at IS NULL")?,
            held: number("SELECT count(*) FROM import WHERE state = 'held'")?,
            last_erasure: conn
                .prepare_cached("SELECT max(at) FROM erasure")?
                .query_row([], |row| row.get(0))?,
        })
    }
}

/// The text, family by family.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string never fails.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn labelled<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: &[(&str, V)],
    ) {
        self.head(name, kind, help);
        for (word, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{word}\"}} {value}");
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "bounds are small")]
    fn histogram(&mut self, name: &str, help: &str, durations: &Durations) {
        self.head(name, "histogram", help);
        let (cumulated, count, sum) = durations.read();
        for (bound, upto) in BOUNDS.iter().zip(cumulated) {
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{}\"}} {upto}", *bound as f64 / 1e3);
        }
        let _ =
            writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
    }
}

fn write(inside: &Inside, of_store: Option<&OfStore>, listeners: usize) -> String {
    let health = &inside.health;
    let (vitals, report) = (&health.vitals, health.report());
    let counts = vitals.counts();
    let mut text = Text(String::with_capacity(8 * 1024));
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    text.labelled("meguri_build_info", "gauge", "The version that runs; always 1.", "version", &version);
    text.gauge("meguri_uptime_seconds", "Seconds since the gateway started.", vitals.age().as_secs());
    text.gauge("meguri_ready", "1 where the gateway can do all of its work.", u8::from(report.ready));
    let checks = &report.checks;
    let checks = [
        ("store", u8::from(checks.store)),
        ("writer", u8::from(checks.writer)),
        ("disk_speed", u8::from(checks.disk_speed)),
        ("disk_room", u8::from(checks.disk_room)),
        ("broker", u8::from(checks.broker)),
        ("access", u8::from(checks.access)),
        ("clock", u8::from(checks.clock)),
        ("running", u8::from(checks.running)),
    ];
    text.labelled("meguri_check", "gauge", "1 where this check of readiness is well.", "check", &checks);

    text.counter(
        "meguri_messages_total",
        "Messages of terminals that were gone through.",
        counts.messages.get(),
    );
    text.counter("meguri_facts_total", "Facts taken, each once.", counts.facts.get());
    text.counter("meguri_asides_total", "Messages and entries set aside.", counts.asides.get());
    text.counter("meguri_acks_total", "Acknowledgements handed to the link.", counts.acks.get());
    text.counter("meguri_lists_total", "Day lists made anew and issued.", counts.lists.get());
    text.counter(
        "meguri_messages_dropped_total",
        "Messages dropped because the writer was behind; the next hello repairs it.",
        counts.dropped.get(),
    );
    text.counter("meguri_transactions_total", "Transactions committed.", counts.transactions.get());
    text.counter(
        "meguri_transactions_failed_total",
        "Transactions that could not be written; nothing of them was confirmed.",
        counts.failed.get(),
    );
    text.histogram(
        "meguri_transaction_seconds",
        "How long transactions held the store.",
        &counts.transaction,
    );
    text.histogram(
        "meguri_commit_seconds",
        "How long their commits took, the fsync in them.",
        &counts.commit,
    );
    text.gauge(
        "meguri_writer_waiting",
        "Messages and jobs that wait for the writer.",
        inside.writer.waiting(),
    );
    text.gauge(
        "meguri_writer_silent_seconds",
        "For how long the writer has owed a sign of life.",
        vitals.writer_silent().as_secs(),
    );
    text.gauge(
        "meguri_broker_connected",
        "1 where the broker is connected and subscribed to.",
        u8::from(vitals.connected()),
    );
    text.counter(
        "meguri_broker_connections_total",
        "Connections made to the broker.",
        counts.connections.get(),
    );
    text.gauge("meguri_page_listeners", "Pages that update by themselves now.", listeners);
    let imports = [
        ("applied", counts.imports_applied.get()),
        ("held", counts.imports_held.get()),
        ("rejected", counts.imports_rejected.get()),
        ("dropped", counts.imports_dropped.get()),
    ];
    text.labelled(
        "meguri_imports_total",
        "counter",
        "Imports through this gateway by outcome.",
        "outcome",
        &imports,
    );
    text.counter(
        "meguri_erased_total",
        "Rows of residents' data erased after their time.",
        counts.erased.get(),
    );
    text.gauge(
        "meguri_clock_in_doubt",
        "1 where this machine's clock is in doubt.",
        u8::from(!report.checks.clock),
    );
    #[allow(clippy::cast_precision_loss, reason = "seconds for people")]
    text.gauge(
        "meguri_clock_fix_ahead_seconds",
        "By how much the last fresh position's GNSS time was ahead of the gateway's; 0 before the first.",
        vitals.fix_ahead() as f64 / 1e3,
    );

    text.gauge(
        "meguri_store_readable",
        "1 where the store could be read for this.",
        u8::from(of_store.is_some()),
    );
    if let Some(of) = of_store {
        let terminals =
            [("all", of.terminals), ("online", of.online), ("blocked", of.blocked), ("silent", of.silent)];
        text.labelled(
            "meguri_terminals",
            "gauge",
            "Terminals by what is known of them.",
            "state",
            &terminals,
        );
        text.gauge("meguri_notices_open", "Notices that nobody has settled.", of.notices);
        text.gauge("meguri_asides_open", "Messages set aside that nobody has settled.", of.asides);
        text.gauge("meguri_imports_held", "Imports that wait for a person.", of.held);
        if let Some(at) = of.last_erasure {
            text.gauge("meguri_last_erasure_timestamp_seconds", "When anything was last erased.", at / 1_000);
        }
    }
    let bytes = |name: &str| std::fs::metadata(health.data.join(name)).map_or(0, |file| file.len());
    text.gauge("meguri_store_bytes", "Size of the store's file.", bytes(STORE_FILE));
    text.gauge("meguri_wal_bytes", "Size of its write-ahead log.", bytes(&format!("{STORE_FILE}-wal")));
    if vitals.free_bytes() < u64::MAX {
        text.gauge("meguri_disk_free_bytes", "What is free on the store's disk.", vitals.free_bytes());
    }
    if let Some(resident) = resident_bytes() {
        text.gauge("process_resident_memory_bytes", "Resident memory of the process.", resident);
    }
    text.0
}

/// The process's resident memory, where the system says.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}
