//! Other connections beside the one of every story, and other instances.

use itsm_connector::domain::secret::Secret;
use simulators::servicenow::Config;

use super::{Alert, Fate, Instance, Service, TestBed};

impl TestBed {
    /// Another instance; the connector starts again, and may call it.
    pub(crate) async fn another_instance(&mut self) -> Instance {
        let instance = Instance::start(Config::default()).await;
        self.allowed = self.allowed.clone().with(&instance.address());
        self.restart();
        instance
    }

    /// A connection beside the usual one, like it but for its name and instance.
    pub(crate) async fn defines_another(&self, name: &str, instance: &Instance) {
        let mut definition = self.definition.clone();
        definition["name"] = name.into();
        definition["server_url"] = instance.url().into();
        let (name, text) = (format!("itsm-connection-{name}"), definition.to_string());
        let text = Secret::new(text);
        self.vault.set(&name, &text, None).await.unwrap();
    }

    /// Alerts for connections that are kept while nobody knows what they are for: all is left to the drain.
    pub(crate) async fn keeps_without_acting(&self, connections: &[impl AsRef<str>], count: u32) {
        self.fates.decide(|step| match step.service {
            Service::Vault => Fate::FailsBefore,
            _ => Fate::Works,
        });
        for name in connections {
            for n in 0..count {
                let alert = Alert::captured("metric_fired").number(n);
                assert_eq!(self.deliver_to(name.as_ref(), alert).await.status, 202);
            }
        }
        self.fates.all_well();
        // So long it is believed that the vault does not answer.
        self.pass(std::time::Duration::from_secs(31));
    }

    /// Nobody wants the usual connection any more.
    pub(crate) async fn removes_the_connection(&self) {
        let name = format!("itsm-connection-{}", super::CONNECTION);
        self.vault.remove(&name).await.unwrap();
    }

    /// Ends a story that leaves work over on purpose.
    pub(crate) async fn abandon(mut self) {
        self.ends.reached = true;
        self.process.take().expect("a story ends once").end();
        self.servicenow.stop().await;
    }
}
