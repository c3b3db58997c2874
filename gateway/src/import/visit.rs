//! One request's visit: all that a file can say of it, and in what two versions of it differ.

use jiff::civil::Date;
use meguri_proto::{ContractId, Item, Payment, Place, VehicleId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::touched::Round;

/// What one stop takes on a list beside its texts: ids, names of fields and the office's word.
pub(super) const STOP_BYTES: usize = 256;

/// What a file says of one request's visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Visit {
    pub(super) date: Date,
    pub(super) district: String,
    pub(super) contract: ContractId,
    pub(super) vehicle: VehicleId,
    pub(super) reception: String,
    pub(super) place: Place,
    pub(super) items: Vec<Item>,
    pub(super) payment: Payment,
}

impl Visit {
    /// The round it is on.
    pub(super) fn round(&self) -> Round {
        Round { date: self.date, contract: self.contract.clone(), vehicle: self.vehicle.clone() }
    }

    /// In what `new` differs: the field's name with both values, of residents' data with none.
    pub(super) fn differences(&self, new: &Self) -> Map<String, Value> {
        let mut fields = Map::new();
        let mut open = |name: &str, before: Value, after: Value| {
            if before != after {
                fields.insert(name.to_owned(), json!([before, after]));
            }
        };
        open("date", json!(self.date), json!(new.date));
        open("district", json!(self.district), json!(new.district));
        open("ward", json!(self.place.ward), json!(new.place.ward));
        open("contract", json!(self.contract), json!(new.contract));
        open("vehicle", json!(self.vehicle), json!(new.vehicle));
        open("reception", json!(self.reception), json!(new.reception));
        open("items", json!(self.items), json!(new.items));
        open("payment", json!(self.payment), json!(new.payment));
        let (old, new) = (&self.place, &new.place);
        for (name, differs) in [
            ("town", old.town != new.town),
            ("lot", old.lot != new.lot),
            ("building", old.building != new.building),
            ("spot", old.spot != new.spot),
            ("notice", old.notice != new.notice),
            ("position", old.position != new.position),
        ] {
            if differs {
                fields.insert(name.to_owned(), Value::Null);
            }
        }
        fields
    }

    /// About how many bytes it takes on a list.
    pub(super) fn bytes(&self) -> usize {
        let place = &self.place;
        let texts = [&place.ward, &place.town, &place.lot, &place.building, &place.spot, &place.notice];
        let texts = texts.into_iter().chain([&self.reception]).map(json_bytes).sum::<usize>();
        texts + json_bytes(&self.items) + STOP_BYTES
    }
}

fn json_bytes(value: impl Serialize) -> usize {
    // Texts and items always become JSON.
    serde_json::to_string(&value).map_or(0, |json| json.len())
}
