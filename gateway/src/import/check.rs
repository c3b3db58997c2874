//! `meguri-gateway profile check`: says in plain words how a profile reads files, and shows how it reads a file's first lines.

use std::fmt;

use jiff::civil::Date;
use meguri_config::City;
use serde::Serialize;

use super::columns::Source;
use super::explain::{Language, Part, explain};
use super::line::{Values, key_or, long, short, town};
use super::profile::Profile;
use super::report::{Column, Problem};
use super::table::{Line, Next, Table};
use super::{ImportError, profile, text, value};
use crate::direction::printable;
use crate::encoding::{is_private, name};

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The profile's name.
    pub profile: String,
    /// The profile in plain words.
    pub explained: Vec<Part>,
    /// How it reads the file, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileChecked>,
    #[serde(skip)]
    language: Language,
}

/// How a profile reads a file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileChecked {
    /// The file's name.
    pub name: String,
    /// Columns of the file that nothing is read of.
    pub unused: Vec<Column>,
    /// Columns of the profile that the file lacks.
    pub lacking: Vec<String>,
    /// Why nothing, or nothing more, can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Problem>,
    /// Whether districts, wards and vehicles were looked up: there is a plan of the city.
    pub looked_up: bool,
    /// The first lines.
    pub lines: Vec<LineChecked>,
}

/// How a line is read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LineChecked {
    /// Its number in the file.
    pub line: u64,
    /// The rule that leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The request's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What becomes of its cells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueRead>,
    /// What is wrong on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// What becomes of a cell.
#[derive(Debug, Clone, Serialize)]
pub struct ValueRead {
    /// The field.
    pub field: &'static str,
    /// The column; none for a constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// The value.
    pub value: String,
}

/// Explains a profile, and reads the first lines of a file by it. Without the city's plan, districts, wards and vehicles
/// are shown as they are written.
///
/// # Errors
/// When the profile can't be used. What is wrong with the file is in what was found.
pub fn check(
    profile: &str,
    city: Option<&City>,
    today: Date,
    file: Option<(String, Vec<u8>)>,
    lines: usize,
    language: Language,
) -> Result<Checked, ImportError> {
    let text = profile::dated(profile, today)?;
    let parsed = Profile::parse(&text)?;
    let file = file.map(|(name, content)| read(&text, &parsed, city, name, content, lines));
    Ok(Checked { profile: parsed.name.clone(), explained: explain(&parsed, language), file, language })
}

fn read(
    profile_text: &str,
    profile: &Profile,
    city: Option<&City>,
    name: String,
    content: Vec<u8>,
    most: usize,
) -> FileChecked {
    let mut checked = FileChecked { name, looked_up: city.is_some(), ..FileChecked::default() };
    checked.stopped = first_lines(profile_text, profile, city, content, most, &mut checked).err();
    checked
}

fn first_lines(
    profile_text: &str,
    profile: &Profile,
    city: Option<&City>,
    content: Vec<u8>,
    most: usize,
    checked: &mut FileChecked,
) -> Result<(), Problem> {
    let content = match text(&checked.name, profile_text, content) {
        Ok(content) => content,
        Err(ImportError::Unreadable { problem, .. }) => return Err(problem),
        Err(error) => return Err(Problem::of_file(error.to_string())),
    };
    let mut table = Table::open(content.as_bytes(), profile)?;
    checked.lacking = table.header.lacking(&profile.columns()).into_iter().map(str::to_owned).collect();
    let values = Values::new(profile, city, &[], &table.header)?;
    let columns = &values.columns;
    let unused = |index: &usize| !columns.used.contains(index) && !columns.skip.contains(index);
    checked.unused =
        (0..table.header.names.len()).filter(unused).map(|index| table.header.named(index)).collect();
    while checked.lines.len() < most {
        match table.next()? {
            Next::Line(line) => checked.lines.push(line_read(profile, &values, city.is_some(), line)),
            Next::Bad(problem) => checked.lines.push(LineChecked {
                line: problem.line.unwrap_or_default(),
                problems: vec![problem],
                ..LineChecked::default()
            }),
            Next::End => break,
        }
    }
    Ok(())
}

fn line_read(profile: &Profile, values: &Values<'_>, looked_up: bool, mut line: Line) -> LineChecked {
    let raw = line.cells.clone();
    let mut problems = values.look_up(&mut line);
    let number = line.number;
    if let Some(rule) = values.skips(&line) {
        let skipped = profile.skip.get(rule).map(|rule| rule.name.clone());
        return LineChecked { line: number, skipped, ..LineChecked::default() };
    }
    let key = values.key(&line);
    // With a plan there is more to find, as that a day is none of the contract's.
    let mut whole = Vec::new();
    if looked_up {
        values.request(&line, key.clone().ok(), &mut whole);
    }
    let mut read = Vec::new();
    let mut add = |field, source: &Source, value: Result<String, Problem>| {
        let cell = source.column.and_then(|column| raw.get(column).cloned());
        let column = source.column.map(|column| values.columns.header.named(column).name);
        match value {
            Ok(value) if value.is_empty() && cell.as_deref().is_none_or(str::is_empty) => {}
            Ok(value) => read.push(ValueRead { field, column, cell, value }),
            Err(problem) => problems.push(problem),
        }
    };
    let columns = &values.columns;
    add("date", &columns.date, values.date(&line).map(|date| date.to_string()));
    let district = if looked_up {
        values
            .district(&line)
            .map(|district| format!("{} ({}, {})", district.name, district.ward, district.vehicle.first()))
    } else {
        values.value(&line, &columns.district)
    };
    add("district", &columns.district, district);
    if let Some(source) = &columns.vehicle {
        add(
            "vehicle",
            source,
            values.vehicle(&line).map(|id| id.map(|id| id.to_string()).unwrap_or_default()),
        );
    }
    add("reception", &columns.reception, values.get(&line, &columns.reception, value::reception));
    if let Some(source) = &columns.ward {
        add("ward", source, values.ward(&line).map(Option::unwrap_or_default));
    }
    add("town", &columns.town, values.text(&line, &columns.town, town));
    for (field, source, parse) in [
        ("lot", &columns.lot, short as fn(&str) -> Result<String, String>),
        ("building", &columns.building, short),
        ("spot", &columns.spot, long),
        ("notice", &columns.notice, long),
    ] {
        if let Some(source) = source {
            add(field, source, values.text(&line, source, parse));
        }
    }
    if let Some((lat, _)) = &columns.position {
        let position = values.position(&line);
        add(
            "lat, lng",
            lat,
            position.map(|at| at.map(|(lat, lng)| format!("{lat}, {lng}")).unwrap_or_default()),
        );
    }
    if let Some(source) = &columns.payment {
        let word = |payment| serde_json::to_string(&payment).unwrap_or_default().trim_matches('"').to_owned();
        add("payment", source, values.get(&line, source, value::payment).map(word));
    }
    if let Some(source) = &columns.status {
        let word = |cancelled| if cancelled { "cancelled" } else { "planned" }.to_owned();
        add("status", source, values.get(&line, source, value::cancelled).map(word));
    }
    if let Some(source) = &columns.order {
        let order = values.get(&line, source, |text| value::number(text, 0, 1_000_000));
        add("order", source, order.map(|order| order.to_string()));
    }
    let items = values.items(&line, &mut problems).unwrap_or_default();
    for item in items {
        let tickets = item.tickets.iter().map(|ticket| format!("{}x{}", ticket.yen, ticket.count));
        let tickets = tickets.collect::<Vec<_>>().join("+");
        let recycling = if item.recycling { " +recycling" } else { "" };
        let value = format!("{} ×{} {tickets}{recycling}", item.name, item.count).trim_end().to_owned();
        read.push(ValueRead { field: "item", column: None, cell: None, value });
    }
    problems.extend(whole.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
    let key = key_or(key, &mut problems);
    LineChecked { line: number, skipped: None, key, values: read, problems }
}

/// A cell as it stands, with its external characters as codes: no font knows them.
fn spelled(cell: &str) -> String {
    let one = |c: char| if is_private(c) { format!("[{}]", name(c)) } else { c.to_string() };
    printable(&cell.chars().map(one).collect::<String>())
}

impl Checked {
    /// Whether all that was looked at can be read.
    #[must_use]
    pub fn good(&self) -> bool {
        self.file.as_ref().is_none_or(|file| {
            file.stopped.is_none() && file.lines.iter().all(|line| line.problems.is_empty())
        })
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.language;
        for Part { title, lines } in &self.explained {
            writeln!(f, "{title}")?;
            for line in lines {
                writeln!(f, "  {}", printable(line))?;
            }
        }
        let Some(file) = &self.file else { return Ok(()) };
        writeln!(f, "{}", words.pick("ファイルの読み取り", "How the file is read"))?;
        let name = printable(&file.name);
        writeln!(f, "  {name}")?;
        if !file.lacking.is_empty() {
            let lacking = printable(&file.lacking.join(", "));
            writeln!(f, "  {}: {lacking}", words.pick("ファイルに無い列", "columns that the file lacks"))?;
        }
        if !file.unused.is_empty() {
            let shown: Vec<String> = file
                .unused
                .iter()
                .take(30)
                .map(|column| format!("{} ({})", column.number, printable(&column.name)))
                .collect();
            let more = if file.unused.len() > 30 { ", …" } else { "" };
            let told = words.pick("使わない列", "columns that are not used");
            writeln!(f, "  {told}: {}{more}", shown.join(", "))?;
        }
        if !file.looked_up {
            let told = words.pick(
                "city.toml が無いので、地区・区・号車は照合していません",
                "there is no city.toml: districts, wards and vehicles were not looked up",
            );
            writeln!(f, "  {told}")?;
        }
        for line in &file.lines {
            line.tell(f, words)?;
        }
        match &file.stopped {
            Some(problem) => writeln!(f, "  {}: {problem}", words.pick("読めません", "can't be read")),
            None if file.lines.is_empty() => {
                writeln!(f, "  {}", words.pick("行がありません", "there are no lines"))
            }
            None => Ok(()),
        }
    }
}

impl LineChecked {
    fn tell(&self, f: &mut fmt::Formatter<'_>, words: Language) -> fmt::Result {
        let number = match words {
            Language::Ja => format!("{}行目", self.line),
            Language::En => format!("line {}", self.line),
        };
        if let Some(rule) = &self.skipped {
            return writeln!(f, "  {number}: {} ({})", words.pick("飛ばします", "left out"), printable(rule));
        }
        let key = self.key.as_deref().map(printable).unwrap_or_default();
        writeln!(f, "  {number}: {} {key}", words.pick("キー", "key"))?;
        for ValueRead { field, column, cell, value } in &self.values {
            let name = words.field(field);
            let from = match (column, cell) {
                (Some(column), Some(cell)) if cell != value => {
                    format!("   <- {}「{}」", printable(column), spelled(cell))
                }
                (Some(column), _) => format!("   <- {}", printable(column)),
                _ => String::new(),
            };
            writeln!(f, "    {name}: {}{from}", printable(value))?;
        }
        for problem in &self.problems {
            writeln!(f, "    {}: {problem}", words.pick("誤り", "wrong"))?;
        }
        Ok(())
    }
}
