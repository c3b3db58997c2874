//! Every attack on a configuration, as a folder in `attacks/`: what the terminal holds, what it gets, and why it refuses.
//!
//! `MEGURI_BLESS=1 cargo test -p meguri-config --test attacks` writes the folders anew.
#![allow(clippy::unwrap_used)]

#[path = "attacks/list.rs"]
mod list;
#[path = "attacks/make.rs"]
mod make;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use meguri_config::bundle::{BUNDLE_BYTES, Whose};
use meguri_config::keys::KeyChain;
use meguri_config::{Bundle, KeySet, Refused};
use meguri_proto::{CityId, ConfigWhy, TerminalId};
use proptest::prelude::*;
use serde::Deserialize;

/// What a terminal is, and what it must say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The attack in a sentence.
    #[allow(dead_code, reason = "for people")]
    what: String,
    city: CityId,
    terminal: TerminalId,
    /// The highest version that it ever accepted.
    held: u64,
    /// The version of the key set that it holds already; 0 for none.
    trusted: usize,
    now: Timestamp,
    /// Why it refuses; absent where it accepts.
    why: Option<ConfigWhy>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks")
}

/// As a terminal judges: first the key sets that follow those it holds, then the bundle.
fn judge(case: &Case, chain: &str, bundle: &[u8]) -> Result<Bundle, Refused> {
    let chain: KeyChain = serde_json::from_str(chain).unwrap();
    let sets = || chain.sets.iter().map(|set| set.get().as_bytes());
    let trusted = KeySet::follow(None, sets().take(case.trusted), &case.city).unwrap();
    let keys = KeySet::follow(trusted.as_ref(), sets(), &case.city)?;
    let whose = Whose { city: &case.city, terminal: &case.terminal, version: case.held };
    Bundle::accept(bundle, keys.as_ref(), whose, case.now)
}

fn read(name: &str) -> (Case, String, Vec<u8>) {
    let file = |file: &str| folder().join(name).join(file);
    let case = toml::from_str(&fs::read_to_string(file("case.toml")).unwrap()).unwrap();
    let chain = fs::read_to_string(file("keys.json")).unwrap();
    // Ten megabytes are not kept.
    let bundle = fs::read(file("bundle.json")).unwrap_or_else(|_| vec![b'['; 10 * 1024 * 1024]);
    (case, chain, bundle)
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn every_attack_is_refused_with_its_reason() {
    let names = names();
    assert!(names.len() >= 40, "{} attacks", names.len());
    for name in names {
        let (case, chain, bundle) = read(&name);
        let judged = judge(&case, &chain, &bundle);
        assert_eq!(judged.as_ref().err().map(|refused| refused.why), case.why, "{name}: {judged:?}");
    }
}

#[test]
fn the_folders_are_what_is_made() {
    let bless = std::env::var_os("MEGURI_BLESS").is_some();
    let made = list::all();
    let names: Vec<_> = made.iter().map(|attack| attack.name).collect();
    for attack in &made {
        let path = folder().join(attack.name);
        for (file, content) in attack.files() {
            let path = path.join(file);
            if bless {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &content).unwrap();
            }
            let found = fs::read(&path).unwrap_or_default();
            assert!(found == content, "{} is not what is made; MEGURI_BLESS=1 writes it", path.display());
        }
    }
    for name in self::names() {
        assert!(names.contains(&name.as_str()), "nobody makes {name}");
    }
}

#[test]
fn a_bundle_at_the_limit_is_read_and_one_byte_more_is_not() {
    let (case, chain, mut bundle) = read("good");
    bundle.resize(BUNDLE_BYTES, b' ');
    assert!(judge(&case, &chain, &bundle).is_ok());
    bundle.push(b' ');
    assert_eq!(judge(&case, &chain, &bundle).unwrap_err().why, ConfigWhy::TooLarge);
}

#[test]
fn no_byte_of_an_envelope_can_be_changed() {
    let (case, chain, bundle) = read("good");
    for index in 0..bundle.len() {
        // One bit after the other, and the one that makes a capital of a letter.
        for bit in [1 << (index % 8), 0x20] {
            let mut changed = bundle.clone();
            changed[index] ^= bit;
            let judged = judge(&case, &chain, &changed);
            assert!(judged.is_err(), "{bit:#x} of byte {index}: {:?}", String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn no_piece_of_an_envelope_is_enough() {
    let (case, chain, bundle) = read("good");
    for length in 0..bundle.len() {
        assert!(judge(&case, &chain, &bundle[..length]).is_err(), "{length} bytes");
        assert!(judge(&case, &chain, &bundle[bundle.len() - length..]).is_err(), "last {length} bytes");
    }
}

proptest! {
    /// Whatever comes is refused and breaks nothing.
    #[test]
    fn anything_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let (case, chain, _) = read("good");
        prop_assert!(judge(&case, &chain, &bytes).is_err());
    }

    /// Pieces of the good one, put together in any other way.
    #[test]
    fn a_spliced_one_is_refused(at in 0..2048usize, from in 0..2048usize, length in 1..512usize) {
        let (case, chain, bundle) = read("good");
        let (at, from) = (at % bundle.len(), from % bundle.len());
        let piece = &bundle[from..(from + length).min(bundle.len())];
        let spliced: Vec<u8> = [&bundle[..at], piece, &bundle[at..]].concat();
        prop_assert!(judge(&case, &chain, &spliced).is_err());
    }
}
