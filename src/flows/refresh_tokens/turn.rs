//! One connection's turn, under its lease: runs the machine of [`crate::domain::renewal`], writes each state down, then does
//! the one thing that it asks for.

mod ending;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use super::storing::STORE_FOR;
use super::{NotRefreshed, Order, Refreshed};
use crate::domain::connection::{Connection, Grant};
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::{self, Effect, Input, Renewal, Rules};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{Mark, TokenSet};
use crate::flows::{Budget, Core};
use crate::ports::Issuer;
use crate::stores::numbered_log::Head;
use crate::stores::objects::StoreFailure;

/// How long one call to the issuer or the product may take.
pub(in crate::flows) const CALL_MAX: Duration = Duration::from_secs(20);

/// What must be left of a run before the issuer is asked: the call, the reserve for storing what it gives, and what is
/// written down (rule R36).
const CALL_NEEDS: Duration = Duration::from_secs(60);

/// What must be left before any other call.
const STEP_NEEDS: Duration = Duration::from_secs(5);

/// How long a lease is held: a call, its storing, the proof and what follows. So long nobody else takes a turn after a
/// crash; two ticks of five minutes are longer, so that it is written down within ten minutes that a person is needed (I17).
pub(in crate::flows) const LEASE_FOR: Duration = Duration::from_secs(150);

/// Steps of one turn, beside those that take an older version out of use each: a bound against a machine that goes in
/// circles, far above what any way through it takes.
const STEPS_MAX: usize = 40;

/// The lease of a connection's renewal.
pub(in crate::flows) fn lease_of(name: &ConnectionName) -> String {
    format!("renewal-{name}")
}

/// A connection's turn.
pub(in crate::flows) struct Turn<'a> {
    core: &'a Core,
    connection: Arc<Connection>,
    order: Order,
    budget: Budget,
    /// When the turn's lease was taken, on the monotonic clock.
    began_at: Duration,
    head: Option<Head<Renewal>>,
    state: Renewal,
    /// What the vault has, as last read.
    set: Option<Box<TokenSet>>,
    /// Tokens of ours that never came into the vault.
    orphans: Vec<Secret>,
    /// The set that was current when the turn began.
    before: Option<Mark>,
    is_overtaken: bool,
}

impl<'a> Turn<'a> {
    /// Begins. Its lease is held.
    pub(in crate::flows) async fn new(
        core: &'a Core,
        connection: Arc<Connection>,
        order: Order,
        budget: Budget,
    ) -> Result<Self, StoreFailure> {
        let began_at = core.clock.monotonic();
        let head = core.renewals.read(&connection.name).await?;
        let state = head
            .as_ref()
            .map(|head| head.state.clone())
            .unwrap_or_default();
        Ok(Self {
            core,
            connection,
            order,
            budget,
            began_at,
            before: state.current.as_ref().map(|set| set.mark.clone()),
            head,
            state,
            set: None,
            orphans: Vec::new(),
            is_overtaken: false,
        })
    }

    /// The issuer, for who needs one.
    pub(in crate::flows) fn issuer(&self) -> Result<Arc<dyn Issuer>, CallFailure> {
        self.core.products.issuer(&self.connection)
    }

    /// Runs the machine from `input` on, until it rests.
    pub(in crate::flows) async fn run(
        &mut self,
        wished_at: Option<Timestamp>,
        input: Input,
    ) -> Result<(), NotRefreshed> {
        let is_forced = self.order.forced || self.state.heeds(self.core.clock.now(), wished_at);
        let replaces = match self.connection.grant {
            Grant::ClientCredentials => false,
            Grant::Password => self.issuer()?.replaces_refresh_tokens(),
        };
        let mut input = input;
        // What is wished for is done once.
        let mut forced = is_forced;
        for _ in 0..STEPS_MAX.saturating_add(self.state.replaced.len()) {
            let rules = Rules {
                grant: self.connection.grant,
                replaces,
                tick: self.order.tick,
                may_call: self.may_call(),
                holds: self.holds(),
                forced,
            };
            let now = self.core.clock.now();
            let (after, effect) = renewal::next(&self.state, now, &rules, input);
            if matches!(effect, Effect::Call) {
                forced = false;
            }
            if after != self.state && !self.write(after).await? {
                self.is_overtaken = true;
                return Ok(());
            }
            let needs_time = !matches!(effect, Effect::Rest | Effect::Look | Effect::Store);
            if effect == Effect::Rest
                || (needs_time && !self.budget.can_start(&*self.core.clock, STEP_NEEDS))
            {
                return Ok(());
            }
            input = self.perform(effect).await?;
        }
        tracing::error!(connection = %self.connection.name, "the machine of the renewal went in circles");
        Ok(())
    }

    /// The issuer may be asked: there is time for it and for storing what it gives, and the lease is young. A process that
    /// stood still must not ask beside another.
    fn may_call(&self) -> bool {
        let age = self.core.clock.monotonic().saturating_sub(self.began_at);
        self.budget.can_start(&*self.core.clock, CALL_NEEDS)
            && age.saturating_add(CALL_MAX + STORE_FOR) < LEASE_FOR
    }

    fn holds(&self) -> bool {
        let ours = self.core.unstored.of(&self.connection.name);
        let current = self.state.current.as_ref().map(|set| &set.mark);
        ours.is_some_and(|ours| ours.from.as_ref() == current)
    }

    /// Writes a state down; false if somebody else wrote first.
    async fn write(&mut self, state: Renewal) -> Result<bool, StoreFailure> {
        let (core, name) = (self.core, &self.connection.name);
        let (writer, now) = (core.writer_id(), core.clock.now());
        let renewals = &core.renewals;
        let written = renewals.write(name, self.head.as_ref(), &writer, now, &state);
        let Some(head) = written.await? else {
            return Ok(false);
        };
        self.head = Some(head);
        self.state = state;
        Ok(true)
    }

    async fn perform(&mut self, effect: Effect) -> Result<Input, NotRefreshed> {
        Ok(match effect {
            Effect::Look => self.look().await,
            Effect::Call => self.call().await?,
            Effect::Store => self.store().await,
            Effect::Prove => self.prove().await?,
            Effect::Disable(version) => self.disable(version).await,
            Effect::Revoke => self.revoke().await?,
            Effect::Rest => Input::Begin,
        })
    }

    /// What became of it.
    pub(in crate::flows) fn outcome(&self) -> Refreshed {
        let set = self.state.current.as_ref();
        Refreshed {
            renewed: set.map(|set| &set.mark) != self.before.as_ref() && set.is_some(),
            is_idle: false,
            busy: self.is_overtaken,
            access_ends_at: set.and_then(|set| set.access_ends_at),
            refresh_ends_at: set.and_then(|set| set.refresh_ends_at),
            login: self.state.login,
            trouble: self.state.trouble.clone(),
        }
    }
}
