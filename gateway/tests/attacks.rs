//! Attacks on the built program over TLS: on the terminals' door, on the broker and on the pages, as somebody in the same network can
//! make them. What is done against sign-ins and forms stands in `people.rs` and `openid.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use meguri_gateway::audit::What;
use meguri_gateway::ca::{self, Authority};
use meguri_gateway::tls::{self, Life, TlsListener};
use meguri_proto::enrol::{Code, EnrolReply, EnrolRequest, RenewReply, RenewRequest, hex};
use meguri_proto::{Digest, Message as _, Nonce, TerminalId};
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

const CITY: &str = include_str!("city.toml");
/// No condition takes longer; passing it fails the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that are opened and left so.
const HALF_OPEN: usize = 500;

/// A gateway with TLS that logs all it can, and is killed when the test ends, however it ends.
struct Gateway {
    child: Child,
    web: SocketAddr,
    door: SocketAddr,
    mqtt: SocketAddr,
    dir: TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A terminal's key, and its certificate.
struct Identity {
    name: TerminalId,
    key: KeyPair,
    certificate: String,
}

impl Gateway {
    fn command(dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"));
        command.arg("--config").arg(dir.join("gateway.toml")).arg("--data").arg(dir).stdin(Stdio::null());
        command
    }

    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("city.toml"), CITY).unwrap();
        let settings = "[web]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"trace\"\n\
            [audit]\nsyslog = \"\"\n[tls]\nnames = [\"localhost\"]\nlisten = \"127.0.0.1:0\"\n";
        fs::write(dir.path().join("gateway.toml"), settings).unwrap();
        let log = File::create(dir.path().join("gateway.log")).unwrap();
        let mut child =
            Self::command(dir.path()).arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("a line of JSON");
        let at = |field: &str| {
            let text = ready[field].as_str().unwrap();
            let port = text.rsplit_once(':').unwrap().1.parse().unwrap();
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let (web, door, mqtt) = (at("web"), at("enrol"), at("mqtt"));
        Self { child, web, door, mqtt, dir }
    }

    fn run(&self, args: &[&str]) -> Output {
        Self::command(self.dir.path()).args(args).output().unwrap()
    }

    fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a terminal.
    fn terminal(&self, name: &str) -> TerminalId {
        self.must(&["terminal", "add", name, "--vehicle", "v1"]);
        name.parse().unwrap()
    }

    /// A code for a terminal, as the office shows it.
    fn code(&self, name: &str) -> Code {
        let shown: Value = serde_json::from_str(&self.must(&["terminal", "enrol", name, "--json"])).unwrap();
        shown["code"].as_str().unwrap().parse().unwrap()
    }

    fn authority(&self) -> Authority {
        Authority::open(self.dir.path(), &"hiroshima".parse().unwrap(), Timestamp::now(), true).unwrap()
    }

    /// The certificate that the door shows.
    fn channel(&self) -> Digest {
        ca::channel(&self.dir.path().join("ca/office.pem")).unwrap()
    }

    /// A client that believes this gateway, with a certificate or without.
    fn client(&self, own: Option<(&str, &KeyPair)>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.dir.path().join("ca/authority.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }

    /// A request over TLS; the whole answer.
    async fn ask(&self, at: SocketAddr, head: &str, body: &[u8]) -> String {
        let mut stream = connect(at, self.client(None)).await.unwrap();
        let head = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        answer(&mut stream).await
    }

    /// Knocks at the terminals' door; status and body.
    async fn knock(&self, path: &str, body: &[u8]) -> (u16, String) {
        let answer = self.ask(self.door, &format!("POST {path}"), body).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (status(head), body.to_owned())
    }

    /// Enrols a terminal as it does itself.
    async fn enrol(&self, name: &str) -> Identity {
        let (name, code, key) = (self.terminal(name), self.code(name), KeyPair::generate().unwrap());
        let request = EnrolRequest::new(&code, nonce(), csr(&key), &self.channel());
        let (status, body) = self.knock("/enrol", &request.encode().unwrap()).await;
        assert_eq!(status, 200, "{body}");
        let certificate = EnrolReply::decode(body.as_bytes()).unwrap().certificate;
        Identity { name, key, certificate }
    }

    /// What comes of a line to the broker under this user's name: the code of its answer, or why there is none.
    async fn line(&self, own: Option<(&str, &KeyPair)>, user: &str) -> Result<u8, String> {
        let mut stream = connect(self.mqtt, self.client(own)).await.map_err(|error| error.to_string())?;
        stream.write_all(&hello(user)).await.map_err(|error| error.to_string())?;
        let mut answer = [0; 4];
        match tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time")
        {
            // CONNACK of MQTT 3.1.1: its last byte says what came of it.
            Ok(_) => Ok(answer[3]),
            Err(error) => Err(error.to_string()),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("gateway.log")).unwrap()
    }
}

async fn connect(at: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(at).await?;
    TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// All that comes until the other side ends.
async fn answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut all = Vec::new();
    // A server that closes without a word of TLS has said what it had to say.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("an end in time");
    String::from_utf8_lossy(&all).into_owned()
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn nonce() -> Nonce {
    Nonce(Uuid::new_v4())
}

fn csr(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

/// CONNECT of MQTT 3.1.1, with a user name and no password.
fn hello(user: &str) -> Vec<u8> {
    let text = |text: &str| [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let body = [&text("MQTT")[..], &[4, 0x82, 0, 30], &text(user), &text(user)].concat();
    [&[0x10, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// Codes and requests that somebody has seen, changed or made up get no certificate; and whatever is wrong with a code, the answer
/// and the time that it is held back are the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stolen_codes_and_replayed_requests_get_nothing() {
    let gateway = Gateway::start();
    let (_, code, key) = (gateway.terminal("t-1"), gateway.code("t-1"), KeyPair::generate().unwrap());
    let channel = gateway.channel();
    let request = EnrolRequest::new(&code, nonce(), csr(&key), &channel);
    // Sealed for another certificate: a man in the middle, who shows one of his own, passes it on.
    let between = EnrolRequest::new(&code, nonce(), csr(&key), &Digest([8; 32]));
    let refused = gateway.knock("/enrol", &between.encode().unwrap()).await;
    assert_eq!(refused.0, 403);
    let (status, body) = gateway.knock("/enrol", &request.encode().unwrap()).await;
    assert_eq!(status, 200);
    let reply = EnrolReply::decode(body.as_bytes()).unwrap();
    assert!(reply.is_of(&code, &request.nonce));
    // The same bytes again, as somebody who could read the line has them: the same certificate, whose key they have not.
    let (status, body) = gateway.knock("/enrol", &request.encode().unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(EnrolReply::decode(body.as_bytes()).unwrap().certificate, reply.certificate);
    let thief = KeyPair::generate().unwrap();
    // With another key in it: under the seal that is known, and by the code itself, seen on the screen.
    let changed = EnrolRequest { csr: csr(&thief), ..request.clone() };
    let by_code = EnrolRequest::new(&code, nonce(), csr(&thief), &channel);
    // Codes that nobody has drawn, that are wrong, that a newer one or a block has voided, and that were tried too often.
    let unknown = EnrolRequest::new(&Code::of([7; 16]), nonce(), csr(&thief), &channel);
    gateway.terminal("t-2");
    let (older, newer) = (gateway.code("t-2"), gateway.code("t-2"));
    let older = EnrolRequest::new(&older, nonce(), csr(&thief), &channel);
    let wrong =
        EnrolRequest { seal: Digest([9; 32]), ..EnrolRequest::new(&newer, nonce(), csr(&thief), &channel) };
    let tried = EnrolRequest::new(&newer, nonce(), csr(&thief), &channel);
    let mut tries: Vec<(&str, EnrolRequest)> =
        vec![("changed", changed), ("used", by_code), ("unknown", unknown), ("older", older)];
    tries.extend((0..5).map(|_| ("wrong", wrong.clone())));
    tries.push(("tried too often", tried));
    for (what, request) in tries {
        let begun = Instant::now();
        assert_eq!(gateway.knock("/enrol", &request.encode().unwrap()).await, refused, "{what}");
        assert!(begun.elapsed() >= Duration::from_millis(500), "{what} is not held back");
    }
    let blocked = gateway.code("t-2");
    gateway.must(&["terminal", "block", "t-2"]);
    let request = EnrolRequest::new(&blocked, nonce(), csr(&thief), &channel);
    assert_eq!(gateway.knock("/enrol", &request.encode().unwrap()).await, refused, "blocked");

    // Renewals: by whoever has the key alone, for this office alone; again, it is the same certificate.
    let serial = serial(&reply.certificate);
    let renewal = |by: &KeyPair, terminal: &str, serial: &str, new: &KeyPair, channel: &Digest| {
        let (terminal, csr): (TerminalId, _) = (terminal.parse().unwrap(), csr(new));
        let signature = hex(&by.sign(&RenewRequest::signed(&terminal, serial, &csr, channel)).unwrap());
        RenewRequest { v: 1, terminal, serial: serial.to_owned(), csr, signature }.encode().unwrap()
    };
    let next = KeyPair::generate().unwrap();
    let good = renewal(&key, "t-1", &serial, &next, &channel);
    let (status, body) = gateway.knock("/renew", &good).await;
    assert_eq!(status, 200, "{body}");
    let renewed = RenewReply::decode(body.as_bytes()).unwrap().certificate;
    let (_, body) = gateway.knock("/renew", &good).await;
    assert_eq!(RenewReply::decode(body.as_bytes()).unwrap().certificate, renewed, "replayed");
    let refused = gateway.knock("/renew", &renewal(&thief, "t-1", &serial, &thief, &channel)).await;
    assert_eq!(refused.0, 403, "by another key");
    let mut replaced = RenewRequest::decode(&good).unwrap();
    replaced.csr = csr(&thief);
    for (what, request) in [
        ("another request under the signature", replaced.encode().unwrap()),
        ("another terminal's name", renewal(&key, "t-2", &serial, &thief, &channel)),
        ("another certificate", renewal(&key, "t-1", "40ff", &thief, &channel)),
        ("another office", renewal(&key, "t-1", &serial, &thief, &Digest([8; 32]))),
    ] {
        assert_eq!(gateway.knock("/renew", &request).await, refused, "{what}");
    }
    let certificates = "SELECT count(*) FROM certificate";
    let store = rusqlite::Connection::open(gateway.dir.path().join("meguri.db")).unwrap();
    let made: i64 = store.query_row(certificates, [], |row| row.get(0)).unwrap();
    assert_eq!(made, 2, "one by the code and one renewed");
    // Both are told, and no more of them than there were.
    let mut told = Vec::new();
    meguri_gateway::audit::entries(gateway.dir.path(), |entry, _| told.push(entry)).unwrap();
    let count =
        |what| told.iter().filter(|entry| entry.what == what && entry.about["terminal"] == "t-1").count();
    assert_eq!((count(What::TerminalEnrolled), count(What::TerminalRenewed)), (2, 2), "each with its repeat");
    let log = gateway.log();
    for secret in [&code, &newer, &blocked] {
        let text = secret.to_string();
        for text in [text.replace('-', ""), text, hex(&secret.key().0)] {
            assert!(!log.contains(&text), "a code is in the log");
        }
    }
}

/// A certificate's number, in hexadecimal digits.
fn serial(pem: &str) -> String {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let (_, read) = x509_parser::parse_x509_certificate(&der).unwrap();
    hex(read.raw_serial())
}

/// Who has no certificate of their own that holds comes to no line, whatever they call themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_others_open_no_line() {
    let gateway = Gateway::start();
    let (one, two) = (gateway.enrol("t-1").await, gateway.enrol("t-2").await);
    let own = |identity: &'_ Identity| (identity.certificate.clone(), identity.key.serialize_pem());
    let line = async |(certificate, key): (String, String), user: &str| {
        let key = KeyPair::from_pem(&key).unwrap();
        gateway.line(Some((&certificate, &key)), user).await
    };
    assert_eq!(line(own(&one), "t-1").await, Ok(0));
    // Another terminal's name, and another terminal's certificate, which is the same the other way round.
    for (identity, user) in [(&one, "t-2"), (&two, "t-1"), (&one, "office:embedded"), (&one, "")] {
        assert!(!matches!(line(own(identity), user).await, Ok(0)), "{} as {user}", identity.name);
    }
    // None at all.
    assert!(gateway.line(None, "t-1").await.is_err());
    // Of the right authority, and over; or not yet begun.
    let (authority, key, now) = (gateway.authority(), KeyPair::generate().unwrap(), Timestamp::now());
    let of = |authority: &Authority, at: Timestamp| {
        authority.terminal(&one.name, &csr(&key), [1; 16], at, 400).unwrap().pem
    };
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    for (at, why) in [
        (days(-402), "CertificateExpired"),
        (days(3), "CertificateExpired|BadCertificate|CertificateUnknown"),
    ] {
        let refused = gateway.line(Some((&of(&authority, at), &key)), "t-1").await.unwrap_err();
        assert!(why.split('|').any(|why| refused.contains(why)), "{refused}");
    }
    // Of the right authority, in its time, and nowhere in the office's books: made by a thief of the authority's key, say.
    assert!(!matches!(gateway.line(Some((&of(&authority, now), &key)), "t-1").await, Ok(0)));
    // Of another authority of the same name, and of none.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Authority::open(elsewhere.path(), &"hiroshima".parse().unwrap(), now, false).unwrap();
    let refused = gateway.line(Some((&of(&other, now), &key)), "t-1").await.unwrap_err();
    assert!(
        ["UnknownCA", "BadCertificate", "DecryptError"].iter().any(|why| refused.contains(why)),
        "{refused}"
    );
    let itself = CertificateParams::default().self_signed(&key).unwrap().pem();
    assert!(gateway.line(Some((&itself, &key)), "t-1").await.is_err());
    // The office's own, which says who the office is, and no terminal.
    let office = fs::read_to_string(gateway.dir.path().join("ca/office.pem")).unwrap();
    let office_key = fs::read_to_string(gateway.dir.path().join("ca/office.key")).unwrap();
    assert!(line((office, office_key), "t-1").await.is_err());
    // Revoked: blocked, and by a newer enrolment.
    gateway.must(&["terminal", "block", "t-1"]);
    assert!(!matches!(line(own(&one), "t-1").await, Ok(0)));
    gateway.must(&["terminal", "unblock", "t-1"]);
    assert_eq!(line(own(&one), "t-1").await, Ok(0));
    let code = gateway.code("t-1");
    let request = EnrolRequest::new(&code, nonce(), csr(&KeyPair::generate().unwrap()), &gateway.channel());
    assert_eq!(gateway.knock("/enrol", &request.encode().unwrap()).await.0, 200);
    assert!(!matches!(line(own(&one), "t-1").await, Ok(0)));
    assert_eq!(line(own(&two), "t-2").await, Ok(0), "others go on");
}

/// The first message of a handshake (RFC 5246, 7.4.1.2), by hand: no library offers what is to be refused.
fn client_hello(version: [u8; 2], suites: &[u16]) -> Vec<u8> {
    let extension = |number: u16, body: &[u8]| {
        [&number.to_be_bytes()[..], &u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    };
    let extensions = [
        extension(0x000a, &[0, 4, 0, 0x17, 0, 0x1d]),
        extension(0x000b, &[1, 0]),
        extension(0x000d, &[0, 6, 4, 3, 4, 1, 2, 1]),
        extension(0x0017, &[]),
    ]
    .concat();
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        &u16::try_from(suites.len()).unwrap().to_be_bytes(),
        &suites,
        &[1, 0],
        &u16::try_from(extensions.len()).unwrap().to_be_bytes(),
        &extensions,
    ]
    .concat();
    let length =
        |bytes: &[u8], most: usize| u32::try_from(bytes.len()).unwrap().to_be_bytes()[4 - most..].to_vec();
    let message = [&[1][..], &length(&body, 3), &body].concat();
    [&[22, 3, 1][..], &length(&message, 2), &message].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_talked_down_to_weak_tls() {
    let gateway = Gateway::start();
    const GOOD: u16 = 0xc02b; // ECDHE-ECDSA with AES-128-GCM
    let first = async |at: SocketAddr, hello: Vec<u8>| {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        let mut answer = Vec::new();
        let _ =
            tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("an answer in time");
        answer.first().copied()
    };
    for at in [gateway.web, gateway.door, gateway.mqtt] {
        assert_eq!(first(at, client_hello([3, 3], &[GOOD])).await, Some(22), "1.2 as it should be is taken");
        for (version, suites, what) in [
            ([3, 0], vec![GOOD], "SSL 3"),
            ([3, 1], vec![GOOD, 0x0005, 0x000a, 0x002f], "TLS 1.0"),
            ([3, 2], vec![GOOD, 0x002f, 0x0035], "TLS 1.1"),
            ([3, 3], vec![0x0000, 0x0001, 0x0002], "no encryption"),
            ([3, 3], vec![0x0004, 0x0005, 0xc007, 0xc011], "RC4"),
            ([3, 3], vec![0x000a, 0xc008, 0xc012], "3DES"),
            ([3, 3], vec![0x002f, 0x0035, 0x009c, 0x009d], "keys without forward secrecy"),
            ([3, 3], vec![0xc009, 0xc00a, 0xc013, 0xc023], "CBC"),
            ([3, 3], vec![0x0034, 0x006c, 0x00a6], "nobody's certificate"),
        ] {
            // An alert, or no word at all; never a hello of the server.
            assert_ne!(first(at, client_hello(version, &suites)).await, Some(22), "{what} on {at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_opens_to_nothing_else() {
    let gateway = Gateway::start();
    for path in [
        "/",
        "/signin",
        "/metrics",
        "/../ca/authority.key",
        "/enrol/../renew",
        "/%2e%2e/meguri.db",
        "//enrol",
    ] {
        let answer = gateway.ask(gateway.door, &format!("GET {path}"), b"").await;
        assert_eq!(status(&answer), 404, "{path}: {answer}");
    }
    for (head, expected) in [("GET /enrol", 405), ("DELETE /renew", 405)] {
        assert_eq!(status(&gateway.ask(gateway.door, head, b"").await), expected, "{head}");
    }
    for path in ["/enrol", "/renew"] {
        assert_eq!(gateway.knock(path, &vec![b'x'; 70_000]).await.0, 413, "{path}");
        for bad in [&b""[..], b"{}", b"null", b"\xff\xfe", b"{\"v\":1,\"secret\":\"hyacinth\"}"] {
            let (status, said) = gateway.knock(path, bad).await;
            assert_eq!(status, 400, "{path}");
            assert!(!said.contains("hyacinth"), "{said}");
        }
        // Without a length, piece by piece.
        let mut stream = connect(gateway.door, gateway.client(None)).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = format!("1000\r\n{}\r\n", "y".repeat(0x1000));
        for _ in 0..32 {
            // It may have closed already.
            if stream.write_all(piece.as_bytes()).await.is_err() {
                break;
            }
        }
        let said = answer(&mut stream).await;
        assert!(said.is_empty() || status(&said) == 413, "{said}");
    }
    // Two lengths in one request (request smuggling), here and at the pages.
    for at in [gateway.door, gateway.web] {
        for both in [
            "Content-Length: 4\r\nContent-Length: 5",
            "Transfer-Encoding: chunked, identity",
            "Content-Length: +4",
        ] {
            let mut stream = connect(at, gateway.client(None)).await.unwrap();
            let head = format!(
                "POST /enrol HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{both}\r\n\r\n0\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            assert_eq!(status(&answer(&mut stream).await), 400, "{both}");
        }
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1024 * 1024));
        let mut stream = connect(at, gateway.client(None)).await.unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        let said = answer(&mut stream).await;
        assert!(said.is_empty() || [400, 431].contains(&status(&said)), "{said}");
    }
    // It goes on.
    gateway.enrol("t-1").await;
}

/// Connections that are opened and left, before their handshake and after it, keep neither pages nor door nor line from anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_keep_nobody_out() {
    let gateway = Gateway::start();
    let served = async || {
        let page = gateway.ask(gateway.web, "GET /setup", b"").await;
        assert_eq!(status(&page), 200, "{page}");
        let (status, _) = gateway.knock("/enrol", b"{}").await;
        assert_eq!(status, 400);
    };
    let one = gateway.enrol("t-1").await;
    let own = || Some((one.certificate.as_str(), &one.key));
    for at in [gateway.web, gateway.door, gateway.mqtt] {
        let mut half = Vec::new();
        for _ in 0..HALF_OPEN {
            half.push(TcpStream::connect(at).await.unwrap());
        }
        served().await;
        assert_eq!(gateway.line(own(), "t-1").await, Ok(0), "with {HALF_OPEN} on {at}");
    }
    // With their handshake done, and half a request sent, which goes on bit by bit.
    let mut slow = Vec::new();
    for (at, begun) in [
        (gateway.web, &b"GET /setup HTTP/1.1\r\nHost: loc"[..]),
        (gateway.door, b"POST /enrol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"),
        (gateway.mqtt, &[0x10, 0x20, 0x00]),
    ] {
        for _ in 0..60 {
            let own = (at == gateway.mqtt).then(own).flatten();
            let mut stream = connect(at, gateway.client(own)).await.unwrap();
            stream.write_all(begun).await.unwrap();
            slow.push((at, stream));
        }
    }
    served().await;
    assert_eq!(gateway.line(own(), "t-1").await, Ok(0));
    // The broker lets go of who says no whole hello in its time, however often they send a bit of it.
    let begun = Instant::now();
    let (_, mut stream) = slow.pop().unwrap();
    let ended = async {
        let mut read = [0; 16];
        loop {
            tokio::select! {
                came = stream.read(&mut read) => if matches!(came, Ok(0) | Err(_)) { break },
                () = tokio::time::sleep(Duration::from_millis(500)) => if stream.write_all(&[0]).await.is_err() { break },
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("held for {:?}", begun.elapsed()));
    assert_eq!(gateway.line(own(), "t-1").await, Ok(0));
}

/// Who sends a request bit by bit, or takes an answer bit by bit, holds no place for long; who is answered something now and then
/// may stay, as a page that updates by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_hold_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let authority =
        Authority::open(dir.path(), &"hiroshima".parse().unwrap(), Timestamp::now(), false).unwrap();
    let files = authority.office(&["localhost".to_owned()], Timestamp::now()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let often = Duration::from_millis(600);
    let listener = TlsListener::over(listener, tls::server(&files).unwrap(), Life::Answered(often)).unwrap();
    let stream = move || {
        let beats = tokio_stream::StreamExt::throttle(
            tokio_stream::iter((0..20).map(|beat| Ok::<_, std::io::Error>(format!("{beat};")))),
            often / 4,
        );
        axum::body::Body::from_stream(beats)
    };
    let pages = axum::Router::new()
        .route("/", axum::routing::get(async || "short"))
        .route("/stream", axum::routing::get(async move || stream()))
        .route("/much", axum::routing::get(async || "x".repeat(64 * 1024 * 1024)));
    let serving = tokio::spawn(axum::serve(listener, pages).into_future());
    // Bit by bit, without an end.
    let mut slow = connect(at, config.clone()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").await.unwrap();
    let ended = async {
        let mut read = [0; 64];
        loop {
            tokio::select! {
                came = slow.read(&mut read) => match came { Ok(0) | Err(_) => break, Ok(_) => {} },
                () = tokio::time::sleep(often / 20) => if slow.write_all(b"x").await.is_err() { break },
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("it is ended");
    // An answer that nobody takes.
    let mut deaf = connect(at, config.clone()).await.unwrap();
    deaf.write_all(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(4 * often).await;
    let mut all = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, deaf.read_to_end(&mut all)).await.expect("it is ended");
    assert!(all.len() < 64 * 1024 * 1024, "all of it was kept for whoever takes nothing");
    // A stream of several times that long comes whole.
    let mut good = connect(at, config).await.unwrap();
    good.write_all(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(answer(&mut good).await.contains("19;"));
    serving.abort();
}
