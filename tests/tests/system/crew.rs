//! Crews who sign in on their terminal, and terminals that are lost: with real programs over TLS.

use std::fs;
use std::path::Path;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::console::Console;
use meguri_tests::harness::eventually;
use meguri_tests::harness::scene::{Scene, await_list};
use serde_json::Value;

use super::enrol::{await_link, code, device, enrol, enrolled, office, said};
use super::{await_sent, collect, record};

/// A member of the crew of t-1's contractor, whose PIN the office draws: the PIN.
fn add_member(scene: &Scene, id: &str) -> String {
    let contractor = "SELECT contractor FROM contract JOIN terminal ON contract.id = terminal.contract
        WHERE terminal.id = 't-1'";
    let contractor: String =
        scene.office.store().unwrap().query_row(contractor, [], |row| row.get(0)).unwrap();
    let told =
        scene.office.must(&["crew", "add", id, "--contractor", &contractor, "--name", "乗務員 甲", "--json"]);
    let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
    told["pin"].as_str().unwrap().to_owned()
}

fn crew(terminal: &mut Console) -> Value {
    terminal.ask("crew").unwrap()
}

/// Whether any file below `folder` holds this text in plain.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// A town that stands on today's list of the office.
fn a_town(scene: &Scene) -> String {
    scene
        .office
        .store()
        .unwrap()
        .query_row("SELECT town FROM resident LIMIT 1", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_crew_signs_in_by_pin_with_and_without_a_line() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    let (mut books, list) = (Books::default(), scene.receptions("v01"));
    collect(&mut scene, 0, &list[..2], &mut books);
    let pin = add_member(&scene, "m-1");
    eventually("the crew is known", || {
        (crew(&mut scene.terminals[0])["members"][0]["id"] == "m-1").then_some(())
    });
    assert_eq!(crew(&mut scene.terminals[0])["locked"], false, "who is at work goes on");
    assert!(!holds(&scene.terminals[0].data(), &a_town(&scene)), "in plain on the terminal");

    // The device starts anew where there is no coverage.
    scene.terminals[0].line().refuse(true);
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    let collect_next = format!("collect {}", list[2]);
    assert_eq!(crew(&mut scene.terminals[0])["locked"], true);
    assert_eq!(scene.terminals[0].ask(&collect_next).unwrap()["error"], "not_listed");
    assert_eq!(scene.terminals[0].ask("sign-in m-1 000001").unwrap()["error"], "wrong");
    assert_eq!(scene.terminals[0].ask("sign-in m-2 273941").unwrap()["error"], "unknown");
    assert_eq!(scene.terminals[0].ask(&format!("sign-in m-1 {pin}")).unwrap()["ok"], "signed_in");
    record(&mut scene.terminals[0], &mut books, &collect_next).unwrap().unwrap();
    scene.terminals[0].ask("lock").unwrap();
    assert!(scene.terminals[0].ask(&format!("collect {}", list[3])).unwrap()["error"].is_string());
    scene.terminals[0].line().refuse(false);
    await_sent(&mut scene, 0, &books);
    books.check(&scene.office.store().unwrap()).unwrap();
    let by = "SELECT count(*) FROM fact WHERE body ->> 'crew' = 'm-1'";
    assert_eq!(scene.office.number(by).unwrap(), 1, "the fact says who");

    // Tries are counted over restarts.
    for _ in 0..4 {
        scene.terminals[0].ask("sign-in m-1 000001").unwrap();
    }
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    scene.terminals[0].ask("sign-in m-1 000001").unwrap();
    assert_eq!(scene.terminals[0].ask(&format!("sign-in m-1 {pin}")).unwrap()["error"], "wait");
    // Neither the PIN nor who failed stands in a log.
    let log = fs::read_to_string(scene.dir().join("device-t-1/terminal.log")).unwrap();
    assert!(!log.contains(&pin) && !log.contains("000001"), "{log}");
}

#[test]
fn a_lost_terminal_erases_itself_and_is_kept_out_and_works_again_once_it_is_found() {
    let mut scene = office(&["v01"]);
    scene.terminals.push(enrolled(&scene, "t-1"));
    scene.start_terminals().unwrap();
    let (mut books, list) = (Books::default(), scene.receptions("v01"));
    await_list(&mut scene.terminals[0]).unwrap();
    // It is stolen with facts that were not sent yet; whoever has it lets it find a line again.
    scene.terminals[0].line().refuse(true);
    collect(&mut scene, 0, &list[..2], &mut books);
    let keys = scene.terminals[0].data().join("keys");
    let before: Vec<_> =
        fs::read_dir(&keys).unwrap().map(|key| fs::read(key.unwrap().path()).unwrap()).collect();
    scene.office.must(&["terminal", "lost", "t-1"]).unwrap();
    assert!(scene.office.must(&["terminal", "list"]).unwrap().contains("not erased yet"));
    scene.terminals[0].line().refuse(false);
    eventually("it has said that it is erased", || {
        scene.office.must(&["terminal", "list"]).unwrap().contains("lost, erased").then_some(())
    });
    assert_eq!(crew(&mut scene.terminals[0])["erased"], true);
    await_link(&mut scene.terminals[0], "refused");
    assert!(scene.terminals[0].ask(&format!("collect {}", list[2])).unwrap()["error"].is_string());
    assert!(!holds(&scene.terminals[0].data(), &a_town(&scene)));
    for key in fs::read_dir(&keys).unwrap() {
        assert!(!before.contains(&fs::read(key.unwrap().path()).unwrap()), "a key outlived the erasure");
    }
    assert_eq!(books.missing(&scene.office.store().unwrap()).unwrap(), 2, "nothing is taken of it");
    // Also over a restart.
    scene.terminals[0].kill();
    scene.terminals[0].start().unwrap();
    assert_eq!(crew(&mut scene.terminals[0])["erased"], true);

    // Whose data it held, for the report.
    let today = scene.terminals[0].status().unwrap()["today"].as_str().unwrap().to_owned();
    let told = scene.office.must(&["terminal", "exposure", "t-1", &today, &today, "--json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["requests"].as_array().unwrap().len(), list.len());
    assert!(told["erased_at"].is_string() && told["requests"][0]["address"].is_string());
    let csv = scene.dir().join("exposure.csv");
    scene
        .office
        .must(&["terminal", "exposure", "t-1", &today, &today, "--csv", csv.to_str().unwrap()])
        .unwrap();
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), list.len() + 1);
    assert!(scene.office.must(&["audit", "show"]).unwrap().contains("read_exposure"));

    // Found: it enrols anew, and what its crew had recorded before it was lost arrives.
    scene.terminals[0].quit().unwrap();
    let folder = scene.dir().join("device-t-1");
    let done = enrol(&folder, code(&scene.office, "t-1")["scan"].as_str().unwrap(), &["--again"]);
    assert!(done.status.success(), "{}", said(&done));
    scene.terminals[0] = device(&scene, &folder);
    scene.terminals[0].start().unwrap();
    await_list(&mut scene.terminals[0]).unwrap();
    collect(&mut scene, 0, &list[2..4], &mut books);
    await_sent(&mut scene, 0, &books);
    books.check(&scene.office.store().unwrap()).unwrap();
}
