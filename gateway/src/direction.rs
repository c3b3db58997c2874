//! Marks that turn the direction of writing, and others that write on a screen what is not there. No Japanese text needs
//! them, and with them a text can read as another one.

use std::borrow::Cow;

use meguri_config::is_plain;

/// Whether it is a mark that turns the direction of writing.
fn turns(c: char) -> bool {
    !c.is_control() && !is_plain(c)
}

/// The text without them.
pub(crate) fn without(text: &str) -> Cow<'_, str> {
    if text.contains(turns) { Cow::Owned(text.replace(turns, "")) } else { Cow::Borrowed(text) }
}

/// What came from outside, for a person's screen: what would move its cursor or turn the writing shows as its code.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| !is_plain(c) || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_they_go() {
        assert_eq!(without("\u{202e}4\u{202c}4\u{2066}1\u{2069}7"), "4417");
        assert!(matches!(without("大手町四丁目 4417\n\u{200b}"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_from_outside_moves_the_cursor() {
        let topic = "meguri/1/広島/t-1/up/\u{1b}[2K\r\u{9b}1m\n9\tdone\u{202e}";
        assert_eq!(printable(topic), r"meguri/1/広島/t-1/up/\u{1b}[2K\r\u{9b}1m\n9\tdone\u{202e}");
    }
}
