//! What a plan does before anybody signs it: what changes for whom at which instant, and what looks wrong. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use meguri_proto::clock::{business_date, midnight};
use meguri_proto::{TerminalId, VehicleId};
use serde::Serialize;
use serde_json::Value;

use crate::bundle::{Configuration, SCHEDULE_MOST};
use crate::read::Wrong;
use crate::schedule::{Plans, Ride, after, before};

/// Days before the end of all contracts from which on it is told: in December a city renews its keys, and prepares for April.
const END_IS_NEAR: i64 = 120;

/// A setting that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Which, like `broker.host`.
    pub field: String,
    /// What it was; null where there was nothing.
    pub before: Value,
    /// What it becomes; null where there is nothing any more.
    pub after: Value,
}

/// What changes for a terminal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The terminal.
    pub terminal: TerminalId,
    /// What it was in a line; absent where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it becomes in a line; absent where there is nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Setting by setting.
    pub fields: Vec<Field>,
}

/// What changes at an instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// The instant; absent for at once, when terminals take it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// For whom, and what.
    pub changes: Vec<Change>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is built of it.
    Error,
    /// It may be meant.
    Warning,
}

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A terminal has no contract today or later, or can't be built.
    TerminalWithoutContract,
    /// Two of a terminal's vehicles have contracts on one day.
    TerminalInTwoPlaces,
    /// A change that was to come at an instant that is over: it would come at once.
    InstantInThePast,
    /// Nobody collects in a district.
    DistrictUncovered,
    /// Two vehicles that serve a district have contracts on one day.
    DistrictCoveredTwice,
    /// No terminal rides in a vehicle that has a contract.
    VehicleWithoutTerminal,
    /// A terminal has no contract between two that it has.
    ContractGap,
    /// A terminal's contracts end while the city's go on.
    TerminalWithoutNext,
    /// All contracts end before long, and none follows.
    NothingFollows,
}

/// Something that looks wrong, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub kind: FindingKind,
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

/// A plan, looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The city's name.
    pub city: String,
    /// The instant it is looked at.
    pub now: Timestamp,
    /// How many terminals there are.
    pub terminals: usize,
    /// What changes in the course of this plan, by the instants.
    pub moments: Vec<Moment>,
    /// How this plan differs from what it was held against, by the instants from which it does; absent where it was against nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<Moment>>,
    /// What looks wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// Schedules by their terminals.
pub type Schedules = BTreeMap<TerminalId, Vec<Configuration>>;

/// Looks at a plan at an instant, and how it differs from the schedules that terminals hold.
#[must_use]
pub fn plan(plans: &Plans<'_>, against: Option<&Schedules>, now: Timestamp) -> Plan {
    let mut findings = Vec::new();
    let mut schedules = Schedules::new();
    let mut all_rides = Vec::new();
    for terminal in &plans.fleet.terminal {
        match plans.schedule(terminal, now).and_then(|schedule| few_enough(terminal, schedule)) {
            Ok(schedule) => drop(schedules.insert(terminal.id.clone(), schedule)),
            Err(wrong) => findings.push(error(
                FindingKind::TerminalWithoutContract,
                format!("端末 {} は設定を作れません（{wrong}）", terminal.id),
                wrong.to_string(),
            )),
        }
        all_rides.push((terminal, plans.rides(terminal)));
    }
    let today = business_date(now);
    for (terminal, rides) in &all_rides {
        two_places(plans, terminal, today, &mut findings);
        gaps(&terminal.id, rides, today, &mut findings);
        ends(plans, &terminal.id, rides, today, &mut findings);
    }
    nothing_follows(plans, today, &mut findings);
    vehicles(plans, all_rides.iter().flat_map(|(_, rides)| rides), today, &mut findings);
    districts(plans, today, &mut findings);
    let differences = against.map(|against| differences(against, &schedules, now));
    if let Some(differences) = &differences {
        in_the_past(plans, differences, now, &mut findings);
    }
    findings.sort_by_key(|finding| (finding.severity, finding.kind));
    Plan {
        city: plans.city.name.clone(),
        now,
        terminals: plans.fleet.terminal.len(),
        moments: moments(&schedules),
        differences,
        findings,
    }
}

/// What changes in the course of schedules.
#[must_use]
pub fn moments(schedules: &Schedules) -> Vec<Moment> {
    let mut by_instant: BTreeMap<Option<Timestamp>, Vec<Change>> = BTreeMap::new();
    for (terminal, schedule) in schedules {
        let mut last = None;
        for configuration in schedule {
            // What holds at once is no change.
            if let Some(at) = configuration.from {
                by_instant.entry(Some(at)).or_default().extend(change(terminal, last, Some(configuration)));
            }
            last = Some(configuration);
        }
    }
    by_instant.into_iter().map(|(at, changes)| Moment { at, changes }).collect()
}

/// The first instant at which a terminal's contract changes by its schedule. The earliest of all terminals' is
/// [`Header::switchover_at`](crate::release::Header::switchover_at).
#[must_use]
pub fn switchover_at(schedule: &[Configuration]) -> Option<Timestamp> {
    let before = [None].into_iter().chain(schedule.iter().map(Some));
    let changes = schedule.iter().zip(before);
    let changes = changes.filter(|(one, before)| before.is_none_or(|before| before.contract != one.contract));
    changes.filter_map(|(one, _)| one.from).next()
}

/// How schedules differ: what holds by the new ones instead of what holds by the old ones, from the instants from which that is so.
#[must_use]
pub fn differences(old: &Schedules, new: &Schedules, now: Timestamp) -> Vec<Moment> {
    let mut by_instant: BTreeMap<Option<Timestamp>, Vec<Change>> = BTreeMap::new();
    let terminals: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for terminal in terminals {
        let of = |all: &'_ Schedules| all.get(terminal).cloned().unwrap_or_default();
        let (old, new) = (of(old), of(new));
        let coming = old.iter().chain(&new).filter_map(|configuration| configuration.from);
        let instants: BTreeSet<Option<Timestamp>> =
            coming.filter(|from| *from > now).map(Some).chain([None]).collect();
        let mut last = None;
        for at in instants {
            let change =
                change(terminal, at_instant(&old, at.unwrap_or(now)), at_instant(&new, at.unwrap_or(now)));
            let fields = change.as_ref().map(|change| change.fields.clone());
            // What has differed since the instant before is told there.
            if fields != last {
                by_instant.entry(at).or_default().extend(change);
            }
            last = fields;
        }
    }
    let moments = by_instant.into_iter().map(|(at, changes)| Moment { at, changes });
    moments.filter(|moment| !moment.changes.is_empty()).collect()
}

/// What holds at an instant by a schedule; nothing before its first instant.
fn at_instant(schedule: &[Configuration], at: Timestamp) -> Option<&Configuration> {
    schedule.iter().rfind(|configuration| configuration.from.is_none_or(|from| from <= at))
}

fn change(
    terminal: &TerminalId,
    before: Option<&Configuration>,
    after: Option<&Configuration>,
) -> Option<Change> {
    let (old, new) = (before.map(settings).unwrap_or_default(), after.map(settings).unwrap_or_default());
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let get = |of: &BTreeMap<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let fields = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let fields: Vec<_> = fields
        .map(|name| Field { field: name.clone(), before: get(&old, name), after: get(&new, name) })
        .collect();
    let line = |configuration: &Configuration| configuration.line();
    let (before, after) = (before.map(line), after.map(line));
    (!fields.is_empty()).then(|| Change { terminal: terminal.clone(), before, after, fields })
}

/// A configuration's settings by their names, but for its instant.
fn settings(configuration: &Configuration) -> BTreeMap<String, Value> {
    fn flat(name: String, value: Value, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    flat(if name.is_empty() { key } else { format!("{name}.{key}") }, value, into);
                }
            }
            value => drop(into.insert(name, value)),
        }
    }
    let mut settings = BTreeMap::new();
    // Texts, numbers and lists of them always become JSON.
    flat(String::new(), serde_json::to_value(configuration).unwrap_or_default(), &mut settings);
    settings.remove("from");
    settings
}

impl Configuration {
    /// Who rides in what, in a line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} {} [{}]", self.contractor_name, self.vehicle_name, self.round, self.contract)
    }
}

fn error(kind: FindingKind, ja: String, en: String) -> Finding {
    Finding { severity: Severity::Error, kind, ja, en }
}

fn warning(kind: FindingKind, ja: String, en: String) -> Finding {
    Finding { severity: Severity::Warning, kind, ja, en }
}

/// Days of which the same is true, one stretch after the other.
fn stretches<T: PartialEq>(days: &BTreeSet<Date>, is: impl Fn(Date) -> Option<T>) -> Vec<(Date, Date, T)> {
    let days: Vec<_> = days.iter().copied().collect();
    let mut found: Vec<(Date, Date, T)> = Vec::new();
    for pair in days.windows(2) {
        let Some(is) = is(pair[0]) else { continue };
        let until = before(pair[1]);
        match found.last_mut() {
            Some((_, last, same)) if after(*last) == pair[0] && *same == is => *last = until,
            _ => found.push((pair[0], until, is)),
        }
    }
    found
}

/// From today, or from the first day of any contract, to the last day of any: every day on which a contract begins, and the days
/// after those on which one ends.
fn days(plans: &Plans<'_>, today: Date) -> BTreeSet<Date> {
    let contracts = &plans.city.contract;
    let all = contracts.iter().flat_map(|contract| [contract.from, after(contract.until)]);
    let mut days: BTreeSet<Date> = all.filter(|day| *day > today).collect();
    if contracts.iter().any(|contract| contract.from <= today) && !days.is_empty() {
        days.insert(today);
    }
    days
}

/// `2027-04-01` or `2027-04-01 – 2027-04-03`.
fn period(from: Date, until: Date) -> String {
    if from == until { from.to_string() } else { format!("{from} – {until}") }
}

fn two_places(
    plans: &Plans<'_>,
    terminal: &crate::fleet::FleetTerminal,
    today: Date,
    findings: &mut Vec<Finding>,
) {
    let vehicles = plans.vehicles(terminal);
    if vehicles.len() < 2 {
        return;
    }
    let with = |day| {
        let with = vehicles.iter().filter(|vehicle| plans.city.contract_of(vehicle, day).is_some());
        let with: Vec<_> = with.map(|vehicle| vehicle.id.as_str()).collect();
        (with.len() > 1).then_some(with)
    };
    for (from, until, with) in stretches(&days(plans, today), with) {
        let (when, with) = (period(from, until), with.join(", "));
        findings.push(error(
            FindingKind::TerminalInTwoPlaces,
            format!("端末 {} が同じ日に二つの号車に載っています：{when}（{with}）", terminal.id),
            format!("terminal {} is in two places: {when} ({with})", terminal.id),
        ));
    }
}

fn gaps(terminal: &TerminalId, rides: &[Ride<'_>], today: Date, findings: &mut Vec<Finding>) {
    for pair in rides.windows(2) {
        let (from, until) = (after(pair[0].until), before(pair[1].from));
        if from > until || until < today {
            continue;
        }
        let when = period(from, until);
        findings.push(warning(
            FindingKind::ContractGap,
            format!("端末 {terminal} に契約のない日があります：{when}（その間は前の契約のまま）"),
            format!("terminal {terminal} has no contract on {when} and stays under the one before"),
        ));
    }
}

/// A terminal that is given no vehicle with a contract any more, while others are.
fn ends(
    plans: &Plans<'_>,
    terminal: &TerminalId,
    rides: &[Ride<'_>],
    today: Date,
    findings: &mut Vec<Finding>,
) {
    let Some(last) = rides.last().map(|ride| ride.until).filter(|last| *last >= today) else { return };
    if last_day(plans).is_some_and(|end| end > last) {
        findings.push(warning(
            FindingKind::TerminalWithoutNext,
            format!(
                "端末 {terminal} の契約は {last} で終わり、そのあとの号車がありません（端末は前の契約のまま）"
            ),
            format!("terminal {terminal} has no contract after {last} and stays under its last one"),
        ));
    }
}

/// The next year may have been forgotten. Told when it is near: the end of a contract is known years ahead.
fn nothing_follows(plans: &Plans<'_>, today: Date, findings: &mut Vec<Finding>) {
    let Some(end) = last_day(plans).filter(|end| *end >= today) else { return };
    if end <= today.saturating_add(END_IS_NEAR.days()) {
        findings.push(warning(
            FindingKind::NothingFollows,
            format!("契約はすべて {end} までに終わり、そのあとの契約がありません"),
            format!("all contracts end until {end}, and none follows"),
        ));
    }
}

/// The last day of any contract.
fn last_day(plans: &Plans<'_>) -> Option<Date> {
    plans.city.contract.iter().map(|contract| contract.until).max()
}

/// No terminal takes a longer one.
fn few_enough(
    terminal: &crate::fleet::FleetTerminal,
    schedule: Vec<Configuration>,
) -> Result<Vec<Configuration>, Wrong> {
    if schedule.len() <= SCHEDULE_MOST {
        return Ok(schedule);
    }
    let problem = format!("has {} contracts from today on, expected at most {SCHEDULE_MOST}", schedule.len());
    Err(Wrong::new(format!("terminal {}", terminal.id), problem))
}

fn vehicles<'r>(
    plans: &Plans<'_>,
    rides: impl Iterator<Item = &'r Ride<'r>>,
    today: Date,
    findings: &mut Vec<Finding>,
) {
    let mut ridden: HashMap<&VehicleId, Vec<(Date, Date)>> = HashMap::new();
    for ride in rides {
        ridden.entry(&ride.vehicle.id).or_default().push((ride.from, ride.until));
    }
    let days = days(plans, today);
    for vehicle in &plans.city.vehicle {
        let rides = ridden.get(&vehicle.id).map(Vec::as_slice).unwrap_or_default();
        let without = |day| {
            let contract = plans.city.contract_of(vehicle, day)?;
            let rides = rides.iter().any(|(from, until)| (*from..=*until).contains(&day));
            (!rides).then_some(&contract.id)
        };
        for (from, until, contract) in stretches(&days, without) {
            let (id, when) = (&vehicle.id, period(from, until));
            findings.push(warning(
                FindingKind::VehicleWithoutTerminal,
                format!("号車 {id}（{}）に端末がありません：{when}（契約 {contract}）", vehicle.name),
                format!("vehicle {id} has no terminal on {when} (contract {contract})"),
            ));
        }
    }
}

fn districts(plans: &Plans<'_>, today: Date, findings: &mut Vec<Finding>) {
    let days = days(plans, today);
    for district in &plans.city.district {
        let vehicles: Vec<_> = district.vehicle.iter().filter_map(|id| plans.city.vehicle(id)).collect();
        let serving = |day| {
            let with = vehicles.iter().filter(|vehicle| plans.city.contract_of(vehicle, day).is_some());
            let with: Vec<_> = with.map(|vehicle| vehicle.id.as_str()).collect();
            (with.len() != 1).then_some(with)
        };
        for (from, until, with) in stretches(&days, serving) {
            let (name, when) = (&district.name, period(from, until));
            findings.push(if with.is_empty() {
                warning(
                    FindingKind::DistrictUncovered,
                    format!("地区 {name} を収集する号車がありません：{when}"),
                    format!("nobody collects in district {name} on {when}"),
                )
            } else {
                let with = with.join(", ");
                warning(
                    FindingKind::DistrictCoveredTwice,
                    format!("地区 {name} を二つの号車が収集します：{when}（{with}）"),
                    format!("district {name} is covered twice on {when} ({with})"),
                )
            });
        }
    }
}

/// A contract that changes at once, as its first day is over: a slip of the pen, or too late.
fn in_the_past(plans: &Plans<'_>, differences: &[Moment], now: Timestamp, findings: &mut Vec<Finding>) {
    let at_once = differences.iter().filter(|moment| moment.at.is_none()).flat_map(|moment| &moment.changes);
    for change in at_once {
        let contract = |field: &&Field| field.field == "contract" && !field.before.is_null();
        let Some(field) = change.fields.iter().find(contract) else { continue };
        let named = plans.city.contract.iter().find(|contract| field.after == contract.id.as_str());
        let Some(contract) = named.filter(|contract| midnight(contract.from) <= now) else { continue };
        let (terminal, from) = (&change.terminal, contract.from);
        findings.push(error(
            FindingKind::InstantInThePast,
            format!(
                "端末 {terminal} の契約は受け取りしだい {} に替わります：{from} は過ぎています",
                contract.id
            ),
            format!("terminal {terminal} comes under {} at once: {from} is over", contract.id),
        ));
    }
}
