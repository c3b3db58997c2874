//! ID tokens (OpenID Connect Core 1.0, section 2): whose signature they bear, and whether they are meant for this sign-in. Pure:
//! the keys, what is expected and the time are arguments.
//!
//! A key alone says by which algorithm it signs: what a token says of that is compared, never followed. So neither `none` nor a
//! public key taken for a shared secret is ever tried.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far a provider's clock may be off, in seconds.
const SKEW: i64 = 60;
/// Longest token.
const TOKEN_BYTES: usize = 64 * 1024;
/// Longest subject (OpenID Connect Core 1.0, section 2).
const SUBJECT_BYTES: usize = 255;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disbelieved {
    /// It is none.
    #[error("malformed")]
    Malformed,
    /// It is signed by what no key of the provider signs with.
    #[error("algorithm")]
    Algorithm,
    /// It is signed by a key that the provider has not published.
    #[error("key")]
    Key,
    /// The signature is another.
    #[error("signature")]
    Signature,
    /// Another provider has made it.
    #[error("issuer")]
    Issuer,
    /// It is meant for another system.
    #[error("audience")]
    Audience,
    /// It is over.
    #[error("expired")]
    Expired,
    /// It begins later.
    #[error("early")]
    Early,
    /// It belongs to another sign-in.
    #[error("nonce")]
    Nonce,
    /// It tells nobody.
    #[error("subject")]
    Subject,
}

/// What a token must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whose it is.
    pub issuer: &'a str,
    /// Whom it is meant for.
    pub client: &'a str,
    /// The sign-in that it belongs to.
    pub nonce: &'a str,
}

/// What a believed token says.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Whom it tells of: the provider's own name of them, never another's.
    pub subject: String,
    all: Map<String, Value>,
}

impl Claims {
    /// The texts of a claim: one, or each of a list.
    #[must_use]
    pub fn texts(&self, claim: &str) -> Vec<&str> {
        match self.all.get(claim) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

enum Kind {
    /// RS256.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// ES256: a point of P-256, uncompressed.
    P256(Vec<u8>),
}

impl Kind {
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
        }
    }

    fn signed(&self, message: &[u8], seal: &[u8]) -> bool {
        match self {
            // Below 2048 bits nothing is taken.
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, seal)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, seal)
            }
        }
        .is_ok()
    }
}

struct Key {
    id: Option<String>,
    kind: Kind,
}

/// The keys by which a provider signs (RFC 7517). Those of other kinds and for other uses are passed over.
pub struct Keys(Vec<Key>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Keys {
    /// The keys in a provider's document; none where it is no such document.
    #[must_use]
    pub fn read(document: &[u8]) -> Option<Self> {
        let Published { keys } = serde_json::from_slice(document).ok()?;
        Some(Self(keys.into_iter().filter_map(|key| key_of(serde_json::from_value(key).ok()?)).collect()))
    }
}

fn key_of(key: Jwk) -> Option<Key> {
    if key.used.is_some_and(|used| used != "sig") {
        return None;
    }
    let kind = match key.kty.as_str() {
        "RSA" => Kind::Rsa { n: decoded(&key.n?)?, e: decoded(&key.e?)? },
        "EC" if key.crv.as_deref() == Some("P-256") => {
            let (x, y) = (decoded(&key.x?)?, decoded(&key.y?)?);
            if (x.len(), y.len()) != (32, 32) {
                return None;
            }
            Kind::P256([&[4], &*x, &*y].concat())
        }
        _ => return None,
    };
    let fits = key.alg.is_none_or(|alg| alg == kind.algorithm());
    fits.then_some(Key { id: key.kid, kind })
}

/// What a token says, if it is to be believed.
///
/// # Errors
/// Why it is not.
pub fn believe(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Claims, Disbelieved> {
    use Disbelieved::{Algorithm, Audience, Early, Expired, Issuer, Malformed, Nonce, Signature, Subject};
    if token.len() > TOKEN_BYTES {
        return Err(Malformed);
    }
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(seal), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed);
    };
    let bytes = |part| decoded(part).ok_or(Malformed);
    let read: Head = serde_json::from_slice(&bytes(head)?).map_err(|_| Malformed)?;
    // Something that must be understood, and is not.
    if read.crit.is_some() {
        return Err(Malformed);
    }
    if !["RS256", "ES256"].contains(&read.alg.as_str()) {
        return Err(Algorithm);
    }
    let named: Vec<&Key> = keys.0.iter().filter(|key| read.kid.is_none() || key.id == read.kid).collect();
    if named.is_empty() {
        return Err(Disbelieved::Key);
    }
    let fit: Vec<&Key> = named.into_iter().filter(|key| key.kind.algorithm() == read.alg).collect();
    if fit.is_empty() {
        return Err(Algorithm);
    }
    // What is signed is all before the last dot.
    let (message, seal) = (&token[..head.len() + 1 + body.len()], bytes(seal)?);
    if !fit.iter().any(|key| key.kind.signed(message.as_bytes(), &seal)) {
        return Err(Signature);
    }

    let Ok(Value::Object(all)) = serde_json::from_slice(&bytes(body)?) else { return Err(Malformed) };
    let text = |claim: &str| all.get(claim).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(Issuer);
    }
    let alone = match all.get("aud") {
        Some(Value::String(one)) => one == expected.client,
        // One that is meant for others, too, could be shown here by any of them.
        Some(Value::Array(many)) => matches!(&many[..], [Value::String(one)] if one == expected.client),
        _ => false,
    };
    if !alone || all.get("azp").is_some_and(|party| party.as_str() != Some(expected.client)) {
        return Err(Audience);
    }
    // Numbers may have fractions (RFC 7519); a time that can't be read is none.
    let time = |claim: &str| all.get(claim).map(|value| value.as_f64().ok_or(Malformed)).transpose();
    let now = now.as_second() as f64;
    let skew = SKEW as f64;
    let (Some(until), Some(made)) = (time("exp")?, time("iat")?) else { return Err(Malformed) };
    if now >= until + skew {
        return Err(Expired);
    }
    if made > now + skew || time("nbf")?.is_some_and(|from| from > now + skew) {
        return Err(Early);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(Nonce);
    }
    let subject = text("sub").filter(|subject| !subject.is_empty() && subject.len() <= SUBJECT_BYTES);
    let subject = subject.ok_or(Subject)?.to_owned();
    Ok(Claims { subject, all })
}

#[cfg(test)]
mod tests;
