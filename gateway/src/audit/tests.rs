//! Logs that were tampered with, cut, and put right.
#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A log over two months.
fn written(data: &Path) {
    let mut log = Log::open(data, at("2026-04-30T01:00:00Z")).unwrap();
    for (n, when) in [
        "2026-04-30T01:00:00Z",
        "2026-04-30T02:00:00Z",
        "2026-05-01T01:00:00Z",
        "2026-05-01T02:00:00Z",
        "2026-05-02T02:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        let event = Event::new(
            Who::Person(3),
            What::ReadPickup,
            serde_json::json!({ "pickup": n, "text": "\",\"digest\":\"x" }),
        );
        log.append(&[
            (at(when), &event),
            (at(when), &Event::new(Who::Nobody, What::SignInFailed, serde_json::json!({}))),
        ])
        .unwrap();
    }
}

fn path(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(name)
}

fn lines(data: &Path, name: &str) -> Vec<String> {
    fs::read_to_string(path(data, name)).unwrap().lines().map(str::to_owned).collect()
}

fn put(data: &Path, name: &str, lines: &[String]) {
    fs::write(path(data, name), lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let empty = verify(dir.path(), &[]).unwrap();
    assert_eq!((empty.entries, empty.faults.len()), (0, 0));
    written(dir.path());
    let report = verify(dir.path(), &[]).unwrap();
    assert_eq!(
        (report.entries, report.first, report.last.unwrap().0, &*report.faults),
        (10, Some(1), 10, &[][..])
    );
    assert_eq!((lines(dir.path(), "2026-04.jsonl").len(), lines(dir.path(), "2026-05.jsonl").len()), (4, 6));
    let heads = heads(dir.path()).unwrap();
    assert_eq!(
        heads.iter().map(|head| (head.day.to_string(), head.seq)).collect::<Vec<_>>(),
        [("2026-04-30".to_owned(), 4), ("2026-05-01".to_owned(), 8), ("2026-05-02".to_owned(), 10)]
    );
    // Going on, it is still one chain.
    let mut log = Log::open(dir.path(), at("2026-05-03T00:00:00Z")).unwrap();
    log.append(&[(
        at("2026-05-03T00:00:00Z"),
        &Event::new(Who::Gateway, What::Started, serde_json::json!({})),
    )])
    .unwrap();
    assert!(verify(dir.path(), &[(8, heads[1].digest)]).unwrap().faults.is_empty());
    // Old months may be put elsewhere; what is left is whole.
    fs::remove_file(path(dir.path(), "2026-04.jsonl")).unwrap();
    let report = verify(dir.path(), &[]).unwrap();
    assert_eq!((report.first, report.faults.len()), (Some(5), 0));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(path(dir.path(), "2026-05.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_removed_changed_or_reordered_is_found() {
    type Tamper = fn(&mut Vec<String>);
    let tampers: [(&str, Tamper, &str); 6] = [
        ("removed", |lines| drop(lines.remove(2)), "line 3"),
        ("changed", |lines| lines[1] = lines[1].replace("sign_in_failed", "signed_out"), "line 2"),
        ("reordered", |lines| lines.swap(2, 3), "line 3"),
        ("doubled", |lines| lines.insert(1, lines[1].clone()), "line 3"),
        ("emptied", |lines| lines[3].clear(), "line 4"),
        // Whoever changes an entry and its digest breaks the one after it.
        (
            "changed with its digest",
            |lines| {
                let (mut entry, _) = file::parse(&lines[1]).unwrap();
                entry.who = Who::Person(9);
                lines[1] = file::line(&entry).unwrap().0;
            },
            "line 3",
        ),
    ];
    for (how, tamper, place) in tampers {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        let mut all = lines(dir.path(), "2026-05.jsonl");
        tamper(&mut all);
        put(dir.path(), "2026-05.jsonl", &all);
        let report = verify(dir.path(), &[]).unwrap();
        let first = report.faults.first().unwrap_or_else(|| panic!("{how} is not found"));
        assert_eq!(format!("line {}", first.line), place, "{how}: {report:?}");
    }
}

#[test]
fn entries_missing_at_the_end_are_found_and_stay_told() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let noted = heads(dir.path()).unwrap();
    let mut all = lines(dir.path(), "2026-05.jsonl");
    all.truncate(3);
    put(dir.path(), "2026-05.jsonl", &all);
    let found = |known: &[(u64, Digest)]| verify(dir.path(), known).unwrap().faults;
    assert!(found(&[])[0].problem.contains("once went to entry 10"));
    // A gateway that starts on it covers nothing up.
    drop(Log::open(dir.path(), at("2026-05-04T00:00:00Z")).unwrap());
    assert!(found(&[])[0].problem.contains("\"to\":10"), "{:?}", found(&[]));
    // Without what stands beside the log, the head in the system's log tells it.
    let (kept, seq8) = (lines(dir.path(), "2026-05.jsonl"), noted[1].clone());
    put(dir.path(), "2026-05.jsonl", &kept[..2]);
    fs::write(path(dir.path(), "head"), "").unwrap();
    assert!(found(&[]).is_empty());
    assert!(found(&[(seq8.seq, seq8.digest)])[0].problem.contains("once went to entry 8"));
}

#[test]
fn a_line_cut_by_a_power_cut_is_put_right_openly() {
    for rest in ["{\"seq\":11,\"at\":\"2026", "\0\0\0\0"] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        let mut text = fs::read(path(dir.path(), "2026-05.jsonl")).unwrap();
        text.extend(rest.as_bytes());
        fs::write(path(dir.path(), "2026-05.jsonl"), text).unwrap();
        let mut log = Log::open(dir.path(), at("2026-05-03T00:00:00Z")).unwrap();
        log.append(&[(
            at("2026-05-03T00:00:00Z"),
            &Event::new(Who::Gateway, What::Started, serde_json::json!({})),
        )])
        .unwrap();
        let report = verify(dir.path(), &[]).unwrap();
        assert_eq!((report.entries, report.repaired, &*report.faults), (12, 1, &[][..]));
        let repaired = file::parse(&lines(dir.path(), "2026-05.jsonl")[6]).unwrap().0;
        assert_eq!(
            (repaired.what, repaired.about),
            (What::Repaired, serde_json::json!({ "cut_bytes": rest.len() }))
        );
    }
}

#[test]
fn nothing_is_appended_to_a_last_entry_that_was_changed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let mut all = lines(dir.path(), "2026-05.jsonl");
    all[5] = all[5].replace("nobody", "gateway");
    put(dir.path(), "2026-05.jsonl", &all);
    assert!(matches!(Log::open(dir.path(), at("2026-05-03T00:00:00Z")), Err(AuditError::Broken { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_a_time_are_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (audit, running) = Audit::start(dir.path(), Timestamp::now()).unwrap();
    let all: Vec<_> = (0..500)
        .map(|n| {
            let audit = audit.clone();
            tokio::spawn(async move {
                audit.note(Event::new(Who::Person(n), What::ReadDay, serde_json::json!({}))).await.unwrap();
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    drop(audit);
    running.ended();
    let report = verify(dir.path(), &[]).unwrap();
    assert_eq!((report.entries, report.faults.len()), (500, 0));
}

#[test]
fn the_system_log_is_told_the_days_head() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("log");
    let listening = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let head = Head { day: "2026-04-30".parse().unwrap(), seq: 4, digest: Digest::of(b"x") };
    tell(&socket, "hiroshima", &head).unwrap();
    let mut bytes = [0; 512];
    let length = listening.recv(&mut bytes).unwrap();
    let said = String::from_utf8_lossy(&bytes[..length]);
    let expected =
        format!("<85>meguri-gateway: audit head city=hiroshima day=2026-04-30 seq=4 digest={}", head.digest);
    assert_eq!(said, expected);
    assert!(tell(&dir.path().join("nothing"), "hiroshima", &head).is_err());
}

#[test]
fn an_entry_that_is_too_long_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let now = at("2026-05-01T01:00:00Z");
    let event = |text: &str| Event::new(Who::Gateway, What::Started, serde_json::json!({ "text": text }));
    let (short, long) = (event("x"), event(&"x".repeat(file::ENTRY_BYTES)));
    let mut log = Log::open(dir.path(), now).unwrap();
    let each = log.append_each(&[(now, &short), (now, &long), (now, &short)]).unwrap();
    assert_eq!(each.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(log.append(&[(now, &long)]), Err(AuditError::TooLong)));
    log.append(&[(now, &short)]).unwrap();
    let report = verify(dir.path(), &[]).unwrap();
    assert_eq!((report.entries, &*report.faults), (3, &[][..]));
}

#[test]
fn a_day_is_read_from_the_files_alone_that_can_hold_it() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let of = |day: &str| {
        let mut count = 0;
        entries_of(dir.path(), day.parse().unwrap(), |_| count += 1).map(|()| count)
    };
    assert_eq!((of("2026-04-30").unwrap(), of("2026-05-01").unwrap(), of("2026-05-02").unwrap()), (4, 4, 2));
    assert_eq!(of("2026-03-31").unwrap(), 0);
    // A clock that ran ahead and was set back: the log goes on in the newest file.
    let mut log = Log::open(dir.path(), at("2026-08-01T01:00:00Z")).unwrap();
    let event = Event::new(Who::Gateway, What::Started, serde_json::json!({}));
    for when in ["2026-08-01T01:00:00Z", "2026-05-03T01:00:00Z", "2026-06-03T01:00:00Z"] {
        log.append(&[(at(when), &event)]).unwrap();
    }
    assert_eq!((of("2026-05-03").unwrap(), of("2026-06-03").unwrap()), (1, 1));
    // What can't be read shows what is.
    fs::remove_file(path(dir.path(), "2026-04.jsonl")).unwrap();
    fs::create_dir(path(dir.path(), "2026-04.jsonl")).unwrap();
    assert_eq!(of("2026-05-02").unwrap(), 2);
    assert!(of("2026-05-01").is_err() && entries(dir.path(), |_, _| ()).is_err());
}

#[test]
fn a_log_that_was_removed_whole_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (city, now) = ("hiroshima".parse().unwrap(), at("2026-05-01T01:00:00Z"));
    let open = || {
        crate::store::Store::open(dir.path(), &city, now, meguri_proto::Incarnation(uuid::Uuid::nil()))
            .unwrap()
    };
    let store = open();
    store.close().unwrap();
    let faults = || verify(dir.path(), &[]).unwrap().faults;
    assert!(faults().is_empty(), "nobody has an account yet");
    let store = open();
    let password = crate::people::password::hash("kumo to yama to kawa", [1; 16]).unwrap();
    let new = crate::people::accounts::New {
        login: "kanri".to_owned(),
        name: String::new(),
        role: crate::people::Role::Administrator,
        contractor: None,
        password,
        must_change: false,
    };
    crate::people::accounts::add(&store.conn, now, &new).unwrap();
    store.close().unwrap();
    assert!(faults()[0].problem.contains("the log was removed"), "{:?}", faults());
    // A gateway that starts then covers nothing up.
    drop(Log::open(dir.path(), now).unwrap());
    assert!(faults()[0].problem.contains("\"all\":true"), "{:?}", faults());
}
