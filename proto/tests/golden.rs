//! Every message of the wire, byte for byte. A change here is a change of the contract.
//!
//! `MEGURI_BLESS=1 cargo test -p meguri-proto --test golden` writes the files anew.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::civil::date;
use meguri_proto::pickup::{OfficeWord, Result, Statement};
use meguri_proto::*;
use serde_json::value::to_raw_value;
use uuid::Uuid;

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0000 + n)
}

fn stamps() -> Stamps {
    let terminal = "2026-04-01T00:12:30.250Z".parse().unwrap();
    Stamps { terminal, gnss: None, trusted: Some("2026-04-01T00:12:29.980Z".parse().unwrap()) }
}

fn fact(fact: Fact) -> FactBody {
    let contract = "naka-2026".parse().unwrap();
    FactBody { v: 1, contract, config: 3, crew: None, at: stamps(), fact }
}

fn outcome(result: Result) -> Outcome {
    let list = ListRef { date: date(2026, 4, 1), version: 2 };
    Outcome { pickup: PickupId(uuid(1)), list, replaces: None, result }
}

const NOTE: &str = "道路工事中で通行止め";

fn entry(seq: u64, before: Digest, body: &FactBody) -> Entry {
    let body = to_raw_value(body).unwrap();
    let digest = before.then(body.get().as_bytes());
    Entry { seq, id: FactId(uuid(100 + u128::from(seq))), digest, body }
}

fn golden<M: Message>(name: &str, message: &M) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let bytes = message.encode().unwrap();
    if std::env::var_os("MEGURI_BLESS").is_some() {
        std::fs::write(&path, [&bytes[..], b"\n"].concat()).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    let kept = kept.strip_suffix(b"\n").unwrap_or(&kept);
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(kept), "{name}");
    // It reads back to the very same bytes.
    assert_eq!(M::decode(kept).unwrap().encode().unwrap(), kept, "{name}");
    // Unknown fields, other versions and cut ends are refused.
    let text = std::str::from_utf8(kept).unwrap();
    let extra = text.replacen('{', r#"{"surprise":1,"#, 1);
    assert!(matches!(M::decode(extra.as_bytes()), Err(WireError::Malformed { .. })), "{name}");
    let newer = text.replacen(r#""v":1"#, r#""v":2"#, 1);
    assert!(matches!(M::decode(newer.as_bytes()), Err(WireError::UnknownVersion { .. })), "{name}");
    assert!(matches!(M::decode(&kept[..kept.len() - 1]), Err(WireError::Malformed { .. })), "{name}");
    let spaces = [kept, &vec![b' '; M::MAX_BYTES][..]].concat();
    assert!(matches!(M::decode(&spaces), Err(WireError::TooLarge { .. })), "{name}");
}

#[test]
fn fact_bodies() {
    let note = Some(Digest::of(NOTE.as_bytes()));
    golden("fact-collected.json", &fact(Fact::Outcome(outcome(Result::Collected))));
    let signed_in =
        FactBody { crew: Some("c-012".parse().unwrap()), ..fact(Fact::Outcome(outcome(Result::Collected))) };
    golden("fact-collected-by-crew.json", &signed_in);
    let items = vec![
        ItemResult { item: 0, collected: 1, reason: None },
        ItemResult { item: 1, collected: 0, reason: Some(Reason::TicketShort) },
    ];
    golden("fact-partly.json", &fact(Fact::Outcome(outcome(Result::Partly { items, note: None }))));
    let not = Outcome {
        replaces: Some(FactId(uuid(101))),
        ..outcome(Result::NotCollected { reason: Reason::Other, note })
    };
    golden("fact-not-collected.json", &fact(Fact::Outcome(not)));
    golden("fact-undo.json", &fact(Fact::Undo(Undo { pickup: PickupId(uuid(1)), of: FactId(uuid(101)) })));
}

#[test]
fn configuration_facts() {
    let staged = ConfigChange {
        version: 5,
        bundle: Digest::of(GOOD_BUNDLE.as_bytes()),
        state: ConfigState::Staged,
        contract: Some("k2-2027".parse().unwrap()),
        effective_at: Some("2027-03-31T15:00:00Z".parse().unwrap()),
        why: None,
        detail: String::new(),
    };
    golden("fact-config-staged.json", &fact(Fact::Config(staged.clone())));
    let refused = ConfigChange {
        version: 0,
        bundle: Digest::of(b"x"),
        state: ConfigState::Refused,
        contract: None,
        effective_at: None,
        why: Some(ConfigWhy::TooFewSignatures),
        detail: "1 of the 2 signatures needed are there and right".into(),
    };
    golden("fact-config-refused.json", &fact(Fact::Config(refused)));
}

/// What a terminal accepts, as `firmware-config` makes and judges it.
const GOOD_KEYS: &str = include_str!("../../firmware-config/tests/attacks/good/keys.json");
const GOOD_BUNDLE: &str = include_str!("../../firmware-config/tests/attacks/good/bundle.json");

#[test]
fn keys_and_configurations() {
    for (name, body) in [("down-keys.json", GOOD_KEYS), ("down-config.json", GOOD_BUNDLE)] {
        let body: Box<serde_json::value::RawValue> = serde_json::from_str(body).unwrap();
        let digest = Digest::of(body.get().as_bytes());
        golden(name, &Document { v: 1, version: 5, digest, body });
    }
}

#[test]
fn track_body() {
    let health = Health { app: "0.1.0".into(), waiting: 3, free_bytes: Some(12_000_000_000) };
    golden("track-health.json", &TrackBody { v: 1, at: stamps(), track: TrackFact::Health(health) });
}

#[test]
fn log_publish() {
    let note = Digest::of(NOTE.as_bytes());
    let other = Result::NotCollected { reason: Reason::Other, note: Some(note) };
    let first = entry(1, Digest::ZERO, &fact(Fact::Outcome(outcome(other))));
    let undo = Undo { pickup: PickupId(uuid(1)), of: first.id };
    let second = entry(2, first.digest, &fact(Fact::Undo(undo)));
    let notes = BTreeMap::from([(note, NOTE.to_owned())]);
    golden("up-fact.json", &LogPublish { v: 1, epoch: Epoch(uuid(2)), entries: vec![first, second], notes });
}

#[test]
fn hello_and_ack() {
    let digest = Digest::of(b"x");
    let held = EpochHeld { epoch: Epoch(uuid(2)), first: 1, before: Digest::ZERO, head: 2, digest, acked: 1 };
    let empty = EpochHeld { epoch: Epoch(uuid(3)), head: 0, digest: Digest::ZERO, acked: 0, ..held.clone() };
    let name = DocumentName::List { contract: "naka-2026".parse().unwrap(), date: date(2026, 4, 1) };
    golden(
        "up-hello.json",
        &Hello {
            v: 1,
            nonce: Nonce(uuid(4)),
            boot: BootId(uuid(5)),
            app: "0.1.0".into(),
            config: 3,
            incarnation: Some(Incarnation(uuid(6))),
            certificate: Some("5f02c4".into()),
            logs: LogsHeld { fact: vec![held], track: vec![empty] },
            documents: vec![DocumentHeld { name, version: 2, digest }],
        },
    );
    let ack = Ack {
        v: 1,
        incarnation: Incarnation(uuid(6)),
        time: Some("2026-04-01T00:12:30.500Z".parse().unwrap()),
        nonce: None,
        say_hello: false,
        held: vec![SeqHeld { log: LogKind::Fact, epoch: Epoch(uuid(2)), seq: 2, digest }],
    };
    golden("down-ack.json", &ack);
    let nothing = SeqHeld { log: LogKind::Track, epoch: Epoch(uuid(3)), seq: 0, digest: Digest::ZERO };
    let answer = Ack { nonce: Some(Nonce(uuid(4))), held: vec![ack.held[0], nothing], ..ack.clone() };
    golden("down-ack-answer.json", &answer);
    golden("down-ack-say-hello.json", &Ack { say_hello: true, held: vec![], ..ack });
}

#[test]
fn day_list() {
    let statement = Statement {
        fact: FactId(uuid(101)),
        terminal: "t-0002".parse().unwrap(),
        at: "2026-04-01T00:12:29.980Z".parse().unwrap(),
        result: Result::Collected,
    };
    let place = Place {
        ward: "中区".into(),
        town: "江波東一丁目".into(),
        lot: "12-7".into(),
        building: "".into(),
        spot: "1階 集積所の左側".into(),
        notice: "".into(),
        position: Some((34.3725, 132.4331)),
    };
    let items = vec![
        Item {
            name: "タンス(高さ1m以上)".into(),
            count: 1,
            tickets: vec![Ticket { yen: 1000, count: 1 }],
            recycling: false,
        },
        Item { name: "冷蔵庫(170L以下)".into(), count: 1, tickets: vec![], recycling: true },
    ];
    let open = Listed {
        id: PickupId(uuid(1)),
        order: 1,
        reception: "4417".into(),
        place,
        items,
        payment: Payment::Tickets,
        changed: false,
        office: OfficeWord::Planned,
        others: vec![],
        own: None,
    };
    let done = Listed {
        id: PickupId(uuid(7)),
        order: 2,
        changed: true,
        payment: Payment::NumberTag,
        office: OfficeWord::Revisit { date: date(2026, 4, 8) },
        others: vec![statement.clone()],
        own: Some(Statement { terminal: "t-0001".parse().unwrap(), ..statement }),
        ..open.clone()
    };
    let list = DayList {
        v: 1,
        contract: "naka-2026".parse().unwrap(),
        date: date(2026, 4, 1),
        contractor: "第一収集".into(),
        vehicle: "3号車".into(),
        round: "中区A".into(),
        seen: vec![OwnSeen { epoch: Epoch(uuid(2)), seq: 2 }],
        pickups: vec![open, done],
    };
    golden("day-list.json", &list);
    let body = to_raw_value(&list).unwrap();
    golden("down-list.json", &Document { v: 1, version: 2, digest: Digest::of(body.get().as_bytes()), body });
    let nothing = to_raw_value(&()).unwrap();
    let lapsed = Document { v: 1, version: 3, digest: Digest::of(b"null"), body: nothing };
    assert!(lapsed.lapsed());
    golden("down-list-lapsed.json", &lapsed);
}

#[test]
fn crew_list_and_erasure() {
    let member = |n: u8, id: &str, name: &str, pin: &str| Member {
        id: id.parse().unwrap(),
        name: name.into(),
        lock: meguri_proto::crew::PinLock::new(pin, [n; 32]).unwrap(),
    };
    // The locks are derived, so that another derivation is noticed here.
    let members =
        vec![member(1, "c-012", "乗務員 甲", "273941"), member(2, "c-013", "乗務員 乙", "60418293")];
    golden("crew-list.json", &CrewList { v: 1, members });
    golden("erasure.json", &Erasure { v: 1 });
}

#[test]
fn presence_and_position() {
    golden("up-presence.json", &Presence { v: 1, online: true, boot: BootId(uuid(5)), app: "0.1.0".into() });
    let at = "2026-04-01T00:12:30Z".parse().unwrap();
    golden("up-position.json", &Position { v: 1, at, lat: 34.3725, lng: 132.4331, speed_kmh: Some(18.5) });
}

/// `docs/wire.md` shows every message just as the golden files have it.
#[test]
fn the_book_shows_every_message() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let book = std::fs::read_to_string(root.join("../docs/wire.md")).unwrap();
    for file in std::fs::read_dir(root.join("tests/golden")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "down-list.json" {
            continue; // The book shows its body, day-list.json.
        }
        let (_, after) = book
            .split_once(&format!("`{name}`:\n\n```json\n"))
            .unwrap_or_else(|| panic!("{name} is missing"));
        let (shown, _) = after.split_once("\n```").unwrap();
        let shown: serde_json::Value = serde_json::from_str(shown).unwrap();
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(shown, golden, "{name}");
    }
}
