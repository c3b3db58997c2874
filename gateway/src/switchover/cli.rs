//! `meguri-gateway switchover` and `meguri-gateway keys`, with a running gateway or without one.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;

use super::readiness::Readiness;
use super::releases::Taken;
use super::steps::New;
use super::{Finding, Kind, Listed, One, Rollout, Severity};
use crate::direction::printable;
use crate::ops::{Reply, Request};
use crate::schedules::word;
use crate::store::write_durably;

/// Switchovers and corrections of terminals' configurations.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes one of a release file, or of a release that was pushed with `meguri-config push`.
    Draft {
        /// The release file.
        #[arg(required_unless_present = "version", conflicts_with = "version")]
        release: Option<PathBuf>,
        /// The version of a release that is here already.
        #[arg(long)]
        version: Option<u64>,
        /// What people call it; else as the release is called.
        #[arg(long)]
        name: Option<String>,
        /// What it is for; else a switchover where contracts change at an instant that no other switchover has.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Lists them.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists the releases that are here.
    Releases {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows one with its steps: who did what, when.
    Show {
        /// Its number.
        id: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Looks at one: what stands in its way, and what should be known. Exit status: 0 nothing stands in its way, 1 something does.
    Check {
        /// Its number.
        id: i64,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Says yes to one that somebody else has drafted.
    Approve {
        /// Its number.
        id: i64,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Offers an approved one to terminals, group by group; goes on with one that has stopped; of one that waits, offers it to the next
    /// group by hand, however ready those before are.
    Push {
        /// Its number.
        id: i64,
        /// After each group so many of a hundred terminals are offered it.
        #[arg(long, value_name = "PERCENT,…", value_delimiter = ',')]
        groups: Vec<u8>,
        /// So many of a hundred must be ready before the next group has its turn.
        #[arg(long, value_name = "PERCENT")]
        ready: Option<u8>,
        /// After so many hours those that were not heard since hold nobody up.
        #[arg(long, value_name = "HOURS")]
        patience: Option<u16>,
        /// Where more of a hundred refuse, it stops.
        #[arg(long, value_name = "PERCENT")]
        refused: Option<u8>,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Keeps it from further terminals for now; `push` goes on.
    Stop {
        /// Its number.
        id: i64,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Withdraws it. Once it is pushed that takes a newer release, pushed as a switchover of its own.
    Withdraw {
        /// Its number.
        id: i64,
        /// The newer release's version.
        #[arg(long, value_name = "VERSION")]
        release: Option<u64>,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
    /// Says how far each terminal is, since when, and what to do about it.
    Readiness {
        /// Its number.
        id: i64,
        /// Writes it as CSV into this file, which must not be there yet.
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        csv: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Closes it: what is still to be done about single terminals is done without it.
    Close {
        /// Its number.
        id: i64,
        /// Who does it.
        #[command(flatten)]
        by: By,
    },
}

/// The key sets by which configurations are verified.
#[derive(Debug, clap::Subcommand)]
pub enum KeysCommand {
    /// Shows them with their fingerprints, to be compared with the record of the key ceremony.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Who does it, and how it is told.
#[derive(Debug, clap::Args)]
pub struct By {
    /// The login of whoever does it: an account that may. Whoever runs this machine answers for it.
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Does what the command says by `ask`, which has a request done. Says whether nothing stands in the way.
///
/// # Errors
/// When it can't be done.
pub fn run(
    command: Command,
    ask: impl Fn(&Request) -> anyhow::Result<Reply>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let (request, json) = match command {
        Command::Draft { release, version, name, kind, by } => {
            let version = match (release, version) {
                (Some(path), _) => take(&path, &ask, (!by.json).then_some(&mut *out))?.version,
                (None, Some(version)) => version,
                (None, None) => bail!("name a release file, or --version"),
            };
            let new = New { version, name, kind };
            (Request::SwitchoverDraft { by: by.login, new }, by.json)
        }
        Command::List { json } => (Request::SwitchoverList, json),
        Command::Releases { json } => (Request::ReleaseList, json),
        Command::Show { id, json } => (Request::SwitchoverShow { id }, json),
        Command::Check { id, by } => (Request::SwitchoverCheck { by: by.login, id }, by.json),
        Command::Approve { id, by } => (Request::SwitchoverApprove { by: by.login, id }, by.json),
        Command::Push { id, groups, ready, patience, refused, by } => {
            let said = !groups.is_empty() || ready.is_some() || patience.is_some() || refused.is_some();
            let usual = Rollout::default();
            let rollout = said.then(|| Rollout {
                groups: if groups.is_empty() { usual.groups.clone() } else { groups },
                ready_percent: ready.unwrap_or(usual.ready_percent),
                patience_hours: patience.unwrap_or(usual.patience_hours),
                refused_percent: refused.unwrap_or(usual.refused_percent),
            });
            (Request::SwitchoverPush { by: by.login, id, rollout }, by.json)
        }
        Command::Stop { id, by } => (Request::SwitchoverStop { by: by.login, id }, by.json),
        Command::Withdraw { id, release, by } => {
            (Request::SwitchoverWithdraw { by: by.login, id, release }, by.json)
        }
        Command::Close { id, by } => (Request::SwitchoverClose { by: by.login, id }, by.json),
        Command::Readiness { id, csv, json } => {
            let Reply::Readiness(found) = ask(&Request::SwitchoverReadiness { id })? else {
                bail!("the gateway answered something else; are both of one version?")
            };
            readiness(&found, csv.as_deref(), json, out)?;
            return Ok(true);
        }
    };
    told(&ask(&request)?, json, out)
}

/// Has a release file taken: by path, since whoever may ask the gateway may read what it may.
fn take(
    path: &Path,
    ask: &impl Fn(&Request) -> anyhow::Result<Reply>,
    out: Option<&mut impl Write>,
) -> anyhow::Result<Taken> {
    let path = std::path::absolute(path).with_context(|| format!("can't find {}", path.display()))?;
    let Reply::Release(taken) = ask(&Request::ReleaseTake { path })? else {
        bail!("the gateway answered something else; are both of one version?")
    };
    if let Some(out) = out {
        let already = if taken.again { "was here already" } else { "taken" };
        writeln!(out, "release {} ({}) {already}: {} terminals", taken.version, taken.name, taken.terminals)?;
        if taken.first_keys {
            let (version, fingerprint) = &taken.keys;
            writeln!(
                out,
                "the office held no keys before, and believes key set {version} from now on: compare its fingerprint with the \
                 record of the key ceremony\n  {fingerprint}"
            )?;
        }
    }
    Ok(taken)
}

fn told(reply: &Reply, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let text = |value: serde_json::Value| serde_json::to_string_pretty(&value);
    match reply {
        Reply::Switchover { one, .. } if json => writeln!(out, "{}", text(serde_json::json!(one))?)?,
        Reply::Switchover { one, .. } => show(one, out)?,
        Reply::Switchovers(all) if json => writeln!(out, "{}", text(serde_json::json!(all))?)?,
        Reply::Switchovers(all) => all.iter().try_for_each(|one| writeln!(out, "{}", line(one)))?,
        Reply::Releases(all) if json => writeln!(out, "{}", text(serde_json::json!(all))?)?,
        Reply::Releases(all) => {
            for one in all {
                let of = one
                    .switchover
                    .map_or_else(|| "no switchover".to_owned(), |id| format!("switchover {id}"));
                let (version, terminals, expires) = (one.version, one.terminals, one.expires);
                let name = printable(&one.name);
                writeln!(out, "{version}\t{name}\t{terminals} terminals\texpires {expires:.0}\t{of}")?;
            }
        }
        Reply::Findings { found, .. } => {
            let good = !found.iter().any(|finding| finding.severity == Severity::Error);
            if json {
                writeln!(out, "{}", text(serde_json::json!(found))?)?;
            } else {
                for Finding { found, severity, count, named } in found {
                    writeln!(out, "{}\t{count}\t{}\t{}", word(severity), found.plain(), named.join(" "))?;
                }
                writeln!(
                    out,
                    "{}",
                    if good { "nothing stands in its way" } else { "something stands in its way" }
                )?;
            }
            return Ok(good);
        }
        _ => bail!("the gateway answered something else; are both of one version?"),
    }
    Ok(true)
}

fn line(one: &Listed) -> String {
    let at = one.at.map_or_else(|| "at once".to_owned(), here);
    let stopped = one.stopped.as_ref().map_or_else(String::new, |(_, why)| format!("\tstopped ({why})"));
    let group = if one.part > 0 { format!("\tgroup {} of {}", one.part, one.parts) } else { String::new() };
    format!(
        "{}\t{}\t{}\t{at}\tversion {}\t{} terminals\t{}{group}{stopped}",
        one.id,
        word(&one.kind),
        one.state.plain(),
        one.version,
        one.terminals,
        printable(&one.name)
    )
}

fn here(at: Timestamp) -> String {
    format!("{:.0}", at.to_zoned(meguri_proto::clock::japan()).datetime())
}

fn show(one: &One, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}", line(&one.listed))?;
    for step in &one.steps {
        let who = step.person.as_ref().map_or_else(|| "the gateway".to_owned(), |(login, _)| login.clone());
        let detail = step.detail.as_ref().map_or_else(String::new, |detail| format!("\t{detail}"));
        writeln!(out, "  {}\t{}\t{who}{detail}", here(step.at), word(&step.step))?;
    }
    Ok(())
}

fn readiness(found: &Readiness, csv: Option<&Path>, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(found)?)?;
        return Ok(());
    }
    if let Some(path) = csv {
        ensure!(!path.exists(), "{} is there already", path.display());
        let path = std::path::absolute(path)?;
        write_durably(&path, &crate::web::readiness_csv(found)?, 0o600)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    writeln!(out, "switchover {}: {} of {} ready", found.id, found.counts.ready, found.counts.of)?;
    for (ready, count) in &found.counts.by {
        writeln!(out, "  {count}\t{}", word(ready))?;
    }
    if csv.is_none() {
        for line in &found.terminals {
            let since = line.since.map_or_else(|| "-".to_owned(), here);
            let why = line.why.as_ref().map(word).unwrap_or_default();
            let heard = line.last_heard.map_or_else(|| "never".to_owned(), here);
            writeln!(
                out,
                "{}\t{}\tsince {since}\theard {heard}\t{}/{} -> {}/{}\t{}\t{why} {}",
                line.terminal,
                word(&line.ready),
                line.before.contract,
                line.before.vehicle,
                line.after.contract,
                line.after.vehicle,
                word(&line.todo),
                printable(&line.detail)
            )?;
        }
    }
    Ok(())
}

/// `keys show`.
///
/// # Errors
/// When they can't be read.
pub fn keys(
    KeysCommand::Show { json }: KeysCommand,
    ask: impl Fn(&Request) -> anyhow::Result<Reply>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Reply::Keys(all) = ask(&Request::KeysShow)? else {
        bail!("the gateway answered something else; are both of one version?")
    };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    if all.is_empty() {
        writeln!(out, "no key set yet: the first release brings it")?;
    }
    for one in all {
        writeln!(
            out,
            "{}\t{}\texpires {:.0}\ttaken {:.0}",
            one.version, one.fingerprint, one.expires, one.taken_at
        )?;
    }
    Ok(())
}
