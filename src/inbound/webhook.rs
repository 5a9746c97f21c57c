//! A webhook call, and whether it may be believed: that is part of its type.
//!
//! [`Webhook<Unverified>`] has no way to its body; [`Webhook::verify`] is the only way to a [`Webhook<Verified>`], and
//! only that takes a body.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::webhook_auth::Admitted;

/// Nobody has looked yet whether the caller may be believed.
#[derive(Debug)]
pub struct Unverified;

/// The caller may be believed.
#[derive(Debug)]
pub struct Verified;

/// A call of the webhook.
#[derive(Debug)]
pub struct Webhook<State> {
    connection: ConnectionName,
    action: ActionName,
    state: PhantomData<State>,
}

impl Webhook<Unverified> {
    /// A call as it arrives: whom it is for.
    pub fn new(connection: ConnectionName, action: ActionName) -> Self {
        Self {
            connection,
            action,
            state: PhantomData,
        }
    }

    /// The call of somebody who may be believed: the proof is had only by looking.
    pub fn verify(self, _proof: Admitted) -> Webhook<Verified> {
        Webhook {
            connection: self.connection,
            action: self.action,
            state: PhantomData,
        }
    }
}

impl Webhook<Verified> {
    /// The call with its body.
    pub fn with_body(self, body: Bytes) -> Delivery {
        Delivery {
            connection: self.connection,
            action: self.action,
            body,
        }
    }
}

/// A verified call with its body: what the flow takes, and the only thing that the parser takes.
#[derive(Debug, Clone)]
pub struct Delivery {
    connection: ConnectionName,
    action: ActionName,
    body: Bytes,
}

impl Delivery {
    /// A delivery taken back from our own journal, where only verified ones are kept.
    pub fn from_journal(connection: ConnectionName, action: ActionName, body: Bytes) -> Self {
        Self {
            connection,
            action,
            body,
        }
    }

    /// What a webhook would have brought, by Azure's own list of alerts, which was asked for with our own token.
    pub fn from_azures_list(connection: ConnectionName, action: ActionName, body: Bytes) -> Self {
        Self::from_journal(connection, action, body)
    }

    /// A delivery that a person at the desk looks at, and that goes nowhere.
    pub fn of_a_person(connection: ConnectionName, action: ActionName, body: Bytes) -> Self {
        Self::from_journal(connection, action, body)
    }

    /// The connection that it is for.
    pub fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// The action that it is for.
    pub fn action(&self) -> &ActionName {
        &self.action
    }

    /// The body, without a byte order mark.
    pub fn body(&self) -> &[u8] {
        self.body
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.body)
    }
}
