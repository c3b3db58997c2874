//! The store itself: whether it is whole, of this program's version, and what lies beside it.

use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::{Finding, Scope};
use crate::backup::damage;
use crate::room::mib;
use crate::store::{self, GENERATION_FILE, SCHEMA, StoreError, replace, upgrade};

/// A write-ahead log larger than this was not taken into the store for long.
const LARGE_LOG: u64 = 512 * 1024 * 1024;
/// Copies of the store older than this are more likely forgotten than wanted.
const OLD: Duration = Duration::from_secs(30 * 24 * 3_600);

fn put_back(scope: &Scope) -> (String, String) {
    let command = scope.command("restore BACKUP --replace");
    (
        format!(
            "サーバーを止めて控えを戻してください: {command}（足りない分は端末が14日分まで送り直します）"
        ),
        format!(
            "stop the gateway and put a backup back: {command} (terminals send again what it lacks, of the last 14 days; \
             rows of a damaged store can be read out with SQLite's own `.recover`, from a copy)"
        ),
    )
}

pub(super) fn store(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let path = scope.store_file();
    let shown = path.display();
    if replace::is_pending(&scope.data) {
        return Ok(vec![
            Finding::warning("控えを戻す作業が途中です", "a restore was cut when everything was ready").todo(
                "サーバーを起動すると最後まで行います",
                "start the gateway: it finishes that by itself",
            ),
        ]);
    }
    if !path.try_exists().with_context(|| format!("can't look for {shown}"))? {
        if scope.data.join(GENERATION_FILE).exists() {
            let (ja, en) = put_back(scope);
            return Ok(vec![
                Finding::error(
                    format!("{shown} がなくなっています"),
                    format!("{shown} is gone: there was one"),
                )
                .todo(ja, en),
            ]);
        }
        return Ok(vec![
            Finding::warning("データベースはまだありません", "there is no store yet")
                .todo("meguri-gateway serve が作ります", "`meguri-gateway serve` makes it"),
        ]);
    }
    let damaged = |problem: String| {
        let (ja, en) = put_back(scope);
        Finding::error(
            format!("データベースが壊れています: {problem}"),
            format!("the store is damaged: {problem}"),
        )
        .todo(ja, en)
    };
    if let Err(StoreError::WrongLog { path }) = store::check_log(&store::wal(&path)) {
        return Ok(vec![
            Finding::error(
                format!("{} は SQLite のログではありません", path.display()),
                format!("{} is no write-ahead log of SQLite", path.display()),
            )
            .todo(
                "フォルダーの外へ移してから起動してください。足りない分は端末が14日分まで送り直します",
                "move it out of the folder and start the gateway: terminals send again what the store lacks, of the last 14 days",
            ),
        ]);
    }
    let conn = match store::read_only(&path) {
        Ok(conn) => conn,
        Err(StoreError::Damaged { source, .. }) => return Ok(vec![damaged(source.to_string())]),
        Err(error) => return Err(error.into()),
    };
    let schema = store::schema(&conn).context("the store's schema can't be read")?;
    if schema > SCHEMA {
        return Ok(vec![
            Finding::error(
                format!("データベースは新しい版（{schema}）のもので、この版は {SCHEMA} までです"),
                format!("the store has schema {schema}, this program works with {SCHEMA}"),
            )
            .todo(
                "新しい版の meguri-gateway を使うか、更新前の控えを戻してください",
                "use the newer program again, or put back a backup from before the upgrade",
            ),
        ]);
    }
    let mut found = Vec::new();
    match damage(&conn, scope.full) {
        Ok(None) => {
            let how =
                if scope.full { ("すべて読んで", "read whole") } else { ("", "its pages were read") };
            found.push(Finding::ok(
                format!("データベースは{}正常です", how.0),
                format!("the store is whole ({})", how.1),
            ));
        }
        Ok(Some(problem)) => found.push(damaged(problem)),
        Err(error) if store::is_damage(&error) => found.push(damaged(error.to_string())),
        Err(error) => return Err(error).context("the store can't be checked"),
    }
    if schema < SCHEMA {
        found.push(
            Finding::warning(
                format!("データベースは古い版（{schema}）で、次の起動で {SCHEMA} になります"),
                format!("the store has schema {schema}; the next start brings it to {SCHEMA}"),
            )
            .todo(
                format!("先に控えを取ってください: {}", scope.command("backup OUT")),
                format!("make a backup first: {}", scope.command("backup OUT")),
            ),
        );
    }
    Ok(found)
}

pub(super) fn log(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(file) = fs::metadata(store::wal(&scope.store_file())) else { return Ok(Vec::new()) };
    if file.len() < LARGE_LOG {
        return Ok(vec![Finding::ok(
            format!("書き込みログは {} です", mib(file.len())),
            format!("the write-ahead log has {}", mib(file.len())),
        )]);
    }
    Ok(vec![
        Finding::warning(
            format!("書き込みログが {} あります", mib(file.len())),
            format!("the write-ahead log has grown to {}", mib(file.len())),
        )
        .todo(
            "長く読み続けているもの（控え、sqlite3）を終わらせ、サーバーを起動し直してください",
            "end whatever reads the store for long (a backup, sqlite3), and start the gateway anew",
        ),
    ])
}

/// Copies of the store beside it: they are for going back, hold residents' data, and nobody else removes them.
pub(super) fn copies(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    if !scope.data.is_dir() {
        return Ok(Vec::new());
    }
    let mut old = Vec::new();
    for entry in fs::read_dir(&scope.data).with_context(|| format!("can't read {}", scope.data.display()))? {
        let entry = entry.context("can't read the folder")?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_copy = name == replace::STAGED || name.starts_with(replace::REPLACED);
        if !(is_copy || name.starts_with(upgrade::BEFORE)) {
            continue;
        }
        let changed = entry.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        if changed.elapsed().is_ok_and(|age| age > OLD) {
            old.push(name);
        }
    }
    if old.is_empty() {
        return Ok(Vec::new());
    }
    old.sort();
    let names = super::some(&old);
    Ok(vec![
        Finding::warning(
            format!("30日より前のデータベースの写しが残っています: {names}"),
            format!("copies of the store older than 30 days are still there: {names}"),
        )
        .todo(
            "住民の情報が入っています。要らなければ消してください",
            "they hold residents' data; remove them where nobody needs them",
        ),
    ])
}
