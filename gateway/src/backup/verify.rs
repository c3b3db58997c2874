//! Whether a backup is what it was made as: its files by their digests, its store by SQLite and by its rows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BackupError, Manifest, VERSION, listed};
use crate::store::{self, SCHEMA, STORE_FILE, sql};

/// Checks a backup. Gives what it says of itself.
///
/// # Errors
/// When it is no backup, or not what it was made as.
pub fn verify(backup: &Path) -> Result<Manifest, BackupError> {
    let manifest = manifest(backup)?;
    for (name, expected) in &manifest.files {
        // A manifest that was changed must not lead elsewhere.
        let inside = name.split_once('/').is_none_or(|(folder, file)| {
            super::FOLDERS.contains(&folder) && !file.contains('/') && file != ".."
        });
        if !inside {
            return Err(BackupError::wrong(
                backup,
                format!("its manifest names {name:?}, which is no file of it"),
            ));
        }
        let found = listed(&backup.join(name))?;
        if &found != expected {
            let problem = format!(
                "{name} has {} bytes with SHA-256 {}, it was made with {} bytes and {}; take another backup",
                found.bytes, found.sha256, expected.bytes, expected.sha256
            );
            return Err(BackupError::wrong(backup, problem));
        }
    }
    contents(backup, &manifest)?;
    Ok(manifest)
}

/// What a backup says of itself.
pub(super) fn manifest(backup: &Path) -> Result<Manifest, BackupError> {
    let path = backup.join(super::MANIFEST);
    let text = fs::read_to_string(&path).map_err(BackupError::file("read", &path))?;
    let manifest: Manifest = toml::from_str(&text)
        .map_err(|error| BackupError::wrong(backup, format!("{}: {error}", super::MANIFEST)))?;
    if manifest.version != VERSION {
        let problem = format!(
            "its manifest has version {}, this program reads {VERSION}; use the program that made it ({})",
            manifest.version, manifest.program
        );
        return Err(BackupError::wrong(backup, problem));
    }
    if manifest.schema > SCHEMA {
        let problem = format!(
            "it was made by a newer program ({}, schema {}), this one works with schema {SCHEMA}; use that program",
            manifest.program, manifest.schema
        );
        return Err(BackupError::wrong(backup, problem));
    }
    if !manifest.files.contains_key(STORE_FILE) {
        return Err(BackupError::wrong(backup, format!("its manifest names no {STORE_FILE}")));
    }
    Ok(manifest)
}

/// Checks the copied store against the manifest.
pub(super) fn contents(backup: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = backup.join(STORE_FILE);
    let reading = || BackupError::sql("read", &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(reading())?;
    // Some damage ends the check itself.
    let problem = match damage(&conn, true) {
        Err(error) if store::is_damage(&error) => Some(error.to_string()),
        said => said.map_err(reading())?,
    };
    if let Some(problem) = problem {
        let problem = format!(
            "its store is damaged ({problem}); `meguri-gateway doctor --full` says whether the store itself is, too"
        );
        return Err(BackupError::wrong(backup, problem));
    }
    let whose = conn.query_row("SELECT city, incarnation FROM office", [], |row| {
        Ok((row.get::<_, String>(0)?, sql::uuid(row, 1)?))
    });
    let schema = store::schema(&conn).map_err(reading())?;
    if whose.map_err(reading())? != (manifest.city.clone(), manifest.incarnation) || schema != manifest.schema
    {
        return Err(BackupError::wrong(backup, "its store is not the one that its manifest speaks of"));
    }
    let found = rows(&conn).map_err(reading())?;
    if found != manifest.rows {
        let differing = found.iter().find(|(table, count)| manifest.rows.get(*table) != Some(count));
        let table = differing
            .map_or("a table is missing".to_owned(), |(table, count)| format!("{table} has {count}"));
        return Err(BackupError::wrong(
            backup,
            format!("its store has other numbers of rows than the store had: {table}"),
        ));
    }
    Ok(())
}

/// What SQLite finds wrong with a store: `full` reads every index entry and every reference, else only the pages.
///
/// # Errors
/// When it can't even be read.
pub(crate) fn damage(conn: &Connection, full: bool) -> rusqlite::Result<Option<String>> {
    let check = if full { "PRAGMA integrity_check(3)" } else { "PRAGMA quick_check(3)" };
    let mut statement = conn.prepare(check)?;
    let said = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    if said != ["ok"] {
        return Ok(Some(said.join("; ").replace('\n', " ")));
    }
    if !full {
        return Ok(None);
    }
    let mut statement =
        conn.prepare("SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1")?;
    let lost = statement
        .query_map([], |row| {
            Ok(format!("{} rows of {} refer to nothing", row.get::<_, i64>(1)?, row.get::<_, String>(0)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok((!lost.is_empty()).then(|| lost.join("; ")))
}

/// How many rows each table has.
pub(super) fn rows(conn: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = conn.prepare(tables)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count = |name: String| {
        let query = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        Ok((name, conn.query_row(&query, [], |row| row.get(0))?))
    };
    names.into_iter().map(count).collect()
}
