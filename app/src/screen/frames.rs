//! Writes down how long the window takes for each frame, for whoever measures a tablet (feature `frames`).
//!
//! A line a frame, `frame START DURATION LIST`: when it began, in microseconds since 1970; how many microseconds passed
//! until the event loop was free again, with drawing, handing the picture to the display, and what else was handled before;
//! and how many rows the list had. So a duration is never less than what the frame took.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use meguri_screens as ui;
use slint::winit_030::{EventResult, WinitWindowAccessor, winit};
use slint::{ComponentHandle, Model, Timer, TimerMode};

/// Traces every frame of the window into a file, for as long as it lives.
#[must_use]
pub struct Trace {
    _flush: Timer,
}

/// Begins to trace.
///
/// # Errors
/// When the file can't be made.
pub fn trace(window: &ui::Tablet, path: &Path) -> io::Result<Trace> {
    let file = Arc::new(Mutex::new(BufWriter::new(File::create(path)?)));
    let flush = Timer::default();
    let to_flush = Arc::clone(&file);
    flush.start(TimerMode::Repeated, Duration::from_millis(200), move || {
        // A trace that can't be written is short; the program goes on.
        drop(to_flush.lock().unwrap_or_else(PoisonError::into_inner).flush());
    });
    let weak = window.as_weak();
    window.window().on_winit_window_event(move |_, event| {
        if matches!(event, winit::event::WindowEvent::RedrawRequested) {
            let (began, at) = (Instant::now(), SystemTime::now());
            let (file, weak) = (Arc::clone(&file), weak.clone());
            // The frame is drawn when this returns; what is asked for here comes when the loop is free again.
            let noted = slint::invoke_from_event_loop(move || {
                let took = began.elapsed().as_micros();
                let rows =
                    weak.upgrade().map_or(0, |window| window.global::<ui::Day>().get_rows().row_count());
                let start = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                drop(writeln!(file, "frame {start} {took} {rows}"));
            });
            drop(noted);
        }
        EventResult::Propagate
    });
    Ok(Trace { _flush: flush })
}
