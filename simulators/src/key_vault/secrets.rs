//! The secrets themselves: versions, attributes, and what is removed but can be recovered.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use super::listing::{self, Entry};
use super::refusals::{Refusal, bad, refusal};
use super::request::{Attributes, Call, Wanted, Wish};

/// Longest value, longest content type, most tags, longest tag.
const VALUE_BYTES_MAX: usize = 25 * 1024;
const CONTENT_TYPE_CHARS_MAX: usize = 255;
const TAGS_MAX: usize = 15;
const TAG_CHARS_MAX: usize = 512;

/// How many days what is removed can be recovered.
const RECOVERABLE_DAYS: i64 = 90;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// One version.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) value: String,
    content_type: Option<String>,
    tags: Option<Map<String, Value>>,
    enabled: bool,
    nbf: Option<i64>,
    exp: Option<i64>,
    created: i64,
    updated: i64,
}

/// One secret, under the name as it was first written. Names differ by more than their case.
#[derive(Debug, Clone)]
struct Secret {
    name: String,
    versions: Vec<Version>,
    deleted_at: Option<i64>,
}

/// All secrets of a vault.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    all: BTreeMap<String, Secret>,
    made: u64,
}

type Answer = Result<(u16, Value), Refusal>;

fn not_found(name: &str) -> Refusal {
    let message = format!(
        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command."
    );
    refusal(404, "SecretNotFound", None, &message)
}

impl Version {
    fn attributes(&self) -> Value {
        let mut attributes = json!({
            "enabled": self.enabled, "created": self.created, "updated": self.updated,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RECOVERABLE_DAYS,
        });
        for (name, moment) in [("nbf", self.nbf), ("exp", self.exp)] {
            if let Some(moment) = moment {
                attributes[name] = json!(moment);
            }
        }
        attributes
    }

    fn set(&mut self, attributes: Attributes) {
        self.enabled = attributes.enabled.unwrap_or(self.enabled);
        self.nbf = attributes.nbf.or(self.nbf);
        self.exp = attributes.exp.or(self.exp);
    }

    /// The bundle as it is shown; a list shows no values.
    fn shown(&self, id: String, with_value: bool) -> Value {
        let mut bundle = json!({ "id": id, "attributes": self.attributes() });
        if with_value {
            bundle["value"] = json!(self.value);
        }
        if let Some(content_type) = &self.content_type {
            bundle["contentType"] = json!(content_type);
        }
        if let Some(tags) = &self.tags {
            bundle["tags"] = json!(tags);
        }
        bundle
    }
}

impl Secret {
    fn id(&self, call: &Call, version: Option<&str>) -> String {
        let version = version
            .map(|version| format!("/{version}"))
            .unwrap_or_default();
        format!("{}/secrets/{}{version}", call.base, self.name)
    }

    /// What is removed, as it is shown.
    fn deleted(&self, call: &Call, with_version: bool) -> Option<Value> {
        let (at, newest) = (self.deleted_at?, self.versions.last()?);
        let version = with_version.then_some(newest.id.as_str());
        let mut bundle = newest.shown(self.id(call, version), false);
        bundle["recoveryId"] = json!(format!("{}/deletedsecrets/{}", call.base, self.name));
        bundle["deletedDate"] = json!(at);
        bundle["scheduledPurgeDate"] = json!(at + RECOVERABLE_DAYS * DAY_SECONDS);
        Some(bundle)
    }
}

fn check(wanted: &Wanted) -> Result<(), Refusal> {
    let value = wanted.value.as_deref().unwrap_or_default();
    if value.len() > VALUE_BYTES_MAX {
        return Err(bad(
            "The secret value has invalid length: maximum is 25600 characters.",
        ));
    }
    let content_type = wanted.content_type.as_deref().unwrap_or_default();
    if content_type.chars().count() > CONTENT_TYPE_CHARS_MAX {
        return Err(bad("The content type is too long."));
    }
    let tags = wanted.tags.iter().flatten();
    let fits = |(name, value): (&String, &Value)| {
        name.chars().count() <= TAG_CHARS_MAX
            && value
                .as_str()
                .is_some_and(|value| value.chars().count() <= TAG_CHARS_MAX)
    };
    if wanted
        .tags
        .as_ref()
        .is_some_and(|tags| tags.len() > TAGS_MAX)
        || !tags.into_iter().all(fits)
    {
        return Err(bad("Too many tags, or one too long."));
    }
    match wanted
        .attributes
        .as_ref()
        .map(|attributes| (attributes.nbf, attributes.exp))
    {
        Some((Some(from), Some(until))) if from >= until => {
            Err(bad("The not-before time is not before the expiry."))
        }
        _ => Ok(()),
    }
}

impl Secrets {
    pub(super) fn newest(&self, name: &str) -> Option<&Version> {
        let secret = self.all.get(&name.to_ascii_lowercase())?;
        secret
            .versions
            .last()
            .filter(|_| secret.deleted_at.is_none())
    }

    pub(super) fn all(&self) -> Vec<Value> {
        let here = self
            .all
            .values()
            .filter(|secret| secret.deleted_at.is_none());
        here.map(|secret| {
            let version = |version: &Version| {
                json!({ "id": version.id, "value": version.value, "attributes": version.attributes() })
            };
            let versions: Vec<Value> = secret.versions.iter().map(version).collect();
            json!({ "name": secret.name, "versions": versions })
        })
        .collect()
    }

    pub(super) fn edit(&mut self, name: &str, attribute: &str, value: &Value, now_ms: i64) -> bool {
        let Some(secret) = self.all.get_mut(&name.to_ascii_lowercase()) else {
            return false;
        };
        let Some(newest) = secret.versions.last_mut() else {
            return false;
        };
        newest.updated = now_ms.div_euclid(1000);
        match attribute {
            "enabled" => newest.enabled = value.as_bool().unwrap_or(value == "true"),
            "nbf" => newest.nbf = value.as_i64().or_else(|| value.as_str()?.parse().ok()),
            "exp" => newest.exp = value.as_i64().or_else(|| value.as_str()?.parse().ok()),
            _ => return false,
        }
        true
    }

    pub(super) fn execute(&mut self, call: &Call, now_ms: i64) -> Answer {
        let now = now_ms.div_euclid(1000);
        self.all.retain(|_, secret| {
            secret
                .deleted_at
                .is_none_or(|at| at + RECOVERABLE_DAYS * DAY_SECONDS > now)
        });
        match call.wish {
            Wish::List => self.list(call, false),
            Wish::ListDeleted => self.list(call, true),
            Wish::Versions => self.versions(call),
            Wish::Get => self.get(call),
            Wish::Set => self.set(call, now),
            Wish::Update => self.update(call, now),
            Wish::Delete => self.delete(call, now),
            Wish::GetDeleted => {
                let secret = self.deleted(call)?;
                Ok((200, secret.deleted(call, true).unwrap_or_default()))
            }
            Wish::Recover => {
                let secret = self.deleted(call)?;
                secret.deleted_at = None;
                let newest = secret.versions.last();
                let shown =
                    newest.map(|newest| newest.shown(secret.id(call, Some(&newest.id)), false));
                Ok((200, shown.unwrap_or_default()))
            }
            Wish::Purge => {
                let name = self.deleted(call)?.name.to_ascii_lowercase();
                self.all.remove(&name);
                Ok((204, Value::Null))
            }
        }
    }

    fn here(&mut self, call: &Call) -> Result<&mut Secret, Refusal> {
        let name = call.name()?;
        let secret = self.all.get_mut(&name.to_ascii_lowercase());
        secret
            .filter(|secret| secret.deleted_at.is_none())
            .ok_or_else(|| not_found(name))
    }

    fn deleted(&mut self, call: &Call) -> Result<&mut Secret, Refusal> {
        let name = call.name()?;
        let secret = self.all.get_mut(&name.to_ascii_lowercase());
        secret
            .filter(|secret| secret.deleted_at.is_some())
            .ok_or_else(|| {
                refusal(
                    404,
                    "SecretNotFound",
                    None,
                    &format!("Deleted Secret not found: {name}"),
                )
            })
    }

    fn get(&mut self, call: &Call) -> Answer {
        let secret = self.here(call)?;
        let version = match &call.version {
            None => secret.versions.last(),
            Some(wanted) => secret.versions.iter().find(|version| version.id == *wanted),
        };
        let version = version.ok_or_else(|| not_found(&secret.name))?;
        if !version.enabled {
            return Err(refusal(
                403,
                "Forbidden",
                Some("SecretDisabled"),
                "Operation get is not allowed on a disabled secret.",
            ));
        }
        Ok((200, version.shown(secret.id(call, Some(&version.id)), true)))
    }

    fn set(&mut self, call: &Call, now: i64) -> Answer {
        let name = call.name()?;
        let wanted = call.wanted()?;
        check(&wanted)?;
        let Some(value) = wanted.value else {
            return Err(bad("Property value has invalid value"));
        };
        self.made += 1;
        let seed = format!("{}/{name}", self.made);
        let digest = digest::digest(&digest::SHA256, seed.as_bytes());
        let id = HEXLOWER.encode(digest.as_ref().get(..16).unwrap_or_default());
        let secret = self
            .all
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| Secret {
                name: name.to_owned(),
                versions: Vec::new(),
                deleted_at: None,
            });
        if secret.deleted_at.is_some() {
            return Err(refusal(
                409,
                "Conflict",
                Some("ObjectIsDeletedButRecoverable"),
                &format!(
                    "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."
                ),
            ));
        }
        let mut version = Version {
            id,
            value,
            content_type: wanted.content_type,
            tags: wanted.tags,
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
        };
        version.set(wanted.attributes.unwrap_or_default());
        let shown = version.shown(secret.id(call, Some(&version.id)), true);
        secret.versions.push(version);
        Ok((200, shown))
    }

    fn update(&mut self, call: &Call, now: i64) -> Answer {
        let wanted = call.wanted()?;
        check(&wanted)?;
        if wanted.value.is_some() {
            return Err(bad("Property value is not updatable"));
        }
        let secret = self.here(call)?;
        let name = secret.name.clone();
        let base = secret.id(call, None);
        let version = match &call.version {
            None => secret.versions.last_mut(),
            Some(wanted) => secret
                .versions
                .iter_mut()
                .find(|version| version.id == *wanted),
        };
        let version = version.ok_or_else(|| not_found(&name))?;
        version.set(wanted.attributes.unwrap_or_default());
        version.content_type = wanted.content_type.or(version.content_type.take());
        version.tags = wanted.tags.or(version.tags.take());
        version.updated = now;
        Ok((200, version.shown(format!("{base}/{}", version.id), false)))
    }

    fn delete(&mut self, call: &Call, now: i64) -> Answer {
        let secret = self.here(call)?;
        secret.deleted_at = Some(now);
        Ok((200, secret.deleted(call, true).unwrap_or_default()))
    }

    fn list(&self, call: &Call, deleted: bool) -> Answer {
        let entries = self
            .all
            .values()
            .filter(|secret| secret.deleted_at.is_some() == deleted)
            .filter_map(|secret| {
                let shown = match deleted {
                    true => secret.deleted(call, false)?,
                    false => secret.versions.last()?.shown(secret.id(call, None), false),
                };
                Some(Entry {
                    key: secret.name.clone(),
                    shown,
                })
            });
        listing::page(call, entries.collect())
    }

    /// Of a secret that is not there the list is empty. The order is that of the ids, which tells nothing.
    fn versions(&self, call: &Call) -> Answer {
        let secret = self.all.get(&call.name()?.to_ascii_lowercase());
        let mut entries: Vec<Entry> = secret
            .filter(|secret| secret.deleted_at.is_none())
            .map(|secret| {
                let entry = |version: &Version| Entry {
                    key: version.id.clone(),
                    shown: version.shown(secret.id(call, Some(&version.id)), false),
                };
                secret.versions.iter().map(entry).collect()
            })
            .unwrap_or_default();
        entries.sort_by(|one, next| one.key.cmp(&next.key));
        listing::page(call, entries)
    }
}
