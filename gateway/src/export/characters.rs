//! What an encoding can hold, and what is written where it can't: only what the profile names, and every time told.

use std::collections::BTreeMap;

use encoding_rs::SHIFT_JIS;

use super::profile::{Encoding, ProfileError, wrong};

/// Characters that are one in JIS X 0208 and another in CP932's table of Unicode. They are written as the table has them,
/// which is told like a substitute.
const TABLES: [(&str, &str); 7] =
    [("〜", "～"), ("‖", "∥"), ("−", "－"), ("¢", "￠"), ("£", "￡"), ("¬", "￢"), ("—", "―")];

/// How texts become bytes.
#[derive(Debug)]
pub(super) struct Characters {
    cp932: bool,
    /// What is written instead of what, the longest first.
    instead: Vec<(String, Instead)>,
}

#[derive(Debug)]
enum Instead {
    Text(String),
    /// A code of the range for external characters (外字).
    Code([u8; 2]),
}

/// What happened to a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met<'a> {
    /// The encoding can't hold it, and the profile names no substitute.
    Cannot(char),
    /// Something else was written, as the profile says.
    Instead { of: &'a str, to: &'a str },
}

impl Characters {
    /// By a profile's settings.
    pub(super) fn new(
        encoding: Encoding,
        substitutes: &BTreeMap<String, String>,
        gaiji: &BTreeMap<String, String>,
    ) -> Result<Self, ProfileError> {
        let cp932 = encoding == Encoding::Cp932;
        if !cp932 {
            for (setting, table) in [("substitutes", substitutes), ("gaiji", gaiji)] {
                if !table.is_empty() {
                    return wrong(setting, "is for encoding = \"cp932\"; UTF-8 holds every character");
                }
            }
        }
        let mut instead: Vec<(String, Instead)> = Vec::new();
        for (of, to) in substitutes {
            if of.is_empty() {
                return wrong("substitutes", "expected one or more characters, found none");
            }
            if let Some(c) = to.chars().find(|&c| code(c).is_none()) {
                let setting = format!("substitutes.{of:?}");
                return wrong(setting, format!("is {to:?}, and CP932 can't hold {}", named(c)));
            }
            instead.push((of.clone(), Instead::Text(to.clone())));
        }
        for (code, of) in gaiji {
            let setting = || format!("gaiji.{code}");
            let Some(bytes) = external(code) else {
                return wrong(setting(), "expected a code from F040 to F9FC as CP932 has it for 外字");
            };
            if of.is_empty() {
                return wrong(setting(), "expected the character that stands for it");
            }
            if instead.iter().any(|(other, _)| other == of) {
                return wrong(setting(), format!("{of:?} is there twice: in gaiji, or in substitutes, too"));
            }
            instead.push((of.clone(), Instead::Code(bytes)));
        }
        instead.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Self { cp932, instead })
    }

    /// What is to be written instead of what `text` begins with.
    fn instead(&self, text: &str) -> Option<(&str, &Instead)> {
        self.instead.iter().find(|(of, _)| text.starts_with(of.as_str())).map(|(of, to)| (of.as_str(), to))
    }

    /// The text with its substitutes by other texts; external characters stay.
    pub(super) fn substituted<'a>(&'a self, text: &str, mut met: impl FnMut(Met<'a>)) -> String {
        if !self.cp932 || text.is_ascii() && self.instead.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((of, to)) = self.instead(rest) {
                match to {
                    Instead::Text(to) => {
                        met(Met::Instead { of, to });
                        out.push_str(to);
                    }
                    Instead::Code(_) => out.push_str(of),
                }
                rest = &rest[of.len()..];
                continue;
            }
            let of = &rest[..c.len_utf8()];
            match TABLES.iter().find(|(other, _)| *other == of) {
                Some((of, to)) => {
                    met(Met::Instead { of, to });
                    out.push_str(to);
                }
                None => out.push(c),
            }
            rest = &rest[of.len()..];
        }
        out
    }

    /// The text's bytes, after its substitutes.
    pub(super) fn put(&self, text: &str, out: &mut Vec<u8>, mut met: impl FnMut(Met<'_>)) {
        if !self.cp932 || text.is_ascii() {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((of, Instead::Code(bytes))) = self.instead(rest) {
                out.extend_from_slice(bytes);
                rest = &rest[of.len()..];
                continue;
            }
            match code(c) {
                Some(bytes) => out.extend_from_slice(&bytes),
                None => met(Met::Cannot(c)),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
}

/// A character and its code point, for people.
pub(super) fn named(c: char) -> String {
    format!("{} (U+{:04X})", crate::direction::printable(&c.to_string()), u32::from(c))
}

/// A character's bytes in CP932; none where it has none that reads back as the same character.
fn code(c: char) -> Option<Vec<u8>> {
    if c.is_ascii() {
        return u8::try_from(c).ok().map(|byte| vec![byte]);
    }
    // Unused codes that decoders take for controls, and private use, which means nothing by itself.
    if matches!(c, '\u{80}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}') {
        return None;
    }
    let mut text = [0; 4];
    let text = &*c.encode_utf8(&mut text);
    let (bytes, _, unmappable) = SHIFT_JIS.encode(text);
    if unmappable {
        return None;
    }
    let same = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes)? == text;
    same.then(|| bytes.into_owned())
}

/// A code like F040, within what CP932 leaves to external characters.
fn external(code: &str) -> Option<[u8; 2]> {
    let plain = code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = plain.then(|| u16::from_str_radix(code, 16).ok()).flatten()?;
    let [lead, trail] = code.to_be_bytes();
    let within = (0xF0..=0xF9).contains(&lead) && matches!(trail, 0x40..=0x7E | 0x80..=0xFC);
    within.then_some([lead, trail])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn cp932(substitutes: &[(&str, &str)], gaiji: &[(&str, &str)]) -> Result<Characters, ProfileError> {
        Characters::new(Encoding::Cp932, &table(substitutes), &table(gaiji))
    }

    /// The bytes, and what was met.
    fn written(characters: &Characters, text: &str) -> (Vec<u8>, Vec<String>) {
        let (mut out, mut met) = (Vec::new(), Vec::new());
        let text = characters.substituted(text, |one| met.push(format!("{one:?}")));
        characters.put(&text, &mut out, |one| met.push(format!("{one:?}")));
        (out, met)
    }

    #[test]
    fn what_cp932_has_goes_through_as_it_is() {
        let text = "収集済 髙﨑濵①㈱℡Ⅳ ｱｲｳ ～∥－￠￡￢― ￥\\~ 彅德";
        let (bytes, met) = written(&cp932(&[], &[]).unwrap(), text);
        assert_eq!(met, Vec::<String>::new());
        let (back, _, bad) = SHIFT_JIS.decode(&bytes);
        assert_eq!((back.as_ref(), bad), (text, false));
        // The codes that Windows writes: of what is there twice, IBM's.
        assert_eq!(written(&cp932(&[], &[]).unwrap(), "髙①〜").0, [0xFB, 0xFC, 0x87, 0x40, 0x81, 0x60]);
    }

    #[test]
    fn nothing_else_is_replaced_silently() {
        let characters = cp932(&[], &[]).unwrap();
        for c in ['𠮷', '槗', '¥', '‾', '邉', '\u{80}', '\u{e000}', '\u{fffd}', '\u{3099}', '😀', '•', 'é'] {
            let (bytes, met) = written(&characters, &c.to_string());
            if c == '邉' {
                assert_eq!((bytes.len(), met.len()), (2, 0), "this one it has");
                continue;
            }
            assert_eq!((bytes, met), (Vec::new(), vec![format!("Cannot({c:?})")]), "{c}");
        }
        let (bytes, met) = written(&characters, "10〜20");
        assert_eq!(bytes, *b"10\x81\x6020");
        assert_eq!(met, [r#"Instead { of: "〜", to: "～" }"#], "another table's, and told");
    }

    #[test]
    fn substitutes_and_external_characters_are_the_profiles() {
        let substitutes = [("𠮷", "吉"), ("葛\u{e0100}", "葛"), ("葛\u{e0101}", "葛飾の葛"), ("髙", "高")];
        let characters = cp932(&substitutes, &[("F040", "槗"), ("F9FC", "葛\u{e0102}")]).unwrap();
        let (bytes, met) = written(&characters, "𠮷野 葛\u{e0101} 槗 髙 葛\u{e0102}葛");
        let (text, _) = SHIFT_JIS.decode_without_bom_handling(&bytes[..16]);
        assert_eq!(text, "吉野 葛飾の葛 ".trim_end().to_owned() + " ");
        assert_eq!(bytes[16..], *b"\xF0\x40 \x8D\x82 \xF9\xFC\x8A\x8B");
        assert_eq!(met.len(), 3, "{met:?}");
    }

    #[test]
    fn tables_that_can_not_be_are_refused() {
        for (substitutes, gaiji, says) in [
            (&[("𠮷", "𠮷")][..], &[][..], "CP932 can't hold 𠮷 (U+20BB7)"),
            (&[("", "x")], &[], "expected one or more characters"),
            (&[], &[("EFFC", "槗")], "F040 to F9FC"),
            (&[], &[("F07F", "槗")], "F040 to F9FC"),
            (&[], &[("F0400", "槗")], "F040 to F9FC"),
            (&[], &[("F040", "")], "expected the character"),
            (&[], &[("F040", "槗"), ("F041", "槗")], "there twice"),
            (&[("槗", "橋")], &[("F041", "槗")], "there twice"),
        ] {
            let refused = cp932(substitutes, gaiji).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        let refused = Characters::new(Encoding::Utf8, &table(&[("𠮷", "吉")]), &table(&[])).unwrap_err();
        assert!(refused.to_string().contains("UTF-8 holds"), "{refused}");
    }
}
