//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::fault::{Fault, at};

/// Readable by everybody: what is signed is no secret.
pub(super) const OPEN: u32 = 0o644;
/// For its owner alone.
pub(super) const PRIVATE: u32 = 0o600;

/// Largest release that is read at once: as much as the office takes. 10,000 terminals have some 50 MB.
pub(super) const RELEASE_BYTES: usize = 128 * 1024 * 1024;

/// Writes a file: temporary file, fsync, rename, fsync of the folder. What fails leaves the former one as it was; who may read that one
/// may read the new one.
pub(super) fn replace<T>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let temporary = beside(path);
    let mode = fs::metadata(path).map_or(mode, |former| former.permissions().mode() & 0o777);
    let written = (|| {
        // Where a run was cut off before.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(at("remove", &temporary)(error));
            }
            _ => {}
        }
        let new = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary);
        let mut output = BufWriter::new(new.map_err(at("write", &temporary))?);
        let wrote = write(&mut output)?;
        let file = output.into_inner().map_err(|error| at("write", &temporary)(error.into_error()))?;
        file.sync_all().map_err(at("write", &temporary))?;
        fs::rename(&temporary, path).map_err(at("replace", path))?;
        Ok(wrote)
    })();
    if written.is_err() {
        // It is of no use to anybody; that it may stay behind is no second fault.
        let _ = fs::remove_file(&temporary);
    }
    let wrote = written?;
    sync_folder(path)?;
    Ok(wrote)
}

/// Writes bytes as [`replace`] does.
pub(super) fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Fault> {
    replace(path, mode, |output| io::Write::write_all(output, bytes).map_err(at("write", path)))
}

/// Writes a file that must not be there yet.
pub(super) fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Fault> {
    if path.exists() {
        return Err(Fault::refused(format!("{} is there already; nothing was changed", path.display())));
    }
    write(path, mode, bytes)
}

/// Reads a file of at most so many bytes.
pub(super) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at("read", path))?;
    io::Read::read_to_end(&mut io::Read::take(file, most as u64 + 1), &mut bytes)
        .map_err(at("read", path))?;
    if bytes.len() > most {
        return Err(Fault::refused(format!("{} has more than {most} bytes", path.display())));
    }
    Ok(bytes)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> Result<(), Fault> {
    // The parent of a bare name is the folder in which the program stands.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("write", folder))
}
