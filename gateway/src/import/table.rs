//! A CSV file as a header and lines, with the place of whatever is wrong in it.

use std::borrow::Cow;
use std::io::Read as _;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::letters::Letters;
use super::profile::Profile;
use super::report::{Column, Problem};
use crate::direction;

/// Most bytes of a request file, as it comes and as UTF-8 text (128 MiB): as many requests as a file may have, with three
/// lines of 400 bytes each.
pub const FILE_BYTES: usize = 128 * 1024 * 1024;

/// Follows the file's last line. It comes out as a line of its own unless a quote was left open.
///
/// It holds nothing that a profile lets be a delimiter or a quote.
const END: &[u8] = b"\n\x04\n";
const END_CELL: &[u8] = b"\x04";

/// A file that is being read, line by line.
pub(super) struct Table<'a> {
    reader: Reader<std::io::Chain<&'a [u8], &'static [u8]>>,
    /// The names of the columns.
    pub(super) header: Header,
    lines: Lines<'a>,
    record: ByteRecord,
    delimiter: u8,
    quote: u8,
    ended: bool,
}

/// The names of a file's columns.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// As they stand in the file or the profile.
    pub(super) names: Vec<String>,
    /// What of them is compared.
    alike: Vec<String>,
    letters: Letters,
    /// Whether the file has them; else the profile does.
    in_file: bool,
}

impl Header {
    fn new(names: Vec<String>, letters: Letters, in_file: bool) -> Self {
        let alike = names.iter().map(|name| letters.folded(name)).collect();
        Self { names, alike, letters, in_file }
    }

    /// The indices of the columns with this name; where there are none, of those whose name is merely written otherwise.
    fn named_so(&self, name: &str) -> Vec<usize> {
        let all = |names: &[String], name: &str| -> Vec<usize> {
            (0..names.len()).filter(|&index| names[index] == name).collect()
        };
        let same = all(&self.names, name);
        if same.is_empty() { all(&self.alike, &self.letters.folded(name)) } else { same }
    }

    /// The column's index. The problem says that the header lacks it or has it twice.
    pub(super) fn column(&self, name: &str) -> Result<usize, Problem> {
        match self.named_so(name)[..] {
            [index] => Ok(index),
            [] => Err(self.lacks(&[name])),
            [first, second, ..] => Err(Problem::at(
                1,
                Some(self.named(second)),
                format!(
                    "expected each column once, found it twice, as columns {} and {}",
                    first + 1,
                    second + 1
                ),
            )),
        }
    }

    /// The index of the first such column.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.named_so(name).first().copied()
    }

    /// Those of these columns that the header lacks.
    pub(super) fn lacking<'n>(&self, names: &'n [String]) -> Vec<&'n str> {
        names.iter().filter(|name| self.find(name).is_none()).map(String::as_str).collect()
    }

    /// Looks whether the header has all of these columns.
    pub(super) fn expect(&self, names: &[String]) -> Result<(), Problem> {
        let lacking = self.lacking(names);
        if lacking.is_empty() { Ok(()) } else { Err(self.lacks(&lacking)) }
    }

    fn lacks(&self, names: &[&str]) -> Problem {
        let columns = if names.len() == 1 { "a column" } else { "columns" };
        Problem::at(
            1,
            None,
            format!("expected {columns} {}, found only {}", listed(names), listed(&self.names)),
        )
    }

    /// A column's number and name.
    pub(super) fn named(&self, index: usize) -> Column {
        Column { number: index + 1, name: self.names.get(index).cloned().unwrap_or_default() }
    }
}

/// One line's cells, trimmed, as many as the header has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1; where it goes over several, that of the first.
    pub(super) number: u64,
    /// Its cells.
    pub(super) cells: Vec<String>,
}

/// What comes next in a file.
pub(super) enum Next {
    Line(Line),
    /// A line that can't be taken; reading can go on.
    Bad(Problem),
    End,
}

impl<'a> Table<'a> {
    /// Begins to read a file.
    ///
    /// The problem is one of the whole file: nothing of it can be read.
    pub(super) fn open(content: &'a [u8], profile: &Profile) -> Result<Self, Problem> {
        if content.len() > FILE_BYTES {
            return Err(too_large());
        }
        if content.starts_with(&[0xFE, 0xFF]) || content.starts_with(&[0xFF, 0xFE]) {
            return Err(Problem::of_file("expected UTF-8, found UTF-16; save it as CSV UTF-8"));
        }
        // The mark that spreadsheets put before UTF-8.
        let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
        let content = without_end_mark(content);
        let empty = || {
            let what = if profile.header { "a header with the columns' names" } else { "lines" };
            Problem::of_file(format!("expected {what}, found an empty file"))
        };
        if content.iter().all(u8::is_ascii_whitespace) {
            return Err(empty());
        }
        let letters = Letters::of(profile);
        let (delimiter, quote) = (byte(profile.delimiter), byte(profile.quote));
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .quote(quote)
            .from_reader(content.chain(END));
        let mut table = Self {
            reader,
            header: Header::new(profile.columns.clone(), letters.clone(), false),
            lines: Lines { content, at: 0, line: 1 },
            record: ByteRecord::new(),
            delimiter,
            quote,
            ended: false,
        };
        if !profile.header {
            return Ok(table);
        }
        let number = table.read()?.ok_or_else(empty)?;
        // The cell is named by its number: its text may be a resident's line.
        if let Some((cell, problem)) = table.misquoted(0) {
            return Err(Problem::at(number, None, format!("column {}: {problem}", cell + 1)));
        }
        let names = table.cells(number)?;
        let known = |name: String| letters.cell(&name).map(Cow::into_owned).unwrap_or(name.clone());
        table.header = Header::new(names.into_iter().map(known).collect(), letters.clone(), true);
        Ok(table)
    }

    /// The next line that has anything on it. An error is one of the whole file.
    pub(super) fn next(&mut self) -> Result<Next, Problem> {
        loop {
            let from = self.reader.position().byte();
            let Some(number) = self.read()? else { return Ok(Next::End) };
            if let Some((cell, problem)) = self.misquoted(from) {
                return Ok(Next::Bad(Problem::at(number, Some(self.header.named(cell)), problem)));
            }
            let (found, expected) = (self.record.len(), self.header.names.len());
            let mut cells = self.cells(number)?;
            // Spreadsheets end files with lines of delimiters alone.
            if cells.iter().all(String::is_empty) {
                continue;
            }
            // Some systems write a delimiter behind the last cell, too.
            if found > expected && cells[expected..].iter().all(String::is_empty) {
                cells.truncate(expected);
            }
            if cells.len() != expected {
                let hint = if found > expected { "; quote cells that hold the delimiter" } else { "" };
                let of = if self.header.in_file { "the header" } else { "the profile's columns" };
                let problem = format!("expected {expected} cells as in {of}, found {found}{hint}");
                return Ok(Next::Bad(Problem::at(number, None, problem)));
            }
            return Ok(Next::Line(Line { number, cells }));
        }
    }

    /// Reads a record and says on which line it starts; none at the end.
    fn read(&mut self) -> Result<Option<u64>, Problem> {
        if self.ended {
            return Ok(None);
        }
        let from = self.reader.position().byte();
        let read = self.reader.read_byte_record(&mut self.record);
        let number = self.lines.at(from);
        match read {
            Ok(true) => {}
            Ok(false) => self.ended = true,
            // Reading memory can't fail, and lines of any length are allowed.
            Err(error) => return Err(Problem::at(number, None, format!("can't be read: {error}"))),
        }
        // Only behind the file is it the end: a file may hold the same characters.
        let behind = self.reader.position().byte() > self.lines.content.len() as u64;
        if behind && self.record.len() == 1 && self.record.get(0) == Some(END_CELL) {
            self.ended = true;
            return Ok(None);
        }
        let swallowed = || self.record.iter().next_back().is_some_and(|cell| cell.ends_with(END));
        if self.ended || (behind && swallowed()) {
            let problem = "expected a closing quote, found the end of the file";
            return Err(Problem::at(number, None, problem));
        }
        Ok(Some(number))
    }

    /// What is wrong with the quotes of the record that was read from the bytes at `from` on: a quote that is missing
    /// must not make one request's line a part of another's text.
    fn misquoted(&self, from: u64) -> Option<(usize, &'static str)> {
        let place = |byte| usize::try_from(byte).unwrap_or(usize::MAX).min(self.lines.content.len());
        let raw = &self.lines.content[place(from)..place(self.reader.position().byte())];
        if !raw.contains(&self.quote) {
            return None;
        }
        if let Some(cell) = self.goes_on_behind_a_quote(raw) {
            return Some((cell, "expected the cell to end with its closing quote, found more of it"));
        }
        // A line that was swallowed leads to the very column where its own quote ended it: its delimiters tell. Of the
        // first two columns they can't.
        let swallows = |(index, cell): (usize, &[u8])| {
            let ends = cell.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
            let delimiters = |line: &[u8]| line.iter().filter(|&&byte| byte == self.delimiter).count();
            index > 1 && ends.is_some_and(|end| delimiters(&cell[end..]) == index)
        };
        let cell = self.record.iter().enumerate().position(swallows)?;
        Some((
            cell,
            "expected one cell, found what reads like another line of the table in its quotes: is a quote missing? If not, take the line break out of the cell",
        ))
    }

    /// The index of the cell where something follows a closing quote.
    fn goes_on_behind_a_quote(&self, raw: &[u8]) -> Option<usize> {
        let mut bytes = raw.iter().copied().peekable();
        // What ends the line before stands before the record.
        while bytes.next_if(|byte| matches!(byte, b'\n' | b'\r')).is_some() {}
        let ends = |byte: u8| byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        let mut cell = 0;
        while bytes.peek().is_some() {
            if bytes.next_if_eq(&self.quote).is_some() {
                // A doubled quote is one inside the cell.
                while bytes.next().is_some_and(|byte| byte != self.quote)
                    || bytes.next_if_eq(&self.quote).is_some()
                {}
                if bytes.peek().is_some_and(|&byte| !ends(byte)) {
                    return Some(cell);
                }
            }
            while bytes.next().is_some_and(|byte| !ends(byte)) {}
            cell += 1;
        }
        None
    }

    fn cells(&self, line: u64) -> Result<Vec<String>, Problem> {
        let cell = |(index, bytes): (usize, &[u8])| match std::str::from_utf8(bytes) {
            Ok(text) => Ok(tidy(text)),
            Err(error) => {
                let found = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
                let problem =
                    format!("expected UTF-8, found the byte 0x{found:02X}; save the file as CSV UTF-8");
                Err(Problem::at(line, Some(self.header.named(index)), problem))
            }
        };
        self.record.iter().enumerate().map(cell).collect()
    }
}

pub(super) fn too_large() -> Problem {
    Problem::of_file(format!("expected at most {FILE_BYTES} bytes, found more; split the file"))
}

/// Old systems mark a file's end with Ctrl-Z, and may fill it up with more of them.
fn without_end_mark(content: &[u8]) -> &[u8] {
    let end = |byte: u8| byte == 0x1A || byte.is_ascii_whitespace();
    let rest = content.len() - content.iter().rev().take_while(|&&byte| end(byte)).count();
    // Line ends before the mark are the file's own.
    let mark = content[rest..].iter().position(|&byte| byte == 0x1A);
    mark.map_or(content, |at| &content[..rest + at])
}

/// Trims a cell. Line breaks become one kind, tabs become spaces, and marks that turn the direction of writing go: on a
/// crew's screen a number must read as it stands.
fn tidy(text: &str) -> String {
    let plain = direction::without(text);
    let text = plain.trim();
    if text.contains(['\r', '\t']) {
        return text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    }
    text.to_owned()
}

/// The profile's check lets ASCII through only.
fn byte(c: char) -> u8 {
    u8::try_from(c).unwrap_or(b',')
}

/// Names for an error: the first few, shortened.
fn listed(names: &[impl AsRef<str>]) -> String {
    let mut text = names
        .iter()
        .take(30)
        .map(|name| name.as_ref().chars().take(20).collect::<String>())
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 30 {
        text.push_str(", …");
    }
    text
}

/// Counts lines up to a place in the file, as an editor shows them.
struct Lines<'a> {
    content: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The number of the line on which the record that is read from `byte` on begins. Places must not go back.
    fn at(&mut self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.content.len());
        while self.at < byte {
            self.step();
        }
        // What ends the line before, and empty lines, stand before the record.
        while matches!(self.content.get(self.at), Some(b'\n' | b'\r')) {
            self.step();
        }
        self.line
    }

    fn step(&mut self) {
        let next = self.content.get(self.at + 1);
        match self.content.get(self.at) {
            Some(b'\n') => self.line += 1,
            Some(b'\r') if next != Some(&b'\n') => self.line += 1,
            _ => {}
        }
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn profile() -> Profile {
        Profile::parse(include_str!("../../../tests/demo/day.profile.toml")).unwrap()
    }

    fn read(content: &[u8]) -> Result<Vec<Line>, Problem> {
        let profile = profile();
        let mut table = Table::open(content, &profile)?;
        let mut lines = vec![Line { number: 0, cells: table.header.names.clone() }];
        loop {
            match table.next()? {
                Next::Line(line) => lines.push(line),
                Next::Bad(problem) => return Err(problem),
                Next::End => return Ok(lines),
            }
        }
    }

    fn numbers(content: &str) -> Vec<u64> {
        read(content.as_bytes()).unwrap().into_iter().map(|line| line.number).collect()
    }

    fn problem(content: &[u8]) -> String {
        read(content).unwrap_err().to_string()
    }

    #[test]
    fn cells_are_trimmed_and_lines_counted_whatever_ends_them() {
        let lines =
            read("a,b\n 1 ,\u{3000}２\u{3000}\n\"x,\ny\",\"say \"\"z\"\"\"\n\n3,4".as_bytes()).unwrap();
        assert_eq!(lines[1].cells, ["1", "２"]);
        assert_eq!(lines[2].cells, ["x,\ny", "say \"z\""]);
        for end in ["\n", "\r\n", "\r"] {
            let content = "a,b\n1,2\n\"x\ny\",2\n\n\n3,4\n".replace('\n', end);
            assert_eq!(numbers(&content), [0, 2, 3, 7], "{end:?}");
            assert_eq!(numbers(content.trim_end()), [0, 2, 3, 7], "{end:?}");
        }
        assert_eq!(numbers("\u{FEFF}a,b\n1,2\n"), [0, 2]);
        assert_eq!(numbers("a,b\n"), [0]);
        assert_eq!(read("\u{FEFF}\"a\",b".as_bytes()).unwrap()[0].cells, ["a", "b"]);
    }

    #[test]
    fn what_is_no_table() {
        for content in ["", "\u{FEFF}", "\n\n", "  \r\n"] {
            assert!(problem(content.as_bytes()).contains("empty file"), "{content:?}");
        }
        assert!(problem(b"\xFF\xFEa\0,\0").contains("UTF-16"));
    }

    #[test]
    fn names_line_and_column_of_other_encodings() {
        // 受付 in Shift_JIS.
        assert!(
            problem(b"a,\x8e\xf3\x95t\n").starts_with("line 1, column 2"),
            "{}",
            problem(b"a,\x8e\xf3\n")
        );
        let found = problem(b"a,b\n1,2\n3,\xe5\x8c\n");
        assert!(found.starts_with("line 3, column 2 (b): expected UTF-8"), "{found}");
        // An overlong form, and half of a surrogate.
        assert!(problem(b"a,b\n1,\xc0\xaf\n").contains("0xC0"));
        assert!(problem(b"a,b\n1,\xed\xa0\x80\n").contains("0xED"));
    }

    #[test]
    fn lines_of_another_length_and_open_quotes() {
        let found = problem(b"a,b\n1,2\n3\n");
        assert_eq!(found, "line 3: expected 2 cells as in the header, found 1");
        assert!(problem(b"a,b\n1,2,3\n").contains("found 3; quote"));
        for open in ["a,b\n1,2\n3,\"x\n5,6\n", "a,b\n1,2\n\"3,x\n", "a,b\n1,2\n3,\""] {
            assert_eq!(
                problem(open.as_bytes()),
                "line 3: expected a closing quote, found the end of the file",
                "{open:?}"
            );
        }
        assert!(problem(b"\"a,b\n1,2\n").starts_with("line 1: expected a closing quote"));
    }

    #[test]
    fn a_quote_that_is_missing_swallows_no_line() {
        for (content, place) in [
            ("a,b\n1,2\n\"3\"x,4\n", "line 3, column 1 (a): expected the cell to end"),
            ("a,b\n1,2\n3,\"4\"\"5\"6\"\n", "line 3, column 2 (b): expected the cell to end"),
            // Where a cell of line 2 and the same of line 3 each have one quote, the file still reads as a table.
            ("a,b,c,d,e\n1,2,3,\"4,5\n1,2,3,4\",5\n", "line 2, column 4 (d): expected one cell"),
            ("a,b,c,d\n1,2,3,\"4\n1,2,3,4\n1,2,3,4\"\n", "line 2, column 4 (d): expected one cell"),
            ("a,b,c\n1,2,\"3\n1,2,3\"\n", "line 2, column 3 (c): expected one cell"),
            ("a,b,\"c\n1,2,\"3\"\n1,2,\"3\"\n", "line 1: column 3: expected the cell to end"),
            ("a,b,\"c\n1,2,3\"\n1,2,3\n", "line 1: column 3: expected one cell"),
        ] {
            let found = problem(content.as_bytes());
            assert!(found.starts_with(place), "{content:?}: {found}");
        }
        for good in [
            "a,b\n\"\",\"x\"\"y\"\n",
            "a,b\r\n\r\n\"1\",\r\n,\"2\"",
            "a,b,c,d\n1,2,3,\"4, 4\nand, \"\"5\"\"\"\n",
            "a,b,c,d,e\n1,2,3,\"4\n4,4,4,4,4\n4,4\",5\n",
            "a,\"b\nb\"\n1,2\n",
        ] {
            assert!(read(good.as_bytes()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn any_delimiter_reads_to_the_end() {
        for delimiter in [';', '\t', ' ', 'e', '|'] {
            let profile = Profile { delimiter, ..profile() };
            let content = "a,b\n1,2\n".replace(',', &delimiter.to_string());
            let mut table = Table::open(content.as_bytes(), &profile).unwrap();
            assert!(
                matches!(table.next(), Ok(Next::Line(line)) if line.cells == ["1", "2"]),
                "{delimiter:?}"
            );
            assert!(matches!(table.next(), Ok(Next::End)), "{delimiter:?}");
        }
        let content = b"a,b\n1,\"\n\x04\n\"\n3,4\n";
        assert!(read(content).is_ok_and(|lines| lines.len() == 3));
    }

    #[test]
    fn a_quote_inside_a_plain_cell_is_a_character() {
        assert_eq!(read(b"a,b\n5\" pipe,2\n").unwrap()[1].cells, ["5\" pipe", "2"]);
    }

    #[test]
    fn columns_by_name() {
        let profile = profile();
        let table = Table::open(b"a,b,c,b\n", &profile).unwrap();
        let table = table.header;
        assert_eq!(table.column("a"), Ok(0));
        assert!(
            table.column("b").unwrap_err().to_string().contains("column 4 (b): expected each column once")
        );
        let missing = table.column("d").unwrap_err().to_string();
        assert!(missing.contains("expected a column d, found only a, b, c, b"), "{missing}");
    }
}
