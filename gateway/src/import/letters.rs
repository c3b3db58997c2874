//! How characters that mean the same are made alike: signs with two names, half and full width, old and new forms.
//!
//! Texts keep what the resident wrote but for what only a machine would write otherwise: signs that CP932 has one code
//! for, and widths. Where values are compared (keys, columns' names, wards, districts, a `map`), more counts as alike.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use super::value::narrow;
use crate::encoding::{Gaiji, windows_sign};

/// Which character the wave dash of CP932 (8160) becomes, and the other one in UTF-8 files as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveDash {
    /// 〜 (U+301C), as standards and most keyboards have it.
    #[default]
    WaveDash,
    /// ～ (U+FF5E), as Windows has it.
    FullwidthTilde,
}

/// What becomes of half and full width in texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// Katakana becomes full-width, letters and digits half-width.
    #[default]
    Normalize,
    /// Texts stay as they are.
    Keep,
}

/// Whether old and new forms of a character count as the same where values are looked up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variants {
    /// Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// More groups of characters that count as the same, like `["渕淵渊"]`.
    #[serde(default)]
    pub also: Vec<String>,
}

impl Default for Variants {
    fn default() -> Self {
        Self { enabled: true, also: Vec::new() }
    }
}

fn yes() -> bool {
    true
}

/// Forms of one character in names of places and people, the usual one first. Characters that are merely alike, as 園 and
/// 薗 are, are no forms of each other.
pub const FORMS: &[&str] = &[
    "高髙",
    "崎﨑嵜",
    "浜濱濵",
    "辺邊邉",
    "斎齋斉齊",
    "沢澤",
    "広廣",
    "島嶋嶌",
    "桜櫻",
    "竜龍",
    "国國",
    "真眞",
    "栄榮",
    "恵惠",
    "寿壽",
    "富冨",
    "吉𠮷",
    "徳德",
    "黒黑",
    "瀬瀨",
    "横橫",
    "緑綠",
    "条條",
    "亀龜",
    "滝瀧",
    "関關",
    "戸戶",
    "万萬",
    "与與",
    "円圓",
    "県縣",
    "駅驛",
    "鉄鐵鐡",
    "区區",
    "号號",
    "番畨",
    "学學斈",
    "会會",
    "旧舊",
    "台臺",
    "芦蘆",
    "桧檜",
    "桑桒",
    "曽曾",
    "荘莊",
    "薮藪",
    "鴎鷗",
    "祢禰",
    "弥彌",
    "郎郞",
    "青靑",
    "清淸",
    "蔵藏",
    "穂穗",
    "静靜",
    "児兒",
    "実實",
    "宝寶",
    "来來",
    "為爲",
    "巌巖",
    "峰峯",
    "橋𣘺槗",
    "松枩",
    "船舩",
    "西覀",
    "内內",
    "柳栁桺",
    "柏栢",
    "土圡",
    // The forms of IBM, whose names editors like to change into the usual ones.
    "塚\u{FA10}",
    "晴\u{FA12}",
    "猪\u{FA16}",
    "益\u{FA17}",
    "礼\u{FA18}",
    "神\u{FA19}",
    "祥\u{FA1A}",
    "福\u{FA1B}",
    "靖\u{FA1C}",
    "精\u{FA1D}",
    "羽\u{FA1E}",
    "諸\u{FA22}",
    "逸\u{FA25}",
    "都\u{FA26}",
    "飯\u{FA2A}",
    "飼\u{FA2B}",
    "鶴\u{FA2D}",
    "朗\u{F929}",
    "隆\u{F9DC}",
    "館舘\u{FA2C}",
    "ケヶ",
    "カヵ",
];

/// A profile's rules for characters.
#[derive(Debug, Clone)]
pub(super) struct Letters {
    gaiji: Gaiji,
    wave_dash: WaveDash,
    width: Width,
    /// Each form that is not the usual one, with the usual one.
    forms: HashMap<char, char>,
}

impl Letters {
    pub(super) fn of(profile: &super::profile::Profile) -> Self {
        let mut forms = HashMap::new();
        if profile.variants.enabled {
            let also = profile.variants.also.iter().map(String::as_str);
            for group in FORMS.iter().copied().chain(also) {
                let mut group = group.chars();
                // A group of one's own may go on with one that is there.
                let first = group.next().map(|first| forms.get(&first).copied().unwrap_or(first));
                forms.extend(group.filter_map(|other| Some((other, first?))));
            }
        }
        let (gaiji, wave_dash, width) = (profile.gaiji.clone(), profile.wave_dash, profile.width);
        Self { gaiji, wave_dash, width, forms }
    }

    /// A cell with its external characters looked up and its signs of one name. An error is the first external character
    /// that the table lacks.
    pub(super) fn cell<'a>(&self, cell: &'a str) -> Result<Cow<'a, str>, char> {
        let known = self.gaiji.look_up(cell)?;
        Ok(match self.signs(&known) {
            Cow::Borrowed(_) => known,
            Cow::Owned(text) => Cow::Owned(text),
        })
    }

    /// Gives signs the name that the profile chooses.
    pub(super) fn signs<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let sign = |c: char| match c {
            '\u{301C}' | '\u{FF5E}' => match self.wave_dash {
                WaveDash::WaveDash => '\u{301C}',
                WaveDash::FullwidthTilde => '\u{FF5E}',
            },
            // The yen sign and the overline are characters of their own outside CP932.
            '\u{00A5}' | '\u{203E}' => c,
            c => windows_sign(c),
        };
        if text.chars().all(|c| sign(c) == c) {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.chars().map(sign).collect())
    }

    /// A text as it is kept and shown.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.width {
            Width::Normalize => widths(text),
            Width::Keep => Cow::Borrowed(text),
        }
    }

    /// What is compared of a text: widths, signs, spaces and the forms of characters count for nothing.
    pub(super) fn folded(&self, text: &str) -> String {
        let plain = plain(text);
        plain
            .chars()
            .filter(|&c| !c.is_whitespace() && !is_selector(c))
            .map(|c| self.forms.get(&c).copied().unwrap_or(c))
            .collect()
    }
}

/// A text with all that only a machine tells apart made alike: what a key is made of.
///
/// Old and new forms of a character stay apart: 斎藤 and 齋藤 may be two people.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let signs: String =
        wide_kana(text).chars().map(|c| if c == '\u{3000}' { ' ' } else { windows_sign(c) }).collect();
    Cow::Owned(narrow(&signs).into_owned())
}

/// Variation selectors choose among forms of the character before.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Full-width katakana, half-width letters and digits. ①, ㈱ and ㎡ stay, and so does punctuation, but between letters and
/// digits: １－２ is 1-2, and 1ー2, too, where a long vowel can't be.
fn widths(text: &str) -> Cow<'_, str> {
    let wide = |c: char| matches!(c, '\u{FF01}'..='\u{FF9F}' | '\u{3099}' | '\u{309A}' | 'ー' | '‐');
    if !text.contains(wide) {
        return Cow::Borrowed(text);
    }
    let alnum = |c: char| {
        if c.is_ascii() { c } else { narrow(c.encode_utf8(&mut [0; 4])).chars().next().unwrap_or(c) }
    };
    let mut chars: Vec<char> = wide_kana(text).chars().collect();
    for c in &mut chars {
        let thin = alnum(*c);
        if thin.is_ascii_alphanumeric() {
            *c = thin;
        }
    }
    for at in 1..chars.len().saturating_sub(1) {
        let (before, after) = (chars[at - 1], chars[at + 1]);
        let between = before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric();
        let digits = before.is_ascii_digit() && after.is_ascii_digit();
        match chars[at] {
            '－' | '‐' if between => chars[at] = '-',
            'ー' if digits => chars[at] = '-',
            '．' | '，' | '／' | '：' if between => chars[at] = alnum(chars[at]),
            _ => {}
        }
    }
    Cow::Owned(chars.into_iter().collect())
}

/// The full-width forms of U+FF61 to U+FF9F, in order.
const KANA: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜";

/// Makes half-width katakana and its punctuation full-width, and joins marks with their letters: ｶﾞ is ガ.
fn wide_kana(text: &str) -> Cow<'_, str> {
    let half = |c: char| matches!(c, '\u{FF61}'..='\u{FF9F}');
    if !text.contains(|c| half(c) || matches!(c, '\u{3099}' | '\u{309A}')) {
        return Cow::Borrowed(text);
    }
    let mut wide = String::with_capacity(text.len());
    for c in text.chars() {
        let mark = match c {
            'ﾞ' | '\u{3099}' => 1,
            'ﾟ' | '\u{309A}' => 2,
            _ => 0,
        };
        if let Some(joined) = wide.chars().next_back().and_then(|last| voiced(last, mark)) {
            wide.pop();
            wide.push(joined);
        } else if half(c) {
            let index = (u32::from(c) - 0xFF61) as usize;
            wide.push(KANA.chars().nth(index).unwrap_or(c));
        } else {
            wide.push(c);
        }
    }
    Cow::Owned(wide)
}

/// The letter with a voiced (1) or half-voiced (2) mark, where there is one.
fn voiced(letter: char, mark: u32) -> Option<char> {
    let after = |by: u32| char::from_u32(u32::from(letter) + by);
    match (mark, letter) {
        (1, 'ウ') => Some('ヴ'),
        (1, 'う') => Some('ゔ'),
        (1, 'ワ') => Some('ヷ'),
        (1, 'ヲ') => Some('ヺ'),
        (1, c)
            if "カキクケコサシスセソタチツテトハヒフヘホかきくけこさしすせそたちつてとはひふへほ"
                .contains(c) =>
        {
            after(1)
        }
        (2, c) if "ハヒフヘホはひふへほ".contains(c) => after(2),
        _ => None,
    }
}

/// Finds values by names that may be written otherwise.
#[derive(Debug, Clone)]
pub(super) struct Lookup<T> {
    exact: HashMap<String, T>,
    /// None where different values' names are alike: only the very name finds one of these.
    alike: HashMap<String, Option<T>>,
}

impl<T: Clone + PartialEq> Lookup<T> {
    pub(super) fn new(letters: &Letters, named: impl IntoIterator<Item = (String, T)>) -> Self {
        let (mut exact, mut alike) = (HashMap::new(), HashMap::new());
        for (name, value) in named {
            let folded = letters.folded(&name);
            let known: &mut Option<T> = alike.entry(folded).or_insert_with(|| Some(value.clone()));
            if known.as_ref() != Some(&value) {
                *known = None;
            }
            exact.insert(name, value);
        }
        Self { exact, alike }
    }

    pub(super) fn find(&self, letters: &Letters, name: &str) -> Option<&T> {
        self.exact.get(name).or_else(|| self.alike.get(&letters.folded(name))?.as_ref())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::import::profile::Profile;

    fn letters(settings: &str) -> Letters {
        let demo = include_str!("../../../tests/demo/day.profile.toml");
        Letters::of(&Profile::parse(&format!("{settings}\n{demo}")).unwrap())
    }

    #[test]
    fn texts_have_one_width() {
        for (text, expected) in [
            ("ｶﾞﾗｽﾃｰﾌﾞﾙ･ﾊﾟｲﾌﾟ｢ｳﾞ｣", "ガラステーブル・パイプ「ヴ」"),
            ("１－２－３０５号室", "1-2-305号室"),
            ("1ー2ー3", "1-2-3"),
            ("３‐４，５００／Ａ：１．５", "3-4,500/A:1.5"),
            ("か\u{3099}は\u{309A}", "がぱ"),
            // What is no width stays, and so does the punctuation of a text.
            ("①㈱㎡㌔℡Ⅳ﨑髙\u{FA19}（裏）！　奥", "①㈱㎡㌔℡Ⅳ﨑髙\u{FA19}（裏）！　奥"),
            ("スーパー－裏", "スーパー－裏"),
            ("ﾞﾝ", "゛ン"),
        ] {
            assert_eq!(letters("").text(text), expected);
            assert_eq!(letters("width = \"keep\"").text(text), text);
            assert_eq!(letters("").text(expected), expected, "it is kept as it is");
        }
    }

    #[test]
    fn signs_have_one_name() {
        let mixed = "9時〜10時～、a−b－c‖∥¢¥";
        assert_eq!(letters("").signs(mixed), "9時〜10時〜、a－b－c∥∥￠¥");
        assert_eq!(letters("wave_dash = \"fullwidth_tilde\"").signs(mixed), "9時～10時～、a－b－c∥∥￠¥");
        assert!(matches!(letters("").signs("中区A"), Cow::Borrowed(_)));
    }

    #[test]
    fn keys_are_alike_whatever_a_machine_makes_of_them() {
        for (one, other) in
            [("Ａ－１", "A-1"), ("ﾊﾞｹﾂ", "バケツ"), ("1〜2", "1～2"), ("a−b", "a－b"), ("中　区", "中 区")]
        {
            assert_eq!(plain(one), plain(other));
        }
        assert_ne!(plain("斎藤"), plain("齋藤"));
    }

    #[test]
    fn old_and_new_forms_are_found_and_ambiguous_names_are_not() {
        let named =
            |names: &[&str]| names.iter().map(|&name| (name.to_owned(), name.to_owned())).collect::<Vec<_>>();
        let all = letters("");
        let known = Lookup::new(&all, named(&["高須区A", "崎", "斎", "斉", "千駄ケ谷", "渕"]));
        for (written, expected) in [
            ("髙須区Ａ", Some("高須区A")),
            ("高須区 A", Some("高須区A")),
            ("﨑", Some("崎")),
            ("千駄ヶ谷", Some("千駄ケ谷")),
            ("斉", Some("斉")),
            ("齊", None),
            ("淵", None),
            ("高須区B", None),
        ] {
            assert_eq!(known.find(&all, written).map(String::as_str), expected, "{written}");
        }
        let own = letters("variants = { also = [\"渕淵\", \"嵜㟢\"] }");
        let known = Lookup::new(&own, named(&["渕", "崎", "葛"]));
        for (written, expected) in [("淵", "渕"), ("㟢", "崎"), ("葛\u{E0101}", "葛")] {
            assert_eq!(known.find(&own, written).unwrap(), expected);
        }
        let none = letters("variants = { enabled = false }");
        assert_eq!(Lookup::new(&none, named(&["崎"])).find(&none, "﨑"), None);
    }

    /// No character is of two groups: what is alike would depend on the order.
    #[test]
    fn every_form_stands_once() {
        let mut all: Vec<char> = FORMS.iter().flat_map(|group| group.chars()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(FORMS.iter().all(|group| group.chars().count() > 1));
    }
}
