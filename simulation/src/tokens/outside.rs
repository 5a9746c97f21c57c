//! Store, vault and way out as one process sees them: each call may be its last, may fail, may lose its answer, and may be
//! done late; and the process may stand still beside it.

mod issuer;
mod process;
mod store;
mod vault;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::{Core, Outside};
use itsm_connector::ports::{Clock, Transport, TransportFailure, TransportTrouble};
use simulators::issuer::Rotation;
use simulators::machine::Machine as _;

use super::book::Delivered;
use super::weather::Part;
use super::world::World;
use crate::clock::{SimClock, SimEntropy};
use crate::dice::Dice;
pub use process::{Life, Who};

/// The outside of one process.
#[derive(Debug, Clone)]
pub struct Ports(pub Arc<Life>);

impl Ports {
    /// Of a new process.
    pub fn new(world: &Arc<World>, who: Who) -> Self {
        let mut inner = world.inner();
        inner.lives += 1;
        let id = inner.lives;
        drop(inner);
        Self(Arc::new(Life::new(world, id, who)))
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
            products: Arc::new(issuer::Behind::new(self.clone(), Arc::clone(&clock))),
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
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let (part, what) = match request.uri().path() {
            "/resource" => (Part::Product, "calls the product"),
            "/revoke" => (Part::Issuer, "revokes"),
            _ => (Part::Issuer, "asks the issuer"),
        };
        self.0.may_stand().await;
        if self.0.is_down(part, what) {
            self.0.takes().await;
            return Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
        }
        let asking = self.begin(&request);
        if asking.is_some() && matches!(self.0.who, Who::Refresher(_)) {
            self.world().somebody_renews();
        }
        let ports = self.clone();
        let refresh = asking.as_ref().map(|asking| asking.refresh.clone());
        let asked = self
            .0
            .risky_or_late(what, move || ports.answer(request, refresh.as_deref()));
        let answered = tokio::time::timeout(within, asked).await;
        drop(asking);
        let answered =
            answered.map_err(|_| TransportFailure::Unknown(TransportTrouble::TimedOut))?;
        if let Some(answer) = &answered {
            self.delivered(answer);
        }
        self.0.may_stand().await;
        answered.ok_or(TransportFailure::Unknown(TransportTrouble::Broken))
    }
}

impl Ports {
    /// The refresh token of a request, which nobody else may be asking with (I18), but for who stood still right before.
    fn begin(&self, request: &http::Request<Bytes>) -> Option<Asking<'_>> {
        let form = url::form_urlencoded::parse(request.body());
        let mut fields = form.into_owned();
        let refresh = fields.find(|(name, _)| name == "refresh_token")?.1;
        let is_first = self.world().inner().in_flight.insert(refresh.clone());
        let is_replaced = self.world().rotation == Rotation::Replaced;
        if is_replaced && matches!(self.0.who, Who::Reader(_)) {
            self.world()
                .violated("a reader used a refresh token that its use replaces".to_owned());
        }
        if !is_first && is_replaced && !self.0.stood_still_lately() {
            self.world()
                .violated("two calls with the same refresh token at once".to_owned());
        }
        Some(Asking {
            world: self.world(),
            refresh,
        })
    }

    fn answer(
        &self,
        request: http::Request<Bytes>,
        refresh: Option<&str>,
    ) -> http::Response<Bytes> {
        let world = self.world();
        let now_ms = world.now_ms();
        if request.uri().path() == "/revoke" {
            self.watch_revoke(request.body(), now_ms);
        }
        let bearer = request.headers().get("authorization").cloned();
        let mut inner = world.inner();
        let revoked = inner.issuer.revoked;
        let answer = inner.issuer.answer(request, now_ms).response;
        if let (true, Some(bearer)) = (answer.status().is_success(), bearer) {
            let bearer = bearer.to_str().unwrap_or_default();
            let access = bearer.trim_start_matches("Bearer ").to_owned();
            inner.proved.insert(access);
        }
        if refresh.is_some() && answer.status().as_u16() == 400 {
            inner.book.refused.push((now_ms, self.0.who));
            inner.book.refused_last = Some(self.0.id);
        }
        let is_revoked = inner.issuer.revoked != revoked;
        inner.book.breaks += u64::from(is_revoked);
        drop(inner);
        if is_revoked {
            world.tell();
        }
        answer
    }

    /// A new refresh token is in this process's memory.
    fn delivered(&self, answer: &http::Response<Bytes>) {
        if self.world().rotation != Rotation::Replaced || !matches!(self.0.who, Who::Refresher(_)) {
            return;
        }
        let document: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if let Some(refresh) = document["refresh_token"].as_str() {
            self.world().inner().book.delivered = Some(Delivered {
                refresh: refresh.to_owned(),
                to: self.0.id,
                at_ms: self.world().now_ms(),
            });
        }
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
