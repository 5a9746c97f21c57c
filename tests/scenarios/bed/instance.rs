//! The ServiceNow instance of a bed: what went wrong in it, what was asked of it, and what stands in it now.

use std::fmt;
use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::Value;
use simulators::fault::FaultRule;
use simulators::journal::Kind;
use simulators::server::Server;
use simulators::servicenow::{Config, ServiceNow};

use super::wire::pause;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    New,
    InProgress,
    Resolved,
    Closed,
}

/// An incident as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Incident(Value);

impl Incident {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    pub(crate) fn number(&self) -> &str {
        self.field("number")
    }

    pub(crate) fn state(&self) -> State {
        match self.field("state") {
            "1" => State::New,
            "2" => State::InProgress,
            "6" => State::Resolved,
            "7" => State::Closed,
            other => panic!("{} is in state {other}", self.number()),
        }
    }
}

/// How many calls there were since the last mark, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) tokens: usize,
    pub(crate) creates: usize,
    pub(crate) reads: usize,
    pub(crate) finds: usize,
    pub(crate) updates: usize,
}

impl Calls {
    pub(crate) const NONE: Self = Self {
        tokens: 0,
        creates: 0,
        reads: 0,
        finds: 0,
        updates: 0,
    };
}

/// The instance.
#[derive(Debug)]
pub(crate) struct Instance {
    server: Server<ServiceNow>,
}

impl Instance {
    pub(crate) async fn start(config: Config) -> Self {
        let server = Server::start(ServiceNow::new(config), super::LOOPBACK, None);
        Self {
            server: server.await.unwrap(),
        }
    }

    /// The machine, to look at or to change now. Not to be held over an await.
    pub(crate) fn inside(&self) -> MutexGuard<'_, ServiceNow> {
        self.server.lock()
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }

    pub(crate) fn fault(&self, rule: FaultRule) {
        self.inside().faults_mut().add(rule);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heals(&self) {
        self.inside().faults_mut().clear();
    }

    pub(crate) fn incidents(&self) -> Vec<Incident> {
        self.inside()
            .incidents()
            .into_iter()
            .map(Incident)
            .collect()
    }

    pub(crate) fn only_work_item(&self) -> Incident {
        let mut incidents = self.incidents();
        assert_eq!(
            incidents.len(),
            1,
            "one incident is expected: {incidents:#?}"
        );
        incidents.remove(0)
    }

    pub(crate) fn incident(&self, number: &str) -> Incident {
        let mut incidents = self.incidents();
        incidents.retain(|incident| incident.number() == number);
        incidents
            .pop()
            .unwrap_or_else(|| panic!("there is no {number}"))
    }

    pub(crate) fn created(&self, expected: usize) {
        let incidents = self.incidents();
        assert_eq!(incidents.len(), expected, "{incidents:#?}");
    }

    /// The incidents' descriptions, in the order of their numbers.
    pub(crate) fn descriptions(&self) -> Vec<String> {
        let told = |incident: &Incident| incident.field("description").to_owned();
        self.incidents().iter().map(told).collect()
    }

    /// The incidents' states, in the order of their numbers.
    pub(crate) fn states(&self) -> Vec<State> {
        self.incidents().iter().map(Incident::state).collect()
    }

    /// What was noted on an incident.
    pub(crate) fn notes_of(&self, incident: &Incident) -> String {
        let notes = self.inside().notes(incident.field("sys_id"), "work_notes");
        format!("{notes:?}")
    }

    pub(crate) fn state_of(&self, number: &str) -> State {
        self.incident(number).state()
    }

    /// The incidents that somebody should be working on.
    pub(crate) fn open(&self) -> Vec<Incident> {
        let mut incidents = self.incidents();
        incidents.retain(|incident| incident.state() == State::New);
        incidents
    }

    /// Executes what was to be executed late, up to a moment of the bed's clock.
    pub(crate) fn catches_up_with(&self, now_ms: i64) {
        self.inside().settle(now_ms);
    }

    /// Forgets the calls so far.
    pub(crate) fn mark(&self) {
        self.inside().journal_mut().clear();
    }

    /// The calls since the last mark.
    pub(crate) fn calls(&self) -> Calls {
        let inside = self.inside();
        let count = |kind| inside.journal().count(kind);
        Calls {
            tokens: count(Kind::Token),
            creates: count(Kind::Create),
            reads: count(Kind::Read),
            finds: count(Kind::Query),
            updates: count(Kind::Update),
        }
    }

    /// When calls of a kind came, in Unix milliseconds.
    pub(crate) fn times_of(&self, kind: Kind) -> Vec<i64> {
        let inside = self.inside();
        let entries = inside.journal().entries().iter();
        entries
            .filter(|entry| entry.kind == kind)
            .map(|entry| entry.at_ms)
            .collect()
    }

    /// Waits until somebody asks for an incident to be made.
    pub(crate) async fn is_asked_for_an_incident(&self) {
        while self.calls().creates == 0 {
            pause(Duration::from_millis(1)).await;
        }
    }

    /// How often a fault struck since the last mark.
    pub(crate) fn struck(&self) -> usize {
        let inside = self.inside();
        let entries = inside.journal().entries();
        entries.iter().filter(|entry| entry.fault.is_some()).count()
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in self.inside().journal().entries() {
            writeln!(
                f,
                "{} {} -> {} {:?} {}",
                entry.method,
                entry.path,
                entry.status,
                entry.execution,
                entry.fault.as_deref().unwrap_or_default()
            )?;
        }
        Ok(())
    }
}
