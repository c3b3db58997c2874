//! Signing in and out, passwords and second factors, as pages have them done: checked off the serving threads, written by the one
//! writer, and written down in the audit log before anybody is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_config::Clock;
use meguri_proto::Digest;
use rusqlite::Connection;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Inside;
use super::page::problem::Problem;
use crate::audit::{self, Audit, Entry, Event, What, Who};
use crate::config::{Passwords, People};
use crate::ops::{OpError, Reply, Request};
use crate::people::accounts::{self, AccountError, New};
use crate::people::attempts::{self, Brake};
use crate::people::identities::{self, Taken};
use crate::people::openid::{Provider, Vouched};
use crate::people::password::{self, Hashed};
use crate::people::sessions::{self, Token};
use crate::people::setup::{self, SetUp};
use crate::people::tokens;
use crate::people::{Person, Role, totp};
use crate::store::{Readers, StoreError};
use crate::writer::Writer;

/// How many passwords are hashed at a time: each takes 19 MiB and a core.
const HASHING: usize = 2;
/// How many pages of one person update by themselves at a time: no one person keeps all others' from it.
const STREAMS_EACH: usize = 16;
/// How many recovery codes somebody has.
const RECOVERY: usize = 10;
/// Letters of each: 120 bits, so that a plain SHA-256 of it is as good as it can be kept.
const RECOVERY_LETTERS: usize = 24;

/// People as the pages deal with them.
#[derive(Debug)]
pub(super) struct Accounts {
    pub(super) settings: People,
    readers: Readers,
    writer: Writer,
    audit: Audit,
    /// The time that people live by, whatever is rehearsed.
    wall: Clock,
    set_up: Option<SetUp>,
    pub(super) openid: Option<Arc<Provider>>,
    data: std::path::PathBuf,
    brake: Brake,
    /// What each person and token has read lately.
    readings: Mutex<HashMap<Reader, Brake>>,
    hashing: Arc<Semaphore>,
    /// Who reads the audit log, which may be long: one at a time.
    reading: Arc<Semaphore>,
    /// The pages of each person that update by themselves.
    streams: Mutex<HashMap<i64, Arc<Semaphore>>>,
    /// The second factors that are being set up, by person: the last one drawn, and the session that it was shown to.
    pending: Mutex<HashMap<i64, Pending>>,
}

/// A second factor that is being set up. It is kept in memory alone, and counts for one session alone.
struct Pending {
    session: Digest,
    secret: [u8; totp::SECRET_BYTES],
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending(…)")
    }
}

/// Who reads: a person or a token, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    Person(i64),
    Token(i64),
}

/// What a sign-in, or a part of it, came to.
#[derive(Debug)]
pub(super) enum Came {
    /// In, with a new session.
    In(Token),
    /// Not in. Nobody is told why.
    Out,
}

/// Why a password is not changed.
#[derive(Debug)]
pub(super) enum NotChanged {
    /// The one before is another.
    Wrong,
    /// The new one can't be taken.
    Refused(password::Refused),
    /// It is the one before.
    Same,
    /// It can't be done now.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for NotChanged {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl Accounts {
    pub(super) fn new(inside: &Inside, readers: Readers, data: std::path::PathBuf) -> Self {
        let Inside { people: settings, writer, audit, wall, set_up, openid, .. } = inside.clone();
        let (brake, hashing) = (Brake::new(settings.attempts_a_minute), Arc::new(Semaphore::new(HASHING)));
        let readings = Mutex::default();
        let reading = Arc::new(Semaphore::new(1));
        let (streams, pending) = (Mutex::default(), Mutex::default());
        Self {
            settings,
            readers,
            writer,
            audit,
            wall,
            set_up,
            openid,
            data,
            brake,
            readings,
            hashing,
            reading,
            streams,
            pending,
        }
    }

    /// Whether a password of this person opens anything now.
    fn takes_password_of(&self, person: &Person, now: Timestamp) -> bool {
        let emergency = self.openid.as_ref().is_some_and(|openid| openid.passwords() == Passwords::Emergency);
        person.blocked_at.is_none() && (!emergency || person.password_until.is_some_and(|until| now < until))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.wall.now()
    }

    /// The newest entries of a day in the audit log, `most` of them, and how many there are.
    pub(super) async fn audited(&self, day: Date, most: usize) -> Result<(VecDeque<Entry>, usize), Problem> {
        let permit = self.reading.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let data = self.data.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let (mut shown, mut all) = (VecDeque::new(), 0_usize);
            let read = audit::entries_of(&data, day, |entry| {
                all += 1;
                shown.push_back(entry);
                if shown.len() > most {
                    shown.pop_front();
                }
            });
            read.map(|()| (shown, all))
        });
        read.await.ok().and_then(Result::ok).ok_or(Problem::Audit)
    }

    pub(super) async fn note(&self, event: Event) -> Result<(), Problem> {
        // Told by the log's own thread.
        self.audit.note(event).await.map_err(|_| Problem::Audit)
    }

    /// Somebody is still there; nobody waits for that to be written.
    pub(super) fn seen(&self, token: &Token) {
        let (writer, token, now) = (self.writer.clone(), token.clone(), self.now());
        tokio::spawn(async move { writer.run_job(move |tx, _| sessions::seen(tx, now, &token)).await });
    }

    /// A system's token is used; nobody waits for that to be written.
    pub(super) fn used(&self, token: &tokens::Listed) {
        let (writer, id, now) = (self.writer.clone(), token.id, self.now());
        if tokens::is_stale(token, now) {
            tokio::spawn(async move { writer.run_job(move |tx, _| tokens::used(tx, now, id)).await });
        }
    }

    /// Lets only so many through a minute.
    pub(super) fn brake(&self) -> Result<(), Problem> {
        if self.brake.lets(Instant::now()) { Ok(()) } else { Err(Problem::Slow) }
    }

    /// Lets somebody read only so much a minute.
    pub(super) fn reads(&self, reader: Reader) -> Result<(), Problem> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are people and tokens.
        let brake = readings.entry(reader).or_insert_with(|| Brake::new(self.settings.pages_a_minute));
        if brake.lets(Instant::now()) {
            return Ok(());
        }
        tracing::warn!(?reader, "somebody reads more pages a minute than people.pages_a_minute lets through");
        Err(Problem::Hasty)
    }

    /// Lets a page of somebody update by itself while the permit is held; only so many of one person's.
    pub(super) fn stream_of(&self, person: i64) -> Result<OwnedSemaphorePermit, Problem> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are people.
        let theirs = streams.entry(person).or_insert_with(|| Arc::new(Semaphore::new(STREAMS_EACH)));
        theirs.clone().try_acquire_owned().map_err(|_| Problem::Busy)
    }

    async fn verify(&self, password: &str, kept: Option<Hashed>) -> Result<bool, Problem> {
        let permit = self.hashing.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let password = password.to_owned();
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            password::verify(&password, kept.as_ref())
        });
        Ok(verified.await.unwrap_or(false))
    }

    /// A password as it is kept; computed off the serving threads.
    pub(super) async fn hash(&self, password: &str) -> Result<Hashed, Problem> {
        let permit = self.hashing.clone().acquire_owned().await.map_err(|_| StoreError::Stopping)?;
        let (password, salt) = (password.to_owned(), rand::random());
        let hashed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            password::hash(&password, salt)
        });
        hashed.await.ok().and_then(Result::ok).ok_or(Problem::Store)
    }

    /// Runs a change in a transaction, and writes it down before the commit.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<(T, Option<Event>)> + Send + 'static,
    ) -> Result<T, Problem> {
        let (audit, noted) = (self.audit.clone(), Arc::new(OnceLock::new()));
        let told = noted.clone();
        let work = move |tx: &mut rusqlite::Transaction<'_>, _: &mut crate::touched::Touched| {
            let (value, event) = change(tx).map_err(OpError::Sql)?;
            if let Some(event) = event {
                let (who, what) = (event.who.clone(), event.what);
                audit.note_here(event).map_err(OpError::Audit)?;
                told.get_or_init(|| (who, what));
            }
            Ok::<T, OpError>(value)
        };
        let done = self.writer.run_job(work).await;
        if done.is_err() {
            self.undone(noted.get().cloned()).await;
        }
        let done = done?;
        self.look_for_damage(done.as_ref().err()).await;
        done.map_err(Problem::from)
    }

    /// Nothing is written any more to a store that is damaged.
    async fn look_for_damage(&self, error: Option<&OpError>) {
        if let Some(damage) = error.and_then(OpError::damage) {
            self.writer.damaged(damage).await;
        }
    }

    /// Writes down that what was written down was not committed.
    async fn undone(&self, noted: Option<(Who, What)>) {
        if let Some((who, what)) = noted {
            // Where that can't be written either, its thread tells so.
            drop(self.audit.note(Event::new(who, What::Undone, json!({ "what": what }))).await);
        }
    }

    /// Takes login and password. Whatever is wrong with them, the work and the answer are the same; a password of
    /// somebody who has a second factor alone opens nothing and clears nothing.
    pub(super) async fn sign_in(
        &self,
        typed: &str,
        password: &str,
        before: Option<Token>,
    ) -> Result<Came, Problem> {
        let (now, settings) = (self.now(), self.settings.clone());
        let login = typed.trim().to_ascii_lowercase();
        let key = login.clone();
        let open = self.change(move |tx| Ok((attempts::begin(tx, now, &key, &settings)?, None))).await?;
        let key = login.clone();
        let found = self.readers.with(move |conn| accounts::by_login(conn, &key)).await?;
        let known = found.as_ref().map(|(person, _)| person.id);
        let kept =
            found.filter(|(person, _)| open && self.takes_password_of(person, now)).map(|(_, kept)| kept);
        let right = self.verify(password, kept.clone()).await?;
        let token = Token::new(rand::random());
        let begun = if let (true, Some(kept)) = (right, kept) {
            let (new, settings) = (token.clone(), self.settings.clone());
            self.change(move |tx| {
                // Meanwhile somebody may have blocked them, or changed the password.
                let Some((person, _)) = accounts::by_login(tx, &login)?
                    .filter(|(person, now_kept)| person.blocked_at.is_none() && *now_kept == kept)
                else {
                    return Ok((false, None));
                };
                if !person.second_factor {
                    attempts::forget(tx, &login)?;
                }
                sessions::clear(tx, now, &settings)?;
                if let Some(before) = before {
                    sessions::end(tx, &before)?;
                }
                sessions::begin(tx, now, person.id, &new, false)?;
                Ok((true, Some(Event::new(Who::Person(person.id), What::SignedIn, json!({})))))
            })
            .await?
        } else {
            false
        };
        if begun {
            return Ok(Came::In(token));
        }
        // What was typed may be a password, so it is not told.
        let about = known.map_or(json!({}), |person| json!({ "person": person }));
        self.note(Event::new(Who::Nobody, What::SignInFailed, about)).await?;
        Ok(Came::Out)
    }

    /// Takes the second factor's code, or a recovery code, of somebody whose password was right.
    pub(super) async fn give_code(
        &self,
        person: &Person,
        typed: &str,
        before: Token,
    ) -> Result<Came, Problem> {
        let (now, settings, id, login) = (self.now(), self.settings.clone(), person.id, person.login.clone());
        let (typed, token) = (typed.to_owned(), Token::new(rand::random()));
        let new = token.clone();
        let good = self
            .change(move |tx| {
                // Meanwhile an administrator may have ended the session.
                if !sessions::goes_on(tx, id, &before)? {
                    return Ok((None, None));
                }
                let good = attempts::begin(tx, now, &login, &settings)?
                    && accounts::check_second(tx, id, &typed, now)?;
                if !good {
                    return Ok((
                        Some(false),
                        Some(Event::new(
                            Who::Nobody,
                            What::SignInFailed,
                            json!({ "person": id, "code": true }),
                        )),
                    ));
                }
                attempts::forget(tx, &login)?;
                sessions::end(tx, &before)?;
                sessions::begin(tx, now, id, &new, true)?;
                Ok((Some(true), Some(Event::new(Who::Person(id), What::CodeGiven, json!({})))))
            })
            .await?
            .ok_or(Problem::Unauthorized)?;
        Ok(if good { Came::In(token) } else { Came::Out })
    }

    /// Takes somebody whom the identity provider vouches for in, if they may.
    pub(super) async fn vouched(&self, vouched: Vouched, before: Option<Token>) -> Result<Came, Problem> {
        let (now, second) = (self.now(), vouched.second);
        let taken = self.change(move |tx| {
            let taken = match identities::take(tx, now, &vouched) {
                Ok(taken) => taken,
                Err(AccountError::Sql(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "an account of the identity provider's can't be made");
                    Taken::Unmapped(None)
                }
            };
            let event = |what, person: &Person| {
                let mut about = json!({ "person": person.id, "role": person.role.word(), "openid": true });
                if let Some(contractor) = &person.contractor {
                    about["contractor"] = contractor.as_str().into();
                }
                Some(Event::new(Who::Gateway, what, about))
            };
            let event = match &taken {
                Taken::As(_) => None,
                Taken::New(person) => event(What::PersonAdded, person),
                Taken::Changed(person) => event(What::PersonRole, person),
                Taken::Blocked(person) => Some(failed("blocked", Some(person.id))),
                Taken::Unmapped(person) => Some(failed("unmapped", person.as_ref().map(|person| person.id))),
            };
            Ok((taken, event))
        });
        let person = match taken.await? {
            Taken::As(person) | Taken::New(person) | Taken::Changed(person) => person.id,
            Taken::Blocked(_) | Taken::Unmapped(_) => return Ok(Came::Out),
        };
        let (token, settings) = (Token::new(rand::random()), self.settings.clone());
        let new = token.clone();
        let begun = self.change(move |tx| {
            // Meanwhile somebody may have blocked them.
            if accounts::by_id(tx, person)?.is_none_or(|person| person.blocked_at.is_some()) {
                return Ok((false, Some(failed("blocked", Some(person)))));
            }
            sessions::clear(tx, now, &settings)?;
            if let Some(before) = before {
                sessions::end(tx, &before)?;
            }
            sessions::begin(tx, now, person, &new, second)?;
            let about = json!({ "openid": true, "second_factor": second });
            Ok((true, Some(Event::new(Who::Person(person), What::SignedIn, about))))
        });
        Ok(if begun.await? { Came::In(token) } else { Came::Out })
    }

    /// Writes down that a sign-in at the identity provider failed, and why.
    pub(super) async fn not_vouched(&self, why: &str) -> Result<(), Problem> {
        self.note(failed(why, None)).await
    }

    /// Ends a session.
    pub(super) async fn sign_out(&self, person: i64, token: Token) -> Result<(), Problem> {
        self.change(move |tx| {
            sessions::end(tx, &token)?;
            Ok(((), Some(Event::new(Who::Person(person), What::SignedOut, json!({})))))
        })
        .await
    }

    /// Changes somebody's own password. Whatever else was signed in as them ends, the asking session `before` too.
    pub(super) async fn change_password(
        &self,
        person: &Person,
        before: Token,
        now_typed: &str,
        new: &str,
    ) -> Result<Token, NotChanged> {
        let (now, settings, login) = (self.now(), self.settings.clone(), person.login.clone());
        let key = login.clone();
        let open = self.change(move |tx| Ok((attempts::begin(tx, now, &key, &settings)?, None))).await?;
        let key = login.clone();
        let kept = self.readers.with(move |conn| accounts::by_login(conn, &key)).await?.map(|(_, kept)| kept);
        let Some(kept) = kept.filter(|_| open) else {
            self.verify(now_typed, None).await?;
            self.not_confirmed(person.id, "password").await?;
            return Err(NotChanged::Wrong);
        };
        if !self.verify(now_typed, Some(kept.clone())).await? {
            self.not_confirmed(person.id, "password").await?;
            return Err(NotChanged::Wrong);
        }
        password::judge(new, &login).map_err(NotChanged::Refused)?;
        if new == now_typed {
            return Err(NotChanged::Same);
        }
        let (hashed, token, id, second) =
            (self.hash(new).await?, Token::new(rand::random()), person.id, person.second_factor);
        let begun = token.clone();
        let changed = self
            .change(move |tx| {
                // Meanwhile an administrator may have reset the password, or kept them out: that stands.
                let same = accounts::by_login(tx, &login)?
                    .is_some_and(|(now, now_kept)| now.id == id && now_kept == kept);
                if !same || !sessions::goes_on(tx, id, &before)? {
                    return Ok((false, None));
                }
                attempts::forget(tx, &login)?;
                accounts::choose(tx, id, &hashed)?;
                sessions::begin(tx, now, id, &begun, second)?;
                Ok((true, Some(Event::new(Who::Person(id), What::PasswordChanged, json!({})))))
            })
            .await?;
        if changed { Ok(token) } else { Err(NotChanged::Problem(Problem::Unauthorized)) }
    }

    /// Draws the secret that a session sets up as its person's second factor. Whatever was shown before, here or in another
    /// session, counts no more: whoever saw it must not know what is taken later.
    pub(super) fn draw_second(&self, person: i64, session: &Token) -> [u8; totp::SECRET_BYTES] {
        let (secret, session) = (rand::random(), session.sha256());
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // As many as there are people.
        pending.insert(person, Pending { session, secret });
        secret
    }

    /// The secret that this session was shown last, where it still counts.
    pub(super) fn pending(&self, person: i64, session: &Token) -> Option<[u8; totp::SECRET_BYTES]> {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = pending.get(&person).filter(|drawn| drawn.session == session.sha256());
        drawn.map(|drawn| drawn.secret)
    }

    /// Writes down that somebody who is signed in as this person did not know their password, or their second factor's code.
    async fn not_confirmed(&self, person: i64, wanted: &str) -> Result<(), Problem> {
        self.note(Event::new(Who::Person(person), What::NotConfirmed, json!({ "for": wanted }))).await
    }

    /// Whether whoever sits at the browser is still its person: by their password, or where they have none here, by their second factor.
    /// `wanted` says in the log what that was for.
    pub(super) async fn confirms(
        &self,
        person: &Person,
        typed: &str,
        wanted: &'static str,
    ) -> Result<bool, Problem> {
        let (now, settings, id, login) = (self.now(), self.settings.clone(), person.id, person.login.clone());
        let key = login.clone();
        let open = self.change(move |tx| Ok((attempts::begin(tx, now, &key, &settings)?, None))).await?;
        let good = if person.vouched {
            let typed = typed.to_owned();
            let check = move |tx: &Connection| Ok((accounts::check_second(tx, id, &typed, now)?, None));
            open && (!person.second_factor || self.change(check).await?)
        } else {
            let key = login.clone();
            let kept =
                self.readers.with(move |conn| accounts::by_login(conn, &key)).await?.map(|(_, kept)| kept);
            self.verify(typed, kept.filter(|_| open)).await?
        };
        if good {
            self.change(move |tx| Ok((attempts::forget(tx, &login)?, None))).await?;
        } else {
            self.not_confirmed(id, wanted).await?;
        }
        Ok(good)
    }

    /// Ends whatever else a person is signed in with.
    pub(super) async fn end_others(&self, person: i64, token: Token) -> Result<(), Problem> {
        self.change(move |tx| {
            sessions::end_others(tx, person, &token)?;
            Ok(((), Some(Event::new(Who::Person(person), What::SignedOut, json!({ "others": true })))))
        })
        .await
    }

    /// Sets up a second factor once its telephone shows the right code. Gives the new session, and the recovery codes,
    /// which are shown this once; none for a wrong code.
    pub(super) async fn set_second(
        &self,
        person: &Person,
        before: Token,
        typed: &str,
    ) -> Result<Option<(Token, Vec<String>)>, Problem> {
        let (now, settings, id, login) = (self.now(), self.settings.clone(), person.id, person.login.clone());
        let codes: Vec<String> =
            (0..RECOVERY).map(|_| password::grouped(&rand::random::<[u8; RECOVERY_LETTERS]>())).collect();
        let sha256: Vec<[u8; 32]> =
            codes.iter().map(|code| Digest::of(password::as_drawn(code).as_bytes()).0).collect();
        let (typed, token) = (typed.to_owned(), Token::new(rand::random()));
        let (begun, pending) = (token.clone(), self.pending(id, &before));
        let good = self
            .change(move |tx| {
                if !sessions::goes_on(tx, id, &before)? {
                    return Ok((None, None));
                }
                if !attempts::begin(tx, now, &login, &settings)? {
                    return Ok((Some(false), None));
                }
                let shown = pending.and_then(|secret| Some((secret, totp::step(&secret, &typed, now, 0)?)));
                let Some((secret, step)) = shown else { return Ok((Some(false), None)) };
                attempts::forget(tx, &login)?;
                accounts::take_second(tx, id, &secret, step, &sha256)?;
                sessions::begin(tx, now, id, &begun, true)?;
                Ok((Some(true), Some(Event::new(Who::Person(id), What::SecondFactorSet, json!({})))))
            })
            .await?
            .ok_or(Problem::Unauthorized)?;
        if good {
            self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
        Ok(good.then_some((token, codes)))
    }

    /// Whether the office waits for its first administrator.
    pub(super) async fn waits(&self) -> Result<bool, Problem> {
        Ok(self.set_up.is_some() && self.readers.with(accounts::nobody).await?)
    }

    /// Where the set-up code stands, as whoever sets the office up is told.
    pub(super) fn code_file(&self) -> String {
        self.set_up.as_ref().map(|set_up| set_up.path().display().to_string()).unwrap_or_default()
    }

    /// Makes the first administrator.
    pub(super) async fn set_up(
        &self,
        code: &str,
        login: &str,
        name: &str,
        password: &str,
    ) -> Result<Token, SetUpError> {
        if !self.set_up.as_ref().is_some_and(|set_up| set_up.is(code)) {
            self.note(Event::new(Who::Nobody, What::SignInFailed, json!({ "set_up": true }))).await?;
            return Err(SetUpError::Code);
        }
        let login = crate::people::login(login).map_err(|_| SetUpError::Login)?;
        password::judge(password, &login).map_err(SetUpError::Password)?;
        let (now, password) = (self.now(), self.hash(password).await?);
        let new = New {
            login,
            name: name.to_owned(),
            role: Role::Administrator,
            contractor: None,
            password,
            must_change: false,
        };
        let (token, audit) = (Token::new(rand::random()), self.audit.clone());
        let begun = token.clone();
        let made = self.writer.run_job(move |tx, _| {
            let person = accounts::add_first(tx, now, &new)?;
            sessions::begin(tx, now, person.id, &begun, false)?;
            let event = Event::new(Who::Nobody, What::SetUp, json!({ "person": person.id }));
            audit.note_here(event).map_err(OpError::Audit)?;
            Ok::<_, OpError>(())
        });
        let made = made.await;
        if made.is_err() {
            self.undone(Some((Who::Nobody, What::SetUp))).await;
        }
        let made = made?;
        self.look_for_damage(made.as_ref().err()).await;
        match made {
            Ok(()) => {
                setup::over(&self.data);
                Ok(token)
            }
            Err(OpError::Account(AccountError::Wrong(_))) => Err(SetUpError::Login),
            Err(error) => Err(Problem::from(error).into()),
        }
    }

    /// Has a request of an administrator done and written down.
    pub(super) async fn request(&self, request: Request, by: i64) -> Result<Result<Reply, OpError>, Problem> {
        let (audit, audited) = (self.audit.clone(), request.audited());
        let work = move |tx: &mut rusqlite::Transaction<'_>,
                         ctx: &mut crate::ingest::Context<'_>,
                         fx: &mut crate::ingest::Effects| {
            request.execute_audited(tx, ctx, fx, &audit, Who::Person(by))
        };
        let done = self.writer.run(work).await;
        if done.is_err() {
            // It may have been written down before it could not be committed.
            self.undone(audited.map(|(what, _)| (Who::Person(by), what))).await;
        }
        let done = done?;
        self.look_for_damage(done.as_ref().err()).await;
        Ok(done)
    }
}

/// A sign-in at the identity provider failed. What its token said of anybody is not told.
fn failed(why: &str, person: Option<i64>) -> Event {
    let mut about = json!({ "openid": why });
    if let Some(person) = person {
        about["person"] = person.into();
    }
    Event::new(Who::Nobody, What::SignInFailed, about)
}

/// Why the office is not set up.
#[derive(Debug)]
pub(super) enum SetUpError {
    /// The code is another.
    Code,
    /// The login can't be.
    Login,
    /// The password can't be.
    Password(password::Refused),
    /// It can't be done now.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for SetUpError {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl From<OpError> for Problem {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Audit(_) => Self::Audit,
            OpError::Account(AccountError::SetUp) => Self::NotFound,
            error => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a page could not change the store"
                );
                Self::Store
            }
        }
    }
}
