//! Passphrases: asked at the terminal, or read from files.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::fault::Fault;
use super::files;

/// Fewest characters of a new one. Argon2id makes each guess cost a tenth of a second and 64 MiB.
const LEAST: usize = 12;
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
    let none = |error: std::io::Error| {
        Fault::misuse(format!(
            "a passphrase is needed, and there is no terminal to ask at ({error}): give --passphrase-file"
        ))
    };
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(none)?;
    let shown = tcgetattr(&terminal).map_err(|error| none(error.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    write!(terminal, "{question}").map_err(none)?;
    tcsetattr(&terminal, OptionalActions::Flush, &hidden).map_err(|error| none(error.into()))?;
    let mut line = String::new();
    let read = BufReader::new(&terminal).read_line(&mut line);
    // In any case: a terminal that shows nothing any more is of no use to anybody.
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &shown);
    let _ = writeln!(terminal);
    read.map_err(none)?;
    restored.map_err(|error| none(error.into()))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
