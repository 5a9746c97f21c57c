//! One sweep's share of a rotation over everything that a connection has.

mod needed;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::domain::alert::Condition;
use crate::domain::identity::{BodyId, EventId, SlotId};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::retention::is_older;
use crate::flows::{Budget, Core};
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;
use crate::stores::sweeps::{Stage, Sweep};

/// Names that one sweep looks at: some 150 KB of memory, and within a minute at a store that answers in 20 ms.
const NAMES_MAX: usize = 2000;

/// Objects that are looked at at once.
const AT_ONCE: usize = 8;

/// With more markers than this a connection is in trouble, and what is old can wait.
const PENDING_MAX: usize = 2000;

/// Dead letters whose alerts are spared by name; with more of them no alert is removed.
const DEAD_MAX: usize = 10_000;

/// Time for what is under way to end.
const TIME_MIN: Duration = Duration::from_secs(2);

/// Sorts after every number of a snapshot.
const PAST_ALL_NUMBERS: char = 'z';

/// A share of a rotation.
pub(super) struct Rotation<'a> {
    core: &'a Core,
    name: &'a ConnectionName,
    budget: Budget,
    /// How far it has come.
    pub(super) sweep: Sweep,
    /// Objects that went.
    pub(super) removed: usize,
    /// Events that something waits for.
    spared: BTreeSet<EventId>,
}

/// What came of a look at something.
#[derive(Default)]
struct Looked {
    removed: usize,
    doomed: Vec<EventId>,
}

impl<'a> Rotation<'a> {
    pub(super) fn new(
        core: &'a Core,
        name: &'a ConnectionName,
        budget: Budget,
        sweep: Sweep,
    ) -> Self {
        Self {
            core,
            name,
            budget,
            sweep,
            removed: 0,
            spared: BTreeSet::new(),
        }
    }

    pub(super) async fn run(&mut self) -> Result<(), StoreFailure> {
        if self.sweep.stage == Stage::Finished && self.sweep.doomed.is_empty() {
            return Ok(());
        }
        if !self.learn_what_is_spared().await? {
            return Ok(());
        }
        self.remove_the_doomed().await?;
        let mut left = NAMES_MAX;
        while self.sweep.stage != Stage::Finished && left > 0 {
            if !self.budget.can_start(&*self.core.clock, TIME_MIN) {
                break;
            }
            let names = self.next_names(left).await?;
            let was_last = names.len() < left;
            left -= names.len();
            if !self.look_at(&names).await {
                break;
            }
            if was_last {
                self.sweep.stage = next(self.sweep.stage);
                self.sweep.after = None;
            }
        }
        Ok(())
    }

    /// False if so much is waiting that nothing should be removed.
    async fn learn_what_is_spared(&mut self) -> Result<bool, StoreFailure> {
        let (core, name) = (self.core, self.name);
        let folder = format!("pending/{name}");
        let markers = core.objects.list_first(&folder, None, PENDING_MAX).await?;
        let letters = core
            .objects
            .list_first(&format!("dead/{name}"), None, DEAD_MAX)
            .await?;
        if markers.len() >= PENDING_MAX || letters.len() >= DEAD_MAX {
            tracing::info!(connection = %name, "much is waiting; what is old is removed another time");
            return Ok(false);
        }
        let of_markers = markers
            .iter()
            .filter_map(|marker| EventId::parse(marker.rsplit_once('-')?.1));
        let of_letters = letters.iter().filter_map(|letter| EventId::parse(letter));
        self.spared = of_markers.chain(of_letters).collect();
        Ok(true)
    }

    /// Alerts that could go an hour ago. The hour is for one that was being taken at that moment, and whose marker was still
    /// on its way.
    async fn remove_the_doomed(&mut self) -> Result<(), StoreFailure> {
        while let Some(event) = self.sweep.doomed.last() {
            if !self.spared.contains(event)
                && !needed::is_needed(self.core, self.name, event).await?
            {
                self.core.journal.remove(self.name, event).await?;
                self.removed += 1;
            }
            self.sweep.doomed.pop();
        }
        Ok(())
    }

    fn folder(&self) -> String {
        let folder = match self.sweep.stage {
            Stage::Slots => "slots",
            Stage::Journal => "journal",
            Stage::Quarantine => "quarantine",
            Stage::Dead | Stage::Finished => "dead",
        };
        format!("{folder}/{}", self.name)
    }

    async fn next_names(&self, most: usize) -> Result<Vec<String>, StoreFailure> {
        let after = self.sweep.after.as_deref();
        self.core
            .objects
            .list_first(&self.folder(), after, most)
            .await
    }

    /// False if there was no time for all of them. What cannot be read is left where it is, and told of; the others go on.
    async fn look_at(&mut self, names: &[String]) -> bool {
        let stage = self.sweep.stage;
        let things: Vec<&str> = match stage {
            // Of a slot the newest snapshot lists first, so that the first name is enough to know it by.
            Stage::Slots => {
                let mut slots: Vec<&str> = names
                    .iter()
                    .filter_map(|name| Some(name.rsplit_once('/')?.0))
                    .collect();
                slots.dedup();
                slots
            }
            _ => names.iter().map(String::as_str).collect(),
        };
        let (this, name) = (&*self, self.name);
        let looks: Vec<(usize, Looked)> = futures_util::stream::iter(things.iter().enumerate())
            .map(|(index, thing)| async move {
                if !this.budget.can_start(&*this.core.clock, TIME_MIN) {
                    return None;
                }
                let looked = match stage {
                    Stage::Slots => this.slot(thing).await,
                    Stage::Journal => this.alert(thing).await,
                    Stage::Quarantine => this.quarantined(thing).await,
                    Stage::Dead | Stage::Finished => this.dead_letter(thing).await,
                };
                let looked = looked.unwrap_or_else(|failure| {
                    tracing::warn!(connection = %name, %failure, hint = failure.hint(), "it cannot be told whether this may go");
                    Looked::default()
                });
                Some((index, looked))
            })
            .buffered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let last = looks.last().and_then(|(index, _)| things.get(*index));
        if let Some(last) = last {
            self.sweep.after = Some(match stage {
                Stage::Slots => format!("{last}/{PAST_ALL_NUMBERS}"),
                _ => (*last).to_owned(),
            });
        }
        let all = looks.len() == things.len();
        for (_, looked) in looks {
            self.removed += looked.removed;
            self.sweep.doomed.extend(looked.doomed);
        }
        all
    }

    /// `place` is the action and the slot.
    async fn slot(&self, place: &str) -> Result<Looked, StoreFailure> {
        let parts = place.split_once('/').and_then(|(action, slot)| {
            Some((ActionName::parse(action).ok()?, SlotId::parse(slot)?))
        });
        let Some((action, slot)) = parts else {
            return Ok(Looked::default());
        };
        let log = SlotLog::new(&self.core.objects, self.name, &action, &slot);
        let now = self.core.clock.now();
        let Some((head, numbers)) = log.head_and_numbers().await? else {
            return Ok(Looked::default());
        };
        let early = head.state.early.iter().map(|early| &early.event);
        let events: Vec<EventId> = head.state.applied.iter().chain(early).cloned().collect();
        // Of a Resolved that came early it is the Fired that may wait.
        let fired = head.state.early.iter().map(|early| {
            let fired = Condition::Fired.as_str();
            EventId::new(&early.episode, fired)
        });
        let is_waited_for = events
            .iter()
            .cloned()
            .chain(fired)
            .any(|event| self.spared.contains(&event));
        if !is_waited_for && self.core.ages.slot_may_go(&head.state, head.at, now) {
            return Ok(Looked {
                removed: log.remove(&numbers).await?,
                doomed: events,
            });
        }
        let cutoff = now.minus(self.core.ages.history_for);
        Ok(Looked {
            removed: log.prune_of(&numbers, cutoff, NAMES_MAX).await?,
            doomed: Vec::new(),
        })
    }

    /// An alert goes by the time that it gives itself, once nothing waits for it: also that of an open work item. Its slot
    /// holds the effect, and what is still to come brings its own body.
    async fn alert(&self, text: &str) -> Result<Looked, StoreFailure> {
        let Some(event) = EventId::parse(text).filter(|event| !self.spared.contains(event)) else {
            return Ok(Looked::default());
        };
        let Some(entry) = self.core.journal.read(self.name, &event).await? else {
            return Ok(Looked::default());
        };
        let delivery = Delivery::from_journal(self.name.clone(), entry.action, entry.body);
        let at = common_alert_schema::parse(&delivery)
            .ok()
            .and_then(|alert| alert.resolved_at.or(alert.fired_at));
        // One without a time goes with its slot.
        let is_old =
            at.is_some_and(|at| is_older(at, self.core.ages.done_for, self.core.clock.now()));
        Ok(Looked {
            removed: 0,
            doomed: is_old.then_some(event).into_iter().collect(),
        })
    }

    async fn quarantined(&self, text: &str) -> Result<Looked, StoreFailure> {
        let mut looked = Looked::default();
        if let Some(id) = BodyId::parse(text)
            && let Some(kept) = self.core.quarantine.read(self.name, &id).await?
            && is_older(kept.at, self.core.ages.for_people, self.core.clock.now())
        {
            self.core.quarantine.remove(self.name, &id).await?;
            looked.removed = 1;
        }
        Ok(looked)
    }

    async fn dead_letter(&self, text: &str) -> Result<Looked, StoreFailure> {
        let mut looked = Looked::default();
        if let Some(event) = EventId::parse(text)
            && let Some(letter) = self.core.dead.read(self.name, &event).await?
            && is_older(letter.at, self.core.ages.for_people, self.core.clock.now())
        {
            self.core.dead.remove(self.name, &event).await?;
            looked.removed = 1;
        }
        Ok(looked)
    }
}

fn next(stage: Stage) -> Stage {
    match stage {
        Stage::Slots => Stage::Journal,
        Stage::Journal => Stage::Quarantine,
        Stage::Quarantine => Stage::Dead,
        Stage::Dead | Stage::Finished => Stage::Finished,
    }
}
