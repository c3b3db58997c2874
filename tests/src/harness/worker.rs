//! Somebody who taps: records one outcome or correction after the other, and keeps the books of what was confirmed.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::books::{Books, Confirmed};
use super::console::Console;

/// A worker on one terminal.
pub struct Worker {
    receptions: Vec<String>,
    said: HashMap<String, &'static str>,
    random: StdRng,
}

impl Worker {
    /// A worker on a list of these reception numbers.
    #[must_use]
    pub fn new(receptions: Vec<String>, seed: u64) -> Self {
        Self { receptions, said: HashMap::new(), random: StdRng::seed_from_u64(seed) }
    }

    /// Says one command and books the answer.
    ///
    /// # Errors
    /// When the terminal is gone before it answered, which is booked as well, or has refused for no good reason.
    pub fn turn(&mut self, terminal: &mut Console, books: &mut Books) -> anyhow::Result<()> {
        let Some(reception) = self.receptions.choose(&mut self.random).cloned() else { return Ok(()) };
        let refusal = ["not_out", "ticket_short", "other_item", "unsafe"].choose(&mut self.random).copied();
        let refusal = refusal.unwrap_or("not_out");
        let (word, command) = match self.said.get(&reception) {
            None | Some(&"undo") if self.random.random_ratio(2, 3) => {
                ("collect", format!("collect {reception}"))
            }
            Some(&"collect" | &"refuse") if self.random.random_ratio(1, 2) => {
                ("undo", format!("undo {reception}"))
            }
            _ => ("refuse", format!("refuse {reception} {refusal}")),
        };
        match self.record(terminal, books, &command)? {
            Some(_) => {
                self.said.insert(reception, word);
            }
            // A command that a kill left unanswered may have been written: then it is said already.
            None => {
                self.said.insert(reception, if word == "undo" { "undo" } else { "collect" });
            }
        }
        Ok(())
    }

    /// Says `command` and books the answer; none where the terminal refused.
    ///
    /// # Errors
    /// When the terminal is gone before it answered.
    pub fn record(
        &self,
        terminal: &mut Console,
        books: &mut Books,
        command: &str,
    ) -> anyhow::Result<Option<Confirmed>> {
        record(terminal, books, command)
    }
}

/// Says `command` and books the answer; none where the terminal refused.
///
/// # Errors
/// When the terminal is gone before it answered.
pub fn record(terminal: &mut Console, books: &mut Books, command: &str) -> anyhow::Result<Option<Confirmed>> {
    let answer = terminal.ask(command).inspect_err(|_| {
        *books.unanswered.entry(terminal.name().to_owned()).or_default() += 1;
    })?;
    let confirmed = Confirmed::read(terminal.name(), &answer);
    books.confirmed.extend(confirmed.clone());
    Ok(confirmed)
}
