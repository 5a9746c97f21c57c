//! The bed of the stories: a ServiceNow instance on loopback, a vault folder, a state store, and the real intake on a
//! real socket between them, with a clock that can be moved and with fates for every call.

mod alerts;
mod builder;
mod canary;
mod clock;
mod deaths;
mod drains;
pub(crate) mod elsewhere;
mod fates;
mod functions_host;
mod instance;
mod neighbours;
mod outside;
mod overheard;
mod person;
mod process;
mod program;
mod refreshes;
mod rows;
mod sender;
mod state;
mod vault_cloud;
mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::flows::{Core, Outside};
use itsm_connector::hosts::intake::Intake;
use itsm_connector::ports::{AlertHistory, Clock, KeySet, Transport, Vault};
use object_store::ObjectStore;
use serde_json::Value;

pub(crate) use alerts::Alert;
pub(crate) use builder::Builder;
pub(crate) use canary::Canary;
pub(crate) use clock::{Dice, MovableClock};
pub(crate) use elsewhere::Elsewhere;
pub(crate) use fates::{Fate, Fates, Service, Step};
pub(crate) use functions_host::FunctionsHost;
pub(crate) use instance::{Calls, Instance, State};
use outside::{FatedStore, FatedTransport, FatedVault};
pub(crate) use overheard::Overheard;
use process::Process;
pub(crate) use program::Program;
pub(crate) use refreshes::{ORDER, TICK};
pub(crate) use rows::Rows;
pub(crate) use sender::Delivered;
pub(crate) use vault_cloud::VaultCloud;
pub(crate) use wire::{Answer, pause, request};

/// Any free port of this machine.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The connection of every story.
pub(crate) const CONNECTION: &str = "contoso";

/// Everything that a story needs.
pub(crate) struct TestBed {
    servicenow: Instance,
    allowed: AllowedHosts,
    dice: Arc<Dice>,
    /// The store behind the fated one.
    store: Arc<dyn ObjectStore>,
    vault: Arc<dyn Vault>,
    /// Twenty times faster than in production, or not.
    hurry: u32,
    clock: Arc<MovableClock>,
    fates: Arc<Fates>,
    auth: WebhookAuth,
    /// The issuer's, where callers show tokens.
    keys: Option<Arc<dyn KeySet>>,
    /// Azure's own list of alerts, where it can be asked for.
    history: Option<Arc<dyn AlertHistory>>,
    definition: Value,
    process: Option<Process>,
    folder: tempfile::TempDir,
    ends: EndOfStory,
}

/// A story that forgets to end would hide what it left over.
#[derive(Debug, Default)]
struct EndOfStory {
    reached: bool,
}

impl Drop for EndOfStory {
    fn drop(&mut self) {
        assert!(
            self.reached || std::thread::panicking(),
            "this story has no `bed.end().await`"
        );
    }
}

impl TestBed {
    /// A bed with a ServiceNow instance that is set up so.
    pub(crate) fn with_servicenow(config: simulators::servicenow::Config) -> Builder {
        Builder::new(config)
    }

    /// A bed with an instance as it is delivered, where everything works.
    pub(crate) async fn usual() -> Self {
        Builder::new(Default::default()).start().await
    }

    pub(crate) fn servicenow(&self) -> &Instance {
        &self.servicenow
    }

    pub(crate) fn fates(&self) -> &Fates {
        &self.fates
    }

    pub(crate) fn core(&self) -> &Core {
        self.intake().core()
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.process().intake
    }

    pub(crate) fn shared_intake(&self) -> &Arc<Intake> {
        &self.process().intake
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("the connector runs")
    }

    fn another_transport(&self) -> Arc<dyn Transport> {
        Arc::new(FatedTransport {
            fates: Arc::clone(&self.fates),
            hurry: self.hurry,
        })
    }

    /// A core of another process over the same outside.
    pub(crate) fn another_core(&self) -> Core {
        let clock: Arc<dyn Clock> = Arc::<MovableClock>::clone(&self.clock);
        let vault: Arc<dyn Vault> = Arc::new(FatedVault {
            inner: Arc::clone(&self.vault),
            fates: Arc::clone(&self.fates),
        });
        let transport = self.another_transport();
        let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&clock))
            .allowing(self.allowed.clone());
        let core = Core::new(Outside {
            store: Arc::new(FatedStore {
                inner: Arc::clone(&self.store),
                fates: Arc::clone(&self.fates),
            }),
            vault,
            products: Arc::new(products),
            clock,
            entropy: Arc::<Dice>::clone(&self.dice),
            allowed: self.allowed.clone(),
        });
        match &self.history {
            Some(history) => core.with_alert_history(Arc::clone(history)),
            None => core,
        }
    }

    /// The real program over the same state and vault.
    pub(crate) async fn program(&self, name: &str) -> Program {
        let folder = self.folder.path();
        let environment = [
            (
                "ITSMC_VAULT",
                format!("file://{}", folder.join("vault").display()),
            ),
            (
                "ITSMC_STATE",
                format!("file://{}", folder.join("state").display()),
            ),
            ("ITSMC_WEBHOOK_AUTH", "none".to_owned()),
            ("ITSMC_ALLOW_HOSTS", self.servicenow.address()),
        ];
        Program::start(&environment, &folder.join(format!("{name}.log"))).await
    }

    /// The connector ends and starts again: nothing of its memory is left.
    pub(crate) fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.end();
        }
        self.process = Some(Process::start(
            self.another_core(),
            self.auth.clone(),
            self.keys.clone(),
        ));
    }

    /// A tick that is still under way would take the first alert before its answer does: 202 and pending is right then, and not
    /// what a story is about. One that is held up by the story's own faults is not waited for.
    async fn first_tick_is_over(&self) {
        const LOOKS_MAX: usize = 1_000;
        for _ in 0..LOOKS_MAX {
            if self.clock.timers() > 0 {
                break;
            }
            pause(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.clock.pass(span);
    }

    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Ends a story: once everything works again and time has passed, nothing is left over.
    pub(crate) async fn end(mut self) {
        self.ends.reached = true;
        self.fates.all_well();
        self.settle().await;
        let left = self.objects("pending").await;
        assert!(left.is_empty(), "{left:#?}\n{}", self.servicenow);
        let process = self.process.take().expect("a story ends once");
        process.end();
        self.servicenow.stop().await;
    }
}
