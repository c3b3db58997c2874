//! A cluster of brokers: the office is at one node, terminals are at another, and either node dies.

use meguri_tests::harness::books::Books;
use meguri_tests::harness::cluster::Node;
use meguri_tests::harness::scene::{Broker, Scene};

use super::{await_sent, collect};

#[test]
fn a_node_that_dies_loses_nothing() {
    let mut scene = Scene::set(Broker::Cluster, &["v01", "v02"], 30).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let lists = [scene.receptions("v01"), scene.receptions("v02")];
    let mut stops = lists.each_ref().map(|list| list.chunks(5));
    let mut work = |scene: &mut Scene, books: &mut Books| {
        for (index, stops) in stops.iter_mut().enumerate() {
            collect(scene, index, stops.next().unwrap(), books);
        }
    };
    work(&mut scene, &mut books);
    await_sent(&mut scene, 0, &books);
    await_sent(&mut scene, 1, &books);
    for node in [Node::OfTerminals, Node::OfOffice] {
        // What is on its way dies with it.
        work(&mut scene, &mut books);
        scene.cluster.as_mut().unwrap().kill(node);
        work(&mut scene, &mut books);
        scene.cluster.as_mut().unwrap().start_node(node).unwrap();
        await_sent(&mut scene, 0, &books);
        await_sent(&mut scene, 1, &books);
    }
    assert_eq!(books.check(&scene.office.store().unwrap()).unwrap().facts, 50);
    assert_eq!(scene.office.number("SELECT count(*) FROM aside").unwrap(), 0);
}
