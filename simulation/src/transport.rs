//! The way to the product as a process sees it: requests that do not leave, answers that do not come, and a process
//! that stands still right before it sends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::ports::{Transport, TransportFailure, TransportTrouble};
use simulators::journal::Kind;
use simulators::machine::Delivery;

use crate::backlog::Deed;
use crate::clock::pause;
use crate::counters;
use crate::planted::Planted;
use crate::process::Process;
use crate::swarm::Class;
use crate::watch::watch_answer;

/// The longest claim there is: of a drain, where the product does not keep our key unique.
const LONGEST_CLAIM: Duration = Duration::from_secs(170);

/// The longest call with all that goes before it: a token, and the look at the clock before that.
pub const LONGEST_CALL: Duration = Duration::from_secs(60);

/// The way of one process.
#[derive(Debug)]
pub struct ProductTransport(Arc<Process>);

impl ProductTransport {
    /// The way of this process.
    pub fn new(process: Arc<Process>) -> Self {
        Self(process)
    }

    /// The process stands still for a while. If its caller is dropped meanwhile and the process lives, the request is
    /// sent all the same when it goes on: the thaw is in the middle of the send.
    async fn freeze(&self, request: http::Request<Bytes>) -> http::Request<Bytes> {
        let scene = &self.0.scene;
        if !scene.strikes(Class::Freeze) {
            return request;
        }
        let span = Duration::from_millis(scene.weather().between(1_000, 400_000));
        let is_create =
            request.method() == http::Method::POST && request.uri().path().ends_with("/incident");
        if is_create {
            if span > LONGEST_CLAIM {
                scene.ledger.count(counters::LONG_FREEZE);
            }
            if let Some(correlation) = crate::product::correlation_of(&request) {
                scene.product().frozen.insert(correlation);
            }
        }
        let until = scene.elapsed() + span;
        self.0.stands_still_until(until);
        let mut frozen = Frozen {
            process: &self.0,
            until,
            request: Some(request),
        };
        pause(span).await;
        frozen.request.take().unwrap_or_default()
    }
}

/// A request that is not sent yet, of a process that stands still.
struct Frozen<'a> {
    process: &'a Process,
    until: Duration,
    request: Option<http::Request<Bytes>>,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take()
            && !self.process.is_dead()
        {
            let scene = &self.process.scene;
            scene
                .backlog()
                .add(self.until, Deed::Send(Box::new(request)));
        }
    }
}

#[async_trait]
impl Transport for ProductTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let scene = &self.0.scene;
        let what = format!("product {} {}", request.method(), shown(request.uri()));
        let call = self.0.begin(what, (0, 0)).await;
        self.0.watch_goes_on();
        if scene.strikes(Class::NotSent) {
            call.end("not sent").await;
            return Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
        }
        let request = self.freeze(request).await;
        scene.catch_up();
        self.0.watch_call(&request);
        if let Some(correlation) = crate::product::correlation_of(&request)
            && self.0.stood_still(LONGEST_CALL)
        {
            scene.product().frozen.insert(correlation);
        }
        let _under_way = self.0.watch_concurrency();
        let (kind, path) = (kind_of(&request), request.uri().path().to_owned());
        if kind == Kind::Token && scene.sign_in_is_refused() {
            scene.ledger.count(Class::SignInRefused.as_str());
            scene.watch_sign_in(401);
            self.0.watch_vault_failure();
            call.end("401 (sign-in refused)").await;
            pause(scene.takes(scene.swarm.product_ms).min(within)).await;
            return Ok(refused_sign_in());
        }
        let mut answer = scene.answer(request, scene.now_ms(), &self.0.node, Some(&self.0));
        let answered_at = scene.elapsed();
        let is_json = kind != Kind::Token && answer.response.status() == 200;
        if is_json && scene.strikes(Class::WrongType) {
            let html = http::HeaderValue::from_static("text/html");
            let headers = answer.response.headers_mut();
            headers.insert(http::header::CONTENT_TYPE, html);
        }
        let status = answer.response.status().as_u16();
        let usual = scene.takes(scene.swarm.product_ms);
        let (takes, mut outcome) = match answer.delivery {
            Delivery::Whole => (usual, Ok(answer.response)),
            Delivery::After(late) => (usual + late, Ok(answer.response)),
            Delivery::Drip(every) => {
                let bytes = u32::try_from(answer.response.body().len()).unwrap_or(u32::MAX);
                (every.saturating_mul(bytes), Ok(answer.response))
            }
            Delivery::NeverRead | Delivery::Cut(_) => (usual, Err(TransportTrouble::Broken)),
            Delivery::Lost if scene.weather().chance(0.5) => (usual, Err(TransportTrouble::Broken)),
            Delivery::Lost => (within, Err(TransportTrouble::TimedOut)),
        };
        let told = match (&outcome, takes > within) {
            (_, true) => format!("{status}, too slow"),
            (Ok(_), _) => status.to_string(),
            (Err(trouble), _) => format!("{trouble:?}"),
        };
        call.end(format!("{told}{}", scene.product().last_fault()))
            .await;
        pause(takes.min(within)).await;
        if takes > within {
            return Err(TransportFailure::Unknown(TransportTrouble::TimedOut));
        }
        if let Ok(response) = &mut outcome {
            watch_answer(&self.0, kind, &path, response, answered_at);
            Planted::on_answer(scene.planted, response);
        }
        outcome.map_err(TransportFailure::Unknown)
    }
}

fn kind_of(request: &http::Request<Bytes>) -> Kind {
    let path = request.uri().path();
    match request.method().as_str() {
        _ if path.ends_with("/oauth_token.do") => Kind::Token,
        "POST" => Kind::Create,
        "PATCH" => Kind::Update,
        _ if path.ends_with("/incident") => Kind::Query,
        _ => Kind::Read,
    }
}

/// What ServiceNow says to a client whose secret is not good any more.
fn refused_sign_in() -> http::Response<Bytes> {
    let body = r#"{"error_description":"access_denied","error":"server_error"}"#;
    let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = http::StatusCode::UNAUTHORIZED;
    let json = http::HeaderValue::from_static("application/json");
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, json);
    response
}

/// The path, and of a search what it searches for.
fn shown(uri: &http::Uri) -> String {
    let searched = uri
        .query()
        .and_then(|query| {
            query
                .split('&')
                .find_map(|part| part.strip_prefix("sysparm_query="))
        })
        .map(|query| format!(" {query}"))
        .unwrap_or_default();
    format!("{}{searched}", uri.path())
}
