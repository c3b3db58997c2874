//! Whatever is tapped in whatever order, only sound intents come out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::civil::date;
use meguri_core::view::{Counts, Crew, Link};
use meguri_proto::pickup::{OfficeWord, Result as Outcome, Statement};
use meguri_proto::{FactId, Listed, Payment, Place};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(n: u32) -> PickupId {
    PickupId(Uuid::from_u128(n.into()))
}

fn stop(n: u32, counts: &[u32], state: PickupState) -> Stop {
    let item = |&count: &u32| Item { name: "椅子".into(), count, tickets: vec![], recycling: false };
    let place = Place {
        ward: "中区".into(),
        town: "江波東".into(),
        lot: String::new(),
        building: String::new(),
        spot: String::new(),
        notice: String::new(),
        position: None,
    };
    let own = matches!(state, PickupState::Collected).then(|| Statement {
        fact: FactId(Uuid::from_u128(n.into())),
        terminal: "t-1".parse().unwrap(),
        at: jiff::Timestamp::UNIX_EPOCH,
        result: Outcome::Collected,
    });
    let listed = Listed {
        id: id(n),
        order: n,
        reception: "0001".into(),
        place,
        items: counts.iter().map(item).collect(),
        payment: Payment::Tickets,
        changed: false,
        office: OfficeWord::Planned,
        others: vec![],
        own: own.clone(),
    };
    Stop { listed: Arc::new(listed), state, contradictions: vec![], own, waiting: false }
}

pub(crate) fn view(day: i8, stops: Vec<Stop>) -> Arc<View> {
    let today = date(2026, 4, day);
    let list = ListView {
        date: today,
        version: 1,
        contractor: "第一収集".into(),
        vehicle: "3号車".into(),
        round: "A".into(),
        stops,
        counts: Counts::default(),
    };
    Arc::new(View {
        today,
        list: Some(list),
        link: Link::Up,
        waiting: 0,
        heard_at: None,
        clock_in_doubt: false,
        earliest: today,
        trouble: None,
        crew: meguri_core::view::Crew::default(),
        erased: false,
        config: meguri_core::view::ConfigView::default(),
    })
}

fn three() -> Vec<Stop> {
    vec![
        stop(1, &[1], PickupState::Open),
        stop(2, &[2, 1, 3], PickupState::Open),
        stop(3, &[1, 1], PickupState::Open),
    ]
}

fn reasons() -> Vec<ReasonSetting> {
    vec![
        ReasonSetting { code: Reason::NotOut, note: false },
        ReasonSetting { code: Reason::Unsafe, note: true },
        ReasonSetting { code: Reason::Other, note: false },
    ]
}

fn state(stops: Vec<Stop>) -> State {
    let mut state = State::new(reasons());
    state.show(view(1, stops));
    state
}

#[test]
fn the_next_stop_is_the_next_open_one_and_then_the_first() {
    let mut stops = three();
    stops[1].state = PickupState::Collected;
    let mut state = state(stops);
    state.open(id(1));
    assert_eq!(state.next().map(Stop::id), Some(id(3)));
    state.open(id(3));
    assert_eq!(state.next().map(Stop::id), Some(id(1)));
}

#[test]
fn a_new_day_begins_anew() {
    let mut state = state(three());
    state.open(id(2));
    state.toggle(0);
    state.choose_tab(Tab::Done);
    state.show(view(2, vec![stop(7, &[1], PickupState::Open)]));
    assert_eq!((state.open, state.tab, state.over), (Some(id(7)), Tab::Left, false));
}

#[test]
fn an_answer_to_a_pickup_that_was_taken_off_the_list_marks_no_other() {
    let mut state = state(three());
    assert!(state.collect().is_some());
    state.show(view(1, three().split_off(1)));
    assert_eq!(state.open, Some(id(2)));
    assert!(state.answered(Ok(())));
    assert_eq!(state.recorded, None);
    assert!(state.form());
}

#[test]
fn a_tap_for_a_page_that_has_gone_changes_nothing() {
    let mut state = state(three());
    state.open(id(2));
    state.toggle(0);
    assert!(state.collect().is_none());
    assert_eq!(state.page, Page::Causes);
    state.toggle(1);
    state.change(2, false);
    assert_eq!(state.choice.as_ref().unwrap().taken, [0, 1, 3]);
    state.back();
    state.choose(Reason::NotOut);
    assert_eq!((state.page, state.choice.as_ref().unwrap().chosen), (Page::Pickup, None));
}

#[test]
fn no_reason_is_asked_for_what_the_office_has_closed() {
    let mut state = state(three());
    state.refuse();
    state.choose(Reason::NotOut);
    let mut stops = three();
    stops[0].state = PickupState::Cancelled;
    state.show(view(1, stops.clone()));
    assert_eq!((state.page, state.failure.clone()), (Page::Pickup, Some(Failure::Gone)));
    // What lies in front of the crew all the same can be recorded still.
    state.anyway();
    state.refuse();
    assert_eq!(state.page, Page::Causes);
    state.choose(Reason::NotOut);
    assert!(state.confirm().is_some());
}

#[test]
fn a_record_that_came_to_nothing_leaves_no_dead_question() {
    let mut state = state(three());
    state.refuse();
    state.choose(Reason::NotOut);
    assert!(state.confirm().is_some());
    let mut stops = three();
    stops[0].state = PickupState::Cancelled;
    state.show(view(1, stops));
    assert_eq!(state.page, Page::Causes);
    assert!(!state.answered(Err(NotRecorded::Already)));
    assert_eq!(
        (state.page, state.failure.clone()),
        (Page::Pickup, Some(Failure::NotRecorded(NotRecorded::Already)))
    );
}

fn changes(today: i8, changed: Option<&str>, coming: Option<&str>) -> Arc<View> {
    let change = |at: &str| Coming {
        at: at.parse().unwrap(),
        contractor: "第二収集".into(),
        vehicle: "12号車".into(),
        round: "B".into(),
        switchover: true,
    };
    let config = meguri_core::view::ConfigView {
        changed: changed.map(change),
        coming: coming.map(change),
        ..meguri_core::view::ConfigView::default()
    };
    Arc::new(View { config, ..View::clone(&view(today, three())) })
}

/// Midnight of 1 April in Japan.
const MIDNIGHT: &str = "2026-03-31T15:00:00Z";

#[test]
fn a_change_is_news_on_its_day_until_it_was_read() {
    let mut state = state(three());
    state.show(changes(1, Some(MIDNIGHT), None));
    assert!(state.news().is_some());
    state.show(changes(2, Some(MIDNIGHT), None));
    assert!(state.news().is_none(), "of yesterday");
    state.show(changes(1, Some(MIDNIGHT), None));
    state.read_news();
    assert!(state.news().is_none());
}

#[test]
fn a_change_that_was_overdue_is_news_when_it_comes() {
    let mut state = state(three());
    state.show(changes(12, Some(MIDNIGHT), None));
    assert!(state.news().is_none(), "nobody knows when it came");
    state.show(changes(12, None, Some(MIDNIGHT)));
    assert!(state.news().is_none());
    state.show(changes(12, Some(MIDNIGHT), None));
    state.show(changes(12, Some(MIDNIGHT), None));
    assert!(state.news().is_some(), "it came before the crew's eyes");
    state.show(changes(13, Some(MIDNIGHT), None));
    assert!(state.news().is_none());
}

#[test]
fn the_page_of_dates_closes_when_the_office_tells_the_day() {
    let mut state = state(three());
    state.choose_date();
    assert_eq!(state.page, Page::Pickup, "nothing is in doubt");
    let doubt = View { clock_in_doubt: true, ..View::clone(&view(1, three())) };
    let locked = View { crew: Crew { locked: true, ..doubt.crew.clone() }, ..doubt.clone() };
    state.show(Arc::new(locked.clone()));
    state.choose_date();
    assert_eq!(state.page, Page::Pickup, "nobody has signed in");
    state.show(Arc::new(doubt.clone()));
    state.choose_date();
    assert_eq!(state.page, Page::Date);
    state.show(Arc::new(locked));
    assert_eq!(state.page, Page::Pickup, "the screen was locked meanwhile");
    state.show(Arc::new(doubt.clone()));
    state.choose_date();
    state.show(Arc::new(doubt));
    assert_eq!((state.page, state.over), (Page::Date, true));
    state.show(view(1, three()));
    assert_eq!((state.page, state.over, state.choosing), (Page::Pickup, false, None));
}

/// What a crew, the office and the terminal may do.
#[derive(Debug, Clone)]
enum Move {
    Open(u32),
    Toggle(usize),
    Change(usize, bool),
    Collect,
    Refuse,
    Choose(usize),
    Same,
    Confirm,
    Note(String),
    Undo,
    Anyway,
    Back,
    Next,
    About,
    Config,
    Answer(bool),
    List(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        1 => (1..5u32).prop_map(Move::Open),
        1 => (0..4usize).prop_map(Move::Toggle),
        1 => (0..4usize, any::<bool>()).prop_map(|(item, more)| Move::Change(item, more)),
        3 => Just(Move::Collect),
        1 => Just(Move::Refuse),
        2 => (0..3usize).prop_map(Move::Choose),
        1 => Just(Move::Same),
        4 => Just(Move::Confirm),
        1 => prop_oneof![Just(" "), Just("猫"), Just("a\nb")].prop_map(|note| Move::Note(note.to_owned())),
        1 => Just(Move::Undo),
        1 => Just(Move::Anyway),
        1 => Just(Move::Back),
        1 => Just(Move::Next),
        1 => Just(Move::About),
        1 => Just(Move::Config),
        3 => any::<bool>().prop_map(Move::Answer),
        1 => (0..8u8).prop_map(Move::List),
    ];
    prop::collection::vec(one, 0..60)
}

/// A list in which something else is different each time.
fn changed(how: u8) -> Vec<Stop> {
    let mut stops = three();
    match how {
        0 => drop(stops.remove(0)),
        1 => stops[1] = stop(2, &[5], PickupState::Open),
        2 => stops[0] = stop(1, &[1], PickupState::Collected),
        3 => stops[2].state = PickupState::Cancelled,
        4 => stops.clear(),
        5 => stops.reverse(),
        _ => {}
    }
    stops
}

fn sound(state: &State, intent: &Intent) -> Result<(), TestCaseError> {
    let items = |pickup: &PickupId| {
        let list = state.list().unwrap();
        let stop = list.stops.iter().find(|stop| stop.id() == *pickup);
        stop.map(|stop| stop.listed.items.clone()).expect("only what is on the list is recorded")
    };
    let noted = |reason: Reason, note: &Option<String>| {
        let filled = note.as_ref().is_some_and(|note| !note.trim().is_empty());
        !state.demands_note(reason) || filled
    };
    match intent {
        Intent::Collect { pickup } => drop(items(pickup)),
        Intent::Undo { pickup } => {
            items(pickup);
            prop_assert!(state.undoable());
        }
        Intent::Refuse { pickup, reason, note } => {
            items(pickup);
            prop_assert!(noted(*reason, note));
        }
        Intent::Partly { pickup, items: results, note } => {
            let items = items(pickup);
            prop_assert_eq!(results.len(), items.len());
            let (mut taken, mut all) = (0, 0);
            for (index, (result, item)) in results.iter().zip(&items).enumerate() {
                prop_assert_eq!(result.item as usize, index);
                prop_assert!(result.collected <= item.count);
                prop_assert_eq!(result.reason.is_some(), result.collected < item.count);
                prop_assert!(result.reason.is_none_or(|reason| noted(reason, note)));
                (taken, all) = (taken + result.collected, all + item.count);
            }
            prop_assert!(0 < taken && taken < all);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn only_sound_intents_come_out(moves in moves()) {
        let mut state = state(three());
        for step in moves {
            let writing = state.writing.is_some();
            let before = (state.page, state.choice.as_ref().map(|choice| choice.at));
            // As the buttons of the pages that ask are enabled.
            let enabled = !writing && state.choice.as_ref().is_some_and(|choice| match state.page {
                Page::Causes => choice.chosen.is_some(),
                Page::Note => choice.noted(),
                Page::Pickup | Page::About | Page::Config | Page::Date => false,
            });
            let confirms = matches!(step, Move::Confirm);
            let intent = match step {
                Move::Open(n) => { state.open(id(n)); None }
                Move::Toggle(item) => { state.toggle(item); None }
                Move::Change(item, more) => { state.change(item, more); None }
                Move::Collect => state.collect(),
                Move::Refuse => { state.refuse(); None }
                Move::Choose(n) => { state.choose(reasons()[n].code); None }
                Move::Same => { state.toggle_same(); None }
                Move::Confirm => state.confirm(),
                Move::Note(note) => { state.edit_note(&note); None }
                Move::Undo => state.undo(),
                Move::Anyway => { state.anyway(); None }
                Move::Back => { state.back(); None }
                Move::Next => { state.go_next(); None }
                Move::About => { state.about(); None }
                Move::Config => { state.config(); None }
                Move::Answer(ok) => {
                    let answer = if ok { Ok(()) } else { Err(NotRecorded::Already) };
                    prop_assert_eq!(state.answered(answer), writing && ok);
                    None
                }
                Move::List(how) => { state.show(view(1, changed(how))); None }
            };
            if confirms {
                let after = (state.page, state.choice.as_ref().map(|choice| choice.at));
                prop_assert_eq!(intent.is_some() || before != after, enabled, "a button does what it looks like");
            }
            if let Some(intent) = intent {
                prop_assert!(!writing, "two at once");
                prop_assert_eq!(state.shown().map(|shown| shown.listed.id), state.open, "it is of what is shown");
                prop_assert!(state.writing.is_some());
                sound(&state, &intent)?;
            }
            if let Some(choice) = &state.choice {
                prop_assert_eq!(choice.taken.len(), choice.items.len());
                prop_assert!(choice.at < choice.items.len());
            }
            if matches!(state.page, Page::Causes | Page::Note) && state.writing.is_none() {
                prop_assert!(state.form(), "what is asked can be recorded");
            }
        }
    }
}
