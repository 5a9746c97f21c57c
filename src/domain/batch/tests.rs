//! Rows of known lengths, and of any.

use proptest::prelude::*;
use serde::Serialize;

use super::*;

/// A row whose JSON is as long as its text and what is around it.
#[derive(Serialize, Clone)]
#[serde(rename_all = "PascalCase")]
struct OfText {
    description: String,
}

/// What is around it: `{"Description":""}`.
const AROUND: usize = 18;

impl TableRow for OfText {
    const TABLE: Table = Table::ServiceDesk;
}

fn of(text: impl Into<String>) -> OfText {
    OfText {
        description: text.into(),
    }
}

fn cut(cutter: &mut BatchCutter, rows: &[OfText]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = rows
        .iter()
        .filter_map(|row| cutter.push(row).unwrap())
        .collect();
    batches.extend(cutter.finish());
    batches
}

fn texts(batches: &[Batch]) -> Vec<String> {
    let text = |row: &serde_json::Value| row["Description"].as_str().unwrap().to_owned();
    batches
        .iter()
        .flat_map(|batch| serde_json::from_slice::<Vec<serde_json::Value>>(&batch.body()).unwrap())
        .map(|row| text(&row))
        .collect()
}

#[test]
fn a_batch_is_full_to_the_byte() {
    // Two rows of 31 with a comma and brackets: 65.
    let row = of("x".repeat(31 - AROUND));
    for (bytes_max, expected) in [(64, vec![1, 1, 1]), (65, vec![2, 1]), (97, vec![3])] {
        let mut cutter = BatchCutter::within(Table::ServiceDesk, bytes_max, 100);
        let batches = cut(&mut cutter, &[row.clone(), row.clone(), row.clone()]);
        let found: Vec<usize> = batches.iter().map(Batch::len).collect();
        assert_eq!(found, expected, "{bytes_max}");
        for batch in batches {
            assert_eq!(batch.body().len(), batch.body_bytes());
            assert!(batch.body_bytes() <= bytes_max);
        }
    }
}

#[test]
fn i14_batches_of_real_size_are_nearly_full_and_never_more() {
    let mut cutter = BatchCutter::new(Table::ServiceDesk);
    let rows: Vec<OfText> = (0..6_000).map(|n| of("ä\n".repeat(n % 300))).collect();
    let batches = cut(&mut cutter, &rows);
    assert!(batches.len() > 2);
    for (at, batch) in batches.iter().enumerate() {
        assert!(batch.body_bytes() <= BODY_BYTES_MAX);
        assert!(batch.body_bytes() > 998_000 || at + 1 == batches.len());
    }
    let sent: Vec<String> = rows.into_iter().map(|row| row.description).collect();
    assert_eq!(texts(&batches), sent);
}

#[test]
fn small_rows_are_counted_too() {
    let mut cutter = BatchCutter::new(Table::ServiceDesk);
    let batches = cut(&mut cutter, &vec![of(""); ROWS_MAX + 1]);
    let found: Vec<usize> = batches.iter().map(Batch::len).collect();
    assert_eq!(found, [ROWS_MAX, 1]);
    assert_eq!(cutter.waiting(), 0);
    assert_eq!(cutter.finish(), None);
}

#[test]
fn a_row_that_fits_no_body_is_shortened() {
    let mut cutter = BatchCutter::within(Table::ServiceDesk, 2_000, 100);
    let rows = [of("small"), of("x".repeat(5_000)), of("last")];
    let batches = cut(&mut cutter, &rows);
    assert!(batches.iter().all(|batch| batch.body_bytes() <= 2_000));
    let texts = texts(&batches);
    assert_eq!(texts.len(), 3);
    assert!(texts[1].starts_with("xxx") && texts[1].ends_with(" more characters"));
}

#[test]
fn halves_are_halves_down_to_one_row() {
    let mut cutter = BatchCutter::new(Table::ServiceDesk);
    let rows: Vec<OfText> = (0..7).map(|n| of(n.to_string())).collect();
    let batch = cut(&mut cutter, &rows).remove(0);
    let mut left = vec![batch];
    let mut ones = Vec::new();
    while let Some(batch) = left.pop() {
        match batch.halves() {
            Some((first, second)) => {
                assert_eq!(first.len() + second.len(), batch.len());
                assert!(second.len() - first.len() <= 1);
                left.extend([second, first]);
            }
            None => ones.push(batch),
        }
    }
    assert_eq!(texts(&ones).concat(), "0123456");
    assert!(ones.iter().all(|one| one.rows().count() == 1));
    assert_eq!(
        Batch::of_one(ones[3].joined().to_vec()).body(),
        ones[3].body()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_row_is_in_one_batch_in_order_and_no_batch_is_too_long(
        texts_in in proptest::collection::vec(".{0,80}", 0..60),
        bytes_max in 700_usize..2_000,
        rows_max in 1_usize..20,
    ) {
        let mut cutter = BatchCutter::within(Table::ServiceDesk, bytes_max, rows_max);
        let rows: Vec<OfText> = texts_in.iter().map(of).collect();
        let batches = cut(&mut cutter, &rows);
        for batch in &batches {
            prop_assert!(batch.body_bytes() <= bytes_max && batch.len() <= rows_max);
            prop_assert_eq!(batch.rows().count(), batch.len());
        }
        prop_assert_eq!(texts(&batches), texts_in);
    }
}
