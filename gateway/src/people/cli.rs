//! `meguri-gateway person` and `meguri-gateway token`: accounts and other systems' tokens, with a running gateway or without one.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use meguri_proto::{ContractorId, Digest};

use super::accounts::New;
use super::tokens::{self, Opens};
use super::{Person, Role, login, password};
use crate::ops::{Reply, Request};

/// People who sign in.
#[derive(Debug, clap::Subcommand)]
pub enum PersonCommand {
    /// Makes an account; its one-time password is told this once, and must be changed at the first sign-in.
    Add(Add),
    /// Lists accounts.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keeps a person out, at once.
    Block {
        /// The login.
        login: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lets a blocked person in again.
    Unblock {
        /// The login.
        login: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Draws a person another one-time password and takes the second factor away, as where a telephone is lost.
    Reset {
        /// The login.
        login: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lets a person sign in by password for some hours, where people.openid.passwords says "emergency": the identity provider is away.
    Emergency {
        /// The login.
        login: String,
        /// For how many hours, 1 to 72.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=72))]
        hours: u8,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Gives a person another role.
    Role {
        /// The login.
        login: String,
        /// The role.
        #[arg(value_enum)]
        role: Role,
        /// Whose dispatcher they are.
        #[arg(long)]
        contractor: Option<ContractorId>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// An account to be made.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// What they sign in with: a-z, 0-9, '.', '-' and '_'.
    login: String,
    /// Their role.
    #[arg(long, value_enum)]
    role: Role,
    /// Whose dispatcher they are.
    #[arg(long)]
    contractor: Option<ContractorId>,
    /// Their name, as pages show it.
    #[arg(long, default_value = "")]
    name: String,
    /// Reads the password from this file's first line, instead of drawing one; it need not be changed.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Other systems' tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Makes a token; it is told this once.
    Add {
        /// The system's name.
        name: String,
        /// What it opens; may be repeated.
        #[arg(long = "scope", value_enum, required = true)]
        scopes: Vec<Opens>,
        /// Exports the pickups of this contractor alone.
        #[arg(long)]
        contractor: Option<ContractorId>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists tokens.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a token, at once.
    Revoke {
        /// The system's name.
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn first_line(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the password from {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Does what the command says by `ask`, which has a request done.
///
/// # Errors
/// When it can't be done.
pub fn person(
    command: PersonCommand,
    ask: impl Fn(&Request) -> anyhow::Result<Reply>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        PersonCommand::Add(Add { login: text, role, contractor, name, password_file, json }) => {
            let login = login(&text).map_err(anyhow::Error::msg)?;
            let (chosen, drawn) = match &password_file {
                Some(path) => {
                    let chosen = first_line(path)?;
                    password::judge(&chosen, &login)
                        .with_context(|| format!("can't take the password in {}", path.display()))?;
                    (chosen, None)
                }
                None => {
                    let drawn = password::drawn(rand::random());
                    (drawn.clone(), Some(drawn))
                }
            };
            let password = password::hash(&chosen, rand::random())?;
            let new = New { login, name, role, contractor, password, must_change: drawn.is_some() };
            told(ask(&Request::PersonAdd { new })?, drawn.as_deref(), json, out)
        }
        PersonCommand::List { json } => {
            let Reply::People(people) = ask(&Request::PersonList)? else {
                bail!("the gateway answered something else")
            };
            if json {
                writeln!(out, "{}", serde_json::to_string_pretty(&people)?)?;
                return Ok(());
            }
            for person in people {
                writeln!(out, "{}", line(&person))?;
            }
            Ok(())
        }
        PersonCommand::Block { login, json } => {
            told(ask(&Request::PersonBlock { login, blocked: true })?, None, json, out)
        }
        PersonCommand::Unblock { login, json } => {
            told(ask(&Request::PersonBlock { login, blocked: false })?, None, json, out)
        }
        PersonCommand::Reset { login, json } => {
            let drawn = password::drawn(rand::random());
            let password = password::hash(&drawn, rand::random())?;
            told(ask(&Request::PersonReset { login, password })?, Some(&drawn), json, out)
        }
        PersonCommand::Emergency { login, hours, json } => {
            // People live by the machine's clock, whatever is rehearsed.
            let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(i64::from(hours));
            told(ask(&Request::PersonEmergency { login, until })?, None, json, out)
        }
        PersonCommand::Role { login, role, contractor, json } => {
            told(ask(&Request::PersonRole { login, role, contractor })?, None, json, out)
        }
    }
}

fn told(reply: Reply, drawn: Option<&str>, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let Reply::Person(person) = reply else {
        bail!("the gateway answered something else; are both of one version?")
    };
    // Nobody who signs in at the identity provider has a password here.
    let drawn = drawn.filter(|_| !person.vouched);
    if json {
        let mut value = serde_json::json!(person);
        if let Some(drawn) = drawn {
            value["one_time_password"] = drawn.into();
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    writeln!(out, "{}", line(&person))?;
    if let Some(drawn) = drawn {
        writeln!(out, "one-time password (told this once, to be changed at the first sign-in): {drawn}")?;
    }
    Ok(())
}

fn line(person: &Person) -> String {
    let of = person.contractor.as_ref().map_or_else(String::new, |contractor| format!(" of {contractor}"));
    let state = match (person.blocked_at, person.signed_in_at) {
        (Some(at), _) => format!("blocked since {at:.0}"),
        (None, Some(at)) => format!("last signed in {at:.0}"),
        (None, None) => "never signed in".to_owned(),
    };
    let vouched = if person.vouched { "\tby the identity provider" } else { "" };
    let emergency = person.password_until.filter(|until| *until > jiff::Timestamp::now());
    let emergency =
        emergency.map_or_else(String::new, |until| format!("\tby password until {until:.0} in an emergency"));
    let second = if person.second_factor { "second factor" } else { "no second factor" };
    let (login, name, role) = (&person.login, &person.name, person.role.word());
    format!("{login}\t{name}\t{role}{of}\t{second}\t{state}{vouched}{emergency}")
}

/// Does what the command says by `ask`, which has a request done.
///
/// # Errors
/// When it can't be done.
pub fn token(
    command: TokenCommand,
    ask: impl Fn(&Request) -> anyhow::Result<Reply>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (reply, text, json) = match command {
        TokenCommand::Add { name, scopes, contractor, json } => {
            let text = tokens::text(rand::random());
            let new = tokens::New { name, scopes, contractor, sha256: Digest::of(text.as_bytes()) };
            (ask(&Request::TokenAdd { new })?, Some(text), json)
        }
        TokenCommand::List { json } => (ask(&Request::TokenList)?, None, json),
        TokenCommand::Revoke { name, json } => (ask(&Request::TokenRevoke { name })?, None, json),
    };
    let tokens = match reply {
        Reply::Token(token) => vec![token],
        Reply::Tokens(tokens) => {
            if json {
                writeln!(out, "{}", serde_json::to_string_pretty(&tokens)?)?;
                return Ok(());
            }
            tokens
        }
        _ => bail!("the gateway answered something else; are both of one version?"),
    };
    for token in tokens {
        if json {
            let mut value = serde_json::json!(token);
            if let Some(text) = &text {
                value["token"] = text.as_str().into();
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            continue;
        }
        let scopes: Vec<&str> = token.scopes.iter().map(|opens| opens.word()).collect();
        let of = token.contractor.as_ref().map_or_else(String::new, |contractor| format!(" of {contractor}"));
        let state = token
            .revoked_at
            .map_or_else(|| format!("since {:.0}", token.made_at), |at| format!("revoked {at:.0}"));
        let used = token.used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {at:.0}"));
        writeln!(out, "{}\t{}{of}\t{state}\t{used}", token.name, scopes.join(","))?;
        if let Some(text) = &text {
            writeln!(out, "token (told this once): {text}")?;
        }
    }
    Ok(())
}
