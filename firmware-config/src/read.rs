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

/// A wrong value, before its file is known.
#[derive(Debug)]
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
