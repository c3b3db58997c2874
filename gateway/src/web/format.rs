//! How the pages write dates, times, numbers and what may not be shown as it came.

use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, Zoned};
use meguri_proto::Reason;
use meguri_proto::clock::japan;

use super::text::{Lang, Text};
pub(super) use crate::pickups::happened;
use crate::store::sql;

/// An instant on Japan's clocks.
pub(super) fn in_japan(at: Timestamp) -> Zoned {
    at.to_zoned(japan())
}

/// An instant of the store on Japan's clocks.
pub(super) fn stored(ms: i64) -> Zoned {
    in_japan(sql::instant(ms))
}

/// A number with thousands separators.
pub(super) fn number(value: impl TryInto<i64>) -> String {
    let value: i64 = value.try_into().unwrap_or(i64::MAX);
    let digits = value.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A day like 4月1日(水), with its year where that is not `year`.
pub(super) fn day(lang: Lang, date: Date, year: i16) -> String {
    let weekday = weekday(lang, date.weekday());
    let (month, number) = (date.month(), date.day());
    match lang {
        Lang::Ja if date.year() == year => format!("{month}月{number}日({weekday})"),
        Lang::Ja => format!("{}年{month}月{number}日({weekday})", date.year()),
        Lang::En => {
            let month =
                MONTHS.get(usize::from(month.unsigned_abs()).saturating_sub(1)).copied().unwrap_or("");
            let year = if date.year() == year { String::new() } else { format!(" {}", date.year()) };
            format!("{weekday} {number} {month}{year}")
        }
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn weekday(lang: Lang, day: Weekday) -> &'static str {
    let index = usize::from(day.to_monday_zero_offset().unsigned_abs());
    let words = match lang {
        Lang::Ja => ["月", "火", "水", "木", "金", "土", "日"],
        Lang::En => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    };
    words.get(index).copied().unwrap_or("")
}

/// A time in a sentence: 12時06分, 12:06.
pub(super) fn time_in_words(lang: Lang, at: &Zoned) -> String {
    match lang {
        Lang::Ja => format!("{}時{:02}分", at.hour(), at.minute()),
        Lang::En => clock(at),
    }
}

/// A time in a table: 12:06.
pub(super) fn clock(at: &Zoned) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// A time in a table about `today`: with its day where that is another one.
pub(super) fn clock_on(lang: Lang, at: &Zoned, today: Date) -> String {
    if at.date() == today {
        clock(at)
    } else {
        format!("{} {}", day(lang, at.date(), today.year()), clock(at))
    }
}

/// A moment to the second: 2026-04-01 12:06:09.
pub(super) fn exact(at: &Zoned) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Percent of `part` in `whole`, rounded down so that 100 means all.
pub(super) fn percent(part: u32, whole: u32) -> u32 {
    if whole == 0 { 0 } else { u32::try_from(u64::from(part) * 100 / u64::from(whole)).unwrap_or(100) }
}

/// A reason's name.
pub(super) fn reason(lang: Lang, reason: Reason) -> &'static str {
    lang.say(match reason {
        Reason::NotOut => Text::ReasonNotOut,
        Reason::TicketShort => Text::ReasonTicketShort,
        Reason::OtherItem => Text::ReasonOtherItem,
        Reason::OtherCount => Text::ReasonOtherCount,
        Reason::NotApplied => Text::ReasonNotApplied,
        Reason::PlaceNotFound => Text::ReasonPlaceNotFound,
        Reason::AccessBlocked => Text::ReasonAccessBlocked,
        Reason::Unsafe => Text::ReasonUnsafe,
        Reason::NotAccepted => Text::ReasonNotAccepted,
        Reason::NoRecyclingTicket => Text::ReasonNoRecyclingTicket,
        Reason::Business => Text::ReasonBusiness,
        Reason::Other => Text::ReasonOther,
    })
}

/// Bytes of unknown origin as text that can't play tricks: what is not UTF-8, controls and marks that
/// turn the direction of writing are spelled out. At most `most` characters; true where that is not all.
pub(super) fn raw(bytes: &[u8], most: usize) -> (String, bool) {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index >= most {
            return (out, true);
        }
        let hidden = c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if hidden {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    (out, false)
}

/// A search text as reception numbers are kept: full-width digits and letters become plain, hyphens and dashes of
/// any kind become one kind, spaces go.
pub(super) fn reception(text: &str) -> String {
    let plain = |c: char| match c {
        // U+FF01 to U+FF5E are the ASCII characters in full width.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    };
    text.chars().map(plain).filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1234, "-1,234")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn days_and_times_read_as_people_write_them() {
        let wednesday = date(2026, 4, 1);
        assert_eq!(day(Lang::Ja, wednesday, 2026), "4月1日(水)");
        assert_eq!(day(Lang::Ja, wednesday, 2027), "2026年4月1日(水)");
        assert_eq!(day(Lang::En, wednesday, 2026), "Wed 1 Apr");
        assert_eq!(day(Lang::En, wednesday, 2025), "Wed 1 Apr 2026");
        let at = in_japan("2026-03-31T15:06:09Z".parse().unwrap());
        assert_eq!(at.date(), wednesday);
        assert_eq!(time_in_words(Lang::Ja, &at), "0時06分");
        assert_eq!(clock(&at), "00:06");
        assert_eq!(exact(&at), "2026-04-01 00:06:09");
        assert_eq!(clock_on(Lang::Ja, &at, date(2026, 4, 2)), "4月1日(水) 00:06");
    }

    #[test]
    fn all_is_a_hundred_percent_and_nothing_else() {
        assert_eq!([percent(0, 0), percent(999, 1000), percent(1000, 1000), percent(1, 3)], [0, 99, 100, 33]);
    }

    #[test]
    fn raw_text_is_spelled_out() {
        assert_eq!(raw(b"{\"a\":1}\n", 100), ("{\"a\":1}\n".into(), false));
        assert_eq!(raw(b"a\0b\xff", 100), ("a\\u{0}b\u{fffd}".into(), false));
        assert_eq!(raw("\u{202e}x".as_bytes(), 100).0, "\\u{202e}x");
        assert_eq!(raw("ごみ".as_bytes(), 1), ("ご".into(), true));
    }

    #[test]
    fn a_clock_that_can_not_be_right_is_not_believed() {
        let day = date(2026, 4, 1);
        let ms = |at: &str| sql::ms(at.parse::<Timestamp>().unwrap());
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let select = format!(
            "SELECT {} FROM (SELECT ?1 AS said_at, ?2 AS received_at, ?3 AS date)",
            super::super::board::HAPPENED
        );
        let (ten, noon) = (ms("2026-04-01T01:00:00Z"), ms("2026-04-01T03:00:00Z"));
        let (eve, night) = (ms("2026-03-31T08:00:00Z"), ms("2026-03-31T15:00:00Z"));
        let (later, years_ago) = (ms("2026-05-31T03:00:00Z"), ms("2015-01-01T00:00:00Z"));
        for (said, received, expected) in [
            (Some(ten), noon, ten),
            (Some(noon), noon, noon),
            (Some(noon + 1), noon, noon),
            (None, noon, noon),
            // The day's first moment, and one before it.
            (Some(night), noon, night),
            (Some(night - 1), noon, noon),
            (Some(years_ago), noon, noon),
            // Long without a line.
            (Some(ten), later, ten),
            // Before the day.
            (Some(eve), eve + 1, eve),
            (Some(years_ago), eve, eve),
        ] {
            assert_eq!(happened(said, received, day), expected, "{said:?} {received}");
            let row = rusqlite::params![said, received, day.to_string()];
            let by_sql: i64 = conn.query_row(&select, row, |row| row.get(0)).unwrap();
            assert_eq!(by_sql, expected, "{said:?} {received}");
        }
    }

    #[test]
    fn full_width_digits_are_digits() {
        assert_eq!(reception("４４１７"), "4417");
        assert_eq!(reception(" 44 17\u{3000}"), "4417");
        assert_eq!(reception("ａ−1"), "a-1");
    }
}
