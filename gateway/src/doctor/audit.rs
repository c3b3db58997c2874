//! The audit log: whether anything of it was removed, changed or put in another order.

use super::{Finding, Scope};
use crate::audit;

pub(super) fn log(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let report = audit::verify(&scope.data, &[])?;
    let Some(fault) = report.faults.first() else {
        let entries = report.entries;
        return Ok(vec![Finding::ok(
            format!("操作の記録は {entries} 件がそろっています"),
            format!("the audit log is whole: {entries} entries"),
        )]);
    };
    let (count, file, line) = (report.faults.len(), &fault.file, fault.line);
    let command = scope.command("audit verify");
    Ok(vec![
        Finding::error(
            format!(
                "操作の記録に、書かれたとおりでない所が {count} か所あります（{file} の {line} 行目など）"
            ),
            format!(
                "the audit log is not as it was written in {count} places, {file} line {line} among them"
            ),
        )
        .todo(
            format!("変えた人がいないか調べ、控えと比べてください: {command}"),
            format!("find out who changed it, and compare it with a backup: {command}"),
        ),
    ])
}
