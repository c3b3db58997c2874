//! The fonts the program carries, and how it makes the system find them.
//!
//! A machine may have no font at all, and then Slint can't draw. So the fonts are written into the
//! data folder, and the program starts itself once more with the variables that name them: a running
//! program can't change its own environment safely.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const FONTS: [(&str, &[u8]); 3] = [
    ("BIZUDPGothic-Regular.ttf", include_bytes!("../../fonts/BIZUDPGothic-Regular.ttf")),
    ("BIZUDPGothic-Bold.ttf", include_bytes!("../../fonts/BIZUDPGothic-Bold.ttf")),
    ("VLPGothic-kanji.ttf", include_bytes!("../../fonts/VLPGothic-kanji.ttf")),
];

/// Why the fonts can't be made ready.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// A file can't be written.
    #[error("can't write the font file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program can't be started again.
    #[error("can't start the program again with its fonts: {0}")]
    Restart(#[source] io::Error),
}

/// Writes the fonts and their configuration into `folder` where they are not there yet.
///
/// # Errors
/// When a file can't be written.
pub fn install(folder: &Path) -> Result<(), FontError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| FontError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(wrong(folder))?;
    // Fontconfig wants absolute names.
    let folder = fs::canonicalize(folder).map_err(wrong(folder))?;
    for (name, bytes) in FONTS {
        write_once(&folder.join(name), bytes).map_err(wrong(&folder.join(name)))?;
    }
    let conf = folder.join("fonts.conf");
    write_once(&conf, configuration(&folder).as_bytes()).map_err(wrong(&conf))
}

/// Starts this program again with the variables that name the fonts in `folder`, and takes its exit
/// status; gives back `None` where they are set already and the caller can go on.
///
/// # Errors
/// When a font can't be written or the program can't be started.
pub fn restart_with(folder: &Path) -> Result<Option<std::process::ExitCode>, FontError> {
    install(folder)?;
    let wrong = |source| FontError::Write { path: folder.to_owned(), source };
    let folder = fs::canonicalize(folder).map_err(wrong)?;
    let conf = folder.join("fonts.conf");
    if std::env::var_os("FONTCONFIG_FILE").is_some_and(|file| Path::new(&file) == conf) {
        return Ok(None);
    }
    let program = std::env::current_exe().map_err(FontError::Restart)?;
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1));
    again.env("FONTCONFIG_FILE", &conf);
    // The first family stands for "any font"; what it lacks is looked for in the others.
    again.env("SLINT_DEFAULT_FONT", folder.join(FONTS[0].0));
    again.env(
        "SLINT_FONT_PATH",
        std::env::join_paths(FONTS.iter().map(|(name, _)| folder.join(name))).unwrap_or_default(),
    );
    replace(again)
}

/// Starts this program anew, in the place of this process.
///
/// # Errors
/// When it can't be started.
pub fn restart() -> Result<std::process::ExitCode, FontError> {
    restart_without("")
}

/// As [`restart`], without one of the arguments, as what it asked for is done.
///
/// # Errors
/// As [`restart`].
pub fn restart_without(argument: &str) -> Result<std::process::ExitCode, FontError> {
    let mut again = Command::new(std::env::current_exe().map_err(FontError::Restart)?);
    again.args(std::env::args_os().skip(1).filter(|given| given != argument));
    replace(again).map(Option::unwrap_or_default)
}

/// As [`restart`], with one argument more.
///
/// # Errors
/// As [`restart`].
pub fn restart_with_argument(argument: &str) -> Result<std::process::ExitCode, FontError> {
    let mut again = Command::new(std::env::current_exe().map_err(FontError::Restart)?);
    again.args(std::env::args_os().skip(1)).arg(argument);
    replace(again).map(Option::unwrap_or_default)
}

/// Takes the place of this process: whoever started it sees one process, and ends it as one.
#[cfg(unix)]
fn replace(mut again: Command) -> Result<Option<std::process::ExitCode>, FontError> {
    use std::os::unix::process::CommandExt;
    Err(FontError::Restart(again.exec()))
}

#[cfg(not(unix))]
fn replace(mut again: Command) -> Result<Option<std::process::ExitCode>, FontError> {
    let status = again.status().map_err(FontError::Restart)?;
    let code = u8::try_from(status.code().unwrap_or(1)).unwrap_or(1);
    Ok(Some(std::process::ExitCode::from(code)))
}

fn configuration(folder: &Path) -> String {
    let escape = |path: &Path| {
        path.display().to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    };
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"urn:fontconfig:fonts.dtd\">\n<fontconfig>\n  \
         <dir>{}</dir>\n  <cachedir>{}</cachedir>\n</fontconfig>\n",
        escape(folder),
        escape(&folder.join("cache"))
    )
}

/// A file is whole or not there: a power cut while writing must not leave half a font.
fn write_once(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    // Two starts at once each write their own.
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn writes_the_fonts_and_repairs_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let fonts = folder.path().join("a & b");
        install(&fonts).unwrap();
        let font = fonts.join(FONTS[0].0);
        assert_eq!(fs::read(&font).unwrap(), FONTS[0].1);
        let conf = fs::read_to_string(fonts.join("fonts.conf")).unwrap();
        assert!(conf.contains("a &amp; b</dir>"), "{conf}");

        fs::write(&font, b"half").unwrap();
        install(&fonts).unwrap();
        assert_eq!(fs::read(&font).unwrap(), FONTS[0].1);
    }
}
