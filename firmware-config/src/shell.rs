//! Commands that people are shown, to be copied into a shell.

use std::borrow::Cow;

/// A word of a shell's command line, quoted where it must be.
///
/// ```
/// use meguri_config::shell_word;
///
/// assert_eq!(shell_word("/srv/office-1"), "/srv/office-1");
/// assert_eq!(shell_word("/srv/the city's data"), r"'/srv/the city'\''s data'");
/// assert_eq!(shell_word(""), "''");
/// ```
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}
