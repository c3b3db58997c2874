//! Who may do what: people, their roles, and the part of the city that each of them sees.
//!
//! [`may`] alone decides, from a role, an action and whose it is. What a person sees is narrowed where it is read:
//! every function that reads for a page, a stream or another system takes a [`Scope`].

pub mod accounts;
pub mod attempts;
pub mod cli;
pub mod identities;
pub mod openid;
pub mod password;
pub mod sessions;
pub mod setup;
pub mod tokens;
pub mod totp;

use std::str::FromStr;

use jiff::Timestamp;
use meguri_proto::ContractorId;
use serde::{Deserialize, Serialize};

/// Longest name a person signs in with.
pub const LOGIN_BYTES: usize = 40;
/// Longest name of a person, in characters.
pub const NAME_CHARS: usize = 60;

/// What a person is for the city.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The city's administrator: sees all, and decides who else may.
    Administrator,
    /// Looks at the city's day.
    Viewer,
    /// Takes requests, and answers residents who ask.
    Reception,
    /// Dispatches for one contractor, and sees only what is that contractor's.
    Dispatcher,
    /// Reads who did what.
    Auditor,
}

impl Role {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 5] =
        [Self::Administrator, Self::Viewer, Self::Reception, Self::Dispatcher, Self::Auditor];

    /// The word in the store, on the command line and in forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Viewer => "viewer",
            Self::Reception => "reception",
            Self::Dispatcher => "dispatcher",
            Self::Auditor => "auditor",
        }
    }

    /// Whether this role's people are asked for a second factor, where the settings don't say otherwise.
    #[must_use]
    pub fn needs_second_factor(self) -> bool {
        matches!(self, Self::Administrator | Self::Auditor)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or_else(|| {
            format!("{word:?} is no role; expected administrator, viewer, reception, dispatcher or auditor")
        })
    }
}

/// Something that may be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Sees pickups: the day, what needs attention, search, one pickup, and their live streams.
    ReadPickups,
    /// Changes what is to be done with pickups. Whatever page or command of a person does so asks this first.
    ChangePickups,
    /// Sees what terminals sent and the office could not take.
    ReadAside,
    /// Sees notices and what terminals do.
    ReadTerminals,
    /// Makes terminals, draws their codes, keeps them out, and writes down who has them.
    ManageTerminals,
    /// Looks up whose data a terminal held while it was out of hand.
    ReadExposure,
    /// Sees who may sign in on terminals, makes and removes them, and draws their PINs.
    ManageCrews,
    /// Looks up items of the catalogue.
    ReadCatalogue,
    /// Sees who has an account.
    ReadPeople,
    /// Makes, blocks, resets and changes accounts.
    ManagePeople,
    /// Makes and revokes other systems' tokens.
    ManageTokens,
    /// Sees switchovers and how far terminals are.
    ReadSwitchovers,
    /// Makes switchovers of releases, pushes, stops, withdraws and closes them.
    ManageSwitchovers,
    /// Says yes to a switchover that somebody else has drafted.
    ApproveSwitchovers,
    /// Reads the audit log.
    ReadAudit,
    /// Changes one's own password and second factor.
    OwnAccount,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ReadPickups,
        Self::ChangePickups,
        Self::ReadAside,
        Self::ReadTerminals,
        Self::ManageTerminals,
        Self::ReadExposure,
        Self::ManageCrews,
        Self::ReadCatalogue,
        Self::ReadPeople,
        Self::ManagePeople,
        Self::ManageTokens,
        Self::ReadSwitchovers,
        Self::ManageSwitchovers,
        Self::ApproveSwitchovers,
        Self::ReadAudit,
        Self::OwnAccount,
    ];
}

/// Whose it is that something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The city's as a whole, or nobody's in particular.
    City,
    /// Of the person's own contractor, under a contract that is not over.
    Own,
    /// Of the person's own contractor, under a contract that is over.
    OwnPast,
    /// Of another contractor.
    Foreign,
}

impl Whose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::City, Self::Own, Self::OwnPast, Self::Foreign];
}

/// Whether a role may do this to something of theirs. The one place where it is decided. Whoever is no contractor's
/// has no own: `Own` and `Foreign` are alike for them.
#[must_use]
pub fn may(role: Role, action: Action, whose: Whose) -> bool {
    use Action::{
        ApproveSwitchovers, ChangePickups, ManageCrews, ManagePeople, ManageSwitchovers, ManageTerminals,
        ManageTokens, OwnAccount, ReadAside, ReadAudit, ReadCatalogue, ReadExposure, ReadPeople, ReadPickups,
        ReadSwitchovers, ReadTerminals,
    };
    match (role, action) {
        (_, OwnAccount) => true,
        (Role::Administrator, _) => true,
        (
            Role::Viewer | Role::Reception,
            ReadPickups | ReadTerminals | ReadCatalogue | ReadAside | ReadSwitchovers,
        ) => true,
        // What a contract that is over left behind stays to be read by whoever worked under it.
        (Role::Dispatcher, ReadPickups | ReadTerminals | ReadAside) => {
            matches!(whose, Whose::Own | Whose::OwnPast)
        }
        (Role::Dispatcher, ChangePickups | ManageCrews | ReadSwitchovers) => whose == Whose::Own,
        (Role::Dispatcher, ReadCatalogue) => true,
        // Who did what, and who there is; no resident's data.
        (Role::Auditor, ReadAudit | ReadPeople | ReadCatalogue | ReadSwitchovers) => true,
        (
            Role::Viewer | Role::Reception,
            ChangePickups | ManageTerminals | ReadExposure | ManageCrews | ReadPeople | ManagePeople
            | ManageTokens | ReadAudit | ManageSwitchovers | ApproveSwitchovers,
        )
        | (
            Role::Dispatcher,
            ManageTerminals | ReadExposure | ReadPeople | ManagePeople | ManageTokens | ReadAudit
            | ManageSwitchovers | ApproveSwitchovers,
        )
        | (
            Role::Auditor,
            ReadPickups | ChangePickups | ReadAside | ReadTerminals | ManageTerminals | ReadExposure
            | ManageCrews | ManagePeople | ManageTokens | ManageSwitchovers | ApproveSwitchovers,
        ) => false,
    }
}

/// The part of the city that is read for somebody. Queries narrow by it themselves, so that nothing else is read at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of it.
    City,
    /// What is under this contractor's contracts, past ones too.
    Contractor(ContractorId),
}

impl Scope {
    /// The contractor, for a query's parameter; NULL for all of the city.
    #[must_use]
    pub fn contractor(&self) -> Option<&str> {
        match self {
            Self::City => None,
            Self::Contractor(contractor) => Some(contractor.as_str()),
        }
    }

    /// A condition that holds for what is seen of what came at `at`, in milliseconds, under `contract`: nothing from after
    /// the contract's last day, which ends at midnight in Japan. `number` is the parameter [`Scope::contractor`] is bound to.
    #[must_use]
    pub fn sees_came(contract: &str, at: &str, number: u8) -> String {
        // 15:00 UTC of a day is the midnight after it in Japan, which has no summer time.
        format!(
            "(?{number} IS NULL OR EXISTS (SELECT 1 FROM contract AS own WHERE own.id = {contract}
                AND own.contractor = ?{number} AND {at} < (unixepoch(own.last_day) + 54000) * 1000))"
        )
    }

    /// As [`Scope::sees_came`], for what works under `contract` now: nothing where that is over on the day that parameter
    /// `today` is bound to.
    #[must_use]
    pub fn sees_working(contract: &str, number: u8, today: u8) -> String {
        format!(
            "(?{number} IS NULL OR EXISTS (SELECT 1 FROM contract AS own WHERE own.id = {contract}
                AND own.contractor = ?{number} AND ?{today} <= own.last_day))"
        )
    }

    /// As [`Scope::sees_came`], for a pickup: nothing of a day after its contract is seen, whatever was planned then. `pickup`
    /// is what its columns stand behind, like `p.`.
    #[must_use]
    pub fn sees_pickup(pickup: &str, number: u8) -> String {
        format!(
            "(?{number} IS NULL OR EXISTS (SELECT 1 FROM contract AS own WHERE own.id = {pickup}contract
                AND own.contractor = ?{number} AND {pickup}date <= own.last_day))"
        )
    }

    /// The last day of the last of a contractor's contracts; none for all of the city.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn last_day(&self, conn: &rusqlite::Connection) -> rusqlite::Result<Option<jiff::civil::Date>> {
        let Self::Contractor(contractor) = self else { return Ok(None) };
        let last: Option<String> = conn
            .prepare_cached("SELECT max(last_day) FROM contract WHERE contractor = ?1")?
            .query_row([contractor.as_str()], |row| row.get(0))?;
        Ok(last.and_then(|day| day.parse().ok()))
    }

    /// Whether all of the city is seen.
    #[must_use]
    pub fn is_city(&self) -> bool {
        *self == Self::City
    }
}

/// A person, as the store has them. Nothing of it opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their number, by which the audit log names them.
    pub id: i64,
    /// What they sign in with.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Whose dispatcher they are.
    pub contractor: Option<ContractorId>,
    /// Whether they must change the password first.
    pub must_change: bool,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// Whether the city's identity provider vouches for them, and gives their role.
    pub vouched: bool,
    /// Until when their password is taken where passwords are for emergencies alone.
    pub password_until: Option<Timestamp>,
    /// When they were added.
    pub added_at: Timestamp,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
    /// Since when they are kept out.
    pub blocked_at: Option<Timestamp>,
}

impl Person {
    /// What is read for them.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match &self.contractor {
            None => Scope::City,
            Some(contractor) => Scope::Contractor(contractor.clone()),
        }
    }

    /// Whether they may do this to what they see: all of the city, or what is their contractor's. `left` says that the
    /// contractor's contracts are over.
    #[must_use]
    pub fn may(&self, action: Action, left: bool) -> bool {
        let whose = match (&self.contractor, left) {
            (None, _) => Whose::City,
            (Some(_), false) => Whose::Own,
            (Some(_), true) => Whose::OwnPast,
        };
        may(self.role, action, whose)
    }
}

/// A name to sign in with, as it is kept: small letters, digits, and `.`, `-`, `_` between them.
///
/// # Errors
/// Why it can't be one.
pub fn login(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins && text.len() <= LOGIN_BYTES && text.bytes().all(good) {
        return Ok(text);
    }
    // Somebody may have typed a password here.
    Err(format!(
        "a login is 1 to {LOGIN_BYTES} of a-z, 0-9, '.', '-' and '_', and begins with a letter or a digit"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The whole table, written out: a change here is a change of who may do what.
    #[test]
    fn every_role_and_every_action_is_decided() {
        // City, own, own past, foreign.
        const ALL: [bool; 4] = [true; 4];
        const NONE: [bool; 4] = [false; 4];
        const OWN: [bool; 4] = [false, true, true, false];
        const OWN_NOW: [bool; 4] = [false, true, false, false];
        #[rustfmt::skip]
        let table = [
            (Action::ReadPickups,   [ALL, ALL,  ALL,  OWN,     NONE]),
            (Action::ChangePickups, [ALL, NONE, NONE, OWN_NOW, NONE]),
            (Action::ReadAside,     [ALL, ALL,  ALL,  OWN,     NONE]),
            (Action::ReadTerminals, [ALL, ALL,  ALL,  OWN,     NONE]),
            (Action::ManageTerminals, [ALL, NONE, NONE, NONE,  NONE]),
            (Action::ReadExposure,  [ALL, NONE, NONE, NONE,    NONE]),
            (Action::ManageCrews,   [ALL, NONE, NONE, OWN_NOW, NONE]),
            (Action::ReadCatalogue, [ALL, ALL,  ALL,  ALL,     ALL]),
            (Action::ReadPeople,    [ALL, NONE, NONE, NONE,    ALL]),
            (Action::ManagePeople,  [ALL, NONE, NONE, NONE,    NONE]),
            (Action::ManageTokens,  [ALL, NONE, NONE, NONE,    NONE]),
            (Action::ReadSwitchovers,    [ALL, ALL,  ALL,  OWN_NOW, ALL]),
            (Action::ManageSwitchovers,  [ALL, NONE, NONE, NONE,    NONE]),
            (Action::ApproveSwitchovers, [ALL, NONE, NONE, NONE,    NONE]),
            (Action::ReadAudit,     [ALL, NONE, NONE, NONE,    ALL]),
            (Action::OwnAccount,    [ALL, ALL,  ALL,  ALL,     ALL]),
        ];
        assert_eq!(table.map(|(action, _)| action), Action::ALL);
        for (action, roles) in table {
            for (role, expected) in Role::ALL.into_iter().zip(roles) {
                let decided = Whose::ALL.map(|whose| may(role, action, whose));
                assert_eq!(decided, expected, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn logins_are_of_one_spelling() {
        assert_eq!(login(" Sato.K ").unwrap(), "sato.k");
        for bad in ["", "-a", "さとう", "a b", "a/../b", &"x".repeat(41)] {
            assert!(login(bad).is_err(), "{bad}");
        }
    }
}
