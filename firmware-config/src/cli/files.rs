//! Files that are there whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::fault::{Fault, at};

/// Readable by everybody: what is signed is no secret.
pub(super) const OPEN: u32 = 0o644;
/// For its owner alone.
pub(super) const PRIVATE: u32 = 0o600;

/// Largest release that is read at once: as much as the office takes. 10,000 terminals have some 50 MB.
pub(super) const RELEASE_BYTES: usize = 128 * 1024 * 1024;

/// Writes a file: temporary file, fsync, rename, fsync of the folder. What fails leaves the former one as it was; who may read that one
/// may read the new one. Of a link it is the file behind it that is replaced.
pub(super) fn replace<T>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<NamedTempFile>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let behind = fs::canonicalize(path);
    let path = behind.as_deref().unwrap_or(path);
    let former = fs::metadata(path).ok();
    if former.as_ref().is_some_and(|former| !former.is_file()) {
        return Err(Fault::refused(format!("{} is there, and is no file", path.display())));
    }
    let mode = former.map_or(mode, |former| former.permissions().mode() & 0o777);
    let folder = folder_of(path);
    // Of this run alone: another that writes the same file meanwhile has its own.
    let temporary = Builder::new()
        .prefix(path.file_name().unwrap_or_default())
        .suffix(".new")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder);
    let mut output = BufWriter::new(temporary.map_err(at("write in", folder))?);
    let wrote = write(&mut output)?;
    let temporary = output.into_inner().map_err(|error| at("write", path)(error.into_error()))?;
    temporary.as_file().sync_all().map_err(at("write", path))?;
    temporary.persist(path).map_err(|error| at("replace", path)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("write in", folder))?;
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

fn folder_of(path: &Path) -> &Path {
    // The parent of a bare name is the folder in which the program stands.
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
