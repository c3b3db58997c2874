//! Signing in at the city's identity provider: OpenID Connect, by the authorization code with PKCE (RFC 7636).
//!
//! Who somebody is stands in the signed ID token alone: issuer and subject name them, a claim gives their role. What is
//! begun here is ended by the same browser, once, within some minutes.

mod http;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use hyper::{StatusCode, Uri};
use jiff::Timestamp;
use meguri_proto::{ContractorId, Digest};
use serde::Deserialize;

pub use self::http::address;
pub use self::token::{Claims, Disbelieved, Expected, Keys, believe};

use self::http::Client;
use super::Role;
use super::attempts::Brake;
use super::sessions::Token;
use crate::config::{AtProvider, OpenId, Passwords, Settings};

/// For how long a sign-in may be under way: somebody may have to find their telephone.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// How many sign-ins may be under way; the brake of sign-ins lets fewer through in that time.
const AT_A_TIME: usize = 20_000;
/// After that long the provider's addresses and keys are read again, so that a key it took back counts no more.
const FRESH: Duration = Duration::from_secs(3600);
/// How often a minute keys are read again because a token names one that is not known: it may be new, or made up.
const KEYS_A_MINUTE: u16 = 6;

/// Why a provider can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A file can't be read.
    #[error("people.openid.{setting}: can't be read: {problem}")]
    File {
        /// Which one.
        setting: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The browser did not begin this sign-in, began another one since, took too long, or has ended it already.
    #[error("state")]
    State,
    /// The answer came from another provider (RFC 9207).
    #[error("answer of another issuer")]
    AnswerIssuer,
    /// The person or the provider broke it off.
    #[error("denied")]
    Denied,
    /// The provider does not take the code, or gives no token for it.
    #[error("code")]
    Code,
    /// The token is not to be believed.
    #[error("token: {0}")]
    Token(#[from] Disbelieved),
}

/// Why a sign-in did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The provider can't be reached, or answers nothing that can be used.
    #[error("the identity provider can't be used: {0}")]
    Away(String),
}

/// What the provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    claims_parameter_supported: bool,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A provider as it is known at a time.
#[derive(Debug)]
struct Known {
    metadata: Metadata,
    keys: Keys,
    at: Instant,
}

/// A sign-in that is under way.
struct UnderWay {
    nonce: String,
    verifier: String,
    back: String,
    to: String,
    at: Instant,
}

/// What somebody's browser takes to the provider.
#[derive(Debug)]
pub struct Begun {
    /// What the browser keeps, to show that it began this.
    pub token: Token,
    /// Where it goes.
    pub address: String,
}

/// What the provider answers through the browser.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer<'a> {
    /// The code for a token.
    pub code: Option<&'a str>,
    /// What was sent along.
    pub state: Option<&'a str>,
    /// Who answers (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Whether it tells an error.
    pub error: bool,
}

/// Whoever the provider vouches for.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// The provider.
    pub issuer: String,
    /// Its own name of them, which it gives to nobody else.
    pub subject: String,
    /// Their name, as pages show it.
    pub name: String,
    /// Their role and contractor; none where no value of the claim gives one.
    pub role: Option<(Role, Option<ContractorId>)>,
    /// Whether the second factor was given there.
    pub second: bool,
    /// Where they were going.
    pub to: String,
}

/// The city's identity provider.
pub struct Provider {
    settings: OpenId,
    secret: Option<String>,
    client: Client,
    known: Mutex<Option<Arc<Known>>>,
    under_way: Mutex<HashMap<[u8; 32], UnderWay>>,
    new_keys: Brake,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}

/// What goes along with the browser and comes back: it tells nothing of the token.
fn state(token: &Token) -> String {
    Digest::of(b"meguri openid state ").then(token.text().as_bytes()).to_string()
}

fn drawn() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// As a name and a secret stand in a basic authorization (RFC 6749, section 2.3.1): each as in a form first.
fn basic(client: &str, secret: &str) -> String {
    let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", escaped(client), escaped(secret))))
}

impl Provider {
    /// The provider of the settings; none without.
    ///
    /// # Errors
    /// When its secret or its authority can't be read.
    pub fn of(settings: &Settings) -> Result<Option<Self>, ProviderError> {
        let Some(openid) = &settings.people.openid else { return Ok(None) };
        let file = |setting, problem| ProviderError::File { setting, problem };
        let secret = openid.client_secret_file.as_deref().map(|path| {
            let path = settings.in_data(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| file("client_secret_file", format!("{}: {error}", path.display())))?;
            match text.trim() {
                "" => Err(file("client_secret_file", format!("{} is empty", path.display()))),
                secret => Ok(secret.to_owned()),
            }
        });
        let authority = openid.authority.as_deref().map(|path| settings.in_data(path));
        let client = Client::believing(authority.as_deref()).map_err(|problem| file("authority", problem))?;
        Ok(Some(Self {
            settings: openid.clone(),
            secret: secret.transpose()?,
            client,
            known: Mutex::default(),
            under_way: Mutex::default(),
            new_keys: Brake::new(KEYS_A_MINUTE),
        }))
    }

    /// Who may sign in with a password beside it.
    #[must_use]
    pub fn passwords(&self) -> Passwords {
        self.settings.passwords
    }

    /// Contractors of the mapping, for a look at the plan.
    pub fn contractors(&self) -> impl Iterator<Item = &ContractorId> {
        self.settings.mapping.iter().filter_map(|mapped| mapped.contractor.as_ref())
    }

    /// Begins a sign-in that comes back to the address `back`, and leads to `to` then.
    ///
    /// # Errors
    /// When the provider can't be reached, or too many are under way.
    pub async fn begin(&self, back: String, to: &str) -> Result<Begun, Failed> {
        let known = self.known().await?;
        let token = Token::new(rand::random());
        let (nonce, verifier) = (drawn(), drawn());
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.as_bytes()).0);
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &back)
            .append_pair("scope", &self.settings.scope)
            .append_pair("state", &state(&token))
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if !self.settings.acr.is_empty() {
            query.append_pair("acr_values", &self.settings.acr.join(" "));
        }
        if known.metadata.claims_parameter_supported {
            // Some tell how somebody signed in only where they are asked.
            query.append_pair("claims", r#"{"id_token":{"acr":null,"amr":null}}"#);
        }
        let endpoint = &known.metadata.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let address = format!("{endpoint}{joint}{}", query.finish());
        let at = Instant::now();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, one| at.duration_since(one.at) < UNDER_WAY);
        if under_way.len() >= AT_A_TIME {
            return Err(Failed::Away("too many sign-ins are under way".to_owned()));
        }
        under_way.insert(token.sha256().0, UnderWay { nonce, verifier, back, to: to.to_owned(), at });
        Ok(Begun { token, address })
    }

    /// Ends a sign-in by what the provider answered to the browser that shows this token.
    ///
    /// # Errors
    /// Why nobody is signed in.
    pub async fn end(&self, token: &Token, answer: Answer<'_>, now: Timestamp) -> Result<Vouched, Failed> {
        if answer.state != Some(&*state(token)) {
            return Err(Refused::State.into());
        }
        // Whatever comes of it, it is over.
        let begun = {
            let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.remove(&token.sha256().0)
        };
        let begun = begun.filter(|begun| begun.at.elapsed() < UNDER_WAY).ok_or(Refused::State)?;
        let UnderWay { nonce, verifier, back, to, .. } = begun;
        let mut known = self.known().await?;
        let must = known.metadata.authorization_response_iss_parameter_supported;
        let names_itself = match answer.issuer {
            Some(issuer) => issuer == self.settings.issuer,
            None => !must,
        };
        if !names_itself {
            return Err(Refused::AnswerIssuer.into());
        }
        if answer.error {
            return Err(Refused::Denied.into());
        }
        let code = answer.code.ok_or(Refused::Code)?;
        let text = self.redeem(&known.metadata, code, &back, &verifier).await?;
        let expected =
            Expected { issuer: &self.settings.issuer, client: &self.settings.client_id, nonce: &nonce };
        let mut believed = believe(&text, &known.keys, expected, now);
        if matches!(believed, Err(Disbelieved::Key)) && self.new_keys.lets(Instant::now()) {
            known = self.look_anew().await?;
            believed = believe(&text, &known.keys, expected, now);
        }
        let claims = believed.map_err(Refused::Token)?;
        Ok(self.vouched(&claims, to))
    }

    /// Gets the ID token for a code.
    async fn redeem(
        &self,
        metadata: &Metadata,
        code: &str,
        back: &str,
        verifier: &str,
    ) -> Result<String, Failed> {
        #[derive(Deserialize)]
        struct Answered {
            id_token: Option<String>,
        }
        let client = self.settings.client_id.as_str();
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|one| one == method);
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", verifier),
        ];
        let authorization = match self.secret.as_deref() {
            // What it does not tell is the basic one.
            Some(secret) if methods.is_empty() || takes("client_secret_basic") => Some(basic(client, secret)),
            Some(secret) => {
                pairs.extend([("client_id", client), ("client_secret", secret)]);
                None
            }
            None => {
                pairs.push(("client_id", client));
                None
            }
        };
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let endpoint = endpoint(&metadata.token_endpoint)?;
        let answered = self.client.post(&endpoint, authorization.as_deref(), form).await;
        let (status, body) = answered.map_err(Failed::Away)?;
        if status.is_server_error() {
            return Err(Failed::Away(format!("its token endpoint answers {status}")));
        }
        if status != StatusCode::OK {
            // Mostly the code; it may be the client's secret, so the log says which status and error it was.
            let error = serde_json::from_slice::<serde_json::Value>(&body).ok();
            let word = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or_default();
            let word: String =
                word.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
            tracing::warn!(%status, error = word, "the identity provider gives no token");
            return Err(Refused::Code.into());
        }
        let answered: Answered =
            serde_json::from_slice(&body).map_err(|_| Failed::Away("its answer can't be read".to_owned()))?;
        Ok(answered.id_token.ok_or(Refused::Code)?)
    }

    fn vouched(&self, claims: &Claims, to: String) -> Vouched {
        let settings = &self.settings;
        let has = claims.texts(&settings.claim);
        let mapped = settings.mapping.iter().find(|mapped| has.contains(&mapped.value.as_str()));
        let acr = claims.texts("acr");
        let second = settings.second_factor == AtProvider::Always
            || claims.texts("amr").contains(&"mfa")
            || acr.iter().any(|acr| settings.acr.iter().any(|good| good == acr));
        let name = ["name", "preferred_username"].into_iter().find_map(|claim| {
            let name = claims.texts(claim).first()?.trim().to_owned();
            let good = !name.is_empty() && !name.chars().any(char::is_control);
            good.then(|| name.chars().take(super::NAME_CHARS).collect())
        });
        Vouched {
            issuer: settings.issuer.clone(),
            subject: claims.subject.clone(),
            name: name.unwrap_or_default(),
            role: mapped.map(|mapped| (mapped.role, mapped.contractor.clone())),
            second,
            to,
        }
    }

    /// Asks the provider what it is.
    ///
    /// # Errors
    /// When it can't be reached, or says what can't be used.
    pub async fn ask(&self) -> Result<(), Failed> {
        self.look_anew().await.map(drop)
    }

    /// The provider as it was last seen, or as it is now.
    async fn known(&self) -> Result<Arc<Known>, Failed> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known.filter(|known| known.at.elapsed() < FRESH) {
            Some(known) => Ok(known),
            None => self.look_anew().await,
        }
    }

    /// Reads the provider's addresses and keys.
    async fn look_anew(&self) -> Result<Arc<Known>, Failed> {
        let issuer = &self.settings.issuer;
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let unreadable = |what: &str| Failed::Away(format!("{what} can't be read"));
        let metadata = self.document(&endpoint(&place)?).await?;
        let metadata: Metadata =
            serde_json::from_slice(&metadata).map_err(|_| unreadable("its configuration"))?;
        // One that speaks for another could have its tokens taken for that one's.
        if metadata.issuer != *issuer {
            return Err(Failed::Away("its configuration is another issuer's".to_owned()));
        }
        endpoint(&metadata.authorization_endpoint)?;
        let keys = self.document(&endpoint(&metadata.jwks_uri)?).await?;
        let keys = Keys::read(&keys).ok_or_else(|| unreadable("its list of keys"))?;
        let known = Arc::new(Known { metadata, keys, at: Instant::now() });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    async fn document(&self, uri: &Uri) -> Result<hyper::body::Bytes, Failed> {
        match self.client.get(uri).await.map_err(Failed::Away)? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(Failed::Away(format!("{} answers {status}", uri.path()))),
        }
    }
}

/// An address that the provider tells.
fn endpoint(text: &str) -> Result<Uri, Failed> {
    address(text).map_err(|problem| Failed::Away(format!("an address of it: {problem}")))
}
