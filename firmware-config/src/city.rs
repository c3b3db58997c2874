//! The city's plan (`city.toml`): who collects what with which vehicle.

use std::collections::HashSet;
use std::path::Path;

use jiff::civil::Date;
use meguri_proto::{CityId, ContractId, ContractorId, VehicleId, limits};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::many::Many;
use crate::plain::{is_plain, unseen};
use crate::read::{ConfigError, Wrong, parse, read};
use crate::schedule::day;

/// A city's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    /// The city's word in every topic, like `hiroshima`.
    pub id: CityId,
    /// Its name on screens, like 広島市.
    pub name: String,
    /// The division that works with the page, like 家庭ごみ減量課.
    pub division: String,
    /// Wards (区) in the order of the page.
    pub wards: Vec<String>,
    /// Contractors (収集業者).
    pub contractor: Vec<Contractor>,
    /// Contracts (委託契約).
    pub contract: Vec<Contract>,
    /// Vehicles (号車).
    pub vehicle: Vec<Vehicle>,
    /// Districts (収集地区) and the vehicle that serves each.
    pub district: Vec<District>,
}

/// A contractor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contractor {
    /// Its id.
    pub id: ContractorId,
    /// Its name on screens.
    pub name: String,
}

/// A contract: a contractor and a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its id, which topics and facts carry.
    pub id: ContractId,
    /// Whose it is.
    pub contractor: ContractorId,
    /// First day.
    #[serde(deserialize_with = "day_alone")]
    pub from: Date,
    /// Last day.
    #[serde(deserialize_with = "day_alone")]
    pub until: Date,
}

fn day_alone<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let text = String::deserialize(from)?;
    day(&text).map_err(|_| D::Error::custom(format!("expected a day like 2027-04-01, not {text:?}")))
}

/// A vehicle, under one contract after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicle {
    /// Its id, unique in the city.
    pub id: VehicleId,
    /// The contract it works for; of several, on each day the one in whose period the day lies.
    pub contract: Many<ContractId>,
    /// Its name on screens, like 3号車.
    pub name: String,
    /// The round's name (コース), like 中区A.
    pub round: String,
}

/// A district and who serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct District {
    /// The name that request files use.
    pub name: String,
    /// The ward it lies in.
    pub ward: String,
    /// The vehicle that serves it; of several, on each day the one that has a contract then.
    pub vehicle: Many<VehicleId>,
}

impl City {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// When the file can't be read, has an unknown field, or names something that does not exist.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        read(path, Self::check)
    }

    /// Reads a plan from text; `path` is for errors.
    ///
    /// # Errors
    /// As [`City::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        parse(path, text, Self::check)
    }

    /// The contract with this id.
    #[must_use]
    pub fn contract(&self, id: &ContractId) -> Option<&Contract> {
        self.contract.iter().find(|contract| contract.id == *id)
    }

    /// The contractor with this id.
    #[must_use]
    pub fn contractor(&self, id: &ContractorId) -> Option<&Contractor> {
        self.contractor.iter().find(|contractor| contractor.id == *id)
    }

    /// The vehicle with this id.
    #[must_use]
    pub fn vehicle(&self, id: &VehicleId) -> Option<&Vehicle> {
        self.vehicle.iter().find(|vehicle| vehicle.id == *id)
    }

    /// The district with this name.
    #[must_use]
    pub fn district(&self, name: &str) -> Option<&District> {
        self.district.iter().find(|district| district.name == name)
    }

    /// The contract that a vehicle works for on a day; none where it has none then.
    #[must_use]
    pub fn contract_on(&self, vehicle: &VehicleId, day: Date) -> Option<&Contract> {
        self.contract_of(self.vehicle(vehicle)?, day)
    }

    pub(crate) fn contract_of(&self, vehicle: &Vehicle, day: Date) -> Option<&Contract> {
        vehicle.contract.iter().filter_map(|id| self.contract(id)).find(|contract| contract.holds(day))
    }

    /// The vehicle that serves a district on a day, and its contract; none where nobody does.
    #[must_use]
    pub fn serving(&self, district: &District, day: Date) -> Option<(&Vehicle, &Contract)> {
        let vehicles = district.vehicle.iter().filter_map(|id| self.vehicle(id));
        vehicles.filter_map(|vehicle| Some((vehicle, self.contract_on(&vehicle.id, day)?))).next()
    }

    fn check(&self) -> Result<(), Wrong> {
        short("name", &self.name)?;
        short("division", &self.division)?;
        for (index, ward) in self.wards.iter().enumerate() {
            short("wards", ward).map_err(|wrong| wrong.under(&[&"wards", &index]))?;
        }
        once("contractor", "id", self.contractor.iter().map(|c| c.id.as_str()))?;
        once("contract", "id", self.contract.iter().map(|c| c.id.as_str()))?;
        once("vehicle", "id", self.vehicle.iter().map(|v| v.id.as_str()))?;
        once("district", "name", self.district.iter().map(|d| d.name.as_str()))?;
        once("wards", "", self.wards.iter().map(String::as_str))?;
        for (index, contract) in self.contract.iter().enumerate() {
            let under = |field| move |wrong: Wrong| wrong.under(&[&"contract", &index, &field]);
            if self.contractor(&contract.contractor).is_none() {
                let unknown = unknown("contract", &contract.id, "contractor", &contract.contractor);
                return Err(under("contractor")(unknown));
            }
            if contract.until < contract.from {
                let problem = format!("ends on {} before it starts on {}", contract.until, contract.from);
                return Err(under("until")(Wrong::new(format!("contract {}", contract.id), problem)));
            }
        }
        for (index, vehicle) in self.vehicle.iter().enumerate() {
            let under = |field| move |wrong: Wrong| wrong.under(&[&"vehicle", &index, &field]);
            for contract in vehicle.contract.iter() {
                if self.contract(contract).is_none() {
                    return Err(under("contract")(unknown("vehicle", &vehicle.id, "contract", contract)));
                }
            }
            self.one_after_the_other(vehicle).map_err(under("contract"))?;
            short(&format!("vehicle {} name", vehicle.id), &vehicle.name).map_err(under("name"))?;
            short(&format!("vehicle {} round", vehicle.id), &vehicle.round).map_err(under("round"))?;
        }
        for (index, contractor) in self.contractor.iter().enumerate() {
            let named = short(&format!("contractor {} name", contractor.id), &contractor.name);
            named.map_err(|wrong| wrong.under(&[&"contractor", &index, &"name"]))?;
        }
        for (index, district) in self.district.iter().enumerate() {
            let under = |field| move |wrong: Wrong| wrong.under(&[&"district", &index, &field]);
            short("district name", &district.name).map_err(under("name"))?;
            for vehicle in district.vehicle.iter() {
                if self.vehicle(vehicle).is_none() {
                    return Err(under("vehicle")(unknown("district", &district.name, "vehicle", vehicle)));
                }
            }
            if !self.wards.contains(&district.ward) {
                return Err(under("ward")(unknown("district", &district.name, "ward", &district.ward)));
            }
        }
        Ok(())
    }

    /// On no day a vehicle has two contracts.
    fn one_after_the_other(&self, vehicle: &Vehicle) -> Result<(), Wrong> {
        let mut contracts: Vec<_> = vehicle.contract.iter().filter_map(|id| self.contract(id)).collect();
        contracts.sort_by_key(|contract| contract.from);
        match contracts.windows(2).find(|pair| pair[1].from <= pair[0].until) {
            None => Ok(()),
            Some(pair) => {
                let problem =
                    format!("has two contracts on {}: {} and {}", pair[1].from, pair[0].id, pair[1].id);
                Err(Wrong::new(format!("vehicle {}", vehicle.id), problem))
            }
        }
    }
}

impl Contract {
    /// Whether a day lies in its period.
    #[must_use]
    pub fn holds(&self, day: Date) -> bool {
        (self.from..=self.until).contains(&day)
    }
}

fn once<'a>(what: &str, field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Wrong> {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        let wrong = |problem| Err(Wrong::new(what, problem).under(&[&what, &index, &field]));
        if name.is_empty() {
            return wrong("has an empty name".to_owned());
        }
        if !seen.insert(name) {
            return wrong(format!("{name} is there twice"));
        }
    }
    Ok(())
}

fn unknown(what: &str, id: &impl ToString, refers: &str, to: &impl ToString) -> Wrong {
    let problem = format!("names the {refers} {}, which is not in the file", to.to_string());
    Wrong::new(format!("{what} {}", id.to_string()), problem)
}

pub(crate) fn short(field: &str, text: &str) -> Result<(), Wrong> {
    let length = text.chars().count();
    if length == 0 || length > limits::SHORT_TEXT || !text.chars().all(is_plain) {
        let problem = format!("expected 1 to {} printable characters, found {length}", limits::SHORT_TEXT);
        return Err(Wrong::new(field, problem));
    }
    if text.chars().all(char::is_whitespace) {
        return Err(Wrong::new(field, "is of blanks alone, expected something to be read"));
    }
    match unseen(text) {
        Some(c) => {
            Err(Wrong::new(field, format!("holds a character that is not seen (U+{:04X})", u32::from(c))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = r#"
id = "hiroshima"
name = "広島市"
division = "担当課"
wards = ["中区"]
contractor = [{ id = "daiichi", name = "第一収集" }]
contract = [{ id = "daiichi-2026", contractor = "daiichi", from = "2026-04-01", until = "2027-03-31" }]
vehicle = [{ id = "v-3", contract = "daiichi-2026", name = "3号車", round = "中区A" }]
district = [{ name = "中区A", ward = "中区", vehicle = "v-3" }]
"#;

    #[test]
    fn every_reference_leads_somewhere() {
        let read = |text: &str| City::parse(Path::new("city.toml"), text);
        assert_eq!(read(GOOD).unwrap().district("中区A").unwrap().vehicle.first().as_str(), "v-3");
        for (good, bad, named) in [
            ("contractor = \"daiichi\"", "contractor = \"daisan\"", "contractor daisan"),
            ("contract = \"daiichi-2026\"", "contract = \"x\"", "contract x"),
            ("vehicle = \"v-3\" }", "vehicle = \"v-4\" }", "vehicle v-4"),
            ("ward = \"中区\"", "ward = \"東区\"", "ward 東区"),
            ("2027-03-31", "2026-03-31", "before it starts"),
            ("[\"中区\"]", "[\"中区\", \"中区\"]", "twice"),
            ("name = \"3号車\"", "name = \"\"", "1 to 100"),
            ("name = \"広島市\"", "name = \"\"", ": name: expected 1 to 100"),
            ("division = \"担当課\"", "division = \"\\u0007\"", ": division: expected 1 to 100"),
            ("name = \"3号車\"", "name = \"\\u202e車号3\"", "name: expected 1 to 100"),
            ("name = \"広島市\"", "name = \"\\u3000 \"", ": name: is of blanks alone"),
            (
                "name = \"3号車\"",
                "name = \"3\\u200b号車\"",
                "name: holds a character that is not seen (U+200B)",
            ),
            (
                "division = \"担当課\"",
                "division = \"\\ufeff担当課\"",
                "division: holds a character that is not seen (U+FEFF)",
            ),
            ("[\"中区\"]", "[\"\\u001b[2J\"]", ": wards: expected 1 to 100"),
            ("[\"中区\"]", &format!("[\"{}\"]", "区".repeat(101)), ": wards: expected 1 to 100"),
        ] {
            assert!(GOOD.contains(good), "{good}");
            let error = read(&GOOD.replacen(good, bad, 1)).unwrap_err().to_string();
            assert!(error.starts_with("city.toml") && error.contains(named), "{error}");
            assert!(error.contains("line ") && error.contains(", column "), "{error}");
        }
        let error = read(&GOOD.replace("name = \"3号車\"", "name = \" \"")).unwrap_err().to_string();
        assert!(error.ends_with("(line 8, column 60)"), "{error}");
        // Of the same character in several forms, one.
        assert!(read(&GOOD.replace("広島市", "葛\u{e0100}城市")).is_ok());
    }
}
