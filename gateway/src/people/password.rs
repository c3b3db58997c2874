//! Passwords: kept as Argon2id, checked off the threads that serve, drawn for somebody else to change.

use std::fmt;

use argon2::password_hash::{Output, PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier as _, Version};
use serde::{Deserialize, Serialize};

/// Least characters of a password that a person chooses.
pub const LEAST_CHARS: usize = 12;
/// Longest password in bytes: more is no safer, and must be hashed.
pub const MOST_BYTES: usize = 256;
/// Memory in KiB, passes and lanes: what OWASP asks of Argon2id at the least.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// What is drawn: no letter or digit that is read as another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password as it is kept. Its text is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hashed(String);

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(…)")
    }
}

impl Hashed {
    /// What the store keeps.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store kept.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self(text)
    }
}

/// Why a password can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too few characters.
    #[error("a password has at least {LEAST_CHARS} characters")]
    Short,
    /// Too many bytes.
    #[error("a password has at most {MOST_BYTES} bytes")]
    Long,
    /// It is what everybody would try first.
    #[error(
        "this password is guessed too easily: it is the login, or one character or a row of digits again and again"
    )]
    Easy,
    /// The system gave no memory for the computation.
    #[error("the password can't be hashed: there is too little memory")]
    NoMemory,
}

/// Whether a person may choose this.
///
/// # Errors
/// Why not.
pub fn judge(password: &str, login: &str) -> Result<(), Refused> {
    if password.chars().count() < LEAST_CHARS {
        return Err(Refused::Short);
    }
    if password.len() > MOST_BYTES {
        return Err(Refused::Long);
    }
    let small = password.to_lowercase();
    let mut kinds: Vec<char> = small.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 4 || "12345678901234567890".contains(&*small) || is_common(&small) {
        return Err(Refused::Easy);
    }
    // What anybody would try who knows where this is: what is left without it must be something.
    let own = [login].into_iter().filter(|login| !login.is_empty()).chain(OURS);
    let left = own.fold(small, |left, word| left.replace(word, ""));
    if left.chars().count() < 6 { Err(Refused::Easy) } else { Ok(()) }
}

/// Words of this place, of which no password is made.
const OURS: [&str; 14] = [
    "meguri",
    "巡り",
    "めぐり",
    "gomi",
    "sodai",
    "oogata",
    "ogata",
    "大型ごみ",
    "収集",
    "office",
    "password",
    "passwd",
    "admin",
    "kanri",
];

/// The passwords that are tried first, by how often they were found in leaks: those of 12 characters and more, and the first ten
/// thousand (zxcvbn-ts, MIT; see docs/licences.md).
const COMMON: &str = include_str!("../../assets/common-passwords.txt");

/// Whether it is a password that everybody has, as it is, twice, or with digits and signs about it to make it long enough.
fn is_common(small: &str) -> bool {
    let bare = small.trim_matches(|c: char| !c.is_alphabetic());
    let half = small.get(..small.len() / 2).filter(|half| half.repeat(2) == small);
    // Digits alone have been looked at; a bare word of a few letters is no more than the rest.
    let wanted = [Some(small), Some(bare).filter(|bare| 2 * bare.len() >= small.len()), half];
    COMMON.lines().any(|common| wanted.into_iter().flatten().any(|word| word == common))
}

fn argon() -> Option<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// A password as it is to be kept. Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// When there is no memory for it.
pub fn hash(password: &str, salt: [u8; 16]) -> Result<Hashed, Refused> {
    let salt = SaltString::encode_b64(&salt).map_err(|_| Refused::NoMemory)?;
    let argon = argon().ok_or(Refused::NoMemory)?;
    let hash = argon.hash_password(password.as_bytes(), &salt).map_err(|_| Refused::NoMemory)?;
    Ok(Hashed(hash.to_string()))
}

/// Whether the password is the one that is kept. Without one the same work is done, and the answer is no.
#[must_use]
pub fn verify(password: &str, kept: Option<&Hashed>) -> bool {
    let (Some(argon), Ok(nobodys)) = (argon(), nobodys()) else { return false };
    let is_there = kept.is_some();
    let Ok(hash) = PasswordHash::new(kept.map_or(nobodys.as_str(), Hashed::as_str)) else { return false };
    // Longer ones were never taken, and must not cost more.
    let long = password.len() > MOST_BYTES;
    let password = if long { "" } else { password };
    argon.verify_password(password.as_bytes(), &hash).is_ok() && is_there && !long
}

/// What is kept for somebody who has no password: none is it.
///
/// # Errors
/// When there is no memory for it.
pub fn none() -> Result<Hashed, Refused> {
    nobodys().map(Hashed).map_err(|_| Refused::NoMemory)
}

/// A hash of the right cost that no password has.
fn nobodys() -> Result<String, argon2::password_hash::Error> {
    let (memory, passes, lanes) = COST;
    let output = Output::new(&[0; 32])?;
    let salt = SaltString::encode_b64(&[0; 16])?;
    Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}"))
}

/// A text of 16 letters and digits in four groups (80 bits), from as many random bytes.
#[must_use]
pub fn drawn(random: [u8; 16]) -> String {
    grouped(&random)
}

/// A text of letters and digits in groups of four, each of 5 bits of a random byte.
#[must_use]
pub fn grouped(random: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in random.iter().copied().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    }
    text
}

/// What somebody typed of a drawn text: without case, spaces and hyphens.
#[must_use]
pub fn as_drawn(typed: &str) -> String {
    typed.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).take(64).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_password_itself_opens() {
        let kept = hash("正しい馬 battery staple", [7; 16]).unwrap();
        assert!(kept.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.as_str());
        assert!(verify("正しい馬 battery staple", Some(&kept)));
        assert!(!verify("正しい馬 battery stapl", Some(&kept)));
        assert!(!verify("", Some(&kept)));
        assert!(!verify("", None));
        assert_ne!(kept, hash("正しい馬 battery staple", [8; 16]).unwrap());
        assert!(!format!("{kept:?}").contains("argon"));
    }

    /// What is checked for nobody costs what is checked for somebody: the same parameters.
    #[test]
    fn nobodys_hash_is_of_the_same_cost() {
        let (nobodys, kept) = (nobodys().unwrap(), hash("some password", [1; 16]).unwrap());
        let (nobodys, kept) =
            (PasswordHash::new(&nobodys).unwrap(), PasswordHash::new(kept.as_str()).unwrap());
        assert_eq!(
            (nobodys.algorithm, nobodys.version, nobodys.params.clone()),
            (kept.algorithm, kept.version, kept.params.clone())
        );
        assert_eq!(nobodys.hash.unwrap().len(), kept.hash.unwrap().len());
    }

    #[test]
    fn what_is_guessed_first_is_not_taken() {
        for (bad, why) in [
            ("short", Refused::Short),
            ("aaaaaaaaaaaaaa", Refused::Easy),
            ("123456789012", Refused::Easy),
            ("sato.kenji1234", Refused::Easy),
            ("sato.kenji-meguri", Refused::Easy),
            ("Meguri-Office1", Refused::Easy),
            ("大型ごみ収集meguri2026", Refused::Easy),
            ("1qaz2wsx3edc", Refused::Easy),
            ("123Sunshine!!", Refused::Easy),
            ("dragondragon", Refused::Easy),
            ("finalfantasy", Refused::Easy),
            (&*"x".repeat(257), Refused::Long),
        ] {
            assert_eq!(judge(bad, "sato.kenji"), Err(why), "{bad}");
        }
        assert_eq!(judge("kumo to yama 7", "sato.kenji"), Ok(()));
        assert_eq!(judge("みどりのバスがとおる橋", "sato.kenji"), Err(Refused::Short));
        assert_eq!(judge("みどりのバスがとおる橋の下", "sato.kenji"), Ok(()));
    }

    #[test]
    fn what_is_drawn_reads_back_as_it_is_typed() {
        let text = drawn([0, 1, 2, 31, 32, 255, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        assert_eq!(text, "abc9-a9jj-jjjj-jjjj");
        assert_eq!(as_drawn(" ABC9 a9jj jjjjjjjj"), as_drawn(&text));
    }
}
