//! What an encoding can hold, and what is written where it can't: only what the profile names, and every time told.

use std::collections::BTreeMap;

use super::profile::{Encoding, ProfileError, wrong};
use crate::encoding::{self, Gaiji, Unmappable};

/// A control character that the encoder takes for a byte that CP932 leaves unused.
const UNUSED: char = '\u{80}';

/// How texts become bytes.
#[derive(Debug)]
pub(super) struct Characters {
    cp932: bool,
    /// What is written instead of what, the longest first.
    instead: Vec<(String, String)>,
    gaiji: Gaiji,
}

/// Something was written instead of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instead {
    pub(super) of: String,
    pub(super) to: String,
}

impl Characters {
    /// By a profile's settings.
    pub(super) fn new(
        encoding: Encoding,
        substitutes: &BTreeMap<String, String>,
        gaiji: &Gaiji,
    ) -> Result<Self, ProfileError> {
        let cp932 = encoding == Encoding::Cp932;
        for (setting, there) in
            [("substitutes", !substitutes.is_empty()), ("gaiji", gaiji.entries().next().is_some())]
        {
            if there && !cp932 {
                return wrong(setting, "is for encoding = \"cp932\"; UTF-8 holds every character");
            }
        }
        for (of, to) in substitutes {
            let setting = || format!("substitutes.{of:?}");
            if of.is_empty() {
                return wrong("substitutes", "expected one or more characters, found none");
            }
            if let Err(unmappable) = encoding::encode_with(to, gaiji) {
                return wrong(setting(), format!("is {to:?}, and {unmappable}"));
            }
            if gaiji.entries().any(|(_, known)| known == of) {
                return wrong(setting(), "is in gaiji, too; expected it in one of them");
            }
        }
        let mut instead: Vec<(String, String)> =
            substitutes.iter().map(|(of, to)| (of.clone(), to.clone())).collect();
        instead.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Self { cp932, instead, gaiji: gaiji.clone() })
    }

    /// The text with the profile's substitutes, and with signs as Windows names them (～ for 〜).
    pub(super) fn substituted(&self, text: &str, mut told: impl FnMut(Instead)) -> String {
        if !self.cp932 || text.is_ascii() && self.instead.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let named = self.instead.iter().find(|(of, _)| rest.starts_with(of.as_str()));
            let sign = encoding::windows_sign(c);
            let length = match named {
                Some((of, to)) => {
                    told(Instead { of: of.clone(), to: to.clone() });
                    out.push_str(to);
                    of.len()
                }
                None => {
                    // Of the other signs CP932 has one code for both names, which import reads back as it was; these
                    // become another character.
                    if sign != c && matches!(c, '¥' | '‾') {
                        told(Instead { of: c.to_string(), to: sign.to_string() });
                    }
                    out.push(sign);
                    c.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        out
    }

    /// The text's bytes, after its substitutes. Tells every character that has none.
    pub(super) fn put(&self, text: &str, out: &mut Vec<u8>, mut cannot: impl FnMut(char)) {
        if !self.cp932 {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let mut rest = text;
        loop {
            let until = rest.find(UNUSED).unwrap_or(rest.len());
            let (found, at) = match encoding::encode_with(&rest[..until], &self.gaiji) {
                Ok(bytes) => {
                    out.extend_from_slice(&bytes);
                    if until == rest.len() {
                        return;
                    }
                    (UNUSED, until)
                }
                // What stands before it is not needed: no file is written.
                Err(Unmappable { found, index }) => (found, index),
            };
            cannot(found);
            rest = &rest[at + found.len_utf8()..];
        }
    }
}

/// A character and its code point, for people.
pub(super) fn named(c: char) -> String {
    format!("{} (U+{:04X})", crate::direction::printable(&c.to_string()), u32::from(c))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn cp932(substitutes: &[(&str, &str)], gaiji: &[(&str, &str)]) -> Result<Characters, ProfileError> {
        let gaiji = Gaiji::try_from(table(gaiji)).unwrap();
        Characters::new(Encoding::Cp932, &table(substitutes), &gaiji)
    }

    /// The bytes, what was written instead of what, and what could not be.
    fn written(characters: &Characters, text: &str) -> (Vec<u8>, Vec<String>, Vec<char>) {
        let (mut out, mut instead, mut cannot) = (Vec::new(), Vec::new(), Vec::new());
        let text = characters.substituted(text, |one| instead.push(format!("{}>{}", one.of, one.to)));
        characters.put(&text, &mut out, |c| cannot.push(c));
        (out, instead, cannot)
    }

    #[test]
    fn what_cp932_has_goes_through_as_it_is() {
        let text = "収集済 髙﨑濵①㈱℡Ⅳ ｱｲｳ ～∥－￠￡￢― ￥\\~ 彅德邉";
        let (bytes, instead, cannot) = written(&cp932(&[], &[]).unwrap(), text);
        assert_eq!((instead, cannot), (Vec::new(), Vec::new()));
        assert_eq!(encoding::decode(bytes, encoding::Encoding::Cp932).unwrap(), text);
        // The codes that Windows writes: of what is there twice, IBM's.
        assert_eq!(written(&cp932(&[], &[]).unwrap(), "髙①").0, [0xFB, 0xFC, 0x87, 0x40]);
    }

    #[test]
    fn nothing_else_is_replaced_silently() {
        let characters = cp932(&[], &[]).unwrap();
        for c in ['𠮷', '槗', '\u{80}', '\u{9f}', '\u{fffd}', '\u{3099}', '😀', '•', 'é'] {
            assert_eq!(written(&characters, &format!("a{c}b")).2, [c], "{c}");
        }
        assert_eq!(written(&characters, "𠮷a\u{80}槗b").2, ['𠮷', '\u{80}', '槗'], "every one of them");
        let (bytes, instead, cannot) = written(&characters, "10〜20¥");
        assert_eq!((bytes, cannot.len()), (b"10\x81\x6020\x81\x8F".to_vec(), 0));
        assert_eq!(instead, ["¥>￥"], "another character, and told; 〜 has one code under either name");
    }

    #[test]
    fn substitutes_and_external_characters_are_the_profiles() {
        let substitutes = [("𠮷", "吉"), ("葛\u{e0101}", "葛飾の葛"), ("髙", "高"), ("〜", "-")];
        let characters = cp932(&substitutes, &[("F040", "槗"), ("F9FC", "葛\u{e0102}")]).unwrap();
        let (bytes, instead, cannot) = written(&characters, "𠮷 葛\u{e0101} 槗 髙 葛\u{e0102}葛 1〜2");
        assert_eq!((instead.len(), cannot.len()), (4, 0), "{instead:?} {cannot:?}");
        let expected: &[u8] =
            b"\x8B\x67 \x8A\x8B\x8F\xFC\x82\xCC\x8A\x8B \xF0\x40 \x8D\x82 \xF9\xFC\x8A\x8B 1-2";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn tables_that_can_not_be_are_refused() {
        for (substitutes, gaiji, says) in [
            (&[("𠮷", "𠮷")][..], &[][..], "U+20BB7"),
            (&[("", "x")], &[], "expected one or more characters"),
            (&[("槗", "橋")], &[("F041", "槗")], "in gaiji, too"),
        ] {
            let refused = cp932(substitutes, gaiji).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        let refused =
            Characters::new(Encoding::Utf8, &table(&[("𠮷", "吉")]), &Gaiji::default()).unwrap_err();
        assert!(refused.to_string().contains("UTF-8 holds"), "{refused}");
    }
}
