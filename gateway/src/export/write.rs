//! Rows become a file's bytes, every character accounted for; and a file that is there whole, or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::characters::{Characters, Instead, named};
use super::profile::{Encoding, Formula, LineEnd, Profile, ProfileError, Quoting, Rows};
use super::rows::Results;

/// A file that is made, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Made {
    /// The file. Not to be used where [`Made::cannot`] holds something.
    pub(super) bytes: Vec<u8>,
    /// Lines below the header.
    pub(super) lines: u64,
    /// Characters that the encoding can't hold.
    pub(super) cannot: Vec<Cannot>,
    /// What was written instead of something else.
    pub(super) substituted: Vec<Substituted>,
    /// How many cells have an apostrophe before them now.
    pub(super) neutralised: u64,
}

/// A character that the encoding can't hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cannot {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The character.
    pub character: char,
    /// Its code point, like `U+20BB7`.
    pub code: String,
}

/// A place in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line, from 1, as an editor counts them.
    pub line: u64,
    /// The column's number, from 1.
    pub column: usize,
    /// Its name.
    pub name: String,
}

/// What was written instead of something else, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Substituted {
    /// What stood there.
    pub of: String,
    /// What was written.
    pub to: String,
    /// Every place; one that is there twice has it twice.
    pub at: Vec<Place>,
}

/// Why no file could be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The profile can't be used.
    #[error("can't use the profile: {0}")]
    Profile(#[from] ProfileError),
    /// A column has no value.
    #[error("column {number} ({name}): {problem}")]
    Value {
        /// Its number, from 1.
        number: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Makes the file.
pub(super) fn make(profile: &Profile, results: &Results) -> Result<Made, MakeError> {
    let characters = profile.characters()?;
    let mut sheet = Sheet {
        profile,
        characters: &characters,
        bytes: Vec::new(),
        line: 1,
        cannot: Vec::new(),
        substituted: BTreeMap::new(),
        neutralised: 0,
    };
    if profile.encoding == Encoding::Utf8Bom {
        sheet.bytes.extend_from_slice(b"\xEF\xBB\xBF");
    }
    if profile.header {
        let names: Vec<String> = profile.columns.iter().map(|column| column.name.clone()).collect();
        sheet.row(&names);
    }
    let mut lines = 0;
    for pickup in &results.pickups {
        let items: Vec<_> = match profile.rows {
            Rows::Pickup => vec![None],
            // One that has no item has a line all the same.
            Rows::Item if pickup.items.is_empty() => vec![None],
            Rows::Item => pickup.items.iter().map(Some).collect(),
        };
        for item in items {
            let value = |(index, column): (usize, &super::profile::Column)| {
                pickup.value(column, item).map_err(|problem| MakeError::Value {
                    number: index + 1,
                    name: column.name.clone(),
                    problem,
                })
            };
            let cells: Vec<String> =
                profile.columns.iter().enumerate().map(value).collect::<Result<_, _>>()?;
            sheet.row(&cells);
            lines += 1;
        }
    }
    let substituted =
        sheet.substituted.into_iter().map(|((of, to), at)| Substituted { of, to, at }).collect();
    Ok(Made { bytes: sheet.bytes, lines, cannot: sheet.cannot, substituted, neutralised: sheet.neutralised })
}

struct Sheet<'a> {
    profile: &'a Profile,
    characters: &'a Characters,
    bytes: Vec<u8>,
    line: u64,
    cannot: Vec<Cannot>,
    substituted: BTreeMap<(String, String), Vec<Place>>,
    neutralised: u64,
}

impl Sheet<'_> {
    fn row(&mut self, cells: &[String]) {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.put(index, &self.profile.delimiter.to_string());
            }
            self.cell(index, cell, cells.len() == 1);
        }
        self.bytes.extend_from_slice(match self.profile.line_end {
            LineEnd::Crlf => b"\r\n",
            LineEnd::Lf => b"\n",
        });
        self.line += 1;
    }

    fn cell(&mut self, index: usize, cell: &str, alone: bool) {
        let place =
            Place { line: self.line, column: index + 1, name: self.profile.columns[index].name.clone() };
        let substituted = &mut self.substituted;
        let mut text = self.characters.substituted(cell, |Instead { of, to }| {
            substituted.entry((of, to)).or_default().push(place.clone());
        });
        // After substitutes, which may have made one.
        if self.profile.formula == Formula::Neutralise && is_formula(&text) {
            text.insert(0, '\'');
            self.neutralised += 1;
        }
        let (delimiter, quote) = (self.profile.delimiter, self.profile.quote);
        let needed = text.contains([delimiter, quote, '\r', '\n'])
            || text.starts_with(char::is_whitespace)
            || text.ends_with(char::is_whitespace)
            // A line that is empty is none to most readers.
            || (alone && text.is_empty());
        if needed || self.profile.quoting == Quoting::Always {
            let mut quoted = String::with_capacity(text.len() + 2);
            quoted.push(quote);
            for c in text.chars() {
                if c == quote {
                    quoted.push(quote);
                }
                quoted.push(c);
            }
            quoted.push(quote);
            text = quoted;
        }
        self.put(index, &text);
        // As editors count: a carriage return and a line feed are one.
        let breaks = text.replace("\r\n", "\n").matches(['\r', '\n']).count();
        self.line += u64::try_from(breaks).unwrap_or(u64::MAX);
    }

    fn put(&mut self, index: usize, text: &str) {
        let name = &self.profile.columns[index].name;
        let (line, cannot) = (self.line, &mut self.cannot);
        self.characters.put(text, &mut self.bytes, |character| {
            let place = Place { line, column: index + 1, name: name.clone() };
            let code = format!("U+{:04X}", u32::from(character));
            cannot.push(Cannot { place, character, code });
        });
    }
}

/// Whether a spreadsheet would take the cell for a formula: those of Japan take full-width signs, too.
pub(crate) fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

impl Cannot {
    /// The character with its code point, for people.
    pub(super) fn named(&self) -> String {
        named(self.character)
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is one of that name.
    #[error("{} is there already, and is not written over; take it away, name another file, or say --force", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder can't be used.
    #[error("can't use the folder {} for the file: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It can't be written.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a file so that whoever watches the folder finds it whole or not at all, and a crash leaves nothing half: a
/// temporary file whose name begins with a dot, fsync, rename, fsync of the folder.
pub(super) fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), WriteError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = |source| WriteError::Folder { dir: dir.to_owned(), source };
    let failed = |doing| move |source| WriteError::File { doing, path: path.to_owned(), source };
    let Some(name) = path.file_name() else {
        return Err(failed("write")(io::Error::from(io::ErrorKind::InvalidFilename)));
    };
    let kind = fs::metadata(dir).map_err(folder)?;
    if !kind.is_dir() {
        return Err(folder(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let exists = || WriteError::Exists { path: path.to_owned() };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            return Err(failed("write")(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        Ok(_) if !force => return Err(exists()),
        _ => {}
    }
    let temporary = dir.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    // Of a killed run that had this number.
    let _ = fs::remove_file(&temporary);
    // For its owner and group alone: a note may be in it.
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o640).open(&temporary).map_err(folder)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write"));
    let done = written.and_then(|()| {
        if !force {
            // A name that somebody else took meanwhile is not taken from him.
            match fs::hard_link(&temporary, path) {
                Ok(()) => return fs::remove_file(&temporary).map_err(failed("finish")),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists()),
                // A folder without links, as on a stick: looking must do.
                Err(_) if path.exists() => return Err(exists()),
                Err(_) => {}
            }
        }
        fs::rename(&temporary, path).map_err(failed("put in place"))
    });
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
        return done;
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use encoding_rs::SHIFT_JIS;
    use proptest::prelude::*;

    use super::*;

    /// A profile of so many columns whose values the tests give.
    fn profile(columns: usize, settings: &str) -> Profile {
        let column = |n: usize| format!("[[columns]]\nname = \"c{n}\"\nconstant = \"\"\n");
        let columns: String = (1..=columns).map(column).collect();
        Profile::parse(&format!("name = \"x\"\n{settings}\n{columns}")).unwrap()
    }

    fn rows(profile: &Profile, rows: &[Vec<String>]) -> (Vec<u8>, Vec<Cannot>, u64, u64) {
        let characters = profile.characters().unwrap();
        let mut sheet = Sheet {
            profile,
            characters: &characters,
            bytes: Vec::new(),
            line: 1,
            cannot: Vec::new(),
            substituted: BTreeMap::new(),
            neutralised: 0,
        };
        rows.iter().for_each(|row| sheet.row(row));
        (sheet.bytes, sheet.cannot, sheet.neutralised, sheet.line)
    }

    fn one(settings: &str, cell: &str) -> (String, u64) {
        let profile = profile(2, settings);
        let (bytes, _, neutralised, _) = rows(&profile, &[vec![cell.to_owned(), "x".to_owned()]]);
        (String::from_utf8(bytes).unwrap(), neutralised)
    }

    #[test]
    fn cells_that_would_be_formulas_are_text() {
        for (cell, written) in [
            ("=CMD|'/C calc'!A0", "'=CMD|'/C calc'!A0"),
            ("+1+1", "'+1+1"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠A1", "'＠A1"),
            ("=\"a\",1", "\"'=\"\"a\"\",1\""),
        ] {
            let written = written.replace("\"'\t=1\"", "'\t=1");
            assert_eq!(one("", cell), (format!("{written},x\r\n"), 1), "{cell:?}");
            let kept = one("formula = \"keep\"", cell);
            assert!(!kept.0.contains("'=") && !kept.0.contains("'＝") && kept.1 == 0, "{kept:?}");
        }
        for cell in
            ["0417", "0", "", "1-2", "a=b", "令和8年4月1日", "'", "－".repeat(2).split_off(6).as_str()]
        {
            assert_eq!(one("", cell), (format!("{cell},x\r\n"), 0), "{cell:?}");
        }
        // A substitute makes one, too.
        let settings = "encoding = \"cp932\"\nsubstitutes = { \"═\" = \"=\" }";
        assert_eq!(one(settings, "═1"), ("'=1,x\r\n".to_owned(), 1));
    }

    #[test]
    fn line_ends_and_quotes_are_the_profiles() {
        assert_eq!(one("line_end = \"lf\"\ndelimiter = \"\\t\"", "a,b").0, "a,b\tx\n");
        assert_eq!(one("quoting = \"always\"\nquote = \"'\"", "it's").0, "'it''s','x'\r\n");
        let single = profile(1, "");
        assert_eq!(rows(&single, &[vec![String::new()]]).0, b"\"\"\r\n", "an empty line would be none");
    }

    #[test]
    fn what_can_not_be_held_is_told_with_its_place() {
        let profile = profile(2, "encoding = \"cp932\"");
        let table = [["a\nb", "𠮷"], ["ok", "槗x"]].map(|row| row.map(str::to_owned).to_vec());
        let (_, cannot, _, lines) = rows(&profile, &table);
        let told: Vec<String> = cannot.iter().map(|one| format!("{} {}", one.place, one.named())).collect();
        assert_eq!(told, ["line 2, column 2 (c2) 𠮷 (U+20BB7)", "line 3, column 2 (c2) 槗 (U+69D7)"]);
        assert_eq!(lines, 4);
    }

    fn cell() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("\""),
            Just(","),
            Just("\n"),
            Just("\r\n"),
            Just("'"),
            Just(";"),
            Just("\t"),
            Just(" "),
            Just("　"),
            Just("ソ"),
            Just("表"),
            Just("収集"),
            Just("ﾀﾝｽ"),
            Just("髙"),
            Just("0417"),
            Just("x"),
            Just("～"),
        ];
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        /// Whatever stands in the cells, a reader of CSV gets them back.
        #[test]
        fn every_cell_reads_back(
            table in prop::collection::vec(prop::collection::vec(cell(), 3), 1..6),
            always in any::<bool>(),
            lf in any::<bool>(),
            delimiter in prop::sample::select(vec![",", ";", "\\t"]),
            cp932 in any::<bool>(),
        ) {
            let settings = format!(
                "formula = \"keep\"\nquoting = \"{}\"\nline_end = \"{}\"\ndelimiter = \"{delimiter}\"\nencoding = \"{}\"",
                if always { "always" } else { "needed" },
                if lf { "lf" } else { "crlf" },
                if cp932 { "cp932" } else { "utf-8" },
            );
            let profile = profile(3, &settings);
            let (bytes, cannot, _, line) = rows(&profile, &table);
            prop_assert!(cannot.is_empty());
            let text = if cp932 { SHIFT_JIS.decode(&bytes).0.into_owned() } else { String::from_utf8(bytes).unwrap() };
            let breaks = text.replace("\r\n", "\n").matches('\n').count();
            prop_assert_eq!(line, 1 + breaks as u64);
            let mut reader = csv::ReaderBuilder::new();
            reader.has_headers(false).delimiter(u8::try_from(profile.delimiter).unwrap());
            let mut reader = reader.from_reader(text.as_bytes());
            let back: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            prop_assert_eq!(back, table);
        }
    }
}
