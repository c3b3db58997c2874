//! Terminals' certificates: enrolled by a code, renewed with the key they have, replaced once the next one has come in.
//!
//! All of it runs in the writer's transaction. What is refused is no error: a wrong try is counted, and counting is
//! written, too.

use jiff::{SignedDuration, Timestamp};
use meguri_proto::enrol::{Code, CodeKey, EnrolRequest, RenewRequest};
use meguri_proto::{Digest, TerminalId};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rusqlite::{Connection, OptionalExtension as _, params};
use x509_parser::oid_registry;
use x509_parser::pem::Pem;

use crate::broker::Certificate;
use crate::ca::{self, Authority, CaError};
use crate::store::sql;
use crate::terminals::TerminalError;

/// Wrong tries after which a code is void: nobody mistypes it as often.
pub(crate) const TRIES: i64 = 5;
/// How many certificates of a terminal that it has not come in by hold at a time: answers get lost, keys too.
const WAITING: i64 = 3;

/// Why a terminal gets no certificate. It is told no more than this: which codes there are is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The code is unknown, used, too old, tried too often, or not the one that the terminal knows.
    #[error("the code is not taken; ask the office for a new one")]
    Code,
    /// The code is another terminal's than the device is. It stays good.
    #[error("{0}")]
    OtherTerminal(TerminalId),
    /// The certificate is unknown, over, replaced or its terminal blocked, or it was not its key that signed.
    #[error("the certificate is not taken; the terminal must enrol by a code")]
    Certificate,
    /// The certificate request can't be taken.
    #[error("{0}")]
    Request(String),
}

/// Why the office can't answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The store can't be read or written.
    #[error("the store can't keep a certificate: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The terminal can't be let in.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The authority can't make a certificate.
    #[error(transparent)]
    Ca(CaError),
}

/// What a terminal gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// Which terminal.
    pub terminal: TerminalId,
    /// Its certificate, as PEM.
    pub pem: String,
    /// The code's key, where it was by a code.
    pub key: Option<CodeKey>,
}

/// By what certificates are made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The authority.
    pub authority: &'a Authority,
    /// The office's time.
    pub now: Timestamp,
    /// Drawn for the certificate's number.
    pub random: [u8; 16],
    /// For how many days it holds.
    pub days: u16,
}

/// Opens an enrolment: whoever brings the code within `minutes` becomes this terminal. Codes that were open before are void.
///
/// # Errors
/// When the terminal is unknown, another terminal's open code has the same name (one in a million), or the
/// store can't be written.
pub fn open(
    tx: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    code: &Code,
    minutes: u16,
) -> Result<Timestamp, TerminalError> {
    if !tx.prepare_cached("SELECT 1 FROM terminal WHERE id = ?1")?.exists([terminal.as_str()])? {
        return Err(TerminalError::Unknown(terminal.clone()));
    }
    tx.execute(
        "UPDATE enrolment SET code_key = NULL WHERE code_key IS NOT NULL AND until <= ?1",
        [sql::ms(now)],
    )?;
    void_code(tx, terminal)?;
    let taken = "SELECT 1 FROM enrolment WHERE name = ?1 AND code_key IS NOT NULL";
    if tx.prepare_cached(taken)?.exists([code.name()])? {
        return Err(TerminalError::CodeTaken);
    }
    let until = now.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX);
    tx.execute(
        "INSERT INTO enrolment (name, terminal, code_key, made_at, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![code.name(), terminal.as_str(), code.key().0.as_slice(), sql::ms(now), sql::ms(until)],
    )?;
    Ok(until)
}

/// Takes a code: the terminal has this certificate and no other any more, as whoever has an earlier key may not be who
/// brings the code. The same request again gets the same certificate, as the answer may have been lost.
///
/// That a blocked terminal is let in again with it is the caller's to do.
///
/// # Errors
/// When the store or the authority fails.
pub fn enrol(
    tx: &Connection,
    making: Making<'_>,
    request: &EnrolRequest,
    channel: &Digest,
) -> Result<Result<Certified, Refused>, EnrolError> {
    let select = "SELECT id, terminal, code_key, serial FROM enrolment
        WHERE name = ?1 AND code_key IS NOT NULL AND until > ?2 AND failures < ?3";
    let found: Option<(i64, TerminalId, CodeKey, Option<String>)> = tx
        .prepare_cached(select)?
        .query_row(params![request.code, sql::ms(making.now), TRIES], |row| {
            Ok((row.get(0)?, sql::parsed(row, 1)?, CodeKey(sql::digest(row, 2)?.0), row.get(3)?))
        })
        .optional()?;
    let Some((id, terminal, key, used)) = found else { return Ok(Err(Refused::Code)) };
    if !request.is_of(&key, channel) {
        tx.execute("UPDATE enrolment SET failures = failures + 1 WHERE id = ?1", [id])?;
        return Ok(Err(Refused::Code));
    }
    if request.terminal.as_ref().is_some_and(|is| *is != terminal) {
        return Ok(Err(Refused::OtherTerminal(terminal)));
    }
    let certified = |pem| Ok(Ok(Certified { terminal: terminal.clone(), pem, key: Some(key.clone()) }));
    if let Some(serial) = used {
        let select = "SELECT pem FROM certificate WHERE serial = ?1 AND request = ?2 AND ended_at IS NULL";
        let again: Option<String> = tx
            .query_row(select, params![serial, Digest::of(request.csr.as_bytes()).0.as_slice()], |row| {
                row.get(0)
            })
            .optional()?;
        return again.map_or(Ok(Err(Refused::Code)), certified);
    }
    let (serial, pem) = match issue(tx, making, &terminal, &request.csr)? {
        Ok(issued) => issued,
        Err(refused) => return Ok(Err(refused)),
    };
    tx.execute(
        "UPDATE certificate SET ended_at = ?3 WHERE terminal = ?1 AND serial <> ?2 AND ended_at IS NULL",
        params![terminal.as_str(), serial, sql::ms(making.now)],
    )?;
    tx.execute(
        "UPDATE enrolment SET used_at = ?2, serial = ?3 WHERE id = ?1",
        params![id, sql::ms(making.now), serial],
    )?;
    certified(pem)
}

/// Renews a terminal's certificate. The same request again gets the same certificate.
///
/// # Errors
/// When the store or the authority fails.
pub fn renew(
    tx: &Connection,
    making: Making<'_>,
    request: &RenewRequest,
    channel: &Digest,
) -> Result<Result<Certified, Refused>, EnrolError> {
    // One that is lost may renew: without a certificate that holds it could not come in for its erasure. It gets nothing else by
    // the new one, and is blocked once it is erased.
    let select = "SELECT public_key FROM certificate JOIN terminal ON terminal.id = certificate.terminal
        WHERE serial = ?1 AND terminal = ?2 AND ended_at IS NULL AND not_after > ?3 AND blocked_at IS NULL
            AND request <> x''";
    let key: Option<Vec<u8>> = tx
        .prepare_cached(select)?
        .query_row(params![request.serial, request.terminal.as_str(), sql::ms(making.now)], |row| row.get(0))
        .optional()?;
    let signed = RenewRequest::signed(&request.terminal, &request.serial, &request.csr, channel);
    let is_of = |key: &[u8]| {
        let signature = bytes(&request.signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(&signed, &signature).ok()
    };
    if key.as_deref().and_then(is_of).is_none() {
        return Ok(Err(Refused::Certificate));
    }
    let certified = |pem| Certified { terminal: request.terminal.clone(), pem, key: None };
    let select = "SELECT pem FROM certificate WHERE terminal = ?1 AND request = ?2 AND ended_at IS NULL";
    let again: Option<String> = tx
        .query_row(
            select,
            params![request.terminal.as_str(), Digest::of(request.csr.as_bytes()).0.as_slice()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(pem) = again {
        return Ok(Ok(certified(pem)));
    }
    Ok(issue(tx, making, &request.terminal, &request.csr)?.map(|(_, pem)| certified(pem)))
}

/// Notes that a terminal has come in by a certificate: those before it are not taken any more. Says whether it was the
/// first time.
///
/// # Errors
/// When the store can't be written.
pub fn came_in(
    tx: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    serial: &str,
) -> rusqlite::Result<bool> {
    let first = tx.execute(
        "UPDATE certificate SET connected_at = ?3
            WHERE serial = ?1 AND terminal = ?2 AND connected_at IS NULL AND ended_at IS NULL",
        params![serial, terminal.as_str(), sql::ms(now)],
    )?;
    if first == 0 {
        return Ok(false);
    }
    tx.execute(
        "UPDATE certificate SET ended_at = ?3
            WHERE terminal = ?2 AND serial <> ?1 AND ended_at IS NULL
                AND rowid < (SELECT rowid FROM certificate WHERE serial = ?1)",
        params![serial, terminal.as_str(), sql::ms(now)],
    )?;
    Ok(true)
}

/// Voids a terminal's open code.
///
/// # Errors
/// When the store can't be written.
pub fn void_code(tx: &Connection, terminal: &TerminalId) -> rusqlite::Result<()> {
    tx.execute("UPDATE enrolment SET code_key = NULL WHERE terminal = ?1", [terminal.as_str()])?;
    Ok(())
}

/// Every certificate that is taken, by terminal, for the broker.
///
/// # Errors
/// When the store can't be read.
pub fn certificates(conn: &Connection) -> rusqlite::Result<Vec<(TerminalId, Certificate)>> {
    let select = "SELECT terminal, serial, connected_at IS NOT NULL, pem FROM certificate WHERE ended_at IS NULL ORDER BY rowid";
    let mut statement = conn.prepare(select)?;
    let rows = statement.query_map([], |row| {
        Ok((
            sql::parsed(row, 0)?,
            Certificate { serial: row.get(1)?, connected: row.get(2)?, pem: row.get::<_, String>(3)?.into() },
        ))
    })?;
    rows.collect()
}

/// Makes a certificate and keeps it. Says its number and itself.
fn issue(
    tx: &Connection,
    making: Making<'_>,
    terminal: &TerminalId,
    csr: &str,
) -> Result<Result<(String, String), Refused>, EnrolError> {
    let Making { authority, now, random, days } = making;
    let issued = match authority.terminal(terminal, csr, random, now, days) {
        Ok(issued) => issued,
        Err(error @ CaError::Request(_)) => return Ok(Err(Refused::Request(error.to_string()))),
        Err(error) => return Err(EnrolError::Ca(error)),
    };
    tx.execute(
        "INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            issued.serial,
            terminal.as_str(),
            issued.public_key,
            Digest::of(csr.as_bytes()).0.as_slice(),
            issued.pem,
            sql::ms(now),
            sql::ms(issued.not_after),
        ],
    )?;
    end_lost(tx, terminal, now)?;
    Ok(Ok((issued.serial, issued.pem)))
}

/// The certificate that the terminal comes in by stays, and the newest of those that it has not come in by.
fn end_lost(tx: &Connection, terminal: &TerminalId, now: Timestamp) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE certificate SET ended_at = ?2
            WHERE terminal = ?1 AND ended_at IS NULL AND connected_at IS NULL AND rowid NOT IN
                (SELECT rowid FROM certificate WHERE terminal = ?1 AND ended_at IS NULL AND connected_at IS NULL
                    ORDER BY rowid DESC LIMIT ?3)",
        params![terminal.as_str(), sql::ms(now), WAITING],
    )
    .map(drop)
}

/// Registers a certificate that the city's own authority has issued for a terminal: it is taken from now on, and those before
/// it until the terminal has come in by it. Whether that authority vouches for it, is for the caller to know. Once registered, again changes nothing.
///
/// # Errors
/// When it is not this terminal's, or over, or can't be used, or the store can't be written.
pub fn register(
    tx: &Connection,
    now: Timestamp,
    terminal: &TerminalId,
    pem: &str,
) -> Result<(), TerminalError> {
    if !tx.prepare_cached("SELECT 1 FROM terminal WHERE id = ?1")?.exists([terminal.as_str()])? {
        return Err(TerminalError::Unknown(terminal.clone()));
    }
    let Given { serial, public_key, not_after, pem } = Given::read(terminal, pem, now)?;
    let select = "SELECT terminal, pem, ended_at IS NOT NULL FROM certificate WHERE serial = ?1";
    let known: Option<(TerminalId, String, bool)> = tx
        .prepare_cached(select)?
        .query_row([&serial], |row| Ok((sql::parsed(row, 0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match known {
        None => {}
        Some((of, held, false)) if of == *terminal && held == pem => return Ok(()),
        Some((of, held, true)) if of == *terminal && held == pem => {
            let problem = "it was registered before, and another one has taken its place; have the city's authority issue a new one";
            return Err(TerminalError::Certificate(problem.to_owned()));
        }
        Some((of, ..)) => {
            let problem = format!("another certificate, of terminal {of}, has its serial number {serial}");
            return Err(TerminalError::Certificate(problem));
        }
    }
    tx.execute(
        // It answers no request.
        "INSERT INTO certificate (serial, terminal, public_key, request, pem, issued_at, not_after)
            VALUES (?1, ?2, ?3, x'', ?4, ?5, ?6)",
        params![serial, terminal.as_str(), public_key, pem, sql::ms(now), sql::ms(not_after)],
    )?;
    end_lost(tx, terminal, now)?;
    Ok(())
}

/// A certificate that somebody else has issued.
struct Given {
    serial: String,
    public_key: Vec<u8>,
    not_after: Timestamp,
    /// As it is kept, without what may stand around it in its file.
    pem: String,
}

impl Given {
    fn read(terminal: &TerminalId, pem: &str, now: Timestamp) -> Result<Self, TerminalError> {
        let wrong = |problem: String| TerminalError::Certificate(problem);
        let pem = ca::first(pem).ok_or_else(|| wrong("the file holds none (PEM)".to_owned()))?;
        let first = Pem::iter_from_buffer(pem.as_bytes()).next();
        let Some(Ok(first)) = first else { return Err(wrong("the file can't be read (PEM)".to_owned())) };
        let read = first.parse_x509().map_err(|error| wrong(format!("it can't be read: {error}")))?;
        let names: Vec<_> = read.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect();
        if names != [terminal.as_str()] {
            let problem = format!("its common name is {names:?}, expected {:?} alone", terminal.as_str());
            return Err(wrong(problem));
        }
        let usage = read.extended_key_usage().ok().flatten();
        if usage.is_some_and(|usage| !usage.value.client_auth && !usage.value.any) {
            return Err(wrong("it is not for coming in (extended key usage clientAuth)".to_owned()));
        }
        let key = read.public_key();
        let public_key = key.subject_public_key.data.to_vec();
        // A point of P-256, uncompressed (SEC 1): what terminals have.
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        if curve != Some(oid_registry::OID_EC_P256) || public_key.len() != 65 {
            return Err(wrong("its key is not of P-256".to_owned()));
        }
        let end = read.validity().not_after.timestamp();
        let not_after = Timestamp::from_second(end).map_err(|_| wrong("its end can't be".to_owned()))?;
        if not_after <= now {
            return Err(wrong(format!("it ended at {not_after}")));
        }
        let serial = read.serial.to_str_radix(16);
        Ok(Self { serial, public_key, not_after, pem })
    }
}

/// Hexadecimal digits as bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use meguri_proto::Nonce;
    use rcgen::{CertificateParams, KeyPair, SigningKey as _};
    use uuid::Uuid;

    use super::*;
    use crate::store::Store;

    /// An office with one terminal, and its authority.
    struct Bench {
        store: Store,
        authority: Authority,
        _dir: tempfile::TempDir,
    }

    const OFFICE: Digest = Digest([7; 32]);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
    }

    fn terminal() -> TerminalId {
        "t-0001".parse().unwrap()
    }

    fn code() -> Code {
        "ABCD-EF01-2345-6789".parse().unwrap()
    }

    fn csr(pair: &KeyPair) -> String {
        CertificateParams::default().serialize_request(pair).unwrap().pem().unwrap()
    }

    fn asks(code: &Code, csr: &str) -> EnrolRequest {
        EnrolRequest::new(code, Nonce(Uuid::from_u128(1)), csr.to_owned(), None, &OFFICE)
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let city = "hiroshima".parse().unwrap();
            let incarnation = meguri_proto::Incarnation(Uuid::from_u128(9));
            let store = Store::open(dir.path(), &city, at(0), incarnation).unwrap();
            store
                .conn
                .execute_batch(
                    "PRAGMA foreign_keys = OFF;
                    INSERT INTO terminal (id, contract, vehicle, secret_sha256, added_at)
                        VALUES ('t-0001', 'c', 'v', x'', 0);
                    PRAGMA foreign_keys = ON;",
                )
                .unwrap();
            let authority = Authority::open(dir.path(), &city, at(0), false).unwrap();
            Self { store, authority, _dir: dir }
        }

        fn making(&self, minutes: i64) -> Making<'_> {
            Making { authority: &self.authority, now: at(minutes), random: rand::random(), days: 400 }
        }

        fn open(&self, minutes: i64) {
            open(&self.store.conn, at(minutes), &terminal(), &code(), 60).unwrap();
        }

        fn enrol(&self, minutes: i64, request: &EnrolRequest) -> Result<Certified, Refused> {
            enrol(&self.store.conn, self.making(minutes), request, &OFFICE).unwrap()
        }

        fn renew(&self, minutes: i64, serial: &str, by: &KeyPair, csr: &str) -> Result<Certified, Refused> {
            let signed = RenewRequest::signed(&terminal(), serial, csr, &OFFICE);
            let signature = meguri_proto::enrol::hex(&by.sign(&signed).unwrap());
            let (serial, csr) = (serial.to_owned(), csr.to_owned());
            let request = RenewRequest { v: 1, terminal: terminal(), serial, csr, signature };
            renew(&self.store.conn, self.making(minutes), &request, &OFFICE).unwrap()
        }

        fn taken(&self) -> Vec<String> {
            certificates(&self.store.conn).unwrap().into_iter().map(|(_, c)| c.serial).collect()
        }
    }

    #[test]
    fn a_code_holds_for_its_time_its_request_and_five_tries() {
        let (bench, mine) = (Bench::new(), csr(&KeyPair::generate().unwrap()));
        let good = asks(&code(), &mine);
        assert_eq!(bench.enrol(0, &good), Err(Refused::Code), "nobody has drawn it");
        bench.open(0);
        assert_eq!(bench.enrol(60, &good), Err(Refused::Code), "its time is over");
        let between = EnrolRequest::new(&code(), good.nonce, mine.clone(), None, &Digest([8; 32]));
        for _ in 0..4 {
            assert_eq!(bench.enrol(1, &between), Err(Refused::Code), "shown another certificate");
        }
        let certified = bench.enrol(59, &good).unwrap();
        assert_eq!((certified.terminal.as_str(), certified.key.is_some()), ("t-0001", true));
        assert_eq!(bench.enrol(59, &good).unwrap().pem, certified.pem, "the answer may have been lost");
        let other = csr(&KeyPair::generate().unwrap());
        assert_eq!(bench.enrol(59, &asks(&code(), &other)), Err(Refused::Code), "another device");
        assert_eq!(bench.taken().len(), 1);

        // A thief of the first key renews it before the terminal enrols anew: neither is taken after that.
        bench.open(99);
        let anew = bench.enrol(99, &asks(&code(), &other)).unwrap();
        assert_ne!(anew.pem, certified.pem);
        assert_eq!(bench.taken().len(), 1, "what was before is over");

        bench.open(100);
        let next = asks(&code(), &csr(&KeyPair::generate().unwrap()));
        for _ in 0..5 {
            assert_eq!(bench.enrol(101, &between), Err(Refused::Code));
        }
        assert_eq!(bench.enrol(101, &next), Err(Refused::Code), "tried too often");
    }

    #[test]
    fn a_request_that_cant_be_taken_leaves_the_code() {
        let bench = Bench::new();
        bench.open(0);
        assert!(matches!(bench.enrol(1, &asks(&code(), "none")), Err(Refused::Request(_))));
        assert!(bench.enrol(1, &asks(&code(), &csr(&KeyPair::generate().unwrap()))).is_ok());
    }

    #[test]
    fn only_the_key_of_a_certificate_that_holds_renews_it() {
        let (bench, key) = (Bench::new(), KeyPair::generate().unwrap());
        bench.open(0);
        bench.enrol(1, &asks(&code(), &csr(&key))).unwrap();
        let first = bench.taken().remove(0);
        let (next, wanted) = (KeyPair::generate().unwrap(), csr(&KeyPair::generate().unwrap()));
        assert_eq!(bench.renew(2, &first, &next, &wanted), Err(Refused::Certificate), "another key");
        assert_eq!(bench.renew(2, "00", &key, &wanted), Err(Refused::Certificate), "another certificate");
        let over = 400 * 24 * 60 + 1;
        assert_eq!(bench.renew(over, &first, &key, &wanted), Err(Refused::Certificate), "it is over");
        let renewed = bench.renew(2, &first, &key, &wanted).unwrap();
        assert_eq!(bench.renew(3, &first, &key, &wanted).unwrap(), renewed, "asked again");
        assert_eq!(bench.taken().len(), 2, "both, until the new one has come in");
        let second = bench.taken().remove(1);
        assert!(came_in(&bench.store.conn, at(4), &terminal(), &second).unwrap());
        assert!(!came_in(&bench.store.conn, at(4), &terminal(), &second).unwrap(), "once");
        assert_eq!(bench.taken(), [second]);
        assert_eq!(bench.renew(5, &first, &key, &wanted), Err(Refused::Certificate), "it was replaced");
        bench.store.conn.execute("UPDATE terminal SET blocked_at = 1", []).unwrap();
        let second = bench.taken().remove(0);
        assert_eq!(bench.renew(5, &second, &key, &wanted), Err(Refused::Certificate), "it is blocked");
    }

    /// A certificate for t-0001, or as it is changed, by an authority of the city.
    fn of_city(change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "t-0001");
        let day = |n: i64| time::OffsetDateTime::from_unix_timestamp(1_800_000_000 + n * 86_400).unwrap();
        (params.not_before, params.not_after) = (day(-1), day(400));
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x0a, 0x10]));
        change(&mut params);
        let issuer = rcgen::Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
        let key = KeyPair::generate().unwrap();
        format!("{}{}", key.serialize_pem(), params.signed_by(&key, &issuer).unwrap().pem())
    }

    #[test]
    fn a_certificate_of_the_city_is_taken_as_it_is_and_never_renewed_here() {
        let (bench, key) = (Bench::new(), KeyPair::generate().unwrap());
        bench.open(0);
        bench.enrol(1, &asks(&code(), &csr(&key))).unwrap();
        let own = bench.taken().remove(0);
        let (conn, given) = (&bench.store.conn, of_city(|_| {}));
        register(conn, at(2), &terminal(), &given).unwrap();
        register(conn, at(3), &terminal(), &given).unwrap();
        assert_eq!(
            bench.taken(),
            [own.clone(), "a10".to_owned()],
            "both, until it has come in; without leading zeros"
        );
        let kept: String =
            conn.query_row("SELECT pem FROM certificate WHERE serial = 'a10'", [], |row| row.get(0)).unwrap();
        assert!(kept.starts_with("-----BEGIN CERTIFICATE-----") && !kept.contains("KEY"), "no key is kept");
        assert!(came_in(conn, at(4), &terminal(), "a10").unwrap());
        assert_eq!(bench.taken(), ["a10"]);
        let by_city = KeyPair::from_pem(&given).unwrap();
        assert_eq!(bench.renew(5, "a10", &by_city, &csr(&key)), Err(Refused::Certificate));
        // An enrolment by a code ends it, and it does not come back.
        bench.open(6);
        bench.enrol(7, &asks(&code(), &csr(&KeyPair::generate().unwrap()))).unwrap();
        assert!(matches!(register(conn, at(8), &terminal(), &given), Err(TerminalError::Certificate(_))));
    }

    #[test]
    fn what_is_not_this_terminals_is_not_registered() {
        let bench = Bench::new();
        let refused = |pem: &str, expected: &str| {
            let error = register(&bench.store.conn, at(0), &terminal(), pem).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused("", "holds none");
        refused("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "can't be read");
        refused(
            &of_city(|params| {
                params.distinguished_name = rcgen::DistinguishedName::new();
                params.distinguished_name.push(rcgen::DnType::CommonName, "t-0002");
            }),
            "common name",
        );
        refused(&of_city(|params| params.not_after = params.not_before), "it ended");
        refused(
            &of_city(|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]),
            "clientAuth",
        );
        let other: TerminalId = "t-0009".parse().unwrap();
        assert!(matches!(
            register(&bench.store.conn, at(0), &other, &of_city(|_| {})),
            Err(TerminalError::Unknown(_))
        ));
        register(&bench.store.conn, at(0), &terminal(), &of_city(|_| {})).unwrap();
        refused(&of_city(|_| {}), "has its serial number a10");
    }

    #[test]
    fn keys_that_got_lost_do_not_pile_up() {
        let (bench, key) = (Bench::new(), KeyPair::generate().unwrap());
        bench.open(0);
        bench.enrol(1, &asks(&code(), &csr(&key))).unwrap();
        let first = bench.taken().remove(0);
        came_in(&bench.store.conn, at(1), &terminal(), &first).unwrap();
        for _ in 0..10 {
            bench.renew(2, &first, &key, &csr(&KeyPair::generate().unwrap())).unwrap();
        }
        let taken = bench.taken();
        assert_eq!(taken.len(), 1 + usize::try_from(WAITING).unwrap());
        assert!(taken.contains(&first), "the one in use stays");
    }
}
