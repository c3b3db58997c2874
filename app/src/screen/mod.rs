//! The tablet's screens: a [`View`] goes in, what the crew wants recorded comes out as an [`Intent`].
//!
//! `state` is what is open and chosen, without a window; `day` and `pickup` carry it into the Slint
//! globals of the same name, as `config` and `date` do; `words` says which kind a thing is. Text is in `app/ui` alone.

mod config;
mod date;
mod day;
pub mod enrol;
pub mod fault;
pub mod fonts;
#[cfg(feature = "frames")]
pub mod frames;
mod pickup;
mod rows;
mod sign_in;
mod state;
mod words;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use meguri_config::terminal::{Language, ReasonSetting, Terminal, Theme};
use meguri_core::TroubleKind;
use meguri_core::view::{Intent, Link, NotRecorded, Shown, View};
use meguri_proto::clock::japan;
use meguri_proto::{CrewId, FactId, PickupId};
use meguri_screens as ui;
use slint::{ComponentHandle, PlatformError, SharedString};
use tokio::sync::{oneshot, watch};

pub use meguri_screens::Tablet;

use date::DateAdapter;
use day::DayAdapter;
use pickup::PickupAdapter;
use sign_in::SignInAdapter;
pub use sign_in::SignInReply;
use state::State;

/// After something was recorded the page changes under the finger: for so long no button and no row takes a tap,
/// so that a double tap neither takes back what it recorded nor goes on to the next stop.
const HELD: Duration = Duration::from_millis(400);

/// How the terminal answers an intent; called on any thread.
pub type Reply = Box<dyn FnOnce(Result<FactId, NotRecorded>) + Send>;

type SayDate = Box<dyn Fn(Date)>;

/// Why the screens can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// No window could be made.
    #[error("can't make a window (is there a display?): {0}")]
    Window(#[source] PlatformError),
    /// The settings' language is not in the program.
    #[error("can't show the language of the settings: {0}")]
    Language(#[source] slint::SelectBundledTranslationError),
}

/// What of a terminal's settings the screens need.
#[derive(Debug, Clone)]
pub struct Look {
    /// The terminal's name, for the page about it.
    pub terminal: String,
    /// The language.
    pub language: Language,
    /// The colours to start with.
    pub theme: Theme,
    /// Whether the window fills the display.
    pub fullscreen: bool,
    /// The reasons offered, in order.
    pub reasons: Vec<ReasonSetting>,
    /// How long without a tap until the screen locks; zero for never.
    pub lock_after: Duration,
    /// The window's first size, in logical pixels.
    pub size: (u32, u32),
}

impl Look {
    /// Of a tablet that has no settings yet.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            terminal: String::new(),
            language: Language::default(),
            theme: Theme::default(),
            fullscreen: false,
            reasons: Vec::new(),
            lock_after: Duration::ZERO,
            size: (1280, 800),
        }
    }

    /// Of a terminal's settings; 1280x800.
    #[must_use]
    pub fn of(settings: &Terminal) -> Self {
        Self {
            terminal: settings.terminal.to_string(),
            language: settings.screen.language,
            theme: settings.screen.theme,
            fullscreen: settings.screen.fullscreen,
            reasons: settings.reason.clone(),
            lock_after: Duration::from_secs(60 * u64::from(settings.screen.lock_minutes)),
            size: (1280, 800),
        }
    }
}

/// The screens in their window. Lives on the thread of the event loop.
pub struct Screen {
    inside: Rc<Inside>,
}

struct Inside {
    window: Tablet,
    state: RefCell<State>,
    day: DayAdapter,
    date: DateAdapter,
    pickup: PickupAdapter,
    sign_in: Rc<SignInAdapter>,
    record: Box<dyn Fn(Intent, Shown, Reply)>,
    confirm_date: SayDate,
    set_date: RefCell<Option<SayDate>>,
    /// The colours of the settings.
    theme: Cell<Theme>,
    zone: TimeZone,
}

impl Screen {
    /// Makes the window. `record` writes down an intent about what was shown, and answers when it is on the disk, or
    /// why it is not; `confirm_date` takes the crew's word that the date shown is right, and a later view shows what became of it.
    ///
    /// # Errors
    /// When there is no display, or the settings' language is unknown.
    pub fn new(
        look: &Look,
        record: impl Fn(Intent, Shown, Reply) + 'static,
        confirm_date: impl Fn(Date) + 'static,
    ) -> Result<Self, ScreenError> {
        let window = Tablet::new().map_err(ScreenError::Window)?;
        speak(look.language).map_err(ScreenError::Language)?;
        let zone = japan();
        window.global::<ui::Theme>().set_night(look.theme == Theme::Night);
        // Sizes of displays are far below what a float holds exactly.
        #[allow(clippy::cast_precision_loss)]
        let (width, height) = (look.size.0 as f32, look.size.1 as f32);
        window.set_first_width(width);
        window.set_first_height(height);
        window.set_fill(look.fullscreen);
        let about = window.global::<ui::About>();
        about.set_terminal(look.terminal.as_str().into());
        about.set_version(env!("CARGO_PKG_VERSION").into());
        let inside = Rc::new(Inside {
            day: DayAdapter::new(&window),
            date: DateAdapter::new(&window),
            pickup: PickupAdapter::new(&window, zone.clone()),
            sign_in: SignInAdapter::new(&window, &look.terminal, look.lock_after),
            state: RefCell::new(State::new(look.reasons.clone())),
            record: Box::new(record),
            confirm_date: Box::new(confirm_date),
            set_date: RefCell::default(),
            theme: Cell::new(look.theme),
            window,
            zone,
        });
        inside.connect();
        inside.render();
        Ok(Self { inside })
    }

    /// Shows a view.
    pub fn show(&self, view: Arc<View>) {
        self.inside.show(view);
    }

    /// Shows every view that comes, from now until the sender is gone. Needs a running event loop.
    ///
    /// # Errors
    /// When there is no event loop.
    pub fn follow(&self, mut views: watch::Receiver<Arc<View>>) -> Result<(), slint::EventLoopError> {
        let inside = Rc::downgrade(&self.inside);
        self.show(Arc::clone(&views.borrow_and_update()));
        slint::spawn_local(async move {
            while views.changed().await.is_ok() {
                let view = Arc::clone(&views.borrow_and_update());
                let Some(inside) = inside.upgrade() else { return };
                inside.show(view);
            }
        })?;
        Ok(())
    }

    /// Takes over what settings say of screens, as often as they change with the terminal's configuration. Needs a running
    /// event loop.
    ///
    /// # Errors
    /// When there is no event loop.
    pub fn follow_settings(
        &self,
        mut settings: watch::Receiver<Arc<Terminal>>,
    ) -> Result<(), slint::EventLoopError> {
        let inside = Rc::downgrade(&self.inside);
        slint::spawn_local(async move {
            while settings.changed().await.is_ok() {
                let look = Look::of(&settings.borrow_and_update());
                let Some(inside) = inside.upgrade() else { return };
                inside.look(look);
            }
        })?;
        Ok(())
    }

    /// Who is told when the crew says that it is another date than the one shown; a later view shows what became of it.
    pub fn on_set_date(&self, set: impl Fn(Date) + 'static) {
        *self.inside.set_date.borrow_mut() = Some(Box::new(set));
    }

    /// What is to be done when the crew asks for a repair of the store, which it can where an entry is damaged.
    pub fn on_repair(&self, repair: impl FnMut() + 'static) {
        self.inside.window.global::<ui::About>().on_repair(repair);
    }

    /// Who is asked when a member of the crew signs in.
    pub fn on_sign_in(&self, ask: impl Fn(CrewId, String, SignInReply) + 'static) {
        self.inside.sign_in.on_sign_in(ask);
    }

    /// Who is told when the screen is to be locked.
    pub fn on_lock(&self, lock: impl Fn() + 'static) {
        self.inside.sign_in.on_lock(lock);
    }

    /// What is to be done when the crew asks to enrol the tablet anew.
    pub fn on_enrol(&self, enrol: impl Fn() + Clone + 'static) {
        let window = &self.inside.window;
        window.global::<ui::About>().on_enrol(enrol.clone());
        window.global::<ui::SignIn>().on_enrol(enrol);
    }

    /// The window, to show it, size it or look into it.
    #[must_use]
    pub fn window(&self) -> &Tablet {
        &self.inside.window
    }
}

impl Inside {
    fn show(&self, view: Arc<View>) {
        self.state.borrow_mut().show(view);
        self.render();
    }

    fn look(&self, look: Look) {
        if let Err(error) = speak(look.language) {
            tracing::error!(%error, "the screen keeps its language");
        }
        // The crew may have chosen others than the settings before said; it keeps them where those stay.
        if self.theme.replace(look.theme) != look.theme {
            self.window.global::<ui::Theme>().set_night(look.theme == Theme::Night);
        }
        self.window.set_fill(look.fullscreen);
        self.day.forget();
        self.sign_in.lock_after(look.lock_after);
        self.state.borrow_mut().offer(look.reasons);
        self.render();
    }

    fn render(&self) {
        let state = self.state.borrow();
        let window = &self.window;
        window.set_page(words::page(state.page));
        window.set_over(state.over);
        window.global::<ui::Guard>().set_busy(state.writing.is_some());
        self.day.render(window, &state);
        self.pickup.render(window, &state);
        self.date.render(window, &state);
        config::render(window, &state, &self.zone);
        let about = window.global::<ui::About>();
        let version = state.list().map_or(0, |list| number(list.version));
        about.set_list_version(version);
        if let Some(view) = &state.view {
            about.set_waiting(number(view.waiting));
            let kind = view.trouble.as_ref().map(|trouble| trouble.kind);
            about.set_repairable(kind == Some(TroubleKind::Unsendable));
            about.set_refused(matches!(view.link, Link::Refused(_)));
            self.sign_in.show(view);
            let heard = view.heard_at.map(|at| at.to_zoned(self.zone.clone()));
            let heard = heard.map(|at| at.strftime("%Y-%m-%d %H:%M").to_string());
            about.set_heard(heard.unwrap_or_default().into());
        }
    }

    /// Runs a tap and shows what came of it.
    fn tap(self: &Rc<Self>, tap: impl FnOnce(&mut State) -> Option<Intent>) {
        self.sign_in.touched();
        let (intent, shown) = {
            let mut state = self.state.borrow_mut();
            (tap(&mut state), state.shown())
        };
        self.render();
        // Only of what is shown anything is recorded.
        if let (Some(intent), Some(shown)) = (intent, shown) {
            self.write(intent, shown);
        }
    }

    fn write(self: &Rc<Self>, intent: Intent, shown: Shown) {
        let (to, answer) = oneshot::channel();
        (self.record)(intent, shown, Box::new(move |result| drop(to.send(result))));
        let inside = Rc::downgrade(self);
        let waiting = slint::spawn_local(async move {
            // A terminal that is gone has written nothing.
            let stopped = || Err(NotRecorded::Store("the terminal has stopped".to_owned()));
            let result = answer.await.unwrap_or_else(|_| stopped());
            if let Some(inside) = inside.upgrade() {
                inside.answered(result.map(drop));
            }
        });
        if waiting.is_err() {
            self.answered(Err(NotRecorded::Store("the screen has stopped".to_owned())));
        }
    }

    fn answered(self: &Rc<Self>, result: Result<(), NotRecorded>) {
        if self.state.borrow_mut().answered(result) {
            self.hold();
        }
        self.render();
    }

    /// The crew says that the date is right: the one it was shown, which is the last view's.
    fn confirm_date(self: &Rc<Self>) {
        let shown = self.state.borrow().view.as_ref().map(|view| view.today);
        if let Some(shown) = shown {
            // The rows move up under the finger.
            self.hold();
            (self.confirm_date)(shown);
        }
    }

    /// The main button of the page of dates. Where it says the date shown, that is confirmed.
    fn take_date(self: &Rc<Self>) {
        self.sign_in.touched();
        let said = self.state.borrow_mut().take_date();
        self.hold();
        self.render();
        match (said, &*self.set_date.borrow()) {
            (Some(said), _) if self.shows(said) => (self.confirm_date)(said),
            (Some(said), Some(set)) => set(said),
            _ => {}
        }
    }

    fn shows(&self, date: Date) -> bool {
        self.state.borrow().view.as_ref().is_some_and(|view| view.today == date)
    }

    /// No button and no row takes a tap for a moment.
    fn hold(self: &Rc<Self>) {
        self.window.global::<ui::Guard>().set_held(true);
        let inside = Rc::downgrade(self);
        slint::Timer::single_shot(HELD, move || {
            if let Some(inside) = inside.upgrade() {
                inside.window.global::<ui::Guard>().set_held(false);
            }
        });
    }

    fn connect(self: &Rc<Self>) {
        // Every callback holds the window weakly: the window owns the callbacks.
        let weak = Rc::downgrade(self);
        let on = move |tap: fn(&mut State) -> Option<Intent>| {
            let weak = weak.clone();
            move || {
                if let Some(inside) = weak.upgrade() {
                    inside.tap(tap);
                }
            }
        };
        let nothing = |tap: fn(&mut State)| {
            let weak = Rc::downgrade(self);
            move || {
                if let Some(inside) = weak.upgrade() {
                    inside.tap(|state| {
                        tap(state);
                        None
                    });
                }
            }
        };
        let day = self.window.global::<ui::Day>();
        day.on_choose_tab(self.with(|state, tab| state.choose_tab(words::tab_back(tab))));
        day.on_open(self.with(|state, id: SharedString| {
            if let Ok(id) = id.parse::<PickupId>() {
                state.open(id);
            }
        }));
        day.on_about(nothing(State::about));
        let config = self.window.global::<ui::Config>();
        config.on_open(nothing(State::config));
        config.on_back(nothing(State::back));
        config.on_read(nothing(State::read_news));
        let date = self.window.global::<ui::DateChoice>();
        let plainly = |does: fn(&Rc<Self>)| {
            let weak = Rc::downgrade(self);
            move || {
                if let Some(inside) = weak.upgrade() {
                    does(&inside);
                }
            }
        };
        date.on_confirm(plainly(Self::confirm_date));
        date.on_take(plainly(Self::take_date));
        date.on_open(nothing(State::choose_date));
        date.on_back(nothing(State::back));
        date.on_turn(self.with(State::turn_days));
        date.on_choose(self.with(|state, day| state.choose_day(index(day))));
        let pickup = self.window.global::<ui::Pickup>();
        pickup.on_toggle(self.with(|state, item| state.toggle(index(item))));
        pickup.on_more(self.with(|state, item| state.change(index(item), true)));
        pickup.on_fewer(self.with(|state, item| state.change(index(item), false)));
        pickup.on_collect(on(State::collect));
        pickup.on_refuse(nothing(State::refuse));
        pickup.on_undo(on(State::undo));
        pickup.on_anyway(nothing(State::anyway));
        pickup.on_go_next(nothing(State::go_next));
        pickup.on_back(nothing(State::back));
        let causes = self.window.global::<ui::Causes>();
        causes.on_choose(self.with(|state, cause| {
            if let Some(reason) = words::reason(cause) {
                state.choose(reason);
            }
        }));
        causes.on_toggle_same(nothing(State::toggle_same));
        causes.on_confirm(on(State::confirm));
        causes.on_back(nothing(State::back));
        causes.on_note_edited(self.with(|state, note: SharedString| state.edit_note(&note)));
        let about = self.window.global::<ui::About>();
        about.on_back(nothing(State::back));
        let weak = self.window.as_weak();
        about.on_toggle_night(move || {
            if let Some(window) = weak.upgrade() {
                let theme = window.global::<ui::Theme>();
                theme.set_night(!theme.get_night());
            }
        });
    }

    fn with<A: 'static>(self: &Rc<Self>, tap: fn(&mut State, A)) -> impl Fn(A) + 'static {
        let weak = Rc::downgrade(self);
        move |argument| {
            if let Some(inside) = weak.upgrade() {
                inside.tap(|state| {
                    tap(state, argument);
                    None
                });
            }
        }
    }
}

/// Chooses the language of every screen.
fn speak(language: Language) -> Result<(), slint::SelectBundledTranslationError> {
    slint::select_bundled_translation(match language {
        Language::Ja => "",
        Language::En => "en",
    })
}

/// A count for Slint, whose numbers are `i32`.
fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// An index from Slint; a negative one is beyond every item.
fn index(item: i32) -> usize {
    usize::try_from(item).unwrap_or(usize::MAX)
}
