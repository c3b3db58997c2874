//! A profile: how one reception system's request files are read.
//!
//! TOML; unknown settings are refused. Every cell is trimmed first. A field is a column's name, or a
//! table that says more:
//!
//! ```toml
//! name = "example"               # in reports
//! source = "reception"           # names the reception system: keys are unique within it
//! covers = "whole_day"           # or "changes"
//! missing_percent = 5            # of one day's planned pickups; more missing is held for a person
//! encoding = "utf-8"             # or "cp932"
//! delimiter = ","
//! quote = '"'
//! date_format = "%Y-%m-%d"       # of strptime, or "wareki" for 令和8年4月1日 and R8.4.1; or a list of them
//! key = ["date", "district", "number"]
//!
//! [fields]
//! date = "date"
//! district = "district"          # city.toml says which vehicle serves it
//! reception = { column = "number", after = "-", pad = 4 }
//! town = { column = "town", default = "(unknown)" }
//! payment = { column = "fee", map = { "免除" = "number_tag" }, default = "tickets" }
//! status = { column = "state", map = { "ok" = "planned", "取消" = "cancelled" } }
//!
//! [gaiji]                        # external characters (外字)
//! F040 = "𠮷"
//!
//! [items.lines]                  # or [items.columns] or [items.text]
//! name = "item"
//! count = "count"
//!
//! [[skip]]
//! name = "no date"
//! column = "date"
//! empty = true
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::dates::Dates;
pub use super::letters::{FORMS, Variants, WaveDash, Width};
use crate::encoding::{Encoding, Gaiji};

/// Most columns that a profile names.
const COLUMNS: usize = 1_000;

/// Stands for the number of the item in a column's name of [`Items::Columns`].
pub const NUMBER: &str = "{n}";

/// How one reception system's request files are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name in reports.
    pub name: String,
    /// The reception system. Keys are unique within it, so profiles of one system share its name.
    pub source: String,
    /// What a file says of requests that are not in it.
    pub covers: Covers,
    /// How many of a hundred pickups planned on one day may be missing in a file of the whole day
    /// before the import is held for a person. Default 5.
    #[serde(default = "missing_percent")]
    pub missing_percent: u8,
    /// How the file's text is written as bytes: `utf-8` (the default; a byte order mark may stand before it) or `cp932`,
    /// which is Shift_JIS as Windows has it.
    #[serde(default)]
    pub encoding: Encoding,
    /// What stands between cells, one ASCII character. Default a comma.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// What encloses a cell that holds delimiters or line breaks, one ASCII character. Default a double quote.
    #[serde(default = "double_quote")]
    pub quote: char,
    /// Whether the first line names the columns. Default true.
    #[serde(default = "header")]
    pub header: bool,
    /// The columns' names in order, where the file has no header. An empty name is a column that nothing uses.
    #[serde(default)]
    pub columns: Vec<String>,
    /// How dates are written, or a list of ways that are tried in order: a format of strptime (`%Y/%m/%d`, which reads
    /// 2026/4/1 and 2026/04/01), `wareki` for 令和8年4月1日, R8.4.1 and the like, or `wareki_digits` for 080401. Full-width digits
    /// count as plain ones. A weekday in brackets may follow and must be right.
    #[serde(default)]
    pub date_format: DateFormats,
    /// `near`: dates of a format without a year (`%m/%d`) are of the year that brings them nearest to the day of the import.
    pub year: Option<Year>,
    /// The day that dates without a year are near to. The import writes it here itself (see [`dated`]).
    pub reference_day: Option<Date>,
    /// Which character 〜 and ～, which are one in CP932, become: `wave_dash` (〜 U+301C, the default) or `fullwidth_tilde` (～
    /// U+FF5E).
    #[serde(default)]
    pub wave_dash: WaveDash,
    /// What becomes of half and full width in texts: `normalize` (the default; katakana full-width, letters and digits
    /// half-width) or `keep`. Where values are compared, width never counts.
    #[serde(default)]
    pub width: Width,
    /// Whether old and new forms of a character (髙 and 高) count as the same where columns, wards, districts and the values of
    /// a `map` are looked up; texts keep what the resident wrote.
    #[serde(default)]
    pub variants: Variants,
    /// External characters (外字): codes of CP932 (`F040` to `F9FC`) or places in the private use area (`U+E000`), with the
    /// characters they stand for. One that is in a used cell and not in here is an error of its line.
    #[serde(default)]
    pub gaiji: Gaiji,
    /// The columns that together name a request within the source. A request whose date is not part of its key keeps
    /// its history when it moves to another day.
    ///
    /// Full-width letters and digits count as plain ones. A column that is a whole field's, too, counts as the field
    /// has it: filled up by its `pad`, and a date as a date however it is written. So 1, 0001 and １ are one number. Where the
    /// field takes a part of the cell (`after`, `before`) or translates it (`map`), the cell counts, since different
    /// requests may have that in common.
    pub key: Vec<String>,
    /// What the columns mean.
    pub fields: Fields,
    /// Where the items stand.
    pub items: Items,
    /// Lines to leave out; each rule counts its own.
    #[serde(default)]
    pub skip: Vec<Skip>,
}

/// What a file says of requests that are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// The file is the whole of each day that occurs in it: what is missing was cancelled.
    WholeDay,
    /// The file holds additions and changes only: what is missing stays as it is.
    Changes,
}

/// What the columns mean. All but date, district, reception and town may be left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Day of collection, written as `date_format` says; a time of day is ignored.
    pub date: Field,
    /// Collection district (収集地区) as named in `city.toml`, which says the vehicle and so the contract.
    pub district: Field,
    /// Vehicle's id, where the file says it; an empty cell leaves it to the district.
    pub vehicle: Option<Field>,
    /// Reception number (受付番号): letters, digits and hyphens.
    pub reception: Field,
    /// Ward (区), one of `city.toml`; else the district's.
    pub ward: Option<Field>,
    /// Town (町丁目). Residents' data, as is what follows up to `lng`.
    pub town: Field,
    /// Block, lot and room (番地・号室).
    pub lot: Option<Field>,
    /// Building (建物名).
    pub building: Option<Field>,
    /// Placing spot (排出場所).
    pub spot: Option<Field>,
    /// What the crew should know (連絡事項).
    pub notice: Option<Field>,
    /// Latitude in degrees; needs `lng`.
    pub lat: Option<Field>,
    /// Longitude in degrees; needs `lat`.
    pub lng: Option<Field>,
    /// `tickets`, `cashless` or `number_tag`; without it all is `tickets`.
    pub payment: Option<Field>,
    /// `planned` or `cancelled`; without it, or empty, all is `planned`.
    pub status: Option<Field>,
    /// Place in the round, a number. Without it a file of the whole day is in the order of its lines, and a file of
    /// changes leaves stops where they are and adds new ones at the end.
    pub order: Option<Field>,
}

/// Where one value comes from. A plain text is `{ column = "…" }`.
///
/// A cell is trimmed, cut by `after` and `before`, replaced by `default` where nothing is left, translated by
/// `map`, and filled up by `pad`, in this order. A default or constant is a value already and is not translated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field(FieldTable);

impl std::ops::Deref for Field {
    type Target = FieldTable;
    fn deref(&self) -> &FieldTable {
        &self.0
    }
}

/// The settings of a [`Field`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTable {
    /// The column's name in the header.
    pub column: Option<String>,
    /// The same value for every request, instead of a column.
    pub constant: Option<String>,
    /// The value of an empty cell. Without it, a cell that must hold something and is empty is an error.
    pub default: Option<String>,
    /// Takes only what follows the first such text.
    pub after: Option<String>,
    /// Takes only what stands before the first such text.
    pub before: Option<String>,
    /// Translates whole cells. With it, a cell that is neither named nor empty is an error.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// Puts zeros in front up to this many characters, which spreadsheets like to lose.
    #[serde(default)]
    pub pad: usize,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column's name, or a table with column or constant")
            }
            fn visit_str<E: de::Error>(self, column: &str) -> Result<Field, E> {
                Ok(Field(FieldTable { column: Some(column.to_owned()), ..FieldTable::default() }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                FieldTable::deserialize(MapAccessDeserializer::new(map)).map(Field)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Where a request's items stand.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// In columns that repeat, numbered from 1 as far as the header has them.
    Columns(ItemColumns),
    /// One item a line. Lines of one request, which need not follow each other, agree in all else.
    Lines(ItemFields),
    /// All in one cell, like タンス×1、椅子×2.
    Text(ItemText),
}

/// Items in columns that repeat; `{n}` in a column's name stands for the number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemColumns {
    /// The highest number, at most 50.
    pub most: usize,
    /// As in [`ItemFields`].
    pub name: Field,
    /// As in [`ItemFields`].
    pub count: Option<Field>,
    /// As in [`ItemFields`].
    pub tickets: Option<Field>,
    /// As in [`ItemFields`].
    #[serde(default)]
    pub ticket: Vec<TicketField>,
    /// As in [`ItemFields`].
    pub recycling: Option<Field>,
}

/// The values of one item.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemFields {
    /// Its name. Empty means that there is no item; count and tickets must then be empty or 0, too.
    pub name: Field,
    /// How many; 1 without it.
    pub count: Option<Field>,
    /// Its tickets (納付券) as `1000x1+250x2`.
    pub tickets: Option<Field>,
    /// Its tickets as a column of counts for each value, instead of `tickets`.
    #[serde(default)]
    pub ticket: Vec<TicketField>,
    /// Whether a home appliance recycling ticket (家電リサイクル券) belongs to it: 1, yes, true, 有, あり, ○, 要; or 0, no,
    /// false, 無, なし, ×, 不要, or nothing.
    pub recycling: Option<Field>,
}

/// A column that counts the tickets of one value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketField {
    /// The value in yen.
    pub yen: u32,
    /// How many.
    pub count: Field,
}

/// All items in one cell.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemText {
    /// The cell.
    pub text: Field,
    /// What stands between items, like `["、", ","]`.
    pub between: Vec<String>,
    /// What stands between name and count, like `["×", "x"]`; an item without it is there once.
    #[serde(default)]
    pub times: Vec<String>,
}

/// Lines to leave out: exactly one of `empty`, `equals` and `matches`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The rule's name in reports.
    pub name: String,
    /// The column looked at.
    pub column: String,
    /// `true` skips where the cell is empty, `false` where it is not.
    pub empty: Option<bool>,
    /// Skips where the cell is one of these.
    #[serde(default)]
    pub equals: Vec<String>,
    /// Skips where the cell looks like this; `*` stands for any text.
    pub matches: Option<String>,
}

fn missing_percent() -> u8 {
    5
}

fn comma() -> char {
    ','
}

fn double_quote() -> char {
    '"'
}

fn header() -> bool {
    true
}

/// How dates are written: one way, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMore")]
pub struct DateFormats(pub Vec<String>);

impl Default for DateFormats {
    fn default() -> Self {
        Self(vec!["%Y-%m-%d".to_owned()])
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for DateFormats {
    fn from(formats: OneOrMore) -> Self {
        match formats {
            OneOrMore::One(format) => Self(vec![format]),
            OneOrMore::More(formats) => Self(formats),
        }
    }
}

/// The year of dates that are written without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Year {
    /// That which brings the date nearest to the day of the import.
    Near,
}

/// A profile's text for an import on this day: where dates have no year, it says which day they are near to, so that a
/// file that is held is read on another day as it was on this one.
///
/// # Errors
/// When the profile can't be used.
pub fn dated(text: &str, today: Date) -> Result<Cow<'_, str>, ProfileError> {
    let profile = Profile::parse(text)?;
    if profile.year.is_none() || profile.reference_day.is_some() {
        return Ok(Cow::Borrowed(text));
    }
    Ok(Cow::Owned(format!("reference_day = \"{today}\"\n{}", text.trim_start_matches('\u{FEFF}'))))
}

/// Why a profile can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML of a profile's shape.
    #[error("{0}")]
    Shape(#[from] toml::de::Error),
    /// A setting that can't be.
    #[error("{setting}: {problem}")]
    Value {
        /// The setting, as a path.
        setting: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// A setting that can't be.
pub(crate) fn wrong<T>(setting: impl Into<String>, problem: impl Into<String>) -> Result<T, ProfileError> {
    Err(ProfileError::Value { setting: setting.into(), problem: problem.into() })
}

/// A name that stands in reports.
pub(crate) fn check_name(setting: &str, name: &str) -> Result<(), ProfileError> {
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return wrong(setting, "expected 1 to 100 printable characters");
    }
    Ok(())
}

/// What stands between cells, and what encloses them.
pub(crate) fn check_marks(delimiter: char, quote: char) -> Result<(), ProfileError> {
    for (setting, found) in [("delimiter", delimiter), ("quote", quote)] {
        if !found.is_ascii() || (found.is_control() && found != '\t') {
            let problem = format!("is {found:?}, expected one printable ASCII character or a tab");
            return wrong(setting, problem);
        }
    }
    if delimiter == quote {
        return wrong("quote", "is the delimiter, too");
    }
    Ok(())
}

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// When the text is not of a profile's shape or a setting can't be.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// The columns that a header must have.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut fields: Vec<&Field> = self.fields.all().map(|(_, field)| field).collect();
        let first;
        match &self.items {
            Items::Columns(columns) => {
                first = columns.numbered(1);
                fields.extend(first.all());
            }
            Items::Lines(item) => fields.extend(item.all()),
            Items::Text(text) => fields.push(&text.text),
        }
        let skip = self.skip.iter().map(|rule| &rule.column);
        let all =
            self.key.iter().chain(fields.into_iter().filter_map(|field| field.column.as_ref())).chain(skip);
        let mut columns: Vec<String> = Vec::new();
        for column in all {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        columns
    }

    fn check(&self) -> Result<(), ProfileError> {
        for (setting, text) in [("name", &self.name), ("source", &self.source)] {
            check_name(setting, text)?;
        }
        if self.missing_percent > 100 {
            return wrong("missing_percent", format!("is {}, expected 0 to 100", self.missing_percent));
        }
        check_marks(self.delimiter, self.quote)?;
        self.check_columns()?;
        self.check_dates()?;
        if self.variants.also.iter().any(|group| group.chars().count() < 2) {
            return wrong("variants.also", "expected groups of two or more characters");
        }
        if self.key.is_empty() || self.key.iter().any(String::is_empty) {
            return wrong("key", "expected the names of one or more columns");
        }
        for (name, field) in self.fields.all() {
            field.check(&format!("fields.{name}"), false)?;
        }
        if self.fields.lat.is_some() != self.fields.lng.is_some() {
            return wrong("fields.lat", "needs lng, and lng needs lat");
        }
        self.items.check()?;
        for (index, skip) in self.skip.iter().enumerate() {
            let setting = format!("skip[{index}]");
            if skip.name.is_empty() || skip.column.is_empty() {
                return wrong(setting, "expected a name and a column");
            }
            if self.skip[..index].iter().any(|other| other.name == skip.name) {
                return wrong(setting, format!("the name {:?} is there twice", skip.name));
            }
            let tests = usize::from(skip.empty.is_some())
                + usize::from(!skip.equals.is_empty())
                + usize::from(skip.matches.is_some());
            if tests != 1 {
                return wrong(setting, format!("expected one of empty, equals and matches, found {tests}"));
            }
        }
        Ok(())
    }
}

impl Profile {
    /// The columns of a file without a header hold all that is named.
    fn check_columns(&self) -> Result<(), ProfileError> {
        if self.header {
            return match self.columns.is_empty() {
                true => Ok(()),
                false => {
                    wrong("columns", "is for files without a header; write header = false, or leave it out")
                }
            };
        }
        if !(1..=COLUMNS).contains(&self.columns.len()) {
            return wrong(
                "columns",
                format!(
                    "names {}, expected the 1 to {COLUMNS} columns of a file without a header",
                    self.columns.len()
                ),
            );
        }
        for (index, column) in self.columns.iter().enumerate() {
            if !column.is_empty() && self.columns[..index].contains(column) {
                return wrong("columns", format!("the name {column:?} is there twice"));
            }
        }
        match self.columns().iter().find(|&used| !self.columns.contains(used)) {
            Some(used) => wrong("columns", format!("lacks {used:?}, which the profile uses")),
            None => Ok(()),
        }
    }

    fn check_dates(&self) -> Result<(), ProfileError> {
        if self.date_format.0.is_empty() {
            return wrong("date_format", "expected one format or more");
        }
        let dates = Dates::of(self).or_else(|problem| wrong("date_format", problem))?;
        match (dates.yearless(), self.year) {
            (true, None) => wrong("date_format", "has a format without a year; write year = \"near\", too"),
            (false, Some(_)) => wrong("year", "is for a date_format without a year, and there is none"),
            _ => Ok(()),
        }
    }
}

impl Fields {
    /// The fields that are there, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        [
            ("date", Some(&self.date)),
            ("district", Some(&self.district)),
            ("vehicle", self.vehicle.as_ref()),
            ("reception", Some(&self.reception)),
            ("ward", self.ward.as_ref()),
            ("town", Some(&self.town)),
            ("lot", self.lot.as_ref()),
            ("building", self.building.as_ref()),
            ("spot", self.spot.as_ref()),
            ("notice", self.notice.as_ref()),
            ("lat", self.lat.as_ref()),
            ("lng", self.lng.as_ref()),
            ("payment", self.payment.as_ref()),
            ("status", self.status.as_ref()),
            ("order", self.order.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, field)| field.map(|field| (name, field)))
    }
}

impl Field {
    /// `numbered`: whether the column's name must hold [`NUMBER`].
    pub(crate) fn check(&self, setting: &str, numbered: bool) -> Result<(), ProfileError> {
        match (&self.column, &self.constant) {
            (Some(_), Some(_)) => wrong(setting, "has both column and constant"),
            (None, None) => wrong(setting, "expected column or constant"),
            (Some(column), None) if column.is_empty() => wrong(setting, "names an empty column"),
            (Some(column), None) if column.contains(NUMBER) != numbered => {
                let problem = if numbered { "needs {n} in its column" } else { "has {n} in its column" };
                wrong(setting, problem)
            }
            (None, Some(_))
                if **self != FieldTable { constant: self.constant.clone(), ..FieldTable::default() } =>
            {
                wrong(setting, "has a constant, and more that would never be used")
            }
            _ if self.pad > 20 => wrong(setting, format!("pad is {}, expected at most 20", self.pad)),
            _ => Ok(()),
        }
    }

    /// The field of the item with this number.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        let column = self.column.as_ref().map(|column| column.replace(NUMBER, &number.to_string()));
        Self(FieldTable { column, ..self.0.clone() })
    }
}

impl ItemColumns {
    /// The fields of the item with this number.
    pub(crate) fn numbered(&self, number: usize) -> ItemFields {
        let one = |field: &Option<Field>| field.as_ref().map(|field| field.numbered(number));
        ItemFields {
            name: self.name.numbered(number),
            count: one(&self.count),
            tickets: one(&self.tickets),
            ticket: self
                .ticket
                .iter()
                .map(|ticket| TicketField { yen: ticket.yen, count: ticket.count.numbered(number) })
                .collect(),
            recycling: one(&self.recycling),
        }
    }
}

impl ItemFields {
    fn all(&self) -> impl Iterator<Item = &Field> {
        let tickets = self.ticket.iter().map(|ticket| &ticket.count);
        [&self.name].into_iter().chain(&self.count).chain(&self.tickets).chain(tickets).chain(&self.recycling)
    }
}

impl Items {
    fn check(&self) -> Result<(), ProfileError> {
        let most = meguri_proto::limits::PICKUP_ITEMS;
        match self {
            Self::Columns(columns) => {
                if !(1..=most).contains(&columns.most) {
                    return wrong("items.columns.most", format!("is {}, expected 1 to {most}", columns.most));
                }
                columns.name.check("items.columns.name", true)?;
                // Constants, and columns that all items share, need no number.
                check_item("items.columns", &columns.numbered(1))
            }
            Self::Lines(fields) => check_item("items.lines", fields),
            Self::Text(text) => {
                text.text.check("items.text.text", false)?;
                if text.between.is_empty() || text.between.iter().chain(&text.times).any(String::is_empty) {
                    return wrong("items.text.between", "expected texts that stand between items");
                }
                Ok(())
            }
        }
    }
}

fn check_item(setting: &str, item: &ItemFields) -> Result<(), ProfileError> {
    item.name.check(&format!("{setting}.name"), false)?;
    for (name, field) in [("count", &item.count), ("tickets", &item.tickets), ("recycling", &item.recycling)]
    {
        if let Some(field) = field {
            field.check(&format!("{setting}.{name}"), false)?;
        }
    }
    for (index, ticket) in item.ticket.iter().enumerate() {
        let setting = format!("{setting}.ticket[{index}]");
        ticket.count.check(&setting, false)?;
        if ticket.yen == 0 || item.ticket[..index].iter().any(|other| other.yen == ticket.yen) {
            return wrong(setting, format!("yen is {}, expected values above 0, each once", ticket.yen));
        }
    }
    if item.ticket.len() > meguri_proto::limits::ITEM_TICKETS {
        return wrong(format!("{setting}.ticket"), "names too many values");
    }
    if item.tickets.is_some() && !item.ticket.is_empty() {
        return wrong(format!("{setting}.tickets"), "is there beside ticket; expected one of them");
    }
    Ok(())
}

impl Skip {
    /// Whether the rule skips a line with this cell. `alike` says what of a text counts.
    pub(super) fn skips(&self, cell: &str, alike: impl Fn(&str) -> String) -> bool {
        match (&self.empty, &self.matches) {
            (Some(empty), _) => cell.is_empty() == *empty,
            (None, Some(pattern)) => {
                // Only a plain asterisk stands for any text.
                let parts: Vec<String> = pattern.split('*').map(&alike).collect();
                matches(parts.iter().map(String::as_str), &alike(cell))
            }
            (None, None) => self.equals.iter().any(|value| value == cell || alike(value) == alike(cell)),
        }
    }
}

/// Whether `text` is these parts, with any text between them.
pub(super) fn matches<'a>(mut parts: impl Iterator<Item = &'a str>, text: &str) -> bool {
    // `split` yields at least one part.
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        // The earliest place leaves most for the parts after it.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LEAST: &str = r#"
        name = "p"
        source = "s"
        covers = "changes"
        key = ["no"]
        [fields]
        date = "date"
        district = "district"
        reception = "no"
        town = { constant = "-" }
        [items.lines]
        name = "item"
    "#;

    fn problem(from: &str, to: &str) -> String {
        assert!(LEAST.contains(from), "{from}");
        Profile::parse(&LEAST.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_defaults() {
        let profile = Profile::parse(LEAST).unwrap();
        assert_eq!((profile.missing_percent, profile.delimiter, profile.quote), (5, ',', '"'));
        assert_eq!(profile.date_format.0, ["%Y-%m-%d"]);
        assert_eq!((profile.encoding, profile.header), (Encoding::Utf8, true));
        assert_eq!(profile.fields.date.column.as_deref(), Some("date"));
        assert_eq!(profile.fields.town.constant.as_deref(), Some("-"));
    }

    #[test]
    fn refuses_what_it_does_not_know_and_names_it() {
        for (from, to, expected) in [
            ("name = \"p\"", "nome = \"p\"", "nome"),
            ("town = ", "twon = \"x\"\ntown = ", "twon"),
            ("town = { constant", "town = { konstant", "konstant"),
            ("[items.lines]", "[items.liens]", "liens"),
            ("name = \"item\"", "name = \"item\"\ncolour = \"x\"", "colour"),
            ("\"changes\"", "\"everything\"", "everything"),
            ("key =", "encoding = \"sjis\"\nkey =", "sjis"),
            ("key =", "gaiji = { F03F = \"x\" }\nkey =", "no external character"),
            ("key =", "width = \"half\"\nkey =", "half"),
            ("date = \"date\"", "date = 5", "a column's name"),
            ("date = \"date\"", "", "date"),
        ] {
            let problem = problem(from, to);
            assert!(problem.contains(expected), "{to}: {problem}");
        }
    }

    #[test]
    fn refuses_what_can_not_be() {
        for (from, to, expected) in [
            ("key = [\"no\"]", "key = []", "key: "),
            ("key =", "delimiter = \"、\"\nkey =", "delimiter: "),
            ("key =", "quote = \",\"\nkey =", "quote: "),
            ("key =", "missing_percent = 101\nkey =", "missing_percent: "),
            ("constant = \"-\"", "constant = \"-\", default = \"x\"", "fields.town: "),
            ("constant = \"-\"", "default = \"x\"", "fields.town: "),
            ("date = \"date\"", "date = \"date\"\nlat = \"lat\"", "fields.lat: "),
            ("name = \"item\"", "name = \"item{n}\"", "items.lines.name: "),
            ("name = \"p\"", "name = \"\"", "name: "),
            ("key =", "header = false\nkey =", "columns: names 0"),
            ("key =", "columns = [\"no\"]\nkey =", "columns: is for files without"),
            (
                "key =",
                "header = false\ncolumns = [\"no\", \"date\", \"item\"]\nkey =",
                "columns: lacks \"district\"",
            ),
            (
                "key =",
                "header = false\ncolumns = [\"no\", \"\", \"\", \"no\"]\nkey =",
                "columns: the name \"no\"",
            ),
            ("key =", "date_format = []\nkey =", "date_format: expected one"),
            ("key =", "date_format = [\"wareki\", \"%Y\"]\nkey =", "date_format: \"%Y\""),
            ("key =", "date_format = \"%m/%d\"\nkey =", "date_format: has a format without a year"),
            ("key =", "year = \"near\"\nkey =", "year: is for"),
            ("key =", "variants = { also = [\"渕\"] }\nkey =", "variants.also: "),
        ] {
            let problem = problem(from, to);
            assert!(problem.starts_with(expected), "{to}: {problem}");
        }
        for (skip, expected) in [
            ("name = \"a\"\ncolumn = \"b\"", "found 0"),
            ("name = \"a\"\ncolumn = \"b\"\nempty = true\nmatches = \"x\"", "found 2"),
            ("name = \"\"\ncolumn = \"b\"\nempty = true", "a name"),
        ] {
            let problem = Profile::parse(&format!("{LEAST}\n[[skip]]\n{skip}")).unwrap_err().to_string();
            assert!(problem.contains(expected), "{skip}: {problem}");
        }
    }

    #[test]
    fn a_date_without_a_year_has_a_day_to_be_near() {
        let day = jiff::civil::date(2026, 12, 28);
        assert!(matches!(dated(LEAST, day), Ok(Cow::Borrowed(LEAST))));
        let yearless = format!("date_format = [\"wareki\", \"%m月%d日\"]\nyear = \"near\"{LEAST}");
        let text = dated(&yearless, day).unwrap();
        assert_eq!(Profile::parse(&text).unwrap().reference_day, Some(day));
        // It is read as on the first day ever after.
        assert_eq!(dated(&text, jiff::civil::date(2027, 1, 9)).unwrap(), text);
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("ab*ba", "aba", false),
            ("a*x*c", "abc", false),
            ("取消*", "取消済", true),
        ] {
            assert_eq!(matches(pattern.split('*'), text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn rules_skip() {
        let skip = |text: &str| -> Skip { toml::from_str(&format!("name='r'\ncolumn='c'\n{text}")).unwrap() };
        assert!(
            skip("empty = true").skips("", str::to_owned) && !skip("empty = true").skips("x", str::to_owned)
        );
        assert!(
            skip("empty = false").skips("x", str::to_owned)
                && !skip("empty = false").skips("", str::to_owned)
        );
        assert!(
            skip("equals = ['a', 'b']").skips("b", str::to_owned)
                && !skip("equals = ['a', 'b']").skips("c", str::to_owned)
        );
        assert!(skip("equals = ['Ａ']").skips("A", |text| text.replace('Ａ', "A")));
        assert!(skip("matches = 'Ａ*'").skips("A＊", |text| text.replace('Ａ', "A").replace('＊', "*")));
        assert!(
            skip("matches = 'a*'").skips("ab", str::to_owned)
                && !skip("matches = 'a*'").skips("b", str::to_owned)
        );
    }
}
