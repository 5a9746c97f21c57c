//! A ServiceNow instance: OAuth, the Table API, the Aggregate API, import sets and Event Management, as documented and as
//! recorded from real ones.
//!
//! What is not built (batch, several rows at once) answers as an instance answers an address that it does
//! not know; XML is refused with 406 and 415.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::fault::{Fault, Faults};
use crate::journal::{Entry, Execution, Journal, Kind};
use crate::machine::{Answer, Controls, Delivery, Machine};

mod acl;
mod call;
mod catalog;
mod choices;
mod columns;
mod config;
mod events;
mod furnishing;
mod ids;
mod imports;
mod instance;
mod limits;
mod listing;
mod matching;
mod oauth;
mod paging;
mod people;
mod query;
mod rendering;
mod reply;
mod rules;
mod saved;
mod schema;
mod spoiling;
mod stamp;
mod stats;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod writing;

use call::Call;
pub use config::{
    Acl, AppliesTo, BusinessRule, Client, ClosingRules, Config, GenericTable, ImportSet, LinkStyle,
    Operation, RateLimit, Semaphores, TokenRules, TransformMap, UnknownField, User,
};
use instance::{Circumstances, Instance, Outcome};
pub use people::made_up_sys_id;
use reply::{Body, Reply};
use saved::LateCall;
pub use saved::LoadError;

/// A simulated ServiceNow instance.
#[derive(Debug)]
pub struct ServiceNow {
    instance: Instance,
    journal: Journal,
    faults: Faults,
    late: Vec<LateCall>,
    /// The last good page of each table, for a server that repeats itself.
    pages: BTreeMap<String, Reply>,
    answered: u64,
}

impl ServiceNow {
    /// A fresh instance.
    pub fn new(config: Config) -> Self {
        let faults = Faults::new(config.seed);
        let mut instance = Instance {
            schema: schema::Schema::of(&config),
            config,
            store: store::Store::default(),
            tokens: tokens::Tokens::default(),
            limits: limits::Limits::default(),
            transactions: 0,
        };
        furnishing::furnish(&mut instance);
        Self {
            instance,
            journal: Journal::default(),
            faults,
            late: Vec::new(),
            pages: BTreeMap::new(),
            answered: 0,
        }
    }

    /// Executes the late calls that are due. Every answer begins with it; a test calls it before it looks.
    pub fn settle(&mut self, now_ms: i64) {
        self.late.sort_by_key(|late| late.due_ms);
        while self.late.first().is_some_and(|late| late.due_ms <= now_ms) {
            let LateCall {
                due_ms,
                call,
                user,
                place,
            } = self.late.remove(0);
            self.instance.process_events(due_ms);
            let at = Circumstances {
                now_ms: due_ms,
                extra_ms: 0,
                stale_ms: 0,
            };
            let outcome = match &user {
                Some(user) => self.instance.execute_as(&call, user, at),
                None => self.instance.execute(&call, at),
            };
            if let Some(entry) = place.and_then(|place| self.journal.amend(place)) {
                entry.status = outcome.reply.status;
                entry.execution = if outcome.executed {
                    Execution::Late
                } else {
                    Execution::Not
                };
                (entry.sys_id, entry.correlation_id) = touched(outcome.touched);
            }
        }
        self.instance.process_events(now_ms);
    }

    /// How many late calls are still to be executed, and when the next one is.
    pub fn late_calls(&self) -> (usize, Option<i64>) {
        (
            self.late.len(),
            self.late.iter().map(|late| late.due_ms).min(),
        )
    }

    fn run(
        &mut self,
        call: &Call,
        kind: Kind,
        fault: Option<&Fault>,
        now_ms: i64,
    ) -> (Option<Reply>, Delivery, Outcome) {
        if let Some(fault) = fault
            && let Some((reply, delivery)) =
                spoiling::instead(&mut self.instance, fault, call, kind, now_ms)
        {
            let user = self.instance.user_of(call, now_ms).map(|user| user.name);
            return (
                reply,
                delivery,
                Outcome {
                    user,
                    ..Outcome::refused(Reply::new(0, Body::Empty))
                },
            );
        }
        let extra_ms = i64::try_from(spoiling::extra(fault).as_millis()).unwrap_or(i64::MAX / 4);
        let stale_ms = match fault {
            Some(Fault::StaleSearch { by }) => {
                i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4)
            }
            _ => 0,
        };
        let mut outcome = self.instance.execute(
            call,
            Circumstances {
                now_ms,
                extra_ms,
                stale_ms,
            },
        );
        let mut reply = std::mem::replace(&mut outcome.reply, Reply::new(0, Body::Empty));
        if kind == Kind::Query && reply.status == 200 {
            let table = call
                .route()
                .and_then(|route| route.table)
                .unwrap_or_default();
            match (fault, self.pages.get(table)) {
                (Some(Fault::SamePageTwice), Some(page)) => reply = page.clone(),
                _ if self
                    .faults
                    .rules()
                    .any(|rule| rule.fault == Fault::SamePageTwice) =>
                {
                    self.pages.insert(table.to_owned(), reply.clone());
                }
                _ => {}
            }
        }
        let spoiled =
            fault.and_then(|fault| spoiling::spoil(fault, &mut reply, self.instance.config.seed));
        let delay_ms = u64::try_from(outcome.delay_ms.max(extra_ms)).unwrap_or(0);
        let delivery = spoiled.unwrap_or(match delay_ms {
            0 => Delivery::Whole,
            delay_ms => Delivery::After(std::time::Duration::from_millis(delay_ms)),
        });
        (Some(reply), delivery, outcome)
    }

    /// Keeps a call for later. False: it is not let in, so there will be nothing to execute.
    fn keep(&mut self, call: &Call, after: std::time::Duration, now_ms: i64) -> bool {
        let user = self.instance.user_of(call, now_ms);
        let is_token = matches!(call.kind(), Kind::Token | Kind::Revoke);
        if user.is_none() && !is_token {
            return false;
        }
        let due_ms = now_ms.saturating_add(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
        let user = if is_token { None } else { user };
        self.late.push(LateCall {
            due_ms,
            call: call.clone(),
            user,
            place: None,
        });
        true
    }
}

impl Machine for ServiceNow {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        self.settle(now_ms);
        let call = Call::new(request);
        let kind = call.kind();
        let fault = self
            .faults
            .strike(kind, call.route().and_then(|route| route.table));
        let at_ms = match fault {
            Some(Fault::ClockOff { by }) => now_ms.saturating_add(by),
            _ => now_ms,
        };
        let mut late = false;
        let (reply, delivery, outcome) = match &fault {
            Some(Fault::ExecuteLate { after }) => {
                late = self.keep(&call, *after, now_ms);
                let user = self.instance.user_of(&call, now_ms).map(|user| user.name);
                (
                    None,
                    Delivery::Lost,
                    Outcome {
                        user,
                        ..Outcome::refused(Reply::new(0, Body::Empty))
                    },
                )
            }
            fault => self.run(&call, kind, fault.as_ref(), at_ms),
        };
        let (sys_id, correlation_id) = touched(outcome.touched);
        let place = self.journal.push(Entry {
            at_ms: now_ms,
            kind,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.query.clone(),
            status: reply.as_ref().map_or(0, |reply| reply.status),
            fault: fault.as_ref().map(Fault::name),
            execution: match (late, outcome.executed) {
                (true, _) => Execution::Late,
                (false, true) => Execution::Executed,
                (false, false) => Execution::Not,
            },
            sys_id,
            correlation_id,
            user: outcome.user,
        });
        if late && let Some(kept) = self.late.last_mut() {
            kept.place = Some(place);
        }
        self.answered += 1;
        let reply = reply.unwrap_or_else(|| Reply::new(500, Body::Empty));
        Answer {
            response: reply.written(self.instance.config.seed, self.answered, at_ms),
            delivery,
        }
    }

    fn controls(&mut self) -> Option<&mut dyn Controls> {
        Some(self)
    }
}

impl Controls for ServiceNow {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    fn records(&mut self, table: &str, now_ms: i64) -> Vec<Value> {
        self.settle(now_ms);
        self.fill(table);
        ServiceNow::records(self, table)
    }

    fn edit(&mut self, table: &str, id: &str, field: &str, value: &str, now_ms: i64) -> bool {
        self.set_field(table, id, field, value, now_ms)
    }

    fn saved(&self) -> Value {
        self.save()
    }
}

/// Key and correlation id for the journal; an empty one is none.
fn touched(touched: Option<(String, String)>) -> (Option<String>, Option<String>) {
    let (sys_id, correlation_id) = touched.unwrap_or_default();
    let some = |text: String| (!text.is_empty()).then_some(text);
    (some(sys_id), some(correlation_id))
}
