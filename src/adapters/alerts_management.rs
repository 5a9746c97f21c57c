//! The alerts that Azure keeps of a subscription: the Alerts Management API of Azure Resource Manager, `2019-03-01`.
//!
//! The right to read them is in Azure's role *Monitoring Reader*. A page has 25 alerts at most where their context is asked
//! for; what there is, is kept for thirty days.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use url::Url;

use crate::adapters::http::answer::{is_json, retry_after, told};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::ports::{AlertHistory, AlertsOf, AzureIdentity, Clock, Transport, TransportFailure};

const SERVICE: &str = "Azure Alerts Management";
const API_VERSION: &str = "2019-03-01";

/// Alerts of a page: as many as the API gives with their context.
const PAGE: &str = "25";

/// The API at one endpoint of Azure Resource Manager.
pub struct AlertsManagement {
    transport: Arc<dyn Transport>,
    identity: Arc<dyn AzureIdentity>,
    clock: Arc<dyn Clock>,
    endpoint: Url,
}

impl fmt::Debug for AlertsManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertsManagement")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

impl AlertsManagement {
    /// At `https://management.azure.com` or another cloud's.
    pub fn new(
        transport: Arc<dyn Transport>,
        identity: Arc<dyn AzureIdentity>,
        clock: Arc<dyn Clock>,
        endpoint: Url,
    ) -> Self {
        Self {
            transport,
            identity,
            clock,
            endpoint,
        }
    }

    async fn get(&self, url: &Url, within: Duration) -> Result<Option<Bytes>, CallFailure> {
        let began = self.clock.monotonic();
        // The tokens of Azure Resource Manager are for its address without a port.
        let host = self.endpoint.host_str().unwrap_or_default();
        let scope = format!("https://{host}/.default");
        let token = self.identity.token(&scope, within).await?;
        let malformed = |_| {
            failure(
                Effect::NotSent,
                Kind::Invalid,
                "the request could not be built",
            )
        };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| failure(Effect::NotSent, Kind::Unauthorized, "the token is none"))?;
        bearer.set_sensitive(true);
        let request = http::Request::get(url.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Bytes::new())
            .map_err(malformed)?;
        let left = within.saturating_sub(self.clock.monotonic().saturating_sub(began));
        let response = match self.transport.send(request, left).await {
            Ok(response) => response,
            Err(TransportFailure::NotSent(trouble)) => {
                let (kind, detail) = told(trouble);
                return Err(failure(Effect::NotSent, kind, detail));
            }
            Err(TransportFailure::Unknown(trouble)) => {
                let (kind, detail) = told(trouble);
                return Err(failure(Effect::Unknown, kind, detail));
            }
        };
        let status = response.status();
        let refused =
            |kind, detail| Err(failure(Effect::Refused, kind, detail).with_status(status.as_u16()));
        match status {
            StatusCode::OK if is_json(response.headers()) => Ok(Some(response.into_body())),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => refused(
                Kind::Unauthorized,
                "Azure does not accept the token of this function's identity; is it of the directory that the subscription trusts?",
            ),
            StatusCode::FORBIDDEN => refused(
                Kind::NoRights,
                "this function's identity may not read the alerts; give it the role `Monitoring Reader` on the subscription",
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = retry_after(response.headers(), self.clock.now());
                let failure = failure(Effect::Refused, Kind::RateLimited, "Azure asks us to wait");
                let failure = failure.with_status(status.as_u16());
                Err(match wait {
                    Some(wait) => failure.with_retry_after(wait),
                    None => failure,
                })
            }
            StatusCode::OK => Err(failure(
                Effect::Unknown,
                Kind::Undecodable,
                "the answer is no JSON",
            )),
            status if status.is_client_error() => refused(
                Kind::Invalid,
                "Azure refuses the request; is the subscription's id right?",
            ),
            status => Err(failure(
                Effect::Unknown,
                Kind::Unavailable,
                "Azure did not give the alerts",
            )
            .with_status(status.as_u16())),
        }
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION);
        url
    }
}

#[async_trait]
impl AlertHistory for AlertsManagement {
    async fn first_page(
        &self,
        subscription: &str,
        of: AlertsOf,
        within: Duration,
    ) -> Result<Bytes, CallFailure> {
        let mut url = self.address(&format!(
            "/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts"
        ));
        url.query_pairs_mut()
            .append_pair("timeRange", range(of))
            .append_pair("includeContext", "true")
            .append_pair("pageCount", PAGE)
            .append_pair("sortBy", "startDateTime")
            .append_pair("sortOrder", "asc");
        found(self.get(&url, within).await?)
    }

    async fn next_page(&self, link: &str, within: Duration) -> Result<Bytes, CallFailure> {
        // Our token goes to nobody else, whatever the answer says.
        let url = Url::parse(link).ok().filter(|url| {
            url.origin() == self.endpoint.origin()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let Some(url) = url else {
            return Err(failure(
                Effect::NotSent,
                Kind::Foreign,
                "the next page is said to be at another host",
            ));
        };
        found(self.get(&url, within).await?)
    }

    async fn alert(&self, alert_id: &str, within: Duration) -> Result<Option<Bytes>, CallFailure> {
        self.get(&self.address(alert_id), within).await
    }
}

fn found(page: Option<Bytes>) -> Result<Bytes, CallFailure> {
    page.ok_or_else(|| {
        failure(
            Effect::Refused,
            Kind::NotFound,
            "Azure knows no such subscription, or does not show it to this function's identity; give it the role `Monitoring Reader` there",
        )
        .with_status(404)
    })
}

fn range(of: AlertsOf) -> &'static str {
    match of {
        AlertsOf::LastHour => "1h",
        AlertsOf::LastDay => "1d",
        AlertsOf::LastWeek => "7d",
        AlertsOf::LastMonth => "30d",
    }
}

fn failure(effect: Effect, kind: Kind, detail: &str) -> CallFailure {
    CallFailure::new(SERVICE, "read alerts", effect, kind, detail)
}
