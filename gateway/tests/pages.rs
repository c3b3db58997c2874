//! The city's pages, asked as a function: numbers that agree, text that can't become markup, two languages,
//! clear refusals, and streams that lose nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod sample;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request as HttpRequest, StatusCode, header};
use axum::response::Response;
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use meguri_gateway::office::Place;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{ItemResult, PickupId, Reason};
use sample::{Request, Sample, day_start, partly};
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

const TODAY: Date = date(2026, 4, 1);
const SOON: SignedDuration = SignedDuration::from_secs(2);
/// The parts of the front page, in the order of reading.
const PARTS: [&str; 4] = ["figures", "attention", "progress", "latest"];

/// A store, its pages, and noon of its day.
struct Office {
    sample: Sample,
    pages: Router,
    dir: TempDir,
}

fn noon() -> jiff::Timestamp {
    day_start(TODAY) + SignedDuration::from_hours(4)
}

impl Office {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sample = Sample::open(dir.path());
        let pages = meguri_gateway::web::router_as(
            sample.office(sample::clock_at(dir.path(), noon(), 0.001)),
            sample::administrator(),
        );
        Self { sample, pages, dir }
    }

    fn pickup(&mut self, vehicle: &str, ward: &str, reception: &str) -> PickupId {
        self.pickup_in(TODAY, vehicle, ward, "大手町四丁目", reception)
    }

    fn pickup_in(&mut self, date: Date, vehicle: &str, ward: &str, town: &str, reception: &str) -> PickupId {
        let request = Request { date, vehicle, ward, town, reception, items: sample::ITEMS[1] };
        self.sample.pickup(&request, day_start(date) - SignedDuration::from_hours(10))
    }

    fn say(&mut self, pickup: PickupId, terminal: &str, minutes_ago: i64, result: Outcome) {
        self.sample.say(pickup, terminal, noon() - SignedDuration::from_mins(minutes_ago), SOON, result);
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        // As a browser sends it.
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>".contains(&byte);
        let path: String = path
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        let mut request = HttpRequest::get(path).header(header::HOST, "localhost:8650");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let response = self.ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        text(response).await
    }
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

fn not(reason: Reason) -> Outcome {
    Outcome::NotCollected { reason, note: None }
}

/// The text between the tags of a part of a page, tags replaced by `|`.
fn words(html: &str, from: &str, until: &str) -> String {
    let part = html.split_once(from).unwrap_or_else(|| panic!("no {from}")).1;
    let part = part.split_once(until).unwrap_or_else(|| panic!("no {until}")).0;
    let mut out = String::new();
    let mut inside = true;
    for c in part.chars() {
        match c {
            '<' => inside = false,
            '>' => {
                inside = true;
                if !out.ends_with('|') {
                    out.push('|');
                }
            }
            c if inside => out.push(c),
            _ => {}
        }
    }
    out
}

#[tokio::test]
async fn numbers_agree_however_the_day_is_sorted() {
    let mut office = Office::open();
    let all: Vec<PickupId> = (0..12)
        .map(|n: u32| {
            let (vehicle, ward) = [("v01", "中区"), ("v05", "南区"), ("v10", "安佐南区")][n as usize % 3];
            office.pickup(vehicle, ward, &format!("{n:04}"))
        })
        .collect();
    for (terminal, vehicle) in [("t-01", "v01"), ("t-05", "v05"), ("t-10", "v10")] {
        office.sample.terminal(terminal, vehicle, true, Some(noon()));
    }
    for pickup in &all[0..5] {
        office.say(*pickup, "t-01", 10, Outcome::Collected);
    }
    office.say(all[5], "t-01", 10, partly());
    office.say(all[6], "t-01", 10, not(Reason::NotOut));
    office.say(all[7], "t-01", 10, not(Reason::TicketShort));
    office.sample.decide(all[8], &serde_json::json!("cancelled"), "cancelled", noon());
    office.sample.decide(all[9], &serde_json::json!({"revisit": {"date": "2026-04-08"}}), "changed", noon());
    // Another day's counts for nothing.
    office.pickup_in(date(2026, 4, 2), "v01", "中区", "大手町四丁目", "0001");

    for by in ["ward", "contractor", "vehicle"] {
        let page = office.page(&format!("/?by={by}")).await;
        let figures = words(&page, "id=\"figures\">", "id=\"attention\"");
        for figure in
            ["|収集済|5|", "|収集不可|3|", "|残り|2|", "予定 11件の 45%", "一部収集 1件", "ほかに取消 1件"]
        {
            assert!(figures.contains(figure), "{by}: {figure} in {figures}");
        }
        let total = words(&page, "<tfoot", "</tfoot>");
        assert!(total.contains("|計|5|1|3|2|11|"), "{by}: {total}");
    }
    let wards = words(&office.page("/").await, "<tbody", "</tbody>");
    assert!(wards.contains("|中区|第一収集|2|0|2|0|4|完了|"), "{wards}");
    assert!(wards.contains("|南区|第二収集|2|0|1|1|4|"), "{wards}");
    let status = words(&office.page("/").await, "role=\"status\"", "</p>");
    assert!(status.contains("収集済5件、一部収集1件、収集不可3件、残り2件、対応が必要3件"), "{status}");
}

#[tokio::test]
async fn what_needs_looking_at_stands_first_and_all_of_it_is_a_page_away() {
    let mut office = Office::open();
    for (terminal, vehicle) in [("t-01", "v01"), ("t-02", "v02")] {
        office.sample.terminal(terminal, vehicle, true, Some(noon()));
    }
    office.sample.terminal("t-12", "v12", false, Some(noon() - SignedDuration::from_mins(45)));
    office.pickup("v12", "安佐北区", "9000");
    let refused: Vec<PickupId> = (0..60).map(|n| office.pickup("v01", "中区", &format!("{n:04}"))).collect();
    for pickup in &refused {
        office.say(*pickup, "t-01", 30, not(Reason::AccessBlocked));
    }
    let crossed = office.pickup("v02", "中区", "7777");
    office.say(crossed, "t-01", 200, Outcome::Collected);
    office.say(crossed, "t-02", 190, not(Reason::NotOut));
    office.sample.notice(
        noon(),
        "hole",
        Some("t-01"),
        &serde_json::json!({"log": "fact", "first": 12, "last": 15}),
    );
    office.sample.aside(noon(), Some("t-01"), "meguri/1/hiroshima/t-01/up/x", "unknown topic", b"x");

    let page = office.page("/").await;
    let order: Vec<&str> = page.split("id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    let order: Vec<&str> = order.into_iter().filter(|id| PARTS.contains(id)).collect();
    assert_eq!(order, PARTS);
    let board = words(&page, "id=\"attention\"", "</section>");
    assert!(board.contains("64件"), "{board}");
    let place = |word| board.find(word).unwrap_or_else(|| panic!("no {word} in {board}"));
    assert!(place("端末の報告が食い違い") < place("進入不可"));
    assert!(place("欠けた記録") < place("進入不可"));
    assert!(board.contains("番号 12〜15・お知らせ 1"), "{board}");
    assert!(place("最後の連絡 11:15・残り 1件") < place("進入不可"));
    assert!(place("未処理データ 1件") < place("進入不可"));
    assert!(board.contains("すべて見る（64件）"));

    let mut seen = std::collections::BTreeSet::new();
    for page in 1..=2 {
        let page = office.page(&format!("/attention?day=2026-04-01&page={page}")).await;
        seen.extend(page.split("/pickup/").skip(1).map(|rest| rest[..36].to_owned()));
    }
    assert_eq!(seen.len(), 61);
}

#[tokio::test]
async fn a_round_that_no_terminal_gets_is_told() {
    let mut office = Office::open();
    let pickup = office.pickup("v03", "東区", "0001");
    let told = async |office: &Office| words(&office.page("/").await, "id=\"attention\"", "</section>");
    let gateway = "meguri-gateway --data /srv/meguri terminal";
    let add = format!("{gateway} add 端末名 --vehicle v03 --out フォルダー");
    let board = told(&office).await;
    for part in ["1件", "端末なし| 3号車（東区", "残り 1件の収集リストが届く端末がありません", &add]
    {
        assert!(board.contains(part), "{part} in {board}");
    }
    // Terminals that are kept out, or of another vehicle, carry nothing of it.
    office.sample.terminal("t-02", "v02", true, Some(noon()));
    office.sample.terminal("t-03", "v03", true, Some(noon()));
    let change = |office: &Office, sql: &str| office.sample.store.conn.execute(sql, []).unwrap();
    change(&office, "UPDATE terminal SET blocked_at = 0 WHERE id = 't-03'");
    assert!(told(&office).await.contains(&add));
    // One bound under the contract before.
    change(
        &office,
        "UPDATE terminal SET blocked_at = NULL, contract = (SELECT max(id) FROM contract) WHERE id = 't-03'",
    );
    let board = told(&office).await;
    assert!(board.contains(&format!("{gateway} bind t-03 --vehicle v03 --out フォルダー")), "{board}");
    let right =
        "UPDATE terminal SET contract = (SELECT contract FROM vehicle WHERE id = 'v03') WHERE id = 't-03'";
    change(&office, right);
    assert!(!told(&office).await.contains("端末なし"));
    // The vehicle has moved on, its pickups have not.
    change(&office, "UPDATE pickup SET contract = (SELECT max(id) FROM contract)");
    assert!(told(&office).await.contains("申込を取り込み直してください"));
    change(&office, "UPDATE pickup SET contract = (SELECT contract FROM vehicle WHERE id = 'v03')");
    assert!(!told(&office).await.contains("端末なし"));
    // Once nothing is left it is nobody's concern; nor on another day.
    change(&office, "UPDATE terminal SET blocked_at = 0");
    assert!(told(&office).await.contains("端末なし"));
    office.say(pickup, "t-03", 5, Outcome::Collected);
    assert!(!told(&office).await.contains("端末なし"));
    office.pickup_in(date(2026, 4, 2), "v03", "東区", "大手町四丁目", "0002");
    assert!(!office.page("/?day=2026-04-02").await.contains("端末なし"));
}

#[tokio::test]
async fn a_held_import_says_how_it_is_decided() {
    let office = Office::open();
    let import = office.sample.held_import(noon(), "moushikomi.csv", date(2026, 4, 2));
    let board = words(&office.page("/").await, "id=\"attention\"", "</section>");
    assert!(board.contains("取り込むかどうかの判断が必要です"), "{board}");
    let why = "|ファイル moushikomi.csv|4月2日(木)の予定 232件のうち 83件が載っていません|";
    assert!(board.contains(why), "{board}");
    for word in ["release", "drop"] {
        let command = format!("meguri-gateway --data /srv/meguri import {word} {import}|");
        assert!(board.contains(&command), "{command} in {board}");
    }
}

#[tokio::test]
async fn what_a_person_settles_says_how() {
    let mut office = Office::open();
    for kind in ["fork", "hole", "two_devices", "restored", "list_too_large"] {
        office.sample.notice(noon(), kind, Some("t-01"), &serde_json::json!({ "first": 1, "last": 2 }));
    }
    let open = office.sample.aside(noon(), None, "x", "unknown topic", b"x");
    let settled = office.sample.aside(noon(), None, "x", "unknown topic", b"x");
    office.sample.settle(settled, noon());
    // The folder's name is one that a shell would take apart.
    let clock = sample::clock_at(office.dir.path(), noon(), 0.001);
    let data = "/srv/our office".into();
    office.pages = meguri_gateway::web::router_as(
        meguri_gateway::office::Office { data, ..office.sample.office(clock) },
        sample::administrator(),
    );
    for path in ["/", "/attention"] {
        let page = office.page(path).await;
        for notice in 1..=5 {
            let command =
                format!("<code>meguri-gateway --data '/srv/our office' notice settle {notice}</code>");
            assert!(page.contains(&command), "{path}: {command}");
        }
    }
    for word in ["retry", "settle"] {
        let command =
            |id: &str| format!("<code>meguri-gateway --data '/srv/our office' aside {word} {id}</code>");
        assert!(office.page("/aside").await.contains(&command("番号")));
        assert!(office.page(&format!("/aside/{open}")).await.contains(&command(&open.to_string())));
        assert!(!office.page(&format!("/aside/{settled}")).await.contains("<code>meguri-gateway"));
    }
    // Where settings stand in a file, a command without it would find another plan.
    let clock = sample::clock_at(office.dir.path(), noon(), 0.001);
    let data = Place { data: "/srv/meguri".into(), config: Some("/etc/our city.toml".into()) };
    office.pages = meguri_gateway::web::router_as(
        meguri_gateway::office::Office { data, ..office.sample.office(clock) },
        sample::administrator(),
    );
    let command =
        "<code>meguri-gateway --config '/etc/our city.toml' --data /srv/meguri notice settle 1</code>";
    assert!(office.page("/attention").await.contains(command));
}

#[tokio::test]
async fn a_terminal_that_its_vehicle_left_behind_says_what_to_do() {
    let office = Office::open();
    let detail = serde_json::json!({"vehicle": "v01", "from": "c-1", "to": "c-2"});
    office.sample.notice(noon(), "contract_moved", Some("t-01"), &detail);
    let board = words(&office.page("/").await, "id=\"attention\"", "</section>");
    assert!(board.contains("t-01") && board.contains("terminal bind に --out を付けて"), "{board}");
    assert!(!board.contains("notice settle"), "it would come back: {board}");
}

#[tokio::test]
async fn many_notices_do_not_hide_the_pickups() {
    let mut office = Office::open();
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let pickup = office.pickup("v01", "中区", "4417");
    office.say(pickup, "t-01", 30, not(Reason::AccessBlocked));
    for first in 0..30 {
        office.sample.notice(
            noon(),
            "hole",
            Some("t-01"),
            &serde_json::json!({"first": first, "last": first}),
        );
    }
    let board = words(&office.page("/").await, "id=\"attention\"", "</section>");
    assert!(board.contains("31件") && board.contains("進入不可"), "{board}");
    let all = words(&office.page("/attention").await, "class=\"items roomy\"", "</ul>");
    assert_eq!(all.matches("欠けた記録").count(), 30);
    // On another day they are none of its business.
    let other = words(&office.page("/?day=2026-04-02").await, "id=\"attention\"", "</section>");
    assert!(other.contains("0件"), "{other}");
}

#[tokio::test]
async fn a_silent_morning_is_no_alarm() {
    let mut office = Office::open();
    office.pickup("v12", "安佐北区", "0001");
    office.sample.terminal("t-12", "v12", false, Some(noon() - SignedDuration::from_hours(20)));
    let quiet = office.page("/").await;
    assert!(quiet.contains("連絡の途絶えた端末はありません"));
    // Once somebody has long been at work, a terminal that nobody heard today is one to ask after.
    let other = office.pickup("v01", "中区", "0002");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    office.say(other, "t-01", 31, Outcome::Collected);
    assert!(office.page("/").await.contains("1台 30分以上連絡なし"));
    // How long is a setting.
    let clock = sample::clock_at(office.dir.path(), noon(), 0.001);
    let patient =
        meguri_gateway::office::Office { silence_minutes: 32, ..office.sample.office(clock.clone()) };
    office.pages = meguri_gateway::web::router_as(patient, sample::administrator());
    assert!(office.page("/").await.contains("連絡の途絶えた端末はありません"));
    let strict = meguri_gateway::office::Office { silence_minutes: 20, ..office.sample.office(clock) };
    office.pages = meguri_gateway::web::router_as(strict, sample::administrator());
    assert!(office.page("/").await.contains("1台 20分以上連絡なし"));
}

#[tokio::test]
async fn no_text_becomes_markup() {
    let mut office = Office::open();
    let evil = "<script>alert(1)</script>";
    let pickup = office.pickup_in(TODAY, "v01", "中区", evil, "4417");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let note = office.sample.note("<img src=x onerror=alert(1)>\"'");
    office.say(pickup, "t-01", 5, Outcome::NotCollected { reason: Reason::Other, note: Some(note) });
    let raw = "</pre><script>\u{202e}alert(1)</script>";
    office.sample.aside(noon(), None, "meguri/<b>/x", "<i>problem</i>", raw.as_bytes());
    let paths = [
        "/".to_owned(),
        "/attention".to_owned(),
        "/search?q=4417".to_owned(),
        "/search?q=%3Cscript%3E".to_owned(),
        format!("/pickup/{pickup}"),
        "/aside".to_owned(),
        "/aside/1".to_owned(),
    ];
    for path in &paths {
        let page = office.page(path).await;
        for bad in ["<script>", "<img", "<b>/x", "<i>", "\u{202e}", "onerror=alert(1)>\"'"] {
            assert!(!page.contains(bad), "{path} holds {bad}");
        }
    }
    assert!(office.page(&paths[4]).await.contains("&lt;script&gt;alert(1)"));
    let refused = office.ask("/?day=%3Cscript%3E", &[]).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(!text(refused).await.contains("<script>"));
}

#[tokio::test]
async fn one_pickup_tells_its_whole_history_by_every_clock() {
    let mut office = Office::open();
    let pickup = office.pickup("v01", "中区", "4417");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    office.sample.change(pickup, noon() - SignedDuration::from_hours(5));
    office.say(pickup, "t-01", 60, Outcome::Collected);
    let note = office.sample.note("貼り紙をした");
    let result = Outcome::NotCollected { reason: Reason::TicketShort, note: Some(note) };
    let said = noon() - SignedDuration::from_mins(30);
    office.sample.say(pickup, "t-01", said, SignedDuration::from_mins(20), result);

    let page = office.page(&format!("/pickup/{pickup}")).await;
    let stands = words(&page, "id=\"stands\"", "</section>");
    assert!(stands.contains("収集不可|納付券不足・未貼付"), "{stands}");
    let history = words(&page, "id=\"history\"", "</section>");
    let mut rest = history.as_str();
    for step in [
        "申込を取り込み",
        "申込を変更",
        "住所：3番12号 → 3番15号",
        "号車：2号車 → 1号車",
        "11:00",
        "収集済",
        "11:30",
        "収集不可|納付券不足・未貼付",
        "貼り紙をした",
        "端末の時計|2026-04-01 11:29:58",
        "GNSS時刻|2026-04-01 11:30:00",
        "端末の基準時刻|2026-04-01 11:30:00",
        "サーバーの受信|2026-04-01 11:50:00",
    ] {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("no {step} in its place in {history}")).1;
    }
    let asked = words(&page, "id=\"asked\"", "</section>");
    assert!(asked.contains("3番15号") && asked.contains("自転車|2|250円×2"), "{asked}");

    // Residents' data erased: the history stays.
    office.sample.store.conn.execute_batch("DELETE FROM resident; DELETE FROM note;").unwrap();
    let erased = office.page(&format!("/pickup/{pickup}")).await;
    assert!(erased.contains("消去済み") && erased.contains("納付券不足") && !erased.contains("3番15号"));
    assert!(erased.contains("本文は届いていないか、消去されました"));
}

/// What the page of a pickup and the front page say of a part.
async fn parts(office: &Office, pickup: PickupId) -> (String, String) {
    let history = words(&office.page(&format!("/pickup/{pickup}")).await, "id=\"history\"", "</section>");
    let attention = words(&office.page("/").await, "id=\"attention\"", "</section>");
    (history, attention)
}

#[tokio::test]
async fn what_was_collected_of_a_part_stays_as_it_was_said() {
    let mut office = Office::open();
    let minutes_ago = |count| noon() - SignedDuration::from_mins(count);
    let pickup = office.pickup("v01", "中区", "4417");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let tables = r#"[{"name":"机","count":4,"tickets":[]}]"#;
    let lamps = r#"[{"name":"電気スタンド","count":5,"tickets":[]},{"name":"棚","count":1,"tickets":[]}]"#;
    office.say(pickup, "t-01", 60, partly());
    office.sample.change_items(pickup, tables, minutes_ago(50));
    office.sample.change_items(pickup, lamps, minutes_ago(40));
    let (history, attention) = parts(&office, pickup).await;
    for (text, dot) in [(&history, "|"), (&attention, "・")] {
        assert!(
            text.contains(&format!("自転車 1／2点{}", if dot == "|" { " 数量相違" } else { dot })),
            "{text}"
        );
        assert!(text.contains("衣装ケース 3／3点"), "{text}");
    }
    assert!(!attention.contains("電気スタンド") && !attention.contains("机"), "{attention}");

    // Said between the two changes, without a line until after both.
    office.sample.say(pickup, "t-01", minutes_ago(45), SignedDuration::from_mins(30), partly());
    let (history, attention) = parts(&office, pickup).await;
    assert!(history.contains("自転車 1／2点") && history.contains("机 1／4点"), "{history}");
    assert!(attention.contains("机 1／4点"), "{attention}");

    // After both.
    office.say(pickup, "t-01", 5, partly());
    let (history, attention) = parts(&office, pickup).await;
    for step in ["自転車 1／2点", "机 1／4点", "電気スタンド 1／5点"] {
        assert!(history.contains(step), "{step} in {history}");
    }
    assert!(attention.contains("電気スタンド 1／5点"), "{attention}");
}

#[tokio::test]
async fn a_part_that_does_not_fit_the_plan_is_told_as_said() {
    let mut office = Office::open();
    let pickup = office.pickup("v01", "中区", "4417");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let items = vec![
        ItemResult { item: 0, collected: 999, reason: Some(Reason::OtherCount) },
        ItemResult { item: 7, collected: 2, reason: None },
    ];
    office.say(pickup, "t-01", 5, Outcome::Partly { items, note: None });
    let (history, attention) = parts(&office, pickup).await;
    for text in [&history, &attention] {
        assert!(text.contains("自転車 999点") && text.contains("申込にない8番目の品目 2点"), "{text}");
        assert!(!text.contains("999／"), "{text}");
    }
}

#[tokio::test]
async fn a_clock_that_runs_behind_raises_no_alarm_and_shows_no_other_day() {
    let mut office = Office::open();
    let (said, idle) = (office.pickup("v01", "中区", "0001"), noon() - SignedDuration::from_hours(20));
    office.pickup("v12", "安佐北区", "0002");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    office.sample.terminal("t-12", "v12", false, Some(idle));
    // A terminal that believes it to be 2015 confirms the first pickup of the day, just now.
    let received = noon() - SignedDuration::from_mins(1);
    let believed: jiff::Timestamp = "2015-01-01T00:00:00Z".parse().unwrap();
    office.sample.say(said, "t-01", believed, received.duration_since(believed), not(Reason::NotOut));
    for path in ["/", "/?by=vehicle", "/attention", &format!("/pickup/{said}")] {
        let page = office.page(path).await;
        assert!(!page.contains("2015年"), "{path}");
        assert!(page.contains("11:59"), "{path}");
        assert!(!page.contains("分以上連絡なし"), "{path}");
    }
    let clocks = words(&office.page(&format!("/pickup/{said}")).await, "id=\"history\"", "</section>");
    assert!(clocks.contains("端末の基準時刻|2015-01-01"), "{clocks}");
}

#[tokio::test]
async fn no_text_turns_the_direction_of_writing() {
    let mut office = Office::open();
    let pickup = office.pickup_in(TODAY, "v01", "中区", "\u{202e}大手町\u{2066}四丁目", "4417");
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let mut stream = office.stream("/events", &[]).await;
    stream.next().await.unwrap();
    let note = office.sample.note("\u{202e}千円\u{2069}が1枚");
    office.say(pickup, "t-01", 5, Outcome::NotCollected { reason: Reason::Other, note: Some(note) });
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let attention = loop {
        let sections = stream.next().await.unwrap().sections;
        assert!(!sections.values().any(|html| html.contains(turns)));
        if let Some(attention) = sections.get("attention").filter(|html| html.contains("千円が1枚")) {
            break attention.clone();
        }
    };
    assert!(attention.contains("大手町四丁目"), "{attention}");
    for path in ["/", "/attention", "/search?q=4417", &format!("/pickup/{pickup}")] {
        let page = office.page(path).await;
        assert!(!page.contains(turns) && page.contains("大手町四丁目"), "{path}");
    }
}

#[tokio::test]
async fn what_was_set_aside_may_be_empty() {
    let office = Office::open();
    let id = office.sample.aside(noon(), None, "meguri/1/hiroshima/t-01/up/fact", "can't be read", b"");
    assert!(office.page("/aside").await.contains("0 バイト"));
    assert!(office.page(&format!("/aside/{id}")).await.contains("0 バイト"));

    // Long after it was settled its content is erased.
    let id = office.sample.aside(noon(), None, "meguri/1/hiroshima/t-01/up/x", "unknown topic", b"secret");
    office.sample.settle(id, noon());
    office.sample.store.conn.execute("UPDATE aside SET raw = x'' WHERE id = ?1", [id]).unwrap();
    for path in ["/aside", &format!("/aside/{id}")] {
        let page = office.page(path).await;
        assert!(page.contains("内容は消去済み") && !page.contains("先頭だけ"), "{path}");
        assert!(page.contains("6 バイト") && !page.contains("続きを見る"), "{path}");
    }
}

#[tokio::test]
async fn search_lists_every_hit_across_days_and_districts() {
    let mut office = Office::open();
    office.pickup("v01", "中区", "0417");
    office.pickup("v05", "南区", "0417");
    office.pickup_in(date(2026, 3, 31), "v07", "西区", "己斐上四丁目", "0417");
    office.pickup("v01", "中区", "4170");
    for query in ["0417", "%EF%BC%90%EF%BC%94%EF%BC%91%EF%BC%97", "417", "%200417%20"] {
        let page = office.page(&format!("/search?q={query}")).await;
        let hits = words(&page, "class=\"hits\"", "</table>");
        assert_eq!(hits.matches("0417").count(), 3, "{query}: {hits}");
        assert!(hits.find("4月1日").unwrap() < hits.find("3月31日").unwrap());
    }
    let day = office.page("/search?q=0417&day=2026-03-31").await;
    assert_eq!(day.matches("/pickup/").count(), 1);
    assert!(office.page("/search?q=9999").await.contains("9999 は見つかりません"));
    assert!(office.page("/search?q=&day=").await.contains("受付番号を入れてください"));
}

#[tokio::test]
async fn what_was_set_aside_is_paged_open_ones_first() {
    let office = Office::open();
    let mut ids = Vec::new();
    for n in 0..45 {
        let raw = format!("{{\"n\":{n}}}").repeat(100_000 / 8);
        ids.push(office.sample.aside(
            noon(),
            Some("t-01"),
            "meguri/1/hiroshima/t-01/up/x",
            "unknown topic",
            raw.as_bytes(),
        ));
    }
    for id in &ids[..3] {
        office.sample.settle(*id, noon());
    }
    let first = office.page("/aside").await;
    assert!(first.contains("未処理 42件") && !first.contains("処理済み"));
    assert!(first.len() < 60_000, "{}", first.len());
    let last = office.page("/aside?page=3").await;
    assert!(last.contains("処理済み 3件") && last.contains("/aside/1\""));
    let mut seen = std::collections::BTreeSet::new();
    for page in [&first, &office.page("/aside?page=2").await, &last] {
        seen.extend(
            page.split("href=\"/aside/").skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned()),
        );
    }
    assert_eq!(seen.len(), 45);
    let one = office.page("/aside/45").await;
    assert!(one.contains("先頭だけを表示") && one.len() < 150_000);
}

#[tokio::test]
async fn a_big_day_stays_light_and_loads_nothing_from_elsewhere() {
    let mut office = Office::open();
    office.sample.day(TODAY, 84);
    let css = office.page("/assets/page.css").await;
    let js = office.page("/assets/page.js").await;
    let icon = office.page("/assets/icon.svg").await;
    let pickup = {
        let board = office.page("/").await;
        format!("/pickup/{}", &board.split_once("/pickup/").unwrap().1[..36])
    };
    for path in ["/", "/?by=vehicle", "/attention", "/search?q=4417", &pickup, "/aside"] {
        let page = office.page(path).await;
        let weight = page.len() + css.len() + js.len() + icon.len();
        assert!(weight < 150_000, "{path} weighs {weight}");
        for part in [&page, &css, &js] {
            assert!(
                !part.contains("http://") && !part.contains("https://") && !part.contains("url("),
                "{path}"
            );
        }
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"), "{path}");
    }
}

#[tokio::test]
async fn pages_are_japanese_first_and_english_second() {
    let mut office = Office::open();
    office.pickup("v01", "中区", "4417");
    assert!(office.page("/").await.contains("<html lang=\"ja\">"));
    let english = office.ask("/?by=vehicle&lang=en", &[]).await;
    let cookie = english.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("lang=en;") && cookie.contains("SameSite=Lax") && cookie.contains("HttpOnly"));
    let english = text(english).await;
    assert!(english.contains("<html lang=\"en\">") && english.contains("Progress by vehicle"));
    assert!(english.contains("Wed 1 Apr") && english.contains("href=\"/?by=vehicle&amp;lang=ja\""));
    let remembered = text(office.ask("/", &[("cookie", "lang=en")]).await).await;
    assert!(remembered.contains("Progress by ward"));
    let asked = text(office.ask("/", &[("accept-language", "en-GB,en;q=0.9")]).await).await;
    assert!(asked.contains("Progress by ward"));
}

#[tokio::test]
async fn what_can_not_be_shown_is_refused_in_the_same_look() {
    let office = Office::open();
    for (path, status) in [
        ("/?day=hello", StatusCode::BAD_REQUEST),
        ("/?day=2026-02-30", StatusCode::BAD_REQUEST),
        ("/?day=20260401", StatusCode::BAD_REQUEST),
        ("/?day=-009999-01-01", StatusCode::BAD_REQUEST),
        ("/?by=colour", StatusCode::BAD_REQUEST),
        ("/?dya=2026-04-01", StatusCode::BAD_REQUEST),
        ("/?by=ward&by=ward", StatusCode::BAD_REQUEST),
        ("/?lang=fr", StatusCode::BAD_REQUEST),
        ("/aside?page=0", StatusCode::BAD_REQUEST),
        ("/attention?page=x", StatusCode::BAD_REQUEST),
        ("/events?day=never", StatusCode::BAD_REQUEST),
        ("/events?pickup=x", StatusCode::BAD_REQUEST),
        ("/search?q=12345678901234567890123456789012345678901", StatusCode::BAD_REQUEST),
        ("/nothing", StatusCode::NOT_FOUND),
        ("/pickup/x", StatusCode::NOT_FOUND),
        ("/pickup/00000000-0000-0000-0000-000000000000", StatusCode::NOT_FOUND),
        ("/events?pickup=00000000-0000-0000-0000-000000000000", StatusCode::NOT_FOUND),
        ("/aside/999", StatusCode::NOT_FOUND),
    ] {
        let response = office.ask(path, &[]).await;
        assert_eq!(response.status(), status, "{path}");
        let page = text(response).await;
        assert!(page.contains("page.css") && page.contains("本日のページへ"), "{path}");
    }
    // What is shown leads nowhere else.
    for path in ["//evil.example/x", "/\\evil.example/x", "///evil.example/x", "/\\/evil.example/x"] {
        let response = office.ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let page = text(response).await;
        assert!(page.contains("class=\"language\" href=\"/evil.example/x?lang=en\""), "{path}: {page}");
    }
    let post = HttpRequest::post("/").header(header::HOST, "localhost").body(Body::empty()).unwrap();
    let response = office.pages.clone().oneshot(post).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(text(response).await.contains("page.css"));
}

#[tokio::test]
async fn answers_only_under_this_machines_own_names_with_strict_headers() {
    let office = Office::open();
    for path in ["/", "/nothing", "/events", "/assets/page.css"] {
        let elsewhere =
            HttpRequest::get(path).header(header::HOST, "city.example.com").body(Body::empty()).unwrap();
        let response = office.pages.clone().oneshot(elsewhere).await.unwrap();
        assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        let response = office.ask(path, &[]).await;
        let headers = response.headers();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "same-origin");
    }
    assert_eq!(office.ask("/", &[]).await.headers()[header::CACHE_CONTROL], "no-store");
}

/// A page's stream, read event by event.
struct Stream {
    body: std::pin::Pin<Box<dyn tokio_stream::Stream<Item = String> + Send>>,
    buffer: String,
}

struct Event {
    id: String,
    history: i64,
    sections: std::collections::BTreeMap<String, String>,
}

impl Office {
    async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Stream {
        let response = self.ask(path, headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let body = response.into_body().into_data_stream();
        let body = body.map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap());
        Stream { body: Box::pin(body), buffer: String::new() }
    }
}

impl Stream {
    /// The next event; none at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    event.lines().find_map(|line| line.strip_prefix(&prefix)).map(ToOwned::to_owned)
                };
                let Some(data) = field("data") else { continue };
                assert_eq!(field("event").as_deref(), Some("sections"));
                let data: serde_json::Value = serde_json::from_str(&data).unwrap();
                let history = data["history"].as_i64().unwrap();
                let sections = serde_json::from_value(data["sections"].clone()).unwrap();
                return Some(Event { id: field("id").unwrap(), history, sections });
            }
            self.buffer.push_str(&self.body.next().await?);
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_changed_and_only_that() {
    let mut office = Office::open();
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let (first, second) = (office.pickup("v01", "中区", "0001"), office.pickup("v01", "中区", "0002"));
    let mut stream = office.stream("/events", &[]).await;
    let whole = stream.next().await.unwrap();
    assert!(whole.sections.len() >= 6 && whole.sections["figures"].contains(">0</p>"));

    office.say(first, "t-01", 1, Outcome::Collected);
    office.say(second, "t-01", 1, Outcome::Collected);
    let change = loop {
        let event = stream.next().await.unwrap();
        if event.sections.get("status").is_some_and(|status| status.contains("収集済2件")) {
            break event;
        }
    };
    assert!(change.history > whole.history && change.id != whole.id);
    assert!(change.sections["latest"].contains("0002") && change.sections["progress"].contains(">2</td>"));
    assert!(!change.sections.contains_key("aside-count"));

    // What is no pickup's history comes, too.
    office.sample.aside(noon(), None, "x", "unknown topic", b"x");
    let aside = stream.next().await.unwrap();
    assert!(aside.sections.contains_key("aside-count") && !aside.sections.contains_key("progress"));
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_left() {
    let mut office = Office::open();
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let (first, second) = (office.pickup("v01", "中区", "0001"), office.pickup("v01", "中区", "0002"));
    office.say(first, "t-01", 1, Outcome::Collected);
    let page = office.page("/").await;
    let address =
        page.split_once("data-events=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");

    // The page has it all already: the first event is the next change.
    let mut stream = office.stream(&address, &[]).await;
    office.say(second, "t-01", 0, Outcome::Collected);
    let seen = stream.next().await.unwrap();
    assert!(!seen.sections.contains_key("aside-count"), "the whole page came again");
    assert!(seen.sections["status"].contains("収集済2件"));
    drop(stream);

    // Away while something happens: it is there at once, with the browser's own header before the address.
    let third = office.pickup("v01", "中区", "0003");
    office.say(third, "t-01", 0, not(Reason::NotOut));
    let mut stream = office.stream(&address, &[("last-event-id", &seen.id)]).await;
    let missed = stream.next().await.unwrap();
    assert!(missed.history > seen.history);
    assert!(missed.sections["status"].contains("収集済2件、収集不可1件"));
    // An id that means nothing here, as after a restore, gets everything.
    let mut stream = office.stream("/events?since=999999", &[]).await;
    assert_eq!(stream.next().await.unwrap().id, missed.id);
}

#[tokio::test]
async fn a_pickups_and_the_asides_streams_are_live_too() {
    let mut office = Office::open();
    office.sample.terminal("t-01", "v01", true, Some(noon()));
    let pickup = office.pickup("v01", "中区", "0001");
    let mut stream = office.stream(&format!("/events?pickup={pickup}&lang=en"), &[]).await;
    assert!(stream.next().await.unwrap().sections["stands"].contains("Planned"));
    office.say(pickup, "t-01", 0, Outcome::Collected);
    assert!(stream.next().await.unwrap().sections["stands"].contains("Collected"));

    let mut stream = office.stream("/events?aside=1", &[]).await;
    assert!(stream.next().await.unwrap().sections["aside"].contains("未処理データはありません"));
    office.sample.aside(noon(), None, "x", "unknown topic", b"x");
    assert!(stream.next().await.unwrap().sections["aside"].contains("不明なトピック"));
}

#[tokio::test]
async fn streams_end_when_the_office_stops() {
    let office = Office::open();
    let mut stream = office.stream("/events", &[]).await;
    assert!(stream.next().await.is_some());
    office.sample.changes.stop();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn the_catalogue_is_found_by_name_reading_and_other_words() {
    let office = Office::open();
    let empty = office.page("/items").await;
    assert!(
        empty.contains("品目はまだ取り込まれていません") && empty.contains("catalogue import"),
        "{empty}"
    );
    office.sample.catalogue("<script>alert(1)</script>,すくりぷと,250,,1,1,,\n", noon());
    let all = office.page("/items").await;
    assert!(all.contains("131品目") && all.contains("rel=\"next\""), "{all}");
    assert!(all.contains("<a href=\"/items\" aria-current=\"page\">品目</a>"));
    let hostile = office.page("/items?q=すくりぷと").await;
    assert!(hostile.contains("&lt;script&gt;alert(1)") && !hostile.contains("<script>alert"), "{hostile}");
    // Katakana, half width, and another word for it, which is shown first.
    for asked in ["アイロンダイ", "ｱｲﾛﾝ台", "あいろん台"] {
        let page = office.page(&format!("/items?q={asked}")).await;
        assert_eq!(words(&page, "<tbody", "</tbody>").matches("アイロン台").count(), 1, "{asked}");
    }
    let page = office.page("/items?q=寝具").await;
    let found = words(&page, "<tbody", "</tbody>");
    assert!(found.contains("|布団|") && found.contains("別の呼び方：寝具、ふとん"), "{found}");
    assert!(found.contains("2枚まで一点。ひもで縛ってください。") && found.contains("|250円|"), "{found}");
    let page = office.page("/items?q=冷蔵庫&lang=en").await;
    let found = words(&page, "<tbody", "</tbody>");
    assert!(found.contains("2,500 yen, recycling ticket"), "{found}");
    let none = office.page("/items?q=<b>宇宙船").await;
    assert!(none.contains("「&lt;b&gt;宇宙船」に合う品目は見つかりません"), "{none}");
    let long = office.ask(&format!("/items?q={}", "a".repeat(101)), &[]).await;
    assert_eq!(long.status(), StatusCode::BAD_REQUEST);
    assert_eq!(office.ask("/items?p=1", &[]).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_pickups_items_lead_to_the_catalogue() {
    let mut office = Office::open();
    let pickup = office.pickup("v01", "中区", "0417");
    let link = "href=\"/items?q=%E8%87%AA%E8%BB%A2%E8%BB%8A\"";
    assert!(!office.page(&format!("/pickup/{pickup}")).await.contains(link));
    office.sample.catalogue("", noon());
    let page = office.page(&format!("/pickup/{pickup}")).await;
    assert!(page.contains(link), "{page}");
    let found = office.page("/items?q=%E8%87%AA%E8%BB%A2%E8%BB%8A").await;
    let found = words(&found, "<tbody", "</tbody>");
    // The one that is called so stands first.
    assert!(found.find("|自転車|").unwrap() < found.find("自転車（子ども用）").unwrap(), "{found}");
}
