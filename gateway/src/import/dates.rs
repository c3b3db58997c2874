//! Dates as reception systems write them: with a format of strptime, in the era 令和, or without a year.

use jiff::civil::{Date, Weekday};
use jiff::fmt::strtime::{self, BrokenDownTime};

use super::profile::Profile;
use super::value::{expected, narrow};

/// 令和8年4月1日, R8.4.1 and the like.
const WAREKI: &str = "wareki";
/// 080401, the year being one of 令和; or 5080401, where 5 says so.
const WAREKI_DIGITS: &str = "wareki_digits";

/// One way to write dates.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Wareki,
    WarekiDigits,
    /// Of strptime, with a year.
    Whole(String),
    /// Of strptime, with month and day alone.
    Yearless(String),
}

impl Format {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            WAREKI => return Ok(Self::Wareki),
            WAREKI_DIGITS => return Ok(Self::WarekiDigits),
            _ => {}
        }
        // A format is understood by what it makes of a day, and that by what it reads of it.
        let day = jiff::civil::date(2026, 11, 28);
        let zone = jiff::tz::offset(9).to_time_zone();
        let written = day
            .at(13, 4, 5, 0)
            .to_zoned(zone)
            .map_err(|error| error.to_string())
            .and_then(|time| strtime::format(text, &time).map_err(|error| error.to_string()))?;
        if Date::strptime(text, &written).is_ok_and(|read| read == day) {
            return Ok(Self::Whole(text.to_owned()));
        }
        let read =
            BrokenDownTime::parse(text, &written).ok().and_then(|read| Some((read.month()?, read.day()?)));
        match read {
            Some((11, 28)) => Ok(Self::Yearless(text.to_owned())),
            _ => Err("has no day and month".to_owned()),
        }
    }

    /// The dates that a text can be; none where it is written otherwise.
    fn read(&self, text: &str, near: Option<Date>) -> Option<Date> {
        match self {
            Self::Wareki => wareki(text),
            Self::WarekiDigits => wareki_digits(text),
            Self::Whole(format) => {
                let date = Date::strptime(format, text.as_bytes()).ok()?;
                // Where nothing stands between the parts, 2026041 could be two days.
                let joined = format.rsplit('%').skip(1).any(|part| part.len() == 1);
                if joined && strtime::format(format, date).is_ok_and(|written| written != text) {
                    return None;
                }
                // A year of two digits read as four is none.
                (2000..2200).contains(&date.year()).then_some(date)
            }
            Self::Yearless(format) => {
                let read = BrokenDownTime::parse(format, text.as_bytes()).ok()?;
                nearest(near?, read.month()?, read.day()?)
            }
        }
    }

    fn like(&self) -> &str {
        match self {
            Self::Wareki => "令和8年4月1日 or R8.4.1",
            Self::WarekiDigits => "080401 (令和8年)",
            Self::Whole(format) | Self::Yearless(format) => format,
        }
    }
}

/// How a profile's dates are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    formats: Vec<Format>,
    near: Option<Date>,
}

impl Dates {
    /// The problem is the first format that can't be, with its text.
    pub(super) fn of(profile: &Profile) -> Result<Self, String> {
        let parse = |text: &String| Format::parse(text).map_err(|problem| format!("{text:?}: {problem}"));
        let formats: Vec<Format> = profile.date_format.0.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { formats, near: profile.reference_day })
    }

    /// Whether one of the formats has no year.
    pub(super) fn yearless(&self) -> bool {
        self.formats.iter().any(|format| matches!(format, Format::Yearless(_)))
    }

    /// Whether dates without a year would be near to no day.
    pub(super) fn lacks_reference(&self) -> bool {
        self.yearless() && self.near.is_none()
    }

    /// The date that a cell says.
    pub(super) fn read(&self, cell: &str) -> Result<Date, String> {
        let plain = narrow(cell);
        let (text, weekday) = without_weekday(plain.trim());
        let mut found: Option<(Date, &Format)> = None;
        for format in &self.formats {
            let Some(date) = format.read(text, self.near) else { continue };
            match found {
                Some((other, first)) if other != date => {
                    return Err(format!(
                        "expected a date of one meaning: {} is {other} by {} and {date} by {}",
                        super::value::shown(cell),
                        first.like(),
                        format.like()
                    ));
                }
                _ => found = found.or(Some((date, format))),
            }
        }
        let Some((date, _)) = found else {
            let like: Vec<&str> = self.formats.iter().map(Format::like).collect();
            let era = ["昭", "平", "大正", "S", "H"].iter().any(|era| text.starts_with(era));
            let hint = if era && self.formats.contains(&Format::Wareki) { ", of the era 令和" } else { "" };
            return expected(format_args!("a date like {}{hint}", like.join(" or ")), cell);
        };
        match weekday {
            Some(written) if written != date.weekday() => {
                let (day, written) = (name(date.weekday()), name(written));
                Err(format!(
                    "expected the weekday of {date}, which is {day}, found {written}: is the date right?"
                ))
            }
            _ => Ok(date),
        }
    }
}

const WEEKDAYS: [(char, Weekday); 7] = [
    ('月', Weekday::Monday),
    ('火', Weekday::Tuesday),
    ('水', Weekday::Wednesday),
    ('木', Weekday::Thursday),
    ('金', Weekday::Friday),
    ('土', Weekday::Saturday),
    ('日', Weekday::Sunday),
];

fn name(weekday: Weekday) -> char {
    WEEKDAYS.iter().find(|(_, day)| *day == weekday).map_or('?', |(name, _)| *name)
}

/// Splits (水) or (水曜日) from the end.
fn without_weekday(text: &str) -> (&str, Option<Weekday>) {
    let split = || {
        let (date, day) = text.strip_suffix(')')?.rsplit_once('(')?;
        let mut chars = day.chars();
        let first = chars.next()?;
        let (_, weekday) = WEEKDAYS.iter().find(|(name, _)| *name == first)?;
        matches!(chars.as_str(), "" | "曜" | "曜日").then_some((date.trim_end(), *weekday))
    };
    split().map_or((text, None), |(date, weekday)| (date, Some(weekday)))
}

/// A date of the Japanese era 令和, which began on 2019-05-01 as its first year (元年).
fn wareki(text: &str) -> Option<Date> {
    let text = ["令和", "㋿", "令", "R", "r"].iter().find_map(|era| text.strip_prefix(era))?;
    let parts: Vec<&str> = text.split(['年', '月', '日', '.', '/', '-']).map(str::trim).collect();
    match parts[..] {
        // 日 stands at the end.
        [year, month, day] | [year, month, day, ""] => reiwa(year, month, day),
        _ => None,
    }
}

/// Year, month and day of two digits each; where a spreadsheet has lost the first zero, one less.
fn wareki_digits(text: &str) -> Option<Date> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let text = match text.len() {
        // 5 is 令和 where eras are numbered from 明治.
        7 => text.strip_prefix('5')?,
        5 | 6 => text,
        _ => return None,
    };
    let (rest, day) = text.split_at(text.len() - 2);
    let (year, month) = rest.split_at(rest.len() - 2);
    reiwa(year, month, day)
}

fn reiwa(year: &str, month: &str, day: &str) -> Option<Date> {
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<i8>().ok() } else { None }
    };
    let year = if year == "元" { 1 } else { number(year)? };
    let date = Date::new(2018 + i16::from(year), number(month)?, number(day)?).ok()?;
    (date >= jiff::civil::date(2019, 5, 1)).then_some(date)
}

/// The day of that month and day which is nearest; of two, the later one, since collections lie ahead.
fn nearest(to: Date, month: i8, day: i8) -> Option<Date> {
    let distance = |date: &Date| to.until(*date).map_or(i32::MAX, |span| span.get_days().abs());
    (-1..=1)
        .filter_map(|years| Date::new(to.year() + years, month, day).ok())
        // 29 February may be far away in any of them.
        .filter(|date| distance(date) <= 184)
        .min_by_key(|date| (distance(date), std::cmp::Reverse(*date)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::civil::date;

    fn dates(formats: &[&str], near: &str) -> Dates {
        let formats = formats.iter().map(|format| Format::parse(format).unwrap()).collect();
        Dates { formats, near: near.parse().ok() }
    }

    #[test]
    fn one_day_in_many_ways() {
        for (format, text) in [
            ("%Y-%m-%d", "2026-04-01"),
            ("%Y-%m-%d", "２０２６-０４-０１"),
            ("%Y/%m/%d", "2026/4/1"),
            ("%Y/%m/%d", "２０２６／０４／０１"),
            ("%Y年%m月%d日", "2026年4月1日"),
            ("%Y年%m月%d日", "2026年4月1日（水）"),
            ("%Y%m%d", "20260401"),
            ("%y%m%d", "260401"),
            ("%Y-%m-%dT%H:%M:%S", "2026-04-01T13:04:00"),
            (WAREKI, "令和8年4月1日"),
            (WAREKI, "令和８年４月１日"),
            (WAREKI, "令和 8年 4月 1日 (水曜日)"),
            (WAREKI, "㋿8年4月1日"),
            (WAREKI, "R8.4.1"),
            (WAREKI, "R08.04.01"),
            (WAREKI, "Ｒ０８／０４／０１"),
            (WAREKI_DIGITS, "080401"),
            (WAREKI_DIGITS, "80401"),
            (WAREKI_DIGITS, "5080401"),
            ("%m/%d", "4/1"),
            ("%m月%d日", "４月１日（水）"),
        ] {
            assert_eq!(dates(&[format], "2026-03-20").read(text).unwrap(), date(2026, 4, 1), "{text}");
        }
        assert_eq!(dates(&[WAREKI], "").read("令和元年5月1日").unwrap(), date(2019, 5, 1));
        let many = dates(&["%Y%m%d", WAREKI, "%Y/%m/%d"], "");
        for text in ["20260401", "R8.4.1", "2026/04/01"] {
            assert_eq!(many.read(text).unwrap(), date(2026, 4, 1), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_no_other_one() {
        for (format, text) in [
            ("%Y-%m-%d", "2026-02-30"),
            ("%Y-%m-%d", "2026-04-01x"),
            ("%Y-%m-%d", ""),
            ("%Y-%m-%d", "46113"),
            ("%Y/%m/%d", "26/4/1"),
            ("%Y%m%d", "2026041"),
            ("%y%m%d", "80401"),
            (WAREKI, "令和元年4月30日"),
            (WAREKI, "令和8年13月1日"),
            (WAREKI, "令和8年2月30日"),
            (WAREKI, "令和100年4月1日"),
            (WAREKI, "令和-8年4月1日"),
            (WAREKI, "R8.4"),
            (WAREKI, "R8.4.1.1"),
            (WAREKI_DIGITS, "4080401"),
            (WAREKI_DIGITS, "080431"),
            (WAREKI_DIGITS, "20260401"),
            (WAREKI_DIGITS, "8041"),
            ("%m/%d", "2/30"),
            ("%m/%d", "2/29"),
            ("%m/%d", "4"),
        ] {
            let problem = dates(&[format], "2026-03-20").read(text).unwrap_err();
            assert!(problem.starts_with("expected a date like"), "{text}: {problem}");
        }
        for text in ["平成30年4月1日", "昭和63.4.1", "H30.4.1"] {
            assert!(
                dates(&[WAREKI], "").read(text).unwrap_err().contains("of the era 令和, found"),
                "{text}"
            );
        }
        let problem = dates(&["%m/%d"], "2026-03-20").read("4/1(木)").unwrap_err();
        assert_eq!(problem, "expected the weekday of 2026-04-01, which is 水, found 木: is the date right?");
        // Two formats that read one cell differently are no help.
        let problem = dates(&["%y%m%d", WAREKI_DIGITS], "").read("080401").unwrap_err();
        assert!(problem.contains("is 2008-04-01 by %y%m%d and 2026-04-01 by 080401"), "{problem}");
    }

    #[test]
    fn without_a_year_it_is_the_nearest() {
        for (near, text, expected) in [
            ("2026-12-28", "1/5", date(2027, 1, 5)),
            ("2026-01-05", "12/28", date(2025, 12, 28)),
            ("2026-07-02", "12/31", date(2026, 12, 31)),
            ("2026-07-01", "1/1", date(2026, 1, 1)),
            // As far in both directions: the later one.
            ("2028-07-02", "1/1", date(2029, 1, 1)),
            ("2028-02-01", "2/29", date(2028, 2, 29)),
        ] {
            assert_eq!(dates(&["%m/%d"], near).read(text).unwrap(), expected, "{near} {text}");
        }
    }

    #[test]
    fn formats_are_understood_or_refused() {
        assert!(dates(&["%m月%d日", "%Y-%m-%d"], "").lacks_reference());
        assert!(!dates(&["%Y-%m-%d %H:%M", WAREKI], "").lacks_reference());
        for bad in ["", "%Y", "%H:%M", "%Y-%m", "%Ñ", "%"] {
            assert!(Format::parse(bad).is_err(), "{bad}");
        }
    }
}
