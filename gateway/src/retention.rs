//! How long what is kept: residents' data, and what would let the store grow without bound, go after their time.
//!
//! Erased are rows and texts that hold residents' data; pickups, facts and history stay, so every statistic does.
//! Work is done in short steps, each in a transaction of its caller's, and begun anew every day.

use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use meguri_proto::LogKind;
use meguri_proto::clock::{business_date, midnight};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::config::Retention;
use crate::ingest::Effects;
use crate::store::sql;

/// How many rows are looked at between two looks at the time.
const ROWS: i64 = 200;

/// Before when what goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoffs {
    /// The day on which this is done.
    today: Date,
    now: Timestamp,
    /// Pickups of days before this one, and what came before it; none where it is kept.
    residents: Option<Date>,
    /// Lists of days before this one.
    lists: Date,
    /// What was set aside and settled before.
    aside: Timestamp,
    /// Entries of the track log received before.
    health: Timestamp,
}

impl Cutoffs {
    /// At `now`.
    #[must_use]
    pub fn at(retention: &Retention, now: Timestamp) -> Self {
        let today = business_date(now);
        // At the ends of the calendar nothing is old.
        let before = |span: Span| today.checked_sub(span).unwrap_or(Date::MIN);
        let days = |days: u16| midnight(before(Span::new().days(days)));
        let residents =
            (retention.residents_months > 0).then(|| before(Span::new().months(retention.residents_months)));
        Self {
            today,
            now,
            residents,
            lists: before(Span::new().days(retention.list_days)),
            aside: days(retention.aside_days),
            health: days(retention.health_days),
        }
    }
}

/// How much went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Pickups whose residents' data goes.
    pub pickups: u64,
    /// Texts of notes.
    pub notes: u64,
    /// Bodies of issued lists.
    pub lists: u64,
    /// What was set aside: its raw bytes, settled or as old as residents' data.
    pub asides: u64,
    /// Held files.
    pub held_files: u64,
    /// Bodies of entries that were never taken.
    pub entries: u64,
    /// Entries of the track log with their health samples.
    pub samples: u64,
}

/// What an erasure says of itself: counts only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// When.
    pub at: Timestamp,
    /// Residents' data of pickups before this day.
    pub before: String,
    /// How much.
    pub counts: Counts,
}

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pickups,
    Notes,
    Lists,
    Asides,
    HeldFiles,
    Entries,
    Samples,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Pickups,
        Self::Notes,
        Self::Lists,
        Self::Asides,
        Self::HeldFiles,
        Self::Entries,
        Self::Samples,
    ];
}

/// An erasure under way.
#[derive(Debug)]
pub struct Erasing {
    cutoffs: Cutoffs,
    parts: std::slice::Iter<'static, Part>,
    part: Option<Part>,
    /// Where the walk over logs stands.
    log: i64,
    counts: Counts,
    /// The row that says what went, once anything has.
    row: Option<i64>,
}

impl Erasing {
    /// Begins one.
    #[must_use]
    pub fn new(retention: &Retention, now: Timestamp) -> Self {
        let mut parts = Part::ALL.iter();
        let part = parts.next().copied();
        let cutoffs = Cutoffs::at(retention, now);
        Self { cutoffs, parts, part, log: 0, counts: Counts::default(), row: None }
    }

    /// The day it is done on.
    #[must_use]
    pub fn today(&self) -> Date {
        self.cutoffs.today
    }

    /// What went so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether anything went.
    #[must_use]
    pub fn any(&self) -> bool {
        self.counts != Counts::default()
    }

    /// How many rows with residents' data went.
    #[must_use]
    pub fn residents(&self) -> u64 {
        let Counts { pickups, notes, lists, asides, held_files, entries, samples: _ } = self.counts;
        pickups + notes + lists + asides + held_files + entries
    }

    /// Goes on for about as long as `most`, and keeps a row of what went. Says whether everything is done.
    ///
    /// # Errors
    /// When the store can't be written: this erasure is over then, and another one goes on where it stood.
    pub fn step(&mut self, tx: &Connection, fx: &mut Effects, most: Duration) -> rusqlite::Result<bool> {
        let (started, before) = (Instant::now(), self.counts);
        while let Some(part) = self.part {
            if self.some(tx, fx, part)? {
                (self.part, self.log) = (self.parts.next().copied(), 0);
            }
            if started.elapsed() >= most {
                break;
            }
        }
        if self.counts != before {
            self.say(tx)?;
        }
        Ok(self.part.is_none())
    }

    fn say(&mut self, tx: &Connection) -> rusqlite::Result<()> {
        let counts = serde_json::json!(self.counts).to_string();
        if let Some(row) = self.row {
            tx.prepare_cached("UPDATE erasure SET counts = ?2 WHERE id = ?1")?
                .execute(params![row, counts])?;
            return Ok(());
        }
        let before = self.cutoffs.residents.map(|day| day.to_string()).unwrap_or_default();
        tx.prepare_cached("INSERT INTO erasure (at, before, counts) VALUES (?1, ?2, ?3)")?
            .execute(params![sql::ms(self.cutoffs.now), before, counts])?;
        self.row = Some(tx.last_insert_rowid());
        Ok(())
    }

    /// Some rows of one part; says whether it is over.
    fn some(&mut self, tx: &Connection, fx: &mut Effects, part: Part) -> rusqlite::Result<bool> {
        let Cutoffs { residents, lists, aside, health, now, .. } = self.cutoffs;
        let run = |statement: &str, values: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<u64> {
            Ok(tx.prepare_cached(statement)?.execute(values)? as u64)
        };
        let full = ROWS.unsigned_abs();
        let counts = &mut self.counts;
        let old = residents.map(midnight).map(sql::ms);
        Ok(match (part, residents, old) {
            (Part::Pickups, Some(before), _) => {
                let select =
                    "SELECT id FROM pickup WHERE erased_at IS NULL AND date < ?1 ORDER BY date LIMIT ?2";
                let ids: Vec<i64> = tx
                    .prepare_cached(select)?
                    .query_map(params![before.to_string(), ROWS], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                for id in &ids {
                    run("DELETE FROM resident WHERE pickup = ?1", &[id])?;
                    run("DELETE FROM issued WHERE pickup = ?1", &[id])?;
                    run("UPDATE pickup SET erased_at = ?2 WHERE id = ?1", &[id, &sql::ms(now)])?;
                }
                counts.pickups += ids.len() as u64;
                (ids.len() as u64) < full
            }
            (Part::Notes, _, Some(old)) => {
                let gone = run(
                    "DELETE FROM note WHERE sha256 IN (SELECT sha256 FROM note WHERE received_at < ?1 LIMIT ?2)",
                    &[&old, &ROWS],
                )?;
                counts.notes += gone;
                gone < full
            }
            (Part::Lists, ..) => {
                // A list's name ends with its date. That it was issued stays known.
                let gone = run(
                    "UPDATE document SET body = 'null' WHERE (terminal, name) IN (SELECT terminal, name FROM document
                        WHERE name LIKE 'list/%' AND substr(name, -10) < ?1 AND body <> 'null' LIMIT ?2)",
                    &[&lists.to_string(), &ROWS],
                )?;
                counts.lists += gone;
                gone < full
            }
            (Part::Asides, ..) => {
                // What nobody has looked at goes with the pickups of its time.
                let gone = run(
                    "UPDATE aside SET raw = x'', settled_how = coalesce(settled_how, 'erased'),
                        settled_at = coalesce(settled_at, ?3)
                    WHERE id IN (SELECT id FROM aside WHERE raw <> x''
                        AND (settled_at < ?1 OR at < coalesce(?2, -1)) LIMIT ?4)",
                    &[&sql::ms(aside), &old, &sql::ms(now), &ROWS],
                )?;
                counts.asides += gone;
                fx.touched.aside |= gone > 0;
                gone < full
            }
            (Part::HeldFiles, _, Some(old)) => {
                // Dropped first, so that nobody releases a file of which parts are gone.
                let gone = run(
                    "UPDATE import SET state = 'dropped', content = NULL, profile_text = NULL
                    WHERE state = 'held' AND at < ?1",
                    &[&old],
                )?;
                if gone > 0 {
                    run(
                        "UPDATE notice SET settled_at = ?1 WHERE kind = 'import_held' AND settled_at IS NULL
                            AND detail ->> 'import' IN (SELECT id FROM import WHERE state = 'dropped')",
                        &[&sql::ms(now)],
                    )?;
                    fx.touched.notice = true;
                }
                counts.held_files += gone;
                // Not those of an import that is being taken: it has no row yet.
                let parts = run(
                    "DELETE FROM kept_part WHERE rowid IN (SELECT kept_part.rowid FROM kept_part
                        JOIN import ON import.kept = kept_part.kept WHERE state = 'dropped' LIMIT 4)",
                    &[],
                )?;
                if parts == 0 {
                    run("UPDATE import SET kept = NULL WHERE state = 'dropped' AND kept IS NOT NULL", &[])?;
                }
                parts == 0
            }
            // Facts' bodies hold no residents' data; of what could not be read nobody knows.
            (Part::Entries, _, Some(old)) => {
                let gone = run(
                    "UPDATE entry SET body = '' WHERE (log, seq) IN (
                        SELECT entry.log, entry.seq FROM aside JOIN entry USING (log, seq)
                        WHERE aside.at < ?1 AND settled_how IS NOT 'processed' AND entry.body <> '' LIMIT ?2)",
                    &[&old, &ROWS],
                )?;
                counts.entries += gone;
                gone < full
            }
            (Part::Samples, ..) => match next_track(tx, self.log)? {
                None => true,
                Some(log) => {
                    let gone = samples(tx, log, sql::ms(health))?;
                    self.counts.samples += gone;
                    if gone < full {
                        self.log = log;
                    }
                    false
                }
            },
            (Part::Pickups | Part::Notes | Part::HeldFiles | Part::Entries, ..) => true,
        })
    }
}

/// The next track log behind this one.
fn next_track(tx: &Connection, log: i64) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT min(id) FROM log WHERE kind = ?1 AND id > ?2";
    tx.prepare_cached(select)?.query_row(params![LogKind::Track.as_str(), log], |row| row.get(0))
}

/// Deletes the oldest entries of a track log, and what they said of the terminal's health. Its newest entry stays, and
/// whatever is set aside and open.
fn samples(tx: &Connection, log: i64, before: i64) -> rusqlite::Result<u64> {
    let select = "SELECT seq, received_at FROM entry
        WHERE log = ?1 AND seq < (SELECT held FROM log WHERE id = ?1)
            AND seq < coalesce((SELECT min(seq) FROM aside WHERE log = ?1 AND settled_at IS NULL), 9e18)
        ORDER BY seq LIMIT ?2";
    let mut last = None;
    let mut rows_of = tx.prepare_cached(select)?;
    let mut rows = rows_of.query(params![log, ROWS])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        last = Some(row.get::<_, i64>(0)?);
    }
    let Some(last) = last else { return Ok(0) };
    tx.prepare_cached("DELETE FROM health WHERE log = ?1 AND seq <= ?2")?.execute([log, last])?;
    let gone = tx.prepare_cached("DELETE FROM entry WHERE log = ?1 AND seq <= ?2")?.execute([log, last])?;
    Ok(gone as u64)
}

/// What is due, and what went before, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Residents' data of pickups before this day goes; none where it is kept.
    pub residents_before: Option<Date>,
    /// What goes at the next look at the calendar.
    pub due: Counts,
    /// The last erasures.
    pub past: Vec<Row>,
}

/// Looks at what is due, and changes nothing.
///
/// # Errors
/// When the store can't be read.
pub fn outlook(conn: &Connection, retention: &Retention, now: Timestamp) -> rusqlite::Result<Outlook> {
    let Cutoffs { residents, lists, aside, health, .. } = Cutoffs::at(retention, now);
    let count = |select: &str, values: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<u64> {
        let count: i64 = conn.query_row(select, values, |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let day = residents.map(|day| day.to_string());
    let old = residents.map(midnight).map(sql::ms);
    let due = Counts {
        pickups: count("SELECT count(*) FROM pickup WHERE erased_at IS NULL AND date < ?1", &[&day])?,
        notes: count("SELECT count(*) FROM note WHERE received_at < ?1", &[&old])?,
        lists: count(
            "SELECT count(*) FROM document WHERE body <> 'null' AND substr(name, -10) < ?1",
            &[&lists.to_string()],
        )?,
        asides: count(
            "SELECT count(*) FROM aside WHERE raw <> x'' AND (settled_at < ?1 OR at < coalesce(?2, -1))",
            &[&sql::ms(aside), &old],
        )?,
        held_files: count("SELECT count(*) FROM import WHERE state = 'held' AND at < ?1", &[&old])?,
        entries: count(
            "SELECT count(*) FROM aside JOIN entry USING (log, seq)
            WHERE aside.at < ?1 AND settled_how IS NOT 'processed' AND entry.body <> ''",
            &[&old],
        )?,
        samples: count(
            "SELECT count(*) FROM log JOIN entry ON entry.log = log.id
            WHERE kind = ?1 AND seq < held AND entry.received_at < ?2",
            &[&LogKind::Track.as_str(), &sql::ms(health)],
        )?,
    };
    let mut select = conn.prepare("SELECT at, before, counts FROM erasure ORDER BY id DESC LIMIT 30")?;
    let rows = select.query_map([], |row| {
        Ok(Row { at: sql::instant(row.get(0)?), before: row.get(1)?, counts: sql::json(row, 2)? })
    })?;
    let past = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Outlook { residents_before: residents, due, past })
}

/// Tells people that an import names so many pickups whose residents' data was erased: it stays erased.
///
/// # Errors
/// When the store can't be written.
pub fn tell_of_import(
    tx: &Connection,
    fx: &mut Effects,
    now: Timestamp,
    import: i64,
    pickups: u64,
) -> rusqlite::Result<()> {
    if pickups > 0 {
        let detail = serde_json::json!({ "of": import, "pickups": pickups });
        fx.touched.notice |= sql::notice(tx, now, "stays_erased", None, &detail)?;
    }
    Ok(())
}
