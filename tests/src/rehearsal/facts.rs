//! The books at the end: every record of a crew under the contract of its time, none lost, and what became of pickups that nobody spoke of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use rusqlite::Connection;

use super::Rehearsal;
use super::check::Check;
use crate::harness::books::{Books, Confirmed};

impl Rehearsal {
    /// Every fact about a pickup names the contract of its time.
    pub(super) fn contracts_of_facts(&self) -> Check {
        let (mut found, mut facts) = (Vec::new(), 0_usize);
        for (index, seat) in self.plan.seats.iter().enumerate() {
            for written in self.written(index).iter().filter(|written| written.of_pickup()) {
                facts += 1;
                let planned = &seat.at(written.at).contract;
                let trusted = written.body.at.trusted.map(|trusted| &seat.at(trusted).contract);
                if written.body.contract != *planned || trusted.is_some_and(|trusted| trusted != planned) {
                    found.push(format!(
                        "{}: a fact of {} names {}, expected {planned}",
                        seat.terminal, written.at, written.body.contract
                    ));
                }
            }
        }
        Check::new(
            format!("すべての収集記録（{facts} 件）が、記録した時刻の契約に付いている"),
            format!("Every record of a pickup ({facts}) names the contract of the time at which it was made"),
            found,
        )
        .some(facts)
    }

    /// What was recorded in the last days under the old contracts and came after the instant is the old contracts'.
    pub(super) fn late_facts(&self, store: &Connection) -> anyhow::Result<Check> {
        let mut held: BTreeMap<[u8; 16], (i64, String)> = BTreeMap::new();
        let mut statement = store.prepare("SELECT id, received_at, body FROM fact")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let body: meguri_proto::FactBody = serde_json::from_str(row.get_ref(2)?.as_str()?)?;
            held.insert(row.get(0)?, (row.get(1)?, body.contract.to_string()));
        }
        let (mut found, mut late, mut notes) = (Vec::new(), 0_usize, 0_usize);
        let instant = self.plan.instant.as_millisecond();
        for (index, seat) in self.changing() {
            let written = self.written(index).iter();
            for written in written.filter(|written| written.of_pickup() && written.at < self.plan.instant) {
                match held.get(written.id.0.as_bytes()) {
                    None => {
                        found.push(format!("{}: {} of {} is lost", seat.terminal, written.id, written.at))
                    }
                    Some((received, contract)) if *received >= instant => {
                        late += 1;
                        notes += usize::from(serde_json::to_string(&written.body)?.contains("\"note\""));
                        let expected = &seat.at(written.at).contract;
                        if *contract != expected.as_str() {
                            found.push(format!(
                                "{}: {} is booked to {contract}, expected {expected}",
                                seat.terminal, written.id
                            ));
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(Check::new(
            format!("切替のあとに届いた切替前の記録 {late} 件（うちメモつき {notes} 件）は、すべて前の業者の記録になった"),
            format!("{late} records of before that came after the switchover ({notes} with a note) are all booked to the contractor of before"),
            found,
        )
        .some(late))
    }

    /// What terminals confirmed and what the office holds are the same.
    pub(super) fn books(&self, store: &Connection) -> anyhow::Result<Check> {
        let mut books = Books::default();
        for terminal in &self.world.terminals {
            let confirmed = terminal.recorded.iter().map(|recorded| {
                let seq = i64::try_from(recorded.seq)?;
                let (fact, epoch) = (recorded.fact.0, recorded.epoch.0);
                Ok(Confirmed { terminal: terminal.id.to_string(), fact, epoch, seq })
            });
            books.confirmed.extend(confirmed.collect::<anyhow::Result<Vec<_>>>()?);
            books.unanswered.insert(terminal.id.to_string(), terminal.unanswered);
        }
        let count = books.confirmed.len();
        let found = match books.check(store) {
            Ok(_) => Vec::new(),
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
        };
        Ok(Check::new(
            format!("帳簿が合う：端末が「記録した」と答えた {count} 件は、役所に一度ずつあり、なくなったものはない"),
            format!("The books balance: of {count} records that terminals confirmed each is in the office once, and none is lost"),
            found,
        )
        .some(count))
    }

    /// Pickups of the old contracts that nobody reported.
    pub(super) fn closed(&self, store: &Connection, late: bool) -> anyhow::Result<Vec<Check>> {
        let ended: BTreeSet<&str> = self
            .changing()
            .map(|(_, seat)| seat.at(self.plan.instant - SignedDuration::from_secs(1)).contract.as_str())
            .collect();
        let first_day = self.plan.first_day().to_string();
        let (mut found, mut closed, mut turned) = (Vec::new(), 0_usize, 0_usize);
        // No index leads from pickups to facts.
        let mut statement = store.prepare("SELECT DISTINCT pickup FROM fact")?;
        let spoken_of: BTreeSet<i64> =
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let select = "SELECT id, contract, date, state, office FROM pickup WHERE date < ?1";
        let mut statement = store.prepare(select)?;
        let mut rows = statement.query([&first_day])?;
        while let Some(row) = rows.next()? {
            let (id, contract, date): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (state, office): (String, String) = (row.get(3)?, row.get(4)?);
            let spoken = spoken_of.contains(&id);
            if !ended.contains(contract.as_str()) {
                continue;
            }
            if state == "open" {
                found.push(format!("pickup {id} of {date} under {contract} is still open"));
            }
            closed += usize::from(state == "not_reported");
            turned += usize::from(spoken && state != "not_reported" && office.contains("closed"));
        }
        let mut checks = vec![
            Check::new(
                format!("終わった契約の収集で報告のなかった {closed} 件は「未報告」になった"),
                format!("{closed} pickups of contracts that ended and that nobody spoke of are closed as not reported"),
                found,
            )
            .some(closed),
        ];
        if late {
            let check = Check::new(
                format!("いったん「未報告」になった {turned} 件は、あとから届いた切替前の記録で結果が付いた"),
                format!(
                    "{turned} of them that were closed got their outcome from records of before that came later"
                ),
                Vec::new(),
            );
            checks.push(check.some(turned));
        }
        Ok(checks)
    }
}
