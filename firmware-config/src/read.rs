//! Reading a TOML file with errors that name the place.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is written in another encoding.
    #[error("{}: line {line}: is no UTF-8 text from byte {byte} of the file on; save it as UTF-8 (is it Shift_JIS?)", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: usize,
        /// The byte, 1 for the first.
        byte: usize,
    },
    /// The file is not TOML of the expected shape.
    #[error("{}: {source}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{}: {field}: {problem}{}", path.display(), place.map(|place| format!(" ({place})")).unwrap_or_default())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where it stands in the file; nothing where no text says it.
        place: Option<Place>,
        /// The field.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, 1 for the first.
    pub line: usize,
    /// The character of the line, 1 for the first.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Place {
    fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }

    /// Of what stands under these keys and numbers, one within the other, or of the nearest around it that is there.
    fn find(text: &str, keys: &[String]) -> Option<Self> {
        let document = DeTable::parse(text).ok()?;
        let mut inner: Option<&DeValue<'_>> = None;
        let mut at = None;
        for key in keys {
            at = match inner {
                None | Some(DeValue::Table(_)) => {
                    let table = match inner {
                        Some(DeValue::Table(table)) => table,
                        _ => document.get_ref(),
                    };
                    let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
                        break;
                    };
                    inner = Some(value.get_ref());
                    // A table's name stands nearer to what people look for than its braces.
                    let here = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
                    Some(if here { name.span().start } else { value.span().start })
                }
                Some(DeValue::Array(array)) => {
                    let Some(value) = key.parse().ok().and_then(|index: usize| array.get(index)) else {
                        break;
                    };
                    inner = Some(value.get_ref());
                    Some(value.span().start)
                }
                Some(_) => break,
            };
        }
        at.map(|at| Self::of(text, at))
    }
}

/// An error with its causes, for a person. A cause that was told already is not told again: many errors name theirs in
/// their own words, while others leave it to the reader of the chain.
#[must_use]
pub fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(more.trim_end()) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// A wrong value, before its file is known.
#[derive(Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct Wrong {
    pub(crate) field: String,
    pub(crate) problem: String,
    /// The keys under which it stands, from the file's outermost on.
    keys: Vec<String>,
}

impl Wrong {
    /// It stands where `field` says, key by key.
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        let field = field.into();
        let keys = field.split('.').map(str::to_owned).collect();
        Self { field, problem: problem.into(), keys }
    }

    /// The same, found within what stands under these keys, and told as its.
    pub(crate) fn within(mut self, what: impl fmt::Display, keys: &[&dyn fmt::Display]) -> Self {
        self.field = format!("{what}, {}", self.field);
        self.keys.splice(..0, keys.iter().map(ToString::to_string));
        self
    }

    /// The same, which stands under these keys.
    pub(crate) fn under(mut self, keys: &[&dyn fmt::Display]) -> Self {
        self.keys = keys.iter().map(ToString::to_string).collect();
        self
    }

    /// The error, now that the file is known.
    #[must_use]
    pub fn at(self, path: &Path) -> ConfigError {
        ConfigError::Value { path: path.to_owned(), place: None, field: self.field, problem: self.problem }
    }

    /// The error, now that the file and its text are.
    pub(crate) fn in_text(self, path: &Path, text: &str) -> ConfigError {
        let place = Place::find(text, &self.keys);
        ConfigError::Value { path: path.to_owned(), place, field: self.field, problem: self.problem }
    }
}

/// Reads `path` and checks what it says.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    check: impl FnOnce(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    parse(path, &text(path)?, check)
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::Encoding { path: path.to_owned(), line, byte: good + 1 }
    })
}

pub(crate) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    check: impl FnOnce(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    let value = toml::from_str(text)
        .map_err(|source| ConfigError::Shape { path: path.to_owned(), source: Box::new(source) })?;
    check(&value).map_err(|wrong| wrong.in_text(path, text))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("can't start")]
    struct Silent(#[source] ConfigError);

    #[test]
    fn a_cause_is_told_once() {
        let read = || ConfigError::Read {
            path: "city.toml".into(),
            source: std::io::Error::other("the disk is on fire"),
        };
        assert_eq!(told(&read()), "can't read city.toml: the disk is on fire");
        assert_eq!(told(&Silent(read())), "can't start: can't read city.toml: the disk is on fire");
    }

    #[test]
    fn a_place_is_found_in_every_way_of_writing() {
        let text = "a.b = 1\n[c]\nd = { \"端末\" = 2, f = [3,\n 4] }\n[[g]]\n[[g]]\nh = 5\n";
        let at = |keys: &str| {
            let keys: Vec<_> = keys.split('.').map(str::to_owned).collect();
            Place::find(text, &keys).map(|place| (place.line, place.column))
        };
        assert_eq!(at("a.b"), Some((1, 7)));
        assert_eq!(at("c.d.端末"), Some((3, 14)));
        assert_eq!(at("c.d.f.1"), Some((4, 2)));
        assert_eq!(at("g.1.h"), Some((7, 5)));
        // What is missing is looked for where it would stand.
        assert_eq!(at("g.1.x.y"), Some((6, 1)));
        assert_eq!(at("c.x"), Some((2, 2)));
        assert_eq!(at("x"), None);
    }

    #[test]
    fn another_encoding_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.toml");
        // 市 in Shift_JIS.
        std::fs::write(&path, b"id = \"a\"\nname = \"\x8e\x73\"\n").unwrap();
        let error = text(&path).unwrap_err().to_string();
        assert!(
            error.contains("city.toml: line 2: ") && error.contains("byte 18") && error.contains("UTF-8"),
            "{error}"
        );
    }
}
