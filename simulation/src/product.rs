//! The product: the ServiceNow simulator in process, with the faults that the seed wants, and an account of who made what.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use itsm_connector::domain::identity::ItemId;
use serde_json::Value;
use simulators::fault::FaultRule;
use simulators::journal::{Entry, Execution, Kind};
use simulators::machine::{Answer, Machine as _};
use simulators::servicenow::{Client, Config, ServiceNow};

use crate::alerts::folder_of;
use crate::people::People;
use crate::process::Process;
use crate::scene::Scene;
use crate::swarm::{Class, Swarm, Variant};
use crate::transport::LONGEST_CALL;

mod weather;

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
    /// Creates that were sent, by correlation id, without those that were answered 401.
    pub sent: BTreeMap<String, u64>,
    /// Correlation ids of which a create was held up right before it was sent.
    pub frozen: BTreeSet<String>,
    /// What people have done.
    pub people: People,
    /// Records that a person closed between our read and our write: the product has no write that would see it.
    pub raced: BTreeSet<String>,
    /// Keys that spoilt answers told in place of the record's.
    pub told_wrong_keys: BTreeSet<String>,
    /// Places in the journal of creates whose sender stood still before it sent them.
    held_up: BTreeSet<usize>,
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
        for rule in rules.into_iter().chain(weather::rules(swarm)) {
            machine.faults_mut().add(rule);
        }
        Self {
            machine,
            is_calm: false,
            tokens: BTreeSet::new(),
            sent: BTreeMap::new(),
            frozen: BTreeSet::new(),
            people: People::default(),
            raced: BTreeSet::new(),
            told_wrong_keys: BTreeSet::new(),
            held_up: BTreeSet::new(),
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

    /// True if the record with this key was made by a create that was held up, by the product or before it was sent.
    pub fn was_made_late(&self, key: &str) -> bool {
        let made = self.journal().iter().enumerate().rfind(|(_, entry)| {
            let was_made = entry.execution != Execution::Not;
            entry.kind == Kind::Create && was_made && entry.sys_id.as_deref() == Some(key)
        });
        made.is_some_and(|(place, entry)| {
            entry.execution == Execution::Late || self.held_up.contains(&place)
        })
    }

    /// True if it executes nothing late any more.
    pub fn is_idle(&mut self, now_ms: i64) -> bool {
        self.machine.settle(now_ms);
        self.machine.late_calls().0 == 0
    }

    /// The instance itself.
    pub fn machine_mut(&mut self) -> &mut ServiceNow {
        &mut self.machine
    }
}

impl Scene {
    /// The product answers, and the account is kept. Every create must have its own claim in the store (I8).
    pub fn answer(
        &self,
        request: http::Request<Bytes>,
        now_ms: i64,
        whose: &str,
        by: Option<&Process>,
    ) -> Answer {
        let correlation = correlation_of(&request);
        if let Some(by) = by
            && request.method() == http::Method::PATCH
        {
            let key = request.uri().path().rsplit('/').next().unwrap_or_default();
            by.watch_update(key, request.body());
        }
        let mut product = self.product();
        if !product.is_calm && !self.is_stormy() && !self.swarm.storm.is_zero() {
            product.is_calm = true;
            product.machine.faults_mut().clear();
        }
        let answer = product.machine.answer(request, now_ms);
        let status = answer.response.status().as_u16();
        let Some(entry) = product.journal().last().cloned() else {
            return answer;
        };
        let class = entry.fault.as_deref();
        if let Some(class) = class.and_then(|fault| weather::class_of(fault, &answer.response)) {
            self.ledger.count(class.as_str());
            if class == Class::WrongKey {
                let told = keys_in(answer.response.body());
                product.told_wrong_keys.extend(told);
            }
        }
        let froze = by.is_none_or(|by| by.stood_still(LONGEST_CALL));
        if entry.kind == Kind::Create && froze {
            let place = product.journal().len() - 1;
            product.held_up.insert(place);
        }
        if let Some(token) = token_in(answer.response.body()) {
            product.tokens.insert(token);
        }
        if entry.kind == Kind::Token {
            drop(product);
            self.watch_sign_in(status);
            return answer;
        }
        let Some(correlation) = correlation.filter(|_| status != 401) else {
            return answer;
        };
        let sent = product.sent.entry(correlation.clone()).or_insert(0);
        *sent += 1;
        let sent = *sent;
        drop(product);
        self.watch_create(&correlation, &entry, whose);
        let claims = self.claims(&correlation);
        if sent > claims {
            self.ledger.accuse(
                "I8",
                format!("{whose}: create number {sent} of {correlation}, with {claims} claims in the store"),
            );
        }
        answer
    }

    /// How many snapshots of a slot say that somebody is making this item.
    fn claims(&self, correlation: &str) -> u64 {
        let Some((slot, generation)) = ItemId::from_correlation(correlation) else {
            return 0;
        };
        let generation = format!("\"generation\":{generation},");
        let ever = self.ever(&folder_of(&slot));
        ever.iter()
            .filter(|(_, content)| {
                holds(content, b"\"is\":\"creating\"") && holds(content, generation.as_bytes())
            })
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

/// The keys of the records that an answer tells of.
fn keys_in(body: &[u8]) -> Vec<String> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let records = match &answer["result"] {
        Value::Array(records) => records.iter().collect(),
        record => vec![record],
    };
    let keys = records.into_iter().filter_map(|one| one["sys_id"].as_str());
    keys.map(str::to_owned).collect()
}

fn token_in(body: &[u8]) -> Option<String> {
    if !holds(&body[..body.len().min(400)], b"access_token") {
        return None;
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer["access_token"].as_str().map(str::to_owned)
}
