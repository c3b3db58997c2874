//! Makes a Slint model equal to new rows by the fewest changes, so that a list keeps its place.

use slint::{Model, VecModel};

/// Changes `model` into `rows`; rows are the same one where `key` says so. Keys may repeat.
pub(crate) fn update<R, K>(model: &VecModel<R>, rows: Vec<R>, key: impl Fn(&R) -> K)
where
    R: Clone + PartialEq + 'static,
    K: Eq + std::hash::Hash,
{
    let count = rows.len();
    let wanted: std::collections::HashSet<K> = rows.iter().map(&key).collect();
    for index in (0..model.row_count()).rev() {
        if model.row_data(index).is_some_and(|row| !wanted.contains(&key(&row))) {
            model.remove(index);
        }
    }
    for (index, row) in rows.into_iter().enumerate() {
        let of_row = key(&row);
        match model.row_data(index) {
            Some(old) if key(&old) == of_row => {
                if old != row {
                    model.set_row_data(index, row);
                }
            }
            _ => {
                // It may stand further down: orders change when the office plans anew.
                let elsewhere = (index + 1..model.row_count())
                    .find(|&other| model.row_data(other).is_some_and(|old| key(&old) == of_row));
                if let Some(other) = elsewhere {
                    model.remove(other);
                }
                model.insert(index, row);
            }
        }
    }
    // Of rows with one key there may have been more before.
    for index in (count..model.row_count()).rev() {
        model.remove(index);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<(u8, bool)>> {
        prop::collection::vec((0..12u8, any::<bool>()), 0..12)
    }

    proptest! {
        #[test]
        fn becomes_the_new_rows(old in rows(), new in rows()) {
            let model = VecModel::from(old);
            update(&model, new.clone(), |row| row.0);
            prop_assert_eq!(model.iter().collect::<Vec<_>>(), new);
        }
    }
}
