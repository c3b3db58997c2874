//! Marks that turn the direction of writing (U+202A to U+202E, U+2066 to U+2069). No Japanese text needs them, and with
//! them a text can read as another one.

use std::borrow::Cow;

/// Whether it is such a mark.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without them.
pub(crate) fn without(text: &str) -> Cow<'_, str> {
    if text.contains(turns) { Cow::Owned(text.replace(turns, "")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_they_go() {
        assert_eq!(without("\u{202e}4\u{202c}4\u{2066}1\u{2069}7"), "4417");
        assert!(matches!(without("大手町四丁目 4417\n\u{200b}"), Cow::Borrowed(_)));
    }
}
