//! What the page of other systems' tokens looks like.

use jiff::civil::Date;
use maud::{Markup, html};
use meguri_config::City;

use super::super::format;
use super::super::text::{Lang, Text};
use super::super::tokens::Made;
use super::people::key;
use super::terminals::Said;
use crate::people::tokens::{Listed, NAME_BYTES, Opens};

/// Every token.
pub(in super::super) struct List<'a> {
    pub(in super::super) lang: Lang,
    pub(in super::super) city: &'a City,
    pub(in super::super) tokens: &'a [Listed],
    pub(in super::super) today: Date,
    pub(in super::super) form: &'a str,
    pub(in super::super) said: Option<&'a Said>,
    pub(in super::super) made: Option<&'a Made>,
}

fn opens(opens: Opens) -> Text {
    match opens {
        Opens::Metrics => Text::OpensMetrics,
        Opens::Export => Text::OpensExport,
        Opens::Configurations => Text::OpensConfigurations,
    }
}

impl List<'_> {
    /// The page.
    pub(in super::super) fn page(&self) -> Markup {
        let lang = self.lang;
        let say = |text| lang.say(text);
        html! {
            div .dayline { h1 { (say(Text::Tokens)) } }
            @match (self.made, self.said) {
                (Some((name, text)), _) => {
                    div .told role="status" {
                        p { (lang.fill(Text::TokenMadeOnce, &[("name", name)])) }
                        p .drawn .long { code { (text) } }
                    }
                }
                (None, Some(said)) => (said.shown(lang)),
                (None, None) => {}
            }
            section .card {
                p .sub { (say(Text::TokensLead)) }
                @if self.tokens.is_empty() { p .empty { (say(Text::TokensNone)) } }
                ul .persons { @for token in self.tokens { li { (self.token(token)) } } }
            }
            section .card {
                div .head { h2 { (say(Text::TokenAdd)) } }
                form .search method="post" action="/tokens/add" autocomplete="off" {
                    (key(self.form))
                    label { span { (say(Text::TokenName)) }
                        input name="name" autocapitalize="none" spellcheck="false" maxlength=(NAME_BYTES)
                            pattern="[A-Za-z0-9._\\-]+" title=(say(Text::TokenWrong)) required; }
                    fieldset .inline { legend { (say(Text::TokenScopes)) }
                        @for one in Opens::ALL {
                            label .choice { input type="checkbox" name="scope" value=(one.word()); (say(opens(one))) }
                        }
                    }
                    label { span { (say(Text::TokenContractor)) }
                        select name="contractor" {
                            option value="" { (say(Text::TokenWhole)) }
                            @for one in &self.city.contractor { option value=(one.id) { (one.name) } }
                        } }
                    button .button { (say(Text::TokenAddDo)) }
                }
                p .sub { (say(Text::TokenAddLead)) }
            }
        }
    }

    fn token(&self, token: &Listed) -> Markup {
        let lang = self.lang;
        let time = |at| format::clock_on(lang, &format::in_japan(at), self.today);
        let scopes: Vec<&str> = token.scopes.iter().map(|one| lang.say(opens(*one))).collect();
        let whose = token.contractor.as_ref().map(|id| {
            let known = self.city.contractor.iter().find(|known| known.id == *id);
            known.map_or_else(|| id.to_string(), |known| known.name.clone())
        });
        let mut facts = vec![scopes.join(super::comma(lang))];
        facts.extend(whose);
        facts.push(lang.fill(Text::TokenMadeAt, &[("time", &time(token.made_at))]));
        facts.push(match token.used_at {
            Some(at) => lang.fill(Text::TokenUsedAt, &[("time", &time(at))]),
            None => lang.say(Text::TokenUnused).to_owned(),
        });
        html! {
            div {
                p .what {
                    b { (token.name) }
                    @if let Some(at) = token.revoked_at {
                        " " b .stop { (lang.fill(Text::TokenRevokedAt, &[("time", &time(at))])) }
                    }
                }
                p .sub { (facts.join(super::dot(lang))) }
            }
            @if token.revoked_at.is_none() { div .actions { details {
                summary .quiet { (lang.say(Text::TokenRevoke)) }
                div .choices {
                    form method="post" action="/tokens/revoke" {
                        (key(self.form)) input type="hidden" name="name" value=(token.name);
                        button .danger { (lang.fill(Text::TokenRevokeDo, &[("name", &token.name)])) }
                        p .sub { (lang.say(Text::TokenRevokeHint)) }
                    }
                }
            } } }
        }
    }
}
