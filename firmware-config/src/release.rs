//! A release file: the bundles of all terminals under one version, with the key sets that they are judged by, as JSON Lines.
//!
//! First a header, then every key set from the first on, then a bundle for each terminal, each of them a signed envelope that
//! stands here byte for byte as terminals get it. It is read and written line by line: 10,000 terminals have some 50 MB.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use meguri_proto::{CityId, ConfigWhy};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bundle::{BUNDLE_BYTES, Bundle};
use crate::city::short;
use crate::dsse::place;
use crate::keys::{KEYS_BYTES, KeyChain, KeySet, SETS_MOST};
use crate::refused::Refused;

/// Longest header, in bytes.
const HEADER_BYTES: usize = 4 * 1024;
/// Bytes of a line beside its envelope.
const AROUND: usize = 64;
/// Most terminals of a release; ten times what the largest city has.
pub const TERMINALS_MOST: u64 = 100_000;

/// What stands first. It is not signed: nothing is believed of it that the bundles don't say, see [`Header::takes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the file's shape, 1.
    pub v: u64,
    /// The city.
    pub city: CityId,
    /// The version of every bundle in it.
    pub version: u64,
    /// What people call it, like 令和9年度 業者切替.
    pub name: String,
    /// When it was built.
    pub made_at: Timestamp,
    /// Until when terminals accept it.
    pub expires: Timestamp,
    /// The first instant after it was built at which a terminal's contract changes.
    pub switchover_at: Option<Timestamp>,
    /// How many bundles follow.
    pub terminals: u64,
}

impl Header {
    /// A bundle of this release, where its signatures hold and it says the same as the header. For whom, and whether it can still be
    /// accepted, is looked at by [`Bundle::accept`].
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn takes(&self, bytes: &[u8], keys: &KeySet, now: Timestamp) -> Result<Bundle, Refused> {
        let bundle = Bundle::signed(bytes, keys, now)?;
        self.agrees(&bundle)?;
        Ok(bundle)
    }

    /// Whether a bundle says the same as the header.
    ///
    /// # Errors
    /// What it says otherwise.
    pub fn agrees(&self, bundle: &Bundle) -> Result<(), Refused> {
        if bundle.city != self.city {
            let detail = format!("a bundle is of {}, the release of {}", bundle.city, self.city);
            return Err(Refused::new(ConfigWhy::OtherCity, detail));
        }
        let said = (bundle.version, bundle.made_at, bundle.expires);
        if said != (self.version, self.made_at, self.expires) {
            let detail =
                format!("the bundle of {} is of another release than the header says", bundle.terminal);
            return Err(Refused::new(ConfigWhy::OutOfBounds, detail));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.v != 1 {
            return Err(format!("the release has shape {}, this program reads 1", self.v));
        }
        if !(1..=TERMINALS_MOST).contains(&self.terminals) {
            return Err(format!("{} terminals, expected 1 to {TERMINALS_MOST}", self.terminals));
        }
        short("name", &self.name).map_err(|wrong| wrong.to_string())
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Release(Header),
    Keys(Box<RawValue>),
    Bundle(Box<RawValue>),
}

/// Why a release file can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The system.
    #[error("{}, line {line}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// What stands there.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: u64,
        /// What was found and what was expected.
        problem: String,
    },
}

/// A release file that is being read: its header and key sets, then one bundle after the other. What is read is in shape; whether its
/// signatures hold is asked by [`KeyChain::last`] and [`Header::takes`].
#[derive(Debug)]
pub struct Release<R> {
    /// What stands first.
    pub header: Header,
    /// Every key set from the first on.
    pub keys: KeyChain,
    path: PathBuf,
    input: R,
    line: u64,
    first: Option<Box<RawValue>>,
    bundles: u64,
    over: bool,
}

impl Release<BufReader<File>> {
    /// Opens a release file.
    ///
    /// # Errors
    /// When it can't be read, or does not begin as one does.
    pub fn open(path: &Path) -> Result<Self, ReleaseError> {
        let file = File::open(path);
        let file = file.map_err(|source| ReleaseError::Io { path: path.to_owned(), line: 1, source })?;
        Self::read(path, BufReader::new(file))
    }
}

impl<R: BufRead> Release<R> {
    /// Reads a release up to its first bundle; `path` is for errors.
    ///
    /// # Errors
    /// When it can't be read, or does not begin as a release does.
    pub fn read(path: &Path, mut input: R) -> Result<Self, ReleaseError> {
        let mut line = 0;
        let fail = |line, problem: String| ReleaseError::Line { path: path.to_owned(), line, problem };
        let header = match next(path, &mut input, &mut line, HEADER_BYTES)? {
            Some(Line::Release(header)) => header,
            Some(_) | None => return Err(fail(1, "is no header of a release".to_owned())),
        };
        header.check().map_err(|problem| fail(1, problem))?;
        let mut keys = KeyChain { v: 1, sets: Vec::new() };
        let first = loop {
            match next(path, &mut input, &mut line, BUNDLE_BYTES.max(KEYS_BYTES) + AROUND)? {
                Some(Line::Keys(set)) if keys.sets.len() < SETS_MOST => keys.sets.push(set),
                Some(Line::Keys(_)) => return Err(fail(line, format!("is more than {SETS_MOST} key sets"))),
                Some(Line::Bundle(bundle)) => break bundle,
                Some(Line::Release(_)) => return Err(fail(line, "is a second header".to_owned())),
                None => return Err(fail(line, "ends before its first bundle".to_owned())),
            }
        };
        if keys.sets.is_empty() {
            return Err(fail(line, "no key set stands before the bundles".to_owned()));
        }
        let path = path.to_owned();
        Ok(Self { header, keys, path, input, line, first: Some(first), bundles: 0, over: false })
    }

    /// The line of the bundle that was read last, 1 for the file's first.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    fn step(&mut self) -> Result<Option<Box<RawValue>>, ReleaseError> {
        let bundle = match self.first.take() {
            Some(first) => Some(first),
            None => match next(&self.path, &mut self.input, &mut self.line, BUNDLE_BYTES + AROUND)? {
                Some(Line::Bundle(bundle)) => Some(bundle),
                Some(_) => return Err(self.fail("is no bundle".to_owned())),
                None => None,
            },
        };
        let (read, all) = (self.bundles, self.header.terminals);
        match bundle {
            Some(_) if read == all => {
                Err(self.fail(format!("is one bundle more than the {all} of the header")))
            }
            None if read < all => {
                Err(self.fail(format!("ends after {read} of {all} bundles; was it cut short?")))
            }
            bundle => {
                self.bundles += u64::from(bundle.is_some());
                Ok(bundle)
            }
        }
    }

    fn fail(&self, problem: String) -> ReleaseError {
        ReleaseError::Line { path: self.path.clone(), line: self.line, problem }
    }
}

/// The bundles' envelopes, each as it stands in the file. After an error there are no more.
impl<R: BufRead> Iterator for Release<R> {
    type Item = Result<Box<RawValue>, ReleaseError>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let stepped = self.step();
        self.over = !matches!(stepped, Ok(Some(_)));
        stepped.transpose()
    }
}

/// The next line, of at most so many bytes; none at the end. `line` is counted up.
fn next(
    path: &Path,
    input: &mut impl BufRead,
    line: &mut u64,
    most: usize,
) -> Result<Option<Line>, ReleaseError> {
    *line += 1;
    let fail = |problem| ReleaseError::Line { path: path.to_owned(), line: *line, problem };
    let mut bytes = Vec::new();
    // Never more than so many bytes, however long the line is.
    let read = io::Read::take(&mut *input, most as u64 + 1).read_until(b'\n', &mut bytes);
    read.map_err(|source| ReleaseError::Io { path: path.to_owned(), line: *line, source })?;
    if bytes.is_empty() {
        *line -= 1;
        return Ok(None);
    }
    if bytes.len() > most {
        return Err(fail(format!("has more than {most} bytes")));
    }
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| fail(format!("can't be read: {}", place(&error))))
}

/// Writes a release, line by line.
#[derive(Debug)]
pub struct ReleaseWriter<W> {
    path: PathBuf,
    output: W,
    line: u64,
}

impl<W: Write> ReleaseWriter<W> {
    /// Begins a release; `path` is for errors.
    ///
    /// # Errors
    /// When it can't be written, or could not be read again.
    pub fn new(path: &Path, output: W, header: &Header, keys: &KeyChain) -> Result<Self, ReleaseError> {
        let mut writer = Self { path: path.to_owned(), output, line: 0 };
        header.check().map_err(|problem| writer.wrong(1, problem))?;
        writer.write(&Line::Release(header.clone()))?;
        for set in &keys.sets {
            writer.write(&Line::Keys(set.clone()))?;
        }
        Ok(writer)
    }

    /// Adds a bundle's envelope.
    ///
    /// # Errors
    /// When it can't be written, or could not be read again.
    pub fn bundle(&mut self, envelope: Box<RawValue>) -> Result<(), ReleaseError> {
        let bytes = envelope.get().len();
        if bytes > BUNDLE_BYTES {
            let problem =
                format!("the bundle has {bytes} bytes, more than the {BUNDLE_BYTES} that terminals read");
            return Err(self.wrong(self.line + 1, problem));
        }
        self.write(&Line::Bundle(envelope))
    }

    /// Where it was written to, flushed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(mut self) -> Result<W, ReleaseError> {
        self.output.flush().map_err(|source| self.failed(source))?;
        Ok(self.output)
    }

    fn write(&mut self, line: &Line) -> Result<(), ReleaseError> {
        self.line += 1;
        let written = serde_json::to_writer(&mut self.output, line).map_err(io::Error::from);
        written.and_then(|()| self.output.write_all(b"\n")).map_err(|source| self.failed(source))
    }

    fn wrong(&self, line: u64, problem: String) -> ReleaseError {
        ReleaseError::Line { path: self.path.clone(), line, problem }
    }

    fn failed(&self, source: io::Error) -> ReleaseError {
        ReleaseError::Io { path: self.path.clone(), line: self.line, source }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header(terminals: u64) -> Header {
        Header {
            v: 1,
            city: "hiroshima".parse().unwrap(),
            version: 3,
            name: "令和9年度".to_owned(),
            made_at: "2027-02-01T00:00:00Z".parse().unwrap(),
            expires: "2027-05-01T00:00:00Z".parse().unwrap(),
            switchover_at: None,
            terminals,
        }
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn written(terminals: u64, bundles: &[&str]) -> String {
        let keys = KeyChain { v: 1, sets: vec![raw("{\"k\": 1}")] };
        let mut writer =
            ReleaseWriter::new(Path::new("r.release"), Vec::new(), &header(terminals), &keys).unwrap();
        bundles.iter().for_each(|bundle| writer.bundle(raw(bundle)).unwrap());
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    fn read(text: &str) -> Result<Vec<String>, String> {
        let release = Release::read(Path::new("r.release"), text.as_bytes()).map_err(|e| e.to_string())?;
        release.map(|bundle| bundle.map(|raw| raw.get().to_owned()).map_err(|e| e.to_string())).collect()
    }

    #[test]
    fn what_is_written_is_read_byte_for_byte() {
        let bundles = ["{\"a\":  1}", "{\"b\":\"\\u0031\"}"];
        assert_eq!(read(&written(2, &bundles)).unwrap(), bundles);
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        let keys = KeyChain { v: 1, sets: Vec::new() };
        let begin = |header: &Header| ReleaseWriter::new(Path::new("r.release"), Vec::new(), header, &keys);
        assert!(begin(&header(0)).unwrap_err().to_string().contains("line 1: 0 terminals"));
        assert!(begin(&Header { name: String::new(), ..header(1) }).is_err());
        let large = raw(&format!("\"{}\"", "x".repeat(BUNDLE_BYTES)));
        let wrong = begin(&header(1)).unwrap().bundle(large).unwrap_err();
        assert!(wrong.to_string().contains("line 2: the bundle has"), "{wrong}");
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let two = written(2, &["{}", "{}"]);
        let cut = two.len() - 3;
        for (text, line, named) in [
            (String::new(), 1, "no header"),
            (written(2, &["{}"]), 3, "1 of 2 bundles"),
            (written(1, &["{}", "{}"]), 4, "one bundle more"),
            (written(1, &["{}"]).replacen("\"terminals\":1", "\"terminals\":0", 1), 1, "0 terminals"),
            (two[..cut].to_owned(), 4, "can't be read"),
            (two.replacen("{\"keys\"", "{\"bundle\"", 1), 2, "no key set"),
            (two.replacen("\"v\":1", "\"v\":1,\"x\":1", 1), 1, "unknown field `x`"),
            (two.replacen("\"v\":1", "\"v\":1,\"v\":1", 1), 1, "duplicate field `v`"),
            (two.replacen("\"v\":1", "\"v\":2", 1), 1, "shape 2"),
            (
                written(1, &["{}"]).replacen(
                    "{}",
                    &format!("{{\"a\":\"{}\"}}", "x".repeat(BUNDLE_BYTES + AROUND)),
                    1,
                ),
                3,
                "more than",
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert!(
                error.starts_with(&format!("r.release, line {line}: ")) && error.contains(named),
                "{error}"
            );
        }
    }
}
