//! A terminal that is bound to a vehicle of another contract.

use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Broker, Scene};

use super::{await_sent, collect};

/// With the settings that come of it the terminal works on in the other round, and what it still had to say counts under
/// the contract before.
#[test]
fn to_another_contract() {
    for broker in [Broker::Embedded, Broker::Mosquitto] {
        let mut scene = Scene::set(broker, &["v01", "v05"], 6).unwrap();
        scene.start_terminals().unwrap();
        let (mut books, before, after) = (Books::default(), scene.receptions("v01"), scene.receptions("v05"));
        collect(&mut scene, 0, &before[..2], &mut books);
        await_sent(&mut scene, 0, &books);
        scene.terminals[0].line().refuse(true);
        scene.terminals[0].line().cut();
        collect(&mut scene, 0, &before[2..4], &mut books);
        scene.terminals[0].kill();

        let new = scene.dir().join("t-1-new");
        scene
            .office
            .must(&["terminal", "bind", "t-1", "--vehicle", "v05", "--out", new.to_str().unwrap()])
            .unwrap();
        std::fs::copy(new.join("terminal.toml"), scene.dir().join("t-1/terminal.toml")).unwrap();
        scene.terminals[0].start().unwrap();
        eventually("the other round is on the screen", || {
            let stops = scene.terminals[0].stops().unwrap();
            stops.iter().any(|stop| stop["reception"] == after[0].as_str()).then_some(())
        });
        await_sent(&mut scene, 0, &books);
        collect(&mut scene, 0, &after[..2], &mut books);
        await_sent(&mut scene, 0, &books);
        let under = |contract| {
            let select =
                format!("SELECT count(*) FROM fact WHERE terminal = 't-1' AND contract = '{contract}'");
            scene.office.number(&select).unwrap()
        };
        assert_eq!((under("itaku-1"), under("itaku-2")), (4, 2));
        books.check(&scene.office.store().unwrap()).unwrap();
        scene.office.stop().unwrap();
    }
}
