//! A virtual display and its pointer, for tests of real windows. Needs `Xvfb` and `xdotool`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than a loaded machine needs; a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A virtual display on a number that was free.
pub struct Display {
    server: Child,
    pub name: String,
    pixels: tempfile::TempDir,
}

impl Display {
    pub fn start() -> Self {
        let pixels = tempfile::tempdir().unwrap();
        let mut server = Command::new("Xvfb")
            .args([
                "-noreset",
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x800x24",
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(pixels.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed (Debian: xvfb)");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb gave no display");
        Self { server, name: format!(":{}", number.trim()), pixels }
    }

    /// The colour at a place, from the display's memory (an XWD file).
    pub fn colour(&self, x: usize, y: usize) -> u32 {
        let file = std::fs::read(self.pixels.path().join("Xvfb_screen0")).unwrap();
        let field = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let (header, line, colours) = (field(0), field(48), field(76));
        let at = header + colours * 12 + y * line + x * 4;
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) & 0x00FF_FFFF
    }

    pub fn click(&self, x: usize, y: usize) {
        self.xdotool(&["mousemove", "--sync", &x.to_string(), &y.to_string(), "click", "1"]);
    }

    pub fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.name)
            .output()
            .expect("xdotool is installed (Debian: xdotool)");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The window's id, once it is there.
    pub fn window(&self) -> String {
        wait("a window", || {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", "^Meguri$"]);
            found.lines().next().map(str::to_owned)
        })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Waits until it is there.
pub fn wait<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = there() {
            return value;
        }
        assert!(started.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
