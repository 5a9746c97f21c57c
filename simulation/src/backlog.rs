//! What takes effect after its caller has given up: writes that a store finishes late, and requests of a process that
//! stood still in the middle of its send.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload};

use crate::process::Process;

/// What takes effect late.
#[derive(Debug)]
pub enum Deed {
    /// An object is made, unless it is there.
    Create(Path, PutPayload),
    /// An object is made if its maker still lives.
    CreateIfAlive(Arc<Process>, Path, PutPayload),
    /// An object is removed.
    Delete(Path),
    /// A request reaches the product; nobody waits for its answer.
    Send(Box<http::Request<Bytes>>),
}

/// What is still to take effect.
#[derive(Debug, Default)]
pub struct Backlog(Vec<(Duration, Deed)>);

impl Backlog {
    /// Adds a deed for a moment of the run.
    pub fn add(&mut self, at: Duration, deed: Deed) {
        let place = self.0.partition_point(|(due, _)| *due <= at);
        self.0.insert(place, (at, deed));
    }

    /// The next deed that is due.
    pub fn next(&mut self, now: Duration) -> Option<(Duration, Deed)> {
        let is_due = self.0.first().is_some_and(|(due, _)| *due <= now);
        is_due.then(|| self.0.remove(0))
    }

    /// True if nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes an object, unless it is there; true if it was not.
pub fn create(memory: &InMemory, location: &Path, payload: PutPayload) -> bool {
    let options = PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    let put = memory.put_opts(location, payload, options).now_or_never();
    put.is_some_and(|put| put.is_ok())
}

/// Removes an object.
pub fn delete(memory: &InMemory, location: Path) {
    let one = futures_util::stream::iter([Ok(location)]).boxed();
    let removed = memory.delete_stream(one).try_collect::<Vec<_>>();
    let _ = removed.now_or_never();
}
