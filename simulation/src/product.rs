//! The product: the ServiceNow simulator in process, with the faults that the seed wants, and an account of who made what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulators::fault::{Fault, FaultBody, FaultRule, Forbidden};
use simulators::journal::{Entry, Kind};
use simulators::machine::{Answer, Machine as _};
use simulators::servicenow::{Client, Config, ServiceNow};

use crate::scene::Scene;
use crate::swarm::{Class, Swarm, Variant};

/// The name of the one connection.
pub const CONNECTION: &str = "contoso";

/// Its product's address.
pub const SERVER: &str = "https://contoso.service-now.com";

/// Its OAuth client.
pub const CLIENT_ID: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// The client's secret: it must turn up nowhere.
pub const CLIENT_SECRET: &str = "canary-client-secret-5eb3";

/// Life of an access token, in seconds: short, so that it ends during a run.
const TOKEN_LIFE_S: i64 = 900;

/// The product.
#[derive(Debug)]
pub struct Product {
    machine: ServiceNow,
    is_calm: bool,
    /// Access tokens that were given out: they must turn up nowhere.
    pub tokens: BTreeSet<String>,
    /// The slot's folder in the store, by correlation id.
    pub slots: BTreeMap<String, String>,
    /// Creates that were sent, by correlation id, without those that were answered 401.
    pub sent: BTreeMap<String, u64>,
    /// Correlation ids of which a create was held up right before it was sent.
    pub frozen: BTreeSet<String>,
    /// Keys of the records that a person has closed.
    pub closed_by_person: BTreeSet<String>,
    /// The key of a record that is nobody's business.
    pub bystander: String,
}

impl Product {
    /// As the seed wants it.
    pub fn new(swarm: &Swarm, rules: impl IntoIterator<Item = FaultRule>) -> Self {
        let client = Client {
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            ..Client::default()
        };
        let mut config = Config {
            seed: swarm.seed,
            clients: vec![client],
            accepts_chosen_sys_id: swarm.variant == Variant::Enforced,
            ..Config::default()
        };
        config.tokens.access_ttl_s = TOKEN_LIFE_S;
        let mut machine = ServiceNow::new(config);
        let fields = [("short_description", "The printer is out of paper")];
        let bystander = machine.insert_record("incident", &fields, crate::clock::BEGINNING_MS);
        for rule in rules.into_iter().chain(drawn_rules(swarm)) {
            machine.faults_mut().add(rule);
        }
        Self {
            machine,
            is_calm: false,
            tokens: BTreeSet::new(),
            slots: BTreeMap::new(),
            sent: BTreeMap::new(),
            frozen: BTreeSet::new(),
            closed_by_person: BTreeSet::new(),
            bystander,
        }
    }

    /// All incidents, as they are.
    pub fn incidents(&mut self, now_ms: i64) -> Vec<Value> {
        self.machine.settle(now_ms);
        self.machine.incidents()
    }

    /// What was asked of it.
    pub fn journal(&self) -> &[Entry] {
        self.machine.journal().entries()
    }

    /// The fault that was put into the newest answer, in brackets; empty if there was none.
    pub fn last_fault(&self) -> String {
        let fault = self.journal().last().and_then(|entry| entry.fault.as_ref());
        fault.map_or_else(String::new, |fault| format!(" ({fault})"))
    }

    /// True if somebody stood still before a create with this correlation id, or a search for it was behind: then, and
    /// only then, a second item may come to be.
    pub fn was_misled(&self, correlation: &str) -> bool {
        let is_stale = |entry: &&Entry| {
            entry.fault.as_deref() == Some("stale_search") && entry.query.contains(correlation)
        };
        self.frozen.contains(correlation) || self.journal().iter().any(|entry| is_stale(&entry))
    }

    /// True if it executes nothing late any more.
    pub fn is_idle(&mut self, now_ms: i64) -> bool {
        self.machine.settle(now_ms);
        self.machine.late_calls().0 == 0
    }

    /// A person closes a record.
    pub fn close_by_person(&mut self, key: &str, now_ms: i64) {
        if self.machine.close_by_person(key, now_ms) {
            self.closed_by_person.insert(key.to_owned());
        }
    }
}

impl Scene {
    /// The product answers, and the account is kept. Every create must have its own claim in the store (I8).
    pub fn answer(&self, request: http::Request<Bytes>, now_ms: i64, whose: &str) -> Answer {
        let correlation = correlation_of(&request);
        let mut product = self.product();
        if !product.is_calm && !self.is_stormy() && !self.swarm.storm.is_zero() {
            product.is_calm = true;
            product.machine.faults_mut().clear();
        }
        let answer = product.machine.answer(request, now_ms);
        let status = answer.response.status();
        if let Some(fault) = product
            .journal()
            .last()
            .and_then(|entry| entry.fault.clone())
        {
            self.ledger.count(fault_word(&fault));
        }
        if let Some(token) = token_in(answer.response.body()) {
            product.tokens.insert(token);
        }
        let Some(correlation) = correlation.filter(|_| status != 401) else {
            return answer;
        };
        let sent = product.sent.entry(correlation.clone()).or_insert(0);
        *sent += 1;
        let sent = *sent;
        let folder = product.slots.get(&correlation).cloned();
        drop(product);
        let claims = folder.map_or(0, |folder| self.claims(&folder));
        if sent > claims {
            self.ledger.accuse(
                "I8",
                format!("{whose}: create number {sent} of {correlation}, with {claims} claims in the store"),
            );
        }
        answer
    }

    /// How many snapshots of a slot say that somebody is making its item.
    fn claims(&self, folder: &str) -> u64 {
        let names = self.names(folder);
        let claims = names.iter().filter_map(|name| self.peek(name));
        claims
            .filter(|content| holds(content, b"\"is\":\"creating\""))
            .count() as u64
    }
}

/// True if `text` stands somewhere in `content`.
pub fn holds(content: &[u8], text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        return true;
    };
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(text) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The correlation id of a create.
pub fn correlation_of(request: &http::Request<Bytes>) -> Option<String> {
    if request.method() != http::Method::POST || !request.uri().path().ends_with("/incident") {
        return None;
    }
    let body: Value = serde_json::from_slice(request.body()).ok()?;
    body["correlation_id"].as_str().map(str::to_owned)
}

fn token_in(body: &[u8]) -> Option<String> {
    if !holds(&body[..body.len().min(400)], b"access_token") {
        return None;
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer["access_token"].as_str().map(str::to_owned)
}

/// The rules of the simulator for the classes that are on.
fn drawn_rules(swarm: &Swarm) -> Vec<FaultRule> {
    let seconds = Duration::from_secs;
    let status = |code, retry_after: Option<&str>, rate_headers| Fault::Status {
        code,
        retry_after: retry_after.map(str::to_owned),
        rate_headers,
        body: FaultBody::Json,
    };
    let any = |class: Class, fault| (class, 1.0, fault);
    let part = |class: Class, share, fault| (class, share, fault);
    let faults = [
        any(Class::Reset, Fault::ResetBeforeRead),
        any(Class::LostBefore, Fault::DropReplyBeforeWrite),
        any(Class::LostAfter, Fault::DropReplyAfterWrite),
        part(Class::Late, 0.3, Fault::ExecuteLate { after: seconds(5) }),
        part(Class::Late, 0.3, Fault::ExecuteLate { after: seconds(25) }),
        part(Class::Late, 0.4, Fault::ExecuteLate { after: seconds(60) }),
        part(Class::Slow, 0.6, Fault::Slow { by: seconds(4) }),
        part(Class::Slow, 0.4, Fault::Slow { by: seconds(40) }),
        any(Class::Cut, Fault::CutBody { after_bytes: 40 }),
        part(Class::LimitedBriefly, 0.6, status(429, Some("7"), false)),
        part(Class::LimitedBriefly, 0.2, status(429, Some("soon"), true)),
        part(Class::LimitedBriefly, 0.2, status(429, Some("0"), true)),
        part(Class::LimitedLong, 0.5, Fault::RateLimit429),
        part(Class::LimitedLong, 0.5, status(429, Some("86400"), true)),
        any(Class::TooManyAtOnce, Fault::Semaphore429),
        any(Class::Page, Fault::Html200),
        part(Class::Hibernating, 0.5, Fault::Hibernating),
        part(Class::Hibernating, 0.5, Fault::HibernatingRedirect),
        any(Class::Fails, status(500, None, false)),
        any(Class::FailsCommitted, Fault::CommitThen500),
        any(Class::Unavailable, status(503, Some("30"), false)),
        part(Class::BrokenJson, 0.5, Fault::BrokenJsonWith200),
        part(Class::BrokenJson, 0.5, Fault::Null200),
        any(Class::Foreign, Fault::ForeignRecord),
        any(Class::TokenRevoked, Fault::TokenExpiredEarly),
        any(Class::Unauthorized, Fault::Unauthorized401),
        any(
            Class::Forbidden,
            Fault::Forbidden403(Forbidden::BusinessRule),
        ),
        any(Class::Echo, Fault::EchoSecrets),
        any(Class::Stale, Fault::StaleSearch { by: seconds(120) }),
    ];
    faults
        .into_iter()
        .filter(|(class, _, _)| swarm.rate(*class) > 0.0)
        .map(|(class, share, fault)| {
            let kind = if class == Class::Stale {
                Kind::Query
            } else {
                Kind::Any
            };
            FaultRule::always(kind, fault).probability(swarm.rate(class) * share)
        })
        .collect()
}

/// The simulator's name of a fault as a counter.
fn fault_word(name: &str) -> &'static str {
    match name {
        "reset_before_read" => "product: reset before read",
        "drop_reply_before_write" => "product: lost before",
        "drop_reply_after_write" => "product: lost after",
        "execute_late" => "product: late",
        "slow" => "product: slow",
        "cut_body" => "product: cut",
        "rate_limit429" => "product: 429 until the hour",
        "semaphore429" => "product: 429 bare",
        "status" => "product: 429, 500 or 503",
        "html200" => "product: page",
        "hibernating" | "hibernating_redirect" => "product: hibernating",
        "commit_then500" => "product: 500 committed",
        "broken_json_with200" | "null200" => "product: broken JSON",
        "foreign_record" => "product: foreign record",
        "token_expired_early" => "product: token revoked",
        "unauthorized401" => "product: 401",
        "forbidden403" => "product: 403",
        "stale_search" => "product: stale search",
        "echo_secrets" => "product: echoes secrets",
        _ => "product: other",
    }
}
