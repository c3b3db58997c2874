//! Stores put back from older copies, on either side and on both, and two devices under one name.

use meguri_tests::day;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Broker, DAY, Scene, await_list};
use meguri_tests::harness::worker::record;

use rusqlite::Connection;

use super::{await_sent, collect, notices};

const BROKERS: [Broker; 2] = [Broker::Embedded, Broker::Mosquitto];

fn incarnation(scene: &Scene) -> Vec<u8> {
    let store = scene.office.store().unwrap();
    store.query_row("SELECT incarnation FROM office", [], |row| row.get(0)).unwrap()
}

/// The office comes back from an older copy: terminals send again what it lacks.
#[test]
fn the_office_from_an_older_copy() {
    for broker in BROKERS {
        // The whole folder, as a machine's snapshot brings it back, or the store's file alone.
        for whole in [true, false] {
            let mut scene = Scene::set(broker, &["v01", "v02"], 30).unwrap();
            scene.start_terminals().unwrap();
            let mut books = Books::default();
            let lists = [scene.receptions("v01"), scene.receptions("v02")];
            for (terminal, list) in lists.iter().enumerate() {
                collect(&mut scene, terminal, &list[..8], &mut books);
                await_sent(&mut scene, terminal, &books);
            }
            let copy = scene.dir().join("copy");
            scene.office.kill();
            scene.office.back_up(&copy).unwrap();
            scene.office.start().unwrap();
            for (terminal, list) in lists.iter().enumerate() {
                collect(&mut scene, terminal, &list[8..16], &mut books);
                await_sent(&mut scene, terminal, &books);
            }
            let before = incarnation(&scene);
            scene.office.kill();
            scene.office.restore(&copy, whole).unwrap();
            scene.office.start().unwrap();
            for terminal in 0..2 {
                await_sent(&mut scene, terminal, &books);
            }
            for (terminal, list) in lists.iter().enumerate() {
                collect(&mut scene, terminal, &list[16..20], &mut books);
                await_sent(&mut scene, terminal, &books);
            }
            let sum = books.check(&scene.office.store().unwrap()).unwrap();
            assert_eq!((sum.facts, sum.epochs), (40, 2), "nothing is missing and nobody forked");
            assert_ne!(incarnation(&scene), before, "{broker:?}, whole folder: {whole}");
            assert!(notices(&scene, "restored") > 0, "somebody is told");
            scene.office.stop().unwrap();
        }
    }
}

/// A terminal's store comes back from an older copy and is worked on without a line.
#[test]
fn a_terminal_from_an_older_copy() {
    for broker in BROKERS {
        terminal_from_older_copy(broker, false);
    }
}

/// The same while the office comes back from an older copy as well.
#[test]
fn both_from_older_copies() {
    for broker in BROKERS {
        terminal_from_older_copy(broker, true);
    }
}

fn terminal_from_older_copy(broker: Broker, office_too: bool) {
    let mut scene = Scene::set(broker, &["v01"], 60).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..8], &mut books);
    await_sent(&mut scene, 0, &books);
    // The copy holds facts that are not sent yet.
    scene.terminals[0].line().refuse(true);
    collect(&mut scene, 0, &list[8..12], &mut books);
    let (copy, office_copy) = (scene.dir().join("copy"), scene.dir().join("office-copy"));
    scene.terminals[0].kill();
    scene.terminals[0].back_up(&copy).unwrap();
    if office_too {
        scene.office.kill();
        scene.office.back_up(&office_copy).unwrap();
        scene.office.start().unwrap();
    }
    scene.terminals[0].line().refuse(false);
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    let sent_later = books.confirmed.len();
    collect(&mut scene, 0, &list[12..18], &mut books);
    await_sent(&mut scene, 0, &books);
    let never_sent = books.confirmed.len();
    scene.terminals[0].line().refuse(true);
    collect(&mut scene, 0, &list[18..22], &mut books);
    scene.terminals[0].kill();
    scene.terminals[0].restore(&copy).unwrap();
    // Only what the copy did not hold and nobody else does may be gone: what was never sent and, where the office lost
    // it too, what was sent after the copy was made.
    let first_gone = if office_too { sent_later } else { never_sent };
    books.may_be_gone.extend(books.confirmed[first_gone..].iter().map(|confirmed| confirmed.fact));
    if office_too {
        scene.office.kill();
        scene.office.restore(&office_copy, false).unwrap();
        scene.office.start().unwrap();
    }

    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[22..30], &mut books);
    scene.terminals[0].line().refuse(false);
    await_sent(&mut scene, 0, &books);
    collect(&mut scene, 0, &list[30..32], &mut books);
    await_sent(&mut scene, 0, &books);
    let sum = books.check(&scene.office.store().unwrap()).unwrap();
    if !office_too {
        assert_eq!(sum.epochs, 2, "what was worked on twice goes on in a new epoch");
        // The office sees it when the terminal says that it has closed its old epoch.
        eventually("somebody is told", || (notices(&scene, "fork") > 0).then_some(()));
    }
    scene.office.stop().unwrap();
}

/// Both sides come back from copies, and between them the terminal had forgotten what the office's copy lacks: the office
/// records a hole, and the terminal's copy brings back what lies in it.
#[test]
fn what_lay_in_a_hole() {
    for broker in BROKERS {
        let mut scene = Scene::set(broker, &["v01"], 10).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let list = scene.receptions("v01");
        collect(&mut scene, 0, &list[..2], &mut books);
        await_sent(&mut scene, 0, &books);
        let (copy, office_copy) = (scene.dir().join("copy"), scene.dir().join("office-copy"));
        scene.office.kill();
        scene.office.back_up(&office_copy).unwrap();
        scene.office.start().unwrap();
        collect(&mut scene, 0, &list[2..4], &mut books);
        await_sent(&mut scene, 0, &books);
        scene.terminals[0].kill();
        scene.terminals[0].back_up(&copy).unwrap();

        // As if it had been acknowledged longer ago than it is kept.
        let ago = "UPDATE entry SET acked_at = acked_at - 15 * 24 * 3600 * 1000";
        let store = Connection::open(scene.terminals[0].data().join("terminal.db")).unwrap();
        store.execute(ago, []).unwrap();
        drop(store);
        scene.terminals[0].start().unwrap();
        eventually("what is acknowledged is forgotten", || {
            let status = scene.terminals[0].status().unwrap();
            let facts = status["logs"].as_array()?.iter().find(|log| log["log"] == "fact")?.clone();
            (facts["first"].as_u64()? > facts["head"].as_u64()?).then_some(())
        });
        scene.office.kill();
        scene.office.restore(&office_copy, true).unwrap();
        scene.office.start().unwrap();
        eventually("a hole is recorded", || (notices(&scene, "hole") > 0).then_some(()));
        assert_eq!(books.missing(&scene.office.store().unwrap()).unwrap(), 2);

        scene.terminals[0].kill();
        scene.terminals[0].restore(&copy).unwrap();
        scene.terminals[0].start().unwrap();
        await_list(&mut scene.terminals[0]).unwrap();
        await_sent(&mut scene, 0, &books);
        collect(&mut scene, 0, &list[4..6], &mut books);
        await_sent(&mut scene, 0, &books);
        let sum = books.check(&scene.office.store().unwrap()).unwrap();
        assert_eq!((sum.facts, sum.epochs), (6, 2));
        assert!(notices(&scene, "fork") > 0, "somebody is told");
        scene.office.stop().unwrap();
    }
}

/// The office comes back from a copy older than the day's import. Its pickups get the same ids when the file is taken again,
/// before the terminals send again what they said of them, or after that was set aside.
#[test]
fn the_office_from_before_the_import() {
    for (broker, import_first) in [(Broker::Embedded, false), (Broker::Mosquitto, true)] {
        let mut scene = Scene::set(broker, &["v01"], 0).unwrap();
        let copy = scene.dir().join("copy");
        scene.office.kill();
        scene.office.back_up(&copy).unwrap();
        scene.office.start().unwrap();
        let city = day::city(DAY).unwrap();
        let district =
            city.district.iter().find(|district| district.vehicle.first().as_str() == "v01").unwrap();
        scene.requests = day::round(DAY, &district.name, 10, 1);
        scene.import(&scene.requests).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let list = scene.receptions("v01");
        collect(&mut scene, 0, &list[..6], &mut books);
        await_sent(&mut scene, 0, &books);

        scene.office.kill();
        scene.office.restore(&copy, true).unwrap();
        if import_first {
            scene.import(&scene.requests).unwrap();
            scene.office.start().unwrap();
        } else {
            scene.office.start().unwrap();
            eventually("what nobody knows of any more is set aside", || {
                let open = "SELECT count(*) FROM aside WHERE settled_at IS NULL AND seq IS NOT NULL";
                (scene.office.number(open).unwrap() == 6).then_some(())
            });
            scene.import(&scene.requests).unwrap();
        }
        await_sent(&mut scene, 0, &books);
        assert_eq!(scene.office.number("SELECT count(*) FROM aside WHERE settled_at IS NULL").unwrap(), 0);
        assert_eq!(scene.office.number("SELECT count(*) FROM pickup WHERE state = 'collected'").unwrap(), 6);
        // Meanwhile an empty one may have gone out.
        eventually("the terminal shows the list made since", || {
            let made = "SELECT coalesce(max(version), 0) FROM document WHERE body LIKE '%\"reception\"%'";
            let made = scene.office.number(made).unwrap();
            let shown = scene.terminals[0].ask("list").unwrap()["list"]["version"].as_i64()?;
            (shown == made).then_some(())
        });
        collect(&mut scene, 0, &list[6..8], &mut books);
        await_sent(&mut scene, 0, &books);
        assert_eq!(books.check(&scene.office.store().unwrap()).unwrap().facts, 8);
        scene.office.stop().unwrap();
    }
}

/// Two devices under one name, one a copy of the other with its store: both make progress and nothing is lost.
#[test]
fn two_devices_under_one_name() {
    for broker in BROKERS {
        let mut scene = Scene::set(broker, &["v01"], 60).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let list = scene.receptions("v01");
        collect(&mut scene, 0, &list[..6], &mut books);
        await_sent(&mut scene, 0, &books);
        scene.terminals[0].kill();
        let mut twin = scene.terminals[0].clone_to(&scene.dir().join("twin"), scene.broker()).unwrap();
        scene.terminals[0].start().unwrap();
        twin.start().unwrap();
        await_list(&mut scene.terminals[0]).unwrap();
        await_list(&mut twin).unwrap();
        for (first, second) in list[6..16].iter().zip(&list[16..26]) {
            collect(&mut scene, 0, std::slice::from_ref(first), &mut books);
            let confirmed = record(&mut twin, &mut books, &format!("collect {second}")).unwrap();
            assert!(confirmed.is_some());
        }
        eventually("all facts of both are in the office", || {
            (books.missing(&scene.office.store().unwrap()).unwrap() == 0).then_some(())
        });
        eventually("somebody is told", || (notices(&scene, "two_devices") > 0).then_some(()));
        twin.kill();
        await_sent(&mut scene, 0, &books);
        books.check(&scene.office.store().unwrap()).unwrap();
        scene.office.stop().unwrap();
    }
}
