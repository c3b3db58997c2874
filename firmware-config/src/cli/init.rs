//! `meguri-config init`: a small plan to begin with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use meguri_config::fleet::{CITY_FILE, FLEET_FILE};
use meguri_proto::clock::business_date;

use super::fault::{Fault, at};
use super::{files, out};

/// The plan; the years of its contracts stand in braces.
const CITY: &str = include_str!("init/city.toml");
/// The terminals.
const FLEET: &str = include_str!("init/terminals.toml");

pub(super) fn run(dir: &Path, json: bool) -> Result<ExitCode, Fault> {
    let written: Vec<PathBuf> = [CITY_FILE, FLEET_FILE].iter().map(|name| dir.join(name)).collect();
    if let Some(there) = written.iter().find(|path| path.exists()) {
        return Err(Fault::refused(format!("{} is there already; nothing was changed", there.display())));
    }
    std::fs::create_dir_all(dir).map_err(at("make", dir))?;
    let today = business_date(Timestamp::now());
    // A fiscal year (年度) begins on 1 April.
    let year = if today.month() < 4 { today.year() - 1 } else { today.year() };
    let years = |text: &str| {
        let years = [("{this}", year), ("{next}", year + 1), ("{after}", year + 2)];
        years.iter().fold(text.to_owned(), |text, (name, year)| text.replace(name, &year.to_string()))
    };
    for (path, text) in written.iter().zip([CITY, FLEET]) {
        files::create(path, files::OPEN, years(text).as_bytes())?;
    }
    if json {
        out::json(&serde_json::json!({ "files": written }));
    } else {
        written.iter().for_each(|path| out::say(format!("wrote {}", path.display())));
        out::say(format!("next: edit them, then `meguri-config plan {}`", dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}
