//! A store with a believable day, for the tests of the pages and for looking at them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    missing_docs,
    reason = "shared by a test and an example, each of which uses a part"
)]

use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use meguri_config::{City, Clock};
use meguri_gateway::audit::Audit;
use meguri_gateway::broker::{Broker, Login};
use meguri_gateway::catalogue;
use meguri_gateway::changes::{Change, Changes};
use meguri_gateway::config::Retention;
use meguri_gateway::control::Desk;
use meguri_gateway::door::Reached;
use meguri_gateway::import::Taker;
use meguri_gateway::office::Office;
use meguri_gateway::people::{Person, Role};
use meguri_gateway::pickups;
use meguri_gateway::store::{Readers, Store, sql};
use meguri_gateway::switchover::releases::Releases;
use meguri_gateway::vitals::Health;
use meguri_gateway::writer::Writer;
use meguri_proto::pickup::Result as Outcome;
use meguri_proto::{
    Digest, Epoch, Fact, FactBody, FactId, Incarnation, ItemResult, ListRef, Outcome as Said, PickupId,
    Reason, Stamps,
};
use rusqlite::{OptionalExtension as _, params};
use serde_json::json;
use uuid::Uuid;

const PLAN: &str = include_str!("../../../tests/demo/city.toml");
const CATALOGUE: &str = include_str!("../../../tests/demo/items.csv");
const ITEMS_PROFILE: &str = include_str!("../../../tests/demo/items.profile.toml");
const TOWNS: &str = include_str!("../../../tests/demo/towns.csv");

/// A store that a test writes as the writer would.
pub(crate) struct Sample {
    pub(crate) store: Store,
    pub(crate) changes: Changes,
    pub(crate) city: Arc<City>,
    drawn: u128,
}

/// A pickup to be put into the store.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) date: Date,
    pub(crate) vehicle: &'a str,
    pub(crate) ward: &'a str,
    pub(crate) town: &'a str,
    pub(crate) reception: &'a str,
    pub(crate) items: &'a str,
}

/// Somebody who sees all of the city.
pub(crate) fn administrator() -> Person {
    Person {
        vouched: false,
        password_until: None,
        id: 1,
        login: "kanri".to_owned(),
        name: "市の管理者".to_owned(),
        role: Role::Administrator,
        contractor: None,
        must_change: false,
        second_factor: true,
        added_at: Timestamp::UNIX_EPOCH,
        signed_in_at: None,
        blocked_at: None,
    }
}

impl Sample {
    pub(crate) fn open(dir: &Path) -> Self {
        let city = City::parse(Path::new("city.toml"), PLAN).unwrap();
        let incarnation = Incarnation(Uuid::from_u128(1));
        let store = Store::open(dir, &city.id, Timestamp::UNIX_EPOCH, incarnation).unwrap();
        for contractor in &city.contractor {
            let row = params![contractor.id.as_str(), contractor.name];
            store.conn.execute("INSERT OR IGNORE INTO contractor VALUES (?1, ?2)", row).unwrap();
        }
        for contract in &city.contract {
            let row = params![
                contract.id.as_str(),
                contract.contractor.as_str(),
                contract.from.to_string(),
                contract.until.to_string()
            ];
            store.conn.execute("INSERT OR IGNORE INTO contract VALUES (?1, ?2, ?3, ?4)", row).unwrap();
        }
        for vehicle in &city.vehicle {
            let row =
                params![vehicle.id.as_str(), vehicle.contract.first().as_str(), vehicle.name, vehicle.round];
            store.conn.execute("INSERT OR IGNORE INTO vehicle VALUES (?1, ?2, ?3, ?4)", row).unwrap();
            for contract in vehicle.contract.iter() {
                let row = params![vehicle.id.as_str(), contract.as_str()];
                store.conn.execute("INSERT OR IGNORE INTO vehicle_contract VALUES (?1, ?2)", row).unwrap();
            }
        }
        Self { store, changes: Changes::new(), city: Arc::new(city), drawn: 1000 }
    }

    pub(crate) fn office(&self, clock: Clock) -> Office {
        Office {
            readers: self.store.readers(4),
            changes: self.changes.clone(),
            clock,
            city: self.city.clone(),
            data: "/srv/meguri".into(),
            silence_minutes: 30,
        }
    }

    fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(self.drawn)
    }

    fn contract_of(&self, vehicle: &str) -> String {
        let vehicle = self.city.vehicle.iter().find(|known| known.id.as_str() == vehicle).unwrap();
        vehicle.contract.first().to_string()
    }

    pub(crate) fn terminal(&self, id: &str, vehicle: &str, online: bool, heard: Option<Timestamp>) {
        let insert = "INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at, online, last_heard_at, waiting)
            VALUES (?1, ?2, ?3, x'00', 0, ?4, ?5, 0)";
        let row = params![id, self.contract_of(vehicle), vehicle, online, heard.map(sql::ms)];
        self.store.conn.execute(insert, row).unwrap();
    }

    pub(crate) fn import(&self, at: Timestamp) -> i64 {
        let insert = "INSERT INTO import (at, file, sha256, profile, state, counts)
            VALUES (?1, 'moushikomi-0401.csv', x'00', 'day', 'applied', '{}')";
        self.store.conn.execute(insert, [sql::ms(at)]).unwrap();
        self.store.conn.last_insert_rowid()
    }

    /// An import that a person has to decide on, and its notice.
    pub(crate) fn held_import(&self, at: Timestamp, file: &str, day: Date) -> i64 {
        let why = json!([{ "date": day, "planned": 232, "missing": 83 }]);
        let insert =
            "INSERT INTO import (at, file, sha256, profile, state, counts, held_why, content, profile_text)
            VALUES (?1, ?2, x'00', 'day', 'held', '{}', ?3, x'', '')";
        self.store.conn.execute(insert, params![sql::ms(at), file, why.to_string()]).unwrap();
        let import = self.store.conn.last_insert_rowid();
        self.notice(at, "import_held", None, &json!({ "import": import }));
        import
    }

    pub(crate) fn pickup(&mut self, request: &Request<'_>, at: Timestamp) -> PickupId {
        let uid = self.draw();
        let conn = &self.store.conn;
        let stop: i64 = conn
            .query_row(
                "SELECT count(*) + 1 FROM pickup WHERE date = ?1 AND vehicle = ?2",
                params![request.date.to_string(), request.vehicle],
                |row| row.get(0),
            )
            .unwrap();
        let district =
            self.city.district.iter().find(|district| district.vehicle.first().as_str() == request.vehicle);
        let insert = "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
            reception, items, payment) VALUES (?1, 'day', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, '\"tickets\"')";
        conn.execute(
            insert,
            params![
                uid.as_bytes().as_slice(),
                uid.to_string(),
                request.date.to_string(),
                district.map_or("", |district| district.name.as_str()),
                request.ward,
                self.contract_of(request.vehicle),
                request.vehicle,
                stop,
                request.reception,
                request.items,
            ],
        )
        .unwrap();
        let pickup = conn.last_insert_rowid();
        let insert = "INSERT INTO resident (pickup, rev, town, lot, building, spot, notice, lat, lng)
            VALUES (?1, 1, ?2, '3番12号', 'メゾン川本 201号室', '建物西側 ごみ置き場の前', '', 34.3853, 132.4553)";
        conn.execute(insert, params![pickup, request.town]).unwrap();
        conn.execute(
            "INSERT INTO history (pickup, at, kind) VALUES (?1, ?2, 'added')",
            params![pickup, sql::ms(at)],
        )
        .unwrap();
        PickupId(uid)
    }

    fn row_of(&self, pickup: PickupId) -> i64 {
        let select = "SELECT id FROM pickup WHERE uid = ?1";
        self.store.conn.query_row(select, [pickup.0.as_bytes().as_slice()], |row| row.get(0)).unwrap()
    }

    /// A terminal's word about a pickup, received `late` after it was said.
    pub(crate) fn say(
        &mut self,
        pickup: PickupId,
        terminal: &str,
        at: Timestamp,
        late: SignedDuration,
        result: Outcome,
    ) -> FactId {
        let id = FactId(self.draw());
        let row = self.row_of(pickup);
        let conn = &self.store.conn;
        let (contract, date): (String, String) = conn
            .query_row("SELECT contract, date FROM pickup WHERE id = ?1", [row], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let found: Option<(i64, i64)> = conn
            .query_row("SELECT id, held FROM log WHERE terminal = ?1", [terminal], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .unwrap();
        let (log, held) = found.unwrap_or_else(|| {
            let epoch = Epoch(Uuid::from_u128(u128::from(terminal.len() as u64) + self.drawn));
            let insert = "INSERT INTO log (terminal, kind, epoch, digest, opened_at) VALUES (?1, 'fact', ?2, x'00', 0)";
            conn.execute(insert, params![terminal, epoch.0.as_bytes().as_slice()]).unwrap();
            (conn.last_insert_rowid(), 0)
        });
        let body = FactBody {
            v: 1,
            contract: contract.parse().unwrap(),
            config: 1,
            crew: None,
            at: Stamps { terminal: at - SignedDuration::from_secs(2), gnss: Some(at), trusted: Some(at) },
            fact: Fact::Outcome(Said {
                pickup,
                list: ListRef { date: date.parse().unwrap(), version: 3 },
                replaces: None,
                result,
            }),
        };
        let received = sql::ms(at + late);
        let insert = "INSERT INTO fact (id, log, seq, terminal, pickup, contract, body, terminal_at, gnss_at, trusted_at,
            received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, ?9)";
        let body = serde_json::to_string(&body).unwrap();
        let bytes = id.0.as_bytes().as_slice();
        conn.execute(
            insert,
            params![bytes, log, held + 1, terminal, row, contract, body, sql::ms(at), received],
        )
        .unwrap();
        conn.execute("UPDATE log SET held = held + 1 WHERE id = ?1", [log]).unwrap();
        let insert = "INSERT INTO history (pickup, at, kind, fact) VALUES (?1, ?2, 'outcome', ?3)";
        conn.execute(insert, params![row, received, bytes]).unwrap();
        let history = conn.last_insert_rowid();
        pickups::refresh(conn, row).unwrap();
        self.changes.tell(Change::History(history));
        id
    }

    /// The office's word about a pickup.
    pub(crate) fn decide(&self, pickup: PickupId, office: &serde_json::Value, kind: &str, at: Timestamp) {
        let row = self.row_of(pickup);
        let conn = &self.store.conn;
        conn.execute("UPDATE pickup SET office = ?2 WHERE id = ?1", params![row, office.to_string()])
            .unwrap();
        let insert = "INSERT INTO history (pickup, at, kind, import) VALUES (?1, ?2, ?3, ?4)";
        conn.execute(insert, params![row, sql::ms(at), kind, self.import(at)]).unwrap();
        pickups::refresh(conn, row).unwrap();
    }

    /// A change of address and vehicle.
    pub(crate) fn change(&self, pickup: PickupId, at: Timestamp) {
        let row = self.row_of(pickup);
        let conn = &self.store.conn;
        conn.execute("UPDATE pickup SET rev = 2 WHERE id = ?1", [row]).unwrap();
        let copy =
            "INSERT INTO resident SELECT pickup, 2, town, '3番15号', building, '玄関前', notice, lat, lng
            FROM resident WHERE pickup = ?1 AND rev = 1";
        conn.execute(copy, [row]).unwrap();
        let detail = json!({"rev": 2, "fields": {"lot": null, "spot": null, "vehicle": ["v02", "v01"]}});
        let insert =
            "INSERT INTO history (pickup, at, kind, import, detail) VALUES (?1, ?2, 'changed', ?3, ?4)";
        conn.execute(insert, params![row, sql::ms(at), self.import(at), detail.to_string()]).unwrap();
    }

    /// A change of the items.
    pub(crate) fn change_items(&self, pickup: PickupId, items: &str, at: Timestamp) {
        let row = self.row_of(pickup);
        let conn = &self.store.conn;
        let (rev, before): (i64, String) = conn
            .query_row("SELECT rev, items FROM pickup WHERE id = ?1", [row], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        conn.execute("UPDATE pickup SET rev = ?2, items = ?3 WHERE id = ?1", params![row, rev + 1, items])
            .unwrap();
        let copy = "INSERT INTO resident SELECT pickup, rev + 1, town, lot, building, spot, notice, lat, lng
            FROM resident WHERE pickup = ?1 AND rev = ?2";
        conn.execute(copy, [row, rev]).unwrap();
        let parsed = |items: &str| serde_json::from_str::<serde_json::Value>(items).unwrap();
        let detail = json!({"rev": rev + 1, "fields": {"items": [parsed(&before), parsed(items)]}});
        let insert =
            "INSERT INTO history (pickup, at, kind, import, detail) VALUES (?1, ?2, 'changed', ?3, ?4)";
        conn.execute(insert, params![row, sql::ms(at), self.import(at), detail.to_string()]).unwrap();
    }

    /// The demo's catalogue, with these lines beside its own.
    pub(crate) fn catalogue(&self, more: &str, at: Timestamp) {
        let profile = catalogue::profile::Profile::parse(ITEMS_PROFILE).unwrap();
        let content = format!("{CATALOGUE}{more}");
        let reading = catalogue::read::read(&profile, content.as_bytes()).unwrap();
        assert_eq!(reading.problems, []);
        let new = catalogue::New {
            file: "items.csv".to_owned(),
            sha256: Digest::of(content.as_bytes()),
            profile: profile.name,
            items: reading.items,
            missing_percent: 20,
            anyway: false,
        };
        let report = catalogue::apply(&self.store.conn, at, &new).unwrap();
        assert_eq!(report.outcome, catalogue::Outcome::Applied);
    }

    pub(crate) fn note(&self, text: &str) -> Digest {
        let digest = Digest::of(text.as_bytes());
        let insert = "INSERT OR IGNORE INTO note VALUES (?1, ?2, 0)";
        self.store.conn.execute(insert, params![digest.0.as_slice(), text]).unwrap();
        digest
    }

    pub(crate) fn aside(
        &self,
        at: Timestamp,
        terminal: Option<&str>,
        topic: &str,
        problem: &str,
        raw: &[u8],
    ) -> i64 {
        let insert =
            "INSERT INTO aside (at, topic, terminal, problem, raw, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let bytes = i64::try_from(raw.len()).unwrap();
        self.store.conn.execute(insert, params![sql::ms(at), topic, terminal, problem, raw, bytes]).unwrap();
        self.changes.tell(Change::Aside);
        self.store.conn.last_insert_rowid()
    }

    pub(crate) fn settle(&self, aside: i64, at: Timestamp) {
        let update = "UPDATE aside SET settled_at = ?2, settled_how = 'processed' WHERE id = ?1";
        self.store.conn.execute(update, params![aside, sql::ms(at)]).unwrap();
        self.changes.tell(Change::Aside);
    }

    pub(crate) fn notice(
        &self,
        at: Timestamp,
        kind: &str,
        terminal: Option<&str>,
        detail: &serde_json::Value,
    ) {
        let terminal: Option<meguri_proto::TerminalId> = terminal.map(|terminal| terminal.parse().unwrap());
        assert!(sql::notice(&self.store.conn, at, kind, terminal.as_ref(), detail).unwrap());
        self.changes.tell(Change::Notice);
    }

    /// A whole day of about `per_vehicle` stops a vehicle, at noon of it.
    pub(crate) fn day(&mut self, date: Date, per_vehicle: u32) {
        let at = |minutes: i64| day_start(date) + SignedDuration::from_mins(minutes);
        self.import(at(-600));
        let mut dice = Dice(7);
        let vehicles: Vec<String> = self.city.vehicle.iter().map(|vehicle| vehicle.id.to_string()).collect();
        let mut plans = Vec::new();
        self.store.conn.execute_batch("BEGIN").unwrap();
        for vehicle in &vehicles {
            for _ in 0..per_vehicle + dice.roll(per_vehicle / 2 + 1) {
                let district = self
                    .city
                    .district
                    .iter()
                    .find(|district| district.vehicle.first().as_str() == vehicle)
                    .unwrap();
                let towns: Vec<Vec<&str>> = TOWNS
                    .lines()
                    .map(|line| line.split(',').collect::<Vec<_>>())
                    .filter(|row| row[1] == district.name)
                    .collect();
                let town = towns[dice.roll(towns.len() as u32) as usize][2];
                let reception = format!("{:04}", dice.roll(10_000));
                let (ward, items) = (district.ward.clone(), ITEMS[dice.roll(ITEMS.len() as u32) as usize]);
                let request = Request { date, vehicle, ward: &ward, town, reception: &reception, items };
                plans.push((self.pickup(&request, at(-600)), vehicle.clone()));
            }
        }
        for (number, vehicle) in vehicles.iter().enumerate() {
            let terminal = format!("t-{:02}", number + 1);
            let silent = number == 11;
            let heard = if silent { at(199) } else { at(245 - number as i64 % 5) };
            self.terminal(&terminal, vehicle, !silent, Some(heard));
            let own: Vec<PickupId> =
                plans.iter().filter(|(_, of)| of == vehicle).map(|(uid, _)| *uid).collect();
            let done = own.len() * (55 + dice.roll(25) as usize) / 100;
            let last = if silent { 190.0 } else { 240.0 + number as f64 / 3.0 };
            for (index, uid) in own.iter().take(done).enumerate() {
                let seconds = last * 60.0 * (index as f64 + 1.0) / done as f64;
                let said = day_start(date) + SignedDuration::from_secs(seconds as i64);
                let result = match dice.roll(100) {
                    0 => Outcome::NotCollected { reason: Reason::TicketShort, note: None },
                    1 => Outcome::NotCollected { reason: Reason::NotOut, note: None },
                    2 if dice.roll(2) == 0 => {
                        let reason = [Reason::PlaceNotFound, Reason::AccessBlocked][dice.roll(2) as usize];
                        Outcome::NotCollected { reason, note: None }
                    }
                    _ => Outcome::Collected,
                };
                self.say(*uid, &terminal, said, SignedDuration::from_secs(3), result);
            }
        }
        self.store.conn.execute_batch("COMMIT").unwrap();
    }
}

/// When a working day begins: 8 o'clock in Japan.
pub(crate) fn day_start(date: Date) -> Timestamp {
    jiff::tz::Offset::constant(9).to_timestamp(date.at(8, 0, 0, 0)).unwrap()
}

/// The items of a sample, as the store keeps them.
pub(crate) const ITEMS: &[&str] = &[
    r#"[{"name":"ソファ（2人用）","count":1,"tickets":[{"yen":1000,"count":1},{"yen":250,"count":2}]}]"#,
    r#"[{"name":"自転車","count":2,"tickets":[{"yen":250,"count":2}]},{"name":"衣装ケース","count":3,"tickets":[{"yen":250,"count":3}]}]"#,
    r#"[{"name":"たんす（高さ120cm以下）","count":1,"tickets":[{"yen":1000,"count":1}]},{"name":"布団","count":2,"tickets":[{"yen":250,"count":2}]}]"#,
    r#"[{"name":"冷蔵庫","count":1,"tickets":[{"yen":1000,"count":2}],"recycling":true}]"#,
];

/// A part of the first item of [`ITEMS`]`[1]`.
pub(crate) fn partly() -> Outcome {
    let items = vec![
        ItemResult { item: 0, collected: 1, reason: Some(Reason::OtherCount) },
        ItemResult { item: 1, collected: 3, reason: None },
    ];
    Outcome::Partly { items, note: None }
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(sides.max(1))).unwrap()
    }
}

/// A clock that starts at an instant and goes on at `speed`, by a file in `dir`.
pub(crate) fn clock_at(dir: &Path, at: Timestamp, speed: f64) -> Clock {
    let path = dir.join("clock.toml");
    let text = format!("real = \"{}\"\nfrom = \"{at}\"\nspeed = {speed:?}\n", Timestamp::now());
    std::fs::write(&path, text).unwrap();
    Clock::rehearsal(&path).unwrap()
}

/// What does the commands of an office without a broker, which terminals reach over TLS.
pub(crate) fn desk(
    writer: &Writer,
    readers: &Readers,
    city: &Arc<City>,
    health: &Health,
    audit: &Audit,
) -> Desk {
    let (host, user, password) = Default::default();
    let login = Login { host, port: 0, user, password, tls: None };
    Desk {
        writer: writer.clone(),
        readers: readers.clone(),
        taker: Taker::new(writer.clone(), readers.clone(), city.clone()),
        releases: Releases::new(writer.clone(), city.id.clone(), health.clock.clone()),
        broker: Arc::new(Broker::External(login, None)),
        health: health.clone(),
        retention: Retention::default(),
        reached: Some(Reached {
            host: "office.example".to_owned(),
            broker_host: "office.example".to_owned(),
            broker: 8883,
            door: 8651,
        }),
        audit: audit.clone(),
    }
}
