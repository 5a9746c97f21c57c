//! What an error of Microsoft's clients means, in our words. Theirs hold what the vault and Entra wrote; none of it is shown.

use std::error::Error as StdError;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;
use serde::Deserialize;

use super::VALUE_BYTES_MAX;
use super::identity::{ENTRA, PLATFORM};
use super::pipe::NoResponse;
use super::web_identity::Refused;
use crate::adapters::http::answer::told;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::kept::VaultVersion;
use crate::domain::timestamp::Timestamp;
use crate::ports::{TransportFailure, TransportTrouble};

/// Who is asked.
pub(super) const SERVICE: &str = "Key Vault";

const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");

/// What was asked of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    Write,
    List,
    Versions,
    Disable,
    Remove,
}

/// The vault's error: `{"error":{"code":…,"innererror":{"code":…}}}`. Its message is not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Code,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    code: String,
    #[serde(alias = "innerError")]
    innererror: Option<Box<Code>>,
}

impl Code {
    /// The innermost code: it says most.
    fn precise(&self) -> &str {
        match &self.innererror {
            Some(inner) if !inner.code.is_empty() => inner.precise(),
            _ => &self.code,
        }
    }
}

fn causes(error: &azure_core::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause: &&(dyn StdError + 'static)| {
        let cause: &(dyn StdError + 'static) = *cause;
        cause.source()
    })
}

fn cause<T: StdError + 'static>(error: &azure_core::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// True if it was about a token and the vault itself was not reached, or not asked.
fn is_about_a_token(error: &azure_core::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<azure_core::Error>())
        .any(|error| *error.kind() == ErrorKind::Credential)
}

/// The status, Azure's code and the response itself, of what answered.
fn answered(error: &azure_core::Error) -> Option<(u16, Option<&str>, Option<&RawResponse>)> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<azure_core::Error>())
        .find_map(|error| match error.kind() {
            ErrorKind::HttpResponse {
                status,
                error_code,
                raw_response,
            } => Some((
                u16::from(*status),
                error_code.as_deref(),
                raw_response.as_deref(),
            )),
            _ => None,
        })
}

fn body(response: Option<&RawResponse>) -> Body {
    response
        .and_then(|response| serde_json::from_slice(response.body()).ok())
        .unwrap_or_default()
}

/// True if the vault said that there is no such secret. Another 404 is no answer of a vault.
pub(super) fn is_absent(error: &azure_core::Error) -> bool {
    !is_about_a_token(error)
        && matches!(answered(error), Some((404, _, response)) if body(response).error.code == "SecretNotFound")
}

fn retry_after(response: Option<&RawResponse>) -> Option<Duration> {
    let text = response?.headers().get_optional_str(&RETRY_AFTER)?;
    text.trim().parse().ok().map(Duration::from_secs)
}

impl Call {
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Read => "read secret",
            Self::Write => "write secret",
            Self::List => "list secrets",
            Self::Versions => "list versions",
            Self::Disable => "disable version",
            Self::Remove => "remove secret",
        }
    }

    /// The right that it needs, by Azure's name.
    fn right(self) -> &'static str {
        match self {
            Self::Read => "the identity may not read it (`get`)",
            Self::Write => "the identity may not write it (`set`)",
            Self::List | Self::Versions => "the identity may not list (`list`)",
            Self::Disable => "the identity may not change attributes (`update`)",
            Self::Remove => "the identity may not remove it (`delete`)",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Read => {
                "give the identity the role `Key Vault Secrets User` on the secret or the vault; a new assignment takes up to ten minutes"
            }
            Self::List | Self::Versions => {
                "give the identity the role `Key Vault Secrets User` on the vault; a new assignment takes up to ten minutes"
            }
            Self::Write | Self::Disable | Self::Remove => {
                "give the identity the role `Key Vault Secrets Officer` on the secret or the vault; a new assignment takes up to ten minutes"
            }
        }
    }

    fn is_change(self) -> bool {
        matches!(self, Self::Write | Self::Disable | Self::Remove)
    }

    /// The effect of what the vault turned down. A read is never told as refused: what it stands in the way of, an alert,
    /// must not be taken for something that its product will never accept.
    fn refused(self) -> Effect {
        match self.is_change() {
            true => Effect::Refused,
            false => Effect::NotSent,
        }
    }

    /// The effect where nobody knows.
    fn unknown(self) -> Effect {
        match self.is_change() {
            true => Effect::Unknown,
            false => Effect::NotSent,
        }
    }

    fn told(self, effect: Effect, kind: Kind, detail: impl Into<String>) -> CallFailure {
        CallFailure::new(SERVICE, self.operation(), effect, kind, detail)
    }

    /// Nothing came in the time that a call may take.
    pub(super) fn timed_out(self) -> CallFailure {
        self.told(
            self.unknown(),
            Kind::TimedOut,
            "no answer in the time allowed",
        )
        .with_advice(VAULT_IS_AWAY)
    }

    /// What came is not an answer of a vault.
    pub(super) fn not_understood(self, detail: &str) -> CallFailure {
        self.told(self.unknown(), Kind::Undecodable, detail)
            .with_advice(
                "check that ITSMC_VAULT is a Key Vault and that no proxy answers in its place",
            )
    }

    /// The newest version's `nbf` has not come yet.
    pub(super) fn not_valid_yet(self, from: Timestamp) -> CallFailure {
        let detail = format!(
            "the newest version is not valid before {}",
            from.for_people()
        );
        self.told(Effect::NotSent, Kind::Unusable, detail).with_advice(
            "wait, or change its activation date: `az keyvault secret set-attributes --not-before`",
        )
    }

    /// More than a vault keeps.
    pub(super) fn too_long(self) -> CallFailure {
        let detail = format!("Key Vault keeps {VALUE_BYTES_MAX} bytes, and this is longer");
        self.told(Effect::NotSent, Kind::Invalid, detail)
            .with_advice("make the definition shorter: templates and lists are what makes one long")
    }

    /// The version that was to be disabled is the newest.
    pub(super) fn is_the_newest(self, version: &VaultVersion) -> CallFailure {
        let detail = format!("`{version}` is the newest version");
        self.told(Effect::NotSent, Kind::Invalid, detail)
    }

    /// What an error of Microsoft's clients means.
    pub(super) fn failure(self, error: &azure_core::Error) -> CallFailure {
        if let Some(Refused(failure)) = cause::<Refused>(error) {
            return failure.clone();
        }
        if let Some(none) = cause::<NoResponse>(error) {
            return self.no_response(none);
        }
        match (is_about_a_token(error), answered(error)) {
            (true, Some((status, code, response))) => self.no_token(status, code, response),
            (true, None) => self
                .told(
                    Effect::NotSent,
                    Kind::Unusable,
                    "no token for the vault could be had",
                )
                .with_advice(LOGIN),
            (false, Some((status, _, response))) => self.refusal(status, response),
            (false, None) => {
                self.not_understood("its answer cannot be understood, or names another vault")
            }
        }
    }

    fn no_response(self, none: &NoResponse) -> CallFailure {
        let (mut effect, trouble) = match none.failure {
            TransportFailure::NotSent(trouble) => (Effect::NotSent, trouble),
            TransportFailure::Unknown(trouble) => (self.unknown(), trouble),
        };
        // A token may have been given or not: nothing became of the call itself.
        if none.service != SERVICE {
            effect = Effect::NotSent;
        }
        let (kind, detail) = told(trouble);
        let advice = match trouble {
            TransportTrouble::Forbidden => {
                "a vault or login host at a private address is called only if `ITSMC_ALLOW_HOSTS` lists it"
            }
            _ => VAULT_IS_AWAY,
        };
        CallFailure::new(none.service, self.operation(), effect, kind, detail).with_advice(advice)
    }

    /// What the vault itself said.
    fn refusal(self, status: u16, response: Option<&RawResponse>) -> CallFailure {
        let body = body(response);
        let refused = self.refused();
        let unusable = |detail| self.told(refused, Kind::Unusable, detail);
        let failure = match (status, body.error.precise()) {
            (_, "SecretDisabled") => unusable("the newest version is disabled")
                .withdrawn()
                .with_advice("enable it (`az keyvault secret set-attributes --enabled true`), or store it anew"),
            (_, "ObjectIsDeletedButRecoverable") => self
                .told(refused, Kind::Invalid, "a secret of this name was removed and can still be recovered")
                .with_advice(
                    "`az keyvault secret recover --name NAME --vault-name VAULT`, then once more; or `… secret purge …` gives the name free for good",
                ),
            (_, "ObjectIsBeingDeleted" | "ObjectIsBeingRecovered") => self
                .told(refused, Kind::Busy, "the secret is being removed or recovered")
                .with_advice("try again in a minute"),
            (401, _) => unusable("the vault does not take the identity's token")
                .with_advice("the identity must be of the vault's own Entra tenant and cloud: look at AZURE_TENANT_ID"),
            (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => {
                unusable("the vault's firewall keeps us out").with_advice(
                    "allow the function's network in the vault's networking settings, or call it by a private endpoint",
                )
            }
            (403, _) => unusable(self.right()).with_advice(self.role()),
            (429, _) => self
                .told(refused, Kind::RateLimited, "the vault is asked too often")
                .with_advice("nothing to do at once; a vault takes 2,000 calls in ten seconds, from everybody who uses it"),
            (400, _) => self.told(refused, Kind::Invalid, "the vault does not take the request"),
            (500.., _) => self
                .told(self.unknown(), Kind::Unavailable, "the vault failed")
                .with_advice(VAULT_IS_AWAY),
            _ => self.not_understood("it answers as no vault does"),
        };
        with_wait(failure.with_status(status), response)
    }

    /// What Entra or the platform said instead of giving a token. Entra's codes are AADSTS numbers.
    fn no_token(
        self,
        status: u16,
        code: Option<&str>,
        response: Option<&RawResponse>,
    ) -> CallFailure {
        let told = |service, kind, detail, advice| {
            CallFailure::new(service, self.operation(), Effect::NotSent, kind, detail)
                .with_advice(advice)
        };
        let unusable = |service, detail, advice| told(service, Kind::Unusable, detail, advice);
        let failure = match (status, code) {
            (429, _) => told(
                ENTRA,
                Kind::RateLimited,
                "it is asked too often",
                VAULT_IS_AWAY,
            ),
            (500.., _) => told(ENTRA, Kind::Unavailable, "it gives no token", VAULT_IS_AWAY),
            (_, None) => unusable(
                PLATFORM,
                "it gives no token",
                "assign a managed identity to the function app; of a user-assigned one AZURE_CLIENT_ID names the client id",
            ),
            (_, Some(codes)) => {
                let has = |code: &str| codes.split(',').any(|one| one == code);
                if has("90002") || has("900023") {
                    unusable(
                        ENTRA,
                        "it has no such Entra tenant",
                        "look at AZURE_TENANT_ID",
                    )
                } else if has("700016") {
                    unusable(
                        ENTRA,
                        "it has no such app",
                        "look at AZURE_CLIENT_ID and AZURE_TENANT_ID",
                    )
                } else if has("7000215") {
                    unusable(
                        ENTRA,
                        "the app's secret is wrong",
                        "look at AZURE_CLIENT_SECRET: the value, not the secret's id",
                    )
                } else if has("7000222") {
                    unusable(
                        ENTRA,
                        "the app's secret has expired",
                        "make a new one, or take an identity without a stored secret (docs/key-vault.md)",
                    )
                } else if has("700213") || has("70021") || has("700211") || has("700212") {
                    unusable(
                        ENTRA,
                        "the app trusts no such issuer, subject or audience",
                        "compare its federated credential with the token's issuer and role (docs/key-vault.md)",
                    )
                } else if has("700024") || has("5002738") {
                    unusable(
                        ENTRA,
                        "the assertion has expired or is not valid yet",
                        "look at the clock of the machine",
                    )
                } else {
                    unusable(ENTRA, "it gives no token", LOGIN)
                }
            }
        };
        with_wait(failure.with_status(status), response)
    }
}

/// What to do where nothing can be done at once.
const VAULT_IS_AWAY: &str = "nothing to do at once: it is tried again, and what is in memory serves on; if it lasts, look at the vault's and Entra's health and at the network";

/// What to do where there is no identity.
const LOGIN: &str = "look at the identity that docs/key-vault.md describes for this platform; for a person: `az login`";

fn with_wait(failure: CallFailure, response: Option<&RawResponse>) -> CallFailure {
    match retry_after(response) {
        Some(wait) => failure.with_retry_after(wait),
        None => failure,
    }
}
