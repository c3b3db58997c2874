//! An export profile: how one reception system wants its results.
//!
//! TOML; unknown settings are refused. `export --print-profile` prints the one that is built in, which shows every
//! setting. Each column takes its value from one [`Source`]; what that is, its `map` translates.

use std::collections::BTreeMap;

use jiff::civil::Date;
use meguri_proto::{Reason, clock};
use serde::Deserialize;

use super::characters::Characters;
use crate::encoding::Gaiji;
pub use crate::import::profile::ProfileError;
pub(super) use crate::import::profile::wrong;
use crate::import::profile::{check_marks, check_name};

/// The profile that is used where none is named.
pub const BUILT_IN: &str = include_str!("../../profiles/results.toml");

/// How one reception system wants its results.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name in reports.
    pub name: String,
    /// How characters become bytes.
    #[serde(default)]
    pub encoding: Encoding,
    /// What ends a line. Default `crlf`.
    #[serde(default)]
    pub line_end: LineEnd,
    /// What stands between cells, one ASCII character. Default a comma.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// What encloses a cell, one ASCII character; doubled within one. Default a double quote.
    #[serde(default = "double_quote")]
    pub quote: char,
    /// Which cells are enclosed.
    #[serde(default)]
    pub quoting: Quoting,
    /// Whether the first line holds the columns' names. Default `true`.
    #[serde(default = "yes")]
    pub header: bool,
    /// What stands on a line.
    #[serde(default)]
    pub rows: Rows,
    /// What is done with cells that a spreadsheet would take for a formula.
    #[serde(default)]
    pub formula: Formula,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// What is written instead of what: characters that CP932 can't hold, or that the system knows in another form.
    #[serde(default)]
    pub substitutes: BTreeMap<String, String>,
    /// Codes of external characters (外字) from `F040` to `F9FC`, and the character that each stands for: the table of the
    /// import profile, the other way round.
    #[serde(default)]
    pub gaiji: Gaiji,
}

/// How characters become bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8 without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-8 behind the byte order mark that spreadsheets look for.
    #[serde(rename = "utf-8-bom")]
    Utf8Bom,
    /// CP932: Shift_JIS as Windows has it.
    Cp932,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnd {
    /// Carriage return and line feed.
    #[default]
    Crlf,
    /// Line feed.
    Lf,
}

/// Which cells are enclosed in quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quoting {
    /// Those that hold a delimiter, a quote, a line break, or blanks at an end.
    #[default]
    Needed,
    /// All of them.
    Always,
}

/// What stands on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// A pickup.
    #[default]
    Pickup,
    /// An item of a pickup; what is the pickup's is on each of its lines.
    Item,
}

/// What is done with a cell that begins with `=`, `+`, `-`, `@` (full-width, too), a tab or a carriage return.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// An apostrophe goes before it, by which spreadsheets take it for text.
    #[default]
    Neutralise,
    /// It stays. For systems that read nothing as a formula.
    Keep,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Where its value comes from.
    pub source: Option<Source>,
    /// The same value on every line, instead of `source`.
    pub constant: Option<String>,
    /// Of `key`: which of its parts, from 1, in the order of the import profile's `key`. Without it, the whole, its parts
    /// joined by `/`.
    pub part: Option<usize>,
    /// Of dates and times: a format of strftime; of dates also `wareki` (令和8年4月1日) and `wareki_short` (R8.4.1). Default
    /// `%Y-%m-%d`, of times `%Y-%m-%d %H:%M:%S`.
    pub format: Option<String>,
    /// Of `at`: by which clock. Default `best`.
    pub clock: Option<Clock>,
    /// Translates values. A value that it lacks is an error, but for an empty one and where there is a `default`.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// Where there is no value, or `map` lacks it.
    pub default: Option<String>,
    /// Puts zeros in front up to this many characters.
    #[serde(default)]
    pub pad: usize,
    /// Of `items`, `items_collected` and `contradictions`: what stands between them. Default `、`.
    pub between: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The request's key in the reception system, as the import profile's `key` made it.
    Key,
    /// The reception system's name: `source` of the import profile.
    System,
    /// Reception number.
    Reception,
    /// Day of collection.
    Date,
    /// Collection district (収集地区).
    District,
    /// Ward.
    Ward,
    /// Vehicle's name, like 3号車.
    Vehicle,
    /// Vehicle's id in `city.toml`.
    VehicleId,
    /// Round's name.
    Round,
    /// Place in the round.
    Stop,
    /// Contractor's name.
    Contractor,
    /// Contract's id.
    Contract,
    /// `tickets`, `cashless` or `number_tag`. Why somebody has a number tag is not known here, and not told.
    Payment,
    /// `open`, `collected`, `partly`, `not_collected`, `revisit`, `cancelled` or `not_reported`.
    State,
    /// A reason's code, where all or a part was not collected; of a part, the first item's.
    Reason,
    /// The other day where another visit is planned.
    RevisitDate,
    /// When what the state rests on happened; nothing where it rests on the office's word. `clock` says by which clock.
    At,
    /// When the office last took something about the pickup.
    ChangedAt,
    /// The terminal whose word the state rests on.
    Terminal,
    /// Whether the crew wrote a note: `yes` or `no`.
    Note,
    /// The note itself: residents' data. Nothing where it has not arrived.
    NoteText,
    /// What contradicts: `terminals_differ`, `collected_though_cancelled`, `collected_though_revisit`.
    Contradictions,
    /// All items, like ソファ×1.
    Items,
    /// All items by how many were collected; nothing while none is known.
    ItemsCollected,
    /// How many things were asked for, all items together.
    Count,
    /// How many were collected; nothing while none is known.
    Collected,
    /// An item's place in the request, from 1. This and what follows only with `rows = "item"`.
    ItemNumber,
    /// An item's name.
    ItemName,
    /// How many were asked for.
    ItemCount,
    /// How many were collected; nothing while that is not known.
    ItemCollected,
    /// Why not all, a reason's code.
    ItemReason,
    /// Revision of the request's attributes, from 1.
    Revision,
    /// Number of the last row of history: what `--since` goes by.
    Cursor,
    /// Meguri's own id of the pickup.
    Id,
}

/// A clock that says when something happened. All times are written as Japan's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// As the pages show it: the terminal's best, or the office's where that must be wrong.
    #[default]
    Best,
    /// The device's.
    Terminal,
    /// GNSS, where there was a fix.
    Gnss,
    /// The terminal's trusted time, where it was not in doubt.
    Trusted,
    /// When the office received it.
    Office,
}

fn comma() -> char {
    ','
}

fn double_quote() -> char {
    '"'
}

fn yes() -> bool {
    true
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

    /// Its encoding with what it puts in the place of what.
    pub(super) fn characters(&self) -> Result<Characters, ProfileError> {
        Characters::new(self.encoding, &self.substitutes, &self.gaiji)
    }

    fn check(&self) -> Result<(), ProfileError> {
        check_name("name", &self.name)?;
        check_marks(self.delimiter, self.quote)?;
        for (setting, found) in [("delimiter", self.delimiter), ("quote", self.quote)] {
            // The second byte of a character may look like any of these.
            if self.encoding == Encoding::Cp932 && found >= '@' {
                return wrong(
                    setting,
                    format!("is {found:?}, which CP932 has within characters; take another"),
                );
            }
        }
        if self.columns.is_empty() {
            return wrong("columns", "expected one or more");
        }
        for (index, column) in self.columns.iter().enumerate() {
            let setting = format!("columns[{index}] ({})", column.name);
            if column.name.is_empty() {
                return wrong(setting, "expected a name");
            }
            if self.columns[..index].iter().any(|other| other.name == column.name) {
                return wrong(setting, "the name is there twice");
            }
            column.check(self.rows).or_else(|problem| wrong(setting, problem))?;
        }
        self.characters().map(drop)
    }
}

impl Column {
    fn check(&self, rows: Rows) -> Result<(), String> {
        let Some(source) = self.source else {
            if self.constant.is_none() {
                return Err("expected source or constant".to_owned());
            }
            let more = !self.map.is_empty() || self.default.is_some() || self.format.is_some();
            return if more { Err("a constant takes no map, default or format".to_owned()) } else { Ok(()) };
        };
        if self.constant.is_some() {
            return Err("has both source and constant".to_owned());
        }
        if source.is_items() && rows != Rows::Item {
            return Err("is an item's, which needs rows = \"item\"".to_owned());
        }
        for (setting, there, fits) in [
            ("part", self.part.is_some(), source == Source::Key),
            ("clock", self.clock.is_some(), source == Source::At),
            ("format", self.format.is_some(), source.is_date() || source.is_time()),
            (
                "between",
                self.between.is_some(),
                matches!(source, Source::Items | Source::ItemsCollected | Source::Contradictions),
            ),
        ] {
            if there && !fits {
                return Err(format!("has {setting}, which this source does not take"));
            }
        }
        if self.part == Some(0) {
            return Err("part is counted from 1".to_owned());
        }
        if self.pad > 40 {
            return Err(format!("pad is {}, expected at most 40", self.pad));
        }
        if let Some(format) = &self.format {
            let day = jiff::civil::date(2026, 4, 1);
            let tried = if source.is_date() {
                date_in(format, day)
            } else {
                clock_in(format, day.at(9, 5, 7, 0).to_zoned(clock::japan()).unwrap_or_default())
            };
            tried.map_err(|problem| format!("format: {problem}"))?;
        }
        // Found as the profile is read, not on the day on which it happens.
        let words = source.words();
        let lacking = words.iter().find(|word| !self.map.contains_key(**word));
        if let Some(word) = lacking
            && !self.map.is_empty()
            && self.default.is_none()
        {
            return Err(format!("map lacks {word}; name every value, or a default"));
        }
        let strange = self.map.keys().find(|key| !words.contains(&key.as_str()));
        if let Some(strange) = strange
            && !words.is_empty()
        {
            return Err(format!("map has {strange:?}, expected {}", words.join(", ")));
        }
        let told = self.map.values().chain(&self.default);
        if source == Source::Payment
            && told.into_iter().any(|word| word.contains("免除") || word.contains("減免"))
        {
            return Err(
                "names the exemption, which reveals welfare status; say シール不要（番号札）".to_owned()
            );
        }
        Ok(())
    }
}

impl Source {
    fn is_items(self) -> bool {
        use Source::{ItemCollected, ItemCount, ItemName, ItemNumber, ItemReason};
        matches!(self, ItemNumber | ItemName | ItemCount | ItemCollected | ItemReason)
    }

    fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::RevisitDate)
    }

    fn is_time(self) -> bool {
        matches!(self, Self::At | Self::ChangedAt)
    }

    /// All values that it may have, where these are known; an empty one aside.
    fn words(self) -> Vec<&'static str> {
        match self {
            Self::State => {
                vec!["open", "collected", "partly", "not_collected", "revisit", "cancelled", "not_reported"]
            }
            Self::Reason | Self::ItemReason => Reason::ALL.iter().map(|reason| reason.code()).collect(),
            Self::Payment => vec!["tickets", "cashless", "number_tag"],
            Self::Note => vec!["yes", "no"],
            Self::Contradictions => {
                vec!["terminals_differ", "collected_though_cancelled", "collected_though_revisit"]
            }
            _ => Vec::new(),
        }
    }
}

/// A day as `format` writes it.
pub(super) fn date_in(format: &str, date: Date) -> Result<String, String> {
    let era = || {
        let first = jiff::civil::date(2019, 5, 1);
        if date < first {
            return Err(format!("{date} lies before the era 令和, which began on {first}"));
        }
        Ok(date.year() - 2018)
    };
    match format {
        "wareki" => {
            let year = match era()? {
                1 => "元".to_owned(),
                year => year.to_string(),
            };
            Ok(format!("令和{year}年{}月{}日", date.month(), date.day()))
        }
        "wareki_short" => Ok(format!("R{}.{}.{}", era()?, date.month(), date.day())),
        format => jiff::fmt::strtime::format(format, date).map_err(|error| error.to_string()),
    }
}

/// An instant on Japan's clocks as `format` writes it.
pub(super) fn clock_in(format: &str, at: jiff::Zoned) -> Result<String, String> {
    jiff::fmt::strtime::format(format, &at).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_built_in_one_reads_and_is_whole() {
        let profile = Profile::parse(BUILT_IN).unwrap();
        let state = profile.columns.iter().find(|column| column.source == Some(Source::State)).unwrap();
        assert_eq!(state.map["collected"], "収集済");
        assert!(
            profile.columns.iter().all(|column| column.source != Some(Source::NoteText)),
            "only if asked"
        );
    }

    #[test]
    fn dates() {
        for (format, day, written) in [
            ("wareki", date(2026, 4, 1), "令和8年4月1日"),
            ("wareki", date(2019, 5, 1), "令和元年5月1日"),
            ("wareki_short", date(2026, 12, 31), "R8.12.31"),
            ("%Y%m%d", date(2026, 4, 1), "20260401"),
            ("%-m/%-d", date(2026, 4, 1), "4/1"),
        ] {
            assert_eq!(date_in(format, day).unwrap(), written);
        }
        assert!(date_in("wareki", date(2019, 4, 30)).unwrap_err().contains("before the era"));
        assert!(date_in("%H", date(2026, 4, 1)).is_err());
    }

    #[test]
    fn what_can_not_be_is_refused_and_named() {
        let parse = |more: &str| Profile::parse(&format!("name = \"x\"\n{more}")).unwrap_err().to_string();
        let column = |more: &str| parse(&format!("[[columns]]\nname = \"c\"\n{more}"));
        for (found, says) in [
            (parse("encodng = \"utf-8\"\ncolumns = []"), "line 2"),
            (parse("encoding = \"sjis\"\ncolumns = []"), "line 2"),
            (parse("columns = []"), "expected one or more"),
            (parse("delimiter = \"、\"\ncolumns = []"), "one printable ASCII"),
            (parse("encoding = \"cp932\"\ndelimiter = \"|\"\ncolumns = []"), "within characters"),
            (column("sorce = \"date\""), "line 4"),
            (column("source = \"address\""), "line 4"),
            (column(""), "expected source or constant"),
            (column("source = \"date\"\nconstant = \"x\""), "both"),
            (column("constant = \"x\"\nmap = { a = \"b\" }"), "takes no map"),
            (column("source = \"item_name\""), "rows = \"item\""),
            (column("source = \"date\"\nclock = \"gnss\""), "has clock"),
            (column("source = \"key\"\npart = 0"), "from 1"),
            (column("source = \"date\"\nformat = \"%H\""), "format"),
            (column("source = \"at\"\nformat = \"%!\""), "format"),
            (column("source = \"state\"\nmap = { collected = \"01\" }"), "map lacks open"),
            (
                column("source = \"state\"\ndefault = \"9\"\nmap = { colected = \"01\" }"),
                "map has \"colected\"",
            ),
            (column("source = \"payment\"\nmap = { number_tag = \"免除\" }\ndefault = \"\""), "welfare"),
            (column("source = \"date\"\n[[columns]]\nname = \"c\"\nsource = \"date\""), "there twice"),
        ] {
            assert!(found.contains(says), "{found}");
        }
    }
}
