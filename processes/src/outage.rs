//! An outage of a day: alerts come, the product does not answer; then it is back, and says how many calls an hour it
//! allows. The real flows and client under the paused clock, so that two days take minutes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::create_work_item::{self, Labelled};
use itsm_connector::flows::{Core, Outside, drain};
use itsm_connector::inbound::webhook::Delivery;
use itsm_connector::ports::{Clock, Transport, TransportFailure, TransportTrouble, Vault};
use simulation::clock::{BEGINNING_MS, SimClock, SimEntropy, moment, pause};
use simulation::dice::Dice;
use simulators::journal::Kind;
use simulators::machine::{Delivery as Arrival, Machine as _};
use simulators::servicenow::{AppliesTo, Config, RateLimit, ServiceNow};

use crate::Trouble;
use crate::alerts::{Condition, Manner, Plan, tag, tag_in};
use crate::vault::OneDefinition;

/// How long a call takes.
const CALL_TAKES: Duration = Duration::from_millis(250);

/// How often the timer drains, and how long it may.
const DRAIN_EVERY: Duration = Duration::from_secs(60);
const DRAIN_WITHIN: Duration = Duration::from_secs(55);

/// After so long it would never end.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Alerts in the outage.
    pub alerts: usize,
    /// How long the product does not answer.
    pub outage: Duration,
    /// Calls an hour that the product allows, and says so.
    pub per_hour: u64,
    /// Decides all that is drawn.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Fired and Resolved messages.
    pub messages: usize,
    /// Work items in the end.
    pub made: usize,
    /// Of them, resolved ones.
    pub resolved: usize,
    /// Calls after the outage, without tokens.
    pub calls: usize,
    /// Of them, refused for the limit.
    pub refused: usize,
    /// How long it took after the outage until nothing waited for the first time.
    pub drained_in: Duration,
    /// What is wrong.
    pub violations: Vec<String>,
}

struct InProcess {
    product: Arc<Mutex<ServiceNow>>,
    clock: Arc<dyn Clock>,
    down_for: Duration,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        if self.clock.monotonic() < self.down_for {
            pause(Duration::from_millis(5)).await;
            return Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
        }
        let now_ms = self.clock.now().as_millis();
        let answer = locked(&self.product).answer(request, now_ms);
        pause(CALL_TAKES).await;
        match answer.delivery {
            Arrival::Whole => Ok(answer.response),
            _ => Err(TransportFailure::Unknown(TransportTrouble::Broken)),
        }
    }
}

/// Runs it on a paused clock of its own.
pub fn run(order: Order) -> Result<Outcome, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(Box::pin(act(order)))
}

async fn act(order: Order) -> Result<Outcome, Trouble> {
    let product = Arc::new(Mutex::new(ServiceNow::new(Config {
        seed: order.seed,
        rate_limits: vec![RateLimit {
            applies_to: AppliesTo::AllUsers,
            per_hour: order.per_hour,
        }],
        ..Config::default()
    })));
    let clock: Arc<dyn Clock> = Arc::new(SimClock::new(moment(), 0));
    let vault: Arc<dyn Vault> = Arc::new(OneDefinition::new("https://contoso.service-now.com"));
    let transport = Arc::new(InProcess {
        product: Arc::clone(&product),
        clock: Arc::clone(&clock),
        down_for: order.outage,
    });
    let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&clock));
    let core = Core::new(Outside {
        store: state_store::memory(),
        vault,
        products: Arc::new(products),
        clock: Arc::clone(&clock),
        entropy: Arc::new(SimEntropy::new(Dice::new(order.seed, "entropy"))),
        allowed: AllowedHosts::default(),
    });
    let name = ConnectionName::parse("contoso").map_err(|_| "no name".to_owned())?;

    let messages = messages(order);
    let all = messages.len();
    let (all_sent, first_rest) = (Cell::new(false), Cell::new(None));
    let sending = futures_util::stream::iter(messages).for_each_concurrent(64, |message| {
        let (core, name, clock) = (&core, &name, &clock);
        async move {
            pause(message.at.saturating_sub(clock.monotonic())).await;
            let body = Bytes::from(message.body());
            let delivery = Delivery::from_journal(name.clone(), ActionName::default(), body);
            let kept = create_work_item::receive(core, delivery, Labelled::Json);
            // It is kept: nothing is wrong with this store.
            let _ = Box::pin(kept).await;
        }
    });
    let draining = async {
        loop {
            // The lease keeps a second one off; what one drain leaves, the next takes up.
            let _ = Box::pin(drain::run(&core, DRAIN_WITHIN)).await;
            let waits = core.pending.has_any(&name).await.unwrap_or(true);
            if !waits && clock.monotonic() > order.outage {
                let drained_in = clock.monotonic().saturating_sub(order.outage);
                first_rest.set(Some(first_rest.get().unwrap_or(drained_in)));
                if all_sent.get() {
                    return;
                }
            }
            if clock.monotonic() > order.outage + PATIENCE {
                return;
            }
            let next = clock.monotonic().as_secs() / 60 * 60 + DRAIN_EVERY.as_secs();
            pause(Duration::from_secs(next).saturating_sub(clock.monotonic())).await;
        }
    };
    let sending = async {
        sending.await;
        all_sent.set(true);
    };
    futures_util::future::join(sending, draining).await;

    let left = core.pending.list(&name).await.map_or(0, |left| left.len());
    let dead = core.dead.list(&name).await.map_or(0, |dead| dead.len());
    let product = locked(&product);
    let mut outcome = look(order, &product);
    outcome.messages = all;
    outcome.drained_in = first_rest.get().unwrap_or(PATIENCE);
    if left > 0 || dead > 0 {
        let seen = format!("{left} still wait, {dead} were given up");
        outcome.violations.push(seen);
    }
    Ok(outcome)
}

/// A message and when it is sent.
struct Message {
    plan: Plan,
    condition: Condition,
    at: Duration,
}

impl Message {
    fn body(&self) -> Vec<u8> {
        let moment = |ms| Timestamp::from_millis(BEGINNING_MS).plus(Duration::from_millis(ms));
        let resolved_at = self.plan.resolved_ms.map(moment);
        self.plan
            .body_at(self.condition, moment(self.plan.fired_ms), resolved_at)
    }
}

/// Whether an alert is over in the end, and whether it still fires when the product is back.
fn ends(n: usize, outage: Duration) -> Option<Duration> {
    match n % 5 {
        0 | 1 => Some(Duration::from_secs(30 * 60)),
        2 => Some(outage),
        _ => None,
    }
}

/// All messages in the order of time. The alerts come in the outage; of five, two end in it or soon after, one when as
/// long as the outage has passed, two go on.
fn messages(order: Order) -> Vec<Message> {
    let mut dice = Dice::new(order.seed, "outage");
    let outage_ms = u64::try_from(order.outage.as_millis()).unwrap_or(u64::MAX);
    let mut messages = Vec::with_capacity(order.alerts * 2);
    for n in 0..order.alerts {
        let fired_ms = dice.below(outage_ms);
        let span_ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let plan = Plan {
            tag: tag(n),
            severity: format!("Sev{}", dice.below(5)),
            fired_ms,
            resolved_ms: ends(n, order.outage).map(|span| fired_ms + span_ms(span)),
            manner: Manner::Well,
        };
        if let Some(resolved_ms) = plan.resolved_ms {
            messages.push(Message {
                plan: plan.clone(),
                condition: Condition::Resolved,
                at: Duration::from_millis(resolved_ms),
            });
        }
        messages.push(Message {
            plan,
            condition: Condition::Fired,
            at: Duration::from_millis(fired_ms),
        });
    }
    messages.sort_by_key(|message| message.at);
    messages
}

/// How everything stands in the product.
fn look(order: Order, product: &ServiceNow) -> Outcome {
    let mut outcome = Outcome::default();
    let mut accuse = |what: String| {
        if outcome.violations.len() < 20 {
            outcome.violations.push(what);
        }
    };
    let mut states: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut made_at: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, entry) in product.journal().entries().iter().enumerate() {
        let Some(key) = entry.sys_id.as_deref() else {
            continue;
        };
        match entry.kind {
            Kind::Create => {
                made_at.entry(key).or_insert(place);
            }
            Kind::Update if !made_at.contains_key(key) => {
                accuse(format!("{key} was changed before it was made"));
            }
            _ => {}
        }
    }
    for key in made_at.keys() {
        let record = product.record(key).unwrap_or_default();
        let tag = record["short_description"].as_str().and_then(tag_in);
        let state = record["state"].as_str().unwrap_or_default().to_owned();
        let entry = states.entry(tag.unwrap_or_default()).or_default();
        *entry = (state, entry.1 + 1);
    }
    let mut resolved = 0;
    for n in 0..order.alerts {
        let wanted = if ends(n, order.outage).is_some() {
            "6"
        } else {
            "1"
        };
        resolved += usize::from(wanted == "6");
        match states.remove(&tag(n)) {
            Some((state, 1)) if state == wanted => {}
            Some((state, times)) => {
                accuse(format!(
                    "{} is in state {state}, made {times} times",
                    tag(n)
                ));
            }
            None => accuse(format!("{} has no work item", tag(n))),
        }
    }
    if !states.is_empty() {
        accuse(format!("{} work items that nobody asked for", states.len()));
    }
    let made = made_at.len();
    let calls = product.journal().entries().iter();
    let calls: Vec<u16> = calls
        .filter(|entry| entry.kind != Kind::Token)
        .map(|entry| entry.status)
        .collect();
    outcome.made = made;
    outcome.resolved = resolved;
    outcome.calls = calls.len();
    outcome.refused = calls.iter().filter(|status| **status == 429).count();
    if outcome.refused > 0 {
        let seen = format!("{} calls were refused with 429", outcome.refused);
        outcome.violations.push(seen);
    }
    outcome
}

impl Outcome {
    /// The report.
    pub fn text(&self, order: Order, seconds: f64) -> String {
        let hours = self.drained_in.as_secs_f64() / 3600.0;
        let bound = self.calls as f64 / order.per_hour as f64;
        let mut out = format!(
            "an outage of {} h: {} alerts, {} messages; then {} calls an hour allowed ({seconds:.0} s)\n\
             work items   {} made, {} resolved\n\
             calls        {} ({} refused with 429)\n\
             drained in   {hours:.1} h; the limit alone takes {bound:.1} h\n",
            order.outage.as_secs() / 3600,
            order.alerts,
            self.messages,
            order.per_hour,
            self.made,
            self.resolved,
            self.calls,
            self.refused,
        );
        for violation in &self.violations {
            out.push_str(&format!("  {violation}\n"));
        }
        out.push_str(&format!("violations   {}\n", self.violations.len()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_outage_everything_is_there_and_no_call_was_one_too_many() {
        let order = Order {
            alerts: 400,
            outage: Duration::from_secs(6 * 3600),
            per_hour: 300,
            seed: 1,
        };
        let outcome = run(order).unwrap();
        assert_eq!(outcome.violations, [""; 0]);
        assert_eq!((outcome.made, outcome.refused), (400, 0));
        // Calls that are kept back, and the wait for the next hour.
        let bound = outcome.calls as f64 / order.per_hour as f64;
        let hours = outcome.drained_in.as_secs_f64() / 3600.0;
        assert!(
            hours < bound * 1.2 + 2.0,
            "{hours} h, {bound} h by the limit"
        );
    }
}
