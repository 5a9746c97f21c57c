//! What the state store holds.

use futures_util::TryStreamExt as _;
use itsm_connector::domain::name::ConnectionName;
use object_store::ObjectStoreExt as _;
use serde_json::Value;

use super::{CONNECTION, TestBed};

impl TestBed {
    /// The names of all objects below a folder of the state.
    pub(crate) async fn objects(&self, folder: &str) -> Vec<String> {
        let prefix = object_store::path::Path::from(folder);
        let listing = self.store.list(Some(&prefix));
        let entries: Result<Vec<_>, _> = listing
            .map_ok(|entry| entry.location.to_string())
            .try_collect()
            .await;
        entries.unwrap_or_default()
    }

    /// The text of an object of the state.
    pub(crate) async fn object(&self, name: &str) -> String {
        let found = self.store.get(&name.into()).await.unwrap();
        String::from_utf8_lossy(&found.bytes().await.unwrap()).into_owned()
    }

    /// The texts of all objects below a folder.
    pub(crate) async fn state_texts(&self, folder: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for name in self.objects(folder).await {
            texts.push(self.object(&name).await);
        }
        texts
    }

    /// Puts something else in an object's place.
    pub(crate) async fn spoil(&self, name: &str, content: Vec<u8>) {
        self.store.put(&name.into(), content.into()).await.unwrap();
    }

    /// What a person does with an object that cannot be read.
    pub(crate) async fn moves_aside(&self, name: &str) {
        self.store.delete(&name.into()).await.unwrap();
    }

    /// How many tries the slots have counted.
    pub(crate) async fn tries(&self) -> u64 {
        let (mut tries, mut last) = (0, String::new());
        let mut names = self.objects("slots").await;
        names.sort_unstable();
        // Of each slot the newest snapshot lists first.
        for name in names {
            let slot = name.rsplit_once('/').map_or("", |(slot, _)| slot);
            if slot != last {
                let head: Value = serde_json::from_str(&self.object(&name).await).unwrap();
                tries += head["state"]["tries"].as_u64().unwrap();
                last = slot.to_owned();
            }
        }
        tries
    }

    pub(crate) async fn pending(&self) -> usize {
        self.objects("pending").await.len()
    }

    pub(crate) async fn pending_of(&self, connection: &str) -> usize {
        self.objects(&format!("pending/{connection}")).await.len()
    }

    /// How many bodies are in quarantine.
    pub(crate) async fn quarantined(&self) -> usize {
        self.objects("quarantine").await.len()
    }

    /// The dead letters, as a person reads them.
    pub(crate) async fn dead_letters(&self) -> Vec<String> {
        let name = ConnectionName::parse(CONNECTION).unwrap();
        let mut letters = Vec::new();
        for event in self.core().dead.list(&name).await.unwrap() {
            let letter = self.core().dead.read(&name, &event).await.unwrap().unwrap();
            letters.push(format!("{}\n  hint: {}", letter.reason, letter.hint));
        }
        letters
    }
}
