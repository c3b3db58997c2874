//! Writes a plan into the store: only what differs, in the caller's transaction.

use jiff::Timestamp;
use meguri_proto::Digest;
use meguri_proto::pickup::OfficeWord;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use super::plan::{Before, Plan, Step};
use super::read::Reading;
use super::visit::Visit;
use crate::pickups;
use crate::store::sql;
use crate::touched::Touched;

/// Why a plan was not written.
pub(super) enum NotApplied {
    /// The store is not as it was when the plan was made.
    MovedOn,
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for NotApplied {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Who changes what when.
pub(super) struct Writing<'a> {
    pub(super) tx: &'a Connection,
    pub(super) now: Timestamp,
    pub(super) import: i64,
    pub(super) source: &'a str,
    pub(super) touched: &'a mut Touched,
}

impl Writing<'_> {
    /// Writes the plan.
    pub(super) fn apply(&mut self, plan: &Plan, reading: &Reading) -> Result<(), NotApplied> {
        let city: String = self.tx.query_row("SELECT city FROM office", [], |row| row.get(0))?;
        for step in &plan.steps {
            let request = step.request.and_then(|index| reading.requests.get(index));
            match (&step.before, request) {
                (None, Some(request)) => self.add(&city, step, &request.key, &request.visit)?,
                (Some(before), request) => {
                    self.change(step, before, request.map(|request| &request.visit))?
                }
                // A plan has no step for nothing.
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, city: &str, step: &Step, key: &str, visit: &Visit) -> Result<(), NotApplied> {
        let insert =
            "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
                reception, items, payment, office)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            ON CONFLICT (source, source_key) DO NOTHING";
        let rows = self.tx.prepare_cached(insert)?.execute(params![
            uid(city, self.source, key).as_bytes().as_slice(),
            self.source,
            key,
            visit.date.to_string(),
            visit.district,
            visit.place.ward,
            visit.contract.as_str(),
            visit.vehicle.as_str(),
            step.stop.unwrap_or_default(),
            visit.reception,
            json!(visit.items).to_string(),
            payment(visit),
            json!(step.word.unwrap_or_default()).to_string(),
        ])?;
        if rows == 0 {
            return Err(NotApplied::MovedOn);
        }
        let pickup = self.tx.last_insert_rowid();
        self.resident(pickup, 1, visit)?;
        self.history(pickup, "added", Some(&json!({ "rev": 1 })))?;
        if step.word.is_some() {
            self.word(pickup, step)?;
        }
        self.touched.pickup(visit.round());
        Ok(())
    }

    fn change(&mut self, step: &Step, before: &Before, visit: Option<&Visit>) -> Result<(), NotApplied> {
        let rev = before.rev + i64::from(!step.fields.is_empty());
        let word = step.word.unwrap_or(before.office);
        let guard = params![before.id, before.rev, json!(before.office).to_string()];
        let same = "SELECT 1 FROM pickup WHERE id = ?1 AND rev = ?2 AND office = ?3";
        if !self.tx.prepare_cached(same)?.exists(guard)? {
            return Err(NotApplied::MovedOn);
        }
        if let Some(visit) = visit {
            let update = "UPDATE pickup SET date = ?2, district = ?3, ward = ?4, contract = ?5, vehicle = ?6,
                    stop = coalesce(?7, stop), reception = ?8, items = ?9, payment = ?10, rev = ?11
                WHERE id = ?1";
            self.tx.prepare_cached(update)?.execute(params![
                before.id,
                visit.date.to_string(),
                visit.district,
                visit.place.ward,
                visit.contract.as_str(),
                visit.vehicle.as_str(),
                step.stop,
                visit.reception,
                json!(visit.items).to_string(),
                payment(visit),
                rev,
            ])?;
            self.touched.rounds.insert(visit.round());
            if !step.fields.is_empty() {
                self.resident(before.id, rev, visit)?;
                self.history(before.id, "changed", Some(&json!({ "rev": rev, "fields": step.fields })))?;
            }
            // Crews look again at what became different on the very day.
            let different = !step.fields.is_empty() || word == OfficeWord::Planned && step.word.is_some();
            if different && visit.date == meguri_proto::clock::business_date(self.now) {
                let mark = "UPDATE pickup SET changed_on = date WHERE id = ?1";
                self.tx.prepare_cached(mark)?.execute([before.id])?;
            }
        }
        if step.word.is_some() {
            let update = "UPDATE pickup SET office = ?2 WHERE id = ?1";
            self.tx.prepare_cached(update)?.execute(params![before.id, json!(word).to_string()])?;
            self.word(before.id, step)?;
        }
        self.touched.rounds.insert(before.round.clone());
        Ok(())
    }

    /// The office's word has changed: history, and the state that follows from it.
    fn word(&mut self, pickup: i64, step: &Step) -> Result<(), NotApplied> {
        let kind = if step.word == Some(OfficeWord::Cancelled) { "cancelled" } else { "reinstated" };
        // A cancellation for being missing says so.
        let why = step.request.is_none().then(|| json!({ "missing": true }));
        self.history(pickup, kind, why.as_ref())?;
        pickups::refresh(self.tx, pickup)?;
        Ok(())
    }

    fn history(&mut self, pickup: i64, kind: &str, detail: Option<&Value>) -> rusqlite::Result<()> {
        let insert = "INSERT INTO history (pickup, at, kind, import, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
        let detail = detail.map(Value::to_string);
        let at = sql::ms(self.now);
        self.tx.prepare_cached(insert)?.execute(params![pickup, at, kind, self.import, detail])?;
        self.touched.history = true;
        Ok(())
    }

    fn resident(&self, pickup: i64, rev: i64, visit: &Visit) -> rusqlite::Result<()> {
        let insert = "INSERT INTO resident (pickup, rev, town, lot, building, spot, notice, lat, lng)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let place = &visit.place;
        let (lat, lng) = place.position.unzip();
        self.tx.prepare_cached(insert)?.execute(params![
            pickup,
            rev,
            place.town,
            place.lot,
            place.building,
            place.spot,
            place.notice,
            lat,
            lng
        ])?;
        Ok(())
    }
}

/// A pickup's id. It follows from what identifies the pickup, so that an office that comes back from a copy older than
/// a file gives the same ids to the file's pickups again, and what terminals have said of them finds them.
fn uid(city: &str, source: &str, key: &str) -> Uuid {
    let Digest([bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]) =
        Digest::of(json!(["pickup", city, source, key]).to_string().as_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The bare word, as on the wire.
fn payment(visit: &Visit) -> String {
    json!(visit.payment).as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::uid;

    #[test]
    fn a_pickups_id_follows_from_what_identifies_it() {
        let id = uid("hiroshima", "uketsuke", "2026-04-01/4417");
        // Stores hold such ids, and terminals' facts name them: they never change.
        assert_eq!(id.to_string(), "b85dbb70-9a4f-8af8-bae5-f99cabdab59c");
        assert_eq!(id.get_version_num(), 8);
        for other in [
            uid("kure", "uketsuke", "2026-04-01/4417"),
            uid("hiroshima", "uketsuke-2", "2026-04-01/4417"),
            uid("hiroshima", "uketsuke", "2026-04-01/4418"),
            uid("hiroshimau", "ketsuke", "2026-04-01/4417"),
        ] {
            assert_ne!(id, other);
        }
    }
}
