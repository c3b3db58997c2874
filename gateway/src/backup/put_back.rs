//! Puts a backup back as the store of a data folder, under a new incarnation, by which terminals learn to send again what it lacks.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use meguri_config::City;
use meguri_proto::Incarnation;

use super::{BackupError, CITY, FOLDERS, Manifest, RESERVE, copy_file, listed, verify};
use crate::room::free_bytes;
use crate::store::{self, STORE_FILE, Store, StoreError, replace, sql, write_durably};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// Where the store from before lies, where there was one.
    pub aside: Option<PathBuf>,
    /// What became of the plan.
    pub plan: Plan,
    /// Folders of the backup that were put back, since there were none: see [`FOLDERS`].
    pub folders: Vec<&'static str>,
}

/// What became of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// There was none, so the backup's is there now.
    PutBack,
    /// The one that was there is the same.
    Same,
    /// The one that was there stays; the backup has another.
    Kept,
}

/// Makes `backup` the store of `data`. `city` is where the plan belongs. `drawn` is the store's new incarnation.
///
/// # Errors
/// When the backup can't be used, another process holds the folder, a store is there and is not to be replaced, or the
/// disk has no room. Until everything is ready the old store stays the store.
pub fn put_back(
    backup: &Path,
    data: &Path,
    city: &Path,
    replaced: bool,
    drawn: Incarnation,
    now: Timestamp,
) -> Result<PutBack, BackupError> {
    let manifest = verify(backup)?;
    fs::create_dir_all(data).map_err(BackupError::file("make the folder", data))?;
    // Held to the end, so that no gateway starts meanwhile.
    let _lock = store::lock(data)?;
    let plan = plan(backup, city, &manifest)?;
    // Of a restore that was cut when everything was ready.
    let earlier = replace::finish(data)?;
    // The file that counts starts alone is what a lost store leaves.
    let is_there = data.join(STORE_FILE).try_exists().map_err(BackupError::file("look into", data))?;
    if is_there && !replaced {
        return Err(BackupError::StoreThere { dir: data.to_owned() });
    }
    let from = backup.join(STORE_FILE);
    let expected = manifest.files.get(STORE_FILE).cloned();
    let needed = expected.as_ref().map_or(0, |file| file.bytes) + RESERVE;
    let free = free_bytes(data).map_err(BackupError::file("ask for the free space of", data))?;
    if free < needed {
        return Err(BackupError::NoRoom { path: data.to_owned(), free, needed });
    }
    let same = |copy: &Path| match listed(copy) {
        Ok(found) if Some(&found) == expected.as_ref() => Ok(()),
        // A disk or a stick that reads otherwise the second time.
        _ => Err(StoreError::File {
            doing: "copy without a difference to",
            path: copy.to_owned(),
            source: std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "what was written reads back otherwise",
            ),
        }),
    };
    replace::stage(data, &from, same, |tx| {
        Store::draw_incarnation(tx, drawn)?;
        // It knows nothing of now: by the time of the backup the clock of today would be in doubt.
        if tx.column_exists(None, "office", "clock_seen_at")? {
            tx.execute("UPDATE office SET clock_seen_at = NULL", [])?;
        }
        let detail =
            serde_json::json!({ "by": "restore", "incarnation": drawn, "made_at": manifest.made_at });
        sql::notice(tx, now, "restored", None, &detail).map(|_| ())
    })?;
    if plan == Plan::PutBack {
        let text = fs::read(backup.join(CITY)).map_err(BackupError::file("read the plan of", backup))?;
        if let Some(folder) = city.parent() {
            fs::create_dir_all(folder).map_err(BackupError::file("make the folder", folder))?;
        }
        write_durably(city, &text, 0o644).map_err(BackupError::file("write", city))?;
    }
    // Before the store: a gateway that found certificates and no authority would not start.
    let folders = folders(backup, data, &manifest)?;
    let aside = replace::finish(data)?.or(earlier);
    Ok(PutBack { manifest, aside, plan, folders })
}

/// Puts back the folders that are not there. One that is there is newer, or another authority that terminals believe by now.
fn folders(backup: &Path, data: &Path, manifest: &Manifest) -> Result<Vec<&'static str>, BackupError> {
    let mut put_back = Vec::new();
    for folder in FOLDERS {
        let (to, part) = (data.join(folder), data.join(format!(".{folder}.part")));
        let names = manifest.files.keys().filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'));
        let names: Vec<&str> = names.collect();
        if names.is_empty() || to.try_exists().map_err(BackupError::file("look for", &to))? {
            continue;
        }
        // Of a restore that was cut.
        match fs::remove_dir_all(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(BackupError::file("remove", &part)(error));
            }
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&part).map_err(BackupError::file("make the folder", &part))?;
        for name in names {
            copy_file(&backup.join(folder).join(name), &part.join(name))?;
        }
        replace::sync(&part)
            .and_then(|()| fs::rename(&part, &to))
            .and_then(|()| replace::sync(data))
            .map_err(BackupError::file("give its name to", &to))?;
        put_back.push(folder);
    }
    Ok(put_back)
}

fn plan(backup: &Path, city: &Path, manifest: &Manifest) -> Result<Plan, BackupError> {
    if !city.try_exists().map_err(BackupError::file("look for", city))? {
        return Ok(Plan::PutBack);
    }
    let here = fs::read(city).map_err(BackupError::file("read", city))?;
    // One that can't be read is not this command's to judge: `serve` and `doctor` say what is wrong with it.
    if let Ok(read) = City::read(city)
        && read.id.as_str() != manifest.city
    {
        return Err(BackupError::OtherCity {
            backup: manifest.city.clone(),
            here: read.id.to_string(),
            path: city.to_owned(),
        });
    }
    let same = fs::read(backup.join(CITY)).is_ok_and(|there| there == here);
    Ok(if same { Plan::Same } else { Plan::Kept })
}
