//! Keys, signed bundles and release files of a small city, for tests of what the office does with them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "shared by tests, each of which uses a part"
)]

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use meguri_config::bundle::BUNDLE_TYPE;
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PrivateKey;
use meguri_config::keys::KEYS_TYPE;
use meguri_config::{Bundle, City};
use serde_json::{Value, json};

/// Contracts of three contractors: the first leaves, the second stays under a new contract, the third comes.
pub(crate) const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "k1", name = "第一収集" }, { id = "k2", name = "第二収集" }, { id = "k3", name = "第三収集" }]
contract = [
    { id = "a-26", contractor = "k1", from = "2026-04-01", until = "2027-03-31" },
    { id = "b-26", contractor = "k2", from = "2026-04-01", until = "2027-03-31" },
    { id = "b-27", contractor = "k2", from = "2027-04-01", until = "2028-03-31" },
    { id = "c-27", contractor = "k3", from = "2027-04-01", until = "2028-03-31" },
]
vehicle = [
    { id = "v1", contract = "a-26", name = "1号車", round = "中区A" },
    { id = "v2", contract = ["b-26", "b-27"], name = "2号車", round = "中区B" },
    { id = "v3", contract = "c-27", name = "3号車", round = "中区A" },
    { id = "v9", contract = "a-26", name = "9号車", round = "予備" },
]
district = [{ name = "中区A", ward = "中区", vehicle = ["v1", "v3"] }, { name = "中区B", ward = "中区", vehicle = "v2" }]
"#;

/// 2027-04-01 00:00 in Japan.
pub(crate) const INSTANT: &str = "2027-03-31T15:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn city() -> City {
    City::parse(Path::new("city.toml"), CITY).unwrap()
}

pub(crate) fn key(seed: u8) -> PrivateKey {
    PrivateKey::of_seed(&[seed; 32])
}

fn signed(payload_type: &str, payload: &Value, by: &[u8]) -> String {
    let mut envelope = Envelope::new(payload_type, payload.to_string().as_bytes());
    by.iter().for_each(|seed| envelope.sign(payload_type, &key(*seed)).unwrap());
    envelope.to_json()
}

/// Keys 1 and 2 are root's, 11 and 12 sign configurations; the second set has 13 in place of 12.
pub(crate) fn key_set(version: u64, by: &[u8]) -> String {
    let second = if version == 1 { 12 } else { 13 };
    let named = |seed: u8| json!({ "public": key(seed).public(), "name": format!("鍵{seed}") });
    let role = |seeds: [u8; 2]| {
        let ids = seeds.map(|seed| key(seed).public().id());
        json!({ "keys": ids, "threshold": 2 })
    };
    let keys = [1, 2, 11, second].map(named);
    let set = json!({
        "v": 1, "city": "hiroshima", "version": version, "expires": "2030-01-01T00:00:00Z",
        "keys": keys, "root": role([1, 2]), "config": role([11, second]),
    });
    signed(KEYS_TYPE, &set, by)
}

/// A configuration.
pub(crate) fn configuration(from: Option<&str>, contract: &str, vehicle: &str) -> Value {
    let contractor = match contract.split('-').next() {
        Some("a") => "k1",
        Some("b") => "k2",
        _ => "k3",
    };
    let settings = "version = 1\ncity = \"hiroshima\"\nterminal = \"t-1\"\ncontractor = \"k1\"\ncontract = \"a-26\"\nvehicle = \"v1\"\n\
        [broker]\nhost = \"127.0.0.1\"\nport = 1\nsecret_file = \"secret\"\n";
    let usual =
        serde_json::to_value(meguri_config::Terminal::parse(Path::new("terminal.toml"), settings).unwrap())
            .unwrap();
    let mut value = json!({
        "contract": contract, "contractor": contractor, "contractor_name": "業者", "vehicle": vehicle,
        "vehicle_name": "号車", "round": "コース", "broker": { "host": "office.example", "port": 8883 },
        "screen": usual["screen"], "reason": usual["reason"], "retention": usual["retention"], "timers": usual["timers"],
    });
    if let Some(from) = from {
        value["from"] = from.into();
    }
    value
}

/// A release in the making.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) city: &'static str,
    pub(crate) version: u64,
    pub(crate) made_at: &'static str,
    pub(crate) expires: &'static str,
    pub(crate) keys: Vec<String>,
    pub(crate) signers: Vec<u8>,
    pub(crate) terminals: Vec<(String, Vec<Value>)>,
}

impl Plan {
    pub(crate) fn new(version: u64) -> Self {
        Self {
            city: "hiroshima",
            version,
            made_at: "2027-03-01T00:00:00Z",
            expires: "2027-05-31T15:00:00Z",
            keys: vec![key_set(1, &[1, 2])],
            signers: vec![11, 12],
            terminals: Vec::new(),
        }
    }

    /// The switchover: terminals of the first contractor become the third's, `t-2` stays with the second.
    pub(crate) fn switchover(version: u64, first: &[&str]) -> Self {
        let mut plan = Self::new(version);
        for terminal in first {
            plan = plan.with(
                terminal,
                vec![configuration(None, "a-26", "v1"), configuration(Some(INSTANT), "c-27", "v3")],
            );
        }
        plan.with("t-2", vec![configuration(None, "b-26", "v2"), configuration(Some(INSTANT), "b-27", "v2")])
    }

    /// Everything stays as it is.
    pub(crate) fn unchanged(version: u64, first: &[&str]) -> Self {
        let plan = first.iter().fold(Self::new(version), |plan, terminal| {
            plan.with(terminal, vec![configuration(None, "a-26", "v1")])
        });
        plan.with("t-2", vec![configuration(None, "b-26", "v2")])
    }

    pub(crate) fn with(mut self, terminal: &str, schedule: Vec<Value>) -> Self {
        self.terminals.push((terminal.to_owned(), schedule));
        self
    }

    /// A terminal's envelope.
    pub(crate) fn envelope(&self, terminal: &str) -> String {
        let (_, schedule) = self.terminals.iter().find(|(name, _)| name == terminal).unwrap();
        let bundle = json!({
            "v": 1, "city": self.city, "terminal": terminal, "version": self.version, "made_at": self.made_at,
            "expires": self.expires, "schedule": schedule,
        });
        signed(BUNDLE_TYPE, &bundle, &self.signers)
    }

    pub(crate) fn digest(&self, terminal: &str) -> meguri_proto::Digest {
        Bundle::digest(self.envelope(terminal).as_bytes())
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let header = json!({ "release": {
            "v": 1, "city": self.city, "version": self.version, "name": format!("版{}", self.version), "made_at": self.made_at,
            "expires": self.expires, "switchover_at": null, "terminals": self.terminals.len(),
        }});
        let mut text = format!("{header}\n");
        self.keys.iter().for_each(|set| text.push_str(&format!("{{\"keys\":{set}}}\n")));
        for (terminal, _) in &self.terminals {
            text.push_str(&format!("{{\"bundle\":{}}}\n", self.envelope(terminal)));
        }
        text
    }

    /// Writes the file.
    pub(crate) fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join(format!("{}.release", self.version));
        std::fs::write(&path, self.text()).unwrap();
        path
    }
}
