//! Why a pickup, or an item of it, was not collected.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal;)*) => {
        /// Why a pickup was not collected (理由). The codes are the contract; labels belong to the surfaces.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            /// All reasons in the order in which screens show them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code on the wire.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
        }
    };
}

reasons! {
    /// 未排出: nothing stands there.
    NotOut "not_out";
    /// 納付券不足・未貼付: a ticket is short or missing.
    TicketShort "ticket_short";
    /// 品目相違: another item than applied for.
    OtherItem "other_item";
    /// 数量相違: another count than applied for.
    OtherCount "other_count";
    /// 申込外品: items not applied for.
    NotApplied "not_applied";
    /// 場所不明: the place is not found.
    PlaceNotFound "place_not_found";
    /// 進入不可: access is blocked.
    AccessBlocked "access_blocked";
    /// 重量・危険: too heavy or unsafe.
    Unsafe "unsafe";
    /// 収集不可品: the city does not accept it.
    NotAccepted "not_accepted";
    /// 家電リサイクル券なし: the recycling ticket is missing.
    NoRecyclingTicket "no_recycling_ticket";
    /// 事業系: business waste.
    Business "business";
    /// その他: another reason, told in a note.
    Other "other";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Reason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == text)
            .ok_or_else(|| format!("{text:?} is not a reason"))
    }
}
