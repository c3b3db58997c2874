//! A backup made beside a working office, and put back by the office's own commands.

use std::sync::atomic::{AtomicBool, Ordering};

use meguri_tests::harness::books::Books;
use meguri_tests::harness::scene::{Broker, Scene};

use super::{await_sent, collect, notices};

/// Backed up while terminals confirm, killed, put back: what the backup lacks comes from the terminals.
#[test]
fn an_office_is_backed_up_while_it_works_and_put_back() {
    for broker in [Broker::Embedded, Broker::Mosquitto] {
        let mut scene = Scene::set(broker, &["v01", "v02"], 60).unwrap();
        scene.start_terminals().unwrap();
        let mut books = Books::default();
        let lists = [scene.receptions("v01"), scene.receptions("v02")];
        collect(&mut scene, 0, &lists[0][..5], &mut books);
        await_sent(&mut scene, 0, &books);

        // Backups one after the other, while both terminals confirm.
        let folder = scene.dir().join("backups");
        let into = folder.display().to_string();
        let last = scene.dir().join("last").display().to_string();
        let worked = AtomicBool::new(false);
        let mut command = scene.office.command().unwrap();
        command.args(["backup", "--into", &into, "--keep", "3"]);
        std::thread::scope(|threads| {
            let backups = threads.spawn(|| {
                let mut made = 0;
                while !worked.load(Ordering::Relaxed) || made == 0 {
                    let output = command.output().unwrap();
                    let told = String::from_utf8_lossy(&output.stderr).into_owned();
                    // Two within a second would have one name.
                    assert!(output.status.success() || told.contains("there already"), "{told}");
                    made += u32::from(output.status.success());
                }
                made
            });
            for n in 5..25 {
                for (terminal, list) in lists.iter().enumerate() {
                    collect(&mut scene, terminal, &list[n..=n], &mut books);
                }
            }
            worked.store(true, Ordering::Relaxed);
            assert!(backups.join().unwrap() > 0);
        });
        scene.office.must(&["backup", &last]).unwrap();
        for (terminal, list) in lists.iter().enumerate() {
            collect(&mut scene, terminal, &list[25..32], &mut books);
            await_sent(&mut scene, terminal, &books);
        }
        let before: Vec<u8> = incarnation(&scene);
        let copies = std::fs::read_dir(&folder).unwrap().count();
        assert!((1..=3).contains(&copies), "{copies}");

        scene.office.kill();
        // The oldest of those that were made under way: the most is missing from it.
        let mut copies: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|copy| copy.unwrap().path()).collect();
        copies.sort();
        let oldest = copies[0].display().to_string();
        scene.office.must(&["backup", "verify", &oldest]).unwrap();
        let told = scene.office.must(&["restore", &oldest, "--replace"]).unwrap();
        assert!(told.contains("terminals send again"), "{told}");
        scene.office.start().unwrap();
        for terminal in 0..2 {
            await_sent(&mut scene, terminal, &books);
        }
        for (terminal, list) in lists.iter().enumerate() {
            collect(&mut scene, terminal, &list[32..36], &mut books);
            await_sent(&mut scene, terminal, &books);
        }
        let sum = books.check(&scene.office.store().unwrap()).unwrap();
        assert_eq!((sum.facts, sum.epochs), (72 - 5, 2), "nothing is missing and nobody forked");
        assert_ne!(incarnation(&scene), before);
        assert!(notices(&scene, "restored") > 0, "somebody is told");
        scene.office.stop().unwrap();
    }
}

fn incarnation(scene: &Scene) -> Vec<u8> {
    let store = scene.office.store().unwrap();
    store.query_row("SELECT incarnation FROM office", [], |row| row.get(0)).unwrap()
}
