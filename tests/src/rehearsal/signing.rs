//! A city's keys in a rehearsal, and releases that two people have signed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use meguri_config::Bundle;
use meguri_config::bundle::BUNDLE_TYPE;
use meguri_config::dsse::Envelope;
use meguri_config::ed25519::PrivateKey;
use meguri_config::keys::{KEYS_TYPE, Key, KeyChain, KeySet, Role};
use meguri_config::release::{Header, ReleaseWriter};
use meguri_proto::{CityId, Digest};
use serde_json::value::RawValue;

/// How long a key set holds.
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

/// The city's private keys, and every key set so far.
pub(crate) struct Keys {
    city: CityId,
    root: [PrivateKey; 2],
    /// Those of people who sign configurations now.
    config: [PrivateKey; 2],
    pub(crate) chain: KeyChain,
    expires: Timestamp,
    drawn: u8,
}

impl Keys {
    /// Draws a city's keys, the same ones for a seed. Two of each sign for their role.
    pub(crate) fn draw(city: &CityId, seed: u64, now: Timestamp) -> anyhow::Result<Self> {
        let key =
            |number: u8| PrivateKey::of_seed(&Digest::of(format!("rehearsal {seed} {number}").as_bytes()).0);
        let mut keys = Self {
            city: city.clone(),
            root: [key(0), key(1)],
            config: [key(2), key(3)],
            chain: KeyChain { v: 1, sets: Vec::new() },
            expires: now + YEAR,
            drawn: 4,
        };
        keys.add_set()?;
        Ok(keys)
    }

    /// Replaces one of the keys that sign configurations: what only the former one signed counts no more.
    pub(crate) fn rotate(&mut self, seed: u64) -> anyhow::Result<()> {
        let name = format!("rehearsal {seed} {}", self.drawn);
        self.drawn += 1;
        self.config[1] = PrivateKey::of_seed(&Digest::of(name.as_bytes()).0);
        self.add_set()
    }

    fn add_set(&mut self) -> anyhow::Result<()> {
        let role = |keys: &[PrivateKey; 2]| {
            let keys: BTreeSet<Digest> = keys.iter().map(|key| key.public().id()).collect();
            Role { keys, threshold: 2 }
        };
        let named =
            |name: &'static str| move |key: &PrivateKey| Key { public: key.public(), name: name.to_owned() };
        let set = KeySet {
            v: 1,
            city: self.city.clone(),
            version: self.chain.sets.len() as u64 + 1,
            expires: self.expires,
            keys: self
                .root
                .iter()
                .map(named("root"))
                .chain(self.config.iter().map(named("config")))
                .collect(),
            root: role(&self.root),
            config: role(&self.config),
        };
        let mut envelope = Envelope::new(KEYS_TYPE, &serde_json::to_vec(&set)?);
        for key in &self.root {
            envelope.sign(KEYS_TYPE, key).context("a key set can't be signed")?;
        }
        self.chain.sets.push(RawValue::from_string(envelope.to_json())?);
        Ok(())
    }

    /// The newest key set.
    pub(crate) fn set(&self) -> anyhow::Result<KeySet> {
        self.chain.last(None, &self.city).context("the key sets of the rehearsal do not hold")
    }

    /// A bundle as both have signed it.
    pub(crate) fn sign(&self, bundle: &Bundle) -> anyhow::Result<Box<RawValue>> {
        let mut envelope = bundle.envelope();
        for key in &self.config {
            envelope.sign(BUNDLE_TYPE, key).context("a bundle can't be signed")?;
        }
        Ok(RawValue::from_string(envelope.to_json())?)
    }

    /// Writes a release of these bundles, which are all of its version.
    pub(crate) fn release(
        &self,
        path: &Path,
        name: &str,
        switchover_at: Option<Timestamp>,
        bundles: &[Bundle],
    ) -> anyhow::Result<()> {
        let first = bundles.first().context("a release has a bundle at least")?;
        let header = Header {
            v: 1,
            city: self.city.clone(),
            version: first.version,
            name: name.to_owned(),
            made_at: first.made_at,
            expires: first.expires,
            switchover_at,
            terminals: bundles.len() as u64,
        };
        let file = File::create(path).with_context(|| format!("can't write {}", path.display()))?;
        let mut release = ReleaseWriter::new(path, BufWriter::new(file), &header, &self.chain)?;
        for bundle in bundles {
            release.bundle(self.sign(bundle)?)?;
        }
        release.finish()?;
        Ok(())
    }
}
