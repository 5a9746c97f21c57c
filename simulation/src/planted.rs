//! Defences taken away on purpose: a simulation that does not miss them would not miss a real bug either.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::allowance::Meter;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect};
use itsm_connector::domain::identity::CorrelationId;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::work_item::{
    Change, NewWorkItem, WorkItemRef, WorkItemSeen, WorkItemType,
};
use itsm_connector::ports::{ItsmProduct, Products};
use object_store::PutResult;
use object_store::path::Path;

/// A bug that is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The store ignores create-only: every claim is granted.
    ConflictsSucceed,
    /// The store says that an alert is kept when it is not.
    AnswersUndurable,
    /// Pending markers are lost without a word.
    LosesMarkers,
    /// An outcome that nobody knows is taken for a refusal.
    UnknownIsRefused,
    /// Of several items with one correlation id, the search shows the oldest only: there is nothing to audit.
    BlindAudit,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ConflictsSucceed,
        Self::AnswersUndurable,
        Self::LosesMarkers,
        Self::UnknownIsRefused,
        Self::BlindAudit,
    ];

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConflictsSucceed => "conflicts-succeed",
            Self::AnswersUndurable => "answers-undurable",
            Self::LosesMarkers => "loses-markers",
            Self::UnknownIsRefused => "unknown-is-refused",
            Self::BlindAudit => "blind-audit",
        }
    }

    /// What it does instead of a put.
    pub fn put(planted: Option<Self>, location: &Path) -> Option<object_store::Result<PutResult>> {
        let is_marker = location.as_ref().starts_with("pending/");
        (planted == Some(Self::LosesMarkers) && is_marker).then(|| Ok(made()))
    }

    /// What it makes of a put's answer.
    pub fn put_answer(
        planted: Option<Self>,
        location: &Path,
        answer: object_store::Result<PutResult>,
    ) -> object_store::Result<PutResult> {
        let is_in = |folder| location.as_ref().starts_with(folder);
        match (planted, &answer) {
            (Some(Self::ConflictsSucceed), Err(object_store::Error::AlreadyExists { .. }))
                if is_in("slots/") =>
            {
                Ok(made())
            }
            (Some(Self::AnswersUndurable), Err(object_store::Error::Generic { .. }))
                if is_in("journal/") || is_in("pending/") =>
            {
                Ok(made())
            }
            _ => answer,
        }
    }

    /// What it makes of the products' clients.
    pub fn products(planted: Option<Self>, products: Arc<dyn Products>) -> Arc<dyn Products> {
        match planted {
            Some(bug @ (Self::UnknownIsRefused | Self::BlindAudit)) => {
                Arc::new(Worse { bug, products })
            }
            _ => products,
        }
    }
}

fn made() -> PutResult {
    PutResult {
        e_tag: None,
        version: None,
        extensions: Default::default(),
    }
}

struct Worse {
    bug: Planted,
    products: Arc<dyn Products>,
}

struct WorseProduct {
    bug: Planted,
    product: Arc<dyn ItsmProduct>,
}

#[async_trait]
impl Products for Worse {
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure> {
        let product = self.products.product(connection).await?;
        Ok(Arc::new(WorseProduct {
            bug: self.bug,
            product,
        }))
    }

    fn meter(&self, connection: &ConnectionName) -> Meter {
        self.products.meter(connection)
    }
}

#[async_trait]
impl ItsmProduct for WorseProduct {
    async fn create(
        &self,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        let made = self.product.create(item, within).await;
        made.map_err(|mut failure| {
            if self.bug == Planted::UnknownIsRefused && failure.effect == Effect::Unknown {
                failure.effect = Effect::Refused;
            }
            failure
        })
    }

    async fn read(
        &self,
        item: &WorkItemRef,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        self.product.read(item, within).await
    }

    async fn find(
        &self,
        kind: WorkItemType,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure> {
        let mut found = self.product.find(kind, correlation, within).await?;
        if self.bug == Planted::BlindAudit {
            found.truncate(1);
        }
        Ok(found)
    }

    async fn look_up(
        &self,
        kind: WorkItemType,
        number: &str,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        self.product.look_up(kind, number, within).await
    }

    async fn write(
        &self,
        item: &WorkItemRef,
        change: &Change,
        within: Duration,
    ) -> Result<(), CallFailure> {
        self.product.write(item, change, within).await
    }

    async fn sign_in(&self, within: Duration) -> Result<(), CallFailure> {
        self.product.sign_in(within).await
    }
}
