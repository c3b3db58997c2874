//! A made-up city with three contractors, for whoever rehearses nothing of their own.

use std::path::Path;

use anyhow::{Context, ensure};
use jiff::civil::Date;
use meguri_config::city::{Contract, Contractor, District, Vehicle};
use meguri_config::fleet::{CITY_FILE, FLEET_FILE};
use meguri_config::{City, Many};
use meguri_proto::{ContractId, VehicleId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The day on which contracts change in the made-up city.
const APRIL: Date = jiff::civil::date(2027, 4, 1);
/// Where the office is, before and from the instant on.
const OLD_BROKER: &str = "office.rehearsal.example";
const NEW_BROKER: &str = "office-2.rehearsal.example";
const MQTT_TLS: u16 = 8883;

/// How many terminals the made-up city may have.
pub(super) const TERMINALS: std::ops::RangeInclusive<u64> = 6..=99_999;

/// Writes the plan of a made-up city with three contractors. The districts of two change hands: in half of them another vehicle
/// comes, in the others the vehicle stays and works for somebody else.
pub(crate) fn write(folder: &Path, terminals: usize) -> anyhow::Result<()> {
    let may = TERMINALS.contains(&(terminals as u64));
    ensure!(may, "{terminals} terminals, expected {} to {}", TERMINALS.start(), TERMINALS.end());
    std::fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    std::fs::write(folder.join(CITY_FILE), toml::to_string(&made_up_city(terminals)?)?)?;
    std::fs::write(folder.join(FLEET_FILE), made_up_fleet(terminals))?;
    Ok(())
}

/// Who had and has which third of the districts: the first two contractors' districts go to the third and the first.
const THIRDS: [(&str, &str); 3] = [("k1", "k3"), ("k2", "k1"), ("k3", "k3")];

fn made_up_city(terminals: usize) -> anyhow::Result<City> {
    let names = [("k1", "第一収集"), ("k2", "第二収集"), ("k3", "第三収集")];
    let wards: Vec<String> = ["東区", "中区", "西区"].map(str::to_owned).to_vec();
    let contractor = names
        .iter()
        .map(|(id, name)| Ok(Contractor { id: id.parse()?, name: (*name).to_owned() }))
        .collect::<anyhow::Result<_>>()?;
    let mut contract = Vec::new();
    for (index, (before, after)) in THIRDS.iter().enumerate() {
        let (old, new) = contracts(index);
        let stays = before == after;
        contract.push(Contract {
            id: old.parse()?,
            contractor: before.parse()?,
            from: jiff::civil::date(2024, 4, 1),
            until: if stays { jiff::civil::date(2030, 3, 31) } else { APRIL.yesterday()? },
        });
        if !stays {
            let (from, until) = (APRIL, jiff::civil::date(2030, 3, 31));
            contract.push(Contract { id: new.parse()?, contractor: after.parse()?, from, until });
        }
    }
    let (mut vehicle, mut district) = (Vec::new(), Vec::new());
    for index in 0..terminals {
        let third = index % THIRDS.len();
        let (old, new) = contracts(third);
        let (before, after): (ContractId, ContractId) = (old.parse()?, new.parse()?);
        let round = format!("{}{:05}", wards[third], index + 1);
        let car = |id: String, contract: Many<ContractId>| {
            let name = format!("{}号車", id.trim_start_matches(|c: char| !c.is_ascii_digit()));
            Ok::<_, anyhow::Error>(Vehicle { id: id.parse()?, contract, name, round: round.clone() })
        };
        let (stays, here) = (before == after, format!("v{:05}", index + 1));
        let serves: Many<VehicleId> = if stays {
            vehicle.push(car(here.clone(), before.into())?);
            here.parse::<VehicleId>()?.into()
        } else if !brings_another(index) {
            vehicle.push(car(here.clone(), several([before, after])?)?);
            here.parse::<VehicleId>()?.into()
        } else {
            let there = format!("w{:05}", index + 1);
            vehicle.push(car(here.clone(), before.into())?);
            vehicle.push(car(there.clone(), after.into())?);
            several([here.parse()?, there.parse()?])?
        };
        district.push(District { name: round, ward: wards[third].clone(), vehicle: serves });
    }
    let (name, division) = ("試験市".to_owned(), "訓練担当".to_owned());
    Ok(City { id: "rehearsal".parse()?, name, division, wards, contractor, contract, vehicle, district })
}

/// Two, one after the other, as a plan's text says it.
fn several<T: Clone + Serialize + DeserializeOwned>(both: [T; 2]) -> anyhow::Result<Many<T>> {
    Ok(serde_json::from_value(serde_json::to_value(&both[..])?)?)
}

/// The contracts of a third of the districts, before and after.
fn contracts(third: usize) -> (String, String) {
    let (before, after) = THIRDS[third];
    let old = format!("area{}-{before}-2024", third + 1);
    let new = if before == after { old.clone() } else { format!("area{}-{after}-2027", third + 1) };
    (old, new)
}

/// The terminals of the made-up city. Where another vehicle comes, it brings another address of the office.
fn made_up_fleet(terminals: usize) -> String {
    let mut text = format!(
        "[template.tablet.broker]\nhost = \"{OLD_BROKER}\"\nport = {MQTT_TLS}\noffice = \"https://{OLD_BROKER}\"\n"
    );
    for index in (0..terminals).filter(|index| brings_another(*index)) {
        let broker = format!("host = \"{NEW_BROKER}\"\noffice = \"https://{NEW_BROKER}\"");
        text.push_str(&format!("\n[vehicle.w{:05}.broker]\n{broker}\n", index + 1));
    }
    for index in 0..terminals {
        let number = index + 1;
        let vehicle = if brings_another(index) {
            format!("[\"v{number:05}\", \"w{number:05}\"]")
        } else {
            format!("\"v{number:05}\"")
        };
        text.push_str(&format!(
            "\n[[terminal]]\nid = \"t-{number:05}\"\nvehicle = {vehicle}\ntemplate = \"tablet\"\n"
        ));
    }
    text
}

/// Whether another vehicle comes to a district with its new contract.
fn brings_another(index: usize) -> bool {
    let (before, after) = THIRDS[index % THIRDS.len()];
    before != after && index % 2 == 1
}
