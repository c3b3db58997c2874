//! `meguri-config sign`: adds signatures to a release or a key set, in place.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use meguri_config::bundle::{BUNDLE_BYTES, BUNDLE_TYPE, Connection};
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PublicKey;
use meguri_config::fleet::CITY_FILE;
use meguri_config::keys::{KEYS_BYTES, KEYS_TYPE};
use meguri_config::plan::{self, Schedules};
use meguri_config::{Bundle, City, Configuration, KeySet, Release, ReleaseWriter};
use meguri_proto::Digest;
use serde_json::value::RawValue;

use super::fault::{Fault, at};
use super::files::RELEASE_BYTES;
use super::folder::KeyFolder;
use super::progress::Progress;
use super::signer::{SignWith, Signer};
use super::{files, instant, keys, out, verify};

#[derive(Args)]
pub(super) struct Sign {
    /// The release, or a key set that waits for signatures (keys/NNNN.json).
    file: PathBuf,
    #[command(flatten)]
    with: SignWith,
}

pub(super) fn run(args: &Sign, json: bool) -> Result<ExitCode, Fault> {
    if args.with.is_nobody() {
        return Err(Fault::misuse("nobody is to sign: give --key or --signer"));
    }
    if is_key_set(&args.file) { key_set(args, json) } else { release(args, json) }
}

/// A release begins with its header; a key set's file is one envelope.
fn is_key_set(path: &Path) -> bool {
    let envelope =
        files::read(path, KEYS_BYTES).ok().and_then(|bytes| Envelope::read(&bytes, KEYS_BYTES).ok());
    envelope.is_some_and(|envelope| envelope.unverified(KEYS_TYPE).is_ok())
}

fn key_set(args: &Sign, json: bool) -> Result<ExitCode, Fault> {
    // keys/NNNN.json lies below the folder of the plan, which says whose keys they are.
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let city = City::read(&folder.join("..").join(CITY_FILE)).map_err(|error| {
        Fault::from(error).within("a key set is signed where it lies, in keys/ of the city's plan")
    })?;
    // Read before the folder is: what has another file by the end has it here, too.
    let read = files::read(&args.file, KEYS_BYTES)?;
    let Some((mut waiting, before)) = KeyFolder::read(folder, &city.id)?.signable(&args.file)? else {
        let problem = "is neither the last key set nor waits for signatures: it is signed no more";
        return Err(Fault::refused(format!("{} {problem}", args.file.display())));
    };
    let before = before.as_ref();
    let fingerprint = KeySet::fingerprint(waiting.envelope.to_json().as_bytes())?;
    keys::lines(&waiting.set, &fingerprint).iter().for_each(out::note);
    keys::changes(before, &waiting.set).iter().for_each(out::note);
    let may = |key: &PublicKey| match waiting.may_sign(before, key) {
        true => Ok(()),
        false => Err(Fault::refused("this key is no root key of this set or the one before")),
    };
    let to_sign = waiting.envelope.to_sign(KEYS_TYPE)?;
    for mut signer in args.with.open(may)? {
        waiting.envelope.add(&signer.public(), &signer.sign(&to_sign)?);
    }
    waiting.still_read()?;
    let text = format!("{}\n", waiting.envelope.to_json());
    files::replace(&waiting.path, files::OPEN, |output| {
        output.write_all(text.as_bytes()).map_err(at("write", &waiting.path))?;
        unchanged(&waiting.path, KEYS_BYTES, &read)
    })?;
    keys::report(&waiting, before, &[], json)?;
    Ok(ExitCode::SUCCESS)
}

fn release(args: &Sign, json: bool) -> Result<ExitCode, Fault> {
    let path = &args.file;
    // Read once, so that what was shown is what is signed, however long somebody looks for a passphrase meanwhile.
    let read = files::read(path, RELEASE_BYTES)?;
    let mut release = Release::read(path, read.as_slice())?;
    let keys = release.keys.last(None, &release.header.city)?;
    if release.header.expires <= Timestamp::now() {
        let over = instant::shown(release.header.expires);
        return Err(Fault::refused(format!(
            "terminals take this release no more since {over}: build it anew"
        )));
    }
    if keys.expires <= Timestamp::now() {
        let over = instant::shown(keys.expires);
        return Err(Fault::refused(format!("the release's key set {} is over since {over}", keys.version)));
    }
    look_at(Release::read(path, read.as_slice())?, path, &keys)?;
    let config = keys.of(&keys.config);
    let may = |key: &PublicKey| match config.contains(key) {
        true => Ok(()),
        false => Err(Fault::refused(format!("this key signs no configurations by key set {}", keys.version))),
    };
    let mut signers = args.with.open(may)?;
    let header = release.header.clone();
    let mut fewest = usize::MAX;
    files::replace(path, files::OPEN, |output| {
        let mut writer = ReleaseWriter::new(path, output, &header, &release.keys)?;
        let mut progress = Progress::new("signing", header.terminals);
        while let Some(envelope) = release.next() {
            let (envelope, count) = signed(envelope?.get(), &mut signers, &config)
                .map_err(|fault| fault.within(format!("{}, line {}", path.display(), release.line())))?;
            fewest = fewest.min(count);
            writer.bundle(envelope)?;
            progress.step();
        }
        writer.finish()?;
        unchanged(path, RELEASE_BYTES, &read)
    })?;
    let (terminals, threshold) = (header.terminals, keys.config.threshold);
    if json {
        out::json(
            &serde_json::json!({ "file": path, "terminals": terminals, "signatures": fewest, "threshold": threshold }),
        );
    } else {
        let (file, of) = (path.display(), header.version);
        out::say(format!(
            "signed {file}: version {of} for {terminals} terminals has {fewest} of {threshold} signatures"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Somebody else's signatures, or another file, are not written over: a passphrase takes minutes.
fn unchanged(path: &Path, most: usize, read: &[u8]) -> Result<(), Fault> {
    if files::read(path, most)? == read {
        return Ok(());
    }
    Err(Fault::refused(format!("{} was changed meanwhile, and is left so: sign anew", path.display())))
}

/// Nobody signs what says otherwise than its header, nor without having seen what it does.
fn look_at(mut release: Release<&[u8]>, path: &Path, keys: &KeySet) -> Result<(), Fault> {
    let (mut schedules, mut switchover_at) = (Schedules::new(), None);
    while let Some(envelope) = release.next() {
        let place = format!("{}, line {}", path.display(), release.line());
        let bundle = Bundle::unverified(envelope?.get().as_bytes());
        let bundle = bundle.and_then(|bundle| release.header.agrees(&bundle).map(|()| bundle));
        let bundle = bundle.map_err(|refused| Fault::from(refused).within(&place))?;
        switchover_at = switchover_at.into_iter().chain(plan::switchover_at(&bundle.schedule)).min();
        if schedules.insert(bundle.terminal.clone(), bundle.schedule).is_some() {
            return Err(Fault::refused(format!("{place}: terminal {} is there twice", bundle.terminal)));
        }
    }
    let header = &release.header;
    if let Some(wrong) = verify::otherwise(header, switchover_at) {
        return Err(Fault::refused(format!("{}, line 1: {wrong}", path.display())));
    }
    out::note(format!(
        "{} 「{}」 第{}版 / version {}",
        header.city, header.name, header.version, header.version
    ));
    out::note(format!(
        "端末 {} 台、受取期限 {} / {} terminals, accepted until then",
        header.terminals,
        instant::shown(header.expires),
        header.terminals
    ));
    out::note(format!(
        "鍵一覧 {}、署名 {} 名 / key set {}, {} signatures",
        keys.version, keys.config.threshold, keys.version, keys.config.threshold
    ));
    let mut from: BTreeMap<_, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for configuration in schedules.values().flatten() {
        let (terminals, what) = from.entry(configuration.from).or_default();
        *terminals += 1;
        for line in [contract(configuration), office(&configuration.broker)] {
            *what.entry(line).or_default() += 1;
        }
    }
    for (from, (count, what)) in from {
        let from = from.map_or_else(|| "受取後すぐ at once".to_owned(), instant::shown);
        out::note(format!("  {from}: {count} 台 terminals"));
        what.iter().for_each(|(line, count)| out::note(format!("    {line}  {count} 台")));
    }
    Ok(())
}

/// For whom a terminal works, in a line.
fn contract(configuration: &Configuration) -> String {
    let Configuration { contract, contractor, contractor_name, .. } = configuration;
    format!("契約 contract {contract}: {contractor_name} [{contractor}]")
}

/// Whom a terminal believes to be the office, in a line.
fn office(broker: &Connection) -> String {
    let mut line = format!("接続先 broker {}:{}", broker.host, broker.port);
    if let Some(office) = &broker.office {
        line += &format!("  {office}");
    }
    if let Some(authority) = &broker.authority {
        line += &format!("  認証局 authority {}", Digest::of(authority.as_bytes()));
    }
    line
}

/// The envelope with one signature more of each, and how many of the configuration keys have signed it.
fn signed(text: &str, signers: &mut [Signer], config: &[PublicKey]) -> Result<(Box<RawValue>, usize), Fault> {
    let mut envelope = Envelope::read(text.as_bytes(), BUNDLE_BYTES)?;
    let to_sign = envelope.to_sign(BUNDLE_TYPE)?;
    for signer in signers {
        envelope.add(&signer.public(), &signer.sign(&to_sign)?);
    }
    let text = envelope.to_json();
    // More bytes or signatures than terminals read are not written.
    let envelope = Envelope::read(text.as_bytes(), BUNDLE_BYTES)
        .map_err(|refused| Fault::from(refused).within("signed, it could not be read any more"))?;
    let count = envelope.signed_by(BUNDLE_TYPE, config)?.len();
    let raw = RawValue::from_string(text);
    Ok((raw.map_err(|error| Fault::refused(error.to_string()))?, count))
}
