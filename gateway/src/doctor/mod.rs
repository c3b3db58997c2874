//! What is wrong with this installation, and what to do about it.
//!
//! Each check looks by itself, beside a running gateway or without one, and on whatever is broken: one that can't look says
//! so and stops no other. To add one, write a function like the others and name it in [`CHECKS`].

mod audit;
mod backups;
mod certificates;
pub mod cli;
mod clock;
mod configurations;
mod dropped;
mod folder;
mod net;
mod open;
mod openid;
mod plan;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use crate::config::Settings;
use crate::office::Place;
use crate::store::{self as office_store, STORE_FILE};

/// A look at one thing. An error says that it could not look.
type Check = fn(&Scope) -> anyhow::Result<Vec<Finding>>;

/// Every check under the name it is told by, in the order in which people read of them.
const CHECKS: &[(&str, Check)] = &[
    ("settings", settings),
    ("folder", folder::rights),
    ("space", folder::space),
    ("store", store::store),
    ("log", store::log),
    ("copies", store::copies),
    ("watched", dropped::folders),
    ("plan", plan::plan),
    ("gateway", net::gateway),
    ("ports", net::ports),
    ("broker", net::broker),
    ("certificates", certificates::certificates),
    ("configurations", configurations::configurations),
    ("audit", audit::log),
    ("identity-provider", openid::provider),
    ("clock", clock::clock),
    ("backup", backups::last),
    ("terminals", open::terminals),
    ("to-look-at", open::waiting),
];

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    Ok,
    /// Somebody should look.
    Warning,
    /// Something does not work, or soon will not.
    Error,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is so, in Japanese. No residents' data.
    pub ja: String,
    /// The same in English.
    pub en: String,
    /// What to do, in Japanese; empty where there is nothing.
    pub todo_ja: String,
    /// The same in English.
    pub todo_en: String,
}

impl Finding {
    fn new(severity: Severity, ja: impl Into<String>, en: impl Into<String>) -> Self {
        let (todo_ja, todo_en) = Default::default();
        Self { check: "", severity, ja: ja.into(), en: en.into(), todo_ja, todo_en }
    }

    fn ok(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(Severity::Ok, ja, en)
    }

    fn warning(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(Severity::Warning, ja, en)
    }

    fn error(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(Severity::Error, ja, en)
    }

    fn todo(self, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { todo_ja: ja.into(), todo_en: en.into(), ..self }
    }
}

/// What checks look at.
#[derive(Debug)]
pub struct Scope {
    /// The settings, or what is wrong with them: then what needs them is not looked at.
    settings: Result<Settings, String>,
    /// The data folder.
    data: PathBuf,
    /// Whether the whole store is read.
    full: bool,
    /// The system's time.
    now: Timestamp,
    /// Whether a gateway runs on the folder.
    gateway: net::Gateway,
}

impl Scope {
    /// What there is to look at. `data` wins over the settings.
    #[must_use]
    pub fn new(settings: Result<Settings, String>, data: Option<&Path>, full: bool, now: Timestamp) -> Self {
        let data = match (data, &settings) {
            (Some(data), _) => data.to_owned(),
            (None, Ok(settings)) => settings.data.clone(),
            (None, Err(_)) => Settings::default().data,
        };
        let gateway = net::ask(&data);
        Self { settings, data, full, now, gateway }
    }

    /// Looks at everything.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let one = |(check, look): &(&'static str, Check)| {
            let found = match catch_unwind(AssertUnwindSafe(|| look(self))) {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    let why = format!("{error:#}");
                    vec![Finding::error(
                        format!("確かめられませんでした: {why}"),
                        format!("could not be looked at: {why}"),
                    )]
                }
                Err(_) => vec![Finding::error(
                    "確かめる途中で失敗しました",
                    "the check itself broke; this is a fault of the program",
                )],
            };
            found.into_iter().map(|finding| Finding { check, ..finding }).collect::<Vec<_>>()
        };
        CHECKS.iter().flat_map(one).collect()
    }

    fn store_file(&self) -> PathBuf {
        self.data.join(STORE_FILE)
    }

    /// The store to be read; none where there is none, or where it is of another version or damaged, of which the check
    /// of the store tells.
    fn store(&self) -> Option<Connection> {
        let path = self.store_file();
        if !path.is_file() || office_store::check_log(&office_store::wal(&path)).is_err() {
            return None;
        }
        let conn = office_store::read_only(&path).ok()?;
        office_store::is_current(&conn).ok()?.then_some(conn)
    }

    /// How a command of this gateway begins, to be copied.
    fn command(&self, arguments: &str) -> String {
        let config = self.settings.as_ref().ok().and_then(|settings| settings.file.clone());
        Place { data: self.data.clone(), config }.command(arguments)
    }
}

fn settings(scope: &Scope) -> anyhow::Result<Vec<Finding>> {
    let settings = match &scope.settings {
        Err(problem) => {
            return Ok(vec![
                Finding::error(
                    format!("設定が読めません: {problem}"),
                    format!("the settings can't be read: {problem}"),
                )
                .todo(
                    "その行を直してください",
                    "correct that line; what needs the settings was not looked at",
                ),
            ]);
        }
        Ok(settings) => settings,
    };
    let mut found = vec![Finding::ok("設定は読めます", "the settings can be read")];
    if let Some(rehearsal) = &settings.rehearsal {
        let path = rehearsal.display();
        if let Err(error) = meguri_config::Clock::rehearsal(rehearsal) {
            let problem = meguri_config::told(&error);
            found.push(
                Finding::error(
                    format!("練習用の時計が読めません: {problem}"),
                    format!("the rehearsal's clock can't be read: {problem}"),
                )
                .todo("直すか、rehearsal を消してください", "correct it, or remove `rehearsal`"),
            );
        }
        found.push(
            Finding::warning(
                format!("練習用の時計 {path} で動く設定です"),
                format!("the settings make it run by a rehearsal's clock, {path}"),
            )
            .todo("本番では rehearsal を消してください", "in real use remove `rehearsal`"),
        );
    }
    Ok(found)
}

/// Ids for people, not too many of them.
fn some(ids: &[String]) -> String {
    const MOST: usize = 10;
    let mut text = ids.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if ids.len() > MOST {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests;
