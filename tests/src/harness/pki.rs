//! Certificates that no gateway has made: of another authority, of the city's own, over, or unknown to the office.

use std::fs;
use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};

/// An authority that a test has the key of.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn make(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A gateway's, as of somebody who has its key: by the folder `ca` in its data folder.
    ///
    /// # Errors
    /// When its files can't be read.
    pub fn of_gateway(ca: &Path) -> anyhow::Result<Self> {
        let read =
            |name: &str| fs::read_to_string(ca.join(name)).with_context(|| format!("can't read {name}"));
        let pem = read("authority.pem")?;
        let key = KeyPair::from_pem(&read("authority.key")?)?;
        Ok(Self { issuer: Issuer::from_ca_cert_pem(&pem, key)?, pem })
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A key with a certificate for this common name, within these days from now on, and of this serial number.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn issue(&self, name: &str, days: (i64, i64), serial: &[u8]) -> anyhow::Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "広島市, 環境局");
        params.distinguished_name.push(DnType::CommonName, name);
        // As a city's authority should: no two certificates of one subject.
        let number: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), number);
        params.serial_number = Some(SerialNumber::from_slice(serial));
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = (now + Duration::days(days.0), now + Duration::days(days.1));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(Pair { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

/// A key and its certificate.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate, as PEM.
    pub certificate: String,
    /// The key, as PEM.
    pub key: String,
}

impl Pair {
    /// Both in one, as a terminal keeps them.
    #[must_use]
    pub fn both(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}
