//! Backups: whether there is one, and how old it is.

use anyhow::Context as _;
use jiff::SignedDuration;
use rusqlite::Connection;

use super::{Finding, Scope};
use crate::backup;
use crate::room::{free_bytes, mib};
use crate::store;

pub(super) fn last(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let Some(folder) = &settings.backup.folder else {
        return Ok(vec![
            Finding::warning("控えのフォルダーが設定されていません", "no folder for backups is set").todo(
                "設定に backup.folder を書き、毎晩 meguri-gateway backup を動かしてください",
                "set backup.folder, and have `meguri-gateway backup` run every night",
            ),
        ]);
    };
    let city = store::read_only(&scope.store_file()).ok().and_then(|store: Connection| {
        store.query_row("SELECT city FROM office", [], |row| row.get::<_, String>(0)).ok()
    });
    // Without a readable store the plan knows.
    let city = city.or_else(|| Some(meguri_config::City::read(&settings.city_file()).ok()?.id.to_string()));
    let Some(city) = city else { return Ok(Vec::new()) };
    let shown = folder.display();
    let now = scope.command("backup");
    let none = || {
        Finding::error(format!("{shown} に控えがありません"), format!("there is no backup in {shown}"))
            .todo(format!("取ってください: {now}"), format!("make one: {now}"))
    };
    if !folder.exists() {
        return Ok(vec![none()]);
    }
    let found = backup::dated_in(folder, &city)?;
    let store = std::fs::metadata(scope.store_file()).map_or(0, |file| file.len());
    let free = free_bytes(folder).with_context(|| format!("can't ask for the free space of {shown}"))?;
    if free < store + backup::RESERVE {
        return Ok(vec![
            Finding::error(
                format!("{shown} の空きが {} で、次の控えが入りません", mib(free)),
                format!("{shown} has {} free: the next backup has no room", mib(free)),
            )
            .todo(
                "backup.keep を減らすか、ディスクを広げてください",
                "keep fewer backups (backup.keep), or enlarge that disk",
            ),
        ]);
    }
    let Some((path, manifest)) = found.last() else { return Ok(vec![none()]) };
    let age = scope.now.duration_since(manifest.made_at);
    let path = path.display();
    let (ja, en) = (
        format!("最後の控えは {:.0}（{path}）", manifest.made_at),
        format!("the last backup is of {:.0} ({path})", manifest.made_at),
    );
    let most = SignedDuration::from_hours(settings.backup.hours.into());
    Ok(vec![if age > most {
        let hours = settings.backup.hours;
        Finding::error(format!("{ja}で、{hours} 時間より前です"), format!("{en}, older than {hours} hours"))
            .todo(
                format!("毎晩の控えが動いているか確かめ、いま取ってください: {now}"),
                format!("look why the nightly one did not run, and make one now: {now}"),
            )
    } else {
        Finding::ok(ja, en)
    }])
}
