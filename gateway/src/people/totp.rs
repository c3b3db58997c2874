//! The second factor: six digits that an application on a telephone shows for 30 seconds (RFC 6238 with HMAC-SHA-1, as
//! all of them can).

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha1::Sha1;

/// Bytes of a secret: as many as the hash has.
pub const SECRET_BYTES: usize = 20;
/// Seconds for which a code stands.
const STEP: i64 = 30;
/// How many steps a telephone's clock may be off.
const OFF: i64 = 1;
const DIGITS: u32 = 1_000_000;

/// The code of a time step.
fn code(secret: &[u8], step: i64) -> Option<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash.last()? & 0xf);
    let four: [u8; 4] = hash.get(offset..offset + 4)?.try_into().ok()?;
    Some((u32::from_be_bytes(four) & 0x7fff_ffff) % DIGITS)
}

/// The time step whose code this is, if it is a code of now and of a later step than the `last` taken: no code is good twice.
#[must_use]
pub fn step(secret: &[u8], typed: &str, now: Timestamp, last: i64) -> Option<i64> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let typed: u32 = (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()?;
    let now = now.as_second().div_euclid(STEP);
    // All are computed, whichever fits.
    let fits: Vec<i64> =
        (now - OFF..=now + OFF).filter(|step| code(secret, *step) == Some(typed) && *step > last).collect();
    fits.first().copied()
}

/// The code that stands at a time, as a telephone shows it.
#[must_use]
pub fn shown(secret: &[u8], at: Timestamp) -> String {
    format!("{:06}", code(secret, at.as_second().div_euclid(STEP)).unwrap_or_default())
}

/// A secret as it is typed: RFC 4648 base32 without padding.
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut kept, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        kept = (kept << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[((kept >> bits) & 31) as usize]));
        }
        kept &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(LETTERS[((kept << (5 - bits)) & 31) as usize]));
    }
    text
}

/// What a QR code says to the telephone. `issuer` and `login` must need no escaping beyond what is done here.
#[must_use]
pub fn address(issuer: &str, login: &str, secret: &[u8]) -> String {
    let escaped: String = issuer
        .bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("otpauth://totp/{escaped}:{login}?secret={}&issuer={escaped}", base32(secret))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238, appendix B, the last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(shown(SECRET, at(second)), expected);
            assert_eq!(step(SECRET, expected, at(second), 0), Some(second / 30));
        }
    }

    #[test]
    fn a_code_is_good_once_and_for_a_short_time() {
        let now = at(1_234_567_890);
        let this = 1_234_567_890 / 30;
        assert_eq!(step(SECRET, "005 924", now, this), None, "taken already");
        assert_eq!(step(SECRET, "005924", at(1_234_567_890 + 30), 0), Some(this), "a slow telephone");
        assert_eq!(step(SECRET, "005924", at(1_234_567_890 + 60), 0), None);
        for bad in ["", "00592", "0059244", "005925", "+05924", "５", "00592４"] {
            assert_eq!(step(SECRET, bad, now, 0), None, "{bad}");
        }
    }

    #[test]
    fn secrets_are_typed_as_base32() {
        // RFC 4648, section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let address = address("巡り 市", "sato", b"foobar");
        assert_eq!(
            address,
            "otpauth://totp/%E5%B7%A1%E3%82%8A%20%E5%B8%82:sato?secret=MZXW6YTBOI&issuer=%E5%B7%A1%E3%82%8A%20%E5%B8%82"
        );
    }
}
