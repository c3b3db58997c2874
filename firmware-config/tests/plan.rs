//! What a plan is found to do, and to do wrong.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use meguri_config::Fleet;
use meguri_config::plan::{FindingKind, Moment, Plan, Schedules, Severity, plan};
use meguri_config::schedule::Plans;

const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "k1", name = "第一収集" }, { id = "k2", name = "第二収集" }]
contract = [
    { id = "k1-2026", contractor = "k1", from = "2026-04-01", until = "2027-03-31" },
    { id = "k2-2026", contractor = "k2", from = "2026-04-01", until = "2027-03-31" },
    { id = "k2-2027", contractor = "k2", from = "2027-04-01", until = "2028-03-31" },
]
vehicle = [
    { id = "v-3", contract = "k1-2026", name = "3号車", round = "中区A" },
    { id = "v-12", contract = "k2-2027", name = "12号車", round = "中区A" },
    { id = "v-11", contract = ["k2-2026", "k2-2027"], name = "11号車", round = "中区B" },
]
district = [
    { name = "中区A", ward = "中区", vehicle = ["v-3", "v-12"] },
    { name = "中区B", ward = "中区", vehicle = "v-11" },
]
"#;
const FLEET: &str = r#"
[template.standard]
broker = { host = "office.example" }
[[terminal]]
id = "t-1"
vehicle = ["v-3", "v-12"]
template = "standard"
[[terminal]]
id = "t-2"
vehicle = "v-11"
template = "standard"
"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The plan with texts replaced, each of which must be there.
fn read(changes: &[(&str, &str)]) -> (meguri_config::City, Fleet) {
    let (mut city, mut fleet) = (CITY.to_owned(), FLEET.to_owned());
    for (old, new) in changes {
        assert!(city.contains(old) != fleet.contains(old), "{old}");
        city = city.replace(old, new);
        fleet = fleet.replace(old, new);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("city.toml"), city).unwrap();
    std::fs::write(folder.path().join("terminals.toml"), fleet).unwrap();
    Fleet::read_folder(folder.path()).unwrap()
}

fn look(changes: &[(&str, &str)], against: Option<&Schedules>, now: &str) -> Plan {
    let (city, fleet) = read(changes);
    plan(&Plans::new(&city, &fleet), against, at(now))
}

fn schedules(changes: &[(&str, &str)], now: &str) -> Schedules {
    let (city, fleet) = read(changes);
    let plans = Plans::new(&city, &fleet);
    let of = |terminal| plans.schedule(terminal, at(now)).unwrap();
    fleet.terminal.iter().map(|terminal| (terminal.id.clone(), of(terminal))).collect::<BTreeMap<_, _>>()
}

const FEBRUARY: &str = "2027-02-10T00:00:00Z";

/// Who changes, and which settings.
fn told(moments: &[Moment]) -> Vec<(Option<Timestamp>, Vec<String>)> {
    let change = |change: &meguri_config::plan::Change| {
        let fields: Vec<_> = change.fields.iter().map(|field| field.field.as_str()).collect();
        format!("{} {}", change.terminal, fields.join(" "))
    };
    moments.iter().map(|moment| (moment.at, moment.changes.iter().map(change).collect())).collect()
}

#[test]
fn what_is_to_come_is_told_by_its_instant() {
    let plan = look(&[], None, FEBRUARY);
    assert_eq!(plan.findings, [], "nothing is wrong");
    let april = Some(at("2027-03-31T15:00:00Z"));
    let first = "t-1 contract contractor contractor_name vehicle vehicle_name".to_owned();
    assert_eq!(told(&plan.moments), [(april, vec![first, "t-2 contract".to_owned()])]);
    assert_eq!(plan.moments[0].changes[0].before.as_deref(), Some("第一収集 3号車 中区A [k1-2026]"));
    assert_eq!(look(&[], None, "2027-04-01T00:00:00Z").moments, []);
}

#[test]
fn what_differs_is_told_from_when_it_does() {
    let held = schedules(&[], FEBRUARY);
    let differences =
        |changes: &[(&str, &str)], now: &str| told(&look(changes, Some(&held), now).differences.unwrap());
    let april = Some(at("2027-03-31T15:00:00Z"));
    assert_eq!(differences(&[], FEBRUARY), []);
    assert_eq!(differences(&[], "2027-04-01T00:00:00Z"), [], "built after the instant, it is the same");
    // A setting of now and of later is told once.
    let host = ("office.example", "other.example");
    let both = vec!["t-1 broker.host".to_owned(), "t-2 broker.host".to_owned()];
    assert_eq!(differences(&[host], FEBRUARY), [(None, both)]);
    // A withdrawn switchover differs from its instant on.
    let withdrawn = [
        ("[\"v-3\", \"v-12\"]\ntemplate", "\"v-3\"\ntemplate"),
        ("id = \"v-3\", contract = \"k1-2026\"", "id = \"v-3\", contract = [\"k1-2026\", \"k1-2027\"]"),
        (
            "contract = [\n",
            "contract = [\n    { id = \"k1-2027\", contractor = \"k1\", from = \"2027-04-01\", until = \"2028-03-31\" },\n",
        ),
    ];
    let change = "t-1 contract contractor contractor_name vehicle vehicle_name".to_owned();
    assert_eq!(differences(&withdrawn, FEBRUARY), [(april, vec![change])]);
    // One whose first contract is still to come differs from then on.
    let later = differences(&[("vehicle = \"v-11\"\n", "vehicle = \"v-12\"\n")], FEBRUARY);
    assert_eq!(later.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [None, april]);
    // A terminal that is new, and one that is gone.
    let renamed = differences(&[("id = \"t-2\"", "id = \"t-3\"")], FEBRUARY);
    let all = &renamed[0].1;
    assert!(
        renamed[0].0.is_none() && all[0].starts_with("t-2 ") && all[1].starts_with("t-3 "),
        "{renamed:?}"
    );
}

#[test]
fn every_finding_is_found() {
    use FindingKind::*;
    let held = schedules(&[], FEBRUARY);
    for (kind, severity, changes, now, named) in [
        (
            DistrictUncovered,
            Severity::Warning,
            &[("vehicle = [\"v-3\", \"v-12\"] },", "vehicle = \"v-3\" },")][..],
            FEBRUARY,
            "nobody collects in district 中区A on 2027-04-01 – 2028-03-31",
        ),
        (
            DistrictCoveredTwice,
            Severity::Warning,
            &[("vehicle = \"v-11\" },", "vehicle = [\"v-11\", \"v-12\"] },")],
            FEBRUARY,
            "district 中区B is covered twice on 2027-04-01 – 2028-03-31 (v-11, v-12)",
        ),
        (
            VehicleWithoutTerminal,
            Severity::Warning,
            &[("vehicle = [\"v-3\", \"v-12\"]\n", "vehicle = \"v-3\"\n")],
            FEBRUARY,
            "vehicle v-12 has no terminal on 2027-04-01 – 2028-03-31 (contract k2-2027)",
        ),
        (
            TerminalInTwoPlaces,
            Severity::Error,
            &[("vehicle = \"v-11\"\n", "vehicle = [\"v-11\", \"v-12\"]\n")],
            FEBRUARY,
            "terminal t-2 is in two places: 2027-04-01 – 2028-03-31 (v-11, v-12)",
        ),
        (
            ContractGap,
            Severity::Warning,
            &[("from = \"2027-04-01\"", "from = \"2027-04-02\"")],
            FEBRUARY,
            "terminal t-1 has no contract on 2027-04-01 and stays under the one before",
        ),
        (
            TerminalWithoutNext,
            Severity::Warning,
            &[("vehicle = [\"v-3\", \"v-12\"]\n", "vehicle = \"v-3\"\n")],
            FEBRUARY,
            "terminal t-1 has no contract after 2027-03-31 and stays under its last one",
        ),
        (
            NothingFollows,
            Severity::Warning,
            &[],
            "2027-12-02T00:00:00Z",
            "all contracts end until 2028-03-31, and none follows",
        ),
        (
            TerminalWithoutContract,
            Severity::Error,
            &[("vehicle = [\"v-3\", \"v-12\"]\n", "vehicle = \"v-3\"\n")],
            "2027-04-01T00:00:00Z",
            "terminal t-1 has no contract on 2027-04-01 or later",
        ),
        (
            InstantInThePast,
            Severity::Error,
            &[
                ("until = \"2027-03-31\"", "until = \"2027-01-31\""),
                ("from = \"2027-04-01\"", "from = \"2027-02-01\""),
            ],
            FEBRUARY,
            "terminal t-1 comes under k2-2027 at once: 2027-02-01 is over",
        ),
    ] {
        let plan = look(changes, Some(&held), now);
        let found = plan.findings.iter().find(|finding| finding.kind == kind);
        let found = found.unwrap_or_else(|| panic!("{kind:?} is not among {:?}", plan.findings));
        assert_eq!(found.severity, severity);
        assert!(found.en.contains(named), "{}", found.en);
        assert!(!found.ja.is_empty());
        // The worst stands first.
        assert!(plan.findings.is_sorted_by_key(|finding| finding.severity), "{:?}", plan.findings);
    }
}

#[test]
fn a_gap_that_is_over_is_of_no_interest() {
    let gap = [("from = \"2027-04-01\"", "from = \"2027-04-02\"")];
    let kinds = |now| look(&gap, None, now).findings.iter().map(|finding| finding.kind).collect::<Vec<_>>();
    assert!(kinds("2027-04-01T00:00:00Z").contains(&FindingKind::ContractGap), "it is today");
    assert_eq!(kinds("2027-04-01T15:00:00Z"), []);
}

#[test]
fn the_end_of_all_contracts_is_told_when_it_is_near() {
    let kinds = |now| look(&[], None, now).findings.iter().map(|finding| finding.kind).collect::<Vec<_>>();
    assert_eq!(kinds("2027-11-30T00:00:00Z"), []);
    assert_eq!(kinds("2027-12-02T00:00:00Z"), [FindingKind::NothingFollows], "once");
    assert_eq!(kinds("2028-03-31T14:59:59Z"), [FindingKind::NothingFollows]);
    assert!(
        !kinds("2028-03-31T15:00:00Z").contains(&FindingKind::NothingFollows),
        "terminals have none then"
    );
}

#[test]
fn a_schedule_that_no_terminal_takes_is_found() {
    let contracts = |count: i16| -> (String, String) {
        let years = (0..count).map(|more| 2029 + more);
        let one = |year: i16| {
            format!(
                "    {{ id = \"k2-{year}\", contractor = \"k2\", from = \"{year}-04-01\", until = \"{}-03-31\" }},\n",
                year + 1
            )
        };
        (years.clone().map(one).collect(), years.map(|year| format!(", \"k2-{year}\"")).collect())
    };
    let kinds = |count| {
        let (contracts, ids) = contracts(count);
        let changes = [
            ("contract = [\n", format!("contract = [\n{contracts}")),
            ("[\"k2-2026\", \"k2-2027\"]", format!("[\"k2-2026\", \"k2-2027\"{ids}]")),
        ];
        let changes: Vec<_> = changes.iter().map(|(old, new)| (*old, new.as_str())).collect();
        let found = look(&changes, None, FEBRUARY).findings;
        let wrong = found.into_iter().filter(|finding| finding.severity == Severity::Error);
        wrong.map(|finding| (finding.kind, finding.en)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(14), []);
    let named = "terminal t-2 has 17 contracts from today on, expected at most 16";
    assert_eq!(kinds(15), [(FindingKind::TerminalWithoutContract, named.to_owned())]);
}
