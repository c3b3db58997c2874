#![allow(clippy::unwrap_used)]

use hmac::{Hmac, Mac as _};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use sha2::Sha256;

use super::*;

/// A key whose private half was thrown away, and a token that it signed.
const RSA: &str = "yZet9SGbFUf7m-lAmspwKRe2_-DMVexJW4fAgiY-O9QT_2UQs4fyOhMLWWdPR2MGr_xwdS_yVCOVvc8i1YkqjGjEo66uF73tXkU9c8_vhZFwoe0pKmg52__i6QrTKkXkNSaQop_0j9BFSx4akroWnWM9NRZCpQL9FzN3XvV2-rWGKj2ed4JAP4l_GVAkaGQkUCwQGmmZNweg7JzQWVJmQiN4fxGEk4I4eOqrrNVDJejIrl-aCuEfme9xvD_RAbk6nLb-xwRCv_VZlgYiAL8tT_LSjxHsRx8loQuGtv6FKykAww4PLJYaZQQZZDLTEXd5xduqILCjowI8fsjEkuTGPQ";
const SIGNED_BY_RSA: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJtZWd1cmkiLCJzdWIiOiIyNDgyODk3NjEwMDEiLCJub25jZSI6Im4tMFM2X1d6QTJNaiIsImlhdCI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAwMzAwLCJncm91cHMiOlsiYSIsImIiXX0.rwej7_xZ02Fq_UCsbs2t90Sn-dySma1DDu6z1_MnN6ZJK8hlrMtUPONq60s1HPMoyPAhLOf06rOSMyLdMEnCVXcaaNOpxu8EJUIvvnYhZsGLXbwYsu93G99c7kwiG7jD8wCUcZU_X6TZHSx2eCpxX-w_eCZX3EyrxoaiBSjXf3sylv_ej6iinn0CsngEczwwiAmy2WZh6zc1x1CMdz04nTVhkZenwe-rnKNOCQ-GVA0xXzLdOSpjcSXqLw7BqgcTa_rP73fN6aNPpvMvWWWmGBKyoOAQLiVYdXQDSEHa7cjIGa8d6xtMx_DjFolUQUF30PFJEJIlo4N2rAROb6EWLg";
const EXPECTED: Expected<'_> =
    Expected { issuer: "https://id.example", client: "meguri", nonce: "n-0S6_WzA2Mj" };
const MADE: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn rsa() -> Value {
    json!({ "kty": "RSA", "kid": "r1", "use": "sig", "alg": "RS256", "n": RSA, "e": "AQAB" })
}

fn keys(all: &[Value]) -> Keys {
    Keys::read(json!({ "keys": all }).to_string().as_bytes()).unwrap()
}

/// A provider's key.
struct Signer {
    pair: EcdsaKeyPair,
    id: &'static str,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self { pair: EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap(), id }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "x": x, "y": y })
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let message = unsigned(head, claims);
        let seal = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": self.id }), claims)
    }
}

fn unsigned(head: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": "meguri", "sub": "248289761001", "nonce": "n-0S6_WzA2Mj",
        "iat": MADE, "exp": MADE + 300, "groups": ["a", 7, "b"], "role": "one",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn tokens_of_both_kinds_are_believed() {
    let signer = Signer::new("e1");
    let keys = keys(&[rsa(), signer.jwk()]);
    let believed = believe(&signer.token(&claims()), &keys, EXPECTED, at(MADE)).unwrap();
    assert_eq!(believed.subject, "248289761001");
    assert_eq!(believed.texts("groups"), ["a", "b"]);
    assert_eq!(believed.texts("role"), ["one"]);
    assert!(believed.texts("iat").is_empty() && believed.texts("none").is_empty());
    let believed = believe(SIGNED_BY_RSA, &keys, EXPECTED, at(MADE)).unwrap();
    assert_eq!(believed.texts("groups"), ["a", "b"]);
    // A list with us alone, a party that is us, and times with fractions are the same.
    for good in
        [with("aud", json!(["meguri"])), with("azp", json!("meguri")), with("exp", json!(1_800_000_300.5))]
    {
        assert!(believe(&signer.token(&good), &keys, EXPECTED, at(MADE)).is_ok(), "{good}");
    }
}

#[test]
fn what_is_not_meant_for_this_sign_in_is_refused() {
    let signer = Signer::new("e1");
    let keys = keys(&[signer.jwk()]);
    let refused = |claims: &Value| believe(&signer.token(claims), &keys, EXPECTED, at(MADE)).unwrap_err();
    for (name, value, why) in [
        ("iss", json!("https://id.example/"), Disbelieved::Issuer),
        ("iss", json!("https://other.example"), Disbelieved::Issuer),
        ("iss", json!(["https://id.example"]), Disbelieved::Issuer),
        ("aud", json!("other"), Disbelieved::Audience),
        ("aud", json!(["meguri", "other"]), Disbelieved::Audience),
        ("aud", json!([]), Disbelieved::Audience),
        ("azp", json!("other"), Disbelieved::Audience),
        ("nonce", json!("another"), Disbelieved::Nonce),
        ("nonce", Value::Null, Disbelieved::Nonce),
        ("sub", json!(""), Disbelieved::Subject),
        ("sub", json!(7), Disbelieved::Subject),
        ("sub", json!("x".repeat(256)), Disbelieved::Subject),
        ("exp", json!("1800000300"), Disbelieved::Malformed),
        ("nbf", json!("tomorrow"), Disbelieved::Malformed),
        ("iat", json!(MADE + 61), Disbelieved::Early),
        ("nbf", json!(MADE + 61), Disbelieved::Early),
    ] {
        assert_eq!(refused(&with(name, value.clone())), why, "{name} {value}");
    }
    for name in ["iss", "aud", "nonce", "sub", "exp", "iat"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        refused(&claims);
    }
    // A clock may be off by a minute, and no more.
    let when = |second| believe(&signer.token(&claims()), &keys, EXPECTED, at(second)).map(drop);
    assert_eq!(when(MADE - 60), Ok(()));
    assert_eq!(when(MADE - 61), Err(Disbelieved::Early));
    assert_eq!(when(MADE + 359), Ok(()));
    assert_eq!(when(MADE + 360), Err(Disbelieved::Expired));
}

#[test]
fn only_a_key_of_the_provider_signs() {
    let (signer, other) = (Signer::new("e1"), Signer::new("e1"));
    let keys = keys(&[rsa(), signer.jwk()]);
    let refused = |token: &str| believe(token, &keys, EXPECTED, at(MADE)).unwrap_err();
    assert_eq!(refused(&other.token(&claims())), Disbelieved::Signature);
    assert_eq!(refused(&Signer::new("e2").token(&claims())), Disbelieved::Key);
    // Another body under the same signature, of either kind.
    for (token, name) in [(signer.token(&claims()), "sub"), (SIGNED_BY_RSA.to_owned(), "groups")] {
        let parts: Vec<&str> = token.split('.').collect();
        let body = URL_SAFE_NO_PAD.encode(with(name, json!("another")).to_string());
        assert_eq!(refused(&format!("{}.{body}.{}", parts[0], parts[2])), Disbelieved::Signature);
    }
    // No algorithm, or one that takes the published key for a shared secret.
    let none = |alg: &str| unsigned(&json!({ "alg": alg, "kid": "e1" }), &claims()) + ".";
    for alg in ["none", "None", "NONE", ""] {
        assert_eq!(refused(&none(alg)), Disbelieved::Algorithm, "{alg}");
    }
    let point = signer.pair.public_key().as_ref().to_vec();
    let secrets =
        [point, RSA.as_bytes().to_vec(), decoded(RSA).unwrap(), signer.jwk().to_string().into_bytes()];
    for (secret, id) in secrets.iter().flat_map(|secret| [(secret, "e1"), (secret, "r1")]) {
        let message = unsigned(&json!({ "alg": "HS256", "kid": id }), &claims());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message.as_bytes());
        let seal = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        assert_eq!(refused(&format!("{message}.{seal}")), Disbelieved::Algorithm);
    }
    // A key of one kind under the other's name.
    let head = json!({ "alg": "RS256", "kid": "e1" });
    assert_eq!(refused(&signer.sign(&head, &claims())), Disbelieved::Algorithm);
    // Keys that come along with the token are nobody's.
    let head =
        json!({ "alg": "ES256", "kid": "e1", "jwk": other.jwk(), "jku": "https://other.example/keys" });
    assert_eq!(refused(&other.sign(&head, &claims())), Disbelieved::Signature);
    // What must be understood, and is not.
    let head = json!({ "alg": "ES256", "kid": "e1", "crit": ["b64"], "b64": false });
    assert_eq!(refused(&signer.sign(&head, &claims())), Disbelieved::Malformed);
    for bad in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.e30", "é.é.é", &"x".repeat(TOKEN_BYTES + 1)] {
        assert_eq!(refused(bad), Disbelieved::Malformed);
    }
}

#[test]
fn keys_for_other_uses_are_passed_over() {
    let signer = Signer::new("e1");
    let token = signer.token(&claims());
    let off = |change: &dyn Fn(&mut Value)| {
        let mut jwk = signer.jwk();
        change(&mut jwk);
        believe(&token, &keys(&[jwk]), EXPECTED, at(MADE)).map(drop)
    };
    assert_eq!(off(&|_| {}), Ok(()));
    assert_eq!(off(&|jwk| jwk["alg"] = json!("ES256")), Ok(()));
    for change in [
        &(|jwk: &mut Value| jwk["use"] = json!("enc")) as &dyn Fn(&mut Value),
        &|jwk| jwk["alg"] = json!("ES384"),
        &|jwk| jwk["crv"] = json!("P-384"),
        &|jwk| jwk["kty"] = json!("oct"),
        &|jwk| jwk["x"] = json!("AAAA"),
        &|jwk| jwk["kid"] = json!("e9"),
        &|jwk| jwk["kid"] = Value::Null,
    ] {
        assert_eq!(off(change), Err(Disbelieved::Key));
    }
    // Two keys of one name, as while one is replaced; and a token that names none.
    let other = Signer::new("e1");
    assert!(believe(&token, &keys(&[other.jwk(), signer.jwk()]), EXPECTED, at(MADE)).is_ok());
    let nameless = signer.sign(&json!({ "alg": "ES256" }), &claims());
    assert!(believe(&nameless, &keys(&[rsa(), signer.jwk()]), EXPECTED, at(MADE)).is_ok());
    for bad in ["", "[]", "{}", "{\"keys\":7}"] {
        assert!(Keys::read(bad.as_bytes()).is_none(), "{bad}");
    }
}
