//! What a rehearsal is played on: an office of its own, terminals with marked names, and a synthetic day.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use jiff::civil::Date;
use meguri_config::City;
use meguri_config::city::{Contract, Contractor, District, Vehicle};
use meguri_gateway::config::Settings;
use meguri_gateway::control::{self, ControlError};
use meguri_gateway::ops::{Reply, Request as Asked};
use meguri_gateway::serve;
use meguri_gateway::terminals::{self, Bound, Line};
use meguri_gateway::touched::Touched;
use meguri_proto::{CityId, Digest, TerminalId, VehicleId};

use crate::day::{self, Request, Town};
use crate::harness::process::program;
use crate::harness::scene::DAY_PROFILE;

/// What every name of a simulated terminal begins with.
pub const MARK: &str = "fleet-";
/// What the id of a rehearsal's city ends in.
const REHEARSAL: &str = "-rehearsal";

/// A made-up city with one district and one vehicle for each of so many terminals, under one contract that runs.
///
/// # Errors
/// Never for fewer than a million.
pub fn made_up_city(vehicles: usize, date: Date) -> anyhow::Result<City> {
    let ward = "試験区";
    let contract = "rehearsal-1";
    let numbers = 1..=vehicles;
    Ok(City {
        id: "rehearsal".parse()?,
        name: "試験市".to_owned(),
        division: "訓練担当".to_owned(),
        wards: vec![ward.to_owned()],
        contractor: vec![Contractor { id: "rehearsal".parse()?, name: "訓練収集".to_owned() }],
        contract: vec![Contract {
            id: contract.parse()?,
            contractor: "rehearsal".parse()?,
            from: Date::new(date.year() - 1, 4, 1)?,
            until: Date::new(date.year() + 2, 3, 31)?,
        }],
        vehicle: numbers
            .clone()
            .map(|n| {
                let (name, round) = (format!("{n}号車"), format!("コース{n}"));
                Ok(Vehicle {
                    id: format!("v{n:05}").parse()?,
                    contract: contract.parse::<meguri_proto::ContractId>()?.into(),
                    name,
                    round,
                })
            })
            .collect::<anyhow::Result<_>>()?,
        district: numbers
            .map(|n| {
                let (name, ward) = (format!("地区{n:05}"), ward.to_owned());
                Ok(District { name, ward, vehicle: format!("v{n:05}").parse::<VehicleId>()?.into() })
            })
            .collect::<anyhow::Result<_>>()?,
    })
}

/// Draws `pickups` requests for a city's districts, as many for each, in the order of their rounds.
#[must_use]
pub fn day(city: &City, date: Date, pickups: usize, seed: u64) -> Vec<Request> {
    let districts = city.district.len().max(1);
    let mut requests = Vec::with_capacity(pickups);
    for (index, district) in city.district.iter().enumerate() {
        let count = pickups / districts + usize::from(index < pickups % districts);
        // Somewhere in Japan; a few hundred metres from one district to the next.
        let (row, column) = ((index / 100) as f64, (index % 100) as f64);
        let town = Town {
            ward: district.ward.clone(),
            district: district.name.clone(),
            town: "試験町一丁目".to_owned(),
            lat: 35.0 + row * 0.004,
            lng: 135.0 + column * 0.004,
        };
        requests.extend(day::round_in(date, &[town], count, seed ^ (index as u64 + 1)));
    }
    requests
}

/// Makes `count` terminals with marked names on the city's vehicles in turn, and a folder with settings and secret for
/// each below `out`. The gateway may run or not.
///
/// # Errors
/// When the office has terminals of other names and `beside_others` is not said, a folder is there already, or the
/// office refuses.
pub fn enrol(settings: &Settings, count: usize, out: &Path, beside_others: bool) -> anyhow::Result<()> {
    let city = City::read(&settings.city_file())?;
    ensure!(
        !city.vehicle.is_empty(),
        "{} has no vehicle to bind terminals to",
        settings.city_file().display()
    );
    ensure!(settings.tls.name().is_none(), "{NO_TLS}");
    let mut office = Office::reach(settings, &city)?;
    let names = office.names()?;
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.starts_with(MARK)).collect();
    ensure!(
        beside_others || others.is_empty(),
        "this office has {} terminals of its own ({} …): rehearse on an office of its own (`fleet stage`), or say \
         --beside-others where you are sure that nobody works with this one",
        others.len(),
        others[0]
    );
    let taken = names.iter().filter_map(|name| name.strip_prefix(MARK)?.parse::<usize>().ok()).max();
    let first = taken.unwrap_or(0) + 1;
    let mut secrets = Vec::with_capacity(count);
    for (index, number) in (first..first + count).enumerate() {
        let terminal: TerminalId = format!("{MARK}{number:05}").parse()?;
        let secret = terminals::draw_secret();
        let folder = out.join(terminal.as_str());
        fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        write_new(&folder.join("secret"), &format!("{secret}\n"))?;
        let vehicle = city.vehicle[index % city.vehicle.len()].id.clone();
        secrets.push((terminal, vehicle, Digest::of(secret.as_bytes())));
    }
    let (bound, broker) = office.add(secrets)?;
    for Bound { terminal, vehicle, contract, contractor, .. } in bound {
        let text = format!(
            "# Settings of the simulated terminal {terminal}.\nversion = 1\ncity = \"{}\"\nterminal = \"{terminal}\"\n\
             contractor = \"{contractor}\"\ncontract = \"{contract}\"\nvehicle = \"{vehicle}\"\n\n\
             import_from = []\n[broker]\nhost = \"{}\"\nport = {}\nsecret_file = \"secret\"\n",
            city.id, broker.0, broker.1
        );
        write_new(&out.join(terminal.as_str()).join("terminal.toml"), &text)?;
    }
    Ok(())
}

/// Simulated terminals have secrets, and no certificates.
const NO_TLS: &str = "simulated terminals come in by secrets, and this gateway takes certificates alone: rehearse on an office without \
    tls.names (`fleet stage`)";

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("can't write {}; terminals of an earlier rehearsal?", path.display()))
}

/// The office, running or not.
enum Office<'a> {
    Running(&'a Settings),
    Resting(&'a Settings, Box<meguri_gateway::store::Store>),
}

impl<'a> Office<'a> {
    fn reach(settings: &'a Settings, city: &City) -> anyhow::Result<Self> {
        match control::ask(&settings.data, &mut Asked::TerminalList, &mut |_| ()) {
            Err(ControlError::NotRunning) => {
                let clock = serve::clock(settings)?;
                Ok(Self::Resting(settings, Box::new(serve::open(settings, city, &clock)?)))
            }
            answer => {
                answer?;
                Ok(Self::Running(settings))
            }
        }
    }

    fn names(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Running(settings) => {
                match control::ask(&settings.data, &mut Asked::TerminalList, &mut |_| ())? {
                    Reply::Terminals(terminals) => {
                        Ok(terminals.into_iter().map(|listed| listed.terminal.to_string()).collect())
                    }
                    other => bail!("the gateway answered something else ({other:?})"),
                }
            }
            Self::Resting(_, store) => {
                let mut statement = store.conn.prepare("SELECT id FROM terminal")?;
                let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                Ok(names)
            }
        }
    }

    /// Adds them, and says where the broker is.
    fn add(
        &mut self,
        terminals: Vec<(TerminalId, VehicleId, Digest)>,
    ) -> anyhow::Result<(Vec<Bound>, (String, u16))> {
        let mut all = Vec::with_capacity(terminals.len());
        match self {
            Self::Running(settings) => {
                let mut at = None;
                for (terminal, vehicle, secret_sha256) in terminals {
                    let mut request = Asked::TerminalAdd { terminal, vehicle, secret_sha256 };
                    match control::ask(&settings.data, &mut request, &mut |_| ())? {
                        Reply::TerminalBound { bound, line } => {
                            all.push(bound);
                            match line {
                                Some(Line::Plain(host, port)) => at = Some((host, port)),
                                Some(Line::Tls(_)) => bail!("{NO_TLS}"),
                                None => {}
                            }
                        }
                        other => bail!("the gateway answered something else ({other:?})"),
                    }
                }
                Ok((all, at.map_or_else(|| broker(settings), Ok)?))
            }
            Self::Resting(settings, store) => {
                let at = broker(settings)?;
                let now = serve::clock(settings)?.now();
                let tx = store.conn.transaction().context("the store can't begin")?;
                for (terminal, vehicle, secret) in terminals {
                    let touched = &mut Touched::default();
                    all.push(terminals::add(&tx, touched, now, &terminal, &vehicle, secret)?);
                }
                tx.commit().context("the store can't commit")?;
                Ok((all, at))
            }
        }
    }
}

fn broker(settings: &Settings) -> anyhow::Result<(String, u16)> {
    let (host, port) = match &settings.mqtt.external {
        Some(external) => (external.host.clone(), external.port),
        None => (settings.mqtt.listen.ip().to_string(), settings.mqtt.listen.port()),
    };
    ensure!(port != 0, "the broker takes a free port, which only a running gateway knows: start it first");
    Ok((host, port))
}

/// A stage as asked for.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Folder that is made.
    pub out: PathBuf,
    /// How many terminals.
    pub terminals: usize,
    /// How many pickups of the day, all together.
    pub pickups: usize,
    /// The city's own plan; one is made up where not given.
    pub city: Option<PathBuf>,
    /// Which day.
    pub date: Date,
    /// Where its broker will listen.
    pub mqtt: SocketAddr,
    /// Where its page will be.
    pub web: SocketAddr,
    /// From which the day is drawn.
    pub seed: u64,
}

impl Stage {
    /// Makes an office of its own with terminals and a day imported, ready to be served.
    ///
    /// # Errors
    /// When the folder is there already, or something can't be made.
    pub fn set(&self) -> anyhow::Result<()> {
        let out = &self.out;
        ensure!(!out.exists(), "{} is there already: name another folder, or remove it", out.display());
        let data = out.join("office");
        fs::create_dir_all(&data).with_context(|| format!("can't make {}", data.display()))?;
        let mut city = match &self.city {
            Some(path) => City::read(path)?,
            None => made_up_city(self.terminals, self.date)?,
        };
        if self.city.is_some() {
            city.id = rehearsal_id(&city.id)?;
        }
        fs::write(data.join("city.toml"), toml::to_string(&city)?)?;
        let path = out.join("gateway.toml");
        let data = data.canonicalize()?;
        let text = format!(
            "# An office for rehearsals. None of its terminals is a real one.\ndata = {:?}\n\n[web]\nlisten = \"{}\"\n\n\
             [mqtt]\nlisten = \"{}\"\n",
            data.display().to_string(),
            self.web,
            self.mqtt
        );
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        let settings = Settings::read(Some(&path), std::iter::empty(), None)?;
        enrol(&settings, self.terminals, &out.join("terminals"), false)?;
        let requests = day(&city, self.date, self.pickups, self.seed);
        if !requests.is_empty() {
            write_day(&out.join("day.csv"), &requests)?;
            import(&path, out)?;
        }
        Ok(())
    }
}

/// Writes a day's file, and beside it the profile that reads it.
///
/// # Errors
/// When they can't be written.
pub fn write_day(path: &Path, requests: &[Request]) -> anyhow::Result<()> {
    let profile = path.with_extension("profile.toml");
    for (path, text) in [(path, day::csv(requests).as_str()), (&profile, DAY_PROFILE)] {
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn import(config: &Path, folder: &Path) -> anyhow::Result<()> {
    let output = Command::new(program("meguri-gateway")?)
        .arg("--config")
        .arg(config)
        .args(["import", "--profile"])
        .arg(folder.join("day.profile.toml"))
        .arg(folder.join("day.csv"))
        .output()
        .context("can't run meguri-gateway")?;
    if !output.status.success() {
        bail!("the import ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A city's id, marked: nothing of a rehearsal has a topic of the real one.
fn rehearsal_id(city: &CityId) -> anyhow::Result<CityId> {
    let name = city.as_str();
    if name.ends_with(REHEARSAL) {
        return Ok(city.clone());
    }
    format!("{name}{REHEARSAL}")
        .parse()
        .with_context(|| format!("the city's id {name} leaves no room for a mark"))
}
