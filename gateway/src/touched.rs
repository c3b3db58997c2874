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
    /// Rounds of which only this terminal spoke: its own list stays as it is, since its own statements make no new version.
    pub spoken: BTreeSet<(Round, TerminalId)>,
    /// Terminals that were made, bound anew, blocked or let in again.
    pub terminals: BTreeSet<TerminalId>,
    /// Terminals whose documents of no day alone may differ now.
    pub standing: BTreeSet<TerminalId>,
    /// Terminals that got another schedule: facts under its contracts that were set aside are theirs now.
    pub scheduled: BTreeSet<TerminalId>,
    /// Whether a terminal came, went, moved or said how it is.
    pub presence: bool,
    /// Whether other terminals may come in now, or by other certificates.
    pub access: bool,
    /// Whether rows were added to `history`.
    pub history: bool,
    /// Whether `aside` changed.
    pub aside: bool,
    /// Whether `notice` changed.
    pub notice: bool,
    /// Whether a terminal spoke of its configuration, or a switchover was changed: what follows from it is looked after.
    pub configurations: bool,
}

impl Touched {
    /// A pickup of this round was added, changed, decided or spoken of; history has a row of it.
    pub fn pickup(&mut self, round: Round) {
        self.rounds.insert(round);
        self.history = true;
    }

    /// Adds what another write has touched.
    pub fn merge(&mut self, mut other: Self) {
        self.rounds.append(&mut other.rounds);
        self.spoken.append(&mut other.spoken);
        self.terminals.append(&mut other.terminals);
        self.standing.append(&mut other.standing);
        self.scheduled.append(&mut other.scheduled);
        self.presence |= other.presence;
        self.access |= other.access;
        self.history |= other.history;
        self.aside |= other.aside;
        self.notice |= other.notice;
        self.configurations |= other.configurations;
    }
}
