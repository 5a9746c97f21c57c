//! The list of fired alerts of Azure Resource Manager: `Microsoft.AlertsManagement/alerts`.
//!
//! Written from the REST reference (`2019-03-01`: parameters, page sizes, `nextLink`, the shape of an alert) and from the
//! error documents of Azure Resource Manager.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::machine::{Answer, Delivery, Machine};

/// Versions that the service knows.
const VERSIONS: [&str; 4] = [
    "2018-05-05",
    "2019-03-01",
    "2019-05-05-preview",
    "2023-07-12-preview",
];

/// Alerts of a page at most, and where their context is asked for.
const PAGE_MAX: usize = 250;
const PAGE_MAX_WITH_CONTEXT: usize = 25;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One fired alert.
#[derive(Debug, Clone)]
pub struct FiredAlert {
    /// Of which subscription.
    pub subscription: String,
    /// Its own id, a GUID.
    pub instance: String,
    /// Its rule's name.
    pub rule: String,
    /// `Sev0` to `Sev4`.
    pub severity: String,
    /// The virtual machine that it is about.
    pub machine: String,
    /// When it fired.
    pub fired_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// An alert processing rule has suppressed its actions.
    pub is_suppressed: bool,
    /// What its service measured, as the list shows it.
    pub context: Value,
}

/// The service, for any number of subscriptions.
#[derive(Debug, Default)]
pub struct AlertsManagement {
    /// All alerts.
    pub alerts: Vec<FiredAlert>,
    /// The tokens that are accepted.
    pub tokens: Vec<String>,
    /// Subscriptions that the caller may read.
    pub readable: Vec<String>,
    /// What is answered in place of the list, and how often still.
    pub instead: Option<(u16, u32)>,
    /// True while nobody answers.
    pub is_away: bool,
    /// How many requests there were.
    pub asked: u32,
    /// How far its clock is ahead of the server's.
    pub ahead_ms: i64,
}

impl AlertsManagement {
    /// Ends an alert.
    pub fn resolve(&mut self, instance: &str, now_ms: i64) {
        for alert in &mut self.alerts {
            if alert.instance == instance {
                alert.ended_ms = Some(now_ms);
            }
        }
    }

    fn reply(&mut self, request: &Request<Bytes>, now_ms: i64) -> Result<Value, (u16, Value)> {
        let refused = |status: u16, code: &str| {
            Err((
                status,
                json!({ "error": { "code": code, "message": "The request was not accepted." } }),
            ))
        };
        if let Some((status, left)) = &mut self.instead {
            let status = *status;
            *left -= 1;
            if *left == 0 {
                self.instead = None;
            }
            return refused(status, "TooManyRequests");
        }
        let bearer = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .unwrap_or_default();
        if !self.tokens.iter().any(|token| token == bearer) {
            return refused(401, "InvalidAuthenticationToken");
        }
        if request.method() != http::Method::GET {
            return refused(405, "HttpMethodNotAllowed");
        }
        let parameters: Vec<(String, String)> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        match parameter("api-version") {
            None => return refused(400, "MissingApiVersionParameter"),
            Some(version) if !VERSIONS.contains(&version) => {
                return refused(400, "InvalidApiVersionParameter");
            }
            Some(_) => {}
        }
        let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let (subscription, instance) = match segments.as_slice() {
            [
                "subscriptions",
                subscription,
                "providers",
                "Microsoft.AlertsManagement",
                "alerts",
            ] => (*subscription, None),
            [
                "subscriptions",
                subscription,
                "providers",
                "Microsoft.AlertsManagement",
                "alerts",
                instance,
            ] => (*subscription, Some(*instance)),
            _ => return refused(404, "InvalidResourceType"),
        };
        if !self.readable.iter().any(|one| one == subscription) {
            return refused(403, "AuthorizationFailed");
        }
        let of_subscription = self
            .alerts
            .iter()
            .filter(|alert| alert.subscription == subscription);
        if let Some(instance) = instance {
            let found = of_subscription
                .clone()
                .find(|alert| alert.instance == instance);
            return match found {
                Some(alert) => Ok(shown(alert, true)),
                None => refused(404, "AlertNotFound"),
            };
        }
        let with_context = match parameter("includeContext") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return refused(400, "BadRequest"),
        };
        let max = if with_context {
            PAGE_MAX_WITH_CONTEXT
        } else {
            PAGE_MAX
        };
        let page = match parameter("pageCount").map(str::parse::<usize>) {
            None => PAGE_MAX_WITH_CONTEXT,
            Some(Ok(page)) if (1..=max).contains(&page) => page,
            Some(_) => return refused(400, "BadRequest"),
        };
        let reaches = match parameter("timeRange") {
            Some("1h") => HOUR_MS,
            None | Some("1d") => DAY_MS,
            Some("7d") => 7 * DAY_MS,
            Some("30d") => 30 * DAY_MS,
            Some(_) => return refused(400, "BadRequest"),
        };
        let ascending = match parameter("sortOrder") {
            Some("asc") => true,
            None | Some("desc") => false,
            Some(_) => return refused(400, "BadRequest"),
        };
        let mut alerts: Vec<&FiredAlert> = of_subscription
            .filter(|alert| alert.fired_ms <= now_ms && alert.fired_ms > now_ms - reaches)
            .collect();
        match parameter("sortBy") {
            Some("startDateTime") => alerts.sort_by_key(|alert| alert.fired_ms),
            None | Some("lastModifiedDateTime") => {
                alerts.sort_by_key(|alert| alert.ended_ms.unwrap_or(alert.fired_ms));
            }
            Some(_) => return refused(400, "BadRequest"),
        }
        if !ascending {
            alerts.reverse();
        }
        let Ok(passed) = parameter("ctoken").unwrap_or("0").parse::<usize>() else {
            return refused(400, "BadRequest");
        };
        let shown: Vec<Value> = alerts
            .iter()
            .skip(passed)
            .take(page)
            .map(|alert| shown(alert, with_context))
            .collect();
        let mut answer = json!({ "value": shown });
        if passed + page < alerts.len() {
            let mut next = url::form_urlencoded::Serializer::new(String::new());
            for (key, value) in parameters.iter().filter(|(key, _)| key != "ctoken") {
                next.append_pair(key, value);
            }
            next.append_pair("ctoken", &(passed + page).to_string());
            let host = request
                .headers()
                .get("host")
                .and_then(|host| host.to_str().ok());
            let scheme = request.uri().scheme_str().unwrap_or("http");
            answer["nextLink"] = json!(format!(
                "{scheme}://{}{}?{}",
                host.unwrap_or("management.azure.com"),
                request.uri().path(),
                next.finish()
            ));
        }
        Ok(answer)
    }
}

fn shown(alert: &FiredAlert, with_context: bool) -> Value {
    let resource = format!(
        "/subscriptions/{}/resourcegroups/rg-shop/providers/microsoft.compute/virtualmachines/{}",
        alert.subscription, alert.machine
    );
    // Seven digits, of which the last are not zero: Azure counts in ticks of 100 nanoseconds.
    let moment = |ms: i64| {
        let second = jiff::Timestamp::from_second(ms.div_euclid(1000)).unwrap_or_default();
        let whole = second.strftime("%Y-%m-%dT%H:%M:%S");
        json!(format!("{whole}.{:03}4567Z", ms.rem_euclid(1000)))
    };
    let mut properties = json!({
        "essentials": {
            "severity": alert.severity,
            "signalType": "Metric",
            "alertState": "New",
            "monitorCondition": if alert.ended_ms.is_some() { "Resolved" } else { "Fired" },
            "monitorService": "Platform",
            "targetResource": resource,
            "targetResourceName": alert.machine,
            "targetResourceGroup": "rg-shop",
            "targetResourceType": "microsoft.compute/virtualmachines",
            "sourceCreatedId": format!("{}_rg-shop_microsoft.insights_metricAlerts_{}_1", alert.subscription, alert.rule),
            "alertRule": format!("/subscriptions/{}/resourceGroups/rg-shop/providers/microsoft.insights/metricAlerts/{}", alert.subscription, alert.rule),
            "startDateTime": moment(alert.fired_ms),
            "lastModifiedDateTime": moment(alert.ended_ms.unwrap_or(alert.fired_ms)),
            "monitorConditionResolvedDateTime": alert.ended_ms.map_or(json!(""), moment),
            "lastModifiedUserName": "System",
            "actionStatus": { "isSuppressed": alert.is_suppressed },
            "description": "",
        }
    });
    if with_context {
        properties["context"] = alert.context.clone();
    }
    json!({
        // Below the resource that is watched, not below the subscription as in the webhook.
        "id": format!("{resource}/providers/Microsoft.AlertsManagement/alerts/{}", alert.instance),
        "name": alert.rule,
        "type": "Microsoft.AlertsManagement/alerts",
        "properties": properties,
    })
}

impl Machine for AlertsManagement {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        self.asked += 1;
        let (status, body) = match self.reply(&request, now_ms + self.ahead_ms) {
            Ok(body) => (200, body),
            Err(refused) => refused,
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        if status == 429 {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("30"));
        }
        Answer {
            response,
            delivery: match self.is_away {
                true => Delivery::NeverRead,
                false => Delivery::Whole,
            },
        }
    }
}
