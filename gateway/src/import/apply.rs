//! Writes what a file says of one pickup into the store: only what differs from what is there now.

use jiff::Timestamp;
use meguri_proto::Digest;
use meguri_proto::pickup::OfficeWord;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use super::plan::{self, Change};
use super::stored::{self, Stored};
use super::visit::Visit;
use crate::pickups;
use crate::store::sql;
use crate::touched::Touched;

/// What a file says of one request.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) visit: Visit,
    pub(super) cancelled: bool,
    /// Its place in the round; none where it keeps the one it has.
    pub(super) stop: Option<i64>,
}

/// Who changes what when.
pub(super) struct Writing<'a> {
    pub(super) tx: &'a Connection,
    pub(super) now: Timestamp,
    pub(super) import: i64,
    pub(super) source: &'a str,
    pub(super) city: &'a str,
    pub(super) touched: &'a mut Touched,
}

impl Writing<'_> {
    /// What the file says of a request becomes true. Compared with the store as it is now: whatever came between the
    /// comparison of the whole file and this moment, the pickup is as the file says, and history tells what changed.
    pub(super) fn request(&mut self, key: &str, said: &Said) -> rusqlite::Result<()> {
        match stored::one(self.tx, self.source, key)? {
            None => self.add(key, said),
            Some(stored) => {
                let change = plan::change(&said.visit, said.cancelled, said.stop, &stored);
                self.change(&stored, &said.visit, &change)
            }
        }
    }

    /// A pickup that is missing in the file is cancelled, where it is still planned.
    pub(super) fn gone(&mut self, pickup: i64) -> rusqlite::Result<()> {
        let Some(stored) = stored::by_id(self.tx, pickup)? else { return Ok(()) };
        if stored.office == OfficeWord::Planned {
            self.word(pickup, OfficeWord::Cancelled, Some(&json!({ "missing": true })))?;
            self.touched.rounds.insert(stored.visit.round());
        }
        Ok(())
    }

    fn add(&mut self, key: &str, said: &Said) -> rusqlite::Result<()> {
        let insert =
            "INSERT INTO pickup (uid, source, source_key, date, district, ward, contract, vehicle, stop,
                reception, items, payment, office)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let visit = &said.visit;
        let word = plan::new_word(said.cancelled);
        self.tx.prepare_cached(insert)?.execute(params![
            uid(self.city, self.source, key).as_bytes().as_slice(),
            self.source,
            key,
            visit.date.to_string(),
            visit.district,
            visit.place.ward,
            visit.contract.as_str(),
            visit.vehicle.as_str(),
            said.stop.unwrap_or_default(),
            visit.reception,
            json!(visit.items).to_string(),
            payment(visit),
            json!(OfficeWord::default()).to_string(),
        ])?;
        let pickup = self.tx.last_insert_rowid();
        self.resident(pickup, 1, visit)?;
        self.history(pickup, "added", Some(&json!({ "rev": 1 })))?;
        if let Some(word) = word {
            self.word(pickup, word, None)?;
        }
        self.touched.pickup(visit.round());
        Ok(())
    }

    fn change(&mut self, before: &Stored, visit: &Visit, change: &Change) -> rusqlite::Result<()> {
        if change.is_nothing() {
            return Ok(());
        }
        let Change { fields, word, stop } = change;
        let rev = before.rev + i64::from(!fields.is_empty());
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
            stop,
            visit.reception,
            json!(visit.items).to_string(),
            payment(visit),
            rev,
        ])?;
        if before.erased && !plan::stays_erased(visit, before) {
            self.not_erased(before.id, visit)?;
        }
        if !fields.is_empty() {
            self.resident(before.id, rev, visit)?;
            self.history(before.id, "changed", Some(&json!({ "rev": rev, "fields": fields })))?;
        }
        // Crews look again at what became different on the very day.
        let different = !fields.is_empty() || *word == Some(OfficeWord::Planned);
        if different && visit.date == meguri_proto::clock::business_date(self.now) {
            let mark = "UPDATE pickup SET changed_on = date WHERE id = ?1";
            self.tx.prepare_cached(mark)?.execute([before.id])?;
        }
        if let Some(word) = word {
            self.word(before.id, *word, None)?;
        }
        self.touched.rounds.insert(visit.round());
        self.touched.rounds.insert(before.visit.round());
        Ok(())
    }

    /// A request that comes again for a day that is still ahead: its crew needs the new address.
    fn not_erased(&self, pickup: i64, visit: &Visit) -> rusqlite::Result<()> {
        if visit.date >= meguri_proto::clock::business_date(self.now) {
            let update = "UPDATE pickup SET erased_at = NULL WHERE id = ?1";
            self.tx.prepare_cached(update)?.execute([pickup])?;
        }
        Ok(())
    }

    /// The office's word has changed: history, and the state that follows from it.
    fn word(&mut self, pickup: i64, word: OfficeWord, why: Option<&Value>) -> rusqlite::Result<()> {
        let update = "UPDATE pickup SET office = ?2 WHERE id = ?1";
        self.tx.prepare_cached(update)?.execute(params![pickup, json!(word).to_string()])?;
        let kind = if word == OfficeWord::Cancelled { "cancelled" } else { "reinstated" };
        self.history(pickup, kind, why)?;
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
