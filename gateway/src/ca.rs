//! The gateway's own certificate authority: it vouches for the office to terminals and browsers, and for terminals to the
//! broker.
//!
//! Its key lies in the data folder and is made at the first start with TLS. All keys are ECDSA over P-256. A terminal's
//! certificate names the terminal (common name) and carries a serial number drawn at random, by which the office knows it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use meguri_proto::enrol::hex;
use meguri_proto::{CityId, Digest, TerminalId};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SanType, SerialNumber,
};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use crate::store::write_durably;

/// The authority's folder in the data folder.
pub const FOLDER: &str = "ca";
const AUTHORITY: &str = "authority.pem";
/// With the city's own authority behind it.
const TERMINALS: &str = "terminals.pem";
const AUTHORITY_KEY: &str = "authority.key";
/// The office's certificate there.
pub(crate) const OFFICE: &str = "office.pem";
const OFFICE_KEY: &str = "office.key";

/// How long the authority itself is believed: longer than any terminal is in use.
const AUTHORITY_DAYS: i64 = 20 * 365;
/// How long the office's certificate is. Browsers believe none that is longer (CA/Browser Forum, 398 days).
const OFFICE_DAYS: i64 = 397;
/// A certificate counts from a day before it was issued: clocks differ.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// The attribute `serialNumber` of a name (X.520, 2.5.4.5).
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// Why a certificate can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file of the authority can't be read or written.
    #[error("can't {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {expected}: {problem}; put the file back from a backup of the data folder", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected in it.
        expected: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A part of the authority is missing, or all of one that terminals have certificates of.
    #[error(
        "{} is missing; put it back from a backup of the data folder: with another authority every \
         terminal would have to enrol anew", path.display()
    )]
    Half {
        /// What is missing.
        path: PathBuf,
    },
    /// A name that can stand in no certificate.
    #[error("tls.names: {name:?} is no host name and no address")]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate request that can't be taken.
    #[error("the certificate request can't be taken: {0}")]
    Request(String),
    /// A certificate can't be made.
    #[error("can't make a certificate: {0}")]
    Making(#[from] rcgen::Error),
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CaError {
    move |source| CaError::File { doing, path: path.to_owned(), source }
}

/// Where a certificate and its key lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// The certificate, and what leads from it to an authority, as PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A terminal's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// The certificate, as PEM.
    pub pem: String,
    /// The terminal's public key: a point of P-256, uncompressed (SEC 1).
    pub public_key: Vec<u8>,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// The authority.
pub struct Authority {
    folder: PathBuf,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority of a data folder. Where there is none it is made, but not where it has `vouched` for terminals
    /// already: with another one they would all be locked out.
    ///
    /// # Errors
    /// When its files can't be read or written, hold something else, or are missing.
    pub fn open(data: &Path, city: &CityId, now: Timestamp, vouched: bool) -> Result<Self, CaError> {
        let folder = data.join(FOLDER);
        let (certificate, key) = (folder.join(AUTHORITY), folder.join(AUTHORITY_KEY));
        match (is_there(&certificate)?, is_there(&key)?) {
            (true, true) => {}
            // A key alone is a making that was cut: nobody has seen its certificate.
            (false, _) if !vouched => make(&folder, city, now)?,
            (false, _) => return Err(CaError::Half { path: certificate }),
            (true, false) => return Err(CaError::Half { path: key }),
        }
        let pem = read(&certificate)?;
        let content = |path: &Path, expected| {
            let path = path.to_owned();
            move |error: rcgen::Error| CaError::Content { path, expected, problem: error.to_string() }
        };
        let pair = KeyPair::from_pem(&read(&key)?).map_err(content(&key, "private key"))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, pair).map_err(content(&certificate, "certificate"))?;
        Ok(Self { folder, pem, issuer })
    }

    /// Where the certificates lie, as PEM, of who vouches for terminals: its own, and with it another authority's.
    ///
    /// # Errors
    /// When the file of both can't be written.
    pub fn vouching(&self, other: Option<&str>) -> Result<PathBuf, CaError> {
        let Some(other) = other else { return Ok(self.folder.join(AUTHORITY)) };
        let both = self.folder.join(TERMINALS);
        write_durably(&both, format!("{}{other}", self.pem).as_bytes(), 0o644)
            .map_err(file("write", &both))?;
        Ok(both)
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The office's own certificate for these host names and addresses: the one that is there, or where its names have
    /// changed or two thirds of its life are over, a new one.
    ///
    /// # Errors
    /// When a name can stand in no certificate, or the files can't be written.
    pub fn office(&self, names: &[String], now: Timestamp) -> Result<Files, CaError> {
        let files = Files { certificate: self.folder.join(OFFICE), key: self.folder.join(OFFICE_KEY) };
        if self.is_good(&files, names, now)? {
            return Ok(files);
        }
        let mut params = self.params(&city_office(names), now, OFFICE_DAYS);
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&pair, &self.issuer)?;
        // The certificate last: with another key it is seen to be no pair, and both are made anew.
        write_durably(&files.key, pair.serialize_pem().as_bytes(), 0o600)
            .map_err(file("write", &files.key))?;
        let chain = format!("{}{}", certificate.pem(), self.pem);
        write_durably(&files.certificate, chain.as_bytes(), 0o644)
            .map_err(file("write", &files.certificate))?;
        Ok(files)
    }

    /// Whether the office's certificate is there and good for a while.
    fn is_good(&self, files: &Files, names: &[String], now: Timestamp) -> Result<bool, CaError> {
        if !(is_there(&files.certificate)? && is_there(&files.key)?) {
            return Ok(false);
        }
        // One that can't be read is made anew: it is nobody's but this gateway's.
        let (Ok(leaf), Ok(pair)) = (leaf(&files.certificate), KeyPair::from_pem(&read(&files.key)?)) else {
            return Ok(false);
        };
        let Ok(found) = leaf.parse_x509() else { return Ok(false) };
        let wanted: Vec<SanType> = names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
        let named = found.subject_alternative_name().ok().flatten();
        let named: Vec<SanType> = named
            .into_iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(SanType::DnsName((*name).try_into().ok()?)),
                GeneralName::IPAddress(bytes) => Some(SanType::IpAddress(address(bytes)?)),
                _ => None,
            })
            .collect();
        let (from, until) = (found.validity().not_before.timestamp(), found.validity().not_after.timestamp());
        let due = from + (until - from) / 3 * 2;
        let ours = Pem::iter_from_buffer(self.pem.as_bytes()).flatten().any(|own| {
            own.parse_x509().is_ok_and(|own| found.verify_signature(Some(own.public_key())).is_ok())
        });
        let paired = found.public_key().subject_public_key.data.as_ref() == pair.der_bytes();
        Ok(ours && paired && named == wanted && (from..due).contains(&now.as_second()))
    }

    /// A terminal's certificate for the public key of a request; nothing else is taken from it.
    ///
    /// `random` is drawn for its serial number.
    ///
    /// # Errors
    /// When the request can't be read, is not signed by its key, or its key is none of P-256.
    pub fn terminal(
        &self,
        terminal: &TerminalId,
        csr: &str,
        random: [u8; 16],
        now: Timestamp,
        days: u16,
    ) -> Result<Issued, CaError> {
        let request = CertificateSigningRequestParams::from_pem(csr)
            .map_err(|error| CaError::Request(error.to_string()))?;
        if *request.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(CaError::Request("its key is not of P-256".to_owned()));
        }
        let mut serial = random;
        // Positive and without leading zeros, so that everybody writes it alike (RFC 5280, 4.1.2.2).
        serial[0] = serial[0] & 0x3f | 0x40;
        let mut params = self.params(terminal.as_str(), now, i64::from(days));
        // So that no two certificates have one subject: brokers that know people by it can tell old from new.
        params.distinguished_name.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), hex(&serial));
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let not_after = Timestamp::from_second(params.not_after.unix_timestamp()).unwrap_or(Timestamp::MAX);
        let certificate = params.signed_by(&request.public_key, &self.issuer)?;
        Ok(Issued {
            serial: hex(&serial),
            pem: certificate.pem(),
            public_key: request.public_key.der_bytes().to_vec(),
            not_after,
        })
    }

    fn params(&self, name: &str, now: Timestamp, days: i64) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        (params.not_before, params.not_after) = life(now, days);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
    }
}

/// Where the authority's certificate lies, as PEM.
#[must_use]
pub fn authority_file(data: &Path) -> PathBuf {
    data.join(FOLDER).join(AUTHORITY)
}

/// The first certificate of a file.
///
/// # Errors
/// When the file can't be read or holds none.
pub fn leaf(path: &Path) -> Result<Pem, CaError> {
    let content =
        |problem: String| CaError::Content { path: path.to_owned(), expected: "certificate", problem };
    let bytes = fs::read(path).map_err(file("read", path))?;
    match Pem::iter_from_buffer(&bytes).next() {
        Some(Ok(pem)) if pem.label == "CERTIFICATE" => Ok(pem),
        Some(Ok(pem)) => Err(content(format!("it begins with a {}", pem.label))),
        Some(Err(error)) => Err(content(error.to_string())),
        None => Err(content("it is no PEM".to_owned())),
    }
}

/// The first certificate of a text (PEM) as it stands there, and nothing else of it: there may be a key.
#[must_use]
pub fn first(text: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let rest = text.get(text.find(BEGIN)?..)?;
    let block = rest.get(..rest.find(END)? + END.len())?;
    Some(format!("{}\n", block.replace('\r', "")))
}

/// Whether one of these authorities (PEM) has issued a certificate (PEM), directly.
#[must_use]
pub fn vouches(authorities: &str, certificate: &str) -> bool {
    let certificates = |text: &str| -> Vec<Pem> {
        Pem::iter_from_buffer(text.as_bytes()).flatten().filter(|pem| pem.label == "CERTIFICATE").collect()
    };
    let (authorities, given) = (certificates(authorities), certificates(certificate));
    let Some(Ok(given)) = given.first().map(Pem::parse_x509) else { return false };
    authorities.iter().filter_map(|authority| authority.parse_x509().ok()).any(|authority| {
        authority.is_ca()
            && authority.subject() == given.issuer()
            && given.verify_signature(Some(authority.public_key())).is_ok()
    })
}

/// Whether the first certificate of a chain (PEM) leads to one of these authorities (PEM), each one issued by the next.
#[must_use]
pub fn leads_to(authorities: &str, chain: &str) -> bool {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let links: Vec<String> =
        chain.split_inclusive(BEGIN).skip(1).map(|rest| format!("{BEGIN}{rest}")).collect();
    let ends = links.iter().position(|link| vouches(authorities, link));
    ends.is_some_and(|end| links[..=end].windows(2).all(|pair| vouches(&pair[1], &pair[0])))
}

/// The SHA-256 of the certificate that a file shows first (RFC 5929, `tls-server-end-point`).
///
/// # Errors
/// As [`leaf`].
pub fn channel(path: &Path) -> Result<Digest, CaError> {
    Ok(Digest::of(&leaf(path)?.contents))
}

fn make(folder: &Path, city: &CityId, now: Timestamp) -> Result<(), CaError> {
    use std::os::unix::fs::DirBuilderExt as _;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(file("make the folder", folder)(error));
        }
        _ => {}
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Meguri {city}"));
    (params.not_before, params.not_after) = life(now, AUTHORITY_DAYS);
    // It vouches for others itself, and for no authority.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&pair)?;
    let (at, key) = (folder.join(AUTHORITY), folder.join(AUTHORITY_KEY));
    write_durably(&key, pair.serialize_pem().as_bytes(), 0o600).map_err(file("write", &key))?;
    write_durably(&at, certificate.pem().as_bytes(), 0o644).map_err(file("write", &at))
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// The common name of the office: people see it; what counts are the alternative names.
fn city_office(names: &[String]) -> String {
    names.first().cloned().unwrap_or_default()
}

fn life(now: Timestamp, days: i64) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let at = |seconds: i64| {
        time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    (at(now.as_second() - BEFORE.as_secs()), at(now.as_second() + days * 24 * 60 * 60))
}

fn alternative(name: &str) -> Result<SanType, CaError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let wrong = || CaError::Name { name: name.to_owned() };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(label) {
        return Err(wrong());
    }
    Ok(SanType::DnsName(name.to_ascii_lowercase().try_into().map_err(|_| wrong())?))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn is_there(path: &Path) -> Result<bool, CaError> {
    path.try_exists().map_err(file("look for", path))
}

fn read(path: &Path) -> Result<String, CaError> {
    fs::read_to_string(path).map_err(file("read", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: &str = "2026-04-01T00:00:00Z";

    fn opened(dir: &Path) -> Authority {
        Authority::open(dir, &"hiroshima".parse().unwrap(), NOW.parse().unwrap(), false).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn csr(pair: &KeyPair) -> String {
        CertificateParams::default().serialize_request(pair).unwrap().pem().unwrap()
    }

    #[test]
    fn a_chain_leads_to_its_authority_alone() {
        use rcgen::{BasicConstraints, IsCa, Issuer};
        let authority = |name: &str, by: Option<&Issuer<'_, KeyPair>>| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let pem = match by {
                Some(by) => params.signed_by(&key, by).unwrap().pem(),
                None => params.self_signed(&key).unwrap().pem(),
            };
            (pem, Issuer::new(params, key))
        };
        let (root, by_root) = authority("root", None);
        let (between, by_between) = authority("between", Some(&by_root));
        let (other, _) = authority("root", None);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["office.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "office.example");
        let leaf = params.signed_by(&key, &by_between).unwrap().pem();
        let chain = format!("{leaf}{between}");
        assert!(
            leads_to(&root, &chain)
                && leads_to(&between, &leaf)
                && leads_to(&format!("{other}{root}"), &chain)
        );
        assert!(!leads_to(&root, &leaf), "what is between is missing");
        assert!(!leads_to(&other, &chain), "of the same name alone");
        assert!(!leads_to(&root, &format!("{between}{leaf}")[between.len()..]) && !leads_to(&root, ""));
    }

    #[test]
    fn the_authority_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let first = opened(dir.path()).pem().to_owned();
        assert_eq!(opened(dir.path()).pem(), first);
        let key = dir.path().join(FOLDER).join(AUTHORITY_KEY);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&key).unwrap();
        let again = |vouched| {
            Authority::open(dir.path(), &"hiroshima".parse().unwrap(), NOW.parse().unwrap(), vouched)
        };
        assert!(
            matches!(again(false), Err(CaError::Half { .. })),
            "another authority would lock every terminal out"
        );
        fs::remove_file(dir.path().join(FOLDER).join(AUTHORITY)).unwrap();
        assert!(matches!(again(true), Err(CaError::Half { .. })), "also where all of it is gone");
        assert!(again(false).is_ok(), "nobody has a certificate of it");
    }

    #[test]
    fn the_offices_certificate_is_made_anew_when_it_must_be() {
        let dir = tempfile::tempdir().unwrap();
        let (authority, now) = (opened(dir.path()), NOW.parse::<Timestamp>().unwrap());
        let both = names(&["office.example", "127.0.0.1", "::1"]);
        let made = |names: &[String], now: Timestamp| {
            let files = authority.office(names, now).unwrap();
            fs::read_to_string(files.certificate).unwrap()
        };
        let first = made(&both, now);
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        assert_eq!(made(&both, days(200)), first);
        let later = made(&both, days(300));
        assert_ne!(later, first, "two thirds are over");
        assert_ne!(made(&names(&["other.example"]), days(300)), later, "other names");
        let other = made(&both, days(300));
        // A key of another one: as after a cut between the two files.
        let key = dir.path().join(FOLDER).join(OFFICE_KEY);
        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert_ne!(made(&both, days(300)), other);
        for bad in ["", "two words", "-a.example", "a..b", "収集.example"] {
            assert!(matches!(authority.office(&names(&[bad]), now), Err(CaError::Name { .. })), "{bad}");
        }
    }

    #[test]
    fn a_terminals_certificate_has_its_name_and_nothing_of_the_request_but_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let (authority, now) = (opened(dir.path()), NOW.parse::<Timestamp>().unwrap());
        let pair = KeyPair::generate().unwrap();
        let mut asks = CertificateParams::new(names(&["office.example"])).unwrap();
        asks.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        asks.distinguished_name = named("t-9999");
        let request = asks.serialize_request(&pair).unwrap().pem().unwrap();
        let issued = authority.terminal(&"t-0001".parse().unwrap(), &request, [0xff; 16], now, 500).unwrap();
        assert_eq!(issued.public_key, pair.der_bytes());
        let pem = Pem::iter_from_buffer(issued.pem.as_bytes()).next().unwrap().unwrap();
        let found = pem.parse_x509().unwrap();
        let subject = format!("serialNumber={},CN=t-0001", issued.serial);
        assert_eq!(crate::subject::of(found.subject()), Some(subject), "no two certificates have the same");
        assert_eq!(found.serial.to_str_radix(16), issued.serial, "as the broker reads it");
        assert!(!found.is_ca() && found.subject_alternative_name().unwrap().is_none());
        let usage = found.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        assert_eq!(found.validity().not_after.timestamp(), issued.not_after.as_second());
        assert_eq!(issued.not_after, now + SignedDuration::from_hours(24 * 500));
        let zeros = authority.terminal(&"t-0001".parse().unwrap(), &request, [0; 16], now, 500).unwrap();
        assert_eq!(zeros.serial.len(), 32, "no leading zeros are lost");
    }

    #[test]
    fn only_a_request_that_its_key_signed_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let authority = opened(dir.path());
        let take = |csr: &str| {
            authority.terminal(&"t-0001".parse().unwrap(), csr, [1; 16], NOW.parse().unwrap(), 500)
        };
        let good = csr(&KeyPair::generate().unwrap());
        assert!(take(&good).is_ok());
        let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        for bad in ["", "csr", &csr(&ed25519), &good[..good.len() / 2], authority.pem()] {
            assert!(matches!(take(bad), Err(CaError::Request(_))), "{bad}");
        }
    }
}
