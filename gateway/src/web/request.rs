//! What a request asks for: language and parameters, each checked, none unknown.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use jiff::civil::Date;
use meguri_proto::limits;

use super::format;
use super::gate::OverTls;
use super::page::problem::Problem;
use super::text::{Lang, Text};

/// A page's address, for links that change one parameter and keep the rest.
#[derive(Debug, Clone, Default)]
pub(super) struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// In which language.
    pub(super) lang: Lang,
    /// Whether the language was asked for in the address, so that it is to be remembered.
    pub(super) remember: bool,
    /// Whether it came over TLS.
    pub(super) secure: bool,
    /// Where.
    pub(super) address: Address,
    unreadable: bool,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let (pairs, unreadable) = match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => (pairs, false),
            Err(_) => (Vec::new(), true),
        };
        let asked = pairs.iter().find(|(key, _)| key == "lang").and_then(|(_, tag)| Lang::of_tag(tag));
        Ok(Self {
            lang: asked.unwrap_or_else(|| Lang::of_headers(&parts.headers)),
            remember: asked.is_some(),
            secure: parts.extensions.get::<OverTls>().is_some(),
            address: Address::asked(parts.uri.path(), pairs),
            unreadable,
        })
    }
}

impl Asked {
    /// Refuses parameters beside these, and those that are there twice.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), Problem> {
        self.only_with(known, "")
    }

    /// As [`Asked::only`], but that one may be there any number of times.
    pub(super) fn only_with(&self, known: &[&'static str], many: &str) -> Result<(), Problem> {
        if self.unreadable {
            return Err(Problem::bad("?", "…", Text::ErrorUnknown));
        }
        let pairs = &self.address.pairs;
        for (index, (key, value)) in pairs.iter().enumerate() {
            if key == "lang" && Lang::of_tag(value).is_none() {
                return Err(Problem::bad("lang", value, Text::ErrorLang));
            }
            if key == many && !many.is_empty() {
                continue;
            }
            let twice = pairs[..index].iter().any(|(other, _)| other == key);
            if twice || !(key == "lang" || known.contains(&key.as_str())) {
                return Err(Problem::bad(key, value, Text::ErrorUnknown));
            }
        }
        Ok(())
    }

    /// A parameter; an empty one, as forms send it, is none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.address.pairs.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// All of a parameter that may be there any number of times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.address.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As asked from another address: what answers a form has none of its own to come back to.
    pub(super) fn at(self, path: &str) -> Self {
        Self { address: Address::new(path, &[]), ..self }
    }

    /// A parameter of another system, which sends what it likes beside it; refused where it is there twice.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let all = self.address.pairs.iter().filter(|(key, _)| key == name).count();
        if self.unreadable || all > 1 {
            return Err(Problem::bad(name, "…", Text::ErrorUnknown));
        }
        Ok(self.get(name))
    }

    /// Which page, without what is asked of it.
    pub(super) fn page_name(&self) -> &str {
        &self.address.path
    }

    /// The same asked of a page of ours, so that its links tell nothing of the address that was asked.
    pub(super) fn instead_of(&self, path: &'static str) -> Self {
        Self { address: Address::new(path, &[]), ..*self }
    }

    /// The parameter `day`.
    pub(super) fn day(&self) -> Result<Option<Date>, Problem> {
        self.date("day")
    }

    /// A parameter that is a day.
    pub(super) fn date(&self, name: &str) -> Result<Option<Date>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<Date>() {
            // One spelling only, and years that a neighbour can be reckoned from.
            Ok(date) if date.to_string() == text && (1900..=9000).contains(&date.year()) => Ok(Some(date)),
            _ => Err(Problem::bad(name, text, Text::ErrorDate)),
        }
    }

    /// The parameter `by`.
    pub(super) fn by(&self) -> Result<By, Problem> {
        match self.get("by") {
            None | Some("ward") => Ok(By::Ward),
            Some("contractor") => Ok(By::Contractor),
            Some("vehicle") => Ok(By::Vehicle),
            Some(text) => Err(Problem::bad("by", text, Text::ErrorBy)),
        }
    }

    /// The parameter `page`, from 1.
    pub(super) fn page(&self) -> Result<u32, Problem> {
        let Some(text) = self.get("page") else { return Ok(1) };
        match text.parse::<u32>() {
            Ok(page @ 1..=1_000_000) => Ok(page),
            _ => Err(Problem::bad("page", text, Text::ErrorPage)),
        }
    }

    /// The parameter `q` as reception numbers are kept; none where nothing is asked.
    pub(super) fn reception(&self) -> Result<Option<String>, Problem> {
        let text = self.get("q").unwrap_or_default();
        let number = format::reception(text);
        if number.len() > limits::ID_BYTES {
            return Err(Problem::bad("q", text, Text::ErrorNumber));
        }
        Ok(Some(number).filter(|number| !number.is_empty()))
    }
}

/// How a day is sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum By {
    /// By ward.
    #[default]
    Ward,
    /// By contractor.
    Contractor,
    /// By vehicle.
    Vehicle,
}

impl By {
    /// All of them, in the page's order.
    pub(super) const ALL: [Self; 3] = [Self::Ward, Self::Contractor, Self::Vehicle];

    /// The word in addresses.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ward => "ward",
            Self::Contractor => "contractor",
            Self::Vehicle => "vehicle",
        }
    }
}

impl Address {
    /// The address that was asked for. One that begins with two slashes would be another site's as a link.
    fn asked(path: &str, pairs: Vec<(String, String)>) -> Self {
        Self { path: format!("/{}", path.trim_start_matches(['/', '\\'])), pairs }
    }

    /// An address.
    pub(super) fn new(path: &str, pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { path: path.to_owned(), pairs }
    }

    /// The address with one parameter set anew.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let kept = self.pairs.iter().filter(|(key, _)| key != name && key != "lang");
        let kept = kept.map(|(key, value)| (key.as_str(), value.as_str()));
        let mut out = self.path.clone();
        for (index, (key, value)) in kept.chain([(name, value)]).enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(&escape(key));
            out.push('=');
            out.push_str(&escape(value));
        }
        out
    }
}

/// Percent-encodes what is not unreserved (RFC 3986 section 2.3).
fn escape(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_it_does_not_change() {
        let address = Address::new("/search", &[("q", "44 17&x"), ("lang", "en"), ("day", "2026-04-01")]);
        assert_eq!(address.with("lang", "ja"), "/search?q=44%2017%26x&day=2026-04-01&lang=ja");
        assert_eq!(address.with("day", "2026-04-02"), "/search?q=44%2017%26x&day=2026-04-02");
        assert_eq!(Address::new("/", &[]).with("by", "区"), "/?by=%E5%8C%BA");
    }
}
