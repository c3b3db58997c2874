//! A real identity provider for tests: oidc-provider, run by node as `tests/openid/provider.mjs`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What its clients and it alone know.
pub(crate) const SECRET: &str = "a secret that only the two of them know";

/// A real provider, ended with the test.
pub(crate) struct RealProvider {
    /// The process.
    pub(crate) child: Child,
    /// How it names itself.
    pub(crate) issuer: String,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request over plain HTTP; head and body of the answer.
pub(crate) async fn plain(
    address: &str,
    method: &str,
    path: &str,
    cookies: &BTreeMap<String, String>,
    body: &str,
) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        cookies.join("; "),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

impl RealProvider {
    /// Starts one that leads back there.
    pub(crate) fn start(back: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/openid");
        assert!(
            folder.join("node_modules/oidc-provider").exists(),
            "the provider is not installed: run `make openid` first"
        );
        let mut child = Command::new("node")
            .args(["provider.mjs", back, SECRET])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("a line of JSON");
        Self { child, issuer: told["issuer"].as_str().unwrap().to_owned() }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.issuer.strip_prefix("http://").unwrap()
    }

    /// Tells it something about the test.
    pub(crate) async fn tell(&self, told: Value) {
        let answer = plain(self.address(), "POST", "/test", &BTreeMap::new(), &told.to_string()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Has somebody sit at every browser.
    pub(crate) async fn sits_there(&self, sub: &str, groups: &[&str], amr: &[&str]) {
        self.tell(json!({ "user": { "sub": sub, "name": "連携 花子", "groups": groups, "amr": amr } })).await;
    }
}
