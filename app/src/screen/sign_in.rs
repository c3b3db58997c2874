//! The crew's sign-in: who is chosen, the digits that were typed, and the lock of the screen.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use meguri_core::sign_in::NotSignedIn;
use meguri_core::view::{Crew, View};
use meguri_proto::CrewId;
use meguri_proto::crew::{PIN_DIGITS, PIN_DIGITS_MOST};
use meguri_screens as ui;
use slint::{ComponentHandle, ModelRc, SharedString, Timer, TimerMode, VecModel};
use tokio::sync::oneshot;

use super::{Tablet, number, rows};

/// How the terminal answers a sign-in; called on any thread.
pub type SignInReply = Box<dyn FnOnce(Result<(), NotSignedIn>) + Send>;

type Ask = Box<dyn Fn(CrewId, String, SignInReply)>;

/// Fills the global `SignIn`. Lives as long as the window.
pub(crate) struct SignInAdapter {
    window: slint::Weak<Tablet>,
    members: Rc<VecModel<ui::CrewRow>>,
    chosen: RefCell<Option<CrewId>>,
    pin: RefCell<String>,
    crew: RefCell<Crew>,
    ask: RefCell<Option<Ask>>,
    lock: RefCell<Option<Box<dyn Fn()>>>,
    /// No PIN is taken before.
    wait_until: Cell<Option<Instant>>,
    clock: Timer,
    idle: Timer,
    lock_after: Cell<Duration>,
}

impl SignInAdapter {
    pub(crate) fn new(window: &Tablet, terminal: &str, lock_after: Duration) -> Rc<Self> {
        let members = Rc::new(VecModel::default());
        let global = window.global::<ui::SignIn>();
        global.set_members(ModelRc::from(Rc::clone(&members)));
        global.set_terminal(terminal.into());
        let adapter = Rc::new(Self {
            window: window.as_weak(),
            members,
            chosen: RefCell::default(),
            pin: RefCell::default(),
            crew: RefCell::default(),
            ask: RefCell::default(),
            lock: RefCell::default(),
            wait_until: Cell::default(),
            clock: Timer::default(),
            idle: Timer::default(),
            lock_after: Cell::new(lock_after),
        });
        adapter.connect(window);
        adapter
    }

    /// The settings say that the screen locks after another while.
    pub(crate) fn lock_after(self: &Rc<Self>, lock_after: Duration) {
        self.lock_after.set(lock_after);
        self.touched();
    }

    pub(crate) fn on_sign_in(&self, ask: impl Fn(CrewId, String, SignInReply) + 'static) {
        *self.ask.borrow_mut() = Some(Box::new(ask));
    }

    pub(crate) fn on_lock(&self, lock: impl Fn() + 'static) {
        *self.lock.borrow_mut() = Some(Box::new(lock));
    }

    fn connect(self: &Rc<Self>, window: &Tablet) {
        let with = |tap: fn(&Rc<Self>, &str)| {
            let weak = Rc::downgrade(self);
            move |text: SharedString| {
                if let Some(adapter) = weak.upgrade() {
                    tap(&adapter, &text);
                }
            }
        };
        let global = window.global::<ui::SignIn>();
        global.on_choose(with(|adapter, id| {
            *adapter.chosen.borrow_mut() = id.parse().ok();
            adapter.pin.borrow_mut().clear();
            adapter.tell(ui::SignInProblem::None);
        }));
        global.on_digit(with(|adapter, digit| {
            let mut pin = adapter.pin.borrow_mut();
            if pin.len() < PIN_DIGITS_MOST {
                pin.push_str(digit);
            }
            drop(pin);
            adapter.tell(ui::SignInProblem::None);
        }));
        let take_back = with(|adapter, _| {
            adapter.pin.borrow_mut().pop();
            adapter.render();
        });
        global.on_take_back(move || take_back(SharedString::new()));
        let sign_in = with(|adapter, _| adapter.sign_in());
        global.on_sign_in(move || sign_in(SharedString::new()));
        let lock = with(|adapter, _| adapter.lock_now());
        window.global::<ui::About>().on_lock(move || lock(SharedString::new()));
    }

    /// Shows who may sign in, and whether somebody must.
    pub(crate) fn show(self: &Rc<Self>, view: &View) {
        let was_locked = self.crew.borrow().locked;
        let crew = view.crew.clone();
        let row = |(id, name): &(CrewId, String)| ui::CrewRow {
            id: id.as_str().into(),
            name: name.as_str().into(),
        };
        rows::update(&self.members, crew.members.iter().map(row).collect(), |row| row.id.clone());
        let known = |id: &CrewId| crew.members.iter().any(|(member, _)| member == id);
        if self.chosen.borrow().as_ref().is_some_and(|chosen| !known(chosen)) {
            *self.chosen.borrow_mut() = None;
            self.pin.borrow_mut().clear();
        }
        if crew.locked && !was_locked {
            // Most often the same one goes on.
            (*self.chosen.borrow_mut()).clone_from(&crew.signed_in);
            self.pin.borrow_mut().clear();
        }
        if let Some(window) = self.window.upgrade() {
            let global = window.global::<ui::SignIn>();
            global.set_shown(crew.locked);
            global.set_erased(view.erased);
            let about = window.global::<ui::About>();
            about.set_crewed(!crew.members.is_empty());
            let name =
                crew.signed_in.as_ref().and_then(|id| crew.members.iter().find(|(member, _)| member == id));
            about.set_crew(name.map(|(_, name)| name.as_str()).unwrap_or_default().into());
        }
        let was_crewed = !self.crew.borrow().members.is_empty();
        let crewed = !crew.members.is_empty();
        *self.crew.borrow_mut() = crew;
        if was_locked != self.crew.borrow().locked || was_crewed != crewed {
            self.touched();
        }
        self.render();
    }

    /// Somebody has tapped: the screen stays open for a while.
    pub(crate) fn touched(self: &Rc<Self>) {
        self.idle.stop();
        let crew = self.crew.borrow();
        if self.lock_after.get().is_zero() || crew.locked || crew.members.is_empty() {
            return;
        }
        let weak = Rc::downgrade(self);
        self.idle.start(TimerMode::SingleShot, self.lock_after.get(), move || {
            if let Some(adapter) = weak.upgrade() {
                adapter.lock_now();
            }
        });
    }

    fn lock_now(&self) {
        if let Some(lock) = &*self.lock.borrow() {
            lock();
        }
    }

    fn sign_in(self: &Rc<Self>) {
        let Some(member) = self.chosen.borrow().clone() else { return };
        let pin = std::mem::take(&mut *self.pin.borrow_mut());
        let (to, answer) = oneshot::channel();
        if let Some(ask) = &*self.ask.borrow() {
            ask(member, pin, Box::new(move |result| drop(to.send(result))));
        }
        self.busy(true);
        let weak = Rc::downgrade(self);
        let waiting = slint::spawn_local(async move {
            let result = answer.await.unwrap_or(Err(NotSignedIn::Busy));
            if let Some(adapter) = weak.upgrade() {
                adapter.answered(&result);
            }
        });
        if waiting.is_err() {
            self.answered(&Err(NotSignedIn::Busy));
        }
    }

    fn answered(self: &Rc<Self>, result: &Result<(), NotSignedIn>) {
        self.busy(false);
        self.tell(match result {
            Ok(()) => ui::SignInProblem::None,
            Err(NotSignedIn::Wrong) => ui::SignInProblem::Wrong,
            Err(NotSignedIn::Wait(wait)) => {
                self.wait(*wait);
                ui::SignInProblem::Wait
            }
            Err(NotSignedIn::Unknown | NotSignedIn::Busy) => ui::SignInProblem::Other,
        });
    }

    /// Counts down until PINs are taken again.
    fn wait(self: &Rc<Self>, wait: Duration) {
        self.wait_until.set(Some(Instant::now() + wait));
        let weak = Rc::downgrade(self);
        self.clock.start(TimerMode::Repeated, Duration::from_secs(1), move || {
            let Some(adapter) = weak.upgrade() else { return };
            if adapter.left().is_zero() {
                adapter.clock.stop();
            }
            adapter.render();
        });
    }

    fn left(&self) -> Duration {
        self.wait_until.get().map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    fn busy(&self, busy: bool) {
        if let Some(window) = self.window.upgrade() {
            window.global::<ui::SignIn>().set_busy(busy);
        }
        self.render();
    }

    fn tell(&self, problem: ui::SignInProblem) {
        if let Some(window) = self.window.upgrade() {
            window.global::<ui::SignIn>().set_problem(problem);
        }
        self.render();
    }

    fn render(&self) {
        let Some(window) = self.window.upgrade() else { return };
        let global = window.global::<ui::SignIn>();
        let chosen = self.chosen.borrow();
        let crew = self.crew.borrow();
        let name = crew.members.iter().find(|(id, _)| Some(id) == chosen.as_ref());
        global.set_chosen(chosen.as_ref().map(CrewId::as_str).unwrap_or_default().into());
        global.set_chosen_name(name.map(|(_, name)| name.as_str()).unwrap_or_default().into());
        let typed = self.pin.borrow().len();
        global.set_typed(number(typed));
        global.set_ready(typed >= PIN_DIGITS);
        // A part of a second is shown as one.
        let left = self.left();
        global.set_wait(number(left.as_secs() + u64::from(left.subsec_nanos() > 0)));
    }
}
