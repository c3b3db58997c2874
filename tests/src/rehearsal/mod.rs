//! A contractor switchover, rehearsed: a city's terminals with their real minds and stores, and the real office, in a time that is
//! made to run from weeks before the instant to weeks after it.
//!
//! What is real: `meguri_core::Core` and `meguri_app::store::Store` of every terminal, each with a folder of its own; the office's
//! store and writer; bundles built, signed and verified. What is made: time, the broker with its lines, the crews, and what goes
//! wrong. See `docs/rehearsal.md`.

mod check;
mod copies;
mod facts;
mod faults;
mod known;
pub(crate) mod made_up;
mod office;
mod people;
mod plan;
pub mod program;
mod report;
mod script;
pub(crate) mod signing;
mod terminal;
mod work;
mod world;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::terminal::Timers;
use meguri_config::{City, Terminal as Settings, shell_word};
use meguri_gateway::{crew, terminals};
use meguri_proto::crew::PinLock;
use meguri_proto::{CrewId, Digest};

use crate::day;
use office::{Office, SetClock};
use people::People;
use plan::{Fault, Plan};
use script::{Act, at};
use signing::Keys;
use terminal::{Kill, Terminal};
use work::Crews;
use world::World;

pub use check::Check;
pub use report::{Counts, Report};
pub use script::Span;

/// Between two lines of progress, in real time.
const PROGRESS: Duration = Duration::from_secs(5);
/// How often power fails on a terminal that this happens to.
const KILLS: usize = 4;
/// What every address of a resident holds, for days before the instant and after it: so that it can be looked for.
const BEFORE: &str = "旧契約の利用者";
const AFTER: &str = "新契約の利用者";

/// What is to be rehearsed.
#[derive(Debug, Clone)]
pub struct Options {
    /// A city's folder of plans; none for a made-up city.
    pub plans: Option<PathBuf>,
    /// The day after which the plans' switchover is looked for.
    pub today: Date,
    /// How many terminals, where the city is made up.
    pub terminals: usize,
    /// From which everything is drawn.
    pub seed: u64,
    /// The days.
    pub span: Span,
    /// Pickups of a terminal and working day.
    pub pickups: usize,
}

impl Options {
    /// The command line by which a program plays the same: what is as usual is not said.
    #[must_use]
    pub fn command(&self, program: &str) -> String {
        let mut command = program.to_owned();
        match &self.plans {
            Some(plans) => command += &format!(" {}", shell_word(&plans.to_string_lossy())),
            None => command += &format!(" --terminals {}", self.terminals),
        }
        command += &format!(" --seed {}", self.seed);
        for (name, said, usual) in [
            ("before", self.span.before.to_string(), program::BEFORE.to_string()),
            ("after", self.span.after.to_string(), program::AFTER.to_string()),
            ("pickups", self.pickups.to_string(), program::PICKUPS.to_string()),
        ] {
            if said != usual {
                command += &format!(" --{name} {said}");
            }
        }
        command
    }
}

/// Timers by which three months are over in minutes: two hellos a day, and patience of minutes.
fn timers() -> Timers {
    Timers {
        hello: 12.0 * 3_600.0,
        silence: 300.0,
        silence_most: 3_600.0,
        join: 600.0,
        reconnect: 5.0,
        reconnect_most: 30.0,
        health: 0.0,
        keep_alive: 60.0,
        peripherals: 6.0 * 3_600.0,
        sticks: 86_400.0,
        trial: 900.0,
    }
}

/// Rehearses in `folder`, which is to be empty. `say` is told how far it is, every few seconds.
///
/// # Errors
/// When it can't be run at all. What did not come out as it should stands in the report.
pub fn run(folder: &Path, options: &Options, say: &mut dyn FnMut(String)) -> anyhow::Result<Report> {
    let started = Instant::now();
    let (plans, today) = match &options.plans {
        Some(plans) => (plans.clone(), options.today),
        None => {
            let plans = folder.join("plans");
            made_up::write(&plans, options.terminals)?;
            (plans, jiff::civil::date(2027, 1, 1))
        }
    };
    let plan = Plan::read(&plans, today, options.span.before, &timers())?;
    let mut rehearsal = Rehearsal::set_up(folder, plan, options.clone())?;
    let began = rehearsal.world.now;
    rehearsal.play(say)?;
    let checks = rehearsal.check()?;
    Ok(rehearsal.report(began, checks, started.elapsed()))
}

/// A rehearsal under way.
struct Rehearsal {
    folder: PathBuf,
    options: Options,
    plan: Plan,
    world: World,
    people: People,
    crews: Crews,
    first: Date,
    end: Timestamp,
    /// Terminals whose files were copied the evening before.
    copies: Vec<usize>,
    /// How many pickups the files brought.
    pickups: usize,
}

impl Rehearsal {
    fn set_up(folder: &Path, plan: Plan, options: Options) -> anyhow::Result<Self> {
        let first = plan.first_day().checked_sub(jiff::Span::new().days(options.span.before))?;
        let begin = at(first, 0, 0)?;
        let clock = SetClock::new(begin);
        let city = plan.city.clone();
        let mut office =
            Office::set_up(&folder.join("office"), city, clock.clone(), u8::try_from(script::AHEAD)?)?;
        office.start()?;
        let mut list = Vec::new();
        for (index, seat) in plan.seats.iter().enumerate() {
            let settings = settings(&plan.city, seat)?;
            let folder = folder.join("terminals").join(seat.terminal.as_str());
            let mut terminal = Terminal::new(settings, folder, options.seed ^ (index as u64 + 1) << 20);
            terminal.clock = seat.fault.clock();
            list.push(terminal);
        }
        let seats: Vec<_> =
            plan.seats.iter().map(|seat| (seat.terminal.clone(), seat.schedule[0].vehicle.clone())).collect();
        office.work(move |tx, touched| {
            for (terminal, vehicle) in seats {
                let secret = Digest::of(terminal.as_str().as_bytes());
                terminals::add(tx, touched, begin, &terminal, &vehicle, secret)?;
            }
            Ok(())
        })?;
        let mut world =
            World::new(begin, clock, office, list, plan.bad_brokers(), plan.instant, options.seed);
        let end = script::write(&mut world, &plan, options.span)?;
        let mut rehearsal = Self {
            folder: folder.to_owned(),
            people: People { keys: Keys::draw(&plan.city.id, options.seed, begin)?, numbers: Vec::new() },
            crews: Crews::new(plan.seats.len()),
            options,
            plan,
            world,
            first,
            end,
            copies: Vec::new(),
            pickups: 0,
        };
        rehearsal.appoint()?;
        rehearsal.hire()?;
        Ok(rehearsal)
    }

    /// Every contractor has a crew with a PIN.
    fn hire(&mut self) -> anyhow::Result<()> {
        for (index, contractor) in self.plan.city.contractor.iter().enumerate() {
            let id: CrewId = work::member(&contractor.id)?;
            let pin = format!("{:06}", 731_942 + index * 10_101);
            let salt = Digest::of(id.as_str().as_bytes());
            let lock = PinLock::new(&pin, salt.0).context("a PIN can't be set")?;
            self.world.pins.known.insert(id.clone(), pin);
            let new =
                crew::New { id, contractor: contractor.id.clone(), name: contractor.name.clone(), lock };
            let now = self.world.now;
            self.world.office.work(move |tx, touched| Ok(crew::add(tx, touched, now, &new).map(drop)?))?;
        }
        Ok(())
    }

    fn play(&mut self, say: &mut dyn FnMut(String)) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut told = started;
        while let Some(act) = self.world.next(self.end)? {
            if let Some(act) = act {
                self.act(act).with_context(|| format!("{}: {act:?}", self.world.now))?;
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                say(format!("{:4.0} s  {}", started.elapsed().as_secs_f64(), self.line()));
            }
        }
        say(format!("{:4.0} s  {}", started.elapsed().as_secs_f64(), self.line()));
        Ok(())
    }

    fn report(&self, began: Timestamp, checks: Vec<Check>, took: Duration) -> Report {
        let seats = &self.plan.seats;
        let written = self.world.terminals.iter().flat_map(|terminal| &terminal.written);
        let changing = seats.iter().filter(|seat| seat.changes(self.plan.instant)).count();
        Report {
            city: self.plan.city.name.clone(),
            made_up: self.options.plans.is_none(),
            terminals: (seats.len(), changing),
            contractors: self.plan.city.contractor.len(),
            instant: self.plan.instant,
            ran: (began, self.end),
            counts: Counts {
                pickups: self.pickups,
                facts: written.filter(|written| written.of_pickup()).count(),
                messages: self.world.messages,
            },
            faults: plan::told(seats),
            checks,
            took,
            again: self.options.command(program::PROGRAM),
            seed: self.options.seed,
        }
    }

    fn line(&self) -> String {
        let on = self.world.terminals.iter().filter(|terminal| terminal.is_on()).count();
        let facts: usize = self.world.terminals.iter().map(|terminal| terminal.written.len()).sum();
        format!(
            "{}  terminals on {on}/{}, facts written {facts}, messages {}",
            self.world.now.to_zoned(meguri_proto::clock::japan()).strftime("%Y-%m-%d %H:%M"),
            self.world.terminals.len(),
            self.world.messages
        )
    }

    fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Morning(date) => {
                for day in script::files_of(date, self.first)? {
                    self.import(day)?;
                }
                let sent = self.world.office.settled()?;
                self.world.deliver(sent);
                script::set_out(&mut self.world, date)
            }
            Act::Crew(index) => self.crews.work(&mut self.world, index, &self.plan.seats[index]),
            Act::SwitchOn(index) => {
                if (1..KILLS).contains(&self.world.terminals[index].cuts) {
                    self.arm(index);
                }
                self.world.switch_on(index)
            }
            Act::SwitchOff(index) => {
                self.world.switch_off(index);
                Ok(())
            }
            Act::Away(index, away) => self.world.away(index, away),
            Act::Day => {
                let sent = self.world.office.day()?;
                self.world.deliver(sent);
                Ok(())
            }
            Act::OfficeDown => self.world.office_down(),
            Act::OfficeUp => {
                self.world.office.start()?;
                let sent = self.world.office.settled()?;
                self.world.deliver(sent);
                Ok(())
            }
            Act::LookBefore => self.copy_some(),
            Act::Arm(index) => {
                self.arm(index);
                Ok(())
            }
            Act::Switchover(step) => self.switchover(step),
        }
    }

    /// Has a terminal's power fail at one of its next commits, another one each time.
    fn arm(&mut self, index: usize) {
        let Fault::Killed(which) = self.plan.seats[index].fault else { return };
        let terminal = &mut self.world.terminals[index];
        let turn = usize::from(which) + terminal.cuts;
        terminal.kill = Some(Kill { left: u32::try_from(turn / 2 % 3).unwrap_or(0), after: turn % 2 == 1 });
    }

    /// The reception's file of a day, whole.
    fn import(&mut self, date: Date) -> anyhow::Result<()> {
        // On a day without a contract nobody is asked for anything there.
        let mut city = self.plan.city.clone();
        city.district.retain(|district| self.plan.city.serving(district, date).is_some());
        let pickups = self.options.pickups * city.district.len();
        let mut requests = crate::fleet::stage::day(&city, date, pickups, self.options.seed);
        let mark = if date < self.plan.first_day() { BEFORE } else { AFTER };
        self.pickups += requests.len();
        for request in &mut requests {
            request.building = format!("{mark} {}", request.building);
        }
        self.world.office.import(&format!("{date}.csv"), day::csv(&requests))?;
        Ok(())
    }
}

/// The settings that a terminal was enrolled with.
fn settings(city: &City, seat: &plan::Seat) -> anyhow::Result<Settings> {
    let now = &seat.schedule[0];
    let text = format!(
        "version = 1\ncity = \"{}\"\nterminal = \"{}\"\ncontractor = \"{}\"\ncontract = \"{}\"\nvehicle = \"{}\"\n\
         [broker]\nhost = \"{}\"\nport = {}\nsecret_file = \"secret\"\n",
        city.id, seat.terminal, now.contractor, now.contract, now.vehicle, now.broker.host, now.broker.port
    );
    let mut settings = Settings::parse(Path::new("terminal.toml"), &text)?;
    settings.timers = now.timers.clone();
    Ok(settings)
}
