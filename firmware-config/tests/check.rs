//! The command line: what it says, and its exit status.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn check(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meguri-config")).arg("check").args(args).output().unwrap()
}

#[test]
fn names_every_fault_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (bad, missing) = (file("bad.toml", "version = \"one\"\n"), folder.path().join("none.toml"));
    let said = check(&["terminal", &bad, missing.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(1));
    let errors = String::from_utf8(said.stderr).unwrap();
    assert!(errors.contains("bad.toml") && errors.contains("none.toml"), "{errors}");
    assert_eq!(check(&["terminal"]).status.code(), Some(2));
    assert_eq!(check(&["city", &bad]).status.code(), Some(1));
}
