//! People at the product's own screen: they close, edit, reopen, delete, and give a work item to another system. What
//! they did last must be what stands in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::pause;
use crate::dice::Dice;
use crate::product::Product;
use crate::scene::Scene;
use crate::swarm::Class;

/// What another system calls the work item that it was given.
pub const OTHER_SYSTEM: &str = "other-system-4711";

/// What a person writes when they close a work item: the simulator's own words.
pub const CLOSED_BY_HAND: &str = "Done by hand";

/// Fields that people edit and the connector does not.
const FIELDS: [&str; 3] = ["short_description", "description", "urgency"];

/// What people have done.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Records that were closed, and when.
    pub closed: BTreeMap<String, Duration>,
    /// Records that were reopened, and when.
    pub reopened: BTreeMap<String, Duration>,
    /// Records that were deleted, and their correlation ids.
    pub deleted: BTreeMap<String, String>,
    /// Records that belong to another system now, and since when.
    pub taken_over: BTreeMap<String, Duration>,
    /// Their correlation ids before.
    pub taken_from: BTreeMap<String, String>,
    /// The last text that a person wrote into a field of a record.
    pub edits: BTreeMap<(String, &'static str), String>,
}

impl People {
    /// True if a person has seen to it that this record is open, whatever the alerts say.
    pub fn keep_open(&self, key: &str) -> bool {
        let reopened = self.reopened.get(key);
        let closed = self.closed.get(key);
        reopened.is_some_and(|reopened| closed.is_none_or(|closed| closed < reopened))
    }
}

/// Somebody works at the screen while the storm lasts.
pub async fn work(scene: &Scene) {
    let mut dice = Dice::new(scene.swarm.seed, "person");
    let deeds = [
        Class::PersonCloses,
        Class::PersonEdits,
        Class::PersonReopens,
        Class::PersonDeletes,
        Class::PersonTakesOver,
    ];
    let wanted: Vec<Class> = deeds
        .into_iter()
        .filter(|deed| scene.swarm.rate(*deed) > 0.0)
        .collect();
    if wanted.is_empty() {
        return;
    }
    for _ in 0..dice.between(1, 3 + wanted.len() as u64) {
        pause(Duration::from_millis(dice.below(12 * 60_000))).await;
        if !scene.is_stormy() {
            return;
        }
        let pick = usize::try_from(dice.below(wanted.len() as u64)).unwrap_or(0);
        if let Some(deed) = wanted.get(pick) {
            one(scene, *deed, &mut dice);
        }
    }
}

fn one(scene: &Scene, deed: Class, dice: &mut Dice) {
    let now_ms = scene.now_ms();
    let at = scene.elapsed();
    let mut product = scene.product();
    let incidents = product.incidents(now_ms);
    let pick = usize::try_from(dice.below(incidents.len() as u64)).unwrap_or(0);
    let text = |field: &str| {
        let incident = incidents.get(pick)?;
        incident[field].as_str().map(str::to_owned)
    };
    let (Some(key), Some(state)) = (text("sys_id"), text("state")) else {
        return;
    };
    if key == product.bystander || product.people.taken_over.contains_key(&key) {
        return;
    }
    let correlation = text("correlation_id").unwrap_or_default();
    let is_over = matches!(state.as_str(), "6" | "7" | "8");
    let done = match deed {
        Class::PersonCloses => {
            let done = !is_over && product.machine_mut().close_by_person(&key, now_ms);
            if done {
                product.people.closed.insert(key.clone(), at);
            }
            done
        }
        Class::PersonReopens => {
            let done = is_over && reopen(&mut product, &key, now_ms);
            if done {
                product.people.reopened.insert(key.clone(), at);
            }
            done
        }
        Class::PersonEdits => {
            let field = FIELDS[usize::try_from(dice.below(3)).unwrap_or(0)];
            let value = match field {
                "urgency" => dice.between(1, 3).to_string(),
                _ => format!("as a person says, {}", dice.below(1000)),
            };
            let done = set(&mut product, &key, &[(field, &value)], now_ms);
            product.people.edits.insert((key.clone(), field), value);
            done
        }
        Class::PersonDeletes => {
            let machine = product.machine_mut();
            let done = machine.delete_by_person("incident", &key, now_ms);
            product.people.deleted.insert(key.clone(), correlation);
            done
        }
        _ => {
            let done = set(
                &mut product,
                &key,
                &[("correlation_id", OTHER_SYSTEM)],
                now_ms,
            );
            product.people.taken_over.insert(key.clone(), at);
            product.people.taken_from.insert(key.clone(), correlation);
            done
        }
    };
    drop(product);
    if done {
        scene.ledger.count(deed.as_str());
        let what = format!("{} {key}", deed.as_str());
        scene.ledger.note(at, "a person", what);
    }
}

fn reopen(product: &mut Product, key: &str, now_ms: i64) -> bool {
    let fields = [("state", "2"), ("close_code", ""), ("close_notes", "")];
    set(product, key, &fields, now_ms)
}

fn set(product: &mut Product, key: &str, fields: &[(&str, &str)], now_ms: i64) -> bool {
    let mut done = true;
    for (field, value) in fields {
        let machine = product.machine_mut();
        done &= machine.set_field("incident", key, field, value, now_ms);
    }
    done
}
