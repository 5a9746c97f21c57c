//! ServiceNow by its Table API and by Event Management: the port's methods, in the order of the trait
//! (reference/servicenow-api.md).

mod events;
mod imports;
mod issuer;
mod meaning;
mod records;
mod request;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use crate::adapters::oauth::TokenEndpoint;
use crate::adapters::token_source::TokenSource;
use crate::domain::allowance::Meter;
use crate::domain::connection::{Connection, WriteBy};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::identity::CorrelationId;
use crate::domain::secret::Secret;
use crate::domain::work_item::{Change, NewWorkItem, WorkItemRef, WorkItemSeen, WorkItemType};
use crate::ports::{Clock, ItsmProduct, Transport, Vault};
use meaning::Answered;
use records::Rest;
use request::Request;

/// The token endpoint (servicenow-api §2.1).
pub const TOKEN_PATH: &str = "/oauth_token.do";

/// Where a token is ended (servicenow-api §2.4).
const REVOKE_PATH: &str = "/oauth_revoke_token.do";

/// A refresh grant returns the refresh token that there is (servicenow-api §2.2), so that every process may use it.
const REPLACES_REFRESH_TOKENS: bool = false;

/// One ServiceNow instance.
#[derive(Debug)]
pub struct ServiceNow {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    connection: Arc<Connection>,
    endpoint: TokenEndpoint,
    tokens: TokenSource,
    meter: Meter,
}

impl std::fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

impl std::fmt::Debug for dyn Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl ServiceNow {
    /// The client of a connection, whose calls `meter` counts.
    pub fn new(
        transport: Arc<dyn Transport>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        connection: Arc<Connection>,
        meter: Meter,
    ) -> Self {
        let endpoint = TokenEndpoint::new(
            Arc::clone(&transport),
            Arc::clone(&clock),
            &connection,
            TOKEN_PATH,
        );
        let tokens_name = format!("itsm-tokens-{}", connection.name);
        let tokens = TokenSource::new(
            endpoint.clone(),
            vault,
            Arc::clone(&clock),
            &connection,
            tokens_name,
            REPLACES_REFRESH_TOKENS,
        );
        Self {
            transport,
            clock,
            connection,
            endpoint,
            tokens,
            meter,
        }
    }

    /// One call: with a token, and again with another one while they are refused. A 401 is proven not executed.
    async fn call(
        &self,
        operation: &'static str,
        request: Request<'_>,
        within: Duration,
    ) -> Result<Answered, CallFailure> {
        let answered = self.call_and_count(operation, request, within).await?;
        Ok(answered.0)
    }

    /// The same, with what the answer's head says of the rows behind it.
    async fn call_and_count(
        &self,
        operation: &'static str,
        request: Request<'_>,
        within: Duration,
    ) -> Result<(Answered, Rest), CallFailure> {
        let ends_at = self.clock.monotonic().saturating_add(within);
        let left = || ends_at.saturating_sub(self.clock.monotonic());
        let mut token = self.tokens.bearer(left()).await?;
        let mut refused = Vec::new();
        loop {
            let answered = self.send(operation, &request, &token, left()).await;
            if !matches!(&answered, Err(failure) if failure.kind == Kind::Unauthorized) {
                return answered;
            }
            refused.push(token);
            match self.tokens.bearer_instead_of(&refused, left()).await? {
                Some(another) => token = another,
                None => return answered,
            }
        }
    }

    async fn send(
        &self,
        operation: &'static str,
        request: &Request<'_>,
        token: &Secret,
        within: Duration,
    ) -> Result<(Answered, Rest), CallFailure> {
        let not_sent =
            |kind, detail| CallFailure::new("ServiceNow", operation, Effect::NotSent, kind, detail);
        let failed = |detail| not_sent(Kind::Invalid, detail);
        // The token may have taken all the time there was; what is sent now would be sent past the claim (rule R10).
        if within.is_zero() {
            return Err(not_sent(
                Kind::TimedOut,
                "no time was left to send it after the token had come",
            ));
        }
        let mut url = self.connection.server.join(&request.path());
        url.query_pairs_mut().extend_pairs(request.query()).finish();
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| failed("the access token has characters that no header may have"))?;
        authorization.set_sensitive(true);
        let mut built = http::Request::builder()
            .method(request.method())
            .uri(url.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, authorization)
            .extension(Arc::clone(&self.connection.egress));
        let body = match request.body() {
            Some(body) => {
                built = built.header(CONTENT_TYPE, "application/json");
                Bytes::from(body)
            }
            None => Bytes::new(),
        };
        let built = built
            .body(body)
            .map_err(|_| failed("the request could not be built"))?;
        let exchange = self.transport.send(built, within).await;
        let now = self.clock.now();
        meaning::count(&exchange, &self.meter, now);
        let rest = Rest::of(&exchange);
        Ok((meaning::of(operation, exchange, now)?, rest))
    }

    /// Reads the record under a key that we chose, after an insert with it was refused.
    async fn adopt(
        &self,
        item: &NewWorkItem,
        refused: CallFailure,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        const OPERATION: &str = "look whether the incident exists";
        match self
            .call(OPERATION, Request::Get(item.key.as_str()), within)
            .await
        {
            Ok(Answered::Record(body)) => {
                let seen = wire::one(&body, OPERATION, &self.connection)?;
                if seen.is_ours(&item.correlation) {
                    Ok(seen)
                } else if seen.item.id == item.key.as_str() {
                    Err(refused)
                } else {
                    // About another record: it proves nothing about ours.
                    Err(wire::foreign(OPERATION))
                }
            }
            Ok(Answered::NoRecord) => Err(refused),
            // It may have been refused because it is there: then it must not be given up.
            Err(failure) => Err(CallFailure {
                effect: Effect::Unknown,
                ..failure
            }),
        }
    }
}

#[async_trait]
impl ItsmProduct for ServiceNow {
    async fn create(
        &self,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        if item.work_item_type.is_told_by_events() {
            return self.create_event(item, within).await;
        }
        if let WriteBy::ImportSet { staging_table } = &self.connection.transport {
            return self.import_new(staging_table, item, within).await;
        }
        const OPERATION: &str = "create incident";
        let ends_at = self.clock.monotonic().saturating_add(within);
        match self
            .call(OPERATION, Request::Insert(wire::new_incident(item)), within)
            .await
        {
            Ok(Answered::Record(body)) => {
                let seen = wire::one(&body, OPERATION, &self.connection)?;
                if seen.is_ours(&item.correlation) {
                    Ok(seen)
                } else {
                    Err(wire::foreign(OPERATION))
                }
            }
            Ok(Answered::NoRecord) => Err(meaning::table_missing(OPERATION)),
            // A duplicate key is told as a 403 whose text depends on a property (servicenow-api §6).
            Err(failure) if failure.status == Some(403) && failure.effect == Effect::Refused => {
                self.adopt(
                    item,
                    failure,
                    ends_at.saturating_sub(self.clock.monotonic()),
                )
                .await
            }
            Err(failure) => Err(failure),
        }
    }

    async fn read(
        &self,
        item: &WorkItemRef,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        if item.work_item_type.is_told_by_events() {
            let told = events::key(&item.id);
            return Ok(told.map(|key| events::as_told(&key, &self.connection)));
        }
        const OPERATION: &str = "read incident";
        match self.call(OPERATION, Request::Get(&item.id), within).await? {
            Answered::Record(body) => {
                let seen = wire::one(&body, OPERATION, &self.connection)?;
                if seen.item.id == item.id {
                    Ok(Some(seen))
                } else {
                    Err(wire::foreign(OPERATION))
                }
            }
            Answered::NoRecord => Ok(None),
        }
    }

    async fn find(
        &self,
        kind: WorkItemType,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure> {
        match kind {
            WorkItemType::Incident => {}
            WorkItemType::Event => return Ok(vec![events::as_told(correlation, &self.connection)]),
            WorkItemType::Alert => return self.find_alerts(correlation, within).await,
        }
        const OPERATION: &str = "find incident by correlation id";
        match self
            .call(OPERATION, Request::Find(correlation), within)
            .await?
        {
            Answered::Record(body) => {
                let found = wire::many(&body, OPERATION, &self.connection)?;
                let any = !found.is_empty();
                let ours: Vec<WorkItemSeen> = found
                    .into_iter()
                    .filter(|seen| seen.is_ours(correlation))
                    .collect();
                // A condition on a column that does not exist vanishes, and every row comes back (servicenow-api §0.1).
                if any && ours.is_empty() {
                    Err(wire::foreign(OPERATION))
                } else {
                    Ok(ours)
                }
            }
            Answered::NoRecord => Err(meaning::table_missing(OPERATION)),
        }
    }

    async fn look_up(
        &self,
        kind: WorkItemType,
        number: &str,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        const OPERATION: &str = "look up incident by number";
        if !wire::is_number(number) {
            let detail = "an incident's number has letters and digits only, such as `INC0010001`";
            return Err(CallFailure::new(
                "ServiceNow",
                OPERATION,
                Effect::NotSent,
                Kind::Invalid,
                detail,
            ));
        }
        match kind {
            WorkItemType::Incident => {}
            WorkItemType::Event => {
                let told = events::key(number);
                return Ok(told.map(|key| events::as_told(&key, &self.connection)));
            }
            WorkItemType::Alert => return self.look_up_alert(number, within).await,
        }
        match self
            .call(OPERATION, Request::LookUp(number), within)
            .await?
        {
            Answered::Record(body) => {
                let found = wire::many(&body, OPERATION, &self.connection)?;
                Ok(found
                    .into_iter()
                    .find(|seen| seen.item.number.eq_ignore_ascii_case(number)))
            }
            Answered::NoRecord => Err(meaning::table_missing(OPERATION)),
        }
    }

    async fn write(
        &self,
        item: &WorkItemRef,
        change: &Change,
        within: Duration,
    ) -> Result<(), CallFailure> {
        if item.work_item_type.is_told_by_events() {
            return self.tell(change, within).await;
        }
        if let WriteBy::ImportSet { staging_table } = &self.connection.transport {
            let change = self.import_change(staging_table, item, change, within);
            return change.await;
        }
        let operation = wire::change_name(change);
        match self
            .call(
                operation,
                Request::Update(&item.id, wire::changed(change)),
                within,
            )
            .await?
        {
            Answered::Record(body) => {
                let seen = wire::one(&body, operation, &self.connection)?;
                if seen.item.id != item.id {
                    return Err(wire::foreign(operation));
                }
                wire::took_effect(change, &seen, operation)
            }
            Answered::NoRecord => Err(meaning::record_missing(operation)),
        }
    }

    async fn sign_in(&self, within: Duration) -> Result<(), CallFailure> {
        match self
            .call("read one incident", Request::Probe, within)
            .await?
        {
            Answered::Record(_) => Ok(()),
            Answered::NoRecord => Err(meaning::table_missing("read one incident")),
        }
    }
}

#[cfg(test)]
mod tests;
