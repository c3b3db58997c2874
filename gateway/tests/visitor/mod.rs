//! Somebody who is signed in at a gateway that runs as a process.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by tests, each of which uses a part"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// A password that tests' people have.
pub(crate) const PASSWORD: &str = "kumo-to-yama-to-kawa";

/// Makes a person of this role, who is called like it.
pub(crate) fn add(gateway: &mut Command, folder: &Path, role: &str) {
    let file = folder.join("password-of-tests");
    std::fs::write(&file, PASSWORD).unwrap();
    let added =
        gateway.args(["person", "add", role, "--role", role, "--password-file"]).arg(&file).output().unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}

/// Status, cookie that is set, and body.
pub(crate) fn ask(page: &str, method: &str, path: &str, cookie: &str, form: &str) -> (u16, String, String) {
    let host = page.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let length = form.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookie}\r\n{kind}\r\n\
         Content-Length: {length}\r\n\r\n{form}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: meguri")).unwrap_or_default();
    let cookie = format!("meguri{}", set.split(';').next().unwrap());
    (head.split(' ').nth(1).unwrap().parse().unwrap(), cookie, body.to_owned())
}

/// Signs in; the session's cookie.
pub(crate) fn sign_in(page: &str, login: &str) -> String {
    let (_, cookie, html) = ask(page, "GET", "/signin", "", "");
    let form = html.split_once("name=\"form\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = format!("form={form}&login={login}&password={PASSWORD}");
    let (status, session, _) = ask(page, "POST", "/signin", &cookie, &fields);
    assert_eq!(status, 303, "{login} can't sign in");
    session
}
