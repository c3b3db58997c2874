//! Crews sign in on a terminal with a PIN (暗証番号), which is checked there, with or without coverage.
//!
//! The office keeps no PIN. It derives a pair of keys from it (Argon2id, RFC 9106, then the X25519 of HPKE, RFC 9180) and
//! keeps the public one, a [`PinLock`]. A terminal derives the pair anew from what is typed: the PIN is right where the
//! public keys are alike, and then the private one opens what the terminal has sealed for this member.

use argon2::{Algorithm, Argon2, Params, Version};
use hpke::kem::X25519HkdfSha256;
use hpke::{Kem, Serializable as _};
use serde::{Deserialize, Serialize};

use crate::limits::{CREW_MEMBERS, SHORT_TEXT};
use crate::wire::{Check, Message, WireError};
use crate::{CrewId, Digest};

/// Fewest digits of a PIN.
pub const PIN_DIGITS: usize = 6;
/// Most digits of a PIN.
pub const PIN_DIGITS_MOST: usize = 12;
/// What deriving a key may cost: no document makes a terminal spend more.
const MEMORY_KIB_MOST: u32 = 256 * 1024;
const PASSES_MOST: u32 = 16;

/// Who may sign in on a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrewList {
    /// Version of the body, 1.
    pub v: u64,
    /// In the order in which they are offered.
    pub members: Vec<Member>,
}

/// A member of the contractor's crews.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Whom facts name.
    pub id: CrewId,
    /// The name on the screen.
    pub name: String,
    /// What the PIN opens.
    pub lock: PinLock,
}

/// The public half of a PIN, and how to come from the PIN to the other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinLock {
    /// Drawn for this PIN.
    pub salt: Digest,
    /// Memory that Argon2id takes, in KiB.
    pub memory_kib: u32,
    /// Its passes over that.
    pub passes: u32,
    /// The public key (X25519), 64 hexadecimal digits.
    pub key: Digest,
}

/// The private key that a right PIN leads to.
pub type PinKey = <X25519HkdfSha256 as Kem>::PrivateKey;

/// Why a PIN is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It is not made of so many digits.
    #[error("expected {PIN_DIGITS} to {PIN_DIGITS_MOST} digits")]
    Digits,
    /// It is among the first that anybody tries.
    #[error("is too easy: its digits are all alike, or follow each other")]
    Easy,
    /// The key can't be derived.
    #[error("can't be worked with on this machine")]
    Derive,
}

impl PinLock {
    /// Memory and passes for PINs set today: a third of a second and more on a tablet.
    const MEMORY_KIB: u32 = 64 * 1024;
    const PASSES: u32 = 3;

    /// The lock of a new PIN, with a salt that was drawn for it.
    ///
    /// # Errors
    /// When the PIN is too short, too long, or too easy.
    pub fn new(pin: &str, salt: [u8; 32]) -> Result<Self, PinError> {
        let digits = pin.as_bytes();
        if !(PIN_DIGITS..=PIN_DIGITS_MOST).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinError::Digits);
        }
        let steps = |step: i16| digits.windows(2).all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == step);
        if steps(0) || steps(1) || steps(-1) {
            return Err(PinError::Easy);
        }
        let mut lock = Self {
            salt: Digest(salt),
            memory_kib: Self::MEMORY_KIB,
            passes: Self::PASSES,
            key: Digest::ZERO,
        };
        lock.key = lock.derive(pin).ok_or(PinError::Derive)?.1;
        Ok(lock)
    }

    /// The private key, where the PIN is right. Takes its time and memory, so this is not for a thread that may not wait.
    #[must_use]
    pub fn open(&self, pin: &str) -> Option<PinKey> {
        let (private, public) = self.derive(pin)?;
        (public == self.key).then_some(private)
    }

    fn derive(&self, pin: &str) -> Option<(PinKey, Digest)> {
        if pin.len() > PIN_DIGITS_MOST {
            return None;
        }
        let params = Params::new(self.memory_kib, self.passes, 1, None).ok()?;
        let mut seed = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(pin.as_bytes(), &self.salt.0, &mut seed).ok()?;
        let (private, public) = X25519HkdfSha256::derive_keypair(&seed);
        let public = Digest(public.to_bytes().into());
        Some((private, public))
    }
}

impl Message for CrewList {
    const NAME: &'static str = "crew list";

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.count("members", self.members.len(), CREW_MEMBERS)?;
        for (index, member) in self.members.iter().enumerate() {
            let field = |name: &str| format!("members[{index}].{name}");
            check.text(&field("name"), &member.name, SHORT_TEXT)?;
            if member.lock.memory_kib > MEMORY_KIB_MOST || member.lock.passes > PASSES_MOST {
                return check.fail(field("lock"), "asks for too much memory or too many passes");
            }
            if self.members[..index].iter().any(|other| other.id == member.id) {
                return check.fail(field("id"), "is there twice");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pin_opens_its_own_lock_alone() {
        let lock = PinLock::new("273941", [7; 32]).unwrap();
        assert!(lock.open("273941").is_some());
        for wrong in ["273942", "27394", "2739410", "", "２７３９４１", &"1".repeat(1_000)] {
            assert!(lock.open(wrong).is_none(), "{wrong}");
        }
        let other = PinLock::new("273941", [8; 32]).unwrap();
        assert_ne!(lock.key, other.key, "the same PIN under another salt");
        assert!(PinLock { salt: other.salt, ..lock }.open("273941").is_none());
    }

    #[test]
    fn easy_pins_are_not_taken() {
        for pin in ["000000", "123456", "987654", "01234567"] {
            assert_eq!(PinLock::new(pin, [7; 32]), Err(PinError::Easy), "{pin}");
        }
        for pin in ["", "12345", "1234567890123", "12345a", "１２３４５７"] {
            assert_eq!(PinLock::new(pin, [7; 32]), Err(PinError::Digits), "{pin}");
        }
    }

    #[test]
    fn no_list_makes_a_terminal_spend_more_than_it_has() {
        let lock = PinLock { salt: Digest([7; 32]), memory_kib: 19 * 1024, passes: 2, key: Digest([9; 32]) };
        let list = |lock: &PinLock| {
            let member = Member { id: "c-1".parse().unwrap(), name: "甲".into(), lock: lock.clone() };
            CrewList { v: 1, members: vec![member] }
        };
        assert!(list(&lock).encode().is_ok());
        for too_much in
            [PinLock { memory_kib: 1 << 30, ..lock.clone() }, PinLock { passes: 1_000_000, ..lock.clone() }]
        {
            assert!(list(&too_much).encode().is_err());
        }
        let mut twice = list(&lock);
        twice.members.push(twice.members[0].clone());
        assert!(twice.encode().is_err());
    }
}
