//! Tests a connection step by step, and says at the first that fails what to do.

use std::time::Duration;

use serde::Serialize;

use super::{Core, gatekeeper};
use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::identity::{EpisodeId, Firing, ItemId, SlotId};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::work_item::{
    Change, EventFacts, EventSeverity, Level, NewWorkItem, Standing, Uniqueness, WorkItemType,
};
use crate::ports::ItsmProduct;
use crate::stores::connections::Lookup;
use crate::stores::facts::ProductFacts;
use crate::stores::probe::Probed;

/// The longest that one call may take.
const CALL_MAX: Duration = Duration::from_secs(20);

/// The step that says whether this version makes records in the product at all.
pub const PRODUCT: &str = "product";

/// One step of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it works.
    pub works: bool,
    /// What was seen.
    pub seen: String,
    /// What to do, where it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Step {
    fn works(name: &'static str, seen: impl Into<String>) -> Self {
        Self {
            name,
            works: true,
            seen: seen.into(),
            hint: None,
        }
    }

    fn fails(name: &'static str, failure: &CallFailure) -> Self {
        Self {
            name,
            works: false,
            seen: failure.to_string(),
            hint: Some(failure.hint().to_owned()),
        }
    }
}

/// Tests a connection. With `write`, a test work item is made, made again with the same key, and resolved: that shows
/// whether the product refuses a second one, and the answer is remembered. Each step is told as soon as it is known.
pub async fn run(
    core: &Core,
    name: &ConnectionName,
    write: bool,
    mut tell: impl FnMut(&Step),
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |step: Step| {
        tell(&step);
        let works = step.works;
        steps.push(step);
        works
    };
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        Lookup::Absent => {
            let failure = CallFailure::new(
                "the vault",
                "read connection",
                Effect::Refused,
                Kind::NotFound,
                format!("there is no connection `{name}`"),
            );
            let mut missing = Step::fails("definition", &failure);
            missing.hint = Some(
                "`itsmc connection list` shows all; `itsmc connection add` makes one".to_owned(),
            );
            step(missing);
            return steps;
        }
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            step(Step::fails("definition", &failure));
            return steps;
        }
    };
    step(Step::works("definition", describe(&connection)));

    let (id, now) = (core.writer_id(), core.clock.now());
    match core.soundness.prove(&id, now).await {
        Probed::Sound => step(Step::works("state store", "honours create-only writes")),
        Probed::IgnoresConditions => step(Step {
            name: "state store",
            works: false,
            seen: "accepted a second create of the same object".to_owned(),
            hint: Some("this store would grant every claim twice; use S3, Azure Blob or a folder, or a server that honours `If-None-Match`".to_owned()),
        }),
        Probed::Failed(failure) => {
            step(Step { name: "state store", works: false, seen: failure.to_string(), hint: Some(failure.hint().to_owned()) })
        }
    };

    match core.products.sign_in(&connection, CALL_MAX).await {
        Ok(()) => {
            gatekeeper::mended(core, name).await;
            step(Step::works(
                "sign-in",
                format!("{} accepts the credentials", connection.server),
            ))
        }
        Err(failure) => {
            step(Step::fails("sign-in", &failure));
            return steps;
        }
    };
    let product = match core.products.product(&connection).await {
        Ok(product) => product,
        Err(failure) => {
            step(Step::fails(PRODUCT, &failure));
            return steps;
        }
    };
    let item = test_item(core, &connection);
    match product
        .find(item.work_item_type, &item.correlation, CALL_MAX)
        .await
    {
        Ok(_) => step(Step::works(
            "read",
            match item.work_item_type {
                WorkItemType::Incident => "incidents can be searched by correlation id",
                WorkItemType::Event => "nothing: events are only sent",
                WorkItemType::Alert => "alerts can be searched by message key",
            },
        )),
        Err(failure) => {
            step(Step::fails("read", &failure));
            return steps;
        }
    };
    if write && item.work_item_type.is_told_by_events() {
        event_steps(&*product, &item, &mut step).await;
    } else if write {
        write_steps(core, &connection, &*product, &item, &mut step).await;
    }
    steps
}

/// Tells the product of an event and of its end. One key is one alert there, whatever else is known of it.
async fn event_steps(
    product: &dyn ItsmProduct,
    item: &NewWorkItem,
    step: &mut impl FnMut(Step) -> bool,
) {
    let sent = match product.create(item, CALL_MAX).await {
        Ok(sent) => sent.item,
        Err(failure) => {
            step(Step::fails("write", &failure));
            return;
        }
    };
    step(Step::works(
        "write",
        format!("sent an event with the key {}", sent.id),
    ));
    let end = Change::Tell {
        item: Box::new(item.clone()),
        note: "Test of the connection by itsm-connector.".to_owned(),
        is_over: true,
    };
    match product.write(&sent, &end, CALL_MAX).await {
        Ok(()) => step(Step::works("resolve", "sent the event that clears it")),
        Err(failure) => step(Step::fails("resolve", &failure)),
    };
}

async fn write_steps(
    core: &Core,
    connection: &Connection,
    product: &dyn ItsmProduct,
    item: &NewWorkItem,
    step: &mut impl FnMut(Step) -> bool,
) {
    let made = match product.create(item, CALL_MAX).await {
        Ok(made) => made.item,
        Err(failure) => {
            step(Step::fails("write", &failure));
            return;
        }
    };
    step(Step::works("write", format!("made {}", made.number)));

    let again = product.create(item, CALL_MAX).await;
    let uniqueness = match &again {
        Ok(again) if again.item.id == made.id && made.id == item.key.as_str() => {
            Uniqueness::Enforced
        }
        _ => Uniqueness::BestEffort,
    };
    let facts = ProductFacts { uniqueness };
    let remembered = core
        .facts
        .remember(
            &connection.name,
            &facts,
            &core.writer_id(),
            core.clock.now(),
        )
        .await;
    core.forget_uniqueness(&connection.name);
    let is_the_same = again.as_ref().is_ok_and(|again| again.item.id == made.id);
    let seen = match uniqueness {
        Uniqueness::Enforced => "enforced: a second work item with the same key was refused",
        Uniqueness::BestEffort if is_the_same => {
            "best effort: the same work item came back, and nothing but the transform map's coalesce field keeps it so"
        }
        Uniqueness::BestEffort => {
            "best effort: the product made a second work item with the same key; duplicates are found and closed instead"
        }
    };
    match remembered {
        Ok(()) => step(Step::works("uniqueness", seen)),
        Err(failure) => step(Step {
            name: "uniqueness",
            works: false,
            seen: failure.to_string(),
            hint: Some(failure.hint().to_owned()),
        }),
    };

    let code = connection
        .actions
        .values()
        .find_map(|action| action.close_code.clone());
    let resolve = Change::Resolve {
        note: "Test of the connection by itsm-connector.".to_owned(),
        code,
    };
    let mut leftovers = vec![made.clone()];
    let again = again.ok().map(|again| again.item);
    leftovers.extend(again.filter(|again| again.id != made.id));
    for left in leftovers {
        let resolved = match product.write(&left, &resolve, CALL_MAX).await {
            Ok(()) => product.read(&left, CALL_MAX).await,
            Err(failure) => Err(failure),
        };
        match resolved {
            Ok(Some(seen)) if !seen.is_ours(&item.correlation) => step(Step {
                name: "resolve",
                works: false,
                seen: format!("{} does not carry our correlation id", left.number),
                hint: Some("the field `correlation_id` is hidden, or the transform map does not set it: without it the work item is never found again".to_owned()),
            }),
            Ok(Some(seen)) if seen.standing != Standing::Open => step(Step::works("resolve", format!("resolved {}", left.number))),
            Ok(_) => step(Step {
                name: "resolve",
                works: false,
                seen: format!("{} was written to and is still open", left.number),
                hint: Some("a business rule or missing right keeps the state; look at the record's history".to_owned()),
            }),
            Err(failure) => step(Step::fails("resolve", &failure)),
        };
    }
}

fn describe(connection: &Connection) -> String {
    let grant = match connection.grant {
        crate::domain::connection::Grant::ClientCredentials => "client credentials",
        crate::domain::connection::Grant::Password => "password once, then its refresh token",
    };
    format!(
        "{} at {}, by {grant}",
        connection.partner_type.product(),
        connection.server
    )
}

/// A work item that nobody confuses with an alert's, new for each test.
fn test_item(core: &Core, connection: &Connection) -> NewWorkItem {
    let action = ActionName::default();
    let id = core.writer_id();
    let slot = SlotId::of_episode(
        &connection.name,
        &action,
        &EpisodeId::new(&connection.name, &action, Firing::Body(id.as_bytes())),
    );
    let item = ItemId::new(&slot, 0);
    let configured = connection.actions.get(&action);
    let kind = configured.map_or_else(WorkItemType::default, |action| action.work_item_type);
    let fields = configured
        .map(|action| {
            let fields = action.fields.iter();
            let sampled = fields.map(|(name, value)| (name.clone(), value.sample()));
            sampled.filter(|(_, text)| !text.is_empty()).collect()
        })
        .unwrap_or_default();
    NewWorkItem {
        work_item_type: kind,
        correlation: item.correlation(),
        key: item.record_key(),
        title: "Test of the connection by itsm-connector".to_owned(),
        description:
            "Made by `itsmc connection test --write` and resolved at once. Nothing has happened."
                .to_owned(),
        impact: Level::Low,
        urgency: Level::Low,
        fields,
        notes: Vec::new(),
        event: kind.is_told_by_events().then(|| {
            Box::new(EventFacts {
                severity: EventSeverity::Info,
                class: String::new(),
                node: "itsm-connector-test".to_owned(),
                resource: String::new(),
                metric: String::new(),
                kind: "Test of the connection".to_owned(),
                at: None,
                more: Vec::new(),
            })
        }),
        over: None,
    }
}
