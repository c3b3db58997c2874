//! The office's certificate, the authority behind terminals' ones, and terminals whose certificates end.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::{Finding, Scope};
use crate::ca;
use crate::store::sql;

/// So long before its end a certificate that nobody renews by itself is told of.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 60);

pub(super) fn certificates(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let tls = &settings.tls;
    let Some(name) = tls.name() else { return Ok(Vec::new()) };
    let (own, shown) = match &tls.certificate {
        Some(path) => (false, settings.in_data(path)),
        None => (true, settings.in_data(std::path::Path::new(ca::FOLDER)).join(ca::OFFICE)),
    };
    if own && !shown.try_exists().with_context(|| format!("can't look for {}", shown.display()))? {
        return Ok(vec![Finding::ok(
            format!("{name} の証明書は、次の起動で作られます"),
            format!("the certificate of {name} is made at the next start"),
        )]);
    }
    let mut found = Vec::new();
    let leaf = ca::leaf(&shown)?;
    let certificate = leaf.parse_x509().with_context(|| format!("can't read {}", shown.display()))?;
    let until = certificate.validity().not_after.timestamp();
    let until = Timestamp::from_second(until).context("the certificate's end can't be")?;
    let day = until.to_zoned(meguri_proto::clock::japan()).date();
    let todo = |finding: Finding| {
        if own {
            finding.todo(
                "サーバーを起動し直してください。起動のときに新しくなります",
                "start the gateway anew: it makes another one when it starts",
            )
        } else {
            finding.todo(
                "新しい証明書を tls.certificate と tls.key に置き、サーバーを起動し直してください",
                "put a new one where tls.certificate and tls.key say, and start the gateway anew",
            )
        }
    };
    found.push(if until <= scope.now {
        todo(Finding::error(
            format!("サーバーの証明書は {day} に切れています。端末はつながりません"),
            format!("the gateway's certificate ended on {day}: no terminal comes in"),
        ))
    } else if until.duration_since(scope.now) < AHEAD {
        todo(Finding::warning(
            format!("サーバーの証明書は {day} に切れます"),
            format!("the gateway's certificate ends on {day}"),
        ))
    } else {
        Finding::ok(
            format!("サーバーの証明書は {day} まで有効です"),
            format!("the gateway's certificate holds until {day}"),
        )
    });
    if let Some(store) = scope.store() {
        // A terminal renews it after two thirds of its life: one that is so near its end has not been on for months.
        let select = "SELECT count(*) FROM (SELECT max(not_after) AS until FROM certificate
            JOIN terminal ON terminal.id = certificate.terminal
            WHERE ended_at IS NULL AND blocked_at IS NULL GROUP BY terminal) WHERE until <= ?1";
        let soon = scope.now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        let count: i64 = store
            .query_row(select, [sql::ms(soon)], |row| row.get(0))
            .context("the store can't say which certificates end")?;
        if count > 0 {
            let finding = Finding::warning(
                format!("証明書が切れたか、まもなく切れる端末が {count} 台あります"),
                format!("the certificates of {count} terminals are over, or soon will be"),
            );
            found.push(finding.todo(
                "つながる場所で端末を動かしてください（ひとりでに更新されます）。切れていれば `terminal enrol` で登録し直してください。市の認証局の証明書なら、新しいものを `terminal certificate` で登録してください。`terminal list` に期限が出ます",
                "have them run where they have a line, and they renew them; enrol those anew whose are over (`terminal enrol`), and register new ones of the city's authority (`terminal certificate`); `terminal list` says which",
            ));
        }
    }
    Ok(found)
}
