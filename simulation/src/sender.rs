//! Azure's side: an alert is sent again after no answer or a 503, a few times, and then nobody sends anything to that
//! address for a quarter of an hour (azure-platform §3.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, HeaderValue, Method};
use itsm_connector::domain::connection::Grouping;
use itsm_connector::hosts::intake::{Head, Intake, Opened};
use itsm_connector::hosts::reply::Reply;

use crate::alerts::{Episode, folder_of};
use crate::clock::pause;
use crate::counters;
use crate::dice::Dice;
use crate::hosts::{Node, WEBHOOK_KEY};
use crate::invariants::snapshots;
use crate::planted::Planted;
use crate::process::Process;
use crate::product::{CONNECTION, holds};
use crate::scene::Scene;
use crate::swarm::Class;

/// How long after a try that failed the next one comes.
const AGAIN_AFTER_S: [u64; 5] = [5, 20, 5, 40, 5];

/// How long Azure waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nobody calls the address after a series that failed.
const MUTE: Duration = Duration::from_secs(15 * 60);

/// Statuses after which Azure tries again; after any other the alert is done with.
const RETRIED: [u16; 4] = [408, 429, 503, 504];

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
    muted_until: Mutex<Duration>,
}

/// What a try came to.
enum Try {
    Answered,
    Again,
    /// It was answered, and not with 2xx: nobody tries again.
    Final,
}

/// Requests whose sender has given up, and whose process goes on all the same.
type Stragglers = FuturesUnordered<LocalBoxFuture<'static, ()>>;

impl Sender {
    /// A sender to these hosts.
    pub fn new(scene: &Arc<Scene>, hosts: Vec<Node>, episodes: usize) -> Self {
        Self {
            scene: Arc::clone(scene),
            hosts,
            told: Mutex::new(vec![Told::default(); episodes]),
            dice: Mutex::new(Dice::new(scene.swarm.seed, "sender")),
            muted_until: Mutex::default(),
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

    /// How long nobody calls us any more.
    pub fn muted_for(&self) -> Duration {
        let until = *self
            .muted_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.saturating_sub(self.scene.elapsed())
    }

    /// How long one of the hosts stands still at the most. A real process that does so answers nobody; of ours only the
    /// calls wait, and its time limits run on.
    pub fn stand_still_for(&self) -> Duration {
        let hosts = self.hosts.iter().map(|host| host.living().process);
        let spans = hosts.map(|process| process.stands_still_for());
        spans.max().unwrap_or_default()
    }

    fn mute(&self) {
        self.scene.ledger.count(counters::MUTED);
        let until = self.scene.elapsed() + MUTE;
        let mut muted = self
            .muted_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *muted = (*muted).max(until);
    }

    /// Sends a message until it is answered or given up; true if it was answered with 2xx.
    pub async fn send(&self, n: usize, episode: &Episode, is_resolved: bool) -> bool {
        if !self.muted_for().is_zero() {
            self.scene.ledger.count("never sent: muted");
            return false;
        }
        let mut stragglers = Stragglers::new();
        for wait in AGAIN_AFTER_S.map(Some).into_iter().chain([None]) {
            match self
                .try_once(n, episode, is_resolved, &mut stragglers)
                .await
            {
                Try::Answered => return true,
                Try::Final => break,
                Try::Again => {
                    let Some(wait) = wait else {
                        self.mute();
                        break;
                    };
                    let wait = pause(Duration::from_secs(wait));
                    beside(&mut stragglers, wait).await;
                }
            }
        }
        self.scene.ledger.count("undelivered after all retries");
        false
    }

    async fn try_once(
        &self,
        n: usize,
        episode: &Episode,
        is_resolved: bool,
        stragglers: &mut Stragglers,
    ) -> Try {
        let Some(message) = episode.message(is_resolved) else {
            return Try::Answered;
        };
        let (pick, is_lost) = {
            let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
            let pick = dice.below(self.hosts.len() as u64);
            drop(dice);
            (pick, self.scene.strikes(Class::AnswerLost))
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
        let node = Arc::clone(&living.process.node);
        let word = if is_resolved { "resolved" } else { "fired" };
        let note = |text: &str| {
            let text = format!("{text}: {word} {}", message.event);
            self.scene.ledger.note(self.scene.elapsed(), &node, text);
        };
        note("azure sends");
        let began = self.scene.elapsed();
        let (process, intake) = (Arc::clone(&living.process), Arc::clone(&living.intake));
        let body = message.body.clone();
        let (tell, mut told) = tokio::sync::oneshot::channel();
        stragglers.push(Box::pin(async move {
            let reply = process.run(Box::pin(deliver(&intake, body))).await;
            let _ = tell.send(reply);
        }));
        let answer = tokio::time::timeout(PATIENCE, beside(stragglers, &mut told)).await;
        let took = self.scene.elapsed().saturating_sub(began);
        let Ok(answer) = answer else {
            // Only a process that stands still may be that late.
            if !living.process.stood_still(PATIENCE * 50) && !living.process.is_dead() {
                let ms = took.as_millis();
                let seen = format!("{node}: no answer to {} after {ms} ms", message.event);
                self.scene.ledger.accuse("P4", seen);
            }
            note("azure waits no longer");
            return Try::Again;
        };
        let Some(reply) = answer.ok().flatten() else {
            note("azure gets no answer");
            beside(stragglers, pause(Duration::from_millis(200))).await;
            return Try::Again;
        };
        if is_lost {
            note("azure does not see the answer");
            return Try::Again;
        }
        let reply = Planted::on_reply(self.scene.planted, reply);
        let status = reply.status.as_u16();
        let outcome = outcome_of(&reply);
        note(&format!("azure gets {status} {outcome}"));
        if (200..300).contains(&status) {
            self.check_kept(episode, is_resolved, &outcome, &living.process);
            self.count_rows(episode, is_resolved);
            self.note(n, |told| {
                if is_resolved {
                    told.resolved_kept = true;
                } else {
                    told.fired_kept = true;
                }
            });
            return Try::Answered;
        }
        if RETRIED.contains(&status) {
            self.scene.ledger.count(counters::RETRIED_503);
            return Try::Again;
        }
        // A sound alert for a connection that exists: no answer may end it but 2xx.
        let seen =
            format!("{node}: a sound alert was answered {status}, which Azure never retries");
        self.scene.ledger.accuse("P4", seen);
        Try::Final
    }

    fn count_rows(&self, episode: &Episode, is_resolved: bool) {
        if self.scene.swarm.shape.grouping != Grouping::Row {
            return;
        }
        let counts = &self.scene.ledger;
        let fired = &episode.fired.event;
        let fired_is_there = || self.scene.peek(&format!("journal/{CONNECTION}/{fired}"));
        if is_resolved && fired_is_there().is_none() {
            counts.count(counters::ROWS_END_FIRST);
        } else if !is_resolved && episode.has_too_many_rows {
            counts.count(counters::TOO_MANY_ROWS);
        } else if !is_resolved && episode.slots.len() > 1 {
            counts.count(counters::ROWS);
        }
    }

    /// The end of an alert with rows waits in the journal until its beginning has come, which takes it up again.
    fn is_put_away(&self, episode: &Episode, is_resolved: bool) -> bool {
        if !is_resolved || self.scene.swarm.shape.grouping != Grouping::Row {
            return false;
        }
        let fired = &episode.fired.event;
        let ending = format!("-{fired}");
        let is_pending = |name: &String| name.ends_with(&ending);
        let markers = self.scene.names(&format!("pending/{CONNECTION}"));
        let journaled = self.scene.peek(&format!("journal/{CONNECTION}/{fired}"));
        journaled.is_none() || markers.iter().any(is_pending)
    }

    /// Whoever says 2xx must have the alert in the journal, and must have a marker or the effect itself (I1, P1).
    fn check_kept(&self, episode: &Episode, is_resolved: bool, outcome: &str, by: &Process) {
        let Some(message) = episode.message(is_resolved) else {
            return;
        };
        if outcome == "duplicate" {
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
                    "{}: {event} was answered {outcome} and is not in the journal",
                    by.node
                ),
            );
        }
        let ending = format!("-{event}");
        let has_marker = scene
            .names(&format!("pending/{CONNECTION}"))
            .iter()
            .any(|name| name.ends_with(&ending));
        let is_settled = || {
            episode.slots.iter().all(|slot| {
                // What a group's slot owes beside (an audit) is another event's to bring about.
                snapshots(scene, &folder_of(slot))
                    .last()
                    .is_some_and(|newest| {
                        let slot = &newest.state;
                        let is_remembered = slot.early.iter().any(|early| early.event == *event);
                        is_remembered || slot.applied.contains(event)
                    })
            })
        };
        if !has_marker && !self.is_put_away(episode, is_resolved) && !is_settled() {
            scene.ledger.accuse(
                "I1",
                format!(
                    "{}: {event} was answered {outcome}, is not settled and nothing is pending",
                    by.node
                ),
            );
        }
    }
}

/// Does something while the stragglers go on.
async fn beside<T>(stragglers: &mut Stragglers, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = stragglers.next(), if !stragglers.is_empty() => {}
        }
    }
}

/// As a host does it: the head first, then the body.
async fn deliver(intake: &Intake, body: Bytes) -> Reply {
    let mut headers = HeaderMap::new();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(http::header::CONTENT_TYPE, json);
    let query = format!("key={WEBHOOK_KEY}");
    let path = format!("/api/create-work-item/{CONNECTION}");
    let head = Head {
        method: &Method::POST,
        path: &path,
        query: Some(&query),
        headers: &headers,
    };
    match intake.open(head).await {
        Opened::Answer(reply) => reply,
        Opened::Body(accepted) => intake.take(*accepted, body).await,
    }
}

fn outcome_of(reply: &Reply) -> String {
    let words = [
        "created",
        "updated",
        "resolved",
        "duplicate",
        "pending",
        "quarantined",
        "ignored",
    ];
    let says = |word: &&&str| holds(&reply.body, format!("\"outcome\":\"{word}\"").as_bytes());
    words
        .iter()
        .find(says)
        .map_or_else(String::new, |word| (*word).to_owned())
}
