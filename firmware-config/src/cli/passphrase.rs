//! Passphrases: asked at the terminal, or read from files.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

use super::fault::Fault;
use super::{files, out};

/// Fewest characters of a new one. Argon2id makes each guess cost a tenth of a second and 64 MiB.
const LEAST: usize = 12;
// What keys send (ASCII).
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_H: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;
/// Longest file of a passphrase.
const FILE_BYTES: usize = 4 * 1024;

/// Where passphrases come from.
pub(super) struct Passphrases<'a> {
    files: &'a [PathBuf],
}

impl<'a> Passphrases<'a> {
    /// From these files: one for all keys, or one for each in their order. Without any they are asked.
    pub(super) fn new(files: &'a [PathBuf], keys: usize) -> Result<Self, Fault> {
        if files.len() > 1 && files.len() != keys {
            let problem =
                format!("{} passphrase files for {keys} keys: give one for all, or one each", files.len());
            return Err(Fault::misuse(problem));
        }
        Ok(Self { files })
    }

    /// Of the key at this place.
    pub(super) fn of(&self, index: usize, name: &str) -> Result<String, Fault> {
        match self.file(index) {
            Some(file) => read(file),
            None => ask(&format!("鍵 {name} のパスフレーズ / passphrase of key {name}: ")),
        }
    }

    /// A new one, asked twice.
    pub(super) fn anew(&self, index: usize, name: &str) -> Result<String, Fault> {
        let new = match self.file(index) {
            Some(file) => read(file)?,
            None => {
                let new = ask(&format!("鍵 {name} の新しいパスフレーズ / new passphrase of key {name}: "))?;
                if ask("もう一度 / once more: ")? != new {
                    return Err(Fault::refused("the two passphrases differ; nothing was made"));
                }
                new
            }
        };
        if new.chars().count() < LEAST {
            let problem = format!("the passphrase of key {name} is too short: {LEAST} characters at least");
            return Err(Fault::refused(problem));
        }
        Ok(new)
    }

    fn file(&self, index: usize) -> Option<&Path> {
        self.files.get(if self.files.len() == 1 { 0 } else { index }).map(PathBuf::as_path)
    }
}

/// The first line of a file.
fn read(path: &Path) -> Result<String, Fault> {
    let bytes = files::read(path, FILE_BYTES)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Fault::refused(format!("{} is no text", path.display())))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Fault::refused(format!("{} holds no passphrase in its first line", path.display()))),
    }
}

/// Asks at the terminal itself, whatever stdin is, and shows nothing of the answer.
fn ask(question: &str) -> Result<String, Fault> {
    let none = |error: io::Error| {
        Fault::misuse(format!(
            "a passphrase is needed, and there is no terminal to ask at ({error}): give --passphrase-file"
        ))
    };
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(none)?;
    let shown = tcgetattr(&terminal).map_err(|error| none(error.into()))?;
    let mut hidden = shown.clone();
    // Without signals, too: Ctrl-C is typed like anything else, so that whoever gives up gets back a terminal that shows what is typed.
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    // Without ICANON a read waits for one byte at least, and for no time (termios(3)).
    hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
    hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden).map_err(|error| none(error.into()))?;
    // Asked only now: what is typed from here on is neither shown nor a signal.
    let asked = write!(terminal, "{}", out::plain(question));
    let typed = asked.and_then(|()| typed(&terminal));
    // In any case: a terminal that shows nothing any more is of no use to anybody.
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &shown);
    let _ = writeln!(terminal);
    let typed = typed.map_err(none)?;
    restored.map_err(|error| none(error.into()))?;
    typed.ok_or_else(|| Fault::refused("given up; nothing was changed"))
}

/// A line as it is typed, with its corrections; none where somebody gives up.
fn typed(mut keys: impl Read) -> io::Result<Option<String>> {
    let (mut line, mut key) = (Vec::new(), [0]);
    while keys.read(&mut key)? == 1 {
        match key[0] {
            b'\r' | b'\n' => {
                let text = String::from_utf8(line);
                return text.map(Some).map_err(|_| io::Error::other("what was typed is no UTF-8"));
            }
            CTRL_C | CTRL_D => return Ok(None),
            // A character's first byte goes last (RFC 3629: those that follow are 10xxxxxx).
            CTRL_H | DELETE => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            CTRL_U => line.clear(),
            byte => line.push(byte),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_what_stays_of_it() {
        let line = |keys: &str| typed(keys.as_bytes()).unwrap();
        assert_eq!(line("ごみa\n").as_deref(), Some("ごみa"));
        assert_eq!(line("wrong\u{15}ごみ\u{7f}x\u{8}a\r").as_deref(), Some("ごa"));
        assert_eq!(line("\u{7f}\n").as_deref(), Some(""));
        for given_up in ["abc\u{3}def\n", "\u{4}", "abc"] {
            assert_eq!(line(given_up), None);
        }
    }
}
