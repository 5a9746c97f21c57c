//! Azure's side: each message tried as an action group tries, by whatever process a load balancer picks, and all of it
//! written down.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use simulation::dice::Dice;

use crate::alerts::{Condition, Manner, Plan};
use crate::fleet::Fleet;
use crate::history::{Ending, History, Try};
use crate::wire::{self, Exchange, Message};
use crate::{ms, pause};

/// The connection of a round.
pub const CONNECTION: &str = "contoso";

/// The key that opens it.
pub const KEY: &str = "a-key-of-this-round-only";

/// How long an action group waits for an answer (azure-platform §3.1).
const PATIENCE: Duration = Duration::from_secs(10);

/// Its waits between tries, seconds (azure-platform §3.1).
const WAITS_S: [u64; 5] = [5, 20, 5, 40, 5];

/// How much faster than Azure's those are here.
const HURRY: u64 = 20;

/// The sender of a round.
pub struct Sender<'a> {
    fleet: &'a Fleet,
    began: Instant,
    dice: Mutex<Dice>,
    history: Mutex<History>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Sender<'a> {
    /// A sender that knows these processes.
    pub fn new(fleet: &'a Fleet, seed: u64, began: Instant) -> Self {
        Self {
            fleet,
            began,
            dice: Mutex::new(Dice::new(seed, "sender")),
            history: Mutex::default(),
        }
    }

    /// What it did and was told.
    pub fn history(&self) -> History {
        locked(&self.history).clone()
    }

    /// Sends what an alert has to say, when it has to; some messages twice at once.
    pub async fn send(&self, plan: &Plan) {
        let fired = async {
            pause(plan.fired_ms).await;
            self.message(plan, Condition::Fired).await;
        };
        let resolved = async {
            if let Some(resolved_ms) = plan.resolved_ms {
                pause(resolved_ms).await;
                self.message(plan, Condition::Resolved).await;
            }
        };
        futures_util::future::join(fired, resolved).await;
    }

    async fn message(&self, plan: &Plan, condition: Condition) {
        let is_doubled = locked(&self.dice).chance(0.2);
        let second = async {
            if is_doubled {
                self.deliver(plan, condition).await;
            }
        };
        futures_util::future::join(self.deliver(plan, condition), second).await;
    }

    /// One delivery, tried until it is answered for good or Azure gives up.
    pub async fn deliver(&self, plan: &Plan, condition: Condition) -> Ending {
        let request = request(plan, condition);
        let mut waits = WAITS_S.into_iter();
        loop {
            let ending = self.one_try(plan, condition, &request).await;
            match (&ending, waits.next()) {
                (Ending::Unknown { .. }, Some(wait_s)) => pause(wait_s * 1000 / HURRY).await,
                _ => return ending,
            }
        }
    }

    async fn one_try(&self, plan: &Plan, condition: Condition, request: &Message) -> Ending {
        let size = self.fleet.size() as u64;
        let node = usize::try_from(locked(&self.dice).below(size)).unwrap_or(0);
        let sent_ms = ms(self.began.elapsed());
        let exchange = wire::exchange(self.fleet.address(node), request, PATIENCE).await;
        let ending = ending(&exchange);
        locked(&self.history).push(Try {
            tag: plan.tag.clone(),
            condition,
            node,
            sent_ms,
            ended_ms: ms(self.began.elapsed()),
            ending: ending.clone(),
        });
        ending
    }
}

/// A message as it is sent.
pub fn request(plan: &Plan, condition: Condition) -> Message {
    let (connection, key) = match plan.manner {
        Manner::Well => (CONNECTION, KEY),
        Manner::WrongKey => (CONNECTION, "another-key"),
        Manner::Nowhere => ("nowhere", KEY),
    };
    Message {
        head: format!(
            "POST /api/create-work-item/{connection} HTTP/1.1\r\nHost: connector\r\nContent-Type: application/json\r\nX-ITSMC-Key: {key}"
        ),
        body: plan.body(condition),
    }
}

/// What an action group makes of an answer: it tries again after 408, 429, 503, 504 and after none (azure-platform §3.1).
/// 500 and 502 it does not, and the alert is lost; here that is told by the checker, as a refusal of something good.
fn ending(exchange: &Exchange) -> Ending {
    let unknown = |status, why| Ending::Unknown { status, why };
    match exchange {
        Exchange::Refused => unknown(0, "nobody listens"),
        Exchange::Broken => unknown(0, "no answer"),
        Exchange::TooLate => unknown(0, "too late"),
        Exchange::Answered(answer) => match answer.status() {
            status @ 200..=299 => Ending::Ok {
                status,
                outcome: outcome(&answer.body),
            },
            status @ (408 | 429 | 503 | 504) => unknown(status, "try again"),
            status => Ending::Fail { status },
        },
    }
}

fn outcome(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["outcome"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_azure_tries_again_is_unknown() {
        let answered = |status: u16| {
            let head = format!("HTTP/1.1 {status} x");
            ending(&Exchange::Answered(Message {
                head,
                body: b"{\"outcome\":\"pending\"}".to_vec(),
            }))
        };
        for status in [408, 429, 503, 504] {
            assert!(
                matches!(answered(status), Ending::Unknown { .. }),
                "{status}"
            );
        }
        for status in [400, 401, 404, 500, 502] {
            assert_eq!(answered(status), Ending::Fail { status });
        }
        let outcome = "pending".to_owned();
        assert_eq!(
            answered(202),
            Ending::Ok {
                status: 202,
                outcome
            }
        );
        assert!(matches!(
            ending(&Exchange::Broken),
            Ending::Unknown { status: 0, .. }
        ));
    }
}
