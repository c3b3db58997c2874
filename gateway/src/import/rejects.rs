//! The rejected lines of a file as a file of their own: header and lines byte for byte as they stood, to be corrected and
//! imported again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Rejected;

/// Cuts header and rejected lines out of a file's bytes, in whatever encoding: line breaks are the same in all that
/// are read.
pub(super) fn cut(content: &[u8], rejected: &Rejected) -> Vec<u8> {
    let mut out = Vec::new();
    let mut places = rejected.places.iter().copied().peekable();
    for (number, line) in (1_u64..).zip(Lines { rest: content }) {
        while places.next_if(|(_, last)| *last < number).is_some() {}
        let is_rejected = places.peek().is_some_and(|(first, _)| *first <= number);
        if number <= rejected.header || is_rejected {
            out.extend_from_slice(line);
        }
    }
    out
}

/// The file beside another one that takes its rejected lines.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".rejected.csv");
    name.into()
}

/// Writes a file that is there whole or not at all, for its owner alone: it holds residents' data. Never overwrites.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // Unlike a renaming, this fails where there is one.
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // A disk that knows no links.
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
                    // Half of it must not pass for all.
                    let _ = fs::remove_file(path);
                })
            }
            linked => linked,
        }
    };
    let written = write();
    let removed = fs::remove_file(&temporary);
    written?;
    removed?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Lines with what ends them.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = match self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            None => self.rest.len(),
            Some(at) if self.rest[at..].starts_with(b"\r\n") => at + 2,
            Some(at) => at + 1,
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cuts_lines_as_they_stood() {
        let content = b"\xEF\xBB\xBFa,b\r\n1,\x92\x86\r2,\"x\n\ny\"\n3\r\n4,4";
        for (header, places, expected) in [
            (1, vec![(2, 2)], &b"\xEF\xBB\xBFa,b\r\n1,\x92\x86\r"[..]),
            (1, vec![(3, 5), (7, 7)], b"\xEF\xBB\xBFa,b\r\n2,\"x\n\ny\"\n4,4"),
            (0, vec![(6, 6)], b"3\r\n"),
        ] {
            let rejected = Rejected { header, places, ..Rejected::default() };
            assert_eq!(cut(content, &rejected), expected);
        }
    }

    #[test]
    fn never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let path = beside(&dir.path().join("day.csv"));
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(dir.path().join("day.csv.rejected.csv")).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
