//! Instants and days as people give them on the command line.

use jiff::Timestamp;
use meguri_config::schedule::{after, day};
use meguri_proto::clock::{japan, midnight};

const EXPECTED: &str = "expected a day like 2027-04-01 or an instant like 2027-04-01T00:00:00+09:00";

/// An instant, or the beginning of a day in Japan.
pub(super) fn from(text: &str) -> Result<Timestamp, String> {
    text.parse().or_else(|_| day(text).map(midnight)).map_err(|_| EXPECTED.to_owned())
}

/// An instant, or the end of a day in Japan.
pub(super) fn until(text: &str) -> Result<Timestamp, String> {
    text.parse().or_else(|_| day(text).map(|day| midnight(after(day)))).map_err(|_| EXPECTED.to_owned())
}

/// As people read it: Japan's time.
pub(super) fn shown(at: Timestamp) -> String {
    at.to_zoned(japan()).strftime("%Y-%m-%d %H:%M").to_string()
}
