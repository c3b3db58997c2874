//! Which dates are taken at once, and which are asked for twice.
#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use meguri_core::view::{Coming, ConfigView};

use super::super::state::tests::view;
use super::*;

fn doubtful(coming: Option<&str>, switchover: bool) -> View {
    let coming = coming.map(|at| Coming {
        at: at.parse().unwrap(),
        contractor: "第二収集".into(),
        vehicle: "12号車".into(),
        round: "B".into(),
        switchover,
    });
    View {
        clock_in_doubt: true,
        earliest: date(2026, 3, 26),
        config: ConfigView { coming, ..ConfigView::default() },
        ..View::clone(&view(1, vec![]))
    }
}

fn taken(view: &View, day: Date) -> Option<Date> {
    let mut choosing = Choosing::new(view);
    choosing.chosen = Some(day);
    choosing.take(view)
}

#[test]
fn a_date_a_day_away_is_taken_at_once_and_one_further_away_is_asked_for_twice() {
    let view = doubtful(None, false);
    for day in [date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2)] {
        assert_eq!(taken(&view, day), Some(day));
    }
    for day in [date(2026, 3, 30), date(2026, 4, 3), date(2026, 5, 1)] {
        let mut choosing = Choosing::new(&view);
        choosing.chosen = Some(day);
        assert_eq!(choosing.take(&view), None, "{day}");
        assert_eq!(choosing.take(&view), Some(day));
    }
}

#[test]
fn a_date_that_ends_a_contract_is_asked_for_twice() {
    // Midnight of 2 April in Japan.
    let at = Some("2026-04-01T15:00:00Z");
    assert_eq!(taken(&doubtful(at, true), date(2026, 4, 2)), None);
    assert_eq!(taken(&doubtful(at, true), date(2026, 4, 1)), Some(date(2026, 4, 1)));
    assert_eq!(taken(&doubtful(at, false), date(2026, 4, 2)), Some(date(2026, 4, 2)));
}

#[test]
fn no_day_after_the_latest_is_offered() {
    let view = doubtful(None, false);
    let mut choosing = Choosing::new(&view);
    for _ in 0..20 {
        choosing.turn(28, view.earliest);
    }
    // 400 days after 26 March 2026 it is Friday, 30 April 2027.
    assert_eq!(choosing.from, date(2027, 4, 26));
    choosing.choose(5, view.earliest);
    assert_eq!(choosing.chosen, None);
    choosing.choose(4, view.earliest);
    assert_eq!(choosing.chosen, Some(date(2027, 4, 30)));
}

#[test]
fn no_day_before_the_earliest_is_offered() {
    let view = doubtful(None, false);
    let mut choosing = Choosing::new(&view);
    // The Monday of the earliest day's week, which is a Thursday.
    assert_eq!(choosing.from, date(2026, 3, 23));
    choosing.turn(-28, view.earliest);
    assert_eq!(choosing.from, date(2026, 3, 23));
    choosing.choose(2, view.earliest);
    assert_eq!(choosing.chosen, None);
    choosing.choose(3, view.earliest);
    assert_eq!(choosing.chosen, Some(date(2026, 3, 26)));
    choosing.turn(28, view.earliest);
    assert_eq!((choosing.from, choosing.chosen), (date(2026, 4, 20), Some(date(2026, 3, 26))));
    choosing.choose(usize::MAX, view.earliest);
    assert_eq!(choosing.chosen, Some(date(2026, 3, 26)));
}
