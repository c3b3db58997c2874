//! Bytes of files become text and text becomes bytes: UTF-8, and CP932 (Shift_JIS as Windows has it, with the extensions of
//! NEC and IBM).
//!
//! Nothing is ever replaced by a question mark or the like: what can't be decoded is named by line and byte, what can't
//! be encoded by its place. External characters (外字, F040 to F9FC) decode to the private use area (U+E000 to U+E757), which
//! is what Windows does, and from there back to their codes; [`Gaiji`] says which characters they stand for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use encoding_rs::{DecoderResult, EUC_JP, EncoderResult, SHIFT_JIS};
use serde::{Deserialize, Serialize};

/// How a file's text is written as bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without the mark (BOM) that spreadsheets put before it.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Shift_JIS as Windows has it.
    #[serde(rename = "cp932")]
    Cp932,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Cp932 => "CP932",
        })
    }
}

/// Why bytes are not the text that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Undecodable {
    /// Line and byte in the line, from 1; none where the file as a whole is something else.
    pub at: Option<(u64, u64)>,
    /// What was expected and what was found.
    pub problem: String,
}

/// Decodes a file's bytes. A byte order mark goes.
///
/// # Errors
/// When they are something else: another encoding or another kind of file, as far as can be told, or damaged.
pub fn decode(bytes: Vec<u8>, encoding: Encoding) -> Result<String, Undecodable> {
    if let Some(kind) = kind(&bytes) {
        return Err(Undecodable { at: None, problem: format!("expected a CSV file, found {kind}") });
    }
    match encoding {
        Encoding::Utf8 => {
            let mut text =
                String::from_utf8(bytes).map_err(|error| not_utf8(error.as_bytes(), error.utf8_error()))?;
            if text.starts_with('\u{FEFF}') {
                text.drain(..'\u{FEFF}'.len_utf8());
            }
            Ok(text)
        }
        Encoding::Cp932 => cp932(&bytes),
    }
}

/// The mark before UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a file is that is no text in an encoding that can be read; none where it may be one.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    for (start, kind) in [
        (&b"PK\x03\x04"[..], "a zip or Excel file (xlsx); open it and save the sheet as CSV"),
        (b"PK\x05\x06", "an empty zip file"),
        (b"\xD0\xCF\x11\xE0", "an old Excel or Word file (xls, doc); open it and save the sheet as CSV"),
        (b"%PDF", "a PDF file; the reception system must write CSV"),
        (b"\x1F\x8B", "a gzip file; unpack it first"),
        (b"7z\xBC\xAF\x27\x1C", "a 7-Zip file; unpack it first"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\xFF\xFE", "UTF-16; save it as CSV UTF-8"),
        (b"\xFE\xFF", "UTF-16; save it as CSV UTF-8"),
    ] {
        if bytes.starts_with(start) {
            return Some(kind);
        }
    }
    let start = &bytes[..bytes.len().min(4096)];
    let plain = start.strip_prefix(MARK).unwrap_or(start).trim_ascii_start();
    let begins =
        |with: &str| plain.get(..with.len()).is_some_and(|p| p.eq_ignore_ascii_case(with.as_bytes()));
    if begins("<!doctype html") || begins("<html") || begins("<?xml") {
        return Some(
            "a web page or XML, which some systems give the name of a spreadsheet; open it and save it as CSV",
        );
    }
    if !start.is_empty() && start.iter().all(|&byte| byte == 0) {
        return Some(
            "nothing but NUL bytes at its beginning: it was not written completely, or the disk is damaged",
        );
    }
    // ASCII letters and line ends of UTF-16 are every other byte NUL.
    let nuls = |odd: usize| start.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    if start.len() >= 16 && even.max(odd) * 8 > start.len() && even.min(odd) * 8 < even.max(odd) {
        return Some("UTF-16 without its mark; save it as CSV UTF-8");
    }
    // Escape sequences of ISO-2022-JP.
    if [&b"\x1B$B"[..], b"\x1B$@", b"\x1B(J"].iter().any(|escape| start.windows(3).any(|w| w == *escape)) {
        return Some("JIS (ISO-2022-JP); have it written as CP932 or UTF-8");
    }
    None
}

/// Line and byte in the line of a place, from 1.
fn place(bytes: &[u8], at: usize) -> (u64, u64) {
    let before = &bytes[..at.min(bytes.len())];
    let ends = |(index, byte): (usize, &u8)| {
        *byte == b'\n' || (*byte == b'\r' && before.get(index + 1) != Some(&b'\n') && index + 1 < bytes.len())
    };
    let line = before.iter().enumerate().filter(|&(index, byte)| ends((index, byte))).count();
    let start = before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |end| end + 1);
    (line as u64 + 1, (before.len() - start) as u64 + 1)
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Undecodable {
    let at = error.valid_up_to();
    let (line, byte) = place(bytes, at);
    if error.error_len().is_none() {
        let problem =
            "expected UTF-8, found the end of the file in the middle of a character: is the file complete?";
        return Undecodable { at: Some((line, byte)), problem: problem.to_owned() };
    }
    let found = format!("expected UTF-8, found the byte 0x{:02X}", bytes[at]);
    // What is UTF-8 with characters before is no other encoding as a whole.
    let wide_before = !bytes[..at].is_ascii();
    let hint = if wide_before {
        "; what stands before is UTF-8, so the file mixes encodings or is damaged here"
    } else {
        other_than_utf8(bytes).unwrap_or("; save the file as CSV UTF-8")
    };
    Undecodable { at: Some((line, byte)), problem: format!("{found}{hint}") }
}

/// What bytes that are not UTF-8 look like.
fn other_than_utf8(bytes: &[u8]) -> Option<&'static str> {
    let half = |c: char| ('\u{FF61}'..='\u{FF9F}').contains(&c);
    // Of EUC-JP much reads as half-width katakana.
    let share = |text: &str| {
        let wide = text.chars().filter(|c| !c.is_ascii()).count();
        (text.chars().filter(|&c| half(c)).count() * 100).checked_div(wide).unwrap_or(0)
    };
    let windows = cp932_plain(bytes).ok();
    let euc = EUC_JP.decode_without_bom_handling_and_without_replacement(bytes);
    match (windows, euc) {
        (Some(windows), Some(euc)) if share(&windows) > 40 && share(&euc) < 20 => {
            Some("; this looks like EUC-JP: have it written as CP932 or UTF-8")
        }
        (Some(_), _) => Some(
            "; this looks like CP932, the profile says utf-8: write encoding = \"cp932\" there, or save the file as UTF-8",
        ),
        (None, Some(_)) => Some("; this looks like EUC-JP: have it written as CP932 or UTF-8"),
        (None, None) => None,
    }
}

fn cp932(bytes: &[u8]) -> Result<String, Undecodable> {
    if bytes.starts_with(MARK) || looks_like_utf8(bytes) {
        let problem = "this looks like UTF-8, the profile says cp932: write encoding = \"utf-8\" there";
        return Err(Undecodable { at: None, problem: problem.to_owned() });
    }
    let (at, length) = match cp932_plain(bytes) {
        Ok(text) => return Ok(text),
        Err(found) => found,
    };
    let (line, byte) = place(bytes, at);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let problem = if at + length >= bytes.len() && length == 1 && is_lead(bytes[at]) {
        "expected CP932, found the end of the file in the middle of a character: is the file complete?"
            .to_owned()
    } else {
        // Of a first byte with a wrong second one, both tell.
        let shown = if is_lead(bytes[at]) { 2 } else { 1 };
        let found = hex(&bytes[at..(at + shown).min(bytes.len())]);
        let hint = if bytes[..at].is_ascii() {
            "is it in another encoding?"
        } else {
            "what stands before is CP932, so the file mixes encodings or is damaged here"
        };
        format!("expected CP932, found the bytes 0x{found}, which are no character; {hint}")
    };
    Err(Undecodable { at: Some((line, byte)), problem })
}

/// Text of Japanese characters in UTF-8 is hardly ever well-formed by chance.
fn looks_like_utf8(bytes: &[u8]) -> bool {
    let japanese = |c: &char| matches!(c, '\u{3000}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}');
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().filter(japanese).nth(1).is_some())
}

fn is_lead(byte: u8) -> bool {
    matches!(byte, 0x81..=0x9F | 0xE0..=0xFC)
}

/// Decodes, or says where the first malformed bytes are and how many.
fn cp932_plain(bytes: &[u8]) -> Result<String, (usize, usize)> {
    let mut decoder = SHIFT_JIS.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len() * 3);
    let mut text = String::with_capacity(room);
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty => Ok(text),
        DecoderResult::Malformed(length, after) => {
            let (length, after) = (usize::from(length), usize::from(after));
            Err((read.saturating_sub(length + after), length))
        }
        // There was room for all.
        DecoderResult::OutputFull => Err((read, 0)),
    }
}

/// First and last external character of CP932, and what they decode to.
const GAIJI: (u16, u16) = (0xF040, 0xF9FC);
const GAIJI_FIRST: u32 = 0xE000;

/// External characters (外字): which characters the codes stand for that a city has given out itself.
///
/// Keys are codes of CP932 (`F040` to `F9FC`) or places in the private use area (`U+E000`); both name the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Gaiji {
    by_code: BTreeMap<char, String>,
    by_text: BTreeMap<String, char>,
}

/// Most characters that stand for one external character: a character and its variation selector, or a few in brackets.
const GAIJI_TEXT: usize = 8;

impl TryFrom<BTreeMap<String, String>> for Gaiji {
    type Error = String;
    fn try_from(table: BTreeMap<String, String>) -> Result<Self, String> {
        let mut gaiji = Self::default();
        for (key, text) in table {
            let code = code(&key).ok_or_else(|| {
                format!("gaiji: {key:?} is no external character; expected F040 to F9FC, or U+E000 to U+F8FF")
            })?;
            let length = text.chars().count();
            if !(1..=GAIJI_TEXT).contains(&length) || text.chars().any(|c| c.is_control() || is_private(c)) {
                return Err(format!(
                    "gaiji: {key} stands for {text:?}; expected 1 to {GAIJI_TEXT} characters"
                ));
            }
            // Two codes for one character are usual; the first one is written back.
            gaiji.by_text.entry(text.clone()).or_insert(code);
            if gaiji.by_code.insert(code, text).is_some() {
                return Err(format!("gaiji: {key} is there twice, as {}", name(code)));
            }
        }
        Ok(gaiji)
    }
}

impl Gaiji {
    /// The text with every external character looked up. An error is the first that the table lacks.
    ///
    /// # Errors
    /// The first external character that the table lacks.
    pub fn look_up<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, char> {
        if !text.contains(is_private) {
            return Ok(Cow::Borrowed(text));
        }
        let mut known = String::with_capacity(text.len());
        for c in text.chars() {
            match is_private(c) {
                true => known.push_str(self.by_code.get(&c).ok_or(c)?),
                false => known.push(c),
            }
        }
        Ok(Cow::Owned(known))
    }

    /// The codes and what they stand for, in the order of the codes.
    pub fn entries(&self) -> impl Iterator<Item = (String, &str)> {
        self.by_code.iter().map(|(&code, text)| (name(code), text.as_str()))
    }
}

/// Whether it is of the private use areas, where everybody has other characters.
#[must_use]
pub fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}')
}

/// An external character's code as a table of them names it: `F040` and `U+E000`.
#[must_use]
pub fn name(c: char) -> String {
    match cp932_code(c) {
        Some(code) => format!("{code:04X} (U+{:04X})", u32::from(c)),
        None => format!("U+{:04X}", u32::from(c)),
    }
}

/// The code in CP932 of an external character.
fn cp932_code(c: char) -> Option<u16> {
    let number = u16::try_from(u32::from(c).checked_sub(GAIJI_FIRST)?).ok()?;
    let (row, cell) = (number / 188, number % 188);
    if row >= 10 {
        return None;
    }
    // The second byte leaves 7F out.
    let second = 0x40 + cell + u16::from(cell >= 0x3F);
    Some(((0xF0 + row) << 8) | second)
}

/// The character that a key of the table names.
fn code(key: &str) -> Option<char> {
    if let Some(hex) = key.strip_prefix("U+").or_else(|| key.strip_prefix("u+")) {
        return u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).filter(|&c| is_private(c));
    }
    let code = u16::from_str_radix(key, 16).ok().filter(|code| (GAIJI.0..=GAIJI.1).contains(code))?;
    let (first, second) = (code >> 8, code & 0xFF);
    if key.len() != 4 || !(0x40..=0xFC).contains(&second) || second == 0x7F {
        return None;
    }
    let cell = second - 0x40 - u16::from(second > 0x7F);
    char::from_u32(GAIJI_FIRST + u32::from((first - 0xF0) * 188 + cell))
}

/// A character that an encoding has no code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} has no {found:?} (U+{:04X})", Encoding::Cp932, u32::from(*found))]
pub struct Unmappable {
    /// The character.
    pub found: char,
    /// Its place in the text, in bytes.
    pub index: usize,
}

/// Encodes text as CP932. What Windows and the standards name differently (〜 and ～, − and －) is one code, as it is when
/// decoded.
///
/// # Errors
/// The first character that CP932 has no code for.
pub fn encode(text: &str) -> Result<Vec<u8>, Unmappable> {
    encode_with(text, &Gaiji::default())
}

/// As [`encode`]; what CP932 has no code for becomes the external character that stands for it.
///
/// # Errors
/// The first character that neither CP932 nor the table has a code for.
pub fn encode_with(text: &str, gaiji: &Gaiji) -> Result<Vec<u8>, Unmappable> {
    let mut encoder = SHIFT_JIS.new_encoder();
    let mut bytes = Vec::with_capacity(text.len() + 1);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // A character may be named with its variation selector.
        let two = rest.char_indices().nth(2).map_or(rest, |(at, _)| &rest[..at]);
        let known = |text: &str| gaiji.by_text.get(text).copied().and_then(cp932_code);
        if two.len() > c.len_utf8()
            && let Some(code) = known(two)
        {
            bytes.extend_from_slice(&code.to_be_bytes());
            rest = &rest[two.len()..];
            continue;
        }
        let mut buffer = [0; 4];
        let one = windows_sign(c).encode_utf8(&mut buffer);
        let mut written = [0; 8];
        let (result, _, count) = encoder.encode_from_utf8_without_replacement(one, &mut written, false);
        match (result, known(&rest[..c.len_utf8()]).or_else(|| cp932_code(c))) {
            (EncoderResult::InputEmpty, _) => bytes.extend_from_slice(&written[..count]),
            (_, Some(code)) => bytes.extend_from_slice(&code.to_be_bytes()),
            (_, None) => return Err(Unmappable { found: c, index: text.len() - rest.len() }),
        }
        rest = &rest[c.len_utf8()..];
    }
    Ok(bytes)
}

/// Signs that have one code in CP932 and two characters in Unicode, as Windows names them.
///
/// The other names come from JIS X 0208 and are what other systems, and UTF-8 files, often have.
#[must_use]
pub fn windows_sign(c: char) -> char {
    match c {
        '\u{301C}' => '\u{FF5E}', // 〜 to ～
        '\u{2212}' => '\u{FF0D}', // − to －
        '\u{2016}' => '\u{2225}', // ‖ to ∥
        '\u{2014}' => '\u{2015}', // — to ―
        '\u{00A2}' => '\u{FFE0}', // ¢ to ￠
        '\u{00A3}' => '\u{FFE1}', // £ to ￡
        '\u{00AC}' => '\u{FFE2}', // ¬ to ￢
        '\u{00A5}' => '\u{FFE5}', // ¥ to ￥: the byte of \ is no yen sign everywhere
        '\u{203E}' => '\u{FFE3}', // ‾ to ￣
        c => c,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gaiji(table: &[(&str, &str)]) -> Result<Gaiji, String> {
        let own = |&(key, text): &(&str, &str)| (key.to_owned(), text.to_owned());
        Gaiji::try_from(table.iter().map(own).collect::<BTreeMap<_, _>>())
    }

    fn told(bytes: &[u8], encoding: Encoding) -> (Option<(u64, u64)>, String) {
        let Undecodable { at, problem } = decode(bytes.to_vec(), encoding).unwrap_err();
        (at, problem)
    }

    #[test]
    fn cp932_goes_there_and_back() {
        for (bytes, text) in [
            (&b"\x8e\xf3\x95t\x94\xd4\x8d\x86"[..], "受付番号"),
            (b"\xb6\xde\xdd\xc0", "ｶﾞﾝﾀ"),
            (b"\x87\x40\x87\x8a\x87\x54", "①㈱Ⅰ"),
            (b"\xfb\xfc\xfa\xb1\xf1\x40", "髙﨑\u{E0BC}"),
            (b"1,\"\x82`\"\r\n", "1,\"Ａ\"\r\n"),
            (b"\x81\x60\x81\x7c\x81\x61\x81\x5c\x81\x91\x81\x92\x81\xca", "～－∥―￠￡￢"),
            (b"\\~", "\\~"),
        ] {
            assert_eq!(decode(bytes.to_vec(), Encoding::Cp932).unwrap(), text);
            assert_eq!(encode(text).unwrap(), bytes, "{text}");
        }
        // What NEC and IBM both have a code for is written as Windows writes it.
        assert_eq!(decode(b"\xee\xe0\xed\x95".to_vec(), Encoding::Cp932).unwrap(), "髙﨑");
        // The other names of signs are the same codes.
        assert_eq!(encode("〜−‖—¢£¬¥‾").unwrap(), encode("～－∥―￠￡￢￥￣").unwrap());
    }

    /// All that can be decoded can be encoded, and gives the same text again.
    #[test]
    fn every_code_of_cp932() {
        let mut codes = 0;
        for first in 0x81..=0xFC_u8 {
            for second in 0x40..=0xFC_u8 {
                let Ok(text) = cp932_plain(&[first, second]) else { continue };
                if text.chars().count() == 1 {
                    assert_eq!(
                        cp932_plain(&encode(&text).unwrap()).unwrap(),
                        text,
                        "{first:02X}{second:02X}"
                    );
                    codes += 1;
                }
            }
        }
        // 7,724 characters with a code or two, and 1,880 external ones.
        assert!(codes > 9_000, "{codes}");
    }

    #[test]
    fn what_cp932_has_no_code_for_is_named_and_never_replaced() {
        for (text, found, index) in
            [("吉野家は𠮷野家", '𠮷', 12), ("a\u{0301}", '\u{0301}', 1), ("😀", '😀', 0)]
        {
            assert_eq!(encode(text), Err(Unmappable { found, index }), "{text}");
        }
        let table = gaiji(&[("F040", "𠮷"), ("F041", "葛\u{E0100}"), ("U+E002", "鷗")]).unwrap();
        let bytes = b"\xf0\x40\x96\xec\xf0\x41\x8a\x8b\xf0\x42";
        assert_eq!(encode_with("𠮷野葛\u{E0100}葛鷗", &table).unwrap(), bytes);
        let text = decode(bytes.to_vec(), Encoding::Cp932).unwrap();
        assert_eq!(table.look_up(&text).unwrap(), "𠮷野葛\u{E0100}葛鷗");
    }

    #[test]
    fn external_characters() {
        let table = gaiji(&[("F040", "𠮷"), ("F9FC", "槗"), ("U+E0BC", "(はしごだか)")]).unwrap();
        assert_eq!(table.look_up("\u{E000}田\u{E757}\u{E0BC}").unwrap(), "𠮷田槗(はしごだか)");
        assert_eq!(table.look_up("a\u{E001}\u{E002}"), Err('\u{E001}'));
        assert_eq!(name('\u{E001}'), "F041 (U+E001)");
        assert_eq!((name('\u{E03F}'), name('\u{E758}')), ("F080 (U+E03F)".to_owned(), "U+E758".to_owned()));
        for key in ["F03F", "F07F", "F0FD", "EFFC", "FA40", "U+4E00", "U+", "", "0F040"] {
            assert!(gaiji(&[(key, "𠮷")]).unwrap_err().contains("no external character"), "{key}");
        }
        for text in ["", "\u{E001}", "a\nb", "123456789"] {
            assert!(gaiji(&[("F040", text)]).unwrap_err().contains("1 to 8 characters"), "{text:?}");
        }
        assert!(gaiji(&[("F040", "a"), ("U+E000", "b")]).unwrap_err().contains("twice"));
    }

    #[test]
    fn another_encoding_is_recognised() {
        let text = "受付番号,町丁目\r\n0001,紙屋町一丁目 ﾀﾝｽ\r\n";
        let windows = encode(text).unwrap();
        let euc = EUC_JP.encode(text).0.into_owned();
        let sixteen = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let (at, problem) = told(&windows, Encoding::Utf8);
        assert!(problem.contains("this looks like CP932, the profile says utf-8"), "{problem}");
        assert_eq!(at, Some((1, 1)));
        let (_, problem) = told(text.as_bytes(), Encoding::Cp932);
        assert!(problem.contains("this looks like UTF-8, the profile says cp932"), "{problem}");
        let marked = [MARK, b"a,b\n"].concat();
        assert!(told(&marked, Encoding::Cp932).1.contains("looks like UTF-8"));
        assert_eq!(decode(marked, Encoding::Utf8).unwrap(), "a,b\n");
        assert!(told(&euc, Encoding::Utf8).1.contains("looks like EUC-JP"));
        for encoding in [Encoding::Utf8, Encoding::Cp932] {
            assert!(
                told(&[&b"\xFF\xFE"[..], &sixteen(u16::to_le_bytes)].concat(), encoding)
                    .1
                    .contains("UTF-16;")
            );
            let plain: Vec<u8> =
                "no,date,town\n1,2026-04-01,x\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert!(told(&plain, encoding).1.contains("UTF-16 without"));
            assert!(told(b"\x1B$B<u\x1B(B,a\n", encoding).1.contains("JIS (ISO-2022-JP)"));
        }
    }

    #[test]
    fn other_kinds_of_files_are_recognised() {
        for (bytes, kind) in [
            (&b"PK\x03\x04\x14\0\x06\0"[..], "a zip or Excel file"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel"),
            (b"%PDF-1.7\n%\xE2\xE3", "a PDF"),
            (b"\x1F\x8B\x08\0", "a gzip"),
            (b"\r\n<HTML><table>", "a web page"),
            (&[0; 5000], "nothing but NUL"),
        ] {
            for encoding in [Encoding::Utf8, Encoding::Cp932] {
                let (at, problem) = told(bytes, encoding);
                assert!(at.is_none() && problem.contains(kind), "{problem}");
            }
        }
    }

    #[test]
    fn what_is_damaged_is_named_by_line_and_byte() {
        for (bytes, encoding, at, problem) in [
            (&b"a,b\r\n1,\x8e\r\n"[..], Encoding::Cp932, (2, 3), "0x8E0D"),
            (
                b"\x8e\xf3\r1,\xff",
                Encoding::Cp932,
                (2, 3),
                "0xFF, which are no character; what stands before is CP932",
            ),
            (b"a\n\n\x8e\xf3\x95", Encoding::Cp932, (3, 3), "in the middle of a character"),
            (
                "町\n町\r\n1,\u{753A}".as_bytes().split_last().unwrap().1,
                Encoding::Utf8,
                (3, 3),
                "in the middle",
            ),
            (
                b"\xe7\x94\xba\n1,\x92\x86\n",
                Encoding::Utf8,
                (2, 3),
                "0x92; what stands before is UTF-8, so the file mixes",
            ),
            // An overlong form, and half of a surrogate.
            (b"a,b\n1,\xc0\xaf\n", Encoding::Utf8, (2, 3), "0xC0"),
            (b"a,b\n1,\xed\xa0\x80\n", Encoding::Utf8, (2, 3), "0xED"),
        ] {
            let told = told(bytes, encoding);
            assert!(told.0 == Some(at) && told.1.contains(problem), "{bytes:?}: {told:?}");
        }
    }
}
