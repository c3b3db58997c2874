//! `meguri-gateway crew`: who may sign in on terminals, with a running gateway or without one.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use meguri_proto::crew::PinLock;
use meguri_proto::{ContractorId, CrewId};

use super::{Listed, New};
use crate::ops::{Reply, Request};

/// Crews who sign in on terminals.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a member; the PIN is told this once.
    Add {
        /// The id that facts name, such as a staff number: a-z, 0-9 and inner hyphens.
        id: CrewId,
        /// Whose crew.
        #[arg(long)]
        contractor: ContractorId,
        /// The name on the screen.
        #[arg(long)]
        name: String,
        /// The PIN.
        #[command(flatten)]
        pin: Pin,
    },
    /// Gives a member another PIN, told this once.
    Pin {
        /// The member.
        id: CrewId,
        /// The PIN.
        #[command(flatten)]
        pin: Pin,
    },
    /// Takes a member out: they have left.
    Remove {
        /// The member.
        id: CrewId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists members.
    List {
        /// Of this contractor alone.
        #[arg(long)]
        contractor: Option<ContractorId>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Where a PIN comes from, and how it is told.
#[derive(Debug, clap::Args)]
pub struct Pin {
    /// Reads the PIN from this file's first line, instead of drawing one.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Pin {
    /// The lock of a PIN, and the PIN where it was drawn.
    fn lock(&self) -> anyhow::Result<(PinLock, Option<String>)> {
        match &self.pin_file {
            Some(path) => {
                let text = first_line(path)?;
                let lock = PinLock::new(&text, rand::random());
                Ok((lock.with_context(|| format!("the PIN in {}", path.display()))?, None))
            }
            None => {
                let (lock, pin) = super::draw()?;
                Ok((lock, Some(pin)))
            }
        }
    }
}

fn first_line(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the PIN from {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Does what the command says by `ask`, which has a request done.
///
/// # Errors
/// When it can't be done.
pub fn run(
    command: Command,
    ask: impl Fn(&Request) -> anyhow::Result<Reply>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        Command::Add { id, contractor, name, pin } => {
            let (lock, drawn) = pin.lock()?;
            let reply = ask(&Request::CrewAdd { new: New { id, contractor, name, lock } })?;
            told(&reply, drawn.as_deref(), pin.json, out)
        }
        Command::Pin { id, pin } => {
            let (lock, drawn) = pin.lock()?;
            told(&ask(&Request::CrewPin { id, lock })?, drawn.as_deref(), pin.json, out)
        }
        Command::Remove { id, json } => told(&ask(&Request::CrewRemove { id })?, None, json, out),
        Command::List { contractor, json } => {
            let reply = ask(&Request::CrewList { contractor })?;
            let Reply::Crews(members) = reply else { bail!("the gateway answered something else") };
            if json {
                writeln!(out, "{}", serde_json::to_string_pretty(&members)?)?;
                return Ok(());
            }
            for Listed { id, contractor, name, set_at } in members {
                writeln!(out, "{id}\t{contractor}\t{name}\tPIN set {set_at:.0}")?;
            }
            Ok(())
        }
    }
}

fn told(reply: &Reply, pin: Option<&str>, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let Reply::Crew(member) = reply else { bail!("the gateway answered something else") };
    if json {
        let mut told = serde_json::json!(member);
        if let Some(pin) = pin {
            told["pin"] = pin.into();
        }
        writeln!(out, "{told}")?;
        return Ok(());
    }
    writeln!(out, "{}\t{}\t{}", member.id, member.contractor, member.name)?;
    if let Some(pin) = pin {
        writeln!(out, "PIN: {pin}\nIt is told this once; give it to them alone.")?;
    }
    Ok(())
}
