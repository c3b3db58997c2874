//! From the city's plan to a terminal, with the programs alone: `meguri-config` builds, signs and pushes over TLS, two people approve,
//! a real terminal takes it over and says so.

use std::fs;
use std::process::Command;

use meguri_tests::harness::eventually;
use meguri_tests::harness::process::program;
use meguri_tests::harness::scene::{Broker, Scene};
use serde_json::Value;

/// Runs `meguri-config` in the scene's folder.
fn config(scene: &Scene, status: i32, line: &str) -> Value {
    let mut command = Command::new(program("meguri-config").unwrap());
    let said = command.current_dir(scene.dir()).args(line.split(' ')).arg("--json").output().unwrap();
    let told = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(status), "{line}: {told}");
    serde_json::from_slice(&said.stdout).unwrap()
}

#[test]
fn a_release_goes_from_the_plan_to_the_terminal() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 4).unwrap();
    scene.start_terminals().unwrap();
    let dir = scene.dir();
    fs::create_dir(dir.join("plan")).unwrap();
    fs::copy(scene.office.data().join("city.toml"), dir.join("plan/city.toml")).unwrap();
    let (port, door) = (scene.broker().port(), scene.office.door().unwrap().to_owned());
    let terminals = format!(
        "[template.standard]\nbroker = {{ host = \"127.0.0.1\", port = {port}, office = \"{door}\" }}\n\
         screen = {{ theme = \"night\" }}\n\
         [[terminal]]\nid = \"t-1\"\nvehicle = \"v01\"\ntemplate = \"standard\"\n"
    );
    fs::write(dir.join("plan/terminals.toml"), terminals).unwrap();
    fs::write(dir.join("pass"), "correct horse battery staple\n").unwrap();
    config(
        &scene,
        0,
        "keys init plan --root a --root b --config c --config d --expires 2999-01-01 --out . --passphrase-file pass",
    );
    config(&scene, 0, "build plan --version 1 --now 2026-04-01 --expires 2999-01-01 -o one.release");

    let token =
        scene.office.must(&["token", "add", "config", "--scope", "configurations", "--json"]).unwrap();
    let token: Value = serde_json::from_str(&token).unwrap();
    fs::write(dir.join("token"), token["token"].as_str().unwrap()).unwrap();
    let page = scene.office.page().unwrap().trim_end_matches('/').to_owned();
    let to = format!("--to {page} --token-file token --authority data/ca/authority.pem");
    // One signature is not sent; two are.
    config(&scene, 0, "sign one.release --key c.key --passphrase-file pass");
    config(&scene, 1, &format!("push one.release {to}"));
    config(&scene, 0, "sign one.release --key d.key --passphrase-file pass");
    assert_eq!(config(&scene, 0, &format!("push one.release {to}"))["version"], 1);
    let status = || config(&scene, 0, &format!("status {to}"));
    assert_eq!(status()["terminals"][0]["offered"], Value::Null, "people decide");

    for login in ["kian", "kacho"] {
        scene.office.must(&["person", "add", login, "--role", "administrator"]).unwrap();
    }
    for (done, more, who) in [
        ("draft", "--version", "kian"),
        ("check", "", "kian"),
        ("approve", "", "kacho"),
        ("push", "", "kian"),
    ] {
        let args = ["switchover", done, more, "1", "--as", who];
        let args: Vec<_> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
        scene.office.must(&args).unwrap();
    }
    let healthy = eventually("the terminal has taken the configuration over and is well", || {
        let terminal = status()["terminals"][0].clone();
        (terminal["state"] == "healthy").then_some(terminal)
    });
    assert_eq!((&healthy["held"], &healthy["terminal"]), (&1.into(), &"t-1".into()), "{healthy}");
}
