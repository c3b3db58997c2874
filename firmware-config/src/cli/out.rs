//! What a command says on stdout and stderr.

use std::io::{self, Write as _};

use serde::Serialize;

/// A line on stdout. What was found is the exit status, whether or not anybody reads on.
pub(super) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on stderr.
pub(super) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// What a program reads.
pub(super) fn json(value: &impl Serialize) {
    let mut out = io::stdout().lock();
    let _ = serde_json::to_writer_pretty(&mut out, value);
    let _ = writeln!(out);
}
