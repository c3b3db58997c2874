//! One measured figure beside its limit or its peer of the same run; the table of them, and the same as JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Good where it is the limit or more.
    AtLeast,
    /// Good where it is the limit or less.
    AtMost,
    /// A peer, or what belongs to a figure: shown, not judged.
    Shown,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which part of the bench it is of: what `BENCH=` names.
    pub group: String,
    /// What was measured, in words.
    pub name: String,
    /// How much.
    pub measured: f64,
    /// Of what: `facts/s`, `ms`, `MB` …
    pub unit: String,
    /// The limit; for a ratio, the least or most share of the peer. None where it is only shown.
    pub limit: Option<f64>,
    /// How the limit is meant.
    pub kind: Kind,
    /// What stood beside it in the same run, in words: the peer and its figure, the circumstances.
    pub beside: String,
    /// Whether it keeps its limit; none where it has none or was not measured.
    pub ok: Option<bool>,
    /// Why it was not measured, where it was not.
    pub skipped: Option<String>,
}

impl Row {
    fn new(group: &str, name: &str, measured: f64, unit: &str, limit: Option<f64>, kind: Kind) -> Self {
        let ok = limit.and_then(|limit| match kind {
            Kind::AtLeast => Some(measured >= limit),
            Kind::AtMost => Some(measured <= limit),
            Kind::Shown => None,
        });
        let (group, name, unit) = (group.to_owned(), name.to_owned(), unit.to_owned());
        Self { group, name, measured, unit, limit, kind, beside: String::new(), ok, skipped: None }
    }

    /// A figure that must be at least `limit`.
    #[must_use]
    pub fn at_least(group: &str, name: &str, measured: f64, unit: &str, limit: f64) -> Self {
        Self::new(group, name, measured, unit, Some(limit), Kind::AtLeast)
    }

    /// A figure that must be at most `limit`.
    #[must_use]
    pub fn at_most(group: &str, name: &str, measured: f64, unit: &str, limit: f64) -> Self {
        Self::new(group, name, measured, unit, Some(limit), Kind::AtMost)
    }

    /// A figure without a limit: a peer's, or one that helps to understand another.
    #[must_use]
    pub fn shown(group: &str, name: &str, measured: f64, unit: &str) -> Self {
        Self::new(group, name, measured, unit, None, Kind::Shown)
    }

    /// A figure that could not be measured here, and why.
    #[must_use]
    pub fn skipped(group: &str, name: &str, why: impl Into<String>) -> Self {
        let mut row = Self::new(group, name, f64::NAN, "", None, Kind::Shown);
        row.skipped = Some(why.into());
        row
    }

    /// Adds what stood beside it: the peer's figure, or the circumstances.
    #[must_use]
    pub fn beside(mut self, words: impl Into<String>) -> Self {
        self.beside = words.into();
        self
    }
}

/// The rows as a table of text, one line each.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut cells = vec![["", "figure", "measured", "", "limit", "", "beside it"].map(str::to_owned)];
    for row in rows {
        let (measured, mark) = match (&row.skipped, row.ok) {
            (Some(_), _) => ("-".to_owned(), "skipped"),
            (None, Some(true)) => (number(row.measured), "ok"),
            (None, Some(false)) => (number(row.measured), "MISSED"),
            (None, None) => (number(row.measured), ""),
        };
        let limit = match (row.limit, row.kind) {
            (Some(limit), Kind::AtLeast) => format!(">= {}", number(limit)),
            (Some(limit), Kind::AtMost) => format!("<= {}", number(limit)),
            _ => String::new(),
        };
        let beside = row.skipped.clone().unwrap_or_else(|| row.beside.clone());
        cells.push([
            row.group.clone(),
            row.name.clone(),
            measured,
            row.unit.clone(),
            limit,
            mark.to_owned(),
            beside,
        ]);
    }
    let mut widths = [0; 7];
    for line in &cells {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &cells {
        let mut out = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            // Numbers stand to the right, so that they can be compared by eye.
            let fill = " ".repeat(width.saturating_sub(cell.chars().count()));
            let _ = if matches!(column, 2 | 4) {
                write!(out, "{fill}{cell}  ")
            } else {
                write!(out, "{cell}{fill}  ")
            };
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

/// Three digits that count, thousands apart.
fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        let whole = format!("{value:.0}");
        let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |digits| ("-", digits));
        let mut out = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        format!("{sign}{out}")
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn judges_by_the_limit() {
        assert_eq!(Row::at_least("g", "n", 2.0, "x", 2.0).ok, Some(true));
        assert_eq!(Row::at_least("g", "n", 1.9, "x", 2.0).ok, Some(false));
        assert_eq!(Row::at_most("g", "n", 2.1, "x", 2.0).ok, Some(false));
        assert_eq!(Row::at_most("g", "n", f64::NAN, "x", 2.0).ok, Some(false), "no number keeps no limit");
        assert_eq!(Row::shown("g", "n", 2.1, "x").ok, None);
        assert_eq!(Row::skipped("g", "n", "no room").ok, None);
    }

    #[test]
    fn prints_one_line_a_row() {
        let rows = [
            Row::at_least("ingest", "facts", 23_456.4, "facts/s", 20_000.0).beside("broker 50,000"),
            Row::at_most("tap", "p99", 120.4, "ms", 100.0),
            Row::skipped("tap", "LTE", "no namespaces here"),
        ];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains("23,456") && lines[1].contains(">= 20,000") && lines[1].contains("ok"));
        assert!(lines[2].contains("MISSED") && lines[3].contains("skipped"), "{text}");
        assert_eq!(serde_json::to_value(&rows[2]).unwrap()["measured"], serde_json::Value::Null);
    }
}
