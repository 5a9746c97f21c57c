//! What an AWS Lambda function is at Entra without a stored secret: a token of AWS that names the function's role, which an
//! app registration trusts (azure-platform §8.2). `sts:GetWebIdentityToken`, at the regional endpoint, signed by SigV4.
//!
//! The signature is the object store's own: it is in the binary anyway, for S3.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;

use super::pipe::NoResponse;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::key_vault::AwsRole;
use crate::domain::secret::Secret;
use crate::ports::{Clock, Transport};

/// Who is asked.
const STS: &str = "AWS STS";

/// What Entra demands as the audience of a token that is exchanged.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// How long the token lasts: AWS's own default. One is needed for each token of Entra's, which lasts an hour or more.
const LIFE_SECONDS: u32 = 300;

/// How long one is used again: whoever asked may have had no time left for Entra's answer, and the next try goes on here.
const REUSED_FOR: Duration = Duration::from_secs(120);

/// Longest that the request may take.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// The function's role, as an assertion.
pub(super) struct WebIdentity {
    role: AwsRole,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// The last token, and when on the monotonic clock.
    last: Mutex<Option<(Duration, Secret)>>,
}

impl fmt::Debug for WebIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebIdentity")
            .field("sts", &self.role.sts.as_str())
            .finish_non_exhaustive()
    }
}

/// Our own words on what STS refused, inside an error of Microsoft's clients.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) CallFailure);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl WebIdentity {
    pub(super) fn new(role: AwsRole, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            role,
            transport,
            clock,
            last: Mutex::default(),
        }
    }

    /// The request as AWS's query protocol has it, signed.
    fn request(&self) -> Option<http::Request<Bytes>> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "GetWebIdentityToken")
            .append_pair("Version", "2011-06-15")
            .append_pair("Audience.member.1", AUDIENCE)
            .append_pair("SigningAlgorithm", "RS256")
            .append_pair("DurationSeconds", &LIFE_SECONDS.to_string())
            .finish();
        let body = Bytes::from(body);
        let mut request: HttpRequest = http::Request::post(self.role.sts.as_str())
            .header(
                CONTENT_TYPE,
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .header(ACCEPT, "text/xml")
            .body(body.clone().into())
            .ok()?;
        let credential = AwsCredential {
            key_id: self.role.key_id.clone(),
            secret_key: self.role.secret_key.expose().to_owned(),
            token: self
                .role
                .session_token
                .as_ref()
                .map(|token| token.expose().to_owned()),
        };
        AwsAuthorizer::new(&credential, "sts", &self.role.region)
            .try_authorize(&mut request, None)
            .ok()?;
        let (parts, _) = request.into_parts();
        Some(http::Request::from_parts(parts, body))
    }

    async fn token(&self) -> azure_core::Result<String> {
        let refused = |kind, detail| Error::new(ErrorKind::Other, Refused(refusal(kind, detail)));
        let request = self
            .request()
            .ok_or_else(|| refused(Kind::Unusable, "the request could not be signed"))?;
        let response = self
            .transport
            .send(request, REQUEST_MAX)
            .await
            .map_err(|failure| {
                let service = STS;
                Error::new(ErrorKind::Io, NoResponse { service, failure })
            })?;
        let status = response.status().as_u16();
        let text = String::from_utf8_lossy(response.body());
        if status != 200 {
            let failure = meaning(status, element(&text, "Code")).with_status(status);
            return Err(Error::new(ErrorKind::Other, Refused(failure)));
        }
        element(&text, "WebIdentityToken")
            .filter(|token| is_token(token))
            .map(str::to_owned)
            .ok_or_else(|| refused(Kind::Undecodable, "its answer has no token"))
    }
}

#[async_trait]
impl ClientAssertion for WebIdentity {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = self.clock.monotonic();
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, token)) = last().as_ref()
            && now.saturating_sub(*at) < REUSED_FOR
        {
            return Ok(token.expose().to_owned());
        }
        let token = self.token().await?;
        *last() = Some((now, Secret::new(token.clone())));
        Ok(token)
    }
}

/// The text of the first element of this name. Codes and tokens have no markup in them.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim())
}

/// Three parts in base64url.
fn is_token(text: &str) -> bool {
    text.split('.').count() == 3
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn refusal(kind: Kind, detail: &str) -> CallFailure {
    CallFailure::new(STS, "get web identity token", Effect::NotSent, kind, detail)
}

/// What STS said, in our words.
fn meaning(status: u16, code: Option<&str>) -> CallFailure {
    let unusable =
        |detail, advice: &'static str| refusal(Kind::Unusable, detail).with_advice(advice);
    match (status, code.unwrap_or_default()) {
        (
            _,
            "OutboundWebIdentityFederationDisabledException"
            | "OutboundWebIdentityFederationDisabled",
        ) => unusable(
            "the AWS account gives no tokens for other clouds",
            "once per account: `aws iam enable-outbound-web-identity-federation`",
        ),
        (_, "AccessDenied" | "AccessDeniedException") => unusable(
            "the function's role may not ask for a web identity token",
            "allow the role `sts:GetWebIdentityToken` for the audience `api://AzureADTokenExchange` (docs/key-vault.md)",
        ),
        (_, "ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => unusable(
            "the role's keys have expired, or the clock is wrong",
            "nothing to do on Lambda, which renews them; at the desk, log in to AWS again",
        ),
        (_, "SessionDurationEscalationException" | "SessionDurationEscalation") => unusable(
            "the role's session ends before the token would",
            "nothing to do on Lambda; elsewhere log in to AWS again",
        ),
        (_, "JWTPayloadSizeExceededException" | "JWTPayloadSizeExceeded") => unusable(
            "the role has more tags than fit into a token",
            "take session or principal tags away from the role",
        ),
        (
            _,
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature",
        ) => unusable(
            "the role's keys are not accepted",
            "do not set AWS_ACCESS_KEY_ID and its kin yourself on Lambda; look at AWS_REGION",
        ),
        (_, "InvalidAction") => unusable(
            "this endpoint does not give such tokens",
            "only regional endpoints do: take AWS_ENDPOINT_URL_STS away",
        ),
        (_, "Throttling" | "ThrottlingException" | "RequestLimitExceeded") | (429, _) => {
            refusal(Kind::RateLimited, "it is asked too often")
        }
        (500.., _) => refusal(Kind::Unavailable, "it failed"),
        _ => refusal(Kind::Unusable, "it refused for another reason"),
    }
}

#[cfg(test)]
mod tests;
