//! A panic below is nobody else's trouble: the sender is asked to send again, and the process goes on.

use crate::bed::{Fate, Service, Step, TestBed};

fn panics_at(service: Service) -> impl FnMut(&Step) -> Fate + Send {
    move |step| {
        if step.service == service {
            Fate::Panics
        } else {
            Fate::Works
        }
    }
}

#[tokio::test]
async fn a_panic_anywhere_below_is_answered_503_and_the_alert_is_made_when_it_comes_again() {
    for service in [Service::Vault, Service::Store, Service::Product] {
        let bed = TestBed::usual().await;
        bed.fates().decide(panics_at(service));
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(delivered.status, 503, "{service:?}");
        assert!(
            delivered.answer.header("retry-after").is_some(),
            "{service:?}"
        );
        assert!(
            !delivered.answer.body.contains("put in"),
            "{}",
            delivered.answer.body
        );

        bed.fates().all_well();
        assert!(
            matches!(bed.deliver("metric_fired").await.status, 200 | 202),
            "{service:?}"
        );
        bed.settle().await;
        bed.servicenow().created(1);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_panic_in_the_drain_ends_that_run_and_not_the_process() {
    for service in [Service::Vault, Service::Store, Service::Product] {
        let bed = TestBed::usual().await;
        bed.fates().decide(|step| {
            if step.service == Service::Store {
                Fate::Works
            } else {
                Fate::FailsBefore
            }
        });
        assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
        bed.pass(std::time::Duration::from_secs(3600));
        bed.fates().decide(panics_at(service));
        bed.intake().drain(std::time::Duration::from_secs(55)).await;
        bed.fates().all_well();
        bed.settle().await;
        bed.servicenow().created(1);
        bed.end().await;
    }
}
