//! From the city's plan and its terminals to each terminal's schedule. Pure: what is built depends on the files and the instant alone.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use meguri_proto::VehicleId;
use meguri_proto::clock::{business_date, midnight};

use crate::bundle::{Bundle, Configuration};
use crate::city::{City, Contract, Vehicle};
use crate::fleet::{Fleet, FleetTerminal};
use crate::read::Wrong;

/// Days on which a terminal rides in one vehicle under one contract.
#[derive(Debug, Clone, Copy)]
pub struct Ride<'a> {
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
    /// The vehicle.
    pub vehicle: &'a Vehicle,
    /// The contract.
    pub contract: &'a Contract,
}

/// A day as people write it, `2027-04-01`: a time of day beside it would be dropped.
///
/// # Errors
/// Where it is anything else.
pub fn day(text: &str) -> Result<Date, jiff::Error> {
    Date::strptime("%Y-%m-%d", text)
}

/// The next day.
#[must_use]
pub fn after(day: Date) -> Date {
    day.saturating_add(1.day())
}

pub(crate) fn before(day: Date) -> Date {
    day.saturating_sub(1.day())
}

/// A city's plan and its terminals, to be made schedules of.
#[derive(Debug)]
pub struct Plans<'a> {
    /// The plan.
    pub city: &'a City,
    /// The terminals.
    pub fleet: &'a Fleet,
    vehicles: HashMap<&'a VehicleId, &'a Vehicle>,
}

impl<'a> Plans<'a> {
    /// Of what was read from a folder.
    #[must_use]
    pub fn new(city: &'a City, fleet: &'a Fleet) -> Self {
        Self { city, fleet, vehicles: city.vehicle.iter().map(|vehicle| (&vehicle.id, vehicle)).collect() }
    }

    /// A terminal's vehicles.
    pub(crate) fn vehicles(&self, terminal: &FleetTerminal) -> Vec<&'a Vehicle> {
        terminal.vehicle.iter().filter_map(|id| self.vehicles.get(id).copied()).collect()
    }

    /// In which vehicle a terminal rides under which contract, day by day, in order. Of two vehicles that have contracts on one day
    /// it is the one that is named first.
    #[must_use]
    pub fn rides(&self, terminal: &FleetTerminal) -> Vec<Ride<'a>> {
        let vehicles = self.vehicles(terminal);
        let contracts = vehicles.iter().flat_map(|vehicle| vehicle.contract.iter());
        let contracts = contracts.filter_map(|id| self.city.contract(id));
        let mut days: Vec<Date> =
            contracts.flat_map(|contract| [contract.from, after(contract.until)]).collect();
        days.sort_unstable();
        days.dedup();
        let mut rides: Vec<Ride<'a>> = Vec::new();
        for pair in days.windows(2) {
            let (from, until) = (pair[0], before(pair[1]));
            let with = |vehicle: &&'a Vehicle| Some((*vehicle, self.city.contract_of(vehicle, from)?));
            let Some((vehicle, contract)) = vehicles.iter().find_map(with) else { continue };
            match rides.last_mut() {
                // A day on which only another of its vehicles changed.
                Some(last)
                    if after(last.until) == from
                        && last.vehicle.id == vehicle.id
                        && last.contract.id == contract.id =>
                {
                    last.until = until;
                }
                _ => rides.push(Ride { from, until, vehicle, contract }),
            }
        }
        rides
    }

    /// A terminal's schedule as it is built at an instant: what is in force, and all that is to come.
    ///
    /// # Errors
    /// When there is nothing, or something that it is set to can't be.
    pub fn schedule(&self, terminal: &FleetTerminal, now: Timestamp) -> Result<Vec<Configuration>, Wrong> {
        let today = business_date(now);
        let coming = self.rides(terminal).into_iter().filter(|ride| ride.until >= today);
        let schedule: Result<Vec<_>, _> =
            coming.map(|ride| self.configuration(terminal, &ride, now)).collect();
        let schedule = schedule.map_err(|wrong| wrong.of(terminal))?;
        if schedule.is_empty() {
            let problem =
                format!("has no contract on {today} or later; give it a vehicle that has, or take it out");
            return Err(Wrong::new(format!("terminal {}", terminal.id), problem));
        }
        Ok(schedule)
    }

    fn configuration(
        &self,
        terminal: &FleetTerminal,
        ride: &Ride<'_>,
        now: Timestamp,
    ) -> Result<Configuration, Wrong> {
        let parts = self.fleet.parts(terminal, &ride.vehicle.id)?;
        let from = midnight(ride.from);
        let contractor = &ride.contract.contractor;
        let unknown = || Wrong::new("contractor", format!("{contractor} is not in the city's plan"));
        Ok(Configuration {
            from: (from > now).then_some(from),
            contract: ride.contract.id.clone(),
            contractor: contractor.clone(),
            contractor_name: self.city.contractor(contractor).ok_or_else(unknown)?.name.clone(),
            vehicle: ride.vehicle.id.clone(),
            vehicle_name: ride.vehicle.name.clone(),
            round: ride.vehicle.round.clone(),
            broker: parts.connection()?,
            peripheral: parts.peripheral,
            screen: parts.screen,
            reason: parts.reason,
            retention: parts.retention,
            timers: parts.timers,
        })
    }

    /// A terminal's bundle.
    ///
    /// # Errors
    /// As [`Plans::schedule`], and when no terminal could accept the bundle.
    pub fn bundle(
        &self,
        terminal: &FleetTerminal,
        version: u64,
        made_at: Timestamp,
        expires: Timestamp,
    ) -> Result<Bundle, Wrong> {
        let schedule = self.schedule(terminal, made_at)?;
        let (city, id) = (self.city.id.clone(), terminal.id.clone());
        let bundle = Bundle { v: 1, city, terminal: id, version, made_at, expires, schedule };
        bundle.check().map_err(|wrong| wrong.of(terminal))?;
        Ok(bundle)
    }
}

impl Wrong {
    fn of(self, terminal: &FleetTerminal) -> Self {
        Self::new(format!("terminal {}, {}", terminal.id, self.field), self.problem)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::terminal::{Language, Theme};

    const CITY: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "k1", name = "第一収集" }, { id = "k2", name = "第二収集" }]
contract = [
    { id = "k1-2026", contractor = "k1", from = "2026-04-01", until = "2027-03-31" },
    { id = "k2-2027", contractor = "k2", from = "2027-04-01", until = "2028-03-31" },
    { id = "k1-2028", contractor = "k1", from = "2028-04-03", until = "2029-03-31" },
]
vehicle = [
    { id = "v-3", contract = ["k1-2026", "k1-2028"], name = "3号車", round = "中区A" },
    { id = "v-12", contract = "k2-2027", name = "12号車", round = "中区A" },
]
district = [{ name = "中区A", ward = "中区", vehicle = ["v-3", "v-12"] }]
"#;

    const FLEET: &str = r#"
[template.base]
broker = { host = "office.example", office = "https://office.example:8651" }
screen = { theme = "night", lock_minutes = 30 }
timers = { hello = 120, peripherals = 600 }

[template.truck]
extends = "base"
screen = { fullscreen = true, lock_minutes = 20 }
peripheral = [{ kind = "gnss", port = "/dev/gnss" }]

[vehicle.v-12]
broker = { host = "second.example", port = 8884 }
peripheral = [{ kind = "scale", port = "/dev/scale", baud = 2400 }]

[[terminal]]
id = "t-1"
vehicle = ["v-3", "v-12"]
template = "truck"
screen = { language = "en" }
"#;

    fn fleet(text: &str) -> Result<(City, Fleet), String> {
        let city = City::parse(Path::new("city.toml"), CITY).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terminals.toml");
        std::fs::write(&path, text).unwrap();
        let fleet = Fleet::read(&path, &city).map_err(|error| error.to_string())?;
        Ok((city, fleet))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_terminal_rides_in_the_vehicle_that_has_a_contract() {
        let (city, fleet) = fleet(FLEET).unwrap();
        let built =
            Plans::new(&city, &fleet).schedule(&fleet.terminal[0], at("2027-02-10T03:00:00Z")).unwrap();
        let told: Vec<_> =
            built.iter().map(|c| (c.from, c.contract.as_str(), c.vehicle_name.as_str())).collect();
        assert_eq!(
            told,
            [
                (None, "k1-2026", "3号車"),
                (Some(at("2027-03-31T15:00:00Z")), "k2-2027", "12号車"),
                (Some(at("2028-04-02T15:00:00Z")), "k1-2028", "3号車"),
            ]
        );
        // What is over is left out, and a day of a contract is Japan's.
        let count = |now| Plans::new(&city, &fleet).schedule(&fleet.terminal[0], at(now)).unwrap().len();
        assert_eq!((count("2027-03-31T14:59:59Z"), count("2027-03-31T15:00:00Z")), (3, 2));
        let first = |now| Plans::new(&city, &fleet).schedule(&fleet.terminal[0], at(now)).unwrap().remove(0);
        assert_eq!(first("2027-03-31T15:00:00Z").from, None, "in force");
        assert_eq!(first("2028-04-01T00:00:00Z").from, Some(at("2028-04-02T15:00:00Z")), "in the gap");
        let over =
            Plans::new(&city, &fleet).schedule(&fleet.terminal[0], at("2029-04-01T00:00:00Z")).unwrap_err();
        assert!(over.to_string().contains("terminal t-1 has no contract on 2029-04-01"), "{over}");
    }

    #[test]
    fn what_is_nearer_outweighs() {
        let (city, fleet) = fleet(FLEET).unwrap();
        let built =
            Plans::new(&city, &fleet).schedule(&fleet.terminal[0], at("2027-02-10T03:00:00Z")).unwrap();
        let (now, next) = (&built[0], &built[1]);
        assert_eq!((now.broker.host.as_str(), now.broker.port), ("office.example", 8_883));
        assert_eq!((next.broker.host.as_str(), next.broker.port), ("second.example", 8_884));
        assert_eq!(next.broker.office.as_deref(), Some("https://office.example:8651"), "field by field");
        assert_eq!((now.peripheral[0].port.as_str(), now.peripheral[0].baud), ("/dev/gnss", 9_600));
        assert_eq!(
            (next.peripheral.len(), next.peripheral[0].port.as_str()),
            (1, "/dev/scale"),
            "as a whole"
        );
        let screen = &now.screen;
        assert_eq!((screen.language, screen.theme), (Language::En, Theme::Night));
        assert_eq!((screen.fullscreen, screen.lock_minutes), (true, 20));
        assert_eq!((now.timers.hello, now.timers.silence), (120.0, 30.0));
        assert_eq!((now.timers.peripherals, now.timers.sticks), (600.0, 5.0));
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (good, bad, named) in [
            ("theme = \"night\"", "colour = 1", "line 4"),
            ("[vehicle.v-12]", "[vehicle.v-99]", "vehicle v-99: is not in city.toml (line 12, column 10)"),
            (
                "[\"v-3\", \"v-12\"]",
                "\"v-99\"",
                "terminal t-1: names the vehicle v-99, which is not in city.toml (line 18, column",
            ),
            ("[\"v-3\", \"v-12\"]", "11", "integer `11`, expected one id"),
            ("[\"v-3\", \"v-12\"]", "[]", "line 18"),
            (
                "template = \"truck\"",
                "template = \"lorry\"",
                "template: lorry is not in the file (line 19, column 12)",
            ),
            (
                "extends = \"base\"",
                "extends = \"truck\"",
                "truck extends truck, which extends truck in the end (line 8, column 11)",
            ),
            ("host = \"office.example\", ", "", "terminal t-1 in v-3, broker.host: is said neither"),
            (
                "lock_minutes = 20",
                "lock_minutes = 721",
                "template truck, screen.lock_minutes: is 721, expected at most 720, or 0 for never (line 9, column 46)",
            ),
            ("language = \"en\"", "lock_minutes = 721", "terminal t-1, screen.lock_minutes: is 721"),
            ("hello = 120", "silence = 301", "terminal t-1 in v-3, timers.silence_most: is 300"),
            (
                "hello = 120",
                "silence_most = 0.05",
                "template base, timers.silence_most: is 0.05, expected 0.1 to",
            ),
            ("peripherals = 600", "peripherals = 0", "template base, timers.peripherals: is 0, expected 0.1"),
            (
                "\"https://office",
                "\"http://office",
                "broker.office: is \"http://office.example:8651\", expected https",
            ),
            (
                "baud = 2400",
                "baud = 1",
                "vehicle v-12, peripheral.baud: is 1, expected 300 to 4000000 (line 14, column 1)",
            ),
            ("port = 8884", "port = 70000", "line 13"),
            ("port = 8884", "authority_file = \"none.pem\"", "none.pem"),
            ("id = \"t-1\"", "id = \"t–1\"", "line 17"),
        ] {
            assert!(FLEET.contains(good), "{good}");
            let error = fleet(&FLEET.replacen(good, bad, 1)).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
        let terminal = &FLEET[FLEET.find("[[terminal]]").unwrap()..];
        // Nobody rides by this template.
        let unused = fleet(&FLEET.replacen(
            "[vehicle.v-12]",
            "[template.spare]\nscreen = { lock_minutes = 60000 }\n[vehicle.v-12]",
            1,
        ))
        .unwrap_err();
        assert!(
            unused.contains("template spare, screen.lock_minutes: is 60000") && unused.contains("line 13"),
            "{unused}"
        );
        let twice = fleet(&format!("{FLEET}{terminal}")).unwrap_err();
        assert!(twice.contains("terminal t-1: is there twice"), "{twice}");
    }
}
