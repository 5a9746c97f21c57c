//! What is sent, and what each answer means.

use std::io::Read as _;
use std::sync::Mutex;

use flate2::read::GzDecoder;
use http::Response;

use super::*;
use crate::adapters::clock::SystemClock;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::ports::TransportTrouble;

const TOKEN: &str = "canary-token";

struct Known(&'static str);

#[async_trait]
impl AzureIdentity for Known {
    async fn token(&self, scope: &str, _: Duration) -> Result<Secret, CallFailure> {
        assert_eq!(scope, self.0);
        Ok(Secret::from(TOKEN))
    }
}

type Reply = Result<Response<Bytes>, TransportFailure>;

/// Answers once, and keeps what it was asked.
#[derive(Default)]
struct Scripted {
    reply: Mutex<Option<Reply>>,
    asked: Mutex<Option<http::Request<Bytes>>>,
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: http::Request<Bytes>, _: Duration) -> Reply {
        *self.asked.lock().unwrap() = Some(request);
        self.reply.lock().unwrap().take().unwrap()
    }
}

fn rows(bytes: usize) -> Batch {
    let row = format!(r#"{{"RecordKey":"{}"}}"#, "ab".repeat(bytes / 2));
    Batch::of_one(row.into_bytes())
}

async fn asked(
    endpoint: &str,
    scope: &'static str,
    batch: &Batch,
    reply: Reply,
) -> (Result<(), SinkFailure>, Option<http::Request<Bytes>>) {
    let transport = Arc::new(Scripted::default());
    *transport.reply.lock().unwrap() = Some(reply);
    let sink = LogsIngestion::new(
        Arc::clone(&transport) as Arc<dyn Transport>,
        Arc::new(Known(scope)),
        Arc::new(SystemClock::default()),
        Url::parse(endpoint).unwrap(),
        "dcr-00000000000000000000000000000001",
    );
    let told = sink
        .send(Table::ServiceDesk, batch, Duration::from_secs(30))
        .await;
    let request = transport.asked.lock().unwrap().take();
    (told, request)
}

const PUBLIC: &str = "https://itsm-abcd.westeurope-1.ingest.monitor.azure.com";
const SCOPE: &str = "https://monitor.azure.com/.default";

fn answer(status: u16, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

use http::StatusCode;

async fn told(bytes: usize, response: Response<Bytes>) -> Result<(), SinkFailure> {
    asked(PUBLIC, SCOPE, &rows(bytes), Ok(response)).await.0
}

#[tokio::test]
async fn a_request_is_as_the_api_has_it() {
    let batch = rows(5_000);
    let (told, request) = asked(PUBLIC, SCOPE, &batch, Ok(answer(204, ""))).await;
    assert_eq!(told, Ok(()));
    let request = request.unwrap();
    assert_eq!(
        format!("{} {}", request.method(), request.uri()),
        "POST https://itsm-abcd.westeurope-1.ingest.monitor.azure.com/dataCollectionRules/dcr-00000000000000000000000000000001/streams/Custom-ServiceDesk_CL?api-version=2023-01-01"
    );
    assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(request.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer canary-token");
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    let mut body = Vec::new();
    GzDecoder::new(request.body().as_ref())
        .read_to_end(&mut body)
        .unwrap();
    assert_eq!(body, batch.body());
}

#[tokio::test]
async fn what_compressing_makes_longer_goes_as_it_is() {
    let batch = Batch::of_one(br#"{"A":1}"#.to_vec());
    let (_, request) = asked(PUBLIC, SCOPE, &batch, Ok(answer(204, ""))).await;
    let request = request.unwrap();
    assert_eq!(request.headers().get(CONTENT_ENCODING), None);
    assert_eq!(request.body().as_ref(), br#"[{"A":1}]"#);
}

#[tokio::test]
async fn every_cloud_has_its_audience() {
    for (endpoint, scope) in [
        (PUBLIC, SCOPE),
        (
            "https://a.usgovvirginia-1.ingest.monitor.azure.us",
            "https://monitor.azure.us/.default",
        ),
        (
            "https://a.chinaeast2-1.ingest.monitor.azure.cn",
            "https://monitor.azure.cn/.default",
        ),
        ("https://monitor.azure.us.example", SCOPE),
    ] {
        let (told, _) = asked(endpoint, scope, &rows(10), Ok(answer(204, ""))).await;
        assert_eq!(told, Ok(()));
    }
}

#[tokio::test]
async fn every_status_has_its_meaning_in_our_words() {
    let body = r#"{"error":{"code":"canary-code","message":"canary-token canary <b>words</b>"}}"#;
    let mut table = Vec::new();
    for status in 100..600 {
        let (word, failure) = match told(100, answer(status, body)).await {
            Ok(()) => ("ok", None),
            Err(SinkFailure::TooLarge(failure)) => ("too large", Some(failure)),
            Err(SinkFailure::Wait(failure)) => ("wait", Some(failure)),
            Err(SinkFailure::Refused(failure)) => ("refused", Some(failure)),
            Err(SinkFailure::Unknown(failure)) => ("unknown", Some(failure)),
        };
        let text = failure.map(|failure| {
            assert_eq!(failure.status, Some(status));
            failure
                .to_string()
                .replace(&format!(" (status {status})"), "")
        });
        let line = format!("{word}: {}", text.unwrap_or_default());
        match table.last_mut() {
            Some((_, to, last)) if *last == line => *to = status,
            _ => table.push((status, status, line)),
        }
    }
    let table: Vec<String> = table
        .into_iter()
        .map(|(from, to, line)| format!("{from}-{to} {line}"))
        .collect();
    let table = table.join("\n");
    assert!(!table.contains("canary"), "{table}");
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn every_refusal_has_a_hint() {
    let mut hints = Vec::new();
    for status in [400, 401, 403, 404, 413, 429, 500, 503] {
        let failure = told(100, answer(status, "")).await.unwrap_err();
        hints.push(format!("{status} {}", failure.hint()));
    }
    insta::assert_snapshot!(hints.join("\n"));
}

#[tokio::test]
async fn n22_a_404_is_too_long_above_512_kb_and_a_wrong_rule_below() {
    let long = told(900_000, answer(404, "")).await;
    assert!(matches!(long, Err(SinkFailure::TooLarge(_))), "{long:?}");
    let half = told(450_000, answer(404, "")).await;
    assert!(matches!(half, Err(SinkFailure::Refused(_))), "{half:?}");
}

#[tokio::test]
async fn n23_a_429_names_the_time() {
    for (value, expected) in [("120", Some(120)), ("0", Some(1)), ("soon", None)] {
        let mut response = answer(429, "");
        response
            .headers_mut()
            .insert("retry-after", value.parse().unwrap());
        let Err(SinkFailure::Wait(failure)) = told(100, response).await else {
            panic!("no wait");
        };
        assert_eq!(failure.retry_after_seconds, expected, "{value}");
    }
}

#[tokio::test]
async fn n24_a_400_names_our_column_and_repeats_nothing() {
    let body = r#"{"error":{"code":"InvalidStream","message":"canary: 'Revision' of stream Custom-ServiceDesk_CL, not Revisions or canary_s"}}"#;
    let Err(SinkFailure::Refused(failure)) = told(100, answer(400, body)).await else {
        panic!("not refused");
    };
    let text = failure.to_string();
    assert!(text.contains(": `Revision` (long)"), "{text}");
    assert!(
        !text.contains("canary") && !text.contains("Revisions"),
        "{text}"
    );
}

#[tokio::test]
async fn what_never_left_waits_and_what_may_have_left_is_unknown() {
    use TransportTrouble::{
        Broken, Certificate, Forbidden, Malformed, TimedOut, TooLong, Unreachable,
    };
    for trouble in [
        Unreachable,
        Certificate,
        TimedOut,
        Broken,
        TooLong,
        Forbidden,
        Malformed,
    ] {
        let (not_sent, _) = asked(
            PUBLIC,
            SCOPE,
            &rows(10),
            Err(TransportFailure::NotSent(trouble)),
        )
        .await;
        let is_final = matches!(trouble, Forbidden | Malformed);
        assert_eq!(
            matches!(not_sent, Err(SinkFailure::Refused(_))),
            is_final,
            "{trouble:?}"
        );
        assert_eq!(
            matches!(not_sent, Err(SinkFailure::Wait(_))),
            !is_final,
            "{trouble:?}"
        );
        let (unknown, _) = asked(
            PUBLIC,
            SCOPE,
            &rows(10),
            Err(TransportFailure::Unknown(trouble)),
        )
        .await;
        assert!(
            matches!(unknown, Err(SinkFailure::Unknown(_))),
            "{trouble:?}"
        );
    }
}

#[test]
fn what_is_shown_of_it_has_no_secret() {
    let sink = LogsIngestion::new(
        Arc::new(Scripted::default()),
        Arc::new(Known(SCOPE)),
        Arc::new(SystemClock::default()),
        Url::parse(PUBLIC).unwrap(),
        "dcr-1",
    );
    assert!(!format!("{sink:?}").contains("canary"));
    let now = Timestamp::UNIX_EPOCH;
    assert!(meaning(Table::ServiceDeskLog, 1, &answer(204, ""), now).is_ok());
}
