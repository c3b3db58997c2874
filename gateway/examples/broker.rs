//! The embedded broker alone, without an office behind it: what `make bench` measures the office against.
//!
//! Reads lines `NAME SECRET` of who may come in from standard input, up to an empty one, and prints where it listens
//! and how a subscriber of everything logs in as one line of JSON. Ends with its standard input.
#![allow(clippy::print_stdout, reason = "it tells its caller where it listens")]

use anyhow::Context;
use meguri_gateway::broker::{Credential, Embedded};
use meguri_proto::Digest;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut credentials = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line?;
        let Some((name, secret)) = line.split_once(' ') else { break };
        let secret_sha256 = Digest::of(secret.as_bytes()).0;
        credentials.push(Credential {
            terminal: name.parse()?,
            secret_sha256,
            certificates: Vec::new(),
            blocked: false,
        });
    }
    let broker =
        Embedded::start("hiroshima".parse()?, ([127, 0, 0, 1], 0).into(), "of-the-bench".to_owned(), None)
            .await?;
    broker.admit(credentials).await;
    let login = broker.login();
    println!(
        "{}",
        serde_json::json!({ "mqtt": broker.address(), "user": login.user, "password": login.password })
    );
    let (to, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = to.send(());
    });
    ended.await.context("its input can't be watched")?;
    Ok(())
}
