//! One of something, or several: what people write as one word as long as there is one.

use serde::{Deserialize, Serialize};

/// One or several, never none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "Written<T>",
    into = "Written<T>",
    bound(serialize = "T: Clone + Serialize", deserialize = "T: Deserialize<'de>")
)]
pub struct Many<T>(Vec<T>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<T> {
    One(T),
    Several(Vec<T>),
}

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

impl<T> TryFrom<Written<T>> for Many<T> {
    type Error = &'static str;
    fn try_from(written: Written<T>) -> Result<Self, Self::Error> {
        match written {
            Written::One(one) => Ok(Self(vec![one])),
            Written::Several(several) if several.is_empty() => Err("expected one at least"),
            Written::Several(several) => Ok(Self(several)),
        }
    }
}

impl<T> From<Many<T>> for Written<T> {
    fn from(mut many: Many<T>) -> Self {
        if many.0.len() == 1 { Self::One(many.0.remove(0)) } else { Self::Several(many.0) }
    }
}
