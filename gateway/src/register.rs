//! The register of terminals as things (備品台帳): their numbers, and who has had each of them from when.
//!
//! Numbers are changed as they become known. Handing over and giving back is only ever added; the newest of a terminal
//! says who has it.

use jiff::Timestamp;
use jiff::civil::Date;
use meguri_proto::{ContractorId, TerminalId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use crate::people::Scope;
use crate::store::sql;

/// Most characters of an asset number, model, serial number or a person's name.
pub const WORD_CHARS: usize = 60;
/// Most characters of remarks.
pub const REMARKS_CHARS: usize = 500;
/// Most things that go with a terminal.
pub const THINGS: usize = 20;
/// Most terminals that are handed over at a time.
pub const AT_A_TIME: usize = 60;

/// What the city keeps of a terminal as a thing. Empty for what is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 備品番号.
    pub asset: String,
    /// The SIM card's number (ICCID), digits alone.
    pub iccid: String,
    /// The number of its line, digits alone.
    pub line: String,
    /// What model it is.
    pub model: String,
    /// Its maker's serial number.
    pub serial: String,
    /// Whatever else.
    pub remarks: String,
}

/// A field that people fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// 備品番号.
    Asset,
    /// The SIM card's number.
    Iccid,
    /// The line's number.
    Line,
    /// The model.
    Model,
    /// The serial number.
    Serial,
    /// Remarks.
    Remarks,
    /// Which terminals.
    Terminals,
    /// The day.
    Day,
    /// Who signs.
    Person,
    /// What goes with it.
    Things,
}

impl Field {
    /// The word in messages, and in the audit log.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Iccid => "iccid",
            Self::Line => "line",
            Self::Model => "model",
            Self::Serial => "serial",
            Self::Remarks => "remarks",
            Self::Terminals => "terminals",
            Self::Day => "day",
            Self::Person => "person",
            Self::Things => "things",
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Why the register is not changed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// There is no such terminal.
    #[error("there is no terminal {0}")]
    Unknown(TerminalId),
    /// There is no such contractor.
    #[error("there is no contractor {0} in the city's plan")]
    UnknownContractor(ContractorId),
    /// A field can't be so.
    #[error("the field {0} can't be so")]
    Wrong(Field),
    /// Another terminal has this number.
    #[error("terminal {1} has this {0} already")]
    Taken(Field, TerminalId),
    /// It is with the city.
    #[error("nobody has terminal {0}, so nobody gives it back")]
    NotHeld(TerminalId),
    /// It is with another contractor.
    #[error("{contractor} has terminal {terminal}; it is to be given back first")]
    Held {
        /// The terminal.
        terminal: TerminalId,
        /// Who has it.
        contractor: ContractorId,
    },
    /// Something later is written down already.
    #[error("of terminal {terminal} something of {day} is written down already")]
    Later {
        /// The terminal.
        terminal: TerminalId,
        /// The day of that.
        day: Date,
    },
    /// The store can't be read or written.
    #[error("the store can't keep the register: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// Whether a terminal goes out or comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The city hands it to a contractor.
    Handover,
    /// The contractor gives it back.
    Return,
}

impl Kind {
    /// The word in the store and in forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Handover => "handover",
            Self::Return => "return",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Handover, Self::Return]
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or_else(|| format!("{word:?} is neither handover nor return"))
    }
}

/// Terminals that change hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handing {
    /// Which way.
    pub kind: Kind,
    /// Which terminals.
    pub terminals: Vec<TerminalId>,
    /// The day.
    pub day: Date,
    /// To or from whom.
    pub contractor: ContractorId,
    /// Who signs for the contractor.
    pub person: String,
    /// What goes with each of them.
    pub things: Vec<String>,
}

/// One line of a terminal's history of holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Its number.
    pub id: i64,
    /// Which way.
    pub kind: Kind,
    /// The day.
    pub day: Date,
    /// When it was written down.
    pub at: Timestamp,
    /// To or from whom.
    pub contractor: ContractorId,
    /// Who signed.
    pub person: String,
    /// What went with it.
    pub things: Vec<String>,
}

/// Digits without what people write between them, in whatever width.
fn digits(text: &str) -> String {
    let half = |c: char| match c {
        // Full-width forms stand 0xFEE0 above ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    let between = |c: &char| !matches!(c, ' ' | '\u{3000}' | '-' | '‐' | '−' | 'ー');
    text.chars().map(half).filter(between).collect()
}

fn word(text: &str, field: Field) -> Result<String, RegisterError> {
    let text = text.trim();
    if text.chars().count() > WORD_CHARS || text.chars().any(char::is_control) {
        return Err(RegisterError::Wrong(field));
    }
    Ok(text.to_owned())
}

impl Record {
    /// As it is kept: trimmed, numbers as digits.
    ///
    /// # Errors
    /// Which field can't be so.
    pub fn checked(&self) -> Result<Self, RegisterError> {
        let number = |text: &str, field, least: usize, most: usize, begins: &str| {
            let digits = digits(text);
            let good = digits.is_empty()
                || digits.bytes().all(|byte| byte.is_ascii_digit())
                    && (least..=most).contains(&digits.len())
                    && digits.starts_with(begins);
            if good { Ok(digits) } else { Err(RegisterError::Wrong(field)) }
        };
        // Browsers send lines as CR LF.
        let remarks = self.remarks.trim().replace("\r\n", "\n");
        if remarks.chars().count() > REMARKS_CHARS || remarks.chars().any(|c| c.is_control() && c != '\n') {
            return Err(RegisterError::Wrong(Field::Remarks));
        }
        Ok(Self {
            asset: word(&self.asset, Field::Asset)?,
            // ITU-T E.118: 89 for telecommunications, at most 19 digits; some makers print a twentieth.
            iccid: number(&self.iccid, Field::Iccid, 18, 20, "89")?,
            // Japan's numbers: 10 to 14 digits, those of machines (020) the longest.
            line: number(&self.line, Field::Line, 10, 14, "0")?,
            model: word(&self.model, Field::Model)?,
            serial: word(&self.serial, Field::Serial)?,
            remarks,
        })
    }

    /// Which fields differ.
    fn differences(&self, other: &Self) -> Vec<Field> {
        let pairs = [
            (Field::Asset, &self.asset, &other.asset),
            (Field::Iccid, &self.iccid, &other.iccid),
            (Field::Line, &self.line, &other.line),
            (Field::Model, &self.model, &other.model),
            (Field::Serial, &self.serial, &other.serial),
            (Field::Remarks, &self.remarks, &other.remarks),
        ];
        pairs.into_iter().filter(|(_, one, two)| one != two).map(|(field, ..)| field).collect()
    }
}

fn known(conn: &Connection, terminal: &TerminalId) -> Result<(), RegisterError> {
    if conn.prepare_cached("SELECT 1 FROM terminal WHERE id = ?1")?.exists([terminal.as_str()])? {
        Ok(())
    } else {
        Err(RegisterError::Unknown(terminal.clone()))
    }
}

/// What is kept of a terminal as a thing.
///
/// # Errors
/// When the store can't be read.
pub fn record(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<Record> {
    let select = "SELECT asset, iccid, line, model, serial, remarks FROM terminal_record WHERE terminal = ?1";
    let found = conn.prepare_cached(select)?.query_row([terminal.as_str()], |row| {
        Ok(Record {
            asset: row.get(0)?,
            iccid: row.get(1)?,
            line: row.get(2)?,
            model: row.get(3)?,
            serial: row.get(4)?,
            remarks: row.get(5)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Keeps what is known of a terminal as a thing. Says which fields that changed.
///
/// # Errors
/// When the terminal is unknown, a field can't be so, another terminal has the number, or the store can't be written.
pub fn keep(
    tx: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    new: &Record,
) -> Result<Vec<Field>, RegisterError> {
    known(tx, terminal)?;
    let new = new.checked()?;
    let changed = record(tx, terminal)?.differences(&new);
    if changed.is_empty() {
        return Ok(changed);
    }
    for (field, value) in [(Field::Asset, &new.asset), (Field::Iccid, &new.iccid), (Field::Line, &new.line)] {
        let select =
            format!("SELECT terminal FROM terminal_record WHERE {} = ?1 AND terminal <> ?2", field.word());
        let other: Option<TerminalId> = tx
            .prepare_cached(&select)?
            .query_row([value, terminal.as_str()], |row| sql::parsed(row, 0))
            .optional()?;
        if let Some(other) = other.filter(|_| !value.is_empty()) {
            return Err(RegisterError::Taken(field, other));
        }
    }
    let upsert =
        "INSERT INTO terminal_record (terminal, asset, iccid, line, model, serial, remarks, changed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (terminal) DO UPDATE SET
            asset = ?2, iccid = ?3, line = ?4, model = ?5, serial = ?6, remarks = ?7, changed_at = ?8";
    let Record { asset, iccid, line, model, serial, remarks } = new;
    tx.execute(upsert, params![terminal.as_str(), asset, iccid, line, model, serial, remarks, sql::ms(now)])?;
    Ok(changed)
}

impl Handing {
    /// As it is kept: each terminal once, no empty lines.
    ///
    /// # Errors
    /// Which field can't be so.
    pub fn checked(&self, today: Date) -> Result<Self, RegisterError> {
        let mut terminals = self.terminals.clone();
        terminals.sort_unstable();
        terminals.dedup();
        if terminals.is_empty() || terminals.len() > AT_A_TIME {
            return Err(RegisterError::Wrong(Field::Terminals));
        }
        if self.day > today || self.day.year() < 2000 {
            return Err(RegisterError::Wrong(Field::Day));
        }
        let person = word(&self.person, Field::Person)?;
        if person.is_empty() {
            return Err(RegisterError::Wrong(Field::Person));
        }
        let things: Vec<String> =
            self.things.iter().map(|thing| word(thing, Field::Things)).collect::<Result<_, _>>()?;
        let things: Vec<String> = things.into_iter().filter(|thing| !thing.is_empty()).collect();
        if things.len() > THINGS {
            return Err(RegisterError::Wrong(Field::Things));
        }
        Ok(Self { terminals, person, things, ..self.clone() })
    }
}

/// Writes down that terminals changed hands: all of them, or none.
///
/// # Errors
/// When a terminal or the contractor is unknown, a field can't be so, a terminal is somewhere else, or the store can't be
/// written.
pub fn hand(tx: &Connection, now: Timestamp, handing: &Handing) -> Result<(), RegisterError> {
    let handing = handing.checked(meguri_proto::clock::business_date(now))?;
    let Handing { kind, terminals, day, contractor, person, things } = handing;
    if !tx.prepare_cached("SELECT 1 FROM contractor WHERE id = ?1")?.exists([contractor.as_str()])? {
        return Err(RegisterError::UnknownContractor(contractor));
    }
    let insert = "INSERT INTO handing (terminal, kind, day, at, contractor, person, things)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    for terminal in terminals {
        known(tx, &terminal)?;
        let last = last(tx, &terminal)?;
        if let Some(last) = &last
            && last.day > day
        {
            return Err(RegisterError::Later { terminal, day: last.day });
        }
        let holder = last.filter(|last| last.kind == Kind::Handover).map(|last| last.contractor);
        match (kind, holder) {
            (Kind::Return, None) => return Err(RegisterError::NotHeld(terminal)),
            (_, Some(holder)) if holder != contractor => {
                return Err(RegisterError::Held { terminal, contractor: holder });
            }
            _ => {}
        }
        tx.execute(
            insert,
            params![
                terminal.as_str(),
                kind.word(),
                day.to_string(),
                sql::ms(now),
                contractor.as_str(),
                person,
                serde_json::json!(things).to_string()
            ],
        )?;
    }
    Ok(())
}

const HANDED: &str = "SELECT id, kind, day, at, contractor, person, things FROM handing";

fn handed(row: &Row<'_>) -> rusqlite::Result<Handed> {
    Ok(Handed {
        id: row.get(0)?,
        kind: sql::parsed(row, 1)?,
        day: sql::parsed(row, 2)?,
        at: sql::instant(row.get(3)?),
        contractor: sql::parsed(row, 4)?,
        person: row.get(5)?,
        things: sql::json(row, 6)?,
    })
}

/// The newest line of a terminal's history.
fn last(conn: &Connection, terminal: &TerminalId) -> rusqlite::Result<Option<Handed>> {
    conn.prepare_cached(&format!("{HANDED} WHERE terminal = ?1 ORDER BY id DESC LIMIT 1"))?
        .query_row([terminal.as_str()], handed)
        .optional()
}

/// Who has had a terminal, the newest first; of another contractor nothing is seen.
///
/// # Errors
/// When the store can't be read.
pub fn history(conn: &Connection, terminal: &TerminalId, scope: &Scope) -> rusqlite::Result<Vec<Handed>> {
    let select = format!("{HANDED} WHERE terminal = ?1 AND (?2 IS NULL OR contractor = ?2) ORDER BY id DESC");
    conn.prepare_cached(&select)?.query_map(params![terminal.as_str(), scope.contractor()], handed)?.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;
    use meguri_proto::Incarnation;
    use uuid::Uuid;

    use super::*;
    use crate::store::Store;

    fn now() -> Timestamp {
        "2026-04-01T03:00:00Z".parse().unwrap()
    }

    fn bench() -> (Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let city = "hiroshima".parse().unwrap();
        let store = Store::open(dir.path(), &city, now(), Incarnation(Uuid::from_u128(9))).unwrap();
        store
            .conn
            .execute_batch(
                "INSERT INTO contractor VALUES ('k1', 'a'), ('k2', 'b');
                INSERT INTO contract VALUES ('c', 'k1', '2026-04-01', '2027-03-31');
                INSERT INTO vehicle VALUES ('v', 'c', '1', 'A');
                INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at)
                    VALUES ('t-1', 'c', 'v', x'', 0), ('t-2', 'c', 'v', x'', 0);",
            )
            .unwrap();
        (store, dir)
    }

    fn id(terminal: &str) -> TerminalId {
        terminal.parse().unwrap()
    }

    fn record_of(asset: &str, iccid: &str, line: &str) -> Record {
        Record {
            asset: asset.to_owned(),
            iccid: iccid.to_owned(),
            line: line.to_owned(),
            ..Record::default()
        }
    }

    #[test]
    fn numbers_are_kept_as_digits_and_once() {
        let (store, _dir) = bench();
        let typed = record_of(" 市-0012 ", "8981 1000 0000 0000 123", "０２０−1234−5678");
        let changed = keep(&store.conn, now(), &id("t-1"), &typed).unwrap();
        assert_eq!(changed, [Field::Asset, Field::Iccid, Field::Line]);
        let kept = record(&store.conn, &id("t-1")).unwrap();
        assert_eq!(kept, record_of("市-0012", "8981100000000000123", "02012345678"));
        assert_eq!(keep(&store.conn, now(), &id("t-1"), &typed).unwrap(), [], "nothing new");
        for (new, field) in [
            (record_of("市-0012", "", ""), Field::Asset),
            (record_of("", "8981100000000000123", ""), Field::Iccid),
            (record_of("", "", "020-1234-5678"), Field::Line),
        ] {
            let error = keep(&store.conn, now(), &id("t-2"), &new).unwrap_err();
            assert!(
                matches!(&error, RegisterError::Taken(of, by) if *of == field && *by == id("t-1")),
                "{error}"
            );
        }
        for (new, field) in [
            (record_of(&"x".repeat(61), "", ""), Field::Asset),
            (record_of("a\nb", "", ""), Field::Asset),
            (record_of("", "898110000000", ""), Field::Iccid),
            (record_of("", "1181100000000000123", ""), Field::Iccid),
            (record_of("", "89811000000000001x3", ""), Field::Iccid),
            (record_of("", "", "12345"), Field::Line),
            (record_of("", "", "90-1234-5678"), Field::Line),
            (Record { remarks: "x".repeat(501), ..Record::default() }, Field::Remarks),
        ] {
            let error = keep(&store.conn, now(), &id("t-2"), &new).unwrap_err();
            assert!(matches!(error, RegisterError::Wrong(of) if of == field), "{error}");
        }
        assert!(matches!(
            keep(&store.conn, now(), &id("t-3"), &Record::default()),
            Err(RegisterError::Unknown(_))
        ));
        // Two terminals of which nothing is known are no clash.
        keep(&store.conn, now(), &id("t-1"), &Record::default()).unwrap();
        keep(&store.conn, now(), &id("t-2"), &typed).unwrap();
    }

    fn handing(kind: Kind, terminals: &[&str], contractor: &str, day: Date) -> Handing {
        Handing {
            kind,
            terminals: terminals.iter().map(|name| id(name)).collect(),
            day,
            contractor: contractor.parse().unwrap(),
            person: "受取 花子".to_owned(),
            things: vec!["充電器".to_owned(), String::new()],
        }
    }

    #[test]
    fn a_terminal_is_with_one_at_a_time_and_its_history_stays() {
        let (mut store, _dir) = bench();
        let today = date(2026, 4, 1);
        let mut go = |one: &Handing| {
            let tx = store.conn.transaction().unwrap();
            let done = hand(&tx, now(), one);
            if done.is_ok() {
                tx.commit().unwrap();
            }
            done
        };
        let out = |terminals: &[&str], contractor: &str| {
            handing(Kind::Handover, terminals, contractor, date(2026, 3, 30))
        };
        let back =
            |terminals: &[&str], contractor: &str, day| handing(Kind::Return, terminals, contractor, day);
        assert!(matches!(go(&back(&["t-1"], "k1", today)), Err(RegisterError::NotHeld(_))));
        go(&out(&["t-1", "t-1"], "k1")).unwrap();
        // One that is elsewhere stops all of them.
        assert!(matches!(go(&out(&["t-2", "t-1"], "k2")), Err(RegisterError::Held { .. })));
        assert!(matches!(go(&back(&["t-1"], "k2", today)), Err(RegisterError::Held { .. })));
        assert!(matches!(go(&back(&["t-1"], "k1", date(2026, 3, 29))), Err(RegisterError::Later { .. })));
        for (wrong, field) in [
            (back(&["t-1"], "k1", date(2026, 4, 2)), Field::Day),
            (back(&[], "k1", today), Field::Terminals),
            (Handing { person: " ".to_owned(), ..back(&["t-1"], "k1", today) }, Field::Person),
            (Handing { things: vec!["x".to_owned(); 21], ..back(&["t-1"], "k1", today) }, Field::Things),
        ] {
            assert!(matches!(go(&wrong), Err(RegisterError::Wrong(of)) if of == field), "{field:?}");
        }
        assert!(matches!(go(&out(&["t-2"], "k9")), Err(RegisterError::UnknownContractor(_))));
        go(&back(&["t-1"], "k1", today)).unwrap();
        go(&handing(Kind::Handover, &["t-1", "t-2"], "k2", today)).unwrap();

        let conn = &store.conn;
        let all = history(conn, &id("t-1"), &Scope::City).unwrap();
        let told: Vec<_> = all.iter().map(|one| (one.kind, one.contractor.as_str())).collect();
        assert_eq!(told, [(Kind::Handover, "k2"), (Kind::Return, "k1"), (Kind::Handover, "k1")]);
        assert_eq!(all[0].things, ["充電器"]);
        let own = history(conn, &id("t-1"), &Scope::Contractor("k2".parse().unwrap())).unwrap();
        assert_eq!(own.len(), 1, "another contractor's people are none of theirs");
        for change in ["UPDATE handing SET person = ''", "DELETE FROM handing"] {
            let error = conn.execute(change, []).unwrap_err().to_string();
            assert!(error.contains("stays written down"), "{change}: {error}");
        }
    }
}
