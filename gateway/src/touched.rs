//! What a write has touched, so that after its commit lists are made anew and listeners are told.

use std::collections::BTreeSet;

use jiff::civil::Date;
use meguri_proto::{ContractId, TerminalId, VehicleId};

/// One vehicle's pickups of a day under a contract (コース).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Round {
    /// The day.
    pub date: Date,
    /// The contract.
    pub contract: ContractId,
    /// The vehicle.
    pub vehicle: VehicleId,
}

/// Collected while a transaction runs; used once it is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Rounds whose lists may differ now: of a pickup that moved, both the old one and the new one.
    pub rounds: BTreeSet<Round>,
    /// Terminals whose binding, state or presence changed.
    pub terminals: BTreeSet<TerminalId>,
    /// Whether rows were added to `history`.
    pub history: bool,
    /// Whether `aside` changed.
    pub aside: bool,
    /// Whether `notice` changed.
    pub notice: bool,
}

impl Touched {
    /// A pickup of this round was added, changed, decided or spoken of; history has a row of it.
    pub fn pickup(&mut self, round: Round) {
        self.rounds.insert(round);
        self.history = true;
    }
}
