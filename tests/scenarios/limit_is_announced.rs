//! The instance says with each answer how many calls an hour it allows: what waits is not hurried into a refusal.

use std::time::Duration;

use simulators::journal::Kind;
use simulators::server::now_ms;
use simulators::servicenow::{AppliesTo, Config, RateLimit};

use crate::bed::{Alert, Fate, Service, TestBed, pause};

const HOUR_MS: i64 = 3_600_000;

/// A bed with an instance that allows so many calls, where so many alerts wait.
async fn with_a_limit(per_hour: u64, alerts: u32) -> TestBed {
    let config = Config {
        rate_limits: vec![RateLimit {
            applies_to: AppliesTo::AllUsers,
            per_hour,
        }],
        ..Config::default()
    };
    // The instance counts by the clock hour: none may begin in the middle of the story.
    while now_ms() % HOUR_MS > HOUR_MS - 20_000 {
        pause(Duration::from_secs(1)).await;
    }
    let bed = TestBed::with_servicenow(config).start().await;
    bed.fates().decide(|step| match step.service {
        Service::Vault => Fate::FailsBefore,
        _ => Fate::Works,
    });
    for n in 0..alerts {
        let alert = Alert::captured("metric_fired").number(n);
        assert_eq!(bed.deliver(alert).await.status, 202);
    }
    bed.fates().all_well();
    // A vault that has failed is left alone for a while.
    bed.pass(Duration::from_secs(6));
    bed
}

fn refused(bed: &TestBed) -> usize {
    let inside = bed.servicenow().inside();
    let entries = inside.journal().of(Kind::Any);
    entries.filter(|entry| entry.status == 429).count()
}

#[tokio::test]
async fn the_drain_stops_before_the_limit_and_keeps_a_tenth_for_what_comes_meanwhile() {
    let bed = with_a_limit(40, 60).await;
    let drained = bed.drain().await;
    assert_eq!(
        drained.stopped_because,
        Some("the calls that the product allows are used up")
    );
    let made = bed.servicenow().incidents().len();
    assert!((30..=36).contains(&made), "{made} of 36");
    assert_eq!(refused(&bed), 0);

    let mut outcomes = Vec::new();
    for n in 1000..1012 {
        let new = Alert::captured("metric_fired").number(n);
        outcomes.push(bed.deliver(new).await.outcome);
    }
    assert_eq!((&*outcomes[0], &*outcomes[11]), ("created", "pending"));
    assert_eq!(refused(&bed), 0, "what does not fit any more waits");
    bed.servicenow().inside().config_mut().rate_limits.clear();
    bed.end().await;
}

#[tokio::test]
async fn the_next_drain_in_another_process_knows_what_was_used() {
    let bed = with_a_limit(40, 60).await;
    bed.drain().await;
    for _ in 0..3 {
        bed.drains_with(&bed.another_core()).await;
    }
    let made = bed.servicenow().incidents().len();
    assert!((34..=36).contains(&made), "{made} of 36");
    assert_eq!(refused(&bed), 0);
    bed.servicenow().inside().config_mut().rate_limits.clear();
    bed.end().await;
}
