//! The terminal's rules one by one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meguri_core::kept::{Contents, Kept, Meta, Op};
use meguri_core::sign_in::{NotSignedIn, Opened};
use meguri_core::view::{Intent, Link, NotRecorded, Shown};
use meguri_core::{Effect, Event, Recorded, Telling, Trouble, TroubleKind, Why};
use meguri_proto::pickup::{OfficeWord, Result as Outcomes, State, Statement};
use meguri_proto::{
    Ack, CrewId, DayList, Digest, DocumentName, FactId, Incarnation, Item, ItemResult, ListRef, Listed,
    LogKind, Message, OwnSeen, PickupId, Reason, SeqHeld,
};
use uuid::Uuid;

use bench::*;

#[test]
fn nothing_shows_or_is_sent_before_it_is_on_the_disk() {
    let mut bench = Bench::joined();
    let moment = bench.moment();
    let effects = bench.core.step(Event::Intent(1, Intent::Collect { pickup: first() }, None), moment);
    let Some(Effect::Commit(ops)) = effects.iter().find(|effect| matches!(effect, Effect::Commit(_))) else {
        panic!("no commit: {effects:?}");
    };
    let early = |effect: &Effect| matches!(effect, Effect::Answer(..) | Effect::Send { .. });
    assert!(!effects.iter().any(early), "{effects:?}");
    assert_eq!((bench.stop().state, bench.core.view().waiting), (State::Open, 0));
    let rechained = bench.commit(ops);
    bench.step(Event::Committed(rechained));
    assert!(matches!(bench.answers[..], [Ok(Recorded { seq: 1, .. })]));
    assert_eq!((bench.stop().state, bench.stop().waiting), (State::Collected, true));
    assert_eq!(bench.sends, [(LogKind::Fact, 1, 1)]);
}

#[test]
fn a_disk_that_cannot_write_records_nothing_and_says_so_until_it_can() {
    let mut bench = Bench::joined();
    bench.full = true;
    let refused = bench.say(Intent::Collect { pickup: first() });
    assert_eq!(refused, Err(NotRecorded::Store("the disk is full".to_owned())));
    assert_eq!((bench.stop().state, bench.core.view().waiting), (State::Open, 0));
    assert!(bench.core.view().trouble.is_some());
    bench.full = false;
    assert_eq!(bench.collect().seq, 1);
    assert_eq!(bench.core.view().trouble, None);
}

#[test]
fn acks_count_although_the_disk_is_full() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.full = true;
    bench.plain(&bench.ack(1));
    assert_eq!(bench.core.view().waiting, 0, "what was recorded before goes on being sent");
}

#[test]
fn the_same_twice_is_refused_and_a_correction_cites() {
    let mut bench = Bench::joined();
    let refused = bench.refuse();
    let again = bench.say(Intent::Refuse { pickup: first(), reason: Reason::NotOut, note: None });
    assert_eq!(again, Err(NotRecorded::Already));
    let collected = bench.collect();
    let meguri_proto::Fact::Outcome(outcome) = bench.body(2).fact else { panic!() };
    assert_eq!(outcome.replaces, Some(refused.fact));
    assert_eq!(bench.say(Intent::Collect { pickup: first() }), Err(NotRecorded::Already));
    bench.say(Intent::Undo { pickup: first() }).unwrap();
    let meguri_proto::Fact::Undo(undo) = bench.body(3).fact else { panic!() };
    assert_eq!(undo.of, collected.fact);
    assert_eq!(bench.stop().state, State::Open);
    assert_eq!(bench.say(Intent::Undo { pickup: first() }), Err(NotRecorded::NothingToUndo));
    let unlisted = PickupId(Uuid::from_u128(99));
    assert_eq!(bench.say(Intent::Collect { pickup: unlisted }), Err(NotRecorded::NotListed));
}

/// A newer list came between the tap and its record.
#[test]
fn a_fact_names_the_list_that_was_on_the_screen() {
    let name = "list/naka-2026/2026-04-01";
    let mut bench = Bench::joined();
    let seen = |bench: &Bench| {
        let list = bench.core.view().list.unwrap();
        let list = ListRef { date: list.date, version: list.version };
        Some(Shown { list, listed: bench.stop().listed })
    };
    let shown = seen(&bench);
    let mut newer = list();
    newer.pickups[0].place.spot = "北入口".to_owned();
    bench.down(name, list_document(2, &newer));
    let collect = || Intent::Collect { pickup: first() };
    bench.say_of(collect(), shown.clone()).unwrap();
    let meguri_proto::Fact::Outcome(outcome) = bench.body(1).fact else { panic!() };
    assert_eq!(outcome.list.version, 1);
    // Of other items nothing is recorded that was not meant.
    newer.pickups[0].items[0].count += 1;
    bench.down(name, list_document(3, &newer));
    let refuse = || Intent::Refuse { pickup: first(), reason: Reason::NotOut, note: None };
    assert_eq!(bench.say_of(refuse(), shown), Err(NotRecorded::Changed));
    let shown = seen(&bench);
    bench.say_of(refuse(), shown).unwrap();
    let meguri_proto::Fact::Outcome(outcome) = bench.body(2).fact else { panic!() };
    assert_eq!(outcome.list.version, 3);
}

#[test]
fn notes_are_demanded_bounded_and_travel_beside() {
    let mut bench = Bench::joined();
    let mut refuse = |reason, note: Option<&str>| {
        bench.say(Intent::Refuse { pickup: first(), reason, note: note.map(str::to_owned) })
    };
    assert_eq!(refuse(Reason::AccessBlocked, None), Err(NotRecorded::NoteMissing));
    assert_eq!(refuse(Reason::Other, Some(" \n ")), Err(NotRecorded::NoteMissing));
    assert!(matches!(refuse(Reason::Other, Some(&"長".repeat(501))), Err(NotRecorded::Misfit(_))));
    assert!(matches!(refuse(Reason::Other, Some("a\u{7}")), Err(NotRecorded::Misfit(_))));
    assert!(matches!(refuse(Reason::Unsafe, None), Err(NotRecorded::Misfit(_))), "not offered here");
    refuse(Reason::AccessBlocked, Some("工事中")).unwrap();
    let meguri_proto::Fact::Outcome(outcome) = bench.body(1).fact else { panic!() };
    let Outcomes::NotCollected { note, .. } = outcome.result else { panic!() };
    assert_eq!(note, Some(Digest::of("工事中".as_bytes())));
    assert!(!bench.bodies[0].contains("工事中"), "the text is not in the body");
}

#[test]
fn a_part_names_every_item() {
    let part = |items: &[(u32, u32, Option<Reason>)]| {
        let mut bench = Bench::joined();
        let mut two = list();
        two.pickups[0].items = ["机", "椅子"]
            .map(|name| Item { name: name.to_owned(), count: 2, tickets: Vec::new(), recycling: false })
            .to_vec();
        bench.down("list/naka-2026/2026-04-01", list_document(2, &two));
        let result = |&(item, collected, reason)| ItemResult { item, collected, reason };
        let items = items.iter().map(result).collect();
        bench.say(Intent::Partly { pickup: first(), items, note: None }).map(|_| bench.stop().state)
    };
    let short = Some(Reason::NotOut);
    assert_eq!(part(&[(1, 1, short), (0, 2, None)]), Ok(State::PartlyCollected));
    for wrong in [
        &[(0, 1, short)][..],
        &[(0, 1, short), (0, 1, short)],
        &[(0, 1, short), (1, 1, short), (2, 1, short)],
        &[(0, 2, None), (1, 3, None)],
        &[(0, 2, None), (1, 1, None)],
        &[(0, 2, short), (1, 1, short)],
        &[(0, 2, None), (1, 2, None)],
        &[(0, 0, short), (1, 0, short)],
        &[],
    ] {
        assert!(matches!(part(wrong), Err(NotRecorded::Misfit(_))), "{wrong:?}");
    }
    assert_eq!(part(&[(0, 2, None), (1, 1, Some(Reason::Other))]), Err(NotRecorded::NoteMissing));
}

#[test]
fn plain_acks_move_forward_only_and_a_mismatch_asks() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.refuse();
    bench.plain(&bench.ack(2));
    assert_eq!(bench.acked(), 2);
    bench.plain(&bench.ack(1));
    assert_eq!(bench.acked(), 2);
    let hellos = bench.hellos.len();
    let epoch = bench.kept.fact.as_ref().unwrap().epoch;
    for wrong in [
        Ack { held: vec![SeqHeld { digest: Digest::of(b"other"), ..bench.ack(2).held[0] }], ..bench.ack(2) },
        Ack { held: vec![SeqHeld { seq: 9, ..bench.ack(2).held[0] }], ..bench.ack(2) },
        Ack { incarnation: Incarnation(Uuid::from_u128(2)), ..bench.ack(2) },
        Ack { say_hello: true, held: Vec::new(), ..bench.ack(2) },
    ] {
        let before = bench.hellos.len();
        bench.plain(&wrong);
        bench.plain(&wrong);
        bench.wait(2.0);
        bench.plain(&wrong);
        assert_eq!(bench.hellos.len(), before + 1, "one hello, not one each: {wrong:?}");
        bench.answer_hello(|_| {});
        bench.wait(2.0);
    }
    assert_eq!(bench.kept.fact.as_ref().unwrap().epoch, epoch, "a plain ack never forks");
    assert!(bench.hellos.len() >= hellos + 4);
}

#[test]
fn only_the_answer_with_the_last_nonce_moves_back() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.refuse();
    bench.plain(&bench.ack(2));
    bench.wait(400.0);
    let old = bench.hellos[0].nonce;
    bench.plain(&Ack { nonce: Some(old), ..bench.ack(0) });
    assert_eq!(bench.acked(), 2, "an answer to another hello is a plain ack");
    bench.sends.clear();
    bench.answer_hello(|ack| ack.held[0] = SeqHeld { seq: 0, digest: Digest::ZERO, ..ack.held[0] });
    assert_eq!(bench.acked(), 0);
    assert_eq!(bench.sends, [(LogKind::Fact, 1, 2)], "what the office lost is sent again");
    assert!(bench.told.iter().any(|telling| matches!(telling, Telling::WentBack { from: 2, to: 0, .. })));
}

#[test]
fn a_fork_moves_everything_kept_under_the_same_ids() {
    let mut bench = Bench::joined();
    let facts: Vec<FactId> =
        (0..3).map(|_| [bench.collect().fact, bench.refuse().fact]).collect::<Vec<_>>().concat();
    bench.plain(&bench.ack(4));
    let old = bench.kept.fact.as_ref().unwrap().epoch;
    bench.wait(400.0);
    bench.sends.clear();
    bench.answer_hello(|ack| ack.held[0] = SeqHeld { seq: 40, digest: Digest::of(b"x"), ..ack.held[0] });
    let log = bench.kept.fact.clone().unwrap();
    assert_ne!(log.epoch, old);
    assert_eq!(log.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), facts);
    assert_eq!((log.first, log.head(), log.acked), (1, 6, 0));
    assert_eq!(bench.sends, [(LogKind::Fact, 1, 6)]);
    // Until the office has told of the moved facts in their new epoch, a new list is asked for.
    bench.plain(&bench.ack(6));
    bench.wait(2.0);
    assert_eq!(bench.hellos.last().unwrap().documents[0].digest, Digest::ZERO);
    let mut known = list();
    known.seen.push(OwnSeen { epoch: log.epoch, seq: 6 });
    bench.down("list/naka-2026/2026-04-01", list_document(2, &known));
    bench.answer_hello(|_| {});
    bench.wait(400.0);
    assert_ne!(bench.hellos.last().unwrap().documents[0].digest, Digest::ZERO);
}

#[test]
fn a_fork_that_cannot_be_written_is_tried_again_and_nothing_is_sent_meanwhile() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.wait(400.0);
    let epoch = bench.kept.fact.as_ref().unwrap().epoch;
    bench.full = true;
    bench.sends.clear();
    let fork = |ack: &mut Ack| ack.held[0] = SeqHeld { seq: 9, digest: Digest::of(b"x"), ..ack.held[0] };
    bench.answer_hello(fork);
    assert_eq!(bench.kept.fact.as_ref().unwrap().epoch, epoch);
    assert!(bench.sends.is_empty());
    bench.full = false;
    bench.wait(70.0);
    bench.answer_hello(fork);
    assert_ne!(bench.kept.fact.as_ref().unwrap().epoch, epoch);
    assert_eq!(bench.sends, [(LogKind::Fact, 1, 1)]);
}

/// A store put back from a copy keeps what the office has put down as a hole; the office's word for that is a
/// fork, and until the fork is on the disk the entries look as if the office had held them for long.
#[test]
fn what_a_fork_could_not_move_is_not_deleted() {
    let mut bench = Bench::joined();
    let fact = bench.collect().fact;
    bench.plain(&bench.ack(1));
    bench.step(Event::Disconnected(Why::Lost("away".to_owned())));
    bench.wait(20.0 * 86_400.0);
    bench.step(Event::Connected);
    bench.failing = 1;
    let hole = |ack: &mut Ack| ack.held[0].digest = Digest::ZERO;
    bench.answer_hello(hole);
    assert_eq!(bench.failing, 0, "the fork has failed");
    let kept: Vec<FactId> = bench.kept.fact.as_ref().unwrap().entries.iter().map(|entry| entry.id).collect();
    assert_eq!(kept, [fact]);
    bench.wait(400.0);
    bench.answer_hello(hole);
    assert_eq!(bench.sends.last(), Some(&(LogKind::Fact, 1, 1)));
    assert_eq!(bench.acked(), 0);
}

#[test]
fn at_most_four_publishes_stand_unanswered() {
    let mut bench = Bench::joined();
    for _ in 0..3 {
        bench.collect();
        bench.refuse();
    }
    let each: Vec<_> = (1..=4).map(|seq| (LogKind::Fact, seq, seq)).collect();
    assert_eq!(bench.sends, each);
    bench.plain(&bench.ack(1));
    assert_eq!(bench.sends[4..], [(LogKind::Fact, 5, 6)], "what waited goes together");
}

#[test]
fn silence_asks_with_backoff_and_progress_ends_it() {
    let mut bench = Bench::joined();
    bench.wait(1.0);
    bench.collect();
    let mut gaps = Vec::new();
    let mut last = bench.boot;
    for _ in 0..2_000 {
        let before = bench.hellos.len();
        bench.wait(0.5);
        if bench.hellos.len() > before {
            gaps.push((bench.boot - last).as_secs());
            last = bench.boot;
            bench.answer_hello(|_| {});
        }
    }
    let doubled = [30, 60, 120, 240];
    assert!(gaps.iter().zip(doubled).all(|(gap, step)| gap.abs_diff(step) <= 1), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 301), "{gaps:?}");
    bench.plain(&bench.ack(1));
    bench.refuse();
    let before = bench.hellos.len();
    bench.wait(31.0);
    assert_eq!(bench.hellos.len(), before + 1, "after progress silence counts from the start");
}

#[test]
fn an_office_that_never_answers_costs_the_connection_at_last() {
    let mut bench = Bench::start(Kept::default(), Vec::new(), Duration::ZERO, at("2026-04-01T00:00:00Z"));
    bench.step(Event::Connected);
    assert_eq!(bench.core.view().link, Link::Joining);
    for _ in 0..2_000 {
        bench.wait(1.0);
        if bench.disconnects > 0 {
            break;
        }
    }
    assert_eq!((bench.hellos.len(), bench.disconnects), (4, 1));
    assert_eq!(bench.core.view().link, Link::Down);
    bench.wait(31.0);
    assert_eq!(bench.connects, 2);
}

#[test]
fn a_link_that_never_reports_is_taken_for_lost() {
    let mut bench = Bench::start(Kept::default(), Vec::new(), Duration::ZERO, at("2026-04-01T00:00:00Z"));
    assert_eq!((bench.connects, bench.core.view().link), (1, Link::Joining));
    bench.wait(70.0);
    assert_eq!((bench.connects, bench.disconnects), (1, 0), "the broker may be slow");
    let due = bench.wake.saturating_sub(bench.boot);
    assert!(due <= Duration::from_secs(10), "{due:?}");
    bench.wait(due.as_secs_f64());
    assert_eq!((bench.connects, bench.disconnects, bench.core.view().link), (1, 1, Link::Down));
    bench.wait(31.0);
    assert_eq!(bench.connects, 2);
    bench.join();
    assert_eq!(bench.core.view().link, Link::Up);
}

#[test]
fn hellos_repeat_with_jitter() {
    let mut bench = Bench::joined();
    let mut gaps = std::collections::BTreeSet::new();
    let mut last = bench.boot;
    for _ in 0..3_000 {
        let before = bench.hellos.len();
        bench.wait(1.0);
        if bench.hellos.len() > before {
            gaps.insert((bench.boot - last).as_secs());
            last = bench.boot;
            bench.answer_hello(|_| {});
        }
    }
    assert!(gaps.iter().all(|gap| (270..=331).contains(gap)), "{gaps:?}");
    assert!(gaps.len() > 2, "{gaps:?}");
}

#[test]
fn a_refused_terminal_says_so_and_a_taken_session_backs_off() {
    let mut bench = Bench::joined();
    for (why, link) in [
        (Why::Refused("NotAuthorized".to_owned()), Link::Refused("NotAuthorized".to_owned())),
        (Why::Taken, Link::Down),
    ] {
        bench.step(Event::Disconnected(why));
        assert_eq!(bench.core.view().link, link);
        let before = bench.connects;
        bench.wait(14.0);
        assert_eq!(bench.connects, before, "no hurry");
        bench.wait(17.0);
        assert_eq!(bench.connects, before + 1, "it tries again by itself");
        bench.step(Event::Connected);
    }
}

#[test]
fn the_newest_document_wins_and_a_bad_one_changes_nothing() {
    let mut bench = Bench::joined();
    let name = "list/naka-2026/2026-04-01";
    let version = |bench: &Bench| bench.core.view().list.map(|list| list.version);
    let mut other = list();
    other.round = "中区B".to_owned();
    bench.down(name, list_document(1, &other));
    assert_eq!(bench.core.view().list.unwrap().round, "中区A", "an equal version is ignored");
    for bad in [
        b"nonsense".to_vec(),
        document(9, r#"{"v":2}"#),
        document(9, r#"{"v":1,"town":"江波東一丁目"}"#),
        list_document(9, &DayList { date: jiff::civil::date(2026, 4, 2), ..list() }),
        String::from_utf8(list_document(9, &list())).unwrap().replace("中区A", "中区B").into_bytes(),
    ] {
        let told = bench.told.len();
        bench.down(name, bad);
        assert_eq!((version(&bench), bench.told.len()), (Some(1), told + 1));
        assert!(!format!("{:?}", bench.told).contains("江波"), "no resident's data in a log");
    }
    bench.down(name, list_document(5, &other));
    assert_eq!(version(&bench), Some(5));
    bench.down(name, list_document(4, &list()));
    assert_eq!(version(&bench), Some(5));
    bench.down(name, document(6, "null"));
    assert_eq!(version(&bench), None);
    bench.down(name, list_document(5, &other));
    assert_eq!(version(&bench), None, "a belated one does not bring a lapsed list back");
    bench.down(name, list_document(7, &other));
    assert_eq!(version(&bench), Some(7));
    let mut bench = bench.restart();
    assert_eq!(version(&bench), Some(7), "the list outlives a restart without a line");
    bench.step(Event::Connected);
    assert_eq!(bench.hellos.last().unwrap().documents[0].version, 7);
}

#[test]
fn where_no_more_documents_fit_the_days_nearest_to_today_stay() {
    let mut bench = Bench::joined();
    let today = jiff::civil::date(2026, 4, 1);
    let mut arrives = |day: i64| {
        let date = today.checked_add(jiff::Span::new().days(day)).unwrap();
        let told = bench.told.len();
        bench.down(&format!("list/naka-2026/{date}"), list_document(1, &DayList { date, ..list() }));
        assert!(bench.kept.documents.len() <= 64, "no more can be named in a hello");
        let name = |day: i64| DocumentName::List {
            contract: list().contract,
            date: today.checked_add(jiff::Span::new().days(day)).unwrap(),
        };
        let held: Vec<i64> = (-90..90).filter(|day| bench.kept.documents.contains_key(&name(*day))).collect();
        (bench.told.len() == told, held)
    };
    for day in (-63..0).rev() {
        assert!(arrives(day).0);
    }
    assert_eq!(arrives(1), (true, (-62..=1).collect()), "the oldest makes room");
    assert_eq!(arrives(-80), (false, (-62..=1).collect()), "an older one does not");
    for day in 2..63 {
        assert!(arrives(day).0);
    }
    assert_eq!(arrives(63), (true, (0..=63).collect()));
    assert_eq!(arrives(-1), (false, (0..=63).collect()), "nothing of today or later goes for a day past");
    assert_eq!(arrives(64), (false, (0..=63).collect()), "nor for a day later still");
    assert!(bench.core.view().list.is_some());
}

#[test]
fn every_view_shares_the_pickups_of_the_list() {
    let mut bench = Bench::joined();
    let before = bench.stop();
    bench.collect();
    let after = bench.stop();
    assert_eq!(after.state, State::Collected);
    assert!(std::sync::Arc::ptr_eq(&before.listed, &after.listed));
}

/// What this terminal said later, laid over what the office listed.
#[test]
fn own_facts_are_laid_over_the_list() {
    let statement = |n: u128, terminal: &str, result| Statement {
        fact: FactId(Uuid::from_u128(n)),
        terminal: terminal.parse().unwrap(),
        at: Timestamp::UNIX_EPOCH,
        result,
    };
    let not = || Outcomes::NotCollected { reason: Reason::NotOut, note: None };
    let mine = |result| Some(statement(1, "t-0001", result));
    let theirs = |result| vec![statement(2, "t-0002", result)];
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Say {
        Nothing,
        Collect,
        Refuse,
        Undo,
    }
    let refused = State::NotCollected(Reason::NotOut);
    let table = [
        // The office's word, own as listed, others, said later here; the state, whether it can be undone.
        (OfficeWord::Planned, None, vec![], Say::Nothing, State::Open, false),
        (OfficeWord::Planned, None, vec![], Say::Collect, State::Collected, true),
        (OfficeWord::Planned, mine(not()), vec![], Say::Nothing, refused.clone(), true),
        (OfficeWord::Planned, mine(not()), vec![], Say::Collect, State::Collected, true),
        (OfficeWord::Planned, mine(Outcomes::Collected), vec![], Say::Refuse, refused.clone(), true),
        (OfficeWord::Planned, mine(Outcomes::Collected), vec![], Say::Undo, State::Open, false),
        (OfficeWord::Planned, None, theirs(Outcomes::Collected), Say::Nothing, State::Collected, false),
        (OfficeWord::Planned, None, theirs(Outcomes::Collected), Say::Refuse, State::Collected, true),
        (OfficeWord::Planned, None, theirs(not()), Say::Collect, State::Collected, true),
        (OfficeWord::Planned, mine(Outcomes::Collected), theirs(not()), Say::Undo, refused, false),
        (OfficeWord::Cancelled, None, vec![], Say::Nothing, State::Cancelled, false),
        (OfficeWord::Cancelled, None, vec![], Say::Collect, State::Collected, true),
        (OfficeWord::Cancelled, None, vec![], Say::Refuse, State::Cancelled, true),
        (OfficeWord::Closed, None, vec![], Say::Nothing, State::NotReported, false),
        (OfficeWord::Closed, None, vec![], Say::Collect, State::Collected, true),
    ];
    for (office, own, others, say, state, undoable) in table {
        let mut bench = Bench::joined();
        let mut made = list();
        let listed = &mut made.pickups[0];
        (listed.office, listed.own, listed.others) = (office, own.clone(), others.clone());
        bench.down("list/naka-2026/2026-04-01", list_document(2, &made));
        match say {
            Say::Nothing => {}
            Say::Collect => drop(bench.collect()),
            Say::Refuse => drop(bench.refuse()),
            Say::Undo => drop(bench.say(Intent::Undo { pickup: first() }).unwrap()),
        }
        let stop = bench.stop();
        let case = format!("{office:?} {own:?} {others:?} {say:?}");
        assert_eq!((&stop.state, stop.own.is_some()), (&state, undoable), "{case}");
        assert_eq!(stop.waiting, say != Say::Nothing, "{case}");
        let counts = bench.core.view().list.unwrap().counts;
        let sum = counts.done + counts.partly + counts.not_collected + counts.left + counts.cancelled;
        assert_eq!(sum, counts.total);
        // Once the office has seen it and says so, nothing changes on the screen.
        if say != Say::Nothing {
            let log = bench.kept.fact.clone().unwrap();
            made.seen = vec![OwnSeen { epoch: log.epoch, seq: log.head() }];
            made.pickups[0].own = stop.own.clone();
            bench.down("list/naka-2026/2026-04-01", list_document(3, &made));
            bench.plain(&bench.ack(1));
            assert_eq!((bench.stop().state, bench.stop().waiting), (state, false), "{case}");
        }
    }
}

/// A hole has swallowed what took the listed word back: the later word cites nothing, and yet it is the last one.
#[test]
fn within_an_epoch_the_last_own_word_counts_whether_it_cites_or_not() {
    let mut bench = Bench::joined();
    let collected = bench.collect().fact;
    bench.say(Intent::Undo { pickup: first() }).unwrap();
    bench.refuse();
    let epoch = bench.kept.fact.as_ref().unwrap().epoch;
    let (terminal, at, result) = ("t-0001".parse().unwrap(), Timestamp::UNIX_EPOCH, Outcomes::Collected);
    let mut made = list();
    made.pickups[0].own = Some(Statement { fact: collected, terminal, at, result });
    made.seen = vec![OwnSeen { epoch, seq: 2 }];
    bench.down("list/naka-2026/2026-04-01", list_document(2, &made));
    assert_eq!(bench.stop().state, State::NotCollected(Reason::NotOut));
    // As well where the terminal has forgotten it.
    let mut pruned = bench.kept.clone();
    pruned.apply(Op::Prune { log: LogKind::Fact, upto: 2 }, &mut Vec::new());
    let start = |kept: Kept| Bench::start(kept, Vec::new(), Duration::ZERO, at_noon());
    assert_eq!(start(pruned.clone()).stop().state, State::NotCollected(Reason::NotOut));
    // What may be of a former epoch stands until it is cited.
    made.seen.push(OwnSeen { epoch: meguri_proto::Epoch(Uuid::from_u128(7)), seq: 1 });
    let mut bench = start(pruned);
    bench.down("list/naka-2026/2026-04-01", list_document(3, &made));
    assert_eq!(bench.stop().state, State::Collected);
}

/// The store is a copy from before a fork. The office has its facts in the epoch that is forgotten here, where a later one
/// corrected them; only a new list can say so.
#[test]
fn a_store_put_back_asks_what_became_of_its_facts_in_a_forgotten_epoch() {
    let name = "list/naka-2026/2026-04-01";
    let mut bench = Bench::joined();
    bench.collect();
    let mut bench = bench.restart();
    bench.join();
    let epoch = bench.kept.fact.as_ref().unwrap().epoch;
    let result = Outcomes::NotCollected { reason: Reason::NotOut, note: None };
    let fact = FactId(Uuid::from_u128(3));
    let mut made = list();
    let own = Statement { fact, terminal: "t-0001".parse().unwrap(), at: at_noon(), result };
    made.pickups[0].own = Some(own);
    made.seen = vec![OwnSeen { epoch: meguri_proto::Epoch(Uuid::from_u128(7)), seq: 2 }];
    bench.down(name, list_document(2, &made));
    bench.plain(&bench.ack(1));
    bench.wait(400.0);
    assert_eq!(bench.hellos.last().unwrap().documents[0].digest, Digest::ZERO);
    made.seen.push(OwnSeen { epoch, seq: 1 });
    bench.down(name, list_document(3, &made));
    bench.answer_hello(|_| {});
    assert_eq!(bench.stop().state, State::NotCollected(Reason::NotOut));
    bench.collect();
    bench.plain(&bench.ack(2));
    bench.wait(400.0);
    assert_ne!(
        bench.hellos.last().unwrap().documents[0].digest,
        Digest::ZERO,
        "own facts alone ask for none"
    );
}

#[test]
fn a_list_that_has_no_room_for_an_epoch_is_not_asked_for_again_and_again() {
    let mut bench = Bench::joined();
    bench.collect();
    let mut bench = bench.restart();
    bench.join();
    let mut made = list();
    let others = (7..7 + meguri_proto::limits::HELLO_EPOCHS as u128).map(Uuid::from_u128);
    made.seen = others.map(|epoch| OwnSeen { epoch: meguri_proto::Epoch(epoch), seq: 2 }).collect();
    bench.down("list/naka-2026/2026-04-01", list_document(2, &made));
    bench.plain(&bench.ack(1));
    bench.wait(400.0);
    assert_ne!(bench.hellos.last().unwrap().documents[0].digest, Digest::ZERO);
}

fn at_noon() -> Timestamp {
    at("2026-04-01T03:00:00Z")
}

#[test]
fn a_clock_a_year_ahead_follows_the_office_once_it_answers() {
    let mut bench = Bench::start(Kept::default(), Vec::new(), Duration::ZERO, at("2027-04-01T00:00:00Z"));
    assert_eq!(bench.core.view().today, jiff::civil::date(2027, 4, 1));
    assert!(bench.core.view().clock_in_doubt);
    bench.join();
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 1));
    assert!(!bench.core.view().clock_in_doubt);
    bench.down("list/naka-2026/2026-04-01", list_document(1, &list()));
    bench.collect();
    let stamps = bench.body(1).at;
    assert_eq!(stamps.terminal, at("2027-04-01T00:00:00Z"), "the device's clock is told as it is");
    assert!(stamps.trusted.unwrap() < at("2026-04-01T00:01:00Z"));
    // Without the office over a restart: still that day, but in doubt.
    let mut bench = bench.restart();
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 1));
    bench.refuse();
    assert_eq!(bench.body(2).at.trusted, None);
}

#[test]
fn an_office_that_doubts_its_clock_moves_no_terminals() {
    let mut bench = Bench::joined();
    let today = bench.core.view().today;
    bench.wait(400.0);
    bench.collect();
    bench.answer_hello(|ack| ack.time = None);
    assert_eq!((bench.core.view().today, bench.core.view().clock_in_doubt), (today, false));
    bench.plain(&Ack { time: None, ..bench.ack(1) });
    assert_eq!(bench.acked(), 1, "all else in it holds");
}

#[test]
fn an_office_clock_that_was_ahead_blocks_the_crew_no_longer_than_a_second_answer_takes() {
    let mut bench = Bench::joined();
    bench.wait(400.0);
    bench.answer_hello(|ack| *ack.time.as_mut().unwrap() += SignedDuration::from_hours(20));
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 2));
    let refused = bench.say(Intent::Collect { pickup: first() });
    assert_eq!(refused, Err(NotRecorded::NotListed), "another day's list is shown, if any");
    // The office's clock is right again.
    bench.wait(400.0);
    let hellos = bench.hellos.len();
    bench.answer_hello(|_| {});
    assert!(matches!(bench.told.last(), Some(Telling::TimeDoubted(_))), "{:?}", bench.told);
    bench.wait(1.0);
    assert_eq!(bench.hellos.len(), hellos + 1, "asked again at once");
    bench.answer_hello(|_| {});
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 1));
    assert!(!bench.in_doubt());
    bench.collect();
    let trusted = bench.body(1).at.trusted.unwrap();
    assert!(trusted.duration_since(bench.ack(0).time.unwrap()).abs() < SignedDuration::from_secs(1));
}

#[test]
fn the_crew_confirms_the_date_that_is_shown_and_a_crash_does_not_undo_it() {
    let mut bench = Bench::joined().restart();
    assert!(bench.in_doubt());
    bench.confirm(2);
    assert!(bench.in_doubt(), "another date than the one shown");
    bench.collect();
    assert_eq!(bench.body(1).at.trusted, None);
    let (facts, hellos) = (bench.bodies.len(), bench.hellos.len());
    bench.core.take_changed();
    bench.confirm(1);
    assert!(!bench.in_doubt());
    assert!(bench.core.take_changed());
    assert_eq!((bench.bodies.len(), bench.hellos.len()), (facts, hellos), "it is no fact");
    let mut bench = bench.restart();
    assert!(!bench.in_doubt());
    bench.refuse();
    assert!(bench.body(2).at.trusted.is_some(), "a second source");
    // It is a word about one date.
    bench.wait(15.0 * 3_600.0);
    assert!(bench.in_doubt());
    bench.confirm(2);
    assert!(!bench.in_doubt());
}

#[test]
fn the_date_stays_in_doubt_until_the_crews_word_is_on_the_disk() {
    let mut bench = Bench::joined().restart();
    bench.full = true;
    bench.confirm(1);
    assert!(bench.in_doubt());
    assert!(bench.core.view().trouble.is_some());
    bench.full = false;
    // While something else is being written the word waits its turn.
    let moment = bench.moment();
    let effects = bench.core.step(Event::Intent(1, Intent::Collect { pickup: first() }, None), moment);
    bench.confirm(1);
    assert!(bench.in_doubt());
    bench.perform(effects);
    assert!(!bench.in_doubt());
}

#[test]
fn the_office_outweighs_the_crew() {
    let device = at("2026-04-02T00:00:00Z");
    let mut bench = Bench::start(Kept::default(), Vec::new(), Duration::ZERO, device);
    bench.confirm(2);
    assert!(!bench.in_doubt());
    bench.join();
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 1), "at once, though a day back");
    assert!(!bench.in_doubt());
    bench.confirm(2);
    assert_eq!(bench.core.view().today, jiff::civil::date(2026, 4, 1));
    assert!(bench.restart().in_doubt(), "the crew's word about the other date is gone");
}

#[test]
fn what_is_said_is_of_the_clock_that_the_office_takes_too() {
    let mut bench = Bench::joined();
    bench.collect();
    let mut body = bench.body(1);
    body.at.gnss = Some(at("2006-08-15T00:00:00Z"));
    let text = String::from_utf8(body.encode().unwrap()).unwrap();
    let meta = Meta::new(LogKind::Fact, FactId(Uuid::nil()), Digest::ZERO, &text, None);
    assert_eq!(Some(meta.own.unwrap().at), body.at.trusted);
}

#[test]
fn the_screen_turns_to_the_next_day_at_midnight_in_japan() {
    let mut bench = Bench::joined();
    let tomorrow = DayList { date: jiff::civil::date(2026, 4, 2), ..list() };
    bench.down("list/naka-2026/2026-04-02", list_document(1, &tomorrow));
    assert!(bench.wake <= Duration::from_secs(15 * 3_600));
    bench.core.take_changed();
    bench.wait(15.0 * 3_600.0);
    assert!(bench.core.take_changed());
    assert_eq!(bench.core.view().list.unwrap().date, jiff::civil::date(2026, 4, 2));
}

#[test]
fn old_acknowledged_entries_go_and_unacknowledged_ones_never() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.refuse();
    bench.plain(&bench.ack(1));
    let day = 86_400.0;
    for _ in 0..20 {
        bench.wait(day);
        bench.answer_hello(|_| {});
    }
    let log = bench.kept.fact.clone().unwrap();
    assert_eq!((log.first, log.head(), log.acked), (2, 2, 1));
    assert_ne!(log.before, Digest::ZERO);
    assert!(bench.kept.documents.is_empty(), "lists go a week after their date");
}

#[test]
fn an_office_restored_while_the_terminal_was_away_gets_old_entries_before_they_go() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.plain(&bench.ack(1));
    bench.step(Event::Disconnected(Why::Lost("away".to_owned())));
    bench.wait(20.0 * 86_400.0);
    assert_eq!(bench.kept.fact.as_ref().unwrap().first, 1, "kept until the office says that it has it");
    bench.step(Event::Connected);
    bench.sends.clear();
    bench.answer_hello(|ack| ack.held[0] = SeqHeld { seq: 0, digest: Digest::ZERO, ..ack.held[0] });
    assert_eq!(bench.sends, [(LogKind::Fact, 1, 1)]);
}

#[test]
fn thirty_thousand_waiting_entries_are_sent_in_batches() {
    let mut bench = Bench::joined();
    let mut long = list();
    let ids: Vec<PickupId> = (1..=500).map(|n| PickupId(Uuid::from_u128(n))).collect();
    long.pickups = ids.iter().map(|&id| Listed { id, ..long.pickups[0].clone() }).collect();
    bench.down("list/naka-2026/2026-04-01", list_document(2, &long));
    bench.step(Event::Disconnected(Why::Lost("away".to_owned())));
    for _ in 0..30 {
        for &pickup in &ids {
            bench.say(Intent::Collect { pickup }).unwrap();
            bench.say(Intent::Undo { pickup }).unwrap();
        }
    }
    assert_eq!(bench.core.view().waiting, 30_000);
    bench.sends.clear();
    bench.step(Event::Connected);
    bench.answer_hello(|_| {});
    let mut next = 1;
    while bench.acked() < 30_000 {
        let sends = std::mem::take(&mut bench.sends);
        assert!((1..=4).contains(&sends.len()), "{sends:?}");
        for (_, first, last) in sends {
            assert!(first == next && last - first < 256, "{first} to {last} after {next}");
            next = last + 1;
        }
        bench.plain(&bench.ack(next - 1));
    }
    assert_eq!(bench.core.view().waiting, 0);
}

#[test]
fn an_entry_that_cannot_be_read_is_told_and_not_skipped() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.step(Event::SendFailed(LogKind::Fact, "entry 1 is damaged".to_owned()));
    bench.sends.clear();
    bench.refuse();
    assert!(bench.sends.is_empty());
    let trouble = Trouble::new(TroubleKind::Unsendable, "entry 1 is damaged");
    assert_eq!(bench.core.view().trouble, Some(trouble));
    // What keeps the crew from recording is told first; afterwards this one again.
    bench.full = true;
    assert!(bench.say(Intent::Undo { pickup: first() }).is_err());
    assert_eq!(bench.core.view().trouble.map(|trouble| trouble.kind), Some(TroubleKind::DiskFull));
    bench.full = false;
    bench.collect();
    assert_eq!(bench.core.status().trouble_kind, Some(TroubleKind::Unsendable));
}

#[test]
fn a_note_that_is_lost_is_told_until_the_day_is_over() {
    let mut bench = Bench::joined();
    bench.collect();
    bench.step(Event::NotesLost(LogKind::Fact, vec![1, 4]));
    let told = bench.core.view().trouble.expect("it is told");
    assert_eq!(told.kind, TroubleKind::NoteLost);
    assert!(told.detail.contains("entry 1, 4 of the fact log"), "{told}");
    bench.wait(24.0 * 3_600.0);
    assert_eq!(bench.core.view().trouble, None);
}

#[test]
fn what_is_for_another_terminal_is_set_aside() {
    let mut bench = Bench::joined();
    for topic in ["meguri/1/hiroshima/t-0002/down/ack", "meguri/1/kure/t-0001/down/ack", "other/things"] {
        let told = bench.told.len();
        bench.step(Event::Received { topic: topic.to_owned(), payload: bench.ack(0).encode().unwrap() });
        assert_eq!(bench.told.len(), told + 1, "{topic}");
    }
}

/// A device whose clock jumps under a running program, and is found so at the next start.
#[test]
fn a_clock_that_jumps_moves_neither_the_day_nor_what_is_kept() {
    let today = jiff::civil::date(2026, 4, 1);
    for hours in [-87_600, -24, -3, 3, 24, 87_600] {
        let mut bench = Bench::joined();
        bench.collect();
        let jump = SignedDuration::from_hours(hours);
        bench.device += jump;
        bench.wait(240.0);
        assert!(!bench.in_doubt(), "{hours}");
        assert_eq!((bench.core.view().today, bench.core.view().waiting), (today, 1), "{hours}");
        bench.refuse();
        let stamps = bench.body(2).at;
        let apart = stamps.terminal.duration_since(stamps.trusted.unwrap()) - jump;
        assert!(apart.abs() < SignedDuration::from_secs(1), "{hours}: both clocks are kept");

        let mut bench = bench.restart();
        assert!(bench.in_doubt(), "{hours}");
        let view = bench.core.view();
        assert_eq!((view.today, view.waiting, view.list.is_some()), (today, 2, true), "{hours}");
        bench.say(Intent::Undo { pickup: first() }).unwrap();
        assert_eq!(bench.body(3).at.trusted, None, "{hours}: nobody vouches for it");
        // Whatever the clock says in the meantime, all of it arrives in its order.
        bench.device -= jump;
        bench.sends.clear();
        bench.join();
        assert_eq!(bench.sends, [(LogKind::Fact, 1, 3)], "{hours}");
        assert_eq!((bench.in_doubt(), bench.core.view().today), (false, today), "{hours}: {:?}", bench.told);
    }
}

const CREW: &str = include_str!("../../../proto/tests/golden/crew-list.json");

fn member() -> CrewId {
    "c-012".parse().unwrap()
}

impl Bench {
    /// Somebody types a PIN, which is right or wrong.
    fn type_pin(&mut self, right: bool) -> Result<(), NotSignedIn> {
        self.step(Event::SignIn(3, member()));
        if let Some((number, member)) = self.pins.pop() {
            let opened = right.then(|| self.unsealed());
            self.step(Event::PinChecked(number, member, opened));
        }
        self.signed_in.pop().expect("who signs in is answered")
    }

    /// What is held and sealed, as it can be read with the keys.
    fn unsealed(&self) -> Opened {
        let sealed = self.kept.documents.iter().filter(|(_, held)| matches!(held.contents, Contents::Sealed));
        sealed.map(|(name, _)| (name.clone(), Contents::List(std::sync::Arc::new(list().into())))).collect()
    }

    /// As after a restart of a terminal whose lists only a PIN opens.
    fn restart_sealed(mut self) -> Self {
        for held in self.kept.documents.values_mut() {
            if held.list().is_some() {
                held.contents = Contents::Sealed;
            }
        }
        self.kept.sealed = true;
        self.restart()
    }
}

#[test]
fn after_a_restart_nothing_is_shown_or_recorded_before_somebody_has_signed_in() {
    let mut bench = Bench::joined();
    assert!(!bench.core.view().crew.locked, "nobody needs to");
    bench.down("crew", document(1, CREW.trim()));
    let collect = Intent::Collect { pickup: first() };
    assert!(!bench.core.view().crew.locked, "who is at work goes on");
    let mut bench = bench.restart_sealed();
    let view = bench.core.view();
    assert!(view.crew.locked && view.list.is_none());
    assert_eq!(view.crew.members.len(), 2);
    assert_eq!(bench.say(collect.clone()), Err(NotRecorded::Locked));
    // The line stays up meanwhile; a list that comes can't be sealed, and comes again.
    bench.join();
    bench.down("list/naka-2026/2026-04-01", list_document(2, &list()));
    let hellos = bench.hellos.len();
    assert_eq!(bench.hellos.last().unwrap().documents.iter().filter(|held| held.version == 1).count(), 2);
    assert_eq!(bench.type_pin(true), Ok(()));
    bench.wait(5.0);
    assert!(bench.hellos.len() > hellos, "asks for what it could not take");
    assert_eq!(bench.core.view().list.unwrap().version, 1, "what was sealed is read");
    bench.say(collect.clone()).unwrap();
    assert_eq!(bench.body(1).crew, Some(member()), "the fact names who had signed in");

    bench.step(Event::Lock);
    assert!(bench.core.view().list.is_none());
    assert_eq!(bench.say(Intent::Undo { pickup: first() }), Err(NotRecorded::Locked));
    bench.down("list/naka-2026/2026-04-01", list_document(3, &list()));
    assert_eq!(bench.type_pin(true), Ok(()));
    assert_eq!(bench.core.view().list.unwrap().version, 3, "a locked screen takes lists");
    // The office's list has nobody any more: nobody needs to sign in.
    bench.step(Event::Lock);
    bench.down("crew", document(2, "null"));
    assert!(bench.core.view().list.is_some());
}

#[test]
fn where_the_crew_is_taken_away_nobody_has_to_sign_in_and_lists_come_anew() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let mut bench = bench.restart_sealed();
    bench.join();
    let hellos = bench.hellos.len();
    bench.down("crew", document(2, "null"));
    assert!(!bench.core.view().crew.locked);
    bench.wait(5.0);
    let told = &bench.hellos[hellos..].last().expect("it asks").documents;
    assert!(told.iter().any(|held| held.digest == Digest::ZERO), "{told:?}");
    bench.down("list/naka-2026/2026-04-01", list_document(2, &list()));
    assert!(bench.core.view().list.is_some());
}

#[test]
fn a_list_that_no_key_opens_is_asked_for_anew() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let mut bench = bench.restart_sealed();
    bench.step(Event::SignIn(3, member()));
    let (number, member) = bench.pins.pop().unwrap();
    bench.step(Event::PinChecked(number, member, Some(Opened::new())));
    bench.step(Event::Connected);
    let told = &bench.hellos.last().unwrap().documents;
    assert!(told.iter().any(|held| held.digest == Digest::ZERO), "{told:?}");
}

#[test]
fn wrong_pins_wait_longer_and_longer_also_over_a_restart() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let mut bench = bench.restart_sealed();
    for _ in 0..4 {
        assert_eq!(bench.type_pin(false), Err(NotSignedIn::Wrong));
    }
    assert_eq!(bench.type_pin(false), Err(NotSignedIn::Wait(Duration::from_secs(30))));
    assert_eq!(bench.kept.pins_wrong[&member()], 5, "on the disk");
    bench.wait(29.0);
    assert!(matches!(bench.type_pin(true), Err(NotSignedIn::Wait(_))), "nothing is looked at");
    let mut bench = bench.restart_sealed();
    assert!(matches!(bench.type_pin(true), Err(NotSignedIn::Wait(_))), "the wait starts anew");
    bench.wait(30.0);
    assert_eq!(bench.type_pin(false), Err(NotSignedIn::Wait(Duration::from_secs(60))));
    bench.wait(60.0);
    assert_eq!(bench.type_pin(true), Ok(()));
    assert!(bench.kept.pins_wrong.is_empty());
    assert_eq!(bench.type_pin(false), Err(NotSignedIn::Wrong), "counts from the beginning");
    bench.step(Event::SignIn(3, "nobody".parse().unwrap()));
    assert_eq!(bench.signed_in.pop(), Some(Err(NotSignedIn::Unknown)));
}

#[test]
fn each_member_waits_for_their_own_wrong_pins_and_a_new_pin_ends_the_wait() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let mut bench = bench.restart_sealed();
    for _ in 0..5 {
        drop(bench.type_pin(false));
    }
    assert!(matches!(bench.type_pin(true), Err(NotSignedIn::Wait(_))));
    let other: CrewId = "c-013".parse().unwrap();
    bench.step(Event::SignIn(3, other.clone()));
    let (number, member) = bench.pins.pop().expect("nobody else waits");
    bench.step(Event::PinChecked(number, member, Some(Opened::new())));
    assert_eq!(bench.core.view().crew.signed_in, Some(other));
    bench.step(Event::Lock);
    assert!(matches!(bench.type_pin(true), Err(NotSignedIn::Wait(_))), "a colleague's PIN ends no wait");
    // The office gives another PIN.
    let changed = CREW.trim().replacen("0101", "0505", 1);
    bench.down("crew", document(2, &changed));
    assert_eq!(bench.type_pin(true), Ok(()));
    // And takes the member out, who is signed in: the screen locks.
    let out: serde_json::Value = serde_json::from_str(&changed).unwrap();
    let out = serde_json::json!({ "v": 1, "members": [out["members"][1]] }).to_string();
    bench.down("crew", document(3, &out));
    assert!(bench.core.view().crew.locked);
}

#[test]
fn a_list_that_could_not_be_sealed_comes_once_and_again_after_the_sign_in() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let mut bench = bench.restart_sealed();
    bench.join();
    let version = |bench: &Bench| {
        let told = &bench.hellos.last().unwrap().documents;
        told.iter().find(|held| matches!(held.name, DocumentName::List { .. })).unwrap().version
    };
    bench.down("list/naka-2026/2026-04-01", list_document(2, &list()));
    bench.wait(330.0);
    assert_eq!(version(&bench), 2, "named as if it were held");
    bench.answer_hello(|_| {});
    bench.type_pin(true).unwrap();
    bench.wait(5.0);
    assert_eq!(version(&bench), 1, "it comes again");
}

#[test]
fn a_pin_counts_as_wrong_before_it_is_looked_at() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    bench.step(Event::SignIn(3, member()));
    assert_eq!((bench.pins.len(), bench.kept.pins_wrong[&member()]), (1, 1));
    bench.step(Event::SignIn(4, member()));
    assert_eq!(bench.signed_in.pop(), Some(Err(NotSignedIn::Busy)), "one at a time");
    // The power fails before it is looked at.
    let mut bench = bench.restart();
    assert_eq!(bench.kept.pins_wrong[&member()], 1);
    bench.full = true;
    assert_eq!(bench.type_pin(true), Ok(()), "a full disk keeps nobody out");
}

#[test]
fn a_lost_terminal_keeps_nothing_and_takes_nothing_until_it_is_found() {
    let mut bench = Bench::joined();
    bench.down("crew", document(1, CREW.trim()));
    let before = bench.collect();
    bench.down("erasure", document(4, r#"{"v":1}"#));
    let view = bench.core.view();
    assert!(view.erased && view.list.is_none() && view.crew.members.is_empty());
    assert_eq!(bench.say(Intent::Undo { pickup: first() }), Err(NotRecorded::NotListed));
    for (name, payload) in
        [("list/naka-2026/2026-04-01", list_document(9, &list())), ("crew", document(9, CREW.trim()))]
    {
        bench.down(name, payload);
    }
    let mut bench = bench.restart();
    assert!(bench.core.view().erased && bench.core.view().list.is_none());
    bench.step(Event::Connected);
    let named: Vec<_> = bench.hellos.last().unwrap().documents.iter().map(|held| held.name.clone()).collect();
    assert_eq!(named, [DocumentName::Erasure], "the office learns that it is done");
    // Found: what it recorded is still there.
    bench.down("erasure", document(5, "null"));
    assert!(!bench.core.view().erased);
    bench.down("list/naka-2026/2026-04-01", list_document(9, &list()));
    assert_eq!(bench.stop().state, State::Collected);
    assert_eq!(bench.kept.fact.as_ref().unwrap().entry(before.seq).unwrap().id, before.fact);
}
