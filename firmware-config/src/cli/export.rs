//! `meguri-config export`: a USB stick for terminals that have no line at all.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use meguri_config::stick::{STICK_BYTES, STICK_FOLDER};
use meguri_config::{Release, Stick};
use meguri_proto::TerminalId;

use super::fault::{Fault, at};
use super::{files, out, verify};

#[derive(Args)]
pub(super) struct Export {
    /// The release, signed.
    release: PathBuf,
    /// Which terminals; may be given several times. Without it all of them.
    #[arg(long, value_name = "ID")]
    terminal: Vec<TerminalId>,
    /// The stick: the files are written into its folder `meguri`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Export, json: bool) -> Result<ExitCode, Fault> {
    let mut release = Release::open(&args.release)?;
    let keys = verify::key_set(&release, None)?;
    let (header, now) = (release.header.clone(), Timestamp::now());
    verify::not_over(&header, now)?;
    let mut wanted: BTreeSet<_> = args.terminal.iter().cloned().collect();
    let all = wanted.is_empty();
    let folder = args.out.join(STICK_FOLDER);
    if !args.out.is_dir() {
        return Err(Fault::refused(format!("{} is no folder", args.out.display())));
    }
    let mut written = Vec::new();
    while let Some(envelope) = release.next() {
        let envelope = envelope?;
        // A stick with something that no terminal takes would send people out for nothing.
        let bundle = header.takes(envelope.get().as_bytes(), &keys, now);
        let place = format!("{}, line {}", args.release.display(), release.line());
        let bundle = bundle.map_err(|refused| Fault::from(refused).within(place))?;
        if !wanted.remove(&bundle.terminal) && !all {
            continue;
        }
        let stick = Stick { v: 1, keys: release.keys.sets.clone(), bundle: envelope }.to_json();
        if stick.len() > STICK_BYTES {
            return Err(Fault::refused(format!("the file of {} would be too large", bundle.terminal)));
        }
        std::fs::create_dir_all(&folder).map_err(at("make", &folder))?;
        let path = folder.join(Stick::file_name(&bundle.terminal));
        files::write(&path, files::OPEN, stick.as_bytes())?;
        written.push(path);
    }
    if let Some(missing) = wanted.first() {
        return Err(Fault::refused(format!("{} has no bundle for {missing}", args.release.display())));
    }
    if json {
        out::json(&serde_json::json!({ "files": written }));
    } else {
        written.iter().for_each(|path| out::say(format!("wrote {}", path.display())));
    }
    Ok(ExitCode::SUCCESS)
}
