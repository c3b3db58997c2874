//! What waits for a person in the store, and terminals that nobody has heard of.

use anyhow::Context as _;
use jiff::SignedDuration;

use super::plan::all;
use super::{Finding, Scope, some};
use crate::store::sql;

/// A terminal that was silent for half of the time it keeps what it sent.
const SILENT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn terminals(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Some(store) = scope.store() else { return Ok(Vec::new()) };
    let reading = "the store can't be read";
    let never = "SELECT id FROM terminal WHERE blocked_at IS NULL AND last_heard_at IS NULL ORDER BY id";
    let never = all(&store, never).context(reading)?;
    let mut found = Vec::new();
    if !never.is_empty() {
        let ids = some(&never);
        found.push(
            Finding::warning(
                format!("一度も通信していない端末が {} 台あります: {ids}", never.len()),
                format!("{} terminals were never heard: {ids}", never.len()),
            )
            .todo(
                "端末に settings と secret を入れ、外のブローカーなら登録してください。使わない端末は terminal block",
                "give them their settings and secret, and on another broker their user; block those not in use",
            ),
        );
    }
    // The office's own time counts, which a rehearsal has another of.
    let is_rehearsal = scope.settings.as_ref().is_ok_and(|settings| settings.rehearsal.is_some());
    let since = sql::ms(scope.now.saturating_sub(SILENT).unwrap_or(scope.now));
    let silent =
        format!("SELECT id FROM terminal WHERE blocked_at IS NULL AND last_heard_at < {since} ORDER BY id");
    let silent = if is_rehearsal { Vec::new() } else { all(&store, &silent).context(reading)? };
    if !silent.is_empty() {
        let ids = some(&silent);
        found.push(
            Finding::warning(
                format!("7日以上通信のない端末が {} 台あります: {ids}", silent.len()),
                format!("{} terminals were not heard for 7 days: {ids}", silent.len()),
            )
            .todo(
                "端末の電源と通信を確かめてください。使わない端末は terminal block",
                "look at their power and their line; block those not in use",
            ),
        );
    }
    if found.is_empty() {
        found.push(Finding::ok("端末はどれも最近通信しています", "every terminal was heard of late"));
    }
    Ok(found)
}

pub(super) fn waiting(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Some(store) = scope.store() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (query, ja, en, command) in [
        (
            "SELECT count(*) FROM aside WHERE settled_at IS NULL",
            "未処理データ",
            "messages that were set aside",
            "aside list",
        ),
        ("SELECT count(*) FROM notice WHERE settled_at IS NULL", "お知らせ", "notices", "notice list"),
        ("SELECT count(*) FROM import WHERE state = 'held'", "判断待ちの取込", "held imports", "import list"),
    ] {
        let count: i64 = store.query_row(query, [], |row| row.get(0)).context("the store can't be read")?;
        if count > 0 {
            let command = scope.command(command);
            found.push(
                Finding::warning(
                    format!("{ja}が {count} 件あります"),
                    format!("{count} {en} wait for a person"),
                )
                .todo(command.clone(), command),
            );
        }
    }
    if found.is_empty() {
        found.push(Finding::ok("人を待っているものはありません", "nothing waits for a person"));
    }
    Ok(found)
}
