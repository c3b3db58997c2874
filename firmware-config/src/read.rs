//! Reading a TOML file with errors that name the place.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

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
    /// The file is not TOML of the expected shape.
    #[error("{}: {source}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{}: {field}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
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
}

impl Wrong {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The error, now that the file is known.
    #[must_use]
    pub fn at(self, path: &Path) -> ConfigError {
        ConfigError::Value { path: path.to_owned(), field: self.field, problem: self.problem }
    }
}

/// Reads `path` and checks what it says.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    check: impl FnOnce(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &text, check)
}

pub(crate) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    check: impl FnOnce(&T) -> Result<(), Wrong>,
) -> Result<T, ConfigError> {
    let value = toml::from_str(text)
        .map_err(|source| ConfigError::Shape { path: path.to_owned(), source: Box::new(source) })?;
    check(&value).map_err(|wrong| wrong.at(path))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
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
}
