//! The data folder: whose it is, who may read it, how much room there is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;

use super::{Finding, Scope};
use crate::room::{free_bytes, inodes, mib};
use crate::store::STORE_FILE;

/// Below this a busy day's facts may not fit any more.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// Below this it is a matter of hours.
const NEARLY_NONE: u64 = 100 * 1024 * 1024;
/// Below this many inodes the store's own helpers may not be made.
const FEW_INODES: u64 = 1_000;

/// What of the folder holds secrets or residents' data.
const PRIVATE: &[&str] = &[STORE_FILE, "meguri.db-wal", "meguri.db-shm", "control.sock"];

pub(super) fn rights(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let dir = scope.data.display();
    if !scope.data.is_dir() {
        return Ok(vec![
            Finding::error(
                format!("データのフォルダー {dir} がありません"),
                format!("there is no data folder {dir}"),
            )
            .todo("--data か設定の data を確かめてください", "look at --data, or `data` in the settings"),
        ]);
    }
    let mut found = Vec::new();
    // The effective user of this process, as the system says.
    let me = fs::metadata("/proc/self").context("can't tell which user this is")?.uid();
    let folder = fs::metadata(&scope.data).with_context(|| format!("can't look at {dir}"))?;
    if me != 0 && folder.uid() != me {
        found.push(
            Finding::warning(
                format!("{dir} は別の利用者（uid {}）のものです", folder.uid()),
                format!("{dir} belongs to another user (uid {})", folder.uid()),
            )
            .todo(
                "サーバーを動かす利用者で実行してください",
                "run this as the user that the gateway runs as",
            ),
        );
    }
    for name in PRIVATE {
        let path = scope.data.join(name);
        let Ok(file) = fs::metadata(&path) else { continue };
        let path = path.display();
        if file.mode() & 0o077 != 0 {
            found.push(
                Finding::error(
                    format!(
                        "{path} を他の利用者が読めます（{:o}）。住民の情報が入っています",
                        file.mode() & 0o777
                    ),
                    format!(
                        "{path} is open to other users ({:o}); it holds residents' data",
                        file.mode() & 0o777
                    ),
                )
                .todo(format!("chmod 600 {path}"), format!("chmod 600 {path}")),
            );
        }
        if file.uid() != folder.uid() {
            found.push(
                Finding::error(
                    format!("{path} の持ち主（uid {}）がフォルダーと違います", file.uid()),
                    format!("{path} belongs to uid {}, the folder to {}", file.uid(), folder.uid()),
                )
                .todo(
                    format!("chown {}:{} {path}", folder.uid(), folder.gid()),
                    format!("chown {}:{} {path}", folder.uid(), folder.gid()),
                ),
            );
        }
    }
    if let Err(error) =
        rustix::fs::access(&scope.data, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
    {
        found.push(
            Finding::error(
                format!("{dir} に書けません: {error}"),
                format!("{dir} can't be written to: {error}"),
            )
            .todo(
                "持ち主と権利、読み取り専用でないかを確かめてください",
                "look at its owner and rights, and whether the disk is mounted read-only",
            ),
        );
    }
    if found.is_empty() {
        found.push(Finding::ok(
            format!("{dir} の権利は正しいです"),
            format!("{dir} has the right owner and rights"),
        ));
    }
    Ok(found)
}

pub(super) fn space(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    if !scope.data.is_dir() {
        // Told already.
        return Ok(Vec::new());
    }
    let dir = scope.data.display();
    let free = free_bytes(&scope.data).with_context(|| format!("can't ask for the free space of {dir}"))?;
    let store = fs::metadata(scope.store_file()).map_or(0, |file| file.len());
    let (ja, en) = (format!("空きは {} です", mib(free)), format!("{} are free", mib(free)));
    let todo = |finding: Finding| {
        finding.todo(
            "古い控えや replaced-… を片付けるか、ディスクを広げてください",
            "remove old backups and `replaced-…` folders, or enlarge the disk",
        )
    };
    let mut found = vec![if free < NEARLY_NONE {
        todo(Finding::error(ja, format!("{en}: soon nothing can be taken any more")))
    } else if free < LITTLE.max(store) {
        todo(Finding::warning(ja, format!("{en}: less than 1 GiB or than the store itself")))
    } else {
        Finding::ok(ja, en)
    }];
    let inodes = inodes(&scope.data).with_context(|| format!("can't ask for the inodes of {dir}"))?;
    if inodes.total > 0 && inodes.free < FEW_INODES {
        found.push(todo(Finding::warning(
            format!("作れるファイルはあと {} 個です", inodes.free),
            format!("only {} more files can be made (inodes)", inodes.free),
        )));
    }
    Ok(found)
}
