//! `meguri-config verify`: as terminals do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use meguri_config::bundle::Whose;
use meguri_config::ed25519::PublicKey;
use meguri_config::release::Header;
use meguri_config::{Bundle, KeySet, Refused, Release, plan};
use meguri_proto::{CityId, ConfigWhy, TerminalId};
use serde::Serialize;

use super::fault::Fault;
use super::folder::KeyFolder;
use super::progress::Progress;
use super::{hex, instant, out};

#[derive(Args)]
pub(super) struct Verify {
    /// The release.
    #[arg(required_unless_present = "raw")]
    release: Option<PathBuf>,
    /// The folder of key sets that is believed, or of the plan beside it. Without it the release's own first key set is.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// This terminal's bundle alone.
    #[arg(long, value_name = "ID")]
    terminal: Option<TerminalId>,
    /// The version that the terminal holds: only a higher one is taken.
    #[arg(long, value_name = "N", default_value_t = 0)]
    held: u64,
    /// The instant it is judged at, in place of now.
    #[arg(long, value_parser = instant::from, value_name = "INSTANT")]
    now: Option<Timestamp>,
    /// One signature of Ed25519: public key, message and signature, in hexadecimal digits.
    #[arg(long, num_args = 3, value_names = ["KEY", "MSG", "SIG"], conflicts_with_all = ["release", "keys", "terminal", "held", "now"])]
    raw: Option<Vec<String>>,
}

/// A bundle that is not taken.
#[derive(Serialize)]
struct Bad {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<TerminalId>,
    why: ConfigWhy,
    detail: String,
}

#[derive(Serialize)]
struct Verified {
    city: CityId,
    version: u64,
    key_set: u64,
    key_set_from: &'static str,
    good: u64,
    refused: Vec<Bad>,
    /// What the header says otherwise than all bundles together.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

pub(super) fn run(args: &Verify, json: bool) -> Result<ExitCode, Fault> {
    match (&args.raw, &args.release) {
        (Some(raw), _) => self::raw(raw, json),
        (None, Some(path)) => release(args, path, json),
        // clap demands one of both.
        (None, None) => Err(Fault::misuse("give a release, or --raw")),
    }
}

/// One signature, as published test vectors have them.
fn raw(arguments: &[String], json: bool) -> Result<ExitCode, Fault> {
    let mut bytes = Vec::new();
    for (name, text) in ["KEY", "MSG", "SIG"].into_iter().zip(arguments) {
        let decoded = hex::decode(text);
        bytes.push(
            decoded.ok_or_else(|| Fault::misuse(format!("{name} is not hexadecimal digits in pairs")))?,
        );
    }
    let accepted = match bytes.as_slice() {
        [key, message, signature] => {
            <[u8; 32]>::try_from(key.as_slice()).is_ok_and(|key| PublicKey(key).verifies(message, signature))
        }
        _ => false,
    };
    if json {
        out::json(&serde_json::json!({ "accepted": accepted }));
    } else {
        out::say(if accepted { "accepted" } else { "refused" });
    }
    Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The key set that a release is judged by: that of a folder, from which its own must follow, or its own.
pub(super) fn key_set<R>(release: &Release<R>, folder: Option<&Path>) -> Result<KeySet, Fault> {
    let city = &release.header.city;
    let trusted = match folder {
        Some(folder) => Some(KeyFolder::read(folder, city)?.last()?.clone()),
        None => None,
    };
    Ok(release.keys.last(trusted.as_ref(), city)?)
}

/// Nobody is handed a release that no terminal takes any more. Its bundles agree with the header, see [`Header::takes`].
pub(super) fn not_over(header: &Header, now: Timestamp) -> Result<(), Fault> {
    if header.expires > now {
        return Ok(());
    }
    let (version, over) = (header.version, instant::shown(header.expires));
    let detail = format!("terminals took version {version} until {over}; build it anew under a higher one");
    Err(Refused::new(ConfigWhy::Expired, detail).into())
}

fn release(args: &Verify, path: &Path, json: bool) -> Result<ExitCode, Fault> {
    let now = args.now.unwrap_or_else(Timestamp::now);
    let mut release = Release::open(path)?;
    let keys = key_set(&release, args.keys.as_deref())?;
    let header = release.header.clone();
    let mut verified = Verified {
        city: header.city.clone(),
        version: header.version,
        key_set: keys.version,
        key_set_from: if args.keys.is_some() { "folder" } else { "release" },
        good: 0,
        refused: Vec::new(),
        header: None,
    };
    let mut switchover_at = None;
    let mut seen = BTreeSet::new();
    let mut progress = Progress::new("verifying", header.terminals);
    while let Some(envelope) = release.next() {
        let envelope = envelope?;
        let bytes = envelope.get().as_bytes();
        progress.step();
        let claimed = Bundle::unverified(bytes).ok().map(|bundle| bundle.terminal);
        if args.terminal.is_some() && claimed != args.terminal {
            continue;
        }
        let taken = match &claimed {
            // As the terminal itself does that it claims to be for.
            Some(terminal) => {
                let whose = Whose { city: &header.city, terminal, version: args.held };
                Bundle::accept(bytes, Some(&keys), whose, now)
            }
            None => Bundle::signed(bytes, &keys, now),
        };
        let taken = taken.and_then(|bundle| header.agrees(&bundle).map(|()| bundle)).and_then(|bundle| {
            let changes = plan::switchover_at(&bundle.schedule);
            switchover_at = switchover_at.into_iter().chain(changes).min();
            let detail = format!("a second bundle of {}", bundle.terminal);
            let first = seen.insert(bundle.terminal);
            if first { Ok(()) } else { Err(Refused::new(ConfigWhy::OutOfBounds, detail)) }
        });
        match taken {
            Ok(()) => verified.good += 1,
            Err(Refused { why, detail }) => {
                verified.refused.push(Bad { line: release.line(), terminal: claimed, why, detail });
            }
        }
    }
    if let Some(terminal) = &args.terminal
        && verified.good == 0
        && verified.refused.is_empty()
    {
        return Err(Fault::refused(format!("{} has no bundle for {terminal}", path.display())));
    }
    // Of bundles that are not good nothing is believed, so that then there is nothing to hold the header against.
    if args.terminal.is_none() && verified.refused.is_empty() {
        verified.header = otherwise(&header, switchover_at);
    }
    let good = verified.refused.is_empty() && verified.header.is_none();
    if json {
        out::json(&verified);
    } else {
        say(&verified, path);
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What the header says otherwise than its bundles of when contracts change.
pub(super) fn otherwise(header: &Header, switchover_at: Option<Timestamp>) -> Option<String> {
    let shown = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), instant::shown);
    let (says, is) = (shown(header.switchover_at), shown(switchover_at));
    (header.switchover_at != switchover_at)
        .then(|| format!("the header says that contracts change {says}, the bundles {is}"))
}

fn say(verified: &Verified, path: &Path) {
    let Verified { city, version, key_set, good, .. } = verified;
    for bad in &verified.refused {
        let terminal = bad.terminal.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = serde_json::to_value(bad.why).unwrap_or_default();
        let why = why.as_str().unwrap_or_default();
        out::note(format!(
            "{}, line {}: refused ({why}) {terminal}: {}",
            path.display(),
            bad.line,
            bad.detail
        ));
    }
    if let Some(wrong) = &verified.header {
        out::note(format!("{}, line 1: {wrong}", path.display()));
    }
    let (all, refused) = (*good + verified.refused.len() as u64, verified.refused.len());
    out::say(format!(
        "{city} version {version}: {good} of {all} bundles are good, {refused} refused, by key set {key_set}"
    ));
    if verified.key_set_from == "release" {
        out::say("the key set is the release's own; --keys says which one to believe");
    }
}
