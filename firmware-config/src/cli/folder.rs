//! The folder `keys/` beside a city's plan: a file for every key set, `0001.json` and on.

use std::path::{Path, PathBuf};

use meguri_config::KeySet;
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PublicKey;
use meguri_config::keys::{KEYS_BYTES, KEYS_TYPE, KeyChain, Role, SETS_MOST};
use meguri_proto::{CityId, ConfigWhy};
use serde::Serialize;
use serde_json::value::RawValue;

use super::fault::{Fault, at};
use super::files;

/// A folder of key sets.
pub(super) struct KeyFolder {
    path: PathBuf,
    /// The sets that are signed as they must be.
    pub(super) chain: KeyChain,
    /// The last of them.
    pub(super) last: Option<KeySet>,
    /// The one before the last.
    before_last: Option<KeySet>,
    /// One more that still waits for signatures.
    pub(super) waiting: Option<Waiting>,
}

/// A key set that still waits for signatures.
pub(super) struct Waiting {
    /// Its file.
    pub(super) path: PathBuf,
    /// Its envelope.
    pub(super) envelope: Envelope,
    /// What it says.
    pub(super) set: KeySet,
}

/// How many of a role's keys have signed.
#[derive(Debug, Serialize)]
pub(super) struct Signed {
    /// Whose role.
    role: &'static str,
    /// How many have.
    signed: usize,
    /// How many must.
    threshold: u8,
    /// Who has not, by their names.
    not_yet: Vec<String>,
}

impl Signed {
    pub(super) fn is_enough(&self) -> bool {
        self.signed >= usize::from(self.threshold)
    }

    pub(super) fn line(&self) -> String {
        let Self { role, signed, threshold, not_yet } = self;
        let who = if self.is_enough() { String::new() } else { format!("; not yet: {}", not_yet.join(", ")) };
        format!("{role}: {signed} of {threshold} signatures{who}")
    }
}

/// Who of a role has signed an envelope.
pub(super) fn signed(
    role: &'static str,
    set: &KeySet,
    of: &Role,
    envelope: &Envelope,
    kind: &str,
) -> Result<Signed, Fault> {
    let by = envelope.signed_by(kind, &set.of(of))?;
    let not_yet =
        set.keys.iter().filter(|key| of.keys.contains(&key.public.id()) && !by.contains(&key.public));
    let not_yet = not_yet.map(|key| key.name.clone()).collect();
    Ok(Signed { role, signed: by.len(), threshold: of.threshold, not_yet })
}

impl KeyFolder {
    /// Where the key sets lie of a folder of plans, or the folder of key sets itself.
    pub(super) fn of(folder: &Path) -> PathBuf {
        let inner = folder.join("keys");
        if inner.is_dir() || !file(folder, 1).exists() { inner } else { folder.to_owned() }
    }

    /// Reads all key sets of a city, in a folder of them or of plans.
    pub(super) fn read(folder: &Path, city: &CityId) -> Result<Self, Fault> {
        let path = Self::of(folder);
        let mut read = Self {
            path: path.clone(),
            chain: KeyChain { v: 1, sets: Vec::new() },
            last: None,
            before_last: None,
            waiting: None,
        };
        for version in 1..=SETS_MOST as u64 {
            let file = file(&path, version);
            if !file.exists() {
                break;
            }
            if let Some(waiting) = &read.waiting {
                let (before, file) = (waiting.path.display(), file.display());
                return Err(Fault::refused(format!(
                    "{before} still waits for signatures, but {file} is there"
                )));
            }
            let bytes = files::read(&file, KEYS_BYTES)?;
            let next = match &read.last {
                None => KeySet::first(&bytes, city),
                Some(last) => last.next(&bytes),
            };
            match next {
                Ok(set) => {
                    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                    let raw = RawValue::from_string(text);
                    read.chain.sets.push(raw.map_err(|error| Fault::refused(error.to_string()))?);
                    read.before_last = read.last.replace(set);
                }
                Err(refused) if refused.why == ConfigWhy::TooFewSignatures => {
                    let set = KeySet::unverified(&bytes, city)?;
                    let envelope = Envelope::read(&bytes, KEYS_BYTES)?;
                    read.waiting = Some(Waiting { path: file, envelope, set });
                }
                Err(refused) => return Err(Fault::from(refused).within(file.display())),
            }
        }
        read.nothing_beyond()?;
        Ok(read)
    }

    /// The last key set, which there must be.
    pub(super) fn last(&self) -> Result<&KeySet, Fault> {
        self.last.as_ref().ok_or_else(|| match &self.waiting {
            Some(waiting) => Fault::refused(format!(
                "{} still waits for signatures: `meguri-config sign {0} --key …`",
                waiting.path.display()
            )),
            None => Fault::refused(format!(
                "there are no key sets in {}: `meguri-config keys init`",
                self.path.display()
            )),
        })
    }

    /// The key set of a file that signatures can be added to, and the set before it: one that waits for them, or the last that holds,
    /// as whoever keeps a key shows once that it can be opened.
    pub(super) fn signable(self, file: &Path) -> Result<Option<(Waiting, Option<KeySet>)>, Fault> {
        let is_it = |path: &Path| path.file_name() == file.file_name();
        match (self.waiting, self.last) {
            (Some(waiting), last) if is_it(&waiting.path) => Ok(Some((waiting, last))),
            (_, Some(set)) if is_it(&self::file(&self.path, set.version)) => {
                let path = self::file(&self.path, set.version);
                let envelope = Envelope::read(&files::read(&path, KEYS_BYTES)?, KEYS_BYTES)?;
                Ok(Some((Waiting { path, envelope, set }, self.before_last)))
            }
            _ => Ok(None),
        }
    }

    /// The file of a version.
    pub(super) fn file(&self, version: u64) -> PathBuf {
        file(&self.path, version)
    }

    /// A file that is left out of the chain would be believed to be in force.
    fn nothing_beyond(&self) -> Result<(), Fault> {
        let count = self.chain.sets.len() as u64 + u64::from(self.waiting.is_some());
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Ok(()) };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.collect::<Result<Vec<_>, _>>().map_err(at("read", &self.path))?;
        let versions =
            names.iter().filter_map(|name| name.to_str()?.strip_suffix(".json")?.parse::<u64>().ok());
        if let Some(beyond) = versions.filter(|version| *version > count).min() {
            let folder = self.path.display();
            return Err(Fault::refused(format!(
                "{folder}: key set {beyond} is there, but not {}",
                count + 1
            )));
        }
        Ok(())
    }
}

fn file(folder: &Path, version: u64) -> PathBuf {
    folder.join(format!("{version:04}.json"))
}

impl Waiting {
    /// Who may sign it: the roots of both sets.
    pub(super) fn may_sign(&self, before: Option<&KeySet>, key: &PublicKey) -> bool {
        let of = |set: &KeySet| set.of(&set.root).contains(key);
        of(&self.set) || before.is_some_and(of)
    }

    /// Whether it can be read with the signatures that it has now: more bytes or signatures than terminals read are not written.
    pub(super) fn still_read(&self) -> Result<(), Fault> {
        let read = Envelope::read(self.envelope.to_json().as_bytes(), KEYS_BYTES);
        let read =
            read.map_err(|refused| Fault::from(refused).within("signed, it could not be read any more"));
        read.map(drop)
    }

    /// Who of both roots has signed.
    pub(super) fn signed(&self, before: Option<&KeySet>) -> Result<Vec<Signed>, Fault> {
        let of = |role, set: &KeySet| signed(role, set, &set.root, &self.envelope, KEYS_TYPE);
        let mut all = vec![of("root", &self.set)?];
        if let Some(before) = before {
            all.insert(0, of("root before", before)?);
        }
        Ok(all)
    }
}
