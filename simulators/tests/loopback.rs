//! The server over real sockets: what a client sees when a connection breaks, and the control surface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde_json::{Value, json};
use simulators::fault::{Fault, FaultRule};
use simulators::journal::{Execution, Kind};
use simulators::server::{Server, Tls};
use simulators::servicenow::{Config, ServiceNow};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn server() -> Server<ServiceNow> {
    Server::start(ServiceNow::new(Config::default()), LOOPBACK, None)
        .await
        .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the client that the server is tested with"
)]
fn client() -> Client {
    Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

fn login(request: RequestBuilder) -> RequestBuilder {
    request.basic_auth("svc-monitor", Some("svc-monitor-password"))
}

async fn create(server: &Server<ServiceNow>) -> reqwest::Result<Response> {
    let url = format!("{}/api/now/table/incident", server.url());
    login(client().post(url))
        .json(&json!({ "short_description": "x" }))
        .send()
        .await
}

#[tokio::test]
async fn a_whole_answer_arrives_in_chunks() {
    let server = server().await;
    let reply = create(&server).await.unwrap();
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.headers()["transfer-encoding"], "chunked");
    let place = reply.headers()["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with(&server.url()), "{place}");
    let record: Value = login(client().get(place))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(record["result"]["number"], "INC0010001");
    server.stop().await;
}

#[tokio::test]
async fn connections_break_for_real() {
    let cases = [
        (Fault::ResetBeforeRead, Execution::Not),
        (Fault::DropReplyBeforeWrite, Execution::Not),
        (Fault::DropReplyAfterWrite, Execution::Executed),
    ];
    for (fault, execution) in cases {
        let server = server().await;
        server
            .lock()
            .faults_mut()
            .add(FaultRule::once(Kind::Create, fault.clone()));
        let error = create(&server).await.unwrap_err();
        assert!(
            error.is_request() && !error.is_timeout(),
            "{fault:?}: {error:?}"
        );
        assert_eq!(server.lock().journal().last().unwrap().execution, execution);
        assert_eq!(
            create(&server).await.unwrap().status(),
            201,
            "{fault:?}: the server goes on"
        );
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_lost_reply_is_not() {
    for (fault, is_reset) in [
        (Fault::ResetBeforeRead, true),
        (Fault::DropReplyAfterWrite, false),
    ] {
        let server = server().await;
        server
            .lock()
            .faults_mut()
            .add(FaultRule::once(Kind::Any, fault));
        let error = create(&server).await.unwrap_err();
        assert_eq!(
            format!("{error:?}").contains("ConnectionReset"),
            is_reset,
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_body_is_cut_after_so_many_bytes() {
    let server = server().await;
    server.lock().faults_mut().add(FaultRule::once(
        Kind::Create,
        Fault::CutBody { after_bytes: 10 },
    ));
    let mut reply = create(&server).await.unwrap();
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.chunk().await.unwrap().unwrap().len(), 10);
    assert!(reply.chunk().await.is_err());
    assert_eq!(server.lock().incidents().len(), 1);
}

#[tokio::test]
async fn a_slow_reply_comes_after_the_write() {
    let server = server().await;
    let by = Duration::from_secs(60);
    server
        .lock()
        .faults_mut()
        .add(FaultRule::once(Kind::Create, Fault::Slow { by }));
    let url = format!("{}/api/now/table/incident", server.url());
    let request = login(client().post(url))
        .json(&json!({}))
        .timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(server.lock().incidents().len(), 1);
}

#[tokio::test]
async fn a_dripping_body_is_whole_in_the_end() {
    let server = server().await;
    server.lock().faults_mut().add(FaultRule::once(
        Kind::Token,
        Fault::Drip {
            every: Duration::from_millis(1),
        },
    ));
    let url = format!("{}/oauth_token.do", server.url());
    let form = "grant_type=client_credentials&client_id=d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f&client_secret=demo-client-secret";
    let request = client()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let reply: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(reply["token_type"], "Bearer");
}

#[tokio::test]
async fn tls_is_trusted_by_its_own_authority_only() {
    let tls = Tls::throw_away(&["sn.localhost"]).unwrap();
    let ca = Certificate::from_pem(tls.ca_pem().as_bytes()).unwrap();
    let server = Server::start(ServiceNow::new(Config::default()), LOOPBACK, Some(tls))
        .await
        .unwrap();
    assert!(server.url().starts_with("https://"));
    let url = format!("{}/api/now/table/incident", server.url());
    assert!(client().get(&url).send().await.is_err());
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the client that the server is tested with"
    )]
    let trusting = Client::builder()
        .no_proxy()
        .tls_certs_only([ca])
        .build()
        .unwrap();
    assert_eq!(
        login(trusting.get(&url)).send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn the_control_surface_works_from_outside() {
    let server = server().await;
    let control = |path: &str| format!("{}/__simulator/{path}", server.url());
    let client = client();
    let rules =
        json!([{ "kind": "create", "fault": { "status": { "code": 503, "retry_after": "7" } } }]);
    assert_eq!(
        client
            .post(control("faults"))
            .json(&rules)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let refused = create(&server).await.unwrap();
    assert_eq!(
        (
            refused.status().as_u16(),
            refused.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "7")
    );
    assert_eq!(create(&server).await.unwrap().status(), 201);

    let journal: Value = client
        .get(control("journal"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&journal[0]["fault"], &journal[0]["execution"]),
        (&json!("status"), &json!("not"))
    );
    assert_eq!(
        (
            &journal[1]["kind"],
            &journal[1]["user"],
            journal.as_array().unwrap().len()
        ),
        (&json!("create"), &json!("svc-monitor"), 2)
    );
    let records: Value = client
        .get(control("records/incident"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let id = records[0]["sys_id"].as_str().unwrap().to_owned();
    let edit = client
        .post(control(&format!("records/incident/{id}")))
        .json(&json!({ "short_description": "by hand" }));
    assert_eq!(edit.send().await.unwrap().status(), 200);
    assert_eq!(
        server.lock().record(&id).unwrap()["short_description"],
        "by hand"
    );

    assert_eq!(
        client
            .post(control("reset-journal"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(server.lock().journal().count(Kind::Any), 0);
    client
        .post(control("faults"))
        .json(&json!({ "kind": "any", "times": "always", "fault": "null200" }))
        .send()
        .await
        .unwrap();
    client.delete(control("faults")).send().await.unwrap();
    assert_eq!(create(&server).await.unwrap().status(), 201);
    for (path, body, status) in [
        ("faults", json!({ "kind": "nonsense" }), 400),
        ("nonsense", json!({}), 404),
    ] {
        assert_eq!(
            client
                .post(control(path))
                .json(&body)
                .send()
                .await
                .unwrap()
                .status(),
            status,
            "{path}"
        );
    }
    let state: Value = client
        .get(control("state"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(ServiceNow::load(Config::default(), &state).is_ok());
}

#[tokio::test]
async fn a_server_that_is_stopped_or_dropped_listens_no_more() {
    let stopped = server().await;
    let url = stopped.url();
    stopped.stop().await;
    assert!(client().get(&url).send().await.unwrap_err().is_connect());
    let dropped = server().await;
    let url = dropped.url();
    drop(dropped);
    tokio::task::yield_now().await;
    assert!(client().get(&url).send().await.unwrap_err().is_connect());
}
