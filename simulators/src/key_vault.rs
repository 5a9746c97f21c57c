//! An Azure key vault, as far as it keeps secrets: the 401 challenge, versions, attributes, pages, soft delete, throttling, and
//! refusals as the real one words them.
//!
//! Written from the REST reference of Key Vault's secrets and the pages on authentication, soft delete and throttling. Keys,
//! certificates, backup and restore are not here and answer 404.

mod cloud;
mod listing;
mod refusals;
mod request;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

use crate::fault::{Fault, Faults};
use crate::journal::{Entry, Execution, Journal, Kind};
use crate::jwt::verified_claims;
use crate::machine::{Answer, Delivery};
pub use cloud::{Config, KeyVaultCloud, Principal};
use refusals::{Refusal, refusal};
use request::Call;
use secrets::Secrets;

/// For whom a token must be.
pub const RESOURCE: &str = "https://vault.azure.net";

/// What a caller may be allowed to do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Read a value.
    Get,
    /// Store a value.
    Set,
    /// Change attributes.
    Update,
    /// List names and versions.
    List,
    /// Remove.
    Delete,
    /// Recover what was removed.
    Recover,
    /// Remove for good.
    Purge,
}

impl Right {
    /// All of them: what `Key Vault Secrets Officer` gives.
    pub const ALL: [Self; 7] = [
        Self::Get,
        Self::Set,
        Self::Update,
        Self::List,
        Self::Delete,
        Self::Recover,
        Self::Purge,
    ];

    /// What Azure calls the action.
    fn action(self) -> &'static str {
        match self {
            Self::Get => "getSecret",
            Self::Set => "setSecret",
            Self::Update => "update",
            Self::List => "readMetadata",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Purge => "purge",
        }
    }
}

/// So many calls in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// How many.
    pub calls: usize,
    /// In how many seconds.
    pub seconds: i64,
}

/// A vault.
#[derive(Debug)]
pub struct KeyVault {
    /// What each app may do, by its client id.
    pub rights: BTreeMap<String, BTreeSet<Right>>,
    /// Whether callers from outside of the vault's networks are kept out.
    pub is_behind_a_firewall: bool,
    /// How many calls are taken.
    pub throttle: Option<Throttle>,
    /// What was asked.
    pub journal: Journal,
    /// What will go wrong.
    pub faults: Faults,
    tenant: String,
    authority: Option<String>,
    secrets: Secrets,
    calls: VecDeque<i64>,
    answered: u64,
}

impl KeyVault {
    /// An empty one of a tenant. `authority` is where its callers get their tokens; its own address if not said.
    pub fn new(tenant: &str, authority: Option<String>) -> Self {
        Self {
            rights: BTreeMap::new(),
            is_behind_a_firewall: false,
            throttle: None,
            journal: Journal::default(),
            faults: Faults::new(1),
            tenant: tenant.to_owned(),
            authority,
            secrets: Secrets::default(),
            calls: VecDeque::new(),
            answered: 0,
        }
    }

    /// The newest value of a secret, whoever may read it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.secrets
            .newest(name)
            .map(|newest| newest.value.as_str())
    }

    /// Every secret that is not removed, with all its versions and values.
    pub fn all(&self) -> Vec<Value> {
        self.secrets.all()
    }

    /// Changes an attribute of the newest version, as a person in the portal does: `enabled`, `nbf`, `exp`.
    pub fn edit(&mut self, name: &str, attribute: &str, value: &Value, now_ms: i64) -> bool {
        self.secrets.edit(name, attribute, value, now_ms)
    }

    /// Answers a request. Tokens are good if `keys` have signed them.
    pub fn answer(&mut self, request: &Request<Bytes>, keys: &Value, now_ms: i64) -> Answer {
        self.answered += 1;
        let call = Call::of(request);
        let kind = call.as_ref().map_or(Kind::Other, Call::kind);
        let fault = self.faults.strike(kind, None);
        let instead = fault.as_ref().and_then(refusals::instead);
        let (mut response, executed) = match instead {
            Some((response, _)) => (response, false),
            None => self.respond(request, call.as_ref(), keys, now_ms),
        };
        refusals::dress(&mut response, self.answered);
        self.journal.push(Entry {
            at_ms: now_ms,
            kind,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status: response.status().as_u16(),
            fault: fault.as_ref().map(|fault| format!("{fault:?}")),
            execution: match executed {
                true => Execution::Executed,
                false => Execution::Not,
            },
            sys_id: call.as_ref().and_then(|call| call.name.clone()),
            correlation_id: None,
            user: None,
        });
        let delivery = match &fault {
            Some(Fault::ResetBeforeRead) => Delivery::NeverRead,
            Some(Fault::DropReplyAfterWrite | Fault::DropReplyBeforeWrite) => Delivery::Lost,
            Some(Fault::Slow { by }) => Delivery::After(*by),
            Some(Fault::Drip { every }) => Delivery::Drip(*every),
            Some(Fault::CutBody { after_bytes }) => Delivery::Cut(*after_bytes),
            _ => Delivery::Whole,
        };
        Answer { response, delivery }
    }

    fn respond(
        &mut self,
        request: &Request<Bytes>,
        call: Option<&Call>,
        keys: &Value,
        now_ms: i64,
    ) -> (Response<Bytes>, bool) {
        match self.execute(request, call, keys, now_ms) {
            Ok((status, document)) => (refusals::json(status, &document), true),
            Err(refusal) => {
                let authority = self.authority.clone().unwrap_or_else(|| {
                    let host = request.uri().authority().map_or("", |host| host.as_str());
                    format!("https://{host}")
                });
                (
                    refusal.response(&format!("{authority}/{}", self.tenant)),
                    false,
                )
            }
        }
    }

    fn execute(
        &mut self,
        request: &Request<Bytes>,
        call: Option<&Call>,
        keys: &Value,
        now_ms: i64,
    ) -> Result<(u16, Value), Refusal> {
        let caller = self.caller(request, keys, now_ms)?;
        self.count(now_ms)?;
        let call =
            call.ok_or_else(|| refusal(404, "NotFound", None, "There is no such address."))?;
        call.check_version()?;
        if self.is_behind_a_firewall {
            return Err(refusal(
                403,
                "Forbidden",
                Some("ForbiddenByFirewall"),
                "Client address is not authorized and caller is not a trusted service.",
            ));
        }
        let right = call.right();
        if !self
            .rights
            .get(&caller)
            .is_some_and(|rights| rights.contains(&right))
        {
            let message = format!(
                "Caller is not authorized to perform action on resource.\r\nCaller: appid={caller}\r\nAction: 'Microsoft.KeyVault/vaults/secrets/{}/action'",
                right.action()
            );
            return Err(refusal(403, "Forbidden", Some("ForbiddenByRbac"), &message));
        }
        self.secrets.execute(call, now_ms)
    }

    /// The app whose token it is.
    fn caller(
        &self,
        request: &Request<Bytes>,
        keys: &Value,
        now_ms: i64,
    ) -> Result<String, Refusal> {
        let header = request.headers().get(http::header::AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .ok_or_else(|| {
                refusal(
                    401,
                    "Unauthorized",
                    None,
                    "AKV10000: Request is missing a Bearer or PoP token.",
                )
            })?;
        let claims = verified_claims(token, keys).ok_or_else(|| {
            refusal(
                401,
                "Unauthorized",
                None,
                "[BearerReadAccessTokenFailed] Error validating token: the signature is invalid.",
            )
        })?;
        let now = now_ms.div_euclid(1000);
        if claims["aud"] != RESOURCE {
            return Err(refusal(
                401,
                "Unauthorized",
                None,
                "AKV10022: Invalid audience. Expected https://vault.azure.net.",
            ));
        }
        if claims["tid"] != self.tenant.as_str() {
            return Err(refusal(
                401,
                "Unauthorized",
                None,
                "AKV10032: Invalid issuer.",
            ));
        }
        if claims["exp"].as_i64().is_none_or(|until| until <= now) {
            return Err(refusal(
                401,
                "Unauthorized",
                None,
                "[TokenExpired] Error validating token: the token has expired.",
            ));
        }
        Ok(claims["appid"].as_str().unwrap_or_default().to_owned())
    }

    fn count(&mut self, now_ms: i64) -> Result<(), Refusal> {
        let Some(throttle) = self.throttle else {
            return Ok(());
        };
        let since = now_ms - throttle.seconds * 1000;
        self.calls.retain(|at| *at > since);
        if self.calls.len() >= throttle.calls {
            let oldest = self.calls.front().copied().unwrap_or(now_ms);
            let wait = (oldest - since).div_euclid(1000) + 1;
            return Err(refusal(
                429,
                "Throttled",
                None,
                "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
            )
            .after(wait));
        }
        self.calls.push_back(now_ms);
        Ok(())
    }
}

/// True if a request is for a vault.
fn is_for_a_vault(request: &Request<Bytes>) -> bool {
    let path = request.uri().path();
    request.method() != Method::OPTIONS
        && (path.starts_with("/secrets") || path.starts_with("/deletedsecrets"))
}
