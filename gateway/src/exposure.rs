//! Whose data a terminal held while it was out of hand: what a city has to tell those concerned, and the authority for the
//! protection of personal data (漏えい報告).
//!
//! A pickup counts where it stood on a list that was issued to the terminal up to the last day, and the terminal
//! had no reason yet to have deleted that list on the first. A terminal that was not heard since an earlier day may have been
//! off since, and deletes nothing while it is off: then what it held on that day counts. So it names whom it may have
//! shown, rather one too many. Addresses are those of now: where one was corrected, the list may have shown the one before.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use meguri_proto::TerminalId;
use meguri_proto::clock::{japan, midnight};
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::export::is_formula;
use crate::store::sql;

/// The days in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first one.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// For how many days after its date the terminal keeps a list.
    pub kept: u32,
}

/// One request whose data the terminal held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The pickup's day.
    pub date: Date,
    /// Reception number.
    pub reception: String,
    /// District.
    pub district: String,
    /// Ward, town, block and building, as the list showed them; none where they are erased here.
    pub address: Option<String>,
    /// Placing spot.
    pub spot: Option<String>,
    /// When it was first on a list of the terminal; none where that was before this was noted.
    pub first_at: Option<Timestamp>,
    /// When it was last.
    pub last_at: Option<Timestamp>,
}

/// What a terminal held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exposure {
    /// The terminal.
    pub terminal: TerminalId,
    /// The first day in question.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// Since when it is lost.
    pub lost_at: Option<Timestamp>,
    /// When it said that it is erased: nothing was shown after.
    pub erased_at: Option<Timestamp>,
    /// Whose data.
    pub requests: Vec<Row>,
}

/// Since when a terminal is lost and erased, also where another was enrolled under its name since; and when it was last heard.
const MARKS: &str = "WITH told AS (SELECT
        (SELECT max(at) FROM notice WHERE kind IN ('lost', 'lost_before_restore') AND terminal = ?1) AS lost,
        (SELECT max(at) FROM notice WHERE kind = 'erased' AND terminal = ?1) AS erased)
    SELECT coalesce(lost_at, lost), coalesce(erased_at, CASE WHEN erased >= lost THEN erased END), last_heard_at
    FROM terminal, told WHERE id = ?1";

/// Looks up what a terminal held; none where there is no such terminal.
///
/// # Errors
/// When the store can't be read.
pub fn look_up(conn: &Connection, terminal: &TerminalId, days: Days) -> rusqlite::Result<Option<Exposure>> {
    let marks = conn.query_row(MARKS, [terminal.as_str()], |row| {
        let at = |column| row.get::<_, Option<i64>>(column);
        Ok((at(0)?, at(1)?, at(2)?))
    });
    let (lost_at, erased_at, heard_at) = match marks {
        Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
        marks => marks?,
    };
    let heard = heard_at.map_or(days.from, |at| sql::instant(at).to_zoned(japan()).date());
    let oldest = days.from.min(heard).checked_sub(Span::new().days(days.kept)).unwrap_or(Date::MIN);
    let begin = sql::ms(midnight(oldest));
    let end = days.to.tomorrow().map_or(i64::MAX, |day| sql::ms(midnight(day)));
    let select = "SELECT date, reception, district, ward, town, lot, building, spot, first_at, last_at
        FROM pickup JOIN issued ON issued.pickup = pickup.id AND issued.terminal = ?1
        LEFT JOIN resident ON resident.pickup = pickup.id AND resident.rev = pickup.rev
        WHERE (date >= ?2 OR last_at >= ?4) AND first_at < ?3 ORDER BY date, stop, pickup.id";
    let mut statement = conn.prepare(select)?;
    let rows = statement.query_map(params![terminal.as_str(), oldest.to_string(), end, begin], |row| {
        let ward: String = row.get(3)?;
        let town: Option<String> = row.get(4)?;
        let part = |column| row.get::<_, Option<String>>(column).map(Option::unwrap_or_default);
        let (lot, building) = (part(5)?, part(6)?);
        let address = town.map(|town| {
            let mut address = format!("{ward}{town}{lot}");
            if !building.is_empty() {
                let _ = write!(address, " {building}");
            }
            address
        });
        let known = |millis: i64| (millis != 0).then(|| sql::instant(millis));
        Ok(Row {
            date: sql::parsed(row, 0)?,
            reception: row.get(1)?,
            district: row.get(2)?,
            address,
            spot: row.get::<_, Option<String>>(7)?.filter(|spot| !spot.is_empty()),
            first_at: known(row.get(8)?),
            last_at: known(row.get(9)?),
        })
    })?;
    let requests = rows.collect::<rusqlite::Result<_>>()?;
    let Days { from, to, .. } = days;
    Ok(Some(Exposure {
        terminal: terminal.clone(),
        from,
        to,
        lost_at: lost_at.map(sql::instant),
        erased_at: erased_at.map(sql::instant),
        requests,
    }))
}

impl Exposure {
    /// As CSV with a heading, for a spreadsheet of a city office: UTF-8 with its mark, lines ended by CR LF, and an apostrophe
    /// before what the spreadsheet would take for a formula.
    ///
    /// # Errors
    /// When a row can't be written, which memory always can.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut csv = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer("\u{feff}".as_bytes().to_vec());
        csv.write_record([
            "収集日",
            "受付番号",
            "地区",
            "住所",
            "排出場所",
            "端末に初めて送った日時",
            "最後に送った日時",
        ])?;
        let at = |at: Option<Timestamp>| {
            at.map(|at| at.to_zoned(japan()).strftime("%Y/%m/%d %H:%M").to_string()).unwrap_or_default()
        };
        let text = |text: &str| if is_formula(text) { format!("'{text}") } else { text.to_owned() };
        for row in &self.requests {
            csv.write_record([
                row.date.strftime("%Y/%m/%d").to_string(),
                text(&row.reception),
                text(&row.district),
                text(row.address.as_deref().unwrap_or("（保存期間が過ぎて消去済み）")),
                text(row.spot.as_deref().unwrap_or_default()),
                at(row.first_at),
                at(row.last_at),
            ])?;
        }
        csv.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
    }
}
