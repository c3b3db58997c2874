//! Key sets: whose signatures count, as a signed document that is replaced as The Update Framework (TUF 1.0.34,
//! theupdateframework.github.io/specification) replaces its root.

use std::collections::BTreeSet;

use jiff::Timestamp;
use meguri_proto::{CityId, ConfigWhy, Digest, limits};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::city::short;
use crate::dsse::{Envelope, place};
use crate::ed25519::PublicKey;
use crate::refused::Refused;

/// What envelopes of key sets hold.
pub const KEYS_TYPE: &str = "application/vnd.meguri.keys.v1+json";
/// Longest envelope of a key set, in bytes.
pub const KEYS_BYTES: usize = 16 * 1024;
/// Most sets of a chain: one a year and one for every key that was lost.
pub const SETS_MOST: usize = 100;
/// Most keys of a set.
const KEYS_MOST: usize = 32;

/// A key set (鍵一覧): whose signatures count for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    /// Version of the body, 1.
    pub v: u64,
    /// Whose set it is.
    pub city: CityId,
    /// 1, 2, 3 …: each set is followed by the one with the next number.
    pub version: u64,
    /// After this instant nothing is accepted that is signed by it.
    pub expires: Timestamp,
    /// The keys, each once.
    pub keys: Vec<Key>,
    /// Who signs key sets: kept offline.
    pub root: Role,
    /// Who signs configurations.
    pub config: Role,
}

/// A key and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The key.
    pub public: PublicKey,
    /// Whose it is, for people, like 家庭ごみ減量課長.
    pub name: String,
}

/// A role: which keys sign for it, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Their [`PublicKey::id`]s.
    #[serde(deserialize_with = "each_once")]
    pub keys: BTreeSet<Digest>,
    /// How many different ones have to sign, at least 1.
    pub threshold: u8,
}

/// A set that names nothing twice: who counts the names must come to the same number.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Digest>, D::Error> {
    let named = Vec::deserialize(deserializer)?;
    let count = named.len();
    let keys = BTreeSet::from_iter(named);
    if keys.len() == count { Ok(keys) } else { Err(D::Error::custom("a role names a key twice")) }
}

impl KeySet {
    /// The keys of a role.
    #[must_use]
    pub fn of(&self, role: &Role) -> Vec<PublicKey> {
        self.keys.iter().map(|key| key.public).filter(|key| role.keys.contains(&key.id())).collect()
    }

    /// In an envelope, to be signed.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        // Texts, numbers and lists of them always become JSON.
        Envelope::new(KEYS_TYPE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// The fingerprint (指紋) of a key set in its envelope: SHA-256 of what is signed. Who has signed it does not change it, so that it is the
    /// same in the record of the ceremony, at the office and on terminals.
    ///
    /// # Errors
    /// When it is no envelope of a key set.
    pub fn fingerprint(bytes: &[u8]) -> Result<Digest, Refused> {
        Ok(Digest::of(&Envelope::read(bytes, KEYS_BYTES)?.unverified(KEYS_TYPE)?))
    }

    /// What a key set says that nobody has judged yet: for whoever shows or signs it, never to act upon.
    ///
    /// # Errors
    /// When it is no key set of this city.
    pub fn unverified(bytes: &[u8], city: &CityId) -> Result<Self, Refused> {
        Self::parse(&Envelope::read(bytes, KEYS_BYTES)?.unverified(KEYS_TYPE)?, city)
    }

    /// Reads a city's first key set, signed by itself. That it is the right one is known from where it comes.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn first(bytes: &[u8], city: &CityId) -> Result<Self, Refused> {
        let envelope = Envelope::read(bytes, KEYS_BYTES)?;
        let first = Self::parse(&envelope.unverified(KEYS_TYPE)?, city)?;
        envelope.verified(KEYS_TYPE, &first.of(&first.root), first.root.threshold)?;
        if first.version != 1 {
            let detail = format!("the first key set has version {}, expected 1", first.version);
            return Err(Refused::new(ConfigWhy::KeysNotNext, detail));
        }
        Ok(first)
    }

    /// Reads the set that follows this one.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn next(&self, bytes: &[u8]) -> Result<Self, Refused> {
        let envelope = Envelope::read(bytes, KEYS_BYTES)?;
        // TUF 5.3.4: signed by a threshold of the root that is trusted, over raw bytes and before anything is parsed …
        let payload = envelope.verified(KEYS_TYPE, &self.of(&self.root), self.root.threshold)?;
        let next = Self::parse(&payload, &self.city)?;
        // … and by a threshold of its own.
        envelope.verified(KEYS_TYPE, &next.of(&next.root), next.root.threshold)?;
        // TUF 5.3.5: exactly the next version.
        if next.version != self.version + 1 {
            let detail = format!("the key set has version {}, expected {}", next.version, self.version + 1);
            return Err(Refused::new(ConfigWhy::KeysNotNext, detail));
        }
        Ok(next)
    }

    /// Follows a chain of sets from the one that is trusted, or from the first where none is; says the last one. Sets before the trusted
    /// one are passed over; the one of its version must say what it says, else somebody was told of other keys. Whether the last is over is looked at where it is used (TUF 5.3.10).
    ///
    /// # Errors
    /// The rule that does not hold; then the trusted one stays.
    pub fn follow<'a>(
        trusted: Option<&Self>,
        chain: impl IntoIterator<Item = &'a [u8]>,
        city: &CityId,
    ) -> Result<Option<Self>, Refused> {
        let mut last = trusted.cloned();
        for (index, bytes) in chain.into_iter().enumerate() {
            // TUF 5.3.3: never more sets than so many.
            if index == SETS_MOST {
                let detail = format!("the chain has more than {SETS_MOST} key sets");
                return Err(Refused::new(ConfigWhy::TooLarge, detail));
            }
            let version = index as u64 + 1;
            last = match &last {
                Some(held) if version < held.version => continue,
                Some(held) if version == held.version => {
                    if Self::unverified(bytes, city)? != *held {
                        let detail =
                            format!("key set {version} of the chain is another one than the trusted");
                        return Err(Refused::new(ConfigWhy::KeysNotNext, detail));
                    }
                    continue;
                }
                Some(held) => Some(held.next(bytes)?),
                None => Some(Self::first(bytes, city)?),
            };
        }
        Ok(last)
    }

    fn parse(payload: &[u8], city: &CityId) -> Result<Self, Refused> {
        let set: Self = serde_json::from_slice(payload).map_err(|error| {
            Refused::new(ConfigWhy::Malformed, format!("the key set can't be read: {}", place(&error)))
        })?;
        if set.city != *city {
            let detail = format!("the key set is of {}, expected {city}", set.city);
            return Err(Refused::new(ConfigWhy::OtherCity, detail));
        }
        set.check().map_err(|detail| Refused::new(ConfigWhy::OutOfBounds, detail))?;
        Ok(set)
    }

    /// Whether the values can be.
    ///
    /// # Errors
    /// Says which can't.
    pub fn check(&self) -> Result<(), String> {
        if self.v != 1 {
            return Err(format!("the key set has shape {}, this program reads 1", self.v));
        }
        if self.version == 0 || self.version >= limits::DOCUMENT_VERSION {
            return Err(format!("the key set's version is {}", self.version));
        }
        if self.keys.len() > KEYS_MOST {
            return Err(format!("{} keys, at most {KEYS_MOST} are taken", self.keys.len()));
        }
        let mut seen = BTreeSet::new();
        for key in &self.keys {
            if let Err(wrong) = short("", &key.name) {
                return Err(format!("the name of key {} is no short text: {}", key.public, wrong.problem));
            }
            if !seen.insert(key.public.id()) {
                return Err(format!("key {} is there twice", key.public));
            }
        }
        for (name, role) in [("root", &self.root), ("config", &self.config)] {
            if let Some(unknown) = role.keys.difference(&seen).next() {
                return Err(format!("role {name} names key {unknown}, which is not in the set"));
            }
            if role.threshold == 0 || usize::from(role.threshold) > role.keys.len() {
                return Err(format!(
                    "role {name} takes {} signatures of {} keys",
                    role.threshold,
                    role.keys.len()
                ));
            }
        }
        Ok(())
    }
}

/// The document `keys` as it travels: every key set so far, in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChain {
    /// Version of the body, 1.
    pub v: u64,
    /// The envelopes, that of version 1 first.
    pub sets: Vec<Box<serde_json::value::RawValue>>,
}

impl KeyChain {
    /// The last set of the chain, followed from the one that is trusted, or from its own first where none is.
    ///
    /// # Errors
    /// As [`KeySet::follow`], and where there is no set at all.
    pub fn last(&self, trusted: Option<&KeySet>, city: &CityId) -> Result<KeySet, Refused> {
        let chain = self.sets.iter().map(|set| set.get().as_bytes());
        let none = || Refused::new(ConfigWhy::NoKeys, "there is no key set");
        KeySet::follow(trusted, chain, city)?.ok_or_else(none)
    }
}
