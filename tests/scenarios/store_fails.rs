//! The state store fails: what is not durable is asked for again, and what is durable is finished later.

use simulators::servicenow::Config;

use crate::bed::{Fate, Service, State, Step, TestBed};

fn all_of_the_store(fate: Fate) -> impl FnMut(&Step) -> Fate + Send {
    move |step| match step.service {
        Service::Store => fate,
        _ => Fate::Works,
    }
}

/// From the first call that this is about on, the store is gone.
fn gone_from(operation: &'static str, prefix: &'static str) -> impl FnMut(&Step) -> Fate + Send {
    let mut is_gone = false;
    move |step| {
        is_gone |= step.is(Service::Store, operation, prefix);
        match step.service {
            Service::Store if is_gone => Fate::FailsBefore,
            _ => Fate::Works,
        }
    }
}

/// An instance that keeps our keys unique, or one that does not know them at all.
fn instance(keys_are_unique: bool) -> Config {
    Config {
        accepts_chosen_sys_id: keys_are_unique,
        ..Config::default()
    }
}

#[tokio::test]
async fn an_alert_that_cannot_be_kept_is_asked_for_again_and_makes_one_incident() {
    for fate in [Fate::FailsBefore, Fate::FailsAfter] {
        let bed = TestBed::usual().await;
        bed.fates().decide(all_of_the_store(fate));
        let refused = bed.deliver("metric_fired").await;
        assert_eq!(refused.status, 503, "{fate:?}");
        assert!(refused.answer.header("retry-after").is_some(), "{fate:?}");
        bed.servicenow().created(0);

        bed.fates().all_well();
        let again = bed.deliver("metric_fired").await;
        assert_eq!(again.status, 200, "{fate:?}");
        assert_eq!(
            again.work_items,
            [bed.servicenow().only_work_item().number()],
            "{fate:?}"
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn an_alert_of_which_only_half_is_kept_is_asked_for_again_and_makes_one_incident() {
    for half in ["journal/", "pending/"] {
        let bed = TestBed::usual().await;
        bed.fates().decide(move |step| {
            if step.is(Service::Store, "create", half) {
                Fate::FailsBefore
            } else {
                Fate::Works
            }
        });
        assert_eq!(bed.deliver("metric_fired").await.status, 503, "{half}");
        bed.servicenow().created(0);
        bed.fates().all_well();
        assert_eq!(bed.deliver("metric_fired").await.status, 200, "{half}");
        bed.servicenow().created(1);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_alert_is_kept_at_the_second_try_without_anybody_noticing() {
    let bed = TestBed::usual().await;
    let mut failures = 0;
    bed.fates().decide(move |step| {
        let strikes = failures < 1 && step.is(Service::Store, "create", "journal/");
        failures += u32::from(strikes);
        if strikes {
            Fate::FailsBefore
        } else {
            Fate::Works
        }
    });
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    bed.end().await;
}

#[tokio::test]
async fn a_store_that_fails_anywhere_after_the_alert_is_kept_costs_time_and_nothing_else() {
    let places = [
        ("get", "slots/"),
        ("create", "slots/"),
        ("list", "slots/"),
        ("list", "gates/"),
        ("list", "facts/"),
    ];
    for keys_are_unique in [false, true] {
        for (operation, prefix) in places {
            let bed = TestBed::with_servicenow(instance(keys_are_unique))
                .keys_are_unique(keys_are_unique)
                .start()
                .await;
            bed.fates().decide(gone_from(operation, prefix));
            let fired = bed.deliver("metric_fired").await;
            let what = format!("{operation} {prefix}, {keys_are_unique}");
            assert!(matches!(fired.status, 200 | 202 | 503), "{what}: {fired:?}");
            bed.fates().all_well();
            assert!(
                matches!(bed.deliver("metric_fired").await.status, 200 | 202),
                "{what}"
            );
            bed.settle().await;
            assert_eq!(
                bed.servicenow().only_work_item().state(),
                State::New,
                "{what}"
            );
            bed.end().await;
        }
    }
}

#[tokio::test]
async fn an_incident_that_was_made_but_not_written_down_is_found_again() {
    for keys_are_unique in [false, true] {
        let bed = TestBed::with_servicenow(instance(keys_are_unique))
            .keys_are_unique(keys_are_unique)
            .start()
            .await;
        let mut claimed = false;
        bed.fates().decide(move |step| {
            let writes = step.is(Service::Store, "create", "slots/");
            let fate = if writes && claimed {
                Fate::FailsBefore
            } else {
                Fate::Works
            };
            claimed |= writes;
            fate
        });
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "pending")
        );
        bed.servicenow().created(1);
        bed.fates().all_well();
        bed.settle().await;
        bed.servicenow().created(1);
        let again = bed.deliver("metric_fired").await;
        assert_eq!(
            again.work_items,
            [bed.servicenow().only_work_item().number()]
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_put_into_quarantine_is_asked_for_again() {
    let bed = TestBed::usual().await;
    bed.fates().decide(all_of_the_store(Fate::FailsBefore));
    assert_eq!(bed.deliver_body("contoso", b"{").await.status, 503);
    bed.fates().all_well();
    assert_eq!(
        bed.deliver_body("contoso", b"{").await.outcome,
        "quarantined"
    );
    bed.end().await;
}

#[tokio::test]
async fn health_says_that_the_store_fails_until_it_works_again() {
    let bed = TestBed::usual().await;
    bed.fates().decide(all_of_the_store(Fate::FailsBefore));
    bed.deliver("metric_fired").await;
    let sick = bed.health().await;
    assert_eq!(
        (sick.status, sick.json()["status"].as_str()),
        (503, Some("failing"))
    );
    bed.fates().all_well();
    bed.deliver("metric_fired").await;
    let well = bed.health().await;
    assert_eq!(
        (well.status, well.json()["status"].as_str()),
        (200, Some("healthy"))
    );
    bed.end().await;
}

#[tokio::test]
async fn health_asks_nobody() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    bed.servicenow().mark();
    bed.fates().take_steps();
    assert_eq!(bed.health().await.status, 200);
    assert!(bed.fates().take_steps().is_empty());
    bed.end().await;
}
