//! The real flows and the real client over a ServiceNow in this process, which looks at every request, and over a clock
//! that only the test moves: a thousand alerts take seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::failure::CallFailure;
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::create_work_item::{self, Answer, Labelled};
use itsm_connector::flows::{Core, Outside, drain};
use itsm_connector::inbound::webhook::Delivery;
use itsm_connector::ports::{Clock, Entropy, Transport, TransportFailure, TransportTrouble, Vault};
use serde_json::{Value, json};
use simulators::machine::{Delivery as Arrival, Machine as _};
use simulators::servicenow::{Config, ServiceNow};

/// Records of others.
const FOREIGN: usize = 12;

/// When every test begins: 2026-03-01T10:00:00Z.
const BEGINNING_MS: i64 = 1_772_359_200_000;

/// Longer than any claim, gate or audit waits.
const LONG: Duration = Duration::from_secs(16 * 60);

/// Time that goes on only when the test says so, or somebody sleeps.
#[derive(Debug, Default)]
struct StillClock(AtomicU64);

impl StillClock {
    fn pass(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(BEGINNING_MS).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, span: Duration) {
        self.pass(span);
    }
}

/// A counter is chance enough here.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn dice(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A vault with one definition in it.
struct OneDefinition(String);

#[async_trait]
impl Vault for OneDefinition {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let is_it = name == "itsm-connection-contoso";
        Ok(is_it.then(|| Kept::only(Secret::new(self.0.clone()))))
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
        Ok(Vec::new())
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

/// The instance, and what is known of the requests to it.
pub(crate) struct Product {
    pub(crate) machine: ServiceNow,
    foreign: BTreeMap<String, Value>,
    /// Records of others that a read has returned.
    pub(crate) read_of_others: BTreeSet<String>,
    /// Requests of a shape that we never send.
    pub(crate) strange: Vec<String>,
    /// An instance that does not know the field that we search by takes the condition away.
    knows_our_field: bool,
}

fn key(record: &Value) -> String {
    record["sys_id"].as_str().unwrap_or_default().to_owned()
}

impl Product {
    fn new(config: Config, knows_our_field: bool) -> Self {
        let mut machine = ServiceNow::new(config);
        machine.seed_incidents(FOREIGN, BEGINNING_MS);
        for correlation in ["azm-aaaaaaaaaaaaaaaaaaaaaaaaaa", "^NQ", "javascript:1", ""] {
            let fields = [("correlation_id", correlation), ("short_description", "x")];
            machine.insert_record("incident", &fields, BEGINNING_MS);
        }
        let foreign = machine.incidents().into_iter();
        Self {
            foreign: foreign.map(|record| (key(&record), record)).collect(),
            machine,
            read_of_others: BTreeSet::new(),
            strange: Vec::new(),
            knows_our_field,
        }
    }

    /// Our work items.
    pub(crate) fn ours(&self) -> Vec<Value> {
        let mut all = self.machine.incidents();
        all.retain(|record| !self.foreign.contains_key(&key(record)));
        all
    }

    /// Records of others that are not as they were, or that a write has touched.
    pub(crate) fn touched_of_others(&self) -> Vec<String> {
        let changed = self.foreign.iter().filter_map(|(key, before)| {
            let after = self.machine.record(key).unwrap_or_default();
            (after != *before).then(|| format!("{before} is {after}"))
        });
        let written = self.machine.journal().entries().iter().filter(|entry| {
            let is_theirs = |key: &String| self.foreign.contains_key(key);
            entry.method != "GET" && entry.sys_id.as_ref().is_some_and(is_theirs)
        });
        changed
            .chain(written.map(|entry| format!("{entry:?}")))
            .collect()
    }

    fn answer(&mut self, request: http::Request<Bytes>, now_ms: i64) -> (Bytes, Arrival, u16) {
        let what = format!("{} {}", request.method(), request.uri());
        if !is_one_of_ours(&request) {
            self.strange.push(what);
        }
        let reads = request.method() == http::Method::GET;
        let request = if self.knows_our_field {
            request
        } else {
            without_our_condition(request)
        };
        let answer = self.machine.answer(request, now_ms);
        let (parts, body) = answer.response.into_parts();
        if reads {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let records = match &body["result"] {
                Value::Array(records) => records.clone(),
                record => vec![record.clone()],
            };
            let keys = records.iter().map(key);
            let theirs = keys.filter(|key| self.foreign.contains_key(key));
            self.read_of_others.extend(theirs);
        }
        (body, answer.delivery, parts.status.as_u16())
    }
}

/// Every request that we ever send has one of these shapes, whatever an alert says.
fn is_one_of_ours(request: &http::Request<Bytes>) -> bool {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let table = "/api/now/table/incident";
    let is_key = |key: &str| key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit());
    let record = path.strip_prefix(&format!("{table}/"));
    let target_is_right = match (method, record) {
        ("POST", None) => path == table || path == "/oauth_token.do",
        ("GET", None) => path == table,
        ("GET" | "PATCH", Some(key)) => is_key(key),
        _ => false,
    };
    let query = request.uri().query().unwrap_or_default();
    target_is_right
        && url::form_urlencoded::parse(query.as_bytes()).all(|(name, value)| match &*name {
            "sysparm_query" => is_our_query(&value),
            "sysparm_fields" => value == "sys_id,number,correlation_id,state,sys_created_on",
            "sysparm_limit" => value.bytes().all(|b| b.is_ascii_digit()),
            "sysparm_exclude_reference_link" | "sysparm_no_count" => value == "true",
            _ => false,
        })
}

fn is_our_query(query: &str) -> bool {
    let id = query
        .strip_prefix("correlation_id=azm-")
        .and_then(|rest| rest.strip_suffix("^ORDERBYsys_created_on^ORDERBYsys_id"));
    id.is_some_and(|id| {
        id.len() == 26
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn without_our_condition(request: http::Request<Bytes>) -> http::Request<Bytes> {
    let (mut parts, body) = request.into_parts();
    let uri = parts.uri.to_string();
    if let Some(at) = uri.find("sysparm_query=correlation_id") {
        let (before, after) = uri.split_at(at);
        let rest = after.find('&').map_or("", |end| &after[end..]);
        parts.uri = format!("{before}sysparm_query=no_such_field%3Dx{rest}")
            .parse()
            .unwrap();
    }
    http::Request::from_parts(parts, body)
}

/// The way to the product.
struct InProcess {
    product: Arc<Mutex<Product>>,
    clock: Arc<StillClock>,
}

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let now_ms = self.clock.now().as_millis();
        let (body, arrival, status) = self.product.lock().unwrap().answer(request, now_ms);
        match arrival {
            Arrival::Whole => Ok(http::Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body)
                .unwrap()),
            _ => Err(TransportFailure::Unknown(TransportTrouble::Broken)),
        }
    }
}

/// A connector over such an instance.
pub(crate) struct Bed {
    core: Core,
    product: Arc<Mutex<Product>>,
    clock: Arc<StillClock>,
}

impl Bed {
    /// With this action, over an instance that is set up so.
    pub(crate) fn new(action: Value, config: Config, knows_our_field: bool) -> Self {
        let client = config.clients[0].clone();
        let definition = json!({
            "name": "contoso",
            "partner_type": "servicenow",
            "server_url": "https://contoso.service-now.com",
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "actions": { "default": action },
        });
        let product = Arc::new(Mutex::new(Product::new(config, knows_our_field)));
        let clock = Arc::<StillClock>::default();
        let as_clock: Arc<dyn Clock> = Arc::<StillClock>::clone(&clock);
        let vault: Arc<dyn Vault> = Arc::new(OneDefinition(definition.to_string()));
        let transport = Arc::new(InProcess {
            product: Arc::clone(&product),
            clock: Arc::clone(&clock),
        });
        let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&as_clock));
        let core = Core::new(Outside {
            store: state_store::memory(),
            vault,
            products: Arc::new(products),
            clock: as_clock,
            entropy: Arc::new(Counter::default()),
            allowed: AllowedHosts::default(),
        });
        Self {
            core,
            product,
            clock,
        }
    }

    /// The instance, to look at or to change. Not to be held over an await.
    pub(crate) fn product(&self) -> MutexGuard<'_, Product> {
        self.product.lock().unwrap()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().as_millis()
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
        let now_ms = self.now_ms();
        self.product().machine.settle(now_ms);
    }

    /// Delivers a body; it is always kept.
    pub(crate) async fn deliver(&self, body: &Value) -> Answer {
        let name = ConnectionName::parse("contoso").unwrap();
        let body = Bytes::from(body.to_string());
        let delivery = Delivery::from_journal(name, ActionName::default(), body);
        let answer = create_work_item::receive(&self.core, delivery, Labelled::Json);
        Box::pin(answer).await.unwrap()
    }

    pub(crate) async fn drain(&self) {
        let drained = drain::run(&self.core, Duration::from_secs(55));
        Box::pin(drained).await.unwrap();
    }

    /// Drains, and lets time pass, until nothing waits; what still does.
    pub(crate) async fn settle(&self) -> usize {
        let name = ConnectionName::parse("contoso").unwrap();
        let mut pending = 0;
        for _ in 0..40 {
            self.drain().await;
            pending = self.core.pending.list(&name).await.unwrap().len();
            if pending == 0 {
                break;
            }
            self.pass(LONG);
        }
        pending
    }
}
