//! The connections that there may be at once. Who comes when all seats are taken gets that of whoever has been idle for longest:
//! connections that say nothing keep nobody out (row W37).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Connections at once: half of the 1,024 files that a process may usually have open, so that state and products have theirs.
pub(super) const CONNECTIONS_MAX: usize = 512;

/// How long a connection may be without a request. One of HTTP/1.1 ends sooner, because its next head is late then.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// All seats.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// The idle connections, longest first.
#[derive(Default)]
struct Idle {
    next: u64,
    since: BTreeMap<u64, Arc<Notify>>,
}

/// One of them. It is free again when this is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    gone: Arc<Notify>,
    requests: Mutex<Requests>,
    _permit: OwnedSemaphorePermit,
}

/// How many requests are under way, and since when there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Requests {
    under_way: u32,
    idle_since: Option<u64>,
}

/// A request is under way until this is dropped.
pub(super) struct Busy(Arc<Seat>);

impl Seats {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            idle: Mutex::default(),
        })
    }

    /// A seat for a connection that has come. `None` only if there are none any more.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.clear_one();
                Arc::clone(&self.free).acquire_owned().await.ok()?
            }
        };
        let gone = Arc::new(Notify::new());
        let idle_since = Some(self.idle().enter(&gone));
        Some(Arc::new(Seat {
            seats: Arc::clone(self),
            gone,
            requests: Mutex::new(Requests {
                under_way: 0,
                idle_since,
            }),
            _permit: permit,
        }))
    }

    /// Ends the connection that has been idle for longest, if any is.
    pub(super) fn clear_one(&self) {
        if let Some((_, connection)) = self.idle().since.pop_first() {
            connection.notify_one();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn enter(&mut self, connection: &Arc<Notify>) -> u64 {
        let place = self.next;
        self.next = self.next.wrapping_add(1);
        self.since.insert(place, Arc::clone(connection));
        place
    }
}

impl Seat {
    /// Serves a connection to its end, or until its seat is wanted for another or it has been idle for too long.
    pub(super) async fn keep(&self, served: impl Future<Output = ()>) {
        self.keep_within(served, IDLE_MAX).await;
    }

    async fn keep_within(&self, served: impl Future<Output = ()>, idle_max: Duration) {
        let mut served = pin!(served);
        loop {
            let before = *self.requests();
            tokio::select! {
                biased;
                () = &mut served => return,
                () = self.gone.notified() => return,
                () = super::pause(idle_max) => {
                    if before.idle_since.is_some() && *self.requests() == before {
                        return;
                    }
                }
            }
        }
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut requests = self.requests();
        requests.under_way = requests.under_way.saturating_add(1);
        if let Some(place) = requests.idle_since.take() {
            self.seats.idle().since.remove(&place);
        }
        Busy(Arc::clone(self))
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.under_way = requests.under_way.saturating_sub(1);
        if requests.under_way == 0 {
            requests.idle_since = Some(self.0.seats.idle().enter(&self.0.gone));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let idle_since = self.requests().idle_since;
        if let Some(place) = idle_since {
            self.seats.idle().since.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_gone(seat: &Seat) -> bool {
        let gone = tokio::time::timeout(Duration::from_millis(10), seat.gone.notified());
        gone.await.is_ok()
    }

    #[tokio::test]
    async fn w37_the_longest_idle_connection_makes_room_and_a_busy_one_does_not() {
        let seats = Seats::new();
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            taken.push(seats.take().await.unwrap());
        }
        let busy = taken[0].begin();
        let coming = tokio::time::timeout(Duration::from_millis(20), seats.take());
        assert!(coming.await.is_err(), "nobody has left yet");
        assert!(is_gone(&taken[1]).await, "the longest idle is asked to go");
        assert!(!is_gone(&taken[0]).await && !is_gone(&taken[2]).await);
        drop(taken.remove(1));
        assert!(seats.take().await.is_some());
        drop(busy);
        assert_eq!(seats.idle().since.len(), CONNECTIONS_MAX - 1);
        drop(taken);
        assert!(seats.idle().since.is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_is_idle_for_long_is_ended() {
        let idle_max = Duration::from_millis(20);
        let seats = Seats::new();
        let seat = seats.take().await.unwrap();
        let busy = seat.begin();
        let kept = seat.keep_within(std::future::pending(), idle_max);
        let kept = tokio::time::timeout(idle_max * 5, kept).await;
        assert!(kept.is_err(), "it has a request");
        drop(busy);
        let kept = seat.keep_within(std::future::pending(), idle_max);
        let kept = tokio::time::timeout(Duration::from_secs(10), kept).await;
        assert!(kept.is_ok());
    }
}
