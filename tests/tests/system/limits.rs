//! The largest list that is allowed, and the largest packet.

use meguri_config::Terminal;
use meguri_proto::limits::{LIST_BYTES, LIST_PICKUPS, LONG_TEXT, MESSAGE_BYTES, PACKET_BYTES};
use meguri_tests::day;
use meguri_tests::harness::books::Books;
use meguri_tests::harness::eventually;
use meguri_tests::harness::plain::Plain;
use meguri_tests::harness::scene::{Broker, DAY, DAY_PROFILE, Scene, await_list};

use super::{await_sent, collect};

#[test]
fn the_largest_list() {
    for broker in [Broker::Embedded, Broker::Mosquitto, Broker::Cluster] {
        let mut scene = Scene::set_plain(broker, &["v01"], 0).unwrap();
        let mut requests = day::round(DAY, "中区A", LIST_PICKUPS, 1);
        requests.iter_mut().for_each(|request| request.notice = "坂".repeat(48));
        scene.import(&requests).unwrap();
        scene.terminals[0].start().unwrap();
        eventually("the whole list is there", || {
            (scene.terminals[0].stops().unwrap().len() == LIST_PICKUPS).then_some(())
        });
        let bytes = scene.office.number("SELECT max(length(CAST(body AS BLOB))) FROM document").unwrap();
        let most = i64::try_from(LIST_BYTES).unwrap();
        assert!((most / 2..most).contains(&bytes), "{bytes} bytes are no test of the limit {most}");

        let mut books = Books::default();
        collect(&mut scene, 0, &[requests[LIST_PICKUPS - 1].reception.clone()], &mut books);
        await_sent(&mut scene, 0, &books);
        books.check(&scene.office.store().unwrap()).unwrap();

        // One more, or texts too long for the message, are refused when they are imported, with nothing taken.
        let more = day::round(DAY, "中区A", LIST_PICKUPS + 1, 1);
        assert_eq!(scene.office.import(DAY_PROFILE, &day::csv(&more)).unwrap().status.code(), Some(2));
        requests.iter_mut().for_each(|request| request.notice = "坂".repeat(LONG_TEXT));
        assert_eq!(scene.office.import(DAY_PROFILE, &day::csv(&requests)).unwrap().status.code(), Some(2));
        assert_eq!(scene.terminals[0].stops().unwrap().len(), LIST_PICKUPS);
    }
}

#[test]
fn the_largest_packet() {
    for broker in [Broker::Embedded, Broker::Mosquitto, Broker::Cluster] {
        let mut scene = Scene::set_plain(broker, &["v01", "v02"], 5).unwrap();
        scene.terminals[1].start().unwrap();
        await_list(&mut scene.terminals[1]).unwrap();
        let settings = Terminal::read(&scene.dir().join("t-1/terminal.toml")).unwrap();
        let mut plain = Plain::connect(scene.broker(), "t-1", "t-1", &settings.secret().unwrap()).unwrap();
        let topic = "meguri/1/hiroshima/t-1/up/fact";
        plain.publish(topic, &vec![b'x'; LIST_BYTES], false).unwrap();
        let kept = format!(
            "SELECT count(*) FROM aside WHERE bytes = {LIST_BYTES} AND length(raw) = {MESSAGE_BYTES}"
        );
        eventually("it is set aside, cut", || (scene.office.number(&kept).unwrap() == 1).then_some(()));
        // What is larger ends its sender's connection and nobody else's.
        assert!(plain.publish(topic, &vec![b'x'; PACKET_BYTES + 1], false).is_err());
        let mut books = Books::default();
        let list = scene.receptions("v02");
        collect(&mut scene, 1, &list[..2], &mut books);
        await_sent(&mut scene, 1, &books);
    }
}
