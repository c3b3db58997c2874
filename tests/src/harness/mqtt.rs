//! Just enough of MQTT 5 to tell packets apart on a line (OASIS MQTT 5.0, section 2.1).

/// Largest remaining length that MQTT knows.
const MOST: usize = 268_435_455;

/// One whole packet as it was on the line.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    body: &'a [u8],
}

/// The kinds of packets that tests speak of; the number is the packet type.
#[allow(missing_docs, reason = "named as in the standard")]
pub mod kind {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const DISCONNECT: u8 = 14;
}

impl<'a> Packet<'a> {
    /// The first packet of `bytes`; none where it is not whole yet. Bytes that are no MQTT are one packet of kind 0.
    #[must_use]
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let (length, digits) = match varint(bytes.get(1..)?) {
            Varint::Is(length, digits) => (length, digits),
            Varint::More => return None,
            Varint::Never => return Some(Self { bytes, body: &[] }),
        };
        let whole = bytes.get(..1 + digits + length)?;
        Some(Self { bytes: whole, body: &whole[1 + digits..] })
    }

    /// The first record of TLS in `bytes` (RFC 8446, 5.1), as a packet of whatever it hides; none where it is not whole yet.
    #[must_use]
    pub fn first_record(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes([*bytes.get(3)?, *bytes.get(4)?]));
        let whole = bytes.get(..5 + length)?;
        Some(Self { bytes: whole, body: &[] })
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its type, one of [`kind`].
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.bytes.first().map_or(0, |first| first >> 4)
    }

    /// The topic of a publish, else nothing.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.publish().map_or("", |(topic, _)| topic)
    }

    /// The payload of a publish, else nothing.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.publish().map_or(&[], |(_, payload)| payload)
    }

    fn publish(&self) -> Option<(&'a str, &'a [u8])> {
        if self.kind() != kind::PUBLISH {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*self.body.first()?, *self.body.get(1)?]));
        let topic = std::str::from_utf8(self.body.get(2..2 + length)?).ok()?;
        // A packet identifier stands there unless QoS is 0.
        let id = if self.bytes[0] & 0b110 == 0 { 0 } else { 2 };
        let rest = self.body.get(2 + length + id..)?;
        let Varint::Is(properties, digits) = varint(rest) else { return None };
        Some((topic, rest.get(digits + properties..)?))
    }
}

enum Varint {
    Is(usize, usize),
    More,
    Never,
}

fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for digits in 0..4 {
        let Some(byte) = bytes.get(digits) else { return Varint::More };
        value |= usize::from(byte & 0x7f) << (7 * digits);
        if byte & 0x80 == 0 {
            return if value <= MOST { Varint::Is(value, digits + 1) } else { Varint::Never };
        }
    }
    Varint::Never
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_packets_and_their_topics() {
        let publish = [0x32, 10, 0, 3, b'a', b'/', b'b', 0, 1, 0, b'h', b'i'];
        let mut line = publish.to_vec();
        line.extend([0xc0, 0]);
        let packet = Packet::first(&line).unwrap();
        assert_eq!((packet.kind(), packet.topic(), packet.payload()), (kind::PUBLISH, "a/b", &b"hi"[..]));
        assert_eq!(packet.bytes(), publish);
        assert_eq!(Packet::first(&line[publish.len()..]).unwrap().kind(), 12);
        assert!((1..publish.len()).all(|part| Packet::first(&publish[..part]).is_none()));
        assert_eq!(Packet::first(&[0x30, 0xff, 0xff, 0xff, 0xff, 1]).unwrap().topic(), "");
    }
}
