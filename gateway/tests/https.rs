//! The built program with TLS: pages over HTTPS for who names it rightly, by a certificate of its own authority, and nothing
//! without TLS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CITY: &str = include_str!("city.toml");

/// A gateway that is killed when the test ends, however it ends.
struct Gateway {
    child: Child,
    address: SocketAddr,
    ready: Value,
}

impl Gateway {
    fn start(dir: &Path) -> Self {
        std::fs::write(dir.join("city.toml"), CITY).unwrap();
        let settings = dir.join("gateway.toml");
        let text = "[web]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n\
            [tls]\nnames = [\"office.example\"]\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(&settings, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_meguri-gateway"))
            .arg("--config")
            .arg(&settings)
            .arg("--data")
            .arg(dir)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("a line of JSON");
        let web = ready["web"].as_str().unwrap();
        let port = web.strip_prefix("https://office.example:").expect("by its name").parse().unwrap();
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), ready }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that believes this authority alone.
fn believing(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What is answered to a request for a page, heads and all.
async fn get(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &'static str,
    host: &str,
) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name).unwrap();
    let mut stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
    let request = format!("GET /setup HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // A server that closes without a word of TLS has said what it had to say.
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn pages_are_served_over_tls_alone() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let config = believing(&dir.path().join("ca/authority.pem"));
    let page = get(gateway.address, &config, "office.example", "office.example").await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<form"), "{page}");
    let lower = page.to_ascii_lowercase();
    assert!(lower.contains("strict-transport-security: max-age="), "{page}");
    assert!(lower.contains("set-cookie: __host-meguri-form=") && lower.contains("; secure"), "{page}");
    let other = get(gateway.address, &config, "office.example", "elsewhere.example").await.unwrap();
    assert!(other.starts_with("HTTP/1.1 421"), "{other}");
    assert!(get(gateway.address, &config, "other.example", "office.example").await.is_err(), "not its name");
    let stranger = tempfile::tempdir().unwrap();
    let city = "hiroshima".parse().unwrap();
    meguri_gateway::ca::Authority::open(stranger.path(), &city, jiff::Timestamp::now(), false).unwrap();
    let believes_another = believing(&meguri_gateway::ca::authority_file(stranger.path()));
    assert!(get(gateway.address, &believes_another, "office.example", "office.example").await.is_err());

    // Without TLS nothing is said, on either port.
    let door = gateway.ready["enrol"].as_str().unwrap();
    let door: u16 = door.strip_prefix("https://office.example:").unwrap().parse().unwrap();
    for address in [gateway.address, SocketAddr::from(([127, 0, 0, 1], door))] {
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\nHost: office.example\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
}
