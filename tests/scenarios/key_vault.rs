//! Connections in a key vault, over real TLS: what an alert is answered while the vault is away, turns us away, or a person
//! has taken something out of it, how often it is asked, and as whom.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use itsm_connector::domain::key_vault::Identity;
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::Vault;
use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal::Kind;
use simulators::key_vault::Config;

use crate::bed::{Alert, Canary, Delivered, Overheard, TestBed, VaultCloud};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// By now a definition in memory is no longer fresh.
const NO_LONGER_FRESH: Duration = Duration::from_secs(13 * 60);

/// A vault with the connection in it, and a connector that has asked it nothing yet.
async fn bed() -> (VaultCloud, TestBed) {
    let cloud = VaultCloud::start(Config::default()).await;
    let vault = cloud.asked_as(cloud.app_with_secret());
    let bed = TestBed::with_servicenow(Default::default()).vault(vault);
    let bed = bed.start().await;
    cloud.reads();
    (cloud, bed)
}

fn alert(n: u32) -> Alert {
    Alert::captured("metric_fired").number(n)
}

async fn deliver(bed: &TestBed, n: u32) -> (u16, String) {
    let Delivered {
        status, outcome, ..
    } = bed.deliver(alert(n)).await;
    (status, outcome)
}

fn answered(status: u16, outcome: &str) -> (u16, String) {
    (status, outcome.to_owned())
}

async fn ends(cloud: VaultCloud, bed: TestBed) {
    cloud.heals();
    bed.end().await;
    cloud.stop().await;
}

type GoesAway = (&'static str, fn(&VaultCloud));

/// What goes wrong in a vault that nobody has switched off, by its name.
fn away() -> [GoesAway; 6] {
    [
        ("429", |cloud| cloud.says(429, Some("20"))),
        ("503", |cloud| cloud.says(503, None)),
        ("reset", |cloud| cloud.always(Fault::ResetBeforeRead)),
        ("hangs", |cloud| {
            cloud.always(Fault::Slow { by: HOUR });
        }),
        // What only a person can end, and nobody meant: our own rights.
        ("401", |cloud| cloud.says(401, None)),
        ("firewall", |cloud| {
            cloud.inside().vault.is_behind_a_firewall = true;
        }),
    ]
}

fn is_back(cloud: &VaultCloud) {
    cloud.heals();
    cloud.inside().vault.is_behind_a_firewall = false;
}

#[tokio::test]
async fn with_the_vault_down_from_the_start_alerts_are_answered_202_and_made_when_it_is_back() {
    for (told, goes_away) in away() {
        let (cloud, bed) = bed().await;
        goes_away(&cloud);
        let began = bed.monotonic();
        let all = join_all((0..40).map(|n| deliver(&bed, n))).await;
        let took = bed.monotonic() - began;
        assert!(
            all.iter().all(|one| *one == answered(202, "pending")),
            "{told}: {all:?}"
        );
        assert!(took < Duration::from_secs(7), "{told}: {took:?}");
        assert!(cloud.reads() <= 2, "{told}: one asks for all");
        bed.servicenow().created(0);
        is_back(&cloud);
        bed.settle().await;
        bed.servicenow().created(40);
        ends(cloud, bed).await;
    }
}

#[tokio::test]
async fn n31_what_is_in_memory_serves_on_for_a_day_where_nobody_has_switched_it_off() {
    for (told, goes_away) in away() {
        let overheard = Overheard::listen();
        let (cloud, bed) = bed().await;
        assert_eq!(deliver(&bed, 1).await, answered(200, "created"), "{told}");
        goes_away(&cloud);
        bed.pass(NO_LONGER_FRESH);
        assert_eq!(deliver(&bed, 2).await, answered(200, "created"), "{told}");
        let log = overheard.text();
        let is_ours = matches!(told, "401" | "firewall");
        assert_eq!(
            log.contains("the vault turns us away"),
            is_ours,
            "{told}: only a person ends it"
        );
        assert_eq!(
            log.contains("the vault does not answer; the definition"),
            !is_ours
        );
        bed.pass(23 * HOUR);
        assert_eq!(deliver(&bed, 3).await, answered(200, "created"), "{told}");
        bed.pass(HOUR);
        assert_eq!(deliver(&bed, 4).await, answered(202, "pending"), "{told}");
        is_back(&cloud);
        bed.settle().await;
        bed.servicenow().created(4);
        ends(cloud, bed).await;
    }
}

#[tokio::test]
async fn n31_a_vault_that_throttles_is_left_alone_for_as_long_as_it_asks() {
    let (cloud, bed) = bed().await;
    assert_eq!(deliver(&bed, 0).await, answered(200, "created"));
    cloud.says(429, Some("60"));
    bed.pass(NO_LONGER_FRESH);
    cloud.reads();
    for n in 1..=100 {
        assert_eq!(deliver(&bed, n).await, answered(200, "created"), "{n}");
        bed.pass(Duration::from_secs(6));
    }
    let reads = cloud.reads();
    assert!((9..=11).contains(&reads), "{reads} in ten minutes");
    cloud.heals();
    bed.pass(MINUTE);
    assert_eq!(deliver(&bed, 101).await, answered(200, "created"));
    assert_eq!(cloud.reads(), 1);
    ends(cloud, bed).await;
}

#[tokio::test]
async fn n31_a_definition_that_a_person_has_disabled_stops_within_twelve_minutes() {
    let (cloud, bed) = bed().await;
    assert_eq!(deliver(&bed, 1).await, answered(200, "created"));
    cloud.edit("enabled", false);
    bed.pass(NO_LONGER_FRESH);
    assert_eq!(deliver(&bed, 2).await, answered(202, "pending"));
    bed.pass(MINUTE);
    bed.drain().await;
    bed.servicenow().created(1);
    assert_eq!(
        bed.dead_letters().await.len(),
        0,
        "somebody may enable it again"
    );
    cloud.edit("enabled", true);
    bed.pass(MINUTE);
    assert_eq!(deliver(&bed, 3).await, answered(200, "created"));
    bed.settle().await;
    bed.servicenow().created(3);
    ends(cloud, bed).await;
}

#[tokio::test]
async fn n31_a_definition_that_a_person_has_removed_is_gone_within_twelve_minutes() {
    let (cloud, bed) = bed().await;
    let vault = cloud.asked_as(cloud.app_with_secret());
    assert_eq!(deliver(&bed, 1).await, answered(200, "created"));
    bed.drain().await;
    vault.remove("itsm-connection-contoso").await.unwrap();
    bed.pass(NO_LONGER_FRESH);
    assert_eq!(deliver(&bed, 2).await.0, 404);
    bed.servicenow().created(1);
    ends(cloud, bed).await;
}

#[tokio::test]
async fn c9_an_expired_definition_serves_and_is_announced() {
    let overheard = Overheard::listen();
    let (cloud, bed) = bed().await;
    cloud.edit("exp", 1_577_836_800);
    assert_eq!(deliver(&bed, 1).await, answered(200, "created"));
    let log = overheard.text();
    assert!(
        log.contains("expiry date in the vault has passed") && log.contains("2020-01-01"),
        "nobody said so"
    );
    ends(cloud, bed).await;
}

#[tokio::test]
async fn i21_two_hundred_warm_alerts_ask_the_vault_once_and_once_more_after_a_401() {
    let (cloud, bed) = bed().await;
    for n in 0..200 {
        assert_eq!(deliver(&bed, n).await, answered(200, "created"), "{n}");
    }
    assert_eq!(cloud.reads(), 1);
    // The product refuses the token and then the new one: the definition is doubted.
    let refusals = FaultRule::times(Kind::Create, 2, Fault::Unauthorized401);
    bed.servicenow().fault(refusals);
    assert_eq!(deliver(&bed, 200).await, answered(202, "pending"));
    assert_eq!(cloud.reads(), 0, "nobody has looked since");
    for n in 201..220 {
        assert_eq!(deliver(&bed, n).await, answered(202, "pending"), "{n}");
    }
    assert_eq!(cloud.reads(), 1);
    bed.settle().await;
    cloud.reads();
    bed.pass(NO_LONGER_FRESH);
    for n in 220..240 {
        deliver(&bed, n).await;
    }
    assert_eq!(cloud.reads(), 1);
    ends(cloud, bed).await;
}

async fn writes_and_reads(told: &str, vault: Arc<dyn Vault>) {
    let (name, value) = ("itsm-connection-fabrikam", Secret::from(told));
    let version = vault.set(name, &value, None).await.expect(told);
    let kept = vault.get(name).await.expect(told).expect(told);
    assert_eq!((kept.version, kept.value.expose()), (version, told));
}

/// Managed identities are told of by the environment alone: see the command's own tests.
#[tokio::test]
async fn each_identity_opens_the_vault_over_tls() {
    let cloud = VaultCloud::start(Config::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    writes_and_reads(
        "an app and its secret",
        cloud.asked_as(cloud.app_with_secret()),
    )
    .await;
    writes_and_reads("an AWS role", cloud.asked_as(cloud.aws_role())).await;
    // What a platform writes into a file: here the token that STS gave the role.
    let assertion = cloud.secrets().into_iter().find(|one| one.0 == "assertion");
    write(&token_file, &assertion.unwrap().1);
    let workload = cloud.workload(token_file);
    writes_and_reads("a token in a file", cloud.asked_as(workload)).await;
    cloud.stop().await;
}

/// An app whose secret is easy to recognise, and an AWS role.
fn recognisable() -> Config {
    let mut config = Config::default();
    config.app.secret = Some("canary+of/the=app&secret%1".to_owned());
    config.aws_key.1 = "canary+of/the=role&key%2".to_owned();
    config.aws_key.2 = "canary+of/the=session&token%3".to_owned();
    config
}

#[tokio::test]
async fn no_secret_of_the_vault_gets_out_with_an_app_and_its_secret() {
    let cloud = VaultCloud::start(recognisable()).await;
    let identity = cloud.app_with_secret();
    no_secret_gets_out(cloud, identity).await;
}

#[tokio::test]
async fn no_secret_of_the_vault_gets_out_with_an_aws_role() {
    let cloud = VaultCloud::start(recognisable()).await;
    let identity = cloud.aws_role();
    no_secret_gets_out(cloud, identity).await;
}

async fn no_secret_gets_out(cloud: VaultCloud, identity: Identity) {
    let overheard = Overheard::listen();
    let mut product = simulators::servicenow::Config::default();
    product.clients[0].client_secret = "canary+of/the=client&secret%4".to_owned();
    let config = recognisable();
    let mut canaries = vec![
        Canary::new("app's secret", config.app.secret.as_deref().unwrap()),
        Canary::new("role's key", &config.aws_key.1),
        Canary::new("role's session token", &config.aws_key.2),
        Canary::new("client secret", &product.clients[0].client_secret),
    ];
    let bed = TestBed::with_servicenow(product).vault(cloud.asked_as(identity.clone()));
    let mut bed = bed.start().await;
    let mut told = format!("{identity:?}");
    told += &format!("{:?}", bed.deliver(alert(0)).await);
    for fault in vault_troubles() {
        bed.pass(NO_LONGER_FRESH);
        cloud.always(fault);
        // As a client with a token of its own to get, as a process that knows the definition, and as one that does not.
        let cold = cloud.asked_as(identity.clone());
        for name in ["itsm-connection-contoso", "itsm-tokens-contoso"] {
            told += &format!("{cold:?} {:?}", cold.get(name).await);
        }
        told += &format!("{:?}", cold.list("").await);
        let value = Secret::from("canary+of/the=client&secret%4");
        told += &format!("{:?}", cold.set("itsm-other", &value, None).await);
        told += &format!("{:?}", bed.deliver(alert(1)).await);
        bed.restart();
        told += &format!("{:?}", bed.deliver(alert(2)).await);
        told += &format!("{:?}", bed.drain().await);
        told += &format!(
            "{:?} {:?}",
            bed.tests_the_connection().await,
            bed.health().await
        );
        cloud.heals();
        bed.pass(MINUTE);
        told += &format!("{:?}", bed.deliver(alert(3)).await);
    }
    cloud.inside().entra.no_token = Some((400, r#"{"error_codes":[7000215]}"#.to_owned()));
    told += &format!("{:?}", cloud.asked_as(identity).get("a").await);
    cloud.inside().entra.no_token = None;
    bed.settle().await;
    for name in bed.objects("").await {
        told += &format!("{name}: {}", bed.object(&name).await);
    }
    let heard = cloud.secrets();
    assert!(!heard.is_empty(), "no token was seen");
    canaries.extend(heard.iter().map(|(what, secret)| Canary::new(what, secret)));
    let product = bed.fates().secrets();
    canaries.extend(product.iter().map(|token| Canary::new("token", token)));
    let log = overheard.text();
    for said in ["azure_", "the vault does not answer", "reqwest"] {
        assert!(log.contains(said), "nobody said `{said}`");
    }
    for canary in &canaries {
        for (place, text) in [("what was told", &told), ("the log", &log)] {
            let found = canary.found_in(text);
            assert!(
                found.is_empty(),
                "the {} is in {place}: {found:?}",
                canary.name
            );
        }
    }
    ends(cloud, bed).await;
}

fn vault_troubles() -> Vec<Fault> {
    let status = |code| Fault::Status {
        code,
        retry_after: Some("1".to_owned()),
        rate_headers: false,
        body: FaultBody::Json,
    };
    let mut troubles: Vec<Fault> = [400, 401, 403, 404, 409, 429, 500, 503].map(status).into();
    troubles.extend([
        Fault::ResetBeforeRead,
        Fault::DropReplyAfterWrite,
        Fault::Html200,
        Fault::Null200,
        // The definition itself, broken off in its middle and close to its end.
        Fault::CutBody { after_bytes: 300 },
        Fault::CutBody { after_bytes: 500 },
    ]);
    troubles
}

#[expect(
    clippy::disallowed_methods,
    reason = "the story is the platform that writes the file"
)]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn an_identity_that_is_another_one_does_not_open_it() {
    let cloud = VaultCloud::start(Config::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    write(&token_file, "e30.e30.c2ln");
    let mut others: Vec<Identity> = vec![cloud.workload(token_file)];
    if let Identity::ClientSecret { app, .. } = cloud.app_with_secret() {
        let secret = Secret::from("another");
        others.push(Identity::ClientSecret { app, secret });
    }
    if let Identity::Aws { app, mut role } = cloud.aws_role() {
        role.secret_key = Secret::from("another");
        others.push(Identity::Aws { app, role });
    }
    for identity in others {
        let told = identity.as_str();
        let failure = cloud.asked_as(identity).get("a").await.expect_err(told);
        assert!(!failure.is_permanent(), "{told}: {failure}");
    }
    cloud.stop().await;
}
