//! The attacks, one by one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use jiff::Timestamp;
use meguri_config::bundle::{BUNDLE_TYPE, Bundle};
use meguri_config::keys::{KEYS_TYPE, KeySet};
use serde_json::{Value, json};

use crate::make::*;

pub(crate) fn all() -> Vec<Attack> {
    let mut all = good();
    all.extend(signatures());
    all.extend(whose());
    all.extend(shapes());
    all.extend(values());
    all.extend(key_sets());
    all
}

fn good() -> Vec<Attack> {
    let two = vec![set_signed(&set(), &ROOT), set_signed(&next(), &ROOT)];
    vec![
        accepted(
            "good",
            "what a terminal accepts: two of three keys have signed its own bundle of a higher version",
        ),
        accepted("good-first-trust", "the first key set that comes over the enrolled line is believed")
            .trusting(0),
        accepted("good-three-signatures", "more signatures than are needed")
            .bundle(signed(&bundle(), &[11, 12, 13])),
        accepted("good-and-a-stranger", "a stranger's signature beside enough good ones changes nothing")
            .bundle(signed(&bundle(), &[91, 11, 12])),
        accepted("good-after-rotation", "signed by keys of the set that follows the one that is held")
            .chain(two.clone())
            .bundle(signed(&bundle(), &[13, 14])),
        accepted("keys-cut-short", "a chain that ends before the set that is held takes nothing back")
            .chain(two)
            .trusting(2)
            .bundle(signed(&bundle(), &[13, 14])),
    ]
}

fn signatures() -> Vec<Attack> {
    let few = "too_few_signatures";
    let signature = |seed| {
        let envelope: Value = serde_json::from_str(&signed(&bundle(), &[seed])).unwrap();
        envelope["signatures"][0].clone()
    };
    vec![
        attack("wrong-key", few, "signed by keys of nobody").bundle(signed(&bundle(), &STRANGERS)),
        attack("wrong-key-right-id", few, "a stranger's signatures under the names of the right keys")
            .bundle(changed(|envelope| {
                for (index, seed) in STRANGERS.iter().enumerate() {
                    envelope["signatures"][index]["sig"] = signature(*seed)["sig"].clone();
                }
            })),
        attack("no-signature", few, "signed by nobody").bundle(signed(&bundle(), &[])),
        attack("too-few-signatures", few, "signed by one where it takes two")
            .bundle(signed(&bundle(), &[11])),
        attack("same-key-twice", few, "the same signature twice").bundle(changed(|envelope| {
            envelope["signatures"] = json!([signature(11), signature(11)]);
        })),
        attack("same-key-two-keyids", few, "the same key's signature under two names").bundle(changed(
            |envelope| {
                let mut other = signature(11);
                other["keyid"] = json!(key(12).public().id());
                envelope["signatures"] = json!([signature(11), other]);
            },
        )),
        attack("root-signs-configuration", few, "signed by keys that sign key sets")
            .bundle(signed(&bundle(), &ROOT)),
        attack("payload-reserialised", few, "the same contents written in another way after it was signed")
            .bundle(changed(|envelope| {
                let value: Value = serde_json::from_slice(&payload(envelope)).unwrap();
                envelope["payload"] = json!(STANDARD.encode(value.to_string()));
            })),
        attack("payload-changed", few, "another vehicle after it was signed").bundle(changed(|envelope| {
            let text = String::from_utf8(payload(envelope)).unwrap().replace("v-12", "v-13");
            envelope["payload"] = json!(STANDARD.encode(text));
        })),
        attack("signature-malleated", few, "S + L in place of S: the same number, another signature").bundle(
            changed(|envelope| {
                let signature = malleated(envelope["signatures"][0]["sig"].as_str().unwrap());
                envelope["signatures"][0]["sig"] = json!(signature);
            }),
        ),
        attack("signature-unpadded", few, "a signature in base64 without its padding").bundle(changed(
            |envelope| {
                let sig = envelope["signatures"][0]["sig"].as_str().unwrap().trim_end_matches('=').to_owned();
                envelope["signatures"][0]["sig"] = json!(sig);
            },
        )),
        attack("signed-as-key-set", few, "signed over the type of a key set, and sent as a bundle").bundle({
            let signed = payload_signed(KEYS_TYPE, &serde_json::to_vec(&bundle()).unwrap(), &CONFIG);
            signed.replace(KEYS_TYPE, BUNDLE_TYPE)
        }),
        attack(
            "rotated-out-key",
            few,
            "signed by a key that the next key set took out, and by one that stayed",
        )
        .chain(vec![set_signed(&set(), &ROOT), set_signed(&next(), &ROOT)])
        .bundle(signed(&bundle(), &[11, 12])),
    ]
}

fn whose() -> Vec<Attack> {
    let other = |change: fn(&mut Bundle)| {
        let mut bundle = bundle();
        change(&mut bundle);
        signed(&bundle, &CONFIG)
    };
    vec![
        attack("older-version", "old_version", "an older bundle, rightly signed").held(6),
        attack("same-version", "old_version", "another bundle of the version that is held").held(5),
        attack("version-at-the-end", "out_of_bounds", "a version after which there would be none")
            .bundle(other(|bundle| bundle.version = u64::MAX)),
        attack("expired", "expired", "a bundle that came after its time").at("2027-05-01T00:00:00Z"),
        attack("keys-expired", "keys_expired", "a bundle that came after the key set's time")
            .at("2028-03-01T00:00:00Z")
            .bundle(other(|bundle| bundle.expires = "2029-01-01T00:00:00Z".parse().unwrap())),
        attack("other-city", "other_city", "another city's bundle, signed by the same keys")
            .bundle(other(|bundle| bundle.city = "kure".parse().unwrap())),
        attack("other-terminal", "other_terminal", "another terminal's bundle")
            .bundle(other(|bundle| bundle.terminal = "t-0002".parse().unwrap())),
        attack("no-keys", "no_keys", "a terminal that holds no key set believes nobody")
            .trusting(0)
            .chain(Vec::new()),
    ]
}

fn shapes() -> Vec<Attack> {
    let malformed = "malformed";
    let good = signed(&bundle(), &CONFIG);
    let deep = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let mut huge = attack("ten-megabytes", "too_large", "ten megabytes of opening brackets");
    huge.bundle = None;
    vec![
        huge,
        attack("truncated", malformed, "cut in the middle").bundle(&good.as_bytes()[..good.len() / 2]),
        attack("empty", malformed, "nothing at all").bundle(""),
        attack("trailing", malformed, "a second envelope behind the first").bundle(format!("{good}{good}")),
        attack("byte-order-mark", malformed, "a mark before the envelope").bundle(format!("\u{feff}{good}")),
        attack("deep-nesting", malformed, "brackets, thirty thousand deep").bundle(deep(30_000)),
        attack("deep-nesting-payload", malformed, "a signed payload, thirty thousand deep")
            .bundle(payload_signed(BUNDLE_TYPE, deep(15_000).as_bytes(), &CONFIG)),
        attack(
            "deep-nesting-field",
            malformed,
            "an unknown field of a signed payload, fifteen thousand deep",
        )
        .bundle(text_signed(|text| {
            text.replacen("{\"v\":1", &format!("{{\"x\":{},\"v\":1", deep(15_000)), 1)
        })),
        attack(
            "duplicate-key-envelope",
            malformed,
            "two payloads in an envelope: who reads the first sees another one",
        )
        .bundle(good.replacen("{\"payload\"", "{\"payload\":\"e30=\",\"payload\"", 1)),
        attack("duplicate-key-payload", malformed, "two terminals in a signed payload").bundle(text_signed(
            |text| text.replacen("\"terminal\"", "\"terminal\":\"t-0002\",\"terminal\"", 1),
        )),
        attack("duplicate-key-inner", malformed, "two hosts in a signed payload")
            .bundle(text_signed(|text| text.replacen("\"host\"", "\"host\":\"evil.example\",\"host\"", 1))),
        attack("unknown-field-envelope", malformed, "a field beside the envelope's")
            .bundle(changed(|envelope| envelope["note"] = json!("x"))),
        attack("unknown-field-payload", malformed, "a field that this program does not know")
            .bundle(text_signed(|text| text.replacen("{\"v\":1", "{\"v\":1,\"unlock\":true", 1))),
        attack("many-signatures", malformed, "more signatures than anybody needs, to keep the terminal busy")
            .bundle(changed(|envelope| {
                let one = envelope["signatures"][0].clone();
                envelope["signatures"] = json!(vec![one; 17]);
            })),
        attack("payload-url-safe", malformed, "a payload in another base64 than the one that is taken")
            .bundle(changed(|envelope| {
                // Of 0xff come the digits in which the alphabets differ.
                let payload = [payload(envelope), vec![0xff; 6]].concat();
                let payload = URL_SAFE.encode(payload);
                assert!(payload.contains('_'));
                envelope["payload"] = json!(payload);
            })),
        attack("payload-unpadded", malformed, "a payload in base64 without its padding").bundle(changed(
            |envelope| {
                let mut payload = payload(envelope);
                while payload.len().is_multiple_of(3) {
                    payload.push(b' ');
                }
                envelope["payload"] = json!(STANDARD_NO_PAD.encode(payload));
            },
        )),
        attack("wrong-payload-type", "other_type", "a key set in place of a bundle")
            .bundle(set_signed(&set(), &CONFIG)),
        attack("homoglyph-terminal", malformed, "a terminal whose name only looks the same: Cyrillic т")
            .bundle(text_signed(|text| text.replacen("t-0001", "т-0001", 1))),
        attack("homoglyph-city", malformed, "a city whose name only looks the same: Cyrillic о")
            .bundle(text_signed(|text| text.replacen("hiroshima", "hirоshima", 1))),
        attack("homoglyph-full-width", malformed, "a contract in full-width letters")
            .bundle(text_signed(|text| text.replacen("k2-2027", "ｋ２－２０２７", 1))),
    ]
}

fn values() -> Vec<Attack> {
    let bounds = "out_of_bounds";
    let with = |change: fn(&mut Bundle)| {
        let mut bundle = bundle();
        change(&mut bundle);
        signed(&bundle, &CONFIG)
    };
    vec![
        attack("shape-of-another-version", bounds, "a bundle of a shape that this program does not know")
            .bundle(with(|bundle| bundle.v = 2)),
        attack("schedule-empty", bounds, "no configuration at all")
            .bundle(with(|bundle| bundle.schedule.clear())),
        attack("schedule-out-of-order", bounds, "a second configuration that begins before the first")
            .bundle(with(|bundle| {
                bundle.schedule[0].from =
                    bundle.schedule[1].from.map(|at| at + jiff::SignedDuration::from_hours(1));
            })),
        attack("schedule-twice-at-once", bounds, "two configurations for one instant").bundle(with(
            |bundle| {
                bundle.schedule[0].from = bundle.schedule[1].from;
            },
        )),
        attack("schedule-without-instant", bounds, "a second configuration that begins at no instant")
            .bundle(with(|bundle| bundle.schedule[1].from = None)),
        attack("schedule-endless", bounds, "more configurations than a terminal keeps").bundle(with(
            |bundle| {
                let first: Timestamp = "2027-04-01T00:00:00Z".parse().unwrap();
                let one = bundle.schedule[1].clone();
                bundle.schedule = (0..17)
                    .map(|hour| {
                        let from = Some(first + jiff::SignedDuration::from_hours(hour));
                        meguri_config::Configuration { from, ..one.clone() }
                    })
                    .collect();
            },
        )),
        attack("control-characters", bounds, "a name that would drive a terminal's screen")
            .bundle(with(|bundle| bundle.schedule[0].round = "\u{1b}[2J".to_owned())),
        attack("plain-office", bounds, "an office without TLS").bundle(with(|bundle| {
            bundle.schedule[1].broker.office = Some("http://office.example".to_owned());
        })),
    ]
}

fn key_sets() -> Vec<Attack> {
    let few = "too_few_signatures";
    let first = || set_signed(&set(), &ROOT);
    let chain = |second: String| vec![first(), second];
    let next = |change: fn(&mut KeySet)| {
        let mut next = next();
        change(&mut next);
        next
    };
    let after = || signed(&bundle(), &[13, 14]);
    vec![
        attack("keys-threshold-zero", "out_of_bounds", "a key set by which nobody has to sign")
            .chain(chain(set_signed(&next(|set| set.config.threshold = 0), &ROOT)))
            .bundle(signed(&bundle(), &[])),
        attack("keys-threshold-too-high", "out_of_bounds", "a key set by which nobody can sign")
            .chain(chain(set_signed(&next(|set| set.config.threshold = 4), &ROOT)))
            .bundle(after()),
        attack("keys-skipped-a-version", "keys_not_next", "key set 3 behind key set 1")
            .chain(chain(set_signed(&next(|set| set.version = 3), &ROOT)))
            .bundle(after()),
        attack("keys-not-signed-by-old-root", few, "the new root alone has signed the new key set")
            .chain(chain(set_signed(&next(|set| set.root = role(&[4, 11, 13], 2)), &[4, 11])))
            .bundle(after()),
        attack("keys-not-signed-by-new-root", few, "the old root alone has signed the new key set")
            .chain(chain(set_signed(&next(|set| set.root = role(&[4, 11, 13], 2)), &ROOT)))
            .bundle(after()),
        attack(
            "keys-signed-by-configuration-keys",
            few,
            "the keys for configurations have signed the new key set",
        )
        .chain(chain(set_signed(&next(|_| ()), &CONFIG)))
        .bundle(after()),
        attack(
            "keys-forked",
            few,
            "another key set of the version that is held is passed over, and its keys sign nothing",
        )
        .chain(vec![first(), set_signed(&next(|_| ()), &ROOT)])
        .trusting(2)
        .bundle(signed(&bundle(), &STRANGERS)),
        attack("keys-of-another-city", "other_city", "another city's first key set, over the enrolled line")
            .trusting(0)
            .chain(vec![set_signed(&KeySet { city: "kure".parse().unwrap(), ..set() }, &ROOT)]),
        attack("keys-first-is-a-later-one", "keys_not_next", "key set 2 in place of the first one")
            .trusting(0)
            .chain(vec![set_signed(&next(|_| ()), &ROOT)])
            .bundle(after()),
        attack("keys-first-unsigned", few, "a first key set that its own root has not signed")
            .trusting(0)
            .chain(vec![set_signed(&set(), &[1])]),
        attack("keys-of-small-order", "malformed", "a key set with a point of which anybody can sign").chain(
            chain(set_text_signed(&next(|_| ()), &ROOT, |text| {
                let point = format!("01{}", "00".repeat(31));
                text.replacen(&key(13).public().to_string(), &point, 1)
            })),
        ),
        attack("keys-same-key-twice", "out_of_bounds", "a key set that has one key under two names")
            .chain(chain(set_signed(&next(|set| set.keys.push(set.keys[3].clone())), &ROOT))),
        attack(
            "keys-role-names-a-key-twice",
            "malformed",
            "a role that reaches its threshold by naming a key twice",
        )
        .chain(chain(set_text_signed(&next(|_| ()), &ROOT, |text| {
            let (kept, replaced) = (key(13).public().id().to_string(), key(14).public().id().to_string());
            text.replace(&replaced, &kept)
        }))),
        attack("keys-duplicate-key", "malformed", "two thresholds in a key set").chain(chain(
            set_text_signed(&next(|_| ()), &ROOT, |text| {
                text.replacen("\"threshold\"", "\"threshold\":1,\"threshold\"", 1)
            }),
        )),
        attack("keys-wrong-type", "other_type", "a bundle in place of a key set")
            .chain(chain(signed(&bundle(), &ROOT))),
    ]
}
