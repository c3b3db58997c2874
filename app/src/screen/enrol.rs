//! The screen of a tablet that is no terminal yet: the crew types or scans the code that the office shows.

use std::cell::Cell;
use std::rc::Rc;

use meguri_config::terminal::{Language, Theme};
use meguri_screens as ui;
use slint::ComponentHandle;

use super::{Look, ScreenError};
use crate::enrol::EnrolError;
use crate::office::AskError;

/// The screen. Lives on the thread of the event loop.
pub struct EnrolScreen {
    window: ui::EnrolWindow,
    done: Rc<Cell<bool>>,
}

/// What the crew is told; whoever helps reads the rest.
fn problem(error: &EnrolError) -> ui::EnrolProblem {
    match error {
        EnrolError::Code(_) => ui::EnrolProblem::Code,
        EnrolError::NoOffice | EnrolError::Ask(AskError::Address(_)) => ui::EnrolProblem::NoOffice,
        EnrolError::Ask(AskError::Unreachable { .. } | AskError::Failed { .. }) => {
            ui::EnrolProblem::Unreachable
        }
        EnrolError::Ask(AskError::Refused(_)) => ui::EnrolProblem::Refused,
        EnrolError::Impostor => ui::EnrolProblem::Impostor,
        EnrolError::OtherTerminal { .. } | EnrolError::Ask(AskError::Conflict(_)) => {
            ui::EnrolProblem::OtherTerminal
        }
        EnrolError::Identity(_) => ui::EnrolProblem::NoWriting,
        EnrolError::Enrolled { .. } | EnrolError::Answer(_) | EnrolError::Settings(_) => {
            ui::EnrolProblem::Other
        }
    }
}

impl EnrolScreen {
    /// Makes the window. `enrol` takes what was typed, the code and the office's address; it is called on a thread of its own.
    ///
    /// # Errors
    /// When there is no display, or the language is unknown.
    pub fn new(
        look: &Look,
        enrol: impl Fn(&str, &str) -> Result<(), EnrolError> + Clone + Send + 'static,
    ) -> Result<Self, ScreenError> {
        let window = ui::EnrolWindow::new().map_err(ScreenError::Window)?;
        let language = match look.language {
            Language::Ja => "",
            Language::En => "en",
        };
        slint::select_bundled_translation(language).map_err(ScreenError::Language)?;
        window.global::<ui::Theme>().set_night(look.theme == Theme::Night);
        window.global::<ui::Words>().on_is_scanned(|text| text.contains('#'));
        // Sizes of displays are far below what a float holds exactly.
        #[allow(clippy::cast_precision_loss)]
        let (width, height) = (look.size.0 as f32, look.size.1 as f32);
        window.set_first_width(width);
        window.set_first_height(height);
        window.set_fill(look.fullscreen);
        let done = Rc::new(Cell::new(false));
        let weak = window.as_weak();
        window.on_enrol(move || {
            let Some(window) = weak.upgrade() else { return };
            window.set_busy(true);
            window.set_problem(ui::EnrolProblem::None);
            window.set_detail("".into());
            let (code, office) = (window.get_code().to_string(), window.get_office().to_string());
            let (weak, enrol) = (weak.clone(), enrol.clone());
            std::thread::spawn(move || {
                let tried = enrol(&code, &office);
                let told = weak.upgrade_in_event_loop(move |window| {
                    window.set_busy(false);
                    match tried {
                        Ok(()) => window.invoke_enrolled(),
                        Err(error) => {
                            window.set_problem(problem(&error));
                            window.set_detail(meguri_config::told(&error).into());
                        }
                    }
                });
                if let Err(error) = told {
                    tracing::warn!(%error, "the screen is gone");
                }
            });
        });
        let enrolled = Rc::clone(&done);
        window.on_enrolled(move || {
            enrolled.set(true);
            // A loop that has ended already is what was wanted.
            drop(slint::quit_event_loop());
        });
        Ok(Self { window, done })
    }

    /// Shows the screen until the tablet is enrolled, or the window is closed; says which.
    ///
    /// # Errors
    /// When the window can't be shown.
    pub fn run(&self) -> Result<bool, ScreenError> {
        self.window.show().map_err(ScreenError::Window)?;
        slint::run_event_loop().map_err(ScreenError::Window)?;
        self.window.hide().map_err(ScreenError::Window)?;
        Ok(self.done.get())
    }

    /// The window, to look into it.
    #[must_use]
    pub fn window(&self) -> &ui::EnrolWindow {
        &self.window
    }
}
