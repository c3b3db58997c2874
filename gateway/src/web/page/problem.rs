//! What a person sees when a page can't be shown: what was asked, what is wrong, where to go.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::super::format;
use super::super::text::{Lang, Text};
use crate::store::StoreError;

/// Why a page can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Problem {
    /// A parameter can't be.
    Bad {
        /// Its name.
        field: String,
        /// What it says.
        found: String,
        /// What was expected.
        expected: Text,
    },
    /// There is no such page.
    NotFound,
    /// Only looking is possible.
    Method,
    /// The role does not allow it.
    Forbidden,
    /// Nobody is signed in, or a token opens nothing.
    Unauthorized,
    /// A form of another session, of another site, or that can't be read.
    Form,
    /// A form that is too long.
    TooLarge,
    /// Too many sign-ins a minute.
    Slow,
    /// More pages a minute than anybody reads.
    Hasty,
    /// The audit log can't be written.
    Audit,
    /// Opened under a name that is not this machine's own.
    Host,
    /// Too many streams.
    Busy,
    /// The store can't be read.
    Store,
    /// The store is damaged.
    Damaged,
}

impl Problem {
    /// A parameter that can't be; long ones are cut.
    pub(in super::super) fn bad(field: &str, found: &str, expected: Text) -> Self {
        let (field, _) = format::raw(field.as_bytes(), 40);
        let (found, _) = format::raw(found.as_bytes(), 60);
        Self::Bad { field, found, expected }
    }

    /// The status that programs see.
    pub(in super::super) fn status(&self) -> StatusCode {
        match self {
            Self::Bad { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Forbidden | Self::Form => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow | Self::Hasty => StatusCode::TOO_MANY_REQUESTS,
            Self::Audit | Self::Busy | Self::Store | Self::Damaged => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title_text(&self) -> Text {
        match self {
            Self::Bad { .. } => Text::ErrorBad,
            Self::NotFound => Text::ErrorNotFound,
            Self::Method => Text::ErrorMethod,
            Self::Host => Text::ErrorHost,
            Self::Forbidden => Text::ErrorForbidden,
            Self::Unauthorized => Text::ErrorUnauthorized,
            Self::Form => Text::ErrorForm,
            Self::TooLarge => Text::ErrorTooLarge,
            Self::Slow => Text::ErrorSlow,
            Self::Hasty => Text::ErrorHasty,
            Self::Audit => Text::ErrorAudit,
            Self::Busy => Text::ErrorBusy,
            Self::Store => Text::ErrorStore,
            Self::Damaged => Text::ErrorDamaged,
        }
    }

    /// The page's name.
    pub(in super::super) fn title(&self, lang: Lang) -> &'static str {
        lang.say(self.title_text())
    }

    /// The page.
    pub(in super::super) fn page(&self, lang: Lang) -> Markup {
        let hint = match self {
            Self::Bad { field, found, expected } => {
                let found = match lang {
                    Lang::Ja => format!("「{found}」"),
                    Lang::En => format!("\"{found}\""),
                };
                let expected = lang.say(*expected);
                lang.fill(Text::ErrorBadHint, &[("field", field), ("found", &found), ("expected", &expected)])
            }
            Self::NotFound => lang.say(Text::ErrorNotFoundHint).to_owned(),
            Self::Method => lang.say(Text::ErrorMethodHint).to_owned(),
            Self::Host => lang.say(Text::ErrorHostHint).to_owned(),
            Self::Forbidden => lang.say(Text::ErrorForbiddenHint).to_owned(),
            Self::Unauthorized => lang.say(Text::ErrorUnauthorizedHint).to_owned(),
            Self::Form => lang.say(Text::ErrorFormHint).to_owned(),
            Self::TooLarge => lang.say(Text::ErrorTooLargeHint).to_owned(),
            Self::Slow => lang.say(Text::ErrorSlowHint).to_owned(),
            Self::Hasty => lang.say(Text::ErrorHastyHint).to_owned(),
            Self::Audit => lang.say(Text::ErrorAuditHint).to_owned(),
            Self::Busy => lang.say(Text::ErrorBusyHint).to_owned(),
            Self::Store => lang.say(Text::ErrorStoreHint).to_owned(),
            Self::Damaged => lang.say(Text::ErrorDamagedHint).to_owned(),
        };
        html! {
            section .card .lone {
                p .code { (self.status().as_u16()) }
                h1 { (self.title(lang)) }
                p { (hint) }
                p { a .button href="/" { (lang.say(Text::BackToToday)) } }
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a page could not read the store");
        match error {
            StoreError::Damaged { .. } => Self::Damaged,
            _ => Self::Store,
        }
    }
}
