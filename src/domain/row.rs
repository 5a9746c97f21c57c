//! The rows of a query's result that a log alert brings with it: what tells one from another, and how many are taken up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::identity::RowKey;

/// Rows of one alert that get a work item each. Each costs a call of a product that often takes four at once, and nobody
/// reads more of them; the retired connector's own page warned of large numbers (itsmc-product §2.1). The rest is counted,
/// and told in the text of those that have one.
pub const ROWS_MAX: usize = 100;

/// Columns of a row that are kept to be told; its key is made of all of them.
const COLUMNS_KEPT_MAX: usize = 100;

/// A row: values by the names of their columns.
///
/// Its identity is what stands in it: all of its columns, in whatever order they are sent, with the texts of their values
/// as they are sent. Where it stands among the others does not matter: Azure promises no order of a result. Two rows
/// that say the same are one row that is there twice, for no reader could tell their work items apart. A row that says
/// anything else, be it another time, is another row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    key: RowKey,
    cells: Vec<(Arc<str>, Box<str>)>,
    times: usize,
    place: usize,
}

impl Row {
    /// What tells it from the other rows of its alert.
    pub fn key(&self) -> &RowKey {
        &self.key
    }

    /// Columns and values, in the order in which they were sent.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cells.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How often the alert has it.
    pub fn times(&self) -> usize {
        self.times
    }

    /// The value of a column.
    pub fn column(&self, name: &str) -> Option<&str> {
        let mut cells = self.cells();
        cells
            .find(|(column, _)| *column == name)
            .map(|(_, value)| value)
    }
}

/// The rows of an alert, at most [`ROWS_MAX`] of them.
///
/// Of more than that the ones with the smallest keys are kept, so that the same rows in another order give the same
/// work items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    kept: BTreeMap<RowKey, Row>,
    total: usize,
}

impl Rows {
    /// Takes up a row. One without any value is counted and not kept.
    pub fn add<N, V>(&mut self, mut cells: Vec<(N, V)>)
    where
        N: AsRef<str> + Ord + Into<Arc<str>>,
        V: AsRef<str> + Ord + Into<Box<str>>,
    {
        let place = self.total;
        self.total += 1;
        if cells.is_empty() {
            return;
        }
        let key = RowKey::new(&cells);
        if let Some(row) = self.kept.get_mut(&key) {
            row.times += 1;
            return;
        }
        // A key that was dropped is never kept again: there are always as many smaller ones.
        let is_full = self.kept.len() >= ROWS_MAX;
        if is_full
            && self
                .kept
                .last_key_value()
                .is_some_and(|(last, _)| key > *last)
        {
            return;
        }
        cells.truncate(COLUMNS_KEPT_MAX);
        let owned = |(name, value): (N, V)| (name.into(), value.into());
        let row = Row {
            key: key.clone(),
            cells: cells.into_iter().map(owned).collect(),
            times: 1,
            place,
        };
        self.kept.insert(key, row);
        if self.kept.len() > ROWS_MAX {
            self.kept.pop_last();
        }
    }

    /// The rows that are kept, in the order in which they were sent.
    pub fn kept(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.kept.values().collect();
        rows.sort_unstable_by_key(|row| row.place);
        rows
    }

    /// True if there is none to make a work item of.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many rows the alert has.
    pub fn total(&self) -> usize {
        self.total
    }

    /// How many of them have no part in any row that is kept.
    pub fn beyond(&self) -> usize {
        self.total - self.kept.values().map(Row::times).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn rows(all: impl IntoIterator<Item = Vec<(String, String)>>) -> Rows {
        let mut rows = Rows::default();
        all.into_iter().for_each(|row| rows.add(row));
        rows
    }

    fn numbered(n: usize) -> Vec<(String, String)> {
        cells(&[("Computer", &format!("web{n}"))])
    }

    #[test]
    fn what_stands_in_it_makes_a_row() {
        let key = |pairs: &[(&str, &str)]| RowKey::new(&cells(pairs));
        let one = key(&[("Computer", "web01"), ("Value", "93")]);
        assert_eq!(one, key(&[("Value", "93"), ("Computer", "web01")]));
        for other in [
            &[("Computer", "web01"), ("Value", "94")][..],
            &[("Computer", "web01")],
            &[("Computer", "93"), ("Value", "web01")],
            &[("Computerweb01", ""), ("Value", "93")],
        ] {
            assert_ne!(one, key(other), "{other:?}");
        }
    }

    #[test]
    fn the_same_row_twice_is_one_that_is_there_twice() {
        let rows = rows([numbered(1), numbered(2), numbered(1), Vec::new()]);
        let times: Vec<usize> = rows.kept().iter().map(|row| row.times()).collect();
        assert_eq!((times, rows.total(), rows.beyond()), (vec![2, 1], 4, 1));
    }

    proptest! {
        #[test]
        fn the_rows_that_are_kept_do_not_depend_on_their_order(
            (sent, shuffled) in proptest::collection::vec(0..300_usize, 0..400)
                .prop_flat_map(|sent| (Just(sent.clone()), Just(sent).prop_shuffle())),
        ) {
            let one = rows(sent.iter().map(|&n| numbered(n)));
            let other = rows(shuffled.iter().map(|&n| numbered(n)));
            let keys = |rows: &Rows| rows.kept.iter().map(|(key, row)| (key.clone(), row.times())).collect::<Vec<_>>();
            prop_assert_eq!(keys(&one), keys(&other));
            prop_assert_eq!(one.beyond(), other.beyond());
            prop_assert!(one.kept().len() <= ROWS_MAX);
        }
    }
}
