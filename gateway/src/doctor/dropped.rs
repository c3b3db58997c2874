//! Watched folders: whether files can be taken from them, and what was taken long ago and still lies there.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use super::{Finding, Scope};
use crate::import::watch::MOVED_TO;

pub(super) fn folders(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    // As long as the store keeps what stands in them; 0 months are for ever.
    let months = settings.retention.residents_months;
    let most = (months > 0).then(|| Duration::from_secs(u64::from(months) * 31 * 24 * 3_600));
    for watch in &settings.watch {
        let folder = scope.data.join(&watch.folder);
        let shown = folder.display();
        if let Err(error) =
            rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        {
            found.push(
                Finding::error(
                    format!("見張りフォルダー {shown} に書けません: {error}"),
                    format!("the watched folder {shown} can't be written to: {error}"),
                )
                .todo(
                    "フォルダーと権利を確かめてください。systemd では ReadWritePaths= にも書きます",
                    "look at the folder and its rights; under systemd name it in ReadWritePaths=, too",
                ),
            );
            continue;
        }
        let mut old = 0;
        for moved in MOVED_TO {
            old += most.map_or(Ok(0), |most| older(&folder.join(moved), most))?;
        }
        found.push(if old == 0 {
            Finding::ok(format!("見張りフォルダー {shown} は使えます"), format!("the watched folder {shown} can be used"))
        } else {
            Finding::warning(
                format!("見張りフォルダー {shown} に、住民のデータの保存期間（{months} か月）を過ぎたファイルが {old} 個あります"),
                format!("{old} files in the watched folder {shown} are older than residents' data is kept ({months} months)"),
            )
            .todo(
                "done、held、rejected の古いファイルを消してください。サーバーは消しません",
                "remove old files from done, held and rejected: the gateway does not",
            )
        });
    }
    Ok(found)
}

/// How many plain files in a folder were last changed before; none where it is missing.
fn older(folder: &Path, most: Duration) -> anyhow::Result<usize> {
    if !folder.is_dir() {
        return Ok(0);
    }
    let is_old = |file: &fs::Metadata| {
        let changed = file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        file.is_file() && changed.elapsed().is_ok_and(|age| age > most)
    };
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    Ok(entries.filter_map(|entry| entry.ok()?.metadata().ok()).filter(is_old).count())
}
