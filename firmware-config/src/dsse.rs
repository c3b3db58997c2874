//! Envelopes of the Dead Simple Signing Envelope, DSSE 1.0 (github.com/secure-systems-lab/dsse): signatures over raw bytes, so that
//! nothing is parsed before it is verified, and no two readers can see different things in what was signed.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meguri_proto::{ConfigWhy, Digest};
use serde::{Deserialize, Serialize};

use crate::ed25519::{PrivateKey, PublicKey};
use crate::refused::Refused;

/// Most signatures that are looked at.
const SIGNATURES_MOST: usize = 16;

/// An envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What is signed, in base64.
    payload: String,
    /// What it is, which is signed with it.
    #[serde(rename = "payloadType")]
    payload_type: String,
    /// By whom.
    signatures: Vec<Signature>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    /// Which key says so: [`PublicKey::id`]. A hint alone: what counts is whose signature it is.
    keyid: Digest,
    /// In base64.
    sig: String,
}

impl Envelope {
    /// Around a payload, without signatures.
    #[must_use]
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: Vec::new(),
        }
    }

    /// Reads an envelope of at most `most` bytes. Nothing in it is believed by that.
    ///
    /// # Errors
    /// When it is longer, or no envelope.
    pub fn read(bytes: &[u8], most: usize) -> Result<Self, Refused> {
        // TUF 1.0.34, 5.4.1 and its like: never more than so many bytes.
        if bytes.len() > most {
            let detail = format!("has {} bytes, at most {most} are read", bytes.len());
            return Err(Refused::new(ConfigWhy::TooLarge, detail));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| {
            Refused::new(ConfigWhy::Malformed, format!("is no envelope: {}", place(&error)))
        })?;
        if envelope.signatures.len() > SIGNATURES_MOST {
            let detail =
                format!("has {} signatures, at most {SIGNATURES_MOST} are read", envelope.signatures.len());
            return Err(Refused::new(ConfigWhy::Malformed, detail));
        }
        Ok(envelope)
    }

    /// As one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Three texts and a list of texts always become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The payload, whether or not anybody signed it: for whoever shows or signs it, never to act upon.
    ///
    /// # Errors
    /// When it is no base64, or of another type.
    pub fn unverified(&self, payload_type: &str) -> Result<Vec<u8>, Refused> {
        if self.payload_type != payload_type {
            let found: String = self.payload_type.chars().take(80).collect();
            return Err(Refused::new(
                ConfigWhy::OtherType,
                format!("holds {found:?}, expected {payload_type}"),
            ));
        }
        STANDARD
            .decode(&self.payload)
            .map_err(|error| Refused::new(ConfigWhy::Malformed, format!("its payload is no base64: {error}")))
    }

    /// What is signed: the pre-authentication encoding of type and payload.
    ///
    /// # Errors
    /// As [`Envelope::unverified`].
    pub fn to_sign(&self, payload_type: &str) -> Result<Vec<u8>, Refused> {
        Ok(pae(payload_type, &self.unverified(payload_type)?))
    }

    /// The payload, where at least `threshold` different keys of `keys` have signed its very bytes.
    ///
    /// # Errors
    /// When fewer did.
    pub fn verified(
        &self,
        payload_type: &str,
        keys: &[PublicKey],
        threshold: u8,
    ) -> Result<Vec<u8>, Refused> {
        let payload = self.unverified(payload_type)?;
        let by = self.by(&pae(payload_type, &payload), keys);
        if threshold == 0 || by.len() < usize::from(threshold) {
            let detail = format!("{} of the {threshold} signatures needed are there and right", by.len());
            return Err(Refused::new(ConfigWhy::TooFewSignatures, detail));
        }
        Ok(payload)
    }

    /// Which of `keys` have signed, each once.
    ///
    /// # Errors
    /// As [`Envelope::unverified`].
    pub fn signed_by(&self, payload_type: &str, keys: &[PublicKey]) -> Result<BTreeSet<PublicKey>, Refused> {
        Ok(self.by(&self.to_sign(payload_type)?, keys))
    }

    fn by(&self, signed: &[u8], keys: &[PublicKey]) -> BTreeSet<PublicKey> {
        // TUF 1.0.34, 5.3.4 and its like: a key counts once, however often it signed and whatever name it goes by.
        let mut by = BTreeSet::new();
        for signature in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.id() == signature.keyid) else { continue };
            let Ok(bytes) = STANDARD.decode(&signature.sig) else { continue };
            if !by.contains(key) && key.verifies(signed, &bytes) {
                by.insert(*key);
            }
        }
        by
    }

    /// Adds a signature over [`Envelope::to_sign`], in place of one by the same key.
    pub fn add(&mut self, key: &PublicKey, signature: &[u8; 64]) {
        let keyid = key.id();
        self.signatures.retain(|other| other.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: STANDARD.encode(signature) });
    }

    /// Signs with a key in memory.
    ///
    /// # Errors
    /// As [`Envelope::unverified`].
    pub fn sign(&mut self, payload_type: &str, key: &PrivateKey) -> Result<(), Refused> {
        let signature = key.sign(&self.to_sign(payload_type)?);
        self.add(&key.public(), &signature);
        Ok(())
    }

    /// The keys that claim to have signed.
    pub fn signers(&self) -> impl Iterator<Item = Digest> + '_ {
        self.signatures.iter().map(|signature| signature.keyid)
    }
}

/// DSSE's pre-authentication encoding: what it is and how long each part is stand in what is signed.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Where a parser gave up and why, without the values that it quotes.
pub(crate) fn place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text: String = text.chars().filter(|c| !c.is_control()).take(160).collect();
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_counts_once_and_nobody_is_never_enough() {
        let (one, other) = (PrivateKey::of_seed(&[1; 32]), PrivateKey::of_seed(&[2; 32]));
        let keys = [one.public(), other.public()];
        let mut envelope = Envelope::new("type", b"payload");
        let count = |envelope: &Envelope, threshold| {
            envelope.verified("type", &keys, threshold).map(drop).map_err(|refused| refused.why)
        };
        let few = Err(ConfigWhy::TooFewSignatures);
        assert_eq!(count(&envelope, 0), few, "a threshold of none is none");
        for _ in 0..2 {
            envelope.sign("type", &one).unwrap();
            assert_eq!((count(&envelope, 1), count(&envelope, 2)), (Ok(()), few));
        }
        envelope.sign("type", &other).unwrap();
        assert_eq!((count(&envelope, 2), count(&envelope, 3)), (Ok(()), few));
    }

    #[test]
    fn the_encoding_is_the_specifications() {
        // The example of the DSSE protocol's own text.
        assert_eq!(
            String::from_utf8(pae("http://example.com/HelloWorld", b"hello world")),
            Ok("DSSEv1 29 http://example.com/HelloWorld 11 hello world".to_owned())
        );
    }
}
