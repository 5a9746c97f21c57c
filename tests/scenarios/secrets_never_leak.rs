//! No secret gets out of the vault: not in a log of whatever crate at whatever level, an answer, an object of the state, or
//! what a value looks like when it is debugged; whatever the instance does, also when it repeats every secret that it hears.

use std::fmt::Write as _;
use std::time::Duration;

use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, Builder, Canary, Fate, Overheard, Service, Step, TICK, TestBed, request};
use crate::product_misbehaves::nuisances;

const CLIENT_SECRET: &str = "canary+of/the=client&secret%1";
const PASSWORD: &str = "canary+of/the=pass&word%22";
const KEY: &str = "canary+of/the=web&hook%key";

/// An instance where everything that is secret can be recognised.
fn bed() -> Builder {
    let mut config = Config::default();
    config.clients[0].client_secret = CLIENT_SECRET.to_owned();
    config.users[0].password = PASSWORD.to_owned();
    TestBed::with_servicenow(config).key(KEY).in_a_hurry()
}

/// Both ways to show the key, and what came back.
async fn delivered(bed: &TestBed, alert: &Alert) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(KEY.as_bytes()).collect();
    let path = "/api/create-work-item/contoso";
    let json = "Content-Type: application/json";
    let by_header = request(
        "POST",
        path,
        &[&format!("X-Itsmc-Key: {KEY}"), json],
        alert.text().as_bytes(),
    );
    let by_query = request(
        "POST",
        &format!("{path}?key={encoded}"),
        &[json],
        alert.text().as_bytes(),
    );
    let mut answers = String::new();
    for bytes in [
        by_query,
        by_header,
        request("POST", path, &["X-Itsmc-Key: wrong"], b""),
    ] {
        let _ = writeln!(answers, "{:?}", bed.send(&bytes).await);
    }
    answers
}

/// Every fault in every kind of call, and all that could be read of it afterwards.
async fn told_by_a_life_full_of_trouble(bed: &TestBed, kinds: &[Kind]) -> String {
    let mut told = String::new();
    let mut alerts = 0..;
    for &kind in kinds {
        for fault in nuisances().into_iter().filter(says_something) {
            bed.servicenow().fault(FaultRule::once(kind, fault));
            let fired = Alert::captured("metric_fired").number(alerts.next().unwrap());
            told += &delivered(bed, &fired).await;
            told += &delivered(bed, &fired.with("monitorCondition", "Resolved")).await;
            let _ = writeln!(told, "{:?}", bed.drain().await);
            let _ = writeln!(told, "{:?}", bed.tests_the_connection().await);
            bed.pass(Duration::from_secs(2 * 3600 + 60));
            bed.servicenow().heals();
        }
    }
    bed.defines(|definition| definition["client_secret"] = serde_json::json!([CLIENT_SECRET]))
        .await;
    bed.pass(Duration::from_secs(3600));
    told += &delivered(bed, &Alert::captured("metric_fired")).await;
    bed.defines(|_| {}).await;
    bed.pass(Duration::from_secs(3600));

    let _ = writeln!(told, "{:?}", bed.connection().await);
    let _ = writeln!(told, "{:?} {:?}", bed.intake(), bed.health().await);
    let _ = writeln!(told, "{:#?}", bed.dead_letters().await);
    for name in bed.objects("").await {
        let _ = writeln!(told, "{name}: {}", bed.object(&name).await);
    }
    told
}

/// The rest is only slow.
fn says_something(fault: &Fault) -> bool {
    !matches!(fault, Fault::Slow { .. } | Fault::Drip { .. })
}

/// Every secret of a bed, those that it was given and those that it heard.
fn canaries(bed: &TestBed) -> Vec<Canary> {
    let given = [
        ("client secret", CLIENT_SECRET),
        ("password", PASSWORD),
        ("webhook key", KEY),
    ];
    let heard = bed.fates().secrets();
    assert!(!heard.is_empty(), "no token was seen");
    let given = given.map(|(name, secret)| Canary::new(name, secret));
    given
        .into_iter()
        .chain(heard.iter().map(|token| Canary::new("token", token)))
        .collect()
}

fn nothing_of(canaries: &[Canary], told: &str) {
    for canary in canaries {
        let found = canary.found_in(told);
        assert!(found.is_empty(), "the {} got out: {found:?}", canary.name);
    }
}

/// Renewals that succeed and that fail in every step.
async fn refreshed_in_trouble(bed: &TestBed) {
    for (service, operation) in [
        (Service::Product, "post"),
        (Service::Product, "get"),
        (Service::Vault, "set"),
        (Service::Vault, "disable"),
    ] {
        bed.pass(Duration::from_secs(40 * 60));
        for fate in [Fate::FailsBefore, Fate::FailsAfter, Fate::Works] {
            let is_meant = move |step: &Step| step.is(service, operation, "");
            bed.fates()
                .decide(move |step| if is_meant(step) { fate } else { Fate::Works });
            bed.refreshes().await;
            bed.pass(TICK);
        }
    }
    bed.fates().all_well();
    bed.refreshes_until_it_rests().await;
    let state = bed.state_texts("renewals").await;
    assert!(state.len() > 10);
    nothing_of(&canaries(bed), &state.concat());
}

async fn no_secret_gets_out(bed: Builder, logs_in: bool, kinds: &[Kind]) {
    let overheard = Overheard::listen();
    let bed = bed.start().await;
    if logs_in {
        bed.log_in(PASSWORD).await;
        refreshed_in_trouble(&bed).await;
    }
    let told = told_by_a_life_full_of_trouble(&bed, kinds).await;
    let log = overheard.text();
    for said in [
        "alert handled",
        "a call to the product did not succeed",
        "reqwest",
        "hyper_util",
    ] {
        assert!(log.contains(said), "nobody said `{said}`");
    }
    nothing_of(&canaries(&bed), &told);
    nothing_of(&canaries(&bed), &log);
    bed.end().await;
}

#[tokio::test]
async fn no_secret_gets_out_with_client_credentials() {
    let kinds = [
        Kind::Token,
        Kind::Create,
        Kind::Read,
        Kind::Update,
        Kind::Query,
    ];
    no_secret_gets_out(bed(), false, &kinds).await;
}

#[tokio::test]
async fn no_secret_gets_out_with_client_credentials_in_the_header() {
    let bed = bed().defined("client_authentication", "basic");
    no_secret_gets_out(bed, false, &[Kind::Token]).await;
}

#[tokio::test]
async fn no_secret_gets_out_with_a_login() {
    let bed = bed().defined("username", "svc-monitor");
    no_secret_gets_out(bed, true, &[Kind::Token, Kind::Create]).await;
}

#[tokio::test]
async fn a_leak_in_any_shape_would_be_found() {
    let overheard = Overheard::listen();
    let canary = Canary::new("secret", CLIENT_SECRET);
    let raw = CLIENT_SECRET.as_bytes();
    let base64 =
        |before: usize| data_encoding::BASE64.encode(&[&b"ab"[..before], raw, b"c"].concat());
    let leaks = [
        format!("client_secret={CLIENT_SECRET}"),
        "canary%2Bof%2Fthe%3Dclient%26secret%251".to_owned(),
        "canary%2bof%2fthe%3dclient%26secret%251".to_owned(),
        base64(0),
        base64(1),
        base64(2),
        data_encoding::BASE64URL_NOPAD.encode(&[b"id:", raw].concat()),
        data_encoding::HEXLOWER.encode(raw),
        format!("{raw:?}"),
        CLIENT_SECRET.chars().rev().collect(),
    ];
    for leak in &leaks {
        assert!(!canary.found_in(leak).is_empty(), "{leak}");
    }
    tracing::trace!(target: "somebody_else", header = ?raw, "planted");
    assert!(!canary.found_in(&overheard.text()).is_empty());
    assert!(
        canary
            .found_in("client_secret=****, canary of the client")
            .is_empty()
    );
    nothing_of(&[canary], "canary+of/the=client");
}
