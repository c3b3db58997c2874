//! A terminal's key and certificates: a folder for it alone to read.
//!
//! Each file is written whole or not at all, and each step is one file, so that a cut at any moment leaves a certificate that
//! works: `asked.pem` holds a key with its certificate request, `next.pem` a key with its certificate; once the broker has
//! let the terminal in by it, it takes the place of `current.pem`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use meguri_proto::enrol::hex;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::pem::Pem;

use crate::office::{self, Dates};

const AUTHORITY: &str = "authority.pem";
const CURRENT: &str = "current.pem";
const NEXT: &str = "next.pem";
const ASKED: &str = "asked.pem";
/// What a file that can't be read is named from then on.
const SET_ASIDE: &str = "bad";

/// Why an identity can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file can't be read or written.
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
    #[error("{} {problem}; enrol the terminal anew", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The office answered with what is not this terminal's.
    #[error("the office's answer can't be used: {0}")]
    Answer(String),
    /// A key can't be made.
    #[error("can't make a key: {0}")]
    Key(#[from] rcgen::Error),
    /// TLS can't be set up.
    #[error("can't set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    move |source| IdentityError::File { doing, path: path.to_owned(), source }
}

/// A key and its certificate.
struct Pair {
    key: KeyPair,
    certificate: Vec<u8>,
    /// Its number, in hexadecimal digits.
    serial: String,
    from: Timestamp,
    until: Timestamp,
}

/// A terminal's identity.
pub struct Identity {
    folder: PathBuf,
    authority: String,
    /// Another authority that is believed for now, beside the one that this terminal enrolled at.
    beside: Vec<CertificateDer<'static>>,
    current: Option<Pair>,
    next: Option<Pair>,
    /// A next key whose certificate is still to come, with its request.
    asked: Option<(KeyPair, String)>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Identity {
    /// Opens the identity of an enrolled terminal.
    ///
    /// # Errors
    /// When there is none, or its files can't be read.
    pub fn open(folder: &Path) -> Result<Self, IdentityError> {
        let identity = Self::look(folder)?;
        if identity.current.is_none() && identity.next.is_none() {
            let problem = "holds no certificate of this terminal".to_owned();
            return Err(IdentityError::Content { path: folder.to_owned(), problem });
        }
        Ok(identity)
    }

    /// Opens what is there of an identity: of a terminal that enrols, nothing, or a key that waits for its certificate.
    ///
    /// # Errors
    /// When files are there and can't be read.
    pub fn look(folder: &Path) -> Result<Self, IdentityError> {
        let authority = read(&folder.join(AUTHORITY))?.unwrap_or_default();
        let current = usable(&folder.join(CURRENT), Parts::pair)?;
        let next = usable(&folder.join(NEXT), Parts::pair)?;
        let asked = usable(&folder.join(ASKED), Parts::asked)?;
        Ok(Self { folder: folder.to_owned(), authority, beside: Vec::new(), current, next, asked })
    }

    /// Believes another authority, too, whose certificates (PEM) a configuration brings; none for none any more.
    pub fn believe_beside(&mut self, authority: Option<&str>) {
        self.beside = authority.map(roots).unwrap_or_default();
    }

    fn believed(&self) -> Vec<CertificateDer<'static>> {
        let mut believed = roots(&self.authority);
        believed.extend_from_slice(&self.beside);
        believed
    }

    /// The request for the next certificate. Its key is made and on the disk: an answer that comes finds it. Where one was
    /// asked for before and is not [`settled`](Self::settle), it is the same.
    ///
    /// # Errors
    /// When the key can't be made or written.
    pub fn ask(&mut self) -> Result<String, IdentityError> {
        if let Some((_, request)) = &self.asked {
            return Ok(request.clone());
        }
        make_private(&self.folder)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // Whose it is, the office knows and says.
        let request = CertificateParams::default().serialize_request(&key)?.pem()?;
        write(&self.folder.join(ASKED), &format!("{}{request}", key.serialize_pem()))?;
        self.asked = Some((key, request.clone()));
        Ok(request)
    }

    /// As [`ask`](Self::ask), for a certificate after those that there are: what was asked for and has come is no answer.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or when the old request can't be removed.
    pub fn ask_anew(&mut self) -> Result<String, IdentityError> {
        let answered = |(key, _): &(KeyPair, String)| {
            let of = |pair: &Option<Pair>| {
                pair.as_ref().is_some_and(|pair| pair.key.der_bytes() == key.der_bytes())
            };
            of(&self.current) || of(&self.next)
        };
        if self.asked.as_ref().is_some_and(answered) {
            self.settle()?;
        }
        self.ask()
    }

    /// Forgets what was asked for: it has come, and whatever belongs to it is written.
    ///
    /// # Errors
    /// When the request can't be removed.
    pub fn settle(&mut self) -> Result<(), IdentityError> {
        let path = self.folder.join(ASKED);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file("remove", &path)(error));
            }
            _ => {}
        }
        self.asked = None;
        sync(&self.folder)
    }

    /// Takes the certificate that answers the request, and whom to believe as the office.
    ///
    /// # Errors
    /// When it is not this key's, or can't be written.
    pub fn certified(&mut self, certificate: &str, authority: &str) -> Result<(), IdentityError> {
        let path = self.folder.join(NEXT);
        let Some((key, _)) = &self.asked else {
            return Err(IdentityError::Answer("nothing was asked for".to_owned()));
        };
        let text = format!("{}{certificate}", key.serialize_pem());
        let pair = Parts::of(&path, &text).and_then(|parts| parts.pair(&path));
        let pair = pair.map_err(|error| IdentityError::Answer(error.to_string()))?;
        let believed = roots(authority);
        if believed.is_empty() || office::believing(&believed, &Dates::default(), None).is_err() {
            return Err(IdentityError::Answer("it names nobody to be believed".to_owned()));
        }
        if authority != self.authority {
            write(&self.folder.join(AUTHORITY), authority)?;
            authority.clone_into(&mut self.authority);
        }
        write(&path, &text)?;
        self.next = Some(pair);
        Ok(())
    }

    /// The broker let the terminal in by the next certificate: it takes the place of the one before.
    ///
    /// # Errors
    /// When the file can't be moved; then both stay.
    pub fn came_in(&mut self) -> Result<(), IdentityError> {
        if self.next.is_none() {
            return Ok(());
        }
        let (from, to) = (self.folder.join(NEXT), self.folder.join(CURRENT));
        fs::rename(&from, &to).map_err(file("move", &from))?;
        self.current = self.next.take();
        sync(&self.folder)
    }

    /// Forgets the next certificate, which nobody takes, while the one before is taken.
    ///
    /// # Errors
    /// When the file can't be removed; then it stays.
    pub fn drop_next(&mut self) -> Result<(), IdentityError> {
        if self.next.is_none() || self.current.is_none() {
            return Ok(());
        }
        let path = self.folder.join(NEXT);
        fs::remove_file(&path).map_err(file("remove", &path))?;
        self.next = None;
        sync(&self.folder)
    }

    /// Whether a certificate waits to be used for the first time.
    #[must_use]
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// Whether there is one that has been used.
    #[must_use]
    pub fn has_current(&self) -> bool {
        self.current.is_some()
    }

    /// Whether the next certificate is to be asked for: two thirds of this one's life are over, and a while by which terminals
    /// that enrolled on one day are apart.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let (None, Some(Pair { from, until, serial, .. })) = (&self.next, &self.current) else {
            return false;
        };
        let life = until.duration_since(*from);
        now >= from.checked_add(life / 3 * 2 + spread(serial, life)).unwrap_or(*until)
    }

    /// Until when the certificate in use holds.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.current.as_ref().or(self.next.as_ref()).map(|pair| pair.until)
    }

    /// The number of the certificate in use, or of the next one, in hexadecimal digits.
    #[must_use]
    pub fn serial(&self, by_next: bool) -> Option<&str> {
        self.pair(by_next).map(|pair| pair.serial.as_str())
    }

    /// The certificate in use or the next one; where there is none of the one, the other.
    fn pair(&self, by_next: bool) -> Option<&Pair> {
        let (one, other) = if by_next { (&self.next, &self.current) } else { (&self.current, &self.next) };
        one.as_ref().or(other.as_ref())
    }

    /// The number of the certificate in use, and a signature by its key (ECDSA, ASN.1 DER), in hexadecimal digits.
    ///
    /// # Errors
    /// When there is none, or the key can't sign.
    pub fn sign(&self, message: impl FnOnce(&str) -> Vec<u8>) -> Result<(String, String), IdentityError> {
        let Some(pair) = &self.current else {
            return Err(IdentityError::Answer("there is no certificate to renew".to_owned()));
        };
        let signature = pair.key.sign(&message(&pair.serial))?;
        Ok((pair.serial.clone(), hex(&signature)))
    }

    /// TLS by the certificate in use, or by the next one.
    ///
    /// # Errors
    /// When TLS can't be set up with it.
    pub fn client(&self, by_next: bool, dates: &Dates) -> Result<Arc<ClientConfig>, IdentityError> {
        let Some(pair) = self.pair(by_next) else {
            return Err(IdentityError::Answer("there is no certificate".to_owned()));
        };
        // Whatever this device's clock shows: it has lived to see its own certificate.
        let dates =
            dates.at_least(pair.from.checked_add(SignedDuration::from_hours(24)).unwrap_or(pair.from));
        let chain = vec![CertificateDer::from(pair.certificate.clone())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.key.serialize_der()));
        Ok(office::believing(&self.believed(), &dates, Some((chain, key)))?)
    }

    /// TLS without a certificate of one's own, as the office's door wants none.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn visitor(&self, dates: &Dates) -> Result<Arc<ClientConfig>, IdentityError> {
        let from =
            self.current.as_ref().or(self.next.as_ref()).map_or(Timestamp::UNIX_EPOCH, |pair| pair.from);
        let dates = dates.at_least(from.checked_add(SignedDuration::from_hours(24)).unwrap_or(from));
        Ok(office::believing(&self.believed(), &dates, None)?)
    }
}

/// Up to a thirtieth of a certificate's life, 16 days of 500, by its number, which is drawn at random: else all terminals that
/// enrolled on one day would knock in the same minute of a morning, when their crews start.
fn spread(serial: &str, life: SignedDuration) -> SignedDuration {
    const PARTS: i32 = 1_000;
    // Spread evenly, as SHA-256 spreads anything.
    let drawn = meguri_proto::Digest::of(serial.as_bytes()).0;
    let part = i32::from(u16::from_be_bytes([drawn[0], drawn[1]])) % PARTS;
    life / 30 / PARTS * part
}

/// The certificates of a PEM.
fn roots(text: &str) -> Vec<CertificateDer<'static>> {
    Pem::iter_from_buffer(text.as_bytes())
        .flatten()
        .filter(|pem| pem.label == "CERTIFICATE")
        .map(|pem| CertificateDer::from(pem.contents))
        .collect()
}

/// What a file holds, where there is one. One that can't be used is set aside: the others may do, and a terminal that has
/// none can enrol.
fn usable<T>(
    path: &Path,
    take: impl FnOnce(Parts, &Path) -> Result<T, IdentityError>,
) -> Result<Option<T>, IdentityError> {
    let Some(text) = read(path)? else { return Ok(None) };
    match Parts::of(path, &text).and_then(|parts| take(parts, path)) {
        Ok(held) => Ok(Some(held)),
        Err(error) => {
            tracing::error!(%error, "a file of this terminal's identity can't be used and is set aside");
            fs::rename(path, path.with_extension(SET_ASIDE)).map_err(file("set aside", path))?;
            Ok(None)
        }
    }
}

/// What one file holds.
struct Parts {
    key: KeyPair,
    request: Option<String>,
    certificate: Option<Vec<u8>>,
}

impl Parts {
    fn of(path: &Path, text: &str) -> Result<Self, IdentityError> {
        let wrong = |problem: String| IdentityError::Content { path: path.to_owned(), problem };
        let (mut key, mut request, mut certificate) = (None, None, None);
        for pem in Pem::iter_from_buffer(text.as_bytes()) {
            let pem = pem.map_err(|error| wrong(format!("can't be read: {error}")))?;
            match pem.label.as_str() {
                "PRIVATE KEY" => {
                    let der = PrivatePkcs8KeyDer::from(pem.contents.as_slice());
                    let read = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256);
                    key = Some(
                        read.map_err(|error| wrong(format!("holds a key that can't be used: {error}")))?,
                    );
                }
                "CERTIFICATE REQUEST" => {
                    // As it was written: the office knows it by its bytes.
                    request = text.find("-----BEGIN CERTIFICATE REQUEST").map(|at| text[at..].to_owned());
                }
                "CERTIFICATE" if certificate.is_none() => certificate = Some(pem.contents),
                _ => {}
            }
        }
        let key = key.ok_or_else(|| wrong("holds no key".to_owned()))?;
        Ok(Self { key, request, certificate })
    }

    fn asked(self, path: &Path) -> Result<(KeyPair, String), IdentityError> {
        match self.request {
            Some(request) => Ok((self.key, request)),
            None => {
                let problem = "holds no request".to_owned();
                Err(IdentityError::Content { path: path.to_owned(), problem })
            }
        }
    }

    fn pair(self, path: &Path) -> Result<Pair, IdentityError> {
        let wrong = |problem: String| IdentityError::Content { path: path.to_owned(), problem };
        let der = self.certificate.ok_or_else(|| wrong("holds no certificate".to_owned()))?;
        let (_, found) = x509_parser::parse_x509_certificate(&der)
            .map_err(|error| wrong(format!("holds a certificate that can't be read: {error}")))?;
        if found.public_key().subject_public_key.data.as_ref() != self.key.der_bytes() {
            return Err(wrong("holds a certificate of another key".to_owned()));
        }
        let at = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let (from, until) =
            (at(found.validity().not_before.timestamp()), at(found.validity().not_after.timestamp()));
        let serial = found.serial.to_str_radix(16);
        Ok(Pair { key: self.key, certificate: der, serial, from, until })
    }
}

fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // Bytes that are no text hold nothing that can be used.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(source) => Err(file("read", path)(source)),
    }
}

fn make_private(folder: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::DirBuilderExt as _;
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(source) => Err(file("make the folder", folder)(source)),
    }
}

/// Writes a file for this terminal alone, whole or not at all: temporary file, fsync, rename, fsync of the folder.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), IdentityError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension("new");
    let written = (|| {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(file("write", path))?;
    path.parent().map_or(Ok(()), sync)
}

fn sync(folder: &Path) -> Result<(), IdentityError> {
    // The parent of a bare name is the folder in which the program stands.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(file("write", folder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateSigningRequestParams, DnType, IsCa, Issuer};

    use super::*;

    /// An authority of a test, and what it makes of a request.
    struct Office(Issuer<'static, KeyPair>, String);

    impl Office {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let pem = params.self_signed(&key).unwrap().pem();
            Self(Issuer::new(params, key), pem)
        }

        fn certify(&self, csr: &str, days: i64) -> String {
            let request = CertificateSigningRequestParams::from_pem(csr).unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "t-0001");
            let now = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
            (params.not_before, params.not_after) = (now, now + time::Duration::days(days));
            params.signed_by(&request.public_key, &self.0).unwrap().pem()
        }
    }

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second((20_000 + days) * 24 * 60 * 60).unwrap()
    }

    #[test]
    fn a_cut_at_any_step_leaves_a_certificate_that_works() {
        let (dir, office) = (tempfile::tempdir().unwrap(), Office::new());
        let folder = dir.path().join("identity");
        assert!(matches!(Identity::open(&folder), Err(IdentityError::Content { .. })), "not enrolled");
        let open = || Identity::look(&folder).unwrap();
        let request = open().ask().unwrap();
        // Each step by a program that was started anew.
        assert_eq!(open().ask().unwrap(), request, "the same request: its answer may be under way");
        let first = office.certify(&request, 300);
        open().certified(&first, &office.1).unwrap();
        assert!(open().has_next() && !open().has_current());
        open().came_in().unwrap();
        assert!(!open().has_next() && open().has_current());

        assert!(!open().is_due(day(199)) && open().is_due(day(210)), "two thirds, and its own while");
        assert_eq!(open().ask().unwrap(), request, "not settled: as where the settings were not written yet");
        let request = open().ask_anew().unwrap();
        assert_eq!(open().ask_anew().unwrap(), request, "until it is answered");
        assert!(open().has_current(), "while it is asked for");
        assert!(open().is_due(day(210)), "still to be answered");
        open().certified(&office.certify(&request, 600), &office.1).unwrap();
        let both = open();
        assert!(both.has_next() && both.has_current() && !both.is_due(day(210)));
        assert_eq!(both.until(), Some(day(300)), "the one before is in use");
        // Another one is asked for, and does not come: what there is stays.
        open().ask_anew().unwrap();
        assert!(open().has_next() && open().has_current());
        open().came_in().unwrap();
        assert_eq!(open().until(), Some(day(600)));
        open().settle().unwrap();
        // A file that a bad disk has emptied keeps nobody from going on, or from enrolling.
        fs::write(folder.join(NEXT), "").unwrap();
        assert!(open().has_current() && !open().has_next());
        fs::write(folder.join(CURRENT), [0xff, 0xfe]).unwrap();
        assert!(!open().has_current() && folder.join("current.bad").is_file());
        assert!(open().ask().is_ok());
        fs::write(folder.join(CURRENT), format!("{}{first}", KeyPair::generate().unwrap().serialize_pem()))
            .unwrap();
        assert!(!open().has_current(), "another key's");
        let certificate = office.certify(&open().ask().unwrap(), 600);
        open().certified(&certificate, &office.1).unwrap();
        open().came_in().unwrap();
        assert!(open().client(false, &Dates::default()).is_ok());
    }

    #[test]
    fn those_that_enrolled_together_renew_apart() {
        let life = SignedDuration::from_hours(24 * 500);
        let mut days = [0; 17];
        for n in 0..2_000u32 {
            let spread = spread(&format!("{n:x}"), life);
            days[usize::try_from(spread.as_hours() / 24).unwrap()] += 1;
        }
        assert!(days[..16].iter().all(|day| (60..180).contains(day)), "{days:?}");
    }

    #[test]
    fn another_keys_certificate_is_not_taken() {
        let (dir, office) = (tempfile::tempdir().unwrap(), Office::new());
        let mut identity = Identity::look(dir.path()).unwrap();
        identity.ask().unwrap();
        let other = CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap();
        let foreign = office.certify(&other.pem().unwrap(), 300);
        assert!(matches!(identity.certified(&foreign, &office.1), Err(IdentityError::Answer(_))));
        assert!(matches!(identity.certified("", &office.1), Err(IdentityError::Answer(_))));
        let good = office.certify(&Identity::look(dir.path()).unwrap().ask().unwrap(), 300);
        assert!(matches!(identity.certified(&good, "nobody"), Err(IdentityError::Answer(_))));
        let mut identity = Identity::look(dir.path()).unwrap();
        identity.certified(&good, &office.1).unwrap();
    }

    #[test]
    fn the_key_is_for_this_terminal_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("identity");
        Identity::look(&folder).unwrap().ask().unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(folder.join(ASKED)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Whether a client of this identity speaks TLS with a server of that authority.
    fn speaks(identity: &Identity, server: &Office) -> bool {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &server.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let name = "localhost".try_into().unwrap();
        let tls = identity.client(true, &Dates::default()).unwrap();
        let mut client = rustls::ClientConnection::new(tls, name).unwrap();
        let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        for _ in 0..8 {
            let mut line = Vec::new();
            client.write_tls(&mut line).unwrap();
            server.read_tls(&mut line.as_slice()).unwrap();
            if server.process_new_packets().is_err() {
                return false;
            }
            line.clear();
            server.write_tls(&mut line).unwrap();
            client.read_tls(&mut line.as_slice()).unwrap();
            if client.process_new_packets().is_err() {
                return false;
            }
        }
        !client.is_handshaking()
    }

    #[test]
    fn an_authority_that_a_configuration_brings_is_believed_beside_the_own_one_and_for_as_long() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (Office::new(), Office::new());
        let mut identity = Identity::look(dir.path()).unwrap();
        let csr = identity.ask().unwrap();
        identity.certified(&own.certify(&csr, 30), &own.1).unwrap();
        assert_eq!((speaks(&identity, &own), speaks(&identity, &other)), (true, false));
        identity.believe_beside(Some(&other.1));
        assert_eq!((speaks(&identity, &own), speaks(&identity, &other)), (true, true));
        identity.believe_beside(Some("no certificate"));
        assert_eq!((speaks(&identity, &own), speaks(&identity, &other)), (true, false));
        identity.believe_beside(None);
        assert_eq!((speaks(&identity, &own), speaks(&identity, &other)), (true, false));
    }
}
