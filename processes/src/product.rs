//! The simulated ServiceNow of a round, with an account of what each write asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use simulators::journal::{Execution, Kind};
use simulators::machine::{Answer, Machine};
use simulators::servicenow::{Client, Config, ServiceNow};

use crate::alerts::tag_in;
use crate::evidence::{Deed, Effect, Item};

/// Records of others that are there from the beginning.
const FOREIGN: usize = 60;

/// A write, and its place in the journal.
struct Write {
    place: usize,
    body: Value,
}

/// The instance.
pub struct Product {
    instance: ServiceNow,
    writes: Vec<Write>,
    foreign: BTreeMap<String, Value>,
}

impl Machine for Product {
    fn answer(&mut self, request: http::Request<Bytes>, now_ms: i64) -> Answer {
        let place = self.instance.journal().entries().len();
        if matches!(
            request.method().as_str(),
            "POST" | "PATCH" | "PUT" | "DELETE"
        ) && request.uri().path().starts_with("/api/")
        {
            let body = serde_json::from_slice(request.body()).unwrap_or_default();
            self.writes.push(Write { place, body });
        }
        self.instance.answer(request, now_ms)
    }
}

fn key(record: &Value) -> String {
    record["sys_id"].as_str().unwrap_or_default().to_owned()
}

impl Product {
    /// An instance with records of others in it.
    pub fn new(seed: u64, keys_are_unique: bool, now_ms: i64) -> Self {
        let mut instance = ServiceNow::new(Config {
            seed,
            accepts_chosen_sys_id: keys_are_unique,
            ..Config::default()
        });
        instance.seed_incidents(FOREIGN, now_ms);
        let records = instance.incidents();
        Self {
            foreign: records
                .into_iter()
                .map(|record| (key(&record), record))
                .collect(),
            instance,
            writes: Vec::new(),
        }
    }

    /// The OAuth client that may call it.
    pub fn client() -> Client {
        Client::default()
    }

    /// Requests so far, by kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.instance.journal().count(kind)
    }

    /// How many work items were made so far.
    pub fn items_made(&self) -> usize {
        self.instance.journal().executed(Kind::Create)
    }

    /// The writes that were executed.
    pub fn effects(&self) -> Vec<Effect> {
        let entries = self.instance.journal().entries();
        let executed = self.writes.iter().filter_map(|write| {
            let entry = entries.get(write.place)?;
            (entry.execution != Execution::Not).then(|| Effect {
                place: write.place,
                sys_id: entry.sys_id.clone().unwrap_or_default(),
                deed: deed(entry.kind, &write.body),
            })
        });
        executed.collect()
    }

    /// The work items that were not there before.
    pub fn items(&self) -> Vec<Item> {
        let records = self.instance.incidents().into_iter();
        let ours = records.filter(|record| !self.foreign.contains_key(&key(record)));
        ours.map(|record| {
            let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
            Item {
                sys_id: text("sys_id"),
                number: text("number"),
                tag: tag_in(&text("short_description")),
                state: text("state"),
                is_duplicate: text("close_code") == "Duplicate",
            }
        })
        .collect()
    }

    /// Records of others that are not as they were.
    pub fn foreign_changes(&self) -> Vec<String> {
        let differs = self.foreign.iter().filter_map(|(key, before)| {
            let after = self.instance.record(key).unwrap_or_default();
            (after != *before).then(|| format!("{} was {before}, is {after}", before["number"]))
        });
        differs.collect()
    }
}

fn deed(kind: Kind, body: &Value) -> Deed {
    let fields = || {
        let fields = body.as_object().map(|fields| fields.keys().cloned());
        fields.map_or_else(String::new, |fields| fields.collect::<Vec<_>>().join(", "))
    };
    match (kind, body["state"].as_str(), body["close_code"].as_str()) {
        (Kind::Create, ..) => Deed::Made,
        (Kind::Update, Some("6"), Some("Duplicate")) => Deed::ClosedAsDuplicate,
        (Kind::Update, Some("6"), _) => Deed::Resolved,
        (Kind::Update, Some("1" | "2"), _) => Deed::Reopened,
        _ => Deed::Other(fields()),
    }
}
