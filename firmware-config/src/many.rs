//! One of something, or several: what people write as one word as long as there is one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IntoDeserializer as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One or several, never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(Vec<T>);

impl<T> Many<T> {
    /// The first one named.
    #[must_use]
    pub fn first(&self) -> &T {
        // It is made of one at least.
        &self.0[0]
    }

    /// All of them, in the order in which they are named.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: PartialEq> Many<T> {
    /// Whether this is one of them.
    pub fn contains(&self, one: &T) -> bool {
        self.0.contains(one)
    }
}

impl<T> From<T> for Many<T> {
    fn from(one: T) -> Self {
        Self(vec![one])
    }
}

/// By hand, as serde's untagged enums say neither what they found nor what they expected.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrSeveral(PhantomData))
    }
}

struct OneOrSeveral<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrSeveral<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one id (\"a\") or several ([\"a\", \"b\"])")
    }

    fn visit_str<E: Error>(self, one: &str) -> Result<Self::Value, E> {
        T::deserialize(one.into_deserializer()).map(|one| Many(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let mut several = Vec::new();
        while let Some(one) = all.next_element()? {
            several.push(one);
        }
        if several.is_empty() { Err(A::Error::custom("expected one at least")) } else { Ok(Many(several)) }
    }
}

impl<T: Serialize> Serialize for Many<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(to),
            several => several.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Line {
        of: Many<meguri_proto::VehicleId>,
    }

    #[test]
    fn what_is_neither_is_told_with_its_place() {
        for text in ["of = \"v-1\"\n", "of = [\"v-1\", \"v-2\"]\n"] {
            assert_eq!(toml::to_string(&toml::from_str::<Line>(text).unwrap()).unwrap(), text);
        }
        for (text, named, column) in [
            ("of = 11", "integer `11`, expected one id", 6),
            ("of = []", "expected one at least", 6),
            ("of = [\"v-1\", 11]", "integer `11`", 14),
            ("of = \"号車\"", "a-z", 6),
        ] {
            let error = toml::from_str::<Line>(text).unwrap_err().to_string();
            let place = format!("line 1, column {column}");
            assert!(error.contains(named) && error.contains(&place), "{text}: {error}");
        }
    }
}
