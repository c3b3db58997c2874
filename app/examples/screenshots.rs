//! Draws the tablet's screens into PNG files, without a display: `screenshots FOLDER`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use i_slint_backend_testing::ElementHandle;
use meguri_app::enrol::EnrolError;
use meguri_app::screen::enrol::EnrolScreen;
use meguri_app::screen::fault::FaultScreen;
use meguri_app::screen::{Screen, fonts};
use meguri_app::store::StoreError;
use meguri_config::terminal::{Language, Theme};
use meguri_core::view::{ConfigView, Intent, Link, NotRecorded, StickRead, View};
use meguri_core::{Trouble, TroubleKind};
use meguri_proto::pickup::{Contradiction, Result as Outcome, State};
use meguri_proto::{ConfigState, ConfigWhy, Reason};
use slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use slint::platform::{EventLoopProxy, Platform, WindowAdapter};
use slint::{ComponentHandle, PhysicalSize, PlatformError, Rgb8Pixel};

type Work = Box<dyn FnOnce() + Send>;

thread_local! {
    static WINDOW: RefCell<Option<Rc<MinimalSoftwareWindow>>> = const { RefCell::new(None) };
}

#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Work>>>);

impl EventLoopProxy for Queue {
    fn quit_event_loop(&self) -> Result<(), slint::EventLoopError> {
        Ok(())
    }

    fn invoke_from_event_loop(&self, work: Work) -> Result<(), slint::EventLoopError> {
        self.0.lock().unwrap().push_back(work);
        Ok(())
    }
}

struct Easel {
    started: Instant,
    queue: Queue,
}

impl Platform for Easel {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::NewBuffer);
        WINDOW.with_borrow_mut(|last| *last = Some(Rc::clone(&window)));
        Ok(window)
    }

    fn duration_since_start(&self) -> Duration {
        self.started.elapsed()
    }

    fn new_event_loop_proxy(&self) -> Option<Box<dyn EventLoopProxy>> {
        Some(Box::new(self.queue.clone()))
    }
}

/// Lets everything happen that was set off, drawing as a window does.
fn settle(window: &MinimalSoftwareWindow, size: (u32, u32), queue: &Queue) -> Vec<Rgb8Pixel> {
    let mut picture = Vec::new();
    for _ in 0..4 {
        loop {
            let work = queue.0.lock().unwrap().pop_front();
            let Some(work) = work else { break };
            work();
        }
        slint::platform::update_timers_and_animations();
        picture = vec![Rgb8Pixel::default(); (size.0 * size.1) as usize];
        window.request_redraw();
        window.draw_if_needed(|renderer| {
            renderer.render(&mut picture, size.0 as usize);
        });
    }
    picture
}

/// One window with its screen.
struct Sitting {
    screen: Screen,
    window: Rc<MinimalSoftwareWindow>,
    size: (u32, u32),
    queue: Queue,
}

impl Sitting {
    fn new(queue: &Queue, language: Language, theme: Theme, size: (u32, u32), view: View) -> Self {
        Self::answering(queue, language, theme, size, view, Ok(()))
    }

    fn answering(
        queue: &Queue,
        language: Language,
        theme: Theme,
        size: (u32, u32),
        view: View,
        answer: Result<(), NotRecorded>,
    ) -> Self {
        let look = fixture::look(language, theme, size);
        let record = move |_: Intent, _, reply: meguri_app::screen::Reply| {
            reply(answer.clone().map(|()| fixture::fact(1)));
        };
        let screen = Screen::new(&look, record, |_| {}).unwrap();
        let window = WINDOW.with_borrow(Clone::clone).unwrap();
        window.set_size(PhysicalSize::new(size.0, size.1));
        screen.window().show().unwrap();
        let sitting = Self { screen, window, size, queue: queue.clone() };
        sitting.settle();
        sitting.screen.show(Arc::new(view));
        sitting.settle();
        sitting
    }

    fn settle(&self) -> Vec<Rgb8Pixel> {
        settle(&self.window, self.size, &self.queue)
    }

    fn tap(&self, label: &str) -> &Self {
        let element = ElementHandle::find_by_accessible_label(self.screen.window(), label)
            .next()
            .unwrap_or_else(|| panic!("nothing is labelled {label:?}"));
        element.invoke_accessible_default_action();
        self.settle();
        self
    }

    fn draw(&self, path: &Path) {
        write(path, &self.settle(), self.size);
    }
}

fn write(path: &Path, picture: &[Rgb8Pixel], size: (u32, u32)) {
    let bytes: Vec<u8> = picture.iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
    println!("{}", path.display());
}

const WIDE: (u32, u32) = (1280, 800);
const SMALL: (u32, u32) = (1024, 600);
const LOW: (u32, u32) = (800, 480);
const PORTRAIT: (u32, u32) = (800, 1280);
const SOON: &str = "4月8日 0:00から 第二収集 12号車";
const FIRST: &str = "42 江波東一丁目 12-7-304 予定";

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder to draw into"));
    let data = std::env::temp_dir().join(format!("meguri-fonts-{}", env!("CARGO_PKG_VERSION")));
    if let Some(code) = fonts::restart_with(&data).expect("the fonts") {
        return code;
    }
    std::fs::create_dir_all(&folder).unwrap();
    let queue = Queue::default();
    slint::platform::set_platform(Box::new(Easel { started: Instant::now(), queue: queue.clone() })).unwrap();
    let extra = std::env::args().nth(2).is_some_and(|what| what == "all");
    for (theme, name) in [(Theme::Day, "day"), (Theme::Night, "night")] {
        main_screens(&queue, theme, name, &folder);
    }
    if extra {
        rare_screens(&queue, &folder);
    }
    ExitCode::SUCCESS
}

/// The screen of a terminal whose store is damaged, before and after its button was pressed.
fn cannot_start(queue: &Queue, language: Language, theme: Theme, size: (u32, u32), file: &Path) {
    let problem = "database disk image is malformed".to_owned();
    let error = StoreError::Damaged { path: "/data/terminal.db".into(), problem };
    let screen = FaultScreen::new(&fixture::look(language, theme, size), &error, Path::new("/data")).unwrap();
    let window = WINDOW.with_borrow(Clone::clone).unwrap();
    window.set_size(PhysicalSize::new(size.0, size.1));
    screen.window().show().unwrap();
    write(file, &settle(&window, size, queue), size);
    screen.window().set_sure(true);
    write(&file.with_extension("sure.png"), &settle(&window, size, queue), size);
}

fn enrols(queue: &Queue, language: Language, theme: Theme, size: (u32, u32), file: &Path) {
    let look = fixture::look(language, theme, size);
    let screen = EnrolScreen::new(&look, |_, _| Err(EnrolError::Impostor)).unwrap();
    let window = WINDOW.with_borrow(Clone::clone).unwrap();
    window.set_size(PhysicalSize::new(size.0, size.1));
    screen.window().show().unwrap();
    write(file, &settle(&window, size, queue), size);
    screen.window().set_code("ABCD-EFGH-JKMN-PQRS".into());
    screen.window().set_office("https://office.example.jp:8651".into());
    screen.window().set_problem(meguri_screens::EnrolProblem::Refused);
    screen
        .window()
        .set_detail("the office refuses: the code is not taken; ask the office for a new one".into());
    write(&file.with_extension("refused.png"), &settle(&window, size, queue), size);
}

/// The screens of every day, for the book.
fn main_screens(queue: &Queue, theme: Theme, name: &str, folder: &Path) {
    let file = |what: &str| folder.join(format!("tablet-{what}-{name}.png"));
    let new = |size| Sitting::new(queue, Language::Ja, theme, size, fixture::day());
    let wide = new(WIDE);
    wide.draw(&file("wide"));
    wide.tap("収集不可").tap("納付券不足・未貼付").draw(&file("wide-reason"));
    Sitting::new(queue, Language::Ja, theme, WIDE, fixture::locked())
        .tap("乗務員 乙")
        .tap("2")
        .tap("7")
        .tap("3")
        .draw(&file("sign-in"));
    let portrait = new(PORTRAIT);
    portrait.draw(&file("portrait"));
    portrait.tap(FIRST).draw(&file("portrait-pickup"));
    let soon = |size| Sitting::new(queue, Language::Ja, theme, size, fixture::before_a_switchover());
    soon(WIDE).tap(SOON).draw(&file("switchover"));
    soon(PORTRAIT).draw(&file("portrait-switchover"));
    soon(LOW).tap(SOON).draw(&file("low-switchover"));
    let doubt = |size| Sitting::new(queue, Language::Ja, theme, size, fixture::due());
    doubt(WIDE).tap("別の日").tap("4月12日(日)").draw(&file("date"));
    let low = doubt(LOW);
    low.tap("別の日").tap("4月12日(日)").draw(&file("low-date"));
    let low = new(LOW);
    low.draw(&file("low"));
    low.tap(FIRST).draw(&file("low-pickup"));
    low.tap("収集不可").draw(&file("low-reason"));
}

/// Rarer ones, to be looked at when something changes.
fn rare_screens(queue: &Queue, folder: &Path) {
    let file = |what: &str| folder.join(format!("rare-{what}.png"));
    let new = |size, view| Sitting::new(queue, Language::Ja, Theme::Day, size, view);

    let partly = new(WIDE, fixture::day());
    partly.tap("椅子").tap("椅子を1点増やす").tap("冷蔵庫（170L以下）").draw(&file("partly"));
    let portrait = new(PORTRAIT, fixture::day());
    portrait.tap(FIRST).tap("収集不可").draw(&file("portrait-reason"));
    partly.tap("2点を収集・残り2点の理由へ").tap("数量相違").draw(&file("partly-reason"));
    partly.tap("次の品目へ").tap("その他").tap("メモの入力へ");
    partly.tap("門が閉まっている").draw(&file("note"));

    for (size, name) in [(WIDE, "wide"), (LOW, "low"), (PORTRAIT, "portrait")] {
        let note = new(size, fixture::day());
        note.tap(FIRST).tap("収集不可").tap("その他").tap("メモの入力へ");
        for _ in 0..50 {
            note.tap("他の人のごみと混在");
        }
        note.draw(&file(&format!("note-full-{name}")));
    }

    let recorded = new(WIDE, fixture::day());
    recorded.tap("4点とも収集完了");
    let mut view = fixture::day();
    fixture::say(&mut view.list.as_mut().unwrap().stops[41], Outcome::Collected, true);
    let stops = view.list.unwrap().stops;
    recorded.screen.show(Arc::new(fixture::view(stops, Link::Down, 4)));
    recorded.draw(&file("recorded"));
    recorded.tap("済 38").draw(&file("done"));

    let failure = Err(NotRecorded::Store("database or disk is full".into()));
    let failed = Sitting::answering(queue, Language::Ja, Theme::Day, WIDE, fixture::day(), failure);
    failed.tap("4点とも収集完了").draw(&file("failed"));

    for (size, name) in [(WIDE, "wide"), (LOW, "low"), (PORTRAIT, "portrait")] {
        let hard = new(size, fixture::hard());
        hard.draw(&file(&format!("hard-{name}")));
        hard.tap("1 安佐南区沼田町大字阿戸字槗ヶ谷東二丁目 12345番地の67-8901号室 予定");
        hard.draw(&file(&format!("hard-{name}-pickup")));
    }
    let hard = new(WIDE, fixture::hard());
    hard.tap("不可・取消 4").draw(&file("states"));

    let none =
        View { list: None, link: Link::Joining, clock_in_doubt: true, ..fixture::view(vec![], Link::Up, 0) };
    new(WIDE, none).draw(&file("no-list"));
    for (size, name) in [(WIDE, "wide"), (LOW, "low"), (PORTRAIT, "portrait")] {
        let doubt = View { link: Link::Down, clock_in_doubt: true, ..fixture::day() };
        new(size, doubt.clone()).draw(&file(&format!("date-{name}")));
        let english = Sitting::new(queue, Language::En, Theme::Night, size, doubt);
        english.draw(&file(&format!("date-{name}-english")));
    }
    let trouble = View {
        trouble: Some(Trouble::new(
            TroubleKind::DiskFull,
            "can't write to the disk: database or disk is full",
        )),
        link: Link::Refused("bad user name or password".into()),
        ..fixture::day()
    };
    new(WIDE, trouble.clone()).draw(&file("trouble"));
    new(LOW, trouble).draw(&file("trouble-low"));

    let unsendable = View {
        trouble: Some(Trouble::new(
            TroubleKind::Unsendable,
            "entry 31 of the fact log is damaged on the disk",
        )),
        ..fixture::day()
    };
    for (size, name) in [(WIDE, "wide"), (SMALL, "small"), (LOW, "low"), (PORTRAIT, "portrait")] {
        let damaged = new(size, unsendable.clone());
        damaged.draw(&file(&format!("unsendable-{name}")));
        damaged.tap("端末").draw(&file(&format!("unsendable-{name}-about")));
        damaged.tap("壊れた記録を別に保管する").draw(&file(&format!("unsendable-{name}-sure")));
        for (language, theme, look) in [
            (Language::Ja, Theme::Day, "day"),
            (Language::Ja, Theme::Night, "night"),
            (Language::En, Theme::Day, "english"),
        ] {
            cannot_start(queue, language, theme, size, &file(&format!("fault-{name}-{look}")));
            enrols(queue, language, theme, size, &file(&format!("enrol-{name}-{look}")));
        }
    }

    let mut stops = fixture::few();
    fixture::say(&mut stops[0], Outcome::NotCollected { reason: Reason::NotOut, note: None }, false);
    fixture::change(&mut stops[0], |listed| {
        listed.others = vec![fixture::statement(99, "t-0008", Outcome::Collected)]
    });
    stops[0].state = State::Collected;
    stops[0].contradictions = vec![Contradiction::TerminalsDiffer];
    let differs = new(WIDE, fixture::view(stops, Link::Up, 0));
    differs.tap("済 1").tap("1 江波東一丁目 12-7-304 収集済").draw(&file("differs"));

    for (size, name) in [(WIDE, "wide"), (SMALL, "small"), (LOW, "low"), (PORTRAIT, "portrait")] {
        for (language, theme, look) in [
            (Language::Ja, Theme::Day, "day"),
            (Language::Ja, Theme::Night, "night"),
            (Language::En, Theme::Day, "english"),
        ] {
            let sitting = Sitting::new(queue, language, theme, size, fixture::locked());
            sitting.draw(&file(&format!("sign-in-{name}-{look}")));
            sitting.tap("乗務員 乙");
            for digit in ["2", "7", "3", "9", "4", "1"] {
                sitting.tap(digit);
            }
            sitting.draw(&file(&format!("sign-in-{name}-{look}-typed")));
            sitting
                .screen
                .window()
                .global::<meguri_screens::SignIn>()
                .set_problem(meguri_screens::SignInProblem::Wait);
            sitting.screen.window().global::<meguri_screens::SignIn>().set_wait(30);
            sitting.draw(&file(&format!("sign-in-{name}-{look}-wait")));
            let erased = View { list: None, erased: true, ..fixture::day() };
            Sitting::new(queue, language, theme, size, erased).draw(&file(&format!("erased-{name}-{look}")));
        }
    }
    configurations(queue, folder);

    let crewed = View {
        crew: meguri_core::view::Crew {
            locked: false,
            signed_in: Some("c-012".parse().unwrap()),
            ..fixture::locked().crew
        },
        link: Link::Refused("the broker does not let it in".into()),
        ..fixture::day()
    };
    new(WIDE, crewed).tap("端末").draw(&file("about-crew"));

    let about = new(WIDE, fixture::day());
    about.tap("端末").draw(&file("about"));
    let about = Sitting::new(queue, Language::Ja, Theme::Night, LOW, fixture::day());
    about.tap("端末").draw(&file("about-low-night"));

    let english = Sitting::new(queue, Language::En, Theme::Day, WIDE, fixture::day());
    english.draw(&file("english"));
    english.tap("Not collected").draw(&file("english-reason"));
    let english = Sitting::new(queue, Language::En, Theme::Day, LOW, fixture::day());
    english.draw(&file("english-low"));
}

/// What the screens tell of the terminal's configuration, in every shape of a window.
fn configurations(queue: &Queue, folder: &Path) {
    let views = |config: ConfigView| View { config, ..fixture::day() };
    let changed = Some(fixture::coming("2026-03-31T15:00:00Z"));
    let news = views(ConfigView { changed, ..ConfigView::default() });
    let state = |state, why, stick| {
        let why = Some((why, "the broker says: not authorized".to_owned()));
        let soon = fixture::before_a_switchover().config;
        views(ConfigView { state: Some(state), why, stick, ..soon })
    };
    let reverted = state(ConfigState::Reverted, ConfigWhy::BrokerRefused, None);
    let stick = Some(StickRead::Refused(ConfigWhy::OldVersion));
    let degraded = state(ConfigState::Degraded, ConfigWhy::PeripheralMissing, stick);
    for (size, window) in [(WIDE, "wide"), (SMALL, "small"), (LOW, "low"), (PORTRAIT, "portrait")] {
        for (language, theme, look) in [
            (Language::Ja, Theme::Day, "day"),
            (Language::Ja, Theme::Night, "night"),
            (Language::En, Theme::Day, "english"),
        ] {
            let file = |what: &str| folder.join(format!("rare-{what}-{window}-{look}.png"));
            let new = |view: &View| Sitting::new(queue, language, theme, size, view.clone());
            let says = |japanese, english| if language == Language::Ja { japanese } else { english };
            new(&news).draw(&file("news"));
            new(&View { config: news.config.clone(), ..fixture::locked() }).draw(&file("news-sign-in"));
            new(&fixture::before_a_switchover())
                .tap(says(SOON, "From 4/8 0:00: 第二収集 12号車"))
                .draw(&file("switchover"));
            for (view, what) in [(&reverted, "reverted"), (&degraded, "degraded")] {
                let sitting = new(view);
                sitting.draw(&file(what));
                sitting.tap(says("端末 要確認", "See terminal")).draw(&file(&format!("{what}-about")));
                sitting
                    .tap(says("設定と業者切替", "Settings and switchover"))
                    .draw(&file(&format!("{what}-page")));
            }
            let doubt = new(&fixture::due());
            doubt.draw(&file("due"));
            doubt.tap(says("別の日", "Another")).draw(&file("due-dates"));
            doubt.tap(says("4月12日(日)", "Sun 4/12"));
            doubt
                .tap(says("今日は 4月12日(日) にする", "Say that today is Sun 4/12"))
                .draw(&file("due-sure"));
            let locked = View { clock_in_doubt: true, config: fixture::due().config, ..fixture::locked() };
            new(&locked).draw(&file("due-sign-in"));
        }
    }
}
