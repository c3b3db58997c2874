//! What people do to a switchover, each step written down with who took it. Whoever asks is named by the login of their account: of a
//! page that is whoever is signed in, on the command line whoever `--as` names, for which whoever runs the machine answers.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::findings::{self, Finding, Severity};
use super::rollout::{self, Rollout};
use super::{Kind, State, Step, SwitchoverError, note, set_state};
use crate::people::{Action, Person, accounts};
use crate::schedules;
use crate::store::sql;
use crate::touched::Touched;

/// A switchover to be made of a release that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct New {
    /// The release's version.
    pub version: u64,
    /// What people call it; else as the release.
    pub name: Option<String>,
    /// What it is for; else a switchover where a contract changes at an instant that no other switchover has.
    pub kind: Option<Kind>,
}

/// Somebody who may do this.
fn person(conn: &Connection, login: &str, action: Action) -> Result<Person, SwitchoverError> {
    let found = accounts::by_login(conn, login)?.map(|(person, _)| person);
    let person = found
        .filter(|person| person.blocked_at.is_none())
        .ok_or_else(|| SwitchoverError::NoPerson(login.to_owned()))?;
    if person.may(action, false) { Ok(person) } else { Err(SwitchoverError::MayNot(login.to_owned())) }
}

/// What there is of a switchover.
struct Row {
    state: State,
    kind: Kind,
    release: i64,
    version: u64,
    at: Option<i64>,
    drafted_by: Option<i64>,
    part: u32,
    parts: u32,
    stopped: bool,
}

fn row(conn: &Connection, id: i64) -> Result<Row, SwitchoverError> {
    let select = "SELECT s.state, s.kind, s.release, r.version, s.at,
            (SELECT person FROM switchover_step WHERE switchover = s.id AND step = 'drafted' ORDER BY id DESC LIMIT 1),
            s.part, s.stopped_at IS NOT NULL,
            s.rollout
        FROM switchover AS s JOIN release AS r ON r.id = s.release WHERE s.id = ?1";
    let found = conn
        .prepare_cached(select)?
        .query_row([id], |row| {
            Ok(Row {
                state: sql::word(row, 0)?,
                kind: sql::word(row, 1)?,
                release: row.get(2)?,
                version: sql::seq(row, 3)?,
                at: row.get(4)?,
                drafted_by: row.get(5)?,
                part: row.get(6)?,
                stopped: row.get(7)?,
                parts: u32::try_from(sql::json::<Rollout>(row, 8)?.groups.len()).unwrap_or(u32::MAX),
            })
        })
        .optional()?;
    found.ok_or(SwitchoverError::Unknown(id))
}

/// Makes one, or anew the one of a release that was withdrawn before anybody had it: by then it may be another kind. Says its number.
///
/// # Errors
/// When there is no such release or it has one, whoever asks may not, or the store can't be written.
pub fn draft(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    new: &New,
) -> Result<i64, SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let select = "SELECT r.id, r.name, r.switchover_at, s.id FROM release AS r
        LEFT JOIN switchover AS s ON s.release = r.id AND NOT (s.state = 'withdrawn' AND s.part = 0)
        WHERE r.version = ?1 AND r.state = 'taken' ORDER BY r.id DESC LIMIT 1";
    type Found = (i64, String, Option<i64>, Option<i64>);
    let found: Option<Found> = tx
        .prepare_cached(select)?
        .query_row([sql::number(new.version)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let (release, named, at, drafted) = found.ok_or(SwitchoverError::NoRelease(new.version))?;
    if let Some(id) = drafted {
        return Err(SwitchoverError::Drafted { version: new.version, id });
    }
    let name = new.name.clone().unwrap_or(named);
    if name.trim().is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
        return Err(SwitchoverError::Name);
    }
    // One that nobody has pushed takes no instant: a draft that was forgotten must not make a correction of what is meant.
    let taken = "SELECT 1 FROM switchover
        WHERE at = ?1 AND kind = 'switchover' AND state IN ('pushed', 'cut_over', 'closed')";
    let kind = match (new.kind, at) {
        (Some(Kind::Switchover), None) => return Err(SwitchoverError::NoInstant(new.version)),
        (Some(kind), _) => kind,
        (None, Some(at)) if !tx.prepare_cached(taken)?.exists([at])? => Kind::Switchover,
        (None, _) => Kind::Correction,
    };
    let insert = "INSERT INTO switchover (kind, name, release, at, state, rollout) VALUES (?1, ?2, ?3, ?4, 'draft', ?5)
        ON CONFLICT (release) DO UPDATE SET kind = ?1, name = ?2, at = ?4, state = 'draft', withdrawn_by = NULL RETURNING id";
    let at = at.filter(|_| kind == Kind::Switchover);
    let rollout = json!(Rollout::default()).to_string();
    let id = tx
        .prepare_cached(insert)?
        .query_row(params![schedules::word(&kind), name.trim(), release, at, rollout], |row| row.get(0))?;
    touched.presence = true;
    settle(tx, touched, now, id, &[super::instant::HELD])?;
    note(tx, now, id, Step::Drafted, Some(by.id), Some(json!({ "version": new.version })))?;
    Ok(id)
}

/// Looks at one, and notes that nothing stands in its way where nothing does.
///
/// # Errors
/// When there is none, whoever asks may not, or the store can't be written.
pub fn check(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
) -> Result<Vec<Finding>, SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let one = row(tx, id)?;
    let found = findings::look(tx, id, now)?;
    if matches!(one.state, State::Draft | State::Checked) {
        let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
        let state = if errors == 0 { State::Checked } else { State::Draft };
        set_state(tx, id, state)?;
        let detail = json!({ "errors": errors, "warnings": found.len() - errors });
        note(tx, now, id, Step::Checked, Some(by.id), Some(detail))?;
        touched.presence = true;
    }
    Ok(found)
}

fn refused(id: i64, state: State, doing: &'static str) -> SwitchoverError {
    SwitchoverError::State { id, state, doing }
}

/// A second person says yes.
///
/// # Errors
/// When it is not checked, something has come in its way meanwhile, whoever asks drafted it or may not, or the store can't be
/// written.
pub fn approve(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
) -> Result<(), SwitchoverError> {
    let by = person(tx, login, Action::ApproveSwitchovers)?;
    let one = row(tx, id)?;
    if one.state != State::Checked {
        return Err(refused(id, one.state, "approved"));
    }
    if one.drafted_by == Some(by.id) {
        return Err(SwitchoverError::SamePerson(login.to_owned()));
    }
    stands_in_the_way(tx, id, now)?;
    set_state(tx, id, State::Approved)?;
    touched.presence = true;
    note(tx, now, id, Step::Approved, Some(by.id), None)?;
    Ok(())
}

fn stands_in_the_way(tx: &Connection, id: i64, now: Timestamp) -> Result<(), SwitchoverError> {
    let mut found = findings::look(tx, id, now)?;
    found.retain(|finding| finding.severity == Severity::Error);
    if found.is_empty() { Ok(()) } else { Err(SwitchoverError::Findings(found)) }
}

/// Begins to offer it; goes on where it has stopped; else has the next group offered it by hand, however ready the ones before are.
///
/// # Errors
/// When it is not approved, everybody is offered it already, something has come in its way, whoever asks may not, or the store can't be written.
pub fn push(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
    rollout: Option<&Rollout>,
) -> Result<(), SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let one = row(tx, id)?;
    match one.state {
        State::Approved => {
            stands_in_the_way(tx, id, now)?;
            let rollout = rollout.cloned().unwrap_or_default();
            rollout.check()?;
            let update = "UPDATE switchover SET rollout = ?2 WHERE id = ?1";
            tx.prepare_cached(update)?.execute(params![id, json!(rollout).to_string()])?;
            set_state(tx, id, State::Pushed)?;
            // Before the first push no terminal is sent any key set.
            schedules::keys_to_all(tx, touched)?;
            note(tx, now, id, Step::Pushed, Some(by.id), Some(json!({ "rollout": rollout })))?;
            rollout::next(tx, touched, now, id, None)?;
        }
        State::Pushed | State::CutOver if rollout.is_some() => {
            let problem = "its groups are made: it goes on with those, leave --groups and the like away";
            return Err(SwitchoverError::Rollout(problem.to_owned()));
        }
        State::Pushed | State::CutOver if one.stopped => {
            let accepted = rollout::refusals(tx, id)?;
            let update =
                "UPDATE switchover SET stopped_at = NULL, stopped_why = NULL, accepted = ?2 WHERE id = ?1";
            tx.prepare_cached(update)?.execute(params![id, sql::number(accepted)])?;
            settle(tx, touched, now, id, &["switchover_stopped"])?;
            note(tx, now, id, Step::WentOn, Some(by.id), Some(json!({ "refused": accepted })))?;
        }
        State::Pushed | State::CutOver if one.part < one.parts => {
            rollout::next(tx, touched, now, id, Some(by.id))?;
        }
        state @ (State::Draft | State::Checked) => return Err(refused(id, state, "pushed")),
        state => return Err(refused(id, state, "pushed any further")),
    }
    (touched.presence, touched.configurations) = (true, true);
    Ok(())
}

/// Keeps it from further terminals for now.
///
/// # Errors
/// When it is not being pushed, whoever asks may not, or the store can't be written.
pub fn stop(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
) -> Result<(), SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let one = row(tx, id)?;
    if !matches!(one.state, State::Pushed | State::CutOver) || one.stopped {
        return Err(refused(id, one.state, "stopped"));
    }
    rollout::stop(tx, touched, now, id, "person", Some(by.id), &json!({ "group": one.part }))?;
    Ok(())
}

/// Withdraws it: while no terminal has it simply, later by a newer one that does not hold it.
///
/// # Errors
/// When its instant has come, terminals hold it and no newer one takes its place, whoever asks may not, or the store can't be written.
pub fn withdraw(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
    release: Option<u64>,
) -> Result<(), SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let one = row(tx, id)?;
    let by_newer = release.map(|version| of_release(tx, version)).transpose()?;
    // A stick brings a terminal what nobody has pushed yet, and a correction what a switchover is about.
    let held = one.state == State::Pushed || !holders(tx, id)?.is_empty();
    let over = one.at.is_some_and(|at| at <= sql::ms(now));
    match (one.state, by_newer) {
        // Whether or not the office has looked at the clock since: terminals have changed over.
        (State::Pushed, _) if over => return Err(refused(id, State::CutOver, "withdrawn")),
        (State::Draft | State::Checked | State::Approved, _) if over || !held => {}
        (State::Draft | State::Checked | State::Approved | State::Pushed, newer) => {
            replaced_by(tx, id, &one, newer.ok_or(SwitchoverError::NeedsNewer(id))?)?;
        }
        (state, _) => return Err(refused(id, state, "withdrawn")),
    }
    let newer = by_newer.filter(|_| held && !over);
    if let Some(newer) = newer {
        let other = row(tx, newer)?;
        // Whoever is silent until after the instant must find the newer one, not what is withdrawn.
        if matches!(other.state, State::Pushed | State::CutOver) && other.part < other.parts {
            rollout::all(tx, touched, now, newer, Some(by.id))?;
        }
    }
    let update =
        "UPDATE switchover SET withdrawn_by = ?2, stopped_at = NULL, stopped_why = NULL WHERE id = ?1";
    tx.prepare_cached(update)?.execute(params![id, newer])?;
    set_state(tx, id, State::Withdrawn)?;
    settle(
        tx,
        touched,
        now,
        id,
        &["switchover_stopped", "switchover_ahead", super::instant::MISSED, rollout::WAITS],
    )?;
    (touched.presence, touched.configurations) = (true, true);
    note(tx, now, id, Step::Withdrawn, Some(by.id), newer.map(|by| json!({ "by": by })))?;
    Ok(())
}

/// Whether a newer one can take the place of one that terminals have.
fn replaced_by(tx: &Connection, id: i64, one: &Row, newer: i64) -> Result<(), SwitchoverError> {
    let no = |problem: String| Err(SwitchoverError::NoReplacement { id, by: newer, problem });
    let other = row(tx, newer)?;
    if other.version <= one.version {
        return no("it is not newer".to_owned());
    }
    if !matches!(other.state, State::Pushed | State::CutOver | State::Closed) {
        return no("it is not pushed yet".to_owned());
    }
    if other.stopped {
        let problem = "it has stopped, and would not reach terminals that hold the one; go on with it first";
        return no(problem.to_owned());
    }
    let holds = "SELECT 1 FROM bundle AS b JOIN schedule AS s ON s.bundle = b.id WHERE b.release = ?1 AND s.from_at = ?2";
    if one.kind == Kind::Switchover && tx.prepare_cached(holds)?.exists(params![other.release, one.at])? {
        return no("its schedules hold the same instant".to_owned());
    }
    let holders = holders(tx, id)?;
    if let Some((_, version)) = holders.iter().find(|(_, version)| *version > other.version) {
        return no(format!("terminals were offered version {version} since, which holds the same instant"));
    }
    // A terminal that is not in the newer one would keep what is withdrawn.
    let within = "SELECT 1 FROM bundle WHERE release = ?1 AND terminal = ?2";
    let mut left = Vec::new();
    for (terminal, _) in holders {
        // Each once: they come in the order of their names.
        if left.last() != Some(&terminal)
            && !tx.prepare_cached(within)?.exists(params![other.release, terminal])?
        {
            left.push(terminal);
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let (count, named) = (left.len(), left.iter().take(findings::NAMED).map(String::as_str));
    let named = named.collect::<Vec<_>>().join(", ");
    no(format!("terminals that were offered the one are not in the other: {count} ({named})"))
}

/// Terminals that were offered a switchover, or took it from a stick, each with the version; once it is pushed, also those that hold
/// its instant by another version since. One that is lost holds nobody up.
fn holders(conn: &Connection, id: i64) -> rusqlite::Result<Vec<(String, u64)>> {
    let select = "SELECT b.terminal, b.version FROM switchover AS w JOIN release AS r ON r.id = w.release
        JOIN bundle AS b ON b.version >= r.version JOIN terminal AS t ON t.id = b.terminal
        WHERE w.id = ?1 AND t.lost_at IS NULL
            AND (b.offered_at IS NOT NULL OR b.place < w.upto AND b.release = r.id)
            AND (b.state IS NOT 'refused' OR w.part > 0)
            AND (b.release = r.id
                OR w.part > 0 AND EXISTS (SELECT 1 FROM schedule AS s WHERE s.bundle = b.id AND s.from_at = w.at))
        ORDER BY b.terminal, b.version";
    let mut statement = conn.prepare_cached(select)?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, sql::seq(row, 1)?)))?;
    rows.collect()
}

/// The switchover that was made of a release.
fn of_release(conn: &Connection, version: u64) -> Result<i64, SwitchoverError> {
    let select = "SELECT s.id FROM switchover AS s JOIN release AS r ON r.id = s.release
        WHERE r.version = ?1 ORDER BY s.id DESC LIMIT 1";
    let found =
        conn.prepare_cached(select)?.query_row([sql::number(version)], |row| row.get(0)).optional()?;
    found.ok_or(SwitchoverError::NotDrafted(version))
}

/// Closes it: what is still to be done about single terminals is done without it.
///
/// # Errors
/// When it is not in force yet, whoever asks may not, or the store can't be written.
pub fn close(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    login: &str,
    id: i64,
) -> Result<(), SwitchoverError> {
    let by = person(tx, login, Action::ManageSwitchovers)?;
    let one = row(tx, id)?;
    match (one.state, one.kind) {
        (State::CutOver, _) | (State::Pushed, Kind::Correction) => {}
        (state, _) => return Err(refused(id, state, "closed")),
    }
    match rollout::never_offered(tx, id)? {
        0 => {}
        left => return Err(SwitchoverError::NeverOffered { id, left }),
    }
    set_closed(tx, touched, now, id, Some(by.id))?;
    Ok(())
}

/// Closes it, and tells of accounts that nobody needs any more.
pub(super) fn set_closed(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    person: Option<i64>,
) -> rusqlite::Result<()> {
    set_state(tx, id, State::Closed)?;
    let kinds = ["switchover_stopped", "switchover_ahead", "switchover_behind", rollout::WAITS];
    settle(tx, touched, now, id, &kinds)?;
    touched.presence = true;
    note(tx, now, id, Step::Closed, person, None)?;
    super::instant::tell_of_accounts(tx, touched, now)
}

/// Settles notices of a switchover.
pub(super) fn settle(
    tx: &Connection,
    touched: &mut Touched,
    now: Timestamp,
    id: i64,
    kinds: &[&str],
) -> rusqlite::Result<()> {
    let update = "UPDATE notice SET settled_at = ?3
        WHERE kind = ?1 AND detail ->> 'switchover' = ?2 AND settled_at IS NULL";
    for kind in kinds {
        touched.notice |= tx.prepare_cached(update)?.execute(params![kind, id, sql::ms(now)])? > 0;
    }
    Ok(())
}
