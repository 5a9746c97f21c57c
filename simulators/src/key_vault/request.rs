//! What is asked: the address, the query and the body of a request, read strictly.

use bytes::Bytes;
use http::{Method, Request};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Right;
use super::refusals::{Refusal, bad};
use crate::journal::Kind;

/// Versions of the API that the real vault answers.
const API_VERSIONS: [&str; 11] = [
    "2016-10-01",
    "7.0",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "2025-07-01",
    "2026-03-01-preview",
    "2026-04-01",
];

/// Most entries of a page, and how many there are if nobody says.
const PAGE_MAX: usize = 25;

/// What is asked of which secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    List,
    Versions,
    Get,
    Set,
    Update,
    Delete,
    ListDeleted,
    GetDeleted,
    Recover,
    Purge,
}

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) wish: Wish,
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    /// Scheme and host as they were called: addresses in answers begin with it.
    pub(super) base: String,
    query: Vec<(String, String)>,
    body: Bytes,
}

/// The attributes that a caller may set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    pub(super) enabled: Option<bool>,
    pub(super) nbf: Option<i64>,
    pub(super) exp: Option<i64>,
}

/// The body of a set or an update.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Wanted {
    pub(super) value: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) tags: Option<Map<String, Value>>,
    pub(super) attributes: Option<Attributes>,
}

impl Call {
    /// None: the vault has no such address.
    pub(super) fn of(request: &Request<Bytes>) -> Option<Self> {
        let parts: Vec<&str> = request
            .uri()
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let (wish, name, version) = match (request.method(), parts.as_slice()) {
            (&Method::GET, ["secrets"]) => (Wish::List, None, None),
            (&Method::GET, ["secrets", name, "versions"]) => (Wish::Versions, Some(*name), None),
            (&Method::GET, ["secrets", name]) => (Wish::Get, Some(*name), None),
            (&Method::GET, ["secrets", name, version]) => (Wish::Get, Some(*name), Some(*version)),
            (&Method::PUT, ["secrets", name]) => (Wish::Set, Some(*name), None),
            (&Method::PATCH, ["secrets", name]) => (Wish::Update, Some(*name), None),
            (&Method::PATCH, ["secrets", name, version]) => {
                (Wish::Update, Some(*name), Some(*version))
            }
            (&Method::DELETE, ["secrets", name]) => (Wish::Delete, Some(*name), None),
            (&Method::GET, ["deletedsecrets"]) => (Wish::ListDeleted, None, None),
            (&Method::GET, ["deletedsecrets", name]) => (Wish::GetDeleted, Some(*name), None),
            (&Method::DELETE, ["deletedsecrets", name]) => (Wish::Purge, Some(*name), None),
            (&Method::POST, ["deletedsecrets", name, "recover"]) => {
                (Wish::Recover, Some(*name), None)
            }
            _ => return None,
        };
        let uri = request.uri();
        let host = uri.authority().map_or("", |host| host.as_str());
        let query = uri.query().unwrap_or_default();
        Some(Self {
            wish,
            name: name.map(str::to_owned),
            version: version.map(str::to_owned),
            base: format!("{}://{host}", uri.scheme_str().unwrap_or("https")),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body: request.body().clone(),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        match self.wish {
            Wish::List | Wish::Versions | Wish::ListDeleted => Kind::Query,
            Wish::Get | Wish::GetDeleted => Kind::Read,
            Wish::Set => Kind::Create,
            Wish::Update | Wish::Recover => Kind::Update,
            Wish::Delete | Wish::Purge => Kind::Delete,
        }
    }

    pub(super) fn right(&self) -> Right {
        match self.wish {
            Wish::List | Wish::Versions | Wish::ListDeleted => Right::List,
            Wish::Get | Wish::GetDeleted => Right::Get,
            Wish::Set => Right::Set,
            Wish::Update => Right::Update,
            Wish::Delete => Right::Delete,
            Wish::Recover => Right::Recover,
            Wish::Purge => Right::Purge,
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The version of the API must be said, and be one that there is; nothing else than it and paging may be asked for.
    pub(super) fn check_version(&self) -> Result<(), Refusal> {
        let version = self
            .parameter("api-version")
            .ok_or_else(|| bad("api-version must be specified"))?;
        if !API_VERSIONS.contains(&version) {
            return Err(bad(
                "The specified version is not recognized. Consider using the latest supported version 2025-07-01.",
            ));
        }
        let known = ["api-version", "maxresults", "$skiptoken", "outContentType"];
        match self
            .query
            .iter()
            .any(|(name, _)| !known.contains(&name.as_str()))
        {
            true => Err(bad("Unknown parameter")),
            false => Ok(()),
        }
    }

    /// How many entries a page may have.
    pub(super) fn page(&self) -> Result<usize, Refusal> {
        match self.parameter("maxresults") {
            None => Ok(PAGE_MAX),
            Some(text) => text
                .parse()
                .ok()
                .filter(|page| (1..=PAGE_MAX).contains(page))
                .ok_or_else(|| bad("Value for 'maxresults' must be between 1 and 25")),
        }
    }

    /// The name, checked.
    pub(super) fn name(&self) -> Result<&str, Refusal> {
        let name = self.name.as_deref().unwrap_or_default();
        let is_good = (1..=127).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match is_good {
            true => Ok(name),
            false => Err(bad("The request URI contains an invalid name")),
        }
    }

    /// The body of a set or an update.
    pub(super) fn wanted(&self) -> Result<Wanted, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| bad("Property has invalid value"))
    }
}
