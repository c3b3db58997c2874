//! `meguri-config show`: what a file says, whoever signed it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use meguri_config::bundle::{BUNDLE_BYTES, BUNDLE_TYPE};
use meguri_config::dsse::Envelope;
use meguri_config::keys::KEYS_TYPE;
use meguri_config::release::Header;
use meguri_config::stick::STICK_BYTES;
use meguri_config::{Bundle, KeySet, Refused, Release, Stick};
use meguri_proto::{ConfigWhy, Digest, TerminalId};
use serde::Serialize;

use super::fault::Fault;
use super::folder::{Signed, signed};
use super::{files, instant, keys, out};

#[derive(Args)]
pub(super) struct Show {
    /// A release, a key set (keys/NNNN.json) or a terminal's file of a USB stick.
    file: PathBuf,
    /// Of a release: this terminal's bundle, with all its settings.
    #[arg(long, value_name = "ID")]
    terminal: Option<TerminalId>,
}

/// A release in short.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    header: Header,
    key_set: KeySet,
    fingerprint: Digest,
    bundles: Vec<Line>,
}

/// A bundle in short.
#[derive(Serialize)]
struct Line {
    terminal: TerminalId,
    signatures: usize,
    schedule: Vec<(Option<jiff::Timestamp>, String)>,
}

pub(super) fn run(args: &Show, json: bool) -> Result<ExitCode, Fault> {
    let path = args.file.as_path();
    if let Ok(bytes) = files::read(path, STICK_BYTES) {
        if let Ok(stick) = Stick::read(&bytes) {
            return bundle(stick.bundle.get(), json);
        }
        if let Ok(envelope) = Envelope::read(&bytes, BUNDLE_BYTES)
            && let Ok(payload) = envelope.unverified(KEYS_TYPE)
        {
            return key_set(&payload, &envelope, json);
        }
    }
    release(path, args.terminal.as_ref(), json)
}

fn release(path: &Path, terminal: Option<&TerminalId>, json: bool) -> Result<ExitCode, Fault> {
    let mut release = Release::open(path)?;
    let key_set = release.keys.last(None, &release.header.city)?;
    // There is one, or there was no last one.
    let last = release.keys.sets.last().map_or(&[][..], |set| set.get().as_bytes());
    let fingerprint = KeySet::fingerprint(last)?;
    let mut bundles = Vec::new();
    while let Some(envelope) = release.next() {
        let envelope = envelope?;
        let place = format!("{}, line {}", path.display(), release.line());
        let read = Bundle::unverified(envelope.get().as_bytes());
        let read = read.map_err(|refused| Fault::from(refused).within(place))?;
        if terminal == Some(&read.terminal) {
            return bundle(envelope.get(), json);
        }
        let by = Envelope::read(envelope.get().as_bytes(), BUNDLE_BYTES)?
            .signed_by(BUNDLE_TYPE, &key_set.of(&key_set.config))?;
        let schedule = read.schedule.iter().map(|one| (one.from, one.line())).collect();
        bundles.push(Line { terminal: read.terminal, signatures: by.len(), schedule });
    }
    if let Some(terminal) = terminal {
        return Err(Fault::refused(format!("{} has no bundle for {terminal}", path.display())));
    }
    let header = release.header;
    if json {
        out::json(&Shown { header, key_set, fingerprint, bundles });
        return Ok(ExitCode::SUCCESS);
    }
    out::say(format!(
        "{} 「{}」 第{}版 / version {}",
        header.city, header.name, header.version, header.version
    ));
    out::say(format!(
        "作成 made {}　受取期限 accepted until {}",
        instant::shown(header.made_at),
        instant::shown(header.expires)
    ));
    if let Some(at) = header.switchover_at {
        out::say(format!("切替 contracts change {}", instant::shown(at)));
    }
    let threshold = key_set.config.threshold;
    out::say(format!("鍵一覧 key set {} (until {})", key_set.version, instant::shown(key_set.expires)));
    out::say(format!("  指紋 fingerprint {fingerprint}"));
    for Line { terminal, signatures, schedule } in bundles {
        out::say(format!("{terminal}  署名 {signatures}/{threshold}"));
        for (from, line) in schedule {
            out::say(format!(
                "    {:16}  {line}",
                from.map_or_else(|| "受取後 at once".to_owned(), instant::shown)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A bundle with all its settings, as it stands in its payload.
fn bundle(text: &str, json: bool) -> Result<ExitCode, Fault> {
    let bundle = Bundle::unverified(text.as_bytes())?;
    if json {
        out::json(&bundle);
        return Ok(ExitCode::SUCCESS);
    }
    let printed = toml::to_string(&bundle).map_err(|error| Fault::refused(error.to_string()))?;
    out::say(printed.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn key_set(payload: &[u8], envelope: &Envelope, json: bool) -> Result<ExitCode, Fault> {
    let set: KeySet = serde_json::from_slice(payload).map_err(|error| Fault::refused(error.to_string()))?;
    // Whatever does not hold of what terminals demand of a key set is no name of anybody.
    set.check().map_err(|detail| Refused::new(ConfigWhy::OutOfBounds, detail))?;
    let by: Signed = signed("root", &set, &set.root, envelope, KEYS_TYPE)?;
    let fingerprint = Digest::of(payload);
    if json {
        out::json(&serde_json::json!({ "key_set": set, "fingerprint": fingerprint, "signed": by }));
        return Ok(ExitCode::SUCCESS);
    }
    keys::lines(&set, &fingerprint).iter().for_each(out::say);
    out::say(format!("  {}", by.line()));
    Ok(ExitCode::SUCCESS)
}
