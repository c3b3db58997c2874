//! The city's plan: whether it reads, and whether it and the store speak of the same.

use std::collections::BTreeSet;

use anyhow::Context as _;
use meguri_config::City;
use rusqlite::Connection;

use super::{Finding, Scope, some};

pub(super) fn plan(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let path = scope.data.join(&settings.city);
    let city = match City::read(&path) {
        Ok(city) => city,
        Err(error) => {
            let problem = meguri_config::told(&error);
            let check = format!("meguri-config check city {}", path.display());
            return Ok(vec![
                Finding::error(
                    format!("市の計画が読めません: {problem}"),
                    format!("the plan can't be read: {problem}"),
                )
                .todo(
                    format!("直して確かめてください: {check}"),
                    format!("correct it, and check it: {check}"),
                ),
            ]);
        }
    };
    let mut found = vec![Finding::ok("市の計画は読めます", "the plan can be read")];
    if let Some(store) = scope.store() {
        accord(&store, &city, &mut found).context("the store can't be read")?;
    }
    Ok(found)
}

fn accord(store: &Connection, city: &City, found: &mut Vec<Finding>) -> rusqlite::Result<()> {
    let whose: Vec<String> = all(store, "SELECT city FROM office")?;
    if let Some(whose) = whose.first().filter(|whose| *whose != city.id.as_str()) {
        found.push(
            Finding::error(
                format!("データベースは {whose} のもので、計画は {} です", city.id),
                format!("the store is of {whose}, the plan of {}", city.id),
            )
            .todo("計画か --data を直してください", "correct the plan, or --data"),
        );
        return Ok(());
    }
    let known: BTreeSet<&str> = city.vehicle.iter().map(|vehicle| vehicle.id.as_str()).collect();
    let unknown = |query: &str| -> rusqlite::Result<Vec<String>> {
        Ok(all(store, query)?.into_iter().filter(|vehicle| !known.contains(vehicle.as_str())).collect())
    };
    let with_terminals =
        unknown("SELECT DISTINCT vehicle FROM terminal WHERE blocked_at IS NULL ORDER BY 1")?;
    if !with_terminals.is_empty() {
        let ids = some(&with_terminals);
        found.push(
            Finding::warning(
                format!("端末のある号車が計画にありません: {ids}"),
                format!("vehicles that have terminals are not in the plan: {ids}"),
            )
            .todo(
                "計画に戻すか、端末を付け直すか締め出してください（terminal bind / block）",
                "put them back into the plan, or bind or block their terminals (`terminal bind`, `terminal block`)",
            ),
        );
    }
    let with_pickups = unknown(
        "SELECT DISTINCT vehicle FROM pickup WHERE date >= date('now', '+9 hours') AND state = 'open' ORDER BY 1",
    )?;
    if !with_pickups.is_empty() {
        let ids = some(&with_pickups);
        found.push(
            Finding::warning(
                format!("これからの収集がある号車が計画にありません: {ids}"),
                format!("vehicles with pickups to come are not in the plan: {ids}"),
            )
            .todo(
                "計画を直し、申込ファイルを取り込み直してください",
                "correct the plan and take the request file again",
            ),
        );
    }
    Ok(())
}

pub(super) fn all(store: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = store.prepare(query)?;
    statement.query_map([], |row| row.get(0))?.collect()
}
