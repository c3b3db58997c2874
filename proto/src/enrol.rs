//! How a terminal gets its certificate: by a code that the office shows once, and anew with the key it has.
//!
//! The code is never sent. Terminal and office prove to each other that they know it, over the certificate that the
//! office showed on this very connection: so a terminal that knows nothing but the code trusts the right office, and who
//! listens or stands between learns nothing that lets them in. The key pair is made on the terminal and stays there.
//!
//! Both are a `POST` over TLS to the office's pages: `/enrol`, `/renew`.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits;
use crate::wire::{Check, Message, WireError};
use crate::{Digest, Nonce, TerminalId};

/// Digits of a code: no I, L, O and U, which are mistaken for others (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits that say which code it is.
const NAME: usize = 4;
/// All digits. Behind the name stand 60 bits: more than can be tried in a code's life, even away from the office.
const LENGTH: usize = 16;

/// A code by which a terminal enrols, once: 16 digits, shown in four groups.
///
/// Its [`Display`](fmt::Display) is for the one who reads it to the crew. It is a secret: `Debug` shows its name alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code([u8; LENGTH]);

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a code of 16 letters and digits, such as ABCD-EFGH-JKMN-PQRS")]
pub struct CodeError;

impl Code {
    /// A code of random bytes.
    #[must_use]
    pub fn of(random: [u8; LENGTH]) -> Self {
        Self(random.map(|byte| DIGITS[usize::from(byte % 32)]))
    }

    /// Which code it is: what may be told.
    #[must_use]
    pub fn name(&self) -> String {
        self.0[..NAME].iter().map(|&digit| char::from(digit)).collect()
    }

    /// What both sides prove that they have.
    #[must_use]
    pub fn key(&self) -> CodeKey {
        CodeKey(Sha256::new().chain_update(b"meguri enrolment 1\0").chain_update(self.0).finalize().into())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, digits) in self.0.chunks(4).enumerate() {
            if group > 0 {
                f.write_str("-")?;
            }
            digits.iter().try_for_each(|&digit| write!(f, "{}", char::from(digit)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Code").field(&self.name()).finish()
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads what a person typed: in either case, with any hyphens and spaces, in full width, and with I, L and O for 1 and 0.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let mut digits = Vec::with_capacity(LENGTH);
        for c in text.chars() {
            // Full-width forms stand 0xFEE0 above ASCII.
            let half = match c {
                '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
                other => other,
            };
            let digit = match half.to_ascii_uppercase() {
                '-' | ' ' | '\u{3000}' | 'ー' | '－' | '‐' | '−' => continue,
                'O' => b'0',
                'I' | 'L' => b'1',
                other => u8::try_from(other).map_err(|_| CodeError)?,
            };
            if !DIGITS.contains(&digit) {
                return Err(CodeError);
            }
            digits.push(digit);
        }
        digits.try_into().map(Self).map_err(|_| CodeError)
    }
}

/// What stands for a code where it need not be shown again: the office keeps this.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeKey(pub [u8; 32]);

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey")
    }
}

impl CodeKey {
    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // A key shorter than a block is followed by zeros (RFC 2104).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..32].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new(&block);
        for part in parts {
            // With its length, so that no two lists of parts read alike.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    fn seal(&self, parts: &[&[u8]]) -> Digest {
        Digest(self.mac(parts).finalize().into_bytes().into())
    }

    fn opens(&self, parts: &[&[u8]], seal: &Digest) -> bool {
        // Takes as long however much agrees.
        self.mac(parts).verify_slice(&seal.0).is_ok()
    }
}

/// Largest certificate request and chain, in bytes.
const PEM_BYTES: usize = 16 * 1024;
/// Largest message of an enrolment.
const ENROL_BYTES: usize = 64 * 1024;

fn pem(check: &Check, field: &str, text: &str) -> Result<(), WireError> {
    if text.len() > PEM_BYTES {
        return check.fail(field, format!("has {} bytes, at most {PEM_BYTES} are allowed", text.len()));
    }
    Ok(())
}

/// A terminal asks for its certificate by a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// 1.
    pub v: u64,
    /// The code's name.
    pub code: String,
    /// Drawn by the terminal for this request.
    pub nonce: Nonce,
    /// The certificate request (PKCS #10, RFC 2986) as PEM. The office takes nothing but the public key from it.
    pub csr: String,
    /// Which terminal the device is already, where it enrols again: another one's code is not used up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalId>,
    /// HMAC-SHA256 by the code's key over all of it and the office's certificate.
    pub seal: Digest,
}

impl EnrolRequest {
    /// Makes a request. `channel` is the SHA-256 of the certificate that the office showed (RFC 5929, `tls-server-end-point`).
    #[must_use]
    pub fn new(
        code: &Code,
        nonce: Nonce,
        csr: String,
        terminal: Option<TerminalId>,
        channel: &Digest,
    ) -> Self {
        let request = Self { v: 1, code: code.name(), nonce, csr, terminal, seal: Digest::ZERO };
        let seal = code.key().seal(&request.parts(channel));
        Self { seal, ..request }
    }

    fn parts<'a>(&'a self, channel: &'a Digest) -> [&'a [u8]; 6] {
        let terminal = self.terminal.as_ref().map_or("", TerminalId::as_str);
        let (code, nonce) = (self.code.as_bytes(), self.nonce.0.as_bytes());
        [b"terminal", code, nonce, self.csr.as_bytes(), terminal.as_bytes(), &channel.0]
    }

    /// Whether whoever made it knows the code, and was shown this office's certificate.
    #[must_use]
    pub fn is_of(&self, key: &CodeKey, channel: &Digest) -> bool {
        key.opens(&self.parts(channel), &self.seal)
    }
}

impl Message for EnrolRequest {
    const NAME: &'static str = "enrolment";
    const MAX_BYTES: usize = ENROL_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.text("code", &self.code, NAME)?;
        pem(&check, "csr", &self.csr)
    }
}

/// The office's answer: all that the terminal needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolReply {
    /// 1.
    pub v: u64,
    /// The terminal's certificate, as PEM.
    pub certificate: String,
    /// Whom it is to believe as the office from now on, as PEM.
    pub authority: String,
    /// Its settings (`terminal.toml`).
    pub settings: String,
    /// HMAC-SHA256 by the code's key over all of it and the request's nonce.
    pub seal: Digest,
}

impl EnrolReply {
    /// Makes a reply.
    #[must_use]
    pub fn new(
        key: &CodeKey,
        nonce: Nonce,
        certificate: String,
        authority: String,
        settings: String,
    ) -> Self {
        let reply = Self { v: 1, certificate, authority, settings, seal: Digest::ZERO };
        let seal = key.seal(&reply.parts(&nonce));
        Self { seal, ..reply }
    }

    fn parts<'a>(&'a self, nonce: &'a Nonce) -> [&'a [u8]; 5] {
        [
            b"office",
            nonce.0.as_bytes(),
            self.certificate.as_bytes(),
            self.authority.as_bytes(),
            self.settings.as_bytes(),
        ]
    }

    /// Whether whoever made it knows the code, and answers this request.
    #[must_use]
    pub fn is_of(&self, code: &Code, nonce: &Nonce) -> bool {
        code.key().opens(&self.parts(nonce), &self.seal)
    }
}

impl Message for EnrolReply {
    const NAME: &'static str = "enrolment's answer";
    const MAX_BYTES: usize = ENROL_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        pem(&check, "certificate", &self.certificate)?;
        pem(&check, "authority", &self.authority)?;
        pem(&check, "settings", &self.settings)
    }
}

/// A terminal asks for its next certificate with the key of the one it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// 1.
    pub v: u64,
    /// Which terminal.
    pub terminal: TerminalId,
    /// Serial number of the certificate it has, in hexadecimal digits.
    pub serial: String,
    /// The certificate request of its next key, as PEM.
    pub csr: String,
    /// ECDSA over P-256 with SHA-256 (ASN.1 DER) by the key that it has, over [`RenewRequest::signed`], in hexadecimal digits.
    pub signature: String,
}

impl RenewRequest {
    /// What is signed: all of it, and the SHA-256 of the certificate that the office showed on this connection.
    #[must_use]
    pub fn signed(terminal: &TerminalId, serial: &str, csr: &str, channel: &Digest) -> Vec<u8> {
        let mut signed = b"meguri renewal 1\0".to_vec();
        for part in [terminal.as_str().as_bytes(), serial.as_bytes(), csr.as_bytes(), &channel.0] {
            signed.extend((part.len() as u64).to_be_bytes());
            signed.extend(part);
        }
        signed
    }
}

impl Message for RenewRequest {
    const NAME: &'static str = "renewal";
    const MAX_BYTES: usize = ENROL_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.text("serial", &self.serial, limits::SHORT_TEXT)?;
        check.text("signature", &self.signature, limits::LONG_TEXT)?;
        pem(&check, "csr", &self.csr)
    }
}

/// Bytes as hexadecimal digits: how signatures and serial numbers are written.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The terminal's next certificate. It comes over a line whose office the terminal knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewReply {
    /// 1.
    pub v: u64,
    /// The certificate, as PEM.
    pub certificate: String,
    /// Whom the terminal is to believe as the office from now on, as PEM.
    pub authority: String,
}

impl Message for RenewReply {
    const NAME: &'static str = "renewal's answer";
    const MAX_BYTES: usize = ENROL_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        pem(&check, "certificate", &self.certificate)?;
        pem(&check, "authority", &self.authority)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn code() -> Code {
        Code::of(std::array::from_fn(|at| at as u8 * 7))
    }

    fn request() -> EnrolRequest {
        EnrolRequest::new(&code(), Nonce(Uuid::from_u128(1)), "csr".to_owned(), None, &Digest::of(b"office"))
    }

    #[test]
    fn a_code_reads_as_people_type_it() {
        let code: Code = "ABCD-EF01-2345-6789".parse().unwrap();
        assert_eq!(code.to_string(), "ABCD-EF01-2345-6789");
        for typed in [
            "abcdef0123456789",
            "ABCD EF01 2345 6789",
            "ａｂｃｄ－ｅｆ０１－２３４５－６７８９",
            "abcd-efo1-2345-6789",
            "abcd-ef0l-2345-6789",
            " ABCDEF0I 23456789 ",
        ] {
            assert_eq!(typed.parse::<Code>().unwrap(), code, "{typed}");
        }
        for bad in ["", "ABCD", "ABCD-EF01-2345-678U", "ABCD-EF01-2345-67890", "収集-収集"] {
            assert_eq!(bad.parse::<Code>(), Err(CodeError), "{bad}");
        }
    }

    #[test]
    fn a_code_is_not_shown_by_accident() {
        let code: Code = "ABCD-EF01-2345-6789".parse().unwrap();
        assert_eq!(format!("{code:?} {:?}", code.key()), "Code(\"ABCD\") CodeKey");
    }

    #[test]
    fn only_who_knows_the_code_is_believed_on_this_channel_alone() {
        let (request, channel) = (request(), Digest::of(b"office"));
        assert!(request.is_of(&code().key(), &channel));
        assert!(!request.is_of(&code().key(), &Digest::of(b"between")), "shown another certificate");
        let other: Code = "ABCD-EF01-2345-6789".parse().unwrap();
        assert!(!request.is_of(&other.key(), &channel));
        let changed = EnrolRequest { csr: "another".to_owned(), ..request.clone() };
        assert!(!changed.is_of(&code().key(), &channel));

        let reply = EnrolReply::new(&code().key(), request.nonce, "c".into(), "a".into(), "s".into());
        assert!(reply.is_of(&code(), &request.nonce));
        assert!(!reply.is_of(&code(), &Nonce(Uuid::from_u128(2))), "another request's");
        assert!(!reply.is_of(&other, &request.nonce));
        let moved = EnrolReply { certificate: "ca".into(), authority: String::new(), ..reply };
        assert!(!moved.is_of(&code(), &request.nonce), "parts don't run into each other");
    }

    #[test]
    fn a_seal_of_one_side_is_none_of_the_other() {
        // A reply can't be made of a request by sending it back.
        let (request, key) = (request(), code().key());
        let reply = EnrolReply {
            v: 1,
            certificate: request.code.clone(),
            authority: request.csr.clone(),
            settings: String::new(),
            seal: request.seal,
        };
        assert!(!reply.is_of(&code(), &request.nonce));
        assert!(key.opens(&request.parts(&Digest::of(b"office")), &request.seal));
    }

    proptest! {
        #[test]
        fn every_code_reads_back(random: [u8; 16]) {
            let code = Code::of(random);
            prop_assert_eq!(code.to_string().parse::<Code>(), Ok(code.clone()));
            prop_assert_eq!(code.name(), code.to_string()[..4].to_owned());
        }
    }
}
