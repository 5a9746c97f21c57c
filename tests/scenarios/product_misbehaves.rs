//! The instance answers in all the ways in which instances, their proxies and their administrators answer: the alert is
//! kept each time, and once the trouble is over there is one open incident.

use std::time::Duration;

use simulators::fault::{Fault, FaultBody, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Builder, Calls, State, TestBed};

/// What may come in place of an answer.
pub(crate) fn nuisances() -> Vec<Fault> {
    let status = |code, retry_after: Option<&str>, body| Fault::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        rate_headers: false,
        body,
    };
    vec![
        Fault::Html200,
        Fault::Hibernating,
        Fault::HibernatingRedirect,
        Fault::ErrorBodyWith200,
        Fault::BrokenJsonWith200,
        Fault::Null200,
        Fault::BareList200,
        Fault::Empty202,
        Fault::EmptyResult,
        Fault::ForeignRecord,
        Fault::NoCorrelationEcho,
        Fault::TokenExpiredEarly,
        Fault::Unauthorized401,
        Fault::RateLimit429,
        Fault::Semaphore429,
        Fault::CommitThen500,
        Fault::EchoSecrets,
        Fault::ResetBeforeRead,
        Fault::DropReplyBeforeWrite,
        Fault::DropReplyAfterWrite,
        Fault::CutBody { after_bytes: 20 },
        Fault::HugeBody { bytes: 5_000_000 },
        Fault::Slow {
            by: Duration::from_secs(2),
        },
        Fault::Drip {
            every: Duration::from_millis(50),
        },
        status(500, None, FaultBody::Json),
        status(502, None, FaultBody::Html),
        status(503, Some("120"), FaultBody::Html),
        status(503, Some("Fri, 31 Dec 2099 23:59:59 GMT"), FaultBody::Empty),
        status(504, None, FaultBody::Empty),
        status(429, Some("soon"), FaultBody::Empty),
        status(401, None, FaultBody::Html),
        status(301, None, FaultBody::Empty),
        status(418, None, FaultBody::Json),
    ]
}

async fn bed(fault: FaultRule, keys_are_unique: bool) -> TestBed {
    TestBed::with_servicenow(Config::default())
        .fault(fault)
        .keys_are_unique(keys_are_unique)
        .in_a_hurry()
        .start()
        .await
}

/// Three creates in a row are answered so; then the instance works again.
async fn one_incident_comes_of_a_create_that_is_answered_by(fault: Fault, bed: Builder) {
    let rule = FaultRule::times(Kind::Create, 3, fault.clone());
    let bed = bed.fault(rule).in_a_hurry().start().await;
    let delivered = bed.deliver("metric_fired").await;
    assert!(
        matches!(delivered.status, 200 | 202),
        "{fault:?}: {delivered:?}"
    );
    bed.settle().await;
    assert!(bed.servicenow().struck() > 0, "{fault:?}: it was never met");
    assert_eq!(
        bed.servicenow().open().len(),
        1,
        "{fault:?}\n{}",
        bed.servicenow()
    );
    assert_eq!(bed.dead_letters().await, [""; 0], "{fault:?}");

    let resolved = bed.deliver("metric_resolved").await;
    assert!(
        matches!(resolved.status, 200 | 202),
        "{fault:?}: {resolved:?}"
    );
    bed.settle().await;
    assert_eq!(
        bed.servicenow().open().len(),
        0,
        "{fault:?}\n{}",
        bed.servicenow()
    );
    bed.end().await;
}

#[tokio::test]
async fn with_unique_keys_no_bad_answer_to_a_create_loses_or_doubles_an_incident() {
    for fault in nuisances() {
        let bed = TestBed::with_servicenow(Config::default()).keys_are_unique(true);
        one_incident_comes_of_a_create_that_is_answered_by(fault, bed).await;
    }
}

#[tokio::test]
async fn where_nobody_knows_of_unique_keys_no_bad_answer_to_a_create_loses_or_doubles_an_incident()
{
    for fault in nuisances() {
        let bed = TestBed::with_servicenow(Config::default());
        one_incident_comes_of_a_create_that_is_answered_by(fault, bed).await;
    }
}

#[tokio::test]
async fn where_keys_are_ignored_no_bad_answer_to_a_create_loses_or_doubles_an_incident() {
    for fault in nuisances() {
        let config = Config {
            accepts_chosen_sys_id: false,
            ..Config::default()
        };
        let bed = TestBed::with_servicenow(config);
        one_incident_comes_of_a_create_that_is_answered_by(fault, bed).await;
    }
}

#[tokio::test]
async fn no_bad_answer_to_a_read_or_a_write_keeps_an_incident_from_being_resolved() {
    let both = |fault: Fault| [(Kind::Read, fault.clone()), (Kind::Update, fault)];
    for (kind, fault) in nuisances().into_iter().flat_map(both) {
        // A record that does not show our correlation id is not ours to write to: that is another story below.
        if (kind, &fault) == (Kind::Read, &Fault::NoCorrelationEcho) {
            continue;
        }
        let bed = bed(FaultRule::times(kind, 2, fault.clone()), false).await;
        let fired = bed.deliver("metric_fired").await;
        let resolved = bed.deliver("metric_resolved").await;
        assert!(
            matches!(resolved.status, 200 | 202),
            "{kind:?} {fault:?}: {resolved:?}"
        );
        bed.settle().await;
        assert_eq!(
            bed.servicenow().state_of(&fired.work_items[0]),
            State::Resolved,
            "{kind:?} {fault:?}\n{}",
            bed.servicenow()
        );
        assert_eq!(bed.dead_letters().await, [""; 0], "{kind:?} {fault:?}");
        bed.end().await;
    }
}

#[tokio::test]
async fn no_bad_answer_to_a_token_request_loses_an_alert() {
    for fault in nuisances() {
        let bed = bed(FaultRule::times(Kind::Token, 2, fault.clone()), false).await;
        let delivered = bed.deliver("metric_fired").await;
        assert!(
            matches!(delivered.status, 200 | 202),
            "{fault:?}: {delivered:?}"
        );
        bed.settle().await;
        assert_eq!(
            bed.servicenow().open().len(),
            1,
            "{fault:?}\n{}",
            bed.servicenow()
        );
        bed.end().await;
    }
}

#[tokio::test]
async fn an_incident_is_resolved_although_we_were_told_a_wrong_key() {
    for keys_are_unique in [false, true] {
        let bed = bed(
            FaultRule::once(Kind::Create, Fault::WrongSysId),
            keys_are_unique,
        )
        .await;
        assert_eq!(bed.deliver("metric_fired").await.status, 200);
        assert_eq!(bed.deliver("metric_resolved").await.outcome, "resolved");
        bed.settle().await;
        assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_function_of_fifteen_seconds_finishes_what_is_pending_too() {
    let refused = Fault::RateLimit429;
    let bed = bed(FaultRule::once(Kind::Create, refused), true).await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.pass(Duration::from_secs(3 * 60 * 60));
    let drained = bed.drain_within(Duration::from_secs(15)).await;
    assert_eq!((drained.settled, drained.stopped_because), (1, None));
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_and_the_answer_is_still_in_time() {
    let bed = bed(
        FaultRule::once(Kind::Create, Fault::TokenExpiredEarly),
        false,
    )
    .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            tokens: 2,
            creates: 2,
            ..Calls::NONE
        }
    );
    bed.end().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_left_alone_until_it_is_full_again() {
    let quota = Fault::Status {
        code: 429,
        retry_after: Some("600".to_owned()),
        rate_headers: true,
        body: FaultBody::Json,
    };
    let bed = bed(FaultRule::once(Kind::Create, quota), false).await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.servicenow().mark();
    bed.pass(Duration::from_secs(590));
    bed.drain().await;
    bed.deliver(crate::bed::Alert::captured("metric_fired").number(2))
        .await;
    assert_eq!(
        bed.servicenow().calls(),
        Calls::NONE,
        "ten minutes were asked for"
    );
    bed.pass(Duration::from_secs(11));
    bed.drain().await;
    bed.servicenow().created(2);
    bed.end().await;
}

#[tokio::test]
async fn what_the_instance_refuses_for_good_is_a_dead_letter_that_says_what_to_do() {
    let refusals = [
        (Forbidden::Acl, "the role `itil` is the least that it needs"),
        (
            Forbidden::BusinessRule,
            "a business rule of the instance aborted it",
        ),
        (Forbidden::DataPolicy, "a mandatory field is missing"),
    ];
    for (why, told) in refusals {
        let bed = bed(
            FaultRule::always(Kind::Create, Fault::Forbidden403(why)),
            false,
        )
        .await;
        let delivered = bed.deliver("metric_fired").await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "quarantined"),
            "{why:?}"
        );
        let letters = bed.dead_letters().await;
        assert!(
            letters.len() == 1 && letters[0].contains(told) && letters[0].contains("hint: "),
            "{letters:#?}"
        );
        bed.servicenow().created(0);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_incident_that_a_person_has_closed_is_left_as_it_is() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    let key = bed.servicenow().only_work_item().field("sys_id").to_owned();
    bed.servicenow()
        .inside()
        .close_by_person(&key, 1_900_000_000_000);
    bed.servicenow().mark();
    assert_eq!(bed.deliver("metric_resolved").await.outcome, "resolved");
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            reads: 1,
            ..Calls::NONE
        }
    );
    assert_eq!(bed.servicenow().only_work_item().state(), State::Closed);
    bed.end().await;
}

#[tokio::test]
async fn a_record_that_is_no_longer_ours_is_never_written_to() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    let key = bed.servicenow().only_work_item().field("sys_id").to_owned();
    bed.servicenow().inside().set_field(
        "incident",
        &key,
        "correlation_id",
        "of-somebody-else",
        1_900_000_000_000,
    );
    bed.servicenow().mark();
    let resolved = bed.deliver("metric_resolved").await;
    assert_eq!(
        (resolved.status, resolved.outcome.as_str()),
        (202, "quarantined")
    );
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            reads: 1,
            ..Calls::NONE
        }
    );
    assert_eq!(bed.dead_letters().await.len(), 1);
    bed.end().await;
}
