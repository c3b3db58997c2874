//! Who is away for long, and lines that break in other ways than cleanly.

use std::time::Duration;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::proxy::Way;
use meguri_tests::harness::scene::{Broker, Scene, await_list};

use super::{await_sent, collect};

/// The gateway is dead while Mosquitto lives and takes everything: receipts of a broker are no acknowledgement.
#[test]
fn the_gateway_dead_while_mosquitto_lives() {
    let mut scene = Scene::set(Broker::Mosquitto, &["v01"], 40).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..5], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.office.kill();
    collect(&mut scene, 0, &list[5..20], &mut books);
    let status = scene.terminals[0].status().unwrap();
    assert_eq!(status["waiting"], 15, "nothing counts as sent that no office holds");
    // The terminal is killed meanwhile, too.
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[20..25], &mut books);
    scene.office.start().unwrap();
    await_sent(&mut scene, 0, &books);
    assert_eq!(books.check(&scene.office.store().unwrap()).unwrap().facts, 25);
}

/// A line that stands and carries nothing, one that is closed half, one that is slow.
#[test]
fn lines_that_break_badly() {
    for broker in [Broker::Embedded, Broker::Mosquitto] {
        let mut scene = Scene::set(broker, &["v01"], 40).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let list = scene.receptions("v01");
        let mut stops = list.chunks(3);
        let mut next = || stops.next().unwrap();
        for way in [Way::Up, Way::Down] {
            scene.terminals[0].line().half_close(way);
            collect(&mut scene, 0, next(), &mut books);
            await_sent(&mut scene, 0, &books);

            scene.terminals[0].line().swallow(way, true);
            collect(&mut scene, 0, next(), &mut books);
            assert_ne!(scene.terminals[0].status().unwrap()["waiting"], 0);
            // Healing a swallowing line cuts it: what was swallowed is gone.
            scene.terminals[0].line().heal();
            await_sent(&mut scene, 0, &books);

            scene.terminals[0].line().delay(way, Duration::from_millis(300));
            collect(&mut scene, 0, next(), &mut books);
            await_sent(&mut scene, 0, &books);
            scene.terminals[0].line().heal();
        }
        books.check(&scene.office.store().unwrap()).unwrap();
    }
}

/// A terminal that starts without any line works on the list it last had.
#[test]
fn starts_without_a_line() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 10).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    scene.terminals[0].kill();
    scene.office.kill();
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[..4], &mut books);
    let stops = scene.terminals[0].stops().unwrap();
    assert_eq!(stops.iter().filter(|stop| stop["state"] == "collected").count(), 4);
    assert_eq!(stops.iter().filter(|stop| stop["waiting"] == true).count(), 4);
    scene.office.start().unwrap();
    await_sent(&mut scene, 0, &books);
    eventually("the screen knows that nothing waits", || {
        let stops = scene.terminals[0].stops().unwrap();
        stops.iter().all(|stop| stop["waiting"] == false).then_some(())
    });
}
