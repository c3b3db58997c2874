//! Ed25519 (RFC 8032) as strictly as it can be taken: one public key has one encoding, one message and key one way to verify.
//!
//! Refused beside plain forgeries: points of small order, encodings that are not canonical, and an `S` of the group's order or
//! more. Cofactorless, as RFC 8032, 5.1.7 allows; see Chalkias et al., "Taming the many EdDSAs" (2020).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use meguri_proto::Digest;
use serde::{Deserialize, Serialize};

/// A public key; 64 lower-case hexadecimal digits in files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// What envelopes name the key by: the SHA-256 of its bytes.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Whether it is a point that signatures may be taken of: its one encoding, and of no small order.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        is_canonical(&self.0) && VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }

    /// Whether `signature` is this key's over exactly `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        // A strict check recomputes R and compares bytes, so that R has one encoding; the key's is looked at here.
        is_canonical(&self.0)
            && VerifyingKey::from_bytes(&self.0)
                .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

/// Whether the y of an encoded point lies below p = 2^255 - 19 (RFC 8032, 5.1.3).
fn is_canonical(point: &[u8; 32]) -> bool {
    let high = point[31] & 0x7f == 0x7f && point[1..31].iter().all(|byte| *byte == 0xff);
    !(high && point[0] >= 0xed)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest(self.0), f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let key = Self(text.parse::<Digest>()?.0);
        if key.is_sound() { Ok(key) } else { Err("is no public key of Ed25519".to_owned()) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A private key in memory, made of 32 bytes that were drawn outside.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// Of its seed (RFC 8032, 5.1.5).
    #[must_use]
    pub fn of_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs exactly `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey of {}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_verifies_and_nothing_else() {
        let key = PrivateKey::of_seed(&[7; 32]);
        let signature = key.sign(b"message");
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"messages", &signature));
        assert!(!key.public().verifies(b"message", &signature[..63]));
        assert!(!PrivateKey::of_seed(&[8; 32]).public().verifies(b"message", &signature));
    }

    #[test]
    fn points_of_small_order_and_other_encodings_are_no_keys() {
        let mut low = [0; 32];
        assert!(!PublicKey(low).is_sound(), "order 4");
        low[0] = 1;
        assert!(!PublicKey(low).is_sound(), "the neutral element");
        let mut high = [0xff; 32];
        for last in 0xed..=0xff {
            (high[0], high[31]) = (last, 0x7f);
            assert!(!PublicKey(high).is_sound(), "p + {}", last - 0xed);
        }
    }
}
