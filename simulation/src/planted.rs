//! Defences taken away on purpose: a simulation that does not miss them would not miss a real bug either.
//!
//! Each bug is planted at a port, in what the connector's code is told by the store, the product or its own answer, so
//! that what ships has no switch for any of them. Where the bug would be in the core (an audit that is left out, a claim
//! that nobody takes), the port is made to look as if the core had it: the effect on everybody else is the same.
//! [`hunt`] has the share of seeds that find each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use itsm_connector::hosts::reply::Reply;
use itsm_connector::ports::Products;
use object_store::path::Path;
use object_store::{PutPayload, PutResult};

use crate::attic;
use crate::backlog::{self, Deed};
use crate::process::Process;
use crate::product::holds;

pub mod hunt;
mod products;

macro_rules! bugs {
    ($($(#[doc = $meaning:literal])* $name:ident $word:literal,)*) => {
        /// A bug that is planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Planted { $($(#[doc = $meaning])* $name,)* }

        impl Planted {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What is wrong.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),*).trim_ascii(),)* }
            }
        }
    };
}

bugs! {
    /// Nobody claims: whoever finds no work item by its correlation id makes one.
    SearchThenCreate "search-then-create",
    /// Whoever fails takes the claim, and all that is known of the slot, with it.
    ClaimRemovedOnError "claim-removed-on-error",
    /// A claim that ran out is taken over, and the item is made again without looking for it.
    RerunWithoutReconciliation "rerun-without-reconciliation",
    /// Nobody looks for a second item, and one too many stays open.
    NoAudit "no-audit",
    /// The audit's search shows the oldest item only.
    BlindAudit "blind-audit",
    /// A Resolved that comes before its Fired is dropped.
    EarlyResolvedDropped "early-resolved-dropped",
    /// An alert is answered 2xx before it is written down.
    AcknowledgedBeforeJournaled "acknowledged-before-journaled",
    /// An alert is answered 2xx although the store failed.
    AnswersUndurable "answers-undurable",
    /// Pending markers are lost without a word.
    LosesMarkers "loses-markers",
    /// What a retry could mend is answered 500.
    ServerErrorInsteadOf503 "500-instead-of-503",
    /// The correlation id and the key name the slot, and not the item.
    CorrelationPerSlot "correlation-per-slot",
    /// The store ignores create-only: every claim is granted.
    ConflictsSucceed "conflicts-succeed",
    /// A conflict is taken for a loss; nobody reads back whose write is there.
    ConflictIsLoss "conflict-is-loss",
    /// Drains take no lease.
    DrainWithoutLease "drain-without-lease",
    /// What the product asks to wait is not read.
    RetryAfterIgnored "retry-after-ignored",
    /// A record is written to without having been read.
    WriteWithoutRead "write-without-read",
    /// An outcome that nobody knows is taken for a refusal.
    UnknownIsRefused "unknown-is-refused",
    /// A note on a work item is written twice.
    NotesTwice "notes-twice",
    /// With the first old snapshot of a slot that is removed the very first goes, which keeps it from beginning anew.
    FirstSnapshotRemoved "first-snapshot-removed",
}

impl Planted {
    fn is(self, process: &Process) -> bool {
        process.scene.planted == Some(self)
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.as_str() == word)
    }

    /// What it does instead of a call that makes an object.
    pub fn instead_of_put(
        process: &Arc<Process>,
        location: &Path,
        payload: &PutPayload,
    ) -> Option<PutResult> {
        let is_in = |folder| location.as_ref().starts_with(folder);
        let keeps = is_in("journal/") || is_in("pending/");
        if Self::AcknowledgedBeforeJournaled.is(process) && keeps {
            let scene = &process.scene;
            let wait = Duration::from_millis(scene.weather().between(10, 3_000));
            let deed = Deed::CreateIfAlive(Arc::clone(process), location.clone(), payload.clone());
            scene.backlog().add(scene.elapsed() + wait, deed);
            return Some(made());
        }
        let is_claim = || {
            let says_so = |part: &Bytes| holds(part, b"\"is\":\"creating\"");
            is_in("slots/") && payload.iter().any(says_so)
        };
        let pretends = (Self::LosesMarkers.is(process) && is_in("pending/"))
            || (Self::DrainWithoutLease.is(process) && is_in("leases/"))
            || (Self::SearchThenCreate.is(process) && is_claim());
        pretends.then(made)
    }

    /// What it makes of what is written.
    pub fn on_payload(process: &Process, location: &Path, payload: PutPayload) -> PutPayload {
        if !Self::EarlyResolvedDropped.is(process) || !location.as_ref().starts_with("slots/") {
            return payload;
        }
        let content: Bytes = payload.into();
        let without = serde_json::from_slice::<serde_json::Value>(&content).map(|mut content| {
            if let Some(state) = content["state"].as_object_mut() {
                state.remove("early");
            }
            content.to_string()
        });
        match without {
            Ok(without) => PutPayload::from(without),
            Err(_) => PutPayload::from(content),
        }
    }

    /// What it makes of a put's answer.
    pub fn on_put(
        process: &Process,
        location: &Path,
        answer: object_store::Result<PutResult>,
    ) -> object_store::Result<PutResult> {
        let is_in = |folder| location.as_ref().starts_with(folder);
        match &answer {
            Err(object_store::Error::AlreadyExists { .. })
                if Self::ConflictsSucceed.is(process) && (is_in("slots/") || is_in("probe/")) =>
            {
                Ok(made())
            }
            Err(object_store::Error::Generic { .. })
                if Self::AnswersUndurable.is(process)
                    && (is_in("journal/") || is_in("pending/")) =>
            {
                Ok(made())
            }
            _ => answer,
        }
    }

    /// What it removes beside.
    pub fn on_removal(process: &Process, location: &Path) {
        if !Self::FirstSnapshotRemoved.is(process) || !location.as_ref().starts_with("slots/") {
            return;
        }
        if let Some((folder, _)) = location.as_ref().rsplit_once('/') {
            let first = format!("{folder}/{}", attic::FIRST);
            process.scene.watch_removal(&first);
            backlog::delete(&process.scene.memory, Path::from(first));
        }
    }

    /// What a writer that was told of a conflict, or nothing, reads where it wrote; `None` if that is what is there.
    pub fn on_read_back(process: &Process, content: &[u8]) -> Option<Bytes> {
        if !Self::ConflictIsLoss.is(process) {
            return None;
        }
        let mut content: serde_json::Value = serde_json::from_slice(content).ok()?;
        *content.get_mut("writer")? = "somebody else".into();
        Some(content.to_string().into())
    }

    /// What it makes of the product's answer.
    pub fn on_answer(planted: Option<Self>, answer: &mut http::Response<Bytes>) {
        if planted == Some(Self::RetryAfterIgnored) {
            answer.headers_mut().remove(http::header::RETRY_AFTER);
            answer.headers_mut().remove("x-ratelimit-reset");
        }
    }

    /// What it makes of our answer to Azure.
    pub fn on_reply(planted: Option<Self>, mut reply: Reply) -> Reply {
        let is_planted = planted == Some(Self::ServerErrorInsteadOf503);
        if is_planted && reply.status == StatusCode::SERVICE_UNAVAILABLE {
            reply.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        reply
    }

    /// What it makes of the products' clients.
    pub fn products(process: &Arc<Process>, products: Arc<dyn Products>) -> Arc<dyn Products> {
        match process.scene.planted {
            Some(bug) if products::concerns(bug) => {
                products::worse(bug, Arc::clone(process), products)
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
