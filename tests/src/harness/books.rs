//! The books: what terminals confirmed on the one side, what the office holds on the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context;
use meguri_proto::pickup::{self, OfficeWord, Said, State};
use meguri_proto::{Digest, Epoch, FactBody, FactId, TerminalId};
use rusqlite::Connection;
use serde_json::Value;
use uuid::Uuid;

/// A fact that a terminal said it had written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Who said so.
    pub terminal: String,
    /// The fact.
    pub fact: Uuid,
    /// In which epoch.
    pub epoch: Uuid,
    /// Its number there.
    pub seq: i64,
}

impl Confirmed {
    /// Reads a console's answer; none where it confirms nothing.
    #[must_use]
    pub fn read(terminal: &str, answer: &Value) -> Option<Self> {
        if answer["ok"] != "confirmed" {
            return None;
        }
        Some(Self {
            terminal: terminal.to_owned(),
            fact: answer["fact"].as_str()?.parse().ok()?,
            epoch: answer["epoch"].as_str()?.parse().ok()?,
            seq: answer["seq"].as_i64()?,
        })
    }
}

/// What the terminals' side of the books says.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Every confirmation.
    pub confirmed: Vec<Confirmed>,
    /// How many commands of each terminal went without an answer, as it was killed: each may have been written or not.
    pub unanswered: BTreeMap<String, usize>,
    /// Confirmed facts that may be gone, as the only store that held them was replaced by an older copy.
    pub may_be_gone: BTreeSet<Uuid>,
    /// Facts that the office held before these books were opened: nobody has to have confirmed them here.
    pub earlier: BTreeSet<Uuid>,
    /// Whose facts these books are about; all terminals' where empty.
    pub only: BTreeSet<String>,
}

/// How many facts the office holds, and in how many epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Facts.
    pub facts: usize,
    /// Epochs of fact logs.
    pub epochs: usize,
}

impl Books {
    /// The ids of all facts that an office holds.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn held(store: &Connection) -> anyhow::Result<BTreeSet<Uuid>> {
        ids(store)
    }

    /// How many confirmed facts the office lacks.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn missing(&self, store: &Connection) -> anyhow::Result<usize> {
        let held = ids(store)?;
        Ok(self
            .confirmed
            .iter()
            .filter(|c| !held.contains(&c.fact) && !self.may_be_gone.contains(&c.fact))
            .count())
    }

    /// Compares both sides. Every difference is one line of the error.
    ///
    /// # Errors
    /// When the books differ or the store can't be read.
    pub fn check(&self, store: &Connection) -> anyhow::Result<Sum> {
        let mut wrong: Vec<String> = Vec::new();
        // One moment for all that is read: the office goes on taking health samples meanwhile.
        let moment = store.unchecked_transaction().context("can't read the store at one moment")?;
        let store = &*moment;
        let held = ids(store)?;
        let known: HashMap<Uuid, &Confirmed> = self.confirmed.iter().map(|c| (c.fact, c)).collect();
        if known.len() != self.confirmed.len() {
            wrong.push("an id was confirmed twice".to_owned());
        }
        for confirmed in &self.confirmed {
            if !held.contains(&confirmed.fact) && !self.may_be_gone.contains(&confirmed.fact) {
                wrong.push(format!("confirmed and not held: {confirmed:?}"));
            }
        }
        self.none_invented(store, &known, &mut wrong)?;
        let epochs = chains(store, &known, &mut wrong)?;
        applied_once_in_order(store, &mut wrong)?;
        verdicts(store, &mut wrong)?;
        if wrong.is_empty() {
            return Ok(Sum { facts: held.len(), epochs });
        }
        let more = wrong.len().saturating_sub(20);
        wrong.truncate(20);
        anyhow::bail!("the books differ:\n{}\n(and {more} more)", wrong.join("\n"))
    }

    /// Facts that nobody confirmed may only be answers cut off by a kill.
    fn none_invented(
        &self,
        store: &Connection,
        known: &HashMap<Uuid, &Confirmed>,
        wrong: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let mut extra: BTreeMap<String, usize> = BTreeMap::new();
        for (id, terminal) in
            rows(store, "SELECT id, terminal FROM fact", |row| Ok((id(row, 0)?, row.get::<_, String>(1)?)))?
        {
            match known.get(&id) {
                None if self.earlier.contains(&id) => {}
                None if !self.only.is_empty() && !self.only.contains(&terminal) => {}
                None => *extra.entry(terminal).or_default() += 1,
                Some(confirmed) if confirmed.terminal != terminal => {
                    wrong.push(format!("{id} is of {} and stands under {terminal}", confirmed.terminal));
                }
                Some(_) => {}
            }
        }
        for (terminal, extra) in extra {
            let unanswered = self.unanswered.get(&terminal).copied().unwrap_or(0);
            if extra > unanswered {
                wrong.push(format!(
                    "{terminal}: {extra} facts never confirmed, {unanswered} commands unanswered"
                ));
            }
        }
        Ok(())
    }
}

fn ids(store: &Connection) -> anyhow::Result<BTreeSet<Uuid>> {
    Ok(rows(store, "SELECT id FROM fact", |row| id(row, 0))?.into_iter().collect())
}

fn id(row: &rusqlite::Row, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

fn rows<T>(
    store: &Connection,
    query: &str,
    read: impl FnMut(&rusqlite::Row) -> rusqlite::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let mut statement = store.prepare(query).with_context(|| format!("can't ask {query}"))?;
    let rows = statement.query_map([], read)?.collect::<Result<_, _>>();
    rows.with_context(|| format!("can't read what {query} found"))
}

/// Every log is numbered without gaps but for holes on record, and its digests follow from its bodies.
fn chains(
    store: &Connection,
    known: &HashMap<Uuid, &Confirmed>,
    wrong: &mut Vec<String>,
) -> anyhow::Result<usize> {
    let logs = rows(store, "SELECT id, epoch, held, digest, kind FROM log", |row| {
        Ok((
            row.get::<_, i64>(0)?,
            id(row, 1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, [u8; 32]>(3)?,
            row.get::<_, String>(4)?,
        ))
    })?;
    for (log, epoch, held, head, _) in &logs {
        let holes: BTreeMap<i64, i64> =
            rows(store, &format!("SELECT first_seq, last_seq FROM hole WHERE log = {log}"), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .into_iter()
            .collect();
        let entries = rows(
            store,
            &format!("SELECT seq, id, digest, body FROM entry WHERE log = {log} ORDER BY seq"),
            |row| {
                Ok((row.get::<_, i64>(0)?, id(row, 1)?, row.get::<_, [u8; 32]>(2)?, row.get::<_, String>(3)?))
            },
        )?;
        let mut next = 1;
        let mut before = Some(Digest::ZERO);
        for (seq, id, digest, body) in entries {
            while let Some(last) = holes.get(&next) {
                next = last + 1;
                // What stood in the hole is gone, and with it what the next digest follows from.
                before = None;
            }
            if seq != next {
                wrong.push(format!("epoch {epoch}: {seq} stands where {next} belongs"));
            }
            if before.is_some_and(|before| before.then(body.as_bytes()).0 != digest) {
                wrong.push(format!("epoch {epoch}: the digest of {seq} does not follow from its body"));
            }
            if let Some(confirmed) = known.get(&id)
                && confirmed.epoch == *epoch
                && confirmed.seq != seq
            {
                wrong.push(format!("{id} was confirmed as {} of {epoch}, stands as {seq}", confirmed.seq));
            }
            before = Some(Digest(digest));
            next = seq + 1;
        }
        while let Some(last) = holes.get(&next) {
            next = last + 1;
            before = None;
        }
        if next != held + 1 || before.is_some_and(|before| before.0 != *head) {
            wrong.push(format!("epoch {epoch}: says it holds {held}, its entries end at {}", next - 1));
        }
    }
    Ok(logs.iter().filter(|log| log.4 == "fact").count())
}

/// Every fact stands in history once, and within an epoch history follows the numbers.
fn applied_once_in_order(store: &Connection, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let applied = rows(
        store,
        "SELECT fact.id, fact.log, fact.seq, count(history.id), entry.id FROM fact \
         LEFT JOIN history ON history.fact = fact.id \
         LEFT JOIN entry ON entry.log = fact.log AND entry.seq = fact.seq \
         GROUP BY fact.id ORDER BY min(history.id)",
        |row| {
            Ok((
                id(row, 0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, i64>(3)?,
                row.get::<_, Option<[u8; 16]>>(4)?.map(Uuid::from_bytes),
            ))
        },
    )?;
    let mut last: HashMap<i64, i64> = HashMap::new();
    for (id, log, seq, times, entry) in applied {
        if times != 1 {
            wrong.push(format!("fact {id} stands {times} times in history"));
        }
        if entry != Some(id) {
            wrong.push(format!("fact {id} is not the entry it is said to be"));
        }
        if let Some(earlier) = last.insert(log, seq)
            && earlier >= seq
        {
            wrong.push(format!("fact {id}: number {seq} was applied after {earlier}"));
        }
    }
    Ok(())
}

/// The state of every pickup is what its facts and the office's word make it.
fn verdicts(store: &Connection, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let mut offices: HashMap<i64, (OfficeWord, String)> = HashMap::new();
    for (id, office, state) in rows(store, "SELECT id, office, state FROM pickup", |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })? {
        let office = serde_json::from_str(&office).context("an office's word can't be read")?;
        offices.insert(id, (office, state));
    }
    let mut judge = |id: i64, said: &[Said]| {
        let Some((office, state)) = offices.remove(&id) else {
            wrong.push(format!("pickup {id} has facts and is not there"));
            return;
        };
        let expected = word(&pickup::decide(office, &pickup::standing(said)).state);
        if state != expected {
            wrong.push(format!("pickup {id} says {state}, its facts say {expected}"));
        }
    };
    // Pickup by pickup: an office may hold millions of facts.
    let mut statement = store
        .prepare(
            "SELECT fact.pickup, fact.id, fact.terminal, log.epoch, fact.seq, fact.body \
             FROM fact JOIN log ON log.id = fact.log ORDER BY fact.pickup",
        )
        .context("can't ask for facts")?;
    let mut facts = statement.query([]).context("can't ask for facts")?;
    let (mut of, mut said) = (None, Vec::new());
    while let Some(row) = facts.next().context("can't read facts")? {
        let pickup: i64 = row.get(0)?;
        if let Some(before) = of.replace(pickup).filter(|before| *before != pickup) {
            judge(before, &said);
            said.clear();
        }
        let body: FactBody =
            serde_json::from_str(row.get_ref(5)?.as_str()?).context("a stored fact can't be read")?;
        said.push(Said {
            id: FactId(id(row, 1)?),
            terminal: row.get_ref(2)?.as_str()?.parse::<TerminalId>()?,
            epoch: Epoch(id(row, 3)?),
            seq: row.get::<_, i64>(4)?.unsigned_abs(),
            at: body.at.trusted.unwrap_or(body.at.terminal),
            fact: body.fact,
        });
    }
    if let Some(last) = of {
        judge(last, &said);
    }
    for (id, (office, state)) in &offices {
        let expected = word(&pickup::decide(*office, &pickup::standing(&[])).state);
        if state != expected {
            wrong.push(format!("pickup {id} says {state}, and nobody said anything: {expected}"));
        }
    }
    Ok(())
}

fn word(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Collected => "collected",
        State::PartlyCollected => "partly",
        State::NotCollected(_) => "not_collected",
        State::Revisit(_) => "revisit",
        State::Cancelled => "cancelled",
        State::NotReported => "not_reported",
    }
}
