//! The answer of the instance is lost on the way: nobody knows whether the incident was made, and still there is one.

use std::time::Duration;

use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{State, TestBed};

async fn bed(fault: FaultRule, keys_are_unique: bool) -> TestBed {
    TestBed::with_servicenow(Config::default())
        .fault(fault)
        .keys_are_unique(keys_are_unique)
        .in_a_hurry()
        .start()
        .await
}

#[tokio::test]
async fn with_unique_keys_a_lost_reply_is_found_out_at_once() {
    for fault in [Fault::DropReplyAfterWrite, Fault::DropReplyBeforeWrite] {
        let bed = bed(FaultRule::once(Kind::Create, fault), true).await;
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(delivered.outcome, "created", "{}", bed.servicenow());
        assert_eq!(
            delivered.work_items,
            [bed.servicenow().only_work_item().number()]
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn without_unique_keys_nobody_asks_until_the_lost_request_can_no_longer_take_effect() {
    for fault in [Fault::DropReplyAfterWrite, Fault::DropReplyBeforeWrite] {
        let bed = bed(FaultRule::once(Kind::Create, fault), false).await;
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "pending")
        );
        bed.servicenow().mark();
        bed.pass(Duration::from_secs(90));
        bed.drain().await;
        assert_eq!(
            bed.servicenow().calls(),
            Default::default(),
            "it may still be executed"
        );
        bed.settle().await;
        bed.servicenow().created(1);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_create_that_takes_effect_a_minute_later_is_found_and_not_made_again() {
    let late = Fault::ExecuteLate {
        after: Duration::from_secs(60),
    };
    for keys_are_unique in [false, true] {
        let bed = bed(
            FaultRule::times(Kind::Create, 2, late.clone()),
            keys_are_unique,
        )
        .await;
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "pending")
        );
        bed.servicenow().created(0);
        bed.settle().await;
        bed.servicenow().created(1);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_alert_delivered_again_after_a_lost_reply_makes_one_incident() {
    let bed = bed(
        FaultRule::once(Kind::Create, Fault::DropReplyAfterWrite),
        false,
    )
    .await;
    bed.deliver("metric_fired").await;
    bed.pass(Duration::from_secs(5 * 60));
    let second = bed.deliver("metric_fired").await;
    assert_eq!(second.status, 200);
    assert_eq!(
        second.work_items,
        [bed.servicenow().only_work_item().number()]
    );
    bed.end().await;
}

#[tokio::test]
async fn a_second_incident_that_a_stale_search_brought_about_is_closed_as_a_duplicate() {
    let hour = Duration::from_secs(3600);
    let config = Config {
        accepts_chosen_sys_id: false,
        ..Config::default()
    };
    let bed = TestBed::with_servicenow(config)
        .fault(FaultRule::once(Kind::Create, Fault::DropReplyAfterWrite))
        .fault(FaultRule::once(
            Kind::Query,
            Fault::StaleSearch { by: hour },
        ))
        .start()
        .await;
    bed.deliver("metric_fired").await;
    bed.settle().await;
    bed.servicenow().created(2);
    let open = bed.servicenow().open();
    let [kept] = open.as_slice() else {
        panic!("one is to stay open: {open:#?}");
    };
    let again = bed.deliver("metric_fired").await;
    assert_eq!(again.work_items, [kept.number()]);
    let closed = bed.servicenow().incidents();
    let told = closed
        .iter()
        .find(|incident| incident.state() == State::Resolved);
    let notes = told.map(|incident| incident.field("close_notes").to_owned());
    assert_eq!(notes, Some(format!("Duplicate of {}.", kept.number())));
    bed.end().await;
}

#[tokio::test]
async fn a_resolve_whose_reply_was_lost_is_seen_to_have_happened() {
    for fault in [Fault::DropReplyAfterWrite, Fault::DropReplyBeforeWrite] {
        let bed = bed(FaultRule::once(Kind::Update, fault), false).await;
        let fired = bed.deliver("metric_fired").await;
        let resolved = bed.deliver("metric_resolved").await;
        assert_eq!(
            (resolved.status, resolved.outcome.as_str()),
            (202, "pending")
        );
        bed.settle().await;
        assert_eq!(
            bed.servicenow().state_of(&fired.work_items[0]),
            State::Resolved
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn a_token_whose_reply_was_lost_costs_nothing_but_time() {
    let bed = bed(
        FaultRule::once(Kind::Token, Fault::DropReplyAfterWrite),
        false,
    )
    .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_is_slower_than_the_answer_may_be_gets_its_alert_pending() {
    let slow = Fault::Slow {
        by: Duration::from_secs(30),
    };
    let bed = TestBed::with_servicenow(Config::default())
        .fault(FaultRule::once(Kind::Create, slow))
        .start()
        .await;
    let asked_at = bed.monotonic();
    let delivered = bed.deliver("metric_fired").await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "pending")
    );
    assert!(
        bed.monotonic() - asked_at < Duration::from_secs(9),
        "Azure waits ten seconds"
    );
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}
