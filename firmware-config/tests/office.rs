//! `push` and `status` against an office's door over TLS, which stands in this test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What came in: the first line and the headers in small letters, and the body.
struct Asked {
    head: String,
    body: Vec<u8>,
}

/// An office that gives one answer to everybody.
struct Office {
    address: String,
    asked: Receiver<Asked>,
}

impl Office {
    fn start(authority: &Path, status: &'static str, answer: &'static str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(authority, cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let chain = vec![CertificateDer::from(cert)];
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("localhost:0").unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (told, asked) = channel();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let line = ServerConnection::new(Arc::clone(&config)).unwrap();
                // Who does not believe the certificate hangs up.
                let _ = serve(StreamOwned::new(line, stream.unwrap()), status, answer)
                    .map(|asked| told.send(asked).unwrap());
            }
        });
        Self { address, asked }
    }
}

fn serve<S: std::io::Read + std::io::Write>(
    mut stream: S,
    status: &str,
    answer: &str,
) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(&mut stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body)?;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())?;
    stream.flush()?;
    Ok(Asked { head, body })
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_meguri-config"));
    program.current_dir(folder).args(args).stdin(Stdio::null()).output().unwrap()
}

fn told(said: &Output, status: i32) -> String {
    let text = [&said.stdout[..], &said.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(said.status.code(), Some(status), "{text}");
    text
}

/// A folder with a release that is signed, one that is not, and a token.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pass"), "correct horse battery staple").unwrap();
    fs::write(folder.path().join("token"), "meguri_abc\n").unwrap();
    let keys = "keys init plan --root 部長 --config 係長 --root-threshold 1 --config-threshold 1 --out . --passphrase-file pass";
    let build = "build plan --version 7 --expires 2999-01-01 -o signed";
    let sign = "sign signed --key 係長.key --passphrase-file pass";
    for line in ["init plan", keys, build, "build plan --version 7 --expires 2999-01-01 -o unsigned", sign] {
        told(&run(folder.path(), &line.split(' ').collect::<Vec<_>>()), 0);
    }
    folder
}

#[test]
fn a_release_is_pushed_and_its_status_asked() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let office = Office::start(&at("office.pem"), "200 OK", r#"{"version":7,"state":"draft"}"#);
    let to = ["--to", &office.address, "--token-file", "token", "--authority", "office.pem"];

    let said = told(&run(folder.path(), &[&["push", "signed"], &to[..]].concat()), 0);
    assert!(said.contains("has taken version 7") && said.contains("state: draft"), "{said}");
    let asked = office.asked.recv().unwrap();
    assert!(asked.head.starts_with("post /api/releases http/1.1\r\n"), "{}", asked.head);
    assert!(asked.head.contains("\r\nauthorization: bearer meguri_abc\r\n"), "{}", asked.head);
    assert_eq!(asked.body, fs::read(at("signed")).unwrap());

    let said = run(folder.path(), &[&["status", "--json"], &to[..]].concat());
    let status: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((said.status.code(), &status["version"]), (Some(0), &7.into()));
    assert!(office.asked.recv().unwrap().head.starts_with("get /api/configurations http/1.1\r\n"));

    let answer = r#"{"at":"2027-03-01T00:00:00Z","terminals":[{"terminal":"t-0001","contract":"k1","vehicle":"v-3","offered":7,
        "held":6,"state":"refused","why":"expired","since":"2027-03-01T00:00:00Z","last_heard":null}]}"#;
    let full = Office::start(&at("full.pem"), "200 OK", answer);
    let said = told(
        &run(
            folder.path(),
            &["status", "--to", &full.address, "--token-file", "token", "--authority", "full.pem"],
        ),
        0,
    );
    let line = "t-0001  版 6 (配布 7)  refused (expired) 2027-03-01 09:00  k1 v-3  最終通信 –";
    assert!(said.contains(line), "{said}");

    // What the office says drives no screen, and begins no line of its own.
    let hostile = r#"{"by":"\u001b]0;x\u0007","terminals":[{"terminal":"t-1\nt-2\u202e","state":"\u009b2J"}],"a\nb":["\u001b"]}"#;
    let hostile_office = Office::start(&at("hostile.pem"), "200 OK", hostile);
    let ask =
        ["status", "--to", &hostile_office.address, "--token-file", "token", "--authority", "hostile.pem"];
    let said = told(&run(folder.path(), &ask), 0);
    assert!(said.chars().all(|c| c == '\n' || meguri_config::is_plain(c)), "{said:?}");
    assert_eq!(said.lines().count(), 4, "{said}");
    let said = told(&run(folder.path(), &[&ask[..], &["--json"]].concat()), 0);
    assert!(said.chars().all(|c| c == '\n' || meguri_config::is_plain(c)), "{said:?}");
    let (read, sent): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&said).unwrap(), serde_json::from_str(hostile).unwrap());
    assert_eq!(read, sent, "a program reads what was sent");

    // What no terminal takes is not sent, nor is anything to somebody else, nor over a line that is not encrypted.
    let said = told(&run(folder.path(), &[&["push", "unsigned"], &to[..]].concat()), 1);
    assert!(said.contains("unsigned, line 3: 0 of the 1 signatures"), "{said}");
    let other = Office::start(&at("other.pem"), "200 OK", "{}");
    let wrong =
        ["push", "signed", "--to", &other.address, "--token-file", "token", "--authority", "office.pem"];
    assert!(told(&run(folder.path(), &wrong), 1).contains("can't be reached"));
    for address in ["http://localhost:1", "localhost", "https://localhost/elsewhere"] {
        told(&run(folder.path(), &["push", "signed", "--to", address, "--token-file", "token"]), 2);
    }
    fs::write(at("empty"), "\n").unwrap();
    told(&run(folder.path(), &["status", "--to", &office.address, "--token-file", "empty"]), 1);
    assert!(office.asked.try_recv().is_err() && other.asked.try_recv().is_err());
}

#[test]
fn a_refusal_is_told() {
    let folder = folder();
    let office = Office::start(
        &folder.path().join("office.pem"),
        "422 Unprocessable Content",
        r#"{"error":"line 3: too few"}"#,
    );
    let to = ["--to", &office.address, "--token-file", "token", "--authority", "office.pem"];
    let said = told(&run(folder.path(), &[&["push", "signed"], &to[..]].concat()), 1);
    assert!(said.contains("(status 422): line 3: too few"), "{said}");
    assert!(!said.contains("meguri_abc"), "the token is a secret");

    // That all is fine is not believed of whoever does not say of what.
    for answer in ["", "<html>please sign in</html>", "{}", "[7]", r#"{"version":8}"#, r#"{"version":"7"}"#] {
        let other = Office::start(&folder.path().join("other.pem"), "200 OK", answer);
        let to = ["--to", &other.address, "--token-file", "token", "--authority", "other.pem"];
        let said = told(&run(folder.path(), &[&["push", "signed"], &to[..]].concat()), 1);
        assert!(!said.contains("has taken version 7 "), "{answer}: {said}");
        assert!(other.asked.recv().unwrap().head.starts_with("post "));
    }
}
