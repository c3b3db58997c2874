//! How each change is written.

use jiff::Timestamp;
use meguri_core::kept::{Held, KeptTime, NewEntry, Op, Rechained};
use meguri_proto::{Digest, DocumentName, Epoch, LogKind};
use rusqlite::{Transaction, params};

use super::sql::{Id, Number, digest, number};
use super::{StoreError, failed};

/// Writes one change. A fork reports its new digests.
pub(super) fn apply(tx: &Transaction, op: &Op, rechained: &mut Rechained) -> Result<(), StoreError> {
    match op {
        Op::Open { log, epoch } => open(tx, *log, *epoch).map_err(failed("open a log")),
        Op::Append { log, entry } => append(tx, *log, entry).map_err(failed("write an entry")),
        Op::Acked { log, seq, at } => {
            acked(tx, *log, *seq, *at).map_err(failed("write what the office holds"))
        }
        Op::Prune { log, upto } => prune(tx, *log, *upto).map_err(failed("delete old entries")),
        Op::Fork { log, epoch } => {
            rechained.push((*log, fork(tx, *log, *epoch)?));
            Ok(())
        }
        Op::Office(incarnation) => tx
            .execute("UPDATE terminal SET office = ?1", params![Id(incarnation.0)])
            .map(drop)
            .map_err(failed("write which office answers")),
        Op::Time(time) => keep_time(tx, time).map_err(failed("write the time")),
        Op::Document { name, held, body } => {
            document(tx, name, held, body.as_deref()).map_err(failed("write a document"))
        }
        Op::DropDocument(name) => tx
            .execute("DELETE FROM document WHERE name = ?1", params![name.to_string()])
            .map(drop)
            .map_err(failed("delete a document")),
    }
}

fn open(tx: &Transaction, log: LogKind, epoch: Epoch) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO log (kind, epoch, first, before, acked) VALUES (?1, ?2, 1, ?3, 0)",
        params![log.as_str(), Id(epoch.0), Digest::ZERO.0],
    )?;
    Ok(())
}

pub(super) fn append(tx: &Transaction, log: LogKind, entry: &NewEntry) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO entry (log, seq, id, digest, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![log.as_str(), Number(entry.seq), Id(entry.id.0), entry.digest.0, entry.body])?;
    if let Some((digest, text)) = &entry.note {
        tx.prepare_cached("INSERT INTO note (log, seq, digest, text) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![log.as_str(), Number(entry.seq), digest.0, text])?;
    }
    Ok(())
}

fn acked(tx: &Transaction, log: LogKind, seq: u64, at: Timestamp) -> rusqlite::Result<()> {
    let log = log.as_str();
    tx.prepare_cached("UPDATE entry SET acked_at = NULL WHERE log = ?1 AND seq > ?2 AND seq <= (SELECT acked FROM log WHERE kind = ?1)")?
        .execute(params![log, Number(seq)])?;
    tx.prepare_cached(
        "UPDATE entry SET acked_at = ?3 WHERE log = ?1 AND seq <= ?2 AND seq > (SELECT acked FROM log WHERE kind = ?1)",
    )?
    .execute(params![log, Number(seq), at.as_millisecond()])?;
    tx.prepare_cached("UPDATE log SET acked = ?2 WHERE kind = ?1")?.execute(params![log, Number(seq)])?;
    Ok(())
}

fn prune(tx: &Transaction, log: LogKind, upto: u64) -> rusqlite::Result<()> {
    let log = log.as_str();
    tx.execute(
        "UPDATE log SET first = ?2 + 1, before = (SELECT digest FROM entry WHERE log = ?1 AND seq = ?2) WHERE kind = ?1",
        params![log, Number(upto)],
    )?;
    tx.execute("DELETE FROM entry WHERE log = ?1 AND seq <= ?2", params![log, Number(upto)])?;
    tx.execute("DELETE FROM note WHERE log = ?1 AND seq <= ?2", params![log, Number(upto)])?;
    Ok(())
}

/// Moves every entry into a new epoch from number 1 on. What the old chain does not vouch for is not
/// given a new digest.
fn fork(tx: &Transaction, log: LogKind, epoch: Epoch) -> Result<Vec<Digest>, StoreError> {
    let doing = failed("move entries to a new epoch");
    let kind = log.as_str();
    let (first, mut old): (u64, Digest) = tx
        .query_row("SELECT first, before FROM log WHERE kind = ?1", [kind], |row| {
            Ok((number(row, 0)?, digest(row, 1)?))
        })
        .map_err(&doing)?;
    let mut digests = Vec::new();
    {
        let mut read =
            tx.prepare("SELECT seq, digest, body FROM entry WHERE log = ?1 ORDER BY seq").map_err(&doing)?;
        let mut rows = read.query([kind]).map_err(&doing)?;
        let mut last = Digest::ZERO;
        while let Some(row) = rows.next().map_err(&doing)? {
            let seq = number(row, 0).map_err(&doing)?;
            let damaged = || StoreError::DamagedEntry { log, seq };
            let body: String = row.get(2).map_err(|_| damaged())?;
            old = old.then(body.as_bytes());
            if seq != first + digests.len() as u64 || digest(row, 1).map_err(&doing)? != old {
                return Err(damaged());
            }
            last = last.then(body.as_bytes());
            digests.push(last);
        }
    }
    // In two steps, so that no number is taken twice on the way.
    for table in ["entry", "note"] {
        let away = format!("UPDATE {table} SET seq = -(seq - ?2) WHERE log = ?1");
        let back = format!("UPDATE {table} SET seq = -seq WHERE log = ?1");
        tx.execute(&away, params![kind, Number(first - 1)]).map_err(&doing)?;
        tx.execute(&back, params![kind]).map_err(&doing)?;
    }
    let mut write = tx
        .prepare("UPDATE entry SET digest = ?3, acked_at = NULL WHERE log = ?1 AND seq = ?2")
        .map_err(&doing)?;
    for (seq, digest) in (1_u64..).zip(&digests) {
        write.execute(params![kind, Number(seq), digest.0]).map_err(&doing)?;
    }
    tx.execute(
        "UPDATE log SET epoch = ?2, first = 1, before = ?3, acked = 0, moved = ?4 WHERE kind = ?1",
        params![kind, Id(epoch.0), Digest::ZERO.0, Number(digests.len() as u64)],
    )
    .map_err(&doing)?;
    Ok(digests)
}

fn keep_time(tx: &Transaction, time: &KeptTime) -> rusqlite::Result<()> {
    let millis = |time: Timestamp| time.as_millisecond();
    tx.prepare_cached(
        "UPDATE terminal SET time_sure = ?1, time = ?2, device = ?3, confirmed_date = ?4, confirmed_in = ?5",
    )?
    .execute(params![
        time.sure.map(millis),
        millis(time.time),
        millis(time.device),
        time.confirmed.map(|confirmed| confirmed.date.to_string()),
        time.confirmed.map(|confirmed| Id(confirmed.device_start)),
    ])?;
    Ok(())
}

fn document(tx: &Transaction, name: &DocumentName, held: &Held, body: Option<&str>) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO document (name, version, digest, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET version = ?2, digest = ?3, body = ?4",
        params![name.to_string(), Number(held.version), held.digest.0, body],
    )?;
    Ok(())
}
