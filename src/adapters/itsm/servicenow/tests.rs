//! Every answer that ServiceNow gives, and what it means: a table over all statuses, and the shapes of success.

use std::sync::Mutex;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::domain::definition;
use crate::domain::identity::{EpisodeId, Firing, ItemId, SlotId};
use crate::domain::kept::{Kept, VaultVersion, VersionSeen};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::network::AllowedHosts;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Level, Standing};
use crate::ports::{TransportFailure, TransportTrouble};

/// Answers in turn: the token first, then what the test says; remembers what was asked.
struct Script {
    answers: Mutex<Vec<Result<http::Response<Bytes>, TransportFailure>>>,
    asked: Mutex<Vec<String>>,
    /// Requests as a debug print shows them.
    printed: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{} {}", request.method(), request.uri().path()));
        let shown = http::Request::from_parts(request.clone().into_parts().0, ());
        self.printed.lock().unwrap().push(format!("{shown:?}"));
        if request.uri().path() == TOKEN_PATH {
            return Ok(json(
                200,
                r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":1799}"#,
            ));
        }
        let mut answers = self.answers.lock().unwrap();
        assert!(
            !answers.is_empty(),
            "one call more than expected: {:?}",
            self.asked
        );
        answers.remove(0)
    }
}

struct NoVault;

#[async_trait]
impl Vault for NoVault {
    async fn get(&self, _: &str) -> Result<Option<Kept>, CallFailure> {
        Ok(None)
    }
    async fn set(
        &self,
        _: &str,
        _: &Secret,
        _: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        Ok(VaultVersion::only())
    }
    async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
        Ok(vec![])
    }
    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }
    async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
        Ok(())
    }
    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}

fn answer(status: u16, content_type: &str, body: &str) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

fn json(status: u16, body: &str) -> http::Response<Bytes> {
    answer(status, "application/json;charset=UTF-8", body)
}

fn client(
    answers: Vec<Result<http::Response<Bytes>, TransportFailure>>,
) -> (ServiceNow, Arc<Script>) {
    let definition = r#"{"name":"contoso","partner_type":"servicenow","server_url":"https://contoso.service-now.com",
        "client_id":"id","client_secret":"canary-secret"}"#;
    let connection = definition::parse(definition.as_bytes(), &AllowedHosts::default()).unwrap();
    let script = Arc::new(Script {
        answers: Mutex::new(answers),
        asked: Mutex::default(),
        printed: Mutex::default(),
    });
    let clock = Arc::new(SystemClock::default());
    let transport: Arc<dyn Transport> = Arc::<Script>::clone(&script);
    (
        ServiceNow::new(
            transport,
            Arc::new(NoVault),
            clock,
            Arc::new(connection),
            Meter::default(),
        ),
        script,
    )
}

#[tokio::test]
async fn calls_are_counted_where_the_instance_announces_a_limit() {
    let now = SystemClock::default().now();
    let resets_s = now.as_millis() / 1000 + 1800;
    let limited = |mut response: http::Response<Bytes>| {
        for (name, value) in [("x-ratelimit-limit", 100), ("x-ratelimit-reset", resets_s)] {
            response.headers_mut().insert(name, value.into());
        }
        Ok(response)
    };
    let lost = || Err(TransportFailure::Unknown(TransportTrouble::TimedOut));
    let unsent = || Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
    let cases = [
        (
            "nothing was announced",
            vec![Ok(json(201, &record("1"))), lost()],
            None,
        ),
        (
            "each answer counts",
            vec![limited(json(201, &record("1"))), limited(json(400, "{}"))],
            Some(2),
        ),
        (
            "so does a lost one",
            vec![limited(json(201, &record("1"))), lost()],
            Some(2),
        ),
        (
            "not what never left",
            vec![limited(json(201, &record("1"))), unsent()],
            Some(1),
        ),
        (
            "nor what was refused for it",
            vec![limited(json(201, &record("1"))), limited(json(429, "{}"))],
            Some(1),
        ),
    ];
    for (what, answers, used) in cases {
        let calls = answers.len();
        let (client, _) = client(answers);
        for _ in 0..calls {
            // What came of it is other tests' matter.
            let _ = client.create(&item(), WITHIN).await;
        }
        let counted = client.meter.read(now).map(|known| known.used);
        assert_eq!(counted, used, "{what}");
    }
}

fn item() -> NewWorkItem {
    let (connection, action) = (
        ConnectionName::parse("contoso").unwrap(),
        ActionName::default(),
    );
    let slot = SlotId::of_episode(
        &connection,
        &action,
        &EpisodeId::new(&connection, &action, Firing::Body(b"x")),
    );
    let id = ItemId::new(&slot, 0);
    NewWorkItem {
        work_item_type: WorkItemType::Incident,
        correlation: id.correlation(),
        key: id.record_key(),
        title: "title".to_owned(),
        description: "description".to_owned(),
        impact: Level::High,
        urgency: Level::Low,
        fields: Default::default(),
        notes: Vec::new(),
        event: None,
        over: None,
    }
}

fn record(state: &str) -> String {
    let item = item();
    format!(
        r#"{{"result":{{"sys_id":"{}","number":"INC0010001","correlation_id":"{}","state":"{state}","sys_created_on":"2026-03-01 10:00:00"}}}}"#,
        item.key.as_str(),
        item.correlation
    )
}

const WITHIN: Duration = Duration::from_secs(5);

async fn create(
    answers: Vec<Result<http::Response<Bytes>, TransportFailure>>,
) -> Result<WorkItemSeen, CallFailure> {
    let (client, script) = client(answers);
    let created = client.create(&item(), WITHIN).await;
    assert!(
        script.answers.lock().unwrap().is_empty(),
        "a call fewer than expected"
    );
    if let Err(failure) = &created {
        let told = format!("{failure} {failure:?} {}", failure.hint());
        assert!(!told.contains("canary"), "{told}");
    }
    created
}

#[tokio::test]
async fn a_record_that_echoes_our_correlation_id_is_success() {
    let made = create(vec![Ok(json(201, &record("1")))]).await.unwrap();
    assert_eq!(made.item.number, "INC0010001");
    assert_eq!(
        made.item.url,
        format!(
            "https://contoso.service-now.com/incident.do?sys_id={}",
            item().key.as_str()
        )
    );
}

/// The table of every status: what each means for a create.
#[tokio::test]
async fn every_status_has_one_meaning() {
    let mut table = String::new();
    for status in (200..=206)
        .chain(300..=308)
        .chain(400..=431)
        .chain([451, 499])
        .chain(500..=511)
    {
        for (label, response) in [
            (
                "json",
                json(
                    status,
                    r#"{"error":{"message":"canary","detail":"canary"},"status":"failure"}"#,
                ),
            ),
            ("html", answer(status, "text/html", "<html>canary</html>")),
            ("empty", answer(status, "application/json", "")),
        ] {
            let mut answers = vec![Ok(response)];
            if status == 401 {
                answers.push(Ok(json(401, "{}")));
            }
            if status == 403 {
                answers.push(Ok(json(404, "{}")));
            }
            let failure = create(answers).await.expect_err("no record in it");
            table.push_str(&format!(
                "{status} {label}: {:?} {:?}\n",
                failure.effect, failure.kind
            ));
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_200_that_is_no_success_is_of_unknown_outcome() {
    let ours = item();
    let foreign = record("1").replace(ours.correlation.as_str(), "somebody-elses");
    let cases: [(&str, http::Response<Bytes>, Kind); 13] = [
        (
            "N1",
            answer(200, "text/html", "<html><h1>Maintenance</h1></html>"),
            Kind::Maintenance,
        ),
        (
            "N2",
            answer(
                200,
                "text/html",
                "<div class=\"instance-hibernating-page\">Your instance is hibernating</div>",
            ),
            Kind::Hibernating,
        ),
        ("N4", answer(200, "application/json", ""), Kind::Undecodable),
        ("N4b", json(201, "{}"), Kind::Undecodable),
        ("N4c", json(201, r#"{"result":[]}"#), Kind::Undecodable),
        ("N4d", json(201, r#"{"result":null}"#), Kind::Undecodable),
        ("N4e", json(200, "null"), Kind::Undecodable),
        (
            "N6",
            json(201, r#"{"result":{"sys_id":null,"number":"INC1"}}"#),
            Kind::Undecodable,
        ),
        (
            "N6b",
            json(201, r#"{"result":{"sys_id":"123","number":"INC1"}}"#),
            Kind::Undecodable,
        ),
        ("N6c", json(201, &foreign), Kind::Foreign),
        ("cut", json(201, &record("1")[..40]), Kind::Undecodable),
        (
            "error in it",
            json(
                200,
                &record("1").replace("}}", "},\"error\":{\"message\":\"x\"}}"),
            ),
            Kind::Undecodable,
        ),
        ("202", answer(202, "text/plain", ""), Kind::Busy),
    ];
    for (row, response, kind) in cases {
        let failure = create(vec![Ok(response)]).await.expect_err(row);
        assert_eq!(
            (failure.effect, failure.kind),
            (Effect::Unknown, kind),
            "{row}: {failure}"
        );
    }
}

#[tokio::test]
async fn what_was_never_sent_is_told_from_what_may_have_been() {
    for trouble in [
        TransportTrouble::Unreachable,
        TransportTrouble::TimedOut,
        TransportTrouble::Broken,
        TransportTrouble::TooLong,
    ] {
        let not_sent = create(vec![Err(TransportFailure::NotSent(trouble))])
            .await
            .unwrap_err();
        assert_eq!(not_sent.effect, Effect::NotSent);
        let unknown = create(vec![Err(TransportFailure::Unknown(trouble))])
            .await
            .unwrap_err();
        assert_eq!(unknown.effect, Effect::Unknown);
    }
}

#[tokio::test]
async fn a_refused_duplicate_is_adopted_if_it_is_ours() {
    let refused = || {
        json(
            403,
            r#"{"error":{"message":"Operation Failed","detail":"Unique Key violation detected by database"}}"#,
        )
    };
    let adopted = create(vec![Ok(refused()), Ok(json(200, &record("2")))])
        .await
        .unwrap();
    assert_eq!(adopted.item.id, item().key.as_str());
    let missing = create(vec![Ok(refused()), Ok(json(404, "{}"))])
        .await
        .unwrap_err();
    assert_eq!(missing.effect, Effect::Refused);
    let not_looked = create(vec![
        Ok(refused()),
        Err(TransportFailure::Unknown(TransportTrouble::TimedOut)),
    ])
    .await
    .unwrap_err();
    assert_eq!(
        not_looked.effect,
        Effect::Unknown,
        "it may have been refused because it is there"
    );
    let of_another = r#"{"result":{"sys_id":"00000000000000000000000000000001","number":"INC0099999","correlation_id":"of-another","state":"1"}}"#;
    let spoilt = create(vec![Ok(refused()), Ok(json(200, of_another))])
        .await
        .unwrap_err();
    assert_eq!(
        spoilt.effect,
        Effect::Unknown,
        "an answer about another record says nothing about ours"
    );
}

#[tokio::test]
async fn what_is_left_without_time_by_its_token_is_not_sent() {
    let (client, script) = client(vec![]);
    let failure = client.create(&item(), Duration::ZERO).await.unwrap_err();
    assert_eq!(
        (failure.effect, failure.kind),
        (Effect::NotSent, Kind::TimedOut)
    );
    assert_eq!(*script.asked.lock().unwrap(), ["POST /oauth_token.do"]);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (client, script) = client(vec![Ok(json(401, "{}")), Ok(json(201, &record("1")))]);
    client.create(&item(), WITHIN).await.unwrap();
    let asked = script.asked.lock().unwrap().join("\n");
    assert_eq!(asked.matches("oauth_token").count(), 2);
    let refused_twice = create(vec![Ok(json(401, "{}")), Ok(json(401, "{}"))])
        .await
        .unwrap_err();
    assert_eq!(
        (refused_twice.effect, refused_twice.kind),
        (Effect::Refused, Kind::Unauthorized)
    );
}

#[tokio::test]
async fn both_kinds_of_429_say_how_long_to_wait() {
    let now = SystemClock::default().now().as_millis() / 1000;
    let cases = [
        (
            vec![("retry-after", "3600".to_owned())],
            Some(3600),
            Kind::RateLimited,
        ),
        (
            vec![("retry-after", "0".to_owned())],
            Some(1),
            Kind::RateLimited,
        ),
        (
            vec![("retry-after", "999999999999".to_owned())],
            Some(7200),
            Kind::RateLimited,
        ),
        (
            vec![("retry-after", "-1".to_owned())],
            Some(60),
            Kind::RateLimited,
        ),
        (
            vec![("retry-after", "abc".to_owned())],
            Some(60),
            Kind::RateLimited,
        ),
        (
            vec![("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned())],
            Some(1),
            Kind::RateLimited,
        ),
        (
            vec![
                ("x-ratelimit-reset", (now - 60).to_string()),
                ("x-ratelimit-rule", "abc".to_owned()),
            ],
            Some(1),
            Kind::RateLimited,
        ),
        (vec![], None, Kind::Busy),
    ];
    for (headers, seconds, kind) in cases {
        let mut response = json(429, "{}");
        for (name, value) in &headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        let failure = create(vec![Ok(response)]).await.unwrap_err();
        assert_eq!(
            (failure.retry_after_seconds, failure.kind, failure.effect),
            (seconds, kind, Effect::Refused),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_search_believes_only_what_carries_the_correlation_id() {
    let ours = item();
    let row = |correlation: &str, id: char| {
        format!(
            r#"{{"sys_id":"{}","number":"INC1","correlation_id":"{correlation}","state":"1"}}"#,
            id.to_string().repeat(32)
        )
    };
    let list = |rows: Vec<String>| Ok(json(200, &format!(r#"{{"result":[{}]}}"#, rows.join(","))));
    let find = async |rows| {
        client(vec![list(rows)])
            .0
            .find(WorkItemType::Incident, &ours.correlation, WITHIN)
            .await
    };
    assert_eq!(find(vec![]).await.unwrap(), []);
    assert_eq!(
        find(vec![row(ours.correlation.as_str(), 'a'), row("other", 'b')])
            .await
            .unwrap()
            .len(),
        1
    );
    let vanished = find(vec![row("other", 'a'), row("", 'b')])
        .await
        .unwrap_err();
    assert_eq!(
        vanished.kind,
        Kind::Foreign,
        "the condition vanished: nothing is proven"
    );
}

#[tokio::test]
async fn a_resolve_that_the_instance_keeps_back_is_told() {
    let made = WorkItemRef {
        work_item_type: WorkItemType::Incident,
        number: "INC1".into(),
        id: item().key.as_str().into(),
        url: String::new(),
    };
    let resolve = Change::Resolve {
        note: "over".to_owned(),
        code: None,
    };
    client(vec![Ok(json(200, &record("6")))])
        .0
        .write(&made, &resolve, WITHIN)
        .await
        .unwrap();
    let kept = client(vec![Ok(json(200, &record("2")))])
        .0
        .write(&made, &resolve, WITHIN)
        .await
        .unwrap_err();
    assert_eq!((kept.effect, kept.kind), (Effect::Refused, Kind::Invalid));
    let gone = client(vec![Ok(json(404, "{}"))])
        .0
        .read(&made, WITHIN)
        .await
        .unwrap();
    assert_eq!(gone, None);
    let seen = client(vec![Ok(json(200, &record("7")))])
        .0
        .read(&made, WITHIN)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(seen.standing, Standing::Closed);
}

/// The same table for events, told by what differs from an incident's.
#[tokio::test]
async fn every_status_has_one_meaning_for_events_too() {
    let event = NewWorkItem {
        work_item_type: WorkItemType::Event,
        ..item()
    };
    let body = r#"{"error":{"message":"canary","detail":"canary"},"status":"failure"}"#;
    for status in (200..=206).chain(400..=431).chain(500..=511) {
        let answers = || match status {
            401 => vec![Ok(json(401, body)), Ok(json(401, body))],
            403 => vec![Ok(json(403, body)), Ok(json(404, "{}"))],
            _ => vec![Ok(json(status, body))],
        };
        let (client, _) = client(answers());
        let failure = client.create(&event, WITHIN).await.expect_err("no success");
        let told = format!("{failure} {}", failure.hint());
        assert!(!told.contains("canary"), "{told}");
        let incident = create(answers()).await.expect_err("no record in it");
        assert_eq!(
            (failure.effect, failure.kind),
            (incident.effect, incident.kind),
            "{status}"
        );
    }
    for (text, fine) in [
        (
            r#"{"result":{"Default Bulk Endpoint":"1 events were inserted"}}"#,
            true,
        ),
        (
            r#"{"result":{"Another Endpoint":"one event inserted"}}"#,
            true,
        ),
        (
            r#"{"result":{"Default Bulk Endpoint":"0 events were inserted"}}"#,
            false,
        ),
        (r#"{"result":{}, "error":{"message":"canary"}}"#, false),
        ("null", false),
        ("[]", false),
        (r#"{"result":{"Default Bulk End"#, false),
    ] {
        let (client, _) = client(vec![Ok(json(200, text))]);
        let sent = client.create(&event, WITHIN).await;
        assert_eq!(sent.is_ok(), fine, "{text}");
        assert!(
            sent.is_ok() || sent.is_err_and(|failure| failure.effect == Effect::Unknown),
            "{text}"
        );
    }
}

#[tokio::test]
async fn s28_headers_with_secrets_are_marked_so() {
    let (client, script) = client(vec![Ok(json(200, r#"{"result":[]}"#))]);
    client.sign_in(Duration::from_secs(5)).await.unwrap();
    let printed = script.printed.lock().unwrap().join("\n");
    assert!(
        printed.contains("\"authorization\": Sensitive"),
        "{printed}"
    );
    assert!(!printed.contains("canary"), "{printed}");
}
