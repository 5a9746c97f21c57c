//! Azure's side: an alert is sent again after no answer or a 503, a few times, and then never again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use itsm_connector::domain::name::ActionName;
use itsm_connector::flows::create_work_item::{Answer, Labelled, NotKept, Outcome, receive};
use itsm_connector::inbound::webhook::Delivery;

use crate::alerts::{Episode, connection};
use crate::clock::pause;
use crate::counters;
use crate::dice::Dice;
use crate::hosts::Node;
use crate::invariants::snapshots;
use crate::process::Process;
use crate::product::CONNECTION;
use crate::scene::Scene;

/// How long after a try that failed the next one comes (azure-platform §3.1).
const AGAIN_AFTER_S: [u64; 5] = [5, 20, 5, 40, 5];

/// How long Azure waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Azure knows of an episode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The Fired was sent.
    pub fired_sent: bool,
    /// The Fired was answered with 2xx.
    pub fired_kept: bool,
    /// The Resolved was sent.
    pub resolved_sent: bool,
    /// The Resolved was answered with 2xx.
    pub resolved_kept: bool,
}

/// Azure's sender.
#[derive(Debug)]
pub struct Sender {
    scene: Arc<Scene>,
    hosts: Vec<Node>,
    told: Mutex<Vec<Told>>,
    dice: Mutex<Dice>,
}

/// What a try came to.
enum Try {
    Answered,
    Again,
}

impl Sender {
    /// A sender to these hosts.
    pub fn new(scene: &Arc<Scene>, hosts: Vec<Node>, episodes: usize) -> Self {
        Self {
            scene: Arc::clone(scene),
            hosts,
            told: Mutex::new(vec![Told::default(); episodes]),
            dice: Mutex::new(Dice::new(scene.swarm.seed, "sender")),
        }
    }

    /// What it knows of all episodes.
    pub fn told(&self) -> Vec<Told> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, episode: usize, change: impl FnOnce(&mut Told)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told.get_mut(episode) {
            change(told);
        }
    }

    /// Sends a message until it is answered or given up; true if it was answered with 2xx.
    pub async fn send(&self, n: usize, episode: &Episode, is_resolved: bool) -> bool {
        for wait in AGAIN_AFTER_S.map(Some).into_iter().chain([None]) {
            match self.try_once(n, episode, is_resolved).await {
                Try::Answered => return true,
                Try::Again => {
                    let Some(wait) = wait else { break };
                    pause(Duration::from_secs(wait)).await;
                }
            }
        }
        self.scene.ledger.count("undelivered after all retries");
        false
    }

    async fn try_once(&self, n: usize, episode: &Episode, is_resolved: bool) -> Try {
        let (Some(message), Some(connection)) = (episode.message(is_resolved), connection()) else {
            return Try::Answered;
        };
        let pick = {
            let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
            dice.below(self.hosts.len() as u64)
        };
        let Some(host) = usize::try_from(pick)
            .ok()
            .and_then(|pick| self.hosts.get(pick))
        else {
            return Try::Again;
        };
        self.note(n, |told| {
            if is_resolved {
                told.resolved_sent = true;
            } else {
                told.fired_sent = true;
            }
        });
        self.scene.ledger.count("deliveries");
        let living = host.living();
        let delivery =
            Delivery::from_journal(connection, ActionName::default(), message.body.clone());
        let began = self.scene.elapsed();
        let word = if is_resolved { "resolved" } else { "fired" };
        let note = |text: String| {
            let text = format!("{text}: {word} {}", message.event);
            self.scene
                .ledger
                .note(self.scene.elapsed(), &living.process.node, text);
        };
        note("azure sends".to_owned());
        let work = Box::pin(receive(&living.core, delivery, Labelled::Json));
        let answer = living.process.run(work).await;
        let took = self.scene.elapsed().saturating_sub(began);
        if took > PATIENCE {
            self.scene.ledger.accuse(
                "P4",
                format!(
                    "{}: the answer to {} took {} ms",
                    living.process.node,
                    message.event,
                    took.as_millis()
                ),
            );
        }
        note(match &answer {
            None => "azure gets no answer".to_owned(),
            Some(Ok(answer)) => format!("azure gets 2xx {}", answer.outcome.as_str()),
            Some(Err(refused)) => format!("azure gets {refused:?}"),
        });
        match answer {
            None => {
                pause(Duration::from_millis(200)).await;
                Try::Again
            }
            Some(Ok(answer)) => {
                self.check_kept(episode, is_resolved, &answer, &living.process);
                self.note(n, |told| {
                    if is_resolved {
                        told.resolved_kept = true;
                    } else {
                        told.fired_kept = true;
                    }
                });
                Try::Answered
            }
            Some(Err(NotKept::NotDurable(_))) => {
                self.scene.ledger.count(counters::RETRIED_503);
                Try::Again
            }
            Some(Err(refused)) => {
                self.scene.ledger.accuse(
                    "P4",
                    format!("{}: answered {refused:?}", living.process.node),
                );
                Try::Again
            }
        }
    }

    /// Whoever says 2xx must have the alert in the journal, and must have a marker or the effect itself (I1, P1).
    fn check_kept(&self, episode: &Episode, is_resolved: bool, answer: &Answer, by: &Process) {
        let Some(message) = episode.message(is_resolved) else {
            return;
        };
        if answer.outcome == Outcome::Duplicate {
            self.scene.ledger.count(counters::DUPLICATE);
        }
        let scene = &self.scene;
        let event = &message.event;
        if scene
            .peek(&format!("journal/{CONNECTION}/{event}"))
            .is_none()
        {
            scene.ledger.accuse(
                "I1",
                format!(
                    "{}: {event} was answered {:?} and is not in the journal",
                    by.node, answer.outcome
                ),
            );
        }
        let ending = format!("-{event}");
        let has_marker = scene
            .names(&format!("pending/{CONNECTION}"))
            .iter()
            .any(|name| name.ends_with(&ending));
        let is_settled = || {
            snapshots(scene, &episode.slot_folder)
                .last()
                .is_some_and(|newest| newest.state.has_settled(event))
        };
        if !has_marker && !is_settled() {
            scene.ledger.accuse(
                "I1",
                format!(
                    "{}: {event} was answered {:?}, is not settled and nothing is pending",
                    by.node, answer.outcome
                ),
            );
        }
    }
}
