//! The process ends in the middle: before or after any call that it makes to the store, the vault or the instance. What
//! comes after it finds the rest and does it, once.

use simulators::servicenow::Config;

use crate::bed::{Alert, Fate, State, TestBed};

/// More calls than any of these stories makes.
const STEPS_MAX: usize = 200;

/// An instance that keeps our keys unique, or one that does not know them at all.
async fn bed(grouping: &str, keys_are_unique: bool) -> TestBed {
    let config = Config {
        accepts_chosen_sys_id: keys_are_unique,
        ..Config::default()
    };
    TestBed::with_servicenow(config)
        .action("default", "grouping", grouping)
        .keys_are_unique(keys_are_unique)
        .start()
        .await
}

/// Tells a story for each way to die in it: unique keys or not, before or after each call, until it survives.
async fn for_each_death(story: impl AsyncFnMut(TestBed, usize, Fate) -> Survival) {
    for_each_death_with("alert", story).await;
}

async fn for_each_death_with(
    grouping: &str,
    mut story: impl AsyncFnMut(TestBed, usize, Fate) -> Survival,
) {
    for keys_are_unique in [false, true] {
        for fate in [Fate::StopsBefore, Fate::StopsAfter] {
            let mut deaths = 0;
            while story(bed(grouping, keys_are_unique).await, deaths + 1, fate).await
                == Survival::No
            {
                deaths += 1;
                assert!(deaths < STEPS_MAX, "it dies for ever");
            }
            assert!(
                deaths >= 5,
                "{deaths} deaths: the story is shorter than it should be"
            );
        }
    }
}

#[derive(PartialEq, Eq)]
enum Survival {
    Yes,
    No,
}

impl<T> From<Option<T>> for Survival {
    fn from(finished: Option<T>) -> Self {
        if finished.is_some() {
            Self::Yes
        } else {
            Self::No
        }
    }
}

#[tokio::test]
async fn a_fired_alert_that_is_sent_again_after_the_process_died_is_one_incident() {
    for_each_death(async |bed, nth, fate| {
        let core = bed.another_core();
        let finished = bed
            .dies_at(nth, fate, bed.handle(&core, "metric_fired"))
            .await;
        assert!(
            matches!(bed.deliver("metric_fired").await.status, 200 | 202),
            "{nth} {fate:?}"
        );
        bed.settle().await;
        assert_eq!(
            bed.servicenow().only_work_item().state(),
            State::New,
            "{nth} {fate:?}"
        );
        bed.end().await;
        finished.into()
    })
    .await;
}

#[tokio::test]
async fn a_fired_alert_that_was_kept_before_the_process_died_is_one_incident_though_nobody_sends_it_again()
 {
    for_each_death(async |bed, nth, fate| {
        let core = bed.another_core();
        let finished = bed
            .dies_at(nth, fate, bed.handle(&core, "metric_fired"))
            .await;
        let was_kept = bed.objects("journal").await.len() == 1 && bed.pending().await == 1;
        bed.settle().await;
        bed.servicenow().created(usize::from(was_kept));
        bed.end().await;
        finished.into()
    })
    .await;
}

#[tokio::test]
async fn a_resolved_alert_that_is_sent_again_after_the_process_died_resolves_its_incident() {
    for_each_death(async |bed, nth, fate| {
        bed.deliver("metric_fired").await;
        let core = bed.another_core();
        let finished = bed
            .dies_at(nth, fate, bed.handle(&core, "metric_resolved"))
            .await;
        assert!(
            matches!(bed.deliver("metric_resolved").await.status, 200 | 202),
            "{nth} {fate:?}"
        );
        bed.settle().await;
        assert_eq!(
            bed.servicenow().only_work_item().state(),
            State::Resolved,
            "{nth} {fate:?}"
        );
        bed.end().await;
        finished.into()
    })
    .await;
}

#[tokio::test]
async fn a_drain_that_dies_is_finished_by_the_next() {
    for_each_death(async |bed, nth, fate| {
        bed.fates().decide(|step| {
            if step.path.starts_with("slots") {
                Fate::FailsBefore
            } else {
                Fate::Works
            }
        });
        let two = [1, 2].map(|n| Alert::captured("metric_fired").number(n));
        for alert in &two {
            assert_eq!(bed.deliver(alert).await.outcome, "pending");
        }
        assert_eq!(
            bed.deliver(two[0].clone().with("monitorCondition", "Resolved"))
                .await
                .outcome,
            "pending"
        );
        bed.fates().all_well();
        let core = bed.another_core();
        let finished = bed.dies_at(nth, fate, bed.drains_with(&core)).await;
        bed.settle().await;
        bed.servicenow().created(2);
        assert_eq!(
            bed.servicenow().open().len(),
            1,
            "{nth} {fate:?}\n{}",
            bed.servicenow()
        );
        bed.end().await;
        finished.into()
    })
    .await;
}

/// An alert with two rows, and the end of it, which has none.
fn rows() -> [Alert; 2] {
    let accounts = ["alice", "bob"].map(str::to_owned);
    let fired = Alert::captured("simple_log_fired").rows(accounts);
    [fired, Alert::captured("simple_log_resolved")]
}

#[tokio::test]
async fn the_end_of_an_alert_with_rows_is_not_forgotten_wherever_its_fired_dies() {
    for_each_death_with("row", async |bed, nth, fate| {
        let [fired, resolved] = rows();
        bed.deliver(resolved).await;
        bed.settle().await;
        let core = bed.another_core();
        let finished = bed.dies_at(nth, fate, bed.handle(&core, &fired)).await;
        bed.deliver(fired).await;
        bed.settle().await;
        let states = bed.servicenow().states();
        assert_eq!(states, [State::Resolved; 2], "{nth} {fate:?}");
        bed.end().await;
        finished.into()
    })
    .await;
}

#[tokio::test]
async fn the_rows_of_an_alert_are_all_resolved_wherever_its_resolved_dies() {
    for_each_death_with("row", async |bed, nth, fate| {
        let [fired, resolved] = rows();
        bed.deliver(fired).await;
        let core = bed.another_core();
        let finished = bed.dies_at(nth, fate, bed.handle(&core, &resolved)).await;
        bed.deliver(resolved).await;
        bed.settle().await;
        let states = bed.servicenow().states();
        assert_eq!(states, [State::Resolved; 2], "{nth} {fate:?}");
        bed.end().await;
        finished.into()
    })
    .await;
}

#[tokio::test]
async fn a_drain_that_dies_among_the_rows_of_an_alert_is_finished_by_the_next() {
    for_each_death_with("row", async |bed, nth, fate| {
        bed.fates().decide(|step| {
            if step.path.starts_with("slots") {
                Fate::FailsBefore
            } else {
                Fate::Works
            }
        });
        for alert in rows() {
            assert_eq!(bed.deliver(alert).await.outcome, "pending");
        }
        bed.fates().all_well();
        let core = bed.another_core();
        let finished = bed.dies_at(nth, fate, bed.drains_with(&core)).await;
        bed.settle().await;
        let states = bed.servicenow().states();
        assert_eq!(states, [State::Resolved; 2], "{nth} {fate:?}");
        bed.end().await;
        finished.into()
    })
    .await;
}
