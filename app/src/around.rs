//! What is around a terminal: whether all that its configuration names is plugged in, USB sticks, and the key sets that lie
//! beside its settings. Each is looked at beside the terminal's own work, which no device that hangs can stop.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meguri_config::Terminal;
use meguri_config::bundle::{Peripheral, PeripheralKind};
use meguri_config::stick::{STICK_BYTES, STICK_FOLDER, Stick};
use meguri_config::terminal::seconds;
use meguri_core::{Event, StickSeen};
use meguri_proto::{Digest, TerminalId, limits};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How deep below a folder where sticks appear one may lie: `/run/media/USER/NAME`.
const DEPTH: usize = 2;
/// More folders than these at one place are not sticks'.
const FOLDERS_MOST: usize = 64;

/// Looks at what is around.
pub(crate) struct Around {
    events: mpsc::Sender<Event>,
    terminal: TerminalId,
    import_from: Vec<PathBuf>,
    every: Duration,
    keys_file: Option<PathBuf>,
    watch: Option<JoinHandle<()>>,
}

impl Around {
    /// For a terminal with these settings; what is seen comes out of the receiver.
    pub(crate) fn new(settings: &Terminal) -> (Self, mpsc::Receiver<Event>) {
        let (events, seen) = mpsc::channel(8);
        let around = Self {
            events,
            terminal: settings.terminal.clone(),
            import_from: settings.import_from.clone(),
            every: seconds(settings.timers.sticks),
            keys_file: settings.keys_file.clone(),
            watch: None,
        };
        (around, seen)
    }

    /// Begins to look, now and then.
    pub(crate) fn start(&mut self) {
        let (events, terminal) = (self.events.clone(), self.terminal.clone());
        let (folders, every, keys_file) = (self.import_from.clone(), self.every, self.keys_file.take());
        self.watch = Some(tokio::spawn(async move {
            if let Some(path) = keys_file {
                match tokio::task::spawn_blocking(move || (read(&path, limits::MESSAGE_BYTES), path)).await {
                    Ok((Ok(bytes), _)) => {
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        // Nobody listens any more when the terminal stops.
                        let _stopping = events.send(Event::KeysFile(text)).await;
                    }
                    Ok((Err(error), path)) => {
                        tracing::error!(path = %path.display(), %error, "the file of key sets can't be read");
                    }
                    Err(error) => tracing::error!(%error, "the file of key sets was not read"),
                }
            }
            let mut before = Found::Nothing;
            while !folders.is_empty() {
                let (places, terminal) = (folders.clone(), terminal.clone());
                let found = tokio::task::spawn_blocking(move || Found::look(&places, &terminal)).await;
                let Ok(found) = found else { return };
                if before.mark() != found.mark() {
                    before = found;
                    if events.send(Event::Stick(before.seen())).await.is_err() {
                        return;
                    }
                }
                tokio::time::sleep(every).await;
            }
        }));
    }

    /// Looks whether these are plugged in, and says so.
    pub(crate) fn look(&self, ports: Vec<Peripheral>) {
        let events = self.events.clone();
        tokio::spawn(async move {
            let looked = tokio::task::spawn_blocking(move || missing(&ports)).await;
            if let Ok(missing) = looked {
                // Nobody listens any more when the terminal stops.
                let _stopping = events.send(Event::Looked(missing)).await;
            }
        });
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }
}

/// Which of these are not there or can't be opened, in words.
fn missing(ports: &[Peripheral]) -> Vec<String> {
    let look = |port: &Peripheral| {
        let kind = match port.kind {
            PeripheralKind::Gnss => "gnss",
            PeripheralKind::Scale => "scale",
            PeripheralKind::Barcode => "barcode",
        };
        open(Path::new(&port.port)).err().map(|error| format!("{kind} at {}: {error}", port.port))
    };
    ports.iter().filter_map(look).collect()
}

/// Opens a device without waiting for it and without becoming its terminal.
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Reads a file of at most `most` bytes.
fn read(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    // One more than is taken, so that too many are seen.
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(std::io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}

/// What is found of sticks.
enum Found {
    Nothing,
    NotForThis(PathBuf),
    File(PathBuf, Result<Vec<u8>, String>),
}

impl Found {
    /// Looks below these folders for a stick with this terminal's file.
    fn look(folders: &[PathBuf], terminal: &TerminalId) -> Self {
        let name = Stick::file_name(terminal);
        let mut other = None;
        for place in folders.iter().flat_map(|folder| places(folder, DEPTH)) {
            let folder = place.join(STICK_FOLDER);
            let file = folder.join(&name);
            if file.exists() {
                let bytes = read(&file, STICK_BYTES).map_err(|error| error.to_string());
                return Self::File(file, bytes);
            }
            if folder.is_dir() {
                other.get_or_insert(folder);
            }
        }
        other.map_or(Self::Nothing, Self::NotForThis)
    }

    /// What is not alike where something has changed.
    fn mark(&self) -> (u8, PathBuf, Digest) {
        match self {
            Self::Nothing => (0, PathBuf::new(), Digest::ZERO),
            Self::NotForThis(path) => (1, path.clone(), Digest::ZERO),
            Self::File(path, Ok(bytes)) => (2, path.clone(), Digest::of(bytes)),
            Self::File(path, Err(why)) => (3, path.clone(), Digest::of(why.as_bytes())),
        }
    }

    fn seen(&self) -> StickSeen {
        match self {
            Self::Nothing => StickSeen::Gone,
            Self::NotForThis(_) => StickSeen::NotForThis,
            Self::File(_, Err(why)) => StickSeen::Unreadable(why.clone()),
            Self::File(_, Ok(bytes)) => match Stick::read(bytes) {
                Ok(stick) => StickSeen::Found(Box::new(stick)),
                Err(refused) => StickSeen::Unreadable(refused.detail),
            },
        }
    }
}

/// A folder and those below it, so many levels deep, in the order of their names.
fn places(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    if depth > 0 {
        let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut below: Vec<PathBuf> = below.take(FOLDERS_MOST).map(|entry| entry.path()).collect();
        below.sort();
        found.extend(below.iter().flat_map(|folder| places(folder, depth - 1)));
    }
    found
}

/// Reads the file of a stick, which a person names.
///
/// # Errors
/// When it can't be read, or is none.
pub(crate) fn read_stick(path: &Path) -> Result<Stick, String> {
    let bytes = read(path, STICK_BYTES).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Stick::read(&bytes).map_err(|refused| refused.detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn terminal() -> TerminalId {
        "t-0001".parse().unwrap()
    }

    #[test]
    fn what_is_not_there_or_can_not_be_opened_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let port = |name: &str| Peripheral {
            kind: PeripheralKind::Scale,
            port: dir.path().join(name).display().to_string(),
            baud: 9_600,
        };
        fs::write(dir.path().join("there"), "").unwrap();
        // A pipe that nobody writes to keeps nobody waiting, as a line that is not answered does.
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("silent")).status().unwrap();
        assert!(made.success());
        assert_eq!(missing(&[port("there"), port("silent")]), [""; 0]);
        let gone = missing(&[port("there"), port("gone")]);
        assert!(gone.len() == 1 && gone[0].starts_with("scale at ") && gone[0].contains("gone"), "{gone:?}");
    }

    #[test]
    fn a_stick_is_found_two_levels_deep_and_read_to_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [dir.path().to_owned(), dir.path().join("nowhere")];
        let look = || Found::look(&folders, &terminal());
        assert!(matches!(look().seen(), StickSeen::Gone));
        let folder = dir.path().join("crew/usb").join(STICK_FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("t-0002.json"), "{}").unwrap();
        assert!(matches!(look().seen(), StickSeen::NotForThis));
        let file = folder.join("t-0001.json");
        fs::write(&file, r#"{"v":1,"keys":[],"bundle":{}}"#).unwrap();
        let first = look();
        assert!(matches!(first.seen(), StickSeen::Found(_)));
        assert_eq!(look().mark(), first.mark(), "the same one is said once");
        fs::write(&file, "{}").unwrap();
        assert_ne!(look().mark(), first.mark());
        assert!(matches!(look().seen(), StickSeen::Unreadable(_)));
        fs::write(&file, vec![b' '; STICK_BYTES + 1]).unwrap();
        assert!(matches!(look().seen(), StickSeen::Unreadable(why) if why.contains("more than")));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(matches!(look().seen(), StickSeen::Unreadable(_)));
        // Deeper ones are not sticks'.
        fs::remove_dir_all(dir.path().join("crew")).unwrap();
        let deep = dir.path().join("a/b/c").join(STICK_FOLDER);
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("t-0001.json"), "{}").unwrap();
        assert!(matches!(look().seen(), StickSeen::Gone));
    }
}
