//! A store that is found damaged while the office works, and the backup that makes it good.

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;

use meguri_tests::harness::books::Books;
use meguri_tests::harness::scene::{Broker, Scene};
use rusqlite::Connection;

use super::{await_sent, collect};

/// The program's status for a store that starting again does not help.
const DAMAGED: i32 = 65;

#[test]
fn a_damaged_page_is_found_told_and_made_good_by_a_backup() {
    let mut scene = Scene::set(Broker::Embedded, &["v01"], 20).unwrap();
    scene.start_terminals().unwrap();
    let mut books = Books::default();
    let list = scene.receptions("v01");
    collect(&mut scene, 0, &list[..5], &mut books);
    await_sent(&mut scene, 0, &books);
    let backup = scene.dir().join("backup").display().to_string();
    scene.office.must(&["backup", &backup]).unwrap();
    collect(&mut scene, 0, &list[5..8], &mut books);
    await_sent(&mut scene, 0, &books);
    scene.office.stop().unwrap();

    // The page where entries go; opening the store does not read it.
    let path = scene.office.data().join("meguri.db");
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'entry'";
    let page: u32 = Connection::open(&path).unwrap().query_row(root, [], |row| row.get(0)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[(page as usize - 1) * 4096..page as usize * 4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();

    // The terminal goes on; the office ends as soon as it comes upon the page, and has acknowledged nothing of it.
    collect(&mut scene, 0, &list[8..11], &mut books);
    let mut command = scene.office.command().unwrap();
    let output = command.arg("serve").stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(DAMAGED), "{told}");
    assert!(told.contains("is damaged") && told.contains("restore BACKUP --replace"), "{told}");
    assert!(TcpStream::connect(scene.office.mqtt()).is_err(), "it is gone as a whole");
    assert!(
        scene.terminals[0].status().unwrap()["waiting"].as_i64().unwrap() >= 3,
        "nothing was acknowledged"
    );
    let doctor = scene.office.run(&["doctor", "--full"]).unwrap();
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("[error] store: the store is damaged"));

    scene.office.must(&["restore", &backup, "--replace"]).unwrap();
    scene.office.start().unwrap();
    await_sent(&mut scene, 0, &books);
    collect(&mut scene, 0, &list[11..13], &mut books);
    await_sent(&mut scene, 0, &books);
    let sum = books.check(&scene.office.store().unwrap()).unwrap();
    assert_eq!((sum.facts, sum.epochs), (13, 1));
    let kept = fs::read_dir(scene.office.data()).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().starts_with("replaced-"));
    assert_eq!(kept.count(), 1, "what was damaged is kept aside");
    scene.office.stop().unwrap();
}
