//! Ed25519 by published vectors, in the library and through `meguri-config verify --raw`.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use meguri_config::ed25519::{PrivateKey, PublicKey};

const RFC8032: &str = include_str!("ed25519/rfc8032.txt");
const SPECCHECK: &str = include_str!("ed25519/speccheck.txt");

fn lines(text: &str) -> Vec<[String; 4]> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words = line.split(' ').map(|word| if word == "-" { String::new() } else { word.to_owned() });
            words.collect::<Vec<_>>().try_into().unwrap()
        })
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn verifies(key: &str, message: &str, signature: &str) -> bool {
    PublicKey(bytes(key).try_into().unwrap()).verifies(&bytes(message), &bytes(signature))
}

/// The program's exit status.
fn raw(key: &str, message: &str, signature: &str) -> i32 {
    let mut program = Command::new(env!("CARGO_BIN_EXE_meguri-config"));
    let said = program.args(["verify", "--raw", key, message, signature]).output().unwrap();
    said.status.code().unwrap()
}

#[test]
fn the_rfcs_vectors_are_signed_and_accepted() {
    let vectors = lines(RFC8032);
    assert_eq!(vectors.len(), 5);
    for [private, public, message, signature] in &vectors {
        let key = PrivateKey::of_seed(&bytes(private).try_into().unwrap());
        assert_eq!(key.public().to_string(), *public);
        assert_eq!(key.sign(&bytes(message)).to_vec(), bytes(signature));
        assert!(verifies(public, message, signature));
        assert_eq!(raw(public, message, signature), 0);
        assert_eq!(raw(&public.to_uppercase(), message, signature), 0, "in either case");
        // Another message, and another signature.
        assert_eq!(raw(public, &format!("{message}00"), signature), 1);
        assert_eq!(raw(public, message, &signature.replacen(|c| c != '0', "0", 1)), 1);
    }
}

#[test]
fn edge_cases_are_judged_strictly() {
    let cases = lines(SPECCHECK);
    assert_eq!(cases.len(), 12);
    for (index, [said, key, message, signature]) in cases.iter().enumerate() {
        let accepted = said == "accepted";
        assert_eq!(accepted, index == 3, "the table's only case that a strict verifier accepts");
        assert_eq!(verifies(key, message, signature), accepted, "case {index}");
        assert_eq!(raw(key, message, signature), i32::from(!accepted), "case {index}");
    }
}

#[test]
fn what_is_no_key_or_signature_is_refused_and_what_is_no_hex_is_misuse() {
    let [_, key, message, signature] = &lines(RFC8032)[1];
    for (key, message, signature, status) in [
        (&key[2..], message.as_str(), signature.as_str(), 1),
        ("", message, signature, 1),
        (key, message, &signature[2..], 1),
        (key, message, &format!("{signature}00"), 1),
        (key, message, "", 1),
        (&key[1..], message, signature, 2),
        (key, "7", signature, 2),
        (key, "zz", signature, 2),
        (key, message, "鍵", 2),
    ] {
        assert_eq!(raw(key, message, signature), status, "{key} {message} {signature}");
    }
    let two =
        Command::new(env!("CARGO_BIN_EXE_meguri-config")).args(["verify", "--raw", key, message]).output();
    assert_eq!(two.unwrap().status.code(), Some(2));
}
