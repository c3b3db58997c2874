//! A whole city in a folder: office, broker, terminals, and a day of requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::{City, Terminal};
use meguri_proto::clock::Rehearsal;

use super::broker::{Mosquitto, OFFICE};
use super::cluster::{Cluster, Node};
use super::console::Console;
use super::eventually;
use super::office::{External, Office};
use super::port::Port;
use super::process::program;
use super::proxy::Proxy;
use crate::day::{self, Request};

/// How the demo's request files are read.
pub const DAY_PROFILE: &str = include_str!("../../demo/day.profile.toml");
/// The demo's catalogue, and how it is read.
pub const ITEMS: [&str; 2] =
    [include_str!("../../demo/items.csv"), include_str!("../../demo/items.profile.toml")];
/// How the demo's files of changes are read.
pub const CHANGES_PROFILE: &str = include_str!("../../demo/changes.profile.toml");

/// The day all scenes play on, so that no test turns on the date it is run.
pub const DAY: Date = jiff::civil::date(2026, 4, 1);
/// When that day's scenes begin: 09:00 in Japan.
const BEGINS: &str = "2026-04-01T00:00:00Z";

/// The office's password at an external broker.
pub const OFFICE_PASSWORD: &str = "of-the-office";
/// A user that external brokers let in and the office has never heard of.
pub const STRANGER: (&str, &str) = ("stranger", "of-a-stranger");

/// Which broker carries the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// The gateway's own.
    Embedded,
    /// Debian's Mosquitto.
    Mosquitto,
    /// Two nodes of RMQTT: the office is at the first, terminals are at the second.
    Cluster,
}

/// The scene. Everything that runs in it ends when it is dropped; its folder stays where a test failed.
pub struct Scene {
    /// The office.
    pub office: Office,
    /// The external broker, where there is one.
    pub mosquitto: Option<Mosquitto>,
    /// The cluster, where there is one.
    pub cluster: Option<Cluster>,
    /// The office's line to an external broker.
    pub office_line: Option<Proxy>,
    /// The terminals, in the order asked for.
    pub terminals: Vec<Console>,
    /// What was asked for each vehicle, if imported.
    pub requests: Vec<Request>,
    city: City,
    broker: std::net::SocketAddr,
    /// Of the office's own broker.
    _port: Port,
    folder: Folder,
}

struct Folder(Option<tempfile::TempDir>);

impl Drop for Folder {
    #[allow(clippy::print_stderr, reason = "where to look belongs to a failed test's output")]
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.0.take()
        {
            eprintln!("what was there is kept in {}", dir.keep().display());
        }
    }
}

impl Scene {
    /// Sets the scene: an office with terminals of these vehicles, and `each` requests for each of them, imported. The
    /// broker and the office run; no terminal does yet. Lines are TLS, and terminals have enrolled by codes; a cluster's are
    /// plain.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set(broker: Broker, vehicles: &[&str], each: usize) -> anyhow::Result<Self> {
        Self::set_with(broker, vehicles, each, |_| {})
    }

    /// As [`Scene::set`], with changed settings of every terminal.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set_with(
        broker: Broker,
        vehicles: &[&str],
        each: usize,
        mut change: impl FnMut(&mut Terminal),
    ) -> anyhow::Result<Self> {
        if broker == Broker::Cluster {
            return Self::set_plain_with(broker, vehicles, each, change);
        }
        let mut scene = Self::set_certified(broker, vehicles, each)?;
        for n in 1..=vehicles.len() {
            let terminal = scene.enrol(&format!("t-{n}"), &mut change)?;
            scene.terminals.push(terminal);
        }
        Ok(scene)
    }

    /// Has a terminal enrol by a code, in the folder of its name.
    fn enrol(&self, name: &str, change: impl FnOnce(&mut Terminal)) -> anyhow::Result<Console> {
        let folder = self.dir().join(name);
        let shown = self.office.must(&["terminal", "enrol", name, "--json"])?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let scanned = shown["scan"].as_str().context("the office shows nothing to scan")?;
        let mut command = Command::new(program("terminal")?);
        command.arg("--settings").arg(folder.join("terminal.toml")).args(["enrol", scanned, "--again"]);
        let done = command.output().context("can't run the terminal")?;
        if !done.status.success() {
            bail!("{name} could not enrol: {}", String::from_utf8_lossy(&done.stderr));
        }
        Console::set_up(&folder, self.broker, Some(&self.dir().join("clock.toml")), change)
    }

    /// As [`Scene::set`], with plain lines and terminals that have secrets, as plain clients need them.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set_plain(broker: Broker, vehicles: &[&str], each: usize) -> anyhow::Result<Self> {
        Self::set_plain_with(broker, vehicles, each, |_| {})
    }

    /// As [`Scene::set_plain`], with changed settings of every terminal.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set_plain_with(
        broker: Broker,
        vehicles: &[&str],
        each: usize,
        mut change: impl FnMut(&mut Terminal),
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("meguri-").tempdir().context("can't make a folder")?;
        let dir = folder.path().to_owned();
        let folder = Folder(Some(folder));
        let rehearsal = dir.join("clock.toml");
        write_clock(&rehearsal, BEGINS.parse()?, 1.0)?;
        let city = day::city(DAY)?;
        let port = Port::take()?;
        let own = port.address();
        // Names and secrets come from the office, the broker's users from them, the office's settings from the broker:
        // so the office is set up twice.
        let mut office = Office::set_up(&dir, &city, Some(&rehearsal), own, None)?;
        let names: Vec<String> = (1..=vehicles.len()).map(|n| format!("t-{n}")).collect();
        for (name, vehicle) in names.iter().zip(vehicles) {
            office.add_terminal(name, vehicle, &dir.join(name))?;
        }
        let (mut mosquitto, mut cluster, mut office_line, mut address) = (None, None, None, own);
        if broker != Broker::Embedded {
            let users = users(&dir, &names)?;
            let users: Vec<(&str, &str)> = users.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let folder = dir.join("broker");
            let of_office = if broker == Broker::Mosquitto {
                let mosquitto = mosquitto.insert(Mosquitto::set_up(&folder, &users)?);
                mosquitto.start()?;
                address = mosquitto.address();
                address
            } else {
                let cluster = cluster.insert(Cluster::set_up(&folder, &users)?);
                cluster.start()?;
                address = cluster.address(Node::OfTerminals);
                cluster.address(Node::OfOffice)
            };
            let line = Proxy::start(of_office)?;
            let external = External {
                address: line.address(),
                user: OFFICE.to_owned(),
                password: OFFICE_PASSWORD.to_owned(),
            };
            office = Office::set_up(&dir, &city, Some(&rehearsal), own, Some(&external))?;
            office_line = Some(line);
        }
        let mut terminals = Vec::new();
        for name in &names {
            terminals.push(Console::set_up(&dir.join(name), address, Some(&rehearsal), &mut change)?);
        }
        let mut requests = Vec::new();
        for (n, vehicle) in vehicles.iter().enumerate() {
            requests.extend(round(&city, vehicle, each, 1 + n as u64)?);
        }
        if each > 0 {
            let imported = office.import(DAY_PROFILE, &day::csv(&requests))?;
            if !imported.status.success() {
                bail!(
                    "the import ended with {}: {}",
                    imported.status,
                    String::from_utf8_lossy(&imported.stderr)
                );
            }
        }
        office.start()?;
        if broker == Broker::Cluster {
            // Nodes that start together take seconds to find each other. A terminal says hello again; a plain client does not.
            let log = dir.join("gateway.log");
            eventually("the office is at the cluster", || {
                fs::read_to_string(&log).ok()?.contains("connected to the broker").then_some(())
            });
        }
        Ok(Self {
            office,
            mosquitto,
            cluster,
            office_line,
            terminals,
            requests,
            city,
            broker: address,
            _port: port,
            folder,
        })
    }

    /// Sets the scene as [`Scene::set`], with an office that speaks TLS: its terminals are made and have not enrolled.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set_certified(broker: Broker, vehicles: &[&str], each: usize) -> anyhow::Result<Self> {
        let mut scene = Self::set_plain(Broker::Embedded, vehicles, each)?;
        scene.terminals.clear();
        scene.office.stop()?;
        scene.office.set_up_tls()?;
        if broker == Broker::Mosquitto {
            // Its authority is made at the first start.
            scene.office.start()?;
            scene.office.stop()?;
            let (folder, ca) = (scene.dir().join("broker"), scene.office.data().join("ca"));
            let mut mosquitto = Mosquitto::set_up_with_certificates(&folder, &ca, OFFICE_PASSWORD)?;
            mosquitto.start()?;
            let line = Proxy::start(mosquitto.office())?;
            let external = External {
                address: line.address(),
                user: OFFICE.to_owned(),
                password: OFFICE_PASSWORD.to_owned(),
            };
            scene.broker = mosquitto.address();
            scene.office.set_up_dynamic(&external, scene.broker)?;
            (scene.mosquitto, scene.office_line) = (Some(mosquitto), Some(line));
        }
        scene.office.start()?;
        Ok(scene)
    }

    /// The scene's folder.
    ///
    /// # Panics
    /// Never while the scene is there.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.0.as_ref().map(|dir| dir.path().to_owned()).unwrap_or_default()
    }

    /// Where terminals' lines lead.
    #[must_use]
    pub fn broker(&self) -> std::net::SocketAddr {
        self.broker
    }

    /// Reception numbers of a vehicle's requests, in the order of its round.
    #[must_use]
    pub fn receptions(&self, vehicle: &str) -> Vec<String> {
        let of_vehicle = |request: &&Request| {
            let district = self.city.district(&request.town.district);
            district.is_some_and(|district| district.vehicle.first().as_str() == vehicle)
        };
        self.requests.iter().filter(of_vehicle).map(|request| request.reception.clone()).collect()
    }

    /// Starts every terminal and waits until each has its list.
    ///
    /// # Errors
    /// When one can't be started.
    pub fn start_terminals(&mut self) -> anyhow::Result<()> {
        for terminal in &mut self.terminals {
            terminal.start()?;
        }
        for terminal in &mut self.terminals {
            await_list(terminal)?;
        }
        Ok(())
    }

    /// Imports a request file of this scene's day by the demo's profile.
    ///
    /// # Errors
    /// When it is not taken whole.
    pub fn import(&self, requests: &[Request]) -> anyhow::Result<()> {
        let output = self.office.import(DAY_PROFILE, &day::csv(requests))?;
        if !output.status.success() {
            bail!("the import ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Whom an external broker lets in, with their passwords: the office, a stranger, and the terminals set up in `dir`.
fn users(dir: &Path, names: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut users =
        vec![(OFFICE.to_owned(), OFFICE_PASSWORD.to_owned()), (STRANGER.0.to_owned(), STRANGER.1.to_owned())];
    for name in names {
        let secret = Terminal::read(&dir.join(name).join("terminal.toml"))?.secret()?;
        users.push((name.clone(), secret));
    }
    Ok(users)
}

/// Requests for the first district of a vehicle.
fn round(city: &City, vehicle: &str, count: usize, seed: u64) -> anyhow::Result<Vec<Request>> {
    let district = city.district.iter().find(|district| district.vehicle.first().as_str() == vehicle);
    let district = district.with_context(|| format!("no district has the vehicle {vehicle}"))?;
    Ok(day::round(DAY, &district.name, count, seed))
}

/// Waits until a terminal shows a list with something on it.
///
/// # Errors
/// When the terminal is gone.
pub fn await_list(terminal: &mut Console) -> anyhow::Result<()> {
    let mut gone = None;
    let name = terminal.name().to_owned();
    eventually(&format!("{name} has its list"), || match terminal.stops() {
        Ok(stops) => (!stops.is_empty()).then_some(()),
        Err(error) => {
            gone = Some(error);
            Some(())
        }
    });
    gone.map_or(Ok(()), Err)
}

/// Writes a clock's file: from now on it is `from` and goes on at `speed`. Replaced in one step, as programs read it.
///
/// # Errors
/// When it can't be written.
pub fn write_clock(path: &Path, from: Timestamp, speed: f64) -> anyhow::Result<()> {
    let mapping = Rehearsal { real: Timestamp::now(), from, speed };
    let new = path.with_extension("new");
    fs::write(&new, toml::to_string(&mapping)?).with_context(|| format!("can't write {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("can't replace {}", path.display()))
}
