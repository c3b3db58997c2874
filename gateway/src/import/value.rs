//! Cells become values. Every error says what was expected and what was found.

use std::borrow::Cow;

use meguri_proto::{Item, Payment, Ticket, limits};

use super::profile::ItemText;

/// A value as an error shows it: quoted, and no longer than needed to find it.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 20;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

pub(super) fn expected<T>(what: impl std::fmt::Display, found: &str) -> Result<T, String> {
    if found.is_empty() {
        return Err(format!("expected {what}, found nothing"));
    }
    Err(format!("expected {what}, found {}", shown(found)))
}

/// Japanese files often write digits and letters full-width: １２ means 12.
pub(super) fn narrow(text: &str) -> Cow<'_, str> {
    let wide = |c: char| ('\u{FF01}'..='\u{FF5E}').contains(&c);
    if !text.contains(wide) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| {
        if wide(c) { char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c) } else { c }
    };
    Cow::Owned(text.chars().map(one).collect())
}

/// Puts zeros in front up to `pad` characters.
pub(super) fn padded(text: &str, pad: usize) -> String {
    "0".repeat(pad.saturating_sub(text.chars().count())) + text
}

/// A whole number of at most `most`.
pub(crate) fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let plain = narrow(text);
    // `parse` takes a sign.
    let digits = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
    match plain.parse::<u32>() {
        Ok(number) if digits && (least..=most).contains(&number) => Ok(number),
        _ => expected(format_args!("a number from {least} to {most}"), text),
    }
}

/// Degrees between `-bound` and `bound`. The value is residents' data and is not shown.
pub(super) fn degrees(text: &str, bound: f64) -> Result<f64, String> {
    match narrow(text).parse::<f64>() {
        // Spelled-out infinities and NaN lie outside.
        Ok(degrees) if (-bound..=bound).contains(&degrees) => Ok(degrees),
        _ => Err(format!("expected degrees from -{bound} to {bound}, found something else")),
    }
}

/// A reception number: ASCII letters, digits and hyphens.
pub(super) fn reception(text: &str) -> Result<String, String> {
    let plain = narrow(text);
    let good = (1..=limits::ID_BYTES).contains(&plain.len())
        && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if good {
        return Ok(plain.into_owned());
    }
    expected(
        format_args!("a reception number, at most {} letters, digits and hyphens", limits::ID_BYTES),
        text,
    )
}

/// A text of one line and at most `most` characters. `private` texts are not shown in errors.
pub(super) fn text(text: &str, most: usize, private: bool) -> Result<String, String> {
    if text.contains('\n') {
        return Err("expected one line, found a line break: is a quote missing?".to_owned());
    }
    lines(text, most, private)
}

/// A text of any number of lines and at most `most` characters.
pub(super) fn lines(text: &str, most: usize, private: bool) -> Result<String, String> {
    let length = text.chars().count();
    if length > most {
        return Err(format!("expected at most {most} characters, found {length}"));
    }
    match text.chars().find(|c| c.is_control() && *c != '\n') {
        None => Ok(text.to_owned()),
        Some(c) if private => {
            Err(format!("expected printable characters, found the control character U+{:04X}", u32::from(c)))
        }
        Some(_) => expected("printable characters", text),
    }
}

/// How it is paid.
pub(super) fn payment(text: &str) -> Result<Payment, String> {
    match text {
        "tickets" => Ok(Payment::Tickets),
        "cashless" => Ok(Payment::Cashless),
        "number_tag" => Ok(Payment::NumberTag),
        _ => expected("tickets, cashless or number_tag (the profile's map translates)", text),
    }
}

/// Whether the file says that it is cancelled.
pub(super) fn cancelled(text: &str) -> Result<bool, String> {
    match text {
        "planned" | "" => Ok(false),
        "cancelled" => Ok(true),
        _ => expected("planned or cancelled (the profile's map translates)", text),
    }
}

/// Yes or no.
pub(crate) fn yes(text: &str) -> Result<bool, String> {
    match narrow(text).to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "有" | "あり" | "○" | "〇" | "要" => Ok(true),
        "" | "0" | "no" | "false" | "無" | "なし" | "×" | "不要" | "-" => Ok(false),
        _ => expected("yes or no (1, yes, true, 有, あり, ○, 要; 0, no, false, 無, なし, ×, 不要)", text),
    }
}

/// Tickets like `1000x1+250x2`; the value alone is one ticket.
pub(crate) fn tickets(text: &str) -> Result<Vec<Ticket>, String> {
    let plain = narrow(text);
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    let one = |part: &str| -> Option<Ticket> {
        let (yen, count) = part.split_once(['x', 'X', '×', '*']).unwrap_or((part, "1"));
        let yen = number(yen.trim().trim_end_matches('円'), 1, 1_000_000).ok()?;
        let count = number(count.trim().trim_end_matches('枚'), 1, limits::ITEM_COUNT).ok()?;
        Some(Ticket { yen, count })
    };
    let mut tickets: Vec<Ticket> = Vec::new();
    for part in plain.split('+') {
        let Some(ticket) = one(part) else { return expected("tickets like 1000x1+250x2", text) };
        if tickets.iter().any(|other| other.yen == ticket.yen) {
            return expected("each value of tickets once", text);
        }
        if tickets.len() == limits::ITEM_TICKETS {
            return expected(format_args!("at most {} values of tickets", limits::ITEM_TICKETS), text);
        }
        tickets.push(ticket);
    }
    Ok(tickets)
}

/// An item's name.
pub(super) fn item_name(name: &str) -> Result<String, String> {
    text(name, limits::SHORT_TEXT, false)
}

/// All items of one cell, like タンス×1、椅子×2.
pub(super) fn items(how: &ItemText, cell: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = Some(cell);
    while let Some(now) = rest {
        // The separator that comes first; of two at one place, the longer one.
        let cut = how
            .between
            .iter()
            .filter_map(|between| now.find(between.as_str()).map(|at| (at, between.len())))
            .min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length)));
        let one = cut.map_or(now, |(at, _)| &now[..at]).trim();
        rest = cut.map(|(at, length)| &now[at + length..]);
        if one.is_empty() {
            continue;
        }
        if items.len() == limits::PICKUP_ITEMS {
            return Err(format!("expected at most {} items, found more", limits::PICKUP_ITEMS));
        }
        let times = how
            .times
            .iter()
            .filter_map(|times| one.rfind(times.as_str()).map(|at| (at, times.len())))
            .max_by_key(|(at, length)| (*at, *length));
        let (name, count) = match times {
            Some((at, length)) => {
                (one[..at].trim(), number(one[at + length..].trim(), 1, limits::ITEM_COUNT)?)
            }
            None => (one, 1),
        };
        if name.is_empty() {
            return expected("an item's name", one);
        }
        items.push(Item { name: item_name(name)?, count, tickets: Vec::new(), recycling: false });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("１２", 1, 99), Ok(12));
        for bad in ["", "+1", "-1", "1.0", "100", "0", "99999999999", "一", " 1"] {
            assert!(number(bad, 1, 99).is_err(), "{bad}");
        }
        assert_eq!(degrees("-118.25", 180.0), Ok(-118.25));
        for bad in ["", "NaN", "inf", "181", "34,5"] {
            assert!(degrees(bad, 180.0).is_err(), "{bad}");
        }
        assert_eq!(reception("０１２３").unwrap(), "0123");
        for bad in ["", "12 34", "受1", "1\0", &"1".repeat(41)] {
            assert!(reception(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tickets_and_answers() {
        assert_eq!(tickets("").unwrap(), []);
        let both = [Ticket { yen: 1000, count: 1 }, Ticket { yen: 250, count: 2 }];
        for text in ["1000x1+250x2", "1000 × 1 + 250×2", "1000円x1枚+250円x2枚", "１０００+250x2"] {
            assert_eq!(tickets(text).unwrap(), both, "{text}");
        }
        for bad in ["x", "1000x", "1000x0", "0x1", "250x1+250x1", "1000x1+", "1000x1000", "1+2+3+4+5+6+7+8+9"]
        {
            assert!(tickets(bad).is_err(), "{bad}");
        }
        assert_eq!((yes("有"), yes("１"), yes(""), yes("No")), (Ok(true), Ok(true), Ok(false), Ok(false)));
        assert!(yes("maybe").is_err());
    }

    #[test]
    fn items_of_a_cell() {
        let how = |times: &[&str]| ItemText {
            text: super::super::profile::Field::default(),
            between: vec!["、".to_owned(), ",".to_owned()],
            times: times.iter().map(|&text| text.to_owned()).collect(),
        };
        let read = |text: &str| items(&how(&["×", "x"]), text);
        let named = |text: &str| -> Vec<(String, u32)> {
            read(text).unwrap().into_iter().map(|item| (item.name, item.count)).collect()
        };
        assert_eq!(named("タンス×1、椅子×２"), [("タンス".to_owned(), 1), ("椅子".to_owned(), 2)]);
        assert_eq!(named("机 , box x 3、"), [("机".to_owned(), 1), ("box".to_owned(), 3)]);
        assert_eq!(named(""), []);
        for bad in ["×2", "椅子×二", "椅子×", "椅子×0", &"椅".repeat(101)] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(items(&how(&[]), "box").unwrap()[0].name, "box");
        // A million of them are refused without being made.
        assert!(read(&"a、".repeat(1_000_000)).unwrap_err().contains("at most 50"));
    }

    #[test]
    fn errors_show_no_more_than_needed() {
        let problem = reception(&"あ".repeat(10_000)).unwrap_err();
        assert!(problem.chars().count() < 120, "{problem}");
        assert!(!text("中町\u{0}1-2", 100, true).unwrap_err().contains('町'));
    }
}
