//! Store, vault and way out as one process sees them: each call may be its last, may fail, and may lose its answer.

mod store;
mod vault;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::adapters::oauth::{By, TokenEndpoint};
use itsm_connector::domain::allowance::Meter;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::token::Issued;
use itsm_connector::flows::{Core, Outside};
use itsm_connector::ports::{
    Clock, Issuer, ItsmProduct, Products, RecordSource, Transport, TransportFailure,
    TransportTrouble,
};
use simulators::issuer::Rotation;
use simulators::machine::Machine as _;
use tokio::sync::Notify;

use super::bugs::Bug;
use super::world::World;
use crate::clock::{SimClock, SimEntropy, pause};
use crate::dice::Dice;

/// How long a call takes.
const TAKES: Duration = Duration::from_millis(20);

/// One life of a process.
#[derive(Debug)]
pub struct Life {
    world: Arc<World>,
    dead: AtomicBool,
    died: Notify,
    /// Whether it may die at all: readers and people do not.
    is_mortal: bool,
}

impl Life {
    /// Runs work in it; `None` if it died meanwhile.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            done = work => Some(done),
        }
    }

    async fn ends<T>(&self) -> T {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
        std::future::pending().await
    }

    /// A port call: takes its time, and may be the last, before or after it is done.
    async fn call<T>(&self, done: impl FnOnce() -> T) -> T {
        pause(TAKES).await;
        let fate = {
            let mut inner = self.world.inner();
            inner.calls += u64::from(self.is_mortal);
            let number = inner.calls;
            self.is_mortal
                .then(|| inner.deaths.remove(&number))
                .flatten()
        };
        match fate {
            Some(false) => self.ends().await,
            Some(true) => {
                done();
                self.ends().await
            }
            None => done(),
        }
    }

    /// The same, which fails now and then; `None`: it failed, done or not.
    async fn risky<T>(&self, done: impl FnOnce() -> T) -> Option<T> {
        match self.world.mishap() {
            None => Some(self.call(done).await),
            Some(false) => None,
            Some(true) => {
                self.call(done).await;
                None
            }
        }
    }
}

/// The outside of one process.
#[derive(Debug, Clone)]
pub struct Ports(pub Arc<Life>);

impl Ports {
    /// Of a new process.
    pub fn new(world: &Arc<World>, is_mortal: bool) -> Self {
        Self(Arc::new(Life {
            world: Arc::clone(world),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            is_mortal,
        }))
    }

    fn world(&self) -> &World {
        &self.0.world
    }

    /// Its clock, off by so much.
    pub fn clock(&self, skew_ms: i64) -> Arc<dyn Clock> {
        Arc::new(SimClock::new(self.world().started, skew_ms))
    }

    /// What the flows work with in it.
    pub fn core(&self, seed: u64, skew_ms: i64) -> Core {
        let clock = self.clock(skew_ms);
        Core::new(Outside {
            store: Arc::new(self.clone()),
            vault: Arc::new(self.clone()),
            products: Arc::new(Behind {
                ports: self.clone(),
                clock: Arc::clone(&clock),
            }),
            clock,
            entropy: Arc::new(SimEntropy::new(Dice::new(seed, "core"))),
            allowed: AllowedHosts::default(),
        })
    }

    /// One call to the product with this token; true if it was let in.
    pub async fn opens(&self, access: &Secret) -> Result<bool, TransportFailure> {
        let request = http::Request::get("https://contoso.service-now.com/resource")
            .header("authorization", format!("Bearer {}", access.expose()))
            .body(Bytes::new())
            .map_err(|_| TransportFailure::NotSent(TransportTrouble::Malformed))?;
        let answer = self.send(request, Duration::from_secs(20)).await?;
        Ok(answer.status().is_success())
    }
}

/// A call with a refresh token; over when it is answered, and when whoever made it has died.
struct Asking<'a> {
    world: &'a World,
    refresh: String,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.world.inner().in_flight.remove(&self.refresh);
    }
}

fn lost(effect: Effect) -> CallFailure {
    CallFailure::new("the vault", "call", effect, Kind::Unavailable, "simulated")
}

#[async_trait]
impl Transport for Ports {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let world = self.world();
        let is_resource = request.uri().path() == "/resource";
        let is_down = {
            let inner = world.inner();
            match is_resource {
                true => inner.product_is_down,
                false => inner.issuer_is_down,
            }
        };
        if is_down {
            pause(TAKES).await;
            return Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
        }
        let _asking = self.begin(&request);
        let answered = self.0.risky(|| self.answer(request)).await;
        answered.ok_or(TransportFailure::Unknown(TransportTrouble::Broken))
    }
}

impl Ports {
    /// The refresh token of a request, which nobody else may be asking with (I18).
    fn begin(&self, request: &http::Request<Bytes>) -> Option<Asking<'_>> {
        let form = url::form_urlencoded::parse(request.body());
        let mut fields = form.into_owned();
        let refresh = fields.find(|(name, _)| name == "refresh_token")?.1;
        let is_first = self.world().inner().in_flight.insert(refresh.clone());
        if !is_first && self.world().rotation == Rotation::Replaced {
            self.world()
                .violated("two calls with the same refresh token at once".to_owned());
        }
        Some(Asking {
            world: self.world(),
            refresh,
        })
    }

    fn answer(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let world = self.world();
        let now_ms = world.now_ms();
        if request.uri().path() == "/revoke" {
            self.watch_revoke(request.body(), now_ms);
        }
        let bearer = request.headers().get("authorization").cloned();
        let mut inner = world.inner();
        let answer = inner.issuer.answer(request, now_ms).response;
        if let (true, Some(bearer)) = (answer.status().is_success(), bearer) {
            let bearer = bearer.to_str().unwrap_or_default();
            let access = bearer.trim_start_matches("Bearer ").to_owned();
            inner.proved.insert(access);
        }
        answer
    }

    /// Revoked is only what is not ours any more, and only once the new was seen to work (I18).
    fn watch_revoke(&self, body: &[u8], now_ms: i64) {
        let world = self.world();
        let mut fields = url::form_urlencoded::parse(body).into_owned();
        let Some((_, token)) = fields.find(|(name, _)| name == "token") else {
            return;
        };
        let Some(set) = world.stored() else { return };
        if set.has(&Secret::from(token.as_str())) {
            world.violated("a token that is still ours was revoked".to_owned());
        }
        let is_proved = set.access.as_ref().is_some_and(|access| {
            let inner = world.inner();
            inner.proved.contains(access.secret.expose())
                || !inner.issuer.accepts(access.secret.expose(), now_ms)
        });
        if !is_proved {
            world.violated("a token was revoked before the new one was proven".to_owned());
        }
    }
}

/// The issuer behind the wire.
struct Behind {
    ports: Ports,
    clock: Arc<dyn Clock>,
}

struct OfConnection {
    ports: Ports,
    endpoint: TokenEndpoint,
}

#[async_trait]
impl Products for Behind {
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure> {
        let _ = connection;
        Err(lost(Effect::NotSent))
    }

    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure> {
        let _ = connection;
        Err(lost(Effect::NotSent))
    }

    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure> {
        let transport: Arc<dyn Transport> = Arc::new(self.ports.clone());
        let clock = Arc::clone(&self.clock);
        Ok(Arc::new(OfConnection {
            ports: self.ports.clone(),
            endpoint: TokenEndpoint::new(transport, clock, connection, "/token"),
        }))
    }

    fn meter(&self, _: &ConnectionName) -> Meter {
        Meter::default()
    }
}

#[async_trait]
impl Issuer for OfConnection {
    async fn refresh(&self, refresh: &Secret, within: Duration) -> Result<Issued, CallFailure> {
        self.endpoint.obtain(By::Refresh(refresh), within).await
    }

    async fn log_in(
        &self,
        username: &str,
        password: &Secret,
        within: Duration,
    ) -> Result<Issued, CallFailure> {
        let by = By::Password { username, password };
        self.endpoint.obtain(by, within).await
    }

    async fn prove(&self, access: &Secret, _: Duration) -> Result<(), CallFailure> {
        if self.ports.world().bug == Some(Bug::RevokeBeforeProof) {
            return Ok(());
        }
        let failed =
            |kind| CallFailure::new("the product", "prove", Effect::Unknown, kind, "simulated");
        match self.ports.opens(access).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed(Kind::Unauthorized)),
            Err(_) => Err(failed(Kind::Unavailable)),
        }
    }

    async fn revoke(&self, token: &Secret, within: Duration) -> Result<(), CallFailure> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose())
            .finish();
        let request = http::Request::post("https://contoso.service-now.com/revoke")
            .body(Bytes::from(body))
            .map_err(|_| lost(Effect::NotSent))?;
        let answer = self.ports.send(request, within).await;
        answer.map(|_| ()).map_err(|_| lost(Effect::Unknown))
    }

    fn replaces_refresh_tokens(&self) -> bool {
        self.ports.world().rotation == Rotation::Replaced
    }
}
