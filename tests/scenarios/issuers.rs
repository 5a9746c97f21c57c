//! Whoever gives the tokens: Cherwell and Entra, whose refresh tokens are replaced when they are used, and nobody at all where
//! an app logs in by its secret (DESIGN §8).

use std::time::Duration;

use itsm_connector::domain::failure::CallFailure;
use itsm_connector::domain::failure::Kind;
use itsm_connector::domain::renewal::{Phase, Reason};
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::log_in::{self, NotLoggedIn};
use itsm_connector::flows::test_connection::Step;

use crate::bed::{Elsewhere, Fate, Service, TICK, TestBed, elsewhere};

const WITHIN: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

async fn logged_in(at: &Elsewhere) -> TestBed {
    let bed = at.by_login().start().await;
    bed.log_in(elsewhere::PASSWORD).await;
    bed
}

async fn refresh_token(bed: &TestBed) -> String {
    let set = bed.tokens().await;
    set.refresh.unwrap().expose().to_owned()
}

async fn signs_in(bed: &TestBed) -> Result<(), CallFailure> {
    let connection = bed.connection().await;
    let products = &bed.core().products;
    products.sign_in(&connection, WITHIN).await
}

/// What a login by this password fails with.
async fn refusal(bed: &TestBed, password: &str) -> CallFailure {
    let (connection, password) = (bed.connection().await, Secret::from(password));
    let login = Box::pin(log_in::run(bed.core(), &connection, &password)).await;
    match login {
        Err(NotLoggedIn::Issuer(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn step<'a>(steps: &'a [Step], name: &str) -> &'a Step {
    let found = steps.iter().find(|step| step.name == name);
    found.unwrap_or_else(|| panic!("no step {name}: {steps:#?}"))
}

#[tokio::test]
async fn a_login_gives_tokens_that_the_product_takes() {
    for at in Elsewhere::all().await {
        let bed = logged_in(&at).await;
        assert_eq!(at.given(), 1, "the password went out once");
        signs_in(&bed).await.unwrap();
        assert_eq!(at.given(), 1, "with the token of the login");
        let steps = bed.tests_the_connection().await;
        assert!(step(&steps, "sign-in").works, "{steps:#?}");
        let product = step(&steps, "product");
        assert!(!product.works, "it is not said that alerts would arrive");
        bed.end().await;
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_is_used_once_however_often_tokens_are_renewed() {
    for at in Elsewhere::all().await {
        let bed = logged_in(&at).await;
        bed.refreshes_until_it_rests().await;
        for renewals in 1..=6 {
            let before = refresh_token(&bed).await;
            bed.pass(2 * HOUR);
            assert!(bed.refreshes().await.renewed);
            assert_eq!(bed.renewal().await.phase, Phase::Idle);
            assert_eq!((at.given(), at.reused()), (1 + renewals, 0));
            assert!(!at.takes(&before) && at.takes(&refresh_token(&bed).await));
        }
        let ends_at = bed.tokens().await.refresh_expires_at.unwrap();
        let left = ends_at.since(bed.core().clock.now());
        assert!(left > 89 * 24 * HOUR, "each lives anew: {left:?}");
        signs_in(&bed).await.unwrap();
        if let Elsewhere::Cherwell(server) = &at {
            let logouts = server.lock().logouts;
            assert_eq!(logouts, 0, "a logout would end the new tokens too");
        }
        bed.end().await;
    }
}

#[tokio::test]
async fn whoever_only_reads_tokens_never_spends_a_refresh_token_that_is_replaced() {
    for at in Elsewhere::all().await {
        let bed = logged_in(&at).await;
        bed.pass(2 * HOUR);
        let failure = signs_in(&bed).await.unwrap_err();
        assert_eq!(failure.kind, Kind::RefreshWanted);
        assert_eq!(at.given(), 1);
        bed.refreshes().await;
        signs_in(&bed).await.unwrap();
        assert_eq!(at.given(), 2);
        bed.end().await;
    }
}

/// The answer to a renewal is lost on the way. What became of it.
async fn answer_lost(at: &Elsewhere) -> (TestBed, Option<Reason>) {
    let bed = logged_in(at).await;
    bed.refreshes_until_it_rests().await;
    bed.pass(2 * HOUR);
    let mut lost = false;
    bed.fates().decide(move |step| {
        let is_it = step.is(Service::Product, "post", "") && !lost;
        lost |= is_it;
        match is_it {
            true => Fate::FailsAfter,
            false => Fate::Works,
        }
    });
    bed.refreshes().await;
    bed.fates().all_well();
    bed.pass(TICK);
    bed.refreshes().await;
    let login = bed.renewal().await.login;
    (bed, login.map(|login| login.because))
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_a_login_where_the_old_token_is_dead_and_nothing_where_it_serves()
 {
    for at in Elsewhere::all().await {
        let (bed, needed) = answer_lost(&at).await;
        assert!(needed.is_some(), "it is said that somebody must log in");
        bed.log_in(elsewhere::PASSWORD).await;
        assert_eq!(bed.renewal().await.login, None);
        signs_in(&bed).await.unwrap();
        bed.end().await;
    }
    // As Entra does it.
    let at = Elsewhere::provance().await;
    at.entra().lock().old_refresh_serves = true;
    let (bed, needed) = answer_lost(&at).await;
    assert_eq!((needed, at.reused()), (None, 1));
    signs_in(&bed).await.unwrap();
    bed.end().await;
}

#[tokio::test]
async fn a_session_that_an_administrator_has_ended_needs_a_login() {
    for at in Elsewhere::all().await {
        let bed = logged_in(&at).await;
        bed.refreshes_until_it_rests().await;
        at.ends_all();
        bed.pass(2 * HOUR);
        let refreshed = bed.refreshes().await;
        assert_eq!(refreshed.login.unwrap().because, Reason::Refused);
        bed.end().await;
    }
}

#[tokio::test]
async fn a_refused_login_stores_nothing_and_says_what_to_do() {
    for at in Elsewhere::all().await {
        let bed = at.by_login().start().await;
        let failure = refusal(&bed, "wrong").await;
        assert_eq!(failure.kind, Kind::Unauthorized);
        assert_eq!(bed.secret("itsm-tokens-contoso").await, "");
        bed.end().await;
    }
    let at = Elsewhere::provance().await;
    let bed = at.by_login().start().await;
    at.entra().lock().people[0].needs_second_factor = true;
    let failure = refusal(&bed, elsewhere::PASSWORD).await;
    assert!(failure.detail.contains("second factor"), "{failure}");
    assert!(failure.hint().contains("client credentials"));
    bed.end().await;
    let at = Elsewhere::cherwell().await;
    let bed = at.by_login().defined("client_id", "other").start().await;
    let failure = refusal(&bed, elsewhere::PASSWORD).await;
    assert!(failure.detail.contains("client id"), "{failure}");
    bed.end().await;
}

#[tokio::test]
async fn an_account_that_cherwell_keeps_in_a_directory_logs_in_by_its_mode() {
    let at = Elsewhere::cherwell().await;
    if let Elsewhere::Cherwell(server) = &at {
        server.lock().users[0].kept_in = "ldap".to_owned();
    }
    let bed = at.by_login().start().await;
    refusal(&bed, elsewhere::PASSWORD).await;
    bed.end().await;
    let bed = at.by_login().defined("auth_mode", "ldap").start().await;
    bed.log_in(elsewhere::PASSWORD).await;
    bed.end().await;
}

#[tokio::test]
async fn an_app_with_a_secret_logs_in_by_itself_and_nothing_is_stored() {
    let at = Elsewhere::provance().await;
    at.entra().lock().apps[0].secret = Some(elsewhere::SECRET.to_owned());
    let builder = at.connected().defined("client_secret", elsewhere::SECRET);
    let bed = builder.start().await;
    for _ in 0..3 {
        signs_in(&bed).await.unwrap();
        bed.refreshes().await;
    }
    assert_eq!(at.given(), 1, "one token serves, in memory");
    let environment = at.dataverse().lock().clone();
    assert_eq!((environment.challenged, environment.taken), (1, 3));
    assert_eq!(bed.secret("itsm-tokens-contoso").await, "");
    bed.end().await;
}

#[tokio::test]
async fn an_app_that_the_environment_has_no_user_for_is_told_apart_from_a_bad_secret() {
    let at = Elsewhere::provance().await;
    at.entra().lock().apps[0].secret = Some(elsewhere::SECRET.to_owned());
    at.dataverse().lock().users.clear();
    let builder = at.connected().defined("client_secret", elsewhere::SECRET);
    let bed = builder.start().await;
    let failure = signs_in(&bed).await.unwrap_err();
    assert_eq!(failure.kind, Kind::NoRights);
    assert!(failure.detail.contains("application user"), "{failure}");
    bed.end().await;
    let bed = at
        .connected()
        .defined("client_secret", "wrong")
        .start()
        .await;
    assert_eq!(signs_in(&bed).await.unwrap_err().kind, Kind::Unauthorized);
    bed.end().await;
}

#[tokio::test]
async fn the_tenant_is_asked_of_the_instance_once_and_not_at_all_where_the_definition_says_it() {
    let at = Elsewhere::provance().await;
    let bed = logged_in(&at).await;
    bed.refreshes_until_it_rests().await;
    bed.pass(2 * HOUR);
    bed.refreshes().await;
    assert_eq!(at.dataverse().lock().challenged, 1);
    bed.end().await;
    let authority = at.dataverse().lock().authority.clone();
    let builder = at.by_login().defined("entra_authority", authority.as_str());
    let bed = builder.start().await;
    bed.log_in(elsewhere::PASSWORD).await;
    assert_eq!(at.dataverse().lock().challenged, 1, "not again");
    let connection = bed.connection().await;
    let found = bed.core().products.authority(&connection, WITHIN).await;
    assert_eq!(found.unwrap().unwrap().to_string(), authority);
    bed.end().await;
}

#[tokio::test]
async fn no_password_goes_to_a_host_that_only_the_instance_calls_its_issuer() {
    let (at, other) = (Elsewhere::provance().await, Elsewhere::provance().await);
    let elsewhere = other.entra().url();
    let tenant = "22222222-aaaa-4000-8000-00000000000a";
    let bearer = |uri: &str| format!("Bearer authorization_uri={uri}");
    for (status, challenge, said) in [
        (
            401,
            bearer(&format!("{elsewhere}/{tenant}/")),
            "not Microsoft's",
        ),
        (
            401,
            bearer(&format!("https://evil.example/{tenant}/")),
            "not Microsoft's",
        ),
        (
            401,
            "Bearer realm=\"x\"".to_owned(),
            "does not say which tenant",
        ),
        (
            401,
            bearer("https://login.microsoftonline.com/common/oauth2/authorize"),
            "does not say which tenant",
        ),
        (200, "Bearer".to_owned(), "did not ask for a token"),
        (503, "Bearer".to_owned(), "not available"),
    ] {
        at.dataverse().lock().challenge = Some((status, challenge.clone()));
        let bed = at.by_login().start().await;
        let failure = refusal(&bed, elsewhere::PASSWORD).await;
        assert!(failure.detail.contains(said), "{challenge}: {failure}");
        assert_eq!((at.given(), other.given()), (0, 0));
        bed.end().await;
    }
}
