//! What the core asks of the outside: few, small, object-safe traits. In production the adapters fill them; in
//! `simulation/` the simulators do, under a paused clock.
//!
//! The store of our own state has no trait of ours: it is [`object_store::ObjectStore`] itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::allowance::Meter;
use crate::domain::batch::Batch;
use crate::domain::connection::{Connection, RecordType};
use crate::domain::entra_authority::Authority;
use crate::domain::failure::CallFailure;
use crate::domain::identity::CorrelationId;
use crate::domain::kept::{Kept, VaultVersion, VersionSeen};
use crate::domain::name::ConnectionName;
use crate::domain::secret::Secret;
use crate::domain::sink_failure::SinkFailure;
use crate::domain::sync_window::{Ask, RecordCount, RecordPage, Stream};
use crate::domain::table::Table;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::Issued;
use crate::domain::work_item::{Change, NewWorkItem, WorkItemRef, WorkItemSeen, WorkItemType};

/// One ITSM instance. Each call ends within `within`, or has an unknown outcome.
#[async_trait]
pub trait ItsmProduct: Send + Sync {
    /// Makes a work item, and says how it stands. If the product refuses the key because a record has it already, and
    /// that record carries our correlation id, it is returned as if it had been made now.
    async fn create(
        &self,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure>;

    /// Reads a work item by the product's own key; `None` if it is not there.
    async fn read(
        &self,
        item: &WorkItemRef,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure>;

    /// All work items with exactly this correlation id, oldest first.
    async fn find(
        &self,
        kind: WorkItemType,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure>;

    /// The work item with the number that people use; `None` if there is none.
    async fn look_up(
        &self,
        kind: WorkItemType,
        number: &str,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure>;

    /// Changes a work item.
    async fn write(
        &self,
        item: &WorkItemRef,
        change: &Change,
        within: Duration,
    ) -> Result<(), CallFailure>;

    /// Obtains a token if there is none, and makes the cheapest call that proves it.
    async fn sign_in(&self, within: Duration) -> Result<(), CallFailure>;
}

/// The records of one ITSM instance, read back by the sync. It makes one call a page, and none by itself after a failure.
#[async_trait]
pub trait RecordSource: Send + Sync {
    /// One page, in order. A row that cannot be read is told of and costs no other; a page that does not go on from where
    /// it was asked is a failure.
    async fn page(
        &self,
        stream: Stream,
        asked: &Ask,
        within: Duration,
    ) -> Result<RecordPage, CallFailure>;

    /// How many records were made in the window of `asked`, those included that we may not see.
    async fn count(
        &self,
        record_type: RecordType,
        asked: &Ask,
        within: Duration,
    ) -> Result<RecordCount, CallFailure>;

    /// How many of these records the product still has, those included that we may not see or that the connection leaves out.
    async fn existing(
        &self,
        record_type: RecordType,
        ids: &[String],
        within: Duration,
    ) -> Result<u64, CallFailure>;
}

/// From a connection to its product's client.
#[async_trait]
pub trait Products: Send + Sync {
    /// The client of a connection. The same connection gets the same client, and with it its token, as long as the
    /// process lives and its definition does not change.
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure>;

    /// Where a connection's records are read. A product whose records this version cannot read is a failure that says so.
    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure>;

    /// Whoever gives the connection's tokens.
    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure>;

    /// Obtains a token as the connection's grant says, and proves it by one cheap call: also where this version makes no
    /// records in the product yet.
    async fn sign_in(
        &self,
        connection: &Arc<Connection>,
        within: Duration,
    ) -> Result<(), CallFailure> {
        self.product(connection).await?.sign_in(within).await
    }

    /// The Entra tenant that gives a connection's tokens, as its definition says or the instance itself; `None` where tokens
    /// are not Entra's.
    async fn authority(
        &self,
        connection: &Arc<Connection>,
        within: Duration,
    ) -> Result<Option<Authority>, CallFailure> {
        let _ = (connection, within);
        Ok(None)
    }

    /// Counts the calls of this process to a connection's product, where the product announces a limit.
    fn meter(&self, connection: &ConnectionName) -> Meter;
}

/// Whoever gives the tokens of one connection. [`Kind::Unauthorized`](crate::domain::failure::Kind::Unauthorized) says that
/// the issuer has refused; every other failure leaves open what came of it. No call is made twice by itself.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// New tokens by a refresh token.
    async fn refresh(&self, refresh: &Secret, within: Duration) -> Result<Issued, CallFailure>;

    /// Tokens by a person's password, which is put into this one request and kept nowhere.
    async fn log_in(
        &self,
        username: &str,
        password: &Secret,
        within: Duration,
    ) -> Result<Issued, CallFailure>;

    /// One cheap call to the product with exactly this access token.
    async fn prove(&self, access: &Secret, within: Duration) -> Result<(), CallFailure>;

    /// Ends a token, access or refresh, at once. Where the issuer has no way to end one alone, nothing is done.
    async fn revoke(&self, token: &Secret, within: Duration) -> Result<(), CallFailure>;

    /// Whether using a refresh token gives another in its place, so that only one process may ever use it.
    fn replaces_refresh_tokens(&self) -> bool;
}

/// Where connections and tokens are kept. A failure names no value, and its effect says what became of a write: after
/// [`Effect::Unknown`](crate::domain::failure::Effect::Unknown) the value may be there, which [`Vault::get`] shows.
///
/// A vault may keep one version of each secret only (a folder of files), or all of them (Key Vault).
#[async_trait]
pub trait Vault: Send + Sync {
    /// The newest version of a secret; `None` only if the vault answered that there is none. One that is disabled or not
    /// valid yet is a failure that says what to do. An expired one is given: its [`Kept::expires`] tells.
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure>;

    /// Stores a value as the newest version of a secret, and names that version. `expires` is for those who look at the
    /// vault and for its own alarms; a vault that has no place for it forgets it.
    async fn set(
        &self,
        name: &str,
        value: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure>;

    /// The names of all secrets that begin so, in order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure>;

    /// The versions of a secret that the vault keeps, newest first as far as its clock tells them apart; none if there is no
    /// such secret.
    async fn versions(&self, name: &str) -> Result<Vec<VersionSeen>, CallFailure>;

    /// Takes a version out of use for good. The newest is refused ([`Kind::Invalid`](crate::domain::failure::Kind::Invalid)):
    /// nothing could be read any more. Without an error if there is no such version.
    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure>;

    /// Removes a secret with all its versions; without an error if it is not there.
    async fn remove(&self, name: &str) -> Result<(), CallFailure>;
}

/// Why a request brought no response. There are only these two honest answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportFailure {
    /// It never left, or what left was no request.
    NotSent(TransportTrouble),
    /// It may have arrived.
    Unknown(TransportTrouble),
}

/// What was in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportTrouble {
    /// The name could not be resolved, or nobody listens there.
    Unreachable,
    /// The address may not be called by us.
    Forbidden,
    /// The other side's certificate is not to be trusted.
    Certificate,
    /// No time left.
    TimedOut,
    /// The connection broke.
    Broken,
    /// The response is longer than we read.
    TooLong,
    /// The request could not be built.
    Malformed,
}

/// The one way out to the products: a request, a response, and the time it may take. It follows no redirects, keeps no
/// cookies and does not try again by itself. A request for a connection carries that connection's
/// [`Egress`](crate::domain::egress::Egress) among its extensions, in an `Arc`; without one it reaches public addresses only.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole response.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure>;
}

/// The public keys by which the tokens of callers are signed.
#[async_trait]
pub trait KeySet: Send + Sync {
    /// The issuer's keys as it publishes them now (RFC 7517), as they came.
    async fn key_set(&self, within: Duration) -> Result<Bytes, CallFailure>;
}

/// Which of a subscription's alerts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertsOf {
    /// Those that fired in the last hour.
    LastHour,
    /// Those that fired in the last day.
    LastDay,
    /// Those that fired in the last seven days.
    LastWeek,
    /// Those that fired in the last thirty days: more is not kept.
    LastMonth,
}

/// The alerts that Azure keeps of a subscription, each as it came.
#[async_trait]
pub trait AlertHistory: Send + Sync {
    /// The first page, oldest first.
    async fn first_page(
        &self,
        subscription: &str,
        of: AlertsOf,
        within: Duration,
    ) -> Result<Bytes, CallFailure>;

    /// The page that another one named as its next.
    async fn next_page(&self, link: &str, within: Duration) -> Result<Bytes, CallFailure>;

    /// One alert by its resource id; `None` if Azure does not keep it any more.
    async fn alert(&self, alert_id: &str, within: Duration) -> Result<Option<Bytes>, CallFailure>;
}

/// Where rows go: Log Analytics, or a file at the desk.
#[async_trait]
pub trait RowSink: Send + Sync {
    /// Hands over all rows of a batch. `Ok` only when the sink has all of them for good; what it is told twice it has twice.
    async fn send(&self, table: Table, batch: &Batch, within: Duration) -> Result<(), SinkFailure>;
}

/// Who we are to Azure's own services.
#[async_trait]
pub trait AzureIdentity: Send + Sync {
    /// An access token for a scope, such as `https://management.azure.com/.default`. Warm, this asks nobody.
    async fn token(&self, scope: &str, within: Duration) -> Result<Secret, CallFailure>;
}

/// Time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock, for what is written down.
    fn now(&self) -> Timestamp;

    /// Time since some moment of this process, for deadlines: it never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, span: Duration);
}

/// Randomness.
pub trait Entropy: Send + Sync {
    /// 64 random bits.
    fn dice(&self) -> u64;
}
