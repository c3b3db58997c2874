//! Documents: what the office wants, whole and versioned. The day list (収集リスト) carries a round.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{self, LONG_TEXT, SHORT_TEXT};
use crate::pickup::{OfficeWord, Statement};
use crate::wire::{Check, Message, WireError};
use crate::{ContractId, Digest, Epoch, PickupId};

/// A document as it travels: the newest version wins, and the digest says which bytes are meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this envelope, 1.
    pub v: u64,
    /// Version of the document: a higher one replaces a lower one.
    pub version: u64,
    /// SHA-256 over the body's bytes as sent.
    pub digest: Digest,
    /// The document, as its name says: a [`DayList`], a [`CrewList`](crate::CrewList) or an
    /// [`Erasure`](crate::Erasure); `null` where it lapsed and is to be dropped.
    pub body: Box<RawValue>,
}

impl Document {
    /// Whether the office withdrew the document.
    #[must_use]
    pub fn lapsed(&self) -> bool {
        self.body.get() == "null"
    }
}

impl Message for Document {
    const NAME: &'static str = "document";
    const MAX_BYTES: usize = limits::LIST_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        Check(Self::NAME).version("version", self.version)?;
        if Digest::of(self.body.get().as_bytes()) != self.digest {
            return Check(Self::NAME).fail("digest", "is not the body's");
        }
        Ok(())
    }
}

/// One vehicle's ordered pickups of a day (収集リスト).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayList {
    /// Version of the body, 1.
    pub v: u64,
    /// The contract it belongs to.
    pub contract: ContractId,
    /// The day of collection in Japan.
    pub date: Date,
    /// The contractor's name (収集業者).
    pub contractor: String,
    /// The vehicle's name (号車).
    pub vehicle: String,
    /// The round's name (コース).
    pub round: String,
    /// Up to which of this terminal's own entries the office had looked.
    pub seen: Vec<OwnSeen>,
    /// The stops in their order.
    pub pickups: Vec<Listed>,
}

/// The office had this terminal's facts up to `seq` when it made the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnSeen {
    /// An epoch of the terminal's fact log.
    pub epoch: Epoch,
    /// All up to this number are in `own`.
    pub seq: u64,
}

/// One stop of a day list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The pickup.
    pub id: PickupId,
    /// Its place in the round, from 1.
    pub order: u32,
    /// Reception number (受付番号): digits as printed, unique only with date and district.
    pub reception: String,
    /// Where it stands.
    pub place: Place,
    /// What stands there, at least one.
    pub items: Vec<Item>,
    /// How it is paid, as far as a contractor may know.
    pub payment: Payment,
    /// Whether the office changed it on the day itself (変更).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    /// What the office has decided.
    pub office: OfficeWord,
    /// What other terminals say of it, standing statements only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Statement>,
    /// What this terminal has said of it, as far as `seen` goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Statement>,
}

/// Where a pickup stands. Residents' data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Ward (区).
    pub ward: String,
    /// Town with its chome (町丁目).
    pub town: String,
    /// Block, lot and room (番地・号室).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lot: String,
    /// Building (建物名).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub building: String,
    /// Placing spot (排出場所) with the resident's note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spot: String,
    /// What the crew should know (連絡事項).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notice: String,
    /// Latitude and longitude in degrees, WGS 84, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<(f64, f64)>,
}

/// A catalogue entry with count (品目).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The item's name.
    pub name: String,
    /// How many, at least 1.
    pub count: u32,
    /// The tickets (納付券) to be found on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<Ticket>,
    /// Whether a home appliance recycling ticket (家電リサイクル券) belongs to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recycling: bool,
}

/// Prepaid stickers of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Value in yen.
    pub yen: u32,
    /// How many.
    pub count: u32,
}

/// How a pickup is paid. Exemption from the fee would reveal welfare status: crews only learn that no
/// sticker is needed and a paper with the number is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Stickers on the items (納付券).
    Tickets,
    /// Paid without stickers (キャッシュレス).
    Cashless,
    /// No sticker, a paper with the reception number (シール不要・番号札).
    NumberTag,
}

impl Message for DayList {
    const NAME: &'static str = "day list";
    const MAX_BYTES: usize = limits::LIST_BYTES;

    fn v(&self) -> u64 {
        self.v
    }

    fn check(&self) -> Result<(), WireError> {
        let check = Check(Self::NAME);
        check.text("contractor", &self.contractor, SHORT_TEXT)?;
        check.text("vehicle", &self.vehicle, SHORT_TEXT)?;
        check.text("round", &self.round, SHORT_TEXT)?;
        check.count("seen", self.seen.len(), limits::HELLO_EPOCHS)?;
        check.count("pickups", self.pickups.len(), limits::LIST_PICKUPS)?;
        self.pickups.iter().enumerate().try_for_each(|(index, listed)| listed.check(&check, index))
    }
}

impl Listed {
    fn check(&self, check: &Check, index: usize) -> Result<(), WireError> {
        let field = |name: &str| format!("pickups[{index}].{name}");
        let place = &self.place;
        for (name, text, most) in [
            ("reception", &self.reception, limits::ID_BYTES),
            ("place.ward", &place.ward, SHORT_TEXT),
            ("place.town", &place.town, SHORT_TEXT),
            ("place.lot", &place.lot, SHORT_TEXT),
            ("place.building", &place.building, SHORT_TEXT),
            ("place.spot", &place.spot, LONG_TEXT),
            ("place.notice", &place.notice, LONG_TEXT),
        ] {
            check.text(&field(name), text, most)?;
        }
        if let Some((lat, lng)) = place.position {
            check.degrees(&field("place.position"), lat, 90.0)?;
            check.degrees(&field("place.position"), lng, 180.0)?;
        }
        check.count(&field("others"), self.others.len(), limits::LIST_STATEMENTS)?;
        check.count(&field("items"), self.items.len(), limits::PICKUP_ITEMS)?;
        if self.items.is_empty() {
            return check.fail(field("items"), "is empty");
        }
        for item in &self.items {
            check.text(&field("items.name"), &item.name, SHORT_TEXT)?;
            check.count(&field("items.tickets"), item.tickets.len(), limits::ITEM_TICKETS)?;
            if !(1..=limits::ITEM_COUNT).contains(&item.count) {
                return check.fail(field("items.count"), format!("is {}", item.count));
            }
        }
        Ok(())
    }
}
