//! The city's identity provider: whether it can be asked, and whether the settings fit it and the plan.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Context as _;
use meguri_config::City;

use super::{Finding, Scope};
use crate::people::openid::Provider;

pub(super) fn provider(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let Ok(settings) = &scope.settings else { return Ok(Vec::new()) };
    let Some(openid) = &settings.people.openid else { return Ok(Vec::new()) };
    let issuer = &openid.issuer;
    let mut found = Vec::new();
    if let Some(path) = openid.client_secret_file.as_deref().map(|path| settings.in_data(path))
        && let Ok(file) = fs::metadata(&path)
        && file.mode() & 0o077 != 0
    {
        let (path, mode) = (path.display(), file.mode() & 0o777);
        found.push(
            Finding::error(
                format!("{path} を他の利用者が読めます（{mode:o}）。市の認証の秘密が入っています"),
                format!(
                    "{path} is open to other users ({mode:o}); it holds the secret of the identity provider"
                ),
            )
            .todo(format!("chmod 600 {path}"), format!("chmod 600 {path}")),
        );
    }
    if let Ok(city) = City::read(&settings.city_file()) {
        for id in openid.mapping.iter().filter_map(|mapped| mapped.contractor.as_ref()) {
            if city.contractor.iter().any(|known| known.id == *id) {
                continue;
            }
            found.push(
                Finding::warning(
                    format!("people.openid.mapping の業者 {id} は計画にありません。その人たちは入れません"),
                    format!("people.openid.mapping names contractor {id}, whom the plan does not have: nobody is let in for them"),
                )
                .todo("設定か city.toml を直してください", "correct the settings or city.toml"),
            );
        }
    }
    let reached = match Provider::of(settings) {
        Ok(None) => return Ok(found),
        Ok(Some(provider)) => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
            runtime.block_on(provider.ask()).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    found.push(match reached {
        Ok(()) => Finding::ok(
            format!("市の認証 {issuer} につながります"),
            format!("the identity provider {issuer} answers"),
        ),
        Err(error) => Finding::error(
            format!("市の認証 {issuer} が使えません: {error}"),
            format!("the identity provider {issuer} can't be used: {error}"),
        )
        .todo(
            "people.openid の issuer と authority、通信の許可を確かめてください。急ぐときは person emergency で一人ずつ入れられます",
            "look at issuer and authority of people.openid, and at what the firewall lets through; meanwhile `person emergency` lets people in one by one",
        ),
    });
    Ok(found)
}
