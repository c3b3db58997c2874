//! Clocks that are wrong: a year ahead, or eleven years behind as after a dead battery.

use meguri_tests::harness::books::Books;
use meguri_tests::harness::scene::{Broker, Scene, await_list, write_clock};

use super::{await_sent, collect};

const DAY_MS: i64 = 86_400_000;

#[test]
fn a_clock_a_year_ahead() {
    wrong_clock("2027-04-01T00:00:00Z");
}

#[test]
fn a_clock_that_says_2015() {
    wrong_clock("2015-01-01T00:00:00Z");
}

fn wrong_clock(says: &str) {
    let mut scene = Scene::set(Broker::Embedded, &["v01", "v02"], 20).unwrap();
    let clock = scene.dir().join("wrong-clock.toml");
    write_clock(&clock, says.parse().unwrap(), 1.0).unwrap();
    scene.terminals[0].set_rehearsal(&clock);
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let (list, other) = (scene.receptions("v01"), scene.receptions("v02"));
    let status = scene.terminals[0].status().unwrap();
    assert_eq!(status["today"], "2026-04-01", "the office's time counts");
    assert_eq!(status["clock_in_doubt"], false);
    collect(&mut scene, 0, &list[..4], &mut books);
    await_sent(&mut scene, 0, &books);

    // Without a line and after a restart the day must not turn into the clock's.
    scene.terminals[0].kill();
    scene.terminals[0].line().refuse(true);
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    assert_eq!(scene.terminals[0].status().unwrap()["today"], "2026-04-01");
    collect(&mut scene, 0, &list[4..8], &mut books);
    scene.terminals[0].line().refuse(false);
    await_sent(&mut scene, 0, &books);
    collect(&mut scene, 1, &other[..4], &mut books);
    await_sent(&mut scene, 1, &books);
    books.check(&scene.office.store().unwrap()).unwrap();

    // All three clocks are kept and none overwrites another.
    let far = format!(
        "SELECT count(*) FROM fact WHERE terminal = 't-1' AND abs(terminal_at - received_at) > 100 * {DAY_MS} \
         AND (trusted_at IS NULL OR abs(trusted_at - received_at) < {DAY_MS})"
    );
    assert_eq!(scene.office.number(&far).unwrap(), 8);
    let office = "SELECT max(received_at) - min(received_at) FROM fact";
    assert!(scene.office.number(office).unwrap() < DAY_MS);
    // What came last is what was received last, whatever a clock says.
    let latest = "SELECT terminal = 't-2' FROM fact JOIN history ON history.fact = fact.id ORDER BY history.id DESC LIMIT 1";
    assert_eq!(scene.office.number(latest).unwrap(), 1);
}
