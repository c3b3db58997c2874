//! Folders into which other systems drop request files: each file is taken as the command line would take it, moved out
//! of the way, and acknowledged by files beside where it was.
//!
//! A file is taken, then acknowledged, then moved. Interrupted between these, it is taken again, which changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use meguri_config::Clock;
use meguri_config::terminal::seconds;
use meguri_proto::Digest;
use meguri_proto::clock::business_date;
use serde_json::json;

use super::ack::{Ack, Status};
use super::profile::{self, Profile};
use super::rejects;
use super::{Command, FILE_BYTES, File, ImportError, Problem, Progress, Report, Taker, text};
use crate::changes::Changes;
use crate::config::{self, Settings};
use crate::direction::printable;
use crate::store::{sql, write_durably};
use crate::writer::Writer;

const NOTICE: &str = "watch_trouble";
/// What acknowledgements end with, and what one ends with while it is written.
const ACKS: [&str; 3] = [".ack.json", ".ack.txt", ".ack.new"];
/// Who may read them: they name lines and counts, no residents' data.
const ACK_RIGHTS: u32 = 0o640;
/// Folders of a watched one that files are moved to.
pub(crate) const MOVED_TO: [&str; 3] = ["done", "held", "rejected"];
/// Longest wait between two looks while something is wrong.
const PATIENCE: Duration = Duration::from_secs(300);

/// One watched folder.
#[derive(Debug)]
pub struct Watcher {
    /// Its place among the settings, from 1.
    number: usize,
    settings: config::Watch,
    folder: PathBuf,
    profile: PathBuf,
    taker: Taker,
    writer: Writer,
    changes: Changes,
    clock: Clock,
    /// What was there at the last look.
    seen: HashMap<OsString, Seen>,
    /// Triggers without a file at the last look.
    alone: BTreeSet<OsString>,
    /// What came of files that were taken and could not be moved: taken again behind a newer one, the older would
    /// undo what that says.
    unmoved: HashMap<OsString, Taken>,
    /// What is wrong, as it was told.
    trouble: Option<Trouble>,
}

/// How a file looked: while it grows, it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    bytes: u64,
    modified: SystemTime,
}

impl Seen {
    /// Of a link, not of what it leads to.
    fn of(path: &Path) -> io::Result<Self> {
        Self::new(&fs::symlink_metadata(path)?)
    }

    fn new(metadata: &fs::Metadata) -> io::Result<Self> {
        Ok(Self { bytes: metadata.len(), modified: metadata.modified()? })
    }
}

/// What came of a file.
#[derive(Debug, Clone)]
struct Taken {
    /// Of its bytes.
    sha256: Digest,
    done: Result<Report, Problem>,
}

/// Why a folder can't be worked on. It is none of a single file's faults: those are acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    what: &'static str,
    problem: String,
}

impl Trouble {
    fn new(what: &'static str, problem: impl ToString) -> Self {
        Self { what, problem: problem.to_string() }
    }

    fn io(what: &'static str, doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(what, format!("can't {doing} {}: {error}", path.display()))
    }
}

impl Watcher {
    /// The watchers of all folders in the settings.
    #[must_use]
    pub fn all(
        settings: &Settings,
        taker: &Taker,
        writer: &Writer,
        changes: &Changes,
        clock: &Clock,
    ) -> Vec<Self> {
        let watcher = |(index, watch): (usize, &config::Watch)| Self {
            number: index + 1,
            settings: watch.clone(),
            folder: settings.in_data(&watch.folder),
            profile: settings.in_data(&watch.profile),
            taker: taker.clone(),
            writer: writer.clone(),
            changes: changes.clone(),
            clock: clock.clone(),
            seen: HashMap::new(),
            alone: BTreeSet::new(),
            unmoved: HashMap::new(),
            trouble: None,
        };
        settings.watch.iter().enumerate().map(watcher).collect()
    }

    /// Looks again and again until the office stops, on a thread of its own, since folders of other machines may be slow. What is being taken then is taken to its end.
    pub async fn run(mut self) {
        // One of an earlier run is over, or is told anew.
        self.settle().await;
        let every = seconds(self.settings.poll_seconds);
        let mut wait = every;
        loop {
            let looked = self.look().await;
            wait = if looked.is_ok() { every } else { (wait * 2).min(PATIENCE.max(every)) };
            self.tell(looked.err()).await;
            let stopping = self.changes.clone();
            tokio::select! {
                () = stopping.stopping() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks once, and takes what is complete: the oldest first, so that of two files of a day the newer one counts.
    async fn look(&mut self) -> Result<(), Trouble> {
        let there = list(&self.folder)
            .map_err(|error| Trouble::io("folder", "look into the watched folder", &self.folder, &error))?;
        let mut ready = Vec::new();
        let mut seen = HashMap::new();
        for (name, now) in &there {
            let text = name.to_string_lossy();
            if !self.is_wanted(&text) {
                continue;
            }
            seen.insert(name.clone(), *now);
            let triggers = self.triggers(&text, &there);
            if self.seen.get(name) == Some(now) && (self.settings.trigger.is_empty() || !triggers.is_empty())
            {
                ready.push((now.modified, name.clone(), triggers, *now));
            }
        }
        self.seen = seen;
        self.unmoved.retain(|name, _| there.contains_key(name));
        ready.sort();
        let mut trouble = Ok(());
        for (_, name, triggers, now) in ready {
            if self.is_stopping().await {
                return Ok(());
            }
            match self.file(&name, now).await {
                Ok(true) => {}
                // Another one has its name now, and its trigger may be there already.
                Ok(false) => continue,
                // The others may be as they should.
                Err(one) if one.what == "file" => {
                    trouble = Err(one);
                    continue;
                }
                Err(all) => return Err(all),
            }
            self.seen.remove(&name);
            // Without its file a trigger would tell of the next one before that is complete.
            for (trigger, seen) in triggers {
                let path = self.folder.join(trigger);
                // One that was written anew tells of the next file.
                if Seen::of(&path).is_ok_and(|now| now == seen) {
                    remove(&path)?;
                }
            }
        }
        self.sweep(&there)?;
        trouble
    }

    /// Removes triggers whose file was moved before a run was interrupted: at the second look, since a file and its trigger
    /// may come in the midst of one.
    fn sweep(&mut self, there: &BTreeMap<OsString, Seen>) -> Result<(), Trouble> {
        let trigger = &self.settings.trigger;
        if trigger.is_empty() {
            return Ok(());
        }
        let files: Vec<_> = there.keys().map(|name| name.to_string_lossy()).collect();
        let has_file = |name: &str| {
            let stem = name.strip_suffix(trigger.as_str()).unwrap_or(name);
            files.iter().any(|file| {
                file == stem || (!file.ends_with(trigger.as_str()) && without_suffix(file) == stem)
            })
        };
        let alone: BTreeSet<OsString> = there
            .keys()
            .filter(|name| {
                let name = name.to_string_lossy();
                let stem = name.strip_suffix(trigger.as_str());
                // Another's file that happens to end so stays.
                stem.is_some_and(|stem| self.may_be_of(stem)) && !has_file(&name)
            })
            .cloned()
            .collect();
        for name in alone.intersection(&self.alone) {
            remove(&self.folder.join(name))?;
        }
        self.alone = alone;
        Ok(())
    }

    fn may_be_of(&self, stem: &str) -> bool {
        let files = self.settings.files.as_str();
        matches(files, stem) || matches(without_suffix(files), stem)
    }

    fn is_wanted(&self, name: &str) -> bool {
        let trigger = &self.settings.trigger;
        !name.starts_with('.')
            && !ACKS.iter().any(|end| name.ends_with(end))
            && (trigger.is_empty() || !name.ends_with(trigger.as_str()))
            && matches(&self.settings.files, name)
    }

    /// The files that say that this one is complete.
    fn triggers(&self, name: &str, there: &BTreeMap<OsString, Seen>) -> Vec<(OsString, Seen)> {
        let trigger = &self.settings.trigger;
        if trigger.is_empty() {
            return Vec::new();
        }
        let names = [format!("{name}{trigger}"), format!("{}{trigger}", without_suffix(name))];
        let mut found: Vec<_> = names
            .iter()
            .filter_map(|name| there.get_key_value(OsStr::new(name)))
            .map(|(name, seen)| (name.clone(), *seen))
            .collect();
        found.dedup();
        found
    }

    async fn is_stopping(&self) -> bool {
        tokio::select! {
            biased;
            () = self.changes.stopping() => true,
            () = std::future::ready(()) => false,
        }
    }

    /// Takes one file, acknowledges it, and moves it. Says whether it is out of the way: no where it goes on changing, or
    /// another one took its place meanwhile.
    async fn file(&mut self, name: &OsString, seen: Seen) -> Result<bool, Trouble> {
        let path = self.folder.join(name);
        let profile = fs::read_to_string(&self.profile)
            .map_err(|error| Trouble::io("profile", "read the profile", &self.profile, &error))?;
        // Dates without a year are near to the day on which the file came.
        let profile = profile::dated(&profile, business_date(self.clock.now()))
            .map_err(|error| Trouble::new("profile", format!("{}: {error}", self.profile.display())))?
            .into_owned();
        Profile::parse(&profile)
            .map_err(|error| Trouble::new("profile", format!("{}: {error}", self.profile.display())))?;
        let content = match read(&path, seen) {
            Ok(Some(content)) => content,
            // It goes on changing, or was taken away.
            Ok(None) => return Ok(false),
            Err(error) => return Err(Trouble::io("file", "read", &path, &error)),
        };
        let (key, sha256) = (name, Digest::of(&content));
        let name = key.to_string_lossy().into_owned();
        let done = match self.unmoved.get(key).filter(|taken| taken.sha256 == sha256) {
            Some(taken) => taken.done.clone(),
            None => {
                let done = self.take(&name, profile, &content).await?;
                self.unmoved.insert(key.clone(), Taken { sha256, done: done.clone() });
                done
            }
        };
        let at = self.clock.now().to_zoned(TimeZone::get("Asia/Tokyo").unwrap_or(TimeZone::UTC));
        let keep = |error: io::Error| Trouble::io("file", "acknowledge or move", &path, &error);
        let (ended, moved) = self.end(&name, &path, seen, &content, sha256, &at, &done).map_err(keep)?;
        self.unmoved.remove(key);
        let import = done.as_ref().ok().and_then(|report| report.import);
        tracing::info!(watch = self.number, file = %printable(&name), status = ?ended, import, moved, "a dropped file is dealt with");
        Ok(moved)
    }

    /// Has it taken. What is wrong with the file itself is told in its acknowledgement.
    async fn take(
        &self,
        name: &str,
        profile: String,
        content: &[u8],
    ) -> Result<Result<Report, Problem>, Trouble> {
        let days = match self.settings.day_in_name.then(|| day_of(name)) {
            Some(None) => {
                let problem = "expected a day in the file's name, like 20260401 or 2026-04-01, found none";
                return Ok(Err(Problem::of_file(problem)));
            }
            Some(Some(day)) => vec![day],
            None => Vec::new(),
        };
        let content = match text(name, &profile, content.to_vec()) {
            Ok(content) => content,
            Err(ImportError::Unreadable { problem, .. }) => return Ok(Err(problem)),
            Err(error) => return Err(Trouble::new("profile", error)),
        };
        let accept_good = self.settings.accept_good;
        let file = File { name: name.to_owned(), content, profile, days, accept_good, changes: false };
        match self.taker.take(Command::File(file), &Progress::default()).await {
            Ok(Ok(report)) => Ok(Ok(report)),
            Ok(Err(ImportError::Unreadable { problem, .. })) => Ok(Err(problem)),
            Ok(Err(error @ ImportError::Profile(_))) => Err(Trouble::new("profile", error)),
            Ok(Err(error)) => Err(Trouble::new("store", error)),
            Err(error) => Err(Trouble::new("store", error)),
        }
    }

    /// Writes down what came of it, and moves the file. Says whether it did: where another one has its name by now, that
    /// one stays to be taken, and what was taken is written beside the others anew.
    #[allow(clippy::too_many_arguments)]
    fn end(
        &self,
        name: &str,
        path: &Path,
        seen: Seen,
        content: &[u8],
        sha256: Digest,
        at: &Zoned,
        done: &Result<Report, Problem>,
    ) -> io::Result<(Status, bool)> {
        let status = done.as_ref().map_or(Status::Unreadable, Status::of);
        let time = at.strftime("%Y%m%dT%H%M%S").to_string();
        let moved_to = free(&self.folder, status.folder(), &time, name)?;
        let rejected = done.as_ref().ok().and_then(|report| report.rejected.as_ref());
        let rejected_file = match rejected {
            None => None,
            Some(rejected) => {
                let to = free(&self.folder, "rejected", &time, &format!("{name}.rejected.csv"))?;
                rejects::write_new(&self.folder.join(&to), &rejects::cut(content, rejected))?;
                Some(to)
            }
        };
        let told = at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let mut ack = Ack::new(name, sha256, told, &moved_to, done.as_ref());
        ack.rejected_file = rejected_file.as_deref();
        for (end, text) in [(".ack.txt", ack.text()), (".ack.json", ack.json())] {
            let ack = self.folder.join(format!("{name}{end}"));
            write_durably(&ack, text.as_bytes(), ACK_RIGHTS)?;
            // Whatever the umask: whoever dropped the file is another user of the folder's group.
            fs::set_permissions(&ack, fs::Permissions::from_mode(ACK_RIGHTS))?;
        }
        let (to, same) = (self.folder.join(&moved_to), Seen::of(path).is_ok_and(|now| now == seen));
        if same {
            fs::rename(path, to)?
        } else {
            rejects::write_new(&to, content)?
        }
        fs::File::open(self.folder.join(status.folder()))?.sync_all()?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok((status, same))
    }

    /// Tells people what is wrong, once; and that it is over.
    async fn tell(&mut self, trouble: Option<Trouble>) {
        if self.trouble == trouble {
            return;
        }
        let what = |trouble: &Option<Trouble>| trouble.as_ref().map(|trouble| trouble.what);
        let same = what(&self.trouble) == what(&trouble);
        if !same {
            self.settle().await;
        }
        match &trouble {
            Some(Trouble { what, problem }) => {
                let folder = self.folder.display();
                tracing::error!(watch = self.number, %folder, what, problem = %printable(problem), "no dropped file is taken until this is mended");
                let detail = json!({ "watch": self.number, "what": what });
                if !same {
                    let told = self.writer.run(move |tx, ctx, fx| {
                        fx.touched.notice |= sql::notice(tx, ctx.now, NOTICE, None, &detail)?;
                        Ok::<_, rusqlite::Error>(())
                    });
                    // On a full disk only the log can tell.
                    let _ = told.await;
                }
            }
            None => tracing::info!(watch = self.number, "dropped files are taken again"),
        }
        self.trouble = trouble;
    }

    /// Settles what was told of this folder.
    async fn settle(&self) {
        let number = i64::try_from(self.number).unwrap_or(i64::MAX);
        let settled = self.writer.run(move |tx, ctx, fx| {
            let update = "UPDATE notice SET settled_at = ?1
                WHERE kind = ?2 AND settled_at IS NULL AND detail ->> 'watch' = ?3";
            let count = tx.execute(update, rusqlite::params![sql::ms(ctx.now), NOTICE, number])?;
            fx.touched.notice |= count > 0;
            Ok::<_, rusqlite::Error>(())
        });
        // It stays open where it can't be settled now; a person can do so.
        let _ = settled.await;
    }
}

/// The plain files in a folder.
fn list(folder: &Path) -> io::Result<BTreeMap<OsString, Seen>> {
    let mut there = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Of a link, not of what it leads to. One that is gone by now is none.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            there.insert(entry.file_name(), Seen::new(&metadata)?);
        }
    }
    Ok(there)
}

/// A file's bytes, where it is still as it was seen, before and after it was read.
fn read(path: &Path, seen: Seen) -> io::Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut content = Vec::new();
    // One byte more than allowed shows that it is too large, without reading all of it.
    (&file).take(FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok((Seen::new(&file.metadata()?)? == seen).then_some(content))
}

/// A name in a folder of the watched one, which is made where it is missing, that no file has.
fn free(watched: &Path, folder: &str, time: &str, name: &str) -> io::Result<String> {
    fs::create_dir_all(watched.join(folder))?;
    let mut number = 1;
    loop {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let free = format!("{folder}/{time}{again}-{name}");
        if !watched.join(&free).try_exists()? {
            return Ok(free);
        }
        number += 1;
    }
}

fn remove(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Trouble::io("file", "remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Whether a name looks like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    profile::matches(pattern.split('*'), name)
}

fn without_suffix(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The first day that a file's name says.
fn day_of(name: &str) -> Option<Date> {
    let bytes = name.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).filter(|&at| is_digit(at) && (at == 0 || !is_digit(at - 1))).find_map(|at| {
        [("%Y%m%d", 8), ("%Y-%m-%d", 10)].into_iter().find_map(|(format, length)| {
            let word = name.get(at..at + length).filter(|_| !is_digit(at + length))?;
            Date::strptime(format, word).ok()
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_may_say_its_day() {
        for (name, day) in [
            ("uketsuke-20260401.csv", Some("2026-04-01")),
            ("2026-04-01.csv", Some("2026-04-01")),
            ("12_20260401_2.csv", Some("2026-04-01")),
            ("20260499-20260402", Some("2026-04-02")),
            ("202604011.csv", None),
            ("受付2026.csv", None),
        ] {
            assert_eq!(day_of(name), day.map(|day| day.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn names_are_never_taken_twice() {
        let dir = tempfile::tempdir().unwrap();
        let name = free(dir.path(), "done", "20260401T090000", "a.csv").unwrap();
        assert_eq!(name, "done/20260401T090000-a.csv");
        fs::write(dir.path().join(&name), "x").unwrap();
        let next = free(dir.path(), "done", "20260401T090000", "a.csv").unwrap();
        assert_eq!(next, "done/20260401T090000-2-a.csv");
    }
}
