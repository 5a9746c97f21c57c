//! The secure webhook over real HTTP: who shows which token gets which answer, and what of it is left behind. The rows of
//! tokens one by one are with `flows::callers`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use itsm_connector::adapters::entra_keys::EntraKeys;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::domain::entra::{Cloud, EntraAuth};
use itsm_connector::domain::network::AllowedHosts;
use serde_json::Value;
use simulators::entra::Entra;
use simulators::server::Server;

use crate::bed::{Alert, Answer, LOOPBACK, TestBed, request};

const TENANT: &str = "aaaaaaaa-0001-4000-8000-000000000001";
const AUDIENCE: &str = "api://itsm-connector";
const ACTION_GROUPS: &str = "461e8683-5575-4561-ac7f-899cc907d62a";
const HEALTH_KEY: &str = "health";

fn auth() -> EntraAuth {
    EntraAuth {
        cloud: Cloud::Public,
        tenant: TENANT.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        caller: ACTION_GROUPS.to_owned(),
        role: None,
    }
}

/// A tenant behind a socket, and a bed that takes its tokens.
async fn tenant() -> (Server<Entra>, TestBed) {
    let machine = Entra::new(TENANT).unwrap();
    let server = Server::start(machine, LOOPBACK, None).await.unwrap();
    let auth = auth();
    // The path as it is asked of Entra, at the simulator.
    let path = auth
        .keys_url()
        .replace("https://login.microsoftonline.com", &server.url());
    let allowed = AllowedHosts::default().with(&server.address().to_string());
    let keys = EntraKeys::new(Arc::new(HttpTransport::new(allowed)), path);
    let bed = TestBed::with_servicenow(Default::default())
        .entra(auth, Arc::new(keys), HEALTH_KEY)
        .start()
        .await;
    (server, bed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bed's clock runs from the machine's"
)]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn token(server: &Server<Entra>, caller: &str) -> String {
    let entra = server.lock();
    let claims = entra.claims_v1(AUDIENCE, caller, now_ms());
    entra.token(&claims).unwrap()
}

async fn deliver(bed: &TestBed, headers: &[&str]) -> Answer {
    let mut all = vec!["Content-Type: application/json", "Connection: close"];
    all.extend(headers);
    let body = Alert::captured("metric_fired").text();
    let place = "/api/create-work-item/contoso";
    bed.send(&request("POST", place, &all, body.as_bytes()))
        .await
        .unwrap()
}

#[tokio::test]
async fn an_action_group_with_its_token_makes_an_incident() {
    let (server, bed) = tenant().await;
    let bearer = format!("Authorization: Bearer {}", token(&server, ACTION_GROUPS));
    let answer = deliver(&bed, &[&bearer]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["outcome"], "created");
    assert_eq!(server.lock().asked, 1);
    bed.end().await;
}

#[tokio::test]
async fn everybody_else_is_turned_away_and_leaves_nothing_behind() {
    let (server, bed) = tenant().await;
    let good = token(&server, ACTION_GROUPS);
    let other = token(&server, "cccccccc-0001-4000-8000-000000000001");
    for (headers, status) in [
        (vec![], 401),
        (vec!["Authorization: Basic dXNlcjpwYXNz".to_owned()], 401),
        (vec!["Authorization: Bearer ".to_owned()], 401),
        (vec!["Authorization: Bearer".to_owned()], 401),
        (vec![format!("Authorization: Bearer x{good}")], 401),
        (vec![format!("X-Itsmc-Key: {HEALTH_KEY}")], 401),
        (vec![format!("Authorization: Bearer {other}")], 403),
        (
            vec![
                format!("Authorization: Bearer {good}"),
                format!("Authorization: Bearer {good}"),
            ],
            401,
        ),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = deliver(&bed, &headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert!(!answer.body.contains(&good[..20]), "{}", answer.body);
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn while_entra_is_away_the_alert_is_sent_again() {
    let (server, bed) = tenant().await;
    server.lock().is_away = true;
    let bearer = format!("Authorization: Bearer {}", token(&server, ACTION_GROUPS));
    let answer = deliver(&bed, &[&bearer]).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn the_health_page_is_for_its_key() {
    let (server, bed) = tenant().await;
    let bearer = format!("Authorization: Bearer {}", token(&server, ACTION_GROUPS));
    let key = format!("X-Itsmc-Key: {HEALTH_KEY}");
    for (header, status) in [
        ("X-Nothing: x", 401),
        (bearer.as_str(), 401),
        (key.as_str(), 200),
    ] {
        let get = request("GET", "/api/health", &["Connection: close", header], b"");
        assert_eq!(bed.send(&get).await.unwrap().status, status, "{header}");
    }
    bed.end().await;
}

/// Tokens and keys of `tests/witnesses/oidc`, which starts the server.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "it says whether it was skipped, and reads what the witness has written"
)]
async fn a_server_that_we_did_not_write_signs_what_we_take_and_what_we_do_not() {
    let Ok(file) = std::env::var("ITSMC_TEST_OIDC") else {
        eprintln!("skipped: no server of OpenID Connect; tests/witnesses/run oidc starts one");
        return;
    };
    let said: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let keys = said["keys"].as_str().unwrap();
    let address = url::Url::parse(keys).unwrap();
    let host = format!(
        "{}:{}",
        address.host_str().unwrap(),
        address.port().unwrap()
    );
    let allowed = AllowedHosts::default().with(&host);
    let keys = EntraKeys::new(Arc::new(HttpTransport::new(allowed)), keys.to_owned());
    let bed = TestBed::with_servicenow(Default::default())
        .entra(auth(), Arc::new(keys), HEALTH_KEY)
        .start()
        .await;
    let tokens = said["tokens"].as_object().unwrap();
    assert!(tokens.len() > 10);
    for (what, answered) in tokens {
        let bearer = format!("Authorization: Bearer {}", answered[1].as_str().unwrap());
        let answer = deliver(&bed, &[&bearer]).await;
        let expected = answered[0].as_u64().unwrap();
        // Taken is taken, whether the incident was made at once or later.
        let status = match answer.status {
            200 => 202,
            other => other,
        };
        assert_eq!(u64::from(status), expected, "{what}: {answer:?}");
    }
    assert_eq!(bed.servicenow().incidents().len(), 1);
    bed.end().await;
}
