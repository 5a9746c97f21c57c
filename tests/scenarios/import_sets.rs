//! Incidents by the Import Set API: rows of a staging table that a transform map makes incidents of, and what a 201 hides.

use std::time::Duration;

use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::{Config, ImportSet, TransformMap};

use crate::bed::{Calls, Fate, State, TestBed};

/// A bed whose incidents go through a staging table with this map.
async fn bed_with(set: ImportSet) -> TestBed {
    let config = Config {
        import_sets: vec![set],
        ..Config::default()
    };
    TestBed::with_servicenow(config)
        .defined("transport", "import_set")
        .defined("staging_table", "u_azure_alert")
        .in_a_hurry()
        .start()
        .await
}

async fn bed() -> TestBed {
    bed_with(ImportSet::default()).await
}

fn with_map(map: TransformMap) -> ImportSet {
    ImportSet {
        maps: vec![map],
        ..ImportSet::default()
    }
}

#[tokio::test]
async fn an_alert_is_a_row_and_an_incident_in_one_call_and_its_end_another_row() {
    let bed = bed().await;
    let fired = bed.deliver("metric_fired").await;
    assert_eq!(fired.outcome, "created");
    let incident = bed.servicenow().only_work_item();
    assert_eq!(fired.work_items, [incident.number()]);
    assert_eq!(
        incident.field("short_description"),
        "[Sev1] CPU over 80 % on web01"
    );
    assert_eq!(
        (incident.field("impact"), incident.field("urgency")),
        ("2", "1")
    );
    let asked = Calls {
        tokens: 1,
        creates: 1,
        ..Calls::NONE
    };
    assert_eq!(bed.servicenow().calls(), asked);

    bed.servicenow().mark();
    assert_eq!(bed.deliver("metric_resolved").await.outcome, "resolved");
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.state(), State::Resolved);
    assert_eq!(incident.field("close_code"), "Solution provided");
    // The flow's own read, the one for the correlation id, and the row.
    let asked = Calls {
        creates: 1,
        reads: 2,
        ..Calls::NONE
    };
    assert_eq!(bed.servicenow().calls(), asked);
    bed.end().await;
}

#[tokio::test]
async fn further_alerts_of_a_group_are_noted_by_rows() {
    let bed = bed().await;
    bed.defines(|definition| definition["actions"]["default"]["grouping"] = "rule".into())
        .await;
    let second = crate::bed::Alert::captured("metric_fired").number(2);
    bed.deliver("metric_fired").await;
    assert_eq!(bed.deliver(second).await.outcome, "updated");
    let incident = bed.servicenow().only_work_item();
    assert!(
        bed.servicenow()
            .notes_of(&incident)
            .contains("CPU over 80 %")
    );
    bed.end().await;
}

#[tokio::test]
async fn a_row_that_its_map_refuses_is_a_dead_letter_although_the_answer_was_201() {
    let mut config = Config {
        import_sets: vec![ImportSet::default()],
        ..Config::default()
    };
    config.mandatory = [("incident".to_owned(), vec!["caller_id".to_owned()])].into();
    let bed = TestBed::with_servicenow(config)
        .defined("transport", "import_set")
        .defined("staging_table", "u_azure_alert")
        .start()
        .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "quarantined");
    let letter = bed.dead_letters().await.remove(0);
    assert!(
        letter.contains("a transform map refused the row"),
        "{letter}"
    );
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn of_several_maps_the_one_that_makes_an_incident_counts() {
    let other = TransformMap {
        name: "Alert to change".to_owned(),
        table: "change_request".to_owned(),
        ..TransformMap::default()
    };
    let ignoring = TransformMap {
        ignores: true,
        ..TransformMap::default()
    };
    let bed = bed_with(ImportSet {
        maps: vec![ignoring, other, TransformMap::default()],
        ..ImportSet::default()
    })
    .await;
    let fired = bed.deliver("metric_fired").await;
    assert_eq!(
        fired.work_items,
        [bed.servicenow().only_work_item().number()]
    );
    bed.end().await;
}

#[tokio::test]
async fn a_map_that_ignores_the_row_makes_a_dead_letter() {
    let bed = bed_with(with_map(TransformMap {
        ignores: true,
        ..TransformMap::default()
    }))
    .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "quarantined");
    let letter = bed.dead_letters().await.remove(0);
    assert!(
        letter.contains("no transform map made an incident"),
        "{letter}"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_staging_table_that_may_not_be_read_costs_a_search_and_no_alert() {
    let bed = bed_with(ImportSet {
        is_readable: false,
        ..ImportSet::default()
    })
    .await;
    let fired = bed.deliver("metric_fired").await;
    assert_eq!(fired.outcome, "created", "{}", bed.servicenow());
    assert_eq!(bed.servicenow().calls().finds, 1);
    bed.deliver("metric_resolved").await;
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn a_map_without_its_coalesce_field_is_found_out_at_the_first_change() {
    let bed = bed_with(with_map(TransformMap {
        coalesce: None,
        ..TransformMap::default()
    }))
    .await;
    bed.deliver("metric_fired").await;
    bed.deliver("metric_resolved").await;
    bed.settle().await;
    // One too many, and not fifty.
    bed.servicenow().created(2);
    let letter = bed.dead_letters().await.remove(0);
    assert!(
        letter.contains("coalesce field must be `correlation_id`"),
        "{letter}"
    );
    bed.end().await;
}

#[tokio::test]
async fn what_stands_in_the_way_says_what_to_do() {
    for (rule, told) in [
        (
            FaultRule::always(Kind::Create, Fault::Forbidden403(Forbidden::Acl)),
            "import_set_loader",
        ),
        (
            FaultRule::times(Kind::Other, 1, Fault::Null200),
            "the staging table does not exist",
        ),
    ] {
        let bed = bed().await;
        bed.servicenow().fault(rule);
        if told.starts_with("the staging") {
            bed.servicenow().inside().config_mut().import_sets.clear();
        }
        assert_eq!(bed.deliver("metric_fired").await.outcome, "quarantined");
        let letter = bed.dead_letters().await.remove(0);
        assert!(letter.contains(told), "{letter}");
        bed.end().await;
    }
}

#[tokio::test]
async fn a_lost_reply_is_looked_for_and_never_sent_at_once_again() {
    for fault in [Fault::DropReplyAfterWrite, Fault::DropReplyBeforeWrite] {
        // Keys that were seen to be unique say nothing of a staging table.
        let config = Config {
            import_sets: vec![ImportSet::default()],
            ..Config::default()
        };
        let bed = TestBed::with_servicenow(config)
            .defined("transport", "import_set")
            .defined("staging_table", "u_azure_alert")
            .fault(FaultRule::once(Kind::Create, fault))
            .keys_are_unique(true)
            .in_a_hurry()
            .start()
            .await;
        assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
        assert_eq!(bed.servicenow().calls().creates, 1);
        bed.settle().await;
        bed.servicenow().created(1);
        bed.pass(Duration::from_secs(60));
        bed.deliver("metric_resolved").await;
        bed.settle().await;
        assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_imported_incident_is_one_wherever_the_process_dies() {
    for name in ["metric_fired", "metric_resolved"] {
        for fate in [Fate::StopsBefore, Fate::StopsAfter] {
            for nth in 1.. {
                assert!(nth < 100, "it dies for ever");
                let bed = bed().await;
                if name == "metric_resolved" {
                    bed.deliver("metric_fired").await;
                }
                let core = bed.another_core();
                let finished = bed.dies_at(nth, fate, bed.handle(&core, name)).await;
                bed.deliver(name).await;
                bed.settle().await;
                let expected = match name {
                    "metric_fired" => State::New,
                    _ => State::Resolved,
                };
                let state = bed.servicenow().only_work_item().state();
                assert_eq!(state, expected, "{name} {nth} {fate:?}");
                bed.end().await;
                if finished.is_some() {
                    assert!(nth > 5, "the story is shorter than it should be");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_test_of_the_connection_shows_a_map_that_does_not_do_its_part() {
    let without = |columns: &[&str]| TransformMap {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        ..TransformMap::default()
    };
    let all = [
        "correlation_id",
        "short_description",
        "description",
        "impact",
        "urgency",
        "state",
        "close_code",
        "close_notes",
    ];
    let bed = bed().await;
    let steps = bed.tests_the_connection_by_writing().await;
    assert!(steps.iter().all(|step| step.works), "{steps:#?}");
    bed.servicenow().created(1);
    bed.end().await;
    for columns in [&all[1..], &all[..5]] {
        let bed = bed_with(with_map(without(columns))).await;
        let steps = bed.tests_the_connection_by_writing().await;
        assert!(
            steps.iter().any(|step| !step.works && step.hint.is_some()),
            "{steps:#?}"
        );
        bed.end().await;
    }
}
