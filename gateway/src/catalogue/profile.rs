//! A profile: how a city's list of items (品目) is read.
//!
//! TOML; unknown settings are refused. Fields are those of request profiles: a column's name, or a table with `column` or
//! `constant`, `default`, `after`, `before`, `map` and `pad`.
//!
//! ```toml
//! name = "items"
//! encoding = "cp932"             # or "utf-8"
//! missing_percent = 20           # more items missing than this needs --anyway
//!
//! [fields]
//! key = "番号"                   # what names an item for ever; without it, its name does
//! name = "品目"
//! reading = "よみ"
//! synonyms = { column = "類似語", between = ["、", " "] }
//! size = "大きさ"
//! tickets = "券"                 # like 1000x1+250x2; or [[fields.ticket]] with yen and count; or fee
//! accepted = { column = "収集", map = { "○" = "yes", "×" = "no" } }
//!
//! [[skip]]
//! name = "no name"
//! column = "品目"
//! empty = true
//! ```

use serde::Deserialize;

use crate::encoding::{Encoding, Gaiji};
pub use crate::import::profile::ProfileError;
use crate::import::profile::{Field, TicketField, check_marks, check_name, wrong};

/// How a list of items is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name in reports.
    pub name: String,
    /// How the file's text is written as bytes. Default UTF-8, with or without byte order mark.
    #[serde(default)]
    pub encoding: Encoding,
    /// What external characters (外字) stand for, as in request profiles.
    #[serde(default)]
    pub gaiji: Gaiji,
    /// What stands between cells, one ASCII character. Default a comma.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// What encloses a cell, one ASCII character. Default a double quote.
    #[serde(default = "double_quote")]
    pub quote: char,
    /// How many of a hundred known items may be missing in a file before a person has to say `--anyway`. Default 20.
    #[serde(default = "missing_percent")]
    pub missing_percent: u8,
    /// What the columns mean.
    pub fields: Fields,
    /// Lines to leave out; each rule counts its own.
    #[serde(default)]
    pub skip: Vec<Skip>,
}

/// What the columns mean. All but the name may be left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// What names an item for ever, so that its name can change; else its name does.
    pub key: Option<Field>,
    /// Its name.
    pub name: Field,
    /// Its reading (よみ).
    pub reading: Option<Field>,
    /// Other words for it (類似語).
    pub synonyms: Option<Words>,
    /// Rule about its size, like 最長辺30cm以上.
    pub size: Option<Field>,
    /// Its tickets (納付券) as `1000x1+250x2`.
    pub tickets: Option<Field>,
    /// Its tickets as a column of counts for each value, instead of `tickets`.
    #[serde(default)]
    pub ticket: Vec<TicketField>,
    /// Its fee in yen.
    pub fee: Option<Field>,
    /// Whether it is collected: yes or no, as 1, ○, 有 … and 0, ×, 無 … are. Without it, all are.
    pub accepted: Option<Field>,
    /// Whether it needs a home appliance recycling ticket (家電リサイクル券), written likewise.
    pub recycling: Option<Field>,
}

/// Several words in one cell.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The column.
    pub column: String,
    /// What stands between words; default `、`, `,`, `;` and blanks of either width.
    #[serde(default = "between")]
    pub between: Vec<String>,
}

/// Lines to leave out: one of `empty` and `equals`.
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
}

impl Skip {
    /// Whether the rule skips a line with this cell.
    pub(super) fn skips(&self, cell: &str) -> bool {
        match self.empty {
            Some(empty) => cell.is_empty() == empty,
            None => self.equals.iter().any(|value| value == cell),
        }
    }
}

fn comma() -> char {
    ','
}

fn double_quote() -> char {
    '"'
}

fn missing_percent() -> u8 {
    20
}

fn between() -> Vec<String> {
    ["、", ",", ";", " ", "　"].map(str::to_owned).to_vec()
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

    fn check(&self) -> Result<(), ProfileError> {
        check_name("name", &self.name)?;
        if self.missing_percent > 100 {
            return wrong("missing_percent", format!("is {}, expected 0 to 100", self.missing_percent));
        }
        check_marks(self.delimiter, self.quote)?;
        for (name, field) in self.fields.all() {
            field.check(&format!("fields.{name}"), false)?;
        }
        if self.fields.tickets.is_some() && !self.fields.ticket.is_empty() {
            return wrong("fields.tickets", "is there beside ticket; expected one of them");
        }
        if self.fields.ticket.len() > meguri_proto::limits::ITEM_TICKETS {
            return wrong("fields.ticket", "names too many values");
        }
        for (index, ticket) in self.fields.ticket.iter().enumerate() {
            if ticket.yen == 0 || self.fields.ticket[..index].iter().any(|other| other.yen == ticket.yen) {
                let setting = format!("fields.ticket[{index}]");
                return wrong(setting, format!("yen is {}, expected values above 0, each once", ticket.yen));
            }
        }
        if let Some(words) = &self.fields.synonyms
            && (words.column.is_empty() || words.between.iter().any(String::is_empty))
        {
            return wrong("fields.synonyms", "expected a column, and texts that stand between words");
        }
        for (index, skip) in self.skip.iter().enumerate() {
            let one = skip.empty.is_some() == skip.equals.is_empty();
            if skip.name.is_empty() || skip.column.is_empty() || !one {
                let problem = "expected a name, a column, and one of empty and equals";
                return wrong(format!("skip[{index}]"), problem);
            }
        }
        Ok(())
    }
}

impl Fields {
    /// The fields that are there, by name.
    fn all(&self) -> impl Iterator<Item = (&'static str, &Field)> {
        let tickets = self.ticket.iter().map(|ticket| ("ticket", &ticket.count));
        [
            ("key", self.key.as_ref()),
            ("name", Some(&self.name)),
            ("reading", self.reading.as_ref()),
            ("size", self.size.as_ref()),
            ("tickets", self.tickets.as_ref()),
            ("fee", self.fee.as_ref()),
            ("accepted", self.accepted.as_ref()),
            ("recycling", self.recycling.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, field)| field.map(|field| (name, field)))
        .chain(tickets)
    }
}
