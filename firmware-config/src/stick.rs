//! What a USB stick carries to a terminal that has no line at all: a file for each terminal, below one folder.

use meguri_proto::{ConfigWhy, TerminalId, limits};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bundle::BUNDLE_BYTES;
use crate::dsse::place;
use crate::refused::Refused;

/// The folder on the stick.
pub const STICK_FOLDER: &str = "meguri";
/// Longest file, in bytes: every key set so far, as document `keys` holds them, and a bundle.
pub const STICK_BYTES: usize = limits::MESSAGE_BYTES + BUNDLE_BYTES + 1024;

/// A terminal's file on the stick: what the documents `keys` and `config` would bring it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stick {
    /// Version of the file's shape, 1.
    pub v: u64,
    /// Every key set from the first on. The first is never believed for being here.
    pub keys: Vec<Box<RawValue>>,
    /// The bundle's envelope, byte for byte as over the line.
    pub bundle: Box<RawValue>,
}

impl Stick {
    /// The file's name.
    ///
    /// ```
    /// let terminal = "t-0012".parse().unwrap();
    /// assert_eq!(meguri_config::stick::Stick::file_name(&terminal), "t-0012.json");
    /// ```
    #[must_use]
    pub fn file_name(terminal: &TerminalId) -> String {
        format!("{terminal}.json")
    }

    /// Reads a file. Nothing in it is believed by that.
    ///
    /// # Errors
    /// When it is longer than [`STICK_BYTES`], or of another shape.
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if bytes.len() > STICK_BYTES {
            let detail =
                format!("the file on the stick has {} bytes, at most {STICK_BYTES} are read", bytes.len());
            return Err(Refused::new(ConfigWhy::TooLarge, detail));
        }
        let malformed = |detail| Refused::new(ConfigWhy::Malformed, detail);
        let stick: Self = serde_json::from_slice(bytes)
            .map_err(|error| malformed(format!("the file on the stick can't be read: {}", place(&error))))?;
        if stick.v != 1 {
            return Err(malformed(format!("the stick's file has shape {}, this program reads 1", stick.v)));
        }
        Ok(stick)
    }

    /// As the file holds it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A number and pieces of JSON always become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_envelopes_stay_byte_for_byte() {
        let text = r#"{"v":1,"keys":[{"a": 1}],"bundle":{"b":  "\u0031"}}"#;
        let stick = Stick::read(text.as_bytes()).unwrap();
        assert_eq!(stick.bundle.get(), r#"{"b":  "\u0031"}"#);
        assert_eq!(stick.to_json(), text);
        let why = |bytes: &[u8]| Stick::read(bytes).unwrap_err().why;
        assert_eq!(why(&vec![b' '; STICK_BYTES + 1]), ConfigWhy::TooLarge);
        assert_eq!(why(text.replace("\"v\":1", "\"v\":2").as_bytes()), ConfigWhy::Malformed);
        assert_eq!(why(text.replace("\"v\":1", "\"v\":1,\"w\":1").as_bytes()), ConfigWhy::Malformed);
    }
}
