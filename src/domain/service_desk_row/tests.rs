//! What a full record looks like, and what is left out and cut.

use super::*;
use crate::domain::connection::PartnerType;
use crate::domain::name::ConnectionName;
use crate::domain::record::REVISION_OF_A_DELETION;

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn at(value: &str) -> Option<Timestamp> {
    Timestamp::parse_lenient(value)
}

/// A record of which every field is filled.
fn full(details: Details) -> Record {
    Record {
        connection: ConnectionName::parse("contoso").unwrap(),
        partner_type: PartnerType::Servicenow,
        id: "9d385017c611228701d22104cc95c371".to_owned(),
        number: "NUM0010001".to_owned(),
        changed_at: at("2026-03-02T08:15:30Z").unwrap(),
        revision: 7,
        is_deleted: false,
        correlation_id: text("azm-abcdefghijklmnopqrstuvwxyz"),
        fields: Fields {
            state: text("In Progress"),
            urgency: text("2 - Medium"),
            impact: text("1 - High"),
            priority: text("2 - High"),
            escalation: text("Normal"),
            created_by: text("Azure Monitor"),
            closed_by: text("Beth Anglin"),
            source: text("Monitoring"),
            assigned_to: text("David Loo"),
            category: text("Software"),
            title: text("CPU over 80 % on „web01“"),
            description: text("First line\nsecond \"line\"\t\u{1F525}"),
            work_notes: text("Looked at it"),
            computer: text("web01"),
            created_at: at("2026-03-01T10:00:00Z"),
            closed_at: at("2026-03-02T08:15:30Z"),
        },
        details,
    }
}

fn incident() -> Record {
    full(Details::Incident(IncidentDetails {
        resolved_by: text("David Loo"),
        resolved_at: at("2026-03-02T07:00:00Z"),
    }))
}

fn change() -> Record {
    full(Details::ChangeRequest(ChangeDetails {
        kind: text("Normal"),
        conflict_status: text("No Conflict"),
        risk: text("Moderate"),
        requested_at: at("2026-03-05T00:00:00Z"),
        planned_start: at("2026-03-03T20:00:00Z"),
        planned_end: at("2026-03-03T22:00:00Z"),
        work_start: at("2026-03-03T20:05:00Z"),
        work_end: at("2026-03-03T21:40:00Z"),
    }))
}

fn written(record: &Record) -> serde_json::Map<String, serde_json::Value> {
    let text = serde_json::to_string(&ServiceDeskRow::new(record, "run-1")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_full_incident_has_these_columns() {
    let row = serde_json::to_string_pretty(&ServiceDeskRow::new(&incident(), "run-1")).unwrap();
    insta::assert_snapshot!(row);
}

#[test]
fn a_full_change_request_has_these_columns() {
    let row = serde_json::to_string_pretty(&ServiceDeskRow::new(&change(), "run-1")).unwrap();
    insta::assert_snapshot!(row);
}

#[test]
fn the_two_kinds_have_all_columns_between_them_in_the_order_of_the_table_and_of_its_types() {
    let (incident, change) = (written(&incident()), written(&change()));
    for (name, column) in COLUMNS {
        let value = incident.get(*name).or_else(|| change.get(*name));
        let value = value.unwrap_or_else(|| panic!("{name} is in no row"));
        let is_of_its_type = match column {
            ColumnType::Text => value.is_string(),
            ColumnType::Moment => value.as_str().is_some_and(|text| at(text).is_some()),
            ColumnType::Whole => value.is_i64(),
            ColumnType::Flag => value.is_boolean(),
        };
        assert!(is_of_its_type, "{name}: {value}");
    }
    let order = |row: &str| -> Vec<usize> {
        COLUMNS
            .iter()
            .filter_map(|(name, _)| row.find(&format!("\"{name}\":")))
            .collect()
    };
    for (record, columns) in [(self::incident(), 29), (self::change(), 35)] {
        let row = serde_json::to_string(&ServiceDeskRow::new(&record, "run-1")).unwrap();
        let found = order(&row);
        assert!(found.is_sorted(), "{row}");
        assert_eq!(found.len(), columns);
        assert_eq!(
            written(&record).len(),
            columns,
            "a column that the table lacks"
        );
    }
}

#[test]
fn what_a_record_does_not_have_is_left_out() {
    let mut record = full(Details::empty(RecordType::Incident));
    record.fields = Fields {
        title: Some(String::new()),
        ..Fields::default()
    };
    record.correlation_id = None;
    let columns: Vec<String> = written(&record).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        columns.join(" "),
        "IsDeleted LastModifiedDate_t PartnerType RecordKey Revision RunId ServiceDeskConnectionName_s \
         ServiceDeskId_s ServiceDeskWorkItemType_s TimeGenerated"
    );
}

#[test]
fn a_deletion_comes_after_whatever_happened_in_its_second() {
    let mut record = incident();
    record.is_deleted = true;
    record.revision = REVISION_OF_A_DELETION;
    let row = written(&record);
    assert_eq!(row["IsDeleted"], true);
    assert_eq!(row["Revision"].as_i64(), Some(i64::MAX));
}

#[test]
fn i14_a_text_over_64_kb_is_cut_on_a_letter_with_a_mark() {
    for letter in ["x", "ä", "👨‍👩‍👧‍👦", "e\u{301}"] {
        let mut record = incident();
        record.fields.description = Some(letter.repeat(FIELD_BYTES_MAX + 1));
        let row = written(&record);
        let kept = row["Description_s"].as_str().unwrap();
        assert!(kept.len() <= FIELD_BYTES_MAX, "{}", kept.len());
        assert!(kept.len() > FIELD_BYTES_MAX - 100, "{}", kept.len());
        let (kept, mark) = kept.split_once('\n').unwrap();
        assert!(kept.len().is_multiple_of(letter.len()), "{letter}");
        assert!(mark.starts_with("… cut here, ") && mark.ends_with(" more characters"));
    }
    let mut record = incident();
    record.fields.description = Some("x".repeat(FIELD_BYTES_MAX));
    assert_eq!(
        written(&record)["Description_s"].as_str().unwrap().len(),
        FIELD_BYTES_MAX
    );
}
