//! A product that asks to be left alone is left alone; one that is back is met gently; and what is held back meanwhile is
//! neither lost nor counted as tried.

use std::time::Duration;

use itsm_connector::domain::gate::PROBE_FOR;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::gatekeeper::{Gatekeeper, Leave};
use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, CONNECTION, Calls, TestBed};

fn alert(n: u32) -> Alert {
    Alert::captured("metric_fired").number(n)
}

fn asks_to_wait(seconds: u32) -> Fault {
    Fault::Status {
        code: 429,
        retry_after: Some(seconds.to_string()),
        rate_headers: true,
        body: FaultBody::Json,
    }
}

async fn bed(fault: FaultRule) -> TestBed {
    TestBed::with_servicenow(Config::default())
        .fault(fault)
        .keys_are_unique(true)
        .start()
        .await
}

fn contoso() -> ConnectionName {
    ConnectionName::parse(CONNECTION).unwrap()
}

/// Delivers some alerts, the first of which closes the gate; none becomes an incident yet.
async fn deliver_before_a_closed_gate(bed: &TestBed, count: u32) {
    for n in 0..count {
        assert_eq!(bed.deliver(alert(n)).await.outcome, "pending");
    }
    bed.servicenow().created(0);
}

#[tokio::test]
async fn an_hour_of_429_sees_one_probe_an_hour_and_nothing_else() {
    let bed = bed(FaultRule::times(Kind::Create, 3, asks_to_wait(3600))).await;
    deliver_before_a_closed_gate(&bed, 20).await;
    for hour in 0..3 {
        bed.servicenow().mark();
        for minute in 0..59 {
            bed.pass(Duration::from_secs(60));
            bed.drain().await;
            bed.deliver(alert(100 + hour * 60 + minute)).await;
        }
        assert_eq!(bed.servicenow().calls(), Calls::NONE, "hour {hour}");
        bed.pass(Duration::from_secs(65));
        bed.drain().await;
        if hour < 2 {
            assert_eq!(bed.servicenow().calls().creates, 1, "hour {hour}");
        }
    }
    bed.servicenow().created(20 + 3 * 59);
    bed.end().await;
}

#[tokio::test]
async fn of_several_instances_one_sends_the_probe() {
    let bed = bed(FaultRule::once(Kind::Create, asks_to_wait(60))).await;
    deliver_before_a_closed_gate(&bed, 2).await;
    bed.pass(Duration::from_secs(61));
    let (name, cores) = (contoso(), [bed.another_core(), bed.another_core()]);
    let one = Gatekeeper::new(&cores[0], &name).await.unwrap();
    let other = Gatekeeper::new(&cores[1], &name).await.unwrap();
    assert_eq!(one.leave().await, Ok(Leave::Probe));
    assert_eq!(
        other.leave().await,
        Ok(Leave::Closed),
        "it saw the same gate"
    );
    bed.drain().await;
    bed.servicenow().created(0);
    // The one that claimed the probe is never heard of again.
    bed.pass(PROBE_FOR);
    bed.drain().await;
    bed.servicenow().created(2);
    bed.end().await;
}

#[tokio::test]
async fn a_product_that_is_back_gets_one_call_then_one_then_two_then_four_at_once() {
    let bed = bed(FaultRule::once(Kind::Create, asks_to_wait(60))).await;
    deliver_before_a_closed_gate(&bed, 12).await;
    bed.pass(Duration::from_secs(61));
    bed.servicenow().mark();
    let by = Duration::from_millis(400);
    bed.servicenow()
        .fault(FaultRule::always(Kind::Create, Fault::Slow { by }));
    bed.drain().await;
    let mut together: Vec<usize> = Vec::new();
    let mut last = i64::MIN;
    for at_ms in bed.servicenow().times_of(Kind::Create) {
        if at_ms.saturating_sub(last) > 250 {
            together.push(0);
        }
        *together.last_mut().unwrap() += 1;
        last = at_ms;
    }
    assert_eq!(together, [1, 1, 2, 4, 4], "{}", bed.servicenow());
    bed.servicenow().heals();
    bed.end().await;
}

#[tokio::test]
async fn a_ramp_goes_on_where_the_last_invocation_left_it_and_a_relapse_closes_again() {
    let bed = bed(FaultRule::once(Kind::Create, asks_to_wait(60))).await;
    deliver_before_a_closed_gate(&bed, 1).await;
    bed.pass(Duration::from_secs(61));
    bed.drain().await;
    bed.servicenow().created(1);
    let (name, core) = (contoso(), bed.another_core());
    let gatekeeper = Gatekeeper::new(&core, &name).await.unwrap();
    assert_eq!(gatekeeper.at_once().await, Ok(1), "one alert has proved it");
    bed.servicenow()
        .fault(FaultRule::once(Kind::Create, Fault::Semaphore429));
    for n in 10..14 {
        assert_eq!(
            bed.deliver(alert(n)).await.outcome,
            "pending",
            "the drain ramps"
        );
    }
    bed.servicenow().mark();
    bed.drain().await;
    assert_eq!(
        bed.servicenow().calls().creates,
        1,
        "it was not four at once"
    );
    assert_eq!(core.gates.read(&name).await.unwrap().gate.closings, 2);
    bed.end().await;
}

#[tokio::test]
async fn a_sev0_that_comes_among_five_thousand_waiting_sev3_is_made_first() {
    let bed = bed(FaultRule::once(Kind::Create, asks_to_wait(600))).await;
    let waiting = alert(0).with("severity", "Sev3");
    for n in 0..5000 {
        bed.handle(bed.core(), waiting.clone().number(n)).await;
    }
    let urgent = alert(9999).with("severity", "Sev0");
    bed.handle(bed.core(), urgent.with("alertRule", "the-urgent-one"))
        .await;
    assert_eq!(bed.pending().await, 5001);
    bed.pass(Duration::from_secs(601));
    bed.drain_within(Duration::from_secs(10)).await;
    let made = bed.servicenow().incidents();
    let first = made.iter().min_by_key(|made| made.number().to_owned());
    assert!(
        first.is_some_and(|first| first.field("short_description").contains("the-urgent-one")),
        "{first:?} of {}",
        made.len()
    );
    assert!(made.len() > 50, "the others follow: {}", made.len());
    bed.abandon().await;
}

#[tokio::test]
async fn a_connection_that_was_mended_is_tried_at_once_after_its_test() {
    let bed = bed(FaultRule::always(Kind::Token, Fault::Unauthorized401)).await;
    bed.keeps_without_acting(&[CONNECTION], 8).await;
    for _ in 0..4 {
        bed.drain().await;
        bed.pass(Duration::from_secs(60));
    }
    assert_eq!(
        bed.servicenow().calls().tokens,
        1,
        "four at once, and four minutes of drains: nobody locks an account"
    );
    bed.servicenow().heals();
    let steps = bed.tests_the_connection().await;
    assert!(steps.iter().all(|step| step.works), "{steps:#?}");
    bed.drain().await;
    bed.servicenow().created(8);
    bed.end().await;
}

#[tokio::test]
async fn credentials_that_were_changed_in_the_vault_are_used_at_the_next_probe() {
    let bed = TestBed::usual().await;
    bed.defines(|definition| definition["client_secret"] = "wrong".into())
        .await;
    assert_eq!(bed.deliver(alert(1)).await.outcome, "pending");
    bed.defines(|_| {}).await;
    bed.pass(Duration::from_secs(5 * 60 + 1));
    bed.drain().await;
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn what_is_held_back_is_not_counted_as_tried_and_is_made_in_the_end() {
    let lost = FaultRule::always(Kind::Create, Fault::DropReplyBeforeWrite);
    let bed = bed(lost).await;
    for n in 0..40 {
        bed.deliver(alert(n)).await;
    }
    bed.pass(Duration::from_secs(60 * 60));
    for _ in 0..3 {
        bed.drain().await;
    }
    let (tries, creates) = (bed.tries().await, bed.servicenow().calls().creates);
    assert_eq!(tries, creates as u64);
    assert!(
        creates < 80,
        "{creates}: every call was turned away, and it went on"
    );
    bed.servicenow().heals();
    bed.settle().await;
    bed.servicenow().created(40);
    assert_eq!(bed.dead_letters().await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn a_drain_without_time_for_a_call_asks_nobody_anything() {
    let bed = bed(FaultRule::once(Kind::Create, asks_to_wait(60))).await;
    deliver_before_a_closed_gate(&bed, 3).await;
    bed.pass(Duration::from_secs(61));
    bed.fates().take_steps();
    for seconds in [0, 1, 3, 5] {
        bed.drain_within(Duration::from_secs(seconds)).await;
    }
    assert!(bed.fates().take_steps().is_empty());
    bed.end().await;
}

/// Many connections of one instance that takes its time, and as many of one that does not, each with alerts that wait; all
/// of the latter are made in one run.
async fn the_well_are_served_beside_the_sick(fault: FaultRule) {
    let mut bed = TestBed::usual().await;
    let sick = bed.another_instance().await;
    sick.fault(fault);
    // Of each more than have a turn at once.
    let named = |kind: &str, count| (0..count).map(|n| format!("{kind}-{n:02}")).collect();
    let (slow, well): (Vec<String>, Vec<String>) = (named("sick", 12), named("well", 9));
    for name in &slow {
        bed.defines_another(name, &sick).await;
    }
    for name in &well {
        bed.defines_another(name, bed.servicenow()).await;
    }
    bed.keeps_without_acting(&slow, 60).await;
    bed.keeps_without_acting(&well, 1).await;
    bed.drain_within(Duration::from_secs(15)).await;
    bed.servicenow().created(well.len());
    bed.abandon().await;
    sick.stop().await;
}

#[tokio::test]
async fn connections_whose_product_hangs_take_no_time_from_the_others() {
    let by = Duration::from_secs(600);
    the_well_are_served_beside_the_sick(FaultRule::always(Kind::Any, Fault::Slow { by })).await;
}

#[tokio::test]
async fn connections_whose_product_is_slow_take_no_time_from_the_others() {
    let by = Duration::from_secs(2);
    the_well_are_served_beside_the_sick(FaultRule::always(Kind::Create, Fault::Slow { by })).await;
}
