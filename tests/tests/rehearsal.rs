//! A switchover rehearsed with 24 terminals over the weeks around its instant: what `meguri-rehearsal` plays with 200 over three months.
#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use meguri_tests::rehearsal::{Options, Report, Span, run};

fn rehearse(options: &Options) -> Report {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), options, &mut |_| {}).unwrap()
}

fn small() -> Options {
    let span = Span { before: 21, after: 14 };
    Options { plans: None, today: date(2027, 1, 1), terminals: 24, seed: 1, span, pickups: 3 }
}

#[test]
fn everything_comes_out_as_planned() {
    let report = rehearse(&small());
    for check in &report.checks {
        assert!(check.good, "{}\n{}\n{}", check.ja, check.en, check.found.join("\n"));
    }
    assert!(report.good());
    let page = report.page();
    let (ja, en) = page.split_once("\n---\n").unwrap();
    assert!(ja.contains("予定どおりでした") && en.contains("came out as planned"), "{page}");
    // One page, in both languages.
    assert!(page.lines().count() < 90, "{page}");
}

/// A plan in which nothing changes hands.
#[test]
fn a_plan_without_a_switchover_is_refused() {
    let plans = tempfile::tempdir().unwrap();
    let city = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "k1", name = "第一収集" }]
contract = [{ id = "k1-2026", contractor = "k1", from = "2026-04-01", until = "2030-03-31" }]
vehicle = [{ id = "v-1", contract = "k1-2026", name = "1号車", round = "中区A" }]
district = [{ name = "中区A", ward = "中区", vehicle = "v-1" }]
"#;
    std::fs::write(plans.path().join("city.toml"), city).unwrap();
    let terminals = "[template.tablet.broker]\nhost = \"office.example\"\n[[terminal]]\nid = \"t-1\"\nvehicle = \"v-1\"\ntemplate = \"tablet\"\n";
    std::fs::write(plans.path().join("terminals.toml"), terminals).unwrap();
    let options = Options { plans: Some(plans.path().to_owned()), ..small() };
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), &options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("no switchover to rehearse"), "{error}");
}
