//! Our client against the simulated vault, in this process: the real wire without sockets.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use bytes::Bytes;
use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind as Asked;
use simulators::jwt::SigningKey;
use simulators::key_vault::{Config, KeyVaultCloud, Right};
use simulators::machine::{Delivery, Machine as _};
use simulators::server::now_ms;

use super::*;
use crate::adapters::azure_tokens::AzureTokens;
use crate::adapters::clock::SystemClock;
use crate::domain::key_vault::{App, AwsRole};
use crate::domain::network::AllowedHosts;
use crate::ports::{AzureIdentity as _, TransportFailure, TransportTrouble};

const NAME: &str = "itsm-connection-contoso";

/// What answers in place of the cloud, if it wants to.
type Instead = Box<dyn Fn(&http::Request<Bytes>) -> Option<http::Response<Bytes>> + Send>;

/// A fresh cloud. Its keys are the same each time: making them takes longer than the test.
fn cloud() -> KeyVaultCloud {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let key = |name: &str| SigningKey::generate(name.to_owned()).unwrap();
    let keys = KEYS.get_or_init(|| [key("entra-1"), key("sts-1")]);
    KeyVaultCloud::with_keys(&Config::default(), keys.clone())
}

struct Bed {
    cloud: Mutex<KeyVaultCloud>,
    asked: Mutex<Vec<String>>,
    instead: Mutex<Option<Instead>>,
}

impl Bed {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cloud: Mutex::new(cloud()),
            asked: Mutex::default(),
            instead: Mutex::default(),
        })
    }

    fn vault(self: &Arc<Self>, identity: Identity) -> KeyVault {
        let allowed = AllowedHosts::default();
        let url = KeyVaultUrl::parse("https://contoso.vault.azure.net", &allowed).unwrap();
        let transport: Arc<dyn Transport> = Arc::<Self>::clone(self);
        KeyVault::new(url, identity, transport, Arc::new(SystemClock::default()))
    }

    fn client(self: &Arc<Self>) -> KeyVault {
        self.vault(with_secret("demo-app-secret"))
    }

    fn change(&self, change: impl FnOnce(&mut KeyVaultCloud)) {
        change(&mut self.cloud.lock().unwrap());
    }

    fn fails(&self, rule: FaultRule) {
        self.change(|cloud| cloud.vault.faults.add(rule));
    }

    fn answers(
        &self,
        instead: impl Fn(&http::Request<Bytes>) -> Option<http::Response<Bytes>> + Send + 'static,
    ) {
        *self.instead.lock().unwrap() = Some(Box::new(instead));
    }

    fn hosts(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Bed {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let host = request.uri().host().unwrap().to_owned();
        self.asked.lock().unwrap().push(host);
        if let Some(instead) = self.instead.lock().unwrap().as_ref()
            && let Some(response) = instead(&request)
        {
            return Ok(response);
        }
        let answer = self.cloud.lock().unwrap().answer(request, now_ms());
        match answer.delivery {
            Delivery::Whole => Ok(answer.response),
            Delivery::NeverRead => Err(TransportFailure::NotSent(TransportTrouble::Unreachable)),
            _ => Err(TransportFailure::Unknown(TransportTrouble::Broken)),
        }
    }
}

fn app() -> App {
    App {
        tenant_id: Config::default().tenant,
        client_id: Config::default().app.client_id,
        authority: "https://login.microsoftonline.com".parse().unwrap(),
    }
}

fn with_secret(secret: &str) -> Identity {
    Identity::ClientSecret {
        app: app(),
        secret: Secret::from(secret),
    }
}

fn aws() -> Identity {
    let (key_id, secret_key, session_token) = Config::default().aws_key;
    Identity::Aws {
        app: app(),
        role: AwsRole {
            key_id,
            secret_key: Secret::new(secret_key),
            session_token: Some(Secret::new(session_token)),
            region: "eu-central-1".to_owned(),
            sts: "https://sts.eu-central-1.amazonaws.com".parse().unwrap(),
        },
    }
}

fn answer(status: u16, body: &str) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn nothing_is_asked_before_the_first_call_and_the_token_once() {
    let bed = Bed::new();
    let vault = bed.client();
    assert!(bed.hosts().is_empty());
    for _ in 0..3 {
        assert!(vault.get(NAME).await.unwrap().is_none());
    }
    let vault_host = "contoso.vault.azure.net";
    let expected = [
        vault_host,
        "login.microsoftonline.com",
        vault_host,
        vault_host,
        vault_host,
    ];
    assert_eq!(
        bed.hosts(),
        expected,
        "challenge, token, and then one call each"
    );
}

#[tokio::test]
async fn an_aws_role_is_taken_in_place_of_a_secret() {
    let bed = Bed::new();
    let vault = bed.vault(aws());
    let version = vault.set(NAME, &Secret::from("x"), None).await.unwrap();
    assert_eq!(vault.get(NAME).await.unwrap().unwrap().version, version);
    let sts = bed
        .hosts()
        .iter()
        .filter(|host| host.starts_with("sts."))
        .count();
    assert_eq!(sts, 1);
}

#[tokio::test]
async fn the_same_identity_has_tokens_for_azures_other_services() {
    const SCOPE: &str = "https://management.azure.com/.default";
    let bed = Bed::new();
    let tokens = |identity| {
        let transport: Arc<dyn Transport> = Arc::<Bed>::clone(&bed);
        AzureTokens::new(identity, transport, Arc::new(SystemClock::default()))
    };
    let within = Duration::from_secs(5);
    for identity in [with_secret("demo-app-secret"), aws()] {
        let tokens = tokens(identity);
        let first = tokens.token(SCOPE, within).await.unwrap();
        let again = tokens.token(SCOPE, within).await.unwrap();
        assert_eq!(first.expose(), again.expose());
    }
    let to_entra = bed
        .hosts()
        .iter()
        .filter(|host| host.starts_with("login."))
        .count();
    assert_eq!(to_entra, 2, "one token each, and then it is kept");
    let failure = tokens(with_secret("canary-secret"))
        .token(SCOPE, within)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Unauthorized)
    );
    assert!(!failure.to_string().contains("canary"), "{failure}");
}

#[tokio::test]
async fn a_token_in_a_file_is_taken_in_place_of_a_secret() {
    let bed = Bed::new();
    // A token as the platform writes it: here one that STS has signed.
    let token = bed.vault(aws());
    token.get(NAME).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("token");
    let identity = || Identity::Workload {
        app: app(),
        token_file: file.clone(),
    };
    let failure = bed.vault(identity()).get(NAME).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Unusable)
    );
    let web = web_identity_token(&bed).await;
    std::io::Write::write_all(
        &mut tempfile::NamedTempFile::new_in(folder.path())
            .unwrap()
            .persist(&file)
            .unwrap(),
        web.as_bytes(),
    )
    .unwrap();
    assert!(bed.vault(identity()).get(NAME).await.unwrap().is_none());
}

async fn web_identity_token(bed: &Arc<Bed>) -> String {
    use azure_identity::ClientAssertion as _;
    let Identity::Aws { role, .. } = aws() else {
        panic!("it is AWS");
    };
    let transport: Arc<dyn Transport> = Arc::<Bed>::clone(bed);
    let web = web_identity::WebIdentity::new(role, transport, Arc::new(SystemClock::default()));
    web.secret(None).await.unwrap()
}

#[tokio::test]
async fn a_write_whose_reply_is_lost_is_unknown_and_can_be_seen() {
    let bed = Bed::new();
    let vault = bed.client();
    vault.set(NAME, &Secret::from("one"), None).await.unwrap();
    for (fault, after) in [
        (Fault::DropReplyAfterWrite, "two"),
        (Fault::DropReplyBeforeWrite, "two"),
    ] {
        bed.fails(FaultRule::once(Asked::Create, fault));
        let failure = vault
            .set(NAME, &Secret::from("two"), None)
            .await
            .unwrap_err();
        assert_eq!(
            (failure.effect, failure.kind),
            (Effect::Unknown, Kind::ConnectionLost)
        );
        assert_eq!(
            vault.get(NAME).await.unwrap().unwrap().value.expose(),
            after
        );
    }
    bed.fails(FaultRule::once(Asked::Create, Fault::ResetBeforeRead));
    let failure = vault
        .set(NAME, &Secret::from("three"), None)
        .await
        .unwrap_err();
    assert_eq!(failure.effect, Effect::NotSent);
    let mark = |code| Fault::Status {
        code,
        retry_after: None,
        rate_headers: false,
        body: simulators::fault::FaultBody::Json,
    };
    bed.fails(FaultRule::once(Asked::Create, mark(503)));
    let failure = vault
        .set(NAME, &Secret::from("three"), None)
        .await
        .unwrap_err();
    assert_eq!(failure.effect, Effect::Unknown);
}

#[tokio::test]
async fn until_when_a_value_is_good_is_kept_in_whole_seconds() {
    let bed = Bed::new();
    let vault = bed.client();
    let until = Timestamp::parse_lenient("2027-01-01T00:00:00.999Z").unwrap();
    vault
        .set(NAME, &Secret::from("x"), Some(until))
        .await
        .unwrap();
    let whole = Timestamp::parse_lenient("2027-01-01T00:00:00Z");
    assert_eq!(vault.get(NAME).await.unwrap().unwrap().expires, whole);
    assert_eq!(vault.versions(NAME).await.unwrap()[0].expires, whole);
    // What has expired is given all the same.
    let past = Timestamp::parse_lenient("2020-01-01T00:00:00Z");
    vault.set(NAME, &Secret::from("x"), past).await.unwrap();
    assert_eq!(vault.get(NAME).await.unwrap().unwrap().expires, past);
}

/// A client, and why it cannot have what it wants.
struct Story {
    told: &'static str,
    identity: Identity,
    spoil: fn(&Bed),
    writes: bool,
}

fn story(told: &'static str, spoil: fn(&Bed)) -> Story {
    Story {
        told,
        identity: with_secret("demo-app-secret"),
        spoil,
        writes: false,
    }
}

fn status(bed: &Bed, code: u16, retry_after: Option<&str>) {
    bed.fails(FaultRule::always(
        Asked::Any,
        Fault::Status {
            code,
            retry_after: retry_after.map(str::to_owned),
            rate_headers: false,
            body: simulators::fault::FaultBody::Json,
        },
    ));
}

fn allow(bed: &Bed, rights: &[Right]) {
    bed.change(|cloud| {
        let rights: BTreeSet<Right> = rights.iter().copied().collect();
        cloud.vault.rights.insert(app().client_id, rights);
    });
}

fn edit(bed: &Bed, attribute: &str, value: &serde_json::Value) {
    bed.change(|cloud| assert!(cloud.vault.edit(NAME, attribute, value, now_ms())));
}

fn entra_says(bed: &Bed, status: u16, code: u32) {
    let body =
        serde_json::json!({ "error": "x", "error_description": "canary", "error_codes": [code] });
    bed.change(|cloud| cloud.entra.no_token = Some((status, body.to_string())));
}

fn sts_says(bed: &Bed, change: fn(&mut simulators::aws_sts::AwsSts)) {
    bed.change(|cloud| change(&mut cloud.sts));
}

fn stories() -> Vec<Story> {
    let as_aws = |told, spoil| Story {
        identity: aws(),
        ..story(told, spoil)
    };
    let writing = |told, spoil| Story {
        writes: true,
        ..story(told, spoil)
    };
    vec![
        story("throttled", |bed| status(bed, 429, Some("7"))),
        story("the vault fails", |bed| status(bed, 503, None)),
        story("the vault is gone", |bed| {
            bed.fails(FaultRule::always(Asked::Any, Fault::ResetBeforeRead))
        }),
        story("the vault breaks off", |bed| {
            bed.fails(FaultRule::always(Asked::Any, Fault::DropReplyBeforeWrite))
        }),
        story("no right to read", |bed| allow(bed, &[Right::List])),
        writing("no right to write", |bed| allow(bed, &[Right::Get])),
        story("a firewall", |bed| {
            bed.change(|cloud| cloud.vault.is_behind_a_firewall = true)
        }),
        story("disabled", |bed| edit(bed, "enabled", &false.into())),
        story("not valid yet", |bed| {
            edit(bed, "nbf", &4_000_000_000_i64.into())
        }),
        writing("removed", |bed| {
            bed.answers(|request| {
                let body = r#"{"error":{"code":"Conflict","message":"canary","innererror":{"code":"ObjectIsDeletedButRecoverable"}}}"#;
                (request.method() == http::Method::PUT && request.headers().contains_key("authorization"))
                    .then(|| answer(409, body))
            });
        }),
        story("a 404 of something else", |bed| {
            bed.answers(|_| Some(answer(404, "<html>canary</html>")))
        }),
        story("a sign-in page", |bed| {
            bed.fails(FaultRule::always(Asked::Any, Fault::Html200))
        }),
        story("a vault of another domain", |bed| {
            bed.answers(|request| {
                let mut response = answer(401, "");
                let challenge = r#"Bearer authorization="https://login.evil.example/t", resource="https://evil.example""#;
                response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
                (!request.headers().contains_key("authorization")).then_some(response)
            });
        }),
        story("a vault of another Entra tenant", |bed| {
            bed.change(|cloud| {
                cloud.vault = simulators::key_vault::KeyVault::new(
                    "aaaaaaaa-0009-4000-8000-000000000001",
                    None,
                )
            });
        }),
        Story {
            identity: with_secret("canary-wrong"),
            ..story("a wrong secret", |_| {})
        },
        story("an expired secret", |bed| entra_says(bed, 401, 7_000_222)),
        story("no such app", |bed| entra_says(bed, 400, 700_016)),
        story("no such Entra tenant", |bed| entra_says(bed, 400, 90_002)),
        story("Entra says something else", |bed| entra_says(bed, 400, 1)),
        story("Entra fails", |bed| entra_says(bed, 503, 90_033)),
        as_aws("federation switched off", |bed| {
            sts_says(bed, |sts| sts.is_enabled = false)
        }),
        as_aws("the role may not ask", |bed| {
            sts_says(bed, |sts| {
                sts.sessions
                    .values_mut()
                    .for_each(|session| session.may_ask = false)
            });
        }),
        as_aws("other keys", |bed| {
            sts_says(bed, |sts| {
                sts.sessions
                    .values_mut()
                    .for_each(|session| session.secret = "x".to_owned())
            });
        }),
        as_aws("another region", |bed| {
            sts_says(bed, |sts| sts.region = "us-east-1".to_owned())
        }),
        as_aws("the app trusts another role", |bed| {
            sts_says(bed, |sts| {
                sts.sessions
                    .values_mut()
                    .for_each(|session| session.role = "arn:other".to_owned())
            });
        }),
    ]
}

/// Rows N31, C9 and the hints of every refusal. A read is never told as refused: it would end an alert for good.
#[tokio::test]
async fn every_refusal_is_told_in_our_words_with_what_to_do() {
    let mut told = String::new();
    for story in stories() {
        let bed = Bed::new();
        bed.client()
            .set(NAME, &Secret::from("canary-value"), None)
            .await
            .unwrap();
        let vault = bed.vault(story.identity.clone());
        (story.spoil)(&bed);
        let failure = match story.writes {
            true => vault
                .set(NAME, &Secret::from("canary-new"), None)
                .await
                .map(|_| ()),
            false => vault.get(NAME).await.map(|_| ()),
        };
        let failure = failure.expect_err(story.told);
        if !story.writes {
            assert_eq!(failure.effect, Effect::NotSent, "{}", story.told);
            assert!(!failure.is_permanent(), "{}", story.told);
        }
        let wait = failure
            .retry_after_seconds
            .map(|seconds| format!(", again in {seconds} s"));
        let wait = wait.unwrap_or_default();
        writeln!(
            told,
            "{}\n  {failure}\n  {:?}{wait}\n  {}",
            story.told,
            failure.kind,
            failure.hint()
        )
        .unwrap();
    }
    assert!(
        !told.contains("canary") && !told.contains("AADSTS"),
        "{told}"
    );
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_token_does_not_follow_the_next_page_to_another_host() {
    let bed = Bed::new();
    bed.answers(|request| {
        let body = r#"{"value":[],"nextLink":"https://evil.example/secrets?api-version=7.6"}"#;
        (request.uri().path() == "/secrets" && request.headers().contains_key("authorization"))
            .then(|| answer(200, body))
    });
    let failure = bed.client().list("").await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Forbidden)
    );
    assert!(!bed.hosts().contains(&"evil.example".to_owned()));
}

#[tokio::test]
async fn a_token_that_the_vault_no_longer_takes_is_told_as_such() {
    let bed = Bed::new();
    let vault = bed.client();
    assert!(vault.get(NAME).await.unwrap().is_none());
    bed.change(|cloud| cloud.entra.add_key().unwrap());
    bed.change(|cloud| cloud.entra.retire_oldest());
    // The credential has a token that looks good for an hour: what it says is the last word until then.
    let failure = vault.get(NAME).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (Kind::Unusable, Some(401)));
}

#[tokio::test]
async fn more_than_a_vault_keeps_is_not_sent() {
    let bed = Bed::new();
    let value = Secret::new("x".repeat(VALUE_BYTES_MAX + 1));
    let failure = bed.client().set(NAME, &value, None).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::Invalid)
    );
    assert!(bed.hosts().is_empty());
}
