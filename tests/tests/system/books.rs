//! The books notice what they are there to notice: each kind of damage, done on purpose to a good store.

use meguri_tests::harness::books::Books;
use meguri_tests::harness::office::copy_folder;
use meguri_tests::harness::scene::{Broker, Scene};
use rusqlite::Connection;

use super::{await_sent, collect};

#[test]
fn every_damage_is_noticed() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 8).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..6], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.terminals[0].kill();
    scene.office.stop().unwrap();
    books.check(&scene.office.store().unwrap()).unwrap();

    let damages = [
        ("confirmed and not held", "DELETE FROM fact WHERE seq = 3"),
        ("times in history", "DELETE FROM history WHERE fact = (SELECT id FROM fact WHERE seq = 3)"),
        (
            "times in history",
            "INSERT INTO history (pickup, at, kind, fact) SELECT pickup, at, kind, fact FROM history WHERE fact IS NOT NULL LIMIT 1",
        ),
        ("stands where", "DELETE FROM entry WHERE seq = 3"),
        ("does not follow from its body", "UPDATE entry SET body = body || ' ' WHERE seq = 3"),
        ("says it holds", "UPDATE log SET held = held + 1"),
        (
            "was applied after",
            "UPDATE history SET id = id + 1000 WHERE fact = (SELECT id FROM fact WHERE seq = 3)",
        ),
        ("its facts say", "UPDATE pickup SET state = 'open'"),
        ("stands under", "UPDATE fact SET terminal = 't-9' WHERE seq = 3"),
    ];
    for (n, (noticed, damage)) in damages.into_iter().enumerate() {
        let copy = scene.dir().join(format!("damaged-{n}"));
        copy_folder(&scene.office.data(), &copy).unwrap();
        let store = Connection::open(copy.join("meguri.db")).unwrap();
        store.execute_batch(&format!("PRAGMA foreign_keys = OFF; {damage}")).unwrap();
        let error = books.check(&store).unwrap_err().to_string();
        assert!(error.contains(noticed), "{damage}: {error}");
    }
    // A fact that nobody confirmed, unless a command went unanswered.
    let invented = books.confirmed.pop().unwrap();
    let error = books.check(&scene.office.store().unwrap()).unwrap_err().to_string();
    assert!(error.contains("never confirmed"), "{error}");
    books.unanswered.insert(invented.terminal, 1);
    books.check(&scene.office.store().unwrap()).unwrap();
}
