//! What an alert costs in calls to the store, which a cloud has paid for one by one. The figures stand in docs/state.md.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bed::{Service, TestBed, pause};

/// Calls to the store since the last count.
fn calls(bed: &TestBed) -> BTreeMap<&'static str, usize> {
    let mut calls = BTreeMap::new();
    let steps = bed.fates().take_steps();
    for step in steps.iter().filter(|step| step.service == Service::Store) {
        *calls.entry(step.operation).or_default() += 1;
    }
    calls
}

/// A process drains as soon as it runs, in a thread of its own: on a busy machine its listings would fall into the first count.
async fn the_process_has_drained_for_the_first_time(bed: &TestBed) {
    const QUIET: Duration = Duration::from_millis(500);
    let mut drained = false;
    for _ in 0..60 {
        pause(QUIET).await;
        let is_quiet = calls(bed).is_empty();
        if drained && is_quiet {
            return;
        }
        drained |= !is_quiet;
    }
    panic!("the process does not drain, or does not end");
}

#[tokio::test]
async fn an_alert_that_comes_and_goes_costs_the_store_what_the_docs_say() {
    let bed = TestBed::usual().await;
    the_process_has_drained_for_the_first_time(&bed).await;
    bed.drain().await;
    calls(&bed);
    let mut told = String::new();
    for (what, fixture) in [("fired", "metric_fired"), ("resolved", "metric_resolved")] {
        bed.deliver(fixture).await;
        told += &format!("{what}, until the answer: {:?}\n", calls(&bed));
        bed.drain().await;
        told += &format!("{what}, the drain after it: {:?}\n", calls(&bed));
        bed.deliver(fixture).await;
        told += &format!("{what}, delivered again: {:?}\n", calls(&bed));
        bed.drain().await;
        calls(&bed);
    }
    bed.drain().await;
    told += &format!("a minute without alerts: {:?}\n", calls(&bed));
    insta::assert_snapshot!(told);
    bed.end().await;
}
