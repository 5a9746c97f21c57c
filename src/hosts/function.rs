//! What a function does, whatever it runs on: a timer's work, and a webhook for the one that has it.
//!
//! Traits and not an enum: of an enum every host would know every function, and each binary would carry the other two with
//! it to every cold start.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::intake::{Accepted, Head, Opened};
use super::reply::Reply;
use crate::domain::name::{ActionName, ConnectionName};
use crate::ports::Clock;

/// A function as its host sees it. Its ticks stay on one thread, as the runtime does.
#[async_trait(?Send)]
pub trait Function: Debug + Send + Sync {
    /// The time it works with.
    fn clock(&self) -> &dyn Clock;

    /// When its timer ticks.
    fn rhythm(&self) -> Rhythm;

    /// What its timer is for, to the end or to the end of the time. What to do is in the state, whoever wakes it and by
    /// which event (rule R43).
    async fn tick(&self, within: Duration) -> Result<(), NotListed>;

    /// What a tick without a fault is called.
    fn done(&self) -> &'static str;

    /// Its webhook.
    fn webhook(&self) -> Option<&dyn TakesAlerts> {
        None
    }

    /// Ends when nothing is under way that a polite stop must not cut off.
    async fn at_rest(&self) {}
}

/// The webhook: a head decides whether its body is read at all.
#[async_trait]
pub trait TakesAlerts: Send + Sync {
    /// Looks at a request's head.
    async fn open(&self, head: Head<'_>) -> Opened;

    /// The request of somebody whom the platform itself has let in, and who is nobody's proxy.
    fn invoked(&self, connection: ConnectionName, action: ActionName) -> Accepted;

    /// Takes the body of a verified request.
    async fn take_within(&self, accepted: Accepted, body: Bytes, within: Duration) -> Reply;
}

/// How often a function's timer ticks at the desk, and how long a tick may take where the platform does not say.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// Between the end of a tick and the next.
    pub every: Duration,
    /// Of one tick.
    pub within: Duration,
}

/// The connections could not be looked at; the function's log says why.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connections could not be listed; hint: the log says why")]
pub struct NotListed;
