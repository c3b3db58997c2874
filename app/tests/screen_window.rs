//! The screens in a real window on a virtual display, worked by real pointer events; and on a machine
//! without a font.
//!
//! Needs `Xvfb` and `xdotool`. Without a test harness: the program runs itself again as the one with
//! the window, so that the pointer and the window are two processes, as they are for a crew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod display;
mod fixture;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use display::{Display, PATIENCE, wait};
use i_slint_backend_testing::ElementHandle;
use meguri_app::screen::{Reply, Screen, fonts};
use meguri_app::store::Store;
use meguri_config::terminal::{Language, Theme};
use meguri_core::kept::{Contents, Held, Op};
use meguri_core::view::{Intent, Link, NotRecorded};
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{ContractId, DayList, Digest, DocumentName, Fact};
use slint::ComponentHandle;

/// Names the folder for fonts, and makes this program the one with the window.
const WINDOW: &str = "MEGURI_TEST_WINDOW";

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(WINDOW) {
        return window(Path::new(&folder));
    }
    if std::env::args().any(|argument| argument == "--list") {
        println!("screen_window: test");
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().unwrap();
    let display = Display::start();
    pointer_records(&display, folder.path());
    println!("the pointer records: ok");
    pointer_says_the_date(&display, folder.path());
    println!("the pointer reads of a switchover and says the date: ok");
    same_picture_without_fonts(&display, folder.path());
    println!("the same picture without fonts: ok");
    tablet_records(&display, folder.path());
    println!("the tablet records without network and fonts: ok");
    ExitCode::SUCCESS
}

/// The process with the window: answers questions on its input about what is on the screen.
fn window(folder: &Path) -> ExitCode {
    if let Some(code) = fonts::restart_with(folder).expect("the fonts") {
        return code;
    }
    let look = fixture::look(Language::Ja, Theme::Day, (1280, 800));
    let record = |intent: Intent, _, reply: Reply| {
        println!("intent {intent:?}");
        reply(Ok::<_, NotRecorded>(fixture::fact(1)));
    };
    let screen = Screen::new(&look, record, |date| println!("confirmed {date}")).unwrap();
    screen.on_set_date(|date| println!("said {date}"));
    screen.window().show().unwrap();
    screen.show(Arc::new(fixture::view(fixture::few(), Link::Up, 0)));
    let screen = std::rc::Rc::new(screen);
    let (to, mut questions) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { break };
            if to.send(line).is_err() {
                break;
            }
        }
    });
    slint::spawn_local(async move {
        while let Some(question) = questions.recv().await {
            println!("{}", answer(&screen, &question));
        }
        slint::quit_event_loop().unwrap();
    })
    .unwrap();
    slint::run_event_loop().unwrap();
    ExitCode::SUCCESS
}

fn answer(screen: &Screen, question: &str) -> String {
    let (what, label) = question.split_once(' ').unwrap_or((question, ""));
    match what {
        "where" => {
            let found = ElementHandle::find_by_accessible_label(screen.window(), label)
                .find(|element| element.accessible_enabled() != Some(false));
            let Some(element) = found else { return "nowhere".into() };
            let (at, size) = (element.absolute_position(), element.size());
            let scale = screen.window().window().scale_factor();
            format!("at {} {}", (at.x + size.width / 2.0) * scale, (at.y + size.height / 2.0) * scale)
        }
        "collected" => {
            let mut stops = fixture::few();
            fixture::say(&mut stops[1], Outcome::Collected, false);
            screen.show(Arc::new(fixture::view(stops, Link::Up, 0)));
            "shown".into()
        }
        "soon" => {
            screen.show(Arc::new(fixture::before_a_switchover()));
            "shown".into()
        }
        "due" => {
            screen.show(Arc::new(fixture::due()));
            "shown".into()
        }
        "picture" => {
            let picture = screen.window().window().take_snapshot().unwrap();
            let mut hasher = DefaultHasher::new();
            picture.as_bytes().hash(&mut hasher);
            // Letters have soft edges: a picture without them has a dozen colours.
            let mut shades: Vec<[u8; 3]> = picture.as_slice().iter().map(|p| [p.r, p.g, p.b]).collect();
            shades.sort_unstable();
            shades.dedup();
            let drawn = if shades.len() > 60 { "with text" } else { "without text" };
            format!("picture {}x{} {:016x} {drawn}", picture.width(), picture.height(), hasher.finish())
        }
        _ => format!("no such question: {question}"),
    }
}

/// The other process.
struct Windowed {
    child: Child,
    questions: ChildStdin,
    lines: Receiver<String>,
}

impl Windowed {
    fn start(mut command: Command, display: &Display, folder: &Path) -> Self {
        let mut child = command
            .env("DISPLAY", &display.name)
            .env("SLINT_BACKEND", "winit-software")
            .env("SLINT_SCALE_FACTOR", "1")
            .env(WINDOW, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        let questions = child.stdin.take().unwrap();
        Self { child, questions, lines }
    }

    fn here() -> Command {
        Command::new(std::env::current_exe().unwrap())
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the window's process answers")
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.questions, "{question}").unwrap();
        self.next()
    }

    /// Moves the pointer onto what is labelled so, and clicks.
    fn click(&mut self, display: &Display, window: &str, label: &str) {
        let at = wait(label, || {
            let answer = self.ask(&format!("where {label}"));
            answer.strip_prefix("at ").map(str::to_owned)
        });
        let whole = |part: &str| part.split('.').next().unwrap().to_owned();
        let (x, y) = at.split_once(' ').map(|(x, y)| (whole(x), whole(y))).unwrap();
        display.xdotool(&["mousemove", "--sync", "--window", window, &x, &y, "click", "1"]);
    }
}

impl Drop for Windowed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pointer_records(display: &Display, folder: &Path) {
    let mut window = Windowed::start(Windowed::here(), display, folder);
    let id = display.window();
    window.click(display, &id, "2 江波南二丁目 3-18 予定");
    window.click(display, &id, "収集完了");
    let recorded = window.next();
    assert_eq!(recorded, format!("intent {:?}", Intent::Collect { pickup: fixture::pickup(2) }));
    assert_eq!(window.ask("collected"), "shown");

    // On to the next one, a part of which is there.
    window.click(display, &id, "次へ 3  江波西一丁目 25-9");
    window.click(display, &id, "マットレス");
    window.click(display, &id, "1点を収集・残り1点の理由へ");
    window.click(display, &id, "未排出");
    window.click(display, &id, "1点収集・1点不可を記録");
    let recorded = window.next();
    assert!(recorded.starts_with("intent Partly"), "{recorded}");
    assert!(recorded.contains("reason: Some(NotOut)"), "{recorded}");

    // And taken back.
    window.click(display, &id, "記録を取り消す");
    let recorded = window.next();
    assert_eq!(recorded, format!("intent {:?}", Intent::Undo { pickup: fixture::pickup(3) }));
}

/// A coming switchover is read of, and where the clock is in doubt the date is said, confirmed and chosen.
fn pointer_says_the_date(display: &Display, folder: &Path) {
    let mut window = Windowed::start(Windowed::here(), display, folder);
    let id = display.window();
    assert_eq!(window.ask("soon"), "shown");
    window.click(display, &id, "4月8日 0:00から 第二収集 12号車");
    wait("the page about it", || window.ask("where 4月8日 0:00から").starts_with("at ").then_some(()));
    window.click(display, &id, "閉じる");
    assert_eq!(window.ask("due"), "shown");
    window.click(display, &id, "今日は 4月1日(水) で正しい");
    assert_eq!(window.next(), "confirmed 2026-04-01");
    window.click(display, &id, "別の日");
    window.click(display, &id, "4月12日(日)");
    window.click(display, &id, "今日は 4月12日(日) にする");
    window.click(display, &id, "はい、今日は 4月12日(日) です");
    assert_eq!(window.next(), "said 2026-04-12");
}

/// A shell command that runs what follows it where there are no fonts.
fn without_fonts(program: &Path, arguments: &[&std::ffi::OsStr]) -> Command {
    let hide = "for folder in /usr/share/fonts /usr/local/share/fonts /etc/fonts /root/.fonts \
                /usr/share/ghostscript /usr/share/texmf; do \
                [ ! -d $folder ] || mount -t tmpfs none $folder || exit 90; done; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", hide]).arg(program).args(arguments);
    command
}

/// Whether this machine lets a process hide folders from itself.
fn can_hide() -> bool {
    let tried = without_fonts(Path::new("true"), &[]).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        println!("this machine allows no namespaces: what follows runs with its fonts in sight");
    }
    can
}

fn same_picture_without_fonts(display: &Display, folder: &Path) {
    let here = std::env::current_exe().unwrap();
    let with = {
        let mut window = Windowed::start(Windowed::here(), display, &folder.join("with"));
        display.window();
        window.ask("picture")
    };
    assert!(with.ends_with("with text"), "{with}");
    let bare = if can_hide() { without_fonts(&here, &[]) } else { Windowed::here() };
    let mut window = Windowed::start(bare, display, &folder.join("without"));
    display.window();
    assert_eq!(window.ask("picture"), with);
}

const SELECTED: u32 = 0x00DD_EFE4;
const GO: u32 = 0x000A_6B3C;

/// The whole program: without network and fonts it starts on the list it last had, and what it has shown
/// as recorded is on the disk when it is killed the moment after.
fn tablet_records(display: &Display, folder: &Path) {
    let settings = folder.join("terminal.toml");
    // Nobody listens on port 1.
    let text = "version = 1\ncity = \"hiroshima\"\nterminal = \"t-0003\"\ncontractor = \"first\"\n\
                contract = \"first-2026\"\nvehicle = \"v-03\"\n\
                [broker]\nhost = \"127.0.0.1\"\nport = 1\nsecret_file = \"secret\"\n";
    std::fs::write(&settings, text).unwrap();
    std::fs::write(folder.join("secret"), "0123456789abcdef").unwrap();
    let clock = folder.join("clock.toml");
    let real = jiff::Timestamp::now();
    let text = format!("real = \"{real}\"\nfrom = \"2026-04-01T00:00:00Z\"\nspeed = 1.0\n");
    std::fs::write(&clock, text).unwrap();
    let data = folder.join("data");
    keep_list(&data);

    let tablet = Path::new(env!("CARGO_BIN_EXE_tablet"));
    let mut arguments: Vec<&std::ffi::OsStr> = vec!["--settings".as_ref(), settings.as_ref()];
    arguments.extend(["--data".as_ref(), data.as_os_str(), "--rehearsal".as_ref(), clock.as_ref()]);
    let mut command = if can_hide() {
        without_fonts(tablet, &arguments)
    } else {
        let mut command = Command::new(tablet);
        command.args(arguments);
        command
    };
    let mut running = command
        .env("DISPLAY", &display.name)
        .env("SLINT_BACKEND", "winit-software")
        .env("SLINT_SCALE_FACTOR", "1")
        .env_remove("FONTCONFIG_FILE")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    display.window();
    let shows = |what: &str, x, y, colour| {
        wait(what, || (display.colour(x, y) == colour).then_some(()));
    };
    // Rows stand 110 lower than usual: a strip says that the date is in doubt until the crew says that it is right.
    shows("the first stop is open", 400, 345, SELECTED);
    display.click(274, 211);
    shows("the strip is gone", 400, 150, SELECTED);
    // For a moment after that no row takes a tap.
    let mut x = 200;
    wait("the second stop is open", || {
        // A pointer that is there already would be waited for.
        x ^= 1;
        display.click(x, 283);
        (display.colour(400, 245) == SELECTED).then_some(())
    });
    assert_ne!(display.colour(480, 38), GO, "nothing is done yet");
    display.click(1_035, 735);
    shows("the round has gone on", 480, 38, GO);
    running.kill().unwrap();
    running.wait().unwrap();

    let (_store, kept) =
        Store::open(&data, &"hiroshima".parse().unwrap(), &"t-0003".parse().unwrap(), None).unwrap();
    let confirmed = kept.time.unwrap().confirmed.unwrap();
    assert_eq!(confirmed.date, jiff::civil::date(2026, 4, 1));
    let facts = kept.fact.unwrap().entries;
    assert_eq!(facts.len(), 1);
    let Fact::Outcome(outcome) = &facts[0].own.as_ref().unwrap().fact else { panic!("not an outcome") };
    assert_eq!((outcome.pickup, &outcome.result), (fixture::pickup(2), &Outcome::Collected));
    assert!(data.join("fonts/VLPGothic-kanji.ttf").exists());
}

/// Puts a list into a terminal's store, as an earlier day with a line did.
fn keep_list(data: &Path) {
    let (mut store, _) =
        Store::open(data, &"hiroshima".parse().unwrap(), &"t-0003".parse().unwrap(), None).unwrap();
    let contract: ContractId = "first-2026".parse().unwrap();
    let list = DayList {
        v: 1,
        contract: contract.clone(),
        date: jiff::civil::date(2026, 4, 1),
        contractor: "第一収集".into(),
        vehicle: "3号車".into(),
        round: "中区Aコース".into(),
        seen: vec![],
        pickups: fixture::few().iter().map(|stop| (*stop.listed).clone()).collect(),
    };
    let body = serde_json::to_string(&list).unwrap();
    let name = DocumentName::List { contract, date: list.date };
    let held = Held {
        version: 7,
        digest: Digest::of(body.as_bytes()),
        contents: Contents::List(Arc::new(list.into())),
    };
    store.commit(&[Op::Document { name, held, body: Some(body) }]).unwrap();
}
