//! What attacks are made of, always the same: the keys are of fixed seeds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meguri_config::bundle::{BUNDLE_TYPE, Bundle};
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PrivateKey;
use meguri_config::keys::{KEYS_TYPE, Key, KeySet, Role};
use meguri_config::schedule::Plans;
use meguri_config::{City, Fleet};
use serde_json::Value;

const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "k1", name = "第一収集" }, { id = "k2", name = "第二収集" }]
contract = [
    { id = "k1-2026", contractor = "k1", from = "2026-04-01", until = "2027-03-31" },
    { id = "k2-2027", contractor = "k2", from = "2027-04-01", until = "2028-03-31" },
]
vehicle = [
    { id = "v-3", contract = "k1-2026", name = "3号車", round = "中区A" },
    { id = "v-12", contract = "k2-2027", name = "12号車", round = "中区A" },
]
district = [{ name = "中区A", ward = "中区", vehicle = ["v-3", "v-12"] }]
"#;
const FLEET: &str = r#"
[template.standard]
broker = { host = "office.example", port = 8883 }
reason = [{ code = "not_out" }, { code = "other", note = true }]
[[terminal]]
id = "t-0001"
vehicle = ["v-3", "v-12"]
template = "standard"
"#;

/// When the bundles are made, and terminals judge them a day later.
const MADE: &str = "2027-03-01T00:00:00Z";
const NOW: &str = "2027-03-02T00:00:00Z";

/// A folder.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    what: &'static str,
    held: u64,
    trusted: usize,
    now: &'static str,
    why: Option<&'static str>,
    chain: Vec<String>,
    pub(crate) bundle: Option<Vec<u8>>,
}

impl Attack {
    pub(crate) fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let why = self.why.map(|why| format!("why = \"{why}\"\n")).unwrap_or_default();
        let Self { what, held, trusted, now, .. } = self;
        let case = format!(
            "what = {what:?}\ncity = \"hiroshima\"\nterminal = \"t-0001\"\nheld = {held}\ntrusted = {trusted}\nnow = \"{now}\"\n{why}"
        );
        let chain = format!("{{\"v\":1,\"sets\":[{}]}}\n", self.chain.join(","));
        let mut files = vec![("case.toml", case.into_bytes()), ("keys.json", chain.into_bytes())];
        files.extend(self.bundle.clone().map(|bundle| ("bundle.json", bundle)));
        files
    }

    pub(crate) fn held(mut self, version: u64) -> Self {
        self.held = version;
        self
    }

    pub(crate) fn at(mut self, now: &'static str) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn trusting(mut self, sets: usize) -> Self {
        self.trusted = sets;
        self
    }

    pub(crate) fn chain(mut self, chain: Vec<String>) -> Self {
        self.chain = chain;
        self
    }

    pub(crate) fn bundle(mut self, bundle: impl Into<Vec<u8>>) -> Self {
        self.bundle = Some(bundle.into());
        self
    }
}

pub(crate) fn attack(name: &'static str, why: &'static str, what: &'static str) -> Attack {
    let bundle = Some(signed(&bundle(), &CONFIG).into_bytes());
    let chain = vec![set_signed(&set(), &ROOT)];
    Attack { name, what, held: 4, trusted: 1, now: NOW, why: Some(why), chain, bundle }
}

pub(crate) fn accepted(name: &'static str, what: &'static str) -> Attack {
    Attack { why: None, ..attack(name, "", what) }
}

/// The seeds of the root's keys, of the configuration's, and of somebody else's.
pub(crate) const ROOT: [u8; 2] = [1, 2];
pub(crate) const CONFIG: [u8; 2] = [11, 12];
pub(crate) const STRANGERS: [u8; 2] = [91, 92];

pub(crate) fn key(seed: u8) -> PrivateKey {
    PrivateKey::of_seed(&[seed; 32])
}

pub(crate) fn role(seeds: &[u8], threshold: u8) -> Role {
    Role { keys: seeds.iter().map(|seed| key(*seed).public().id()).collect(), threshold }
}

pub(crate) fn keys_of(seeds: &[u8]) -> Vec<Key> {
    seeds.iter().map(|seed| Key { public: key(*seed).public(), name: format!("key {seed}") }).collect()
}

/// Key set 1: two of three for either role.
pub(crate) fn set() -> KeySet {
    KeySet {
        v: 1,
        city: "hiroshima".parse().unwrap(),
        version: 1,
        expires: "2028-03-01T00:00:00Z".parse().unwrap(),
        keys: keys_of(&[1, 2, 3, 11, 12, 13]),
        root: role(&[1, 2, 3], 2),
        config: role(&[11, 12, 13], 2),
    }
}

/// Key set 2: root key 3 and configuration key 12 gave way to 4 and 14.
pub(crate) fn next() -> KeySet {
    KeySet {
        version: 2,
        keys: keys_of(&[1, 2, 4, 11, 13, 14]),
        root: role(&[1, 2, 4], 2),
        config: role(&[11, 13, 14], 2),
        ..set()
    }
}

pub(crate) fn set_signed(set: &KeySet, seeds: &[u8]) -> String {
    payload_signed(KEYS_TYPE, &serde_json::to_vec(set).unwrap(), seeds)
}

pub(crate) fn bundle() -> Bundle {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("city.toml"), CITY).unwrap();
    std::fs::write(folder.path().join("terminals.toml"), FLEET).unwrap();
    let (city, fleet): (City, Fleet) = Fleet::read_folder(folder.path()).unwrap();
    let (made, expires) = (MADE.parse().unwrap(), "2027-05-01T00:00:00Z".parse().unwrap());
    Plans::new(&city, &fleet).bundle(&fleet.terminal[0], 5, made, expires).unwrap()
}

pub(crate) fn signed(bundle: &Bundle, seeds: &[u8]) -> String {
    payload_signed(BUNDLE_TYPE, &serde_json::to_vec(bundle).unwrap(), seeds)
}

pub(crate) fn payload_signed(kind: &str, payload: &[u8], seeds: &[u8]) -> String {
    let mut envelope = Envelope::new(kind, payload);
    seeds.iter().for_each(|seed| envelope.sign(kind, &key(*seed)).unwrap());
    envelope.to_json()
}

/// A payload that was written in another way than by this program, signed as it must be.
pub(crate) fn text_signed(change: impl Fn(String) -> String) -> String {
    let payload = change(serde_json::to_string(&bundle()).unwrap());
    payload_signed(BUNDLE_TYPE, payload.as_bytes(), &CONFIG)
}

/// The good envelope, changed after it was signed.
pub(crate) fn changed(change: impl Fn(&mut Value)) -> String {
    let mut envelope: Value = serde_json::from_str(&signed(&bundle(), &CONFIG)).unwrap();
    change(&mut envelope);
    envelope.to_string()
}

pub(crate) fn payload(envelope: &Value) -> Vec<u8> {
    STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()
}

/// A key set that was written in another way than by this program, signed as it must be.
pub(crate) fn set_text_signed(set: &KeySet, seeds: &[u8], change: impl Fn(String) -> String) -> String {
    payload_signed(KEYS_TYPE, change(serde_json::to_string(set).unwrap()).as_bytes(), seeds)
}

/// The order of the group, RFC 8032, section 5.1, little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The same signature with S + L in place of S, which is the same number to whoever does not look.
pub(crate) fn malleated(signature: &str) -> String {
    let mut bytes = STANDARD.decode(signature).unwrap();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    STANDARD.encode(bytes)
}
