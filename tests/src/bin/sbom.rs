//! Writes what each program is made of as CycloneDX 1.5 JSON: `sbom FOLDER`, run in the workspace.
//!
//! Which crates a program links, with its very features, is asked of `cargo tree`; their licences of `cargo metadata`;
//! their digests stand in `Cargo.lock`. What no registry knows is added: the fonts in the tablet and the SQLite that is
//! compiled in. Nothing in the files changes from one run to the next unless what they tell of does.
#![allow(clippy::print_stdout, reason = "where the files lie is this program's output")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use meguri_proto::Digest;
use serde_json::{Value, json};

/// A program, its package, and what cargo is told to build it.
const PROGRAMS: [(&str, &str, &[&str]); 4] = [
    ("meguri-gateway", "meguri-gateway", &[]),
    ("meguri-config", "meguri-config", &[]),
    ("tablet", "meguri-app", &[]),
    ("terminal", "meguri-app", &["--no-default-features"]),
];

/// The fonts in the tablet, with what `app/fonts/README.md` says of them.
const FONTS: [(&str, &str, &str); 3] = [
    ("BIZUDPGothic-Regular.ttf", "0.4.2", "OFL-1.1"),
    ("BIZUDPGothic-Bold.ttf", "0.4.2", "OFL-1.1"),
    ("VLPGothic-kanji.ttf", "20220612", "LicenseRef-VLPGothic"),
];

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("the folder to write into")?);
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--locked"])?)?;
    let packages = packages(&metadata)?;
    let digests = digests(&fs::read_to_string("Cargo.lock").context("can't read Cargo.lock")?)?;
    for (program, package, features) in PROGRAMS {
        let bom = bom(program, package, features, &packages, &digests)?;
        let path = folder.join(format!("{program}.cdx.json"));
        fs::write(&path, serde_json::to_string_pretty(&bom)? + "\n")
            .with_context(|| format!("can't write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("cargo").args(arguments).output().context("can't run cargo")?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("cargo said something that is no text")
}

/// Name and version.
type Key = (String, String);

/// What is known of a crate.
struct Package {
    licence: Option<String>,
    /// Whether it comes from the registry; the workspace's own do not.
    registry: bool,
    dependencies: BTreeSet<Key>,
}

fn packages(metadata: &Value) -> anyhow::Result<BTreeMap<Key, Package>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut keys = BTreeMap::new();
    let mut packages = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let key = (text(&package["name"]), text(&package["version"]));
        keys.insert(text(&package["id"]), key.clone());
        // Old crates write "/" where SPDX has "OR".
        let licence =
            package["license"].as_str().map(|licence| licence.replace(" / ", "/").replace('/', " OR "));
        let registry = package["source"].as_str().is_some_and(|source| source.starts_with("registry+"));
        packages.insert(key, Package { licence, registry, dependencies: BTreeSet::new() });
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let key =
            keys.get(&text(&node["id"])).context("cargo metadata names a crate that it does not tell of")?;
        let package = packages.get_mut(key).context("cargo metadata is not as expected")?;
        package.dependencies =
            list(&node["dependencies"]).iter().filter_map(|id| keys.get(&text(id)).cloned()).collect();
    }
    Ok(packages)
}

/// The SHA-256 of each crate's archive, from `Cargo.lock`.
fn digests(lock: &str) -> anyhow::Result<BTreeMap<Key, String>> {
    let lock: toml::Table = lock.parse().context("can't read Cargo.lock")?;
    let mut digests = BTreeMap::new();
    for package in lock.get("package").and_then(toml::Value::as_array).into_iter().flatten() {
        let text = |name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        if let (Some(name), Some(version), Some(digest)) = (text("name"), text("version"), text("checksum")) {
            digests.insert((name, version), digest);
        }
    }
    Ok(digests)
}

/// The crates that end up in a program on Linux, itself first.
fn linked(package: &str, features: &[&str]) -> anyhow::Result<Vec<Key>> {
    let mut arguments =
        vec!["tree", "--locked", "-p", package, "-e", "normal", "--prefix", "none", "--no-dedupe"];
    arguments.extend(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"]);
    arguments.extend(features);
    let mut linked = Vec::new();
    for line in cargo(&arguments)?.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(version)) =
            (words.next(), words.next().and_then(|word| word.strip_prefix('v')))
        else {
            bail!("cargo tree said {line:?}");
        };
        let key = (name.to_owned(), version.to_owned());
        if !linked.contains(&key) {
            linked.push(key);
        }
    }
    if linked.is_empty() {
        bail!("cargo tree found nothing for {package}");
    }
    Ok(linked)
}

fn reference((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn bom(
    program: &str,
    package: &str,
    features: &[&str],
    packages: &BTreeMap<Key, Package>,
    digests: &BTreeMap<Key, String>,
) -> anyhow::Result<Value> {
    let linked = linked(package, features)?;
    let own = &linked[0];
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    for key in &linked {
        let found = packages.get(key).with_context(|| format!("cargo metadata does not tell of {key:?}"))?;
        let mut on: Vec<String> =
            found.dependencies.iter().filter(|on| linked.contains(on)).map(reference).collect();
        if key.0 == "libsqlite3-sys" {
            on.push(sqlite()["bom-ref"].as_str().unwrap_or_default().to_owned());
        }
        if key == own && program == "tablet" {
            on.extend(FONTS.iter().map(|(name, ..)| format!("font:{name}")));
        }
        dependencies.push(json!({ "ref": reference(key), "dependsOn": on }));
        if key == own {
            continue;
        }
        let mut component = json!({
            "type": "library", "bom-ref": reference(key), "name": key.0, "version": key.1, "purl": reference(key),
        });
        let licence = found.licence.as_ref().with_context(|| format!("{key:?} names no licence"))?;
        component["licenses"] = json!([{ "expression": licence }]);
        match digests.get(key) {
            Some(digest) => component["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]),
            None if found.registry => bail!("Cargo.lock has no digest of {key:?}"),
            None => {}
        }
        components.push(component);
        if key.0 == "libsqlite3-sys" {
            components.push(sqlite());
        }
    }
    if program == "tablet" {
        for (name, version, licence) in FONTS {
            components.push(font(name, version, licence)?);
        }
    }
    components.sort_by_key(|component| component["bom-ref"].as_str().unwrap_or_default().to_owned());
    dependencies.sort_by_key(|one| one["ref"].as_str().unwrap_or_default().to_owned());
    let licence = packages.get(own).and_then(|own| own.licence.clone()).unwrap_or_default();
    let mut bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": reference(own), "name": program, "version": own.1,
                "licenses": [{ "expression": licence }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    // A number of what is in it: the same for the same contents.
    let mut serial = [0; 16];
    serial.copy_from_slice(&Digest::of(bom.to_string().as_bytes()).0[..16]);
    bom["serialNumber"] = format!("urn:uuid:{}", uuid::Builder::from_custom_bytes(serial).into_uuid()).into();
    Ok(bom)
}

/// The SQLite that `libsqlite3-sys` compiles in.
fn sqlite() -> Value {
    let version = rusqlite::version();
    let purl = format!("pkg:generic/sqlite@{version}");
    json!({
        "type": "library", "bom-ref": purl, "name": "SQLite", "version": version, "purl": purl,
        "licenses": [{ "license": { "id": "blessing" } }],
    })
}

fn font(name: &str, version: &str, licence: &str) -> anyhow::Result<Value> {
    let path = Path::new("app/fonts").join(name);
    let bytes = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    let digest = Digest::of(&bytes).0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let licence = if licence.starts_with("LicenseRef-") {
        json!({ "license": { "name": licence, "text": { "content": fs::read_to_string("app/fonts/VLPGothic-LICENCES.txt")? } } })
    } else {
        json!({ "license": { "id": licence } })
    };
    Ok(json!({
        "type": "file", "bom-ref": format!("font:{name}"), "name": name, "version": version,
        "hashes": [{ "alg": "SHA-256", "content": digest }], "licenses": [licence],
    }))
}
