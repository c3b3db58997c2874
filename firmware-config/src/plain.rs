//! What may stand in a text that people are shown.

/// Whether a character only stands there: it drives no screen (control characters), and does not turn the direction of writing
/// (U+202A to U+202E, U+2066 to U+2069; Unicode Standard Annex 9, section 2), by which a text can read as another one.
///
/// ```
/// use meguri_config::is_plain;
///
/// assert!("第一収集 (株) – Ⅱ".chars().all(is_plain));
/// assert!(!['\n', '\u{1b}', '\u{9b}', '\u{202e}', '\u{2066}'].into_iter().any(is_plain));
/// ```
#[must_use]
pub fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character that is not seen where it stands, so that two names can look like one: a soft hyphen, spaces of no width, joiners, marks
/// of direction and of lines. What chooses among the forms of a Chinese character (U+FE00 to U+FE0F, U+E0100 to U+E01EF) is none of them.
pub(crate) fn unseen(text: &str) -> Option<char> {
    let hidden = |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    text.chars().find(hidden)
}
