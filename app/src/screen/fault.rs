//! The screen of a terminal that can't start: what is wrong, and what the crew can do about it.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use meguri_config::terminal::{Language, Theme};
use meguri_core::TroubleKind;
use meguri_screens as ui;
use slint::{ComponentHandle, Timer, TimerMode};

use super::{Look, ScreenError};
use crate::store::StoreError;

/// How often it is tried again by itself.
const AGAIN: Duration = Duration::from_secs(5);

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The window was closed, or the program was told to stop.
    Closed,
    /// Start again: something has changed, or the crew wants to try.
    Again,
}

/// The screen. Lives on the thread of the event loop.
pub struct FaultScreen {
    window: ui::FaultWindow,
    left: Rc<Cell<Left>>,
    mends_itself: bool,
}

/// What keeps a terminal with its data in `folder` from starting.
fn fault(error: &StoreError, folder: &Path) -> ui::Fault {
    match error {
        StoreError::Damaged { .. } => ui::Fault::Damaged,
        StoreError::Open { .. } => ui::Fault::OpenElsewhere,
        StoreError::OtherTerminal { .. } | StoreError::Foreign { .. } => ui::Fault::NotOurs,
        StoreError::Newer { .. } => ui::Fault::Newer,
        error if error.is_damage() => ui::Fault::Damaged,
        error => match error.kind(folder) {
            TroubleKind::DiskFull => ui::Fault::DiskFull,
            TroubleKind::ReadOnly => ui::Fault::ReadOnly,
            TroubleKind::Write => ui::Fault::NoWriting,
            _ => ui::Fault::Other,
        },
    }
}

impl FaultScreen {
    /// Makes the window.
    ///
    /// # Errors
    /// When there is no display, or the settings' language is unknown.
    pub fn new(look: &Look, error: &StoreError, folder: &Path) -> Result<Self, ScreenError> {
        let window = ui::FaultWindow::new().map_err(ScreenError::Window)?;
        let language = match look.language {
            Language::Ja => "",
            Language::En => "en",
        };
        slint::select_bundled_translation(language).map_err(ScreenError::Language)?;
        window.global::<ui::Theme>().set_night(look.theme == Theme::Night);
        // Sizes of displays are far below what a float holds exactly.
        #[allow(clippy::cast_precision_loss)]
        let (width, height) = (look.size.0 as f32, look.size.1 as f32);
        window.set_first_width(width);
        window.set_first_height(height);
        window.set_fill(look.fullscreen);
        window.set_terminal(look.terminal.as_str().into());
        let fault = fault(error, folder);
        window.set_fault(fault);
        window.set_detail(meguri_config::told(error).into());
        let left = Rc::new(Cell::new(Left::Closed));
        let leave = Rc::clone(&left);
        window.on_again(move || {
            leave.set(Left::Again);
            drop(slint::quit_event_loop());
        });
        let mends_itself = matches!(
            fault,
            ui::Fault::DiskFull | ui::Fault::ReadOnly | ui::Fault::NoWriting | ui::Fault::OpenElsewhere
        );
        Ok(Self { window, left, mends_itself })
    }

    /// What the button for the repair does; called on a thread of its own. Afterwards the program is to start again, or
    /// the screen says why nothing came of it.
    pub fn on_repair(&self, repair: impl Fn() -> Result<(), StoreError> + Clone + Send + 'static) {
        let weak = self.window.as_weak();
        self.window.on_repair(move || {
            let Some(window) = weak.upgrade() else { return };
            window.set_busy(true);
            let (weak, repair) = (weak.clone(), repair.clone());
            std::thread::spawn(move || {
                let done = repair();
                let told = weak.upgrade_in_event_loop(move |window| {
                    window.set_busy(false);
                    window.set_sure(false);
                    match done {
                        Ok(()) => window.invoke_again(),
                        Err(error) => window.set_detail(meguri_config::told(&error).into()),
                    }
                });
                if let Err(error) = told {
                    tracing::warn!(%error, "the screen is gone");
                }
            });
        });
    }

    /// Shows the screen until it is left. Where the trouble may pass by itself, `can_start` is asked from time to time
    /// whether it has.
    ///
    /// # Errors
    /// When the window can't be shown.
    pub fn run(&self, can_start: impl Fn() -> bool + 'static) -> Result<Left, ScreenError> {
        let timer = Timer::default();
        if self.mends_itself {
            let weak = self.window.as_weak();
            timer.start(TimerMode::Repeated, AGAIN, move || {
                if let Some(window) = weak.upgrade().filter(|_| can_start()) {
                    window.invoke_again();
                }
            });
        }
        self.window.show().map_err(ScreenError::Window)?;
        slint::run_event_loop().map_err(ScreenError::Window)?;
        self.window.hide().map_err(ScreenError::Window)?;
        Ok(self.left.get())
    }

    /// The window, to look into it.
    #[must_use]
    pub fn window(&self) -> &ui::FaultWindow {
        &self.window
    }
}
