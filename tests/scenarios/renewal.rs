//! Tokens that never surprise: renewed ahead of their end, proven before anything is taken away, and told of before a person
//! is needed (DESIGN §8).

use std::time::Duration;

use itsm_connector::domain::renewal::{Phase, Reason};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::token::TokenSet;
use itsm_connector::flows::refresh_tokens::Order;
use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal::{Execution, Kind};
use simulators::servicenow::Config;

use crate::bed::{
    Alert, Builder, Calls, Fate, ORDER, Overheard, Service, State, Step, TICK, TestBed,
};

const PASSWORD: &str = "svc-monitor-password";

/// How long an access token lives where a story wants it to outlast a renewal by hours.
const LONG: i64 = 8 * 3600;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Calls that one whole renewal makes, and more.
const STEPS_MAX: usize = 80;

fn with_tokens_of(seconds: i64) -> Builder {
    let mut config = Config::default();
    config.tokens.access_ttl_s = seconds;
    TestBed::with_servicenow(config).defined("username", "svc-monitor")
}

/// Somebody has logged in, and everything of it is done.
async fn logged_in(seconds: i64) -> TestBed {
    let bed = with_tokens_of(seconds).start().await;
    bed.log_in(PASSWORD).await;
    bed.refreshes_until_it_rests().await;
    bed.servicenow().mark();
    bed.fates().take_steps();
    bed
}

fn access(set: &TokenSet) -> &str {
    set.access.as_ref().unwrap().secret.expose()
}

/// Whether the instance accepts what the vault has.
async fn the_vaults_token_is_good(bed: &TestBed) -> bool {
    let issuer = bed.core().products.issuer(&bed.connection().await).unwrap();
    let set = bed.tokens().await;
    let within = Duration::from_secs(5);
    issuer
        .prove(&set.access.unwrap().secret, within)
        .await
        .is_ok()
}

fn revoked(bed: &TestBed) -> usize {
    let inside = bed.servicenow().inside();
    inside.journal().executed(Kind::Revoke)
}

fn not_executed(bed: &TestBed, kind: Kind) -> usize {
    let inside = bed.servicenow().inside();
    let entries = inside.journal().of(kind);
    entries
        .filter(|entry| entry.execution == Execution::Not)
        .count()
}

fn unavailable() -> Fault {
    Fault::Status {
        code: 503,
        retry_after: None,
        rate_headers: false,
        body: FaultBody::Html,
    }
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_no_alert_ever_waits_for_one() {
    let bed = logged_in(1800).await;
    let mut renewals = 0;
    for n in 0..36 {
        bed.pass(TICK);
        let before = bed.tokens().await;
        bed.refreshes().await;
        renewals += usize::from(access(&before) != access(&bed.tokens().await));
        bed.servicenow().mark();
        let delivered = bed.deliver(Alert::captured("metric_fired").number(n)).await;
        assert_eq!(delivered.outcome, "created");
        assert_eq!(bed.servicenow().calls().tokens, 0, "alert {n}");
    }
    assert_eq!(renewals, 9, "every twenty minutes");
    assert_eq!(
        revoked(&bed),
        0,
        "what ends in ten minutes is left to run out"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_run_with_nothing_to_do_asks_neither_vault_nor_issuer() {
    let bed = logged_in(LONG).await;
    for _ in 0..6 {
        bed.pass(TICK);
        assert!(bed.refreshes().await.is_idle);
    }
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    let steps = bed.fates().take_steps();
    let of_vault: Vec<_> = steps
        .iter()
        .filter(|step| step.service == Service::Vault)
        .map(|step| step.operation)
        .collect();
    assert_eq!(of_vault, ["list"; 6], "the names of the connections");
    bed.end().await;
}

#[tokio::test]
async fn what_is_superseded_is_revoked_after_the_proof_and_not_before() {
    let bed = logged_in(LONG).await;
    let old = bed.tokens().await;
    bed.pass(Duration::from_secs(7 * 3600));
    bed.servicenow()
        .fault(FaultRule::times(Kind::Query, 3, unavailable()));
    for _ in 0..3 {
        let refreshed = bed.refreshes().await;
        assert!(refreshed.trouble.is_some(), "not proven");
        assert!(matches!(bed.renewal().await.phase, Phase::Stored { .. }));
        assert_eq!(revoked(&bed), 0);
        bed.pass(TICK);
    }
    let new = bed.tokens().await;
    assert_ne!(access(&old), access(&new));
    bed.refreshes().await;
    assert_eq!(bed.renewal().await.phase, Phase::Idle);
    assert_eq!(revoked(&bed), 1, "the access token that had hours to live");
    assert_eq!(
        new.refresh.as_ref().map(Secret::expose),
        old.refresh.as_ref().map(Secret::expose)
    );
    assert!(the_vaults_token_is_good(&bed).await);
    // Whoever has the old one in memory gets a 401, reads the vault once, and goes on.
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    bed.end().await;
}

/// The work as it is before each death: due, with a long token that is to be revoked.
async fn due_for_renewal() -> TestBed {
    let bed = logged_in(LONG).await;
    bed.deliver("metric_fired").await;
    bed.pass(Duration::from_secs(7 * 3600));
    bed
}

#[tokio::test]
async fn a_renewal_that_dies_at_any_call_is_finished_by_the_next() {
    for fate in [Fate::StopsBefore, Fate::StopsAfter] {
        let mut deaths = 0;
        for nth in 1..=STEPS_MAX {
            let bed = due_for_renewal().await;
            let core = bed.another_core();
            let survived = bed
                .dies_at(nth, fate, bed.refreshes_with(&core, ORDER))
                .await;
            let before_recovery = revoked(&bed);
            assert!(before_recovery <= 1);
            bed.pass(Duration::from_secs(200));
            let renewal = bed.refreshes_until_it_rests().await;
            assert_eq!(renewal.login, None, "{fate:?} {nth}");
            assert!(renewal.replaced.is_empty());
            assert!(the_vaults_token_is_good(&bed).await, "{fate:?} {nth}");
            assert!(revoked(&bed) >= 1, "{fate:?} {nth}");
            let fired = bed.deliver(Alert::captured("metric_fired").number(2)).await;
            assert_eq!(fired.outcome, "created", "{fate:?} {nth}");
            bed.end().await;
            if survived.is_some() {
                break;
            }
            deaths += 1;
        }
        assert!((15..STEPS_MAX).contains(&deaths), "{deaths}");
    }
}

#[tokio::test]
async fn a_call_of_a_renewal_that_fails_or_whose_answer_is_lost_is_made_good_by_the_next_run() {
    for fate in [Fate::FailsBefore, Fate::FailsAfter] {
        for nth in 1..STEPS_MAX {
            let bed = due_for_renewal().await;
            let core = bed.another_core();
            let mut calls = 0;
            bed.fates().decide(move |_| {
                calls += 1;
                if calls == nth { fate } else { Fate::Works }
            });
            let run = itsm_connector::flows::refresh_tokens::run(&core, ORDER, None);
            // A call of our own state that fails ends the run.
            let _ = Box::pin(run).await;
            bed.fates().all_well();
            let calls = bed.fates().take_steps().len();
            bed.pass(Duration::from_secs(200));
            let renewal = bed.refreshes_until_it_rests().await;
            assert_eq!((renewal.login, renewal.trouble), (None, None));
            assert!(the_vaults_token_is_good(&bed).await, "{fate:?} {nth}");
            bed.end().await;
            if nth > calls + 20 {
                break;
            }
        }
    }
}

#[tokio::test]
async fn of_two_refreshers_one_asks_the_issuer() {
    let bed = due_for_renewal().await;
    bed.servicenow().mark();
    let (one, other) = (bed.another_core(), bed.another_core());
    let (one, other) = futures_util::future::join(
        bed.refreshes_with(&one, ORDER),
        bed.refreshes_with(&other, ORDER),
    )
    .await;
    assert_ne!(one.busy, other.busy, "{one:?} {other:?}");
    assert_eq!(bed.servicenow().calls().tokens, 1);
    bed.end().await;
}

#[tokio::test]
async fn a_refused_refresh_token_needs_a_login_and_costs_no_alert() {
    let overheard = Overheard::listen();
    let bed = logged_in(1800).await;
    bed.servicenow().inside().revoke_all();
    bed.servicenow().mark();
    bed.pass(Duration::from_secs(25 * 60));
    let refreshed = bed.refreshes().await;
    assert_eq!(refreshed.login.unwrap().because, Reason::Refused);
    assert!(overheard.text().contains("somebody must log in"));
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.servicenow().mark();
    for _ in 0..11 {
        bed.pass(TICK);
        bed.refreshes().await;
    }
    assert_eq!(bed.servicenow().calls().tokens, 0, "never a loop");
    bed.pass(TICK);
    bed.refreshes().await;
    assert_eq!(bed.servicenow().calls().tokens, 1, "once an hour");

    bed.log_in(PASSWORD).await;
    assert_eq!(bed.renewal().await.phase, Phase::Idle);
    assert_eq!(bed.renewal().await.login, None);
    bed.settle().await;
    bed.servicenow().created(1);
    let told = overheard.text();
    assert_eq!(told.matches("somebody must log in").count(), 1);
    bed.end().await;
}

/// The one in this process's memory, and the newer one in the vault.
#[tokio::test]
async fn access_tokens_that_were_all_ended_at_once_cost_no_alert_its_time() {
    let bed = logged_in(LONG).await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    let forced = Order {
        forced: true,
        ..ORDER
    };
    assert!(bed.refreshes_with(bed.core(), forced).await.renewed);
    bed.servicenow().inside().expire_tokens();
    let delivered = bed.deliver(Alert::captured("metric_fired").number(1)).await;
    assert_eq!(delivered.outcome, "created");
    bed.end().await;
}

/// The refresher has nothing to do for hours; whoever calls finds out, and tells it.
#[tokio::test]
async fn a_refresh_token_that_a_reader_was_refused_with_calls_a_person_at_the_next_tick() {
    let bed = logged_in(LONG).await;
    bed.servicenow().inside().revoke_all();
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.pass(TICK);
    bed.refreshes().await;
    let login = bed.renewal().await.login;
    assert_eq!(login.map(|login| login.because), Some(Reason::Refused));
    bed.servicenow().mark();
    for _ in 0..6 {
        bed.pass(TICK);
        bed.refreshes().await;
    }
    assert_eq!(bed.servicenow().calls().tokens, 0, "asked once");
    bed.log_in(PASSWORD).await;
    bed.settle().await;
    bed.servicenow().created(1);
    bed.refreshes_until_it_rests().await;
    bed.pass(Duration::from_secs(600));
    bed.servicenow().mark();
    bed.refreshes().await;
    assert_eq!(bed.servicenow().calls().tokens, 0, "nobody wishes any more");
    bed.end().await;
}

#[tokio::test]
async fn a_user_who_was_locked_for_a_while_needs_no_login() {
    let bed = logged_in(1800).await;
    bed.servicenow()
        .fault(FaultRule::always(Kind::Token, refusal()));
    bed.pass(Duration::from_secs(25 * 60));
    assert!(bed.refreshes().await.login.is_some());
    bed.servicenow().heals();
    for _ in 0..13 {
        bed.pass(TICK);
        bed.refreshes().await;
    }
    assert_eq!(bed.renewal().await.login, None);
    assert!(the_vaults_token_is_good(&bed).await);
    bed.end().await;
}

fn refusal() -> Fault {
    Fault::Status {
        code: 401,
        retry_after: None,
        rate_headers: false,
        body: FaultBody::Json,
    }
}

#[tokio::test]
async fn a_vault_that_does_not_take_the_new_tokens_gets_them_at_the_next_run() {
    let overheard = Overheard::listen();
    let bed = logged_in(1800).await;
    let old = bed.tokens().await;
    bed.pass(Duration::from_secs(22 * 60));
    bed.servicenow().mark();
    bed.fates()
        .decide(|step: &Step| match step.is(Service::Vault, "set", "") {
            true => Fate::FailsBefore,
            false => Fate::Works,
        });
    assert!(bed.refreshes().await.trouble.is_some());
    assert!(matches!(bed.renewal().await.phase, Phase::Unstored { .. }));
    assert!(overheard.text().contains("new tokens could not be stored"));
    assert_eq!(
        access(&bed.tokens().await),
        access(&old),
        "the old one stays"
    );
    bed.fates().all_well();
    bed.pass(TICK);
    bed.refreshes().await;
    assert_eq!(bed.servicenow().calls().tokens, 1, "they were in memory");
    assert_ne!(access(&bed.tokens().await), access(&old));
    assert_eq!(bed.renewal().await.phase, Phase::Idle);
    bed.end().await;
}

#[tokio::test]
async fn the_end_of_a_refresh_token_is_announced_at_14_7_3_and_1_days_and_a_login_inside_the_window_costs_nothing()
 {
    let overheard = Overheard::listen();
    let bed = logged_in(LONG).await;
    let said = |what: &str| overheard.text().matches(what).count();
    bed.pass(75 * DAY);
    bed.refreshes().await;
    assert_eq!(said("ends before long"), 0);
    for (days, announced) in [(76, 1), (80, 1), (83, 2), (87, 3), (89, 4)] {
        let passed = bed.since_the_login().await;
        bed.pass((days * DAY).saturating_sub(passed));
        bed.refreshes().await;
        bed.pass(TICK);
        bed.refreshes().await;
        assert_eq!(said("ends before long"), announced, "day {days}");
    }
    bed.log_in(PASSWORD).await;
    bed.pass(2 * DAY);
    bed.refreshes().await;
    assert_eq!((said("ends before long"), said("has ended")), (4, 0));
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    bed.end().await;
}

#[tokio::test]
async fn a_login_while_the_old_tokens_live_revokes_nothing_that_is_still_ours() {
    let bed = logged_in(LONG).await;
    for _ in 0..3 {
        bed.pass(HOUR);
        bed.log_in(PASSWORD).await;
        bed.refreshes_until_it_rests().await;
        assert!(the_vaults_token_is_good(&bed).await);
        let set = bed.tokens().await;
        let issuer = bed.core().products.issuer(&bed.connection().await).unwrap();
        let refreshed = issuer.refresh(set.refresh.as_ref().unwrap(), HOUR).await;
        assert!(refreshed.is_ok(), "the refresh token is alive");
    }
    bed.end().await;
}

#[tokio::test]
async fn with_client_credentials_nothing_is_stored_and_the_issuer_is_never_asked_by_the_refresher()
{
    let bed = TestBed::usual().await;
    for _ in 0..3 {
        bed.refreshes().await;
        bed.pass(DAY);
    }
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    assert_eq!(bed.secret("itsm-tokens-contoso").await, "");
    bed.end().await;
}

#[tokio::test]
async fn a_client_credentials_token_is_renewed_in_memory_ahead_of_its_end_and_serves_while_the_issuer_is_away()
 {
    let mut config = Config::default();
    config.tokens.client_credentials_repeat = false;
    let bed = TestBed::with_servicenow(config).in_a_hurry().start().await;
    let deliver = async |n| {
        let delivered = bed.deliver(Alert::captured("metric_fired").number(n)).await;
        (delivered.outcome, bed.servicenow().calls().tokens)
    };
    assert_eq!(deliver(1).await, ("created".to_owned(), 1));
    bed.pass(Duration::from_secs(20 * 60));
    assert_eq!(deliver(2).await, ("created".to_owned(), 1), "warm");
    bed.pass(Duration::from_secs(6 * 60));
    bed.servicenow()
        .fault(FaultRule::always(Kind::Token, unavailable()));
    assert_eq!(deliver(3).await.0, "created", "the old one still serves");
    assert_eq!(
        deliver(4).await,
        ("created".to_owned(), 2),
        "and nobody asks again at once"
    );
    bed.servicenow().heals();
    bed.pass(Duration::from_secs(60));
    assert_eq!(deliver(5).await, ("created".to_owned(), 3));
    bed.end().await;
}

#[tokio::test]
async fn a_person_may_have_a_token_renewed_at_once() {
    let bed = logged_in(LONG).await;
    let old = bed.tokens().await;
    let forced = Order {
        forced: true,
        ..ORDER
    };
    let refreshed = bed.refreshes_with(bed.core(), forced).await;
    assert!(refreshed.renewed && refreshed.trouble.is_none());
    assert_ne!(access(&old), access(&bed.tokens().await));
    assert_eq!(bed.renewal().await.phase, Phase::Idle);
    assert_eq!(revoked(&bed), 1);
    bed.end().await;
}

#[tokio::test]
async fn an_instance_in_maintenance_delays_a_renewal_and_loses_nothing() {
    let bed = logged_in(1800).await;
    bed.servicenow()
        .fault(FaultRule::always(Kind::Any, unavailable()));
    bed.pass(Duration::from_secs(21 * 60));
    for _ in 0..12 {
        assert!(bed.refreshes().await.login.is_none());
        bed.deliver(Alert::captured("metric_fired").number(1)).await;
        bed.pass(TICK);
    }
    bed.servicenow().heals();
    bed.servicenow().inside().expire_tokens();
    let renewal = bed.refreshes_until_it_rests().await;
    assert_eq!(renewal.login, None);
    assert!(the_vaults_token_is_good(&bed).await);
    bed.settle().await;
    assert_eq!(bed.servicenow().only_work_item().state(), State::New);
    let tries = not_executed(&bed, Kind::Token);
    assert!(tries <= 14, "{tries}: one try a run, and the alert's");
    bed.end().await;
}

/// Tokens of half an hour, of which none could be proven for a day.
#[tokio::test]
async fn the_versions_that_a_long_maintenance_left_are_taken_out_of_use_in_one_turn() {
    let overheard = Overheard::listen();
    let bed = logged_in(1800).await;
    bed.servicenow()
        .fault(FaultRule::always(Kind::Query, unavailable()));
    for _ in 0..48 {
        bed.pass(Duration::from_secs(25 * 60));
        bed.refreshes().await;
    }
    let left = bed.renewal().await.replaced.len();
    assert!(left > 40, "{left}");
    bed.servicenow().heals();
    bed.refreshes().await;
    let renewal = bed.renewal().await;
    assert_eq!((renewal.phase, renewal.replaced.len()), (Phase::Idle, 0));
    assert!(!overheard.text().contains("in circles"));
    bed.end().await;
}
