//! What one terminal's certificate can do with a plain MQTT client: one table, tried row by row on the embedded broker and on
//! Mosquitto, and shown in docs/brokers.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use meguri_proto::{LogsHeld, limits};
use meguri_tests::harness::eventually;
use meguri_tests::harness::pki::Authority;
use meguri_tests::harness::plain::{Coming, Plain, Turned, tls};
use meguri_tests::harness::proxy::Proxy;
use meguri_tests::harness::scene::{Broker, Scene};
use rusqlite::OptionalExtension as _;

use super::enrol::{code, enrol, enrolled, identity, said};

/// What comes of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The connection ends in TLS, or without an answer of MQTT.
    Shut,
    /// MQTT's answer refuses the connection.
    Refused,
    /// It stands, and even the terminal's own topic is refused.
    Powerless,
    /// It stands, and the terminal's own topic is granted.
    In,
    /// The subscription is granted.
    Granted,
    /// The subscription is refused.
    Denied,
    /// Somebody hears it.
    Heard,
    /// Nobody hears it.
    Unheard,
}

impl Comes {
    fn words(self) -> &'static str {
        match self {
            Self::Shut => "切る / connection ended",
            Self::Refused => "断る / connection refused",
            Self::Powerless => "つながるが、何もできない / stands, and may do nothing",
            Self::In => "つながる / let in",
            Self::Granted => "読める / granted",
            Self::Denied => "断る / refused",
            Self::Heard => "届く / heard",
            Self::Unheard => "届かない / heard by nobody",
        }
    }
}

/// Who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Plaintext,
    NoCertificate,
    OtherAuthority,
    Expired,
    NotYet,
    Unknown,
    Replaced,
    Blocked,
    Right,
    OtherId,
    OtherUser,
    OfficesUser,
    OldTls,
}

#[derive(Debug, Clone, Copy)]
enum Try {
    Come(Who),
    Hear(&'static str),
    /// A topic, whether retained, and how many bytes.
    Say(&'static str, bool, usize),
    /// Whose, a topic, and whether retained.
    Will(Who, &'static str, bool),
}

use Comes::{Denied, Granted, Heard, In, Powerless, Refused, Shut, Unheard};
use Try::{Come, Hear, Say, Will};

/// Rows: in Japanese, in English, what is tried as t-1, and what comes of it on the embedded broker and on Mosquitto.
const TABLE: &[(&str, &str, Try, Comes, Comes)] = &[
    ("証明書なし（TLS）", "TLS, no certificate", Come(Who::NoCertificate), Shut, Shut),
    ("TLS のポートに平文", "plain text on the TLS port", Come(Who::Plaintext), Shut, Shut),
    ("TLS 1.1", "TLS 1.1", Come(Who::OldTls), Shut, Shut),
    ("別の認証局の証明書", "a certificate of another authority", Come(Who::OtherAuthority), Shut, Shut),
    ("期限の切れた証明書", "one that is over", Come(Who::Expired), Shut, Shut),
    ("まだ始まらない証明書", "one that has not begun", Come(Who::NotYet), Shut, Shut),
    (
        "正しい認証局の、登録にない証明書",
        "one of the right authority that the office does not know",
        Come(Who::Unknown),
        Refused,
        Powerless,
    ),
    (
        "登録し直す前・更新前の証明書",
        "one that another has taken the place of",
        Come(Who::Replaced),
        Refused,
        Powerless,
    ),
    ("締め出した端末の証明書", "one of a blocked terminal", Come(Who::Blocked), Refused, Powerless),
    ("正しい証明書", "the right one", Come(Who::Right), In, In),
    (
        "正しい証明書で、ほかの端末のクライアント id（その端末の接続は切れない）",
        "the right one, with another terminal's client id (whose connection stays)",
        Come(Who::OtherId),
        Refused,
        In,
    ),
    (
        "正しい証明書で、ほかの端末のユーザー名（自分として扱う）",
        "the right one, with another terminal's user name (it counts as itself)",
        Come(Who::OtherUser),
        In,
        In,
    ),
    (
        "正しい証明書で、サーバーのユーザー名（自分として扱う）",
        "the right one, with the office's user name (it counts as itself)",
        Come(Who::OfficesUser),
        In,
        In,
    ),
    (
        "自分の `down/#` を読む",
        "hear its own `down/#`",
        Hear("meguri/1/hiroshima/t-1/down/#"),
        Granted,
        Granted,
    ),
    (
        "自分の `down/+` を読む",
        "hear its own `down/+`",
        Hear("meguri/1/hiroshima/t-1/down/+"),
        Granted,
        Granted,
    ),
    ("自分の `up/#` を読む", "hear its own `up/#`", Hear("meguri/1/hiroshima/t-1/up/#"), Denied, Denied),
    (
        "ほかの端末の `down/#` を読む",
        "hear another's `down/#`",
        Hear("meguri/1/hiroshima/t-2/down/#"),
        Denied,
        Denied,
    ),
    (
        "ほかの端末の `up/#` を読む",
        "hear another's `up/#`",
        Hear("meguri/1/hiroshima/t-2/up/#"),
        Denied,
        Denied,
    ),
    (
        "`+` の端末の `down/#` を読む",
        "hear `+`'s `down/#`",
        Hear("meguri/1/hiroshima/+/down/#"),
        Denied,
        Denied,
    ),
    ("`#` を読む", "hear `#`", Hear("#"), Denied, Denied),
    ("`+` を読む", "hear `+`", Hear("+"), Denied, Denied),
    ("`+/#` を読む", "hear `+/#`", Hear("+/#"), Denied, Denied),
    ("`$SYS/#` を読む", "hear `$SYS/#`", Hear("$SYS/#"), Denied, Denied),
    ("`$CONTROL/#` を読む", "hear `$CONTROL/#`", Hear("$CONTROL/#"), Denied, Denied),
    (
        "共有購読でほかの端末の `down/#` を読む",
        "hear another's `down/#` by a shared subscription",
        Hear("$share/g/meguri/1/hiroshima/t-2/down/#"),
        Denied,
        Denied,
    ),
    ("共有購読で `#` を読む", "hear `#` by a shared subscription", Hear("$share/g/#"), Denied, Denied),
    (
        "自分の `up/fact` に書く",
        "say on its own `up/fact`",
        Say("meguri/1/hiroshima/t-1/up/fact", false, 0),
        Heard,
        Heard,
    ),
    (
        "自分の `up/` の下の知らない語に書く（未処理データに入る）",
        "say on an unknown word below its own `up/` (it is set aside)",
        Say("meguri/1/hiroshima/t-1/up/photo", false, 0),
        Heard,
        Heard,
    ),
    (
        "自分の `down/ack` に書く",
        "say on its own `down/ack`",
        Say("meguri/1/hiroshima/t-1/down/ack", false, 0),
        Unheard,
        Unheard,
    ),
    (
        "ほかの端末の `up/fact` に書く",
        "say on another's `up/fact`",
        Say("meguri/1/hiroshima/t-2/up/fact", false, 0),
        Unheard,
        Unheard,
    ),
    (
        "ほかの端末の `down/ack` に書く",
        "say on another's `down/ack`",
        Say("meguri/1/hiroshima/t-2/down/ack", false, 0),
        Unheard,
        Unheard,
    ),
    (
        "ほかの市の `up/fact` に書く",
        "say on another city's `up/fact`",
        Say("meguri/1/elsewhere/t-1/up/fact", false, 0),
        Unheard,
        Unheard,
    ),
    ("`$SYS/…` に書く", "say on `$SYS/…`", Say("$SYS/broker/uptime", false, 0), Unheard, Unheard),
    (
        "`$CONTROL/dynamic-security/v1` に書く",
        "say on `$CONTROL/dynamic-security/v1`",
        Say("$CONTROL/dynamic-security/v1", false, 0),
        Unheard,
        Unheard,
    ),
    (
        "自分の `up/presence` に retain で書く",
        "say on its own `up/presence`, retained",
        Say("meguri/1/hiroshima/t-1/up/presence", true, 0),
        Heard,
        Heard,
    ),
    (
        "自分の `up/fact` に retain で書く",
        "say on its own `up/fact`, retained",
        Say("meguri/1/hiroshima/t-1/up/fact", true, 0),
        Unheard,
        Heard,
    ),
    (
        "ほかの端末の `up/presence` に retain で書く",
        "say on another's `up/presence`, retained",
        Say("meguri/1/hiroshima/t-2/up/presence", true, 0),
        Unheard,
        Unheard,
    ),
    (
        "1,056,768 バイトを超えて書く（接続も切れる）",
        "say more than 1,056,768 bytes (the connection ends, too)",
        Say("meguri/1/hiroshima/t-1/up/fact", false, limits::PACKET_BYTES + 1),
        Unheard,
        Unheard,
    ),
    (
        "自分の `up/presence` に遺言",
        "a will on its own `up/presence`",
        Will(Who::Right, "meguri/1/hiroshima/t-1/up/presence", true),
        Heard,
        Heard,
    ),
    (
        "ほかの端末の `up/presence` に遺言",
        "a will on another's `up/presence`",
        Will(Who::Right, "meguri/1/hiroshima/t-2/up/presence", true),
        Refused,
        Unheard,
    ),
    (
        "ほかの端末の `down/ack` に遺言",
        "a will on another's `down/ack`",
        Will(Who::Right, "meguri/1/hiroshima/t-2/down/ack", false),
        Refused,
        Unheard,
    ),
    (
        "締め出した端末の証明書で、自分の `up/fact` に遺言",
        "a will on its own `up/fact`, by the certificate of a blocked terminal",
        Will(Who::Blocked, "meguri/1/hiroshima/t-3/up/fact", false),
        Refused,
        Unheard,
    ),
];

#[test]
fn the_embedded_broker_does_as_the_table_says() {
    as_the_table_says(Broker::Embedded);
}

#[test]
fn mosquitto_does_as_the_table_says() {
    as_the_table_says(Broker::Mosquitto);
}

#[test]
fn the_book_shows_the_table() {
    let mut table = "| 端末 t-1 として試すこと / tried as terminal t-1 | 内蔵ブローカー / embedded broker | Mosquitto |\n|---|---|---|\n".to_owned();
    for (ja, en, _, embedded, mosquitto) in TABLE {
        writeln!(table, "| {ja} / {en} | {} | {} |", embedded.words(), mosquitto.words()).unwrap();
    }
    let book = include_str!("../../../docs/brokers/README.md");
    assert!(book.contains(&table), "docs/brokers/README.md should show this:\n\n{table}");
}

fn as_the_table_says(broker: Broker) {
    let mut bench = Bench::set(broker);
    let mut other = Vec::new();
    for (row, (_, name, what, embedded, mosquitto)) in TABLE.iter().enumerate() {
        let expected = if broker == Broker::Embedded { *embedded } else { *mosquitto };
        let came = bench.attempt(row, *what);
        if came != expected {
            other.push(format!("{name}: {came:?}, not {expected:?}"));
        }
        // Whatever was tried, the other terminal is where it was.
        bench.other.hello("t-2", LogsHeld::default()).expect(name);
    }
    assert!(other.is_empty(), "{other:#?}");
}

struct Bench {
    scene: Scene,
    broker: Broker,
    authority: String,
    own: String,
    replaced: String,
    blocked: String,
    foreign: Authority,
    /// The terminal t-2, which is connected and listens all the while.
    other: Plain,
}

impl Bench {
    fn set(broker: Broker) -> Self {
        let scene = Scene::set_certified(broker, &["v01", "v02", "v03"], 1).unwrap();
        let pem = |terminal: &str| fs::read_to_string(identity(&scene, terminal).join("next.pem")).unwrap();
        for terminal in ["t-1", "t-2", "t-3"] {
            drop(enrolled(&scene, terminal));
        }
        let (replaced, blocked, second) = (pem("t-1"), pem("t-3"), pem("t-2"));
        let scanned = code(&scene.office, "t-1");
        let folder = scene.dir().join("device-t-1");
        let done = enrol(&folder, scanned["scan"].as_str().unwrap(), &["--again"]);
        assert!(done.status.success(), "{}", said(&done));
        let own = pem("t-1");
        assert_ne!(own, replaced);
        scene.office.must(&["terminal", "block", "t-3"]).unwrap();
        let authority = fs::read_to_string(scene.office.data().join("ca/authority.pem")).unwrap();
        let coming = Coming {
            id: "t-2".to_owned(),
            tls: Some(tls(&authority, Some(&second)).unwrap()),
            ..Coming::default()
        };
        let mut other = Plain::come(scene.broker(), &coming).unwrap();
        assert!(other.subscribe("meguri/1/hiroshima/t-2/down/#").unwrap());
        let foreign = Authority::make("somebody else").unwrap();
        Self { scene, broker, authority, own, replaced, blocked, foreign, other }
    }

    /// Comes as t-1 with this certificate.
    fn by(&self, pem: Option<&str>) -> Coming {
        Coming { id: "t-1".to_owned(), tls: Some(tls(&self.authority, pem).unwrap()), ..Coming::default() }
    }

    fn coming(&self, who: Who) -> Coming {
        let ours = || Authority::of_gateway(&self.scene.office.data().join("ca")).unwrap();
        let issued =
            |authority: Authority, days| authority.issue("t-1", days, b"nobodys number").unwrap().both();
        let right = self.by(Some(&self.own));
        let named = |user: &str| Some((user.to_owned(), "guess".to_owned()));
        match who {
            Who::Plaintext | Who::OldTls => Coming { tls: None, user: named("t-1"), ..right },
            Who::NoCertificate => Coming { user: named("t-1"), ..self.by(None) },
            Who::OtherAuthority => self.by(Some(&self.foreign.issue("t-1", (-1, 400), b"n").unwrap().both())),
            Who::Expired => self.by(Some(&issued(ours(), (-10, -1)))),
            Who::NotYet => self.by(Some(&issued(ours(), (1, 10)))),
            Who::Unknown => self.by(Some(&issued(ours(), (-1, 400)))),
            Who::Replaced => self.by(Some(&self.replaced)),
            Who::Blocked => Coming { id: "t-3".to_owned(), ..self.by(Some(&self.blocked)) },
            Who::Right => right,
            Who::OtherId => Coming { id: "t-2".to_owned(), ..right },
            Who::OtherUser => Coming { user: named("t-2"), ..right },
            Who::OfficesUser => {
                let office = if self.broker == Broker::Embedded { "office:embedded" } else { "office" };
                Coming { user: named(office), ..right }
            }
        }
    }

    /// Comes to `broker`; that it is busy with the same name's last connection is waited out.
    fn come(&self, broker: SocketAddr, coming: &Coming) -> Result<Plain, Turned> {
        eventually("the broker answers", || match Plain::come(broker, coming) {
            Err(Turned::Refused(code)) if code.contains("Unavailable") || code.contains("Busy") => None,
            done => Some(done),
        })
    }

    /// The terminal t-1, let in and subscribed.
    fn connected(&self) -> Plain {
        let mut plain = self.come(self.scene.broker(), &self.by(Some(&self.own))).unwrap();
        assert!(plain.subscribe("meguri/1/hiroshima/t-1/down/#").unwrap());
        plain
    }

    fn attempt(&mut self, row: usize, what: Try) -> Comes {
        let payload = format!("of row {row}").into_bytes();
        match what {
            Come(Who::OldTls) => old_tls(self.scene.broker()),
            Come(who) => {
                let coming = self.coming(who);
                let mut plain = match self.come(self.scene.broker(), &coming) {
                    Ok(plain) => plain,
                    Err(Turned::Refused(_)) => return Refused,
                    Err(Turned::Shut(_)) => return Shut,
                };
                // Whatever name it gives: it is t-1, or nobody.
                for other in ["meguri/1/hiroshima/t-2/down/#", "meguri/1/hiroshima/+/up/#"] {
                    assert!(!plain.subscribe(other).unwrap(), "{who:?} hears {other}");
                }
                let own =
                    format!("meguri/1/hiroshima/{}/down/#", if who == Who::Blocked { "t-3" } else { "t-1" });
                if plain.subscribe(&own).unwrap() {
                    return In;
                }
                let up = own.replace("down/#", "up/fact");
                assert!(!plain.publish_allowed(&up, &payload, false).unwrap(), "{who:?} may speak");
                Powerless
            }
            Hear(filter) => {
                let mut plain = self.connected();
                // A broker may also end the connection.
                if plain.subscribe(filter).unwrap_or(false) { Granted } else { Denied }
            }
            Say(topic, retain, bytes) => {
                let mut payload = payload;
                payload.resize(bytes.max(payload.len()), b' ');
                let mut plain = self.connected();
                let taken = plain.publish_allowed(topic, &payload, retain);
                let ended = taken.is_err();
                assert!(bytes == 0 || ended, "a packet of {bytes} bytes leaves the connection");
                // Nobody hears of topics beyond the city's; there the broker's word must do.
                let audible = topic.starts_with("meguri/1/hiroshima/");
                let taken = !audible && taken.unwrap_or(false);
                if ended {
                    drop(plain);
                    plain = self.connected();
                }
                if taken || self.heard(&mut plain, &payload) { Heard } else { Unheard }
            }
            Will(who, topic, retain) => {
                let line = Proxy::start(self.scene.broker()).unwrap();
                let coming =
                    Coming { will: Some((topic.to_owned(), payload.clone(), retain)), ..self.coming(who) };
                let plain = match self.come(line.address(), &coming) {
                    Ok(plain) => plain,
                    Err(Turned::Refused(_)) => return Refused,
                    Err(Turned::Shut(_)) => return Shut,
                };
                line.refuse(true);
                drop(plain);
                let mut plain = self.connected();
                if self.heard(&mut plain, &payload) { Heard } else { Unheard }
            }
        }
    }

    /// Whether the office or a terminal has heard this.
    fn heard(&mut self, plain: &mut Plain, payload: &[u8]) -> bool {
        // Whatever came through would be there before these answers.
        plain.hello("t-1", LogsHeld::default()).unwrap();
        self.other.hello("t-2", LogsHeld::default()).unwrap();
        let came = plain.came().iter().chain(self.other.came()).any(|came| came.payload == payload);
        let aside = "SELECT id FROM aside WHERE raw = ?1";
        let store = self.scene.office.store().unwrap();
        let id: Option<i64> = store.query_row(aside, [payload], |row| row.get(0)).optional().unwrap();
        if let Some(id) = id {
            // One that is open stands for others of its topic.
            self.scene.office.must(&["aside", "settle", &id.to_string()]).unwrap();
        }
        came || id.is_some()
    }
}

/// Begins a handshake of TLS 1.1 (RFC 4346), with suites that every server of its time knew.
fn old_tls(broker: SocketAddr) -> Comes {
    let suites = [0xc0u8, 0x13, 0xc0, 0x14, 0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a];
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, suites.len() as u8]);
    hello.extend(suites);
    hello.extend([1, 0]);
    let mut record = vec![0x16, 0x03, 0x01, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    let mut line = TcpStream::connect(broker).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    line.write_all(&record).unwrap();
    let mut answer = Vec::new();
    // It may hang up without a word, or after one.
    let _ = line.read_to_end(&mut answer);
    // A handshake that goes on would begin with a record of that kind.
    if answer.first() == Some(&0x16) { In } else { Shut }
}
