//! What a log row looks like, and which category each failure has.

use std::collections::BTreeSet;

use super::*;
use crate::domain::failure::Effect;

fn at() -> Timestamp {
    Timestamp::parse_lenient("2026-03-02T08:15:30Z").unwrap()
}

fn full() -> LogRow {
    let failure = CallFailure::new(
        "ServiceNow",
        "read incidents",
        Effect::Refused,
        Kind::RateLimited,
        "the hourly quota is used up",
    )
    .with_status(429);
    LogRow {
        reference: Some("e5a2".to_owned()),
        record_type: Some(RecordType::Incident),
        records: Some(12),
        synced_until: Some(at()),
        expires_at: Some(at()),
        ..LogRow::of_failure(at(), &failure, "run-1")
    }
    .about(
        &ConnectionName::parse("contoso").unwrap(),
        PartnerType::Servicenow,
    )
}

#[test]
fn a_full_row_has_every_column_in_the_order_of_the_table_and_no_other() {
    let row = serde_json::to_string_pretty(&full()).unwrap();
    let places: Vec<Option<usize>> = COLUMNS
        .iter()
        .map(|(name, _)| row.find(&format!("\"{name}\":")))
        .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted());
    let columns: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&row).unwrap();
    assert_eq!(columns.len(), COLUMNS.len());
    insta::assert_snapshot!(row);
}

#[test]
fn every_kind_of_failure_has_its_category_and_a_code_of_its_own() {
    let table: Vec<String> = Kind::ALL
        .iter()
        .map(|&kind| {
            // The code is what the kind is called in our own objects.
            assert_eq!(serde_json::to_value(kind).unwrap(), code(kind));
            format!("{:16} {:?}", code(kind), Category::of(kind))
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
    let used: BTreeSet<Category> = Kind::ALL.into_iter().map(Category::of).collect();
    let others: Vec<Category> = Category::ALL
        .into_iter()
        .filter(|its| !used.contains(its))
        .collect();
    assert_eq!(
        others,
        [Category::InvalidRefreshToken, Category::MissingConnector]
    );
}

#[test]
fn the_same_event_has_the_same_key_and_another_another() {
    let row = full();
    assert_eq!(row.key(), full().key());
    let others = [
        LogRow {
            run_id: "run-2".to_owned(),
            ..full()
        },
        LogRow {
            at: at().plus(std::time::Duration::from_millis(1)),
            ..full()
        },
        LogRow {
            code: "busy".to_owned(),
            ..full()
        },
        LogRow {
            connection: None,
            ..full()
        },
        LogRow {
            record_type: Some(RecordType::ChangeRequest),
            ..full()
        },
        LogRow {
            message: String::new(),
            ..full()
        },
    ];
    for other in others {
        assert_ne!(other.key(), row.key(), "{other:?}");
    }
}
