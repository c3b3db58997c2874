//! Key sets that end, and configurations that terminals will soon not accept any more.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::{Finding, Scope, some};
use crate::store::sql;

/// So long before its end a key set is told of: a rotation takes people who hold keys.
const KEYS: SignedDuration = SignedDuration::from_hours(24 * 90);
/// So long before they lapse, configurations that terminals have not taken are told of.
const LAPSES: SignedDuration = SignedDuration::from_hours(24 * 14);

pub(super) fn configurations(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Some(store) = scope.store() else { return Ok(Vec::new()) };
    // A rehearsal has another time than this machine.
    if scope.settings.as_ref().is_ok_and(|settings| settings.rehearsal.is_some()) {
        return Ok(Vec::new());
    }
    let found = of_keys(&store, scope.now).context("the key sets can't be read")?;
    let lapsing = of_bundles(&store, scope.now).context("the configurations can't be read")?;
    Ok(found.into_iter().chain(lapsing).collect())
}

fn of_keys(store: &Connection, now: Timestamp) -> rusqlite::Result<Option<Finding>> {
    let select = "SELECT version, expires FROM key_set ORDER BY version DESC LIMIT 1";
    let mut statement = store.prepare(select)?;
    let mut rows = statement.query([])?;
    // Without signed configurations there is nothing to look at.
    let Some(row) = rows.next()? else { return Ok(None) };
    let (version, until): (i64, Timestamp) = (row.get(0)?, sql::instant(row.get(1)?));
    let day = until.to_zoned(meguri_proto::clock::japan()).date();
    let todo = |finding: Finding| {
        finding.todo(
            "鍵を持つ人を集めて新しい鍵一覧を作り（meguri-config keys rotate）、設定を配信してください",
            "have those who hold keys make the next key set (`meguri-config keys rotate`), and push a release with it",
        )
    };
    Ok(Some(if until <= now {
        todo(Finding::error(
            format!("鍵一覧 {version} は {day} に切れています。端末は新しい設定を受け取れません"),
            format!("key set {version} ended on {day}: terminals accept no new configuration"),
        ))
    } else if until.duration_since(now) < KEYS {
        todo(Finding::warning(
            format!("鍵一覧 {version} は {day} に切れます"),
            format!("key set {version} ends on {day}"),
        ))
    } else {
        Finding::ok(
            format!("鍵一覧 {version} は {day} まで有効です"),
            format!("key set {version} holds until {day}"),
        )
    }))
}

fn of_bundles(store: &Connection, now: Timestamp) -> rusqlite::Result<Option<Finding>> {
    // The newest that each was offered, where it has said nothing of it.
    let select = "SELECT b.terminal FROM bundle AS b JOIN release AS r ON r.id = b.release
        JOIN terminal AS t ON t.id = b.terminal
        WHERE b.offered_at IS NOT NULL AND b.state IS NULL AND r.expires < ?1
            AND t.blocked_at IS NULL AND t.lost_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM bundle AS n WHERE n.terminal = b.terminal AND n.version > b.version
                AND n.offered_at IS NOT NULL) ORDER BY 1";
    let soon = now.checked_add(LAPSES).unwrap_or(Timestamp::MAX);
    let mut statement = store.prepare(select)?;
    let late: Vec<String> =
        statement.query_map([sql::ms(soon)], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    if late.is_empty() {
        return Ok(None);
    }
    let (count, ids) = (late.len(), some(&late));
    let finding = Finding::warning(
        format!(
            "配信した設定をまだ受け取っておらず、まもなく受け取れなくなる端末が {count} 台あります: {ids}"
        ),
        format!(
            "{count} terminals have not taken the configuration that they are offered, which soon lapses: {ids}"
        ),
    );
    Ok(Some(finding.todo(
        "つながる所で電源を入れるか、USBメモリーで渡してください。期限を過ぎたら、期限の長い新しい版を配信してください",
        "have them switched on where they have a line, or take it there on a USB stick; after that push a release with a later expiry",
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Severity;
    use super::*;

    #[test]
    fn keys_are_told_of_before_they_end() {
        let mut store = Connection::open_in_memory().unwrap();
        crate::store::bring_up(&mut store).unwrap();
        let now: Timestamp = "2027-03-10T00:00:00Z".parse().unwrap();
        assert_eq!(of_keys(&store, now).unwrap(), None);
        for (version, until, severity) in [
            (1, "2028-03-10T00:00:00Z", Severity::Ok),
            (2, "2027-05-01T00:00:00Z", Severity::Warning),
            (3, "2027-03-10T00:00:00Z", Severity::Error),
        ] {
            let until: Timestamp = until.parse().unwrap();
            let insert = "INSERT INTO key_set VALUES (?1, '{}', x'00', ?2, 0)";
            store.execute(insert, [version, sql::ms(until)]).unwrap();
            let found = of_keys(&store, now).unwrap().unwrap();
            assert_eq!(found.severity, severity, "{}", found.en);
            assert_eq!(found.todo_en.is_empty(), severity == Severity::Ok);
        }
    }

    #[test]
    fn what_is_about_to_lapse_is_told_of() {
        let mut store = Connection::open_in_memory().unwrap();
        crate::store::bring_up(&mut store).unwrap();
        store
            .execute_batch(
                "INSERT INTO contractor VALUES ('k', 'K');
                INSERT INTO contract VALUES ('c', 'k', '2026-04-01', '2027-03-31');
                INSERT INTO vehicle VALUES ('v', 'c', 'V', 'R');
                INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at)
                    VALUES ('t-1', 'c', 'v', x'', 0), ('t-2', 'c', 'v', x'', 0), ('t-3', 'c', 'v', x'', 0);
                INSERT INTO release (id, version, name, made_at, expires, terminals, sha256, state, taken_at)
                    VALUES (1, 7, 'r', 0, 1000, 3, x'', 'taken', 0), (2, 8, 'r', 0, 9000000000, 1, x'', 'taken', 0);
                INSERT INTO bundle (release, terminal, version, digest, from_contract, from_vehicle, offered_at, state)
                    VALUES (1, 't-1', 7, x'01', 'c', 'v', 1, NULL), (1, 't-2', 7, x'02', 'c', 'v', 1, 'verified'),
                        (1, 't-3', 7, x'03', 'c', 'v', 1, NULL), (2, 't-3', 8, x'04', 'c', 'v', 1, NULL);",
            )
            .unwrap();
        let found = of_bundles(&store, sql::instant(0)).unwrap().unwrap();
        assert!(found.en.starts_with("1 terminals") && found.en.ends_with("t-1"), "{}", found.en);
    }
}
