//! What a person does: writes the definition, logs in, tests the connection.

use std::sync::Arc;

use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::flows::log_in;
use itsm_connector::flows::test_connection::{self, Step};
use itsm_connector::stores::connections::Lookup;
use itsm_connector::stores::facts::ProductFacts;
use serde_json::Value;

use super::{CONNECTION, TestBed};

impl TestBed {
    pub(crate) async fn connection(&self) -> Arc<Connection> {
        let name = ConnectionName::parse(CONNECTION).unwrap();
        match self.core().connections.look_up(&name).await {
            Lookup::Found(connection) => connection,
            other => panic!("{other:?}"),
        }
    }

    /// Writes the definition of the connection into the vault, as it is or changed.
    pub(crate) async fn defines(&self, change: impl FnOnce(&mut Value)) {
        let mut definition = self.definition.clone();
        change(&mut definition);
        let (name, text) = (
            format!("itsm-connection-{CONNECTION}"),
            definition.to_string(),
        );
        let text = Secret::new(text);
        self.vault.set(&name, &text, None).await.unwrap();
    }

    /// What `itsmc connection login` does: a password becomes tokens, which the vault keeps.
    pub(crate) async fn log_in(&self, password: &str) {
        let connection = self.connection().await;
        let password = &Secret::from(password);
        let login = log_in::run(self.core(), &connection, password);
        Box::pin(login).await.unwrap();
    }

    pub(crate) async fn secret(&self, name: &str) -> String {
        let secret = self.vault.get(name).await.unwrap();
        secret
            .map(|kept| kept.value.expose().to_owned())
            .unwrap_or_default()
    }

    /// What `itsmc connection test --write` does when it has seen a second record with the same key refused.
    pub(crate) async fn remembers_that_keys_are_unique(&self) {
        let (core, facts) = (
            self.core(),
            ProductFacts {
                uniqueness: Uniqueness::Enforced,
            },
        );
        let name = ConnectionName::parse(CONNECTION).unwrap();
        let remembered = core
            .facts
            .remember(&name, &facts, "the bed", core.clock.now());
        remembered.await.unwrap();
        core.forget_uniqueness(&name);
    }

    /// What `itsmc connection test` prints.
    pub(crate) async fn tests_the_connection(&self) -> Vec<Step> {
        let name = ConnectionName::parse(CONNECTION).unwrap();
        Box::pin(test_connection::run(self.core(), &name, false, |_| {})).await
    }

    /// What `itsmc connection test --write` prints.
    pub(crate) async fn tests_the_connection_by_writing(&self) -> Vec<Step> {
        let name = ConnectionName::parse(CONNECTION).unwrap();
        Box::pin(test_connection::run(self.core(), &name, true, |_| {})).await
    }
}
