//! A city's file becomes items, or problems with their places.

use std::collections::HashMap;

use meguri_proto::{Ticket, limits};

use super::profile::Profile;
use super::{Item, Unreadable};
use crate::direction;
use crate::encoding::{self, name};
use crate::import::profile::{Field, ProfileError};
use crate::import::value::{number, shown, tickets, yes};
use crate::import::{Column, Problem, Skipped};

/// Most bytes of a file.
pub const FILE_BYTES: usize = 16 * 1024 * 1024;
/// Most items of a catalogue.
pub const ITEMS: usize = 20_000;
/// Most synonyms of an item, and characters of them all.
const SYNONYMS: (usize, usize) = (200, 4_000);
/// Most problems that are listed.
const LISTED: usize = 100;
/// Follows the file's last line. It comes out as a line of its own unless a quote was left open.
const END: &str = "\u{4}";

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Lines below the header.
    pub lines: u64,
    /// The items, in the file's order.
    pub items: Vec<Item>,
    /// Lines left out, by rule.
    pub skipped: Vec<Skipped>,
    /// What is wrong, the first 100.
    pub problems: Vec<Problem>,
    /// How many more problems there are.
    pub more_problems: u64,
}

/// Reads a file. What is wrong with single lines is told in the reading.
///
/// # Errors
/// When nothing of it can be read.
pub fn read(profile: &Profile, content: &[u8]) -> Result<Reading, Unreadable> {
    if content.len() > FILE_BYTES {
        return Err(whole(format!("expected at most {FILE_BYTES} bytes, found more")));
    }
    let text = encoding::decode(content.to_vec(), profile.encoding).map_err(|error| {
        let (line, byte) = error.at.unzip();
        let byte = byte.map(|byte| format!("byte {byte}: ")).unwrap_or_default();
        Unreadable(Problem { line, column: None, problem: format!("{byte}{}", error.problem) })
    })?;
    let text = direction::without(&text);
    let ended = format!("{text}\n{END}\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(byte(profile.delimiter))
        .quote(byte(profile.quote))
        .from_reader(ended.as_bytes());
    let mut lines = Lines { text: &ended, at: 0, line: 1 };
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| whole(format!("can't be read: {error}")))?;
        let at = record.position().map_or(0, csv::Position::byte);
        let cells = record.iter().map(|cell| cell.trim().replace("\r\n", "\n")).collect();
        rows.push((lines.at(at), cells));
    }
    match rows.pop() {
        Some((_, cells)) if cells == [END] => {}
        last => {
            let line = last.map(|(line, _)| line);
            let problem = "expected a closing quote, found the end of the file".to_owned();
            return Err(Unreadable(Problem { line, column: None, problem }));
        }
    }
    let mut rows = rows.into_iter();
    let Some((_, header)) = rows.next() else {
        return Err(whole("expected a header with the columns' names, found an empty file".to_owned()));
    };
    let columns = Columns::resolve(profile, &header)?;
    let mut reading = Reading {
        skipped: profile.skip.iter().map(|rule| Skipped { rule: rule.name.clone(), lines: 0 }).collect(),
        ..Reading::default()
    };
    let mut keys: HashMap<String, u64> = HashMap::new();
    for (line, cells) in rows {
        reading.lines += 1;
        if cells.len() != header.len() {
            let hint = if cells.len() > header.len() { "; quote cells that hold the delimiter" } else { "" };
            let problem =
                format!("expected {} cells as in the header, found {}{hint}", header.len(), cells.len());
            reading.problem(Problem { line: Some(line), column: None, problem });
            continue;
        }
        let skips = |rule: &usize| profile.skip[*rule].skips(&cells[columns.skip[*rule]]);
        if let Some(rule) = (0..profile.skip.len()).find(skips) {
            reading.skipped[rule].lines += 1;
            continue;
        }
        let mut row = Row { columns: &columns, profile, line, cells: &cells, problems: Vec::new() };
        let item = row.item();
        let problems = row.problems;
        if problems.is_empty() {
            if let Some(first) = keys.get(&item.key) {
                let problem = format!("expected each item once, found the key of line {first} again");
                reading.problem(Problem { line: Some(line), column: None, problem });
                continue;
            }
            keys.insert(item.key.clone(), line);
            if reading.items.len() == ITEMS {
                return Err(whole(format!("expected at most {ITEMS} items, found more")));
            }
            reading.items.push(item);
        }
        problems.into_iter().for_each(|problem| reading.problem(problem));
    }
    Ok(reading)
}

fn whole(problem: String) -> Unreadable {
    Unreadable(Problem { line: None, column: None, problem })
}

/// The profile's check lets ASCII through only.
fn byte(c: char) -> u8 {
    u8::try_from(c).unwrap_or(b',')
}

impl Reading {
    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }
}

/// Where the header has the columns.
struct Columns {
    header: Vec<String>,
    skip: Vec<usize>,
}

impl Columns {
    fn resolve(profile: &Profile, header: &[String]) -> Result<Self, Unreadable> {
        let columns = Self { header: header.to_vec(), skip: Vec::new() };
        let fields = &profile.fields;
        let single = [
            Some(&fields.name),
            fields.key.as_ref(),
            fields.reading.as_ref(),
            fields.size.as_ref(),
            fields.tickets.as_ref(),
            fields.fee.as_ref(),
            fields.accepted.as_ref(),
            fields.recycling.as_ref(),
        ];
        let single = single.into_iter().flatten().chain(fields.ticket.iter().map(|ticket| &ticket.count));
        let named = single.filter_map(|field| field.column.as_deref());
        for name in named.chain(fields.synonyms.as_ref().map(|words| words.column.as_str())) {
            columns.index(name)?;
        }
        let skip = profile.skip.iter().map(|rule| columns.index(&rule.column)).collect::<Result<_, _>>()?;
        Ok(Self { skip, ..columns })
    }

    fn index(&self, name: &str) -> Result<usize, Unreadable> {
        let mut found = (0..self.header.len()).filter(|&index| self.header[index] == name);
        let problem = match (found.next(), found.next()) {
            (Some(index), None) => return Ok(index),
            (Some(_), Some(_)) => format!("expected the column {name} once, found it twice"),
            (None, _) => {
                let known: Vec<String> =
                    self.header.iter().take(30).map(|name| name.chars().take(20).collect()).collect();
                format!("expected a column {name}, found only {}", known.join(", "))
            }
        };
        Err(Unreadable(Problem { line: Some(1), column: None, problem }))
    }
}

/// One line on its way to an item.
struct Row<'a> {
    columns: &'a Columns,
    profile: &'a Profile,
    line: u64,
    cells: &'a [String],
    problems: Vec<Problem>,
}

impl Row<'_> {
    /// The item; to be used only where no problem was found.
    fn item(&mut self) -> Item {
        let fields = &self.profile.fields;
        let name = self.text(Some(&fields.name), limits::SHORT_TEXT, true);
        let key = match &fields.key {
            None => name.clone(),
            key => self.text(key.as_ref(), limits::SHORT_TEXT, true),
        };
        let reading = self.text(fields.reading.as_ref(), 2 * limits::SHORT_TEXT, false);
        let size = self.text(fields.size.as_ref(), limits::LONG_TEXT, false);
        let mut coins = self.get(fields.tickets.as_ref(), tickets).unwrap_or_default();
        for ticket in &fields.ticket {
            let none_or =
                |text: &str| if text.is_empty() { Ok(0) } else { number(text, 0, limits::ITEM_COUNT) };
            let count = self.get(Some(&ticket.count), none_or).unwrap_or_default();
            if count > 0 {
                coins.push(Ticket { yen: ticket.yen, count });
            }
        }
        let fee = |text: &str| {
            if text.is_empty() {
                return Ok(None);
            }
            let plain = text.trim_end_matches('円').replace([',', '，'], "");
            number(plain.trim(), 0, 1_000_000).map(Some)
        };
        let accepted = |text: &str| if text.is_empty() { Ok(true) } else { yes(text) };
        Item {
            key,
            name,
            reading,
            synonyms: self.synonyms(),
            size,
            tickets: coins,
            fee: self.get(fields.fee.as_ref(), fee).flatten(),
            accepted: self.get(fields.accepted.as_ref(), accepted).unwrap_or(true),
            recycling: self.get(fields.recycling.as_ref(), yes).unwrap_or_default(),
        }
    }

    fn synonyms(&mut self) -> Vec<String> {
        let Some(words) = &self.profile.fields.synonyms else { return Vec::new() };
        let Some(text) = self.cell(&words.column) else { return Vec::new() };
        let mut parts = vec![text.as_str()];
        for between in &words.between {
            parts = parts.into_iter().flat_map(|part| part.split(between.as_str())).collect();
        }
        let mut synonyms: Vec<String> = Vec::new();
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            if !synonyms.iter().any(|known| known == part) {
                synonyms.push(part.to_owned());
            }
        }
        let length = text.chars().count();
        if synonyms.len() > SYNONYMS.0 || length > SYNONYMS.1 {
            let (most, characters) = SYNONYMS;
            let found = synonyms.len();
            self.wrong(
                Some(&words.column),
                format!(
                    "expected at most {most} words of {characters} characters, found {found} of {length}"
                ),
            );
        }
        synonyms
    }

    fn text(&mut self, field: Option<&Field>, most: usize, needed: bool) -> String {
        let check = |text: &str| {
            let length = text.chars().count();
            if needed && text.is_empty() {
                return Err("expected a text, found nothing".to_owned());
            }
            if length > most {
                return Err(format!("expected at most {most} characters, found {length}"));
            }
            match text.chars().find(|c| c.is_control()) {
                Some('\n') => Err("expected one line, found a line break: is a quote missing?".to_owned()),
                Some(_) => Err(format!("expected printable characters, found {}", shown(text))),
                None => Ok(text.to_owned()),
            }
        };
        self.get(field, check).unwrap_or_default()
    }

    fn get<T>(&mut self, field: Option<&Field>, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let field = field?;
        let text = match &field.column {
            None => field.constant.clone().unwrap_or_default(),
            Some(column) => {
                let cell = self.cell(column)?;
                match value(field, &cell) {
                    Ok(text) => text,
                    Err(problem) => {
                        self.wrong(Some(column), problem);
                        return None;
                    }
                }
            }
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.wrong(field.column.as_deref(), problem);
                None
            }
        }
    }

    /// A cell with its external characters looked up.
    fn cell(&mut self, column: &str) -> Option<String> {
        let cell = self.columns.index(column).ok().and_then(|index| self.cells.get(index))?;
        match self.profile.gaiji.look_up(cell) {
            Ok(text) => Some(text.into_owned()),
            Err(c) => {
                let problem = format!("the external character {} is not in the profile's [gaiji]", name(c));
                self.wrong(Some(column), problem);
                None
            }
        }
    }

    fn wrong(&mut self, column: Option<&str>, problem: String) {
        let index = column.and_then(|name| self.columns.index(name).ok());
        let column =
            index.map(|index| Column { number: index + 1, name: self.columns.header[index].clone() });
        self.problems.push(Problem { line: Some(self.line), column, problem });
    }
}

/// A cell as the field's settings take it, in the order that request profiles have.
fn value(field: &Field, cell: &str) -> Result<String, String> {
    let mut text = cell;
    if let Some((_, rest)) = field.after.as_deref().and_then(|after| text.split_once(after)) {
        text = rest.trim();
    }
    if let Some((rest, _)) = field.before.as_deref().and_then(|before| text.split_once(before)) {
        text = rest.trim();
    }
    if text.is_empty() {
        return Ok(field.default.clone().unwrap_or_default());
    }
    if !field.map.is_empty() {
        text = field.map.get(text).ok_or_else(|| {
            let known = field.map.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("expected one of {known}, found {}", shown(text))
        })?;
    }
    Ok("0".repeat(field.pad.saturating_sub(text.chars().count())) + text)
}

/// Counts lines up to a place in the file, as an editor shows them. Places must not go back.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let until = usize::try_from(byte).unwrap_or(usize::MAX).min(bytes.len());
        // What ends the line before, and empty lines, stand before the record.
        while self.at < until || matches!(bytes.get(self.at), Some(b'\n' | b'\r')) {
            let alone = bytes[self.at] == b'\r' && bytes.get(self.at + 1) != Some(&b'\n');
            if bytes[self.at] == b'\n' || alone {
                self.line += 1;
            }
            self.at += 1;
        }
        self.line
    }
}

/// Why a profile or a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The profile can't be used.
    #[error("can't use the profile: {0}")]
    Profile(#[from] ProfileError),
    /// Nothing of the file can be read.
    #[error(transparent)]
    File(#[from] Unreadable),
}
