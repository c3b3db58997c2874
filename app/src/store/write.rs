//! How each change is written.

use jiff::Timestamp;
use meguri_core::kept::{Held, KeptConfig, KeptTime, NewEntry, Op, Rechained};
use meguri_proto::{Digest, DocumentName, Epoch, FactBody, LogKind, Message as _};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::sql::{Id, Number, digest, number};
use super::{StoreError, failed};
use crate::vault::{Use, Vault};

/// Writes one change. A fork reports its new digests.
pub(super) fn apply(
    tx: &Transaction,
    vault: &mut Vault,
    op: &Op,
    rechained: &mut Rechained,
) -> Result<(), StoreError> {
    match op {
        Op::Open { log, epoch } => open(tx, *log, *epoch).map_err(failed("open a log")),
        Op::Append { log, entry } => append(tx, vault, *log, entry),
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
        Op::Document { name, held, body } => document(tx, vault, name, held, body.as_deref()),
        Op::DropDocument(name) => tx
            .execute("DELETE FROM document WHERE name = ?1", params![name.to_string()])
            .map(drop)
            .map_err(failed("delete a document")),
        Op::Erase { held, body } => {
            tx.execute_batch("DELETE FROM document; DELETE FROM note; DELETE FROM pin_wrong;")
                .map_err(failed("delete what is erased"))?;
            document(tx, vault, &DocumentName::Erasure, held, Some(body))
        }
        Op::Config(config) => configure(tx, config),
        Op::PinsWrong(member, count) => tx
            .execute(
                "INSERT INTO pin_wrong VALUES (?1, ?2) ON CONFLICT (member) DO UPDATE SET count = ?2",
                params![member.as_str(), count],
            )
            .map(drop)
            .map_err(failed("write how many PINs were wrong")),
    }
}

fn open(tx: &Transaction, log: LogKind, epoch: Epoch) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO log (kind, epoch, first, before, acked) VALUES (?1, ?2, 1, ?3, 0)",
        params![log.as_str(), Id(epoch.0), Digest::ZERO.0],
    )?;
    Ok(())
}

pub(super) fn append(
    tx: &Transaction,
    vault: &mut Vault,
    log: LogKind,
    entry: &NewEntry,
) -> Result<(), StoreError> {
    let doing = failed("write an entry");
    tx.prepare_cached("INSERT INTO entry (log, seq, id, digest, body) VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut insert| {
            insert.execute(params![
                log.as_str(),
                Number(entry.seq),
                Id(entry.id.0),
                entry.digest.0,
                entry.body
            ])
        })
        .map_err(&doing)?;
    if let Some((digest, text)) = &entry.note {
        // Every fact names its contract; the crew's words are that contract's.
        let contract = FactBody::decode(entry.body.as_bytes()).map(|body| body.contract.to_string());
        let sealed = vault.seal(
            Use::Notes,
            contract.as_deref().unwrap_or_default(),
            &note_aad(digest),
            text.as_bytes(),
        )?;
        tx.prepare_cached("INSERT INTO note (log, seq, digest, sealed) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| insert.execute(params![log.as_str(), Number(entry.seq), digest.0, sealed]))
            .map_err(&doing)?;
    }
    Ok(())
}

/// What a note is sealed for. A fork moves it to another number, so that is no part of it.
pub(super) fn note_aad(digest: &Digest) -> Vec<u8> {
    [b"note\0", &digest.0[..]].concat()
}

/// What a document is sealed for.
pub(super) fn document_aad(name: &DocumentName, digest: &Digest) -> Vec<u8> {
    [b"document\0", name.to_string().as_bytes(), b"\0", &digest.0[..]].concat()
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

fn document(
    tx: &Transaction,
    vault: &mut Vault,
    name: &DocumentName,
    held: &Held,
    body: Option<&str>,
) -> Result<(), StoreError> {
    let (plain, sealed) = match (name, body) {
        (DocumentName::List { contract, .. }, Some(body)) => {
            let aad = document_aad(name, &held.digest);
            (None, Some(vault.seal(Use::Lists, contract.as_str(), &aad, body.as_bytes())?))
        }
        // Who may sign in must be known before anybody has, and an erasure says nothing.
        (_, body) => (body, None),
    };
    tx.execute(
        "INSERT INTO document (name, version, digest, body, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (name) DO UPDATE SET version = ?2, digest = ?3, body = ?4, sealed = ?5",
        params![name.to_string(), Number(held.version), held.digest.0, plain, sealed],
    )
    .map(drop)
    .map_err(failed("write a document"))
}

/// Writes where the configurations have come to, and does what follows: what is of no contract in force or to come goes, and
/// where another contract comes into force its crew takes the place of the one before.
pub(super) fn configure(tx: &Transaction, config: &KeptConfig) -> Result<(), StoreError> {
    let doing = failed("write the configuration");
    let before: Option<KeptConfig> = read_config(tx)?;
    // Ids, numbers, texts and lists of them always become JSON.
    let state = serde_json::to_string(config).unwrap_or_default();
    tx.execute(
        "INSERT INTO config (id, state, digest) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET state = ?1, digest = ?2",
        params![state, Digest::of(state.as_bytes()).0],
    )
    .map_err(&doing)?;
    let Some(contract) = &config.contract else { return Ok(()) };
    let before = before.and_then(|before| before.contract);
    let former = before.filter(|before| before != contract);
    if former.is_some() {
        let crew = DocumentName::Crew.to_string();
        let coming = DocumentName::CrewOf { contract: contract.clone() }.to_string();
        tx.execute("DELETE FROM document WHERE name = ?1", [&crew]).map_err(&doing)?;
        tx.execute("UPDATE document SET name = ?1 WHERE name = ?2", [&crew, &coming]).map_err(&doing)?;
        tx.execute("DELETE FROM pin_wrong", []).map_err(&doing)?;
    }
    let mut names = tx.prepare("SELECT name FROM document").map_err(&doing)?;
    let names: Result<Vec<String>, _> = names.query_map([], |row| row.get(0)).map_err(&doing)?.collect();
    for text in names.map_err(&doing)? {
        let Ok(name) = text.parse::<DocumentName>() else { continue };
        // What was the former contract's goes also where that comes again later.
        let over = |contract| !config.keeps(contract) || former.as_ref() == Some(contract);
        if name.contract().is_some_and(over) {
            tx.execute("DELETE FROM document WHERE name = ?1", [&text]).map_err(&doing)?;
        }
    }
    Ok(())
}

/// Where the configurations have come to, as it was written; none where nothing was yet. What is not as it was written is an
/// error of the database's.
pub(super) fn read_config(connection: &Connection) -> Result<Option<KeptConfig>, StoreError> {
    connection
        .query_row("SELECT state, digest FROM config WHERE id = 1", [], |row| {
            let (state, written): (String, Digest) = (row.get(0)?, digest(row, 1)?);
            let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
            };
            if Digest::of(state.as_bytes()) != written {
                return Err(wrong("it is not as it was written".into()));
            }
            serde_json::from_str(&state).map_err(|error| wrong(error.into()))
        })
        .optional()
        .map_err(failed("read the configuration"))
}

/// Deletes the notes of contracts that are over and that the office holds; says whether there were any. Notes are of no contract to
/// come: where one comes again, its notes of before are over all the same.
pub(super) fn drop_former(tx: &Transaction, vault: &Vault, config: &KeptConfig) -> Result<bool, StoreError> {
    let doing = failed("delete notes of a contract that is over");
    let Some(own) = &config.contract else { return Ok(false) };
    let over = vault.keys_of(|contract| contract != own.as_str());
    if over.is_empty() {
        return Ok(false);
    }
    let select = "SELECT note.log, note.seq, substr(note.sealed, 1, 28) FROM note
        JOIN log ON log.kind = note.log WHERE note.sealed IS NOT NULL AND note.seq <= log.acked";
    let mut statement = tx.prepare(select).map_err(&doing)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, number(row, 1)?, row.get::<_, Vec<u8>>(2)?)));
    let rows: Result<Vec<_>, _> = rows.map_err(&doing)?.collect();
    let mut any = false;
    for (log, seq, head) in rows.map_err(&doing)? {
        if Vault::key_of(&head).is_some_and(|key| over.contains(&key)) {
            tx.execute("DELETE FROM note WHERE log = ?1 AND seq = ?2", params![log, Number(seq)])
                .map_err(&doing)?;
            any = true;
        }
    }
    Ok(any)
}

/// Seals every list and note that stands in plain; says whether there were any.
pub(super) fn seal_plain(tx: &Transaction, vault: &mut Vault) -> Result<bool, StoreError> {
    let doing = failed("seal what stands in plain");
    let mut any = false;
    let lists = "SELECT name, digest, body FROM document WHERE body IS NOT NULL AND name LIKE 'list/%'";
    let mut statement = tx.prepare(lists).map_err(&doing)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, digest(row, 1)?, row.get::<_, String>(2)?)));
    // One that can't be read comes anew from the office.
    let rows: Vec<_> = rows.map_err(&doing)?.flatten().collect();
    for (text, digest, body) in rows {
        let Ok(name) = text.parse::<DocumentName>() else { continue };
        let DocumentName::List { contract, .. } = &name else { continue };
        let sealed =
            vault.seal(Use::Lists, contract.as_str(), &document_aad(&name, &digest), body.as_bytes())?;
        tx.execute("UPDATE document SET body = NULL, sealed = ?2 WHERE name = ?1", params![text, sealed])
            .map_err(&doing)?;
        any = true;
    }
    let notes = "SELECT note.log, note.seq, note.digest, text, body FROM note
        JOIN entry ON entry.log = note.log AND entry.seq = note.seq WHERE text IS NOT NULL";
    let mut statement = tx.prepare(notes).map_err(&doing)?;
    let rows = statement.query_map([], |row| {
        let (text, body): (String, String) = (row.get(3)?, row.get(4)?);
        Ok((row.get::<_, String>(0)?, number(row, 1)?, digest(row, 2)?, text, body))
    });
    let rows: Vec<_> = rows.map_err(&doing)?.flatten().collect();
    for (log, seq, digest, text, body) in rows {
        let contract = FactBody::decode(body.as_bytes()).map(|body| body.contract.to_string());
        let contract = contract.unwrap_or_default();
        let sealed = vault.seal(Use::Notes, &contract, &note_aad(&digest), text.as_bytes())?;
        tx.execute(
            "UPDATE note SET text = NULL, sealed = ?3 WHERE log = ?1 AND seq = ?2",
            params![log, Number(seq), sealed],
        )
        .map_err(&doing)?;
        any = true;
    }
    Ok(any)
}
