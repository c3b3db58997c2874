//! `meguri-config plan`, `check` of a folder, and `diff`: what changes for whom at which instant, and what looks wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use meguri_config::plan::{self, Change, Finding, Moment, Plan, Schedules, Severity};
use meguri_config::schedule::Plans;
use meguri_config::{Bundle, Fleet, Release};
use meguri_proto::CityId;
use serde_json::Value;

use super::fault::Fault;
use super::{instant, out};

/// Longest value that is shown whole.
const VALUE_CHARS: usize = 60;

#[derive(Args)]
pub(super) struct PlanArgs {
    /// The folder of the city's plan.
    dir: PathBuf,
    /// What terminals hold now: a release, or the folder of another plan.
    #[arg(long, value_name = "RELEASE|DIR")]
    against: Option<PathBuf>,
    /// The instant it is looked at, in place of now.
    #[arg(long, value_parser = instant::from, value_name = "INSTANT")]
    now: Option<Timestamp>,
}

pub(super) fn run(args: &PlanArgs, json: bool) -> Result<ExitCode, Fault> {
    let plan = look(&args.dir, args.against.as_deref(), args.now.unwrap_or_else(Timestamp::now))?;
    if json {
        out::json(&plan);
    } else {
        show(&plan);
    }
    Ok(if plan.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// `check DIR`: the files, and the plan's findings without what changes.
pub(super) fn check(dir: &Path, now: Timestamp, json: bool) -> Result<ExitCode, Fault> {
    let plan = look(dir, None, now)?;
    if json {
        out::json(
            &serde_json::json!({ "city": plan.city, "terminals": plan.terminals, "findings": plan.findings }),
        );
    } else if plan.findings.is_empty() {
        out::say(format!("{}: good: {} with {} terminals", dir.display(), plan.city, plan.terminals));
    } else {
        findings(&plan.findings, out::say);
    }
    Ok(if plan.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[derive(Args)]
pub(super) struct DiffArgs {
    /// What was: a release, or the folder of a plan.
    old: PathBuf,
    /// What is: a release, or the folder of a plan.
    new: PathBuf,
    /// The instant it is looked at, in place of now.
    #[arg(long, value_parser = instant::from, value_name = "INSTANT")]
    now: Option<Timestamp>,
}

pub(super) fn diff(args: &DiffArgs, json: bool) -> Result<ExitCode, Fault> {
    let now = args.now.unwrap_or_else(Timestamp::now);
    let ((of, old), (city, new)) = (schedules(&args.old, now)?, schedules(&args.new, now)?);
    same_city(&args.old, &of, &city)?;
    let moments = plan::differences(&old, &new, now);
    if json {
        out::json(&moments);
    } else if moments.is_empty() {
        out::say("違いはありません / nothing differs");
    } else {
        moments.iter().for_each(show_moment);
    }
    Ok(ExitCode::SUCCESS)
}

fn look(dir: &Path, against: Option<&Path>, now: Timestamp) -> Result<Plan, Fault> {
    let (city, fleet) = Fleet::read_folder(dir)?;
    let held = against.map(|path| held(path, now, &city.id)).transpose()?;
    Ok(plan::plan(&Plans::new(&city, &fleet), held.as_ref(), now))
}

/// What terminals of this city hold by a release or the folder of a plan.
pub(super) fn held(path: &Path, now: Timestamp, city: &CityId) -> Result<Schedules, Fault> {
    let (of, held) = schedules(path, now)?;
    same_city(path, &of, city)?;
    Ok(held)
}

fn same_city(path: &Path, of: &CityId, city: &CityId) -> Result<(), Fault> {
    let other = || Fault::refused(format!("{} is of {of}, expected {city}", path.display()));
    if of == city { Ok(()) } else { Err(other()) }
}

/// What terminals are by a release, signed or not, or by the folder of a plan; and whose they are.
fn schedules(path: &Path, now: Timestamp) -> Result<(CityId, Schedules), Fault> {
    let mut schedules = BTreeMap::new();
    if path.is_dir() {
        let (city, fleet) = Fleet::read_folder(path)?;
        let plans = Plans::new(&city, &fleet);
        for terminal in &fleet.terminal {
            // Who has no contract any more is told by `plan`; here there is nothing to hold against.
            if let Ok(schedule) = plans.schedule(terminal, now) {
                schedules.insert(terminal.id.clone(), schedule);
            }
        }
        return Ok((city.id, schedules));
    }
    let mut release = Release::open(path)?;
    while let Some(envelope) = release.next() {
        let bundle = Bundle::unverified(envelope?.get().as_bytes());
        let place = format!("{}, line {}", path.display(), release.line());
        let bundle = bundle.map_err(|refused| Fault::from(refused).within(place))?;
        schedules.insert(bundle.terminal, bundle.schedule);
    }
    Ok((release.header.city, schedules))
}

fn show(plan: &Plan) {
    let Plan { city, now, terminals, .. } = plan;
    out::say(format!("{city}　端末 {terminals} 台　{} 現在 / {terminals} terminals", instant::shown(*now)));
    if let Some(differences) = &plan.differences {
        out::say("\n■ いまの設定との違い / what differs from what terminals hold");
        if differences.is_empty() {
            out::say("違いはありません / nothing differs");
        }
        differences.iter().for_each(show_moment);
    }
    out::say("\n■ 予定 / what is to come");
    if plan.moments.is_empty() {
        out::say("変わるものはありません / nothing changes");
    }
    plan.moments.iter().for_each(show_moment);
    out::say("\n■ 確認が必要なこと / findings");
    findings(&plan.findings, out::say);
    if plan.findings.is_empty() {
        out::say("ありません / none");
    }
}

fn show_moment(moment: &Moment) {
    let count = moment.changes.len();
    out::say(match moment.at {
        Some(at) => format!("{} から {count} 台 / {count} terminals from then on", instant::shown(at)),
        None => format!("受け取りしだい {count} 台 / {count} terminals at once"),
    });
    moment.changes.iter().for_each(show_change);
}

/// Settings that a configuration's line tells already.
const TOLD: [&str; 6] = ["contract", "contractor", "contractor_name", "vehicle", "vehicle_name", "round"];

fn show_change(change: &Change) {
    let terminal = &change.terminal;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if before == after => out::say(format!("  ~ {terminal}  {after}")),
        (Some(before), Some(after)) => out::say(format!("  ~ {terminal}  {before} → {after}")),
        (None, Some(after)) => out::say(format!("  + {terminal}  {after}")),
        (Some(before), None) => out::say(format!("  - {terminal}  {before}")),
        (None, None) => {}
    }
    if change.before.is_some() && change.after.is_some() {
        for field in change.fields.iter().filter(|field| !TOLD.contains(&field.field.as_str())) {
            out::say(format!("      {}: {} → {}", field.field, value(&field.before), value(&field.after)));
        }
    }
}

/// A value, cut where it is long.
fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => return "–".to_owned(),
        Value::String(text) => text.replace('\n', " "),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_CHARS {
        return text;
    }
    text.chars().take(VALUE_CHARS).chain(['…']).collect()
}

/// What looks wrong, line by line.
pub(super) fn findings(findings: &[Finding], say: fn(String)) {
    for finding in findings {
        let mark = match finding.severity {
            Severity::Error => "異常",
            Severity::Warning => "注意",
        };
        say(format!("[{mark}] {}\n       {}", finding.ja, finding.en));
    }
}
