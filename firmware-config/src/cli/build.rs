//! `meguri-config build`: a release of the plan.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use meguri_config::fleet::FLEET_FILE;
use meguri_config::plan::{self, Severity};
use meguri_config::release::Header;
use meguri_config::schedule::Plans;
use meguri_config::{Bundle, Fleet, ReleaseWriter};
use meguri_proto::limits;
use serde::Serialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::folder::KeyFolder;
use super::progress::Progress;
use super::{files, instant, out, planned};

/// Highest version that is built. Terminals only ever go up, so that a slip of the pen must leave numbers for later.
const NUMBER_MOST: u64 = limits::DOCUMENT_VERSION - 1_000_000_000;

#[derive(Args)]
pub(super) struct Build {
    /// The folder of the city's plan.
    dir: PathBuf,
    /// The version of all bundles; higher than of every release before.
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=NUMBER_MOST))]
    number: u64,
    /// Until when terminals accept it: a day or an instant.
    #[arg(long, value_parser = instant::until, value_name = "DAY")]
    expires: Timestamp,
    /// The release's file.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// The folder of key sets; keys/ beside the plan where nothing is said.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// What terminals hold now: a release, or the folder of another plan. Nothing is built that changes a contract at once, as its
    /// first day is over.
    #[arg(long, value_name = "RELEASE|DIR")]
    against: Option<PathBuf>,
    /// The instant it is built at, in place of now.
    #[arg(long, value_parser = instant::from, value_name = "INSTANT")]
    now: Option<Timestamp>,
}

#[derive(Serialize)]
struct Built<'a> {
    file: &'a Path,
    #[serde(flatten)]
    header: &'a Header,
    largest_bundle: usize,
    findings: &'a [plan::Finding],
}

pub(super) fn run(args: &Build, json: bool) -> Result<ExitCode, Fault> {
    let (city, fleet) = Fleet::read_folder(&args.dir)?;
    // Whole seconds, as people read them.
    let now =
        args.now.unwrap_or_else(|| Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default());
    if args.expires <= now {
        return Err(Fault::refused(format!("it would be over since {}", instant::shown(args.expires))));
    }
    let keys = KeyFolder::read(args.keys.as_ref().unwrap_or(&args.dir), &city.id)?;
    let last = keys.last()?;
    if last.expires <= now {
        let over = instant::shown(last.expires);
        return Err(Fault::refused(format!("key set {} is over since {over}: `keys rotate`", last.version)));
    }
    if last.expires < args.expires {
        let (version, over) = (last.version, instant::shown(last.expires));
        out::note(format!(
            "key set {version} is over on {over}: terminals accept nothing from then on; `keys rotate`"
        ));
    }
    if let Some(waiting) = &keys.waiting {
        let path = waiting.path.display();
        out::note(format!(
            "{path} still waits for signatures and is left out: key set {} holds",
            last.version
        ));
    }
    let plans = Plans::new(&city, &fleet);
    let held = args.against.as_ref().map(|path| planned::held(path, now, &city.id)).transpose()?;
    let looked = plan::plan(&plans, held.as_ref(), now);
    if looked.findings.iter().any(|finding| finding.severity == Severity::Error) {
        planned::findings(&looked.findings, out::note);
        return Err(Fault::refused("nothing was built: what is wrong must be mended first"));
    }
    if fleet.terminal.is_empty() {
        return Err(Fault::refused(format!("{FLEET_FILE} has no terminal")));
    }
    let first_change = |moment: &plan::Moment| {
        let contract = |change: &plan::Change| change.fields.iter().any(|field| field.field == "contract");
        moment.changes.iter().any(contract).then_some(moment.at).flatten()
    };
    let header = Header {
        v: 1,
        city: city.id.clone(),
        version: args.number,
        name: args.name.clone().unwrap_or_else(|| format!("{} {}", city.name, args.number)),
        made_at: now,
        expires: args.expires,
        switchover_at: looked.moments.iter().find_map(first_change),
        terminals: fleet.terminal.len() as u64,
    };
    let mut largest = 0;
    files::replace(&args.output, files::OPEN, |output| {
        let mut writer = ReleaseWriter::new(&args.output, output, &header, &keys.chain)?;
        let mut progress = Progress::new("building", header.terminals);
        for terminal in &fleet.terminal {
            let bundle = plans.bundle(terminal, args.number, now, args.expires);
            let envelope = envelope(&bundle.map_err(|wrong| Fault::refused(wrong.to_string()))?)?;
            largest = largest.max(envelope.get().len());
            writer.bundle(envelope)?;
            progress.step();
        }
        writer.finish()?;
        Ok(())
    })?;
    if json {
        let findings = &looked.findings;
        out::json(&Built { file: &args.output, header: &header, largest_bundle: largest, findings });
    } else {
        planned::findings(&looked.findings, out::note);
        let (file, terminals) = (args.output.display(), header.terminals);
        out::say(format!(
            "wrote {file}: version {} for {terminals} terminals, until {}",
            args.number,
            instant::shown(args.expires)
        ));
        if let Some(at) = header.switchover_at {
            out::say(format!("contracts change from {} (Japan)", instant::shown(at)));
        }
        out::say(format!(
            "it takes {} signatures: `meguri-config sign {file} --key …`",
            last.config.threshold
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A bundle as it stands in a release, without signatures.
fn envelope(bundle: &Bundle) -> Result<Box<RawValue>, Fault> {
    let text = bundle.envelope().to_json();
    RawValue::from_string(text).map_err(|error| Fault::refused(format!("a bundle can't be written: {error}")))
}
