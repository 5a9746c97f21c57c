//! Four processes over one state folder, and one of them is killed in the middle: there is one incident all the same.

use std::time::Duration;

use futures_util::future::{join, join_all};
use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Delivered, Program, State, TestBed};

/// Deliveries to each process.
const AT_ONCE: usize = 50;

/// A bed whose instance keeps our keys unique or ignores them, and takes its time, so that there is a middle to be killed in.
async fn bed(keys_are_unique: bool) -> TestBed {
    let slow = Fault::Slow {
        by: Duration::from_millis(800),
    };
    let config = Config {
        accepts_chosen_sys_id: keys_are_unique,
        ..Config::default()
    };
    TestBed::with_servicenow(config)
        .fault(FaultRule::once(Kind::Create, slow))
        .keys_are_unique(keys_are_unique)
        .state_in_a_folder()
        .start()
        .await
}

async fn fifty_at_once(program: &Program) -> Vec<Option<Delivered>> {
    join_all((0..AT_ONCE).map(|_| program.deliver("metric_fired"))).await
}

fn all_are_kept(answers: &[Option<Delivered>]) {
    for answer in answers {
        let kept = answer
            .as_ref()
            .is_some_and(|answer| matches!(answer.status, 200 | 202));
        assert!(kept, "the living answer 2xx: {answer:?}");
    }
}

/// What is left is done by the living once time has passed; the alert resolves, and comes again.
async fn all_is_well_in_the_end(bed: TestBed, living: &[&Program]) {
    bed.servicenow().created(1);
    let resolved = living[0].deliver("metric_resolved").await;
    all_are_kept(&[resolved]);
    bed.settle().await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.state(), State::Resolved, "{}", bed.servicenow());
    for program in living {
        let again = program.deliver("metric_fired").await.unwrap();
        assert_eq!(
            (again.status, again.work_items),
            (200, vec![incident.number().to_owned()])
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn an_alert_delivered_fifty_times_to_each_of_four_processes_of_which_one_is_killed_is_one_incident()
 {
    for keys_are_unique in [true, false] {
        let bed = bed(keys_are_unique).await;
        let mut first = bed.program("first").await;
        let others = [
            bed.program("second").await,
            bed.program("third").await,
            bed.program("fourth").await,
        ];

        let killed = async {
            let deliveries = fifty_at_once(&first);
            tokio::select! { biased; _ = deliveries => {}, () = bed.servicenow().is_asked_for_an_incident() => {} }
            first.kill();
        };
        let ((), answers) = join(killed, join_all(others.iter().map(fifty_at_once))).await;
        all_are_kept(&answers.concat());
        all_is_well_in_the_end(bed, &others.each_ref()).await;
    }
}

#[tokio::test]
async fn the_process_that_is_killed_while_it_makes_the_incident_leaves_it_to_the_others() {
    for keys_are_unique in [true, false] {
        let bed = bed(keys_are_unique).await;
        let mut first = bed.program("first").await;
        let others = [
            bed.program("second").await,
            bed.program("third").await,
            bed.program("fourth").await,
        ];

        tokio::select! {
            biased;
            _ = fifty_at_once(&first) => {}
            () = bed.servicenow().is_asked_for_an_incident() => {}
        }
        first.kill();
        let answers = join_all(others.iter().map(fifty_at_once)).await.concat();
        all_are_kept(&answers);
        let pending = |answer: &Option<Delivered>| {
            answer
                .as_ref()
                .is_some_and(|answer| answer.outcome == "pending")
        };
        assert!(answers.iter().all(pending), "nobody else may act yet");
        all_is_well_in_the_end(bed, &others.each_ref()).await;
    }
}
