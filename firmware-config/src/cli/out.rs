//! What a command says on stdout and stderr.
//!
//! Much of it was written by others, in files and by the office. Nothing of that may drive the screen it is shown on, so that
//! everything that is said goes through here.

use std::fmt::Display;
use std::io::{self, Write as _};

use meguri_config::is_plain;
use serde::Serialize;

/// What is said, in one or more lines, on stdout. What was found is the exit status, whether or not anybody reads on.
pub(super) fn say(lines: impl Display) {
    let _ = writeln!(io::stdout(), "{}", shown(&lines.to_string(), |c| c == '\n'));
}

/// The same on stderr.
pub(super) fn note(lines: impl Display) {
    let _ = writeln!(io::stderr(), "{}", shown(&lines.to_string(), |c| c == '\n'));
}

/// What a program reads.
pub(super) fn json(value: &impl Serialize) {
    // What can't be written says nothing: its reader sees that nothing came.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    // JSON has such characters within its texts alone, where their codes mean the same.
    let code =
        |c: char| if c == '\n' || is_plain(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    let _ = writeln!(io::stdout(), "{}", text.chars().map(code).collect::<String>());
}

/// A text of somebody else within a line: it stays in it.
pub(super) fn plain(text: &str) -> String {
    shown(text, |_| false)
}

/// A text with the codes of what would drive a screen, but for what is meant to.
fn shown(text: &str, meant: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) || meant(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}
