//! Takes a release file: read line by line, everything in it verified, written down in small steps as staged, and then switched by one
//! small commit. Where anything in it does not hold, nothing of it counts, and what was staged goes.
//!
//! The first key set is believed as it comes, and told with its fingerprint; from then on only what follows it by rotation.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use meguri_config::release::{Header, Release};
use meguri_config::{Bundle, Clock, KeySet, Refused};
use meguri_proto::{CityId, Digest, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::findings;
use crate::schedules;
use crate::store::{Store, StoreError, is_damage, sql};
use crate::touched::Touched;
use crate::writer::Writer;

/// Terminals that were heard since then have their turn first.
const LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many bundles are written down in a transaction.
const SOME: usize = 100;

/// Why a release is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] meguri_config::release::ReleaseError),
    /// Something in it is not what it should be.
    #[error("{}, line {line}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: u64,
        /// Which rule does not hold.
        source: Refused,
    },
    /// It does not fit this office.
    #[error("{}, line {line}: {problem}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: u64,
        /// What does not, and what to do.
        problem: String,
    },
    /// Not all of it is here.
    #[error("{here} of its {of} bundles are here; push it again")]
    Torn {
        /// How many are.
        here: u64,
        /// How many it has.
        of: u64,
    },
    /// The key sets that are held changed while it was read.
    #[error("another release has brought a key set meanwhile; push it again")]
    Overtaken,
    /// The key sets that the store holds don't follow each other.
    #[error("the key sets in the store can't be read: {0}; put a backup back")]
    Keys(Refused),
    /// The store can't be read or written.
    #[error("the store can't take a release: {0}")]
    Sql(#[from] rusqlite::Error),
    /// As said by the writer.
    #[error("{0}")]
    Store(String),
}

impl ReleaseError {
    /// What SQLite said, where it found the store damaged.
    #[must_use]
    pub fn damage(&self) -> Option<rusqlite::ffi::Error> {
        match self {
            Self::Sql(error) if is_damage(error) => error.sqlite_error().copied(),
            _ => None,
        }
    }

    /// Whether the file is at fault, not the office.
    #[must_use]
    pub fn is_of_the_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Refused { .. } | Self::Unfit { .. })
    }
}

/// What came of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its version.
    pub version: u64,
    /// What it is called.
    pub name: String,
    /// How many terminals it is for.
    pub terminals: u64,
    /// The first instant at which a contract changes.
    pub switchover_at: Option<Timestamp>,
    /// Whether this very file was here already.
    pub again: bool,
    /// The version of the newest key set that is held now, and its fingerprint.
    pub keys: (u64, Digest),
    /// Whether the office held none before: then somebody has to compare the fingerprint with the ceremony's record.
    pub first_keys: bool,
}

/// Runs one step in a transaction of its own.
trait Steps {
    fn run<T, F>(&mut self, step: F) -> Result<T, ReleaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Touched, Timestamp) -> Result<T, ReleaseError> + Send + 'static;
}

/// Takes releases in a running gateway, one at a time. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct Releases {
    writer: Writer,
    city: CityId,
    clock: Clock,
    one: Arc<Mutex<()>>,
}

impl Releases {
    /// Takes releases through the writer of a gateway.
    #[must_use]
    pub fn new(writer: Writer, city: CityId, clock: Clock) -> Self {
        Self { writer, city, clock, one: Arc::default() }
    }

    /// Takes a file.
    ///
    /// # Errors
    /// The outer one when the office is stopping; the inner one when the file can't be taken.
    pub async fn take(&self, path: PathBuf) -> Result<Result<Taken, ReleaseError>, StoreError> {
        // Held by the work itself: whoever waits for it may go.
        let one = self.one.clone().lock_owned().await;
        let (city, now) = (self.city.clone(), self.clock.now());
        let mut steps = Writing { writer: self.writer.clone(), here: tokio::runtime::Handle::current() };
        let task = tokio::task::spawn_blocking(move || {
            let _one = one;
            take(&mut steps, &city, now, &path)
        });
        let taken = task.await.map_err(|_| StoreError::Stopping)?;
        if let Err(error) = &taken
            && let Some(damage) = error.damage()
        {
            self.writer.damaged(damage).await;
        }
        Ok(taken)
    }
}

struct Writing {
    writer: Writer,
    here: tokio::runtime::Handle,
}

impl Steps for Writing {
    fn run<T, F>(&mut self, step: F) -> Result<T, ReleaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Touched, Timestamp) -> Result<T, ReleaseError> + Send + 'static,
    {
        let done = self.writer.run(move |tx, ctx, fx| step(tx, &mut fx.touched, ctx.now));
        self.here.block_on(done).map_err(|error| ReleaseError::Store(error.to_string()))?
    }
}

/// Takes a file in a store that this process holds.
///
/// # Errors
/// When it can't be taken.
pub fn take_here(
    held: &mut Store,
    city: &CityId,
    now: Timestamp,
    path: &Path,
) -> Result<Taken, ReleaseError> {
    take(&mut Here { held, now }, city, now, path)
}

struct Here<'a> {
    held: &'a mut Store,
    now: Timestamp,
}

impl Steps for Here<'_> {
    fn run<T, F>(&mut self, step: F) -> Result<T, ReleaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Touched, Timestamp) -> Result<T, ReleaseError> + Send + 'static,
    {
        let tx = self.held.conn.transaction()?;
        let done = step(&tx, &mut Touched::default(), self.now)?;
        tx.commit()?;
        Ok(done)
    }
}

fn take(steps: &mut impl Steps, city: &CityId, now: Timestamp, path: &Path) -> Result<Taken, ReleaseError> {
    clear(steps)?;
    let sha256 = digest_of(path)?;
    let whose = city.clone();
    let (held, again) = steps.run(move |tx, _, _| {
        let held = schedules::held_keys(tx, &whose)?.map_err(ReleaseError::Keys)?;
        Ok((held, taken(tx, sha256, true)?))
    })?;
    if let Some(again) = again {
        // Of one that was cut before it was through with it.
        take_over(steps, sha256)?;
        return Ok(again);
    }
    let first_keys = held.is_none();
    match stage(steps, city, now, path, sha256, held) {
        Ok(staged) => {
            let whose = city.clone();
            let done = steps.run(move |tx, touched, now| {
                staged.switch(tx, touched, now, &whose)?;
                let none = || ReleaseError::Sql(rusqlite::Error::QueryReturnedNoRows);
                Ok(Taken { first_keys, ..taken(tx, sha256, false)?.ok_or_else(none)? })
            });
            match done {
                Ok(done) => {
                    take_over(steps, sha256)?;
                    Ok(done)
                }
                Err(error) => {
                    clear(steps)?;
                    Err(error)
                }
            }
        }
        Err(error) => {
            clear(steps)?;
            Err(error)
        }
    }
}

/// Takes over what terminals said of a release's bundles before it came: they had them by USB sticks, or this office is put back from
/// before. It can be done again.
fn take_over(steps: &mut impl Steps, sha256: Digest) -> Result<(), ReleaseError> {
    let mut after = 0;
    loop {
        let last = steps.run(move |tx, touched, now| {
            let select = "SELECT b.id, b.terminal, b.digest FROM bundle AS b JOIN release AS r ON r.id = b.release
                WHERE r.sha256 = ?1 AND r.state = 'taken' AND b.state IS NULL AND b.id > ?2
                    AND EXISTS (SELECT 1 FROM config_event AS e WHERE e.terminal = b.terminal AND e.digest = b.digest)
                ORDER BY b.id LIMIT ?3";
            let some = i64::try_from(SOME).unwrap_or(i64::MAX);
            let found: Vec<(i64, TerminalId, Digest)> = tx
                .prepare_cached(select)?
                .query_map(params![sha256.0.as_slice(), after, some], |row| {
                    Ok((row.get(0)?, sql::parsed(row, 1)?, sql::digest(row, 2)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            for (_, terminal, digest) in &found {
                schedules::take_over(tx, touched, terminal, *digest, now)?;
            }
            Ok(found.last().map(|(id, ..)| *id))
        })?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// SHA-256 of a file.
fn digest_of(path: &Path) -> Result<Digest, ReleaseError> {
    let failed = |source| {
        let path = path.to_owned();
        ReleaseError::File(meguri_config::release::ReleaseError::Io { path, line: 1, source })
    };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let (mut hasher, mut some) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut some).map_err(failed)? {
            0 => return Ok(Digest(hasher.finalize().into())),
            read => hasher.update(some.get(..read).unwrap_or_default()),
        }
    }
}

/// What came of a file, where it is taken.
fn taken(conn: &Connection, sha256: Digest, again: bool) -> rusqlite::Result<Option<Taken>> {
    let select = "SELECT r.version, name, terminals, switchover_at, k.version, k.envelope FROM release AS r, key_set AS k
        WHERE r.sha256 = ?1 AND r.state = 'taken' ORDER BY k.version DESC LIMIT 1";
    conn.query_row(select, [sha256.0.as_slice()], |row| {
        Ok(Taken {
            version: sql::seq(row, 0)?,
            name: row.get(1)?,
            terminals: sql::seq(row, 2)?,
            switchover_at: row.get::<_, Option<i64>>(3)?.map(sql::instant),
            again,
            keys: (sql::seq(row, 4)?, schedules::fingerprint(row, 5)?),
            first_keys: false,
        })
    })
    .optional()
}

/// What is staged, whole.
struct Staged {
    release: i64,
    /// The newest key set that was held when it was judged.
    held: u64,
    /// Key sets that are new: version, envelope, expiry.
    sets: Vec<(u64, String, Timestamp)>,
}

impl Staged {
    /// From now on it counts.
    fn switch(
        &self,
        tx: &Connection,
        touched: &mut Touched,
        now: Timestamp,
        city: &CityId,
    ) -> Result<(), ReleaseError> {
        let (here, of): (u64, u64) = tx.query_row(
            "SELECT (SELECT count(*) FROM bundle WHERE release = ?1), terminals FROM release WHERE id = ?1",
            [self.release],
            |row| Ok((sql::seq(row, 0)?, sql::seq(row, 1)?)),
        )?;
        if here != of {
            return Err(ReleaseError::Torn { here, of });
        }
        let held: u64 =
            tx.query_row("SELECT coalesce(max(version), 0) FROM key_set", [], |row| sql::seq(row, 0))?;
        if held != self.held {
            return Err(ReleaseError::Overtaken);
        }
        let insert =
            "INSERT INTO key_set (version, envelope, digest, expires, taken_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        for (version, envelope, expires) in &self.sets {
            let digest = Digest::of(envelope.as_bytes());
            let row = params![
                sql::number(*version),
                envelope,
                digest.0.as_slice(),
                sql::ms(*expires),
                sql::ms(now)
            ];
            tx.execute(insert, row)?;
            let kind = if *version == 1 { "keys_first" } else { "keys_rotated" };
            let fingerprint = KeySet::fingerprint(envelope.as_bytes()).map_err(ReleaseError::Keys)?;
            let detail = json!({ "version": version, "fingerprint": fingerprint });
            touched.notice |= sql::notice(tx, now, kind, None, &detail)?;
        }
        if !self.sets.is_empty() {
            schedules::keys_to_all(tx, touched)?;
            if let Some(keys) = schedules::held_keys(tx, city)?.map_err(ReleaseError::Keys)? {
                findings::tell_of_signers(tx, touched, now, &keys)?;
            }
        }
        tx.execute(
            "UPDATE release SET state = 'taken', taken_at = ?2 WHERE id = ?1",
            params![self.release, sql::ms(now)],
        )?;
        (touched.presence, touched.configurations) = (true, true);
        Ok(())
    }
}

/// Judges everything in a file and writes it down as staged.
fn stage(
    steps: &mut impl Steps,
    city: &CityId,
    now: Timestamp,
    path: &Path,
    sha256: Digest,
    held: Option<KeySet>,
) -> Result<Staged, ReleaseError> {
    let mut file = Release::open(path)?;
    let refused = |line, source| ReleaseError::Refused { path: path.to_owned(), line, source };
    let header = file.header.clone();
    if header.city != *city {
        let problem = format!("it is of {}, this is the office of {city}", header.city);
        return Err(ReleaseError::Unfit { path: path.to_owned(), line: 1, problem });
    }
    // Followed set by set, so that what each says of its end is known.
    let (mut keys, mut sets) = (held.clone(), Vec::new());
    let from = held.as_ref().map_or(0, |set| set.version);
    for (index, set) in file.keys.sets.iter().enumerate() {
        let (line, version) = (index as u64 + 2, index as u64 + 1);
        if version <= from {
            continue;
        }
        let bytes = set.get().as_bytes();
        let next = match &keys {
            Some(keys) => keys.next(bytes),
            None => KeySet::first(bytes, city),
        };
        let next = next.map_err(|source| refused(line, source))?;
        if next.version != version {
            let problem = format!("expected key set {version} here, found {}", next.version);
            return Err(ReleaseError::Unfit { path: path.to_owned(), line, problem });
        }
        sets.push((version, set.get().to_owned(), next.expires));
        keys = Some(next);
    }
    let none = || {
        let problem = "there is no key set in it, and none is held".to_owned();
        ReleaseError::Unfit { path: path.to_owned(), line: 2, problem }
    };
    let keys = keys.ok_or_else(none)?;
    let release = {
        let header = header.clone();
        steps.run(move |tx, _, now| {
            let insert =
                "INSERT INTO release (version, name, made_at, expires, terminals, sha256, state, taken_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'staging', ?7)";
            tx.execute(
                insert,
                params![
                    sql::number(header.version),
                    header.name,
                    sql::ms(header.made_at),
                    sql::ms(header.expires),
                    sql::number(header.terminals),
                    sha256.0.as_slice(),
                    sql::ms(now)
                ],
            )?;
            Ok(tx.last_insert_rowid())
        })?
    };
    let mut some = Vec::with_capacity(SOME);
    loop {
        let next = file.next().transpose()?;
        let last = next.is_none();
        if let Some(envelope) = next {
            let judged = judge(&header, &envelope, &keys, now);
            let bundle = judged.map_err(|source| refused(file.line(), source))?;
            some.push((file.line(), bundle, envelope.get().to_owned()));
        }
        if some.len() == SOME || last && !some.is_empty() {
            let (batch, path, made_at) = (std::mem::take(&mut some), path.to_owned(), header.made_at);
            steps.run(move |tx, _, _| {
                batch.iter().try_for_each(|one| write(tx, release, made_at, &path, one))
            })?;
        }
        if last {
            break;
        }
    }
    line_up(steps, release)?;
    Ok(Staged { release, held: from, sets })
}

/// Puts a release's terminals into the order in which they have their turn: first those that were heard lately, since they say
/// something, then by the digest of their name, so that no contractor or ward is a group by itself.
fn line_up(steps: &mut impl Steps, release: i64) -> Result<(), ReleaseError> {
    let mut all = steps.run(move |tx, _, now| {
        let select = "SELECT b.id, b.terminal, coalesce(t.last_heard_at, 0) < ?2 FROM bundle AS b
            JOIN terminal AS t ON t.id = b.terminal WHERE b.release = ?1";
        let lately = sql::ms(now.checked_sub(LATELY).unwrap_or(Timestamp::MIN));
        let mut statement = tx.prepare(select)?;
        let rows = statement.query_map([release, lately], |row| {
            let terminal: String = row.get(1)?;
            Ok((row.get::<_, bool>(2)?, Digest::of(terminal.as_bytes()).0, row.get(0)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<Vec<(bool, [u8; 32], i64)>>>()?)
    })?;
    all.sort_unstable();
    let places: Vec<(i64, i64)> =
        all.into_iter().zip(0..).map(|((.., bundle), place)| (bundle, place)).collect();
    for some in places.chunks(2 * SOME) {
        let some = some.to_vec();
        steps.run(move |tx, _, _| {
            let mut update = tx.prepare_cached("UPDATE bundle SET place = ?2 WHERE id = ?1")?;
            for (bundle, place) in some {
                update.execute([bundle, place])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// What a terminal would look at, but for its own version, of which the store knows.
fn judge(
    header: &Header,
    envelope: &serde_json::value::RawValue,
    keys: &KeySet,
    now: Timestamp,
) -> Result<Bundle, Refused> {
    let bytes = envelope.get().as_bytes();
    let bundle = header.takes(bytes, keys, now)?;
    if bundle.expires <= now {
        let detail = format!("could be accepted until {}, it is {now}", bundle.expires);
        return Err(Refused::new(meguri_proto::ConfigWhy::Expired, detail));
    }
    Ok(bundle)
}

/// Writes a bundle down, where it fits what this office knows.
fn write(
    tx: &Connection,
    release: i64,
    made_at: Timestamp,
    path: &Path,
    (line, bundle, envelope): &(u64, Bundle, String),
) -> Result<(), ReleaseError> {
    let unfit = |problem| Err(ReleaseError::Unfit { path: path.to_owned(), line: *line, problem });
    let terminal: &TerminalId = &bundle.terminal;
    let select = "SELECT contract, vehicle FROM terminal WHERE id = ?1";
    let bound: Option<(String, String)> = tx
        .prepare_cached(select)?
        .query_row([terminal.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((contract, vehicle)) = bound else {
        return unfit(format!(
            "there is no terminal {terminal} here; make it with `meguri-gateway terminal add`, or take it out"
        ));
    };
    let highest = schedules::highest(tx, terminal)?;
    let digest = Bundle::digest(envelope.as_bytes());
    let sent = "SELECT 1 FROM bundle JOIN release ON release.id = bundle.release
        WHERE terminal = ?1 AND bundle.version >= ?2 AND release.state = 'taken'";
    // It may have this very one: by a USB stick, or of an office that was put back from before.
    let has_it = bundle.version == highest
        && schedules::said_to_have(tx, terminal, bundle.version, digest)?
        && !tx.prepare_cached(sent)?.exists(params![terminal.as_str(), sql::number(bundle.version)])?;
    if bundle.version <= highest && !has_it {
        return unfit(format!(
            "terminal {terminal} was sent version {highest} before, this is {}: build it with a higher one",
            bundle.version
        ));
    }
    let insert = "INSERT OR IGNORE INTO bundle
        (release, terminal, version, digest, from_contract, from_vehicle) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let version = sql::number(bundle.version);
    let row = params![release, terminal.as_str(), version, digest.0.as_slice(), contract, vehicle];
    if tx.prepare_cached(insert)?.execute(row)? == 0 {
        return unfit(format!("is a second bundle for terminal {terminal}"));
    }
    let id = tx.last_insert_rowid();
    let insert = "INSERT INTO bundle_body (bundle, envelope) VALUES (?1, ?2)";
    tx.prepare_cached(insert)?.execute(params![id, envelope])?;
    let known = "SELECT (SELECT contractor FROM contract WHERE id = ?1), EXISTS (SELECT 1 FROM vehicle WHERE id = ?2)";
    let insert =
        "INSERT INTO schedule (bundle, position, from_at, contract, vehicle) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut before = contract;
    let mut changes: Option<Timestamp> = None;
    for (position, one) in bundle.schedule.iter().enumerate() {
        let (contractor, there): (Option<String>, bool) = tx
            .prepare_cached(known)?
            .query_row([one.contract.as_str(), one.vehicle.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        match contractor {
            None => {
                return unfit(format!(
                    "terminal {terminal} is to work under contract {}, which is not in city.toml here",
                    one.contract
                ));
            }
            Some(contractor) if contractor != one.contractor.as_str() => {
                return unfit(format!(
                    "contract {} is {contractor}'s by city.toml here, by the bundle of {terminal} it is {}'s",
                    one.contract, one.contractor
                ));
            }
            Some(_) if !there => {
                return unfit(format!(
                    "terminal {terminal} is to ride in vehicle {}, which is not in city.toml here",
                    one.vehicle
                ));
            }
            Some(_) => {}
        }
        let place = i64::try_from(position).unwrap_or(i64::MAX);
        let at = one.from.map(sql::ms);
        tx.prepare_cached(insert)?.execute(params![
            id,
            place,
            at,
            one.contract.as_str(),
            one.vehicle.as_str()
        ])?;
        if let Some(from) = one.from.filter(|from| *from > made_at && before != one.contract.as_str()) {
            changes = Some(changes.map_or(from, |first| first.min(from)));
        }
        one.contract.as_str().clone_into(&mut before);
    }
    if let Some(changes) = changes {
        let update = "UPDATE release SET switchover_at = min(coalesce(switchover_at, ?2), ?2) WHERE id = ?1";
        tx.prepare_cached(update)?.execute(params![release, sql::ms(changes)])?;
    }
    Ok(())
}

/// Takes away what was staged and never switched.
fn clear(steps: &mut impl Steps) -> Result<(), ReleaseError> {
    let some = i64::try_from(2 * SOME).unwrap_or(i64::MAX);
    loop {
        let over = steps.run(move |tx, _, _| {
            let select = "SELECT b.id FROM bundle AS b JOIN release AS r ON r.id = b.release
                WHERE r.state = 'staging' LIMIT ?1";
            let left: Vec<i64> = tx
                .prepare_cached(select)?
                .query_map([some], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for bundle in &left {
                tx.prepare_cached("DELETE FROM bundle_body WHERE bundle = ?1")?.execute([bundle])?;
                tx.prepare_cached("DELETE FROM schedule WHERE bundle = ?1")?.execute([bundle])?;
                tx.prepare_cached("DELETE FROM bundle WHERE id = ?1")?.execute([bundle])?;
            }
            if left.is_empty() {
                tx.execute("DELETE FROM release WHERE state = 'staging'", [])?;
            }
            Ok(left.is_empty())
        })?;
        if over {
            return Ok(());
        }
    }
}
