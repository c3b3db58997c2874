//! Serves the city's pages over a made-up day, to look at them: `cargo run -p meguri-gateway --example page`.
//!
//! With `--live` crews go on confirming, a pickup a second.
#![allow(clippy::print_stdout, reason = "it tells a person where to look")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it is for trying, and may stop at anything unexpected"
)]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::date;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{PickupId, Reason};
use sample::{Request, Sample, day_start, partly};
use uuid::Uuid;

#[tokio::main]
async fn main() {
    let live = std::env::args().any(|argument| argument == "--live");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let today = date(2026, 4, 1);
    let now = day_start(today) + SignedDuration::from_mins(246);
    let mut sample = Sample::open(dir.path());
    sample.day(today, 84);
    special(&mut sample, now);
    sample.catalogue("消火器,しょうかき,0,,3,1,,専門の窓口へ\n", now);
    let office = sample.office(sample::clock_at(dir.path(), now, 1.0));
    let clock = office.clock.clone();

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    println!("http://{}/", listener.local_addr().expect("an address"));
    let server =
        axum::serve(listener, meguri_gateway::web::router_as(office, sample::administrator())).into_future();
    let server = tokio::spawn(server);
    while live && !server.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let select = "SELECT uid FROM pickup WHERE state = 'open' AND vehicle <> 'v12' ORDER BY stop LIMIT 1";
        let uid: Vec<u8> = sample.store.conn.query_row(select, [], |row| row.get(0)).expect("an open one");
        let uid = PickupId(Uuid::from_slice(&uid).expect("an id"));
        sample.say(uid, "t-02", clock.now(), SignedDuration::ZERO, Outcome::Collected);
    }
    let _ = server.await;
}

/// One of everything that may happen.
fn special(sample: &mut Sample, now: jiff::Timestamp) {
    let today = date(2026, 4, 1);
    let early = day_start(today) - SignedDuration::from_hours(12);
    let minutes = |count| now - SignedDuration::from_mins(count);
    let mut request = |vehicle, ward, town, reception, items| {
        let request = Request { date: today, vehicle, ward, town, reception, items: sample::ITEMS[items] };
        sample.pickup(&request, early)
    };
    let short = request("v01", "中区", "大手町四丁目", "4417", 0);
    let part = request("v05", "南区", "皆実町一丁目", "0386", 1);
    let crossed = request("v07", "西区", "己斐上四丁目", "2093", 2);
    let cancelled = request("v09", "佐伯区", "五日市中央二丁目", "3310", 3);
    let twice = request("v02", "中区", "国泰寺町二丁目", "4417", 2);
    let revisit = request("v03", "東区", "牛田本町三丁目", "1205", 0);
    let gone = request("v10", "安佐南区", "<script>alert('x')</script>", "7731", 0);

    let note = sample.note("1,000円券が1枚足りない。申込者は不在、貼り紙をした。");
    sample.change(short, early + SignedDuration::from_hours(10));
    sample.say(short, "t-01", minutes(40), SignedDuration::from_secs(2), Outcome::Collected);
    let result = Outcome::NotCollected { reason: Reason::TicketShort, note: Some(note) };
    sample.say(short, "t-01", minutes(2), SignedDuration::from_secs(400), result);
    sample.say(part, "t-05", minutes(9), SignedDuration::from_secs(2), partly());
    // What was collected of it stays as it was said.
    sample.change_items(part, sample::ITEMS[3], minutes(5));
    sample.say(crossed, "t-07", minutes(14), SignedDuration::from_secs(2), Outcome::Collected);
    let result = Outcome::NotCollected { reason: Reason::PlaceNotFound, note: None };
    sample.say(crossed, "t-08", minutes(21), SignedDuration::from_secs(2), result);
    sample.decide(cancelled, &serde_json::json!("cancelled"), "cancelled", minutes(200));
    sample.decide(gone, &serde_json::json!("cancelled"), "cancelled", minutes(180));
    sample.decide(revisit, &serde_json::json!({"revisit": {"date": "2026-04-08"}}), "changed", minutes(60));
    sample.say(twice, "t-02", minutes(33), SignedDuration::from_secs(2), Outcome::Collected);

    sample.held_import(minutes(90), "moushikomi-0402.csv", date(2026, 4, 2));
    sample.notice(minutes(75), "two_devices", Some("t-06"), &serde_json::json!({}));
    let topic = "meguri/1/hiroshima/t-04/up/fact";
    let body = br#"{"v":2,"contract":"itaku-1","config":1,"at":{"terminal":"2026-04-01T02:11:00Z"},"fact":{"photo":{}}}"#;
    sample.aside(minutes(55), Some("t-04"), topic, "fact body has version 2, this program speaks 1", body);
    sample.aside(
        minutes(54),
        Some("t-04"),
        "meguri/1/hiroshima/t-04/up/photo",
        "unknown topic",
        b"\xff\xd8\xff\0<script>alert(1)</script>",
    );
    sample.aside(minutes(50), None, topic, "fact can't be read: it is empty", b"");
    let settled = sample.aside(minutes(300), Some("t-09"), topic, "the pickup is unknown", body);
    sample.settle(settled, minutes(290));
    let other = Request {
        date: date(2026, 3, 31),
        vehicle: "v06",
        ward: "南区",
        town: "宇品海岸三丁目",
        reception: "4417",
        items: sample::ITEMS[0],
    };
    let before = sample.pickup(&other, early);
    sample.say(
        before,
        "t-06",
        day_start(date(2026, 3, 31)),
        SignedDuration::from_secs(1),
        Outcome::Collected,
    );
}
