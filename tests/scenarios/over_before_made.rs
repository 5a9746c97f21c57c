//! An alert that was over before its incident could be made: one call makes it and closes it, or there is none.

use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::{BusinessRule, Config};

use crate::bed::{Calls, State, TestBed};

/// A bed whose instance has no capacity for the first create, so that the alert waits and so does what comes after it.
async fn busy_at_first(config: Config, action: &[(&str, &str)]) -> TestBed {
    let mut builder = TestBed::with_servicenow(config)
        .keys_are_unique(true)
        .fault(FaultRule::once(Kind::Create, Fault::RateLimit429));
    for (name, value) in action {
        builder = builder.action("default", name, *value);
    }
    let bed = builder.start().await;
    bed.deliver("metric_fired").await;
    bed.deliver("metric_resolved").await;
    bed.servicenow().created(0);
    bed.servicenow().mark();
    bed
}

#[tokio::test]
async fn it_is_made_and_closed_by_one_call() {
    let bed = busy_at_first(Config::default(), &[]).await;
    bed.settle().await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.state(), State::Resolved);
    assert!(incident.field("close_notes").contains("resolved the alert"));
    let calls = bed.servicenow().calls();
    assert_eq!((calls.creates, calls.reads, calls.updates), (1, 0, 0));
    bed.end().await;
}

#[tokio::test]
async fn there_is_none_where_the_action_wants_none() {
    let bed = busy_at_first(Config::default(), &[("already_over", "nothing")]).await;
    bed.settle().await;
    bed.servicenow().created(0);
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    bed.deliver("metric_fired").await;
    bed.settle().await;
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn where_a_note_is_wanted_it_is_made_open_and_gets_the_note() {
    let bed = busy_at_first(Config::default(), &[("on_resolve", "comment")]).await;
    bed.settle().await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.state(), State::New);
    assert!(bed.servicenow().notes_of(&incident).contains("resolved"));
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_refuses_it_is_asked_for_an_open_one() {
    let mut config = Config::default();
    config.business_rules.push(BusinessRule {
        name: "New incidents are open".to_owned(),
        table: "incident".to_owned(),
        condition: "state=6^numberISEMPTY".to_owned(),
    });
    let bed = busy_at_first(config, &[]).await;
    bed.settle().await;
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}
