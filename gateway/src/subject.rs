//! A certificate's subject as OpenSSL writes it (RFC 2253): the user name of who comes in to a Mosquitto by it.

use x509_parser::der_parser::asn1_rs::{Any, Tag};
use x509_parser::pem::Pem;
use x509_parser::x509::X509Name;

/// Attributes by their object identifiers, with OpenSSL's short names.
const NAMES: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The subject of the first certificate of a PEM; none where it has attributes that this can't write as OpenSSL does.
#[must_use]
pub(crate) fn of_pem(pem: &str) -> Option<String> {
    let first = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
    of(first.parse_x509().ok()?.subject())
}

/// The same of a name.
#[must_use]
pub(crate) fn of(name: &X509Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for attributes in name.iter() {
        let mut attributes = attributes.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else { return None };
        let id = attribute.attr_type().to_id_string();
        let (_, word) = NAMES.iter().find(|(known, _)| *known == id)?;
        parts.push(format!("{word}={}", escaped(attribute.attr_value())?));
    }
    // What is most special stands first there, and last in the certificate.
    parts.reverse();
    Some(parts.join(","))
}

fn escaped(value: &Any<'_>) -> Option<String> {
    use std::fmt::Write as _;
    if ![Tag::Utf8String, Tag::PrintableString, Tag::Ia5String].contains(&value.tag()) {
        return None;
    }
    let last = value.data.len().checked_sub(1)?;
    let mut text = String::with_capacity(value.data.len());
    for (at, &byte) in value.data.iter().enumerate() {
        let at_the_edge = (at == 0 && byte == b'#') || ((at == 0 || at == last) && byte == b' ');
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            _ if at_the_edge => {
                text.push('\\');
                text.push(char::from(byte));
            }
            0x20..0x7f => text.push(char::from(byte)),
            _ => write!(text, "\\{byte:02X}").ok()?,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn subject(attributes: &[(DnType, &str)]) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), *value);
        }
        of_pem(&params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem())
    }

    /// What OpenSSL 3.0 and Mosquitto 2.0 wrote of the same subject.
    #[test]
    fn a_subject_reads_as_openssl_writes_it() {
        let number = DnType::CustomDnType(vec![2, 5, 4, 5]);
        let city = [
            (DnType::CountryName, "JP"),
            (DnType::OrganizationName, "広島市, 環境局"),
            (DnType::CommonName, "t-1"),
            (number, "7f01"),
        ];
        let written = "serialNumber=7f01,CN=t-1,O=\\E5\\BA\\83\\E5\\B3\\B6\\E5\\B8\\82\\, \\E7\\92\\B0\\E5\\A2\\83\\E5\\B1\\80,C=JP";
        assert_eq!(subject(&city).unwrap(), written);
        assert_eq!(subject(&[(DnType::CommonName, "#a b ")]).unwrap(), "CN=\\#a b\\ ");
        assert_eq!(subject(&[(DnType::CustomDnType(vec![1, 2, 3]), "x")]), None, "nobody knows its name");
    }
}
