//! The tablet with 300 pickups in a real window: start, memory and frames while the list is flung, beside a Chromium page
//! with the same list on the same display.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use meguri_app::store::Store;
use meguri_config::Terminal;
use meguri_core::kept::{Contents, Held, Op};
use meguri_proto::clock::business_date;
use meguri_proto::pickup::OfficeWord;
use meguri_proto::{
    DayList, Digest, DocumentName, Item, Listed, Message as _, Payment, PickupId, Place, Ticket,
};
use uuid::Uuid;

use super::{Row, Setting};
use crate::harness::process::{Process, program};

const GROUP: &str = "tablet";
const PICKUPS: usize = 300;
const STARTS: usize = 5;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Fewer frames say nothing of the slowest hundredth.
const FRAMES: usize = 300;

/// Measures the tablet and its peer.
///
/// # Errors
/// When a program can't be run, or what it shows does not come.
pub fn measure(setting: &Setting) -> anyhow::Result<Vec<Row>> {
    for needed in ["Xvfb", "xdotool", "chromium"] {
        let there = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", needed]).status()?;
        if !there.success() {
            return Ok(vec![Row::skipped(
                GROUP,
                "the tablet in a real window",
                format!("{needed} is not installed"),
            )]);
        }
    }
    let tablet = program("tablet")?;
    let help = Command::new(&tablet).arg("--help").output().context("can't run the tablet")?;
    if !String::from_utf8_lossy(&help.stdout).contains("--trace-frames") {
        let why = "build it with `cargo build --release -p meguri-app --features frames --bin tablet`";
        return Ok(vec![Row::skipped(GROUP, "the tablet in a real window", why)]);
    }
    let display = Display::start(&setting.dir)?;
    let list = list()?;
    let settings = prepare(&setting.dir, &list)?;
    let place = Seat { dir: &setting.dir, display: &display, tablet: &tablet, settings: &settings };

    // The first start lays the fonts down; it is no start of every day.
    place.start("first")?.0.stop(PATIENCE)?;
    let mut starts = Vec::new();
    for round in 0..STARTS {
        let (mut process, took) = place.start(&round.to_string())?;
        starts.push(took.as_secs_f64() * 1e3);
        process.stop(PATIENCE)?;
    }
    starts.sort_by(f64::total_cmp);
    let (mut process, _) = place.start("fling")?;
    let frames = place.fling("fling")?;
    let tablet = memory(process.id())?;
    process.stop(PATIENCE)?;
    let (page, load) = chromium(&setting.dir, &display, &list)?;

    let slowest = starts.last().copied().unwrap_or(f64::NAN);
    let p99 = percentile(&frames, 0.99);
    let around = format!(
        "{} frames; median {:.1} ms, p90 {:.1} ms, worst {:.1} ms",
        frames.len(),
        percentile(&frames, 0.5),
        percentile(&frames, 0.9),
        percentile(&frames, 1.0)
    );
    let median = format!("the slowest of {STARTS}; median {:.0} ms", percentile(&starts, 0.5));
    Ok(vec![
        Row::at_most(GROUP, "start to a list of 300 shown", slowest, "ms", 1_000.0).beside(median),
        Row::shown(GROUP, "  Chromium: start to a page of the same list", load.as_secs_f64() * 1e3, "ms"),
        Row::at_most(GROUP, "memory after flinging (RSS)", tablet.rss, "MB", 120.0)
            .beside(format!("PSS {:.0} MB", tablet.pss)),
        Row::shown(GROUP, "  Chromium: all its processes (PSS)", page.pss, "MB")
            .beside(format!("RSS summed {:.0} MB", page.rss)),
        Row::at_most(GROUP, "  share of Chromium's memory (PSS)", tablet.pss / page.pss, "", 0.2)
            .beside(format!("of the RSS summed {:.2}", tablet.rss / page.rss)),
        Row::at_most(GROUP, "frame while flinging, p99 (1280x800, software)", p99, "ms", 16.7).beside(around),
    ])
}

/// A display without a screen.
struct Display {
    name: String,
    _server: Process,
}

impl Display {
    fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
        let mut server = Process::start("Xvfb", &mut command, &dir.join("xvfb.log"))?;
        let name = format!(":{}", server.line(PATIENCE)?.trim());
        Ok(Self { name, _server: server })
    }

    fn xdotool(&self, arguments: &[String]) -> anyhow::Result<String> {
        let mut command = Command::new("xdotool");
        command.env("DISPLAY", &self.name).args(arguments).stderr(Stdio::null());
        let output = command.output().context("can't run xdotool")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Where tablets are started.
struct Seat<'a> {
    dir: &'a Path,
    display: &'a Display,
    tablet: &'a Path,
    settings: &'a Path,
}

/// A frame of the trace: when it was done, in microseconds since 1970, how long it took, and how many rows there were.
struct Frame {
    done: u128,
    took: u128,
    rows: usize,
}

impl Seat<'_> {
    fn trace(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.frames"))
    }

    fn frames(&self, name: &str) -> Vec<Frame> {
        let text = fs::read_to_string(self.trace(name)).unwrap_or_default();
        let read = |line: &str| {
            let mut words = line.split(' ').skip(1).map(str::parse::<u128>);
            let (start, took, rows) = (words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?);
            Some(Frame { done: start + took, took, rows: usize::try_from(rows).ok()? })
        };
        // The last line may be half written.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .filter_map(|line| read(line.trim_end()))
            .collect()
    }

    /// Starts a tablet; how long it took until the frame that shows the list was on the display.
    fn start(&self, name: &str) -> anyhow::Result<(Process, Duration)> {
        let mut command = Command::new(self.tablet);
        command.arg("--settings").arg(self.settings).arg("--data").arg(self.dir.join("data"));
        command.arg("--trace-frames").arg(self.trace(name)).env("DISPLAY", &self.display.name);
        // A display that is not this one must not be taken for it.
        command.env_remove("WAYLAND_DISPLAY");
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros();
        let process = Process::start("tablet", &mut command, &self.dir.join("tablet.log"))?;
        let since = Instant::now();
        loop {
            if let Some(first) = self.frames(name).iter().find(|frame| frame.rows == PICKUPS) {
                let took = u64::try_from(first.done.saturating_sub(began))?;
                return Ok((process, Duration::from_micros(took)));
            }
            if since.elapsed() > PATIENCE {
                bail!("no list came within {PATIENCE:?}; the tablet's log ends:\n{}", process.tail());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Flings the list up and down with the pointer as a finger does; milliseconds of every frame meanwhile, shortest first.
    fn fling(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        let before = self.frames(name).len();
        for round in 0..24 {
            // Six times down the list, six times up.
            let (from, step) = if (round / 6) % 2 == 0 { (720, -58) } else { (180, 58) };
            let mut moves = vec!["mousemove".to_owned(), "300".to_owned(), from.to_string()];
            moves.extend(["mousedown".to_owned(), "1".to_owned()]);
            for n in 1..=9 {
                moves.extend(["mousemove".to_owned(), "300".to_owned(), (from + n * step).to_string()]);
                moves.extend(["sleep".to_owned(), "0.012".to_owned()]);
            }
            moves.extend(["mouseup".to_owned(), "1".to_owned(), "sleep".to_owned(), "0.6".to_owned()]);
            self.display.xdotool(&moves)?;
        }
        std::thread::sleep(Duration::from_millis(500));
        let frames = self.frames(name);
        let mut took: Vec<f64> = frames.iter().skip(before).map(|frame| frame.took as f64 / 1e3).collect();
        if took.len() < FRAMES {
            bail!(
                "{} frames were drawn while the list was flung, fewer than {FRAMES}: it did not move",
                took.len()
            );
        }
        took.sort_by(f64::total_cmp);
        Ok(took)
    }
}

/// What a program holds, in MB (10^6 bytes).
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    /// All of it, what it shares included.
    rss: f64,
    /// What it shares divided among those who share it.
    pss: f64,
}

fn memory(id: u32) -> anyhow::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).context("the program does not run")?;
    let of = |name: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)).context("/proc is not as expected")?;
        let kib: f64 = line.split_whitespace().next().context("/proc is not as expected")?.parse()?;
        anyhow::Ok(kib * 1024.0 / 1e6)
    };
    Ok(Memory { rss: of("Rss:")?, pss: of("Pss:")? })
}

/// A process and all that it started.
fn family(id: u32) -> anyhow::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        // The name may hold anything, so fields count from its closing parenthesis (proc(5)).
        let parent =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (id, parent)));
    }
    let mut family = vec![id];
    let mut at = 0;
    while let Some(&of) = family.get(at) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id));
        at += 1;
    }
    Ok(family)
}

/// A Chromium window with the same list: its memory, and how long it took from its start until the page was drawn.
fn chromium(dir: &Path, display: &Display, list: &DayList) -> anyhow::Result<(Memory, Duration)> {
    let page = dir.join("list.html");
    fs::write(&page, html(list))?;
    let profile = dir.join("browser");
    let start = |url: String| {
        let mut command = Command::new("chromium");
        // The sandbox can't be had as root, nor in most containers; the page is this machine's own.
        command.args(["--no-sandbox", "--no-first-run", "--disable-gpu", "--window-size=1280,800"]);
        command.args([
            "--window-position=0,0",
            "--disable-component-update",
            "--disable-background-networking",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg(format!("--app={url}"));
        command.env("DISPLAY", &display.name).env_remove("WAYLAND_DISPLAY");
        Process::start("chromium", &mut command, &dir.join("chromium.log"))
    };
    let shown = || -> anyhow::Result<bool> {
        let names = ["search", "--name", "^list-shown$"].map(str::to_owned);
        Ok(!display.xdotool(&names)?.trim().is_empty())
    };
    // Its first start lays a profile down, as the tablet's does its fonts.
    let mut took = Duration::ZERO;
    for round in 0..2 {
        let began = Instant::now();
        let mut browser = start(format!("file://{}", page.display()))?;
        while !shown()? {
            if began.elapsed() > PATIENCE {
                bail!("Chromium showed no page; its log ends:\n{}", browser.tail());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        took = began.elapsed();
        if round == 1 {
            // What a start leaves to be tidied up is no memory of the page.
            std::thread::sleep(Duration::from_secs(3));
            let mut sum = Memory::default();
            for id in family(browser.id())? {
                // One may end meanwhile.
                let Ok(one) = memory(id) else { continue };
                (sum.rss, sum.pss) = (sum.rss + one.rss, sum.pss + one.pss);
            }
            browser.stop(PATIENCE)?;
            return Ok((sum, took));
        }
        browser.stop(PATIENCE)?;
        let since = Instant::now();
        while shown()? && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    bail!("Chromium was not measured ({took:?})")
}

/// The same list as a page, with the tablet's looks.
fn html(list: &DayList) -> String {
    let mut rows = String::new();
    for listed in &list.pickups {
        let items: Vec<String> =
            listed.items.iter().map(|item| format!("{}×{}", item.name, item.count)).collect();
        let _ = writeln!(
            rows,
            "<li><b>{}</b><div><h2>{} {}</h2><p>{}</p></div><i>○<br>予定</i></li>",
            listed.order,
            listed.place.town,
            listed.place.lot,
            items.join("、")
        );
    }
    format!(
        "<!doctype html><html lang=ja><meta charset=utf-8><title>list</title><style>\
         body{{margin:0;font:20px sans-serif;color:#14201a;background:#fff}}header{{padding:20px;font-size:30px}}\
         ul{{list-style:none;margin:0;padding:0}}li{{display:flex;height:96px;align-items:center;\
         border-bottom:1px solid #cbd1cc}}b{{width:64px;text-align:center;font-size:30px}}div{{flex:1}}\
         h2{{font-size:24px;margin:0}}p{{margin:0;color:#4b5750}}i{{width:76px;text-align:center;font-style:normal}}\
         </style><header>4月1日(水) 0 / {}</header><ul>{rows}</ul><script>\
         requestAnimationFrame(()=>requestAnimationFrame(()=>{{document.title='list-shown'}}))</script></html>",
        list.pickups.len()
    )
}

/// The value below which this share of the sorted ones lies.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Today's list of 300 pickups.
fn list() -> anyhow::Result<DayList> {
    const TOWNS: [&str; 6] = ["舟入中町", "河原町", "西川口町", "江波本町", "舟入南三丁目", "吉島町"];
    const GOODS: [(&str, u32); 5] =
        [("自転車", 1), ("布団", 3), ("扇風機", 1), ("タンス（高さ1m以上）", 2), ("物干しざお", 3)];
    let pickup = |n: usize| {
        let (name, count) = GOODS[n % GOODS.len()];
        let order = u32::try_from(n + 1).unwrap_or(u32::MAX);
        Listed {
            id: PickupId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n as u128)),
            order,
            reception: format!("{:04}", 1_000 + n),
            place: Place {
                ward: "中区".to_owned(),
                town: TOWNS[n % TOWNS.len()].to_owned(),
                lot: format!("{}-{}", n % 20 + 1, n % 31 + 1),
                building: String::new(),
                spot: "敷地前の道路ぎわ".to_owned(),
                notice: String::new(),
                position: None,
            },
            items: (0..n % 3 + 1)
                .map(|_| Item {
                    name: name.to_owned(),
                    count,
                    tickets: vec![Ticket { yen: 250, count }],
                    recycling: false,
                })
                .collect(),
            payment: Payment::Tickets,
            changed: n.is_multiple_of(40),
            office: OfficeWord::Planned,
            others: Vec::new(),
            own: None,
        }
    };
    Ok(DayList {
        v: DayList::VERSION,
        contract: "naka-2026".parse()?,
        date: business_date(jiff::Timestamp::now()),
        contractor: "第一収集".to_owned(),
        vehicle: "3号車".to_owned(),
        round: "中区Aコース".to_owned(),
        seen: Vec::new(),
        pickups: (0..PICKUPS).map(pickup).collect(),
    })
}

/// A terminal that holds the list and whose broker is a port on which nobody listens.
fn prepare(dir: &Path, list: &DayList) -> anyhow::Result<PathBuf> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::write(dir.join("secret"), "of no use here")?;
    let path = dir.join("terminal.toml");
    let text = format!(
        "version = 3\ncity = \"hiroshima\"\nterminal = \"t-0001\"\ncontractor = \"first\"\ncontract = \"naka-2026\"\n\
         vehicle = \"v-1\"\n[broker]\nhost = \"127.0.0.1\"\nport = {port}\nsecret_file = \"secret\"\n"
    );
    fs::write(&path, text)?;
    let settings = Terminal::read(&path)?;
    let (mut store, _) = Store::open(&dir.join("data"), &settings.city, &settings.terminal, None)?;
    let body = String::from_utf8(list.encode()?)?;
    let name = DocumentName::List { contract: settings.contract, date: list.date };
    let held = Held {
        version: 1,
        digest: Digest::of(body.as_bytes()),
        contents: Contents::List(Arc::new(list.clone().into())),
    };
    store.commit(&[Op::Document { name, held, body: Some(body) }])?;
    Ok(path)
}
