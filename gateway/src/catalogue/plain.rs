//! Texts made alike for search: hiragana and katakana, full and half width, large and small letters count as one.

use unicode_normalization::UnicodeNormalization as _;

/// The text as it is looked for: compatibility forms (NFKC) in small letters, katakana as hiragana, without blanks, middle
/// dots and brackets.
#[must_use]
pub fn plain(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|&c| !is_passed_over(c)).map(hiragana).collect()
}

fn is_passed_over(c: char) -> bool {
    c.is_whitespace() || matches!(c, '・' | '(' | ')' | '「' | '」' | '[' | ']' | '、' | ',' | '\'' | '"')
}

fn hiragana(c: char) -> char {
    match c {
        // ァ to ヶ lie as far from ぁ to ゖ, and so do the signs of repetition.
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_reads_alike_is_alike() {
        for (a, b) in [
            ("アイロン台", "あいろん台"),
            ("ｱｲﾛﾝ台", "アイロン台"),
            ("ﾍﾞｯﾄﾞ", "べっど"),
            ("ＰＳ２", "ps2"),
            ("アイスペール(金属製)", "アイスペール（金属製）"),
            ("ソファー・ベッド", "そふぁー べっど"),
            ("ヴァイオリン", "ゔぁいおりん"),
        ] {
            assert_eq!(plain(a), plain(b), "{a} {b}");
        }
        assert_ne!(plain("ベット"), plain("ベッド"));
        assert_eq!(plain(" 　()"), "");
    }
}
