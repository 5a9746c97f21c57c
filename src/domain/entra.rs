//! Who may call by a token of Microsoft Entra ID: the secure webhook of an action group (azure-platform §3.3).
//!
//! Decisions only: that a token is signed by Entra is found out before its claims come here.

use std::fmt;

use serde::Deserialize;

use super::timestamp::Timestamp;
use super::webhook_auth::Admitted;

/// How far the clocks may differ: what Microsoft's own libraries allow is five minutes, and an alert is sent with a fresh
/// token, so that one is enough (row J11).
pub const LEEWAY_SECONDS: i64 = 60;

/// Longest life that is believed of a token. Entra's last 60 to 90 minutes, and 28 hours at most where access is evaluated
/// continuously.
pub const LIFE_SECONDS_MAX: i64 = 48 * 60 * 60;

/// Audiences of one app: its id URI, which v1.0 tokens carry, and its client id, which v2.0 tokens carry.
pub const AUDIENCES_MAX: usize = 2;

/// Azure's clouds, each with an Entra of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Azure.
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];

    /// The word in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGovernment => "usgovernment",
            Self::China => "china",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.as_str() == text)
    }

    /// Entra's host.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::UsGovernment => "login.microsoftonline.us",
            Self::China => "login.partner.microsoftonline.cn",
        }
    }

    /// The host of Azure Resource Manager, which is also whom its tokens are for.
    pub fn resource_manager(self) -> &'static str {
        match self {
            Self::Public => "management.azure.com",
            Self::UsGovernment => "management.usgovcloudapi.net",
            Self::China => "management.chinacloudapi.cn",
        }
    }

    /// The issuer's host in v1.0 tokens.
    fn issuer_v1(self) -> &'static str {
        match self {
            Self::Public | Self::UsGovernment => "sts.windows.net",
            Self::China => "sts.chinacloudapi.cn",
        }
    }

    /// The app id of "AZNS AAD Webhook", by which action groups call; `None` where Microsoft does not tell it.
    pub fn action_groups(self) -> Option<&'static str> {
        match self {
            Self::Public => Some("461e8683-5575-4561-ac7f-899cc907d62a"),
            Self::UsGovernment => Some("f1f34126-d4ef-40e1-ad4b-bf5d47b4860d"),
            Self::China => None,
        }
    }
}

/// Reads a GUID, as Entra writes its ids: lower case, with hyphens.
pub fn guid(text: &str) -> Option<String> {
    let is_guid = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_guid.then(|| text.to_ascii_lowercase())
}

/// Whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraAuth {
    /// The cloud.
    pub cloud: Cloud,
    /// The tenant's id.
    pub tenant: String,
    /// What a token must be for: the app's id URI, its client id, or both.
    pub audiences: Vec<String>,
    /// The app id of the caller.
    pub caller: String,
    /// The app role that the caller must have, where one is demanded.
    pub role: Option<String>,
}

/// What a token says. It counts only once its signature was checked.
#[derive(Clone, Deserialize)]
pub struct Claims {
    iss: String,
    aud: Audience,
    exp: i64,
    nbf: i64,
    #[serde(default)]
    tid: String,
    #[serde(default)]
    ver: String,
    /// The caller in v1.0 tokens.
    #[serde(default)]
    appid: Option<String>,
    /// The caller in v2.0 tokens.
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    /// Present where a person is behind the call.
    #[serde(default)]
    scp: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// The one audience; of several, none is believed (row J5).
    fn only(&self) -> Option<&str> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(many) => match many.as_slice() {
                [one] => Some(one),
                _ => None,
            },
        }
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

/// Why a caller with a token is turned away. The reasons are for our log, and hold nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The token proves nobody (401).
    NotProven(&'static str),
    /// It proves somebody who may not call (403).
    NotAllowed(&'static str),
}

impl Denied {
    /// The reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotProven(reason) | Self::NotAllowed(reason) => reason,
        }
    }
}

impl EntraAuth {
    /// Where the tenant's signing keys are: the address that its metadata names, without asking for the metadata first.
    pub fn keys_url(&self) -> String {
        let (authority, tenant) = (self.cloud.authority(), &self.tenant);
        format!("https://{authority}/{tenant}/discovery/v2.0/keys")
    }

    /// Looks whether whom a token proves may call.
    pub fn admit(&self, claims: &Claims, now: Timestamp) -> Result<Admitted, Denied> {
        self.proven(claims, now.as_millis().div_euclid(1000))?;
        self.allowed(claims)?;
        Ok(Admitted::proven())
    }

    fn proven(&self, claims: &Claims, now: i64) -> Result<(), Denied> {
        let tenant = &self.tenant;
        let v1 = format!("https://{}/{tenant}/", self.cloud.issuer_v1());
        let v2 = format!("https://{}/{tenant}/v2.0", self.cloud.authority());
        let is_v1 = match claims.ver.as_str() {
            "1.0" if claims.iss == v1 => true,
            "2.0" if claims.iss == v2 => false,
            "1.0" | "2.0" => {
                return Err(Denied::NotProven("`iss` is another issuer or tenant"));
            }
            _ => return Err(Denied::NotProven("`ver` is neither 1.0 nor 2.0")),
        };
        if claims.tid != *tenant {
            return Err(Denied::NotProven("`tid` is another tenant"));
        }
        let audience = claims
            .aud
            .only()
            .ok_or(Denied::NotProven("`aud` is a list"))?;
        if !self.audiences.iter().any(|ours| ours == audience) {
            // Which of the two an app gets is a setting of the app, and the usual reason (row J7).
            return Err(Denied::NotProven(match is_v1 {
                true => {
                    "`aud` is another app; this is a v1.0 token, whose `aud` is the app id URI: is it in ITSMC_ENTRA_AUDIENCE?"
                }
                false => {
                    "`aud` is another app; this is a v2.0 token, whose `aud` is the app's client id: is it in ITSMC_ENTRA_AUDIENCE?"
                }
            }));
        }
        let (begins, ends) = (claims.nbf, claims.exp);
        if begins < 0 || ends < begins || ends.saturating_sub(now) > LIFE_SECONDS_MAX {
            return Err(Denied::NotProven("`nbf` and `exp` are no times of a token"));
        }
        if ends.saturating_add(LEEWAY_SECONDS) <= now {
            return Err(Denied::NotProven("it has expired"));
        }
        if begins.saturating_sub(LEEWAY_SECONDS) > now {
            return Err(Denied::NotProven("it is not valid yet"));
        }
        Ok(())
    }

    fn allowed(&self, claims: &Claims) -> Result<(), Denied> {
        let caller = match claims.ver.as_str() {
            "1.0" => claims.appid.as_deref(),
            _ => claims.azp.as_deref(),
        };
        if claims.scp.is_some() {
            return Err(Denied::NotAllowed("it is a person's token, not an app's"));
        }
        if caller.is_none_or(|caller| !caller.eq_ignore_ascii_case(&self.caller)) {
            return Err(Denied::NotAllowed(
                "the caller is another app than ITSMC_ENTRA_CALLER",
            ));
        }
        match &self.role {
            Some(role) if !claims.roles.contains(role) => Err(Denied::NotAllowed(
                "the caller does not have the role of ITSMC_ENTRA_ROLE",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
impl EntraAuth {
    /// Settings that no token fits.
    pub(super) fn of_nobody() -> Self {
        Self {
            cloud: Cloud::Public,
            tenant: String::new(),
            audiences: Vec::new(),
            caller: String::new(),
            role: None,
        }
    }
}
