//! The stage: an office with as many terminals and pickups as a figure needs, written into a store of the gateway's
//! own making, and the entries that those terminals would send.

use std::path::Path;

use anyhow::Context;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use meguri_config::City;
use meguri_config::city::{District, Vehicle};
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{
    Digest, Entry, Epoch, Fact, FactBody, FactId, ListRef, LogPublish, Message as _, PickupId, Reason,
    Stamps, Undo,
};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::day;
use crate::harness::office::Office;
use crate::harness::port::Port;
use crate::harness::scene::{DAY, write_clock};

/// When the stage's day is: 09:00 in Japan.
pub const MORNING: &str = "2026-04-01T00:00:00Z";

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Terminals, each on a vehicle of its own.
    pub terminals: usize,
    /// Pickups of one vehicle on one day.
    pub stops: usize,
    /// Days with pickups, up to and with the stage's day.
    pub days: usize,
}

/// The stage. What runs on it ends when it is dropped.
pub struct Stage {
    /// The office.
    pub office: Office,
    /// The terminals.
    pub seats: Vec<Seat>,
    _port: Port,
}

/// A terminal: how it logs in, and what it may speak of.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its name.
    pub name: String,
    /// Its secret.
    pub secret: String,
    /// Its vehicle.
    pub vehicle: String,
    /// Its contract.
    pub contract: String,
    /// Its vehicle's pickups; those of the stage's day stand first.
    pub pickups: Vec<Uuid>,
}

impl Stage {
    /// Sets it up in `dir`; the office is stopped.
    ///
    /// # Errors
    /// When a file can't be written or the gateway does not start.
    pub fn set(dir: &Path, size: Size) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut stage = Self::over(dir, size)?;
        // The gateway makes its own tables.
        stage.start()?;
        stage.office.stop()?;
        let mut store = stage.writable()?;
        let tx = store.transaction()?;
        for seat in &stage.seats {
            seat.insert(&tx)?;
        }
        let mut number = 0_u64;
        for back in 0..size.days {
            let date = DAY.checked_sub(i64::try_from(back)?.days())?;
            for (index, seat) in stage.seats.iter_mut().enumerate() {
                for stop in 0..size.stops {
                    number += 1;
                    let uid = uid(number);
                    pickup(&tx, seat, (index, stop), date, uid)?;
                    seat.pickups.push(uid);
                }
            }
        }
        tx.commit().context("can't fill the store")?;
        Ok(stage)
    }

    /// The stage over a store that is there already, or is yet to be made.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn over(dir: &Path, size: Size) -> anyhow::Result<Self> {
        let city = city(size.terminals)?;
        let clock = dir.join("clock.toml");
        write_clock(&clock, MORNING.parse()?, 1.0)?;
        let port = Port::take()?;
        let office = Office::set_up(dir, &city, Some(&clock), port.address(), None)?;
        let seats = city.vehicle.iter().enumerate().map(|(index, vehicle)| Seat {
            name: format!("t-{index:04}"),
            secret: format!("secret-of-{index}"),
            vehicle: vehicle.id.to_string(),
            contract: vehicle.contract.first().to_string(),
            pickups: Vec::new(),
        });
        Ok(Self { office, seats: seats.collect(), _port: port })
    }

    /// Starts the office with the timers and the log of real life, not those of tests.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut command = self.office.command()?;
        for (name, value) in [
            ("LOG__LEVEL", "warn"),
            ("TIMERS__SAY_HELLO", "5"),
            ("TIMERS__RECONNECT", "0.5"),
            ("TIMERS__RECONNECT_MOST", "30"),
            ("TIMERS__KEEP_ALIVE", "30"),
            ("TIMERS__DAY", "30"),
        ] {
            command.env(format!("MEGURI_GATEWAY__{name}"), value);
        }
        self.office.start_as(command.arg("serve"))
    }

    /// The store of the stopped office, to be written.
    ///
    /// # Errors
    /// When there is none.
    pub fn writable(&self) -> anyhow::Result<Connection> {
        let store = Connection::open(self.office.data().join("meguri.db")).context("can't open the store")?;
        store.pragma_update(None, "synchronous", "OFF")?;
        Ok(store)
    }
}

impl Seat {
    fn insert(&self, tx: &Connection) -> anyhow::Result<()> {
        tx.prepare_cached(
            "INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at) VALUES (?1, ?2, ?3, ?4, 0)",
        )?
        .execute(params![self.name, self.contract, self.vehicle, Digest::of(self.secret.as_bytes()).0])?;
        Ok(())
    }

    /// The topic of its fact log.
    #[must_use]
    pub fn fact_topic(&self) -> String {
        format!("meguri/1/hiroshima/{}/up/fact", self.name)
    }

    /// What it may subscribe to.
    #[must_use]
    pub fn filter(&self) -> String {
        format!("meguri/1/hiroshima/{}/down/#", self.name)
    }
}

fn city(vehicles: usize) -> anyhow::Result<City> {
    let mut city = day::city(DAY)?;
    let contracts: Vec<_> = city.contract.iter().map(|contract| contract.id.clone()).collect();
    let numbers: Vec<String> = (0..vehicles).map(|index| format!("{index:04}")).collect();
    city.vehicle = numbers
        .iter()
        .zip(contracts.iter().cycle())
        .map(|(number, contract)| {
            let (name, round) = (format!("{number}号車"), format!("コース{number}"));
            Ok(Vehicle { id: format!("b{number}").parse()?, contract: contract.clone().into(), name, round })
        })
        .collect::<anyhow::Result<_>>()?;
    let wards = city.wards.clone();
    city.district = numbers
        .iter()
        .zip(wards.iter().cycle())
        .map(|(number, ward)| {
            let vehicle: meguri_proto::VehicleId = format!("b{number}").parse()?;
            Ok(District { name: format!("地区{number}"), ward: ward.clone(), vehicle: vehicle.into() })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(city)
}

/// The id of a pickup: in no order, as those of life.
#[must_use]
pub fn uid(number: u64) -> Uuid {
    let Digest([bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]) =
        Digest::of(&number.to_be_bytes());
    Uuid::from_bytes(bytes)
}

/// Writes one pickup, as an import does.
///
/// # Errors
/// When the store refuses.
pub fn pickup(
    tx: &Connection,
    seat: &Seat,
    (vehicle, stop): (usize, usize),
    date: Date,
    uid: Uuid,
) -> anyhow::Result<i64> {
    let wards = ["中区", "東区", "南区", "西区", "安佐南区", "安佐北区", "安芸区", "佐伯区"];
    let ward = wards[vehicle % wards.len()];
    let reception = format!("{:04}", (vehicle * 131 + stop * 7) % 10_000);
    let items = r#"[{"name":"自転車","count":1,"tickets":[{"yen":250,"count":2}]},{"name":"ふとん","count":2,"tickets":[{"yen":250,"count":2}]}]"#;
    tx.prepare_cached(
        "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop, reception,
            items, payment) VALUES (?1, 'bench', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'tickets')",
    )?
    .execute(params![
        uid.as_bytes(),
        format!("{date} {vehicle} {stop}"),
        date.to_string(),
        format!("地区{vehicle:04}"),
        ward,
        seat.contract,
        seat.vehicle,
        i64::try_from(stop + 1)?,
        reception,
        items,
    ])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached(
        "INSERT INTO resident (pickup, rev, town, lot, building, spot, lat, lng)
        VALUES (?1, 1, '基町一丁目', ?2, 'みどりハイツ 203号室', '玄関前 右側', 34.39, 132.46)",
    )?
    .execute(params![id, format!("{}番{}号", stop % 24 + 1, vehicle % 30 + 1)])?;
    tx.prepare_cached("INSERT INTO history (pickup, at, kind) VALUES (?1, 0, 'added')")?.execute([id])?;
    Ok(id)
}

/// One terminal's log as it grows: well-formed, well-chained.
#[derive(Debug)]
pub struct Book {
    /// Its epoch.
    pub epoch: Epoch,
    /// The number of its last entry.
    pub seq: u64,
    digest: Digest,
    seat: Seat,
    at: Timestamp,
    /// What stands of each pickup.
    said: Vec<Option<FactId>>,
}

impl Book {
    /// The log of a terminal that speaks of its first `pickups` pickups in turn: collected, taken back, not collected,
    /// taken back, and so on.
    ///
    /// # Errors
    /// Never; the stage's morning is an instant.
    pub fn new(seat: &Seat, pickups: usize) -> anyhow::Result<Self> {
        let mut seat = seat.clone();
        seat.pickups.truncate(pickups);
        let said = vec![None; seat.pickups.len()];
        let epoch = Epoch(Uuid::now_v7());
        Ok(Self { epoch, seq: 0, digest: Digest::ZERO, seat, at: MORNING.parse()?, said })
    }

    /// The topic that it goes to.
    #[must_use]
    pub fn topic(&self) -> String {
        self.seat.fact_topic()
    }

    /// The next entry.
    ///
    /// # Errors
    /// When a name of the stage is none of the wire.
    pub fn entry(&mut self) -> anyhow::Result<Entry> {
        let count = self.seat.pickups.len();
        let (index, round) = (usize::try_from(self.seq)? % count, usize::try_from(self.seq)? / count);
        let pickup = PickupId(self.seat.pickups[index]);
        let id = FactId(Uuid::now_v7());
        let fact = match self.said[index].take() {
            Some(of) => Fact::Undo(Undo { pickup, of }),
            None => {
                self.said[index] = Some(id);
                let result = match round % 4 {
                    0 => Outcome::Collected,
                    _ => Outcome::NotCollected { reason: Reason::NotOut, note: None },
                };
                let list = ListRef { date: DAY, version: 1 };
                Fact::Outcome(meguri_proto::Outcome { pickup, list, replaces: None, result })
            }
        };
        self.at = self.at.checked_add(1.millisecond())?;
        let at = Stamps { terminal: self.at, gnss: None, trusted: Some(self.at) };
        let body = FactBody { v: 1, contract: self.seat.contract.parse()?, config: 1, crew: None, at, fact };
        let body = RawValue::from_string(String::from_utf8(body.encode()?)?)?;
        self.seq += 1;
        self.digest = self.digest.then(body.get().as_bytes());
        Ok(Entry { seq: self.seq, id, digest: self.digest, body })
    }

    /// The next `count` entries as one publish.
    ///
    /// # Errors
    /// As [`Book::entry`].
    pub fn publish(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        let entries = (0..count).map(|_| self.entry()).collect::<anyhow::Result<_>>()?;
        self.publish_of(entries)
    }

    /// These entries of it as one publish.
    ///
    /// # Errors
    /// When they are too many for one.
    pub fn publish_of(&self, entries: Vec<Entry>) -> anyhow::Result<Vec<u8>> {
        let publish =
            LogPublish { v: 1, epoch: self.epoch, entries, notes: std::collections::BTreeMap::new() };
        Ok(publish.encode()?)
    }
}
